//! What the pair costs the rest of the machine: system calls, file opens, process starts and a compilation, with it
//! and without, for policies that ask for more and more; beside them a tracepoint that is on with nothing at it, and the audit
//! subsystem, where the kernel has them.
//!
//! `make build && cargo bench -p integration-tests --bench overhead`. Many short rounds, in each all variants in turn
//! between two measurements without any: what counts is the median of the ratios of the rounds, because a busy machine
//! slows the neighbours in time alike. `CWS_ROUNDS` sets the number of rounds.
//!
//! Once audit has been on, every system call is slower for processes that are not exempt, until the machine is started anew:
//! so those that are started here are, but for the time in which audit itself is measured.

mod audit;
mod floor;

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use integration_tests::harness::{Pair, Setup, Trigger, can_run};

use self::audit::Audit;
use self::floor::Floor;

/// Rounds, unless the environment says otherwise.
const ROUNDS: usize = 11;
/// What is measured keeps to one CPU; the pair runs where it likes.
const CPU: &str = "1";

/// What is measured: name, argument of the trigger, repetitions.
const LOADS: [(&str, &str, &str); 4] = [
    ("getppid", "getppid", "100000"),
    ("open + close", "open", "20000"),
    ("spawn + exec + wait", "spawn", "50"),
    (COMPILATION, "spawn", "1"),
];
/// Each so many times in a row, of which the least counts: whatever disturbs makes it longer.
const RUNS: usize = 7;
const COMPILATION: &str = "compilation";
/// Of each the time of the CPU, children's included, and the time that passes. On a machine that is busy otherwise only the first
/// says anything; what the pair takes beside is in the second alone.
const MEASURES: usize = 2 * LOADS.len();

/// Files that the second variant watches. One name is as long as that of the file that is opened.
const WATCHED: [&str; 5] =
    ["/etc/passwd", "/etc/shadow", "/etc/sudoers", "/etc/timezone", "/etc/ld.so.preload"];

/// Nanoseconds, by measure.
type Times = [f64; MEASURES];

/// The pair with some rules.
struct Variant {
    name: &'static str,
    setup: Setup,
    /// With, relative to without, by round.
    ratios: Vec<Times>,
}

