/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Programs that see packets: their context, and what of a packet decides whether it is told. */
#ifndef PACKET_H
#define PACKET_H

#ifdef CWS_OLD_KERNEL

/* The bytes of a packet that lie together, from the IP header on. */
struct packet {
    const void *start;
    __u32 length;
    /* Of the packet. */
    __u32 len;
};

static __always_inline long packet__load(struct packet *packet, __u32 offset, void *to, const __u32 size)
{
    if (offset + size > packet->length)
        return -1;
    return bpf_probe_read_kernel(to, size, packet->start + offset);
}

#define PACKET struct packet

#else

/* uapi/linux/bpf.h: what a program is given in place of the kernel's buffer. A fixed interface, so without
 * relocations. */
struct __sk_buff {
    __u32 len;
    __u32 pkt_type;
    __u32 mark;
    __u32 queue_mapping;
    __u32 protocol;
    __u32 vlan_present;
    __u32 vlan_tci;
    __u32 vlan_proto;
    __u32 priority;
    __u32 ingress_ifindex;
    __u32 ifindex;
    __u32 tc_index;
    __u32 cb[5];
    __u32 hash;
    __u32 tc_classid;
    __u32 data;
    __u32 data_end;
    __u32 napi_id;
    __u32 family;
    __u32 remote_ip4;
    __u32 local_ip4;
    __u32 remote_ip6[4];
    __u32 local_ip6[4];
    __u32 remote_port;
    __u32 local_port;
    __u32 data_meta;
    __u64 flow_keys;
    __u64 tstamp;
    __u32 wire_len;
    __u32 gso_segs;
    struct bpf_sock *sk;
};

#define PACKET       struct __sk_buff
#define packet__load bpf_skb_load_bytes

#endif

/* include/linux/skbuff.h: datagrams in one buffer, which are taken apart later, or were put together (since
 * 4.18, like the option UDP_SEGMENT). A fragmented datagram in one buffer (SKB_GSO_UDP) has another bit. */
#define SKB_GSO_UDP_L4 (1 << 17)

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct sk_buff___end {
    unsigned char *head;
    /* An offset, as on all machines of 64 bits. */
    unsigned int end;
};

struct skb_shared_info {
    unsigned short gso_size;
    unsigned int gso_type;
};

#pragma clang attribute pop

/* Bytes of each datagram of a buffer that holds several; 0: it holds one. */
static __always_inline __u32 buffer__segment_size(struct sk_buff___end *buffer)
{
    struct skb_shared_info *shared = (void *)(BPF_CORE_READ(buffer, head) + BPF_CORE_READ(buffer, end));

    return BPF_CORE_READ(shared, gso_type) & SKB_GSO_UDP_L4 ? BPF_CORE_READ(shared, gso_size) : 0;
}

/* Headers of IPv6 between the first and the one of the transport layer. */
#define IPV6_HEADERS_MAX       6
#define IPPROTO_HOPOPTS        0
#define IPPROTO_ROUTING        43
#define IPPROTO_FRAGMENT       44
#define IPPROTO_AH             51
#define IPPROTO_DSTOPTS        60
#define TCP_FLAGS_BEGIN_OR_END 0x07 /* FIN, SYN, RST */

#define IPPROTO_SCTP 132
#define IPPROTO_MH   135

struct packet_facts {
    /* IPv4 in the first word. */
    __u32 source[4];
    __u32 destination[4];
    __u8 version;
    /* IPPROTO_*; 0: not known. */
    __u8 transport;
    /* TCP: flags of its header. */
    __u8 tcp_flags;
    /* There is something behind the header of the transport layer. */
    bool has_payload;
    /* That header follows the one of IP at once, and is no part of a fragment. */
    bool is_plain;
    __u16 source_port;
    __u16 destination_port;
};

struct ipv4_header {
    __u8 version_and_length;
    __u8 service;
    __be16 total;
    __be16 id;
    __be16 fragment;
    __u8 lifetime;
    __u8 transport;
    __be16 checksum;
    __u32 source;
    __u32 destination;
};

struct ipv6_header {
    __u32 version;
    __be16 length;
    __u8 next;
    __u8 hops;
    __u32 source[4];
    __u32 destination[4];
};

struct tcp_header {
    __be16 source;
    __be16 destination;
    __u32 sequence;
    __u32 acknowledged;
    __u8 length;
    __u8 flags;
};

