//! Filters of packets: what the headers of a packet have to say for any filter of the rules to match.

use engine::ruleset::RuleSet;
use model::EventKind;
use pcap_filter::ast::Side;
use pcap_filter::{Bound, Network, Ports, Version};
use proto::filter::limits;
use proto::v1::{Alternative, Filter, NetworkCondition, PacketCondition, PacketSide, PortCondition};
use proto::wire::Kind;
use secl::EventTypeId;

use super::Outcome;
use crate::network::filters_of;

/// From the filters that the rules about packets name.
pub(super) fn outcome(rules: &RuleSet) -> Outcome {
    let (mut bounds, mut blockers) = (Vec::<Bound>::new(), Vec::<String>::new());
    for (rule, condition) in rules.rules_about(EventTypeId(EventKind::Packet as u16)) {
        let of_rule = filters_of(condition);
        // A filter that cannot be understood matches nothing.
        for bound in of_rule.iter().flatten().flat_map(pcap_filter::Filter::bounds) {
            if bound.is_everything() && !blockers.iter().any(|known| known == rule) {
                blockers.push(rule.to_owned());
            }
            if !bounds.contains(&bound) {
                bounds.push(bound);
            }
        }
    }
    if !blockers.is_empty() || bounds.len() > limits::PACKETS {
        return Outcome::Whole(blockers);
    }
    let alternative = |bound| Alternative { packet: Some(to_wire(bound)), ..Alternative::default() };
    Outcome::Filter(Filter {
        kind: Kind::Packet.number(),
        alternatives: bounds.iter().map(alternative).collect(),
    })
}

fn to_wire(bound: &Bound) -> PacketCondition {
    let version = match bound.version {
        None => 0,
        Some(Version::V4) => 4,
        Some(Version::V6) => 6,
    };
    let port = |ports: &Ports| PortCondition {
        side: side(ports.side).into(),
        low: ports.low.into(),
        high: ports.high.into(),
    };
    PacketCondition {
        version,
        transport: bound.transport.map_or(0, u32::from),
        tcp_flags: bound.tcp_flags.into(),
        ports: bound.ports.iter().map(port).collect(),
        networks: bound.networks.iter().map(network).collect(),
    }
}

fn network(network: &Network) -> NetworkCondition {
    let (address, mask) = match network.addr {
        std::net::IpAddr::V4(addr) => {
            (addr.octets().to_vec(), network.mask.to_be_bytes().into_iter().take(4).collect::<Vec<_>>())
        }
        std::net::IpAddr::V6(addr) => (addr.octets().to_vec(), network.mask.to_be_bytes().to_vec()),
    };
    NetworkCondition { side: side(network.side).into(), address: address.into(), mask: mask.into() }
}

fn side(side: Side) -> PacketSide {
    match side {
        Side::Source => PacketSide::Source,
        Side::Destination => PacketSide::Destination,
        Side::Either => PacketSide::Either,
        Side::Both => PacketSide::Both,
    }
}

#[cfg(test)]
mod tests {
    use pcap_filter::{LinkType, Packet};
    use proto::filter::packet::{Headers, lets_through};
    use serde_json::Value;

    use super::*;

    /// Every packet that matches an expression is let through by what is made of that, and many others are not.
    #[test]
    fn no_packet_that_matches_is_dropped() {
        let data = concat!(env!("CARGO_MANIFEST_DIR"), "/pcap-filter/tests/data/libpcap.jsonl");
        let data = std::fs::read_to_string(data).unwrap();
        let mut lines = data.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let packets = lines.next().unwrap();
        let bytes = |hex: &str| -> Vec<u8> {
            (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
        };
        let raw = packets["raw"].as_array().unwrap();
        let packets: Vec<_> = raw.iter().map(|hex| bytes(hex.as_str().unwrap())).collect();
        let (mut matched, mut dropped) = (0, 0);
        for case in lines {
            let text = case["expr"].as_str().unwrap();
            let Ok(filter) = pcap_filter::Filter::parse(text) else { continue };
            let conditions: Vec<_> = filter.bounds().iter().map(to_wire).collect();
            for packet in &packets {
                // Such packets are not told, whatever the filter is.
                let Some(headers) = Headers::of(packet) else { continue };
                let through = conditions.iter().any(|condition| lets_through(condition, &headers));
                dropped += usize::from(!through);
                if filter.matches(&Packet::new(LinkType::Raw, packet)) {
                    assert!(through, "{text}: {headers:?}, {conditions:?}");
                    matched += 1;
                }
            }
        }
        assert!(matched > 1000 && dropped > 1000, "{matched} matched, {dropped} dropped");
    }
}
