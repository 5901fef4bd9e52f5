//! Reads the `actions` of a rule.

use secl::Value as SeclValue;
use suggest::did_you_mean;

use super::super::Literal;
use super::super::action::{
    ActionDefinition, ActionKind, CoreDumpDefinition, HashDefinition, KillDefinition, KillScope,
    LogDefinition, LogLevel, NetworkFilterDefinition, Scope, SetDefinition, SetSource,
};
use super::fields::Fields;
use crate::diagnostic::{Place, Report, codes};
use crate::limits;
use crate::yaml::{Entry, Node, Value};

/// The keys of which an action has exactly one.
const SECTIONS: [&str; 6] = ["set", "kill", "hash", "log", "coredump", "network_filter"];

/// Reads one action; `None` if something is wrong with it, which has been reported then.
pub(super) fn read(fields: &mut Fields<'_, '_>, node: &Node) -> Option<ActionDefinition> {
    let Value::Map(entries) = &node.value else {
        fields.wrong_type("actions", node, "a list of mappings");
        return None;
    };
    let mut action = fields.nested("rule action", entries);
    let filter = action.text("filter").filter(|text| !text.as_str().trim().is_empty());
    // `hash:` with nothing below hashes the event's own file: a present key counts, even if it is null.
    let present: Vec<&Entry> =
        entries.iter().filter(|entry| SECTIONS.contains(&entry.key.as_str())).collect();
    let [section] = present.as_slice() else {
        let message = match present.is_empty() {
            true => {
                "an action needs one of `set`, `kill`, `hash`, `log`, `coredump`, `network_filter`".to_owned()
            }
            false => format!("an action does one thing, this one has {} sections", present.len()),
        };
        let unknown = entries.iter().map(|entry| entry.key.as_str()).find(|key| *key != "filter");
        let help = unknown.filter(|_| present.is_empty()).and_then(|key| did_you_mean(key, SECTIONS));
        action.report(Report::error(codes::BAD_ACTION, node.at, message).help(help));
        return None;
    };
    let body: &[Entry] = match &section.value.value {
        Value::Map(body) => body,
        Value::Null if section.key.as_str() == "hash" => &[],
        _ => {
            action.wrong_type(section.key.as_str(), &section.value, "a mapping");
            return None;
        }
    };
    let kind = match section.key.as_str() {
        "set" => set(action.nested("set action", body), section),
        "kill" => kill(action.nested("kill action", body), section),
        "hash" => Some(hash(action.nested("hash action", body))),
        "log" => log(action.nested("log action", body), section),
        "coredump" => coredump(action.nested("coredump action", body), section),
        _ => network_filter(action.nested("network_filter action", body), section),
    };
    let known: Vec<&str> = SECTIONS.iter().copied().chain(["filter"]).collect();
    action.finish(&known);
    Some(ActionDefinition { filter, kind: kind?, at: node.at })
}

const SET_KEYS: &[&str] = &[
    "name",
    "value",
    "default_value",
    "field",
    "expression",
    "append",
    "scope",
    "scope_field",
    "size",
    "ttl",
    "private",
    "inherited",
];

