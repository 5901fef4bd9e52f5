//! Making system calls by number, and watching them.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::OnceLock;

use libbpf_rs::btf::Btf;
use libbpf_rs::btf::types::Func;
use libbpf_rs::btf::types::FuncProto;
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

/// Programs inside the kernel: family, program, the function that it is at, and the number of arguments in the form that
/// it is made for.
const HOOKS: &[(&str, &str, &str, usize)] = &[
    ("open", "exit_do_sys_openat2", "do_sys_openat2", 3),
    ("open", "exit_do_filp_open", "do_filp_open", 3),
    ("open", "exit_do_file_open", "do_file_open", 3),
    ("open", "exit_do_handle_open", "do_handle_open", 3),
    ("open", "exit_vfs_truncate", "vfs_truncate", 2),
    ("open", "exit_do_sys_ftruncate", "do_sys_ftruncate", 3),
    ("open", "exit_ksys_ftruncate", "ksys_ftruncate", 3),
    ("open", "exit_vfs_fallocate", "vfs_fallocate", 4),
    ("mkdir", "hook_path_mkdir", "security_path_mkdir", 3),
    ("mkdir", "exit_vfs_mkdir_before_5_12", "vfs_mkdir", 3),
    ("mkdir", "exit_vfs_mkdir_since_5_12", "vfs_mkdir", 4),
    ("mkdir", "exit_vfs_mkdir_with_delegation", "vfs_mkdir", 5),
    ("mkdir", "exit_do_mkdirat", "do_mkdirat", 3),
    ("mkdir", "exit_filename_mkdirat", "filename_mkdirat", 3),
    ("remove", "hook_path_rmdir", "security_path_rmdir", 2),
    ("remove", "hook_path_unlink", "security_path_unlink", 2),
    ("remove", "exit_vfs_rmdir_before_5_12", "vfs_rmdir", 2),
    ("remove", "exit_vfs_rmdir_since_5_12", "vfs_rmdir", 3),
    ("remove", "exit_vfs_rmdir_with_delegation", "vfs_rmdir", 4),
    ("remove", "exit_vfs_unlink_before_5_12", "vfs_unlink", 3),
    ("remove", "exit_vfs_unlink_since_5_12", "vfs_unlink", 4),
    ("remove", "exit_do_rmdir", "do_rmdir", 2),
    ("remove", "exit_filename_rmdir", "filename_rmdir", 2),
    ("remove", "exit_do_unlinkat", "do_unlinkat", 2),
    ("remove", "exit_filename_unlinkat", "filename_unlinkat", 2),
    ("rename", "hook_path_rename", "security_path_rename", 5),
    ("rename", "exit_vfs_rename_since_5_12", "vfs_rename", 1),
    ("rename", "exit_do_renameat2", "do_renameat2", 5),
    ("rename", "exit_filename_renameat2", "filename_renameat2", 5),
    ("link", "hook_path_link", "security_path_link", 3),
    ("link", "hook_path_symlink", "security_path_symlink", 3),
    ("link", "exit_vfs_link_before_5_12", "vfs_link", 4),
    ("link", "exit_vfs_link_since_5_12", "vfs_link", 5),
    ("link", "exit_vfs_symlink_before_5_12", "vfs_symlink", 3),
    ("link", "exit_vfs_symlink_since_5_12", "vfs_symlink", 4),
    ("link", "exit_vfs_symlink_with_delegation", "vfs_symlink", 5),
    ("link", "exit_do_linkat", "do_linkat", 5),
    ("link", "exit_filename_linkat", "filename_linkat", 5),
    ("link", "exit_do_symlinkat", "do_symlinkat", 3),
    ("link", "exit_filename_symlinkat", "filename_symlinkat", 3),
    ("chmod", "enter_chmod_common", "chmod_common", 2),
    ("chmod", "exit_chmod_common", "chmod_common", 2),
    ("chown", "enter_chown_common", "chown_common", 3),
    ("chown", "exit_chown_common", "chown_common", 3),
    ("utimes", "enter_vfs_utimes", "vfs_utimes", 2),
    ("utimes", "exit_vfs_utimes", "vfs_utimes", 2),
    ("chdir", "hook_set_fs_pwd", "set_fs_pwd", 2),
    ("chdir", "native_exit_chdir", "__x64_sys_chdir", 1),
    ("chdir", "native_exit_fchdir", "__x64_sys_fchdir", 1),
    ("xattr", "hook_mnt_want_write", "mnt_want_write", 1),
    ("xattr", "hook_mnt_want_write_file", "mnt_want_write_file", 1),
    ("xattr", "enter_vfs_setxattr_before_5_12", "vfs_setxattr", 5),
    ("xattr", "exit_vfs_setxattr_before_5_12", "vfs_setxattr", 5),
    ("xattr", "enter_vfs_setxattr_since_5_12", "vfs_setxattr", 6),
    ("xattr", "exit_vfs_setxattr_since_5_12", "vfs_setxattr", 6),
    ("xattr", "enter_vfs_set_acl", "vfs_set_acl", 4),
    ("xattr", "exit_vfs_set_acl", "vfs_set_acl", 4),
    ("xattr", "enter_vfs_removexattr_before_5_12", "vfs_removexattr", 2),
    ("xattr", "exit_vfs_removexattr_before_5_12", "vfs_removexattr", 2),
    ("xattr", "enter_vfs_removexattr_since_5_12", "vfs_removexattr", 3),
    ("xattr", "exit_vfs_removexattr_since_5_12", "vfs_removexattr", 3),
    ("xattr", "enter_vfs_remove_acl", "vfs_remove_acl", 3),
    ("xattr", "exit_vfs_remove_acl", "vfs_remove_acl", 3),
    ("xattr", "native_exit_setxattr", "__x64_sys_setxattr", 1),
    ("xattr", "native_exit_lsetxattr", "__x64_sys_lsetxattr", 1),
    ("xattr", "native_exit_fsetxattr", "__x64_sys_fsetxattr", 1),
    ("xattr", "native_exit_setxattrat", "__x64_sys_setxattrat", 1),
    ("xattr", "native_exit_removexattrat", "__x64_sys_removexattrat", 1),
    ("xattr", "native_exit_removexattr", "__x64_sys_removexattr", 1),
    ("xattr", "native_exit_lremovexattr", "__x64_sys_lremovexattr", 1),
    ("xattr", "native_exit_fremovexattr", "__x64_sys_fremovexattr", 1),
    ("mount", "exit_path_mount", "path_mount", 5),
    ("mount", "hook_move_mount", "security_move_mount", 2),
    ("mount", "native_exit_mount", "__x64_sys_mount", 1),
    ("mount", "native_exit_fsmount", "__x64_sys_fsmount", 1),
    ("mount", "native_exit_open_tree", "__x64_sys_open_tree", 1),
    ("mount", "native_exit_open_tree_attr", "__x64_sys_open_tree_attr", 1),
    ("mount", "native_exit_move_mount", "__x64_sys_move_mount", 1),
    ("mount", "native_exit_pivot_root", "__x64_sys_pivot_root", 1),
    ("umount", "enter_path_umount", "path_umount", 2),
    ("umount", "exit_path_umount", "path_umount", 2),
    ("umount", "native_exit_umount", "__x64_sys_umount", 1),
    ("splice", "enter_do_splice", "do_splice", 6),
    ("splice", "exit_do_splice", "do_splice", 6),
];

