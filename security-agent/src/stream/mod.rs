//! The stream of records: from the probe, into a file, out of a file.

mod backoff;
pub mod capture;
pub mod client;
pub mod containers;
pub mod kills;
pub mod losses;

pub use backoff::Backoff;
