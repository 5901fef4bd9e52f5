//! The context block that every record has: who did it.

use model::{Credentials, Namespaces, Text};
use proto::wire::layout::{
    TASK_FLAG_CGROUP_V1, TASK_FLAG_KERNEL_THREAD, TASK_FLAG_NO_EXEC, TASK_FLAG_NOT_LEADER,
    TASK_FLAG_WORKQUEUE_WORKER, task_context,
};

use super::until_nul;
use crate::resolve::users::Users;

/// Identity of a process on one machine since its boot: pids are used again, start times are not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProcessKey {
    /// Process id in the initial pid namespace.
    pub pid: u32,
    /// When its leader started, nanoseconds since boot.
    pub start_time_ns: u64,
}

/// Identity of a control group. Version 1 and version 2 number theirs independently.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct CgroupKey {
    /// Inode number of its directory; 0: unknown.
    pub inode: u64,
    /// Version of its hierarchy, 1 or 2.
    pub version: u8,
}

/// The acting task, after the event.
#[derive(Debug, Clone, Copy)]
pub struct Task {
    context: task_context,
}

impl Task {
    pub(super) fn new(context: &task_context) -> Self {
        Self { context: *context }
    }

    /// Its process.
    #[must_use]
    pub fn key(&self) -> ProcessKey {
        ProcessKey { pid: self.context.pid, start_time_ns: self.context.start_time_ns }
    }

    /// Its real parent at this time, which is not who created it if that one has ended.
    #[must_use]
    pub fn parent_key(&self) -> ProcessKey {
        ProcessKey { pid: self.context.ppid, start_time_ns: self.context.parent_start_time_ns }
    }

    /// Its thread id.
    #[must_use]
    pub fn tid(&self) -> u32 {
        self.context.tid
    }

    /// Its control group.
    #[must_use]
    pub fn cgroup(&self) -> CgroupKey {
        let version = if self.context.flags & TASK_FLAG_CGROUP_V1 == 0 { 2 } else { 1 };
        CgroupKey { inode: self.context.cgroup_id, version }
    }

    /// Changes with each program that it executes, and with nothing else; 0: unknown.
    #[must_use]
    pub fn exec_id(&self) -> u64 {
        self.context.exec_id
    }

    /// The same task with other start times: those by which its process and its parent are known.
    pub(crate) fn set_start_times(&mut self, own: u64, parent: u64) {
        (self.context.start_time_ns, self.context.parent_start_time_ns) = (own, parent);
    }

    /// Whether it is the leader of its process.
    #[must_use]
    pub fn is_leader(&self) -> bool {
        self.context.flags & TASK_FLAG_NOT_LEADER == 0
    }

    /// Name of the task, without padding.
    #[must_use]
    pub fn comm(&self) -> &[u8] {
        until_nul(&self.context.comm)
    }

    /// Whether it works for the kernel.
    #[must_use]
    pub fn is_kernel_worker(&self) -> bool {
        self.context.flags & (TASK_FLAG_KERNEL_THREAD | TASK_FLAG_WORKQUEUE_WORKER) != 0
    }

    /// Whether it still runs the program that it was forked with.
    #[must_use]
    pub fn is_forked_only(&self) -> bool {
        self.context.flags & TASK_FLAG_NO_EXEC != 0
    }

    /// Its namespaces.
    #[must_use]
    pub fn namespaces(&self) -> Namespaces {
        let context = &self.context;
        Namespaces { pid: context.pid_ns, mnt: context.mnt_ns, net: context.net_ns, user: context.user_ns }
    }

    /// Whether `credentials` are those of the task: a comparison without look-ups, as it is made for every event.
    #[must_use]
    pub fn has_credentials(&self, credentials: &Credentials) -> bool {
        let (context, known) = (&self.context, credentials);
        context.uid == known.uid
            && context.gid == known.gid
            && context.euid == known.euid
            && context.egid == known.egid
            && context.fsuid == known.fsuid
            && context.fsgid == known.fsgid
            && context.auid == known.auid
            && context.cap_effective == known.cap_effective
            && context.cap_permitted == known.cap_permitted
    }

    /// Its users, groups and capabilities.
    #[must_use]
    pub fn credentials(&self, users: &Users) -> Credentials {
        let context = &self.context;
        // The ids of a process are the same number mostly: one look-up then serves all three names.
        let user = users.user(context.uid);
        let group = users.group(context.gid);
        let other_user =
            |uid: u32| -> Text { if uid == context.uid { user.clone() } else { users.user(uid) } };
        let other_group =
            |gid: u32| -> Text { if gid == context.gid { group.clone() } else { users.group(gid) } };
        Credentials {
            uid: context.uid,
            gid: context.gid,
            euid: context.euid,
            euser: other_user(context.euid),
            egid: context.egid,
            egroup: other_group(context.egid),
            fsuid: context.fsuid,
            fsuser: other_user(context.fsuid),
            fsgid: context.fsgid,
            fsgroup: other_group(context.fsgid),
            auid: context.auid,
            cap_effective: context.cap_effective,
            cap_permitted: context.cap_permitted,
            user,
            group,
        }
    }
}
