/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Building and sending records. The only file that touches the ring buffer, so that every loss is counted in
 * one place.
 */
#ifndef EMIT_H
#define EMIT_H

#ifdef CWS_OLD_KERNEL

/* A buffer for each CPU, as old kernels have no other; user space puts the records in order. What does not
 * fit, the kernel counts, without its kind. */
struct {
    __uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
    __type(key, __u32);
    __type(value, __u32);
} events SEC(".maps");

/* What the program that runs has built: it is completed and sent by what follows it (outbox.h). Sending takes
 * the context of the program, too, which what builds records does not have. */
struct outbox {
    /* Bytes of the record in the record scratch that are filled; 0: nothing is to be sent. */
    __u64 used;
    /* STAGE_*: what has to be done before anything else; 0: nothing. */
    __u32 work;
    /* Paths that have been left to be found, and the one that is looked at. */
    __u32 paths;
    __u32 path;
    /* Programs that have followed the first one. */
    __u32 follows;
    /* Texts that have been looked up: a bit for each side of the call, and the side that is looked at. */
    __u32 walked;
    __u32 side;
    /* AGAIN_*: the program that wants to know. */
    __u32 again;
    __u32 _pad;
};

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct outbox);
} outboxes SEC(".maps");

/* Programs that go on with a record; see stages.bpf.c. */
#define STAGE_CLIMB               1
#define STAGE_CLIMB_IN_FILESYSTEM 2
#define STAGE_CLIMB_CGROUP        3
#define STAGE_EXEC_CHUNK          4
#define STAGE_EXEC                5
#define STAGE_BPF                 6
#define STAGE_CONTEXT             7
#define STAGE_SCRIPT              8
/* All that there are at tracepoints of the kernel. */
#define STAGES_EVERYWHERE 9
#define STAGE_WALK        9
#define STAGE_WALK_NAME   10
#define STAGE_WALK_SEARCH 11
#define STAGE_WALK_LINK   12
#define STAGE_WALK_PLACE  13
#define STAGES            14

/* Paths of one record. */
#define PATHS_LEFT_MAX 4

static __always_inline struct outbox *outbox__find(void)
{
    __u32 zero = 0;

    return bpf_map_lookup_elem(&outboxes, &zero);
}

#else

/* One buffer for all CPUs, so that the order of records is the order of events. Its size is set by user
 * space before load. */
struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 8 * 1024 * 1024);
} events SEC(".maps");

/* Records that found the ring full, by kind. Mapped by user space: a look through bpf(2) would make the
 * kernel skip programs on that CPU. */
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, KIND_MAX + 1);
    __uint(map_flags, BPF_F_MMAPABLE);
    __type(key, __u32);
    __type(value, __u64);
} losses SEC(".maps");

#endif

/* Where it cannot be told what was lost. */
#define KIND_UNKNOWN 0

/*
 * Scratch memory is per CPU, and so is a program: but where the kernel is preemptible another one may run in
 * the middle of it. Programs at functions can be preempted wherever there are any, those at typed tracepoints
 * since 7.0 (a46023d5616e), and those at tracepoints of system calls where these may fault
 * (trace_call_bpf_faultable(), seen in 7.3). Then each has a slot of those that are left to itself, from its
 * begin to its end. Where nothing is preempted they share one, as none that uses it fires inside another one.
 *
 * An iterator can be preempted on any kernel, in the middle of a record, by a fork or exec that would write
 * over it; it runs in the probe's own read(2), so whatever runs there has a slot of its own.
 */
#define SLOT_COMMON 0
#define SLOT_OWN    1
#define SLOT_FIRST  2
/* Set by user space before load: SLOT_FIRST, and as many more as programs may meet on a CPU. */
#define SCRATCH_SLOTS 6

#ifdef CWS_OLD_KERNEL

/* There are no programs at functions, and no iterator. */
static __always_inline __u32 scratch__slot(void)
{
    return SLOT_COMMON;
}

#else

/* How many of them there are; 0 where the kernel is not preemptible. */
const volatile __u32 preemptible_slots = 0;

/* Which thread has a slot of a CPU: CPU << 8 | slot. */
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 4096);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, __u32);
    __type(value, __u32);
} slot_owners SEC(".maps");

/* The slot of a thread that has one. */
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 4096);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, __u32);
    __type(value, __u32);
} slots SEC(".maps");

