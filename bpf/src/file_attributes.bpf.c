/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Changes of what a file says about itself: mode, owner, times, extended attributes. The entry remembers the
 * values before, the exit reports.
 */

DEFINE_FORM_OF(chmod, CHMOD_CALLS)
DEFINE_FORM_OF(chown, CHOWN_CALLS)
DEFINE_FORM_OF(utimes, UTIMES_CALLS)
DEFINE_FORM_OF(xattr, XATTR_CALLS)

/* How a call names its file. */
struct file_name {
    __u64 path;
    __s32 dirfd;
    /* CALL_FLAG_* */
    __u32 flags;
    /* WALK_FOLLOW or 0 */
    __u64 how;
};

static __always_inline struct file_name file_name__of_path(__u64 path, __u64 how)
{
    return (struct file_name){path, AT_FDCWD, CALL_FLAG_NO_DIRFD, how};
}

static __always_inline struct file_name file_name__of_descriptor(__s32 descriptor)
{
    return (struct file_name){0, descriptor, CALL_FLAG_BY_DESCRIPTOR | CALL_FLAG_NO_DIRFD, 0};
}

/* Of a call with dirfd, path and AT_* flags. */
static __always_inline struct file_name file_name__at(__s32 dirfd, __u64 path, __u32 at_flags)
{
    return (struct file_name){path, dirfd, 0, at_flags & AT_SYMLINK_NOFOLLOW ? 0 : WALK_FOLLOW};
}

static __always_inline struct file_name attributes__name(const struct call *call)
{
    const __u64 *args = call->args;
    bool takes_null = true;
    struct file_name name;

    switch (call->form) {
    case FORM_FCHMOD:
    case FORM_FCHOWN:
    case FORM_FCHOWN16:
    case FORM_FSETXATTR:
    case FORM_FREMOVEXATTR:
        return file_name__of_descriptor(args[0]);
    case FORM_LCHOWN:
    case FORM_LCHOWN16:
    case FORM_LSETXATTR:
    case FORM_LREMOVEXATTR:
        return file_name__of_path(args[0], 0);
    case FORM_FCHMODAT:
        return file_name__at(args[0], args[1], 0);
    case FORM_FCHMODAT2:
        return file_name__at(args[0], args[1], args[3]);
    case FORM_FCHOWNAT:
        return file_name__at(args[0], args[1], args[4]);
    /* Those below take NULL for a path, and then act on the descriptor; of the others it is refused. These
     * two only with the flag. */
    case FORM_SETXATTRAT:
    case FORM_REMOVEXATTRAT:
        name = file_name__at(args[0], args[1], args[2]);
        takes_null = args[2] & AT_EMPTY_PATH;
        break;
    case FORM_FUTIMESAT:
    case FORM_FUTIMESAT32:
        name = file_name__at(args[0], args[1], 0);
        break;
    case FORM_UTIMENSAT:
    case FORM_UTIMENSAT32:
        name = file_name__at(args[0], args[1], args[3]);
        break;
    default:
        return file_name__of_path(args[0], WALK_FOLLOW);
    }
    if (!name.path && takes_null)
        name.flags |= CALL_FLAG_BY_DESCRIPTOR;
    return name;
}

/* Finds the file of the call in the call scratch. */
static __always_inline void attributes__find(struct file_call *common, struct builder *builder,
                                             const struct call *call, struct task_struct *task)
{
    struct file_name name = attributes__name(call);

    common->flags = name.flags;
    common->dirfd =
        name.flags & CALL_FLAG_NO_DIRFD && !(name.flags & CALL_FLAG_BY_DESCRIPTOR) ? AT_FDCWD : name.dirfd;
    if (name.flags & CALL_FLAG_BY_DESCRIPTOR)
        file_event__take_object_or_descriptor(call, 0, task, name.dirfd);
    else
        file_event__look_up(call, 0, builder, &common->path, &common->flags, CALL_FLAG_PATH_TRUNCATED,
                            name.dirfd, name.path, name.how);
}

