/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What processes do to themselves: prctl, other namespaces, descriptors that are means of exploits. */

DEFINE_FORM_OF(prctl, PRCTL_CALLS)
DEFINE_FORM_OF(namespaces, NAMESPACES_CALLS)
DEFINE_FORM_OF(descriptor, DESCRIPTOR_CALLS)

/* ---- prctl ------------------------------------------------------------------------------------------ */

__noinline int prctl__report(__u64 task_address)
{
    struct task_struct *task = (void *)task_address;
    struct call *call = call__scratch();
    struct builder builder = {};
    struct record *record = file_event__begin(&builder, sizeof(struct prctl_body));
    struct filter *filter;
    struct prctl_body *body;

    if (!call || !record || !file_event__may_be_wanted(call, KIND_PRCTL, task))
        return 0;
    body = &record->prctl;
    body->option = call->args[0];
    filter = judgement__filter(&call->judgement);
    if (filter && !judgement__narrow(&call->judgement, filter__by_value(filter, body->option)))
        return 0;
    WRITTEN_OUT
    for (int i = 0; i < 4; i++)
        body->arguments[i] = call->args[i + 1];
    if (body->option == PR_SET_NAME) {
        char given[TASK_COMM_SIZE + 2] = {};

        /* What the kernel has taken; a longer text is cut. */
        BPF_CORE_READ_STR_INTO(&body->name, task, comm);
        if (bpf_probe_read_user_str(given, sizeof(given), (void *)call->args[1]) > TASK_COMM_SIZE)
            body->flags |= PRCTL_FLAG_NAME_TRUNCATED;
    }
    file_event__send(&builder, task, KIND_PRCTL, call);
    return 0;
}

static __always_inline int prctl__exit(__u32 form, __s64 ret, __u32 record_flags)
{
    if (form == FORM_NONE || !call__is_reported(ret) || filter__keeps(KIND_PRCTL) == FILTER_KEEP_NONE)
        return 0;
    if (call__load(form, ret, record_flags))
        prctl__report(bpf_get_current_task());
    return 0;
}

FILE_EXIT(prctl, prctl)

/* ---- unshare, setns --------------------------------------------------------------------------------- */

static __always_inline __u32 namespaces__kind(__u32 form)
{
    return form == FORM_UNSHARE ? KIND_UNSHARE : KIND_SETNS;
}

__noinline int namespaces__report(__u64 task_address)
{
    struct task_struct *task = (void *)task_address;
    struct call *call = call__scratch();
    struct builder builder = {};
    struct record *record = file_event__begin(&builder, sizeof(struct namespaces_body));
    struct namespaces_body *body;
    struct file *file;
    __u32 kind;

    if (!call || !record)
        return 0;
    kind = namespaces__kind(call->form);
    if (!file_event__may_be_wanted(call, kind, task))
        return 0;
    body = &record->namespaces;
    if (kind == KIND_UNSHARE) {
        body->flags = call->args[0];
    } else {
        /* setns(descriptor, types) */
        body->flags = call->args[1];
        file = task__file(task, (__s32)call->args[0]);
        if (file && BPF_CORE_READ(file, f_inode, i_sb, s_magic) == NSFS_MAGIC)
            body->inode = BPF_CORE_READ(file, f_inode, i_ino);
        else
            target__find_descriptor(&body->target, task, call->args[0]);
    }
    file_event__send(&builder, task, kind, call);
    return 0;
}

static __always_inline int namespaces__exit(__u32 form, __s64 ret, __u32 record_flags)
{
    if (form == FORM_NONE || !call__is_reported(ret) ||
        filter__keeps(namespaces__kind(form)) == FILTER_KEEP_NONE)
        return 0;
    if (call__load(form, ret, record_flags))
        namespaces__report(bpf_get_current_task());
    return 0;
}

FILE_EXIT(namespaces, unshare)

/* ---- userfaultfd, memfd_create, io_uring_setup ------------------------------------------------------ */

static __always_inline __u32 descriptor__kind(__u32 form)
{
    if (form == FORM_USERFAULTFD)
        return KIND_USERFAULTFD;
    return form == FORM_MEMFD_CREATE ? KIND_MEMFD_CREATE : KIND_IO_URING_SETUP;
}

__noinline int descriptor__report(__u64 task_address)
{
    struct task_struct *task = (void *)task_address;
    struct call *call = call__scratch();
    struct builder builder = {};
    struct record *record = file_event__begin(&builder, sizeof(struct made_descriptor_body));
    struct made_descriptor_body *body;
    __u32 kind;

    if (!call || !record)
        return 0;
    kind = descriptor__kind(call->form);
    if (!file_event__may_be_wanted(call, kind, task))
        return 0;
    body = &record->made_descriptor;
    if (kind == KIND_USERFAULTFD) {
        body->flags = call->args[0];
    } else if (kind == KIND_MEMFD_CREATE) {
        body->flags = call->args[1];
        body->name = tail__append_user_string(&builder, call->args[0], NAME_SIZE_MAX + 1, ERROR_GIVEN_VALUE);
    } else {
        /* struct io_uring_params: sq_entries, cq_entries, flags, ... */
        body->entries = call->args[0];
        if (bpf_probe_read_user(&body->flags, sizeof(body->flags), (void *)call->args[1] + 2 * sizeof(__u32)))
            builder.errors |= ERROR_GIVEN_VALUE;
    }
    file_event__send(&builder, task, kind, call);
    return 0;
}

static __always_inline int descriptor__exit(__u32 form, __s64 ret, __u32 record_flags)
{
    if (form == FORM_NONE || !call__is_reported(ret) ||
        filter__keeps(descriptor__kind(form)) == FILTER_KEEP_NONE)
        return 0;
    if (call__load(form, ret, record_flags))
        descriptor__report(bpf_get_current_task());
    return 0;
}

FILE_EXIT(descriptor, memfd_create)
