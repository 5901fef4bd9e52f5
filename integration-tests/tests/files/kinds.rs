//! Files that are no ordinary ones, and files of others.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};

use anyhow::Result;
use integration_tests::harness::FileTruth;
use integration_tests::harness::call::{Calls, b, n, r, s};
use libc::{AT_FDCWD, O_CREAT, O_DIRECTORY, O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY};
use serde_json::json;

use crate::watch::{Expected, Watch};

#[test]
fn fifos_devices_and_directories_are_opened() -> Result<()> {
    const TYPE: u32 = libc::S_IFMT;
    let Some(mut watch) = Watch::of(&["open"])? else { return Ok(()) };
    let place = watch.place()?;
    let fifo = place.join("fifo");
    let made = Calls::new().then(libc::SYS_mknod, [s(&fifo), n(libc::S_IFIFO | 0o600), n(0)]);
    watch.make(&made)?;
    for (path, flags, names, of_type) in [
        (fifo.clone(), O_RDWR | O_NONBLOCK, &["O_RDWR", "O_NONBLOCK"][..], libc::S_IFIFO),
        (PathBuf::from("/dev/null"), O_WRONLY, &["O_WRONLY"], libc::S_IFCHR),
        (place.clone(), O_RDONLY | O_DIRECTORY, &["O_DIRECTORY"], libc::S_IFDIR),
    ] {
        let made = watch.make(&Calls::new().then(libc::SYS_openat, [n(AT_FDCWD), s(&path), n(flags)]))?;
        let truth = FileTruth::of(&path)?;
        assert_eq!(truth.mode & TYPE, of_type);
        let expected = Expected::of(truth.file(&path), json!({"path": &path, "flags": flags}));
        watch.expect("open", &made, &expected.with("flags", names).retval(made.last()))?;
    }
    Ok(())
}

/// A writer waits for a reader: the event is that of the end of the call.
#[test]
fn an_open_that_waits_is_told_when_it_is_done() -> Result<()> {
    let Some(mut watch) = Watch::of(&["open"])? else { return Ok(()) };
    let fifo = watch.place()?.join("fifo");
    watch.make(&Calls::new().then(libc::SYS_mknod, [s(&fifo), n(libc::S_IFIFO | 0o600), n(0)]))?;
    let waits = Calls::new().then(libc::SYS_openat, [n(AT_FDCWD), s(&fifo), n(O_WRONLY)]);
    let made = std::thread::scope(|scope| -> Result<_> {
        let waiting = scope.spawn(|| waits.make(&watch.trigger));
        let reader = fs::File::open(&fifo)?;
        let made = waiting.join().map_err(|_| anyhow::anyhow!("the writer panicked"))??;
        drop(reader);
        Ok(made)
    })?;
    let expected = Expected::of(FileTruth::of(&fifo)?.file(&fifo), json!({"path": &fifo, "flags": O_WRONLY}));
    watch.expect("open", &made, &expected.with("flags", &["O_WRONLY"][..]).retval(made.last()))?;
    Ok(())
}

#[test]
fn owners_rights_and_times_of_others() -> Result<()> {
    let Some(mut watch) = Watch::of(&["open", "unlink"])? else { return Ok(()) };
    let place = watch.place()?;
    // Owners with a name and without.
    for (number, (uid, gid, mode)) in
        [(1, 2, 0o447), (65534, 65534, 0o6751), (123_456, 654_321, 0)].into_iter().enumerate()
    {
        let path = place.join(format!("of-others-{number}"));
        fs::write(&path, "contents")?;
        chown(&path, Some(uid), Some(gid))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(mode))?;
        let truth = FileTruth::of(&path)?;
        assert_eq!((truth.uid, truth.gid, truth.mode & 0o7777), (uid, gid, mode));
        let syscall = json!({"path": &path, "flags": O_RDONLY});
        let made = watch.make(&Calls::new().then(libc::SYS_openat, [n(AT_FDCWD), s(&path), n(O_RDONLY)]))?;
        let expected = Expected::of(truth.file(&path), syscall).with("flags", &["O_RDONLY"][..]);
        watch.expect("open", &made, &expected.retval(made.last()))?;
        let made = watch.make(&Calls::new().then(libc::SYS_unlink, [s(&path)]))?;
        assert_eq!(watch.signals("unlink", &made)?[0].at("file"), &json!(truth.file(&path)));
    }
    Ok(())
}

