/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The system call that a program looks at. Its arguments come from the registers with which the caller
 * entered the kernel, so the exit of a call tells all of it and most calls need no program at their entry.
 */
#ifndef CALL_H
#define CALL_H

/* An object that a hook in the kernel saw the call act on. Nothing is looked up then. */
struct object {
    /* Addresses of struct dentry and struct mount. */
    __u64 dentry;
    __u64 mount;
    /* WALK_NAMED: address and length of the name in the directory `dentry`. */
    __u64 name;
    __u32 name_length;
    /* WALK_FOUND, WALK_NAMED; 0 if no hook saw it. */
    __u32 status;
};

struct call {
    /* With RECORD_FLAG_ASYNC strings lie in the kernel's memory, or are unknown (0). */
    __u64 args[6];
    __s64 ret;
    /* FORM_* */
    __u32 form;
    /* RECORD_FLAG_* */
    __u32 record_flags;
    struct judgement judgement;
    /* What was opened is not at hand: its text tells. */
    bool by_text;
    /* The call has done what it was to do, and no hook saw with what: its texts are told as they are.
     * Whatever they lead to now, it need not be what they led to then. */
    bool as_given;
    /* What is acted on, and the destination of rename and link. */
    struct object objects[2];
    /* Address of the struct file that was opened or is acted on, where a hook saw it; else 0. */
    __u64 file;
    /* The same of a call that has two. */
    __u64 second_file;
    /* Addresses of the kernel's own copies of strings that the caller gave, where a hook saw them; else 0. */
    __u64 texts[2];
};

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, SCRATCH_SLOTS);
    __type(key, __u32);
    __type(value, struct call);
} call_scratch SEC(".maps");

static __always_inline struct call *call__scratch(void)
{
    __u32 slot = scratch__slot();

    return bpf_map_lookup_elem(&call_scratch, &slot);
}

/* Whether an outcome is reported: success, or a refusal. Anything else changed nothing and was not stopped
 * for lack of permission. */
static __always_inline bool call__is_reported(__s64 ret)
{
    if (ret < 0 && ret != -EPERM && ret != -EACCES)
        return false;
    return !current__is_probe();
}

/* What task__entry_registers() gives has a type that the verifier knows where there is a helper for it: then
 * it is read without another one. */
#ifdef CWS_OLD_KERNEL
#define REGISTER(registers, member) BPF_CORE_READ(registers, member)
#else
#define REGISTER(registers, member)                                                                          \
    (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_task_pt_regs) ? (registers)->member               \
                                                                         : BPF_CORE_READ(registers, member))
#endif

/* Argument `n` of a call of this machine's own kind. */
static __always_inline __u64 registers__argument(struct pt_regs *registers, int n)
{
#if defined(__TARGET_ARCH_x86)
    switch (n) {
    case 0:
        return REGISTER(registers, di);
    case 1:
        return REGISTER(registers, si);
    case 2:
        return REGISTER(registers, dx);
    case 3:
        return REGISTER(registers, r10);
    case 4:
        return REGISTER(registers, r8);
    default:
        return REGISTER(registers, r9);
    }
#elif defined(__TARGET_ARCH_arm64)
    /* The result takes the place of the first one. */
    return n ? REGISTER(registers, regs[n]) : REGISTER(registers, orig_x0);
#endif
}

/* Argument `n` of a 32-bit call on x86. */
static __always_inline __u64 registers__argument_i386(struct pt_regs *registers, int n)
{
#if defined(__TARGET_ARCH_x86)
    switch (n) {
    case 0:
        return (__u32)REGISTER(registers, bx);
    case 1:
        return (__u32)REGISTER(registers, cx);
    case 2:
        return (__u32)REGISTER(registers, dx);
    case 3:
        return (__u32)REGISTER(registers, si);
    case 4:
        return (__u32)REGISTER(registers, di);
    default:
        return (__u32)REGISTER(registers, bp);
    }
#else
    return 0;
#endif
}

/* The number of the call by which the current task entered the kernel. */
static __always_inline __s64 registers__number(struct pt_regs *registers)
{
#if defined(__TARGET_ARCH_x86)
    return (__s64)REGISTER(registers, orig_ax);
#elif defined(__TARGET_ARCH_arm64)
    return REGISTER(registers, syscallno);
#endif
}

/* Appends a string that is an argument of the call. */
static __always_inline struct span call__append_string(const struct call *call, struct builder *builder,
                                                       __u64 address, const __u32 limit, __u32 error)
{
    if (!(call->record_flags & RECORD_FLAG_ASYNC))
        return tail__append_user_string(builder, address, limit, error);
    if (!address)
        return (struct span){};
    return tail__append_string(builder, (const char *)address, limit, error);
}

/* The same of a string of which the kernel has made a copy: text `n`. Nobody can rewrite that. */
static __always_inline struct span call__append_text(const struct call *call, struct builder *builder, int n,
                                                     __u64 address, const __u32 limit, __u32 error)
{
#ifndef CWS_OLD_KERNEL
    if (call->texts[n])
        return tail__append_string(builder, (const char *)call->texts[n], limit, error);
#endif
    return tail__append_user_string(builder, address, limit, error);
}

/* Puts the current call in the call scratch. A function of its own for the sake of the programs that have
 * many. */
__noinline int call__load(__u32 form, __s64 ret, __u32 record_flags)
{
    struct pt_regs *registers = task__entry_registers();
    struct call *call = call__scratch();

    if (!call)
        return false;
    WRITTEN_OUT
    for (int i = 0; i < 6; i++)
        call->args[i] = record_flags & RECORD_FLAG_ASYNC    ? 0
                        : record_flags & RECORD_FLAG_COMPAT ? registers__argument_i386(registers, i)
                                                            : registers__argument(registers, i);
    call->ret = ret;
    call->form = form;
    call->record_flags = record_flags;
    call->objects[0].status = 0;
    call->objects[1].status = 0;
    call->by_text = false;
    call->as_given = false;
    call->file = 0;
    call->second_file = 0;
    call->texts[0] = 0;
    call->texts[1] = 0;
    return true;
}

#endif /* CALL_H */
