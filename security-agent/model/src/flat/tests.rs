use secl::Event;
use serde_json::json;

use super::*;

const NOW: i64 = 1_700_000_000_000_000_000;

fn id(name: &str) -> FieldId {
    field(name).unwrap().id
}

fn strs(event: &FlatEvent, name: &str, at: Option<usize>) -> Vec<String> {
    let mut seen = Vec::new();
    event.any_str(id(name), at, |value| {
        seen.push(String::from_utf8(value.to_vec()).unwrap());
        false
    });
    seen
}

#[test]
fn values_are_read_back() {
    let event = FlatEvent::from_json(
        &json!({
            "open.flags": "O_CREAT|O_WRONLY", "open.retval": "EACCES", "open.file.path": "/etc/shadow",
            "open.file.change_time": "@now-5s", "open.file.hashes": ["a", "b"], "open.file.mode": 420,
            "process.user_session.ssh_client_ip": "::1", "event.async": true, "process.created_at": "@now",
        }),
        NOW,
    )
    .unwrap();
    assert_eq!(event.kind(), Some(EventKind::Open));
    assert_eq!(event.int(id("open.flags")), 0o101);
    assert_eq!(event.int(id("open.retval")), -13);
    assert_eq!(event.int(id("open.file.change_time")), NOW - 5_000_000_000);
    assert_eq!(event.int(id("process.created_at")), NOW);
    assert_eq!(event.str(id("open.file.path")), b"/etc/shadow");
    assert_eq!(event.str(id("open.file.name")), b"", "no field is derived from another one");
    assert_eq!(strs(&event, "open.file.hashes", None), ["a", "b"]);
    assert_eq!(event.ip(id("process.user_session.ssh_client_ip")), Some("::1".parse().unwrap()));
    assert!(event.bool(id("event.async")));
}

#[test]
fn iterators_are_parallel_arrays() {
    let event = FlatEvent::from_json(
        &json!({
            "process.ancestors.comm": ["sh", "nginx"], "process.ancestors.argv": [["-c", "id"]],
            "process.ancestors.pid": [7],
        }),
        NOW,
    )
    .unwrap();
    assert_eq!(event.len(iterator_of_length("process.ancestors.length").unwrap()), 2);
    assert_eq!(strs(&event, "process.ancestors.comm", None), ["sh", "nginx"]);
    assert_eq!(strs(&event, "process.ancestors.comm", Some(1)), ["nginx"]);
    assert!(strs(&event, "process.ancestors.comm", Some(2)).is_empty());
    assert_eq!(strs(&event, "process.ancestors.argv", Some(0)), ["-c", "id"]);
    assert!(strs(&event, "process.ancestors.argv", Some(1)).is_empty());
    assert_eq!(strs(&event, "process.ancestors.tty_name", None), ["", ""]);
    let mut pids = Vec::new();
    event.any_int(id("process.ancestors.pid"), None, |pid| {
        pids.push(pid);
        false
    });
    assert_eq!(pids, [7, 0]);
}

#[test]
fn side_facts_are_alternatives() {
    let event = FlatEvent::from_json(
        &json!({
            "~exec_symlink_path": "/tmp/link", "~mount_path:open.file": "/merged",
            "open.file.path": "/merged/etc/passwd", "open.file.filesystem": "overlay",
        }),
        NOW,
    )
    .unwrap();
    assert!(event.any_alternative(id("exec.file.path"), None, |path| path == b"/tmp/link"));
    assert!(event.any_alternative(id("process.file.name"), None, |name| name == b"link"));
    assert!(event.any_alternative(id("open.file.path"), None, |path| path == b"/etc/passwd"));
    assert!(!event.any_alternative(id("open.file.name"), None, |_| true));
}

#[test]
fn all_mistakes_are_reported_at_once() {
    let errors = FlatEvent::from_json(
        &json!({
            "exec.nothing": 1, "exec.uid": "NO_SUCH", "exec.comm": 1, "event.async": "yes", "exec.pid": 1.5,
            "~other": "x", "exec.created_at": "@now-5x", "connect.addr.ip": "10.0.0.0/8",
            "process.ancestors.length": -1, "exec.gid": "@now+99999999999h",
        }),
        NOW,
    )
    .unwrap_err();
    let messages: Vec<_> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(messages.len(), 10, "{messages:#?}");
    assert!(messages.contains(&"unknown field `exec.nothing`".to_owned()));
    assert!(messages.contains(&"field `exec.pid` is of type int, which `1.5` is not".to_owned()));
    assert!(FlatEvent::from_json(&json!([]), NOW).is_err());
}
