//! What packets and addresses mean: name services, metadata services, packet filters, names of addresses.
//!
//! Packets come from whoever can send one, through the kernel's copy of their first bytes. Everything here is bounded, counts what it
//! cannot understand, and panics on nothing.

mod asked;
mod datagrams;
mod dns;
mod filters;
mod headers;
mod imds;
mod names;
mod streams;
mod tls;

use std::net::{IpAddr, Ipv4Addr};

use engine::ruleset::RuleSet;
use model::{Endpoint, Packet, PrivateRanges, SocketAddress};
use model::{Payload, TextList, payload};
use proto::wire::Kind;

use self::asked::Asked;
use self::dns::Message;
use self::filters::Filters;
pub(crate) use self::filters::filters_of;
use self::headers::{Content, Headers};
use self::imds::Imds;
use self::names::Names;
use self::streams::{Segment, StreamKey, Streams};
use crate::decode::RawPacket;

/// How the network is understood.
#[derive(Debug, Clone)]
pub struct Config {
    /// Addresses that are not public.
    pub private_ranges: PrivateRanges,
    /// Whether names of addresses are learnt.
    pub names: bool,
    /// Addresses whose names are remembered at most.
    pub names_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { private_ranges: PrivateRanges::default(), names: true, names_max: 1024 }
    }
}

/// What was seen and not understood so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counters {
    /// Messages of name services.
    pub dns_messages: u64,
    /// Those that are none, or damaged before the end of their questions.
    pub dns_malformed: u64,
    /// Questions behind the first 16 of their message.
    pub dns_questions_dropped: u64,
    /// Answers that nobody was seen to ask for: no names were learnt from them.
    pub dns_unasked: u64,
    /// Questions whose answer was not waited for any more, as too many others came.
    pub dns_questions_forgotten: u64,
    /// Names that were forgotten because there were too many, of an address or at all.
    pub names_evicted: u64,
    /// Messages and streams of which a part was not copied, or was lost.
    pub truncated: u64,
    /// Messages of metadata services.
    pub imds_messages: u64,
    /// Streams of such that were given up: what is no HTTP, has more than 64 headers, or a head of more than 16 KiB.
    pub imds_malformed: u64,
    /// Packets without readable headers.
    pub unreadable: u64,
    /// TCP streams that were given up because there were too many.
    pub streams_evicted: u64,
}

/// The state between packets.
#[derive(Debug)]
pub struct Network {
    config: Config,
    filters: Filters,
    names: Names,
    asked: Asked,
    dns_streams: Streams<()>,
    imds_streams: Streams<Imds>,
    counters: Counters,
}

