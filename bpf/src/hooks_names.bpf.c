/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The operations on names, seen inside the kernel: the objects themselves, whoever asked for it and how. See
 * operation.h for the three hooks of each.
 */

/* ---- mkdir ------------------------------------------------------------------------------------------ */

static __always_inline int see_security_path_mkdir(const struct path *dir, struct dentry *dentry, __u32 mode)
{
    struct operation operation = {.state = OPERATION_SEEN, .argument = mode};
    struct caller caller;

    if (filter__keeps(KIND_MKDIR) == FILTER_KEEP_NONE || !caller__find(&caller))
        return 0;
    operation.form = CALLER_FORM(&caller, mkdir, FORM_MKDIR);
    if (operation.form == FORM_NONE)
        return 0;
    operation.record_flags = caller.record_flags;
    operation.mount = path__mount(dir);
    operation.dentry = address_of(dentry);
    operation.parent = (__u64)BPF_CORE_READ(dentry, d_parent);
    operation__begin(&operation);
    return 0;
}

AT_ENTRY("security_path_mkdir", hook_path_mkdir, 3,
         WITH_SCRATCH(KIND_MKDIR, see_security_path_mkdir((const struct path *)arguments[0],
                                                          (struct dentry *)arguments[1], arguments[2])))

static __always_inline int mkdir__outcome_of(struct operation *operation, __u64 dentry, __s64 ret)
{
    struct call *call = operation__outcome(operation, ret);

    if (!call)
        return 0;
    if (operation->record_flags & RECORD_FLAG_ASYNC)
        call->args[1] = operation->argument & 07777;
    call->objects[0] = object__of(dentry, operation->mount);
    return mkdir__report(bpf_get_current_task());
}

static __always_inline int mkdir__outcome(__u64 dentry, __s64 ret)
{
    struct operation *operation = operation__find();

    return operation && operation->dentry == dentry ? mkdir__outcome_of(operation, dentry, ret) : 0;
}

VFS_EXIT(KIND_MKDIR, mkdir, vfs_mkdir, before_5_12, 1, 3)
VFS_EXIT(KIND_MKDIR, mkdir, vfs_mkdir, since_5_12, 2, 4)

/* Where it returns the directory, which may be another dentry than was given, or an error in its place. */
static __always_inline int mkdir__outcome_by_dentry(__u64 dentry, __u64 made)
{
    struct operation *operation = operation__find();

    if (!operation || operation->dentry != dentry)
        return 0;
    if (made >= (__u64)-4095)
        return mkdir__outcome_of(operation, dentry, (__s64)made);
    return mkdir__outcome_of(operation, made, 0);
}

AT_RETURN("vfs_mkdir", exit_vfs_mkdir_since_6_15, 4,
          WITH_SCRATCH(KIND_MKDIR, mkdir__outcome_by_dentry(address_of((void *)arguments[2]),
                                                            address_of((void *)arguments[4]))))

AT_RETURN("vfs_mkdir", exit_vfs_mkdir_with_delegation, 5,
          WITH_SCRATCH(KIND_MKDIR, mkdir__outcome_by_dentry(address_of((void *)arguments[2]),
                                                            address_of((void *)arguments[5]))))

/* The text of a path that was copied from the caller. */
static __always_inline __u64 filename__text(__u64 filename)
{
    return (__u64)BPF_CORE_READ((struct filename *)filename, name);
}

static __always_inline int mkdir__end(__u64 *arguments, __s64 ret)
{
    __u64 untold = operation__untold(ret);
    struct caller caller;
    struct call *call;
    __u32 form;

    if (untold)
        mkdir__outcome(untold, ret);
    if (!operation__end(ret) || filter__keeps(KIND_MKDIR) == FILTER_KEEP_NONE || !caller__find(&caller))
        return 0;
    form = CALLER_FORM(&caller, mkdir, FORM_MKDIRAT);
    if (form == FORM_NONE || !call__load(form, ret, caller.record_flags))
        return 0;
    call = call__scratch();
    if (!call)
        return 0;
    call->as_given = ret >= 0;
    if (caller.record_flags & RECORD_FLAG_ASYNC) {
        call->args[0] = arguments[0];
        call->args[1] = filename__text(address_of((void *)arguments[1]));
        call->args[2] = arguments[2];
    }
    return mkdir__report(bpf_get_current_task());
}

