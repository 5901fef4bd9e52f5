//! What a packet has to be for an expression to match, in a form that is decided by a few comparisons of its headers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::ast::{Carrier, Expr, Family, Group, Layer, Logic, Number, Operator, Order, Side, Test};
use crate::names;

/// Bounds of one expression. What needs more is not bounded.
pub const BOUNDS_MAX: usize = 32;
/// Ports, and addresses, of one bound. What names more is bounded by the first.
pub const PARTS_MAX: usize = 2;

/// Offset of the flags in the header of TCP.
const TCP_FLAGS: u32 = 13;

/// A condition on the headers of a packet that begins with IP: all that is said here holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bound {
    /// The version of IP.
    pub version: Option<Version>,
    /// The protocol within IP. Of packets with further headers between the two it is not to be trusted.
    pub transport: Option<u8>,
    /// TCP: one of these flags is set; 0 says nothing.
    pub tcp_flags: u8,
    /// Ports of TCP, UDP or SCTP.
    pub ports: Vec<Ports>,
    /// Addresses, of the version above.
    pub networks: Vec<Network>,
}

/// A version of IP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// Version 4.
    V4,
    /// Version 6.
    V6,
}

/// A port lies between two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ports {
    /// Which port.
    pub side: Side,
    /// The lowest.
    pub low: u16,
    /// The highest.
    pub high: u16,
}

/// An address lies in a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    /// Which address.
    pub side: Side,
    /// The network.
    pub addr: IpAddr,
    /// Its mask, for IPv4 in the upper 32 bits.
    pub mask: u128,
}

impl Bound {
    /// Whether it says nothing.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        *self == Self::default()
    }

    fn of_version(version: Version) -> Self {
        Self { version: Some(version), ..Self::default() }
    }

    fn of_transport(version: Option<Version>, transport: u8) -> Self {
        Self { version, transport: Some(transport), ..Self::default() }
    }

    /// Both; `None` if that cannot be.
    fn and(&self, other: &Self) -> Option<Self> {
        fn both<T: PartialEq>(left: Option<T>, right: Option<T>) -> Option<Option<T>> {
            match (left, right) {
                (Some(left), Some(right)) => (left == right).then_some(Some(left)),
                (left, right) => Some(left.or(right)),
            }
        }
        fn parts<T: PartialEq + Copy>(left: &[T], right: &[T]) -> Vec<T> {
            let others = right.iter().filter(|part| !left.contains(part));
            left.iter().chain(others).copied().take(PARTS_MAX).collect()
        }
        Some(Self {
            version: both(self.version, other.version)?,
            transport: both(self.transport, other.transport)?,
            tcp_flags: if self.tcp_flags == 0 { other.tcp_flags } else { self.tcp_flags },
            ports: parts(&self.ports, &other.ports),
            networks: parts(&self.networks, &other.networks),
        })
    }
}

/// What packets that begin with IP have to satisfy one of. None: they never match.
pub(crate) fn of(expr: &Expr) -> Vec<Bound> {
    match expr {
        Expr::Everything => everything(),
        Expr::Test(test, _) => of_test(test).into_iter().collect(),
        // The opposite of too much would be too little.
        Expr::Not(_) => everything(),
        Expr::Chain(first, rest) => rest.iter().fold(of(first), |known, (logic, operand)| match logic {
            Logic::And => all_of(known, of(operand)),
            Logic::Or => any_of(known, of(operand)),
        }),
    }
}

fn everything() -> Vec<Bound> {
    vec![Bound::default()]
}

fn any_of(mut left: Vec<Bound>, right: Vec<Bound>) -> Vec<Bound> {
    for bound in right {
        if !left.contains(&bound) {
            left.push(bound);
        }
    }
    if left.len() > BOUNDS_MAX || left.iter().any(Bound::is_everything) { everything() } else { left }
}

fn all_of(left: Vec<Bound>, right: Vec<Bound>) -> Vec<Bound> {
    if left.len() * right.len() > BOUNDS_MAX {
        // One of the two bounds both.
        return if left.len() <= right.len() { left } else { right };
    }
    let pairs = left.iter().flat_map(|left| right.iter().filter_map(|right| left.and(right)));
    any_of(Vec::new(), pairs.collect())
}

/// `None`: no packet that begins with IP passes the test.
fn of_test(test: &Test) -> Option<Bound> {
    Some(match test {
        Test::EtherType(ether_type) => Bound::of_version(version(*ether_type)?),
        Test::Protocol(family, protocol) => {
            let version = match family {
                Family::V4 => Some(Version::V4),
                Family::V6 => Some(Version::V6),
                Family::Both => None,
            };
            Bound::of_transport(version, *protocol)
        }
        Test::Net { carrier: Carrier::Arp | Carrier::Rarp, .. }
        | Test::EtherHost(..)
        | Test::Vlan(_)
        | Test::Group(Group::EtherBroadcast | Group::EtherMulticast) => return None,
        Test::Net { side, addr, mask, .. } => in_network(*side, *addr, *mask),
        Test::Port { side, protocol, low, high } => {
            let ports = vec![Ports { side: *side, low: *low, high: *high }];
            Bound { transport: *protocol, ports, ..Bound::default() }
        }
        Test::Group(Group::Ip4Multicast) => {
            in_network(Side::Destination, Ipv4Addr::new(224, 0, 0, 0).into(), 0b111 << 125)
        }
        Test::Group(Group::Ip6Multicast) => {
            in_network(Side::Destination, Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0).into(), 0xff << 120)
        }
        Test::Compare(left, order, right) => {
            let readable = of_number(left)?.and(&of_number(right)?)?;
            let tcp_flags = tcp_flags(left, *order, right).unwrap_or_default();
            Bound { tcp_flags, ..readable }
        }
    })
}

