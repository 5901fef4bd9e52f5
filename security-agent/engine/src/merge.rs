//! Combines the definitions of all policies: duplicates, overrides, merges, switched-off rules.
//!
//! The rules of the reference (7.60 and later):
//! - the first definition of a rule stays, a second one without `combine` changes nothing but whether the rule is on;
//! - a default rule that is on in N default policies needs N custom policies with `disabled: true` to be off;
//! - a rule that a custom policy defines and switches on cannot be switched off by another one without `combine`;
//! - `combine: override` replaces the expression, or what `override_options.fields` names, and decides whether the rule is
//!   on;
//! - macros of values are merged or replaced; a macro defined twice without `combine` is an error.

#[cfg(test)]
mod tests;

use std::collections::HashMap;

use crate::diagnostic::{Report, codes};
use crate::limits;
use crate::policy::{Combine, MacroBody, MacroDefinition, OverrideField, PolicyKind, RuleDefinition};

/// Identifies a rule definition of a load: the policy and the position in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Origin {
    /// Index of the policy.
    pub policy: usize,
    /// Index of the definition in it.
    pub index: usize,
}

/// A definition that applies here, with what is needed to combine it.
#[derive(Debug)]
pub(crate) struct Candidate<T> {
    pub(crate) definition: T,
    pub(crate) origin: Origin,
    pub(crate) kind: PolicyKind,
    /// Name of the policy file.
    pub(crate) policy: String,
}

/// What became of a rule definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It is the rule of that id, if it compiles.
    Rule,
    /// It changed an earlier definition.
    Applied,
    /// It changed nothing.
    Ignored {
        /// The policy whose definition stays.
        first: String,
    },
    /// The rule is off.
    Disabled {
        /// The policies that switched it off, if it was not the one that defines it.
        by: Vec<String>,
    },
}

/// A rule after all definitions of its id were combined.
#[derive(Debug)]
pub(crate) struct MergedRule {
    pub(crate) definition: RuleDefinition,
    pub(crate) origin: Origin,
    pub(crate) policy: String,
    /// Policies that changed the definition.
    pub(crate) modified_by: Vec<String>,
}

/// The result of combining rules.
#[derive(Debug, Default)]
pub(crate) struct MergedRules {
    pub(crate) rules: Vec<MergedRule>,
    pub(crate) outcomes: Vec<(Origin, Outcome)>,
}

struct Slot {
    rule: MergedRule,
    /// Default policies in which the rule is on.
    default_on: usize,
    /// Custom policies that switch the rule off.
    switched_off_by: Vec<String>,
    /// A custom policy defines the rule and it is on there.
    custom_on: bool,
    /// What the last override said.
    overridden: Option<bool>,
}

impl Slot {
    fn is_on(&self) -> bool {
        self.overridden.unwrap_or(self.custom_on || self.default_on > self.switched_off_by.len())
    }

    fn count(&mut self, disabled: bool, kind: PolicyKind, policy: &str) {
        match (kind, disabled) {
            (PolicyKind::Default, false) => self.default_on += 1,
            (PolicyKind::Default, true) => {}
            (PolicyKind::Custom, false) => self.custom_on = true,
            (PolicyKind::Custom, true) => self.switched_off_by.push(policy.to_owned()),
        }
    }
}

/// Combines rules; `candidates` are in loading order.
pub(crate) fn rules(candidates: Vec<Candidate<RuleDefinition>>, reports: &mut Vec<Report>) -> MergedRules {
    let mut slots: Vec<Slot> = Vec::new();
    let mut by_id: HashMap<String, usize> = HashMap::new();
    let mut merged = MergedRules::default();
    for candidate in candidates {
        let Candidate { definition, origin, kind, policy } = candidate;
        let disabled = definition.disabled;
        let Some(slot) = by_id.get(definition.id.as_str()).and_then(|&index| slots.get_mut(index)) else {
            if slots.len() >= limits::RULES {
                reports.push(too_many(&definition));
                continue;
            }
            by_id.insert(definition.id.as_str().to_owned(), slots.len());
            let rule = MergedRule { definition, origin, policy: policy.clone(), modified_by: Vec::new() };
            let mut slot =
                Slot { rule, default_on: 0, switched_off_by: Vec::new(), custom_on: false, overridden: None };
            slot.count(disabled, kind, &policy);
            slots.push(slot);
            continue;
        };
        if definition.combine == Some(Combine::Override) {
            apply_override(&mut slot.rule.definition, &definition);
            slot.overridden = Some(!disabled);
            slot.rule.modified_by.push(policy);
            merged.outcomes.push((origin, Outcome::Applied));
            continue;
        }
        slot.count(disabled, kind, &policy);
        let first = slot.rule.policy.clone();
        if slot.rule.definition.disabled && !disabled {
            // The definition that is on is the one that counts; the earlier one may not even have an expression.
            let earlier = std::mem::replace(&mut slot.rule.origin, origin);
            slot.rule.definition = definition;
            slot.rule.policy = policy;
            merged.outcomes.push((earlier, Outcome::Disabled { by: Vec::new() }));
        } else if disabled && kind == PolicyKind::Custom && !slot.custom_on {
            merged.outcomes.push((origin, Outcome::Applied));
        } else if disabled {
            merged.outcomes.push((origin, Outcome::Disabled { by: Vec::new() }));
        } else {
            reports.push(duplicate(&definition, &first));
            merged.outcomes.push((origin, Outcome::Ignored { first }));
        }
    }
    for slot in slots {
        if slot.is_on() {
            merged.outcomes.push((slot.rule.origin, Outcome::Rule));
            merged.rules.push(slot.rule);
        } else {
            let by = slot.switched_off_by.into_iter().filter(|policy| *policy != slot.rule.policy).collect();
            merged.outcomes.push((slot.rule.origin, Outcome::Disabled { by }));
        }
    }
    merged
}

