//! mkdir, rmdir, unlink, rename, link, symlink, chdir.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use anyhow::Result;
use integration_tests::harness::call::{Arg, Calls, b, n, r, s, w};
use integration_tests::harness::{FileTruth, Setup};
use libc::{AT_FDCWD, AT_REMOVEDIR, AT_SYMLINK_FOLLOW, O_DIRECTORY, O_PATH, O_RDWR, O_TMPFILE};
use serde_json::{Value, json};

use crate::watch::{Expected, Watch, text};

/// Opens `directory`: then the descriptor is `r(0)`.
fn at(directory: &Path) -> Calls {
    Calls::new().then(libc::SYS_openat, [n(AT_FDCWD), s(directory), n(O_PATH | O_DIRECTORY)])
}

#[test]
fn mkdir() -> Result<()> {
    let Some(mut watch) = Watch::of(&["mkdir"])? else { return Ok(()) };
    let place = watch.place()?;
    let (plain, below) = (place.join("made.d"), place.join("made.d/below"));
    for (calls, path, given, mode) in [
        (Calls::new().then(libc::SYS_mkdir, [s(&plain), n(0o1755)]), &plain, text(&plain), 0o1755),
        (
            at(&place).then(libc::SYS_mkdirat, [r(0), s("made.d//./below/"), n(0o700)]),
            &below,
            "made.d//./below/",
            0o700,
        ),
    ] {
        let made = watch.make(&calls)?;
        // A directory that gets one below it changes: its time is that of its own event.
        let truth = FileTruth::of(path)?;
        let expected = Expected::of(truth.file(path), json!({"path": given, "mode": mode}));
        watch.expect("mkdir", &made, &expected.destination(json!({"mode": mode})))?;
    }
    Ok(())
}

#[test]
fn a_directory_is_made_with_what_the_umask_leaves() -> Result<()> {
    let Some(mut watch) = Watch::of(&["mkdir"])? else { return Ok(()) };
    let path = watch.place()?.join("made");
    let calls = Calls::new().then(libc::SYS_umask, [n(0o077)]).then(libc::SYS_mkdir, [s(&path), n(0o1757)]);
    let made = watch.make(&calls)?;
    let truth = FileTruth::of(&path)?;
    assert_eq!(truth.mode, 0o041_700, "what came out");
    let expected = Expected::of(truth.file(&path), json!({"path": &path, "mode": 0o1757}));
    watch.expect("mkdir", &made, &expected.destination(json!({"mode": 0o1757})))?;
    Ok(())
}

