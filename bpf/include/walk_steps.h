/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The steps of a walk: looking up a name, entering and leaving mounts, following links. */
#ifndef WALK_STEPS_H
#define WALK_STEPS_H

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

#endif /* WALK_STEPS_H */
