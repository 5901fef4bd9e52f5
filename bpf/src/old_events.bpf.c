/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The programs at tracepoints of the kernel once more, for kernels without raw tracepoints (before 4.17): by
 * perf event, as those at system calls. There is no pointer to what the tracepoint is about, but what it
 * tells in numbers, from which it has to be found.
 *
 * The kernel does not run such a program in the middle of another one: packets that come while a CPU runs one
 * go unseen.
 */

/* A string behind the context of a program. */
static __always_inline const char *event__string(void *ctx, __u32 location)
{
    /* The verifier lets nobody reckon with a context; read back from the stack it is a number. */
    __u64 address = 0;

    bpf_probe_read_kernel(&address, sizeof(address), &ctx);
    return (const char *)(address + (location & 0xffff));
}

/* ---- fork ------------------------------------------------------------------------------------------- */

/* Children of one parent that are looked at, youngest first. */
#define CHILDREN_MAX 8

/* The child of a task with this number, if it leads a process: threads are not among the children. */
static __always_inline struct task_struct *task__young_child(struct task_struct *parent, int pid)
{
    struct list_head *link = BPF_CORE_READ(parent, children.prev);

    WRITTEN_OUT
    for (int i = 0; i < CHILDREN_MAX; i++) {
        struct task_struct *child = (void *)link - bpf_core_field_offset(struct task_struct, sibling);

        if (BPF_CORE_READ(child, pid) == pid)
            return child;
        link = BPF_CORE_READ(child, sibling.prev);
    }
    return NULL;
}

static __always_inline int sched_process_fork_event(int child_pid)
{
    struct task_struct *forker = (void *)bpf_get_current_task();
    struct task_struct *child = task__young_child(forker, child_pid);

    /* CLONE_PARENT */
    if (!child)
        child = task__young_child(BPF_CORE_READ(forker, real_parent), child_pid);
    return child ? sched_process_fork(forker, child) : 0;
}

SEC("tracepoint/sched/sched_process_fork")
int on_fork_event(struct trace_event_raw_sched_process_fork *ctx)
{
    return SENDING(ctx, KIND_FORK, sched_process_fork_event(ctx->child_pid));
}

/* ---- exec, exit ------------------------------------------------------------------------------------- */

SEC("tracepoint/sched/sched_process_exec")
int on_exec_event(struct trace_event_raw_sched_process_exec *ctx)
{
    return SENDING(ctx, KIND_EXEC, sched_process_exec((void *)bpf_get_current_task()));
}

STAGE_SECTION("tracepoint", STAGE_EXEC)
int stage_exec(struct trace_event_raw_sched_process_exec *ctx)
{
    struct exec_request request = {ctx->old_pid, event__string(ctx, ctx->__data_loc_filename)};

    stage__exec(&request);
    outbox__finish(ctx, &stages_of_tracepoints);
    return 0;
}

SEC("tracepoint/sched/sched_process_exit")
int on_exit_event(void *ctx)
{
    return SENDING(ctx, KIND_EXIT, sched_process_exit((void *)bpf_get_current_task()));
}

/* ---- control groups --------------------------------------------------------------------------------- */

/* The task with this number, as the kernel counts. */
static __always_inline struct task_struct *task__of_number(int pid)
{
    struct pid *own = task__pid((void *)bpf_get_current_task());
    struct upid *first = (void *)own + bpf_core_field_offset(struct pid, numbers);

    return pid__task((void *)pid_namespace__find((__u64)BPF_CORE_READ(first, ns), pid));
}

static __always_inline int cgroup_attach_event(int pid)
{
    struct task_struct *task = task__of_number(pid);

    return task ? cgroup_attach_task(task) : 0;
}

SEC("tracepoint/cgroup/cgroup_attach_task")
int on_cgroup_attach_event(struct trace_event_raw_cgroup_migrate *ctx)
{
    return SENDING(ctx, KIND_CGROUP_ATTACH, cgroup_attach_event(ctx->pid));
}

static __always_inline int cgroup_write_event(int pid)
{
    struct task_struct *task = task__of_number(pid);

    return task ? cgroup_write__report((__u64)task) : 0;
}

SEC("tracepoint/cgroup/cgroup_attach_task")
int on_cgroup_write_event(struct trace_event_raw_cgroup_migrate *ctx)
{
    if (current__is_probe())
        return 0;
    return SENDING(ctx, KIND_CGROUP_WRITE, cgroup_write_event(ctx->pid));
}

/* ---- network ---------------------------------------------------------------------------------------- */

/* sock/inet_sock_set_state, and before 4.16 tcp/tcp_set_state (563e0bb0dc74): they begin alike. */
struct tcp_state_event {
    __u64 common;
    struct sock *sock;
    int old_state;
    int state;
};

SEC("tracepoint/sock/inet_sock_set_state")
int on_tcp_state_event(struct tcp_state_event *ctx)
{
    if (ctx->state != TCP_SYN_SENT)
        return 0;
    return SENDING(ctx, KIND_CONNECT, tcp_state(ctx->sock));
}

SEC("tracepoint/net/net_dev_queue")
int packet_out_event(struct trace_event_raw_net_dev_template *ctx)
{
    return packet(ctx, ctx->skbaddr, PACKET_OUT);
}

SEC("tracepoint/net/netif_receive_skb")
int packet_in_event(struct trace_event_raw_net_dev_template *ctx)
{
    return packet(ctx, ctx->skbaddr, PACKET_IN);
}

/* ---- modules ---------------------------------------------------------------------------------------- */

SEC("tracepoint/module/module_load")
int on_module_load_event(struct trace_event_raw_module_load *ctx)
{
    return module__remember_name(event__string(ctx, ctx->__data_loc_name));
}

SEC("tracepoint/module/module_free")
int on_module_free_event(struct trace_event_raw_module_free *ctx)
{
    return module__remember_name(event__string(ctx, ctx->__data_loc_name));
}
