//! Words, numbers, addresses and signs.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use crate::error::Error;

/// A token with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) span: Range<usize>,
}

/// Kinds of tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A keyword or a name. Escaped with a backslash it is a name only.
    Word {
        text: String,
        escaped: bool,
    },
    /// Decimal, octal with a leading `0`, hexadecimal with a leading `0x`.
    Number(u32),
    /// An IPv4 address or the beginning of one, with the number of bytes given.
    Ip4(Ipv4Addr, u8),
    Ip6(Ipv6Addr),
    Mac([u8; 6]),
    /// `(`, `)`, `[`, `]`, `:`, `/`, an operator, or `!`, `&&`, `||`.
    Sign(&'static str),
}

impl Kind {
    /// The token as messages show it.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Word { text, .. } => format!("`{text}`"),
            Self::Number(number) => format!("`{number}`"),
            Self::Ip4(addr, _) => format!("`{addr}`"),
            Self::Ip6(addr) => format!("`{addr}`"),
            Self::Mac(_) => "an Ethernet address".to_owned(),
            Self::Sign(sign) => format!("`{sign}`"),
        }
    }
}

/// Longest first.
const SIGNS: [&str; 25] = [
    "&&", "||", "<<", ">>", "<=", ">=", "==", "!=", "(", ")", "[", "]", ":", "/", "!", "=", "<", ">", "&",
    "|", "^", "+", "-", "*", "%",
];

pub(crate) fn tokens(text: &str) -> Result<Vec<Token>, Error> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let first = rest.chars().next().unwrap_or(' ');
        if first.is_ascii_whitespace() {
            at += 1;
            continue;
        }
        let (kind, length) = if let Some(found) = address(rest) {
            found
        } else if first.is_ascii_alphanumeric() {
            let length = word_length(rest);
            (word(&rest[..length]).map_err(|message| Error::new(at..at + length, message))?, length)
        } else if let Some(escaped) = rest.strip_prefix('\\') {
            let length = word_length(escaped);
            if length == 0 {
                return Err(Error::new(at..at + 1, "a `\\` stands before a name"));
            }
            (Kind::Word { text: escaped[..length].to_ascii_lowercase(), escaped: true }, length + 1)
        } else if let Some(sign) = SIGNS.into_iter().find(|sign| rest.starts_with(sign)) {
            // Both spellings of equality are one.
            (Kind::Sign(if sign == "==" { "=" } else { sign }), sign.len())
        } else {
            let span = at..at + first.len_utf8();
            return Err(Error::new(span, format!("unexpected character {first:?}")));
        };
        tokens.push(Token { kind, span: at..at + length });
        at += length;
    }
    Ok(tokens)
}

/// Length of the word that `text` begins with: letters, digits, and inside of it `-`, `_` and `.`.
fn word_length(text: &str) -> usize {
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')));
    let word = &text[..end.unwrap_or(text.len())];
    word.trim_end_matches(['-', '_']).len()
}

fn word(text: &str) -> Result<Kind, String> {
    if text.bytes().all(|b| b.is_ascii_digit()) || text.starts_with("0x") || text.starts_with("0X") {
        return number(text).map(Kind::Number);
    }
    if text.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return ip4(text).ok_or_else(|| format!("`{text}` is not an IPv4 address"));
    }
    // Escapes are for names that are keywords; words themselves are written in lower case in the reference, hosts excepted.
    Ok(Kind::Word { text: text.to_owned(), escaped: false })
}

fn number(text: &str) -> Result<u32, String> {
    let lower = text.to_ascii_lowercase();
    let parsed = if let Some(hex) = lower.strip_prefix("0x") {
        u32::from_str_radix(hex, 16)
    } else if lower.len() > 1 && lower.starts_with('0') {
        u32::from_str_radix(&lower, 8)
    } else {
        lower.parse()
    };
    parsed.map_err(|_| format!("`{text}` is not a number of 32 bits"))
}

/// An IPv4 address of which later bytes may be missing: `10.1` is 10.1.0.0.
fn ip4(text: &str) -> Option<Kind> {
    let mut bytes = [0; 4];
    let mut given = 0u8;
    for part in text.split('.') {
        *bytes.get_mut(usize::from(given))? = part.parse().ok()?;
        given += 1;
    }
    Some(Kind::Ip4(Ipv4Addr::from(bytes), given))
}

/// An IPv6 or Ethernet address at the beginning of the text; told from other things by its colons (or dashes).
fn address(text: &str) -> Option<(Kind, usize)> {
    let run = |legal: fn(char) -> bool| text.find(|c: char| !legal(c)).unwrap_or(text.len());
    let end = run(|c| c.is_ascii_hexdigit() || matches!(c, ':' | '.'));
    let candidate = &text[..end];
    let follows = text[end..].chars().next();
    if candidate.matches(':').count() >= 2 && !follows.is_some_and(|c| c.is_ascii_alphanumeric()) {
        if let Ok(addr) = candidate.parse() {
            return Some((Kind::Ip6(addr), end));
        }
        if let Some(mac) = mac(candidate, ':') {
            return Some((Kind::Mac(mac), end));
        }
    }
    let end = run(|c| c.is_ascii_hexdigit() || c == '-');
    mac(&text[..end], '-').map(|mac| (Kind::Mac(mac), end))
}

fn mac(text: &str, separator: char) -> Option<[u8; 6]> {
    let mut bytes = [0; 6];
    let mut parts = text.split(separator);
    for byte in &mut bytes {
        let part = parts.next().filter(|part| (1..=2).contains(&part.len()))?;
        *byte = u8::from_str_radix(part, 16).ok()?;
    }
    parts.next().is_none().then_some(bytes)
}
