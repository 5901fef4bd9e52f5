//! Evaluates events against the rules in force, carries out what the engine itself can, and says what else is to be done.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, Hash, Hasher as _};
use std::sync::Arc;

use rustc_hash::FxBuildHasher;
use secl::{Scratch, Value};

use crate::limiter::{Limiter, Verdict};
use crate::limits;
use crate::request::{ActionRequest, RequestKind};
use crate::ruleset::{Action, ActionEffect, CompiledRule, RuleInfo, RuleSet, SetAction, SetValue};
use crate::variables::{self, ProcessKey, Processes, Scopes, StoreStats, Target, VariableStore, View, Write};

/// Elements of a list that is read for an action.
const READ_ELEMENTS: usize = limits::LIST_ELEMENTS;

/// A rule that an event matched.
#[derive(Debug)]
pub struct Match {
    /// The rule.
    pub rule: Arc<RuleInfo>,
    /// Whether it is to be reported: the rule is not silent and within its rate limit.
    pub reported: bool,
    /// Matches of the rule that were held back since the last one that was not.
    pub suppressed: u64,
    /// Why it matched; empty if it is not reported.
    pub reasons: Vec<Reason>,
    /// What other parts of the agent have to do.
    pub actions: Vec<ActionRequest>,
}

/// A condition that decided that a rule matched.
#[derive(Clone, Debug, PartialEq)]
pub struct Reason {
    /// The condition as written in the rule.
    pub condition: String,
    /// Where it begins in the rule's expression, in bytes; `None` for a rule about `fim.write`, which stands for others.
    pub offset: Option<usize>,
    /// Whether it held; one within `!(…)` decides by not holding.
    pub held: bool,
    /// The fields and variables that it read, with their values.
    pub values: Vec<(String, Value)>,
}

/// The rules in force with everything that changes while they are.
#[derive(Debug, Default)]
pub struct Engine {
    rules: Arc<RuleSet>,
    store: VariableStore,
    limiters: Vec<Limiter>,
    scratch: Scratch,
    /// For what is evaluated while the rules of an event are gone through.
    action_scratch: Scratch,
}

/// What is evaluated: an event, who lives meanwhile, and when.
#[derive(Debug)]
struct Occasion<'a, E, P> {
    event: &'a E,
    processes: &'a P,
    now: u64,
}

impl<E, P> Clone for Occasion<'_, E, P> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E, P> Copy for Occasion<'_, E, P> {}

impl Engine {
    /// An engine for these rules.
    pub fn new(rules: Arc<RuleSet>) -> Self {
        let mut engine = Engine::default();
        engine.replace_rules(rules);
        engine
    }

    /// The rules in force.
    pub fn rules(&self) -> &Arc<RuleSet> {
        &self.rules
    }

    /// Puts other rules in force. Variables keep their values; rate limits start anew, as in the reference.
    pub fn replace_rules(&mut self, rules: Arc<RuleSet>) {
        self.store.rebind(self.rules.variables(), rules.variables());
        let rates: BTreeMap<usize, _> =
            rules.compiled().iter().map(|rule| (rule.number, rule.rate)).collect();
        self.limiters = rates.into_values().map(Limiter::new).collect();
        self.rules = rules;
    }

    /// Evaluates an event: appends the rules that it matches to `matches`, in the order of evaluation.
    ///
    /// `now`: nanoseconds on a clock that does not go back; lives of variables and rate limits are measured with it. Nothing
    /// is allocated for an event that no rule matches.
    /// `processes`: who lives, for actions on other processes than the event's own.
    pub fn evaluate<E: secl::Event + Scopes>(
        &mut self,
        event: &E,
        processes: &impl Processes,
        now: u64,
        matches: &mut Vec<Match>,
    ) {
        let rules = Arc::clone(&self.rules);
        let mut scratch = std::mem::take(&mut self.scratch);
        let mut found = rules.index().start(event, &mut scratch);
        loop {
            // A new view each time: what a match did to variables is seen by the rules after it.
            let view = View::new(rules.variables(), &self.store, event, now);
            let Some(position) = found.next(event, &view) else { break };
            if let Some(rule) = rules.compiled().get(position) {
                matches.push(self.matched(&rules, rule, Occasion { event, processes, now }));
            }
        }
        self.scratch = scratch;
    }

    fn matched<E: secl::Event + Scopes, P: Processes>(
        &mut self,
        rules: &RuleSet,
        rule: &CompiledRule,
        occasion: Occasion<'_, E, P>,
    ) -> Match {
        let Occasion { event, now, .. } = occasion;
        let token = self.limiter_token(rules, rule, event, now);
        let verdict = self.limiters.get_mut(rule.number).map(|limiter| limiter.check(token, now));
        let (passes, suppressed) = match verdict {
            Some(Verdict::Hold) => (false, 0),
            Some(Verdict::Pass { suppressed }) => (true, suppressed),
            None => (true, 0),
        };
        let reported = passes && !rule.info.silent;
        // Before actions change the variables that decided.
        let reasons = if reported { self.explain(rules, rule, event, now) } else { Vec::new() };
        let mut requests = Vec::new();
        for action in &rule.actions {
            self.carry_out(rules, action, occasion, passes, &mut requests);
        }
        Match { rule: Arc::clone(&rule.info), reported, suppressed, reasons, actions: requests }
    }

