//! What causes the events, and what has to be seen of it.

use std::fs;
use std::io::Read as _;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use integration_tests::harness::call::{Calls, b, n, r, s, w, x};
use integration_tests::harness::{Live, Pair, Trigger};
use libc::{
    AF_INET, AT_FDCWD, CLONE_NEWNS, CLONE_NEWUTS, MS_PRIVATE, MS_REC, O_CREAT, O_RDWR, SOCK_DGRAM,
    SOCK_STREAM,
};
use serde_json::{Value, json};

/// A name that is asked for.
pub(crate) const NAME: &str = "each.example";
/// Where metadata would be.
pub(crate) const SERVICE: &str = "127.53.0.21";
/// Where datagrams go.
pub(crate) const PORT: u16 = 5399;

/// A signal that has to be there.
pub(crate) struct Seen {
    pub(crate) observation: &'static str,
    pub(crate) rule: &'static str,
    pub(crate) pid: Value,
    /// A member and what it has to be; empty: any signal of the process will do.
    pub(crate) member: &'static str,
    pub(crate) value: Value,
}

/// What could not be tried here.
pub(crate) struct Unseen {
    pub(crate) observation: &'static str,
    pub(crate) why: String,
}

fn seen(
    observation: &'static str,
    rule: &'static str,
    pid: &Value,
    member: &'static str,
    value: impl Into<Value>,
) -> Seen {
    Seen { observation, rule, pid: pid.clone(), member, value: value.into() }
}

/// Does all of it.
pub(crate) fn all(pair: &Pair) -> Result<(Vec<Seen>, Vec<Unseen>)> {
    let (mut expected, mut unseen) = (Vec::new(), Vec::new());
    let call = pair.trigger("call")?;
    files(pair, &call, &mut expected).context("files")?;
    processes(&call, &mut expected, &mut unseen).context("processes")?;
    sockets(pair, &call, &mut expected, &mut unseen).context("sockets")?;
    modules(pair, &call, &mut expected, &mut unseen).context("modules")?;
    kernel(pair, &mut expected, &mut unseen).context("kernel")?;
    Ok((expected, unseen))
}

fn text(path: &Path) -> Value {
    json!(path)
}

fn flags(flags: libc::c_ulong) -> i64 {
    i64::try_from(flags).unwrap_or_default()
}

fn files(pair: &Pair, call: &Trigger, expected: &mut Vec<Seen>) -> Result<()> {
    let place = pair.path("each");
    fs::create_dir(&place)?;
    let at = |name: &str| place.join(name);
    let (file, made) = (at("file"), at("made"));
    fs::write(at("goes"), "")?;
    fs::write(at("old"), "")?;
    fs::create_dir(at("mounted"))?;
    let calls = Calls::new()
        .then(libc::SYS_openat, [n(AT_FDCWD), s(&file), n(O_CREAT | O_RDWR), n(0o600)])
        .then(libc::SYS_write, [r(0), s("contents"), n(8)])
        .then(libc::SYS_mkdirat, [n(AT_FDCWD), s(&made), n(0o700)])
        .then(libc::SYS_unlinkat, [n(AT_FDCWD), s(&made), n(libc::AT_REMOVEDIR)])
        .then(libc::SYS_unlinkat, [n(AT_FDCWD), s(at("goes")), n(0)])
        .then(libc::SYS_renameat2, [n(AT_FDCWD), s(at("old")), n(AT_FDCWD), s(at("new")), n(0)])
        .then(libc::SYS_linkat, [n(AT_FDCWD), s(&file), n(AT_FDCWD), s(at("hard")), n(0)])
        .then(libc::SYS_symlinkat, [s("file"), n(AT_FDCWD), s(at("symbolic"))])
        .then(libc::SYS_chdir, [s(&place)])
        .then(libc::SYS_fchmodat, [n(AT_FDCWD), s("symbolic"), n(0o640)])
        .then(libc::SYS_fchownat, [n(AT_FDCWD), s("symbolic"), n(1), n(1), n(0)])
        .then(libc::SYS_utimensat, [n(AT_FDCWD), s("symbolic"), n(0), n(0)])
        .then(libc::SYS_setxattr, [s("symbolic"), s("trusted.each"), s("x"), n(1), n(0)])
        .then(libc::SYS_removexattr, [s("symbolic"), s("trusted.each")])
        .then(libc::SYS_pipe2, [b(8), n(0)])
        .then(libc::SYS_splice, [r(0), x(&[0; 8]), w(14, 0, 4), n(0), n(3), n(0)])
        .then(libc::SYS_unshare, [n(CLONE_NEWNS | CLONE_NEWUTS)])
        .then(libc::SYS_mount, [s("none"), s("/"), n(0), n(flags(MS_REC | MS_PRIVATE)), n(0)])
        .then(libc::SYS_mount, [s("each"), s(at("mounted")), s("tmpfs"), n(0), n(0)])
        .then(libc::SYS_umount2, [s(at("mounted")), n(0)])
        .then(libc::SYS_memfd_create, [s("each"), n(0)]);
    let done = calls.make(call)?.succeeded()?;
    let pid = done.pid();
    let by_path: [(&str, &str, &str, &PathBuf); 13] = [
        ("file.open", "open", "file.path", &file),
        ("file.mkdir", "mkdir", "file.path", &made),
        ("file.rmdir", "rmdir", "file.path", &made),
        ("file.unlink", "unlink", "file.path", &at("goes")),
        ("file.rename", "rename", "file.destination.path", &at("new")),
        ("file.link", "link", "file.destination.path", &at("hard")),
        ("file.symlink", "symlink", "file.path", &at("symbolic")),
        ("file.chdir", "chdir", "file.path", &place),
        ("file.chmod", "chmod", "file.path", &file),
        ("file.chown", "chown", "file.path", &file),
        ("file.utimes", "utimes", "file.path", &file),
        ("file.setxattr", "setxattr", "file.path", &file),
        ("file.removexattr", "removexattr", "file.path", &file),
    ];
    expected.extend(
        by_path.map(|(observation, rule, member, path)| seen(observation, rule, pid, member, text(path))),
    );
    expected.extend([
        seen("file.splice", "splice", pid, "file.path", text(&file)),
        seen("file.mount", "mount", pid, "file.destination.path", text(&at("mounted"))),
        seen("file.umount", "umount", pid, "umount.fs_type", "tmpfs"),
        seen("kernel.unshare", "unshare", pid, "", Value::Null),
        seen("kernel.memfd_create", "memfd_create", pid, "memfd_create.name", "each"),
    ]);
    Ok(())
}

