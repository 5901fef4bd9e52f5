//! Rules on kernel activity of the default policy, on the real kernel. The trigger lives in a directory of everybody's, which
//! is where what is hostile often does.

use std::fs;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use integration_tests::harness::call::{Arg, Calls, Made, b, n, p, r, s, words, x};
use integration_tests::harness::{Pair, Setup, Signal, can_run, ordinary_program};

use crate::watch;

const NOBODY: u32 = 65534;
const PAGE: i64 = 4096;
/// For what is asked about a container.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// MAP_PRIVATE | MAP_ANONYMOUS
const OWN: i32 = 0x22;

/// A protection; changing it takes CAP_SYS_RAWIO.
const MINIMUM: &str = "/proc/sys/vm/mmap_min_addr";

/// Processes that the test has started, and that wait.
struct Others {
    /// Named like a program that checks passwords.
    login: Child,
    /// Named like one that watches the host.
    watcher: Child,
    victim: Child,
}

impl Others {
    fn start(directory: &Path) -> Result<Self> {
        let start = |name: &str| -> Result<Child> {
            let program = ordinary_program("/bin/cat", name, directory)?;
            Ok(Command::new(program).stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?)
        };
        Ok(Self { login: start("sshd")?, watcher: start("osqueryd")?, victim: start("victim")? })
    }

    /// Memory of the victim that it can write and does not use: the lowest of its stack.
    fn memory(&self) -> Result<i64> {
        let maps = fs::read_to_string(format!("/proc/{}/maps", self.victim.id()))?;
        let stack = maps.lines().find(|line| line.ends_with("[stack]")).context("a stack")?;
        let begin = stack.split('-').next().unwrap_or_default();
        Ok(i64::from_str_radix(begin, 16)?)
    }
}

impl Drop for Others {
    fn drop(&mut self) {
        for child in [&mut self.login, &mut self.watcher, &mut self.victim] {
            // It may have ended.
            let _killed = child.kill();
            let _status = child.wait();
        }
    }
}

/// A program that calls a helper function with 0.
fn code(helper: u64) -> Vec<u8> {
    // r1 = 0; call helper; r0 = 0; exit
    [0x1b7, 0x85 | helper << 32, 0xb7, 0x95].iter().flat_map(|word: &u64| word.to_ne_bytes()).collect()
}

/// Loads a program of this type that calls `helper`, from memory at this address.
fn load(kind: u64, helper: u64, pointer: u64) -> Calls {
    // Four instructions; what follows them serves as an (empty) license.
    let attr = words(&[4 << 32 | kind, pointer, pointer + 32, 0, 0, 0, 0, 0, 0]);
    Calls::new()
        .then(
            libc::SYS_mmap,
            [n(pointer.cast_signed()), n(PAGE), n(3), n(OWN | libc::MAP_FIXED), n(-1), n(0)],
        )
        .then(libc::SYS_memfd_create, [s("code"), n(0)])
        .then(libc::SYS_pwrite64, [r(1), x(&code(helper)), n(32), n(0)])
        .then(libc::SYS_pread64, [r(1), n(pointer.cast_signed()), n(32), n(0)])
        .then(libc::SYS_bpf, [n(5), attr, n(72)])
}

/// Attaches to a process, makes requests, and leaves it.
fn traced(pid: u32, requests: impl FnOnce(Calls) -> Calls) -> Calls {
    let begun = Calls::new()
        .then(libc::SYS_ptrace, [n(libc::PTRACE_ATTACH), n(pid), n(0), n(0)])
        .then(libc::SYS_wait4, [n(pid), n(0), n(libc::__WALL), n(0)]);
    requests(begun).then(libc::SYS_ptrace, [n(libc::PTRACE_DETACH), n(pid), n(0), n(0)])
}

/// Becomes a user who is not root but keeps capabilities (SECBIT_NO_SETUID_FIXUP).
fn user_with_capabilities() -> Calls {
    Calls::new()
        .then(libc::SYS_prctl, [n(libc::PR_SET_SECUREBITS), n(4), n(0), n(0), n(0)])
        .then(libc::SYS_setresuid, [n(NOBODY), n(NOBODY), n(NOBODY)])
}

