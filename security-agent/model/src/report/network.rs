//! Network events in reports.

use super::object::objects;
use super::{flags, string, text, texts, yes};
use crate::constants::{
    ADDRESS_FAMILY, DNS_CLASS, DNS_TYPE, ICMP_TYPE, L3_PROTOCOL, L4_PROTOCOL, NETWORK_DIRECTION,
    SOCKET_OPTION, SOCKET_OPTION_LEVEL, SOCKET_TYPE, TLS_VERSION,
};
use crate::network::{Device, Endpoint, Flow, Packet, SocketAddress, Tls, Traffic};
use crate::payload::{
    Accept, Bind, Connect, Dns, DnsQuestion, DnsResponse, FlowMonitor, Imds, RawPacket, Setsockopt,
};

objects! {
    /// An address and a port.
    IP_PORT: "IPPort" of Endpoint = |endpoint, scope| {
        /// IP address; empty if there is none.
        "ip" [str] = address(endpoint);
        /// Port number.
        "port" [int] = i64::from(endpoint.port);
    }

    /// The address of a socket.
    IP_PORT_FAMILY: "IPPortFamily" of SocketAddress = |socket, scope| {
        /// Address family.
        "family" [str] = ADDRESS_FAMILY.name_or_number(socket.family.into());
        /// IP address; empty for other families.
        "ip" [str] = address(&socket.endpoint);
        /// Port number.
        "port" [int] = i64::from(socket.endpoint.port);
        /// Path of a Unix socket; an abstract one begins with `@`.
        "path" [opt str] = text(&socket.path);
    }

    /// A network interface.
    DEVICE: "NetworkDevice" of Device = |device, scope| {
        /// Inode number of its network namespace.
        "netns" [int] = i64::from(device.netns);
        /// Number of the interface.
        "ifindex" [int] = i64::from(device.ifindex);
        /// Name of the interface.
        "ifname" [str] = crate::lossy(&device.ifname).into_owned();
    }

    /// A packet.
    NETWORK: "NetworkContext" of Packet = |packet, scope| {
        /// The interface.
        "device" [opt object DEVICE] = Some(&packet.device);
        /// Protocol carried by the link layer frame.
        "l3_protocol" [str] = L3_PROTOCOL.name_or_number(packet.l3_protocol.into());
        /// Protocol carried by the IP packet.
        "l4_protocol" [str] = L4_PROTOCOL.name_or_number(packet.l4_protocol.into());
        /// Where it comes from.
        "source" [object IP_PORT] = &packet.source;
        /// Where it goes to.
        "destination" [object IP_PORT] = &packet.destination;
        /// Size in bytes.
        "size" [int] = i64::from(packet.size);
        /// Direction, seen from the host.
        "network_direction" [opt str] = (packet.direction != 0).then(|| flags(&NETWORK_DIRECTION, packet.direction));
        /// Type of the ICMP message.
        "type" [opt str] = is_icmp(packet).then(|| ICMP_TYPE.name_or_number(packet.icmp_type.into()));
    }

    /// A packet that matched a filter.
    RAW_PACKET: "RawPacket" of RawPacket = |packet, scope| {
        /// The packet.
        "" [flat NETWORK] = &packet.packet;
        /// TLS within the packet.
        "tls" [opt object TLS] = packet.tls.as_ref();
    }

    /// TLS within a packet.
    TLS: "TLSContext" of Tls = |tls, scope| {
        /// Protocol version that the client asks for.
        "version" [opt str] = Some(TLS_VERSION.name_or_number(tls.version.into()));
    }

    /// A DNS message.
    DNS: "DNSEvent" of Dns = |dns, scope| {
        /// Transaction id.
        "id" [int] = i64::from(dns.id);
        /// The message is a question rather than an answer.
        "is_query" [bool] = dns.response.is_none();
        /// The first question.
        "question" [opt object DNS_QUESTION] = Some(&dns.question);
        /// The answer.
        "response" [opt object DNS_RESPONSE] = dns.response.as_ref();
    }

    /// A DNS question.
    DNS_QUESTION: "DNSQuestion" of DnsQuestion = |question, scope| {
        /// Class of the question.
        "class" [str] = DNS_CLASS.name_or_number(question.class.into());
        /// Type of the record that is asked for.
        "type" [str] = DNS_TYPE.name_or_number(question.question_type.into());
        /// Domain name.
        "name" [str] = crate::lossy(&question.name).into_owned();
        /// Size of the message in bytes.
        "size" [int] = i64::from(question.length);
        /// Number of questions in the message.
        "count" [int] = i64::from(question.count);
    }

    /// A DNS answer.
    DNS_RESPONSE: "DNSResponseEvent" of DnsResponse = |response, scope| {
        /// Response code.
        "code" [int] = i64::from(response.code);
    }

    /// A socket that was bound.
    BIND: "BindEvent" of Bind = |bind, scope| {
        /// The address.
        "addr" [object IP_PORT_FAMILY] = &bind.addr;
        /// Protocol of the socket.
        "protocol" [str] = L4_PROTOCOL.name_or_number(bind.protocol.into());
    }

    /// A connection that was opened.
    CONNECT: "ConnectEvent" of Connect = |connect, scope| {
        /// The address of the peer.
        "addr" [object IP_PORT_FAMILY] = &connect.addr;
        /// Names of the peer.
        "hostnames" [strs] = texts(&connect.hostnames.names).unwrap_or_default();
        /// Protocol of the socket.
        "protocol" [str] = L4_PROTOCOL.name_or_number(connect.protocol.into());
    }

    /// A connection that was accepted.
    ACCEPT: "AcceptEvent" of Accept = |accept, scope| {
        /// The address of the peer.
        "addr" [object IP_PORT_FAMILY] = &accept.addr;
        /// Names of the peer.
        "hostnames" [strs] = texts(&accept.hostnames.names).unwrap_or_default();
    }

    /// A use of a metadata service.
    IMDS: "IMDSEvent" of Imds = |imds, scope| {
        /// `request` or `response`.
        "type" [str] = crate::lossy(&imds.message_type).into_owned();
        /// The provider.
        "cloud_provider" [str] = crate::lossy(&imds.cloud_provider).into_owned();
        /// Path of the request.
        "url" [opt str] = text(&imds.url);
        /// Host header of the request.
        "host" [opt str] = text(&imds.host);
        /// User agent header of the request.
        "user_agent" [opt str] = text(&imds.user_agent);
        /// Server header of the response.
        "server" [opt str] = text(&imds.server);
        /// What is particular to AWS.
        "aws" [opt object AWS] = Some(imds).filter(|imds| imds.cloud_provider.as_bytes() == b"aws");
    }

    /// A use of the metadata service of AWS.
    AWS: "AWSIMDSEvent" of Imds = |imds, scope| {
        /// The request carries a session token.
        "is_imds_v2" [bool] = imds.is_imds_v2;
        /// The credentials in the response.
        "security_credentials" [opt object AWS_CREDENTIALS] =
            Some(imds).filter(|imds| !imds.credentials_type.is_empty());
    }

    /// Credentials of AWS.
    AWS_CREDENTIALS: "AWSSecurityCredentials" of Imds = |imds, scope| {
        /// Their type.
        "type" [str] = crate::lossy(&imds.credentials_type).into_owned();
    }

    /// Traffic of a process.
    FLOW_MONITOR: "NetworkFlowMonitor" of FlowMonitor = |monitor, scope| {
        /// The interface.
        "device" [opt object DEVICE] = Some(&monitor.device);
        /// The flows.
        "flows" [opt objects FLOW] = Some(&monitor.flows);
    }

    /// Packets between two endpoints.
    FLOW: "Flow" of Flow = |flow, scope| {
        /// Protocol carried by the link layer frame.
        "l3_protocol" [str] = L3_PROTOCOL.name_or_number(flow.l3_protocol.into());
        /// Protocol carried by the IP packet.
        "l4_protocol" [str] = L4_PROTOCOL.name_or_number(flow.l4_protocol.into());
        /// The local endpoint.
        "source" [object IP_PORT] = &flow.source;
        /// The remote endpoint.
        "destination" [object IP_PORT] = &flow.destination;
        /// What came in.
        "ingress" [opt object NETWORK_STATS] = Some(&flow.ingress);
        /// What went out.
        "egress" [opt object NETWORK_STATS] = Some(&flow.egress);
    }

    /// Amount of traffic.
    NETWORK_STATS: "NetworkStats" of Traffic = |traffic, scope| {
        /// Bytes.
        "data_size" [opt int] = Some(traffic.data_size.cast_signed());
        /// Packets.
        "packet_count" [opt int] = Some(traffic.packet_count.cast_signed());
    }

    /// A socket option that was set.
    SETSOCKOPT: "SetSockOptEvent" of Setsockopt = |option, scope| {
        /// Type of the socket.
        "socket_type" [str] = SOCKET_TYPE.name_or_number(option.socket_type.into());
        /// Address family of the socket.
        "socket_family" [str] = ADDRESS_FAMILY.name_or_number(option.socket_family.into());
        /// Protocol of the socket.
        "socket_protocol" [str] = L4_PROTOCOL.name_or_number(option.socket_protocol.into());
        /// Protocol level of the option.
        "level" [str] = SOCKET_OPTION_LEVEL.name_or_number(option.level.into());
        /// The option.
        "optname" [str] = option_name(option);
        /// Number of instructions of the attached filter.
        "filter_len" [opt int] = super::non_zero(option.filter_len);
        /// The filter was cut.
        "is_filter_truncated" [opt bool] = yes(option.is_filter_truncated);
        /// Instructions of the filter.
        "filter" [opt str] = text(&option.filter_instructions);
        /// SHA-256 of the filter.
        "filter_hash" [opt str] = text(&option.filter_hash);
    }
}

fn address(endpoint: &Endpoint) -> String {
    endpoint.ip.map(|address| address.to_string()).unwrap_or_default()
}

/// `IP_PROTO_ICMP` and `IP_PROTO_ICMPV6`.
fn is_icmp(packet: &Packet) -> bool {
    matches!(packet.l4_protocol, 1 | 58)
}

/// The name of the option on its level: the same number means another option on another level.
fn option_name(option: &Setsockopt) -> String {
    let prefix = match SOCKET_OPTION_LEVEL.name(option.level.into()) {
        Some("SOL_SOCKET") => "SO_",
        Some("IPPROTO_IP") => "IP_",
        Some("IPPROTO_IPV6") => "IPV6_",
        Some("IPPROTO_TCP") => "TCP_",
        Some("IPPROTO_UDP") => "UDP_",
        Some("IPPROTO_ICMPV6") => "ICMPV6_",
        _ => return option.optname.to_string(),
    };
    let number = i64::from(option.optname);
    let name = SOCKET_OPTION.iter().find(|(name, value)| *value == number && name.starts_with(prefix));
    name.and_then(|(name, _)| string(name)).unwrap_or_else(|| option.optname.to_string())
}
