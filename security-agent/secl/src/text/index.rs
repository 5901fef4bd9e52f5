//! Many literals and patterns at once: which of them match a value, at a cost that hardly depends on their number.
//!
//! Literals are hashed. A pattern is found by a part that every match has: what it begins with or ends with, in a trie, or else a part
//! in the middle, by one Aho-Corasick automaton for all. Only patterns found that way are tried in full.

use aho_corasick::{AhoCorasick, Input};
use rustc_hash::FxHashMap;

use crate::text::glob::Glob;
use crate::text::pattern::Pattern;
use crate::text::trie::Trie;

/// How `*` is understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Style {
    /// `*` stands for any text.
    Plain,
    /// Globs on paths: `*` stays within a segment.
    Path,
}

/// A compiled pattern of either style.
#[derive(Debug, Clone)]
pub(crate) enum AnyPattern {
    Plain(Pattern),
    Path(Glob),
}

impl AnyPattern {
    pub(crate) fn new(text: &[u8], style: Style) -> Self {
        match style {
            // Without a star a glob is plain equality.
            Style::Path if text.contains(&b'*') => Self::Path(Glob::new(text)),
            Style::Path | Style::Plain => Self::Plain(Pattern::new(text)),
        }
    }

    pub(crate) fn matches(&self, value: &[u8]) -> bool {
        match self {
            Self::Plain(pattern) => pattern.matches(value),
            Self::Path(glob) => glob.matches(value),
        }
    }

    pub(crate) fn is_literal(&self) -> bool {
        matches!(self, Self::Plain(pattern) if pattern.is_literal())
    }

    /// Length of the text it is found by: at one of its ends, and in its middle.
    pub(crate) fn strength(&self) -> (usize, usize) {
        (self.prefix().len().max(self.suffix().len()), self.middle().len())
    }

    fn prefix(&self) -> &[u8] {
        match self {
            Self::Plain(pattern) => pattern.prefix(),
            Self::Path(glob) => glob.prefix(),
        }
    }

    fn suffix(&self) -> &[u8] {
        match self {
            Self::Plain(pattern) => pattern.suffix(),
            Self::Path(glob) => glob.suffix(),
        }
    }

    fn middle(&self) -> &[u8] {
        match self {
            Self::Plain(pattern) => pattern.longest_middle(),
            Self::Path(glob) => glob.middle(),
        }
    }
}

/// Collects literals and patterns, each with a number.
#[derive(Debug, Default)]
pub(crate) struct IndexBuilder {
    exact: FxHashMap<Box<[u8]>, Vec<u32>>,
    patterns: Vec<(AnyPattern, Vec<u32>)>,
    /// Position in `patterns` by text and style.
    known: FxHashMap<(Box<[u8]>, Style), usize>,
}

impl IndexBuilder {
    pub(crate) fn literal(&mut self, text: &[u8], id: u32) {
        push(self.exact.entry(text.into()).or_default(), id);
    }

    pub(crate) fn pattern(&mut self, text: &[u8], style: Style, id: u32) {
        let pattern = AnyPattern::new(text, style);
        if pattern.is_literal() {
            return self.literal(text, id);
        }
        let at = *self.known.entry((text.into(), style)).or_insert(self.patterns.len());
        if at == self.patterns.len() {
            self.patterns.push((pattern, Vec::new()));
        }
        push(&mut self.patterns[at].1, id);
    }

    pub(crate) fn build(self) -> TextIndex {
        let mut index = TextIndex { lengths: 0, exact: self.exact, ..TextIndex::default() };
        for literal in index.exact.keys() {
            index.lengths |= length_bit(literal);
        }
        let mut middles = Vec::new();
        for (pattern, at) in self.patterns.iter().zip(0u32..) {
            let (prefix, suffix, middle) = (pattern.0.prefix(), pattern.0.suffix(), pattern.0.middle());
            if prefix.len() >= suffix.len() && !prefix.is_empty() {
                index.prefixes.insert(prefix.iter().copied(), at);
            } else if !suffix.is_empty() {
                index.suffixes.insert(suffix.iter().rev().copied(), at);
            } else if !middle.is_empty() {
                middles.push((middle.to_vec(), at));
            } else {
                index.always.push(at);
            }
        }
        let (parts, ids): (Vec<_>, Vec<_>) = middles.into_iter().unzip();
        if !parts.is_empty() {
            match AhoCorasick::new(&parts) {
                Ok(automaton) => index.middles = Some((automaton, ids)),
                // Too many parts for the automaton: try them all.
                Err(_) => index.always.extend(ids),
            }
        }
        index.patterns = self.patterns;
        index
    }
}

