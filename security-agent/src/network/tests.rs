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
        segment_size: 0,
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

/// The question, filled up to `size` bytes.
fn question_of(size: usize) -> Vec<u8> {
    let mut message = QUESTION.to_vec();
    message.resize(size, 0);
    message
}

#[test]
fn every_datagram_of_a_packet_is_a_message() {
    let mut network = network();
    let data = udp_4(&[question_of(40), question_of(40), question_of(30)].concat());
    let (packet, payloads) = network.packet(&RawPacket { segment_size: 40, ..raw(Kind::Dns, &data) }, 0);
    let sizes: Vec<_> = payloads
        .iter()
        .map(|payload| match payload {
            Payload::Dns(dns) => (dns.question.name.to_string(), dns.question.length),
            _ => panic!("{payload:?}"),
        })
        .collect();
    let name = || "a.test".to_owned();
    assert_eq!(sizes, [(name(), 40), (name(), 40), (name(), 30)]);
    assert_eq!(packet.size, 138);
    assert_eq!(network.counters(), Counters { dns_messages: 3, ..Counters::default() });
    // No size, or one that is no smaller than what there is: one message, with something behind its end.
    for segment_size in [0, 110, u16::MAX] {
        let (_, payloads) = network.packet(&RawPacket { segment_size, ..raw(Kind::Dns, &data) }, 0);
        let [Payload::Dns(dns)] = &payloads[..] else { panic!("{payloads:?}") };
        assert_eq!(dns.question.length, 110);
    }
}

#[test]
fn datagrams_that_were_not_copied_are_counted() {
    let mut network = network();
    let data = udp_4(&question_of(40).repeat(10));
    // Two of them, and 30 bytes of the third: its question is there.
    let cut = &data[..28 + 110];
    let (_, payloads) = network.packet(&RawPacket { segment_size: 40, ..raw(Kind::Dns, cut) }, 0);
    assert_eq!(payloads.len(), 3);
    assert_eq!(network.counters(), Counters { dns_messages: 3, truncated: 8, ..Counters::default() });
    let Payload::Dns(last) = &payloads[2] else { panic!("{payloads:?}") };
    assert_eq!(last.question.length, 40, "as it was sent");
}

#[test]
fn questions_beyond_the_limit_are_counted() {
    let question = &QUESTION[12..];
    let mut message = [&QUESTION[..4], &[0, 20], &QUESTION[6..12]].concat();
    message.extend(question.repeat(20));
    let mut network = network();
    let data = udp_4(&message);
    let (_, payloads) = network.packet(&raw(Kind::Dns, &data), 0);
    assert_eq!((payloads.len(), network.counters().dns_questions_dropped), (16, 4));
    // Those are not there that the header only declares.
    message[4] = 0xff;
    let data = udp_4(&message);
    network.packet(&raw(Kind::Dns, &data), 0);
    assert_eq!(network.counters().dns_questions_dropped, 8);
}

/// The same packet back: the answer that the name has this address.
fn answer(last: u8) -> Vec<u8> {
    let mut message = QUESTION.to_vec();
    message[2] |= 0x80;
    message[7] = 1;
    message.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 30, 0, 4, 192, 0, 2, last]);
    let mut packet = udp_4(&message);
    packet[12..20].rotate_left(4);
    packet[20..24].rotate_left(2);
    packet
}

#[test]
fn names_are_learnt_from_what_was_asked_for() {
    let mut network = network();
    let names =
        |network: &Network, last: u8| network.names_of(Some([192, 0, 2, last].into()), 0).iter().count();
    let (asked, first, second) = (udp_4(QUESTION), answer(1), answer(2));
    let ingress = |data| RawPacket { direction: INGRESS, ..raw(Kind::Dns, data) };
    let (_, payloads) = network.packet(&ingress(&first), 0);
    assert_eq!((payloads.len(), names(&network, 1)), (1, 0), "nobody has asked; it is an event nevertheless");
    assert_eq!(network.counters().dns_unasked, 1);
    network.packet(&raw(Kind::Dns, &asked), 0);
    network.packet(&RawPacket { socket: 2, ..ingress(&first) }, 0);
    assert_eq!(names(&network, 1), 0, "to another socket");
    network.packet(&ingress(&first), 0);
    network.packet(&ingress(&second), 0);
    assert_eq!((names(&network, 1), names(&network, 2)), (1, 0), "an answer to each question");
    assert_eq!(network.counters().dns_unasked, 3);
    // Of Docker's resolver only answers are seen.
    let mut docker = second.clone();
    docker[12..16].copy_from_slice(&[127, 0, 0, 11]);
    network.packet(&ingress(&docker), 0);
    assert_eq!(names(&network, 2), 1);
}

#[test]
fn names_that_had_to_go_are_counted() {
    let mut network = Network::new(Config { names_max: 1, ..Config::default() });
    for last in 1..=3 {
        network.packet(&raw(Kind::Dns, &udp_4(QUESTION)), 0);
        let data = answer(last);
        network.packet(&RawPacket { direction: INGRESS, ..raw(Kind::Dns, &data) }, 0);
    }
    assert_eq!(network.counters().names_evicted, 2);
}

#[test]
fn requests_that_are_given_up_are_counted() {
    let tcp = |socket: u64, content: &[u8]| {
        let mut packet = udp_4(&[&[0; 12][..], content].concat());
        packet[9] = 6;
        // 20 bytes of header.
        packet[32] = 0x50;
        (socket, packet)
    };
    let many = [b"GET / HTTP/1.1\r\n".to_vec(), b"X: y\r\n".repeat(65), b"\r\n".to_vec()].concat();
    let long = [b"GET / HTTP/1.1\r\nX: ".to_vec(), vec![b'y'; 17 << 10]].concat();
    let fine = b"GET / HTTP/1.1\r\n\r\n".to_vec();
    let mut network = network();
    for (socket, data) in [tcp(1, &many), tcp(2, &long), tcp(3, &fine)] {
        network.packet(&RawPacket { socket, ..raw(Kind::Imds, &data) }, 0);
    }
    assert_eq!(network.counters(), Counters { imds_messages: 1, imds_malformed: 2, ..Counters::default() });
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
