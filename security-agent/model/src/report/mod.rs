//! The report of an event: the JSON that is sent when a rule matched.
//!
//! Member names are those of CWS. Bytes that are not UTF-8 are written as `\xHH` (see [`crate::lossy`]). Numbers that cannot
//! be 0 (inodes, modes, mounts) and times are left out where they are not known. Constants are written by name.

mod call;
mod event;
mod file;
mod isolation;
mod kernel;
mod network;
pub(crate) mod object;
mod process;
#[cfg(test)]
mod reference;
mod schema;
mod time;

use serde_json::{Map, Value as Json};

use crate::event::Event;

pub use schema::schema;
pub use time::rfc3339;

/// What an agent says about itself in every report.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AgentInfo {
    /// Version of the agent.
    pub version: String,
    /// Release of the kernel; empty: unknown.
    pub kernel_version: String,
    /// Name of the distribution; empty: unknown.
    pub distribution: String,
    /// Tags of the host, `key:value` each.
    pub tags: Vec<String>,
}

/// What a rule that matched adds to a report.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RuleMatch {
    /// Id of the rule, which groups reports (the `group_id` of the rule if it has one).
    pub rule_id: String,
    /// Id of the rule as written in the policy, where it differs; empty: it does not.
    pub original_rule_id: String,
    /// Version of the rule; empty: none.
    pub rule_version: String,
    /// Description of the rule: the title of the report.
    pub description: String,
    /// Name of the policy.
    pub policy_name: String,
    /// Version of the policy; empty: none.
    pub policy_version: String,
    /// Tags of the rule.
    pub tags: Vec<String>,
    /// The expression of the rule; empty: it is not told.
    pub expression: String,
    /// The parts of the expression that decided.
    pub matched_on: Vec<MatchedOn>,
    /// What the actions of the rule did.
    pub actions: Vec<Json>,
    /// The variables there are.
    pub variables: Variables,
}

/// A part of a rule that decided that it matched.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MatchedOn {
    /// Where it begins in the expression, in bytes.
    pub offset: usize,
    /// Its length in bytes.
    pub length: usize,
    /// The value it saw.
    pub value: String,
    /// The field that has the value; empty: none.
    pub field: String,
}

/// Variables by scope; those that are private are not among them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Variables {
    /// Of the whole agent.
    pub global: Map<String, Json>,
    /// Of the process of the event.
    pub process: Map<String, Json>,
    /// Of its container.
    pub container: Map<String, Json>,
    /// Of its control group.
    pub cgroup: Map<String, Json>,
}

/// Hides secrets in reports. Rules see what was there.
pub trait Scrub {
    /// The arguments of a program, without the first one, as they may be told.
    fn arguments(&self, arguments: Vec<String>) -> Vec<String>;
}

/// Hides nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoScrub;

impl Scrub for NoScrub {
    fn arguments(&self, arguments: Vec<String>) -> Vec<String> {
        arguments
    }
}

/// What the members of a report are made from besides the event.
pub(crate) struct Scope<'a> {
    pub(crate) agent: &'a AgentInfo,
    pub(crate) rule: Option<&'a RuleMatch>,
    pub(crate) scrub: &'a dyn Scrub,
}

impl Scope<'_> {
    /// The variables of one scope, unless there are none.
    fn variables(&self, scope: impl Fn(&Variables) -> &Map<String, Json>) -> Option<Map<String, Json>> {
        self.rule.map(|rule| scope(&rule.variables)).filter(|variables| !variables.is_empty()).cloned()
    }
}

/// The report of an event for a rule that matched it.
pub fn report(event: &Event, rule: &RuleMatch, agent: &AgentInfo, scrub: &dyn Scrub) -> Map<String, Json> {
    event::REPORT.write_map(event, &Scope { agent, rule: Some(rule), scrub })
}

/// An event as a report shows it, without a rule: for debugging and for events that the agent makes itself.
pub fn event(event: &Event, agent: &AgentInfo, scrub: &dyn Scrub) -> Map<String, Json> {
    event::EVENT.write_map(event, &Scope { agent, rule: None, scrub })
}

/// The `agent` member of a report: for messages that have no event.
pub fn agent(rule: &RuleMatch, agent: &AgentInfo) -> Json {
    event::AGENT.write(rule, &Scope { agent, rule: Some(rule), scrub: &NoScrub })
}

/// The `evt` member of a report for messages that have no event. They always succeed.
pub fn own_event(name: &str) -> Json {
    serde_json::json!({ "name": name, "category": "Custom", "outcome": "Success" })
}

/// The tags of a report: of its rule, of its type, of the host. Joined by commas, as the intake takes them.
pub fn tags<'a>(rule: &'a RuleMatch, event: &'a str, agent: &'a AgentInfo) -> String {
    let own = [format!("rule_id:{}", rule.rule_id), format!("type:{event}")];
    let all: Vec<&str> = own.iter().chain(&rule.tags).chain(&agent.tags).map(String::as_str).collect();
    all.join(",")
}

fn text(bytes: &[u8]) -> Option<String> {
    (!bytes.is_empty()).then(|| crate::lossy(bytes).into_owned())
}

fn string(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn texts(list: &crate::TextList) -> Option<Vec<String>> {
    (!list.is_empty()).then(|| list.iter().map(|element| crate::lossy(element).into_owned()).collect())
}

fn non_zero(number: impl Into<i64>) -> Option<i64> {
    Some(number.into()).filter(|number| *number != 0)
}

fn non_zero_u64(number: u64) -> Option<i64> {
    non_zero(number.cast_signed())
}

fn yes(flag: bool) -> Option<bool> {
    flag.then_some(true)
}

fn hex(address: u64) -> String {
    format!("{address:#x}")
}

fn flags(group: &crate::constants::Group, value: impl Into<i64>) -> String {
    group.flag_names(value.into()).join(" | ")
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
