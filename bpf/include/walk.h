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
#define WALK_STEPS_MAX BOUND(256, 6)
/* Cached children of one directory that are looked at, newest first. What a call has just created or looked
 * up for the first time is among the first. */
#define WALK_CHILDREN_MAX BOUND(512, 16)
/* Mounts upon one mount that are looked at, newest first. */
#define WALK_MOUNTS_MAX BOUND(1024, 8)
/* Mounts on the same directory, one upon the other. */
#define WALK_MOUNT_STACK_MAX BOUND(8, 1)
/* The kernel's own limit is 40 (MAXSYMLINKS). */
#define WALK_LINKS_MAX 40

/* How to treat the last component: a link is followed, ... */
#define WALK_FOLLOW 1
/* ... or it is not looked up at all, because it is not there (any more). */
#define WALK_PARENT 2

/* ... or nothing is looked up: for old kernels, where a program has room for one walk. */
#define WALK_NOT BOUND(0, 4)

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

#ifdef CWS_OLD_KERNEL
/* Words at the beginning of a name that are compared for each child. */
#define NAME_WORDS_FIRST 4
#endif

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
    /* See walk_old.h. */
    __u64 masks[NAME_WORDS_FIRST];
    __u64 marks;
    __u64 found;
    /* What is walked: see walk__path(). */
    __u64 offset, length, dirfd, how;
#endif
};

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, SCRATCH_SLOTS);
    __type(key, __u32);
    __type(value, struct walk);
} walk_scratch SEC(".maps");

