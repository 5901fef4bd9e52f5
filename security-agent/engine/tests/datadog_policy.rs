//! The default policy of Datadog loads, and its rules match what they are meant to match.

mod shared;

use engine::loader::{PolicyFile, PolicyFiles};
use engine::{LoadOptions, load};
use model::Fields;

const POLICY: &str = "policies/datadog-default-1.69.3.policy";

#[test]
fn all_of_the_default_policy_loads() {
    let Some(text) = shared::text(POLICY) else { return };
    let files = PolicyFiles::in_memory(vec![PolicyFile::in_memory("default.policy", text)]);
    let result = load(files, &Fields::default(), &LoadOptions::default());
    let errors: Vec<_> = result
        .diagnostics
        .iter()
        .filter(|found| found.severity == engine::diagnostic::Severity::Error)
        .map(engine::diagnostic::render)
        .collect();
    assert!(errors.is_empty(), "{}", errors.join("\n"));
    assert_eq!((result.counts.loaded, result.counts.skipped, result.counts.errors), (255, 64, 0));
}
