//! ptrace, signals, limits, process_vm_writev.

use std::process::Child;
use std::process::Command;
use std::process::Stdio;

use proto::wire::Kind;
use proto::wire::layout::*;

use crate::*;

/// A process that waits until it is told to end.
struct Waiting(Child);

impl Waiting {
    fn new() -> Self {
        Self(Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap())
    }

    fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn ptrace_tells_request_and_tracee() {
    if !ready() {
        return;
    }
    let other = Waiting::new();
    let pid = i64::from(other.pid());
    let expected = target_of(other.pid(), other.pid() as i32);
    let seen = PTRACE.watch(|| {
        assert_eq!(call(libc::SYS_ptrace, &[libc::PTRACE_SEIZE.into(), pid, 0, 0]), 0);
        // Not stopped: ESRCH, which is not reported.
        assert_eq!(call(libc::SYS_ptrace, &[libc::PTRACE_DETACH.into(), pid, 0, 0]), -3);
        assert_eq!(call(libc::SYS_ptrace, &[libc::PTRACE_INTERRUPT.into(), pid, 0x77, 0]), 0);
        let mut status = 0;
        // SAFETY: the process is a child.
        assert_eq!(unsafe { libc::waitpid(pid as i32, &raw mut status, libc::__WALL) }, pid as i32);
        assert_eq!(call(libc::SYS_ptrace, &[libc::PTRACE_DETACH.into(), pid, 0, 0]), 0);
    });
    let requests = [libc::PTRACE_SEIZE, libc::PTRACE_INTERRUPT, libc::PTRACE_DETACH];
    assert_eq!(seen.len(), requests.len());
    for (seen, request) in seen.iter().zip(requests) {
        let record = seen.record();
        assert_sound(&record);
        let body: ptrace_body = record.body();
        assert_eq!((body.retval, body.request), (0, request));
        assert_eq!(body.address, if request == libc::PTRACE_INTERRUPT { 0x77 } else { 0 });
        assert_target(body.tracee, expected);
    }
}

#[test]
fn whoever_asks_to_be_traced_is_the_tracee() {
    if !ready() {
        return;
    }
    let mut child = 0;
    let records = while_watching(
        &PTRACE.watched(),
        |_| {},
        || {
            // A process rather than a thread, whose tracer would be the runner of the tests: it does not wait for
            // threads, so that neither this process could end.
            // SAFETY: the child calls nothing but what is safe after a fork.
            child = unsafe { libc::fork() };
            if child == 0 {
                // SAFETY: as above; the call takes no address.
                unsafe {
                    libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0);
                    libc::_exit(0);
                }
            }
            let mut status = 0;
            // SAFETY: the process is a child.
            assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
            assert_eq!(status, 0);
        },
    );
    let child = u32::try_from(child).unwrap();
    let own = records::of(&records, Kind::Ptrace, child);
    let body: ptrace_body = own.last().expect("a record").record().body();
    assert_eq!((body.retval, body.request), (0, libc::PTRACE_TRACEME));
    assert_eq!((body.tracee.pid, body.tracee.given), (child, 0));
    assert_ne!(body.tracee.start_time_ns, 0);
}

