//! Compiles macros and rules.

use std::collections::BTreeSet;
use std::sync::Arc;

use secl::ast::{Expr, ExprKind};
use secl::span::Span;
use secl::{Compiler, EventTypeId, Limits, Macros, Schema};

use super::action;
use super::{CompiledRule, LoadOptions, RuleInfo, fim};
use crate::diagnostic::{Place, Report, Severity, codes};
use crate::limiter::Rate;
use crate::limits;
use crate::policy::{MacroBody, MacroDefinition, MacroValue, RuleDefinition};
use crate::text::Text;
use crate::variables::VariableTable;

/// Diagnostics of the rule language, placed in the policy.
pub(super) fn language_reports(found: &[secl::Diagnostic], text: &Text) -> Vec<Report> {
    let found = found.iter().take(limits::EXPRESSION_DIAGNOSTICS);
    found.map(|diagnostic| language_report(diagnostic, text)).collect()
}

fn language_report(diagnostic: &secl::Diagnostic, text: &Text) -> Report {
    let severity = match diagnostic.severity {
        secl::Severity::Error => Severity::Error,
        secl::Severity::Warning => Severity::Warning,
    };
    let place = Place::In(text.clone(), diagnostic.span.start, diagnostic.span.end);
    Report::language(severity, diagnostic.code.id(), place, diagnostic.message.clone())
        .help(diagnostic.help.clone())
}

/// Defines macros. Those that are wrong stay undefined.
pub(super) fn macros(
    definitions: &[MacroDefinition],
    schema: &dyn Schema,
    variables: &VariableTable,
    reports: &mut Vec<Report>,
) -> Macros {
    let limits = Limits::default();
    let mut macros = Macros::new();
    for definition in definitions {
        let id = definition.id.as_str();
        if schema.constant(id).is_some() {
            let message =
                format!("`{id}` is a constant, which wins over this macro wherever the name is used");
            let report = Report::warning(codes::HIDDEN_MACRO, &definition.id, message).of(id);
            reports.push(report.help("give the macro another id".to_owned()));
        }
        let found = match &definition.body {
            MacroBody::Expression(text) => {
                macros.define(id, text.as_str(), &limits).map_err(|found| language_reports(&found, text))
            }
            MacroBody::Values(values) => define_values(&mut macros, id, values, &limits).map_err(|found| {
                found
                    .into_iter()
                    .map(|message| Report::error(codes::BAD_MACRO, &definition.id, message))
                    .collect()
            }),
        };
        if let Err(found) = found {
            reports.extend(found.into_iter().map(|report: Report| report.of(id)));
        }
    }
    // What the names in a macro mean can only be told once all macros are there.
    let compiler = Compiler { variables, macros: &macros, ..Compiler::new(schema) };
    let mut wrong = Vec::new();
    for definition in definitions {
        let id = definition.id.as_str();
        let found = compiler.check_macro(id);
        if found.is_empty() {
            continue;
        }
        wrong.push(id);
        match &definition.body {
            MacroBody::Expression(text) => {
                reports.extend(language_reports(&found, text).into_iter().map(|report| report.of(id)));
            }
            MacroBody::Values(_) => reports.extend(
                found
                    .into_iter()
                    .map(|found| Report::error(codes::BAD_MACRO, &definition.id, found.message).of(id)),
            ),
        }
    }
    for id in wrong {
        macros.remove(id);
    }
    macros
}

/// A macro that is given by its values.
fn define_values(
    macros: &mut Macros,
    id: &str,
    values: &[MacroValue],
    limits: &Limits,
) -> Result<(), Vec<String>> {
    let members = values
        .iter()
        .map(|value| match value {
            MacroValue::Int(value) => Ok(ExprKind::Int(*value)),
            MacroValue::Text(text) => match_literal(text.as_str(), limits),
        })
        .map(|kind| kind.map(|kind| Expr { kind, span: Span::default() }))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|message| vec![message])?;
    let list = Expr { kind: ExprKind::List(members), span: Span::default() };
    let messages = |found: Vec<secl::Diagnostic>| found.into_iter().map(|found| found.message).collect();
    macros.define(id, &list.to_string(), limits).map_err(messages)
}

/// A value of a macro: a literal string unless it is written as a pattern or regular expression.
fn match_literal(text: &str, limits: &Limits) -> Result<ExprKind, String> {
    let quoted =
        |prefix: &str| text.strip_prefix(prefix).is_some_and(|rest| rest.len() > 1 && rest.ends_with('"'));
    if !(quoted("~\"") || quoted("r\"") || quoted("\"")) {
        return Ok(ExprKind::Str(text.as_bytes().to_vec()));
    }
    match secl::parse(text, limits) {
        Ok(Expr { kind: kind @ (ExprKind::Str(_) | ExprKind::Pattern(_) | ExprKind::Regex(_)), .. }) => {
            Ok(kind)
        }
        Ok(_) => Err(format!("`{text}` is not one literal")),
        Err(found) => {
            let message = found.into_iter().next().map(|found| found.message).unwrap_or_default();
            Err(format!("`{text}`: {message}"))
        }
    }
}

