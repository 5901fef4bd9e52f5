//! Events of the network.

use secl::Matching;
use secl::schema::weight;

use super::Call;
use crate::constants::{
    ADDRESS_FAMILY, DNS_CLASS, DNS_RESPONSE_CODE, DNS_TYPE, L4_PROTOCOL, SOCKET_OPTION, SOCKET_OPTION_LEVEL,
    SOCKET_TYPE,
};
use crate::network::{Device, Flow, HostNames, Packet, SocketAddress, Tls};
use crate::record::record;
use crate::text::Text;

record! {
    /// A DNS question, or the answer to one.
    pub struct Dns {
        leaf {
            /// Transaction id of the message.
            id: u16 = "id", "7.41";
        }
        nested {
            /// The first question of the message.
            question: DnsQuestion = "question";
            /// The answer.
            response: Option<DnsResponse> = "response";
        }
    }
}

record! {
    /// A DNS question.
    pub struct DnsQuestion {
        leaf {
            /// Domain name that is asked for.
            name: Text = "name", "7.36", {
                matching: Matching::CaseInsensitive, length: true,
                example: Some(r#"dns.question.name =~ "*.example.com" && dns.question.type == TXT"#),
            };
            /// Class of the question.
            class: u16 = "class", "7.36", { constants: Some(&DNS_CLASS), };
            /// Type of the record that is asked for.
            question_type: u16 = "type", "7.36", { constants: Some(&DNS_TYPE), };
            /// Size of the message in bytes.
            length: u16 = "length", "7.40";
            /// Number of questions in the message.
            count: u16 = "count", "7.36";
        }
    }
}

record! {
    /// A DNS answer.
    pub struct DnsResponse {
        leaf {
            /// Response code.
            code: u16 = "code", "7.67", {
                constants: Some(&DNS_RESPONSE_CODE),
                example: Some("dns.response.code == NXDOMAIN && dns.question.name.length > 60"),
            };
        }
    }
}

record! {
    /// A socket was bound to an address.
    pub struct Bind {
        leaf {
            /// Protocol of the socket.
            protocol: u16 = "protocol", "7.61", { constants: Some(&L4_PROTOCOL), };
        }
        nested {
            /// The address.
            addr: SocketAddress = "addr";
            /// The result.
            call: Call = "";
        }
    }
}

record! {
    /// A connection was opened.
    pub struct Connect {
        leaf {
            /// Protocol of the socket.
            protocol: u16 = "protocol", "7.61", { constants: Some(&L4_PROTOCOL), };
        }
        nested {
            /// The address of the peer.
            addr: SocketAddress = "addr";
            /// Names of the peer.
            hostnames: HostNames = "";
            /// The result.
            call: Call = "";
        }
    }
}

record! {
    /// A connection was accepted.
    pub struct Accept {
        nested {
            /// The address of the peer.
            addr: SocketAddress = "addr";
            /// Names of the peer.
            hostnames: HostNames = "";
            /// The result.
            call: Call = "";
        }
    }
}

record! {
    /// A metadata service of a cloud provider was used.
    pub struct Imds {
        leaf {
            /// The provider: `aws`, `gcp`, `azure`, `ibm` or `oracle`.
            cloud_provider: Text = "cloud_provider", "7.55";
            /// `request` or `response`.
            message_type: Text = "type", "7.55";
            /// Path that the request asks for.
            url: Text = "url", "7.55", {
                example: Some(r#"imds.cloud_provider == "aws" && imds.url =~ "*/security-credentials/*""#),
            };
            /// Host header of the request.
            host: Text = "host", "7.55";
            /// User agent header of the request.
            user_agent: Text = "user_agent", "7.55";
            /// Server header of the response.
            server: Text = "server", "7.55";
            /// AWS: the request carries a session token.
            is_imds_v2: bool = "aws.is_imds_v2", "7.55";
            /// AWS: type of the credentials in the response.
            credentials_type: Text = "aws.security_credentials.type", "7.55";
        }
    }
}

record! {
    /// A packet matched a filter.
    pub struct RawPacket {
        leaf {
            /// The filter, in the syntax of `pcap-filter`.
            filter: Text = "filter", "7.60", {
                matching: Matching::PacketFilter, example: Some(r#"packet.filter == "tcp dst port 4444""#),
            };
        }
        nested {
            /// The packet.
            packet: Packet = "";
            /// TLS within the packet.
            tls: Option<Tls> = "tls";
        }
    }
}

record! {
    /// Traffic of a process during a period.
    pub struct FlowMonitor {
        nested {
            /// The interface.
            device: Device = "device";
        }
        hidden {
            /// The flows.
            flows: Box<[Flow]>;
        }
    }
}

record! {
    /// An option of a socket was set.
    pub struct Setsockopt {
        leaf {
            /// Type of the socket.
            socket_type: u32 = "socket_type", "7.68", { constants: Some(&SOCKET_TYPE), };
            /// Address family of the socket.
            socket_family: u32 = "socket_family", "7.68", { constants: Some(&ADDRESS_FAMILY), };
            /// Protocol of the socket.
            socket_protocol: u32 = "socket_protocol", "7.68", { constants: Some(&L4_PROTOCOL), };
            /// Protocol level of the option.
            level: u32 = "level", "7.68", { constants: Some(&SOCKET_OPTION_LEVEL), };
            /// The option.
            optname: u32 = "optname", "7.68", {
                constants: Some(&SOCKET_OPTION),
                example: Some("setsockopt.level == SOL_SOCKET && setsockopt.optname == SO_ATTACH_FILTER"),
            };
            /// Number of instructions of the attached filter.
            filter_len: u32 = "filter_len", "7.68";
            /// The filter was cut.
            is_filter_truncated: bool = "is_filter_truncated", "7.68";
            /// Instructions of the filter, disassembled.
            filter_instructions: Text = "filter_instructions", "7.68", { weight: weight::RESOLVED, };
            /// SHA-256 of the filter, in hexadecimal.
            filter_hash: Text = "filter_hash", "7.68", { weight: weight::RESOLVED, };
            /// Constants in the filter.
            used_immediates: Box<[i64]> = "used_immediates", "7.68";
        }
        nested {
            /// The result.
            call: Call = "";
        }
    }
}
