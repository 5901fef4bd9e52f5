//! Checked conditions: names resolved, types agreed, constants folded, negations explicit. Plain data that can be compared, hashed and
//! analysed; [`crate::program`] makes it fast.

use crate::ast::{BitOp, SumOp};
use crate::schema::{FieldId, IteratorId, Variable, weight};
use crate::span::Span;
pub use crate::text::index::Style;
pub use crate::text::matcher::TextSet;
use crate::value::{IpNet, Kind, Type};

/// A condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cond {
    /// Known without looking at an event.
    Const(bool),
    /// A test of values, and the text it was written as.
    Test(Test, Span),
    /// The opposite.
    Not(Box<Self>),
    /// All hold. Cheapest first, none is constant, none is `All` itself.
    All(Vec<Self>),
    /// One holds at least. Cheapest first, none is constant, none is `Any` itself.
    Any(Vec<Self>),
}

/// A test of values. Where a value is a list the test holds if it holds for one element; negation is always around it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Test {
    /// A boolean has this value.
    Bool(Source, bool),
    /// Two booleans are equal.
    BoolsEqual(Source, Source),
    /// An integer is one of these, sorted.
    IntIn(IntExpr, Vec<i64>),
    /// Two integers compare.
    IntCompare(IntExpr, Order, IntExpr),
    /// A string is one of these.
    TextIn(TextExpr, TextSet),
    /// Two strings are equal; the flag says whether ASCII case is ignored.
    TextsEqual(TextExpr, TextExpr, bool),
    /// A string matches a pattern that is only known at evaluation.
    TextLike(TextExpr, Vec<Part>, Like),
    /// An address matches one of these nets.
    IpIn(Source, Vec<IpNet>),
    /// Every address matches every one of these nets.
    IpAllIn(Source, Vec<IpNet>),
    /// Two addresses are equal.
    IpsEqual(Source, Source),
}

/// How a pattern known only at evaluation matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Like {
    /// How `*` is understood.
    pub style: Style,
    /// Whether ASCII case is ignored.
    pub ignore_case: bool,
}

/// Orders between integers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Order {
    /// `==`
    Equal,
    /// `<`
    Less,
    /// `<=`
    LessEq,
    /// `>`
    Greater,
    /// `>=`
    GreaterEq,
}

impl Order {
    /// Whether `a` stands in this order to `b`.
    #[must_use]
    pub const fn holds(self, a: i64, b: i64) -> bool {
        match self {
            Self::Equal => a == b,
            Self::Less => a < b,
            Self::LessEq => a <= b,
            Self::Greater => a > b,
            Self::GreaterEq => a >= b,
        }
    }

    /// The order of `b` to `a`.
    #[must_use]
    pub const fn mirrored(self) -> Self {
        match self {
            Self::Equal => Self::Equal,
            Self::Less => Self::Greater,
            Self::LessEq => Self::GreaterEq,
            Self::Greater => Self::Less,
            Self::GreaterEq => Self::LessEq,
        }
    }
}

/// Where values come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// A field of the event.
    Field(FieldRef),
    /// A variable.
    Variable(Variable),
}

/// A use of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FieldRef {
    /// The field.
    pub id: FieldId,
    /// Kind of its values.
    pub kind: Kind,
    /// Whether it has any number of values.
    pub list: bool,
    /// Whether it is read at the element that the rule binds, rather than at all of them.
    pub bound: bool,
    /// Whether it has values to match besides its own.
    pub alternatives: bool,
    /// Cost of reading it.
    pub weight: u16,
}

impl Source {
    /// Type of what is read.
    #[must_use]
    pub const fn ty(&self) -> Type {
        match self {
            Self::Field(field) => Type { kind: field.kind, list: field.list },
            Self::Variable(variable) => variable.ty,
        }
    }

    fn weight(&self) -> u32 {
        match self {
            Self::Field(field) => field.weight.into(),
            Self::Variable(_) => weight::COMPUTED.into(),
        }
    }
}