/// The field with the tags of the rule that is evaluated.
const RULE_TAGS: &str = "event.rule.tags";

/// A condition, with its expression if that is not the rule's own.
type Variant = (Option<Box<str>>, secl::Rule);

/// Warns of each field of a rule that this agent never gives a value: the rule would be silent without a reason.
fn never_filled(conditions: &[Variant], text: &Text) -> Vec<Report> {
    let fields = conditions.iter().flat_map(|(_, condition)| condition.fields());
    let empty = fields.filter(|(id, _)| model::field_by_id(*id).is_some_and(|field| !field.leaf.filled));
    let names: BTreeSet<&str> = empty.map(|(_, name)| name).collect();
    let report = |name: &str| {
        // A field of a macro stands for itself nowhere in the rule.
        let place = text
            .as_str()
            .find(name)
            .map_or(Place::from(text), |start| Place::In(text.clone(), start, start + name.len()));
        let message =
            format!("this agent never fills `{name}`, which is always empty; the rule loads all the same");
        Report::warning(codes::NEVER_FILLED, place, message)
    };
    names.into_iter().map(report).collect()
}

/// Why a rule is not compiled.
pub(super) enum Refusal {
    /// Something is wrong with it.
    Wrong(Vec<Report>),
    /// Its type of events is not watched.
    EventDisabled(String),
}

/// Compiles rules with everything that all rules share.
pub(super) struct RuleCompiler<'a> {
    pub(super) compiler: Compiler<'a>,
    pub(super) schema: &'a model::Fields,
    pub(super) variables: &'a VariableTable,
    pub(super) options: &'a LoadOptions,
}

impl<'a> RuleCompiler<'a> {
    pub(super) fn new(
        schema: &'a model::Fields,
        options: &'a LoadOptions,
        variables: &'a VariableTable,
        macros: &'a Macros,
    ) -> Self {
        let compiler = Compiler { variables, macros, ..Compiler::new(schema) };
        Self { compiler, schema, variables, options }
    }

    /// Compiles a rule, for each type of events that it is about. Warnings go to `reports`.
    pub(super) fn rule(
        &self,
        definition: &RuleDefinition,
        info: &Arc<RuleInfo>,
        number: usize,
        reports: &mut Vec<Report>,
    ) -> Result<Vec<CompiledRule>, Refusal> {
        let Some(text) = &definition.expression else {
            let report = Report::error(codes::NO_EXPRESSION, &definition.id, "the rule has no `expression`");
            return Err(Refusal::Wrong(vec![report]));
        };
        let conditions = self.conditions(definition, text).map_err(|_| self.refusal(definition))?;
        // Variants are warned about in words that their author did not write.
        let own = conditions.iter().filter(|(variant, _)| variant.is_none());
        let warnings = own.flat_map(|(_, condition)| language_reports(condition.warnings(), text));
        reports.extend(warnings.map(|report| report.of(info.id.as_str())));
        reports.extend(never_filled(&conditions, text).into_iter().map(|report| report.of(info.id.as_str())));
        let mut rules = Vec::new();
        let mut disabled = None;
        for (variant, condition) in conditions {
            let Some(event) = condition.event_type() else {
                let message = "no field of the rule belongs to an event type";
                return Err(Refusal::Wrong(vec![Report::error(codes::NO_EVENT, text, message)]));
            };
            if !self.is_enabled(event) {
                disabled = Some(event);
                continue;
            }
            let actions: Result<Vec<_>, _> =
                definition.actions.iter().map(|action| action::compile(self, action, Some(event))).collect();
            let limiter_token: Result<Vec<_>, _> =
                definition.limiter_token.iter().map(|field| self.limiter_field(field, Some(event))).collect();
            let (Ok(actions), Ok(limiter_token)) = (actions, limiter_token) else {
                return Err(self.refusal(definition));
            };
            rules.push(CompiledRule {
                info: Arc::clone(info),
                number,
                event,
                variant,
                condition,
                actions,
                limiter_token,
                rate: Rate::of_rule(definition.every, self.options.rate),
            });
        }
        match disabled.filter(|_| rules.is_empty()) {
            Some(event) => Err(Refusal::EventDisabled(self.schema.event_type_name(event).to_owned())),
            None => Ok(rules),
        }
    }

