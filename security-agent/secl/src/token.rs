//! Tokens of the language.

use crate::span::Span;
use crate::value::IpNet;

/// A token and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Token<'a> {
    pub kind: TokenKind<'a>,
    pub span: Span,
}

/// What a token is. Text is borrowed from the source.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum TokenKind<'a> {
    /// A name of field, constant, macro or event; with `[register]` where an iterator is indexed.
    Name(&'a str),
    /// `${name}`
    Variable(&'a str),
    /// `%{name}`
    FieldValue(&'a str),
    /// Text between the quotes of `"…"`.
    Str(&'a str),
    /// Text between the quotes of `~"…"`.
    Pattern(&'a str),
    /// Text between the quotes of `r"…"`.
    Regex(&'a str),
    Int(i64),
    /// Nanoseconds.
    Duration(i64),
    Ip(IpNet),
    Open,
    Close,
    OpenList,
    CloseList,
    Comma,
    And,
    Or,
    Not,
    In,
    AllIn,
    Eq,
    NotEq,
    Matches,
    NotMatches,
    Less,
    LessEq,
    Greater,
    GreaterEq,
    BitAnd,
    BitOr,
    Caret,
    Plus,
    Minus,
    /// Text that is no token; the lexer has reported it.
    Bad,
    End,
}

impl TokenKind<'_> {
    /// How messages call it.
    pub(crate) fn describe(&self) -> String {
        let symbol = match self {
            Self::Name(name) => return format!("`{name}`"),
            Self::Variable(name) => return format!("`${{{name}}}`"),
            Self::FieldValue(name) => return format!("`%{{{name}}}`"),
            Self::Str(_) => return "a string".into(),
            Self::Pattern(_) => return "a pattern".into(),
            Self::Regex(_) => return "a regular expression".into(),
            Self::Int(value) => return format!("`{value}`"),
            Self::Duration(_) => return "a duration".into(),
            Self::Ip(ip) => return format!("`{ip}`"),
            Self::End => return "the end of the expression".into(),
            Self::Bad => return "an unknown character".into(),
            Self::Open => "(",
            Self::Close => ")",
            Self::OpenList => "[",
            Self::CloseList => "]",
            Self::Comma => ",",
            Self::And => "&&",
            Self::Or => "||",
            Self::Not => "not",
            Self::In => "in",
            Self::AllIn => "allin",
            Self::Eq => "==",
            Self::NotEq => "!=",
            Self::Matches => "=~",
            Self::NotMatches => "!~",
            Self::Less => "<",
            Self::LessEq => "<=",
            Self::Greater => ">",
            Self::GreaterEq => ">=",
            Self::BitAnd => "&",
            Self::BitOr => "|",
            Self::Caret => "^",
            Self::Plus => "+",
            Self::Minus => "-",
        };
        format!("`{symbol}`")
    }
}
