//! What is attached at the moment.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::os::fd::AsFd as _;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use anyhow::Context;
use anyhow::anyhow;
use libbpf_rs::Iter;
use libbpf_rs::Link;
use libbpf_rs::ProgramMut;
use proto::v1;
use proto::v1::observation::State;
use proto::wire::Kind;

use super::Maps;
use super::Programs;
use super::detacher::Detacher;
use crate::cgroup_root::CgroupRoot;
use crate::facts::Facts;
use crate::filters::Store;
use crate::filters::Tables;
use crate::kernel::Kernel;
use crate::memory;
use crate::pid_namespace;
use crate::plan::Attached;
use crate::plan::Function;
use crate::plan::Hook;
use crate::plan::KEEP_ARGUMENTS;
use crate::plan::Plan;
use crate::plan::Planned;
use crate::plan::Program;
use crate::plan::SNAPSHOT;
use crate::plan::Side;
use crate::snapshot::IteratorSnapshot;
use crate::snapshot::ProcfsSnapshot;
use crate::snapshot::Snapshot;
use crate::snapshot::WithFallback;
use crate::tracefs::Probe;
use crate::tracefs::ProbePlace;
use crate::tracefs::Tracefs;

/// How long an orderly end may take for the sake of tidiness.
const DETACH_WAIT: Duration = Duration::from_secs(3);

/// The real kernel.
#[derive(Debug)]
pub(crate) struct Watcher {
    facts: Facts,
    maps: Maps,
    /// None where no program needs it, or where there is none.
    tracefs: Option<Tracefs>,
    /// The same.
    cgroups: Option<CgroupRoot>,
    snapshot: Arc<dyn Snapshot>,
    detacher: Detacher<Attachment>,
    /// Calls of one function that a probe at the return can wait for at one time.
    max_active: u32,
    attachments: Mutex<Attachments>,
}

#[derive(Debug)]
struct Attachments {
    /// How everything is watched. It changes when the kernel refuses what was planned.
    plan: Plan,
    /// Loaded so far.
    programs: Programs,
    /// What is sent.
    filters: Store,
    /// Those whose skipped runs are counted.
    counted: BTreeSet<&'static str>,
    /// Those at functions that have been attached since they were loaded.
    used: BTreeSet<&'static str>,
    /// There is a subscriber.
    active: bool,
    /// Kinds that its rules need.
    wanted: BTreeSet<Kind>,
    /// By program and hook. Dropping a link detaches the program.
    links: BTreeMap<Program, Attachment>,
    /// Why a program could not be attached, the last time that was tried.
    failures: BTreeMap<Program, String>,
    /// Hooks that this kernel does not have: calls of other kernels or architectures.
    absent: BTreeSet<Program>,
}

/// What holds a program where it is. Dropping it detaches the program.
#[derive(Debug)]
struct Attachment {
    // First: a probe can't be removed before its event is closed.
    link: Link,
    _probe: Option<Probe>,
}

impl From<Link> for Attachment {
    fn from(link: Link) -> Self {
        Self { link, _probe: None }
    }
}

impl Attachments {
    /// Has programs loaded anew, to be attached once more.
    fn renew(&mut self, spent: &BTreeSet<&'static str>) {
        tracing::debug!(programs = spent.len(), "this kernel attaches a program at a function but once");
        self.programs.forget(spent);
        self.used.retain(|program| !spent.contains(program));
        self.counted.retain(|program| !spent.contains(program));
    }
}

