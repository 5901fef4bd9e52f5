//! The tree against a small kernel ([`crate::script`]): by example, and by an oracle over random histories.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proto::wire::Records;

use super::*;
use crate::decode::Decoder;
use crate::script::Machine;

/// A tree, and what feeds it.
struct Fed {
    tree: ProcessTree,
    /// Snapshots come from `/proc`.
    from_proc: bool,
    decoder: Decoder,
    users: Users,
}

impl Fed {
    fn new(limits: Limits) -> Self {
        let users = [(0, Text::from("root")), (1000, Text::from("alice"))].into_iter().collect();
        Self {
            tree: ProcessTree::new(limits),
            from_proc: false,
            decoder: Decoder::default(),
            users: Users::fixed(users, Default::default()),
        }
    }

    /// A tree that has seen the snapshot of `machine`.
    fn after_snapshot(machine: &mut Machine) -> Self {
        let mut fed = Self::new(Limits::default());
        fed.snapshot(machine);
        fed
    }

    fn snapshot(&mut self, machine: &mut Machine) -> Vec<Applied> {
        self.tree.begin_stream();
        self.snapshot_within_the_stream(machine)
    }

    fn snapshot_within_the_stream(&mut self, machine: &mut Machine) -> Vec<Applied> {
        machine.records.clear();
        if self.from_proc {
            machine.snapshot_of_proc();
        } else {
            machine.snapshot();
        }
        self.tree.begin_snapshot();
        self.feed(machine);
        self.tree.end_snapshot(Resolve { users: &self.users, clock: Clock::default() })
    }

    fn feed(&mut self, machine: &mut Machine) -> Vec<Applied> {
        let (bytes, _) = machine.take();
        self.feed_bytes(&bytes)
    }

    fn feed_bytes(&mut self, bytes: &[u8]) -> Vec<Applied> {
        let resolve = Resolve { users: &self.users, clock: Clock::default() };
        let mut applied = Vec::new();
        for record in Records::new(bytes) {
            if let Some(mut decoded) = self.decoder.decode(&record.unwrap(), &self.users) {
                applied.extend(self.tree.apply(&mut decoded, resolve));
            }
        }
        applied
    }

    fn process(&self, machine: &Machine, pid: u32) -> &Arc<Process> {
        let start_time_ns = machine.tasks[&pid].context.start_time_ns;
        self.tree.get(ProcessKey { pid, start_time_ns }).unwrap()
    }
}

fn chain(process: &Process) -> Vec<String> {
    let step = |process: &Process| format!("{}:{}", process.pid, process.image.file.path);
    std::iter::once(step(process)).chain(process.ancestors().map(|ancestor| step(ancestor))).collect()
}

#[test]
fn a_shell_that_runs_a_program_is_its_parent() {
    let mut machine = Machine::boot();
    let shell = machine.fork(1);
    machine.exec(shell, "/bin/sh", &["sh"]);
    let mut fed = Fed::after_snapshot(&mut machine);
    let child = machine.fork(shell);
    fed.feed(&mut machine);
    let forked = fed.process(&machine, child);
    assert!(forked.is_thread && !forked.is_exec);
    assert_eq!(&*forked.image.file.path, b"/bin/sh", "a fork runs its parent's program");

    machine.exec(child, "/bin/cat", &["cat", "/etc/shadow"]);
    let applied = fed.feed(&mut machine);
    let cat = &applied[0].process;
    assert!(cat.is_exec && !cat.is_thread);
    assert_eq!(cat.image.arguments.joined(), b"/etc/shadow");
    assert_eq!(chain(cat), ["3:/bin/cat", "3:/bin/sh", "2:/bin/sh", "1:/sbin/init"]);
    assert_eq!(cat.parent().unwrap().pid, shell);
    assert_eq!(&*cat.credentials.user, b"root");
}

