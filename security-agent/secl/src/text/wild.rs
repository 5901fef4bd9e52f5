//! Matching by patterns that are only known at evaluation, such as `~"/proc/${process.pid}/*"`: without compiling them, which would
//! allocate for every event.

use crate::text::index::Style;

/// Whether `value` matches `pattern`, understood as [`crate::text::index::AnyPattern`] understands it.
pub(crate) fn matches(pattern: &[u8], value: &[u8], style: Style, ignore_case: bool) -> bool {
    let same: fn(u8, u8) -> bool =
        if ignore_case { |a, b| a.eq_ignore_ascii_case(&b) } else { |a, b| a == b };
    match style {
        // Without a star a glob is plain equality.
        Style::Path if pattern.contains(&b'*') => glob(pattern, value, same),
        Style::Path | Style::Plain => plain(pattern, value, same),
    }
}

/// A star stands for any text. When the text after a star does not fit, the star takes in one byte more; only the last star needs to, as
/// the first place where the text between two stars fits leaves the most room for the rest.
fn plain(pattern: &[u8], value: &[u8], same: fn(u8, u8) -> bool) -> bool {
    let (mut p, mut v) = (0, 0);
    // Where to go on when what follows the last star does not fit: behind the star, and in the value.
    let mut retry: Option<(usize, usize)> = None;
    while let Some(&byte) = value.get(v) {
        match pattern.get(p) {
            Some(b'*') => {
                p += 1;
                retry = Some((p, v));
            }
            Some(&wanted) if same(wanted, byte) => {
                p += 1;
                v += 1;
            }
            _ => {
                let Some((after, from)) = &mut retry else { return false };
                *from += 1;
                (p, v) = (*after, *from);
            }
        }
    }
    pattern.get(p..).unwrap_or_default().iter().all(|&byte| byte == b'*')
}

/// A star stays within its segment; the first segment `**` stands for any number of segments.
fn glob(pattern: &[u8], value: &[u8], same: fn(u8, u8) -> bool) -> bool {
    let (rooted, pattern_body) = strip_root(pattern);
    let (value_rooted, value) = strip_root(value);
    if !pattern.starts_with(b"*") && rooted != value_rooted {
        return false;
    }
    let mut segments = value.split(|&b| b == b'/');
    let mut rest = Some(pattern_body);
    while let Some(text) = rest {
        let (segment, after) = match text.iter().position(|&b| b == b'/') {
            Some(at) => (&text[..at], Some(&text[at + 1..])),
            None => (text, None),
        };
        if segment == b"**" {
            return match after {
                // At the end it stands for one segment at least.
                None => segments.next().is_some(),
                Some(tail) => tail
                    .rsplit(|&b| b == b'/')
                    .all(|wanted| segments.next_back().is_some_and(|segment| plain(wanted, segment, same))),
            };
        }
        if !segments.next().is_some_and(|value| plain(segment, value, same)) {
            return false;
        }
        rest = after;
    }
    segments.next().is_none()
}

fn strip_root(text: &[u8]) -> (bool, &[u8]) {
    text.strip_prefix(b"/").map_or((false, text), |rest| (true, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::index::AnyPattern;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn agrees_with_compiled_patterns(
            pattern in "/?[abA*/]{0,8}", value in "/?[abA/]{0,10}", path in any::<bool>(), ignore_case in any::<bool>(),
        ) {
            let style = if path { Style::Path } else { Style::Plain };
            let fold = |text: &str| if ignore_case { text.to_ascii_lowercase() } else { text.to_owned() };
            let compiled = AnyPattern::new(fold(&pattern).as_bytes(), style).matches(fold(&value).as_bytes());
            prop_assert_eq!(matches(pattern.as_bytes(), value.as_bytes(), style, ignore_case), compiled);
        }
    }

    #[test]
    fn a_hostile_pattern_takes_no_exponential_time() {
        let pattern = "*a".repeat(50) + "b";
        assert!(!matches(pattern.as_bytes(), &b"a".repeat(4_000), Style::Plain, false));
    }
}
