/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * splice: pages of a file become buffers of a pipe, without a copy. What matters is the flags of the pipe's
 * last buffer, before and after: a buffer of a file's page that is marked as mergeable can be written to
 * (CVE-2022-0847).
 */

DEFINE_FORM_OF(splice, SPLICE_CALLS)

static __always_inline struct pipe_inode_info *file__pipe(struct file *file)
{
    if (!file || (BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) != S_IFIFO)
        return NULL;
    return BPF_CORE_READ(file, private_data);
}

/* Flags of the buffer that was filled last. */
static __always_inline __u32 pipe__last_buffer_flags(struct pipe_inode_info *pipe)
{
    __u32 size = pipe__size(pipe);
    struct pipe_buffer *buffer;

    if (!size)
        return 0;
    /* A power of two; the slot that is next to be filled is `head`. */
    buffer = (void *)BPF_CORE_READ(pipe, bufs) +
             (__u64)((pipe__head(pipe) - 1) & (size - 1)) * bpf_core_type_size(struct pipe_buffer);
    return BPF_CORE_READ(buffer, flags);
}

/* The two ends: splice(fd_in, off_in, fd_out, off_out, len, flags). */
struct splice_ends {
    struct pipe_inode_info *pipe;
    struct file *file;
    __s32 descriptor;
    bool into_pipe;
    /* The other end is a pipe as well. */
    bool only_pipes;
};

static __always_inline struct splice_ends splice__ends(const struct call *call, struct task_struct *task)
{
    struct file *from = call->file ? (void *)call->file : task__file(task, (__s32)call->args[0]);
    struct file *to = call->second_file ? (void *)call->second_file : task__file(task, (__s32)call->args[2]);
    struct pipe_inode_info *in = file__pipe(from);
    struct pipe_inode_info *out = file__pipe(to);

    if (out)
        return (struct splice_ends){out, from, call->args[0], true, in != NULL};
    return (struct splice_ends){in, to, call->args[2], false, false};
}

__noinline int splice__remember(__u64 task_address)
{
    struct call *call = call__scratch();
    struct walk *walk = walk__scratch();
    struct splice_ends ends;

    if (!call || !walk)
        return 0;
    ends = splice__ends(call, (void *)task_address);
    walk->status = WALK_FAILED;
    file_before__remember(walk, call->form, ends.pipe ? pipe__last_buffer_flags(ends.pipe) : 0);
    return 0;
}

__noinline int splice__report(__u64 task_address)
{
    struct task_struct *task = (void *)task_address;
    struct call *call = call__scratch();
    struct builder builder = {};
    struct record *record = file_event__begin(&builder, sizeof(struct splice_body));
    struct file_before *before;
    struct splice_body *body;
    struct splice_ends ends;

    if (!call || !record || !file_event__may_be_wanted(call, KIND_SPLICE, task))
        return 0;
    ends = splice__ends(call, task);
    body = &record->splice;
    body->call.flags = CALL_FLAG_BY_DESCRIPTOR | CALL_FLAG_NO_DIRFD;
    body->call.dirfd = ends.descriptor;
    body->flags = call->args[5];
    body->into_pipe = ends.into_pipe;
    before = file_before__find(call->form);
    if (before)
        body->pipe_entry_flag = before->pipe_entry_flag;
    if (ends.pipe)
        body->pipe_exit_flag = pipe__last_buffer_flags(ends.pipe);
    if (!ends.only_pipes) {
        file_event__take_file(ends.file);
        if (!file_event__wants_found(call, 0))
            return 0;
        file_info__fill_found(&body->file, &builder, task, ERROR_FILE);
        if (!judgement__by_file(&call->judgement, 0, &body->file))
            return 0;
    }
    file_event__send(&builder, task, KIND_SPLICE, call);
    return 0;
}

static __always_inline int splice__enter(__u32 form, __u32 record_flags)
{
    if (form == FORM_NONE || !call__is_reported(0) || filter__keeps(KIND_SPLICE) == FILTER_KEEP_NONE)
        return 0;
    if (!call__load(form, 0, record_flags))
        return 0;
    return splice__remember(bpf_get_current_task());
}

static __always_inline int splice__exit(__u32 form, __s64 ret, __u32 record_flags)
{
    if (form == FORM_NONE)
        return 0;
    if (call__is_reported(ret) && filter__keeps(KIND_SPLICE) != FILTER_KEEP_NONE &&
        call__load(form, ret, record_flags))
        splice__report(bpf_get_current_task());
    file_before__forget();
    return 0;
}

FILE_ENTER(splice, splice)
FILE_EXIT(splice, splice)
