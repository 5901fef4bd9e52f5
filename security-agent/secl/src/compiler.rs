//! Compiling expressions: the entry points.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::OnceLock;

use crate::ast::Expr;
use crate::check::{Checker, Computed};
use crate::code::Code;
use crate::diagnostic::{Diagnostic, Severity};
use crate::eval::Scene;
use crate::ir::{Cond, IntExpr, Source, TextExpr};
use crate::limits::Limits;
use crate::macros::Macros;
use crate::parser::parse;
use crate::program::{IntOperand, Program, net};
use crate::schema::{Event, EventTypeId, FieldId, IteratorId, Schema, VariableId, VariableNames, Variables};
use crate::span::Span;
use crate::value::{IpNet, Kind, Type, Value};

/// Elements of a bound iterator that are looked at.
pub(crate) const BOUND_ELEMENTS: usize = 100;

/// What expressions are compiled with.
#[derive(Clone, Copy)]
pub struct Compiler<'a> {
    /// The fields and constants.
    pub schema: &'a dyn Schema,
    /// The variables.
    pub variables: &'a dyn VariableNames,
    /// The macros.
    pub macros: &'a Macros,
    /// How large expressions may be.
    pub limits: Limits,
}

impl std::fmt::Debug for Compiler<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Compiler")
            .field("macros", &self.macros)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl<'a> Compiler<'a> {
    /// A compiler without variables and macros and with the default limits.
    #[must_use]
    pub fn new(schema: &'a dyn Schema) -> Self {
        static NO_MACROS: std::sync::LazyLock<Macros> = std::sync::LazyLock::new(Macros::new);
        Self { schema, variables: &crate::schema::NoVariables, macros: &NO_MACROS, limits: Limits::default() }
    }

    /// Compiles the expression of a rule: a condition on events of one type.
    ///
    /// # Errors
    /// All that is wrong with it, in the order of the text.
    pub fn rule(&self, text: &str) -> Result<Rule, Vec<Diagnostic>> {
        self.compile(text, true)
    }

    /// Compiles a condition that need not name an event type: a filter on the host, or of an action.
    ///
    /// # Errors
    /// All that is wrong with it, in the order of the text.
    pub fn condition(&self, text: &str) -> Result<Rule, Vec<Diagnostic>> {
        self.compile(text, false)
    }

    /// Compiles an expression of any type, to be computed on events of type `event`.
    ///
    /// # Errors
    /// All that is wrong with it, in the order of the text.
    pub fn value(&self, text: &str, event: Option<EventTypeId>) -> Result<ValueExpr, Vec<Diagnostic>> {
        let expr = parse(text, &self.limits)?;
        let mut checker = Checker::new(self);
        let computed = checker.computed(&expr);
        if checker.register.is_some() {
            checker.found.push(Diagnostic::error(
                Code::SecondIndex,
                expr.span,
                "a value cannot bind an element",
            ));
        }
        self.check_event(&mut checker, event, false, expr.span);
        let (errors, _) = split(checker.found);
        match computed {
            Some((computed, ty)) if errors.is_empty() => Ok(ValueExpr::new(computed, ty, &self.limits)),
            _ => Err(errors),
        }
    }

    /// Checks a macro by itself, used or not.
    #[must_use]
    pub fn check_macro(&self, name: &str) -> Vec<Diagnostic> {
        let Some(body) = self.macros.get(name) else { return Vec::new() };
        let mut checker = Checker::new(self);
        checker.any(body);
        split(checker.found).0
    }

    fn compile(&self, text: &str, needs_event: bool) -> Result<Rule, Vec<Diagnostic>> {
        let expr = parse(text, &self.limits)?;
        self.compile_expr(&expr, needs_event)
    }

    fn compile_expr(&self, expr: &Expr, needs_event: bool) -> Result<Rule, Vec<Diagnostic>> {
        let mut checker = Checker::new(self);
        let cond = checker.condition(expr);
        let event = self.check_event(&mut checker, None, needs_event && cond.is_some(), expr.span);
        let fields = checker.fields.into_iter().map(|(id, (name, _))| (id, name)).collect();
        let register = checker.register.map(|(_, iterator)| iterator);
        let (errors, mut warnings) = split(checker.found);
        let Some(cond) = cond.filter(|_| errors.is_empty()) else { return Err(errors) };
        if cond == Cond::Const(false) && warnings.is_empty() {
            warnings.push(Diagnostic::warning(
                Code::NeverTrue,
                expr.span,
                "this never holds, whatever the event",
            ));
        }
        let variables = checker.variables;
        Ok(Rule {
            cond,
            program: OnceLock::new(),
            event,
            register,
            fields,
            variables,
            warnings,
            regex_bytes: self.limits.regex_bytes,
        })
    }

    /// The event type that the fields agree on.
    fn check_event(
        &self,
        checker: &mut Checker<'_>,
        given: Option<EventTypeId>,
        needed: bool,
        whole: Span,
    ) -> Option<EventTypeId> {
        let mut events = checker.events.iter();
        let name = |id| self.schema.event_type_name(id);
        let event = match (given, events.next()) {
            (Some(given), first) => {
                let others = first.into_iter().chain(events).filter(|(id, _)| **id != given);
                checker.found.extend(others.map(|(_, (field, span))| {
                    let message = format!("`{field}` is not a field of {} events", name(given));
                    Diagnostic::error(Code::SeveralEventTypes, *span, message)
                }));
                given
            }
            (None, Some((first, (first_field, _)))) => {
                let first = *first;
                checker.found.extend(events.map(|(id, (field, span))| {
                    let message = format!(
                        "`{first_field}` belongs to {} events, `{field}` to {} events; a rule is about one event type",
                        name(first),
                        name(*id)
                    );
                    Diagnostic::error(Code::SeveralEventTypes, *span, message)
                }));
                first
            }
            (None, None) => {
                if needed {
                    let found = Diagnostic::error(
                        Code::NoEventType,
                        whole,
                        "no field of the rule belongs to an event type",
                    );
                    let help = "add a condition on a field of the event, such as `exec.file.name != \"\"`";
                    checker.found.push(found.with_help(help));
                }
                return None;
            }
        };
        for (id, (field, span)) in &checker.fields {
            if !self.schema.usable_in(*id, event) {
                let message = format!("`{field}` is never filled in {} events", name(event));
                checker.found.push(Diagnostic::error(Code::FieldNotInEvent, *span, message));
            }
        }
        Some(event)
    }
}

