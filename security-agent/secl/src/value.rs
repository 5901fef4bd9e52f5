//! Kinds, values and IP networks: what expressions are made of and evaluate to.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

/// The kind of a single value. Every field, literal and variable has exactly one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A signed 64-bit integer. Unsigned 64-bit kernel values keep their bits; durations and times are nanoseconds.
    Int,
    /// True or false.
    Bool,
    /// A byte string. Paths and arguments come from the kernel and need not be UTF-8.
    Str,
    /// An IP address, compared with addresses and networks.
    Ip,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Int => "int",
            Self::Bool => "bool",
            Self::Str => "string",
            Self::Ip => "IP",
        })
    }
}

/// The type of an operand: a kind, and whether there are many of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Type {
    /// Kind of each value.
    pub kind: Kind,
    /// True for lists: array fields, fields below an iterator, list variables.
    pub list: bool,
}

impl Type {
    /// The type of one value of this kind.
    #[must_use]
    pub const fn scalar(kind: Kind) -> Self {
        Self { kind, list: false }
    }

    /// The type of a list of values of this kind.
    #[must_use]
    pub const fn list(kind: Kind) -> Self {
        Self { kind, list: true }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.kind, if self.list { "[]" } else { "" })
    }
}

/// An owned value: a constant, the result of a value expression, or an operand shown by an explanation.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Value {
    /// An integer.
    Int(i64),
    /// A boolean.
    Bool(bool),
    /// A byte string.
    Str(Vec<u8>),
    /// An address or network.
    Ip(IpNet),
    /// A list of integers.
    Ints(Vec<i64>),
    /// A list of booleans.
    Bools(Vec<bool>),
    /// A list of byte strings.
    Strs(Vec<Vec<u8>>),
    /// A list of addresses or networks.
    Ips(Vec<IpNet>),
}

impl Value {
    /// The type of this value.
    #[must_use]
    pub const fn ty(&self) -> Type {
        match self {
            Self::Int(_) => Type::scalar(Kind::Int),
            Self::Bool(_) => Type::scalar(Kind::Bool),
            Self::Str(_) => Type::scalar(Kind::Str),
            Self::Ip(_) => Type::scalar(Kind::Ip),
            Self::Ints(_) => Type::list(Kind::Int),
            Self::Bools(_) => Type::list(Kind::Bool),
            Self::Strs(_) => Type::list(Kind::Str),
            Self::Ips(_) => Type::list(Kind::Ip),
        }
    }

    /// The zero value of a type: what an unset variable or a missing field reads as.
    #[must_use]
    pub const fn zero(ty: Type) -> Self {
        match (ty.kind, ty.list) {
            (Kind::Int, false) => Self::Int(0),
            (Kind::Bool, false) => Self::Bool(false),
            (Kind::Str, false) => Self::Str(Vec::new()),
            (Kind::Ip, false) => Self::Ip(IpNet::UNSPECIFIED),
            (Kind::Int, true) => Self::Ints(Vec::new()),
            (Kind::Bool, true) => Self::Bools(Vec::new()),
            (Kind::Str, true) => Self::Strs(Vec::new()),
            (Kind::Ip, true) => Self::Ips(Vec::new()),
        }
    }
}

/// An IP network; a single address is a network with a full-length prefix.
///
/// IPv4-mapped IPv6 addresses (`::ffff:a.b.c.d`) are the IPv4 address they stand for, so they compare equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IpNet {
    /// Whether addresses are IPv4. The families never match each other.
    v4: bool,
    /// First address of the network, in the low 32 bits for IPv4.
    base: u128,
    /// One bits where an address has to equal `base`.
    mask: u128,
}

impl IpNet {
    /// `::/128`, the zero value of an IP.
    pub const UNSPECIFIED: Self = Self { v4: false, base: 0, mask: u128::MAX };

    /// The network of `prefix` bits that holds `addr`; host bits of `addr` are dropped. `None` if `prefix` is longer
    /// than the address.
    #[must_use]
    pub fn new(addr: IpAddr, prefix: u8) -> Option<Self> {
        let net = match addr {
            IpAddr::V4(a) => {
                let mask = prefix_mask(prefix, 32)? >> 96;
                Self { v4: true, base: u128::from(a.to_bits()) & mask, mask }
            }
            IpAddr::V6(a) => {
                let mask = prefix_mask(prefix, 128)?;
                let base = a.to_bits() & mask;
                match Ipv6Addr::from_bits(base).to_ipv4_mapped() {
                    Some(v4) if prefix >= 96 => return Self::new(IpAddr::V4(v4), prefix - 96),
                    _ => Self { v4: false, base, mask },
                }
            }
        };
        Some(net)
    }

