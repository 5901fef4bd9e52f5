//! Calls that failed: those refused for lack of permission are events, with what was tried; others are none.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use anyhow::Result;
use integration_tests::harness::FileTruth;
use integration_tests::harness::call::{Calls, Made, n, r, s, words};
use libc::{AT_FDCWD, O_CREAT, O_EXCL, O_PATH, O_RDONLY, O_WRONLY};
use serde_json::{Map, Value, json};

use crate::watch::{Expected, Watch, text};

const NOBODY: u32 = 65534;

const EVENTS: [&str; 15] = [
    "open",
    "mkdir",
    "rmdir",
    "unlink",
    "rename",
    "link",
    "symlink",
    "chmod",
    "chown",
    "utimes",
    "setxattr",
    "removexattr",
    "chdir",
    "mount",
    "umount",
];

/// What is told of a name that is not there: where it would be.
fn absent(place: &FileTruth, path: &std::path::Path) -> Map<String, Value> {
    let mut file = place.file(path);
    for attribute in ["inode", "mode", "user", "group", "modification_time", "change_time"] {
        file.remove(attribute);
    }
    let why = "attributes unknown: not in the kernel's caches";
    file.insert("path_resolution_error".into(), why.into());
    file
}

#[test]
fn what_is_refused_is_an_event() -> Result<()> {
    let Some(mut watch) = Watch::of(&EVENTS)? else { return Ok(()) };
    let place = watch.place()?;
    fs::set_permissions(&place, fs::Permissions::from_mode(0o755))?;
    let (file, directory, new) = (place.join("secret"), place.join("closed"), place.join("new"));
    fs::write(&file, "contents")?;
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600))?;
    fs::create_dir(&directory)?;
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o700))?;
    let truths = [FileTruth::of(&file)?, FileTruth::of(&directory)?, FileTruth::of(&place)?];
    let [of_file, of_directory, of_place] = &truths;
    let (shown_file, shown_directory) = (of_file.file(&file), of_directory.file(&directory));
    let shown_new = || absent(of_place, &new);
    let one = |number, arguments: Vec<_>| Calls::new().then(number, arguments);
    let times = words(&[1, 2, 3, 4]);

    let opens = |flags: i32, names: &[&str]| {
        Expected::of(shown_file.clone(), json!({"path": &file, "flags": flags})).with("flags", names)
    };
    let two = json!({"path": &file, "destination_path": &new});
    let rows: Vec<(&str, Calls, Expected)> = vec![
        (
            "open",
            one(libc::SYS_openat, vec![n(AT_FDCWD), s(&file), n(O_RDONLY)]),
            opens(O_RDONLY, &["O_RDONLY"]),
        ),
        ("open", one(libc::SYS_open, vec![s(&file), n(O_WRONLY), n(0)]), opens(O_WRONLY, &["O_WRONLY"])),
        (
            "open",
            one(libc::SYS_openat, vec![n(AT_FDCWD), s(&new), n(O_CREAT | O_WRONLY), n(0o600)]),
            Expected::of(shown_new(), json!({"path": &new, "flags": O_CREAT | O_WRONLY, "mode": 0o600}))
                .with("flags", &["O_WRONLY", "O_CREAT"][..])
                .destination(json!({"mode": 0o600})),
        ),
        (
            "mkdir",
            one(libc::SYS_mkdir, vec![s(&new), n(0o700)]),
            Expected::of(shown_new(), json!({"path": &new, "mode": 0o700}))
                .destination(json!({"mode": 0o700})),
        ),
        (
            "rmdir",
            one(libc::SYS_rmdir, vec![s(&directory)]),
            Expected::of(shown_directory.clone(), json!({"path": &directory})),
        ),
        (
            "unlink",
            one(libc::SYS_unlink, vec![s(&file)]),
            Expected::of(shown_file.clone(), json!({"path": &file, "flags": 0, "dirfd": AT_FDCWD})),
        ),
        (
            "rename",
            one(libc::SYS_rename, vec![s(&file), s(&new)]),
            Expected::of(shown_file.clone(), two.clone()).destination(shown_new()),
        ),
        (
            "link",
            one(libc::SYS_link, vec![s(&file), s(&new)]),
            Expected::of(shown_file.clone(), two).destination(shown_new()),
        ),
        (
            "symlink",
            one(libc::SYS_symlink, vec![s("target"), s(&new)]),
            Expected::of(shown_new(), json!({"path": "target", "destination_path": &new})),
        ),
        (
            "chmod",
            one(libc::SYS_chmod, vec![s(&file), n(0o777)]),
            Expected::of(shown_file.clone(), json!({"path": &file, "mode": 0o777}))
                .destination(json!({"mode": 0o777})),
        ),
        (
            "chmod",
            Calls::new()
                .then(libc::SYS_openat, [n(AT_FDCWD), s(&place), n(O_RDONLY)])
                .then(libc::SYS_fchmod, [r(0), n(0o777)]),
            Expected::of(of_place.file(&place), Value::Null).destination(json!({"mode": 0o777})),
        ),
        (
            "chown",
            one(libc::SYS_chown, vec![s(&file), n(NOBODY), n(-1)]),
            Expected::of(shown_file.clone(), json!({"path": &file, "uid": NOBODY, "gid": -1}))
                .destination(json!({"uid": NOBODY, "user": "nobody", "gid": -1})),
        ),
        (
            "utimes",
            one(libc::SYS_utimensat, vec![n(AT_FDCWD), s(&file), times, n(0)]),
            Expected::of(shown_file.clone(), json!({"path": &file})).destination(json!({
                "access_time": "1970-01-01T00:00:01.000000002Z",
                "modification_time": "1970-01-01T00:00:03.000000004Z",
            })),
        ),
        (
            "setxattr",
            one(libc::SYS_setxattr, vec![s(&file), s("user.color"), s("blue"), n(4), n(0)]),
            Expected::of(shown_file.clone(), Value::Null)
                .destination(json!({"attribute_name": "user.color", "attribute_namespace": "user"}))
                .by_text(true),
        ),
        (
            "removexattr",
            one(libc::SYS_removexattr, vec![s(&file), s("user.color")]),
            Expected::of(shown_file.clone(), Value::Null)
                .destination(json!({"attribute_name": "user.color", "attribute_namespace": "user"}))
                .by_text(true),
        ),
        (
            "chdir",
            one(libc::SYS_chdir, vec![s(&directory)]),
            Expected::of(shown_directory.clone(), json!({"path": &directory})),
        ),
    ];
    for (event, calls, expected) in rows {
        let made = calls.make_as(NOBODY, &watch.trigger)?;
        let result = made.last();
        assert!(result == -1 || result == -13, "{event}: {result} is no refusal");
        // The directory that a descriptor is opened for is an open that succeeds.
        watch.expect(event, &made, &expected.retval(result))?;
    }
    Ok(())
}

