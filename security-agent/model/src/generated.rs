//! Test support: files that are generated from the model and kept in the repository.

use std::path::PathBuf;

/// Fails if the file `path`, relative to the workspace, is not `text`, and writes it if `UPDATE_GENERATED` is set.
pub(crate) fn assert_current(path: &str, text: &str) {
    let file = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")).join(path);
    if std::fs::read_to_string(&file).is_ok_and(|current| current == text) {
        return;
    }
    if std::env::var_os("UPDATE_GENERATED").is_some() {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, text).unwrap();
    }
    panic!("{path} was not current; UPDATE_GENERATED=1 rewrites it");
}