/// Errors and warnings, each in the order of the text.
fn split(mut found: Vec<Diagnostic>) -> (Vec<Diagnostic>, Vec<Diagnostic>) {
    found.sort_by_key(|diagnostic| diagnostic.span);
    found.into_iter().partition(|diagnostic| diagnostic.severity == Severity::Error)
}

/// Memory that evaluation reuses. One per thread is enough.
#[derive(Default)]
pub struct Scratch {
    /// For strings with values filled in.
    pub(crate) buffer: Cell<Vec<u8>>,
    /// A bit for each rule of the event's type that is worth evaluating.
    pub(crate) candidates: Vec<u64>,
    /// Per test the generation it was evaluated in, times two, and its result.
    pub(crate) memo: Vec<u32>,
    /// Counts events.
    pub(crate) generation: u32,
}

impl Scratch {
    /// Makes room for a new event.
    pub(crate) fn begin(&mut self, rules: usize, tests: usize) {
        self.candidates.clear();
        self.candidates.resize(rules.div_ceil(64), 0);
        if self.memo.len() < tests {
            self.memo.resize(tests, 0);
        }
        self.generation += 1;
        // One bit of a memo is the result.
        if self.generation >= u32::MAX >> 1 {
            self.memo.fill(0);
            self.generation = 1;
        }
    }
}

impl std::fmt::Debug for Scratch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scratch").finish_non_exhaustive()
    }
}

/// A compiled condition.
#[derive(Debug)]
pub struct Rule {
    pub(crate) cond: Cond,
    /// For evaluation of this rule alone; rule sets have programs that share tests.
    program: OnceLock<Program>,
    event: Option<EventTypeId>,
    pub(crate) register: Option<IteratorId>,
    fields: BTreeMap<FieldId, String>,
    variables: BTreeMap<VariableId, String>,
    warnings: Vec<Diagnostic>,
    pub(crate) regex_bytes: usize,
}

impl Rule {
    /// The type of event it is about; `None` only for conditions that are no rules.
    #[must_use]
    pub const fn event_type(&self) -> Option<EventTypeId> {
        self.event
    }

    /// The checked condition.
    #[must_use]
    pub const fn cond(&self) -> &Cond {
        &self.cond
    }

    /// The iterator of which the rule binds one element (`process.ancestors[A]`).
    #[must_use]
    pub const fn bound_iterator(&self) -> Option<IteratorId> {
        self.register
    }

    /// The fields it reads, with the names it uses for them.
    pub fn fields(&self) -> impl Iterator<Item = (FieldId, &str)> {
        self.fields.iter().map(|(id, name)| (*id, name.as_str()))
    }

    /// The condition does not read this field any more.
    pub(crate) fn forget_field(&mut self, field: FieldId) {
        self.fields.remove(&field);
        self.program = OnceLock::new();
    }

    /// The name the rule uses for a field.
    #[must_use]
    pub fn field_name(&self, field: FieldId) -> Option<&str> {
        self.fields.get(&field).map(String::as_str)
    }

    /// The variables it reads, with their names.
    pub fn variables(&self) -> impl Iterator<Item = (VariableId, &str)> {
        self.variables.iter().map(|(id, name)| (*id, name.as_str()))
    }

    /// What is odd about it though it compiles.
    #[must_use]
    pub fn warnings(&self) -> &[Diagnostic] {
        &self.warnings
    }

