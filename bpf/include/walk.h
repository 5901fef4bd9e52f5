/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Looking up a path that a call was given as a string, where no hook shows the object that the kernel used.
 * The walk follows what the kernel itself has just cached for this call: dentries by name, mounts, links
 * whose text is in memory, and the links of /proc. It never blocks and never asks a file system.
 *
 * What comes out is an object of the kernel, found next to the call and not by it (FILE_FLAG_LOOKED_UP), or
 * how far the caches reach and the rest of the string.
 */
#ifndef WALK_H
#define WALK_H

/* A path plus the texts of links in front of its rest. */
#define WALK_TEXT_SIZE (2 * PATH_SIZE_MAX)
/* Components, "..", "." and links together. */
#define WALK_STEPS_MAX 256
/* Cached children of one directory that are looked at, newest first. What a call has just created or looked
 * up for the first time is among the first. */
#define WALK_CHILDREN_MAX 512
/* Mounts upon one mount that are looked at, newest first. */
#define WALK_MOUNTS_MAX 1024
/* Mounts on the same directory, one upon the other. */
#define WALK_MOUNT_STACK_MAX 8
/* The kernel's own limit is 40 (MAXSYMLINKS). */
#define WALK_LINKS_MAX 40

/* How to treat the last component: a link is followed, ... */
#define WALK_FOLLOW 1
/* ... or it is not looked up at all, because it is not there (any more). */
#define WALK_PARENT 2

/* The object was found. */
#define WALK_FOUND 1
/* Its directory was found; the name in it was not, or should not be. */
#define WALK_NAMED 2
/* The caches ended before the last directory. */
#define WALK_PARTIAL 3
/* There was not even a start: no such descriptor. */
#define WALK_FAILED 4
/* Internal: not finished. */
#define WALK_GOES_ON 0
/* On old kernels: a stage has to look it up first. */
#define WALK_WAITS 5

struct walk {
    /* What is left of the text lies at [position, WALK_TEXT_SIZE), so that the text of a link fits in front.
     * What follows stays zero (words are read beyond the end); its size is for the verifier, which bounds
     * position and length one by one. */
    __u8 text[WALK_TEXT_SIZE + PATH_SIZE_MAX];
    __u8 link[PATH_SIZE_MAX];
    /* The name of the child that is looked at. */
    __u8 name[NAME_SIZE_MAX + 9];
    __u64 position;
    /* The last component that was read: bytes. */
    __u64 name_length;
    /* Addresses of struct dentry and struct mount: where the walk stands, and the root of the process. */
    __u64 dentry;
    __u64 mount;
    __u64 root_dentry;
    __u64 root_mount;
    __u32 links;
    /* WALK_* */
    __u32 status;
    /* No string was looked up: a descriptor names the object. */
    bool exact;
    /* Of a search that goes on: addresses of the next child, or of the next link of a list of mounts. */
    __u64 next;
#ifdef CWS_OLD_KERNEL
    /* What the stages are told: where the text lies in the record scratch, its length, and as openat(2) and
     * the WALK_* above have it. */
    __u64 offset;
    __u64 length;
    __u64 dirfd;
    __u64 how;
    /* How many programs may have followed when it ends. */
    __u32 follows;
    /* And tell each other: the kernel's hash and length of the name, the child that has it, ... */
    __u64 hash_and_length;
    __u64 child;
    /* ... that it is the last one, and whether a slash follows, ... */
    bool is_last;
    bool has_slash;
    /* ... that it leads up, and that the walk has begun. */
    bool goes_up;
    bool has_begun;
#endif
};

/* The two sides of a call have to wait for each other on old kernels. */
#define SIDES 2

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, BOUND(SCRATCH_SLOTS, SIDES));
    __type(key, __u32);
    __type(value, struct walk);
} walk_scratch SEC(".maps");

static __always_inline struct walk *walk__scratch(void)
{
#ifdef CWS_OLD_KERNEL
    struct outbox *outbox = outbox__find();
    __u32 slot = outbox ? outbox->side : 0;
#else
    __u32 slot = scratch__slot();
#endif

    return bpf_map_lookup_elem(&walk_scratch, &slot);
}

/* The walk, which from here on is that of a side of the call. */
static __always_inline struct walk *walk__scratch_of_side(const __u32 side)
{
#ifdef CWS_OLD_KERNEL
    struct outbox *outbox = outbox__find();

    if (outbox)
        outbox->side = side;
#endif
    return walk__scratch();
}

static __always_inline struct dentry *walk__dentry(const struct walk *walk)
{
    return (void *)walk->dentry;
}

static __always_inline struct mount *walk__mount(const struct walk *walk)
{
    return (void *)walk->mount;
}

/* The open file behind a descriptor of `task`. */
static __always_inline struct file *task__file(struct task_struct *task, __s64 descriptor)
{
    struct fdtable *table = BPF_CORE_READ(task, files, fdt);
    struct file **files = BPF_CORE_READ(table, fd);
    struct file *file = NULL;

    if (descriptor < 0 || descriptor >= BPF_CORE_READ(table, max_fds))
        return NULL;
    bpf_probe_read_kernel(&file, sizeof(file), files + descriptor);
    return file;
}

/* The open file behind a descriptor that the kernel has just returned to the current task. */
static __always_inline struct file *current__opened_file(__s64 descriptor)
{
    struct file **files, *file = NULL;

#ifdef CWS_OLD_KERNEL
    files = BPF_CORE_READ((struct task_struct *)bpf_get_current_task(), files, fdt, fd);
#else
    /* 5.11 (3ca1032ab7ab): a pointer whose type the verifier knows needs no helper to be followed. */
    if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_get_current_task_btf)) {
        struct task_struct *task = bpf_get_current_task_btf();

        files = task->files->fdt->fd;
    } else {
        struct task_struct *task = (void *)bpf_get_current_task();

        files = BPF_CORE_READ(task, files, fdt, fd);
    }