/// An integer expression. At most one source in it is a list; it then has a value for each element.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum IntExpr {
    /// A constant.
    Const(i64),
    /// A field or variable.
    Source(Source),
    /// A length or number of elements.
    Length(Length),
    /// Nanoseconds since a time.
    Age(Box<Self>),
    /// `-x`
    Neg(Box<Self>),
    /// `^x`
    BitNot(Box<Self>),
    /// `x & y` …
    Bits(BitOp, Box<Self>, Box<Self>),
    /// `x + y` …
    Sum(SumOp, Box<Self>, Box<Self>),
}

/// What `.length` is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Length {
    /// Number of elements of an iterator.
    Iterator(IteratorId),
    /// Number of elements of a list variable.
    Variable(Variable),
    /// Bytes of a string, of each string if it is a list.
    Text(Source),
}

impl IntExpr {
    /// The list it has a value for each element of.
    #[must_use]
    pub fn list(&self) -> Option<Source> {
        match self {
            Self::Const(_) | Self::Length(Length::Iterator(_) | Length::Variable(_)) => None,
            Self::Source(source) | Self::Length(Length::Text(source)) => source.ty().list.then_some(*source),
            Self::Age(x) | Self::Neg(x) | Self::BitNot(x) => x.list(),
            Self::Bits(_, x, y) | Self::Sum(_, x, y) => x.list().or_else(|| y.list()),
        }
    }
}

/// A string expression.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum TextExpr {
    /// A field or variable.
    Source(Source),
    /// The registrable domain of a host name.
    RootDomain(Source),
    /// A string with values filled in.
    Template(Vec<Part>),
}

/// A part of a string with values filled in. Lists are filled in joined with commas.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Part {
    /// Text as it stands.
    Text(Vec<u8>),
    /// A value in decimal.
    Int(IntExpr),
    /// A value of another kind.
    Value(Source),
}

impl Cond {
    /// The condition that `value` is; used when an operand is a constant.
    pub(crate) fn negate(self) -> Self {
        match self {
            Self::Const(value) => Self::Const(!value),
            Self::Not(inner) => *inner,
            other => Self::Not(Box::new(other)),
        }
    }

    pub(crate) fn all(conds: Vec<Self>) -> Self {
        let mut parts = Vec::with_capacity(conds.len());
        for cond in conds {
            match cond {
                Self::Const(true) => {}
                Self::Const(false) => return Self::Const(false),
                Self::All(inner) => parts.extend(inner),
                other => parts.push(other),
            }
        }
        Self::joined(parts, true, Self::All)
    }

    pub(crate) fn any(conds: Vec<Self>) -> Self {
        let mut parts = Vec::with_capacity(conds.len());
        for cond in conds {
            match cond {
                Self::Const(false) => {}
                Self::Const(true) => return Self::Const(true),
                Self::Any(inner) => parts.extend(inner),
                other => parts.push(other),
            }
        }
        Self::joined(parts, false, Self::Any)
    }

    fn joined(mut parts: Vec<Self>, empty: bool, make: fn(Vec<Self>) -> Self) -> Self {
        parts.sort_by_cached_key(Self::weight);
        match parts.len() {
            0 => Self::Const(empty),
            1 => parts.swap_remove(0),
            _ => make(parts),
        }
    }

    /// Relative cost of evaluating it.
    pub(crate) fn weight(&self) -> u32 {
        match self {
            Self::Const(_) => 0,
            Self::Test(test, _) => test.weight(),
            Self::Not(inner) => inner.weight(),
            Self::All(parts) | Self::Any(parts) => {
                parts.iter().fold(0, |sum, part| sum.saturating_add(part.weight()))
            }
        }
    }

    /// Calls `visit` with every test in it.
    pub fn each_test<'a>(&'a self, visit: &mut dyn FnMut(&'a Test)) {
        match self {
            Self::Const(_) => {}
            Self::Test(test, _) => visit(test),
            Self::Not(inner) => inner.each_test(visit),
            Self::All(parts) | Self::Any(parts) => parts.iter().for_each(|part| part.each_test(visit)),
        }
    }
}

