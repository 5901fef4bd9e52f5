//! Comparing what a record says of a file with what stat says.

use std::mem::MaybeUninit;
use std::path::Path;

use proto::wire::Record;
use proto::wire::layout::*;

use crate::calls::at_functions;
use crate::calls::c;
use crate::records::Seen;

/// What stat says of a file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Truth(pub(crate) libc::statx);

/// Looks at `path`, not following a link.
pub(crate) fn stat(path: impl AsRef<Path>) -> Truth {
    let path = c(path);
    let mut buffer = MaybeUninit::<libc::statx>::zeroed();
    // SAFETY: `path` is a C string and `buffer` has room for the result.
    let result = unsafe {
        libc::statx(
            libc::AT_FDCWD,
            path.as_ptr(),
            libc::AT_SYMLINK_NOFOLLOW | libc::AT_NO_AUTOMOUNT,
            libc::STATX_BASIC_STATS | libc::STATX_MNT_ID,
            buffer.as_mut_ptr(),
        )
    };
    assert_eq!(result, 0, "{path:?}: {}", std::io::Error::last_os_error());
    // SAFETY: zeroed memory is a valid statx, and the call has filled it.
    Truth(unsafe { buffer.assume_init() })
}

fn nanoseconds(time: libc::statx_timestamp) -> u64 {
    time.tv_sec as u64 * 1_000_000_000 + u64::from(time.tv_nsec)
}

impl Truth {
    /// Fails unless `info` says the same of identity, attributes and times.
    pub(crate) fn assert_is(&self, info: &file_info) {
        let stat = &self.0;
        assert_eq!(info.inode, stat.stx_ino, "inode");
        assert_eq!(info.size, stat.stx_size, "size");
        assert_eq!(info.mode, u32::from(stat.stx_mode), "mode");
        assert_eq!((info.uid, info.gid), (stat.stx_uid, stat.stx_gid), "owner");
        assert_eq!(info.links, stat.stx_nlink, "links");
        assert_eq!(info.change_time_ns, nanoseconds(stat.stx_ctime), "change time");
        assert_eq!(info.modification_time_ns, nanoseconds(stat.stx_mtime), "modification time");
        assert_eq!(info.mount_id, stat.stx_mnt_id as u32, "mount id");
        assert_eq!(
            (info.device >> 20, info.device & 0xf_ffff),
            (stat.stx_dev_major, stat.stx_dev_minor),
            "device"
        );
        assert_ne!(info.flags & FILE_FLAG_VALID, 0);
        assert_eq!(info.flags & FILE_FLAG_NO_INODE, 0);
    }
}

/// Text of a span.
pub(crate) fn text(record: &Record<'_>, span: span) -> String {
    String::from_utf8_lossy(record.span(span)).into_owned()
}

/// Flags of a file that no hook sees, found by looking up a string.
pub(crate) const LOOKED_UP: u32 = FILE_FLAG_VALID | FILE_FLAG_LOOKED_UP;

/// Flags of the file of a call that names it by a string: programs inside the kernel see the object itself.
pub(crate) fn named() -> u32 {
    if at_functions() { FILE_FLAG_VALID } else { LOOKED_UP }
}

/// Flags of a file on overlayfs in its upper layer, 0 elsewhere: where the tests' directory lives.
pub(crate) fn without_overlay(flags: u32) -> u32 {
    flags & !(FILE_FLAG_OVERLAY | FILE_FLAG_UPPER_LAYER)
}

/// Fails unless the part common to all file events is as given.
pub(crate) fn assert_call(seen: &Seen, call: &file_call, retval: i64, flags: u32, dirfd: i32, path: &str) {
    let record = seen.record();
    assert_eq!(record.header().errors, 0, "errors");
    assert_eq!(call.retval, retval, "retval");
    assert_eq!(call.flags, flags, "call flags");
    assert_eq!(call.dirfd, dirfd, "dirfd");
    assert_eq!(text(&record, call.path), path, "path as given");
    let context = record.context();
    assert_eq!(context.pid, std::process::id());
    // The rest of the context is the business of the tests of processes.
    assert_eq!(context.euid, 0);
}
