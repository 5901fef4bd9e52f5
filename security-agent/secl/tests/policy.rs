//! The default policy compiles, and its rules hold what the language promises.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "test code")]

mod support;

use secl::{Limits, parse};
use support::policy::Policy;
use support::schema::TableSchema;

#[test]
fn all_rules_of_the_default_policy_compile() {
    let Some(schema) = TableSchema::shared() else { return };
    let Some(policy) = Policy::shared(&schema) else { return };
    let rules = policy.compile(&schema);
    assert_eq!(policy.count, 282);
    for (rule, (id, text)) in rules.iter().zip(&policy.rules) {
        assert!(rule.event_type().is_some(), "{id}");
        // One rule has a slip: a pattern without its `~`, which a plain string is not.
        let is_known =
            |warning: &secl::Diagnostic| id == "memfd_create" && warning.code == secl::Code::PlainStar;
        let warnings = rule.warnings().iter().filter(|warning| !is_known(warning));
        let warnings: Vec<_> = warnings.map(|warning| warning.render(text)).collect();
        assert!(warnings.is_empty(), "{id}:\n{}", warnings.join("\n"));
    }
}

#[test]
fn printing_and_parsing_the_default_policy_is_stable() {
    let Some(schema) = TableSchema::shared() else { return };
    let Some(policy) = Policy::shared(&schema) else { return };
    for (id, text) in &policy.rules {
        let tree = parse(text, &Limits::default()).unwrap();
        let printed = tree.to_string();
        assert_eq!(parse(&printed, &Limits::default()).unwrap(), tree, "{id}: {printed}");
    }
}
