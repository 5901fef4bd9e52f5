/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The kernel's types, only as far as they are read. preserve_access_index makes every access a CO-RE
 * relocation, so the order and the offsets here mean nothing; names and types do. Members that exist only on
 * some kernels, or changed their name, are in compat.h.
 */
#ifndef KERNEL_H
#define KERNEL_H

typedef unsigned char __u8;
typedef short __s16;
typedef unsigned short __u16;
typedef int __s32;
typedef unsigned int __u32;
typedef long long __s64;
typedef unsigned long long __u64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;
typedef _Bool bool;

#define NULL ((void *)0)
#define true 1
#define false 0

/* uapi/linux/bpf.h */
#define BPF_MAP_TYPE_HASH             1
#define BPF_MAP_TYPE_ARRAY            2
#define BPF_MAP_TYPE_PROG_ARRAY       3
#define BPF_MAP_TYPE_PERF_EVENT_ARRAY 4
#define BPF_MAP_TYPE_PERCPU_ARRAY     6
#define BPF_MAP_TYPE_LRU_HASH         9
#define BPF_MAP_TYPE_LPM_TRIE         11
#define BPF_MAP_TYPE_SK_STORAGE       24
#define BPF_MAP_TYPE_RINGBUF          27
#define BPF_ANY                       0
#define BPF_NOEXIST                   1
#define BPF_F_NO_PREALLOC             1
#define BPF_F_CURRENT_CPU             0xffffffffULL
#define BPF_F_MMAPABLE                1024
#define BPF_SK_STORAGE_GET_F_CREATE   1

/* linux/sched.h */
#define PF_IO_WORKER   0x00000010
#define PF_WQ_WORKER   0x00000020
#define PF_FORKNOEXEC  0x00000040
#define PF_USER_WORKER 0x00004000
#define PF_KTHREAD     0x00200000

/* linux/pid_types.h */
#define PIDTYPE_PGID 2
/* Up to 4.18. */
#define PIDTYPE_PGID_BEFORE_4_19 1

/* linux/sched/signal.h */
#define SIGNAL_GROUP_EXIT 0x00000004

/* linux/fs.h: opened for execution. In f_flags (as __FMODE_EXEC) on every kernel, in f_mode up to 6.x. */
#define FMODE_EXEC 0x20

/* enum bpf_func_id */
enum bpf_func_id {
    BPF_FUNC_get_current_task_btf = 158,
    BPF_FUNC_task_pt_regs = 175,
};

/* Only their names matter. */
enum bpf_map_type {
    BPF_MAP_TYPE_UNSPEC,
};
enum bpf_prog_type {
    BPF_PROG_TYPE_UNSPEC,
};
enum bpf_attach_type {
    BPF_CGROUP_INET_INGRESS,
};

/* uapi/linux/stat.h */
#define S_IFMT  0170000
#define S_IFIFO 0010000
#define S_IFREG 0100000
#define S_IFLNK 0120000

/* uapi/asm-generic/errno-base.h */
#define EPERM  1
#define EACCES 13

/* uapi/asm-generic/fcntl.h */
#define O_WRONLY    00000001
#define O_ACCMODE   00000003
#define O_CREAT     00000100
#define O_EXCL      00000200
#define O_NOCTTY    00000400
#define O_TRUNC     00001000
#define O_LARGEFILE 00100000

/* uapi/linux/fcntl.h */
#define AT_FDCWD            (-100)
#define AT_SYMLINK_NOFOLLOW 0x100
#define AT_REMOVEDIR        0x200
#define AT_SYMLINK_FOLLOW   0x400
#define AT_EMPTY_PATH       0x1000
#define RENAME_EXCHANGE     (1 << 1)

/* uapi/asm-generic/mman-common.h */
#define MAP_ANONYMOUS 0x20

/* uapi/linux/ptrace.h */
#define PTRACE_TRACEME 0

/* uapi/linux/prctl.h */
#define PR_SET_NAME 15

/* uapi/linux/pidfd.h */
#define PIDFD_SELF_THREAD       (-10000)
#define PIDFD_SELF_THREAD_GROUP (-10001)

/* linux/stat.h */
#define UTIME_NOW  0x3fffffff
#define UTIME_OMIT 0x3ffffffe

/* uapi/linux/mount.h */
#define MS_BIND    4096
#define MS_MOVE    8192
#define MS_REMOUNT 32
/* MS_UNBINDABLE, MS_PRIVATE, MS_SLAVE, MS_SHARED */
#define MS_PROPAGATION (1 << 17 | 1 << 18 | 1 << 19 | 1 << 20)
/* What stood in the upper half of the flags before Linux 2.4, and still may. */
#define MS_MGC_VAL              0xC0ED0000
#define MS_MGC_MSK              0xffff0000
#define UMOUNT_NOFOLLOW         8
#define OPEN_TREE_CLONE         1
#define MOVE_MOUNT_F_SYMLINKS   0x00000001
#define MOVE_MOUNT_F_EMPTY_PATH 0x00000004
#define MOVE_MOUNT_T_SYMLINKS   0x00000010
#define MOVE_MOUNT_T_EMPTY_PATH 0x00000040

