//! The pipeline on the histories of a small kernel ([`crate::script`]).

use engine::loader::{PolicyFile, PolicyFiles};
use engine::ruleset::ActionSupport;
use engine::{LoadOptions, load};
use model::Fields;
use proto::v1::{Loss, loss::Reason};
use proto::wire::layout::KIND_EXEC;
use serde_json::json;

use super::*;
use crate::script::Machine;
use crate::stream::capture::ContainerAnswer;

const POLICY: &str = r#"
version: 1.2.3
rules:
  - id: shadow
    description: Shadow file read
    version: 4.5.6
    expression: exec.file.path == "/bin/cat" && exec.args =~ "*shadow*"
    tags: {tactic: TA0006}
    actions:
      - set: {name: seen, value: 7, scope: process}
      - kill: {signal: SIGKILL}
  - id: becomes_alice
    expression: setuid.uid == 1000 && process.uid == 0
  - id: fails
    expression: exit.code == 3
  - id: init
    expression: exec.file.path == "/sbin/init"
  - id: resolved
    expression: network_flow_monitor.device.ifname == "eth0"
"#;

fn config() -> Config {
    Config {
        limits: Limits::default(),
        scrubber: Scrubber::new(&[]),
        shown_envs: ShownWithValue::default(),
        style: None,
        agent: AgentInfo { version: "0.1.0".into(), ..AgentInfo::default() },
        hostname: String::new(),
        own_events: true,
        kernel_filters: true,
        losses_interval_ns: 20 * SECOND,
        network: network::Config::default(),
        retention_ns: 6 * SECOND,
        disarmers: Disarmers::default(),
    }
}

struct Fed {
    pipeline: Pipeline,
    sequence: u64,
}

impl Fed {
    fn new(policy: &str) -> Self {
        Self::with(policy, config(), ActionSupport::default())
    }

    fn with(policy: &str, config: Config, actions: ActionSupport) -> Self {
        let users = [(0, Text::from("root")), (1000, Text::from("alice"))].into_iter().collect();
        let mut pipeline = Pipeline::new(config, Users::fixed(users, Default::default()));
        let files = PolicyFiles::in_memory(vec![PolicyFile::in_memory("test.policy", policy)]);
        // As it is unless the configuration says otherwise.
        let off = Off { flows: true, capabilities: true, ..Off::default() };
        let options =
            LoadOptions { enabled_events: Some(observable(off)), actions, ..LoadOptions::default() };
        let load = load(files, &Fields::default(), &options);
        assert_eq!(load.counts.errors, 0, "{:?}", load.diagnostics);
        pipeline.replace_rules(load, 1);
        Self { pipeline, sequence: 0 }
    }

    fn connect(&mut self, boot_id: &str) {
        self.sequence = 0;
        let hello = HelloReply {
            boot_id: boot_id.into(),
            hostname: "web1".into(),
            kernel_release: "6.18.0".into(),
            ..HelloReply::default()
        };
        self.pipeline.connected(&hello);
    }

    fn feed(&mut self, machine: &mut Machine, snapshot_end: bool, losses: Vec<Loss>) {
        let (records, count) = machine.take();
        self.sequence += losses.iter().map(|loss| loss.count).sum::<u64>();
        let batch = Batch {
            records: records.into(),
            first_sequence: self.sequence,
            count,
            losses,
            snapshot_begin: snapshot_end,
            snapshot_end,
            realtime_offset_ns: 1_700_000_000_000_000_000,
        };
        self.sequence += u64::from(count);
        self.pipeline.batch(&batch);
    }

    /// A stream with the snapshot of `machine`.
    fn begin(&mut self, machine: &mut Machine, boot_id: &str) {
        self.connect(boot_id);
        machine.snapshot();
        self.feed(machine, true, Vec::new());
    }

    fn reports(&mut self) -> Vec<Json> {
        let reports = self.pipeline.take_reports();
        reports.iter().map(|report| serde_json::from_str(&report.json).unwrap()).collect()
    }

    fn rule_ids(&mut self) -> Vec<String> {
        self.pipeline.take_reports().into_iter().map(|report| report.rule_id).collect()
    }
}

