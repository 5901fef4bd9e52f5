//! The observations of sockets and packets.

use proto::wire::Kind;

use super::calls;
use super::table::Attached;
use super::table::Blind;
use super::table::COMPAT;
use super::table::FLUSH_FLOWS;
use super::table::Hook;
use super::table::Observation;
use super::table::Program;
use super::table::Way;
use super::table::on;
use super::table::syscalls;
use super::table::syscalls_besides_io_uring;
use crate::facts::Capability;

/// Rows of the table.
pub(super) static NETWORK: &[Observation] = &[
    Observation {
        name: "network.bind",
        kinds: &[Kind::Bind],
        attached: Attached::OnDemand,
        ways: &[calls::BIND, syscalls_besides_io_uring(&[on("exit_bind", "sys_exit_bind")])],
    },
    Observation {
        name: "network.connect",
        kinds: &[Kind::Connect],
        attached: Attached::OnDemand,
        ways: &[
            calls::CONNECT,
            Way {
                needs: &[
                    Capability::Btf,
                    Capability::SyscallTracepoint,
                    Capability::TpBtf,
                    Capability::RingBuffer,
                ],
                programs: &[on("exit_connect", "sys_exit_connect"), TCP_STATE],
                blind: &[COMPAT, IO_URING_BUT_TCP],
                label: "",
            },
            syscalls_besides_io_uring(&[on("exit_connect", "sys_exit_connect")]),
        ],
    },
    Observation {
        name: "network.accept",
        kinds: &[Kind::Accept],
        attached: Attached::OnDemand,
        ways: &[
            calls::ACCEPT,
            syscalls_besides_io_uring(&[
                on("exit_accept", "sys_exit_accept"),
                on("exit_accept", "sys_exit_accept4"),
            ]),
        ],
    },
    Observation {
        name: "network.setsockopt",
        kinds: &[Kind::Setsockopt],
        attached: Attached::OnDemand,
        ways: &[calls::SETSOCKOPT, syscalls(&[on("exit_setsockopt", "sys_exit_setsockopt")])],
    },
    Observation { name: "network.dns", kinds: &[Kind::Dns], attached: Attached::OnDemand, ways: PACKETS },
    Observation { name: "network.imds", kinds: &[Kind::Imds], attached: Attached::OnDemand, ways: PACKETS },
    Observation {
        name: "network.packet",
        kinds: &[Kind::Packet],
        attached: Attached::OnDemand,
        ways: PACKETS,
    },
    Observation {
        name: "network.flows",
        kinds: &[Kind::Flows],
        attached: Attached::OnDemand,
        ways: &[Way { programs: &[PACKET_OUT, PACKET_IN, FLUSH_FLOWS], ..PACKETS_OF_SOCKETS }],
    },
];

/// Packets of all sockets, in every network namespace, without touching any interface.
const PACKETS: &[Way] = &[PACKETS_OF_SOCKETS];

const PACKETS_OF_SOCKETS: Way = Way {
    needs: &[Capability::Btf, Capability::CgroupSkb, Capability::RingBuffer],
    programs: &[PACKET_OUT, PACKET_IN],
    blind: &[],
    label: "",
};

const PACKET_OUT: Program = Program { name: "packet_out", hook: Hook::Cgroup("cgroup_skb/egress") };
const PACKET_IN: Program = Program { name: "packet_in", hook: Hook::Cgroup("cgroup_skb/ingress") };

/// TCP connections, however they are begun.
pub(super) const TCP_STATE: Program =
    Program { name: "on_tcp_state", hook: Hook::TpBtf("inet_sock_set_state") };

pub(super) const IO_URING_BUT_TCP: Blind = Blind {
    given: Capability::IoUring,
    text: "not seen: connections of io_uring that are not TCP",
    cure: None,
};
