use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use expect_test::{expect, expect_file};
use serde_json::json;

use super::object::{Described, Type};
use super::schema::objects;
use super::*;
use crate::event::{Context, EventKind, Payload};
use crate::network::{Endpoint, Flow, Packet, PrivateRanges};
use crate::process::{Image, Lineage, Process};
use crate::{Arguments, Cgroup, Container, Credentials, File, Text, TextList, payload, shared_data};

fn image(path: &str, arguments: &[&str]) -> Image {
    Image {
        file: File { path: path.into(), inode: 42, mode: 0o100_755, mount_id: 27, ..File::default() },
        arguments: Arguments::new(arguments.iter().collect()),
        envp: TextList::new(["HOME=/root", "LD_PRELOAD=/tmp/x.so"]),
        ..Image::default()
    }
}

fn process(pid: u32, ppid: u32, image: Arc<Image>, nearest: Option<Process>) -> Process {
    Process {
        pid,
        tid: pid,
        ppid,
        start_time: pid.into(),
        comm: Text::new(image.file.name()),
        exec_time: 1_735_689_600_000_000_001,
        credentials: Credentials {
            user: "root".into(),
            group: "root".into(),
            cap_effective: 3,
            ..Credentials::default()
        },
        image,
        lineage: Lineage::new(nearest.map(Arc::new)),
        ..Process::default()
    }
}

fn shell_runs_netcat() -> Process {
    let shell_image = Arc::new(image("/bin/sh", &["sh", "-c", "nc"]));
    let shell = process(10, 1, Arc::clone(&shell_image), None);
    let forked = Process { is_thread: true, ..process(11, 10, shell_image, Some(shell)) };
    let netcat = image("/usr/bin/nc", &["nc", "-e", "/bin/sh", "p\u{e4}ssword=hunter2"]);
    Process {
        is_exec: true,
        container: Some(Arc::new(Container { id: "abc".into(), ..Container::default() })),
        cgroup: Some(Arc::new(Cgroup { id: "/docker/abc".into(), ..Cgroup::default() })),
        ..process(11, 10, Arc::new(netcat), Some(forked))
    }
}

fn exec(process: Process) -> Event {
    let context = Context { timestamp: 1_735_689_600_123_456_789, ..Context::default() };
    let payload = Payload::Exec(payload::Exec { syscall_path: "nc".into(), ..payload::Exec::default() });
    Event::new(context, Arc::new(process), payload)
}

fn rule() -> RuleMatch {
    RuleMatch {
        rule_id: "netcat_shell".into(),
        description: "Netcat runs a shell".into(),
        policy_name: "default.policy".into(),
        tags: vec!["tactic:TA0002".into()],
        expression: r#"exec.file.name == "nc""#.into(),
        matched_on: vec![MatchedOn {
            offset: 0,
            length: 21,
            value: "nc".into(),
            field: "exec.file.name".into(),
        }],
        ..RuleMatch::default()
    }
}

struct Stars;

impl Scrub for Stars {
    fn arguments(&self, arguments: Vec<String>) -> Vec<String> {
        let hide = |argument: String| match argument.split_once('=') {
            Some((name, _)) => format!("{name}=*****"),
            None => argument,
        };
        arguments.into_iter().map(hide).collect()
    }
}

#[test]
fn a_report_of_an_exec_reads_as_that_of_cws() {
    let agent = AgentInfo { version: "1.2.3".into(), ..AgentInfo::default() };
    let mut report = report(&exec(shell_runs_netcat()), &rule(), &agent, &Stars);
    // The only member that depends on the machine.
    assert!(report["agent"]["arch"].is_string());
    report["agent"]["arch"] = json!("ARCH");
    expect_file!["tests/exec.json"].assert_eq(&(serde_json::to_string_pretty(&report).unwrap() + "\n"));
}

#[test]
fn ancestors_tell_shared_arguments_once() {
    let event = exec(shell_runs_netcat());
    let report = super::event(&event, &AgentInfo::default(), &NoScrub);
    let ancestors = report["process"]["ancestors"].as_array().unwrap();
    assert_eq!(ancestors.len(), 2);
    assert_eq!(ancestors[0]["args"], json!(["-c", "nc"]));
    assert_eq!(ancestors[1].get("args"), None, "the shell's fork told them");
    assert_eq!(report["process"]["parent"]["pid"], ancestors[1]["pid"], "not its own fork");
}

#[test]
fn a_very_long_lineage_is_cut_and_marked() {
    let image = Arc::new(Image::default());
    let mut last = process(1, 0, Arc::clone(&image), None);
    for pid in 2..=300 {
        last = process(pid, pid - 1, Arc::clone(&image), Some(last));
    }
    let report = super::event(&exec(last), &AgentInfo::default(), &NoScrub);
    assert_eq!(report["process"]["ancestors"].as_array().unwrap().len(), 200);
    assert_eq!(report["process"]["truncated_ancestors"], true);
}

