/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Mounts that come, move and go. After the call the new mount is read from the kernel's mount tree at the
 * place that the caller named, or behind the descriptor that the call returned.
 */

DEFINE_FORM_OF(mount, MOUNT_CALLS)
DEFINE_FORM_OF(umount, UMOUNT_CALLS)

/* The type of a file system is a short word; the source of a mount any string up to a page. */
#define MOUNT_TYPE_SIZE 64

/* What the mount where the walk stands tells of itself. */
static __always_inline void mount_body__fill_mount(struct mount_body *body, struct builder *builder)
{
    struct walk *walk = walk__scratch();
    struct super_block *sb;
    struct mount *mount;

    if (!walk || walk->status == WALK_FAILED) {
        builder->errors |= ERROR_FILE;
        return;
    }
    mount = walk__mount(walk);
    sb = BPF_CORE_READ(mount, mnt.mnt_sb);
    body->mount_id = BPF_CORE_READ(mount, mnt_id);
    body->parent_mount_id = BPF_CORE_READ(mount, mnt_parent, mnt_id);
    body->device = BPF_CORE_READ(sb, s_dev);
    body->mount_flags = mount__flags(mount);
    bpf_probe_read_kernel_str(body->filesystem, sizeof(body->filesystem), BPF_CORE_READ(sb, s_type, name));
    tail__take_path(builder, &body->root,
                    path__resolve_in_filesystem((__u64)BPF_CORE_READ(mount, mnt.mnt_root)), PATH_SIZE_MAX);
}

/* The device's name as the source, for a mount that has no path as its source. */
static __always_inline void mount_body__fill_device_name(struct mount_body *body, struct builder *builder)
{
    struct walk *walk = walk__scratch();

    if (walk && walk->status != WALK_FAILED)
        body->source = tail__append_string(builder, BPF_CORE_READ(walk__mount(walk), mnt_devname),
                                           PATH_SIZE_MAX, ERROR_DESTINATION);
}

/* The directory that a bind mount or a move starts from: what the walk has found, and its mount. */
static __always_inline void mount_body__fill_source(struct mount_body *body, struct builder *builder,
                                                    struct task_struct *task)
{
    struct walk *walk = walk__scratch();

    if (!walk || walk->status == WALK_FAILED) {
        builder->errors |= ERROR_DESTINATION;
        return;
    }
    body->bind_source_mount_id = BPF_CORE_READ(walk__mount(walk), mnt_id);
    tail__take_path(builder, &body->source, walk__resolve_path(walk, task), PATH_SIZE_MAX);
}

/* The text led elsewhere than the kernel went, if the source is not what the new mount shows: that is
 * certain. */
static __always_inline void mount_body__correct_source(struct mount_body *body, __u64 source_dentry)
{
    struct walk *walk = walk__scratch();

    if (!walk || walk->status == WALK_FAILED ||
        source_dentry == (__u64)BPF_CORE_READ(walk__mount(walk), mnt.mnt_root))
        return;
    body->source = body->root;
    body->bind_source_mount_id = 0;
}

/* What mount(2) does. */
enum mount_deed {
    MOUNT_NEW,
    MOUNT_REMOUNT,
    MOUNT_BIND,
    MOUNT_MOVE,
    /* Says how a mount propagates: neither makes, moves nor changes what is to be seen. */
    MOUNT_PROPAGATION,
};

/* Asks for the flags as path_mount of the kernel does, in the same order: all but the first that it asks for
 * have no effect, so that whoever sets them hides nothing. */
static __always_inline enum mount_deed mount__deed(__u32 flags)
{
    if ((flags & MS_MGC_MSK) == MS_MGC_VAL)
        flags &= ~MS_MGC_MSK;
    if (flags & MS_REMOUNT)
        return MOUNT_REMOUNT;
    if (flags & MS_BIND)
        return MOUNT_BIND;
    if (flags & MS_PROPAGATION)
        return MOUNT_PROPAGATION;
    return flags & MS_MOVE ? MOUNT_MOVE : MOUNT_NEW;
}

#ifdef CWS_OLD_KERNEL

