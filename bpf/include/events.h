/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The layout of every record that travels from the kernel to user space. This is the only place that
 * declares it, with the three files that it includes: clang compiles it into the programs, and `proto`
 * derives its Rust view from the same text (proto/src/wire/layout, regenerated and compared by a test).
 *
 * A record is
 *
 *     record_header | task_context | the body of its kind | tail
 *
 * The context stands at the same offset in every record. Variable data (paths, arguments) lies in the tail
 * and is found through spans: offset from the start of the record, and length. A span of length 0 means
 * "empty or unknown"; record_header.errors tells which.
 *
 * Rules: fixed-width types only, members ordered so that there is no hidden padding (bindgen + zerocopy
 * refuse to compile a struct that has some), kinds and bits are never renumbered, and whatever changes the
 * meaning of a field without changing its place bumps RECORD_LAYOUT_VERSION.
 */
#ifndef EVENTS_H
#define EVENTS_H

#ifndef __bpf__
#include <linux/types.h>
#endif

#define RECORD_LAYOUT_VERSION 1

/* ---- limits: both sides obey them ------------------------------------------------------------------ */

/* The largest record. A per-CPU map value can't exceed 32 KiB (the percpu allocator's unit size), and the
 * record is built in one. */
#define RECORD_SIZE_MAX 32768
/* PATH_MAX of the kernel; a longer path keeps its end (the file name matters most) and is flagged. */
#define PATH_SIZE_MAX 4096
/* Components of a path that are walked; deeper ones are flagged as truncated. */
#define PATH_COMPONENTS_MAX 512
/* A cgroup path is cut to this; container runtimes stay under 300 bytes. */
#define CGROUP_PATH_SIZE_MAX 1024
/* Levels of a cgroup path that are walked. */
#define CGROUP_LEVELS_MAX 24
/* Arguments and environment up to these sizes travel inside the exec record ... */
#define ARGS_INLINE_MAX 4096
#define ENVS_INLINE_MAX 4096
/* ... larger ones in chunk records of this size that precede it, ... */
#define CHUNK_SIZE_MAX 16384
/* ... up to these totals. The rest is cut and flagged. One argument can have 128 KiB (MAX_ARG_STRLEN). */
#define ARGS_SIZE_MAX 262144
#define ENVS_SIZE_MAX 65536

/* The unit of start times in /proc: a tick of USER_HZ, which is 100 on every architecture this runs on. */
#define START_TICK_NS 10000000

#define TASK_COMM_SIZE       16
#define FILESYSTEM_NAME_SIZE 16
#define TTY_NAME_SIZE        32

/* ---- kinds ------------------------------------------------------------------------------------------ */

#define KIND_FORK 1
#define KIND_EXEC 2
/* A piece of the arguments or the environment of the exec record that follows it. */
#define KIND_EXEC_CHUNK 3
#define KIND_EXIT       4
#define KIND_SETUID     5
#define KIND_SETGID     6
#define KIND_CAPSET     7
/* A task moved to another cgroup. */
#define KIND_CGROUP_ATTACH 8
/* What capabilities a program has used, or tried to. */
#define KIND_CAPABILITIES 9
/* 10..31 process, 32..63 files, 64..95 network, 96..127 kernel activity. */

/* Opened, created, or its length or blocks changed: open_body.call tells. */
#define KIND_OPEN   32
#define KIND_MKDIR  33
#define KIND_RMDIR  34
#define KIND_UNLINK 35
#define KIND_RENAME 36
/* A hard link. */
#define KIND_LINK        37
#define KIND_CHMOD       38
#define KIND_CHOWN       39
#define KIND_UTIMES      40
#define KIND_SETXATTR    41
#define KIND_REMOVEXATTR 42
#define KIND_MOUNT       43
#define KIND_UMOUNT      44
#define KIND_CHDIR       45
#define KIND_SPLICE      46
#define KIND_SYMLINK     47

#define KIND_BIND       64
#define KIND_CONNECT    65
#define KIND_ACCEPT     66
#define KIND_SETSOCKOPT 67
/* A packet of a name service. */
#define KIND_DNS 68
/* A packet of a metadata service of a cloud. */
#define KIND_IMDS 69
/* Any packet. */
#define KIND_PACKET 70
/* Traffic of a process during a period. */
#define KIND_FLOWS 71

