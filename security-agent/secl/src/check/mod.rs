//! From syntax tree to checked condition: names resolved, macros expanded, types and literals checked.
//!
//! Checking goes on after an error, so that one run finds all of them.

mod compare;
mod literal;
mod names;
mod operand;

use std::collections::BTreeMap;

use self::operand::{IntShape, Literal, LiteralKind, Operand};
use crate::ast::{Expr, ExprKind, LogicOp, UnaryOp};
use crate::code::Code;
use crate::compiler::Compiler;
use crate::diagnostic::Diagnostic;
use crate::ir::{Cond, IntExpr, Part, Source, TextExpr};
use crate::schema::{EventTypeId, FieldId, IteratorId, VariableId};
use crate::span::Span;
use crate::value::{IpNet, Kind, Type, Value};

/// What checking finds out about an expression.
pub(crate) struct Checker<'a> {
    compiler: &'a Compiler<'a>,
    pub(crate) found: Vec<Diagnostic>,
    /// Event types that fields belong to, with the first such field and its place.
    pub(crate) events: BTreeMap<EventTypeId, (String, Span)>,
    /// Fields it reads, with the names used for them.
    pub(crate) fields: BTreeMap<FieldId, (String, Span)>,
    /// Variables it reads, with their names.
    pub(crate) variables: BTreeMap<VariableId, String>,
    /// The element the rule binds.
    pub(crate) register: Option<(String, IteratorId)>,
    /// Macros being expanded, outermost first.
    expanding: Vec<String>,
    /// Where errors within a macro are reported: at its use.
    use_site: Option<Span>,
    nodes: usize,
    depth: usize,
}

/// A value that is computed rather than compared, the `expression` of an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Computed {
    Const(Value),
    Cond(Cond),
    Int(IntExpr),
    Text(TextExpr),
    Source(Source),
}

impl<'a> Checker<'a> {
    pub(crate) fn new(compiler: &'a Compiler<'a>) -> Self {
        Self {
            compiler,
            found: Vec::new(),
            events: BTreeMap::new(),
            fields: BTreeMap::new(),
            variables: BTreeMap::new(),
            register: None,
            expanding: Vec::new(),
            use_site: None,
            nodes: 0,
            depth: 0,
        }
    }

    /// Checks an expression that has to be a condition. `None` means that errors have been reported.
    pub(crate) fn condition(&mut self, expr: &Expr) -> Option<Cond> {
        match self.operand(expr)? {
            Operand::Cond(cond, _) => Some(cond),
            other => {
                let message = format!("expected a condition, found {}", other.describe());
                let mut found = Diagnostic::error(Code::NotACondition, expr.span, message);
                if matches!(other, Operand::Int(..)) {
                    found = found.with_help("compare the number with one, as in `flags & O_CREAT > 0`");
                }
                self.report(found)
            }
        }
    }

    /// Checks an expression that may have any type.
    pub(crate) fn computed(&mut self, expr: &Expr) -> Option<(Computed, Type)> {
        Some(match self.operand(expr)? {
            Operand::Cond(_, Some(source)) | Operand::Ip(source) => (Computed::Source(source), source.ty()),
            Operand::Cond(Cond::Const(value), None) => constant(Value::Bool(value)),
            Operand::Cond(cond, None) => (Computed::Cond(cond), Type::scalar(Kind::Bool)),
            Operand::Int(IntExpr::Const(value), _) => constant(Value::Int(value)),
            Operand::Int(IntExpr::Source(source), _) => (Computed::Source(source), source.ty()),
            Operand::Int(value, _) => {
                let ty = Type { kind: Kind::Int, list: value.list().is_some() };
                (Computed::Int(value), ty)
            }
            Operand::Text(subject) => match subject.expr {
                TextExpr::Source(source) => (Computed::Source(source), source.ty()),
                TextExpr::RootDomain(source) => (Computed::Text(subject.expr), source.ty()),
                TextExpr::Template(_) => (Computed::Text(subject.expr), Type::scalar(Kind::Str)),
            },
            Operand::Literal(Literal { kind: LiteralKind::Plain, text, template }) => match template {
                Some(parts) => (Computed::Text(TextExpr::Template(parts)), Type::scalar(Kind::Str)),
                None => constant(Value::Str(text)),
            },
            Operand::Net(net) => constant(Value::Ip(net)),
            Operand::List(members) => {
                let value = self.constant_list(members, expr.span)?;
                constant(value)
            }
            other @ Operand::Literal(_) => {
                let message = format!("a {} is no value", other.describe());
                return self.error(Code::TypeMismatch, expr.span, message);
            }
        })
    }

