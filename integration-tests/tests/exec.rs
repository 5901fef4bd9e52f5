//! Executions of every kind: what the signal says is what happened.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use integration_tests::harness::{Pair, Setup, can_run};
use serde_json::{Value, json};

fn name_rule(name: &str) -> Setup {
    Setup::new().rule("seen", &format!("exec.file.name == \"{name}\""))
}

#[test]
fn an_ordinary_execution_is_described_in_full() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let mut pair = Pair::start(&name_rule("cws-plain"))?;
    let program = pair.program("cws-plain")?;
    let file = fs::metadata(&program)?;
    let mut child = Command::new(&program)
        .args(["--flag", "two words", ""])
        .env_clear()
        .env("SECRET", "hidden")
        .env("LD_PRELOAD", "")
        .spawn()?;
    let pid = child.id();
    child.wait()?;

    let signal = pair.expect("seen", |_| true)?;
    let me = std::process::id();
    let differences = signal.differences(&[
        ("agent.policy_name", json!("test.policy")),
        ("evt.name", json!("exec")),
        ("evt.category", json!("Process Activity")),
        ("evt.outcome", json!("Success")),
        ("usr.id", json!("root")),
        ("usr.group", json!("root")),
        ("process.pid", json!(pid)),
        ("process.ppid", json!(me)),
        ("process.tid", json!(pid)),
        ("process.uid", json!(0)),
        ("process.gid", json!(0)),
        ("process.user", json!("root")),
        ("process.group", json!("root")),
        ("process.comm", json!("cws-plain")),
        ("process.argv0", json!(program)),
        ("process.args", json!(["--flag", "two words", ""])),
        ("process.args_truncated", Value::Null),
        ("process.envs", json!(["LD_PRELOAD=", "SECRET"])),
        ("process.executable.path", json!(program)),
        ("process.executable.name", json!("cws-plain")),
        ("process.executable.inode", json!(file.ino())),
        ("process.executable.mode", json!(file.mode())),
        ("process.executable.uid", json!(0)),
        ("process.executable.gid", json!(0)),
        ("process.executable.user", json!("root")),
        ("process.executable.path_resolution_error", Value::Null),
        ("process.credentials.uid", json!(0)),
        ("process.credentials.euid", json!(0)),
        ("process.credentials.fsuid", json!(0)),
        ("process.credentials.fsgid", json!(0)),
        ("process.parent.pid", json!(me)),
        ("process.interpreter", Value::Null),
        ("container.id", Value::Null),
        ("file.path", json!(program)),
    ]);
    assert_eq!(differences, "");
    assert!(signal.ancestors().contains(&u64::from(me)), "{:#}", signal.0);
    for time in ["date", "process.exec_time", "process.fork_time"] {
        let text = signal.at(time).as_str().with_context(|| format!("{time} in {:#}", signal.0))?;
        assert!(text.len() > 19 && text.starts_with("20"), "{time}: {text}");
    }
    Ok(())
}

#[test]
fn a_pipeline_of_a_shell_has_the_shell_as_parent() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let mut pair = Pair::start(&name_rule("cws-piped"))?;
    let program = pair.program("cws-piped")?;
    let script = format!("{0} first | {0} second | {0} third; exit 0", program.display());
    let mut shell = Command::new("sh").arg("-c").arg(&script).spawn()?;
    let parent = shell.id();
    shell.wait()?;
    for stage in ["first", "second", "third"] {
        let signal = pair.expect("seen", |signal| signal.args() == [stage])?;
        assert_eq!(signal.at("process.parent.pid"), &json!(parent), "{stage}");
        assert_eq!(signal.at("process.parent.args"), &json!(["-c", script]), "{stage}");
    }
    Ok(())
}

#[test]
fn a_script_is_the_file_and_its_interpreter_is_named() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let mut pair = Pair::start(&name_rule("cws-script"))?;
    let script = pair.path("cws-script");
    fs::write(&script, "#!/bin/sh\nexit 0\n")?;
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755))?;
    Command::new(&script).arg("argument").status()?;

    let signal = pair.expect("seen", |_| true)?;
    let differences = signal.differences(&[
        ("process.executable.path", json!(script)),
        ("process.executable.inode", json!(fs::metadata(&script)?.ino())),
        ("process.args", json!(["argument"])),
        ("process.interpreter.path", json!(fs::canonicalize("/bin/sh")?)),
    ]);
    assert_eq!(differences, "");
    Ok(())
}

