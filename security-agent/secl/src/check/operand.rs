//! What expressions turn out to be while they are checked.

use crate::ir::{Cond, IntExpr, Part, Source, TextExpr};
use crate::schema::Matching;
use crate::span::Span;
use crate::value::{IpNet, Kind, Type};

/// A checked expression.
#[derive(Debug, Clone)]
pub(super) enum Operand {
    /// A condition; with the field or variable it is the value of, if it is just that.
    Cond(Cond, Option<Source>),
    /// An integer.
    Int(IntExpr, IntShape),
    /// A string read from somewhere.
    Text(Subject),
    /// A string, pattern or regular expression as written.
    Literal(Literal),
    /// An address read from somewhere.
    Ip(Source),
    /// An address or network as written.
    Net(IpNet),
    /// A list as written.
    List(Vec<(Operand, Span)>),
}

/// What an integer was written as; decides whether a comparison with a duration is one of ages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum IntShape {
    Plain,
    Duration,
    /// The result of `+` or `-`.
    Computed,
}

/// A string that is matched against literals.
#[derive(Debug, Clone)]
pub(super) struct Subject {
    pub expr: TextExpr,
    /// How literals are checked and matched.
    pub matching: Matching,
    /// See [`crate::Field::max_literal`].
    pub max_literal: Option<u16>,
}

/// A string literal.
#[derive(Debug, Clone)]
pub(super) struct Literal {
    pub kind: LiteralKind,
    pub text: Vec<u8>,
    /// Its parts, if values are filled in.
    pub template: Option<Vec<Part>>,
}

/// How a string literal was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LiteralKind {
    Plain,
    Pattern,
    Regex,
}

impl Operand {
    /// How messages call its type.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Cond(_, source) => {
                source.map_or(Type::scalar(Kind::Bool), |source| source.ty()).to_string()
            }
            Self::Int(expr, shape) => match (shape, expr.list()) {
                (IntShape::Duration, _) => "duration".into(),
                (_, Some(_)) => "int[]".into(),
                _ => "int".into(),
            },
            Self::Text(subject) => match &subject.expr {
                TextExpr::Source(source) | TextExpr::RootDomain(source) => source.ty().to_string(),
                TextExpr::Template(_) => "string".into(),
            },
            Self::Literal(literal) => match literal.kind {
                LiteralKind::Plain => "string".into(),
                LiteralKind::Pattern => "pattern".into(),
                LiteralKind::Regex => "regular expression".into(),
            },
            Self::Ip(source) => source.ty().to_string(),
            Self::Net(_) => "IP".into(),
            Self::List(members) => members
                .first()
                .map_or_else(|| "list".into(), |(first, _)| format!("list of {}", first.describe())),
        }
    }

    /// Whether it has any number of values.
    pub(super) fn is_list(&self) -> bool {
        let list = |source: &Source| source.ty().list;
        match self {
            Self::Cond(_, source) => source.as_ref().is_some_and(list),
            Self::Int(expr, _) => expr.list().is_some(),
            Self::Text(Subject { expr: TextExpr::Source(source) | TextExpr::RootDomain(source), .. })
            | Self::Ip(source) => list(source),
            Self::Text(_) | Self::Literal(_) | Self::Net(_) => false,
            Self::List(_) => true,
        }
    }
}
