//! Addresses, packets and flows.

use std::net::IpAddr;

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
        }
        derived {
            /// The address is outside of the private ranges.
            is_public: bool = "is_public", "7.61", |endpoint| endpoint.has_public_address(), {
                weight: secl::schema::weight::COMPUTED, example: Some("connect.addr.is_public && process.euid == 0"),
            };
        }
    }
}

impl Endpoint {
    /// Whether the address is outside of the private ranges.
    pub fn has_public_address(&self) -> bool {
        self.ip.is_some_and(is_public)
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

/// Whether an address is outside of the private ranges (IANA special-purpose registries: this network, private use,
/// shared, loopback, link-local, protocol assignments, multicast, reserved; their IPv6 counterparts).
pub fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            let special = a == 0
                || v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                || v4.is_multicast()
                || v4.is_documentation()
                || a >= 240
                || (a == 100 && b & 0xc0 == 64)
                || (a == 192 && b == 0 && c == 0)
                || (a == 198 && b & 0xfe == 18);
            !special
        }
        IpAddr::V6(v6) => {
            let documentation = v6.segments()[0] == 0x2001 && v6.segments()[1] == 0xdb8;
            let special = v6.is_unspecified()
                || v6.is_loopback()
                || v6.is_unique_local()
                || v6.is_unicast_link_local()
                || v6.is_multicast()
                || documentation;
            !special
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_addresses_are_those_outside_of_special_ranges() {
        let is_public = |text: &str| is_public(text.parse().unwrap());
        for public in
            ["8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "::ffff:8.8.8.8", "198.20.0.1"]
        {
            assert!(is_public(public), "{public}");
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
            assert!(!is_public(private), "{private}");
        }
    }
}
