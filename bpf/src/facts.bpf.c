/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The smallest program of each type, to find out what this kernel loads, attaches and runs. Kernel versions
 * and configuration don't tell: lockdown, hardening and back-ports decide as well. system-probe loads one at
 * a time, does what should make it fire, and looks.
 */
#include "kernel.h"

#include <bpf/bpf_helpers.h>

#include "probe.h"

/* Whether the program that is loaded ran. No global data: old kernels have none. */
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, __u64);
} fired SEC(".maps");

static __always_inline void fire(void)
{
    __u32 zero = 0;
    __u64 *place = bpf_map_lookup_elem(&fired, &zero);

    if (place)
        *place = 1;
}

#define FACT(section, name)                                                                                  \
    SEC("?" section)                                                                                         \
    int name(void *ctx)                                                                                      \
    {                                                                                                        \
        fire();                                                                                              \
        return 0;                                                                                            \
    }

FACT("tp_btf/sched_process_exit", fact_tp_btf)
FACT("raw_tp/sched_process_exit", fact_raw_tp)
FACT("tracepoint/syscalls/sys_exit_getppid", fact_syscall_tracepoint)
FACT("iter/task", fact_iter_task)
FACT("fentry/security_file_open", fact_fentry)
FACT("fexit/security_file_open", fact_fexit)
FACT("lsm/file_open", fact_lsm)

/* Calls of the function that both probes are at. */
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 256);
    __type(key, struct function_call);
    __type(value, __u64);
} fact_calls SEC(".maps");

SEC("?kprobe")
int fact_kprobe(__u64 *context)
{
    struct function_call call = function_call__entered(context);
    __u64 argument = CONTEXT_WORD(context, WORD_OF_ARGUMENT(0));

    bpf_map_update_elem(&fact_calls, &call, &argument, BPF_ANY);
    return 0;
}

/* What is kept at the entry has to be found at the return. */
SEC("?kretprobe")
int fact_kretprobe(__u64 *context)
{
    struct function_call call = function_call__returned(context);
    __u64 *argument = bpf_map_lookup_elem(&fact_calls, &call);

    if (argument && *argument)
        fire();
    return 0;
}

/* Reads the memory of the kernel. Where a lockdown forbids it, the helper fails, or since 5.13 such a program
 * is refused; else all that is reported would be empty. */
#define FACT_PROBE_READ(section, name)                                                                       \
    SEC("?" section)                                                                                         \
    int name(void *ctx)                                                                                      \
    {                                                                                                        \
        __u64 word;                                                                                          \
                                                                                                             \
        if (!bpf_probe_read(&word, sizeof(word), (void *)bpf_get_current_task()))                            \
            fire();                                                                                          \
        return 0;                                                                                            \
    }

FACT_PROBE_READ("raw_tp/sched_process_fork", fact_probe_read)
FACT_PROBE_READ("tracepoint/syscalls/sys_exit_getppid", fact_probe_read_by_event)

/* 1: the packet passes. */
SEC("?cgroup_skb/egress")
int fact_cgroup_skb(void *ctx)
{
    fire();
    return 1;
}

/* One on a control group decides: 1 lets the read or write be. */
SEC("?cgroup/sysctl")
int fact_cgroup_sysctl(void *ctx)
{
    fire();
    return 1;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