impl Network {
    /// Nothing seen yet.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            names: Names::new(config.names_max),
            config,
            filters: Filters::default(),
            asked: Asked::default(),
            dns_streams: Streams::default(),
            imds_streams: Streams::default(),
            counters: Counters::default(),
        }
    }

    /// Takes the packet filters of the rules in force.
    pub fn replace_rules(&mut self, rules: &RuleSet) {
        self.filters = Filters::of(rules);
    }

    /// A stream of records begins, maybe of another boot: sockets are numbered anew.
    pub fn reset(&mut self) {
        self.asked.clear();
        self.dns_streams = Streams::default();
        self.imds_streams = Streams::default();
    }

    /// What was not understood.
    #[must_use]
    pub fn counters(&self) -> Counters {
        let evicted = self.dns_streams.evicted() + self.imds_streams.evicted();
        Counters {
            streams_evicted: evicted,
            names_evicted: self.names.evicted(),
            dns_questions_forgotten: self.asked.forgotten(),
            ..self.counters
        }
    }

    /// Whether records of `wanted` need those of another kind too, and which.
    #[must_use]
    pub fn also_needed(&self, wanted: &[u32]) -> Option<Kind> {
        let has_peers = [Kind::Connect, Kind::Accept].iter().any(|kind| wanted.contains(&kind.number()));
        (self.config.names && has_peers).then_some(Kind::Dns)
    }

    /// Adds to an event of a socket what only the agent knows.
    pub fn complete(&mut self, payload: &mut Payload, now_ns: u64) {
        match payload {
            Payload::Bind(bind) => self.judge(&mut bind.addr),
            Payload::Connect(connect) => {
                self.judge(&mut connect.addr);
                connect.hostnames.names = self.names_of(connect.addr.endpoint.ip, now_ns);
            }
            Payload::Accept(accept) => {
                self.judge(&mut accept.addr);
                accept.hostnames.names = self.names_of(accept.addr.endpoint.ip, now_ns);
            }
            Payload::FlowMonitor(monitor) => {
                for flow in &mut monitor.flows {
                    self.judge_endpoint(&mut flow.source);
                    self.judge_endpoint(&mut flow.destination);
                }
            }
            _ => {}
        }
    }

    fn judge(&self, address: &mut SocketAddress) {
        self.judge_endpoint(&mut address.endpoint);
    }

    fn judge_endpoint(&self, endpoint: &mut Endpoint) {
        endpoint.is_public = endpoint.ip.is_some_and(|ip| !self.config.private_ranges.contains(ip));
    }

    fn names_of(&self, address: Option<IpAddr>, now_ns: u64) -> TextList {
        address.map_or(TextList::EMPTY, |address| self.names.of(address.to_canonical(), now_ns))
    }

    /// The events that a packet makes, with what they tell of the packet.
    pub fn packet(&mut self, raw: &RawPacket<'_>, now_ns: u64) -> (Packet, Vec<Payload>) {
        let headers = Headers::parse(raw.data);
        let Some(headers) = headers else {
            self.counters.unreadable += 1;
            return (self.describe(raw, None), Vec::new());
        };
        let packet = self.describe(raw, Some(&headers));
        let payloads = match raw.kind {
            Kind::Dns => self.dns(raw, &headers, now_ns),
            Kind::Imds => self.imds(raw, &headers),
            _ => self.raw(raw, &headers, &packet),
        };
        (packet, payloads)
    }

    fn describe(&self, raw: &RawPacket<'_>, headers: Option<&Headers<'_>>) -> Packet {
        let endpoint = |address: Option<(IpAddr, u16)>| {
            address.map_or_else(Endpoint::default, |(ip, port)| {
                Endpoint::new(ip, port, &self.config.private_ranges)
            })
        };
        Packet {
            l3_protocol: raw.l3_protocol,
            l4_protocol: headers.map_or(0, |headers| headers.transport.into()),
            direction: raw.direction,
            size: raw.length,
            icmp_type: headers.map_or(0, |headers| headers.icmp_type.into()),
            device: raw.device.clone(),
            source: endpoint(headers.map(|headers| headers.source)),
            destination: endpoint(headers.map(|headers| headers.destination)),
        }
    }

    fn dns(&mut self, raw: &RawPacket<'_>, headers: &Headers<'_>, now_ns: u64) -> Vec<Payload> {
        let mut messages = Vec::new();
        match headers.content {
            Content::Udp(bytes) => {
                let mut whole = 0;
                for datagram in datagrams::split(bytes, headers.content_length, raw.segment_size) {
                    whole += u32::from(!datagram.is_cut());
                    messages.push((Message::parse(datagram.bytes), datagram.length));
                }
                let all = datagrams::count(headers.content_length, raw.segment_size);
                self.counters.truncated += u64::from(all.saturating_sub(whole));
            }
            Content::Tcp { sequence, flags, bytes } => {
                let segment = Segment { sequence, flags, bytes, length: headers.content_length };
                let key = StreamKey { socket: raw.socket, direction: raw.direction };
                let Some(stream) = self.dns_streams.add(key, segment) else { return Vec::new() };
                while let Some(message) = dns::take_from_stream(stream) {
                    messages
                        .push((Message::parse(&message), u32::try_from(message.len()).unwrap_or(u32::MAX)));
                }
                let is_hopeless = stream.is_hopeless();
                let lost = stream.is_broken() && !stream.bytes().is_empty();
                self.counters.truncated += u64::from(lost);
                if is_hopeless {
                    self.counters.dns_malformed += 1;
                }
                self.dns_streams.finish(key);
            }
            Content::Other => self.counters.unreadable += 1,
        }
        let mut payloads = Vec::new();
        for (message, length) in messages {
            match message {
                Some(message) => {
                    self.counters.dns_messages += 1;
                    self.counters.dns_questions_dropped += u64::from(message.dropped);
                    payloads.extend(dns::events(&message, length));
                    if self.config.names {
                        self.learn(raw, headers.source.0, message, now_ns);
                    }
                }
                None => self.counters.dns_malformed += 1,
            }
        }
        payloads
    }

    /// Remembers questions that leave, and the names in answers to them.
    fn learn(&mut self, raw: &RawPacket<'_>, source: IpAddr, mut message: Message, now_ns: u64) {
        match (raw.direction, message.code) {
            (EGRESS, None) => self.asked.ask(raw.socket, &message, now_ns),
            (INGRESS, Some(_)) => {
                if source == DOCKER_RESOLVER || self.asked.answer(raw.socket, &mut message, now_ns) {
                    self.names.learn(&message, now_ns);
                } else {
                    self.counters.dns_unasked += 1;
                }
            }
            _ => {}
        }
    }

    fn imds(&mut self, raw: &RawPacket<'_>, headers: &Headers<'_>) -> Vec<Payload> {
        let Content::Tcp { sequence, flags, bytes } = headers.content else { return Vec::new() };
        let segment = Segment { sequence, flags, bytes, length: headers.content_length };
        let key = StreamKey { socket: raw.socket, direction: raw.direction };
        let provider = self.imds_streams.get(key.other()).map(|stream| stream.extra().provider);
        let Some(stream) = self.imds_streams.add(key, segment) else { return Vec::new() };
        let mut payloads = Vec::new();
        while let Some(event) = imds::take_from_stream(stream, raw.direction == EGRESS, provider.flatten()) {
            self.counters.imds_messages += 1;
            payloads.push(Payload::Imds(event));
        }
        self.counters.truncated += u64::from(stream.is_broken());
        self.counters.imds_malformed += u64::from(stream.is_hopeless());
        self.imds_streams.finish(key);
        payloads
    }

    fn raw(&self, raw: &RawPacket<'_>, headers: &Headers<'_>, packet: &Packet) -> Vec<Payload> {
        let tls = tls::of(headers);
        let matching = self.filters.matching(raw.data, raw.length);
        let event = |filter: &model::Text| {
            Payload::Packet(payload::RawPacket {
                filter: filter.clone(),
                packet: packet.clone(),
                tls: tls.clone(),
            })
        };
        matching.map(event).collect()
    }
}

/// Docker's resolver within containers. Questions to it leave to another port, which the kernel puts in the place of 53 before
/// they are seen; only answers are. Nobody outside of the container can send from such an address.
const DOCKER_RESOLVER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 11));

/// `INGRESS` and `EGRESS` of the language, which are those of records.
const INGRESS: u32 = proto::wire::layout::PACKET_IN;
const EGRESS: u32 = proto::wire::layout::PACKET_OUT;

#[cfg(test)]
mod tests;
