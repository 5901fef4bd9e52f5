/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Records of kernel activity. Part of events.h, which says the rules. */
#ifndef EVENTS_KERNEL_H
#define EVENTS_KERNEL_H

/* ---- signal_body.flags ------------------------------------------------------------------------------ */

/* To a group of processes, of which the target is the leader (which may have ended). */
#define SIGNAL_FLAG_GROUP 0x0001
/* To one thread of the target. */
#define SIGNAL_FLAG_THREAD 0x0002

/* ---- bpf_body.flags --------------------------------------------------------------------------------- */

/* Not all instructions of the program were looked at. */
#define BPF_FLAG_HELPERS_TRUNCATED 0x0001
/* What is told of the map is what the caller said, not what the kernel made of it. */
#define BPF_FLAG_MAP_GIVEN 0x0002
/* The same for the program. */
#define BPF_FLAG_PROGRAM_GIVEN 0x0004

#define BPF_NAME_SIZE 16
#define BPF_TAG_SIZE  8
/* 64-bit words of a set of helper functions. */
#define BPF_HELPER_WORDS 4

/* ---- load_module_body.flags ------------------------------------------------------------------------- */

/* init_module: the image was memory of the caller. */
#define MODULE_FLAG_FROM_MEMORY 0x0001
/* The parameters were cut. */
#define MODULE_FLAG_ARGS_TRUNCATED 0x0002

/* MODULE_NAME_LEN of the kernel. */
#define MODULE_NAME_SIZE 56
/* Parameters up to this size, as CWS has them. */
#define MODULE_ARGS_SIZE 128

/* ---- prctl_body.flags ------------------------------------------------------------------------------- */

/* The name that was given is longer than what the kernel keeps. */
#define PRCTL_FLAG_NAME_TRUNCATED 0x0001

/* ---- sysctl_body ------------------------------------------------------------------------------------ */

/* The values of SECL's SYSCTL_READ and SYSCTL_WRITE. */
#define SYSCTL_ACTION_READ  1
#define SYSCTL_ACTION_WRITE 2

#define SYSCTL_FLAG_NAME_TRUNCATED      0x0001
#define SYSCTL_FLAG_VALUE_TRUNCATED     0x0002
#define SYSCTL_FLAG_OLD_VALUE_TRUNCATED 0x0004

#define SYSCTL_NAME_SIZE  128
#define SYSCTL_VALUE_SIZE 256

/* ---- selinux_body ----------------------------------------------------------------------------------- */

/* selinux_body.what: the file that was written. */
#define SELINUX_ENFORCE 0
#define SELINUX_BOOL    1
#define SELINUX_COMMIT  2
#define SELINUX_DISABLE 3

/* selinux_body.flags: what was written is no number. */
#define SELINUX_FLAG_NO_NUMBER 0x0001

/* ---- structures ------------------------------------------------------------------------------------- */

/* The process that a call acts on. */
struct target {
    /* Start of its leader; 0 with pid: it was not found. */
    __u64 start_time_ns;
    /* Thread group id in the initial pid namespace. */
    __u32 pid;
    /* The number that the caller gave, as its own pid namespace counts; 0 where it gave a descriptor. */
    __s32 given;
};

/* The bodies of kernel activity begin with the result of the call: see file_call.retval. */

struct ptrace_body {
    __s64 retval;
    /* PTRACE_TRACEME: the caller itself. */
    struct target tracee;
    __u64 address;
    __u64 data;
    __u32 request;
    __u32 _pad;
};

struct signal_body {
    __s64 retval;
    struct target target;
    __u32 signal;
    /* SIGNAL_FLAG_* */
    __u32 flags;
};