static __always_inline struct walk *walk__scratch(void)
{
    __u32 slot = scratch__slot();

    return bpf_map_lookup_elem(&walk_scratch, &slot);
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

/* Bit 7 of the lowest zero byte (and of perhaps some above it) in a word, little-endian. */
static __always_inline __u64 word__zero_bytes(__u64 word)
{
    return (word - 0x0101010101010101ULL) & ~word & 0x8080808080808080ULL;
}

/* Bytes below the lowest marked one. */
static __always_inline __u64 word__bytes_before(__u64 marks)
{
    __u64 bytes = 0;

    if (!(marks & 0xffffffffULL)) {
        marks >>= 32;
        bytes += 4;
    }
    if (!(marks & 0xffff)) {
        marks >>= 16;
        bytes += 2;
    }
    return marks & 0xff ? bytes : bytes + 1;
}

#ifdef CWS_OLD_KERNEL
#include "walk_old.h"
#else

/* Length of the component at `position`; more than NAME_SIZE_MAX if that is no name. */
__noinline int walk__component_length(__u64 position)
{
    struct walk *walk = walk__scratch();

    if (!walk)
        return 0;
    for (__u64 i = 0; i < (NAME_SIZE_MAX + 1) / 8; i++) {
        __u64 word = *(__u64 *)&walk->text[(position & (WALK_TEXT_SIZE - 1)) + i * 8];
        __u64 end = word__zero_bytes(word) | word__zero_bytes(word ^ 0x2f2f2f2f2f2f2f2fULL);

        if (end)
            return i * 8 + word__bytes_before(end);
    }
    return NAME_SIZE_MAX + 1;
}

/* True if walk->name begins with the `length` bytes at `position`. */
__noinline int walk__names_equal(__u64 position, __u64 length)
{
    struct walk *walk = walk__scratch();

    if (!walk)
        return false;
    for (__u64 i = 0; i < (NAME_SIZE_MAX + 1) / 8; i++) {
        __u64 difference =
            *(__u64 *)&walk->text[(position & (WALK_TEXT_SIZE - 1)) + i * 8] ^ *(__u64 *)&walk->name[i * 8];

        if (length <= i * 8)
            return true;
        if (length - i * 8 < 8)
            return !(difference << ((8 - (length & 7)) * 8));
        if (difference)
            return false;
    }
    return true;
}

/* As walk__find_child(), among the next children; walk->next is where to go on. */
__noinline __u64 walk__find_child_some(__u64 parent_address, __u64 position, __u64 length)
{
    struct walk *walk = walk__scratch();
    struct dentry *parent = (void *)parent_address;
    struct dentry *child;

    if (!walk || length > NAME_SIZE_MAX)
        return 0;
    child = (void *)walk->next;
    walk->next = 0;
    for (int i = 0; i < TURNS_PER_CALL && child; i++) {
        if (BPF_CORE_READ(child, d_name.len) == length) {
            barrier_var(length);
            if (length <= NAME_SIZE_MAX &&
                !bpf_probe_read_kernel(walk->name, length, BPF_CORE_READ(child, d_name.name)) &&
                walk__names_equal(position, length) && BPF_CORE_READ(child, d_hash.pprev))
                return BPF_CORE_READ(child, d_inode) ? (__u64)child : 0;
        }
        child = dentry__next_child(parent, child);
    }
    walk->next = (__u64)child;
    return 0;
}

/* The cached child of dentry `parent_address` with the name at `position`; 0 if there is none. */
__noinline __u64 walk__find_child(__u64 parent_address, __u64 position, __u64 length)
{
    struct walk *walk = walk__scratch();

    if (!walk)
        return 0;
    walk->next = (__u64)dentry__first_child((void *)parent_address);
    for (int i = 0; i < WALK_CHILDREN_MAX / TURNS_PER_CALL; i++) {
        __u64 child = walk__find_child_some(parent_address, position, length);

        if (child || !walk->next)
            return child;
    }
    return 0;
}

/* As walk__find_mount(), among the next mounts; walk->next is where to go on. */
__noinline __u64 walk__find_mount_some(__u64 mount_address, __u64 dentry_address)
{
    struct walk *walk = walk__scratch();
    void *head = (void *)mount_address + bpf_core_field_offset(struct mount, mnt_mounts);
    void *link;

    if (!walk)
        return 0;
    link = (void *)walk->next;
    for (int i = 0; i < TURNS_PER_CALL && link && link != head; i++) {
        struct mount *child = link - bpf_core_field_offset(struct mount, mnt_child);

        if ((__u64)BPF_CORE_READ(child, mnt_mountpoint) == dentry_address)
            return (__u64)child;
        link = BPF_CORE_READ(child, mnt_child.prev);
    }
    walk->next = link == head ? 0 : (__u64)link;
    return 0;
}

/* The mount upon dentry `dentry_address` of mount `mount_address`; 0 if there is none. */
__noinline __u64 walk__find_mount(__u64 mount_address, __u64 dentry_address)
{
    struct walk *walk = walk__scratch();
    struct mount *mount = (void *)mount_address;

    if (!walk)
        return 0;
    walk->next = (__u64)BPF_CORE_READ(mount, mnt_mounts.prev);
    for (int i = 0; i < WALK_MOUNTS_MAX / TURNS_PER_CALL; i++) {
        __u64 child = walk__find_mount_some(mount_address, dentry_address);

        if (child || !walk->next)
            return child;
    }
    return 0;
}

/* From a directory that is mounted upon to the root of the topmost mount there. */
__noinline int walk__enter_mounts(void)
{
    struct walk *walk = walk__scratch();

    if (!walk)
        return 0;
    for (int i = 0; i < WALK_MOUNT_STACK_MAX; i++) {
        __u64 mount;

        if (!dentry__is_mountpoint(walk__dentry(walk)))
            return 0;
        mount = walk__find_mount(walk->mount, walk->dentry);
        if (!mount)
            return 0;
        walk->mount = mount;
        walk->dentry = (__u64)BPF_CORE_READ(walk__mount(walk), mnt.mnt_root);
    }
    return 0;
}

#endif

/* "..": out of mounts, and up. */
__noinline int walk__up(void)
{
    struct walk *walk = walk__scratch();

    if (!walk)
        return 0;
    WRITTEN_OUT
    for (int i = 0; i < WALK_MOUNT_STACK_MAX; i++) {
        struct mount *mount = walk__mount(walk);
        struct mount *above = BPF_CORE_READ(mount, mnt_parent);

        if (walk->dentry == walk->root_dentry && walk->mount == walk->root_mount)
            return 0;
        if (walk__dentry(walk) != BPF_CORE_READ(mount, mnt.mnt_root) || above == mount)
            break;
        walk->dentry = (__u64)BPF_CORE_READ(mount, mnt_mountpoint);
        walk->mount = (__u64)above;
    }
    walk->dentry = (__u64)BPF_CORE_READ(walk__dentry(walk), d_parent);
    return 0;
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

/* The process number that /proc/self stands for, as text in front of the rest. */
static __always_inline bool walk__prepend_own_pid(struct walk *walk, struct task_struct *task)
{
    struct task_struct *leader = BPF_CORE_READ(task, group_leader);
    struct task_context context = {};
    __u32 number;
    __u64 at = 10;

    context__fill_pid_namespace(&context, leader);
    number = context.ns_pid;
    WRITTEN_OUT
    for (int i = 0; i < 10; i++) {
        at = 9 - i;
        walk->link[at] = '0' + number % 10;
        number /= 10;
        if (!number)
            break;
    }
    return walk__prepend(walk, &walk->link[at], 10 - at);
}

/*
 * Follows a link of /proc that has no text: /proc/self, and cwd, root, exe and fd/N below /proc/PID, which
 * lead to an object and not to a name. False if it is none of them.
 */
static __always_inline bool walk__jump(struct walk *walk, struct dentry *link)
{
    struct task_struct *self = (void *)bpf_get_current_task();
    struct dentry *parent = BPF_CORE_READ(link, d_parent);
    struct proc_inode *inode;
    struct hlist_node *node;
    struct task_struct *task;
    struct path path = {};
    __u64 name = 0, parent_name = 0;
    struct file *file;

    if (BPF_CORE_READ(link, d_sb, s_magic) != PROC_SUPER_MAGIC)
        return false;
    bpf_probe_read_kernel_str(&name, sizeof(name), BPF_CORE_READ(link, d_name.name));
    if (BPF_CORE_READ(parent, d_parent) == parent)
        return name == 0x666c6573 /* self */ && walk__prepend_own_pid(walk, self);

    inode = (void *)BPF_CORE_READ(link, d_inode) - bpf_core_field_offset(struct proc_inode, vfs_inode);
    node = BPF_CORE_READ(inode, pid, tasks[0].first);
    if (!node)
        return false;
    task = task__of_pid_link(node);
    bpf_probe_read_kernel_str(&parent_name, sizeof(parent_name), BPF_CORE_READ(parent, d_name.name));
    if (parent_name == 0x6466 /* fd */) {
        file = task__file(task, BPF_CORE_READ(inode, fd));
        path = BPF_CORE_READ(file, f_path);
    } else if (name == 0x647763 /* cwd */) {
        path = BPF_CORE_READ(task, fs, pwd);
    } else if (name == 0x746f6f72 /* root */) {
        path = BPF_CORE_READ(task, fs, root);
    } else if (name == 0x657865 /* exe */) {
        path = BPF_CORE_READ(task, mm, exe_file, f_path);
    }
    if (!path.dentry)
        return false;
    walk->dentry = (__u64)path.dentry;
    walk->mount = (__u64)vfsmount__mount(path.mnt);
    return true;
}

/* Follows the symbolic link `link`, found in the directory where the walk stands. */
__noinline int walk__follow(__u64 link_address)
{
    struct walk *walk = walk__scratch();
    struct dentry *link = (void *)link_address;
    const char *text;
    long size;

    if (!walk || walk->links >= WALK_LINKS_MAX)
        return false;
    walk->links++;
    text = BPF_CORE_READ(link, d_inode, i_link);
    if (!text)
        return walk__jump(walk, link);
    size = bpf_probe_read_kernel_str(walk->link, PATH_SIZE_MAX, text);
    if (size <= 1 || size >= PATH_SIZE_MAX)
        return false;
    if (!walk__prepend(walk, walk->link, size - 1))
        return false;
    if (walk->link[0] == '/') {
        walk->dentry = walk->root_dentry;
        walk->mount = walk->root_mount;
    }
    return true;
}

static __always_inline __u8 walk__byte(struct walk *walk, __u64 position)
{
    if (position > WALK_TEXT_SIZE)
        return 0;
    barrier_var(position);
    if (position > WALK_TEXT_SIZE)
        return 0;
    return walk->text[position];
}

/* True if nothing but slashes follows `position`. */
static __always_inline bool walk__is_end(struct walk *walk, __u64 position)
{
    __u64 word;

    if (position > WALK_TEXT_SIZE)
        return true;
    barrier_var(position);
    if (position > WALK_TEXT_SIZE)
        return true;
    word = *(__u64 *)&walk->text[position];

    /* More than seven slashes in a row at the end are taken for a component that is missing. */
    WRITTEN_OUT
    for (int i = 0; i < 8; i++) {
        if ((word & 0xff) != '/')
            return !(word & 0xff);
        word >>= 8;
    }
    return false;
}

#ifdef CWS_OLD_KERNEL
#define WALK_STEP(how) walk__step()

/* One component, and a slash in front of it. Returns WALK_*. */
__noinline int walk__step(void)
{
    struct walk *walk = walk__scratch();
    __u64 child, word;

    if (!walk)
        return WALK_FAILED;
    word = walk__text_word(walk, 0);
    if ((word & 0xff) == '/') {
        OF(walk, position) += 1;
        word >>= 8;
    }
    if (OF(walk, position) >= WALK_TEXT_SIZE)
        return WALK_FOUND;
    if ((word & 0xff) == '/')
        return WALK_GOES_ON;
    walk__measure();
    if (OF(walk, name_length) > NAME_SIZE_MAX)
        return WALK_PARTIAL;
    if (OF(walk, name_length) == 1 && (word & 0xff) == '.') {
        OF(walk, position) += 1;
        return WALK_GOES_ON;
    }
    if (OF(walk, name_length) == 2 && (word & 0xffff) == 0x2e2e /* .. */) {
        OF(walk, position) += 2;
        walk__up();
    } else {
        bool is_last = walk__is_end(walk, OF(walk, position) + OF(walk, name_length));
        bool is_followed = OF(walk, how) & WALK_FOLLOW ||
                           walk__byte(walk, OF(walk, position) + OF(walk, name_length)) == '/' || !is_last;

        if (is_last && OF(walk, how) & WALK_PARENT)
            return WALK_NAMED;
        child = walk__find_child();
        if (!child)
            return is_last ? WALK_NAMED : WALK_PARTIAL;
        OF(walk, position) += OF(walk, name_length);
        if (is_followed && (BPF_CORE_READ((struct dentry *)child, d_inode, i_mode) & S_IFMT) == S_IFLNK) {
            if (walk__follow(child))
                return WALK_GOES_ON;
            OF(walk, position) -= OF(walk, name_length);
            return WALK_PARTIAL;
        }
        OF(walk, dentry) = child;
    }
    walk__enter_mounts();
    return WALK_GOES_ON;
}

#else
#define WALK_STEP(how) walk__step(how)

/* One component. Returns WALK_*. */
__noinline int walk__step(__u64 how)
{
    struct walk *walk = walk__scratch();
    __u64 position, length, child;
    bool is_last, trailing_slash;
    __u8 first, second;

    if (!walk)
        return WALK_FAILED;
    position = walk->position;
    if (position >= WALK_TEXT_SIZE)
        return WALK_FOUND;
    barrier_var(position);
    if (position >= WALK_TEXT_SIZE)
        return WALK_FOUND;
    first = walk->text[position];
    if (first == '/') {
        walk->position = position + 1;
        return WALK_GOES_ON;
    }
    second = walk->text[position + 1];
    length = walk__component_length(position);
    if (length > NAME_SIZE_MAX)
        return WALK_PARTIAL;
    if (first == '.' && length == 1) {
        walk->position = position + 1;
        return WALK_GOES_ON;
    }
    if (first == '.' && second == '.' && length == 2) {
        walk->position = position + 2;
        walk__up();
        goto enter;
    }
    walk->name_length = length;
    trailing_slash = walk__byte(walk, position + length) == '/';
    is_last = walk__is_end(walk, position + length);
    if (is_last && how & WALK_PARENT)
        return WALK_NAMED;
    child = walk__find_child(walk->dentry, position, length);
    if (!child)
        return is_last ? WALK_NAMED : WALK_PARTIAL;
    if ((BPF_CORE_READ((struct dentry *)child, d_inode, i_mode) & S_IFMT) == S_IFLNK &&
        (!is_last || trailing_slash || how & WALK_FOLLOW)) {
        walk->position = position + length;
        if (walk__follow(child))
            return WALK_GOES_ON;
        walk->position = position;
        return WALK_PARTIAL;
    }
    walk->position = position + length;
    walk->dentry = child;
enter:
    walk__enter_mounts();
    return WALK_GOES_ON;
}

#endif

/*
 * Walks the `length` bytes at `offset` of the record scratch from the directory `dirfd` of the current task.
 * Returns WALK_*; the walk scratch tells where it ended.
 */
BODY int walk__path_of(__u64 offset, __u64 length, __u64 dirfd, __u64 how)
{
    struct record *record = record__scratch();
    struct task_struct *task = (void *)bpf_get_current_task();
    struct walk *walk = walk__scratch();
    struct path root = BPF_CORE_READ(task, fs, root);
    struct path base = root;

    if (!walk || !record)
        return WALK_FAILED;
    walk->position = WALK_TEXT_SIZE;
    walk->links = 0;
    walk->name_length = 0;
    walk->status = WALK_FAILED;
    /* Also if the text is empty and names the descriptor: it may have been another one when the call read it.
     */
    walk->exact = false;
    /* An empty string names the descriptor itself (AT_EMPTY_PATH). */
    if (length && !walk__prepend(walk, record->bytes + (offset & (RECORD_SIZE_MAX - 1)), length))
        return WALK_FAILED;
    if (walk->text[walk->position & (WALK_TEXT_SIZE - 1)] != '/' || !length) {
        if ((__s32)dirfd == AT_FDCWD)
            base = BPF_CORE_READ(task, fs, pwd);
        else {
            struct file *directory = task__file(task, (__s32)dirfd);

            base = BPF_CORE_READ(directory, f_path);
        }
    }
    if (!base.dentry)
        return WALK_FAILED;
    walk->root_dentry = (__u64)root.dentry;
    walk->root_mount = (__u64)vfsmount__mount(root.mnt);
    walk->dentry = (__u64)base.dentry;
    walk->mount = (__u64)vfsmount__mount(base.mnt);
    if (how & WALK_NOT) {
        walk->status = length ? WALK_PARTIAL : WALK_FOUND;
        return walk->status;
    }
    WRITTEN_OUT
    for (int i = 0; i < WALK_STEPS_MAX; i++) {
        walk->status = WALK_STEP(how);
        if (walk->status != WALK_GOES_ON)
            break;
    }
    if (walk->status == WALK_GOES_ON)
        walk->status = WALK_PARTIAL;
    return walk->status;
}

#ifdef CWS_OLD_KERNEL

__noinline int walk__path_told(void)
{
    struct walk *walk = walk__scratch();

    if (!walk)
        return WALK_FAILED;
    return walk__path_of(OF(walk, offset), OF(walk, length), OF(walk, dirfd), OF(walk, how));
}

__noinline int walk__path_untrodden(void)
{
    struct walk *walk = walk__scratch();

    if (!walk)
        return WALK_FAILED;
    return walk__path_of(OF(walk, offset), OF(walk, length), OF(walk, dirfd), WALK_NOT);
}

/* For the sake of the verifier, which would go through the walk for each value of each. */
static __always_inline int walk__path(__u64 offset, __u64 length, __u64 dirfd, __u64 how)
{
    struct walk *walk = walk__scratch();

    if (!walk)
        return WALK_FAILED;
    OF(walk, offset) = offset;
    OF(walk, length) = length;
    OF(walk, dirfd) = dirfd;
    OF(walk, how) = how;
    /* A program that walks (walk__path_told()) and reports is larger than an old kernel takes. */
    return walk__path_untrodden();
}

#else
#define walk__path walk__path_of
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
