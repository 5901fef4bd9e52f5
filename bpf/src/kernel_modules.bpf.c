/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Modules. Their names are the kernel's: it passes two tracepoints on its way, by the thread that asked for
 * the change, where the name is remembered until the call ends. So a caller cannot say one name and load
 * another module. A module that the kernel itself asks for is loaded by modprobe, and told as its doing.
 */

DEFINE_FORM_OF(load_module, LOAD_MODULE_CALLS)
DEFINE_FORM_OF(unload_module, UNLOAD_MODULE_CALLS)

struct module_before {
    __u8 name[MODULE_NAME_SIZE];
};

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 256);
    __type(key, __u64);
    __type(value, struct module_before);
} modules_before SEC(".maps");

static __always_inline int module__remember_name(const void *name)
{
    __u64 thread = bpf_get_current_pid_tgid();
    struct module_before before = {};

    bpf_probe_read_kernel_str(before.name, sizeof(before.name), name);
    bpf_map_update_elem(&modules_before, &thread, &before, BPF_ANY);
    return 0;
}

static __always_inline int module__remember(struct module *module)
{
    return module__remember_name((void *)module + bpf_core_field_offset(struct module, name));
}

AT_TRACEPOINT("module_load")
int BPF_PROG(on_module_load, struct module *module)
{
    return module__remember(module);
}

AT_TRACEPOINT("module_free")
int BPF_PROG(on_module_free, struct module *module)
{
    return module__remember(module);
}

static __always_inline void module__forget(void)
{
    __u64 thread = bpf_get_current_pid_tgid();

    bpf_map_delete_elem(&modules_before, &thread);
}

static __always_inline struct module_before *module__recall(void)
{
    __u64 thread = bpf_get_current_pid_tgid();

    return bpf_map_lookup_elem(&modules_before, &thread);
}

__noinline int load_module__report(__u64 task_address)
{
    struct task_struct *task = (void *)task_address;
    struct call *call = call__scratch();
    struct builder builder = {};
    struct record *record = file_event__begin(&builder, sizeof(struct load_module_body));
    struct load_module_body *body;
    struct module_before *before;
    __u64 args;

    if (!call || !record || !file_event__may_be_wanted(call, KIND_LOAD_MODULE, task))
        return 0;
    body = &record->load_module;
    if (call->form == FORM_INIT_MODULE) {
        /* init_module(image, size, args) */
        body->flags |= MODULE_FLAG_FROM_MEMORY;
        args = call->args[2];
    } else {
        /* finit_module(descriptor, args, flags) */
        file_event__take_descriptor(task, call->args[0]);
        if (!file_event__wants_found(call, 0))
            return 0;
        file_info__fill_found(&body->file, &builder, task, ERROR_FILE);
        if (!judgement__by_file(&call->judgement, 0, &body->file))
            return 0;
        args = call->args[1];
    }
    before = module__recall();
    if (before)
        body->name =
            tail__append_string(&builder, (const char *)before->name, MODULE_NAME_SIZE, ERROR_GIVEN_VALUE);
    body->args = tail__append_user_string(&builder, args, MODULE_ARGS_SIZE + 2, ERROR_ARGS);
    if (body->args.length > MODULE_ARGS_SIZE) {
        body->args.length = MODULE_ARGS_SIZE;
        body->flags |= MODULE_FLAG_ARGS_TRUNCATED;
    }
    file_event__send(&builder, task, KIND_LOAD_MODULE, call);
    return 0;
}

static __always_inline int load_module__exit(__u32 form, __s64 ret, __u32 record_flags)
{
    if (form == FORM_NONE)
        return 0;
    if (call__is_reported(ret) && filter__keeps(KIND_LOAD_MODULE) != FILTER_KEEP_NONE &&
        call__load(form, ret, record_flags))
        load_module__report(bpf_get_current_task());
    module__forget();
    return 0;
}

FILE_EXIT(load_module, finit_module)

__noinline int unload_module__report(__u64 task_address)
{
    struct task_struct *task = (void *)task_address;
    struct call *call = call__scratch();
    struct builder builder = {};
    struct record *record = file_event__begin(&builder, sizeof(struct unload_module_body));
    struct unload_module_body *body;
    struct module_before *before;

    if (!call || !record || !file_event__may_be_wanted(call, KIND_UNLOAD_MODULE, task))
        return 0;
    body = &record->unload_module;
    /* delete_module(name, flags) */
    body->flags = call->args[1];
    before = module__recall();
    if (before)
        body->name =
            tail__append_string(&builder, (const char *)before->name, MODULE_NAME_SIZE, ERROR_GIVEN_VALUE);
    else
        body->name = tail__append_user_string(&builder, call->args[0], MODULE_NAME_SIZE, ERROR_GIVEN_VALUE);
    file_event__send(&builder, task, KIND_UNLOAD_MODULE, call);
    return 0;
}

static __always_inline int unload_module__exit(__u32 form, __s64 ret, __u32 record_flags)
{
    if (form == FORM_NONE)
        return 0;
    if (call__is_reported(ret) && filter__keeps(KIND_UNLOAD_MODULE) != FILTER_KEEP_NONE &&
        call__load(form, ret, record_flags))
        unload_module__report(bpf_get_current_task());
    module__forget();
    return 0;
}

FILE_EXIT(unload_module, delete_module)
