//! Whole signals against the truth: every member of exec, fork, exit and credential events, for each way to execute.
//!
//! The truth is `/proc` and `stat`, asked by the test while the process waits, and what the trigger says about itself.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use integration_tests::harness::{Expected, Live, Pair, Setup, Truth, can_run};
use serde_json::{Value, json};

/// Signals carry the tags of the host.
fn setup() -> Setup {
    Setup::new().agent_line("tags: [team:blue]").agent_line("env: test")
}

/// Rules for the executions and ends of programs of this name.
fn rules(name: &str) -> Setup {
    let value = Value::from(name);
    setup()
        .rule("started", &format!("exec.file.name == {value}"))
        .rule("ended", &format!("exit.file.name == {value}"))
}

/// The running test: the agent knows it from its snapshot.
fn me() -> Result<Truth> {
    Truth::of(std::process::id().into(), "snapshot")
}

/// `parent` right after it forked `child`, by the thread of this name.
fn forked(parent: &Truth, child: &Truth, comm: &str) -> Truth {
    let mut truth = parent.clone().with(&[
        ("pid", child.members["pid"].clone()),
        ("tid", child.members["pid"].clone()),
        ("ppid", parent.members["pid"].clone()),
        ("comm", json!(comm)),
        ("is_thread", json!(true)),
        ("source", json!("event")),
    ]);
    truth.start_ticks = child.start_ticks;
    truth
}

/// The name of the running thread, which what it forks has until it executes a program.
fn thread_name() -> Result<String> {
    Ok(fs::read_to_string("/proc/thread-self/comm")?.trim_end().to_owned())
}

/// Compares the exec, lets the process end, compares the exit.
fn check_start_and_end(
    pair: &mut Pair,
    live: &mut Live,
    name: &str,
    expected: Expected,
    code: u32,
) -> Result<()> {
    let pid = expected.process.members["pid"].clone();
    let is_it = |signal: &integration_tests::harness::Signal| {
        signal.at("process.pid") == &pid && signal.at("process.is_thread").is_null()
    };
    let started = pair.expect("started", is_it)?;
    expected.check(&started).with_context(|| name.to_owned())?;
    live.end()?;
    // An orphan's end is nobody's to wait for.
    let stat = format!("/proc/{pid}/stat");
    wait_until(|| Ok(fs::read_to_string(&stat).map_or(true, |stat| stat.contains(") Z "))))?;
    let ended = pair.expect("ended", is_it)?;
    let mut members = expected.members.clone();
    members.retain(|(name, _)| *name != "syscall");
    members.push(("exit", json!({ "cause": "EXITED", "code": code })));
    // A process that ends has no terminal any more, but the signal tells of the living one.
    let rule = ("ended", expected.rule.1.clone());
    Expected { event: "exit", rule, members, ..expected }.check(&ended).with_context(|| name.to_owned())
}

/// What an exec of `process`, called by the name `path`, looks like.
fn exec(rule: &str, process: Truth, path: &str, ancestors: Vec<Truth>, parent: usize) -> Expected {
    let file = process.members["executable"].clone();
    let members = vec![("file", file), ("syscall", json!({ "exec": { "path": path } }))];
    Expected { rule: ("started", rule.to_owned()), event: "exec", process, ancestors, parent, members }
}

fn witness(pair: &Pair, name: &str) -> Result<PathBuf> {
    let program = pair.path(name);
    fs::copy(pair.trigger("witness")?.path(), &program)?;
    Ok(program)
}

#[test]
fn an_ordinary_execution() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let name = "cws-ordinary.bin";
    let mut pair = Pair::start(&rules(name))?;
    let program = witness(&pair, name)?;
    let mut command = Command::new(&program);
    command.args(["--flag", "two words", "", "new\nline", "caf\u{e9}"]);
    command.env_clear().env("SECRET", "hidden").env("PATH", "/nowhere");
    let mut live = Live::start_silent(&mut command)?;
    wait_for_program(live.number("pid")?, &program)?;
    let process = Truth::of(live.number("pid")?, "event")?;
    let me = me()?;
    let forked = forked(&me, &process, &thread_name()?);
    let path = program.display().to_string();
    let expected = exec(name, process, &path, vec![forked, me], 1);
    check_start_and_end(&mut pair, &mut live, "ordinary", expected, 7)
}