/// Rules on the lengths match where these are the true ones; a byte more or less is another one.
#[test]
fn lengths_of_names_and_paths() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let top = directory.path().canonicalize()?;
    let (first, second) = (top.join("name-of-19-bytes.ab"), top.join("of-8.bcd"));
    let new = top.join("new-directory");
    let one = |number, arguments: Vec<Arg>| Calls::new().then(number, arguments);
    let at = |event: &str, file: &str, path: &Path| {
        let name = path.file_name().map_or(0, std::ffi::OsStr::len);
        (format!("{event}.{file}"), name, path.as_os_str().len())
    };
    let (reads, writes, attribute) = (n(libc::O_RDONLY), n(libc::O_WRONLY), s("trusted.a"));
    let pipe = Calls::new().then(libc::SYS_pipe2, [b(8), n(0)]);
    let into = [r(1), n(0), w(0, 0, 4), n(0), n(1), n(0)];
    // In this order: what one makes the next uses.
    let rows = vec![
        ("open", one(libc::SYS_open, vec![s(&first), writes]), vec![at("open", "file", &first)]),
        (
            "splice",
            pipe.then(libc::SYS_open, [s(&first), reads]).then(libc::SYS_splice, into),
            vec![at("splice", "file", &first)],
        ),
        ("chmod", one(libc::SYS_chmod, vec![s(&first), n(0o600)]), vec![at("chmod", "file", &first)]),
        ("chown", one(libc::SYS_chown, vec![s(&first), n(0), n(0)]), vec![at("chown", "file", &first)]),
        ("utimes", one(libc::SYS_utimes, vec![s(&first), n(0)]), vec![at("utimes", "file", &first)]),
        (
            "setxattr",
            one(libc::SYS_setxattr, vec![s(&first), attribute.clone(), s("v"), n(1), n(0)]),
            vec![at("setxattr", "file", &first)],
        ),
        (
            "removexattr",
            one(libc::SYS_removexattr, vec![s(&first), attribute]),
            vec![at("removexattr", "file", &first)],
        ),
        (
            "link",
            one(libc::SYS_link, vec![s(&first), s(&second)]),
            vec![at("link", "file", &first), at("link", "file.destination", &second)],
        ),
        ("unlink", one(libc::SYS_unlink, vec![s(&second)]), vec![at("unlink", "file", &second)]),
        (
            "rename",
            one(libc::SYS_rename, vec![s(&first), s(&second)]),
            vec![at("rename", "file", &first), at("rename", "file.destination", &second)],
        ),
        (
            "symlink",
            one(libc::SYS_symlink, vec![s("of-8.bcd"), s(&first)]),
            vec![at("symlink", "file", &first)],
        ),
        ("mkdir", one(libc::SYS_mkdir, vec![s(&new), n(0o700)]), vec![at("mkdir", "file", &new)]),
        ("chdir", one(libc::SYS_chdir, vec![s(&new)]), vec![at("chdir", "file", &new)]),
        ("rmdir", one(libc::SYS_rmdir, vec![s(&new)]), vec![at("rmdir", "file", &new)]),
    ];
    let mut setup = Setup::new();
    let called = "process.file.name == \"call\"";
    for (event, _, files) in &rows {
        for (file, name, path) in files {
            let exact = format!("{file}.name.length == {name} && {file}.path.length == {path} && {called}");
            let other = format!("({file}.name.length != {name} || {file}.path.length != {path}) && {called}");
            let id = file.replace('.', "_");
            setup = setup.rule(&id, &exact).rule(&format!("{id}_other"), &other);
        }
        assert!(!files.is_empty(), "{event}");
    }
    let Some(mut watch) = Watch::with(&[], setup)? else { return Ok(()) };
    fs::write(&first, "contents")?;
    for (event, calls, files) in rows {
        let made = watch.make(&calls)?;
        watch.pair.settle()?;
        let count = |id: &str| {
            watch.pair.signals.of_rule(id).filter(|signal| signal.at("process.pid") == made.pid()).count()
        };
        for (file, ..) in files {
            let id = file.replace('.', "_");
            assert_eq!((count(&id), count(&format!("{id}_other"))), (1, 0), "{event}: {file}");
        }
    }
    Ok(())
}

#[test]
fn rmdir() -> Result<()> {
    let Some(mut watch) = Watch::of(&["rmdir", "unlink"])? else { return Ok(()) };
    let place = watch.place()?;
    let path = place.join("gone");
    for (calls, given) in [
        (Calls::new().then(libc::SYS_rmdir, [s(&path)]), text(&path)),
        (at(&place).then(libc::SYS_unlinkat, [r(0), s("gone/"), n(AT_REMOVEDIR)]), "gone/"),
    ] {
        fs::create_dir(&path)?;
        let truth = FileTruth::of(&path)?;
        let made = watch.make(&calls)?;
        watch.expect("rmdir", &made, &Expected::of(truth.file(&path), json!({"path": given})))?;
        assert!(watch.signals("unlink", &made)?.is_empty(), "a directory that is removed is no file");
    }
    Ok(())
}

#[test]
fn unlink() -> Result<()> {
    let Some(mut watch) = Watch::of(&["unlink", "rmdir"])? else { return Ok(()) };
    let place = watch.place()?;
    let (file, link) = (place.join("gone.txt"), place.join("link"));
    for (calls, path, given) in [
        (Calls::new().then(libc::SYS_unlink, [s(&file)]), &file, text(&file)),
        (at(&place).then(libc::SYS_unlinkat, [r(0), s("./gone.txt"), n(0)]), &file, "./gone.txt"),
        // The link itself, and not what it leads to.
        (Calls::new().then(libc::SYS_unlink, [s(&link)]), &link, text(&link)),
    ] {
        fs::write(&file, "contents")?;
        if !link.is_symlink() {
            symlink("/etc/passwd", &link)?;
        }
        let truth = FileTruth::of(path)?;
        let made = watch.make(&calls)?;
        let dirfd = if calls.count() > 1 { made.result(0) } else { AT_FDCWD.into() };
        let syscall = json!({"path": given, "flags": 0, "dirfd": dirfd});
        watch.expect("unlink", &made, &Expected::of(truth.file(path), syscall))?;
        assert!(watch.signals("rmdir", &made)?.is_empty());
    }
    Ok(())
}

