//! Events of sockets, and packets.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use model::payload::{Accept, Bind, Call, Connect, FlowMonitor, Setsockopt};
use model::{Device, Endpoint, Flow, HostNames, SocketAddress, Traffic};
use model::{Payload, Text};
use proto::wire::layout::{
    SOCKET_FLAG_FILTER_TRUNCATED, flow, flows_body, packet_body, setsockopt_body, socket_body,
};
use proto::wire::{Kind, Record};
use zerocopy::FromBytes as _;

use super::{Data, socket_filter, until_nul};

const AF_UNIX: u16 = 1;
const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;
const ETH_P_IP: u16 = 0x0800;

/// A packet, as the kernel has copied it.
#[derive(Debug, Clone)]
pub struct RawPacket<'r> {
    /// What it was sent for.
    pub kind: Kind,
    /// Identity of its socket.
    pub socket: u64,
    /// Bytes it had before it was cut.
    pub length: u32,
    /// UDP: bytes of each datagram if it holds several; 0: it holds one.
    pub segment_size: u16,
    /// `INGRESS` or `EGRESS`.
    pub direction: u32,
    /// `ETH_P_*`
    pub l3_protocol: u16,
    /// The interface that it passed.
    pub device: Device,
    /// From the IP header on.
    pub data: &'r [u8],
}

/// What a record of a socket event tells; `None` if its kind is no such event.
pub(super) fn payload(record: &Record<'_>) -> Option<Payload> {
    Some(match record.kind() {
        Kind::Bind => {
            let body: socket_body = record.body();
            Payload::Bind(Bind {
                protocol: body.protocol,
                addr: address(record, &body),
                call: call(body.retval),
            })
        }
        Kind::Connect => {
            let body: socket_body = record.body();
            Payload::Connect(Connect {
                protocol: body.protocol,
                addr: address(record, &body),
                hostnames: HostNames::default(),
                call: call(body.retval),
            })
        }
        Kind::Accept => {
            let body: socket_body = record.body();
            Payload::Accept(Accept {
                addr: address(record, &body),
                hostnames: HostNames::default(),
                call: call(body.retval),
            })
        }
        Kind::Setsockopt => Payload::Setsockopt(setsockopt(record, &record.body())),
        Kind::Flows => Payload::FlowMonitor(flows(record, &record.body())),
        _ => return None,
    })
}

fn flows(record: &Record<'_>, body: &flows_body) -> FlowMonitor {
    let chunks = Data::of(record, body.flows).bytes().chunks_exact(size_of::<flow>());
    let flows = chunks.filter_map(|bytes| flow::read_from_bytes(bytes).ok());
    FlowMonitor {
        device: Device {
            ifname: Text::new(until_nul(&body.interface_name)),
            ifindex: body.interface,
            netns: body.net_ns,
        },
        flows: flows.map(|flow| one_flow(&flow)).collect(),
    }
}

fn one_flow(flow: &flow) -> Flow {
    let endpoint = |bytes: &[u8; 16], port| {
        let ip = match flow.protocol {
            ETH_P_IP => bytes.first_chunk::<4>().map(|bytes| IpAddr::V4(Ipv4Addr::from(*bytes))),
            _ => Some(IpAddr::V6(Ipv6Addr::from(*bytes))),
        };
        // Whether it is public is a matter of configuration.
        Endpoint { ip, port, is_public: false }
    };
    Flow {
        l3_protocol: flow.protocol,
        l4_protocol: flow.transport,
        source: endpoint(&flow.local, flow.local_port),
        destination: endpoint(&flow.remote, flow.remote_port),
        ingress: Traffic { data_size: flow.bytes_in, packet_count: flow.packets_in },
        egress: Traffic { data_size: flow.bytes_out, packet_count: flow.packets_out },
    }
}

fn call(retval: i64) -> Call {
    Call { retval }
}

fn address(record: &Record<'_>, body: &socket_body) -> SocketAddress {
    let ip = match body.family {
        AF_INET => body.address.first_chunk::<4>().map(|bytes| IpAddr::V4(Ipv4Addr::from(*bytes))),
        AF_INET6 => Some(IpAddr::V6(Ipv6Addr::from(body.address))),
        _ => None,
    };
    let path =
        if body.family == AF_UNIX { unix_path(Data::of(record, body.path).bytes()) } else { Text::EMPTY };
    SocketAddress {
        family: body.family,
        path,
        // Whether it is public is a matter of configuration.
        endpoint: Endpoint { ip, port: body.port, is_public: false },
    }
}

/// The path of a Unix socket; an abstract one, which begins with NUL, begins with `@`, as people write it.
fn unix_path(bytes: &[u8]) -> Text {
    match bytes.split_first() {
        Some((0, name)) => Text::new(&[b"@", name].concat()),
        _ => Text::new(until_nul(bytes)),
    }
}

fn setsockopt(record: &Record<'_>, body: &setsockopt_body) -> Setsockopt {
    let filter = socket_filter::read(Data::of(record, body.filter).bytes());
    let is_truncated = body.flags & SOCKET_FLAG_FILTER_TRUNCATED != 0;
    let is_whole = !filter.is_empty() && !is_truncated;
    Setsockopt {
        socket_type: body.type_.into(),
        socket_family: body.family.into(),
        socket_protocol: body.protocol.into(),
        level: body.level.cast_unsigned(),
        optname: body.option.cast_unsigned(),
        filter_len: body.filter_length.into(),
        is_filter_truncated: is_truncated,
        filter_instructions: socket_filter::disassemble(&filter).as_str().into(),
        // That of a part would be taken for that of another filter.
        filter_hash: if is_whole {
            socket_filter::hash(Data::of(record, body.filter).bytes())
        } else {
            Text::EMPTY
        },
        used_immediates: socket_filter::immediates(&filter),
        call: call(body.retval),
    }
}

/// The packet of a record; `None` if its kind has none.
pub(super) fn packet<'r>(record: &Record<'r>) -> Option<RawPacket<'r>> {
    let (Kind::Dns | Kind::Imds | Kind::Packet) = record.kind() else { return None };
    let body: packet_body = record.body();
    Some(RawPacket {
        kind: record.kind(),
        socket: body.socket,
        length: body.length,
        segment_size: body.segment_size,
        direction: body.direction.into(),
        l3_protocol: body.protocol,
        device: Device {
            ifname: Text::new(until_nul(&body.interface_name)),
            ifindex: body.interface,
            netns: body.net_ns,
        },
        data: Data::of(record, body.data).bytes(),
    })
}