    /// Checks whatever it is, for macros.
    pub(crate) fn any(&mut self, expr: &Expr) {
        drop(self.operand(expr));
    }

    fn constant_list(&mut self, members: Vec<(Operand, Span)>, span: Span) -> Option<Value> {
        let mut value: Option<Value> = None;
        for (member, at) in members {
            let joined = match (member, value.take()) {
                (Operand::Int(IntExpr::Const(x), _), None) => Some(Value::Ints(vec![x])),
                (Operand::Int(IntExpr::Const(x), _), Some(Value::Ints(mut list))) => {
                    list.push(x);
                    Some(Value::Ints(list))
                }
                (Operand::Net(x), None) => Some(Value::Ips(vec![x])),
                (Operand::Net(x), Some(Value::Ips(mut list))) => {
                    list.push(x);
                    Some(Value::Ips(list))
                }
                (Operand::Literal(x), old) if x.kind == LiteralKind::Plain && x.template.is_none() => {
                    match old {
                        None => Some(Value::Strs(vec![x.text])),
                        Some(Value::Strs(mut list)) => {
                            list.push(x.text);
                            Some(Value::Strs(list))
                        }
                        Some(_) => None,
                    }
                }
                _ => None,
            };
            if joined.is_none() {
                return self.error(Code::TypeMismatch, at, "expected constants of one type");
            }
            value = joined;
        }
        value.or_else(|| self.error(Code::TypeMismatch, span, "the list is empty"))
    }

    /// Reports an error, at the use of the macro if inside of one. Always `None`.
    fn error<T>(&mut self, code: Code, span: Span, message: impl Into<String>) -> Option<T> {
        self.report(Diagnostic::error(code, span, message))
    }

    fn report<T>(&mut self, mut diagnostic: Diagnostic) -> Option<T> {
        if let (Some(span), Some(name)) = (self.use_site, self.expanding.last()) {
            diagnostic.span = span;
            diagnostic.message = format!("in macro `{name}`: {}", diagnostic.message);
        }
        if !self.found.contains(&diagnostic) {
            self.found.push(diagnostic);
        }
        None
    }

    fn operand(&mut self, expr: &Expr) -> Option<Operand> {
        self.nodes += 1;
        let limits = &self.compiler.limits;
        if self.nodes > limits.nodes {
            let message = format!("more than {} operands with macros expanded", limits.nodes);
            // Reported once; every further operand would report it again.
            return if self.nodes == limits.nodes + 1 {
                self.error(Code::TooLarge, expr.span, message)
            } else {
                None
            };
        }
        // Expressions themselves are bounded by the parser; this bounds macros in macros.
        if self.depth > 4 * limits.depth {
            let message = format!("more than {} levels of nesting with macros expanded", 4 * limits.depth);
            return self.error(Code::TooDeep, expr.span, message);
        }
        self.depth += 1;
        let operand = self.operand_inner(expr);
        self.depth -= 1;
        operand
    }