static __always_inline __u32 scratch__slot(void)
{
    __u64 thread = bpf_get_current_pid_tgid();
    __u32 tid = thread;
    __u32 *slot;

    if (thread >> 32 == own_pid)
        return SLOT_OWN;
    if (!preemptible_slots)
        return SLOT_COMMON;
    slot = bpf_map_lookup_elem(&slots, &tid);
    return slot ? *slot : SLOT_COMMON;
}

/* Takes a slot for the program that begins. False if there is none left. */
static __always_inline bool scratch__take(void)
{
    __u32 tid = bpf_get_current_pid_tgid();
    __u32 cpu = bpf_get_smp_processor_id();

    if (!preemptible_slots)
        return true;
    for (__u32 slot = SLOT_FIRST; slot < SCRATCH_SLOTS; slot++) {
        __u32 place = cpu << 8 | slot;

        if (bpf_map_update_elem(&slot_owners, &place, &tid, BPF_NOEXIST))
            continue;
        if (!bpf_map_update_elem(&slots, &tid, &slot, BPF_ANY))
            return true;
        bpf_map_delete_elem(&slot_owners, &place);
        return false;
    }
    return false;
}

/* Gives it back. */
static __always_inline void scratch__give_back(void)
{
    __u32 tid = bpf_get_current_pid_tgid();
    __u32 place = bpf_get_smp_processor_id() << 8;
    __u32 *slot;

    if (!preemptible_slots)
        return;
    slot = bpf_map_lookup_elem(&slots, &tid);
    if (!slot)
        return;
    place |= *slot;
    bpf_map_delete_elem(&slots, &tid);
    bpf_map_delete_elem(&slot_owners, &place);
}

#endif

/* Where a record with a tail is put together. */
struct record {
    union {
        __u8 bytes[RECORD_SIZE_MAX];
        struct {
            struct record_header header;
            struct task_context context;
            union {
                struct fork_body fork;
                struct exec_body exec;
                struct exec_chunk_body exec_chunk;
                struct exit_body exit;
                struct setuid_body setuid;
                struct setgid_body setgid;
                struct capset_body capset;
                struct cgroup_attach_body cgroup_attach;
                struct file_call file_call;
                struct open_body open;
                struct path_body path;
                struct link_body link;
                struct chmod_body chmod;
                struct chown_body chown;
                struct utimes_body utimes;
                struct xattr_body xattr;
                struct splice_body splice;
                struct mount_body mount;
                struct socket_body socket;
                struct setsockopt_body setsockopt;
                struct ptrace_body ptrace;
                struct signal_body signal;
                struct bpf_body bpf;
                struct load_module_body load_module;
                struct unload_module_body unload_module;
                struct mmap_body mmap;
                struct mprotect_body mprotect;
                struct setrlimit_body setrlimit;
                struct prctl_body prctl;
                struct cgroup_write_body cgroup_write;
                struct sysctl_body sysctl;
                struct namespaces_body namespaces;
                struct process_vm_writev_body process_vm_writev;
                struct made_descriptor_body made_descriptor;
                struct packet_body packet;
                struct capabilities_body capabilities;
                struct flows_body flows;
                struct selinux_body selinux;
            };
        };
    };
};

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, SCRATCH_SLOTS);
    __type(key, __u32);
    __type(value, struct record);
} record_scratch SEC(".maps");

#define BODY_OFFSET (sizeof(struct record_header) + sizeof(struct task_context))

/* Keeps a bounds check and the access that it guards on the same register; the compiler likes to compare one
 * copy and use another, which the verifier then refuses. */
#define barrier_var(var) asm volatile("" : "+r"(var))

static __always_inline struct record *record__scratch(void)
{
    __u32 slot = scratch__slot();

    return bpf_map_lookup_elem(&record_scratch, &slot);
}

#ifndef CWS_OLD_KERNEL

static __always_inline void losses__count(__u32 kind)
{
    __u64 *count = bpf_map_lookup_elem(&losses, &kind);

    if (count)
        __sync_fetch_and_add(count, 1);
}

/* Runs `call` of a program that reports events of `kind`, with memory of its own. */
#define WITH_SCRATCH(kind, call)                                                                             \
    do {                                                                                                     \
        if (!scratch__take()) {                                                                              \
            losses__count(kind);                                                                             \
            break;                                                                                           \
        }                                                                                                    \
        call;                                                                                                \
        scratch__give_back();                                                                                \
    } while (0)

