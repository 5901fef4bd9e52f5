//! Probes at functions of the kernel, by the files of tracefs.
//!
//! `perf_event_open(2)` can make them too, but then the kernel chooses how many calls of a function a probe at its return
//! can wait for: on kernels that are not preemptible, as many as there are processors. It misses the returns of all
//! others, and tells nobody. Here the number is ours, and the kernel counts.
//!
//! Such a probe outlives its process (as a definition: nothing is in the kernel's code unless an event is open), so those
//! that were left behind are removed at the next start.

use std::hash::BuildHasher as _;
use std::hash::RandomState;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::LazyLock;
use std::time::Duration;

use rustix::fs::Mode;
use rustix::fs::OFlags;

use super::read;
use crate::plan::Side;

/// The group of all our probes.
pub(super) const GROUP: &str = "cws";
/// The file of definitions, and that of counters.
const DEFINITIONS: &str = "kprobe_events";
const COUNTERS: &str = "kprobe_profile";
/// Of either file, more than all programs of all processes need.
const LIST_SIZE_MAX: u64 = 4 << 20;
/// How long the kernel may take to let go of a probe whose event was closed, and how often it is asked.
const RELEASE_WAIT: Duration = Duration::from_millis(10);
const RELEASE_TRIES: u32 = 20;

/// Names of other processes' probes end otherwise: process numbers are not unique between namespaces.
static SUFFIX: LazyLock<String> = LazyLock::new(|| format!("{:08x}", RandomState::new().hash_one(0) >> 32));

/// Where a probe is to be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ProbePlace<'a> {
    /// Unique in this process: letters, digits and underscores, at most 50.
    pub(crate) name: &'a str,
    /// The function.
    pub(crate) function: &'a str,
    /// Where in it.
    pub(crate) side: Side,
    /// Of a probe at the return: calls that it can wait for at one time, at most 4,096 (`KRETPROBE_MAXACTIVE_MAX`).
    pub(crate) max_active: u32,
}

/// A probe, until it is dropped. Its event has to be closed before.
#[derive(Debug)]
pub(crate) struct Probe {
    root: Arc<OwnedFd>,
    name: String,
}

impl Probe {
    pub(super) fn define(root: Arc<OwnedFd>, place: &ProbePlace<'_>) -> io::Result<Self> {
        let ProbePlace { name, function, side, max_active } = place;
        let name = format!("{name}_{}", *SUFFIX);
        let at = match side {
            Side::Entry => "p".to_owned(),
            Side::Return => format!("r{max_active}"),
        };
        write(&root, &format!("{at}:{GROUP}/{name} {function}"))?;
        Ok(Self { root, name })
    }

    /// As the kernel has it.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        let command = format!("-:{GROUP}/{}", self.name);
        for _ in 0..RELEASE_TRIES {
            match write(&self.root, &command) {
                Err(error) if error.kind() == io::ErrorKind::ResourceBusy => std::thread::sleep(RELEASE_WAIT),
                Err(error) => return tracing::debug!(%error, name = self.name, "cannot remove a probe"),
                Ok(()) => return,
            }
        }
        tracing::debug!(name = self.name, "a probe is still in use");
    }
}

/// Those of other processes that live are in use, which the kernel refuses.
pub(super) fn remove_all(root: &OwnedFd) -> io::Result<()> {
    for name in names(&read(root, DEFINITIONS, LIST_SIZE_MAX)?) {
        match write(root, &format!("-:{GROUP}/{name}")) {
            Ok(()) => tracing::debug!(name, "removed a probe that was left behind"),
            Err(error) => tracing::debug!(%error, name, "cannot remove a probe"),
        }
    }
    Ok(())
}

/// Our names in lines such as `r512:cws/exit_vfs_mkdir_0123abcd vfs_mkdir`.
fn names(definitions: &str) -> impl Iterator<Item = &str> {
    definitions.lines().filter_map(|line| {
        let (_, rest) = line.split_once(':')?;
        let (group, rest) = rest.split_once('/')?;
        (group == GROUP).then(|| rest.split_whitespace().next())?
    })
}

pub(super) fn misses(root: &OwnedFd) -> io::Result<Vec<(String, u64)>> {
    let text = read(root, COUNTERS, LIST_SIZE_MAX)?;
    Ok(counters(&text).map(|(name, count)| (name.to_owned(), count)).collect())
}

/// This process' in lines of a name, the number of hits, and that of misses.
fn counters(text: &str) -> impl Iterator<Item = (&str, u64)> {
    text.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        let name = words.next().filter(|name| name.ends_with(SUFFIX.as_str()))?;
        Some((name, words.nth(1)?.parse().ok()?))
    })
}

fn write(root: &OwnedFd, command: &str) -> io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::CLOEXEC;
    let file = rustix::fs::openat(root, DEFINITIONS, flags, Mode::empty()).map_err(|error| {
        let error = io::Error::from(error);
        io::Error::new(error.kind(), format!("tracefs has no file {DEFINITIONS} to write to: {error}"))
    })?;
    // A command is one write.
    rustix::io::write(&file, command.as_bytes())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_our_group() {
        let text = "p:kprobes/myprobe do_sys_open\nr512:cws/exit_vfs_mkdir_0123abcd vfs_mkdir\np:cws/x_1 f+0\nbad\np:cws\n";
        assert_eq!(names(text).collect::<Vec<_>>(), ["exit_vfs_mkdir_0123abcd", "x_1"]);
    }

    #[test]
    fn counters_are_those_of_this_process() {
        let ours = format!("exit_vfs_mkdir_{}", *SUFFIX);
        let text = format!("  {ours:<44} {:>15} {:>15}\n  other_00000000z 5 6\n  {ours}\n", 12, 3);
        assert_eq!(counters(&text).collect::<Vec<_>>(), [(ours.as_str(), 3)]);
    }
}
