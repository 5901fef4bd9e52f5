/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Every difference between kernels that the programs know of, with the version that brought it. Readers are
 * named after what they give. The suffix behind ___ is dropped when libbpf looks for a type.
 */
#ifndef COMPAT_H
#define COMPAT_H

#include "settings.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

/* task_struct.real_start_time became start_boottime in 5.5 (cf25e24db61c). */
struct task_struct___before_5_5 {
    __u64 real_start_time;
};
struct task_struct___since_5_5 {
    __u64 start_boottime;
};

/* The numbers of a task: links of its own up to 4.18; thread_pid, pid_links and signal->pids since 4.19
 * (2c4704756cab, 1fb53567a313: one more type of them). */
struct pid_link {
    struct hlist_node node;
    struct pid *pid;
};
struct task_struct___before_4_19 {
    struct pid_link pids[1];
};

/* task_struct.self_exec_id: 32 bits up to 5.6, 64 from 5.7 (d1e7fd6462ca). */
struct task_struct___exec_id {
    __u64 self_exec_id;
};

/* task_struct.io_uring: 5.10 (0f2122045b94). The flag of its workers meant something else before. */
struct task_struct___since_5_10 {
    void *io_uring;
};

/* kernfs_node.id: a union of inode number and generation up to 5.4, one number from 5.5 (67c0496e87d1). */
struct kernfs_node___before_5_5 {
    union kernfs_node_id {
        struct {
            __u32 ino;
        };
    } id;
};

/* The ring of a pipe: curbuf, nrbufs and buffers up to 5.4; head and ring_size from 5.5 (8cefc107ca54). */
struct pipe_inode_info___before_5_5 {
    unsigned int nrbufs, curbuf, buffers;
};

/* The tree of numbers: a radix tree up to 4.19, whose marks differ; an xarray from 4.20 (f8d5d0cc145c). */
struct radix_tree_root___before_4_20 {
    void *rnode;
};
struct radix_tree_node___before_4_20 {
    unsigned char shift;
    void *slots[1];
};
struct idr___before_4_20 {
    struct radix_tree_root___before_4_20 idr_rt;
};

/* struct bpf_link: 5.7. */
struct bpf_link___since_5_7 {
    struct bpf_prog *prog;
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

/* An anonymous mount namespace (fsmount, open_tree) has sequence number 0: 5.2 (74e831221cfd) to 6.17; since
 * 6.18 a reserved inode number. */
struct mnt_namespace___sequence {
    __u64 seq;
};
enum init_ns_ino {
    /* Not its value, which clang's BTF takes for a negative one; the kernel's own is put in its place. */
    MNT_NS_ANON_INO = 1,
};

/* The mounts of a namespace, youngest last, up to 6.7 (2eea9ce4310d). */
struct mnt_namespace___up_to_6_7 {
    struct list_head list;
};
struct mount___up_to_6_7 {
    struct list_head mnt_list;
};

/* The hash of a name, below its length. */
struct qstr___hashed {
    __u64 hash_len;
};
struct dentry___hashed {
    struct qstr___hashed d_name;
};

/* Children of a dentry: list d_subdirs, linked by d_child, up to 6.7; hlist d_children by d_sib from 6.8
 * (da549bdd15c2). New ones come first in both. */
struct dentry___before_6_8 {
    struct list_head d_child;
    struct list_head d_subdirs;
};
struct dentry___since_6_8 {
    struct hlist_node d_sib;
    struct hlist_head d_children;
};

/* The flags of dentries were macros up to 6.12 at least; in 6.18 they are an enumeration, with other values.
 */
enum dentry_flags___named {
    DCACHE_MOUNTED___named = 1 << 15,
};
#define DCACHE_MOUNTED_UNNAMED 0x00010000

/* The index of the next buffer: an unsigned int of the pipe, since 6.14 (3d252160b818) a pipe_index_t, which
 * is as wide on 64-bit kernels. */
struct pipe_inode_info___head {
    unsigned int head;
};

/* The mappings of a process: a red-black tree up to 6.0, a maple tree since 6.1 (d4af56c5c7c6). */
struct rb_node {
    struct rb_node *rb_right;
    struct rb_node *rb_left;
};
struct rb_root {
    struct rb_node *rb_node;
};
struct mm_struct___before_6_1 {
    struct rb_root mm_rb;
};
struct vm_area_struct___before_6_1 {
    struct rb_node vm_rb;
};
struct maple_tree {
    void *ma_root;
};
struct mm_struct___since_6_1 {
    struct maple_tree mm_mt;
};
struct maple_range_64 {
    unsigned long pivot[1];
    void *slot[1];
};
struct maple_arange_64 {
    unsigned long pivot[1];
    void *slot[1];
};

/* x86: thread_info.status; TS_COMPAT marks a task in a 32-bit call. arm64: a bit of thread_info.flags. */
struct thread_info___x86 {
    __u32 status;
};
#define TS_COMPAT 0x0002
#define TIF_32BIT 22

#pragma clang attribute pop

/* Bytes of a thread's stack in the kernel, without KASAN: arch/x86/include/asm/page_64_types.h,
 * arch/arm64/include/asm/memory.h. There it is at least a page, which may have 64 KiB (RHEL 8), so user space
 * tells. */
#if defined(__TARGET_ARCH_x86)
#define THREAD_SIZE 16384
#else
#define THREAD_SIZE SETTING(thread_size)
#endif

/*
 * The registers with which the current task entered the kernel. A system call leaves its arguments in them,
 * so at its end they tell what it was called with, whatever happened to the caller's memory meanwhile.
 */
static __always_inline struct pt_regs *task__entry_registers(void)
{
    void *stack;

#ifndef CWS_OLD_KERNEL
    /* 5.15 (dd6e10fbd9fb). The place moves with FRED (6.9), which has this helper. */
    if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_task_pt_regs))
        return (void *)bpf_task_pt_regs((void *)bpf_get_current_task_btf());
