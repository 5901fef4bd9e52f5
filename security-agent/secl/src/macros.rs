//! Macros: named expressions and lists, expanded where rules use them.

use std::collections::BTreeMap;

use crate::ast::{Expr, ExprKind};
use crate::diagnostic::Diagnostic;
use crate::limits::Limits;
use crate::parser::parse;
use crate::span::Span;

/// The macros of a rule set, by name.
#[derive(Debug, Clone, Default)]
pub struct Macros {
    by_name: BTreeMap<String, Expr>,
}

impl Macros {
    /// No macros.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Defines a macro by an expression or list; replaces one of the same name. What names in it mean is checked where it is used,
    /// or by [`crate::Compiler::check_macro`].
    ///
    /// # Errors
    /// All syntax errors of the text.
    pub fn define(&mut self, name: &str, text: &str, limits: &Limits) -> Result<(), Vec<Diagnostic>> {
        self.by_name.insert(name.to_owned(), parse(text, limits)?);
        Ok(())
    }

    /// Defines a macro by a list of plain strings; replaces one of the same name.
    pub fn define_values<'v>(&mut self, name: &str, values: impl IntoIterator<Item = &'v str>) {
        let literal =
            |text: &str| Expr { kind: ExprKind::Str(text.as_bytes().to_vec()), span: Span::default() };
        let members = values.into_iter().map(literal).collect();
        let list = Expr { kind: ExprKind::List(members), span: Span::default() };
        self.by_name.insert(name.to_owned(), list);
    }

    /// Forgets a macro; tells whether there was one.
    pub fn remove(&mut self, name: &str) -> bool {
        self.by_name.remove(name).is_some()
    }

    /// What a macro stands for.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Expr> {
        self.by_name.get(name)
    }

    /// The names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }
}
