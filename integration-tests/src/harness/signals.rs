//! The signals of the agent, read from its JSON-lines file as they come.

use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

/// One line of the agent's file.
#[derive(Debug, Clone, PartialEq)]
pub struct Signal(
    /// The whole object.
    pub Value,
);

impl Signal {
    /// The rule that matched.
    #[must_use]
    pub fn rule(&self) -> &str {
        self.at("agent.rule_id").as_str().unwrap_or_default()
    }

    /// The member at a dotted path such as `process.parent.pid`; numbers index lists. Null if there is none.
    #[must_use]
    pub fn at(&self, path: &str) -> &Value {
        path.split('.')
            .try_fold(&self.0, |value, part| match value {
                Value::Array(items) => items.get(part.parse::<usize>().ok()?),
                value => value.get(part),
            })
            .unwrap_or(&Value::Null)
    }

    /// Which members differ from what is expected, one a line; empty if none does.
    #[must_use]
    pub fn differences(&self, expected: &[(&str, Value)]) -> String {
        let differs = |(path, wanted): &(&str, Value)| {
            let found = self.at(path);
            (found != wanted).then(|| format!("{path}: expected {wanted}, found {found}\n"))
        };
        let mut all: String = expected.iter().filter_map(differs).collect();
        if !all.is_empty() {
            all.push_str(&format!("in {:#}", self.0));
        }
        all
    }

    /// The process ids of all ancestors, the nearest first.
    #[must_use]
    pub fn ancestors(&self) -> Vec<u64> {
        let ancestors = self.at("process.ancestors").as_array();
        ancestors
            .map(|list| list.iter().filter_map(|one| one.get("pid")?.as_u64()).collect())
            .unwrap_or_default()
    }

    /// The same with nothing but the rule, the process's arguments, and the parent's id.
    fn brief(&self) -> Self {
        Self(serde_json::json!({
            "agent": { "rule_id": self.at("agent.rule_id") },
            "process": {
                "args": self.at("process.args"),
                "parent": { "pid": self.at("process.parent.pid") },
            },
        }))
    }

    /// `process.args` as text.
    #[must_use]
    pub fn args(&self) -> Vec<&str> {
        let args = self.at("process.args").as_array();
        args.map(|args| args.iter().filter_map(Value::as_str).collect()).unwrap_or_default()
    }
}

/// All signals so far, in order.
#[derive(Debug)]
pub struct Signals {
    path: PathBuf,
    read: u64,
    partial: Vec<u8>,
    brief: Option<String>,
    all: Vec<Signal>,
}

impl Signals {
    pub(crate) fn of(path: &Path) -> Self {
        Self { path: path.to_owned(), read: 0, partial: Vec::new(), brief: None, all: Vec::new() }
    }

    /// Takes in what was written since the last call.
    ///
    /// # Errors
    /// If a line is not JSON: the agent promises whole, valid lines.
    pub fn update(&mut self) -> Result<()> {
        let mut file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error).with_context(|| self.path.display().to_string()),
        };
        file.seek(SeekFrom::Start(self.read))?;
        let length = file.read_to_end(&mut self.partial)?;
        self.read += u64::try_from(length)?;
        let whole = self.partial.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
        let rest = self.partial.split_off(whole);
        let lines = std::mem::replace(&mut self.partial, rest);
        for line in lines.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
            let value = serde_json::from_slice(line).with_context(|| {
                format!("line of {}: {}", self.path.display(), String::from_utf8_lossy(line))
            })?;
            let signal = Signal(value);
            let is_brief = self.brief.as_deref().is_some_and(|rule| signal.rule() == rule);
            self.all.push(if is_brief { signal.brief() } else { signal });
        }
        Ok(())
    }

    /// Drops the signals of a rule so far: thousands of whole ones take more memory than a small machine has.
    pub fn forget(&mut self, rule: &str) {
        self.all.retain(|signal| signal.rule() != rule);
    }

    /// Keeps of this rule's signals only what [`Signal::brief`] keeps: tens of thousands of them fit into memory.
    pub fn keep_brief(&mut self, rule: &str) {
        self.brief = Some(rule.to_owned());
    }

    /// All signals so far.
    #[must_use]
    pub fn all(&self) -> &[Signal] {
        &self.all
    }

    /// Those of one rule.
    pub fn of_rule<'a>(&'a self, rule: &'a str) -> impl Iterator<Item = &'a Signal> {
        self.all.iter().filter(move |signal| signal.rule() == rule)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use serde_json::json;

    use super::*;

    #[test]
    fn lines_are_taken_in_as_they_become_whole() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let mut signals = Signals::of(file.path());
        for (written, whole) in [("{\"a\":1}\n{\"a\"", 1), (":2}", 1), ("\n{\"a\":3}\n", 3), ("", 3)] {
            file.write_all(written.as_bytes()).unwrap();
            signals.update().unwrap();
            assert_eq!(signals.all().len(), whole, "{written:?}");
        }
        assert_eq!(signals.all()[1].at("a"), &json!(2));
    }

    #[test]
    fn a_line_that_is_not_json_is_an_error() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"{\"a\":\n").unwrap();
        assert!(Signals::of(file.path()).update().is_err());
    }

    #[test]
    fn no_file_yet_is_no_signal_yet() {
        let mut signals = Signals::of(Path::new("/nonexistent/signals.jsonl"));
        signals.update().unwrap();
        assert_eq!(signals.all(), []);
    }

    #[test]
    fn paths_reach_into_objects_and_lists() {
        let signal = Signal(json!({"process": {"ancestors": [{"pid": 2}, {"pid": 1}], "args": ["a"]}}));
        assert_eq!(signal.at("process.ancestors.1.pid"), &json!(1));
        assert_eq!(signal.at("process.ancestors.2.pid"), &Value::Null);
        assert_eq!(signal.at("process.absent"), &Value::Null);
        assert_eq!(signal.ancestors(), [2, 1]);
        assert_eq!(signal.args(), ["a"]);
    }

    #[test]
    fn differences_name_what_differs_and_nothing_else() {
        let signal = Signal(json!({"a": 1, "b": 2}));
        assert_eq!(signal.differences(&[("a", json!(1)), ("c", Value::Null)]), "");
        let text = signal.differences(&[("a", json!(1)), ("b", json!(3))]);
        assert!(text.starts_with("b: expected 3, found 2\nin "), "{text}");
    }
}