#[test]
fn rename() -> Result<()> {
    const NOREPLACE: u32 = 1;
    const EXCHANGE: u32 = 2;
    const WHITEOUT: u32 = 4;
    let Some(mut watch) = Watch::of(&["rename"])? else { return Ok(()) };
    let place = watch.place()?;
    let (old, new) = (place.join("old.a"), place.join("new.b"));
    let here = |number, flags: u32| at(&place).then(number, [r(0), s("./old.a"), r(0), s("new.b"), n(flags)]);
    for (calls, is_at, replaces) in [
        (Calls::new().then(libc::SYS_rename, [s(&old), s(&new)]), false, true),
        (here(libc::SYS_renameat, 0), true, true),
        (here(libc::SYS_renameat2, 0), true, true),
        (here(libc::SYS_renameat2, NOREPLACE), true, false),
        (here(libc::SYS_renameat2, EXCHANGE), true, true),
        (here(libc::SYS_renameat2, WHITEOUT), true, false),
    ] {
        for path in [&old, &new] {
            if path.symlink_metadata().is_ok() {
                fs::remove_file(path)?;
            }
        }
        fs::write(&old, "contents")?;
        if replaces {
            fs::write(&new, "overwritten")?;
        }
        let before = FileTruth::of(&old)?;
        let made = watch.make(&calls)?;
        let after = FileTruth::of(&new)?;
        assert_eq!(before.inode, after.inode, "it was renamed");
        let given = if is_at { ["./old.a", "new.b"] } else { [text(&old), text(&new)] };
        let expected =
            Expected::of(before.file(&old), json!({"path": given[0], "destination_path": given[1]}));
        watch.expect("rename", &made, &expected.destination(after.file(&new)))?;
    }
    Ok(())
}

#[test]
fn a_directory_is_renamed_across_directories() -> Result<()> {
    let Some(mut watch) = Watch::of(&["rename"])? else { return Ok(()) };
    let place = watch.place()?;
    let (old, new) = (place.join("a/moved"), place.join("b/here"));
    fs::create_dir_all(&old)?;
    fs::create_dir(place.join("b"))?;
    let before = FileTruth::of(&old)?;
    let made = watch.make(&Calls::new().then(libc::SYS_rename, [s(&old), s(&new)]))?;
    let expected = Expected::of(before.file(&old), json!({"path": &old, "destination_path": &new}));
    watch.expect("rename", &made, &expected.destination(FileTruth::of(&new)?.file(&new)))?;
    Ok(())
}

#[test]
fn link() -> Result<()> {
    let Some(mut watch) = Watch::of(&["link", "symlink"])? else { return Ok(()) };
    let place = watch.place()?;
    let (old, new, pointer) = (place.join("old"), place.join("new.name"), place.join("pointer"));
    fs::write(&old, "contents")?;
    symlink("old", &pointer)?;
    let follow =
        at(&place).then(libc::SYS_linkat, [r(0), s("pointer"), r(0), s("new.name"), n(AT_SYMLINK_FOLLOW)]);
    let not = at(&place).then(libc::SYS_linkat, [r(0), s("pointer"), r(0), s("new.name"), n(0)]);
    for (calls, path, given) in [
        (Calls::new().then(libc::SYS_link, [s(&old), s(&new)]), &old, [text(&old), text(&new)]),
        (follow, &old, ["pointer", "new.name"]),
        (not, &pointer, ["pointer", "new.name"]),
    ] {
        let before = FileTruth::of(path)?;
        let made = watch.make(&calls)?;
        let after = FileTruth::of(&new)?;
        assert_eq!(before.inode, after.inode);
        let expected =
            Expected::of(before.file(path), json!({"path": given[0], "destination_path": given[1]}));
        watch.expect("link", &made, &expected.destination(after.file(&new)))?;
        assert!(watch.signals("symlink", &made)?.is_empty());
        fs::remove_file(&new)?;
    }
    Ok(())
}

