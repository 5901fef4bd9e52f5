//! The syntax tree: what was written, before names mean anything.

use crate::span::Span;
use crate::value::IpNet;

/// An expression and where it stands in the text.
#[derive(Debug, Clone)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Where it stands.
    pub span: Span,
}

/// Equality is that of the meaning: positions are ignored.
impl PartialEq for Expr {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind
    }
}

/// Kinds of expression. Chains are kept flat, so that recursion is bounded by the nesting that was written.
#[derive(Debug, Clone, PartialEq)]
pub enum ExprKind {
    /// `a && b || c …`: operators of equal rank that associate to the right.
    Logic(Box<Expr>, Vec<(LogicOp, Expr)>),
    /// `a == b`, `a in b` …
    Compare(CompareOp, Box<Expr>, Box<Expr>),
    /// `a + b - c …`, associating to the left.
    Sum(Box<Expr>, Vec<(SumOp, Expr)>),
    /// `a & b | c ^ d …`: operators of equal rank that associate to the right.
    Bits(Box<Expr>, Vec<(BitOp, Expr)>),
    /// An operator in front of its operand.
    Unary(UnaryOp, Box<Expr>),
    /// An integer.
    Int(i64),
    /// A duration in nanoseconds.
    Duration(i64),
    /// `"…"`, escapes resolved. `${…}` and `%{…}` in it are values to be filled in.
    Str(Vec<u8>),
    /// `~"…"`, where `*` stands for any text.
    Pattern(Vec<u8>),
    /// `r"…"`
    Regex(String),
    /// An address or network.
    Ip(IpNet),
    /// A field, constant or macro.
    Name(Name),
    /// `${name}`
    Variable(String),
    /// `%{name}`: the value of a field.
    FieldValue(String),
    /// `[a, b, …]`
    List(Vec<Expr>),
}

/// A name, possibly with one element of an iterator selected.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Name {
    /// The name without index: `process.ancestors.comm`.
    pub path: String,
    /// The index of `process.ancestors[A].comm`.
    pub index: Option<Index>,
}

/// `[A]` within a name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Index {
    /// What it indexes: `process.ancestors`.
    pub iterator: String,
    /// The name it gives to the element: `A`.
    pub register: String,
}

/// Operators between conditions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LogicOp {
    /// `&&`
    And,
    /// `||`
    Or,
}

/// Comparisons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CompareOp {
    /// `==`
    Eq,
    /// `!=`
    NotEq,
    /// `=~`
    Matches,
    /// `!~`
    NotMatches,
    /// `<`
    Less,
    /// `<=`
    LessEq,
    /// `>`
    Greater,
    /// `>=`
    GreaterEq,
    /// `in`
    In,
    /// `not in`
    NotIn,
    /// `allin`
    AllIn,
}

/// Bit operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BitOp {
    /// `&`
    And,
    /// `|`
    Or,
    /// `^`
    Xor,
}

/// Addition and subtraction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SumOp {
    /// `+`
    Add,
    /// `-`
    Sub,
}

/// Operators in front of an operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UnaryOp {
    /// `!` or `not`
    Not,
    /// `-`
    Neg,
    /// `^`: all bits flipped.
    BitNot,
}

impl LogicOp {
    /// As written.
    #[must_use]
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::And => "&&",
            Self::Or => "||",
        }
    }
}

impl CompareOp {
    /// As written.
    #[must_use]
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::Eq => "==",
            Self::NotEq => "!=",
            Self::Matches => "=~",
            Self::NotMatches => "!~",
            Self::Less => "<",
            Self::LessEq => "<=",
            Self::Greater => ">",
            Self::GreaterEq => ">=",
            Self::In => "in",
            Self::NotIn => "not in",
            Self::AllIn => "allin",
        }
    }

    /// The operator it is the negation of, if it is one.
    #[must_use]
    pub const fn negated(self) -> Option<Self> {
        match self {
            Self::NotEq => Some(Self::Eq),
            Self::NotMatches => Some(Self::Matches),
            Self::NotIn => Some(Self::In),
            _ => None,
        }
    }

    /// Whether it takes a list on its right.
    #[must_use]
    pub const fn takes_list(self) -> bool {
        matches!(self, Self::In | Self::NotIn | Self::AllIn)
    }
}

impl BitOp {
    /// As written.
    #[must_use]
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::And => "&",
            Self::Or => "|",
            Self::Xor => "^",
        }
    }

    /// The operation.
    #[must_use]
    pub const fn apply(self, a: i64, b: i64) -> i64 {
        match self {
            Self::And => a & b,
            Self::Or => a | b,
            Self::Xor => a ^ b,
        }
    }
}

impl SumOp {
    /// As written.
    #[must_use]
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Sub => "-",
        }
    }

    /// The operation, wrapping around as in the reference.
    #[must_use]
    pub const fn apply(self, a: i64, b: i64) -> i64 {
        match self {
            Self::Add => a.wrapping_add(b),
            Self::Sub => a.wrapping_sub(b),
        }
    }
}