#[test]
fn every_call_that_sends_a_signal() {
    if !ready() {
        return;
    }
    let other = Waiting::new();
    let pid = i64::from(other.pid());
    let pidfd = call(libc::SYS_pidfd_open, &[pid, 0]);
    let in_proc = std::fs::File::open(format!("/proc/{pid}")).unwrap();
    let signal = i64::from(libc::SIGURG);
    // siginfo_t: signo, errno, code (SI_QUEUE), ...
    let mut info = [0_i32; 32];
    (info[0], info[2]) = (libc::SIGURG, -1);
    let (info, given) = (at(&info), pid as i32);
    let rows: [(_, &[i64], _, _); 7] = [
        (libc::SYS_kill, &[pid, signal], 0, given),
        (libc::SYS_tkill, &[pid, signal], SIGNAL_FLAG_THREAD, given),
        (libc::SYS_tgkill, &[pid, pid, signal], SIGNAL_FLAG_THREAD, given),
        (libc::SYS_rt_sigqueueinfo, &[pid, signal, info], 0, given),
        (libc::SYS_rt_tgsigqueueinfo, &[pid, pid, signal, info], SIGNAL_FLAG_THREAD, given),
        (libc::SYS_pidfd_send_signal, &[pidfd, signal, 0, 0], 0, 0),
        (libc::SYS_pidfd_send_signal, &[in_proc_fd(&in_proc), signal, 0, 0], 0, 0),
    ];
    for (number, arguments, flags, given) in rows {
        let seen = SIGNAL.watch_one(Kind::Signal, || assert_eq!(call(number, arguments), 0, "{number}"));
        let record = seen.record();
        assert_sound(&record);
        let body: signal_body = record.body();
        assert_eq!((body.retval, body.signal, body.flags), (0, libc::SIGURG as u32, flags), "{number}");
        assert_target(body.target, target_of(other.pid(), given));
    }
    call(libc::SYS_close, &[pidfd]);
}

fn in_proc_fd(file: &std::fs::File) -> i64 {
    use std::os::fd::AsRawFd as _;
    file.as_raw_fd().into()
}

#[test]
fn signal_0_and_what_ends_its_target() {
    if !ready() {
        return;
    }
    let other = Waiting::new();
    let pid = i64::from(other.pid());
    let expected = target_of(other.pid(), pid as i32);
    let seen = SIGNAL.watch(|| {
        assert_eq!(call(libc::SYS_kill, &[pid, 0]), 0);
        assert_eq!(call(libc::SYS_kill, &[pid, libc::SIGKILL.into()]), 0);
        assert_eq!(call(libc::SYS_kill, &[i64::from(i32::MAX), 0]), -3, "nobody: no event");
    });
    let bodies: Vec<signal_body> = seen.iter().map(|seen| seen.record().body()).collect();
    assert_eq!(bodies.iter().map(|body| body.signal).collect::<Vec<_>>(), [0, 9]);
    for body in bodies {
        assert_target(body.target, expected);
    }
}

#[test]
fn a_signal_to_a_group_tells_its_leader() {
    use std::os::unix::process::CommandExt as _;
    if !ready() {
        return;
    }
    let mut command = Command::new("cat");
    let leader =
        Waiting(command.stdin(Stdio::piped()).stdout(Stdio::null()).process_group(0).spawn().unwrap());
    let group = -i64::from(leader.pid());
    let seen = SIGNAL.watch_one(Kind::Signal, || assert_eq!(call(libc::SYS_kill, &[group, 0]), 0));
    let body: signal_body = seen.record().body();
    assert_eq!(body.flags, SIGNAL_FLAG_GROUP);
    assert_target(body.target, target_of(leader.pid(), group as i32));
}

#[test]
fn threads_of_one_program_among_themselves_are_not_told() {
    if !ready() {
        return;
    }
    let own = i64::from(std::process::id());
    let tid = call(libc::SYS_gettid, &[]);
    let seen = SIGNAL.watch(|| {
        assert_eq!(call(libc::SYS_tgkill, &[own, tid, libc::SIGURG.into()]), 0);
        assert_eq!(call(libc::SYS_tkill, &[tid, 0]), 0);
        assert_eq!(call(libc::SYS_kill, &[own, 0]), 0);
    });
    let bodies: Vec<signal_body> = seen.iter().map(|seen| seen.record().body()).collect();
    assert_eq!(bodies.len(), 1, "the process itself is told");
    assert_target(bodies[0].target, target_of(std::process::id(), own as i32));
}

