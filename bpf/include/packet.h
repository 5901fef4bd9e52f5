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

/* Headers of IPv6 between the first and the one of the transport layer. */
#define IPV6_HEADERS_MAX       6
#define IPPROTO_HOPOPTS        0
#define IPPROTO_ROUTING        43
#define IPPROTO_FRAGMENT       44
#define IPPROTO_AH             51
#define IPPROTO_DSTOPTS        60
#define TCP_FLAGS_BEGIN_OR_END 0x07 /* FIN, SYN, RST */

struct packet_facts {
    /* The remote address: IPv4 in the first word. */
    __u32 remote[4];
    __u8 version;
    /* IPPROTO_*; 0: not known. */
    __u8 transport;
    /* TCP: flags of its header. */
    __u8 tcp_flags;
    /* There is something behind the header of the transport layer. */
    bool has_payload;
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

/* Looks at the headers. False if the packet is no IP. */
static __always_inline bool packet__look(PACKET *skb, struct packet_facts *facts, const __u16 direction)
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
        facts->remote[0] = direction == PACKET_OUT ? header.destination : header.source;
        facts->transport = header.transport;
        if (!(header.fragment & __builtin_bswap16(0x1fff)))
            transport = (header.version_and_length & 15) * 4;
    } else if (facts->version == 6) {
        struct ipv6_header header;

        if (packet__load(skb, 0, &header, sizeof(header)))
            return false;
        WRITTEN_OUT
        for (int i = 0; i < 4; i++)
            facts->remote[i] = direction == PACKET_OUT ? header.destination[i] : header.source[i];
        transport = ipv6__find_transport(skb, facts, header.next);
    } else {
        return false;
    }
    if (!transport)
        return true;
    if (facts->transport == IPPROTO_TCP) {
        struct tcp_header header;

        if (packet__load(skb, transport, &header, sizeof(header)))
            return true;
        facts->source_port = network__host_order(header.source);
        facts->destination_port = network__host_order(header.destination);
        facts->tcp_flags = header.flags;
        facts->has_payload = skb->len > transport + (header.length >> 4) * 4;
    } else if (facts->transport == IPPROTO_UDP) {
        __be16 ports[2];

        if (packet__load(skb, transport, ports, sizeof(ports)))
            return true;
        facts->source_port = network__host_order(ports[0]);
        facts->destination_port = network__host_order(ports[1]);
        facts->has_payload = skb->len > transport + 8;
    }
    return true;
}

#endif /* PACKET_H */
