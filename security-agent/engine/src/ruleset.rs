//! Rule sets: policies that were read, combined and compiled.

mod action;
mod budget;
mod compile;
mod declare;
mod fim;
mod load;
mod outcome;
mod select;

use std::collections::BTreeSet;
use std::sync::Arc;

use secl::{EventTypeId, ValueExpr};

use crate::host::HostFacts;
use crate::limiter::Rate;
use crate::variables::VariableTable;
use crate::version::{COMPATIBILITY, Version};

pub(crate) use action::{Action, ActionEffect, SetAction, SetValue};
pub use load::{Load, load};
pub use outcome::{PolicyOutcome, RuleCounts, RuleOutcome, RuleStatus};

/// Ids that the agent uses for its own events; a policy cannot have rules of these names.
pub const RESERVED_IDS: &[&str] = &[
    "ruleset_loaded",
    "heartbeat",
    "lost_events",
    "lost_events_perf",
    "noisy_process",
    "abnormal_path",
    "self_test",
    "anomaly_detection",
    "internal_core_dump",
    "no_process_context",
    "broken_process_lineage",
    "ebpfless_disconnected",
    "failed_dns",
    "raw_packet_action",
    "event_server_stats",
    "remediation_status",
];

/// What the parts of the agent behind the engine can do with a match.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ActionSupport {
    /// `hash` actions.
    pub hash: bool,
    /// `kill` actions.
    pub kill: bool,
    /// `coredump` actions.
    pub coredump: bool,
    /// `network_filter` actions.
    pub network_filter: bool,
}

/// What a load depends on besides the files.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// Facts about the host, for `filters`.
    pub host: HostFacts,
    /// The version that `agent_version` is compared with.
    pub agent_version: Version,
    /// The types of events that can be watched; `None`: all.
    pub enabled_events: Option<BTreeSet<EventTypeId>>,
    /// Which actions can be carried out.
    pub actions: ActionSupport,
    /// How often a rule without `every` may report.
    pub rate: Rate,
}

impl Default for LoadOptions {
    fn default() -> Self {
        LoadOptions {
            host: HostFacts::default(),
            agent_version: COMPATIBILITY,
            enabled_events: None,
            actions: ActionSupport::default(),
            rate: Rate::default(),
        }
    }
}

/// What reports say about a rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleInfo {
    /// Its name.
    pub id: String,
    /// Its own version.
    pub version: String,
    /// What it is for.
    pub description: String,
    /// Its expression, as written.
    pub expression: String,
    /// `tags`, in the order of the file.
    pub tags: Vec<(String, String)>,
    /// `product_tags`.
    pub product_tags: Vec<String>,
    /// Name of the policy that defines it.
    pub policy_name: String,
    /// Version of that policy.
    pub policy_version: String,
    /// Links rules that are one to the user.
    pub group_id: String,
    /// Whether matches are not reported.
    pub silent: bool,
    /// Least time between two reports, in nanoseconds.
    pub every: Option<u64>,
}

/// A rule, compiled for one type of events.
///
/// A rule of the pseudo event `fim.write` becomes several of these, which share their [`RuleInfo`] and limiter.
#[derive(Debug)]
pub(crate) struct CompiledRule {
    /// What reports say about it.
    pub(crate) info: Arc<RuleInfo>,
    /// The rule's number, for its limiter.
    pub(crate) number: usize,
    /// The type of events it is about.
    pub(crate) event: EventTypeId,
    /// The expression of the condition, if it is not the rule's own.
    pub(crate) variant: Option<Box<str>>,
    /// Its condition.
    pub(crate) condition: secl::Rule,
    /// What is done when it matches.
    pub(crate) actions: Vec<Action>,
    /// The fields whose values choose the rate limit.
    pub(crate) limiter_token: Vec<ValueExpr>,
    /// How often it may report.
    pub(crate) rate: Rate,
}

impl CompiledRule {
    /// The expression of the condition.
    pub(crate) fn text(&self) -> &str {
        self.variant.as_deref().unwrap_or(&self.info.expression)
    }
}

/// All rules that are in force.
#[derive(Debug)]
pub struct RuleSet {
    /// In the order of evaluation: by falling priority, then in loading order.
    compiled: Vec<CompiledRule>,
    /// Finds the rules that an event satisfies.
    index: secl::RuleSet,
    variables: VariableTable,
    rules: Vec<Arc<RuleInfo>>,
    macros: Vec<String>,
}

impl Default for RuleSet {
    fn default() -> Self {
        RuleSet::new(Vec::new(), VariableTable::default(), Vec::new(), Vec::new())
    }
}

impl RuleSet {
    /// A rule set of these rules, which are in the order of evaluation.
    pub(crate) fn new(
        compiled: Vec<CompiledRule>,
        variables: VariableTable,
        rules: Vec<Arc<RuleInfo>>,
        macros: Vec<String>,
    ) -> Self {
        let index = secl::RuleSet::new(compiled.iter().map(|rule| &rule.condition));
        RuleSet { compiled, index, variables, rules, macros }
    }

    /// The types of events that its rules are about: what the probe has to watch.
    pub fn event_types(&self) -> BTreeSet<EventTypeId> {
        self.index.event_types().collect()
    }

    /// The types of events that a rule is about: one, or several for a rule about `fim.write`.
    pub fn event_types_of(&self, rule: &str) -> BTreeSet<EventTypeId> {
        self.compiled
            .iter()
            .filter(|compiled| compiled.info.id == rule)
            .map(|compiled| compiled.event)
            .collect()
    }

    /// All rules as compiled, in the order of evaluation.
    pub(crate) fn compiled(&self) -> &[CompiledRule] {
        &self.compiled
    }

    /// Finds the rules that an event satisfies.
    pub(crate) fn index(&self) -> &secl::RuleSet {
        &self.index
    }

    /// The rules that are about one type of events, with their compiled conditions: what kernel filters are derived from.
    pub fn rules_about(&self, event: EventTypeId) -> impl Iterator<Item = (&str, &secl::Rule)> {
        let about = self.compiled.iter().filter(move |rule| rule.event == event);
        about.map(|rule| (rule.info.id.as_str(), &rule.condition))
    }

    /// All rules, in loading order.
    pub fn rules(&self) -> &[Arc<RuleInfo>] {
        &self.rules
    }

    /// The names of the macros that are defined.
    pub fn macros(&self) -> &[String] {
        &self.macros
    }

    /// The variables that the rules declare.
    pub fn variables(&self) -> &VariableTable {
        &self.variables
    }
}