    fn operand_inner(&mut self, expr: &Expr) -> Option<Operand> {
        match &expr.kind {
            ExprKind::Logic(first, rest) => self.logic(first, rest),
            ExprKind::Compare(op, left, right) => self.compare(*op, left, right, expr.span),
            ExprKind::Sum(first, rest) => {
                let mut sum = self.int(first, "an int");
                for (op, operand) in rest {
                    let operand = self.int(operand, "an int");
                    sum = match (sum, operand) {
                        (Some(a), Some(b)) => self.both(a, b, expr.span, |a, b| match (a, b) {
                            (IntExpr::Const(a), IntExpr::Const(b)) => IntExpr::Const(op.apply(a, b)),
                            (a, b) => IntExpr::Sum(*op, Box::new(a), Box::new(b)),
                        }),
                        _ => None,
                    };
                }
                Some(Operand::Int(sum?, IntShape::Computed))
            }
            ExprKind::Bits(first, rest) => {
                let mut operands = vec![self.int(first, "an int")];
                operands.extend(rest.iter().map(|(_, operand)| self.int(operand, "an int")));
                let mut operands: Vec<_> = operands.into_iter().collect::<Option<_>>()?;
                let mut bits = operands.pop()?;
                for ((op, _), operand) in rest.iter().rev().zip(operands.into_iter().rev()) {
                    bits = self.both(operand, bits, expr.span, |a, b| compare::bits(*op, a, b))?;
                }
                Some(Operand::Int(bits, IntShape::Plain))
            }
            ExprKind::Unary(UnaryOp::Not, inner) => {
                let operand = self.operand(inner)?;
                let Operand::Cond(cond, _) = operand else {
                    let message = format!("`!` needs a bool, found {}", operand.describe());
                    return self.error(Code::TypeMismatch, inner.span, message);
                };
                Some(Operand::Cond(cond.negate(), None))
            }
            ExprKind::Unary(UnaryOp::Neg, inner) => {
                let x = self.int(inner, "an int")?;
                Some(Operand::Int(compare::negated(x), IntShape::Plain))
            }
            ExprKind::Unary(UnaryOp::BitNot, inner) => {
                let x = self.int(inner, "an int")?;
                Some(Operand::Int(compare::flipped(x), IntShape::Plain))
            }
            ExprKind::Int(value) => Some(Operand::Int(IntExpr::Const(*value), IntShape::Plain)),
            ExprKind::Duration(value) => Some(Operand::Int(IntExpr::Const(*value), IntShape::Duration)),
            ExprKind::Str(text) => self.text_literal(LiteralKind::Plain, text, expr.span),
            ExprKind::Pattern(text) => self.text_literal(LiteralKind::Pattern, text, expr.span),
            ExprKind::Regex(text) => Some(Operand::Literal(Literal {
                kind: LiteralKind::Regex,
                text: text.clone().into_bytes(),
                template: None,
            })),
            ExprKind::Ip(net) => Some(Operand::Net(*net)),
            ExprKind::Name(name) => self.name(name, expr.span),
            ExprKind::Variable(name) => self.variable(name, expr.span),
            ExprKind::FieldValue(name) => self.field(name, None, expr.span),
            ExprKind::List(members) => {
                let mut checked = Vec::with_capacity(members.len());
                let mut failed = false;
                for member in members {
                    match self.member(member) {
                        // A constant that is a list itself.
                        Some(Operand::List(inner)) => checked.extend(inner),
                        Some(operand) => checked.push((operand, member.span)),
                        None => failed = true,
                    }
                }
                (!failed).then_some(Operand::List(checked))
            }
        }
    }

    /// Checks a member of a list: a literal or a constant, as in the reference.
    fn member(&mut self, member: &Expr) -> Option<Operand> {
        let found = match &member.kind {
            ExprKind::List(_) => "a list cannot be a member of a list",
            ExprKind::Name(name)
                if name.index.is_none()
                    && self.compiler.schema.constant(&name.path).is_none()
                    && self.compiler.macros.get(&name.path).is_some() =>
            {
                "a macro cannot be a member of a list"
            }
            _ => return self.operand(member),
        };
        let found = Diagnostic::error(Code::UnexpectedList, member.span, found);
        self.report(found.with_help("compare with each by itself, as in `x in MACRO || x in [ … ]`"))
    }

    fn logic(&mut self, first: &Expr, rest: &[(LogicOp, Expr)]) -> Option<Operand> {
        let mut conds = vec![self.condition(first)];
        conds.extend(rest.iter().map(|(_, operand)| self.condition(operand)));
        let mut conds: Vec<_> = conds.into_iter().collect::<Option<_>>()?;
        // From the right, gathering runs of one operator.
        let mut run = vec![conds.pop()?];
        let mut run_op = None;
        for ((op, _), cond) in rest.iter().rev().zip(conds.into_iter().rev()) {
            if run_op.is_some_and(|last| last != *op) {
                run = vec![joined(run_op, run)];
            }
            run_op = Some(*op);
            run.push(cond);
        }
        Some(Operand::Cond(joined(run_op, run), None))
    }

    /// Checks an expression that has to be an integer.
    fn int(&mut self, expr: &Expr, wanted: &str) -> Option<IntExpr> {
        match self.operand(expr)? {
            Operand::Int(value, _) => Some(value),
            other => {
                let message = format!("expected {wanted}, found {}", other.describe());
                self.error(Code::TypeMismatch, expr.span, message)
            }
        }
    }

