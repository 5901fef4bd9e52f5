//! Evaluation of compiled tests against an event. Nothing here allocates, except for strings with values filled in, whose buffer is kept.

use std::cell::Cell;
use std::io::Write as _;
use std::net::IpAddr;

use crate::ir::{FieldRef, IntExpr, Length, Part, Source, TextExpr};
use crate::program::{CompiledKind, IntOperand, SimpleInt, net};
use crate::schema::{Event, Variables};
use crate::text::folded;
use crate::text::wild;
use crate::value::Kind;

/// What a test is evaluated in.
pub(crate) struct Scene<'a, E, V> {
    pub(crate) event: &'a E,
    pub(crate) variables: &'a V,
    /// Position of the element that the rule binds.
    pub(crate) at: Option<usize>,
    /// Kept between evaluations for its capacity.
    pub(crate) buffer: &'a Cell<Vec<u8>>,
}

impl<E: Event, V: Variables> Scene<'_, E, V> {
    pub(crate) fn test(&self, test: &CompiledKind) -> bool {
        match test {
            CompiledKind::Bool(source, value) => self.any_bool(source, |x| x == *value),
            CompiledKind::BoolsEqual(a, b) => self.any_bool(a, |x| self.any_bool(b, |y| x == y)),
            CompiledKind::IntIn(subject, set) => self.any_int(subject, |x| set.contains(x)),
            CompiledKind::IntCompare(a, order, b) => {
                self.any_int(a, |x| self.any_int(b, |y| order.holds(x, y)))
            }
            CompiledKind::TextIn(subject, matcher) => self.any_text(subject, |text| matcher.matches(text)),
            CompiledKind::TextsEqual(a, b, ignore_case) => self.any_text(a, |x| {
                self.any_text(b, |y| if *ignore_case { x.eq_ignore_ascii_case(y) } else { x == y })
            }),
            CompiledKind::TextLike(subject, parts, like) => self.filled(parts, |pattern| {
                self.any_text(subject, |value| wild::matches(pattern, value, like.style, like.ignore_case))
            }),
            CompiledKind::IpIn(source, nets) => self.any_ip(source, |addr| {
                let addr = net(addr);
                nets.iter().any(|net| net.matches(&addr))
            }),
            CompiledKind::IpAllIn(source, nets) => !self.any_ip(source, |addr| {
                let addr = net(addr);
                nets.iter().any(|net| !net.matches(&addr))
            }),
            CompiledKind::IpsEqual(a, b) => self.any_ip(a, |x| self.any_ip(b, |y| net(x).matches(&net(y)))),
        }
    }

    fn at(&self, field: &FieldRef) -> Option<usize> {
        if field.bound { self.at } else { None }
    }

    pub(crate) fn any_bool(&self, source: &Source, test: impl FnMut(bool) -> bool) -> bool {
        let mut test = test;
        match source {
            Source::Field(field) if field.list => self.event.any_bool(field.id, self.at(field), test),
            Source::Field(field) => test(self.event.bool(field.id)),
            Source::Variable(variable) => test(self.variables.bool(variable.id)),
        }
    }

    pub(crate) fn any_ip(&self, source: &Source, test: impl FnMut(Option<IpAddr>) -> bool) -> bool {
        let mut test = test;
        match source {
            Source::Field(field) if field.list => {
                self.event.any_ip(field.id, self.at(field), |addr| test(Some(addr)))
            }
            Source::Field(field) => test(self.event.ip(field.id)),
            Source::Variable(variable) if variable.ty.list => {
                self.variables.any_ip(variable.id, |addr| test(Some(addr)))
            }
            Source::Variable(variable) => test(self.variables.ip(variable.id)),
        }
    }

    #[inline]
    pub(crate) fn any_int(&self, operand: &IntOperand, test: impl FnMut(i64) -> bool) -> bool {
        let mut test = test;
        match operand.simple {
            Some(SimpleInt::Const(value)) => return test(value),
            Some(SimpleInt::Field(field)) => return test(self.event.int(field)),
            Some(SimpleInt::Masked(field, mask)) => return test(self.event.int(field) & mask),
            None => {}
        }
        match &operand.list {
            None => test(self.int(&operand.expr, 0)),
            Some(list) => self.any_element(list, &mut |element| test(self.int(&operand.expr, element))),
        }
    }

    /// Visits the elements of a list as integers: the values of an integer list, the lengths of strings.
    fn any_element(&self, list: &Source, test: &mut impl FnMut(i64) -> bool) -> bool {
        match (list, list.ty().kind) {
            (Source::Field(field), Kind::Str) => {
                self.event.any_str(field.id, self.at(field), |text| test(length(text)))
            }
            (Source::Field(field), _) => self.event.any_int(field.id, self.at(field), test),
            (Source::Variable(variable), Kind::Str) => {
                self.variables.any_str(variable.id, |text| test(length(text)))
            }
            (Source::Variable(variable), _) => self.variables.any_int(variable.id, test),
        }
    }

    /// The value of an expression, `element` being that of the list in it.
    fn int(&self, expr: &IntExpr, element: i64) -> i64 {
        match expr {
            IntExpr::Const(value) => *value,
            IntExpr::Source(source) if source.ty().list => element,
            IntExpr::Source(Source::Field(field)) => self.event.int(field.id),
            IntExpr::Source(Source::Variable(variable)) => self.variables.int(variable.id),
            IntExpr::Length(Length::Iterator(iterator)) => saturated(self.event.len(*iterator)),
            IntExpr::Length(Length::Variable(variable)) => saturated(self.variables.len(variable.id)),
            IntExpr::Length(Length::Text(source)) if source.ty().list => element,
            IntExpr::Length(Length::Text(Source::Field(field))) => length(self.event.str(field.id)),
            IntExpr::Length(Length::Text(Source::Variable(variable))) => {
                self.variables.with_str(variable.id, length)
            }
            IntExpr::Age(time) => self.event.now().wrapping_sub(self.int(time, element)),
            IntExpr::Neg(x) => self.int(x, element).wrapping_neg(),
            IntExpr::BitNot(x) => !self.int(x, element),
            IntExpr::Bits(op, x, y) => op.apply(self.int(x, element), self.int(y, element)),
            IntExpr::Sum(op, x, y) => op.apply(self.int(x, element), self.int(y, element)),
        }
    }

    pub(crate) fn any_text(&self, expr: &TextExpr, test: impl FnMut(&[u8]) -> bool) -> bool {
        let mut test = test;
        match expr {
            TextExpr::Source(source) => self.any_string(source, test),
            TextExpr::RootDomain(source) => {
                self.any_string(source, |name| folded(name, |name| test(root_domain(name))))
            }
            TextExpr::Template(parts) => self.filled(parts, test),
        }
    }

    pub(crate) fn any_string(&self, source: &Source, test: impl FnMut(&[u8]) -> bool) -> bool {
        let mut test = test;
        match source {
            Source::Field(field) => {
                let own = if field.list {
                    self.event.any_str(field.id, self.at(field), &mut test)
                } else {
                    test(self.event.str(field.id))
                };
                own || (field.alternatives && self.event.any_alternative(field.id, self.at(field), test))
            }
            Source::Variable(variable) if variable.ty.list => self.variables.any_str(variable.id, test),
            Source::Variable(variable) => self.variables.with_str(variable.id, test),
        }
    }

    /// Calls `read` with a string with its values filled in.
    pub(crate) fn filled<R>(&self, parts: &[Part], read: impl FnOnce(&[u8]) -> R) -> R {
        let mut buffer = self.buffer.take();
        buffer.clear();
        for part in parts {
            match part {
                Part::Text(text) => buffer.extend_from_slice(text),
                Part::Int(expr) => self.fill_int(expr, &mut buffer),
                Part::Value(source) => self.fill(source, &mut buffer),
            }
        }
        let result = read(&buffer);
        self.buffer.set(buffer);
        result
    }

    fn fill_int(&self, expr: &IntExpr, out: &mut Vec<u8>) {
        let mut first = true;
        let mut write = |value| {
            separate(out, &mut first);
            // Writing to memory cannot fail.
            drop(write!(out, "{value}"));
            false
        };
        // What is almost always filled in is one plain number; anything else has to be copied.
        match expr {
            IntExpr::Source(source) if !source.ty().list => {
                write(self.int(expr, 0));
            }
            _ => {
                self.any_int(&IntOperand::new(expr), write);
            }
        }
    }

    fn fill(&self, source: &Source, out: &mut Vec<u8>) {
        let mut first = true;
        match source.ty().kind {
            Kind::Int => self.fill_int(&IntExpr::Source(*source), out),
            Kind::Bool => {
                self.any_bool(source, |value| {
                    separate(out, &mut first);
                    drop(write!(out, "{value}"));
                    false
                });
            }
            Kind::Ip => {
                self.any_ip(source, |addr| {
                    separate(out, &mut first);
                    drop(write!(out, "{}", net(addr)));
                    false
                });
            }
            Kind::Str => {
                // The value itself, without the alternatives it also matches with.
                let own = match source {
                    Source::Field(field) => Source::Field(FieldRef { alternatives: false, ..*field }),
                    variable @ Source::Variable(_) => *variable,
                };
                self.any_string(&own, |text| {
                    separate(out, &mut first);
                    out.extend_from_slice(text);
                    false
                });
            }
        }
    }
}

fn separate(out: &mut Vec<u8>, first: &mut bool) {
    if !std::mem::take(first) {
        out.push(b',');
    }
}

fn length(text: &[u8]) -> i64 {
    saturated(text.len())
}

fn saturated(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// The registrable domain of a host name in lower case; empty if it has none.
pub(crate) fn root_domain(name: &[u8]) -> &[u8] {
    psl::domain(name).map_or(&[], |domain| domain.as_bytes())
}
