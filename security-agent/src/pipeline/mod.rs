//! From batches of records to reports: decode, process tree, rules, actions, reports.
//!
//! [`Pipeline`] is a state machine without I/O, without threads and without a clock of its own: what it does is a function
//! of what it is given. The running agent, a replayed capture and the tests feed it in the same way and get the same
//! reports. Time is that of the records.

mod containers;
mod dump;
mod event;
mod held;
mod kinds;
mod own;
mod signal;
mod status;

use std::collections::{BTreeMap, BTreeSet};

use engine::ruleset::RuleCounts;
use engine::{Engine, Load, Match};
use model::environment::ShownWithValue;
use model::report::AgentInfo;
use model::{Event, EventKind, Payload as ModelPayload, Text};
use proto::v1::{Batch, Filter, HelloReply};
use proto::wire::Records;
use rustc_hash::FxHashSet;
use secl::EventTypeId;
use serde_json::{Map, Value as Json};

use crate::cache::process_tree::{Applied, Limits, ProcessTree, Resolve};
use crate::decode::{Clock, Decoded, Decoder, Payload, RawPacket};
use crate::filters::{self, Outcome};
use crate::network::{self, Network};
use crate::report::own::RULESET_LOADED;
use crate::report::scrub::Scrubber;
use crate::report::terminal::Style;
use crate::report::{Report, ruleset};
use crate::resolve::users::Users;
use crate::self_test;
use crate::stream::losses::LossTracker;
use held::{Held, Item};

pub use kinds::{Off, observable, wire_kinds};

const SECOND: u64 = 1_000_000_000;
/// How often ended containers and control groups, and expired variables, are looked for: nanoseconds of the stream.
const PURGE_INTERVAL: u64 = 60 * SECOND;

/// How a pipeline works.
#[derive(Debug, Clone)]
pub struct Config {
    /// Bounds of the process tree.
    pub limits: Limits,
    /// What hides secrets in reports.
    pub scrubber: Scrubber,
    /// Environment variables that rules and reports see with their values.
    pub shown_envs: ShownWithValue,
    /// How lines for people look; `None`: none are made.
    pub style: Option<Style>,
    /// What reports say about the agent.
    pub agent: AgentInfo,
    /// Name of the host; empty: the one that the probe tells.
    pub hostname: String,
    /// Whether events about the agent itself are reported.
    pub own_events: bool,
    /// Whether the kernel is to drop what no rule can match.
    pub kernel_filters: bool,
    /// Shortest time between two `lost_events`, nanoseconds.
    pub losses_interval_ns: u64,
    /// How packets and addresses are understood.
    pub network: network::Config,
    /// Longest time that events wait for what a runtime tells about their container, nanoseconds of the stream.
    pub retention_ns: u64,
}

/// What was seen and done so far.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct Counters {
    /// Records by kind.
    pub records: BTreeMap<&'static str, u64>,
    /// Batches that came.
    pub batches: u64,
    /// Streams that began.
    pub connections: u64,
    /// Events that rules were evaluated on.
    pub evaluated: u64,
    /// Matches of rules.
    pub matches: u64,
    /// Matches that were not reported because of rate limits.
    pub suppressed: u64,
    /// Actions that rules asked for and this agent cannot do.
    pub unsupported_actions: u64,
    /// Events that waited for what a runtime tells about their container.
    pub held: u64,
    /// Events that did not wait to the end, because it took too long or too many waited.
    pub released_early: u64,
}

/// How an event came about.
#[derive(Debug, Default)]
struct Way {
    is_async: bool,
    is_snapshot: bool,
    packet: Option<Box<model::Packet>>,
}

/// The state between records and reports.
#[derive(Debug)]
pub struct Pipeline {
    config: Config,
    decoder: Decoder,
    tree: ProcessTree,
    users: Users,
    clock: Clock,
    hostname: Text,
    boot_id: Option<String>,
    /// A stream ended by itself, and none has begun since.
    was_away: bool,
    engine: Engine,
    /// The types of events that the rules in force are about.
    evaluated_types: BTreeSet<EventTypeId>,
    policies: Vec<engine::ruleset::PolicyOutcome>,
    counts: RuleCounts,
    /// How the events of the rules in force are filtered in the kernel.
    filters: BTreeMap<EventKind, Outcome>,
    losses: LossTracker,
    counters: Counters,
    reports: Vec<Report>,
    matches: Vec<Match>,
    /// Nanoseconds since boot of the youngest record.
    time_ns: u64,
    /// What is added to times since boot for the rules' clock, which does not go back at a reboot.
    rule_clock_base: u64,
    losses_told_ns: Option<u64>,
    purged_ns: u64,
    /// Events that wait for what is being asked about their container.
    held: Held,
    /// Control groups that lived when they were last looked at.
    cgroups: FxHashSet<Text>,
    /// Rules of the self-test that matched.
    self_tested: Vec<String>,
    network: Network,
}

