//! Addresses, packets and flows.

use std::net::IpAddr;

use secl::IpNet;

use crate::constants::{ADDRESS_FAMILY, ICMP_TYPE, L3_PROTOCOL, L4_PROTOCOL, NETWORK_DIRECTION, TLS_VERSION};
use crate::record::record;
use crate::text::{Text, TextList};

record! {
    /// An address and a port.
    pub struct Endpoint {
        leaf {
            /// IP address.
            ip: Option<IpAddr> = "ip", "7.36", {
                example: Some("connect.addr.ip not in [127.0.0.0/8, 10.0.0.0/8, 192.168.0.0/16]"),
            };
            /// Port number.
            port: u16 = "port", "7.36", { example: Some("connect.addr.port in [3333, 4444]"), };
            /// The address is outside of the private ranges.
            is_public: bool = "is_public", "7.61", { example: Some("connect.addr.is_public && process.euid == 0"), };
        }
    }
}

impl Endpoint {
    /// The endpoint of an address and port; `private` tells which addresses are public.
    pub fn new(ip: IpAddr, port: u16, private: &PrivateRanges) -> Self {
        Self { ip: Some(ip), port, is_public: !private.contains(ip) }
    }
}

record! {
    /// The address a socket is bound, connected or accepted from.
    pub struct SocketAddress {
        leaf {
            /// Address family.
            family: u16 = "family", "7.37", {
                constants: Some(&ADDRESS_FAMILY), example: Some("bind.addr.family == AF_INET && bind.addr.port == 22"),
            };
            /// Path of a Unix socket, as it was bound; an abstract one begins with `@`.
            path: Text = "path", "none", {
                matching: secl::Matching::Plain, example: Some(r#"connect.addr.path == "/var/run/docker.sock""#),
            };
        }
        nested {
            /// The address, for IPv4 and IPv6.
            endpoint: Endpoint = "";
        }
    }
}

record! {
    /// Host names of an address.
    pub struct HostNames {
        leaf {
            /// Names that DNS answers seen on this host gave the address.
            names: TextList = "addr.hostname", "7.65", {
                matching: secl::Matching::Plain, example: Some(r#"connect.addr.hostname == "pool.example.com""#),
            };
        }
    }
}

record! {
    /// A network interface.
    pub struct Device {
        leaf {
            /// Name of the network interface.
            ifname: Text = "ifname", "7.36";
        }
        hidden {
            /// Number of the interface.
            ifindex: u32;
            /// Inode number of its network namespace.
            netns: u32;
        }
    }
}

record! {
    /// A packet.
    pub struct Packet {
        leaf {
            /// Protocol carried by the link layer frame.
            l3_protocol: u16 = "l3_protocol", "7.36", { constants: Some(&L3_PROTOCOL), };
            /// Protocol carried by the IP packet.
            l4_protocol: u16 = "l4_protocol", "7.36", { constants: Some(&L4_PROTOCOL), };
            /// Direction of the packet, seen from the host.
            direction: u32 = "network_direction", "7.63", { constants: Some(&NETWORK_DIRECTION), };
            /// Size of the packet in bytes.
            size: u32 = "size", "7.36";
            /// Type of the ICMP or ICMPv6 message.
            icmp_type: u32 = "type", "7.74", { constants: Some(&ICMP_TYPE), };
        }
        nested {
            /// The interface it passed.
            device: Device = "device";
            /// Where it comes from.
            source: Endpoint = "source";
            /// Where it goes to.
            destination: Endpoint = "destination";
        }
    }
}

record! {
    /// TLS within a packet.
    pub struct Tls {
        leaf {
            /// Protocol version that the client hello asks for.
            version: u16 = "version", "7.60", { constants: Some(&TLS_VERSION), };
        }
    }
}

record! {
    /// Packets between two endpoints during a period.
    pub struct Flow {
        leaf {
            /// Protocol carried by the link layer frame.
            l3_protocol: u16 = "l3_protocol", "7.63", { constants: Some(&L3_PROTOCOL), };
            /// Protocol carried by the IP packet.
            l4_protocol: u16 = "l4_protocol", "7.63", { constants: Some(&L4_PROTOCOL), };
        }
        nested {
            /// The local endpoint.
            source: Endpoint = "source";
            /// The remote endpoint.
            destination: Endpoint = "destination";
            /// What came in.
            ingress: Traffic = "ingress";
            /// What went out.
            egress: Traffic = "egress";
        }
    }
}

record! {
    /// Amount of traffic in one direction.
    pub struct Traffic {
        leaf {
            /// Bytes during the period.
            data_size: u64 = "data_size", "7.63";
            /// Packets during the period.
            packet_count: u64 = "packet_count", "7.63";
        }
    }
}

/// Address ranges that are not public.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrivateRanges(Vec<IpNet>);

/// Ranges of the special-purpose registries of IANA that are not reachable from everywhere.
const SPECIAL_RANGES: [&str; 22] = [
    // This network, private use, shared address space, loopback, link-local.
    "0.0.0.0/8",
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    // Protocol assignments, documentation, benchmarks, multicast, reserved and broadcast.
    "192.0.0.0/24",
    "192.0.2.0/24",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "198.18.0.0/15",
    "224.0.0.0/4",
    "240.0.0.0/4",
    // Unspecified, loopback, discard-only, documentation, unique local, link-local, multicast, local translation.
    "::/128",
    "::1/128",
    "100::/64",
    "2001:db8::/32",
    "fc00::/7",
    "fe80::/10",
    "ff00::/8",
    "64:ff9b:1::/48",
];

impl PrivateRanges {
    /// These ranges and no others.
    pub fn new(ranges: impl IntoIterator<Item = IpNet>) -> Self {
        Self(ranges.into_iter().collect())
    }

    /// The same, with more ranges.
    #[must_use]
    pub fn with(mut self, ranges: impl IntoIterator<Item = IpNet>) -> Self {
        self.0.extend(ranges);
        self
    }

    /// Whether an address is in one of the ranges.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = IpNet::from(address);
        self.0.iter().any(|range| range.matches(&address))
    }
}

impl Default for PrivateRanges {
    /// The ranges of the special-purpose registries.
    fn default() -> Self {
        Self::new(SPECIAL_RANGES.iter().filter_map(|range| range.parse().ok()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_public(ranges: &PrivateRanges, text: &str) -> bool {
        Endpoint::new(text.parse().unwrap(), 1, ranges).is_public
    }

    #[test]
    fn public_addresses_are_those_outside_of_special_ranges() {
        let ranges = PrivateRanges::default();
        assert_eq!(ranges.0.len(), SPECIAL_RANGES.len());
        for public in
            ["8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "::ffff:8.8.8.8", "198.20.0.1"]
        {
            assert!(is_public(&ranges, public), "{public}");
        }
        for private in [
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "127.0.0.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "198.18.0.1",
            "::1",
            "::",
            "fe80::1",
            "fd00::1",
            "ff02::1",
            "::ffff:10.0.0.1",
        ] {
            assert!(!is_public(&ranges, private), "{private}");
        }
    }

    #[test]
    fn ranges_are_configurable() {
        let ranges = PrivateRanges::new(["8.0.0.0/8".parse().unwrap()]);
        assert!(!is_public(&ranges, "8.8.8.8"));
        assert!(is_public(&ranges, "10.0.0.1"));
        assert!(!is_public(&ranges.with(["10.0.0.0/8".parse().unwrap()]), "10.0.0.1"));
    }
}