#endif
    stack = BPF_CORE_READ((struct task_struct *)bpf_get_current_task(), stack);
    return stack + THREAD_SIZE - bpf_core_type_size(struct pt_regs);
}

/* True during a call by which a 32-bit program enters a 64-bit kernel. */
static __always_inline bool task__in_compat_call(struct task_struct *task)
{
#if defined(__TARGET_ARCH_x86)
    struct thread_info___x86 *info = (void *)task + bpf_core_field_offset(struct task_struct, thread_info);

    return BPF_CORE_READ(info, status) & TS_COMPAT;
#else
    return BPF_CORE_READ(task, thread_info.flags) & (1UL << TIF_32BIT);
#endif
}

/* True if a file system is mounted on this dentry, in some mount. */
static __always_inline bool dentry__is_mountpoint(struct dentry *dentry)
{
    __u32 flags = BPF_CORE_READ(dentry, d_flags);

    if (bpf_core_enum_value_exists(enum dentry_flags___named, DCACHE_MOUNTED___named))
        return flags & bpf_core_enum_value(enum dentry_flags___named, DCACHE_MOUNTED___named);
    return flags & DCACHE_MOUNTED_UNNAMED;
}

/* The dentry of which `link` is the d_child, up to 6.7; NULL at the end of the list, which is the head in
 * `parent`. */
static __always_inline struct dentry *dentry__of_child_link(struct dentry *parent, void *link)
{
    struct dentry *child = link - bpf_core_field_offset(struct dentry___before_6_8, d_child);

    /* Taken for a dentry, the head has no such parent. */
    return BPF_CORE_READ(child, d_parent) == parent ? child : NULL;
}

/* The newest cached child of a directory, NULL if there is none. */
static __always_inline struct dentry *dentry__first_child(struct dentry *parent)
{
    struct dentry___since_6_8 *now = (void *)parent;
    struct dentry___before_6_8 *old = (void *)parent;
    void *link;

    if (bpf_core_field_exists(now->d_children)) {
        link = BPF_CORE_READ(now, d_children.first);
        return link ? link - bpf_core_field_offset(now->d_sib) : NULL;
    }
    return dentry__of_child_link(parent, BPF_CORE_READ(old, d_subdirs.next));
}

/* The child that was cached before `child`. */
static __always_inline struct dentry *dentry__next_child(struct dentry *parent, struct dentry *child)
{
    struct dentry___since_6_8 *now = (void *)child;
    struct dentry___before_6_8 *old = (void *)child;
    void *link;

    if (bpf_core_field_exists(now->d_sib)) {
        link = BPF_CORE_READ(now, d_sib.next);
        return link ? link - bpf_core_field_offset(now->d_sib) : NULL;
    }
    return dentry__of_child_link(parent, BPF_CORE_READ(old, d_child.next));
}

