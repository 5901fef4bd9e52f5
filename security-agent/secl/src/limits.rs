//! How large an expression may be, so that a policy is never a way to exhaust the agent.

/// Bounds checked while parsing and compiling. The defaults leave a factor of ten or more over the largest rule of the default
/// policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one expression's text.
    pub source_bytes: usize,
    /// Nesting of parentheses, unary operators and alternations of `&&` and `||`. Bounds recursion, so it must stay well
    /// below what a thread's stack holds.
    pub depth: usize,
    /// Nodes of an expression with its macros expanded.
    pub nodes: usize,
    /// Members of a list.
    pub list_members: usize,
    /// Bytes of a pattern or regular expression.
    pub pattern_bytes: usize,
    /// Bytes a compiled regular expression may take.
    pub regex_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            source_bytes: 256 << 10,
            depth: 50,
            nodes: 50_000,
            list_members: 10_000,
            pattern_bytes: 8 << 10,
            regex_bytes: 1 << 20,
        }
    }
}
