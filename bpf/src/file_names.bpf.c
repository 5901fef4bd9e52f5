/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Names that come and go: mkdir, rmdir, unlink, rename, link, symlink; and the change of the working
 * directory.
 */

/* ---- mkdir ------------------------------------------------------------------------------------------ */

DEFINE_FORM_OF(mkdir, MKDIR_CALLS)

__noinline int mkdir__report(__u64 task_address)
{
    struct task_struct *task = (void *)task_address;
    struct call *call = call__scratch();
    struct builder builder = {};
    struct record *record = file_event__begin(&builder, sizeof(struct path_body));
    struct path_body *body;
    __u64 path, mode;

    if (!call || !record || !file_event__may_be_wanted(call, KIND_MKDIR, task))
        return 0;
    body = &record->path;
    body->call.dirfd = AT_FDCWD;
    body->call.flags = CALL_FLAG_NO_DIRFD;
    path = call->args[0];
    mode = call->args[1];
    if (call->form == FORM_MKDIRAT) {
        body->call.dirfd = call->args[0];
        body->call.flags = 0;
        path = call->args[1];
        mode = call->args[2];
    }
    body->mode = mode & 0xffff;
    file_event__look_up_name(call, 0, &builder, &body->call.path, &body->call.flags, CALL_FLAG_PATH_TRUNCATED,
                             body->call.dirfd, path, 0);
    if (!file_event__wants_found(call, 0))
        return 0;
    file_info__fill_found(&body->file, &builder, task, ERROR_FILE);
    if (judgement__by_file(&call->judgement, 0, &body->file))
        file_event__send(&builder, task, KIND_MKDIR, call);
    return 0;
}

static __always_inline int mkdir__exit(__u32 form, __s64 ret, __u32 record_flags)
{
    if (form == FORM_NONE || !call__is_reported(ret) || filter__keeps(KIND_MKDIR) == FILTER_KEEP_NONE)
        return 0;
    if (!call__load(form, ret, record_flags))
        return 0;
    return mkdir__report(bpf_get_current_task());
}

WALKING_EXIT(mkdir, mkdirat)

/* ---- rmdir, unlink ---------------------------------------------------------------------------------- */

DEFINE_FORM_OF(remove, REMOVE_CALLS)

static __always_inline __u32 remove__kind(const struct call *call)
{
    if (call->form == FORM_RMDIR || (call->form == FORM_UNLINKAT && call->args[2] & AT_REMOVEDIR))
        return KIND_RMDIR;
    return KIND_UNLINK;
}

/* Looks up what is removed: at the entry the object, at the exit only the name is left. */
static __always_inline void remove__find(struct path_body *body, struct builder *builder,
                                         const struct call *call, __u64 how)
{
    __u64 path = call->args[0];

    body->call.dirfd = AT_FDCWD;
    body->call.flags = CALL_FLAG_NO_DIRFD;
    if (call->form == FORM_UNLINKAT) {
        body->call.dirfd = call->args[0];
        body->call.flags = 0;
        body->flags = call->args[2];
        path = call->args[1];
    }
    file_event__look_up_name(call, 0, builder, &body->call.path, &body->call.flags, CALL_FLAG_PATH_TRUNCATED,
                             body->call.dirfd, path, how);
}

__noinline int remove__remember(void)
{
    struct call *call = call__scratch();
    struct walk *walk = walk__scratch();
    struct builder builder = {};
    struct record *record = file_event__begin(&builder, sizeof(struct path_body));

    if (!call || !record || !walk)
        return 0;
    remove__find(&record->path, &builder, call, 0);
    file_before__remember(walk, call->form, 0);
    return 0;
}

__noinline int remove__report(__u64 task_address)
{
    struct task_struct *task = (void *)task_address;
    struct call *call = call__scratch();
    struct builder builder = {};
    struct record *record = file_event__begin(&builder, sizeof(struct path_body));
    struct file_before *before;
    struct path_body *body;
    __u32 kind;

    if (!call || !record)
        return 0;
    kind = remove__kind(call);
    if (!file_event__may_be_wanted(call, kind, task))
        return 0;
    body = &record->path;
    /* A refused call has removed nothing. */
    remove__find(body, &builder, call, call->ret < 0 ? 0 : WALK_PARENT);
    if (!file_event__wants_found(call, 0))
        return 0;
    file_info__fill_found(&body->file, &builder, task, ERROR_FILE);
    if (!judgement__by_file(&call->judgement, 0, &body->file))
        return 0;
    before = file_before__find(call->form);
    if (before && call->ret >= 0)
        file_info__take_before(&body->file, &before->info);
    else if (call->ret >= 0)
        builder.errors |= ERROR_OLD_VALUES;
    file_event__send(&builder, task, kind, call);
    return 0;
}

