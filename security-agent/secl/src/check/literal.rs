//! String literals against what they are compared with: which matching applies, and what makes no sense there.

use super::Checker;
use super::compare::At;
use super::operand::{Literal, LiteralKind, Subject};
use crate::code::Code;
use crate::diagnostic::Diagnostic;
use crate::ir::{Cond, Like, Part, Test, TextExpr};
use crate::schema::Matching;
use crate::span::Span;
use crate::text::index::Style;
use crate::text::matcher::TextSet;
use crate::text::regexp::{self, RegexError};

/// Longest path the kernel side resolves, in segments.
const PATH_SEGMENTS: usize = 1350;
/// Longest path segment, `NAME_MAX`.
const SEGMENT_BYTES: usize = 255;

impl Checker<'_> {
    /// The condition that a string is one of these literals. With `as_patterns` plain strings are patterns too.
    pub(super) fn text_in(
        &mut self,
        subject: &Subject,
        literals: Vec<(Literal, Span)>,
        as_patterns: bool,
        at: At<'_>,
    ) -> Option<Cond> {
        let style = if subject.matching == Matching::Path { Style::Path } else { Style::Plain };
        let ignore_case = subject.matching == Matching::CaseInsensitive;
        let mut set = TextSet::new(style, ignore_case);
        let mut conds = Vec::new();
        let mut failed = false;
        let site = self.use_site.unwrap_or(at.span);
        for (literal, span) in literals {
            if !self.fits(subject, &literal, as_patterns, span) {
                failed = true;
                continue;
            }
            let pattern = as_patterns || literal.kind == LiteralKind::Pattern;
            match (literal.kind, literal.template) {
                (LiteralKind::Regex, _) => {
                    set.regexes.push(String::from_utf8_lossy(&literal.text).into_owned())
                }
                (_, Some(parts)) if pattern => {
                    let parts = if ignore_case { folded(parts) } else { parts };
                    let like = Like { style, ignore_case };
                    conds.push(Cond::Test(Test::TextLike(subject.expr.clone(), parts, like), site));
                }
                (_, Some(parts)) => {
                    let template = TextExpr::Template(parts);
                    let test = Test::TextsEqual(subject.expr.clone(), template, ignore_case);
                    conds.push(Cond::Test(test, site));
                }
                (_, None) if pattern => set.patterns.push(literal.text),
                (_, None) => set.literals.push(literal.text),
            }
        }
        if failed {
            return None;
        }
        self.warn_of_plain_stars(subject, &set, site);
        set.normalise();
        if set != TextSet::new(style, ignore_case) {
            conds.insert(0, Cond::Test(Test::TextIn(subject.expr.clone(), set), site));
        }
        Some(Cond::any(conds))
    }

    /// Whether the literal can be compared with the subject; reports why not.
    fn fits(&mut self, subject: &Subject, literal: &Literal, as_pattern: bool, span: Span) -> bool {
        let is_path = matches!(subject.matching, Matching::Path | Matching::CheckedPath);
        let pattern = as_pattern || literal.kind == LiteralKind::Pattern;
        if subject.matching == Matching::PacketFilter {
            return self.filters_packets(literal, pattern, span);
        }
        if literal.kind == LiteralKind::Regex {
            return if is_path {
                let found = Diagnostic::error(
                    Code::RegexOnPath,
                    span,
                    "paths are not matched with regular expressions",
                );
                self.report::<()>(found.with_help("use a pattern, `~\"/dir/*\"` or `~\"/dir/**\"`")).is_some()
            } else {
                self.regex_compiles(literal, subject.matching == Matching::CaseInsensitive, span)
            };
        }
        if pattern && !self.stars_fit(&literal.text, subject.matching, span) {
            return false;
        }
        let problem = if is_path && literal.template.is_none() { path_problem(&literal.text) } else { None };
        if let Some(problem) = problem {
            let text = String::from_utf8_lossy(&literal.text);
            let message = format!("invalid path `{}`: {problem}", shortened(&text));
            return self.error::<()>(Code::BadPath, span, message).is_some();
        }
        let limit = subject.max_literal.map_or(usize::MAX, usize::from);
        if !pattern && literal.template.is_none() && literal.text.len() > limit {
            let message =
                format!("the value is never longer than {limit} bytes, this has {}", literal.text.len());
            return self.error::<()>(Code::LiteralTooLong, span, message).is_some();
        }
        if pattern && literal.text.len() > self.compiler.limits.pattern_bytes {
            let message = format!(
                "the pattern has {} bytes, {} are allowed",
                literal.text.len(),
                self.compiler.limits.pattern_bytes
            );
            return self.error::<()>(Code::PatternTooLarge, span, message).is_some();
        }
        true
    }

    /// Hardly any path has a star in it, but many a pattern has been written without its `~`.
    fn warn_of_plain_stars(&mut self, subject: &Subject, set: &TextSet, site: Span) {
        let Some(text) = set.literals.iter().find(|text| text.contains(&b'*')) else { return };
        if subject.matching != Matching::Path {
            return;
        }
        let text = String::from_utf8_lossy(text);
        let text = shortened(&text);
        let message = format!("the `*` of `{text}` stands for itself: this is a plain string");
        let found = Diagnostic::warning(Code::PlainStar, site, message);
        self.found.push(found.with_help(format!("a pattern is written ~\"{text}\"")));
    }

    /// Whether the literal is a packet filter expression.
    fn filters_packets(&mut self, literal: &Literal, pattern: bool, span: Span) -> bool {
        if pattern || literal.kind == LiteralKind::Regex || literal.template.is_some() {
            let found = Diagnostic::error(
                Code::BadPacketFilter,
                span,
                "a packet filter is compared with a plain string, which is the filter",
            );
            return self
                .report::<()>(found.with_help("write `packet.filter == \"tcp dst port 443\"`"))
                .is_some();
        }
        let text = String::from_utf8_lossy(&literal.text);
        let Err(error) = pcap_filter::Filter::parse(&text) else { return true };
        // Without escapes the literal is its text in quotes, and the place within it can be told.
        let within = span.end.saturating_sub(span.start) == literal.text.len() + 2 && self.use_site.is_none();
        let place = if within {
            Span { start: span.start + 1 + error.span.start, end: span.start + 1 + error.span.end }
        } else {
            span
        };
        let mut found = Diagnostic::error(
            Code::BadPacketFilter,
            place,
            format!("wrong packet filter: {}", error.message),
        );
        if let Some(help) = error.help {
            found = found.with_help(help);
        }
        self.report::<()>(found).is_some()
    }

    fn stars_fit(&mut self, text: &[u8], matching: Matching, span: Span) -> bool {
        let doubles = text.windows(2).filter(|pair| pair == b"**").count();
        let (allowed, message) = match matching {
            Matching::Path => (1, "`**` may be used once in a pattern"),
            _ => (0, "`**` has a meaning in patterns of paths only"),
        };
        doubles <= allowed || self.error::<()>(Code::DoubleStar, span, message).is_some()
    }

    fn regex_compiles(&mut self, literal: &Literal, ignore_case: bool, span: Span) -> bool {
        let text = String::from_utf8_lossy(&literal.text);
        let code = match regexp::compile(&text, ignore_case, self.compiler.limits.regex_bytes) {
            Ok(_) => return true,
            Err(error @ RegexError::Syntax(_)) => {
                (Code::BadRegex, format!("invalid regular expression: {error}"))
            }
            Err(error @ RegexError::TooLarge(_)) => (Code::PatternTooLarge, error.to_string()),
        };
        self.error::<()>(code.0, span, code.1).is_some()
    }
}