#[test]
fn limits_are_those_that_the_kernel_has_taken() {
    if !ready() {
        return;
    }
    let other = Waiting::new();
    let pid = i64::from(other.pid());
    let limits = [123_u64, 456];
    let resource = i64::from(libc::RLIMIT_NOFILE);
    let seen = SETRLIMIT.watch_one(Kind::Setrlimit, || {
        assert_eq!(call(libc::SYS_prlimit64, &[pid, resource, at(&limits), 0]), 0);
        let old = [0_u64; 2];
        assert_eq!(call(libc::SYS_prlimit64, &[pid, resource, 0, at(&old)]), 0, "only asks");
    });
    let record = seen.record();
    assert_sound(&record);
    let body: setrlimit_body = record.body();
    assert_eq!((body.retval, body.resource, body.soft, body.hard), (0, libc::RLIMIT_NOFILE, 123, 456));
    assert_target(body.target, target_of(other.pid(), pid as i32));

    let mut own = [0_u64; 2];
    assert_eq!(call(libc::SYS_prlimit64, &[0, libc::RLIMIT_CORE.into(), 0, at(&own)]), 0);
    own[0] = own[0].min(own[1]);
    for (number, arguments) in [
        (libc::SYS_setrlimit, vec![libc::RLIMIT_CORE.into(), at(&own)]),
        (libc::SYS_prlimit64, vec![0, libc::RLIMIT_CORE.into(), at(&own), 0]),
    ] {
        let seen = SETRLIMIT.watch_one(Kind::Setrlimit, || assert_eq!(call(number, &arguments), 0));
        let body: setrlimit_body = seen.record().body();
        assert_eq!((body.resource, body.soft, body.hard), (libc::RLIMIT_CORE, own[0], own[1]));
        assert_target(body.target, target_of(std::process::id(), 0));
    }
}

#[test]
fn memory_of_another_process_that_is_written() {
    if !ready() {
        return;
    }
    let other = Waiting::new();
    let pid = i64::from(other.pid());
    // The stack of the other: its first mapping that can be written.
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    let line = maps.lines().find(|line| line.ends_with("[stack]")).unwrap();
    let address = u64::from_str_radix(line.split('-').next().unwrap(), 16).unwrap();
    let bytes = *b"12345678";
    let (local, remote) = ([at(&bytes) as u64, 8], [address, 8]);
    let seen = VM_WRITE.watch_one(Kind::ProcessVmWritev, || {
        let arguments = [pid, at(&local), 1, at(&remote), 1, 0];
        assert_eq!(call(libc::SYS_process_vm_writev, &arguments), 8);
    });
    let record = seen.record();
    assert_sound(&record);
    let body: process_vm_writev_body = record.body();
    assert_eq!((body.retval, body.address), (8, address));
    assert_target(body.target, target_of(other.pid(), pid as i32));
}

/// In a pid namespace of its own a process is given by another number than the host has for it.
#[test]
fn targets_in_another_pid_namespace_have_their_number_on_the_host() {
    use std::io::{BufRead as _, BufReader, Write as _};
    // The subshell tells its number on the host, which /proc knows, and becomes the process that waits.
    const SCRIPT: &str = "(read host rest </proc/self/stat; echo $host; exec cat </dev/zero >/dev/null) & \
                          kill -URG $!; read line; kill -KILL $!";
    if !ready() {
        return;
    }
    let (mut host, mut expected) = (String::new(), None);
    let mut command = Command::new("unshare");
    command.args(["--pid", "--fork", "sh", "-c", SCRIPT]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let records = while_watching(
        &SIGNAL.watched(),
        |_| {},
        || {
            let mut shell = command.spawn().unwrap();
            BufReader::new(shell.stdout.take().unwrap()).read_line(&mut host).unwrap();
            expected = Some(target_of(host.trim().parse().unwrap(), 2));
            shell.stdin.take().unwrap().write_all(b"\n").unwrap();
            shell.wait().unwrap();
        },
    );
    let expected = expected.unwrap();
    let sent: Vec<signal_body> = records
        .iter()
        .filter(|seen| seen.record().kind() == Kind::Signal && seen.record().context().ns_pid == 1)
        .map(|seen| seen.record().body())
        .filter(|body: &signal_body| body.target.pid == expected.pid)
        .collect();
    assert_eq!(sent.iter().map(|body| body.signal).collect::<Vec<_>>(), [libc::SIGURG as u32, 9]);
    for body in sent {
        assert_target(body.target, expected);
    }
}
