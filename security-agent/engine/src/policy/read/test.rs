//! Reads the `tests` that stand beside rules.

use super::super::TestDefinition;
use super::fields::Fields;
use crate::diagnostic::{Report, codes};
use crate::limits;
use crate::text::Text;
use crate::yaml::{Node, Value};

/// Reads `tests` of a rule, or (without `rule`) of a policy, where each test names its rule.
pub(super) fn read_list(fields: &mut Fields<'_, '_>, rule: Option<&Text>, tests: &mut Vec<TestDefinition>) {
    for node in fields.list("tests", limits::LIST_ITEMS) {
        let Value::Map(entries) = &node.value else {
            fields.wrong_type("tests", node, "a list of mappings");
            continue;
        };
        let mut test = fields.nested("test", entries);
        let bad = |message: &str| Report::warning(codes::BAD_TEST, node.at, message.to_owned());
        let (event, matches) = match (test.get("match"), test.get("no_match")) {
            (Some(event), None) => (event, true),
            (None, Some(event)) => (event, false),
            _ => {
                test.report(bad("a test needs either `match` or `no_match` with an event"));
                continue;
            }
        };
        let why = test.string("why");
        let rule = match rule {
            Some(rule) => rule.clone(),
            None => match test.text("rule") {
                Some(rule) => rule,
                None => {
                    test.report(bad("a test that does not stand in a rule needs a `rule`"));
                    continue;
                }
            },
        };
        let after: Option<Vec<_>> =
            test.list("after", limits::LIST_ITEMS).iter().map(|node| json(node).and_then(object)).collect();
        let (Some(event), Some(after)) = (json(event).and_then(object), after) else {
            test.report(bad("an event is a mapping of field names to values"));
            continue;
        };
        test.finish(&["match", "no_match", "after", "why", "rule"]);
        tests.push(TestDefinition { rule, after, event, matches, why, at: node.at });
    }
}

fn object(value: serde_json::Value) -> Option<serde_json::Map<String, serde_json::Value>> {
    if let serde_json::Value::Object(map) = value { Some(map) } else { None }
}

/// A field's value as the event encoding has it. `None` for a mapping below a list.
fn json(node: &Node) -> Option<serde_json::Value> {
    Some(match &node.value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(value, _) => (*value).into(),
        Value::Int(value, _) => (*value).into(),
        Value::Text(text) => text.as_str().into(),
        Value::List(items) => serde_json::Value::Array(items.iter().map(json).collect::<Option<_>>()?),
        Value::Map(entries) => serde_json::Value::Object(
            entries
                .iter()
                .map(|entry| Some((entry.key.as_str().to_owned(), json(&entry.value)?)))
                .collect::<Option<_>>()?,
        ),
    })
}
