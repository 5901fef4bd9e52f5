//! mkdir, rmdir, unlink, rename, link, symlink, chdir.

use std::fs;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::symlink;
use std::path::Path;

use libc::AT_FDCWD;
use proto::wire::Kind;
use proto::wire::layout::*;

use crate::calls::{Argument, CHDIR, Family, LINK, MKDIR, REMOVE, RENAME, c, call, ready};
use crate::check::{Truth, assert_call, named, stat, text, without_overlay};
use crate::records::Seen;

/// Makes one call that must succeed.
fn one(family: &Family, kind: Kind, number: libc::c_long, arguments: &[&dyn Argument]) -> Seen {
    family.watch_one(kind, || assert_eq!(call(number, arguments), 0))
}

/// Fails unless the file was looked up completely and has the path `path`.
fn assert_looked_up(seen: &Seen, info: &file_info, truth: &Truth, path: &Path) {
    truth.assert_is(info);
    assert_eq!(without_overlay(info.flags), named());
    assert_eq!(text(&seen.record(), info.path), path.to_str().unwrap());
}

/// A directory to work in and a descriptor for it.
fn workplace() -> (tempfile::TempDir, fs::File) {
    let directory = tempfile::tempdir().unwrap();
    let handle = fs::File::open(directory.path()).unwrap();
    (directory, handle)
}

#[test]
fn mkdir_in_both_forms() {
    if !ready() {
        return;
    }
    let (directory, handle) = workplace();
    let path = directory.path().join("made");
    let given = path.to_str().unwrap();
    let seen = one(&MKDIR, Kind::Mkdir, libc::SYS_mkdir, &[&c(&path), &0o1755_u32]);
    let body: path_body = seen.record().body();
    assert_call(&seen, &body.call, 0, CALL_FLAG_NO_DIRFD, AT_FDCWD, given);
    assert_looked_up(&seen, &body.file, &stat(&path), &path);
    assert_eq!((body.mode, body.flags), (0o1755, 0));

    let path = directory.path().join("made/below");
    let fd = handle.as_raw_fd();
    let seen = one(&MKDIR, Kind::Mkdir, libc::SYS_mkdirat, &[&fd, &c("made//./below/"), &0o700_u32]);
    let body: path_body = seen.record().body();
    assert_call(&seen, &body.call, 0, 0, fd, "made//./below/");
    assert_looked_up(&seen, &body.file, &stat(&path), &path);
    assert_eq!(body.mode, 0o700);

    // EEXIST
    assert!(MKDIR.watch(|| assert_eq!(call(libc::SYS_mkdir, &[&c(&path), &0o700_u32]), -17)).is_empty());
}

#[test]
fn rmdir_tells_what_was_there() {
    if !ready() {
        return;
    }
    let (directory, handle) = workplace();
    let path = directory.path().join("gone");
    fs::create_dir(&path).unwrap();
    let truth = stat(&path);
    let seen = one(&REMOVE, Kind::Rmdir, libc::SYS_rmdir, &[&c(&path)]);
    let body: path_body = seen.record().body();
    assert_call(&seen, &body.call, 0, CALL_FLAG_NO_DIRFD, AT_FDCWD, path.to_str().unwrap());
    assert_looked_up(&seen, &body.file, &truth, &path);

    fs::create_dir(&path).unwrap();
    let truth = stat(&path);
    let fd = handle.as_raw_fd();
    let seen = one(&REMOVE, Kind::Rmdir, libc::SYS_unlinkat, &[&fd, &c("gone/"), &libc::AT_REMOVEDIR]);
    let body: path_body = seen.record().body();
    assert_call(&seen, &body.call, 0, 0, fd, "gone/");
    assert_looked_up(&seen, &body.file, &truth, &path);
    assert_eq!(body.flags, libc::AT_REMOVEDIR as u32);
}