#[test]
fn an_execution_by_vfork() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let mut pair = Pair::start(&rules("cws-vfork"))?;
    let program = witness(&pair, "cws-vfork")?;
    let trigger = pair.trigger("exec-vfork")?;
    let mut live = Live::start(Command::new(trigger.path()).arg(&program).arg("argument"))?;
    let parent = Truth::of(live.number("pid")?, "event")?;
    wait_for_program(live.number("child")?, &program)?;
    let process = Truth::of(live.number("child")?, "event")?;
    let me = me()?;
    let ancestors = vec![
        forked(&parent, &process, "exec-vfork"),
        parent.clone(),
        forked(&me, &parent, &thread_name()?),
        me,
    ];
    let expected = exec("cws-vfork", process, &program.display().to_string(), ancestors, 1);
    check_start_and_end(&mut pair, &mut live, "vfork", expected, 7)
}

/// A trigger that becomes the program itself: its image is the nearest ancestor.
fn became(live: &Live, trigger: &Path, argv: &[&OsStr]) -> Result<(Truth, Vec<Truth>)> {
    let process = Truth::of(live.number("pid")?, "event")?;
    let before = process.clone().running(trigger, argv)?;
    let me = me()?;
    let forked = forked(&me, &process, &thread_name()?);
    Ok((process, vec![before, forked, me]))
}

#[test]
fn an_execution_by_a_thread() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let mut pair = Pair::start(&rules("cws-thread"))?;
    let program = witness(&pair, "cws-thread")?;
    let trigger = pair.trigger("exec-thread")?;
    let path = trigger.path();
    let mut live = Live::start(Command::new(path).arg(&program).arg("argument"))?;
    wait_for_program(live.number("pid")?, &program)?;
    let argv = [path.as_os_str(), program.as_os_str(), OsStr::new("argument")];
    let (process, ancestors) = became(&live, path, &argv)?;
    let process = process.with(&[("is_exec_child", json!(true))]);
    let expected = exec("cws-thread", process, &program.display().to_string(), ancestors, 2);
    check_start_and_end(&mut pair, &mut live, "thread", expected, 7)
}

/// Waits until a process runs a program, with its arguments in place: triggers speak before they execute it.
fn wait_for_program(pid: u64, program: &Path) -> Result<()> {
    wait_until(|| {
        // A thread that takes over the process id is nowhere to be found for a moment.
        let exe = fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
        let is_there = exe.to_string_lossy().starts_with(&*program.to_string_lossy());
        Ok(is_there && fs::read(format!("/proc/{pid}/environ")).is_ok_and(|environ| !environ.is_empty()))
    })
}

fn wait_until(mut condition: impl FnMut() -> Result<bool>) -> Result<()> {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while !condition()? {
        anyhow::ensure!(std::time::Instant::now() < deadline, "it did not happen");
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    Ok(())
}

#[test]
fn a_program_in_memory() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let name = "memfd:cws-memfd";
    let mut pair = Pair::start(&rules(name))?;
    let trigger = pair.trigger("exec-memfd")?;
    let mut live = Live::start(&mut Command::new(trigger.path()))?;
    wait_for_program(live.number("pid")?, Path::new("/memfd:"))?;
    let (process, ancestors) = became(&live, trigger.path(), &[trigger.path().as_os_str()])?;
    let process = process.with(&[("is_exec_child", json!(true))]);
    let expected = exec(name, process, "/dev/fd/3", ancestors, 2);
    check_start_and_end(&mut pair, &mut live, "memfd", expected, 0)
}

#[test]
fn a_deleted_program() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let mut pair = Pair::start(&rules("cws-gone"))?;
    let trigger = pair.trigger("exec-deleted")?;
    let file = pair.path("cws-gone");
    let mut live = Live::start(Command::new(trigger.path()).arg(&file))?;
    wait_for_program(live.number("pid")?, &file)?;
    let argv = [trigger.path().as_os_str(), file.as_os_str()];
    let (process, ancestors) = became(&live, trigger.path(), &argv)?;
    let process = process.with(&[("is_exec_child", json!(true))]);
    let expected = exec("cws-gone", process, "/dev/fd/3", ancestors, 2);
    check_start_and_end(&mut pair, &mut live, "deleted", expected, 0)
}

