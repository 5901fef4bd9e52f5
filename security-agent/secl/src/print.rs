//! Syntax trees back to text. Parsing the text gives the same tree.

use std::fmt::{self, Display, Formatter, Write as _};

use crate::ast::{Expr, ExprKind, Name, UnaryOp};

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.kind {
            ExprKind::Logic(first, rest) => {
                operand(f, first, Rank::Compare)?;
                rest.iter().try_for_each(|(op, e)| {
                    write!(f, " {} ", op.symbol())?;
                    operand(f, e, Rank::Compare)
                })
            }
            ExprKind::Compare(op, left, right) => {
                operand(f, left, Rank::Sum)?;
                write!(f, " {} ", op.symbol())?;
                // Comparisons without parentheses nest to the right, except behind an operator that takes a list.
                operand(f, right, if op.takes_list() { Rank::Sum } else { Rank::Compare })
            }
            ExprKind::Sum(first, rest) => {
                operand(f, first, Rank::Bits)?;
                rest.iter().try_for_each(|(op, e)| {
                    write!(f, " {} ", op.symbol())?;
                    operand(f, e, Rank::Bits)
                })
            }
            ExprKind::Bits(first, rest) => {
                operand(f, first, Rank::Unary)?;
                rest.iter().try_for_each(|(op, e)| {
                    write!(f, " {} ", op.symbol())?;
                    operand(f, e, Rank::Unary)
                })
            }
            ExprKind::Unary(op, inner) => {
                f.write_str(match op {
                    UnaryOp::Not => "!",
                    UnaryOp::Neg => "-",
                    UnaryOp::BitNot => "^",
                })?;
                // `-5` is a literal, so the negation of one needs parentheses to stay a negation.
                let literal = *op == UnaryOp::Neg && matches!(inner.kind, ExprKind::Int(_));
                operand(f, inner, if literal { Rank::Never } else { Rank::Unary })
            }
            ExprKind::Int(value) => write!(f, "{value}"),
            ExprKind::Duration(ns) => duration(f, *ns),
            ExprKind::Str(text) => quoted(f, text),
            ExprKind::Pattern(text) => {
                write!(f, "~\"{}\"", String::from_utf8_lossy(text).replace('"', "\\\""))
            }
            ExprKind::Regex(text) => write!(f, "r\"{text}\""),
            ExprKind::Ip(net) => write!(f, "{net}"),
            ExprKind::Name(name) => write!(f, "{name}"),
            ExprKind::Variable(name) => write!(f, "${{{name}}}"),
            ExprKind::FieldValue(name) => write!(f, "%{{{name}}}"),
            ExprKind::List(members) => {
                f.write_char('[')?;
                for (i, member) in members.iter().enumerate() {
                    write!(f, "{}{member}", if i == 0 { "" } else { ", " })?;
                }
                f.write_char(']')
            }
        }
    }
}

/// How tightly a kind of expression binds.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Logic,
    Compare,
    Sum,
    Bits,
    Unary,
    Never,
}

fn operand(f: &mut Formatter<'_>, e: &Expr, least: Rank) -> fmt::Result {
    let rank = match e.kind {
        ExprKind::Logic(..) => Rank::Logic,
        ExprKind::Compare(..) => Rank::Compare,
        ExprKind::Sum(..) => Rank::Sum,
        ExprKind::Bits(..) => Rank::Bits,
        _ => Rank::Unary,
    };
    if rank < least { write!(f, "({e})") } else { write!(f, "{e}") }
}

impl Display for Name {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.index {
            Some(index) => {
                let rest = self.path.strip_prefix(index.iterator.as_str()).unwrap_or("");
                write!(f, "{}[{}]{rest}", index.iterator, index.register)
            }
            None => f.write_str(&self.path),
        }
    }
}

fn duration(f: &mut Formatter<'_>, ns: i64) -> fmt::Result {
    for (unit, scale) in [("h", 3_600_000_000_000), ("m", 60_000_000_000), ("s", 1_000_000_000)] {
        if ns % scale == 0 {
            return write!(f, "{}{unit}", ns / scale);
        }
    }
    write!(f, "{}ms", ns / 1_000_000)
}

/// A string literal; what is not printable is escaped.
fn quoted(f: &mut Formatter<'_>, text: &[u8]) -> fmt::Result {
    f.write_char('"')?;
    for chunk in text.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '"' | '\\' => write!(f, "\\{c}")?,
                '\n' => f.write_str("\\n")?,
                c if c.is_ascii_control() => write!(f, "\\x{:02x}", u32::from(c))?,
                c => f.write_char(c)?,
            }
        }
        for b in chunk.invalid() {
            write!(f, "\\x{b:02x}")?;
        }
    }
    f.write_char('"')
}
