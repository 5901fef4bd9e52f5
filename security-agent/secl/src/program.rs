//! Conditions in the form that is evaluated: matchers built, tests numbered so that rules can share them.

use std::net::IpAddr;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::ast::BitOp;
use crate::eval::Scene;
use crate::ir::{Cond, IntExpr, Like, Order, Part, Source, Test, TextExpr};
use crate::schema::{Event, FieldId, Variables};
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

/// A step of a condition: which test is made, and where to go on for either result.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    test: u32,
    yes: u32,
    no: u32,
}

/// Steps of many conditions, and what they lead to.
#[derive(Debug, Default)]
pub(crate) struct Steps(Vec<Step>);

/// Numbers from here on are no steps but results.
const NO: u32 = u32::MAX - 1;
const YES: u32 = u32::MAX;

impl Steps {
    /// Appends a condition; gives the number it begins with.
    pub(crate) fn add(&mut self, node: &Node) -> u32 {
        self.add_before(node, YES, NO)
    }

    /// The steps of a condition that goes on at `yes` and `no`. From the last one to the first, as each has to know what comes after it.
    fn add_before(&mut self, node: &Node, yes: u32, no: u32) -> u32 {
        match node {
            Node::Const(value) => {
                if *value {
                    yes
                } else {
                    no
                }
            }
            Node::Test(test) => {
                // Rules are bounded in number and size far below 4 G steps; saturating keeps that from being a panic.
                let number = u32::try_from(self.0.len()).unwrap_or(NO);
                self.0.push(Step { test: *test, yes, no });
                number
            }
            Node::Not(inner) => self.add_before(inner, no, yes),
            Node::All(parts) => parts.iter().rev().fold(yes, |yes, part| self.add_before(part, yes, no)),
            Node::Any(parts) => parts.iter().rev().fold(no, |no, part| self.add_before(part, yes, no)),
        }
    }

    /// Whether the condition that begins at `start` holds if the tests have the given results.
    #[inline]
    pub(crate) fn holds(&self, start: u32, mut test: impl FnMut(u32) -> bool) -> bool {
        let mut at = start;
        while let Some(step) = self.0.get(at as usize) {
            at = if test(step.test) { step.yes } else { step.no };
        }
        at == YES
    }

    /// Frees what only building needs.
    pub(crate) fn finish(mut self) -> Self {
        self.0.shrink_to_fit();
        self
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
    pub(crate) simple: Option<SimpleInt>,
}

/// The integers that most tests are about; they are read without going through an expression.
#[derive(Debug, Clone, Copy)]
pub(crate) enum SimpleInt {
    Const(i64),
    Field(FieldId),
    /// Some bits of a field.
    Masked(FieldId, i64),
}

impl SimpleInt {
    fn new(expr: &IntExpr) -> Option<Self> {
        let field = |expr: &IntExpr| match expr {
            IntExpr::Source(Source::Field(field)) if !field.list => Some(field.id),
            _ => None,
        };
        match expr {
            IntExpr::Const(value) => Some(Self::Const(*value)),
            IntExpr::Bits(BitOp::And, x, y) => match (field(x), &**y) {
                (Some(field), IntExpr::Const(mask)) => Some(Self::Masked(field, *mask)),
                _ => None,
            },
            expr => field(expr).map(Self::Field),
        }
    }
}

impl IntOperand {
    pub(crate) fn new(expr: &IntExpr) -> Self {
        Self { expr: expr.clone(), list: expr.list(), simple: SimpleInt::new(expr) }
    }

    /// The plain value of a field or variable.
    pub(crate) fn source(source: Source) -> Self {
        Self::new(&IntExpr::Source(source))
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn node() -> impl Strategy<Value = Node> {
        let leaf = prop_oneof![any::<bool>().prop_map(Node::Const), (0..5u32).prop_map(Node::Test)];
        leaf.prop_recursive(4, 24, 4, |inner| {
            let parts = prop::collection::vec(inner.clone(), 0..4).prop_map(Vec::into_boxed_slice);
            prop_oneof![
                inner.prop_map(|node| Node::Not(Box::new(node))),
                parts.clone().prop_map(Node::All),
                parts.prop_map(Node::Any),
            ]
        })
    }

    proptest! {
        #[test]
        fn steps_decide_as_the_tree_does(nodes in prop::collection::vec(node(), 1..4), results in any::<[bool; 5]>()) {
            let mut steps = Steps::default();
            let starts: Vec<u32> = nodes.iter().map(|node| steps.add(node)).collect();
            for (node, start) in nodes.iter().zip(starts) {
                let expected = node.holds(&mut |test| results[test as usize]);
                prop_assert_eq!(steps.holds(start, |test| results[test as usize]), expected);
            }
        }
    }
}
