/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What is written to files of the kernel: processes into control groups, parameters. */

/* ---- cgroup_write ----------------------------------------------------------------------------------- */

/* arch/x86/include/generated/uapi/asm/unistd_64.h, uapi/asm-generic/unistd.h */
#if defined(__TARGET_ARCH_x86)
#define NUMBER_WRITE    1
#define NUMBER_PWRITE64 18
#define NUMBER_WRITEV   20
#define NUMBER_WRITE_32 4
#elif defined(__TARGET_ARCH_arm64)
#define NUMBER_WRITE    64
#define NUMBER_PWRITE64 68
#define NUMBER_WRITEV   66
#define NUMBER_WRITE_32 4
#endif

/*
 * The file that the current call writes to: NULL if it is no call that writes to a descriptor. A move between
 * control groups can also come with clone3, or from a kernel thread.
 */
static __always_inline struct file *current__written_file(struct task_struct *task)
{
    struct pt_regs *registers = task__entry_registers();
    __u32 flags = BPF_CORE_READ(task, flags);
    __s64 number;

    if (flags & PF_KTHREAD || task_flags__are_of_io_worker(flags))
        return NULL;
    number = registers__number(registers);
    if (task__in_compat_call(task))
        return number == NUMBER_WRITE_32 ? task__file(task, registers__argument_i386(registers, 0)) : NULL;
    if (number != NUMBER_WRITE && number != NUMBER_PWRITE64 && number != NUMBER_WRITEV)
        return NULL;
    return task__file(task, (__s32)registers__argument(registers, 0));
}

__noinline int cgroup_write__report(__u64 moved_address)
{
    struct task_struct *task = (void *)bpf_get_current_task();
    struct builder builder = {};
    struct record *record = file_event__begin(&builder, sizeof(struct cgroup_write_body));
    struct cgroup_write_body *body;
    struct judgement judgement = {};
    struct file *file;
    __u64 magic;

    if (!record || !judgement__begin(&judgement, KIND_CGROUP_WRITE))
        return 0;
    file = current__written_file(task);
    if (!file)
        return 0;
    magic = BPF_CORE_READ(file, f_inode, i_sb, s_magic);
    if (magic != CGROUP_SUPER_MAGIC && magic != CGROUP2_SUPER_MAGIC)
        return 0;
    body = &record->cgroup_write;
    target__set(&body->target, (void *)moved_address);
    file_info__fill(&body->file, &builder, file, task);
    header__fill(&record->header, KIND_CGROUP_WRITE, 0);
    record->header.errors = builder.errors;
    context__fill(&record->context, task);
    record__send(record, builder.used);
    return 0;
}

AT_TRACEPOINT("cgroup_attach_task")
int BPF_PROG(on_cgroup_write, struct cgroup *cgroup, const char *path, struct task_struct *task)
{
    if (current__is_probe())
        return 0;
    return SENDING(ctx, KIND_CGROUP_WRITE,
                   cgroup_write__report((__u64)task__untyped(cgroup_attach__task(path, task))));
}

/* ---- sysctl ----------------------------------------------------------------------------------------- */

#ifndef CWS_OLD_KERNEL

/*
 * Programs of control groups run in the middle of the write and can be preempted, so the record is put
 * together in the ring itself, at its full size.
 */
struct sysctl_record {
    struct record_header header;
    struct task_context context;
    struct sysctl_body body;
    __u8 name[SYSCTL_NAME_SIZE];
    __u8 value[SYSCTL_VALUE_SIZE];
    __u8 old_value[SYSCTL_VALUE_SIZE];
};

/* uapi/asm-generic/errno-base.h */
#define E2BIG 7

/* Says where a text lies that a helper has written, with its result: the length, or that there is more. */
static __always_inline struct span sysctl__span(long result, __u32 offset, __u32 size, __u32 flag,
                                                __u32 *flags)
{
    if (result == -E2BIG) {
        *flags |= flag;
        result = size - 1;
    }
    if (result <= 0 || result >= size)
        return (struct span){};
    return (struct span){.offset = offset, .length = result};
}

/* uapi/linux/bpf.h */
struct bpf_sysctl {
    __u32 write;
    __u32 file_pos;
};

#define SYSCTL_ALLOW 1

SEC("cgroup/sysctl")
int on_sysctl(struct bpf_sysctl *ctx)
{
    struct task_struct *task = (void *)bpf_get_current_task();
    struct judgement judgement = {};
    struct filter *filter;
    struct sysctl_record *record;
    struct sysctl_body *body;
    __u32 action;

    if (!judgement__begin(&judgement, KIND_SYSCTL) ||
        (own_pid && (__u32)BPF_CORE_READ(task, tgid) == own_pid))
        return SYSCTL_ALLOW;
    action = ctx->write ? SYSCTL_ACTION_WRITE : SYSCTL_ACTION_READ;
    filter = judgement__filter(&judgement);
    if (filter && (!judgement__narrow(&judgement, filter__by_auid(filter, task)) ||
                   !judgement__narrow(&judgement, filter__by_value(filter, action))))
        return SYSCTL_ALLOW;
    record = record__reserve(sizeof(*record), KIND_SYSCTL);
    if (!record)
        return SYSCTL_ALLOW;
    __builtin_memset(record, 0, sizeof(*record));
    header__fill(&record->header, KIND_SYSCTL, sizeof(*record));
    context__fill(&record->context, task);
    body = &record->body;
    body->file_position = ctx->file_pos;
    body->action = action;
    body->name = sysctl__span(bpf_sysctl_get_name((void *)ctx, (char *)record->name, SYSCTL_NAME_SIZE, 0),
                              __builtin_offsetof(struct sysctl_record, name), SYSCTL_NAME_SIZE,
                              SYSCTL_FLAG_NAME_TRUNCATED, &body->flags);
    body->old_value =
        sysctl__span(bpf_sysctl_get_current_value((void *)ctx, (char *)record->old_value, SYSCTL_VALUE_SIZE),
                     __builtin_offsetof(struct sysctl_record, old_value), SYSCTL_VALUE_SIZE,
                     SYSCTL_FLAG_OLD_VALUE_TRUNCATED, &body->flags);
    if (ctx->write)
        body->value =
            sysctl__span(bpf_sysctl_get_new_value((void *)ctx, (char *)record->value, SYSCTL_VALUE_SIZE),
                         __builtin_offsetof(struct sysctl_record, value), SYSCTL_VALUE_SIZE,
                         SYSCTL_FLAG_VALUE_TRUNCATED, &body->flags);
    record__submit(record);
    return SYSCTL_ALLOW;
}

#endif
