/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Life of processes: fork, exec, exit. */

#include "script.h"

/* ---- fork ------------------------------------------------------------------------------------------- */

static __always_inline int sched_process_fork(struct task_struct *forker, struct task_struct *child)
{
    struct record *record;
    struct fork_body *body;
    struct builder builder = {};
    struct cgroup *cgroup;

    /* A new thread is no new process. */
    if (BPF_CORE_READ(child, pid) != BPF_CORE_READ(child, tgid))
        return 0;
    record = record__scratch();
    if (!record)
        return 0;
    body = &record->fork;
    builder.record = record;
    builder.used = BODY_OFFSET + sizeof(*body);
    header__fill(&record->header, KIND_FORK, 0);
    context__fill(&record->context, child);
    body->forker_start_time_ns = task__start_time_ns(BPF_CORE_READ(forker, group_leader));
    body->forker_pid = BPF_CORE_READ(forker, tgid);
    body->forker_tid = BPF_CORE_READ(forker, pid);
    body->cgroup_path = (struct span){};
    body->_pad = 0;
    /* CLONE_INTO_CGROUP */
    cgroup = task__cgroup(child);
    if (cgroup != task__cgroup(forker))
        body->cgroup_path = tail__append_path(
            &builder, path__resolve_cgroup((__u64)BPF_CORE_READ(cgroup, kn)), CGROUP_PATH_SIZE_MAX);
    record->header.errors = builder.errors;
    record__send(record, builder.used);
    return 0;
}

AT_TRACEPOINT("sched_process_fork")
int BPF_PROG(on_fork, struct task_struct *parent, struct task_struct *child)
{
    return SENDING(ctx, KIND_FORK, sched_process_fork(parent, child));
}

/* ---- exec ------------------------------------------------------------------------------------------- */

/* Sends a piece of at most CHUNK_SIZE_MAX bytes at `address` of the new image, which begins at `offset` of
 * the whole. Returns ERROR_* bits. */
__noinline int exec__send_chunk(CONTEXT_PARAMETER __u64 address, __u64 size, __u32 offset, __u32 what)
{
    struct record *record = record__scratch();
    struct builder builder = {.record = record, .used = BODY_OFFSET + sizeof(struct exec_chunk_body)};
    struct exec_chunk_body *body;
    __u32 error = what == CHUNK_ARGS ? ERROR_ARGS : ERROR_ENVS;

    if (!record)
        return error;
    body = &record->exec_chunk;
    header__fill(&record->header, KIND_EXEC_CHUNK, 0);
    body->what = what;
    body->offset = offset;
    body->_pad = 0;
    body->data = tail__append_user(&builder, address, size, CHUNK_SIZE_MAX, error);
    if (builder.errors)
        return builder.errors;
    record__send(record, builder.used);
    SEND_NOW(ctx);
    return 0;
}

/*
 * Sends `size` bytes at `address` of the new image as chunk records. The context is already in the record
 * scratch. Returns ERROR_* bits.
 */
__noinline int exec__send_chunks(CONTEXT_PARAMETER __u64 address, __u64 size, __u32 what)
{
    WRITTEN_OUT
    for (__u32 i = 0; i < ARGS_SIZE_MAX / CHUNK_SIZE_MAX; i++) {
        __u32 offset = i * CHUNK_SIZE_MAX;
        __u64 left;
        int errors;

        if (offset >= size)
            return 0;
        left = size - offset;
        errors = exec__send_chunk(CONTEXT_ARGUMENT(ctx) address + offset,
                                  left > CHUNK_SIZE_MAX ? CHUNK_SIZE_MAX : left, offset, what);
        if (errors)
            return errors;
    }
    return 0;
}

/* Sends arguments and environment that are too large for the exec record. Says so in the script scratch: not
 * in variables, whose values the verifier of old kernels would tell apart in all that follows. */
