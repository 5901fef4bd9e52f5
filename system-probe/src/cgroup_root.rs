//! The root of the control groups, version 2.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::path::PathBuf;

/// Opens its directory.
///
/// # Errors
///
/// If it is mounted nowhere, or only a part of it is.
pub(crate) fn open(proc: &Path) -> io::Result<OwnedFd> {
    let mounts = std::fs::read_to_string(proc.join("self/mountinfo"))?;
    let path = find(&mounts)
        .ok_or_else(|| io::Error::new(io::ErrorKind::Unsupported, "no cgroup2 file system is mounted"))?;
    Ok(File::open(path)?.into())
}

/// Lines of `ID PARENT MAJOR:MINOR ROOT MOUNTPOINT OPTIONS [FIELD...] - TYPE SOURCE OPTIONS`.
fn find(mounts: &str) -> Option<PathBuf> {
    let mut roots = mounts.lines().filter_map(|line| {
        let (mount, filesystem) = line.split_once(" - ")?;
        let mut mount = mount.split(' ').skip(3);
        let (root, place) = (mount.next()?, mount.next()?);
        (filesystem.split(' ').next() == Some("cgroup2") && root == "/")
            .then(|| PathBuf::from(unescape(place)))
    });
    // What is mounted last at a place is what shows there.
    roots.next_back()
}

/// Blanks stand as three octal digits.
fn unescape(place: &str) -> String {
    place.replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\")
}

#[cfg(test)]
mod tests {
    use super::*;

    const HYBRID: &str = "\
23 28 0:21 / /sys/fs/cgroup/cpu rw,relatime shared:9 - cgroup cgroup rw,cpu
24 28 0:22 / /sys/fs/cgroup/uni\\040fied rw,relatime - cgroup2 cgroup2 rw
25 28 0:22 /part /mnt rw - cgroup2 cgroup2 rw
";

    #[test]
    fn the_whole_hierarchy_is_found_wherever_it_is() {
        assert_eq!(find(HYBRID), Some(PathBuf::from("/sys/fs/cgroup/uni fied")));
        assert_eq!(find("23 28 0:21 / /x rw - cgroup c rw\nnonsense\n\n"), None);
    }
}