/// Keeps a list of numbers, given in ascending order, free of duplicates.
fn push(list: &mut Vec<u32>, id: u32) {
    if list.last() != Some(&id) {
        list.push(id);
    }
}

/// The index itself, see the module.
#[derive(Debug, Default)]
pub(crate) struct TextIndex {
    /// Bit n is set if a literal has n bytes modulo 64: most values are told apart without hashing.
    lengths: u64,
    exact: FxHashMap<Box<[u8]>, Vec<u32>>,
    patterns: Vec<(AnyPattern, Vec<u32>)>,
    prefixes: Trie,
    suffixes: Trie,
    middles: Option<(AhoCorasick, Vec<u32>)>,
    /// Patterns without any text to look for.
    always: Vec<u32>,
}

fn length_bit(text: &[u8]) -> u64 {
    1 << (text.len() % 64)
}

impl TextIndex {
    /// Calls `found` with the numbers of everything that matches `value`, in no order, some of them possibly more than once.
    pub(crate) fn find(&self, value: &[u8], mut found: impl FnMut(u32)) {
        if self.lengths & length_bit(value) != 0
            && let Some(ids) = self.exact.get(value)
        {
            ids.iter().copied().for_each(&mut found);
        }
        if self.patterns.is_empty() {
            return;
        }
        let mut attempt = |at: u32| {
            if let Some((pattern, ids)) = self.patterns.get(at as usize)
                && pattern.matches(value)
            {
                ids.iter().copied().for_each(&mut found);
            }
        };
        self.prefixes.prefixes(value.iter().copied(), &mut attempt);
        if !self.suffixes.is_empty() {
            self.suffixes.prefixes(value.iter().rev().copied(), &mut attempt);
        }
        if let Some((automaton, ids)) = &self.middles
            // This search skips over text without candidates, the overlapping one looks at every byte.
            && let Some(first) = automaton.find(value)
        {
            // The hit is the one that ends first; others may begin before it, by the length of the longest part at most.
            let from = first.end().saturating_sub(automaton.max_pattern_len());
            for hit in automaton.find_overlapping_iter(Input::new(value).range(from..)) {
                attempt(ids[hit.pattern().as_usize()]);
            }
        }
        self.always.iter().copied().for_each(&mut attempt);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn found(index: &TextIndex, value: &str) -> Vec<u32> {
        let mut ids = Vec::new();
        index.find(value.as_bytes(), |id| ids.push(id));
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    #[test]
    fn a_part_may_begin_before_the_one_that_ends_first() {
        let mut builder = IndexBuilder::default();
        builder.pattern(b"*a/a*", Style::Plain, 0);
        builder.pattern(b"*/*", Style::Plain, 1);
        assert_eq!(found(&builder.build(), "a/a"), [0, 1]);
    }

    proptest! {
        #[test]
        fn finds_what_each_finds_alone(
            literals in prop::collection::vec("[ab/]{0,4}", 0..6),
            plain in prop::collection::vec("[ab/*]{0,5}", 0..12),
            globs in prop::collection::vec("/?[ab/*]{0,6}", 0..12),
            value in "[ab/]{0,8}",
        ) {
            let mut builder = IndexBuilder::default();
            let mut expected = Vec::new();
            let mut next = 0;
            for text in &literals {
                builder.literal(text.as_bytes(), next);
                expected.extend((*text == value).then_some(next));
                next += 1;
            }
            for (style, texts) in [(Style::Plain, &plain), (Style::Path, &globs)] {
                for text in texts {
                    builder.pattern(text.as_bytes(), style, next);
                    let matches = AnyPattern::new(text.as_bytes(), style).matches(value.as_bytes());
                    expected.extend(matches.then_some(next));
                    next += 1;
                }
            }
            prop_assert_eq!(found(&builder.build(), &value), expected);
        }
    }
}