/// Parts with their text in lower case.
fn folded(parts: Vec<Part>) -> Vec<Part> {
    let fold = |part| match part {
        Part::Text(text) => Part::Text(text.to_ascii_lowercase()),
        other => other,
    };
    parts.into_iter().map(fold).collect()
}

/// The front of a text too long for a message.
fn shortened(text: &str) -> String {
    const SHOWN: usize = 80;
    if text.chars().count() <= SHOWN {
        text.to_owned()
    } else {
        text.chars().take(SHOWN).chain(['…']).collect()
    }
}

/// Why `path` can never be the path of a file, if so. The empty path is that of files without one, such as those in memory.
fn path_problem(path: &[u8]) -> Option<&'static str> {
    if path.is_empty() || path == b"/" {
        return None;
    }
    if path == b"*" {
        return Some("it would match files in the root directory only; use a name or `**`");
    }
    if path[0] != b'/' && path[0] != b'*' {
        return Some("paths have to be absolute, or begin with `*`");
    }
    if path.contains(&b'~') {
        return Some("`~` is not expanded, and refused so that nobody relies on it");
    }
    let mut segments = path.strip_prefix(b"/").unwrap_or(path).split(|&b| b == b'/');
    if path.split(|&b| b == b'/').count() > PATH_SEGMENTS {
        return Some("it has more segments than a path can have");
    }
    segments.find_map(|segment| match segment {
        b"" => Some("it has an empty segment or ends with a slash"),
        b"." | b".." => Some("it has to be in its shortest form, without `.` and `..`"),
        long if long.len() > SEGMENT_BYTES => Some("a segment is longer than a name can be"),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_absolute_and_clean() {
        for good in ["", "/", "/etc/passwd", "*/.bashrc", "**", "**/x", "/etc/a..b", "/...", "*b*"] {
            assert_eq!(path_problem(good.as_bytes()), None, "{good}");
        }
        for bad in [
            "*",
            "foo",
            "../x",
            "/etc/../x",
            "/etc/",
            "./x",
            "/a/./b",
            "//a",
            "/a//b",
            "~/x",
            "*/",
            "/home/~x",
            "*~",
        ] {
            assert!(path_problem(bad.as_bytes()).is_some(), "{bad}");
        }
        assert!(path_problem("/x".repeat(1400).as_bytes()).is_some());
        assert!(path_problem(["/", &"x".repeat(256)].concat().as_bytes()).is_some());
    }
}
