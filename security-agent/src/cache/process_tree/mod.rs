//! The process tree: who runs what, and who started whom.
//!
//! A process is known by pid and start time ([`ProcessKey`]). Its entry holds an immutable snapshot ([`Process`]); what
//! changes makes a new one. The chain above a snapshot ([`model::Lineage`]) is what the process descends from at the time
//! of its fork: the earlier images of its own pid, the process that forked it, the images of that one, and so on. It does
//! not change when a parent ends: `ppid` follows the kernel (it becomes the reaper's), the ancestors do not. With
//! `CLONE_PARENT` the ancestor is the process that called fork, not the one it names as the parent.
//!
//! Three rules keep the tree right when records are missing:
//!
//! - every record says who acts, with all that may change (credentials, names, control group); the entry takes it over,
//!   so one lost record does harm only until the next one;
//! - a process whose start was not seen is made up from that context and marked
//!   ([`model::ProcessSource::Placeholder`]);
//! - an entry with another start time is another process and is never used;
//! - every record counts the programs that its task has executed, so that an exec that was not seen shows at the next
//!   record: the program is then unknown rather than the one before it, until a snapshot tells.
//!
//! A snapshot from `/proc` tells start times cut to ticks. Such a process keeps that time as its identity, and records
//! with the exact one find it.
//!
//! Memory is bounded: entries, images that only descendants need, and the bytes of arguments and environments
//! ([`Limits`]).

mod change;
mod ended;
mod lineage;
mod memory;
mod snapshot;
mod start_time;
mod unseen_exec;

use std::sync::Arc;

use model::{Process, ProcessSource, Text, environment};
use rustc_hash::FxHashMap;

use crate::cache::cgroups::{Cgroups, Membership};
use crate::cache::containers::Containers;
use crate::decode::{CgroupKey, Clock, Decoded, Payload, ProcessKey};
use crate::resolve::users::Users;

/// Variable that names the service of a process and its descendants.
const SERVICE_VARIABLE: &str = "DD_SERVICE";

/// Bounds of what is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Living processes. Beyond this, those that did nothing for the longest time are forgotten.
    pub processes: usize,
    /// Images and ended processes that only descendants refer to.
    pub retired: usize,
    /// Bytes of arguments, environments and paths of all images. Beyond this, the oldest lose theirs.
    pub image_bytes: usize,
    /// Ancestors of one process.
    pub ancestors: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { processes: 131_072, retired: 10_000, image_bytes: 16 << 20, ancestors: 128 }
    }
}

/// What happened to the tree so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counters {
    /// Processes made up from the context of a record because their start was not seen.
    pub placeholders: u64,
    /// Programs whose execution was not seen: a record of the process counted more than the tree.
    pub missed_execs: u64,
    /// Processes whose end was not seen: their pid came back with another start time, or a new snapshot lacked them.
    pub missed_exits: u64,
    /// Processes forgotten because there were too many.
    pub evicted_processes: u64,
    /// Ancestors forgotten because there were too many.
    pub forgotten_ancestors: u64,
    /// Images whose arguments and environment were forgotten to save memory.
    pub stripped_images: u64,
    /// Chains of ancestors that were cut in their middle because they grew too long.
    pub shortened_lineages: u64,
    /// Snapshot records left out because there were too many.
    pub refused_snapshots: u64,
}

/// What turns numbers of a record into names and dates.
#[derive(Debug, Clone, Copy)]
pub struct Resolve<'a> {
    /// Names of users and groups.
    pub users: &'a Users,
    /// The machine's clocks.
    pub clock: Clock,
}

/// Who did what a record tells.
#[derive(Debug, Clone)]
pub struct Applied {
    /// The process as rules see it: for an exec the new program, for a change of credentials the state before it.
    pub process: Arc<Process>,
    /// The service it belongs to; empty if unknown.
    pub service: Text,
    /// Nanoseconds since boot.
    pub time_ns: u64,
    /// The state was part of a snapshot and is old news: rules must not see it again.
    pub known: bool,
}

/// A living process.
#[derive(Debug)]
struct Entry {
    process: Arc<Process>,
    cgroup: CgroupKey,
    service: Text,
    /// Ancestors of the process.
    depth: usize,
    /// Count of executed programs; 0: unknown.
    exec_id: u64,
    /// The start time is cut to ticks.
    start_is_cut: bool,
    /// Time of the snapshot record that the entry comes from: older records tell nothing new. 0: none.
    snapshot_ns: u64,
    /// Time of its last record.
    seen_ns: u64,
    /// The stream in which it was last seen.
    stream: u64,
}

impl Entry {
    fn is(&self, key: ProcessKey) -> bool {
        self.process.start_time == key.start_time_ns
    }
}

/// The processes of one machine.
#[derive(Debug)]
pub struct ProcessTree {
    entries: FxHashMap<u32, Entry>,
    cgroups: Cgroups,
    limits: Limits,
    images: memory::Images,
    retired: memory::Retired,
    ended: ended::Ended,
    snapshot: snapshot::Pending,
    stream: u64,
    /// Some entry's start time is cut.
    knows_cut_starts: bool,
    /// Processes that run a program whose execution was not seen, since that was last asked for.
    unseen_programs: u64,
    counters: Counters,
}