__noinline int exec__send_large(CONTEXT_PARAMETER __u64 mm_address)
{
    struct mm_struct *mm = (void *)mm_address;
    struct script_search *search = script__scratch();
    __u64 args_start = BPF_CORE_READ(mm, arg_start);
    __u64 envs_start = BPF_CORE_READ(mm, env_start);
    __u64 args_size = BPF_CORE_READ(mm, arg_end) - args_start;
    __u64 envs_size = BPF_CORE_READ(mm, env_end) - envs_start;

    if (!search)
        return 0;
    search->flags = 0;
    search->errors = 0;
    if (args_size > ARGS_SIZE_MAX)
        search->flags |= EXEC_FLAG_ARGS_TRUNCATED;
    if (args_size > ARGS_INLINE_MAX) {
        search->flags |= EXEC_FLAG_ARGS_CHUNKED;
        search->errors |=
            exec__send_chunks(CONTEXT_ARGUMENT(ctx) args_start,
                              args_size > ARGS_SIZE_MAX ? ARGS_SIZE_MAX : args_size, CHUNK_ARGS);
    }
    if (envs_size > ENVS_SIZE_MAX)
        search->flags |= EXEC_FLAG_ENVS_TRUNCATED;
    if (envs_size > ENVS_INLINE_MAX) {
        search->flags |= EXEC_FLAG_ENVS_CHUNKED;
        search->errors |=
            exec__send_chunks(CONTEXT_ARGUMENT(ctx) envs_start,
                              envs_size > ENVS_SIZE_MAX ? ENVS_SIZE_MAX : envs_size, CHUNK_ENVS);
    }
    return 0;
}

static __always_inline void exec_body__fill_stdio(struct exec_body *body, struct task_struct *task)
{
    struct file **descriptors = BPF_CORE_READ(task, files, fdt, fd);

    WRITTEN_OUT
    for (int i = 0; i < 3; i++) {
        struct file *file = NULL;

        bpf_probe_read_kernel(&file, sizeof(file), descriptors + i);
        body->stdio_mode[i] = file ? BPF_CORE_READ(file, f_inode, i_mode) : 0;
    }
}

/* The parts that exec and snapshot have in common: whatever the task itself tells. */
static __always_inline void exec_body__fill_task(struct exec_body *body, struct builder *builder,
                                                 struct task_struct *task)
{
    struct cgroup *cgroup = task__cgroup(task);

    BPF_CORE_READ_STR_INTO(&body->tty, task, signal, tty, name);
    exec_body__fill_stdio(body, task);
    body->cgroup_path = tail__append_path(builder, path__resolve_cgroup((__u64)BPF_CORE_READ(cgroup, kn)),
                                          CGROUP_PATH_SIZE_MAX);
}

/* Program and interpreter. */
static __always_inline void exec_body__fill_files(struct exec_body *body, struct builder *builder,
                                                  struct task_struct *task, struct linux_binprm *bprm)
{
    struct file *image = BPF_CORE_READ(task, mm, exe_file);
    struct file *script;

    file_info__fill(&body->file, builder, image, task);
    if (BPF_CORE_READ(bprm, interp) == BPF_CORE_READ(bprm, filename))
        return;
    body->flags |= EXEC_FLAG_INTERPRETED;
    body->interpreter = body->file;
    __builtin_memset(&body->file, 0, sizeof(body->file));
    script = binprm__executable(bprm);
    if (!script)
        script = (struct file *)script__find((__u64)task);
    if (script)
        file_info__fill(&body->file, builder, script, task);
    else
        /* All that is left is what the caller said: exec_body.filename. */
        body->file.flags = FILE_FLAG_VALID | FILE_FLAG_PATH_USER;
}

static __always_inline void exec_body__fill_filename(struct exec_body *body, struct builder *builder,
                                                     struct task_struct *task, struct linux_binprm *bprm)
{
    const char *filename = BPF_CORE_READ(bprm, filename);
    struct path pwd = BPF_CORE_READ(task, fs, pwd);
    char first = 0;

    body->filename = tail__append_string(builder, filename, PATH_SIZE_MAX, ERROR_FILENAME);
    if (body->filename.length == PATH_SIZE_MAX - 1)
        body->flags |= EXEC_FLAG_FILENAME_TRUNCATED;
    if (binprm__fdpath(bprm))
        body->flags |= EXEC_FLAG_BY_DESCRIPTOR;
    bpf_probe_read_kernel(&first, sizeof(first), filename);
    if (first != '/')
        body->cwd = tail__append_path(builder, path__resolve((__u64)pwd.dentry, (__u64)pwd.mnt, (__u64)task),
                                      PATH_SIZE_MAX);
}

