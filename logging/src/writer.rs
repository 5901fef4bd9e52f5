//! Where lines go: each to the file, and to standard error as well if that is wanted or the file cannot take it.

use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tracing_subscriber::fmt::MakeWriter;

use crate::rotation::{RotatingFile, Rotation};

/// Bytes of lines that are kept until the file is opened. A start logs a few lines, and those about a configuration
/// with hundreds of odd keys fit.
const KEPT_MAX: usize = 256 << 10;

/// The state of a log.
#[derive(Debug)]
pub(crate) struct Shared {
    /// Whether lines are written to standard error.
    console: AtomicBool,
    file: Mutex<File>,
}

#[derive(Debug)]
enum File {
    /// There is none, or it cannot be opened.
    None,
    /// It is opened later: these lines are for it.
    Later(Vec<u8>),
    /// It is open. Whether it took the last line: only the first one in a row that it does not take is told.
    Open { file: RotatingFile, took_last: bool },
}

impl Shared {
    pub(crate) fn new(console: bool, file: bool) -> Self {
        let file = if file { File::Later(Vec::new()) } else { File::None };
        Self { console: AtomicBool::new(console), file: Mutex::new(file) }
    }

    pub(crate) fn open(&self, path: &Path, rotation: Rotation) -> std::io::Result<()> {
        let mut file = self.lock();
        let opened = RotatingFile::open(path, rotation).and_then(|mut opened| {
            if let File::Later(lines) = &*file {
                opened.write_all(lines)?;
            }
            Ok(opened)
        });
        match opened {
            Ok(opened) => {
                *file = File::Open { file: opened, took_last: true };
                Ok(())
            }
            Err(error) => {
                self.give_up(&mut file);
                Err(error)
            }
        }
    }

    /// Whether it was opened, or tried to.
    pub(crate) fn is_settled(&self) -> bool {
        !matches!(*self.lock(), File::Later(_))
    }

    pub(crate) fn is_open(&self) -> bool {
        matches!(*self.lock(), File::Open { .. })
    }

    /// The end of the log: what was kept for a file that was never opened is shown.
    pub(crate) fn close(&self) {
        let mut file = self.lock();
        if matches!(*file, File::Later(_)) {
            self.give_up(&mut file);
        }
    }

    /// Runs `log` so that its lines are in the file, if one is open, and not on the console.
    pub(crate) fn to_file_only(&self, log: impl FnOnce()) {
        if self.is_open() {
            let console = self.console.swap(false, Ordering::Relaxed);
            log();
            self.console.store(console, Ordering::Relaxed);
        }
    }

    /// There will be no file: the console it is.
    fn give_up(&self, file: &mut File) {
        let lines = std::mem::replace(file, File::None);
        let silent = !self.console.swap(true, Ordering::Relaxed);
        if let (File::Later(lines), true) = (lines, silent) {
            // Nobody is left to tell.
            let _lost = std::io::stderr().write_all(&lines);
        }
    }

    fn write_line(&self, line: &[u8]) {
        let spilled = match &mut *self.lock() {
            File::None => None,
            File::Later(lines) if lines.len() + line.len() <= KEPT_MAX => {
                lines.extend_from_slice(line);
                None
            }
            File::Later(_) => Some(String::new()),
            File::Open { file, took_last } => match file.write_all(line) {
                Ok(()) => {
                    *took_last = true;
                    None
                }
                Err(error) => {
                    let told_before = !std::mem::replace(took_last, false);
                    let notice = format!("cannot log to {}: {error}\n", file.path().display());
                    Some(if told_before { String::new() } else { notice })
                }
            },
        };
        let Some(notice) = spilled else { return };
        let mut stderr = std::io::stderr().lock();
        let _lost = stderr.write_all(notice.as_bytes());
        if !self.console.load(Ordering::Relaxed) {
            let _lost = stderr.write_all(line);
        }
    }

    fn lock(&self) -> MutexGuard<'_, File> {
        // A line at most is torn where a thread died.
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes to standard error, if that is wanted.
#[derive(Debug)]
pub(crate) struct Console(pub(crate) Arc<Shared>);

/// Writes to the file.
#[derive(Debug)]
pub(crate) struct ToFile(pub(crate) Arc<Shared>);

impl Write for &Console {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        if self.0.console.load(Ordering::Relaxed) {
            std::io::stderr().write_all(line)?;
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Write for &ToFile {
    /// The subscriber hands over whole lines.
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        self.0.write_line(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'w> MakeWriter<'w> for Console {
    type Writer = &'w Self;

    fn make_writer(&'w self) -> Self::Writer {
        self
    }
}

impl<'w> MakeWriter<'w> for ToFile {
    type Writer = &'w Self;

    fn make_writer(&'w self) -> Self::Writer {
        self
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "test")]
mod tests {
    use super::*;

    const ROTATION: Rotation = Rotation { max_size: 16, max_files: 1 };

    #[test]
    fn lines_from_before_the_file_was_opened_are_in_it_and_later_ones_follow() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("own.log");
        let shared = Shared::new(false, true);
        shared.write_line(b"first\n");
        assert!(!shared.is_open());
        shared.open(&path, ROTATION).unwrap();
        shared.write_line(b"second\n");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "first\nsecond\n");
        shared.write_line(b"third\n");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "third\n");
        let old = std::fs::read_to_string(directory.path().join("own.log.1")).unwrap();
        assert_eq!(old, "first\nsecond\n");
        assert!(!shared.console.load(Ordering::Relaxed));
    }

    #[test]
    fn a_file_that_cannot_be_opened_turns_the_console_on() {
        let shared = Shared::new(false, true);
        assert!(shared.open(Path::new("/nonexistent/own.log"), ROTATION).is_err());
        assert!(!shared.is_open());
        assert!(shared.console.load(Ordering::Relaxed));
    }

    #[test]
    fn what_is_kept_before_the_file_is_opened_is_bounded() {
        let shared = Shared::new(true, true);
        for _ in 0..300 {
            shared.write_line(&[b'x'; 1024]);
        }
        assert!(matches!(&*shared.lock(), File::Later(lines) if lines.len() == KEPT_MAX));
    }

    #[test]
    fn only_the_first_line_of_a_row_that_the_file_does_not_take_is_told() {
        let shared = Shared::new(true, true);
        if shared.open(Path::new("/dev/full"), Rotation { max_size: 0, max_files: 0 }).is_err() {
            return println!("skipped: no /dev/full");
        }
        let took_last = || matches!(&*shared.lock(), File::Open { took_last: true, .. });
        assert!(took_last());
        shared.write_line(b"lost\n");
        assert!(!took_last());
    }
}
