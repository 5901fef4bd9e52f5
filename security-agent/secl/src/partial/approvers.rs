//! Values of which an event needs one for any rule to be true.

use std::collections::BTreeMap;
use std::fmt;

use crate::ast::BitOp;
use crate::compiler::Rule;
use crate::ir::{Cond, IntExpr, Order, Source, Style, Test, TextExpr};
use crate::schema::FieldId;

/// A value of a field that has to be let through.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Approver {
    /// This integer.
    Int(i64),
    /// This boolean.
    Bool(bool),
    /// This text. Fields with alternatives are to be compared by all of them, case-insensitive ones without regard to case.
    Text(Vec<u8>),
    /// Text that this pattern or, on paths, glob matches.
    Pattern(Vec<u8>),
    /// Integers with any of these bits.
    Mask(i64),
    /// Integers from the first to the last.
    Range(i64, i64),
}

/// Which kinds of approver a field's filter can judge.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Kinds {
    /// Equal values.
    pub scalar: bool,
    /// Plain patterns.
    pub pattern: bool,
    /// Globs on paths.
    pub glob: bool,
    /// Bits.
    pub bitmask: bool,
    /// Ranges of integers.
    pub range: bool,
}

/// A field that can be filtered by.
pub struct Filterable<'a> {
    /// The field.
    pub field: FieldId,
    /// What its filter can judge.
    pub kinds: Kinds,
    /// Fields with more weight are preferred, as they are more selective or cheaper.
    pub weight: u32,
    /// Least and greatest value the field can have, for ranges.
    pub bounds: (i64, i64),
    /// Whether the filter can hold this value.
    pub accepts: &'a dyn Fn(&Approver) -> bool,
}

impl fmt::Debug for Filterable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Filterable")
            .field("field", &self.field)
            .field("kinds", &self.kinds)
            .finish_non_exhaustive()
    }
}

/// What has to be let through for a set of rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approvers {
    /// By field, sorted. An event may match only if one value of one field is approved.
    pub values: BTreeMap<FieldId, Vec<Approver>>,
    /// For each rule the fields its approvers are of; empty for rules that are never true.
    pub by_rule: Vec<Vec<FieldId>>,
}

/// What has to be let through for these rules, which have to be about one event type. `None` if everything has: a rule may match whatever
/// the filterable fields are, or there is nothing to approve.
#[must_use]
pub fn approvers<'r>(
    rules: impl IntoIterator<Item = &'r Rule>,
    filterable: &[Filterable<'_>],
) -> Option<Approvers> {
    let finder = Finder { filterable };
    let mut result = Approvers { values: BTreeMap::new(), by_rule: Vec::new() };
    for rule in rules {
        match finder.needs(&rule.cond, true) {
            Needs::Nothing => return None,
            Needs::Never => result.by_rule.push(Vec::new()),
            Needs::OneOf(values) => {
                result.by_rule.push(values.keys().copied().collect());
                for (field, values) in values {
                    result.values.entry(field).or_default().extend(values);
                }
            }
        }
    }
    for values in result.values.values_mut() {
        values.sort_unstable();
        values.dedup();
    }
    (!result.values.is_empty()).then_some(result)
}

/// What a condition needs to be true.
pub(super) enum Needs {
    /// Nothing that a filter could judge.
    Nothing,
    /// One of these values.
    OneOf(BTreeMap<FieldId, Vec<Approver>>),
    /// It cannot be true.
    Never,
}

pub(super) struct Finder<'a> {
    pub(super) filterable: &'a [Filterable<'a>],
}

