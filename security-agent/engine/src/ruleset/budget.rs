//! Bounds what all rules together may expand to.
//!
//! Each expression is bounded by itself, but a macro of thousands of values that thousands of rules use multiplies.

use std::collections::HashMap;

use secl::Macros;
use secl::ast::{Expr, ExprKind};

use crate::limits;

/// Bytes that are counted for each node of an expression besides its text.
const NODE: usize = 16;
/// Macros within macros; the language itself refuses recursion.
const DEPTH: usize = 32;

/// What is left of [`limits::EXPANDED_BYTES`].
pub(super) struct Budget<'m> {
    macros: &'m Macros,
    /// Sizes of macros that were measured.
    known: HashMap<String, usize>,
    left: usize,
}

impl<'m> Budget<'m> {
    pub(super) fn new(macros: &'m Macros) -> Self {
        Budget { macros, known: HashMap::new(), left: limits::EXPANDED_BYTES }
    }

    /// Takes what an expression expands to; false if there is not enough left.
    pub(super) fn take(&mut self, expression: &str) -> bool {
        // One that does not parse is refused anyway.
        let Ok(expr) = secl::parse(expression, &secl::Limits::default()) else { return true };
        let size = self.size(&expr, 0);
        match self.left.checked_sub(size) {
            Some(left) => {
                self.left = left;
                true
            }
            None => false,
        }
    }

    fn size(&mut self, expr: &Expr, depth: usize) -> usize {
        let own = match &expr.kind {
            ExprKind::Str(text) | ExprKind::Pattern(text) => text.len(),
            // A regular expression compiles to much more than its text.
            ExprKind::Regex(text) => text.len() * 100,
            ExprKind::Variable(name) | ExprKind::FieldValue(name) => name.len(),
            ExprKind::Name(name) => self.name(&name.path, depth),
            ExprKind::Int(_) | ExprKind::Duration(_) | ExprKind::Ip(_) => 0,
            ExprKind::Unary(_, inner) => self.size(inner, depth),
            ExprKind::Compare(_, left, right) => {
                self.size(left, depth).saturating_add(self.size(right, depth))
            }
            ExprKind::Logic(first, rest) => self.sum(first, rest.iter().map(|(_, expr)| expr), depth),
            ExprKind::Sum(first, rest) => self.sum(first, rest.iter().map(|(_, expr)| expr), depth),
            ExprKind::Bits(first, rest) => self.sum(first, rest.iter().map(|(_, expr)| expr), depth),
            ExprKind::List(members) => {
                members.iter().fold(0, |sum: usize, member| sum.saturating_add(self.size(member, depth)))
            }
        };
        own.saturating_add(NODE)
    }

    fn sum<'e>(&mut self, first: &Expr, rest: impl Iterator<Item = &'e Expr>, depth: usize) -> usize {
        let first = self.size(first, depth);
        rest.fold(first, |sum, expr| sum.saturating_add(self.size(expr, depth)))
    }

    fn name(&mut self, name: &str, depth: usize) -> usize {
        let Some(body) = self.macros.get(name).filter(|_| depth < DEPTH) else { return name.len() };
        if let Some(&size) = self.known.get(name) {
            return size;
        }
        let size = self.size(body, depth + 1);
        self.known.insert(name.to_owned(), size);
        size
    }
}

#[cfg(test)]
mod tests {
    use secl::{Limits, Macros};

    use super::Budget;

    #[test]
    fn a_large_macro_in_many_rules_ends_at_the_budget() {
        let mut macros = Macros::new();
        let values: Vec<String> = (0..100).map(|n| format!("\"value-{n}\"")).collect();
        macros.define("VALUES", &format!("[{}]", values.join(", ")), &Limits::default()).expect("a list");
        macros
            .define("TWICE", "exec.comm in VALUES || exec.args in VALUES", &Limits::default())
            .expect("a condition");
        let mut budget = Budget { left: 20_000, ..Budget::new(&macros) };
        let taken = (0..100).take_while(|_| budget.take("exec.file.name in VALUES")).count();
        assert!((5..10).contains(&taken), "{taken}");
        assert!(budget.take("exec.file.name == \"x\""), "small ones still fit");
        let mut budget = Budget { left: 20_000, ..Budget::new(&macros) };
        assert_eq!((0..100).take_while(|_| budget.take("TWICE")).count(), taken / 2);
    }
}
