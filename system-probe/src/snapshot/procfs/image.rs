//! The program file of a process.

use std::collections::HashMap;
use std::io;
use std::os::fd::AsRawFd;
use std::os::fd::OwnedFd;

use proto::wire::RecordBuilder;
use proto::wire::layout;
use proto::wire::layout::file_info;

use super::process::ProcessDir;

const DELETED: &[u8] = b" (deleted)";
const MEMFD: &[u8] = b"/memfd:";

/// Bytes of `/proc/PID/mountinfo` that are read: some ten thousand mounts.
const MOUNTINFO_SIZE_MAX: usize = 4 << 20;
/// Mount namespaces that are remembered in one snapshot.
const NAMESPACES_MAX: usize = 1024;

/// File system types by mount id, for each mount namespace that was met.
#[derive(Debug, Default)]
pub(super) struct Mounts(HashMap<u32, HashMap<u32, Vec<u8>>>);

impl Mounts {
    /// Type name of the file system of a mount, NUL-padded; empty if unknown.
    fn filesystem(&mut self, process: &ProcessDir, id: u32) -> [u8; layout::FILESYSTEM_NAME_SIZE as usize] {
        let namespace = process.namespace("mnt");
        if self.0.len() >= NAMESPACES_MAX && !self.0.contains_key(&namespace) {
            self.0.clear();
        }
        let mounts = self.0.entry(namespace).or_insert_with(|| {
            let file = process.read("mountinfo", MOUNTINFO_SIZE_MAX);
            file.map(|file| parse_mountinfo(&file.bytes)).unwrap_or_default()
        });
        let mut name = [0; layout::FILESYSTEM_NAME_SIZE as usize];
        if let Some(found) = mounts.get(&id) {
            let length = found.len().min(name.len() - 1);
            name[..length].copy_from_slice(&found[..length]);
        }
        name
    }
}

/// Lines of `ID PARENT MAJOR:MINOR ROOT POINT OPTIONS [TAG…] - TYPE SOURCE SUPER_OPTIONS`.
fn parse_mountinfo(file: &[u8]) -> HashMap<u32, Vec<u8>> {
    file.split(|byte| *byte == b'\n')
        .filter_map(|line| {
            let mut fields = line.split(|byte| *byte == b' ');
            let id = std::str::from_utf8(fields.next()?).ok()?.parse().ok()?;
            fields.find(|field| *field == b"-")?;
            Some((id, fields.next()?.to_vec()))
        })
        .collect()
}

/// Describes the program file; its path goes to the record's tail.
pub(super) fn read(
    process: &ProcessDir,
    mounts: &mut Mounts,
    builder: &mut RecordBuilder,
) -> io::Result<file_info> {
    let link = process.link("exe")?;
    let file = process.open_path("exe")?;
    let stat = rustix::fs::fstat(&file)?;
    let mount_id = mount_id(&file).unwrap_or_default();
    let (path, mut flags) = classify(&link, stat.st_nlink == 0);
    if path.len() > layout::PATH_SIZE_MAX as usize {
        flags |= layout::FILE_FLAG_PATH_TRUNCATED;
    }
    let path = &path[path.len().saturating_sub(layout::PATH_SIZE_MAX as usize)..];
    let filesystem = mounts.filesystem(process, mount_id);
    if filesystem.starts_with(b"overlay\0") {
        flags |= layout::FILE_FLAG_OVERLAY;
    }
    Ok(file_info {
        inode: stat.st_ino,
        size: u64::try_from(stat.st_size).unwrap_or_default(),
        change_time_ns: time_ns(stat.st_ctime, stat.st_ctime_nsec),
        modification_time_ns: time_ns(stat.st_mtime, stat.st_mtime_nsec),
        mount_id,
        mode: stat.st_mode,
        uid: stat.st_uid,
        gid: stat.st_gid,
        links: u32::try_from(stat.st_nlink).unwrap_or(u32::MAX),
        flags: flags | layout::FILE_FLAG_VALID,
        device: kernel_device(stat.st_dev),
        path: builder.push(path),
        filesystem,
        ..Default::default()
    })
}

/// The path without what the kernel appends to it, and the flags that this says.
fn classify(link: &[u8], no_links: bool) -> (&[u8], u32) {
    let mut flags = 0;
    let mut path = link;
    // A file may really be named so; then it has links.
    if no_links && let Some(stripped) = link.strip_suffix(DELETED) {
        path = stripped;
        flags |= layout::FILE_FLAG_DELETED;
    }
    if no_links && path.starts_with(MEMFD) {
        flags |= layout::FILE_FLAG_MEMFD;
        // It hangs under no directory: the records of the kernel have the bare name.
        path = &path[1..];
    }
    (path, flags)
}

/// Mount id of an open file, as in mountinfo.
fn mount_id(file: &OwnedFd) -> Option<u32> {
    let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", file.as_raw_fd())).ok()?;
    info.lines().find_map(|line| line.strip_prefix("mnt_id:"))?.trim().parse().ok()
}

fn time_ns(seconds: i64, nanoseconds: impl TryInto<u64>) -> u64 {
    let seconds = u64::try_from(seconds).unwrap_or_default();
    seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds.try_into().unwrap_or_default())
}

/// `MKDEV` of linux/kdev_t.h: what records hold.
fn kernel_device(device: u64) -> u32 {
    (rustix::fs::major(device) << 20) | (rustix::fs::minor(device) & 0xf_ffff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_appends_is_no_part_of_the_path() {
        assert_eq!(classify(b"/bin/x (deleted)", true), (&b"/bin/x"[..], layout::FILE_FLAG_DELETED));
        assert_eq!(classify(b"/bin/x (deleted)", false), (&b"/bin/x (deleted)"[..], 0));
        let memfd = layout::FILE_FLAG_DELETED | layout::FILE_FLAG_MEMFD;
        assert_eq!(classify(b"/memfd:payload (deleted)", true), (&b"memfd:payload"[..], memfd));
        assert_eq!(classify(b"/memfd:x", false), (&b"/memfd:x"[..], 0));
    }

    #[test]
    fn mountinfo_gives_the_types() {
        let file = b"36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw\n\
            40 35 0:40 / /a\\040b rw - overlay overlay rw,lowerdir=/x - y\nbroken\n";
        let mounts = parse_mountinfo(file);
        assert_eq!(mounts.len(), 2);
        assert_eq!(mounts[&36], b"ext3");
        assert_eq!(mounts[&40], b"overlay");
    }
}
