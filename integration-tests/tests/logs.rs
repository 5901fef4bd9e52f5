//! What both processes log about themselves: where, how, and what happens where they cannot.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use integration_tests::harness::{Pair, Setup, can_run};
use serde_json::Value;

/// The same lines for both processes.
fn setup(lines: &[&str]) -> Setup {
    lines.iter().fold(Setup::new(), |setup, line| setup.probe_line(line).agent_line(line))
}

fn rolled(file: &Path, number: u32) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(format!(".{number}"));
    PathBuf::from(name)
}

/// What is logged on standard error, the two headings of the harness left out.
fn console(pair: &Pair) -> String {
    let logs = pair.logs();
    logs.lines().filter(|line| !line.is_empty() && !line.starts_with("== ")).collect::<Vec<_>>().join("\n")
}

#[test]
fn each_logs_to_its_file_and_not_to_the_console() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let mut pair = Pair::start(&setup(&["log_to_console: false", "log_format_json: true", "log_levle: 1"]))?;
    pair.stop()?;
    assert_eq!(console(&pair), "");
    for file in pair.log_files() {
        let text = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
        let lines: Vec<Value> = text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
        let message = |line: &Value| line["fields"]["message"].as_str().unwrap_or_default().to_owned();
        let all: Vec<String> = lines.iter().map(message).collect();
        // From before the file was open to the end.
        assert!(
            all.iter().any(|line| line.contains("no such key: log_levle")),
            "{}: {all:#?}",
            file.display()
        );
        let end = ["stopped", "ending"];
        assert!(all.iter().any(|line| end.contains(&line.as_str())), "{}: {all:#?}", file.display());
        assert!(lines.iter().all(|line| line["level"] != "DEBUG"), "{}: {text}", file.display());
    }
    Ok(())
}

#[test]
fn a_file_that_is_full_is_rolled_and_the_oldest_goes() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let lines = ["log_level: debug", "log_file_max_size: 200", "log_file_max_rolls: 2"];
    let mut pair = Pair::start(&setup(&lines))?;
    pair.stop()?;
    for file in pair.log_files() {
        let length = |path: &Path| fs::metadata(path).map(|metadata| metadata.len());
        for path in [&file, &rolled(&file, 1), &rolled(&file, 2)] {
            let length = length(path).with_context(|| path.display().to_string())?;
            let text = fs::read_to_string(path)?;
            // Never more than fits, but for a line that is longer by itself, or those of the start, written at once.
            let whole = text.ends_with('\n');
            assert!(length > 0 && whole, "{}: {text}", path.display());
        }
        assert!(length(&rolled(&file, 3)).is_err(), "{} has three old files", file.display());
        assert!(console(&pair).contains("DEBUG"), "the console has the log as well");
    }
    Ok(())
}

#[test]
fn each_logs_to_the_log_of_the_system() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let directory = tempfile::tempdir()?;
    // The agent's user must reach it.
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o711))?;
    let path = directory.path().join("log");
    let daemon = UnixDatagram::bind(&path)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666))?;
    // It reads all the time, as its queue has room for a few messages only and nobody waits for it.
    let reader = std::thread::spawn(move || {
        let mut messages = Vec::new();
        let mut buffer = [0; 4096];
        while let Ok(length @ 1..) = daemon.recv(&mut buffer) {
            messages.push(String::from_utf8_lossy(&buffer[..length]).into_owned());
        }
        messages
    });
    let uri = format!("syslog_uri: unix://{}", path.display());
    let run = || -> Result<(u32, u32)> {
        let mut pair = Pair::start(&setup(&["log_to_console: false", "log_to_syslog: true", &uri]))?;
        let pids = pair.pids();
        pair.stop()?;
        Ok(pids)
    };
    let pids = run();
    // Nothing more: that ends the reader.
    UnixDatagram::unbound()?.send_to(&[], &path)?;
    let messages = reader.join().map_err(|_| anyhow::anyhow!("the reader"))?;
    let (probe, agent) = pids?;
    let has = |begin: String, end: &str| {
        messages.iter().any(|line| line.starts_with(&begin) && line.trim_end().ends_with(end))
    };
    assert!(has(format!("<166>system-probe[{probe}]: "), "stopped"), "{messages:#?}");
    assert!(has(format!("<166>security-agent[{agent}]: "), "ending"), "{messages:#?}");
    Ok(())
}

#[test]
fn a_file_that_cannot_be_written_is_a_warning_and_the_console_takes_over() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let setup = Setup::new()
        .probe_line("log_to_console: false\nsystem_probe_config.log_file: /nonexistent/probe.log")
        .agent_line("log_to_console: false\nsecurity_agent.log_file: /root/agent.log");
    let mut pair = Pair::start(&setup)?;
    pair.stop()?;
    let console = console(&pair);
    for said in [
        "cannot log to /nonexistent/probe.log: No such file or directory",
        "cannot log to /root/agent.log: Permission denied",
    ] {
        assert!(console.contains(said), "{said}: {console}");
    }
    // What was logged before and after it.
    assert!(
        console.contains("gave up root") && console.contains("stopped") && console.contains("ending"),
        "{console}"
    );
    Ok(())
}
