//! Conditions on packets as the kernel's table has them.

use proto::filter::limits;
use proto::v1;
use proto::v1::PacketCondition;
use zerocopy::Immutable;
use zerocopy::IntoBytes;

/// `FILTER_SIDE_NONE`
const NO_SIDE: u32 = 0xf;

/// `struct filter_ports`
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoBytes, Immutable)]
struct Ports {
    side: u32,
    low: u16,
    high: u16,
}

/// `struct filter_network`
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoBytes, Immutable)]
struct Network {
    side: u32,
    address: [u8; 16],
    mask: [u8; 16],
}

impl Default for Ports {
    fn default() -> Self {
        Self { side: NO_SIDE, low: 0, high: 0 }
    }
}

impl Default for Network {
    fn default() -> Self {
        Self { side: NO_SIDE, address: [0; 16], mask: [0; 16] }
    }
}

/// `struct filter_packet`
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, IntoBytes, Immutable)]
struct Packet {
    version: u32,
    transport: u32,
    tcp_flags: u32,
    ports: [Ports; limits::PACKET_PARTS],
    networks: [Network; limits::PACKET_PARTS],
}

/// `struct filter_packet_list`
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, IntoBytes, Immutable)]
pub(super) struct Packets {
    count: u32,
    packets: [Packet; limits::PACKETS],
}

impl Packets {
    /// # Errors
    ///
    /// What the table can't hold, for people.
    pub(super) fn new(alternatives: &[v1::Alternative]) -> Result<Self, String> {
        let mut list = Self::default();
        if alternatives.len() > list.packets.len() {
            return Err(format!("more than {} conditions on packets", limits::PACKETS));
        }
        for (place, alternative) in list.packets.iter_mut().zip(alternatives) {
            // Without a condition it is everything.
            *place = alternative.packet.as_ref().map_or(Ok(Packet::default()), Packet::new)?;
            list.count += 1;
        }
        Ok(list)
    }

    /// How many there are.
    pub(super) fn count(&self) -> u64 {
        self.count.into()
    }
}

impl Packet {
    fn new(condition: &PacketCondition) -> Result<Self, String> {
        let mut packet = Self {
            version: condition.version,
            transport: condition.transport,
            tcp_flags: condition.tcp_flags,
            ..Self::default()
        };
        if condition.ports.len() > packet.ports.len() || condition.networks.len() > packet.networks.len() {
            return Err(format!("more than {} ports or networks of one packet", limits::PACKET_PARTS));
        }
        for (place, given) in packet.ports.iter_mut().zip(&condition.ports) {
            let port = |number: u32| u16::try_from(number).map_err(|_| format!("no port: {number}"));
            *place = Ports { side: side(given.side)?, low: port(given.low)?, high: port(given.high)? };
        }
        for (place, given) in packet.networks.iter_mut().zip(&condition.networks) {
            *place = Network {
                side: side(given.side)?,
                address: padded(&given.address)?,
                mask: padded(&given.mask)?,
            };
        }
        Ok(packet)
    }
}

/// `FILTER_SIDE_*`
fn side(number: i32) -> Result<u32, String> {
    match v1::PacketSide::try_from(number) {
        Ok(v1::PacketSide::Source) => Ok(0xa),
        Ok(v1::PacketSide::Destination) => Ok(0xc),
        Ok(v1::PacketSide::Either) => Ok(0xe),
        Ok(v1::PacketSide::Both) => Ok(0x8),
        Ok(v1::PacketSide::Unspecified) | Err(_) => Err("a condition on no side of a packet".to_owned()),
    }
}

/// An address as it stands in a packet, IPv4 in the first word.
fn padded(bytes: &[u8]) -> Result<[u8; 16], String> {
    if ![4, 16].contains(&bytes.len()) {
        return Err(format!("an address of {} bytes", bytes.len()));
    }
    let mut padded = [0; 16];
    for (to, from) in padded.iter_mut().zip(bytes) {
        *to = *from;
    }
    Ok(padded)
}

#[cfg(test)]
mod tests {
    use proto::v1::NetworkCondition;
    use proto::v1::PacketSide;
    use proto::v1::PortCondition;

    use super::*;

    fn alternative(packet: PacketCondition) -> v1::Alternative {
        v1::Alternative { packet: Some(packet), ..v1::Alternative::default() }
    }

    fn port(side: PacketSide, low: u32) -> PortCondition {
        PortCondition { side: side.into(), low, high: 65535 }
    }

    #[test]
    fn rows_are_those_of_the_programs() {
        assert_eq!((size_of::<Packet>(), size_of::<Network>(), size_of::<Ports>()), (100, 36, 8));
        let condition = PacketCondition {
            version: 4,
            transport: 6,
            tcp_flags: 2,
            ports: vec![port(PacketSide::Destination, 1024)],
            networks: vec![NetworkCondition {
                side: PacketSide::Either.into(),
                address: vec![10, 0, 0, 0].into(),
                mask: vec![255, 0, 0, 0].into(),
            }],
        };
        let packets = Packets::new(&[alternative(condition), v1::Alternative::default()]).unwrap();
        assert_eq!(packets.count(), 2);
        let row = packets.packets[0];
        assert_eq!((row.version, row.transport, row.tcp_flags), (4, 6, 2));
        assert_eq!(row.ports, [Ports { side: 0xc, low: 1024, high: 65535 }, Ports::default()]);
        assert_eq!((row.networks[0].side, &row.networks[0].address[..5]), (0xe, &[10, 0, 0, 0, 0][..]));
        assert_eq!(packets.packets[1], Packet::default());
    }

    #[test]
    fn what_the_table_cannot_hold_is_refused() {
        let many = vec![v1::Alternative::default(); limits::PACKETS + 1];
        assert!(Packets::new(&many).is_err());
        let ports = |ports| PacketCondition { ports, ..PacketCondition::default() };
        for ports_given in [
            vec![port(PacketSide::Source, 1); limits::PACKET_PARTS + 1],
            vec![port(PacketSide::Source, 65536)],
            vec![port(PacketSide::Unspecified, 1)],
        ] {
            assert!(Packets::new(&[alternative(ports(ports_given))]).is_err());
        }
        let network = NetworkCondition { side: 1, address: vec![1].into(), mask: vec![1].into() };
        let networks = PacketCondition { networks: vec![network], ..PacketCondition::default() };
        assert!(Packets::new(&[alternative(networks)]).is_err());
    }
}
