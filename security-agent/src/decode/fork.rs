//! New processes.

use proto::wire::Record;
use proto::wire::layout::fork_body;

use super::{Data, ProcessKey};

/// A fork.
#[derive(Debug, Clone, Copy)]
pub struct Fork<'r> {
    /// The process that called fork; with `CLONE_PARENT` it is not the parent of the new one.
    pub forker: ProcessKey,
    /// Path of the new process's control group, if it is another one than its creator's.
    pub cgroup_path: &'r [u8],
}

pub(super) fn fork<'r>(record: &Record<'r>) -> Fork<'r> {
    let body: fork_body = record.body();
    Fork {
        forker: ProcessKey { pid: body.forker_pid, start_time_ns: body.forker_start_time_ns },
        cgroup_path: Data::of(record, body.cgroup_path).bytes(),
    }
}
