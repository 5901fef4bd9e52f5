//! Filters in the kernel, derived from rules by the real agent: what no rule can match does not reach user space.

use std::fs;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::{Context, Result};
use integration_tests::harness::{Pair, Setup, can_run};

fn records(pair: &Pair) -> Result<u64> {
    Ok(pair.status()?["agent"]["pipeline"]["counters"]["records"]["open"].as_u64().unwrap_or(0))
}

fn filtered(pair: &Pair) -> Result<u64> {
    Ok(pair.status()?["probe"]["filtered"]["open"].as_u64().unwrap_or(0))
}

fn open(path: &Path, flags: i32) -> Result<()> {
    let mut options = fs::OpenOptions::new();
    options.read(flags & 3 != 1).write(flags & 3 != 0).custom_flags(flags & !3);
    options.open(path).map(drop).with_context(|| path.display().to_string())
}

/// Waits until the rules of `replace_rules` are in force.
fn reloaded(pair: &mut Pair, rule: &str) -> Result<()> {
    for _ in 0..100 {
        let status = pair.status()?;
        if status["agent"]["pipeline"]["kernel_filters"]["open"]["alternatives"].is_u64()
            && status["agent"]["pipeline"]["rules"].to_string().contains('2')
        {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let _ = rule;
    pair.settle()
}

#[test]
fn what_no_rule_can_match_is_dropped_in_the_kernel_and_counted() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let directory = tempfile::tempdir()?;
    let root = directory.path().canonicalize()?;
    for name in ["watched", "other", "written"] {
        fs::write(root.join(name), "")?;
    }
    let rule = |name: &str, more: &str| format!("open.file.path == \"{}/{name}\"{more}", root.display());
    let setup = Setup::new()
        .rule("watched", &rule("watched", ""))
        .rule("written", &rule("written", " && open.flags & (O_WRONLY|O_RDWR) > 0"));
    let mut pair = Pair::start(&setup)?;
    let (records_before, filtered_before) = (records(&pair)?, filtered(&pair)?);
    for _ in 0..100 {
        open(&root.join("other"), 0)?;
        open(&root.join("written"), 0)?;
    }
    open(&root.join("watched"), 0)?;
    open(&root.join("written"), 1)?;
    pair.settle()?;
    pair.expect("watched", |_| true)?;
    pair.expect("written", |signal| signal.at("file.name") == "written")?;
    assert_eq!(records(&pair)? - records_before, 2, "only what rules match comes through");
    assert!(filtered(&pair)? - filtered_before >= 200);
    Ok(())
}

#[test]
fn other_rules_have_other_filters() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let directory = tempfile::tempdir()?;
    let root = directory.path().canonicalize()?;
    for name in ["first", "second"] {
        fs::write(root.join(name), "")?;
    }
    let expression = |name: &str| format!("open.file.path == \"{}/{name}\"", root.display());
    let mut pair = Pair::start(&Setup::new().rule("first", &expression("first")))?;
    open(&root.join("first"), 0)?;
    pair.expect("first", |_| true)?;
    let item = |name: &str| format!("  - id: {name}\n    expression: '{}'\n", expression(name));
    pair.replace_rules(&format!("{}{}", item("first"), item("second")))?;
    reloaded(&mut pair, "second")?;
    let seen = pair.signals.of_rule("first").count();
    for name in ["second", "first"] {
        open(&root.join(name), 0)?;
    }
    pair.expect("second", |_| true)?;
    assert_eq!(pair.signals.of_rule("first").count(), seen + 1, "what was wanted before still is");
    Ok(())
}

#[test]
fn a_rule_that_the_kernel_cannot_judge_is_named_and_filters_can_be_switched_off() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let directory = tempfile::tempdir()?;
    let root = directory.path().canonicalize()?;
    fs::write(root.join("x"), "")?;
    let rule = "process.file.name == \"no such program\" && open.retval == 0";
    let by_path = format!("open.file.path == \"{}/none\"", root.display());
    let cases = [
        Setup::new().rule("any", rule).rule("path", &by_path),
        Setup::new()
            .rule("path", &by_path)
            .agent_line("event_monitoring_config.enable_kernel_filters: false"),
        Setup::new().rule("path", &by_path).agent_line("runtime_security_config.enable_approvers: false"),
    ];
    for (case, setup) in cases.iter().enumerate() {
        let mut pair = Pair::start(setup)?;
        let before = records(&pair)?;
        (0..50).try_for_each(|_| open(&root.join("x"), 0))?;
        pair.settle()?;
        assert!(records(&pair)? - before >= 50, "case {case}: everything is sent");
        let filters = pair.status()?["agent"]["pipeline"]["kernel_filters"].clone();
        let expected = if case == 0 { "{\"open\":{\"prevented_by\":[\"any\"]}}" } else { "{}" };
        assert_eq!(filters.to_string(), expected, "case {case}");
    }
    Ok(())
}
