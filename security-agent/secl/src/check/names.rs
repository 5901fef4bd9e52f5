//! What names mean: constants before macros before fields, and variables.

use suggest::Nearest;

use super::operand::{IntShape, Operand, Subject};
use super::{Checker, constant_operand};
use crate::ast::{Index, Name};
use crate::code::Code;
use crate::diagnostic::Diagnostic;
use crate::ir::{Cond, FieldRef, IntExpr, Length, Source, Test, TextExpr};
use crate::schema::{Field, Matching, Variable};
use crate::span::Span;
use crate::value::{Kind, Type};

impl Checker<'_> {
    pub(super) fn name(&mut self, name: &Name, span: Span) -> Option<Operand> {
        if let Some(index) = &name.index {
            return self.indexed(name, index, span);
        }
        match name.path.as_str() {
            "true" => return Some(Operand::Cond(Cond::Const(true), None)),
            "false" => return Some(Operand::Cond(Cond::Const(false), None)),
            _ => {}
        }
        if let Some(value) = self.compiler.schema.constant(&name.path) {
            return Some(constant_operand(value, span));
        }
        if let Some(body) = self.compiler.macros.get(&name.path) {
            return self.expand(&name.path, body, span);
        }
        self.field(&name.path, None, span)
    }

    fn expand(&mut self, name: &str, body: &crate::ast::Expr, span: Span) -> Option<Operand> {
        if self.expanding.iter().any(|outer| outer == name) {
            return self.error(Code::RecursiveMacro, span, format!("macro `{name}` refers to itself"));
        }
        let outer = self.use_site;
        self.use_site = Some(outer.unwrap_or(span));
        self.expanding.push(name.to_owned());
        let operand = self.operand(body);
        self.expanding.pop();
        self.use_site = outer;
        operand
    }

    fn indexed(&mut self, name: &Name, index: &Index, span: Span) -> Option<Operand> {
        if index.register == "_" {
            let found =
                Diagnostic::error(Code::AnonymousIndex, span, "an element needs a name other than `_`")
                    .with_help(format!(
                        "write `{}[A]…`, with the same letter for the same element",
                        index.iterator
                    ));
            return self.report(found);
        }
        let Some(iterator) = self.compiler.schema.iterator(&index.iterator) else {
            let message = format!("`{}` is not an iterator", index.iterator);
            return self.error(Code::NotAnIterator, span, message);
        };
        match &self.register {
            Some((register, bound)) if *register != index.register || *bound != iterator => {
                let message = format!(
                    "a rule can bind one element only, and binds `{register}` already, of another iterator or by another name"
                );
                return self.error(Code::SecondIndex, span, message);
            }
            Some(_) => {}
            None => self.register = Some((index.register.clone(), iterator)),
        }
        let field = self.compiler.schema.field(&name.path);
        if field.is_some_and(|field| field.iterator != Some(iterator)) {
            let message = format!("`{}` is not a field of the elements of `{}`", name.path, index.iterator);
            return self.error(Code::NotAnIterator, span, message);
        }
        self.field(&name.path, Some(iterator), span)
    }

    /// A field, or the length or root domain of one.
    pub(super) fn field(
        &mut self,
        path: &str,
        bound: Option<crate::schema::IteratorId>,
        span: Span,
    ) -> Option<Operand> {
        let schema = self.compiler.schema;
        if let Some(field) = schema.field(path) {
            return Some(self.field_operand(path, &field, bound.is_some(), span));
        }
        if let Some(base) = path.strip_suffix(".length") {
            if let Some(iterator) = schema.iterator(base).filter(|_| bound.is_none()) {
                if let Some(event) = schema.event_of_iterator(iterator) {
                    self.events.entry(event).or_insert_with(|| (path.to_owned(), span));
                }
                return Some(Operand::Int(IntExpr::Length(Length::Iterator(iterator)), IntShape::Plain));
            }
            if let Some(field) =
                schema.field(base).filter(|f| f.kind == Kind::Str && (!f.list || f.iterator.is_some()))
            {
                let source = self.used_field(base, &field, bound.is_some(), span);
                return Some(Operand::Int(IntExpr::Length(Length::Text(source)), IntShape::Plain));
            }
        }
        if let Some(base) = path.strip_suffix(".root_domain")
            && let Some(field) =
                schema.field(base).filter(|f| f.kind == Kind::Str && f.matching != Matching::Path)
        {
            let source = self.used_field(base, &field, bound.is_some(), span);
            return Some(Operand::Text(Subject {
                expr: TextExpr::RootDomain(source),
                matching: Matching::CaseInsensitive,
                max_literal: None,
            }));
        }
        self.unknown_name(path, span)
    }

    fn unknown_name<T>(&mut self, path: &str, span: Span) -> Option<T> {
        let compiler = self.compiler;
        let mut found =
            Diagnostic::error(Code::UnknownName, span, format!("unknown field, constant or macro `{path}`"));
        let mut near = Nearest::new(path);
        compiler.schema.each_name(&mut |name| near.offer(name));
        compiler.macros.names().for_each(|name| near.offer(name));
        if let Some(near) = near.found() {
            found = found.with_help(format!("did you mean `{near}`?"));
        } else if !path.contains('.') && path.bytes().all(|b| !b.is_ascii_uppercase()) {
            found = found.with_help(format!("if it is text, write it between double quotes: \"{path}\""));
        } else if path.starts_with("fim.write.") {
            found = found
                .with_help("`fim.write` fields can be used in the expressions of rules only, not in macros");
        }
        self.report(found)
    }

    /// Notes the use of a field.
    fn used_field(&mut self, path: &str, field: &Field, bound: bool, span: Span) -> Source {
        let span = self.use_site.unwrap_or(span);
        self.fields.entry(field.id).or_insert_with(|| (path.to_owned(), span));
        if let Some(event) = field.event {
            self.events.entry(event).or_insert_with(|| (path.to_owned(), span));
        }
        Source::Field(FieldRef {
            id: field.id,
            kind: field.kind,
            list: field.list,
            bound,
            alternatives: field.alternatives,
            weight: field.weight,
        })
    }

    fn field_operand(&mut self, path: &str, field: &Field, bound: bool, span: Span) -> Operand {
        let source = self.used_field(path, field, bound, span);
        source_operand(source, field.matching, field.max_literal, self.use_site.unwrap_or(span))
    }

    /// A variable, or its length. Older agents read fields through `${…}` too.
    pub(super) fn variable(&mut self, name: &str, span: Span) -> Option<Operand> {
        let compiler = self.compiler;
        if let Some(variable) = compiler.variables.variable(name) {
            self.variables.insert(variable.id, name.to_owned());
            return Some(source_operand(
                Source::Variable(variable),
                Matching::Plain,
                None,
                self.use_site.unwrap_or(span),
            ));
        }
        if let Some(base) = name.strip_suffix(".length")
            && let Some(variable) = compiler.variables.variable(base)
        {
            self.variables.insert(variable.id, base.to_owned());
            return self.variable_length(base, variable, span);
        }
        if compiler.schema.field(name).is_some() {
            return self.field(name, None, span);
        }
        let mut found = Diagnostic::error(Code::UnknownVariable, span, format!("unknown variable `{name}`"));
        let mut near = Nearest::new(name);
        compiler.variables.each_name(&mut |name| near.offer(name));
        match near.found() {
            Some(near) => found = found.with_help(format!("did you mean `{near}`?")),
            None => {
                found = found
                    .with_help("a variable is known once a rule of the same set has an action that sets it")
            }
        }
        self.report(found)
    }

    fn variable_length(&mut self, name: &str, variable: Variable, span: Span) -> Option<Operand> {
        let length = match variable.ty {
            Type { list: true, .. } => Length::Variable(variable),
            Type { kind: Kind::Str, .. } => Length::Text(Source::Variable(variable)),
            ty => {
                return self.error(
                    Code::TypeMismatch,
                    span,
                    format!("`{name}` is of type {ty} and has no length"),
                );
            }
        };
        Some(Operand::Int(IntExpr::Length(length), IntShape::Plain))
    }
}

fn source_operand(source: Source, matching: Matching, max_literal: Option<u16>, span: Span) -> Operand {
    match source.ty().kind {
        Kind::Int => Operand::Int(IntExpr::Source(source), IntShape::Plain),
        Kind::Bool => Operand::Cond(Cond::Test(Test::Bool(source, true), span), Some(source)),
        Kind::Str => Operand::Text(Subject { expr: TextExpr::Source(source), matching, max_literal }),
        Kind::Ip => Operand::Ip(source),
    }
}
