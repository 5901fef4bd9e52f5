//! Evaluation over the bytes of a packet.
//!
//! The order in which bytes are read is that of the reference, as reading past the end of a packet ends the evaluation there and then:
//! the packet does not match.

use std::net::IpAddr;

use crate::ast::{Carrier, Expr, Family, Group, Layer, Logic, Number, Operator, Order, Side, Test};
use crate::names;
use crate::packet::{LinkType, Packet, TooShort};

/// Bytes of an Ethernet header, of a VLAN tag, of an IPv6 header.
const ETHERNET: u64 = 14;
const TAG: u64 = 4;
const IP6_HEADER: u64 = 40;

/// Ethernet types of VLAN tags.
const VLAN_TYPES: [u32; 3] = [0x8100, 0x88a8, 0x9100];

pub(crate) fn matches(expr: &Expr, packet: &Packet<'_>) -> bool {
    holds(expr, packet).unwrap_or(false)
}

fn holds(expr: &Expr, packet: &Packet<'_>) -> Result<bool, TooShort> {
    match expr {
        Expr::Everything => Ok(true),
        Expr::Test(test, tags) => View { packet, tags: u64::from(*tags) }.test(test),
        Expr::Not(inner) => holds(inner, packet).map(|held| !held),
        Expr::Chain(first, rest) => {
            let mut held = holds(first, packet)?;
            for (logic, operand) in rest {
                // What is decided already is not looked at again.
                if held == (*logic == Logic::And) {
                    held = holds(operand, packet)?;
                }
            }
            Ok(held)
        }
    }
}

/// A packet as seen by one test.
#[derive(Clone, Copy)]
struct View<'p> {
    packet: &'p Packet<'p>,
    /// VLAN tags that lie before the network header.
    tags: u64,
}

