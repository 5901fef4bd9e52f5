//! What the kernel may drop: filters for system-probe, derived from the loaded rules.
//!
//! The rules about one kind of events are split into alternatives, of which an event has to satisfy one for any rule to
//! match, as far as what the kernel sees can tell ([`proto::filter`]). What the kernel cannot see is left out, so a filter
//! lets through more than rules match and never less.

mod fields;
mod join;
mod needs;
mod packets;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use engine::ruleset::RuleSet;
use model::EventKind;
use proto::filter::{capability, limits};
use proto::v1::Filter;
use proto::wire::Kind;
use secl::partial;
use serde_json::{Value as Json, json};

use self::fields::Fields;
use self::needs::Needs;

/// What is derived from the rules about one kind of events.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The kernel drops what this does not let through.
    Filter(Filter),
    /// Everything is sent, because of these rules: nothing that the kernel sees decides about them.
    Whole(Vec<String>),
}

/// Derives filters for `kinds`, events with the records that they are made from. Those that the kernel cannot filter are not
/// in the result.
#[must_use]
pub fn derive(
    rules: &RuleSet,
    kinds: impl IntoIterator<Item = (EventKind, Kind)>,
) -> BTreeMap<EventKind, Outcome> {
    let derived = kinds.into_iter().filter_map(|(event, kind)| {
        let judged = capability(kind)?;
        if judged.packet {
            return Some((event, packets::outcome(rules)));
        }
        let fields = Fields::of(event, judged);
        Some((event, outcome(rules, event, kind, &fields)))
    });
    derived.collect()
}

fn outcome(rules: &RuleSet, event: EventKind, kind: Kind, fields: &Fields) -> Outcome {
    let filterable = fields.filterable();
    let mut all = Vec::new();
    let mut blockers = Vec::new();
    for (rule, condition) in rules.rules_about(secl::EventTypeId(event as u16)) {
        let alternatives = partial::alternatives(condition, &filterable, limits::ALTERNATIVES);
        let needs: Vec<Needs> =
            alternatives.iter().flat_map(|alternative| fields.needs_of(alternative)).collect();
        if needs.iter().any(Needs::is_nothing) {
            if !blockers.iter().any(|known| known == rule) {
                blockers.push(rule.to_owned());
            }
        } else {
            all.extend(needs);
        }
    }
    if !blockers.is_empty() {
        return Outcome::Whole(blockers);
    }
    let joined = join::join(all, limits::ALTERNATIVES);
    if joined.iter().any(Needs::is_nothing) {
        // Only if there are very many, very different rules.
        return Outcome::Whole(Vec::new());
    }
    Outcome::Filter(Filter {
        kind: kind.number(),
        alternatives: joined.into_iter().map(Needs::into_wire).collect(),
    })
}

/// For `status`: by event, how it is filtered or which rules prevent that.
#[must_use]
pub fn status(outcomes: &BTreeMap<EventKind, Outcome>) -> Json {
    let shown = outcomes.iter().map(|(event, outcome)| {
        let shown = match outcome {
            Outcome::Filter(filter) => json!({ "alternatives": filter.alternatives.len() }),
            Outcome::Whole(rules) => json!({ "prevented_by": rules }),
        };
        (event.name().to_owned(), shown)
    });
    Json::Object(shown.collect())
}