/* Finds the header of the transport layer behind an IPv6 header. 0: there is none within reach. */
static __always_inline __u32 ipv6__find_transport(PACKET *skb, struct packet_facts *facts, __u8 next)
{
    __u32 offset = sizeof(struct ipv6_header);

    WRITTEN_OUT
    for (int i = 0; i < IPV6_HEADERS_MAX; i++) {
        __u8 start[4];

        if (next != IPPROTO_HOPOPTS && next != IPPROTO_ROUTING && next != IPPROTO_FRAGMENT &&
            next != IPPROTO_AH && next != IPPROTO_DSTOPTS) {
            facts->transport = next;
            return offset;
        }
        if (packet__load(skb, offset, start, sizeof(start)))
            return 0;
        if (next == IPPROTO_FRAGMENT) {
            /* Not the first fragment. */
            if (start[2] || start[3] & 0xf8)
                return 0;
            offset += 8;
        } else if (next == IPPROTO_AH) {
            offset += ((__u32)start[1] + 2) * 4;
        } else {
            offset += ((__u32)start[1] + 1) * 8;
        }
        next = start[0];
    }
    return 0;
}

/* Of IPv4: neither a fragment nor followed by more fragments. */
#define IPV4_FRAGMENT_BITS __builtin_bswap16(0x3fff)
#define IPV4_OFFSET_BITS   __builtin_bswap16(0x1fff)

static __always_inline void packet__set_ports(struct packet_facts *facts, const __be16 *ports)
{
    facts->source_port = network__host_order(ports[0]);
    facts->destination_port = network__host_order(ports[1]);
}

/* Reads the header of the transport layer at an offset. */
static __always_inline void packet__look_at_transport(PACKET *skb, struct packet_facts *facts,
                                                      __u32 transport)
{
    if (facts->transport == IPPROTO_TCP) {
        struct tcp_header header;

        if (packet__load(skb, transport, &header, sizeof(header)))
            return;
        packet__set_ports(facts, &header.source);
        facts->tcp_flags = header.flags;
        facts->has_payload = skb->len > transport + (header.length >> 4) * 4;
    } else if (facts->transport == IPPROTO_UDP) {
        __be16 ports[2];

        if (packet__load(skb, transport, ports, sizeof(ports)))
            return;
        packet__set_ports(facts, ports);
        facts->has_payload = skb->len > transport + 8;
    }
}

/* Looks at the headers, wherever they are. False if the packet is no IP. */
SEPARATE bool packet__look_closely(PACKET *skb, struct packet_facts *facts)
{
    __u32 transport = 0;
    __u8 version;

    if (packet__load(skb, 0, &version, 1))
        return false;
    facts->version = version >> 4;
    if (facts->version == 4) {
        struct ipv4_header header;

        if (packet__load(skb, 0, &header, sizeof(header)))
            return false;
        facts->source[0] = header.source;
        facts->destination[0] = header.destination;
        facts->transport = header.transport;
        if (!(header.fragment & IPV4_OFFSET_BITS))
            transport = (header.version_and_length & 15) * 4;
    } else if (facts->version == 6) {
        struct ipv6_header header;

        if (packet__load(skb, 0, &header, sizeof(header)))
            return false;
        WRITTEN_OUT
        for (int i = 0; i < 4; i++) {
            facts->source[i] = header.source[i];
            facts->destination[i] = header.destination[i];
        }
        transport = ipv6__find_transport(skb, facts, header.next);
    } else {
        return false;
    }
    if (transport)
        packet__look_at_transport(skb, facts, transport);
    return true;
}

#ifdef CWS_OLD_KERNEL

static __always_inline bool packet__look(struct packet *packet, struct packet_facts *facts)
{
    return packet__look_closely(packet, facts);
}

#else

static __always_inline bool transport__is_plain(__u8 transport)
{
    return transport == IPPROTO_TCP || transport == IPPROTO_UDP;
}

/* Reads a byte that was compared before once more, so that the verifier does not go on with each value that
 * it can have as with another packet. */
static __always_inline __u8 packet__byte(const volatile __u8 *byte)
{
    return *byte;
}

/*
 * The same for what nearly all packets are: TCP or UDP at once behind IP, in the part of the packet that lies
 * in one piece. Without any call. False if the packet is another one.
 */
