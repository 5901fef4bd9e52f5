//! mount, umount, and the calls of the new mount interface, in a mount namespace that the trigger has to itself.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use integration_tests::harness::call::{Calls, Made, n, r, s};
use integration_tests::harness::{FileTruth, Signal};
use libc::{
    AT_FDCWD, CLONE_NEWNS, MNT_DETACH, MS_BIND, MS_MOVE, MS_PRIVATE, MS_RDONLY, MS_REC, MS_REMOUNT,
    MS_SHARED, MS_SLAVE, MS_UNBINDABLE,
};
use serde_json::{Value, json};

use crate::resolution;
use crate::watch::{Expected, Watch, retval};

/// A private mount namespace; two calls, of which one is `mount` but no event.
pub(crate) fn own_namespace() -> Calls {
    Calls::new()
        .then(libc::SYS_unshare, [n(CLONE_NEWNS)])
        .then(libc::SYS_mount, [s("none"), s("/"), n(0), n(number(MS_REC | MS_PRIVATE)), n(0)])
}

pub(crate) fn number(flags: libc::c_ulong) -> i64 {
    i64::try_from(flags).unwrap_or_default()
}

pub(crate) fn mount_tmpfs(calls: Calls, at: &Path) -> Calls {
    calls.then(libc::SYS_mount, [s("none-such"), s(at), s("tmpfs"), n(0), n(0)])
}

/// The mount ids of a mount that the trigger could ask for.
pub(crate) fn id(made: &Made, call: usize) -> Result<u64> {
    Ok(made.stat(call, "")?.mount_id)
}

/// Fails unless `mount` and `file` of a mount event say the same, and what is expected.
pub(crate) fn check(
    watch: &mut Watch,
    made: &Made,
    earlier: usize,
    expected: Value,
    syscall: Value,
    result: i64,
) -> Result<Signal> {
    let signals = watch.signals("mount", made)?;
    assert_eq!(signals.len(), earlier + 1, "{signals:#?}");
    let signal = signals.into_iter().next_back().context("a signal")?;
    let file = json!({
        "destination": {"path": &expected["mountpoint.path"]},
        "new_mount_id": &expected["mount_id"],
        "device": &expected["device"],
        "fstype": &expected["fs_type"],
        "path": &expected["root"],
    });
    let mut mount = expected;
    mount.as_object_mut().context("an object")?.remove("root");
    let mut file = file;
    if mount.get("mountpoint.path").is_none() {
        file["destination"] = json!({});
    }
    let differences = signal.differences(&[
        ("evt.name", json!("mount")),
        ("evt.category", json!("File Activity")),
        ("evt.outcome", json!("Success")),
        ("process.pid", made.pid().clone()),
        ("mount", mount),
        ("file", file),
        ("syscall.mount", syscall),
    ]);
    assert_eq!(differences, "");
    returned(&signal, result);
    Ok(signal)
}

/// Fails unless the call of a mount event returned this to its process.
fn returned(signal: &Signal, result: i64) {
    assert_eq!(retval(signal, "mount"), Some(result.to_string()));
    assert_eq!(signal.at("evt.async"), &Value::Null);
    assert_eq!(signal.at("evt.outcome"), &json!("Success"));
}

/// Device number of a file system as the kernel keeps it, from a `struct statx` at an argument of a call.
pub(crate) fn device(made: &Made, call: usize) -> Result<u32> {
    let statx = made.buffer(call, 4)?;
    let word = |at: usize| u32::from_ne_bytes([statx[at], statx[at + 1], statx[at + 2], statx[at + 3]]);
    Ok(word(136) << 20 | word(140))
}

