//! Many literals and patterns at once: which of them match a value, at a cost that hardly depends on their number.
//!
//! Literals are hashed. A pattern is found by a part that every match has: what it begins with or ends with, in a trie, or else a part
//! in the middle, by one Aho-Corasick automaton for all; of many that begin or end alike, by such an automaton of their own. Only patterns found that way are tried in full.

use aho_corasick::{AhoCorasick, Input};
use rustc_hash::FxHashMap;

use crate::text::glob::Glob;
use crate::text::pattern::Pattern;
use crate::text::trie::{End, Trie};

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
            // Cheaper than to compare segment by segment.
            Self::Path(glob) => value.ends_with(glob.suffix()) && glob.matches(value),
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

/// Up to so many patterns with a beginning or an end in common are tried one by one.
const FEW: usize = 6;

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

    pub(crate) fn build(mut self) -> TextIndex {
        let exact = std::mem::take(&mut self.exact);
        let mut index = TextIndex { sketch: Sketch::new(exact.keys()), exact, ..TextIndex::default() };
        // Text at an end that few patterns share leads to few that are tried in vain.
        let mut sharing: FxHashMap<(End, &[u8]), u32> = FxHashMap::default();
        for (pattern, _) in &self.patterns {
            *sharing.entry((End::Front, pattern.prefix())).or_default() += 1;
            *sharing.entry((End::Back, pattern.suffix())).or_default() += 1;
        }
        let shared_by = |end, text: &[u8]| sharing.get(&(end, text)).copied().unwrap_or(u32::MAX);
        let mut ends: FxHashMap<(End, &[u8]), Vec<u32>> = FxHashMap::default();
        let mut middles = Vec::new();
        for ((pattern, _), at) in self.patterns.iter().zip(0u32..) {
            let rank = |end, text: &[u8]| (text.is_empty(), shared_by(end, text), usize::MAX - text.len());
            let (front, back) = (pattern.prefix(), pattern.suffix());
            let (end, text) = if rank(End::Front, front) <= rank(End::Back, back) {
                (End::Front, front)
            } else {
                (End::Back, back)
            };
            if !text.is_empty() {
                ends.entry((end, text)).or_default().push(at);
            } else if !pattern.middle().is_empty() {
                middles.push(at);
            } else {
                index.always.push(at);
            }
        }
        let (mut prefixes, mut suffixes) = (Vec::new(), Vec::new());
        for ((end, text), mut ids) in ends {
            let keys = if end == End::Front { &mut prefixes } else { &mut suffixes };
            // Of many that begin alike, what they have in the middle tells which are worth trying.
            if ids.len() > FEW {
                let (inner, rest) = ids.into_iter().partition(|at| !self.middle(*at).is_empty());
                ids = rest;
                match self.middles(inner) {
                    Ok(group) => {
                        let number =
                            u32::try_from(self.patterns.len() + index.groups.len()).unwrap_or(u32::MAX);
                        index.groups.extend(group);
                        keys.push((text.to_vec(), number));
                    }
                    Err(inner) => ids.extend(inner),
                }
            }
            keys.extend(ids.into_iter().map(|at| (text.to_vec(), at)));
        }
        for (key, _) in &prefixes {
            index.starts.add(key.first());
        }
        for (key, _) in &suffixes {
            index.finals.add(key.last());
        }
        match (Trie::new(prefixes, End::Front), Trie::new(suffixes, End::Back)) {
            (Some(prefixes), Some(suffixes)) => (index.prefixes, index.suffixes) = (prefixes, suffixes),
            // Too many for a trie: try them all.
            _ => index.always = (0u32..).take(self.patterns.len()).collect(),
        }
        match self.middles(middles) {
            Ok(middles) => index.middles = middles,
            Err(ids) => index.always.extend(ids),
        }
        index.patterns = self.patterns;
        index
    }

    fn middle(&self, at: u32) -> &[u8] {
        self.patterns.get(at as usize).map_or(&[], |(pattern, _)| pattern.middle())
    }

    /// What finds these patterns by their middle; they are given back if they are too many.
    fn middles(&self, ids: Vec<u32>) -> Result<Option<Middles>, Vec<u32>> {
        if ids.is_empty() {
            return Ok(None);
        }
        // Values are short: a step per byte costs less than to set off searches for rare bytes again and again.
        match AhoCorasick::builder().prefilter(false).build(ids.iter().map(|at| self.middle(*at))) {
            Ok(automaton) => Ok(Some(Middles { automaton, ids })),
            Err(_) => Err(ids),
        }
    }
}

/// Patterns that are found by what they have in the middle.
#[derive(Debug)]
struct Middles {
    automaton: AhoCorasick,
    ids: Vec<u32>,
}

impl Middles {
    /// Calls `found` with the patterns whose middle is in `value`, until it returns true; returns whether it did.
    fn find(&self, value: &[u8], mut found: impl FnMut(u32) -> bool) -> bool {
        // This search is cheaper than the overlapping one.
        let Some(first) = self.automaton.find(value) else { return false };
        // The hit is the one that ends first; others may begin before it, by the length of the longest part at most.
        let from = first.end().saturating_sub(self.automaton.max_pattern_len());
        let mut hits = self.automaton.find_overlapping_iter(Input::new(value).range(from..));
        hits.any(|hit| self.ids.get(hit.pattern().as_usize()).is_some_and(|at| found(*at)))
    }
}

