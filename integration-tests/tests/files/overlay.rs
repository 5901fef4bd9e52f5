//! Overlay file systems beside what `paths.rs` has of them: directories, truncation, other mounts of the merged tree, programs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use integration_tests::harness::call::{Calls, n, s};
use integration_tests::harness::{Pair, Setup, Signal, can_run};
use libc::{AT_FDCWD, MS_BIND, O_RDONLY};
use serde_json::{Value, json};

use crate::mounts::{mount_tmpfs, number, own_namespace};
use crate::watch::Watch;

/// Where an overlay is mounted, and what it is made of: in memory, in a mount namespace of its own.
struct Overlay {
    merged: PathBuf,
    base: PathBuf,
}

impl Overlay {
    fn new(watch: &mut Watch) -> Result<Self> {
        let place = watch.place()?;
        let (merged, base) = (place.join("merged"), place.join("base"));
        for directory in [&merged, &base, &place.join("elsewhere")] {
            fs::create_dir(directory)?;
        }
        Ok(Self { merged, base })
    }

    /// With `lower.d` and `file` in the lower layer.
    fn mounted(&self) -> Calls {
        let base = self.base.display();
        let data = format!("lowerdir={base}/lower,upperdir={base}/upper,workdir={base}/work");
        let directories = ["lower", "upper", "work", "lower/lower.d"];
        directories
            .iter()
            .fold(mount_tmpfs(own_namespace(), &self.base), |calls, name| {
                calls.then(libc::SYS_mkdir, [s(self.base.join(name)), n(0o700)])
            })
            .then(libc::SYS_mknod, [s(self.base.join("lower/file")), n(0o100_600), n(0)])
            .then(libc::SYS_mount, [s("none"), s(&self.merged), s("overlay"), n(0), s(&data)])
    }
}

/// The last signal of an event, which is about `path` in this layer.
fn check(watch: &mut Watch, event: &str, calls: &Calls, path: &Path, is_upper: bool) -> Result<Signal> {
    let made = watch.make(calls)?;
    let signal = watch.signals(event, &made)?.pop().with_context(|| format!("no {event}"))?;
    let differences = signal.differences(&[
        ("file.path", json!(path)),
        ("file.filesystem", json!("overlay")),
        ("file.in_upper_layer", json!(is_upper)),
        ("file.path_resolution_error", Value::Null),
    ]);
    ensure!(differences.is_empty(), "{event} of {}: {differences}", path.display());
    Ok(signal)
}

#[test]
fn directories_and_truncation_in_layers() -> Result<()> {
    let Some(mut watch) = Watch::of(&["mkdir", "rmdir", "open", "rename"])? else { return Ok(()) };
    let overlay = Overlay::new(&mut watch)?;
    let (lower, new, file) =
        (overlay.merged.join("lower.d"), overlay.merged.join("new.d"), overlay.merged.join("file"));
    let on = || overlay.mounted();
    let made = on().then(libc::SYS_mkdir, [s(&new), n(0o700)]);
    check(&mut watch, "mkdir", &made, &new, true)?;
    check(&mut watch, "rmdir", &made.then(libc::SYS_rmdir, [s(&new)]), &new, true)?;
    // As it was before the call, for which its name must have been used before.
    let rmdir = on().then_stat(&lower).then(libc::SYS_rmdir, [s(&lower)]);
    check(&mut watch, "rmdir", &rmdir, &lower, false)?;
    // As it is after the call, which copies the file up.
    check(&mut watch, "open", &on().then(libc::SYS_truncate, [s(&file), n(0)]), &file, true)?;
    // What is renamed is copied up, and what lies in a renamed directory is found under its new name.
    let below = overlay.merged.join("renamed.d/below");
    let renamed = on()
        .then(libc::SYS_mkdir, [s(&new), n(0o700)])
        .then(libc::SYS_rename, [s(&new), s(overlay.merged.join("renamed.d"))])
        .then(libc::SYS_openat, [n(AT_FDCWD), s(&below), n(libc::O_CREAT | libc::O_WRONLY), n(0o600)]);
    check(&mut watch, "open", &renamed, &below, true)?;
    let signal = check(&mut watch, "rename", &renamed, &new, true)?;
    assert_eq!(signal.at("file.destination.path"), &json!(overlay.merged.join("renamed.d")));
    Ok(())
}