static __always_inline int sched_process_exec(void *ctx, struct task_struct *task, int old_pid,
                                              struct linux_binprm *bprm)
{
    struct record *record = record__scratch();
    struct exec_body *body;
    struct builder builder = {};
    __u64 args_start = BPF_CORE_READ(task, mm, arg_start);
    __u64 envs_start = BPF_CORE_READ(task, mm, env_start);
    __u64 args_size = BPF_CORE_READ(task, mm, arg_end) - args_start;
    __u64 envs_size = BPF_CORE_READ(task, mm, env_end) - envs_start;
    struct script_search *search = script__scratch();

    if (!record || !search)
        return 0;
#ifndef CWS_OLD_KERNEL
    /* That was the program before. */
    capabilities__end(BPF_CORE_READ(task, tgid));
#endif
    body = &record->exec;
    context__fill(&record->context, task);

    /* The arguments lie in the new image, where the kernel has just put them and which no one else can
     * write yet: what is read here is what the program gets. */
    exec__send_large(CONTEXT_ARGUMENT(ctx)(__u64) BPF_CORE_READ(task, mm));

    builder.record = record;
    builder.used = BODY_OFFSET + sizeof(*body);
    header__fill(&record->header, KIND_EXEC, 0);
    __builtin_memset(body, 0, sizeof(*body));
    body->flags = search->flags;
    body->caller_tid = old_pid;
    if (old_pid != BPF_CORE_READ(task, pid))
        body->flags |= EXEC_FLAG_NON_LEADER;
    if (BPF_CORE_READ_BITFIELD_PROBED(bprm, secureexec))
        body->flags |= EXEC_FLAG_SECURE;
    body->args_size = args_size;
    body->envs_size = envs_size;
    body->args_count = BPF_CORE_READ(bprm, argc);
    body->envs_count = BPF_CORE_READ(bprm, envc);
    exec_body__fill_files(body, &builder, task, bprm);
    exec_body__fill_task(body, &builder, task);
    if (args_size <= ARGS_INLINE_MAX)
        body->args = tail__append_user(&builder, args_start, args_size, ARGS_INLINE_MAX, ERROR_ARGS);
    if (envs_size <= ENVS_INLINE_MAX)
        body->envs = tail__append_user(&builder, envs_start, envs_size, ENVS_INLINE_MAX, ERROR_ENVS);
    exec_body__fill_filename(body, &builder, task, bprm);
    record->header.errors = builder.errors | search->errors;
    record__send(record, builder.used);
    return 0;
}

AT_TRACEPOINT("sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task, int old_pid, struct linux_binprm *bprm)
{
    return SENDING(ctx, KIND_EXEC, sched_process_exec(ctx, task__untyped(task), old_pid, bprm));
}

/* ---- exit ------------------------------------------------------------------------------------------- */

/* The status that wait(2) will give: of the group if it was ended as one, else of the last thread. */
static __always_inline __u32 task__exit_status(struct task_struct *task)
{
    struct signal_struct *signal = BPF_CORE_READ(task, signal);

    if (BPF_CORE_READ(signal, flags) & SIGNAL_GROUP_EXIT)
        return BPF_CORE_READ(signal, group_exit_code);
    return BPF_CORE_READ(task, exit_code);
}

struct exit_record {
    struct record_header header;
    struct task_context context;
    struct exit_body body;
};

static __always_inline int sched_process_exit(struct task_struct *task)
{
    struct exit_record *record;
    __u32 status;

    /* The last thread ends the process. Two threads that end at the same moment may both see 0 here; the
     * agent takes the second record for what it is, the end of a process that has ended. */
    if (BPF_CORE_READ(task, signal, live.counter) > 0)
        return 0;
#ifndef CWS_OLD_KERNEL
    capabilities__end(BPF_CORE_READ(task, tgid));
#endif
    record = record__reserve(sizeof(*record), KIND_EXIT);
    if (!record)
        return 0;
    header__fill(&record->header, KIND_EXIT, sizeof(*record));
    context__fill(&record->context, task);
    status = task__exit_status(task);
    if (status & 0x7f) {
        record->body.cause = status & 0x80 ? EXIT_CAUSE_COREDUMPED : EXIT_CAUSE_SIGNALED;
        record->body.code = status & 0x7f;
    } else {
        record->body.cause = EXIT_CAUSE_EXITED;
        record->body.code = (status >> 8) & 0xff;
    }
    record__submit(record);
    return 0;
}

AT_TRACEPOINT("sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *task)
{
    return SENDING(ctx, KIND_EXIT, sched_process_exit(task));
}