#[test]
fn ancestors_outlive_the_processes_and_ppid_follows_the_kernel() {
    let mut machine = Machine::boot();
    let mut fed = Fed::after_snapshot(&mut machine);
    let middle = machine.fork(1);
    machine.exec(middle, "/usr/sbin/daemon", &["daemon"]);
    let child = machine.fork(middle);
    machine.exit(middle, 0);
    machine.exec(child, "/bin/worker", &["worker"]);
    fed.feed(&mut machine);
    let worker = fed.process(&machine, child);
    assert_eq!(worker.ppid, 1, "the reaper took it over");
    assert_eq!(worker.parent().unwrap().pid, middle, "who forked it");
    assert_eq!(fed.tree.len(), 2);
}

#[test]
fn the_process_that_forked_is_the_ancestor_under_clone_parent() {
    let mut machine = Machine::boot();
    let mut fed = Fed::after_snapshot(&mut machine);
    let evil = machine.fork(1);
    machine.exec(evil, "/tmp/evil", &["evil"]);
    let child = machine.fork(evil);
    // CLONE_PARENT: the parent that the kernel tells is that of the caller.
    machine.records.pop();
    let context = &mut machine.tasks.get_mut(&child).unwrap().context;
    (context.ppid, context.parent_start_time_ns) = (1, 1_000_000);
    let context = *context;
    let forker = machine.tasks[&evil].context;
    let body = proto::wire::layout::fork_body {
        forker_pid: evil,
        forker_start_time_ns: forker.start_time_ns,
        ..Default::default()
    };
    let builder = proto::wire::RecordBuilder::new(proto::wire::Kind::Fork);
    machine.records.push(builder.finish(Default::default(), &context, &body));
    fed.feed(&mut machine);
    let process = fed.process(&machine, child);
    assert_eq!((process.ppid, process.parent().unwrap().pid), (1, evil));
    assert_eq!(&*process.image.file.path, b"/tmp/evil");
}

#[test]
fn a_pid_that_is_used_again_is_another_process() {
    let mut machine = Machine::boot();
    let mut fed = Fed::after_snapshot(&mut machine);
    machine.fork_as(1, 50);
    machine.exec(50, "/bin/first", &["first"]);
    fed.feed(&mut machine);
    let old = machine.tasks[&50].context;
    machine.exit(50, 0);
    machine.records.clear(); // the exit is lost
    machine.fork_as(1, 50);
    fed.feed(&mut machine);
    assert_eq!(&*fed.process(&machine, 50).image.file.path, b"/sbin/init");
    assert_eq!(fed.tree.counters().missed_exits, 1);

    // A late record of the old one neither finds the new one nor replaces it.
    let body = proto::wire::layout::exit_body::default();
    let late =
        proto::wire::RecordBuilder::new(proto::wire::Kind::Exit).finish(Default::default(), &old, &body);
    let applied = fed.feed_bytes(&late);
    assert_eq!(applied[0].process.source, ProcessSource::Placeholder);
    assert!(applied[0].process.image.file.path.is_empty());
    assert_eq!(&*fed.process(&machine, 50).image.file.path, b"/sbin/init");
}

#[test]
fn a_process_whose_start_was_lost_is_made_up_from_its_context() {
    let mut machine = Machine::boot();
    let mut fed = Fed::after_snapshot(&mut machine);
    let pid = machine.fork(1);
    machine.records.clear();
    machine.setuid(pid, 1000);
    let applied = fed.feed(&mut machine);
    let process = &applied[0].process;
    assert_eq!(process.source, ProcessSource::Placeholder);
    assert_eq!((process.credentials.uid, &*process.credentials.user), (0, &b"root"[..]), "before the change");
    assert_eq!(process.parent().unwrap().pid, 1);
    assert_eq!(&*fed.process(&machine, pid).credentials.user, b"alice", "after the change");

    machine.exec(pid, "/bin/ls", &["ls"]);
    fed.feed(&mut machine);
    assert_eq!(
        chain(fed.process(&machine, pid)),
        ["2:/bin/ls", "1:/sbin/init"],
        "one made up is no ancestor"
    );
}