fn processes(call: &Trigger, expected: &mut Vec<Seen>, unseen: &mut Vec<Unseen>) -> Result<()> {
    let nobody = || n(65534);
    let calls = Calls::new()
        .then(libc::SYS_chroot, [s("/")])
        .then(libc::SYS_setresgid, [nobody(), nobody(), nobody()])
        .then(libc::SYS_setresuid, [nobody(), nobody(), nobody()]);
    let done = calls.make(call)?.succeeded()?;
    let me = std::process::id();
    expected.extend([
        seen("process.exec", "exec", done.pid(), "process.executable.path", text(call.path())),
        // Nothing but the snapshot tells who has started the test.
        seen(
            "process.snapshot",
            "exec",
            done.pid(),
            "process.ancestors.1.executable.path",
            json!(std::env::current_exe()?),
        ),
        // The thread of the test that has forked it, before it became another program.
        seen("process.fork", "exec", done.pid(), "process.ppid", me),
        seen("process.exit", "exit", done.pid(), "exit.code", 0),
        seen("process.setuid", "setuid", done.pid(), "", Value::Null),
        seen("process.setgid", "setgid", done.pid(), "", Value::Null),
        seen("process.capabilities", "capabilities", done.pid(), "", Value::Null),
    ]);
    // Version 3 of the header, for the caller itself: nothing is left.
    let header = [&0x2008_0522_u32.to_ne_bytes()[..], &[0; 4]].concat();
    let done = Calls::new().then(libc::SYS_capset, [x(&header), x(&[0; 24])]).make(call)?.succeeded()?;
    expected.push(seen("process.capset", "capset", done.pid(), "", Value::Null));
    // The group of a process that is moved, and then does something.
    let Some(root) = cgroups() else {
        let none = |observation| Unseen { observation, why: "no cgroup2 file system is mounted".to_owned() };
        unseen.extend(["kernel.cgroup_write", "process.cgroup"].map(none));
        return Ok(());
    };
    let group = root.join(format!("cws-each-{me}"));
    fs::create_dir(&group)?;
    let path = group.join("cgroup.procs");
    let calls = Calls::new()
        .then(libc::SYS_openat, [n(AT_FDCWD), s(&path), n(libc::O_WRONLY)])
        .then(libc::SYS_write, [r(0), s("0"), n(1)])
        .then(libc::SYS_prctl, [n(libc::PR_SET_NAME), s("moved"), n(0), n(0), n(0)]);
    let done = calls.make(call);
    let removed = remove_group(&group);
    let done = done?.succeeded()?;
    removed?;
    expected.push(seen("kernel.cgroup_write", "cgroup_write", done.pid(), "file.path", text(&path)));
    // With version 1 beside it, the group that is reported can be one of that.
    if fs::read_to_string("/proc/self/cgroup")?.lines().count() == 1 {
        expected.push(seen("process.cgroup", "moved", done.pid(), "", Value::Null));
    } else {
        let why = "there are control groups of version 1".to_owned();
        unseen.push(Unseen { observation: "process.cgroup", why });
    }
    Ok(())
}

