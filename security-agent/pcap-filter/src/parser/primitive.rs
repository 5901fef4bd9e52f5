//! Tests of a packet: a protocol, or qualifiers and a value.

use std::net::IpAddr;
use std::ops::Range;

use super::{Operand, Parser, Qualifiers, What, number};
use crate::ast::{Carrier, Expr, Family, Group, Number, Order, Side, Test};
use crate::error::Error;
use crate::lexer::Kind;
use crate::names;

/// Words that name a protocol by themselves.
const KEYWORDS: [&str; 25] = [
    "aarp", "ah", "arp", "atalk", "carp", "decnet", "esp", "ether", "icmp", "icmp6", "igmp", "igrp", "ip",
    "ip6", "lat", "link", "mopdl", "moprc", "pim", "rarp", "sca", "sctp", "tcp", "udp", "vrrp",
];

/// Words that qualify a value, and those that begin something else.
const OTHER_WORDS: [&str; 14] = [
    "src",
    "dst",
    "host",
    "net",
    "port",
    "portrange",
    "proto",
    "broadcast",
    "multicast",
    "less",
    "greater",
    "vlan",
    "len",
    "not",
];

/// VLAN tags that an expression can look behind.
const TAGS: u8 = 8;

/// A port, and the protocol if its name says one.
type Port = (u16, Option<u8>);

fn keyword(word: &str) -> Option<&'static str> {
    KEYWORDS.into_iter().find(|known| *known == word)
}

