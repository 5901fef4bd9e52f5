/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Capabilities that a program uses, or tries to. The kernel checks them all the time, so each process has two
 * sets here, and nothing happens at a check that adds nothing to them. What was added is told once in a
 * period, when user space reads the iterator, and when the program ends: by another one that is executed, or
 * at its exit.
 */

struct capability_use {
    /* Who has added to the sets last. */
    struct task_context context;
    /* By capability: 1 if it is in the set. Several threads can set bytes at a time, which takes an
     * instruction for bits that kernels before 5.12 (981f94c3e921) do not have. */
    __u8 attempted[CAP_LAST + 1];
    __u8 used[CAP_LAST + 1];
    /* Something was added since it was told. */
    __u64 has_news;
};

/* By process. Entries go with it; user space removes what was left when nobody watched. */
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 32768);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, __u32);
    __type(value, struct capability_use);
} capability_uses SEC(".maps");

const volatile struct capability_use no_use = {};

struct capabilities_record {
    struct record_header header;
    struct task_context context;
    struct capabilities_body body;
};

static __always_inline void capabilities_record__fill(struct capabilities_record *record,
                                                      struct capability_use *use)
{
    /* Before the sets are read: what is added meanwhile is told once more rather than never. */
    use->has_news = false;
    header__fill(&record->header, KIND_CAPABILITIES, sizeof(*record));
    record->header.flags = RECORD_FLAG_REMEMBERED;
    record->context = use->context;
    record->body.attempted = 0;
    record->body.used = 0;
    for (int i = 0; i <= CAP_LAST; i++) {
        record->body.attempted |= (__u64)use->attempted[i] << i;
        record->body.used |= (__u64)use->used[i] << i;
    }
}

/* The program of a process ends: tells what was not told yet. */
static __always_inline void capabilities__end(__u32 process)
{
    struct capability_use *use = bpf_map_lookup_elem(&capability_uses, &process);
    struct capabilities_record *record;

    if (!use)
        return;
    if (use->has_news && filter__keeps(KIND_CAPABILITIES) != FILTER_KEEP_NONE) {
        record = bpf_ringbuf_reserve(&events, sizeof(*record), 0);
        if (record) {
            capabilities_record__fill(record, use);
            bpf_ringbuf_submit(record, 0);
        } else {
            losses__count(KIND_CAPABILITIES);
        }
    }
    bpf_map_delete_elem(&capability_uses, &process);
}

/* arch/x86/entry/syscalls/syscall_64.tbl, uapi/asm-generic/unistd.h */
#if defined(__TARGET_ARCH_x86)
#define NUMBER_MMAP     9
#define NUMBER_MPROTECT 10
#define NUMBER_BRK      12
#define NUMBER_MREMAP   25
#define NUMBER_CLONE    56
#define NUMBER_FORK     57
#define NUMBER_VFORK    58
#define NUMBER_EXECVE   59
#elif defined(__TARGET_ARCH_arm64)
#define NUMBER_MMAP     222
#define NUMBER_MPROTECT 226
#define NUMBER_BRK      214
#define NUMBER_MREMAP   216
#define NUMBER_CLONE    220
#define NUMBER_FORK     -2
#define NUMBER_VFORK    -2
#define NUMBER_EXECVE   221
#endif

/* CLONE_NEW*: uapi/linux/sched.h */
#define CLONE_NEW_NAMESPACES 0x7e020080

/*
 * Whether the kernel asks for CAP_SYS_ADMIN only to know if memory that is promised may come from the reserve
 * of the administrator, as it does at each mapping. The caller uses no capability by that, and the tracepoint
 * does not tell it from others.
 */
static __always_inline bool capability__is_for_memory(struct task_struct *task)
{
    struct pt_regs *registers = task__entry_registers();
    __s64 number;

    if (task__in_compat_call(task))
        return false;
    number = registers__number(registers);
    switch (number) {
    case -1: /* No call: a fault. */
    case NUMBER_MMAP:
    case NUMBER_MPROTECT:
    case NUMBER_BRK:
    case NUMBER_MREMAP:
    case NUMBER_EXECVE:
        return true;
    }
    if (number == NUMBER_FORK || number == NUMBER_VFORK)
        return true;
    return number == NUMBER_CLONE && !(registers__argument(registers, 0) & CLONE_NEW_NAMESPACES);
}

/* A capability was asked for, which adds to the sets. */
static __noinline int capability__add(__u32 capability, bool granted)
{
    struct task_struct *task = (void *)bpf_get_current_task();
    __u32 process = bpf_get_current_pid_tgid() >> 32;
    struct capability_use *use;

    if (BPF_CORE_READ(task, flags) & PF_KTHREAD)
        return 0;
    use = bpf_map_lookup_elem(&capability_uses, &process);
    if (!use) {
        bpf_map_update_elem(&capability_uses, &process, (void *)&no_use, BPF_NOEXIST);
        use = bpf_map_lookup_elem(&capability_uses, &process);
        if (!use) {
            losses__count(KIND_CAPABILITIES);
            return 0;
        }
    }
    context__fill(&use->context, task);
    use->attempted[capability & CAP_LAST] = true;
    if (granted)
        use->used[capability & CAP_LAST] = true;
    use->has_news = true;
    return 0;
}

static __always_inline int capability__check(const struct cred *cred, __u32 capability, bool granted,
                                             bool tells_audit)
{
    struct task_struct *task = (void *)bpf_get_current_task();
    __u32 process = bpf_get_current_pid_tgid() >> 32;
    struct capability_use *use;
    __u64 index = capability;

    if (!process || capability > CAP_LAST || (own_pid && process == own_pid))
        return 0;
    /* Where the verifier sees it. */
    barrier_var(index);
    index &= CAP_LAST;
    use = bpf_map_lookup_elem(&capability_uses, &process);
    if (use && use->attempted[index] && (!granted || use->used[index]))
        return 0;
    /* Of others, or borrowed for a while (by an overlay, or access(2)): not what the process does by its own.
     */
    if (cred != BPF_CORE_READ(task, real_cred))
        return 0;
    if (!tells_audit && capability == CAP_SYS_ADMIN && capability__is_for_memory(task))
        return 0;
    return capability__add(capability, granted);
}

/* Linux 6.14. */
SEC("tp_btf/cap_capable")
int BPF_PROG(on_cap_capable, const struct cred *cred, struct user_namespace *target,
             const struct user_namespace *capable, int capability, int result)
{
    return capability__check(cred, capability, !result, false);
}

/* What the kernel only wonders about, without any consequence for the caller, is not noted (CAP_OPT_NOAUDIT).
 */
static __always_inline int capability__outcome(__u64 *arguments)
{
    if (arguments[3] & CAP_OPT_NOAUDIT)
        return 0;
    return capability__check((const struct cred *)arguments[0], arguments[2], !(__s32)arguments[4], true);
}

AT_RETURN("security_capable", exit_security_capable, 4, capability__outcome(arguments))

/* Reading it gives a record for each process that has something to tell. */
SEC("iter/bpf_map_elem")
int flush_capabilities(struct bpf_iter__bpf_map_elem *ctx)
{
    struct capability_use *use = ctx->value;
    struct capabilities_record record = {};

    if (!ctx->key || !use || !use->has_news)
        return 0;
    capabilities_record__fill(&record, use);
    bpf_seq_write(ctx->meta->seq, &record, sizeof(record));
    return 0;
}