#[test]
fn a_file_system_a_bind_mount_and_a_move() -> Result<()> {
    let Some(mut watch) = Watch::of(&["mount"])? else { return Ok(()) };
    let place = watch.place()?;
    let (target, bind, moved) = (place.join("target"), place.join("bind"), place.join("moved"));
    for directory in [&target, &bind, &moved] {
        fs::create_dir(directory)?;
    }
    let outside = FileTruth::of(&place)?.mount_id;

    let mounted = mount_tmpfs(own_namespace(), &target).then_stat(&place).then_stat(&target);
    let made = watch.make(&mounted)?;
    let expected = json!({
        "mount_id": id(&made, 4)?, "parent_mount_id": id(&made, 3)?, "bind_src_mount_id": 0,
        "device": device(&made, 4)?, "fs_type": "tmpfs", "mountpoint.path": &target,
        "source.path": "none-such", "visible": true, "root": "/",
    });
    let syscall = json!({"path": "none-such", "destination_path": &target, "fs_type": "tmpfs"});
    let signal = check(&mut watch, &made, 0, expected, syscall, 0)?;
    assert_ne!(signal.at("mount.parent_mount_id"), &json!(outside), "the namespace has mounts of its own");

    let below = target.join("below");
    let bound = mount_tmpfs(own_namespace(), &target)
        .then(libc::SYS_mkdir, [s(&below), n(0o700)])
        .then(libc::SYS_mount, [s(&below), s(&bind), n(0), n(number(MS_BIND)), n(0)])
        .then_stat(&target)
        .then_stat(&place)
        .then_stat(&bind);
    let made = watch.make(&bound)?;
    let expected = json!({
        "mount_id": id(&made, 7)?, "parent_mount_id": id(&made, 6)?, "bind_src_mount_id": id(&made, 5)?,
        "device": device(&made, 7)?, "fs_type": "tmpfs", "mountpoint.path": &bind,
        "source.path": &below, "visible": true, "root": "/below",
    });
    check(&mut watch, &made, 1, expected, json!({"path": &below, "destination_path": &bind}), 0)?;

    let then_moved = mount_tmpfs(own_namespace(), &target)
        .then_stat(&target)
        .then(libc::SYS_mount, [s(&target), s(&moved), n(0), n(number(MS_MOVE)), n(0)])
        .then_stat(&place)
        .then_stat(&moved);
    let made = watch.make(&then_moved)?;
    assert_eq!(id(&made, 3)?, id(&made, 6)?, "the same mount elsewhere");
    let signal = watch.signals("mount", &made)?.pop().context("a signal")?;
    let differences = signal.differences(&[
        ("mount.mount_id", json!(id(&made, 6)?)),
        ("mount.parent_mount_id", json!(id(&made, 5)?)),
        ("mount.fs_type", json!("tmpfs")),
        ("file.destination.path", json!(&moved)),
        ("syscall.mount", json!({"path": &target, "destination_path": &moved})),
    ]);
    assert_eq!(differences, "");
    assert_eq!(places(&signal), (json!(&target), json!(&moved)));
    returned(&signal, 0);
    Ok(())
}

