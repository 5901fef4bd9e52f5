//! Cases of loading and of variables: those that the shared data gives, and our own.
#![allow(clippy::expect_used, reason = "a test fails by panicking")]

mod shared;

use engine::loader::{PolicyFile, PolicyFiles};
use engine::variables::WrittenProcesses;
use engine::{Engine, LoadOptions, load};
use model::{Fields, FlatEvent};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// A case that says how many errors there are in words rather than in numbers.
fn expected_errors(value: &Value, found: usize) -> Result<(), String> {
    let fits = match value {
        Value::Number(number) => number.as_u64() == u64::try_from(found).ok(),
        Value::String(text) if text.starts_with(">=") => {
            text[2..].trim().parse::<usize>().is_ok_and(|least| found >= least)
        }
        // "parses, but …", "… loader ignores it"
        Value::String(text) if text.contains("reports an empty policy") => found == 1,
        Value::String(_) => found == 0,
        _ => true,
    };
    if fits { Ok(()) } else { Err(format!("{found} errors, {value} expected")) }
}

/// The policy files of a case. Items of a policy are JSON, which is YAML.
fn files(case: &Value) -> PolicyFiles {
    let policies = case["policies"].as_array().expect("policies");
    let files = policies.iter().enumerate().map(|(index, policy)| {
        let name = format!("p{index}.policy");
        let text = match policy["raw_yaml"].as_str() {
            Some(raw) => raw.to_owned(),
            None => policy.to_string(),
        };
        PolicyFile::in_memory(&name, text)
    });
    PolicyFiles::in_memory(files.collect())
}

fn ids(value: &Value) -> BTreeSet<String> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn check_load(case: &Value, options: &LoadOptions) -> Result<(), String> {
    let expect = &case["expect"];
    let result = load(files(case), &Fields::default(), options);
    let messages: Vec<_> = result.diagnostics.iter().map(|found| &found.message).collect();
    expected_errors(&expect["errors"], result.counts.errors)
        .map_err(|error| format!("{error}: {messages:?}"))?;
    let loaded: BTreeSet<String> = result.loaded().map(str::to_owned).collect();
    for key in ["loaded", "enabled"] {
        if !expect[key].is_null() && ids(&expect[key]) != loaded {
            return Err(format!("{loaded:?} loaded, {} expected: {messages:?}", expect[key]));
        }
    }
    for id in ids(&expect["filtered"]) {
        if !result.skipped().any(|(skipped, _)| skipped == id) {
            return Err(format!("{id} is not skipped"));
        }
    }
    for (id, expression) in expect["expression_of"].as_object().into_iter().flatten() {
        let rule = result.rules.rules().iter().find(|rule| rule.id == *id);
        if rule.map(|rule| rule.expression.as_str()) != expression.as_str() {
            return Err(format!("the expression of {id} is {rule:?}"));
        }
    }
    for (id, place) in expect["error_at"].as_object().into_iter().flatten() {
        // Places count within the expression, which stands on one line here.
        let column: usize = place
            .as_str()
            .and_then(|place| place.strip_prefix("1:"))
            .expect("a place")
            .parse()
            .expect("a column");
        let file = case["policies"][0].to_string();
        let expression = case["policies"][0]["rules"]
            .as_array()
            .expect("rules")
            .iter()
            .find(|rule| rule["id"] == **id)
            .expect("rule")["expression"]
            .to_string();
        let start = file.find(&expression).expect("the expression") + 2;
        let found =
            result.diagnostics.iter().find(|found| found.rule.as_ref() == Some(id)).expect("a diagnostic");
        let escapes = expression[1..]
            .char_indices()
            .take_while(|(at, _)| *at < column - 1)
            .filter(|(_, c)| *c == '\\')
            .count();
        if usize::try_from(found.column).expect("small") != start + column - 1 + escapes {
            return Err(format!(
                "error at column {}, {} expected",
                found.column,
                start + column - 1 + escapes
            ));
        }
    }
    Ok(())
}

fn check_steps(case: &Value, options: &LoadOptions) -> Result<(), String> {
    let result = load(files(case), &Fields::default(), options);
    if result.has_errors() {
        return Err(format!("{:?}", result.diagnostics));
    }
    let mut engine = Engine::new(result.rules);
    let mut now: u64 = 1_700_000_000_000_000_000;
    for (number, step) in case["steps"].as_array().expect("steps").iter().enumerate() {
        if let Some(sleep) = step["sleep_ms"].as_u64() {
            now += sleep * 1_000_000;
            continue;
        }
        if !step["reload"].is_null() {
            let files = if step["reload"].is_object() { files(&step["reload"]) } else { files(case) };
            engine.replace_rules(load(files, &Fields::default(), options).rules);
            continue;
        }
        let event: Map<String, Value> = step["event"]
            .as_object()
            .expect("event")
            .clone()
            .into_iter()
            .filter(|(key, _)| key != "~no_process")
            .collect();
        let event = FlatEvent::from_json(&event.into(), i64::try_from(now).expect("time")).expect("event");
        let mut matches = Vec::new();
        engine.evaluate(&event, &WrittenProcesses, now, &mut matches);
        now += 1_000_000;
        let matched: BTreeSet<String> = matches.iter().map(|found| found.rule.id.clone()).collect();
        let reported: BTreeSet<String> =
            matches.iter().filter(|found| found.reported).map(|found| found.rule.id.clone()).collect();
        if ids(&step["match"]) != matched {
            return Err(format!("step {number}: {matched:?} matched, {} expected", step["match"]));
        }
        if !step["reported"].is_null() && ids(&step["reported"]) != reported {
            return Err(format!("step {number}: {reported:?} reported, {} expected", step["reported"]));
        }
    }
    Ok(())
}

#[test]
fn policies_load_as_the_shared_cases_say() {
    let Some(cases) = shared::lines("secl/policy_load_cases.jsonl") else { return };
    check_all(&cases);
}

/// Cases beside those of the shared data: each option of rules, macros, actions and variables, and the nearest mistakes.
#[test]
fn policies_load_as_our_own_cases_say() {
    let lines = include_str!("neighbours.jsonl").lines();
    check_all(&lines.map(|line| serde_json::from_str(line).expect("a case")).collect::<Vec<_>>());
}

fn check_all(cases: &[Value]) {
    let mut failures = Vec::new();
    for case in cases {
        let version = case["agent_version"].as_str().expect("version").parse().expect("version");
        let options = LoadOptions { agent_version: version, ..LoadOptions::default() };
        let result =
            if case["steps"].is_null() { check_load(case, &options) } else { check_steps(case, &options) };
        if let Err(error) = result {
            failures.push(format!("{} ({}): {error}", case["id"], case["name"]));
        }
    }
    assert!(cases.len() > 30, "only {} cases", cases.len());
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
}