OPERATION_EXIT(KIND_MKDIR, mkdir, do_mkdirat, 3)
OPERATION_EXIT(KIND_MKDIR, mkdir, filename_mkdirat, 3)

/* ---- rmdir, unlink ---------------------------------------------------------------------------------- */

static __always_inline int remove__see(const struct path *dir, struct dentry *dentry, __u32 kind,
                                       __u32 for_ring)
{
    struct operation operation = {.state = OPERATION_SEEN};
    struct caller caller;

    if (filter__keeps(kind) == FILTER_KEEP_NONE || !caller__find(&caller))
        return 0;
    operation.form = CALLER_FORM(&caller, remove, for_ring);
    if (operation.form == FORM_NONE)
        return 0;
    operation.record_flags = caller.record_flags;
    operation.mount = path__mount(dir);
    operation.dentry = address_of(dentry);
    operation.parent = (__u64)BPF_CORE_READ(dentry, d_parent);
    operation__begin(&operation);
    operation__remember(&operation, operation.dentry);
    return 0;
}

static __always_inline int see_security_path_rmdir(const struct path *dir, struct dentry *dentry)
{
    return remove__see(dir, dentry, KIND_RMDIR, FORM_RMDIR);
}

AT_ENTRY("security_path_rmdir", hook_path_rmdir, 2,
         WITH_SCRATCH(KIND_RMDIR, see_security_path_rmdir((const struct path *)arguments[0],
                                                          (struct dentry *)arguments[1])))

static __always_inline int see_security_path_unlink(const struct path *dir, struct dentry *dentry)
{
    return remove__see(dir, dentry, KIND_UNLINK, FORM_UNLINK);
}

AT_ENTRY("security_path_unlink", hook_path_unlink, 2,
         WITH_SCRATCH(KIND_UNLINK, see_security_path_unlink((const struct path *)arguments[0],
                                                            (struct dentry *)arguments[1])))

static __always_inline int remove__outcome(__u64 dentry, __s64 ret)
{
    struct operation *operation = operation__find();
    struct call *call;

    if (!operation || operation->dentry != dentry)
        return 0;
    call = operation__outcome(operation, ret);
    if (call) {
        call->objects[0] =
            ret < 0 ? object__found(dentry, operation->mount) : object__named(dentry, operation->mount);
        remove__report(bpf_get_current_task());
    }
    file_before__forget();
    return 0;
}

VFS_EXIT(KIND_RMDIR, remove, vfs_rmdir, before_5_12, 1, 2)
VFS_EXIT(KIND_RMDIR, remove, vfs_rmdir, since_5_12, 2, 3)
VFS_EXIT(KIND_RMDIR, remove, vfs_rmdir, with_delegation, 2, 4)
VFS_EXIT(KIND_UNLINK, remove, vfs_unlink, before_5_12, 1, 3)
VFS_EXIT(KIND_UNLINK, remove, vfs_unlink, since_5_12, 2, 4)

static __always_inline int remove__end_of(__u64 *arguments, __s64 ret, __u32 kind)
{
    __u64 untold = operation__untold(ret);
    struct caller caller;
    struct call *call;
    __u32 form;

    if (untold)
        remove__outcome(untold, ret);
    if (!operation__end(ret) || filter__keeps(kind) == FILTER_KEEP_NONE || !caller__find(&caller))
        return 0;
    form = CALLER_FORM(&caller, remove, FORM_UNLINKAT);
    if (form == FORM_NONE || !call__load(form, ret, caller.record_flags))
        return 0;
    call = call__scratch();
    if (!call)
        return 0;
    call->as_given = ret >= 0;
    if (caller.record_flags & RECORD_FLAG_ASYNC) {
        call->args[0] = arguments[0];
        call->args[1] = filename__text(address_of((void *)arguments[1]));
        call->args[2] = kind == KIND_RMDIR ? AT_REMOVEDIR : 0;
    }
    return remove__report(bpf_get_current_task());
}