#[test]
fn unlink_tells_what_was_there() {
    if !ready() {
        return;
    }
    let (directory, handle) = workplace();
    let path = directory.path().join("gone");
    fs::write(&path, "contents").unwrap();
    let truth = stat(&path);
    let seen = one(&REMOVE, Kind::Unlink, libc::SYS_unlink, &[&c(&path)]);
    let body: path_body = seen.record().body();
    assert_call(&seen, &body.call, 0, CALL_FLAG_NO_DIRFD, AT_FDCWD, path.to_str().unwrap());
    assert_looked_up(&seen, &body.file, &truth, &path);
    assert_eq!((body.flags, body.mode), (0, 0));

    // A link itself, not what it points to.
    symlink("/etc/passwd", &path).unwrap();
    let truth = stat(&path);
    let fd = handle.as_raw_fd();
    let seen = one(&REMOVE, Kind::Unlink, libc::SYS_unlinkat, &[&fd, &c("gone"), &0]);
    let body: path_body = seen.record().body();
    assert_call(&seen, &body.call, 0, 0, fd, "gone");
    assert_looked_up(&seen, &body.file, &truth, &path);
}

#[test]
fn rename_tells_both_names() {
    if !ready() {
        return;
    }
    let (directory, handle) = workplace();
    let fd = handle.as_raw_fd();
    let (old, new) = (directory.path().join("old"), directory.path().join("new"));
    for number in [libc::SYS_rename, libc::SYS_renameat, libc::SYS_renameat2] {
        fs::write(&old, "contents").unwrap();
        fs::write(&new, "overwritten").unwrap();
        let truth = stat(&old);
        let with_directory = number != libc::SYS_rename;
        let seen = if with_directory {
            one(&RENAME, Kind::Rename, number, &[&fd, &c("./old"), &fd, &c("new"), &0])
        } else {
            one(&RENAME, Kind::Rename, number, &[&c(&old), &c(&new)])
        };
        let record = seen.record();
        let body: link_body = record.body();
        if with_directory {
            assert_call(&seen, &body.call, 0, 0, fd, "./old");
            assert_eq!((text(&record, body.destination_path).as_str(), body.destination_dirfd), ("new", fd));
        } else {
            assert_call(&seen, &body.call, 0, CALL_FLAG_NO_DIRFD, AT_FDCWD, old.to_str().unwrap());
            assert_eq!(text(&record, body.destination_path), new.to_str().unwrap());
            assert_eq!(body.destination_dirfd, AT_FDCWD);
        }
        assert_looked_up(&seen, &body.file, &truth, &old);
        assert_looked_up(&seen, &body.destination, &stat(&new), &new);
        assert_eq!(body.file.inode, body.destination.inode);
        assert_eq!(body.flags, 0);
    }
}

#[test]
fn renameat2_can_exchange() {
    if !ready() {
        return;
    }
    let directory = tempfile::tempdir_in("/dev/shm").unwrap();
    let (one_path, other_path) = (directory.path().join("one"), directory.path().join("other"));
    fs::write(&one_path, "1").unwrap();
    fs::write(&other_path, "22").unwrap();
    let truth = stat(&one_path);
    let arguments: &[&dyn Argument] = &[&AT_FDCWD, &c(&one_path), &AT_FDCWD, &c(&other_path), &2];
    let seen = one(&RENAME, Kind::Rename, libc::SYS_renameat2, arguments);
    let body: link_body = seen.record().body();
    assert_looked_up(&seen, &body.file, &truth, &one_path);
    assert_looked_up(&seen, &body.destination, &stat(&other_path), &other_path);
    assert_eq!(body.file.inode, body.destination.inode);
    assert_eq!(body.flags, 2);
}

#[test]
fn link_tells_both_names() {
    if !ready() {
        return;
    }
    let (directory, handle) = workplace();
    let fd = handle.as_raw_fd();
    let (old, new) = (directory.path().join("old"), directory.path().join("new"));
    fs::write(&old, "").unwrap();
    let before = stat(&old);
    let seen = one(&LINK, Kind::Link, libc::SYS_link, &[&c(&old), &c(&new)]);
    let record = seen.record();
    let body: link_body = record.body();
    assert_call(&seen, &body.call, 0, CALL_FLAG_NO_DIRFD, AT_FDCWD, old.to_str().unwrap());
    assert_looked_up(&seen, &body.file, &before, &old);
    assert_looked_up(&seen, &body.destination, &stat(&new), &new);
    assert_eq!((body.file.links, body.destination.links), (1, 2));
    assert_eq!(text(&record, body.destination_path), new.to_str().unwrap());
    fs::remove_file(&new).unwrap();

    // Through a link, which linkat follows only if told so.
    let pointer = directory.path().join("pointer");
    symlink("old", &pointer).unwrap();
    let before = stat(&old);
    let arguments: &[&dyn Argument] = &[&fd, &c("pointer"), &fd, &c("new"), &libc::AT_SYMLINK_FOLLOW];
    let seen = one(&LINK, Kind::Link, libc::SYS_linkat, arguments);
    let body: link_body = seen.record().body();
    assert_call(&seen, &body.call, 0, 0, fd, "pointer");
    assert_looked_up(&seen, &body.file, &before, &old);
    assert_looked_up(&seen, &body.destination, &stat(&new), &new);
    assert_eq!((body.destination_dirfd, body.flags), (fd, libc::AT_SYMLINK_FOLLOW as u32));
}

