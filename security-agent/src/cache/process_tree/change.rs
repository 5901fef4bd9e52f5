//! What each live record does to the tree.

use std::sync::Arc;

use model::{Lineage, Process, ProcessSource, Text};

use super::lineage::Above;
use super::memory::Retired;
use super::{Applied, Entry, ProcessTree, Resolve, from_context, own_service};
use crate::cache::cgroups::Membership;
use crate::decode::{CgroupKey, Decoded, Payload, Task};

/// What is known of the process that a record is about.
enum Known {
    /// Its entry.
    Current,
    /// Its entry comes from a snapshot that is younger than the record.
    Newer,
    /// The pid is by now another process's.
    Replaced,
    /// Nothing.
    Unknown,
}

impl ProcessTree {
    fn known(&self, decoded: &Decoded<'_>) -> Known {
        let key = decoded.task.key();
        match self.entries.get(&key.pid) {
            None => Known::Unknown,
            Some(entry) if entry.is(key) && decoded.time_ns < entry.snapshot_ns => Known::Newer,
            Some(entry) if entry.is(key) => Known::Current,
            Some(entry) if entry.process.start_time > key.start_time_ns => Known::Replaced,
            Some(_) => Known::Unknown,
        }
    }

    pub(super) fn fork(&mut self, decoded: &Decoded<'_>, resolve: Resolve<'_>) -> Applied {
        let Payload::Fork(fork) = decoded.payload else { return self.act(decoded, resolve) };
        let is_known = match self.known(decoded) {
            Known::Newer => return self.act(decoded, resolve),
            Known::Current => self
                .entry(decoded.task.key())
                .is_some_and(|entry| entry.process.source != ProcessSource::Placeholder),
            Known::Replaced | Known::Unknown => false,
        };
        if is_known {
            // The same record twice, or a snapshot without clock: nothing new.
            return self.act(decoded, resolve);
        }
        self.notice_unseen_exec(fork.forker, &decoded.task);
        let Some((forker, depth, service, cgroup)) = self
            .entry(fork.forker)
            .map(|entry| (Arc::clone(&entry.process), entry.depth, entry.service.clone(), entry.cgroup))
        else {
            return self.act_with_path(decoded, fork.cgroup_path, resolve);
        };
        let membership = if fork.cgroup_path.is_empty() && cgroup == decoded.task.cgroup() {
            Membership { key: cgroup, cgroup: forker.cgroup.clone(), container: forker.container.clone() }
        } else {
            self.cgroups.after(forker.cgroup.as_deref(), decoded.task.cgroup(), fork.cgroup_path)
        };
        let above = Above::new(&forker, depth, self.limits.ancestors, &mut self.counters);
        let process = Process {
            tty_name: forker.tty_name.clone(),
            exec_time: forker.exec_time,
            is_thread: true,
            is_exec: false,
            image: Arc::clone(&forker.image),
            user_session: forker.user_session.clone(),
            source: ProcessSource::Event,
            lineage: above.lineage,
            ..from_context(decoded, &membership, resolve)
        };
        let (transient, depth) = (matches!(self.known(decoded), Known::Replaced), above.depth);
        self.place(decoded, process, membership.key, service, depth, transient)
    }

