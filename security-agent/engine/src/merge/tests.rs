//! Definitions of several files, as a user sees them: by what loads.

use crate::loader::{PolicyFile, PolicyFiles};
use crate::ruleset::{Load, LoadOptions, RuleStatus, load};
use crate::variables::WrittenProcesses;

/// Loads policies: the first one is the default policy.
fn loaded(policies: &[&str]) -> Load {
    let names = ["default.policy", "a.policy", "b.policy", "c.policy"];
    let files = names.iter().zip(policies).map(|(name, text)| PolicyFile::in_memory(name, *text));
    load(PolicyFiles::in_memory(files.collect()), &model::Fields::default(), &LoadOptions::default())
}

const EMPTY: &str = "macros: [{id: UNUSED, values: [a]}]";

fn expressions(policies: &[&str]) -> Vec<String> {
    let load = loaded(policies);
    assert_eq!(load.counts.errors, 0, "{:?}", load.diagnostics);
    load.rules.rules().iter().map(|rule| format!("{} {}", rule.id, rule.expression)).collect()
}

const DEFAULT: &str = r#"
rules:
  - id: r
    expression: exec.comm == "default"
    description: old
    every: 5s
    tags: {a: old}
    product_tags: [old]
    actions: [{set: {name: old, value: 1}}]
"#;

#[test]
fn an_override_takes_over_what_it_names() {
    let with = |options: &str| {
        let text = format!(
            "rules: [{{id: r, combine: override, expression: exec.comm == \"new\", description: new, every: 7s, tags: {{a: new}}, product_tags: [new], actions: [{{log: {{level: info}}}}]{options}}}]"
        );
        let load = loaded(&[DEFAULT, &text]);
        assert_eq!(load.counts.errors, 0, "{:?}", load.diagnostics);
        let rule = &load.rules.rules()[0];
        let outcome = &load.policies[0].rules[0];
        assert_eq!(
            (&outcome.status, outcome.modified_by.as_slice()),
            (&RuleStatus::Loaded, &["a.policy".to_owned()][..])
        );
        assert_eq!(load.policies[1].rules[0].status, RuleStatus::Merged);
        let actions = &load.rules.compiled()[0].actions;
        let is_set = matches!(actions[0].effect, crate::ruleset::ActionEffect::Set(_));
        let new = |is_new: bool| if is_new { "new" } else { "old" };
        [
            new(rule.expression.contains("new")),
            new(rule.description == "new"),
            new(rule.every == Some(7_000_000_000)),
            new(rule.tags[0].1 == "new"),
            new(rule.product_tags[0] == "new"),
            new(!is_set),
        ]
    };
    assert_eq!(with(""), ["new", "old", "old", "old", "old", "old"]);
    assert_eq!(with(", override_options: {fields: [all]}"), ["new"; 6]);
    assert_eq!(
        with(", override_options: {fields: [every, tags]}"),
        ["old", "old", "new", "new", "old", "old"]
    );
    assert_eq!(
        with(", override_options: {fields: [actions, product_tags]}"),
        ["old", "old", "old", "old", "new", "new"]
    );
    assert_eq!(
        with(", override_options: {fields: [expression]}"),
        ["new", "old", "old", "old", "old", "old"]
    );
}

#[test]
fn an_override_can_switch_a_rule_off_and_on() {
    let off = "rules: [{id: r, combine: override, disabled: true}]";
    let on = "rules: [{id: r, combine: override, override_options: {fields: [tags]}, tags: {a: b}}]";
    let custom = "rules: [{id: r, expression: exec.comm == \"custom\"}]";
    assert!(expressions(&[DEFAULT, off]).is_empty());
    assert_eq!(expressions(&[DEFAULT, off, on]), ["r exec.comm == \"default\""]);
    assert!(expressions(&[EMPTY, custom, off]).is_empty(), "also one of another custom policy");
}