/// Writes a word of its own to the memory of another process.
fn write_to(pid: u32, address: i64) -> Calls {
    const AT: i64 = 0x1000_0000;
    let (local, remote) = (words(&[AT.cast_unsigned(), 8]), words(&[address.cast_unsigned(), 8]));
    Calls::new()
        .then(libc::SYS_mmap, [n(AT), n(PAGE), n(3), n(OWN | libc::MAP_FIXED), n(-1), n(0)])
        .then(libc::SYS_process_vm_writev, [n(pid), local, n(1), remote, n(1), n(0)])
}

/// Tries to switch a protection off without the capability that this takes, so that nothing changes.
fn protection_switched_off() -> Calls {
    // _LINUX_CAPABILITY_VERSION_3
    Calls::new()
        .then(libc::SYS_capset, [words(&[0x2008_0522]), words(&[0, 0, 0])])
        .then(libc::SYS_openat, [n(libc::AT_FDCWD), s(MINIMUM), n(libc::O_WRONLY), n(0)])
        .then(libc::SYS_write, [r(1), s("0"), n(1)])
}

fn map(protection: i32) -> Calls {
    Calls::new().then(libc::SYS_mmap, [n(0), n(PAGE), n(protection), n(OWN), n(-1), n(0)])
}

/// Writes to the memory that the first call has mapped: what was writable and not written, kernels may forget.
fn written(calls: Calls) -> Calls {
    calls.then(libc::SYS_getrandom, [r(0), n(16), n(0)])
}

/// What must match which rules.
fn hostile(others: &Others) -> Result<Vec<(&'static str, Calls)>> {
    let one = |number, arguments: Vec<_>| Calls::new().then(number, arguments);
    let (login, watcher, victim) = (others.login.id(), others.watcher.id(), others.victim.id());
    let memory = others.memory()?;
    let mut cases = vec![
        ("code_written_to_memory", map(3).then(libc::SYS_mprotect, [r(0), n(PAGE), n(5)])),
        // Written, then only read, then executed.
        (
            "code_written_to_memory",
            written(map(3))
                .then(libc::SYS_mprotect, [r(0), n(PAGE), n(1)])
                .then(libc::SYS_mprotect, [r(0), n(PAGE), n(5)]),
        ),
        // Only read at first.
        (
            "code_written_to_memory",
            written(map(1).then(libc::SYS_mprotect, [r(0), n(PAGE), n(3)]))
                .then(libc::SYS_mprotect, [r(0), n(PAGE), n(0)])
                .then(libc::SYS_mprotect, [r(0), n(PAGE), n(5)]),
        ),
        ("writable_and_executable_memory", map(7)),
        ("login_program_traced", one(libc::SYS_ptrace, vec![n(libc::PTRACE_SEIZE), n(login), n(0), n(0)])),
        (
            "process_injection_by_ptrace",
            traced(victim, |calls| {
                calls.then(libc::SYS_ptrace, [n(libc::PTRACE_POKEDATA), n(victim), n(memory), n(1)])
            }),
        ),
        ("debugger_kept_away", one(libc::SYS_ptrace, vec![n(libc::PTRACE_TRACEME), n(0), n(0), n(0)])),
        ("process_memory_written_by_call", write_to(victim, memory)),
        ("limit_of_security_tool_changed", limited(watcher)),
        ("bpf_program_loaded_from_writable_place", load(1, 7, 0x1000_0000)),
        // bpf_send_signal, by a program at a function of the kernel, which is attached to none.
        ("bpf_helper_that_interferes", load(2, 109, 0x1000_0000)),
        (
            "process_poses_as_kernel_thread",
            one(libc::SYS_prctl, vec![n(libc::PR_SET_NAME), s("[kworker/1:0]")]),
        ),
        ("security_tool_stopped_by_signal", one(libc::SYS_kill, vec![n(watcher), n(libc::SIGTERM)])),
    ];
    if cfg!(target_arch = "x86_64") {
        // PTRACE_GETREGS and PTRACE_SETREGS: the registers are what they were.
        let registers = traced(victim, |calls| {
            calls
                .then(libc::SYS_ptrace, [n(12), n(victim), n(0), b(216)])
                .then(libc::SYS_ptrace, [n(13), n(victim), n(0), p(2, 3)])
        });
        cases.push(("process_injection_by_ptrace", registers));
    }
    Ok(cases)
}

