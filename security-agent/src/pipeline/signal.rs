//! From a match to a report, and the actions that the agent itself can do.

use std::collections::BTreeMap;

use engine::policy::action::LogLevel;
use engine::{ActionRequest, Match, RequestKind};
use model::report::{MatchedOn, RuleMatch, Variables};
use model::{Event, lossy};
use secl::Value;
use serde_json::{Map, Value as Json, json};

use super::Config;
use crate::report::scrub::Scrubber;
use crate::report::terminal::Headline;
use crate::report::{Envelope, Report};

/// Longest text of a `log` action, characters.
const LOG_CHARS: usize = 2_000;
/// Conditions that a report explains, and the longest value it shows of each, characters.
const MAX_REASONS: usize = 64;
const VALUE_CHARS: usize = 1_000;

/// A report that may still be added to.
#[derive(Debug)]
pub(super) struct Draft {
    rule_id: String,
    /// All that it says.
    pub(super) map: Map<String, Json>,
    line: Option<String>,
    envelope: Envelope,
}

impl Draft {
    /// The report.
    pub(super) fn finish(self) -> Report {
        let Self { rule_id, map, line, envelope } = self;
        Report { rule_id, json: Json::Object(map).to_string(), line, envelope }
    }
}

/// The report of a match.
pub(super) fn draft(event: &Event, matched: &Match, variables: Vec<(&str, Value)>, config: &Config) -> Draft {
    let rule = &matched.rule;
    let tags: Vec<String> = rule.tags.iter().map(|(key, value)| format!("{key}:{value}")).collect();
    let line = config.style.map(|style| {
        let headline = Headline { rule_id: &rule.id, description: &rule.description, tags: &tags };
        style.signal(headline, event, &config.scrubber)
    });
    // Rules of one group are one rule to whoever counts reports.
    let is_grouped = !rule.group_id.is_empty() && rule.group_id != rule.id;
    let rule_match = RuleMatch {
        rule_id: if is_grouped { rule.group_id.clone() } else { rule.id.clone() },
        original_rule_id: if is_grouped { rule.id.clone() } else { String::new() },
        rule_version: rule.version.clone(),
        description: rule.description.clone(),
        policy_name: rule.policy_name.clone(),
        policy_version: rule.policy_version.clone(),
        tags,
        expression: rule.expression.clone(),
        matched_on: matched_on(matched, &config.scrubber),
        actions: matched.actions.iter().filter_map(action).collect(),
        variables: by_scope(variables),
    };
    let map = model::report::report(event, &rule_match, &config.agent, &config.scrubber);
    let envelope = envelope(event, &map);
    Draft { rule_id: rule.id.clone(), map, line, envelope }
}

/// What an intake is told beside the report `map`: its tags are those of the report and of the container.
fn envelope(event: &Event, map: &Map<String, Json>) -> Envelope {
    let mut tags = map.get("ddtags").and_then(Json::as_str).unwrap_or_default().to_owned();
    let container = event.process.container.as_ref().and_then(|container| container.metadata.get());
    let mut service = lossy(&event.context.service).into_owned();
    for tag in container.iter().flat_map(|metadata| metadata.tags.iter()) {
        let tag = lossy(tag);
        if service.is_empty()
            && let Some(of_container) = tag.strip_prefix("service:")
        {
            of_container.clone_into(&mut service);
        }
        tags.push(',');
        // A comma within a value would begin a tag.
        tags.extend(tag.chars().map(|c| if c == ',' || c.is_control() { '_' } else { c }));
    }
    Envelope {
        time_ns: event.context.timestamp,
        hostname: lossy(&event.context.hostname).into_owned(),
        service,
        tags,
        is_own: false,
    }
}

/// The conditions that decided, with the values that they saw.
fn matched_on(matched: &Match, scrubber: &Scrubber) -> Vec<MatchedOn> {
    let mut shown = Vec::new();
    for reason in matched.reasons.iter().take(MAX_REASONS) {
        // A condition of an expression that stands for the rule's own stands nowhere in that.
        let (offset, length) = reason.offset.map_or((0, 0), |offset| (offset, reason.condition.len()));
        for (field, value) in &reason.values {
            let text = scrubber.text(&to_text(value));
            let value = text.chars().take(VALUE_CHARS).collect();
            shown.push(MatchedOn { offset, length, value, field: field.clone() });
        }
    }
    shown
}

fn to_text(value: &Value) -> String {
    match to_json(value) {
        Json::String(text) => text,
        other => other.to_string(),
    }
}

/// Writes the lines of `log` actions to the agent's log.
pub(super) fn log_actions(actions: &[ActionRequest]) {
    for action in actions {
        let RequestKind::Log { level, message } = &action.kind else { continue };
        // Text of an event may be hostile to whoever reads the log.
        let message: String =
            crate::report::terminal::printable(&lossy(message)).chars().take(LOG_CHARS).collect();
        match level {
            LogLevel::Trace => tracing::trace!(target: "rule", "{message}"),
            LogLevel::Debug => tracing::debug!(target: "rule", "{message}"),
            LogLevel::Info => tracing::info!(target: "rule", "{message}"),
            LogLevel::Warning => tracing::warn!(target: "rule", "{message}"),
            LogLevel::Error => tracing::error!(target: "rule", "{message}"),
        }
    }
}

/// What a report says about an action. A `log` action shows in the log only.
fn action(request: &ActionRequest) -> Option<Json> {
    let mut map = Map::new();
    map.insert("type".into(), request.kind.name().into());
    match &request.kind {
        RequestKind::Log { .. } => return None,
        RequestKind::Kill { name, scope, .. } => {
            map.insert("signal".into(), name.as_str().into());
            map.insert("scope".into(), scope.name().into());
        }
        RequestKind::Hash { file, .. } => {
            map.insert("field".into(), file.as_str().into());
        }
        RequestKind::CoreDump { .. } => {}
        RequestKind::NetworkFilter { filter, .. } => {
            map.insert("filter".into(), filter.as_str().into());
        }
    }
    map.insert("status".into(), "not_performed".into());
    if !request.supported {
        map.insert("reason".into(), "not supported by this agent".into());
    }
    Some(Json::Object(map))
}

/// Variables by the scope that their names begin with.
fn by_scope(variables: Vec<(&str, Value)>) -> Variables {
    let mut scopes: BTreeMap<&str, Map<String, Json>> = BTreeMap::new();
    for (name, value) in variables {
        let (scope, name) = match name.split_once('.') {
            Some((scope @ ("process" | "container" | "cgroup"), name)) => (scope, name),
            _ => ("", name),
        };
        scopes.entry(scope).or_default().insert(name.to_owned(), to_json(&value));
    }
    let mut take = |scope: &str| scopes.remove(scope).unwrap_or_default();
    Variables {
        global: take(""),
        process: take("process"),
        container: take("container"),
        cgroup: take("cgroup"),
    }
}

fn to_json(value: &Value) -> Json {
    let text = |bytes: &[u8]| Json::from(lossy(bytes).into_owned());
    match value {
        Value::Int(value) => (*value).into(),
        Value::Bool(value) => (*value).into(),
        Value::Str(value) => text(value),
        Value::Ip(value) => json!(value.to_string()),
        Value::Ints(values) => json!(values),
        Value::Bools(values) => json!(values),
        Value::Strs(values) => values.iter().map(|value| text(value)).collect(),
        Value::Ips(values) => values.iter().map(|value| Json::from(value.to_string())).collect(),
    }
}
