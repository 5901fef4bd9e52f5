//! The meaning of expressions, spelled out slowly: a direct interpreter of syntax trees.
//!
//! It shares nothing with the compiler but the parser, reads all values before it compares any, and never takes a short cut, so that it can
//! serve as the oracle of tests: what it says and what a compiled rule says has to agree.

mod text;

use crate::ast::{CompareOp, Expr, ExprKind, LogicOp, Name, UnaryOp};
use crate::compiler::{BOUND_ELEMENTS, Compiler};
use crate::ir::Style;
use crate::schema::{Event, Field, IteratorId, Matching, Variables};
use crate::value::{IpNet, Kind, Value};

/// Why an expression cannot be interpreted. Expressions that compile can.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InterpretError(String);

/// Whether the event satisfies the condition.
///
/// # Errors
/// The expression makes no sense, for example compares an integer with a string. Not everything the compiler refuses is found.
pub fn interpret<E: Event, V: Variables>(
    compiler: &Compiler<'_>,
    expr: &Expr,
    event: &E,
    variables: &V,
) -> Result<bool, InterpretError> {
    let run = |at| Interpreter { compiler, event, variables, at }.condition(expr);
    match run(None) {
        Ok(result) => Ok(result),
        Err(Stop::Error(message)) => Err(InterpretError(message)),
        Err(Stop::Binds(iterator)) => {
            // One element has to satisfy the whole expression.
            for at in 0..event.len(iterator).min(BOUND_ELEMENTS) {
                match run(Some(at)) {
                    Ok(true) => return Ok(true),
                    Ok(false) => {}
                    Err(Stop::Error(message)) => return Err(InterpretError(message)),
                    Err(Stop::Binds(_)) => return Err(InterpretError("a second element is bound".into())),
                }
            }
            Ok(false)
        }
    }
}

enum Stop {
    /// An element of this iterator has to be chosen first.
    Binds(IteratorId),
    Error(String),
}

fn error<T>(message: impl Into<String>) -> Result<T, Stop> {
    Err(Stop::Error(message.into()))
}

/// The values of an operand: one, or those of a list.
#[derive(Debug, Clone)]
enum Values {
    Bools(Vec<bool>),
    /// Integers; whether they were written as they stand, and whether as a duration or computed by `+` and `-`.
    Ints {
        values: Vec<i64>,
        constant: bool,
        duration: bool,
        computed: bool,
    },
    Texts {
        values: Vec<Vec<u8>>,
        matching: Matching,
    },
    Pattern(Vec<u8>),
    Regex(String),
    Ips(Vec<IpNet>),
    List(Vec<Self>),
}

struct Interpreter<'a, E, V> {
    compiler: &'a Compiler<'a>,
    event: &'a E,
    variables: &'a V,
    at: Option<usize>,
}