/// A set of bytes.
#[derive(Debug, Default)]
struct Bytes([u64; 4]);

impl Bytes {
    fn add(&mut self, byte: Option<&u8>) {
        if let Some(byte) = byte {
            self.0[usize::from(byte / 64)] |= 1 << (byte % 64);
        }
    }

    #[inline]
    fn has(&self, byte: Option<&u8>) -> bool {
        byte.is_some_and(|byte| self.0[usize::from(byte / 64)] >> (byte % 64) & 1 == 1)
    }
}

/// Keeps a list of numbers, given in ascending order, free of duplicates.
fn push(list: &mut Vec<u32>, id: u32) {
    if list.last() != Some(&id) {
        list.push(id);
    }
}

/// Which texts may be among some literals, by a few of their bytes: most are told apart without hashing all of them.
#[derive(Debug, Default)]
struct Sketch {
    /// A power of two of them; none without literals.
    words: Box<[u64]>,
}

impl Sketch {
    /// Bits for each literal.
    const SPARSE: usize = 16;

    fn new<'t>(texts: impl ExactSizeIterator<Item = &'t Box<[u8]>>) -> Self {
        if texts.len() == 0 {
            return Self::default();
        }
        let words = (texts.len() * Self::SPARSE).div_ceil(64).next_power_of_two();
        let mut sketch = Self { words: vec![0; words].into() };
        for text in texts {
            let (word, bit) = sketch.place(text);
            sketch.words[word] |= bit;
        }
        sketch
    }

    #[inline]
    fn place(&self, text: &[u8]) -> (usize, u64) {
        /// An odd number whose bits are without pattern.
        const SPREAD: u32 = 0x9e37_79b1;
        let ends = match (text.first_chunk(), text.last_chunk()) {
            (Some(first), Some(last)) => {
                u32::from_le_bytes(*first).rotate_left(7) ^ u32::from_le_bytes(*last)
            }
            _ => text.iter().fold(0, |sum, b| sum << 8 | u32::from(*b)),
        };
        #[expect(clippy::cast_possible_truncation, reason = "any function of the length will do")]
        let spread = (ends ^ (text.len() as u32) << 3).wrapping_mul(SPREAD);
        ((spread >> 6) as usize & (self.words.len().wrapping_sub(1)), 1 << (spread >> 26))
    }

    #[inline]
    fn may_have(&self, text: &[u8]) -> bool {
        let (word, bit) = self.place(text);
        self.words.get(word).is_some_and(|bits| bits & bit != 0)
    }
}

/// The index itself, see the module.
#[derive(Debug, Default)]
pub(crate) struct TextIndex {
    sketch: Sketch,
    exact: FxHashMap<Box<[u8]>, Vec<u32>>,
    patterns: Vec<(AnyPattern, Vec<u32>)>,
    prefixes: Trie,
    suffixes: Trie,
    /// The bytes that keys of these begin and end with: most text is done with after two looks.
    starts: Bytes,
    finals: Bytes,
    middles: Option<Middles>,
    /// Patterns that share a beginning or an end. The tries have them by numbers after those of patterns.
    groups: Vec<Middles>,
    /// Patterns without any text to look for.
    always: Vec<u32>,
}

impl TextIndex {
    /// Calls `found` with the numbers of everything that matches `value`, in no order, some of them possibly more than once, until it
    /// returns true; returns whether it did.
    #[inline]
    pub(crate) fn find(&self, value: &[u8], mut found: impl FnMut(u32) -> bool) -> bool {
        if self.sketch.may_have(value)
            && let Some(ids) = self.exact.get(value)
            && ids.iter().copied().any(&mut found)
        {
            return true;
        }
        let by_end = self.starts.has(value.first()) || self.finals.has(value.last());
        (by_end || self.middles.is_some() || !self.always.is_empty()) && self.find_patterns(value, found)
    }

    fn find_patterns(&self, value: &[u8], mut found: impl FnMut(u32) -> bool) -> bool {
        let mut attempt = |at: u32| match self.patterns.get(at as usize) {
            Some((pattern, ids)) => pattern.matches(value) && ids.iter().copied().any(&mut found),
            None => false,
        };
        let mut attempt_all = |at: u32| match self.groups.get((at as usize).wrapping_sub(self.patterns.len()))
        {
            Some(group) => group.find(value, &mut attempt),
            None => attempt(at),
        };
        self.prefixes.find(value, &mut attempt_all)
            || self.suffixes.find(value, &mut attempt_all)
            || self.middles.as_ref().is_some_and(|middles| middles.find(value, &mut attempt))
            || self.always.iter().copied().any(&mut attempt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn found(index: &TextIndex, value: &str) -> Vec<u32> {
        let mut ids = Vec::new();
        index.find(value.as_bytes(), |id| {
            ids.push(id);
            false
        });
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

    #[test]
    fn many_that_begin_alike_are_told_apart() {
        let mut builder = IndexBuilder::default();
        for number in 0..100 {
            builder.pattern(format!("/home/*/.{number}/*").as_bytes(), Style::Path, number);
        }
        builder.pattern(b"/home/*", Style::Path, 100);
        let index = builder.build();
        assert_eq!(index.groups.len(), 1);
        assert_eq!(found(&index, "/home/bob/.42/x"), [42]);
        assert_eq!(found(&index, "/home/bob"), [100]);
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
