/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Working directories, mounts and pipes, seen inside the kernel: the objects that a call acts on. What is
 * refused before there is one is told by the hooks at the calls (hooks_calls), which reported__set() keeps
 * from telling the rest.
 */

/* ---- chdir ------------------------------------------------------------------------------------------ */

/* Where a process goes. Nothing can fail any more. */
static __always_inline int see_set_fs_pwd(const struct path *path)
{
    struct caller caller;
    struct call *call;
    __u32 form;

    if (filter__keeps(KIND_CHDIR) == FILTER_KEEP_NONE || !call__is_reported(0) || !caller__find(&caller))
        return 0;
    form = CALLER_FORM(&caller, chdir, FORM_NONE);
    if (form == FORM_NONE || !call__load(form, 0, caller.record_flags))
        return 0;
    call = call__scratch();
    if (!call)
        return 0;
    call->objects[0] = object__found((__u64)BPF_CORE_READ(path, dentry), path__mount(path));
    reported__set(form, caller.record_flags);
    return chdir__report(bpf_get_current_task());
}

AT_ENTRY("set_fs_pwd", hook_set_fs_pwd, 2,
         WITH_SCRATCH(KIND_CHDIR, see_set_fs_pwd((void *)address_of((void *)arguments[1]))))

/* ---- mount, umount ---------------------------------------------------------------------------------- */

static __always_inline int see_path_mount(__u64 *arguments)
{
    const struct path *path = (void *)address_of((void *)arguments[1]);
    __s64 ret = (__s32)arguments[5];
    struct caller caller;
    struct call *call;
    __u32 form;

    if (!call__is_reported(ret) || filter__keeps(KIND_MOUNT) == FILTER_KEEP_NONE || !caller__find(&caller))
        return 0;
    form = CALLER_FORM(&caller, mount, FORM_NONE);
    if (form != FORM_MOUNT || !call__load(form, ret, caller.record_flags))
        return 0;
    call = call__scratch();
    if (!call || !mount__is_event(call))
        return 0;
    call->objects[1] = object__found((__u64)BPF_CORE_READ(path, dentry), path__mount(path));
    call->texts[0] = address_of((void *)arguments[0]);
    call->texts[1] = address_of((void *)arguments[2]);
    reported__set(form, caller.record_flags);
    return mount__report_mount(bpf_get_current_task());
}

AT_RETURN("path_mount", exit_path_mount, 5, WITH_SCRATCH(KIND_MOUNT, see_path_mount(arguments)))

static __always_inline int see_move_mount(const struct path *from, const struct path *to)
{
    __u64 thread = bpf_get_current_pid_tgid();
    struct mount *mount = (void *)path__mount(from);
    struct mount *parent = BPF_CORE_READ(mount, mnt_parent);
    struct moving moving = {};
    struct caller caller;

    if (!call__is_reported(0) || filter__keeps(KIND_MOUNT) == FILTER_KEEP_NONE || !caller__find(&caller) ||
        CALLER_FORM(&caller, mount, FORM_NONE) != FORM_MOVE_MOUNT)
        return 0;
    /* Once it has moved its path is another one. */
    if (parent != mount)
        moving.from = object__found((__u64)BPF_CORE_READ(mount, mnt_mountpoint), (__u64)parent);
    moving.to = object__found((__u64)BPF_CORE_READ(to, dentry), path__mount(to));
    moving.moved = object__found((__u64)BPF_CORE_READ(from, dentry), (__u64)mount);
    bpf_map_update_elem(&moves, &thread, &moving, BPF_ANY);
    return 0;
}

AT_ENTRY("security_move_mount", hook_move_mount, 2,
         WITH_SCRATCH(KIND_MOUNT, see_move_mount((void *)address_of((void *)arguments[0]),
                                                 (void *)address_of((void *)arguments[1]))))

/* Where the mount that is to go lies, kept until it is gone: by thread. */
struct unmounting {
    /* Addresses of struct dentry and struct mount. */
    __u64 dentry;
    __u64 mount;
    /* Tells whether the dentry is still the same when the mount no longer holds it. */
    __u64 parent;
};

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 4096);
    __type(key, __u64);
    __type(value, struct unmounting);
} unmountings SEC(".maps");

