//! When the pipeline speaks of itself: losses, signs of life, loads of rules.

use serde_json::{Map, Value as Json};

use super::{Pipeline, SECOND};
use crate::report::own::{HEARTBEAT, LOST_EVENTS, OwnEvent, SELF_TEST};
use crate::report::ruleset;
use crate::self_test::Outcome;

impl Pipeline {
    /// Takes note that `count` signals did not get through to an output, to report it with other losses.
    pub fn unwritten(&mut self, count: u64, now_ns: u64) {
        self.losses.unwritten(count, now_ns);
    }

    /// Reports losses that were not told yet, if the last report of losses is old enough.
    pub fn tell_losses(&mut self, now_ns: u64) {
        // That nobody looked for a while is told sooner than that some records were lost.
        let interval =
            if self.losses.is_disconnection_pending() { SECOND } else { self.config.losses_interval_ns };
        let is_due = self.losses_told_ns.is_none_or(|told| now_ns.saturating_sub(told) >= interval);
        if is_due {
            self.tell_all_losses(now_ns);
        }
    }

    /// Reports losses that were not told yet.
    pub fn tell_all_losses(&mut self, now_ns: u64) {
        if let Some(gap) = self.losses.take() {
            self.losses_told_ns = Some(now_ns);
            let count = gap.counts.sum();
            let title = match (gap.disconnected, count) {
                (false, count) => format!("{count} events were lost"),
                (true, 0) => "the connection to system-probe was lost for a while".to_owned(),
                (true, count) => {
                    format!(
                        "the connection to system-probe was lost for a while: {count} events were lost, or more"
                    )
                }
            };
            self.own_event(LOST_EVENTS, title, now_ns, gap.to_json());
        }
    }

    /// Reports that the agent lives, once per policy.
    pub fn heartbeat(&mut self, now_ns: u64) {
        for policy in std::mem::take(&mut self.policies) {
            let title = format!("policy {} {}", policy.name, policy.version).trim_end().to_owned();
            let members = [("policy".to_owned(), ruleset::policy_name(&policy))].into_iter().collect();
            self.own_event(HEARTBEAT, title, now_ns, members);
            self.policies.push(policy);
        }
    }

    /// Reports how the self-test went.
    pub fn self_test(&mut self, outcome: &Outcome, now_ns: u64) {
        let title = format!("self-test: {}", outcome.line());
        self.own_event(SELF_TEST, title, now_ns, outcome.members());
    }

    pub(super) fn own_event(&mut self, name: &str, title: String, time_ns: u64, members: Map<String, Json>) {
        if self.config.own_events {
            let event = OwnEvent { name, title, time_ns, members };
            let hostname = model::lossy(&self.hostname).into_owned();
            self.reports.push(event.report(&self.config.agent, hostname, self.config.style));
        }
    }
}
