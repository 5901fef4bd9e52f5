//! 32-bit calls, by int 0x80 from a 64-bit program, where the setting for them is on.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use anyhow::Result;
use integration_tests::harness::call::{Calls, b, n, r, s, w, x};
use integration_tests::harness::{FileTruth, Setup};
use libc::{AT_FDCWD, AT_REMOVEDIR, O_CREAT, O_RDONLY, O_WRONLY};
use serde_json::{Value, json};

use crate::watch::{Expected, Watch, text};

/// Numbers of arch/x86/entry/syscalls/syscall_32.tbl.
mod i386 {
    use libc::c_long;

    pub(super) const OPEN: c_long = 5;
    pub(super) const CREAT: c_long = 8;
    pub(super) const LINK: c_long = 9;
    pub(super) const UNLINK: c_long = 10;
    pub(super) const CHDIR: c_long = 12;
    pub(super) const CHMOD: c_long = 15;
    pub(super) const LCHOWN16: c_long = 16;
    pub(super) const UTIME32: c_long = 30;
    pub(super) const RENAME: c_long = 38;
    pub(super) const MKDIR: c_long = 39;
    pub(super) const RMDIR: c_long = 40;
    pub(super) const SYMLINK: c_long = 83;
    pub(super) const FCHMOD: c_long = 94;
    pub(super) const TRUNCATE64: c_long = 193;
    pub(super) const CHOWN: c_long = 212;
    pub(super) const SETXATTR: c_long = 226;
    pub(super) const REMOVEXATTR: c_long = 235;
    pub(super) const OPENAT: c_long = 295;
    pub(super) const UNLINKAT: c_long = 301;
    pub(super) const SPLICE: c_long = 313;
    pub(super) const FALLOCATE: c_long = 324;
}

const EVENTS: [&str; 14] = [
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
    "splice",
];

/// Whether this kernel takes such calls.
fn possible() -> bool {
    let symbols = fs::read_to_string("/proc/kallsyms").unwrap_or_default();
    let entries = ["entry_INT80_compat", "int80_emulation", "do_int80_emulation"];
    let found = symbols.lines().any(|line| entries.iter().any(|entry| line.ends_with(&format!(" {entry}"))));
    if !found {
        println!("skipped: this kernel has no 32-bit calls");
    }
    found
}

fn watched(setting: bool) -> Result<Option<Watch>> {
    if !possible() {
        return Ok(None);
    }
    let line = format!("runtime_security_config.probe.compat_syscalls: {setting}");
    Watch::with(&EVENTS, Setup::new().probe_line(&line))
}

