/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What user space tells the programs before they are loaded. Old kernels know no global data, so there it is
 * an array of one element. */
#ifndef SETTINGS_H
#define SETTINGS_H

/* Ports of name services. */
#define PORTS_MAX 8

#ifdef CWS_OLD_KERNEL

struct old_settings {
    __u64 fput_callback;
    __u32 own_pid;
    __u32 metadata_ipv4;
    __u32 metadata_ipv6[4];
    __u16 name_ports[PORTS_MAX];
    __u16 metadata_port;
    __u16 _pad;
    __u32 thread_size;
};

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct old_settings);
} old_settings SEC(".maps");

static __always_inline const struct old_settings *old_settings__find(void)
{
    __u32 zero = 0;

    return bpf_map_lookup_elem(&old_settings, &zero);
}

/* A value of them; 0 cannot happen. */
#define SETTING(name)                                                                                        \
    ({                                                                                                       \
        const struct old_settings *found = old_settings__find();                                             \
        found ? found->name : 0;                                                                             \
    })

#else

/* The probe itself: what it does is not reported. 0: report everyone. */
const volatile __u32 own_pid = 0;

/* The kinds that programs at functions report, whoever calls: bit KIND_* of the two numbers together. */
const volatile __u64 kinds_at_functions[2] = {};
#define KIND_AT_FUNCTIONS(kind) (kinds_at_functions[(kind) >> 6 & 1] >> ((kind)&63) & 1)

/* Programs at functions are there by probes (kprobe, kretprobe), not by trampolines (fentry, fexit). */
const volatile bool functions_by_probes = false;

/* Address of the kernel's ____fput, from /proc/kallsyms; 0 if it can't be told. */
const volatile __u64 fput_callback = 0;

/* 0 ends the list. */
const volatile __u16 name_ports[PORTS_MAX] = {53};
/* Addresses of metadata services, in the byte order of the network. */
const volatile __u32 metadata_ipv4 = 0;
const volatile __u32 metadata_ipv6[4] = {};
const volatile __u16 metadata_port = 80;

/* Bytes of a thread's stack in the kernel; see THREAD_SIZE. */
const volatile __u32 thread_size = 16384;

#define SETTING(name) (name)

#endif

/* Whether the current task is the probe. */
static __always_inline bool current__is_probe(void)
{
    __u32 probe = SETTING(own_pid);

    return probe && bpf_get_current_pid_tgid() >> 32 == probe;
}

#endif /* SETTINGS_H */
