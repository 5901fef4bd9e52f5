/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Files that are opened, created or truncated. What was opened is read from the file behind the returned
 * descriptor: the object itself, whatever became of the caller's string and of links meanwhile.
 */

DEFINE_FORM_OF(open, OPEN_CALLS)

/* uapi/linux/openat2.h */
struct open_how {
    __u64 flags;
    __u64 mode;
    __u64 resolve;
};

/* What the kernel takes out of f_flags, as it concerns only the call. */
#define O_FOR_THE_CALL (O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC)

static __always_inline bool form__opens(__u32 form)
{
    return form == FORM_OPEN || form == FORM_OPENAT || form == FORM_CREAT || form == FORM_OPENAT2 ||
           form == FORM_OPEN_BY_HANDLE_AT;
}

/* The file that a hook saw, or else the one behind a descriptor. */
static __always_inline struct file *call__file(const struct call *call, struct task_struct *task,
                                               __s64 descriptor)
{
    return call->file ? (struct file *)call->file : task__file(task, descriptor);
}

/* Flags and mode as the caller gave them. */
static __always_inline void open_body__fill_arguments(struct open_body *body, struct builder *builder,
                                                      const struct call *call, struct file *file)
{
    struct open_how how = {};

    switch (call->form) {
    case FORM_OPEN:
        body->flags = call->args[1];
        body->mode = call->args[2];
        break;
    case FORM_OPENAT:
        body->flags = call->args[2];
        body->mode = call->args[3];
        break;
    case FORM_CREAT:
        body->flags = O_CREAT | O_WRONLY | O_TRUNC;
        body->mode = call->args[1];
        break;
    case FORM_OPEN_BY_HANDLE_AT:
        body->flags = call->args[2];
        break;
    case FORM_OPENAT2:
        /* The caller may have rewritten it meanwhile; the file knows most of it better. */
        if (bpf_probe_read_user(&how, sizeof(how), (void *)call->args[2]))
            builder->errors |= ERROR_GIVEN_VALUE;
        body->flags = how.flags;
        body->mode = how.mode;
        if (file)
            body->flags = (body->flags & O_FOR_THE_CALL) |
                          (BPF_CORE_READ(file, f_flags) & ~(O_FOR_THE_CALL | (O_LARGEFILE & ~body->flags)));
        break;
    }
    /* Without O_CREAT (O_TMPFILE implies it) the mode is whatever was in the register. */
    if (!(body->flags & (O_CREAT | 020000000)))
        body->mode = 0;
}

/* Finds the file of the call in the call scratch. Returns WALK_*. */
static __always_inline int open__find(struct open_body *body, struct builder *builder,
                                      const struct call *call, struct task_struct *task)
{
    struct file_call *common = &body->call;
    __u64 path = call->args[0];

    switch (call->form) {
    case FORM_FTRUNCATE:
    case FORM_FTRUNCATE64:
    case FORM_FALLOCATE:
    case FORM_FALLOCATE_PAIRS:
        common->flags |= CALL_FLAG_BY_DESCRIPTOR | CALL_FLAG_NO_DIRFD;
        common->dirfd = call->args[0];
        return file_event__take_file(call__file(call, task, call->args[0]));
    case FORM_OPEN_BY_HANDLE_AT:
        common->flags |= CALL_FLAG_BY_DESCRIPTOR;
        common->dirfd = call->args[0];
        return call->ret < 0 ? WALK_FAILED : file_event__take_descriptor(task, call->ret);
    case FORM_OPENAT:
    case FORM_OPENAT2:
        common->dirfd = call->args[0];
        path = call->args[1];
        break;
    default:
        common->dirfd = AT_FDCWD;
        common->flags |= CALL_FLAG_NO_DIRFD;
    }
    if (call->ret >= 0 && form__opens(call->form) && !call->by_text) {
        common->path = call__append_string(call, builder, path, PATH_SIZE_MAX, ERROR_GIVEN_PATH);
        if (common->path.length == PATH_SIZE_MAX - 1)
            common->flags |= CALL_FLAG_PATH_TRUNCATED;
        return file_event__take_file(call__file(call, task, call->ret));
    }
    return file_event__look_up(call, 0, builder, &common->path, &common->flags, CALL_FLAG_PATH_TRUNCATED,
                               common->dirfd, path, WALK_FOLLOW);
}

static __always_inline bool open__wants_flags(struct judgement *judgement, __u32 flags)
{
    struct filter *filter = judgement__filter(judgement);

    return !filter || judgement__narrow(judgement, filter__by_flags(filter, flags));
}

