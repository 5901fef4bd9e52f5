//! The observations, and for each the ways to watch it, best first. A new one is a new row.

use std::collections::BTreeSet;
use std::fmt;

use proto::wire::Kind;

use super::calls;
use super::files::FILES;
use super::hooks::CAPABILITIES;
use super::kernel::KERNEL;
use super::network::NETWORK;
use crate::facts::Capability;

/// Something that can be watched.
#[derive(Debug)]
pub(crate) struct Observation {
    /// The name in status.
    pub(crate) name: &'static str,
    /// The records that it gives.
    pub(crate) kinds: &'static [Kind],
    /// When its programs are attached.
    pub(crate) attached: Attached,
    /// Best first.
    pub(crate) ways: &'static [Way],
}

/// When the programs of an observation are attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attached {
    /// As long as there is a subscriber: the process tree is made of it.
    Always,
    /// While a rule needs one of its kinds.
    OnDemand,
    /// From the start: it costs nothing until it is read.
    Idle,
}

/// A way to watch.
#[derive(Debug)]
pub(crate) struct Way {
    /// What the kernel must be able to do.
    pub(crate) needs: &'static [Capability],
    /// What to attach; nothing if it works without a program.
    pub(crate) programs: &'static [Program],
    /// What goes unseen this way.
    pub(crate) blind: &'static [Blind],
    /// What it is, if there are no programs to name.
    pub(crate) label: &'static str,
}

/// Something that a way does not see.
#[derive(Debug)]
pub(crate) struct Blind {
    /// Matters only where the kernel can do this.
    pub(crate) given: Capability,
    /// For status.
    pub(crate) text: &'static str,
    /// What sees it, if anything can.
    pub(crate) cure: Option<Cure>,
}

/// Programs that see what a way does not.
#[derive(Debug)]
pub(crate) struct Cure {
    /// To attach besides those of the way.
    pub(crate) programs: &'static [Program],
    /// What that takes.
    pub(crate) needs: CureNeeds,
}

/// What a cure takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CureNeeds {
    /// That the settings allow what it costs every system call: `probe.compat_syscalls`.
    CompatSetting,
    /// That the kernel can do this.
    Kernel(Capability),
}

/// A program of the BPF object at one hook. One program may be attached to several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Program {
    /// Its name in the object.
    pub(crate) name: &'static str,
    /// Where it is attached.
    pub(crate) hook: Hook,
}

/// Where a program is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Hook {
    /// A typed raw tracepoint.
    TpBtf(&'static str),
    /// The same without types, for old kernels.
    RawTp(&'static str),
    /// A tracepoint of the group `syscalls`.
    Syscall(&'static str),
    /// Another one, by perf event, for old kernels: the first of these (GROUP/NAME) that there is.
    Event(&'static [&'static str]),
    /// An iterator.
    Iter(&'static str),
    /// The iterator over the elements of this map of the object; read once in a period.
    Elements(&'static str),
    /// The root of the control groups of version 2: everything that runs. With the name of the hook, such as
    /// `cgroup_skb/egress`.
    Cgroup(&'static str),
    /// A function of the kernel, by a trampoline.
    Function(Function),
    /// The same by a probe.
    Probe(Function),
}

/// A function of the kernel in one of its forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Function {
    /// Its name.
    pub(crate) name: &'static str,
    /// Where in it.
    pub(crate) side: Side,
    /// As [`crate::facts::Functions`] writes it, with `*` for anything.
    pub(crate) form: &'static str,
    /// Programs of a way with the same purpose and side are alternatives, of which the first that this kernel has is
    /// taken.
    pub(crate) purpose: &'static str,
    /// What follows if it has none.
    pub(crate) without: Without,
    /// At a return, whether the program looks at the arguments: a probe there has to have them kept.
    pub(crate) arguments: bool,
}

/// What follows for a way if the kernel does not have a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Without {
    /// It does not work.
    Fails,
    /// It works, but this goes unseen.
    Misses(&'static str),
    /// It works: there is nothing to see. Of all its functions the kernel has to have one.
    Nothing,
}

/// Where in a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Side {
    /// Before it runs.
    Entry,
    /// With its result.
    Return,
}

impl Program {
    /// What has to run at the entry of the same function so that this can run at its return.
    pub(super) fn keeper(&self) -> Option<Self> {
        let Hook::Probe(function @ Function { side: Side::Return, arguments: true, .. }) = self.hook else {
            return None;
        };
        let hook = Hook::Probe(Function { side: Side::Entry, ..function });
        Some(Self { name: KEEP_ARGUMENTS, hook })
    }
}

impl Function {
    /// Whether a function of this form is the one that is meant.
    pub(crate) fn accepts(&self, form: &str) -> bool {
        let parts = |form: &str| form.replace("->", ",").split(',').map(str::to_owned).collect::<Vec<_>>();
        let (wanted, found) = (parts(self.form), parts(form));
        wanted.len() == found.len()
            && wanted.iter().zip(&found).all(|(wanted, found)| wanted == "*" || wanted == found)
    }
}

impl Hook {
    /// The function of the kernel that a program is at, however it got there.
    pub(crate) fn function(self) -> Option<Function> {
        match self {
            Self::Function(function) | Self::Probe(function) => Some(function),
            _ => None,
        }
    }

    /// The same place by a probe instead of a trampoline.
    pub(super) fn by_probe(self) -> Self {
        match self {
            Self::Function(function) => Self::Probe(function),
            other => other,
        }
    }

    /// Where the object for old kernels has the same program.
    pub(super) fn of_old_kernel(self) -> Self {
        match self {
            Self::TpBtf(name) => Self::RawTp(name),
            Self::Cgroup("cgroup_skb/egress") => Self::RawTp("net_dev_queue"),
            Self::Cgroup("cgroup_skb/ingress") => Self::RawTp("netif_receive_skb"),
            other => other,
        }
    }
}

impl fmt::Display for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TpBtf(name) => write!(f, "tp_btf/{name}"),
            Self::RawTp(name) => write!(f, "raw_tp/{name}"),
            Self::Syscall(name) => write!(f, "tracepoint/syscalls/{name}"),
            Self::Event(names) => write!(f, "tracepoint/{}", names.join(" or ")),
            Self::Iter(name) => write!(f, "iter/{name}"),
            Self::Elements(map) => write!(f, "iter/bpf_map_elem:{map}"),
            Self::Cgroup(name) => f.write_str(name),
            Self::Function(Function { name, side: Side::Entry, .. }) => write!(f, "fentry/{name}"),
            Self::Function(Function { name, side: Side::Return, .. }) => write!(f, "fexit/{name}"),
            Self::Probe(Function { name, side: Side::Entry, .. }) => write!(f, "kprobe/{name}"),
            Self::Probe(Function { name, side: Side::Return, .. }) => write!(f, "kretprobe/{name}"),
        }
    }
}

