//! Comparisons of every pair of types.

use super::Checker;
use super::operand::{IntShape, Literal, LiteralKind, Operand, Subject};
use crate::ast::{BitOp, CompareOp, Expr};
use crate::code::Code;
use crate::diagnostic::Diagnostic;
use crate::ir::{Cond, IntExpr, Order, Source, Test, TextExpr};
use crate::schema::Matching;
use crate::span::Span;
use crate::value::IpNet;

/// A comparison being checked.
#[derive(Clone, Copy)]
pub(super) struct At<'e> {
    pub op: CompareOp,
    pub left: &'e Expr,
    pub right: &'e Expr,
    /// Of the whole comparison.
    pub span: Span,
}

impl Checker<'_> {
    pub(super) fn compare(
        &mut self,
        op: CompareOp,
        left: &Expr,
        right: &Expr,
        span: Span,
    ) -> Option<Operand> {
        let (l, r) = (self.operand(left), self.operand(right));
        let (l, r) = (l?, r?);
        // Negated forms are true if no element matches, so the negation is around the whole test.
        let (positive, negated) = op.negated().map_or((op, false), |positive| (positive, true));
        let constant = matches!(
            l,
            Operand::Net(_)
                | Operand::Literal(_)
                | Operand::Int(IntExpr::Const(_), _)
                | Operand::Cond(Cond::Const(_), _)
        );
        let at = At { op: positive, left, right, span };
        let cond = match positive {
            CompareOp::In => self.contained(l, r, at),
            CompareOp::AllIn => self.all_contained(l, r, at),
            CompareOp::Matches => self.matches(l, r, at),
            CompareOp::Less => self.ordered(l, Order::Less, r, at),
            CompareOp::LessEq => self.ordered(l, Order::LessEq, r, at),
            CompareOp::Greater => self.ordered(l, Order::Greater, r, at),
            CompareOp::GreaterEq => self.ordered(l, Order::GreaterEq, r, at),
            _ => self.equal(l, r, at),
        }?;
        if cond == Cond::Const(false) && !negated && !constant {
            let found = Diagnostic::warning(Code::NeverTrue, span, "this never holds, whatever the event");
            self.report::<()>(found);
        }
        Some(Operand::Cond(if negated { cond.negate() } else { cond }, None))
    }

    fn mismatch<T>(&mut self, l: &Operand, r: &Operand, at: At<'_>) -> Option<T> {
        let message =
            format!("`{}` cannot be applied to {} and {}", at.op.symbol(), l.describe(), r.describe());
        self.error(Code::TypeMismatch, at.span, message)
    }

    fn test(&self, test: Test, at: At<'_>) -> Cond {
        Cond::Test(test, self.use_site.unwrap_or(at.span))
    }

    fn equal(&mut self, l: Operand, r: Operand, at: At<'_>) -> Option<Cond> {
        match (l, r) {
            (l @ Operand::Int(..), r @ Operand::Int(..)) => self.ordered(l, Order::Equal, r, at),
            (Operand::Cond(a, a_source), Operand::Cond(b, b_source)) => {
                Some(self.same_truth((a, a_source), (b, b_source), at))
            }
            (Operand::Text(a), Operand::Text(b)) => {
                Some(self.texts_equal(a.expr, b.expr, &[a.matching, b.matching], at))
            }
            (Operand::Text(subject), Operand::Literal(literal)) => {
                self.text_in(&subject, vec![(literal, at.right.span)], false, at)
            }
            (Operand::Literal(literal), Operand::Text(subject)) => {
                self.text_in(&subject, vec![(literal, at.left.span)], false, at)
            }
            (Operand::Literal(a), Operand::Literal(b)) => self.literals(a, b, false, at),
            (Operand::Ip(a), Operand::Ip(b)) => Some(self.test(Test::IpsEqual(a, b), at)),
            (Operand::Ip(source), Operand::Net(net)) | (Operand::Net(net), Operand::Ip(source)) => {
                Some(self.test(Test::IpIn(source, vec![net]), at))
            }
            (Operand::Net(a), Operand::Net(b)) => Some(Cond::Const(a.matches(&b))),
            (l, r @ Operand::List(_)) | (l @ Operand::List(_), r) => {
                let message = format!("`{}` compares with one value", at.op.symbol());
                let found = Diagnostic::error(Code::UnexpectedList, at.span, message)
                    .with_help("use `in` or `not in` with a list");
                if matches!((&l, &r), (Operand::List(_), Operand::List(_))) {
                    return self.mismatch(&l, &r, at);
                }
                self.report(found)
            }
            (l, r) => self.mismatch(&l, &r, at),
        }
    }

    fn same_truth(
        &self,
        (a, a_source): (Cond, Option<Source>),
        (b, b_source): (Cond, Option<Source>),
        at: At<'_>,
    ) -> Cond {
        match (a, a_source, b, b_source) {
            (Cond::Const(a), _, Cond::Const(b), _) => Cond::Const(a == b),
            (_, Some(source), Cond::Const(value), _) | (Cond::Const(value), _, _, Some(source)) => {
                self.test(Test::Bool(source, value), at)
            }
            (cond, None, Cond::Const(value), _) | (Cond::Const(value), _, cond, None) => {
                if value {
                    cond
                } else {
                    cond.negate()
                }
            }
            (_, Some(a), _, Some(b)) => self.test(Test::BoolsEqual(a, b), at),
            (cond, None, _, Some(source)) | (_, Some(source), cond, None) => {
                let one = |value| self.test(Test::Bool(source, value), at);
                let opposite = cond.clone().negate();
                Cond::any(vec![Cond::all(vec![cond, one(true)]), Cond::all(vec![opposite, one(false)])])
            }
            (a, None, b, None) => {
                let neither = Cond::all(vec![a.clone().negate(), b.clone().negate()]);
                Cond::any(vec![Cond::all(vec![a, b]), neither])
            }
        }
    }

    fn ordered(&mut self, l: Operand, order: Order, r: Operand, at: At<'_>) -> Option<Cond> {
        let (Operand::Int(a, a_shape), Operand::Int(b, b_shape)) = (&l, &r) else {
            return self.mismatch(&l, &r, at);
        };
        let (mut a, mut b) = (a.clone(), b.clone());
        // A field compared with a duration is compared by age; the result of arithmetic is not.
        let ages = |x: &IntExpr, shape| shape == IntShape::Plain && !matches!(x, IntExpr::Const(_));
        if *b_shape == IntShape::Duration && ages(&a, *a_shape) {
            a = IntExpr::Age(Box::new(a));
        } else if *a_shape == IntShape::Duration && ages(&b, *b_shape) {
            b = IntExpr::Age(Box::new(b));
        }
        let (a, order, b) = match (a, b) {
            (IntExpr::Const(a), IntExpr::Const(b)) => return Some(Cond::Const(order.holds(a, b))),
            (a @ IntExpr::Const(_), b) => (b, order.mirrored(), a),
            (a, b) => (a, order, b),
        };
        let test = match (order, b) {
            (_, IntExpr::Const(b)) if never(&a, order, b) => return Some(Cond::Const(false)),
            (Order::Equal, IntExpr::Const(b)) => Test::IntIn(a, vec![b]),
            (order, b) => Test::IntCompare(a, order, b),
        };
        Some(self.test(test, at))
    }

    fn matches(&mut self, l: Operand, r: Operand, at: At<'_>) -> Option<Cond> {
        match (l, r) {
            (Operand::Text(subject), Operand::Literal(literal)) => {
                self.text_in(&subject, vec![(literal, at.right.span)], true, at)
            }
            (Operand::Literal(a), Operand::Literal(b)) => self.literals(a, b, true, at),
            (l, r) => self.mismatch(&l, &r, at),
        }
    }

    /// Two literals. One is text, the other says what it is compared with.
    fn literals(&mut self, a: Literal, b: Literal, as_pattern: bool, at: At<'_>) -> Option<Cond> {
        let swap = a.kind != LiteralKind::Plain;
        let ((value, _), (wanted, wanted_at)) = if swap {
            ((b, at.right.span), (a, at.left.span))
        } else {
            ((a, at.left.span), (b, at.right.span))
        };
        if value.kind != LiteralKind::Plain || (swap && as_pattern) {
            return self.error(Code::TypeMismatch, at.span, "a pattern can be compared with text only");
        }
        let dynamic = value.template.is_some();
        let parts = value.template.unwrap_or_else(|| vec![crate::ir::Part::Text(value.text.clone())]);
        let subject =
            Subject { expr: TextExpr::Template(parts), matching: Matching::Plain, max_literal: None };
        let constant = !dynamic && wanted.template.is_none();
        let cond = self.text_in(&subject, vec![(wanted, wanted_at)], as_pattern, at)?;
        match cond {
            Cond::Test(Test::TextIn(_, set), _) if constant => {
                let matcher = crate::text::matcher::TextMatcher::new(&set, self.compiler.limits.regex_bytes);
                Some(Cond::Const(matcher.matches(&value.text)))
            }
            cond => Some(cond),
        }
    }

    fn texts_equal(&self, a: TextExpr, b: TextExpr, matching: &[Matching], at: At<'_>) -> Cond {
        let ignore_case = matching.contains(&Matching::CaseInsensitive);
        self.test(Test::TextsEqual(a, b, ignore_case), at)
    }

    /// `l in r`.
    fn contained(&mut self, l: Operand, r: Operand, at: At<'_>) -> Option<Cond> {
        match (l, r) {
            (l, Operand::List(members)) => self.in_list(l, members, at),
            (l @ (Operand::Ip(_) | Operand::Net(_)), r @ Operand::Net(_)) => self.equal(l, r, at),
            (l, r) if r.is_list() => self.equal(l, r, at),
            (l, r) => {
                let message = format!(
                    "the right side of `{}` has to be a list, found {}",
                    at.op.symbol(),
                    r.describe()
                );
                let found = Diagnostic::error(Code::NotAList, at.right.span, message);
                let help = match l {
                    Operand::Text(_) | Operand::Literal(_) | Operand::Int(..) => {
                        "write `[ … ]`, or compare with `==`"
                    }
                    _ => "write `[ … ]`",
                };
                self.report(found.with_help(help))
            }
        }
    }

    fn in_list(&mut self, l: Operand, members: Vec<(Operand, Span)>, at: At<'_>) -> Option<Cond> {
        match l {
            Operand::Text(subject) => {
                let literals = self.members(members, "a string", |member| match member {
                    Operand::Literal(literal) => Ok(literal),
                    other => Err(other.describe()),
                })?;
                self.text_in(&subject, literals, false, at)
            }
            Operand::Int(subject, _) => {
                let values = self.members(members, "an int constant", |member| match member {
                    Operand::Int(IntExpr::Const(value), _) => Ok(value),
                    Operand::Int(..) => Err("one that depends on the event".into()),
                    other => Err(other.describe()),
                })?;
                let mut values: Vec<i64> = values.into_iter().map(|(value, _)| value).collect();
                values.sort_unstable();
                values.dedup();
                Some(match subject {
                    IntExpr::Const(value) => Cond::Const(values.contains(&value)),
                    subject => self.test(Test::IntIn(subject, values), at),
                })
            }
            Operand::Ip(source) => {
                let nets = self.nets(members)?;
                Some(self.test(Test::IpIn(source, nets), at))
            }
            Operand::Net(net) => {
                let nets = self.nets(members)?;
                Some(Cond::Const(nets.iter().any(|other| other.matches(&net))))
            }
            // Constants and conditions: equal to one of the members.
            l @ (Operand::Cond(..) | Operand::Literal(_)) => {
                let mut conds = Vec::with_capacity(members.len());
                for (member, _) in members {
                    conds.push(self.equal(l.clone(), member, at));
                }
                Some(Cond::any(conds.into_iter().collect::<Option<_>>()?))
            }
            l @ Operand::List(_) => {
                let message = format!("the left side of `{}` cannot be a {}", at.op.symbol(), l.describe());
                self.error(Code::UnexpectedList, at.left.span, message)
            }
        }
    }

    /// `l allin r`.
    fn all_contained(&mut self, l: Operand, r: Operand, at: At<'_>) -> Option<Cond> {
        let nets = match r {
            Operand::List(members) => self.nets(members)?,
            Operand::Net(net) => vec![net],
            r => return self.mismatch(&l, &r, at),
        };
        match l {
            Operand::Ip(source) => Some(self.test(Test::IpAllIn(source, nets), at)),
            Operand::Net(net) => Some(Cond::Const(nets.iter().all(|other| other.matches(&net)))),
            l => {
                let message = format!("`allin` needs IPs on its left, found {}", l.describe());
                self.error(Code::TypeMismatch, at.left.span, message)
            }
        }
    }

    fn nets(&mut self, members: Vec<(Operand, Span)>) -> Option<Vec<IpNet>> {
        let nets = self.members(members, "an IP address or network", |member| match member {
            Operand::Net(net) => Ok(net),
            other => Err(other.describe()),
        })?;
        let mut nets: Vec<_> = nets.into_iter().map(|(net, _)| net).collect();
        nets.sort_unstable();
        nets.dedup();
        Some(nets)
    }

    /// The members of a list, which all have to be of one type. Every one that is not is reported.
    fn members<T>(
        &mut self,
        members: Vec<(Operand, Span)>,
        wanted: &str,
        read: impl Fn(Operand) -> Result<T, String>,
    ) -> Option<Vec<(T, Span)>> {
        let count = members.len();
        let mut good = Vec::with_capacity(count);
        for (member, span) in members {
            match read(member) {
                Ok(value) => good.push((value, span)),
                Err(other) => {
                    self.error::<()>(Code::TypeMismatch, span, format!("expected {wanted}, found {other}"));
                }
            }
        }
        (good.len() == count).then_some(good)
    }
}