/* The mount that came last into the namespace of a task. */
static __always_inline struct mount *task__newest_mount(struct task_struct *task)
{
    struct mnt_namespace___up_to_6_7 *namespace = (void *)BPF_CORE_READ(task, nsproxy, mnt_ns);

    if (!bpf_core_field_exists(namespace->list))
        return NULL;
    return (void *)BPF_CORE_READ(namespace, list.prev) -
           bpf_core_field_offset(struct mount___up_to_6_7, mnt_list);
}

/*
 * Stands at the root of the mount that the call has just made. No path has to be looked up for that: in its
 * namespace it is the last one, unless another call has mounted something since. Then its type is likely to
 * be another one.
 */
static __always_inline bool mount__go_to_newest(struct task_struct *task, __u64 type_given)
{
    struct mount *mount = task__newest_mount(task);
    struct walk *walk = walk__scratch();
    __u64 given[2] = {}, found[2] = {};

    if (!mount || !walk)
        return false;
    if (type_given) {
        bpf_probe_read_user_str(given, sizeof(given), (void *)type_given);
        bpf_probe_read_kernel_str(found, sizeof(found), BPF_CORE_READ(mount, mnt.mnt_sb, s_type, name));
        if (given[0] != found[0] || given[1] != found[1])
            return false;
    }
    walk->position = WALK_TEXT_SIZE;
    walk->name_length = 0;
    walk->exact = false;
    walk->mount = (__u64)mount;
    walk->dentry = (__u64)BPF_CORE_READ(mount, mnt.mnt_root);
    walk->status = WALK_FOUND;
    return true;
}

/* Goes to the mount that the call has made, if the caches did not reach it. If it can't be told which that
 * is, type and source are told as they were given. */
static __always_inline bool mount_body__find_newest(struct mount_body *body, const struct call *call,
                                                    struct task_struct *task, enum mount_deed deed)
{
    __u64 type = deed == MOUNT_NEW ? call->args[2] : 0;

    if (call->ret >= 0 && (deed == MOUNT_NEW || deed == MOUNT_BIND) && mount__go_to_newest(task, type))
        return true;
    if (type) {
        bpf_probe_read_user_str(body->filesystem, sizeof(body->filesystem), (void *)type);
        body->source = body->source_given;
    }
    return false;
}

#else

/* A hook sees the directory; what has been mounted there now lies upon it. */
static __always_inline void mount__go_upon(const struct call *call)
{
    if (call->objects[1].status && call->ret >= 0)
        walk__enter_mounts();
}

#endif

/* Whether the call is one that is reported; of the calls that mount, those that only set propagation are not.
 */
static __always_inline bool mount__is_event(const struct call *call)
{
    return call->form != FORM_MOUNT || mount__deed(call->args[3]) != MOUNT_PROPAGATION;
}

/* mount(source, target, type, flags, data) */
static __always_inline void mount__find_mount(struct mount_body *body, struct builder *builder,
                                              const struct call *call, struct task_struct *task)
{
    __u64 source = call->args[0], type = call->args[2];
    enum mount_deed deed = mount__deed(call->args[3]);
    bool has_source_path = deed == MOUNT_BIND || deed == MOUNT_MOVE;
    bool is_found = true;
    struct walk *walk = walk__scratch();
    __u64 source_dentry = 0;
    __u32 ignored = 0;

    body->what = deed == MOUNT_REMOUNT ? MOUNT_CALL_REMOUNT : MOUNT_CALL_MOUNT;
    body->flags = call->args[3];
    body->call.dirfd = AT_FDCWD;
    body->call.flags = CALL_FLAG_NO_DIRFD;
    if (type)
        body->type_given = call__append_text(call, builder, 1, type, MOUNT_TYPE_SIZE, ERROR_GIVEN_VALUE);
    if (has_source_path) {
        /* After a move nothing is left there but the mount point: the path is that of before all the same. */
        file_event__look_up(call, 0, builder, &body->source_given, &ignored, 0, AT_FDCWD, source,
                            WALK_FOLLOW);
#ifdef CWS_OLD_KERNEL
        if (outbox__waits())
            return;
#endif
        if (walk && walk->status == WALK_FOUND)
            source_dentry = walk->dentry;
        mount_body__fill_source(body, builder, task);
    } else if (source) {
        body->source_given = call__append_text(call, builder, 0, source, PATH_SIZE_MAX, ERROR_GIVEN_VALUE);
    }
    file_event__look_up(call, 1, builder, &body->call.path, &body->call.flags, CALL_FLAG_PATH_TRUNCATED,
                        AT_FDCWD, call->args[1], WALK_FOLLOW);
#ifdef CWS_OLD_KERNEL
    if (outbox__waits())
        return;
    is_found = walk__found_inode() || mount_body__find_newest(body, call, task, deed);
#else
    mount__go_upon(call);
#endif
    if (is_found) {
        mount_body__fill_mount(body, builder);
        if (call->objects[1].status && call->ret >= 0 && deed == MOUNT_BIND)
            mount_body__correct_source(body, source_dentry);
        if (!has_source_path)
            mount_body__fill_device_name(body, builder);
    }
    file_info__fill_found(&body->mountpoint, builder, task, ERROR_FILE);
}