#[test]
fn an_overlay_that_is_mounted_elsewhere_as_well() -> Result<()> {
    let Some(mut watch) = Watch::of(&["open", "chmod"])? else { return Ok(()) };
    let overlay = Overlay::new(&mut watch)?;
    let elsewhere = overlay.base.with_file_name("elsewhere");
    let bound = || {
        let bind = [s(&overlay.merged), s(&elsewhere), n(0), n(number(MS_BIND)), n(0)];
        overlay.mounted().then(libc::SYS_mount, bind)
    };
    let (file, at) = (elsewhere.join("file"), n(AT_FDCWD));
    let open = bound().then(libc::SYS_openat, [at.clone(), s(&file), n(O_RDONLY)]);
    check(&mut watch, "open", &open, &file, false)?;
    let chmod = bound().then_stat(&file).then(libc::SYS_chmod, [s(&file), n(0o640)]);
    check(&mut watch, "chmod", &chmod, &file, false)?;
    // Copied up through one mount, it is in the upper layer of both.
    let open = chmod.then(libc::SYS_openat, [at, s(&file), n(O_RDONLY)]);
    check(&mut watch, "open", &open, &file, true)?;
    Ok(())
}

#[test]
fn programs_of_both_layers() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let rule = r#"exec.file.name in ["lower-program", "upper-program"]"#;
    let flags = r#"exec.file.in_upper_layer && exec.file.name =~ "*-program""#;
    let mut pair = Pair::start(&Setup::new().rule("ran", rule).rule("changed", flags))?;
    let place = pair.path("overlay");
    fs::create_dir(&place)?;
    let script = "mount -t tmpfs none . && cd \"$PWD\" && mkdir lower upper work merged && cp /bin/true lower/lower-program \
        && mount -t overlay -o lowerdir=lower,upperdir=upper,workdir=work none merged \
        && cp /bin/true merged/upper-program && merged/lower-program && merged/upper-program";
    let output =
        Command::new("unshare").args(["--mount", "sh", "-c", script]).current_dir(&place).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for (name, is_upper) in [("lower-program", false), ("upper-program", true)] {
        let signal = pair.expect("ran", |signal| signal.at("process.executable.name") == name)?;
        let differences = signal.differences(&[
            ("process.executable.path", json!(place.join("merged").join(name))),
            ("process.executable.filesystem", json!("overlay")),
            ("process.executable.in_upper_layer", json!(is_upper)),
        ]);
        assert_eq!(differences, "", "{name}");
    }
    let changed: Vec<_> = pair.signals.of_rule("changed").collect();
    assert_eq!(changed.len(), 1, "{changed:#?}");
    Ok(())
}

/// A rule about a file of a container's holds for whoever opens it from outside, through the merged directory.
#[test]
fn a_path_within_an_overlay_is_matched_from_outside() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    let setup = Setup::new()
        .rule("inner", "open.file.path == \"/etc/of-the-image\"")
        .rule("other", "open.file.path == \"/etc/of-no-image\"");
    let mut pair = Pair::start(&setup)?;
    let trigger = pair.trigger("call")?;
    let place = pair.path("place");
    for directory in ["merged", "base"] {
        fs::create_dir_all(place.join(directory))?;
    }
    let overlay = Overlay { merged: place.join("merged"), base: place.join("base") };
    let file = overlay.merged.join("etc/of-the-image");
    let calls = overlay
        .mounted()
        .then(libc::SYS_mkdir, [s(overlay.merged.join("etc")), n(0o700)])
        .then(libc::SYS_mknod, [s(&file), n(0o100_600), n(0)])
        .then(libc::SYS_openat, [n(AT_FDCWD), s(&file), n(O_RDONLY)]);
    let made = calls.make(&trigger)?.succeeded()?;
    let signal = pair.expect("inner", |signal| signal.at("process.pid") == made.pid())?;
    let differences =
        signal.differences(&[("file.path", json!(file)), ("file.mount_path", json!(overlay.merged))]);
    assert_eq!(differences, "");
    assert_eq!(pair.signals.of_rule("other").count(), 0);
    Ok(())
}