#[test]
fn a_program_whose_exec_was_lost_is_unknown_until_a_snapshot_tells() {
    let mut machine = Machine::boot();
    let mut fed = Fed::after_snapshot(&mut machine);
    let pid = machine.fork(1);
    machine.exec(pid, "/bin/first", &["first", "x"]);
    fed.feed(&mut machine);
    machine.exec(pid, "/tmp/second", &["second"]);
    machine.records.clear(); // the exec is lost
    assert!(!fed.tree.take_has_unseen_programs());
    machine.setuid(pid, 1000);
    let applied = fed.feed(&mut machine);
    let process = &applied[0].process;
    assert_eq!((&*process.comm, process.source), (&b"second"[..], ProcessSource::Placeholder));
    assert!(process.image.file.path.is_empty() && process.image.args_truncated && process.is_exec);
    assert_eq!(chain(process)[1..], ["2:/bin/first", "2:/sbin/init", "1:/sbin/init"]);
    assert_eq!(fed.tree.counters().missed_execs, 1);
    assert!(fed.tree.take_has_unseen_programs());
    assert!(!fed.tree.take_has_unseen_programs(), "told once");

    // Who is forked now runs the same unknown program.
    let child = machine.fork(pid);
    fed.feed(&mut machine);
    assert!(fed.process(&machine, child).image.file.path.is_empty());

    let news: Vec<_> = fed.snapshot(&mut machine).iter().map(|applied| chain(&applied.process)).collect();
    assert_eq!(news[0], ["2:/tmp/second", "2:/bin/first", "2:/sbin/init", "1:/sbin/init"]);
    assert_eq!(fed.process(&machine, child).image.file.path.to_string(), "/tmp/second");
}

#[test]
fn a_fork_tells_that_the_exec_of_its_parent_was_lost() {
    let mut machine = Machine::boot();
    let mut fed = Fed::after_snapshot(&mut machine);
    machine.exec(1, "/sbin/other", &["other"]);
    machine.records.clear();
    let child = machine.fork(1);
    fed.feed(&mut machine);
    for pid in [1, child] {
        let process = fed.process(&machine, pid);
        assert_eq!((&*process.image.file.path, &*process.comm), (&b""[..], &b"other"[..]), "{pid}");
    }
    assert_eq!(fed.tree.counters().missed_execs, 1);
}

#[test]
fn records_find_processes_that_proc_told_of() {
    let mut machine = Machine::boot();
    machine.step_ns = 15_000_000;
    let shell = machine.fork(1);
    machine.exec(shell, "/bin/sh", &["sh"]);
    let id = "a".repeat(64);
    machine.move_to_cgroup(shell, 9, &format!("/docker/{id}"));
    let mut fed = Fed { from_proc: true, ..Fed::new(Limits::default()) };
    fed.snapshot(&mut machine);
    assert_eq!(fed.tree.len(), 2);

    let child = machine.fork(shell);
    machine.setuid(shell, 1000);
    machine.exec(shell, "/bin/su", &["su"]);
    let applied = fed.feed(&mut machine);
    assert_eq!((fed.tree.len(), fed.tree.counters().placeholders), (3, 0));
    assert_eq!(chain(fed.process(&machine, child)), ["3:/bin/sh", "2:/bin/sh", "1:/sbin/init"]);
    let su = fed.process(&machine, shell);
    assert_eq!(chain(su), ["2:/bin/su", "2:/bin/sh", "1:/sbin/init"]);
    assert_eq!(su.parent().unwrap().pid, 1, "its own earlier image is no other process");
    for process in applied.iter().map(|applied| &applied.process) {
        assert_eq!(
            &*process.container.as_ref().unwrap().id,
            id.as_bytes(),
            "the group's number is news only"
        );
    }
    machine.exit(shell, 0);
    fed.feed(&mut machine);
    assert_eq!(fed.tree.len(), 2);

    // The next stream has the better snapshot.
    fed.from_proc = false;
    assert!(fed.snapshot(&mut machine).is_empty());
    assert_eq!((fed.tree.len(), fed.tree.counters().missed_exits), (2, 0));
}

