/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Every difference between kernels that the programs know of, with the version that brought it. Readers are
 * named after what they give. The suffix behind ___ is dropped when libbpf looks for a type.
 */
#ifndef COMPAT_H
#define COMPAT_H

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

/* task_struct.real_start_time became start_boottime in 5.5 (cf25e24db61c). */
struct task_struct___before_5_5 {
    __u64 real_start_time;
};
struct task_struct___since_5_5 {
    __u64 start_boottime;
};

/* inode times: struct timespec64 i_ctime up to 6.5, __i_ctime from 6.6 (13bc24457850), __i_mtime from 6.7,
 * split in seconds and nanoseconds from 6.11 (3aa63a569c64). From 6.13 the top bit of i_ctime_nsec tells that
 * someone looked (multigrain timestamps, 4e40eff0b573). */
#define I_CTIME_QUERIED 0x80000000u
struct inode___before_6_6 {
    struct timespec64 i_ctime;
    struct timespec64 i_mtime;
};
struct inode___since_6_6 {
    struct timespec64 __i_ctime;
};
struct inode___since_6_7 {
    struct timespec64 __i_mtime;
};
struct inode___since_6_11 {
    __s64 i_ctime_sec;
    __s64 i_mtime_sec;
    __u32 i_ctime_nsec;
    __u32 i_mtime_nsec;
};

/* kernfs_node.parent became __parent in 6.15 (633488947ef6). */
struct kernfs_node___before_6_15 {
    struct kernfs_node *parent;
};
struct kernfs_node___since_6_15 {
    struct kernfs_node *__parent;
};

/* The list link by which fput() defers the release of a file: f_u.fu_rcuhead up to 5.15, f_rcuhead in 6.0,
 * f_task_work from 6.10 (or beside f_llist: 6.5); the union's name went away with 5.18. */
struct file___before_6_0 {
    union {
        struct callback_head fu_rcuhead;
    } f_u;
};
struct file___since_6_0 {
    struct callback_head f_rcuhead;
};
struct file___since_6_10 {
    struct callback_head f_task_work;
};

/* linux_binprm.executable: 5.8 (b8a61c9e7b4a); fdpath: 5.12. */
struct linux_binprm___since_5_8 {
    struct file *executable;
};
struct linux_binprm___fdpath {
    const char *fdpath;
};

/* An anonymous mount namespace (fsmount, open_tree) has sequence number 0: 5.2 (74e831221cfd) to 6.17. */
struct mnt_namespace___sequence {
    __u64 seq;
};

#pragma clang attribute pop

static __always_inline __u64 task__start_time_ns(struct task_struct *task)
{
    struct task_struct___since_5_5 *now = (void *)task;
    struct task_struct___before_5_5 *old = (void *)task;

    if (bpf_core_field_exists(now->start_boottime))
        return BPF_CORE_READ(now, start_boottime);
    return BPF_CORE_READ(old, real_start_time);
}

static __always_inline __u64 timespec__ns(struct timespec64 time)
{
    return (__u64)time.tv_sec * 1000000000ULL + (__u64)time.tv_nsec;
}

static __always_inline __u64 inode__change_time_ns(struct inode *inode)
{
    struct inode___since_6_11 *since_6_11 = (void *)inode;
    struct inode___since_6_6 *since_6_6 = (void *)inode;
    struct inode___before_6_6 *old = (void *)inode;

    if (bpf_core_field_exists(since_6_11->i_ctime_sec))
        return (__u64)BPF_CORE_READ(since_6_11, i_ctime_sec) * 1000000000ULL +
               (BPF_CORE_READ(since_6_11, i_ctime_nsec) & ~I_CTIME_QUERIED);
    if (bpf_core_field_exists(since_6_6->__i_ctime))
        return timespec__ns(BPF_CORE_READ(since_6_6, __i_ctime));
    return timespec__ns(BPF_CORE_READ(old, i_ctime));
}

static __always_inline __u64 inode__modification_time_ns(struct inode *inode)
{
    struct inode___since_6_11 *since_6_11 = (void *)inode;
    struct inode___since_6_7 *since_6_7 = (void *)inode;
    struct inode___before_6_6 *old = (void *)inode;

    if (bpf_core_field_exists(since_6_11->i_mtime_sec))
        return (__u64)BPF_CORE_READ(since_6_11, i_mtime_sec) * 1000000000ULL +
               BPF_CORE_READ(since_6_11, i_mtime_nsec);
    if (bpf_core_field_exists(since_6_7->__i_mtime))
        return timespec__ns(BPF_CORE_READ(since_6_7, __i_mtime));
    return timespec__ns(BPF_CORE_READ(old, i_mtime));
}

static __always_inline struct kernfs_node *kernfs__parent(struct kernfs_node *node)
{
    struct kernfs_node___since_6_15 *now = (void *)node;
    struct kernfs_node___before_6_15 *old = (void *)node;

    if (bpf_core_field_exists(now->__parent))
        return BPF_CORE_READ(now, __parent);
    return BPF_CORE_READ(old, parent);
}

/* The file whose deferred release `work` stands for. */
static __always_inline struct file *file__of_deferred_release(struct callback_head *work)
{
    struct file___since_6_10 *since_6_10 = NULL;
    struct file___since_6_0 *since_6_0 = NULL;
    struct file___before_6_0 *old = NULL;

    if (bpf_core_field_exists(since_6_10->f_task_work))
        return (void *)work - bpf_core_field_offset(since_6_10->f_task_work);
    if (bpf_core_field_exists(since_6_0->f_rcuhead))
        return (void *)work - bpf_core_field_offset(since_6_0->f_rcuhead);
    if (bpf_core_field_exists(old->f_u))
        return (void *)work - bpf_core_field_offset(old->f_u);
    return NULL;
}

/* A file that stays open for binfmt_misc's interpreter. */
static __always_inline struct file *binprm__executable(struct linux_binprm *bprm)
{
    struct linux_binprm___since_5_8 *now = (void *)bprm;

    return bpf_core_field_exists(now->executable) ? BPF_CORE_READ(now, executable) : NULL;
}

/* The name made up for a descriptor; NULL when the program was named by path. */
static __always_inline const char *binprm__fdpath(struct linux_binprm *bprm)
{
    struct linux_binprm___fdpath *now = (void *)bprm;

    return bpf_core_field_exists(now->fdpath) ? BPF_CORE_READ(now, fdpath) : NULL;
}

static __always_inline bool mnt_namespace__is_anonymous(struct mnt_namespace *ns)
{
    struct mnt_namespace___sequence *with_sequence = (void *)ns;

    return bpf_core_field_exists(with_sequence->seq) && BPF_CORE_READ(with_sequence, seq) == 0;
}

#endif /* COMPAT_H */
