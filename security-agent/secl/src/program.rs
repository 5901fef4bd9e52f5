//! Conditions in the form that is evaluated: matchers built, tests numbered so that rules can share them.

use std::net::IpAddr;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::eval::Scene;
use crate::ir::{Cond, IntExpr, Like, Order, Part, Source, Test, TextExpr};
use crate::schema::{Event, Variables};
use crate::text::matcher::TextMatcher;
use crate::value::IpNet;

/// A condition over numbered tests.
#[derive(Debug, Clone)]
pub(crate) enum Node {
    Const(bool),
    Test(u32),
    Not(Box<Self>),
    All(Box<[Self]>),
    Any(Box<[Self]>),
}

impl Node {
    /// Whether the condition holds if the tests have the given results.
    pub(crate) fn holds(&self, test: &mut impl FnMut(u32) -> bool) -> bool {
        match self {
            Self::Const(value) => *value,
            Self::Test(number) => test(*number),
            Self::Not(inner) => !inner.holds(test),
            Self::All(parts) => parts.iter().all(|part| part.holds(test)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(test)),
        }
    }
}

/// A condition by itself.
#[derive(Debug)]
pub(crate) struct Program {
    /// Of the same shape as the condition it was made of.
    pub(crate) node: Node,
    pub(crate) tests: Vec<CompiledTest>,
}

impl Program {
    pub(crate) fn new(cond: &Cond, regex_bytes: usize) -> Self {
        let mut tests = Tests::default();
        let node = tests.add(cond, regex_bytes);
        Self { node, tests: tests.finish() }
    }

    pub(crate) fn holds<E: Event, V: Variables>(&self, scene: &Scene<'_, E, V>) -> bool {
        self.node.holds(&mut |number| scene.test(&self.tests[number as usize].kind))
    }
}

/// The distinct tests of a set of rules.
#[derive(Debug, Default)]
pub(crate) struct Tests {
    pub(crate) compiled: Vec<CompiledTest>,
    numbers: FxHashMap<Test, u32>,
}

impl Tests {
    /// Compiles a condition, sharing the tests that are known already.
    pub(crate) fn add(&mut self, cond: &Cond, regex_bytes: usize) -> Node {
        match cond {
            Cond::Const(value) => Node::Const(*value),
            Cond::Test(test, _) => Node::Test(self.number(test, regex_bytes)),
            Cond::Not(inner) => Node::Not(Box::new(self.add(inner, regex_bytes))),
            Cond::All(parts) => Node::All(parts.iter().map(|part| self.add(part, regex_bytes)).collect()),
            Cond::Any(parts) => Node::Any(parts.iter().map(|part| self.add(part, regex_bytes)).collect()),
        }
    }

    fn number(&mut self, test: &Test, regex_bytes: usize) -> u32 {
        if let Some(number) = self.numbers.get(test) {
            return *number;
        }
        // Rules are bounded in number and size far below 4 G tests; saturating keeps that from being a panic.
        let number = u32::try_from(self.compiled.len()).unwrap_or(u32::MAX);
        self.compiled
            .push(CompiledTest { kind: CompiledKind::new(test, regex_bytes), volatile: test.is_volatile() });
        self.numbers.insert(test.clone(), number);
        number
    }

    /// Frees what only building needs.
    pub(crate) fn finish(mut self) -> Vec<CompiledTest> {
        self.compiled.shrink_to_fit();
        self.compiled
    }
}

/// A test with its matcher.
#[derive(Debug)]
pub(crate) struct CompiledTest {
    pub(crate) kind: CompiledKind,
    /// See [`Test::is_volatile`].
    pub(crate) volatile: bool,
}

/// The kinds of [`Test`], compiled.
#[derive(Debug)]
pub(crate) enum CompiledKind {
    Bool(Source, bool),
    BoolsEqual(Source, Source),
    IntIn(IntOperand, IntSet),
    IntCompare(IntOperand, Order, IntOperand),
    TextIn(TextExpr, TextMatcher),
    TextsEqual(TextExpr, TextExpr, bool),
    TextLike(TextExpr, Vec<Part>, Like),
    IpIn(Source, Vec<IpNet>),
    IpAllIn(Source, Vec<IpNet>),
    IpsEqual(Source, Source),
}

impl CompiledKind {
    fn new(test: &Test, regex_bytes: usize) -> Self {
        match test {
            Test::Bool(source, value) => Self::Bool(*source, *value),
            Test::BoolsEqual(a, b) => Self::BoolsEqual(*a, *b),
            Test::IntIn(subject, values) => Self::IntIn(IntOperand::new(subject), IntSet::new(values)),
            Test::IntCompare(a, order, b) => Self::IntCompare(IntOperand::new(a), *order, IntOperand::new(b)),
            Test::TextIn(subject, set) => Self::TextIn(subject.clone(), TextMatcher::new(set, regex_bytes)),
            Test::TextsEqual(a, b, ignore_case) => Self::TextsEqual(a.clone(), b.clone(), *ignore_case),
            Test::TextLike(subject, parts, like) => Self::TextLike(subject.clone(), parts.clone(), *like),
            Test::IpIn(source, nets) => Self::IpIn(*source, nets.clone()),
            Test::IpAllIn(source, nets) => Self::IpAllIn(*source, nets.clone()),
            Test::IpsEqual(a, b) => Self::IpsEqual(*a, *b),
        }
    }
}

/// An integer expression and the list it runs over.
#[derive(Debug)]
pub(crate) struct IntOperand {
    pub(crate) expr: IntExpr,
    pub(crate) list: Option<Source>,
}

impl IntOperand {
    pub(crate) fn new(expr: &IntExpr) -> Self {
        Self { expr: expr.clone(), list: expr.list() }
    }

    /// The plain value of a field or variable.
    pub(crate) fn source(source: Source) -> Self {
        Self { expr: IntExpr::Source(source), list: source.ty().list.then_some(source) }
    }
}

/// A set of integers.
#[derive(Debug)]
pub(crate) enum IntSet {
    Few(Box<[i64]>),
    Many(FxHashSet<i64>),
}

impl IntSet {
    fn new(values: &[i64]) -> Self {
        /// Up to this many are faster scanned than hashed.
        const FEW: usize = 8;
        if values.len() <= FEW {
            Self::Few(values.into())
        } else {
            Self::Many(values.iter().copied().collect())
        }
    }

    pub(crate) fn contains(&self, value: i64) -> bool {
        match self {
            Self::Few(values) => values.contains(&value),
            Self::Many(values) => values.contains(&value),
        }
    }
}

/// An address as events give it; an absent one is the zero address.
pub(crate) fn net(addr: Option<IpAddr>) -> IpNet {
    addr.map_or(IpNet::UNSPECIFIED, IpNet::from)
}