impl Finder<'_> {
    /// What `cond` needs to have the result `wanted`.
    fn needs(&self, cond: &Cond, wanted: bool) -> Needs {
        match cond {
            Cond::Const(value) if *value == wanted => Needs::Nothing,
            Cond::Const(_) => Needs::Never,
            Cond::Not(inner) => self.needs(inner, !wanted),
            Cond::Test(test, _) => self.test(test, wanted),
            Cond::All(parts) if wanted => self.all(parts, wanted),
            Cond::Any(parts) if !wanted => self.all(parts, wanted),
            Cond::All(parts) | Cond::Any(parts) => self.any(parts, wanted),
        }
    }

    /// All parts need to have the result: what the best of them needs is enough to know.
    fn all(&self, parts: &[Cond], wanted: bool) -> Needs {
        let mut best: Option<BTreeMap<FieldId, Vec<Approver>>> = None;
        let mut candidates = Vec::new();
        for part in parts {
            match self.needs(part, wanted) {
                Needs::Never => return Needs::Never,
                Needs::Nothing => {}
                Needs::OneOf(values) => candidates.push(values),
            }
        }
        intersect_ranges(&mut candidates);
        for values in candidates {
            if values.values().all(Vec::is_empty) {
                return Needs::Never;
            }
            if best.as_ref().is_none_or(|best| self.rank(&values) > self.rank(best)) {
                best = Some(values);
            }
        }
        best.map_or(Needs::Nothing, Needs::OneOf)
    }

    /// Heavier fields first, then fewer values.
    fn rank(&self, values: &BTreeMap<FieldId, Vec<Approver>>) -> (u32, std::cmp::Reverse<usize>) {
        let weight = values.keys().filter_map(|field| self.filter(*field)).map(|filter| filter.weight).min();
        (weight.unwrap_or(0), std::cmp::Reverse(values.values().map(Vec::len).sum()))
    }

    /// One part needs to have the result.
    fn any(&self, parts: &[Cond], wanted: bool) -> Needs {
        let mut joined: Option<BTreeMap<FieldId, Vec<Approver>>> = None;
        for part in parts {
            match self.needs(part, wanted) {
                Needs::Never => {}
                Needs::Nothing => return Needs::Nothing,
                Needs::OneOf(values) => {
                    let joined = joined.get_or_insert_default();
                    for (field, values) in values {
                        joined.entry(field).or_default().extend(values);
                    }
                }
            }
        }
        joined.map_or(Needs::Never, Needs::OneOf)
    }

    fn filter(&self, field: FieldId) -> Option<&Filterable<'_>> {
        self.filterable.iter().find(|filter| filter.field == field)
    }

    pub(super) fn test(&self, test: &Test, wanted: bool) -> Needs {
        let Some((field, approvers)) = self.approvers(test, wanted) else { return Needs::Nothing };
        if approvers.is_empty() {
            return Needs::Never;
        }
        let Some(filter) = self.filter(field) else { return Needs::Nothing };
        if approvers.iter().all(|approver| (filter.accepts)(approver)) {
            Needs::OneOf(BTreeMap::from([(field, approvers)]))
        } else {
            Needs::Nothing
        }
    }

    /// The values for which a test has the result `wanted`, or more; `None` if that cannot be told or judged.
    fn approvers(&self, test: &Test, wanted: bool) -> Option<(FieldId, Vec<Approver>)> {
        match test {
            Test::TextIn(TextExpr::Source(Source::Field(field)), set) if wanted && set.regexes.is_empty() => {
                let kinds = self.filter(field.id)?.kinds;
                let patterns = if set.style == Style::Path { kinds.glob } else { kinds.pattern };
                if (!set.literals.is_empty() && !kinds.scalar) || (!set.patterns.is_empty() && !patterns) {
                    return None;
                }
                let literals = set.literals.iter().cloned().map(Approver::Text);
                let patterns = set.patterns.iter().cloned().map(Approver::Pattern);
                Some((field.id, literals.chain(patterns).collect()))
            }
            Test::Bool(Source::Field(field), value) if wanted || !field.list => self
                .filter(field.id)?
                .kinds
                .scalar
                .then(|| (field.id, vec![Approver::Bool(*value == wanted)])),
            Test::IntIn(subject, values) => match subject {
                IntExpr::Source(Source::Field(field)) if wanted => {
                    let values = values.iter().copied().map(Approver::Int).collect();
                    self.filter(field.id)?.kinds.scalar.then_some((field.id, values))
                }
                _ => self.mask_equal(subject, values, wanted),
            },
            Test::IntCompare(subject, order, IntExpr::Const(bound)) => match subject {
                // Ranges of one field are intersected, which would be wrong for different elements of a list.
                IntExpr::Source(Source::Field(field)) if !field.list => {
                    self.range(field.id, *order, *bound, wanted)
                }
                // Some bit is set if the result exceeds a number that is not negative.
                _ if wanted && matches!((order, bound), (Order::Greater, 0..) | (Order::GreaterEq, 1..)) => {
                    let (field, mask) = masked(subject)?;
                    self.filter(field)?.kinds.bitmask.then(|| (field, vec![Approver::Mask(mask)]))
                }
                _ => None,
            },
            _ => None,
        }
    }

    /// `field & mask == value`, or not.
    fn mask_equal(
        &self,
        subject: &IntExpr,
        values: &[i64],
        wanted: bool,
    ) -> Option<(FieldId, Vec<Approver>)> {
        let (field, mask) = masked(subject)?;
        if !self.filter(field)?.kinds.bitmask {
            return None;
        }
        if !wanted {
            let list = subject.list().is_some();
            return (values == [0] && !list).then(|| (field, vec![Approver::Mask(mask)]));
        }
        // Values with bits outside of the mask are never equal.
        let possible: Vec<i64> = values.iter().copied().filter(|value| value & !mask == 0).collect();
        (!possible.contains(&0)).then(|| (field, possible.into_iter().map(Approver::Mask).collect()))
    }

    fn range(
        &self,
        field: FieldId,
        order: Order,
        bound: i64,
        wanted: bool,
    ) -> Option<(FieldId, Vec<Approver>)> {
        let filter = self.filter(field)?;
        if !filter.kinds.range {
            return None;
        }
        let (least, greatest) = filter.bounds;
        let order = match (order, wanted) {
            (order, true) => order,
            (Order::Less, false) => Order::GreaterEq,
            (Order::LessEq, false) => Order::Greater,
            (Order::Greater, false) => Order::LessEq,
            (Order::GreaterEq, false) => Order::Less,
            (Order::Equal, false) => return None,
        };
        let (from, to) = match order {
            Order::Equal => (bound, bound),
            Order::Less => (least, bound.checked_sub(1)?),
            Order::LessEq => (least, bound),
            Order::Greater => (bound.checked_add(1)?, greatest),
            Order::GreaterEq => (bound, greatest),
        };
        let (from, to) = (from.max(least), to.min(greatest));
        Some((field, if from <= to { vec![Approver::Range(from, to)] } else { Vec::new() }))
    }
}

/// The field and mask of `field & mask`.
fn masked(expr: &IntExpr) -> Option<(FieldId, i64)> {
    match expr {
        IntExpr::Bits(BitOp::And, x, mask) => match (&**x, &**mask) {
            (IntExpr::Source(Source::Field(field)), IntExpr::Const(mask)) => Some((field.id, *mask)),
            _ => None,
        },
        _ => None,
    }
}

/// Joins ranges of one field that all have to hold into one.
fn intersect_ranges(candidates: &mut Vec<BTreeMap<FieldId, Vec<Approver>>>) {
    let mut ranges: BTreeMap<FieldId, (i64, i64)> = BTreeMap::new();
    candidates.retain(|values| {
        let mut fields = values.iter();
        if let (Some((field, list)), None) = (fields.next(), fields.next())
            && let [Approver::Range(from, to)] = list[..]
        {
            let range = ranges.entry(*field).or_insert((from, to));
            *range = (range.0.max(from), range.1.min(to));
            return false;
        }
        true
    });
    candidates.extend(ranges.into_iter().map(|(field, (from, to))| {
        let values = if from <= to { vec![Approver::Range(from, to)] } else { Vec::new() };
        BTreeMap::from([(field, values)])
    }));
}
