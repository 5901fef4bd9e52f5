//! open and its kin, truncation, splice.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use anyhow::Result;
use integration_tests::harness::FileTruth;
use integration_tests::harness::call::{Arg, Calls, b, n, p, r, s, w, words, x};
use libc::{
    AT_FDCWD, O_APPEND, O_CLOEXEC, O_CREAT, O_EXCL, O_NOFOLLOW, O_PATH, O_RDONLY, O_RDWR, O_TMPFILE, O_TRUNC,
    O_WRONLY,
};
use serde_json::{Value, json};

use crate::mounts::{number, own_namespace};
use crate::watch::{Expected, Watch, text};

/// What an open is expected to tell: `names` are the flags by name.
pub(crate) fn opened(
    truth: &FileTruth,
    path: &Path,
    given: &str,
    flags: i32,
    names: &[&str],
    mode: u32,
) -> Expected {
    let mut syscall = json!({"path": given, "flags": flags});
    if mode != 0 {
        syscall["mode"] = mode.into();
    }
    let syscall = if given.is_empty() { Value::Null } else { syscall };
    let expected = Expected::of(truth.file(path), syscall).with("flags", names);
    if flags & O_CREAT != 0 { expected.destination(json!({"mode": mode})) } else { expected }
}

#[test]
fn open_in_every_form() -> Result<()> {
    let Some(mut watch) = Watch::of(&["open"])? else { return Ok(()) };
    let place = watch.place()?;
    let path = place.join("file.conf");
    let link = place.join("link");
    symlink("file.conf", &link)?;
    let at_path = || [n(AT_FDCWD), s(&path)];
    let at = Calls::new().then(libc::SYS_openat, [n(AT_FDCWD), s(&place), n(O_PATH)]);
    let one = |number, arguments: Vec<Arg>| Calls::new().then(number, arguments);
    let openat = |flags: i32, mode: i32| {
        let [directory, name] = at_path();
        one(libc::SYS_openat, vec![directory, name, n(flags), n(mode)])
    };
    let how = words(&[u64::try_from(O_CREAT | O_RDWR)?, 0o640, 0]);
    let creates = O_CREAT | O_WRONLY | O_TRUNC;
    let given = text(&path);
    let create_names = &["O_WRONLY", "O_CREAT", "O_TRUNC"][..];
    let rows: Vec<(Calls, &str, i32, &[&str], u32)> = vec![
        (one(libc::SYS_open, vec![s(&path), n(O_RDONLY), n(0)]), given, O_RDONLY, &["O_RDONLY"], 0),
        // A mode without O_CREAT means nothing.
        (one(libc::SYS_open, vec![s(&path), n(O_RDWR), n(0o777)]), given, O_RDWR, &["O_RDWR"], 0),
        (one(libc::SYS_open, vec![s(&path), n(creates), n(0o640)]), given, creates, create_names, 0o640),
        (openat(O_WRONLY | O_APPEND, 0), given, O_WRONLY | O_APPEND, &["O_WRONLY", "O_APPEND"], 0),
        (
            openat(O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o4600),
            given,
            O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC,
            &["O_RDWR", "O_CREAT", "O_EXCL", "O_CLOEXEC"],
            0o4600,
        ),
        (
            one(libc::SYS_openat2, vec![n(AT_FDCWD), s(&path), how, n(24)]),
            given,
            O_CREAT | O_RDWR,
            &["O_RDWR", "O_CREAT"],
            0o640,
        ),
        (one(libc::SYS_creat, vec![s(&path), n(0o600)]), given, creates, create_names, 0o600),
        (one(libc::SYS_open, vec![s(&link), n(O_RDONLY), n(0)]), text(&link), O_RDONLY, &["O_RDONLY"], 0),
        (openat(O_PATH, 0), given, O_PATH, &["0x200000"], 0),
    ];
    for (calls, given, flags, names, mode) in rows {
        if flags & O_EXCL != 0 {
            fs::remove_file(&path)?;
        } else if !path.exists() {
            fs::write(&path, "contents")?;
        }
        let made = watch.make(&calls)?;
        let expected = opened(&FileTruth::of(&path)?, &path, given, flags, names, mode);
        watch.expect("open", &made, &expected.retval(made.last()))?;
    }
    // From a directory's descriptor, which is an event of its own; and the link itself.
    let below = at.clone().then(libc::SYS_openat, [r(0), s(".//file.conf"), n(O_RDONLY)]);
    let made = watch.make(&below)?;
    let expected = opened(&FileTruth::of(&path)?, &path, ".//file.conf", O_RDONLY, &["O_RDONLY"], 0);
    watch.expect("open", &made, &expected.retval(made.last()).after(1))?;
    let made = watch.make(&at.then(libc::SYS_openat, [r(0), s("link"), n(O_PATH | O_NOFOLLOW)]))?;
    let names = &["O_NOFOLLOW", "0x200000"];
    let expected = opened(&FileTruth::of(&link)?, &link, "link", O_PATH | O_NOFOLLOW, names, 0);
    watch.expect("open", &made, &expected.retval(made.last()).after(1))?;
    Ok(())
}

