/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the programs of file events share. A file event is built in this order, so that what is filtered out
 * costs little: the kind, the strings of the caller, the object, its name; then context, path and sending.
 */
#ifndef FILE_EVENT_H
#define FILE_EVENT_H

/* The file of a call as it was before the call changed it: kept from entry to exit, by thread. An LRU, so
 * that calls whose exit was missed can't fill it. */
struct file_before {
    struct file_info info;
    /* splice: see splice_body. */
    __u32 pipe_entry_flag;
    __u32 form;
};

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 8192);
    __type(key, __u64);
    __type(value, struct file_before);
} files_before SEC(".maps");

/* The record of a file event of `kind` with a body of `body_size` bytes, zeroed. */
static __always_inline struct record *file_event__begin(struct builder *builder, const __u64 body_size)
{
    struct record *record = record__scratch();

    if (!record)
        return NULL;
    __builtin_memset(record->bytes + BODY_OFFSET, 0, body_size);
    builder->record = record;
    builder->used = BODY_OFFSET + body_size;
    builder->errors = 0;
    return record;
}

/* Takes an open file for what the walk has found. Returns WALK_*. */
static __always_inline int file_event__take_file(struct file *file)
{
    struct walk *walk = walk__scratch();

    if (!walk)
        return WALK_FAILED;
    walk->position = WALK_TEXT_SIZE;
    walk->exact = true;
    walk->status = WALK_FAILED;
    if (!file)
        return WALK_FAILED;
    walk->dentry = (__u64)BPF_CORE_READ(file, f_path.dentry);
    walk->mount = (__u64)vfsmount__mount(BPF_CORE_READ(file, f_path.mnt));
    walk->status = WALK_FOUND;
    return WALK_FOUND;
}

/* As above, for the file behind a descriptor. */
static __always_inline int file_event__take_descriptor(struct task_struct *task, __s32 descriptor)
{
    return file_event__take_file(task__file(task, descriptor));
}

/* As above, for the working directory or the root of a task. */
static __always_inline int file_event__take_path(struct path path)
{
    struct walk *walk = walk__scratch();

    if (!walk)
        return WALK_FAILED;
    walk->position = WALK_TEXT_SIZE;
    walk->exact = true;
    walk->dentry = (__u64)path.dentry;
    walk->mount = (__u64)vfsmount__mount(path.mnt);
    walk->status = path.dentry ? WALK_FOUND : WALK_FAILED;
    return walk->status;
}

/* As above, for what stands for a descriptor in calls that name a directory: AT_FDCWD is the working
 * directory. */
static __always_inline int file_event__take_directory(struct task_struct *task, __s32 dirfd)
{
    if (dirfd == AT_FDCWD)
        return file_event__take_path(BPF_CORE_READ(task, fs, pwd));
    return file_event__take_descriptor(task, dirfd);
}

/* Takes what a hook saw for what the walk has found. False if none saw it. */
static __always_inline bool file_event__take_object(const struct call *call, const __u32 side)
{
    const struct object *object = &call->objects[side];
    struct walk *walk = walk__scratch();

    if (!walk || !object->status)
        return false;
    walk->position = WALK_TEXT_SIZE;
    walk->exact = true;
    walk->name_length = 0;
    walk->dentry = object->dentry;
    walk->mount = object->mount;
    walk->status = object->status;
    if (object->status == WALK_NAMED && walk__prepend(walk, (const void *)object->name, object->name_length))
        walk->name_length = object->name_length;
    return true;
}

/* Takes what a hook saw, or the file behind a descriptor (AT_FDCWD: the working directory) if none did. */
static __always_inline void file_event__take_object_or_descriptor(const struct call *call, const __u32 side,
                                                                  struct task_struct *task, __s32 descriptor)
{
#ifndef CWS_OLD_KERNEL
    if (file_event__take_object(call, side))
        return;
#endif
    file_event__take_directory(task, descriptor);
}

/* Appends the path at `address`, as the caller gave it, and looks it up if no hook saw the object. Sets
 * `given` to its text, and `truncated_flag` in `flags` if it was cut. That of an operation on names may have
 * to be told as it was given: see struct call. */