#[test]
fn a_script_that_proc_shows_as_its_interpreter_still_runs() {
    let mut machine = Machine::boot();
    let mut fed = Fed { from_proc: true, ..Fed::new(Limits::default()) };
    machine.step_ns = 15_000_000;
    fed.snapshot(&mut machine);
    let pid = machine.fork(1);
    machine.exec(pid, "/bin/sh", &["/bin/sh", "-e", "./run", "x"]);
    fed.feed(&mut machine);
    let key = ProcessKey { pid, start_time_ns: machine.tasks[&pid].context.start_time_ns };
    let entry = fed.tree.entries.get_mut(&pid).unwrap();
    let image = Arc::make_mut(&mut Arc::make_mut(&mut entry.process).image);
    image.interpreter = Some(Box::new(std::mem::take(&mut image.file)));
    (image.file.path, image.file.inode) = ("/home/run".into(), 5);
    image.arguments = model::Arguments::new(["./run", "x"].iter().collect());
    assert!(fed.snapshot(&mut machine).is_empty());
    assert_eq!(&*fed.tree.get(key).unwrap().image.file.path, b"/home/run");
    machine.exec(pid, "/bin/sh", &["/bin/sh", "-e", "./other", "x"]);
    machine.records.clear();
    assert_eq!(fed.snapshot(&mut machine).len(), 1, "another script");
}

#[test]
fn a_snapshot_links_children_that_come_before_their_parents() {
    let mut machine = Machine::boot();
    let shell = machine.fork(1);
    machine.exec(shell, "/bin/sh", &["sh"]);
    let child = machine.fork(shell);
    machine.exec(child, "/bin/sleep", &["sleep", "60"]);
    let mut fed = Fed::new(Limits::default());
    let news = fed.snapshot(&mut machine);
    assert_eq!(news.len(), 3);
    assert_eq!(chain(fed.process(&machine, child)), ["3:/bin/sleep", "2:/bin/sh", "1:/sbin/init"]);
    assert!(fed.snapshot(&mut machine).is_empty(), "the same again is no news");
    assert_eq!(fed.tree.len(), 3);
}

#[test]
fn a_second_snapshot_tells_what_happened_in_the_gap() {
    let mut machine = Machine::boot();
    let gone = machine.fork(1);
    let stays = machine.fork(1);
    machine.exec(stays, "/bin/sh", &["sh"]);
    let mut fed = Fed::after_snapshot(&mut machine);
    machine.exit(gone, 0);
    machine.exec(stays, "/bin/bash", &["bash"]);
    let new = machine.fork(stays);
    let news: Vec<u32> = fed.snapshot(&mut machine).iter().map(|applied| applied.process.pid).collect();
    assert_eq!(news, [stays, new]);
    assert_eq!(fed.tree.len(), 3);
    assert_eq!(
        chain(fed.process(&machine, new)),
        ["4:/bin/bash", "3:/bin/bash", "3:/bin/sh", "1:/sbin/init"]
    );
}

#[test]
fn who_had_ended_before_a_snapshot_within_the_stream_still_acts_in_older_records() {
    let mut machine = Machine::boot();
    let mut fed = Fed::after_snapshot(&mut machine);
    let (ended, lost) = (machine.fork(1), machine.fork(1));
    for pid in [ended, lost] {
        machine.exec(pid, "/bin/program", &["program"]);
    }
    fed.feed(&mut machine);
    // Both end before the snapshot. The record of one end waits behind it, that of the other is lost.
    machine.exit(ended, 0);
    let (waiting, _) = machine.take();
    machine.exit(lost, 0);
    assert_eq!(fed.snapshot_within_the_stream(&mut machine).len(), 0);
    let applied = fed.feed_bytes(&waiting);
    assert_eq!(applied[0].process.image.file.path.to_string(), "/bin/program");
    assert_eq!(fed.tree.len(), 2, "the other may still have older records");
    let young = machine.fork(1);
    fed.feed(&mut machine);
    assert_eq!(fed.tree.len(), 2, "init and {young}");
    assert!(fed.tree.iter().all(|process| process.pid != lost));
    assert_eq!(fed.tree.counters().missed_exits, 1);
}