#endif

static __always_inline void header__fill(struct record_header *header, __u16 kind, __u32 size)
{
    header->size = size;
    header->kind = kind;
    header->flags = 0;
#ifdef CWS_OLD_KERNEL
    /* 5.8 (71d19214776e): before, without the time that the machine slept; user space adds it. */
    header->time_ns = bpf_ktime_get_ns();
#else
    header->time_ns = bpf_ktime_get_boot_ns();
#endif
    header->errors = 0;
    header->cpu = bpf_get_smp_processor_id();
}

/* Pads the record in `record`, of which `used` bytes are filled, and gives its final size. */
static __always_inline __u64 record__close(struct record *record, __u64 used)
{
    __u64 size = (used + 7) & ~7ULL;

    if (used <= RECORD_SIZE_MAX - 8) {
        barrier_var(used);
        if (used <= RECORD_SIZE_MAX - 8) {
            POSSIBLE_OFFSET(used);
            __builtin_memset(record->bytes + used, 0, 8);
        }
    }
    record->header.size = size;
    return size;
}

#ifdef CWS_OLD_KERNEL

/* Has the record in `record`, of which `used` bytes are filled, sent when all of it is there. */
static __always_inline void record__send(struct record *record, __u64 used)
{
    struct outbox *outbox = outbox__find();

    if (outbox)
        outbox->used = used;
}

/* Sends what waits. */
static __always_inline void outbox__send(void *ctx)
{
    struct outbox *outbox = outbox__find();
    struct record *record = record__scratch();
    __u64 used, size;

    if (!outbox || !record)
        return;
    used = outbox->used;
    if (!used)
        return;
    outbox->used = 0;
    size = record__close(record, used);
    bpf_perf_event_output(ctx, &events, BPF_F_CURRENT_CPU, record, CUT(size, RECORD_SIZE_MAX));
}

/* Memory for a record of `size` bytes, which needs no tail. */
static __always_inline void *record__reserve(const __u64 size, __u32 kind)
{
    return record__scratch();
}

static __always_inline void record__submit(void *record)
{
    record__send(record, ((struct record_header *)record)->size);
}

/* The whole of a program that sends events of `kind`. */
#define SENDING(ctx, kind, call)                                                                             \
    ({                                                                                                       \
        outbox__begin();                                                                                     \
        call;                                                                                                \
        outbox__finish(ctx, STAGES_OF(ctx));                                                                 \
        0;                                                                                                   \
    })
/* The whole of one that remembers something. */
#define REMEMBERING(call) (call)
/* The same of programs of which a text may have to be looked up: see AGAIN_*. */
#define WALKING(ctx, again, call)                                                                            \
    ({                                                                                                       \
        outbox__begin_walking(again);                                                                        \
        call;                                                                                                \
        outbox__finish(ctx, STAGES_OF(ctx));                                                                 \
        0;                                                                                                   \
    })

#else

/* Sends the record in `record`, of which `used` bytes are filled. */
static __always_inline void record__send(struct record *record, __u64 used)
{
    __u64 size = record__close(record, used);

    barrier_var(size);
    if (size > RECORD_SIZE_MAX)
        return;
    if (bpf_ringbuf_output(&events, record, size, 0))
        losses__count(record->header.kind);
}

/* Memory for a record of `size` bytes, which needs no tail. NULL, and counted, if there is no room. */
static __always_inline void *record__reserve(const __u64 size, __u32 kind)
{
    void *record = bpf_ringbuf_reserve(&events, size, 0);

    if (!record)
        losses__count(kind);
    return record;
}

static __always_inline void record__submit(void *record)
{
    bpf_ringbuf_submit(record, 0);
}

/* The whole of a program that sends events of `kind`, in the process that they are about. */
#define SENDING(ctx, kind, call)                                                                             \
    ({                                                                                                       \
        WITH_SCRATCH(kind, call);                                                                            \
        0;                                                                                                   \
    })
/* The whole of one that remembers something. Without it an event is told all the same, and says that earlier
 * values are unknown: nothing to count. */
#define REMEMBERING(call)                                                                                    \
    ({                                                                                                       \
        if (scratch__take()) {                                                                               \
            call;                                                                                            \
            scratch__give_back();                                                                            \
        }                                                                                                    \
        0;                                                                                                   \
    })

#endif

#endif /* EMIT_H */
