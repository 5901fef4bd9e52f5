//! Compiles the actions of rules.

use secl::ast::{Expr, ExprKind};
use secl::span::Span;
use secl::{EventTypeId, Kind, Schema, Type, Value, ValueExpr, VariableId, VariableNames};

use super::compile::{RuleCompiler, language_reports};
use crate::diagnostic::{Place, Report, Severity, codes};
use crate::policy::action::{
    ActionDefinition, ActionKind, CoreDumpDefinition, HashDefinition, KillDefinition, LogDefinition,
    LogLevel, NetworkFilterDefinition, Scope, SetDefinition, SetSource,
};
use crate::request::RequestKind;
use crate::text::Text;

/// What is done when a rule matches.
#[derive(Debug)]
pub(crate) struct Action {
    /// It is only done if this holds, too.
    pub(crate) filter: Option<secl::Rule>,
    /// What is done.
    pub(crate) effect: ActionEffect,
    /// Whether this agent can do it.
    pub(crate) supported: bool,
}

/// What an action does.
#[derive(Debug)]
pub(crate) enum ActionEffect {
    /// Writes a variable.
    Set(Box<SetAction>),
    /// Writes a log line.
    Log {
        /// Its level.
        level: LogLevel,
        /// Its text.
        message: ValueExpr,
    },
    /// Something that another part of the agent has to do.
    Request(RequestKind),
}

/// A write to a variable.
#[derive(Debug)]
pub(crate) struct SetAction {
    /// The variable.
    pub(crate) id: VariableId,
    /// What it belongs to.
    pub(crate) scope: Scope,
    /// What is written.
    pub(crate) value: SetValue,
    /// The field with the pid of the process that is written to.
    pub(crate) scope_field: Option<ValueExpr>,
    /// Adds to a list.
    pub(crate) append: bool,
    /// Life of the value in nanoseconds.
    pub(crate) ttl: Option<u64>,
    /// Elements that a list keeps.
    pub(crate) size: Option<usize>,
}

/// What a `set` action writes.
#[derive(Debug)]
pub(crate) enum SetValue {
    /// Always the same.
    Literal(Value),
    /// What this gives for the event.
    Computed(ValueExpr),
}

/// Compiles an action of a rule about events of type `event`; `None`: the type is unknown, as the rule's expression is wrong.
///
/// # Errors
/// All that is wrong with it.
pub(super) fn compile(
    rules: &RuleCompiler<'_>,
    definition: &ActionDefinition,
    event: Option<EventTypeId>,
) -> Result<Action, Vec<Report>> {
    let support = rules.options.actions;
    let compiled = match &definition.kind {
        ActionKind::Set(set) => {
            compile_set(rules, set, event).map(|set| (ActionEffect::Set(Box::new(set)), true))
        }
        ActionKind::Log(log) => compile_log(rules, log, event).map(|effect| (effect, true)),
        ActionKind::Kill(kill) => compile_kill(rules, kill).map(|effect| (effect, support.kill)),
        ActionKind::Hash(hash) => {
            compile_hash(rules, hash, definition, event).map(|effect| (effect, support.hash))
        }
        ActionKind::CoreDump(dump) => Ok((ActionEffect::Request(coredump(dump)), support.coredump)),
        ActionKind::NetworkFilter(filter) => {
            Ok((ActionEffect::Request(network_filter(filter)), support.network_filter))
        }
    };
    let filter = definition.filter.as_ref().map(|text| filter(rules, text, event)).transpose();
    let (filter, (effect, supported)) = both(filter, compiled)?;
    Ok(Action { filter, effect, supported })
}

/// Both values, or everything that is wrong with either.
fn both<A, B>(a: Result<A, Vec<Report>>, b: Result<B, Vec<Report>>) -> Result<(A, B), Vec<Report>> {
    match (a, b) {
        (Ok(a), Ok(b)) => Ok((a, b)),
        (a, b) => Err(a.err().into_iter().chain(b.err()).flatten().collect()),
    }
}

fn filter(
    rules: &RuleCompiler<'_>,
    text: &Text,
    event: Option<EventTypeId>,
) -> Result<secl::Rule, Vec<Report>> {
    let rule = rules.compiler.condition(text.as_str()).map_err(|found| language_reports(&found, text))?;
    match (rule.event_type(), event) {
        (Some(other), Some(event)) if other != event => {
            let name = |id| rules.schema.event_type_name(id).to_owned();
            let message =
                format!("the filter is about {} events, the rule about {} events", name(other), name(event));
            Err(vec![Report::error(codes::BAD_ACTION, text, message)])
        }
        _ => Ok(rule),
    }
}

fn compile_set(
    rules: &RuleCompiler<'_>,
    set: &SetDefinition,
    event: Option<EventTypeId>,
) -> Result<SetAction, Vec<Report>> {
    let name = format!("{}{}", set.scope.prefix(), set.name.as_str());
    let Some(variable) = rules.variables.variable(&name) else {
        let message = format!("variable `{name}` is not declared");
        return Err(vec![Report::error(codes::BAD_SET, &set.name, message)]);
    };
    let computed = |text: &Text| value(rules, text, event);
    let written = match &set.source {
        SetSource::Value(literal) => Ok(SetValue::Literal(literal.value.clone())),
        SetSource::Field(text) | SetSource::Expression(text) => computed(text).and_then(|value| {
            check_type(text, value.ty(), variable.ty)?;
            Ok(SetValue::Computed(value))
        }),
    };
    let scope_field = set.scope_field.as_ref().map(|field| {
        let value = computed(field)?;
        if value.ty() == Type::scalar(Kind::Int) {
            return Ok(value);
        }
        let message = format!("`{}` is of type {}, a pid is needed", field.as_str(), value.ty());
        Err(vec![Report::error(codes::BAD_FIELD, field, message)])
    });
    let (value, scope_field) = both(written, scope_field.transpose())?;
    Ok(SetAction {
        id: variable.id,
        scope: set.scope,
        value,
        scope_field,
        append: set.append,
        ttl: set.ttl,
        size: set.size,
    })
}

