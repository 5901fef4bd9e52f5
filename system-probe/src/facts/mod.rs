//! What this kernel lets us do, found out by trying.
//!
//! Versions and configuration do not tell: lockdown, hardening, back-ports and the capabilities of a container
//! decide as well. So the smallest program of each type is loaded, attached, and made to fire.

mod functions;
mod io_uring;
mod probes;
mod programs;
mod symbols;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;

use proto::v1;

pub(crate) use self::functions::Functions;
pub(crate) use self::symbols::Symbols;
use crate::types;

/// Something that a kernel may be able to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Capability {
    /// The kernel describes its own types.
    Btf,
    /// Ring buffer maps (Linux 5.8).
    RingBuffer,
    /// Typed raw tracepoints (5.5).
    TpBtf,
    /// Raw tracepoints (4.17).
    RawTp,
    /// Programs may read the memory of the kernel: no lockdown forbids it.
    ProbeRead,
    /// Tracepoints of single system calls, by perf event.
    SyscallTracepoint,
    /// The iterator over tasks (5.8).
    IterTask,
    /// Entry of a kernel function (5.5; arm64 6.4).
    Fentry,
    /// Return of a kernel function.
    Fexit,
    /// Entry and return of a kernel function by probes, with what tracefs is needed for, and the arguments at the return.
    Kprobe,
    /// Security hooks (5.7), if `bpf` is an active security module.
    Lsm,
    /// Packets of all sockets, at the root of the control groups (4.10).
    CgroupSkb,
    /// Programs that see reads and writes below `/proc/sys` (5.2), on the root of the control groups (version 2).
    CgroupSysctl,
    /// Not a program type: the kernel can load modules.
    Modules,
    /// Not a program type: the kernel runs with SELinux.
    Selinux,
    /// Not a program type: processes can make 32-bit system calls, which have no tracepoints of their own.
    CompatSyscalls,
    /// Not a program type: processes can ask for operations through rings, which are no system calls.
    IoUring,
    /// Typed tracepoints at the beginning of a request of a ring and at its result (6.4).
    RequestTracepoints,
    /// Not a program type: the address of the function by which the kernel defers the release of a file, which
    /// leads from an interpreter to its script.
    DeferredRelease,
    /// Not a program type: programs at functions run to their end undisturbed by others on their CPU.
    Undisturbed,
    /// The same of programs at tracepoints of the kernel.
    UndisturbedTracepoints,
}

impl Capability {
    /// All, in the order in which they are shown.
    pub(crate) const ALL: [Self; 21] = [
        Self::Btf,
        Self::RingBuffer,
        Self::TpBtf,
        Self::RawTp,
        Self::ProbeRead,
        Self::SyscallTracepoint,
        Self::IterTask,
        Self::Fentry,
        Self::Fexit,
        Self::Kprobe,
        Self::Lsm,
        Self::CgroupSkb,
        Self::CgroupSysctl,
        Self::Modules,
        Self::Selinux,
        Self::CompatSyscalls,
        Self::IoUring,
        Self::RequestTracepoints,
        Self::DeferredRelease,
        Self::Undisturbed,
        Self::UndisturbedTracepoints,
    ];

    /// The name in status and reasons.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Btf => "btf",
            Self::RingBuffer => "ring_buffer",
            Self::TpBtf => "tp_btf",
            Self::RawTp => "raw_tp",
            Self::ProbeRead => "probe_read",
            Self::SyscallTracepoint => "syscall_tracepoint",
            Self::IterTask => "iter_task",
            Self::Fentry => "fentry",
            Self::Fexit => "fexit",
            Self::Kprobe => "kprobe",
            Self::Lsm => "lsm",
            Self::CgroupSkb => "cgroup_skb",
            Self::CgroupSysctl => "cgroup_sysctl",
            Self::Modules => "modules",
            Self::Selinux => "selinux",
            Self::CompatSyscalls => "compat_syscalls",
            Self::IoUring => "io_uring",
            Self::RequestTracepoints => "io_uring_tracepoints",
            Self::DeferredRelease => "deferred_release",
            Self::Undisturbed => "undisturbed",
            Self::UndisturbedTracepoints => "undisturbed_tracepoints",
        }
    }
}

impl Capability {
    /// Without it there is nothing to watch, rather than no way to.
    pub(crate) const fn is_subject(self) -> bool {
        matches!(self, Self::Modules | Self::Selinux)
    }
}

/// Whether the kernel can do something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fact {
    pub(crate) available: bool,
    /// Why not, or how.
    pub(crate) detail: String,
}

/// How the programs of the object for old kernels get to tracepoints of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OldPrograms {
    /// At raw tracepoints (4.17), with what the tracepoint is given.
    RawTracepoints,
    /// By perf events, with what the tracepoint tells.
    PerfEvents,
}

/// What was found out about a kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    capabilities: BTreeMap<Capability, Fact>,
    /// The functions that hooks can be at.
    pub(crate) functions: Functions,
    /// The object for old kernels is loaded.
    pub(crate) old: Option<OldPrograms>,
    /// The file that describes the kernel's types, if it is not the kernel's own.
    pub(crate) types: Option<&'static Path>,
}

