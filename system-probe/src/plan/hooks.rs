//! Hooks inside the kernel, by function. One hook is often at functions of several names and forms, of which each
//! kernel has one: all are listed, and the facts choose.

use super::table::FLUSH_CAPABILITIES;
use super::table::Function;
use super::table::Hook;
use super::table::Program;
use super::table::Side;
use super::table::Way;
use super::table::Without;
use crate::facts::Capability;

/// By programs at the entry and the return of functions: objects instead of strings, whoever asks and how, and no cost
/// for anything else.
pub(super) const fn functions(programs: &'static [Program]) -> Way {
    let needs = &[Capability::Btf, Capability::Fentry, Capability::Fexit, Capability::RingBuffer];
    Way { needs, programs, blind: &[], label: "" }
}

/// What goes unseen without the function around an operation.
const EARLY_REFUSALS: &str = "not seen: calls that are refused before their file is found";
const RINGS: &str = "not seen: opens by io_uring";
const HANDLES: &str = "not seen: opens by handle";
const DESCRIPTORS: &str = "not seen: truncation by descriptor";

pub(super) const fn at(
    side: Side,
    program: &'static str,
    function: &'static str,
    form: &'static str,
    purpose: &'static str,
    without: Without,
) -> Program {
    let function = Function { name: function, side, form, purpose, without, arguments: true };
    Program { name: program, hook: Hook::Function(function) }
}

/// A program at a return that looks at nothing but the result.
pub(super) const fn result_alone(program: Program) -> Program {
    match program.hook {
        Hook::Function(function) => {
            Program { hook: Hook::Function(Function { arguments: false, ..function }), ..program }
        }
        _ => program,
    }
}

const RING_SOCKETS: &str = "not seen: operations of io_uring on sockets";

/// At the entry of a function, without which the way does not work.
pub(super) const fn entry(program: &'static str, function: &'static str, form: &'static str) -> Program {
    at(Side::Entry, program, function, form, function, Without::Fails)
}

/// At the return of one.
pub(super) const fn exit(program: &'static str, function: &'static str, form: &'static str) -> Program {
    at(Side::Return, program, function, form, function, Without::Fails)
}

/// At the return of one that can be missed.
pub(super) const fn around(
    program: &'static str,
    function: &'static str,
    form: &'static str,
    purpose: &'static str,
    without: &'static str,
) -> Program {
    at(Side::Return, program, function, form, purpose, Without::Misses(without))
}

/// All checks, with what they are for. Those that only the tracepoint sees are made by the kernel for itself.
pub(super) const CAPABILITIES: Way = functions(&[
    exit("exit_security_capable", "security_capable", "cred,user_namespace,,->"),
    FLUSH_CAPABILITIES,
]);

/// The files of SELinux.
pub(super) const SELINUX: Way = selinux(&[SEL_ENFORCE, SEL_BOOL, SEL_COMMIT]);

/// With the one that is gone since Linux 6.4.
pub(super) const SELINUX_BEFORE_6_4: Way = selinux(&[
    SEL_ENFORCE,
    SEL_BOOL,
    SEL_COMMIT,
    exit("exit_sel_write_disable", "sel_write_disable", "file,,,->"),
]);

const fn selinux(programs: &'static [Program]) -> Way {
    let needs = &[
        Capability::Btf,
        Capability::Selinux,
        Capability::Fentry,
        Capability::Fexit,
        Capability::RingBuffer,
    ];
    Way { needs, programs, blind: &[], label: "nothing" }
}

const SEL_ENFORCE: Program = exit("exit_sel_write_enforce", "sel_write_enforce", "file,,,->");
const SEL_BOOL: Program = exit("exit_sel_write_bool", "sel_write_bool", "file,,,->");
const SEL_COMMIT: Program = exit("exit_sel_commit_bools_write", "sel_commit_bools_write", "file,,,->");

pub(super) const OPEN: Way = functions(&[
    result_alone(exit("exit_do_sys_openat2", "do_sys_openat2", ",,open_how->")),
    around("exit_do_filp_open", "do_filp_open", ",filename,open_flags->file", "ring", RINGS),
    around("exit_do_file_open", "do_file_open", ",filename,open_flags->file", "ring", RINGS),
    result_alone(around("exit_do_handle_open", "do_handle_open", ",file_handle,->", "handle", HANDLES)),
    exit("exit_vfs_truncate", "vfs_truncate", "path,->"),
    result_alone(around("exit_do_sys_ftruncate", "do_sys_ftruncate", ",,->", "descriptor", DESCRIPTORS)),
    result_alone(around("exit_ksys_ftruncate", "ksys_ftruncate", ",,->", "descriptor", DESCRIPTORS)),
    exit("exit_vfs_fallocate", "vfs_fallocate", "file,,,->"),
]);

