//! `kill` actions: which processes are meant, whether the rule is still trusted with it, and the report that waits for what
//! came of it. The signals themselves are sent by the probe.

use std::collections::{BTreeMap, VecDeque};

use engine::policy::action::KillScope;
use engine::{ActionRequest, RequestKind};
use model::{Event, Process, Text};
use serde_json::{Map, Value as Json};

use super::signal::Draft;
use crate::cache::process_tree::ProcessTree;
use crate::report::Report;

/// Most processes that one action is about.
const TARGETS_MAX: usize = 1_024;
/// Most reports that wait for what came of their actions.
const WAITING_MAX: usize = 1_024;
/// Most rules whose kills are remembered; the one that has not killed for the longest time goes.
const RULES_MAX: usize = 4_096;

/// When a rule is no longer trusted.
#[derive(Debug, Clone, Copy, Default)]
pub struct Disarmer {
    /// Different things that a rule may be about within the period; `None`: any number.
    pub max: Option<u32>,
    /// Nanoseconds.
    pub period_ns: u64,
}

/// The safeguards of `kill` actions.
#[derive(Debug, Clone, Copy, Default)]
pub struct Disarmers {
    /// Against killing in too many containers.
    pub containers: Disarmer,
    /// Against killing processes of too many programs.
    pub executables: Disarmer,
}

/// A process, as the probe knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// Its number.
    pub pid: u32,
    /// When it was started, nanoseconds since boot.
    pub start_time_ns: u64,
}

/// Signals that the probe is to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// By which what came of it finds the report.
    pub id: u64,
    /// The signal.
    pub signal: i32,
    /// Who gets it.
    pub targets: Vec<Target>,
}

/// What came of an [`Order`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Done {
    /// That of the order.
    pub id: u64,
    /// Processes that got the signal.
    pub sent: usize,
    /// Those that had ended.
    pub gone: usize,
    /// Why others did not get it: the first reason.
    pub refused: String,
}

/// What a rule has killed lately.
#[derive(Debug, Default)]
struct Kills {
    seen: VecDeque<(Text, u64)>,
    disarmed_until: u64,
}

impl Kills {
    /// Whether the rule may go on, with one more thing of this name.
    fn admit(&mut self, name: &Text, disarmer: Disarmer, now: u64) -> bool {
        let Some(max) = disarmer.max else { return true };
        if now < self.disarmed_until {
            return false;
        }
        self.seen.retain(|(_, last)| now.saturating_sub(*last) < disarmer.period_ns);
        if let Some((_, last)) = self.seen.iter_mut().find(|(other, _)| other == name) {
            *last = now;
        } else if u32::try_from(self.seen.len()).is_ok_and(|len| len < max) {
            self.seen.push_back((name.clone(), now));
        } else {
            // All of it begins anew then.
            self.seen.clear();
            self.disarmed_until = now.saturating_add(disarmer.period_ns);
            return false;
        }
        true
    }
}

/// A report that waits.
#[derive(Debug)]
struct Waiting {
    draft: Draft,
    /// The orders that are not done, each with its place among the actions of the report.
    orders: Vec<(u64, usize)>,
}

/// The state of `kill` actions.
#[derive(Debug, Default)]
pub(super) struct Enforcement {
    next: u64,
    orders: Vec<Order>,
    waiting: BTreeMap<u64, Waiting>,
    /// By rule: containers and executables.
    kills: BTreeMap<String, (Kills, Kills, u64)>,
}