impl Watcher {
    /// Nothing is attached yet, except what costs nothing until it is read. `programs` are those to start with.
    ///
    /// # Errors
    ///
    /// If the maps can't be used.
    pub(crate) fn new(facts: Facts, plan: Plan, programs: Programs, proc: &Path) -> anyhow::Result<Self> {
        let needs_tracefs = plan
            .programs()
            .any(|program| matches!(program.hook, Hook::Syscall(_) | Hook::Event(_) | Hook::Probe(_)));
        let tracefs = needs_tracefs
            .then(Tracefs::open)
            .and_then(|tracefs| tracefs.inspect_err(|error| tracing::warn!(%error, "no tracefs")).ok());
        if let Some(tracefs) = tracefs.as_ref().filter(|_| plan.by_probes)
            && let Err(error) = tracefs.remove_probes_left_behind()
        {
            tracing::debug!(%error, "cannot look for probes that were left behind");
        }
        let needs_cgroups = plan.programs().any(|program| matches!(program.hook, Hook::Cgroup(_)));
        let cgroups = needs_cgroups
            .then(CgroupRoot::open)
            .and_then(|root| root.inspect_err(|error| tracing::warn!(%error, "no control groups")).ok());
        let maps = programs.maps()?;
        let max_active = programs.max_active();
        let mut failures = BTreeMap::new();
        let snapshot = snapshot(&plan, &programs, proc, &mut failures);
        let attachments = Attachments {
            plan,
            programs,
            filters: maps.filters()?,
            counted: BTreeSet::new(),
            used: BTreeSet::new(),
            active: false,
            wanted: BTreeSet::new(),
            links: BTreeMap::new(),
            failures,
            absent: BTreeSet::new(),
        };
        Ok(Self {
            facts,
            maps,
            tracefs,
            cgroups,
            snapshot,
            detacher: Detacher::new(),
            max_active,
            attachments: Mutex::new(attachments),
        })
    }

    /// Removes the probes of programs that were detached, as far as the kernel has let go of them. Those that are left do
    /// nothing, and go at the next start.
    pub(crate) fn close(&self) {
        if !self.lock().plan.by_probes {
            return;
        }
        self.detacher.wait(DETACH_WAIT);
        if let Some(Err(error)) = self.tracefs.as_ref().map(Tracefs::remove_probes_left_behind) {
            tracing::debug!(%error, "cannot look for probes that are left");
        }
    }

    /// What the programs share with this process.
    pub(crate) fn maps(&self) -> &Maps {
        &self.maps
    }

    /// Instructions that the verifier went through for each program that is loaded, by name; empty before Linux 5.16, which
    /// does not tell.
    pub(crate) fn verified(&self) -> BTreeMap<String, u64> {
        self.lock().programs.verified()
    }

    /// What a program at the elements of a map has to tell now; `None` if it is not attached.
    pub(crate) fn read(&self, program: &Program) -> Option<libbpf_rs::Result<Iter>> {
        self.lock().links.get(program).map(|attachment| Iter::new(&attachment.link))
    }

    /// Loads what is needed and is not loaded.
    fn load(&self, attachments: &mut Attachments) {
        loop {
            let needed =
                attachments.plan.programs_for(&attachments.wanted).map(|program| program.name).collect();
            if attachments.programs.add(needed) {
                memory::give_back();
            }
            // Ways are few, and none is taken twice.
            if !self.retreat(attachments) {
                return;
            }
        }
    }

    /// Plans again where the kernel has refused what was planned. True if there is something else to load.
    fn retreat(&self, attachments: &mut Attachments) -> bool {
        let Attachments { plan, programs, failures, .. } = attachments;
        plan.retreat(&self.facts, |program| {
            let refused =
                programs.refused(program.name).or_else(|| failures.get(program).map(String::as_str));
            refused.map(str::to_owned)
        })
    }

    /// Attaches what is needed and detaches what is not; where the kernel refuses that, by the next way.
    fn apply(&self, attachments: &mut Attachments) {
        self.apply_plan(attachments);
        while self.retreat(attachments) {
            self.load(attachments);
            self.apply_plan(attachments);
        }
    }

    /// Attaches what is needed and is not attached, detaches what is attached and not needed.
    fn apply_plan(&self, attachments: &mut Attachments) {
        let needed: BTreeSet<Program> = if attachments.active {
            attachments.plan.programs_for(&attachments.wanted).copied().collect()
        } else {
            BTreeSet::new()
        };
        let unneeded: Vec<_> =
            attachments.links.keys().copied().filter(|program| !needed.contains(program)).collect();
        let unneeded = unneeded.into_iter();
        self.detacher
            .detach(unneeded.filter_map(|program| Some((program, attachments.links.remove(&program)?))));
        let spent = self.attach_needed(attachments, needed);
        if !spent.is_empty() {
            // They go where they have just been asked to go, so they are not spent once more.
            attachments.renew(&spent);
            self.load(attachments);
            self.apply_plan(attachments);
        }
    }

