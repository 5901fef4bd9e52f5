//! Expressions that are wrong, with the place and the hint.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use pcap_filter::{DEEPEST, Filter, LONGEST};

/// The part of the expression that is blamed, the message, the help.
fn wrong(text: &str) -> (&str, String, String) {
    let error = Filter::parse(text).unwrap_err();
    (&text[error.span], error.message, error.help.unwrap_or_default())
}

#[test]
fn the_place_is_told() {
    for (text, blamed, part) in [
        ("tcp prot 80", "prot", "port"),
        ("tpc port 80", "tpc", "tcp"),
        ("tcp port 80 an host 1.2.3.4", "an", "`and`"),
        ("port htpp", "htpp", "http"),
        ("port 70000", "70000", "65535"),
        ("udp port http", "http", "another protocol"),
        ("ip port 80", "ip port", "a port"),
        ("src 10.0.0.0/8", "10.0.0.0/8", "`net`"),
        ("net 10.0.0.1/8", "10.0.0.1/8", "10.0.0.0"),
        ("net 10.0.0.0/40", "40", "32"),
        ("host example.com", "example.com", "not resolved"),
        ("host 300.1.1.1", "300.1.1.1", "IPv4"),
        ("10.0.0.1", "10.0.0.1", "`host`"),
        ("443", "443", "`port`"),
        ("tcp[0:3] = 1", "3", "1, 2 or 4"),
        ("tcp[0] / 0 = 1", "0", "zero"),
        ("tcp[tcpflag] = 1", "tcpflag", "tcpflags"),
        ("(tcp", "(", "never closed"),
        ("tcp)", ")", "nothing opens"),
        ("tcp and", "", "ends"),
        ("tcp é", "é", "character"),
        ("inbound and tcp", "inbound", "network_direction"),
        ("vlan 5000", "5000", "4095"),
        ("ip proto nosuch", "nosuch", "no protocol"),
        ("ether host 1.2.3.4", "1.2.3.4", "six bytes"),
        ("len > 4294967296", "4294967296", "32 bits"),
        ("portrange 1 - 5", "-", "unexpected"),
    ] {
        let (place, message, help) = wrong(text);
        assert_eq!(place, blamed, "{text}: {message}");
        assert!(format!("{message} {help}").contains(part), "{text}: {message} ({help})");
    }
}

#[test]
fn size_and_depth_are_bounded() {
    let deep = |depth: usize| format!("{}tcp{}", "(".repeat(depth), ")".repeat(depth));
    assert!(Filter::parse(&deep(DEEPEST)).is_ok());
    assert!(wrong(&deep(DEEPEST + 1)).1.contains("deep"));
    assert!(Filter::parse(&format!("{}tcp", "not ".repeat(DEEPEST + 1))).is_err());
    assert!(Filter::parse(&format!("{}1 = 1", "-".repeat(DEEPEST + 1))).is_err());
    assert!(
        Filter::parse(&format!("len{} = 1", " + 1".repeat(100))).unwrap_err().message.contains("operators")
    );
    assert!(Filter::parse(&format!("tcp{}", " or tcp".repeat(LONGEST))).is_err());
    assert!(Filter::parse(&format!("tcp{}", " or tcp".repeat(500))).is_ok());
    assert!(Filter::parse("").is_ok() && Filter::parse("  ").is_ok());
}

proptest::proptest! {
    #[test]
    fn nothing_panics(
        text in r"((not|and|or|\(|\)|\[|\]|tcp|ip6?|host|net|port|src|dst|vlan|len|ether|proto|[0-9]{1,3}|0x[0-9a-f]{1,3}|10\.0\.0\.1|::1|/|:|&|=|<|-|\\tcp|é) ?){0,24}",
        bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..80),
    ) {
        match Filter::parse(&text) {
            Ok(filter) => {
                for link in [pcap_filter::LinkType::Ethernet, pcap_filter::LinkType::Raw] {
                    let _ = filter.matches(&pcap_filter::Packet::new(link, &bytes));
                }
                let again = Filter::parse(&filter.to_string());
                proptest::prop_assert_eq!(again.as_ref(), Ok(&filter), "{}", filter);
            }
            Err(error) => proptest::prop_assert!(text.get(error.span.clone()).is_some(), "{:?}", error),
        }
    }
}