/// What no name leads to is silent, however it is opened; what comes after is seen.
#[test]
fn anonymous_objects_are_silent() -> Result<()> {
    let Some(mut watch) = Watch::of(&["open", "chmod", "chown"])? else { return Ok(()) };
    let path = watch.place()?.join("after");
    let open = |calls: Calls| {
        calls
            .then(libc::SYS_dup2, [r(0), n(77)])
            .then(libc::SYS_openat, [n(AT_FDCWD), s("/proc/self/fd/77"), n(O_RDONLY)])
            .then(libc::SYS_openat, [n(AT_FDCWD), s(&path), n(O_CREAT | O_RDWR), n(0o600)])
    };
    for (number, arguments) in [
        (libc::SYS_eventfd2, vec![n(0), n(0)]),
        (libc::SYS_epoll_create1, vec![n(0)]),
        (libc::SYS_inotify_init1, vec![n(0)]),
        (libc::SYS_timerfd_create, vec![n(1), n(0)]),
        (libc::SYS_signalfd4, vec![n(-1), b(8), n(8), n(0)]),
    ] {
        let made = open(Calls::new().then(number, arguments)).make(&watch.trigger)?;
        assert!(made.result(0) >= 0 && made.last() >= 0, "{made:?}");
        let opened = watch.signals("open", &made)?;
        let paths: Vec<_> = opened.iter().map(|signal| signal.at("file.path").clone()).collect();
        assert_eq!(paths, [json!(&path)], "call {number}");
    }
    Ok(())
}

/// An inode that is used again, and a directory that is renamed, do not bring back an old name.
#[test]
fn names_are_those_of_the_moment() -> Result<()> {
    let Some(mut watch) = Watch::of(&["open"])? else { return Ok(()) };
    let place = watch.place()?;
    let at = |path: &Path, flags: i32| [n(AT_FDCWD), s(path), n(flags), n(0o600)];
    for round in 0..10 {
        let (directory, renamed) = (place.join(format!("d{round}")), place.join(format!("e{round}")));
        let (first, second) = (directory.join("first"), directory.join("second"));
        let (third, after) = (renamed.join("third"), renamed.join("second"));
        let calls = Calls::new()
            .then(libc::SYS_mkdir, [s(&directory), n(0o700)])
            .then(libc::SYS_openat, at(&first, O_CREAT | O_RDWR))
            .then(libc::SYS_unlink, [s(&first)])
            .then(libc::SYS_openat, at(&second, O_CREAT | O_RDWR))
            .then(libc::SYS_rename, [s(&directory), s(&renamed)])
            .then(libc::SYS_openat, at(&after, O_RDONLY))
            .then(libc::SYS_rename, [s(&after), s(&third)])
            .then(libc::SYS_openat, at(&third, O_RDONLY))
            .then(libc::SYS_unlink, [s(&third)])
            .then(libc::SYS_rmdir, [s(&renamed)])
            // Again under the old name.
            .then(libc::SYS_mkdir, [s(&directory), n(0o700)])
            .then(libc::SYS_openat, at(&first, O_CREAT | O_RDWR));
        let made = watch.make(&calls)?;
        let opened = watch.signals("open", &made)?;
        let paths: Vec<_> = opened.iter().map(|signal| signal.at("file.path").clone()).collect();
        assert_eq!(paths, [&first, &second, &after, &third, &first].map(|path| json!(path)), "{round}");
    }
    Ok(())
}
