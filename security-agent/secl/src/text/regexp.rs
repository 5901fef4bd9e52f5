//! Regular expressions in the syntax of the reference (RE2 as Go has it), on bytes.

use regex::bytes::{Regex, RegexBuilder};
use regex_syntax::ParserBuilder;
use regex_syntax::hir::Look;
use regex_syntax::hir::literal::{ExtractKind, Extractor};

/// Why a regular expression is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RegexError {
    /// Its compiled form is larger than allowed.
    #[error("the regular expression compiles to more than {0} bytes")]
    TooLarge(usize),
    /// It is not valid.
    #[error("{0}")]
    Syntax(String),
}

/// Compiles `text`; the compiled form may take `size` bytes.
pub(crate) fn compile(text: &str, ignore_case: bool, size: usize) -> Result<Regex, RegexError> {
    let translated = translate(text);
    let build = |unicode: bool| {
        RegexBuilder::new(&translated)
            // Classes such as `\d` and `\b` are ASCII as in Go; and `.` has to match bytes that are no UTF-8, or file names could hide
            // behind one.
            .unicode(unicode)
            .case_insensitive(ignore_case)
            .size_limit(size)
            .dfa_size_limit(size)
            .build()
    };
    // Unicode classes need Unicode mode.
    match build(false).or_else(|_| build(true)) {
        Ok(regex) => Ok(regex),
        Err(regex::Error::CompiledTooBig(_)) => Err(RegexError::TooLarge(size)),
        Err(error) => {
            let message = error.to_string();
            // The message is a drawing of several lines; the last says what is wrong.
            let last = message.lines().last().unwrap_or("").trim_start_matches("error: ");
            Err(RegexError::Syntax(last.to_owned()))
        }
    }
}

/// Patterns of which text that the regular expression matches has to match one; `None` if there is nothing to look for.
pub(crate) fn needed(text: &str, ignore_case: bool) -> Option<Vec<Vec<u8>>> {
    /// More are not worth looking for.
    const MANY: usize = 32;
    if ignore_case {
        return None;
    }
    let translated = translate(text);
    let parse =
        |unicode: bool| ParserBuilder::new().unicode(unicode).utf8(false).build().parse(&translated).ok();
    let hir = parse(false).or_else(|| parse(true))?;
    let usable = |kind: ExtractKind| {
        let found = Extractor::new().kind(kind).extract(&hir);
        let literals = found.literals()?;
        let good = literals.len() <= MANY && literals.iter().all(|literal| !literal.is_empty());
        good.then(|| literals.iter().map(|literal| literal.as_bytes().to_vec()).collect::<Vec<_>>())
    };
    // A star within a literal stands for more than itself, which only finds too much.
    let star = |at_end: bool| if at_end { b"".as_slice() } else { b"*" };
    if let Some(literals) = usable(ExtractKind::Prefix) {
        let front = star(hir.properties().look_set_prefix().contains(Look::Start));
        return Some(literals.into_iter().map(|literal| [front, &literal, b"*"].concat()).collect());
    }
    let back = star(hir.properties().look_set_suffix().contains(Look::End));
    Some(usable(ExtractKind::Suffix)?.into_iter().map(|literal| [b"*", &*literal, back].concat()).collect())
}

/// Rewrites what the two syntaxes understand differently: `\Q…\E`, `\<`, `\>`, and brackets and set operators within classes.
fn translate(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    let mut in_class = false;
    let mut class_start = false;
    while let Some(c) = chars.next() {
        let at_start = std::mem::take(&mut class_start);
        match c {
            '\\' => match chars.next() {
                Some('Q') if !in_class => {
                    let rest: String = chars.clone().collect();
                    let literal = rest.split("\\E").next().unwrap_or("");
                    out.push_str(&regex::escape(literal));
                    for _ in 0..literal.chars().count() + 2 {
                        chars.next();
                    }
                }
                Some(c @ ('<' | '>')) => out.push(c),
                Some(c) => out.extend(['\\', c]),
                None => out.push('\\'),
            },
            '[' if !in_class => {
                in_class = true;
                class_start = true;
                out.push('[');
                if chars.next_if_eq(&'^').is_some() {
                    out.push('^');
                }
            }
            '[' if chars.peek() == Some(&':') => {
                out.push('[');
                // A named class: copied up to its end.
                for c in chars.by_ref() {
                    out.push(c);
                    if c == ']' {
                        break;
                    }
                }
            }
            '[' => out.push_str("\\["),
            ']' if in_class && !at_start => {
                in_class = false;
                out.push(']');
            }
            ']' if in_class => out.push_str("\\]"),
            '&' | '~' if in_class => out.extend(['\\', c]),
            '-' if in_class && chars.peek() == Some(&'-') => out.push_str("\\-"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::pattern::Pattern;
    use proptest::prelude::*;

    fn matches(regex: &str, value: &[u8]) -> bool {
        compile(regex, false, 1 << 20).unwrap().is_match(value)
    }

    #[test]
    fn syntax_is_that_of_go() {
        assert!(matches(r"^\Qa.b*\E+$", b"a.b**"));
        assert!(matches(r"^[[a&&~]+$", b"[a&~"));
        assert!(matches(r"^[]x]+$", b"]x"));
        assert!(matches(r"^[[:digit:]x]+$", b"1x"));
        assert!(matches(r"^\<a\>$", b"<a>"));
        assert!(matches(r"how\ to|", b""));
        assert!(matches(r"((25[0-5]|(2[0-4]|1\d|[1-9]|)\d)\.?\b){4}", b"10.20.30.40"));
        assert!(matches(r"\pL", "é".as_bytes()));
    }

    #[test]
    fn bytes_that_are_no_text_do_not_hide_a_name() {
        assert!(matches(r"^evil.*\.sh$", b"evil\xff\xfe.sh"));
    }

    #[test]
    fn large_and_wrong_ones_are_refused() {
        assert_eq!(
            compile("(unclosed", false, 1 << 20).unwrap_err(),
            RegexError::Syntax("unclosed group".into())
        );
        assert_eq!(compile(r"(\pL{1000}){1000}", false, 1 << 20).unwrap_err(), RegexError::TooLarge(1 << 20));
    }

    #[test]
    fn what_is_needed_is_found() {
        let needed = |regex: &str| {
            needed(regex, false).map(|all| {
                all.iter().map(|text| String::from_utf8_lossy(text).into_owned()).collect::<Vec<_>>()
            })
        };
        assert_eq!(needed(r"^\[.*\]$").unwrap(), ["[*"]);
        assert_eq!(needed(r"(ba|z)sh").unwrap(), ["*bash*", "*zsh*"]);
        assert_eq!(needed(r".*\.php$").unwrap(), ["*.php"]);
        assert_eq!(needed(r".*"), None);
        assert_eq!(needed(r"how\ to|"), None);
        assert_eq!(needed(r"(?m)^x").unwrap(), ["*x*"]);
    }

    proptest! {
        #[test]
        fn what_matches_has_what_is_needed(regex in "[ab^$.*|()?\\[\\]\n-]{0,9}", value in "[abA\n]{0,6}") {
            let Ok(compiled) = compile(&regex, false, 1 << 20) else { return Ok(()) };
            if let Some(needed) = needed(&regex, false) && compiled.is_match(value.as_bytes()) {
                let any = needed.iter().any(|text| Pattern::new(text).matches(value.as_bytes()));
                prop_assert!(any, "{:?}", needed);
            }
        }
    }
}
