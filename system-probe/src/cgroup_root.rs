//! The root of the control groups of version 2, where programs are attached that see the packets of all sockets.
//!
//! That hierarchy is there even where nobody has mounted it, so it is then mounted for this process alone, at no path.

use std::io;
use std::os::fd::AsFd as _;
use std::os::fd::BorrowedFd;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::mount::FsMountFlags;
use rustix::mount::FsOpenFlags;
use rustix::mount::MountAttrFlags;

/// A descriptor of it.
#[derive(Debug)]
pub(crate) struct CgroupRoot {
    descriptor: OwnedFd,
    place: String,
}

impl CgroupRoot {
    /// Opens it.
    ///
    /// # Errors
    ///
    /// If it is not mounted and cannot be.
    pub(crate) fn open() -> io::Result<Self> {
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        for place in places(&mounts) {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            if let Ok(descriptor) = rustix::fs::open(Path::new(&place), flags, Mode::empty()) {
                return Ok(Self { descriptor, place });
            }
        }
        let context = rustix::mount::fsopen("cgroup2", FsOpenFlags::FSOPEN_CLOEXEC)?;
        rustix::mount::fsconfig_create(context.as_fd())?;
        let descriptor = rustix::mount::fsmount(
            context.as_fd(),
            FsMountFlags::FSMOUNT_CLOEXEC,
            MountAttrFlags::MOUNT_ATTR_RDONLY,
        )?;
        Ok(Self { descriptor, place: "a private mount".to_owned() })
    }

    /// To attach to.
    pub(crate) fn descriptor(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }

    /// Where it was found.
    pub(crate) fn place(&self) -> &str {
        &self.place
    }
}

/// Mount points that show the hierarchy from its root on.
fn places(mountinfo: &str) -> impl Iterator<Item = String> + '_ {
    mountinfo.lines().filter_map(|line| {
        let (mount, file_system) = line.split_once(" - ")?;
        let mut fields = mount.split(' ').skip(3);
        let (root, place) = (fields.next()?, fields.next()?);
        // Spaces are written in octal.
        let is_it = file_system.split(' ').next() == Some("cgroup2") && root == "/" && !place.contains('\\');
        is_it.then(|| place.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_hierarchies_of_version_2_count() {
        let mounts = "30 23 0:26 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n\
            31 30 0:27 / /sys/fs/cgroup/unified rw,nosuid shared:9 - cgroup2 cgroup2 rw\n\
            32 30 0:28 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n\
            33 30 0:27 /system.slice /mnt rw - cgroup2 cgroup2 rw\n\
            34 30 0:27 / /with\\040space rw - cgroup2 cgroup2 rw\n\
            broken";
        assert_eq!(places(mounts).collect::<Vec<_>>(), ["/sys/fs/cgroup/unified"]);
    }

    #[test]
    fn it_is_found_or_mounted() {
        if !rustix::process::geteuid().is_root() {
            return println!("skipped: needs root");
        }
        let root = CgroupRoot::open().unwrap();
        let file = rustix::fs::openat(root.descriptor(), "cgroup.controllers", OFlags::RDONLY, Mode::empty());
        assert!(file.is_ok(), "{} has control groups of version 2", root.place());
    }
}