/* The kind that a form is reported as. */
static __always_inline __u32 attributes__kind(__u32 form)
{
    switch (form) {
    case FORM_CHMOD:
    case FORM_FCHMOD:
    case FORM_FCHMODAT:
    case FORM_FCHMODAT2:
        return KIND_CHMOD;
    case FORM_UTIME:
    case FORM_UTIMES:
    case FORM_FUTIMESAT:
    case FORM_UTIMENSAT:
    case FORM_UTIME32:
    case FORM_UTIMES32:
    case FORM_FUTIMESAT32:
    case FORM_UTIMENSAT32:
        return KIND_UTIMES;
    case FORM_SETXATTR:
    case FORM_LSETXATTR:
    case FORM_FSETXATTR:
    case FORM_SETXATTRAT:
        return KIND_SETXATTR;
    case FORM_REMOVEXATTR:
    case FORM_LREMOVEXATTR:
    case FORM_FREMOVEXATTR:
    case FORM_REMOVEXATTRAT:
        return KIND_REMOVEXATTR;
    default:
        return KIND_CHOWN;
    }
}

__noinline int attributes__remember(__u64 task_address)
{
    struct call *call = call__scratch();
    struct walk *walk = walk__scratch();
    struct builder builder = {};
    struct record *record = file_event__begin(&builder, sizeof(struct file_call));

    if (!call || !record || !walk)
        return 0;
    attributes__find(&record->file_call, &builder, call, (void *)task_address);
    file_before__remember(walk, call->form, 0);
    return 0;
}

/* Finds the file and fills `info` with its values before the call. False if the event is not wanted. */
static __always_inline bool attributes__fill(struct file_call *common, struct file_info *info,
                                             struct builder *builder, struct call *call,
                                             struct task_struct *task)
{
    struct walk *walk = walk__scratch();
    struct file_before *before;

    if (!file_event__may_be_wanted(call, attributes__kind(call->form), task))
        return false;
    attributes__find(common, builder, call, task);
    /* Daemons that change the owner of their standard streams, which are pipes, say nothing about a file. */
    if (!walk || (walk->status == WALK_FOUND && mount__is_nameless(walk__mount(walk))))
        return false;
    if (!file_event__wants_found(call, 0))
        return false;
    file_info__fill_found(info, builder, task, ERROR_FILE);
    if (!judgement__by_file(&call->judgement, 0, info))
        return false;
    if (call->ret < 0)
        return true;
    before = file_before__find(call->form);
    if (before && before->info.device == info->device &&
        (before->info.inode == info->inode || info->flags & FILE_FLAG_NO_INODE))
        file_info__take_before(info, &before->info);
    else
        builder->errors |= ERROR_OLD_VALUES;
    return true;
}

/* ---- chmod ------------------------------------------------------------------------------------------ */

__noinline int chmod__report(__u64 task_address)
{
    struct task_struct *task = (void *)task_address;
    struct call *call = call__scratch();
    struct builder builder = {};
    struct record *record = file_event__begin(&builder, sizeof(struct chmod_body));
    struct chmod_body *body;

    if (!call || !record)
        return 0;
    body = &record->chmod;
    body->mode =
        (call->form == FORM_CHMOD || call->form == FORM_FCHMOD ? call->args[1] : call->args[2]) & 0xffff;
    if (call->form == FORM_FCHMODAT2)
        body->flags = call->args[3];
    if (attributes__fill(&body->call, &body->file, &builder, call, task))
        file_event__send(&builder, task, KIND_CHMOD, call);
    return 0;
}

/* ---- chown ------------------------------------------------------------------------------------------ */

/* In the 16-bit calls 65535 stands for "unchanged". */
static __always_inline __u32 id__of_16_bits(__u16 id)
{
    return id == 0xffff ? 0xffffffff : id;
}

