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
        tail__take_path(&builder, &body->cgroup_path, path__resolve_cgroup((__u64)BPF_CORE_READ(cgroup, kn)),
                        CGROUP_PATH_SIZE_MAX);
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
__noinline int exec__send_chunk(__u64 address, __u64 size, __u32 offset, __u32 what)
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
    return 0;
}

#ifndef CWS_OLD_KERNEL

/*
 * Sends `size` bytes at `address` of the new image as chunk records. The context is already in the record
 * scratch. Returns ERROR_* bits.
 */
__noinline int exec__send_chunks(__u64 address, __u64 size, __u32 what)
{
    for (__u32 i = 0; i < ARGS_SIZE_MAX / CHUNK_SIZE_MAX; i++) {
        __u32 offset = i * CHUNK_SIZE_MAX;
        __u64 left;
        int errors;

        if (offset >= size)
            return 0;
        left = size - offset;
        errors =
            exec__send_chunk(address + offset, left > CHUNK_SIZE_MAX ? CHUNK_SIZE_MAX : left, offset, what);
        if (errors)
            return errors;
    }
    return 0;
}

#endif

/* Sends arguments and environment that are too large for the exec record, and says so in the script scratch.
 * For old kernels that is left to a stage. */
__noinline int exec__send_large(__u64 mm_address)
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
    if (args_size > ARGS_SIZE_MAX) {
        search->flags |= EXEC_FLAG_ARGS_TRUNCATED;
        args_size = ARGS_SIZE_MAX;
    }
    if (args_size > ARGS_INLINE_MAX)
        search->flags |= EXEC_FLAG_ARGS_CHUNKED;
    if (envs_size > ENVS_SIZE_MAX) {
        search->flags |= EXEC_FLAG_ENVS_TRUNCATED;
        envs_size = ENVS_SIZE_MAX;
    }
    if (envs_size > ENVS_INLINE_MAX)
        search->flags |= EXEC_FLAG_ENVS_CHUNKED;
#ifdef CWS_OLD_KERNEL
    search->args_left =
        (struct chunks_left){.address = args_start, .bytes = args_size > ARGS_INLINE_MAX ? args_size : 0};
    search->envs_left =
        (struct chunks_left){.address = envs_start, .bytes = envs_size > ENVS_INLINE_MAX ? envs_size : 0};
#else
    if (args_size > ARGS_INLINE_MAX)
        search->errors |= exec__send_chunks(args_start, args_size, CHUNK_ARGS);
    if (envs_size > ENVS_INLINE_MAX)
        search->errors |= exec__send_chunks(envs_start, envs_size, CHUNK_ENVS);
#endif
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
    tail__take_path(builder, &body->cgroup_path, path__resolve_cgroup((__u64)BPF_CORE_READ(cgroup, kn)),
                    CGROUP_PATH_SIZE_MAX);
}

/* What an exec was asked for, as its tracepoint tells it. */
struct exec_request {
    int caller_tid;
    const char *filename;
    /* The kernel's own notes, if they are at hand: not for perf events (old_events.bpf.c). A constant of each
     * program, so that it has no part of the other kind. */
    bool has_bprm;
    struct linux_binprm *bprm;
};

static __always_inline struct exec_request exec_request__of(int caller_tid, struct linux_binprm *bprm)
{
    return (struct exec_request){caller_tid, BPF_CORE_READ(bprm, filename), true, bprm};
}

/* The script that an exec was asked for; NULL if it can't be found. */
static __always_inline struct file *exec__script(struct task_struct *task, struct linux_binprm *bprm)
{
    struct file *script = binprm__executable(bprm);

    return script ? script : (struct file *)script__find((__u64)task);
}

/* Program and interpreter. */
static __always_inline void exec_body__fill_files(struct exec_body *body, struct builder *builder,
                                                  struct task_struct *task,
                                                  const struct exec_request *request)
{
    struct file *image = BPF_CORE_READ(task, mm, exe_file);
    struct file_info *info = &body->file;
    struct linux_binprm *bprm = request->bprm;
    struct file *script = NULL;

    if (request->has_bprm) {
        if (BPF_CORE_READ(bprm, interp) != request->filename) {
            body->flags |= EXEC_FLAG_INTERPRETED;
            script = exec__script(task, bprm);
        }
    } else {
        script = exec__supposed_script(task, image);
        if (script)
            body->flags |= EXEC_FLAG_INTERPRETED;
    }
    if (body->flags & EXEC_FLAG_INTERPRETED)
        info = &body->interpreter;
    /* One place for both, as there is no room for two. */
    barrier_var(info);
    file_info__fill(info, builder, image, task);
    if (script)
        file_info__fill(&body->file, builder, script, task);
    else if (body->flags & EXEC_FLAG_INTERPRETED)
        /* All that is left is what the caller said: exec_body.filename. */
        body->file.flags = FILE_FLAG_VALID | FILE_FLAG_PATH_USER;
}

static __always_inline void exec_body__fill_filename(struct exec_body *body, struct builder *builder,
                                                     struct task_struct *task,
                                                     const struct exec_request *request)
{
    struct path pwd = BPF_CORE_READ(task, fs, pwd);
    char first = 0;

    body->filename = tail__append_string(builder, request->filename, PATH_SIZE_MAX, ERROR_FILENAME);
    if (body->filename.length == PATH_SIZE_MAX - 1)
        body->flags |= EXEC_FLAG_FILENAME_TRUNCATED;
    if (request->has_bprm && binprm__fdpath(request->bprm))
        body->flags |= EXEC_FLAG_BY_DESCRIPTOR;
    bpf_probe_read_kernel(&first, sizeof(first), request->filename);
    if (first != '/')
        tail__take_path(builder, &body->cwd, path__resolve((__u64)pwd.dentry, (__u64)pwd.mnt, (__u64)task),
                        PATH_SIZE_MAX);
}