static __always_inline int remove__enter(__u32 form, __u32 record_flags)
{
    if (form == FORM_NONE || !call__is_reported(0) || !call__load(form, 0, record_flags))
        return 0;
    return remove__remember();
}

static __always_inline int remove__exit(__u32 form, __s64 ret, __u32 record_flags)
{
    if (form == FORM_NONE)
        return 0;
    if (call__is_reported(ret) && call__load(form, ret, record_flags))
        remove__report(bpf_get_current_task());
    file_before__forget();
    return 0;
}

WALKING_ENTER(remove, unlinkat)
WALKING_EXIT(remove, unlinkat)

/* ---- rename ----------------------------------------------------------------------------------------- */

DEFINE_FORM_OF(rename, RENAME_CALLS)

/* The call in one form: RENAMEAT2's. */
struct rename_arguments {
    __u64 path, destination;
    __s32 dirfd, destination_dirfd;
    __u32 flags;
};

static __always_inline struct rename_arguments rename__arguments(const struct call *call)
{
    if (call->form == FORM_RENAME)
        return (struct rename_arguments){call->args[0], call->args[1], AT_FDCWD, AT_FDCWD, 0};
    return (struct rename_arguments){call->args[1], call->args[3], call->args[0], call->args[2],
                                     call->form == FORM_RENAMEAT2 ? call->args[4] : 0};
}

__noinline int rename__remember(void)
{
    struct call *call = call__scratch();
    struct walk *walk = walk__scratch();
    struct builder builder = {};
    struct record *record = file_event__begin(&builder, sizeof(struct link_body));
    struct rename_arguments arguments;
    struct link_body *body;

    if (!call || !record || !walk)
        return 0;
    body = &record->link;
    arguments = rename__arguments(call);
    file_event__look_up_name(call, 0, &builder, &body->call.path, &body->call.flags, CALL_FLAG_PATH_TRUNCATED,
                             arguments.dirfd, arguments.path, 0);
    file_before__remember(walk, call->form, 0);
    return 0;
}

__noinline int rename__report(__u64 task_address)
{
    struct task_struct *task = (void *)task_address;
    struct call *call = call__scratch();
    struct builder builder = {};
    struct record *record = file_event__begin(&builder, sizeof(struct link_body));
    struct rename_arguments arguments;
    struct file_before *before;
    struct link_body *body;

    if (!call || !record || !file_event__may_be_wanted(call, KIND_RENAME, task))
        return 0;
    body = &record->link;
    arguments = rename__arguments(call);
    body->call.flags = call->form == FORM_RENAME ? CALL_FLAG_NO_DIRFD : 0;
    body->call.dirfd = arguments.dirfd;
    body->destination_dirfd = arguments.destination_dirfd;
    body->flags = arguments.flags;

    /* Under the old name there is nothing now, or with RENAME_EXCHANGE the other file. */
    file_event__look_up_name(call, 0, &builder, &body->call.path, &body->call.flags, CALL_FLAG_PATH_TRUNCATED,
                             arguments.dirfd, arguments.path, call->ret < 0 ? 0 : WALK_PARENT);
    if (!file_event__wants_found(call, 0))
        return 0;
    file_info__fill_found(&body->file, &builder, task, ERROR_FILE);
    if (!judgement__by_file(&call->judgement, 0, &body->file))
        return 0;
    file_event__look_up_name(call, 1, &builder, &body->destination_path, &body->call.flags,
                             CALL_FLAG_DESTINATION_TRUNCATED, arguments.destination_dirfd,
                             arguments.destination, 0);
    if (!file_event__wants_found(call, 1))
        return 0;
    file_info__fill_found(&body->destination, &builder, task, ERROR_DESTINATION);
    if (!judgement__by_file(&call->judgement, 1, &body->destination))
        return 0;

    before = file_before__find(call->form);
    if (call->ret >= 0) {
        bool found =
            body->destination.flags & FILE_FLAG_VALID && !(body->destination.flags & FILE_FLAG_NO_INODE);

        if (before && (!found || before->info.inode == body->destination.inode))
            file_info__take_before(&body->file, &before->info);
        else if (found)
            file_info__take_before(&body->file, &body->destination);
        if (!before)
            builder.errors |= ERROR_OLD_VALUES;
    }
    file_event__send_crowded(&builder, task, KIND_RENAME, call);
    return 0;
}

