//! What already ran when a stream began.
//!
//! A stream begins with one synthetic exec record per living process, in any order. They are collected and linked when
//! the last one has come: a child may precede its parent, and a parent always started before its child. A process that
//! is known and still runs the same program keeps its entry, which knows more than the snapshot; one that is not in the
//! snapshot ended while nobody looked.
//!
//! The probe watches before it takes the snapshot, so the live records that follow may tell of what the snapshot already
//! shows. They are told apart by time: a live record older than the snapshot record of its process changes nothing.
//!
//! A snapshot within a stream overtakes the records that wait in the queue. They may tell of processes that had ended when
//! it was taken, so these are forgotten only at the first record that is younger than the snapshot.

use std::sync::Arc;

use model::{Process, ProcessSource, Text};
use rustc_hash::FxHashMap;

use super::change::{is_same_program, refresh, share_environment};
use super::lineage::Above;
use super::{Applied, Entry, ProcessTree, Resolve, from_context, own_service};
use crate::cache::cgroups::Membership;
use crate::decode::{Decoded, Payload, Task};

/// Snapshot records that wait to be linked, by pid.
#[derive(Debug, Default)]
pub(super) struct Pending {
    processes: FxHashMap<u32, Found>,
    /// All of them have come.
    is_over: bool,
    /// The stream did not begin with this snapshot.
    is_within_stream: bool,
    /// The youngest of them, nanoseconds since boot, as long as processes that were not found are still to be forgotten.
    forget_after_ns: Option<u64>,
}

impl Pending {
    /// Whether records that are older than the snapshot may still come.
    pub(super) fn has_overtaken(&self) -> bool {
        self.forget_after_ns.is_some()
    }
}

/// A process that a snapshot found.
#[derive(Debug)]
struct Found {
    process: Process,
    task: Task,
    membership: Membership,
    time_ns: u64,
    start_is_cut: bool,
}

impl ProcessTree {
    /// A new stream begins: its snapshot tells which processes still live.
    pub fn begin_stream(&mut self) {
        self.stream += 1;
        self.snapshot = Pending::default();
    }

    /// A snapshot begins. The first one of a stream begins with it.
    pub fn begin_snapshot(&mut self) {
        if self.snapshot.is_over {
            self.begin_stream();
            self.snapshot.is_within_stream = true;
        }
    }

    pub(super) fn add_to_snapshot(&mut self, decoded: &mut Decoded<'_>, resolve: Resolve<'_>) {
        let Payload::Exec(exec) = &mut decoded.payload else { return };
        let image = Arc::new(std::mem::take(&mut exec.image));
        let (tty_name, cgroup_path) = (Text::new(exec.tty_name), exec.cgroup_path);
        let key = decoded.task.key();
        let pending = &self.snapshot.processes;
        let is_older =
            pending.get(&key.pid).is_some_and(|found| found.process.start_time > key.start_time_ns);
        let is_full = pending.len() >= self.limits.processes && !pending.contains_key(&key.pid);
        if is_older || is_full {
            self.counters.refused_snapshots += u64::from(is_full);
            return;
        }
        self.cgroups.now_ns = resolve.clock.wall(key.start_time_ns);
        let membership = self.cgroups.with_path(decoded.task.cgroup(), cgroup_path);
        let process = Process {
            tty_name,
            image,
            // When it executed its program is not known; not before it started.
            exec_time: resolve.clock.wall(key.start_time_ns),
            source: ProcessSource::Snapshot,
            ..from_context(decoded, &membership, resolve)
        };
        let found = Found {
            process,
            task: decoded.task,
            membership,
            time_ns: decoded.time_ns,
            start_is_cut: decoded.start_is_cut,
        };
        self.snapshot.processes.insert(key.pid, found);
    }

    /// All snapshot records of the stream have come. Gives the processes that are news, parents before children.
    pub fn end_snapshot(&mut self, resolve: Resolve<'_>) -> Vec<Applied> {
        let mut found: Vec<Found> = std::mem::take(&mut self.snapshot.processes).into_values().collect();
        found.sort_unstable_by_key(|found| (found.process.start_time, found.process.pid));
        self.snapshot.is_over = true;
        let youngest_ns = found.iter().map(|found| found.time_ns).max();
        let news = found.into_iter().filter_map(|found| self.take_over(found, resolve)).collect();
        if self.snapshot.is_within_stream {
            self.snapshot.forget_after_ns = youngest_ns;
        } else {
            self.forget_unseen();
        }
        self.stay_within_limits();
        news
    }

