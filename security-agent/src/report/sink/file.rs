//! Reports in a file, one JSON object a line, rotated by size.
//!
//! The file is opened again when another program has moved or removed it (logrotate), and it is never followed through a
//! symbolic link: whoever can write to the directory must not choose what the agent appends to.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::Output;
use crate::report::Report;

/// Readable by the agent's group, such as that of a log shipper; not by all: command lines are confidential.
const MODE: u32 = 0o640;

/// When a new file is begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotation {
    /// Size that a file does not exceed, bytes, unless a single report is larger. 0: never rotate.
    pub max_size: u64,
    /// Old files that are kept, as `FILE.1` (the youngest), `FILE.2`, ….
    pub max_files: u32,
}

/// A file of reports.
#[derive(Debug)]
pub struct FileOutput {
    path: PathBuf,
    rotation: Rotation,
    open: Option<Open>,
    /// The last line may be incomplete, as the disk was full.
    torn: bool,
}

#[derive(Debug)]
struct Open {
    file: File,
    size: u64,
    identity: (u64, u64),
}

impl FileOutput {
    /// Opens the file, or creates it.
    ///
    /// # Errors
    /// If that is not possible.
    pub fn open(path: &Path, rotation: Rotation) -> std::io::Result<Self> {
        let open = Some(Open::append(path)?);
        Ok(Self { path: path.to_owned(), rotation, open, torn: false })
    }

    /// The file to write `length` bytes to.
    fn file_for(&mut self, length: u64) -> std::io::Result<&mut Open> {
        let is_there = |open: &Open| {
            std::fs::symlink_metadata(&self.path).is_ok_and(|found| identity(&found) == open.identity)
        };
        self.open = self.open.take().filter(is_there);
        let is_full = |open: &Open| {
            let max = self.rotation.max_size;
            max > 0 && open.size > 0 && open.size.saturating_add(length) > max
        };
        if self.open.as_ref().is_some_and(is_full) {
            self.open = None;
            self.rotate()?;
            self.torn = false;
        }
        let open = match self.open.take() {
            Some(open) => open,
            None => Open::append(&self.path)?,
        };
        Ok(self.open.insert(open))
    }

    fn rotate(&self) -> std::io::Result<()> {
        let numbered = |number: u32| {
            let mut path = self.path.clone().into_os_string();
            path.push(format!(".{number}"));
            PathBuf::from(path)
        };
        if self.rotation.max_files == 0 {
            return std::fs::remove_file(&self.path);
        }
        for number in (1..self.rotation.max_files).rev() {
            let from = numbered(number);
            if from.symlink_metadata().is_ok() {
                std::fs::rename(from, numbered(number + 1))?;
            }
        }
        std::fs::rename(&self.path, numbered(1))
    }
}

impl Open {
    fn append(path: &Path) -> std::io::Result<Self> {
        let no_follow = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::CLOEXEC;
        let flags = i32::try_from(no_follow.bits()).map_err(std::io::Error::other)?;
        let file = File::options().append(true).create(true).mode(MODE).custom_flags(flags).open(path)?;
        let metadata = file.metadata()?;
        Ok(Self { size: metadata.len(), identity: identity(&metadata), file })
    }
}

fn identity(metadata: &std::fs::Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

impl Output for FileOutput {
    fn write(&mut self, report: &Report) -> std::io::Result<()> {
        let torn = self.torn;
        let mut line = String::with_capacity(report.json.len() + 2);
        if torn {
            line.push('\n');
        }
        line.push_str(&report.json);
        line.push('\n');
        let length = u64::try_from(line.len()).unwrap_or(u64::MAX);
        let open = self.file_for(length)?;
        let result = open.file.write_all(line.as_bytes());
        open.size = match &result {
            Ok(()) => open.size.saturating_add(length),
            // How much was written is not known.
            Err(_) => open.file.metadata().map_or(open.size, |metadata| metadata.len()),
        };
        self.torn = result.is_err();
        result
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn report(json: &str) -> Report {
        Report { rule_id: String::new(), json: json.into(), line: None }
    }

    fn read(path: &Path) -> String {
        std::fs::read_to_string(path).unwrap_or_else(|_| "-".into())
    }

    #[test]
    fn a_full_file_is_rotated_and_the_oldest_goes() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("signals.jsonl");
        let mut file = FileOutput::open(&path, Rotation { max_size: 8, max_files: 2 }).unwrap();
        for json in ["1", "2", "3", "4", "5", "6", "7", "8", "9", "long long long", "x"] {
            file.write(&report(json)).unwrap();
        }
        assert_eq!(read(&path), "x\n");
        assert_eq!(read(&directory.path().join("signals.jsonl.1")), "long long long\n");
        assert_eq!(read(&directory.path().join("signals.jsonl.2")), "9\n");
        assert_eq!(read(&directory.path().join("signals.jsonl.3")), "-");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777 & !MODE, 0);
    }

    #[test]
    fn appending_goes_on_after_a_restart_and_after_others_moved_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("signals.jsonl");
        let never = Rotation { max_size: 0, max_files: 0 };
        FileOutput::open(&path, never).unwrap().write(&report("1")).unwrap();
        let mut file = FileOutput::open(&path, never).unwrap();
        file.write(&report("2")).unwrap();
        assert_eq!(read(&path), "1\n2\n");
        let moved = directory.path().join("moved");
        std::fs::rename(&path, &moved).unwrap();
        file.write(&report("3")).unwrap();
        assert_eq!((read(&moved), read(&path)), ("1\n2\n".into(), "3\n".into()));
    }

    #[test]
    fn a_link_is_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("signals.jsonl");
        std::os::unix::fs::symlink(directory.path().join("target"), &path).unwrap();
        assert!(FileOutput::open(&path, Rotation { max_size: 0, max_files: 0 }).is_err());
    }

    #[test]
    fn a_full_disk_is_an_error_and_the_next_line_is_whole() {
        let full = FileOutput::open(Path::new("/dev/full"), Rotation { max_size: 0, max_files: 0 });
        let Ok(mut full) = full else { return println!("skipped: no /dev/full") };
        assert!(full.write(&report("1")).is_err());
        assert!(full.torn);
    }
}
