//! Runs the tests that stand beside rules.

use std::sync::Arc;

use model::FlatEvent;
use secl::ast::{Expr, ExprKind, LogicOp};
use secl::{Compiler, Limits, Scratch};
use serde_json::{Map, Value};

use crate::engine::Engine;
use crate::policy::TestDefinition;
use crate::ruleset::{Load, RuleSet, RuleStatus};
use crate::variables::WrittenProcesses;
use crate::variables::{VariableStore, View};

/// A test that was run, or not.
#[derive(Clone, Debug)]
pub struct TestOutcome {
    /// The rule that was tested.
    pub rule: String,
    /// The file in which the test stands.
    pub file: String,
    /// The line in which it begins.
    pub line: u32,
    /// How it went.
    pub result: TestResult,
}

/// How a test went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TestResult {
    /// As it should.
    Passed,
    /// The rule is not in force here, for this reason.
    Skipped(String),
    /// Not as it should; several lines for people.
    Failed(String),
}

/// Runs all tests of a load. `now`: the time of evaluation, in nanoseconds since 1970.
pub fn run(load: &Load, schema: &model::Fields, now: u64) -> Vec<TestOutcome> {
    let runner = Runner { load, schema, now };
    let outcomes = load.tests.iter().map(|(test, file, line)| TestOutcome {
        rule: test.rule.as_str().to_owned(),
        file: file.clone(),
        line: *line,
        result: runner.run(test),
    });
    outcomes.collect()
}

struct Runner<'l> {
    load: &'l Load,
    schema: &'l model::Fields,
    now: u64,
}

/// Time between two events of a test: a millisecond, in nanoseconds.
const STEP: u64 = 1_000_000;

impl Runner<'_> {
    fn run(&self, test: &TestDefinition) -> TestResult {
        let id = test.rule.as_str();
        let rules = &self.load.rules;
        let Some(rule) = rules.compiled().iter().find(|rule| rule.info.id == id) else {
            return self.not_in_force(id);
        };
        let mut engine = Engine::new(Arc::clone(rules));
        let mut now = self.now;
        for (number, event) in test.after.iter().enumerate() {
            match self.event(event, now) {
                Ok(event) => engine.evaluate(&event, &WrittenProcesses, now, &mut Vec::new()),
                Err(error) => return TestResult::Failed(format!("event {} of `after`: {error}", number + 1)),
            }
            now = now.saturating_add(STEP);
        }
        let mut event = match self.event(&test.event, now) {
            Ok(event) => event,
            Err(error) => return TestResult::Failed(error),
        };
        if event.kind().is_none() {
            event.set_event_type(rule.event);
        }
        let mut matches = Vec::new();
        engine.evaluate(&event, &WrittenProcesses, now, &mut matches);
        let matched = matches.iter().any(|found| found.rule.id == id);
        if matched == test.matches {
            return TestResult::Passed;
        }
        let mut text = match test.matches {
            true => "the rule must match this event, and does not\n".to_owned(),
            false => "the rule must not match this event, and does\n".to_owned(),
        };
        if !test.why.is_empty() {
            text.push_str(&format!("why: {}\n", test.why));
        }
        text.push_str(&format!("event: {}\n", Value::Object(test.event.clone())));
        text.push_str(&self.conditions(rules, &rule.info.expression, &event, now));
        TestResult::Failed(text)
    }

    fn not_in_force(&self, id: &str) -> TestResult {
        let known = self.load.policies.iter().flat_map(|policy| &policy.rules).find(|rule| rule.id == id);
        match known.map(|rule| &rule.status) {
            Some(RuleStatus::Skipped { reason, .. }) => TestResult::Skipped(reason.clone()),
            Some(RuleStatus::Error { message }) => {
                TestResult::Failed(format!("the rule does not load: {message}\n"))
            }
            Some(RuleStatus::Loaded | RuleStatus::Merged) | None => {
                TestResult::Failed(format!("there is no rule `{id}`\n"))
            }
        }
    }

    fn event(&self, event: &Map<String, Value>, now: u64) -> Result<FlatEvent, String> {
        let now = i64::try_from(now).unwrap_or(i64::MAX);
        FlatEvent::from_json(&Value::Object(event.clone()), now)
            .map_err(|errors| errors.iter().map(|error| format!("{error}\n")).collect())
    }

    /// Which of the rule's conditions hold, one a line.
    fn conditions(&self, rules: &RuleSet, expression: &str, event: &FlatEvent, now: u64) -> String {
        let Ok(expr) = secl::parse(expression, &Limits::default()) else { return String::new() };
        let variables = rules.variables();
        let store = VariableStore::new();
        let view = View::new(variables, &store, event, now);
        let compiler = Compiler { variables, macros: &self.load.macros, ..Compiler::new(self.schema) };
        let mut text = String::new();
        each_condition(&expr, 0, &mut |condition, depth| {
            let part = condition.span.of(expression);
            let holds =
                compiler.condition(part).map(|part| part.matches(event, &view, &mut Scratch::default()));
            let mark = match holds {
                Ok(true) => "holds       ",
                Ok(false) => "does not    ",
                Err(_) => "?           ",
            };
            let part: Vec<&str> = part.split_whitespace().collect();
            text.push_str(&format!("  {mark}{}{}\n", "  ".repeat(depth), shortened(&part.join(" "))));
        });
        text
    }
}

