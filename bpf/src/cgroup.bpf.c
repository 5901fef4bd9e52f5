/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Tasks that move to another cgroup, and with it into or out of a container. */

static __always_inline int cgroup_attach_task(struct task_struct *task)
{
    struct record *record = record__scratch();
    struct task_struct *actor = (void *)bpf_get_current_task();
    struct cgroup_attach_body *body;
    struct builder builder = {};

    if (!record)
        return 0;
    body = &record->cgroup_attach;
    builder.record = record;
    builder.used = BODY_OFFSET + sizeof(*body);
    header__fill(&record->header, KIND_CGROUP_ATTACH, 0);
    context__fill(&record->context, task);
    body->actor_start_time_ns = task__start_time_ns(BPF_CORE_READ(actor, group_leader));
    body->actor_pid = BPF_CORE_READ(actor, tgid);
    body->cgroup_path = (struct span){};
    tail__take_path(&builder, &body->cgroup_path,
                    path__resolve_cgroup((__u64)BPF_CORE_READ(task__cgroup(task), kn)), CGROUP_PATH_SIZE_MAX);
    record->header.errors = builder.errors;
    record__send(record, builder.used);
    return 0;
}

/* The task among the arguments of the tracepoint: the second up to 4.18, or the third (e4f8d81c738d). Where
 * the kernel does not describe its tracepoints, it is the one that looks like a task. */
static __always_inline struct task_struct *cgroup_attach__task(const char *second, struct task_struct *third)
{
#ifdef CWS_OLD_KERNEL
    struct task_struct *task = (void *)second;
    struct task_struct *leader = BPF_CORE_READ(task, group_leader);

    if (leader && BPF_CORE_READ(leader, group_leader) == leader &&
        BPF_CORE_READ(leader, pid) == BPF_CORE_READ(task, tgid))
        return task;
#endif
    return third;
}

AT_TRACEPOINT("cgroup_attach_task")
int BPF_PROG(on_cgroup_attach, struct cgroup *cgroup, const char *path, struct task_struct *task)
{
    return SENDING(ctx, KIND_CGROUP_ATTACH, cgroup_attach_task(cgroup_attach__task(path, task)));
}
