/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What is not worth telling, decided before any path is resolved. The stage that is here judges by kind, name
 * and way of opening; it may let through what no rule needs and never holds back what one does. Empty maps
 * keep everything.
 */
#ifndef FILTER_H
#define FILTER_H

/* Bytes of a name that are compared; longer names with the same beginning and length are let through. */
#define FILTER_NAME_START 28
#define FILTER_NAMES_MAX  16384

/* Everything. */
#define FILTER_KEEP_ALL 0
/* What has one of the names, or was opened in one of the ways. */
#define FILTER_KEEP_MATCHING 1
/* Nothing. */
#define FILTER_KEEP_NONE 2

/* In filter.open_flags: opened for reading alone, which no flag tells. */
#define FILTER_OPEN_READ_ONLY 0x80000000

struct filter {
    /* FILTER_KEEP_* */
    __u32 keep;
    /* For KIND_OPEN: O_* flags of which one suffices; FILTER_OPEN_READ_ONLY. */
    __u32 open_flags;
    /* Bit n: none of the wanted names has n bytes. Saves most names the look at the map. */
    __u64 absent_lengths[4];
};

/* By kind. */
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, KIND_MAX + 1);
    __type(key, __u32);
    __type(value, struct filter);
} filters SEC(".maps");

struct filter_name {
    __u32 length;
    /* Padded with NULs. */
    __u8 start[FILTER_NAME_START];
};

/* The kinds for which a name is wanted: bit kind % 64 of word kind / 64. */
struct filter_name_kinds {
    __u64 kinds[2];
};

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, FILTER_NAMES_MAX);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, struct filter_name);
    __type(value, struct filter_name_kinds);
} filter_names SEC(".maps");

static __always_inline __u32 filter__keeps(__u32 kind)
{
    struct filter *filter = bpf_map_lookup_elem(&filters, &kind);

    return filter ? filter->keep : FILTER_KEEP_ALL;
}

/* True if the name of `length` bytes at `name` (of kernel memory) is wanted for `kind`. */
static __always_inline bool filter__wants_name(__u32 kind, const void *name, __u64 length)
{
    struct filter *filter = bpf_map_lookup_elem(&filters, &kind);
    struct filter_name key = {.length = length};
    struct filter_name_kinds *wanted;
    __u64 size = length > FILTER_NAME_START ? FILTER_NAME_START : length;

    if (filter && filter->absent_lengths[(length / 64) & 3] & (1ULL << (length % 64)))
        return false;
    barrier_var(size);
    if (size > FILTER_NAME_START)
        return true;
    bpf_probe_read_kernel(key.start, size, name);
    wanted = bpf_map_lookup_elem(&filter_names, &key);
    return wanted && wanted->kinds[(kind / 64) & 1] & (1ULL << (kind % 64));
}

static __always_inline bool filter__wants_dentry(__u32 kind, struct dentry *dentry)
{
    struct qstr name = BPF_CORE_READ(dentry, d_name);

    return filter__wants_name(kind, name.name, name.len);
}

static __always_inline bool filter__wants_open_flags(__u32 flags)
{
    __u32 kind = KIND_OPEN;
    struct filter *filter = bpf_map_lookup_elem(&filters, &kind);

    if (!filter)
        return true;
    if (filter->open_flags & FILTER_OPEN_READ_ONLY && !(flags & O_ACCMODE))
        return true;
    return filter->open_flags & flags & ~FILTER_OPEN_READ_ONLY;
}

#endif /* FILTER_H */
