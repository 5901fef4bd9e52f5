/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Opens, and changes of what a file says about itself, seen inside the kernel.
 */

/* ---- open ------------------------------------------------------------------------------------------- */

/* At the end of a function that a system call of this family goes through. */
static __always_inline int open__hook_exit(__s64 ret)
{
    struct caller caller;
    __u32 form;

    if (!call__is_reported(ret) || !caller__find(&caller))
        return 0;
    form = CALLER_FORM(&caller, open, FORM_NONE);
    return open__exit(form, ret, caller.record_flags);
}

/* All system calls that open by path come through here, and only here is the descriptor known. */
WITH_RESULT("do_sys_openat2", exit_do_sys_openat2, 3, WITH_SCRATCH(KIND_OPEN, open__hook_exit((__s32)result)))

WITH_RESULT("do_handle_open", exit_do_handle_open, 3, WITH_SCRATCH(KIND_OPEN, open__hook_exit((__s32)result)))

/* As open__exit(), for an operation that has been loaded into the call scratch. */
static __always_inline int open__report_loaded(struct call *call)
{
    if (!judgement__begin(&call->judgement, KIND_OPEN))
        return 0;
    return open__report(bpf_get_current_task());
}

/* Requests of rings: there is no descriptor yet, or ever. What the kernel opens for other ends has no form.
 */
static __always_inline int open__by_ring(__u64 *arguments)
{
    __u64 file = address_of((void *)arguments[3]);
    __s64 ret = file >= (__u64)-4095 ? (__s64)file : 0;
    struct open_flags *flags = (void *)address_of((void *)arguments[2]);
    struct caller caller;
    struct call *call;

    if (!call__is_reported(ret) || filter__keeps(KIND_OPEN) == FILTER_KEEP_NONE || !caller__find(&caller))
        return 0;
    if (CALLER_FORM(&caller, open, FORM_OPENAT) != FORM_OPENAT ||
        !(caller.record_flags & RECORD_FLAG_ASYNC) || !call__load(FORM_OPENAT, ret, caller.record_flags))
        return 0;
    call = call__scratch();
    if (!call)
        return 0;
    call->args[0] = arguments[0];
    call->args[1] = (__u64)BPF_CORE_READ((struct filename *)address_of((void *)arguments[1]), name);
    /* The kernel adds O_LARGEFILE itself. */
    call->args[2] = BPF_CORE_READ(flags, open_flag) & ~O_LARGEFILE;
    call->args[3] = BPF_CORE_READ(flags, mode) & 07777;
    /* A program that is executed is opened too. */
    if (call->args[2] & FMODE_EXEC)
        return 0;
    if (ret >= 0)
        call->file = file;
    return open__report_loaded(call);
}

AT_RETURN("do_filp_open", exit_do_filp_open, 3, WITH_SCRATCH(KIND_OPEN, open__by_ring(arguments)))

/* Its name since 7.0. */
AT_RETURN("do_file_open", exit_do_file_open, 3, WITH_SCRATCH(KIND_OPEN, open__by_ring(arguments)))

/* ---- truncate, fallocate ---------------------------------------------------------------------------- */

static __always_inline int see_vfs_truncate(const struct path *path, __s64 ret)
{
    struct caller caller;
    struct call *call;
    __u32 form;

    if (!call__is_reported(ret) || filter__keeps(KIND_OPEN) == FILTER_KEEP_NONE || !caller__find(&caller))
        return 0;
    form = CALLER_FORM(&caller, open, FORM_NONE);
    if ((form != FORM_TRUNCATE && form != FORM_TRUNCATE64) || !call__load(form, ret, caller.record_flags))
        return 0;
    call = call__scratch();
    if (!call)
        return 0;
    call->objects[0] = object__found((__u64)BPF_CORE_READ(path, dentry), path__mount(path));
    return open__report_loaded(call);
}

AT_RETURN("vfs_truncate", exit_vfs_truncate, 2,
          WITH_SCRATCH(KIND_OPEN, see_vfs_truncate((const struct path *)arguments[0], (__s32)arguments[2])))

WITH_RESULT("do_sys_ftruncate", exit_do_sys_ftruncate, 3,
            WITH_SCRATCH(KIND_OPEN, open__hook_exit((__s32)result)))

/* Its name since 7.0. */
WITH_RESULT("ksys_ftruncate", exit_ksys_ftruncate, 3, WITH_SCRATCH(KIND_OPEN, open__hook_exit((__s32)result)))