/// Names of the functions that any way has a hook at.
pub(crate) fn functions() -> BTreeSet<&'static str> {
    let programs = observations().flat_map(|row| row.ways).flat_map(|way| way.programs);
    let functions = programs.filter_map(|program| match program.hook {
        Hook::Function(function) => Some(function.name),
        _ => None,
    });
    functions.collect()
}

/// All of them.
pub(crate) fn observations() -> impl Iterator<Item = &'static Observation> {
    PROCESSES.iter().chain(FILES).chain(NETWORK).chain(KERNEL)
}

/// Those of processes.
static PROCESSES: &[Observation] = &[
    Observation {
        name: "process.fork",
        kinds: &[Kind::Fork],
        attached: Attached::Always,
        ways: &[tp_btf(&[Program { name: "on_fork", hook: Hook::TpBtf("sched_process_fork") }])],
    },
    Observation {
        name: "process.exec",
        kinds: &[Kind::Exec, Kind::ExecChunk],
        attached: Attached::Always,
        ways: &[tp_btf(&[Program { name: "on_exec", hook: Hook::TpBtf("sched_process_exec") }])],
    },
    Observation {
        name: "process.exit",
        kinds: &[Kind::Exit],
        attached: Attached::Always,
        ways: &[tp_btf(&[Program { name: "on_exit", hook: Hook::TpBtf("sched_process_exit") }])],
    },
    Observation {
        name: "process.cgroup",
        kinds: &[Kind::CgroupAttach],
        attached: Attached::Always,
        ways: &[tp_btf(&[Program { name: "on_cgroup_attach", hook: Hook::TpBtf("cgroup_attach_task") }])],
    },
    Observation {
        name: "process.setuid",
        kinds: &[Kind::Setuid],
        attached: Attached::OnDemand,
        ways: &[
            calls::SETUID,
            syscalls(&[
                on("enter_setuid", "sys_enter_setuid"),
                on("exit_setuid", "sys_exit_setuid"),
                on("enter_setreuid", "sys_enter_setreuid"),
                on("exit_setreuid", "sys_exit_setreuid"),
                on("enter_setresuid", "sys_enter_setresuid"),
                on("exit_setresuid", "sys_exit_setresuid"),
                on("enter_setfsuid", "sys_enter_setfsuid"),
                on("exit_setfsuid", "sys_exit_setfsuid"),
            ]),
        ],
    },
    Observation {
        name: "process.setgid",
        kinds: &[Kind::Setgid],
        attached: Attached::OnDemand,
        ways: &[
            calls::SETGID,
            syscalls(&[
                on("enter_setgid", "sys_enter_setgid"),
                on("exit_setgid", "sys_exit_setgid"),
                on("enter_setregid", "sys_enter_setregid"),
                on("exit_setregid", "sys_exit_setregid"),
                on("enter_setresgid", "sys_enter_setresgid"),
                on("exit_setresgid", "sys_exit_setresgid"),
                on("enter_setfsgid", "sys_enter_setfsgid"),
                on("exit_setfsgid", "sys_exit_setfsgid"),
            ]),
        ],
    },
    Observation {
        name: "process.capset",
        kinds: &[Kind::Capset],
        attached: Attached::OnDemand,
        ways: &[
            calls::CAPSET,
            syscalls(&[on("enter_capset", "sys_enter_capset"), on("exit_capset", "sys_exit_capset")]),
        ],
    },
    Observation {
        name: "process.capabilities",
        kinds: &[Kind::Capabilities],
        attached: Attached::OnDemand,
        ways: &[
            CAPABILITIES,
            tp_btf(&[
                Program { name: "on_cap_capable", hook: Hook::TpBtf("cap_capable") },
                FLUSH_CAPABILITIES,
            ]),
        ],
    },
    Observation {
        name: "process.snapshot",
        kinds: &[],
        attached: Attached::Idle,
        ways: &[
            Way {
                needs: &[Capability::Btf, Capability::IterTask],
                programs: &[SNAPSHOT],
                blind: &[],
                label: "",
            },
            Way { needs: &[], programs: &[], blind: &[], label: "/proc" },
        ],
    },
];