fn version(ether_type: u16) -> Option<Version> {
    match ether_type {
        names::IP => Some(Version::V4),
        names::IP6 => Some(Version::V6),
        _ => None,
    }
}

fn in_network(side: Side, addr: IpAddr, mask: u128) -> Bound {
    let version = if addr.is_ipv4() { Version::V4 } else { Version::V6 };
    Bound { networks: vec![Network { side, addr, mask }], ..Bound::of_version(version) }
}

/// What a packet must be for a number to be read from it.
fn of_number(number: &Number) -> Option<Bound> {
    match number {
        Number::Constant(_) | Number::Length => Some(Bound::default()),
        Number::Minus(inner) => of_number(inner),
        Number::Combine(left, _, right) => of_number(left)?.and(&of_number(right)?),
        Number::Load { layer, offset, .. } => {
            let own = match layer {
                Layer::Link => Bound::default(),
                Layer::Network(ether_type) => Bound::of_version(version(*ether_type)?),
                Layer::Transport4(protocol) => Bound::of_transport(Some(Version::V4), *protocol),
                Layer::Icmp6 => Bound::of_transport(Some(Version::V6), names::ICMP6),
            };
            own.and(&of_number(offset)?)
        }
    }
}

/// The flags of TCP of which one is set if a comparison holds; 0 if it does not say.
fn tcp_flags(left: &Number, order: Order, right: &Number) -> Option<u8> {
    let Number::Constant(wanted) = right else { return None };
    let (mask, flags) = match left {
        Number::Combine(flags, Operator::And, mask) => match (&**flags, &**mask) {
            (flags, Number::Constant(mask)) | (Number::Constant(mask), flags) => (*mask, flags),
            _ => return None,
        },
        flags => (0xff, flags),
    };
    let Number::Load { layer: Layer::Transport4(names::TCP), offset, size: 1, .. } = flags else {
        return None;
    };
    let some = match (order, wanted) {
        (Order::NotEqual | Order::Greater, 0) => mask,
        (Order::Equal, wanted) => mask & wanted,
        _ => 0,
    };
    (**offset == Number::Constant(TCP_FLAGS)).then_some(u8::try_from(some & 0xff).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Filter;

    fn bounds(text: &str) -> Vec<Bound> {
        Filter::parse(text).unwrap().bounds()
    }

    fn only(text: &str) -> Bound {
        let bounds = bounds(text);
        assert_eq!(bounds.len(), 1, "{text}: {bounds:?}");
        bounds[0].clone()
    }

    #[test]
    fn what_headers_decide_is_found() {
        let port = |side, port| Ports { side, low: port, high: port };
        let bound = only("tcp and dst port 443 and src host 192.0.2.1");
        assert_eq!((bound.version, bound.transport), (Some(Version::V4), Some(names::TCP)));
        assert_eq!(bound.ports, [port(Side::Destination, 443)]);
        let host = Network {
            side: Side::Source,
            addr: Ipv4Addr::new(192, 0, 2, 1).into(),
            mask: u128::from(u32::MAX) << 96,
        };
        assert_eq!(bound.networks, [host]);
        let both = bounds("udp port 53 or icmp6");
        assert_eq!(both.len(), 2);
        assert_eq!((both[0].transport, &*both[0].ports), (Some(names::UDP), &[port(Side::Either, 53)][..]));
        assert_eq!((both[1].version, both[1].transport), (Some(Version::V6), Some(names::ICMP6)));
        assert_eq!(only("tcp[tcpflags] & (tcp-syn|tcp-fin) != 0").tcp_flags, 3);
        assert_eq!(only("tcp[tcpflags] == tcp-syn").tcp_flags, 2);
        assert_eq!(only("tcp[13] & 2 = 0").tcp_flags, 0);
        assert_eq!(only("icmp[0] = 8").transport, Some(names::ICMP));
    }

    #[test]
    fn what_they_do_not_decide_says_nothing() {
        for text in ["", "len > 100", "not tcp", "tcp or not udp", "tcp or len > 100"] {
            assert!(only(text).is_everything(), "{text}");
        }
        let many: Vec<_> = (0..=BOUNDS_MAX).map(|port| format!("port {}", port + 1)).collect();
        assert!(only(&many.join(" or ")).is_everything());
        assert_eq!(bounds(&many[1..].join(" or ")).len(), BOUNDS_MAX);
        let and = only(&format!("({}) and tcp", many.join(" or ")));
        assert_eq!((and.transport, and.ports.len()), (Some(names::TCP), 0));
        assert_eq!(only("port 1 and port 2 and port 3").ports.len(), PARTS_MAX);
    }

    #[test]
    fn what_is_never_true_of_ip_is_known() {
        for text in ["arp", "ether host 1:2:3:4:5:6", "vlan", "ip and ip6", "icmp and tcp port 1"] {
            assert_eq!(bounds(text), [], "{text}");
        }
    }
}
