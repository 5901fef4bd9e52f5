//! Another thread swaps links and rewrites strings while a file is opened or executed: what is reported is always what
//! was really used. docs/files.md says of which events that is true.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;

use anyhow::{Context, Result};
use integration_tests::harness::{Pair, Setup, can_run};
use serde_json::{Value, json};

/// Unless the environment says otherwise; and the least in which an emulated machine comes to the other thread.
const TRIES: usize = 10_000;
const LEAST: usize = 500;
const AT_ONE_TIME: usize = 1_000;

/// Runs the race; fails unless the signals are, one by one, what the trigger says that it used.
fn race(event: &str, disturbance: &str) -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let rule = match event {
        "exec" => r#"exec.file.name in ["file_a", "file_b"]"#,
        _ => r#"open.file.name in ["file_a", "file_b"] && process.file.name == "race""#,
    };
    let mut pair = Pair::start(&Setup::new().rule("used", rule))?;
    let trigger = pair.trigger("race")?;
    let place = pair.path("place");
    fs::create_dir(&place)?;
    for name in ["file_a", "file_b"] {
        fs::copy(trigger.path(), place.join(name))?;
    }
    symlink("file_a", place.join("link"))?;
    let directory = place.to_str().context("a path")?;
    let tries =
        std::env::var("CWS_RACE_TRIES").ok().and_then(|tries| tries.parse().ok()).unwrap_or(TRIES).max(LEAST);
    let mut counts = BTreeMap::<String, usize>::new();
    // More at one time than the agent holds back of signals would be counted as lost where it comes to the processor late.
    for begin in (0..tries).step_by(AT_ONE_TIME) {
        let tries = AT_ONE_TIME.min(tries - begin);
        let truth = trigger.run([event, disturbance, directory, &tries.to_string()])?;
        settle(&mut pair)?;

        let used = truth["used"].as_array().context("what was used")?;
        assert_eq!(used.len(), tries);
        let expected =
            used.iter().map(|one| (one[0].clone(), json!(place.join(format!("file_{}", text(&one[1]))))));
        let seen =
            pair.signals.of_rule("used").map(|signal| (signal.at("process.pid"), signal.at("file.path")));
        let seen: Vec<_> = seen.map(|(pid, path)| (pid.clone(), path.clone())).collect();
        for (index, wanted) in expected.enumerate() {
            assert_eq!(seen.get(index), Some(&wanted), "try {index} of {}; {:#}", seen.len(), pair.status()?);
            *counts.entry(wanted.1.to_string()).or_default() += 1;
        }
        assert_eq!(seen.len(), tries);
        pair.signals.forget("used");
    }
    assert_eq!(counts.len(), 2, "the race never happened: {counts:?}");
    println!("{event} by {disturbance}: {counts:?}");
    Ok(())
}

/// Waits until all is evaluated, as long as something is: a busy machine takes minutes for so many reports.
fn settle(pair: &mut Pair) -> Result<()> {
    let mut before = 0;
    loop {
        let outcome = pair.settle();
        let now = pair.signals.all().len();
        if outcome.is_ok() || now == before {
            return outcome;
        }
        before = now;
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[test]
fn an_open_through_a_link_that_is_swapped() -> Result<()> {
    race("open", "link")
}

#[test]
fn an_open_by_a_string_that_is_rewritten() -> Result<()> {
    race("open", "text")
}

#[test]
fn an_execution_through_a_link_that_is_swapped() -> Result<()> {
    race("exec", "link")
}

#[test]
fn an_execution_by_a_string_that_is_rewritten() -> Result<()> {
    race("exec", "text")
}