#[test]
fn an_unnamed_file_gets_a_name_by_linkat() {
    if !ready() {
        return;
    }
    let directory = tempfile::tempdir_in("/dev/shm").unwrap();
    let path = directory.path().join("appeared");
    let flags = libc::O_TMPFILE | libc::O_RDWR;
    let fd = call(libc::SYS_openat, &[&AT_FDCWD, &c(directory.path()), &flags, &0o600_u32]) as i32;
    assert!(fd >= 0);
    let arguments: &[&dyn Argument] = &[&fd, &c(""), &AT_FDCWD, &c(&path), &libc::AT_EMPTY_PATH];
    let seen = one(&LINK, Kind::Link, libc::SYS_linkat, arguments);
    let body: link_body = seen.record().body();
    assert_call(&seen, &body.call, 0, CALL_FLAG_BY_DESCRIPTOR, fd, "");
    // The text was empty when it was read; whether it was for the call, only programs inside the kernel know.
    assert_eq!(without_overlay(body.file.flags) & FILE_FLAG_LOOKED_UP, named() & FILE_FLAG_LOOKED_UP);
    assert_eq!(body.file.links, 0);
    assert_looked_up(&seen, &body.destination, &stat(&path), &path);
    assert_eq!(body.file.inode, body.destination.inode);
    call(libc::SYS_close, &[&fd]);
}

#[test]
fn symlink_tells_its_text_and_its_name() {
    if !ready() {
        return;
    }
    let (directory, handle) = workplace();
    let fd = handle.as_raw_fd();
    for (number, name) in [(libc::SYS_symlink, "one"), (libc::SYS_symlinkat, "other")] {
        let path = directory.path().join(name);
        let seen = if number == libc::SYS_symlink {
            one(&LINK, Kind::Symlink, number, &[&c("/etc/shadow"), &c(&path)])
        } else {
            one(&LINK, Kind::Symlink, number, &[&c("/etc/shadow"), &fd, &c(name)])
        };
        let body: link_body = seen.record().body();
        assert_eq!(text(&seen.record(), body.call.path), "/etc/shadow");
        assert_looked_up(&seen, &body.destination, &stat(&path), &path);
        assert_eq!(body.file.flags, 0, "nothing is said of what it points to");
    }
}

#[test]
fn chdir_reports_where_the_process_stands() {
    if !ready() {
        return;
    }
    let (directory, handle) = workplace();
    let fd = handle.as_raw_fd();
    let pointer = directory.path().join("pointer");
    symlink(directory.path(), &pointer).unwrap();
    let target = directory.path().to_owned();
    // A thread with a working directory of its own.
    let (by_path, by_descriptor) = std::thread::spawn(move || {
        assert_eq!(call(libc::SYS_unshare, &[&libc::CLONE_FS]), 0);
        (
            one(&CHDIR, Kind::Chdir, libc::SYS_chdir, &[&c(&pointer)]),
            one(&CHDIR, Kind::Chdir, libc::SYS_fchdir, &[&fd]),
        )
    })
    .join()
    .unwrap();
    for seen in [by_path, by_descriptor] {
        let body: path_body = seen.record().body();
        stat(&target).assert_is(&body.file);
        assert_eq!(without_overlay(body.file.flags), FILE_FLAG_VALID);
        assert_eq!(text(&seen.record(), body.file.path), target.to_str().unwrap());
        assert_eq!(body.call.retval, 0);
    }
}