/// Where the control groups of version 2 are mounted.
fn cgroups() -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
    let mount = mounts.lines().find(|line| line.split(' ').nth(2) == Some("cgroup2"));
    mount?.split(' ').nth(1).map(PathBuf::from)
}

/// A process that has ended is in its group for a moment.
fn remove_group(group: &Path) -> Result<()> {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while let Err(error) = fs::remove_dir(group) {
        anyhow::ensure!(std::time::Instant::now() < deadline, "{}: {error}", group.display());
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    Ok(())
}

fn address(ip: [u8; 4], port: u16) -> Vec<u8> {
    [&2_u16.to_ne_bytes()[..], &port.to_be_bytes(), &ip, &[0; 8]].concat()
}

fn of(at: SocketAddr) -> Vec<u8> {
    match at.ip() {
        std::net::IpAddr::V4(ip) => address(ip.octets(), at.port()),
        std::net::IpAddr::V6(_) => Vec::new(),
    }
}

/// A question for the name.
fn question() -> Vec<u8> {
    let mut message = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in NAME.split('.') {
        message.push(u8::try_from(label.len()).unwrap_or_default());
        message.extend_from_slice(label.as_bytes());
    }
    message.extend_from_slice(&[0, 0, 1, 0, 1]);
    message
}

fn sockets(pair: &Pair, call: &Trigger, expected: &mut Vec<Seen>, unseen: &mut Vec<Unseen>) -> Result<()> {
    let loopback = [127, 0, 0, 1];
    let one = 1_u32.to_ne_bytes();
    let service = TcpListener::bind((SERVICE, 80)).context("listen on port 80")?;
    let metadata = of(service.local_addr()?);
    let receiver = UdpSocket::bind(("127.0.0.1", PORT))?;
    let answering = std::thread::spawn(move || -> Result<()> {
        let (mut stream, _) = service.accept()?;
        let mut byte = [0];
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte)?;
            request.push(byte[0]);
        }
        Ok(())
    });
    let request = format!("GET /latest/meta-data/ HTTP/1.1\r\nHost: {SERVICE}\r\n\r\n");
    let name = question();
    let length = |bytes: &[u8]| n(i64::try_from(bytes.len()).unwrap_or_default());
    let port = free_port()?;
    let here = address(loopback, port);
    let calls = Calls::new()
        .then(libc::SYS_socket, [n(AF_INET), n(SOCK_STREAM), n(0)])
        .then(libc::SYS_setsockopt, [r(0), n(libc::SOL_SOCKET), n(libc::SO_REUSEADDR), x(&one), n(4)])
        .then(libc::SYS_bind, [r(0), x(&here), n(16)])
        .then(libc::SYS_listen, [r(0), n(1)])
        .then(libc::SYS_socket, [n(AF_INET), n(SOCK_STREAM), n(0)])
        .then(libc::SYS_connect, [r(4), x(&here), n(16)])
        .then(libc::SYS_accept4, [r(0), n(0), n(0), n(0)])
        .then(libc::SYS_socket, [n(AF_INET), n(SOCK_DGRAM), n(0)])
        .then(libc::SYS_sendto, [r(7), x(&name), length(&name), n(0), x(&address(loopback, 53)), n(16)])
        .then(libc::SYS_socket, [n(AF_INET), n(SOCK_DGRAM), n(0)])
        .then(libc::SYS_sendto, [r(9), x(b"hello"), n(5), n(0), x(&address(loopback, PORT)), n(16)])
        .then(libc::SYS_socket, [n(AF_INET), n(SOCK_STREAM), n(0)])
        .then(libc::SYS_connect, [r(11), x(&metadata), n(16)])
        .then(libc::SYS_write, [r(11), x(request.as_bytes()), length(request.as_bytes())]);
    let done = calls.make(call)?.succeeded()?;
    answering.join().map_err(|_| anyhow::anyhow!("the service panicked"))??;
    drop(receiver);
    let pid = done.pid();
    expected.extend([
        seen("network.setsockopt", "setsockopt", pid, "", Value::Null),
        seen("network.bind", "bind", pid, "bind.addr.port", port),
        seen("network.connect", "connect", pid, "connect.addr.port", port),
        seen("network.accept", "accept", pid, "accept.addr.family", "AF_INET"),
        seen("network.dns", "dns", pid, "", Value::Null),
        seen("network.packet", "packet", pid, "", Value::Null),
        seen("network.flows", "flows", pid, "", Value::Null),
    ]);
    if is_old(pair)? {
        let why = "the programs for old kernels do not see a request behind the headers".to_owned();
        unseen.push(Unseen { observation: "network.imds", why });
    } else {
        expected.push(seen("network.imds", "imds", pid, "", Value::Null));
    }
    Ok(())
}

