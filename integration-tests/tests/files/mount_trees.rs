//! Paths through trees of mounts that change.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use integration_tests::harness::call::{Calls, Made, n, s};
use integration_tests::harness::{Pair, Setup, can_run};
use libc::{AT_FDCWD, MS_BIND, MS_SHARED, O_CREAT, O_RDWR};
use serde_json::{Value, json};

use crate::mounts::{mount_tmpfs, number, own_namespace};
use crate::watch::Watch;

fn create(calls: Calls, path: &Path) -> Calls {
    calls.then(libc::SYS_openat, [n(AT_FDCWD), s(path), n(O_CREAT | O_RDWR), n(0o600)])
}

/// The open descriptor keeps it busy.
fn umount_lazily(calls: Calls, path: &Path) -> Calls {
    calls.then(libc::SYS_umount2, [s(path), n(libc::MNT_DETACH)])
}

fn bind(calls: Calls, from: &Path, to: &Path) -> Calls {
    calls.then(libc::SYS_mount, [s(from), s(to), n(0), n(number(MS_BIND)), n(0)])
}

/// The paths of all opens that the calls caused, each with the mount it went through.
fn opened(watch: &mut Watch, made: &Made) -> Result<Vec<(Value, Value)>> {
    let signals = watch.signals("open", made)?;
    let of = |signal: &integration_tests::harness::Signal| {
        assert_eq!(signal.at("file.path_resolution_error"), &Value::Null, "{:#}", signal.0);
        (signal.at("file.path").clone(), signal.at("file.mount_id").clone())
    };
    Ok(signals.iter().map(of).collect())
}

#[test]
fn the_mount_on_top_counts_and_the_older_one_once_it_is_gone() -> Result<()> {
    let Some(mut watch) = Watch::of(&["open"])? else { return Ok(()) };
    let place = watch.place()?;
    let file = place.join("file");
    let first = mount_tmpfs(own_namespace(), &place).then_stat(&place);
    let lower = first.count() - 1;
    let both = mount_tmpfs(create(first, &file), &place).then_stat(&place);
    let upper = both.count() - 1;
    let calls = create(umount_lazily(create(both, &file), &place), &file);
    let made = watch.make(&calls)?;
    let mounts = [made.stat(lower, "")?.mount_id, made.stat(upper, "")?.mount_id];
    ensure!(mounts[0] != mounts[1], "{mounts:?}");
    let expected = [mounts[0], mounts[1], mounts[0]].map(|mount| (json!(&file), json!(mount)));
    assert_eq!(opened(&mut watch, &made)?, expected);
    Ok(())
}

#[test]
fn a_mount_that_another_one_propagates_has_its_own_paths() -> Result<()> {
    let Some(mut watch) = Watch::of(&["open", "chmod"])? else { return Ok(()) };
    let place = watch.place()?;
    let (shared, copy) = (place.join("shared"), place.join("copy"));
    for directory in [&shared, &copy] {
        fs::create_dir(directory)?;
    }
    // What is mounted below one of the two appears below the other.
    let below = shared.join("below");
    let calls = mount_tmpfs(own_namespace(), &shared)
        .then(libc::SYS_mount, [s("none"), s(&shared), n(0), n(number(MS_SHARED)), n(0)])
        .then(libc::SYS_mkdir, [s(&below), n(0o700)]);
    let calls = mount_tmpfs(bind(calls, &shared, &copy), &below);
    let (one, other) = (below.join("file"), copy.join("below/file"));
    let calls = create(create(calls, &one), &other).then(libc::SYS_chmod, [s(&other), n(0o640)]);
    let made = watch.make(&calls)?;
    let paths: Vec<_> = opened(&mut watch, &made)?.into_iter().map(|(path, _)| path).collect();
    assert_eq!(paths, [json!(&one), json!(&other)]);
    let signal = watch.signals("chmod", &made)?.pop().context("no chmod")?;
    assert_eq!(signal.at("file.path"), &json!(&other));
    Ok(())
}

/// The kernel gives numbers of mounts that are gone to others.
#[test]
fn a_mount_is_not_taken_for_an_earlier_one_with_its_number() -> Result<()> {
    let Some(mut watch) = Watch::of(&["open"])? else { return Ok(()) };
    let place = watch.place()?;
    let directories = [place.join("a"), place.join("b")];
    for directory in &directories {
        fs::create_dir(directory)?;
    }
    let mut calls = own_namespace();
    let mut expected = Vec::new();
    for round in 0..19 {
        let directory = &directories[round % 2];
        let file = directory.join(format!("file{round}"));
        calls = umount_lazily(create(mount_tmpfs(calls, directory), &file), directory);
        expected.push(json!(file));
    }
    let made = watch.make(&calls)?;
    let seen = opened(&mut watch, &made)?;
    let numbers: std::collections::BTreeSet<_> = seen.iter().map(|(_, mount)| mount.to_string()).collect();
    println!("{} numbers for 19 mounts", numbers.len());
    assert_eq!(seen.into_iter().map(|(path, _)| path).collect::<Vec<_>>(), expected);
    Ok(())
}

#[test]
fn a_directory_that_is_mounted_on_itself_or_below_itself() -> Result<()> {
    let Some(mut watch) = Watch::of(&["open"])? else { return Ok(()) };
    let place = watch.place()?;
    let below = place.join("below");
    fs::create_dir(&below)?;
    // On itself, and then the whole below itself.
    let calls = bind(bind(own_namespace(), &place, &place), &place, &below);
    let (one, other) = (place.join("file"), below.join("file"));
    let deeper = below.join("below/deeper");
    let made = watch.make(&create(create(create(calls, &one), &other), &deeper))?;
    let paths: Vec<_> = opened(&mut watch, &made)?.into_iter().map(|(path, _)| path).collect();
    assert_eq!(paths, [&one, &other, &deeper].map(|path| json!(path)));
    Ok(())
}

/// Who may mount in a user namespace of their own is known as the user of the host.
#[test]
fn mounts_of_a_user_namespace() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let rule = "open.file.name == \"of-a-user-namespace\" && open.flags & O_CREAT > 0";
    let mut pair = Pair::start(&Setup::new().rule("opened", rule))?;
    let script = "mount -t tmpfs none /mnt && exec sh -c ': > /mnt/of-a-user-namespace; id -u'";
    let output = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups", "unshare", "-Urm", "sh", "-c", script])
        .output()
        .context("setpriv")?;
    if !output.status.success() {
        println!("skipped: no user namespaces here: {}", String::from_utf8_lossy(&output.stderr));
        return Ok(());
    }
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "0", "root, there");
    let signal = pair.expect("opened", |_| true)?;
    let differences = signal.differences(&[
        ("file.path", json!("/mnt/of-a-user-namespace")),
        ("file.filesystem", json!("tmpfs")),
        ("file.uid", json!(65534)),
        ("process.uid", json!(65534)),
        ("process.user", json!("nobody")),
    ]);
    assert_eq!(differences, "");
    Ok(())
}
