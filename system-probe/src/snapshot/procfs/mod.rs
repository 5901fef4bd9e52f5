//! The snapshot from `/proc`, for kernels that refuse the task iterator.
//!
//! It says less than the iterator: whether a file lies in an upper layer, the numbers of control groups and the count of
//! executed programs are unknown, and start times are cut to clock ticks (10 ms), because that is all `/proc/PID/stat`
//! has. `RECORD_FLAG_START_TICKS` tells the agent, which then compares by ticks.

mod image;
mod process;
mod stat;
mod status;

use std::collections::HashMap;
use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::OnceLock;

use proto::wire::Kind;
use proto::wire::Record;
use proto::wire::RecordBuilder;
use proto::wire::layout;
use proto::wire::layout::exec_body;
use proto::wire::layout::record_header;
use proto::wire::layout::task_context;

use self::image::Mounts;
pub(super) use self::process::ProcessDir;
use self::stat::Stat;
use self::status::Status;
use super::Emit;
use super::Snapshot;
use super::arguments::emit_with_arguments;
use crate::clock;

/// What the audit files hold for "unset".
const UNSET: u32 = u32::MAX;

/// Nanoseconds of a clock tick, the unit of start times in `/proc`.
fn ns_per_tick() -> u64 {
    static TICK: OnceLock<u64> = OnceLock::new();
    *TICK.get_or_init(|| 1_000_000_000 / rustix::param::clock_ticks_per_second().max(1))
}

/// A record's start time as `/proc/PID/stat` shows it.
pub(super) fn ticks(start_time_ns: u64) -> u64 {
    start_time_ns / ns_per_tick()
}

/// See the module's description.
#[derive(Debug)]
pub(crate) struct ProcfsSnapshot {
    proc: PathBuf,
}

impl ProcfsSnapshot {
    /// `proc` is the host's `/proc`.
    pub(crate) fn new(proc: PathBuf) -> Self {
        Self { proc }
    }

    /// All process ids, in the order in which `/proc` lists them: ascending.
    fn pids(&self) -> io::Result<Vec<u32>> {
        let entries = fs::read_dir(&self.proc)?;
        Ok(entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect())
    }
}

impl Snapshot for ProcfsSnapshot {
    fn take(&self, emit: &mut Emit<'_>) -> io::Result<()> {
        self.take_others(&HashSet::new(), u64::MAX, emit)
    }
}

impl ProcfsSnapshot {
    /// Emits a record for each process that is not in `known` and surely started before `before_ns`.
    ///
    /// # Errors
    ///
    /// If `/proc` cannot be listed.
    pub(super) fn take_others(
        &self,
        known: &HashSet<u32>,
        before_ns: u64,
        emit: &mut Emit<'_>,
    ) -> io::Result<()> {
        let mut pass =
            Pass { before_ns, start_times: HashMap::new(), mounts: Mounts::default(), snapshot: self };
        for pid in self.pids()?.into_iter().filter(|pid| !known.contains(pid)) {
            // A process that ended since the listing is none of the snapshot's: its end is a live event.
            let Ok(process) = ProcessDir::open(&self.proc, pid) else { continue };
            let Some(bytes) = pass.record(pid, &process) else { continue };
            let Ok(record) = Record::parse(&bytes) else { continue };
            if emit_with_arguments(record, Some(&process), emit).is_break() {
                break;
            }
        }
        Ok(())
    }
}

/// What one snapshot remembers from process to process.
struct Pass<'a> {
    /// Processes that started later are left out.
    before_ns: u64,
    snapshot: &'a ProcfsSnapshot,
    /// Start times of parents, ns. Bounded by the number of processes.
    start_times: HashMap<u32, u64>,
    mounts: Mounts,
}

impl Pass<'_> {
    /// The record of a process, without arguments. None for a kernel thread, a zombie, or one that is gone.
    fn record(&mut self, pid: u32, process: &ProcessDir) -> Option<Vec<u8>> {
        let stat = process.stat().ok()?;
        let start_time_ns = stat.start_ticks * ns_per_tick();
        // It may have started at any time of its tick.
        let is_younger = start_time_ns.saturating_add(ns_per_tick()) > self.before_ns;
        if stat.is_kernel_thread() || stat.is_dead() || is_younger {
            return None;
        }
        let status = Status::parse(&process.read("status", status::SIZE_MAX).ok()?.bytes);
        self.start_times.insert(pid, start_time_ns);

        let mut builder = RecordBuilder::new(Kind::Exec);
        let mut errors = 0;
        let mut body =
            exec_body { stdio_mode: process.stdio_modes(), tty: stat.tty_name(), ..Default::default() };
        match image::read(process, &mut self.mounts, &mut builder) {
            Ok(file) => body.file = file,
            Err(_) => errors |= layout::ERROR_FILE,
        }
        let cgroup = process.cgroup();
        match &cgroup {
            Some(cgroup) => body.cgroup_path = builder.push(&cgroup.path),
            None => errors |= layout::ERROR_CGROUP,
        }
        let mut task_flags = 0;
        if cgroup.is_some_and(|cgroup| cgroup.is_v1) {
            task_flags |= layout::TASK_FLAG_CGROUP_V1;
        }
        let context = task_context {
            pid,
            tid: pid,
            start_time_ns,
            parent_start_time_ns: self.start_time_of(stat.parent),
            ..context(process, &stat, &status)
        };
        let context = task_context { flags: context.flags | task_flags, ..context };
        let flags = layout::RECORD_FLAG_SYNTHETIC | layout::RECORD_FLAG_START_TICKS;
        let flags = u16::try_from(flags).unwrap_or_default();
        let header = record_header { flags, errors, time_ns: clock::boottime_ns(), ..Default::default() };
        Some(builder.finish(header, &context, &body))
    }

    /// Start of a parent, ns; 0 if there is none.
    fn start_time_of(&mut self, pid: u32) -> u64 {
        if let Some(known) = self.start_times.get(&pid) {
            return *known;
        }
        let stat = ProcessDir::open(&self.snapshot.proc, pid).and_then(|process| process.stat());
        let start = stat.map(|stat| stat.start_ticks * ns_per_tick()).unwrap_or_default();
        self.start_times.insert(pid, start);
        start
    }
}

fn context(process: &ProcessDir, stat: &Stat, status: &Status) -> task_context {
    let mut flags = 0;
    if stat.never_called_exec() {
        flags |= layout::TASK_FLAG_NO_EXEC;
    }
    if status.tracer != 0 {
        flags |= layout::TASK_FLAG_TRACED;
    }
    let [uid, euid, _, fsuid] = status.uids;
    let [gid, egid, _, fsgid] = status.gids;
    task_context {
        ppid: stat.parent,
        ns_pid: status.ns_pid,
        uid,
        euid,
        fsuid,
        gid,
        egid,
        fsgid,
        cap_effective: status.cap_effective,
        cap_permitted: status.cap_permitted,
        auid: process.number("loginuid").unwrap_or(UNSET),
        session_id: process.number("sessionid").unwrap_or(UNSET),
        pid_ns: process.namespace("pid"),
        mnt_ns: process.namespace("mnt"),
        net_ns: process.namespace("net"),
        user_ns: process.namespace("user"),
        cgroup_ns: process.namespace("cgroup"),
        flags,
        comm: stat.comm,
        ..Default::default()
    }
}

#[cfg(test)]
mod tests;