#[test]
fn an_execution_in_another_root() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let mut pair = Pair::start(&rules("cws-rooted"))?;
    let root = pair.path("root");
    fs::create_dir_all(root.join("bin"))?;
    let program = root.join("bin/cws-rooted");
    fs::copy(pair.trigger("witness")?.path(), &program)?;
    let trigger = pair.trigger("exec-chroot")?;
    let inside = "/bin/cws-rooted";
    let mut live = Live::start(Command::new(trigger.path()).arg(&root).arg(inside))?;
    wait_for_program(live.number("pid")?, &program)?;
    let argv = [trigger.path().as_os_str(), root.as_os_str(), OsStr::new(inside)];
    let (process, ancestors) = became(&live, trigger.path(), &argv)?;
    // The path that the process itself has for it.
    let mut file = process.members["executable"].clone();
    file["path"] = json!(inside);
    let process = process.with(&[("is_exec_child", json!(true)), ("executable", file)]);
    let expected = exec("cws-rooted", process, inside, ancestors, 2);
    check_start_and_end(&mut pair, &mut live, "chroot", expected, 7)
}

#[test]
fn an_execution_in_other_namespaces() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let mut pair = Pair::start(&rules("cws-spaces"))?;
    let program = witness(&pair, "cws-spaces")?;
    let trigger = pair.trigger("exec-namespaces")?;
    let mut live = Live::start(Command::new(trigger.path()).arg(&program))?;
    let parent = Truth::of(live.number("pid")?, "event")?;
    let child = live.number("child")?;
    wait_for_program(child, &program)?;
    let process = Truth::of(child, "event")?;
    let me = me()?;
    // The mounts of the new namespace are copies: their numbers are its own.
    let before = forked(&parent, &process, "exec-namespaces".get(..15).unwrap_or_default());
    let ancestors = vec![before, parent.clone(), forked(&me, &parent, &thread_name()?), me];
    let expected = exec("cws-spaces", process, &program.display().to_string(), ancestors, 1);
    check_start_and_end(&mut pair, &mut live, "namespaces", expected, 7)
}

#[test]
fn an_orphan() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let mut pair = Pair::start(&rules("cws-lonely"))?;
    let program = witness(&pair, "cws-lonely")?;
    let trigger = pair.trigger("exec-orphan")?;
    let mut live = Live::start(Command::new(trigger.path()).arg(&program))?;
    let pid = live.number("pid")?;
    wait_for_program(pid, &program)?;
    let process = Truth::of(pid, "event")?;
    let me = me()?;
    let argv = [trigger.path().as_os_str(), program.as_os_str()];
    // Both forebears have ended: what they were follows from the orphan.
    let run = |pid: &str| -> Result<Truth> {
        let truth = process.clone().running(trigger.path(), &argv)?;
        Ok(truth.with(&[("pid", json!(live.number(pid)?)), ("tid", json!(live.number(pid)?))]))
    };
    let (grandparent, parent) = (run("grandparent")?, run("parent")?);
    let grandparent = grandparent.with(&[("ppid", me.members["pid"].clone())]);
    let forked_parent = forked(&grandparent, &parent, "exec-orphan");
    // What it was then had the parent that it had then.
    let before = forked(&forked_parent, &process, "exec-orphan");
    assert_eq!(process.members["ppid"], live.truth["adopted_by"]);
    let ancestors =
        vec![before, forked_parent, grandparent.clone(), forked(&me, &grandparent, &thread_name()?), me];
    let expected = exec("cws-lonely", process, &program.display().to_string(), ancestors, 1);
    check_start_and_end(&mut pair, &mut live, "orphan", expected, 7)
}

