//! Tracepoints by perf event, without depending on where tracefs is mounted.
//!
//! libbpf wants the number of a tracepoint from /sys/kernel/tracing or /sys/kernel/debug/tracing, and hardened
//! hosts and containers have neither. Here it is read from whatever instance there is: a mounted one, or one that is
//! mounted for this process alone (`unseen.rs`) and goes away with it.

mod event;
mod probe;
mod unseen;

use std::fs::File;
use std::io;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::fs::StatVfsMountFlags;

pub(crate) use self::event::Event;
pub(crate) use self::probe::Probe;
pub(crate) use self::probe::ProbePlace;

/// Where distributions mount it.
const MOUNT_POINTS: [&str; 2] = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];
/// What helps where nothing else did.
const ADVICE: &str = "mount -t tracefs tracefs /sys/kernel/tracing";
/// `TRACEFS_MAGIC`, linux/magic.h.
const TRACEFS_MAGIC: u64 = 0x7472_6163;
/// Bytes of a tracepoint's number.
const ID_SIZE_MAX: u64 = 32;

/// A way to mount tracefs, and what it is called.
type Mount = (&'static str, fn() -> io::Result<OwnedFd>);
/// Best first: what leaves nothing behind even if this process is killed meanwhile. All give a descriptor alone.
const MOUNTS: [Mount; 3] = [
    ("a mount of its own", unseen::without_a_place),
    ("a mount of its own, made in a namespace", unseen::in_a_namespace_of_its_own),
    ("a mount of its own, made for a moment", unseen::for_a_moment),
];

/// An instance of tracefs.
#[derive(Clone, Debug)]
pub(crate) struct Tracefs {
    root: Arc<OwnedFd>,
    place: &'static str,
}

impl Tracefs {
    /// A mounted instance, or a private one. One that is mounted read-only, as in containers, shows tracepoints but makes no
    /// probes: the last resort.
    ///
    /// # Errors
    ///
    /// Those of all private mounts, and what to do.
    pub(crate) fn open() -> io::Result<Self> {
        if let Some(writable) = Self::mounted(false) {
            return Ok(writable);
        }
        Self::private(&MOUNTS).or_else(|error| Self::mounted(true).ok_or(error))
    }

    fn mounted(read_only: bool) -> Option<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        MOUNT_POINTS.into_iter().find_map(|place| {
            let root = rustix::fs::open(place, flags, Mode::empty()).ok()?;
            let fs = rustix::fs::fstatfs(&root).ok()?;
            let mount = rustix::fs::fstatvfs(&root).ok()?;
            let is_usable = read_only || !mount.f_flag.contains(StatVfsMountFlags::RDONLY);
            (is_usable && u64::try_from(fs.f_type) == Ok(TRACEFS_MAGIC))
                .then(|| Self { root: Arc::new(root), place })
        })
    }

    fn private(mounts: &[Mount]) -> io::Result<Self> {
        let mut reasons = Vec::new();
        for (place, mount) in mounts {
            match mount() {
                Ok(root) => return Ok(Self { root: Arc::new(root), place }),
                Err(error) => reasons.push(format!("{place}: {error}")),
            }
        }
        Err(io::Error::other(format!("not mounted ({ADVICE}); {}", reasons.join("; "))))
    }

    /// Where it is.
    pub(crate) fn place(&self) -> &'static str {
        self.place
    }

    /// A perf event for a tracepoint of the system call group, to attach a program to.
    ///
    /// # Errors
    ///
    /// Not found: this kernel has no such tracepoint.
    pub(crate) fn syscall_event(&self, tracepoint: &str) -> io::Result<Event> {
        Event::open(self.id("syscalls", tracepoint)?)
    }

    /// A perf event for the first of these tracepoints (`GROUP/NAME`) that the kernel has.
    ///
    /// # Errors
    ///
    /// Not found: it has none of them.
    pub(crate) fn event(&self, tracepoints: &[&str]) -> io::Result<Event> {
        let id = tracepoints
            .iter()
            .filter_map(|tracepoint| tracepoint.split_once('/'))
            .map(|(group, name)| self.id(group, name))
            .find(|id| !matches!(id, Err(error) if error.kind() == io::ErrorKind::NotFound));
        Event::open(id.unwrap_or_else(|| Err(io::ErrorKind::NotFound.into()))?)
    }

    /// A new probe at a function, and a perf event for it.
    ///
    /// # Errors
    ///
    /// Not found: this kernel has no such function, or no probes.
    pub(crate) fn probe(&self, place: &ProbePlace<'_>) -> io::Result<(Probe, Event)> {
        let probe = Probe::define(Arc::clone(&self.root), place)?;
        let event = Event::open(self.id(probe::GROUP, probe.name())?)?;
        Ok((probe, event))
    }

    /// Removes the probes that processes have left behind which did not come to an orderly end.
    ///
    /// # Errors
    ///
    /// Not found: this kernel has no probes.
    pub(crate) fn remove_probes_left_behind(&self) -> io::Result<()> {
        probe::remove_all(&self.root)
    }

    /// Of the probes at the returns of functions, the number of returns that they have missed.
    ///
    /// # Errors
    ///
    /// Those of reading the list.
    pub(crate) fn missed_returns(&self) -> io::Result<Vec<(String, u64)>> {
        probe::misses(&self.root)
    }

    fn id(&self, group: &str, name: &str) -> io::Result<u64> {
        let text = read(&self.root, &format!("events/{group}/{name}/id"), ID_SIZE_MAX)?;
        text.trim().parse().map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }
}