/// What some kernels or settings refuse.
fn hostile_where_possible() -> Vec<(&'static str, Calls)> {
    let one = |number, arguments: Vec<_>| Calls::new().then(number, arguments);
    vec![
        (
            "page_faults_handled_by_user",
            user_with_capabilities().then(libc::SYS_userfaultfd, [n(libc::O_CLOEXEC)]),
        ),
        ("io_uring_set_up_by_unusual_program", one(libc::SYS_io_uring_setup, vec![n(8), b(120)])),
        (
            "user_namespace_made_by_unusual_program",
            one(libc::SYS_setresuid, vec![n(NOBODY), n(NOBODY), n(NOBODY)])
                .then(libc::SYS_unshare, [n(libc::CLONE_NEWUSER | libc::CLONE_NEWNET)]),
        ),
    ]
}

fn limited(pid: u32) -> Calls {
    // No core is written, as may be the case already.
    Calls::new().then(libc::SYS_prlimit64, [n(pid), n(libc::RLIMIT_CORE), words(&[0, u64::MAX]), n(0)])
}

/// What is close to that and must match none.
fn harmless(others: &Others) -> Result<Vec<Calls>> {
    let one = |number, arguments: Vec<_>| Calls::new().then(number, arguments);
    let (login, watcher, victim) = (others.login.id(), others.watcher.id(), others.victim.id());
    let memory = others.memory()?;
    let seen = traced(victim, |calls| {
        calls.then(libc::SYS_ptrace, [n(libc::PTRACE_PEEKDATA), n(victim), n(memory), b(8)])
    });
    Ok(vec![
        map(3).then(libc::SYS_mprotect, [r(0), n(PAGE), n(1)]),
        map(5),
        map(1).then(libc::SYS_mprotect, [r(0), n(PAGE), n(3)]),
        // Never written.
        map(1).then(libc::SYS_mprotect, [r(0), n(PAGE), n(5)]),
        one(libc::SYS_kill, vec![n(login), n(0)]),
        one(libc::SYS_kill, vec![n(watcher), n(libc::SIGCONT)]),
        one(libc::SYS_kill, vec![n(victim), n(libc::SIGCONT)]),
        seen,
        limited(victim),
        one(libc::SYS_prctl, vec![n(libc::PR_SET_NAME), s("worker")]),
        one(libc::SYS_prctl, vec![n(libc::PR_GET_DUMPABLE)]),
        one(libc::SYS_unshare, vec![n(libc::CLONE_NEWUTS)]),
        one(libc::SYS_prlimit64, vec![n(0), n(libc::RLIMIT_CORE), n(0), b(16)]),
        one(libc::SYS_memfd_create, vec![s("plain"), n(0)]),
        user_with_capabilities(),
        // Where no container is.
        one(libc::SYS_openat, vec![n(libc::AT_FDCWD), s("/proc/self/ns/uts"), n(0), n(0)])
            .then(libc::SYS_setns, [r(0), n(0)]),
    ])
}

/// A control group like that of a container, deep enough to count more than one of version 1 that the test may be in.
struct Container {
    /// The outermost first.
    groups: Vec<PathBuf>,
}

impl Container {
    fn make() -> Result<Option<Self>> {
        let Some(root) = watch::cgroups() else { return Ok(None) };
        let id = "5ca1ab1e".repeat(8);
        let names = [
            format!("cws-policy-{}", std::process::id()),
            "a".into(),
            "b".into(),
            format!("docker-{id}.scope"),
        ];
        let mut groups = vec![root];
        for name in names {
            let group = groups[groups.len() - 1].join(name);
            fs::create_dir(&group)?;
            groups.push(group);
        }
        groups.remove(0);
        Ok(Some(Self { groups }))
    }