pub(super) const MKDIR: Way = functions(&[
    entry("hook_path_mkdir", "security_path_mkdir", "path,dentry,->"),
    exit("exit_vfs_mkdir_before_5_12", "vfs_mkdir", "inode,dentry,->"),
    exit("exit_vfs_mkdir_since_5_12", "vfs_mkdir", "*,inode,dentry,->"),
    exit("exit_vfs_mkdir_since_6_15", "vfs_mkdir", "*,inode,dentry,->dentry"),
    exit("exit_vfs_mkdir_with_delegation", "vfs_mkdir", "*,inode,dentry,,*->dentry"),
    around("exit_do_mkdirat", "do_mkdirat", ",*,->", "around", EARLY_REFUSALS),
    around("exit_filename_mkdirat", "filename_mkdirat", ",filename,->", "around", EARLY_REFUSALS),
]);

pub(super) const RMDIR: Way = functions(&[
    entry("hook_path_rmdir", "security_path_rmdir", "path,dentry->"),
    exit("exit_vfs_rmdir_before_5_12", "vfs_rmdir", "inode,dentry->"),
    exit("exit_vfs_rmdir_since_5_12", "vfs_rmdir", "*,inode,dentry->"),
    exit("exit_vfs_rmdir_with_delegation", "vfs_rmdir", "*,inode,dentry,*->"),
    around("exit_do_rmdir", "do_rmdir", ",filename->", "around", EARLY_REFUSALS),
    around("exit_filename_rmdir", "filename_rmdir", ",filename->", "around", EARLY_REFUSALS),
]);

pub(super) const UNLINK: Way = functions(&[
    entry("hook_path_unlink", "security_path_unlink", "path,dentry->"),
    exit("exit_vfs_unlink_before_5_12", "vfs_unlink", "inode,dentry,*->"),
    exit("exit_vfs_unlink_since_5_12", "vfs_unlink", "*,inode,dentry,*->"),
    around("exit_do_unlinkat", "do_unlinkat", ",filename->", "around", EARLY_REFUSALS),
    around("exit_filename_unlinkat", "filename_unlinkat", ",filename->", "around", EARLY_REFUSALS),
]);

pub(super) const RENAME: Way = functions(&[
    entry("hook_path_rename", "security_path_rename", "path,dentry,path,dentry,->"),
    exit("exit_vfs_rename_since_5_12", "vfs_rename", "renamedata->"),
    around("exit_do_renameat2", "do_renameat2", ",filename,,filename,->", "around", EARLY_REFUSALS),
    around(
        "exit_filename_renameat2",
        "filename_renameat2",
        ",filename,,filename,->",
        "around",
        EARLY_REFUSALS,
    ),
]);

pub(super) const LINK: Way = functions(&[
    entry("hook_path_link", "security_path_link", "dentry,path,dentry->"),
    exit("exit_vfs_link_before_5_12", "vfs_link", "dentry,inode,dentry,*->"),
    exit("exit_vfs_link_since_5_12", "vfs_link", "dentry,*,inode,dentry,*->"),
    around("exit_do_linkat", "do_linkat", ",*,,*,->", "around", EARLY_REFUSALS),
    around("exit_filename_linkat", "filename_linkat", ",filename,,filename,->", "around", EARLY_REFUSALS),
]);

pub(super) const SYMLINK: Way = functions(&[
    entry("hook_path_symlink", "security_path_symlink", "path,dentry,->"),
    exit("exit_vfs_symlink_before_5_12", "vfs_symlink", "inode,dentry,->"),
    exit("exit_vfs_symlink_since_5_12", "vfs_symlink", "*,inode,dentry,->"),
    exit("exit_vfs_symlink_with_delegation", "vfs_symlink", "*,inode,dentry,,*->"),
    around("exit_do_symlinkat", "do_symlinkat", "*,,*->", "around", EARLY_REFUSALS),
    around("exit_filename_symlinkat", "filename_symlinkat", "filename,,filename->", "around", EARLY_REFUSALS),
]);