/// Whether what an expression gives can be written to a variable.
fn check_type(text: &Text, given: Type, variable: Type) -> Result<(), Vec<Report>> {
    if given.kind == variable.kind && (variable.list || !given.list) {
        return Ok(());
    }
    let message = format!("this is of type {given}, the variable of type {variable}");
    Err(vec![Report::error(codes::VARIABLE_TYPE, text, message)])
}

fn value(
    rules: &RuleCompiler<'_>,
    text: &Text,
    event: Option<EventTypeId>,
) -> Result<ValueExpr, Vec<Report>> {
    rules.compiler.value(text.as_str(), event).map_err(|found| language_reports(&found, text))
}

fn compile_log(
    rules: &RuleCompiler<'_>,
    log: &LogDefinition,
    event: Option<EventTypeId>,
) -> Result<ActionEffect, Vec<Report>> {
    let written = log.message.as_ref().map_or("", Text::as_str);
    // A message is the inside of a string of the language.
    let literal = Expr { kind: ExprKind::Str(written.as_bytes().to_vec()), span: Span::default() };
    let message = rules.compiler.value(&literal.to_string(), event).map_err(|found| {
        let place = || match &log.message {
            Some(text) => Place::from(text),
            None => Place::File("".into()),
        };
        let reports = found.into_iter().map(|found| {
            let report = match found.code {
                // With its own code, as everywhere else.
                secl::Code::UnknownVariable => {
                    Report::language(Severity::Error, found.code.id(), place(), found.message)
                }
                _ => Report::error(codes::BAD_LOG, place(), found.message),
            };
            report.help(found.help)
        });
        reports.collect::<Vec<_>>()
    })?;
    Ok(ActionEffect::Log { level: log.level, message })
}

fn compile_kill(rules: &RuleCompiler<'_>, kill: &KillDefinition) -> Result<ActionEffect, Vec<Report>> {
    let name = kill.signal.as_str();
    let number = match rules.schema.constant(name) {
        Some(Value::Int(number)) if name.starts_with("SIG") => i32::try_from(number).ok(),
        _ => None,
    };
    let Some(signal) = number else {
        let message = format!("unsupported signal `{name}`");
        let help = "write the name of a signal, such as `SIGTERM` or `SIGKILL`".to_owned();
        return Err(vec![Report::error(codes::BAD_KILL, &kill.signal, message).help(help)]);
    };
    Ok(ActionEffect::Request(RequestKind::Kill {
        signal,
        name: name.to_owned(),
        scope: kill.scope,
        disable_container_disarmer: kill.disable_container_disarmer,
        disable_executable_disarmer: kill.disable_executable_disarmer,
    }))
}

fn compile_hash(
    rules: &RuleCompiler<'_>,
    hash: &HashDefinition,
    action: &ActionDefinition,
    event: Option<EventTypeId>,
) -> Result<ActionEffect, Vec<Report>> {
    // Which file is meant cannot be told while the type of the event is unknown.
    let event_name = event.map_or("unknown", |event| rules.schema.event_type_name(event));
    let prefix = match (&hash.field, event_name) {
        (Some(field), _) => field.as_str().to_owned(),
        (None, "exec" | "open") => format!("{event_name}.file"),
        (None, _) if event.is_none() => return Err(Vec::new()),
        (None, _) => {
            let message = format!("a `hash` action of a rule about {event_name} events needs a `field`");
            return Err(vec![Report::error(codes::BAD_HASH, action.at, message)]);
        }
    };
    let wrong = |message: String| {
        vec![match &hash.field {
            Some(field) => Report::error(codes::BAD_HASH, field, message),
            None => Report::error(codes::BAD_HASH, action.at, message),
        }]
    };
    let is_file = |leaf: &str| rules.schema.field(&format!("{prefix}.{leaf}"));
    match (is_file("path"), is_file("inode")) {
        (Some(path), Some(_)) if path.iterator.is_some() => {
            Err(wrong(format!("`{prefix}` is many files, name one")))
        }
        (Some(path), Some(_))
            if path.event.is_some_and(|other| event.is_some_and(|event| other != event)) =>
        {
            Err(wrong(format!("`{prefix}` is not a file of {event_name} events")))
        }
        (Some(_), Some(_)) => {
            Ok(ActionEffect::Request(RequestKind::Hash { file: prefix, max_file_size: hash.max_file_size }))
        }
        _ => Err(wrong(format!(
            "`{prefix}` is not a file; write the prefix of its fields, such as `process.file`"
        ))),
    }
}

fn coredump(dump: &CoreDumpDefinition) -> RequestKind {
    RequestKind::CoreDump {
        process: dump.process,
        mount: dump.mount,
        dentry: dump.dentry,
        no_compression: dump.no_compression,
    }
}

fn network_filter(filter: &NetworkFilterDefinition) -> RequestKind {
    RequestKind::NetworkFilter {
        filter: filter.filter.as_str().to_owned(),
        drop: filter.drop,
        cgroup: filter.cgroup,
    }
}
