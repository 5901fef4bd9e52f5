/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The processes that already run, as exec records flagged synthetic: the output of reading the iterator is a
 * sequence of records. Arguments and environment are missing, because an iterator can't fault in the memory
 * of another process; user space adds them from /proc.
 */

SEC("iter/task")
int snapshot_task(struct bpf_iter__task *ctx)
{
    struct seq_file *seq = ctx->meta->seq;
    struct task_struct *task = task__untyped(ctx->task);
    struct record *record = record__scratch();
    struct exec_body *body;
    struct builder builder = {};
    struct file *image;
    __u64 size;

    if (!task || !record)
        return 0;
    /* Threads share their leader's record, zombies have ended, kernel threads run no program. Any other
     * process counts, also one whose program's file is gone (PR_SET_MM, or unmapped on old kernels): it has
     * children. */
    if (BPF_CORE_READ(task, pid) != BPF_CORE_READ(task, tgid) || BPF_CORE_READ(task, exit_state))
        return 0;
    if (!BPF_CORE_READ(task, mm) || BPF_CORE_READ(task, flags) & PF_KTHREAD)
        return 0;
    image = BPF_CORE_READ(task, mm, exe_file);

    body = &record->exec;
    builder.record = record;
    builder.used = BODY_OFFSET + sizeof(*body);
    header__fill(&record->header, KIND_EXEC, 0);
    record->header.flags = RECORD_FLAG_SYNTHETIC;
    context__fill(&record->context, task);
    __builtin_memset(body, 0, sizeof(*body));
    body->caller_tid = record->context.tid;
    body->args_size = BPF_CORE_READ(task, mm, arg_end) - BPF_CORE_READ(task, mm, arg_start);
    body->envs_size = BPF_CORE_READ(task, mm, env_end) - BPF_CORE_READ(task, mm, env_start);
    file_info__fill(&body->file, &builder, image, task);
    exec_body__fill_task(body, &builder, task);
    record->header.errors = builder.errors;
    size = record__close(record, builder.used);
    barrier_var(size);
    if (size <= RECORD_SIZE_MAX)
        bpf_seq_write(seq, record, size);
    return 0;
}
