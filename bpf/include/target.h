/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The process that a call acts on. It is looked up when the call begins, since it may be gone when the call
 * ends: by number in the kernel's own tree of the caller's pid namespace, or behind a pidfd.
 */
#ifndef TARGET_H
#define TARGET_H

/* Levels of 64 ways each; numbers have 22 bits at most. */
#define PID_TREE_LEVELS 6

/* By thread; an LRU so that calls whose exit was missed can't fill it. */
struct target_before {
    struct target target;
    /* SIGNAL_FLAG_* */
    __u32 flags;
    __u32 form;
};

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 4096);
    __type(key, __u64);
    __type(value, struct target_before);
} targets_before SEC(".maps");

/* What the last look-up on this CPU has found. */
struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct target_before);
} target_scratch SEC(".maps");

static __always_inline struct target_before *target__scratch(void)
{
    __u32 zero = 0;

    return bpf_map_lookup_elem(&target_scratch, &zero);
}

/* Marked pointers (lib/xarray): an inner node, as long as it is none of the small special values. */
static __always_inline bool xa__is_node(__u64 entry)
{
    return (entry & 3) == 2 && entry > 4096;
}

/* The lowest number, which a tree begins with (4.16, 6ce711f27500). */
static __always_inline __u64 pid_namespace__first_number(struct pid_namespace *namespace)
{
    return bpf_core_field_exists(namespace->idr.idr_base) ? BPF_CORE_READ(namespace, idr.idr_base) : 0;
}

#ifdef CWS_OLD_KERNEL

/* Up to 4.19 the tree is a radix tree: inner nodes have another mark (lib/radix-tree.c). */
static __always_inline bool radix__is_node(__u64 entry)
{
    return (entry & 3) == 1;
}

__noinline __u64 pid_namespace__find_before_4_20(__u64 namespace_address, __u64 number)
{
    struct pid_namespace *namespace = (void *)namespace_address;
    struct idr___before_4_20 *idr = (void *)&namespace->idr;
    __u64 entry = (__u64)BPF_CORE_READ(idr, idr_rt.rnode);
    __u64 index = number - pid_namespace__first_number(namespace);
    __u64 slots = bpf_core_field_size(struct radix_tree_node___before_4_20, slots) / sizeof(void *);

    WRITTEN_OUT
    for (int level = 0; level < PID_TREE_LEVELS; level++) {
        STOP_IF(!radix__is_node(entry));
        struct radix_tree_node___before_4_20 *node = (void *)(entry - 1);
        __u64 slot = index >> (BPF_CORE_READ(node, shift) & 63);

        if (level == 0 && slot >= slots)
            return 0;
        slot &= slots - 1;
        bpf_probe_read_kernel(&entry, sizeof(entry),
                              (void *)node +
                                  bpf_core_field_offset(struct radix_tree_node___before_4_20, slots) +
                                  slot * sizeof(void *));
    }
    return entry > 4096 && !(entry & 3) ? entry : 0;
}

#endif

/* Address of the struct pid with this number; 0 if there is none. */
__noinline __u64 pid_namespace__find(__u64 namespace_address, __u64 number)
{
    struct pid_namespace *namespace = (void *)namespace_address;
#ifdef CWS_OLD_KERNEL
    if (!bpf_core_type_exists(struct xa_node))
        return pid_namespace__find_before_4_20(namespace_address, number);
#endif
    __u64 entry = (__u64)BPF_CORE_READ(namespace, idr.idr_rt.xa_head);
    __u64 index = number - pid_namespace__first_number(namespace);
    __u64 slots = bpf_core_field_size(struct xa_node, slots) / sizeof(void *);

    WRITTEN_OUT
    for (int level = 0; level < PID_TREE_LEVELS; level++) {
        STOP_IF(!xa__is_node(entry));
        struct xa_node *node = (void *)(entry - 2);
        __u64 slot = index >> (BPF_CORE_READ(node, shift) & 63);

        if (level == 0 && slot >= slots)
            return 0;
        slot &= slots - 1;
        bpf_probe_read_kernel(&entry, sizeof(entry),
                              (void *)node + bpf_core_field_offset(struct xa_node, slots) +
                                  slot * sizeof(void *));
    }
    return entry > 4096 && !(entry & 3) ? entry : 0;
}