/// Whether the programs are those for kernels before 5.8.
fn is_old(pair: &Pair) -> Result<bool> {
    let status = pair.status()?.to_string();
    Ok(["raw_tp/sched_process_exec", "tracepoint/sched/sched_process_exec"]
        .iter()
        .any(|hook| status.contains(hook)))
}

/// A port that was just given back.
fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn modules(pair: &Pair, call: &Trigger, expected: &mut Vec<Seen>, unseen: &mut Vec<Unseen>) -> Result<()> {
    let why = "this kernel has no module that could be loaded";
    let not_tried = || {
        ["kernel.load_module", "kernel.unload_module"]
            .map(|observation| Unseen { observation, why: why.to_owned() })
    };
    let release = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let place = Path::new("/lib/modules").join(release.trim()).join("kernel/drivers/net");
    let file = pair.path("a-module.ko");
    let loaded = fs::read_to_string("/proc/modules").unwrap_or_default();
    let copied = fs::copy(place.join("dummy.ko"), &file).is_ok() || {
        let compressed = place.join("dummy.ko.xz");
        compressed.exists() && {
            let output = Command::new("xz").arg("-dc").arg(&compressed).output()?;
            fs::write(&file, output.stdout)?;
            output.status.success()
        }
    };
    if !copied || loaded.lines().any(|line| line.starts_with("dummy ")) {
        unseen.extend(not_tried());
        return Ok(());
    }
    let calls = Calls::new()
        .then(libc::SYS_openat, [n(AT_FDCWD), s(&file), n(0)])
        .then(libc::SYS_finit_module, [r(0), s("numdummies=0"), n(0)])
        .then(libc::SYS_delete_module, [s("dummy"), n(libc::O_NONBLOCK)]);
    let done = calls.make(call)?.succeeded()?;
    expected.extend([
        seen("kernel.load_module", "load_module", done.pid(), "", Value::Null),
        seen("kernel.unload_module", "unload_module", done.pid(), "", Value::Null),
    ]);
    Ok(())
}

fn kernel(pair: &Pair, expected: &mut Vec<Seen>, unseen: &mut Vec<Unseen>) -> Result<()> {
    let trigger = pair.trigger("kernel")?;
    let library = pair.path("library");
    fs::write(&library, vec![0; 16384])?;
    let library = library.to_str().context("a path")?;
    for (observation, rule, arguments) in [
        ("kernel.ptrace", "ptrace", &["ptrace"][..]),
        ("kernel.signal", "signal", &["signal"]),
        ("kernel.setrlimit", "setrlimit", &["setrlimit"]),
        ("kernel.process_vm_writev", "process_vm_writev", &["process_vm_writev"]),
        ("kernel.bpf", "bpf", &["bpf-map"]),
        ("kernel.mmap", "mmap", &["mmap", library]),
        ("kernel.mprotect", "mprotect", &["mprotect"]),
        ("kernel.prctl", "prctl", &["prctl"]),
        ("kernel.setns", "setns", &["setns"]),
        ("kernel.sysctl", "sysctl", &["sysctl"]),
        ("kernel.userfaultfd", "userfaultfd", &["userfaultfd_of_all"]),
        ("kernel.io_uring_setup", "io_uring_setup", &["io_uring_setup"]),
    ] {
        let mut live = Live::start(Command::new(trigger.path()).args(arguments))?;
        let truth = live.truth.clone();
        live.end()?;
        if truth["result"].as_i64().is_some_and(|result| result < 0) {
            unseen.push(Unseen { observation, why: "this kernel refuses it".to_owned() });
            continue;
        }
        expected.push(seen(observation, rule, &truth["pid"], "", Value::Null));
    }
    Ok(())
}
