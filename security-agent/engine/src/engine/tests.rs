use std::sync::Arc;

use model::{Fields, FlatEvent};
use secl::Value;
use serde_json::json;

use super::{Engine, Match, Reason};
use crate::diagnostic::Severity;
use crate::loader::{PolicyFile, PolicyFiles};
use crate::policy::action::{KillScope, LogLevel};
use crate::request::RequestKind;
use crate::ruleset::{Load, LoadOptions, load};
use crate::variables::{ProcessKey, WrittenProcesses};

const SECOND: u64 = 1_000_000_000;
/// When tests begin, in nanoseconds since 1970.
const START: u64 = 1_700_000_000 * SECOND;

fn loaded(policy: &str) -> Load {
    let files = PolicyFiles::in_memory(vec![PolicyFile::in_memory("a.policy", policy)]);
    let load = load(files, &Fields::default(), &LoadOptions::default());
    let errors: Vec<_> = load.diagnostics.iter().filter(|found| found.severity == Severity::Error).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    load
}

/// An engine, and the time in it.
struct Bench {
    engine: Engine,
    now: u64,
}

impl Bench {
    fn new(policy: &str) -> Self {
        Bench { engine: Engine::new(loaded(policy).rules), now: START }
    }

    fn matches(&mut self, event: &serde_json::Value) -> Vec<Match> {
        let event = FlatEvent::from_json(event, i64::try_from(self.now).expect("a time")).expect("an event");
        let mut matches = Vec::new();
        self.engine.evaluate(&event, &WrittenProcesses, self.now, &mut matches);
        matches
    }

    fn ids(&mut self, event: &serde_json::Value) -> Vec<String> {
        self.matches(event).into_iter().map(|found| found.rule.id.clone()).collect()
    }

    fn wait(&mut self, time: u64) {
        self.now += time;
    }
}

#[test]
fn a_rule_sees_what_earlier_rules_of_the_same_event_set() {
    let mut bench = Bench::new(
        r#"
rules:
  - {id: reads_too_early, expression: 'exec.file.name == "x" && ${n} == 1'}
  - {id: sets, expression: 'exec.file.name == "x" && ${n} == 0', actions: [{set: {name: n, value: 1}}]}
  - {id: reads, expression: 'exec.file.name == "x" && ${n} == 1'}
"#,
    );
    assert_eq!(bench.ids(&json!({"exec.file.name": "x"})), ["sets", "reads"]);
    assert_eq!(bench.ids(&json!({"exec.file.name": "x"})), ["reads_too_early", "reads"]);
}

#[test]
fn a_rule_knows_its_own_tags() {
    let mut bench = Bench::new(
        r#"
rules:
  - {id: own, expression: 'exec.file.name == "x" && event.rule.tags == "team:red"', tags: {team: red, level: low}}
  - {id: of_another, expression: 'exec.file.name == "x" && event.rule.tags == "team:red"', tags: {team: blue}}
  - {id: pattern, expression: 'exec.file.name == "x" && event.rule.tags in [~"te*:blue", "a:b"]', tags: {team: blue}}
  - {id: not, expression: 'exec.file.name == "x" && event.rule.tags != "team:red"'}
  - {id: not_own, expression: 'exec.file.name == "x" && event.rule.tags not in ["team:red"]', tags: {team: red}}
"#,
    );
    assert_eq!(bench.ids(&json!({"exec.file.name": "x"})), ["own", "pattern", "not"]);
    assert!(bench.ids(&json!({"exec.file.name": "y"})).is_empty());
}

#[test]
fn tags_of_the_rule_are_compared_with_literals_only() {
    let policy = "rules:\n  - {id: a, expression: 'exec.file.name in event.rule.tags'}\n  \
                  - {id: b, expression: 'event.rule.tags == exec.file.name'}\n";
    let files = PolicyFiles::in_memory(vec![PolicyFile::in_memory("a.policy", policy)]);
    let load = load(files, &Fields::default(), &LoadOptions::default());
    assert_eq!(load.counts.loaded, 0);
    let said: Vec<_> = load.diagnostics.iter().map(|found| found.message.as_str()).collect();
    assert!(said.iter().any(|said| said.contains("can only be compared with literals")), "{said:?}");
}

#[test]
fn priorities_order_the_rules_of_an_event() {
    let mut bench = Bench::new(
        r#"
rules:
  - {id: low, expression: exec.file.name == "x", priority: -1}
  - {id: first, expression: exec.file.name == "x"}
  - {id: second, expression: exec.file.name == "x"}
  - {id: high, expression: exec.file.name == "x", priority: 10}
"#,
    );
    assert_eq!(bench.ids(&json!({"exec.file.name": "x"})), ["high", "first", "second", "low"]);
}

