//! What `policy check` says about a directory of policies, for scripts and for people.

use serde::Serialize;

use crate::diagnostic::{Diagnostic, Severity, render};
use crate::ruleset::{Load, RuleCounts};

/// The result of a check. Its JSON is an interface: fields may be added, not changed.
#[derive(Debug, Serialize)]
pub struct CheckReport<'l> {
    /// How many rules fared how.
    pub rules: RuleCounts,
    /// Ids of the rules that would be in force.
    pub loaded: Vec<&'l str>,
    /// Rules that would not be, with the reason.
    pub skipped: Vec<SkippedRule<'l>>,
    /// Everything that is wrong.
    pub diagnostics: &'l [Diagnostic],
}

/// A rule that is not in force.
#[derive(Debug, Serialize)]
pub struct SkippedRule<'l> {
    /// The rule.
    pub id: &'l str,
    /// Why.
    pub reason: &'l str,
}

impl<'l> CheckReport<'l> {
    /// The report of a load.
    pub fn new(load: &'l Load) -> Self {
        CheckReport {
            rules: load.counts,
            loaded: load.loaded().collect(),
            skipped: load.skipped().map(|(id, reason)| SkippedRule { id, reason }).collect(),
            diagnostics: &load.diagnostics,
        }
    }

    /// Whether nothing is wrong.
    pub fn is_success(&self) -> bool {
        self.rules.errors == 0 && self.diagnostics.iter().all(|found| found.severity != Severity::Error)
    }

    /// The report for people.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        for diagnostic in self.diagnostics {
            text.push_str(&render(diagnostic));
            text.push('\n');
        }
        for SkippedRule { id, reason } in &self.skipped {
            text.push_str(&format!("skipped: {id}: {reason}\n"));
        }
        let RuleCounts { loaded, skipped, errors } = self.rules;
        text.push_str(&format!("{loaded} rules loaded, {skipped} skipped, {errors} errors\n"));
        text
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::CheckReport;
    use crate::loader::{PolicyFile, PolicyFiles};
    use crate::ruleset::{Load, LoadOptions, load};

    const POLICY: &str = r#"version: 1.2.3
macros:
  - id: SHELLS
    values: [sh, bash]
rules:
  - id: good
    expression: exec.file.name in SHELLS
  - id: typo
    expression: >-
      exec.file.name in SHELLS
      && exec.tty_nme != ""
  - id: two_mistakes
    expression: "open.file.path == \"relative\" && open.flgs > 0"
  - id: old
    expression: exec.nothing == 1
    agent_version: < 7.0
  - id: good
    expression: exec.file.name == "second"
  - id: bad-id
    expression: exec.file.name == "x"
  - expresion: exec.file.name == "x"
  - id: unknown_variable
    expression: exec.file.name == "x" && ${neverset} == 1
  - id: wrong_types
    expression: exec.file.name == "x"
    disabled: maybe
    tags: [a]
    actions:
      - sett: {name: a}
      - set: {name: a, value: 1, scope: galaxy}