    /// Attaches what is needed and is not attached. Gives the programs at functions of which this is not the first time, if the
    /// kernel attaches such but once: before 5.13 (f3a95075549e) it does not let a program go back to its function.
    fn attach_needed(
        &self,
        attachments: &mut Attachments,
        needed: BTreeSet<Program>,
    ) -> BTreeSet<&'static str> {
        let mut spent = BTreeSet::new();
        // What keeps arguments goes before what looks for them.
        let (keepers, others): (Vec<_>, Vec<_>) =
            needed.into_iter().partition(|program| program.name == KEEP_ARGUMENTS);
        for program in keepers.into_iter().chain(others) {
            if attachments.links.contains_key(&program) || attachments.absent.contains(&program) {
                continue;
            }
            let attached = match self.detacher.take_back(&program) {
                Some(link) => Ok(link),
                None => attachments.programs.attach(program.name, |found| self.attach_to(&program, found)),
            };
            match attached {
                Ok(link) => {
                    attachments.failures.remove(&program);
                    if matches!(program.hook, Hook::Function(_)) {
                        attachments.used.insert(program.name);
                    }
                    self.count_skips(attachments, &program);
                    attachments.links.insert(program, link);
                }
                Err(_) if attachments.used.contains(program.name) => {
                    spent.insert(program.name);
                }
                Err(error) if is_absent(&error) => {
                    attachments.absent.insert(program);
                }
                Err(error) => {
                    let reason = format!("{error:#}");
                    // Once, not for every subscriber.
                    if attachments.failures.insert(program, reason.clone()).as_ref() != Some(&reason) {
                        tracing::warn!(program = program.name, hook = %program.hook, reason, "cannot watch");
                    }
                }
            }
        }
        spent
    }

    /// Tells the programs, of which one may serve several kinds, which of these are wanted and what of them.
    fn filter(&self, attachments: &mut Attachments, filters: &[v1::Filter]) -> Vec<v1::Degraded> {
        let observations = attachments.plan.observations.iter();
        let on_demand = observations.filter(|planned| planned.observation.attached == Attached::OnDemand);
        let kinds = on_demand.flat_map(|planned| planned.observation.kinds).copied();
        let tables = Tables::new(kinds, &attachments.wanted, filters);
        if let Err(error) = attachments.filters.apply(tables) {
            // More is sent than anybody needs, or what was asked for before.
            tracing::warn!(%error, "cannot change the filters in the kernel");
        }
        let unfiltered = attachments.filters.tables().unfiltered.iter().map(|(kind, reason)| v1::Degraded {
            kind: *kind,
            observation: String::new(),
            reason: reason.clone(),
        });
        unfiltered.collect()
    }

    /// Counts the runs of a program that the kernel skips. One at the entry of a call is not counted: without it the event
    /// is told all the same, and it says that earlier values are unknown.
    fn count_skips(&self, attachments: &mut Attachments, program: &Program) {
        let reports = match program.hook {
            Hook::TpBtf(_) | Hook::RawTp(_) | Hook::Event(_) => true,
            Hook::Syscall(tracepoint) => tracepoint.starts_with("sys_exit_"),
            Hook::Function(function) | Hook::Probe(function) => function.side == Side::Return,
            Hook::Iter(_) | Hook::Elements(_) | Hook::Cgroup(_) => false,
        };
        if !reports || !attachments.counted.insert(program.name) {
            return;
        }
        let observations = attachments.plan.observations.iter();
        let reporting =
            observations.filter(|planned| planned.programs.iter().any(|other| other.name == program.name));
        let kinds: BTreeSet<_> = reporting.flat_map(|planned| planned.observation.kinds).collect();
        let kind = match kinds.first() {
            Some(kind) if kinds.iter().all(|other| other == kind || other.is_lifecycle()) => kind.number(),
            _ => 0,
        };
        if let Some(descriptor) = attachments.programs.descriptor(program.name) {
            self.maps.skips().add(program.name, descriptor, kind);
        }
        if let (Hook::Probe(_), Some(tracefs)) = (program.hook, &self.tracefs) {
            self.maps.skips().add_probe(tracefs, program.name, kind);
        }
    }

    fn attach_to(&self, planned: &Program, program: &ProgramMut<'_>) -> anyhow::Result<Attachment> {
        let link = match planned.hook {
            Hook::Elements(map) => {
                // What was left when nobody watched is not news.
                self.maps.clear(map);
                program.attach_iter(self.maps.elements(map)?.as_fd()).context("cannot attach")
            }
            Hook::TpBtf(_) | Hook::RawTp(_) | Hook::Iter(_) | Hook::Function(_) => {
                program.attach().context("cannot attach")
            }
            Hook::Cgroup(_) => {
                let root = self.cgroups.as_ref().context("no control groups of version 2")?;
                program.attach_cgroup(root.descriptor().as_raw_fd()).context("cannot attach")
            }
            Hook::Syscall(tracepoint) => {
                let tracefs = self.tracefs.as_ref().context("no tracefs")?;
                let event = tracefs.syscall_event(tracepoint).context("cannot open the tracepoint")?;
                event.attach(program).context("cannot attach")
            }
            Hook::Event(tracepoints) => {
                let tracefs = self.tracefs.as_ref().context("no tracefs")?;
                let event = tracefs.event(tracepoints).context("cannot open the tracepoint")?;
                event.attach(program).context("cannot attach")
            }
            Hook::Probe(function) => return self.attach_probe(planned.name, function, program),
        };
        Ok(link?.into())
    }

    fn attach_probe(
        &self,
        name: &'static str,
        function: Function,
        program: &ProgramMut<'_>,
    ) -> anyhow::Result<Attachment> {
        let tracefs = self.tracefs.as_ref().context("no tracefs")?;
        // A program is at one function, but for that one.
        let keeper = (name == KEEP_ARGUMENTS).then(|| format!("keep_{}", function.name));
        let place = ProbePlace {
            name: keeper.as_deref().unwrap_or(name),
            function: function.name,
            side: function.side,
            max_active: self.max_active,
        };
        // Text: it is one of the functions that the kernel describes, so "not found" is a failure like any other.
        let (probe, event) =
            tracefs.probe(&place).map_err(|error| anyhow!("cannot make the probe: {error}"))?;
        let link = event.attach(program).context("cannot attach")?;
        Ok(Attachment { link, _probe: Some(probe) })
    }

    fn lock(&self) -> MutexGuard<'_, Attachments> {
        self.attachments.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn observation(&self, planned: &Planned, attachments: &Attachments) -> v1::Observation {
        let programs = &planned.programs;
        let present: Vec<_> =
            programs.iter().filter(|program| !attachments.absent.contains(program)).collect();
        let failed = present.iter().filter_map(|program| {
            let attach = attachments.failures.get(program).map(String::as_str);
            let reason = attachments.programs.refusal(program.name).or(attach)?;
            Some((program.hook, format!("{}: {reason}", program.name)))
        });
        let failures: BTreeMap<_, _> = failed.collect();
        let health = Health { failed: failures.len(), present: present.len(), planned: programs.len() };
        let blind = planned.blind.iter().map(|&blind| blind.to_owned());
        let reasons =
            std::iter::once(planned.reason.clone()).chain(blind).filter(|reason| !reason.is_empty());
        let watched = attachments.active && planned.observation.is_needed(&attachments.wanted);
        v1::Observation {
            name: planned.observation.name.to_owned(),
            kinds: planned.observation.kinds.iter().map(|kind| kind.number()).collect(),
            state: i32::from(state(planned, &health, watched)),
            programs: match planned.way {
                Some(way) if programs.is_empty() => vec![way.label.to_owned()],
                _ => present.iter().map(|program| program.hook.to_string()).collect(),
            },
            reason: reasons.chain(failures.into_values()).collect::<Vec<_>>().join("; "),
        }
    }
}