    /// Calls within it.
    fn calls(&self) -> Calls {
        Calls::new()
            .then(
                libc::SYS_openat,
                [
                    n(libc::AT_FDCWD),
                    s(self.groups[self.groups.len() - 1].join("cgroup.procs")),
                    n(libc::O_WRONLY),
                    n(0),
                ],
            )
            .then(libc::SYS_write, [r(0), s("0"), n(1)])
    }

    fn remove(self) -> Result<()> {
        self.groups.iter().rev().try_for_each(|group| watch::remove_group(group))
    }
}

/// The address of a socket.
fn unix(path: &Path) -> (Arg, Arg) {
    let family = u16::try_from(libc::AF_UNIX).unwrap_or_default();
    let mut bytes = family.to_ne_bytes().to_vec();
    bytes.extend(path.as_os_str().as_encoded_bytes());
    bytes.push(0);
    (x(&bytes), n(i64::try_from(bytes.len()).unwrap_or_default()))
}

fn connect(calls: Calls, path: &Path) -> Calls {
    let socket = calls.count();
    let (address, length) = unix(path);
    calls
        .then(libc::SYS_socket, [n(libc::AF_UNIX), n(libc::SOCK_STREAM), n(0)])
        .then(libc::SYS_connect, [r(socket), address, length])
}

/// Leaves the root of all for one in memory.
fn exchange_root(calls: Calls, new: &Path) -> Calls {
    let old = new.join("old");
    calls
        .then(libc::SYS_unshare, [n(libc::CLONE_NEWNS)])
        // MS_REC | MS_PRIVATE
        .then(libc::SYS_mount, [s("none"), s("/"), n(0), n(0x4_4000), n(0)])
        .then(libc::SYS_mount, [s("none"), s(new), s("tmpfs"), n(0), n(0)])
        .then(libc::SYS_mkdir, [s(&old), n(0o755)])
        .then(libc::SYS_pivot_root, [s(new), s(&old)])
}

/// What is done after some calls.
type Deed = Box<dyn Fn(Calls) -> Calls>;

/// What must match which rules in a container, and outside none.
fn hostile_in_a_container(place: &Path) -> Vec<(&'static str, Deed)> {
    let (runtime, new) = (place.join("docker.sock"), place.join("root"));
    vec![
        ("container_runtime_used_from_container", Box::new(move |calls| connect(calls, &runtime))),
        (
            "user_namespace_made_in_container",
            Box::new(|calls| calls.then(libc::SYS_unshare, [n(libc::CLONE_NEWUSER)])),
        ),
        (
            "other_namespaces_entered_from_container",
            Box::new(|calls| {
                let opened = calls.count();
                calls
                    .then(libc::SYS_openat, [n(libc::AT_FDCWD), s("/proc/self/ns/uts"), n(0), n(0)])
                    .then(libc::SYS_setns, [r(opened), n(0)])
            }),
        ),
        ("root_exchanged_in_container", Box::new(move |calls| exchange_root(calls, &new))),
    ]
}

/// The rules on kernel activity of the default policy that what `made` did has matched.
fn matched<'p>(pair: &'p Pair, made: &Made) -> Vec<&'p str> {
    let of = |signal: &&Signal| {
        signal.at("process.pid") == made.pid()
            && signal.at("agent.policy_name") == "default.policy"
            && signal.at("evt.name") != "exec"
    };
    pair.signals.all().iter().filter(of).map(Signal::rule).collect()
}

/// A pair with the default policy, in which what happens often is told all the same.
fn pair() -> Result<Pair> {
    let policy = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/policies/default.policy");
    let directory = tempfile::tempdir()?;
    let loud = directory.path().join("default.policy");
    let text = fs::read_to_string(policy)?;
    let lines: Vec<_> = text.lines().filter(|line| !line.starts_with("    every: ")).collect();
    fs::write(&loud, lines.join("\n"))?;
    Pair::start(&Setup::new().policy_file(&loud))
}

