//! Mounts of tracefs that nobody else comes to see, and that go away with their last descriptor.

use std::io;
use std::os::fd::AsFd as _;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::AtFlags;
use rustix::fs::CWD;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::mount::FsMountFlags;
use rustix::mount::FsOpenFlags;
use rustix::mount::MountAttrFlags;
use rustix::mount::MountFlags;
use rustix::mount::MountPropagationFlags;
use rustix::mount::UnmountFlags;
use rustix::thread::UnshareFlags;

/// What may be covered where nobody else sees it: the first is there on every kernel that has tracefs and sysfs.
const COVERED: [&str; 2] = ["/sys/kernel/tracing", "/proc"];
/// Where a directory may be made for a moment. Units and containers leave one of them writable.
const PARENTS: [&str; 5] = ["/run", "/dev/shm", "/tmp", "/opt/datadog-agent/run", "/"];
/// Not read-only: before Linux 5.2 flags of a mount are those of the file system, of which there is one for everybody.
const FLAGS: MountFlags = MountFlags::NOSUID.union(MountFlags::NODEV).union(MountFlags::NOEXEC);

/// One that never has a place (Linux 5.2).
pub(super) fn without_a_place() -> io::Result<OwnedFd> {
    let context = rustix::mount::fsopen("tracefs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    rustix::mount::fsconfig_create(context.as_fd())?;
    let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NODEV
        | MountAttrFlags::MOUNT_ATTR_NOEXEC
        | MountAttrFlags::MOUNT_ATTR_RDONLY;
    Ok(rustix::mount::fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes)?)
}

/// One in a mount namespace that lasts as long as a thread does: only the descriptor is left of it.
pub(super) fn in_a_namespace_of_its_own() -> io::Result<OwnedFd> {
    let thread = std::thread::Builder::new().name("tracefs".to_owned()).spawn(|| {
        // SAFETY: what this thread no longer shares (namespace, root, working directory) none of its code depends on,
        // and descriptors stay common to all.
        unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWNS) }?;
        // Or others would see what is mounted. This fails where the root is no mount point, and then nothing is mounted.
        let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
        rustix::mount::mount_change("/", private)?;
        let mut refused = io::Error::from(io::ErrorKind::NotFound);
        for place in COVERED.map(Path::new) {
            match mount(place) {
                Ok(()) => return open(place),
                Err(error) => refused = error,
            }
        }
        Err(refused)
    })?;
    thread.join().map_err(|_| io::Error::other("its thread ended early"))?
}

/// One on a directory that is made for it, both of which last until a descriptor is open.
pub(super) fn for_a_moment() -> io::Result<OwnedFd> {
    let mut refused = io::Error::from(io::ErrorKind::NotFound);
    for parent in PARENTS {
        let place = Path::new(parent).join(format!(".system-probe-tracefs-{}", std::process::id()));
        // It fails for a name that somebody else has taken, a link included.
        if let Err(error) = rustix::fs::mkdirat(CWD, &place, Mode::RWXU) {
            refused = error.into();
            continue;
        }
        let opened = mount(&place).and_then(|()| {
            let opened = open(&place);
            let flags = UnmountFlags::DETACH | UnmountFlags::NOFOLLOW;
            rustix::mount::unmount(&place, flags).map_err(io::Error::from).and(opened)
        });
        if let Err(error) = rustix::fs::unlinkat(CWD, &place, AtFlags::REMOVEDIR) {
            tracing::warn!(place = %place.display(), %error, "left behind");
        }
        return opened;
    }
    Err(refused)
}

fn mount(place: &Path) -> io::Result<()> {
    Ok(rustix::mount::mount("tracefs", place, "tracefs", FLAGS, None)?)
}

fn open(place: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(rustix::fs::open(place, flags, Mode::empty())?)
}
