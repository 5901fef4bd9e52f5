//! One side of a string test: literals, patterns and regular expressions of which one has to match.

use regex::bytes::Regex;

use crate::text::folded;
use crate::text::index::{AnyPattern, IndexBuilder, Style, TextIndex};
use crate::text::regexp;

/// What is looked for, as written: the key by which equal tests are recognised.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TextSet {
    /// How patterns are understood.
    pub style: Style,
    /// Whether ASCII case is ignored. If so everything below is in lower case, except regular expressions.
    pub ignore_case: bool,
    /// Text to be equal to, sorted.
    pub literals: Vec<Vec<u8>>,
    /// Patterns, sorted. Some may have no star.
    pub patterns: Vec<Vec<u8>>,
    /// Regular expressions, sorted.
    pub regexes: Vec<String>,
}

impl TextSet {
    pub(crate) const fn new(style: Style, ignore_case: bool) -> Self {
        Self { style, ignore_case, literals: Vec::new(), patterns: Vec::new(), regexes: Vec::new() }
    }

    /// Sorts and folds, so that sets written differently compare equal.
    pub(crate) fn normalise(&mut self) {
        if self.ignore_case {
            self.literals.iter_mut().chain(&mut self.patterns).for_each(|text| text.make_ascii_lowercase());
        }
        self.literals.sort_unstable();
        self.literals.dedup();
        self.patterns.sort_unstable();
        self.patterns.dedup();
        self.regexes.sort_unstable();
        self.regexes.dedup();
    }
}

/// A compiled [`TextSet`].
#[derive(Debug)]
pub(crate) struct TextMatcher {
    ignore_case: bool,
    kind: Kind,
    regexes: Vec<Regex>,
}

#[derive(Debug)]
enum Kind {
    /// One literal, as in most tests.
    One(Box<[u8]>),
    /// A few, tried one after the other.
    Few { literals: Vec<Box<[u8]>>, patterns: Vec<AnyPattern> },
    /// More than that.
    Many(Box<TextIndex>),
}

/// Up to this many are faster one by one than looked up.
const FEW: usize = 4;

impl TextMatcher {
    /// Compiles a set. Regular expressions have been checked with the same limit, so none is lost.
    pub(crate) fn new(set: &TextSet, regex_bytes: usize) -> Self {
        let kind = if let ([literal], []) = (&*set.literals, &*set.patterns) {
            Kind::One(literal.as_slice().into())
        } else if set.literals.len() + set.patterns.len() <= FEW {
            Kind::Few {
                literals: set.literals.iter().map(|text| text.as_slice().into()).collect(),
                patterns: set.patterns.iter().map(|text| AnyPattern::new(text, set.style)).collect(),
            }
        } else {
            let mut builder = IndexBuilder::default();
            set.literals.iter().for_each(|text| builder.literal(text, 0));
            set.patterns.iter().for_each(|text| builder.pattern(text, set.style, 0));
            Kind::Many(Box::new(builder.build()))
        };
        let compile = |text: &String| regexp::compile(text, set.ignore_case, regex_bytes).ok();
        Self { ignore_case: set.ignore_case, kind, regexes: set.regexes.iter().filter_map(compile).collect() }
    }

    #[inline]
    pub(crate) fn matches(&self, value: &[u8]) -> bool {
        if self.ignore_case { folded(value, |value| self.find(value)) } else { self.find(value) }
    }

    #[inline]
    fn find(&self, value: &[u8]) -> bool {
        let found = match &self.kind {
            Kind::One(literal) => **literal == *value,
            Kind::Few { literals, patterns } => {
                literals.iter().any(|text| **text == *value)
                    || patterns.iter().any(|pattern| pattern.matches(value))
            }
            Kind::Many(index) => index.find(value, |_| true),
        };
        found || self.regexes.iter().any(|regex| regex.is_match(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_is_ignored_on_request() {
        let mut set = TextSet::new(Style::Plain, true);
        set.literals.push(b"Example.COM".to_vec());
        set.patterns.push(b"*.B.org".to_vec());
        set.regexes.push("^FO+$".to_owned());
        set.normalise();
        let matcher = TextMatcher::new(&set, 1 << 20);
        for value in ["example.com", "EXAMPLE.com", "a.b.ORG", "fooo"] {
            assert!(matcher.matches(value.as_bytes()), "{value}");
        }
        assert!(matcher.matches(&[b"A".repeat(5_000), b".B.ORG".to_vec()].concat()));
        assert!(!matcher.matches(b"example.org"));
    }
}
