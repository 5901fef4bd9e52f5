//! What operators do with the two processes: send signals somewhere, look, ask, collect.

mod intake;

use std::fs::Permissions;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::process::Output;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use integration_tests::harness::{Pair, Setup, agent_ids, can_run};
use serde_json::Value;

use intake::Intake;

/// Long enough for a machine that has other things to do.
const PATIENCE: Duration = Duration::from_secs(60);

fn until<T>(what: &str, mut find: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let start = Instant::now();
    loop {
        if let Some(found) = find()? {
            return Ok(found);
        }
        ensure!(start.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn text(output: &Output) -> Result<String> {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.success(), "{}: {text}{}", output.status, String::from_utf8_lossy(&output.stderr));
    Ok(text)
}

/// A port that nobody has just now.
fn free_port() -> Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

#[test]
fn the_self_test_runs_at_the_start_and_on_request() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let setup = Setup::new()
        .agent_line("runtime_security_config.self_test.enabled: true")
        .agent_line("runtime_security_config.self_test.timeout: 60s");
    let mut pair = Pair::start(&setup)?;
    let event = until("the event", || {
        pair.signals.update()?;
        let found = pair.signals.of_rule("self_test").next().map(|signal| signal.0.clone());
        Ok(found)
    })?;
    let tests = ["open", "chmod", "chown"].map(|name| format!("datadog_agent_cws_self_test_rule_{name}"));
    assert_eq!(event["succeeded_tests"], serde_json::json!(tests), "{event}\n{}", pair.logs());
    assert_eq!(event["failed_tests"], serde_json::json!([]));
    let status = pair.status()?;
    assert_eq!(status["agent"]["self_test"]["result"], "OK");
    assert_eq!(status["agent"]["pipeline"]["rules"]["loaded"], 1, "its rules are gone: {status:#}");
    let said = text(&pair.command(&["runtime", "self-test"])?)?;
    assert_eq!(said, "Runtime self test: OK\n");
    // Others hear nothing of its rules, neither as signals nor as policies.
    pair.settle()?;
    let own = pair.signals.all().iter().filter(|signal| signal.0.to_string().contains("self-test/internal"));
    assert_eq!(own.count(), 0);
    assert_eq!(pair.signals.of_rule("ruleset_loaded").count(), 1);
    for test in &tests {
        assert_eq!(pair.signals.of_rule(test).count(), 0);
    }
    pair.kill_probe()?;
    until("no connection", || Ok((pair.status()?["agent"]["probe"]["connected"] == false).then_some(())))?;
    let said = pair.command(&["runtime", "self-test"])?;
    assert!(!said.status.success());
    assert_eq!(
        String::from_utf8_lossy(&said.stdout),
        "Runtime self test: error: not connected to system-probe\n"
    );
    pair.restart_probe()?;
    until("OK again", || Ok(pair.command(&["runtime", "self-test"])?.status.success().then_some(())))?;
    pair.stop()?;
    let left: Vec<_> = std::fs::read_dir(pair.path("agent"))?
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().contains("self-test"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
    Ok(())
}

#[test]
fn signals_reach_the_intake_once_through_an_outage_and_a_crash() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let intake = Intake::start()?;
    intake.answer(503);
    let endpoints = "runtime_security_config.endpoints";
    // The key is kept elsewhere, and the program that knows it is asked by the user that the agent has become.
    let secrets = tempfile::tempdir()?;
    std::fs::set_permissions(secrets.path(), Permissions::from_mode(0o711))?;
    let backend = secrets.path().join("backend");
    let script = "#!/bin/sh\nread -r question\n[ \"$(id -u)\" != 0 ] && printf '{\"intake-key\": {\"value\": \"a-key\"}}'\n";
    std::fs::write(&backend, script)?;
    std::fs::set_permissions(&backend, Permissions::from_mode(0o700))?;
    let (user, group) = agent_ids()?;
    std::os::unix::fs::chown(&backend, Some(user), Some(group))?;
    let setup = [
        format!("secret_backend_command: {}", backend.display()),
        "api_key: ENC[intake-key]".to_owned(),
        "tags: [\"team:blue\"]".to_owned(),
        "env: test".to_owned(),
        format!("{endpoints}.logs_dd_url: {}", intake.address()),
        format!("{endpoints}.logs_no_ssl: true"),
        format!("{endpoints}.use_compression: false"),
        format!("{endpoints}.batch_wait: 20ms"),
        format!("{endpoints}.sender_backoff_base: 20ms"),
        format!("{endpoints}.sender_backoff_max: 100ms"),
    ];
    let setup = setup.iter().fold(Setup::new(), |setup, line| setup.agent_line(line));
    let setup = setup.rule("ran", "exec.file.name == \"cws-intake-test\"");
    let mut pair = Pair::start(&setup)?;
    let program = pair.program("cws-intake-test")?;
    let run = |number: u32| -> Result<()> {
        let status = std::process::Command::new(&program).arg(format!("run-{number}")).status()?;
        ensure!(status.success());
        Ok(())
    };
    for number in 0..5 {
        run(number)?;
    }
    pair.settle()?;
    until("an attempt", || Ok(intake.refused().then_some(())))?;
    until("all in the spool", || {
        let status = pair.status()?;
        let sinks = status["agent"]["sinks"].as_array().context("sinks")?.clone();
        let sink = sinks.iter().find(|sink| sink["delivery"].is_object()).context("an intake")?;
        let delivery = &sink["delivery"];
        assert_eq!(delivery["connected"], false, "{delivery}");
        assert!(delivery["last_error"].as_str().unwrap_or_default().contains("503"), "{delivery}");
        // What the file has, the intake's spool has too, or soon.
        Ok((delivery["waiting"].as_u64() >= Some(pair.signals.all().len() as u64)).then_some(()))
    })?;
    pair.kill_agent()?;
    intake.answer(202);
    pair.restart_agent()?;
    pair.settle()?;
    run(5)?;
    pair.settle()?;
    let ran = until("all six", || {
        let entries = intake.entries();
        let ran: Vec<(Value, Value)> = entries
            .iter()
            .map(|entry| {
                Ok((entry.clone(), serde_json::from_str(entry["message"].as_str().context("a message")?)?))
            })
            .collect::<Result<Vec<(Value, Value)>>>()?
            .into_iter()
            .filter(|(_, message)| message["agent"]["rule_id"] == "ran")
            .collect();
        Ok((ran.len() >= 6).then_some(ran))
    })?;
    let arguments: Vec<String> = ran
        .iter()
        .map(|(_, message)| message["process"]["args"][0].as_str().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(arguments, ["run-0", "run-1", "run-2", "run-3", "run-4", "run-5"], "once each, in order");
    let (entry, message) = &ran[0];
    assert_eq!(entry["status"], "info");
    assert_eq!(entry["ddsource"], "runtime-security-agent");
    assert_eq!(entry["service"], "runtime-security-agent");
    assert_eq!(entry["ddtags"], "rule_id:ran,type:exec,team:blue,env:test");
    assert!(entry["hostname"].as_str().is_some_and(|name| !name.is_empty()), "{entry}");
    assert!(entry["timestamp"].as_u64() > Some(1_700_000_000_000), "{entry}");
    assert_eq!(message["evt"]["name"], "exec");
    let first = intake.first_head();
    for part in
        ["POST /api/v2/secruntime HTTP/1.1", "dd-api-key: a-key", "dd-evp-origin: cloud-workload-security"]
    {
        assert!(first.to_ascii_lowercase().contains(&part.to_ascii_lowercase()), "{part} is not in {first}");
    }
    assert_eq!(text(&pair.command(&["config", "get", "api_key"])?)?, "\"********\"\n");
    let (_, agent) = pair.stop()?;
    assert!(agent.success());
    assert!(!pair.logs().contains("a-key"), "the key is a secret");
    // Without an agent, nobody asks for it.
    assert_eq!(text(&pair.command(&["config", "get", "api_key"])?)?, "\"ENC[intake-key]\"\n");
    Ok(())
}

#[test]
fn an_operator_can_look_and_ask() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let port = free_port()?;
    let directory = tempfile::tempdir()?;
    // The agent's user must reach it.
    let syslog = directory.path().join("log");
    std::fs::set_permissions(directory.path(), std::os::unix::fs::PermissionsExt::from_mode(0o711))?;
    let server = UnixDatagram::bind(&syslog)?;
    std::fs::set_permissions(&syslog, std::os::unix::fs::PermissionsExt::from_mode(0o666))?;
    server.set_read_timeout(Some(PATIENCE))?;
    let dogstatsd = std::net::UdpSocket::bind("127.0.0.1:0")?;
    dogstatsd.set_read_timeout(Some(PATIENCE))?;
    let setup = Setup::new()
        .agent_line("runtime_security_config.metrics.dogstatsd.enabled: true")
        .agent_line("bind_host: 127.0.0.1")
        .agent_line(&format!("dogstatsd_port: {}", dogstatsd.local_addr()?.port()))
        .agent_line("event_monitoring_config.events_stats.polling_interval: 1s")
        .agent_line("env: test")
        .agent_line(&format!("runtime_security_config.metrics.prometheus.listen: 127.0.0.1:{port}"))
        .agent_line(&format!("runtime_security_config.outputs.syslog.address: unix://{}", syslog.display()));
    let pair = Pair::start(&setup)?;

    let mut buffer = vec![0; 1 << 20];
    let message = until("a signal", || {
        let length = server.recv(&mut buffer)?;
        let message = String::from_utf8_lossy(&buffer[..length]).into_owned();
        Ok(message.contains(" harness_mark - {").then_some(message))
    })?;
    assert!(message.starts_with("<84>1 2") && message.ends_with('}'), "{message}");

    let config = text(&pair.command(&["config"])?)?;
    let line = format!("security_agent.user: nobody  # {}:", pair.path("security-agent.yaml").display());
    assert!(config.lines().any(|other| other.starts_with(&line)), "{line} is not in\n{config}");
    assert_eq!(text(&pair.command(&["config", "get", "site"])?)?, "datadoghq.com\n");
    let refused = pair.command(&["config", "set", "site", "x"])?;
    assert!(!refused.status.success());

    text(&pair.command(&["config", "set", "log_level", "debug"])?)?;
    assert_eq!(pair.status()?["agent"]["log_level"], "debug");
    assert_eq!(text(&pair.command(&["config", "get", "log_level"])?)?, "debug\n");
    let refused = pair.command(&["config", "set", "log_level", "loud"])?;
    assert!(!refused.status.success() && String::from_utf8_lossy(&refused.stderr).contains("none of trace"));

    let dump = directory.path().join("processes.json");
    let dump_name = dump.display().to_string();
    let said = text(&pair.command(&[
        "runtime",
        "process-cache",
        "dump",
        "--with-args",
        "--format",
        "json",
        "--output",
        &dump_name,
    ])?)?;
    assert_eq!(said, format!("Process dump file: {dump_name}\n"));
    let processes: Vec<Value> = serde_json::from_slice(&std::fs::read(&dump)?)?;
    let (probe, _) = pair.pids();
    let probe = processes.iter().find(|process| process["pid"] == probe).context("system-probe")?;
    assert_eq!(probe["comm"], "system-probe");
    assert_eq!(probe["args"][0], "run");
    assert_eq!(probe["uid"], 0);

    let mut client = TcpStream::connect(("127.0.0.1", port))?;
    client.write_all(b"GET /metrics HTTP/1.1\r\n\r\n")?;
    let mut page = String::new();
    client.read_to_string(&mut page)?;
    let value = |name: &str| -> Option<f64> {
        page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
    };
    assert_eq!(value("datadog_runtime_security_connected"), Some(1.0), "{page}");
    assert_eq!(value("datadog_runtime_security_rules{state=\"loaded\"}"), Some(1.0));
    assert!(value("datadog_runtime_security_rules_matches_total") >= Some(1.0));
    assert!(
        value("datadog_runtime_security_perf_buffer_events_read_total{event_type=\"exec\"}") >= Some(1.0)
    );

    let sent = until("a count of matches", || {
        let length = dogstatsd.recv(&mut buffer)?;
        let lines = String::from_utf8_lossy(&buffer[..length]).into_owned();
        Ok(lines.contains("datadog.runtime_security.rules.matches:").then_some(lines))
    })?;
    let line = sent.lines().find(|line| line.contains(".rules.matches:")).context("a line")?;
    assert!(line.ends_with("|c|#env:test"), "{line}");

    let archive = directory.path().join("flare.tar.gz");
    text(&pair.command(&["flare", "--output", &archive.display().to_string()])?)?;
    let listed = std::process::Command::new("tar").arg("-tzf").arg(&archive).output()?;
    let listed = text(&listed)?;
    for name in
        ["status.json", "status.txt", "config.json", "policies/test.policy", "logs/security-agent.log"]
    {
        assert!(listed.contains(&format!("cws-agent-flare/{name}\n")), "{name} is not in\n{listed}");
    }

    let status = text(&pair.command(&["status"])?)?;
    for part in ["log level debug", "self-test: not run", "output syslog unix://"] {
        assert!(status.contains(part), "{part} is not in\n{status}");
    }
    Ok(())
}