    /// The conditions that decided, with the values that they saw.
    fn explain<E: secl::Event + Scopes>(
        &mut self,
        rules: &RuleSet,
        rule: &CompiledRule,
        event: &E,
        now: u64,
    ) -> Vec<Reason> {
        let view = View::new(rules.variables(), &self.store, event, now);
        let mut reasons = rule.condition.explain(event, &view, &mut self.action_scratch).unwrap_or_default();
        // In the order of the text rather than in that of evaluation.
        reasons.sort_by_key(|reason| reason.span);
        reasons
            .into_iter()
            .map(|reason| Reason {
                condition: rule.text().get(reason.span.start..reason.span.end).unwrap_or("").to_owned(),
                offset: rule.variant.is_none().then_some(reason.span.start),
                held: reason.held,
                values: reason.values,
            })
            .collect()
    }

    /// Hash of the values of the fields that choose the rate limit.
    fn limiter_token<E: secl::Event + Scopes>(
        &mut self,
        rules: &RuleSet,
        rule: &CompiledRule,
        event: &E,
        now: u64,
    ) -> Option<u64> {
        if rule.limiter_token.is_empty() {
            return None;
        }
        let view = View::new(rules.variables(), &self.store, event, now);
        let mut hasher = FxBuildHasher.build_hasher();
        for field in &rule.limiter_token {
            field.eval(event, &view, &mut self.action_scratch, READ_ELEMENTS).hash(&mut hasher);
        }
        Some(hasher.finish())
    }

    fn carry_out<E: secl::Event + Scopes, P: Processes>(
        &mut self,
        rules: &RuleSet,
        action: &Action,
        occasion: Occasion<'_, E, P>,
        passes: bool,
        requests: &mut Vec<ActionRequest>,
    ) {
        let Occasion { event, now, .. } = occasion;
        let view = View::new(rules.variables(), &self.store, event, now);
        if let Some(filter) = &action.filter
            && !filter.matches(event, &view, &mut self.action_scratch)
        {
            return;
        }
        let kind = match &action.effect {
            ActionEffect::Set(set) => return self.set(rules, set, occasion),
            ActionEffect::Log { level, message } => {
                let message = match message.eval(event, &view, &mut self.action_scratch, READ_ELEMENTS) {
                    Value::Str(message) => message,
                    _ => Vec::new(),
                };
                RequestKind::Log { level: *level, message }
            }
            ActionEffect::Request(kind) => kind.clone(),
        };
        if passes || !kind.follows_report() {
            requests.push(ActionRequest { kind, supported: action.supported });
        }
    }

    fn set<E: secl::Event + Scopes, P: Processes>(
        &mut self,
        rules: &RuleSet,
        set: &SetAction,
        occasion: Occasion<'_, E, P>,
    ) {
        let Occasion { event, processes, now } = occasion;
        let view = View::new(rules.variables(), &self.store, event, now);
        let computed;
        let value = match &set.value {
            SetValue::Literal(value) => value,
            SetValue::Computed(expression) => {
                computed = expression.eval(event, &view, &mut self.action_scratch, READ_ELEMENTS);
                &computed
            }
        };
        let target = match &set.scope_field {
            None => View::target(event, set.scope),
            Some(field) => match field.eval(event, &view, &mut self.action_scratch, 1) {
                Value::Int(pid) => u32::try_from(pid)
                    .ok()
                    .and_then(|pid| variables::named(event, processes, pid))
                    .map(Target::Process),
                _ => None,
            },
        };
        if let Some(target) = target {
            let write = Write { id: set.id, value, append: set.append, ttl: set.ttl, size: set.size };
            self.store.write(rules.variables(), target, write, now);
        } else if set.scope_field.is_some() {
            self.store.refuse();
        }
    }

    /// The variables that the report of an event shows: those that are set and not private, by name.
    pub fn visible_variables<E: secl::Event + Scopes>(&self, event: &E, now: u64) -> Vec<(&str, Value)> {
        let table = self.rules.variables();
        let view = View::new(table, &self.store, event, now);
        let shown =
            table.iter().filter(|(_, declaration)| !declaration.private).filter_map(|(id, declaration)| {
                let value = view.value(id).filter(|value| *value != Value::zero(declaration.ty))?;
                Some((declaration.name.as_str(), value))
            });
        shown.collect()
    }

    /// How many reports of each rule were held back since the rules are in force; only those of which any were.
    pub fn suppressed(&self) -> impl Iterator<Item = (&str, u64)> {
        self.rules
            .rules()
            .iter()
            .zip(&self.limiters)
            .map(|(rule, limiter)| (rule.id.as_str(), limiter.suppressed_total()))
            .filter(|(_, suppressed)| *suppressed > 0)
    }

    /// How full the store of variables is.
    pub fn variable_stats(&self) -> StoreStats {
        self.store.stats()
    }

    /// A process has ended: its variables go.
    pub fn process_ended(&mut self, process: ProcessKey) {
        self.store.forget_process(process);
    }

    /// A container has ended: its variables go.
    pub fn container_ended(&mut self, id: &[u8]) {
        self.store.forget_container(id);
    }

    /// A control group is gone: its variables go.
    pub fn cgroup_ended(&mut self, id: &[u8]) {
        self.store.forget_cgroup(id);
    }

    /// Gives the memory of expired variables back; to be called now and then, such as once a minute.
    pub fn purge(&mut self, now: u64) {
        self.store.purge(now);
    }
}
