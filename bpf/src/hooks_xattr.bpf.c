/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Changes of extended attributes, seen inside the kernel. The function of the file system layer is not told
 * by which mount the file was reached. Whoever changes a file asks for write access to the mount before, in
 * the same thread: the hook there keeps it. What an overlay does for its own layers, in the middle of that,
 * goes by mounts that it has made for itself, or by files of another file system than that of the mount that
 * was asked for.
 */

struct xattr_operation {
    /* Addresses of struct mount and, while it is being changed, struct dentry. */
    __u64 mount;
    __u64 dentry;
    /* FORM_*, RECORD_FLAG_* */
    __u32 form;
    __u32 record_flags;
};

/* By thread, as `operations`. */
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 4096);
    __type(key, __u64);
    __type(value, struct xattr_operation);
} xattr_operations SEC(".maps");

static __always_inline int xattr__see_mount(struct vfsmount *mnt, __u32 for_ring)
{
    __u64 thread = bpf_get_current_pid_tgid();
    struct xattr_operation operation = {};
    struct xattr_operation *under_way;
    struct mount *mount;
    struct caller caller;

    if (filter__keeps(KIND_SETXATTR) == FILTER_KEEP_NONE &&
        filter__keeps(KIND_REMOVEXATTR) == FILTER_KEEP_NONE)
        return 0;
    if (!caller__find(&caller))
        return 0;
    operation.form = CALLER_FORM(&caller, xattr, for_ring);
    if (operation.form == FORM_NONE)
        return 0;
    mount = vfsmount__mount(mnt);
    if (!BPF_CORE_READ(mount, mnt_ns))
        return 0;
    under_way = bpf_map_lookup_elem(&xattr_operations, &thread);
    if (under_way && under_way->dentry && mount__is_internal(mount))
        return 0;
    operation.record_flags = caller.record_flags;
    operation.mount = (__u64)mount;
    bpf_map_update_elem(&xattr_operations, &thread, &operation, BPF_ANY);
    return 0;
}

AT_ENTRY("mnt_want_write", hook_mnt_want_write, 1,
         xattr__see_mount((void *)address_of((void *)arguments[0]), FORM_SETXATTR))

AT_ENTRY("mnt_want_write_file", hook_mnt_want_write_file, 1,
         xattr__see_mount(BPF_CORE_READ((struct file *)address_of((void *)arguments[0]), f_path.mnt),
                          FORM_FSETXATTR))

/* The operation of this thread if it is one of `kind`. */
static __always_inline struct xattr_operation *xattr_operation__find(__u32 kind)
{
    __u64 thread = bpf_get_current_pid_tgid();
    struct xattr_operation *operation = bpf_map_lookup_elem(&xattr_operations, &thread);

    return operation && attributes__kind(operation->form) == kind ? operation : NULL;
}

static __always_inline int xattr__see_file(__u64 dentry, __u32 kind)
{
    struct xattr_operation *operation = xattr_operation__find(kind);
    struct call *call = call__scratch();
    struct walk *walk = walk__scratch();
    struct mount *mount;

    if (!operation || operation->dentry || !call || !walk || filter__keeps(kind) == FILTER_KEEP_NONE)
        return 0;
    mount = (void *)operation->mount;
    if (BPF_CORE_READ((struct dentry *)dentry, d_sb) != BPF_CORE_READ(mount, mnt.mnt_sb))
        return 0;
    operation->dentry = dentry;
    call->objects[0] = object__found(dentry, operation->mount);
    if (file_event__take_object(call, 0))
        file_before__remember(walk, operation->form, 0);
    return 0;
}

/* The name is the kernel's copy; size and flags are told for requests of rings, which have no registers. */
static __always_inline int xattr__outcome(__u64 dentry, __u64 name, __u64 size, __u64 flags, __s64 ret,
                                          __u32 kind)
{
    struct xattr_operation *operation = xattr_operation__find(kind);
    __u64 thread = bpf_get_current_pid_tgid();
    struct call *call = call__scratch();

    if (!operation || !call || operation->dentry != dentry)
        return 0;
    if (call__is_reported(ret) && filter__keeps(kind) != FILTER_KEEP_NONE &&
        call__load(operation->form, ret, operation->record_flags)) {
        if (operation->record_flags & RECORD_FLAG_ASYNC) {
            /* No descriptor and no path. */
            call->args[0] = operation->form == FORM_FSETXATTR ? -1 : 0;
            call->args[3] = size;
            call->args[4] = flags;
        }
        call->objects[0] = object__found(dentry, operation->mount);
        call->texts[0] = name;
        reported__set(operation->form, operation->record_flags);
        xattr__report(bpf_get_current_task());
    }
    bpf_map_delete_elem(&xattr_operations, &thread);
    file_before__forget();
    return 0;
}

/* Programs at both ends of a function of `count` arguments: which of them is the dentry (the name follows
 * it), and where size and flags are. */
#define XATTR_HOOKS(kind, function, variant, dentry_argument, size, flags, count)                            \
    AT_ENTRY(#function, enter_##function##variant, (dentry_argument) + 1,                                    \
             WITH_SCRATCH(kind, xattr__see_file(address_of((void *)arguments[dentry_argument]), kind)))      \
    AT_RETURN(#function, exit_##function##variant, count,                                                    \
              WITH_SCRATCH(kind, xattr__outcome(address_of((void *)arguments[dentry_argument]),              \
                                                address_of((void *)arguments[(dentry_argument) + 1]), size,  \
                                                flags, (__s32)arguments[count], kind)))

XATTR_HOOKS(KIND_SETXATTR, vfs_setxattr, _before_5_12, 0, arguments[3], arguments[4], 5)
XATTR_HOOKS(KIND_SETXATTR, vfs_setxattr, _since_5_12, 1, arguments[4], arguments[5], 6)
/* Access control lists have functions of their own since 6.2. */
XATTR_HOOKS(KIND_SETXATTR, vfs_set_acl, , 1, 0, 0, 4)
XATTR_HOOKS(KIND_REMOVEXATTR, vfs_removexattr, _before_5_12, 0, 0, 0, 2)
XATTR_HOOKS(KIND_REMOVEXATTR, vfs_removexattr, _since_5_12, 1, 0, 0, 3)
XATTR_HOOKS(KIND_REMOVEXATTR, vfs_remove_acl, , 1, 0, 0, 3)
