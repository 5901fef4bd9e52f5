//! Tracepoints by perf event, without depending on where tracefs is mounted.
//!
//! libbpf wants the number of a tracepoint from /sys/kernel/tracing or /sys/kernel/debug/tracing, and hardened
//! hosts and containers have neither. Here it is read from whatever instance there is: a mounted one, or one that is
//! mounted for this process alone (fsopen, Linux 5.2), which no other process sees and which goes away with it.

use std::fs::File;
use std::io;
use std::io::Read;
use std::os::fd::AsFd;
use std::os::fd::FromRawFd;
use std::os::fd::OwnedFd;

use libbpf_rs::libbpf_sys::PERF_TYPE_TRACEPOINT;
use libbpf_rs::libbpf_sys::perf_event_attr;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::mount::FsMountFlags;
use rustix::mount::FsOpenFlags;
use rustix::mount::MountAttrFlags;

/// Where distributions mount it.
const MOUNT_POINTS: [&str; 2] = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];
/// `TRACEFS_MAGIC`, linux/magic.h.
const TRACEFS_MAGIC: u64 = 0x7472_6163;
/// `PERF_FLAG_FD_CLOEXEC`, linux/perf_event.h.
const PERF_FLAG_FD_CLOEXEC: libc::c_ulong = 8;
/// Bytes of a tracepoint's number.
const ID_SIZE_MAX: u64 = 32;

/// An instance of tracefs.
#[derive(Debug)]
pub(crate) struct Tracefs {
    root: OwnedFd,
    place: &'static str,
}

impl Tracefs {
    /// A mounted instance, or a private one.
    ///
    /// # Errors
    ///
    /// That of the private mount.
    pub(crate) fn open() -> io::Result<Self> {
        Self::mounted().map_or_else(Self::private, Ok)
    }

    fn mounted() -> Option<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        MOUNT_POINTS.into_iter().find_map(|place| {
            let root = rustix::fs::open(place, flags, Mode::empty()).ok()?;
            let fs = rustix::fs::fstatfs(&root).ok()?;
            (u64::try_from(fs.f_type) == Ok(TRACEFS_MAGIC)).then_some(Self { root, place })
        })
    }

    fn private() -> io::Result<Self> {
        let context = rustix::mount::fsopen("tracefs", FsOpenFlags::FSOPEN_CLOEXEC)?;
        rustix::mount::fsconfig_create(context.as_fd())?;
        let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID
            | MountAttrFlags::MOUNT_ATTR_NODEV
            | MountAttrFlags::MOUNT_ATTR_NOEXEC
            | MountAttrFlags::MOUNT_ATTR_RDONLY;
        let root = rustix::mount::fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes)?;
        Ok(Self { root, place: "a mount of its own" })
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
    pub(crate) fn syscall_event(&self, tracepoint: &str) -> io::Result<OwnedFd> {
        open_tracepoint(self.id("syscalls", tracepoint)?)
    }

    fn id(&self, group: &str, name: &str) -> io::Result<u64> {
        let path = format!("events/{group}/{name}/id");
        let file = rustix::fs::openat(&self.root, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        let mut text = String::new();
        File::from(file).take(ID_SIZE_MAX).read_to_string(&mut text)?;
        text.trim().parse().map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }
}

fn open_tracepoint(id: u64) -> io::Result<OwnedFd> {
    let attributes = perf_event_attr {
        type_: PERF_TYPE_TRACEPOINT,
        size: u32::try_from(size_of::<perf_event_attr>()).map_err(io::Error::other)?,
        config: id,
        ..Default::default()
    };
    // All processes; a program on a tracepoint runs on every CPU, whichever the event was opened for.
    let (pid, cpu, group) = (-1, 0, -1);
    // SAFETY: the kernel reads `size` bytes of the attributes, which live until the call returns.
    let fd = unsafe {
        libc::syscall(libc::SYS_perf_event_open, &raw const attributes, pid, cpu, group, PERF_FLAG_FD_CLOEXEC)
    };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    let fd = i32::try_from(fd).map_err(io::Error::other)?;
    // SAFETY: the call has just made this descriptor, and nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tracepoints_are_found_without_a_visible_mount() {
        if !rustix::process::geteuid().is_root() {
            return println!("skipped: tracefs needs root");
        }
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
        let private = match Tracefs::private() {
            Ok(tracefs) => tracefs,
            Err(error) => return println!("skipped: no tracefs here: {error}"),
        };
        for tracefs in [Some(private), Tracefs::mounted()].into_iter().flatten() {
            tracefs.syscall_event("sys_enter_setuid").unwrap();
            let missing = tracefs.syscall_event("sys_enter_no_such_call").unwrap_err();
            assert_eq!(missing.kind(), io::ErrorKind::NotFound);
        }
        assert_eq!(
            std::fs::read_to_string("/proc/self/mountinfo").unwrap(),
            mounts,
            "a mount was left behind"
        );
    }
}
