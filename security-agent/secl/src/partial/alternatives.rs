//! What an event needs for a rule to be true, field by field.

use std::collections::BTreeMap;

use super::approvers::{Approver, Filterable, Finder, Needs};
use crate::compiler::Rule;
use crate::ir::Cond;
use crate::schema::FieldId;

/// One way for a rule to be true: of each of these fields the event needs one of the values. Fields that are not here may have any.
pub type Alternative = BTreeMap<FieldId, Vec<Approver>>;

/// The ways for a rule to be true as far as the filterable fields tell: an event that satisfies none of them does not match. Without any
/// alternative the rule is never true; an empty alternative says that nothing can be told.
///
/// At most `limit` alternatives, which has to be 1 at least; what would need more is told less exactly.
#[must_use]
pub fn alternatives(rule: &Rule, filterable: &[Filterable<'_>], limit: usize) -> Vec<Alternative> {
    Expander { finder: Finder { filterable }, limit: limit.max(1) }.expand(&rule.cond, true)
}

struct Expander<'a> {
    finder: Finder<'a>,
    limit: usize,
}

impl Expander<'_> {
    /// The ways for `cond` to have the result `wanted`.
    fn expand(&self, cond: &Cond, wanted: bool) -> Vec<Alternative> {
        match cond {
            Cond::Const(value) if *value == wanted => vec![Alternative::new()],
            Cond::Const(_) => Vec::new(),
            Cond::Not(inner) => self.expand(inner, !wanted),
            Cond::Test(test, _) => match self.finder.test(test, wanted) {
                Needs::Nothing => vec![Alternative::new()],
                Needs::Never => Vec::new(),
                Needs::OneOf(values) => {
                    values.into_iter().map(|(field, values)| BTreeMap::from([(field, values)])).collect()
                }
            },
            Cond::All(parts) if wanted => self.all(parts, wanted),
            Cond::Any(parts) if !wanted => self.all(parts, wanted),
            Cond::All(parts) | Cond::Any(parts) => self.any(parts, wanted),
        }
    }

    /// All parts need to have the result: every combination of their ways.
    fn all(&self, parts: &[Cond], wanted: bool) -> Vec<Alternative> {
        let mut expanded: Vec<_> = parts.iter().map(|part| self.expand(part, wanted)).collect();
        if expanded.iter().any(Vec::is_empty) {
            return Vec::new();
        }
        // What can be said in few alternatives comes first: of the rest, what would make too many is left out.
        expanded.sort_by_key(Vec::len);
        expanded.into_iter().fold(vec![Alternative::new()], |found, part| {
            let says_nothing = part.iter().any(Alternative::is_empty);
            if says_nothing || found.len().saturating_mul(part.len()) > self.limit {
                return found;
            }
            found.iter().flat_map(|left| part.iter().filter_map(|right| both(left, right))).collect()
        })
    }

    /// One part needs to have the result.
    fn any(&self, parts: &[Cond], wanted: bool) -> Vec<Alternative> {
        let mut found = Vec::new();
        for part in parts {
            for alternative in self.expand(part, wanted) {
                add(&mut found, alternative);
            }
        }
        if found.len() > self.limit { vec![Alternative::new()] } else { found }
    }
}

/// What is needed if both are; `None` if that cannot be.
fn both(left: &Alternative, right: &Alternative) -> Option<Alternative> {
    let mut joined = left.clone();
    for (field, values) in right {
        match joined.get_mut(field) {
            None => {
                joined.insert(*field, values.clone());
            }
            Some(known) => {
                if let ([Approver::Range(a, b)], [Approver::Range(from, to)]) = (&known[..], &values[..]) {
                    // Only fields that are no lists have ranges.
                    let (from, to) = ((*a).max(*from), (*b).min(*to));
                    if from > to {
                        return None;
                    }
                    *known = vec![Approver::Range(from, to)];
                } else if values.len() < known.len() {
                    // Either is needed. An event may have several values of a field, so the two are not intersected.
                    known.clone_from(values);
                }
            }
        }
    }
    Some(joined)
}

/// Adds an alternative, to one that differs in a single field if there is such a one.
fn add(found: &mut Vec<Alternative>, new: Alternative) {
    for known in &mut *found {
        if !known.keys().eq(new.keys()) {
            continue;
        }
        let mut different = known.iter().filter(|(field, values)| new.get(field) != Some(*values));
        match (different.next(), different.next()) {
            (None, _) => return,
            (Some((field, _)), None) => {
                let field = *field;
                if let (Some(known), Some(values)) = (known.get_mut(&field), new.get(&field)) {
                    known.extend(values.iter().cloned());
                    known.sort_unstable();
                    known.dedup();
                }
                return;
            }
            _ => {}
        }
    }
    found.push(new);
}
