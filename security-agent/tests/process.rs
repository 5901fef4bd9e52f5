//! The agent as a process: its command line, its privileges, and its life with a probe that comes and goes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "all of it is a test, functions beside #[test] included"
)]

#[path = "../src/script.rs"]
#[expect(dead_code, reason = "shared with the unit tests, which use all of it")]
mod script;
#[path = "../src/test_probe.rs"]
mod test_probe;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use engine::HostFacts;
use proto::v1::{Batch, HelloReply};
use rustix::process::{Pid, Signal, geteuid, kill_process};
use security_agent::resolve::users::Users;
use security_agent::stream::capture::{Content, Header, Writer};
use serde_json::Value as Json;

use crate::script::Machine;
use crate::test_probe::TestProbe;

const AGENT: &str = env!("CARGO_BIN_EXE_security-agent");

const POLICY: &str = r#"
rules:
  - id: shadow
    expression: exec.args =~ "*shadow*"
"#;

/// A directory with configuration and policies.
struct Setup {
    directory: tempfile::TempDir,
}

impl Setup {
    fn new(policy: &str) -> Self {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let setup = Self { directory };
        let root = setup.path("");
        // The agent may become another user.
        std::fs::set_permissions(&root, std::fs::Permissions::from_mode(0o777)).unwrap();
        std::fs::create_dir(setup.path("policies")).unwrap();
        std::fs::write(setup.path("policies/test.policy"), policy).unwrap();
        let yaml = format!(
            "runtime_security_config:\n  enabled: true\n  socket: {0}/probe.sock\n  policies.dir: {0}/policies\n  \
             outputs.file.path: {0}/signals.jsonl\n  run_path: {0}\n  self_test.enabled: false\nsecurity_agent:\n  cmd_socket: {0}/command.sock\n  log_file: {0}/own.log\n  user: nobody\n",
            root.display()
        );
        std::fs::write(setup.path("agent.yaml"), yaml).unwrap();
        setup
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(AGENT);
        command.args(words).arg("-c").arg(self.path("agent.yaml")).stdin(Stdio::null());
        command
    }

    fn output(&self, words: &[&str]) -> Output {
        self.command(words).output().unwrap()
    }

    fn start(&self) -> Running {
        let log = std::fs::File::create(self.path("agent.log")).unwrap();
        let child = self.command(&["start"]).stderr(log).stdout(Stdio::null()).spawn().unwrap();
        Running { child }
    }