    /// Joins two integers of which one at most may be a list.
    fn both(
        &mut self,
        a: IntExpr,
        b: IntExpr,
        span: Span,
        join: impl FnOnce(IntExpr, IntExpr) -> IntExpr,
    ) -> Option<IntExpr> {
        if a.list().is_some() && b.list().is_some() {
            return self.error(Code::UnexpectedList, span, "two lists cannot be computed with");
        }
        Some(join(a, b))
    }

    fn text_literal(&mut self, kind: LiteralKind, text: &[u8], span: Span) -> Option<Operand> {
        let template = self.template(text, span)?;
        Some(Operand::Literal(Literal { kind, text: text.to_vec(), template }))
    }

    /// Splits text at the `${…}` and `%{…}` in it; `Some(None)` if there are none.
    fn template(&mut self, text: &[u8], span: Span) -> Option<Option<Vec<Part>>> {
        let mut parts = Vec::new();
        let mut plain = Vec::new();
        let mut rest = text;
        let mut failed = false;
        while let Some(b) = rest.first() {
            let Some((name, is_field, used)) = placeholder(rest) else {
                plain.push(*b);
                rest = &rest[1..];
                continue;
            };
            rest = &rest[used..];
            if !plain.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut plain)));
            }
            let operand = if is_field { self.field(name, None, span) } else { self.variable(name, span) };
            match operand {
                Some(Operand::Int(IntExpr::Source(source), _) | Operand::Ip(source)) => {
                    parts.push(Part::Value(source));
                }
                Some(Operand::Int(value, _)) => parts.push(Part::Int(value)),
                Some(Operand::Cond(_, Some(source))) => parts.push(Part::Value(source)),
                Some(Operand::Text(operand::Subject { expr: TextExpr::Source(source), .. })) => {
                    parts.push(Part::Value(source));
                }
                Some(_) => {
                    let message = format!("`{name}` cannot be filled in");
                    failed = self.error::<()>(Code::TypeMismatch, span, message).is_none();
                }
                None => failed = true,
            }
        }
        if failed {
            return None;
        }
        if parts.is_empty() {
            return Some(None);
        }
        if !plain.is_empty() {
            parts.push(Part::Text(plain));
        }
        Some(Some(parts))
    }
}

fn constant(value: Value) -> (Computed, Type) {
    let ty = value.ty();
    (Computed::Const(value), ty)
}

/// A run of operands of one operator, in reverse.
fn joined(op: Option<LogicOp>, mut run: Vec<Cond>) -> Cond {
    run.reverse();
    match op {
        Some(LogicOp::Or) => Cond::any(run),
        Some(LogicOp::And) | None => Cond::all(run),
    }
}

/// The name in a `${name}` or `%{name}` at the front of `text`, whether it is the latter, and its length. Anything else is plain text.
fn placeholder(text: &[u8]) -> Option<(&str, bool, usize)> {
    let is_field = text.starts_with(b"%{");
    if !is_field && !text.starts_with(b"${") {
        return None;
    }
    let inner = &text[2..];
    let end = inner.iter().position(|&b| !crate::lexer::is_name_byte(b))?;
    if end == 0 || inner[end] != b'}' {
        return None;
    }
    Some((std::str::from_utf8(&inner[..end]).ok()?, is_field, end + 3))
}

/// A constant as operand.
fn constant_operand(value: Value, span: Span) -> Operand {
    fn list<T>(values: Vec<T>, span: Span, make: impl Fn(T) -> Operand) -> Operand {
        Operand::List(values.into_iter().map(|value| (make(value), span)).collect())
    }
    let int = |x| Operand::Int(IntExpr::Const(x), IntShape::Plain);
    let bool = |x| Operand::Cond(Cond::Const(x), None);
    let text = |text| Operand::Literal(Literal { kind: LiteralKind::Plain, text, template: None });
    let ip = |net: IpNet| Operand::Net(net);
    match value {
        Value::Int(x) => int(x),
        Value::Bool(x) => bool(x),
        Value::Str(x) => text(x),
        Value::Ip(x) => ip(x),
        Value::Ints(xs) => list(xs, span, int),
        Value::Bools(xs) => list(xs, span, bool),
        Value::Strs(xs) => list(xs, span, text),
        Value::Ips(xs) => list(xs, span, ip),
    }
}
