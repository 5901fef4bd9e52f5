//! One process, held on to so that its number cannot come to mean another.

use std::fs::File;
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;

use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::process::Pid;
use rustix::process::PidfdFlags;
use rustix::process::Signal;
use rustix::process::kill_process;
use rustix::process::pidfd_open;
use rustix::process::pidfd_send_signal;

/// Places of flags and start time in `/proc/PID/stat`, counted behind the name.
const FLAGS_FIELD: usize = 6;
const START_FIELD: usize = 19;
/// Bytes of `/proc/PID/stat`: some 50 numbers and a name.
const STAT_SIZE_MAX: u64 = 4_096;

/// A process of this process's own namespace, as its number is.
#[derive(Debug)]
pub(super) struct Target {
    pid: Pid,
    /// `/proc/PID`: of this process alone, and without anything in it once that has ended.
    directory: OwnedFd,
    /// None before Linux 5.3.
    descriptor: Option<OwnedFd>,
}

impl Target {
    /// As well as this kernel can.
    ///
    /// # Errors
    ///
    /// There is no such process, or it is a thread of one.
    pub(super) fn open(pid: Pid) -> rustix::io::Result<Self> {
        let descriptor = match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(descriptor) => Some(descriptor),
            Err(Errno::NOSYS) => None,
            Err(error) => return Err(error),
        };
        // Whether both are of one process shows when the start time is compared while the descriptor is held.
        Ok(Self { descriptor, ..Self::by_directory(pid)? })
    }

    /// As kernels do that have no descriptors of processes.
    ///
    /// # Errors
    ///
    /// There is no such process.
    pub(super) fn by_directory(pid: Pid) -> rustix::io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let place = format!("/proc/{}", pid.as_raw_nonzero());
        Ok(Self { pid, directory: rustix::fs::open(place, flags, Mode::empty())?, descriptor: None })
    }

    /// Its `stat`; none if it has ended.
    pub(super) fn stat(&self) -> Option<Vec<u8>> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&self.directory, "stat", flags, Mode::empty()).ok()?;
        let mut stat = Vec::new();
        File::from(file).take(STAT_SIZE_MAX).read_to_end(&mut stat).ok()?;
        Some(stat)
    }

    /// Its program, if that can be told.
    pub(super) fn program(&self) -> Option<PathBuf> {
        let path = rustix::fs::readlinkat(&self.directory, "exe", Vec::new()).ok()?;
        Some(std::ffi::OsString::from_vec(path.into_bytes()).into())
    }

    /// Sends it a signal. Without a descriptor it is looked at once more, so that what is left is a process that ends,
    /// is waited for, and whose number is given out again, all between two calls of this thread.
    ///
    /// # Errors
    ///
    /// It has ended, or must not get signals.
    pub(super) fn signal(&self, signal: Signal) -> rustix::io::Result<()> {
        match &self.descriptor {
            Some(descriptor) => pidfd_send_signal(descriptor, signal),
            None if self.stat().is_none() => Err(Errno::SRCH),
            None => kill_process(self.pid, signal),
        }
    }
}

/// Flags and start time, in ticks, of `/proc/PID/stat`. The name may have anything in it, also parentheses.
pub(super) fn facts(stat: &[u8]) -> Option<(u64, u64)> {
    let end = stat.iter().rposition(|byte| *byte == b')')?;
    let fields = std::str::from_utf8(stat.get(end + 1..)?).ok()?;
    let fields: Vec<&str> = fields.split_ascii_whitespace().collect();
    Some((fields.get(FLAGS_FIELD)?.parse().ok()?, fields.get(START_FIELD)?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_does_not_shift_the_fields() {
        let stat = b"7 (a) R 1 (b)) S 1 7 7 0 -1 4194304 95 0 0 0 0 0 0 0 20 0 1 0 2716 5 6";
        assert_eq!(facts(stat), Some((4_194_304, 2_716)));
        assert_eq!(facts(b""), None);
        assert_eq!(facts(b"1 (x) S 1"), None);
    }

    /// The number may be another's by then: nothing is sent to it.
    #[test]
    fn one_that_has_ended_gets_nothing() {
        let mut child = std::process::Command::new("/bin/true").spawn().unwrap();
        let target = Target::by_directory(Pid::from_child(&child)).unwrap();
        assert!(target.stat().is_some(), "it was not waited for");
        child.wait().unwrap();
        assert_eq!(target.signal(Signal::KILL), Err(Errno::SRCH));
    }
}
