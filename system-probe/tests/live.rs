//! The real process on the real kernel. Needs root; says so where it is not.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Output;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use proto::v1;
use proto::v1::observation::State;
use proto::v1::probe_client::ProbeClient;
use proto::wire::Kind;
use proto::wire::RECORD_LAYOUT_HASH;
use proto::wire::Record;
use proto::wire::Records;
use proto::wire::layout::RECORD_FLAG_SYNTHETIC;
use proto::wire::layout::exec_body;
use proto::wire::layout::setuid_body;
use tonic::Code;
use tonic::Streaming;
use tonic::transport::Channel;
use tonic::transport::Endpoint;

const PROBE: &str = env!("CARGO_BIN_EXE_system-probe");
/// Emulated guests are slow; natively nothing here takes more than some seconds.
const PATIENCE: Duration = Duration::from_secs(240);

fn is_root() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        println!("skipped: loading BPF programs needs root");
    }
    root
}

/// system-probe, running.
struct Probe {
    directory: tempfile::TempDir,
    process: Child,
}

impl Probe {
    fn start() -> Self {
        Self::start_with("")
    }

    /// With further lines below `runtime_security_config`.
    fn start_with(settings: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("socket");
        let config = directory.path().join("system-probe.yaml");
        let text = format!(
            "runtime_security_config:\n  enabled: true\n  socket: {}\n{settings}system_probe_config.log_file: \"\"\n",
            socket.display()
        );
        std::fs::write(&config, text).unwrap();
        let process = Command::new(PROBE).arg("run").arg("--config").arg(directory.path()).spawn().unwrap();
        let mut probe = Self { directory, process };
        let start = Instant::now();
        while UnixStream::connect(probe.socket()).is_err() {
            assert!(start.elapsed() < PATIENCE, "no socket");
            assert_eq!(probe.process.try_wait().unwrap(), None, "it ended");
            std::thread::sleep(Duration::from_millis(10));
        }
        probe
    }

    fn socket(&self) -> PathBuf {
        self.directory.path().join("socket")
    }

    async fn client(&self) -> ProbeClient<Channel> {
        let endpoint = Endpoint::try_from(format!("unix://{}", self.socket().display())).unwrap();
        ProbeClient::new(endpoint.connect().await.unwrap())
    }

    async fn subscribe(&self) -> Stream {
        let request = v1::StreamRequest { layout_hash: RECORD_LAYOUT_HASH };
        let inner = self.client().await.stream(request).await.unwrap().into_inner();
        Stream { inner, expected: 0, losses: 0 }
    }