    fn signals(&self) -> Vec<Json> {
        let text = std::fs::read_to_string(self.path("signals.jsonl")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn rule_ids(&self) -> Vec<String> {
        self.signals().iter().map(|signal| signal["agent"]["rule_id"].as_str().unwrap().to_owned()).collect()
    }

    /// Waits until the rules of all signals so far are `expected`.
    async fn expect(&self, expected: &[&str]) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while self.rule_ids() != expected {
            let log = || std::fs::read_to_string(self.path("agent.log")).unwrap_or_default();
            assert!(Instant::now() < deadline, "{:?} instead of {expected:?}\n{}", self.rule_ids(), log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// A running agent; killed when dropped.
struct Running {
    child: Child,
}

impl Running {
    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    fn status_line(&self, name: &str) -> String {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap();
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn hello() -> HelloReply {
    HelloReply { boot_id: "boot".into(), hostname: "web1".into(), ..HelloReply::default() }
}

fn batch(machine: &mut Machine, first_sequence: u64, snapshot_end: bool) -> Batch {
    let (records, count) = machine.take();
    let realtime_offset_ns = 1_700_000_000_000_000_000;
    Batch {
        records: records.into(),
        first_sequence,
        count,
        snapshot_begin: snapshot_end,
        snapshot_end,
        realtime_offset_ns,
        ..Batch::default()
    }
}

#[test]
fn a_capture_gives_the_same_signals_each_time() {
    let setup = Setup::new(POLICY);
    let users = Users::fixed([(0, "root".into())].into_iter().collect(), [].into_iter().collect());
    let mut writer = Writer::new(Header::new("", &HostFacts::default()));
    writer.write_names(&users);
    writer.write(Content::Connected(hello()));
    let mut machine = Machine::boot();
    machine.snapshot();
    writer.write(Content::Batch(batch(&mut machine, 0, true)));
    let shell = machine.fork(1);
    machine.exec(shell, "/bin/sh", &["sh", "-c", "cat /etc/shadow"]);
    let cat = machine.fork(shell);
    machine.exec(cat, "/bin/cat", &["cat", "/etc/shadow"]);
    writer.write(Content::Batch(batch(&mut machine, 1, false)));
    let capture = setup.path("x.capture");
    std::fs::write(&capture, writer.take()).unwrap();

    let replay = || {
        let output = setup.output(&["start", "--replay", capture.to_str().unwrap()]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        std::fs::read(setup.path("signals.jsonl")).unwrap()
    };
    let first = replay();
    let signals = setup.signals();
    assert_eq!(setup.rule_ids(), ["ruleset_loaded", "shadow", "shadow"]);
    assert_eq!(signals[2]["process"]["args"][0], "/etc/shadow");
    assert_eq!(signals[2]["process"]["ancestors"].as_array().unwrap().len(), 4);
    assert_eq!(signals[2]["usr"]["id"], "root");
    assert_eq!(replay(), [first.clone(), first].concat());

    let mut damaged = std::fs::read(&capture).unwrap();
    damaged.truncate(damaged.len() - 3);
    std::fs::write(&capture, damaged).unwrap();
    let output = setup.output(&["start", "--replay", capture.to_str().unwrap()]);
    assert!(!output.status.success());
    assert!(text(&output.stderr).contains("x.capture: damaged after"), "{}", text(&output.stderr));
}

#[test]
fn nothing_enabled_is_said_and_no_failure() {
    let setup = Setup::new(POLICY);
    std::fs::write(setup.path("agent.yaml"), "log_level: info\n").unwrap();
    let output = setup.output(&["start"]);
    assert!(output.status.success());
    assert!(
        text(&output.stderr).contains("runtime_security_config.enabled is not set"),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn errors_of_the_configuration_name_file_line_and_key() {
    let setup = Setup::new(POLICY);
    std::fs::write(setup.path("agent.yaml"), "log_level: loud\n").unwrap();
    let output = setup.output(&["start"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stderr).contains("agent.yaml:1:12: log_level: expected"),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn without_an_agent_status_says_so() {
    let setup = Setup::new(POLICY);
    let output = setup.output(&["status", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let status: Json = serde_json::from_slice(&output.stdout).unwrap();
    assert!(status["agent"]["error"].as_str().unwrap().contains("no agent answers on"), "{status}");
    assert!(
        status["probe"]["error"].as_str().unwrap().contains("cannot connect to system-probe at"),
        "{status}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_agent_follows_a_probe_that_comes_and_goes_and_reloads_its_policies() {
    use std::os::unix::fs::PermissionsExt;
    let setup = Setup::new(POLICY);
    let socket = setup.path("probe.sock");
    let open = |socket: &Path| {
        std::fs::set_permissions(socket, std::fs::Permissions::from_mode(0o777)).unwrap();
    };
    let mut machine = Machine::boot();
    let probe = TestProbe::start(&socket);
    open(&socket);
    let mut agent = setup.start();
    let stream = probe.stream(1).await;
    machine.snapshot();
    stream.send(Ok(batch(&mut machine, 0, true))).await.unwrap();
    machine.exec(1, "/bin/cat", &["cat", "/etc/shadow"]);
    stream.send(Ok(batch(&mut machine, 1, false))).await.unwrap();
    setup.expect(&["ruleset_loaded", "shadow"]).await;

    if geteuid().is_root() {
        assert_eq!(agent.status_line("Uid"), "65534 65534 65534 65534");
        for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
            assert_eq!(agent.status_line(set), "0000000000000000", "{set}");
        }
    } else {
        println!("skipped: privileges are only given up by root");
    }
    assert_eq!(agent.status_line("NoNewPrivs"), "1");

    // The probe crashes; meanwhile init runs another program. Then it is back.
    drop(stream);
    probe.crash().await;
    machine.exec(1, "/bin/tac", &["tac", "/etc/shadow-"]);
    machine.records.clear();
    let probe = TestProbe::start(&socket);
    open(&socket);
    let stream = probe.stream(1).await;
    machine.snapshot();
    stream.send(Ok(batch(&mut machine, 0, true))).await.unwrap();
    setup.expect(&["ruleset_loaded", "shadow", "shadow", "lost_events"]).await;
    assert_eq!(setup.signals()[3]["disconnected"], true);

    let policy = "rules:\n  - id: uid\n    expression: setuid.uid == 1000\n";
    std::fs::write(setup.path("policies/test.policy"), policy).unwrap();
    agent.signal(Signal::HUP);
    setup.expect(&["ruleset_loaded", "shadow", "shadow", "lost_events", "ruleset_loaded"]).await;
    while probe.script.lock().unwrap().configured.last() != Some(&vec![proto::wire::layout::KIND_SETUID]) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    machine.setuid(1, 1000);
    stream.send(Ok(batch(&mut machine, 1, false))).await.unwrap();
    setup.expect(&["ruleset_loaded", "shadow", "shadow", "lost_events", "ruleset_loaded", "uid"]).await;

    let output = setup.output(&["status", "--json"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let status: Json = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(status["agent"]["probe"]["connected"], true);
    assert_eq!(status["agent"]["pipeline"]["rules"]["loaded"], 1);
    assert_eq!(status["agent"]["sinks"][0]["written"], 6);
    assert_eq!(status["probe"]["version"], "test");
    let reload = setup.output(&["runtime", "policy", "reload"]);
    assert_eq!(text(&reload.stdout), "1 rules loaded, 0 skipped, 0 errors\n");

    agent.signal(Signal::TERM);
    assert!(agent.child.wait().unwrap().success());
    assert!(!setup.path("command.sock").exists());
}

#[test]
fn root_is_refused_for_a_user_that_does_not_exist() {
    if !geteuid().is_root() {
        return println!("skipped: needs root");
    }
    let setup = Setup::new(POLICY);
    let yaml = std::fs::read_to_string(setup.path("agent.yaml")).unwrap();
    std::fs::write(setup.path("agent.yaml"), yaml.replace("user: nobody", "user: no-such-user")).unwrap();
    let output = setup.output(&["start"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("security_agent.allow_root"), "{}", text(&output.stderr));
}