#[test]
fn a_match_is_reported_with_its_rule_its_process_and_the_ancestors() {
    let mut machine = Machine::boot();
    let mut fed = Fed::new(POLICY);
    fed.begin(&mut machine, "boot");
    fed.reports();
    let shell = machine.fork(1);
    machine.exec(shell, "/bin/sh", &["sh"]);
    let cat = machine.fork(shell);
    machine.exec(cat, "/bin/cat", &["cat", "/etc/shadow", "--token-secret", "s3cr3t"]);
    fed.feed(&mut machine, false, Vec::new());
    let reports = fed.reports();
    let [report] = reports.as_slice() else { panic!("{reports:?}") };
    assert_eq!(report["agent"]["rule_id"], "shadow");
    assert_eq!(report["agent"]["rule_version"], "4.5.6");
    assert_eq!(report["agent"]["policy_name"], "test.policy");
    assert_eq!(report["agent"]["policy_version"], "1.2.3");
    assert_eq!(report["agent"]["kernel_version"], "6.18.0");
    assert_eq!(report["agent"]["rule_actions"][0]["type"], "kill");
    assert_eq!(report["agent"]["rule_actions"][0]["status"], "not_performed");
    assert_eq!(report["title"], "Shadow file read");
    assert_eq!(report["evt"]["name"], "exec");
    assert_eq!(report["date"], "2023-11-14T22:13:20.010005000Z");
    assert_eq!(report["process"]["args"], json!(["/etc/shadow", "--token-secret", "********"]));
    assert_eq!(report["process"]["variables"]["seen"], 7);
    let ancestors: Vec<&Json> = report["process"]["ancestors"].as_array().unwrap().iter().collect();
    let chain: Vec<_> =
        ancestors.iter().map(|a| (a["pid"].clone(), a["executable"]["path"].clone())).collect();
    assert_eq!(
        chain,
        [
            (json!(3), json!("/bin/sh")),
            (json!(2), json!("/bin/sh")),
            (json!(2), json!("/sbin/init")),
            (json!(1), json!("/sbin/init"))
        ]
    );
    assert_eq!(report["usr"]["id"], "root");
}

