//! Gates: a single test that a rule cannot do without, for rules that have no guard.
//!
//! Which test is best is a guess from its form: what holds for few events is looked at rather than what holds for most.

use crate::ir::{Cond, IntExpr, Order, Test};
use crate::program::Node;

/// A test whose result a rule needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Needed {
    pub test: u32,
    pub result: bool,
    /// How many events have it, from few to nearly all.
    rank: u8,
}

/// Ranks from here on are of tests that most events pass.
const COMMON: u8 = 5;

/// Ranks up to here are of tests that few events pass.
const RARE: u8 = 2;

impl Needed {
    /// Whether the test keeps all but a few events out.
    pub(super) const fn is_rare(self) -> bool {
        self.rank <= RARE
    }

    /// Whether the test keeps most events out.
    pub(super) const fn is_telling(self) -> bool {
        self.rank < COMMON
    }
}

/// The most telling test that a condition cannot do without; of equally telling ones the cheapest.
pub(super) fn gate(cond: &Cond, node: &Node) -> Option<Needed> {
    match (cond, node) {
        (Cond::Test(test, _), Node::Test(number)) => needed(test, *number, true),
        (Cond::Not(inner), Node::Not(node)) => match (&**inner, &**node) {
            (Cond::Test(test, _), Node::Test(number)) => needed(test, *number, false),
            _ => None,
        },
        // Cheapest first, and the first of equals is kept.
        (Cond::All(conds), Node::All(nodes)) => conds
            .iter()
            .zip(nodes)
            .filter_map(|(cond, node)| gate(cond, node))
            .min_by_key(|needed| needed.rank),
        _ => None,
    }
}

fn needed(test: &Test, number: u32, result: bool) -> Option<Needed> {
    // Gates are looked at once per event, before any rule has changed a variable.
    (!test.is_volatile()).then(|| Needed { test: number, result, rank: rank(test, result) })
}

fn rank(test: &Test, result: bool) -> u8 {
    match (test, result) {
        // Flags are mostly off.
        (Test::Bool(_, value), _) => {
            if *value == result {
                1
            } else {
                COMMON
            }
        }
        (Test::IntCompare(IntExpr::Bits(..), Order::Greater | Order::GreaterEq | Order::Equal, _), true) => 1,
        (Test::IntCompare(IntExpr::Age(_), Order::Less | Order::LessEq, _), true) => 2,
        (Test::TextsEqual(..) | Test::IpIn(..) | Test::IpsEqual(..) | Test::TextLike(..), true) => 2,
        (Test::IntIn(_, values), true) if !values.contains(&0) => 2,
        (Test::IntCompare(..), true) => 3,
        (Test::TextIn(..) | Test::IpAllIn(..) | Test::BoolsEqual(..), true) => 4,
        (Test::IntIn(..), true) => COMMON,
        // That something is not so is true of most events.
        (_, false) => COMMON + 1,
    }
}
