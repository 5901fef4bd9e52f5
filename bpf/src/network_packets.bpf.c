/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Packets of sockets, where they leave and enter the IP layer: attached to the root of the control groups, so
 * that every interface and network namespace is covered at once, a packet is seen once, whole (before it is
 * cut into fragments, after it is put together again), and its socket is known. Packets that are only
 * forwarded have no socket and are not seen.
 *
 * A packet that leaves does so in the process that sends it, or later, in an interrupt; one that arrives
 * always in an interrupt. So each socket remembers who sent by it last.
 *
 * Nothing here uses the per-CPU scratch memory: an interrupt may come in the middle of another program.
 */
#include "packet.h"

static __always_inline bool packet__is_of_names(const struct packet_facts *facts, const __u16 direction)
{
    __u16 port = direction == PACKET_OUT ? facts->destination_port : facts->source_port;

    if (facts->transport != IPPROTO_UDP && facts->transport != IPPROTO_TCP)
        return false;
    WRITTEN_OUT
    for (int i = 0; i < PORTS_MAX; i++) {
        STOP_IF(!SETTING(name_ports[i]));
        if (SETTING(name_ports[i]) == port)
            return true;
    }
    return false;
}

static __always_inline bool packet__is_of_metadata(const struct packet_facts *facts, const __u16 direction)
{
    __u16 port = direction == PACKET_OUT ? facts->destination_port : facts->source_port;
    const __u32 *remote;

    if (facts->transport != IPPROTO_TCP || port != SETTING(metadata_port))
        return false;
    remote = direction == PACKET_OUT ? facts->destination : facts->source;
    if (facts->version == 4)
        return remote[0] == SETTING(metadata_ipv4);
    WRITTEN_OUT
    for (int i = 0; i < 4; i++)
        if (remote[i] != SETTING(metadata_ipv6[i]))
            return false;
    return true;
}

/* KIND_* of the packet, 0 if nobody wants it. */
static __always_inline __u32 packet__kind(const struct packet_facts *facts, const __u16 direction)
{
    /* Of TCP only what has content, begins or ends. */
    bool says_something =
        facts->transport != IPPROTO_TCP || facts->has_payload || facts->tcp_flags & TCP_FLAGS_BEGIN_OR_END;

    if (packet__is_of_names(facts, direction) && filter__keeps(KIND_DNS) != FILTER_KEEP_NONE)
        return says_something ? KIND_DNS : 0;
    if (packet__is_of_metadata(facts, direction) && filter__keeps(KIND_IMDS) != FILTER_KEEP_NONE)
        return says_something ? KIND_IMDS : 0;
    return 0;
}

#ifdef CWS_OLD_KERNEL
#include "old_packets.bpf.c"
#else

/* Who has sent by a socket last. */
struct {
    __uint(type, BPF_MAP_TYPE_SK_STORAGE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, int);
    __type(value, struct task_context);
} socket_users SEC(".maps");

/*
 * The current task if it is the one that sends, and not one that was interrupted. A TCP socket is then owned
 * by it: an interrupt leaves a socket alone that a process owns. Other sockets of processes send nothing by
 * themselves, and those of the kernel have no file.
 */
static __always_inline struct task_struct *packet__sender(struct sock *sock, const __u16 direction)
{
    struct task_struct *task = (void *)bpf_get_current_task();

    if (direction != PACKET_OUT || BPF_CORE_READ(task, flags) & PF_KTHREAD)
        return NULL;
    if (sock__protocol(sock) == IPPROTO_TCP)
        return BPF_CORE_READ(sock, sk_lock.owned) ? task : NULL;
    return BPF_CORE_READ(sock, sk_socket, file) ? task : NULL;
}

/* An id of nobody. */
#define NO_ID 0xffffffff

/* Nobody is known who has used the socket: of a socket of a process all that is left is its user. */
static __always_inline void context__fill_unknown(struct task_context *context, struct sock *sock)
{
    __u32 uid = NO_ID;

    __builtin_memset(context, 0, sizeof(*context));
    if (BPF_CORE_READ(sock, sk_socket, file))
        uid = BPF_CORE_READ(sock, sk_uid.val);
    context->uid = context->euid = context->fsuid = uid;
    context->gid = context->egid = context->fsgid = NO_ID;
    context->auid = context->session_id = NO_ID;
}

/* Fills the context of the record; gives RECORD_FLAG_*. */
static __always_inline __u16 packet__fill_context(struct task_context *context, struct bpf_sock *socket,
                                                  struct sock *sock, struct task_struct *sender)
{
    struct task_context *user;

    if (sender) {
        context__fill(context, sender);
        user = bpf_sk_storage_get(&socket_users, socket, NULL, BPF_SK_STORAGE_GET_F_CREATE);
        if (user)
            *user = *context;
        return 0;
    }
    user = bpf_sk_storage_get(&socket_users, socket, NULL, 0);
    if (user)
        *context = *user;
    else
        context__fill_unknown(context, sock);
    return RECORD_FLAG_REMEMBERED;
}

struct packet_record {
    struct record_header header;
    struct task_context context;
    struct packet_body body;
};

/* The kernel's socket or buffer, to read from. The verifier lets nobody calculate with the pointer that it
 * knows the type of, but forgets that type of what went through memory. */