#ifndef CWS_OLD_KERNEL

/* open_tree(dirfd, path, flags): with OPEN_TREE_CLONE a copy of the mount there, behind the returned
 * descriptor. */
static __always_inline void mount__find_open_tree(struct mount_body *body, struct builder *builder,
                                                  const struct call *call, struct task_struct *task)
{
    struct walk *walk = walk__scratch();
    __u64 source_dentry = 0;
    __u32 ignored = 0;

    body->what = MOUNT_CALL_OPEN_TREE;
    body->flags = call->args[2];
    body->call.dirfd = call->args[0];
    file_event__look_up(call, 0, builder, &body->source_given, &ignored, 0, call->args[0], call->args[1],
                        body->flags & AT_SYMLINK_NOFOLLOW ? 0 : WALK_FOLLOW);
    if (walk && walk->status == WALK_FOUND)
        source_dentry = walk->dentry;
    mount_body__fill_source(body, builder, task);
    if (call->ret >= 0) {
        file_event__take_descriptor(task, call->ret);
        mount_body__fill_mount(body, builder);
        mount_body__correct_source(body, source_dentry);
    }
}

/* fsmount(fs_fd, flags, attributes) */
static __always_inline void mount__find_fsmount(struct mount_body *body, struct builder *builder,
                                                const struct call *call, struct task_struct *task)
{
    body->what = MOUNT_CALL_FSMOUNT;
    body->flags = call->args[2];
    body->call.dirfd = call->args[0];
    body->call.flags = CALL_FLAG_BY_DESCRIPTOR;
    if (call->ret < 0)
        return;
    file_event__take_descriptor(task, call->ret);
    mount_body__fill_mount(body, builder);
    mount_body__fill_device_name(body, builder);
}

/* What a mount is moved from and to, as the security hook was given it: by thread, until the call ends. */
struct moving {
    /* Where it lay: nowhere if it was attached to nothing. */
    struct object from;
    struct object to;
    /* The mount itself. */
    struct object moved;
};

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 1024);
    __type(key, __u64);
    __type(value, struct moving);
} moves SEC(".maps");

/* Puts what the hook was given into the call. */
static __always_inline void mount__take_move(struct call *call, struct object *moved)
{
    __u64 thread = bpf_get_current_pid_tgid();
    struct moving *moving = bpf_map_lookup_elem(&moves, &thread);

    if (!moving)
        return;
    call->objects[0] = moving->from;
    call->objects[1] = moving->to;
    *moved = moving->moved;
}

static __always_inline void mount__forget_move(void)
{
    __u64 thread = bpf_get_current_pid_tgid();

    bpf_map_delete_elem(&moves, &thread);
}

/* move_mount(from_dirfd, from_path, to_dirfd, to_path, flags) */
static __always_inline void mount__find_move_mount(struct mount_body *body, struct builder *builder,
                                                   struct call *call, struct task_struct *task)
{
    struct object moved = {};
    __u32 ignored = 0;