/* Kernel activity. */
#define KIND_PTRACE        96
#define KIND_SIGNAL        97
#define KIND_BPF           98
#define KIND_LOAD_MODULE   99
#define KIND_UNLOAD_MODULE 100
#define KIND_MMAP          101
#define KIND_MPROTECT      102
#define KIND_SETRLIMIT     103
#define KIND_PRCTL         104
/* A process was written to cgroup.procs (or tasks) and has moved. */
#define KIND_CGROUP_WRITE      105
#define KIND_SYSCTL            106
#define KIND_UNSHARE           107
#define KIND_SETNS             108
#define KIND_PROCESS_VM_WRITEV 109
#define KIND_USERFAULTFD       110
#define KIND_MEMFD_CREATE      111
#define KIND_IO_URING_SETUP    112
/* SELinux was reconfigured. */
#define KIND_SELINUX 113

#define KIND_MAX 127

/* ---- record_header.flags ---------------------------------------------------------------------------- */

/* Built by a snapshot of what already ran, not by an event. */
#define RECORD_FLAG_SYNTHETIC 0x0001
/* Submitted through io_uring. */
#define RECORD_FLAG_ASYNC 0x0002
/* By a 32-bit call: an i386 program, or int 0x80. */
#define RECORD_FLAG_COMPAT 0x0004
/* The start times in the context are cut to multiples of START_TICK_NS, as /proc tells them. Only with
 * RECORD_FLAG_SYNTHETIC. */
#define RECORD_FLAG_START_TICKS 0x0008
/* The context is not that of who acts at this moment: it is what was remembered of the socket's user, or of
 * who used a capability, who may have changed, or ended, since. pid 0: nobody is known; ids that are unknown
 * too are 4294967295. */
#define RECORD_FLAG_REMEMBERED 0x0010

/* ---- record_header.errors: what could not be read; the event itself is real --------------------------- */

#define ERROR_FILE        0x00000001
#define ERROR_INTERPRETER 0x00000002
#define ERROR_ARGS        0x00000004
#define ERROR_ENVS        0x00000008
#define ERROR_CGROUP      0x00000010
#define ERROR_FILENAME    0x00000020
#define ERROR_CWD         0x00000040
/* The record was full before all parts were written. */
#define ERROR_NO_SPACE 0x00000080
/* The previous values of a change (credentials, attributes of a file) are unknown. */
#define ERROR_OLD_VALUES 0x00000100
/* A path that the caller gave is not readable in its memory (any more). */
#define ERROR_GIVEN_PATH 0x00000200
/* As ERROR_FILE, for the second file of rename and link. */
#define ERROR_DESTINATION 0x00000400
/* Another value that the caller gave by address (openat2's how, times, the name of an attribute) is not
 * readable. */
#define ERROR_GIVEN_VALUE 0x00000800

/* ---- task_context.flags ----------------------------------------------------------------------------- */

/* PF_KTHREAD: a kernel thread. */
#define TASK_FLAG_KERNEL_THREAD 0x0001
/* PF_WQ_WORKER: a workqueue worker. */
#define TASK_FLAG_WORKQUEUE_WORKER 0x0002
/* PF_IO_WORKER or PF_USER_WORKER: a kernel thread that works for a user process (io_uring). */
#define TASK_FLAG_IO_WORKER 0x0004
/* The acting thread is not the leader of its thread group. */
#define TASK_FLAG_NOT_LEADER 0x0008
/* PF_FORKNOEXEC: the process still runs the image that it was forked with. */
#define TASK_FLAG_NO_EXEC 0x0010
/* The task is being traced (ptrace). */
#define TASK_FLAG_TRACED 0x0020
/* cgroup_id and cgroup paths are those of a version 1 hierarchy. */
#define TASK_FLAG_CGROUP_V1 0x0040

/* ---- file_info.flags -------------------------------------------------------------------------------- */

/* The rest of file_info is meaningful. */
#define FILE_FLAG_VALID 0x0001
/* overlayfs: the file lives in the upper (writable) layer. */
#define FILE_FLAG_UPPER_LAYER 0x0002
/* No name leads to the file any more. */
#define FILE_FLAG_DELETED 0x0004
/* A memfd. */
#define FILE_FLAG_MEMFD 0x0008
/* Its mount is not attached to a mount namespace (fsmount, open_tree, umount -l). */
#define FILE_FLAG_DETACHED 0x0010
/* The beginning of the path is missing: too long or too deep. */
#define FILE_FLAG_PATH_TRUNCATED 0x0020
/* The end of the path is a string of the caller that the kernel's caches could not resolve: it may hold
 * links,
 * "." and "..". What stands before it comes from kernel objects. */
