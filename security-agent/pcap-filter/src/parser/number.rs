//! Arithmetic.

use super::Parser;
use crate::ast::{Expr, Layer, Number, Operator, Order, Test};
use crate::error::Error;
use crate::eval::apply;
use crate::lexer::Kind;
use crate::names;

/// Operators in one comparison; keeps what is evaluated recursively shallow.
const OPERATORS: usize = 48;

/// Operators by rank, the loosest first.
const RANKS: [&[(&str, Operator)]; 4] = [
    &[("|", Operator::Or), ("^", Operator::Xor)],
    &[("&", Operator::And)],
    &[("<<", Operator::Left), (">>", Operator::Right)],
    &[("+", Operator::Add), ("-", Operator::Subtract)],
];
const TIGHTEST: &[(&str, Operator)] =
    &[("*", Operator::Multiply), ("/", Operator::Divide), ("%", Operator::Remainder)];

const ORDERS: [(&str, Order); 6] = [
    ("=", Order::Equal),
    ("!=", Order::NotEqual),
    ("<", Order::Less),
    ("<=", Order::LessEqual),
    (">", Order::Greater),
    (">=", Order::GreaterEqual),
];

/// Whether a sign behind a number belongs to the arithmetic.
pub(super) fn continues(sign: &str) -> bool {
    ORDERS.iter().any(|(known, _)| *known == sign)
        || RANKS.iter().copied().flatten().chain(TIGHTEST).any(|(known, _)| *known == sign)
}

impl Parser<'_> {
    /// Two numbers that compare.
    pub(super) fn comparison(&mut self) -> Result<Expr, Error> {
        let left = self.number()?;
        let order = self.peek_sign().and_then(|sign| ORDERS.iter().find(|(known, _)| *known == sign));
        let Some((_, order)) = order else { return Err(self.missing("a comparison")) };
        self.at += 1;
        let right = self.number()?;
        Ok(Expr::Test(Test::Compare(left, *order, right), self.tags))
    }

    pub(super) fn number(&mut self) -> Result<Number, Error> {
        let from = self.at;
        let number = self.rank(0)?;
        let operators = self.tokens.get(from..self.at).unwrap_or_default().iter();
        let count =
            operators.filter(|token| matches!(&token.kind, Kind::Sign(sign) if continues(sign))).count();
        if count > OPERATORS {
            let message = format!("more than {OPERATORS} operators in one number");
            return Err(Error::new(self.since(from), message));
        }
        Ok(number)
    }

    fn rank(&mut self, rank: usize) -> Result<Number, Error> {
        let operators = RANKS.get(rank).copied().unwrap_or(TIGHTEST);
        let mut left = if rank < RANKS.len() { self.rank(rank + 1)? } else { self.factor()? };
        while let Some((_, operator)) =
            self.peek_sign().and_then(|sign| operators.iter().find(|(known, _)| *known == sign))
        {
            self.at += 1;
            let from = self.at;
            let right = if rank < RANKS.len() { self.rank(rank + 1)? } else { self.factor()? };
            left = match (&left, &right) {
                (Number::Constant(a), Number::Constant(b)) => match apply(*a, *operator, *b) {
                    Some(value) => Number::Constant(value),
                    None => return Err(Error::new(self.since(from), "this divides by zero")),
                },
                (_, Number::Constant(0)) if matches!(operator, Operator::Divide | Operator::Remainder) => {
                    return Err(Error::new(self.since(from), "this divides by zero"));
                }
                _ => Number::Combine(Box::new(left), *operator, Box::new(right)),
            };
        }
        Ok(left)
    }

    fn factor(&mut self) -> Result<Number, Error> {
        if self.eat_sign("-") {
            return Ok(match self.deeper(Self::factor)? {
                Number::Constant(value) => Number::Constant(value.wrapping_neg()),
                number => Number::Minus(Box::new(number)),
            });
        }
        if self.eat_sign("(") {
            let number = self.deeper(|parser| parser.rank(0))?;
            return if self.eat_sign(")") { Ok(number) } else { Err(self.missing("`)`")) };
        }
        match self.peek_kind() {
            Some(Kind::Number(value)) => {
                self.at += 1;
                Ok(Number::Constant(*value))
            }
            Some(Kind::Word { text, escaped: false }) => {
                if text == "len" {
                    self.at += 1;
                    return Ok(Number::Length);
                }
                if let Some(value) = names::look_up(names::CONSTANTS, text) {
                    self.at += 1;
                    return Ok(Number::Constant(value));
                }
                self.load(text)
            }
            _ => Err(self.missing("a number")),
        }
    }

    /// `proto[offset:size]`
    fn load(&mut self, protocol: &str) -> Result<Number, Error> {
        let Some(layer) = layer(protocol) else {
            let names = names::CONSTANTS.iter().map(|(name, _)| *name).chain(ACCESSED);
            let mut error = Error::new(self.here(), format!("`{protocol}` is not a number"));
            error.help = suggest::did_you_mean(protocol, names);
            return Err(error);
        };
        self.at += 1;
        if !self.eat_sign("[") {
            return Err(self.missing("`[`"));
        }
        let offset = self.deeper(|parser| parser.rank(0))?;
        let mut size = 1;
        if self.eat_sign(":") {
            let here = self.here();
            size = match self.peek_kind() {
                Some(Kind::Number(size @ (1 | 2 | 4))) => u8::try_from(*size).unwrap_or(1),
                _ => return Err(Error::new(here, "the size of what is read is 1, 2 or 4 bytes")),
            };
            self.at += 1;
        }
        if !self.eat_sign("]") {
            return Err(self.missing("`]`"));
        }
        Ok(Number::Load { layer, offset: Box::new(offset), size, tags: self.tags })
    }
}

/// The protocols whose bytes can be read.
pub(super) const ACCESSED: [&str; 17] = [
    "ether", "link", "ip", "ip6", "arp", "rarp", "tcp", "udp", "icmp", "icmp6", "igmp", "igrp", "pim",
    "sctp", "vrrp", "carp", "len",
];

fn layer(protocol: &str) -> Option<Layer> {
    Some(match protocol {
        "ether" | "link" => Layer::Link,
        "ip" | "ip6" | "arp" | "rarp" => Layer::Network(names::look_up(names::ETHER_TYPES, protocol)?),
        "icmp6" => Layer::Icmp6,
        "tcp" | "udp" | "icmp" | "igmp" | "igrp" | "pim" | "sctp" | "vrrp" | "carp" => {
            Layer::Transport4(names::look_up(names::PROTOCOLS, protocol)?)
        }
        _ => return None,
    })
}
