//! Constants of sockets and packets.

use super::constants;

constants! {
    /// Address families.
    ADDRESS_FAMILY, "Network address families", {
        AF_UNSPEC = 0, AF_UNIX = 1, AF_FILE = 1, AF_LOCAL = 1, AF_INET = 2, AF_AX25 = 3, AF_IPX = 4,
        AF_APPLETALK = 5, AF_NETROM = 6, AF_BRIDGE = 7, AF_ATMPVC = 8, AF_X25 = 9, AF_INET6 = 10,
        AF_ROSE = 11, AF_DECnet = 12, AF_NETBEUI = 13, AF_SECURITY = 14, AF_KEY = 15, AF_NETLINK = 16,
        AF_ROUTE = 16, AF_PACKET = 17, AF_ASH = 18, AF_ECONET = 19, AF_ATMSVC = 20, AF_RDS = 21, AF_SNA = 22,
        AF_IRDA = 23, AF_PPPOX = 24, AF_WANPIPE = 25, AF_LLC = 26, AF_IB = 27, AF_MPLS = 28, AF_CAN = 29,
        AF_TIPC = 30, AF_BLUETOOTH = 31, AF_IUCV = 32, AF_RXRPC = 33, AF_ISDN = 34, AF_PHONET = 35,
        AF_IEEE802154 = 36, AF_CAIF = 37, AF_ALG = 38, AF_NFC = 39, AF_VSOCK = 40, AF_KCM = 41,
        AF_QIPCRTR = 42, AF_SMC = 43, AF_XDP = 44, AF_MAX = 46,
    }, x86_64 {}, aarch64 {};

    /// Protocols carried by a link layer frame.
    L3_PROTOCOL, "L3 protocols", {
        ETH_P_IPV6_HOP_BY_HOP = 0x0, ETH_P_8023 = 0x1, ETH_P_AX25 = 0x2, ETH_P_ALL = 0x3, ETH_P_8022 = 0x4,
        ETH_P_SNAP = 0x5, ETH_P_DDCMP = 0x6, ETH_P_WANPPP = 0x7, ETH_P_PPPMP = 0x8, ETH_P_LOCALTALK = 0x9,
        ETH_P_CAN = 0xc, ETH_P_CANFD = 0xd, ETH_P_PPPTALK = 0x10, ETH_P_TR8022 = 0x11, ETH_P_MOBITEX = 0x15,
        ETH_P_CONTROL = 0x16, ETH_P_IRDA = 0x17, ETH_P_ECONET = 0x18, ETH_P_HDLC = 0x19, ETH_P_ARCNET = 0x1a,
        ETH_P_DSA = 0x1b, ETH_P_TRAILER = 0x1c, ETH_P_LOOP = 0x60, ETH_P_PHONET = 0xf5,
        ETH_P_IEEE802154 = 0xf6, ETH_P_CAIF = 0xf7, ETH_P_XDSA = 0xf8, ETH_P_MAP = 0xf9, ETH_P_PUP = 0x200,
        ETH_P_PUPAT = 0x201, ETH_P_8023_MIN = 0x600, ETH_P_IP = 0x800, ETH_P_X25 = 0x805, ETH_P_ARP = 0x806,
        ETH_P_BPQ = 0x8ff, ETH_P_IEEEPUP = 0xa00, ETH_P_IEEEPUPAT = 0xa01, ETH_P_TSN = 0x22f0,
        ETH_P_BATMAN = 0x4305, ETH_P_DEC = 0x6000, ETH_P_DNADL = 0x6001, ETH_P_DNARC = 0x6002,
        ETH_P_DNART = 0x6003, ETH_P_LAT = 0x6004, ETH_P_DIAG = 0x6005, ETH_P_CUST = 0x6006,
        ETH_P_SCA = 0x6007, ETH_P_TEB = 0x6558, ETH_P_RARP = 0x8035, ETH_P_ATALK = 0x809b,
        ETH_P_AARP = 0x80f3, ETH_P_8021_Q = 0x8100, ETH_P_IPX = 0x8137, ETH_P_IPV6 = 0x86dd,
        ETH_P_PAUSE = 0x8808, ETH_P_SLOW = 0x8809, ETH_P_WCCP = 0x883e, ETH_P_MPLSUC = 0x8847,
        ETH_P_MPLSMC = 0x8848, ETH_P_ATMMPOA = 0x884c, ETH_P_PPPDISC = 0x8863, ETH_P_PPPSES = 0x8864,
        ETH_P__LINK_CTL = 0x886c, ETH_P_ATMFATE = 0x8884, ETH_P_PAE = 0x888e, ETH_P_AOE = 0x88a2,
        ETH_P_8021_AD = 0x88a8, ETH_P_802_EX1 = 0x88b5, ETH_P_ERSPAN = 0x88be, ETH_P_TIPC = 0x88ca,
        ETH_P_MACSEC = 0x88e5, ETH_P_8021_AH = 0x88e7, ETH_P_MVRP = 0x88f5, ETH_P_1588 = 0x88f7,
        ETH_P_NCSI = 0x88f8, ETH_P_PRP = 0x88fb, ETH_P_FCOE = 0x8906, ETH_P_TDLS = 0x890d, ETH_P_FIP = 0x8914,
        ETH_P_IBOE = 0x8915, ETH_P_80221 = 0x8917, ETH_P_HSR = 0x892f, ETH_P_NSH = 0x894f,
        ETH_P_LOOPBACK = 0x9000, ETH_P_QINQ1 = 0x9100, ETH_P_QINQ2 = 0x9200, ETH_P_QINQ3 = 0x9300,
        ETH_P_EDSA = 0xdada, ETH_P_IFE = 0xed3e, ETH_P_AFIUCV = 0xfbfb,
    }, x86_64 {}, aarch64 {};

    /// Protocols carried by an IP packet.
    L4_PROTOCOL, "L4 protocols", {
        IP_PROTO_IP = 0, IP_PROTO_ICMP = 1, IP_PROTO_IGMP = 2, IP_PROTO_IPIP = 4, IP_PROTO_TCP = 6,
        IP_PROTO_EGP = 8, IP_PROTO_IGP = 9, IP_PROTO_PUP = 12, IP_PROTO_UDP = 17, IP_PROTO_IDP = 22,
        IP_PROTO_TP = 29, IP_PROTO_DCCP = 33, IP_PROTO_IPV6 = 41, IP_PROTO_RSVP = 46, IP_PROTO_GRE = 47,
        IP_PROTO_ESP = 50, IP_PROTO_AH = 51, IP_PROTO_ICMPV6 = 58, IP_PROTO_MTP = 92, IP_PROTO_BEETPH = 94,
        IP_PROTO_ENCAP = 98, IP_PROTO_PIM = 103, IP_PROTO_COMP = 108, IP_PROTO_SCTP = 132,
        IP_PROTO_UDPLITE = 136, IP_PROTO_MPLS = 137, IP_PROTO_RAW = 255,
    }, x86_64 {}, aarch64 {};

    /// Direction of a packet, seen from the host.
    NETWORK_DIRECTION, "Network directions", {
        EGRESS = 1, INGRESS = 2,
    }, x86_64 {}, aarch64 {};

    /// Types of ICMP and ICMPv6 messages.
    ICMP_TYPE, "Network protocol types", {
        ICMP_ECHO_REPLY = 0, ICMP_ECHO_REQUEST = 8, ICMP_ROUTER_SOLICITATION = 9,
        ICMP_ROUTER_ADVERTISEMENT = 10, ICMP_V6_ECHO_REQUEST = 128, ICMP_V6_ECHO_REPLY = 129,
        ICMP_V6_ROUTER_SOLICITATION = 133, ICMP_V6_ROUTER_ADVERTISEMENT = 134,
        ICMP_NEIGHBOR_SOLICITATION = 135, ICMP_NEIGHBOR_ADVERTISEMENT = 136,
        ICMP_V6_NEIGHBOR_SOLICITATION = 137, ICMP_V6_NEIGHBOR_ADVERTISEMENT = 138,
    }, x86_64 {}, aarch64 {};

    /// Protocol versions of TLS.
    TLS_VERSION, "TLS versions", {
        SSL_2_0 = 0x200, SSL_3_0 = 0x300, TLS_1_0 = 0x301, TLS_1_1 = 0x302, TLS_1_2 = 0x303, TLS_1_3 = 0x304,
    }, x86_64 {}, aarch64 {};

    /// Types of sockets.
    SOCKET_TYPE, "Socket types", {
        SOCK_STREAM = 1, SOCK_DGRAM = 2, SOCK_RAW = 3, SOCK_RDM = 4, SOCK_SEQPACKET = 5, SOCK_DCCP = 6,
        SOCK_PACKET = 10,
    }, x86_64 {}, aarch64 {};
}