    fn terminate(&self) {
        let pid = rustix::process::Pid::from_child(&self.process);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        // It may have ended: then there is nothing to do.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// A stream whose numbers are checked.
struct Stream {
    inner: Streaming<v1::Batch>,
    expected: u64,
    losses: u64,
}

impl Stream {
    async fn next(&mut self) -> v1::Batch {
        let message = tokio::time::timeout(PATIENCE, self.inner.message()).await.expect("no message in time");
        let batch = message.unwrap().expect("the stream ended");
        let sum = |losses: &mut dyn Iterator<Item = &v1::Loss>| losses.map(|loss| loss.count).sum::<u64>();
        let gap = sum(&mut batch.losses.iter());
        assert_eq!(batch.first_sequence, self.expected + gap, "the gap is what was lost");
        // What came between two subscribers was lost before this stream.
        let between = v1::loss::Reason::NoSubscriber;
        let losses = sum(&mut batch.losses.iter().filter(|loss| loss.reason() != between));
        assert_eq!(Records::new(&batch.records).filter(Result::is_ok).count() as u64, u64::from(batch.count));
        self.expected = batch.first_sequence + u64::from(batch.count);
        self.losses += losses;
        batch
    }

    async fn snapshot(&mut self) -> Vec<u8> {
        let mut records = Vec::new();
        loop {
            let batch = self.next().await;
            records.extend_from_slice(&batch.records);
            if batch.snapshot_end {
                return records;
            }
        }
    }

    /// Live records until `done` says so of all that came.
    async fn live_until(&mut self, done: impl Fn(&[u8]) -> bool) -> Vec<u8> {
        let mut records = Vec::new();
        while !done(&records) {
            records.extend_from_slice(&self.next().await.records);
        }
        records
    }
}

fn records(bytes: &[u8]) -> impl Iterator<Item = Record<'_>> {
    Records::new(bytes).map(Result::unwrap)
}

/// Kinds of the records of a process, in order.
fn kinds_of(pid: u32, bytes: &[u8]) -> Vec<Kind> {
    records(bytes).filter(|record| record.context().pid == pid).map(|record| record.kind()).collect()
}

fn has_ended(pid: u32, bytes: &[u8]) -> bool {
    kinds_of(pid, bytes).contains(&Kind::Exit)
}

fn run(command: &mut Command) -> u32 {
    let mut child = command.spawn().unwrap();
    let pid = child.id();
    assert!(child.wait().unwrap().success());
    pid
}

#[tokio::test]
async fn what_runs_and_what_happens_arrives() {
    if !is_root() {
        return;
    }
    let probe = Probe::start();
    let mut stream = probe.subscribe().await;
    let snapshot = stream.snapshot().await;
    assert!(records(&snapshot).all(|it| u32::from(it.header().flags) & RECORD_FLAG_SYNTHETIC != 0));

    // This process, with its arguments.
    let own: Vec<_> = records(&snapshot)
        .filter(|record| record.context().pid == std::process::id() && record.kind() == Kind::Exec)
        .collect();
    assert_eq!(own.len(), 1);
    let body: exec_body = own[0].body();
    assert_eq!(own[0].span(body.args), std::fs::read("/proc/self/cmdline").unwrap());
    let image = std::env::current_exe().unwrap();
    assert_eq!(own[0].span(body.file.path), image.as_os_str().as_encoded_bytes());

    let child = run(Command::new("/bin/echo").args(["one", "two"]).stdout(Stdio::null()));
    let live = stream.live_until(|live| has_ended(child, live)).await;
    assert_eq!(kinds_of(child, &live), [Kind::Fork, Kind::Exec, Kind::Exit]);
    let exec = records(&live).find(|it| it.context().pid == child && it.kind() == Kind::Exec).unwrap();
    assert_eq!(exec.span(exec.body::<exec_body>().args), b"/bin/echo\0one\0two\0");
    assert_eq!(exec.context().ppid, std::process::id());
    assert_eq!(exec.context().parent_start_time_ns, own[0].context().start_time_ns, "one clock for both");
}

#[tokio::test]
async fn an_idle_stream_delivers_within_milliseconds() {
    if !is_root() {
        return;
    }
    let probe = Probe::start();
    let mut stream = probe.subscribe().await;
    stream.snapshot().await;
    let mut delays = Vec::new();
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_millis(30)).await;
        let child = run(&mut Command::new("/bin/true"));
        let ended = Instant::now();
        stream.live_until(|live| has_ended(child, live)).await;
        delays.push(ended.elapsed());
    }
    delays.sort_unstable();
    println!("from the end of a process to its exit record: median {:?}, worst {:?}", delays[10], delays[19]);
    assert!(delays[10] < Duration::from_millis(250), "{delays:?}");
}

#[tokio::test]
async fn a_process_that_starts_during_the_snapshot_is_neither_lost_nor_doubled() {
    if !is_root() {
        return;
    }
    let probe = Probe::start();
    for round in 0..5 {
        let spawner = std::thread::spawn(|| {
            let spawn = |_| {
                std::thread::sleep(Duration::from_millis(1));
                Command::new("/bin/sleep").arg("600").spawn().unwrap()
            };
            (0..60).map(spawn).collect::<Vec<Child>>()
        });
        tokio::time::sleep(Duration::from_millis(15)).await;
        let mut stream = probe.subscribe().await;
        let snapshot = stream.snapshot().await;
        let mut children = spawner.join().unwrap();
        let marker = run(&mut Command::new("/bin/true"));
        let live = stream.live_until(|live| has_ended(marker, live)).await;
        for child in &mut children {
            child.kill().unwrap();
            child.wait().unwrap();
        }

        let mut found = [0; 2];
        for child in &children {
            let before = kinds_of(child.id(), &snapshot);
            let after = kinds_of(child.id(), &live);
            let forks = after.iter().filter(|kind| **kind == Kind::Fork).count();
            assert!(before.len() <= 1, "twice in the snapshot: {before:?}");
            assert!(forks <= 1, "forked twice: {after:?}");
            assert!(before.len() + forks >= 1, "round {round}: pid {} is unknown", child.id());
            found[0] += before.len();
            found[1] += forks;
            // The same process by the same identity.
            let starts: BTreeMap<u64, ()> = records(&snapshot)
                .chain(records(&live))
                .filter(|record| record.context().pid == child.id())
                .map(|record| (record.context().start_time_ns, ()))
                .collect();
            assert_eq!(starts.len(), 1);
        }
        println!(
            "round {round}: {} in the snapshot, {} forked live, of {}",
            found[0],
            found[1],
            children.len()
        );
        assert_eq!(stream.losses, 0);
    }
}

