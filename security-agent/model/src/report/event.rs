//! The report as a whole.

use super::call::{SYSCALL, has_arguments};
use super::file::{FILE_EVENT, has_file};
use super::isolation::{IO_URING_SETUP, MEMFD_CREATE, PROCESS_VM_WRITEV, SETNS, UNSHARE, USERFAULTFD};
use super::kernel::{
    BPF, CAPABILITIES, CGROUP_WRITE, EXIT, LOAD_MODULE, MATCHING_SUBEXPR, MMAP, MOUNT, MPROTECT, PRCTL,
    PTRACE, SELINUX, SETRLIMIT, SIGNAL, SPLICE, SYSCTL, UMOUNT, UNLOAD_MODULE,
};
use super::network::{ACCEPT, BIND, CONNECT, DNS, FLOW_MONITOR, IMDS, NETWORK, RAW_PACKET, SETSOCKOPT};
use super::object::objects;
use super::process::{EVENT_CGROUP, EVENT_CONTAINER, EVENT_PROCESS, USER};
use super::{RuleMatch, string, tags, text, yes};
use crate::constants::ERRORS;
use crate::event::{Event, Payload};

/// The payload of an event, if it is of a type.
macro_rules! payload {
    ($event:ident, $Kind:ident) => {
        if let Payload::$Kind(payload) = &$event.payload { Some(payload) } else { None }
    };
}