/// Whether a bit test cannot hold: bits are asked for that the mask has not got.
fn never(a: &IntExpr, order: Order, b: i64) -> bool {
    match (a, order) {
        (IntExpr::Bits(BitOp::And, _, mask), Order::Equal) => {
            matches!(**mask, IntExpr::Const(mask) if b & !mask != 0)
        }
        // `x & 0` is folded to 0 before it gets here.
        _ => false,
    }
}

/// `a op b`, with the constant, if any, on the right.
pub(super) fn bits(op: BitOp, a: IntExpr, b: IntExpr) -> IntExpr {
    match (a, b) {
        (IntExpr::Const(a), IntExpr::Const(b)) => IntExpr::Const(op.apply(a, b)),
        (a @ IntExpr::Const(_), b) => bits(op, b, a),
        (a, IntExpr::Const(0)) if op == BitOp::And && a.list().is_none() => IntExpr::Const(0),
        (a, b) => IntExpr::Bits(op, Box::new(a), Box::new(b)),
    }
}

pub(super) fn negated(x: IntExpr) -> IntExpr {
    match x {
        IntExpr::Const(x) => IntExpr::Const(x.wrapping_neg()),
        x => IntExpr::Neg(Box::new(x)),
    }
}

pub(super) fn flipped(x: IntExpr) -> IntExpr {
    match x {
        IntExpr::Const(x) => IntExpr::Const(!x),
        x => IntExpr::BitNot(Box::new(x)),
    }
}