impl View<'_> {
    fn link(&self) -> LinkType {
        self.packet.link
    }

    /// Offset of the network header.
    fn network(&self) -> u64 {
        match self.link() {
            LinkType::Ethernet => ETHERNET + TAG * self.tags,
            LinkType::Raw => 0,
        }
    }

    fn at_network(&self, offset: u64, size: u8) -> Result<u32, TooShort> {
        self.packet.load(self.network() + offset, size)
    }

    fn has_type(&self, ether_type: u16) -> Result<bool, TooShort> {
        match self.link() {
            LinkType::Ethernet => {
                Ok(self.packet.load(ETHERNET - 2 + TAG * self.tags, 2)? == u32::from(ether_type))
            }
            LinkType::Raw => {
                let version = match ether_type {
                    names::IP => 0x40,
                    names::IP6 => 0x60,
                    _ => return Ok(false),
                };
                Ok(self.packet.load(0, 1)? & 0xf0 == version)
            }
        }
    }

    fn test(&self, test: &Test) -> Result<bool, TooShort> {
        match test {
            Test::EtherType(ether_type) => self.has_type(*ether_type),
            Test::Protocol(family, protocol) => self.has_protocol(*family, *protocol),
            Test::Net { side, carrier, addr, mask } => self.net(*side, *carrier, *addr, *mask),
            Test::EtherHost(side, address) => match self.link() {
                LinkType::Ethernet => {
                    one_or_both(*side, 6, 0, |offset| self.has_ether_address(offset, *address))
                }
                LinkType::Raw => Ok(false),
            },
            Test::Port { side, protocol, low, high } => {
                let ports = u32::from(*low)..=u32::from(*high);
                Ok(self.has_port6(*side, *protocol, &ports)? || self.has_port4(*side, *protocol, &ports)?)
            }
            Test::Group(group) => self.is_to_group(*group),
            Test::Vlan(number) => self.has_tag(*number),
            Test::Compare(left, order, right) => {
                if !(self.readable(left)? && self.readable(right)?) {
                    return Ok(false);
                }
                let (left, right) = (self.number(left)?, self.number(right)?);
                Ok(match order {
                    Order::Equal => left == right,
                    Order::NotEqual => left != right,
                    Order::Less => left < right,
                    Order::LessEqual => left <= right,
                    Order::Greater => left > right,
                    Order::GreaterEqual => left >= right,
                })
            }
        }
    }

    fn has_protocol(&self, family: Family, protocol: u8) -> Result<bool, TooShort> {
        let wanted = u32::from(protocol);
        if family != Family::V6 && self.has_type(names::IP)? {
            return Ok(self.at_network(9, 1)? == wanted);
        }
        if family != Family::V4 && self.has_type(names::IP6)? {
            let next = self.at_network(6, 1)?;
            // A fragment says behind its own header what it is of.
            return Ok(next == wanted
                || (next == names::FRAGMENT.into() && self.at_network(IP6_HEADER, 1)? == wanted));
        }
        Ok(false)
    }

    fn net(&self, side: Side, carrier: Carrier, addr: IpAddr, mask: u128) -> Result<bool, TooShort> {
        match addr {
            IpAddr::V4(addr) => {
                let wanted = u32::from(addr);
                let mask = u32::try_from(mask >> 96).unwrap_or(u32::MAX);
                let carriers = [
                    (Carrier::Ip, names::IP, 12, 16),
                    (Carrier::Arp, names::ARP, 14, 24),
                    (Carrier::Rarp, names::RARP, 14, 24),
                ];
                for (kind, ether_type, source, destination) in carriers {
                    if (carrier == Carrier::Any || carrier == kind) && self.has_type(ether_type)? {
                        return one_or_both(side, source, destination, |offset| {
                            Ok(self.at_network(offset, 4)? & mask == wanted)
                        });
                    }
                }
                Ok(false)
            }
            IpAddr::V6(addr) => {
                if !self.has_type(names::IP6)? {
                    return Ok(false);
                }
                let (wanted, mask) = (words(u128::from(addr)), words(mask));
                one_or_both(side, 8, 24, |offset| {
                    for ((wanted, mask), at) in wanted.iter().zip(mask).zip((offset..).step_by(4)) {
                        if self.at_network(at, 4)? & mask != *wanted {
                            return Ok(false);
                        }
                    }
                    Ok(true)
                })
            }
        }
    }

    fn has_ether_address(&self, offset: u64, address: [u8; 6]) -> Result<bool, TooShort> {
        let [a, b, c, d, e, f] = address;
        let (high, low) = (u32::from_be_bytes([0, 0, a, b]), u32::from_be_bytes([c, d, e, f]));
        Ok(self.packet.load(offset + 2, 4)? == low && self.packet.load(offset, 2)? == high)
    }

    fn has_port4(
        &self,
        side: Side,
        protocol: Option<u8>,
        ports: &std::ops::RangeInclusive<u32>,
    ) -> Result<bool, TooShort> {
        if !self.has_type(names::IP)?
            || !with_ports(self.at_network(9, 1)?, protocol)
            || self.is_later_fragment()?
        {
            return Ok(false);
        }
        let header = self.header4()?;
        one_or_both(side, header, header + 2, |offset| Ok(ports.contains(&self.at_network(offset, 2)?)))
    }

    fn has_port6(
        &self,
        side: Side,
        protocol: Option<u8>,
        ports: &std::ops::RangeInclusive<u32>,
    ) -> Result<bool, TooShort> {
        if !self.has_type(names::IP6)? || !with_ports(self.at_network(6, 1)?, protocol) {
            return Ok(false);
        }
        one_or_both(side, IP6_HEADER, IP6_HEADER + 2, |offset| {
            Ok(ports.contains(&self.at_network(offset, 2)?))
        })
    }

    /// Whether an IPv4 packet is a fragment other than the first, which has no transport header.
    fn is_later_fragment(&self) -> Result<bool, TooShort> {
        Ok(self.at_network(6, 2)? & 0x1fff != 0)
    }

    /// Bytes of the IPv4 header.
    fn header4(&self) -> Result<u64, TooShort> {
        Ok(u64::from(self.at_network(0, 1)? & 0xf) * 4)
    }

    fn is_to_group(&self, group: Group) -> Result<bool, TooShort> {
        let ethernet = self.link() == LinkType::Ethernet;
        match group {
            Group::EtherBroadcast => Ok(ethernet && self.has_ether_address(0, [0xff; 6])?),
            Group::EtherMulticast => Ok(ethernet && self.packet.load(0, 1)? & 1 != 0),
            Group::Ip4Multicast => Ok(self.has_type(names::IP)? && self.at_network(16, 1)? >= 224),
            Group::Ip6Multicast => Ok(self.has_type(names::IP6)? && self.at_network(24, 1)? == 255),
        }
    }

    fn has_tag(&self, number: Option<u16>) -> Result<bool, TooShort> {
        if self.link() != LinkType::Ethernet {
            return Ok(false);
        }
        let ether_type = self.packet.load(ETHERNET - 2 + TAG * self.tags, 2)?;
        if !VLAN_TYPES.contains(&ether_type) {
            return Ok(false);
        }
        match number {
            None => Ok(true),
            Some(number) => Ok(self.at_network(0, 2)? & 0x0fff == u32::from(number)),
        }
    }

    /// Whether the packet has the headers that a number is read from.
    fn readable(&self, number: &Number) -> Result<bool, TooShort> {
        match number {
            Number::Constant(_) | Number::Length => Ok(true),
            Number::Minus(inner) => self.readable(inner),
            Number::Combine(left, _, right) => Ok(self.readable(left)? && self.readable(right)?),
            Number::Load { layer, offset, tags, .. } => {
                let view = View { tags: u64::from(*tags), ..*self };
                Ok(self.readable(offset)? && view.has_layer(*layer)?)
            }
        }
    }

    fn has_layer(&self, layer: Layer) -> Result<bool, TooShort> {
        match layer {
            Layer::Link => Ok(true),
            Layer::Network(ether_type) => self.has_type(ether_type),
            Layer::Transport4(protocol) => {
                Ok(self.has_protocol(Family::V4, protocol)? && !self.is_later_fragment()?)
            }
            Layer::Icmp6 => {
                Ok(self.has_type(names::IP6)? && self.at_network(6, 1)? == u32::from(names::ICMP6))
            }
        }
    }

    fn number(&self, number: &Number) -> Result<u32, TooShort> {
        match number {
            Number::Constant(value) => Ok(*value),
            Number::Length => Ok(self.packet.length),
            Number::Minus(inner) => Ok(self.number(inner)?.wrapping_neg()),
            Number::Combine(left, operator, right) => {
                // Dividing by zero ends the evaluation like reading past the end.
                apply(self.number(left)?, *operator, self.number(right)?).ok_or(TooShort)
            }
            Number::Load { layer, offset, size, tags } => {
                let view = View { tags: u64::from(*tags), ..*self };
                let start = match layer {
                    Layer::Link => 0,
                    Layer::Network(_) => view.network(),
                    Layer::Transport4(_) => view.network() + view.header4()?,
                    Layer::Icmp6 => view.network() + IP6_HEADER,
                };
                self.packet.load(start + u64::from(self.number(offset)?), *size)
            }
        }
    }
}