impl Test {
    /// Relative cost of evaluating it.
    pub(crate) fn weight(&self) -> u32 {
        let mut sum = 0u32;
        self.each_source(&mut |source| sum = sum.saturating_add(source.weight()));
        let extra = match self {
            Self::TextIn(_, set) => match (set.patterns.len(), set.regexes.len(), set.literals.len()) {
                (0, 0, _) => 0,
                (1, 0, 0) => weight::PATTERN,
                (0, 1, 0) => weight::REGEX,
                _ => weight::PATTERN_LIST,
            },
            Self::TextLike(..) => weight::PATTERN,
            _ => 0,
        };
        sum.saturating_add(extra.into())
    }

    /// Calls `visit` with every field and variable it reads.
    pub fn each_source(&self, visit: &mut dyn FnMut(&Source)) {
        match self {
            Self::Bool(source, _) | Self::IpIn(source, _) | Self::IpAllIn(source, _) => visit(source),
            Self::BoolsEqual(a, b) | Self::IpsEqual(a, b) => {
                visit(a);
                visit(b);
            }
            Self::IntIn(subject, _) => subject.each_source(visit),
            Self::IntCompare(a, _, b) => {
                a.each_source(visit);
                b.each_source(visit);
            }
            Self::TextIn(subject, _) => subject.each_source(visit),
            Self::TextsEqual(a, b, _) => {
                a.each_source(visit);
                b.each_source(visit);
            }
            Self::TextLike(subject, parts, _) => {
                subject.each_source(visit);
                parts.iter().for_each(|part| part.each_source(visit));
            }
        }
    }

    /// Whether its result may change while one event is evaluated: it reads variables, which actions of other rules set, or the element
    /// that a rule binds.
    pub(crate) fn is_volatile(&self) -> bool {
        let mut volatile = false;
        self.each_source(&mut |source| {
            volatile |= match source {
                Source::Field(field) => field.bound,
                Source::Variable(_) => true,
            };
        });
        volatile
    }
}

impl IntExpr {
    fn each_source(&self, visit: &mut dyn FnMut(&Source)) {
        match self {
            Self::Const(_) | Self::Length(Length::Iterator(_)) => {}
            Self::Source(source) | Self::Length(Length::Text(source)) => visit(source),
            Self::Length(Length::Variable(variable)) => visit(&Source::Variable(*variable)),
            Self::Age(x) | Self::Neg(x) | Self::BitNot(x) => x.each_source(visit),
            Self::Bits(_, x, y) | Self::Sum(_, x, y) => {
                x.each_source(visit);
                y.each_source(visit);
            }
        }
    }

    /// Whether it reads something other than fields and variables: the length of an iterator, the clock.
    pub(crate) fn reads_more_than_sources(&self) -> bool {
        match self {
            Self::Const(_) | Self::Source(_) | Self::Length(Length::Text(_) | Length::Variable(_)) => false,
            Self::Age(_) | Self::Length(Length::Iterator(_)) => true,
            Self::Neg(x) | Self::BitNot(x) => x.reads_more_than_sources(),
            Self::Bits(_, x, y) | Self::Sum(_, x, y) => {
                x.reads_more_than_sources() || y.reads_more_than_sources()
            }
        }
    }
}

impl TextExpr {
    fn each_source(&self, visit: &mut dyn FnMut(&Source)) {
        match self {
            Self::Source(source) | Self::RootDomain(source) => visit(source),
            Self::Template(parts) => parts.iter().for_each(|part| part.each_source(visit)),
        }
    }
}

impl Part {
    fn each_source(&self, visit: &mut dyn FnMut(&Source)) {
        match self {
            Self::Text(_) => {}
            Self::Int(x) => x.each_source(visit),
            Self::Value(source) => visit(source),
        }
    }
}