static __always_inline int rename__enter(__u32 form, __u32 record_flags)
{
    if (form == FORM_NONE || !call__is_reported(0) || filter__keeps(KIND_RENAME) == FILTER_KEEP_NONE)
        return 0;
    if (!call__load(form, 0, record_flags))
        return 0;
    return rename__remember();
}

static __always_inline int rename__exit(__u32 form, __s64 ret, __u32 record_flags)
{
    if (form == FORM_NONE)
        return 0;
    if (call__is_reported(ret) && filter__keeps(KIND_RENAME) != FILTER_KEEP_NONE &&
        call__load(form, ret, record_flags))
        rename__report(bpf_get_current_task());
    file_before__forget();
    return 0;
}

WALKING_ENTER(rename, renameat2)
WALKING_EXIT(rename, renameat2)

/* ---- link, symlink ---------------------------------------------------------------------------------- */

DEFINE_FORM_OF(link, LINK_CALLS)

/* The call in one form. For symlink `path` is the text of the link, and nothing to look up. */
struct link_arguments {
    __u64 path, destination;
    __s32 dirfd, destination_dirfd;
    __u32 flags;
};

static __always_inline struct link_arguments link__arguments(const struct call *call)
{
    switch (call->form) {
    case FORM_LINKAT:
        return (struct link_arguments){call->args[1], call->args[3], call->args[0], call->args[2],
                                       call->args[4]};
    case FORM_SYMLINKAT:
        return (struct link_arguments){call->args[0], call->args[2], AT_FDCWD, call->args[1], 0};
    default:
        return (struct link_arguments){call->args[0], call->args[1], AT_FDCWD, AT_FDCWD, 0};
    }
}

static __always_inline __u32 link__kind(const struct call *call)
{
    return call->form == FORM_SYMLINK || call->form == FORM_SYMLINKAT ? KIND_SYMLINK : KIND_LINK;
}

__noinline int link__remember(void)
{
    struct call *call = call__scratch();
    struct walk *walk = walk__scratch();
    struct builder builder = {};
    struct record *record = file_event__begin(&builder, sizeof(struct link_body));
    struct link_arguments arguments;
    struct link_body *body;

    if (!call || !record || !walk || link__kind(call) == KIND_SYMLINK)
        return 0;
    body = &record->link;
    arguments = link__arguments(call);
    file_event__look_up_name(call, 0, &builder, &body->call.path, &body->call.flags, CALL_FLAG_PATH_TRUNCATED,
                             arguments.dirfd, arguments.path,
                             arguments.flags & AT_SYMLINK_FOLLOW ? WALK_FOLLOW : 0);
    file_before__remember(walk, call->form, 0);
    return 0;
}

__noinline int link__report(__u64 task_address)
{
    struct task_struct *task = (void *)task_address;
    struct call *call = call__scratch();
    struct builder builder = {};
    struct record *record = file_event__begin(&builder, sizeof(struct link_body));
    struct link_arguments arguments;
    struct file_before *before;
    struct link_body *body;
    struct inode *linked = NULL;
    __u32 kind;

    if (!call || !record)
        return 0;
    kind = link__kind(call);
    if (!file_event__may_be_wanted(call, kind, task))
        return 0;
    body = &record->link;
    arguments = link__arguments(call);
    if (call->form == FORM_LINK || call->form == FORM_SYMLINK)
        body->call.flags = CALL_FLAG_NO_DIRFD;
    body->call.dirfd = arguments.dirfd;
    body->destination_dirfd = arguments.destination_dirfd;
    body->flags = arguments.flags;

    if (kind == KIND_SYMLINK) {
        body->call.path =
            call__append_string(call, &builder, arguments.path, PATH_SIZE_MAX, ERROR_GIVEN_PATH);
    } else {
        file_event__look_up_name(call, 0, &builder, &body->call.path, &body->call.flags,
                                 CALL_FLAG_PATH_TRUNCATED, arguments.dirfd, arguments.path,
                                 arguments.flags & AT_SYMLINK_FOLLOW ? WALK_FOLLOW : 0);
        if (!file_event__wants_found(call, 0))
            return 0;
        linked = walk__found_inode();
        file_info__fill_found(&body->file, &builder, task, ERROR_FILE);
        if (!judgement__by_file(&call->judgement, 0, &body->file))
            return 0;
        if (body->file.flags & FILE_FLAG_VALID && !body->call.path.length)
            body->call.flags |= CALL_FLAG_BY_DESCRIPTOR;
        before = file_before__find(call->form);
        if (before && before->info.device == body->file.device &&
            (before->info.inode == body->file.inode || BOUND(0, body->file.flags & FILE_FLAG_NO_INODE)))
            file_info__take_before(&body->file, &before->info);
        else
            builder.errors |= ERROR_OLD_VALUES;
    }
    file_event__look_up_name(call, 1, &builder, &body->destination_path, &body->call.flags,
                             CALL_FLAG_DESTINATION_TRUNCATED, arguments.destination_dirfd,
                             arguments.destination, 0);
    if (!file_event__wants_found(call, 1))
        return 0;
    file_info__fill_found(&body->destination, &builder, task, ERROR_DESTINATION);
    if (!judgement__by_file(&call->judgement, 1, &body->destination))
        return 0;
    /* An overlay forgets the new name at once; what it names is known all the same. */
    if (linked && call->ret >= 0 && body->destination.flags & FILE_FLAG_NO_INODE) {
        body->destination.flags &= ~FILE_FLAG_NO_INODE;
        file_info__fill_inode(&body->destination, linked);
    }
    file_event__send_crowded(&builder, task, kind, call);
    return 0;
}

