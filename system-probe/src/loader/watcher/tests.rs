//! Loading on demand, in the real kernel.

use libbpf_rs::ProgramType;
use proto::v1::Degraded;

use super::super::Options;
use super::super::instance::MapSource;
use super::super::instance::Open;
use super::super::instance::Opened;
use super::super::instance::open;
use super::*;
use crate::facts::Capability;
use crate::plan::Allowed;

const OPTIONS: Options = Options::of_a_test(1 << 16);

/// The object with a program of a type that needs a target, and has none: as on a kernel that refuses it.
fn open_with_a_bad_program(wanted: &BTreeSet<&str>, maps: MapSource<'_>) -> anyhow::Result<Opened> {
    let mut opened = open(wanted, maps)?;
    for mut program in opened.object_mut().progs_mut() {
        if program.name() == "enter_capset" {
            program.set_prog_type(ProgramType::Tracing);
        }
    }
    Ok(opened)
}

/// The object as long as no maps are shared.
fn open_only_once(wanted: &BTreeSet<&str>, maps: MapSource<'_>) -> anyhow::Result<Opened> {
    match maps {
        MapSource::New(_) => open(wanted, maps),
        MapSource::Shared(_) => anyhow::bail!("no memory"),
    }
}

/// A watcher with nothing but what is always watched; none where that is not possible.
fn watcher(open: Open) -> Option<Watcher> {
    watcher_with(open, OPTIONS)
}

pub(super) fn watcher_with(open: Open, options: Options) -> Option<Watcher> {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: loading BPF programs needs root");
        return None;
    }
    let facts = Facts::probe("/proc".as_ref(), &crate::plan::functions());
    if !facts.has(Capability::SyscallTracepoint) || !facts.has(Capability::RingBuffer) {
        println!("skipped: system calls can't be watched here");
        return None;
    }
    let plan = Plan::new(&facts, Allowed::everything_but_compat());
    let first = plan.programs_to_start_with(&BTreeSet::new()).map(|program| program.name).collect();
    let programs = Programs::load_with(first, options, open).unwrap();
    Some(Watcher::new(facts, plan, programs, Path::new("/proc")).unwrap())
}

fn configure(watcher: &Watcher, kinds: &[Kind]) -> Vec<Degraded> {
    let kinds = kinds.iter().map(|kind| kind.number()).collect();
    watcher.configure(&v1::ConfigureRequest { kinds, ..v1::ConfigureRequest::default() }).degraded
}

/// State and reason of an observation.
fn seen(watcher: &Watcher, name: &str) -> (State, String) {
    let seen = watcher.observations().into_iter().find(|seen| seen.name == name).unwrap();
    (seen.state(), seen.reason)
}

/// Whether all of an observation is watched, calls of 32-bit programs aside.
fn is_watched(watcher: &Watcher, name: &str) -> bool {
    let (state, reason) = seen(watcher, name);
    println!("{name}: {state:?} {reason}");
    matches!(state, State::Active | State::Partial) && !reason.contains("cannot attach")
}

fn loads(watcher: &Watcher) -> usize {
    watcher.lock().programs.loads()
}

fn is_loaded(watcher: &Watcher, program: &str) -> bool {
    watcher.lock().programs.has(program)
}

#[test]
fn a_program_is_loaded_when_its_kind_is_asked_for_and_stays() {
    let Some(watcher) = watcher(open) else { return };
    watcher.attach();
    assert_eq!(loads(&watcher), 1);
    assert!(!is_loaded(&watcher, "exit_mkdir") && !is_loaded(&watcher, "enter_capset"));
    assert_eq!(seen(&watcher, "file.mkdir").0, State::Idle);

    configure(&watcher, &[Kind::Mkdir]);
    assert!(is_loaded(&watcher, "exit_mkdir") && !is_loaded(&watcher, "enter_capset"));
    assert!(is_watched(&watcher, "file.mkdir"));
    assert_eq!(seen(&watcher, "process.capset").0, State::Idle);

    configure(&watcher, &[Kind::Capset, Kind::Setuid]);
    assert_eq!(loads(&watcher), 3, "both in one load");
    assert!(is_watched(&watcher, "process.capset") && is_watched(&watcher, "process.setuid"));
    assert_eq!(seen(&watcher, "file.mkdir").0, State::Idle);

    configure(&watcher, &[Kind::Mkdir]);
    assert_eq!(loads(&watcher), 3, "nothing is loaded twice");
    assert!(is_watched(&watcher, "file.mkdir"));
    assert_eq!(seen(&watcher, "process.capset").0, State::Idle);

    watcher.detach();
    assert_eq!(seen(&watcher, "file.mkdir").0, State::Idle);
    watcher.attach();
    assert!(is_watched(&watcher, "file.mkdir"));
    assert_eq!(loads(&watcher), 3);
}

#[test]
fn what_the_kernel_refuses_on_demand_fails_alone() {
    let Some(watcher) = watcher(open_with_a_bad_program) else { return };
    watcher.attach();
    assert_eq!(seen(&watcher, "process.capset").0, State::Idle, "nobody knows yet");

    let degraded = configure(&watcher, &[Kind::Capset, Kind::Setuid]);
    let capset = degraded.iter().find(|it| it.kind == Kind::Capset.number()).unwrap();
    assert!(capset.reason.contains("enter_capset: BPF program load failed"), "{capset:?}");
    assert_eq!(seen(&watcher, "process.capset").0, State::Partial, "its other program works");
    assert!(is_watched(&watcher, "process.setuid"));
    assert!(!seen(&watcher, "process.setuid").1.contains("load failed"));

    let before = loads(&watcher);
    assert_eq!(configure(&watcher, &[Kind::Capset, Kind::Setuid]), degraded);
    assert_eq!(loads(&watcher), before, "the kernel is not asked again");
}

#[test]
fn what_the_kernel_refuses_is_known_before_anybody_subscribes() {
    let Some(watcher) = watcher(open_with_a_bad_program) else { return };
    let degraded = configure(&watcher, &[Kind::Capset]);
    assert!(degraded.iter().any(|it| it.reason.contains("enter_capset")), "{degraded:?}");
}

#[test]
fn a_load_that_fails_as_a_whole_takes_nothing_else_along_and_is_tried_again() {
    let Some(watcher) = watcher(open_only_once) else { return };
    watcher.attach();
    let degraded = configure(&watcher, &[Kind::Capset]);
    assert!(degraded.iter().any(|it| it.kind == Kind::Capset.number() && it.reason.contains("no memory")));
    assert_eq!(seen(&watcher, "process.capset").0, State::Unavailable);
    assert!(is_watched(&watcher, "process.exec"));

    watcher.lock().programs.open_with(open);
    configure(&watcher, &[Kind::Capset]);
    assert!(is_watched(&watcher, "process.capset"), "{:?}", seen(&watcher, "process.capset"));
}
