/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The kernel's types of the network, as far as they are read (kernel.h says how), and what is read of them.
 */
#ifndef NETWORK_H
#define NETWORK_H

/* linux/socket.h, uapi/linux/in.h */
#define AF_UNSPEC   0
#define AF_UNIX     1
#define AF_INET     2
#define AF_INET6    10
#define IPPROTO_TCP 6
#define IPPROTO_UDP 17

/* uapi/linux/if_ether.h */
#define ETH_P_IP   0x0800
#define ETH_P_IPV6 0x86DD

/* uapi/linux/stat.h, uapi/linux/magic.h */
#define S_IFSOCK     0140000
#define SOCKFS_MAGIC 0x534F434B

/* uapi/asm-generic/errno.h, linux/errno.h */
#define ENETUNREACH  101
#define ETIMEDOUT    110
#define ECONNREFUSED 111
#define EHOSTUNREACH 113
#define EINPROGRESS  115
#define ERESTARTSYS  512

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct in6_addr {
    union {
        __u8 u6_addr8[16];
    } in6_u;
};

typedef struct {
    struct net *net;
} possible_net_t;

struct sock_common {
    __be32 skc_daddr;
    __be32 skc_rcv_saddr;
    __be16 skc_dport;
    __u16 skc_num;
    unsigned short skc_family;
    possible_net_t skc_net;
    struct in6_addr skc_v6_daddr;
    struct in6_addr skc_v6_rcv_saddr;
};

struct sock_filter;

struct sock_fprog_kern {
    __u16 len;
    struct sock_filter *filter;
};

struct sk_filter {
    struct bpf_prog *prog;
};

typedef struct {
    int owned;
} socket_lock_t;

struct socket;

struct sock {
    struct sock_common __sk_common;
    socket_lock_t sk_lock;
    struct socket *sk_socket;
    kuid_t sk_uid;
    __u16 sk_protocol;
    __u16 sk_type;
    struct sk_filter *sk_filter;
};

/* uapi/linux/net.h */
enum socket_state { SS_FREE, SS_UNCONNECTED, SS_CONNECTING, SS_CONNECTED, SS_DISCONNECTING };

struct socket {
    enum socket_state state;
    struct file *file;
    struct sock *sk;
};

struct unix_address {
    int len;
    /* struct sockaddr_un: the family, then the path. */
    struct {
    } name[0];
};

struct unix_sock {
    struct unix_address *addr;
    struct sock *peer;
};

struct net_device {
    char name[16];
    int ifindex;
    struct hlist_node index_hlist;
};

/* The tables of interfaces of a network namespace. */
struct net___interfaces {
    struct hlist_head *dev_index_head;
};

#pragma clang attribute pop

/* A struct sockaddr of any of the families that are told. */
struct any_address {
    __u16 family;
    __be16 port;
    union {
        __u8 v4[4];
        struct {
            __u32 flow;
            __u8 v6[16];
        };
    };
};

/* Protocol and type of a socket: bit fields up to 5.5 (bf9765145b85). */
static __always_inline __u16 sock__protocol(struct sock *sock)
{
#ifdef CWS_OLD_KERNEL
    return BPF_CORE_READ_BITFIELD_PROBED(sock, sk_protocol);
#else
    return BPF_CORE_READ(sock, sk_protocol);
#endif
}

static __always_inline __u16 sock__type(struct sock *sock)
{
#ifdef CWS_OLD_KERNEL
    return BPF_CORE_READ_BITFIELD_PROBED(sock, sk_type);
#else
    return BPF_CORE_READ(sock, sk_type);
#endif
}

/* The kernel's side of a socket's descriptor; NULL if it is none. */
static __always_inline struct sock *file__socket(struct file *file)
{
    struct inode *inode = BPF_CORE_READ(file, f_inode);
    struct socket *socket;

    if (!file || (BPF_CORE_READ(inode, i_mode) & S_IFMT) != S_IFSOCK ||
        BPF_CORE_READ(inode, i_sb, s_magic) != SOCKFS_MAGIC)
        return NULL;
    socket = BPF_CORE_READ(file, private_data);
    return BPF_CORE_READ(socket, sk);
}

