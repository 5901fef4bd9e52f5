//! A file of lines, rotated by size.
//!
//! The file is opened again when another program has moved or removed it (logrotate), and it is never followed through a
//! symbolic link: whoever can write to the directory must not choose what the process appends to.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Readable by the group, such as that of a log shipper; not by all: command lines are confidential.
const MODE: u32 = 0o640;

/// When a new file is begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotation {
    /// Size that a file does not exceed, bytes, unless a single line is larger. 0: never rotate.
    pub max_size: u64,
    /// Old files that are kept, as `FILE.1` (the youngest), `FILE.2`, ….
    pub max_files: u32,
}

/// A file of lines. Each call of `write` must be given whole lines: they are never torn by a rotation, and after a write
/// that failed in the middle the next one begins a new line.
#[derive(Debug)]
pub struct RotatingFile {
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

impl RotatingFile {
    /// Opens the file, or creates it.
    ///
    /// # Errors
    /// If that is not possible.
    pub fn open(path: &Path, rotation: Rotation) -> std::io::Result<Self> {
        let open = Some(Open::append(path)?);
        Ok(Self { path: path.to_owned(), rotation, open, torn: false })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Takes out the file to write `length` bytes to.
    fn file_for(&mut self, length: u64) -> std::io::Result<Open> {
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
        match self.open.take() {
            Some(open) => Ok(open),
            None => Open::append(&self.path),
        }
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
        use rustix::fs::OFlags;
        // Without O_NONBLOCK, opening a pipe that somebody put there would wait for its reader.
        let careful = OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let flags = i32::try_from(careful.bits()).map_err(std::io::Error::other)?;
        let file = File::options().append(true).create(true).mode(MODE).custom_flags(flags).open(path)?;
        let metadata = file.metadata()?;
        Ok(Self { size: metadata.len(), identity: identity(&metadata), file })
    }
}

fn identity(metadata: &std::fs::Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

impl Write for RotatingFile {
    fn write(&mut self, lines: &[u8]) -> std::io::Result<usize> {
        let length = u64::try_from(lines.len()).unwrap_or(u64::MAX);
        let mut open = self.file_for(length)?;
        let begin: &[u8] = if std::mem::take(&mut self.torn) { b"\n" } else { b"" };
        let result = open.file.write_all(begin).and_then(|()| open.file.write_all(lines));
        // After a failure, how much was written is not known.
        let written = u64::try_from(begin.len() + lines.len()).unwrap_or(u64::MAX);
        open.size = match &result {
            Ok(()) => open.size.saturating_add(written),
            Err(_) => open.file.metadata().map_or(open.size, |metadata| metadata.len()),
        };
        self.torn = result.is_err();
        self.open = Some(open);
        result.map(|()| lines.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "test")]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn read(path: &Path) -> String {
        std::fs::read_to_string(path).unwrap_or_else(|_| "-".into())
    }

    #[test]
    fn a_full_file_is_rotated_and_the_oldest_goes() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("own.log");
        let mut file = RotatingFile::open(&path, Rotation { max_size: 8, max_files: 2 }).unwrap();
        for line in ["1", "2", "3", "4", "5", "6", "7", "8", "9", "long long long", "x"] {
            file.write_all(format!("{line}\n").as_bytes()).unwrap();
        }
        assert_eq!(read(&path), "x\n");
        assert_eq!(read(&directory.path().join("own.log.1")), "long long long\n");
        assert_eq!(read(&directory.path().join("own.log.2")), "9\n");
        assert_eq!(read(&directory.path().join("own.log.3")), "-");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777 & !MODE, 0);
    }

    #[test]
    fn appending_goes_on_after_a_restart_and_after_others_moved_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("own.log");
        let never = Rotation { max_size: 0, max_files: 0 };
        RotatingFile::open(&path, never).unwrap().write_all(b"1\n").unwrap();
        let mut file = RotatingFile::open(&path, never).unwrap();
        file.write_all(b"2\n").unwrap();
        assert_eq!(read(&path), "1\n2\n");
        let moved = directory.path().join("moved");
        std::fs::rename(&path, &moved).unwrap();
        file.write_all(b"3\n").unwrap();
        assert_eq!((read(&moved), read(&path)), ("1\n2\n".into(), "3\n".into()));
    }

    #[test]
    fn a_link_is_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("own.log");
        std::os::unix::fs::symlink(directory.path().join("target"), &path).unwrap();
        assert!(RotatingFile::open(&path, Rotation { max_size: 0, max_files: 0 }).is_err());
    }

    #[test]
    fn a_pipe_that_nobody_reads_is_an_error_and_no_wait() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("own.log");
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RWXU).unwrap();
        assert!(RotatingFile::open(&path, Rotation { max_size: 0, max_files: 0 }).is_err());
    }

    #[test]
    fn a_full_disk_is_an_error_and_the_next_line_is_whole() {
        let full = RotatingFile::open(Path::new("/dev/full"), Rotation { max_size: 0, max_files: 0 });
        let Ok(mut full) = full else { return println!("skipped: no /dev/full") };
        assert!(full.write_all(b"1\n").is_err());
        assert!(full.torn);
    }
}
