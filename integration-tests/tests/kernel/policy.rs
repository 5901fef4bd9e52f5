//! Rules on kernel activity of the default policy, on the real kernel. The trigger lives in a directory of everybody's, which
//! is where what is hostile often does.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Result;
use integration_tests::harness::call::{Calls, Made, b, n, r, s, words, x};
use integration_tests::harness::{Pair, Setup, Signal, can_run};

const NOBODY: u32 = 65534;
const PAGE: i64 = 4096;
/// MAP_PRIVATE | MAP_ANONYMOUS
const OWN: i32 = 0x22;

/// A program that calls a helper function.
fn code(helper: u64) -> Vec<u8> {
    // call helper; r0 = 0; exit
    [0x85 | helper << 32, 0xb7, 0x95].iter().flat_map(|word: &u64| word.to_ne_bytes()).collect()
}

/// Loads a program that calls `helper`, from memory at this address.
fn load(helper: u64, pointer: u64) -> Calls {
    // A socket filter of three instructions; what follows them serves as an (empty) license.
    let attr = words(&[3 << 32 | 1, pointer, pointer + 24, 0, 0, 0, 0, 0, 0]);
    Calls::new()
        .then(
            libc::SYS_mmap,
            [n(pointer.cast_signed()), n(PAGE), n(3), n(OWN | libc::MAP_FIXED), n(-1), n(0)],
        )
        .then(libc::SYS_memfd_create, [s("code"), n(0)])
        .then(libc::SYS_pwrite64, [r(1), x(&code(helper)), n(24), n(0)])
        .then(libc::SYS_pread64, [r(1), n(pointer.cast_signed()), n(24), n(0)])
        .then(libc::SYS_bpf, [n(5), attr, n(72)])
}

fn map(protection: i32) -> Calls {
    Calls::new().then(libc::SYS_mmap, [n(0), n(PAGE), n(protection), n(OWN), n(-1), n(0)])
}

/// What must match which rules.
fn hostile(other: u32) -> Vec<(&'static str, Calls)> {
    let one = |number, arguments: Vec<_>| Calls::new().then(number, arguments);
    vec![
        ("code_written_to_memory", map(3).then(libc::SYS_mprotect, [r(0), n(PAGE), n(5)])),
        ("writable_and_executable_memory", map(7)),
        ("login_program_traced", one(libc::SYS_ptrace, vec![n(libc::PTRACE_SEIZE), n(other), n(0), n(0)])),
        ("bpf_program_loaded_from_writable_place", load(7, 0x1000_0000)),
        (
            "process_poses_as_kernel_thread",
            one(libc::SYS_prctl, vec![n(libc::PR_SET_NAME), s("[kworker/1:0]")]),
        ),
    ]
}

/// What is close to that and must match none.
fn harmless(other: u32) -> Vec<Calls> {
    let one = |number, arguments: Vec<_>| Calls::new().then(number, arguments);
    vec![
        map(3).then(libc::SYS_mprotect, [r(0), n(PAGE), n(1)]),
        map(5),
        map(1).then(libc::SYS_mprotect, [r(0), n(PAGE), n(3)]),
        one(libc::SYS_kill, vec![n(other), n(0)]),
        one(libc::SYS_prctl, vec![n(libc::PR_SET_NAME), s("worker")]),
        one(libc::SYS_prctl, vec![n(libc::PR_GET_DUMPABLE)]),
        one(libc::SYS_unshare, vec![n(libc::CLONE_NEWUTS)]),
        one(libc::SYS_prlimit64, vec![n(0), n(libc::RLIMIT_CORE), n(0), b(16)]),
    ]
}

/// The rules on kernel activity of the default policy that what `made` did has matched.
fn matched<'p>(pair: &'p Pair, made: &Made) -> Vec<&'p str> {
    let of = |signal: &&Signal| {
        signal.at("process.pid") == made.pid()
            && signal.at("agent.policy_name") == "default.policy"
            && signal.at("evt.name") != "exec"
    };
    pair.signals.all().iter().filter(of).map(Signal::rule).collect()
}

#[test]
fn the_default_policy_sees_what_is_hostile_and_not_what_is_close_to_it() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let policy = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/policies/default.policy");
    let mut pair = Pair::start(&Setup::new().policy_file(&policy))?;
    let trigger = pair.trigger("call")?;
    // A program of that name which waits.
    let login = integration_tests::harness::ordinary_program("/bin/cat", "sshd", &pair.path(""))?;
    let mut other = Command::new(login).stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;

    let mut done = Vec::new();
    for (rule, calls) in hostile(other.id()) {
        done.push((Some(rule), calls.make(&trigger)?.succeeded()?));
    }
    for calls in harmless(other.id()) {
        done.push((None, calls.make(&trigger)?.succeeded()?));
    }
    // Refused, and told all the same.
    let refused = Calls::new().then(libc::SYS_unshare, [n(libc::CLONE_NEWUTS)]).make_as(NOBODY, &trigger)?;
    done.push((None, refused));
    other.kill()?;
    other.wait()?;
    pair.settle()?;
    for (number, (rule, made)) in done.iter().enumerate() {
        let matched = matched(&pair, made);
        match rule {
            Some(rule) => assert!(matched.contains(rule), "{rule}: {matched:?}\n{}", pair.logs()),
            None => assert!(matched.is_empty(), "harmless case {number}: {matched:?}"),
        }
    }
    Ok(())
}
