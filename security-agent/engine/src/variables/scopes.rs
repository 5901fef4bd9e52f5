//! What the variables of an event's scopes belong to.

use std::sync::LazyLock;

use model::{Event, FlatEvent, Process};
use secl::FieldId;

/// Identifies a process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ProcessKey {
    /// Process id, as the host sees it.
    pub pid: u32,
    /// Start time in nanoseconds since boot: tells processes apart when a pid is used again. 0: unknown.
    pub start_time: u64,
}

/// What the variables of an event's scopes belong to.
pub trait Scopes {
    /// The process that the event is about; `None` if it is unknown.
    fn process(&self) -> Option<ProcessKey>;

    /// Calls `test` with the ancestors of the process, nearest first, until it returns true; returns whether it did.
    fn any_ancestor(&self, test: impl FnMut(ProcessKey) -> bool) -> bool;

    /// Id of the container, empty if there is none.
    fn container(&self) -> &[u8];

    /// Id of the control group, empty if it is unknown.
    fn cgroup(&self) -> &[u8];
}

/// Who lives: for variables of a process that an event only names by its pid (`scope_field`).
pub trait Processes {
    /// The living process of that pid; `None` if there is none, as far as is known.
    fn living(&self, pid: u32) -> Option<ProcessKey>;
}

/// The processes of events that are written down: a pid is all that is known of them.
#[derive(Clone, Copy, Debug, Default)]
pub struct WrittenProcesses;

impl Processes for WrittenProcesses {
    fn living(&self, pid: u32) -> Option<ProcessKey> {
        key(pid.into())
    }
}

/// The process that an event means by a pid; `None` if it has ended, or was never seen.
pub(crate) fn named<E: Scopes>(event: &E, processes: &impl Processes, pid: u32) -> Option<ProcessKey> {
    // The end of a process is an event of that process, though it does not live any more.
    if let Some(own) = event.process().filter(|own| own.pid == pid) {
        return Some(own);
    }
    let living = processes.living(pid)?;
    let mut meant = None;
    event.any_ancestor(|ancestor| {
        meant = Some(ancestor).filter(|ancestor| ancestor.pid == pid);
        meant.is_some()
    });
    // An ancestor may have ended, and its pid belong to a stranger.
    meant.is_none_or(|meant| meant.is_same(living)).then_some(living)
}

impl ProcessKey {
    /// Whether both are the same process, as far as is known.
    pub(crate) fn is_same(self, other: Self) -> bool {
        let unknown = self.start_time == 0 || other.start_time == 0;
        self.pid == other.pid && (unknown || self.start_time == other.start_time)
    }
}

impl From<&Process> for ProcessKey {
    fn from(process: &Process) -> Self {
        ProcessKey { pid: process.pid, start_time: process.start_time }
    }
}

impl Scopes for Event {
    fn process(&self) -> Option<ProcessKey> {
        Some(ProcessKey::from(&*self.process)).filter(|key| key.pid != 0)
    }

    fn any_ancestor(&self, mut test: impl FnMut(ProcessKey) -> bool) -> bool {
        // Earlier images of the process itself have its key, and no value of their own.
        self.process.ancestors().any(|ancestor| test(ProcessKey::from(&**ancestor)))
    }

    fn container(&self) -> &[u8] {
        self.process.container.as_ref().map_or(b"", |container| container.id.as_bytes())
    }

    fn cgroup(&self) -> &[u8] {
        self.process.cgroup.as_ref().map_or(b"", |cgroup| cgroup.id.as_bytes())
    }
}

/// The fields that tell the scopes of an event that is written down.
struct ScopeFields {
    pid: Option<FieldId>,
    ancestors: Option<FieldId>,
    container: Option<FieldId>,
    cgroup: Option<FieldId>,
}

static FIELDS: LazyLock<ScopeFields> = LazyLock::new(|| {
    let id = |name| model::field(name).map(|info| info.id);
    ScopeFields {
        pid: id("process.pid"),
        ancestors: id("process.ancestors.pid"),
        container: id("process.container.id"),
        cgroup: id("process.cgroup.id"),
    }
});

impl Scopes for FlatEvent {
    fn process(&self) -> Option<ProcessKey> {
        key(FIELDS.pid.map_or(0, |field| secl::Event::int(self, field)))
    }

    fn any_ancestor(&self, mut test: impl FnMut(ProcessKey) -> bool) -> bool {
        FIELDS.ancestors.is_some_and(|field| {
            secl::Event::any_int(self, field, None, |pid| key(pid).is_some_and(&mut test))
        })
    }

    fn container(&self) -> &[u8] {
        FIELDS.container.map_or(b"", |field| secl::Event::str(self, field))
    }

    fn cgroup(&self) -> &[u8] {
        FIELDS.cgroup.map_or(b"", |field| secl::Event::str(self, field))
    }
}

/// The process of a written pid. Written events have no start times.
fn key(pid: i64) -> Option<ProcessKey> {
    u32::try_from(pid).ok().filter(|&pid| pid != 0).map(|pid| ProcessKey { pid, start_time: 0 })
}
