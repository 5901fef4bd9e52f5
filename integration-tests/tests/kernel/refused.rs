//! Calls that failed: those refused for lack of permission are events, with what was tried; others are none.

use anyhow::Result;
use integration_tests::harness::call::{Calls, b, n, s, words};
use integration_tests::harness::{Pair, Setup, can_run};
use serde_json::{Value, json};

const NOBODY: u32 = 65534;

const EVENTS: [&str; 14] = [
    "ptrace",
    "signal",
    "setrlimit",
    "process_vm_writev",
    "bpf",
    "load_module",
    "unload_module",
    "mmap",
    "mprotect",
    "prctl",
    "unshare",
    "setns",
    "userfaultfd",
    "memfd_create",
];

fn pair() -> Result<Pair> {
    let setup = EVENTS.iter().fold(Setup::new(), |setup, event| {
        setup.rule(event, &format!("{event}.retval < 0 && process.file.name == \"call\""))
    });
    Pair::start(&setup)
}

/// Whether this kernel has modules; without them there are not even the calls.
fn has_modules() -> bool {
    let has = std::path::Path::new("/proc/modules").exists();
    if !has {
        println!("in part only: this kernel has no modules");
    }
    has
}

/// The event, the call, and members of the signal.
type Row = (&'static str, Calls, Vec<(&'static str, Value)>);

#[test]
fn what_is_refused_is_an_event() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let mut pair = pair()?;
    let trigger = pair.trigger("call")?;
    let me = std::process::id();
    let one = |number, arguments: Vec<_>| Calls::new().then(number, arguments);
    let vector = || words(&[4096, 1]);
    let mut rows: Vec<Row> = vec![
        (
            "ptrace",
            one(libc::SYS_ptrace, vec![n(libc::PTRACE_ATTACH), n(me), n(0), n(0)]),
            vec![("ptrace.request", json!("PTRACE_ATTACH")), ("ptrace.tracee.pid", json!(me))],
        ),
        (
            "signal",
            one(libc::SYS_kill, vec![n(me), n(libc::SIGUSR1)]),
            vec![
                ("signal.type", json!("SIGUSR1")),
                ("signal.pid", json!(me)),
                ("signal.target.pid", json!(me)),
            ],
        ),
        (
            "setrlimit",
            one(libc::SYS_prlimit64, vec![n(me), n(libc::RLIMIT_CORE), words(&[1, 2]), n(0)]),
            vec![
                ("setrlimit.resource", json!("RLIMIT_CORE")),
                ("setrlimit.rlim_cur", json!(1)),
                ("setrlimit.rlim_max", json!(2)),
                ("setrlimit.target.pid", json!(me)),
            ],
        ),
        (
            "process_vm_writev",
            one(libc::SYS_process_vm_writev, vec![n(me), vector(), n(1), vector(), n(1), n(0)]),
            vec![("process_vm_writev.pid", json!(me)), ("process_vm_writev.address", json!("0x1000"))],
        ),
        (
            "bpf",
            // A hash map named "refused".
            one(
                libc::SYS_bpf,
                vec![n(0), words(&[4 << 32 | 1, 8 << 32 | 4, 0, 0x7566_6572 << 32, 0x0064_6573]), n(72)],
            ),
            vec![
                ("bpf.cmd", json!("BPF_MAP_CREATE")),
                ("bpf.map", json!({"name": "refused", "map_type": "BPF_MAP_TYPE_HASH"})),
            ],
        ),
        (
            "unshare",
            one(libc::SYS_unshare, vec![n(libc::CLONE_NEWUTS)]),
            vec![("unshare", json!({"flags": "CLONE_NEWUTS"}))],
        ),
    ];
    if has_modules() {
        rows.push((
            "load_module",
            one(libc::SYS_init_module, vec![b(8), n(8), s("debug=1 name=x")]),
            vec![
                ("module", json!({"name": "", "loaded_from_memory": true, "argv": ["debug=1", "name=x"]})),
                ("file", Value::Null),
            ],
        ));
        rows.push((
            "unload_module",
            one(libc::SYS_delete_module, vec![s("ext4"), n(libc::O_NONBLOCK)]),
            vec![("module", json!({"name": "ext4"}))],
        ));
    }
    for (event, calls, mut expected) in rows {
        let made = calls.make_as(NOBODY, &trigger)?;
        let result = made.last();
        assert!(result == -1 || result == -13, "{event}: {result} is no refusal");
        expected.push(("evt.name", json!(event)));
        expected.push(("evt.outcome", json!("Refused")));
        let signal = pair.expect(event, |signal| signal.at("process.pid") == made.pid())?;
        assert_eq!(signal.differences(&expected), "", "{event}");
    }
    Ok(())
}

#[test]
fn other_failures_are_no_events() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let mut pair = pair()?;
    let trigger = pair.trigger("call")?;
    let nobody = n(i64::from(i32::MAX));
    let made = Calls::new()
        .then(libc::SYS_ptrace, [n(libc::PTRACE_CONT), nobody.clone(), n(0), n(0)])
        .then(libc::SYS_kill, [nobody.clone(), n(0)])
        .then(libc::SYS_kill, [n(std::process::id()), n(999)])
        .then(libc::SYS_prlimit64, [n(0), n(99), words(&[1, 1]), n(0)])
        .then(libc::SYS_process_vm_writev, [nobody, words(&[4096, 1]), n(1), words(&[4096, 1]), n(1), n(0)])
        .then(libc::SYS_bpf, [n(9999), b(72), n(72)])
        .then(libc::SYS_finit_module, [n(99), s(""), n(0)])
        .then(libc::SYS_delete_module, [s("no such module"), n(0)])
        .then(libc::SYS_mmap, [n(0), n(0), n(1), n(2), n(99), n(0)])
        .then(libc::SYS_mprotect, [n(0x1000), n(4096), n(1)])
        .then(libc::SYS_prctl, [n(9999), n(0), n(0), n(0), n(0)])
        .then(libc::SYS_unshare, [n(1)])
        .then(libc::SYS_setns, [n(99), n(0)])
        .then(libc::SYS_memfd_create, [s(""), n(0x4000_0000)]);
    let count = made.count();
    let made = made.make(&trigger)?;
    for call in 0..count {
        let result = made.result(call);
        assert!(result < 0 && result != -1 && result != -13, "call {call}: {result}");
    }
    // What comes after is seen: the silence is no deafness.
    let last = Calls::new().then(libc::SYS_unshare, [n(libc::CLONE_NEWUTS)]).make_as(NOBODY, &trigger)?;
    pair.expect("unshare", |signal| signal.at("process.pid") == last.pid())?;
    for event in EVENTS {
        let told: Vec<_> =
            pair.signals.of_rule(event).filter(|signal| signal.at("process.pid") == made.pid()).collect();
        assert!(told.is_empty(), "{event}: {told:#?}");
    }
    Ok(())
}