#[test]
fn a_change_of_user_is_judged_by_the_state_before_it() {
    let mut machine = Machine::boot();
    let mut fed = Fed::new(POLICY);
    fed.begin(&mut machine, "boot");
    fed.reports();
    let pid = machine.fork(1);
    machine.setuid(pid, 1000);
    machine.setuid(pid, 1000);
    machine.exit(pid, 3);
    fed.feed(&mut machine, false, Vec::new());
    let reports = fed.reports();
    let ids: Vec<_> = reports.iter().map(|report| report["agent"]["rule_id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["becomes_alice", "fails"], "the second change came from alice");
    assert_eq!(reports[0]["process"]["credentials"]["uid"], 0);
    assert_eq!(reports[0]["process"]["credentials"]["destination"]["uid"], 1000);
    assert_eq!(reports[1]["process"]["credentials"]["user"], "alice");
    assert_eq!(reports[1]["exit"], json!({ "cause": "EXITED", "code": 3 }));
    assert!(reports[1]["process"]["exit_time"].is_string());
}

#[test]
fn what_ran_before_is_reported_once_and_again_only_after_a_reboot() {
    let mut machine = Machine::boot();
    let mut fed = Fed::new(POLICY);
    fed.begin(&mut machine, "boot");
    assert_eq!(fed.rule_ids(), ["ruleset_loaded", "init"]);
    let worker = machine.fork(1);
    fed.begin(&mut machine, "boot");
    assert!(fed.rule_ids().is_empty(), "known already; a fork of it ran nothing of its own");
    fed.pipeline.disconnected();
    fed.begin(&mut machine, "boot");
    assert_eq!(fed.rule_ids(), ["lost_events"], "nobody looked in between");
    assert!(machine.tasks.contains_key(&worker));
    fed.begin(&mut machine, "another boot");
    assert!(fed.rule_ids().contains(&"init".to_owned()));
}

#[test]
fn losses_are_told_at_once_and_then_at_intervals() {
    let mut machine = Machine::boot();
    let mut fed = Fed::new(POLICY);
    fed.begin(&mut machine, "boot");
    fed.reports();
    let lose = |count| vec![Loss { reason: Reason::QueueFull.into(), kind: KIND_EXEC, count }];
    machine.fork(1);
    fed.feed(&mut machine, false, lose(3));
    let reports = fed.reports();
    assert_eq!(reports[0]["evt"]["name"], "lost_events");
    assert_eq!(reports[0]["lost"], 3);
    assert_eq!(reports[0]["counts"], json!([{ "reason": "queue_full", "event_type": "exec", "count": 3 }]));
    assert!(fed.pipeline.take_needs_snapshot());
    fed.feed(&mut machine, false, lose(4));
    assert!(fed.reports().is_empty(), "not yet");
    machine.now += 30 * SECOND;
    machine.fork(1);
    fed.feed(&mut machine, false, lose(1));
    assert_eq!(fed.reports()[0]["lost"], 5);
}

#[test]
fn damaged_batches_are_counted_and_told() {
    let mut fed = Fed::new(POLICY);
    fed.connect("boot");
    fed.reports();
    fed.pipeline.batch(&Batch { records: vec![0xff; 100].into(), count: 5, ..Batch::default() });
    let reports = fed.reports();
    assert_eq!(
        reports[0]["counts"],
        json!([{ "reason": "undecodable", "event_type": "unknown", "count": 5 }])
    );
}

#[test]
fn rules_that_need_what_cannot_be_seen_are_skipped_with_the_reason() {
    let mut fed = Fed::new(POLICY);
    let reports = fed.reports();
    assert_eq!(reports[0]["evt"]["name"], "ruleset_loaded");
    let rules = reports[0]["policies"][0]["rules"].as_array().unwrap();
    let resolved = rules.iter().find(|rule| rule["id"] == "resolved").unwrap();
    assert_eq!((&resolved["status"], &resolved["filter_type"]), (&json!("filtered"), &json!("event_type")));
    assert_eq!(fed.pipeline.wanted_kinds(), [proto::wire::layout::KIND_SETUID]);
}

#[test]
fn a_reload_keeps_processes_and_variables() {
    let policy = r#"
rules:
  - id: first
    expression: exec.file.path == "/bin/a"
    actions:
      - set: {name: armed, value: true}
  - id: second
    expression: exec.file.path == "/bin/b" && ${armed} == true
"#;
    let mut machine = Machine::boot();
    let mut fed = Fed::new(policy);
    fed.begin(&mut machine, "boot");
    machine.exec(1, "/bin/a", &["a"]);
    fed.feed(&mut machine, false, Vec::new());
    let files = PolicyFiles::in_memory(vec![PolicyFile::in_memory("test.policy", policy)]);
    fed.pipeline.replace_rules(load(files, &Fields::default(), &LoadOptions::default()), 1);
    machine.exec(1, "/bin/b", &["b"]);
    fed.feed(&mut machine, false, Vec::new());
    assert_eq!(fed.rule_ids(), ["ruleset_loaded", "first", "ruleset_loaded", "second"]);
}

#[test]
fn what_happens_to_a_file_is_matched_and_reported() {
    let policy = r#"
rules:
  - id: shadow
    expression: open.file.path == "/etc/shadow" && open.flags & O_WRONLY > 0 && process.file.name == "a"
"#;
    let mut machine = Machine::boot();
    let mut fed = Fed::new(policy);
    assert_eq!(fed.pipeline.wanted_kinds(), [proto::wire::layout::KIND_OPEN]);
    fed.begin(&mut machine, "boot");
    machine.exec(1, "/bin/a", &["a"]);
    machine.open(1, "/etc/shadow", 0);
    machine.open(1, "/etc/passwd", 1);
    machine.open(1, "/etc/shadow", 1);
    fed.feed(&mut machine, false, Vec::new());
    let reports = fed.reports();
    assert_eq!(reports.len(), 2, "{reports:#?}");
    assert_eq!(reports[1]["file"]["path"], "/etc/shadow");
    assert_eq!(reports[1]["process"]["executable"]["path"], "/bin/a");
}

#[test]
fn heartbeats_name_the_policies() {
    let mut fed = Fed::new(POLICY);
    fed.reports();
    fed.pipeline.heartbeat(5);
    assert_eq!(fed.reports()[0]["policy"], json!({ "name": "test.policy", "version": "1.2.3" }));
    assert_eq!(fed.pipeline.status()["rules"]["loaded"], 4);
}

#[test]
fn rate_limits_hold_back_and_count() {
    let mut machine = Machine::boot();
    let mut fed = Fed::new(POLICY);
    fed.begin(&mut machine, "boot");
    fed.reports();
    for _ in 0..100 {
        let pid = machine.fork(1);
        machine.exit(pid, 3);
    }
    fed.feed(&mut machine, false, Vec::new());
    assert_eq!(fed.reports().len(), 40, "the burst");
    assert_eq!(fed.pipeline.status()["suppressed_by_rule"], json!({ "fails": 60 }));
}

/// A rule marks the parent of the process that matches it.
const MARK_PARENT: &str = r#"
rules:
  - id: mark
    expression: exec.file.path == "/bin/mark"
    actions:
      - set: {name: marked, value: 1, scope: process, scope_field: process.ppid}
  - id: marked
    expression: exec.file.path == "/bin/see" && ${process.marked} == 1
"#;

impl Fed {
    /// The rules that match what happened on `machine` since the last call.
    fn matched(&mut self, machine: &mut Machine) -> Vec<String> {
        self.feed(machine, false, Vec::new());
        let mut ids = self.rule_ids();
        // Other reports are about the agent.
        ids.retain(|id| id.starts_with("mark"));
        ids
    }
}

#[test]
fn a_variable_goes_to_the_process_that_a_field_names() {
    let mut machine = Machine::boot();
    let mut fed = Fed::new(MARK_PARENT);
    fed.begin(&mut machine, "boot");
    let shell = machine.fork(1);
    let child = machine.fork(shell);
    machine.exec(child, "/bin/mark", &["mark"]);
    machine.exec(child, "/bin/see", &["see"]);
    assert_eq!(fed.matched(&mut machine), ["mark"], "not the process that matched");
    machine.exec(shell, "/bin/see", &["see"]);
    assert_eq!(fed.matched(&mut machine), ["marked"]);
    machine.exit(shell, 0);
    assert!(fed.matched(&mut machine).is_empty());
    assert_eq!(fed.pipeline.engine.variable_stats().instances, 0, "it ends with the process");
}

#[test]
fn the_next_process_of_a_pid_has_no_variables_of_the_one_before() {
    let mut machine = Machine::boot();
    let mut fed = Fed::new(MARK_PARENT);
    fed.begin(&mut machine, "boot");
    let shell = machine.fork(1);
    let child = machine.fork(shell);
    machine.exec(child, "/bin/mark", &["mark"]);
    fed.matched(&mut machine);
    // The end of the shell is not seen.
    machine.exit(shell, 0);
    machine.take();
    machine.fork_as(1, shell);
    machine.exec(shell, "/bin/see", &["see"]);
    assert!(fed.matched(&mut machine).is_empty());
}

#[test]
fn a_variable_of_a_process_that_is_not_known_is_counted_as_dropped() {
    let mut machine = Machine::boot();
    let mut fed = Fed::new(&MARK_PARENT.replace("process.ppid", "process.uid"));
    fed.begin(&mut machine, "boot");
    let child = machine.fork(1);
    machine.setuid(child, 999);
    machine.exec(child, "/bin/mark", &["mark"]);
    assert_eq!(fed.matched(&mut machine), ["mark"]);
    let stats = fed.pipeline.engine.variable_stats();
    assert_eq!((stats.instances, stats.dropped), (0, 1));
}

const CONTAINER_POLICY: &str = r#"
rules:
  - id: started
    expression: exec.file.name == "app" && process.container.id != ""
  - id: tagged
    expression: exec.file.name == "app" && process.container.tags == "image_name:shop"
  - id: counted
    expression: exec.file.name == "app" && ${process.seen} != true
    actions:
      - set: {name: seen, value: true, scope: process}
  - id: host
    expression: exec.file.name == "hosted"
  - id: ended
    expression: exit.file.name == "app"
"#;

fn container_id(number: u8) -> String {
    format!("{number:064x}")
}

/// A process of container `number` runs `/app`.
fn start_in_container(machine: &mut Machine, number: u8) -> u32 {
    let pid = machine.fork(1);
    machine.move_to_cgroup(pid, 100 + u64::from(number), &format!("/docker/{}", container_id(number)));
    machine.exec(pid, "/app", &["app"]);
    pid
}

fn told(number: u8) -> proto::v1::ContainerReply {
    let container = proto::v1::ContainerInfo {
        id: container_id(number),
        name: "web".into(),
        image: "shop:2".into(),
        created_at_ns: 1_700_000_000_000_000_000,
        ..Default::default()
    };
    proto::v1::ContainerReply {
        state: proto::v1::container_reply::State::Known.into(),
        container: Some(container),
        reason: String::new(),
    }
}

fn untold() -> proto::v1::ContainerReply {
    let state = proto::v1::container_reply::State::Unavailable.into();
    proto::v1::ContainerReply { state, reason: "no socket".into(), container: None }
}

fn container_fixture() -> (Machine, Fed) {
    let mut machine = Machine::boot();
    let mut fed = Fed::new(CONTAINER_POLICY);
    fed.begin(&mut machine, "boot");
    fed.reports();
    (machine, fed)
}

#[test]
fn events_of_a_container_wait_for_its_name_and_those_of_others_do_not() {
    let (mut machine, mut fed) = container_fixture();
    let pid = start_in_container(&mut machine, 1);
    machine.exit(pid, 0);
    let hosted = machine.fork(1);
    machine.exec(hosted, "/hosted", &["hosted"]);
    fed.feed(&mut machine, false, Vec::new());
    assert_eq!(fed.pipeline.take_wanted_containers(), [container_id(1)]);
    assert_eq!(fed.rule_ids(), ["host"]);
    assert_eq!(fed.pipeline.status()["waiting_events"], 3, "exec, exit, and that its variables go");

    fed.pipeline.container_answered(&container_id(1), told(1));
    let reports = fed.reports();
    let ids: Vec<_> = reports.iter().map(|report| report["agent"]["rule_id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["started", "tagged", "counted", "ended"]);
    for report in &reports {
        assert_eq!(report["container"]["id"], container_id(1), "{report:#}");
        assert_eq!(report["container"]["created_at"], "2023-11-14T22:13:20.000000000Z");
        let tags = report["container"]["tags"].as_array().unwrap();
        assert!(
            tags.contains(&"image_name:shop".into()) && tags.contains(&"container_name:web".into()),
            "{tags:?}"
        );
    }
    assert_eq!(fed.pipeline.status()["waiting_events"], 0);
    assert_eq!(fed.pipeline.status()["variables"]["instances"], 0, "{:#}", fed.pipeline.status());
    // From here on it is known.
    start_in_container(&mut machine, 1);
    fed.feed(&mut machine, false, Vec::new());
    assert_eq!(fed.rule_ids(), ["started", "tagged", "counted"]);
    assert!(fed.pipeline.take_wanted_containers().is_empty());
}

#[test]
fn without_an_answer_events_have_the_id_and_why_is_told() {
    let (mut machine, mut fed) = container_fixture();
    start_in_container(&mut machine, 1);
    fed.feed(&mut machine, false, Vec::new());
    fed.pipeline.container_answered(&container_id(1), untold());
    let reports = fed.reports();
    assert_eq!(reports.len(), 2, "not the rule on tags: {reports:?}");
    let created = &reports[0]["container"]["created_at"];
    assert!(created.is_string(), "when it was seen: {}", reports[0]["container"]);
    assert_eq!(reports[0]["container"], json!({ "id": container_id(1), "created_at": created }));
    assert_eq!(fed.pipeline.status()["containers"]["problem"], "no socket");
    start_in_container(&mut machine, 1);
    fed.feed(&mut machine, false, Vec::new());
    assert_eq!(fed.rule_ids().len(), 2, "nothing waits for a container that nobody knows");
}

#[test]
fn waiting_is_bounded_in_time() {
    let (mut machine, mut fed) = container_fixture();
    start_in_container(&mut machine, 1);
    fed.feed(&mut machine, false, Vec::new());
    assert!(fed.rule_ids().is_empty());
    machine.now += 7 * SECOND;
    let other = machine.fork(1);
    machine.exec(other, "/bin/true", &["true"]);
    fed.feed(&mut machine, false, Vec::new());
    assert_eq!(fed.rule_ids(), ["started", "counted"]);
    assert_eq!(fed.pipeline.status()["counters"]["released_early"], 1);
    start_in_container(&mut machine, 1);
    fed.feed(&mut machine, false, Vec::new());
    assert_eq!(fed.rule_ids().len(), 2, "it is waited for once");
    // The answer comes after all.
    fed.pipeline.container_answered(&container_id(1), told(1));
    start_in_container(&mut machine, 1);
    fed.feed(&mut machine, false, Vec::new());
    assert_eq!(fed.rule_ids().len(), 3);
}

#[test]
fn waiting_is_bounded_in_number_and_ends_with_the_agent() {
    let (mut machine, mut fed) = container_fixture();
    const EVENTS: u64 = 5_000;
    let evaluated = |fed: &Fed| fed.pipeline.status()["counters"]["evaluated"].as_u64().unwrap();
    let before = evaluated(&fed);
    for _ in 0..EVENTS {
        let pid = start_in_container(&mut machine, 1);
        machine.exit(pid, 0);
        fed.feed(&mut machine, false, Vec::new());
    }
    let early = fed.pipeline.status()["counters"]["released_early"].as_u64().unwrap();
    assert!(early > 0, "the oldest did not wait");
    fed.pipeline.release_all();
    assert_eq!(fed.pipeline.status()["waiting_events"], 0);
    assert_eq!(evaluated(&fed) - before, 2 * EVENTS);
}

#[test]
fn an_answer_may_come_before_the_container() {
    let (mut machine, mut fed) = container_fixture();
    fed.pipeline.container_answered(&container_id(1), told(1));
    let answers = fed.pipeline.container_answers();
    assert_eq!(answers, [ContainerAnswer::new(container_id(1), told(1))]);
    start_in_container(&mut machine, 1);
    fed.feed(&mut machine, false, Vec::new());
    assert!(fed.pipeline.take_wanted_containers().is_empty());
    assert_eq!(fed.rule_ids(), ["started", "tagged", "counted"]);
}

const KILLS: &str = r#"
rules:
  - id: one
    expression: exec.file.path == "/bin/bad"
    actions:
      - log: {level: debug, message: "seen"}
      - kill: {signal: SIGTERM}
      - kill: {signal: SIGKILL, scope: container}
  - id: quiet
    expression: exec.file.path == "/bin/quiet"
    silent: true
    actions: [{kill: {signal: SIGKILL}}]
  - id: wild
    expression: exec.file.path == "/bin/wild"
    actions: [{kill: {signal: SIGKILL, scope: container}}]
"#;

fn killing() -> (Machine, Fed) {
    let mut machine = Machine::boot();
    let any = Disarmer { max: Some(2), period_ns: 60 * SECOND };
    let config = Config { disarmers: Disarmers { containers: any, executables: any }, ..config() };
    let actions = ActionSupport { kill: true, ..ActionSupport::default() };
    let mut fed = Fed::with(KILLS, config, actions);
    fed.begin(&mut machine, "boot");
    fed.reports();
    (machine, fed)
}

fn actions(report: &Json) -> &Json {
    &report["agent"]["rule_actions"]
}

#[test]
fn a_report_of_a_kill_waits_for_what_came_of_it() {
    let (mut machine, mut fed) = killing();
    let pid = machine.fork(1);
    machine.exec(pid, "/bin/bad", &["bad"]);
    fed.feed(&mut machine, false, Vec::new());
    assert!(fed.reports().is_empty());
    let orders = fed.pipeline.take_orders();
    let [order] = orders.as_slice() else { panic!("{orders:?}") };
    assert_eq!((order.signal, order.targets.len(), order.targets[0].pid), (15, 1, pid));
    assert!(order.targets[0].start_time_ns > 0);
    assert!(fed.pipeline.take_orders().is_empty());
    // Of something else.
    fed.pipeline.killed(&Done { id: order.id + 7, sent: 1, ..Done::default() }, 0);
    assert!(fed.reports().is_empty());
    fed.pipeline.killed(&Done { id: order.id, sent: 1, ..Done::default() }, 1_700_000_000_000_000_000);
    let reports = fed.reports();
    let expected = json!([
        {
            "type": "kill", "signal": "SIGTERM", "scope": "process", "status": "performed",
            "killed_at": "2023-11-14T22:13:20.000000000Z"
        },
        {
            "type": "kill", "signal": "SIGKILL", "scope": "container", "status": "not_performed",
            "reason": "it is in no container"
        },
    ]);
    assert_eq!(actions(&reports[0]), &expected);
    // The agent ends before it knows.
    let pid = machine.fork(1);
    machine.exec(pid, "/bin/bad", &["bad"]);
    fed.feed(&mut machine, false, Vec::new());
    fed.pipeline.release_kills();
    assert_eq!(actions(&fed.reports()[0])[0]["status"], "not_performed");
}

#[test]
fn a_silent_rule_kills_without_a_report() {
    let (mut machine, mut fed) = killing();
    let pid = machine.fork(1);
    machine.exec(pid, "/bin/quiet", &["quiet"]);
    fed.feed(&mut machine, false, Vec::new());
    let orders = fed.pipeline.take_orders();
    assert_eq!(orders.len(), 1);
    fed.pipeline.killed(&Done { id: orders[0].id, sent: 1, ..Done::default() }, 0);
    assert!(fed.reports().is_empty());
}

#[test]
fn what_ran_before_is_left_alone() {
    let (mut machine, mut fed) = killing();
    let pid = machine.fork(1);
    machine.exec(pid, "/bin/bad", &["bad"]);
    machine.take();
    fed.begin(&mut machine, "boot");
    assert!(fed.pipeline.take_orders().is_empty());
    let reports = fed.reports();
    assert_eq!(actions(&reports[0])[0]["reason"], "it happened before anybody watched", "{reports:?}");
}

#[test]
fn all_of_a_container_are_meant_and_a_rule_that_is_about_too_many_is_disarmed() {
    let (mut machine, mut fed) = killing();
    let wild = |machine: &mut Machine, number: u8| {
        let other = machine.fork(1);
        machine.move_to_cgroup(other, 100 + u64::from(number), &format!("/docker/{}", container_id(number)));
        let pid = machine.fork(other);
        machine.exec(pid, "/bin/wild", &["wild"]);
        [pid, other]
    };
    for number in 1..=2 {
        let mut expected = wild(&mut machine, number);
        fed.feed(&mut machine, false, Vec::new());
        fed.pipeline.release_all();
        let orders = fed.pipeline.take_orders();
        let mut pids: Vec<u32> = orders[0].targets.iter().map(|target| target.pid).collect();
        pids.sort_unstable();
        expected.sort_unstable();
        assert_eq!(pids, expected);
    }
    fed.pipeline.release_kills();
    fed.reports();
    wild(&mut machine, 3);
    fed.feed(&mut machine, false, Vec::new());
    fed.pipeline.release_all();
    assert!(fed.pipeline.take_orders().is_empty());
    let reports = fed.reports();
    assert_eq!(actions(&reports[0])[0]["status"], "rule_disarmed", "{reports:?}");
    assert_eq!(actions(&reports[0])[0]["reason"], "it would kill in too many containers");
}
