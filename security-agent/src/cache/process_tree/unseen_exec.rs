//! Programs whose execution was not seen.
//!
//! The kernel counts in each task how many programs it has executed; forks and threads inherit the count, and every
//! record carries it. A count that is not the one of the entry tells for certain that an exec record is missing (lost
//! where a queue was full, or never made). What ran before is then no longer what runs: the entry gets a program without
//! path and arguments, marked as made up, with the old one as its ancestor, and the agent asks for a snapshot.

use std::sync::Arc;

use model::{File, Image, Lineage, Process, ProcessSource, Text};

use super::ProcessTree;
use super::lineage::Above;
use crate::decode::{ProcessKey, Task};

impl ProcessTree {
    /// Compares the count of a record, made by `task`, with that of the process `key`: its own, or the one that forked it.
    pub(super) fn notice_unseen_exec(&mut self, key: ProcessKey, task: &Task) {
        let exec_id = task.exec_id();
        let Some(entry) = self.entries.get_mut(&key.pid) else { return };
        if exec_id == 0 || entry.exec_id == exec_id || entry.process.start_time != key.start_time_ns {
            return;
        }
        if std::mem::replace(&mut entry.exec_id, exec_id) == 0 {
            return;
        }
        self.counters.missed_execs += 1;
        self.unseen_programs += 1;
        self.retired.add(&entry.process);
        let before = &entry.process;
        let above = if before.source == ProcessSource::Placeholder {
            Above { lineage: Lineage::new(before.lineage.nearest().cloned()), depth: entry.depth }
        } else {
            Above::new(before, entry.depth, self.limits.ancestors, &mut self.counters)
        };
        entry.depth = above.depth;
        entry.process = Arc::new(Process {
            comm: Text::new(task.comm()),
            image: Arc::new(unknown_image()),
            exec_time: 0,
            is_thread: false,
            is_exec: true,
            source: ProcessSource::Placeholder,
            lineage: above.lineage,
            ..Process::clone(before)
        });
    }

    /// An exec record has come for a process whose program was unknown: it was late, not lost.
    pub(super) fn forgive_unseen_exec(&mut self) {
        self.unseen_programs = self.unseen_programs.saturating_sub(1);
    }

    /// Whether a program was executed unseen since the last call: only a snapshot can tell which.
    pub fn take_has_unseen_programs(&mut self) -> bool {
        std::mem::take(&mut self.unseen_programs) > 0
    }
}

fn unknown_image() -> Image {
    Image {
        args_truncated: true,
        envs_truncated: true,
        file: File { path_error: "its execution was not seen".into(), ..File::default() },
        ..Image::default()
    }
}