fn read(root: &OwnedFd, path: &str, size_max: u64) -> io::Result<String> {
    let file = rustix::fs::openat(root, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let mut text = String::new();
    File::from(file).take(size_max).read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each way by itself, as kernels and sandboxes have them that refuse the ones before.
    #[test]
    fn tracepoints_are_found_without_a_visible_mount() {
        if !rustix::process::geteuid().is_root() {
            return println!("skipped: tracefs needs root");
        }
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
        let mut found: Vec<_> = Tracefs::mounted(true).into_iter().collect();
        for mount in MOUNTS {
            match Tracefs::private(&[mount]) {
                Ok(tracefs) => found.push(tracefs),
                Err(error) => println!("skipped: {error}"),
            }
        }
        for tracefs in found {
            println!("{}", tracefs.place());
            tracefs.syscall_event("sys_enter_setuid").unwrap();
            let missing = tracefs.syscall_event("sys_enter_no_such_call").unwrap_err();
            assert_eq!(missing.kind(), io::ErrorKind::NotFound);
            tracefs.event(&["tcp/no_such_tracepoint", "sched/sched_process_exec"]).unwrap();
            let missing = tracefs.event(&["sched/no_such_tracepoint"]).unwrap_err();
            assert_eq!(missing.kind(), io::ErrorKind::NotFound);
        }
        assert_eq!(
            std::fs::read_to_string("/proc/self/mountinfo").unwrap(),
            mounts,
            "a mount was left behind"
        );
        let left = format!(".system-probe-tracefs-{}", std::process::id());
        for parent in ["/run", "/dev/shm", "/tmp", "/"] {
            assert!(!std::path::Path::new(parent).join(&left).exists(), "{parent}/{left} was left behind");
        }
    }

    #[test]
    fn the_next_way_is_taken_and_without_any_it_is_said_what_to_do() {
        let refused: Mount = ("first", || Err(io::ErrorKind::Unsupported.into()));
        let works: Mount =
            ("second", || Ok(rustix::fs::open("/", OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?));
        assert_eq!(Tracefs::private(&[refused, works]).unwrap().place(), "second");
        let error = Tracefs::private(&[refused]).unwrap_err().to_string();
        assert!(error.contains(ADVICE) && error.contains("first: "), "{error}");
    }
}