static __always_inline struct sock *task__socket(struct task_struct *task, __s64 descriptor)
{
    return file__socket(task__file(task, descriptor));
}

static __always_inline __u16 network__host_order(__be16 value)
{
    return __builtin_bswap16(value);
}

/* The own address of an Internet socket. */
static __always_inline void socket_body__take_own(struct socket_body *body, struct sock *sock)
{
    body->family = BPF_CORE_READ(sock, __sk_common.skc_family);
    body->port = BPF_CORE_READ(sock, __sk_common.skc_num);
    if (body->family == AF_INET)
        bpf_core_read(body->address, 4, &sock->__sk_common.skc_rcv_saddr);
    else if (body->family == AF_INET6)
        bpf_core_read(body->address, 16, &sock->__sk_common.skc_v6_rcv_saddr);
}

/* That of its peer. */
static __always_inline void socket_body__take_peer(struct socket_body *body, struct sock *sock)
{
    body->family = BPF_CORE_READ(sock, __sk_common.skc_family);
    body->port = network__host_order(BPF_CORE_READ(sock, __sk_common.skc_dport));
    if (body->family == AF_INET)
        bpf_core_read(body->address, 4, &sock->__sk_common.skc_daddr);
    else if (body->family == AF_INET6)
        bpf_core_read(body->address, 16, &sock->__sk_common.skc_v6_daddr);
}

/* Appends the path that a Unix socket is bound to. */
static __always_inline void socket_body__append_path(struct socket_body *body, struct builder *builder,
                                                     struct sock *sock)
{
    struct unix_address *address;
    const void *path;
    __u64 used = builder->used;
    __u64 size;

    if (!sock || !bpf_core_type_exists(struct unix_sock))
        return;
    address = BPF_CORE_READ((struct unix_sock *)sock, addr);
    if (!address)
        return;
    size = (__u32)BPF_CORE_READ(address, len);
    if (size <= sizeof(__u16) || size > sizeof(__u16) + UNIX_PATH_SIZE_MAX)
        return;
    size -= sizeof(__u16);
    if (used > RECORD_SIZE_MAX - UNIX_PATH_SIZE_MAX - 8)
        return;
    barrier_var(used);
    if (used > RECORD_SIZE_MAX - UNIX_PATH_SIZE_MAX - 8)
        return;
    POSSIBLE_OFFSET(used);
    path = (void *)address + bpf_core_field_offset(struct unix_address, name) + sizeof(__u16);
    if (bpf_probe_read_kernel(builder->record->bytes + used, CUT(size, UNIX_PATH_SIZE_MAX), path))
        return;
    body->path.offset = used;
    body->path.length = size;
    builder->used = used + size;
}

/* Copies the name of interface `index` of `net`. */
static __always_inline void net__interface_name(struct net *net, __u32 index, __u8 *name)
{
    struct net___interfaces *interfaces = (void *)net;
    struct hlist_head *heads;
    struct hlist_node *node = NULL;

    if (!bpf_core_field_exists(interfaces->dev_index_head))
        return;
    heads = BPF_CORE_READ(interfaces, dev_index_head);
    /* NETDEV_HASHENTRIES of them. */
    bpf_probe_read_kernel(&node, sizeof(node), heads + (index & 255));
    WRITTEN_OUT
    for (int i = 0; i < 8; i++) {
        STOP_IF(!node);
        struct net_device *device = (void *)node - bpf_core_field_offset(struct net_device, index_hlist);

        if (BPF_CORE_READ(device, ifindex) == index) {
            bpf_probe_read_kernel_str(name, INTERFACE_NAME_SIZE,
                                      (void *)device + bpf_core_field_offset(struct net_device, name));
            return;
        }
        node = BPF_CORE_READ(node, next);
    }
}

#endif /* NETWORK_H */