impl Pipeline {
    /// A pipeline without rules.
    #[must_use]
    pub fn new(config: Config, users: Users) -> Self {
        Self {
            decoder: Decoder::new(config.shown_envs.clone()),
            tree: ProcessTree::new(config.limits),
            users,
            clock: Clock::default(),
            hostname: Text::from(config.hostname.as_str()),
            boot_id: None,
            was_away: false,
            engine: Engine::default(),
            evaluated_types: BTreeSet::new(),
            policies: Vec::new(),
            counts: RuleCounts::default(),
            filters: BTreeMap::new(),
            losses: LossTracker::default(),
            counters: Counters::default(),
            reports: Vec::new(),
            matches: Vec::new(),
            time_ns: 0,
            rule_clock_base: 0,
            losses_told_ns: None,
            purged_ns: 0,
            held: Held::default(),
            cgroups: FxHashSet::default(),
            self_tested: Vec::new(),
            network: Network::new(config.network.clone()),
            config,
        }
    }

    /// Puts rules in force, and says so. Variables and processes stay.
    pub fn replace_rules(&mut self, load: Load, now_ns: u64) {
        let macros = self.put_in_force(load);
        let mut members = Map::new();
        members.insert("policies".into(), ruleset::policies(&self.policies));
        members.insert("macros_loaded".into(), macros);
        let title = format!(
            "{} rules loaded, {} skipped, {} errors",
            self.counts.loaded, self.counts.skipped, self.counts.errors
        );
        self.own_event(RULESET_LOADED, title, now_ns, members);
    }

    /// Puts rules in force that differ from those before by the self-test's alone; gives the names of their macros.
    pub fn put_in_force(&mut self, load: Load) -> Json {
        let Load { rules, policies, counts, .. } = load;
        let macros: Vec<Json> = rules.macros().iter().map(|name| name.as_str().into()).collect();
        self.evaluated_types = rules.event_types();
        let evaluated = self.evaluated_types.iter().filter_map(|id| EventKind::from_number(id.0));
        self.filters = if self.config.kernel_filters {
            filters::derive(&rules, kinds::with_records(evaluated))
        } else {
            BTreeMap::new()
        };
        self.network.replace_rules(&rules);
        self.tree.remember_ended(self.evaluated_types.contains(&kinds::event_type(EventKind::FlowMonitor)));
        self.engine.replace_rules(rules);
        (self.policies, self.counts) = (policies, counts);
        macros.into()
    }

    /// The rules of the self-test that matched since the last call.
    pub fn take_self_tested(&mut self) -> Vec<String> {
        std::mem::take(&mut self.self_tested)
    }

    /// The event kinds that the rules in force need from the probe, beyond the life of processes.
    #[must_use]
    pub fn wanted_kinds(&self) -> Vec<u32> {
        let mut kinds = wire_kinds(
            self.engine.rules().event_types().into_iter().filter_map(|id| EventKind::from_number(id.0)),
        );
        if let Some(kind) = self.network.also_needed(&kinds).filter(|kind| !kinds.contains(&kind.number())) {
            kinds.push(kind.number());
            kinds.sort_unstable();
        }
        kinds
    }

    /// What of these events the rules in force can match, as far as the kernel sees them.
    #[must_use]
    pub fn wanted_filters(&self) -> Vec<Filter> {
        let filters = self.filters.values().filter_map(|outcome| match outcome {
            Outcome::Filter(filter) => Some(filter.clone()),
            Outcome::Whole(_) => None,
        });
        filters.collect()
    }

