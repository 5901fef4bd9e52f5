//! Expressions as text that parses to the same expression.

use std::fmt::{Display, Formatter, Result};

use crate::ast::{Carrier, Expr, Family, Group, Layer, Logic, Number, Operator, Order, Side, Test};
use crate::names;

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Everything => Ok(()),
            Self::Test(test, _) => test.fmt(f),
            Self::Not(inner) => {
                f.write_str("not ")?;
                inner.operand(f)
            }
            Self::Chain(first, rest) => {
                first.operand(f)?;
                for (logic, operand) in rest {
                    f.write_str(if *logic == Logic::And { " and " } else { " or " })?;
                    operand.operand(f)?;
                }
                Ok(())
            }
        }
    }
}

impl Expr {
    fn operand(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Chain(..) => write!(f, "({self})"),
            _ => self.fmt(f),
        }
    }
}

impl Display for Test {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::EtherType(ether_type) => write!(f, "ether proto {ether_type:#06x}"),
            Self::Protocol(Family::Both, protocol) => write!(f, "proto {protocol}"),
            Self::Protocol(Family::V4, protocol) => write!(f, "ip proto {protocol}"),
            Self::Protocol(Family::V6, protocol) => write!(f, "ip6 proto {protocol}"),
            Self::Net { side, carrier, addr, mask } => {
                f.write_str(match carrier {
                    // The address says which version.
                    Carrier::Any => "",
                    Carrier::Ip if addr.is_ipv6() => "",
                    Carrier::Ip => "ip ",
                    Carrier::Arp => "arp ",
                    Carrier::Rarp => "rarp ",
                })?;
                write!(f, "{}net {addr}", side.words())?;
                if mask.leading_ones() + mask.trailing_zeros() >= u128::BITS {
                    write!(f, "/{}", mask.leading_ones())
                } else {
                    let mask = u32::try_from(mask >> 96).unwrap_or(u32::MAX);
                    write!(f, " mask {}", std::net::Ipv4Addr::from(mask))
                }
            }
            Self::EtherHost(side, [a, b, c, d, e, g]) => {
                write!(f, "ether {}host {a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}", side.words())
            }
            Self::Port { side, protocol, low, high } => {
                if let Some(protocol) = protocol {
                    write!(f, "{} ", protocol_name(*protocol))?;
                }
                let side = side.words();
                if low == high {
                    write!(f, "{side}port {low}")
                } else {
                    write!(f, "{side}portrange {low}-{high}")
                }
            }
            Self::Group(Group::EtherBroadcast) => f.write_str("ether broadcast"),
            Self::Group(Group::EtherMulticast) => f.write_str("ether multicast"),
            Self::Group(Group::Ip4Multicast) => f.write_str("ip multicast"),
            Self::Group(Group::Ip6Multicast) => f.write_str("ip6 multicast"),
            Self::Vlan(None) => f.write_str("vlan"),
            Self::Vlan(Some(number)) => write!(f, "vlan {number}"),
            Self::Compare(left, order, right) => write!(f, "{left} {} {right}", order.sign()),
        }
    }
}

impl Display for Number {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Constant(value) => value.fmt(f),
            Self::Length => f.write_str("len"),
            Self::Load { layer, offset, size, .. } => write!(f, "{}[{offset}:{size}]", layer.name()),
            Self::Combine(left, operator, right) => write!(f, "({left} {} {right})", operator.sign()),
            Self::Minus(inner) => write!(f, "-{inner}"),
        }
    }
}

impl Side {
    const fn words(self) -> &'static str {
        match self {
            Self::Source => "src ",
            Self::Destination => "dst ",
            Self::Either => "",
            Self::Both => "src and dst ",
        }
    }
}

impl Order {
    const fn sign(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessEqual => "<=",
            Self::Greater => ">",
            Self::GreaterEqual => ">=",
        }
    }
}

impl Operator {
    const fn sign(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Remainder => "%",
            Self::And => "&",
            Self::Or => "|",
            Self::Xor => "^",
            Self::Left => "<<",
            Self::Right => ">>",
        }
    }
}

impl Layer {
    fn name(self) -> &'static str {
        match self {
            Self::Link => "ether",
            Self::Network(ether_type) => {
                let found = names::ETHER_TYPES.iter().find(|(_, value)| *value == ether_type);
                found.map_or("ip", |(name, _)| name)
            }
            Self::Transport4(protocol) => protocol_name(protocol),
            Self::Icmp6 => "icmp6",
        }
    }
}

/// The keyword of a protocol whose bytes or ports can be asked for.
fn protocol_name(protocol: u8) -> &'static str {
    names::PROTOCOLS.iter().find(|(_, value)| *value == protocol).map_or("tcp", |(name, _)| name)
}
