/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How a record gets from the program that builds it to user space on old kernels. The program notes what it
 * has no room for (emit.h, path.h); programs that follow it (stages.bpf.c) by tail calls, of which the kernel
 * follows 32 in a row, do it one by one, and the last one sends.
 *
 * All of them run without being preempted, and none that uses the scratch memory fires inside another one.
 */
#ifndef OUTBOX_H
#define OUTBOX_H

/* The stages, of each type of programs; filled by user space. A program can be followed by one of its own
 * type alone. */
#define STAGE_MAP(name)                                                                                      \
    struct {                                                                                                 \
        __uint(type, BPF_MAP_TYPE_PROG_ARRAY);                                                               \
        __uint(max_entries, STAGES);                                                                         \
        __type(key, __u32);                                                                                  \
        __type(value, __u32);                                                                                \
    } name SEC(".maps")

STAGE_MAP(stages_of_tracepoints);
STAGE_MAP(stages_of_raw_tracepoints);

/* Those that can follow the program with this context. */
#define STAGES_OF(ctx)                                                                                       \
    _Generic((ctx), unsigned long long * : &stages_of_raw_tracepoints, default : &stages_of_tracepoints)

/* Before a program builds anything: what another one has left half done is none of its business. */
static __always_inline void outbox__begin(void)
{
    struct outbox *outbox = outbox__find();

    if (!outbox)
        return;
    outbox->used = 0;
    outbox->work = 0;
    outbox->paths = 0;
    outbox->path = 0;
}

/* What has to be done next; 0: nothing. */
static __always_inline __u32 outbox__next_stage(const struct outbox *outbox)
{
    struct path_scratch *scratch;

    if (outbox->work)
        return outbox->work;
    if (!outbox->used || outbox->path >= outbox->paths)
        return 0;
    scratch = path__scratch();
    return scratch ? scratch->stage : 0;
}

/* Goes on to the next stage, or sends what there is: all of it, or as far as it has come if the kernel does
 * not follow any more. */
static __always_inline void outbox__go_on(void *ctx, void *stages)
{
    struct outbox *outbox = outbox__find();
    __u32 stage;

    if (!outbox)
        return;
    stage = outbox__next_stage(outbox);
    if (stage)
        bpf_tail_call(ctx, stages, stage);
    /* The context is that of another record still. */
    if (outbox->work == STAGE_CONTEXT)
        return;
    outbox__send(ctx);
}

/* At the end of the program that has built something: its paths are looked at from the first one. */
static __always_inline void outbox__finish(void *ctx, void *stages)
{
    struct outbox *outbox = outbox__find();

    if (!outbox)
        return;
    outbox->path = 0;
    outbox__go_on(ctx, stages);
}

#endif /* OUTBOX_H */
