//! How often the kernel did not run a program.
//!
//! The program of a perf event is passed over while `bpf_prog_active` of its CPU is not 0: while a bpf(2) call of any
//! process, preempted on that CPU, holds a map. Programs on raw tracepoints are passed over within themselves. Since
//! 6.7 (dd8657894c11) the kernel counts both; before, only the latter.

use std::mem::size_of;
use std::os::fd::AsRawFd as _;
use std::os::fd::OwnedFd;
use std::sync::Mutex;
use std::sync::PoisonError;

use libbpf_rs::libbpf_sys;

/// The programs that report events.
#[derive(Debug, Default)]
pub(crate) struct Skips(Mutex<Vec<Counted>>);

#[derive(Debug)]
struct Counted {
    program: OwnedFd,
    /// Of the events that it reports; 0: of several.
    kind: u32,
    /// At the last look.
    seen: u64,
}

impl Skips {
    /// Counts those of one more program from now on.
    pub(super) fn add(&self, program: OwnedFd, kind: u32) {
        let seen = misses(&program);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Counted { program, kind, seen });
    }

    /// Kinds with the number of events that were passed over since the last call.
    pub(crate) fn take(&self) -> Vec<(u32, u64)> {
        let mut programs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let new = programs.iter_mut().filter_map(|counted| {
            let total = misses(&counted.program);
            let new = total.saturating_sub(counted.seen);
            counted.seen = counted.seen.max(total);
            (new > 0).then_some((counted.kind, new))
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
