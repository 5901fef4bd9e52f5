//! What is wrong with an expression, where, and what would help.

use std::fmt::Write as _;

use crate::code::Code;
use crate::span::{Span, line_column};

/// Whether an expression can be used in spite of a diagnostic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// It cannot.
    Error,
    /// It can, but probably does not say what was meant.
    Warning,
}

impl Severity {
    /// Lower-case name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// One finding about an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Whether the expression is unusable.
    pub severity: Severity,
    /// Stable code.
    pub code: Code,
    /// What is wrong: lower case, no full stop.
    pub message: String,
    /// The part of the expression's text it is about.
    pub span: Span,
    /// What would help, if that can be told.
    pub help: Option<String>,
}

impl Diagnostic {
    /// An error without help.
    #[must_use]
    pub fn error(code: Code, span: Span, message: impl Into<String>) -> Self {
        Self { severity: Severity::Error, code, message: message.into(), span, help: None }
    }

    /// A warning without help.
    #[must_use]
    pub fn warning(code: Code, span: Span, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, span, message) }
    }

    /// The same with a hint.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Line and column where it starts in `text`, both from 1.
    #[must_use]
    pub fn position(&self, text: &str) -> (usize, usize) {
        line_column(text, self.span.start)
    }

    /// The finding with the line it is about and carets under the culprit, over several lines.
    #[must_use]
    pub fn render(&self, text: &str) -> String {
        let mut out = format!("{}[{}]: {}\n", self.severity.name(), self.code.id(), self.message);
        let (line, column) = self.position(text);
        render_excerpt(&mut out, text, self.span, line, column);
        if let Some(help) = &self.help {
            // Writing to a string cannot fail.
            _ = writeln!(out, "  = help: {help}");
        }
        out
    }
}

/// Appends the first line that `span` is on, numbered, and carets under it.
///
/// `line` and `column` are what to print as position; they differ from those in `text` when `text` is a part of a file.
pub fn render_excerpt(out: &mut String, text: &str, span: Span, line: usize, column: usize) {
    /// Longest excerpt printed, in characters; generated rules have lines of many kilobytes.
    const WIDTH: usize = 100;
    let (own_line, own_column) = line_column(text, span.start);
    let source = text.lines().nth(own_line - 1).unwrap_or("");
    let skip = if source.chars().count() > WIDTH { (own_column - 1).saturating_sub(WIDTH / 2) } else { 0 };
    let shown: String =
        source.chars().skip(skip).take(WIDTH).map(|c| if c.is_control() { ' ' } else { c }).collect();
    let lead = own_column - 1 - skip;
    let carets = span.of(text).lines().next().map_or(0, |part| part.chars().count());
    let carets = carets.clamp(1, shown.chars().count().saturating_sub(lead).max(1));
    let number = line.to_string();
    let gutter = " ".repeat(number.len());
    let pad = " ".repeat(lead);
    let marks = "^".repeat(carets);
    _ = writeln!(out, "{gutter}--> {line}:{column}\n{gutter} |\n{number} | {shown}\n{gutter} | {pad}{marks}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn carets_are_under_the_culprit() {
        let text = "open.file.name == \"x\"\n  && open.flgs > 0";
        let found = Diagnostic::error(Code::UnknownName, Span::new(27, 36), "unknown field `open.flgs`")
            .with_help("did you mean `open.flags`?");
        expect![[r#"
            error[E0201]: unknown field `open.flgs`
             --> 2:6
              |
            2 |   && open.flgs > 0
              |      ^^^^^^^^^
              = help: did you mean `open.flags`?
        "#]]
        .assert_eq(&found.render(text));
    }

    #[test]
    fn spans_out_of_the_text_do_no_harm() {
        let found = Diagnostic::error(Code::Empty, Span::new(50, 70), "x");
        assert!(found.render("").contains("1:1"));
        assert!(found.render("é\n\u{1b}[0m").contains("-->"));
    }
}