/* Reports the call in the call scratch, of which judgement has begun. */
__noinline int open__report(__u64 task_address)
{
    struct task_struct *task = (void *)task_address;
    struct call *call = call__scratch();
    struct builder builder = {};
    struct record *record = file_event__begin(&builder, sizeof(struct open_body));
    struct open_body *body;
    struct file *file = NULL;

    if (!call || !record)
        return 0;
    body = &record->open;
    if (form__opens(call->form) && call->ret >= 0 && !call->by_text) {
        file = call__file(call, task, call->ret);
        /* Opened through /proc/self/fd. */
        if (!file || mount__is_nameless(vfsmount__mount(BPF_CORE_READ(file, f_path.mnt))))
            return 0;
    }
    open_body__fill_arguments(body, &builder, call, file);
    switch (call->form) {
    case FORM_TRUNCATE:
    case FORM_FTRUNCATE:
        body->length = call->args[1];
        goto truncate;
    case FORM_TRUNCATE64:
    case FORM_FTRUNCATE64:
        body->length = call->args[1] | call->args[2] << 32;
    truncate:
        body->what = OPEN_CALL_TRUNCATE;
        body->flags = O_CREAT | O_WRONLY | O_TRUNC;
        break;
    case FORM_FALLOCATE:
        body->length = call->args[2] + call->args[3];
        goto fallocate;
    case FORM_FALLOCATE_PAIRS:
        body->length = (call->args[2] | call->args[3] << 32) + (call->args[4] | call->args[5] << 32);
    fallocate:
        body->what = OPEN_CALL_FALLOCATE;
        body->flags = O_WRONLY;
        body->mode = call->args[1];
        break;
    }
    open__find(body, &builder, call, task);
    if (!open__wants_flags(&call->judgement, body->flags) || !file_event__wants_found(call, 0))
        return 0;
    file_info__fill_found(&body->file, &builder, task, ERROR_FILE);
    if (judgement__by_file(&call->judgement, 0, &body->file))
        file_event__send(&builder, task, KIND_OPEN, call);
    return 0;
}

/* What the flags of the current call allow; everything if they are not at hand yet. */
static __always_inline __u64 open__by_early_flags(const struct filter *filter, __u32 form)
{
    struct pt_regs *registers = task__entry_registers();

    switch (form) {
    case FORM_OPENAT:
        return filter__by_flags(filter, registers__argument(registers, 2));
    case FORM_OPEN:
        return filter__by_flags(filter, registers__argument(registers, 1));
    default:
        return filter->all;
    }
}

#ifndef CWS_OLD_KERNEL
/* 6.2 (fd264ca02094): tells the verifier the type of what an address leads to. */
extern void *bpf_rdonly_cast(const void *object, __u32 type) __ksym __weak;
#endif

/* What the name allows under which the path of an open file ends. */
static __always_inline __u64 open__by_name(const struct filter *filter, const struct judgement *judgement,
                                           struct file *file)
{
#ifndef CWS_OLD_KERNEL
    /* Without a helper for each member: every open that anybody does gets here. */
    if (bpf_ksym_exists(bpf_rdonly_cast)) {
        const struct file *typed = bpf_rdonly_cast(file, bpf_core_type_id_kernel(struct file));
        struct dentry *dentry = typed->f_path.dentry;

        if (dentry == typed->f_path.mnt->mnt_root)
            return filter->all;
        return filter__by_name(filter, judgement, 0, dentry->d_name.name, dentry->d_name.len);
    }
#endif
    return filter__by_dentry(filter, judgement, 0, BPF_CORE_READ(file, f_path.dentry),
                             BPF_CORE_READ(file, f_path.mnt, mnt_root));
}

/* What most opens end with, where a filter is set: a look at flags and name and no more. */
static __always_inline bool open__may_be_wanted(struct judgement *judgement, __u32 form, __s64 ret,
                                                __u32 record_flags)
{
    struct filter *filter;
    struct file *file;

    if (!judgement__begin(judgement, KIND_OPEN))
        return false;
    filter = judgement__filter(judgement);
    if (!filter)
        return true;
    if (!(record_flags & RECORD_FLAG_COMPAT) && filter->any_flags != filter->all &&
        !judgement__narrow(judgement, open__by_early_flags(filter, form)))
        return false;
    if (!judgement__narrow(judgement, filter__by_auid(filter, (void *)bpf_get_current_task())))
        return false;
    if (ret < 0 || !form__opens(form) || filter->any_name[0] == filter->all)
        return true;
    file = current__opened_file(ret);
    if (!file)
        return true;
    return judgement__narrow(judgement, open__by_name(filter, judgement, file));
}

/* As above, and the judgement so far into the call scratch. A function of its own: its stack is not under
 * that of what follows. */
__noinline int open__judge(__u32 form, __s64 ret, __u32 record_flags)
{
    struct judgement judgement = {};
    struct call *call;

    if (!open__may_be_wanted(&judgement, form, ret, record_flags))
        return false;
    call = call__scratch();
    if (!call)
        return false;
    call->judgement = judgement;
    return true;
}

static __always_inline int open__exit(__u32 form, __s64 ret, __u32 record_flags)
{
    if (form == FORM_NONE || !call__is_reported(ret) || !open__judge(form, ret, record_flags))
        return 0;
    if (!call__load(form, ret, record_flags))
        return 0;
    return open__report(bpf_get_current_task());
}

WALKING_EXIT(open, openat)