#[test]
fn arguments_that_are_not_utf8_are_escaped() {
    let mut process = shell_runs_netcat();
    let arguments = Arguments::new(TextList::new([&b"nc"[..], b"\xff\n"]));
    process.image = Arc::new(Image { arguments, ..Image::default() });
    let report = super::event(&exec(process), &AgentInfo::default(), &NoScrub);
    assert_eq!(report["process"]["args"], json!(["\\xff\n"]));
}

#[test]
fn outcome_tells_refusals_from_errors() {
    for (retval, outcome) in
        [(3, "Success"), (-1, "Refused"), (-13, "Refused"), (-2, "Error"), (-9999, "Error")]
    {
        let mut event = exec(Process::default());
        event.payload = Payload::Open(payload::Open {
            call: payload::Call { retval },
            flags: 0o101,
            mode: 0o644,
            ..Default::default()
        });
        let report = super::event(&event, &AgentInfo::default(), &NoScrub);
        assert_eq!(report["evt"], json!({"name": "open", "category": "File Activity", "outcome": outcome}));
    }
}

#[test]
fn credentials_events_tell_old_and_new() {
    let mut event = exec(shell_runs_netcat());
    event.payload = Payload::Capset(payload::Capset { cap_effective: 1 << 21, cap_permitted: 0 });
    let report = super::event(&event, &AgentInfo::default(), &NoScrub);
    let credentials = &report["process"]["credentials"];
    assert_eq!(credentials["cap_effective"], json!(["CAP_CHOWN", "CAP_DAC_OVERRIDE"]));
    expect![[r#"{"cap_effective":["CAP_SYS_ADMIN"],"cap_permitted":[]}"#]]
        .assert_eq(&credentials["destination"].to_string());
}

#[test]
fn options_are_named_by_their_level() {
    let named = |level, optname| {
        let mut event = exec(Process::default());
        event.payload = Payload::Setsockopt(payload::Setsockopt { level, optname, ..Default::default() });
        super::event(&event, &AgentInfo::default(), &NoScrub)["setsockopt"]["optname"].clone()
    };
    assert_eq!(named(1, 26), "SO_ATTACH_FILTER");
    assert_eq!(named(6, 1), "TCP_NODELAY");
    assert_eq!(named(6, 9999), "9999");
}

/// An event of every type, with as much in it as the zero payload allows.
fn every_event() -> impl Iterator<Item = Event> {
    EventKind::ALL.iter().map(|kind| {
        let mut event = exec(shell_runs_netcat());
        event.payload = Payload::zero(*kind);
        let target = Some(Arc::new(shell_runs_netcat()));
        match &mut event.payload {
            Payload::Signal(signal) => signal.target = target,
            Payload::Setrlimit(setrlimit) => setrlimit.target = target,
            Payload::Ptrace(ptrace) => ptrace.tracee = target,
            Payload::ProcessVmWritev(write) => write.target = target,
            Payload::FlowMonitor(monitor) => monitor.flows = Box::new([Flow::default()]),
            Payload::Packet(packet) => packet.tls = Some(crate::Tls::default()),
            _ => {}
        }
        if kind.has_packet() {
            let source = Endpoint::new("10.0.0.1".parse().unwrap(), 53, &PrivateRanges::default());
            event.packet = Some(Box::new(Packet { source, ..Packet::default() }));
        }
        event
    })
}

#[test]
fn reports_of_all_types_follow_the_schema() {
    let schema = schema();
    let mut rule = rule();
    rule.variables.process.insert("key".into(), json!(["a"]));
    rule.actions.push(json!({"action": "log"}));
    for event in every_event() {
        let report = Json::Object(report(&event, &rule, &AgentInfo::default(), &NoScrub));
        check(&schema, &schema, &report, event.kind().name());
    }
}

/// Checks what our schemas use of JSON schema.
fn check(root: &Json, schema: &Json, value: &Json, path: &str) {
    if let Some(reference) = schema["$ref"].as_str() {
        return check(root, root.pointer(reference.trim_start_matches('#')).unwrap(), value, path);
    }
    match schema["type"].as_str().unwrap() {
        "string" => assert!(value.is_string(), "{path}: {value}"),
        "integer" => assert!(value.is_i64(), "{path}: {value}"),
        "boolean" => assert!(value.is_boolean(), "{path}: {value}"),
        "array" => {
            for (index, element) in
                value.as_array().unwrap_or_else(|| panic!("{path}: {value}")).iter().enumerate()
            {
                if !schema["items"].is_null() {
                    check(root, &schema["items"], element, &format!("{path}[{index}]"));
                }
            }
        }
        "object" => {
            let object = value.as_object().unwrap_or_else(|| panic!("{path}: {value}"));
            for required in schema["required"].as_array().into_iter().flatten() {
                assert!(object.contains_key(required.as_str().unwrap()), "{path}: no {required}");
            }
            let Some(properties) = schema["properties"].as_object() else { return };
            for (name, member) in object {
                let property =
                    properties.get(name).unwrap_or_else(|| panic!("{path}: unknown member {name}"));
                check(root, property, member, &format!("{path}.{name}"));
            }
        }
        other => panic!("{path}: type {other}"),
    }
}

#[test]
fn the_schema_in_docs_is_current() {
    let text = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
    crate::generated::assert_current("docs/schema/report.schema.json", &text);
}

#[test]
fn the_reference_in_docs_is_current() {
    crate::generated::assert_current("docs/reports.md", &super::reference::reference());
}

/// Members of CWS that have no counterpart here, and why.
const NOT_TOLD: [(&str, &[&str]); 16] = [
    // Tracing spans and learnt profiles are not among the features.
    ("(top level)", &["dd", "security_profile", "syscalls"]),
    // The state of a look-up of the agent that is always done when it is reported.
    ("File", &["hash_state", "mount_origin"]),
    ("FileEvent", &["group_id"]),
    ("Process", &["syscalls", "aws_security_credentials"]),
    ("AWSSecurityCredentials", &["code", "access_key_id", "last_updated", "expiration"]),
    ("MountEvent", &["mp", "root", "mountpoint.path_error", "source.path_error"]),
    ("RawPacket", &["dropped", "layers"]),
    ("SysCtlEvent", &["proc"]),
    ("UserSessionContext", &["k8s_extra"]),
    ("SyscallContext", &["setsockopt", "prctl"]),
    ("DDContext", &["span_id", "trace_id"]),
    ("SecurityProfileContext", &["name", "version", "tags", "event_in_profile", "event_type_state"]),
    ("Layer", &["type", "Layer"]),
    ("SyscallsEvent", &[]),
    ("Variables", &[]),
    ("Syscall", &["name", "id"]),
];

/// Objects here that stand for one of CWS, where the name differs or several do.
const STANDS_FOR: [(&str, &[&str]); 9] = [
    ("(top level)", &["Report"]),
    ("File", &["FileEvent", "Destination"]),
    ("FileEvent", &["FileEvent"]),
    ("Process", &["InvokedProcess"]),
    ("ProcessContext", &["EventProcess"]),
    ("ProcessCredentials", &["EventCredentials"]),
    ("ContainerContext", &["EventContainer"]),
    ("CGroupContext", &["EventCGroup"]),
    ("ModuleEvent", &["Module"]),
];

/// The objects of CWS with their members, from the tables of its description.
fn objects_of_cws() -> BTreeMap<String, BTreeSet<String>> {
    let text = shared_data::read("reference/cws.md").unwrap_or_default();
    let mut objects: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let tables = text.split("### 7.2 Schemas").nth(1).unwrap_or_default();
    let tables = tables.split("### 7.3").next().unwrap_or_default();
    for line in tables.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| Object")) {
        let mut cells = line.trim_matches('|').split('|').map(str::trim);
        let (Some(name), Some(members)) = (cells.next(), cells.next()) else { continue };
        let members = members.rsplit(" + ").next().unwrap_or_default();
        let names = members.split(", ").filter_map(|member| member.split_once(": "));
        let names = names.map(|(name, _)| name.trim_end_matches('?').to_owned());
        objects.entry(name.trim_end_matches(" (+)").to_owned()).or_default().extend(names);
    }
    objects
}

#[test]
fn members_are_named_as_in_cws() {
    let ours = objects();
    let members = |name: &str| -> BTreeSet<String> {
        let mut members = BTreeSet::new();
        let mut add = |name: &'static str, _: Type, _: bool| {
            members.insert(name.to_owned());
        };
        match ours.get(name) {
            Some(object) => object.each_member(&mut add),
            None if name == "Report" => event::REPORT.each_member(&mut add),
            None if name == "InvokedProcess" => process::INVOKED_PROCESS.each_member(&mut add),
            None => panic!("no object stands for {name}"),
        }
        members
    };
    let mut checked = 0;
    for (name, mut theirs) in objects_of_cws() {
        for (_, missing) in NOT_TOLD.iter().filter(|(object, _)| *object == name) {
            theirs.retain(|member| !missing.contains(&member.as_str()));
        }
        if theirs.is_empty() {
            continue;
        }
        let same = [name.as_str()];
        let stand_ins =
            STANDS_FOR.iter().find(|(object, _)| *object == name).map_or(&same[..], |(_, ours)| ours);
        let ours: BTreeSet<_> = stand_ins.iter().flat_map(|name| members(name)).collect();
        let missing: Vec<_> = theirs.difference(&ours).collect();
        assert!(missing.is_empty(), "{name} lacks {missing:?}");
        checked += 1;
    }
    assert!(checked > 40 || shared_data::read("reference/cws.md").is_none(), "only {checked} objects");
}
