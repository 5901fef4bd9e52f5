/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Traffic by flow: what went between two endpoints by one socket. Counted where packets are seen, and told
 * once in a period, when user space reads the iterator. */
#include "packet.h"

struct flow_key {
    /* Identity of the socket. */
    __u64 socket;
    __u32 local[4];
    __u32 remote[4];
    __u16 local_port;
    __u16 remote_port;
    __u32 interface;
    __u16 transport;
    /* As the packet says it, in the byte order of the network. */
    __u16 protocol;
};

struct flow_count {
    __u64 bytes_out;
    __u64 packets_out;
    __u64 bytes_in;
    __u64 packets_in;
};

struct flow_state {
    /* Whose it is: the first one of whom that is known. */
    struct task_context context;
    struct flow_count total;
    /* What was told of it. */
    struct flow_count told;
    /* Its address, of which no type is known any more; see socket__address(). */
    __u64 sock;
    __u32 net_ns;
    __u32 _pad;
    __u8 interface_name[INTERFACE_NAME_SIZE];
};

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 16384);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, struct flow_key);
    __type(value, struct flow_state);
} flows SEC(".maps");

/* Too large for the stack. */
const volatile struct flow_state new_flow = {};

struct flow_record {
    struct record_header header;
    struct task_context context;
    struct flows_body body;
    struct flow flow;
};

static __always_inline void flow_key__fill(struct flow_key *key, struct __sk_buff *skb,
                                           const struct packet_facts *facts, const __u16 direction)
{
    bool is_out = direction == PACKET_OUT;

    key->socket = bpf_get_socket_cookie(skb);
    key->interface = skb->ifindex;
    for (int i = 0; i < 4; i++) {
        key->local[i] = is_out ? facts->source[i] : facts->destination[i];
        key->remote[i] = is_out ? facts->destination[i] : facts->source[i];
    }
    key->local_port = is_out ? facts->source_port : facts->destination_port;
    key->remote_port = is_out ? facts->destination_port : facts->source_port;
    key->transport = facts->transport;
    key->protocol = skb->protocol;
}

static __always_inline void flow_count__add(struct flow_count *count, __u32 bytes, const __u16 direction)
{
    if (direction == PACKET_OUT) {
        __sync_fetch_and_add(&count->bytes_out, bytes);
        __sync_fetch_and_add(&count->packets_out, 1);
    } else {
        __sync_fetch_and_add(&count->bytes_in, bytes);
        __sync_fetch_and_add(&count->packets_in, 1);
    }
}

/* Reading it gives a record for each flow in which there was traffic since the last time; the others go. */
SEC("iter/bpf_map_elem")
int flush_flows(struct bpf_iter__bpf_map_elem *ctx)
{
    struct flow_state *state = ctx->value;
    struct flow_key *found = ctx->key;
    struct flow_record record = {};
    struct flow_count total;
    struct flow_key key;
    struct flow *flow = &record.flow;

    if (!found || !state)
        return 0;
    key = *found;
    total = state->total;
    if (total.packets_out == state->told.packets_out && total.packets_in == state->told.packets_in) {
        bpf_map_delete_elem(&flows, &key);
        return 0;
    }
    header__fill(&record.header, KIND_FLOWS, sizeof(record));
    record.header.flags = RECORD_FLAG_REMEMBERED;
    record.context = state->context;
    record.body.interface = key.interface;
    record.body.net_ns = state->net_ns;
    record.body.flows.offset = __builtin_offsetof(struct flow_record, flow);
    record.body.flows.length = sizeof(*flow);
    __builtin_memcpy(record.body.interface_name, state->interface_name, INTERFACE_NAME_SIZE);
    flow->bytes_out = total.bytes_out - state->told.bytes_out;
    flow->packets_out = total.packets_out - state->told.packets_out;
    flow->bytes_in = total.bytes_in - state->told.bytes_in;
    flow->packets_in = total.packets_in - state->told.packets_in;
    __builtin_memcpy(flow->local, key.local, sizeof(flow->local));
    __builtin_memcpy(flow->remote, key.remote, sizeof(flow->remote));
    flow->local_port = key.local_port;
    flow->remote_port = key.remote_port;
    flow->transport = key.transport;
    flow->protocol = network__host_order(key.protocol);
    state->told = total;
    bpf_seq_write(ctx->meta->seq, &record, sizeof(record));
    return 0;
}