/// Fails unless what was done has matched the rule that it should, or none.
fn check(pair: &mut Pair, done: &[(Option<&str>, Made)]) -> Result<()> {
    pair.settle()?;
    for (number, (rule, made)) in done.iter().enumerate() {
        let matched = matched(pair, made);
        match rule {
            Some(rule) => assert!(matched.contains(rule), "{rule}: {matched:?} {made:?}\n{}", pair.logs()),
            None => assert!(matched.is_empty(), "harmless case {number}: {matched:?}"),
        }
    }
    Ok(())
}

#[test]
fn the_default_policy_sees_what_is_hostile_and_not_what_is_close_to_it() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let mut pair = pair()?;
    let trigger = pair.trigger("call")?;
    let others = Others::start(&pair.path(""))?;

    let mut done = Vec::new();
    for calls in harmless(&others)? {
        done.push((None, calls.make(&trigger)?.succeeded()?));
    }
    for (rule, calls) in hostile(&others)? {
        done.push((Some(rule), calls.make(&trigger)?.succeeded()?));
    }
    for (rule, calls) in hostile_where_possible() {
        match calls.make(&trigger)?.succeeded() {
            Ok(made) => done.push((Some(rule), made)),
            Err(error) => println!("{rule} skipped: {error}"),
        }
    }
    let file = Calls::new().then(libc::SYS_memfd_create, [s(""), n(0)]);
    let made = file.make(&trigger.named("perl", &pair.path(""))?)?.succeeded()?;
    done.push((Some("memory_file_made_by_script"), made));
    // Refused or not, it is told.
    done.push((Some("bpf_program_loaded_by_user"), load(1, 7, 0x1000_0000).make_as(NOBODY, &trigger)?));
    let refused = Calls::new().then(libc::SYS_unshare, [n(libc::CLONE_NEWUTS)]).make_as(NOBODY, &trigger)?;
    done.push((None, refused));
    check(&mut pair, &done)
}

#[test]
fn the_default_policy_sees_a_protection_that_was_to_be_switched_off() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let before = fs::read_to_string(MINIMUM)?;
    if before.trim_end() == "0" {
        println!("skipped: {MINIMUM} is 0");
        return Ok(());
    }
    let mut pair = pair()?;
    let made = protection_switched_off().make(&pair.trigger("call")?)?;
    ensure!(fs::read_to_string(MINIMUM)? == before, "the machine is not as it was");
    ensure!(made.last() == -i64::from(libc::EPERM), "{made:?}");
    check(&mut pair, &[(Some("kernel_protection_switched_off"), made)])
}

#[test]
fn the_default_policy_sees_what_leaves_a_container() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let Some(container) = Container::make()? else { return Ok(()) };
    let mut pair = pair()?;
    let trigger = pair.trigger("call")?;
    let place = pair.path("place");
    fs::create_dir_all(place.join("root"))?;
    let _runtime = UnixListener::bind(place.join("docker.sock"))?;
    let _other = UnixListener::bind(place.join("other.sock"))?;

    let mut done = Vec::new();
    for (rule, calls) in hostile_in_a_container(&place) {
        done.push((Some(rule), calls(container.calls()).make(&trigger)?.succeeded()?));
        done.push((None, calls(Calls::new()).make(&trigger)?.succeeded()?));
    }
    let close = [
        connect(container.calls(), &place.join("other.sock")),
        container.calls().then(libc::SYS_unshare, [n(libc::CLONE_NEWUTS)]),
    ];
    for calls in close {
        done.push((None, calls.make(&trigger)?.succeeded()?));
    }
    // Events of a container wait for its name, which nobody knows here, but keep their order.
    let last = connect(container.calls(), &place.join("docker.sock")).make(&trigger)?.succeeded()?;
    container.remove()?;
    let deadline = Instant::now() + LONGEST_WAIT;
    loop {
        pair.settle()?;
        if !matched(&pair, &last).is_empty() {
            break;
        }
        ensure!(Instant::now() < deadline, "the end of the container is not told\n{}", pair.logs());
    }
    check(&mut pair, &done)
}