    /// Whether both nets overlap: one of them contains the first address of the other. This is what `==` and `in`
    /// mean for IPs.
    #[must_use]
    pub const fn matches(&self, other: &Self) -> bool {
        self.v4 == other.v4
            && ((other.base & self.mask == self.base) || (self.base & other.mask == other.base))
    }

    /// The first address of the network.
    #[must_use]
    pub fn addr(&self) -> IpAddr {
        match u32::try_from(self.base) {
            Ok(bits) if self.v4 => IpAddr::V4(bits.into()),
            _ => IpAddr::V6(self.base.into()),
        }
    }

    /// Length of the prefix in bits.
    #[must_use]
    pub const fn prefix(&self) -> u32 {
        self.mask.count_ones()
    }

    /// Whether this is one address rather than a network.
    #[must_use]
    pub const fn is_host(&self) -> bool {
        self.prefix() == if self.v4 { 32 } else { 128 }
    }
}

/// The mask of the first `prefix` of `width` bits, aligned to the top of 128 bits.
fn prefix_mask(prefix: u8, width: u8) -> Option<u128> {
    match prefix {
        0 => Some(0),
        p if p <= width => Some(u128::MAX << (128 - u32::from(p))),
        _ => None,
    }
}

impl From<IpAddr> for IpNet {
    fn from(addr: IpAddr) -> Self {
        match addr.to_canonical() {
            IpAddr::V4(a) => Self { v4: true, base: u128::from(a.to_bits()), mask: u128::from(u32::MAX) },
            IpAddr::V6(a) => Self { v4: false, base: a.to_bits(), mask: u128::MAX },
        }
    }
}

impl fmt::Display for IpNet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_host() {
            write!(f, "{}", self.addr())
        } else {
            write!(f, "{}/{}", self.addr(), self.prefix())
        }
    }
}

/// The text is neither an address nor `address/prefix`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an IP address or network")]
pub struct IpNetError;

impl std::str::FromStr for IpNet {
    type Err = IpNetError;

    fn from_str(text: &str) -> Result<Self, IpNetError> {
        match text.split_once('/') {
            None => Ok(Self::from(text.parse::<IpAddr>().map_err(|_| IpNetError)?)),
            Some((addr, prefix)) => {
                let addr = addr.parse().map_err(|_| IpNetError)?;
                let digits = !prefix.is_empty() && prefix.bytes().all(|b| b.is_ascii_digit());
                let prefix = prefix.parse().ok().filter(|_| digits).ok_or(IpNetError)?;
                Self::new(addr, prefix).ok_or(IpNetError)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(text: &str) -> IpNet {
        text.parse().unwrap()
    }

    #[test]
    fn nets_match_when_either_contains_the_base_of_the_other() {
        assert!(net("192.168.0.16/16").matches(&net("192.168.1.1/8")));
        assert!(net("192.168.1.1/8").matches(&net("192.168.0.16/16")));
        assert!(!net("192.168.0.16").matches(&net("192.168.1.1/24")));
        assert!(net("0.0.0.0/0").matches(&net("10.0.0.1")));
    }

    #[test]
    fn mapped_addresses_are_ipv4() {
        assert_eq!(net("::ffff:192.168.0.1"), net("192.168.0.1"));
        assert_eq!(net("::ffff:192.168.4.0/112"), net("192.168.0.0/16"));
        assert!(!net("::/0").matches(&net("192.168.0.1")));
    }

    #[test]
    fn bad_nets_are_refused() {
        for text in ["", "1.2.3", "1.2.3.4/33", "::/129", "1.2.3.4/", "1.2.3.4/+1", "x/1", "1.2.3.4/1/1"] {
            assert!(text.parse::<IpNet>().is_err(), "{text}");
        }
    }

    #[test]
    fn nets_print_as_they_parse() {
        for text in ["10.0.0.0/8", "10.1.2.3", "::1", "fc00::/7"] {
            assert_eq!(net(text).to_string(), text);
        }
    }
}