#endif
    /* A table never shrinks, so the descriptor lies in it. */
    bpf_probe_read_kernel(&file, sizeof(file), files + descriptor);
    return file;
}

/* Puts `length` bytes at `address` in front of the rest of the text. */
static __always_inline bool walk__prepend(struct walk *walk, const void *address, __u64 length)
{
    __u64 position = walk->position;

    if (length == 0 || length >= PATH_SIZE_MAX || length > position || position > WALK_TEXT_SIZE)
        return false;
    position -= length;
    /* The compiler may know that it is in bounds; an old verifier that forgot the length does not. */
    asm volatile("%0 &= %1" : "+r"(position) : "i"(WALK_TEXT_SIZE - 1));
    barrier_var(length);
    if (length >= PATH_SIZE_MAX)
        return false;
    if (bpf_probe_read_kernel(&walk->text[position], length, address))
        return false;
    walk->position = position;
    return true;
}

/* Stands at the directory `dirfd` of the current task, or at its root, with the `length` bytes at `offset` of
 * the record scratch to walk. False if there is no such directory. */
static __always_inline bool walk__begin(struct walk *walk, __u64 offset, __u64 length, __u64 dirfd)
{
    struct record *record = record__scratch();
    struct task_struct *task = (void *)bpf_get_current_task();
    struct path root = BPF_CORE_READ(task, fs, root);
    struct path base = root;

    if (!record)
        return false;
    walk->position = WALK_TEXT_SIZE;
    walk->links = 0;
    walk->name_length = 0;
    walk->status = WALK_FAILED;
    /* Also if the text is empty and names the descriptor: it may have been another one when the call read it.
     */
    walk->exact = false;
    /* An empty string names the descriptor itself (AT_EMPTY_PATH). */
    if (length && !walk__prepend(walk, record->bytes + (offset & (RECORD_SIZE_MAX - 1)), length))
        return false;
    if (walk->text[walk->position & (WALK_TEXT_SIZE - 1)] != '/' || !length) {
        if ((__s32)dirfd == AT_FDCWD)
            base = BPF_CORE_READ(task, fs, pwd);
        else {
            struct file *directory = task__file(task, (__s32)dirfd);

            base = BPF_CORE_READ(directory, f_path);
        }
    }
    if (!base.dentry)
        return false;
    walk->root_dentry = (__u64)root.dentry;
    walk->root_mount = (__u64)vfsmount__mount(root.mnt);
    walk->dentry = (__u64)base.dentry;
    walk->mount = (__u64)vfsmount__mount(base.mnt);
    return true;
}

/* In place of a walk: the text is what is told, behind the directory that it starts from. */
__noinline int walk__as_given(__u64 offset, __u64 length, __u64 dirfd)
{
    struct walk *walk = walk__scratch();

    if (!walk || !walk__begin(walk, offset, length, dirfd))
        return WALK_FAILED;
    walk->status = length ? WALK_PARTIAL : WALK_FOUND;
    return walk->status;
}

#include "walk_steps.h"

#ifdef CWS_OLD_KERNEL

#include "walk_old.h"

#else

/*
 * Walks the `length` bytes at `offset` of the record scratch from the directory `dirfd` of the current task.
 * Returns WALK_*; the walk scratch tells where it ended.
 */
__noinline int walk__path(__u64 offset, __u64 length, __u64 dirfd, __u64 how)
{
    struct walk *walk = walk__scratch();

    if (!walk || !walk__begin(walk, offset, length, dirfd))
        return WALK_FAILED;
    for (int i = 0; i < WALK_STEPS_MAX; i++) {
        walk->status = walk__step(how);
        if (walk->status != WALK_GOES_ON)
            break;
    }
    if (walk->status == WALK_GOES_ON)
        walk->status = WALK_PARTIAL;
    return walk->status;
}

#endif

/* Writes the path that the walk found to the path scratch, as `task` sees it. Returns its length. */
static __always_inline int walk__resolve_path(struct walk *walk, struct task_struct *task)
{
    struct path_scratch *scratch = path__scratch();
    struct mount *mount = walk__mount(walk);
    void *mnt = (void *)mount + bpf_core_field_offset(struct mount, mnt);
    __u64 position = walk->position;
    __u64 length = 0;

    if (!scratch)
        return 0;
    path__reset(scratch);
    if (walk->status == WALK_NAMED)
        length = walk->name_length;
    else if (walk->status == WALK_PARTIAL && position < WALK_TEXT_SIZE)
        length = WALK_TEXT_SIZE - position;
    /* A rest of PATH_MAX can't occur: that includes the NUL. */
    if (length > 0 && length < PATH_SIZE_MAX - 1 && position < WALK_TEXT_SIZE) {
        __u64 start = PATH_SIZE_MAX - length;

        /* The compiler knows that it is in bounds; an old verifier that forgot the length does not. */
        asm volatile("%0 &= %1" : "+r"(start) : "i"(PATH_SIZE_MAX - 1));
        barrier_var(length);
        if (length >= PATH_SIZE_MAX - 1)
            return 0;
        barrier_var(position);
        if (position >= WALK_TEXT_SIZE)
            return 0;
        bpf_probe_read_kernel(&scratch->bytes[start], length, &walk->text[position]);
        start = (start - 1) & (PATH_SIZE_MAX - 1);
        scratch->bytes[start] = '/';
        scratch->start = start;
    }
    return path__climb(walk->dentry, (__u64)mnt, (__u64)task);
}

#endif /* WALK_H */
