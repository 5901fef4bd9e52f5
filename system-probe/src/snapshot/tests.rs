//! The two ways to take a snapshot, against each other: the kernel's objects are the truth.

use std::collections::BTreeMap;
use std::process::Command;
use std::process::Stdio;

use proto::wire::Kind;
use proto::wire::Record;
use proto::wire::layout::exec_body;
use proto::wire::layout::file_info;
use proto::wire::layout::task_context;

use super::*;
use crate::facts::Facts;
use crate::kernel::Kernel as _;
use crate::loader::Options;
use crate::loader::PacketOptions;
use crate::loader::Programs;
use crate::loader::Watcher;
use crate::plan::Allowed;
use crate::plan::Plan;

const PROC: &str = "/proc";

/// Exec records by pid.
fn take(snapshot: &dyn Snapshot) -> BTreeMap<u32, Vec<u8>> {
    let mut records = BTreeMap::new();
    snapshot
        .take(&mut |bytes| {
            let record = Record::parse(bytes).unwrap();
            if record.kind() == Kind::Exec {
                assert!(records.insert(record.context().pid, bytes.to_vec()).is_none(), "twice: {record:?}");
            }
            ControlFlow::Continue(())
        })
        .unwrap();
    records
}

fn iterator() -> Option<std::sync::Arc<dyn Snapshot>> {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: BPF iterators need root");
        return None;
    }
    let facts = Facts::probe(PROC.as_ref(), &crate::plan::functions());
    let plan = Plan::new(&facts, Allowed::everything_but_compat());
    if !plan.programs().any(|program| *program == crate::plan::SNAPSHOT) {
        println!("skipped: no task iterator on this kernel");
        return None;
    }
    let options = Options {
        ring_bytes: 1 << 16,
        deferred_release: 0,
        own_pid: 0,
        packets: PacketOptions::NONE,
        preemptible: false,
    };
    let programs = Programs::load([crate::plan::SNAPSHOT.name].into(), options).unwrap();
    Some(Watcher::new(facts, plan, programs, PROC.as_ref()).unwrap().snapshot())
}

/// What both must say of a process, in a form that shows what differs.
fn description(bytes: &[u8]) -> String {
    let record = Record::parse(bytes).unwrap();
    let body: exec_body = record.body();
    let context = record.context();
    // What /proc does not tell, or tells less exactly.
    let context = task_context {
        start_time_ns: procfs::ticks(context.start_time_ns),
        parent_start_time_ns: procfs::ticks(context.parent_start_time_ns),
        cgroup_id: 0,
        exec_id: 0,
        ..context
    };
    let file = file_info { path: Default::default(), overlay_prefix: 0, ..body.file };
    let text = |span| String::from_utf8_lossy(record.span(span)).into_owned();
    let strings = [text(body.file.path), text(body.args), text(body.envs)];
    let (errors, counts) = (record.header().errors, (body.args_count, body.args_size, body.envs_count));
    format!("{context:#?} {file:#?} {strings:#?} {errors} {counts:?} {:?} {:?}", body.tty, body.stdio_mode)
}

#[test]
fn both_ways_say_the_same() {
    let Some(iterator) = iterator() else { return };
    let mut sleep = Command::new("sleep");
    let mut child = sleep.arg("600").env_clear().env("MARK", "yes").stdin(Stdio::piped()).spawn().unwrap();
    let by_kernel = take(iterator.as_ref());
    let by_proc = take(&ProcfsSnapshot::new(PROC.into()));
    child.kill().unwrap();
    child.wait().unwrap();
    for pid in [child.id(), std::process::id()] {
        assert_eq!(description(&by_kernel[&pid]), description(&by_proc[&pid]));
    }
}

#[test]
fn both_ways_find_the_same_processes() {
    let Some(iterator) = iterator() else { return };
    // Twice the kernel's view, so that what came or went in between can be told.
    let before = take(iterator.as_ref());
    let by_proc = take(&ProcfsSnapshot::new(PROC.into()));
    let after = take(iterator.as_ref());
    let stable: Vec<_> = before.keys().filter(|pid| after.contains_key(pid)).collect();
    assert!(stable.len() > 1);
    for pid in stable {
        assert!(by_proc.contains_key(pid), "pid {pid} is not in /proc's");
    }
}
