/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Programs at functions of the kernel. They are put there by trampolines (fentry, fexit), or where a kernel
 * has none by probes (kprobe, kretprobe): user space says which before it loads them, and makes them programs
 * of that type. What differs is where the arguments are. A trampoline gives an array of them, with the result
 * behind. A probe gives the registers, and at the return those of the arguments are long used otherwise: so a
 * program at the entry of the function keeps them, by the place of the call on the stack of its thread.
 *
 * Which of the two is a constant of the object, so the verifier sees, and leaves in, only that one.
 */
#ifndef FUNCTION_H
#define FUNCTION_H

#include "probe.h"

#define ARGUMENTS_MAX 6

struct arguments {
    __u64 values[ARGUMENTS_MAX];
};

/* LRU, so that calls whose end was missed can't fill it. User space sizes it: without probes it is not used.
 */
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 8192);
    __type(key, struct function_call);
    __type(value, struct arguments);
} kept_arguments SEC(".maps");

/* At the entry of each function that has a program with arguments at its return; attached before that one. */
SEC("kprobe")
int keep_arguments(__u64 *context)
{
    struct function_call call = function_call__entered(context);
    struct arguments arguments = {{
        CONTEXT_WORD(context, WORD_OF_ARGUMENT(0)),
        CONTEXT_WORD(context, WORD_OF_ARGUMENT(1)),
        CONTEXT_WORD(context, WORD_OF_ARGUMENT(2)),
        CONTEXT_WORD(context, WORD_OF_ARGUMENT(3)),
        CONTEXT_WORD(context, WORD_OF_ARGUMENT(4)),
        CONTEXT_WORD(context, WORD_OF_ARGUMENT(5)),
    }};

    bpf_map_update_elem(&kept_arguments, &call, &arguments, BPF_ANY);
    return 0;
}

/* Calls `take` for each argument there is; all but the loads that are wanted disappears. */
#define EACH_ARGUMENT(count, take)                                                                           \
    do {                                                                                                     \
        if ((count) > 0)                                                                                     \
            take(0);                                                                                         \
        if ((count) > 1)                                                                                     \
            take(1);                                                                                         \
        if ((count) > 2)                                                                                     \
            take(2);                                                                                         \
        if ((count) > 3)                                                                                     \
            take(3);                                                                                         \
        if ((count) > 4)                                                                                     \
            take(4);                                                                                         \
        if ((count) > 5)                                                                                     \
            take(5);                                                                                         \
    } while (0)

static __always_inline void function__entered(const __u64 *context, __u64 *arguments, int count)
{
#define TAKE_REGISTER(n) arguments[n] = CONTEXT_WORD(context, WORD_OF_ARGUMENT(n))
#define TAKE_WORD(n)     arguments[n] = CONTEXT_WORD(context, n)
    if (functions_by_probes)
        EACH_ARGUMENT(count, TAKE_REGISTER);
    else
        EACH_ARGUMENT(count, TAKE_WORD);
}

/* The result follows the arguments. */
static __always_inline __u64 function__result(const __u64 *context, int count)
{
#define RESULT_BEHIND(n)                                                                                     \
    case n:                                                                                                  \
        return CONTEXT_WORD(context, n)
    if (functions_by_probes)
        return CONTEXT_WORD(context, WORD_OF_RESULT);
    switch (count) {
        RESULT_BEHIND(0);
        RESULT_BEHIND(1);
        RESULT_BEHIND(2);
        RESULT_BEHIND(3);
        RESULT_BEHIND(4);
        RESULT_BEHIND(5);
        RESULT_BEHIND(6);
    }
    return 0;
}

/* Arguments and, behind them, the result. False if they were not kept, or gave way to those of too many other
 * calls: that is counted, whatever it would have been. */
static __always_inline bool function__returned(const __u64 *context, __u64 *arguments, int count)
{
    struct function_call call;
    struct arguments *kept;

    arguments[count] = function__result(context, count);
    if (!functions_by_probes) {
        EACH_ARGUMENT(count, TAKE_WORD);
        return true;
    }
    call = function_call__returned(context);
    kept = bpf_map_lookup_elem(&kept_arguments, &call);
    if (!kept) {
        losses__count(KIND_UNKNOWN);
        return false;
    }
#define TAKE_KEPT(n) arguments[n] = kept->values[n]
    EACH_ARGUMENT(count, TAKE_KEPT);
    bpf_map_delete_elem(&kept_arguments, &call);
    return true;
}

/* A program at the entry of a function, of which it wants the first `count` arguments: in `arguments`. */
#define AT_ENTRY(function, program, count, ...)                                                              \
    SEC("fentry/" function)                                                                                  \
    int program(__u64 *context)                                                                              \
    {                                                                                                        \
        __u64 arguments[(count) + 1];                                                                        \
                                                                                                             \
        function__entered(context, arguments, count);                                                        \
        __VA_ARGS__;                                                                                         \
        return 0;                                                                                            \
    }

/* A program at the return of a function with `count` arguments: in `arguments`, with the result behind. */
#define AT_RETURN(function, program, count, ...)                                                             \
    SEC("fexit/" function)                                                                                   \
    int program(__u64 *context)                                                                              \
    {                                                                                                        \
        __u64 arguments[(count) + 1];                                                                        \
                                                                                                             \
        if (function__returned(context, arguments, count))                                                   \
            __VA_ARGS__;                                                                                     \
        return 0;                                                                                            \
    }

/* A program that wants nothing but the result of a function with `count` arguments: in `result`. No arguments
 * are kept for it. */
#define WITH_RESULT(function, program, count, ...)                                                           \
    SEC("fexit/" function)                                                                                   \
    int program(__u64 *context)                                                                              \
    {                                                                                                        \
        __u64 result = function__result(context, count);                                                     \
                                                                                                             \
        __VA_ARGS__;                                                                                         \
        return 0;                                                                                            \
    }

#endif /* FUNCTION_H */
