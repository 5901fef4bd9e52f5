//! The shared cases of partial evaluation and `fim.write` expansion.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "test code")]

mod support;

use std::collections::BTreeMap;

use secl::fim::expand;
use secl::partial::{Approver, Filterable, Kinds, approvers, is_discarder};
use secl::{Compiler, Limits, Macros, Rule, Schema, parse};
use serde_json::Value as Json;
use support::event::FlatEvent;
use support::policy::WRITES;
use support::schema::TableSchema;
use support::variables::FixedVariables;

/// Whether a filter can hold a value.
type Accepts = Box<dyn Fn(&Approver) -> bool>;

fn compile(schema: &TableSchema, case: &Json, text: &str) -> Rule {
    let limits = Limits::default();
    let mut macros = Macros::new();
    for (name, text) in case.get("macros").and_then(Json::as_object).into_iter().flatten() {
        macros.define(name, text.as_str().unwrap(), &limits).unwrap();
    }
    let variables = FixedVariables::from_json(case.get("vars"));
    let compiler = Compiler { schema, variables: &variables, macros: &macros, limits };
    compiler.rule(text).unwrap_or_else(|found| panic!("{text}: {found:?}"))
}

/// The field and its value in a one-field event, also where the discarder cases have fields of several event types.
fn event_with(schema: &TableSchema, case: &Json, rule: &Rule, field: &str) -> FlatEvent {
    let mut json = serde_json::Map::new();
    json.insert(field.to_owned(), case["event"][field].clone());
    FlatEvent::from_json(schema, rule.event_type().unwrap(), &Json::Object(json))
}

