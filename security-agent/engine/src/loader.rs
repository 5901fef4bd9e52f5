//! Reads policy files from a directory. The only part of the crate that does I/O.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::exposure::{Own, exposure};
use crate::limits;
use crate::policy::PolicyKind;

/// Ending of the names of policy files.
const EXTENSION: &str = ".policy";

/// A policy file, read or not.
#[derive(Debug)]
pub struct PolicyFile {
    /// Name without the directory.
    pub name: String,
    /// What messages call the file.
    pub path: String,
    /// Its bytes, or why it cannot be read.
    pub content: Result<Vec<u8>, FileError>,
}

/// Why a policy file or directory cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The system says so.
    #[error("cannot be read: {0}")]
    Io(#[from] std::io::Error),
    /// It is a directory, a pipe or a device.
    #[error("is not a regular file")]
    NotRegular,
    /// It is larger than [`limits::FILE_BYTES`].
    #[error("is larger than {} bytes", limits::FILE_BYTES)]
    TooLarge,
}

/// The policy files of a directory, in the order in which they load.
#[derive(Debug, Default)]
pub struct PolicyFiles {
    /// The files, `default.policy` first, the others by the bytes of their names.
    pub files: Vec<PolicyFile>,
    /// Why the directory cannot be read, with its path.
    pub directory_error: Option<(String, FileError)>,
    /// How many files were left out because there are more than [`limits::FILES`].
    pub left_out: usize,
    /// What others can change: the path of the directory or of a file, and who they are.
    pub exposed: Vec<(String, String)>,
}

impl PolicyFile {
    /// A policy that is not in a file.
    pub fn in_memory(name: &str, content: impl Into<Vec<u8>>) -> Self {
        PolicyFile { name: name.to_owned(), path: name.to_owned(), content: Ok(content.into()) }
    }

    fn read(path: &Path, name: String) -> Self {
        PolicyFile { name, path: path.display().to_string(), content: read(path) }
    }
}

impl PolicyFiles {
    /// Policies that are not in files, in the order in which they load.
    pub fn in_memory(files: Vec<PolicyFile>) -> Self {
        PolicyFiles { files, ..PolicyFiles::default() }
    }
}

/// Reads the files of `dir` whose names end in `.policy`. Directories below it are not read.
///
/// A file that cannot be read is part of the result: the others still load.
pub fn read_directory(dir: &Path) -> PolicyFiles {
    let mut names: Vec<(String, PathBuf)> = Vec::new();
    let mut result = PolicyFiles::default();
    let entries = std::fs::read_dir(dir).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match entries {
        Ok(entries) => {
            for entry in entries {
                let name = entry.file_name().to_string_lossy().into_owned();
                if name.ends_with(EXTENSION) {
                    names.push((name, entry.path()));
                }
            }
        }
        Err(error) => result.directory_error = Some((dir.display().to_string(), error.into())),
    }
    names.sort_by(|(a, _), (b, _)| {
        (a != PolicyKind::DEFAULT_FILE, a).cmp(&(b != PolicyKind::DEFAULT_FILE, b))
    });
    result.left_out = names.len().saturating_sub(limits::FILES);
    names.truncate(limits::FILES);
    let own = Own::current();
    let paths = std::iter::once(dir).chain(names.iter().map(|(_, path)| path.as_path()));
    let exposed = paths.filter_map(|path| Some((path.display().to_string(), exposure(path, own)?)));
    result.exposed = exposed.collect();
    result.files = names.into_iter().map(|(name, path)| PolicyFile::read(&path, name)).collect();
    result
}

fn read(path: &Path) -> Result<Vec<u8>, FileError> {
    // Opening a pipe would block until somebody writes to it.
    if !std::fs::metadata(path)?.is_file() {
        return Err(FileError::NotRegular);
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(limits::FILE_BYTES + 1).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length <= limits::FILE_BYTES) {
        Ok(bytes)
    } else {
        Err(FileError::TooLarge)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{FileError, limits, read_directory};

    #[test]
    fn the_default_policy_is_first_and_the_others_follow_by_name() {
        let dir = tempfile::tempdir().expect("a directory");
        for name in ["b.policy", "a.policy", "default.policy", "B.policy", "notes.txt", "c.policy.bak"] {
            fs::write(dir.path().join(name), name).expect("a file");
        }
        fs::create_dir(dir.path().join("d.policy")).expect("a directory");
        let files = read_directory(dir.path());
        let names: Vec<&str> = files.files.iter().map(|file| file.name.as_str()).collect();
        assert_eq!(names, ["default.policy", "B.policy", "a.policy", "b.policy", "d.policy"]);
        assert_eq!(files.files[1].content.as_ref().expect("content"), b"B.policy");
        assert!(matches!(files.files[4].content, Err(FileError::NotRegular)));
    }

    #[test]
    fn what_others_can_write_is_told() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().expect("a directory");
        for (name, mode) in [("a.policy", 0o600), ("b.policy", 0o666)] {
            let path = dir.path().join(name);
            fs::write(&path, "").expect("a file");
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("a mode");
        }
        let exposed = read_directory(dir.path()).exposed;
        assert_eq!(exposed.len(), 1, "{exposed:?}");
        assert!(exposed[0].0.ends_with("b.policy") && exposed[0].1.contains("0666"));
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).expect("a mode");
        assert_eq!(read_directory(dir.path()).exposed.len(), 2);
    }

    #[test]
    fn a_huge_file_and_a_missing_directory_are_errors() {
        let dir = tempfile::tempdir().expect("a directory");
        let huge = fs::File::create(dir.path().join("huge.policy")).expect("a file");
        huge.set_len(limits::FILE_BYTES + 1).expect("a length");
        assert!(matches!(read_directory(dir.path()).files[0].content, Err(FileError::TooLarge)));
        assert!(read_directory(&dir.path().join("nowhere")).directory_error.is_some());
    }
}
