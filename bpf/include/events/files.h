/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Records of what happens to files. Part of events.h, which says the rules. */
#ifndef EVENTS_FILES_H
#define EVENTS_FILES_H

/* ---- file_call.flags -------------------------------------------------------------------------------- */

/* The file was named by descriptor alone. */
#define CALL_FLAG_BY_DESCRIPTOR 0x0001
/* file_call.path was cut. */
#define CALL_FLAG_PATH_TRUNCATED 0x0002
/* link_body.destination_path was cut. */
#define CALL_FLAG_DESTINATION_TRUNCATED 0x0004
/* The calls have no dirfd (open, not openat). */
#define CALL_FLAG_NO_DIRFD 0x0008

/* ---- open_body.call --------------------------------------------------------------------------------- */

#define OPEN_CALL_OPEN 0
/* flags are O_CREAT | O_WRONLY | O_TRUNC, as CWS reports it; length is the new one. */
#define OPEN_CALL_TRUNCATE 1
/* flags are O_WRONLY; mode is fallocate's mode (FALLOC_FL_*), length the end of the range. */
#define OPEN_CALL_FALLOCATE 2

/* ---- utimes_body ------------------------------------------------------------------------------------ */

/* utimensat's UTIME_NOW (or a call without times), UTIME_OMIT. */
#define TIME_NOW  0x7fffffffffffffff
#define TIME_OMIT 0x7ffffffffffffffe

/* ---- mount_body.call -------------------------------------------------------------------------------- */

/* mount(2) of something new, a bind mount or a move: flags are MS_*. */
#define MOUNT_CALL_MOUNT 0
/* A file system was made, not yet attached: flags are MOUNT_ATTR_*. */
#define MOUNT_CALL_FSMOUNT 1
/* A copy of a mount (OPEN_TREE_CLONE), not yet attached: flags are OPEN_TREE_* and AT_*. */
#define MOUNT_CALL_OPEN_TREE 2
/* A mount was attached or moved: flags are MOVE_MOUNT_*. */
#define MOUNT_CALL_MOVE_MOUNT 3
/* The root was exchanged; mountpoint is where the old root went. */
#define MOUNT_CALL_PIVOT_ROOT 4
/* mount(2) gave a mount that was there, or its file system, other options: flags are MS_*. */
#define MOUNT_CALL_REMOUNT 5

/* ---- structures ------------------------------------------------------------------------------------- */

/* What all file events have in common: the call as its caller made it. First member of their bodies. */
struct file_call {
    /* At least 0, or -EPERM or -EACCES: other failures are not reported. */
    __s64 retval;
    /* CALL_FLAG_* */
    __u32 flags;
    /* Directory descriptor as given; AT_FDCWD (-100) where the call has none. */
    __s32 dirfd;
    /* Path as given. */
    struct span path;
    __u32 _pad;
};

struct open_body {
    struct file_call call;
    struct file_info file;
    /* O_*, as given. */
    __u32 flags;
    /* Mode as given, for a file that is created. */
    __u32 mode;
    /* OPEN_CALL_* */
    __u32 what;
    __u32 _pad;
    /* See OPEN_CALL_*. */
    __u64 length;
};

/* mkdir, rmdir, unlink, chdir, umount. */
struct path_body {
    struct file_call call;
    /* rmdir and unlink: as it was before the call. umount: the root of the mount that goes away, with the
     * path of the mount point. */
    struct file_info file;
    /* unlinkat's AT_*, umount2's MNT_*. */
    __u32 flags;
    /* mkdir's, as given. */
    __u32 mode;
};

/* rename, link, symlink. */
struct link_body {
    struct file_call call;
    /* Under the name it had. Not for symlink: there call.path is the text of the link. */
    struct file_info file;
    /* Under its new name. */
    struct file_info destination;
    /* renameat2's RENAME_*, linkat's AT_*. */
    __u32 flags;
    /* As file_call.dirfd. */
    __s32 destination_dirfd;
    /* New path as given. */
    struct span destination_path;
    __u32 _pad;
};

struct chmod_body {
    struct file_call call;
    /* Mode before the call, everything else after it. */
    struct file_info file;
    /* As given. */
    __u32 mode;
    /* fchmodat2's AT_* */
    __u32 flags;
};

struct chown_body {
    struct file_call call;
    /* Owner before the call, everything else after it. */
    struct file_info file;
    /* As given; 4294967295: unchanged. */
    __u32 uid;
    __u32 gid;
    /* fchownat's AT_* */
    __u32 flags;
    __u32 _pad;
};

struct utimes_body {
    struct file_call call;
    /* Times before the call, everything else after it. */
    struct file_info file;
    /* As given, ns since the epoch; TIME_* */
    __u64 access_time_ns;
    __u64 modification_time_ns;
    /* utimensat's AT_* */
    __u32 flags;
    __u32 _pad;
};

/* setxattr, removexattr. */
struct xattr_body {
    struct file_call call;
    /* As it was before the call. */
    struct file_info file;
    /* Name of the attribute, with its namespace. */
    struct span name;
    /* setxattr's XATTR_* */
    __u32 flags;
    /* Bytes of the new value. */
    __u64 value_size;
};

struct splice_body {
    struct file_call call;
    /* The side that is no pipe; not valid if both are. */
    struct file_info file;
    /* PIPE_BUF_FLAG_* of the last buffer of the pipe, when the call began and when it ended; 0: it had none.
     */
    __u32 pipe_entry_flag;
    __u32 pipe_exit_flag;
    /* SPLICE_F_* */
    __u32 flags;
    /* 1: from the file to the pipe, 0: from the pipe to the file. */
    __u32 into_pipe;
};

struct mount_body {
    /* path: the mount point as given. */
    struct file_call call;
    /* The directory (or file) that shows at the mount point since the call; path: of the mount point. Not
     * valid for a mount that is attached nowhere. */
    struct file_info mountpoint;
    /* MOUNT_CALL_* */
    __u32 what;
    /* As given; see MOUNT_CALL_*. */
    __u32 flags;
    /* Of the new, moved or changed mount. */
    __u32 mount_id;
    /* The mount it is mounted on; itself if on none. */
    __u32 parent_mount_id;
    /* The mount that was copied (bind mount, open_tree), if it could be told, else 0. */
    __u32 bind_source_mount_id;
    /* See file_info.device. */
    __u32 device;
    /* FILE_FLAG_DETACHED: attached to no mount tree. */
    __u32 mount_flags;
    /* Source of a bind mount or a move, from kernel objects where they tell; else the name of the device. */
    struct span source;
    /* Directory within the file system that the mount shows. */
    struct span root;
    /* Source and type as given. */
    struct span source_given;
    struct span type_given;
    __u32 _pad;
    /* Type of the file system, NUL-padded. */
    __u8 filesystem[FILESYSTEM_NAME_SIZE];
};

#endif /* EVENTS_FILES_H */