#[test]
fn a_program_in_memory_has_a_name_and_no_path() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let mut pair = Pair::start(&name_rule("memfd:cws-memfd").rule("pathless", "exec.file.path == \"\""))?;
    let truth = pair.trigger("exec-memfd")?.run::<&str>([])?;
    let signal = pair.expect("seen", |signal| signal.at("process.pid") == &truth["pid"])?;
    let differences = signal.differences(&[
        ("process.executable.name", json!("memfd:cws-memfd")),
        ("process.args", json!(["as-memfd"])),
    ]);
    assert_eq!(differences, "");
    pair.expect("pathless", |signal| signal.at("process.pid") == &truth["pid"])?;
    Ok(())
}

#[test]
fn a_deleted_program_is_reported_with_its_inode() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let mut pair = Pair::start(&Setup::new().rule("seen", "exec.argv0 == \"deleted\""))?;
    let truth = pair.trigger("exec-deleted")?.run([pair.path("cws-deleted")])?;
    let signal = pair.expect("seen", |signal| signal.at("process.pid") == &truth["pid"])?;
    assert_eq!(signal.at("process.executable.inode"), &truth["inode"]);
    Ok(())
}

#[test]
fn a_thread_that_executes_takes_over_its_process() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let mut pair = Pair::start(&name_rule("cws-threaded"))?;
    let program = pair.program("cws-threaded")?;
    let trigger = pair.trigger("exec-thread")?;
    let truth = trigger.run([program.as_os_str(), OsStr::new("argument")])?;
    let signal = pair.expect("seen", |_| true)?;
    let differences = signal.differences(&[
        ("process.pid", truth["pid"].clone()),
        ("process.tid", truth["pid"].clone()),
        ("process.args", json!(["argument"])),
        ("process.ancestors.0.executable.name", json!("exec-thread")),
    ]);
    assert_eq!(differences, "");
    Ok(())
}

#[test]
fn an_execution_by_vfork_belongs_to_the_child() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let mut pair = Pair::start(&name_rule("cws-vforked"))?;
    let truth = pair.trigger("exec-vfork")?.run([pair.program("cws-vforked")?])?;
    let signal = pair.expect("seen", |_| true)?;
    let differences = signal.differences(&[
        ("process.pid", truth["child"].clone()),
        ("process.parent.pid", truth["pid"].clone()),
        ("process.parent.executable.name", json!("exec-vfork")),
    ]);
    assert_eq!(differences, "");
    Ok(())
}

#[test]
fn an_orphan_keeps_the_ancestors_that_it_had() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let mut pair = Pair::start(&name_rule("cws-orphan"))?;
    let truth = pair.trigger("exec-orphan")?.run([pair.program("cws-orphan")?])?;
    let signal = pair.expect("seen", |_| true)?;
    assert_eq!(signal.at("process.pid"), &truth["pid"]);
    assert_eq!(signal.at("process.ppid"), &truth["adopted_by"], "the parent that it has now");
    let ancestors = signal.ancestors();
    for ancestor in ["parent", "grandparent"] {
        let pid = truth[ancestor].as_u64().context("a number")?;
        assert!(ancestors.contains(&pid), "{ancestor} {pid} is not in {ancestors:?}");
    }
    Ok(())
}

#[test]
fn in_another_root_the_path_is_that_of_the_process() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let mut pair = Pair::start(&name_rule("cws-inside"))?;
    let root = pair.path("root");
    fs::create_dir_all(root.join("bin"))?;
    // Static, so that it runs there.
    fs::copy(pair.trigger("end")?.path(), root.join("bin/cws-inside"))?;
    let trigger = pair.trigger("exec-chroot")?;
    let status =
        Command::new(trigger.path()).arg(&root).arg("/bin/cws-inside").stdout(Stdio::null()).status()?;
    assert!(status.success());
    let signal = pair.expect("seen", |_| true)?;
    assert_eq!(signal.at("process.executable.path"), "/bin/cws-inside");
    Ok(())
}

#[test]
fn in_other_namespaces_the_process_id_is_that_of_the_host() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let mut pair = Pair::start(&name_rule("cws-namespaced"))?;
    let truth = pair.trigger("exec-namespaces")?.run([pair.program("cws-namespaced")?])?;
    let signal = pair.expect("seen", |_| true)?;
    let differences = signal.differences(&[
        ("process.pid", truth["child"].clone()),
        ("process.parent.pid", truth["pid"].clone()),
    ]);
    assert_eq!(differences, "");
    Ok(())
}

#[test]
fn what_cannot_be_executed_is_no_execution() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let mut pair = Pair::start(&name_rule("cws-empty").rule("trigger", "exec.file.name == \"exec-fails\""))?;
    let empty = pair.path("cws-empty");
    fs::write(&empty, "")?;
    fs::set_permissions(&empty, fs::Permissions::from_mode(0o755))?;
    let truth = pair.trigger("exec-fails")?.run([empty, pair.path("cws-absent")])?;
    assert_eq!(truth["errors"], json!([8, 2]), "ENOEXEC and ENOENT");
    pair.expect("trigger", |signal| signal.at("process.pid") == &truth["pid"])?;
    pair.settle()?;
    assert_eq!(pair.signals.of_rule("seen").count(), 0);
    Ok(())
}

