/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What follows a program that has built a record on an old kernel, as it has no room for it itself
 * (outbox.h): paths are climbed and appended, long arguments are sent, instructions are looked at. A stage
 * that is not done in one run follows itself.
 */

/* The record that is completed, as far as it is there. */
static __always_inline bool builder__resume(struct builder *builder)
{
    struct outbox *outbox = outbox__find();
    struct record *record = record__scratch();

    if (!outbox || !record)
        return false;
    builder->record = record;
    builder->used = outbox->used;
    builder->errors = 0;
    return true;
}

static __always_inline void builder__suspend(const struct builder *builder)
{
    struct outbox *outbox = outbox__find();

    builder->record->header.errors |= builder->errors;
    if (outbox)
        outbox->used = builder->used;
}

/* ---- context ---------------------------------------------------------------------------------------- */

static __always_inline void stage__context(void)
{
    struct outbox *outbox = outbox__find();
    struct record *record = record__scratch();

    if (!outbox || !record)
        return;
    context__fill(&record->context, (void *)bpf_get_current_task());
    outbox->work = 0;
}

/* ---- paths ------------------------------------------------------------------------------------------ */

/* Bodies lie at the beginning of a record. */
#define SPAN_OFFSET_MAX 2048
_Static_assert(__builtin_offsetof(struct record, fork) + sizeof(struct exec_body) +
                       sizeof(struct file_info) <=
                   SPAN_OFFSET_MAX,
               "the body of an exec, which is the largest, lies below that");

/* Whether an event is still wanted by the path that has just been found for it. */
static __always_inline bool path__is_wanted(const struct path_scratch *scratch, const struct file_info *info)
{
    struct call *call = call__scratch();
    struct filter *filter;
    __u32 side = scratch->judged_side - 1;

    if (!scratch->judged_side || !call)
        return true;
    filter = judgement__filter(&call->judgement);
    if (!filter)
        return true;
    if (side)
        return judgement__narrow(&call->judgement, filter__by_file_path(filter, &call->judgement, 1, info));
    return judgement__narrow(&call->judgement, filter__by_file_path(filter, &call->judgement, 0, info));
}

/* Puts the path that the scratch holds where the record wants it, and goes on to the next. */
static __always_inline void path__deliver(struct path_scratch *scratch)
{
    struct outbox *outbox = outbox__find();
    struct builder builder;
    struct span *span;
    int length;

    if (!outbox || !builder__resume(&builder))
        return;
    length = path__close(scratch);
    span = (void *)builder.record->bytes + (scratch->span & (SPAN_OFFSET_MAX - 1));
    if (scratch->is_file) {
        struct file_info *info =
            (void *)builder.record->bytes +
            ((scratch->span - __builtin_offsetof(struct file_info, path)) & (SPAN_OFFSET_MAX - 1));

        file_info__take_path(info, &builder, scratch, length);
        if (!path__is_wanted(scratch, info))
            builder.used = 0;
    } else {
        *span = tail__append_path(&builder, length, scratch->limit);
    }
    builder__suspend(&builder);
    outbox->path++;
}

/* True if the stage has to run once more. */
static __always_inline bool path__goes_on(struct path_scratch *scratch, int result)
{
    scratch->runs++;
    if (result == CLIMB_GOES_ON && scratch->runs < PATH_CLIMB_MAX / TURNS_PER_CALL)
        return true;
    if (result != CLIMB_DONE)
        scratch->flags |= FILE_FLAG_PATH_TRUNCATED;
    return false;
}

static __always_inline void stage__climb(void)
{
    struct path_scratch *scratch = path__scratch();

    if (scratch && !path__goes_on(scratch, path__climb_some()))
        path__deliver(scratch);
}

static __always_inline void stage__climb_in_filesystem(void)
{
    struct path_scratch *scratch = path__scratch();

    if (scratch && !path__goes_on(scratch, path__climb_some_in_filesystem()))
        path__deliver(scratch);
}

static __always_inline void stage__climb_cgroup(void)
{
    struct path_scratch *scratch = path__scratch();

    if (!scratch)
        return;
    WRITTEN_OUT
    for (int i = 0; i < CGROUP_CLIMB_MAX; i++)
        if (!path__climb_cgroup(scratch))
            break;
    path__deliver(scratch);
}

/* ---- programs --------------------------------------------------------------------------------------- */

/* User space puts a program where its section says. */
#define STAGE_NUMBER(number)        #number
#define STAGE_SECTION(type, number) SEC(type "/stage/" STAGE_NUMBER(number))

/* A stage of one type of programs. */
#define STAGE_OF_TYPE(type, name, call)                                                                      \
    int name(void *ctx)                                                                                      \
    {                                                                                                        \
        call;                                                                                                \
        outbox__go_on(ctx, &stages_of_##type);                                                               \
        return 0;                                                                                            \
    }

/* One that only programs at calls are followed by. */
#define STAGE_AT_CALLS(number, name, call)                                                                   \
    STAGE_SECTION("tracepoint", number)                                                                      \
    STAGE_OF_TYPE(tracepoints, stage_##name, call)

/* One for both types. */
#define STAGE(number, name, call)                                                                            \
    STAGE_AT_CALLS(number, name, call)                                                                       \
    STAGE_SECTION("raw_tp", number)                                                                          \
    STAGE_OF_TYPE(raw_tracepoints, stage_##name##_raw, call)

STAGE(STAGE_CONTEXT, context, stage__context())
STAGE(STAGE_CLIMB, climb, stage__climb())
STAGE(STAGE_CLIMB_IN_FILESYSTEM, climb_in_filesystem, stage__climb_in_filesystem())
STAGE(STAGE_CLIMB_CGROUP, climb_cgroup, stage__climb_cgroup())
STAGE(STAGE_EXEC_CHUNK, exec_chunk, stage__exec_chunk(ctx))
STAGE(STAGE_SCRIPT, script, stage__script())
STAGE(STAGE_BPF, bpf, stage__bpf())

/* The program, and what was asked for as the tracepoint was given it. That by perf event: old_events.bpf.c.
 */
STAGE_SECTION("raw_tp", STAGE_EXEC)
int stage_exec_raw(unsigned long long *ctx)
{
    struct exec_request request = exec_request__of((__u32)ctx[1], (void *)ctx[2]);

    stage__exec(&request);
    outbox__finish(ctx, &stages_of_raw_tracepoints);
    return 0;
}
