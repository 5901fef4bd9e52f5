//! Unprivileged half of the workload security agent: evaluates rules and reports.
//!
//! Events come from system-probe as a stream of records ([`stream`]). Each is decoded ([`decode`]), put into the process
//! tree ([`cache`]) and evaluated; matches become signals ([`report`]). Everything between the stream and the sinks is
//! plain functions over a struct: no runtime, no clock of its own, no I/O.
#![forbid(unsafe_code)]

pub mod agent;
pub mod cache;
pub mod cli;
pub mod control;
pub mod decode;
mod degraded;
pub mod filters;
pub mod heartbeat;
pub mod host;
pub mod metrics;
pub mod network;
mod notify;
pub mod own_log;
pub mod pipeline;
pub mod policies;
pub mod privileges;
pub mod report;
pub mod resolve;
#[cfg(test)]
mod script;
pub mod self_test;
pub mod stream;
#[cfg(test)]
mod test_probe;
#[cfg(test)]
mod test_support;
