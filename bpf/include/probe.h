/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a probe (kprobe, kretprobe) is given: the registers at the entry of a function, or at its return.
 */
#ifndef PROBE_H
#define PROBE_H

/* Words of the registers that a probe is given (struct pt_regs, uapi/asm/ptrace.h), and by how much the stack
 * pointer at the return is above that at the entry: by the address that the call put there. */
#if defined(__TARGET_ARCH_x86)
#define WORD_OF_ARGUMENT(n) ((n) == 0 ? 14 : (n) == 1 ? 13 : (n) == 2 ? 12 : (n) == 3 ? 11 : (n) == 4 ? 9 : 8)
#define WORD_OF_RESULT      10
#define WORD_OF_STACK       19
#define RETURN_ADDRESS_SIZE 8
#elif defined(__TARGET_ARCH_arm64)
#define WORD_OF_ARGUMENT(n) (n)
#define WORD_OF_RESULT      0
#define WORD_OF_STACK       31
#define RETURN_ADDRESS_SIZE 0
#endif

/* A word of the context. Written so that the compiler does not make one load at a computed place of two. */
#define CONTEXT_WORD(context, word)                                                                          \
    ({                                                                                                       \
        __u64 loaded;                                                                                        \
        asm("%0 = *(u64 *)(%1 + %2)" : "=r"(loaded) : "r"(context), "i"((word)*8));                          \
        loaded;                                                                                              \
    })

/* A call of a function that is under way. */
struct function_call {
    __u64 thread;
    __u64 stack;
};

static __always_inline struct function_call function_call__entered(const __u64 *context)
{
    return (struct function_call){.thread = bpf_get_current_pid_tgid(),
                                  .stack = CONTEXT_WORD(context, WORD_OF_STACK)};
}

/* The same call, at its return. */
static __always_inline struct function_call function_call__returned(const __u64 *context)
{
    return (struct function_call){.thread = bpf_get_current_pid_tgid(),
                                  .stack = CONTEXT_WORD(context, WORD_OF_STACK) - RETURN_ADDRESS_SIZE};
}

#endif /* PROBE_H */
