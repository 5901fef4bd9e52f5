//! Diagnostics for people.

use std::fmt::Write as _;

use super::{Diagnostic, Severity};

/// Longest part of a line that is shown; some policies hold thousands of characters in one.
const SHOWN: usize = 120;

/// One diagnostic as a few lines of text: what, where, the line itself with a caret, a hint.
pub fn render(diagnostic: &Diagnostic) -> String {
    let mut out = String::new();
    let severity = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let _ = write!(out, "{severity}[{}]: ", diagnostic.code);
    if let Some(rule) = &diagnostic.rule {
        let _ = write!(out, "{rule}: ");
    }
    let _ = writeln!(out, "{}", diagnostic.message);
    if diagnostic.line == 0 {
        let _ = writeln!(out, "  --> {}", diagnostic.file);
    } else {
        let _ = writeln!(out, "  --> {}:{}:{}", diagnostic.file, diagnostic.line, diagnostic.column);
        if let Some(line) = &diagnostic.source_line {
            excerpt(&mut out, diagnostic, line);
        }
    }
    if let Some(help) = &diagnostic.help {
        let _ = writeln!(out, "   = help: {help}");
    }
    out
}

/// The part of the line around the place, and a line with carets below it.
fn excerpt(out: &mut String, diagnostic: &Diagnostic, line: &str) {
    let caret = usize::try_from(diagnostic.column.saturating_sub(1)).unwrap_or(0);
    let length = usize::try_from(diagnostic.length).unwrap_or(1);
    let chars: Vec<char> = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let from = if caret > SHOWN * 2 / 3 { caret - SHOWN / 3 } else { 0 };
    let to = chars.len().min(from + SHOWN);
    let shown: String = chars.get(from..to).unwrap_or(&[]).iter().collect();
    let (before, after) = (if from > 0 { "…" } else { "" }, if to < chars.len() { "…" } else { "" });
    let number = diagnostic.line.to_string();
    let margin = " ".repeat(number.len());
    let indent = " ".repeat(caret - from + before.chars().count());
    let carets = "^".repeat(length.clamp(1, to.saturating_sub(caret).max(1)));
    let _ = writeln!(out, "{margin} |\n{number} | {before}{shown}{after}\n{margin} | {indent}{carets}");
}

/// All diagnostics, one after the other.
pub fn render_all(diagnostics: &[Diagnostic]) -> String {
    diagnostics.iter().map(render).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::{Diagnostic, Severity, render};

    fn diagnostic(line: &str, column: u32, length: u32) -> Diagnostic {
        Diagnostic {
            severity: Severity::Error,
            code: "P000",
            file: "a.policy".into(),
            line: 12,
            column,
            rule: Some("r".into()),
            message: "wrong".into(),
            help: Some("do it right".into()),
            source_line: Some(line.into()),
            length,
        }
    }

    #[test]
    fn the_caret_stands_below_the_place() {
        expect![[r#"
            error[P000]: r: wrong
              --> a.policy:12:5
               |
            12 | a: bad stuff
               |     ^^^
               = help: do it right
        "#]]
        .assert_eq(&render(&diagnostic("a: bad stuff", 5, 3)));
    }

    #[test]
    fn long_lines_are_cut_around_the_place() {
        let line = format!("{}HERE{}", "x".repeat(300), "y".repeat(300));
        let text = render(&diagnostic(&line, 301, 4));
        let lines: Vec<&str> = text.lines().collect();
        let column = |line: &str, needle| line.chars().position(|c| c == needle);
        assert_eq!(column(lines[3], 'H'), column(lines[4], '^'));
        assert!(lines[3].chars().count() < 140);
    }

    #[test]
    fn a_place_past_the_line_does_no_harm() {
        assert!(render(&diagnostic("short", 40, 300)).contains('^'));
        let whole = Diagnostic { line: 0, column: 0, source_line: None, ..diagnostic("", 0, 0) };
        assert!(render(&whole).contains("--> a.policy\n"));
    }
}
