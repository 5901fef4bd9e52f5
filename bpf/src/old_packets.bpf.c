/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Packets on kernels where programs at control groups can neither see who sends nor send records
 * (before 5.4): where devices are given a packet and give one up. What lies in other pages than the headers
 * is not told (most of what TCP sends), and a packet is seen on each device that it passes with its socket.
 *
 * Who has sent last is remembered by addresses and ports. Bottom halves are off in both places, so these
 * programs have memory of their own on each CPU and do not meet in it.
 */

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct sk_buff {
    struct sock *sk;
    struct net_device *dev;
    unsigned char *head;
    unsigned char *data;
    unsigned int len;
    unsigned int data_len;
    __u16 network_header;
    __be16 protocol;
};

struct net_device___namespace {
    possible_net_t nd_net;
};

#pragma clang attribute pop

/* A conversation, as its process sees it. */
struct conversation {
    __u32 net_ns;
    __u32 remote[4];
    __u16 own_port;
    __u16 remote_port;
    __u32 transport;
};

struct conversation_user {
    struct task_context context;
    /* Stands for the socket. */
    __u64 since_ns;
};

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 4096);
    __type(key, struct conversation);
    __type(value, struct conversation_user);
} conversation_users SEC(".maps");

struct packet_record {
    struct record_header header;
    struct task_context context;
    struct packet_body body;
    __u8 data[SERVICE_PACKET_SIZE_MAX + 8];
};

struct packet_scratch {
    struct packet_record record;
    struct packet_facts facts;
};

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct packet_scratch);
} packet_scratch SEC(".maps");

static __always_inline struct packet_scratch *packet__scratch(void)
{
    __u32 zero = 0;

    return bpf_map_lookup_elem(&packet_scratch, &zero);
}

/* The current task if it is the one that sends. */
static __always_inline struct task_struct *packet__sender(struct sock *sock, const __u16 direction)
{
    struct task_struct *task = (void *)bpf_get_current_task();

    if (direction != PACKET_OUT || BPF_CORE_READ(task, flags) & PF_KTHREAD)
        return NULL;
    if (sock__protocol(sock) == IPPROTO_TCP)
        return BPF_CORE_READ(sock, sk_lock.owned) ? task : NULL;
    return BPF_CORE_READ(sock, sk_socket, file) ? task : NULL;
}

/* Fills the context of the record in the packet scratch, and what stands for the socket. */
static __always_inline void packet__fill_context(struct packet_scratch *scratch, struct task_struct *sender,
                                                 const __u16 direction)
{
    struct packet_record *record = &scratch->record;
    bool out = direction == PACKET_OUT;
    struct conversation conversation = {
        .net_ns = record->body.net_ns,
        .own_port = out ? scratch->facts.source_port : scratch->facts.destination_port,
        .remote_port = out ? scratch->facts.destination_port : scratch->facts.source_port,
        .transport = scratch->facts.transport,
    };
    struct conversation_user *user;

    __builtin_memcpy(conversation.remote, out ? scratch->facts.destination : scratch->facts.source,
                     sizeof(conversation.remote));
    user = bpf_map_lookup_elem(&conversation_users, &conversation);
    if (sender) {
        /* On the stack: before 4.18 (d71962f3e627) maps take values from nowhere else. */
        struct conversation_user sending = {.since_ns = user ? user->since_ns : bpf_ktime_get_ns()};

        context__fill(&record->context, sender);
        sending.context = record->context;
        record->body.socket = sending.since_ns;
        bpf_map_update_elem(&conversation_users, &conversation, &sending, BPF_ANY);
        return;
    }
    record->header.flags = RECORD_FLAG_REMEMBERED;
    if (user) {
        record->context = user->context;
        record->body.socket = user->since_ns;
    } else {
        __builtin_memset(&record->context, 0, sizeof(record->context));
        record->body.socket = 0;
    }
}

/* Sends the packet with as much of it as may be told. */
__noinline int packet__send(void *ctx, struct packet_scratch *scratch, const struct packet *packet,
                            __u64 room)
{
    struct packet_record *record = &scratch->record;
    __u64 length = packet->length;
    __u64 size;

    if (length > room)
        length = room;
    record->body.length = packet->len;
    record->body.flags = length < packet->len ? PACKET_FLAG_TRUNCATED : 0;
    record->header.errors = 0;
    record->body.data.offset = 0;
    record->body.data.length = 0;
    barrier_var(length);
    if (length > SERVICE_PACKET_SIZE_MAX || bpf_probe_read_kernel(record->data, length, packet->start)) {
        record->header.errors |= ERROR_GIVEN_VALUE;
        length = 0;
    } else if (length) {
        record->body.data.offset = __builtin_offsetof(struct packet_record, data);
        record->body.data.length = length;
    }
    size = (__builtin_offsetof(struct packet_record, data) + length + 7) & ~7ULL;
    record->header.size = size;
    barrier_var(size);
    if (size > 0 && size <= sizeof(*record))
        bpf_perf_event_output(ctx, &events, BPF_F_CURRENT_CPU, record, size);
    return 0;
}

static __always_inline int packet(void *ctx, struct sk_buff *skb, const __u16 direction)
{
    struct packet_scratch *scratch = packet__scratch();
    bool any = filter__keeps(KIND_PACKET) != FILTER_KEEP_NONE;
    unsigned char *data = BPF_CORE_READ(skb, data);
    struct sock *sock = BPF_CORE_READ(skb, sk);
    struct net_device *device = BPF_CORE_READ(skb, dev);
    struct packet_record *record;
    struct packet packet = {};
    unsigned char *start = data;
    __u32 before, kind;

    if (!scratch || (direction == PACKET_OUT && !sock))
        return 0;
    if (direction == PACKET_OUT)
        start = BPF_CORE_READ(skb, head) + BPF_CORE_READ(skb, network_header);
    before = start - data;
    packet.start = start;
    packet.len = BPF_CORE_READ(skb, len) - before;
    packet.length = packet.len - BPF_CORE_READ(skb, data_len);
    __builtin_memset(&scratch->facts, 0, sizeof(scratch->facts));
    if (!packet__look(&packet, &scratch->facts))
        return 0;
    kind = packet__kind(&scratch->facts, direction);
    if (!kind && !any)
        return 0;
    record = &scratch->record;
    header__fill(&record->header, kind ? kind : KIND_PACKET, 0);
    __builtin_memset(&record->body, 0, sizeof(record->body));
    record->body.direction = direction;
    record->body.protocol = network__host_order(BPF_CORE_READ(skb, protocol));
    record->body.interface = BPF_CORE_READ(device, ifindex);
    record->body.net_ns = BPF_CORE_READ((struct net_device___namespace *)device, nd_net.net, ns.inum);
    BPF_CORE_READ_STR_INTO(&record->body.interface_name, device, name);
    record->body.segment_size = buffer__segment_size((void *)skb);
    packet__fill_context(scratch, packet__sender(sock, direction), direction);
    if (kind)
        packet__send(ctx, scratch, &packet, SERVICE_PACKET_SIZE_MAX);
    if (any) {
        record->header.kind = KIND_PACKET;
        packet__send(ctx, scratch, &packet, ANY_PACKET_SIZE_MAX);
    }
    return 0;
}

AT_TRACEPOINT("net_dev_queue")
int BPF_PROG(packet_out, struct sk_buff *skb)
{
    return packet(ctx, skb, PACKET_OUT);
}

AT_TRACEPOINT("netif_receive_skb")
int BPF_PROG(packet_in, struct sk_buff *skb)
{
    return packet(ctx, skb, PACKET_IN);
}