/// Makes the calls, of which number `call` is the last that mounts: its event, which has these members.
fn last_mount(
    watch: &mut Watch,
    calls: &Calls,
    call: usize,
    members: impl Fn(&Made) -> Result<Vec<(&'static str, Value)>>,
) -> Result<Signal> {
    let made = watch.make(calls)?;
    let signal = watch.signals("mount", &made)?.pop().context("a signal")?;
    assert_eq!(signal.differences(&members(&made)?), "");
    returned(&signal, made.result(call));
    Ok(signal)
}

/// Where a mount was taken from and where it was put. The names of these members have a dot.
fn places(signal: &Signal) -> (Value, Value) {
    let mount = &signal.0["mount"];
    (mount["source.path"].clone(), mount["mountpoint.path"].clone())
}

#[test]
fn what_changes_no_mount_is_no_event() -> Result<()> {
    let Some(mut watch) = Watch::of(&["mount"])? else { return Ok(()) };
    let made = watch.make(&own_namespace())?;
    assert!(watch.signals("mount", &made)?.is_empty(), "a change of propagation");
    Ok(())
}

/// The magic number that programs from before Linux 2.4 have in the upper half of the flags. Two of its bits are
/// `MS_PRIVATE` and `MS_SLAVE`.
const MAGIC: libc::c_ulong = 0xC0ED_0000;

#[test]
fn flags_that_the_kernel_does_not_look_at_hide_no_mount() -> Result<()> {
    let Some(mut watch) = Watch::of(&["mount"])? else { return Ok(()) };
    let place = watch.place()?;
    let (target, other) = (place.join("target"), place.join("other"));
    for directory in [&target, &other] {
        fs::create_dir(directory)?;
    }
    let mount = |calls: Calls, source: &Path, at: &Path, flags: libc::c_ulong| {
        calls.then(libc::SYS_mount, [s(source), s(at), s("tmpfs"), n(number(flags)), n(0)])
    };
    let none = Path::new("none-such");
    let mounted = |flags| mount(own_namespace(), none, &target, flags);
    // What is done; with which flags; where; from where; whether to a mount that is there.
    let rows = [
        (mounted(MAGIC), &target, none, false),
        (mount(mounted(0), &target, &other, MS_BIND | MAGIC), &other, target.as_path(), false),
        (mount(mounted(0), &target, &other, MS_BIND | MS_PRIVATE), &other, &target, false),
        (mount(mounted(0), &target, &other, MS_BIND | MS_SHARED | MS_MOVE), &other, &target, false),
        (mount(mounted(0), &target, &other, MS_MOVE | MAGIC), &other, &target, false),
        (mount(mounted(0), none, &target, MS_REMOUNT | MS_RDONLY), &target, none, true),
        (mount(mounted(0), none, &target, MS_REMOUNT | MS_SHARED | MS_MOVE), &target, none, true),
        (mount(mounted(0), &other, &target, MS_REMOUNT | MS_BIND | MS_SLAVE | MAGIC), &target, none, true),
    ];
    for (row, (calls, at, source, is_remount)) in rows.into_iter().enumerate() {
        let count = calls.count();
        let made = watch.make(&calls.then_stat(at))?;
        let signals = watch.signals("mount", &made)?;
        assert_eq!(signals.len(), count - 2, "row {row}: {signals:#?}");
        let signal = signals.into_iter().next_back().context("a signal")?;
        resolution::check_mount(&watch.pair.status()?, "mount", &signal)?;
        let differences = signal.differences(&[
            ("mount.mount_id", json!(id(&made, count)?)),
            ("mount.fs_type", json!("tmpfs")),
            ("mount.remount", if is_remount { json!(true) } else { Value::Null }),
        ]);
        assert_eq!(differences, "", "row {row}");
        assert_eq!(places(&signal), (json!(source), json!(at)), "row {row}");
    }
    // Changes of propagation mount nothing, whatever stands beside.
    for flags in [MS_PRIVATE, MS_SLAVE, MS_SHARED, MS_UNBINDABLE, MAGIC | 1 << 20, MS_PRIVATE | MS_MOVE] {
        let made = mount(mounted(0), &other, &target, flags).make(&watch.trigger)?;
        assert_eq!(watch.signals("mount", &made)?.len(), 1, "{flags:#x}: {made:?}");
    }
    Ok(())
}

#[test]
fn the_new_interface() -> Result<()> {
    const CREATE: i32 = 6;
    const CLONE: i32 = 1;
    const FROM_EMPTY_PATH: i32 = 4;
    let Some(mut watch) = Watch::of(&["mount"])? else { return Ok(()) };
    let place = watch.place()?;
    let target = place.join("target");
    fs::create_dir(&target)?;
    let new = |calls: Calls| {
        calls
            .then(libc::SYS_fsopen, [s("tmpfs"), n(0)])
            .then(libc::SYS_fsconfig, [r(2), n(CREATE), n(0), n(0), n(0)])
            .then(libc::SYS_fsmount, [r(2), n(0), n(0)])
            .then(
                libc::SYS_statx,
                [r(4), s(""), n(0x1000), n(0x17ff), integration_tests::harness::call::b(256)],
            )
    };
    // A mount that is attached nowhere yet.
    let made = watch.make(&new(own_namespace()))?;
    let expected = json!({
        "mount_id": id(&made, 5)?, "parent_mount_id": id(&made, 5)?, "bind_src_mount_id": 0,
        "device": device(&made, 5)?, "fs_type": "tmpfs", "source.path": "none", "detached": true, "root": "/",
    });
    check(&mut watch, &made, 0, expected, Value::Null, made.result(4))?;

    let attach = new(own_namespace())
        .then(libc::SYS_move_mount, [r(4), s(""), n(AT_FDCWD), s(&target), n(FROM_EMPTY_PATH)])
        .then_stat(&place);
    last_mount(&mut watch, &attach, 6, |made| {
        Ok(vec![
            ("mount.mount_id", json!(id(made, 5)?)),
            ("mount.parent_mount_id", json!(id(made, 7)?)),
            ("mount.fs_type", json!("tmpfs")),
            ("mount.device", json!(device(made, 5)?)),
            ("mount.visible", json!(true)),
            ("mount.detached", Value::Null),
            ("file.destination.path", json!(&target)),
        ])
    })?;

    let moved = place.join("moved");
    fs::create_dir(&moved)?;
    let then_moved = mount_tmpfs(own_namespace(), &target)
        .then(libc::SYS_move_mount, [n(AT_FDCWD), s(&target), n(AT_FDCWD), s(&moved), n(0)])
        .then_stat(&place)
        .then_stat(&moved);
    let signal = last_mount(&mut watch, &then_moved, 3, |made| {
        Ok(vec![
            ("mount.mount_id", json!(id(made, 5)?)),
            ("mount.parent_mount_id", json!(id(made, 4)?)),
            ("mount.fs_type", json!("tmpfs")),
            ("mount.device", json!(device(made, 5)?)),
            ("mount.visible", json!(true)),
            ("mount.detached", Value::Null),
            ("file.destination.path", json!(&moved)),
        ])
    })?;
    assert_eq!(places(&signal), (json!(&target), json!(&moved)));

    let kind = FileTruth::of(&target)?.filesystem;
    let copy = own_namespace()
        .then(libc::SYS_open_tree, [n(AT_FDCWD), s(&target), n(CLONE)])
        .then(libc::SYS_statx, [r(2), s(""), n(0x1000), n(0x17ff), integration_tests::harness::call::b(256)])
        .then_stat(&target);
    let signal = last_mount(&mut watch, &copy, 2, |made| {
        Ok(vec![
            ("mount.mount_id", json!(id(made, 3)?)),
            ("mount.bind_src_mount_id", json!(id(made, 4)?)),
            ("mount.fs_type", json!(&kind)),
            ("mount.device", json!(device(made, 3)?)),
            ("mount.detached", json!(true)),
            ("mount.visible", Value::Null),
        ])
    })?;
    assert_eq!(signal.0["mount"]["source.path"], json!(&target));
    Ok(())
}

#[test]
fn a_single_file_is_mounted() -> Result<()> {
    let Some(mut watch) = Watch::of(&["mount", "open"])? else { return Ok(()) };
    let target = watch.place()?;
    let (file, over) = (target.join("file"), target.join("over"));
    let make = |calls: Calls, path: &Path| calls.then(libc::SYS_mknod, [s(path), n(0o100_600), n(0)]);
    let calls = make(make(mount_tmpfs(own_namespace(), &target), &file), &over)
        .then_stat(&target)
        .then_stat(&file)
        .then(libc::SYS_mount, [s(&file), s(&over), n(0), n(number(MS_BIND)), n(0)])
        .then_stat(&over)
        .then(libc::SYS_openat, [n(AT_FDCWD), s(&over), n(libc::O_RDONLY)]);
    let made = watch.make(&calls)?;
    let expected = json!({
        "mount_id": id(&made, 8)?, "parent_mount_id": id(&made, 5)?, "bind_src_mount_id": id(&made, 6)?,
        "device": device(&made, 8)?, "fs_type": "tmpfs", "mountpoint.path": &over,
        "source.path": &file, "visible": true, "root": "/file",
    });
    let syscall = json!({"path": &file, "destination_path": &over});
    check(&mut watch, &made, 1, expected, syscall, 0)?;
    assert_eq!(made.stat(6, "")?.inode, made.stat(8, "")?.inode, "the same file");
    let expected = Expected::of(made.stat(8, "tmpfs")?.file(&over), json!({"path": &over, "flags": 0}));
    watch.expect("open", &made, &expected.with("flags", &["O_RDONLY"][..]).retval(made.last()))?;
    Ok(())
}

/// A mount of this machine, which is unmounted in the end.
struct Mounted<'p>(&'p Path);

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(self.0).status());
    }
}

