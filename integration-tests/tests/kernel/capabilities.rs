//! Capabilities that programs use: told when a program ends, and while it runs once in a period.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use integration_tests::harness::call::{Calls, n, s};
use integration_tests::harness::{Live, Pair, Setup, Signal, can_run};
use serde_json::{Value, json};

const USES: &str = "capabilities.used & CAP_SYS_CHROOT > 0";

/// A pair that tells after such a period; `None` where capabilities cannot be watched.
fn start(period: &str, program: &str) -> Result<Option<Pair>> {
    if !can_run() {
        return Ok(None);
    }
    let setup = Setup::new()
        .agent_line("event_monitoring_config.capabilities_monitoring.enabled: true")
        .probe_line(&format!("event_monitoring_config.capabilities_monitoring.period: {period}"))
        .rule("used", &format!("{USES} && process.file.name == \"{program}\""))
        .rule(
            "ended",
            &format!(
                "exit.code == 0 && process.caps_used & CAP_SYS_CHROOT > 0 && exit.file.name == \"{program}\""
            ),
        );
    let pair = Pair::start(&setup)?;
    let status = pair.status()?;
    let observations = status["probe"]["observations"].as_array().cloned().unwrap_or_default();
    let state = observations.iter().find(|found| found["name"] == "process.capabilities");
    let state = state.map(|found| found["state"].to_string()).unwrap_or_default();
    if state.to_lowercase().contains("unavailable") {
        println!("skipped: capabilities cannot be watched here: {state}");
        return Ok(None);
    }
    Ok(Some(pair))
}

fn names(signal: &Signal, list: &str) -> Vec<String> {
    let names = signal.at(&format!("capabilities.{list}")).as_array().cloned().unwrap_or_default();
    names.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn of(pair: &mut Pair, pid: &Value) -> Result<Vec<Signal>> {
    pair.settle()?;
    Ok(pair.signals.of_rule("used").filter(|signal| signal.at("process.pid") == pid).cloned().collect())
}

#[test]
fn the_end_of_a_process_tells_what_it_used_and_tried() -> Result<()> {
    let Some(mut pair) = start("1h", "call")? else { return Ok(()) };
    let trigger = pair.trigger("call")?;
    let nobody = || n(65534);
    let calls = Calls::new()
        .then(libc::SYS_chroot, [s("/")])
        .then(libc::SYS_setresuid, [nobody(), nobody(), nobody()])
        // Without magic: not even root could.
        .then(libc::SYS_reboot, [n(0), n(0), n(0), n(0)]);
    let made = calls.make(&trigger)?;
    ensure!((made.result(0), made.result(1), made.result(2)) == (0, 0, -i64::from(libc::EPERM)), "{made:?}");
    let signals = of(&mut pair, made.pid())?;
    ensure!(signals.len() == 1, "{signals:#?}\n{}\n{:#}", pair.logs(), pair.status()?);
    let differences = signals[0].differences(&[
        ("evt.name", json!("capabilities")),
        ("evt.category", json!("Process Activity")),
        ("process.executable.path", json!(trigger.path())),
        ("process.parent.pid", json!(std::process::id())),
        ("process.uid", json!(65534)),
    ]);
    assert_eq!(differences, "");
    let (used, attempted) = (names(&signals[0], "caps_used"), names(&signals[0], "caps_attempted"));
    for (name, is_used) in [("CAP_SYS_CHROOT", true), ("CAP_SETUID", true), ("CAP_SYS_BOOT", false)] {
        assert_eq!(used.iter().any(|used| used == name), is_used, "{name} among {used:?}");
        assert!(attempted.iter().any(|attempted| attempted == name), "{name} among {attempted:?}");
    }
    // Every process maps memory, of which the kernel thinks whether the administrator's reserve is for it.
    assert!(!attempted.iter().any(|name| name == "CAP_SYS_ADMIN"), "{attempted:?}");
    // The event before its end.
    let ended = pair.expect("ended", |signal| signal.at("process.pid") == made.pid())?;
    assert_eq!(ended.at("process.caps_used"), signals[0].at("capabilities.caps_used"));
    Ok(())
}

#[test]
fn the_next_program_has_used_nothing_yet() -> Result<()> {
    let Some(mut pair) = start("1h", "chroot")? else { return Ok(()) };
    let next = pair.program("after-chroot")?;
    let mut child = Command::new("chroot").arg("/").arg(&next).spawn()?;
    let pid = json!(child.id());
    ensure!(child.wait()?.success(), "chroot failed");
    let signals = of(&mut pair, &pid)?;
    ensure!(signals.len() == 1, "{signals:#?}\n{}", pair.logs());
    assert_eq!(signals[0].at("process.executable.name"), &json!("chroot"));
    assert_eq!(pair.signals.of_rule("ended").filter(|signal| signal.at("process.pid") == &pid).count(), 0);
    Ok(())
}

#[test]
fn a_process_that_lives_on_is_told_once() -> Result<()> {
    let Some(mut pair) = start("100ms", "kernel")? else { return Ok(()) };
    let trigger = pair.trigger("kernel")?;
    let mut live = Live::start(Command::new(trigger.path()).arg("chroot"))?;
    let pid = live.truth["pid"].clone();
    let deadline = Instant::now() + Duration::from_secs(20);
    while of(&mut pair, &pid)?.is_empty() {
        ensure!(Instant::now() < deadline, "nothing was told\n{}\n{:#}", pair.logs(), pair.status()?);
        std::thread::sleep(Duration::from_millis(50));
    }
    // Several periods in which it adds nothing, and its end, which tells nothing new either.
    std::thread::sleep(Duration::from_millis(500));
    live.end()?;
    pair.expect("ended", |signal| signal.at("process.pid") == &pid)?;
    let signals = of(&mut pair, &pid)?;
    ensure!(signals.len() == 1, "{signals:#?}");
    Ok(())
}
