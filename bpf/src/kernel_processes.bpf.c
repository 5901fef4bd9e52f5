/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What processes do to other processes: ptrace, signals, limits, writing to their memory. */

DEFINE_FORM_OF(ptrace, PTRACE_CALLS)
DEFINE_FORM_OF(signal, SIGNAL_CALLS)
DEFINE_FORM_OF(setrlimit, SETRLIMIT_CALLS)
DEFINE_FORM_OF(vm_write, VM_WRITE_CALLS)

/* The target of the current call, in the target scratch. */
__noinline int target__of_call(__u64 task_address)
{
    struct task_struct *task = (void *)task_address;
    struct call *call = call__scratch();
    struct target_before *found = target__scratch();
    __s32 first, number;

    if (!call || !found)
        return 0;
    __builtin_memset(found, 0, sizeof(*found));
    first = call->args[0];
    number = first;
    switch (call->form) {
    case FORM_PTRACE:
        if (first == PTRACE_TRACEME) {
            target__set(&found->target, task);
            return 0;
        }
        number = call->args[1];
        break;
    case FORM_PIDFD_SEND_SIGNAL:
        target__find_descriptor(&found->target, task, first);
        return 0;
    case FORM_KILL:
        if (first > 0)
            break;
        /* 0: the own group, -1: everybody that may be signalled. */
        found->flags = SIGNAL_FLAG_GROUP;
        found->target.given = first;
        if (first == 0)
            target__set_group(&found->target, task);
        else if (first != -1)
            target__find(&found->target, task, -first);
        found->target.given = first;
        return 0;
    case FORM_TKILL:
        found->flags = SIGNAL_FLAG_THREAD;
        break;
    case FORM_TGKILL:
    case FORM_RT_TGSIGQUEUEINFO:
        found->flags = SIGNAL_FLAG_THREAD;
        break;
    case FORM_PRLIMIT64:
        if (first == 0) {
            target__set(&found->target, task);
            return 0;
        }
        break;
    case FORM_SETRLIMIT:
        target__set(&found->target, task);
        return 0;
    default:
        break;
    }
    target__find(&found->target, task, number);
    return 0;
}

/* The entry of a call that has a target. */
static __always_inline int target__enter(__u32 kind, __u32 form, __u32 record_flags)
{
    struct target_before *found;

    if (form == FORM_NONE || !call__is_reported(0) || filter__keeps(kind) == FILTER_KEEP_NONE)
        return 0;
    if (!call__load(form, 0, record_flags))
        return 0;
    target__of_call(bpf_get_current_task());
    found = target__scratch();
    if (found)
        target__remember(found, form);
    return 0;
}

/* The target of the call that ends: as it was when the call began, if that was seen. */
static __always_inline struct target_before *target__at_exit(const struct call *call,
                                                             struct task_struct *task)
{
    struct target_before *before = target__recall(call->form);

    if (before)
        return before;
    target__of_call((__u64)task);
    return target__scratch();
}

/* ---- ptrace ----------------------------------------------------------------------------------------- */

__noinline int ptrace__report(__u64 task_address)
{
    struct task_struct *task = (void *)task_address;
    struct call *call = call__scratch();
    struct builder builder = {};
    struct record *record = file_event__begin(&builder, sizeof(struct ptrace_body));
    struct target_before *found;
    struct ptrace_body *body;

    if (!call || !record || !file_event__may_be_wanted(call, KIND_PTRACE, task))
        return 0;
    found = target__at_exit(call, task);
    if (!found)
        return 0;
    body = &record->ptrace;
    body->tracee = found->target;
    body->request = call->args[0];
    body->address = call->args[2];
    body->data = call->args[3];
    file_event__send(&builder, task, KIND_PTRACE, call);
    return 0;
}

static __always_inline int ptrace__enter(__u32 form, __u32 record_flags)
{
    return target__enter(KIND_PTRACE, form, record_flags);
}

static __always_inline int ptrace__exit(__u32 form, __s64 ret, __u32 record_flags)
{
    if (form == FORM_NONE)
        return 0;
    if (call__is_reported(ret) && filter__keeps(KIND_PTRACE) != FILTER_KEEP_NONE &&
        call__load(form, ret, record_flags))
        ptrace__report(bpf_get_current_task());
    target__forget();
    return 0;
}

FILE_ENTER(ptrace, ptrace)
FILE_EXIT(ptrace, ptrace)

/* ---- signals ---------------------------------------------------------------------------------------- */

static __always_inline __u32 signal__number(const struct call *call)
{
    if (call->form == FORM_TGKILL || call->form == FORM_RT_TGSIGQUEUEINFO)
        return call->args[2];
    return call->args[1];
}

__noinline int signal__report(__u64 task_address)
{
    struct task_struct *task = (void *)task_address;
    struct call *call = call__scratch();
    struct builder builder = {};
    struct record *record = file_event__begin(&builder, sizeof(struct signal_body));
    struct target_before *found;
    struct signal_body *body;
    struct filter *filter;

    if (!call || !record || !file_event__may_be_wanted(call, KIND_SIGNAL, task))
        return 0;
    found = target__at_exit(call, task);
    if (!found)
        return 0;
    /* The threads of one program among themselves: how Go preempts its own, how a library cancels. */
    if (found->flags & SIGNAL_FLAG_THREAD && found->target.pid == (__u32)BPF_CORE_READ(task, tgid))
        return 0;
    body = &record->signal;
    filter = judgement__filter(&call->judgement);
    if (filter && !judgement__narrow(&call->judgement, filter__by_value(filter, signal__number(call))))
        return 0;
    body->target = found->target;
    body->flags = found->flags;
    body->signal = signal__number(call);
    file_event__send(&builder, task, KIND_SIGNAL, call);
    return 0;
}

