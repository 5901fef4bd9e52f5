/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Paths from kernel objects: dentries and mounts are walked up to the root of the process, so the result is
 * the path as the process sees it (a container's own view), whatever string it used.
 *
 * The walks are global functions: the verifier checks them once, however often they are called. Such a
 * function takes only scalars, so kernel pointers travel as numbers.
 */
#ifndef PATH_H
#define PATH_H

#define NAME_SIZE_MAX 255

/* Components and mounts on the way up; of control groups. */
#define PATH_CLIMB_MAX   BOUND(PATH_COMPONENTS_MAX, 4 * TURNS_PER_CALL)
#define CGROUP_CLIMB_MAX BOUND(CGROUP_LEVELS_MAX, 16)

/* The task as a plain address. Where the verifier knows a pointer's type (tp_btf, iter) it does not take it
 * for a number; read back from the stack it has none. */
static __always_inline struct task_struct *task__untyped(struct task_struct *task)
{
    struct task_struct *untyped = NULL;

    bpf_probe_read_kernel(&untyped, sizeof(untyped), &task);
    return untyped;
}

/* A path is written from its end to its start, in front of byte PATH_SIZE_MAX. What follows is for the
 * verifier, which bounds start and length one by one. */
struct path_scratch {
    __u8 bytes[2 * PATH_SIZE_MAX];
    /* Where the path starts in `bytes`; it ends at PATH_SIZE_MAX. */
    __u32 start;
    /* FILE_FLAG_*: what the walk noticed. */
    __u32 flags;
    /* Where the part inside the first mount starts, 0 if it never left it. */
    __u32 mount_start;
    __u32 _pad;
    /* Addresses: where the climb stands, and the root of the process, where it ends. */
    __u64 dentry;
    __u64 mount;
    __u64 root_dentry;
    __u64 root_mount;
#ifdef CWS_OLD_KERNEL
    /* Of a path that has been left to be found: by which stage, how often that has run, where the record has
     * the span for it, and how many bytes of it are wanted. */
    __u32 stage;
    __u32 runs;
    __u32 span;
    __u32 limit;
    /* It is that of a struct file_info, ... */
    __u32 is_file;
    /* ... by which the event is judged: as side `judged_side - 1`. */
    __u32 judged_side;
#endif
};

/* Long loops are made of calls of a function that does so many turns: the verifier checks a global function
 * but every turn of a loop. It must divide the number of turns. For old kernels, turns of one stage. */
#define TURNS_PER_CALL BOUND(16, 24)

#ifdef CWS_OLD_KERNEL

/* In place of the length of a path that has been left to a stage. */
#define LENGTH_UNKNOWN 1

/* Nothing is left to climb: the process's root, of nothing. */
#define PATH_IS_WHOLE(scratch)                                                                               \
    do {                                                                                                     \
        (scratch)->dentry = 0;                                                                               \
        (scratch)->mount = 0;                                                                                \
        (scratch)->root_dentry = 0;                                                                          \
        (scratch)->root_mount = 0;                                                                           \
        (scratch)->stage = STAGE_CLIMB;                                                                      \
    } while (0)

#endif

/* Results of these functions: go on, ... */
#define CLIMB_GOES_ON 0
/* ... at the top, ... */
#define CLIMB_DONE 1
/* ... or no room for the next component. */
#define CLIMB_FULL 2

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, BOUND(SCRATCH_SLOTS, PATHS_LEFT_MAX));
    __type(key, __u32);
    __type(value, struct path_scratch);
} path_scratch SEC(".maps");

static __always_inline struct path_scratch *path__scratch(void)
{
#ifdef CWS_OLD_KERNEL
    /* A program builds one record, but a path of it may wait while the next is begun. */
    struct outbox *outbox = outbox__find();
    __u32 slot = outbox ? outbox->path : 0;
#else
    __u32 slot = scratch__slot();
#endif

    return bpf_map_lookup_elem(&path_scratch, &slot);
}

#ifdef CWS_OLD_KERNEL

/* Has the event judged by the path that has been left last, as that of a side. */
static __always_inline void path__judge_last(__u32 side)
{
    struct outbox *outbox = outbox__find();
    struct path_scratch *scratch;
    __u32 last;

    if (!outbox || !outbox->paths)
        return;
    last = outbox->paths - 1;
    scratch = bpf_map_lookup_elem(&path_scratch, &last);
    if (scratch)
        scratch->judged_side = side + 1;
}

#endif

/* Puts `/name` in front of what is there. False when it does not fit. */
static __always_inline bool path__prepend(struct path_scratch *scratch, const void *name, __u32 length)
{
    __u32 start = scratch->start;

    if (length > NAME_SIZE_MAX || length + 1 > start)
        return false;
    start = (start - length - 1) & (PATH_SIZE_MAX - 1);
    scratch->bytes[start] = '/';
    bpf_probe_read_kernel(&scratch->bytes[start + 1], CUT(length, NAME_SIZE_MAX), name);
    scratch->start = start;
    return true;
}

