//! The shared conformance cases of the language.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "test code")]

mod support;

use secl::{Compiler, Limits, Macros, RuleSet, Scratch, interpret, parse};
use serde_json::Value as Json;
use support::event::FlatEvent;
use support::schema::TableSchema;
use support::variables::FixedVariables;

/// What a case gives: whether the rule matches, or how it fails to compile.
fn outcome(schema: &TableSchema, case: &Json) -> Result<bool, String> {
    let limits = Limits::default();
    let mut macros = Macros::new();
    for (name, text) in case.get("macros").and_then(Json::as_object).into_iter().flatten() {
        macros.define(name, text.as_str().unwrap(), &limits).map_err(|found| format!("{found:?}"))?;
    }
    let variables = FixedVariables::from_json(case.get("vars"));
    let text = case["expr"].as_str().unwrap();
    let compiler = Compiler { schema, variables: &variables, macros: &macros, limits };
    let rule = compiler.rule(text).map_err(|found| {
        found.iter().map(|diagnostic| diagnostic.render(text)).collect::<Vec<_>>().join("\n")
    })?;
    let event = FlatEvent::from_json(schema, rule.event_type().unwrap(), &case["event"]);
    let mut scratch = Scratch::default();
    let matches = rule.matches(&event, &variables, &mut scratch);
    // The oracle, the rule set and the explanation have to agree with the rule.
    let oracle = interpret(&compiler, &parse(text, &limits).unwrap(), &event, &variables);
    assert_eq!(oracle, Ok(matches), "{text}");
    assert_eq!(rule.explain(&event, &variables, &mut scratch).is_some(), matches, "{text}");
    let found = RuleSet::new([&rule]).start(&event, &mut scratch).next(&event, &variables);
    assert_eq!(found.is_some(), matches, "{text}");
    Ok(matches)
}

#[test]
fn cases_have_the_expected_outcome() {
    let Some(schema) = TableSchema::shared() else { return };
    let mut wrong = Vec::new();
    for case in support::shared_lines("secl/cases.jsonl") {
        // Forms that the reference refuses for reasons of its lexer or library are accepted here.
        let lenient = case.get("confidence").is_some_and(|c| c == "quirk") && case["expect"] == "error";
        let outcome = outcome(&schema, &case);
        let right = match (&outcome, &case["expect"]) {
            (Ok(result), Json::Bool(expected)) => result == expected,
            (Ok(_), Json::String(_)) => lenient,
            (Err(_), expected) => expected == "error" && !lenient,
            _ => false,
        };
        if !right {
            wrong.push(format!("{} {}\n  {}: {outcome:?}", case["id"], case["expr"], case["note"]));
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}