static __always_inline int rmdir__end(__u64 *arguments, __s64 ret)
{
    return remove__end_of(arguments, ret, KIND_RMDIR);
}

static __always_inline int unlink__end(__u64 *arguments, __s64 ret)
{
    return remove__end_of(arguments, ret, KIND_UNLINK);
}

OPERATION_EXIT(KIND_RMDIR, rmdir, do_rmdir, 2)
OPERATION_EXIT(KIND_RMDIR, rmdir, filename_rmdir, 2)
OPERATION_EXIT(KIND_UNLINK, unlink, do_unlinkat, 2)
OPERATION_EXIT(KIND_UNLINK, unlink, filename_unlinkat, 2)

/* ---- rename ----------------------------------------------------------------------------------------- */

/* include/linux/fs.h: 5.12 (9fe61450972d), and in later releases of 5.10. */
struct renamedata {
    struct dentry *old_dentry;
    struct dentry *new_dentry;
} __attribute__((preserve_access_index));

/* Keeps the name that the operation takes away. */
static __always_inline void operation__keep_name(struct operation *operation, struct dentry *dentry)
{
    __u64 thread = bpf_get_current_pid_tgid();
    struct qstr name = BPF_CORE_READ(dentry, d_name);
    struct walk *walk = walk__scratch();
    __u64 length = name.len;

    if (!walk || length > NAME_SIZE_MAX)
        return;
    barrier_var(length);
    if (length > NAME_SIZE_MAX)
        return;
    if (bpf_probe_read_kernel(walk->name, length, name.name) ||
        bpf_map_update_elem(&old_names, &thread, walk->name, BPF_ANY))
        return;
    operation->name_length = length;
}

static __always_inline int see_security_path_rename(const struct path *old_dir, struct dentry *old_dentry,
                                                    const struct path *new_dir, struct dentry *new_dentry,
                                                    __u32 flags)
{
    struct operation operation = {.state = OPERATION_SEEN, .argument = flags};
    struct caller caller;

    if (filter__keeps(KIND_RENAME) == FILTER_KEEP_NONE || !caller__find(&caller))
        return 0;
    operation.form = CALLER_FORM(&caller, rename, FORM_RENAMEAT2);
    if (operation.form == FORM_NONE)
        return 0;
    operation.record_flags = caller.record_flags;
    operation.mount = path__mount(old_dir);
    operation.dentry = address_of(old_dentry);
    operation.destination = address_of(new_dentry);
    operation.parent = (__u64)BPF_CORE_READ(old_dentry, d_parent);
    operation.destination_parent = (__u64)BPF_CORE_READ(new_dentry, d_parent);
    operation__keep_name(&operation, old_dentry);
    operation__begin(&operation);
    operation__remember(&operation, operation.dentry);
    return 0;
}

AT_ENTRY("security_path_rename", hook_path_rename, 5,
         WITH_SCRATCH(KIND_RENAME, see_security_path_rename((const struct path *)arguments[0],
                                                            (struct dentry *)arguments[1],
                                                            (const struct path *)arguments[2],
                                                            (struct dentry *)arguments[3], arguments[4])))

static __always_inline int rename__outcome_of(__u64 dentry, __s64 ret)
{
    __u64 thread = bpf_get_current_pid_tgid();
    struct operation *operation = operation__find();
    struct call *call;
    void *name;

    if (!operation || operation->dentry != dentry)
        return 0;
    call = operation__outcome(operation, ret);
    if (call) {
        if (operation->record_flags & RECORD_FLAG_ASYNC)
            call->args[4] = operation->argument;
        if (ret < 0) {
            call->objects[0] = object__found(dentry, operation->mount);
            call->objects[1] = object__of(operation->destination, operation->mount);
        } else {
            /* It goes by the new name now; of the old one, only what was kept is left. */
            call->objects[1] = object__found(dentry, operation->mount);
            name = bpf_map_lookup_elem(&old_names, &thread);
            if (name && operation->name_length) {
                call->objects[0].dentry = operation->parent;
                call->objects[0].mount = operation->mount;
                call->objects[0].name = (__u64)name;
                call->objects[0].name_length = operation->name_length;
                call->objects[0].status = WALK_NAMED;
            }
        }
        rename__report(bpf_get_current_task());
    }
    file_before__forget();
    return 0;
}