#[test]
fn live_records_that_the_snapshot_already_shows_change_nothing() {
    let mut machine = Machine::boot();
    let mut fed = Fed::new(Limits::default());
    fed.tree.begin_stream();
    // The probe watches already; the records wait until the snapshot is through.
    let pid = machine.fork(1);
    machine.exec(pid, "/bin/first", &["first"]);
    machine.exec(pid, "/bin/second", &["second"]);
    let (live, _) = machine.take();
    machine.snapshot();
    fed.feed(&mut machine);
    let resolve = Resolve { users: &fed.users, clock: Clock::default() };
    assert_eq!(fed.tree.end_snapshot(resolve).len(), 2);
    let applied = fed.feed_bytes(&live);
    let seen: Vec<_> = applied.iter().map(|a| (a.process.image.file.path.to_string(), a.known)).collect();
    let expected = [("/bin/second", false), ("/bin/first", false), ("/bin/second", true)];
    assert_eq!(seen, expected.map(|(path, known)| (path.to_owned(), known)));
    assert_eq!(chain(fed.process(&machine, pid)), ["2:/bin/second", "1:/sbin/init"]);
    machine.exit(pid, 0);
    fed.feed(&mut machine);
    assert_eq!(fed.tree.len(), 1);
}

#[test]
fn a_process_moves_into_its_container() {
    let mut machine = Machine::boot();
    let mut fed = Fed::after_snapshot(&mut machine);
    let pid = machine.fork(1);
    let id = "a".repeat(64);
    machine.move_to_cgroup(pid, 9, &format!("/docker/{id}"));
    let child = machine.fork(pid);
    fed.feed(&mut machine);
    for pid in [pid, child] {
        assert_eq!(&*fed.process(&machine, pid).container.as_ref().unwrap().id, id.as_bytes());
    }
    assert!(fed.process(&machine, 1).container.is_none());

    // The record of the move is lost: no container is better than the wrong one.
    machine.move_to_cgroup(child, 10, "/docker/other");
    machine.records.clear();
    machine.setuid(child, 1000);
    fed.feed(&mut machine);
    assert!(fed.process(&machine, child).container.is_none());
}

#[test]
fn the_service_comes_from_the_environment_and_is_inherited() {
    let mut machine = Machine::boot();
    let mut fed = Fed::after_snapshot(&mut machine);
    let pid = machine.fork(1);
    machine.tasks.get_mut(&pid).unwrap().envp = vec!["DD_SERVICE=shop".into()];
    machine.exec(pid, "/bin/app", &["app"]);
    let child = machine.fork(pid);
    machine.tasks.get_mut(&child).unwrap().envp.clear();
    machine.exec(child, "/bin/sh", &["sh"]);
    let services: Vec<_> = fed.feed(&mut machine).iter().map(|applied| applied.service.to_string()).collect();
    assert_eq!(services, ["", "shop", "shop", "shop"]);
}

#[test]
fn long_arguments_arrive_whole() {
    let mut machine = Machine::boot();
    let mut fed = Fed::after_snapshot(&mut machine);
    let long = "x".repeat(100_000);
    machine.exec(1, "/bin/echo", &["echo", &long]);
    fed.feed(&mut machine);
    let image = &fed.process(&machine, 1).image;
    assert_eq!(image.arguments.joined(), long.as_bytes());
    assert!(!image.args_truncated);

    machine.exec(1, "/bin/echo", &["echo", &long]);
    machine.records.remove(2); // a piece is lost
    fed.feed(&mut machine);
    let image = &fed.process(&machine, 1).image;
    assert!(image.args_truncated && image.arguments.joined().len() < 40_000);
}