static __always_inline bool packet__look_quickly(struct __sk_buff *skb, struct packet_facts *facts)
{
    void *start = (void *)(long)skb->data;
    void *end = (void *)(long)skb->data_end;
    struct ipv4_header *ipv4 = start;
    struct tcp_header *header;
    __u32 transport;

    if (start + sizeof(*ipv4) > end)
        return false;
    if (ipv4->version_and_length == 0x45) {
        if (ipv4->fragment & IPV4_FRAGMENT_BITS || !transport__is_plain(ipv4->transport))
            return false;
        transport = sizeof(*ipv4);
        facts->version = packet__byte(&ipv4->version_and_length) >> 4;
        facts->transport = packet__byte(&ipv4->transport);
        facts->source[0] = ipv4->source;
        facts->destination[0] = ipv4->destination;
    } else if (ipv4->version_and_length >> 4 == 6) {
        struct ipv6_header *ipv6 = start;

        if (start + sizeof(*ipv6) > end || !transport__is_plain(ipv6->next))
            return false;
        transport = sizeof(*ipv6);
        facts->version = packet__byte((__u8 *)&ipv6->version) >> 4;
        facts->transport = packet__byte(&ipv6->next);
        for (int i = 0; i < 4; i++) {
            facts->source[i] = ipv6->source[i];
            facts->destination[i] = ipv6->destination[i];
        }
    } else {
        return false;
    }
    header = start + transport;
    if ((void *)header + 8 > end)
        return false;
    packet__set_ports(facts, &header->source);
    if (facts->transport == IPPROTO_TCP) {
        if ((void *)(header + 1) > end)
            return false;
        facts->tcp_flags = header->flags;
        facts->has_payload = skb->len > transport + (header->length >> 4) * 4;
    } else {
        facts->has_payload = skb->len > transport + 8;
    }
    facts->is_plain = true;
    return true;
}

/* Looks at the headers. False if the packet is no IP. */
static __always_inline bool packet__look(struct __sk_buff *skb, struct packet_facts *facts)
{
    if (packet__look_quickly(skb, facts))
        return true;
    __builtin_memset(facts, 0, sizeof(*facts));
    return packet__look_closely(skb, facts);
}

/*
 * ---- conditions: the meaning is that of proto/src/filter/packet.rs ----------------------------------
 *
 * Without a branch but the one on the result: the verifier would follow each branch of each condition.
 */

/* 1 if a value is not 0. The compiler would make a branch of it if it understood. */
static __always_inline __u64 bit__if(__u64 value)
{
    __u64 negative = 0 - value;

    barrier_var(negative);
    return (value | negative) >> 63;
}

/* 1 if a port lies within. */
static __always_inline __u64 ports__hold(const struct filter_ports *ports, __u64 port)
{
    __u64 below = port - ports->low, above = ports->high - port;

    barrier_var(below);
    return 1 ^ ((below | above) >> 63);
}

/* 1 if an address lies within. */
static __always_inline __u64 network__holds(const struct filter_network *network, const __u32 *address)
{
    __u64 differs = 0;

    for (int i = 0; i < 4; i++)
        differs |= (address[i] & network->mask[i]) ^ network->address[i];
    return 1 ^ bit__if(differs);
}

/* 1 if what holds for source and destination is what is wanted. */
static __always_inline __u64 side__allows(__u64 side, __u64 source, __u64 destination)
{
    return side >> (source | destination << 1) & 1;
}

/* Whether a packet satisfies a condition. */
static __always_inline bool packet__satisfies(const struct packet_facts *facts,
                                              const struct filter_packet *wanted)
{
    /* What stands behind other headers, or in other protocols, is left to user space. */
    __u64 unknown = 1 ^ facts->is_plain;
    __u64 result = 1, transport = 1;

    result &= 1 ^ (bit__if(wanted->version) & bit__if(wanted->version ^ facts->version));
    transport &= 1 ^ (bit__if(wanted->transport) & bit__if(wanted->transport ^ facts->transport));
    transport &= 1 ^ (bit__if(wanted->tcp_flags) & (1 ^ bit__if(wanted->tcp_flags & facts->tcp_flags)));
    for (int i = 0; i < FILTER_PACKET_PARTS_MAX; i++) {
        const struct filter_ports *ports = &wanted->ports[i];
        const struct filter_network *network = &wanted->networks[i];

        transport &= side__allows(ports->side, ports__hold(ports, facts->source_port),
                                  ports__hold(ports, facts->destination_port));
        result &= side__allows(network->side, network__holds(network, facts->source),
                               network__holds(network, facts->destination));
    }
    result &= unknown | transport;
    barrier_var(result);
    return result;
}

/* Whether any rule can match a packet. */
static __always_inline bool packet__is_wanted(const struct packet_facts *facts)
{
    struct judgement judgement = {};
    struct filter_packet_list *list;

    if (!judgement__begin(&judgement, KIND_PACKET))
        return false;
    if (judgement.keep != FILTER_KEEP_MATCHING)
        return true;
    list = bpf_map_lookup_elem(&filter_packets, &judgement.generation);
    if (!list)
        return true;
    for (__u32 i = 0; i < FILTER_PACKETS_MAX; i++) {
        if (i >= list->count)
            break;
        if (packet__satisfies(facts, &list->packets[i]))
            return true;
    }
    return judgement__narrow(&judgement, 0);
}

#endif

#endif /* PACKET_H */
