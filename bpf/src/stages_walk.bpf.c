/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The stages that look up what a text leads to: walk_old.h. */

/* Whether a stage may go on; otherwise the walk ends where it stands, and the rest of the text is told. */
static __always_inline bool walk__may_go_on(struct walk *walk, struct outbox *outbox)
{
    if (outbox->follows < walk->follows)
        return true;
    walk__end(walk, outbox, WALK_PARTIAL);
    return false;
}

/* The next components; at first, where the walk starts from. */
static __always_inline void stage__walk(void)
{
    struct outbox *outbox = outbox__find();
    struct walk *walk = walk__scratch();

    if (!outbox || !walk)
        return;
    if (!walk->has_begun) {
        walk->has_begun = true;
        if (!walk__begin(walk, walk->offset, walk->length, walk->dirfd)) {
            walk__end(walk, outbox, WALK_FAILED);
            return;
        }
    }
    /* At the end of the text it is done. */
    if (walk->position < WALK_TEXT_SIZE && !walk__may_go_on(walk, outbox))
        return;
    WRITTEN_OUT
    for (int i = 0; i < WALK_COMPONENTS_PER_RUN; i++)
        if (!walk__component(walk, outbox))
            break;
}

/* A long name. */
static __always_inline void stage__walk_name(void)
{
    struct outbox *outbox = outbox__find();
    struct walk *walk = walk__scratch();

    if (!outbox || !walk)
        return;
    if (!walk__measure(walk, WALK_WORDS_MAX))
        walk__end(walk, outbox, WALK_PARTIAL);
    else if (walk__wants_child(walk, outbox))
        outbox->work = STAGE_WALK_SEARCH;
}

/* A directory with many children. */
static __always_inline void stage__walk_search(void)
{
    struct outbox *outbox = outbox__find();
    struct walk *walk = walk__scratch();

    if (!outbox || !walk || !walk__may_go_on(walk, outbox))
        return;
    walk__search(walk, WALK_CHILDREN_BY_STAGE);
    if (FORGOTTEN(walk->child) && walk__is_child(walk, WALK_WORDS_MAX)) {
        outbox->work = STAGE_WALK;
        walk__go_to_child(walk, outbox);
    } else if (!walk->next) {
        walk__end_without(walk, outbox);
    }
}

static __always_inline void stage__walk_link(void)
{
    struct outbox *outbox = outbox__find();
    struct walk *walk = walk__scratch();
    __u64 position;

    if (!outbox || !walk)
        return;
    position = walk->position;
    walk->position = position + walk->name_length;
    outbox->work = STAGE_WALK;
    if (walk__follow(walk->child))
        return;
    walk->position = position;
    walk__end(walk, outbox, WALK_PARTIAL);
}

/* Looks for the mount upon the directory where the walk stands among the next ones, and goes there. True if
 * there are more to look at. */
static __always_inline bool walk__search_mount(struct walk *walk)
{
    struct mount *parent = walk__mount(walk);
    void *head = (void *)parent + bpf_core_field_offset(struct mount, mnt_mounts);
    void *link = walk->next ? (void *)walk->next : BPF_CORE_READ(parent, mnt_mounts.prev);
    struct mount *found = NULL;

    WRITTEN_OUT
    for (int i = 0; i < WALK_MOUNTS_BY_STAGE; i++) {
        struct mount *mount = link - bpf_core_field_offset(struct mount, mnt_child);

        STOP_IF(!link || link == head);
        link = BPF_CORE_READ(mount, mnt_child.prev);
        STOP_IF((__u64)BPF_CORE_READ(mount, mnt_mountpoint) == walk->dentry && (found = mount));
    }
    walk->next = 0;
    APART();
    if (found) {
        walk->mount = (__u64)found;
        walk->dentry = (__u64)BPF_CORE_READ(found, mnt.mnt_root);
        /* There may be another one upon it. */
        return dentry__is_mountpoint(walk__dentry(walk));
    }
    APART();
    if (!link || link == head)
        return false;
    walk->next = (__u64)link;
    return true;
}

/* Out of a directory, and into what is mounted where the walk comes to. */
static __always_inline void stage__walk_place(void)
{
    struct outbox *outbox = outbox__find();
    struct walk *walk = walk__scratch();

    if (!outbox || !walk || !walk__may_go_on(walk, outbox))
        return;
    if (walk->goes_up) {
        walk->goes_up = false;
        walk__up();
        if (!dentry__is_mountpoint(walk__dentry(walk))) {
            outbox->work = STAGE_WALK;
            return;
        }
    }
    if (!walk__search_mount(walk))
        outbox->work = STAGE_WALK;
}

STAGE_AT_CALLS(STAGE_WALK, walk, stage__walk())
STAGE_AT_CALLS(STAGE_WALK_NAME, walk_name, stage__walk_name())
STAGE_AT_CALLS(STAGE_WALK_SEARCH, walk_search, stage__walk_search())
STAGE_AT_CALLS(STAGE_WALK_LINK, walk_link, stage__walk_link())
STAGE_AT_CALLS(STAGE_WALK_PLACE, walk_place, stage__walk_place())
