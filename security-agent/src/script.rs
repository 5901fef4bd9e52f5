//! Test support: a small kernel that writes the records of what is done on it.

use std::collections::BTreeMap;

use proto::wire::layout::{
    CHUNK_ARGS, EXEC_FLAG_ARGS_CHUNKED, FILE_FLAG_VALID, RECORD_FLAG_START_TICKS, RECORD_FLAG_SYNTHETIC,
    START_TICK_NS, TASK_FLAG_NO_EXEC, cgroup_attach_body, exec_body, exec_chunk_body, exit_body, file_call,
    file_info, fork_body, open_body, record_header, setuid_body, span, task_context,
};
use proto::wire::{Kind, RecordBuilder};

/// A process of the small kernel.
#[derive(Debug, Clone)]
pub(crate) struct Task {
    /// What its records say about it.
    pub(crate) context: task_context,
    /// The program it runs.
    pub(crate) path: String,
    /// Its arguments, the first one included.
    pub(crate) argv: Vec<String>,
    /// Its environment.
    pub(crate) envp: Vec<String>,
    /// Path of its control group.
    pub(crate) cgroup: String,
}

/// Processes, a clock, and the records of all that was done.
#[derive(Debug, Clone)]
pub(crate) struct Machine {
    /// Nanoseconds since boot.
    pub(crate) now: u64,
    /// Nanoseconds from one record to the next.
    pub(crate) step_ns: u64,
    /// Living processes by pid.
    pub(crate) tasks: BTreeMap<u32, Task>,
    /// Records that were not taken yet.
    pub(crate) records: Vec<Vec<u8>>,
    next_pid: u32,
}

impl Machine {
    /// A machine on which pid 1 runs `/sbin/init`.
    pub(crate) fn boot() -> Self {
        let context = task_context {
            start_time_ns: 1_000_000,
            pid: 1,
            tid: 1,
            ns_pid: 1,
            cgroup_id: 1,
            exec_id: 1,
            auid: u32::MAX,
            pid_ns: 4_026_531_836,
            mnt_ns: 4_026_531_840,
            net_ns: 4_026_531_992,
            user_ns: 4_026_531_837,
            comm: comm("init"),
            ..task_context::default()
        };
        let init = Task {
            context,
            path: "/sbin/init".into(),
            argv: vec!["/sbin/init".into()],
            envp: vec!["PATH=/bin".into()],
            cgroup: "/init.scope".into(),
        };
        Self { now: 10_000_000, step_ns: 1_000, tasks: [(1, init)].into(), records: Vec::new(), next_pid: 2 }
    }

    /// The records since the last call, back to back, and how many they are.
    pub(crate) fn take(&mut self) -> (Vec<u8>, u32) {
        let records = std::mem::take(&mut self.records);
        let count = u32::try_from(records.len()).unwrap_or(u32::MAX);
        (records.concat(), count)
    }

    /// `parent` forks a process with the next free pid.
    pub(crate) fn fork(&mut self, parent: u32) -> u32 {
        while self.tasks.contains_key(&self.next_pid) {
            self.next_pid += 1;
        }
        let pid = self.next_pid;
        self.next_pid += 1;
        self.fork_as(parent, pid);
        pid
    }

    /// `parent` forks a process with this pid.
    pub(crate) fn fork_as(&mut self, parent: u32, pid: u32) {
        self.now += self.step_ns;
        let mut task = self.tasks[&parent].clone();
        let forker = task.context;
        task.context = task_context {
            start_time_ns: self.now,
            parent_start_time_ns: forker.start_time_ns,
            pid,
            tid: pid,
            ppid: parent,
            ns_pid: pid,
            flags: forker.flags | TASK_FLAG_NO_EXEC,
            ..forker
        };
        let body = fork_body {
            forker_start_time_ns: forker.start_time_ns,
            forker_pid: forker.pid,
            forker_tid: forker.tid,
            ..fork_body::default()
        };
        let record = RecordBuilder::new(Kind::Fork).finish(self.header(), &task.context, &body);
        self.tasks.insert(pid, task);
        self.records.push(record);
    }

    /// `pid` executes the program at `path`.
    pub(crate) fn exec(&mut self, pid: u32, path: &str, argv: &[&str]) {
        self.now += self.step_ns;
        let header = self.header();
        let task = self.tasks.get_mut(&pid).expect("a living process");
        task.path = path.into();
        task.argv = argv.iter().map(|arg| (*arg).to_owned()).collect();
        task.context.comm = comm(path.rsplit('/').next().unwrap_or_default());
        task.context.flags &= !TASK_FLAG_NO_EXEC;
        task.context.exec_id += 1;
        let mut flags = 0;
        let args = nul_separated(&task.argv);
        if args.len() > 8_192 {
            flags |= EXEC_FLAG_ARGS_CHUNKED;
            for (index, piece) in args.chunks(16_384).enumerate() {
                self.records.push(chunk(header, &task.context, index * 16_384, piece));
            }
        }
        self.records.push(exec_record(header, task, flags));
    }

    /// `pid` opens `path` with `flags`.
    pub(crate) fn open(&mut self, pid: u32, path: &str, flags: u32) {
        self.now += self.step_ns;
        let header = self.header();
        let task = self.tasks.get(&pid).expect("a living process");
        let mut builder = RecordBuilder::new(Kind::Open);
        let path = builder.push(path.as_bytes());
        let file =
            file_info { inode: 9, mode: 0o100_640, flags: FILE_FLAG_VALID, path, ..file_info::default() };
        let call = file_call { retval: 3, path, ..file_call::default() };
        let body = open_body { call, file, flags, ..open_body::default() };
        self.records.push(builder.finish(header, &task.context, &body));
    }