impl engine::variables::Processes for ProcessTree {
    fn living(&self, pid: u32) -> Option<engine::variables::ProcessKey> {
        self.entries.get(&pid).map(|entry| (&*entry.process).into())
    }
}

impl ProcessTree {
    /// An empty tree.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            entries: FxHashMap::default(),
            cgroups: Cgroups::default(),
            limits,
            images: memory::Images::default(),
            retired: memory::Retired::default(),
            ended: ended::Ended::default(),
            snapshot: snapshot::Pending::default(),
            stream: 0,
            knows_cut_starts: false,
            unseen_programs: 0,
            counters: Counters::default(),
        }
    }

    /// Takes in one record and says who acted. A snapshot record gives nothing until [`ProcessTree::end_snapshot`].
    pub fn apply(&mut self, decoded: &mut Decoded<'_>, resolve: Resolve<'_>) -> Option<Applied> {
        self.forget_unseen_before(decoded);
        self.use_known_start_times(decoded);
        self.cgroups.now_ns = resolve.clock.wall(decoded.time_ns);
        if decoded.synthetic && matches!(decoded.payload, Payload::Exec(_)) {
            self.add_to_snapshot(decoded, resolve);
            return None;
        }
        let applied = match decoded.payload {
            Payload::Fork(_) => self.fork(decoded, resolve),
            Payload::Exec(_) => self.exec(decoded, resolve),
            Payload::Exit(_) => self.exit(decoded, resolve),
            Payload::Setuid(_) | Payload::Setgid(_) | Payload::Capset(_) => {
                self.change_credentials(decoded, resolve)
            }
            Payload::CgroupAttach(attach) => self.move_to_cgroup(decoded, attach.cgroup_path, resolve),
            Payload::Kernel(_) if decoded.remembered => self.note_capabilities(decoded, resolve),
            _ if decoded.remembered => self.look_up(decoded, resolve),
            Payload::File(_) | Payload::Socket(_) | Payload::Packet(_) | Payload::Kernel(_) => {
                self.act(decoded, resolve)
            }
        };
        self.stay_within_limits();
        Some(applied)
    }

    /// Whether processes that have ended are wanted for what is told of them later.
    pub fn remember_ended(&mut self, is_wanted: bool) {
        self.ended.want(is_wanted);
    }

    /// The process with this identity.
    #[must_use]
    pub fn get(&self, key: ProcessKey) -> Option<&Arc<Process>> {
        self.entry(self.known_key(key, false)).map(|entry| &entry.process)
    }

    /// The process that something was done to: what is known of it, at least its identity.
    #[must_use]
    pub fn target(&self, key: ProcessKey) -> Arc<Process> {
        self.get(key).cloned().unwrap_or_else(|| {
            let source = ProcessSource::Placeholder;
            let (pid, start_time) = (key.pid, key.start_time_ns);
            Arc::new(Process { pid, tid: pid, start_time, source, ..Process::default() })
        })
    }

    /// Number of living processes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether no process is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// All living processes, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Process>> {
        self.entries.values().map(|entry| &entry.process)
    }

    /// The containers of the processes.
    #[must_use]
    pub fn containers(&self) -> &Containers {
        &self.cgroups.containers
    }

    /// The containers of the processes.
    pub fn containers_mut(&mut self) -> &mut Containers {
        &mut self.cgroups.containers
    }

    /// What happened so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Bytes of arguments, environments and paths, as of the last time they were counted: at most that much.
    #[must_use]
    pub fn image_bytes(&self) -> usize {
        self.images.bytes()
    }

    fn entry(&self, key: ProcessKey) -> Option<&Entry> {
        self.entries.get(&key.pid).filter(|entry| entry.is(key))
    }

    /// Puts an entry into its place. Whoever had the pid before has ended.
    fn insert(&mut self, entry: Entry) {
        let pid = entry.process.pid;
        let is_new_image = Arc::strong_count(&entry.process.image) == 1;
        if is_new_image {
            self.images.add(&entry.process.image);
        }
        if let Some(previous) = self.entries.insert(pid, entry) {
            self.retired.add(&previous.process);
        }
    }
}

/// The service that the environment of `process` names.
fn own_service(process: &Process) -> Option<Text> {
    environment::value(&process.image.envp, SERVICE_VARIABLE).filter(|value| !value.is_empty()).map(Text::new)
}

/// A process as the context of a record describes it; nothing is known of its program or its ancestors.
fn from_context(decoded: &Decoded<'_>, membership: &Membership, resolve: Resolve<'_>) -> Process {
    let task = &decoded.task;
    let key = task.key();
    Process {
        pid: key.pid,
        tid: task.tid(),
        ppid: task.parent_key().pid,
        comm: Text::new(task.comm()),
        is_kworker: task.is_kernel_worker(),
        is_thread: task.is_forked_only(),
        is_exec: !task.is_forked_only() && !task.is_kernel_worker(),
        credentials: task.credentials(resolve.users),
        container: membership.container.clone(),
        cgroup: membership.cgroup.clone(),
        start_time: key.start_time_ns,
        fork_time: resolve.clock.wall(key.start_time_ns),
        namespaces: task.namespaces(),
        source: ProcessSource::Placeholder,
        ..Process::default()
    }
}

#[cfg(test)]
mod tests;
