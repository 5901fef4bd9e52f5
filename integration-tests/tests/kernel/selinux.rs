//! SELinux, where the kernel has it and nobody uses it: a guest booted with `security=selinux` and without a policy.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use integration_tests::harness::{Pair, Setup, Signal, can_run};
use serde_json::{Value, json};

const ROOT: &str = "/sys/fs/selinux";

/// Mounts the file system of SELinux if that is there and without a policy.
fn is_free() -> Result<bool> {
    let name = |skipped: &str| {
        println!("skipped: {skipped}");
        Ok(false)
    };
    if !fs::read_to_string("/proc/filesystems")?.contains("selinuxfs") {
        return name("the kernel runs without SELinux");
    }
    if !Path::new(ROOT).join("enforce").exists() {
        let mounted = Command::new("mount").args(["-t", "selinuxfs", "selinuxfs", ROOT]).status()?;
        ensure!(mounted.success(), "selinuxfs cannot be mounted");
    }
    // A loaded policy has classes.
    if fs::read_dir(Path::new(ROOT).join("class"))?.next().is_some() {
        return name("SELinux is in use");
    }
    Ok(true)
}

/// Writes to a file below the root of SELinux, as a shell.
fn write(text: &str, file: &str) -> Result<(u32, bool)> {
    let script = format!("printf '{text}' > {ROOT}/{file}; exit $?");
    let mut child = Command::new("sh").args(["-c", &script]).stderr(Stdio::null()).spawn()?;
    Ok((child.id(), child.wait()?.success()))
}

fn only(pair: &mut Pair, pid: u32) -> Result<Signal> {
    pair.settle()?;
    let of_process = pair.signals.of_rule("changed").filter(|signal| signal.at("process.pid") == pid);
    let mut found: Vec<_> = of_process.cloned().collect();
    ensure!(found.len() == 1, "{found:#?}\n{}\n{:#}", pair.logs(), pair.status()?);
    found.pop().context("one")
}

/// What the kernel says about a policy that it does not take.
fn kernel_log() -> String {
    let log = Command::new("dmesg").output().map(|output| output.stdout).unwrap_or_default();
    let log = String::from_utf8_lossy(&log);
    let said = log.lines().filter(|line| line.contains("SELinux")).collect::<Vec<_>>();
    format!("the policy is not taken:\n{}", said.join("\n"))
}

/// Loads the policy of the tests; false without the compiler for it, or if the kernel cannot show it in its files.
fn load_policy(pair: &Pair) -> Result<bool> {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/kernel/selinux.policy");
    let compiled = pair.path("selinux.compiled");
    let compiler = Command::new("checkpolicy")
        .args(["-U", "allow", "-c", "31", "-o"])
        .arg(&compiled)
        .arg(source)
        .output();
    let Ok(output) = compiler else {
        println!("skipped: booleans of SELinux need checkpolicy (packaging/dev/setup.sh vm)");
        return Ok(false);
    };
    ensure!(output.status.success(), "checkpolicy: {}", String::from_utf8_lossy(&output.stderr));
    let Err(error) = fs::write(Path::new(ROOT).join("load"), fs::read(&compiled)?) else { return Ok(true) };
    let log = kernel_log();
    // Some kernels want more of a policy than this one has.
    if log.contains("failed to initialize selinuxfs") {
        println!("not tried: booleans: the kernel takes the policy of this test, but not for its files");
        return Ok(false);
    }
    Err(error).context(log)
}

#[test]
fn what_is_written_to_its_files_is_told() -> Result<()> {
    if !can_run() || !is_free()? {
        return Ok(());
    }
    let condition = "selinux.enforce.status in [\"enforcing\", \"permissive\", \"disabled\"] || selinux.bool.name == \"cws_test\" \
                     || selinux.bool_commit.state == true";
    let mut pair = Pair::start(&Setup::new().rule("changed", condition))?;
    let check = |signal: &Signal, file: &str, selinux: Value| {
        let differences = signal.differences(&[
            ("evt.name", json!("selinux")),
            ("evt.category", json!("Kernel Activity")),
            ("process.comm", json!("sh")),
            ("file.path", json!(format!("{ROOT}/{file}"))),
            ("file.filesystem", json!("selinuxfs")),
            ("selinux", selinux),
        ]);
        assert_eq!(differences, "");
    };
    for (text, status) in [("1", "enforcing"), (" 0\\n", "permissive")] {
        let (pid, done) = write(text, "enforce")?;
        ensure!(done, "{text} is refused");
        check(&only(&mut pair, pid)?, "enforce", json!({"enforce": {"status": status}}));
    }
    // What is no number changes nothing.
    let (pid, done) = write("x", "enforce")?;
    pair.settle()?;
    let told = pair.signals.of_rule("changed").filter(|signal| signal.at("process.pid") == pid).count();
    assert_eq!((done, told), (false, 0));
    if !load_policy(&pair)? {
        return Ok(());
    }
    for (text, state) in [("1", "on"), ("0", "off"), ("x", "error")] {
        let (pid, done) = write(text, "booleans/cws_test")?;
        assert_eq!(done, state != "error", "{text}");
        let expected = json!({"bool": {"name": "cws_test", "state": state}});
        check(&only(&mut pair, pid)?, "booleans/cws_test", expected);
    }
    let (pid, done) = write("1", "commit_pending_bools")?;
    ensure!(done, "the commit is refused");
    check(&only(&mut pair, pid)?, "commit_pending_bools", json!({"bool_commit": {"state": true}}));
    Ok(())
}
