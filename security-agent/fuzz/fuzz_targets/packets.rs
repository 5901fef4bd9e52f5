//! Any bytes as packets of a few sockets: headers, names, streams, HTTP. Nothing panics, and memory stays bounded.
#![no_main]

use libfuzzer_sys::fuzz_target;
use proto::wire::Kind;
use security_agent::decode::RawPacket;
use security_agent::network::{Config, Network};

/// A packet with an IPv4 header and one of TCP or UDP before the input, so that most of it gets to where it is read.
fn framed(choice: u8, sequence: u8, content: &[u8]) -> Vec<u8> {
    let is_tcp = choice & 1 != 0;
    let header: &[u8] = if is_tcp {
        &[0x30, 0x39, 0, 53, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 0x18, 0, 0, 0, 0, 0, 0]
    } else {
        &[0x30, 0x39, 0, 53, 0, 0, 0, 0]
    };
    let total = u16::try_from(20 + header.len() + content.len()).unwrap_or(u16::MAX).to_be_bytes();
    let protocol = if is_tcp { 6 } else { 17 };
    let mut packet = vec![0x45, 0, total[0], total[1], 0, 0, 0, 0, 64, protocol, 0, 0, 127, 0, 0, 1, 8, 8, 8, 8];
    packet.extend_from_slice(header);
    if is_tcp {
        packet[27] = sequence;
        packet[33] = choice >> 4;
    }
    packet.extend_from_slice(content);
    packet
}

fuzz_target!(|input: &[u8]| {
    let mut network = Network::new(Config { names_max: 8, ..Config::default() });
    let mut rest = input;
    while let [choice, sequence, length, more @ ..] = rest {
        let (content, after) = more.split_at(usize::from(*length).min(more.len()));
        rest = after;
        let data = if choice & 2 != 0 { framed(*choice, *sequence, content) } else { content.to_vec() };
        let packet = RawPacket {
            kind: [Kind::Dns, Kind::Imds, Kind::Packet][usize::from(choice >> 2) % 3],
            socket: u64::from(sequence & 3),
            length: u32::try_from(data.len()).unwrap_or(u32::MAX),
            direction: 1 + u32::from(choice >> 7),
            l3_protocol: 0x800,
            device: model::Device::default(),
            data: &data,
        };
        network.packet(&packet, u64::from(*sequence));
    }
});
