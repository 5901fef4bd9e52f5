//! What became of each rule and policy of a load.

use serde::Serialize;

/// What became of a rule definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleStatus {
    /// It is in force.
    Loaded,
    /// It is well, but not in force here, and this is why.
    Skipped {
        /// What decided that: `agent_version`, `rule_filter`, `disabled`, `duplicate`, `event_type`.
        by: &'static str,
        /// Why, for people.
        reason: String,
    },
    /// It changed another definition of its id.
    Merged,
    /// It is wrong; the diagnostics say how.
    Error {
        /// The first thing that is wrong.
        message: String,
    },
}

/// A rule definition and what became of it.
#[derive(Clone, Debug)]
pub struct RuleOutcome {
    /// The id; empty if it has none.
    pub id: String,
    /// The rule's version.
    pub version: String,
    /// The expression as written.
    pub expression: String,
    /// What became of it.
    pub status: RuleStatus,
    /// `agent_version` as written.
    pub agent_version: String,
    /// `filters` as written.
    pub filters: Vec<String>,
    /// `tags`.
    pub tags: Vec<(String, String)>,
    /// `product_tags`.
    pub product_tags: Vec<String>,
    /// The actions' names.
    pub actions: Vec<&'static str>,
    /// The policies that changed it.
    pub modified_by: Vec<String>,
}

/// A policy file and what became of it.
#[derive(Clone, Debug, Default)]
pub struct PolicyOutcome {
    /// Name of the file.
    pub name: String,
    /// Its `version`.
    pub version: String,
    /// `default` or `custom`.
    pub kind: &'static str,
    /// Why nothing of it is loaded, if that is so.
    pub error: Option<String>,
    /// Its rules, in the order of the file.
    pub rules: Vec<RuleOutcome>,
}

/// How many rules fared how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RuleCounts {
    /// Rules in force.
    pub loaded: usize,
    /// Rules that are not in force here.
    pub skipped: usize,
    /// Rules, macros and files that are wrong.
    pub errors: usize,
}
