//! The answers of libpcap: `data/libpcap.jsonl` holds packets, and for each of many expressions which of them tcpdump shows.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use pcap_filter::{Filter, LinkType, Packet};
use serde::Deserialize;

#[derive(Deserialize)]
struct Packets {
    ethernet: Vec<String>,
    raw: Vec<String>,
}

#[derive(Deserialize)]
struct Case {
    link: String,
    expr: String,
    /// Numbers of the packets that match; `None` if the expression is refused.
    matches: Option<Vec<usize>>,
}

/// What we take though the reference does not, with the reason.
const MORE: [&str; 2] = [
    // A backslash before the name is not needed where no keyword can stand.
    "ip proto tcp",
    "ether proto ip",
];

/// What we do not take though the reference does.
fn is_refused_here(expr: &str) -> bool {
    // Both need to know more than a packet tells: host names, or LLC.
    expr.contains("ether proto 5")
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

#[test]
fn packets_match_as_with_libpcap() {
    let mut lines = include_str!("data/libpcap.jsonl").lines();
    let packets: Packets = serde_json::from_str(lines.next().unwrap()).unwrap();
    let decoded = |list: &[String]| list.iter().map(|hex| bytes(hex)).collect::<Vec<_>>();
    let (ethernet, raw) = (decoded(&packets.ethernet), decoded(&packets.raw));
    let mut wrong = Vec::new();
    let (mut compared, mut matched) = (0, 0);
    for line in lines {
        let case: Case = serde_json::from_str(line).unwrap();
        let (link, packets) = match case.link.as_str() {
            "ethernet" => (LinkType::Ethernet, &ethernet),
            _ => (LinkType::Raw, &raw),
        };
        match (Filter::parse(&case.expr), case.matches) {
            (Ok(filter), Some(expected)) => {
                let found: Vec<usize> = packets
                    .iter()
                    .enumerate()
                    .filter(|(_, bytes)| filter.matches(&Packet::new(link, bytes)))
                    .map(|(number, _)| number)
                    .collect();
                compared += packets.len();
                matched += found.len();
                if found != expected {
                    let more: Vec<_> = found.iter().filter(|number| !expected.contains(number)).collect();
                    let fewer: Vec<_> = expected.iter().filter(|number| !found.contains(number)).collect();
                    wrong.push(format!("{:?} {}: too many {more:?}, too few {fewer:?}", link, case.expr));
                }
                let again = Filter::parse(&filter.to_string());
                assert_eq!(again.as_ref(), Ok(&filter), "{} is printed as {filter}", case.expr);
            }
            (Ok(_), None) if !MORE.contains(&case.expr.as_str()) => {
                wrong.push(format!("{} is not refused", case.expr))
            }
            (Err(error), Some(_)) if !is_refused_here(&case.expr) => {
                wrong.push(format!("{} is refused: {error} at {:?}", case.expr, error.span));
            }
            _ => {}
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
    assert!(compared > 50_000 && matched > 5_000, "{compared} compared, {matched} matched");
}