#[test]
fn process_variables_are_inherited_only_if_they_say_so() {
    let mut bench = Bench::new(
        r#"
rules:
  - id: mark
    expression: exec.file.name == "mark"
    actions:
      - set: {name: down, value: 7, scope: process, inherited: true}
      - set: {name: own, value: 7, scope: process}
  - {id: down, expression: 'open.file.path == "/x" && ${process.down} == 7'}
  - {id: own, expression: 'open.file.path == "/x" && ${process.own} == 7'}
"#,
    );
    bench.matches(&json!({"exec.file.name": "mark", "process.pid": 10}));
    let open = |pid: u32, ancestors: &[u32]| json!({"open.file.path": "/x", "process.pid": pid, "process.ancestors.pid": ancestors});
    assert_eq!(bench.ids(&open(10, &[1])), ["down", "own"]);
    assert_eq!(bench.ids(&open(12, &[11, 10, 1])), ["down"]);
    assert_eq!(bench.ids(&open(13, &[1])), Vec::<String>::new());
    bench.engine.process_ended(ProcessKey { pid: 10, start_time: 0 });
    assert_eq!(bench.ids(&open(12, &[11, 10, 1])), Vec::<String>::new());
}

#[test]
fn counters_lists_and_lives_work_across_events() {
    let mut bench = Bench::new(
        r#"
rules:
  - id: count
    expression: open.file.path == "/count"
    actions:
      - set: {name: n, default_value: 10, expression: '${cgroup.n} + 1', scope: cgroup, ttl: 5s}
      - set: {name: seen, field: process.args, append: true, scope: cgroup, size: 2}
        filter: process.args != ""
  - {id: thirteen, expression: 'unlink.file.path == "/q" && ${cgroup.n} == 13'}
  - {id: reset, expression: 'unlink.file.path == "/q" && ${cgroup.n} == 10'}
  - {id: two, expression: 'unlink.file.path == "/q" && ${cgroup.seen.length} == 2 && "b" in ${cgroup.seen} && "a" not in ${cgroup.seen}'}
"#,
    );
    let query = json!({"unlink.file.path": "/q", "process.cgroup.id": "/a"});
    assert_eq!(bench.ids(&query), ["reset"], "unset reads as the default");
    for args in ["a", "b", "c"] {
        bench.matches(&json!({"open.file.path": "/count", "process.args": args, "process.cgroup.id": "/a"}));
    }
    assert_eq!(bench.ids(&query), ["thirteen", "two"]);
    assert_eq!(bench.ids(&json!({"unlink.file.path": "/q", "process.cgroup.id": "/b"})), ["reset"]);
    bench.wait(6 * SECOND);
    assert_eq!(bench.ids(&query), ["reset", "two"], "the counter's life is over, the list has no end");
    bench.engine.cgroup_ended(b"/a");
    assert_eq!(bench.ids(&query), ["reset"]);
    assert_eq!(bench.engine.variable_stats().bytes, 0);
}

#[test]
fn requests_say_what_is_to_be_done_and_whether_it_can_be() {
    let mut bench = Bench::new(
        r#"
rules:
  - id: r
    expression: exec.file.name == "x"
    every: 1h
    actions:
      - kill: {signal: SIGKILL, scope: container}
      - hash: {}
      - log: {level: warning, message: 'ran %{exec.file.name} as ${process.pid}'}
      - log: {level: info, message: never}
        filter: exec.file.name == "y"
      - coredump: {process: true}
      - network_filter: {filter: port 53, policy: drop, scope: cgroup}
"#,
    );
    let event = json!({"exec.file.name": "x", "process.pid": 42});
    let first = bench.matches(&event).remove(0);
    let names: Vec<_> = first.actions.iter().map(|action| (action.kind.name(), action.supported)).collect();
    let expected =
        [("kill", false), ("hash", false), ("log", true), ("coredump", false), ("network_filter", false)];
    assert_eq!(names, expected);
    assert!(matches!(
        &first.actions[0].kind,
        RequestKind::Kill { signal: 9, scope: KillScope::Container, name, .. } if name == "SIGKILL"
    ));
    assert_eq!(first.actions[1].kind, RequestKind::Hash { file: "exec.file".into(), max_file_size: None });
    let message = b"ran x as 42".to_vec();
    assert_eq!(first.actions[2].kind, RequestKind::Log { level: LogLevel::Warning, message });
    let held = bench.matches(&event).remove(0);
    let names: Vec<_> = held.actions.iter().map(|action| action.kind.name()).collect();
    assert!(!held.reported);
    assert_eq!(names, ["kill", "network_filter"], "a flood must not disarm these");
}

#[test]
fn what_is_held_back_is_counted_and_told() {
    let mut bench = Bench::new("rules: [{id: r, expression: 'exec.file.name == \"x\"'}]");
    let event = json!({"exec.file.name": "x"});
    let reported = (0..100).filter(|_| bench.matches(&event)[0].reported).count();
    assert_eq!(reported, 40);
    assert_eq!(bench.engine.suppressed().collect::<Vec<_>>(), [("r", 60)]);
    bench.wait(SECOND);
    let next = bench.matches(&event).remove(0);
    assert_eq!((next.reported, next.suppressed), (true, 60));
}

