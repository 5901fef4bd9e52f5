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
#define DEFERRED_RELEASES_MAX 1024

/* Address of the kernel's ____fput, from /proc/kallsyms; 0 if it can't be told. */
const volatile __u64 fput_callback = 0;

/* Address of the file that stands for the script, 0 if it can't be found. */
__noinline __u64 script__find(__u64 task_address)
{
    struct task_struct *task = (void *)task_address;
    struct callback_head *work = BPF_CORE_READ(task, task_works);
    __u64 oldest = 0;

    if (!fput_callback)
        return 0;
    /* The newest comes first. */
    for (int i = 0; i < DEFERRED_RELEASES_MAX && work; i++) {
        if ((__u64)BPF_CORE_READ(work, func) == fput_callback) {
            struct file *file = file__of_deferred_release(work);

            if (file && (BPF_CORE_READ(file, f_flags) | BPF_CORE_READ(file, f_mode)) & FMODE_EXEC)
                oldest = (__u64)file;
        }
        work = BPF_CORE_READ(work, next);
    }
    return oldest;
}

#endif /* SCRIPT_H */
