/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Records of sockets and packets. Part of events.h, which says the rules. */
#ifndef EVENTS_NETWORK_H
#define EVENTS_NETWORK_H

/* ---- network ---------------------------------------------------------------------------------------- */

/* The largest path of a Unix socket, with the NUL that begins an abstract one. */
#define UNIX_PATH_SIZE_MAX 108
/* Instructions of a socket filter that are told; there are 4096 at most. */
#define SOCKET_FILTER_INSTRUCTIONS_MAX 2048
/* Bytes of a packet that are told, from the IP header on: of name and metadata services, and of any other. */
#define SERVICE_PACKET_SIZE_MAX 16384
#define ANY_PACKET_SIZE_MAX     512

#define INTERFACE_NAME_SIZE 16

/* ---- socket_body.flags, setsockopt_body.flags -------------------------------------------------------- */

/* The address (the filter) is what the caller gave: the kernel has not kept one, since the call failed. */
#define SOCKET_FLAG_GIVEN 0x0001
/* No call of its own: begun by sending (TCP fast open) or by io_uring. */
#define SOCKET_FLAG_NO_CALL 0x0002
/* setsockopt: there is a filter, and its end is missing. */
#define SOCKET_FLAG_FILTER_TRUNCATED 0x0004

/* ---- packet_body ------------------------------------------------------------------------------------- */

/* packet_body.direction: the values of SECL's INGRESS and EGRESS. */
#define PACKET_IN  2
#define PACKET_OUT 1

/* packet_body.flags: its end is missing. */
#define PACKET_FLAG_TRUNCATED 0x0001

/* Flows of one record. */
#define FLOWS_MAX 400

/* ---- structures ------------------------------------------------------------------------------------- */

/* bind, connect, accept. */
struct socket_body {
    __s64 retval;
    /* Of the socket; for accept the new one. */
    __s32 descriptor;
    /* SOCKET_FLAG_* */
    __u32 flags;
    /* AF_*: of the address; AF_UNSPEC if a connection was dissolved. */
    __u16 family;
    /* Port of the address, in the byte order of the host. */
    __u16 port;
    /* SOCK_* and IPPROTO_* of the socket. */
    __u16 type;
    __u16 protocol;
    /* bind: the own address; connect and accept: that of the peer. IPv4 in the first 4 bytes. */
    __u8 address[16];
    /* The same of a Unix socket; what begins with NUL is abstract. */
    struct span path;
    __u32 _pad;
};

struct setsockopt_body {
    __s64 retval;
    __s32 descriptor;
    /* SOCKET_FLAG_* */
    __u32 flags;
    /* As given. */
    __s32 level;
    __s32 option;
    /* Of the socket. */
    __u16 family;
    __u16 type;
    __u16 protocol;
    /* Instructions of the filter that was attached, before any cut. */
    __u16 filter_length;
    /* struct sock_filter each. */
    struct span filter;
    __u32 _pad;
};

struct packet_body {
    /* Identity of the socket as long as the machine runs. */
    __u64 socket;
    /* Bytes of the packet, from the IP header on, before any cut. What the kernel sends or has received in
     * one piece can be many packets of a network. */
    __u32 length;
    /* PACKET_FLAG_* */
    __u16 flags;
    /* UDP: bytes of each datagram, if the packet is several of them in a row behind one header (the last one
     * may be shorter). 0: it is one. */
    __u16 segment_size;
    __u32 interface;
    /* Inode number of the network namespace of the socket. */
    __u32 net_ns;
    /* PACKET_IN or PACKET_OUT */
    __u16 direction;
    /* ETH_P_*, in the byte order of the host. */
    __u16 protocol;
    /* From the IP header on. */
    struct span data;
    __u8 interface_name[INTERFACE_NAME_SIZE];
};

/* What went between two endpoints by one socket, since it was told last. */
struct flow {
    __u64 bytes_out;
    __u64 packets_out;
    __u64 bytes_in;
    __u64 packets_in;
    /* IPv4 in the first 4 bytes. */
    __u8 local[16];
    __u8 remote[16];
    /* In the byte order of the host; 0 for protocols without ports. */
    __u16 local_port;
    __u16 remote_port;
    /* IPPROTO_* */
    __u16 transport;
    /* ETH_P_*, in the byte order of the host. */
    __u16 protocol;
};

/* Always with RECORD_FLAG_REMEMBERED. */
struct flows_body {
    __u32 interface;
    /* Inode number of the network namespace of the sockets. */
    __u32 net_ns;
    /* struct flow each, FLOWS_MAX at most. */
    struct span flows;
    __u32 _pad;
    __u8 interface_name[INTERFACE_NAME_SIZE];
};

#endif /* EVENTS_NETWORK_H */