/// The programs that what is told once in a period is read from.
pub(crate) const FLUSH_CAPABILITIES: Program =
    Program { name: "flush_capabilities", hook: Hook::Elements("capability_uses") };
pub(crate) const FLUSH_FLOWS: Program = Program { name: "flush_flows", hook: Hook::Elements("flows") };

/// The program that keeps the arguments of a function for a probe at its return.
pub(crate) const KEEP_ARGUMENTS: &str = "keep_arguments";

/// The program that the snapshot is read from.
pub(crate) const SNAPSHOT: Program = Program { name: "snapshot_task", hook: Hook::Iter("task") };

/// By typed raw tracepoints: kernel objects as arguments, and no cost for what is not traced.
pub(super) const fn tp_btf(programs: &'static [Program]) -> Way {
    let needs = &[Capability::Btf, Capability::TpBtf, Capability::RingBuffer];
    Way { needs, programs, blind: &[], label: "" }
}

/// By tracepoints of single system calls: other calls pay next to nothing.
pub(super) const fn syscalls(programs: &'static [Program]) -> Way {
    let needs = &[Capability::Btf, Capability::SyscallTracepoint, Capability::RingBuffer];
    Way { needs, programs, blind: &[COMPAT], label: "" }
}

/// The same for calls that `io_uring` has an operation for.
pub(super) const fn syscalls_besides_io_uring(programs: &'static [Program]) -> Way {
    Way { blind: &[COMPAT, IO_URING], ..syscalls(programs) }
}

/// The same for those of which the tracepoints of rings show the operation (`file_requests.bpf.c`).
pub(super) const fn syscalls_and_requests(programs: &'static [Program]) -> Way {
    Way { blind: &[COMPAT, IO_URING_BUT_FILES], ..syscalls(programs) }
}

/// Calls of 32-bit code.
pub(super) const COMPAT: Blind = Blind {
    given: Capability::CompatSyscalls,
    text: "not seen: calls by 32-bit programs, which have no tracepoints of their own (probe.compat_syscalls watches them)",
    cure: Some(Cure {
        programs: &[
            Program { name: "on_compat_enter", hook: Hook::TpBtf("sys_enter") },
            Program { name: "on_compat_exit", hook: Hook::TpBtf("sys_exit") },
        ],
        needs: CureNeeds::CompatSetting,
    }),
};

/// What is asked for through rings.
pub(super) const IO_URING: Blind = Blind {
    given: Capability::IoUring,
    text: "not seen: operations of io_uring, which are no system calls of their own",
    cure: None,
};

/// The same where the tracepoints of rings show it.
const IO_URING_BUT_FILES: Blind = Blind {
    cure: Some(Cure {
        programs: &[
            Program { name: "on_request", hook: Hook::TpBtf("io_uring_submit_req") },
            Program { name: "on_request_complete", hook: Hook::TpBtf("io_uring_complete") },
            Program { name: "on_request_overflow", hook: Hook::TpBtf("io_uring_cqe_overflow") },
        ],
        needs: CureNeeds::Kernel(Capability::RequestTracepoints),
    }),
    ..IO_URING
};

/// A program on a tracepoint of a system call.
pub(super) const fn on(name: &'static str, tracepoint: &'static str) -> Program {
    Program { name, hook: Hook::Syscall(tracepoint) }
}
