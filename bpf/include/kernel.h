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
#define BPF_MAP_TYPE_ARRAY        2
#define BPF_MAP_TYPE_PERCPU_ARRAY 6
#define BPF_MAP_TYPE_LRU_HASH     9
#define BPF_MAP_TYPE_RINGBUF      27
#define BPF_ANY                   0

/* linux/sched.h */
#define PF_IO_WORKER   0x00000010
#define PF_WQ_WORKER   0x00000020
#define PF_FORKNOEXEC  0x00000040
#define PF_USER_WORKER 0x00004000
#define PF_KTHREAD     0x00200000

/* linux/sched/signal.h */
#define SIGNAL_GROUP_EXIT 0x00000004

/* linux/fs.h: opened for execution. In f_flags (as __FMODE_EXEC) on every kernel, in f_mode up to 6.x. */
#define FMODE_EXEC 0x20

/* uapi/linux/stat.h */
#define S_IFMT  0170000
#define S_IFREG 0100000

/* uapi/linux/magic.h */
#define OVERLAYFS_SUPER_MAGIC 0x794c7630

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
};

struct dentry {
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

struct user_namespace {
    struct ns_common ns;
};

struct pid_namespace {
    struct ns_common ns;
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
    unsigned long arg_start, arg_end, env_start, env_end;
    struct file *exe_file;
};

struct tty_struct {
    char name[64];
};

struct signal_struct {
    atomic_t live;
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

struct task_struct {
    unsigned int flags;
    unsigned int ptrace;
    int exit_state;
    int exit_code;
    int pid;
    int tgid;
    struct task_struct *real_parent;
    struct task_struct *group_leader;
    struct pid *thread_pid;
    struct mm_struct *mm;
    const struct cred *cred;
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

#pragma clang attribute pop

#endif /* KERNEL_H */
