//! The default policy compiles, and its rules hold what the language promises.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "test code")]

mod support;

use secl::{Limits, parse};
use support::policy::Policy;
use support::schema::TableSchema;

/// The rules that compare a path with a plain string that has a star in it.
const SLIPS: [&str; 3] = ["memfd_create", "memfd_create_v2", "release_agent_escape"];

#[test]
fn all_rules_of_the_default_policy_compile() {
    let Some(schema) = TableSchema::shared() else { return };
    let Some(policy) = Policy::shared(&schema) else { return };
    let rules = policy.compile(&schema);
    assert_eq!(policy.count, 282);
    let mut warned = Vec::new();
    for (rule, (id, text)) in rules.iter().zip(&policy.rules) {
        assert!(rule.event_type().is_some(), "{id}");
        for warning in rule.warnings() {
            // Patterns without their `~`: slips of the policy, which the reference does not tell.
            assert_eq!(warning.code, secl::Code::PlainStar, "{id}:\n{}", warning.render(text));
            warned.push(id.as_str());
        }
    }
    assert_eq!(warned, SLIPS);
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
