//! What the programs put into the records of process life, against what the test itself did.

mod records;

use std::os::unix::fs::MetadataExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use proto::wire::Kind;
use proto::wire::layout::*;

use records::of;
use records::privileged;
use records::while_running;

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn exec_tells_program_arguments_and_identity() {
    if !privileged() {
        return;
    }
    let mut pid = 0;
    let records = while_running(|| {
        let mut child = Command::new("/bin/true")
            .args(["--flag", "two words", ""])
            .env_clear()
            .env("A", "b")
            .spawn()
            .unwrap();
        pid = child.id();
        child.wait().unwrap();
    });
    let execs = of(&records, Kind::Exec, pid);
    assert_eq!(execs.len(), 1);
    let record = execs[0].record();
    let context = record.context();
    let body: exec_body = record.body();
    assert_eq!(record.header().errors, 0);
    assert_eq!(text(record.span(body.file.path)), "/usr/bin/true");
    let meta = std::fs::metadata("/usr/bin/true").unwrap();
    assert_eq!(body.file.inode, meta.ino());
    assert_eq!(body.file.size, meta.len());
    assert_eq!(body.file.mode, meta.mode());
    assert_eq!((body.file.uid, body.file.gid), (meta.uid(), meta.gid()));
    let ns = |seconds: i64, ns: i64| u64::try_from(seconds * 1_000_000_000 + ns).unwrap();
    assert_eq!(body.file.change_time_ns, ns(meta.ctime(), meta.ctime_nsec()));
    assert_eq!(body.file.modification_time_ns, ns(meta.mtime(), meta.mtime_nsec()));
    assert_eq!(body.file.flags & FILE_FLAG_VALID, FILE_FLAG_VALID);
    assert_eq!(text(record.span(body.args)), "/bin/true\0--flag\0two words\0\0");
    assert_eq!((body.args_count, body.envs_count), (4, 1));
    assert_eq!(text(record.span(body.envs)), "A=b\0");
    assert_eq!(text(record.span(body.filename)), "/bin/true");
    assert_eq!(context.comm, *b"true\0\0\0\0\0\0\0\0\0\0\0\0");
    assert_eq!(context.ppid, std::process::id());
    assert_eq!((context.tid, context.uid, context.euid), (pid, 0, 0));
    assert_eq!(body.flags, 0);
    let inum = |name: &str| {
        u32::try_from(std::fs::metadata(format!("/proc/self/ns/{name}")).unwrap().ino()).unwrap()
    };
    assert_eq!(context.pid_ns, inum("pid"));
    assert_eq!(context.mnt_ns, inum("mnt"));
    assert_eq!(context.net_ns, inum("net"));
    assert_eq!(context.user_ns, inum("user"));
    assert_eq!(context.cgroup_ns, inum("cgroup"));
    let cgroups = std::fs::read_to_string("/proc/self/cgroup").unwrap();
    let cgroup = text(record.span(body.cgroup_path));
    assert!(cgroups.lines().any(|line| line.ends_with(&format!(":{cgroup}"))), "{cgroup}\n{cgroups}");
}

#[test]
fn fork_and_exit_frame_the_life_of_a_process() {
    if !privileged() {
        return;
    }
    let mut pid = 0;
    let records = while_running(|| {
        let mut child = Command::new("/bin/sh").args(["-c", "exit 7"]).spawn().unwrap();
        pid = child.id();
        child.wait().unwrap();
    });
    let fork = of(&records, Kind::Fork, pid);
    let exit = of(&records, Kind::Exit, pid);
    assert_eq!((fork.len(), exit.len()), (1, 1));
    let body: fork_body = fork[0].record().body();
    assert_eq!(body.forker_pid, std::process::id());
    assert_eq!(fork[0].record().context().start_time_ns, exit[0].record().context().start_time_ns);
    let body: exit_body = exit[0].record().body();
    assert_eq!((body.cause, body.code), (EXIT_CAUSE_EXITED, 7));
}

#[test]
fn a_script_is_reported_with_its_interpreter_and_both_are_kernel_objects() {
    if !privileged() {
        return;
    }
    let dir = std::env::temp_dir().join(format!("cws-bpf-script-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let script = dir.join("script.sh");
    std::fs::write(&script, "#!/bin/sh\nexit 0\n").unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    let link = dir.join("link");
    std::os::unix::fs::symlink(&script, &link).unwrap();
    let mut pid = 0;
    let records = while_running(|| {
        let mut child = Command::new(&link).spawn().unwrap();
        pid = child.id();
        child.wait().unwrap();
    });
    let inode = std::fs::metadata(&script).unwrap().ino();
    std::fs::remove_dir_all(&dir).unwrap();
    let exec = &of(&records, Kind::Exec, pid)[0];
    let record = exec.record();
    let body: exec_body = record.body();
    assert_eq!(body.flags & EXEC_FLAG_INTERPRETED, EXEC_FLAG_INTERPRETED);
    assert_eq!(text(record.span(body.file.path)), script.to_str().unwrap());
    assert_eq!(body.file.inode, inode);
    let doubts = FILE_FLAG_PATH_USER | FILE_FLAG_PATH_TRUNCATED | FILE_FLAG_UNREACHABLE | FILE_FLAG_DELETED;
    assert_eq!(body.file.flags & (FILE_FLAG_VALID | doubts), FILE_FLAG_VALID);
    assert_eq!(text(record.span(body.interpreter.path)), "/usr/bin/dash");
    assert_eq!(text(record.span(body.filename)), link.to_str().unwrap());
}

#[test]
fn long_arguments_come_through_in_chunks() {
    if !privileged() {
        return;
    }
    let long = "x".repeat(100 * 1024);
    let mut pid = 0;
    let records = while_running(|| {
        let mut child = Command::new("/bin/true").arg(&long).env_clear().spawn().unwrap();
        pid = child.id();
        child.wait().unwrap();
    });
    let exec = &of(&records, Kind::Exec, pid)[0];
    let body: exec_body = exec.record().body();
    assert_eq!(body.flags, EXEC_FLAG_ARGS_CHUNKED);
    let mut args = Vec::new();
    for chunk in of(&records, Kind::ExecChunk, pid) {
        let record = chunk.record();
        let body: exec_chunk_body = record.body();
        assert_eq!((body.what, body.offset as usize), (CHUNK_ARGS, args.len()));
        args.extend_from_slice(record.span(body.data));
    }
    assert_eq!(args.len(), body.args_size as usize);
    assert_eq!(text(&args), format!("/bin/true\0{long}\0"));
}

#[test]
fn a_signal_that_kills_is_the_cause_of_the_exit() {
    if !privileged() {
        return;
    }
    let mut pid = 0;
    let records = while_running(|| {
        let mut child = Command::new("/bin/sh").args(["-c", "kill -TERM $$"]).spawn().unwrap();
        pid = child.id();
        child.wait().unwrap();
    });
    let body: exit_body = of(&records, Kind::Exit, pid)[0].record().body();
    assert_eq!((body.cause, body.code), (EXIT_CAUSE_SIGNALED, 15));
}