    /// A stream begins.
    pub fn connected(&mut self, hello: &HelloReply) {
        let is_other_boot = self.boot_id.as_ref().is_some_and(|boot_id| *boot_id != hello.boot_id);
        if is_other_boot {
            self.release_all();
            // Pids and times of another boot, or another machine, mean nothing.
            self.tree = ProcessTree::new(self.config.limits);
            self.rule_clock_base = self.rule_now();
            self.time_ns = 0;
        }
        self.boot_id = Some(hello.boot_id.clone());
        self.clock = Clock { realtime_offset_ns: hello.realtime_offset_ns };
        if self.config.hostname.is_empty() {
            self.hostname = Text::from(hello.hostname.as_str());
        }
        self.config.agent.kernel_version.clone_from(&hello.kernel_release);
        self.decoder.reset();
        self.network.reset();
        self.tree.begin_stream();
        let was_away = std::mem::take(&mut self.was_away);
        self.losses.connected(was_away, self.wall_now());
        self.counters.connections += 1;
    }

    /// The stream has ended: until the next one begins, nobody counts what happens.
    pub fn disconnected(&mut self) {
        self.was_away = true;
    }

    /// Takes in a batch.
    pub fn batch(&mut self, batch: &Batch) {
        self.counters.batches += 1;
        self.clock = Clock { realtime_offset_ns: batch.realtime_offset_ns };
        if batch.snapshot_begin {
            self.tree.begin_snapshot();
            self.losses.snapshot_begins(batch.first_sequence);
        }
        let (mut seen, mut undecodable) = (0_u64, 0_u64);
        for record in Records::new(&batch.records) {
            match record {
                Ok(record) => {
                    seen += 1;
                    *self.counters.records.entry(record.kind().name()).or_default() += 1;
                    if let Some(mut decoded) = self.decoder.decode(&record, &self.users) {
                        self.record(&mut decoded);
                    }
                }
                Err(error) => {
                    undecodable += 1;
                    tracing::debug!(%error, "undecodable record");
                }
            }
        }
        let missing = u64::from(batch.count).saturating_sub(seen + undecodable);
        let now = self.wall_now();
        self.losses.batch(batch, now);
        self.losses.undecodable(undecodable + missing, now);
        if batch.snapshot_end {
            self.end_snapshot();
        }
        self.release_late();
        self.tell_losses(now);
        if self.rule_now().saturating_sub(self.purged_ns) >= PURGE_INTERVAL {
            self.purge();
        }
    }

    /// The reports since the last call.
    pub fn take_reports(&mut self) -> Vec<Report> {
        std::mem::take(&mut self.reports)
    }

    /// Whether losses since the last call make a new snapshot of processes worth its cost.
    pub fn take_needs_snapshot(&mut self) -> bool {
        // Both are asked: each forgets what it has told.
        let lost = self.losses.take_lifecycle_lost();
        self.tree.take_has_unseen_programs() || lost
    }

    /// Names of users and groups.
    #[must_use]
    pub fn users(&self) -> &Users {
        &self.users
    }

    /// Looks whether names of users and groups changed.
    pub fn refresh_users(&mut self, now: std::time::Instant) {
        self.users.refresh_if_due(now);
    }

    /// Other names of users and groups, such as the next ones of a capture.
    pub fn replace_users(&mut self, users: Users) {
        self.users = users;
    }

    /// The processes.
    #[must_use]
    pub fn tree(&self) -> &ProcessTree {
        &self.tree
    }

    /// The time of the youngest record, nanoseconds since 1970; 0: there was none.
    #[must_use]
    pub fn wall_now(&self) -> u64 {
        self.clock.wall(self.time_ns)
    }

    fn record(&mut self, decoded: &mut Decoded<'_>) {
        self.time_ns = self.time_ns.max(decoded.time_ns);
        let resolve = Resolve { users: &self.users, clock: self.clock };
        let Some(applied) = self.tree.apply(decoded, resolve) else { return };
        if let Payload::Packet(packet) = &decoded.payload {
            self.packet(packet, &applied);
            return;
        }
        // By the identity that the tree has for it.
        let ended = matches!(decoded.payload, Payload::Exit(_)).then(|| decoded.task.key());
        // Forks have no rules; what a snapshot has told already was evaluated then.
        if !applied.known && !matches!(decoded.payload, Payload::Fork(_) | Payload::CgroupAttach(_)) {
            let mut payload = event::payload(&mut decoded.payload, &self.users, &self.tree);
            self.network.complete(&mut payload, self.time_ns);
            let way = Way { is_async: decoded.asynchronous, ..Way::default() };
            self.evaluate(applied, payload, way);
        }
        if let Some(key) = ended {
            let key = engine::variables::ProcessKey { pid: key.pid, start_time: key.start_time_ns };
            match self.held.is_empty() {
                true => self.engine.process_ended(key),
                // Its events may be among those that wait.
                false => self.held.push(Item::Ended(key)),
            }
        }
    }