fn to_wire(counts: impl Iterator<Item = (Kind, u64)>) -> Vec<v1::KindCount> {
    counts.map(|(kind, count)| v1::KindCount { kind: kind.number(), count }).collect()
}

/// Whether an error says that this kernel does not have a tracepoint.
fn is_absent(error: &anyhow::Error) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::NotFound)
}

/// How the programs of an observation fare.
struct Health {
    /// Could not be loaded or attached.
    failed: usize,
    /// Have a hook on this kernel.
    present: usize,
    /// All of the plan.
    planned: usize,
}

fn state(planned: &Planned, health: &Health, watched: bool) -> State {
    if planned.way.is_none() || (health.present == 0 && health.planned > 0) {
        return State::Unavailable;
    }
    let idle = planned.observation.attached == Attached::Idle;
    match health.failed {
        0 if !watched => State::Idle,
        0 if !planned.blind.is_empty() => State::Partial,
        0 => State::Active,
        // The snapshot has another way to go if its program fails.
        failed if idle || failed < health.present => State::Partial,
        _ => State::Unavailable,
    }
}

/// The snapshot of the plan: by the iterator if that can be attached, else from `/proc`.
fn snapshot(
    plan: &Plan,
    programs: &Programs,
    proc: &Path,
    failures: &mut BTreeMap<Program, String>,
) -> Arc<dyn Snapshot> {
    let second = ProcfsSnapshot::new(proc.to_owned());
    // The iterator visits the pid namespace of whoever reads it.
    if !plan.programs().any(|program| *program == SNAPSHOT) || !pid_namespace::is_host() {
        return Arc::new(second);
    }
    match programs.attach(SNAPSHOT.name, |program| program.attach().context("cannot attach")) {
        Ok(link) => Arc::new(WithFallback { first: IteratorSnapshot::new(link, proc.to_owned()), second }),
        Err(error) => {
            failures.insert(SNAPSHOT, format!("{error:#}"));
            Arc::new(second)
        }
    }
}

