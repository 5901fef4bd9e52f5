//! Text to tokens. Never fails: what is no token is reported and skipped, so that one run finds all of them.

use crate::code::Code;
use crate::diagnostic::Diagnostic;
use crate::span::Span;
use crate::token::{Token, TokenKind};

/// The tokens of `text`, the last one [`TokenKind::End`], and what is wrong with it.
pub(crate) fn tokens(text: &str) -> (Vec<Token<'_>>, Vec<Diagnostic>) {
    let mut lexer = Lexer { text, at: 0, found: Vec::new() };
    let mut tokens = Vec::new();
    loop {
        lexer.skip_blanks();
        let start = lexer.at;
        let kind = lexer.token();
        let end = kind == TokenKind::End;
        tokens.push(Token { kind, span: Span::new(start, lexer.at) });
        if end {
            return (tokens, lexer.found);
        }
    }
}

/// Operators, longest first where one begins another.
const OPERATORS: &[(&str, TokenKind<'static>)] = &[
    ("==", TokenKind::Eq),
    ("=~", TokenKind::Matches),
    ("!=", TokenKind::NotEq),
    ("!~", TokenKind::NotMatches),
    ("!", TokenKind::Not),
    ("&&", TokenKind::And),
    ("&", TokenKind::BitAnd),
    ("||", TokenKind::Or),
    ("|", TokenKind::BitOr),
    ("<=", TokenKind::LessEq),
    ("<", TokenKind::Less),
    (">=", TokenKind::GreaterEq),
    (">", TokenKind::Greater),
    ("^", TokenKind::Caret),
    ("+", TokenKind::Plus),
    ("-", TokenKind::Minus),
    ("(", TokenKind::Open),
    (")", TokenKind::Close),
    ("[", TokenKind::OpenList),
    ("]", TokenKind::CloseList),
    (",", TokenKind::Comma),
];

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    found: Vec<Diagnostic>,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// Bytes at the front of the rest that satisfy `test`.
    fn run(&self, test: impl Fn(u8) -> bool) -> &'a str {
        let rest = self.rest();
        let length = rest.bytes().position(|b| !test(b)).unwrap_or(rest.len());
        // Tests accept ASCII only, so the end is a character boundary.
        rest.get(..length).unwrap_or("")
    }

    fn skip_blanks(&mut self) {
        loop {
            let rest = self.rest();
            self.at += rest.len() - rest.trim_start().len();
            if !self.rest().starts_with('#') && !self.rest().starts_with("//") {
                return;
            }
            self.at += self.rest().find('\n').unwrap_or(self.rest().len());
        }
    }

    fn report(&mut self, code: Code, span: Span, message: impl Into<String>) -> TokenKind<'a> {
        self.found.push(Diagnostic::error(code, span, message));
        TokenKind::Bad
    }

    fn token(&mut self) -> TokenKind<'a> {
        let rest = self.rest();
        let Some(first) = rest.bytes().next() else { return TokenKind::End };
        for (prefix, make) in [
            ("\"", TokenKind::Str as fn(&'a str) -> TokenKind<'a>),
            ("~\"", TokenKind::Pattern),
            ("r\"", TokenKind::Regex),
        ] {
            if rest.starts_with(prefix) {
                return self.quoted(prefix.len(), make);
            }
        }
        for (prefix, make) in
            [("${", TokenKind::Variable as fn(&'a str) -> TokenKind<'a>), ("%{", TokenKind::FieldValue)]
        {
            if rest.starts_with(prefix) {
                return self.braced(make);
            }
        }
        if (first == b':' || first.is_ascii_hexdigit())
            && let Some(token) = self.address()
        {
            return token;
        }
        if first.is_ascii_digit() {
            return self.number();
        }
        if first.is_ascii_alphabetic() || first == b'_' {
            return self.word();
        }
        if let Some((text, kind)) = OPERATORS.iter().find(|(text, _)| rest.starts_with(text)) {
            self.at += text.len();
            return kind.clone();
        }
        self.unexpected()
    }

    fn unexpected(&mut self) -> TokenKind<'a> {
        let start = self.at;
        let c = self.rest().chars().next().unwrap_or(' ');
        self.at += c.len_utf8();
        let symbol = |c: char| "=~!<>&|^+-*/".contains(c);
        if c == '=' && !self.text[..start].ends_with(symbol) {
            // The next character is the wrong one, not the `=`. What else is glued to it is one mistake with it.
            let next = self.rest().chars().next().map_or(0, char::len_utf8);
            let span = Span::new(self.at, self.at + next);
            self.at += self.run(|b| symbol(char::from(b))).len();
            return self.report(Code::UnexpectedCharacter, span, "expected `==` or `=~`");
        }
        let kind = self.report(
            Code::UnexpectedCharacter,
            Span::new(start, self.at),
            format!("unexpected character {c:?}"),
        );
        if c == '\'' {
            let quoted = self.rest().find('\'').filter(|end| !self.rest()[..*end].contains('\n'));
            if let (Some(end), Some(last)) = (quoted, self.found.last_mut()) {
                self.at += end + 1;
                last.help = Some("strings are written between double quotes".into());
            }
        }
        kind
    }

    fn quoted(&mut self, prefix: usize, make: fn(&'a str) -> TokenKind<'a>) -> TokenKind<'a> {
        let start = self.at;
        let body = &self.rest()[prefix..];
        let mut escaped = false;
        for (offset, b) in body.bytes().enumerate() {
            match b {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => {
                    self.at += prefix + offset + 1;
                    return make(&body[..offset]);
                }
                _ => {}
            }
        }
        self.at = self.text.len();
        self.report(Code::UnterminatedString, Span::new(start, start + prefix), "missing closing quote")
    }

    fn braced(&mut self, make: fn(&'a str) -> TokenKind<'a>) -> TokenKind<'a> {
        let start = self.at;
        self.at += 2;
        let name = self.run(is_name_byte);
        self.at += name.len();
        if name.is_empty() || !self.rest().starts_with('}') {
            let message = "expected a name and `}`";
            return self.report(Code::UnexpectedCharacter, Span::new(start, self.at), message);
        }
        self.at += 1;
        make(name)
    }

    /// An IP address or network, or `None` if what stands here is something else.
    fn address(&mut self) -> Option<TokenKind<'a>> {
        let start = self.at;
        let addr = self.run(|b| b.is_ascii_hexdigit() || b == b':' || b == b'.');
        let v6 = addr.contains(':');
        let v4 = addr.starts_with(|c: char| c.is_ascii_digit()) && addr.contains('.');
        if !v6 && !v4 {
            return None;
        }
        self.at += addr.len();
        if self.rest().starts_with('/') && !self.rest().starts_with("//") {
            self.at += 1;
            self.at += self.run(|b| b.is_ascii_alphanumeric()).len();
        }
        let span = Span::new(start, self.at);
        let text = span.of(self.text);
        Some(match text.parse() {
            Ok(net) => TokenKind::Ip(net),
            Err(_) => {
                self.report(Code::BadAddress, span, format!("`{text}` is not an IP address or network"))
            }
        })
    }

    fn number(&mut self) -> TokenKind<'a> {
        let start = self.at;
        let text = self.run(|b| b.is_ascii_alphanumeric() || b == b'_');
        self.at += text.len();
        let span = Span::new(start, self.at);
        let (digits, base) = match text.as_bytes() {
            [b'0', b'x' | b'X', ..] => (&text[2..], 16),
            [b'0', b'o' | b'O', ..] => (&text[2..], 8),
            [b'0', b'b' | b'B', ..] => (&text[2..], 2),
            [b'0', b'0'..=b'9', ..] if text.bytes().all(|b| b.is_ascii_digit()) => (&text[1..], 8),
            _ => (text, 10),
        };
        let unit = digits.trim_start_matches(|c: char| c.is_ascii_digit());
        if base == 10 && !unit.is_empty() {
            return self.duration(text, unit, span);
        }
        // `u64` so that masks with the highest bit can be written in hexadecimal.
        match u64::from_str_radix(digits, base) {
            Ok(value) if base != 10 || i64::try_from(value).is_ok() => TokenKind::Int(value.cast_signed()),
            // The smallest integer has no positive counterpart; the parser puts the sign in front.
            Ok(value) if value == 1 << 63 => TokenKind::Int(i64::MIN),
            _ => self.report(Code::BadNumber, span, format!("`{text}` is not a number that fits 64 bits")),
        }
    }

    fn duration(&mut self, text: &str, unit: &str, span: Span) -> TokenKind<'a> {
        let scale: i64 = match unit {
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => {
                self.report(Code::BadDuration, span, format!("`{unit}` is not a unit of time"));
                if let Some(last) = self.found.last_mut() {
                    last.help = Some("the units are ms, s, m and h".into());
                }
                return TokenKind::Bad;
            }
        };
        let count = text[..text.len() - unit.len()].parse::<i64>().ok();
        match count.and_then(|count| count.checked_mul(scale)) {
            Some(nanoseconds) => TokenKind::Duration(nanoseconds),
            None => self.report(Code::BadNumber, span, "the duration does not fit 64 bits of nanoseconds"),
        }
    }

    fn word(&mut self) -> TokenKind<'a> {
        let start = self.at;
        loop {
            self.at += self.run(is_name_byte).len();
            // `[register]` belongs to the name only when the name goes on after it; `in [A]` is a list.
            let Some(inside) = self.rest().strip_prefix('[') else { break };
            let length = inside.bytes().position(|b| !is_register_byte(b)).unwrap_or(inside.len());
            if length == 0 || !inside[length..].starts_with("].") {
                break;
            }
            self.at += length + 3;
        }
        match &self.text[start..self.at] {
            "and" => TokenKind::And,
            "or" => TokenKind::Or,
            "not" => TokenKind::Not,
            "in" => TokenKind::In,
            "allin" => TokenKind::AllIn,
            name => TokenKind::Name(name),
        }
    }
}

