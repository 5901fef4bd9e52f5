//! The stable codes of diagnostics about policies. A code is never reused for something else.
//!
//! Codes that start with `P` are about policy files and are listed here; the others are those of the rule language.

/// What a diagnostic is about, in a form that scripts can rely on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Code {
    /// The code: a letter and three digits.
    pub id: &'static str,
    /// What it means, in a few words.
    pub title: &'static str,
}

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $id:literal, $title:literal;)+) => {
        $($(#[doc = $doc])+ pub const $name: Code = Code { id: $id, title: $title };)+
        /// Every code, in the order of the ids.
        pub const ALL: &[Code] = &[$($name),+];
    };
}

codes! {
    /// The directory or a file of it cannot be read.
    UNREADABLE = "P001", "unreadable policy file";
    /// The file is larger than [`crate::limits::FILE_BYTES`], or there are too many files.
    TOO_LARGE = "P002", "policy file beyond the limits";
    /// The file is not UTF-8.
    NOT_UTF8 = "P003", "policy file is not UTF-8";
    /// The file is not YAML, or beyond the limits of [`crate::limits`].
    BAD_YAML = "P004", "policy file is not YAML";
    /// The file holds no YAML document, or one that is no mapping.
    NO_DOCUMENT = "P005", "policy file without a policy";
    /// The policy has neither rules nor macros.
    EMPTY_POLICY = "P006", "empty policy";
    /// A key has a value of the wrong type.
    WRONG_TYPE = "P007", "value of the wrong type";
    /// A key that means nothing here. A warning: the reference ignores it.
    UNKNOWN_KEY = "P008", "unknown key";
    /// More rules, macros, actions … than [`crate::limits`] allows.
    TOO_MANY = "P009", "too many items";
    /// A rule or macro without an `id`.
    NO_ID = "P010", "missing id";
    /// An `id` with characters other than letters, digits and `_`.
    BAD_ID = "P011", "malformed id";
    /// A rule that is not disabled and overrides nothing needs an `expression`.
    NO_EXPRESSION = "P012", "missing expression";
    /// The same id again, without `combine`: the first definition stays. A warning.
    DUPLICATE = "P013", "duplicate definition";
    /// An id that the agent uses for its own events.
    RESERVED_ID = "P014", "reserved rule id";
    /// `combine` is neither `merge` nor `override`, or not for this.
    BAD_COMBINE = "P015", "wrong combine";
    /// `override_options.fields` names something else than the fields that can be overridden.
    BAD_OVERRIDE = "P016", "wrong override field";
    /// An `agent_version` that is no version constraint.
    BAD_VERSION = "P017", "malformed agent version constraint";
    /// A `filters` expression that does not compile.
    BAD_FILTER = "P018", "wrong filter";
    /// A macro with both `expression` and `values`, or with none.
    BAD_MACRO = "P019", "wrong macro";
    /// A duration that is none.
    BAD_DURATION = "P020", "malformed duration";
    /// A `limiter_token` field that is none, or belongs to another event.
    BAD_LIMITER = "P021", "wrong limiter token";
    /// A macro with the name of a constant: where the name is used, the constant wins. A warning.
    HIDDEN_MACRO = "P022", "macro hidden by a constant";
    /// An action without, or with several, of the known sections.
    BAD_ACTION = "P030", "wrong action";
    /// A `set` action that cannot work.
    BAD_SET = "P031", "wrong set action";
    /// The type of a variable cannot be told, or is not supported.
    VARIABLE_TYPE = "P032", "variable without a usable type";
    /// Two `set` actions give a variable different types or options.
    VARIABLE_CONFLICT = "P033", "conflicting definitions of a variable";
    /// A variable has the name of a field or constant.
    VARIABLE_NAME = "P034", "variable name is taken";
    /// A scope that does not exist, or does not fit.
    BAD_SCOPE = "P035", "wrong variable scope";
    /// A field that does not exist, or belongs to another event.
    BAD_FIELD = "P036", "wrong field in an action";
    /// A `kill` action that cannot work.
    BAD_KILL = "P037", "wrong kill action";
    /// A `hash` action that cannot work.
    BAD_HASH = "P038", "wrong hash action";
    /// A `log` action that cannot work.
    BAD_LOG = "P039", "wrong log action";
    /// A `network_filter` action that cannot work.
    BAD_NETWORK_FILTER = "P040", "wrong network filter action";
    /// A `coredump` action that cannot work.
    BAD_COREDUMP = "P041", "wrong coredump action";
    /// The rule's event type is switched off. A warning: the rule is skipped.
    EVENT_DISABLED = "P050", "event type not enabled";
    /// The rule names no event, only fields that every event has.
    NO_EVENT = "P051", "rule without an event";
    /// An action that this agent cannot carry out. A warning: the rule loads, the action is reported as unsupported.
    UNSUPPORTED_ACTION = "P052", "unsupported action";
    /// Others than root and the agent's user can change the policies. A warning: they load.
    EXPOSED = "P053", "policy that others can change";
    /// `event.rule.tags` compared with something other than literals.
    TAGS_NOT_LITERAL = "P054", "tags compared with a value of the event";
    /// A field that this agent never gives a value. A warning: the rule loads, but what it asks of the field never holds.
    NEVER_FILLED = "P055", "field without a value";
    /// A `tests` entry that cannot be read.
    BAD_TEST = "P060", "wrong test";
}

#[cfg(test)]
mod tests {
    use super::ALL;

    #[test]
    fn codes_are_ordered_and_unique() {
        assert!(ALL.windows(2).all(|pair| pair[0].id < pair[1].id));
    }
}
