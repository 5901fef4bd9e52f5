//! How often the kernel did not run a program.
//!
//! The program of a perf event is passed over while `bpf_prog_active` of its CPU is not 0: while a bpf(2) call of any
//! process, preempted on that CPU, holds a map. Programs on raw tracepoints are passed over within themselves. Since
//! 6.7 (dd8657894c11) the kernel counts both; before, only the latter.
//!
//! A probe at the return of a function misses the returns of more calls than it can wait for.

use std::collections::BTreeMap;
use std::mem::size_of;
use std::os::fd::AsRawFd as _;
use std::os::fd::OwnedFd;
use std::sync::Mutex;
use std::sync::PoisonError;

use libbpf_rs::libbpf_sys;

use crate::tracefs::Tracefs;

/// The programs that report events.
#[derive(Debug, Default)]
pub(crate) struct Skips {
    programs: Mutex<Vec<Counted>>,
    probes: Mutex<Option<Probes>>,
}

/// Probes at returns, by name, with the kind of events that each leads to.
#[derive(Debug)]
struct Probes {
    tracefs: Tracefs,
    kinds: BTreeMap<&'static str, u32>,
    /// At the last look, by the name of each probe, which ends with something of this process.
    seen: BTreeMap<String, u64>,
}

#[derive(Debug)]
struct Counted {
    name: &'static str,
    program: OwnedFd,
    /// Of the events that it reports; 0: of several.
    kind: u32,
    /// At the last look.
    seen: u64,
    /// Those of one of the same name that it replaces, which nobody has been told of.
    inherited: u64,
}

impl Counted {
    /// Since the last call.
    fn take(&mut self) -> u64 {
        let total = misses(&self.program);
        let new = total.saturating_sub(self.seen);
        self.seen = self.seen.max(total);
        new + std::mem::take(&mut self.inherited)
    }
}

impl Skips {
    /// Counts those of one more program from now on, or of one in place of the program of the same name.
    pub(super) fn add(&self, name: &'static str, program: OwnedFd, kind: u32) {
        let mut programs = self.programs.lock().unwrap_or_else(PoisonError::into_inner);
        let before = programs.iter().position(|counted| counted.name == name);
        let inherited = before.map(|index| programs.swap_remove(index).take()).unwrap_or_default();
        let seen = misses(&program);
        programs.push(Counted { name, program, kind, seen, inherited });
    }

    /// Counts the returns that the probe of a program misses, too.
    pub(super) fn add_probe(&self, tracefs: &Tracefs, program: &'static str, kind: u32) {
        let mut probes = self.probes.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Probes { tracefs: tracefs.clone(), kinds: BTreeMap::new(), seen: BTreeMap::new() };
        probes.get_or_insert_with(new).kinds.insert(program, kind);
    }

    /// Kinds with the number of events that were passed over since the last call.
    pub(crate) fn take(&self) -> Vec<(u32, u64)> {
        let mut programs = self.programs.lock().unwrap_or_else(PoisonError::into_inner);
        let mut probes = self.probes.lock().unwrap_or_else(PoisonError::into_inner);
        let missed = probes.as_mut().map(Probes::take).unwrap_or_default();
        let new = programs.iter_mut().filter_map(|counted| {
            let new = counted.take();
            (new > 0).then_some((counted.kind, new))
        });
        new.chain(missed).collect()
    }
}

impl Probes {
    fn take(&mut self) -> Vec<(u32, u64)> {
        let counters = match self.tracefs.missed_returns() {
            Ok(counters) => counters,
            Err(error) => {
                tracing::debug!(%error, "cannot read the counters of probes");
                return Vec::new();
            }
        };
        self.news(counters)
    }

    /// A probe that is attached again counts from 0.
    fn news(&mut self, counters: Vec<(String, u64)>) -> Vec<(u32, u64)> {
        let new = counters.into_iter().filter_map(|(name, total)| {
            let (program, _) = name.rsplit_once('_')?;
            let kind = *self.kinds.get(program)?;
            let seen = self.seen.insert(name, total).unwrap_or_default();
            let new = if total < seen { total } else { total - seen };
            (new > 0).then_some((kind, new))
        });
        new.collect()
    }
}

/// Of a program, since it was loaded; 0 on kernels that don't tell.
fn misses(program: &OwnedFd) -> u64 {
    let mut info = libbpf_sys::bpf_prog_info::default();
    let Ok(mut size) = u32::try_from(size_of::<libbpf_sys::bpf_prog_info>()) else { return 0 };
    // SAFETY: `info` and `size` live during the call, which writes at most `size` bytes; all pointers in `info` are null
    // and the lengths beside them 0, so that the kernel writes nothing else.
    let result =
        unsafe { libbpf_sys::bpf_prog_get_info_by_fd(program.as_raw_fd(), &raw mut info, &raw mut size) };
    if result == 0 { info.recursion_misses } else { 0 }
}
