//! Nested, dotted and mixed keys to one list of dotted keys.

use crate::node::{Kind, Node, Position};
use crate::yaml::Malformed;

/// A key with its value, in the order of the file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The whole key, dotted, in lower case: the reference does not tell cases apart.
    pub(crate) key: String,
    /// Where its last part is written.
    pub(crate) position: Position,
    /// What it is set to.
    pub(crate) value: Node,
}

/// Lists the keys of a document. A mapping is a section, unless `is_value` says that its key takes it as it is.
///
/// # Errors
/// Every key that is not a name, and a document that is not a mapping.
pub(crate) fn entries(document: Node, is_value: &dyn Fn(&str) -> bool) -> Result<Vec<Entry>, Vec<Malformed>> {
    let mut found = Found { entries: Vec::new(), errors: Vec::new(), is_value };
    match document.kind {
        Kind::Null => {}
        Kind::Mapping(pairs) => found.section("", pairs),
        Kind::Scalar(_) | Kind::Sequence(_) => found.errors.push(Malformed {
            position: document.position,
            message: format!("expected keys such as `runtime_security_config:`, found {document}"),
        }),
    }
    if found.errors.is_empty() { Ok(found.entries) } else { Err(found.errors) }
}

struct Found<'a> {
    entries: Vec<Entry>,
    errors: Vec<Malformed>,
    is_value: &'a dyn Fn(&str) -> bool,
}

impl Found<'_> {
    fn section(&mut self, prefix: &str, pairs: Vec<(Node, Node)>) {
        // What a merge key brings in is weaker than what stands beside it, wherever it stands.
        let (merged, own): (Vec<_>, Vec<_>) =
            pairs.into_iter().partition(|(key, _)| key.text() == Some("<<"));
        for (key, value) in merged {
            match value.kind {
                Kind::Mapping(pairs) => self.section(prefix, pairs),
                _ => self.errors.push(Malformed {
                    position: key.position,
                    message: format!("`<<` takes a mapping, found {value}"),
                }),
            }
        }
        for (key, value) in own {
            self.pair(prefix, &key, value);
        }
    }

    fn pair(&mut self, prefix: &str, key: &Node, value: Node) {
        let Some(name) = key.text().map(str::trim).filter(|name| !name.is_empty()) else {
            let message = format!("expected the name of a key, found {key}");
            self.errors.push(Malformed { position: key.position, message });
            return;
        };
        let name = name.to_ascii_lowercase();
        let full = if prefix.is_empty() { name } else { format!("{prefix}.{name}") };
        match value.kind {
            Kind::Mapping(pairs) if !(self.is_value)(&full) => self.section(&full, pairs),
            _ => self.entries.push(Entry { key: full, position: key.position, value }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml;

    fn keys(text: &str) -> Vec<(String, usize, String)> {
        let entries = entries(yaml::parse(text).unwrap(), &|key| key == "leaf").unwrap();
        entries.into_iter().map(|entry| (entry.key, entry.position.line, entry.value.to_string())).collect()
    }

    fn entry(key: &str, line: usize, value: &str) -> (String, usize, String) {
        (key.to_owned(), line, value.to_owned())
    }

    #[test]
    fn nested_flat_and_mixed_keys_are_the_same() {
        let expected = |line| vec![entry("a.b.c", line, "`1`")];
        assert_eq!(keys("a:\n  b:\n    c: 1\n"), expected(3));
        assert_eq!(keys("a.b.c: 1\n"), expected(1));
        assert_eq!(keys("a.b:\n  c: 1\n"), expected(2));
        assert_eq!(keys("a:\n  b.c: 1\n"), expected(2));
        assert_eq!(keys("A: {B: {c: 1}}\n"), expected(1));
    }

    #[test]
    fn duplicates_stay_in_order() {
        assert_eq!(keys("a:\n  b: 1\na.b: 2\n"), [entry("a.b", 2, "`1`"), entry("a.b", 3, "`2`")]);
        assert_eq!(keys("a: 1\na: 2\n"), [entry("a", 1, "`1`"), entry("a", 2, "`2`")]);
    }

    #[test]
    fn a_key_that_takes_a_value_is_not_a_section() {
        assert_eq!(keys("leaf:\n  a: 1\n"), [entry("leaf", 1, "a mapping")]);
    }

    #[test]
    fn merge_keys_are_weaker_than_their_neighbours() {
        let text = "base: &base {x: 1, y: 1}\ntop:\n  x: 2\n  <<: *base\n";
        let last =
            |key: &str| keys(text).into_iter().rfind(|(name, ..)| name == key).map(|(.., value)| value);
        assert_eq!(last("top.x").as_deref(), Some("`2`"));
        assert_eq!(last("top.y").as_deref(), Some("`1`"));
    }

    #[test]
    fn every_bad_key_is_reported() {
        let document = yaml::parse("? [a]\n: 1\n? {b: 1}\n: 2\n~: 3\n").unwrap();
        assert_eq!(entries(document, &|_| false).unwrap_err().len(), 3);
        assert_eq!(entries(yaml::parse("just text").unwrap(), &|_| false).unwrap_err().len(), 1);
    }
}
