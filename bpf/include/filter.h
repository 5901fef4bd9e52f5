/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What is not worth telling, decided before any path is resolved, and once more before the record is sent.
 *
 * User space has split the rules about a kind of events into alternatives, of which an event must satisfy one
 * for any rule to match. An alternative is a bit. Each thing that can be seen here (name, flags, ...) has a
 * table that gives, for its value, the alternatives that it allows; the event is dropped as soon as the
 * intersection is empty. So the cost does not grow with the number of rules. It may let through what no rule
 * matches and never drops what one does: what can't be told here allows every alternative.
 *
 * There are two generations of all tables. User space fills the one that is not in use and then switches with
 * one write; an event is judged by one generation from its beginning to its end.
 *
 * The limits are those of proto/src/filter/limits.rs. Empty maps keep everything.
 */
#ifndef FILTER_H
#define FILTER_H

/* Bytes of a name that are compared; longer names with the same beginning and length are let through. */
#define FILTER_NAME_START 28
/* Of both generations. */
#define FILTER_NAMES_MAX 8192
/* Bytes of a path that are compared. */
#define FILTER_PATH_START 122
#define FILTER_PATHS_MAX  8192
#define FILTER_MASKS_MAX  8
#define FILTER_RANGES_MAX 8
/* Conditions on packets, and ports and networks of one of them. */
#define FILTER_PACKETS_MAX      32
#define FILTER_PACKET_PARTS_MAX 2

/* Everything. */
#define FILTER_KEEP_ALL 0
/* What may satisfy an alternative. */
#define FILTER_KEEP_MATCHING 1
/* Nothing. */
#define FILTER_KEEP_NONE 2

/* Among flags of an open: for reading alone, which no flag tells. */
#define FILTER_OPEN_READ_ONLY 0x80000000

/* Of the files of an event: the one that it is about, and for rename and link where it goes. */
#define FILTER_SIDES 2

struct filter_mask {
    /* Ends the list if 0. */
    __u32 mask;
    __u32 _pad;
    /* Allowed by any of these flags. */
    __u64 alternatives;
};

struct filter_range {
    __u32 from;
    /* Inclusive. */
    __u32 to;
    /* Ends the list if 0. */
    __u64 alternatives;
};

struct filter {
    /* FILTER_KEEP_* */
    __u32 keep;
    __u32 _pad;
    /* All alternatives there are, and those that don't care for something. */
    __u64 all;
    __u64 any_name[FILTER_SIDES];
    __u64 any_path[FILTER_SIDES];
    __u64 any_flags;
    __u64 any_auid;
    __u64 any_port;
    /* Allowed outside and inside of the upper layer of an overlay file system. */
    __u64 lower_layer;
    __u64 upper_layer;
    /* Bit n: none of the wanted names has n bytes. Saves most names the look at the map. */
    __u64 absent_lengths[FILTER_SIDES][4];
    struct filter_mask flags[FILTER_MASKS_MAX];
    struct filter_range auids[FILTER_RANGES_MAX];
    struct filter_range ports[FILTER_RANGES_MAX];
};

/* By generation and kind. */
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 2 * (KIND_MAX + 1));
    __type(key, __u32);
    __type(value, struct filter);
} filters SEC(".maps");

/* The generation that is in use: 0 or 1. */
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, __u32);
} filter_generation SEC(".maps");

struct filter_name {
    __u16 length;
    __u8 kind;
    /* Generation * FILTER_SIDES + side. */
    __u8 table;
    /* Padded with NULs. */
    __u8 start[FILTER_NAME_START];
};

/* The alternatives that want a name. */
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, FILTER_NAMES_MAX);
    __type(key, struct filter_name);
    __type(value, __u64);
} filter_names SEC(".maps");

struct filter_path {
    /* For the map: bits that follow. */
    __u32 prefix_bits;
    __u8 kind;
    /* As in filter_name. */
    __u8 table;
    /* Of a whole path with its NUL, if it fits. */
    __u8 start[FILTER_PATH_START];
};

/* The alternatives that want paths with a beginning; includes those of shorter beginnings. */
struct {
    __uint(type, BPF_MAP_TYPE_LPM_TRIE);
    __uint(max_entries, FILTER_PATHS_MAX);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, struct filter_path);
    __type(value, __u64);
} filter_paths SEC(".maps");

/* Which end of a packet something is about, as a table: bit n is whether n is allowed, of which the lowest
 * bit says that it holds for the source, the next one for the destination. What is about nothing allows all.
 */