#[test]
fn mounts_that_are_refused_are_events() -> Result<()> {
    let Some(mut watch) = Watch::of(&["mount", "umount"])? else { return Ok(()) };
    let place = watch.place()?;
    let call = |number, arguments: Vec<_>| Calls::new().then(number, arguments);
    let mount = call(libc::SYS_mount, vec![s("none"), s(&place), s("tmpfs"), n(0), n(0)]);
    let made = mount.make_as(NOBODY, &watch.trigger)?;
    assert_eq!(made.last(), -1);
    let [signal] = &watch.signals("mount", &made)?[..] else { panic!("one event") };
    let differences = signal.differences(&[
        ("evt.outcome", json!("Refused")),
        ("file.destination.path", json!(&place)),
        ("syscall.mount", json!({"path": "none", "destination_path": &place, "fs_type": "tmpfs"})),
    ]);
    assert_eq!(differences, "");

    let made = call(libc::SYS_umount2, vec![s("/proc"), n(0)]).make_as(NOBODY, &watch.trigger)?;
    assert_eq!(made.last(), -1);
    let [signal] = &watch.signals("umount", &made)?[..] else { panic!("one event") };
    let differences = signal.differences(&[
        ("evt.outcome", json!("Refused")),
        ("umount.fs_type", json!("proc")),
        ("syscall.umount", json!({"path": "/proc", "flags": 0})),
    ]);
    assert_eq!(differences, "");
    assert_eq!(signal.0["umount"]["mountpoint.path"], json!("/proc"));
    Ok(())
}