#[test]
fn endless_execs_and_forks_do_not_grow_the_lineage() {
    let limits = Limits { ancestors: 16, ..Limits::default() };
    let mut machine = Machine::boot();
    let mut fed = Fed::new(limits);
    fed.snapshot(&mut machine);
    let mut pid = machine.fork(1);
    for round in 0..200 {
        machine.exec(pid, &format!("/bin/round{round}"), &["x"]);
        if round % 2 == 0 {
            let child = machine.fork(pid);
            machine.exit(pid, 0);
            pid = child;
        }
        fed.feed(&mut machine);
        let process = fed.process(&machine, pid);
        let ancestors: Vec<_> = process.ancestors().collect();
        assert!(ancestors.len() <= 16, "{}", ancestors.len());
        assert_eq!(ancestors.last().unwrap().pid, 1, "where it came from stays");
        let nearest = ancestors[0].image.file.path.to_string();
        let expected = if round % 2 == 0 || round == 0 { round } else { round - 1 };
        assert_eq!(nearest, format!("/bin/round{expected}"));
        let counted = fed.tree.entry(ProcessKey { pid, start_time_ns: process.start_time }).unwrap().depth;
        assert_eq!(counted, ancestors.len());
    }
    assert!(fed.tree.counters().shortened_lineages > 0);
}

#[test]
fn a_program_that_executes_itself_is_one_ancestor() {
    let mut machine = Machine::boot();
    let mut fed = Fed::after_snapshot(&mut machine);
    let pid = machine.fork(1);
    for _ in 0..50 {
        machine.exec(pid, "/bin/loop", &["loop"]);
    }
    fed.feed(&mut machine);
    assert_eq!(chain(fed.process(&machine, pid)), ["2:/bin/loop", "2:/sbin/init", "1:/sbin/init"]);
}

#[test]
fn arguments_of_the_oldest_images_go_first_when_memory_is_short() {
    let limits = Limits { image_bytes: 64 << 10, ..Limits::default() };
    let mut machine = Machine::boot();
    let mut fed = Fed::new(limits);
    fed.snapshot(&mut machine);
    let long = "y".repeat(4_000);
    let pids: Vec<u32> = (0..100)
        .map(|_| {
            let pid = machine.fork(1);
            machine.exec(pid, "/bin/worker", &["worker", &long]);
            // Holds the image above as an ancestor, too.
            machine.exec(pid, "/bin/after", &["after"]);
            pid
        })
        .collect();
    fed.feed(&mut machine);
    let in_use: usize = fed
        .tree
        .iter()
        .flat_map(|process| std::iter::once(process).chain(process.ancestors()))
        .filter(|process| &*process.image.file.path == b"/bin/worker")
        .map(|process| process.image.arguments.joined().len())
        .sum();
    assert!(in_use <= 64 << 10, "{in_use}");
    let arguments = |pid| {
        let ancestor = fed.process(&machine, pid).lineage.nearest().unwrap();
        (ancestor.image.arguments.joined().len(), ancestor.image.args_truncated)
    };
    assert_eq!(arguments(pids[0]), (0, true), "the oldest");
    assert_eq!(arguments(pids[99]), (4_000, false), "the youngest");
    assert!(fed.tree.counters().stripped_images > 0);
}

#[test]
fn ancestors_that_ended_are_bounded() {
    let limits = Limits { retired: 1_000, ancestors: 64, ..Limits::default() };
    let mut machine = Machine::boot();
    let mut fed = Fed::new(limits);
    fed.snapshot(&mut machine);
    for _ in 0..300 {
        let mut pid = machine.fork(1);
        for round in 0..20 {
            machine.exec(pid, &format!("/bin/r{round}"), &["x"]);
            let child = machine.fork(pid);
            machine.exit(pid, 0);
            pid = child;
        }
        fed.feed(&mut machine);
    }
    let mut distinct: Vec<_> =
        fed.tree.iter().flat_map(|process| process.ancestors()).map(Arc::as_ptr).collect();
    distinct.sort_unstable();
    distinct.dedup();
    assert!(distinct.len() <= 1_000 + 1_024 + fed.tree.len(), "{}", distinct.len());
    assert!(fed.tree.counters().forgotten_ancestors > 0);
    for process in fed.tree.iter().filter(|process| process.pid != 1) {
        assert_eq!(process.ancestors().last().unwrap().pid, 1, "a chain is never torn");
    }
}