/// Whether an address or port is at the offset of the wanted side.
fn one_or_both(
    side: Side,
    source: u64,
    destination: u64,
    at: impl Fn(u64) -> Result<bool, TooShort>,
) -> Result<bool, TooShort> {
    match side {
        Side::Source => at(source),
        Side::Destination => at(destination),
        Side::Either => Ok(at(source)? || at(destination)?),
        Side::Both => Ok(at(source)? && at(destination)?),
    }
}

/// An IPv6 address as four words.
fn words(addr: u128) -> [u32; 4] {
    let word = |shift: u32| u32::try_from((addr >> shift) & u128::from(u32::MAX)).unwrap_or(0);
    [word(96), word(64), word(32), word(0)]
}

/// Whether a protocol is the one whose ports are asked for.
fn with_ports(protocol: u32, wanted: Option<u8>) -> bool {
    match wanted {
        Some(wanted) => protocol == u32::from(wanted),
        None => [names::TCP, names::UDP, names::SCTP].iter().any(|known| protocol == u32::from(*known)),
    }
}

/// Arithmetic as the machine of the reference does it; `None` for a division by zero.
pub(crate) fn apply(left: u32, operator: Operator, right: u32) -> Option<u32> {
    Some(match operator {
        Operator::Add => left.wrapping_add(right),
        Operator::Subtract => left.wrapping_sub(right),
        Operator::Multiply => left.wrapping_mul(right),
        Operator::Divide => left.checked_div(right)?,
        Operator::Remainder => left.checked_rem(right)?,
        Operator::And => left & right,
        Operator::Or => left | right,
        Operator::Xor => left ^ right,
        // Shifting everything out leaves nothing.
        Operator::Left => left.checked_shl(right).unwrap_or(0),
        Operator::Right => left.checked_shr(right).unwrap_or(0),
    })
}
