//! How each observation is watched on this kernel, and why so: a pure function of the facts and the settings.

mod files;
mod kernel;
mod network;
mod table;

use std::collections::BTreeSet;

use proto::wire::Kind;

pub(crate) use self::table::Attached;
pub(crate) use self::table::Hook;
pub(crate) use self::table::Observation;
pub(crate) use self::table::Program;
pub(crate) use self::table::SNAPSHOT;
pub(crate) use self::table::Way;
use self::table::observations;
use crate::facts::Capability;
use crate::facts::Facts;

/// What the settings forbid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Allowed {
    /// fentry, fexit and LSM programs.
    pub(crate) fentry: bool,
    /// Kprobes.
    pub(crate) kprobe: bool,
    /// Programs that run at every system call, to see those of 32-bit programs.
    pub(crate) compat: bool,
    /// Programs that see packets.
    pub(crate) packets: bool,
    /// Those that see packets come in.
    pub(crate) packets_in: bool,
}

impl Allowed {
    /// The key that forbids something, if one does.
    fn forbids(self, capability: Capability) -> Option<&'static str> {
        match capability {
            Capability::Fentry | Capability::Fexit | Capability::Lsm if !self.fentry => Some("use_fentry"),
            Capability::Kprobe if !self.kprobe => Some("use_kprobe_fallback"),
            Capability::CgroupSkb if !self.packets => Some("network.enabled"),
            _ => None,
        }
    }

    /// Whether a program may be attached.
    fn allows(self, program: &Program) -> bool {
        self.packets_in || program.hook != Hook::Cgroup("ingress")
    }
}

/// How one observation is watched.
#[derive(Clone, Debug)]
pub(crate) struct Planned {
    pub(crate) observation: &'static Observation,
    /// None: this kernel does not let us.
    pub(crate) way: Option<&'static Way>,
    /// What to attach.
    pub(crate) programs: Vec<Program>,
    /// Why not a better way, or why none; empty if the best works.
    pub(crate) reason: String,
    /// What goes unseen.
    pub(crate) blind: Vec<&'static str>,
}

/// How everything is watched.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) observations: Vec<Planned>,
}

impl Plan {
    /// Decides for all observations.
    pub(crate) fn new(facts: &Facts, allowed: Allowed) -> Self {
        Self::of(observations(), facts, allowed)
    }

    fn of(table: impl IntoIterator<Item = &'static Observation>, facts: &Facts, allowed: Allowed) -> Self {
        let table = table.into_iter();
        Self { observations: table.map(|observation| decide(observation, facts, allowed)).collect() }
    }

    /// Whether any observation is meant to give a kind.
    pub(crate) fn gives(&self, kind: Kind) -> bool {
        self.observations.iter().any(|planned| planned.observation.kinds.contains(&kind))
    }

    /// All programs that may be attached.
    pub(crate) fn programs(&self) -> impl Iterator<Item = &Program> {
        self.observations.iter().flat_map(|planned| &planned.programs)
    }

    /// The programs to load at the start, when rules are known to need `kinds`: those that are attached before anybody
    /// asks, or as soon as somebody does.
    pub(crate) fn programs_to_start_with(&self, kinds: &BTreeSet<Kind>) -> impl Iterator<Item = &Program> {
        let first = self.observations.iter().filter(|planned| {
            planned.observation.attached == Attached::Idle || planned.observation.is_needed(kinds)
        });
        first.flat_map(|planned| &planned.programs)
    }

    /// The programs to attach for a subscriber whose rules need `kinds`.
    pub(crate) fn programs_for(&self, kinds: &BTreeSet<Kind>) -> impl Iterator<Item = &Program> {
        let needed = self.observations.iter().filter(|planned| planned.observation.is_needed(kinds));
        needed.flat_map(|planned| &planned.programs)
    }
}

impl Observation {
    /// Whether it is watched for a subscriber whose rules need `kinds`.
    pub(crate) fn is_needed(&self, kinds: &BTreeSet<Kind>) -> bool {
        match self.attached {
            Attached::Always => true,
            Attached::OnDemand => self.kinds.iter().any(|kind| kinds.contains(kind)),
            Attached::Idle => false,
        }
    }
}

/// Takes the first way that works.
fn decide(observation: &'static Observation, facts: &Facts, allowed: Allowed) -> Planned {
    let mut reasons = Vec::new();
    for way in observation.ways {
        let obstacles: Vec<_> = way.needs.iter().filter_map(|need| obstacle(*need, facts, allowed)).collect();
        if obstacles.is_empty() {
            let blind = way.blind.iter().filter(|blind| facts.has(blind.given));
            let (cured, blind): (Vec<_>, Vec<_>) =
                blind.partition(|blind| allowed.compat && !blind.cure.is_empty());
            let cure = cured.into_iter().flat_map(|blind| blind.cure);
            return Planned {
                observation,
                way: Some(way),
                programs: way
                    .programs
                    .iter()
                    .chain(cure)
                    .filter(|program| allowed.allows(program))
                    .copied()
                    .collect(),
                reason: reasons.join("; "),
                blind: blind.into_iter().map(|blind| blind.text).collect(),
            };
        }
        if let Some(subject) = way.needs.iter().find(|need| need.is_subject() && !facts.has(**need)) {
            let reason = format!("nothing to watch: {}: {}", subject.name(), facts.reason(*subject));
            return Planned { observation, way: Some(way), programs: Vec::new(), reason, blind: Vec::new() };
        }
        for obstacle in obstacles {
            if !reasons.contains(&obstacle) {
                reasons.push(obstacle);
            }
        }
    }
    Planned { observation, way: None, programs: Vec::new(), reason: reasons.join("; "), blind: Vec::new() }
}

/// Why something can't be used, if so.
fn obstacle(need: Capability, facts: &Facts, allowed: Allowed) -> Option<String> {
    if let Some(key) = allowed.forbids(need) {
        return Some(format!("{}: off by {key}", need.name()));
    }
    (!facts.has(need)).then(|| format!("{}: {}", need.name(), facts.reason(need)))
}

#[cfg(test)]
mod tests;