fn is_register_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_'
}

/// Bytes that names of fields and variables consist of.
pub(crate) fn is_name_byte(b: u8) -> bool {
    is_register_byte(b) || b == b'.'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<TokenKind<'_>> {
        let (tokens, found) = tokens(text);
        assert!(found.is_empty(), "{text}: {found:?}");
        tokens.into_iter().map(|token| token.kind).filter(|kind| *kind != TokenKind::End).collect()
    }

    fn errors(text: &str) -> Vec<(Code, Span)> {
        tokens(text).1.into_iter().map(|found| (found.code, found.span)).collect()
    }

    #[test]
    fn addresses_are_not_names_or_numbers() {
        for text in ["10.0.0.1", "10.0.0.0/8", "::1", "fc00::/7", "2001:db8::a0:4e"] {
            assert!(matches!(kinds(text)[..], [TokenKind::Ip(_)]), "{text}");
        }
        assert_eq!(kinds("accept.addr.ip"), [TokenKind::Name("accept.addr.ip")]);
        assert_eq!(kinds("dead"), [TokenKind::Name("dead")]);
        assert_eq!(errors("1.2.3"), [(Code::BadAddress, Span::new(0, 5))]);
        assert_eq!(errors("1.2.3.4/33"), [(Code::BadAddress, Span::new(0, 10))]);
    }

    #[test]
    fn numbers_have_bases_and_units() {
        assert_eq!(kinds("0755 0x1F 0 42"), [0o755, 0x1f, 0, 42].map(TokenKind::Int));
        assert_eq!(kinds("0xffffffffffffffff"), [TokenKind::Int(-1)]);
        assert_eq!(kinds("5s 3ms"), [TokenKind::Duration(5_000_000_000), TokenKind::Duration(3_000_000)]);
        assert_eq!(errors("089")[0].0, Code::BadNumber);
        assert_eq!(errors("99999999999999999999")[0].0, Code::BadNumber);
        assert_eq!(errors("2x")[0].0, Code::BadDuration);
        assert_eq!(errors("9999999999h")[0].0, Code::BadNumber);
    }

    #[test]
    fn an_index_is_part_of_a_name_only_when_the_name_goes_on() {
        assert_eq!(kinds("process.ancestors[A].comm"), [TokenKind::Name("process.ancestors[A].comm")]);
        assert_eq!(
            kinds("in [A]"),
            [TokenKind::In, TokenKind::OpenList, TokenKind::Name("A"), TokenKind::CloseList]
        );
        assert_eq!(kinds("in[A ]").len(), 4);
    }

    #[test]
    fn comments_are_blanks() {
        assert_eq!(kinds("a # b\n// c\n&& d"), [TokenKind::Name("a"), TokenKind::And, TokenKind::Name("d")]);
    }

    #[test]
    fn all_bad_characters_are_found() {
        assert_eq!(errors("a =-= 'b' $").len(), 3);
        assert_eq!(errors("open.file.path =-= 1")[0].1.start, 16);
        assert_eq!(errors("\"abc")[0].0, Code::UnterminatedString);
        assert_eq!(errors("\"abc\\\"")[0].0, Code::UnterminatedString);
    }
}