fn main() -> Result<()> {
    // `cargo test --all-targets` runs this as well, without this argument, and wants no figures.
    if !std::env::args().any(|argument| argument == "--bench") || !can_run() {
        return Ok(());
    }
    if fs::read_to_string("/proc/sys/kernel/bpf_stats_enabled").is_ok_and(|text| text.trim() != "0") {
        eprintln!(
            "kernel.bpf_stats_enabled is on: the kernel times each run of a program, which costs more than most of them"
        );
    }
    let audit =
        Audit::find().inspect_err(|reason| eprintln!("skipped: the audit subsystem: {reason:#}")).ok();
    let directory = tempfile::tempdir()?;
    let load = Trigger::compile("load", directory.path())?;
    let rounds = std::env::var("CWS_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(ROUNDS);
    let mut variants = variants();
    let mut without = vec![measure(&load, directory.path())?];
    let (mut floors, mut audited) = (Vec::new(), Vec::new());
    let mut memory = [0, 0];
    for round in 0..rounds {
        for Variant { setup, ratios, .. } in &mut variants {
            let mut pair = Pair::start(setup)?;
            let with = measure(&load, directory.path())?;
            let (probe, agent) = pair.pids();
            memory = [resident_kib(probe)?.max(memory[0]), resident_kib(agent)?.max(memory[1])];
            pair.stop()?;
            ratios.push(relative(&with, &mut without, measure(&load, directory.path())?));
        }
        match Floor::begin() {
            Ok(floor) => {
                let with = measure(&load, directory.path())?;
                drop(floor);
                floors.push(relative(&with, &mut without, measure(&load, directory.path())?));
            }
            Err(reason) => eprintln!("skipped: a tracepoint alone: {reason:#}"),
        }
        if let Some(audit) = &audit {
            let with = audit.watching(&WATCHED, || measure(&load, directory.path()))?;
            audited.push(relative(&with, &mut without, measure(&load, directory.path())?));
        }
        eprintln!("round {} of {rounds}", round + 1);
    }
    let alone: Times = std::array::from_fn(|n| median(without.iter().map(|times| times[n]).collect()));
    let mut columns: Vec<_> = variants.into_iter().map(|variant| (variant.name, variant.ratios)).collect();
    if !floors.is_empty() {
        columns.insert(0, ("a tracepoint alone", floors));
    }
    if audit.is_some() {
        columns.push(("audit", audited));
    }

    println!("| | without | {} |", columns.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(" | "));
    println!("|---|---|{}", "---|".repeat(columns.len()));
    let names = LOADS.iter().map(|(name, ..)| *name);
    let names = names.clone().map(|name| format!("{name}, CPU")).chain(names.map(str::to_owned));
    for (n, name) in names.enumerate() {
        let ratios = columns.iter().map(|(_, ratios)| {
            let ratio = median(ratios.iter().map(|ratios| ratios[n]).collect());
            format!("{:+.1} %", (ratio - 1.0) * 100.0)
        });
        println!("| {name} | {:.0} ns | {} |", alone[n], ratios.collect::<Vec<_>>().join(" | "));
    }
    println!("\nresident memory: system-probe {} KiB, security-agent {} KiB", memory[0], memory[1]);
    Ok(())
}

fn variants() -> Vec<Variant> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let processes = Setup::new().rule("processes", "exec.file.path == \"/usr/bin/no-such-program\"");
    let files = WATCHED.iter().enumerate().fold(processes.clone(), |setup, (number, path)| {
        setup.rule(&format!("file_{number}"), &format!("open.file.path == \"{path}\""))
    });
    let mut variants = vec![("process rules", processes), ("a handful of files", files)];
    let shared = std::env::var_os("CWS_SHARED").map_or_else(|| root.join("../shared"), PathBuf::from);
    let large = shared.join("policies/datadog-default-1.69.3.policy");
    if large.is_file() {
        variants.push(("282 rules", Setup::new().policy_file(&large)));
    } else {
        eprintln!("skipped: no {}", large.display());
    }
    variants.into_iter().map(|(name, setup)| Variant { name, setup, ratios: Vec::new() }).collect()
}

/// What was measured `with` something, relative to what there was without it before and `after`.
fn relative(with: &Times, without: &mut Vec<Times>, after: Times) -> Times {
    let before = without.last().copied().unwrap_or(after);
    without.push(after);
    std::array::from_fn(|n| with[n] / f64::midpoint(before[n], after[n]))
}

fn measure(load: &Trigger, directory: &Path) -> Result<Times> {
    let mut times = [0.0; MEASURES];
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (source, object) = (root.join("triggers/load.c"), directory.join("load.o"));
    for (n, (name, argument, count)) in LOADS.iter().enumerate() {
        let mut arguments = [*argument, *count, CPU].map(OsStr::new).to_vec();
        if *name == COMPILATION {
            arguments.extend(["cc", "-O1", "-c", "-o"].map(OsStr::new));
            arguments.extend([object.as_os_str(), source.as_os_str()]);
        }
        let mut least = [f64::INFINITY; 2];
        for _ in 0..RUNS {
            let taken = load.run(&arguments)?;
            for (least, name) in least.iter_mut().zip(["cpu_ns", "ns"]) {
                *least = least.min(taken[name].as_f64().context("a time")?);
            }
        }
        [times[n], times[LOADS.len() + n]] = least;
    }
    Ok(times)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn resident_kib(pid: u32) -> Result<u64> {
    let path = PathBuf::from(format!("/proc/{pid}/status"));
    let status = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
    line.split_whitespace().next().and_then(|number| number.parse().ok()).context("a number of KiB")
}