static __always_inline int file_event__look_up_as(const bool is_name, const struct call *call,
                                                  const __u32 side, struct builder *builder,
                                                  struct span *given, __u32 *flags,
                                                  const __u32 truncated_flag, __s32 dirfd, __u64 address,
                                                  __u64 how)
{
    struct walk *walk = walk__scratch_of_side(side);
    __u32 errors = builder->errors;

    if (!walk)
        return WALK_FAILED;
    *given = call__append_string(call, builder, address, PATH_SIZE_MAX, ERROR_GIVEN_PATH);
    if (given->length == PATH_SIZE_MAX - 1)
        *flags |= truncated_flag;
#ifndef CWS_OLD_KERNEL
    if (file_event__take_object(call, side))
        return walk->status;
#endif
    if ((builder->errors & ~errors) & (ERROR_GIVEN_PATH | ERROR_NO_SPACE)) {
        walk->status = WALK_FAILED;
        return WALK_FAILED;
    }
#ifdef CWS_OLD_KERNEL
    return walk__by_stages(side, given->offset, given->length, dirfd, how);
#else
    if (is_name && call->as_given)
        return walk__as_given(given->offset, given->length, dirfd);
    return walk__path(given->offset, given->length, dirfd, how);
#endif
}

#define file_event__look_up(...)      file_event__look_up_as(false, __VA_ARGS__)
#define file_event__look_up_name(...) file_event__look_up_as(true, __VA_ARGS__)

/* Whether what the walk has found may be wanted, by its name. */
static __always_inline bool file_event__wants_found(struct call *call, const __u32 side)
{
    struct filter *filter = judgement__filter(&call->judgement);
    struct walk *walk = walk__scratch();
    __u64 allowed;

#ifdef CWS_OLD_KERNEL
    /* Not yet. */
    if (outbox__waits())
        return false;
#endif
    if (!filter || !walk)
        return true;
    /* Otherwise its name is not known. */
    allowed = filter->all;
    if (walk->status == WALK_FOUND)
        allowed = filter__by_dentry(filter, &call->judgement, side, walk__dentry(walk),
                                    BPF_CORE_READ(walk__mount(walk), mnt.mnt_root));
    else if (walk->status == WALK_NAMED && walk->position < WALK_TEXT_SIZE)
        allowed = filter__by_name(filter, &call->judgement, side,
                                  &walk->text[walk->position & (WALK_TEXT_SIZE - 1)], walk->name_length);
    return judgement__narrow(&call->judgement, allowed);
}

/* Begins to judge the current call as an event of `kind`. False if it is not wanted, whatever its file. */
static __always_inline bool file_event__may_be_wanted(struct call *call, __u32 kind, struct task_struct *task)
{
    struct filter *filter;

    if (!judgement__begin(&call->judgement, kind))
        return false;
    filter = judgement__filter(&call->judgement);
    return !filter || judgement__narrow(&call->judgement, filter__by_auid(filter, task));
}

/* The inode of what the walk has found, NULL if it has found nothing. */
static __always_inline struct inode *walk__found_inode(void)
{
    struct walk *walk = walk__scratch();

    return walk && walk->status == WALK_FOUND ? BPF_CORE_READ(walk__dentry(walk), d_inode) : NULL;
}

/* Fills `info` with what the walk has found and appends its path; notes `error` if there is nothing. */
static __always_inline void file_info__fill_found(struct file_info *info, struct builder *builder,
                                                  struct task_struct *task, __u32 error)
{
    struct walk *walk = walk__scratch();
    struct mount *mount;
    struct inode *inode = NULL;

    if (!walk || walk->status == WALK_FAILED) {
        builder->errors |= error;
        return;
    }
    mount = walk__mount(walk);
    info->mount_id = BPF_CORE_READ(mount, mnt_id);
    info->flags = mount__flags(mount);
    if (walk->status == WALK_FOUND)
        inode = BPF_CORE_READ(walk__dentry(walk), d_inode);
    if (inode) {
        file_info__fill_inode(info, inode);
    } else {
        file_info__fill_filesystem(info, BPF_CORE_READ(mount, mnt.mnt_sb));
        info->flags |= FILE_FLAG_NO_INODE;
    }
    if (walk->status == WALK_PARTIAL)
        info->flags |= FILE_FLAG_PATH_USER;
    if (!walk->exact)
        info->flags |= FILE_FLAG_LOOKED_UP;
    file_info__append_path(info, builder, walk__resolve_path(walk, task));
}

/* Remembers what the walk has found, until the exit of the call. */
static __always_inline void file_before__remember(struct walk *walk, __u32 form, __u32 pipe_entry_flag)
{
    __u64 thread = bpf_get_current_pid_tgid();
    struct file_before before = {.form = form, .pipe_entry_flag = pipe_entry_flag};
    struct inode *inode = NULL;

    if (walk->status == WALK_FOUND)
        inode = BPF_CORE_READ(walk__dentry(walk), d_inode);
    if (!inode && !pipe_entry_flag) {
        /* Whatever an earlier call has left must not be taken for this one's. */
        bpf_map_delete_elem(&files_before, &thread);
        return;
    }
    if (inode) {
        before.info.mount_id = BPF_CORE_READ(walk__mount(walk), mnt_id);
        file_info__fill_inode(&before.info, inode);
    }
    bpf_map_update_elem(&files_before, &thread, &before, BPF_ANY);
}

