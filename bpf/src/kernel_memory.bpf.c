/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Memory that is mapped, and memory whose protection is changed. */

DEFINE_FORM_OF(mmap, MMAP_CALLS)
DEFINE_FORM_OF(mprotect, MPROTECT_CALLS)

/* ---- mmap ------------------------------------------------------------------------------------------- */

__noinline int mmap__report(__u64 task_address)
{
    struct task_struct *task = (void *)task_address;
    struct call *call = call__scratch();
    struct builder builder = {};
    struct record *record = file_event__begin(&builder, sizeof(struct mmap_body));
    struct mmap_body *body;
    struct filter *filter;

    if (!call || !record || !file_event__may_be_wanted(call, KIND_MMAP, task))
        return 0;
    body = &record->mmap;
    body->address = call->args[0];
    body->length = call->args[1];
    body->protection = call->args[2];
    body->flags = call->args[3];
    body->offset = call->form == FORM_MMAP2 ? call->args[5] << 12 : call->args[5];
    filter = judgement__filter(&call->judgement);
    if (filter && !judgement__narrow(&call->judgement, filter__by_flags(filter, body->protection)))
        return 0;
    if (!(body->flags & MAP_ANONYMOUS)) {
        file_event__take_descriptor(task, (__s32)call->args[4]);
        if (!file_event__wants_found(call, 0))
            return 0;
        file_info__fill_found(&body->file, &builder, task, ERROR_FILE);
        if (!judgement__by_file(&call->judgement, 0, &body->file))
            return 0;
    } else if (filter && !judgement__narrow(&call->judgement, filter->any_name[0] & filter->any_path[0])) {
        /* Rules on the name of a file. */
        return 0;
    }
    file_event__send(&builder, task, KIND_MMAP, call);
    return 0;
}

static __always_inline int mmap__exit(__u32 form, __s64 ret, __u32 record_flags)
{
    if (form == FORM_NONE || !call__is_reported(ret) || filter__keeps(KIND_MMAP) == FILTER_KEEP_NONE)
        return 0;
    if (call__load(form, ret, record_flags))
        mmap__report(bpf_get_current_task());
    return 0;
}

FILE_EXIT(mmap, mmap)

/* ---- mprotect --------------------------------------------------------------------------------------- */

/* The mapping as it was when the call began, by thread. */
struct mapping_before {
    __u64 vm_start;
    __u64 vm_end;
    __u64 vm_flags;
    __u64 address;
};

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 4096);
    __type(key, __u64);
    __type(value, struct mapping_before);
} mappings_before SEC(".maps");

__noinline int mprotect__remember(__u64 task_address)
{
    struct call *call = call__scratch();
    __u64 thread = bpf_get_current_pid_tgid();
    struct mapping_before before = {};
    struct vm_area_struct *area;
    struct filter *filter;

    if (!call || !file_event__may_be_wanted(call, KIND_MPROTECT, (void *)task_address))
        return 0;
    filter = judgement__filter(&call->judgement);
    if (filter && !judgement__narrow(&call->judgement, filter__by_flags(filter, call->args[2])))
        return 0;
    area = task__mapping((void *)task_address, call->args[0]);
    before.address = call->args[0];
    if (area) {
        before.vm_start = BPF_CORE_READ(area, vm_start);
        before.vm_end = BPF_CORE_READ(area, vm_end);
        before.vm_flags = BPF_CORE_READ(area, vm_flags);
    }
    bpf_map_update_elem(&mappings_before, &thread, &before, BPF_ANY);
    return 0;
}

__noinline int mprotect__report(__u64 task_address)
{
    struct task_struct *task = (void *)task_address;
    struct call *call = call__scratch();
    __u64 thread = bpf_get_current_pid_tgid();
    struct builder builder = {};
    struct record *record = file_event__begin(&builder, sizeof(struct mprotect_body));
    struct mapping_before *before;
    struct mprotect_body *body;
    struct filter *filter;

    if (!call || !record || !file_event__may_be_wanted(call, KIND_MPROTECT, task))
        return 0;
    body = &record->mprotect;
    body->address = call->args[0];
    body->length = call->args[1];
    body->protection = call->args[2];
    filter = judgement__filter(&call->judgement);
    if (filter && !judgement__narrow(&call->judgement, filter__by_flags(filter, body->protection)))
        return 0;
    before = bpf_map_lookup_elem(&mappings_before, &thread);
    if (before && before->address == body->address) {
        body->vm_start = before->vm_start;
        body->vm_end = before->vm_end;
        body->vm_flags = before->vm_flags;
    } else {
        builder.errors |= ERROR_OLD_VALUES;
    }
    file_event__send(&builder, task, KIND_MPROTECT, call);
    return 0;
}

static __always_inline int mprotect__enter(__u32 form, __u32 record_flags)
{
    if (form == FORM_NONE || !call__is_reported(0) || filter__keeps(KIND_MPROTECT) == FILTER_KEEP_NONE)
        return 0;
    if (call__load(form, 0, record_flags))
        mprotect__remember(bpf_get_current_task());
    return 0;
}

static __always_inline int mprotect__exit(__u32 form, __s64 ret, __u32 record_flags)
{
    __u64 thread = bpf_get_current_pid_tgid();

    if (form == FORM_NONE)
        return 0;
    if (call__is_reported(ret) && filter__keeps(KIND_MPROTECT) != FILTER_KEEP_NONE &&
        call__load(form, ret, record_flags))
        mprotect__report(bpf_get_current_task());
    bpf_map_delete_elem(&mappings_before, &thread);
    return 0;
}

FILE_ENTER(mprotect, mprotect)
FILE_EXIT(mprotect, mprotect)