objects! {
    /// An event that a rule matched.
    REPORT: "Report" of Event = |event, scope| {
        /// The agent and the rule.
        "agent" [opt object AGENT] = scope.rule;
        /// Description of the rule.
        "title" [opt str] = scope.rule.map(|rule| rule.description.clone());
        /// Name of the host.
        "hostname" [opt str] = text(&event.context.hostname);
        /// Service that the process belongs to.
        "service" [opt str] = text(&event.context.service);
        /// Tags, joined by commas: `rule_id:…`, `type:…`, those of the rule, those of the host.
        "ddtags" [opt str] = scope.rule.map(|rule| tags(rule, event.kind().name(), scope.agent));
        /// The event.
        "" [flat EVENT] = event;
    }

    /// The agent that saw an event, and the rule that matched it.
    AGENT: "AgentContext" of RuleMatch = |rule, scope| {
        /// Id of the rule.
        "rule_id" [str] = rule.rule_id.clone();
        /// Id of the rule as written in the policy, where it differs.
        "original_rule_id" [opt str] = string(&rule.original_rule_id);
        /// Version of the rule.
        "rule_version" [opt str] = string(&rule.rule_version);
        /// What the actions of the rule did.
        "rule_actions" [opt any] = Some(rule.actions.clone()).filter(|actions| !actions.is_empty());
        /// Name of the policy.
        "policy_name" [opt str] = string(&rule.policy_name);
        /// Version of the policy.
        "policy_version" [opt str] = string(&rule.policy_version);
        /// Version of the agent.
        "version" [opt str] = string(&scope.agent.version);
        /// Operating system.
        "os" [str] = "linux".to_owned();
        /// Architecture: `amd64` or `arm64`.
        "arch" [str] = architecture().to_owned();
        /// How events are seen.
        "origin" [str] = "ebpf".to_owned();
        /// Release of the kernel.
        "kernel_version" [opt str] = string(&scope.agent.kernel_version);
        /// Name of the distribution.
        "distribution" [opt str] = string(&scope.agent.distribution);
    }

    /// An event.
    EVENT: "Event" of Event = |event, scope| {
        /// What happened.
        "evt" [object EVT] = event;
        /// When it happened.
        "date" [time] = event.context.timestamp;
        /// The file it is about.
        "file" [opt object FILE_EVENT] = has_file(event).then_some(event);
        /// The user that did it.
        "usr" [object USER] = &event.process.credentials;
        /// The process that did it.
        "process" [object EVENT_PROCESS] = event;
        /// The container it happened in.
        "container" [opt object EVENT_CONTAINER] = event.process.container.as_deref();
        /// The control group it happened in.
        "cgroup" [opt object EVENT_CGROUP] = event.process.cgroup.as_deref();
        /// The packet.
        "network" [opt object NETWORK] = event.packet.as_deref();
        /// What was given to the system call.
        "syscall" [opt object SYSCALL] = has_arguments(event).then_some(event);
        /// End of a process.
        "exit" [opt object EXIT] = payload!(event, Exit);
        /// A signal.
        "signal" [opt object SIGNAL] = payload!(event, Signal);
        /// A resource limit.
        "setrlimit" [opt object SETRLIMIT] = payload!(event, Setrlimit);
        /// Use of capabilities.
        "capabilities" [opt object CAPABILITIES] = payload!(event, Capabilities);
        /// An operation of `prctl`.
        "prctl" [opt object PRCTL] = payload!(event, Prctl);
        /// Data moved between a file and a pipe.
        "splice" [opt object SPLICE] = payload!(event, Splice);
        /// A mount.
        "mount" [opt object MOUNT] = payload!(event, Mount);
        /// A mount that was removed.
        "umount" [opt object UMOUNT] = payload!(event, Umount);
        /// A use of eBPF.
        "bpf" [opt object BPF] = payload!(event, Bpf);
        /// A mapping of memory.
        "mmap" [opt object MMAP] = payload!(event, Mmap);
        /// A change of the protection of memory.
        "mprotect" [opt object MPROTECT] = payload!(event, Mprotect);
        /// Tracing of a process.
        "ptrace" [opt object PTRACE] = payload!(event, Ptrace);
        /// A kernel module.
        "module" [opt object MODULE] = Some(event)
            .filter(|event| matches!(event.payload, Payload::LoadModule(_) | Payload::UnloadModule(_)));
        /// A change of the configuration of SELinux.
        "selinux" [opt object SELINUX] = payload!(event, Selinux);
        /// A move to a control group.
        "cgroup_write" [opt object CGROUP_WRITE] = payload!(event, CgroupWrite);
        /// An access to a kernel parameter.
        "sysctl" [opt object SYSCTL] = payload!(event, Sysctl);
        /// Namespaces that a process left.
        "unshare" [opt object UNSHARE] = payload!(event, Unshare);
        /// Namespaces that a process entered.
        "setns" [opt object SETNS] = payload!(event, Setns);
        /// What was written to the memory of another process.
        "process_vm_writev" [opt object PROCESS_VM_WRITEV] = payload!(event, ProcessVmWritev);
        /// A descriptor for page faults.
        "userfaultfd" [opt object USERFAULTFD] = payload!(event, Userfaultfd);
        /// A file in memory.
        "memfd_create" [opt object MEMFD_CREATE] = payload!(event, MemfdCreate);
        /// Rings of `io_uring`.
        "io_uring_setup" [opt object IO_URING_SETUP] = payload!(event, IoUringSetup);
        /// A DNS message.
        "dns" [opt object DNS] = payload!(event, Dns);
        /// A socket that was bound.
        "bind" [opt object BIND] = payload!(event, Bind);
        /// A connection that was opened.
        "connect" [opt object CONNECT] = payload!(event, Connect);
        /// A connection that was accepted.
        "accept" [opt object ACCEPT] = payload!(event, Accept);
        /// A use of a metadata service.
        "imds" [opt object IMDS] = payload!(event, Imds);
        /// A packet that matched a filter.
        "packet" [opt object RAW_PACKET] = payload!(event, Packet);
        /// Traffic of a process.
        "network_flow_monitor" [opt object FLOW_MONITOR] = payload!(event, FlowMonitor);
        /// A socket option that was set.
        "setsockopt" [opt object SETSOCKOPT] = payload!(event, Setsockopt);
    }

    /// A kernel module.
    MODULE: "Module" of Event = |event, scope| {
        /// A module that was loaded.
        "" [opt flat LOAD_MODULE] = payload!(event, LoadModule);
        /// A module that was removed.
        "" [opt flat UNLOAD_MODULE] = payload!(event, UnloadModule);
    }

    /// What happened.
    EVT: "EventContext" of Event = |event, scope| {
        /// Type of the event.
        "name" [str] = event.kind().name().to_owned();
        /// Group of the type.
        "category" [str] = event.kind().category().name().to_owned();
        /// `Success`, `Refused` (for lack of permission) or `Error`.
        "outcome" [str] = outcome(event).to_owned();
        /// The system call was submitted through io_uring.
        "async" [opt bool] = yes(event.context.is_async);
        /// The rule that matched.
        "matched_rules" [opt objects MATCHED_RULE] = scope.rule.map(|rule| [rule]);
        /// Why the rule matched: the parts of it that decided, with the values they saw.
        "matched_on" [opt objects MATCHING_SUBEXPR] = matched_on(scope.rule);
        /// The rule, and the parts of it that decided.
        "rule_context" [opt object RULE_CONTEXT] = scope.rule.filter(|rule| !rule.expression.is_empty());
        /// Variables of the whole agent.
        "variables" [opt free] = scope.variables(|variables| &variables.global);
    }

    /// A rule that matched.
    MATCHED_RULE: "MatchedRule" of RuleMatch = |rule, scope| {
        /// Id of the rule.
        "id" [opt str] = string(&rule.rule_id);
        /// Version of the rule.
        "version" [opt str] = string(&rule.rule_version);
        /// Tags of the rule.
        "tags" [opt strs] = Some(rule.tags.clone()).filter(|tags| !tags.is_empty());
        /// Name of the policy.
        "policy_name" [opt str] = string(&rule.policy_name);
        /// Version of the policy.
        "policy_version" [opt str] = string(&rule.policy_version);
    }

    /// A rule, and why it matched.
    RULE_CONTEXT: "RuleContext" of RuleMatch = |rule, scope| {
        /// The parts that decided.
        "matching_subexprs" [opt objects MATCHING_SUBEXPR] = matched_on(Some(rule));
        /// The expression of the rule.
        "expression" [opt str] = string(&rule.expression);
    }
}

fn matched_on(rule: Option<&RuleMatch>) -> Option<&[super::MatchedOn]> {
    rule.map(|rule| rule.matched_on.as_slice()).filter(|matched_on| !matched_on.is_empty())
}

fn outcome(event: &Event) -> &'static str {
    match event.retval() {
        Some(retval)
            if retval < 0 && ["EPERM", "EACCES"].contains(&ERRORS.name(retval).unwrap_or_default()) =>
        {
            "Refused"
        }
        Some(retval) if retval < 0 => "Error",
        _ => "Success",
    }
}

/// The architecture this is built for, by the name CWS has for it.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}