impl Parser<'_> {
    pub(super) fn primitive(&mut self, inherited: Option<Qualifiers>) -> Result<Operand, Error> {
        match self.peek_kind() {
            Some(Kind::Sign("-" | "(")) => Ok((self.comparison()?, None)),
            Some(Kind::Number(_)) if self.sign_at(self.at + 1).is_some_and(number::continues) => {
                Ok((self.comparison()?, None))
            }
            Some(Kind::Word { text, escaped: false }) => self.word(text, inherited),
            Some(Kind::Sign(_)) | None => Err(self.missing("a test such as `tcp` or `port 80`")),
            Some(_) => self.bare(inherited),
        }
    }

    /// A value that takes over the qualifiers of the one before it.
    fn bare(&mut self, inherited: Option<Qualifiers>) -> Result<Operand, Error> {
        let Some(qualifiers) = inherited else {
            let message = match self.peek_kind() {
                Some(kind) => format!("{} needs a qualifier before it", kind.describe()),
                None => "a qualifier is missing".to_owned(),
            };
            let what = match self.peek_kind() {
                Some(Kind::Number(_)) => "`port`",
                Some(Kind::Mac(_)) => "`ether host`",
                _ => "`host` or `net`",
            };
            return Err(Error::new(self.here(), message).with_help(format!("write {what} before it")));
        };
        Ok((self.value(qualifiers)?, Some(qualifiers)))
    }

    fn word(&mut self, word: &str, inherited: Option<Qualifiers>) -> Result<Operand, Error> {
        if let Some(protocol) = keyword(word) {
            if self.sign_at(self.at + 1) == Some("[") {
                return Ok((self.comparison()?, None));
            }
            self.at += 1;
            return self.after_protocol(protocol);
        }
        match word {
            "src" | "dst" | "host" | "net" | "port" | "portrange" | "proto" => self.qualified(None),
            "broadcast" | "multicast" => self.group(None),
            "less" | "greater" => {
                self.at += 1;
                let here = self.here();
                let Some(Kind::Number(length)) = self.peek_kind() else {
                    return Err(Error::new(here, format!("`{word}` needs a number of bytes")));
                };
                self.at += 1;
                let order = if word == "less" { Order::LessEqual } else { Order::GreaterEqual };
                let test = Test::Compare(Number::Length, order, Number::Constant(*length));
                Ok((Expr::Test(test, self.tags), None))
            }
            "vlan" => self.vlan(),
            "len" => Ok((self.comparison()?, None)),
            _ if names::look_up(names::CONSTANTS, word).is_some() => Ok((self.comparison()?, None)),
            _ => {
                if let Some(reason) = names::look_up(names::REFUSED, word) {
                    return Err(
                        Error::new(self.here(), format!("`{word}` is not supported")).with_help(reason)
                    );
                }
                if inherited.is_some() {
                    return self.bare(inherited);
                }
                let known = KEYWORDS.into_iter().chain(OTHER_WORDS);
                let mut error = Error::new(self.here(), format!("`{word}` is not a test of a packet"));
                error.help = suggest::did_you_mean(word, known);
                Err(error)
            }
        }
    }

    fn after_protocol(&mut self, protocol: &'static str) -> Result<Operand, Error> {
        match self.peek_word() {
            Some("src" | "dst" | "host" | "net" | "port" | "portrange" | "proto") => {
                self.qualified(Some(protocol))
            }
            Some("broadcast" | "multicast") => self.group(Some(protocol)),
            Some("protochain" | "gateway") => self.primitive(None),
            // Two words in a row: the second was meant to qualify the first.
            Some(word) if !matches!(word, "and" | "or") => {
                let known = ["and", "or", "src", "dst", "host", "net", "port", "portrange", "proto"];
                let message = format!("`{word}` cannot follow `{protocol}`");
                let mut error = Error::new(self.here(), message);
                error.help = suggest::did_you_mean(word, known)
                    .or_else(|| Some("join tests with `and` or `or`".to_owned()));
                Err(error)
            }
            _ => {
                let from = self.at - 1;
                Ok((self.protocol_alone(protocol, from)?, None))
            }
        }
    }

    fn protocol_alone(&self, protocol: &str, from: usize) -> Result<Expr, Error> {
        let test = match protocol {
            "ether" | "link" => {
                let message = format!("`{protocol}` by itself is no test");
                return Err(Error::new(self.since(from), message)
                    .with_help("write `ether host`, `ether proto` or `ether[OFFSET]`"));
            }
            "icmp6" => Test::Protocol(Family::V6, names::ICMP6),
            "icmp" | "igmp" | "igrp" | "vrrp" | "carp" => {
                Test::Protocol(Family::V4, names::look_up(names::PROTOCOLS, protocol).unwrap_or_default())
            }
            _ => match names::look_up(names::ETHER_TYPES, protocol) {
                Some(ether_type) => Test::EtherType(ether_type),
                None => Test::Protocol(
                    Family::Both,
                    names::look_up(names::PROTOCOLS, protocol).unwrap_or_default(),
                ),
            },
        };
        Ok(Expr::Test(test, self.tags))
    }

    fn vlan(&mut self) -> Result<Operand, Error> {
        let from = self.at;
        self.at += 1;
        let mut number = None;
        if let Some(Kind::Number(value)) = self.peek_kind() {
            let here = self.here();
            number =
                Some(u16::try_from(*value).ok().filter(|value| *value <= 4095).ok_or_else(|| {
                    Error::new(here, format!("{value} is no VLAN number, they end at 4095"))
                })?);
            self.at += 1;
        }
        if self.tags >= TAGS {
            return Err(Error::new(self.since(from), format!("more than {TAGS} nested VLAN tags")));
        }
        let test = Expr::Test(Test::Vlan(number), self.tags);
        self.tags += 1;
        Ok((test, None))
    }

    fn group(&mut self, protocol: Option<&'static str>) -> Result<Operand, Error> {
        let from = self.at;
        let word = self.peek_word().unwrap_or_default();
        self.at += 1;
        let group = match (protocol, word) {
            (None | Some("ether" | "link"), "broadcast") => Group::EtherBroadcast,
            (None | Some("ether" | "link"), _) => Group::EtherMulticast,
            (Some("ip"), "multicast") => Group::Ip4Multicast,
            (Some("ip6"), "multicast") => Group::Ip6Multicast,
            (Some("ip"), _) => {
                return Err(Error::new(
                    self.since(from),
                    "`ip broadcast` needs the netmask of the interface",
                )
                .with_help("write `dst host` and the broadcast address"));
            }
            (Some(protocol), _) => {
                let message = format!("there is no `{protocol} {word}`");
                return Err(Error::new(self.since(from.saturating_sub(1)), message));
            }
        };
        Ok((Expr::Test(Test::Group(group), self.tags), None))
    }

    /// Side, kind and value.
    fn qualified(&mut self, protocol: Option<&'static str>) -> Result<Operand, Error> {
        let from = self.at;
        let side = self.side();
        let what = match self.peek_word() {
            Some("host") => Some(What::Host),
            Some("net") => Some(What::Net),
            Some("port") => Some(What::Port),
            Some("portrange") => Some(What::PortRange),
            Some("proto") if self.at == from => Some(What::Protocol),
            _ => None,
        };
        self.at += usize::from(what.is_some());
        let qualifiers = Qualifiers { protocol, side: side.unwrap_or(Side::Either), what };
        self.check(qualifiers, from - usize::from(protocol.is_some()))?;
        let values = self.values(qualifiers)?;
        Ok((values, Some(qualifiers)))
    }

    fn side(&mut self) -> Option<Side> {
        let other = match self.peek_word()? {
            "src" => "dst",
            "dst" => "src",
            _ => return None,
        };
        let alone = if other == "dst" { Side::Source } else { Side::Destination };
        self.at += 1;
        let before = self.at;
        if let Some(logic) = self.logic() {
            if self.eat_word(other) {
                return Some(if logic == crate::ast::Logic::And { Side::Both } else { Side::Either });
            }
            self.at = before;
        }
        Some(alone)
    }

    /// Whether a protocol can be combined with what is asked of it.
    fn check(&self, qualifiers: Qualifiers, from: usize) -> Result<(), Error> {
        let Some(protocol) = qualifiers.protocol else { return Ok(()) };
        let (fits, of): (&[&str], _) = match qualifiers.what {
            None | Some(What::Host | What::Net) => {
                (&["ip", "ip6", "arp", "rarp", "ether", "link"], "an address")
            }
            Some(What::Port | What::PortRange) => (&["tcp", "udp", "sctp"], "a port"),
            Some(What::Protocol) => (&["ip", "ip6", "ether", "link"], "a protocol"),
        };
        if fits.contains(&protocol) {
            return Ok(());
        }
        let message = format!("`{protocol}` has no such thing as {of}");
        let help = format!("join the two tests: `{protocol} and …`");
        Err(Error::new(self.since(from), message).with_help(help))
    }

    /// One value, or several in parentheses.
    fn values(&mut self, qualifiers: Qualifiers) -> Result<Expr, Error> {
        if self.eat_word("not") || self.eat_sign("!") {
            return Ok(Expr::Not(Box::new(self.deeper(|parser| parser.values(qualifiers))?)));
        }
        if !self.eat_sign("(") {
            return self.value(qualifiers);
        }
        let (list, _) = self.deeper(|parser| parser.chain(Some(qualifiers)))?;
        if self.eat_sign(")") { Ok(list) } else { Err(self.missing("`)`")) }
    }

    fn value(&mut self, qualifiers: Qualifiers) -> Result<Expr, Error> {
        let from = self.at;
        let Some(kind) = self.peek_kind() else { return Err(self.missing("a value")) };
        self.at += 1;
        let test = match qualifiers.what {
            Some(What::Port) => {
                let port = self.port(kind, from)?;
                self.port_test(qualifiers, port, port, from)?
            }
            Some(What::PortRange) => {
                let (one, other) = self.port_range(kind, from)?;
                self.port_test(qualifiers, one, other, from)?
            }
            Some(What::Protocol) => self.protocol(qualifiers, kind, from)?,
            None | Some(What::Host | What::Net) => self.address(qualifiers, kind, from)?,
        };
        Ok(Expr::Test(test, self.tags))
    }

    fn port(&self, kind: &Kind, from: usize) -> Result<Port, Error> {
        match kind {
            Kind::Number(number) => port_number(*number, &self.since(from)),
            Kind::Word { text, .. } => port_name(text, &self.since(from)),
            other => Err(Error::new(self.since(from), format!("{} is no port", other.describe()))),
        }
    }

    fn port_range(&self, kind: &Kind, from: usize) -> Result<(Port, Port), Error> {
        let span = self.since(from);
        match kind {
            Kind::Number(number) => port_number(*number, &span).map(|port| (port, port)),
            Kind::Word { text, .. } => {
                let port = |text: &str| match text.parse() {
                    Ok(number) => port_number(number, &span),
                    Err(_) => port_name(text, &span),
                };
                // Names of ports may have dashes themselves.
                let dashes = text.match_indices('-').map(|(at, _)| at);
                let found = dashes
                    .filter_map(|at| Some((port(&text[..at]).ok()?, port(&text[at + 1..]).ok()?)))
                    .next();
                found.ok_or_else(|| {
                    let message = format!("`{text}` is no range of ports");
                    Error::new(span.clone(), message).with_help("write `FIRST-LAST`, without blanks")
                })
            }
            other => Err(Error::new(span, format!("{} is no range of ports", other.describe()))),
        }
    }

    fn port_test(&self, qualifiers: Qualifiers, one: Port, other: Port, from: usize) -> Result<Test, Error> {
        let asked = qualifiers.protocol.and_then(|name| names::look_up(names::PROTOCOLS, name));
        let named = one.1.filter(|_| one.1 == other.1);
        if asked.is_some_and(|asked| named.is_some_and(|named| named != asked)) {
            let message = "this service is of another protocol";
            return Err(Error::new(self.since(from), message).with_help("write the number of the port"));
        }
        let (low, high) = (one.0.min(other.0), one.0.max(other.0));
        Ok(Test::Port { side: qualifiers.side, protocol: asked.or(named), low, high })
    }

    fn protocol(&self, qualifiers: Qualifiers, kind: &Kind, from: usize) -> Result<Test, Error> {
        let span = self.since(from);
        let unknown = |known: &mut dyn Iterator<Item = &'static str>| {
            let mut error = Error::new(span.clone(), format!("{} is no protocol", kind.describe()));
            if let Kind::Word { text, .. } = kind {
                error.help = suggest::did_you_mean(text, known);
            }
            error
        };
        if matches!(qualifiers.protocol, Some("ether" | "link")) {
            let number = match kind {
                Kind::Number(number) => u16::try_from(*number).ok(),
                Kind::Word { text, .. } => names::look_up(names::ETHER_TYPES, text),
                _ => None,
            };
            let number =
                number.ok_or_else(|| unknown(&mut names::ETHER_TYPES.iter().map(|(name, _)| *name)))?;
            if number <= 1500 {
                return Err(Error::new(span, "Ethernet types begin at 1501; LLC is not decoded"));
            }
            return Ok(Test::EtherType(number));
        }
        let family = match qualifiers.protocol {
            Some("ip") => Family::V4,
            Some("ip6") => Family::V6,
            _ => Family::Both,
        };
        let number = match kind {
            Kind::Number(number) => u8::try_from(*number).ok(),
            Kind::Word { text, .. } => names::look_up(names::PROTOCOLS, text),
            _ => None,
        };
        let number = number.ok_or_else(|| unknown(&mut names::PROTOCOLS.iter().map(|(name, _)| *name)))?;
        Ok(Test::Protocol(family, number))
    }

    fn address(&mut self, qualifiers: Qualifiers, kind: &Kind, from: usize) -> Result<Test, Error> {
        let link = matches!(qualifiers.protocol, Some("ether" | "link"));
        let is_net = qualifiers.what == Some(What::Net);
        match kind {
            Kind::Mac(mac) if link && !is_net => Ok(Test::EtherHost(qualifiers.side, *mac)),
            Kind::Mac(_) => Err(Error::new(self.since(from), "this is an Ethernet address")
                .with_help("write `ether host` before it")),
            Kind::Ip4(..) | Kind::Ip6(_) | Kind::Number(_) if link => Err(Error::new(
                self.since(from),
                "an Ethernet address has six bytes, as in `00:11:22:33:44:55`",
            )),
            Kind::Ip4(addr, given) => {
                let addr = u32::from(*addr);
                let own = u32::MAX << (32 - 8 * u32::from(*given));
                let mask = self.mask4(is_net, from)?.unwrap_or(own);
                self.net4(qualifiers, addr, mask, from)
            }
            Kind::Number(number) => {
                // A number is an address, or with `net` the beginning of one: `net 10` is `net 10.0.0.0/8`.
                let shift = if is_net { number.leading_zeros() / 8 * 8 % 32 } else { 0 };
                self.net4(qualifiers, number << shift, u32::MAX << shift, from)
            }
            Kind::Ip6(addr) => {
                let length = self.prefix_length(is_net, 128, from)?.unwrap_or(128);
                let mask = u128::MAX.checked_shl(128 - length).unwrap_or(0);
                if u128::from(*addr) & !mask != 0 {
                    return Err(Error::new(self.since(from), "the address has bits beyond its prefix"));
                }
                match qualifiers.protocol {
                    None | Some("ip6") => {}
                    Some(other) => {
                        let message = format!("`{other}` does not carry IPv6 addresses");
                        return Err(Error::new(self.since(from), message));
                    }
                }
                let addr = IpAddr::V6(*addr);
                Ok(Test::Net { side: qualifiers.side, carrier: Carrier::Ip, addr, mask })
            }
            Kind::Word { text, .. } => {
                let message = format!("`{text}` is no address; names of hosts are not resolved");
                Err(Error::new(self.since(from), message))
            }
            Kind::Sign(sign) => {
                Err(Error::new(self.since(from), format!("unexpected `{sign}`, an address should be here")))
            }
        }
    }

    /// `/LENGTH` or `mask MASK` behind an IPv4 address.
    fn mask4(&mut self, is_net: bool, from: usize) -> Result<Option<u32>, Error> {
        if is_net && self.eat_word("mask") {
            let here = self.here();
            let Some(Kind::Ip4(mask, 4)) = self.peek_kind() else {
                return Err(Error::new(here, "a mask such as `255.255.255.0` should be here"));
            };
            self.at += 1;
            return Ok(Some(u32::from(*mask)));
        }
        let length = self.prefix_length(is_net, 32, from)?;
        Ok(length.map(|length| u32::MAX.checked_shl(32 - length).unwrap_or(0)))
    }

    fn prefix_length(&mut self, is_net: bool, longest: u32, from: usize) -> Result<Option<u32>, Error> {
        if !self.eat_sign("/") {
            return Ok(None);
        }
        let here = self.here();
        let length = match self.peek_kind() {
            Some(Kind::Number(length)) if *length <= longest => *length,
            _ => return Err(Error::new(here, format!("a prefix has 0 to {longest} bits"))),
        };
        self.at += 1;
        // One IPv6 address with its full length is still a host to the reference.
        if !is_net && length < 128 {
            return Err(
                Error::new(self.since(from), "only a `net` has a prefix").with_help("write `net` before it")
            );
        }
        Ok(Some(length))
    }

    fn net4(&self, qualifiers: Qualifiers, addr: u32, mask: u32, from: usize) -> Result<Test, Error> {
        if addr & !mask != 0 {
            let net = std::net::Ipv4Addr::from(addr & mask);
            return Err(Error::new(self.since(from), "the address has bits beyond its mask")
                .with_help(format!("the network is {net}")));
        }
        let carrier = match qualifiers.protocol {
            Some("arp") => Carrier::Arp,
            Some("rarp") => Carrier::Rarp,
            Some("ip") => Carrier::Ip,
            None => Carrier::Any,
            Some(other) => {
                let message = format!("`{other}` does not carry IPv4 addresses");
                return Err(Error::new(self.since(from), message));
            }
        };
        let addr = IpAddr::V4(addr.into());
        Ok(Test::Net { side: qualifiers.side, carrier, addr, mask: u128::from(mask) << 96 })
    }
}

fn port_number(number: u32, span: &Range<usize>) -> Result<Port, Error> {
    let port = u16::try_from(number);
    let port =
        port.map_err(|_| Error::new(span.clone(), format!("{number} is no port, they end at 65535")))?;
    Ok((port, None))
}

fn port_name(name: &str, span: &Range<usize>) -> Result<Port, Error> {
    names::look_up(names::PORTS, name).ok_or_else(|| {
        let mut error = Error::new(span.clone(), format!("`{name}` is no well-known port"));
        error.help = suggest::did_you_mean(name, names::PORTS.iter().map(|(name, _)| *name))
            .or_else(|| Some("write the number of the port".to_owned()));
        error
    })
}
