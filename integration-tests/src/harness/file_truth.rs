//! What a file really is, as the kernel tells everybody who asks, in the form of a report.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use rustix::fs::{AtFlags, CWD, StatxFlags, statx};
use serde_json::{Map, Value, json};

use super::call::shown;
use super::times::rfc3339;
use super::truth::name_of;

/// A file at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileTruth {
    /// Inode number.
    pub inode: u64,
    /// Type and permissions.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Last change of the content, nanoseconds since 1970.
    pub modification_time: u64,
    /// Last change of the inode, nanoseconds since 1970.
    pub change_time: u64,
    /// Mount, as in `/proc/self/mountinfo`.
    pub mount_id: u64,
    /// Type of the file system.
    pub filesystem: String,
    /// Bytes.
    pub size: u64,
}

impl FileTruth {
    /// Asks for `path`, in the mount namespace of the test; a link is not followed.
    ///
    /// # Errors
    /// If there is no such file.
    pub fn of(path: &Path) -> Result<Self> {
        let flags = StatxFlags::BASIC_STATS | StatxFlags::MNT_ID;
        let stat =
            statx(CWD, path, AtFlags::SYMLINK_NOFOLLOW, flags).with_context(|| path.display().to_string())?;
        let time =
            |seconds: i64, nanoseconds: u32| seconds.cast_unsigned() * 1_000_000_000 + u64::from(nanoseconds);
        Ok(Self {
            inode: stat.stx_ino,
            mode: stat.stx_mode.into(),
            uid: stat.stx_uid,
            gid: stat.stx_gid,
            modification_time: time(stat.stx_mtime.tv_sec, stat.stx_mtime.tv_nsec),
            change_time: time(stat.stx_ctime.tv_sec, stat.stx_ctime.tv_nsec),
            mount_id: stat.stx_mnt_id,
            filesystem: filesystem(stat.stx_mnt_id)?,
            size: stat.stx_size,
        })
    }

    /// Reads a `struct statx` that another process was given.
    ///
    /// # Errors
    /// If it is shorter than that.
    pub fn of_buffer(statx: &[u8], filesystem: &str) -> Result<Self> {
        fn at<const N: usize>(bytes: &[u8], offset: usize) -> Result<[u8; N]> {
            bytes.get(offset..offset + N).and_then(|bytes| bytes.try_into().ok()).context("a short statx")
        }
        // Offsets of include/uapi/linux/stat.h.
        let u32_at = |offset| at(statx, offset).map(u32::from_ne_bytes);
        let u64_at = |offset| at(statx, offset).map(u64::from_ne_bytes);
        let time = |offset: usize| -> Result<u64> {
            Ok(u64_at(offset)? * 1_000_000_000 + u64::from(u32_at(offset + 8)?))
        };
        Ok(Self {
            inode: u64_at(32)?,
            mode: u16::from_ne_bytes(at(statx, 28)?).into(),
            uid: u32_at(20)?,
            gid: u32_at(24)?,
            modification_time: time(112)?,
            change_time: time(96)?,
            mount_id: u64_at(144)?,
            filesystem: filesystem.to_owned(),
            size: u64_at(40)?,
        })
    }

    /// The `file` of a report about it under `path`, with every member that is not about a path that failed: what is
    /// not in here must not be in the report.
    #[must_use]
    pub fn file(&self, path: &Path) -> Map<String, Value> {
        let mut file = self.attributes();
        let name = path.file_name().map(shown).unwrap_or_default();
        if let Some(dot) = name.rfind('.') {
            file.insert("extension".into(), name[dot..].into());
        }
        if !name.is_empty() {
            file.insert("name".into(), name.into());
        }
        file.insert("path".into(), shown(path).into());
        file
    }

    /// All of that but path and name.
    #[must_use]
    pub fn attributes(&self) -> Map<String, Value> {
        let mut file = Map::new();
        let mut put = |name: &str, value: Value| {
            if !value.is_null() {
                file.insert(name.to_owned(), value);
            }
        };
        put("inode", json!(self.inode));
        put("mode", json!(self.mode));
        put("uid", json!(self.uid));
        put("gid", json!(self.gid));
        put("user", json!(name_of("/etc/passwd", self.uid)));
        put("group", json!(name_of("/etc/group", self.gid)));
        put("modification_time", json!(rfc3339(self.modification_time)));
        put("change_time", json!(rfc3339(self.change_time)));
        put("mount_id", json!(self.mount_id));
        put("mount_visible", json!(true));
        put("filesystem", json!(self.filesystem));
        file
    }
}

/// The type of the file system of a mount of this process.
fn filesystem(mount_id: u64) -> Result<String> {
    let mounts = fs::read_to_string("/proc/self/mountinfo")?;
    let of = |line: &str| {
        let (mount, filesystem) = line.split_once(" - ")?;
        let found = mount.split(' ').next()? == mount_id.to_string();
        found.then(|| filesystem.split(' ').next().map(str::to_owned)).flatten()
    };
    mounts.lines().find_map(of).with_context(|| format!("no mount {mount_id}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_of_asking_say_the_same() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let truth = FileTruth::of(file.path()).unwrap();
        let mut statx = vec![0_u8; 256];
        statx[20..24].copy_from_slice(&truth.uid.to_ne_bytes());
        statx[28..30].copy_from_slice(&u16::try_from(truth.mode).unwrap().to_ne_bytes());
        statx[32..40].copy_from_slice(&truth.inode.to_ne_bytes());
        statx[144..152].copy_from_slice(&truth.mount_id.to_ne_bytes());
        let read = FileTruth::of_buffer(&statx, &truth.filesystem).unwrap();
        assert_eq!((read.inode, read.mode, read.uid), (truth.inode, truth.mode, truth.uid));
        assert_eq!((read.mount_id, read.filesystem), (truth.mount_id, truth.filesystem));
        assert!(FileTruth::of_buffer(&statx[..100], "").is_err());
    }
}
