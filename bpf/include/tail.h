/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Appending variable data to a record. */
#ifndef TAIL_H
#define TAIL_H

/* A record under construction. */
struct builder {
    struct record *record;
    /* Bytes filled so far. 64 bits wide, as all sizes here: verifiers before 6.4 lose the bounds of a 32-bit
     * value when it becomes an offset. */
    __u64 used;
    /* ERROR_* */
    __u32 errors;
};

/* Appends the path that the path scratch holds, at most `limit` bytes of its end. */
static __always_inline struct span tail__append_path(struct builder *builder, int length, __u32 limit)
{
    struct path_scratch *scratch = path__scratch();
    struct span span = {};
    __u64 used = builder->used;
    __u64 size = length;

    if (!scratch)
        return span;
    APART();
    if (length <= 0 || size > PATH_SIZE_MAX)
        return span;
    if (size > limit)
        size = limit;
    if (used > RECORD_SIZE_MAX - PATH_SIZE_MAX - 8) {
        builder->errors |= ERROR_NO_SPACE;
        return span;
    }
    barrier_var(used);
    if (used > RECORD_SIZE_MAX - PATH_SIZE_MAX - 8)
        return span;
    POSSIBLE_OFFSET(used);
    bpf_probe_read_kernel(builder->record->bytes + used, CUT(size, PATH_SIZE_MAX),
                          scratch->bytes + ((PATH_SIZE_MAX - size) & (PATH_SIZE_MAX - 1)));
    span.offset = used;
    span.length = size;
    builder->used = used + size;
    return span;
}

/* As above, into `span`, once it is found: for old kernels by a stage. */
static __always_inline void tail__take_path(struct builder *builder, struct span *span, int length,
                                            __u32 limit)
{
#ifdef CWS_OLD_KERNEL
    struct path_scratch *scratch = path__scratch();
    struct outbox *outbox;

    if (length <= 0)
        return;
    APART();
    if (!scratch)
        return;
    outbox = outbox__find();
    if (!outbox)
        return;
    scratch->span = (__u64)span - (__u64)builder->record;
    scratch->limit = limit;
    outbox->path++;
    outbox->paths = outbox->path;
#else
    *span = tail__append_path(builder, length, limit);
#endif
}

/* Appends a NUL-terminated string of the kernel, without its NUL, cut to `limit` - 1 bytes. */
static __always_inline struct span tail__append_string(struct builder *builder, const char *string,
                                                       const __u32 limit, __u32 error)
{
    struct span span = {};
    __u64 used = builder->used;
    long size;

    if (used > RECORD_SIZE_MAX - limit - 8) {
        builder->errors |= ERROR_NO_SPACE;
        return span;
    }
    barrier_var(used);
    if (used > RECORD_SIZE_MAX - limit - 8)
        return span;
    POSSIBLE_OFFSET(used);
    size = bpf_probe_read_kernel_str(builder->record->bytes + used, limit, string);
    if (size <= 0)
        goto unreadable;
    /* Two comparisons, not one of size - 1: older verifiers would keep a negative size in their books. */
    barrier_var(size);
    if (size > limit)
        goto unreadable;
    span.offset = used;
    span.length = size - 1;
    builder->used = used + size - 1;
    return span;
unreadable:
    builder->errors |= error;
    return span;
}

/* Appends a NUL-terminated string of the current process's memory, without its NUL, cut to `limit` - 1 bytes.
 */
static __always_inline struct span tail__append_user_string(struct builder *builder, __u64 address,
                                                            const __u32 limit, __u32 error)
{
    struct span span = {};
    __u64 used = builder->used;
    long size;

    if (used > RECORD_SIZE_MAX - limit - 8) {
        builder->errors |= ERROR_NO_SPACE;
        return span;
    }
    barrier_var(used);
    if (used > RECORD_SIZE_MAX - limit - 8)
        return span;
    POSSIBLE_OFFSET(used);
    size = bpf_probe_read_user_str(builder->record->bytes + used, limit, (void *)address);
    if (size < 0)
        goto unreadable;
    /* For an empty string old kernels (6.1) count no NUL. */
    if (size == 0)
        return span;
    barrier_var(size);
    if (size > limit)
        goto unreadable;
    span.offset = used;
    span.length = size - 1;
    builder->used = used + size - 1;
    return span;
unreadable:
    builder->errors |= error;
    return span;
}

/* Appends `size` bytes of the current process's memory, at most `limit`. */
static __always_inline struct span tail__append_user(struct builder *builder, __u64 address, __u64 size,
                                                     const __u32 limit, __u32 error)
{
    struct span span = {};
    __u64 used = builder->used;

    if (size == 0)
        return span;
    if (used > RECORD_SIZE_MAX - limit - 8) {
        builder->errors |= ERROR_NO_SPACE;
        return span;
    }
    barrier_var(used);
    if (used > RECORD_SIZE_MAX - limit - 8)
        return span;
    POSSIBLE_OFFSET(used);
    if (size > limit)
        size = limit;
    if (bpf_probe_read_user(builder->record->bytes + used, CUT(size, limit), (void *)address)) {
        builder->errors |= error;
        return span;
    }
    span.offset = used;
    span.length = size;
    builder->used = used + size;
    return span;
}

/* Appends `size` bytes of the kernel's memory. */
static __always_inline struct span tail__append_kernel(struct builder *builder, __u64 address, __u64 size,
                                                       const __u32 limit, __u32 error)
{
    struct span span = {};
    __u64 used = builder->used;

    if (size == 0)
        return span;
    if (used > RECORD_SIZE_MAX - limit - 8) {
        builder->errors |= ERROR_NO_SPACE;
        return span;
    }
    barrier_var(used);
    if (used > RECORD_SIZE_MAX - limit - 8)
        return span;
    barrier_var(size);
    if (size > limit)
        return span;
    if (bpf_probe_read_kernel(builder->record->bytes + used, size, (void *)address)) {
        builder->errors |= error;
        return span;
    }
    span.offset = used;
    span.length = size;
    builder->used = used + size;
    return span;
}

#endif /* TAIL_H */