#[tokio::test]
async fn kinds_are_watched_while_they_are_needed() {
    if !is_root() {
        return;
    }
    let probe = Probe::start();
    let mut client = probe.client().await;
    let mut stream = probe.subscribe().await;
    stream.snapshot().await;
    let change = || run(Command::new("/bin/true").uid(12_345));

    let child = change();
    let live = stream.live_until(|live| has_ended(child, live)).await;
    assert!(!kinds_of(child, &live).contains(&Kind::Setuid), "not asked for");

    let kinds = vec![Kind::Setuid.number(), 9999];
    let degraded = client
        .configure(v1::ConfigureRequest { kinds, ..Default::default() })
        .await
        .unwrap()
        .into_inner()
        .degraded;
    assert!(degraded.iter().any(|it| it.kind == 9999), "{degraded:?}");
    let setuid = |status: &v1::StatusReply| {
        let found = status.observations.iter().find(|it| it.name == "process.setuid").unwrap();
        (found.state(), found.reason.clone())
    };
    let status = client.status(v1::StatusRequest {}).await.unwrap().into_inner();
    if setuid(&status).0 == v1::observation::State::Unavailable {
        return println!("skipped: system calls can't be watched here: {}", setuid(&status).1);
    }
    let child = change();
    let live = stream.live_until(|live| has_ended(child, live)).await;
    let record = records(&live).find(|it| it.context().pid == child && it.kind() == Kind::Setuid).unwrap();
    let body: setuid_body = record.body();
    assert_eq!((body.old_uid, body.uid, body.euid, body.fsuid), (0, 12_345, 12_345, 12_345));

    client.configure(v1::ConfigureRequest::default()).await.unwrap();
    // The kernel takes some time to let go, and a busy one more of it.
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let child = change();
        let live = stream.live_until(|live| has_ended(child, live)).await;
        if !kinds_of(child, &live).contains(&Kind::Setuid) {
            break;
        }
        assert!(Instant::now() < end, "not needed any more");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// The programs of each are loaded when they are asked for, after privileges were given up, and write to the ring that
/// was there from the start.
#[tokio::test]
async fn kinds_that_are_asked_for_later_arrive_in_the_same_stream() {
    if !is_root() {
        return;
    }
    let probe = Probe::start();
    let mut client = probe.client().await;
    let mut stream = probe.subscribe().await;
    stream.snapshot().await;
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().display();
    for wanted in [&[Kind::Mkdir][..], &[Kind::Mkdir, Kind::Rename], &[Kind::Setuid], &[Kind::Mkdir]] {
        let kinds = wanted.iter().map(|kind| kind.number()).collect();
        client.configure(v1::ConfigureRequest { kinds, ..Default::default() }).await.unwrap();
        let status = client.status(v1::StatusRequest {}).await.unwrap().into_inner();
        for observation in &status.observations {
            let needed = wanted.iter().any(|kind| observation.kinds.contains(&kind.number()));
            if needed && observation.state() == State::Unavailable {
                return println!("skipped: {}: {}", observation.name, observation.reason);
            }
            assert!(!needed || observation.state() != State::Idle, "{observation:?}");
        }
        let script = format!(
            "mkdir {place}/a; mv {place}/a {place}/b; rmdir {place}/b; exec setpriv --reuid 12345 true"
        );
        let mut shell = Command::new("/bin/sh");
        let marker = run(shell.arg("-c").arg(script));
        let live = stream.live_until(|live| has_ended(marker, live)).await;
        let seen = |kind: Kind| {
            records(&live).any(|record| {
                record.kind() == kind && [record.context().pid, record.context().ppid].contains(&marker)
            })
        };
        for kind in wanted {
            assert!(seen(*kind), "{kind:?} of {wanted:?}; lost: {}", stream.losses);
        }
    }
}

#[tokio::test]
async fn it_stops_cleanly() {
    if !is_root() {
        return;
    }
    let mut probe = Probe::start();
    let mut stream = probe.subscribe().await;
    stream.snapshot().await;
    let second = Command::new(PROBE).arg("run").arg("--config").arg(probe.directory.path()).output().unwrap();
    assert!(!second.status.success() && text(&second).contains("running already"), "{}", text(&second));

    probe.terminate();
    let end = loop {
        match stream.inner.message().await {
            Ok(batch) => assert!(batch.is_some(), "it ended without a reason"),
            Err(status) => break status,
        }
    };
    assert_eq!(end.code(), Code::Unavailable);
    assert!(probe.process.wait().unwrap().success());
    assert!(!probe.socket().exists());
}

#[tokio::test]
async fn it_is_small_and_has_few_privileges() {
    if !is_root() {
        return;
    }
    // Signals of rules need a capability of their own (include/uapi/linux/capability.h), unless they are off.
    const CAP_KILL: u64 = 1 << 5;
    for (settings, kills) in [("", true), ("  enforcement:\n    enabled: false\n", false)] {
        let probe = Probe::start_with(settings);
        let mut stream = probe.subscribe().await;
        stream.snapshot().await;
        let status = std::fs::read_to_string(format!("/proc/{}/status", probe.process.id())).unwrap();
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.trim_start_matches(':').trim().to_owned()
        };
        println!("resident: {} (anonymous {}, files {})", field("VmRSS"), field("RssAnon"), field("RssFile"));
        assert_eq!(field("NoNewPrivs"), "1");
        let kept = u64::from_str_radix(&field("CapEff"), 16).unwrap();
        assert_eq!(kept & CAP_KILL != 0, kills, "{kept:x}");
        // BPF, PERFMON, SYS_PTRACE, DAC_READ_SEARCH, and NET_ADMIN for programs on control groups.
        assert!((kept & !CAP_KILL).count_ones() <= 5, "{kept:x}");
        assert_eq!(field("CapBnd"), field("CapEff"));
    }
}

