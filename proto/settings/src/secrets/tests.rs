use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::*;
use crate::{AgentSettings, Environment, agent, probe};

/// A configuration and a program that knows secrets, in a directory of their own.
struct Fixture(TempDir);

impl Fixture {
    fn new(script: &str, configuration: &str) -> Self {
        let fixture = Self(tempfile::tempdir().unwrap());
        fixture.write("backend", &format!("#!/bin/sh\n{script}\n"), 0o700);
        let command = format!("secret_backend_command: {}\n", fixture.path("backend").display());
        fixture.write("security-agent.yaml", &(command + configuration), 0o600);
        fixture
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str, mode: u32) {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    fn load(&self, environment: &[(&str, &str)]) -> Loaded<AgentSettings> {
        let environment = Environment::from_pairs(environment.iter().copied());
        agent::load(&[self.path("security-agent.yaml")], &environment).unwrap()
    }

    fn resolved(&self, environment: &[(&str, &str)]) -> Result<Loaded<AgentSettings>, String> {
        let mut loaded = self.load(environment);
        agent::resolve(&mut loaded).map(|()| loaded).map_err(|errors| errors.to_string())
    }

    /// Why it can't be used; the path of the program is left out.
    fn refused(&self) -> String {
        self.resolved(&[]).unwrap_err().replace(&self.path("backend").display().to_string(), "BACKEND")
    }
}

const KNOWS_TWO: &str = r#"printf '{"a": {"value": "secret a", "error": null}, "b": {"value": "debug"}}'"#;

#[test]
fn handles_become_what_the_program_says() {
    // It writes down what it was asked.
    let fixture = Fixture::new(
        &format!("cat >\"$1\"\nexport x\n{KNOWS_TWO}"),
        "api_key: ENC[a]\nlog_level: ' ENC[ b ] '\nhostname: ENC[] x\nruntime_security_config.endpoints.additional_endpoints: [{host: h, api_key: 'ENC[a]'}]\n",
    );
    let asked = fixture.path("asked");
    let arguments = format!("[\"{}\"]", asked.display());
    let loaded = fixture.resolved(&[("DD_SECRET_BACKEND_ARGUMENTS", &arguments)]).unwrap();
    assert_eq!(loaded.value.intake.api_key.reveal(), "secret a");
    assert_eq!(loaded.value.intake.additional_endpoints[0].api_key.reveal(), "secret a");
    assert_eq!(loaded.value.log.level, crate::LogLevel::Debug);
    assert_eq!(loaded.value.host.hostname, "ENC[] x", "that is no handle");
    // Each once.
    assert_eq!(std::fs::read_to_string(asked).unwrap(), r#"{"secrets":["a","b"],"version":"1.0"}"#);
    // Not shown, whatever the type of the key is.
    for key in ["api_key", "log_level", "runtime_security_config.endpoints.additional_endpoints"] {
        assert_eq!(loaded.handles.shown(key).as_deref(), Some("\"********\""), "{key}");
        assert!(loaded.origins.contains_key(key), "{key}");
    }
    assert_eq!(loaded.handles.shown("hostname"), None);
}

#[test]
fn who_only_looks_sees_handles_and_asks_nobody() {
    let fixture = Fixture::new("exit 1", "api_key: ENC[a]\n");
    let loaded = fixture.load(&[]);
    assert_eq!(loaded.handles.shown("api_key").as_deref(), Some("\"ENC[a]\""));
    assert!(loaded.value.intake.api_key.is_empty());
}

#[test]
fn a_stronger_layer_without_a_handle_needs_no_secret() {
    let fixture = Fixture::new("exit 1", "api_key: ENC[a]\n");
    let loaded = fixture.resolved(&[("DD_API_KEY", "plain")]).unwrap();
    assert_eq!(loaded.value.intake.api_key.reveal(), "plain");
    // And the other way round.
    let fixture = Fixture::new(KNOWS_TWO, "api_key: plain\n");
    let loaded = fixture.resolved(&[("DD_API_KEY", "ENC[a]")]).unwrap();
    assert_eq!(loaded.value.intake.api_key.reveal(), "secret a");
}

#[test]
fn the_probe_has_secrets_as_well() {
    let fixture = Fixture::new(KNOWS_TWO, "");
    let command = fixture.path("backend").display().to_string();
    let pairs =
        [("DD_SECRET_BACKEND_COMMAND", command.as_str()), ("DD_SYSTEM_PROBE_CONFIG_LOG_LEVEL", "ENC[b]")];
    let mut loaded = probe::load(Path::new("/nonexistent/p.yaml"), &Environment::from_pairs(pairs)).unwrap();
    probe::resolve(&mut loaded).unwrap();
    assert_eq!(loaded.value.log.level, crate::LogLevel::Debug);
}

#[test]
fn what_is_wrong_with_an_answer_is_said_without_a_secret() {
    for (script, expected) in [
        ("echo hidden", "secret_backend_command BACKEND: does not answer with a JSON object"),
        ("echo '[\"hidden\"]'", "secret_backend_command BACKEND: does not answer with a JSON object"),
        ("echo '{}'", "ENC[a]: secret_backend_command does not know it"),
        ("echo '{\"a\": {\"value\": \"\"}}'", "what ENC[a] stands for is empty"),
        ("echo '{\"a\": {\"value\": \"hidden\", \"error\": \"locked\"}}'", "ENC[a]: locked"),
        ("echo '{\"a\": \"hidden\"}'", "ENC[a]: has neither value nor error in the answer"),
        ("echo hidden; echo 'no \u{1b}vault' >&2; exit 3", "ended with exit status: 3: no \\u{1b}vault"),
        ("head -c 2000000 /dev/zero", "answers with more than 1048576 bytes"),
    ] {
        let message = Fixture::new(script, "api_key: ENC[a]\n").refused();
        assert!(message.contains(":2:10: api_key: ") && message.contains(expected), "{script}: {message}");
        assert!(!message.contains("hidden"), "{message}");
    }
    let message = Fixture::new(KNOWS_TWO, "dogstatsd_port: ENC[a]\n").refused();
    assert!(
        message.ends_with("dogstatsd_port: what its handle stands for is not a whole number"),
        "{message}"
    );
}

#[test]
fn every_secret_that_is_missing_is_told() {
    let fixture =
        Fixture::new("echo '{\"b\": {\"value\": \"x\"}}'", "api_key: ENC[a]\nsite: ENC[c]\nenv: ENC[b]\n");
    assert_eq!(fixture.refused().lines().count(), 2);
}

#[test]
fn without_a_program_a_handle_is_an_error() {
    let fixture = Fixture::new("", "");
    fixture.write("security-agent.yaml", "api_key: ENC[a]\n", 0o600);
    assert!(fixture.refused().contains("secret_backend_command is not set"), "{}", fixture.refused());
    fixture.write("security-agent.yaml", "secret_backend_command: ENC[a]\n", 0o600);
    let errors = agent::load(&[fixture.path("security-agent.yaml")], &Environment::default()).unwrap_err();
    assert!(errors.to_string().contains("cannot be one itself"), "{errors}");
}

#[test]
fn a_program_that_others_have_a_say_in_is_not_run() {
    let fixture = Fixture::new(&format!("touch \"$0.ran\"\n{KNOWS_TWO}"), "api_key: ENC[a]\n");
    let script = std::fs::read_to_string(fixture.path("backend")).unwrap();
    let allowed = [("DD_SECRET_BACKEND_COMMAND_ALLOW_GROUP_EXEC_PERM", "true")];
    for (mode, environment, works) in [
        (0o701, &allowed[..], false),
        (0o720, &allowed[..], false),
        (0o750, &[], false),
        (0o710, &[], false),
        (0o750, &allowed[..], true),
        (0o500, &[], true),
    ] {
        drop(std::fs::remove_file(fixture.path("backend")));
        fixture.write("backend", &script, mode);
        let ran = fixture.path("backend.ran");
        drop(std::fs::remove_file(&ran));
        let result = fixture.resolved(environment);
        assert_eq!((result.is_ok(), ran.exists()), (works, works), "{mode:o}: {:?}", result.err());
    }
    for (path, reason) in
        [("/nonexistent/x", "No such file"), ("/tmp", "is not a file"), ("/bin/true", "others may use it")]
    {
        let message = fixture.resolved(&[("DD_SECRET_BACKEND_COMMAND", path)]).unwrap_err();
        assert!(message.contains(reason), "{message}");
    }
    // That of another user; only root can give files away.
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(fixture.path("backend"), Some(12_345), None).unwrap();
        assert!(
            fixture.refused().contains("belongs to user 12345 and not to user 0"),
            "{}",
            fixture.refused()
        );
    }
}

#[test]
fn a_program_that_does_not_answer_is_ended_with_all_it_started() {
    let fixture = Fixture::new(
        "sleep 1000 & echo $! >\"$0.pid\"; wait",
        "api_key: ENC[a]\nsecret_backend_timeout: 500ms\n",
    );
    let begin = Instant::now();
    assert!(fixture.refused().contains("does not answer in time"));
    // Far from the thousand seconds, however slow this machine is.
    assert!(begin.elapsed() < Duration::from_secs(100));
    let pid = std::fs::read_to_string(fixture.path("backend.pid")).unwrap();
    let state = || std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    let is_gone = || state().is_empty() || state().contains(") Z ");
    let deadline = Instant::now() + Duration::from_secs(60);
    while !is_gone() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(is_gone(), "{}", state());
}

#[test]
fn a_program_need_not_read_the_question_and_line_breaks_can_be_cut() {
    let fixture = Fixture::new(
        "exec <&-; printf '{\"a\": {\"value\": \"text\\\\n\"}}'",
        "hostname: ENC[a]\nsecret_backend_remove_trailing_line_break: true\n",
    );
    assert_eq!(fixture.resolved(&[]).unwrap().value.host.hostname, "text");
}
