//! How each observation is watched on this kernel, and why so: a pure function of the facts and the settings.

mod calls;
mod files;
mod forced;
mod hooks;
mod kernel;
mod network;
mod old;
mod table;

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use proto::wire::Kind;

pub(crate) use self::forced::Family;
pub(crate) use self::table::Attached;
use self::table::Cure;
use self::table::CureNeeds;
pub(crate) use self::table::FLUSH_CAPABILITIES;
pub(crate) use self::table::FLUSH_FLOWS;
pub(crate) use self::table::Function;
pub(crate) use self::table::Hook;
pub(crate) use self::table::KEEP_ARGUMENTS;
pub(crate) use self::table::Observation;
pub(crate) use self::table::Program;
pub(crate) use self::table::SNAPSHOT;
pub(crate) use self::table::Side;
pub(crate) use self::table::Way;
use self::table::Without;
pub(crate) use self::table::functions;
use self::table::observations;
use crate::facts::Capability;
use crate::facts::Facts;
use crate::facts::OldPrograms;

/// Why something cannot be used with the object for old kernels.
const NOT_FOR_OLD_KERNELS: &str = "not among the programs for kernels before 5.8";

/// What the settings forbid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Allowed {
    /// fentry, fexit and LSM programs.
    pub(crate) fentry: bool,
    /// kprobes and kretprobes instead, where the kernel has no such programs.
    pub(crate) kprobes: bool,
    /// Programs that run at every system call, to see those of 32-bit programs.
    pub(crate) compat: bool,
    /// Programs that see packets.
    pub(crate) packets: bool,
    /// Those that see packets come in.
    pub(crate) packets_in: bool,
    /// Only ways of this family, where an observation has any: for tests.
    pub(crate) only: Option<Family>,
}

impl Allowed {
    /// As most tests want it.
    #[cfg(test)]
    pub(crate) const fn everything_but_compat() -> Self {
        Self { fentry: true, kprobes: true, compat: false, packets: true, packets_in: true, only: None }
    }

    /// The key that forbids something, if one does.
    fn forbids(self, capability: Capability) -> Option<&'static str> {
        match capability {
            Capability::Fentry | Capability::Fexit | Capability::Lsm if !self.fentry => Some("use_fentry"),
            Capability::Kprobe if !self.kprobes => Some("use_kprobe_fallback"),
            Capability::CgroupSkb if !self.packets => Some("network.enabled"),
            _ => None,
        }
    }

    /// Whether a program may be attached.
    fn allows(self, program: &Program) -> bool {
        self.packets_in || program.hook != Hook::Cgroup("cgroup_skb/ingress")
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
    /// Programs at functions are put there by probes: all of them, or none.
    pub(crate) by_probes: bool,
    allowed: Allowed,
}

impl Plan {
    /// Decides for all observations.
    pub(crate) fn new(facts: &Facts, allowed: Allowed) -> Self {
        Self::of(observations(), facts, allowed)
    }

    fn of(table: impl IntoIterator<Item = &'static Observation>, facts: &Facts, allowed: Allowed) -> Self {
        let by_probes = by_probes(facts, allowed);
        let table = table.into_iter();
        let observations = table.map(|observation| decide(observation, facts, allowed, 0, Vec::new()));
        Self { observations: observations.collect(), by_probes, allowed }
    }

    /// Goes on to the next way for each observation of which a program was refused, by the verifier or when it was
    /// attached: `refusal` tells why. Only where there is another way. True if anything has changed.
    pub(crate) fn retreat(&mut self, facts: &Facts, refusal: impl Fn(&Program) -> Option<String>) -> bool {
        let mut changed = false;
        for planned in &mut self.observations {
            let ways = planned.observation.ways;
            let Some(at) = planned.way.and_then(|way| ways.iter().position(|other| std::ptr::eq(other, way)))
            else {
                continue;
            };
            let refused = planned.programs.iter().find_map(|program| {
                let function = program.hook.function();
                let needed = function.is_some_and(|function| !matches!(function.without, Without::Misses(_)));
                let reason = needed.then(|| refusal(program))??;
                Some(format!("{}: {reason}", program.name))
            });
            let Some(refused) = refused else { continue };
            let reasons = [planned.reason.clone(), refused].into_iter().filter(|reason| !reason.is_empty());
            let next = decide(planned.observation, facts, self.allowed, at + 1, reasons.collect());
            if next.way.is_some() {
                *planned = next;
                changed = true;
            }
        }
        changed
    }