    /// What was found when its variables were declared, and everything else that is wrong with a rule.
    pub(super) fn mistakes_besides(
        &self,
        definition: &RuleDefinition,
        undeclared: Vec<(usize, Vec<Report>)>,
    ) -> Vec<Report> {
        let (told, reports): (Vec<usize>, Vec<_>) = undeclared.into_iter().unzip();
        let mut reports: Vec<Report> = reports.into_iter().flatten().collect();
        reports.extend(self.mistakes(definition, &told));
        reports
    }

    fn refusal(&self, definition: &RuleDefinition) -> Refusal {
        Refusal::Wrong(self.mistakes(definition, &[]))
    }

    /// Everything that is wrong with a rule: with its expression, each of its actions, and the fields that choose its rate limit.
    /// `told`: positions of actions of which it has been said already.
    fn mistakes(&self, definition: &RuleDefinition, told: &[usize]) -> Vec<Report> {
        let conditions = definition.expression.as_ref().map(|text| self.conditions(definition, text));
        let mut reports = Vec::new();
        let mut events = Vec::new();
        match conditions {
            Some(Ok(conditions)) => {
                events.extend(conditions.iter().map(|(_, condition)| condition.event_type()));
                events.retain(|event| event.is_none_or(|event| self.is_enabled(event)));
            }
            Some(Err(found)) => reports.extend(found),
            None => {}
        }
        if events.is_empty() {
            // What is wrong whatever the type of the event is told all the same.
            events.push(None);
        }
        for (position, action) in definition.actions.iter().enumerate() {
            if told.contains(&position) {
                continue;
            }
            // What is wrong with several variants of a rule is told once.
            let found = events.iter().find_map(|event| action::compile(self, action, *event).err());
            reports.extend(found.into_iter().flatten());
        }
        for field in &definition.limiter_token {
            let found = events.iter().find_map(|event| self.limiter_field(field, *event).err());
            reports.extend(found.into_iter().flatten());
        }
        reports
    }

    /// The conditions that a rule stands for.
    fn conditions(&self, definition: &RuleDefinition, text: &Text) -> Result<Vec<Variant>, Vec<Report>> {
        let conditions = match fim::variants(definition.id.as_str(), text.as_str()) {
            None => {
                let found = self.compiler.rule(text.as_str());
                let condition = found.map_err(|found| language_reports(&found, text))?;
                vec![(None, condition)]
            }
            Some(variants) => self.variants(text, &variants)?,
        };
        self.with_tags(conditions, text, &definition.tags)
    }

    /// Fills in the tags of the rule: they are the same for all events.
    fn with_tags(
        &self,
        conditions: Vec<Variant>,
        text: &Text,
        tags: &[(String, String)],
    ) -> Result<Vec<Variant>, Vec<Report>> {
        let Some(field) = self.schema.field(RULE_TAGS) else { return Ok(conditions) };
        let tags: Vec<String> = tags.iter().map(|(key, value)| format!("{key}:{value}")).collect();
        let known = conditions.into_iter().map(|(variant, condition)| {
            let condition = condition.with_known(field.id, &tags).map_err(|secl::NotALiteral| {
                let message = format!("`{RULE_TAGS}` can only be compared with literals");
                vec![Report::error(codes::TAGS_NOT_LITERAL, text, message)]
            })?;
            Ok((variant, condition))
        });
        known.collect()
    }

    /// The conditions that a rule about `fim.write` stands for. Mistakes are reported once.
    fn variants(&self, text: &Text, variants: &[fim::Variant]) -> Result<Vec<Variant>, Vec<Report>> {
        let compiled = variants.iter().map(|variant| {
            let condition = self.compiler.rule(&variant.text).map_err(|mut found| {
                for diagnostic in &mut found {
                    let original = |offset| variant.original_offset(text.as_str(), offset);
                    diagnostic.span =
                        Span::new(original(diagnostic.span.start), original(diagnostic.span.end));
                }
                language_reports(&found, text)
            })?;
            Ok((Some(variant.text.as_str().into()), condition))
        });
        compiled.collect()
    }

    fn is_enabled(&self, event: EventTypeId) -> bool {
        let enabled: Option<&BTreeSet<EventTypeId>> = self.options.enabled_events.as_ref();
        enabled.is_none_or(|enabled| enabled.contains(&event))
    }

    /// A field that chooses the rate limit.
    fn limiter_field(
        &self,
        field: &Text,
        event: Option<EventTypeId>,
    ) -> Result<secl::ValueExpr, Vec<Report>> {
        let value =
            self.compiler.value(field.as_str(), event).map_err(|found| language_reports(&found, field))?;
        if value.as_field().is_none() {
            let message = format!("`{}` is not a field", field.as_str());
            return Err(vec![Report::error(codes::BAD_LIMITER, field, message)]);
        }
        Ok(value)
    }
}
