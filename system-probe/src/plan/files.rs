//! The observations of files: each by the tracepoints of all calls that do it. Calls that a kernel or an
//! architecture does not have are passed over when it is attached.

use proto::wire::Kind;

use super::calls;
use super::hooks;
use super::table::Attached;
use super::table::Observation;
use super::table::Program;
use super::table::on;
use super::table::syscalls;
use super::table::syscalls_and_requests;
use super::table::syscalls_besides_io_uring;

/// Rows of the table.
pub(super) static FILES: &[Observation] = &[
    Observation {
        name: "file.open",
        kinds: &[Kind::Open],
        attached: Attached::OnDemand,
        ways: &[
            hooks::OPEN,
            syscalls_and_requests(&[
                on("exit_open", "sys_exit_openat"),
                on("exit_open", "sys_exit_open"),
                on("exit_open", "sys_exit_creat"),
                on("exit_open", "sys_exit_openat2"),
                on("exit_open", "sys_exit_open_by_handle_at"),
                on("exit_open", "sys_exit_truncate"),
                on("exit_open", "sys_exit_ftruncate"),
                on("exit_open", "sys_exit_fallocate"),
            ]),
        ],
    },
    Observation {
        name: "file.mkdir",
        kinds: &[Kind::Mkdir],
        attached: Attached::OnDemand,
        ways: &[
            hooks::MKDIR,
            syscalls_and_requests(&[
                on("exit_mkdir", "sys_exit_mkdir"),
                on("exit_mkdir", "sys_exit_mkdirat"),
            ]),
        ],
    },
    Observation {
        name: "file.rmdir",
        kinds: &[Kind::Rmdir],
        attached: Attached::OnDemand,
        ways: &[
            hooks::RMDIR,
            syscalls_and_requests(&[
                on("enter_remove", "sys_enter_rmdir"),
                on("exit_remove", "sys_exit_rmdir"),
                UNLINKAT[0],
                UNLINKAT[1],
            ]),
        ],
    },
    Observation {
        name: "file.unlink",
        kinds: &[Kind::Unlink],
        attached: Attached::OnDemand,
        ways: &[
            hooks::UNLINK,
            syscalls_and_requests(&[
                on("enter_remove", "sys_enter_unlink"),
                on("exit_remove", "sys_exit_unlink"),
                UNLINKAT[0],
                UNLINKAT[1],
            ]),
        ],
    },
    Observation {
        name: "file.rename",
        kinds: &[Kind::Rename],
        attached: Attached::OnDemand,
        ways: &[
            hooks::RENAME,
            syscalls_and_requests(&[
                on("enter_rename", "sys_enter_rename"),
                on("exit_rename", "sys_exit_rename"),
                on("enter_rename", "sys_enter_renameat"),
                on("exit_rename", "sys_exit_renameat"),
                on("enter_rename", "sys_enter_renameat2"),
                on("exit_rename", "sys_exit_renameat2"),
            ]),
        ],
    },
    Observation {
        name: "file.link",
        kinds: &[Kind::Link],
        attached: Attached::OnDemand,
        ways: &[
            hooks::LINK,
            syscalls_and_requests(&[
                on("enter_link", "sys_enter_link"),
                on("exit_link", "sys_exit_link"),
                on("enter_link", "sys_enter_linkat"),
                on("exit_link", "sys_exit_linkat"),
            ]),
        ],
    },
    Observation {
        name: "file.symlink",
        kinds: &[Kind::Symlink],
        attached: Attached::OnDemand,
        ways: &[
            hooks::SYMLINK,
            syscalls_and_requests(&[
                on("enter_link", "sys_enter_symlink"),
                on("exit_link", "sys_exit_symlink"),
                on("enter_link", "sys_enter_symlinkat"),
                on("exit_link", "sys_exit_symlinkat"),
            ]),
        ],
    },
    Observation {
        name: "file.chdir",
        kinds: &[Kind::Chdir],
        attached: Attached::OnDemand,
        ways: &[
            calls::CHDIR_AT_OBJECT,
            calls::CHDIR,
            syscalls(&[on("exit_chdir", "sys_exit_chdir"), on("exit_chdir", "sys_exit_fchdir")]),
        ],
    },
    Observation {
        name: "file.chmod",
        kinds: &[Kind::Chmod],
        attached: Attached::OnDemand,
        ways: &[
            hooks::CHMOD,
            syscalls(&[
                on("enter_chmod", "sys_enter_chmod"),
                on("exit_chmod", "sys_exit_chmod"),
                on("enter_chmod", "sys_enter_fchmod"),
                on("exit_chmod", "sys_exit_fchmod"),
                on("enter_chmod", "sys_enter_fchmodat"),
                on("exit_chmod", "sys_exit_fchmodat"),
                on("enter_chmod", "sys_enter_fchmodat2"),
                on("exit_chmod", "sys_exit_fchmodat2"),
            ]),
        ],
    },
    Observation {
        name: "file.chown",
        kinds: &[Kind::Chown],
        attached: Attached::OnDemand,
        ways: &[
            hooks::CHOWN,
            syscalls(&[
                on("enter_chown", "sys_enter_chown"),
                on("exit_chown", "sys_exit_chown"),
                on("enter_chown", "sys_enter_fchown"),
                on("exit_chown", "sys_exit_fchown"),
                on("enter_chown", "sys_enter_lchown"),
                on("exit_chown", "sys_exit_lchown"),
                on("enter_chown", "sys_enter_fchownat"),
                on("exit_chown", "sys_exit_fchownat"),
            ]),
        ],
    },
    Observation {
        name: "file.utimes",
        kinds: &[Kind::Utimes],
        attached: Attached::OnDemand,
        ways: &[
            hooks::UTIMES,
            syscalls(&[
                on("enter_utimes", "sys_enter_utime"),
                on("exit_utimes", "sys_exit_utime"),
                on("enter_utimes", "sys_enter_utimes"),
                on("exit_utimes", "sys_exit_utimes"),
                on("enter_utimes", "sys_enter_futimesat"),
                on("exit_utimes", "sys_exit_futimesat"),
                on("enter_utimes", "sys_enter_utimensat"),
                on("exit_utimes", "sys_exit_utimensat"),
            ]),
        ],
    },
    Observation {
        name: "file.setxattr",
        kinds: &[Kind::Setxattr],
        attached: Attached::OnDemand,
        ways: &[
            calls::SETXATTR_AT_OBJECT,
            calls::SETXATTR,
            syscalls_besides_io_uring(&[
                on("enter_xattr", "sys_enter_setxattr"),
                on("exit_xattr", "sys_exit_setxattr"),
                on("enter_xattr", "sys_enter_lsetxattr"),
                on("exit_xattr", "sys_exit_lsetxattr"),
                on("enter_xattr", "sys_enter_fsetxattr"),
                on("exit_xattr", "sys_exit_fsetxattr"),
                on("enter_xattr", "sys_enter_setxattrat"),
                on("exit_xattr", "sys_exit_setxattrat"),
            ]),
        ],
    },
    Observation {
        name: "file.removexattr",
        kinds: &[Kind::Removexattr],
        attached: Attached::OnDemand,
        ways: &[
            calls::REMOVEXATTR_AT_OBJECT,
            calls::REMOVEXATTR,
            syscalls(&[
                on("enter_xattr", "sys_enter_removexattr"),
                on("exit_xattr", "sys_exit_removexattr"),
                on("enter_xattr", "sys_enter_lremovexattr"),
                on("exit_xattr", "sys_exit_lremovexattr"),
                on("enter_xattr", "sys_enter_fremovexattr"),
                on("exit_xattr", "sys_exit_fremovexattr"),
                on("enter_xattr", "sys_enter_removexattrat"),
                on("exit_xattr", "sys_exit_removexattrat"),
            ]),
        ],
    },
    Observation {
        name: "file.mount",
        kinds: &[Kind::Mount],
        attached: Attached::OnDemand,
        ways: &[
            calls::MOUNT_AT_OBJECT,
            calls::MOUNT,
            syscalls(&[
                on("exit_mount", "sys_exit_mount"),
                on("exit_mount", "sys_exit_fsmount"),
                on("exit_mount", "sys_exit_open_tree"),
                on("exit_mount", "sys_exit_open_tree_attr"),
                on("exit_mount", "sys_exit_move_mount"),
                on("exit_mount", "sys_exit_pivot_root"),
            ]),
        ],
    },
    Observation {
        name: "file.umount",
        kinds: &[Kind::Umount],
        attached: Attached::OnDemand,
        ways: &[
            calls::UMOUNT_AT_OBJECT,
            calls::UMOUNT,
            syscalls(&[on("enter_umount", "sys_enter_umount"), on("exit_umount", "sys_exit_umount")]),
        ],
    },
    Observation {
        name: "file.splice",
        kinds: &[Kind::Splice],
        attached: Attached::OnDemand,
        ways: &[
            hooks::SPLICE,
            calls::SPLICE,
            syscalls_besides_io_uring(&[
                on("enter_splice", "sys_enter_splice"),
                on("exit_splice", "sys_exit_splice"),
            ]),
        ],
    },
];

/// It removes directories too (`AT_REMOVEDIR`).
const UNLINKAT: [Program; 2] =
    [on("enter_remove", "sys_enter_unlinkat"), on("exit_remove", "sys_exit_unlinkat")];