impl Facts {
    /// Tries everything, and looks for `functions`. Takes a fraction of a second, and needs the privileges that loading
    /// programs does.
    pub(crate) fn probe(proc: &Path, functions: &BTreeSet<&str>) -> Self {
        let mut facts = Self { functions: Functions::read(functions), ..Self::default() };
        facts.set(Capability::Undisturbed, functions::undisturbed());
        facts.set(Capability::Btf, programs::kernel_btf());
        facts.set(Capability::RingBuffer, programs::ring_buffer());
        facts.set(Capability::Modules, modules(proc));
        facts.set(Capability::Selinux, selinux(proc));
        for (capability, outcome) in programs::try_all() {
            facts.set(capability, outcome);
        }
        facts.set(Capability::Kprobe, probes::probes());
        facts.set(Capability::IoUring, io_uring::available());
        facts.set(Capability::RequestTracepoints, io_uring::tracepoints());
        match Symbols::read(proc) {
            Ok(symbols) => {
                facts.set(Capability::CompatSyscalls, symbols.compat_syscalls());
                let undisturbed = match facts.has(Capability::Undisturbed) {
                    true => Ok(facts.reason(Capability::Undisturbed).to_owned()),
                    false => symbols.undisturbed_tracepoints(),
                };
                facts.set(Capability::UndisturbedTracepoints, undisturbed);
                let address = symbols.deferred_release();
                facts.set(Capability::DeferredRelease, address.map(|address| format!("at {address:#x}")));
            }
            Err(error) => {
                let reason = format!("kallsyms: {error}");
                facts.set(Capability::CompatSyscalls, Err(reason.clone()));
                facts.set(Capability::UndisturbedTracepoints, Err(reason.clone()));
                facts.set(Capability::DeferredRelease, Err(reason));
            }
        }
        facts
    }

    /// Decides which of the two objects is loaded, the one for old kernels in any case if it is `forced`, and by which
    /// description of the kernel's types: `types` is the file that settings give, or why there is none.
    pub(crate) fn choose_object(
        &mut self,
        forced: Option<OldPrograms>,
        types: Result<Option<PathBuf>, String>,
    ) {
        match types {
            Ok(Some(file)) => {
                self.set(Capability::Btf, Ok(file.display().to_string()));
                // As long as the process: each load of the object reads it.
                self.types = Some(Box::leak(file.into_boxed_path()));
            }
            Ok(None) if self.has(Capability::Btf) => {}
            Ok(None) => {
                let kernel = self.reason(Capability::Btf).to_owned();
                self.set(Capability::Btf, Err(format!("{kernel}; {}", types::ADVICE)));
            }
            Err(error) if self.has(Capability::Btf) => {
                tracing::warn!(%error, "the kernel's own description of its types is used");
            }
            Err(error) => self.set(Capability::Btf, Err(format!("{error}; {}", types::ADVICE))),
        }
        let young = self.has(Capability::RingBuffer) && self.has(Capability::TpBtf);
        self.old = match forced {
            None if young => None,
            Some(OldPrograms::PerfEvents) => forced,
            _ if self.has(Capability::RawTp) => Some(OldPrograms::RawTracepoints),
            _ => Some(OldPrograms::PerfEvents),
        };
    }

    /// Records one: how it works, or why not.
    pub(crate) fn set(&mut self, capability: Capability, outcome: Result<String, String>) {
        let available = outcome.is_ok();
        let detail = outcome.unwrap_or_else(|reason| reason);
        self.capabilities.insert(capability, Fact { available, detail });
    }

    /// Whether the kernel can; what was not tried counts as missing.
    pub(crate) fn has(&self, capability: Capability) -> bool {
        self.capabilities.get(&capability).is_some_and(|fact| fact.available)
    }

    /// Why the kernel can't.
    pub(crate) fn reason(&self, capability: Capability) -> &str {
        self.capabilities.get(&capability).map_or("not tried", |fact| &fact.detail)
    }

    /// What the kernel can't do, and why.
    pub(crate) fn missing(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let missing = self.capabilities.iter().filter(|(_, fact)| !fact.available);
        missing.map(|(capability, fact)| (capability.name(), fact.detail.as_str()))
    }

    /// For status.
    pub(crate) fn to_wire(&self) -> Vec<v1::Fact> {
        let known = Capability::ALL
            .iter()
            .filter_map(|capability| Some((capability, self.capabilities.get(capability)?)));
        known
            .map(|(capability, fact)| v1::Fact {
                name: capability.name().to_owned(),
                available: fact.available,
                detail: fact.detail.clone(),
            })
            .collect()
    }
}

/// Whether the kernel has the file system by which SELinux is configured.
fn selinux(proc: &Path) -> Result<String, String> {
    let list = proc.join("filesystems");
    match std::fs::read_to_string(&list) {
        Ok(text) if text.split_whitespace().any(|name| name == "selinuxfs") => Ok(String::new()),
        Ok(_) => Err("this kernel runs without it".to_owned()),
        Err(error) => Err(format!("{}: {error}", list.display())),
    }
}

/// Whether the kernel has a list of modules, and with it the calls that change it.
fn modules(proc: &Path) -> Result<String, String> {
    let list = proc.join("modules");
    match list.metadata() {
        Ok(_) => Ok(String::new()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err("this kernel has none".to_owned()),
        Err(error) => Err(format!("{}: {error}", list.display())),
    }
}