/* At the end of the call. */
static __always_inline void file_before__forget(void)
{
    __u64 thread = bpf_get_current_pid_tgid();

#ifdef CWS_OLD_KERNEL
    /* The program is run again. */
    if (outbox__waits())
        return;
#endif
    bpf_map_delete_elem(&files_before, &thread);
}

/* What was remembered of the call, NULL if nothing. */
static __always_inline struct file_before *file_before__find(__u32 form)
{
    __u64 thread = bpf_get_current_pid_tgid();
    struct file_before *before = bpf_map_lookup_elem(&files_before, &thread);

    return before && before->form == form ? before : NULL;
}

/* Gives `info` the identity and attributes of `before`; keeps its path, and what is a matter of the path. */
static __always_inline void file_info__take_before(struct file_info *info, const struct file_info *before)
{
    info->inode = before->inode;
    info->size = before->size;
    info->change_time_ns = before->change_time_ns;
    info->modification_time_ns = before->modification_time_ns;
    info->mode = before->mode;
    info->uid = before->uid;
    info->gid = before->gid;
    info->links = before->links;
    info->flags &= ~(FILE_FLAG_NO_INODE | FILE_FLAG_UPPER_LAYER);
    info->flags |= before->flags & FILE_FLAG_UPPER_LAYER;
}

static __always_inline void file_event__fill_header(struct builder *builder, __u16 kind,
                                                    const struct call *call)
{
    struct record *record = builder->record;

    header__fill(&record->header, kind, 0);
    record->header.flags = call->record_flags;
    record->header.errors = builder->errors;
}

/* Sends the record with its header and context. */
static __always_inline void file_event__send(struct builder *builder, struct task_struct *task, __u16 kind,
                                             const struct call *call)
{
    struct record *record = builder->record;

    file_event__fill_header(builder, kind, call);
    context__fill(&record->context, task);
    record->file_call.retval = call->ret;
    record__send(record, builder->used);
}

/* The same in a program that has no room left on old kernels: there a stage fills the context. */
static __always_inline void file_event__send_crowded(struct builder *builder, struct task_struct *task,
                                                     __u16 kind, const struct call *call)
{
#ifdef CWS_OLD_KERNEL
    struct outbox *outbox = outbox__find();

    if (outbox)
        outbox->work = STAGE_CONTEXT;
    file_event__fill_header(builder, kind, call);
    builder->record->file_call.retval = call->ret;
    record__send(builder->record, builder->used);
#else
    file_event__send(builder, task, kind, call);
#endif
}

/* A program at the entry of a family of calls; attached to each of its tracepoints. */
#define FILE_ENTER(family, tracepoint)                                                                       \
    SEC("tracepoint/syscalls/sys_enter_" #tracepoint)                                                        \
    int enter_##family(struct trace_event_raw_sys_enter *ctx)                                                \
    {                                                                                                        \
        return REMEMBERING(family##__enter(family##__form((__s32)ctx->id), 0));                              \
    }

/* The same at its exit. */
#define FILE_EXIT(family, tracepoint)                                                                        \
    SEC("tracepoint/syscalls/sys_exit_" #tracepoint)                                                         \
    int exit_##family(struct trace_event_raw_sys_exit *ctx)                                                  \
    {                                                                                                        \
        return SENDING(ctx, KIND_UNKNOWN, family##__exit(family##__form((__s32)ctx->id), ctx->ret, 0));      \
    }

/* The same of families that may have to look up a text. */
#ifdef CWS_OLD_KERNEL
#define WALKING_SECTION(number) SEC("tracepoint/again/" #number)
#define WALKING_PROGRAM(type, name, number, call)                                                            \
    WALKING_SECTION(number)                                                                                  \
    int name(struct trace_event_raw_##type *ctx)                                                             \
    {                                                                                                        \
        return WALKING(ctx, number, call);                                                                   \
    }
#define WALKING_ENTER(family, tracepoint)                                                                    \
    WALKING_PROGRAM(sys_enter, enter_##family, AGAIN_enter_##family,                                         \
                    family##__enter(family##__form((__s32)ctx->id), 0))
#define WALKING_EXIT(family, tracepoint)                                                                     \
    WALKING_PROGRAM(sys_exit, exit_##family, AGAIN_exit_##family,                                            \
                    family##__exit(family##__form((__s32)ctx->id), ctx->ret, 0))
#else
#define WALKING_ENTER(family, tracepoint) FILE_ENTER(family, tracepoint)
#define WALKING_EXIT(family, tracepoint)  FILE_EXIT(family, tracepoint)
#endif

#endif /* FILE_EVENT_H */
