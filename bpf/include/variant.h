/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The sources are compiled twice: for kernels with a ring buffer and typed tracepoints (5.8), and, with
 * CWS_OLD_KERNEL, for those before, down to 4.15. What differs is said here and in compat.h, emit.h, outbox.h
 * and settings.h; the bodies of the hooks are the same.
 *
 * The verifier of old kernels takes 4,096 instructions per program, no jump backwards, no calls between
 * functions (before 4.16), and goes through 131,072 of them. It knows no global data, no helper that is
 * younger, and forgets the bounds of a number that was stored. So there everything is inlined, loops are
 * written out, with lower bounds, and what would be too much for one program is done by others that follow it
 * (stages.bpf.c).
 */
#ifndef VARIANT_H
#define VARIANT_H

/* A number, cut to a bound in one place that the compiler leaves together, for the use that wants it: a
 * comparison may end up on a copy, and old verifiers forget the bounds of a number that was put on the stack.
 *
 * They follow ways that cannot be gone, too, on which a number that was found to be large before is found to
 * be small. Of such a number they know nothing. So it is masked: that gives it bounds again.
 */
#define CUT(number, bound)                                                                                   \
    ({                                                                                                       \
        __u64 cut = (number);                                                                                \
        asm volatile("if %0 <= %1 goto +1\n\t%0 = %1\n\t%0 &= %2"                                            \
                     : "+r"(cut)                                                                             \
                     : "i"(bound), "i"((1UL << (64 - __builtin_clzl(bound))) - 1));                          \
        cut;                                                                                                 \
    })
#define POSSIBLE_OFFSET(offset) asm volatile("%0 &= %1" : "+r"(offset) : "i"(RECORD_SIZE_MAX - 1))
_Static_assert((RECORD_SIZE_MAX & (RECORD_SIZE_MAX - 1)) == 0, "offsets in records are masked");

#ifdef CWS_OLD_KERNEL

/* Of a bound: for young kernels, for old ones. */
#define BOUND(young, old) (old)
/* Keeps the two comparisons between which it stands apart. What the compiler makes of both together is a
 * number to the verifier of 4.15, which then does not know that a pointer has been looked at. */
#define APART() asm volatile("")
/* In front of a loop. */
#define WRITTEN_OUT _Pragma("clang loop unroll(full)")
/* Ends it. The two conditions of a turn must stay apart, or the compiler no longer knows the number of turns.
 */
#define STOP_IF(condition)                                                                                   \
    asm volatile("");                                                                                        \
    if (condition)                                                                                           \
    break
/* There are no functions. */
#undef __noinline
#define __noinline static __always_inline
/* A function within its object, but for old kernels part of one. */
#define SEPARATE static __always_inline
/* A program at a tracepoint of the kernel. */
#define AT_TRACEPOINT(name) SEC("raw_tp/" name)

/* One kind of address for both (before 5.5). On x86 and arm64 no address can be of both. */
#define bpf_probe_read_kernel     bpf_probe_read
#define bpf_probe_read_user       bpf_probe_read
#define bpf_probe_read_kernel_str bpf_probe_read_str
#define bpf_probe_read_user_str   bpf_probe_read_str

#else

#define BOUND(young, old) (young)
#define APART()
#define WRITTEN_OUT
#define STOP_IF(condition)                                                                                   \
    if (condition)                                                                                           \
    break
#define SEPARATE            static __noinline
#define AT_TRACEPOINT(name) SEC("tp_btf/" name)

#endif

#endif /* VARIANT_H */