#[test]
fn a_set_user_id_program_of_a_user() -> Result<()> {
    use std::os::unix::process::CommandExt;
    if !can_run() {
        return Ok(());
    }
    let mut pair = Pair::start(&rules("cws-suid"))?;
    let program = witness(&pair, "cws-suid")?;
    fs::set_permissions(&program, fs::Permissions::from_mode(0o4755))?;
    let mut live = Live::start_silent(Command::new(&program).uid(65534).gid(65534))?;
    wait_for_program(live.number("pid")?, &program)?;
    let process = Truth::of(live.number("pid")?, "event")?;
    assert_eq!(process.members["credentials"]["euser"], "root");
    assert_eq!(process.members["user"], "nobody");
    let me = me()?;
    // What was forked is seen once more when it is not root any more: the exec shows it as it last was.
    let mut forked = forked(&me, &process, &thread_name()?);
    forked.members.insert("credentials".into(), me.members["credentials"].clone());
    let path = program.display().to_string();
    let expected = exec("cws-suid", process, &path, vec![forked, me], 1);
    check_start_and_end(&mut pair, &mut live, "set-uid", expected, 7)
}

#[test]
fn a_fork_without_an_execution() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let mut pair = Pair::start(&rules("fork-only"))?;
    let trigger = pair.trigger("fork-only")?;
    let mut live = Live::start(Command::new(trigger.path()).args(["an", "argument"]))?;
    let parent = Truth::of(live.number("pid")?, "event")?;
    let child = Truth::of(live.number("child")?, "event")?;
    assert_eq!(child.members["is_thread"], true, "/proc knows it, too");
    live.end()?;
    let pid = child.members["pid"].clone();
    let ended = pair.expect("ended", |signal| signal.at("process.pid") == &pid)?;
    let me = me()?;
    let file = child.members["executable"].clone();
    let expected = Expected {
        rule: ("ended", "fork-only".to_owned()),
        event: "exit",
        process: child,
        ancestors: vec![parent.clone(), forked(&me, &parent, &thread_name()?), me],
        parent: 0,
        members: vec![("file", file), ("exit", json!({ "cause": "EXITED", "code": 9 }))],
    };
    expected.check(&ended)
}

/// A change of credentials by the trigger's process, which waits afterwards.
fn check_change(call: &str, event: &'static str, before: &[(&str, Value)], new: Value) -> Result<()> {
    let rule = format!("process.file.name == \"credentials\" && {event}.{}", condition(event));
    let mut pair = Pair::start(&setup().rule("changed", &rule))?;
    let trigger = pair.trigger("credentials")?;
    let mut live = Live::start(Command::new(trigger.path()).args([call, "wait"]))?;
    let after = Truth::of(live.number("pid")?, "event")?;
    let me = me()?;
    let pid = after.members["pid"].clone();
    let signal = pair.expect("changed", |signal| signal.at("process.pid") == &pid)?;
    live.end()?;

    // Rules and signals see the process as it was, and the new values beside it.
    let mut process = after.clone();
    let credentials =
        process.members.get_mut("credentials").and_then(Value::as_object_mut).context("some")?;
    for (name, value) in before {
        credentials.insert((*name).to_owned(), value.clone());
    }
    let own: Vec<(&str, Value)> =
        ["uid", "gid", "user", "group"].map(|name| (name, credentials[name].clone())).into();
    // The new values are also what the kernel says of the process now.
    let kernel = &after.members["credentials"];
    for (name, value) in new.as_object().context("an object")? {
        let sorted = |value: &Value| {
            let mut items = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
            items.sort_by_key(Value::to_string);
            items
        };
        assert_eq!(sorted(value), sorted(&kernel[name]), "{call}: {name}");
    }
    credentials.insert("destination".into(), new);
    let process = process.with(&own);
    let mut forked = forked(&me, &after, &thread_name()?);
    forked.members.insert("credentials".into(), me.members["credentials"].clone());
    for name in ["uid", "gid", "user", "group"] {
        forked.members.insert(name.into(), me.members[name].clone());
    }
    let ancestors = vec![forked, me];
    let rule = ("changed", String::new());
    Expected { rule, event, process, ancestors, parent: 1, members: Vec::new() }
        .check_but_rule(&signal)
        .with_context(|| call.to_owned())
}

