//! The keys of one mapping: typed access that reports what does not fit.

use suggest::did_you_mean;

use crate::diagnostic::{Code, Report, codes};
use crate::duration;
use crate::text::Text;
use crate::yaml::{Entry, Node, Value};

/// A mapping that is being read.
pub(super) struct Fields<'n, 'r> {
    /// What messages call the mapping.
    what: &'static str,
    entries: &'n [Entry],
    reports: &'r mut Vec<Report>,
}

impl<'n, 'r> Fields<'n, 'r> {
    pub(super) fn new(what: &'static str, entries: &'n [Entry], reports: &'r mut Vec<Report>) -> Self {
        Fields { what, entries, reports }
    }

    /// A mapping below this one.
    pub(super) fn nested<'m>(&mut self, what: &'static str, entries: &'m [Entry]) -> Fields<'m, '_> {
        Fields { what, entries, reports: self.reports }
    }

    pub(super) fn report(&mut self, report: Report) {
        self.reports.push(report);
    }

    /// The value of a key, unless it is missing or null.
    pub(super) fn get(&self, key: &str) -> Option<&'n Node> {
        let entry = self.entries.iter().find(|entry| entry.key.as_str() == key)?;
        (!matches!(entry.value.value, Value::Null)).then_some(&entry.value)
    }

    pub(super) fn wrong_type(&mut self, key: &str, node: &Node, expected: &str) {
        let message = format!("`{key}` of a {} must be {expected}, this is {}", self.what, node.value.kind());
        self.report(Report::error(codes::WRONG_TYPE, node.at, message));
    }

    /// A scalar as text, whatever its type: `version: 1.10` is the text `1.10`.
    pub(super) fn text(&mut self, key: &str) -> Option<Text> {
        let node = self.get(key)?;
        let text = node.value.as_text();
        if text.is_none() {
            self.wrong_type(key, node, "a string");
        }
        text.cloned()
    }

    /// A scalar as text, empty if missing.
    pub(super) fn string(&mut self, key: &str) -> String {
        self.text(key).map(|text| text.as_str().to_owned()).unwrap_or_default()
    }

    /// A boolean, false if missing.
    pub(super) fn flag(&mut self, key: &str) -> bool {
        match self.get(key) {
            None => false,
            Some(Node { value: Value::Bool(value, _), .. }) => *value,
            // The words of YAML 1.1, which the reference takes where it wants a boolean.
            Some(Node { value: Value::Text(text), .. })
                if matches!(text.as_str(), "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON") =>
            {
                true
            }
            Some(Node { value: Value::Text(text), .. })
                if matches!(text.as_str(), "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF") =>
            {
                false
            }
            Some(node) => {
                self.wrong_type(key, node, "`true` or `false`");
                false
            }
        }
    }

    pub(super) fn int(&mut self, key: &str) -> Option<i64> {
        match self.get(key)? {
            Node { value: Value::Int(value, _), .. } => Some(*value),
            node => {
                self.wrong_type(key, node, "an integer");
                None
            }
        }
    }

    /// A duration in nanoseconds: an integer is one already, as in the policies that ship with the reference.
    pub(super) fn duration(&mut self, key: &str) -> Option<u64> {
        let node = self.get(key)?;
        let (value, text) = match &node.value {
            Value::Int(value, text) => (u64::try_from(*value).ok(), text),
            Value::Text(text) => (duration::parse(text.as_str()), text),
            Value::Null | Value::Bool(..) | Value::List(_) | Value::Map(_) => {
                self.wrong_type(key, node, "a duration");
                return None;
            }
        };
        if value.is_none() {
            let message = format!("`{}` is not a duration", text.as_str());
            let help = "write `10s`, `1h30m`, `500ms`, or an integer in nanoseconds";
            self.report(Report::error(codes::BAD_DURATION, text, message).help(help.to_owned()));
        }
        value
    }

    /// The items of a list, at most `limit` of them.
    pub(super) fn list(&mut self, key: &str, limit: usize) -> &'n [Node] {
        let Some(node) = self.get(key) else { return &[] };
        let Value::List(items) = &node.value else {
            self.wrong_type(key, node, "a list");
            return &[];
        };
        if items.len() > limit {
            let message = format!("`{key}` has {} items, {limit} are allowed", items.len());
            self.report(Report::error(codes::TOO_MANY, node.at, message));
        }
        items.get(..limit).unwrap_or(items)
    }

    /// A list of scalars.
    pub(super) fn texts(&mut self, key: &str, limit: usize) -> Vec<Text> {
        let mut texts = Vec::new();
        for node in self.list(key, limit) {
            match node.value.as_text() {
                Some(text) => texts.push(text.clone()),
                None => self.wrong_type(key, node, "a list of strings"),
            }
        }
        texts
    }

    /// A list of scalars as strings.
    pub(super) fn strings(&mut self, key: &str, limit: usize) -> Vec<String> {
        self.texts(key, limit).iter().map(|text| text.as_str().to_owned()).collect()
    }

    /// A mapping of scalars to scalars.
    pub(super) fn pairs(&mut self, key: &str, limit: usize) -> Vec<(String, String)> {
        let Some(node) = self.get(key) else { return Vec::new() };
        let Value::Map(entries) = &node.value else {
            self.wrong_type(key, node, "a mapping");
            return Vec::new();
        };
        if entries.len() > limit {
            let message = format!("`{key}` has {} entries, {limit} are allowed", entries.len());
            self.report(Report::error(codes::TOO_MANY, node.at, message));
        }
        let mut pairs = Vec::new();
        for entry in entries.iter().take(limit) {
            let value = match &entry.value.value {
                Value::Null => Some(""),
                value => value.as_text().map(Text::as_str),
            };
            match value {
                Some(value) => pairs.push((entry.key.as_str().to_owned(), value.to_owned())),
                None => self.wrong_type(key, &entry.value, "a mapping of strings"),
            }
        }
        pairs
    }

    /// One of several names, or nothing if the key is missing or empty.
    pub(super) fn choice<T: Copy>(
        &mut self,
        key: &'static str,
        names: &[(&str, T)],
        code: Code,
    ) -> Option<T> {
        let text = self.text(key).filter(|text| !text.as_str().is_empty())?;
        self.name(&text, names, key, code)
    }

    /// What a name stands for.
    pub(super) fn name<T: Copy>(
        &mut self,
        text: &Text,
        names: &[(&str, T)],
        what: &str,
        code: Code,
    ) -> Option<T> {
        let found = names.iter().find(|(name, _)| *name == text.as_str()).map(|(_, value)| *value);
        if found.is_none() {
            let known: Vec<String> = names.iter().map(|(name, _)| format!("`{name}`")).collect();
            let message = format!("`{}` is not a {what} of a {}", text.as_str(), self.what);
            let help = format!("use {}", known.join(", "));
            self.report(Report::error(code, text, message).help(help));
        }
        found
    }

    /// Warns of keys that mean nothing here.
    pub(super) fn finish(self, known: &[&str]) {
        for entry in self.entries {
            let key = entry.key.as_str();
            if !known.contains(&key) {
                let message = format!("a {} has no key `{key}`, it is ignored", self.what);
                let help = did_you_mean(key, known.iter().copied());
                self.reports.push(Report::warning(codes::UNKNOWN_KEY, &entry.key, message).help(help));
            }
        }
    }
}