#[test]
fn a_file_is_created_with_what_the_umask_leaves() -> Result<()> {
    let Some(mut watch) = Watch::of(&["open"])? else { return Ok(()) };
    let path = watch.place()?.join("new");
    let (flags, creates) = (O_CREAT | O_WRONLY, O_CREAT | O_WRONLY | O_TRUNC);
    let how = words(&[u64::try_from(flags)?, 0o666, 0]);
    let (names, create_names) = (["O_WRONLY", "O_CREAT"], ["O_WRONLY", "O_CREAT", "O_TRUNC"]);
    let rows: [(_, Vec<Arg>, _, &[&str]); 4] = [
        (libc::SYS_open, vec![s(&path), n(flags), n(0o666)], flags, &names),
        (libc::SYS_openat, vec![n(AT_FDCWD), s(&path), n(flags), n(0o666)], flags, &names),
        (libc::SYS_openat2, vec![n(AT_FDCWD), s(&path), how, n(24)], flags, &names),
        (libc::SYS_creat, vec![s(&path), n(0o666)], creates, &create_names),
    ];
    for (number, arguments, flags, names) in rows {
        let made = watch.make(&Calls::new().then(libc::SYS_umask, [n(0o077)]).then(number, arguments))?;
        let truth = FileTruth::of(&path)?;
        assert_eq!(truth.mode, 0o100_600, "what came out");
        let expected = opened(&truth, &path, text(&path), flags, names, 0o666);
        watch.expect("open", &made, &expected.retval(made.last()))?;
        fs::remove_file(&path)?;
    }
    Ok(())
}

/// `RESOLVE_*` of openat2, and an argument of a later kernel, which is longer.
#[test]
fn openat2_resolves_as_it_is_told() -> Result<()> {
    const NO_XDEV: u64 = 1;
    const NO_SYMLINKS: u64 = 4;
    const BENEATH: u64 = 8;
    const IN_ROOT: u64 = 16;
    let Some(mut watch) = Watch::of(&["open"])? else { return Ok(()) };
    let place = watch.place()?;
    let (path, link) = (place.join("file.conf"), place.join("link"));
    fs::write(&path, "contents")?;
    // Within the directory as root it leads to the file, elsewhere to none.
    symlink("/../file.conf", &link)?;
    let at = || Calls::new().then(libc::SYS_openat, [n(AT_FDCWD), s(&place), n(O_PATH)]);
    let openat2 = |given: &str, resolve: u64, more: usize| {
        let how: Vec<u64> = [0, 0, resolve].into_iter().chain(std::iter::repeat_n(0, more)).collect();
        let size = i64::try_from(8 * how.len()).unwrap_or_default();
        at().then(libc::SYS_openat2, [r(0), s(given), words(&how), n(size)])
    };
    for (given, resolve, more) in [
        ("file.conf", NO_XDEV, 0),
        ("file.conf", NO_SYMLINKS, 1),
        ("./file.conf", BENEATH, 5),
        ("/file.conf", IN_ROOT, 0),
        ("link", IN_ROOT, 1),
        ("../../file.conf", IN_ROOT, 0),
    ] {
        let made = watch.make(&openat2(given, resolve, more))?;
        let expected = opened(&FileTruth::of(&path)?, &path, given, O_RDONLY, &["O_RDONLY"], 0);
        watch.expect("open", &made, &expected.retval(made.last()).after(1))?;
    }
    for (given, resolve, error) in
        [("link", NO_SYMLINKS, libc::ELOOP), ("../file.conf", BENEATH, libc::EXDEV)]
    {
        let made = openat2(given, resolve, 0).make(&watch.trigger)?;
        assert_eq!(made.last(), i64::from(-error), "{given}");
        assert_eq!(watch.signals("open", &made)?.len(), 1, "{given}: only that of the directory");
    }
    Ok(())
}