#[test]
fn each_image_of_one_process_is_an_execution_with_the_earlier_ones_as_ancestors() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let mut pair = Pair::start(&name_rule("exec-again"))?;
    let trigger = pair.trigger("exec-again")?;
    let truth = trigger.run(["3"])?;
    let mut last = None;
    for (earlier, args) in
        [&["3"][..], &["2", "done"], &["1", "done"], &["0", "done"]].into_iter().enumerate()
    {
        let signal = pair.expect("seen", |signal| signal.args() == args)?;
        assert_eq!(signal.at("process.pid"), &truth["pid"]);
        let pid = truth["pid"].as_u64().context("a number")?;
        let same = signal.ancestors().iter().filter(|ancestor| **ancestor == pid).count();
        assert_eq!(same, 1 + earlier, "the forked image, and each earlier one: {:#}", signal.0);
        last = Some(signal);
    }
    assert_eq!(last.context("a signal")?.at("process.ancestors.0.args"), &json!(["1", "done"]));
    Ok(())
}

#[test]
fn a_symbolic_link_matches_by_either_name() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let setup = name_rule("cws-linked").rule("link", "exec.file.name == \"cws-link\"");
    let mut pair = Pair::start(&setup)?;
    let program = pair.program("cws-linked")?;
    let link = pair.path("cws-link");
    symlink(&program, &link)?;
    Command::new(&link).status()?;
    let signal = pair.expect("seen", |_| true)?;
    assert_eq!(signal.at("process.executable.path"), &json!(program));
    pair.expect("link", |_| true)?;
    Ok(())
}

#[test]
fn many_and_long_arguments_come_through() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let mut pair = Pair::start(&name_rule("cws-arguments"))?;
    let program = pair.program("cws-arguments")?;
    let many: Vec<String> = (0..200).map(|number| format!("argument-{number}")).collect();
    Command::new(&program).args(&many).status()?;
    let signal = pair.expect("seen", |signal| signal.args().first() == Some(&"argument-0"))?;
    assert_eq!(signal.at("process.args"), &json!(many));
    assert_eq!(signal.at("process.args_truncated"), &Value::Null);

    let long = "x".repeat(100 * 1024);
    Command::new(&program).args(["long", &long, "after"]).status()?;
    let signal = pair.expect("seen", |signal| signal.args().first() == Some(&"long"))?;
    assert_eq!(signal.args().get(1).map(|arg| arg.len()), Some(long.len()));
    assert_eq!(signal.args().get(2), Some(&"after"));

    // More than the kernel program keeps: cut, and said so.
    let huge = vec!["y".repeat(100 * 1024); 4];
    Command::new(&program).arg("huge").args(&huge).status()?;
    let signal = pair.expect("seen", |signal| signal.args().first() == Some(&"huge"))?;
    assert_eq!(signal.at("process.args_truncated"), &json!(true));
    Ok(())
}

#[test]
fn arguments_of_any_bytes_leave_the_report_valid() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let mut pair = Pair::start(&name_rule("cws-bytes"))?;
    let program = pair.program("cws-bytes")?;
    let odd = OsStr::from_bytes(b"\xff\xfe\x1b[31m");
    Command::new(&program).arg("odd").arg(odd).args(["two\nlines", "\"quoted\" \\ \t"]).status()?;
    let signal = pair.expect("seen", |signal| signal.args().first() == Some(&"odd"))?;
    let args = signal.args();
    assert_eq!(args.len(), 4, "{args:?}");
    assert!(args[1].ends_with("\u{1b}[31m"), "{args:?}");
    assert_eq!(args[2..], ["two\nlines", "\"quoted\" \\ \t"]);
    Ok(())
}

#[test]
fn a_set_user_id_program_shows_both_users() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let mut pair = Pair::start(&name_rule("cws-setuid"))?;
    let program = pair.program("cws-setuid")?;
    fs::set_permissions(&program, fs::Permissions::from_mode(0o4755))?;
    let status = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(&program)
        .status()
        .context("setpriv, of util-linux")?;
    assert!(status.success());
    let signal = pair.expect("seen", |_| true)?;
    let differences = signal.differences(&[
        ("process.credentials.uid", json!(65534)),
        ("process.credentials.euid", json!(0)),
        ("process.credentials.fsuid", json!(0)),
        ("process.credentials.egid", json!(65534)),
        ("process.credentials.user", json!("nobody")),
        ("process.credentials.euser", json!("root")),
    ]);
    assert_eq!(differences, "");
    Ok(())
}
