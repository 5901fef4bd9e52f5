//! Either process ends and comes back in the middle of activity: the pair recovers alone.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use integration_tests::harness::{Pair, Setup, can_run};
use serde_json::json;

fn setup() -> Setup {
    Setup::new().rule("seen", "exec.file.name == \"cws-after\"")
}

/// Starts a shell that waits for a line, then executes `program`: its ancestry is older than what restarts.
fn waiting_shell(program: &std::path::Path) -> Result<std::process::Child> {
    let script = format!("read line; {} \"$line\"; exit 0", program.display());
    Command::new("sh").args(["-c", &script]).stdin(Stdio::piped()).spawn().context("start sh")
}

fn tell(mut shell: std::process::Child, line: &str) -> Result<()> {
    use std::io::Write;
    let mut input = shell.stdin.take().context("standard input")?;
    input.write_all(format!("{line}\n").as_bytes())?;
    drop(input);
    shell.wait()?;
    Ok(())
}

#[test]
fn an_agent_that_comes_back_knows_what_runs() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let mut pair = Pair::start(&setup())?;
    let program = pair.program("cws-after")?;
    pair.kill_agent()?;
    // Started while nobody listens: only a snapshot can tell of it.
    let shell = waiting_shell(&program)?;
    let parent = shell.id();
    pair.restart_agent()?;
    pair.settle()?;
    tell(shell, "after the agent")?;
    let signal = pair.expect("seen", |signal| signal.args() == ["after the agent"])?;
    assert_eq!(signal.at("process.parent.pid"), &json!(parent));
    assert_eq!(signal.at("process.parent.comm"), "sh");
    assert!(signal.ancestors().contains(&u64::from(std::process::id())), "{:#}", signal.0);
    Ok(())
}

/// What is at functions of the kernel leaves them with the agent: before 5.13 no program can go back to where it was.
#[test]
fn the_next_agents_see_as_much_as_the_first() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    const EVENTS: [&str; 6] = ["open", "chmod", "link", "rename", "unlink", "mkdir"];
    let setup = EVENTS.iter().fold(Setup::new(), |setup, event| {
        setup.rule(event, &format!("{event}.file.name == \"cws-again\" && {event}.retval >= 0"))
    });
    let mut pair = Pair::start(&setup)?;
    let mut first = None;
    for round in 0..2 {
        let place = pair.path(&format!("round-{round}"));
        fs::create_dir(&place)?;
        let file = place.join("cws-again");
        fs::write(&file, "")?;
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600))?;
        fs::hard_link(&file, place.join("other"))?;
        fs::rename(&file, place.join("moved"))?;
        fs::rename(place.join("moved"), &file)?;
        fs::remove_file(&file)?;
        fs::create_dir(&file)?;
        for event in EVENTS {
            let signal = pair.expect(event, |signal| *signal.at("file.path") == json!(file))?;
            assert_eq!(signal.at("process.pid"), &json!(std::process::id()), "{event} in round {round}");
        }
        let observations = pair.status()?["probe"]["observations"].clone();
        assert_eq!(*first.get_or_insert(observations.clone()), observations, "round {round}");
        pair.kill_agent()?;
        pair.restart_agent()?;
        pair.settle()?;
    }
    Ok(())
}

#[test]
fn the_agent_outlives_the_probe_and_reconnects() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let mut pair = Pair::start(&setup())?;
    let program = pair.program("cws-after")?;
    let (_, agent) = pair.pids();
    pair.kill_probe()?;
    let shell = waiting_shell(&program)?;
    let parent = shell.id();
    pair.restart_probe()?;
    pair.settle()?;
    tell(shell, "after the probe")?;
    let signal = pair.expect("seen", |signal| signal.args() == ["after the probe"])?;
    assert_eq!(signal.at("process.parent.pid"), &json!(parent));
    assert_eq!(pair.pids().1, agent, "the same agent");
    assert!(pair.signals.of_rule("lost_events").count() > 0, "the gap is reported\n{}", pair.logs());
    Ok(())
}

#[test]
fn new_rules_apply_without_a_restart() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let mut pair = Pair::start(&Setup::new())?;
    let program = pair.program("cws-after")?;
    pair.replace_rules("  - id: seen\n    expression: exec.file.name == \"cws-after\"\n")?;
    // The second report of a rule set says that the new one is in place.
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while pair.signals.of_rule("ruleset_loaded").count() < 2 {
        assert!(std::time::Instant::now() < deadline, "no reload\n{}", pair.logs());
        pair.settle()?;
    }
    Command::new(program).status()?;
    pair.expect("seen", |_| true)?;
    Ok(())
}

#[test]
fn both_end_in_peace_and_leave_no_socket() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let mut pair = Pair::start(&setup())?;
    let sockets = [pair.socket(), pair.path("agent/command.sock")];
    for socket in &sockets {
        let info = fs::symlink_metadata(socket)?;
        assert!(info.file_type().is_socket(), "{}", socket.display());
        assert_eq!(info.mode() & 0o007, 0, "{} is open to others: {:o}", socket.display(), info.mode());
    }
    let (probe, agent) = pair.stop()?;
    assert!(probe.success() && agent.success(), "{probe}, {agent}");
    for socket in &sockets {
        assert!(!socket.exists(), "{} is left behind", socket.display());
    }
    Ok(())
}

#[test]
fn the_agent_has_neither_root_nor_capabilities() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let pair = Pair::start(&setup())?;
    let (_, agent) = pair.pids();
    let status = fs::read_to_string(format!("/proc/{agent}/status"))?;
    let field = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.split_once(':')
            .map(|(_, value)| value.split_whitespace().collect::<Vec<_>>())
            .unwrap_or_default()
    };
    assert_eq!(field("Uid"), ["65534"; 4]);
    for set in ["CapInh", "CapPrm", "CapEff", "CapAmb", "CapBnd"] {
        assert_eq!(field(set), ["0000000000000000"], "{set}");
    }
    assert_eq!(field("NoNewPrivs"), ["1"]);
    Ok(())
}

#[test]
fn another_user_is_not_served() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let pair = Pair::start(&setup().own_probe())?;
    let socket = pair.socket();
    let directory = socket.parent().context("a directory")?;
    let greeting = pair.trigger("greeting")?;
    let root = greeting.run([&socket])?;
    assert!(root["bytes"].as_u64() > Some(0), "root is answered: {root}");
    let closed = greeting.run_as(1, [&socket])?;
    assert_eq!(closed, json!({"connected": false, "bytes": 0}), "the directory is closed to others");
    // With the files wide open, it is the probe's own check that refuses.
    for path in [directory, &socket] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o777))?;
    }
    let refused = greeting.run_as(1, [&socket])?;
    assert_eq!(refused, json!({"connected": true, "bytes": 0}));
    let agent = greeting.run_as(65534, [&socket])?;
    assert!(agent["bytes"].as_u64() > Some(0), "the agent's user is answered: {agent}");
    Ok(())
}