#[test]
fn a_file_without_a_name_gets_one() -> Result<()> {
    let Some(mut watch) = Watch::of(&["link"])? else { return Ok(()) };
    let place = watch.place()?;
    let path = place.join("appeared");
    // By descriptor, and by the name that /proc gives the descriptor.
    for by_proc in [false, true] {
        let open = Calls::new()
            .then(libc::SYS_openat, [n(AT_FDCWD), s(&place), n(O_TMPFILE | O_RDWR), n(0o604)])
            // AT_EMPTY_PATH: the descriptor itself.
            .then(libc::SYS_statx, [r(0), s(""), n(0x1000), n(0x17ff), b(256)])
            // A number that is known before the call is made.
            .then(libc::SYS_dup2, [r(0), n(77)]);
        let from: [Arg; 2] = if by_proc { [n(AT_FDCWD), s("/proc/self/fd/77")] } else { [r(0), s("")] };
        let flags = if by_proc { AT_SYMLINK_FOLLOW } else { libc::AT_EMPTY_PATH };
        let [dirfd, name] = from;
        let made =
            watch.make(&open.then(libc::SYS_linkat, [dirfd, name, n(AT_FDCWD), s(&path), n(flags)]))?;
        let after = FileTruth::of(&path)?;
        // Below /proc the kernel has nothing cached of a new process, so that only what comes after the call is known
        // where no function shows the object.
        let is_known_late = by_proc && !watch.pair.is_at_functions()?;
        let before = if is_known_late { after.clone() } else { made.stat(1, &after.filesystem)? };
        // The name of what has none is made of its inode number.
        let nameless = place.join(format!("#{}", before.inode));
        let mut syscall = json!({"destination_path": &path});
        if by_proc {
            syscall["path"] = "/proc/self/fd/77".into();
        }
        // Without a path as given the arguments are not told.
        let syscall = if by_proc { syscall } else { Value::Null };
        let expected =
            Expected::of(before.file(&nameless), syscall).destination(after.file(&path)).by_text(true);
        let signal = watch.expect("link", &made, &expected)?;
        assert_eq!(signal.at("file.inode"), &json!(after.inode));
        fs::remove_file(&path)?;
    }
    Ok(())
}

#[test]
fn symlink_is_an_event_of_its_own() -> Result<()> {
    let Some(mut watch) = Watch::of(&["symlink", "link"])? else { return Ok(()) };
    let place = watch.place()?;
    let (one, other) = (place.join("one"), place.join("other.link"));
    for (calls, path, given) in [
        (Calls::new().then(libc::SYS_symlink, [s("/etc/shadow"), s(&one)]), &one, text(&one)),
        (
            at(&place).then(libc::SYS_symlinkat, [s("/etc/shadow"), r(0), s("other.link")]),
            &other,
            "other.link",
        ),
    ] {
        let made = watch.make(&calls)?;
        let syscall = json!({"path": "/etc/shadow", "destination_path": given});
        watch.expect("symlink", &made, &Expected::of(FileTruth::of(path)?.file(path), syscall))?;
        assert!(watch.signals("link", &made)?.is_empty());
    }
    Ok(())
}

#[test]
fn chdir() -> Result<()> {
    let Some(mut watch) = Watch::of(&["chdir"])? else { return Ok(()) };
    let place = watch.place()?;
    let target = place.join("target.d");
    fs::create_dir(&target)?;
    let pointer = place.join("pointer");
    symlink("target.d/../target.d", &pointer)?;
    for (calls, syscall) in [
        (Calls::new().then(libc::SYS_chdir, [s(&target)]), json!({"path": &target})),
        (Calls::new().then(libc::SYS_chdir, [s(&pointer)]), json!({"path": &pointer})),
        (at(&target).then(libc::SYS_fchdir, [r(0)]), Value::Null),
    ] {
        let made = watch.make(&calls)?;
        watch.expect("chdir", &made, &Expected::of(FileTruth::of(&target)?.file(&target), syscall))?;
    }
    Ok(())
}