static __always_inline bool path__prepend_dentry(struct path_scratch *scratch, struct dentry *dentry)
{
    struct qstr name = BPF_CORE_READ(dentry, d_name);

    return path__prepend(scratch, name.name, name.len);
}

static __always_inline struct mount *vfsmount__mount(struct vfsmount *mnt)
{
    return (void *)mnt - bpf_core_field_offset(struct mount, mnt);
}

static __always_inline void path__reset(struct path_scratch *scratch)
{
    scratch->start = PATH_SIZE_MAX;
    scratch->flags = 0;
    scratch->mount_start = 0;
#ifdef CWS_OLD_KERNEL
    scratch->runs = 0;
    scratch->is_file = false;
    scratch->judged_side = 0;
#endif
}

/* The next components of the climb that the path scratch describes. Returns CLIMB_*. */
__noinline int path__climb_some(void)
{
    struct path_scratch *scratch = path__scratch();
    struct mount *mount, *root_mount;
    struct dentry *dentry, *root_dentry, *mount_root;
    int result = CLIMB_GOES_ON;

    if (!scratch)
        return CLIMB_FULL;
    dentry = (void *)scratch->dentry;
    mount = (void *)scratch->mount;
    root_dentry = (void *)scratch->root_dentry;
    root_mount = (void *)scratch->root_mount;
    mount_root = BPF_CORE_READ(mount, mnt.mnt_root);
    WRITTEN_OUT
    for (int i = 0; i < TURNS_PER_CALL; i++) {
        struct dentry *parent;

        if (dentry == root_dentry && mount == root_mount) {
            result = CLIMB_DONE;
            break;
        }
        parent = BPF_CORE_READ(dentry, d_parent);
        if (dentry == mount_root || dentry == parent) {
            struct mount *above = BPF_CORE_READ(mount, mnt_parent);

            if (dentry != mount_root || above == mount) {
                /* The top of this mount namespace, or of a mount that is in none, without having met the
                 * process's root. */
                scratch->flags |= FILE_FLAG_UNREACHABLE;
                result = CLIMB_DONE;
                break;
            }
            if (!scratch->mount_start)
                scratch->mount_start = scratch->start;
            dentry = BPF_CORE_READ(mount, mnt_mountpoint);
            mount = above;
            mount_root = BPF_CORE_READ(mount, mnt.mnt_root);
            continue;
        }
        if (!path__prepend_dentry(scratch, dentry)) {
            result = CLIMB_FULL;
            break;
        }
        dentry = parent;
    }
    scratch->dentry = (__u64)dentry;
    scratch->mount = (__u64)mount;
    return result;
}

/* An empty path is that of the root itself. Returns the length. */
static __always_inline int path__close(struct path_scratch *scratch)
{
    if (scratch->start == PATH_SIZE_MAX) {
        scratch->start = PATH_SIZE_MAX - 1;
        scratch->bytes[PATH_SIZE_MAX - 1] = '/';
    }
    return PATH_SIZE_MAX - scratch->start;
}

/*
 * Writes the path of (`dentry_address`, `vfsmount_address`) as seen from the root of task `task_address`
 * in front of what the path scratch holds. Returns the length of all; 0 when there is none. For old kernels
 * that has to be left to a stage, and the length is not known.
 */
__noinline int path__climb(__u64 dentry_address, __u64 vfsmount_address, __u64 task_address)
{
    struct dentry *dentry = (void *)dentry_address;
    struct mount *mount = vfsmount__mount((void *)vfsmount_address);
    struct task_struct *task = (void *)task_address;
    struct path_scratch *scratch = path__scratch();
    struct dentry *parent;

    if (!scratch || !dentry_address || !vfsmount_address)
        return 0;
    parent = BPF_CORE_READ(dentry, d_parent);
    /* memfd, pipes, sockets: a dentry of its own under no root; its bare name is the path. */
    if (parent == dentry && dentry != BPF_CORE_READ(mount, mnt.mnt_root)) {
        if (path__prepend_dentry(scratch, dentry))
            scratch->start = (scratch->start + 1) & (2 * PATH_SIZE_MAX - 1);
#ifdef CWS_OLD_KERNEL
        PATH_IS_WHOLE(scratch);
        return LENGTH_UNKNOWN;
#endif
        return scratch->start <= PATH_SIZE_MAX ? PATH_SIZE_MAX - scratch->start : 0;
    }
    /* A removed name is unhashed; so is the root of a file system, which has none. */
    if (parent != dentry && !BPF_CORE_READ(dentry, d_hash.pprev))
        scratch->flags |= FILE_FLAG_DELETED;
    scratch->dentry = dentry_address;
    scratch->mount = (__u64)mount;
    scratch->root_dentry = (__u64)BPF_CORE_READ(task, fs, root.dentry);
    scratch->root_mount = (__u64)vfsmount__mount(BPF_CORE_READ(task, fs, root.mnt));
#ifdef CWS_OLD_KERNEL
    scratch->stage = STAGE_CLIMB;
    return LENGTH_UNKNOWN;
#else
    int result = CLIMB_GOES_ON;

    for (int i = 0; i < PATH_CLIMB_MAX / TURNS_PER_CALL; i++) {
        result = path__climb_some();
        if (result != CLIMB_GOES_ON)
            break;
    }
    if (result != CLIMB_DONE)
        scratch->flags |= FILE_FLAG_PATH_TRUNCATED;
    return path__close(scratch);
#endif
}

