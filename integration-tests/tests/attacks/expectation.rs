//! What is expected of each behaviour: `expectations.yaml`.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use integration_tests::harness::Signal;
use serde::Deserialize;

use super::behaviour::Behaviour;

const TEXT: &str = include_str!("expectations.yaml");

/// What is expected of one behaviour; the file says what each list is.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Expectations {
    /// Number of the behaviour, which makes the names of its rules.
    #[serde(skip)]
    number: usize,
    pub(crate) events: Vec<String>,
    #[serde(default)]
    never: Vec<String>,
    pub(crate) default: Vec<String>,
    #[serde(default)]
    also: Vec<String>,
    #[serde(default)]
    pub(crate) container: Vec<String>,
    #[serde(default)]
    pub(crate) silent_again: Vec<String>,
    /// What is run in place of the command of the set.
    #[serde(default)]
    pub(crate) instead: Option<String>,
    /// What can not be, and why.
    #[serde(default)]
    pub(crate) limit: Option<String>,
}

/// The file, by behaviour.
pub(crate) fn read() -> Result<BTreeMap<String, Expectations>> {
    let mut all: BTreeMap<String, Expectations> = serde_yaml::from_str(TEXT).context("expectations.yaml")?;
    for (number, (id, one)) in all.iter_mut().enumerate() {
        one.number = number;
        let excused = one.limit.as_deref().is_some_and(|reason| !reason.is_empty());
        anyhow::ensure!(excused || one.instead.is_none(), "{id}: another command and no reason");
        anyhow::ensure!(excused || !one.events.is_empty(), "{id}: no event and no reason");
    }
    Ok(all)
}

impl Expectations {
    /// What is run.
    pub(crate) fn command(&self, behaviour: &Behaviour) -> String {
        self.instead.clone().unwrap_or_else(|| behaviour.command())
    }

    /// The rules about events, with their names.
    pub(crate) fn rules(&self) -> impl Iterator<Item = (String, &str)> {
        let rules = self.events.iter().chain(&self.never).enumerate();
        rules.map(|(index, rule)| (self.rule_id(index), rule.as_str()))
    }

    fn rule_id(&self, index: usize) -> String {
        format!("behaviour_{}_{index}", self.number)
    }

    /// Which rules about events did not match, or should not have.
    pub(crate) fn wrong_events(&self, seen: &[Signal]) -> Vec<String> {
        let wrong = self.rules().enumerate().filter_map(|(index, (id, rule))| {
            let wanted = index < self.events.len();
            let matched = seen.iter().any(|signal| signal.rule() == id);
            (matched != wanted).then(|| format!("{}: {rule}", if wanted { "not seen" } else { "seen" }))
        });
        wrong.collect()
    }

    /// What is wrong with the rules of a policy that fired, if these should have and no other but those `aside`.
    pub(crate) fn wrong_rules(&self, wanted: &[String], aside: &[String], seen: &[Signal]) -> Vec<String> {
        let fired: BTreeSet<&str> = seen.iter().map(Signal::rule).collect();
        let silent = wanted.iter().filter(|rule| !fired.contains(rule.as_str()));
        let silent = silent.map(|rule| format!("did not fire: {rule}"));
        let lists = [wanted, aside, &self.also];
        let unwanted =
            fired.iter().filter(|rule| !lists.iter().any(|list| list.iter().any(|one| one == *rule)));
        silent.chain(unwanted.map(|rule| format!("fired: {rule}"))).collect()
    }

    /// The rules that fired the second time though they should not. They remember arguments, and fire each time if there
    /// are none.
    pub(crate) fn wrong_again(&self, seen: &[Signal]) -> Vec<String> {
        let remembered = |signal: &&Signal| !signal.args().is_empty();
        let fired: BTreeSet<&str> = seen.iter().filter(remembered).map(Signal::rule).collect();
        let again = self.silent_again.iter().filter(|rule| fired.contains(rule.as_str()));
        again.map(|rule| format!("fired again: {rule}")).collect()
    }

    /// All rules of a policy that it names.
    pub(crate) fn named(&self) -> impl Iterator<Item = &String> {
        [&self.default, &self.also, &self.container, &self.silent_again].into_iter().flatten()
    }

    /// What a sentence of the set says: the rules that it names, unless it is about why they do not fire.
    pub(crate) fn of_text(text: &str, policy: &str) -> Self {
        let conditional = ["none", "NOT", "not fire", "only if", "depends", "inside a container"];
        let clauses = text.split(';').filter(|clause| !conditional.iter().any(|word| clause.contains(word)));
        let words =
            clauses.flat_map(|clause| clause.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')));
        let is_rule = |word: &&str| !word.is_empty() && policy.contains(&format!("- id: {word}\n"));
        Self { default: words.filter(is_rule).map(str::to_owned).collect(), ..Self::default() }
    }
}

#[test]
fn sentences_of_the_set_name_rules() {
    let policy = "rules:\n  - id: one\n  - id: two_v2\n";
    let named = |text| Expectations::of_text(text, policy).default;
    assert_eq!(named("one, two_v2"), ["one", "two_v2"]);
    assert_eq!(named("one (two_v2 too, chaining)"), ["one", "two_v2"]);
    assert_eq!(named("one; two_v2 does not fire"), ["one"]);
    assert_eq!(named("two_v2 inside a container"), [""; 0]);
    assert_eq!(named("two_v2 (only if it rains)"), [""; 0]);
    assert_eq!(named("none (one)"), [""; 0]);
}

#[test]
fn what_is_missing_is_wrong_and_so_is_what_is_there_too_much() {
    let signal = |rule: &str| Signal(serde_json::json!({"agent": {"rule_id": rule}}));
    let one = Expectations {
        number: 7,
        events: vec!["a".to_owned()],
        never: vec!["b".to_owned()],
        default: vec!["d".to_owned()],
        also: vec!["a".to_owned()],
        silent_again: vec!["d".to_owned()],
        ..Expectations::default()
    };
    assert_eq!(one.wrong_events(&[signal("behaviour_7_0")]), [""; 0]);
    assert_eq!(one.wrong_events(&[signal("behaviour_7_1")]), ["not seen: a", "seen: b"]);
    let rules = |seen: &[Signal]| one.wrong_rules(&one.default, &["aside".to_owned()], seen);
    assert_eq!(rules(&[signal("d"), signal("a"), signal("aside")]), [""; 0]);
    assert_eq!(rules(&[signal("n")]), ["did not fire: d", "fired: n"]);
    let with_arguments = Signal(serde_json::json!({"agent": {"rule_id": "d"}, "process": {"args": ["x"]}}));
    assert_eq!(one.wrong_again(&[signal("d")]), [""; 0]);
    assert_eq!(one.wrong_again(&[signal("d"), with_arguments]), ["fired again: d"]);
}
