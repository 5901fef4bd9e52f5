//! Packets, from their first byte on.

use proptest::prelude::*;

use super::*;

/// IPv4 with the content of a datagram.
fn udp_4(content: &[u8]) -> Vec<u8> {
    let total = u16::try_from(28 + content.len()).unwrap().to_be_bytes();
    let mut packet = vec![0x45, 0, total[0], total[1], 0, 0, 0, 0, 64, 17, 0, 0, 127, 0, 0, 1, 8, 8, 8, 8];
    packet.extend([0x30, 0x39, 0, 53]);
    packet.extend(u16::try_from(8 + content.len()).unwrap().to_be_bytes());
    packet.extend([0, 0]);
    packet.extend(content);
    packet
}

fn raw(kind: Kind, data: &[u8]) -> RawPacket<'_> {
    RawPacket {
        kind,
        socket: 1,
        length: u32::try_from(data.len()).unwrap(),
        direction: EGRESS,
        l3_protocol: 0x800,
        device: model::Device::default(),
        data,
    }
}

const QUESTION: &[u8] = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x01a\x04test\0\0\x01\0\x01";

fn network() -> Network {
    Network::new(Config::default())
}

#[test]
fn a_question_has_its_packet() {
    let mut network = network();
    let data = udp_4(QUESTION);
    let (packet, payloads) = network.packet(&raw(Kind::Dns, &data), 0);
    let [Payload::Dns(dns)] = &payloads[..] else { panic!("{payloads:?}") };
    assert_eq!((&*dns.question.name, dns.question.length), (&b"a.test"[..], 24));
    assert_eq!((packet.source.ip.unwrap().to_string(), packet.source.port), ("127.0.0.1".to_owned(), 12_345));
    assert_eq!(
        (packet.destination.port, packet.destination.is_public, packet.source.is_public),
        (53, true, false)
    );
    assert_eq!((packet.l4_protocol, packet.size, packet.direction), (17, 52, EGRESS));
    assert_eq!(network.counters().dns_messages, 1);
}

#[test]
fn headers_between_are_passed_over() {
    let udp = &udp_4(QUESTION)[20..];
    // Hop-by-hop options, destination options of 16 bytes, the first of several fragments, authentication.
    let chain = [
        (0_u8, [60, 0, 1, 4, 0, 0, 0, 0].to_vec()),
        (60, [44, 1].into_iter().chain([0; 14]).collect()),
        (44, [51, 0, 0, 1, 0, 0, 0, 9].to_vec()),
        (51, [17, 4].into_iter().chain([0; 22]).collect()),
    ];
    let extensions: Vec<u8> = chain.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
    let length = u16::try_from(extensions.len() + udp.len()).unwrap().to_be_bytes();
    let mut data = vec![0x60, 0, 0, 0, length[0], length[1], chain[0].0, 64];
    data.extend([[0; 15].as_slice(), &[1], &[0; 15], &[1]].concat());
    data.extend(extensions);
    data.extend(udp);
    let (packet, payloads) = network().packet(&raw(Kind::Dns, &data), 0);
    assert_eq!((payloads.len(), packet.l4_protocol, packet.destination.port), (1, 17, 53));
    // A later fragment has no header of UDP.
    data[40 + 8 + 16 + 3] = 9;
    let (packet, payloads) = network().packet(&raw(Kind::Dns, &data), 0);
    assert_eq!((payloads.len(), packet.destination.port), (0, 0));
}

#[test]
fn a_packet_may_end_anywhere() {
    let data = udp_4(QUESTION);
    for end in 0..data.len() {
        let mut network = network();
        let (_, payloads) = network.packet(&raw(Kind::Dns, &data[..end]), 0);
        assert!(payloads.is_empty());
        let counters = network.counters();
        assert_eq!(counters.unreadable + counters.dns_malformed, 1, "{end}: {counters:?}");
    }
}

#[test]
fn names_are_only_needed_where_connections_are_watched() {
    let (connect, exec) = (Kind::Connect.number(), Kind::Exec.number());
    assert_eq!(network().also_needed(&[connect]), Some(Kind::Dns));
    assert_eq!(network().also_needed(&[exec]), None);
    let without = Network::new(Config { names: false, ..Config::default() });
    assert_eq!(without.also_needed(&[connect]), None);
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(
        packets in proptest::collection::vec((0..3_usize, any::<bool>(), proptest::collection::vec(any::<u8>(), 0..200)), 0..40),
    ) {
        let mut network = network();
        for (kind, framed, bytes) in packets {
            let kind = [Kind::Dns, Kind::Imds, Kind::Packet][kind];
            let data = if framed { udp_4(&bytes) } else { bytes };
            network.packet(&raw(kind, &data), 0);
        }
    }
}
