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
#define DEFERRED_RELEASES_MAX BOUND(1024, 4 * RELEASES_PER_CALL)
/* Turns of a function that looks at them, for old kernels of a stage. It must divide their number. */
#define RELEASES_PER_CALL 16

#ifdef CWS_OLD_KERNEL
/* Arguments or environment that are still to be sent in pieces. */
struct chunks_left {
    __u64 address;
    __u64 bytes;
    __u64 offset;
};
#endif

struct script_search {
    /* Addresses: of the next entry, and of the oldest file so far. */
    __u64 work;
    __u64 oldest;
    /* The kernel's ____fput. */
    __u64 callback;
    /* EXEC_FLAG_*, ERROR_*: of the exec record that is made. */
    __u32 flags;
    __u32 errors;
#ifdef CWS_OLD_KERNEL
    struct chunks_left args_left;
    struct chunks_left envs_left;
    /* Runs of the stage. */
    __u64 runs;
#endif
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
    for (int i = 0; i < RELEASES_PER_CALL; i++) {
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

/* Begins at the newest. False if there is nothing to look at. */
static __always_inline bool script__begin(struct script_search *search, struct task_struct *task)
{
    search->oldest = 0;
    search->callback = SETTING(fput_callback);
    search->work = search->callback ? (__u64)BPF_CORE_READ(task, task_works) : 0;
    return search->work;
}

/* Address of the file that stands for the script, 0 if it can't be found. */
__noinline __u64 script__find(__u64 task_address)
{
    struct script_search *search = script__scratch();

    if (!search)
        return 0;
#ifndef CWS_OLD_KERNEL
    script__begin(search, (void *)task_address);
    for (int i = 0; i < DEFERRED_RELEASES_MAX / RELEASES_PER_CALL; i++)
        if (!script__find_some())
            break;
#endif
    /* For old kernels a stage has searched. */
    return search->oldest;
}

/*
 * The script, where nothing but what the kernel keeps of the process tells whether there was one: a file that
 * was opened for execution and has been closed can also be the image of before. The process has got its name
 * from the file that was asked for; an interpreter has another one, and so has the image of before, unless it
 * is the same file.
 */
static __always_inline struct file *exec__supposed_script(struct task_struct *task, struct file *image)
{
    struct file *script = (struct file *)script__find((__u64)task);
    __u64 asked[2] = {}, found[2] = {};

    if (!script || BPF_CORE_READ(script, f_inode) == BPF_CORE_READ(image, f_inode))
        return NULL;
    BPF_CORE_READ_STR_INTO((char(*)[16])asked, task, comm);
    bpf_probe_read_kernel_str(found, sizeof(found), BPF_CORE_READ(script, f_path.dentry, d_name.name));
    return asked[0] == found[0] && asked[1] == found[1] ? script : NULL;
}

#endif /* SCRIPT_H */