__noinline int chown__report(__u64 task_address)
{
    struct task_struct *task = (void *)task_address;
    struct call *call = call__scratch();
    struct builder builder = {};
    struct record *record = file_event__begin(&builder, sizeof(struct chown_body));
    struct chown_body *body;

    if (!call || !record)
        return 0;
    body = &record->chown;
    switch (call->form) {
    case FORM_FCHOWNAT:
        body->uid = call->args[2];
        body->gid = call->args[3];
        body->flags = call->args[4];
        break;
    case FORM_CHOWN16:
    case FORM_FCHOWN16:
    case FORM_LCHOWN16:
        body->uid = id__of_16_bits(call->args[1]);
        body->gid = id__of_16_bits(call->args[2]);
        break;
    default:
        body->uid = call->args[1];
        body->gid = call->args[2];
    }
    if (attributes__fill(&body->call, &body->file, &builder, call, task))
        file_event__send(&builder, task, KIND_CHOWN, call);
    return 0;
}

/* ---- utimes ----------------------------------------------------------------------------------------- */

struct seconds_and_rest {
    __s64 seconds;
    __s64 rest;
};

struct seconds_and_rest_32 {
    __s32 seconds;
    __s32 rest;
};

#define NANOSECONDS_PER_SECOND 1000000000LL

/* A timespec of utimensat. */
static __always_inline __u64 time__of_timespec(const struct seconds_and_rest *time)
{
    /* The upper half of the nanoseconds is padding in some 32-bit layouts. */
    __u32 rest = time->rest;

    if (rest == UTIME_NOW)
        return TIME_NOW;
    if (rest == UTIME_OMIT)
        return TIME_OMIT;
    return time->seconds * NANOSECONDS_PER_SECOND + rest;
}

/* Reads the two times at `address`: pairs of 64 or 32 bits, or for utime two numbers alone. */
static __always_inline bool times__read(struct seconds_and_rest times[2], __u64 address, __u32 form)
{
    struct seconds_and_rest_32 narrow[2] = {};
    __s64 bare[2] = {};
    long error;

    switch (form) {
    case FORM_UTIME:
        error = bpf_probe_read_user(bare, sizeof(bare), (void *)address);
        times[0].seconds = bare[0];
        times[1].seconds = bare[1];
        return !error;
    case FORM_UTIME32:
        /* Two numbers: one pair. */
        error = bpf_probe_read_user(narrow, sizeof(narrow[0]), (void *)address);
        times[0].seconds = narrow[0].seconds;
        times[1].seconds = narrow[0].rest;
        return !error;
    case FORM_UTIMES32:
    case FORM_FUTIMESAT32:
    case FORM_UTIMENSAT32:
        error = bpf_probe_read_user(narrow, sizeof(narrow), (void *)address);
        WRITTEN_OUT
        for (int i = 0; i < 2; i++) {
            times[i].seconds = narrow[i].seconds;
            times[i].rest = narrow[i].rest;
        }
        return !error;
    default:
        return !bpf_probe_read_user(times, 2 * sizeof(times[0]), (void *)address);
    }
}

static __always_inline void utimes_body__fill_times(struct utimes_body *body, struct builder *builder,
                                                    const struct call *call)
{
    bool is_nanoseconds = call->form == FORM_UTIMENSAT || call->form == FORM_UTIMENSAT32;
    bool has_dirfd = is_nanoseconds || call->form == FORM_FUTIMESAT || call->form == FORM_FUTIMESAT32;
    __u64 address = has_dirfd ? call->args[2] : call->args[1];
    struct seconds_and_rest times[2] = {};

    if (is_nanoseconds)
        body->flags = call->args[3];
    if (!address) {
        body->access_time_ns = TIME_NOW;
        body->modification_time_ns = TIME_NOW;
        return;
    }
    if (!times__read(times, address, call->form)) {
        builder->errors |= ERROR_GIVEN_VALUE;
        return;
    }
    if (is_nanoseconds) {
        body->access_time_ns = time__of_timespec(&times[0]);
        body->modification_time_ns = time__of_timespec(&times[1]);
        return;
    }
    /* Microseconds; utime has none. */
    body->access_time_ns = times[0].seconds * NANOSECONDS_PER_SECOND + times[0].rest * 1000;
    body->modification_time_ns = times[1].seconds * NANOSECONDS_PER_SECOND + times[1].rest * 1000;
}

