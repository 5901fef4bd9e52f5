/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The same walk on old kernels, which have no room for it in a program that also tells an event: such a
 * program asks for it and ends. Stages (stages_walk.bpf.c) walk, a few components in each run, and the
 * program is run again when they are done.
 *
 * There are no loops either. So names are not compared one by one: children are looked through for the hash
 * that the kernel keeps with each name, and only what has it is compared.
 */
#ifndef WALK_OLD_H
#define WALK_OLD_H

/*
 * The kernel lets 33 programs follow the first one (MAX_TAIL_CALL_CNT). What a walk may not use: the program
 * itself is run again for each side, a stage fills the context, and each path is climbed by up to
 * PATH_CLIMB_MAX / TURNS_PER_CALL; and a walk may go beyond its bound by one. The first side of two leaves
 * some to the other.
 */
#define FOLLOWS_MAX    33
#define WALK_LEFT_OVER 7
#define WALK_FOLLOWS_MAX(sides, paths)                                                                       \
    (FOLLOWS_MAX - (sides)-1 - (paths) * (PATH_CLIMB_MAX / TURNS_PER_CALL) - 1)

/* Words of a name in one run: of those that most names have, and of any. */
#define WALK_WORDS     8
#define WALK_WORDS_MAX ((NAME_SIZE_MAX + 1) / 8)
/* Children that are looked at in passing, and by a stage of its own; mounts by one. */
#define WALK_CHILDREN_IN_PASSING 40
#define WALK_CHILDREN_BY_STAGE   120
#define WALK_MOUNTS_BY_STAGE     100
/* Components of one run. */
#define WALK_COMPONENTS_PER_RUN 2

/* How many programs may have followed when the walk of a side ends. */
static __always_inline __u32 walk__follows_max(__u32 again, const __u32 side)
{
    switch (again) {
    case AGAIN_exit_rename:
    case AGAIN_exit_link:
        return WALK_FOLLOWS_MAX(2, 2) - (side ? 0 : WALK_LEFT_OVER);
    case AGAIN_exit_mount:
        return WALK_FOLLOWS_MAX(2, 3) - (side ? 0 : WALK_LEFT_OVER);
    default:
        return WALK_FOLLOWS_MAX(1, 1);
    }
}

/*
 * Has the stages look up the `length` bytes at `offset` of the record scratch, or, if they have done so,
 * takes what they have found. Returns WALK_*; WALK_WAITS means that the program has to end, and is run again.
 */
static __always_inline int walk__by_stages(const __u32 side, __u64 offset, __u64 length, __u64 dirfd,
                                           __u64 how)
{
    struct outbox *outbox = outbox__find();
    struct walk *walk = walk__scratch();

    if (!outbox || !walk)
        return WALK_FAILED;
    if (outbox->walked & 1 << side)
        return walk->status;
    walk->offset = offset;
    walk->length = length;
    walk->dirfd = dirfd;
    walk->how = how;
    walk->follows = walk__follows_max(outbox->again, side);
    walk->goes_up = false;
    walk->has_begun = false;
    walk->status = WALK_WAITS;
    outbox->work = STAGE_WALK;
    return WALK_WAITS;
}

/* The walk is done: the program that has asked for it goes on. */
static __always_inline void walk__end(struct walk *walk, struct outbox *outbox, __u32 status)
{
    walk->status = status;
    outbox->walked |= 1 << outbox->side;
    outbox->work = outbox->again;
}

/* A number in memory, of which the verifier knows nothing: it goes through what follows once, and not for
 * each way on which the number came about. */
#define FORGOTTEN(number) (*(volatile __u64 *)&(number))

static __always_inline __u64 word__rotate(__u64 word, const int by)
{
    return word << by | word >> (64 - by);
}

/* The bytes of a word below the lowest marked one, as a mask; marks are at the upper end of bytes. */
static __always_inline __u64 word__mask_below(__u64 marks)
{
    return ((marks & -marks) >> 7) - 1;
}

/* Bytes of such a mask. */
static __always_inline __u64 mask__bytes(__u64 mask)
{
    return (mask & 0x0101010101010101ULL) * 0x0101010101010101ULL >> 56;
}

/* 2^64 divided by the golden ratio: include/linux/hash.h. */
#define GOLDEN_RATIO 0x61c8864680b583ebULL