static __always_inline int link__enter(__u32 form, __u32 record_flags)
{
    if (form == FORM_NONE || !call__is_reported(0) || !call__load(form, 0, record_flags))
        return 0;
    return link__remember();
}

static __always_inline int link__exit(__u32 form, __s64 ret, __u32 record_flags)
{
    if (form == FORM_NONE)
        return 0;
    if (call__is_reported(ret) && call__load(form, ret, record_flags))
        link__report(bpf_get_current_task());
    file_before__forget();
    return 0;
}

WALKING_ENTER(link, linkat)
WALKING_EXIT(link, linkat)

/* ---- chdir ------------------------------------------------------------------------------------------ */

DEFINE_FORM_OF(chdir, CHDIR_CALLS)

__noinline int chdir__report(__u64 task_address)
{
    struct task_struct *task = (void *)task_address;
    struct call *call = call__scratch();
    struct builder builder = {};
    struct record *record = file_event__begin(&builder, sizeof(struct path_body));
    struct path_body *body;

    if (!call || !record || !file_event__may_be_wanted(call, KIND_CHDIR, task))
        return 0;
    body = &record->path;
    body->call.flags = CALL_FLAG_NO_DIRFD;
    body->call.dirfd = AT_FDCWD;
    if (call->form == FORM_FCHDIR) {
        body->call.flags |= CALL_FLAG_BY_DESCRIPTOR;
        body->call.dirfd = call->args[0];
        file_event__take_object_or_descriptor(call, 0, task, call->args[0]);
    } else if (BOUND(false, call->ret >= 0)) {
        /* What it leads to need not be looked up: see below. */
        body->call.path = call__append_string(call, &builder, call->args[0], PATH_SIZE_MAX, ERROR_GIVEN_PATH);
        if (body->call.path.length == PATH_SIZE_MAX - 1)
            body->call.flags |= CALL_FLAG_PATH_TRUNCATED;
    } else {
        file_event__look_up(call, 0, &builder, &body->call.path, &body->call.flags, CALL_FLAG_PATH_TRUNCATED,
                            AT_FDCWD, call->args[0], WALK_FOLLOW);
    }
    /* Where it stands now is the truth, unless a hook has seen where it goes. */
    if (call->ret >= 0 && !call->objects[0].status)
        file_event__take_path(BPF_CORE_READ(task, fs, pwd));
    if (!file_event__wants_found(call, 0))
        return 0;
    file_info__fill_found(&body->file, &builder, task, ERROR_FILE);
    if (judgement__by_file(&call->judgement, 0, &body->file))
        file_event__send(&builder, task, KIND_CHDIR, call);
    return 0;
}

static __always_inline int chdir__exit(__u32 form, __s64 ret, __u32 record_flags)
{
    if (form == FORM_NONE || !call__is_reported(ret) || filter__keeps(KIND_CHDIR) == FILTER_KEEP_NONE)
        return 0;
    if (!call__load(form, ret, record_flags))
        return 0;
    return chdir__report(bpf_get_current_task());
}

WALKING_EXIT(chdir, chdir)