impl<E: Event, V: Variables> Interpreter<'_, E, V> {
    fn condition(&self, expr: &Expr) -> Result<bool, Stop> {
        match self.values(expr)? {
            Values::Bools(values) => Ok(values.contains(&true)),
            _ => error("not a condition"),
        }
    }

    fn ints(&self, expr: &Expr) -> Result<(Vec<i64>, bool), Stop> {
        match self.values(expr)? {
            Values::Ints { values, constant, .. } => Ok((values, constant)),
            _ => error("not an integer"),
        }
    }

    fn values(&self, expr: &Expr) -> Result<Values, Stop> {
        let plain = |values, constant| Values::Ints { values, constant, duration: false, computed: false };
        Ok(match &expr.kind {
            ExprKind::Logic(first, rest) => {
                let mut operands = vec![self.condition(first)?];
                for (_, operand) in rest {
                    operands.push(self.condition(operand)?);
                }
                // `a && b || c` is `a && (b || c)`.
                let mut result = operands.pop().unwrap_or_default();
                for ((op, _), operand) in rest.iter().rev().zip(operands.into_iter().rev()) {
                    result = match op {
                        LogicOp::And => operand && result,
                        LogicOp::Or => operand || result,
                    };
                }
                Values::Bools(vec![result])
            }
            ExprKind::Compare(op, left, right) => {
                let (l, r) = (self.values(left)?, self.values(right)?);
                let (op, negated) = op.negated().map_or((*op, false), |positive| (positive, true));
                Values::Bools(vec![self.compare(op, l, r)? != negated])
            }
            ExprKind::Sum(first, rest) => {
                let (mut sums, mut constant) = self.ints(first)?;
                for (op, operand) in rest {
                    let (operands, also) = self.ints(operand)?;
                    sums = pairs(&sums, &operands, |a, b| op.apply(a, b));
                    constant &= also;
                }
                Values::Ints { values: sums, constant, duration: false, computed: true }
            }
            ExprKind::Bits(first, rest) => {
                let mut operands = vec![self.ints(first)?];
                for (_, operand) in rest {
                    operands.push(self.ints(operand)?);
                }
                let (mut bits, mut constant) = operands.pop().unwrap_or_default();
                for ((op, _), (operand, also)) in rest.iter().rev().zip(operands.into_iter().rev()) {
                    bits = pairs(&operand, &bits, |a, b| op.apply(a, b));
                    constant &= also;
                }
                plain(bits, constant)
            }
            ExprKind::Unary(UnaryOp::Not, inner) => Values::Bools(vec![!self.condition(inner)?]),
            ExprKind::Unary(UnaryOp::Neg, inner) => {
                let (values, constant) = self.ints(inner)?;
                plain(values.into_iter().map(i64::wrapping_neg).collect(), constant)
            }
            ExprKind::Unary(UnaryOp::BitNot, inner) => {
                let (values, constant) = self.ints(inner)?;
                plain(values.into_iter().map(|x| !x).collect(), constant)
            }
            ExprKind::Int(value) => plain(vec![*value], true),
            ExprKind::Duration(value) => {
                Values::Ints { values: vec![*value], constant: true, duration: true, computed: false }
            }
            ExprKind::Str(text) => {
                Values::Texts { values: vec![self.filled(text)?], matching: Matching::Plain }
            }
            ExprKind::Pattern(text) => Values::Pattern(self.filled(text)?),
            ExprKind::Regex(text) => Values::Regex(text.clone()),
            ExprKind::Ip(net) => Values::Ips(vec![*net]),
            ExprKind::Name(name) => self.name(name)?,
            ExprKind::Variable(name) => self.variable(name)?,
            ExprKind::FieldValue(name) => self.field(name, None)?,
            ExprKind::List(members) => {
                let mut values = Vec::new();
                for member in members {
                    match self.values(member)? {
                        Values::List(inner) => values.extend(inner),
                        other => values.push(other),
                    }
                }
                Values::List(values)
            }
        })
    }

    fn name(&self, name: &Name) -> Result<Values, Stop> {
        if let Some(index) = &name.index {
            let Some(iterator) = self.compiler.schema.iterator(&index.iterator) else {
                return error("not an iterator");
            };
            let at = self.at.ok_or(Stop::Binds(iterator))?;
            return self.field(&name.path, Some(at));
        }
        if let "true" | "false" = name.path.as_str() {
            return Ok(Values::Bools(vec![name.path == "true"]));
        }
        if let Some(value) = self.compiler.schema.constant(&name.path) {
            return Ok(constant(value));
        }
        match self.compiler.macros.get(&name.path) {
            Some(body) => self.values(body),
            None => self.field(&name.path, None),
        }
    }

    fn field(&self, path: &str, at: Option<usize>) -> Result<Values, Stop> {
        let schema = self.compiler.schema;
        if let Some(field) = schema.field(path) {
            return Ok(self.read(&field, at, true));
        }
        if let Some(base) = path.strip_suffix(".length") {
            if let Some(iterator) = schema.iterator(base) {
                return Ok(computed_ints(vec![count(self.event.len(iterator))]));
            }
            if let Some(field) = schema.field(base)
                && let Values::Texts { values, .. } = self.read(&field, at, false)
            {
                return Ok(computed_ints(values.iter().map(|text| count(text.len())).collect()));
            }
        }
        if let Some(field) = path.strip_suffix(".root_domain").and_then(|base| schema.field(base))
            && let Values::Texts { values, .. } = self.read(&field, at, true)
        {
            let domain = |name: &Vec<u8>| crate::eval::root_domain(&name.to_ascii_lowercase()).to_vec();
            return Ok(Values::Texts {
                values: values.iter().map(domain).collect(),
                matching: Matching::CaseInsensitive,
            });
        }
        error(format!("unknown name {path}"))
    }

    fn read(&self, field: &Field, at: Option<usize>, alternatives: bool) -> Values {
        let event = self.event;
        match field.kind {
            Kind::Bool => {
                let mut values = Vec::new();
                if field.list {
                    event.any_bool(field.id, at, |value| keep(&mut values, value));
                } else {
                    values.push(event.bool(field.id));
                }
                Values::Bools(values)
            }
            Kind::Int => {
                let mut values = Vec::new();
                if field.list {
                    event.any_int(field.id, at, |value| keep(&mut values, value));
                } else {
                    values.push(event.int(field.id));
                }
                computed_ints(values)
            }
            Kind::Str => {
                let mut values = Vec::new();
                if field.list {
                    event.any_str(field.id, at, |value| keep(&mut values, value.to_vec()));
                } else {
                    values.push(event.str(field.id).to_vec());
                }
                if alternatives && field.alternatives {
                    event.any_alternative(field.id, at, |value| keep(&mut values, value.to_vec()));
                }
                Values::Texts { values, matching: field.matching }
            }
            Kind::Ip => {
                let mut values = Vec::new();
                if field.list {
                    event.any_ip(field.id, at, |value| keep(&mut values, value.into()));
                } else {
                    values.push(event.ip(field.id).map_or(IpNet::UNSPECIFIED, IpNet::from));
                }
                Values::Ips(values)
            }
        }
    }

    fn variable(&self, name: &str) -> Result<Values, Stop> {
        let names = self.compiler.variables;
        let length_of = name.strip_suffix(".length").filter(|_| names.variable(name).is_none());
        let Some(variable) = names.variable(length_of.unwrap_or(name)) else {
            return self.field(name, None);
        };
        let mut ints = Vec::new();
        let mut texts: Vec<Vec<u8>> = Vec::new();
        let mut ips = Vec::new();
        let read = self.variables;
        match (variable.ty.kind, variable.ty.list) {
            (Kind::Bool, _) => return Ok(Values::Bools(vec![read.bool(variable.id)])),
            (Kind::Int, false) => ints.push(read.int(variable.id)),
            (Kind::Int, true) => drop(read.any_int(variable.id, |value| keep(&mut ints, value))),
            (Kind::Str, false) => texts.push(read.with_str(variable.id, <[u8]>::to_vec)),
            (Kind::Str, true) => drop(read.any_str(variable.id, |value| keep(&mut texts, value.to_vec()))),
            (Kind::Ip, false) => ips.push(read.ip(variable.id).map_or(IpNet::UNSPECIFIED, IpNet::from)),
            (Kind::Ip, true) => drop(read.any_ip(variable.id, |value| keep(&mut ips, value.into()))),
        }
        if length_of.is_some() {
            let length = match variable.ty.list {
                true => read.len(variable.id),
                false => texts.first().map_or(0, Vec::len),
            };
            return Ok(computed_ints(vec![count(length)]));
        }
        Ok(match variable.ty.kind {
            Kind::Int => computed_ints(ints),
            Kind::Str => Values::Texts { values: texts, matching: Matching::Plain },
            Kind::Ip | Kind::Bool => Values::Ips(ips),
        })
    }

    /// Text with its `${…}` and `%{…}` replaced by their values.
    fn filled(&self, text: &[u8]) -> Result<Vec<u8>, Stop> {
        let mut out = Vec::new();
        let mut rest = text;
        while let Some(b) = rest.first() {
            let Some((name, is_field, used)) = text::placeholder(rest) else {
                out.push(*b);
                rest = &rest[1..];
                continue;
            };
            rest = &rest[used..];
            let values = if is_field { self.own(name)? } else { self.variable_or_own(name)? };
            let texts: Vec<Vec<u8>> = match values {
                Values::Bools(values) => values.iter().map(|x| x.to_string().into_bytes()).collect(),
                Values::Ints { values, .. } => values.iter().map(|x| x.to_string().into_bytes()).collect(),
                Values::Texts { values, .. } => values,
                Values::Ips(values) => values.iter().map(|x| x.to_string().into_bytes()).collect(),
                _ => return error("cannot be filled in"),
            };
            out.extend(texts.join(&b','));
        }
        Ok(out)
    }

    fn variable_or_own(&self, name: &str) -> Result<Values, Stop> {
        let names = self.compiler.variables;
        let known = names.variable(name).is_some()
            || name.strip_suffix(".length").is_some_and(|base| names.variable(base).is_some());
        if known { self.variable(name) } else { self.own(name) }
    }

    /// A field without its alternatives.
    fn own(&self, path: &str) -> Result<Values, Stop> {
        match self.compiler.schema.field(path) {
            Some(field) => Ok(self.read(&field, None, false)),
            None => self.field(path, None),
        }
    }

    fn compare(&self, op: CompareOp, l: Values, r: Values) -> Result<bool, Stop> {
        match op {
            CompareOp::Eq => equal(&l, &r),
            CompareOp::In => match (l, r) {
                (l, Values::List(members)) => {
                    let mut result = false;
                    for member in &members {
                        result |= equal(&l, member)?;
                    }
                    Ok(result)
                }
                (l, r) => equal(&l, &r),
            },
            CompareOp::AllIn => {
                let Values::Ips(addresses) = l else { return error("allin needs IPs") };
                let mut nets = Vec::new();
                for member in if let Values::List(members) = r { members } else { vec![r] } {
                    let Values::Ips(member) = member else { return error("allin needs nets") };
                    nets.extend(member);
                }
                Ok(addresses.iter().all(|addr| nets.iter().all(|net| net.matches(addr))))
            }
            CompareOp::Matches => match (l, r) {
                (l @ Values::Texts { .. }, Values::Texts { values, .. }) => {
                    let pattern = values.into_iter().next().unwrap_or_default();
                    equal(&l, &Values::Pattern(pattern))
                }
                (l, r) => equal(&l, &r),
            },
            _ => self.ordered(op, &l, &r),
        }
    }

    fn ordered(&self, op: CompareOp, l: &Values, r: &Values) -> Result<bool, Stop> {
        let (l, r) = aged(l, r, self.event.now());
        let (Values::Ints { values: a, .. }, Values::Ints { values: b, .. }) = (l, r) else {
            return error("only integers have an order");
        };
        let holds = |a: &i64, b: &i64| match op {
            CompareOp::Less => a < b,
            CompareOp::LessEq => a <= b,
            CompareOp::Greater => a > b,
            _ => a >= b,
        };
        Ok(a.iter().any(|a| b.iter().any(|b| holds(a, b))))
    }
}

