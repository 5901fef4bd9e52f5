//! The policy that ships with the agent: it loads, and its rules do what their tests say.

use engine::loader::read_directory;
use engine::testing::{TestResult, run};
use engine::{LoadOptions, load};
use model::Fields;

const DIRECTORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../packaging/policies");

#[test]
fn the_shipped_policy_does_what_its_tests_say() {
    let schema = Fields::default();
    let result = load(read_directory(DIRECTORY.as_ref()), &schema, &LoadOptions::default());
    let found: Vec<_> = result.diagnostics.iter().map(engine::diagnostic::render).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
    assert!(result.counts.loaded >= 40, "{:?}", result.counts);
    let mut failures = Vec::new();
    let outcomes = run(&result, &schema, 1_700_000_000_000_000_000);
    for outcome in &outcomes {
        if let TestResult::Failed(text) | TestResult::Skipped(text) = &outcome.result {
            failures.push(format!("{}:{} {}: {text}", outcome.file, outcome.line, outcome.rule));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    for rule in result.rules.rules() {
        let tests =
            || result.tests.iter().map(|(test, ..)| test).filter(|test| test.rule.as_str() == rule.id);
        assert!(tests().any(|test| test.matches), "{} has no event that it must match", rule.id);
        assert!(tests().any(|test| !test.matches), "{} has no near miss", rule.id);
        let has = |prefix: &str| rule.product_tags.iter().any(|tag| tag.starts_with(prefix));
        assert!(has("tactic:TA") && has("technique:T"), "{} has no tactic or technique", rule.id);
    }
}
