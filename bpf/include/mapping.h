/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The mapping that holds an address of the current process. The kernel's helper for that takes a lock, which
 * another thread of the process can hold on purpose; this reads the tree as it is. Only the process itself
 * changes it.
 */
#ifndef MAPPING_H
#define MAPPING_H

/* A tree of 16 ways whose inner nodes have 10: 10^7 mappings and more. */
#define MAPLE_LEVELS 8
/* lib/maple_tree: marked pointers to nodes of 256 bytes. */
#define MAPLE_NODE_MASK    255ULL
#define MAPLE_TYPE_SHIFT   3
#define MAPLE_TYPE_MASK    0xf
#define MAPLE_LEAF_64      1
#define MAPLE_RANGE_64     2
#define MAPLE_ARANGE_64    3
#define MAPLE_RANGE_PIVOTS 15
/* Levels of a red-black tree of 2^16 mappings, the usual limit of a process. */
#define RB_LEVELS BOUND(34, 24)

/* The entry of a node of the maple tree that leads to `address`. */
__noinline __u64 maple__step(__u64 entry, __u64 address)
{
    void *node = (void *)(entry & ~MAPLE_NODE_MASK);
    __u64 type = entry >> MAPLE_TYPE_SHIFT & MAPLE_TYPE_MASK;
    __u64 pivots, slots, count, next = 0;
    int slot;

    /* Verifiers of old kernels look at this function even where nothing calls it. */
    if (!bpf_core_type_exists(struct maple_range_64))
        return 0;
    if (type == MAPLE_ARANGE_64) {
        pivots = bpf_core_field_offset(struct maple_arange_64, pivot);
        slots = bpf_core_field_offset(struct maple_arange_64, slot);
        count = bpf_core_field_size(struct maple_arange_64, pivot) / sizeof(__u64);
    } else if (type == MAPLE_LEAF_64 || type == MAPLE_RANGE_64) {
        pivots = bpf_core_field_offset(struct maple_range_64, pivot);
        slots = bpf_core_field_offset(struct maple_range_64, slot);
        count = bpf_core_field_size(struct maple_range_64, pivot) / sizeof(__u64);
    } else {
        return 0;
    }
    WRITTEN_OUT
    for (slot = 0; slot < MAPLE_RANGE_PIVOTS; slot++) {
        STOP_IF(slot >= count);
        __u64 pivot = 0;

        bpf_probe_read_kernel(&pivot, sizeof(pivot), node + pivots + slot * sizeof(pivot));
        /* The last range that is in use has no end of its own. */
        if (pivot >= address || (slot > 0 && !pivot))
            break;
    }
    bpf_probe_read_kernel(&next, sizeof(next), node + slots + slot * sizeof(next));
    return next;
}

__noinline __u64 maple__find(__u64 root, __u64 address)
{
    __u64 entry = root;

    /* Of the nodes, the root alone carries the mark of one. A single mapping needs none. */
    if (!xa__is_node(entry))
        return 0;
    WRITTEN_OUT
    for (int level = 0; level < MAPLE_LEVELS; level++) {
        STOP_IF(!entry);
        bool is_leaf = (entry >> MAPLE_TYPE_SHIFT & MAPLE_TYPE_MASK) == MAPLE_LEAF_64;

        entry = maple__step(entry, address);
        if (is_leaf)
            return entry;
    }
    return 0;
}

__noinline __u64 rb__find(__u64 root, __u64 address)
{
    struct rb_node *node = (void *)root;
    __u64 offset;

    /* As in maple__step. */
    if (!bpf_core_field_exists(struct vm_area_struct___before_6_1, vm_rb))
        return 0;
    offset = bpf_core_field_offset(struct vm_area_struct___before_6_1, vm_rb);

    WRITTEN_OUT
    for (int level = 0; level < RB_LEVELS; level++) {
        STOP_IF(!node);
        struct vm_area_struct *area = (void *)node - offset;

        if (address >= BPF_CORE_READ(area, vm_end))
            node = BPF_CORE_READ(node, rb_right);
        else if (address >= BPF_CORE_READ(area, vm_start))
            return (__u64)area;
        else
            node = BPF_CORE_READ(node, rb_left);
    }
    return 0;
}

/* The mapping that holds `address`; NULL if none does. */
static __always_inline struct vm_area_struct *task__mapping(struct task_struct *task, __u64 address)
{
    struct mm_struct *mm = BPF_CORE_READ(task, mm);
    struct mm_struct___since_6_1 *now = (void *)mm;
    struct mm_struct___before_6_1 *old = (void *)mm;
    struct vm_area_struct *area;

    if (!mm)
        return NULL;
    if (bpf_core_field_exists(now->mm_mt))
        area = (void *)maple__find((__u64)BPF_CORE_READ(now, mm_mt.ma_root), address);
    else
        area = (void *)rb__find((__u64)BPF_CORE_READ(old, mm_rb.rb_node), address);
    /* Whatever the tree was like, this is a mapping of the address or none. */
    if (!area || address < BPF_CORE_READ(area, vm_start) || address >= BPF_CORE_READ(area, vm_end))
        return NULL;
    return area;
}

#endif /* MAPPING_H */