fn condition(event: &str) -> &'static str {
    match event {
        "setuid" => "uid >= 0",
        "setgid" => "gid >= 0",
        _ => "cap_effective >= 0",
    }
}

fn name(file: &str, id: u32) -> Value {
    integration_tests::harness::truth::name_of(file, id).unwrap_or(Value::Null)
}

#[test]
fn changes_of_users() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let user = |id| name("/etc/passwd", id);
    let caps = Truth::of(std::process::id().into(), "")?.members["credentials"].clone();
    let root = [
        ("uid", json!(0)),
        ("user", user(0)),
        ("euid", json!(0)),
        ("euser", user(0)),
        ("fsuid", json!(0)),
        ("fsuser", user(0)),
        ("cap_effective", caps["cap_effective"].clone()),
        ("cap_permitted", caps["cap_permitted"].clone()),
    ];
    for (call, [uid, euid, fsuid]) in [
        ("setuid", [65534, 65534, 65534]),
        ("setreuid", [65534, 1, 1]),
        ("setresuid", [65534, 1, 1]),
        ("setfsuid", [0, 0, 65534]),
    ] {
        let new = json!({
            "uid": uid, "user": user(uid), "euid": euid, "euser": user(euid),
            "fsuid": fsuid, "fsuser": user(fsuid),
        });
        check_change(call, "setuid", &root, new)?;
    }
    Ok(())
}

#[test]
fn changes_of_groups() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let group = |id| name("/etc/group", id);
    let root = [
        ("gid", json!(0)),
        ("group", group(0)),
        ("egid", json!(0)),
        ("egroup", group(0)),
        ("fsgid", json!(0)),
        ("fsgroup", group(0)),
    ];
    for (call, [gid, egid, fsgid]) in [
        ("setgid", [65534, 65534, 65534]),
        ("setregid", [65534, 1, 1]),
        ("setresgid", [65534, 1, 1]),
        ("setfsgid", [0, 0, 65534]),
    ] {
        let new = json!({
            "gid": gid, "group": group(gid), "egid": egid, "egroup": group(egid),
            "fsgid": fsgid, "fsgroup": group(fsgid),
        });
        check_change(call, "setgid", &root, new)?;
    }
    Ok(())
}

#[test]
fn a_change_of_capabilities() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let caps = Truth::of(std::process::id().into(), "")?.members["credentials"].clone();
    let before = ["cap_effective", "cap_permitted"].map(|name| (name, caps[name].clone()));
    let new = json!({ "cap_effective": ["CAP_KILL"], "cap_permitted": ["CAP_CHOWN", "CAP_KILL"] });
    check_change("capset", "capset", &before, new)
}

#[test]
fn a_script() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let name = "cws-script.sh";
    let mut pair = Pair::start(&rules(name))?;
    let script = pair.path(name);
    fs::write(&script, "#!/bin/sh -e\nread line\nexit 5\n")?;
    fs::set_permissions(&script, fs::Permissions::from_mode(0o750))?;
    let mut live = Live::start_silent(Command::new(&script).args(["an", "argument"]))?;
    let pid = live.number("pid")?;
    wait_for_program(pid, &fs::canonicalize("/bin/sh")?)?;
    let process = Truth::of(pid, "event")?;
    let me = me()?;
    // `/proc` shows the interpreter and its command line; a signal tells the script, and names the interpreter.
    let file = integration_tests::harness::truth::file(&script, script.as_os_str().as_encoded_bytes(), pid)?;
    let interpreter = process.members["executable"].clone();
    let path = script.display().to_string();
    let argv = [path.as_bytes(), b"an", b"argument"].map(<[u8]>::to_vec);
    let mut process = process.with(&[("executable", file), ("interpreter", interpreter)]);
    process.set_arguments(&argv);
    let forked = forked(&me, &process, &thread_name()?).with(&[("interpreter", Value::Null)]);
    let expected = exec(name, process, &path, vec![forked, me], 1);
    // End of input makes `read` fail, and `-e` then ends the shell.
    check_start_and_end(&mut pair, &mut live, "script", expected, 1)
}
