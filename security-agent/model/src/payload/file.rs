//! Events of files.

use secl::Matching;
use secl::schema::weight;

use super::Call;
use crate::constants::{INODE_MODE, OPEN_FLAGS, PIPE_BUFFER_FLAGS, UMOUNT_FLAGS, UNLINK_FLAGS};
use crate::file::{File, RIGHTS_MASK};
use crate::record::record;
use crate::text::Text;

record! {
    /// A file was opened, created or truncated.
    pub struct Open {
        leaf {
            /// How the file was opened.
            flags: u32 = "flags", "7.27", {
                constants: Some(&OPEN_FLAGS),
                example: Some(r#"open.flags & (O_CREAT|O_WRONLY|O_RDWR) > 0 && open.file.path == "/etc/crontab""#),
            };
            /// Mode for a file that is created.
            mode: u32 = "file.destination.mode", "7.27", { constants: Some(&INODE_MODE), };
            /// Path as given to the system call.
            syscall_path: Text = "syscall.path", "7.56", { weight: weight::RESOLVED, };
            /// Flags as given to the system call.
            syscall_flags: u32 = "syscall.flags", "7.56", { constants: Some(&OPEN_FLAGS), };
            /// Mode as given to the system call.
            syscall_mode: u32 = "syscall.mode", "7.56", { constants: Some(&INODE_MODE), };
        }
        nested {
            /// The file.
            file: File = "file";
            /// The result.
            call: Call = "";
        }
    }
}

record! {
    /// A directory was created.
    pub struct Mkdir {
        leaf {
            /// Mode that was asked for.
            mode: u32 = "file.destination.mode", "7.27", { constants: Some(&INODE_MODE), };
            /// Path as given to the system call.
            syscall_path: Text = "syscall.path", "7.63", { weight: weight::RESOLVED, };
            /// Mode as given to the system call.
            syscall_mode: u32 = "syscall.mode", "7.63", { constants: Some(&INODE_MODE), };
        }
        derived {
            /// Permission bits that were asked for.
            rights: int = "file.destination.rights", "7.28", |mkdir| i64::from(mkdir.mode & RIGHTS_MASK), {
                constants: Some(&INODE_MODE), weight: weight::COMPUTED,
            };
        }
        nested {
            /// The directory.
            file: File = "file";
            /// The result.
            call: Call = "";
        }
    }
}

record! {
    /// A directory was removed.
    pub struct Rmdir {
        leaf {
            /// Path as given to the system call.
            syscall_path: Text = "syscall.path", "7.63", { weight: weight::RESOLVED, };
        }
        nested {
            /// The directory.
            file: File = "file";
            /// The result.
            call: Call = "";
        }
    }
}

record! {
    /// A name of a file was removed.
    pub struct Unlink {
        leaf {
            /// Flags of the call.
            flags: u32 = "flags", "7.38", { constants: Some(&UNLINK_FLAGS), };
            /// Directory descriptor as given to the system call.
            syscall_dirfd: i64 = "syscall.dirfd", "7.59";
            /// Path as given to the system call.
            syscall_path: Text = "syscall.path", "7.59", { weight: weight::RESOLVED, };
            /// Flags as given to the system call.
            syscall_flags: u32 = "syscall.flags", "7.59", { constants: Some(&UNLINK_FLAGS), };
        }
        nested {
            /// The file.
            file: File = "file";
            /// The result.
            call: Call = "";
        }
    }
}

record! {
    /// A file was renamed.
    pub struct Rename {
        leaf {
            /// Old path as given to the system call.
            syscall_path: Text = "syscall.path", "7.59", { weight: weight::RESOLVED, };
            /// New path as given to the system call.
            syscall_destination_path: Text = "syscall.destination.path", "7.59", {
                matching: Matching::CheckedPath, weight: weight::RESOLVED,
            };
        }
        nested {
            /// The file under its old name.
            file: File = "file";
            /// The file under its new name.
            destination: File = "file.destination";
            /// The result.
            call: Call = "";
        }
    }
}

record! {
    /// A file got one more name (a hard link).
    pub struct Link {
        leaf {
            /// Existing path as given to the system call.
            syscall_path: Text = "syscall.path", "7.59", { weight: weight::RESOLVED, };
            /// New path as given to the system call.
            syscall_destination_path: Text = "syscall.destination.path", "7.59", {
                matching: Matching::CheckedPath, weight: weight::RESOLVED,
            };
        }
        nested {
            /// The file under the name it had.
            file: File = "file";
            /// The file under the new name.
            destination: File = "file.destination";
            /// The result.
            call: Call = "";
        }
    }
}

record! {
    /// The permissions of a file were changed.
    pub struct Chmod {
        leaf {
            /// The new mode.
            mode: u32 = "file.destination.mode", "7.27", {
                constants: Some(&INODE_MODE), example: Some("chmod.file.destination.mode & S_ISUID > 0"),
            };
            /// Path as given to the system call.
            syscall_path: Text = "syscall.path", "7.56", { weight: weight::RESOLVED, };
            /// Mode as given to the system call.
            syscall_mode: u32 = "syscall.mode", "7.56", { constants: Some(&INODE_MODE), };
        }
        derived {
            /// The new permission bits.
            rights: int = "file.destination.rights", "7.28", |chmod| i64::from(chmod.mode & RIGHTS_MASK), {
                constants: Some(&INODE_MODE), weight: weight::COMPUTED,
                example: Some(r#"chmod.file.path == "/etc/shadow" && chmod.file.destination.rights & S_IROTH > 0"#),
            };
        }
        nested {
            /// The file, with its mode before the change.
            file: File = "file";
            /// The result.
            call: Call = "";
        }
    }
}

record! {
    /// The owner of a file was changed.
    pub struct Chown {
        leaf {
            /// User id of the new owner; -1: unchanged.
            uid: i64 = "file.destination.uid", "7.27";
            /// User name of the new owner.
            user: Text = "file.destination.user", "7.27", { weight: weight::RESOLVED, };
            /// Group id of the new owner; -1: unchanged.
            gid: i64 = "file.destination.gid", "7.27";
            /// Group name of the new owner.
            group: Text = "file.destination.group", "7.27", { weight: weight::RESOLVED, };
            /// Path as given to the system call.
            syscall_path: Text = "syscall.path", "7.59", { weight: weight::RESOLVED, };
            /// User id as given to the system call.
            syscall_uid: i64 = "syscall.uid", "7.59";
            /// Group id as given to the system call.
            syscall_gid: i64 = "syscall.gid", "7.59";
        }
        nested {
            /// The file, with its owner before the change.
            file: File = "file";
            /// The result.
            call: Call = "";
        }
    }
}

record! {
    /// The times of a file were set.
    pub struct Utimes {
        leaf {
            /// Path as given to the system call.
            syscall_path: Text = "syscall.path", "7.59", { weight: weight::RESOLVED, };
        }
        nested {
            /// The file.
            file: File = "file";
            /// The result.
            call: Call = "";
        }
        hidden {
            /// The access time that was asked for, in nanoseconds since 1970; 0: none.
            access_time: u64;
            /// The modification time that was asked for, in nanoseconds since 1970; 0: none.
            modification_time: u64;
        }
    }
}

record! {
    /// An extended attribute of a file was set or removed.
    pub struct Xattr {
        leaf {
            /// Full name of the attribute, at most 200 bytes.
            name: Text = "file.destination.name", "7.27", {
                example: Some(r#"setxattr.file.destination.name == "security.capability""#),
            };
        }
        derived {
            /// Namespace of the attribute: what stands before the first dot of its name.
            namespace: str = "file.destination.namespace", "7.27", |xattr| xattr.namespace(), {
                weight: weight::COMPUTED,
            };
        }
        nested {
            /// The file.
            file: File = "file";
            /// The result.
            call: Call = "";
        }
    }
}

impl Xattr {
    /// What stands before the first dot of the name; empty if there is no dot.
    pub fn namespace(&self) -> &[u8] {
        self.name.iter().position(|byte| *byte == b'.').map_or(b"", |dot| &self.name[..dot])
    }
}

record! {
    /// Data was moved between a file and a pipe.
    pub struct Splice {
        leaf {
            /// Flags of the last buffer of the pipe when the call began.
            pipe_entry_flag: u32 = "pipe_entry_flag", "7.36", { constants: Some(&PIPE_BUFFER_FLAGS), };
            /// Flags of the last buffer of the pipe when the call ended.
            pipe_exit_flag: u32 = "pipe_exit_flag", "7.36", {
                constants: Some(&PIPE_BUFFER_FLAGS),
                example: Some("splice.pipe_exit_flag & PIPE_BUF_FLAG_CAN_MERGE > 0 && process.uid != 0"),
            };
        }
        nested {
            /// The file.
            file: File = "file";
            /// The result.
            call: Call = "";
        }
    }
}

record! {
    /// A file system was mounted.
    pub struct Mount {
        leaf {
            /// Type of the file system.
            fs_type: Text = "fs_type", "7.42", { example: Some(r#"mount.fs_type == "fuse""#), };
            /// Where it was mounted.
            mountpoint_path: Text = "mountpoint.path", "7.42", {
                matching: Matching::CheckedPath, weight: weight::RESOLVED,
            };
            /// What was mounted: a device or the source of a bind mount.
            source_path: Text = "source.path", "7.42", {
                matching: Matching::CheckedPath, weight: weight::RESOLVED,
                example: Some(r#"mount.source.path == "/" && process.container.id != """#),
            };
            /// The directory within the file system that shows at the mount point.
            root_path: Text = "root.path", "7.56", { matching: Matching::CheckedPath, weight: weight::RESOLVED, };
            /// The mount is attached to no mount tree.
            detached: bool = "detached", "7.74";
            /// The mount shows in `/proc/self/mountinfo`.
            visible: bool = "visible", "7.74";
            /// The call changed the options of a mount that was there, or of its file system (`MS_REMOUNT`), and mounted
            /// nothing.
            remount: bool = "remount", "none", {
                example: Some(r#"mount.remount && mount.mountpoint.path == "/""#),
            };
            /// File system type as given to the system call.
            syscall_fs_type: Text = "syscall.fs_type", "7.59";
            /// Mount point as given to the system call.
            syscall_mountpoint_path: Text = "syscall.mountpoint.path", "7.59", {
                matching: Matching::CheckedPath, weight: weight::RESOLVED,
            };
            /// Source as given to the system call.
            syscall_source_path: Text = "syscall.source.path", "7.59", {
                matching: Matching::CheckedPath, weight: weight::RESOLVED,
            };
        }
        nested {
            /// The result.
            call: Call = "";
        }
        hidden {
            /// Identifier of the new mount.
            mount_id: u32;
            /// Identifier of the mount it is mounted on.
            parent_mount_id: u32;
            /// For a bind mount: the mount of its source; otherwise 0.
            bind_source_mount_id: u32;
            /// Device number of the file system.
            device: u32;
            /// See `File::path_resolution`, of the mount point.
            path_resolution: Text;
        }
    }
}

record! {
    /// A process changed its working directory.
    pub struct Chdir {
        leaf {
            /// Path as given to the system call.
            syscall_path: Text = "syscall.path", "7.56", { weight: weight::RESOLVED, };
        }
        nested {
            /// The directory.
            file: File = "file";
            /// The result.
            call: Call = "";
        }
    }
}

record! {
    /// A symbolic link was created.
    pub struct Symlink {
        leaf {
            /// What the link leads to: its text, which may be relative and may name nothing.
            target_path: Text = "target.path", "none", {
                weight: weight::RESOLVED, example: Some(r#"symlink.target.path == "/etc/shadow""#),
            };
            /// Path of the link as given to the system call.
            syscall_path: Text = "syscall.path", "none", { weight: weight::RESOLVED, };
        }
        nested {
            /// The link itself.
            file: File = "file";
            /// The result.
            call: Call = "";
        }
    }
}

record! {
    /// A mount was removed.
    pub struct Umount {
        leaf {
            /// Type of the file system.
            fs_type: Text = "fs_type", "none";
            /// Where it was mounted.
            mountpoint_path: Text = "mountpoint.path", "none", {
                matching: Matching::CheckedPath, weight: weight::RESOLVED,
                example: Some(r#"umount.mountpoint.path == "/var/log" && umount.flags & MNT_DETACH > 0"#),
            };
            /// Flags of the call.
            flags: u32 = "flags", "none", { constants: Some(&UMOUNT_FLAGS), };
            /// Mount point as given to the system call.
            syscall_mountpoint_path: Text = "syscall.mountpoint.path", "none", {
                matching: Matching::CheckedPath, weight: weight::RESOLVED,
            };
        }
        nested {
            /// The result.
            call: Call = "";
        }
        hidden {
            /// Identifier of the mount that is gone.
            mount_id: u32;
            /// Device number of the file system.
            device: u32;
            /// Why the mount point is missing or cut; empty if it is neither.
            path_error: Text;
            /// See `File::path_resolution`.
            path_resolution: Text;
        }
    }
}
