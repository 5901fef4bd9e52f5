//! Kernel activity: each call is made once with known arguments, and every field of its record is compared with what the
//! test did and with what `/proc` says.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "a test: may fail loudly, and hands numbers to system calls"
)]

mod bpf_calls;
mod filter;
mod memory;
mod parameters;
mod processes;
#[path = "../records/mod.rs"]
mod records;
mod selves;

use std::path::Path;

use proto::wire::Kind;
use proto::wire::Record;
use proto::wire::layout::*;

use records::Seen;
use records::Watched;
use records::while_watching;

/// A family of calls: its programs, and the calls that they are attached to.
struct Family {
    name: &'static str,
    has_enter: bool,
    calls: &'static [&'static str],
}

const PTRACE: Family = Family { name: "ptrace", has_enter: true, calls: &["ptrace"] };
const SIGNAL: Family = Family {
    name: "signal",
    has_enter: true,
    calls: &["kill", "tkill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "pidfd_send_signal"],
};
const SETRLIMIT: Family = Family { name: "setrlimit", has_enter: false, calls: &["setrlimit", "prlimit64"] };
const VM_WRITE: Family = Family { name: "vm_write", has_enter: true, calls: &["process_vm_writev"] };
const BPF: Family = Family { name: "bpf", has_enter: false, calls: &["bpf"] };
const LOAD_MODULE: Family =
    Family { name: "load_module", has_enter: false, calls: &["init_module", "finit_module"] };
const UNLOAD_MODULE: Family = Family { name: "unload_module", has_enter: false, calls: &["delete_module"] };
const MMAP: Family = Family { name: "mmap", has_enter: false, calls: &["mmap"] };
const MPROTECT: Family = Family { name: "mprotect", has_enter: true, calls: &["mprotect", "pkey_mprotect"] };
const PRCTL: Family = Family { name: "prctl", has_enter: false, calls: &["prctl"] };
const NAMESPACES: Family = Family { name: "namespaces", has_enter: false, calls: &["unshare", "setns"] };
const DESCRIPTOR: Family = Family {
    name: "descriptor",
    has_enter: false,
    calls: &["userfaultfd", "memfd_create", "io_uring_setup"],
};

/// Whether this kernel has a call.
fn exists(call: &str) -> bool {
    Path::new("/sys/kernel/tracing/events/syscalls").join(format!("sys_exit_{call}")).exists()
}

impl Family {
    fn watched(&self) -> Vec<Watched> {
        let mut watched = Vec::new();
        for call in self.calls.iter().filter(|call| exists(call)) {
            if self.has_enter {
                watched.push((leak(format!("enter_{}", self.name)), Some(format!("sys_enter_{call}"))));
            }
            watched.push((leak(format!("exit_{}", self.name)), Some(format!("sys_exit_{call}"))));
        }
        watched
    }

    /// The records that this thread causes while `provoke` runs.
    fn watch(&self, provoke: impl FnOnce()) -> Vec<Seen> {
        mine(while_watching(&self.watched(), |_| {}, provoke))
    }

    /// The only record, which has to be of `kind`.
    fn watch_one(&self, kind: Kind, provoke: impl FnOnce()) -> Seen {
        let mut seen = self.watch(provoke);
        let kinds: Vec<_> = seen.iter().map(|seen| seen.record().kind()).collect();
        assert_eq!(kinds, [kind]);
        seen.remove(0)
    }
}

/// Names are few: the tests end before they matter.
fn leak(text: String) -> &'static str {
    Box::leak(text.into_boxed_str())
}

/// Those of the calling thread: other tests run beside it.
fn mine(records: Vec<Seen>) -> Vec<Seen> {
    let tid = call(libc::SYS_gettid, &[]) as u32;
    records.into_iter().filter(|seen| seen.record().context().tid == tid).collect()
}

/// A system call with these arguments, of which addresses are given as numbers; `-errno` if it failed.
fn call(number: libc::c_long, arguments: &[i64]) -> i64 {
    let mut raw = [0; 6];
    raw[..arguments.len()].copy_from_slice(arguments);
    // SAFETY: the tests hand over numbers and addresses of what outlives the call and is large enough.
    let result = unsafe { libc::syscall(number, raw[0], raw[1], raw[2], raw[3], raw[4], raw[5]) };
    if result == -1 { -i64::from(std::io::Error::last_os_error().raw_os_error().unwrap()) } else { result }
}

/// Where something lies, for [`call`].
fn at<T>(value: &T) -> i64 {
    std::ptr::from_ref(value) as i64
}

/// Text of a span.
fn text(record: &Record<'_>, span: span) -> String {
    String::from_utf8_lossy(record.span(span)).into_owned()
}

/// Fails unless a record is this process's and without errors.
fn assert_sound(record: &Record<'_>) {
    assert_eq!(record.header().errors, 0, "errors");
    assert_eq!(record.context().pid, std::process::id());
}

/// The target of a call: a process, when it started, and the number that named it.
fn target_of(pid: u32, given: i32) -> target {
    target { start_time_ns: start_time(pid), pid, given }
}

/// When a process started, ns since boot: the tick that `/proc` tells.
fn start_time(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let ticks: u64 = stat.rsplit(')').next().unwrap().split_whitespace().nth(19).unwrap().parse().unwrap();
    ticks * u64::from(START_TICK_NS)
}

/// Fails unless a target is as expected, to the tick.
fn assert_target(found: target, expected: target) {
    let tick = u64::from(START_TICK_NS);
    let cut = target { start_time_ns: found.start_time_ns / tick * tick, ..found };
    assert_eq!(cut, expected);
}

/// Whether the tests can run here: as root, with tracefs mounted.
fn ready() -> bool {
    if !records::privileged() {
        return false;
    }
    if !exists("openat") {
        println!("skipped: no system call tracepoints (is tracefs mounted at /sys/kernel/tracing?)");
        return false;
    }
    true
}

/// The table of calls in the C sources names them all: those with a number on x86-64 have a tracepoint of their name.
#[test]
fn the_families_have_all_calls() {
    let table = include_str!("../../include/kernel_calls.h");
    let rows = table.split("CALL(").skip(1).filter_map(|row| {
        let (name, numbers) = row.split_once(')')?.0.split_once(',')?;
        (numbers.split(',').next()?.trim().parse::<u32>().is_ok()).then(|| name.to_lowercase())
    });
    let mut declared: Vec<_> = rows.collect();
    let families = [
        PTRACE,
        SIGNAL,
        SETRLIMIT,
        VM_WRITE,
        BPF,
        LOAD_MODULE,
        UNLOAD_MODULE,
        MMAP,
        MPROTECT,
        PRCTL,
        NAMESPACES,
        DESCRIPTOR,
    ];
    let mut watched: Vec<_> =
        families.iter().flat_map(|family| family.calls).map(|&call| call.to_owned()).collect();
    declared.sort();
    watched.sort();
    assert!(declared.len() > 20, "{declared:?}");
    assert_eq!(declared, watched);
}