#[test]
fn calls_of_32_bit_code() -> Result<()> {
    let Some(mut watch) = watched(true)? else { return Ok(()) };
    let place = watch.place()?;
    let (file, new, directory) = (place.join("file.conf"), place.join("new"), place.join("directory"));
    fs::write(&file, "contents")?;
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644))?;
    let one = |number, arguments: Vec<_>| Calls::new().then_i386(number, arguments);

    // What is opened or created is as it is after the call.
    let made = watch.make(&one(i386::OPEN, vec![s(&file), n(O_RDONLY), n(0)]))?;
    let expected = Expected::of(FileTruth::of(&file)?.file(&file), json!({"path": &file, "flags": 0}));
    watch.expect("open", &made, &expected.with("flags", &["O_RDONLY"][..]).retval(made.last()))?;

    let made = watch.make(&one(i386::OPENAT, vec![n(AT_FDCWD), s(&new), n(O_CREAT | O_WRONLY), n(0o600)]))?;
    let syscall = json!({"path": &new, "flags": O_CREAT | O_WRONLY, "mode": 0o600});
    let expected = Expected::of(FileTruth::of(&new)?.file(&new), syscall).destination(json!({"mode": 0o600}));
    watch.expect("open", &made, &expected.with("flags", &["O_WRONLY", "O_CREAT"][..]).retval(made.last()))?;

    let made = watch.make(&one(i386::CREAT, vec![s(&new), n(0o640)]))?;
    let flags = ["O_WRONLY", "O_CREAT", "O_TRUNC"];
    let syscall = json!({"path": &new, "flags": 0o1101, "mode": 0o640});
    let expected = Expected::of(FileTruth::of(&new)?.file(&new), syscall).destination(json!({"mode": 0o640}));
    watch.expect("open", &made, &expected.with("flags", &flags[..]).retval(made.last()))?;

    // A 64-bit length in two registers.
    let made = watch.make(&one(i386::TRUNCATE64, vec![s(&new), n(5), n(1)]))?;
    let truth = FileTruth::of(&new)?;
    assert_eq!(truth.size, (1 << 32) + 5);
    let expected = Expected::of(truth.file(&new), json!({"path": &new, "flags": 0o1101}));
    watch.expect("open", &made, &expected.destination(json!({"mode": 0})).with("flags", &flags[..]))?;

    // A 32-bit open refuses what is larger than 2 GiB.
    fs::write(&new, "")?;
    let calls = one(i386::OPEN, vec![s(&new), n(O_WRONLY), n(0)]);
    let made = watch.make(&calls.then_i386(i386::FALLOCATE, [r(0), n(0), n(0), n(0), n(7), n(0)]))?;
    let expected =
        Expected::of(FileTruth::of(&new)?.file(&new), Value::Null).with("flags", &["O_WRONLY"][..]);
    watch.expect("open", &made, &expected.after(1))?;
    fs::remove_file(&new)?;

    let made = watch.make(&one(i386::MKDIR, vec![s(&directory), n(0o700)]))?;
    let expected =
        Expected::of(FileTruth::of(&directory)?.file(&directory), json!({"path": &directory, "mode": 0o700}));
    watch.expect("mkdir", &made, &expected.destination(json!({"mode": 0o700})))?;

    let made = watch.make(&one(i386::CHDIR, vec![s(&directory)]))?;
    let expected = Expected::of(FileTruth::of(&directory)?.file(&directory), json!({"path": &directory}));
    watch.expect("chdir", &made, &expected)?;

    for calls in [
        one(i386::RMDIR, vec![s(&directory)]),
        one(i386::UNLINKAT, vec![n(AT_FDCWD), s(&directory), n(AT_REMOVEDIR)]),
    ] {
        if !directory.exists() {
            fs::create_dir(&directory)?;
        }
        let truth = FileTruth::of(&directory)?;
        let made = watch.make(&calls)?;
        watch.expect("rmdir", &made, &Expected::of(truth.file(&directory), json!({"path": &directory})))?;
    }

    let before = FileTruth::of(&file)?;
    let made = watch.make(&one(i386::LINK, vec![s(&file), s(&new)]))?;
    let expected = Expected::of(before.file(&file), json!({"path": &file, "destination_path": &new}));
    watch.expect("link", &made, &expected.destination(FileTruth::of(&new)?.file(&new)))?;

    let before = FileTruth::of(&new)?;
    let made = watch.make(&one(i386::UNLINK, vec![s(&new)]))?;
    let syscall = json!({"path": &new, "flags": 0, "dirfd": AT_FDCWD});
    watch.expect("unlink", &made, &Expected::of(before.file(&new), syscall))?;

    let made = watch.make(&one(i386::SYMLINK, vec![s("text"), s(&new)]))?;
    let syscall = json!({"path": "text", "destination_path": &new});
    watch.expect("symlink", &made, &Expected::of(FileTruth::of(&new)?.file(&new), syscall))?;
    fs::remove_file(&new)?;

    let before = FileTruth::of(&file)?;
    let made = watch.make(&one(i386::RENAME, vec![s(&file), s(&new)]))?;
    let expected = Expected::of(before.file(&file), json!({"path": &file, "destination_path": &new}));
    watch.expect("rename", &made, &expected.destination(FileTruth::of(&new)?.file(&new)))?;
    fs::rename(&new, &file)?;

    let opened =
        one(i386::OPEN, vec![s(&file), n(O_RDONLY), n(0)]).then_i386(i386::FCHMOD, [r(0), n(0o4755)]);
    for (calls, given) in [(one(i386::CHMOD, vec![s(&file), n(0o4755)]), text(&file)), (opened, "")] {
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644))?;
        let before = FileTruth::of(&file)?;
        let made = watch.make(&calls)?;
        let syscall = if given.is_empty() { Value::Null } else { json!({"path": given, "mode": 0o4755}) };
        let expected = Expected::of(before.file(&file), syscall).destination(json!({"mode": 0o4755}));
        watch.expect("chmod", &made, &expected)?;
    }

    // The older form has ids of 16 bits, of which the last stands for "unchanged".
    for (number, gid) in [(i386::CHOWN, -1), (i386::LCHOWN16, 0xffff)] {
        std::os::unix::fs::chown(&file, Some(0), Some(0))?;
        let before = FileTruth::of(&file)?;
        let made = watch.make(&one(number, vec![s(&file), n(65534), n(gid)]))?;
        assert_eq!((FileTruth::of(&file)?.uid, FileTruth::of(&file)?.gid), (65534, 0), "it was changed");
        let expected = Expected::of(before.file(&file), json!({"path": &file, "uid": 65534, "gid": -1}));
        let destination = json!({"uid": 65534, "user": "nobody", "gid": -1});
        watch.expect("chown", &made, &expected.destination(destination))?;
    }

    let before = FileTruth::of(&file)?;
    let times: Vec<u8> = [1_600_000_000_u32, 1_500_000_000].into_iter().flat_map(u32::to_ne_bytes).collect();
    let made = watch.make(&one(i386::UTIME32, vec![s(&file), x(&times)]))?;
    let destination = json!({
        "access_time": "2020-09-13T12:26:40.000000000Z", "modification_time": "2017-07-14T02:40:00.000000000Z",
    });
    let expected = Expected::of(before.file(&file), json!({"path": &file}));
    watch.expect("utimes", &made, &expected.destination(destination))?;

    let attribute = json!({"attribute_name": "trusted.a", "attribute_namespace": "trusted"});
    for (event, calls) in [
        ("setxattr", one(i386::SETXATTR, vec![s(&file), s("trusted.a"), s("v"), n(1), n(0)])),
        ("removexattr", one(i386::REMOVEXATTR, vec![s(&file), s("trusted.a")])),
    ] {
        let before = FileTruth::of(&file)?;
        let made = watch.make(&calls)?;
        let expected = Expected::of(before.file(&file), Value::Null).destination(attribute.clone());
        watch.expect(event, &made, &expected)?;
    }

    let calls = Calls::new()
        .then(libc::SYS_pipe2, [b(8), n(0)])
        .then_i386(i386::OPEN, [s(&file), n(O_RDONLY), n(0)])
        .then_i386(i386::SPLICE, [r(1), n(0), w(0, 0, 4), n(0), n(3), n(0)]);
    let made = watch.make(&calls)?;
    let mut expected = Expected::of(FileTruth::of(&file)?.file(&file), Value::Null).retval(3);
    expected.more.push(("splice", json!({"pipe_entry_flag": "", "pipe_exit_flag": ""})));
    watch.expect("splice", &made, &expected)?;
    Ok(())
}

#[test]
fn without_the_setting_they_are_not_seen_and_status_says_so() -> Result<()> {
    let Some(mut watch) = watched(false)? else { return Ok(()) };
    let place = watch.place()?;
    let made = watch.make(&Calls::new().then_i386(i386::MKDIR, [s(place.join("unseen")), n(0o700)]))?;
    assert!(watch.signals("mkdir", &made)?.is_empty());
    let status = watch.pair.status()?;
    assert!(status.to_string().contains("32-bit"), "{status:#}");
    Ok(())
}