#define FILTER_SIDE_SOURCE      0xa
#define FILTER_SIDE_DESTINATION 0xc
#define FILTER_SIDE_EITHER      0xe
#define FILTER_SIDE_BOTH        0x8
#define FILTER_SIDE_NONE        0xf

struct filter_ports {
    __u32 side;
    __u16 low;
    /* Inclusive. */
    __u16 high;
};

struct filter_network {
    __u32 side;
    /* As they stand in a packet; IPv4 in the first word. */
    __u32 address[4];
    __u32 mask[4];
};

/* A condition on packets; version, transport and flags that are 0 say nothing. */
struct filter_packet {
    __u32 version;
    __u32 transport;
    __u32 tcp_flags;
    struct filter_ports ports[FILTER_PACKET_PARTS_MAX];
    struct filter_network networks[FILTER_PACKET_PARTS_MAX];
};

struct filter_packet_list {
    __u32 count;
    struct filter_packet packets[FILTER_PACKETS_MAX];
};

/* The conditions of which a packet has to satisfy one, by generation. */
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 2);
    __type(key, __u32);
    __type(value, struct filter_packet_list);
} filter_packets SEC(".maps");

/* Events that were dropped here, by kind. */
struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, KIND_MAX + 1);
    __type(key, __u32);
    __type(value, __u64);
} filtered SEC(".maps");

/* How far an event has been judged. */
struct judgement {
    /* Alternatives that it may still satisfy. */
    __u64 possible;
    __u32 kind;
    __u32 generation;
    /* FILTER_KEEP_* */
    __u32 keep;
    __u32 _pad;
};

static __always_inline struct filter *filter__find(__u32 kind, __u32 generation)
{
    __u32 key = generation * (KIND_MAX + 1) + kind;

    return bpf_map_lookup_elem(&filters, &key);
}

static __always_inline __u32 filter__generation(void)
{
    __u32 zero = 0;
    __u32 *generation = bpf_map_lookup_elem(&filter_generation, &zero);

    return generation ? *generation & 1 : 0;
}

static __always_inline __u32 filter__keeps(__u32 kind)
{
    struct filter *filter = filter__find(kind, filter__generation());

    return filter ? filter->keep : FILTER_KEEP_ALL;
}

/* False if nothing of this kind is wanted. */
static __always_inline bool judgement__begin(struct judgement *judgement, __u32 kind)
{
    struct filter *filter;

    judgement->kind = kind;
    judgement->generation = filter__generation();
    filter = filter__find(kind, judgement->generation);
    judgement->keep = filter ? filter->keep : FILTER_KEEP_ALL;
    judgement->possible = filter ? filter->all : 0;
    return judgement->keep != FILTER_KEEP_NONE;
}

/* The tables for an event that is judged; NULL if it is let through whatever it is. */
static __always_inline struct filter *judgement__filter(const struct judgement *judgement)
{
    if (judgement->keep != FILTER_KEEP_MATCHING)
        return NULL;
    return filter__find(judgement->kind, judgement->generation);
}

/* Goes on with what something allows. False, and counted, if nothing is left. */
static __always_inline bool judgement__narrow(struct judgement *judgement, __u64 allowed)
{
    __u32 kind = judgement->kind;
    __u64 *count;

    judgement->possible &= allowed;
    if (judgement->possible)
        return true;
    count = bpf_map_lookup_elem(&filtered, &kind);
    if (count)
        *count += 1;
    return false;
}

static __always_inline __u64 filter__by_flags(const struct filter *filter, __u32 flags)
{
    __u64 allowed = filter->any_flags;

    flags &= ~FILTER_OPEN_READ_ONLY;
    if (!(flags & O_ACCMODE))
        flags |= FILTER_OPEN_READ_ONLY;
    WRITTEN_OUT
    for (int i = 0; i < FILTER_MASKS_MAX && filter->flags[i].mask; i++)
        if (filter->flags[i].mask & flags)
            allowed |= filter->flags[i].alternatives;
    return allowed;
}

/* Of a number that is no set of flags: as the flag of that value. Greater ones are no rule's. */
static __always_inline __u64 filter__by_value(const struct filter *filter, __u32 value)
{
    return filter__by_flags(filter, value < 31 ? 1U << value : 0);
}

static __always_inline __u64 filter__by_auid(const struct filter *filter, struct task_struct *task)
{
    __u64 allowed = filter->any_auid;
    __u32 auid;

    if (allowed == filter->all)
        return allowed;
    auid = BPF_CORE_READ(task, loginuid.val);
    WRITTEN_OUT
    for (int i = 0; i < FILTER_RANGES_MAX && filter->auids[i].alternatives; i++)
        if (filter->auids[i].from <= auid && auid <= filter->auids[i].to)
            allowed |= filter->auids[i].alternatives;
    return allowed;
}

