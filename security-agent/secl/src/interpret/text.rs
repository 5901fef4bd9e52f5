//! Patterns by their definition.

use crate::ir::Style;

/// Whether text matches a pattern.
pub(super) fn matches(pattern: &[u8], value: &[u8], style: Style) -> bool {
    if style == Style::Plain || !pattern.contains(&b'*') {
        return stars(pattern, value);
    }
    let absolute = |text: &[u8]| text.starts_with(b"/");
    // A leading star stands for `/*`; anything else has to agree on being absolute.
    if !pattern.starts_with(b"*") && absolute(pattern) != absolute(value) {
        return false;
    }
    let body = |text| -> Vec<&[u8]> { strip(text).split(|b| *b == b'/').collect() };
    let (pattern, value) = (body(pattern), body(value));
    match pattern.iter().position(|segment| *segment == b"**") {
        None => segments(&pattern, &value),
        Some(at) => {
            // `**` at the end stands for one segment at least, elsewhere for any number.
            let least = usize::from(at + 1 == pattern.len());
            (least..=value.len()).any(|count| {
                let mut expanded = pattern[..at].to_vec();
                expanded.extend(std::iter::repeat_n(&b"*"[..], count));
                expanded.extend(&pattern[at + 1..]);
                segments(&expanded, &value)
            })
        }
    }
}

fn strip(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"/").unwrap_or(text)
}

fn segments(pattern: &[&[u8]], value: &[&[u8]]) -> bool {
    pattern.len() == value.len() && pattern.iter().zip(value).all(|(pattern, value)| stars(pattern, value))
}

/// `*` is any text. Row by row: which prefixes of the value the pattern so far can be.
fn stars(pattern: &[u8], value: &[u8]) -> bool {
    let mut row: Vec<bool> = (0..=value.len()).map(|length| length == 0).collect();
    for p in pattern {
        let mut next = vec![false; row.len()];
        for length in 0..next.len() {
            next[length] = match p {
                b'*' => row[length] || (length > 0 && next[length - 1]),
                p => length > 0 && row[length - 1] && value[length - 1] == *p,
            };
        }
        row = next;
    }
    row.last().copied().unwrap_or(false)
}

/// A `${name}` or `%{name}` at the front of text: the name, whether it is the latter, the length.
pub(super) fn placeholder(text: &[u8]) -> Option<(&str, bool, usize)> {
    let inner = text.strip_prefix(b"${").or_else(|| text.strip_prefix(b"%{"))?;
    let end = inner.iter().position(|b| *b == b'}')?;
    let name = std::str::from_utf8(&inner[..end]).ok()?;
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.');
    is_name.then_some((name, text[0] == b'%', end + 3))
}