fn set(mut fields: Fields<'_, '_>, section: &Entry) -> Option<ActionKind> {
    let scope_text = fields.text("scope").filter(|text| !text.as_str().is_empty());
    let scope = match &scope_text {
        None => Some(Scope::Global),
        Some(text) => fields.name(text, &Scope::NAMES, "scope", codes::BAD_SCOPE),
    };
    let name = fields.text("name").filter(|name| !name.as_str().is_empty());
    let value = literal(&mut fields, "value");
    let default_value = literal(&mut fields, "default_value");
    let field = fields.text("field").filter(|field| !field.as_str().is_empty());
    let expression = fields.text("expression").filter(|text| !text.as_str().trim().is_empty());
    let append = fields.flag("append");
    let scope_field = fields.text("scope_field").filter(|field| !field.as_str().is_empty());
    let size = fields.int("size").filter(|&size| size != 0);
    let ttl = fields.duration("ttl").filter(|&ttl| ttl > 0);
    let private = fields.flag("private");
    let inherited = fields.flag("inherited");

    if name.is_none() {
        fields.report(Report::error(codes::BAD_SET, &section.key, "the variable has no `name`"));
    }
    // What is wrong is told at the name or, without one, at the action.
    let subject = name.as_ref().unwrap_or(&section.key);
    let bad = |message: &str| Report::error(codes::BAD_SET, subject, message.to_owned());
    if name.as_ref().is_some_and(|name| !is_variable_name(name.as_str())) {
        fields.report(bad("a variable's name may only hold letters, digits, `_` and `.`"));
    }
    let source = match (value, field, expression) {
        (Given::Value(value), None, None) => Some(SetSource::Value(value)),
        (Given::Nothing, Some(field), None) => Some(SetSource::Field(field)),
        (Given::Nothing, None, Some(expression)) => {
            if matches!(default_value, Given::Nothing) {
                let message = format!(
                    "the type of `{}` cannot be told from an `expression`, please set `default_value`",
                    subject.as_str()
                );
                fields.report(Report::error(codes::VARIABLE_TYPE, subject, message));
            }
            Some(SetSource::Expression(expression))
        }
        (Given::Unusable, ..) => None,
        _ => {
            fields.report(bad("exactly one of `value`, `field` and `expression` must be given"));
            None
        }
    };
    if inherited && scope.is_some_and(|scope| scope != Scope::Process) {
        let message = "only variables of scope `process` can be inherited";
        fields.report(Report::error(codes::BAD_SCOPE, subject, message));
    }
    if let Some(field) = &scope_field
        && scope.is_some_and(|scope| scope != Scope::Process)
    {
        let message = "only variables of scope `process` can have a `scope_field`";
        fields.report(Report::error(codes::BAD_SCOPE, field, message));
    }
    let size = match size {
        None => None,
        Some(size) => match usize::try_from(size) {
            Ok(size) => Some(size.min(limits::LIST_ELEMENTS)),
            Err(_) => {
                fields.report(bad("`size` must not be negative"));
                None
            }
        },
    };
    fields.finish(SET_KEYS);
    let has_type = !matches!((&source, &default_value), (Some(SetSource::Expression(_)), Given::Nothing));
    let default_value = match default_value {
        Given::Nothing => None,
        Given::Value(value) => Some(value),
        Given::Unusable => return None,
    };
    Some(ActionKind::Set(SetDefinition {
        name: name?,
        source: source.filter(|_| has_type)?,
        default_value,
        append,
        scope: scope?,
        scope_field,
        ttl,
        size,
        private,
        inherited,
    }))
}

/// A name that `${…}` can hold.
fn is_variable_name(name: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
    name.chars().all(legal) && !name.starts_with('.') && !name.ends_with('.') && !name.ends_with(".length")
}

/// A key that holds a value.
enum Given {
    Nothing,
    Value(Literal),
    Unusable,
}

/// A boolean, an integer, a string, or a list of integers or strings. Whatever else is there is reported.
fn literal(fields: &mut Fields<'_, '_>, key: &'static str) -> Given {
    let Some(node) = fields.get(key) else { return Given::Nothing };
    let value = match &node.value {
        Value::Bool(value, _) => SeclValue::Bool(*value),
        Value::Int(value, _) => SeclValue::Int(*value),
        Value::Text(text) => SeclValue::Str(text.as_str().as_bytes().to_vec()),
        Value::List(items) => match list(items) {
            Ok(value) => value,
            Err(message) => {
                fields.report(Report::error(codes::VARIABLE_TYPE, node.at, message));
                return Given::Unusable;
            }
        },
        Value::Null | Value::Map(_) => {
            fields.wrong_type(key, node, "a boolean, an integer, a string or a list");
            return Given::Unusable;
        }
    };
    Given::Value(Literal { value, at: node.at })
}

fn list(items: &[Node]) -> Result<SeclValue, String> {
    let ints =
        || items.iter().map(|node| if let Value::Int(value, _) = node.value { Some(value) } else { None });
    let strings =
        || items.iter().map(|node| if let Value::Text(text) = &node.value { Some(text) } else { None });
    if items.len() > limits::LIST_ELEMENTS {
        return Err(format!("a list has at most {} elements", limits::LIST_ELEMENTS));
    }
    match items.first().map(|node| &node.value) {
        None => return Err("the type of an empty list cannot be told".to_owned()),
        Some(Value::Int(..)) => ints().collect::<Option<Vec<_>>>().map(SeclValue::Ints),
        Some(Value::Text(_)) => strings()
            .map(|text| text.map(|text| text.as_str().as_bytes().to_vec()))
            .collect::<Option<Vec<_>>>()
            .map(SeclValue::Strs),
        Some(other) => {
            return Err(format!("a list of integers or strings is needed, this holds {}", other.kind()));
        }
    }
    .ok_or_else(|| "the elements of a list must have one type".to_owned())
}

