/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The block that stands in every record: who did it. */
#ifndef CONTEXT_H
#define CONTEXT_H

static __always_inline __u32 task__context_flags(struct task_struct *task)
{
    __u32 task_flags = BPF_CORE_READ(task, flags);
    __u32 flags = 0;

    if (task_flags & PF_KTHREAD)
        flags |= TASK_FLAG_KERNEL_THREAD;
    if (task_flags & PF_WQ_WORKER)
        flags |= TASK_FLAG_WORKQUEUE_WORKER;
    if (task_flags__are_of_io_worker(task_flags))
        flags |= TASK_FLAG_IO_WORKER;
    if (task_flags & PF_FORKNOEXEC)
        flags |= TASK_FLAG_NO_EXEC;
    if (BPF_CORE_READ(task, pid) != BPF_CORE_READ(task, tgid))
        flags |= TASK_FLAG_NOT_LEADER;
    if (BPF_CORE_READ(task, ptrace))
        flags |= TASK_FLAG_TRACED;
    return flags;
}

static __always_inline void context__fill_credentials(struct task_context *context, const struct cred *cred)
{
    context->uid = BPF_CORE_READ(cred, uid.val);
    context->gid = BPF_CORE_READ(cred, gid.val);
    context->euid = BPF_CORE_READ(cred, euid.val);
    context->egid = BPF_CORE_READ(cred, egid.val);
    context->fsuid = BPF_CORE_READ(cred, fsuid.val);
    context->fsgid = BPF_CORE_READ(cred, fsgid.val);
    bpf_core_read(&context->cap_effective, sizeof(context->cap_effective), &cred->cap_effective);
    bpf_core_read(&context->cap_permitted, sizeof(context->cap_permitted), &cred->cap_permitted);
    context->user_ns = BPF_CORE_READ(cred, user_ns, ns.inum);
}

/* The process's number in, and the identity of, the pid namespace that it lives in. */
static __always_inline void context__fill_pid_namespace(struct task_context *context,
                                                        struct task_struct *leader)
{
    struct pid *pid = task__pid(leader);
    __u32 level = BPF_CORE_READ(pid, level);
    struct upid *number = (void *)pid + bpf_core_field_offset(struct pid, numbers) +
                          (__u64)level * bpf_core_type_size(struct upid);

    context->ns_pid = BPF_CORE_READ(number, nr);
    context->pid_ns = BPF_CORE_READ(number, ns, ns.inum);
}

static __always_inline void context__fill(struct task_context *context, struct task_struct *task)
{
    struct task_struct *leader = BPF_CORE_READ(task, group_leader);
    struct task_struct *parent = BPF_CORE_READ(task, real_parent);
    struct nsproxy *nsproxy = BPF_CORE_READ(task, nsproxy);
    bool is_cgroup_v1;

    context->start_time_ns = task__start_time_ns(leader);
    context->parent_start_time_ns = task__start_time_ns(BPF_CORE_READ(parent, group_leader));
    context->cgroup_id = cgroup__id(task__cgroup_and_version(task, &is_cgroup_v1));
    context->exec_id = task__exec_id(task);
    context->pid = BPF_CORE_READ(task, tgid);
    context->tid = BPF_CORE_READ(task, pid);
    context->ppid = BPF_CORE_READ(parent, tgid);
    context__fill_pid_namespace(context, leader);
    context__fill_credentials(context, BPF_CORE_READ(task, cred));
    context->auid = BPF_CORE_READ(task, loginuid.val);
    context->session_id = BPF_CORE_READ(task, sessionid);
    context->mnt_ns = BPF_CORE_READ(nsproxy, mnt_ns, ns.inum);
    context->net_ns = BPF_CORE_READ(nsproxy, net_ns, ns.inum);
    context->cgroup_ns = BPF_CORE_READ(nsproxy, cgroup_ns, ns.inum);
    context->flags = task__context_flags(task) | (is_cgroup_v1 ? TASK_FLAG_CGROUP_V1 : 0);
    __builtin_memset(context->comm, 0, sizeof(context->comm));
    BPF_CORE_READ_STR_INTO(&context->comm, task, comm);
}

#endif /* CONTEXT_H */