/// Whether any value on the left equals, or is matched by, any on the right.
fn equal(l: &Values, r: &Values) -> Result<bool, Stop> {
    Ok(match (l, r) {
        (Values::Bools(a), Values::Bools(b)) => a.iter().any(|x| b.contains(x)),
        (Values::Ints { values: a, .. }, Values::Ints { values: b, .. }) => a.iter().any(|x| b.contains(x)),
        (Values::Texts { values: a, matching: m }, Values::Texts { values: b, matching: n }) => {
            let fold = [m, n].contains(&&Matching::CaseInsensitive);
            a.iter().any(|x| b.iter().any(|y| if fold { x.eq_ignore_ascii_case(y) } else { x == y }))
        }
        (Values::Texts { values, matching }, Values::Pattern(pattern))
        | (Values::Pattern(pattern), Values::Texts { values, matching }) => {
            let style = if *matching == Matching::Path { Style::Path } else { Style::Plain };
            let fold = *matching == Matching::CaseInsensitive;
            values.iter().any(|value| {
                if fold {
                    text::matches(&pattern.to_ascii_lowercase(), &value.to_ascii_lowercase(), style)
                } else {
                    text::matches(pattern, value, style)
                }
            })
        }
        (Values::Texts { values, matching }, Values::Regex(regex))
        | (Values::Regex(regex), Values::Texts { values, matching }) => {
            let fold = *matching == Matching::CaseInsensitive;
            let Ok(regex) = crate::text::regexp::compile(regex, fold, 10 << 20) else {
                return error("bad regular expression");
            };
            values.iter().any(|value| regex.is_match(value))
        }
        (Values::Ips(a), Values::Ips(b)) => a.iter().any(|x| b.iter().any(|y| x.matches(y))),
        _ => return error("types differ"),
    })
}

