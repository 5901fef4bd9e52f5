/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The script that an exec was asked for, when what runs is its interpreter.
 *
 * By the time the new image is in place the kernel has closed the script: bprm holds only the string that the
 * caller gave, and a link in it could have been swapped meanwhile. But the release of a file is deferred to
 * the task's return to user mode (fput → task_work), so the script still hangs in task->task_works, and it is
 * the first file opened for execution that this call released: the kernel drops it before it opens anything
 * else (exec_binprm), and what is mapped (ld.so, the old image) is not released. That gives the real object
 * with tracepoints alone.
 */
#ifndef SCRIPT_H
#define SCRIPT_H

/* Entries of task_works that are looked at: an exec releases the script, its interpreters (at most 5 levels),
 * ld.so, the old image and the close-on-exec descriptors. */
#define DEFERRED_RELEASES_MAX BOUND(1024, 16)

struct script_search {
    /* Addresses: of the next entry, and of the oldest file so far. */
    __u64 work;
    __u64 oldest;
    /* The kernel's ____fput. */
    __u64 callback;
    /* EXEC_FLAG_*, ERROR_*: of the exec record that is made. */
    __u32 flags;
    __u32 errors;
};

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct script_search);
} script_scratch SEC(".maps");

static __always_inline struct script_search *script__scratch(void)
{
    __u32 zero = 0;

    return bpf_map_lookup_elem(&script_scratch, &zero);
}

/* Looks at the next entries. True if there may be more. */
__noinline int script__find_some(void)
{
    struct script_search *search = script__scratch();
    struct callback_head *work;

    if (!search)
        return false;
    work = (void *)search->work;
    WRITTEN_OUT
    for (int i = 0; i < TURNS_PER_CALL; i++) {
        STOP_IF(!work);
        if ((__u64)BPF_CORE_READ(work, func) == search->callback) {
            struct file *file = file__of_deferred_release(work);

            if (file && (BPF_CORE_READ(file, f_flags) | BPF_CORE_READ(file, f_mode)) & FMODE_EXEC)
                search->oldest = (__u64)file;
        }
        work = BPF_CORE_READ(work, next);
    }
    search->work = (__u64)work;
    return work != NULL;
}

/* Address of the file that stands for the script, 0 if it can't be found. */
__noinline __u64 script__find(__u64 task_address)
{
    struct task_struct *task = (void *)task_address;
    struct script_search *search = script__scratch();

    if (!search)
        return 0;
    search->callback = SETTING(fput_callback);
    if (!search->callback)
        return 0;
    /* The newest comes first. */
    search->work = (__u64)BPF_CORE_READ(task, task_works);
    search->oldest = 0;
    WRITTEN_OUT
    for (int i = 0; i < DEFERRED_RELEASES_MAX / TURNS_PER_CALL; i++)
        if (!script__find_some())
            break;
    return search->oldest;
}

#endif /* SCRIPT_H */
