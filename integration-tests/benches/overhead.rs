//! What the pair costs the rest of the machine: system calls, file opens and process starts with and without it,
//! in turns, so that a busy machine slows both alike; and the memory of both processes.
//!
//! `make build && cargo bench -p integration-tests --bench overhead`. The figure to look at is the ratio.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use integration_tests::harness::{Pair, Setup, Trigger, can_run};

/// Measurements of each kind; the median of them counts.
const ROUNDS: usize = 7;

/// What is measured: name, argument of the trigger, repetitions.
const LOADS: [(&str, &str, &str); 3] = [
    ("getppid", "getppid", "2000000"),
    ("open + close", "open", "300000"),
    ("spawn + exec + wait", "spawn", "1000"),
];

fn main() -> Result<()> {
    // `cargo test --all-targets` runs this as well, without this argument, and wants no figures.
    if !std::env::args().any(|argument| argument == "--bench") || !can_run() {
        return Ok(());
    }
    let directory = tempfile::tempdir()?;
    let load = Trigger::compile("load", directory.path())?;
    let policy = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/policies/default.policy");
    let setup = Setup::new().policy_file(&policy);

    let mut without = [const { Vec::new() }; LOADS.len()];
    let mut with = without.clone();
    let mut memory = [0, 0];
    for round in 0..ROUNDS {
        measure(&load, &mut without)?;
        let mut pair = Pair::start(&setup)?;
        measure(&load, &mut with)?;
        let (probe, agent) = pair.pids();
        memory = [resident_kib(probe)?.max(memory[0]), resident_kib(agent)?.max(memory[1])];
        pair.stop()?;
        eprintln!("round {} of {ROUNDS}", round + 1);
    }

    println!("| operation | without | with | ratio |\n|---|---|---|---|");
    for ((name, ..), (without, with)) in LOADS.iter().zip(without.iter_mut().zip(&mut with)) {
        let (without, with) = (median(without), median(with));
        println!("| {name} | {without:.0} ns | {with:.0} ns | {:+.1} % |", (with / without - 1.0) * 100.0);
    }
    println!("\nresident memory: system-probe {} KiB, security-agent {} KiB", memory[0], memory[1]);
    Ok(())
}

fn measure(load: &Trigger, results: &mut [Vec<f64>; LOADS.len()]) -> Result<()> {
    for ((_, argument, count), results) in LOADS.iter().zip(results) {
        let result = load.run([argument, count])?;
        results.push(result["ns"].as_f64().context("a time")?);
    }
    Ok(())
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn resident_kib(pid: u32) -> Result<u64> {
    let path = PathBuf::from(format!("/proc/{pid}/status"));
    let status = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
    line.split_whitespace().next().and_then(|number| number.parse().ok()).context("a number of KiB")
}