/* What the kernel counted while it copied the strings. */
static __always_inline void exec_body__fill_counts(struct exec_body *body, struct linux_binprm *bprm)
{
    if (BPF_CORE_READ_BITFIELD_PROBED(bprm, secureexec))
        body->flags |= EXEC_FLAG_SECURE;
    body->args_count = BPF_CORE_READ(bprm, argc);
    body->envs_count = BPF_CORE_READ(bprm, envc);
}

/* Reports the exec of which the context is in the record already, as are the arguments if they are large. */
static __always_inline int exec__report(struct task_struct *task, const struct exec_request *request)
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
    body = &record->exec;
    builder.record = record;
    builder.used = BODY_OFFSET + sizeof(*body);
    header__fill(&record->header, KIND_EXEC, 0);
    __builtin_memset(body, 0, sizeof(*body));
    body->flags = search->flags;
    body->caller_tid = request->caller_tid;
    if (request->caller_tid != BPF_CORE_READ(task, pid))
        body->flags |= EXEC_FLAG_NON_LEADER;
    body->args_size = args_size;
    body->envs_size = envs_size;
    if (request->has_bprm)
        exec_body__fill_counts(body, request->bprm);
    exec_body__fill_files(body, &builder, task, request);
    exec_body__fill_task(body, &builder, task);
    if (args_size <= ARGS_INLINE_MAX)
        body->args = tail__append_user(&builder, args_start, args_size, ARGS_INLINE_MAX, ERROR_ARGS);
    if (envs_size <= ENVS_INLINE_MAX)
        body->envs = tail__append_user(&builder, envs_start, envs_size, ENVS_INLINE_MAX, ERROR_ENVS);
    exec_body__fill_filename(body, &builder, task, request);
    record->header.errors = builder.errors | search->errors;
    record__send(record, builder.used);
    return 0;
}

/* The arguments lie in the new image, where the kernel has just put them and which no one else can write yet:
 * what is read here is what the program gets. */
static __always_inline bool exec__begin(struct task_struct *task)
{
    struct record *record = record__scratch();

    if (!record)
        return false;
    context__fill(&record->context, task);
    exec__send_large((__u64)BPF_CORE_READ(task, mm));
    return true;
}

#ifdef CWS_OLD_KERNEL

/* The rest is done by stages. */
static __always_inline int sched_process_exec(struct task_struct *task)
{
    struct script_search *search = script__scratch();
    struct outbox *outbox = outbox__find();

    if (!outbox || !search || !exec__begin(task))
        return 0;
    search->runs = 0;
    outbox->work = script__begin(search, task) ? STAGE_SCRIPT : STAGE_EXEC;
    if (search->flags & (EXEC_FLAG_ARGS_CHUNKED | EXEC_FLAG_ENVS_CHUNKED))
        outbox->work = STAGE_EXEC_CHUNK;
    return 0;
}

/* Sends the next piece of arguments or environment. The search for the script follows the last one. */
static __always_inline void stage__exec_chunk(void *ctx)
{
    struct script_search *search = script__scratch();
    struct outbox *outbox = outbox__find();
    struct chunks_left *chunks;
    __u64 size;
    __u32 what = CHUNK_ARGS;
    int errors;

    if (!search || !outbox)
        return;
    chunks = &search->args_left;
    if (!chunks->bytes) {
        chunks = &search->envs_left;
        what = CHUNK_ENVS;
    }
    size = chunks->bytes > CHUNK_SIZE_MAX ? CHUNK_SIZE_MAX : chunks->bytes;
    errors = exec__send_chunk(chunks->address, size, chunks->offset, what);
    outbox__send(ctx);
    search->errors |= errors;
    chunks->bytes = errors ? 0 : chunks->bytes - size;
    chunks->address += size;
    chunks->offset += size;
    if (!search->args_left.bytes && !search->envs_left.bytes)
        outbox->work = STAGE_SCRIPT;
}

/* Looks for the script. */
static __always_inline void stage__script(void)
{
    struct script_search *search = script__scratch();
    struct outbox *outbox = outbox__find();

    if (!search || !outbox)
        return;
    search->runs++;
    if (!script__find_some() || search->runs >= DEFERRED_RELEASES_MAX / RELEASES_PER_CALL)
        outbox->work = STAGE_EXEC;
}

static __always_inline void stage__exec(const struct exec_request *request)
{
    struct outbox *outbox = outbox__find();

    if (!outbox)
        return;
    outbox->work = 0;
    exec__report((void *)bpf_get_current_task(), request);
}

AT_TRACEPOINT("sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task)
{
    return SENDING(ctx, KIND_EXEC, sched_process_exec(task));
}

#else

static __always_inline int sched_process_exec(struct task_struct *task, const struct exec_request *request)
{
    /* That was the program before. */
    capabilities__end(BPF_CORE_READ(task, tgid));
    return exec__begin(task) ? exec__report(task, request) : 0;
}

AT_TRACEPOINT("sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task, int old_pid, struct linux_binprm *bprm)
{
    struct exec_request request = exec_request__of(old_pid, bprm);

    return SENDING(ctx, KIND_EXEC, sched_process_exec(task__untyped(task), &request));
}

#endif

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