    mount__take_move(call, &moved);
    body->what = MOUNT_CALL_MOVE_MOUNT;
    body->flags = call->args[4];
    body->call.dirfd = call->args[2];
    /* Since 6.13 either path may be missing instead of empty. */
    if (call->args[1] || !(body->flags & MOVE_MOUNT_F_EMPTY_PATH))
        file_event__look_up(call, 0, builder, &body->source_given, &ignored, 0, call->args[0], call->args[1],
                            body->flags & MOVE_MOUNT_F_SYMLINKS ? WALK_FOLLOW : 0);
    /* A detached mount has no path of its own, and the descriptor shows where it is now. */
    if (body->source_given.length)
        mount_body__fill_source(body, builder, task);
    if (!call->args[3] && body->flags & MOVE_MOUNT_T_EMPTY_PATH)
        file_event__take_object_or_descriptor(call, 1, task, call->args[2]);
    else
        file_event__look_up(call, 1, builder, &body->call.path, &body->call.flags, CALL_FLAG_PATH_TRUNCATED,
                            call->args[2], call->args[3],
                            body->flags & MOVE_MOUNT_T_SYMLINKS ? WALK_FOLLOW : 0);
    if (moved.status && call->ret >= 0) {
        call->objects[1] = moved;
        file_event__take_object(call, 1);
    }
    mount_body__fill_mount(body, builder);
    if (!body->source_given.length)
        mount_body__fill_device_name(body, builder);
    file_info__fill_found(&body->mountpoint, builder, task, ERROR_FILE);
}

#endif

/* pivot_root(new_root, put_old) */
static __always_inline void mount__find_pivot_root(struct mount_body *body, struct builder *builder,
                                                   const struct call *call, struct task_struct *task)
{
    body->what = MOUNT_CALL_PIVOT_ROOT;
    body->call.dirfd = AT_FDCWD;
    body->call.flags = CALL_FLAG_NO_DIRFD;
    body->source_given = tail__append_user_string(builder, call->args[0], PATH_SIZE_MAX, ERROR_GIVEN_VALUE);
    body->call.path = tail__append_user_string(builder, call->args[1], PATH_SIZE_MAX, ERROR_GIVEN_PATH);
    /* Both strings count from the old root, which is gone from here: the new root is the truth that is left.
     */
    file_event__take_path(BPF_CORE_READ(task, fs, root));
    mount_body__fill_mount(body, builder);
    mount_body__fill_device_name(body, builder);
    file_info__fill_found(&body->mountpoint, builder, task, ERROR_FILE);
}

#ifdef CWS_OLD_KERNEL

/* One for both forms that there are: a program has room for one. */
__noinline int mount__report(__u64 task_address)
{
    struct task_struct *task = (void *)task_address;
    struct call *call = call__scratch();
    struct builder builder = {};
    struct record *record = file_event__begin(&builder, sizeof(struct mount_body));

    if (!call || !record)
        return 0;
    if (call->form == FORM_MOUNT)
        mount__find_mount(&record->mount, &builder, call, task);
    else
        mount__find_pivot_root(&record->mount, &builder, call, task);
    if (outbox__waits())
        return 0;
    file_event__send_crowded(&builder, task, KIND_MOUNT, call);
    return 0;
}

static __always_inline int mount__report_form(__u32 form, __u64 task)
{
    return mount__report(task);
}

#else

/* A function for each form: a program that sees one form has no more than that. */
#define MOUNT_REPORT(call_name)                                                                              \
    __noinline int mount__report_##call_name(__u64 task_address)                                             \
    {                                                                                                        \
        struct task_struct *task = (void *)task_address;                                                     \
        struct call *call = call__scratch();                                                                 \
        struct builder builder = {};                                                                         \
        struct record *record = file_event__begin(&builder, sizeof(struct mount_body));                      \
                                                                                                             \
        if (!call || !record)                                                                                \
            return 0;                                                                                        \
        mount__find_##call_name(&record->mount, &builder, call, task);                                       \
        file_event__send(&builder, task, KIND_MOUNT, call);                                                  \
        return 0;                                                                                            \
    }

MOUNT_REPORT(mount)
MOUNT_REPORT(fsmount)
MOUNT_REPORT(open_tree)
MOUNT_REPORT(move_mount)
MOUNT_REPORT(pivot_root)

