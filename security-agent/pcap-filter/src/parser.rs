//! The grammar.
//!
//! `and` and `or` have the same rank and associate to the left; `not` binds to one operand. A value without qualifiers takes those of the
//! value before it: `port 80 or 443`, `src host 10.0.0.1 or (10.0.0.2 or 10.0.0.3)`.

mod number;
mod primitive;

use std::ops::Range;

use crate::ast::{Expr, Logic, Side};
use crate::error::Error;
use crate::lexer::{Kind, Token, tokens};
use crate::{DEEPEST, LONGEST};

/// What a value is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Host,
    Net,
    Port,
    PortRange,
    Protocol,
}

/// What stands before a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Qualifiers {
    /// `ip`, `tcp` …
    protocol: Option<&'static str>,
    side: Side,
    /// `None`: a host, or a net if the value is one.
    what: Option<What>,
}

/// An operand and the qualifiers that a bare value after it takes over.
type Operand = (Expr, Option<Qualifiers>);

pub(crate) fn parse(text: &str) -> Result<Expr, Error> {
    if text.len() > LONGEST {
        let message = format!("the expression has {} bytes, {LONGEST} are allowed", text.len());
        return Err(Error::new(0..text.len(), message));
    }
    let tokens = tokens(text)?;
    if tokens.is_empty() {
        return Ok(Expr::Everything);
    }
    let closing = matching(&tokens)?;
    let mut parser = Parser { tokens: &tokens, closing, at: 0, end: text.len(), depth: 0, tags: 0 };
    let (expr, _) = parser.chain(None)?;
    match parser.peek() {
        None => Ok(expr),
        Some(token) => Err(parser.unexpected(token, "`and`, `or` or the end")),
    }
}

/// For each opening parenthesis the token that closes it.
fn matching(tokens: &[Token]) -> Result<Vec<usize>, Error> {
    let mut closing = vec![usize::MAX; tokens.len()];
    let mut open = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        match token.kind {
            Kind::Sign(sign @ ("(" | "[")) => open.push((at, sign)),
            Kind::Sign(sign @ (")" | "]")) => {
                let wanted = if sign == ")" { "(" } else { "[" };
                match open.pop() {
                    Some((from, opened)) if opened == wanted => closing[from] = at,
                    _ => return Err(Error::new(token.span.clone(), format!("nothing opens this `{sign}`"))),
                }
            }
            _ => {}
        }
    }
    match open.pop() {
        Some((at, sign)) => {
            Err(Error::new(tokens[at].span.clone(), format!("this `{sign}` is never closed")))
        }
        None => Ok(closing),
    }
}

struct Parser<'t> {
    tokens: &'t [Token],
    closing: Vec<usize>,
    at: usize,
    /// Length of the text.
    end: usize,
    depth: usize,
    /// `vlan` seen so far.
    tags: u8,
}

impl<'t> Parser<'t> {
    fn peek(&self) -> Option<&'t Token> {
        self.tokens.get(self.at)
    }

    fn peek_kind(&self) -> Option<&'t Kind> {
        self.peek().map(|token| &token.kind)
    }

    /// The word that comes next, unless it is escaped.
    fn peek_word(&self) -> Option<&'t str> {
        self.word_at(self.at)
    }

    fn word_at(&self, at: usize) -> Option<&'t str> {
        match self.tokens.get(at).map(|token| &token.kind) {
            Some(Kind::Word { text, escaped: false }) => Some(text),
            _ => None,
        }
    }

    fn peek_sign(&self) -> Option<&'static str> {
        self.sign_at(self.at)
    }

    fn sign_at(&self, at: usize) -> Option<&'static str> {
        match self.tokens.get(at).map(|token| &token.kind) {
            Some(Kind::Sign(sign)) => Some(sign),
            _ => None,
        }
    }

    fn eat_word(&mut self, word: &str) -> bool {
        let found = self.peek_word() == Some(word);
        self.at += usize::from(found);
        found
    }

    fn eat_sign(&mut self, sign: &str) -> bool {
        let found = self.peek_sign() == Some(sign);
        self.at += usize::from(found);
        found
    }

    /// Place of the next token, or behind the last.
    fn here(&self) -> Range<usize> {
        self.peek().map_or(self.end..self.end, |token| token.span.clone())
    }

    /// From a token on up to the last one taken.
    fn since(&self, from: usize) -> Range<usize> {
        let start = self.tokens.get(from).map_or(self.end, |token| token.span.start);
        let end =
            self.at.checked_sub(1).and_then(|at| self.tokens.get(at)).map_or(start, |token| token.span.end);
        start..end.max(start)
    }

    fn unexpected(&self, token: &Token, wanted: &str) -> Error {
        Error::new(
            token.span.clone(),
            format!("unexpected {}, {wanted} should be here", token.kind.describe()),
        )
    }

    fn missing(&self, wanted: &str) -> Error {
        match self.peek() {
            Some(token) => self.unexpected(token, wanted),
            None => Error::new(self.end..self.end, format!("the expression ends where {wanted} should be")),
        }
    }

    fn deeper<T>(&mut self, parse: impl FnOnce(&mut Self) -> Result<T, Error>) -> Result<T, Error> {
        if self.depth >= DEEPEST {
            return Err(Error::new(self.here(), format!("this is nested more than {DEEPEST} deep")));
        }
        self.depth += 1;
        let result = parse(self);
        self.depth -= 1;
        result
    }

    fn logic(&mut self) -> Option<Logic> {
        if self.eat_word("and") || self.eat_sign("&&") {
            Some(Logic::And)
        } else if self.eat_word("or") || self.eat_sign("||") {
            Some(Logic::Or)
        } else {
            None
        }
    }

    /// Operands joined by `and` and `or`. `inherited`: what a bare value at the beginning takes over.
    fn chain(&mut self, inherited: Option<Qualifiers>) -> Result<Operand, Error> {
        let (first, mut qualifiers) = self.operand(inherited)?;
        let mut rest = Vec::new();
        while let Some(logic) = self.logic() {
            let (operand, next) = self.operand(qualifiers)?;
            qualifiers = next;
            rest.push((logic, operand));
        }
        Ok((if rest.is_empty() { first } else { Expr::Chain(Box::new(first), rest) }, qualifiers))
    }

    fn operand(&mut self, inherited: Option<Qualifiers>) -> Result<Operand, Error> {
        if self.eat_word("not") || self.eat_sign("!") {
            let (inner, qualifiers) = self.deeper(|parser| parser.operand(inherited))?;
            return Ok((Expr::Not(Box::new(inner)), qualifiers));
        }
        if self.peek_sign() == Some("(") && !self.is_number_in_parentheses() {
            self.at += 1;
            let (inner, _) = self.deeper(|parser| parser.chain(inherited))?;
            if !self.eat_sign(")") {
                return Err(self.missing("`)`"));
            }
            // What a group says does not reach beyond it.
            return Ok((inner, inherited));
        }
        self.primitive(inherited)
    }

    /// Whether the parenthesis that comes next is around a number: behind it the arithmetic goes on.
    fn is_number_in_parentheses(&self) -> bool {
        let after = self.closing.get(self.at).and_then(|closing| closing.checked_add(1));
        after.and_then(|after| self.sign_at(after)).is_some_and(number::continues)
    }
}