static __always_inline __u64 filter__by_port(const struct filter *filter, __u32 port)
{
    __u64 allowed = filter->any_port;

    WRITTEN_OUT
    for (int i = 0; i < FILTER_RANGES_MAX && filter->ports[i].alternatives; i++)
        if (filter->ports[i].from <= port && port <= filter->ports[i].to)
            allowed |= filter->ports[i].alternatives;
    return allowed;
}

/* What the name of `length` bytes at `name` (of kernel memory) allows. */
static __always_inline __u64 filter__by_name(const struct filter *filter, const struct judgement *judgement,
                                             __u64 side, const void *name, __u64 length)
{
    struct filter_name key = {
        .length = length, .kind = judgement->kind, .table = judgement->generation * FILTER_SIDES + side};
    __u64 size = length > FILTER_NAME_START ? FILTER_NAME_START : length;
    __u64 *wanted;

    if (filter->absent_lengths[CUT(side, FILTER_SIDES - 1)][(length / 64) & 3] & (1ULL << (length % 64)))
        return filter->any_name[CUT(side, FILTER_SIDES - 1)];
    bpf_probe_read_kernel(key.start, CUT(size, FILTER_NAME_START), name);
    wanted = bpf_map_lookup_elem(&filter_names, &key);
    return filter->any_name[CUT(side, FILTER_SIDES - 1)] | (wanted ? *wanted : 0);
}

/* What the name allows under which a path ends. */
static __always_inline __u64 filter__by_dentry(const struct filter *filter, const struct judgement *judgement,
                                               const __u32 side, struct dentry *dentry,
                                               struct dentry *mount_root)
{
    struct qstr name;

    /* Its name is that of the mount point. */
    if (dentry == mount_root)
        return filter->all;
    name = BPF_CORE_READ(dentry, d_name);
    return filter__by_name(filter, judgement, side, name.name, name.len);
}

/* What the path of `length` bytes at `offset` of the record scratch allows, besides what does not care. A
 * function of its own for the sake of its stack. */
__noinline __u64 filter__by_path(__u64 offset, __u64 length, __u32 kind, __u32 table)
{
    struct filter_path key = {.kind = kind, .table = table};
    struct record *record = record__scratch();
    __u64 size = length > FILTER_PATH_START ? FILTER_PATH_START : length;
    __u64 *wanted;

    if (!record || offset > RECORD_SIZE_MAX - FILTER_PATH_START)
        return 0;
    bpf_probe_read_kernel(key.start, CUT(size, FILTER_PATH_START),
                          record->bytes + CUT(offset, RECORD_SIZE_MAX - FILTER_PATH_START));
    key.prefix_bits = (2 + (size < FILTER_PATH_START ? size + 1 : size)) * 8;
    wanted = bpf_map_lookup_elem(&filter_paths, &key);
    return wanted ? *wanted : 0;
}

/* What the path of a file allows. */
static __always_inline __u64 filter__by_file_path(const struct filter *filter,
                                                  const struct judgement *judgement, const __u32 side,
                                                  const struct file_info *info)
{
    /* A path that has no beginning, or is still to be normalised, or is compared in two ways. */
    if (!(judgement->possible & ~filter->any_path[side]) || !info->path.length || info->overlay_prefix ||
        info->flags & (FILE_FLAG_PATH_TRUNCATED | FILE_FLAG_PATH_USER))
        return filter->all;
    return filter->any_path[side] | filter__by_path(info->path.offset, info->path.length, judgement->kind,
                                                    judgement->generation * FILTER_SIDES + side);
}

/* Judges a file of which everything is known by now; for old kernels, its path is judged when it is found. */
static __always_inline bool judgement__by_file(struct judgement *judgement, const __u32 side,
                                               const struct file_info *info)
{
    struct filter *filter = judgement__filter(judgement);
    __u64 allowed;

    if (!filter || !(info->flags & FILE_FLAG_VALID))
        return true;
    allowed = filter->all;
    /* Where the entry of the call remembers its file, that has the last word. */
    if (judgement->kind == KIND_OPEN && !(info->flags & FILE_FLAG_NO_INODE))
        allowed = info->flags & FILE_FLAG_UPPER_LAYER ? filter->upper_layer : filter->lower_layer;
#ifdef CWS_OLD_KERNEL
    path__judge_last(side);
#else
    allowed &= filter__by_file_path(filter, judgement, side, info);
#endif
    return judgement__narrow(judgement, allowed);
}

#endif /* FILTER_H */
