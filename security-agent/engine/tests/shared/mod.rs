//! The data that this project shares with others, if it is there.
#![allow(dead_code, clippy::expect_used, reason = "each test uses a part of it, and fails by panicking")]

use std::path::PathBuf;

/// The path of a shared file. Prints that the test is skipped if there is none.
pub(crate) fn path(name: &str) -> Option<PathBuf> {
    let root = std::env::var_os("CWS_SHARED").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared")),
        PathBuf::from,
    );
    let path = root.join(name);
    if path.exists() {
        return Some(path);
    }
    println!("skipped: {} is not there", path.display());
    None
}

/// The text of a shared file.
pub(crate) fn text(name: &str) -> Option<String> {
    Some(std::fs::read_to_string(path(name)?).expect("a readable file"))
}

/// The lines of a shared file, each a JSON value.
pub(crate) fn lines(name: &str) -> Option<Vec<serde_json::Value>> {
    let text = text(name)?;
    Some(
        text.lines()
            .filter(|line| !line.trim().is_empty())
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect(),
    )
}
