//! Escapes in quoted text.
//!
//! Versions of the reference differ: the oldest read strings like Go literals and refused unknown escapes, later ones keep
//! all backslashes. Here known escapes mean what they mean in Go and anything else stays as written, so that both load.

/// The text of `"…"`.
pub(crate) fn string(raw: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find('\\') {
        out.extend_from_slice(&rest.as_bytes()[..at]);
        rest = &rest[at..];
        let (used, character) = match escape(rest) {
            Some(escape) => escape,
            None => {
                out.push(b'\\');
                rest = &rest[1..];
                continue;
            }
        };
        match character {
            Escape::Byte(b) => out.push(b),
            Escape::Char(c) => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
        rest = &rest[used..];
    }
    out.extend_from_slice(rest.as_bytes());
    out
}

/// The text of `~"…"`: raw, but a quote has to be written `\"`.
pub(crate) fn pattern(raw: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(raw.len());
    let mut bytes = raw.bytes();
    while let Some(b) = bytes.next() {
        match (b, bytes.clone().next()) {
            (b'\\', Some(b'"')) => {}
            (b'\\', Some(next)) => {
                out.extend_from_slice(&[b, next]);
                bytes.next();
            }
            _ => out.push(b),
        }
    }
    out
}

enum Escape {
    Byte(u8),
    Char(char),
}

/// The escape at the front of `text`, which begins with a backslash, and its length.
fn escape(text: &str) -> Option<(usize, Escape)> {
    let bytes = text.as_bytes();
    let simple = |b| Some((2, Escape::Byte(b)));
    match *bytes.get(1)? {
        b'a' => simple(7),
        b'b' => simple(8),
        b't' => simple(b'\t'),
        b'n' => simple(b'\n'),
        b'v' => simple(11),
        b'f' => simple(12),
        b'r' => simple(b'\r'),
        b @ (b'\\' | b'"') => simple(b),
        b'x' => Some((4, Escape::Byte(u8::try_from(digits(text, 2..4, 16)?).ok()?))),
        b'0'..=b'7' => Some((4, Escape::Byte(u8::try_from(digits(text, 1..4, 8)?).ok()?))),
        b'u' => Some((6, Escape::Char(char::from_u32(digits(text, 2..6, 16)?)?))),
        b'U' => Some((10, Escape::Char(char::from_u32(digits(text, 2..10, 16)?)?))),
        _ => None,
    }
}

fn digits(text: &str, range: std::ops::Range<usize>, base: u32) -> Option<u32> {
    let digits = text.get(range)?;
    digits.chars().all(|c| c.is_digit(base)).then(|| u32::from_str_radix(digits, base).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_escapes_are_resolved() {
        assert_eq!(string(r#"a\"b\\c\nd\x41\u00e9\101"#), "a\"b\\c\ndAéA".as_bytes());
        assert_eq!(string(r"\xff"), [0xff]);
    }

    #[test]
    fn unknown_escapes_stay() {
        assert_eq!(string(r"C:\Windows\d\x4"), br"C:\Windows\d\x4");
        assert_eq!(string("\\é"), "\\é".as_bytes());
    }

    #[test]
    fn patterns_are_raw_but_for_quotes() {
        assert_eq!(pattern(r#"a\"b\\\n*"#), br#"a"b\\\n*"#);
    }
}
