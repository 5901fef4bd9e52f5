//! Privileged half of the workload security agent: owns the BPF programs, streams kernel events.
//!
//! ```text
//! facts ─▶ plan ─▶ loader ──▶ kernel
//!                                │ ring buffer
//!                  snapshot      ▼
//!                     │        ring ─▶ stream::Queue ─┐
//!                     └──────────────▶ stream::Subscription ─▶ service (gRPC, Unix socket) ─▶ security-agent
//! ```
//!
//! It never parses rules and never opens a network socket.

mod cgroup_root;
pub mod check;
pub mod cli;
mod clock;
mod containers;
mod facts;
mod filters;
mod host;
mod identity;
mod kernel;
mod kill;
mod libbpf_log;
mod loader;
mod memory;
mod notify;
mod own_log;
mod pid_file;
mod pid_namespace;
mod plan;
mod privileges;
mod ring;
pub mod run;
mod service;
mod snapshot;
mod socket;
mod stream;
mod tracefs;
mod types;

/// Version of the package, as `--version` and the protocol show it.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
