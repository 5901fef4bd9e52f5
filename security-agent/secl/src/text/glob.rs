//! Globs, the patterns of paths: `*` stays within a segment, one `**` segment stands for any number of segments.

use crate::text::pattern::Pattern;

/// A compiled glob.
///
/// A glob that begins with `*` is one that begins with `/*`. `**` in the middle stands for no segment as well; at the end for one at
/// least, so that `/a/**` is what is below `/a` but not `/a`. Within a segment `**` is `*`.
#[derive(Debug, Clone)]
pub(crate) struct Glob {
    /// Whether values need a leading slash; `None` if either will do.
    rooted: Option<bool>,
    /// Segments before `**`, or all of them.
    head: Box<[Pattern]>,
    /// Segments after `**`; `None` without one.
    tail: Option<Box<[Pattern]>>,
    /// The text up to the first star.
    prefix: Box<[u8]>,
    /// The text after the last star.
    suffix: Box<[u8]>,
    /// The longest text between stars.
    middle: Box<[u8]>,
}

impl Glob {
    pub(crate) fn new(text: &[u8]) -> Self {
        let (rooted, body) = strip_root(text);
        let segments: Vec<&[u8]> = body.split(|&b| b == b'/').collect();
        let compile = |part: &[&[u8]]| part.iter().map(|segment| Pattern::new(segment)).collect();
        let (head, tail) = match segments.iter().position(|segment| *segment == b"**") {
            Some(at) => (compile(&segments[..at]), Some(compile(&segments[at + 1..]))),
            None => (compile(&segments), None),
        };
        // A `**` may stand for nothing, and then the slash after it is the one before it, if there is one.
        let mut parts: Vec<&[u8]> = Vec::new();
        for (at, part) in text.split(|&b| b == b'*').enumerate() {
            let after_double = at >= 2 && parts[at - 1].is_empty();
            parts.push(if after_double { part.strip_prefix(b"/").unwrap_or(part) } else { part });
        }
        let prefix = parts[0].into();
        let suffix = if parts.len() > 1 { parts[parts.len() - 1] } else { b"" }.into();
        let inner = parts.get(1..parts.len() - 1).unwrap_or_default();
        let middle = inner.iter().copied().max_by_key(|part| part.len()).unwrap_or_default().into();
        Self { rooted: (!text.starts_with(b"*")).then_some(rooted), head, tail, prefix, suffix, middle }
    }

    pub(crate) fn matches(&self, value: &[u8]) -> bool {
        let (rooted, body) = strip_root(value);
        if self.rooted.is_some_and(|needed| needed != rooted) {
            return false;
        }
        let mut segments = body.split(|&b| b == b'/');
        if !self.head.iter().all(|p| segments.next().is_some_and(|segment| p.matches(segment))) {
            return false;
        }
        match &self.tail {
            None => segments.next().is_none(),
            Some(tail) if tail.is_empty() => segments.next().is_some(),
            Some(tail) => {
                tail.iter().rev().all(|p| segments.next_back().is_some_and(|segment| p.matches(segment)))
            }
        }
    }

    /// What every match begins with; empty if the glob begins with a star.
    pub(crate) fn prefix(&self) -> &[u8] {
        &self.prefix
    }

    /// What every match ends with.
    pub(crate) fn suffix(&self) -> &[u8] {
        &self.suffix
    }

    /// What every match has in it; empty if there is nothing between stars.
    pub(crate) fn middle(&self) -> &[u8] {
        &self.middle
    }
}

fn strip_root(text: &[u8]) -> (bool, &[u8]) {
    text.strip_prefix(b"/").map_or((false, text), |rest| (true, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn matches(glob: &str, value: &str) -> bool {
        Glob::new(glob.as_bytes()).matches(value.as_bytes())
    }

    #[test]
    fn a_star_stays_in_its_segment() {
        assert!(matches("/tmp/test/*st*", "/tmp/test/ast"));
        assert!(!matches("/tmp/*", "/tmp/test/ast"));
        assert!(!matches("/usr/lib*/x.so", "/usr/lib/y/x.so"));
        assert!(matches("*/.ssh/k", "/root/.ssh/k"));
        assert!(!matches("*/.ssh/k", "/.ssh/k") && !matches("*/.ssh/k", "/home/bob/.ssh/k"));
        assert!(matches("/a**", "/abc") && !matches("/a**", "/abc/d"));
    }

    #[test]
    fn two_stars_cross_segments() {
        assert!(matches("/sys/**/cgr*", "/sys/fs/test/cgroup"));
        assert!(matches("/sys/**/cgr*", "/sys/cgroup"));
        assert!(!matches("/etc/**/passwd", "/etcx/passwd"));
        assert!(matches("**/fs/cgroup", "/sys/fs/cgroup"));
        assert!(matches("/tmp/**", "/tmp/a/b/c") && !matches("/tmp/**", "/tmp"));
        assert!(!matches("/a/**/b/c", "/a/c"));
    }

    proptest! {
        #[test]
        fn matches_begin_and_end_as_promised(glob in "/?[ab*/]{0,8}", value in "/?[ab/]{0,10}") {
            let glob = Glob::new(glob.as_bytes());
            if glob.matches(value.as_bytes()) {
                prop_assert!(value.as_bytes().starts_with(glob.prefix()));
                prop_assert!(value.as_bytes().ends_with(glob.suffix()), "{:?}", glob.suffix());
                prop_assert!(memchr::memmem::find(value.as_bytes(), glob.middle()).is_some(), "{:?}", glob.middle());
            }
        }
    }
}