"#;

    fn checked(files: Vec<PolicyFile>) -> Load {
        load(PolicyFiles::in_memory(files), &model::Fields::default(), &LoadOptions::default())
    }

    #[test]
    fn everything_wrong_is_said_at_once_and_the_rest_loads() {
        let load = checked(vec![
            PolicyFile::in_memory("custom.policy", POLICY),
            PolicyFile::in_memory("empty.policy", ""),
            PolicyFile::in_memory("latin1.policy", b"rules:\n  - id: caf\xe9\n".to_vec()),
            PolicyFile::in_memory("yaml.policy", "rules: [\n"),
            PolicyFile::in_memory("norules.policy", "rules:\n"),
        ]);
        let report = CheckReport::new(&load);
        assert!(!report.is_success());
        expect![[r#"
            error[E0201]: typo: unknown field, constant or macro `exec.tty_nme`
              --> custom.policy:11:10
               |
            11 |       && exec.tty_nme != ""
               |          ^^^^^^^^^^^^
               = help: did you mean `exec.tty_name`?

            error[E0403]: two_mistakes: invalid path `relative`: paths have to be absolute, or begin with `*`
              --> custom.policy:13:36
               |
            13 |     expression: "open.file.path == \"relative\" && open.flgs > 0"
               |                                    ^^^^^^^^^^

            error[E0201]: two_mistakes: unknown field, constant or macro `open.flgs`
              --> custom.policy:13:52
               |
            13 |     expression: "open.file.path == \"relative\" && open.flgs > 0"
               |                                                    ^^^^^^^^^
               = help: did you mean `open.flags`?

            warning[P013]: good: `good` is defined in custom.policy already, the first definition stays
              --> custom.policy:17:9
               |
            17 |   - id: good
               |         ^^^^
               = help: give the rule another id, or `combine: override` to replace the first one

            error[P011]: bad-id: the rule id `bad-id` may only hold letters, digits and `_`
              --> custom.policy:19:9
               |
            19 |   - id: bad-id
               |         ^^^^^^

            error[P010]: the rule has no `id`
              --> custom.policy:21:5
               |
            21 |   - expresion: exec.file.name == "x"
               |     ^

            warning[P008]: a rule has no key `expresion`, it is ignored
              --> custom.policy:21:5
               |
            21 |   - expresion: exec.file.name == "x"
               |     ^^^^^^^^^
               = help: did you mean `expression`?

            error[E0202]: unknown_variable: unknown variable `neverset`
              --> custom.policy:23:42
               |
            23 |     expression: exec.file.name == "x" && ${neverset} == 1
               |                                          ^^^^^^^^^^^
               = help: a variable is known once a rule of the same set has an action that sets it

            error[P007]: wrong_types: `disabled` of a rule must be `true` or `false`, this is a string
              --> custom.policy:26:15
               |
            26 |     disabled: maybe
               |               ^

            error[P007]: wrong_types: `tags` of a rule must be a mapping, this is a list
              --> custom.policy:27:11
               |
            27 |     tags: [a]
               |           ^

            error[P030]: wrong_types: an action needs one of `set`, `kill`, `hash`, `log`, `coredump`, `network_filter`
              --> custom.policy:29:9
               |
            29 |       - sett: {name: a}
               |         ^
               = help: did you mean `set`?

            error[P035]: wrong_types: `galaxy` is not a scope of a set action
              --> custom.policy:30:41
               |
            30 |       - set: {name: a, value: 1, scope: galaxy}
               |                                         ^^^^^^
               = help: use `global`, `process`, `container`, `cgroup`

            error[P005]: the file holds no YAML document
              --> empty.policy

            error[P003]: the file is not UTF-8: byte 0xe9 at offset 18
              --> latin1.policy:2:12
              |
            2 |   - id: caf
              |            ^

            error[P006]: the policy is empty
              --> norules.policy
               = help: a policy file needs `rules:` or `macros:` with at least one item

            error[P004]: while parsing a node, did not find expected node content
              --> yaml.policy:2:1
              |
            2 | 
              | ^

            skipped: old: needs agent version < 7.0, this is 7.74.0
            skipped: good: custom.policy has a rule of this id already
            1 rules loaded, 2 skipped, 10 errors
        "#]].assert_eq(&report.to_text());
    }

    #[test]
    fn the_json_has_the_documented_form() {
        let load = checked(vec![PolicyFile::in_memory(
            "a.policy",
            "rules:\n  - {id: r, expression: exec.file.name == \"x\"}\n  - {id: off, disabled: true}\n  - {id: e, expression: exec.file.nam == \"x\"}\n",
        )]);
        expect![[r#"
            {
              "rules": {
                "loaded": 1,
                "skipped": 1,
                "errors": 1
              },
              "loaded": [
                "r"
              ],
              "skipped": [
                {
                  "id": "off",
                  "reason": "disabled"
                }
              ],
              "diagnostics": [
                {
                  "severity": "error",
                  "code": "E0201",
                  "file": "a.policy",
                  "line": 4,
                  "column": 25,
                  "rule": "e",
                  "message": "unknown field, constant or macro `exec.file.nam`",
                  "help": "did you mean `exec.file.name`?"
                }
              ]
            }"#]]
        .assert_eq(&serde_json::to_string_pretty(&CheckReport::new(&load)).expect("JSON"));
    }
}