    pub(super) fn exec(&mut self, decoded: &mut Decoded<'_>, resolve: Resolve<'_>) -> Applied {
        let Payload::Exec(exec) = &mut decoded.payload else { return self.act(decoded, resolve) };
        let image = Arc::new(std::mem::take(&mut exec.image));
        let (tty_name, cgroup_path) = (Text::new(exec.tty_name), exec.cgroup_path);
        let decoded: &Decoded<'_> = decoded;
        let known = self.known(decoded);
        let membership = self.cgroups.with_path(decoded.task.cgroup(), cgroup_path);
        let mut process = Process {
            tty_name,
            exec_time: resolve.clock.wall(decoded.time_ns),
            is_thread: false,
            is_exec: true,
            image,
            source: ProcessSource::Event,
            ..from_context(decoded, &membership, resolve)
        };
        let mut is_late = false;
        let previous = self.entries.get(&process.pid).filter(|entry| entry.is(decoded.task.key()));
        let (above, service) = if let Some(previous) = previous {
            let same = is_same_program(&previous.process, &process);
            if matches!(known, Known::Newer) && same {
                let (process, service) = (Arc::clone(&previous.process), previous.service.clone());
                return Applied { process, service, time_ns: decoded.time_ns, known: true };
            }
            process.user_session = previous.process.user_session.clone();
            share_environment(&mut process, &previous.process);
            // A program that executes itself again and again is one ancestor, and one made up is none.
            let is_repetition = same && previous.process.is_exec && !previous.process.is_thread;
            let is_made_up = previous.process.source == ProcessSource::Placeholder;
            is_late = is_made_up && previous.exec_id != 0 && previous.exec_id == decoded.task.exec_id();
            let above = if is_repetition || is_made_up {
                let lineage = Lineage::new(previous.process.lineage.nearest().cloned());
                Above { lineage, depth: previous.depth }
            } else {
                Above::new(&previous.process, previous.depth, self.limits.ancestors, &mut self.counters)
            };
            (above, previous.service.clone())
        } else {
            let parent = decoded.task.parent_key();
            let inherited = self.entry(parent).map(|entry| entry.service.clone());
            (self.above_child_of(parent), inherited.unwrap_or_default())
        };
        if is_late {
            self.forgive_unseen_exec();
        }
        process.lineage = above.lineage;
        let service = own_service(&process).unwrap_or(service);
        let transient = matches!(known, Known::Newer | Known::Replaced);
        self.place(decoded, process, membership.key, service, above.depth, transient)
    }

    pub(super) fn exit(&mut self, decoded: &Decoded<'_>, resolve: Resolve<'_>) -> Applied {
        let mut applied = self.act(decoded, resolve);
        let key = decoded.task.key();
        if self.entry(key).is_some()
            && let Some(entry) = self.entries.remove(&key.pid)
        {
            // The event holds it too, which does not count: what is left is held by descendants.
            let is_shared = Arc::ptr_eq(&entry.process, &applied.process);
            if Arc::strong_count(&entry.process) > 1 + usize::from(is_shared) {
                self.retired.add(&entry.process);
            }
            self.ended.add(&entry.process, &entry.service);
        }
        Arc::make_mut(&mut applied.process).exit_time = resolve.clock.wall(decoded.time_ns);
        applied
    }

    /// Rules see the state before the change (`setuid.euid == 0 && process.euid != 0`); the tree keeps the one after it.
    pub(super) fn change_credentials(&mut self, decoded: &Decoded<'_>, resolve: Resolve<'_>) -> Applied {
        use proto::wire::layout::ERROR_OLD_VALUES;
        let before = self.entry(decoded.task.key()).map(|entry| entry.process.credentials.clone());
        let mut applied = self.act(decoded, resolve);
        let users = resolve.users;
        let process = Arc::make_mut(&mut applied.process);
        if decoded.errors & ERROR_OLD_VALUES != 0 {
            if let Some(before) = before {
                process.credentials = before;
            }
            return applied;
        }
        let credentials = &mut process.credentials;
        match &decoded.payload {
            Payload::Setuid(change) => {
                (credentials.uid, credentials.user) = (change.old_uid, users.user(change.old_uid));
                (credentials.euid, credentials.euser) = (change.old_euid, users.user(change.old_euid));
                (credentials.fsuid, credentials.fsuser) = (change.old_fsuid, users.user(change.old_fsuid));
                // What a change of user does to the capabilities is only told by what was known before.
                if let Some(before) = before {
                    credentials.cap_effective = before.cap_effective;
                    credentials.cap_permitted = before.cap_permitted;
                }
            }
            Payload::Setgid(change) => {
                (credentials.gid, credentials.group) = (change.old_gid, users.group(change.old_gid));
                (credentials.egid, credentials.egroup) = (change.old_egid, users.group(change.old_egid));
                (credentials.fsgid, credentials.fsgroup) = (change.old_fsgid, users.group(change.old_fsgid));
            }
            Payload::Capset(change) => {
                credentials.cap_effective = change.old_cap_effective;
                credentials.cap_permitted = change.old_cap_permitted;
            }
            Payload::Fork(_)
            | Payload::Exec(_)
            | Payload::Exit(_)
            | Payload::CgroupAttach(_)
            | Payload::File(_)
            | Payload::Socket(_)
            | Payload::Packet(_)
            | Payload::Kernel(_) => {}
        }
        applied
    }

