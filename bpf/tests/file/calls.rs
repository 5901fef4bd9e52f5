//! Making system calls by number, and watching them.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use proto::wire::Kind;

use crate::records::Seen;
use crate::records::Watched;
use crate::records::while_watching;

/// An argument of a system call.
pub(crate) trait Argument {
    /// As it stands in a register.
    fn raw(&self) -> i64;
}

impl Argument for i32 {
    fn raw(&self) -> i64 {
        i64::from(*self)
    }
}

impl Argument for u32 {
    fn raw(&self) -> i64 {
        i64::from(*self)
    }
}

impl Argument for usize {
    fn raw(&self) -> i64 {
        *self as i64
    }
}

impl Argument for i64 {
    fn raw(&self) -> i64 {
        *self
    }
}

impl Argument for CString {
    fn raw(&self) -> i64 {
        self.as_ptr() as i64
    }
}

impl<T, const N: usize> Argument for [T; N] {
    fn raw(&self) -> i64 {
        self.as_ptr() as i64
    }
}

/// A system call; the kernel's result, `-errno` if it failed.
pub(crate) fn call(number: libc::c_long, arguments: &[&dyn Argument]) -> i64 {
    let mut raw = [0; 6];
    for (raw, argument) in raw.iter_mut().zip(arguments) {
        *raw = argument.raw();
    }
    // SAFETY: the arguments are numbers, or point to data that outlives the call and that these calls only read or
    // that is large enough for what they write.
    let result = unsafe { libc::syscall(number, raw[0], raw[1], raw[2], raw[3], raw[4], raw[5]) };
    if result == -1 { -i64::from(std::io::Error::last_os_error().raw_os_error().unwrap()) } else { result }
}

/// A path for the kernel.
pub(crate) fn c(path: impl AsRef<Path>) -> CString {
    CString::new(path.as_ref().as_os_str().as_bytes()).unwrap()
}

/// A family of calls: its programs, and the calls that they are attached to.
pub(crate) struct Family {
    pub(crate) name: &'static str,
    pub(crate) has_enter: bool,
    pub(crate) calls: &'static [&'static str],
}

pub(crate) const OPEN: Family = Family {
    name: "open",
    has_enter: false,
    calls: &["open", "openat", "creat", "openat2", "open_by_handle_at", "truncate", "ftruncate", "fallocate"],
};
pub(crate) const MKDIR: Family = Family { name: "mkdir", has_enter: false, calls: &["mkdir", "mkdirat"] };
pub(crate) const REMOVE: Family =
    Family { name: "remove", has_enter: true, calls: &["rmdir", "unlink", "unlinkat"] };
pub(crate) const RENAME: Family =
    Family { name: "rename", has_enter: true, calls: &["rename", "renameat", "renameat2"] };
pub(crate) const LINK: Family =
    Family { name: "link", has_enter: true, calls: &["link", "linkat", "symlink", "symlinkat"] };
pub(crate) const CHDIR: Family = Family { name: "chdir", has_enter: false, calls: &["chdir", "fchdir"] };
pub(crate) const CHMOD: Family =
    Family { name: "chmod", has_enter: true, calls: &["chmod", "fchmod", "fchmodat", "fchmodat2"] };
pub(crate) const CHOWN: Family =
    Family { name: "chown", has_enter: true, calls: &["chown", "fchown", "lchown", "fchownat"] };
pub(crate) const UTIMES: Family =
    Family { name: "utimes", has_enter: true, calls: &["utime", "utimes", "futimesat", "utimensat"] };
pub(crate) const XATTR: Family = Family {
    name: "xattr",
    has_enter: true,
    calls: &[
        "setxattr",
        "lsetxattr",
        "fsetxattr",
        "removexattr",
        "lremovexattr",
        "fremovexattr",
        "setxattrat",
        "removexattrat",
    ],
};
pub(crate) const MOUNT: Family = Family {
    name: "mount",
    has_enter: false,
    calls: &["mount", "fsmount", "open_tree", "open_tree_attr", "move_mount", "pivot_root"],
};
pub(crate) const UMOUNT: Family = Family { name: "umount", has_enter: true, calls: &["umount"] };
pub(crate) const SPLICE: Family = Family { name: "splice", has_enter: true, calls: &["splice"] };

/// Whether this kernel has a call.
pub(crate) fn exists(call: &str) -> bool {
    Path::new("/sys/kernel/tracing/events/syscalls").join(format!("sys_exit_{call}")).exists()
}

impl Family {
    /// Its programs at all of its calls that this kernel has.
    pub(crate) fn watched(&self) -> Vec<Watched> {
        let mut watched = Vec::new();
        for call in self.calls.iter().filter(|call| exists(call)) {
            if self.has_enter {
                watched.push((leak(format!("enter_{}", self.name)), Some(format!("sys_enter_{call}"))));
            }
            watched.push((leak(format!("exit_{}", self.name)), Some(format!("sys_exit_{call}"))));
        }
        watched
    }

    /// The records that this thread causes while `provoke` runs.
    pub(crate) fn watch(&self, provoke: impl FnOnce()) -> Vec<Seen> {
        mine(while_watching(&self.watched(), |_| {}, provoke))
    }

    /// The only record, which has to be of `kind`.
    pub(crate) fn watch_one(&self, kind: Kind, provoke: impl FnOnce()) -> Seen {
        let mut seen = self.watch(provoke);
        let kinds: Vec<_> = seen.iter().map(|seen| seen.record().kind()).collect();
        assert_eq!(kinds, [kind]);
        seen.remove(0)
    }
}

/// Names are few: the tests end before they matter.
fn leak(text: String) -> &'static str {
    Box::leak(text.into_boxed_str())
}

/// Those of the calling thread: other tests run beside it.
pub(crate) fn mine(records: Vec<Seen>) -> Vec<Seen> {
    let tid = u32::try_from(call(libc::SYS_gettid, &[])).unwrap();
    records.into_iter().filter(|seen| seen.record().context().tid == tid).collect()
}

/// Whether the tests can run here: as root, with tracefs mounted.
pub(crate) fn ready() -> bool {
    if !crate::records::privileged() {
        return false;
    }
    if !exists("openat") {
        println!("skipped: no system call tracepoints (is tracefs mounted at /sys/kernel/tracing?)");
        return false;
    }
    true
}

/// The table of calls in the C sources names them all: those with a number on x86-64 have a tracepoint of their name.
#[test]
fn the_families_have_all_calls() {
    let table = include_str!("../../include/file_calls.h");
    let rows = table.split("CALL(").skip(1).filter_map(|row| {
        let (name, numbers) = row.split_once(')')?.0.split_once(',')?;
        (numbers.split(',').next()?.trim().parse::<u32>().is_ok()).then(|| name.to_lowercase())
    });
    let mut declared: Vec<_> = rows.collect();
    let families =
        [OPEN, MKDIR, REMOVE, RENAME, LINK, CHDIR, CHMOD, CHOWN, UTIMES, XATTR, MOUNT, UMOUNT, SPLICE];
    let mut watched: Vec<_> =
        families.iter().flat_map(|family| family.calls).map(|&call| call.to_owned()).collect();
    declared.sort();
    watched.sort();
    assert!(declared.len() > 40, "{declared:?}");
    assert_eq!(declared, watched);
}
