/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The searches of walk.h for the verifier of old kernels. It goes through a function at each call, and once
 * more for each difference in what it knows of the registers, even of numbers. So what is known of the search
 * is in the walk scratch, where it looks at nothing, and turns have few branches.
 */
#ifndef WALK_OLD_H
#define WALK_OLD_H

/* Words of a name that one function looks at. */
#define NAME_WORDS_AHEAD 8
#define NAME_WORDS       ((NAME_SIZE_MAX + 1) / 8)
/* Words of a name that are compared; longer names are not found. */
#define NAME_WORDS_COMPARED 8

/* A member of the walk, of which the verifier knows nothing however often it is compared. */
#define OF(walk, member) (*(volatile typeof((walk)->member) *)&(walk)->member)

/* Eight bytes of the text, `offset` behind the position. */
static __always_inline __u64 walk__text_word(struct walk *walk, __u64 offset)
{
    return *(__u64 *)&walk->text[(OF(walk, position) + offset) & (WALK_TEXT_SIZE - 1)];
}

/* Adds to the length of the component the bytes up to its end; NAME_WORDS_AHEAD words if it is longer. */
__noinline int walk__measure_some(void)
{
    struct walk *walk = walk__scratch();
    const __u64 *words;
    __u64 word, marks = 0;

    if (!walk)
        return 0;
    words = (__u64 *)&walk->text[(OF(walk, position) + OF(walk, name_length)) & (WALK_TEXT_SIZE - 1)];
    WRITTEN_OUT
    for (int i = 0; i < NAME_WORDS_AHEAD; i++) {
        word = words[i];
        marks = word__zero_bytes(word) | word__zero_bytes(word ^ 0x2f2f2f2f2f2f2f2fULL);
        STOP_IF(marks);
        OF(walk, name_length) += 8;
    }
    if (!marks)
        return true;
    OF(walk, marks) = marks;
    OF(walk, name_length) += word__bytes_before(OF(walk, marks));
    return false;
}

/* Sets the length of the component at the position; more than NAME_SIZE_MAX if that is no name. */
__noinline int walk__measure(void)
{
    struct walk *walk = walk__scratch();

    if (!walk)
        return 0;
    OF(walk, name_length) = 0;
    WRITTEN_OUT
    for (int i = 0; i < NAME_WORDS / NAME_WORDS_AHEAD; i++) {
        STOP_IF(!walk__measure_some());
    }
    return 0;
}

/* Sets which bits of its first words the component has. */
__noinline int walk__set_masks(void)
{
    struct walk *walk = walk__scratch();

    if (!walk)
        return 0;
    WRITTEN_OUT
    for (__u64 i = 0; i < NAME_WORDS_FIRST; i++) {
        __u64 mask = ~0ULL;

        if (OF(walk, name_length) <= i * 8)
            mask = 0;
        else if (OF(walk, name_length) < (i + 1) * 8)
            mask = ~0ULL >> ((8 - (OF(walk, name_length) & 7)) * 8);
        OF(walk, masks[i]) = mask;
    }
    return 0;
}

/* True if the rest of walk->name is that of the component. Their first words are equal. */
__noinline int walk__rest_is_equal(void)
{
    struct walk *walk = walk__scratch();
    __u64 difference = 0;
    const __u64 *words;

    if (!walk)
        return false;
    if (OF(walk, name_length) < 8)
        return true;
    if (OF(walk, name_length) > NAME_WORDS_COMPARED * 8)
        return false;
    words = (__u64 *)&walk->text[OF(walk, position) & (WALK_TEXT_SIZE - 1)];
    WRITTEN_OUT
    for (__u64 i = NAME_WORDS_FIRST; i < NAME_WORDS_COMPARED; i++) {
        STOP_IF(OF(walk, name_length) < (i + 1) * 8);
        difference |= words[i] ^ *(__u64 *)&walk->name[i * 8];
    }
    difference |= walk__text_word(walk, OF(walk, name_length) - 8) ^
                  *(__u64 *)&walk->name[(OF(walk, name_length) - 8) & NAME_SIZE_MAX];
    return !difference;
}

