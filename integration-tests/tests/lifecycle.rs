//! Forks, ends, bursts, and process ids that are used again.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use integration_tests::harness::{Pair, Setup, can_run};
use serde_json::json;

#[test]
fn an_end_tells_its_cause_and_code() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let setup = Setup::new().rule("ended", "exit.file.name == \"end\" && exit.cause in [EXITED, SIGNALED]");
    let mut pair = Pair::start(&setup)?;
    let truth = pair.trigger("end")?.run::<&str>([])?;
    for (who, cause, code) in [
        ("exited", "EXITED", &truth["code"]),
        ("killed", "SIGNALED", &truth["signal"]),
        ("pid", "EXITED", &json!(0)),
    ] {
        let signal = pair.expect("ended", |signal| signal.at("process.pid") == &truth[who])?;
        assert_eq!(
            signal.differences(&[("exit.cause", json!(cause)), ("exit.code", code.clone())]),
            "",
            "{who}"
        );
    }
    Ok(())
}

#[test]
fn a_process_of_a_millisecond_is_complete() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let setup = Setup::new()
        .rule("started", "exec.file.name == \"cws-brief\"")
        .rule("ended", "exit.file.name == \"cws-brief\"");
    let mut pair = Pair::start(&setup)?;
    let program = pair.program("cws-brief")?;
    for round in 0..20 {
        let argument = format!("round-{round}");
        std::process::Command::new(&program).arg(&argument).status()?;
        let started = pair.expect("started", |signal| signal.args() == [&argument])?;
        let ended = pair.expect("ended", |signal| signal.args() == [&argument])?;
        assert_eq!(started.at("process.pid"), ended.at("process.pid"));
        assert!(started.ancestors().contains(&u64::from(std::process::id())), "{:#}", started.0);
    }
    Ok(())
}

#[test]
fn a_process_id_that_is_used_again_is_another_process() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let setup = Setup::new()
        .rule("started", "exec.file.name == \"cws-reused\"")
        .rule("ended", "exit.file.name == \"cws-reused\"");
    let mut pair = Pair::start(&setup)?;
    let truth = pair.trigger("reuse-pid")?.run([pair.program("cws-reused")?])?;
    for argument in ["first", "second"] {
        for rule in ["started", "ended"] {
            let signal = pair.expect(rule, |signal| signal.args() == [argument])?;
            let differences = signal.differences(&[
                ("process.pid", truth["reused"].clone()),
                ("process.parent.pid", truth["pid"].clone()),
                ("process.parent.executable.name", json!("reuse-pid")),
            ]);
            assert_eq!(differences, "", "{rule} {argument}");
        }
    }
    assert_eq!(pair.signals.of_rule("started").count(), 2);
    Ok(())
}

#[test]
fn of_a_burst_every_process_is_seen_or_counted_as_lost() -> Result<()> {
    const COUNT: usize = 20_000;
    if !can_run() {
        return Ok(());
    }
    let setup = Setup::new()
        .rule("burst", "exec.file.name == \"cws-burst\"")
        // Losses are told at most this often.
        .agent_line("event_monitoring_config.events_stats.polling_interval: 1");
    let mut pair = Pair::start(&setup)?;
    pair.signals.keep_brief("burst");
    let program = pair.program("cws-burst")?;
    let arguments = [COUNT.to_string(), "4".to_owned(), program.display().to_string()];
    let truth = pair.trigger("spawn-burst")?.run(arguments)?;
    assert_eq!((&truth["count"], &truth["failed"]), (&json!(COUNT), &json!(0)));
    pair.settle()?;

    let mut seen = BTreeSet::new();
    for signal in pair.signals.of_rule("burst") {
        let args = signal.args();
        let number: usize = args.first().context("an argument")?.parse()?;
        assert!(seen.insert(number), "{number} was reported twice");
        assert_eq!(signal.at("process.parent.pid"), &truth["pid"], "{:#}", signal.0);
    }
    let missing = COUNT - seen.len();
    let deadline = Instant::now() + Duration::from_secs(20);
    while lost_execs(&pair) < u64::try_from(missing)? && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(200));
        pair.signals.update()?;
    }
    let lost = lost_execs(&pair);
    assert!(
        lost >= u64::try_from(missing)?,
        "{missing} missing, {lost} counted as lost\n{}\n{:#}",
        pair.logs(),
        pair.status()?
    );
    println!("{} of {COUNT} processes seen, {missing} counted as lost", seen.len());
    Ok(())
}

/// How many signals of exec events may be missing according to the `lost_events` reports: their records were lost, or
/// the signals themselves.
fn lost_execs(pair: &Pair) -> u64 {
    let reports = pair.signals.of_rule("lost_events");
    let counts = reports.filter_map(|report| report.at("counts").as_array()).flatten();
    let of_execs = counts.filter(|entry| entry["event_type"] == "exec" || entry["event_type"] == "signal");
    of_execs.filter_map(|entry| entry["count"].as_u64()).sum()
}
