//! `kill` actions: a rule ends the process that it is about, and its signal says so. Nothing else gets a signal.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use integration_tests::harness::{Pair, Setup, can_run};
use serde_json::{Value, json};

/// Long enough for a machine that has other things to do.
const PATIENCE: Duration = Duration::from_secs(60);

/// A process that this test has started; it ends with the value, whatever comes of the test.
struct Started(Child);

impl Started {
    fn sleep(program: &Path) -> Result<Self> {
        Ok(Self(Command::new(program).arg("1000").spawn()?))
    }

    fn lives(&mut self) -> Result<bool> {
        Ok(self.0.try_wait()?.is_none())
    }

    /// The signal that ended it.
    fn ended_by(&mut self) -> Result<i32> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.0.try_wait()? {
                return status.signal().with_context(|| format!("ended with {status}"));
            }
            ensure!(Instant::now() < deadline, "it was not killed within {PATIENCE:?}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Two programs that do nothing but wait: one that rules are about, and one that they are not.
fn programs(pair: &Pair) -> Result<[std::path::PathBuf; 2]> {
    let copy = |name: &str| -> Result<std::path::PathBuf> {
        let path = pair.program(name)?;
        std::fs::copy("/bin/sleep", &path)?;
        Ok(path)
    };
    Ok([copy("cws-to-kill")?, copy("cws-to-spare")?])
}

fn policy(action: &str) -> String {
    format!(
        "version: 1.0.0\nrules:\n  - id: kills\n    expression: exec.file.name in [\"cws-to-kill\", \"cws-excluded\"]\n    \
         actions:\n      - kill: {action}\n"
    )
}

fn start(action: &str, probe_lines: &[&str]) -> Result<(tempfile::TempDir, Pair)> {
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("kills.policy");
    std::fs::write(&file, policy(action))?;
    // The agent also reads the file of the probe beside its own, which is stronger.
    let setup =
        Setup::new().policy_file(&file).agent_line("runtime_security_config.enforcement.enabled: true");
    let setup = probe_lines.iter().fold(setup, |setup, line| setup.probe_line(line));
    Ok((directory, Pair::start(&setup)?))
}

/// What the signal about a process says of the action.
fn action(pair: &mut Pair, pid: u32) -> Result<Value> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        pair.signals.update()?;
        let found = pair.signals.of_rule("kills").find(|signal| signal.at("process.pid") == pid);
        if let Some(signal) = found {
            return Ok(signal.0["agent"]["rule_actions"][0].clone());
        }
        ensure!(Instant::now() < deadline, "no signal within {PATIENCE:?}\n{}", pair.logs());
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_rule_kills_the_process_that_it_is_about_and_no_other() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let (_directory, mut pair) = start("{signal: SIGKILL}", &[])?;
    let [killed, spared] = programs(&pair)?;
    let mut other = Started::sleep(&spared)?;
    let mut process = Started::sleep(&killed)?;
    assert_eq!(process.ended_by()?, 9, "{}", pair.logs());
    let told = action(&mut pair, process.0.id())?;
    for (member, value) in
        [("type", "kill"), ("signal", "SIGKILL"), ("scope", "process"), ("status", "performed")]
    {
        assert_eq!(told[member], json!(value), "{told}");
    }
    assert!(told["killed_at"].is_string(), "{told}");
    assert!(other.lives()?);
    pair.stop()?;
    Ok(())
}

#[test]
fn another_signal_can_be_sent() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let (_directory, mut pair) = start("{signal: SIGUSR2}", &[])?;
    let [killed, _] = programs(&pair)?;
    let mut process = Started::sleep(&killed)?;
    assert_eq!(process.ended_by()?, 12);
    pair.stop()?;
    Ok(())
}

#[test]
fn system_probe_refuses_what_its_own_settings_do_not_allow() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    // Only the probe's file has it off: an agent that somebody else has taken over could not be trusted to heed its own.
    let off = ["runtime_security_config.enforcement.enabled: false"];
    let (_directory, mut pair) = start("{signal: SIGKILL}", &off)?;
    let [killed, _] = programs(&pair)?;
    let mut process = Started::sleep(&killed)?;
    let told = action(&mut pair, process.0.id())?;
    assert_eq!(told["status"], "error", "{told}");
    assert!(told["reason"].as_str().unwrap_or_default().contains("enforcement.enabled"), "{told}");
    assert!(process.lives()?);
    pair.stop()?;
    Ok(())
}
