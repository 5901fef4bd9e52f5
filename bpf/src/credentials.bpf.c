/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Changes of credentials by the calls that exist for it. The enter side remembers the old values, the exit
 * side reports a call that succeeded. Attached only while a rule needs them: every other record carries the
 * credentials of the moment anyway.
 */

struct credentials {
    __u64 cap_effective;
    __u64 cap_permitted;
    __u32 uid, gid;
    __u32 euid, egid;
    __u32 fsuid, fsgid;
};

/* By thread; an LRU so that calls whose exit was missed can't fill it. */
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 4096);
    __type(key, __u64);
    __type(value, struct credentials);
} credentials_before SEC(".maps");

static __always_inline struct credentials task__credentials(struct task_struct *task)
{
    struct task_context context = {};

    context__fill_credentials(&context, BPF_CORE_READ(task, cred));
    return (struct credentials){
        .cap_effective = context.cap_effective,
        .cap_permitted = context.cap_permitted,
        .uid = context.uid,
        .gid = context.gid,
        .euid = context.euid,
        .egid = context.egid,
        .fsuid = context.fsuid,
        .fsgid = context.fsgid,
    };
}

static __always_inline int credentials__enter(void)
{
    __u64 thread = bpf_get_current_pid_tgid();
    struct credentials before = task__credentials((void *)bpf_get_current_task());

    bpf_map_update_elem(&credentials_before, &thread, &before, BPF_ANY);
    return 0;
}

/* One size for the three: a body may be followed by padding. */
struct credentials_record {
    struct record_header header;
    struct task_context context;
    union {
        struct setuid_body setuid;
        struct setgid_body setgid;
        struct capset_body capset;
    };
};

/* setfsuid and setfsgid return the previous id whatever they do, so only a change tells of success. */
#define SUCCESS_IS_ZERO   0
#define SUCCESS_IS_CHANGE 1

static __always_inline int credentials__exit(long ret, __u16 kind, int success, __u16 record_flags)
{
    struct task_struct *task = (void *)bpf_get_current_task();
    __u64 thread = bpf_get_current_pid_tgid();
    struct credentials *before = bpf_map_lookup_elem(&credentials_before, &thread);
    struct credentials now = task__credentials(task);
    struct credentials old = before ? *before : now;
    struct credentials_record *record;

    if (before)
        bpf_map_delete_elem(&credentials_before, &thread);
    if (success == SUCCESS_IS_ZERO ? ret != 0 : (old.fsuid == now.fsuid && old.fsgid == now.fsgid))
        return 0;
    record = record__reserve(sizeof(*record), kind);
    if (!record)
        return 0;
    header__fill(&record->header, kind, sizeof(*record));
    record->header.flags = record_flags;
    if (!before)
        record->header.errors |= ERROR_OLD_VALUES;
    context__fill(&record->context, task);
    __builtin_memset(&record->capset, 0, sizeof(record->capset));
    if (kind == KIND_SETUID)
        record->setuid = (struct setuid_body){old.uid, old.euid, old.fsuid, now.uid, now.euid, now.fsuid};
    else if (kind == KIND_SETGID)
        record->setgid = (struct setgid_body){old.gid, old.egid, old.fsgid, now.gid, now.egid, now.fsgid};
    else
        record->capset =
            (struct capset_body){old.cap_effective, old.cap_permitted, now.cap_effective, now.cap_permitted};
    record__submit(record);
    return 0;
}

#define CREDENTIALS_CALL(name, kind, success)                                                                \
    SEC("tracepoint/syscalls/sys_enter_" #name)                                                              \
    int enter_##name(void *ctx)                                                                              \
    {                                                                                                        \
        return credentials__enter();                                                                         \
    }                                                                                                        \
    SEC("tracepoint/syscalls/sys_exit_" #name)                                                               \
    int exit_##name(struct trace_event_raw_sys_exit *ctx)                                                    \
    {                                                                                                        \
        return SENDING(ctx, kind, credentials__exit(ctx->ret, kind, success, 0));                            \
    }

CREDENTIALS_CALL(setuid, KIND_SETUID, SUCCESS_IS_ZERO)
CREDENTIALS_CALL(setreuid, KIND_SETUID, SUCCESS_IS_ZERO)
CREDENTIALS_CALL(setresuid, KIND_SETUID, SUCCESS_IS_ZERO)
CREDENTIALS_CALL(setfsuid, KIND_SETUID, SUCCESS_IS_CHANGE)
CREDENTIALS_CALL(setgid, KIND_SETGID, SUCCESS_IS_ZERO)
CREDENTIALS_CALL(setregid, KIND_SETGID, SUCCESS_IS_ZERO)
CREDENTIALS_CALL(setresgid, KIND_SETGID, SUCCESS_IS_ZERO)
CREDENTIALS_CALL(setfsgid, KIND_SETGID, SUCCESS_IS_CHANGE)
CREDENTIALS_CALL(capset, KIND_CAPSET, SUCCESS_IS_ZERO)