/* uapi/linux/magic.h */
#define CGROUP_SUPER_MAGIC    0x0027e0eb
#define CGROUP2_SUPER_MAGIC   0x63677270
#define NSFS_MAGIC            0x6e736673
#define PID_FS_MAGIC          0x50494446
#define OVERLAYFS_SUPER_MAGIC 0x794c7630
#define PROC_SUPER_MAGIC      0x9fa0
#define TMPFS_MAGIC           0x01021994
#define HUGETLBFS_MAGIC       0x958458f6
#define SECRETMEM_MAGIC       0x5345434d

/* uapi/linux/capability.h, linux/security.h */
#define CAP_SYS_ADMIN   21
#define CAP_LAST        63
#define CAP_OPT_NOAUDIT 2

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
    int counter;
} atomic_t;

typedef struct {
    __u32 val;
} kuid_t;

typedef struct {
    __u32 val;
} kgid_t;

struct callback_head {
    struct callback_head *next;
    void (*func)(struct callback_head *head);
};

struct list_head {
    struct list_head *next, *prev;
};

struct hlist_node {
    struct hlist_node *next, **pprev;
};

struct hlist_head {
    struct hlist_node *first;
};

struct hlist_bl_node {
    struct hlist_bl_node *next, **pprev;
};

struct qstr {
    __u32 len;
    const unsigned char *name;
};

struct file_system_type {
    const char *name;
};

struct super_block {
    __u32 s_dev;
    unsigned long s_magic;
    struct file_system_type *s_type;
};

struct timespec64 {
    __s64 tv_sec;
    long tv_nsec;
};

struct inode {
    __u16 i_mode;
    kuid_t i_uid;
    kgid_t i_gid;
    struct super_block *i_sb;
    unsigned long i_ino;
    unsigned int i_nlink;
    __s64 i_size;
    /* In a union with other pointers: of a symbolic link alone. */
    char *i_link;
    void *i_private;
};

struct dentry {
    unsigned int d_flags;
    struct hlist_bl_node d_hash;
    struct dentry *d_parent;
    struct qstr d_name;
    struct inode *d_inode;
    struct super_block *d_sb;
};

struct vfsmount {
    struct dentry *mnt_root;
    struct super_block *mnt_sb;
};

struct ns_common {
    unsigned int inum;
};

struct mnt_namespace {
    struct ns_common ns;
};

struct mount {
    struct mount *mnt_parent;
    struct dentry *mnt_mountpoint;
    struct vfsmount mnt;
    struct list_head mnt_mounts;
    struct list_head mnt_child;
    const char *mnt_devname;
    struct mnt_namespace *mnt_ns;
    int mnt_id;
};

struct path {
    struct vfsmount *mnt;
    struct dentry *dentry;
};

struct file {
    struct path f_path;
    struct inode *f_inode;
    unsigned int f_mode;
    unsigned int f_flags;
    void *private_data;
};

/* fs/internal.h: what an open is asked to do. */
struct open_flags {
    int open_flag;
    __u16 mode;
};

/* A path that was copied from the caller. */
struct filename {
    const char *name;
};

struct fdtable {
    unsigned int max_fds;
    struct file **fd;
};

struct files_struct {
    struct fdtable *fdt;
};

struct fs_struct {
    struct path root;
    struct path pwd;
};

/* The tree that finds things by number. */
struct xarray {
    void *xa_head;
};

struct xa_node {
    unsigned char shift;
    void *slots[1];
};

struct idr {
    struct xarray idr_rt;
    unsigned int idr_base;
};

struct user_namespace {
    struct ns_common ns;
};

struct pid_namespace {
    struct ns_common ns;
    struct idr idr;
};

struct cgroup_namespace {
    struct ns_common ns;
};

struct net {
    struct ns_common ns;
};

struct nsproxy {
    struct mnt_namespace *mnt_ns;
    struct net *net_ns;
    struct cgroup_namespace *cgroup_ns;
};

struct upid {
    int nr;
    struct pid_namespace *ns;
};

struct pid {
    unsigned int level;
    struct hlist_head tasks[1];
    struct upid numbers[1];
};

struct cred {
    kuid_t uid;
    kgid_t gid;
    kuid_t euid;
    kgid_t egid;
    kuid_t fsuid;
    kgid_t fsgid;
    /* struct { __u32 cap[2]; } up to 6.2, struct { __u64 val; } from 6.3: 64 bits either way. */
    struct {
    } cap_permitted;
    struct {
    } cap_effective;
    struct user_namespace *user_ns;
};

struct mm_struct {
    unsigned long start_stack, arg_start, arg_end, env_start, env_end;
    struct file *exe_file;
};

struct tty_struct {
    char name[64];
};

