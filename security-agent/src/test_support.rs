//! Test support: the conformance data that lies beside a checkout.

use std::path::PathBuf;

/// The lines of a JSON-lines file of the shared data. Where there is none, says so and returns none.
pub(crate) fn shared_lines(name: &str) -> Vec<serde_json::Value> {
    let root = match std::env::var_os("CWS_SHARED") {
        Some(root) => PathBuf::from(root),
        None => PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared")),
    };
    let Ok(text) = std::fs::read_to_string(root.join(name)) else {
        println!("skipped: no shared data {name}");
        return Vec::new();
    };
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