pub(super) const CHMOD: Way = functions(&[
    entry("enter_chmod_common", "chmod_common", "path,->"),
    exit("exit_chmod_common", "chmod_common", "path,->"),
]);

pub(super) const CHOWN: Way = functions(&[
    entry("enter_chown_common", "chown_common", "path,,->"),
    exit("exit_chown_common", "chown_common", "path,,->"),
]);

pub(super) const UTIMES: Way = functions(&[
    entry("enter_vfs_utimes", "vfs_utimes", "path,timespec64->"),
    exit("exit_vfs_utimes", "vfs_utimes", "path,timespec64->"),
]);

/// Where a process goes.
pub(super) const SET_FS_PWD: Program = entry("hook_set_fs_pwd", "set_fs_pwd", "fs_struct,path->");

pub(super) const PATH_MOUNT: Program = exit("exit_path_mount", "path_mount", ",path,,,->");

pub(super) const MOVE_MOUNT: Program = entry("hook_move_mount", "security_move_mount", "path,path->");

pub(super) const PATH_UMOUNT: [Program; 2] = [
    entry("enter_path_umount", "path_umount", "path,->"),
    result_alone(exit("exit_path_umount", "path_umount", "path,->")),
];

/// The mount that a file is reached by, before it is changed.
pub(super) const WANT_WRITE: [Program; 2] = [
    entry("hook_mnt_want_write", "mnt_want_write", "vfsmount->"),
    entry("hook_mnt_want_write_file", "mnt_want_write_file", "file->"),
];

pub(super) const VFS_SETXATTR: [Program; 6] = [
    entry("enter_vfs_setxattr_before_5_12", "vfs_setxattr", "dentry,,,,->"),
    exit("exit_vfs_setxattr_before_5_12", "vfs_setxattr", "dentry,,,,->"),
    entry("enter_vfs_setxattr_since_5_12", "vfs_setxattr", "*,dentry,,,,->"),
    exit("exit_vfs_setxattr_since_5_12", "vfs_setxattr", "*,dentry,,,,->"),
    if_there(Side::Entry, "enter_vfs_set_acl", "vfs_set_acl", "*,dentry,,posix_acl->"),
    if_there(Side::Return, "exit_vfs_set_acl", "vfs_set_acl", "*,dentry,,posix_acl->"),
];

pub(super) const VFS_REMOVEXATTR: [Program; 6] = [
    entry("enter_vfs_removexattr_before_5_12", "vfs_removexattr", "dentry,->"),
    exit("exit_vfs_removexattr_before_5_12", "vfs_removexattr", "dentry,->"),
    entry("enter_vfs_removexattr_since_5_12", "vfs_removexattr", "*,dentry,->"),
    exit("exit_vfs_removexattr_since_5_12", "vfs_removexattr", "*,dentry,->"),
    if_there(Side::Entry, "enter_vfs_remove_acl", "vfs_remove_acl", "*,dentry,->"),
    if_there(Side::Return, "exit_vfs_remove_acl", "vfs_remove_acl", "*,dentry,->"),
];

/// Calls and requests of rings alike.
pub(super) const SPLICE: Way = functions(&[
    entry("enter_do_splice", "do_splice", "file,,file,,,->"),
    exit("exit_do_splice", "do_splice", "file,,file,,,->"),
]);

/// What rings do with sockets.
pub(super) const RING_CONNECT: [Program; 2] = [
    at(Side::Entry, "enter_connect_file", "__sys_connect_file", "file,*,,->", "ring", CONNECTIONS_BUT_TCP),
    at(Side::Return, "exit_connect_file", "__sys_connect_file", "file,*,,->", "ring", CONNECTIONS_BUT_TCP),
];
pub(super) const RING_ACCEPT: Program =
    around("exit_do_accept", "do_accept", "file,*,sockaddr,,->file", "ring", RING_SOCKETS);
/// There is such a request only where there is the function (6.11).
pub(super) const RING_BIND: Program =
    if_there(Side::Return, "exit_bind_socket", "__sys_bind_socket", "socket,*,->");

const CONNECTIONS_BUT_TCP: Without = Without::Misses(super::network::IO_URING_BUT_TCP.text);

/// At a function that not every kernel has, which then has nothing to see there.
const fn if_there(side: Side, program: &'static str, function: &'static str, form: &'static str) -> Program {
    at(side, program, function, form, function, Without::Nothing)
}
