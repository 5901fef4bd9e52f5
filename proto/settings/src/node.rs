//! A YAML value with the place where it was written.

use std::fmt;

/// Line and column in a file, both starting at 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    /// Line, from 1.
    pub(crate) line: usize,
    /// Column in characters, from 1.
    pub(crate) column: usize,
}

impl Position {
    /// Where a value is said to be that was not written in a file.
    pub(crate) const START: Self = Self { line: 1, column: 1 };
}

/// One YAML value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    /// Where it starts.
    pub(crate) position: Position,
    /// What it is.
    pub(crate) kind: Kind,
}

/// The shapes of a YAML value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `null`, `~` or nothing at all.
    Null,
    /// Any other scalar, as text: its type is what the key wants it to be.
    Scalar(String),
    /// `[a, b]` or lines with `- `.
    Sequence(Vec<Node>),
    /// `{a: b}` or lines with `a: b`; in the order written, duplicates included.
    Mapping(Vec<(Node, Node)>),
}

impl Node {
    /// The value of an environment variable.
    pub(crate) fn from_environment(text: &str) -> Self {
        Self { position: Position::START, kind: Kind::Scalar(text.to_owned()) }
    }

    /// The text of a scalar.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar(text) => Some(text),
            Kind::Null | Kind::Sequence(_) | Kind::Mapping(_) => None,
        }
    }
}

/// How a diagnostic names the value that it found.
impl fmt::Display for Node {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// Enough to recognise a value by, short enough for a log line.
        const SHOWN_CHARS: usize = 40;
        match &self.kind {
            Kind::Null => out.write_str("nothing"),
            Kind::Sequence(_) => out.write_str("a list"),
            Kind::Mapping(_) => out.write_str("a mapping"),
            Kind::Scalar(text) => {
                let shown: String = text.chars().take(SHOWN_CHARS).flat_map(char::escape_debug).collect();
                let more = if text.chars().nth(SHOWN_CHARS).is_some() { "…" } else { "" };
                write!(out, "`{shown}{more}`")
            }
        }
    }
}
