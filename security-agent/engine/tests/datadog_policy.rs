//! The default policy of Datadog: all of it loads, and each of its Linux rules fires on an event that it is meant for and not on
//! a close miss.
//!
//! `datadog_policy/cases.jsonl` holds a line for each rule: events that come before (`after`), one that the rule must match and one
//! that it must not.
#![allow(clippy::expect_used, reason = "a test fails by panicking")]

mod shared;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

use engine::loader::{PolicyFile, PolicyFiles};
use engine::variables::WrittenProcesses;
use engine::variables::{VariableStore, View};
use engine::{Engine, HostFacts, KernelVersion, Load, LoadOptions, load};
use model::{Fields, FlatEvent};
use serde_json::Value;

const POLICY: &str = "policies/datadog-default-1.69.3.policy";

/// A kernel with the Dirty Pipe bug, which two of the rules are for.
const DIRTY_PIPE_KERNEL: &str = "5.10.50-1-amd64";

fn loaded(text: &str, kernel: &str) -> Load {
    let host = HostFacts { kernel: KernelVersion::parse(kernel), ..HostFacts::default() };
    let files = PolicyFiles::in_memory(vec![PolicyFile::in_memory("default.policy", text)]);
    let result = load(files, &Fields::default(), &LoadOptions { host, ..LoadOptions::default() });
    let errors: Vec<_> = result
        .diagnostics
        .iter()
        .filter(|found| found.severity == engine::diagnostic::Severity::Error)
        .map(engine::diagnostic::render)
        .collect();
    assert!(errors.is_empty(), "{}", errors.join("\n"));
    result
}

/// The policy with its rules for other versions of the agent: pairs of old and new rules have different ids.
fn of_all_versions(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("agent_version:"));
    lines.fold(String::new(), |mut out, line| {
        _ = writeln!(out, "{line}");
        out
    })
}

#[test]
fn all_of_the_policy_loads() {
    let Some(text) = shared::text(POLICY) else { return };
    let result = loaded(&text, "6.1.0-18-amd64");
    assert_eq!((result.counts.loaded, result.counts.skipped, result.counts.errors), (255, 64, 0));
    assert!(result.skipped().all(|(_, reason)| !reason.is_empty()));
    assert_eq!(loaded(&text, DIRTY_PIPE_KERNEL).counts.loaded, 257);
    let all = loaded(&of_all_versions(&text), DIRTY_PIPE_KERNEL);
    assert_eq!((all.counts.loaded, all.counts.skipped), (282, 37), "the others are for Windows");
}

/// Whether the rule matches the last of some events, and the type of the event is that of the rule.
fn matches(load: &Load, rule: &str, before: &[Value], event: &Value) -> bool {
    let mut engine = Engine::new(Arc::clone(&load.rules));
    let mut now: u64 = 1_700_000_000_000_000_000;
    let read = |event: &Value, now: u64| {
        FlatEvent::from_json(event, i64::try_from(now).expect("a time"))
            .unwrap_or_else(|errors| panic!("{rule}: {errors:?} in {event}"))
    };
    for event in before {
        engine.evaluate(&read(event, now), &WrittenProcesses, now, &mut Vec::new());
        now += 1_000_000;
    }
    let mut event = read(event, now);
    if event.kind().is_none() {
        let types = load.rules.event_types_of(rule);
        event.set_event_type(*types.first().unwrap_or_else(|| panic!("no rule {rule}")));
    }
    let by_oracle = if before.is_empty() { Some(interpreted(load, rule, &event)) } else { None };
    let mut found = Vec::new();
    engine.evaluate(&event, &WrittenProcesses, now, &mut found);
    let of_rule = found.iter().find(|found| found.rule.id == rule);
    if let Some(found) = of_rule.filter(|found| found.reported) {
        assert!(!found.reasons.is_empty(), "{rule} matches without a reason");
    }
    if let Some(expected) = by_oracle {
        assert_eq!(of_rule.is_some(), expected, "{rule}: the slow interpreter does not agree");
    }
    of_rule.is_some()
}

/// What the slow interpreter of the language says, with all variables unset.
fn interpreted(load: &Load, rule: &str, event: &FlatEvent) -> bool {
    let expression = &load.rules.rules().iter().find(|info| info.id == rule).expect("a rule").expression;
    // The interpreter knows no pseudo events; the cases are about unlinked files.
    let expression = expression.replace("fim.write.", "unlink.");
    let expr = secl::parse(&expression, &secl::Limits::default()).expect("a rule that loads parses");
    let fields = Fields::default();
    let variables = load.rules.variables();
    let compiler = secl::Compiler { macros: &load.macros, variables, ..secl::Compiler::new(&fields) };
    let store = VariableStore::new();
    let view = View::new(variables, &store, event, 0);
    secl::interpret(&compiler, &expr, event, &view).unwrap_or_else(|error| panic!("{rule}: {error}"))
}

#[test]
fn each_rule_fires_on_its_event_and_not_on_a_close_miss() {
    let Some(text) = shared::text(POLICY) else { return };
    let load = loaded(&of_all_versions(&text), DIRTY_PIPE_KERNEL);
    let cases: Vec<Value> = include_str!("datadog_policy/cases.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let mut failures = Vec::new();
    for case in &cases {
        let rule = case["rule"].as_str().expect("a rule");
        let before = case["after"].as_array().map_or(&[][..], Vec::as_slice);
        if !matches(&load, rule, before, &case["match"]) {
            failures.push(format!("{rule} does not match {}", case["match"]));
        }
        if matches(&load, rule, before, &case["no_match"]) {
            failures.push(format!("{rule} matches {}", case["no_match"]));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    let covered: BTreeSet<&str> = cases.iter().filter_map(|case| case["rule"].as_str()).collect();
    let missing: Vec<_> = load.loaded().filter(|rule| !covered.contains(rule)).collect();
    assert!(missing.is_empty(), "no case for {missing:?}");
}