#[test]
fn discarders_are_found() {
    let Some(schema) = TableSchema::shared() else { return };
    let mut wrong = Vec::new();
    for case in support::shared_lines("secl/discarders.jsonl") {
        let texts: Vec<&str> = match case.get("ruleset") {
            Some(rules) => rules.as_array().unwrap().iter().map(|rule| rule.as_str().unwrap()).collect(),
            None => vec![case["expr"].as_str().unwrap()],
        };
        let rules: Vec<Rule> = texts.iter().map(|text| compile(&schema, &case, text)).collect();
        let field = case["field"].as_str().unwrap();
        let event = event_with(&schema, &case, &rules[0], field);
        let result = is_discarder(&rules, schema.field(field).unwrap().id, &event);
        if Json::Bool(result) != case["is_discarder"] {
            wrong.push(format!("{} {texts:?} {field}: {result}", case["id"]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What a case expects of one field.
enum Expected {
    Exactly(Vec<Approver>),
    /// The case gives ranges that are to be joined; a subset is as right and better.
    Within(Vec<(i64, i64)>),
    EveryMaskContains(i64),
}

fn expected(schema: &TableSchema, json: &Json, kinds: Kinds, is_int: bool) -> Expected {
    if let Some(name) = json.as_str() {
        let name = name.strip_prefix("every value contains ").unwrap();
        return Expected::EveryMaskContains(schema.int(name).unwrap());
    }
    let items = json.as_array().unwrap();
    if items.iter().all(Json::is_array) {
        return Expected::Within(
            items.iter().map(|r| (r[0].as_i64().unwrap(), r[1].as_i64().unwrap())).collect(),
        );
    }
    let mut values: Vec<Approver> = items
        .iter()
        .map(|item| match item {
            Json::Number(value) if kinds.bitmask => Approver::Mask(value.as_i64().unwrap()),
            Json::Number(value) => Approver::Int(value.as_i64().unwrap()),
            Json::String(text) if is_int => Approver::Mask(schema.int(text).unwrap()),
            // Whether text is a pattern the cases do not say; it is compared without regard to that.
            Json::String(text) => Approver::Text(text.clone().into_bytes()),
            other => panic!("{other}"),
        })
        .collect();
    values.sort_unstable();
    Expected::Exactly(values)
}

fn agrees(expected: &Expected, found: &[Approver]) -> bool {
    match expected {
        Expected::Exactly(values) => {
            let as_text = |approver: &Approver| match approver {
                Approver::Pattern(text) => Approver::Text(text.clone()),
                other => other.clone(),
            };
            let mut found: Vec<_> = found.iter().map(as_text).collect();
            found.sort_unstable();
            found == *values
        }
        Expected::Within(ranges) => found.iter().all(|approver| {
            matches!(approver, Approver::Range(from, to) if ranges.iter().any(|(low, high)| low <= from && to <= high))
        }),
        Expected::EveryMaskContains(bits) => {
            found.iter().all(|approver| matches!(approver, Approver::Mask(mask) if mask & bits == *bits))
        }
    }
}

#[test]
fn approvers_are_found() {
    let Some(schema) = TableSchema::shared() else { return };
    let mut wrong = Vec::new();
    for case in support::shared_lines("secl/approvers.jsonl") {
        let rules: Vec<Rule> = case["rules"]
            .as_array()
            .unwrap()
            .iter()
            .map(|text| compile(&schema, &case, text.as_str().unwrap()))
            .collect();
        let mut filters = Vec::new();
        for (name, spec) in case["filterable"].as_object().unwrap() {
            let has = |kind: &str| spec["kinds"].as_array().unwrap().iter().any(|k| k == kind);
            let kinds = Kinds {
                scalar: has("scalar"),
                pattern: has("pattern"),
                glob: has("glob"),
                bitmask: has("bitmask"),
                range: has("range"),
            };
            let suffix = spec
                .get("accepts")
                .map(|rule| rule.as_str().unwrap().trim_start_matches("values ending in "));
            let suffix = suffix.unwrap_or("").to_owned();
            filters.push((name.clone(), spec.clone(), kinds, suffix));
        }
        let accepts: Vec<Accepts> = filters
            .iter()
            .map(|(_, _, _, suffix)| {
                let suffix = suffix.clone();
                Box::new(move |approver: &Approver| match approver {
                    Approver::Text(text) => text.ends_with(suffix.as_bytes()),
                    _ => true,
                }) as Accepts
            })
            .collect();
        let filterable: Vec<Filterable> = filters
            .iter()
            .zip(&accepts)
            .map(|((name, spec, kinds, _), accepts)| Filterable {
                field: schema.field(name).unwrap().id,
                kinds: *kinds,
                weight: spec["weight"].as_u64().unwrap_or(0).try_into().unwrap(),
                bounds: (spec["min"].as_i64().unwrap_or(i64::MIN), spec["max"].as_i64().unwrap_or(i64::MAX)),
                accepts: &**accepts,
            })
            .collect();
        let found = approvers(&rules, &filterable);
        let right = match (&case["expect"], &found) {
            (Json::Null, found) => found.is_none(),
            (Json::Object(fields), Some(found)) => {
                let expected: BTreeMap<_, _> = fields
                    .iter()
                    .map(|(name, json)| {
                        let field = schema.field(name).unwrap();
                        let kinds = filters.iter().find(|(known, ..)| known == name).unwrap().2;
                        (field.id, expected(&schema, json, kinds, field.kind == secl::Kind::Int))
                    })
                    .collect();
                expected.len() == found.values.len()
                    && expected.iter().all(|(field, expected)| agrees(expected, &found.values[field]))
            }
            _ => false,
        };
        if !right {
            wrong.push(format!(
                "{} {}\n  expected {}\n  found {found:?}",
                case["id"], case["rules"], case["expect"]
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn fim_rules_expand() {
    let Some(schema) = TableSchema::shared() else { return };
    for case in support::shared_lines("secl/fim_expansion_cases.jsonl") {
        let found =
            expand(case["rule_id"].as_str().unwrap(), case["expr"].as_str().unwrap(), WRITES).unwrap();
        let expected = case["expanded"].as_array().unwrap();
        assert_eq!(found.len(), expected.len(), "{}", case["id"]);
        for (found, expected) in found.iter().zip(expected) {
            assert_eq!(found.id, expected["id"].as_str().unwrap());
            let tree = |text: &str| parse(text, &Limits::default()).unwrap();
            assert_eq!(tree(&found.expression), tree(expected["expr"].as_str().unwrap()), "{}", case["id"]);
            Compiler::new(&schema).rule(&found.expression).unwrap();
        }
    }
}