fn kill(mut fields: Fields<'_, '_>, section: &Entry) -> Option<ActionKind> {
    let scopes =
        [("process", KillScope::Process), ("container", KillScope::Container), ("cgroup", KillScope::Cgroup)];
    let scope = match fields.text("scope").filter(|text| !text.as_str().is_empty()) {
        None => Some(KillScope::Process),
        Some(text) => fields.name(&text, &scopes, "scope", codes::BAD_KILL),
    };
    let signal = fields.text("signal").filter(|signal| !signal.as_str().is_empty());
    if signal.is_none() {
        fields.report(Report::error(codes::BAD_KILL, &section.key, "a `kill` action needs a `signal`"));
    }
    let disable_container_disarmer = fields.flag("disable_container_disarmer");
    let disable_executable_disarmer = fields.flag("disable_executable_disarmer");
    // Disarmers per rule (7.60 to 7.65) gave way to the two switches; the agent's configuration sets their numbers.
    fields.finish(&[
        "signal",
        "scope",
        "disable_container_disarmer",
        "disable_executable_disarmer",
        "disarmer",
    ]);
    Some(ActionKind::Kill(KillDefinition {
        signal: signal?,
        scope: scope?,
        disable_container_disarmer,
        disable_executable_disarmer,
    }))
}

fn hash(mut fields: Fields<'_, '_>) -> ActionKind {
    let field = fields.text("field").filter(|field| !field.as_str().is_empty());
    let max_file_size =
        fields.int("max_file_size").and_then(|size| u64::try_from(size).ok()).filter(|&size| size > 0);
    fields.finish(&["field", "max_file_size"]);
    ActionKind::Hash(HashDefinition { field, max_file_size })
}

fn log(mut fields: Fields<'_, '_>, section: &Entry) -> Option<ActionKind> {
    let levels = [
        ("trace", LogLevel::Trace),
        ("debug", LogLevel::Debug),
        ("info", LogLevel::Info),
        ("warning", LogLevel::Warning),
        ("warn", LogLevel::Warning),
        ("error", LogLevel::Error),
        ("critical", LogLevel::Error),
    ];
    let level = fields.text("level").filter(|level| !level.as_str().is_empty());
    let message = fields.text("message");
    let level = match level {
        None => {
            fields.report(Report::error(codes::BAD_LOG, &section.key, "a `log` action needs a `level`"));
            None
        }
        Some(level) => fields.name(&level, &levels, "level", codes::BAD_LOG),
    };
    fields.finish(&["level", "message"]);
    Some(ActionKind::Log(LogDefinition { level: level?, message }))
}

fn coredump(mut fields: Fields<'_, '_>, section: &Entry) -> Option<ActionKind> {
    let definition = CoreDumpDefinition {
        process: fields.flag("process"),
        mount: fields.flag("mount"),
        dentry: fields.flag("dentry"),
        no_compression: fields.flag("no_compression"),
    };
    if !(definition.process || definition.mount || definition.dentry) {
        let message = "a `coredump` action needs one of `process`, `mount`, `dentry`";
        fields.report(Report::error(codes::BAD_COREDUMP, &section.key, message));
    }
    fields.finish(&["process", "mount", "dentry", "no_compression"]);
    (definition.process || definition.mount || definition.dentry).then_some(ActionKind::CoreDump(definition))
}

fn network_filter(mut fields: Fields<'_, '_>, section: &Entry) -> Option<ActionKind> {
    let code = codes::BAD_NETWORK_FILTER;
    let filter = fields.text("filter").filter(|filter| !filter.as_str().trim().is_empty());
    if filter.is_none() {
        fields.report(Report::error(code, &section.key, "a `network_filter` action needs a `filter`"));
    }
    if let Some(text) = &filter
        && let Err(error) = pcap_filter::Filter::parse(text.as_str())
    {
        let place = Place::In(text.clone(), error.span.start, error.span.end);
        let message = format!("wrong packet filter: {}", error.message);
        fields.report(Report::error(code, place, message).help(error.help));
    }
    let drop = fields.choice("policy", &[("drop", true), ("accept", false)], code);
    let cgroup = fields.choice("scope", &[("process", false), ("cgroup", true)], code);
    fields.finish(&["filter", "policy", "scope"]);
    Some(ActionKind::NetworkFilter(NetworkFilterDefinition {
        filter: filter?,
        drop: drop.unwrap_or(true),
        cgroup: cgroup.unwrap_or(false),
    }))
}