    pub(super) fn move_to_cgroup(
        &mut self,
        decoded: &Decoded<'_>,
        path: &[u8],
        resolve: Resolve<'_>,
    ) -> Applied {
        self.act_with_path(decoded, path, resolve)
    }

    /// Something happens to what a process has used before. It is looked up and not changed: what the record says of it is
    /// older than what is known.
    pub(super) fn look_up(&mut self, decoded: &Decoded<'_>, resolve: Resolve<'_>) -> Applied {
        let task = &decoded.task;
        if let Some(entry) = self.entry(task.key()) {
            let (process, service) = (Arc::clone(&entry.process), entry.service.clone());
            return Applied { process, service, time_ns: decoded.time_ns, known: false };
        }
        if let Some((process, service)) = self.ended.find(task.key()) {
            return Applied { process, service, time_ns: decoded.time_ns, known: false };
        }
        // It has ended long ago, or nobody is known.
        let membership = self.cgroups.with_path(task.cgroup(), b"");
        self.make_up(decoded, &membership, resolve, true)
    }

    /// A program has used capabilities, which its process keeps until another one is executed.
    pub(super) fn note_capabilities(&mut self, decoded: &Decoded<'_>, resolve: Resolve<'_>) -> Applied {
        let mut applied = self.look_up(decoded, resolve);
        if let Payload::Kernel(activity) = &decoded.payload
            && let model::Payload::Capabilities(capabilities) = &activity.event
        {
            let (attempted, used) = (capabilities.attempted, capabilities.used);
            let task = &decoded.task;
            if let Some(entry) = self.entries.get_mut(&task.key().pid).filter(|entry| entry.is(task.key())) {
                let process = Arc::make_mut(&mut entry.process);
                process.caps_attempted |= attempted;
                process.caps_used |= used;
            }
            let process = Arc::make_mut(&mut applied.process);
            process.caps_attempted |= attempted;
            process.caps_used |= used;
            // Those by which they were granted or refused.
            process.credentials = task.credentials(resolve.users);
        }
        applied
    }

    /// A process did something: its entry takes over what the record says about it.
    pub(super) fn act(&mut self, decoded: &Decoded<'_>, resolve: Resolve<'_>) -> Applied {
        self.act_with_path(decoded, b"", resolve)
    }

    fn act_with_path(&mut self, decoded: &Decoded<'_>, path: &[u8], resolve: Resolve<'_>) -> Applied {
        let task = &decoded.task;
        let stream = self.stream;
        let known = self.known(decoded);
        if let Known::Replaced | Known::Unknown = known {
            let membership = self.cgroups.with_path(task.cgroup(), path);
            return self.make_up(decoded, &membership, resolve, matches!(known, Known::Replaced));
        }
        if matches!(known, Known::Current) {
            self.notice_unseen_exec(task.key(), task);
        }
        let Some(entry) = self.entries.get_mut(&task.key().pid) else {
            return self.make_up(decoded, &Membership::default(), resolve, true);
        };
        let moved = !path.is_empty() || entry.cgroup != task.cgroup();
        let membership =
            moved.then(|| self.cgroups.after(entry.process.cgroup.as_deref(), task.cgroup(), path));
        if matches!(known, Known::Current) {
            refresh(entry, task, membership.as_ref(), resolve, &mut self.retired);
            entry.seen_ns = entry.seen_ns.max(decoded.time_ns);
            // What is older than the snapshot does not show that the process lived at its time.
            if !self.snapshot.has_overtaken() {
                entry.stream = stream;
            }
        }
        let mut process = Arc::clone(&entry.process);
        if matches!(known, Known::Newer) && !task.has_credentials(&process.credentials) {
            Arc::make_mut(&mut process).credentials = task.credentials(resolve.users);
        }
        if process.tid != task.tid() {
            Arc::make_mut(&mut process).tid = task.tid();
        }
        Applied { process, service: entry.service.clone(), time_ns: decoded.time_ns, known: false }
    }