static __always_inline int enter_umount_of(const struct path *path)
{
    __u64 thread = bpf_get_current_pid_tgid();
    struct unmounting unmounting = {};
    struct mount *mount, *parent;
    struct dentry *mountpoint;
    struct caller caller;
    struct call *call;
    struct walk *walk;
    __u32 form;

    if (!call__is_reported(0) || filter__keeps(KIND_UMOUNT) == FILTER_KEEP_NONE || !caller__find(&caller))
        return 0;
    form = CALLER_FORM(&caller, umount, FORM_NONE);
    call = call__scratch();
    walk = walk__scratch();
    if (form == FORM_NONE || !call || !walk)
        return 0;
    mount = (void *)path__mount(path);
    call->objects[0] = object__found((__u64)BPF_CORE_READ(path, dentry), (__u64)mount);
    if (file_event__take_object(call, 0))
        file_before__remember(walk, form, 0);
    parent = BPF_CORE_READ(mount, mnt_parent);
    mountpoint = BPF_CORE_READ(mount, mnt_mountpoint);
    /* What is no root of a mount is refused later; what lies upon nothing has only itself. */
    if (parent == mount || BPF_CORE_READ(path, dentry) != BPF_CORE_READ(mount, mnt.mnt_root)) {
        parent = mount;
        mountpoint = BPF_CORE_READ(path, dentry);
    }
    unmounting.dentry = (__u64)mountpoint;
    unmounting.mount = (__u64)parent;
    unmounting.parent = (__u64)BPF_CORE_READ(mountpoint, d_parent);
    bpf_map_update_elem(&unmountings, &thread, &unmounting, BPF_ANY);
    return 0;
}

AT_ENTRY("path_umount", enter_path_umount, 1,
         WITH_SCRATCH(KIND_UMOUNT, enter_umount_of((void *)address_of((void *)arguments[0]))))

static __always_inline int exit_umount_of(__s64 ret)
{
    __u64 thread = bpf_get_current_pid_tgid();
    struct unmounting *unmounting = bpf_map_lookup_elem(&unmountings, &thread);
    struct dentry *mountpoint;
    struct caller caller;
    struct call *call;
    __u32 form;

    if (!unmounting)
        return 0;
    mountpoint = (void *)unmounting->dentry;
    if (call__is_reported(ret) && caller__find(&caller)) {
        form = CALLER_FORM(&caller, umount, FORM_NONE);
        if (form != FORM_NONE && call__load(form, ret, caller.record_flags)) {
            call = call__scratch();
            if (call && (__u64)BPF_CORE_READ(mountpoint, d_parent) == unmounting->parent)
                call->objects[0] = object__found(unmounting->dentry, unmounting->mount);
            reported__set(form, caller.record_flags);
            umount__report(bpf_get_current_task());
        }
    }
    bpf_map_delete_elem(&unmountings, &thread);
    file_before__forget();
    return 0;
}

WITH_RESULT("path_umount", exit_path_umount, 2, WITH_SCRATCH(KIND_UMOUNT, exit_umount_of((__s32)result)))

/* ---- splice ----------------------------------------------------------------------------------------- */

/* Loads the operation into the call scratch; false if it is not reported. */
static __always_inline bool splice__load(__u64 *arguments, __s64 ret)
{
    struct caller caller;
    struct call *call;
    __u32 form;

    if (!call__is_reported(ret) || filter__keeps(KIND_SPLICE) == FILTER_KEEP_NONE || !caller__find(&caller))
        return false;
    form = CALLER_FORM(&caller, splice, FORM_SPLICE);
    if (form == FORM_NONE || !call__load(form, ret, caller.record_flags))
        return false;
    call = call__scratch();
    if (!call)
        return false;
    if (caller.record_flags & RECORD_FLAG_ASYNC) {
        call->args[0] = -1;
        call->args[2] = -1;
        call->args[5] = (__u32)arguments[5];
    }
    call->file = address_of((void *)arguments[0]);
    call->second_file = address_of((void *)arguments[2]);
    return true;
}

static __always_inline int enter_splice_of(__u64 *arguments)
{
    return splice__load(arguments, 0) ? splice__remember(bpf_get_current_task()) : 0;
}

AT_ENTRY("do_splice", enter_do_splice, 6, WITH_SCRATCH(KIND_SPLICE, enter_splice_of(arguments)))

static __always_inline int exit_splice_of(__u64 *arguments)
{
    if (splice__load(arguments, (__s64)arguments[6]))
        splice__report(bpf_get_current_task());
    file_before__forget();
    return 0;
}

AT_RETURN("do_splice", exit_do_splice, 6, WITH_SCRATCH(KIND_SPLICE, exit_splice_of(arguments)))
