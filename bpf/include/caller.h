/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Who brought about what a hook inside the kernel sees: a system call of either width, whose arguments the
 * entry registers tell, or a request that was put in a ring (io_uring), which has none.
 */
#ifndef CALLER_H
#define CALLER_H

/* The same on every architecture, and for 32-bit callers. */
#define NR_IO_URING_ENTER 426
/* arch/x86/include/uapi/asm/unistd.h */
#define X32_SYSCALL_BIT 0x40000000

struct caller {
    __s32 number;
    /* RECORD_FLAG_* */
    __u32 record_flags;
    /* The task uses rings: work of theirs is also done at the end of other calls. */
    bool has_ring;
};

#define CALLER_IS_KERNEL 1
#define CALLER_HAS_RING  2

/* The caller in one number: that of its call, RECORD_FLAG_* from bit 32, CALLER_* from bit 48. A function of
 * its own for the sake of the stack of the programs. */
__noinline __u64 caller__packed(void)
{
    struct task_struct *task = (void *)bpf_get_current_task();
    struct task_struct___since_5_10 *with_rings = (void *)task;
    __u32 flags = BPF_CORE_READ(task, flags);
    __u64 packed = 0;
    __s64 number;

    if (task_flags__are_of_io_worker(flags))
        return (__u64)RECORD_FLAG_ASYNC << 32;
    if (flags & PF_KTHREAD)
        return (__u64)CALLER_IS_KERNEL << 48;
    if (bpf_core_field_exists(with_rings->io_uring) && BPF_CORE_READ(with_rings, io_uring))
        packed = (__u64)CALLER_HAS_RING << 48;
    number = registers__number(task__entry_registers());
    if (number == NR_IO_URING_ENTER)
        return packed | (__u64)RECORD_FLAG_ASYNC << 32;
    if (task__in_compat_call(task))
        packed |= (__u64)RECORD_FLAG_COMPAT << 32;
    else if (number > 0)
        number &= ~X32_SYSCALL_BIT;
    return packed | (__u32)number;
}

/* False if it is the kernel itself. */
static __always_inline bool caller__find(struct caller *caller)
{
    __u64 packed = caller__packed();

    caller->number = (__s32)packed;
    caller->record_flags = packed >> 32 & 0xffff;
    caller->has_ring = packed >> 48 & CALLER_HAS_RING;
    return !(packed >> 48 & CALLER_IS_KERNEL);
}

/* The form of the call if it belongs to a family, `for_ring` if it is a request of a ring, else FORM_NONE. */
#define CALLER_FORM(caller, family, for_ring)                                                                \
    caller__settle(caller,                                                                                   \
                   (caller)->record_flags &RECORD_FLAG_ASYNC    ? FORM_NONE                                  \
                   : (caller)->record_flags &RECORD_FLAG_COMPAT ? family##__form_i386((caller)->number)      \
                                                                : family##__form((caller)->number),          \
                   for_ring)

static __always_inline __u32 caller__settle(struct caller *caller, __u32 form, __u32 for_ring)
{
    if (form != FORM_NONE || for_ring == FORM_NONE)
        return form;
    if (!(caller->record_flags & RECORD_FLAG_ASYNC) && !caller->has_ring)
        return FORM_NONE;
    caller->record_flags = RECORD_FLAG_ASYNC;
    return for_ring;
}

#endif /* CALLER_H */
