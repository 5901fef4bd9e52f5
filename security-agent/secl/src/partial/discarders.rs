//! Values of one field that refute rules.

use crate::compiler::{BOUND_ELEMENTS, Rule, Scratch};
use crate::eval::Scene;
use crate::ir::{Cond, IntExpr, Part, Source, Test, TextExpr};
use crate::program::{CompiledTest, Node};
use crate::schema::{Event, FieldId, NoVariables};

/// Whether the event's value of `field` alone makes every one of the rules false, whatever its other values. To be asked for the rules of
/// one event type; rules that approvers let through by another field are to be left out by the caller.
#[must_use]
pub fn is_discarder<'r, E: Event>(
    rules: impl IntoIterator<Item = &'r Rule>,
    field: FieldId,
    event: &E,
) -> bool {
    rules.into_iter().all(|rule| cannot_match(rule, field, event))
}

/// Whether the event's value of `field` alone makes the rule false. Only that field of the event is read.
#[must_use]
pub fn cannot_match<E: Event>(rule: &Rule, field: FieldId, event: &E) -> bool {
    let program = rule.program();
    let scratch = Scratch::default();
    let refuted = |at| {
        let scene = Scene { event, variables: &NoVariables, at, buffer: &scratch.buffer };
        result(&rule.cond, &program.node, &program.tests, field, &scene) == Some(false)
    };
    let mut bound_field = false;
    rule.cond.each_test(&mut |test| {
        test.each_source(&mut |source| {
            bound_field |= matches!(source, Source::Field(f) if f.bound && f.id == field);
        });
    });
    match rule.register {
        // The number of elements is known from the values of a field that each of them has.
        Some(iterator) if bound_field => {
            (0..event.len(iterator).min(BOUND_ELEMENTS)).all(|at| refuted(Some(at)))
        }
        _ => refuted(None),
    }
}

/// The result of a condition, if it can be told from one field.
fn result<E: Event>(
    cond: &Cond,
    node: &Node,
    tests: &[CompiledTest],
    field: FieldId,
    scene: &Scene<'_, E, NoVariables>,
) -> Option<bool> {
    match (cond, node) {
        (Cond::Const(value), _) => Some(*value),
        (Cond::Test(test, _), Node::Test(number)) => {
            reads_only(test, field).then(|| scene.test(&tests[*number as usize].kind))
        }
        (Cond::Not(inner), Node::Not(node)) => result(inner, node, tests, field, scene).map(|value| !value),
        (Cond::All(conds), Node::All(nodes)) => joined(conds, nodes, false, tests, field, scene),
        (Cond::Any(conds), Node::Any(nodes)) => joined(conds, nodes, true, tests, field, scene),
        // The two have the same shape.
        _ => None,
    }
}

/// `decisive` is the result of a part that is the result of the whole.
fn joined<E: Event>(
    conds: &[Cond],
    nodes: &[Node],
    decisive: bool,
    tests: &[CompiledTest],
    field: FieldId,
    scene: &Scene<'_, E, NoVariables>,
) -> Option<bool> {
    let mut all_known = true;
    for (cond, node) in conds.iter().zip(nodes) {
        match result(cond, node, tests, field, scene) {
            Some(value) if value == decisive => return Some(decisive),
            Some(_) => {}
            None => all_known = false,
        }
    }
    all_known.then_some(!decisive)
}

/// Whether a test depends on this field and on nothing else: no other field, no variable, no clock.
fn reads_only(test: &Test, field: FieldId) -> bool {
    let mut only = true;
    test.each_source(&mut |source| only &= matches!(source, Source::Field(f) if f.id == field));
    only && match test {
        Test::IntIn(subject, _) => !subject.reads_more_than_sources(),
        Test::IntCompare(a, _, b) => !a.reads_more_than_sources() && !b.reads_more_than_sources(),
        Test::TextsEqual(a, b, _) => !text_reads_more(a) && !text_reads_more(b),
        Test::TextIn(subject, _) => !text_reads_more(subject),
        Test::TextLike(subject, parts, _) => !text_reads_more(subject) && !parts.iter().any(part_reads_more),
        _ => true,
    }
}

fn text_reads_more(expr: &TextExpr) -> bool {
    matches!(expr, TextExpr::Template(parts) if parts.iter().any(part_reads_more))
}

fn part_reads_more(part: &Part) -> bool {
    matches!(part, Part::Int(expr) if IntExpr::reads_more_than_sources(expr))
}