/* Writes the path of (`dentry_address`, `vfsmount_address`) as task `task_address` sees it to the path
 * scratch. Returns its length; 0 when there is none. */
static __always_inline int path__resolve(__u64 dentry_address, __u64 vfsmount_address, __u64 task_address)
{
    struct path_scratch *scratch = path__scratch();

    if (!scratch)
        return 0;
    path__reset(scratch);
    return path__climb(dentry_address, vfsmount_address, task_address);
}

/* As path__climb_some(), to the root of the file system. */
__noinline int path__climb_some_in_filesystem(void)
{
    struct path_scratch *scratch = path__scratch();
    struct dentry *dentry;
    int result = CLIMB_GOES_ON;

    if (!scratch)
        return CLIMB_FULL;
    dentry = (void *)scratch->dentry;
    WRITTEN_OUT
    for (int i = 0; i < TURNS_PER_CALL; i++) {
        struct dentry *parent = BPF_CORE_READ(dentry, d_parent);

        if (parent == dentry) {
            result = CLIMB_DONE;
            break;
        }
        if (!path__prepend_dentry(scratch, dentry)) {
            result = CLIMB_FULL;
            break;
        }
        dentry = parent;
    }
    scratch->dentry = (__u64)dentry;
    return result;
}

/* Writes the path of a dentry below the root of its file system to the path scratch. Returns its length. */
__noinline int path__resolve_in_filesystem(__u64 dentry_address)
{
    struct path_scratch *scratch = path__scratch();

    if (!scratch || !dentry_address)
        return 0;
    path__reset(scratch);
    scratch->dentry = dentry_address;
#ifdef CWS_OLD_KERNEL
    scratch->stage = STAGE_CLIMB_IN_FILESYSTEM;
    return LENGTH_UNKNOWN;
#else
    int result = CLIMB_GOES_ON;

    for (int i = 0; i < PATH_CLIMB_MAX / TURNS_PER_CALL; i++) {
        result = path__climb_some_in_filesystem();
        if (result != CLIMB_GOES_ON)
            break;
    }
    return path__close(scratch);
#endif
}

#ifdef CWS_OLD_KERNEL

/* The next level of the climb, which stands at a node of kernfs. False at the top. */
static __always_inline bool path__climb_cgroup(struct path_scratch *scratch)
{
    struct kernfs_node *node, *parent;
    const char *name;
    long size;

    node = (void *)scratch->dentry;
    parent = kernfs__parent(node);
    if (!parent)
        return false;
    /* kernfs names have no length: put the text in the slack first, then in its place. */
    name = BPF_CORE_READ(node, name);
    size = bpf_probe_read_kernel_str(&scratch->bytes[PATH_SIZE_MAX], NAME_SIZE_MAX + 1, name);
    if (size <= 1 || !path__prepend(scratch, name, size - 1))
        return false;
    scratch->dentry = (__u64)parent;
    return true;
}

#endif

/* Writes the path of a cgroup, below its hierarchy's root, to the path scratch. Returns its length. */
__noinline int path__resolve_cgroup(__u64 kernfs_node_address)
{
    struct path_scratch *scratch = path__scratch();

    if (!scratch || !kernfs_node_address)
        return 0;
    path__reset(scratch);
#ifdef CWS_OLD_KERNEL
    scratch->dentry = kernfs_node_address;
    scratch->stage = STAGE_CLIMB_CGROUP;
    return LENGTH_UNKNOWN;
#else
    for (int i = 0; i < CGROUP_CLIMB_MAX; i++) {
        struct kernfs_node *node = (void *)kernfs_node_address;
        struct kernfs_node *parent = kernfs__parent(node);
        const char *name;
        long size;

        if (!parent)
            break;
        /* kernfs names have no length: put the text in the slack first, then in its place. */
        name = BPF_CORE_READ(node, name);
        size = bpf_probe_read_kernel_str(&scratch->bytes[PATH_SIZE_MAX], NAME_SIZE_MAX + 1, name);
        if (size <= 1 || !path__prepend(scratch, name, size - 1))
            break;
        kernfs_node_address = (__u64)parent;
    }
    return path__close(scratch);
#endif
}

#endif /* PATH_H */