/// Longest condition that is shown whole, in characters.
const SHOWN: usize = 140;

fn shortened(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Visits the operands of `&&` and `||`, outermost first, with their nesting.
fn each_condition(expr: &Expr, depth: usize, visit: &mut impl FnMut(&Expr, usize)) {
    match &expr.kind {
        ExprKind::Logic(first, rest) => {
            each_condition(first, depth, visit);
            // Operators associate to the right: where another operator follows, the rest is one operand of it.
            let mut depth = depth;
            let mut previous: Option<LogicOp> = None;
            for (op, operand) in rest {
                if previous.is_some_and(|previous| previous != *op) {
                    depth += 1;
                }
                previous = Some(*op);
                each_condition(operand, depth, visit);
            }
        }
        _ => visit(expr, depth),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::{TestResult, run};
    use crate::loader::{PolicyFile, PolicyFiles};
    use crate::ruleset::{LoadOptions, load};

    fn results(policy: &str) -> String {
        let files = PolicyFiles::in_memory(vec![PolicyFile::in_memory("a.policy", policy)]);
        let schema = model::Fields::default();
        let load = load(files, &schema, &LoadOptions::default());
        let outcomes = run(&load, &schema, 1_700_000_000_000_000_000);
        let lines = outcomes.into_iter().map(|outcome| match outcome.result {
            TestResult::Passed => format!("{}:{} passed\n", outcome.rule, outcome.line),
            TestResult::Skipped(reason) => format!("{}:{} skipped: {reason}\n", outcome.rule, outcome.line),
            TestResult::Failed(text) => format!("{}:{} failed: {text}", outcome.rule, outcome.line),
        });
        lines.collect()
    }

    #[test]
    fn tests_beside_rules_pass_or_say_why_not() {
        expect![[r#"
            shell:15 passed
            shell:16 failed: the rule must match this event, and does not
            why: should be found
            event: {"exec.file.name":"sh","process.parent.file.name":"sshd"}
              holds       exec.file.name in SHELLS
              does not    process.parent.file.name == "nginx"
            shell:18 failed: the rule must not match this event, and does
            event: {"exec.file.name":"sh","process.parent.file.name":"nginx"}
              holds       exec.file.name in SHELLS
              holds       process.parent.file.name == "nginx"
            shell:19 failed: unknown field `exec.nme`
            count:23 passed
            count:25 passed
            old:30 skipped: needs agent version < 7.1, this is 7.74.0
            nowhere:32 failed: there is no rule `nowhere`
        "#]]
        .assert_eq(&results(
            r#"
macros:
  - id: SHELLS
    values: [sh, bash]
rules:
  - id: first
    expression: open.file.path == "/a"
    actions:
      - set: {name: n, value: 1}
  - id: shell
    expression: >-
      exec.file.name in SHELLS
        && process.parent.file.name == "nginx"
    tests:
      - match: {exec.file.name: sh, process.parent.file.name: nginx}
      - match: {exec.file.name: sh, process.parent.file.name: sshd}
        why: should be found
      - no_match: {exec.file.name: sh, process.parent.file.name: nginx}
      - match: {exec.nme: sh}
  - id: count
    expression: open.file.path == "/b" && ${n} == 1
    tests:
      - after: [{open.file.path: /a}]
        match: {open.file.path: /b}
      - no_match: {open.file.path: /b}
  - id: old
    agent_version: < 7.1
    expression: exec.file.name == "x"
    tests:
      - match: {exec.file.name: x}
tests:
  - {rule: nowhere, match: {exec.file.name: x}}
"#,
        ));
    }
}
