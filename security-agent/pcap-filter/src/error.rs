//! What is wrong with an expression.

use std::ops::Range;

/// Why an expression is refused, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// The bytes of the expression that are wrong.
    pub span: Range<usize>,
    /// What is wrong with them.
    pub message: String,
    /// What may help.
    pub help: Option<String>,
}

impl Error {
    pub(crate) fn new(span: Range<usize>, message: impl Into<String>) -> Self {
        Self { span, message: message.into(), help: None }
    }

    pub(crate) fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}