/* Looks at the child walk->next, and takes the next one for it. True if it is the one with the name. */
__noinline int walk__look_at_child(void)
{
    struct walk *walk = walk__scratch();
    struct dentry *child;
    const __u64 *words, *name;

    if (!walk)
        return true;
    child = (void *)OF(walk, next);
    if (!child)
        return true;
    if (BPF_CORE_READ(child, d_name.len) == OF(walk, name_length)) {
        bpf_probe_read_kernel(walk->name, NAME_WORDS_FIRST * 8, BPF_CORE_READ(child, d_name.name));
        words = (__u64 *)&walk->text[OF(walk, position) & (WALK_TEXT_SIZE - 1)];
        name = (__u64 *)walk->name;
        if (!((words[0] ^ name[0]) & OF(walk, masks[0])) && !((words[1] ^ name[1]) & OF(walk, masks[1])) &&
            !((words[2] ^ name[2]) & OF(walk, masks[2])) && !((words[3] ^ name[3]) & OF(walk, masks[3])))
            return true;
    }
    OF(walk, next) = (__u64)dentry__next_child(walk__dentry(walk), child);
    return false;
}

/* The cached child of the directory with the name of the component; 0 if there is none, or if one of the same
 * length and beginning was cached later. */
__noinline __u64 walk__find_child(void)
{
    struct walk *walk = walk__scratch();
    struct dentry *child;

    if (!walk)
        return 0;
    walk__set_masks();
    OF(walk, next) = (__u64)dentry__first_child(walk__dentry(walk));
    WRITTEN_OUT
    for (int i = 0; i < WALK_CHILDREN_MAX; i++) {
        OF(walk, found) = walk__look_at_child();
        STOP_IF(OF(walk, found));
    }
    child = (void *)OF(walk, next);
    if (!OF(walk, found) || !child)
        return 0;
    bpf_probe_read_kernel(walk->name, NAME_SIZE_MAX + 1, BPF_CORE_READ(child, d_name.name));
    if (!walk__rest_is_equal() || !BPF_CORE_READ(child, d_hash.pprev) || !BPF_CORE_READ(child, d_inode))
        return 0;
    return OF(walk, next);
}

/* Looks at the mount whose link is walk->next, and takes the one before it for it. True if the search has
 * ended: it is upon the dentry, or the head of the list. */
__noinline int walk__look_at_mount(void)
{
    struct walk *walk = walk__scratch();
    struct mount *child;

    if (!walk)
        return true;
    child = (void *)OF(walk, next) - bpf_core_field_offset(struct mount, mnt_child);
    if (OF(walk, next) == OF(walk, mount) + bpf_core_field_offset(struct mount, mnt_mounts) ||
        BPF_CORE_READ(child, mnt_mountpoint) == walk__dentry(walk))
        return true;
    OF(walk, next) = (__u64)BPF_CORE_READ(child, mnt_child.prev);
    return false;
}

/* From a directory that is mounted upon to the root of the mount there. */
__noinline int walk__enter_mount(void)
{
    struct walk *walk = walk__scratch();
    struct mount *mount;

    if (!walk || !dentry__is_mountpoint(walk__dentry(walk)))
        return false;
    OF(walk, next) = (__u64)BPF_CORE_READ(walk__mount(walk), mnt_mounts.prev);
    WRITTEN_OUT
    for (int i = 0; i < WALK_MOUNTS_MAX; i++) {
        STOP_IF(walk__look_at_mount());
    }
    mount = (void *)OF(walk, next) - bpf_core_field_offset(struct mount, mnt_child);
    if (OF(walk, next) == OF(walk, mount) + bpf_core_field_offset(struct mount, mnt_mounts) ||
        BPF_CORE_READ(mount, mnt_mountpoint) != walk__dentry(walk))
        return false;
    OF(walk, mount) = (__u64)mount;
    OF(walk, dentry) = (__u64)BPF_CORE_READ(walk__mount(walk), mnt.mnt_root);
    return true;
}

static __always_inline void walk__enter_mounts(void)
{
    WRITTEN_OUT
    for (int i = 0; i < WALK_MOUNT_STACK_MAX; i++) {
        STOP_IF(!walk__enter_mount());
    }
}

#endif /* WALK_OLD_H */
