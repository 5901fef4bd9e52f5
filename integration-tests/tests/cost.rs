//! What calls pay that nobody asks about: with programs at the functions of the kernel, nothing, whatever the policy is.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use integration_tests::harness::{Pair, Setup, Trigger, can_run};

/// So many calls are timed at a time, on one CPU.
const CALLS: &str = "200000";
/// Not the first one, which is busier, if there is another.
fn cpu() -> String {
    let last = std::thread::available_parallelism().map_or(0, |count| count.get() - 1);
    last.min(1).to_string()
}

const ROUNDS: usize = 3;

/// The policy that users run, if it is here, or that of the project.
fn policy() -> PathBuf {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    let shared = std::env::var_os("CWS_SHARED").map_or(beside, PathBuf::from);
    let theirs = shared.join("policies/datadog-default-1.69.3.policy");
    if theirs.is_file() {
        theirs
    } else {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/policies/default.policy")
    }
}

/// What the probe has attached to system calls: tracepoints of single ones, which are performance events to whoever
/// attaches to them, and programs at all of them.
fn at_calls(probe: u32) -> Result<(usize, usize)> {
    let (mut single, mut all) = (0, 0);
    for entry in std::fs::read_dir(format!("/proc/{probe}/fd"))? {
        let entry = entry?;
        let target = std::fs::read_link(entry.path())?;
        if target.as_os_str() == "anon_inode:[perf_event]" {
            single += 1;
        }
        let number = entry.file_name().into_string().ok().context("a descriptor")?;
        let info = std::fs::read_to_string(format!("/proc/{probe}/fdinfo/{number}")).unwrap_or_default();
        match info.lines().find_map(|line| line.strip_prefix("tp_name:\t")) {
            Some("sys_enter" | "sys_exit") => all += 1,
            Some(name) if name.starts_with("sys_enter_") || name.starts_with("sys_exit_") => single += 1,
            _ => {}
        }
    }
    Ok((single, all))
}

/// The plan that is in use, by what a call is watched with.
fn is_at_functions(pair: &Pair) -> Result<bool> {
    let text = pair.status()?.to_string();
    let at_functions = pair.is_at("do_sys_openat2")?;
    ensure!(text.contains("sys_exit_openat") || at_functions, "no plan in {text}");
    Ok(at_functions)
}

#[test]
fn with_programs_at_functions_no_system_call_is_traced() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let setup = Setup::new().policy_file(&policy());
    let directory = tempfile::tempdir()?;
    let load = Trigger::compile("load", directory.path())?;
    let time = || -> Result<f64> { load.run(["getppid", CALLS, &cpu()])?["ns"].as_f64().context("a time") };
    let mut ratios = Vec::new();
    let mut without = None;
    for round in 0..ROUNDS {
        let pair = Pair::start(&setup)?;
        let (single, all) = at_calls(pair.pids().0)?;
        ensure!(all == 0, "{all} programs at all system calls");
        if is_at_functions(&pair)? {
            ensure!(single == 0, "{single} tracepoints of system calls\n{:#}", pair.status()?);
        } else {
            ensure!(single > 10, "the policy asks for calls, and {single} tracepoints are there");
        }
        let with = time()?;
        // The kernel takes seconds to remove so many hooks, longer than a service manager would wait here.
        drop(pair);
        let after = time()?;
        let before = without.replace(after).unwrap_or(after);
        ratios.push(with * 2.0 / (before + after));
        if round == 0 {
            println!("{single} tracepoints of system calls");
        }
    }
    ratios.sort_by(f64::total_cmp);
    // Told, not judged: guests and busy machines keep no time.
    println!("getppid, relative to nothing attached: {ratios:.3?}");
    Ok(())
}
