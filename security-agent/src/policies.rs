//! The policy directory: loaded at start, on demand, and when its files change.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use engine::loader::{PolicyFile, read_directory};
use engine::{Load, LoadOptions, load};
use model::Fields;

use crate::self_test;

/// The names that rules may use, `CWS_MAP_NAMES` among them.
#[must_use]
pub fn schema() -> Fields {
    Fields::new(proto::MAP_NAMES.iter().copied())
}

/// Loads the policies of a directory. What is wrong with them is logged; everything that is right is in force.
#[must_use]
pub fn load_directory(directory: &Path, options: &LoadOptions) -> Load {
    load_with(directory, None, options)
}

/// As [`load_directory`], with one more policy that nobody is told of.
#[must_use]
pub fn load_with(directory: &Path, more: Option<PolicyFile>, options: &LoadOptions) -> Load {
    let load = load_quietly(directory, more, options);
    for diagnostic in &load.diagnostics {
        let place = format!("{}:{}:{}", diagnostic.file, diagnostic.line, diagnostic.column);
        let rule = diagnostic.rule.as_deref().unwrap_or_default();
        tracing::warn!(code = diagnostic.code, rule, "{place}: {}", diagnostic.message);
    }
    let counts = load.counts;
    tracing::info!(
        directory = %directory.display(),
        loaded = counts.loaded,
        skipped = counts.skipped,
        errors = counts.errors,
        "policies loaded"
    );
    load
}

/// As [`load_with`], without a word.
#[must_use]
pub fn load_quietly(directory: &Path, more: Option<PolicyFile>, options: &LoadOptions) -> Load {
    let mut files = read_directory(directory);
    files.files.extend(more);
    let mut load = load(files, &schema(), options);
    self_test::hide(&mut load);
    load
}

/// Notices changes of the files in a directory by looking at them now and then.
///
/// Polling needs no watch that an editor's way of saving could evade, works on every file system, and costs a few system
/// calls every two seconds.
#[derive(Debug)]
pub struct Watch {
    directory: PathBuf,
    loaded: State,
    last: State,
}

/// Name, inode, size and time of modification of each file.
type State = Vec<(std::ffi::OsString, u64, u64, i64, i64)>;

impl Watch {
    /// Remembers the directory as it is now.
    #[must_use]
    pub fn new(directory: &Path) -> Self {
        let state = state(directory);
        Self { directory: directory.to_owned(), loaded: state.clone(), last: state }
    }

    /// Whether the files are others than those that were loaded, and were the same the last time: they are no longer
    /// being written.
    pub fn changed(&mut self) -> bool {
        let now = state(&self.directory);
        let is_stable = now == self.last;
        let is_new = now != self.loaded;
        self.last = now;
        if is_stable && is_new {
            self.loaded.clone_from(&self.last);
        }
        is_stable && is_new
    }

    /// The files were just loaded for another reason.
    pub fn loaded(&mut self) {
        self.loaded = state(&self.directory);
        self.last.clone_from(&self.loaded);
    }
}

fn state(directory: &Path) -> State {
    let Ok(entries) = std::fs::read_dir(directory) else { return State::new() };
    let mut state: State = entries
        .flatten()
        .filter(|entry| {
            Path::new(&entry.file_name()).extension().is_some_and(|extension| extension == "policy")
        })
        .filter_map(|entry| {
            let metadata = std::fs::metadata(entry.path()).ok()?;
            Some((
                entry.file_name(),
                metadata.ino(),
                metadata.size(),
                metadata.mtime(),
                metadata.mtime_nsec(),
            ))
        })
        .collect();
    state.sort_unstable();
    state
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_told_once_when_it_is_complete() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.policy");
        std::fs::write(&path, "rules: []").unwrap();
        let mut watch = Watch::new(directory.path());
        assert!(!watch.changed());
        std::fs::write(&path, "rules: [").unwrap();
        assert!(!watch.changed(), "may still be written");
        std::fs::write(&path, "rules: [ ]").unwrap();
        assert!(!watch.changed());
        assert!(watch.changed());
        assert!(!watch.changed(), "told");
        std::fs::write(directory.path().join("notes.txt"), "x").unwrap();
        assert!(!watch.changed() && !watch.changed(), "not a policy");
        std::fs::remove_file(&path).unwrap();
        watch.loaded();
        assert!(!watch.changed(), "loaded for another reason");
    }

    #[test]
    fn a_directory_that_is_not_there_is_an_error_among_others() {
        let load = load_directory(Path::new("/nonexistent/policies"), &LoadOptions::default());
        assert_eq!((load.counts.loaded, load.counts.errors), (0, 1));
    }
}