    /// Puts one process of the snapshot into the tree; `None` if it was known.
    fn take_over(&mut self, found: Found, resolve: Resolve<'_>) -> Option<Applied> {
        let Found { mut process, task, membership, time_ns, start_is_cut } = found;
        let key = task.key();
        // By now the parent is in the tree.
        let parent = self.known_key(task.parent_key(), start_is_cut);
        let stream = self.stream;
        let mut lineage_of_known = None;
        let mut start_was_cut = start_is_cut;
        if let Some(entry) = self.entries.get_mut(&key.pid) {
            if entry.process.start_time > key.start_time_ns {
                return None;
            }
            if entry.is(key) {
                (entry.stream, entry.seen_ns) = (stream, entry.seen_ns.max(time_ns));
                start_was_cut = entry.start_is_cut;
                // Forked from one that is made up, it runs a program as little known.
                let is_made_up =
                    entry.process.source == ProcessSource::Placeholder || entry.process.image.file.inode == 0;
                if !is_made_up && still_runs(entry, &task, &process) {
                    entry.snapshot_ns = time_ns;
                    let moved = is_other_group(entry, &membership).then_some(&membership);
                    refresh(entry, &task, moved, resolve, &mut self.retired);
                    return None;
                }
                share_environment(&mut process, &entry.process);
                lineage_of_known = Some(if is_made_up {
                    let lineage = model::Lineage::new(entry.process.lineage.nearest().cloned());
                    Above { lineage, depth: entry.depth }
                } else {
                    Above::new(&entry.process, entry.depth, self.limits.ancestors, &mut self.counters)
                });
            } else {
                self.counters.missed_exits += 1;
            }
        }
        let inherited = self.entry(parent).map(|parent| parent.service.clone());
        let above = lineage_of_known.unwrap_or_else(|| self.above_child_of(parent));
        process.lineage = above.lineage;
        let service = own_service(&process).or(inherited).unwrap_or_default();
        let process = Arc::new(process);
        self.knows_cut_starts |= start_was_cut;
        self.make_room(key.pid);
        self.insert(Entry {
            process: Arc::clone(&process),
            cgroup: membership.key,
            service: service.clone(),
            depth: above.depth,
            exec_id: task.exec_id(),
            start_is_cut: start_was_cut,
            snapshot_ns: time_ns,
            seen_ns: time_ns,
            stream,
        });
        Some(Applied { process, service, time_ns, known: false })
    }

    /// Forgets what a snapshot within the stream did not find, if `next` is the first record that is younger.
    pub(super) fn forget_unseen_before(&mut self, next: &Decoded<'_>) {
        let is_younger = |snapshot_ns: u64| !next.synthetic && next.time_ns > snapshot_ns;
        if self.snapshot.forget_after_ns.is_some_and(is_younger) {
            self.snapshot.forget_after_ns = None;
            self.forget_unseen();
        }
    }

    /// Processes of earlier streams, or from before the snapshot, that neither it nor a younger record has seen.
    fn forget_unseen(&mut self) {
        let stream = self.stream;
        let before = self.entries.len();
        let retired = &mut self.retired;
        self.entries.retain(|_, entry| {
            let keep = entry.stream == stream;
            if !keep {
                retired.add(&entry.process);
            }
            keep
        });
        let forgotten = before - self.entries.len();
        self.counters.missed_exits += u64::try_from(forgotten).unwrap_or(u64::MAX);
    }
}

/// Whether a process that is known still runs the same program, now that a snapshot found it.
fn still_runs(entry: &Entry, task: &Task, found: &Process) -> bool {
    if entry.exec_id != 0 && task.exec_id() != 0 {
        return entry.exec_id == task.exec_id();
    }
    // `/proc` does not count, and of a script it only shows the interpreter, which was given the script's arguments last.
    let (known, found) = (&entry.process, found);
    match &known.image.interpreter {
        None => is_same_program(known, found),
        Some(interpreter) => {
            let (own, all) = (known.image.arguments.all(), found.image.arguments.all());
            let before = all.len().checked_sub(own.len());
            interpreter.inode == found.image.file.inode
                && interpreter.path == found.image.file.path
                && before.is_some_and(|before| all.iter().skip(before).eq(own.iter()))
        }
    }
}

/// Whether the process has moved, as far as the snapshot can tell: `/proc` tells the path of a group and not its number.
fn is_other_group(entry: &Entry, found: &Membership) -> bool {
    if found.key.inode != 0 {
        return entry.cgroup != found.key;
    }
    let path = |cgroup: &Option<Arc<model::Cgroup>>| cgroup.as_ref().map(|cgroup| cgroup.id.clone());
    found.cgroup.is_some() && path(&found.cgroup) != path(&entry.process.cgroup)
}