static __always_inline int rename__outcome(__u64 renamedata, __s64 ret)
{
    return rename__outcome_of((__u64)BPF_CORE_READ((struct renamedata *)renamedata, old_dentry), ret);
}

VFS_EXIT(KIND_RENAME, rename, vfs_rename, since_5_12, 0, 1)

/* As operation__untold(): what has been renamed lies where it was meant to. */
static __always_inline __u64 rename__untold(__s64 ret)
{
    struct operation *operation = operation__find();
    struct dentry *moved;

    if (ret < 0 || !operation)
        return 0;
    moved = (void *)operation->dentry;
    return (__u64)BPF_CORE_READ(moved, d_parent) == operation->destination_parent ? (__u64)moved : 0;
}

static __always_inline int rename__end(__u64 *arguments, __s64 ret)
{
    __u64 untold = rename__untold(ret);
    struct caller caller;
    struct call *call;
    __u32 form;

    if (untold)
        rename__outcome_of(untold, ret);
    if (!operation__end(ret) || filter__keeps(KIND_RENAME) == FILTER_KEEP_NONE || !caller__find(&caller))
        return 0;
    form = CALLER_FORM(&caller, rename, FORM_RENAMEAT2);
    if (form == FORM_NONE || !call__load(form, ret, caller.record_flags))
        return 0;
    call = call__scratch();
    if (!call)
        return 0;
    call->as_given = ret >= 0;
    if (caller.record_flags & RECORD_FLAG_ASYNC) {
        call->args[0] = arguments[0];
        call->args[1] = filename__text(address_of((void *)arguments[1]));
        call->args[2] = arguments[2];
        call->args[3] = filename__text(address_of((void *)arguments[3]));
        call->args[4] = arguments[4];
    }
    return rename__report(bpf_get_current_task());
}

OPERATION_EXIT(KIND_RENAME, rename, do_renameat2, 5)
OPERATION_EXIT(KIND_RENAME, rename, filename_renameat2, 5)

/* ---- link, symlink ---------------------------------------------------------------------------------- */

static __always_inline int see_security_path_link(struct dentry *old_dentry, const struct path *new_dir,
                                                  struct dentry *new_dentry)
{
    struct operation operation = {.state = OPERATION_SEEN};
    struct caller caller;

    if (filter__keeps(KIND_LINK) == FILTER_KEEP_NONE || !caller__find(&caller))
        return 0;
    operation.form = CALLER_FORM(&caller, link, FORM_LINKAT);
    if (operation.form == FORM_NONE)
        return 0;
    operation.record_flags = caller.record_flags;
    /* Both names are on one mount: link fails otherwise (EXDEV). */
    operation.mount = path__mount(new_dir);
    operation.dentry = address_of(old_dentry);
    operation.destination = address_of(new_dentry);
    operation.parent = (__u64)BPF_CORE_READ(new_dentry, d_parent);
    operation__begin(&operation);
    operation__remember(&operation, operation.dentry);
    return 0;
}

AT_ENTRY("security_path_link", hook_path_link, 3,
         WITH_SCRATCH(KIND_LINK,
                      see_security_path_link((struct dentry *)arguments[0], (const struct path *)arguments[1],
                                             (struct dentry *)arguments[2])))

static __always_inline int see_security_path_symlink(const struct path *dir, struct dentry *dentry,
                                                     const char *text)
{
    struct operation operation = {.state = OPERATION_SEEN};
    struct caller caller;

    if (filter__keeps(KIND_SYMLINK) == FILTER_KEEP_NONE || !caller__find(&caller))
        return 0;
    operation.form = CALLER_FORM(&caller, link, FORM_SYMLINK);
    if (operation.form == FORM_NONE)
        return 0;
    operation.record_flags = caller.record_flags;
    operation.mount = path__mount(dir);
    operation.destination = address_of(dentry);
    operation.parent = (__u64)BPF_CORE_READ(dentry, d_parent);
    operation.argument = address_of(text);
    operation__begin(&operation);
    return 0;
}

