//! The programs of the object for old kernels: which they are, and what they see less of, in the words of `status`.

use super::table::Hook;
use super::table::Observation;
use super::table::Program;
use crate::facts::OldPrograms;

/// Only the head of a segment is where a tracepoint of network devices finds it.
const SEGMENTS: &str = "not seen: what TCP carries behind the first bytes of a segment";
/// They take the rest of what one program may have.
const NEW_MOUNTS: &str = "not seen: fsmount, open_tree and move_mount";
/// Before 4.17 there is nothing but the process's own name to tell a script by.
const SCRIPTS: &str = "a script that is started under another name (by a link) is told as its interpreter";
/// The kernel does not run a program by perf event in the middle of another one.
const PACKETS: &str = "not seen: packets that pass while their processor runs another program";

/// What the programs at tracepoints of the kernel are where there are no raw ones (`bpf/src/old_events.bpf.c`).
const BY_EVENT: [(&str, Program); 10] = [
    ("on_fork", by_event("on_fork_event", &["sched/sched_process_fork"])),
    ("on_exec", by_event("on_exec_event", &["sched/sched_process_exec"])),
    ("on_exit", by_event("on_exit_event", &["sched/sched_process_exit"])),
    ("on_cgroup_attach", by_event("on_cgroup_attach_event", &["cgroup/cgroup_attach_task"])),
    ("on_cgroup_write", by_event("on_cgroup_write_event", &["cgroup/cgroup_attach_task"])),
    ("on_tcp_state", by_event("on_tcp_state_event", &["sock/inet_sock_set_state", "tcp/tcp_set_state"])),
    ("packet_out", by_event("packet_out_event", &["net/net_dev_queue"])),
    ("packet_in", by_event("packet_in_event", &["net/netif_receive_skb"])),
    ("on_module_load", by_event("on_module_load_event", &["module/module_load"])),
    ("on_module_free", by_event("on_module_free_event", &["module/module_free"])),
];

const fn by_event(name: &'static str, events: &'static [&'static str]) -> Program {
    Program { name, hook: Hook::Event(events) }
}

/// The same program of that object.
pub(super) fn program(program: Program, form: OldPrograms) -> Program {
    let of_raw_tracepoints = Program { hook: program.hook.of_old_kernel(), ..program };
    if form == OldPrograms::RawTracepoints {
        return of_raw_tracepoints;
    }
    let found = BY_EVENT.iter().find(|(name, _)| *name == program.name);
    found.map_or(of_raw_tracepoints, |(_, by_event)| *by_event)
}

/// Of one observation, if there is something to say.
pub(super) fn limits(observation: &Observation, form: OldPrograms) -> Vec<&'static str> {
    let by_event = form == OldPrograms::PerfEvents;
    match observation.name {
        "file.mount" => vec![NEW_MOUNTS],
        "network.dns" | "network.imds" if by_event => vec![SEGMENTS, PACKETS],
        "network.dns" | "network.imds" => vec![SEGMENTS],
        "network.packet" if by_event => vec![PACKETS],
        "process.exec" if by_event => vec![SCRIPTS],
        _ => Vec::new(),
    }
}
