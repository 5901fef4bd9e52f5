//! A string of a policy that remembers how it was written, so that an offset in it leads back to the file.

use std::fmt;
use std::sync::Arc;

use crate::source::{FileId, Location, Sources};

/// How a YAML scalar was written: decides how its characters map to the file's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// Without quotes.
    Plain,
    /// `'…'`, where `''` stands for a quote.
    SingleQuoted,
    /// `"…"`, with escapes.
    DoubleQuoted,
    /// `|` or `>`, with their indentation taken away.
    Block,
}

/// A string of a policy and where it came from.
#[derive(Clone)]
pub struct Text {
    value: Arc<str>,
    file: FileId,
    /// Byte offsets of the scalar in the file: with its quotes, without a block's indicator.
    start: u32,
    end: u32,
    style: Style,
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.value)
    }
}

impl Text {
    pub(crate) fn new(value: &str, file: FileId, start: u32, end: u32, style: Style) -> Self {
        Text { value: value.into(), file, start, end, style }
    }

    /// The string.
    pub fn as_str(&self) -> &str {
        &self.value
    }

    /// Where the string starts in its file.
    pub fn location(&self) -> Location {
        Location { file: self.file, offset: self.start }
    }

    /// Where the byte `offset` of the string stands in its file.
    ///
    /// Walks the string and the way it is written side by side. White space needs care: YAML folds line breaks
    /// and drops indentation, so a run of it in the file stands for a shorter run in the value. Other characters
    /// stand for themselves, or are escaped.
    pub fn locate(&self, sources: &Sources, offset: usize) -> Location {
        let text = sources.text(self.file);
        let start = usize::try_from(self.start).unwrap_or(usize::MAX);
        let end = usize::try_from(self.end).unwrap_or(usize::MAX);
        let written = text.get(start..end).unwrap_or("");
        let at = Walk::new(written, self.style).find(&self.value, offset);
        let offset = u32::try_from(start + at).unwrap_or(self.start);
        Location { file: self.file, offset }
    }
}

/// A walk over the written form of a scalar.
struct Walk<'t> {
    written: &'t str,
    at: usize,
    style: Style,
}

impl<'t> Walk<'t> {
    fn new(written: &'t str, style: Style) -> Self {
        let quote = match style {
            Style::SingleQuoted => Some('\''),
            Style::DoubleQuoted => Some('"'),
            Style::Plain | Style::Block => None,
        };
        // A tag or an anchor may stand before the opening quote.
        let at = quote.and_then(|quote| written.find(quote)).map_or(0, |at| at + 1);
        Walk { written, at, style }
    }

    fn rest(&self) -> &'t str {
        self.written.get(self.at..).unwrap_or("")
    }

    /// Byte offset in the written form of the byte `offset` of `value`.
    fn find(mut self, value: &str, offset: usize) -> usize {
        for (at, c) in value.char_indices() {
            if at + c.len_utf8() > offset {
                self.align(c);
                return self.at;
            }
            self.align(c);
            self.step();
        }
        self.at
    }

    /// Moves to the written form of `c`.
    fn align(&mut self, c: char) {
        let from = self.at;
        loop {
            let rest = self.rest();
            let Some(here) = rest.chars().next() else {
                // No written form: stay where the search began rather than at the end.
                self.at = from;
                return;
            };
            if self.style == Style::DoubleQuoted && here == '\\' {
                if is_line_continuation(rest) {
                    self.at += 1;
                    continue;
                }
                return;
            }
            let found = match c {
                '\n' => here == '\n',
                ' ' => here.is_whitespace(),
                _ => here == c,
            };
            if found {
                return;
            }
            self.at += here.len_utf8();
        }
    }

    /// Moves past one character's written form.
    fn step(&mut self) {
        let rest = self.rest();
        let length = match (self.style, rest.chars().next()) {
            (_, None) => 0,
            (Style::DoubleQuoted, Some('\\')) => escape_length(rest),
            (Style::SingleQuoted, Some('\'')) if rest.starts_with("''") => 2,
            (_, Some(c)) => c.len_utf8(),
        };
        self.at += length;
    }
}

/// `\` at the end of a line of a double-quoted scalar: the line goes on.
fn is_line_continuation(rest: &str) -> bool {
    rest.get(1..).is_some_and(|after| after.starts_with(['\n', '\r']))
}

/// Bytes of the escape sequence that `rest` starts with.
fn escape_length(rest: &str) -> usize {
    let length = match rest.as_bytes().get(1) {
        Some(b'x') => 4,
        Some(b'u') => 6,
        Some(b'U') => 10,
        Some(_) => 1 + rest.chars().nth(1).map_or(1, char::len_utf8),
        None => 1,
    };
    length.min(rest.len())
}