#[test]
fn the_number_of_processes_is_bounded() {
    let limits = Limits { processes: 1_024, ..Limits::default() };
    let mut machine = Machine::boot();
    let mut fed = Fed::new(limits);
    fed.snapshot(&mut machine);
    for _ in 0..5_000 {
        machine.fork(1);
    }
    fed.feed(&mut machine);
    assert!(fed.tree.len() <= 1_024);
    assert!(fed.tree.counters().evicted_processes >= 5_000 - 1_024);
}

/// What the oracle knows of a process: `pid:path` of itself and its ancestors.
#[derive(Debug, Clone, Default)]
struct Truth {
    chain: Vec<String>,
    uid: u32,
    made_by_exec: bool,
}

#[derive(Debug, Clone)]
enum Step {
    Fork { parent: usize, pid: u32 },
    Exec { process: usize, program: u8 },
    Exit { process: usize },
    Setuid { process: usize, uid: u32 },
    Snapshot,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (any::<usize>(), 2..12_u32).prop_map(|(parent, pid)| Step::Fork { parent, pid }),
        4 => (any::<usize>(), 0..6_u8).prop_map(|(process, program)| Step::Exec { process, program }),
        2 => any::<usize>().prop_map(|process| Step::Exit { process }),
        1 => (any::<usize>(), 0..3_u32).prop_map(|(process, uid)| Step::Setuid { process, uid: uid * 500 }),
        1 => Just(Step::Snapshot),
    ]
}

/// Does a step on the machine and in the oracle; gives the living process that acted.
fn perform(step: &Step, machine: &mut Machine, truth: &mut BTreeMap<u32, Truth>) -> Option<u32> {
    let pick = |index: usize| *machine.tasks.keys().nth(index % machine.tasks.len()).unwrap();
    match *step {
        Step::Fork { parent, pid } => {
            let parent = pick(parent);
            if machine.tasks.contains_key(&pid) {
                return None;
            }
            machine.fork_as(parent, pid);
            let above = truth[&parent].clone();
            let program = above.chain[0].split_once(':').unwrap().1.to_owned();
            let mut chain = vec![format!("{pid}:{program}")];
            chain.extend(above.chain);
            truth.insert(pid, Truth { chain, uid: above.uid, made_by_exec: false });
            Some(pid)
        }
        Step::Exec { process, program } => {
            let pid = pick(process);
            let path = format!("/bin/p{program}");
            machine.exec(pid, &path, &["x"]);
            let known = truth.get_mut(&pid).unwrap();
            let image = format!("{pid}:{path}");
            if !(known.made_by_exec && known.chain[0] == image) {
                known.chain.insert(0, image);
            }
            known.made_by_exec = true;
            Some(pid)
        }
        Step::Exit { process } => {
            let pid = pick(process);
            if pid != 1 {
                machine.exit(pid, 0);
                truth.remove(&pid);
            }
            None
        }
        Step::Setuid { process, uid } => {
            let pid = pick(process);
            machine.setuid(pid, uid);
            truth.get_mut(&pid).unwrap().uid = uid;
            Some(pid)
        }
        Step::Snapshot => None,
    }
}

fn machine_and_truth() -> (Machine, BTreeMap<u32, Truth>) {
    let init = Truth { chain: vec!["1:/sbin/init".into()], uid: 0, made_by_exec: true };
    (Machine::boot(), [(1, init)].into())
}