#[test]
fn other_failures_are_no_events() -> Result<()> {
    let Some(mut watch) = Watch::of(&EVENTS)? else { return Ok(()) };
    let place = watch.place()?;
    let (file, directory, absent) = (place.join("file"), place.join("directory"), place.join("absent"));
    fs::write(&file, "")?;
    fs::create_dir(&directory)?;
    fs::write(directory.join("full"), "")?;
    symlink("loop", place.join("loop"))?;
    let long = "x".repeat(300);
    let calls = Calls::new()
        .then(libc::SYS_openat, [n(AT_FDCWD), s(&absent), n(O_RDONLY)])
        .then(libc::SYS_openat, [n(AT_FDCWD), s(&file), n(O_CREAT | O_EXCL | O_WRONLY), n(0)])
        .then(libc::SYS_openat, [n(AT_FDCWD), s(file.join("below")), n(O_RDONLY)])
        .then(libc::SYS_openat, [n(AT_FDCWD), s(place.join("loop")), n(O_RDONLY)])
        .then(libc::SYS_openat, [n(AT_FDCWD), s(&directory), n(O_WRONLY)])
        .then(libc::SYS_openat, [n(AT_FDCWD), s(&long), n(O_RDONLY)])
        .then(libc::SYS_openat, [n(AT_FDCWD), n(8), n(O_PATH)])
        .then(libc::SYS_truncate, [s(&absent), n(0)])
        .then(libc::SYS_ftruncate, [n(99), n(0)])
        .then(libc::SYS_mkdir, [s(&directory), n(0o700)])
        .then(libc::SYS_rmdir, [s(&directory)])
        .then(libc::SYS_unlink, [s(&directory)])
        .then(libc::SYS_rename, [s(&absent), s(&file)])
        .then(libc::SYS_link, [s(&file), s(&directory)])
        .then(libc::SYS_symlink, [s("text"), s(&file)])
        .then(libc::SYS_chmod, [s(&absent), n(0)])
        .then(libc::SYS_fchmod, [n(99), n(0)])
        .then(libc::SYS_chown, [s(&absent), n(0), n(0)])
        .then(libc::SYS_utimensat, [n(AT_FDCWD), s(&absent), n(0), n(0)])
        .then(libc::SYS_setxattr, [s(&file), s("nonsense"), s("v"), n(1), n(0)])
        .then(libc::SYS_removexattr, [s(&file), s("trusted.absent")])
        .then(libc::SYS_chdir, [s(&file)])
        .then(libc::SYS_mount, [s("none"), s(&directory), s("no-such-type"), n(0), n(0)])
        .then(libc::SYS_umount2, [s(&directory), n(0)]);
    let made: Made = calls.make(&watch.trigger)?;
    for call in 0..calls.count() {
        let result = made.result(call);
        assert!(result < 0 && result != -1 && result != -13, "call {call}: {result}");
    }
    for event in EVENTS {
        let signals = watch.signals(event, &made)?;
        assert!(signals.is_empty(), "{event}: {signals:#?}");
    }
    // What comes after is seen: the silence above is no deafness.
    let made = watch.make(&Calls::new().then(libc::SYS_chmod, [s(&file), n(0o600)]))?;
    let chmod = Expected::of(FileTruth::of(&file)?.file(&file), json!({"path": text(&file), "mode": 0o600}));
    assert_eq!(watch.signals("chmod", &made)?.len(), 1, "{chmod:?}");
    Ok(())
}