#[test]
fn limiter_tokens_separate_reports_by_values() {
    let mut bench = Bench::new(
        "rules: [{id: r, expression: 'exec.file.name == \"x\"', every: 1m, limiter_token: [process.container.id, exec.uid]}]",
    );
    let mut reported = |container: &str, uid: u32| {
        let event = json!({"exec.file.name": "x", "process.container.id": container, "exec.uid": uid});
        bench.matches(&event)[0].reported
    };
    assert_eq!(
        [reported("a", 1), reported("a", 1), reported("b", 1), reported("a", 2), reported("b", 1)],
        [true, false, true, true, false]
    );
}

#[test]
fn reasons_show_the_values_before_actions_change_them() {
    let mut bench = Bench::new(
        r#"
rules:
  - id: r
    expression: exec.file.name in ["x", "y"] && ${n} < 5
    actions: [{set: {name: n, value: 9}}]
"#,
    );
    let reasons = bench.matches(&json!({"exec.file.name": "y"})).remove(0).reasons;
    let name = Reason {
        condition: r#"exec.file.name in ["x", "y"]"#.into(),
        offset: Some(0),
        held: true,
        values: vec![("exec.file.name".into(), Value::Str(b"y".to_vec()))],
    };
    assert_eq!(reasons[0], name);
    assert_eq!((reasons[1].offset, &reasons[1].values[0].1), (Some(32), &Value::Int(0)));
}

#[test]
fn a_reload_keeps_variables_and_starts_limits_anew() {
    let policy = |extra: &str| {
        format!(
            "rules:\n{extra}  - {{id: set, expression: 'exec.file.name == \"x\"', every: 1h, actions: [{{set: {{name: v, value: 5, scope: process}}}}]}}\n  - {{id: get, expression: 'open.file.path == \"/x\" && ${{process.v}} == 5'}}\n"
        )
    };
    let mut bench = Bench::new(&policy(""));
    let set = json!({"exec.file.name": "x", "process.pid": 3});
    assert!(bench.matches(&set)[0].reported && !bench.matches(&set)[0].reported);
    let other = policy(
        "  - {id: more, expression: 'exec.file.name == \"x\"', actions: [{set: {name: first, value: [a]}}]}\n",
    );
    bench.engine.replace_rules(loaded(&other).rules);
    assert_eq!(bench.ids(&json!({"open.file.path": "/x", "process.pid": 3})), ["get"]);
    assert!(bench.matches(&set).iter().all(|found| found.reported));
}

#[test]
fn the_memory_of_expired_variables_is_given_back() {
    let mut bench = Bench::new(
        r#"
rules:
  - {id: set, expression: exec.file.name == "x", actions: [{set: {name: v, value: 5, scope: process, ttl: 1s}}]}
"#,
    );
    for pid in 1..100 {
        bench.matches(&json!({"exec.file.name": "x", "process.pid": pid}));
    }
    assert_eq!(bench.engine.variable_stats().instances, 99);
    bench.wait(2 * SECOND);
    bench.engine.purge(bench.now);
    assert_eq!(bench.engine.variable_stats().instances, 0);
}

#[test]
fn a_list_reads_as_its_default_until_it_is_set() {
    let mut bench = Bench::new(
        r#"
rules:
  - id: set
    expression: exec.file.name == "x"
    actions: [{set: {name: l, default_value: [a, b], value: [c]}}]
  - {id: get, expression: 'open.file.path == "/x" && "a" in ${l} && ${l.length} == 2'}
"#,
    );
    assert_eq!(bench.ids(&json!({"open.file.path": "/x"})), ["get"]);
    bench.matches(&json!({"exec.file.name": "x"}));
    assert_eq!(bench.ids(&json!({"open.file.path": "/x"})), Vec::<String>::new());
}

#[test]
fn private_variables_are_not_shown() {
    let mut bench = Bench::new(
        r#"
rules:
  - id: r
    expression: exec.file.name == "x"
    actions:
      - set: {name: shown, field: exec.file.name, scope: process}
      - set: {name: hidden, value: 1, scope: process, private: true}
      - set: {name: unset, value: 1}
        filter: exec.uid == 7
"#,
    );
    let json = json!({"exec.file.name": "x", "process.pid": 3});
    bench.matches(&json);
    let event = FlatEvent::from_json(&json, 0).expect("an event");
    let shown = bench.engine.visible_variables(&event, bench.now);
    assert_eq!(shown, [("process.shown", Value::Str(b"x".to_vec()))]);
}

#[test]
fn rules_of_other_events_and_empty_sets_match_nothing() {
    let mut engine = Engine::new(Arc::default());
    let mut matches = Vec::new();
    engine.evaluate(&FlatEvent::new(0), &WrittenProcesses, 0, &mut matches);
    assert!(matches.is_empty());
    assert!(engine.rules().event_types().is_empty());
}
