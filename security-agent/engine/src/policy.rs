//! What policy files say, before anything is checked against events and fields.
//!
//! [`read`] turns the text of a file into these definitions. Every string keeps its place in the file.

pub mod action;
pub mod read;

use secl::Value;

use crate::text::Text;
use action::ActionDefinition;

/// Where a policy comes from, which decides how its definitions combine with others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PolicyKind {
    /// The policy that ships with the agent: `default.policy`.
    Default,
    /// A policy of the user.
    Custom,
}

impl PolicyKind {
    /// Name of the file that holds the default policy.
    pub const DEFAULT_FILE: &'static str = "default.policy";

    /// The kind of a policy file of this name.
    pub fn of_file(name: &str) -> Self {
        if name == Self::DEFAULT_FILE { PolicyKind::Default } else { PolicyKind::Custom }
    }

    /// The name used in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            PolicyKind::Default => "default",
            PolicyKind::Custom => "custom",
        }
    }
}

/// How a definition combines with an earlier one of the same id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Combine {
    /// The values are added to those of the earlier macro.
    Merge,
    /// It replaces the earlier one, or parts of it.
    Override,
}

/// A part of a rule that `override_options.fields` may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OverrideField {
    /// Everything.
    All,
    /// `expression`.
    Expression,
    /// `actions`.
    Actions,
    /// `every`.
    Every,
    /// `tags`.
    Tags,
    /// `product_tags`.
    ProductTags,
}

impl OverrideField {
    /// Every part with its name.
    pub const NAMES: [(&'static str, OverrideField); 6] = [
        ("all", OverrideField::All),
        ("expression", OverrideField::Expression),
        ("actions", OverrideField::Actions),
        ("every", OverrideField::Every),
        ("tags", OverrideField::Tags),
        ("product_tags", OverrideField::ProductTags),
    ];
}

/// What decides whether a definition applies to this agent and host.
#[derive(Clone, Debug, Default)]
pub struct Conditions {
    /// `agent_version`: a constraint on the version of the agent.
    pub agent_version: Option<Text>,
    /// `filters`: expressions over facts about the host, one of which must hold.
    pub filters: Vec<Text>,
}

/// A macro.
#[derive(Clone, Debug)]
pub struct MacroDefinition {
    /// Its name in expressions.
    pub id: Text,
    /// What it stands for.
    pub body: MacroBody,
    /// How it combines with an earlier macro of the same id.
    pub combine: Option<Combine>,
    /// Whether it applies here.
    pub conditions: Conditions,
}

/// What a macro stands for.
#[derive(Clone, Debug)]
pub enum MacroBody {
    /// An expression.
    Expression(Text),
    /// A list of values.
    Values(Vec<MacroValue>),
}

/// One of the `values` of a macro.
#[derive(Clone, Debug)]
pub enum MacroValue {
    /// A string, literal unless it is written like a pattern (`~"…"`) or regular expression (`r"…"`).
    Text(Text),
    /// An integer.
    Int(i64),
}

/// A rule.
#[derive(Clone, Debug)]
pub struct RuleDefinition {
    /// Its name.
    pub id: Text,
    /// The expression, which may be missing if the rule is disabled or overrides another.
    pub expression: Option<Text>,
    /// What it is for, free text.
    pub description: String,
    /// The rule's own `version`, free text.
    pub version: String,
    /// `tags`, in the order of the file.
    pub tags: Vec<(String, String)>,
    /// `product_tags`.
    pub product_tags: Vec<String>,
    /// Whether it applies here.
    pub conditions: Conditions,
    /// Whether it is switched off, or switches off the default rule of this id.
    pub disabled: bool,
    /// Whether it overrides an earlier rule of this id.
    pub combine: Option<Combine>,
    /// What it overrides; the expression if empty.
    pub override_fields: Vec<OverrideField>,
    /// What is done when it matches.
    pub actions: Vec<ActionDefinition>,
    /// Least time between two reports, in nanoseconds.
    pub every: Option<u64>,
    /// Fields whose values each have a rate limit of their own.
    pub limiter_token: Vec<Text>,
    /// Whether matches are not reported.
    pub silent: bool,
    /// Links rules that are one to the user.
    pub group_id: Option<Text>,
    /// Rules of the same event are evaluated in falling order of priority.
    pub priority: i64,
}

/// A test of a rule: an event and whether the rule must match it.
#[derive(Clone, Debug)]
pub struct TestDefinition {
    /// The rule that is tested.
    pub rule: Text,
    /// Events that come before, for rules that use variables.
    pub after: Vec<serde_json::Map<String, serde_json::Value>>,
    /// The event: field names and values.
    pub event: serde_json::Map<String, serde_json::Value>,
    /// Whether the rule must match the event.
    pub matches: bool,
    /// Why, free text for the person who sees it fail.
    pub why: String,
    /// Where the test stands.
    pub at: crate::source::Location,
}

/// A value written in a policy, with its place.
#[derive(Clone, Debug)]
pub struct Literal {
    /// The value: a boolean, an integer, a string, or a list of integers or strings.
    pub value: Value,
    /// Where it stands.
    pub at: crate::source::Location,
}
