//! Collects the records that the programs emit while something happens.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "support of tests")]
#![allow(dead_code, reason = "no test binary uses all of it")]

use std::cell::RefCell;
use std::mem::MaybeUninit;
use std::rc::Rc;
use std::time::Duration;

use bpf::CwsSkelBuilder;
use libbpf_rs::RingBufferBuilder;
use libbpf_rs::TracepointCategory;
use libbpf_rs::skel::OpenSkel as _;
use libbpf_rs::skel::Skel as _;
use libbpf_rs::skel::SkelBuilder as _;
use proto::wire::Kind;
use proto::wire::Record;

/// True if this process may load programs; says so if not.
pub(crate) fn privileged() -> bool {
    if rustix::process::geteuid().is_root() {
        return true;
    }
    println!("skipped: loading BPF programs needs root");
    false
}

/// Address of the kernel's `____fput`.
fn fput_callback() -> u64 {
    let symbols = std::fs::read_to_string("/proc/kallsyms").unwrap_or_default();
    symbols
        .lines()
        .find_map(|line| line.strip_suffix(" t ____fput").and_then(|hex| u64::from_str_radix(hex, 16).ok()))
        .unwrap_or(0)
}

/// One record, copied.
#[derive(Clone)]
pub(crate) struct Seen(pub(crate) Vec<u8>);

impl Seen {
    pub(crate) fn record(&self) -> Record<'_> {
        Record::parse(&self.0).expect("programs send well-formed records")
    }
}

/// A program, and the tracepoint of the group `syscalls` that it is attached to; none: where its section says.
pub(crate) type Watched = (&'static str, Option<String>);

/// Runs `provoke` with fork, exec and exit watched, and returns all records until it has ended.
pub(crate) fn while_running(provoke: impl FnOnce()) -> Vec<Seen> {
    let watched: Vec<Watched> =
        ["on_fork", "on_exec", "on_exit", "on_cgroup_attach"].map(|name| (name, None)).into();
    while_watching(&watched, |_| {}, provoke)
}

/// Runs `provoke` with `watched` attached, after `prepare` has set up the maps; returns all records.
pub(crate) fn while_watching(
    watched: &[Watched],
    prepare: impl FnOnce(&bpf::CwsSkel<'_>),
    provoke: impl FnOnce(),
) -> Vec<Seen> {
    let mut object = MaybeUninit::uninit();
    let mut open = CwsSkelBuilder::default().open(&mut object).unwrap();
    let constants = open.maps.rodata_data.as_deref_mut().unwrap();
    constants.fput_callback = fput_callback();
    if std::env::var_os("CWS_PLAN").is_some_and(|plan| plan == "fentry") {
        // As where they can be preempted, which shows both.
        constants.preemptible_slots = 4;
    }
    for mut program in open.open_object_mut().progs_mut() {
        let wanted = watched.iter().any(|(name, _)| program.name() == *name);
        program.set_autoload(wanted);
    }
    let skeleton = open.load().unwrap();
    prepare(&skeleton);
    let mut links = Vec::new();
    for (name, tracepoint) in watched {
        let program = skeleton.object().progs_mut().find(|program| program.name() == *name).expect(name);
        let link = match tracepoint {
            None => program.attach(),
            Some(tracepoint) => program.attach_tracepoint(TracepointCategory::Syscalls, tracepoint),
        };
        links.push(link.unwrap_or_else(|error| panic!("{name} at {tracepoint:?}: {error}")));
    }

    let seen = Rc::new(RefCell::new(Vec::new()));
    let mut ring = RingBufferBuilder::new();
    let sink = Rc::clone(&seen);
    ring.add(&skeleton.maps.events, move |bytes| {
        sink.borrow_mut().push(Seen(bytes.to_vec()));
        0
    })
    .unwrap();
    let ring = ring.build().unwrap();
    // Attaching opens files, which those that are attached already have seen.
    ring.consume().unwrap();
    seen.borrow_mut().clear();
    provoke();
    drop(links);
    ring.poll(Duration::from_millis(50)).unwrap();
    drop(ring);
    Rc::try_unwrap(seen).ok().unwrap().into_inner()
}

/// The records of a kind that come from process `pid`.
pub(crate) fn of(records: &[Seen], kind: Kind, pid: u32) -> Vec<Seen> {
    records
        .iter()
        .filter(|seen| seen.record().kind() == kind && seen.record().context().pid == pid)
        .cloned()
        .collect()
}