#[test]
fn a_mount_from_before_the_processes_started() -> Result<()> {
    if !integration_tests::harness::can_run() {
        return Ok(());
    }
    let directory = tempfile::tempdir()?;
    let top = directory.path().canonicalize()?;
    ensure!(Command::new("mount").args(["-t", "tmpfs", "none"]).arg(&top).status()?.success(), "mount");
    let _mounted = Mounted(&top);
    let Some(mut watch) = Watch::of(&["open", "chmod", "umount"])? else { return Ok(()) };
    let file = top.join("file");
    fs::write(&file, "")?;
    let truth = FileTruth::of(&file)?;
    assert_eq!(truth.filesystem, "tmpfs");
    let made = watch.make(&Calls::new().then(libc::SYS_openat, [n(AT_FDCWD), s(&file), n(0)]))?;
    let expected = Expected::of(truth.file(&file), json!({"path": &file, "flags": 0}));
    watch.expect("open", &made, &expected.with("flags", &["O_RDONLY"][..]).retval(made.last()))?;
    let made = watch.make(&Calls::new().then(libc::SYS_chmod, [s(&file), n(0o640)]))?;
    let expected = Expected::of(truth.file(&file), json!({"path": &file, "mode": 0o640}));
    watch.expect("chmod", &made, &expected.destination(json!({"mode": 0o640})))?;
    Ok(())
}

#[test]
fn umount() -> Result<()> {
    let Some(mut watch) = Watch::of(&["umount", "mount"])? else { return Ok(()) };
    let place = watch.place()?;
    let target = place.join("target");
    fs::create_dir(&target)?;
    for (flags, names) in [(0, Value::Null), (MNT_DETACH, json!("MNT_DETACH"))] {
        let calls = mount_tmpfs(own_namespace(), &target)
            .then_stat(&target)
            .then(libc::SYS_umount2, [s(&target), n(flags)]);
        let made = watch.make(&calls)?;
        let mut expected = Expected::of(serde_json::Map::new(), json!({"path": &target, "flags": flags}));
        let mut umount = json!({
            "mount_id": id(&made, 3)?, "device": device(&made, 3)?, "fs_type": "tmpfs", "mountpoint.path": &target,
        });
        if !names.is_null() {
            umount["flags"] = names;
        }
        expected.more.push(("umount", umount));
        let signal = watch.expect("umount", &made, &expected)?;
        resolution::check_mount(&watch.pair.status()?, "umount", &signal)?;
    }
    Ok(())
}
