//! Tests of one subject that stand next to each other become one: `args =~ "a*" || args =~ "b*"` reads and searches `args` once.
//!
//! Rules that are evaluated alone keep their tests apart, as explanations tell which of them decided.

use crate::ir::{Cond, IntExpr, Test, TextExpr};
use crate::text::index::Style;
use crate::text::matcher::TextSet;

/// The condition with the tests merged that can be.
pub(super) fn merged(cond: &Cond) -> Cond {
    match cond {
        Cond::Const(_) | Cond::Test(..) => cond.clone(),
        Cond::Not(inner) => Cond::Not(Box::new(merged(inner))),
        Cond::Any(parts) => {
            let parts = joined(parts.iter().map(merged).map(|part| (part, true)));
            Cond::any(parts.into_iter().map(|(part, _)| part).collect())
        }
        // That neither holds is that not one of both holds.
        Cond::All(parts) => {
            let parts = parts.iter().map(|part| match merged(part) {
                Cond::Not(inner) => (*inner, true),
                part => (part, false),
            });
            let parts = joined(parts).into_iter();
            Cond::all(
                parts.map(|(part, denied)| if denied { Cond::Not(Box::new(part)) } else { part }).collect(),
            )
        }
    }
}

/// What is looked for, and in what.
#[derive(PartialEq)]
enum Subject<'c> {
    Text(&'c TextExpr, Style, bool),
    Int(&'c IntExpr),
}

fn subject(cond: &Cond) -> Option<Subject<'_>> {
    match cond {
        Cond::Test(Test::TextIn(text, set), _) => Some(Subject::Text(text, set.style, set.ignore_case)),
        Cond::Test(Test::IntIn(int, _), _) => Some(Subject::Int(int)),
        _ => None,
    }
}

/// Longer conditions are left alone: every part is compared with those before it.
const PARTS: usize = 200;

/// Joins tests of the same subject among those parts that are marked.
fn joined(parts: impl ExactSizeIterator<Item = (Cond, bool)>) -> Vec<(Cond, bool)> {
    if parts.len() > PARTS {
        return parts.collect();
    }
    let mut kept: Vec<(Cond, bool)> = Vec::new();
    for (part, may) in parts {
        let same = subject(&part).filter(|_| may).and_then(|wanted| {
            kept.iter()
                .position(|(other, may)| *may && subject(other).is_some_and(|subject| subject == wanted))
        });
        match same.and_then(|at| kept.get_mut(at)) {
            Some((Cond::Test(into, _), _)) => {
                if let Cond::Test(test, _) = part {
                    add(into, test);
                }
            }
            _ => kept.push((part, may)),
        }
    }
    kept
}

fn add(into: &mut Test, test: Test) {
    match (into, test) {
        (Test::TextIn(_, into), Test::TextIn(_, set)) => {
            let TextSet { literals, patterns, regexes, .. } = set;
            into.literals.extend(literals);
            into.patterns.extend(patterns);
            into.regexes.extend(regexes);
            into.normalise();
        }
        (Test::IntIn(_, into), Test::IntIn(_, values)) => {
            into.extend(values);
            into.sort_unstable();
            into.dedup();
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::{FieldRef, Source};
    use crate::schema::FieldId;
    use crate::span::Span;
    use crate::value::Kind;

    fn is(field: u16, value: i64) -> Cond {
        let (bound, list, alternatives) = (false, false, false);
        let field = FieldRef { id: FieldId(field), kind: Kind::Int, list, bound, alternatives, weight: 0 };
        Cond::Test(Test::IntIn(IntExpr::Source(Source::Field(field)), vec![value]), Span::default())
    }

    fn both(field: u16, values: [i64; 2]) -> Cond {
        let Cond::Test(Test::IntIn(subject, _), span) = is(field, 0) else { unreachable!() };
        Cond::Test(Test::IntIn(subject, values.into()), span)
    }

    #[test]
    fn tests_of_one_subject_are_joined() {
        let any = Cond::any(vec![is(0, 7), is(1, 2), is(0, 3)]);
        assert_eq!(merged(&any), Cond::any(vec![both(0, [3, 7]), is(1, 2)]));
        let none = Cond::all(vec![is(0, 7).negate(), is(0, 3).negate()]);
        assert_eq!(merged(&none), both(0, [3, 7]).negate());
        // That both hold is another thing.
        let all = Cond::all(vec![is(0, 7), is(0, 3), is(0, 1).negate()]);
        assert_eq!(merged(&all), all);
    }
}