/// With every record delivered, the tree is exactly what happened, also across reconnects.
fn check_that_the_tree_is_what_happened(steps: &[Step], from_proc: bool) -> Result<(), TestCaseError> {
    let (mut machine, mut truth) = machine_and_truth();
    if from_proc {
        // Longer than a tick: what /proc tells apart.
        machine.step_ns = 20_000_000;
    }
    let mut fed = Fed { from_proc, ..Fed::new(Limits::default()) };
    fed.snapshot(&mut machine);
    for step in steps {
        if matches!(step, Step::Snapshot) {
            let news = fed.snapshot(&mut machine);
            prop_assert!(news.is_empty(), "nothing happened in between");
        }
        let acted = perform(step, &mut machine, &mut truth);
        fed.feed(&mut machine);
        prop_assert_eq!(fed.tree.len(), truth.len());
        for (pid, expected) in &truth {
            let process = fed.process(&machine, *pid);
            prop_assert_eq!(&chain(process), &expected.chain);
            prop_assert_eq!(process.credentials.uid, expected.uid);
        }
        if let Some(pid) = acted {
            prop_assert_eq!(fed.process(&machine, pid).ppid, machine.tasks[&pid].context.ppid);
        }
    }
    prop_assert_eq!(fed.tree.counters().missed_execs, 0);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn the_tree_is_what_happened(steps in prop::collection::vec(step(), 1..120)) {
        check_that_the_tree_is_what_happened(&steps, false)?;
    }

    #[test]
    fn the_tree_is_what_happened_with_snapshots_from_proc(steps in prop::collection::vec(step(), 1..120)) {
        check_that_the_tree_is_what_happened(&steps, true)?;
    }

    /// With records lost at random, what is missing is missing, but nothing is another process's: each chain is made
    /// of images that its processes, or those they were forked from, really had; and a snapshot makes the set of
    /// processes right again.
    #[test]
    fn losses_never_attribute_wrongly(
        steps in prop::collection::vec((step(), prop::bool::weighted(0.3)), 1..120),
    ) {
        let (mut machine, mut truth) = machine_and_truth();
        let mut had: BTreeMap<(u32, u64), Vec<String>> = [((1, 1_000_000), vec!["/sbin/init".into()])].into();
        let mut fed = Fed::after_snapshot(&mut machine);
        for (step, lost) in &steps {
            match step {
                Step::Snapshot if *lost => {
                    fed.snapshot(&mut machine);
                    prop_assert_eq!(fed.tree.len(), machine.tasks.len());
                }
                Step::Snapshot => {
                    fed.snapshot_within_the_stream(&mut machine);
                    // The next record shows that no older one will come.
                    machine.setuid(1, 0);
                    fed.feed(&mut machine);
                    prop_assert_eq!(fed.tree.len(), machine.tasks.len());
                }
                _ => {}
            }
            let acted = perform(step, &mut machine, &mut truth);
            for (pid, task) in &machine.tasks {
                let context = &task.context;
                let inherited = had.get(&(context.ppid, context.parent_start_time_ns)).cloned().unwrap_or_default();
                had.entry((*pid, context.start_time_ns)).or_insert(inherited).push(task.path.clone());
            }
            if *lost {
                machine.records.clear();
            }
            fed.feed(&mut machine);
            // Whoever was heard of runs what it runs, or something unknown, and never what it ran before.
            if let Some(pid) = acted.filter(|_| !*lost) {
                let path = fed.process(&machine, pid).image.file.path.to_string();
                prop_assert!(path.is_empty() || path == machine.tasks[&pid].path, "{pid} does not run {path}");
            }
            for process in fed.tree.iter().flat_map(|process| std::iter::once(process).chain(process.ancestors())) {
                let path = process.image.file.path.to_string();
                let images = &had[&(process.pid, process.start_time)];
                prop_assert!(path.is_empty() || images.contains(&path), "{} never ran {path}", process.pid);
            }
        }
    }
}
