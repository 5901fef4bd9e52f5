//! Names of protocols, ports and offsets.
//!
//! Sources: pcap-filter(7), the IANA registries of protocol numbers and of service names.

/// Ethernet types, by the names that `ether proto` and bare words know.
pub(crate) const ETHER_TYPES: &[(&str, u16)] = &[
    ("ip", 0x0800),
    ("arp", 0x0806),
    ("rarp", 0x8035),
    ("ip6", 0x86dd),
    ("aarp", 0x80f3),
    ("atalk", 0x809b),
    ("decnet", 0x6003),
    ("lat", 0x6004),
    ("loopback", 0x9000),
    ("mopdl", 0x6001),
    ("moprc", 0x6002),
    ("sca", 0x6007),
];

pub(crate) const IP: u16 = 0x0800;
pub(crate) const ARP: u16 = 0x0806;
pub(crate) const RARP: u16 = 0x8035;
pub(crate) const IP6: u16 = 0x86dd;

pub(crate) const ICMP: u8 = 1;
pub(crate) const TCP: u8 = 6;
pub(crate) const UDP: u8 = 17;
pub(crate) const FRAGMENT: u8 = 44;
pub(crate) const ICMP6: u8 = 58;
pub(crate) const SCTP: u8 = 132;

/// Protocols within IP, by the names that `proto` knows besides the keywords.
pub(crate) const PROTOCOLS: &[(&str, u8)] = &[
    ("ah", 51),
    ("carp", 112),
    ("dccp", 33),
    ("egp", 8),
    ("esp", 50),
    ("gre", 47),
    ("icmp", ICMP),
    ("icmp6", ICMP6),
    ("igmp", 2),
    ("igrp", 9),
    ("ipip", 94),
    ("ipv6", 41),
    ("ipv6-icmp", ICMP6),
    ("ospf", 89),
    ("pim", 103),
    ("sctp", SCTP),
    ("tcp", TCP),
    ("udp", UDP),
    ("udplite", 136),
    ("vrrp", 112),
];

/// Well-known ports by name. The reference asks the host's service database, which would make a policy mean something else on each
/// host; these are the names that filters use. A service
/// of one protocol means that protocol, as in the reference: `port http` is about TCP.
pub(crate) const PORTS: &[(&str, (u16, Option<u8>))] = &[
    ("bgp", (179, Some(TCP))),
    ("bootpc", (68, Some(UDP))),
    ("bootps", (67, Some(UDP))),
    ("domain", (53, None)),
    ("finger", (79, Some(TCP))),
    ("ftp", (21, Some(TCP))),
    ("ftp-data", (20, Some(TCP))),
    ("http", (80, Some(TCP))),
    ("https", (443, None)),
    ("imap", (143, Some(TCP))),
    ("imap2", (143, Some(TCP))),
    ("imaps", (993, Some(TCP))),
    ("ipp", (631, Some(TCP))),
    ("irc", (194, None)),
    ("kerberos", (88, None)),
    ("ldap", (389, None)),
    ("ldaps", (636, None)),
    ("microsoft-ds", (445, None)),
    ("mysql", (3306, Some(TCP))),
    ("nfs", (2049, None)),
    ("ntp", (123, Some(UDP))),
    ("pop3", (110, Some(TCP))),
    ("pop3s", (995, Some(TCP))),
    ("postgresql", (5432, Some(TCP))),
    ("smtp", (25, Some(TCP))),
    ("smtps", (465, Some(TCP))),
    ("snmp", (161, None)),
    ("snmp-trap", (162, None)),
    ("socks", (1080, Some(TCP))),
    ("ssh", (22, Some(TCP))),
    ("submission", (587, Some(TCP))),
    ("sunrpc", (111, None)),
    ("syslog", (514, Some(UDP))),
    ("telnet", (23, Some(TCP))),
    ("tftp", (69, Some(UDP))),
    ("x11", (6000, Some(TCP))),
];

/// Names of offsets and values for use in arithmetic.
pub(crate) const CONSTANTS: &[(&str, u32)] = &[
    ("icmptype", 0),
    ("icmpcode", 1),
    ("icmp-echoreply", 0),
    ("icmp-unreach", 3),
    ("icmp-sourcequench", 4),
    ("icmp-redirect", 5),
    ("icmp-echo", 8),
    ("icmp-routeradvert", 9),
    ("icmp-routersolicit", 10),
    ("icmp-timxceed", 11),
    ("icmp-paramprob", 12),
    ("icmp-tstamp", 13),
    ("icmp-tstampreply", 14),
    ("icmp-ireq", 15),
    ("icmp-ireqreply", 16),
    ("icmp-maskreq", 17),
    ("icmp-maskreply", 18),
    ("icmp6type", 0),
    ("icmp6code", 1),
    ("icmp6-destinationrunreach", 1),
    ("icmp6-packettoobig", 2),
    ("icmp6-timeexceeded", 3),
    ("icmp6-parameterproblem", 4),
    ("icmp6-echo", 128),
    ("icmp6-echoreply", 129),
    ("icmp6-multicastlistenerquery", 130),
    ("icmp6-multicastlistenerreportv1", 131),
    ("icmp6-multicastlistenerdone", 132),
    ("icmp6-routersolicit", 133),
    ("icmp6-routeradvert", 134),
    ("icmp6-neighborsolicit", 135),
    ("icmp6-neighboradvert", 136),
    ("icmp6-redirect", 137),
    ("icmp6-routerrenum", 138),
    ("icmp6-multicastlistenerreportv2", 143),
    ("tcpflags", 13),
    ("tcp-fin", 0x01),
    ("tcp-syn", 0x02),
    ("tcp-rst", 0x04),
    ("tcp-push", 0x08),
    ("tcp-ack", 0x10),
    ("tcp-urg", 0x20),
    ("tcp-ece", 0x40),
    ("tcp-cwr", 0x80),
];

/// Words of the language that this implementation knows but cannot evaluate, with the reason.
pub(crate) const REFUSED: &[(&str, &str)] = &[
    ("inbound", "a packet does not tell its direction; use `packet.network_direction` in the rule"),
    ("outbound", "a packet does not tell its direction; use `packet.network_direction` in the rule"),
    ("ifname", "a packet does not tell its interface; use `packet.device.ifname` in the rule"),
    ("ifindex", "a packet does not tell its interface; use `packet.device.ifname` in the rule"),
    ("on", "a packet does not tell its interface; use `packet.device.ifname` in the rule"),
    ("gateway", "names of hosts are not resolved"),
    ("protochain", "chains of protocols are not followed; use `proto`"),
    ("mpls", "MPLS is not decoded"),
    ("pppoed", "PPPoE is not decoded"),
    ("pppoes", "PPPoE is not decoded"),
    ("geneve", "Geneve is not decoded"),
    ("vxlan", "VXLAN is not decoded"),
    ("byte", "write `link[OFFSET] = VALUE`"),
    ("wlan", "only Ethernet and IP are decoded"),
    ("fddi", "only Ethernet and IP are decoded"),
    ("tr", "only Ethernet and IP are decoded"),
    ("llc", "only Ethernet and IP are decoded"),
    ("type", "only Ethernet and IP are decoded"),
    ("subtype", "only Ethernet and IP are decoded"),
    ("iso", "only Ethernet and IP are decoded"),
    ("stp", "only Ethernet and IP are decoded"),
    ("ipx", "only Ethernet and IP are decoded"),
    ("netbeui", "only Ethernet and IP are decoded"),
];

/// The value that stands beside a name.
pub(crate) fn look_up<T: Copy>(table: &[(&str, T)], name: &str) -> Option<T> {
    table.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
}
