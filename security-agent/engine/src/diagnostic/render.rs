//! Diagnostics for people.

use std::fmt::Write as _;

use super::{Diagnostic, Excerpt, Severity};

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
        if let Some(Excerpt { text, before, length }) = &diagnostic.excerpt {
            let number = diagnostic.line.to_string();
            let margin = " ".repeat(number.len());
            let (indent, carets) = (" ".repeat(*before), "^".repeat(*length));
            let _ = writeln!(out, "{margin} |\n{number} | {text}\n{margin} | {indent}{carets}");
        }
    }
    if let Some(help) = &diagnostic.help {
        let _ = writeln!(out, "   = help: {help}");
    }
    out
}

/// All diagnostics, one after the other.
pub fn render_all(diagnostics: &[Diagnostic]) -> String {
    diagnostics.iter().map(render).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::{Diagnostic, Excerpt, Severity, render};

    #[test]
    fn the_caret_stands_below_the_place() {
        let diagnostic = Diagnostic {
            severity: Severity::Error,
            code: "P000",
            file: "a.policy".into(),
            line: 12,
            column: 5,
            rule: Some("r".into()),
            message: "wrong".into(),
            help: Some("do it right".into()),
            excerpt: Some(Excerpt::new("a: bad stuff", 5, 3)),
        };
        expect![[r#"
            error[P000]: r: wrong
              --> a.policy:12:5
               |
            12 | a: bad stuff
               |     ^^^
               = help: do it right
        "#]]
        .assert_eq(&render(&diagnostic));
        let whole = Diagnostic { line: 0, column: 0, excerpt: None, ..diagnostic };
        assert!(render(&whole).contains("--> a.policy\n"));
    }
}