static __always_inline int signal__enter(__u32 form, __u32 record_flags)
{
    return target__enter(KIND_SIGNAL, form, record_flags);
}

static __always_inline int signal__exit(__u32 form, __s64 ret, __u32 record_flags)
{
    if (form == FORM_NONE)
        return 0;
    if (call__is_reported(ret) && filter__keeps(KIND_SIGNAL) != FILTER_KEEP_NONE &&
        call__load(form, ret, record_flags))
        signal__report(bpf_get_current_task());
    target__forget();
    return 0;
}

FILE_ENTER(signal, kill)
FILE_EXIT(signal, kill)

/* ---- limits ----------------------------------------------------------------------------------------- */

/* setrlimit(resource, limits), prlimit64(pid, resource, new, old). What the caller has in its memory: another
 * thread of it can rewrite that while the call runs. */
static __always_inline bool setrlimit__values(const struct call *call, struct setrlimit_body *body)
{
    bool is_prlimit = call->form == FORM_PRLIMIT64;
    __u64 address = call->args[is_prlimit ? 2 : 1];
    __u64 values[2] = {};

    body->resource = call->args[is_prlimit ? 1 : 0];
    /* prlimit64 that only asks. */
    if (!address)
        return false;
    if (!is_prlimit && call->record_flags & RECORD_FLAG_COMPAT) {
        __u32 narrow[2] = {};

        bpf_probe_read_user(narrow, sizeof(narrow), (void *)address);
        values[0] = narrow[0] == 0xffffffff ? ~0ULL : narrow[0];
        values[1] = narrow[1] == 0xffffffff ? ~0ULL : narrow[1];
    } else {
        bpf_probe_read_user(values, sizeof(values), (void *)address);
    }
    body->soft = values[0];
    body->hard = values[1];
    return true;
}

static __always_inline void setrlimit__values_taken(struct task_struct *task, struct setrlimit_body *body)
{
    struct signal_struct *signal = BPF_CORE_READ(task, signal);
    struct rlimit *limits = (void *)signal + bpf_core_field_offset(struct signal_struct, rlim);
    struct rlimit *limit = (void *)limits + (__u64)(body->resource & 15) * bpf_core_type_size(struct rlimit);

    body->soft = BPF_CORE_READ(limit, rlim_cur);
    body->hard = BPF_CORE_READ(limit, rlim_max);
}

__noinline int setrlimit__report(__u64 task_address)
{
    struct task_struct *task = (void *)task_address;
    struct call *call = call__scratch();
    struct builder builder = {};
    struct record *record = file_event__begin(&builder, sizeof(struct setrlimit_body));
    struct target_before *found;
    struct setrlimit_body *body;

    if (!call || !record || !file_event__may_be_wanted(call, KIND_SETRLIMIT, task))
        return 0;
    body = &record->setrlimit;
    if (!setrlimit__values(call, body))
        return 0;
    found = target__at_exit(call, task);
    if (!found)
        return 0;
    body->target = found->target;
    /* Of its own process: what the kernel has taken. */
    if (call->ret == 0 && body->target.pid == (__u32)BPF_CORE_READ(task, tgid))
        setrlimit__values_taken(task, body);
    file_event__send(&builder, task, KIND_SETRLIMIT, call);
    return 0;
}

static __always_inline int setrlimit__exit(__u32 form, __s64 ret, __u32 record_flags)
{
    if (form == FORM_NONE || !call__is_reported(ret) || filter__keeps(KIND_SETRLIMIT) == FILTER_KEEP_NONE)
        return 0;
    if (call__load(form, ret, record_flags))
        setrlimit__report(bpf_get_current_task());
    return 0;
}

FILE_EXIT(setrlimit, setrlimit)

/* ---- process_vm_writev ------------------------------------------------------------------------------ */

__noinline int vm_write__report(__u64 task_address)
{
    struct task_struct *task = (void *)task_address;
    struct call *call = call__scratch();
    struct builder builder = {};
    struct record *record = file_event__begin(&builder, sizeof(struct process_vm_writev_body));
    struct process_vm_writev_body *body;
    struct target_before *found;

    if (!call || !record || !file_event__may_be_wanted(call, KIND_PROCESS_VM_WRITEV, task))
        return 0;
    found = target__at_exit(call, task);
    if (!found)
        return 0;
    body = &record->process_vm_writev;
    body->target = found->target;
    /* process_vm_writev(pid, local, count, remote, count, flags): the base of the first remote piece. */
    bpf_probe_read_user(&body->address,
                        call->record_flags & RECORD_FLAG_COMPAT ? sizeof(__u32) : sizeof(__u64),
                        (void *)call->args[3]);
    file_event__send(&builder, task, KIND_PROCESS_VM_WRITEV, call);
    return 0;
}

static __always_inline int vm_write__enter(__u32 form, __u32 record_flags)
{
    return target__enter(KIND_PROCESS_VM_WRITEV, form, record_flags);
}

static __always_inline int vm_write__exit(__u32 form, __s64 ret, __u32 record_flags)
{
    if (form == FORM_NONE)
        return 0;
    if (call__is_reported(ret) && filter__keeps(KIND_PROCESS_VM_WRITEV) != FILTER_KEEP_NONE &&
        call__load(form, ret, record_flags))
        vm_write__report(bpf_get_current_task());
    target__forget();
    return 0;
}

FILE_ENTER(vm_write, process_vm_writev)
FILE_EXIT(vm_write, process_vm_writev)
