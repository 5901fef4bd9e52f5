//! Moves between control groups.

use proto::wire::Record;
use proto::wire::layout::cgroup_attach_body;

use super::{Data, ProcessKey};

/// A task has moved to another control group.
#[derive(Debug, Clone, Copy)]
pub struct CgroupAttach<'r> {
    /// Who moved it.
    pub actor: ProcessKey,
    /// Path of its new control group; empty if it could not be read.
    pub cgroup_path: &'r [u8],
}

pub(super) fn cgroup_attach<'r>(record: &Record<'r>) -> CgroupAttach<'r> {
    let body: cgroup_attach_body = record.body();
    CgroupAttach {
        actor: ProcessKey { pid: body.actor_pid, start_time_ns: body.actor_start_time_ns },
        cgroup_path: Data::of(record, body.cgroup_path).bytes(),
    }
}