/* The pid namespace whose numbers a task uses. */
static __always_inline struct pid_namespace *task__pid_namespace(struct task_struct *task)
{
    struct pid *pid = task__pid(task);
    struct upid *number = (void *)pid + bpf_core_field_offset(struct pid, numbers) +
                          (__u64)BPF_CORE_READ(pid, level) * bpf_core_type_size(struct upid);

    return BPF_CORE_READ(number, ns);
}

/* The task that has a struct pid as its thread id; NULL if it has ended. */
static __always_inline struct task_struct *pid__task(struct pid *pid)
{
    struct hlist_node *node = pid ? BPF_CORE_READ(pid, tasks[0].first) : NULL;

    return node ? task__of_pid_link(node) : NULL;
}

static __always_inline void target__set(struct target *target, struct task_struct *task)
{
    struct task_struct *leader = BPF_CORE_READ(task, group_leader);

    target->pid = BPF_CORE_READ(task, tgid);
    target->start_time_ns = task__start_time_ns(leader);
}

/* Sets the target to the leader of the group of a task, if it is alive. */
static __always_inline void target__set_group(struct target *target, struct task_struct *task)
{
    struct task_struct *leader = pid__task(task__process_group(task));

    if (leader)
        target__set(target, leader);
}

/* Sets the target to the process with this number, as `task` counts. */
static __always_inline void target__find(struct target *target, struct task_struct *task, __s32 number)
{
    struct task_struct *found;

    target->given = number;
    if (number <= 0)
        return;
    found = pid__task((void *)pid_namespace__find((__u64)task__pid_namespace(task), number));
    if (found)
        target__set(target, found);
}

/* The struct pid behind a file: a pidfd, or the directory of a process in /proc. */
static __always_inline struct pid *file__pid(struct file *file)
{
    struct inode *inode;
    __u64 magic;

    if (!file)
        return NULL;
    inode = BPF_CORE_READ(file, f_inode);
    magic = BPF_CORE_READ(inode, i_sb, s_magic);
    /* A file system of their own since 6.9 (cb12fd8e0dab). */
    if (magic == PID_FS_MAGIC)
        return BPF_CORE_READ(inode, i_private);
    if (magic == PROC_SUPER_MAGIC)
        return BPF_CORE_READ(
            (struct proc_inode *)((void *)inode - bpf_core_field_offset(struct proc_inode, vfs_inode)), pid);
    if (file__is_anonymous(file, ANONYMOUS_PIDFD))
        return BPF_CORE_READ(file, private_data);
    return NULL;
}

/* Sets the target to the process behind a pidfd of `task`. */
static __always_inline void target__find_descriptor(struct target *target, struct task_struct *task,
                                                    __s32 descriptor)
{
    struct task_struct *found = NULL;

    if (descriptor == PIDFD_SELF_THREAD || descriptor == PIDFD_SELF_THREAD_GROUP)
        found = task;
    else
        found = pid__task(file__pid(task__file(task, descriptor)));
    if (found)
        target__set(target, found);
}

/* Keeps what the scratch holds until the exit of the call. */
static __always_inline void target__remember(struct target_before *before, __u32 form)
{
    __u64 thread = bpf_get_current_pid_tgid();
    /* Before 4.18 (d71962f3e627) maps take values from the stack alone. */
    struct target_before kept = *before;

    kept.form = form;
    bpf_map_update_elem(&targets_before, &thread, &kept, BPF_ANY);
}

static __always_inline void target__forget(void)
{
    __u64 thread = bpf_get_current_pid_tgid();

    bpf_map_delete_elem(&targets_before, &thread);
}

/* What was kept of the call; NULL if its entry was not seen. */
static __always_inline struct target_before *target__recall(__u32 form)
{
    __u64 thread = bpf_get_current_pid_tgid();
    struct target_before *before = bpf_map_lookup_elem(&targets_before, &thread);

    return before && before->form == form ? before : NULL;
}

#endif /* TARGET_H */