    /// Whether the event satisfies the condition. The type of the event is not looked at.
    pub fn matches<E: Event, V: Variables>(&self, event: &E, variables: &V, scratch: &mut Scratch) -> bool {
        self.matching_element(event, variables, scratch).is_some()
    }

    pub(crate) fn program(&self) -> &Program {
        self.program.get_or_init(|| Program::new(&self.cond, self.regex_bytes))
    }

    /// Like [`Rule::matches`]; the inner value is the position of the element that satisfies it, if it binds one.
    pub(crate) fn matching_element<E: Event, V: Variables>(
        &self,
        event: &E,
        variables: &V,
        scratch: &Scratch,
    ) -> Option<Option<usize>> {
        let program = self.program();
        let holds = |at| {
            let scene = Scene { event, variables, at, buffer: &scratch.buffer };
            program.holds(&scene)
        };
        match self.register {
            None => holds(None).then_some(None),
            Some(iterator) => {
                (0..event.len(iterator).min(BOUND_ELEMENTS)).find(|at| holds(Some(*at))).map(Some)
            }
        }
    }
}

/// A compiled expression that gives a value.
#[derive(Debug)]
pub struct ValueExpr {
    computed: Computed,
    ty: Type,
    /// For conditions.
    program: Option<Program>,
}

impl ValueExpr {
    fn new(computed: Computed, ty: Type, limits: &Limits) -> Self {
        let program = match &computed {
            Computed::Cond(cond) => Some(Program::new(cond, limits.regex_bytes)),
            _ => None,
        };
        Self { computed, ty, program }
    }

    /// Type of the values it gives.
    #[must_use]
    pub const fn ty(&self) -> Type {
        self.ty
    }

    /// The field it is, if it is just a field.
    #[must_use]
    pub const fn as_field(&self) -> Option<FieldId> {
        match &self.computed {
            Computed::Source(Source::Field(field)) => Some(field.id),
            _ => None,
        }
    }

    /// The value for an event. Lists are read up to `limit` elements.
    pub fn eval<E: Event, V: Variables>(
        &self,
        event: &E,
        variables: &V,
        scratch: &mut Scratch,
        limit: usize,
    ) -> Value {
        let scene = Scene { event, variables, at: None, buffer: &scratch.buffer };
        match &self.computed {
            Computed::Const(value) => value.clone(),
            Computed::Cond(_) => {
                Value::Bool(self.program.as_ref().is_some_and(|program| program.holds(&scene)))
            }
            Computed::Int(expr) => ints(&scene, expr, self.ty.list, limit),
            Computed::Text(text) => texts(&scene, text, self.ty.list, limit),
            Computed::Source(source) => read(&scene, source, limit),
        }
    }
}

/// The value of a field or variable, lists up to `limit` elements.
pub(crate) fn read<E: Event, V: Variables>(scene: &Scene<'_, E, V>, source: &Source, limit: usize) -> Value {
    let list = source.ty().list;
    match source.ty().kind {
        Kind::Int => ints(scene, &IntExpr::Source(*source), list, limit),
        Kind::Str => {
            // A value is what the field holds, not what else it matches with.
            let own = match source {
                Source::Field(field) => Source::Field(crate::ir::FieldRef { alternatives: false, ..*field }),
                variable @ Source::Variable(_) => *variable,
            };
            texts(scene, &TextExpr::Source(own), list, limit)
        }
        Kind::Bool => {
            let mut values = Vec::new();
            scene.any_bool(source, |value| collect(&mut values, value, limit));
            if list { Value::Bools(values) } else { Value::Bool(values.first().copied().unwrap_or_default()) }
        }
        Kind::Ip => {
            let mut values: Vec<IpNet> = Vec::new();
            scene.any_ip(source, |addr| collect(&mut values, net(addr), limit));
            if list {
                Value::Ips(values)
            } else {
                Value::Ip(values.first().copied().unwrap_or(IpNet::UNSPECIFIED))
            }
        }
    }
}

fn ints<E: Event, V: Variables>(scene: &Scene<'_, E, V>, expr: &IntExpr, list: bool, limit: usize) -> Value {
    let mut values = Vec::new();
    scene.any_int(&IntOperand::new(expr), |value| collect(&mut values, value, limit));
    if list { Value::Ints(values) } else { Value::Int(values.first().copied().unwrap_or_default()) }
}

fn texts<E: Event, V: Variables>(
    scene: &Scene<'_, E, V>,
    expr: &TextExpr,
    list: bool,
    limit: usize,
) -> Value {
    let mut values = Vec::new();
    scene.any_text(expr, |text| collect(&mut values, text.to_vec(), limit));
    if list { Value::Strs(values) } else { Value::Str(values.into_iter().next().unwrap_or_default()) }
}

/// Keeps a value; true once there are enough.
fn collect<T>(values: &mut Vec<T>, value: T, limit: usize) -> bool {
    if values.len() < limit.max(1) {
        values.push(value);
    }
    values.len() >= limit.max(1)
}
