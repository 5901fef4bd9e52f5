//! Tokens to syntax tree, by recursive descent.
//!
//! After an error, parsing goes on at the next `&&` or `||`, so that one run finds independent mistakes.

use crate::ast::{BitOp, CompareOp, Expr, ExprKind, Index, LogicOp, Name, SumOp, UnaryOp};
use crate::code::Code;
use crate::diagnostic::Diagnostic;
use crate::escape;
use crate::lexer;
use crate::limits::Limits;
use crate::span::Span;
use crate::token::{Token, TokenKind};

/// Parses the text of a rule, macro or other expression.
///
/// # Errors
/// All syntax errors, at least one.
pub fn parse(text: &str, limits: &Limits) -> Result<Expr, Vec<Diagnostic>> {
    if text.len() > limits.source_bytes {
        let message = format!("the expression has {} bytes, {} are allowed", text.len(), limits.source_bytes);
        return Err(vec![Diagnostic::error(Code::TooLarge, Span::default(), message)]);
    }
    let (tokens, found) = lexer::tokens(text);
    let mut parser = Parser { tokens: &tokens, at: 0, depth: 0, limits, found };
    let expr = parser.whole();
    let mut found = parser.found;
    match expr {
        Some(expr) if found.is_empty() => Ok(expr),
        _ => {
            found.sort_by_key(|d| d.span);
            Err(found)
        }
    }
}

struct Parser<'t, 'a> {
    tokens: &'t [Token<'a>],
    at: usize,
    /// Nesting so far, see [`Limits::depth`].
    depth: usize,
    limits: &'t Limits,
    found: Vec<Diagnostic>,
}

/// `None` means that the error has been reported.
type Parsed<T> = Option<T>;