#[test]
fn a_file_without_a_name() -> Result<()> {
    let Some(mut watch) = Watch::of(&["open"])? else { return Ok(()) };
    let place = watch.place()?;
    let flags = O_TMPFILE | O_RDWR;
    let calls = Calls::new()
        .then(libc::SYS_openat, [n(AT_FDCWD), s(&place), n(flags), n(0o604)])
        .then(libc::SYS_statx, [r(0), s(""), n(0x1000), n(0x17ff), b(256)]);
    let made = watch.make(&calls)?;
    let truth = made.stat(1, &FileTruth::of(&place)?.filesystem)?;
    let path = place.join(format!("#{}", truth.inode));
    let syscall = json!({"path": &place, "flags": flags, "mode": 0o604});
    let names = ["O_RDWR", "O_DIRECTORY", "0x400000"];
    let expected = Expected::of(truth.file(&path), syscall).with("flags", &names[..]);
    // It is created, though not by O_CREAT.
    watch.expect("open", &made, &expected.destination(json!({"mode": 0o604})).retval(made.result(0)))?;
    Ok(())
}

#[test]
fn open_by_handle() -> Result<()> {
    let Some(mut watch) = Watch::of(&["open"])? else { return Ok(()) };
    let place = watch.place()?;
    let path = place.join("file");
    fs::write(&path, "contents")?;
    // struct file_handle: bytes of room, type, and the room.
    let mut handle = vec![0_u8; 136];
    handle[0] = 128;
    let calls = Calls::new()
        .then(libc::SYS_name_to_handle_at, [n(AT_FDCWD), s(&path), x(&handle), b(8), n(0)])
        .then(libc::SYS_openat, [n(AT_FDCWD), s(&place), n(O_RDONLY)])
        .then(libc::SYS_open_by_handle_at, [r(1), p(0, 2), n(O_RDONLY)]);
    let made = watch.make(&calls)?;
    let expected = opened(&FileTruth::of(&path)?, &path, "", O_RDONLY, &["O_RDONLY"], 0);
    watch.expect("open", &made, &expected.retval(made.last()).after(1))?;
    Ok(())
}

/// The mount of a file that is opened by handle is that of the descriptor.
#[test]
fn open_by_handle_through_another_mount() -> Result<()> {
    let Some(mut watch) = Watch::of(&["open"])? else { return Ok(()) };
    let place = watch.place()?;
    let (from, bind) = (place.join("from"), place.join("bind"));
    for directory in [&from, &bind] {
        fs::create_dir(directory)?;
    }
    fs::write(from.join("file"), "contents")?;
    let mut handle = vec![0_u8; 136];
    handle[0] = 128;
    let calls = own_namespace()
        .then(libc::SYS_mount, [s(&from), s(&bind), n(0), n(number(libc::MS_BIND)), n(0)])
        .then(libc::SYS_name_to_handle_at, [n(AT_FDCWD), s(from.join("file")), x(&handle), b(8), n(0)])
        .then(libc::SYS_openat, [n(AT_FDCWD), s(&bind), n(O_RDONLY)])
        .then(libc::SYS_open_by_handle_at, [r(4), p(3, 2), n(O_RDONLY)])
        .then_stat(bind.join("file"))
        .then_stat(from.join("file"));
    let made = watch.make(&calls)?;
    let truth = made.stat(6, &FileTruth::of(&from)?.filesystem)?;
    assert_ne!(truth.mount_id, made.stat(7, "")?.mount_id, "another mount");
    let expected = opened(&truth, &bind.join("file"), "", O_RDONLY, &["O_RDONLY"], 0);
    watch.expect("open", &made, &expected.retval(made.result(5)).after(1))?;
    Ok(())
}