    /// `pid` ends with exit status `code`. Its children become those of pid 1.
    pub(crate) fn exit(&mut self, pid: u32, code: u32) {
        self.now += self.step_ns;
        let task = self.tasks.remove(&pid).expect("a living process");
        let body = exit_body { cause: 0, code };
        let record = RecordBuilder::new(Kind::Exit).finish(self.header(), &task.context, &body);
        self.records.push(record);
        for child in self.tasks.values_mut().filter(|child| child.context.ppid == pid) {
            child.context.ppid = 1;
            child.context.parent_start_time_ns = 1_000_000;
        }
    }

    /// All user ids of `pid` become `uid`.
    pub(crate) fn setuid(&mut self, pid: u32, uid: u32) {
        self.now += self.step_ns;
        let header = self.header();
        let context = &mut self.tasks.get_mut(&pid).expect("a living process").context;
        let body = setuid_body {
            old_uid: context.uid,
            old_euid: context.euid,
            old_fsuid: context.fsuid,
            uid,
            euid: uid,
            fsuid: uid,
        };
        (context.uid, context.euid, context.fsuid) = (uid, uid, uid);
        self.records.push(RecordBuilder::new(Kind::Setuid).finish(header, context, &body));
    }

    /// `pid` is moved to another control group.
    pub(crate) fn move_to_cgroup(&mut self, pid: u32, id: u64, path: &str) {
        self.now += self.step_ns;
        let header = self.header();
        let task = self.tasks.get_mut(&pid).expect("a living process");
        task.context.cgroup_id = id;
        task.cgroup = path.into();
        let mut builder = RecordBuilder::new(Kind::CgroupAttach);
        let cgroup_path = builder.push(path.as_bytes());
        let body = cgroup_attach_body { actor_pid: 1, actor_start_time_ns: 1_000_000, cgroup_path };
        self.records.push(builder.finish(header, &task.context, &body));
    }

    /// The records of a snapshot: one per process, children before parents.
    pub(crate) fn snapshot(&mut self) {
        self.now += self.step_ns;
        let header = record_header {
            flags: u16::try_from(RECORD_FLAG_SYNTHETIC).unwrap_or_default(),
            ..self.header()
        };
        let records = self.tasks.values().rev().map(|task| exec_record(header, task, 0));
        self.records.extend(records);
    }

    /// The same as `/proc` tells it: start times in ticks, no numbers of control groups, no count of programs.
    pub(crate) fn snapshot_of_proc(&mut self) {
        self.now += self.step_ns;
        let flags = RECORD_FLAG_SYNTHETIC | RECORD_FLAG_START_TICKS;
        let header = record_header { flags: u16::try_from(flags).unwrap_or_default(), ..self.header() };
        let cut = |ns: u64| ns - ns % u64::from(START_TICK_NS);
        let records = self.tasks.values().rev().map(|task| {
            let mut task = task.clone();
            let context = &mut task.context;
            context.start_time_ns = cut(context.start_time_ns);
            context.parent_start_time_ns = cut(context.parent_start_time_ns);
            (context.cgroup_id, context.exec_id) = (0, 0);
            exec_record(header, &task, 0)
        });
        self.records.extend(records);
    }

    fn header(&self) -> record_header {
        record_header { time_ns: self.now, ..record_header::default() }
    }
}

fn exec_record(header: record_header, task: &Task, flags: u32) -> Vec<u8> {
    let mut builder = RecordBuilder::new(Kind::Exec);
    let path = builder.push(task.path.as_bytes());
    let args = nul_separated(&task.argv);
    let args = if flags & EXEC_FLAG_ARGS_CHUNKED == 0 { builder.push(&args) } else { span::default() };
    let envs = builder.push(&nul_separated(&task.envp));
    let cgroup_path = builder.push(task.cgroup.as_bytes());
    let inode =
        task.path.bytes().fold(7_u64, |hash, byte| hash.wrapping_mul(31).wrapping_add(u64::from(byte)));
    let file = file_info { inode, mode: 0o100_755, flags: FILE_FLAG_VALID, path, ..file_info::default() };
    let body = exec_body { file, flags, args, envs, filename: path, cgroup_path, ..exec_body::default() };
    builder.finish(header, &task.context, &body)
}

fn chunk(header: record_header, context: &task_context, offset: usize, piece: &[u8]) -> Vec<u8> {
    let mut builder = RecordBuilder::new(Kind::ExecChunk);
    let data = builder.push(piece);
    let offset = u32::try_from(offset).unwrap_or(u32::MAX);
    let body = exec_chunk_body { what: CHUNK_ARGS, offset, data, _pad: 0 };
    builder.finish(header, context, &body)
}

fn nul_separated(strings: &[String]) -> Vec<u8> {
    strings.iter().flat_map(|string| string.bytes().chain([0])).collect()
}

fn comm(name: &str) -> [u8; 16] {
    let mut comm = [0; 16];
    for (to, from) in comm.iter_mut().take(15).zip(name.bytes()) {
        *to = from;
    }
    comm
}