static __always_inline void *kernel__address(struct packet_record *record, void *known)
{
    volatile __u64 *place = &record->body.socket;

    *place = (__u64)known;
    return (void *)*place;
}

/* Sends a packet, in a record that has room for `room` bytes of it. */
static __always_inline void packet__send(struct __sk_buff *skb, struct bpf_sock *socket,
                                         const __u16 direction, __u32 kind, const __u64 room)
{
    struct packet_record *record;
    struct sk_buff___end *buffer;
    struct sock *sock;
    __u64 length = skb->len;
    struct net *net;

    record = bpf_ringbuf_reserve(&events, sizeof(*record) + room, 0);
    if (!record) {
        losses__count(kind);
        return;
    }
    sock = kernel__address(record, socket);
    buffer = kernel__address(record, skb);
    if (length > room)
        length = room;
    header__fill(&record->header, kind, (sizeof(*record) + length + 7) & ~7ULL);
    record->header.flags =
        packet__fill_context(&record->context, socket, sock, packet__sender(sock, direction));
    __builtin_memset(&record->body, 0, sizeof(record->body));
    record->body.socket = bpf_get_socket_cookie(skb);
    record->body.length = skb->len;
    record->body.interface = skb->ifindex;
    record->body.direction = direction;
    record->body.protocol = network__host_order(skb->protocol);
    if (kind == KIND_DNS)
        record->body.segment_size = buffer__segment_size(buffer);
    if (length < skb->len)
        record->body.flags |= PACKET_FLAG_TRUNCATED;
    net = BPF_CORE_READ(sock, __sk_common.skc_net.net);
    record->body.net_ns = BPF_CORE_READ(net, ns.inum);
    net__interface_name(net, skb->ifindex, record->body.interface_name);
    /* Two comparisons, not one of a difference: older verifiers would not learn that it is not 0. */
    barrier_var(length);
    if (length >= sizeof(struct ipv4_header)) {
        barrier_var(length);
        if (length <= room && !bpf_skb_load_bytes(skb, 0, (void *)record + sizeof(*record), length)) {
            record->body.data.offset = sizeof(*record);
            record->body.data.length = length;
        }
    }
    if (!record->body.data.length)
        record->header.errors |= ERROR_GIVEN_VALUE;
    bpf_ringbuf_submit(record, 0);
}

/* Adds a packet to its flow. */
static __noinline int flow__count(struct __sk_buff *skb, const struct packet_facts *facts,
                                  struct bpf_sock *socket, const __u16 direction)
{
    struct task_context *user;
    struct task_struct *sender;
    struct flow_state *state;
    struct flow_key key = {};
    struct sock *sock;

    flow_key__fill(&key, skb, facts, direction);
    state = bpf_map_lookup_elem(&flows, &key);
    if (!state) {
        bpf_map_update_elem(&flows, &key, (void *)&new_flow, BPF_NOEXIST);
        state = bpf_map_lookup_elem(&flows, &key);
        if (!state) {
            losses__count(KIND_FLOWS);
            return 0;
        }
        *(volatile __u64 *)&state->sock = (__u64)socket;
        sock = (void *)*(volatile __u64 *)&state->sock;
        state->net_ns = BPF_CORE_READ(sock, __sk_common.skc_net.net, ns.inum);
        net__interface_name(BPF_CORE_READ(sock, __sk_common.skc_net.net), key.interface,
                            state->interface_name);
        context__fill_unknown(&state->context, sock);
    }
    flow_count__add(&state->total, skb->len, direction);
    if (state->context.pid)
        return 0;
    sender = packet__sender((void *)*(volatile __u64 *)&state->sock, direction);
    if (sender) {
        context__fill(&state->context, sender);
        return 0;
    }
    user = bpf_sk_storage_get(&socket_users, socket, NULL, 0);
    if (user)
        state->context = *user;
    return 0;
}

static __always_inline int packet(struct __sk_buff *skb, const __u16 direction)
{
    struct packet_facts facts = {};
    struct bpf_sock *socket = skb->sk;
    bool any, counts;
    __u32 kind;

    if (!socket || !packet__look(skb, &facts))
        return 1;
    any = packet__is_wanted(&facts);
    kind = packet__kind(&facts, direction);
    counts = filter__keeps(KIND_FLOWS) != FILTER_KEEP_NONE;
    if (!kind && !any && !counts)
        return 1;
    socket = bpf_sk_fullsock(socket);
    if (!socket)
        return 1;
    if (counts)
        flow__count(skb, &facts, socket, direction);
    if (any)
        packet__send(skb, socket, direction, KIND_PACKET, ANY_PACKET_SIZE_MAX);
    if (!kind)
        return 1;
    /* No larger than it needs. */
    if (skb->len <= 256)
        packet__send(skb, socket, direction, kind, 256);
    else if (skb->len <= 1536)
        packet__send(skb, socket, direction, kind, 1536);
    else
        packet__send(skb, socket, direction, kind, SERVICE_PACKET_SIZE_MAX);
    return 1;
}

/* 1: go on. Whatever is seen here passes. */
SEC("cgroup_skb/egress")
int packet_out(struct __sk_buff *skb)
{
    return packet(skb, PACKET_OUT);
}

SEC("cgroup_skb/ingress")
int packet_in(struct __sk_buff *skb)
{
    return packet(skb, PACKET_IN);
}

#endif