    /// Whether any observation is meant to give a kind.
    pub(crate) fn gives(&self, kind: Kind) -> bool {
        self.observations.iter().any(|planned| planned.observation.kinds.contains(&kind))
    }

    /// Whether any program is put at a function of the kernel by a trampoline. Those of probes are never preempted.
    pub(crate) fn has_trampolines(&self) -> bool {
        self.programs().any(|program| matches!(program.hook, Hook::Function(_)))
    }

    /// The kinds that programs at functions report, a bit for each in the order of the numbers.
    pub(crate) fn kinds_at_functions(&self) -> [u64; 2] {
        let at_functions = self
            .observations
            .iter()
            .filter(|planned| planned.programs.iter().any(|program| program.hook.function().is_some()));
        let kinds = at_functions.flat_map(|planned| planned.observation.kinds);
        kinds.fold([0; 2], |mut all, kind| {
            if let Some(half) = all.get_mut(kind.number() as usize / 64) {
                *half |= 1 << (kind.number() % 64);
            }
            all
        })
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

impl Program {
    /// The same in the object that is loaded, as it is put there.
    fn for_kernel(self, old: Option<OldPrograms>, by_probes: bool) -> Self {
        match old {
            Some(form) => old::program(self, form),
            None if by_probes => Self { hook: self.hook.by_probe(), ..self },
            None => self,
        }
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

impl Cure {
    fn works(&self, facts: &Facts, allowed: Allowed) -> bool {
        // There is no room for all families in one program for old kernels.
        facts.old.is_none()
            && match self.needs {
                CureNeeds::CompatSetting => allowed.compat,
                CureNeeds::Kernel(capability) => facts.has(capability),
            }
    }
}

/// Whether programs are put at functions by probes: where there are no trampolines. It is one for all programs, because
/// they are told so before they are loaded.
fn by_probes(facts: &Facts, allowed: Allowed) -> bool {
    match allowed.only {
        Some(only) => only == Family::Kprobe,
        None => {
            let works = |capability| obstacle(capability, facts, allowed, false).is_none();
            !(works(Capability::Fentry) && works(Capability::Fexit)) && works(Capability::Kprobe)
        }
    }
}

/// Takes the first way that works, after so many that do not, for these reasons.
fn decide(
    observation: &'static Observation,
    facts: &Facts,
    allowed: Allowed,
    skipped: usize,
    mut reasons: Vec<String>,
) -> Planned {
    let by_probes = by_probes(facts, allowed);
    let family = |way: &Way| way.family(by_probes);
    let forced = allowed.only.filter(|only| observation.ways.iter().any(|way| family(way) == Some(*only)));
    for way in observation.ways.iter().skip(skipped) {
        // Whatever a program sees it has to read.
        let reads = (!way.programs.is_empty()).then_some(&Capability::ProbeRead);
        let needs = way.needs.iter().chain(reads);
        let mut obstacles: Vec<_> =
            needs.filter_map(|need| obstacle(*need, facts, allowed, by_probes)).collect();
        if facts.old.is_some() && way.programs.iter().any(|program| matches!(program.hook, Hook::Elements(_)))
        {
            obstacles.push(format!("what is summed up: {NOT_FOR_OLD_KERNELS}"));
        }
        if forced.is_some() && family(way) != forced {
            obstacles = vec![format!("{}: off by --plan", family(way).map_or(way.label, Family::name))];
        }
        let chosen = if obstacles.is_empty() { choose(way, facts) } else { Chosen::default() };
        obstacles.extend(chosen.missing);
        if obstacles.is_empty() {
            let blind = way.blind.iter().filter(|blind| facts.has(blind.given));
            let (cured, blind): (Vec<_>, Vec<_>) =
                blind.partition(|blind| blind.cure.as_ref().is_some_and(|cure| cure.works(facts, allowed)));
            let cure =
                cured.into_iter().filter_map(|blind| blind.cure.as_ref()).flat_map(|cure| cure.programs);
            if by_probes && forced.is_none() && family(way) == Some(Family::Kprobe) {
                let needs = way.needs.iter();
                reasons.extend(needs.filter_map(|need| obstacle(*need, facts, allowed, false)));
            }
            let programs = chosen.programs.iter().chain(cure).filter(|program| allowed.allows(program));
            let programs = programs.map(|program| program.for_kernel(facts.old, by_probes));
            // Before those that they keep arguments for.
            let programs = programs.flat_map(|program| program.keeper().into_iter().chain([program]));
            return Planned {
                observation,
                way: Some(way),
                programs: programs.collect(),
                reason: reasons.join("; "),
                blind: blind
                    .into_iter()
                    .map(|blind| blind.text)
                    .chain(chosen.blind)
                    .chain(facts.old.map(|form| old::limits(observation, form)).into_iter().flatten())
                    .collect(),
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

/// The programs of a way that fit the functions of this kernel.
#[derive(Default)]
struct Chosen {
    programs: Vec<Program>,
    /// Functions that it does not work without.
    missing: Vec<String>,
    /// What goes unseen without others.
    blind: Vec<&'static str>,
}

fn choose(way: &Way, facts: &Facts) -> Chosen {
    let mut chosen = Chosen::default();
    let mut purposes = BTreeMap::<_, Option<Function>>::new();
    for program in way.programs {
        let Hook::Function(function) = program.hook else {
            chosen.programs.push(*program);
            continue;
        };
        let met = purposes.entry((function.side, function.purpose)).or_default();
        if met.is_none() && facts.functions.form(function.name).is_some_and(|form| function.accepts(form)) {
            *met = Some(function);
            chosen.programs.push(*program);
        }
    }
    for ((side, purpose), met) in purposes {
        if met.is_some() {
            continue;
        }
        let of_purpose = way.programs.iter().filter_map(|program| match program.hook {
            Hook::Function(function) if (function.side, function.purpose) == (side, purpose) => {
                Some(function)
            }
            _ => None,
        });
        let wanted: Vec<_> = of_purpose.collect();
        match wanted.first().map(|function| function.without) {
            Some(Without::Nothing) => continue,
            Some(Without::Misses(without)) => {
                if !chosen.blind.contains(&without) {
                    chosen.blind.push(without);
                }
                continue;
            }
            _ => {}
        }
        let found = wanted.iter().find_map(|function| facts.functions.form(function.name));
        chosen.missing.push(match found {
            Some(form) => format!("{purpose}: of an unknown form, {form}"),
            None => format!("{purpose}: no such function"),
        });
    }
    let has_functions = way.programs.iter().any(|program| matches!(program.hook, Hook::Function(_)));
    let has_one = chosen.programs.iter().any(|program| matches!(program.hook, Hook::Function(_)));
    if has_functions && !has_one && chosen.missing.is_empty() {
        chosen.missing.push("none of its functions is there".to_owned());
    }
    chosen
}

/// Why something can't be used, if so, where programs are put at functions by probes or are not.
fn obstacle(mut need: Capability, facts: &Facts, allowed: Allowed, by_probes: bool) -> Option<String> {
    if by_probes && matches!(need, Capability::Fentry | Capability::Fexit) {
        need = Capability::Kprobe;
    }
    if let Some(key) = allowed.forbids(need) {
        return Some(format!("{}: off by {key}", need.name()));
    }
    if let Some(form) = facts.old {
        need = match need {
            Capability::TpBtf | Capability::CgroupSkb => match form {
                OldPrograms::RawTracepoints => Capability::RawTp,
                OldPrograms::PerfEvents => Capability::SyscallTracepoint,
            },
            // Each CPU has a buffer of its own.
            Capability::RingBuffer => return None,
            Capability::Btf | Capability::SyscallTracepoint | Capability::Modules | Capability::ProbeRead => {
                need
            }
            _ => return Some(format!("{}: {NOT_FOR_OLD_KERNELS}", need.name())),
        };
    }
    (!facts.has(need)).then(|| format!("{}: {}", need.name(), facts.reason(need)))
}

#[cfg(test)]
mod tests;
