//! Modules that are really loaded and removed: where the kernel has them, and one that nobody uses.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use integration_tests::harness::call::{Calls, Made, n, r, s};
use integration_tests::harness::{Pair, Setup, Trigger, can_run};
use serde_json::{Value, json};

/// Makes network interfaces that lead nowhere, and none at all with this parameter.
const MODULE: &str = "dummy";
const PARAMETERS: &str = "numdummies=0";

/// The file of the module, uncompressed, in `directory`. `None`, with the reason on standard output, where it can't be loaded.
fn module(directory: &Path) -> Result<Option<PathBuf>> {
    let skipped = |why: &str| {
        println!("skipped: {why}");
        Ok(None)
    };
    let Ok(loaded) = std::fs::read_to_string("/proc/modules") else {
        return skipped("this kernel has no modules");
    };
    if loaded.lines().any(|line| line.split(' ').next() == Some(MODULE)) {
        return skipped("the module that would be loaded is in use");
    }
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let place = Path::new("/lib/modules").join(release.trim()).join("kernel/drivers/net");
    let file = directory.join("a-module.ko");
    if std::fs::copy(place.join(format!("{MODULE}.ko")), &file).is_ok() {
        return Ok(Some(file));
    }
    let compressed = place.join(format!("{MODULE}.ko.xz"));
    if !compressed.exists() {
        return skipped("this machine has no file of the module");
    }
    let output = Command::new("xz").arg("-dc").arg(&compressed).output().context("xz")?;
    ensure!(output.status.success(), "xz: {}", String::from_utf8_lossy(&output.stderr));
    std::fs::write(&file, output.stdout)?;
    Ok(Some(file))
}

/// Expects exactly these events of what the calls did.
fn check(
    pair: &mut Pair,
    made: &Made,
    expected: &[(&'static str, Vec<(&'static str, Value)>)],
) -> Result<()> {
    pair.settle()?;
    for (event, members) in expected {
        let signal = pair.expect(event, |signal| signal.at("process.pid") == made.pid())?;
        let mut members = members.clone();
        members.push(("evt.name", json!(event)));
        members.push(("evt.outcome", json!("Success")));
        members.push(("evt.category", json!("Kernel Activity")));
        assert_eq!(signal.differences(&members), "", "{event}");
    }
    let count = pair.signals.all().iter().filter(|signal| signal.at("process.pid") == made.pid()).count();
    assert_eq!(count, expected.len());
    Ok(())
}

/// The calls that remove the module again.
fn remove(calls: Calls) -> Calls {
    calls.then(libc::SYS_delete_module, [s(MODULE), n(libc::O_NONBLOCK)])
}

fn start() -> Result<Option<(Pair, Trigger, PathBuf)>> {
    if !can_run() {
        return Ok(None);
    }
    let rule = |event: &str| format!("{event}.name == \"{MODULE}\" && process.file.name == \"call\"");
    let setup = ["load_module", "unload_module"]
        .into_iter()
        .fold(Setup::new(), |setup, event| setup.rule(event, &rule(event)));
    // Looked for before anything is started: most machines that run this have none.
    let directory = tempfile::tempdir()?;
    if module(directory.path())?.is_none() {
        return Ok(None);
    }
    let pair = Pair::start(&setup)?;
    let file = module(&pair.path(""))?.context("the module")?;
    let trigger = pair.trigger("call")?;
    Ok(Some((pair, trigger, file)))
}

#[test]
fn modules_from_files_and_from_memory() -> Result<()> {
    let Some((mut pair, trigger, file)) = start()? else { return Ok(()) };
    let size = i64::try_from(std::fs::metadata(&file)?.len())?;
    let of = |members: Value| ("module", members);
    let gone = || ("unload_module", vec![of(json!({"name": MODULE}))]);

    let from_file = Calls::new()
        .then(libc::SYS_open, [s(&file), n(0)])
        .then(libc::SYS_finit_module, [r(0), s(PARAMETERS), n(0)]);
    let made = remove(from_file).make(&trigger)?.succeeded()?;
    // What is false is left out.
    let loaded = json!({"name": MODULE, "argv": [PARAMETERS]});
    let members = vec![of(loaded), ("file.path", json!(file))];
    check(&mut pair, &made, &[("load_module", members), gone()])?;

    let from_memory = Calls::new()
        .then(libc::SYS_open, [s(&file), n(0)])
        .then(libc::SYS_mmap, [n(0), n(size), n(1), n(libc::MAP_PRIVATE), r(0), n(0)])
        .then(libc::SYS_init_module, [r(1), n(size), s(PARAMETERS)]);
    let made = remove(from_memory).make(&trigger)?.succeeded()?;
    let loaded = json!({"name": MODULE, "loaded_from_memory": true, "argv": [PARAMETERS]});
    check(&mut pair, &made, &[("load_module", vec![of(loaded), ("file", Value::Null)]), gone()])
}
