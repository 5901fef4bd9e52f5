//! What a condition on packets means: the program in the kernel (`bpf/include/packet.h`) does the same.

use crate::v1::{NetworkCondition, PacketCondition, PacketSide, PortCondition};

const TCP: u8 = 6;
const UDP: u8 = 17;
const SCTP: u8 = 132;

/// What the headers of a packet say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers {
    /// Version of IP.
    pub version: u8,
    /// Source and destination, as they stand in the packet.
    pub addresses: [Vec<u8>; 2],
    /// The transport header, if it follows that of IP at once.
    pub transport: Option<Transport>,
}

/// What a transport header says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Transport {
    /// `IPPROTO_*`
    pub protocol: u8,
    /// Source and destination, for TCP, UDP and SCTP.
    pub ports: Option<[u16; 2]>,
    /// Flags of TCP.
    pub tcp_flags: u8,
}

impl Headers {
    /// Those of a packet that begins with IP; `None` if it does not.
    #[must_use]
    pub fn of(packet: &[u8]) -> Option<Self> {
        let version = packet.first()? >> 4;
        let (at, size, end, protocol) = match version {
            4 => (12, 4, 20, *packet.get(9)?),
            6 => (8, 16, 40, *packet.get(6)?),
            _ => return None,
        };
        let address = |at: usize| Some(packet.get(at..at + size)?.to_vec());
        let addresses = [address(at)?, address(at + size)?];
        let has_more = match version {
            4 => packet.first()? & 15 != 5 || packet.get(6)? & 0x3f != 0 || *packet.get(7)? != 0,
            _ => [0, 43, 44, 51, 60, 135].contains(&protocol),
        };
        let transport = if has_more { None } else { Transport::of(protocol, packet.get(end..)?) };
        Some(Self { version, addresses, transport })
    }
}

impl Transport {
    /// `None` if the header is cut off.
    fn of(protocol: u8, header: &[u8]) -> Option<Self> {
        let port = |at: usize| Some(u16::from_be_bytes(*header.get(at..)?.first_chunk::<2>()?));
        let ports = match protocol {
            TCP | UDP | SCTP => Some([port(0)?, port(2)?]),
            _ => None,
        };
        let tcp_flags = if protocol == TCP { *header.get(13)? } else { 0 };
        Some(Self { protocol, ports, tcp_flags })
    }
}

/// Whether a packet is worth sending for a condition.
#[must_use]
pub fn lets_through(condition: &PacketCondition, headers: &Headers) -> bool {
    (condition.version == 0 || condition.version == u32::from(headers.version))
        && condition.networks.iter().all(|network| is_within(network, &headers.addresses))
        && headers.transport.is_none_or(|transport| transport_allows(condition, transport))
}

fn transport_allows(condition: &PacketCondition, transport: Transport) -> bool {
    let in_range = |ports: &PortCondition| {
        let lies = |port: u16| (ports.low..=ports.high).contains(&u32::from(port));
        transport.ports.is_some_and(|both| on_side(ports.side(), both.map(lies)))
    };
    (condition.transport == 0 || condition.transport == u32::from(transport.protocol))
        && (condition.tcp_flags == 0
            || (transport.protocol == TCP && condition.tcp_flags & u32::from(transport.tcp_flags) != 0))
        && condition.ports.iter().all(in_range)
}

fn is_within(network: &NetworkCondition, addresses: &[Vec<u8>; 2]) -> bool {
    let lies = |address: &Vec<u8>| {
        let bytes = address.iter().zip(&network.address).zip(&network.mask);
        address.len() == network.address.len()
            && bytes.into_iter().all(|((byte, wanted), mask)| byte & mask == *wanted)
    };
    on_side(network.side(), addresses.each_ref().map(lies))
}

/// Whether what holds for source and destination is what is wanted.
fn on_side(side: PacketSide, [source, destination]: [bool; 2]) -> bool {
    match side {
        PacketSide::Unspecified => true,
        PacketSide::Source => source,
        PacketSide::Destination => destination,
        PacketSide::Either => source || destination,
        PacketSide::Both => source && destination,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// UDP from 10.0.0.1:1000 to 10.0.0.2:53.
    fn udp() -> Vec<u8> {
        let mut packet = vec![0x45, 0, 0, 28, 0, 0, 0, 0, 64, UDP, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
        packet.extend([3, 232, 0, 53, 0, 8, 0, 0]);
        packet
    }

    fn allowed(condition: &PacketCondition, packet: &[u8]) -> bool {
        lets_through(condition, &Headers::of(packet).unwrap())
    }

    fn port(side: PacketSide, low: u32, high: u32) -> PacketCondition {
        let ports = vec![PortCondition { side: side.into(), low, high }];
        PacketCondition { ports, ..PacketCondition::default() }
    }

    #[test]
    fn everything_that_is_said_must_hold() {
        assert!(allowed(&PacketCondition::default(), &udp()));
        for (condition, through) in [
            (PacketCondition { version: 4, transport: 17, ..PacketCondition::default() }, true),
            (PacketCondition { version: 6, ..PacketCondition::default() }, false),
            (PacketCondition { transport: 6, ..PacketCondition::default() }, false),
            (PacketCondition { tcp_flags: 255, ..PacketCondition::default() }, false),
            (port(PacketSide::Source, 1000, 1000), true),
            (port(PacketSide::Source, 53, 53), false),
            (port(PacketSide::Destination, 50, 53), true),
            (port(PacketSide::Destination, 54, 60), false),
            (port(PacketSide::Either, 53, 53), true),
            (port(PacketSide::Both, 53, 53), false),
            (port(PacketSide::Both, 53, 1000), true),
        ] {
            assert_eq!(allowed(&condition, &udp()), through, "{condition:?}");
        }
    }

    #[test]
    fn networks_are_compared_by_their_masks() {
        let network = |side: PacketSide, address: [u8; 4], mask: [u8; 4]| PacketCondition {
            networks: vec![NetworkCondition {
                side: side.into(),
                address: address.to_vec().into(),
                mask: mask.to_vec().into(),
            }],
            ..PacketCondition::default()
        };
        let (all, most) = ([255; 4], [255, 255, 255, 0]);
        assert!(allowed(&network(PacketSide::Both, [10, 0, 0, 0], most), &udp()));
        assert!(allowed(&network(PacketSide::Source, [10, 0, 0, 1], all), &udp()));
        assert!(!allowed(&network(PacketSide::Destination, [10, 0, 0, 1], all), &udp()));
    }

    #[test]
    fn what_cannot_be_told_is_let_through() {
        let mut options = udp();
        options[0] = 0x46;
        let mut fragment = udp();
        fragment[6] = 0x20;
        for packet in [options, fragment, udp()[..22].to_vec()] {
            assert!(allowed(&port(PacketSide::Either, 1, 1), &packet), "{packet:?}");
        }
        assert_eq!(Headers::of(&[0x10; 60]), None);
    }
}