impl Kernel for Watcher {
    fn attach(&self) {
        let mut attachments = self.lock();
        attachments.active = true;
        // Again, if that failed when it was asked for.
        self.load(&mut attachments);
        self.apply(&mut attachments);
    }

    fn detach(&self) {
        let mut attachments = self.lock();
        attachments.active = false;
        self.apply(&mut attachments);
    }

    fn configure(&self, request: &v1::ConfigureRequest) -> v1::ConfigureReply {
        let kinds = &request.kinds;
        let mut attachments = self.lock();
        let known = |number: &u32| Kind::from_number(*number);
        attachments.wanted = kinds.iter().filter_map(known).collect();
        // Whether or not somebody subscribed: the reply is to tell what the kernel refuses.
        self.load(&mut attachments);
        // Before programs are attached that might send what nobody wants; a new filter holds before the reply.
        let unfiltered = self.filter(&mut attachments, &request.filters);
        self.apply(&mut attachments);
        let unknown = kinds.iter().filter(|number| known(number).is_none()).map(|number| v1::Degraded {
            kind: *number,
            observation: String::new(),
            reason: format!("system-probe {} does not know this kind", crate::VERSION),
        });
        let rowless = attachments.wanted.iter().filter(|kind| !attachments.plan.gives(**kind)).map(|kind| {
            v1::Degraded {
                kind: kind.number(),
                observation: String::new(),
                reason: format!("system-probe {} does not watch this", crate::VERSION),
            }
        });
        // Lifecycle kinds are always wanted, whether named or not.
        let needed = attachments
            .plan
            .observations
            .iter()
            .filter(|planned| planned.observation.is_needed(&attachments.wanted));
        let degraded = needed.map(|planned| self.observation(planned, &attachments));
        let degraded = degraded.filter(|seen| matches!(seen.state(), State::Unavailable | State::Partial));
        let degraded = degraded.flat_map(|seen| {
            let (observation, reason) = (seen.name, seen.reason);
            seen.kinds.into_iter().map(move |kind| v1::Degraded {
                kind,
                observation: observation.clone(),
                reason: reason.clone(),
            })
        });
        v1::ConfigureReply { degraded: unknown.chain(rowless).chain(degraded).collect(), unfiltered }
    }

    fn filtered(&self) -> Vec<v1::KindCount> {
        let counts = Kind::ALL.iter().map(|kind| (*kind, self.maps.filtered(*kind)));
        to_wire(counts.filter(|(_, count)| *count > 0))
    }

    fn filters(&self) -> Vec<v1::KindCount> {
        to_wire(self.lock().filters.tables().filtered())
    }

    fn facts(&self) -> Vec<v1::Fact> {
        self.facts.to_wire()
    }

    fn observations(&self) -> Vec<v1::Observation> {
        let attachments = self.lock();
        attachments.plan.observations.iter().map(|planned| self.observation(planned, &attachments)).collect()
    }

    fn ring_bytes(&self) -> u64 {
        self.maps.ring_bytes()
    }

    fn snapshot(&self) -> Arc<dyn Snapshot> {
        Arc::clone(&self.snapshot)
    }
}

#[cfg(test)]
mod filter_tests;
#[cfg(test)]
mod tests;