    /// A process whose start was not seen.
    fn make_up(
        &mut self,
        decoded: &Decoded<'_>,
        membership: &Membership,
        resolve: Resolve<'_>,
        transient: bool,
    ) -> Applied {
        self.counters.placeholders += 1;
        let above = self.above_child_of(decoded.task.parent_key());
        let process = Process { lineage: above.lineage, ..from_context(decoded, membership, resolve) };
        self.place(decoded, process, membership.key, Text::EMPTY, above.depth, transient)
    }

    /// Stores a new snapshot of a process, unless it is `transient`: old news that must not replace what is known.
    fn place(
        &mut self,
        decoded: &Decoded<'_>,
        process: Process,
        cgroup: CgroupKey,
        service: Text,
        depth: usize,
        transient: bool,
    ) -> Applied {
        let key = decoded.task.key();
        let process = Arc::new(process);
        let applied = Applied {
            process: Arc::clone(&process),
            service: service.clone(),
            time_ns: decoded.time_ns,
            known: false,
        };
        if transient {
            return applied;
        }
        let before = self.entries.get(&key.pid);
        if before.is_some_and(|entry| !entry.is(key)) {
            self.counters.missed_exits += 1;
        }
        let start_is_cut = before.is_some_and(|entry| entry.is(key) && entry.start_is_cut);
        self.make_room(key.pid);
        let stream = self.stream;
        self.insert(Entry {
            process,
            cgroup,
            service,
            depth,
            exec_id: decoded.task.exec_id(),
            start_is_cut,
            snapshot_ns: 0,
            seen_ns: decoded.time_ns,
            stream,
        });
        applied
    }
}

/// Takes over what a record says about a process that is known.
pub(super) fn refresh(
    entry: &mut Entry,
    task: &Task,
    membership: Option<&Membership>,
    resolve: Resolve<'_>,
    retired: &mut Retired,
) {
    let process = &entry.process;
    // A thread may have a name of its own; that of the process is its leader's.
    let renamed = task.is_leader() && process.comm.as_bytes() != task.comm();
    let new_credentials = !task.has_credentials(&process.credentials);
    let namespaces = task.namespaces();
    // A task that is ending has given up its namespaces.
    let new_namespaces = namespaces != process.namespaces && namespaces.mnt != 0 && namespaces.pid != 0;
    let ppid = task.parent_key().pid;
    let reparented = process.ppid != ppid && ppid != 0;
    if !(renamed || new_credentials || new_namespaces || reparented || membership.is_some()) {
        return;
    }
    retired.add(process);
    let process = Arc::make_mut(&mut entry.process);
    if renamed {
        process.comm = Text::new(task.comm());
    }
    if new_credentials {
        process.credentials = task.credentials(resolve.users);
    }
    if new_namespaces {
        process.namespaces = namespaces;
    }
    if reparented {
        process.ppid = ppid;
    }
    if let Some(membership) = membership {
        entry.cgroup = membership.key;
        process.cgroup = membership.cgroup.clone();
        process.container = membership.container.clone();
    }
}

/// Whether two snapshots of a process run the same program with the same arguments.
pub(super) fn is_same_program(one: &Process, other: &Process) -> bool {
    let (one, other) = (&one.image, &other.image);
    one.file.inode == other.file.inode
        && one.file.mount_id == other.file.mount_id
        && one.file.path == other.file.path
        && one.args_truncated == other.args_truncated
        && one.arguments.all() == other.arguments.all()
}

/// Most programs pass their environment on unchanged: then there is no second copy.
pub(super) fn share_environment(process: &mut Process, previous: &Process) {
    if process.image.envp == previous.image.envp
        && let Some(image) = Arc::get_mut(&mut process.image)
    {
        image.envp = previous.image.envp.clone();
    }
}