fn apply_override(rule: &mut RuleDefinition, with: &RuleDefinition) {
    let expression = |rule: &mut RuleDefinition| {
        if with.expression.is_some() {
            rule.expression.clone_from(&with.expression);
        }
    };
    if with.override_fields.is_empty() {
        // Without options, only the expression is taken over; a bare switch keeps the one that is there.
        return expression(rule);
    }
    for field in &with.override_fields {
        match field {
            OverrideField::All => {
                let kept = rule.expression.take();
                *rule = with.clone();
                rule.expression = rule.expression.take().or(kept);
            }
            OverrideField::Expression => expression(rule),
            OverrideField::Actions => rule.actions.clone_from(&with.actions),
            OverrideField::Every => rule.every = with.every,
            OverrideField::Tags => rule.tags.clone_from(&with.tags),
            OverrideField::ProductTags => rule.product_tags.clone_from(&with.product_tags),
        }
    }
}

fn duplicate(definition: &RuleDefinition, first: &str) -> Report {
    let id = definition.id.as_str();
    let message = format!("`{id}` is defined in {first} already, the first definition stays");
    let help = "give the rule another id, or `combine: override` to replace the first one".to_owned();
    Report::warning(codes::DUPLICATE, &definition.id, message).of(id).help(help)
}

fn too_many(definition: &RuleDefinition) -> Report {
    let message = format!("more than {} rules", limits::RULES);
    Report::error(codes::TOO_MANY, &definition.id, message).of(definition.id.as_str())
}

/// Combines macros; `candidates` are in loading order.
pub(crate) fn macros(
    candidates: Vec<Candidate<MacroDefinition>>,
    reports: &mut Vec<Report>,
) -> Vec<MacroDefinition> {
    let mut merged: Vec<MacroDefinition> = Vec::new();
    let mut by_id: HashMap<String, usize> = HashMap::new();
    for Candidate { definition, .. } in candidates {
        let id = definition.id.clone();
        let report = |code, message: String| Report::error(code, &id, message).of(id.as_str());
        let Some(earlier) = by_id.get(id.as_str()).and_then(|&index| merged.get_mut(index)) else {
            if merged.len() >= limits::MACROS {
                reports.push(report(codes::TOO_MANY, format!("more than {} macros", limits::MACROS)));
                continue;
            }
            by_id.insert(id.as_str().to_owned(), merged.len());
            merged.push(definition);
            continue;
        };
        match (definition.combine, &mut earlier.body, definition.body) {
            (Some(Combine::Merge), MacroBody::Values(values), MacroBody::Values(more)) => {
                if values.len() + more.len() > limits::MACRO_VALUES {
                    let message = format!("more than {} values", limits::MACRO_VALUES);
                    reports.push(report(codes::TOO_MANY, message));
                    continue;
                }
                values.extend(more);
            }
            (Some(Combine::Merge), ..) => {
                reports.push(report(
                    codes::BAD_COMBINE,
                    "cannot merge expression: only `values` merge".to_owned(),
                ));
            }
            (Some(Combine::Override), body, replacement) => *body = replacement,
            (None, ..) => {
                let message = format!("multiple definition with the same ID: macro `{}`", id.as_str());
                reports.push(report(codes::DUPLICATE, message));
            }
        }
    }
    merged
}