#[test]
fn an_override_of_nothing_is_a_rule_of_its_own() {
    let text = "rules: [{id: r, combine: override, expression: exec.comm == \"x\"}]";
    assert_eq!(expressions(&[EMPTY, text]), ["r exec.comm == \"x\""]);
    let load = loaded(&[EMPTY, "rules: [{id: r, combine: override}]"]);
    assert_eq!((load.counts.errors, load.diagnostics[0].code), (1, "P012"));
}

#[test]
fn reasons_name_the_policy_that_switched_a_rule_off() {
    let load = loaded(&[DEFAULT, "rules: [{id: r, disabled: true}]"]);
    assert_eq!(load.skipped().collect::<Vec<_>>(), [("r", "disabled by a.policy")]);
}

#[test]
fn macros_merge_and_give_way() {
    let base = "macros: [{id: M, values: [a]}]\nrules: [{id: r, expression: exec.comm in M}]";
    let matches = |policies: &[&str], comm: &str| {
        let load = loaded(policies);
        assert_eq!(load.counts.errors, 0, "{:?}", load.diagnostics);
        let mut engine = crate::Engine::new(load.rules);
        let event =
            model::FlatEvent::from_json(&serde_json::json!({ "exec.comm": comm }), 0).expect("an event");
        let mut found = Vec::new();
        engine.evaluate(&event, &WrittenProcesses, 0, &mut found);
        !found.is_empty()
    };
    let merge = "macros: [{id: M, values: [b, '~\"c*\"'], combine: merge}]";
    let replace = "macros: [{id: M, expression: '[\"d\"]', combine: override}]";
    assert_eq!(["a", "b", "cc", "d"].map(|comm| matches(&[base, merge], comm)), [true, true, true, false]);
    assert_eq!(["a", "d"].map(|comm| matches(&[base, replace], comm)), [false, true]);
    let wrong =
        |text: &str| loaded(&[base, text]).diagnostics.iter().map(|found| found.code).collect::<Vec<_>>();
    assert_eq!(wrong("macros: [{id: M, values: [b]}]"), ["P013"]);
    assert_eq!(wrong("macros: [{id: M, expression: '[\"d\"]', combine: merge}]"), ["P015"]);
    assert_eq!(wrong("macros: [{id: M, values: [b], combine: add}]"), ["P015"]);
}

#[test]
fn a_wrong_macro_spoils_only_the_rules_that_use_it() {
    let load = loaded(&[
        "macros: [{id: BAD, expression: exec.nothing == 1}, {id: SYNTAX, expression: '[1,'}]\nrules:\n  - {id: uses, expression: BAD}\n  - {id: good, expression: exec.uid == 0}\n",
    ]);
    assert_eq!(load.loaded().collect::<Vec<_>>(), ["good"]);
    assert_eq!(load.counts.errors, 3, "{:?}", load.diagnostics);
}

#[test]
fn rules_of_events_that_are_not_watched_are_skipped() {
    use secl::Schema as _;
    let schema = model::Fields::default();
    let exec = schema.event_type("exec").expect("exec events");
    let files = PolicyFiles::in_memory(vec![PolicyFile::in_memory(
        "a.policy",
        "rules:\n  - {id: e, expression: exec.uid == 0}\n  - {id: d, expression: dns.question.name == \"x\"}\n  - {id: f, expression: fim.write.file.path == \"/x\"}\n",
    )]);
    let options = LoadOptions { enabled_events: Some([exec].into()), ..LoadOptions::default() };
    let load = load(files, &schema, &options);
    assert_eq!(load.loaded().collect::<Vec<_>>(), ["e"]);
    assert_eq!(load.skipped().map(|(id, _)| id).collect::<Vec<_>>(), ["d", "f"]);
    assert!(!load.has_errors() && load.diagnostics.iter().all(|found| found.code == "P050"));
    assert_eq!(load.rules.event_types(), [exec].into());
}