AT_ENTRY("security_path_symlink", hook_path_symlink, 3,
         WITH_SCRATCH(KIND_SYMLINK,
                      see_security_path_symlink((const struct path *)arguments[0],
                                                (struct dentry *)arguments[1], (const char *)arguments[2])))

static __always_inline int link__outcome(__u64 dentry, __s64 ret)
{
    struct operation *operation = operation__find();
    struct call *call;

    if (!operation || operation->destination != dentry)
        return 0;
    call = operation__outcome(operation, ret);
    if (call) {
        if (operation->record_flags & RECORD_FLAG_ASYNC)
            call->args[0] = operation->argument;
        if (operation->dentry)
            call->objects[0] = object__found(operation->dentry, operation->mount);
        call->objects[1] = object__of(dentry, operation->mount);
        link__report(bpf_get_current_task());
    }
    file_before__forget();
    return 0;
}

VFS_EXIT(KIND_LINK, link, vfs_link, before_5_12, 2, 4)
VFS_EXIT(KIND_LINK, link, vfs_link, since_5_12, 3, 5)
VFS_EXIT(KIND_SYMLINK, link, vfs_symlink, before_5_12, 1, 3)
VFS_EXIT(KIND_SYMLINK, link, vfs_symlink, since_5_12, 2, 4)
VFS_EXIT(KIND_SYMLINK, link, vfs_symlink, with_delegation, 2, 5)

static __always_inline int link__end(__u64 *arguments, __s64 ret)
{
    __u64 untold = operation__untold(ret);
    struct caller caller;
    struct call *call;
    __u32 form;

    if (untold)
        link__outcome(untold, ret);
    if (!operation__end(ret) || filter__keeps(KIND_LINK) == FILTER_KEEP_NONE || !caller__find(&caller))
        return 0;
    form = CALLER_FORM(&caller, link, FORM_LINKAT);
    if (form == FORM_NONE || !call__load(form, ret, caller.record_flags))
        return 0;
    call = call__scratch();
    if (!call)
        return 0;
    call->as_given = ret >= 0;
    if (caller.record_flags & RECORD_FLAG_ASYNC) {
        call->args[0] = arguments[0];
        call->args[1] = filename__text(address_of((void *)arguments[1]));
        call->args[2] = arguments[2];
        call->args[3] = filename__text(address_of((void *)arguments[3]));
        call->args[4] = arguments[4];
    }
    return link__report(bpf_get_current_task());
}

static __always_inline int symlink__end(__u64 *arguments, __s64 ret)
{
    __u64 untold = operation__untold(ret);
    struct caller caller;
    struct call *call;
    __u32 form;

    if (untold)
        link__outcome(untold, ret);
    if (!operation__end(ret) || filter__keeps(KIND_SYMLINK) == FILTER_KEEP_NONE || !caller__find(&caller))
        return 0;
    form = CALLER_FORM(&caller, link, FORM_SYMLINKAT);
    if (form == FORM_NONE || !call__load(form, ret, caller.record_flags))
        return 0;
    call = call__scratch();
    if (!call)
        return 0;
    call->as_given = ret >= 0;
    if (caller.record_flags & RECORD_FLAG_ASYNC) {
        call->args[0] = filename__text(address_of((void *)arguments[0]));
        call->args[1] = arguments[1];
        call->args[2] = filename__text(address_of((void *)arguments[2]));
    }
    return link__report(bpf_get_current_task());
}

OPERATION_EXIT(KIND_LINK, link, do_linkat, 5)
OPERATION_EXIT(KIND_LINK, link, filename_linkat, 5)
OPERATION_EXIT(KIND_SYMLINK, symlink, do_symlinkat, 3)
OPERATION_EXIT(KIND_SYMLINK, symlink, filename_symlinkat, 3)
