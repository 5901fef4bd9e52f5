//! `fim.write`: one rule about files being written stands for a rule for each way to write one.

use crate::lexer;
use crate::token::TokenKind;

/// What the fields that are expanded begin with.
const PREFIX: &str = "fim.write.file.";

/// A way to write a file, given by the embedder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FimTarget<'a> {
    /// Tells the rules it expands to apart: `open`, `rename_destination`.
    pub name: &'a str,
    /// What stands for `fim.write.file`: `open.file`, `rename.file.destination`.
    pub file: &'a str,
    /// A condition that makes the event a write, if not all events of the type are.
    pub condition: Option<&'a str>,
}

/// A rule that another one stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expansion {
    /// Its own id.
    pub id: String,
    /// Its expression.
    pub expression: String,
}

/// The rules that a rule with `fim.write` fields stands for; `None` if it has no such fields. Its text need not be valid: mistakes are
/// found when the result is compiled.
#[must_use]
pub fn expand(id: &str, text: &str, targets: &[FimTarget<'_>]) -> Option<Vec<Expansion>> {
    let (tokens, _) = lexer::tokens(text);
    // Where the prefix stands.
    let uses: Vec<usize> = tokens
        .iter()
        .filter_map(|token| match token.kind {
            TokenKind::Name(name) if name.starts_with(PREFIX) => Some(token.span.start),
            TokenKind::FieldValue(name) | TokenKind::Variable(name) if name.starts_with(PREFIX) => {
                Some(token.span.start + 2)
            }
            _ => None,
        })
        .collect();
    if uses.is_empty() {
        return None;
    }
    let expansion = |target: &FimTarget<'_>| {
        let mut expression = String::with_capacity(text.len());
        let mut done = 0;
        for at in &uses {
            expression.push_str(&text[done..*at]);
            expression.push_str(target.file);
            expression.push('.');
            done = at + PREFIX.len();
        }
        expression.push_str(&text[done..]);
        if let Some(condition) = target.condition {
            // The line break ends a comment that the text may end with.
            let end = if text.contains(['#', '/']) { "\n" } else { "" };
            expression = format!("({expression}{end}) && {condition}");
        }
        Expansion { id: format!("__fim_expanded_{}__{id}", target.name), expression }
    };
    Some(targets.iter().map(expansion).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGETS: &[FimTarget<'static>] = &[
        FimTarget { name: "open", file: "open.file", condition: Some("open.flags > 0") },
        FimTarget { name: "chmod", file: "chmod.file", condition: None },
    ];

    #[test]
    fn all_uses_are_replaced_but_not_text() {
        let text = r#"fim.write.file.path == "fim.write.file.x" || fim.write.file.name == "%" # fim"#;
        let rules = expand("r", text, TARGETS).unwrap();
        assert_eq!(
            rules[1].expression,
            text.replacen("fim.write.file.path", "chmod.file.path", 1)
                .replace("fim.write.file.name", "chmod.file.name")
        );
        assert_eq!(rules[1].id, "__fim_expanded_chmod__r");
        crate::parse(&rules[0].expression, &crate::Limits::default()).unwrap();
    }

    #[test]
    fn other_rules_are_left_alone() {
        assert_eq!(expand("r", "open.file.path == \"fim.write.file.path\"", TARGETS), None);
        assert_eq!(expand("r", "(((", TARGETS), None);
    }
}