static __always_inline int mount__report_form(__u32 form, __u64 task)
{
    struct call *call;

    switch (form) {
    case FORM_MOUNT:
        return mount__report_mount(task);
    case FORM_FSMOUNT:
        return mount__report_fsmount(task);
    case FORM_OPEN_TREE:
    case FORM_OPEN_TREE_ATTR:
        call = call__scratch();
        /* Without a copy it is but another way to open a directory. */
        return call && call->args[2] & OPEN_TREE_CLONE ? mount__report_open_tree(task) : 0;
    case FORM_MOVE_MOUNT:
        return mount__report_move_mount(task);
    default:
        return mount__report_pivot_root(task);
    }
}

#endif

static __always_inline int mount__exit_known(__u32 form, __s64 ret, __u32 record_flags)
{
    struct call *call;

    if (form == FORM_NONE || !call__is_reported(ret) || filter__keeps(KIND_MOUNT) == FILTER_KEEP_NONE)
        return 0;
    if (!call__load(form, ret, record_flags))
        return 0;
    call = call__scratch();
    if (!call || !mount__is_event(call))
        return 0;
    return mount__report_form(form, bpf_get_current_task());
}

static __always_inline int mount__exit(__u32 form, __s64 ret, __u32 record_flags)
{
    mount__exit_known(form, ret, record_flags);
#ifndef CWS_OLD_KERNEL
    if (form == FORM_MOVE_MOUNT)
        mount__forget_move();
#endif
    return 0;
}

WALKING_EXIT(mount, mount)

/* ---- umount ----------------------------------------------------------------------------------------- */

static __always_inline void umount__find(struct path_body *body, struct builder *builder,
                                         const struct call *call)
{
    body->call.dirfd = AT_FDCWD;
    body->call.flags = CALL_FLAG_NO_DIRFD;
    if (call->form == FORM_UMOUNT)
        body->flags = call->args[1];
    file_event__look_up(call, 0, builder, &body->call.path, &body->call.flags, CALL_FLAG_PATH_TRUNCATED,
                        AT_FDCWD, call->args[0], body->flags & UMOUNT_NOFOLLOW ? 0 : WALK_FOLLOW);
}

__noinline int umount__remember(void)
{
    struct call *call = call__scratch();
    struct walk *walk = walk__scratch();
    struct builder builder = {};
    struct record *record = file_event__begin(&builder, sizeof(struct path_body));

    if (!call || !record || !walk)
        return 0;
    umount__find(&record->path, &builder, call);
    file_before__remember(walk, call->form, 0);
    return 0;
}

__noinline int umount__report(__u64 task_address)
{
    struct task_struct *task = (void *)task_address;
    struct call *call = call__scratch();
    struct builder builder = {};
    struct record *record = file_event__begin(&builder, sizeof(struct path_body));
    struct file_before *before;
    struct path_body *body;

    if (!call || !record)
        return 0;
    body = &record->path;
    umount__find(body, &builder, call);
#ifdef CWS_OLD_KERNEL
    if (outbox__waits())
        return 0;
#endif
    file_info__fill_found(&body->file, &builder, task, ERROR_FILE);
    before = file_before__find(call->form);
    if (before && call->ret >= 0) {
        file_info__take_before(&body->file, &before->info);
        body->file.mount_id = before->info.mount_id;
        body->file.device = before->info.device;
        __builtin_memcpy(body->file.filesystem, before->info.filesystem, sizeof(body->file.filesystem));
    } else if (call->ret >= 0) {
        builder.errors |= ERROR_OLD_VALUES;
    }
    file_event__send(&builder, task, KIND_UMOUNT, call);
    return 0;
}

static __always_inline int umount__enter(__u32 form, __u32 record_flags)
{
    if (form == FORM_NONE || !call__is_reported(0) || filter__keeps(KIND_UMOUNT) == FILTER_KEEP_NONE)
        return 0;
    if (!call__load(form, 0, record_flags))
        return 0;
    return umount__remember();
}

static __always_inline int umount__exit(__u32 form, __s64 ret, __u32 record_flags)
{
    if (form == FORM_NONE)
        return 0;
    if (call__is_reported(ret) && filter__keeps(KIND_UMOUNT) != FILTER_KEEP_NONE &&
        call__load(form, ret, record_flags))
        umount__report(bpf_get_current_task());
    file_before__forget();
    return 0;
}

WALKING_ENTER(umount, umount)
WALKING_EXIT(umount, umount)