struct rlimit {
    unsigned long rlim_cur;
    unsigned long rlim_max;
};

struct vm_area_struct {
    unsigned long vm_start;
    unsigned long vm_end;
    unsigned long vm_flags;
};

struct bpf_map {
    enum bpf_map_type map_type;
    __u32 id;
    char name[16];
};

struct bpf_prog_aux {
    __u32 id;
    char name[16];
};

struct sock_fprog_kern;

struct bpf_prog {
    enum bpf_prog_type type;
    enum bpf_attach_type expected_attach_type;
    __u8 tag[8];
    struct bpf_prog_aux *aux;
    /* What a socket filter was made from. */
    struct sock_fprog_kern *orig_prog;
};

struct module {
    char name[56];
};

struct io_ring_ctx {
    unsigned int flags;
};

struct signal_struct {
    atomic_t live;
    struct rlimit rlim[16];
    struct pid *pids[4];
    unsigned int flags;
    int group_exit_code;
    struct tty_struct *tty;
};

/* linux/cgroup-defs.h; which subsystems exist depends on the configuration, so only names are used. */
enum cgroup_subsys_id {
    cpuset_cgrp_id,
    cpu_cgrp_id,
    memory_cgrp_id,
    devices_cgrp_id,
    freezer_cgrp_id,
    pids_cgrp_id,
};

struct kernfs_node {
    const char *name;
    __u64 id;
};

struct cgroup_root;

struct cgroup {
    int level;
    struct kernfs_node *kn;
    struct cgroup_root *root;
};

struct cgroup_subsys_state {
    struct cgroup *cgroup;
};

struct css_set {
    struct cgroup_subsys_state *subsys[16];
    struct cgroup *dfl_cgrp;
};

/* Only as far as both of x86 and arm64 know it. */
struct thread_info {
    unsigned long flags;
};

#if defined(__TARGET_ARCH_x86)
struct pt_regs {
    unsigned long bp, bx, r10, r9, r8, ax, cx, dx, si, di, orig_ax;
};
#elif defined(__TARGET_ARCH_arm64)
struct pt_regs {
    __u64 regs[31];
    __u64 orig_x0;
    __s32 syscallno;
};
#endif

struct task_struct {
    struct thread_info thread_info;
    void *stack;
    struct hlist_node pid_links[1];
    unsigned int flags;
    unsigned int ptrace;
    int exit_state;
    int exit_code;
    int pid;
    int tgid;
    struct task_struct *real_parent;
    struct task_struct *group_leader;
    struct list_head children;
    struct list_head sibling;
    struct pid *thread_pid;
    struct mm_struct *mm;
    const struct cred *cred;
    const struct cred *real_cred;
    char comm[16];
    struct fs_struct *fs;
    struct files_struct *files;
    struct nsproxy *nsproxy;
    struct signal_struct *signal;
    struct callback_head *task_works;
    kuid_t loginuid;
    unsigned int sessionid;
    struct css_set *cgroups;
};

struct linux_binprm {
    unsigned int secureexec : 1;
    struct file *file;
    int argc, envc;
    const char *filename;
    const char *interp;
};

/* fs/pipe.c */
struct pipe_buffer {
    unsigned int flags;
};

struct pipe_inode_info {
    unsigned int ring_size;
    struct pipe_buffer *bufs;
};

/* fs/proc/internal.h: a file below /proc/PID; `fd` is set below /proc/PID/fd. */
struct proc_inode {
    struct pid *pid;
    unsigned int fd;
    struct inode vfs_inode;
};

struct ovl_inode {
    struct inode vfs_inode;
    struct dentry *__upperdentry;
};

/* The contexts of perf tracepoints: tracefs format files. */
struct trace_event_raw_sys_enter {
    long id;
    unsigned long args[6];
};

struct trace_event_raw_sys_exit {
    long id;
    long ret;
};

/* sched_process_fork */
struct trace_event_raw_sched_process_fork {
    int child_pid;
};

/* sched_process_exec. Of a string there is its offset, and above it its length. */
struct trace_event_raw_sched_process_exec {
    __u32 __data_loc_filename;
    int old_pid;
};

/* cgroup_attach_task */
struct trace_event_raw_cgroup_migrate {
    int pid;
};

/* module_load, module_free */
struct trace_event_raw_module_load {
    __u32 __data_loc_name;
};

struct trace_event_raw_module_free {
    __u32 __data_loc_name;
};

/* net_dev_queue, netif_receive_skb */
struct trace_event_raw_net_dev_template {
    void *skbaddr;
};

struct seq_file;

struct bpf_iter_meta {
    struct seq_file *seq;
    __u64 session_id;
    __u64 seq_num;
};

struct bpf_iter__task {
    struct bpf_iter_meta *meta;
    struct task_struct *task;
};

struct bpf_iter__bpf_map_elem {
    struct bpf_iter_meta *meta;
    void *key;
    void *value;
};

#pragma clang attribute pop

#endif /* KERNEL_H */
