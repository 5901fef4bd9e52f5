//! Families of ways, to force one for tests.

use clap::ValueEnum;

use super::table::Way;
use crate::facts::Capability;
use crate::facts::OldPrograms;

/// What the programs of a way are attached to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Family {
    /// Entry and return of functions inside the kernel.
    Fentry,
    /// The same by probes (kprobe, kretprobe).
    Kprobe,
    /// Tracepoints of system calls.
    Tracepoint,
    /// The programs for kernels before 5.8, all of them.
    Old,
    /// The same as they are for kernels before 4.17.
    Oldest,
}

impl Family {
    /// The form of the programs for old kernels that this is, if it is one.
    pub(crate) const fn of_old_kernels(self) -> Option<OldPrograms> {
        match self {
            Self::Old => Some(OldPrograms::RawTracepoints),
            Self::Oldest => Some(OldPrograms::PerfEvents),
            Self::Fentry | Self::Kprobe | Self::Tracepoint => None,
        }
    }

    /// As on the command line.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Fentry => "fentry",
            Self::Kprobe => "kprobe",
            Self::Tracepoint => "tracepoint",
            Self::Old => "old",
            Self::Oldest => "oldest",
        }
    }
}

impl Way {
    /// The family that this way is of, if programs are put at functions by probes or are not; those that no other way
    /// competes with have none.
    pub(super) fn family(&self, by_probes: bool) -> Option<Family> {
        let at_functions = if by_probes { Family::Kprobe } else { Family::Fentry };
        self.needs.iter().find_map(|need| match need {
            Capability::Fentry | Capability::Fexit | Capability::Lsm => Some(at_functions),
            Capability::SyscallTracepoint => Some(Family::Tracepoint),
            _ => None,
        })
    }
}