struct bpf_body {
    __s64 retval;
    /* Bit n: the program calls helper function n. Of programs that are loaded. */
    __u64 helpers[BPF_HELPER_WORDS];
    /* BPF_* */
    __u32 cmd;
    /* BPF_FLAG_* */
    __u32 flags;
    /* 0: the command has no map. */
    __u32 map_id;
    __u32 map_type;
    /* 0: the command has no program. */
    __u32 program_id;
    __u32 program_type;
    __u32 attach_type;
    /* Of a program that is loaded. */
    __u32 instructions;
    /* NUL-padded. */
    __u8 map_name[BPF_NAME_SIZE];
    __u8 program_name[BPF_NAME_SIZE];
    __u8 program_tag[BPF_TAG_SIZE];
};

struct load_module_body {
    __s64 retval;
    /* finit_module: the file behind the descriptor. */
    struct file_info file;
    /* The parameters as one string. */
    struct span args;
    /* Empty for a module that the kernel did not look at. */
    struct span name;
    /* MODULE_FLAG_* */
    __u32 flags;
    __u32 _pad;
};

struct unload_module_body {
    __s64 retval;
    struct span name;
    /* O_NONBLOCK, O_TRUNC (force) */
    __u32 flags;
};

struct mmap_body {
    /* Where it is, if it succeeded. */
    __s64 retval;
    /* As given. */
    __u64 address;
    __u64 length;
    /* Bytes. */
    __u64 offset;
    /* Not valid for anonymous memory. */
    struct file_info file;
    /* PROT_* */
    __u32 protection;
    /* MAP_* */
    __u32 flags;
};

struct mprotect_body {
    __s64 retval;
    /* As given. */
    __u64 address;
    __u64 length;
    __u64 protection;
    /* The mapping that holds the address, as it was before the call; zero if there was none. */
    __u64 vm_start;
    __u64 vm_end;
    /* VM_* */
    __u64 vm_flags;
};

struct setrlimit_body {
    __s64 retval;
    struct target target;
    __u64 soft;
    __u64 hard;
    /* RLIMIT_* */
    __u32 resource;
    __u32 _pad;
};

struct prctl_body {
    __s64 retval;
    /* What follows the option. */
    __u64 arguments[4];
    /* PR_* */
    __u32 option;
    /* PRCTL_FLAG_* */
    __u32 flags;
    /* PR_SET_NAME: NUL-padded. */
    __u8 name[TASK_COMM_SIZE];
};

struct cgroup_write_body {
    /* Always 0: a move that fails is none. */
    __s64 retval;
    struct file_info file;
    /* Who was moved. */
    struct target target;
};

struct sysctl_body {
    /* Always 0. */
    __s64 retval;
    __u64 file_position;
    /* SYSCTL_ACTION_* */
    __u32 action;
    /* SYSCTL_FLAG_* */
    __u32 flags;
    /* Below /proc/sys, with slashes. */
    struct span name;
    struct span value;
    struct span old_value;
    __u32 _pad;
};

/* unshare, setns. */
struct namespaces_body {
    __s64 retval;
    /* CLONE_NEW*, as given: for unshare what is left, for setns which types may be entered. */
    __u32 flags;
    /* setns with the descriptor of a namespace: its inode number. */
    __u32 inode;
    /* setns with a pidfd: the process whose namespaces are entered. */
    struct target target;
};

struct process_vm_writev_body {
    /* Bytes that were written. */
    __s64 retval;
    struct target target;
    /* The first address that was written to, as given. */
    __u64 address;
};

/* userfaultfd, memfd_create, io_uring_setup. */
struct made_descriptor_body {
    __s64 retval;
    /* UFFD_*, MFD_*, IORING_SETUP_* */
    __u32 flags;
    /* io_uring_setup: as given. */
    __u32 entries;
    /* memfd_create: as given. */
    struct span name;
    __u32 _pad;
};

struct selinux_body {
    __s64 retval;
    struct file_info file;
    /* SELINUX_* */
    __u32 what;
    /* SELINUX_FLAG_* */
    __u32 flags;
    /* The number that was written. */
    __s32 value;
    __u32 _pad;
};

#endif /* EVENTS_KERNEL_H */