/// Comparison with a duration is one of ages, unless the other side is constant or computed.
fn aged(l: &Values, r: &Values, now: i64) -> (Values, Values) {
    let age = |value: &Values, other: &Values| match (value, other) {
        (
            Values::Ints { values, constant: false, computed: false, .. },
            Values::Ints { duration: true, .. },
        ) => computed_ints(values.iter().map(|time| now.wrapping_sub(*time)).collect()),
        (value, _) => value.clone(),
    };
    (age(l, r), age(r, l))
}

fn constant(value: Value) -> Values {
    let ints = |values| Values::Ints { values, constant: true, duration: false, computed: false };
    let text = |value| Values::Texts { values: vec![value], matching: Matching::Plain };
    match value {
        Value::Int(x) => ints(vec![x]),
        Value::Bool(x) => Values::Bools(vec![x]),
        Value::Str(x) => text(x),
        Value::Ip(x) => Values::Ips(vec![x]),
        Value::Ints(xs) => Values::List(xs.into_iter().map(|x| ints(vec![x])).collect()),
        Value::Bools(xs) => Values::List(xs.into_iter().map(|x| Values::Bools(vec![x])).collect()),
        Value::Strs(xs) => Values::List(xs.into_iter().map(text).collect()),
        Value::Ips(xs) => Values::List(xs.into_iter().map(|x| Values::Ips(vec![x])).collect()),
    }
}

fn computed_ints(values: Vec<i64>) -> Values {
    Values::Ints { values, constant: false, duration: false, computed: false }
}

fn pairs(a: &[i64], b: &[i64], join: impl Fn(i64, i64) -> i64) -> Vec<i64> {
    a.iter().flat_map(|x| b.iter().map(|y| join(*x, *y)).collect::<Vec<_>>()).collect()
}

fn keep<T>(values: &mut Vec<T>, value: T) -> bool {
    values.push(value);
    false
}

fn count(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}
