//! The snapshot of this machine, as far as it can be known without being root.

use std::ops::ControlFlow;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;

use proto::wire::layout::exec_chunk_body;

use super::*;

const PROC: &str = "/proc";

fn collect(snapshot: &dyn Snapshot) -> Vec<Vec<u8>> {
    let mut records = Vec::new();
    let mut keep = |record: &[u8]| {
        records.push(record.to_vec());
        ControlFlow::Continue(())
    };
    snapshot.take(&mut keep).unwrap();
    records
}

fn records_of(pid: u32, records: &[Vec<u8>]) -> Vec<Record<'_>> {
    let records = records.iter().map(|bytes| Record::parse(bytes).unwrap());
    records.filter(|record| record.context().pid == pid).collect()
}

fn spawn(arguments: &[&str]) -> std::process::Child {
    let mut command = Command::new("sleep");
    command.arg("600").env_clear().env("MARK", "yes").stdin(Stdio::null());
    // Kept by sleep without effect: it sums its arguments.
    command.args(arguments);
    command.spawn().unwrap()
}

#[test]
fn a_running_process_is_described() {
    let mut child = spawn(&[]);
    let records = collect(&ProcfsSnapshot::new(PROC.into()));
    let pid = child.id();
    // Between fork and exec the child may still be this test.
    let found = records_of(pid, &records);
    child.kill().unwrap();
    child.wait().unwrap();

    assert_eq!(found.len(), 1, "once, and without chunks");
    let (record, body) = (found[0], found[0].body::<exec_body>());
    let context = record.context();
    let flags = layout::RECORD_FLAG_SYNTHETIC | layout::RECORD_FLAG_START_TICKS;
    assert_eq!(u32::from(record.header().flags), flags);
    assert_eq!((context.tid, context.ppid), (pid, std::process::id()));
    assert_eq!(context.uid, rustix::process::getuid().as_raw());
    assert!(context.start_time_ns > context.parent_start_time_ns && context.parent_start_time_ns > 0);
    assert_ne!(context.pid_ns, 0);
    assert!(record.span(body.file.path).ends_with(b"sleep"), "{record:?}");
    assert_ne!(body.file.flags & layout::FILE_FLAG_VALID, 0);
    assert_eq!(record.span(body.args), b"sleep\x00600\0");
    assert_eq!((body.args_count, body.args_size), (2, 10));
    assert_eq!(record.span(body.envs), b"MARK=yes\0");
    assert_eq!(u32::from(body.stdio_mode[0]) & 0o170_000, 0o020_000, "stdin is a character device");
}

#[test]
fn long_arguments_come_in_chunks_before_the_record() {
    let long = "0".repeat(20_000);
    let mut child = spawn(&[&long, &long]);
    let records = collect(&ProcfsSnapshot::new(PROC.into()));
    let found = records_of(child.id(), &records);
    child.kill().unwrap();
    child.wait().unwrap();

    let (exec, chunks) = found.split_last().unwrap();
    let body: exec_body = exec.body();
    assert_ne!(body.flags & layout::EXEC_FLAG_ARGS_CHUNKED, 0);
    assert_eq!(body.flags & layout::EXEC_FLAG_ARGS_TRUNCATED, 0);
    assert_eq!(body.args.length, 0);
    let mut whole = Vec::new();
    for chunk in chunks {
        let part: exec_chunk_body = chunk.body();
        assert_eq!(part.offset as usize, whole.len());
        whole.extend_from_slice(chunk.span(part.data));
    }
    assert_eq!(whole, format!("sleep\x00600\0{long}\0{long}\0").into_bytes());
    assert_eq!(body.args_size as usize, whole.len());
}

#[test]
fn another_process_of_the_same_pid_gets_no_arguments() {
    let mut child = spawn(&[]);
    let process = ProcessDir::open(Path::new(PROC), child.id()).unwrap();
    let context = task_context { pid: child.id(), start_time_ns: 1, ..Default::default() };
    let bytes =
        RecordBuilder::new(Kind::Exec).finish(record_header::default(), &context, &exec_body::default());
    let mut emitted = Vec::new();
    let flow = emit_with_arguments(Record::parse(&bytes).unwrap(), Some(&process), &mut |record| {
        emitted.push(record.to_vec());
        ControlFlow::Continue(())
    });
    child.kill().unwrap();
    child.wait().unwrap();

    assert!(flow.is_continue());
    let record = Record::parse(&emitted[0]).unwrap();
    assert_eq!(record.header().errors, layout::ERROR_ARGS | layout::ERROR_ENVS);
    assert_eq!(record.body::<exec_body>().args.length, 0);
}

#[test]
fn no_process_comes_twice() {
    let records = collect(&ProcfsSnapshot::new(PROC.into()));
    let mut pids: Vec<_> = records
        .iter()
        .map(|bytes| Record::parse(bytes).unwrap())
        .filter(|record| record.kind() == Kind::Exec)
        .map(|record| record.context().pid)
        .collect();
    let all = pids.len();
    pids.sort_unstable();
    pids.dedup();
    assert_eq!(pids.len(), all);
    assert!(pids.contains(&std::process::id()));
}