/*
 * Measures the component at the position of the walk, of at most `words` words, and hashes it as the kernel
 * does for the directory where the walk stands (since 4.8; machines that read words at a time, as x86 and
 * arm64 do). File systems that hash for themselves, such as those that take both cases for one, keep other
 * numbers: there nothing is found. False if the name does not end within these words.
 */
static __always_inline bool walk__measure(struct walk *walk, const int words)
{
    const __u8 *text = &walk->text[walk->position & (WALK_TEXT_SIZE - 1)];
    __u64 x = 0, y = walk->dentry, length = 0, marks = 0;

    WRITTEN_OUT
    for (int i = 0; i < words; i++) {
        __u64 word = *(const __u64 *)(text + i * 8);

        marks = word__zero_bytes(word) | word__zero_bytes(word ^ 0x2f2f2f2f2f2f2f2fULL);
        if (marks) {
            __u64 mask = word__mask_below(marks);

            length = i * 8 + mask__bytes(mask);
            x ^= word & mask;
            break;
        }
        x ^= word;
        y ^= x;
        x = word__rotate(x, 12) + y;
        y = word__rotate(y, 45) * 9;
    }
    y = (y ^ x * GOLDEN_RATIO) * GOLDEN_RATIO;
    walk->name_length = length;
    walk->hash_and_length = length << 32 | y >> 32;
    return marks;
}

/* How the children of a directory are linked: compat.h tells the two ways. */
struct children {
    /* Where the link to the next one is in a dentry, bytes. */
    __u64 link;
    /* What stands for the end. */
    void *end;
};

static __always_inline struct children walk__children(const struct walk *walk)
{
    void *directory = (void *)walk->dentry;
    struct dentry___since_6_8 *now = directory;
    struct dentry___before_6_8 *old = directory;

    if (bpf_core_field_exists(now->d_sib))
        return (struct children){bpf_core_field_offset(now->d_sib), NULL};
    return (struct children){bpf_core_field_offset(old->d_child),
                             directory + bpf_core_field_offset(old->d_subdirs)};
}

/* Looks at the next `turns` children of the directory, from walk->next on, for one with the hash and length
 * that the walk has measured. walk->child is it, or 0; walk->next is where to go on, 0 at the end. */
static __always_inline void walk__search(struct walk *walk, const int turns)
{
    struct children children = walk__children(walk);
    struct dentry___hashed *child;
    __u64 wanted = walk->hash_and_length;
    /* Free until a link is followed. */
    __u8 *copy = walk->link;
    void *link = (void *)walk->next;

    walk->child = 0;
    WRITTEN_OUT
    for (int i = 0; i < turns; i++) {
        STOP_IF(link == children.end);
        child = link - children.link;
        /* All of it by one helper, as half of what a turn costs is calls. What can't be read is zero. */
        bpf_probe_read_kernel(copy, bpf_core_type_size(struct dentry), child);
        link = *(void **)(copy + children.link);
        STOP_IF(*(__u64 *)(copy + bpf_core_field_offset(child->d_name.hash_len)) == wanted &&
                (walk->child = (__u64)child));
    }
    walk->next = link == children.end ? 0 : (__u64)link;
}

/* From the first child on. */
static __always_inline void walk__search_from_first(struct walk *walk)
{
    void *directory = (void *)walk->dentry;
    struct dentry___since_6_8 *now = directory;
    struct dentry___before_6_8 *old = directory;

    if (bpf_core_field_exists(now->d_children))
        walk->next = (__u64)BPF_CORE_READ(now, d_children.first);
    else
        walk->next = (__u64)BPF_CORE_READ(old, d_subdirs.next);
}

/* Whether the child that has been found by its hash has the name, of at most `words` words, and is what the
 * kernel would find by it: in this directory, and not removed from it. */
static __always_inline bool walk__is_child(struct walk *walk, const int words)
{
    struct dentry *child = (void *)walk->child;
    const __u8 *text = &walk->text[walk->position & (WALK_TEXT_SIZE - 1)];
    __u64 length = walk->name_length;

    if ((__u64)BPF_CORE_READ(child, d_parent) != walk->dentry || !BPF_CORE_READ(child, d_hash.pprev))
        return false;
    if (bpf_probe_read_kernel(walk->name, CUT(length, NAME_SIZE_MAX), BPF_CORE_READ(child, d_name.name)))
        return false;
    /* As walk__names_equal(), of fewer words and by an address that is reckoned once. */
    WRITTEN_OUT
    for (int i = 0; i < words; i++) {
        __u64 difference = *(const __u64 *)(text + i * 8) ^ *(__u64 *)&walk->name[i * 8];

        if (length <= i * 8)
            return true;
        if (length - i * 8 < 8)
            return !(difference << ((8 - (length & 7)) * 8));
        if (difference)
            return false;
    }
    return true;
}

