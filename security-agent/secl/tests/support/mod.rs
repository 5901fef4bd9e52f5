//! What tests need instead of a real model: a schema read from the tables of the shared data, and events that are flat maps.
#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    reason = "shared by tests and benches that use different parts"
)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "test code")]

pub mod event;
pub mod policy;
pub mod random;
pub mod schema;
pub mod variables;

use std::path::PathBuf;

/// A file of the shared reference data, or `None`, with a message, where that is not installed.
pub fn shared(name: &str) -> Option<String> {
    let root = std::env::var_os("CWS_SHARED").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared")),
        PathBuf::from,
    );
    match std::fs::read_to_string(root.join(name)) {
        Ok(text) => Some(text),
        Err(error) => {
            eprintln!("skipped: {}: {error}", root.join(name).display());
            None
        }
    }
}

/// The lines of a shared JSON-lines file.
pub fn shared_lines(name: &str) -> Vec<serde_json::Value> {
    shared(name).map_or_else(Vec::new, |text| {
        text.lines().filter(|line| !line.is_empty()).map(|line| serde_json::from_str(line).unwrap()).collect()
    })
}