/// Why an action is not carried out: its status, and the reason.
type No = (&'static str, String);

impl Enforcement {
    /// Orders what the actions of a match want. Returns the orders with the place of each among the actions that a report
    /// shows, and notes in the draft, if there is one, what is not done.
    pub(super) fn order(
        &mut self,
        matched: (&str, &[ActionRequest]),
        event: &Event,
        context: (&ProcessTree, Disarmers, u64),
        draft: &mut Option<Draft>,
    ) -> Vec<(u64, usize)> {
        let (rule, actions) = matched;
        let (tree, disarmers, now) = context;
        let mut ordered = Vec::new();
        let shown = actions.iter().filter(|action| !matches!(action.kind, RequestKind::Log { .. }));
        for (place, action) in shown.enumerate() {
            let RequestKind::Kill {
                signal,
                scope,
                disable_container_disarmer,
                disable_executable_disarmer,
                ..
            } = &action.kind
            else {
                continue;
            };
            if !action.supported {
                continue;
            }
            let mut disarmers = disarmers;
            if *disable_container_disarmer {
                disarmers.containers.max = None;
            }
            if *disable_executable_disarmer {
                disarmers.executables.max = None;
            }
            let decided = targets(event, *scope, tree)
                .and_then(|targets| self.trusts(rule, event, disarmers, now).map(|()| targets));
            match decided {
                Ok(targets) => {
                    let id = self.next;
                    self.next += 1;
                    self.orders.push(Order { id, signal: *signal, targets });
                    ordered.push((id, place));
                }
                Err((status, reason)) => note(draft.as_mut(), place, status, &reason, None),
            }
        }
        ordered
    }

    /// Keeps a report until its orders are done. Gives it back if too many wait.
    pub(super) fn wait(&mut self, draft: Draft, orders: Vec<(u64, usize)>) -> Option<Draft> {
        let Some((first, _)) = orders.first().copied() else { return Some(draft) };
        if self.waiting.len() >= WAITING_MAX {
            return Some(draft);
        }
        self.waiting.insert(first, Waiting { draft, orders });
        None
    }

    /// The orders since the last call.
    pub(super) fn take_orders(&mut self) -> Vec<Order> {
        std::mem::take(&mut self.orders)
    }

    /// What came of an order; gives the report if it waited for nothing else.
    pub(super) fn done(&mut self, done: &Done, wall_ns: u64) -> Option<Report> {
        // The report is known by the first of its orders.
        let (first, waiting) = self.waiting.range_mut(..=done.id).next_back()?;
        let first = *first;
        let at = waiting.orders.iter().position(|(id, _)| *id == done.id)?;
        let (_, place) = waiting.orders.swap_remove(at);
        let (status, reason) = outcome(done);
        let killed_at = (done.sent > 0).then_some(wall_ns);
        note(Some(&mut waiting.draft), place, status, &reason, killed_at);
        if waiting.orders.is_empty() {
            self.waiting.remove(&first).map(|waiting| waiting.draft.finish())
        } else {
            None
        }
    }

    /// All reports that wait, as the agent ends.
    pub(super) fn release(&mut self) -> Vec<Report> {
        std::mem::take(&mut self.waiting).into_values().map(|waiting| waiting.draft.finish()).collect()
    }

    /// Whether the rule is still trusted.
    fn trusts(&mut self, rule: &str, event: &Event, disarmers: Disarmers, now: u64) -> Result<(), No> {
        if self.kills.len() >= RULES_MAX && !self.kills.contains_key(rule) {
            let oldest = self.kills.iter().min_by_key(|(_, (.., last))| *last).map(|(rule, _)| rule.clone());
            oldest.map(|oldest| self.kills.remove(&oldest));
        }
        let (containers, executables, last) = self.kills.entry(rule.to_owned()).or_default();
        *last = now;
        let process = &event.process;
        if let Some(container) = &process.container
            && !containers.admit(&container.id, disarmers.containers, now)
        {
            return Err(("rule_disarmed", "it would kill in too many containers".to_owned()));
        }
        if executables.admit(&process.image.file.path, disarmers.executables, now) {
            Ok(())
        } else {
            Err(("rule_disarmed", "it would kill processes of too many programs".to_owned()))
        }
    }
}

/// The processes that an action is about.
fn targets(event: &Event, scope: KillScope, tree: &ProcessTree) -> Result<Vec<Target>, No> {
    let no = |reason: &str| Err(("not_performed", reason.to_owned()));
    if event.context.is_snapshot {
        return no("it happened before anybody watched");
    }
    let own = &event.process;
    let is_meant = |process: &&Process| match scope {
        KillScope::Process => process.pid == own.pid && process.start_time == own.start_time,
        KillScope::Container => {
            let id = |process: &Process| process.container.as_ref().map(|container| container.id.clone());
            id(process).is_some() && id(process) == id(own)
        }
        KillScope::Cgroup => {
            let id = |process: &Process| process.cgroup.as_ref().map(|cgroup| cgroup.id.clone());
            id(process).is_some() && id(process) == id(own)
        }
    };
    let all = tree.iter().map(std::sync::Arc::as_ref).filter(|process| process.exit_time == 0);
    let others: Box<dyn Iterator<Item = &Process>> = match scope {
        // The event's own need not be in the tree any more.
        KillScope::Process => Box::new(std::iter::empty()),
        KillScope::Container | KillScope::Cgroup => Box::new(all),
    };
    let is_own = |process: &&Process| std::ptr::eq::<Process>(*process, own.as_ref());
    let mut targets: Vec<Target> = std::iter::once(own.as_ref())
        .chain(others.filter(|process| !is_own(process) && process.pid != own.pid))
        .filter(is_meant)
        .filter(|process| process.pid > 1 && process.pid != std::process::id() && !process.is_kworker)
        .map(|process| Target { pid: process.pid, start_time_ns: process.start_time })
        .collect();
    targets.truncate(TARGETS_MAX);
    if targets.is_empty() {
        return no(match scope {
            KillScope::Container if own.container.is_none() => "it is in no container",
            _ => "there is no process that may be killed",
        });
    }
    Ok(targets)
}

fn outcome(done: &Done) -> (&'static str, String) {
    let Done { sent, gone, refused, .. } = done;
    match (*sent, refused.is_empty()) {
        (1.., true) => ("performed", String::new()),
        (1.., false) => ("partially_performed", refused.clone()),
        (0, false) => ("error", refused.clone()),
        (0, true) => ("error", format!("{gone} had ended before")),
    }
}

/// Writes into a report what came of one of its actions.
fn note(draft: Option<&mut Draft>, place: usize, status: &str, reason: &str, killed_at: Option<u64>) {
    let action = draft
        .and_then(|draft| draft.map.get_mut("agent")?.get_mut("rule_actions")?.get_mut(place))
        .and_then(Json::as_object_mut);
    let Some(action) = action else { return };
    let mut set = |name: &str, value: Json| Map::insert(action, name.to_owned(), value);
    set("status", status.into());
    if !reason.is_empty() {
        set("reason", reason.into());
    }
    if let Some(time) = killed_at.and_then(model::report::rfc3339) {
        set("killed_at", time.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_rule_that_kills_too_many_different_things_is_disarmed_for_a_while() {
        let disarmer = Disarmer { max: Some(2), period_ns: 60 * SECOND };
        let mut kills = Kills::default();
        let mut admit = |name: &str, seconds: u64| kills.admit(&Text::from(name), disarmer, seconds * SECOND);
        assert!(admit("a", 0) && admit("b", 1) && admit("a", 2));
        assert!(!admit("c", 3), "the third");
        assert!(!admit("a", 4) && !admit("a", 62), "not even what it may have killed before");
        assert!(admit("c", 63) && admit("d", 64) && !admit("e", 65));
        // What is long ago does not count.
        let mut kills = Kills::default();
        let mut admit = |name: &str, seconds: u64| kills.admit(&Text::from(name), disarmer, seconds * SECOND);
        assert!(admit("a", 0) && admit("b", 30) && admit("c", 60) && !admit("d", 61));
        let any = Disarmer { max: None, period_ns: SECOND };
        assert!((0..100).all(|n| Kills::default().admit(&Text::from(n.to_string().as_str()), any, 0)));
    }

    #[test]
    fn what_came_of_it_is_told() {
        let done =
            |sent, gone, refused: &str| outcome(&Done { id: 0, sent, gone, refused: refused.to_owned() });
        assert_eq!(done(2, 0, ""), ("performed", String::new()));
        assert_eq!(done(2, 1, ""), ("performed", String::new()));
        assert_eq!(done(2, 1, "no"), ("partially_performed", "no".to_owned()));
        assert_eq!(done(0, 1, "no"), ("error", "no".to_owned()));
        assert_eq!(done(0, 3, ""), ("error", "3 had ended before".to_owned()));
    }
}