#define FILE_FLAG_PATH_USER 0x0040
/* The path ends at a mount root outside of the process's root: it starts at that mount. */
#define FILE_FLAG_UNREACHABLE 0x0080
/* Lives on overlayfs. */
#define FILE_FLAG_OVERLAY 0x0100
/* The file was found by looking up the caller's string in the kernel's caches, next to the call and not by
 * it: whoever swaps a link or rewrites the string in that moment can make it differ from what the call used.
 * Without this bit (and without PATH_USER) the file is the very object of the call. */
#define FILE_FLAG_LOOKED_UP 0x0200
/* Only path, mount, device and file system are known: the kernel has (or had) the object, its caches do not.
 */
#define FILE_FLAG_NO_INODE 0x0400

/* ---- exec_body.flags -------------------------------------------------------------------------------- */

/* The thread that called exec was not the leader; it took over the leader's pid. */
#define EXEC_FLAG_NON_LEADER 0x0001
/* The image was named by descriptor (execveat with AT_EMPTY_PATH, fexecve). */
#define EXEC_FLAG_BY_DESCRIPTOR 0x0002
/* exec_body.file is a script (or other binfmt), exec_body.interpreter the program that runs it. */
#define EXEC_FLAG_INTERPRETED 0x0004
/* The arguments do not end here: cut by ARGS_SIZE_MAX. */
#define EXEC_FLAG_ARGS_TRUNCATED 0x0008
#define EXEC_FLAG_ENVS_TRUNCATED 0x0010
/* The arguments (environment) were sent in chunks before this record; the span is empty. */
#define EXEC_FLAG_ARGS_CHUNKED 0x0020
#define EXEC_FLAG_ENVS_CHUNKED 0x0040
/* The image runs with more privilege than its caller had (set-uid, set-gid, file capabilities): AT_SECURE. */
#define EXEC_FLAG_SECURE 0x0080
/* exec_body.filename was cut. */
#define EXEC_FLAG_FILENAME_TRUNCATED 0x0100

/* ---- exec_chunk_body.what --------------------------------------------------------------------------- */

#define CHUNK_ARGS 0
#define CHUNK_ENVS 1

/* ---- exit_body.cause: the values of SECL's EXITED, COREDUMPED, SIGNALED ---------------------------------
 */

#define EXIT_CAUSE_EXITED     0
#define EXIT_CAUSE_COREDUMPED 1
#define EXIT_CAUSE_SIGNALED   2

/* ---- structures ------------------------------------------------------------------------------------- */

/* Where a piece of variable data lies: from the start of the record, in bytes. */
struct span {
    __u16 offset;
    __u16 length;
};

struct record_header {
    /* Bytes of the whole record, this header and the tail included; a multiple of 8. */
    __u32 size;
    /* KIND_* */
    __u16 kind;
    /* RECORD_FLAG_* */
    __u16 flags;
    /* CLOCK_BOOTTIME when the event happened, ns. */
    __u64 time_ns;
    /* ERROR_*: the parts of this record that could not be read. */
    __u32 errors;
    /* The CPU on which it happened. */
    __u32 cpu;
};

/* Who did it. For fork: the new process. For everything else: the acting task, after the event. */
struct task_context {
    /* Start of the process (its leader), CLOCK_BOOTTIME ns. With pid, the identity of a process. */
    __u64 start_time_ns;
    /* Start of its real parent. */
    __u64 parent_start_time_ns;
    /* Inode number of the cgroup directory that cgroup paths refer to; 0: unknown. */
    __u64 cgroup_id;
    /* Number of programs that this task and those it was forked from have executed; the same as long as the
     * program is the same. 0: unknown. */
    __u64 exec_id;
    /* Capability sets, bit n is capability n. */
    __u64 cap_effective;
    __u64 cap_permitted;
    /* Thread group id ("pid" of user space) in the initial pid namespace. */
    __u32 pid;
    /* Thread id in the initial pid namespace. */
    __u32 tid;
    /* Thread group id of the real parent. */
    __u32 ppid;
    /* Thread group id as seen in the process's own pid namespace. */
    __u32 ns_pid;
    /* Ids as the initial user namespace sees them. */
    __u32 uid;
    __u32 gid;
    __u32 euid;
    __u32 egid;
    __u32 fsuid;
    __u32 fsgid;
    /* Audit login uid and session; 4294967295 when unset. */
    __u32 auid;
    __u32 session_id;
    /* Inode numbers of the namespaces. */
    __u32 pid_ns;
    __u32 mnt_ns;
    __u32 net_ns;
    __u32 user_ns;
    __u32 cgroup_ns;
    /* TASK_FLAG_* */
    __u32 flags;
    /* Task name, NUL-padded. */
    __u8 comm[TASK_COMM_SIZE];
};