static __always_inline int see_vfs_fallocate(struct file *file, int mode, __s64 offset, __s64 length, int ret)
{
    __u64 address = address_of(file);
    struct caller caller;
    struct call *call;
    __u32 form;

    if (!call__is_reported(ret) || filter__keeps(KIND_OPEN) == FILTER_KEEP_NONE || !caller__find(&caller))
        return 0;
    form = CALLER_FORM(&caller, open, FORM_FALLOCATE);
    if ((form != FORM_FALLOCATE && form != FORM_FALLOCATE_PAIRS) ||
        !call__load(form, ret, caller.record_flags))
        return 0;
    call = call__scratch();
    if (!call)
        return 0;
    if (caller.record_flags & RECORD_FLAG_ASYNC) {
        struct mount *mount = vfsmount__mount(BPF_CORE_READ(file, f_path.mnt));

        /* A layer of an overlay does the same again for the file above it. */
        if (!BPF_CORE_READ(mount, mnt_ns))
            return 0;
        call->args[0] = -1;
        call->args[1] = mode;
        call->args[2] = offset;
        call->args[3] = length;
        call->file = address;
    } else if ((__u64)task__file((void *)bpf_get_current_task(), call->args[0]) != address) {
        return 0;
    }
    return open__report_loaded(call);
}

AT_RETURN("vfs_fallocate", exit_vfs_fallocate, 4,
          WITH_SCRATCH(KIND_OPEN, see_vfs_fallocate((struct file *)arguments[0], arguments[1], arguments[2],
                                                    arguments[3], (__s32)arguments[4])))

/* ---- chmod, chown, utimes --------------------------------------------------------------------------- */

static __always_inline int attributes__hook_enter(__u32 form, const struct caller *caller,
                                                  const struct path *path)
{
    struct call *call;

    if (form == FORM_NONE || !call__is_reported(0) ||
        filter__keeps(attributes__kind(form)) == FILTER_KEEP_NONE)
        return 0;
    if (!call__load(form, 0, caller->record_flags))
        return 0;
    call = call__scratch();
    if (!call)
        return 0;
    call->objects[0] = object__found((__u64)BPF_CORE_READ(path, dentry), path__mount(path));
    return attributes__remember(bpf_get_current_task());
}

/* Loads the outcome into the call scratch; false if it is not reported. */
static __always_inline bool attributes__hook_exit(__u32 form, const struct caller *caller,
                                                  const struct path *path, __s64 ret)
{
    struct call *call;

    if (form == FORM_NONE || !attributes__begin_exit(form, ret, caller->record_flags))
        return false;
    call = call__scratch();
    if (!call)
        return false;
    call->objects[0] = object__found((__u64)BPF_CORE_READ(path, dentry), path__mount(path));
    return true;
}

/* Programs at both ends of a function of `count` arguments, of which the first is the path. */
#define ATTRIBUTE_HOOKS(kind, family, function, count)                                                       \
    static __always_inline int function##__enter(__u64 *arguments)                                           \
    {                                                                                                        \
        struct caller caller;                                                                                \
                                                                                                             \
        if (!caller__find(&caller))                                                                          \
            return 0;                                                                                        \
        return attributes__hook_enter(CALLER_FORM(&caller, family, FORM_NONE), &caller,                      \
                                      (const struct path *)address_of((void *)arguments[0]));                \
    }                                                                                                        \
                                                                                                             \
    static __always_inline int function##__exit(__u64 *arguments)                                            \
    {                                                                                                        \
        struct caller caller;                                                                                \
                                                                                                             \
        if (!caller__find(&caller))                                                                          \
            return 0;                                                                                        \
        if (attributes__hook_exit(CALLER_FORM(&caller, family, FORM_NONE), &caller,                          \
                                  (const struct path *)address_of((void *)arguments[0]),                     \
                                  (__s32)arguments[count]))                                                  \
            family##__report(bpf_get_current_task());                                                        \
        file_before__forget();                                                                               \
        return 0;                                                                                            \
    }                                                                                                        \
                                                                                                             \
    AT_ENTRY(#function, enter_##function, 1, WITH_SCRATCH(kind, function##__enter(arguments)))               \
    AT_RETURN(#function, exit_##function, count, WITH_SCRATCH(kind, function##__exit(arguments)))

ATTRIBUTE_HOOKS(KIND_CHMOD, chmod, chmod_common, 2)
ATTRIBUTE_HOOKS(KIND_CHOWN, chown, chown_common, 3)
ATTRIBUTE_HOOKS(KIND_UTIMES, utimes, vfs_utimes, 2)