    fn end_snapshot(&mut self) {
        let resolve = Resolve { users: &self.users, clock: self.clock };
        for applied in self.tree.end_snapshot(resolve) {
            self.time_ns = self.time_ns.max(applied.time_ns);
            // A process that only shares its parent's program would report that program twice.
            if applied.process.is_exec {
                let payload = ModelPayload::Exec(model::payload::Exec::default());
                self.evaluate(applied, payload, Way { is_snapshot: true, ..Way::default() });
            }
        }
    }

    /// The events that a packet makes, which may be none or several.
    fn packet(&mut self, raw: &RawPacket<'_>, applied: &Applied) {
        let (packet, payloads) = self.network.packet(raw, self.time_ns);
        for payload in payloads {
            let way = Way { packet: Some(Box::new(packet.clone())), ..Way::default() };
            self.evaluate(applied.clone(), payload, way);
        }
    }

    fn evaluate(&mut self, applied: Applied, payload: ModelPayload, way: Way) {
        if !self.evaluated_types.contains(&kinds::event_type(payload.kind())) {
            return;
        }
        let context = model::Context {
            timestamp: self.clock.wall(applied.time_ns),
            is_async: way.is_async,
            hostname: self.hostname.clone(),
            service: applied.service,
            boot_time: applied.time_ns,
            is_snapshot: way.is_snapshot,
            ..model::Context::default()
        };
        let event = Event { packet: way.packet, ..Event::new(context, applied.process, payload) };
        if self.must_wait(&event) {
            self.counters.held += 1;
            self.held.push(Item::Event(Box::new(event)));
            return;
        }
        self.evaluate_event(&event);
    }

    fn evaluate_event(&mut self, event: &Event) {
        self.counters.evaluated += 1;
        let now = self.rule_now();
        let mut matches = std::mem::take(&mut self.matches);
        self.engine.evaluate(event, &self.tree, now, &mut matches);
        for matched in matches.drain(..) {
            self.matched(event, &matched, now);
        }
        self.matches = matches;
    }

    fn matched(&mut self, event: &Event, matched: &Match, now: u64) {
        if matched.rule.policy_name == self_test::POLICY {
            if !self.self_tested.contains(&matched.rule.id) {
                self.self_tested.push(matched.rule.id.clone());
            }
            return;
        }
        self.counters.matches += 1;
        let unsupported = matched.actions.iter().filter(|action| !action.supported).count();
        self.counters.unsupported_actions += u64::try_from(unsupported).unwrap_or(u64::MAX);
        signal::log_actions(&matched.actions);
        if !matched.reported {
            self.counters.suppressed += u64::from(!matched.rule.silent);
            return;
        }
        let variables = self.engine.visible_variables(event, now);
        self.reports.push(signal::report(event, matched, variables, &self.config));
    }

    /// Nanoseconds of the rules' clock.
    fn rule_now(&self) -> u64 {
        self.rule_clock_base.saturating_add(self.time_ns)
    }

    /// Variables of containers and control groups in which nothing lives any more go, and those that have expired.
    fn purge(&mut self) {
        self.purged_ns = self.rule_now();
        let (mut containers, mut cgroups) = (FxHashSet::default(), FxHashSet::default());
        for process in self.tree.iter() {
            containers.extend(process.container.as_ref().map(|container| container.id.clone()));
            cgroups.extend(process.cgroup.as_ref().map(|cgroup| cgroup.id.clone()));
        }
        for ended in self.tree.containers_mut().retain(&containers) {
            self.engine.container_ended(&ended);
        }
        for ended in self.cgroups.difference(&cgroups) {
            self.engine.cgroup_ended(ended);
        }
        self.cgroups = cgroups;
        self.engine.purge(self.purged_ns);
    }
}

#[cfg(test)]
mod tests;