/// The functions of [`HOOKS`] that this kernel has, with their numbers of arguments.
fn functions() -> &'static BTreeMap<String, usize> {
    static FUNCTIONS: OnceLock<BTreeMap<String, usize>> = OnceLock::new();
    FUNCTIONS.get_or_init(|| {
        let btf = Btf::from_vmlinux().unwrap();
        let all = btf.type_by_kind::<Func<'_>>().filter_map(|function| {
            let name = function.name()?.to_str()?.to_owned();
            let arguments = FuncProto::try_from(function.next_type()?).ok()?.iter().count();
            HOOKS.iter().any(|(_, _, wanted, _)| *wanted == name).then_some((name, arguments))
        });
        all.collect()
    })
}

/// Whether the tests are to be run with programs inside the kernel: a guest says so.
pub(crate) fn at_functions() -> bool {
    std::env::var("CWS_PLAN").is_ok_and(|plan| plan == "fentry")
}

impl Family {
    /// Its programs inside the kernel, where it has any.
    fn hooks(&self) -> Vec<Watched> {
        let fits = |function: &str, arguments| functions().get(function) == Some(&arguments);
        let hooks = HOOKS
            .iter()
            .filter(|(family, _, function, arguments)| *family == self.name && fits(function, *arguments));
        hooks.map(|(_, program, _, _)| (*program, None)).collect()
    }

    /// Its programs at all of its calls that this kernel has.
    pub(crate) fn watched(&self) -> Vec<Watched> {
        if at_functions() {
            let hooks = self.hooks();
            if !hooks.is_empty() {
                return hooks;
            }
        }
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
