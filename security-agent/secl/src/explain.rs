//! Why a rule matched: the tests that decided, and the values they saw.

use crate::compiler::{Rule, Scratch, read};
use crate::eval::Scene;
use crate::ir::{Cond, FieldRef, Source, Test, TextExpr};
use crate::program::{CompiledKind, CompiledTest, Node, net};
use crate::schema::{Event, Variables};
use crate::span::Span;
use crate::value::Value;

/// Elements of a list shown at most.
const SHOWN: usize = 16;

/// A test that decided, with what it saw.
#[derive(Debug, Clone, PartialEq)]
pub struct Reason {
    /// The part of the rule's text.
    pub span: Span,
    /// Whether the test had to hold, or had to fail (`!=`, `not in`, within `!(…)`).
    pub held: bool,
    /// Fields, by the name the rule uses, and variables, as `${name}`. Of a list field that a test held for one element of, that element.
    pub values: Vec<(String, Value)>,
}

impl Rule {
    /// Why the event satisfies the rule; `None` if it does not. Every `&&` shows all of its parts, every `||` the first that holds.
    pub fn explain<E: Event, V: Variables>(
        &self,
        event: &E,
        variables: &V,
        scratch: &mut Scratch,
    ) -> Option<Vec<Reason>> {
        let at = self.matching_element(event, variables, scratch)?;
        let scene = Scene { event, variables, at, buffer: &scratch.buffer };
        let program = self.program();
        let mut explainer = Explainer { rule: self, tests: &program.tests, scene, reasons: Vec::new() };
        explainer.decide(&self.cond, &program.node, true);
        Some(explainer.reasons)
    }
}

struct Explainer<'a, E, V> {
    rule: &'a Rule,
    tests: &'a [CompiledTest],
    scene: Scene<'a, E, V>,
    reasons: Vec<Reason>,
}

impl<E: Event, V: Variables> Explainer<'_, E, V> {
    /// Collects the reasons for which `cond` has the result it has, which is `result`.
    fn decide(&mut self, cond: &Cond, node: &Node, result: bool) {
        match (cond, node) {
            (Cond::Test(test, span), Node::Test(number)) => {
                if let Some(compiled) = self.tests.get(*number as usize) {
                    let values = self.values(test, &compiled.kind, result);
                    self.reasons.push(Reason { span: *span, held: result, values });
                }
            }
            (Cond::Not(inner), Node::Not(node)) => self.decide(inner, node, !result),
            (Cond::All(conds), Node::All(nodes)) | (Cond::Any(conds), Node::Any(nodes)) => {
                let all_decide = matches!(cond, Cond::All(_)) == result;
                for (cond, node) in conds.iter().zip(nodes) {
                    if all_decide {
                        self.decide(cond, node, result);
                    } else if self.holds(node) == result {
                        return self.decide(cond, node, result);
                    }
                }
            }
            _ => {}
        }
    }

    fn holds(&self, node: &Node) -> bool {
        node.holds(&mut |number| self.scene.test(&self.tests[number as usize].kind))
    }

    fn values(&self, test: &Test, compiled: &CompiledKind, held: bool) -> Vec<(String, Value)> {
        let mut values: Vec<(String, Value)> = Vec::new();
        test.each_source(&mut |source| {
            let name = self.source_name(source);
            if !values.iter().any(|(known, _)| *known == name) {
                let deciding = if held { self.deciding(compiled) } else { None };
                values.push((name, deciding.unwrap_or_else(|| read(&self.scene, source, SHOWN))));
            }
        });
        values
    }

    /// The value a test of one source held for: an element of a list, or another value that the field matches with.
    fn deciding(&self, test: &CompiledKind) -> Option<Value> {
        let mut value = None;
        match test {
            CompiledKind::TextIn(subject @ TextExpr::Source(_), matcher) => {
                self.scene.any_text(subject, |text| {
                    let matches = matcher.matches(text);
                    value = matches.then(|| Value::Str(text.to_vec()));
                    matches
                });
            }
            CompiledKind::IntIn(subject, set) if subject.list.is_some() => {
                self.scene.any_int(subject, |x| {
                    let matches = set.contains(x);
                    value = matches.then_some(Value::Int(x));
                    matches
                });
            }
            CompiledKind::IpIn(source, nets) if source.ty().list => {
                self.scene.any_ip(source, |addr| {
                    let addr = net(addr);
                    let matches = nets.iter().any(|net| net.matches(&addr));
                    value = matches.then_some(Value::Ip(addr));
                    matches
                });
            }
            _ => {}
        }
        value
    }

    fn source_name(&self, source: &Source) -> String {
        match source {
            Source::Field(FieldRef { id, .. }) => self.rule.field_name(*id).unwrap_or("").to_owned(),
            Source::Variable(variable) => {
                let name =
                    self.rule.variables().find(|(id, _)| *id == variable.id).map_or("", |(_, name)| name);
                format!("${{{name}}}")
            }
        }
    }
}