struct file_info {
    __u64 inode;
    /* Bytes. */
    __u64 size;
    /* Inode change and modification times, ns since the epoch. */
    __u64 change_time_ns;
    __u64 modification_time_ns;
    /* Mount id as in /proc/PID/mountinfo. */
    __u32 mount_id;
    /* st_mode: type and permissions. */
    __u32 mode;
    __u32 uid;
    __u32 gid;
    __u32 links;
    /* FILE_FLAG_* */
    __u32 flags;
    /* Device number of the file system (kernel encoding: major << 20 | minor). */
    __u32 device;
    /* The path, up to the process's root. */
    struct span path;
    /* Part of `path` above the root of the overlay mount (its mount point): a host sees a container's file
     * below it. Bytes from the start of the path; 0 when not on an overlay. */
    __u32 overlay_prefix;
    __u32 _pad;
    /* Type name of the file system, NUL-padded. */
    __u8 filesystem[FILESYSTEM_NAME_SIZE];
};

struct fork_body {
    /* The process that called fork: not the parent of the new one under CLONE_PARENT. */
    __u64 forker_start_time_ns;
    __u32 forker_pid;
    __u32 forker_tid;
    /* Path of the new process's cgroup; empty when it is the forker's. */
    struct span cgroup_path;
    __u32 _pad;
};

struct exec_body {
    /* The program as named: for a script the script. */
    struct file_info file;
    /* The program that runs the script; valid only with EXEC_FLAG_INTERPRETED. */
    struct file_info interpreter;
    /* EXEC_FLAG_* */
    __u32 flags;
    /* Thread that called exec (its tid before it took over the leader's). */
    __u32 caller_tid;
    /* Bytes of arguments and environment of the new image, before any cut, NULs included. */
    __u32 args_size;
    __u32 envs_size;
    /* Strings in argv and envp as the kernel counted them. */
    __u32 args_count;
    __u32 envs_count;
    /* NUL-separated strings; see EXEC_FLAG_*_CHUNKED. */
    struct span args;
    struct span envs;
    /* The program's name as the caller gave it (for a descriptor: /dev/fd/N). */
    struct span filename;
    /* The working directory; only with a relative filename or a script. */
    struct span cwd;
    struct span cgroup_path;
    /* Mode bits of the descriptors 0, 1, 2 (S_IFSOCK, S_IFIFO ...: what stdin, stdout, stderr are); 0:
     * closed. */
    __u16 stdio_mode[3];
    __u16 _pad;
    __u32 _pad2;
    /* Name of the controlling terminal ("pts0"), NUL-padded. */
    __u8 tty[TTY_NAME_SIZE];
};

struct exec_chunk_body {
    /* CHUNK_* */
    __u32 what;
    /* Where this piece starts in the whole. */
    __u32 offset;
    struct span data;
    __u32 _pad;
};

struct exit_body {
    /* EXIT_CAUSE_* */
    __u32 cause;
    /* Exit status or signal number. */
    __u32 code;
};

/* setuid family; new values stand in the context as well. */
struct setuid_body {
    __u32 old_uid;
    __u32 old_euid;
    __u32 old_fsuid;
    __u32 uid;
    __u32 euid;
    __u32 fsuid;
};

struct setgid_body {
    __u32 old_gid;
    __u32 old_egid;
    __u32 old_fsgid;
    __u32 gid;
    __u32 egid;
    __u32 fsgid;
};

struct capset_body {
    __u64 old_cap_effective;
    __u64 old_cap_permitted;
    __u64 cap_effective;
    __u64 cap_permitted;
};

struct capabilities_body {
    /* Bit n: the program has tried to use capability n, since it was executed. */
    __u64 attempted;
    /* It was allowed to. */
    __u64 used;
};

struct cgroup_attach_body {
    /* Who moved the task (the context is the moved one). */
    __u64 actor_start_time_ns;
    __u32 actor_pid;
    struct span cgroup_path;
};

#include "events/files.h"
#include "events/network.h"
#include "events/kernel.h"

#endif /* EVENTS_H */
