/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How a record gets from the program that builds it to user space on old kernels. The program notes what it
 * has no room for (emit.h, path.h); programs that follow it (stages.bpf.c) by tail calls, of which the kernel
 * follows 33 in a row, do it one by one, and the last one sends.
 *
 * All of them run without being preempted, and none that uses the scratch memory fires inside another one.
 */
#ifndef OUTBOX_H
#define OUTBOX_H

/* Programs that have to know what a text leads to are run again when stages have looked it up (walk_old.h),
 * and find what these have found. To be followed they have their places behind those of the stages. */
#define AGAIN_enter_remove 14
#define AGAIN_exit_remove  15
#define AGAIN_enter_rename 16
#define AGAIN_exit_rename  17
#define AGAIN_enter_link   18
#define AGAIN_exit_link    19
#define AGAIN_enter_chmod  20
#define AGAIN_exit_chmod   21
#define AGAIN_enter_chown  22
#define AGAIN_exit_chown   23
#define AGAIN_enter_utimes 24
#define AGAIN_exit_utimes  25
#define AGAIN_enter_xattr  26
#define AGAIN_exit_xattr   27
#define AGAIN_enter_umount 28
#define AGAIN_exit_umount  29
#define AGAIN_exit_mkdir   30
#define AGAIN_exit_chdir   31
#define AGAIN_exit_open    32
#define AGAIN_exit_mount   33
#define AGAIN_END          34
_Static_assert(AGAIN_enter_remove == STAGES, "behind the stages");

/* The stages, of each type of programs; filled by user space. A program can be followed by one of its own
 * type alone. */
#define STAGE_MAP(name, size)                                                                                \
    struct {                                                                                                 \
        __uint(type, BPF_MAP_TYPE_PROG_ARRAY);                                                               \
        __uint(max_entries, size);                                                                           \
        __type(key, __u32);                                                                                  \
        __type(value, __u32);                                                                                \
    } name SEC(".maps")

STAGE_MAP(stages_of_tracepoints, AGAIN_END);
STAGE_MAP(stages_of_raw_tracepoints, STAGES_EVERYWHERE);

/* Those that can follow the program with this context. */
#define STAGES_OF(ctx)                                                                                       \
    _Generic((ctx), unsigned long long * : &stages_of_raw_tracepoints, default : &stages_of_tracepoints)

/* Before a program builds anything: what another one has left half done is none of its business. */
static __always_inline void outbox__begin(void)
{
    struct outbox *outbox = outbox__find();

    if (!outbox)
        return;
    /* Otherwise it is run once more. */
    if (outbox->work < STAGES) {
        outbox->follows = 0;
        outbox->walked = 0;
    }
    outbox->used = 0;
    outbox->work = 0;
    outbox->paths = 0;
    outbox->path = 0;
    outbox->side = 0;
}

/* The same, of one that may have to be run again. */
static __always_inline void outbox__begin_walking(__u32 again)
{
    struct outbox *outbox = outbox__find();

    outbox__begin();
    if (outbox)
        outbox->again = again;
}

/* Whether the program has to wait for what a text leads to. */
static __always_inline bool outbox__waits(void)
{
    struct outbox *outbox = outbox__find();

    return outbox && outbox->work == STAGE_WALK;
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
    if (stage) {
        outbox->follows++;
        bpf_tail_call(ctx, stages, stage);
    }
    /* The context is that of another record still. */
    if (outbox->work == STAGE_CONTEXT)
        return;
    outbox->work = 0;
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
