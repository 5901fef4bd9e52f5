//! Ports, addresses and ranges of them.

use std::net::{IpAddr, Ipv4Addr};

use super::{Setting, quote};
use crate::node::Node;

/// Port numbers, at most [`Ports::MAX`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd)]
pub struct Ports(pub Vec<u16>);

impl Ports {
    /// How many there may be.
    pub const MAX: usize = 8;
}

impl Setting for Ports {
    const TYPE: &'static str = "list of ports";
    const EXPECTED: &'static str = "a list of at most 8 port numbers from 1 to 65535";

    fn read(node: &Node) -> Option<Self> {
        let ports: Vec<u16> =
            Vec::<String>::read(node)?.iter().map(|port| port.parse().ok()).collect::<Option<_>>()?;
        (ports.len() <= Self::MAX && !ports.contains(&0)).then_some(Self(ports))
    }

    fn render(&self) -> String {
        format!("[{}]", self.0.iter().map(u16::to_string).collect::<Vec<_>>().join(", "))
    }
}

impl Setting for Ipv4Addr {
    const TYPE: &'static str = "IPv4 address";
    const EXPECTED: &'static str = "an IPv4 address such as `169.254.169.254`";

    fn read(node: &Node) -> Option<Self> {
        node.text()?.trim().parse().ok()
    }

    fn render(&self) -> String {
        quote(&self.to_string())
    }
}

/// Ranges of addresses, as they are written: `10.0.0.0/8`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd)]
pub struct AddressRanges(pub Vec<String>);

impl Setting for AddressRanges {
    const TYPE: &'static str = "list of address ranges";
    const EXPECTED: &'static str = "a list of address ranges such as `10.0.0.0/8` or `fc00::/7`";

    fn read(node: &Node) -> Option<Self> {
        let ranges = Vec::<String>::read(node)?;
        ranges.iter().all(|range| is_range(range)).then_some(Self(ranges))
    }

    fn render(&self) -> String {
        self.0.render()
    }
}

fn is_range(text: &str) -> bool {
    let (address, length) = text.split_once('/').unwrap_or((text, "0"));
    let Ok(address) = address.parse::<IpAddr>() else { return false };
    let longest = if address.is_ipv4() { 32 } else { 128 };
    length.parse::<u8>().is_ok_and(|length| length <= longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T: Setting>(text: &str) -> Option<T> {
        T::read(&Node::from_environment(text))
    }

    #[test]
    fn ports_are_numbers_and_few() {
        assert_eq!(read::<Ports>("53 5353"), Some(Ports(vec![53, 5353])));
        assert_eq!(read::<Ports>(&Ports(vec![53, 5355]).render()), Some(Ports(vec![53, 5355])));
        assert_eq!(read::<Ports>("[]"), Some(Ports(vec![])));
        for wrong in ["0", "65536", "dns", "53 x", "1 2 3 4 5 6 7 8 9"] {
            assert_eq!(read::<Ports>(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn ranges_are_of_their_family() {
        for right in ["10.0.0.0/8", "fc00::/7", "192.0.2.1", "::/128"] {
            assert_eq!(read::<AddressRanges>(right), Some(AddressRanges(vec![right.to_owned()])), "{right}");
        }
        for wrong in ["10.0.0.0/33", "fc00::/129", "10.0.0/8", "x"] {
            assert_eq!(read::<AddressRanges>(wrong), None, "{wrong}");
        }
        assert_eq!(read::<Ipv4Addr>("169.254.169.254"), Some(Ipv4Addr::new(169, 254, 169, 254)));
        assert_eq!(read::<Ipv4Addr>("fd00::1"), None);
    }
}
