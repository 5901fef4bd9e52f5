//! The headers of a packet, from IP on.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMPV6: u8 = 58;
/// IPv6 headers that another one follows: hop-by-hop options, routing, destination options.
const OPTIONS: [u8; 3] = [0, 43, 60];
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
/// Headers of an IPv6 packet that are looked at: the kernel looks at no more.
const HEADERS_MAX: usize = 6;

/// What the headers of a packet tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Headers<'p> {
    /// `IPPROTO_*`
    pub(super) transport: u8,
    pub(super) source: (IpAddr, u16),
    pub(super) destination: (IpAddr, u16),
    /// 0 if it is no ICMP.
    pub(super) icmp_type: u8,
    pub(super) content: Content<'p>,
    /// Bytes of the content before any cut, as the headers say.
    pub(super) content_length: u32,
    /// Not all of the content is there.
    pub(super) is_cut: bool,
}

/// What stands behind the last header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content<'p> {
    Udp(&'p [u8]),
    Tcp {
        sequence: u32,
        flags: u8,
        bytes: &'p [u8],
    },
    /// Of another protocol, or not to be told.
    Other,
}

impl<'p> Headers<'p> {
    /// Reads them; `None` if not even the addresses are there.
    pub(super) fn parse(packet: &'p [u8]) -> Option<Self> {
        match packet.first()? >> 4 {
            4 => Self::version_4(packet),
            6 => Self::version_6(packet),
            _ => None,
        }
    }

    fn version_4(packet: &'p [u8]) -> Option<Self> {
        let header = packet.first_chunk::<20>()?;
        let length = usize::from(header[0] & 15) * 4;
        let total = usize::from(u16::from_be_bytes([header[2], header[3]]));
        let address = |at: usize| Some(IpAddr::V4(Ipv4Addr::from(*header.get(at..)?.first_chunk::<4>()?)));
        let is_later_fragment = u16::from_be_bytes([header[6], header[7]]) & 0x1fff != 0;
        let transport = header[9];
        let mut headers = Self::new(transport, address(12)?, address(16)?);
        if length >= 20 && !is_later_fragment {
            // 0: the kernel fills it in later, or the packet is larger than it can say.
            let total = if total == 0 { packet.len() } else { total };
            headers.transport(
                transport,
                packet.get(length..).unwrap_or_default(),
                total.saturating_sub(length),
            );
        }
        Some(headers)
    }

    fn version_6(packet: &'p [u8]) -> Option<Self> {
        let header = packet.first_chunk::<40>()?;
        let address = |at: usize| Some(IpAddr::V6(Ipv6Addr::from(*header.get(at..)?.first_chunk::<16>()?)));
        let declared = usize::from(u16::from_be_bytes([header[4], header[5]]));
        let rest = packet.get(40..).unwrap_or_default();
        let (mut next, mut offset) = (header[6], 0_usize);
        let mut headers = Self::new(next, address(8)?, address(24)?);
        for _ in 0..HEADERS_MAX {
            let is_fragment = next == FRAGMENT;
            let is_chained = OPTIONS.contains(&next) || is_fragment || next == AUTHENTICATION;
            if !is_chained {
                headers.transport = next;
                let total = if declared == 0 { rest.len() } else { declared };
                headers.transport(next, rest.get(offset..).unwrap_or_default(), total.saturating_sub(offset));
                return Some(headers);
            }
            let Some(start) = rest.get(offset..).and_then(|rest| rest.first_chunk::<4>()) else { break };
            if is_fragment && u16::from_be_bytes([start[2], start[3]]) & 0xfff8 != 0 {
                break;
            }
            offset += match next {
                FRAGMENT => 8,
                AUTHENTICATION => (usize::from(start[1]) + 2) * 4,
                _ => (usize::from(start[1]) + 1) * 8,
            };
            next = start[0];
        }
        headers.transport = next;
        Some(headers)
    }

    fn new(transport: u8, source: IpAddr, destination: IpAddr) -> Self {
        Self {
            transport,
            source: (source, 0),
            destination: (destination, 0),
            icmp_type: 0,
            content: Content::Other,
            content_length: 0,
            is_cut: false,
        }
    }

    /// Reads the header of the transport layer; `length`: of it and its content, as the IP header says.
    fn transport(&mut self, protocol: u8, bytes: &'p [u8], length: usize) {
        let word = |at: usize| Some(u16::from_be_bytes(*bytes.get(at..)?.first_chunk::<2>()?));
        match protocol {
            ICMP | ICMPV6 => self.icmp_type = bytes.first().copied().unwrap_or_default(),
            UDP | TCP => {
                let (Some(source), Some(destination)) = (word(0), word(2)) else { return };
                (self.source.1, self.destination.1) = (source, destination);
                let header = if protocol == UDP {
                    8
                } else {
                    usize::from(bytes.get(12).copied().unwrap_or_default() >> 4) * 4
                };
                let least = if protocol == UDP { 8 } else { 20 };
                if header < least || bytes.len() < least {
                    return;
                }
                let length = length.saturating_sub(header);
                let content = bytes.get(header..).unwrap_or_default();
                // What stands behind the end of the packet belongs to nobody.
                let content = content.get(..length).unwrap_or(content);
                self.content_length = u32::try_from(length).unwrap_or(u32::MAX);
                self.is_cut = content.len() < length;
                self.content = if protocol == UDP {
                    Content::Udp(content)
                } else {
                    let sequence = bytes.get(4..).and_then(|rest| rest.first_chunk::<4>());
                    Content::Tcp {
                        sequence: sequence.map_or(0, |bytes| u32::from_be_bytes(*bytes)),
                        flags: bytes.get(13).copied().unwrap_or_default(),
                        bytes: content,
                    }
                };
            }
            _ => {}
        }
    }
}
