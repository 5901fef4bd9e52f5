//! What a load of policies came to, as `ruleset_loaded` and `heartbeat` tell it.

use engine::ruleset::{PolicyOutcome, RuleOutcome, RuleStatus};
use serde_json::{Map, Value as Json, json};

/// The policies with their rules: the `policies` member of `ruleset_loaded`.
#[must_use]
pub fn policies(outcomes: &[PolicyOutcome]) -> Json {
    outcomes.iter().map(policy).collect()
}

/// Name and version of a policy: the `policy` member of `heartbeat`.
#[must_use]
pub fn policy_name(outcome: &PolicyOutcome) -> Json {
    json!({ "name": outcome.name, "version": outcome.version })
}

fn policy(outcome: &PolicyOutcome) -> Json {
    let is_wrong = |rule: &RuleOutcome| matches!(rule.status, RuleStatus::Error { .. });
    let status = match &outcome.error {
        Some(_) => "error",
        None if outcome.rules.iter().any(is_wrong) => "partially_loaded",
        None => "loaded",
    };
    let mut map = Map::new();
    map.insert("name".into(), outcome.name.clone().into());
    add(&mut map, "version", &outcome.version);
    map.insert("source".into(), "file".into());
    map.insert("type".into(), outcome.kind.into());
    map.insert("status".into(), status.into());
    add(&mut map, "message", outcome.error.as_deref().unwrap_or_default());
    map.insert("rules".into(), outcome.rules.iter().map(rule).collect());
    Json::Object(map)
}

fn rule(outcome: &RuleOutcome) -> Json {
    let (status, filter_type, message) = match &outcome.status {
        RuleStatus::Loaded => ("loaded", "", ""),
        RuleStatus::Merged => ("merged", "", ""),
        RuleStatus::Skipped { by, reason } => ("filtered", *by, reason.as_str()),
        RuleStatus::Error { message } => ("error", "", message.as_str()),
    };
    let mut map = Map::new();
    map.insert("id".into(), outcome.id.clone().into());
    add(&mut map, "version", &outcome.version);
    add(&mut map, "expression", &outcome.expression);
    map.insert("status".into(), status.into());
    add(&mut map, "filter_type", filter_type);
    add(&mut map, "message", message);
    add(&mut map, "agent_version", &outcome.agent_version);
    add_list(&mut map, "filters", outcome.filters.iter().map(String::as_str));
    let tags: Map<String, Json> =
        outcome.tags.iter().map(|(key, value)| (key.clone(), value.clone().into())).collect();
    if !tags.is_empty() {
        map.insert("tags".into(), tags.into());
    }
    add_list(&mut map, "product_tags", outcome.product_tags.iter().map(String::as_str));
    add_list(&mut map, "actions", outcome.actions.iter().copied());
    add_list(&mut map, "modified_by", outcome.modified_by.iter().map(String::as_str));
    Json::Object(map)
}

/// Adds a member unless it would be empty.
fn add(map: &mut Map<String, Json>, name: &str, value: &str) {
    if !value.is_empty() {
        map.insert(name.to_owned(), value.into());
    }
}

fn add_list<'a>(map: &mut Map<String, Json>, name: &str, values: impl Iterator<Item = &'a str>) {
    let values: Vec<Json> = values.map(Json::from).collect();
    if !values.is_empty() {
        map.insert(name.to_owned(), values.into());
    }
}