#[test]
fn truncation_is_an_open() -> Result<()> {
    const KEEP_SIZE: i32 = 1;
    const PUNCH_HOLE: i32 = 2;
    let Some(mut watch) = Watch::of(&["open"])? else { return Ok(()) };
    let place = watch.place()?;
    let path = place.join("app.log");
    let truncates = O_CREAT | O_WRONLY | O_TRUNC;
    let names = &["O_WRONLY", "O_CREAT", "O_TRUNC"][..];
    let open = || Calls::new().then(libc::SYS_openat, [n(AT_FDCWD), s(&path), n(O_WRONLY)]);
    let fallocate = |mode: i32, start: i32, length: i32| {
        open().then(libc::SYS_fallocate, [r(0), n(mode), n(start), n(length)])
    };
    for (calls, given, flags, names, size) in [
        (Calls::new().then(libc::SYS_truncate, [s(&path), n(4)]), text(&path), truncates, names, 4),
        (open().then(libc::SYS_ftruncate, [r(0), n(3)]), "", truncates, names, 3),
        (open().then(libc::SYS_fallocate, [r(0), n(0), n(100), n(50)]), "", O_WRONLY, &["O_WRONLY"], 150),
        // A mode of fallocate is none of a file.
        (fallocate(PUNCH_HOLE | KEEP_SIZE, 0, 4), "", O_WRONLY, &["O_WRONLY"], 8),
        (fallocate(KEEP_SIZE, 0, 4096), "", O_WRONLY, &["O_WRONLY"], 8),
    ] {
        fs::write(&path, "contents")?;
        let made = watch.make(&calls)?;
        let truth = FileTruth::of(&path)?;
        assert_eq!(truth.size, size, "it was done");
        let expected = opened(&truth, &path, given, flags, names, 0);
        watch.expect("open", &made, &expected.after(calls.count() - 1))?;
    }
    Ok(())
}

#[test]
fn splice() -> Result<()> {
    const CAN_MERGE: &str = "PIPE_BUF_FLAG_CAN_MERGE";
    let Some(mut watch) = Watch::of(&["splice"])? else { return Ok(()) };
    let place = watch.place()?;
    let path = place.join("source");
    fs::write(&path, "contents")?;
    let (reads, writes) = (w(0, 0, 0), w(0, 0, 4));
    let start = || {
        Calls::new()
            .then(libc::SYS_pipe2, [b(8), n(0)])
            .then(libc::SYS_openat, [n(AT_FDCWD), s(&path), n(O_RDWR)])
    };
    let into = start().then(libc::SYS_splice, [r(1), n(0), writes.clone(), n(0), n(3), n(0)]);
    // What is written to a pipe by write(2) may be added to (the flag that Dirty Pipe was about).
    let out = start()
        .then(libc::SYS_write, [writes.clone(), s("hello"), n(5)])
        .then(libc::SYS_splice, [reads.clone(), n(0), r(1), n(0), n(5), n(0)]);
    // A buffer of an empty pipe keeps its flags: the last one was written, and what follows comes from a file.
    let attack = start()
        .then(libc::SYS_write, [writes.clone(), s("hello"), n(5)])
        .then(libc::SYS_read, [reads, b(5), n(5)])
        .then(libc::SYS_splice, [r(1), n(0), writes, n(0), n(2), n(0)]);
    for (calls, entry, exit, moved) in
        [(into, "", "", 3), (out, CAN_MERGE, CAN_MERGE, 5), (attack, CAN_MERGE, "", 2)]
    {
        fs::write(&path, "contents")?;
        let made = watch.make(&calls)?;
        assert_eq!(made.last(), moved);
        let mut expected = Expected::of(FileTruth::of(&path)?.file(&path), Value::Null).retval(moved);
        expected.more.push(("splice", json!({"pipe_entry_flag": entry, "pipe_exit_flag": exit})));
        watch.expect("splice", &made, &expected)?;
    }
    Ok(())
}

#[test]
fn status_says_that_operations_of_io_uring_are_not_seen() -> Result<()> {
    let Some(watch) = Watch::of(&["open"])? else { return Ok(()) };
    let made = Calls::new().then(libc::SYS_io_uring_setup, [n(1), b(120)]).make(&watch.trigger)?;
    let status = watch.pair.status()?.to_string();
    // Programs inside the kernel see them.
    let unseen = made.last() >= 0 && !watch.pair.is_at("do_sys_openat2")?;
    // Who asks here is privileged, as the probe is: if the kernel lets it, there is something to say.
    assert_eq!(status.contains("not seen: operations of io_uring"), unseen, "{status}");
    Ok(())
}
