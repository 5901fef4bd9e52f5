//! Guards: what has to be in an event for a rule to have a chance.
//!
//! A guard is a set of literals, each of one field, of which an event that satisfies the rule has at least one. Looking the values of an
//! event up in an index of all guards gives the few rules worth evaluating, however many there are.

use crate::ir::{Cond, FieldRef, IntExpr, Source, Test, TextExpr};
use crate::schema::weight;
use crate::text::index::{AnyPattern, Style};
use crate::text::regexp;

/// What one entry of a guard looks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wanted {
    Text(Vec<u8>),
    Pattern(Vec<u8>, Style),
    Int(i64),
}

/// One literal of a guard.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub field: FieldRef,
    pub ignore_case: bool,
    pub wanted: Wanted,
}

/// A guard and how good it is; less is better.
#[derive(Debug, Clone)]
pub(super) struct Guard {
    pub cost: u32,
    pub entries: Vec<Entry>,
    /// Whether the literals tell events apart: most events have zero or nothing in most fields.
    pub telling: bool,
}

impl Guard {
    /// Whether looking it up costs more than a test: text in the middle of values, all elements of an iterator.
    pub(super) const fn is_expensive(&self) -> bool {
        self.cost >= 12
    }
}

/// The best guard of a condition, if it has any.
pub(super) fn guard(cond: &Cond) -> Option<Guard> {
    match cond {
        Cond::Const(_) | Cond::Not(_) => None,
        Cond::Test(test, _) => test_guard(test),
        Cond::All(parts) => {
            parts.iter().filter_map(guard).min_by_key(|guard| (guard.cost, guard.entries.len()))
        }
        Cond::Any(parts) => {
            let mut joined = Guard { cost: 0, entries: Vec::new(), telling: true };
            for part in parts {
                let part = guard(part)?;
                joined.cost = joined.cost.max(part.cost);
                joined.telling &= part.telling;
                joined.entries.extend(part.entries);
            }
            Some(joined)
        }
    }
}

fn test_guard(test: &Test) -> Option<Guard> {
    let (field, wanted, ignore_case): (_, Vec<_>, _) = match test {
        Test::TextIn(TextExpr::Source(Source::Field(field)), set) => {
            let literals = set.literals.iter().cloned().map(Wanted::Text);
            let patterns = set.patterns.iter().map(|text| Wanted::Pattern(text.clone(), set.style));
            let mut wanted: Vec<_> = literals.chain(patterns).collect();
            for regex in &set.regexes {
                let needed = regexp::needed(regex, set.ignore_case)?;
                wanted.extend(needed.into_iter().map(|text| Wanted::Pattern(text, Style::Plain)));
            }
            (field, wanted, set.ignore_case)
        }
        Test::IntIn(IntExpr::Source(Source::Field(field)), values) => {
            (field, values.iter().copied().map(Wanted::Int).collect(), false)
        }
        _ => return None,
    };
    let telling = !wanted.iter().any(|wanted| match wanted {
        Wanted::Text(text) => text.is_empty(),
        Wanted::Int(value) => *value == 0,
        Wanted::Pattern(..) => false,
    });
    let mut cost = 0;
    for wanted in &wanted {
        cost = cost.max(literal_cost(wanted)?);
    }
    // Any element will do for a guard, also where the rule binds one.
    let field = FieldRef { bound: false, ..*field };
    /// Found in vain so often that other fields are worth the cost of reading them, up to iterators.
    const UNTELLING: u32 = 20;
    let cost = cost + read_cost(&field) + if telling { 0 } else { UNTELLING };
    let entries = wanted.into_iter().map(|wanted| Entry { field, ignore_case, wanted }).collect();
    Some(Guard { cost, entries, telling })
}

/// How much finding a literal costs, and how often it is found in vain.
fn literal_cost(wanted: &Wanted) -> Option<u32> {
    /// Shorter text is found in too many values to tell them apart.
    const TELLING: usize = 4;
    Some(match wanted {
        Wanted::Text(text) if text.is_empty() => 8,
        Wanted::Text(_) => 1,
        Wanted::Int(_) => 5,
        Wanted::Pattern(text, style) => {
            let (anchored, middle) = AnyPattern::new(text, *style).strength();
            match (anchored, middle) {
                (0, 0) => return None,
                (0, _) => 12,
                (anchored, _) if anchored < TELLING => 6,
                _ => 3,
            }
        }
    })
}

fn read_cost(field: &FieldRef) -> u32 {
    match field.weight {
        weight::REMOTE.. => 100,
        weight::ITERATOR.. => 40,
        _ if field.list => 8,
        _ => 0,
    }
}
