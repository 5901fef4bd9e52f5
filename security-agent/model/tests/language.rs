//! What the language means, case by case: a line of `language/cases.jsonl` for each statement about tokens, grammar, operators,
//! lists, matching, names and types. They need no shared data, and their fields are those of the model.
#![allow(clippy::unwrap_used, reason = "test code")]

use model::Case;
use serde_json::Value as Json;

const NOW: i64 = 1_700_000_000_000_000_000;

#[test]
fn cases_have_the_expected_result() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for line in include_str!("language/cases.jsonl").lines() {
        let json: Json = serde_json::from_str(line).unwrap();
        let result = Case::new(&json).evaluate(NOW);
        let right = match &result {
            Ok(result) => json["expect"] == *result,
            // A badly written case is no expression that is refused.
            Err(error) => error.is_of_rule() && json["expect"] == "error",
        };
        if !right {
            wrong.push(format!("{} {}: {result:?}", json["id"], json["expr"]));
        }
        count += 1;
    }
    assert!(wrong.is_empty(), "{} of {count} wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(count > 500);
}