impl<'a> Parser<'_, 'a> {
    fn peek(&self) -> &TokenKind<'a> {
        self.tokens.get(self.at).map_or(&TokenKind::End, |token| &token.kind)
    }

    fn span(&self) -> Span {
        self.tokens.get(self.at).or(self.tokens.last()).map_or(Span::default(), |token| token.span)
    }

    fn next(&mut self) {
        if self.at < self.tokens.len() {
            self.at += 1;
        }
    }

    fn eat(&mut self, kind: &TokenKind<'_>) -> bool {
        let there = self.peek() == kind;
        if there {
            self.next();
        }
        there
    }

    fn error(&mut self, code: Code, span: Span, message: String) {
        self.found.push(Diagnostic::error(code, span, message));
    }

    fn unexpected<T>(&mut self, wanted: &str) -> Parsed<T> {
        // What the lexer could not read it has reported already.
        if *self.peek() != TokenKind::Bad {
            let message = format!("expected {wanted}, found {}", self.peek().describe());
            self.error(Code::UnexpectedToken, self.span(), message);
        }
        None
    }

    fn whole(&mut self) -> Parsed<Expr> {
        if self.tokens.len() == 1 {
            self.error(Code::Empty, self.span(), "the expression is empty".into());
            return None;
        }
        let mut expr = self.logic();
        while *self.peek() != TokenKind::End {
            // Only a closing bracket too many, or what `resume` stopped at, is left here.
            self.unexpected::<()>("an operator or the end of the expression");
            self.next();
            self.resume();
            if matches!(self.peek(), TokenKind::And | TokenKind::Or) {
                self.next();
                expr = self.logic();
            }
        }
        expr
    }

    /// Skips to the next logic operator or closing parenthesis of the current level.
    fn resume(&mut self) {
        let mut level = 0usize;
        loop {
            match self.peek() {
                TokenKind::Open | TokenKind::OpenList => level += 1,
                TokenKind::Close | TokenKind::CloseList if level > 0 => level -= 1,
                TokenKind::And | TokenKind::Or | TokenKind::Close if level == 0 => return,
                TokenKind::End => return,
                _ => {}
            }
            self.next();
        }
    }

    fn too_deep(&mut self) {
        let message = format!("more than {} levels of nesting", self.limits.depth);
        self.error(Code::TooDeep, self.span(), message);
        // Going on would report the same at every level.
        self.at = self.tokens.len().saturating_sub(1);
    }

    fn nested<T>(&mut self, parse: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth >= self.limits.depth {
            self.too_deep();
            return None;
        }
        self.depth += 1;
        let result = parse(self);
        self.depth -= 1;
        result
    }

    fn logic(&mut self) -> Parsed<Expr> {
        let mut first = None;
        let mut rest: Vec<(LogicOp, Expr)> = Vec::new();
        let mut failed = false;
        let mut op = None;
        let outer_depth = self.depth;
        loop {
            match self.compare() {
                Some(operand) => match op {
                    None => first = Some(operand),
                    Some(op) => rest.push((op, operand)),
                },
                None => {
                    failed = true;
                    self.resume();
                }
            }
            let last = op;
            op = match self.peek() {
                TokenKind::And => Some(LogicOp::And),
                TokenKind::Or => Some(LogicOp::Or),
                _ => break,
            };
            // What follows another operator is nested in what precedes it: `a && (b || (c && …))`.
            self.depth += usize::from(last.is_some() && last != op);
            if self.depth > self.limits.depth {
                failed = true;
                self.too_deep();
                break;
            }
            self.next();
        }
        self.depth = outer_depth;
        let first = first.filter(|_| !failed)?;
        Some(chain(first, rest, ExprKind::Logic))
    }

    fn compare(&mut self) -> Parsed<Expr> {
        let left = self.sum()?;
        let op = match self.peek() {
            TokenKind::Eq => CompareOp::Eq,
            TokenKind::NotEq => CompareOp::NotEq,
            TokenKind::Matches => CompareOp::Matches,
            TokenKind::NotMatches => CompareOp::NotMatches,
            TokenKind::Less => CompareOp::Less,
            TokenKind::LessEq => CompareOp::LessEq,
            TokenKind::Greater => CompareOp::Greater,
            TokenKind::GreaterEq => CompareOp::GreaterEq,
            TokenKind::In => CompareOp::In,
            TokenKind::AllIn => CompareOp::AllIn,
            TokenKind::Not if self.tokens.get(self.at + 1).is_some_and(|t| t.kind == TokenKind::In) => {
                self.next();
                CompareOp::NotIn
            }
            _ => return Some(left),
        };
        self.next();
        let right = if op.takes_list() { self.sum()? } else { self.nested(Self::compare)? };
        let span = left.span.to(right.span);
        Some(Expr { kind: ExprKind::Compare(op, Box::new(left), Box::new(right)), span })
    }

    fn sum(&mut self) -> Parsed<Expr> {
        let first = self.bits()?;
        let mut rest = Vec::new();
        loop {
            let op = match self.peek() {
                TokenKind::Plus => SumOp::Add,
                TokenKind::Minus => SumOp::Sub,
                _ => return Some(chain(first, rest, ExprKind::Sum)),
            };
            self.next();
            rest.push((op, self.bits()?));
        }
    }

    fn bits(&mut self) -> Parsed<Expr> {
        let first = self.unary()?;
        let mut rest = Vec::new();
        loop {
            let op = match self.peek() {
                TokenKind::BitAnd => BitOp::And,
                TokenKind::BitOr => BitOp::Or,
                TokenKind::Caret => BitOp::Xor,
                _ => return Some(chain(first, rest, ExprKind::Bits)),
            };
            self.next();
            rest.push((op, self.unary()?));
        }
    }

    fn unary(&mut self) -> Parsed<Expr> {
        let start = self.span();
        let op = match self.peek() {
            TokenKind::Not => UnaryOp::Not,
            TokenKind::Caret => UnaryOp::BitNot,
            TokenKind::Minus | TokenKind::Plus => return self.signed(start),
            _ => return self.primary(),
        };
        self.next();
        let inner = self.nested(Self::unary)?;
        let span = start.to(inner.span);
        Some(Expr { kind: ExprKind::Unary(op, Box::new(inner)), span })
    }

    /// A number with its sign, or a negation.
    fn signed(&mut self, start: Span) -> Parsed<Expr> {
        let negative = *self.peek() == TokenKind::Minus;
        self.next();
        let number = match *self.peek() {
            TokenKind::Int(value) if negative => Some(ExprKind::Int(value.wrapping_neg())),
            // A plus is part of the number and no operator, so it touches it.
            TokenKind::Int(value) if start.end == self.span().start => Some(ExprKind::Int(value)),
            _ => None,
        };
        if let Some(kind) = number {
            let span = start.to(self.span());
            self.next();
            return Some(Expr { kind, span });
        }
        if !negative {
            return self.unexpected("a number");
        }
        let inner = self.nested(Self::unary)?;
        let span = start.to(inner.span);
        Some(Expr { kind: ExprKind::Unary(UnaryOp::Neg, Box::new(inner)), span })
    }

    fn primary(&mut self) -> Parsed<Expr> {
        let span = self.span();
        let kind = match *self.peek() {
            TokenKind::Open => return self.parenthesised(span),
            TokenKind::OpenList => return self.list(span),
            TokenKind::Name(name) => ExprKind::Name(self.name(name, span)?),
            TokenKind::Variable(name) => ExprKind::Variable(name.to_owned()),
            TokenKind::FieldValue(name) => ExprKind::FieldValue(name.to_owned()),
            TokenKind::Str(raw) => ExprKind::Str(escape::string(raw)),
            TokenKind::Pattern(raw) => {
                self.check_length(raw, span)?;
                ExprKind::Pattern(escape::pattern(raw))
            }
            TokenKind::Regex(raw) => {
                self.check_length(raw, span)?;
                ExprKind::Regex(raw.to_owned())
            }
            TokenKind::Int(value) => ExprKind::Int(value),
            TokenKind::Duration(value) => ExprKind::Duration(value),
            TokenKind::Ip(net) => ExprKind::Ip(net),
            _ => return self.unexpected("a field, value or `(`"),
        };
        self.next();
        Some(Expr { kind, span })
    }

    fn parenthesised(&mut self, start: Span) -> Parsed<Expr> {
        self.next();
        let inner = self.nested(Self::logic);
        let span = start.to(self.span());
        let closed = self.eat(&TokenKind::Close);
        let inner = inner?;
        if !closed {
            return self.unexpected("`)`");
        }
        Some(Expr { kind: inner.kind, span })
    }

    fn list(&mut self, start: Span) -> Parsed<Expr> {
        self.next();
        let mut members = Vec::new();
        loop {
            members.push(self.nested(Self::bits)?);
            if members.len() > self.limits.list_members {
                let message = format!("the list has more than {} members", self.limits.list_members);
                self.error(Code::ListTooLong, start, message);
                return None;
            }
            if !self.eat(&TokenKind::Comma) {
                break;
            }
        }
        let span = start.to(self.span());
        if !self.eat(&TokenKind::CloseList) {
            return self.unexpected("`,` or `]`");
        }
        Some(Expr { kind: ExprKind::List(members), span })
    }

    fn check_length(&mut self, raw: &str, span: Span) -> Parsed<()> {
        if raw.len() <= self.limits.pattern_bytes {
            return Some(());
        }
        let message =
            format!("the pattern has {} bytes, {} are allowed", raw.len(), self.limits.pattern_bytes);
        self.error(Code::PatternTooLarge, span, message);
        None
    }

    /// Splits the index off a name.
    fn name(&mut self, text: &str, span: Span) -> Parsed<Name> {
        let Some((iterator, rest)) = text.split_once('[') else {
            return Some(Name { path: text.to_owned(), index: None });
        };
        let (register, rest) = rest.split_once(']').unwrap_or((rest, ""));
        if rest.contains('[') {
            self.error(Code::SecondIndex, span, "a name can have one index only".into());
            return None;
        }
        Some(Name {
            path: format!("{iterator}{rest}"),
            index: Some(Index { iterator: iterator.to_owned(), register: register.to_owned() }),
        })
    }
}

fn chain<Op>(first: Expr, rest: Vec<(Op, Expr)>, make: fn(Box<Expr>, Vec<(Op, Expr)>) -> ExprKind) -> Expr {
    match rest.last() {
        None => first,
        Some((_, last)) => {
            let span = first.span.to(last.span);
            Expr { kind: make(Box::new(first), rest), span }
        }
    }
}

#[cfg(test)]
mod tests;