__noinline int utimes__report(__u64 task_address)
{
    struct task_struct *task = (void *)task_address;
    struct call *call = call__scratch();
    struct builder builder = {};
    struct record *record = file_event__begin(&builder, sizeof(struct utimes_body));
    struct utimes_body *body;

    if (!call || !record)
        return 0;
    body = &record->utimes;
    utimes_body__fill_times(body, &builder, call);
    if (attributes__fill(&body->call, &body->file, &builder, call, task))
        file_event__send(&builder, task, KIND_UTIMES, call);
    return 0;
}

/* ---- setxattr, removexattr -------------------------------------------------------------------------- */

/* XATTR_NAME_MAX and a NUL. */
#define XATTR_NAME_SIZE 256

/* uapi/linux/xattr.h */
struct xattr_args {
    __u64 value;
    __u32 size;
    __u32 flags;
};

__noinline int xattr__report(__u64 task_address)
{
    struct task_struct *task = (void *)task_address;
    struct call *call = call__scratch();
    struct builder builder = {};
    struct record *record = file_event__begin(&builder, sizeof(struct xattr_body));
    struct xattr_args arguments = {};
    struct xattr_body *body;
    __u64 name;

    if (!call || !record)
        return 0;
    body = &record->xattr;
    name = call->args[1];
    switch (call->form) {
    case FORM_SETXATTRAT:
        name = call->args[3];
        if (bpf_probe_read_user(&arguments, sizeof(arguments), (void *)call->args[4]))
            builder.errors |= ERROR_GIVEN_VALUE;
        body->value_size = arguments.size;
        body->flags = arguments.flags;
        break;
    case FORM_REMOVEXATTRAT:
        name = call->args[3];
        break;
    case FORM_SETXATTR:
    case FORM_LSETXATTR:
    case FORM_FSETXATTR:
        body->value_size = call->args[3];
        body->flags = call->args[4];
        break;
    }
    if (!attributes__fill(&body->call, &body->file, &builder, call, task))
        return 0;
    body->name = call__append_text(call, &builder, 0, name, XATTR_NAME_SIZE, ERROR_GIVEN_VALUE);
    file_event__send(&builder, task, attributes__kind(call->form), call);
    return 0;
}

/* ---- wrappers --------------------------------------------------------------------------------------- */

static __always_inline int attributes__enter(__u32 form, __u32 record_flags)
{
    if (form == FORM_NONE || !call__is_reported(0) ||
        filter__keeps(attributes__kind(form)) == FILTER_KEEP_NONE)
        return 0;
    if (!call__load(form, 0, record_flags))
        return 0;
    return attributes__remember(bpf_get_current_task());
}

static __always_inline bool attributes__begin_exit(__u32 form, __s64 ret, __u32 record_flags)
{
    return call__is_reported(ret) && filter__keeps(attributes__kind(form)) != FILTER_KEEP_NONE &&
           call__load(form, ret, record_flags);
}

#define DEFINE_ATTRIBUTE_FAMILY(family)                                                                      \
    static __always_inline int family##__enter(__u32 form, __u32 record_flags)                               \
    {                                                                                                        \
        return attributes__enter(form, record_flags);                                                        \
    }                                                                                                        \
    static __always_inline int family##__exit(__u32 form, __s64 ret, __u32 record_flags)                     \
    {                                                                                                        \
        if (form == FORM_NONE)                                                                               \
            return 0;                                                                                        \
        if (attributes__begin_exit(form, ret, record_flags))                                                 \
            family##__report(bpf_get_current_task());                                                        \
        file_before__forget();                                                                               \
        return 0;                                                                                            \
    }

DEFINE_ATTRIBUTE_FAMILY(chmod)
DEFINE_ATTRIBUTE_FAMILY(chown)
DEFINE_ATTRIBUTE_FAMILY(utimes)
DEFINE_ATTRIBUTE_FAMILY(xattr)

WALKING_ENTER(chmod, fchmodat)
WALKING_EXIT(chmod, fchmodat)
WALKING_ENTER(chown, fchownat)
WALKING_EXIT(chown, fchownat)
WALKING_ENTER(utimes, utimensat)
WALKING_EXIT(utimes, utimensat)
WALKING_ENTER(xattr, setxattr)
WALKING_EXIT(xattr, setxattr)
