//! Expressions as they are evaluated: qualifiers applied, names replaced by numbers.

use std::net::IpAddr;

/// An expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expr {
    /// Every packet.
    Everything,
    /// A test of the packet. The number says how many VLAN tags the expression has looked at before it: a `vlan` moves
    /// everything to its right behind the tag.
    Test(Test, u8),
    /// The opposite.
    Not(Box<Self>),
    /// `a and b or c …`: `and` and `or` have the same rank and associate to the left.
    Chain(Box<Self>, Vec<(Logic, Self)>),
}

/// How the operands of a chain are joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Logic {
    /// `and`
    And,
    /// `or`
    Or,
}

/// A test of a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Test {
    /// The network protocol, as an Ethernet type.
    EtherType(u16),
    /// The protocol within IP.
    Protocol(Family, u8),
    /// An address within IP (`host`, `net`), or within ARP.
    Net {
        /// Where the address is looked for.
        side: Side,
        /// What carries it.
        carrier: Carrier,
        /// The address, zero beyond the prefix.
        addr: IpAddr,
        /// Its mask, for IPv4 in the upper 32 bits.
        mask: u128,
    },
    /// An Ethernet address.
    EtherHost(Side, [u8; 6]),
    /// A port or a range of ports.
    Port {
        /// Where it is looked for.
        side: Side,
        /// The protocol; `None` for TCP, UDP and SCTP.
        protocol: Option<u8>,
        /// First port.
        low: u16,
        /// Last port.
        high: u16,
    },
    /// `ether broadcast`, `ether multicast`, `ip multicast`, `ip6 multicast`
    Group(Group),
    /// A VLAN tag, with this number if one is given.
    Vlan(Option<u16>),
    /// Two numbers compare; false if the packet lacks a protocol that they read from. (The reference overlooks the protocols of
    /// right operands, and then reads other headers as if they were those.)
    Compare(Number, Order, Number),
}

/// Which of the two ends of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Where it comes from.
    Source,
    /// Where it goes to.
    Destination,
    /// One of them.
    Either,
    /// Both of them.
    Both,
}

/// Versions of IP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Version 4.
    V4,
    /// Version 6.
    V6,
    /// Any.
    Both,
}

/// What carries an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    /// IP of the address's version, or, for version 4, ARP or RARP.
    Any,
    /// IP of the address's version.
    Ip,
    /// ARP.
    Arp,
    /// RARP.
    Rarp,
}

/// Groups of receivers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// Everybody on the Ethernet.
    EtherBroadcast,
    /// A group on the Ethernet.
    EtherMulticast,
    /// A group of IPv4.
    Ip4Multicast,
    /// A group of IPv6.
    Ip6Multicast,
}

/// How numbers compare, without sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterEqual,
}

/// A number of 32 bits without sign. Arithmetic wraps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Number {
    /// A constant.
    Constant(u32),
    /// `len`: the length of the packet.
    Length,
    /// `proto[offset:size]`: bytes of the packet.
    Load {
        /// What the offset counts from.
        layer: Layer,
        /// Offset in bytes.
        offset: Box<Self>,
        /// 1, 2 or 4 bytes.
        size: u8,
        /// VLAN tags before.
        tags: u8,
    },
    /// Two numbers combined.
    Combine(Box<Self>, Operator, Box<Self>),
    /// `-x`
    Minus(Box<Self>),
}

/// What an offset counts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layer {
    /// The beginning of the packet.
    Link,
    /// The network header, if the packet has this Ethernet type.
    Network(u16),
    /// The header behind that of IPv4, if it is of this protocol and the packet is no later fragment.
    Transport4(u8),
    /// The ICMPv6 header.
    Icmp6,
}

/// Arithmetic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `%`
    Remainder,
    /// `&`
    And,
    /// `|`
    Or,
    /// `^`
    Xor,
    /// `<<`
    Left,
    /// `>>`
    Right,
}
