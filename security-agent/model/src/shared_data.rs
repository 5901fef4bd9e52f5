//! Test support: the conformance data that lies beside a checkout.

use std::path::PathBuf;

/// The text of a file of the shared data. Where there is none, says so and returns `None`.
pub(crate) fn read(name: &str) -> Option<String> {
    let root = match std::env::var_os("CWS_SHARED") {
        Some(root) => PathBuf::from(root),
        None => PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared")),
    };
    let text = std::fs::read_to_string(root.join(name)).ok();
    if text.is_none() {
        println!("skipped: no shared data {name}");
    }
    text
}

/// The lines of a JSON-lines file of the shared data; none if it is absent.
pub(crate) fn json_lines(name: &str) -> Vec<serde_json::Value> {
    let text = read(name).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The rows of a tab-separated file of the shared data, comments left out; none if it is absent.
pub(crate) fn rows(name: &str) -> Vec<Vec<String>> {
    let text = read(name).unwrap_or_default();
    let rows = text.lines().filter(|line| !line.starts_with('#'));
    rows.map(|line| line.split('\t').map(str::to_owned).collect()).collect()
}