#[test]
fn only_root_and_the_agent_can_connect() {
    if !is_root() {
        return;
    }
    let probe = Probe::start();
    let socket = probe.socket();
    // Other directories of the path may be closed to that user; it is the socket that is to refuse.
    std::fs::set_permissions(probe.directory.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let as_somebody = |socket: PathBuf| {
        std::thread::spawn(move || {
            let (somebody, group) = (rustix::fs::Uid::from_raw(54_321), rustix::fs::Gid::from_raw(54_321));
            // Of this thread alone.
            rustix::thread::set_thread_groups(&[]).unwrap();
            rustix::thread::set_thread_res_gid(group, group, group).unwrap();
            rustix::thread::set_thread_res_uid(somebody, somebody, somebody).unwrap();
            let mut stream = UnixStream::connect(socket)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            let mut answer = Vec::new();
            std::io::Read::read_to_end(&mut stream, &mut answer).map(|_| answer)
        })
        .join()
        .unwrap()
    };
    assert_eq!(as_somebody(socket.clone()).unwrap_err().kind(), std::io::ErrorKind::PermissionDenied);
    // Even if somebody opened the file to all.
    std::fs::set_permissions(&socket, std::fs::Permissions::from_mode(0o666)).unwrap();
    assert_eq!(as_somebody(socket).unwrap(), b"", "the connection is closed without a word");
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn nothing_enabled_is_no_failure() {
    let output = Command::new(PROBE).args(["run", "--config", "/nonexistent"]).env_clear().output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    assert!(text(&output).contains("nothing to do"), "{}", text(&output));
}

#[test]
fn a_bad_configuration_is_refused_with_file_line_and_key() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("system-probe.yaml");
    std::fs::write(&file, "runtime_security_config:\n  enabled: perhaps\n").unwrap();
    let output = Command::new(PROBE).args(["run", "--config"]).arg(&file).env_clear().output().unwrap();
    assert!(!output.status.success());
    let expected = format!("{}:2:", file.display());
    let said = text(&output);
    assert!(said.contains(&expected) && said.contains("runtime_security_config.enabled"), "{said}");
}

#[test]
fn without_privileges_it_says_which() {
    if !is_root() {
        return;
    }
    let mut command = Command::new(PROBE);
    command.args(["check", "--config", "/nonexistent"]).uid(54_321).gid(54_321).env_clear();
    let output = match command.output() {
        Ok(output) => output,
        Err(error) => return println!("skipped: that user can't reach the program: {error}"),
    };
    assert!(!output.status.success());
    assert!(text(&output).contains("CAP_BPF and CAP_PERFMON"), "{}", text(&output));
}

#[test]
fn check_tells_what_can_be_watched() {
    if !is_root() {
        return;
    }
    let output = Command::new(PROBE).args(["check", "--json", "--config", "/nonexistent"]).output().unwrap();
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["ok"], output.status.success(), "{report:#}");
    for observation in report["observations"].as_array().unwrap() {
        let state = observation["state"].as_str().unwrap();
        assert!(matches!(state, "active" | "partial" | "ready"), "{observation:#}");
    }
}
