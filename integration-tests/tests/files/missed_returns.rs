//! Probes at the return of a function can wait for so many calls at one time. What an attacker who lets more of them wait
//! gains is that events are counted as lost, not that nobody is told.

use std::fs::{self, File};
use std::path::Path;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use integration_tests::harness::{Pair, Setup, can_run};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use serde_json::Value;

/// What the probe is told that it can wait for, and the calls that wait.
const MAX_ACTIVE: usize = 2;
const WAITING: usize = 4;
/// Calls that are made meanwhile.
const OPENS: u64 = 50;
/// For what happens to be counted.
const PATIENCE: Duration = Duration::from_secs(60);

/// Opens that status says were passed over.
fn missed(pair: &Pair) -> Result<u64> {
    let status = pair.status()?;
    let losses = status["agent"]["pipeline"]["losses"].as_array().cloned().unwrap_or_default();
    let of_opens =
        losses.iter().filter(|loss| loss["event_type"] == "open" && loss["reason"] == "program_skipped");
    Ok(of_opens.filter_map(|loss| loss["count"].as_u64()).sum())
}

/// A thread that has begun to open a pipe that nobody writes to.
fn wait_in_open(pipe: &Path) -> JoinHandle<std::io::Result<File>> {
    let pipe = pipe.to_owned();
    std::thread::spawn(move || File::open(pipe))
}

/// Waits until that many threads of this process sleep in an open of a pipe.
fn until_waiting(threads: usize) -> Result<()> {
    let end = Instant::now() + PATIENCE;
    loop {
        let tasks = fs::read_dir("/proc/self/task")?.filter_map(|task| {
            let call = fs::read_to_string(task.ok()?.path().join("syscall")).ok()?;
            call.split(' ').next()?.parse::<i64>().ok()
        });
        if tasks.filter(|call| *call == libc::SYS_openat).count() >= threads {
            return Ok(());
        }
        ensure!(Instant::now() < end, "the threads do not wait");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn returns_that_are_missed_are_counted_and_what_waited_is_told() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let setup = Setup::new()
        .rule("open", "open.file.name =~ \"missed-*\"")
        .probe_line("event_monitoring_config.event_stream.kretprobe_max_active: 2");
    let mut pair = Pair::start(&setup)?;
    let status = pair.status()?.to_string();
    if !status.contains("kretprobe/do_sys_openat2") {
        println!("skipped: no probes are used here");
        return Ok(());
    }
    let directory = tempfile::tempdir()?;
    let pipe = directory.path().join("missed-pipe");
    mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)?;
    fs::write(directory.path().join("file"), "")?;
    for n in 0..OPENS {
        fs::hard_link(directory.path().join("file"), directory.path().join(format!("missed-{n}")))?;
    }
    pair.settle()?;
    pair.signals.forget("open");
    let before = missed(&pair)?;

    let waiting: Vec<_> = (0..WAITING).map(|_| wait_in_open(&pipe)).collect();
    until_waiting(WAITING)?;
    for n in 0..OPENS {
        File::open(directory.path().join(format!("missed-{n}")))?;
    }
    let writer = File::options().write(true).open(&pipe)?;
    for thread in waiting {
        thread.join().ok().context("a thread panicked")??;
    }
    drop(writer);
    File::open(directory.path().join("missed-0"))?;
    pair.settle()?;

    let end = Instant::now() + PATIENCE;
    let mut counted = 0;
    while counted < OPENS && Instant::now() < end {
        counted = missed(&pair)? - before;
        std::thread::sleep(Duration::from_millis(200));
    }
    let name = |wanted: &str| {
        let of_name =
            |signal: &&integration_tests::harness::Signal| signal.at("file.name") == &Value::from(wanted);
        pair.signals.of_rule("open").filter(of_name).count()
    };
    println!("{counted} returns were missed");
    assert!(counted >= OPENS, "{counted}: lost silently");
    assert_eq!(name("missed-1"), 0, "the probe could wait for more than it was told");
    assert_eq!(name("missed-pipe"), MAX_ACTIVE, "what waited is told when it is over");
    assert_eq!(name("missed-0"), 1, "and so is what comes after");
    Ok(())
}
