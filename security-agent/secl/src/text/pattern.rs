//! Patterns: `*` stands for any text, everything else for itself.

use memchr::memmem;

/// A compiled pattern.
///
/// Matching is complete: text matches if there is any way to choose what the stars stand for. (Some versions of the reference take the
/// first occurrence of the last part and miss `barbar` for `*bar`.)
#[derive(Debug, Clone)]
pub(crate) struct Pattern {
    /// Text before the first star, or all of it without a star.
    prefix: Box<[u8]>,
    /// Parts between stars, none empty, ready to be looked for.
    middle: Box<[memmem::Finder<'static>]>,
    /// Text after the last star; `None` without a star.
    suffix: Option<Box<[u8]>>,
}

impl Pattern {
    pub(crate) fn new(text: &[u8]) -> Self {
        let mut parts: Vec<&[u8]> = text.split(|&b| b == b'*').collect();
        let suffix = (parts.len() > 1).then(|| parts.pop().unwrap_or_default().into());
        let prefix = parts.remove(0).into();
        let middle = parts.into_iter().filter(|part| !part.is_empty());
        let middle = middle.map(|part| memmem::Finder::new(part).into_owned()).collect();
        Self { prefix, middle, suffix }
    }

    pub(crate) fn matches(&self, value: &[u8]) -> bool {
        let Some(suffix) = &self.suffix else { return *self.prefix == *value };
        let Some(rest) = value.strip_prefix(&*self.prefix) else { return false };
        let Some(mut rest) = rest.strip_suffix(&**suffix) else { return false };
        // The first occurrence of each part leaves the most room for the next, so no other choice can do better.
        self.middle.iter().all(|part| match part.find(rest) {
            Some(at) => {
                rest = &rest[at + part.needle().len()..];
                true
            }
            None => false,
        })
    }

    /// Whether there is no star.
    pub(crate) const fn is_literal(&self) -> bool {
        self.suffix.is_none()
    }

    pub(crate) fn prefix(&self) -> &[u8] {
        &self.prefix
    }

    pub(crate) fn suffix(&self) -> &[u8] {
        self.suffix.as_deref().unwrap_or_default()
    }

    /// The longest part between stars.
    pub(crate) fn longest_middle(&self) -> &[u8] {
        self.middle.iter().map(memmem::Finder::needle).max_by_key(|part| part.len()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn matches(pattern: &str, value: &str) -> bool {
        Pattern::new(pattern.as_bytes()).matches(value.as_bytes())
    }

    #[test]
    fn both_ends_are_anchored() {
        assert!(matches("*.c", "test.c"));
        assert!(!matches("*.c", "test.ct"));
        assert!(matches("abc", "abc"));
        assert!(!matches("abc", "abcd"));
        assert!(matches("*bar", "barbar"));
        assert!(!matches("ab*ba", "aba"));
        assert!(matches("*", "") && matches("", "") && !matches("", "x"));
    }

    /// The obvious definition, exponential in the number of stars.
    fn oracle(pattern: &[u8], value: &[u8]) -> bool {
        match pattern {
            [] => value.is_empty(),
            [b'*', rest @ ..] => (0..=value.len()).any(|skip| oracle(rest, &value[skip..])),
            [b, rest @ ..] => value.first() == Some(b) && oracle(rest, &value[1..]),
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_definition(pattern in "[ab*]{0,8}", value in "[ab]{0,10}") {
            let (pattern, value) = (pattern.as_bytes(), value.as_bytes());
            prop_assert_eq!(Pattern::new(pattern).matches(value), oracle(pattern, value));
        }
    }
}