/* Buffers of a pipe: a power of two. */
static __always_inline __u32 pipe__size(struct pipe_inode_info *pipe)
{
    if (bpf_core_field_exists(pipe->ring_size))
        return BPF_CORE_READ(pipe, ring_size);
    return BPF_CORE_READ((struct pipe_inode_info___before_5_5 *)pipe, buffers);
}

/* The buffer that is filled next, of as many as there are and more. */
static __always_inline __u32 pipe__head(struct pipe_inode_info *pipe)
{
    struct pipe_inode_info___before_5_5 *old = (void *)pipe;

    if (bpf_core_field_exists(pipe->ring_size))
        return BPF_CORE_READ((struct pipe_inode_info___head *)pipe, head);
    return BPF_CORE_READ(old, curbuf) + BPF_CORE_READ(old, nrbufs);
}

/* The thread's number. */
static __always_inline struct pid *task__pid(struct task_struct *task)
{
    if (bpf_core_field_exists(task->thread_pid))
        return BPF_CORE_READ(task, thread_pid);
    return BPF_CORE_READ((struct task_struct___before_4_19 *)task, pids[0].pid);
}

/* The task whose link of the first type is `node`. */
static __always_inline struct task_struct *task__of_pid_link(struct hlist_node *node)
{
    if (bpf_core_field_exists(struct task_struct, pid_links))
        return (void *)node - bpf_core_field_offset(struct task_struct, pid_links);
    return (void *)node - bpf_core_field_offset(struct task_struct___before_4_19, pids);
}

/* The number of the task's process group. */
static __always_inline struct pid *task__process_group(struct task_struct *task)
{
    struct task_struct *leader;
    struct pid *pid = NULL;

    if (bpf_core_field_exists(struct signal_struct, pids))
        return BPF_CORE_READ(task, signal, pids[PIDTYPE_PGID]);
    leader = BPF_CORE_READ(task, group_leader);
    bpf_probe_read_kernel(&pid, sizeof(pid),
                          (void *)leader + bpf_core_field_offset(struct task_struct___before_4_19, pids) +
                              PIDTYPE_PGID_BEFORE_4_19 * bpf_core_type_size(struct pid_link) +
                              bpf_core_field_offset(struct pid_link, pid));
    return pid;
}

/* Counts executions of programs; 0 on a kernel that does not tell. */
static __always_inline __u64 task__exec_id(struct task_struct *task)
{
    struct task_struct___exec_id *with_id = (void *)task;

    if (!bpf_core_field_exists(with_id->self_exec_id))
        return 0;
    if (bpf_core_field_size(with_id->self_exec_id) == sizeof(__u32)) {
        __u32 id = 0;

        bpf_probe_read_kernel(&id, sizeof(id),
                              (void *)task +
                                  bpf_core_field_offset(struct task_struct___exec_id, self_exec_id));
        return id;
    }
    return BPF_CORE_READ(with_id, self_exec_id);
}

/* Whether a task with these PF_* works for a process (io_uring). */
static __always_inline bool task_flags__are_of_io_worker(__u32 flags)
{
    return bpf_core_field_exists(struct task_struct___since_5_10, io_uring) &&
           flags & (PF_IO_WORKER | PF_USER_WORKER);
}

/* The number of the directory of a control group. */
static __always_inline __u64 kernfs__inode(struct kernfs_node *node)
{
    if (bpf_core_field_exists(node->id))
        return BPF_CORE_READ(node, id);
    return BPF_CORE_READ((struct kernfs_node___before_5_5 *)node, id.ino);
}

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

    if (bpf_core_field_exists(with_sequence->seq))
        return BPF_CORE_READ(with_sequence, seq) == 0;
    return bpf_core_enum_value_exists(enum init_ns_ino, MNT_NS_ANON_INO) &&
           BPF_CORE_READ(ns, ns.inum) == (__u32)bpf_core_enum_value(enum init_ns_ino, MNT_NS_ANON_INO);
}

#endif /* COMPAT_H */