/* There is no such child in the caches. */
static __always_inline void walk__end_without(struct walk *walk, struct outbox *outbox)
{
    walk__end(walk, outbox, walk->is_last ? WALK_NAMED : WALK_PARTIAL);
}

/* Looks at what follows the name that has been measured. False if the walk ends with it. */
static __always_inline bool walk__wants_child(struct walk *walk, struct outbox *outbox)
{
    __u64 end = walk->position + FORGOTTEN(walk->name_length);

    walk->has_slash = walk__byte(walk, end) == '/';
    walk->is_last = walk__is_end(walk, end);
    if (walk->is_last && walk->how & WALK_PARENT) {
        walk__end(walk, outbox, WALK_NAMED);
        return false;
    }
    walk__search_from_first(walk);
    return true;
}

/* Goes on to the child that has been found. True if the next component can follow at once. */
static __always_inline bool walk__go_to_child(struct walk *walk, struct outbox *outbox)
{
    struct dentry *child = (void *)walk->child;
    struct inode *inode = BPF_CORE_READ(child, d_inode);

    if (!inode) {
        walk__end_without(walk, outbox);
        return false;
    }
    if ((BPF_CORE_READ(inode, i_mode) & S_IFMT) == S_IFLNK &&
        (!walk->is_last || walk->has_slash || walk->how & WALK_FOLLOW)) {
        outbox->work = STAGE_WALK_LINK;
        return false;
    }
    walk->position += walk->name_length;
    walk->dentry = walk->child;
    if (!dentry__is_mountpoint(child))
        return true;
    walk->next = 0;
    outbox->work = STAGE_WALK_PLACE;
    return false;
}

/* Up to a directory of the same mount, upon which none is. False if it is not so easy. */
static __always_inline bool walk__goes_up_within_mount(struct walk *walk)
{
    struct dentry *parent = BPF_CORE_READ(walk__dentry(walk), d_parent);

    if (walk->dentry == walk->root_dentry ||
        walk__dentry(walk) == BPF_CORE_READ(walk__mount(walk), mnt.mnt_root) || dentry__is_mountpoint(parent))
        return false;
    walk->dentry = (__u64)parent;
    return true;
}

/*
 * One component, if it is an ordinary one. True if the next one can follow at once; otherwise the walk has
 * ended, or what has to be done is left to the next run, or to a stage of its own.
 */
static __always_inline bool walk__component(struct walk *walk, struct outbox *outbox)
{
    __u64 position = walk->position, length;
    const __u8 *text;

    if (position < WALK_TEXT_SIZE && walk->text[position & (WALK_TEXT_SIZE - 1)] == '/')
        position++;
    walk->position = position;
    if (position >= WALK_TEXT_SIZE) {
        walk__end(walk, outbox, WALK_FOUND);
        return false;
    }
    text = &walk->text[position & (WALK_TEXT_SIZE - 1)];
    /* Another one. */
    if (text[0] == '/')
        return true;
    if (!walk__measure(walk, WALK_WORDS)) {
        outbox->work = STAGE_WALK_NAME;
        return false;
    }
    length = FORGOTTEN(walk->name_length);
    if (text[0] == '.' && length == 1) {
        walk->position = position + 1;
        return true;
    }
    if (text[0] == '.' && text[1] == '.' && length == 2) {
        walk->position = position + 2;
        if (walk__goes_up_within_mount(walk))
            return true;
        walk->goes_up = true;
        walk->next = 0;
        outbox->work = STAGE_WALK_PLACE;
        return false;
    }
    if (!walk__wants_child(walk, outbox))
        return false;
    walk__search(walk, WALK_CHILDREN_IN_PASSING);
    if (FORGOTTEN(walk->child)) {
        if (walk__is_child(walk, WALK_WORDS))
            return walk__go_to_child(walk, outbox);
    } else if (!walk->next) {
        walk__end_without(walk, outbox);
        return false;
    }
    outbox->work = STAGE_WALK_SEARCH;
    return false;
}

#endif /* WALK_OLD_H */
