//! chmod, chown, utimes, setxattr, removexattr.

use std::fs;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::fs::symlink;

use libc::{AT_FDCWD, AT_SYMLINK_NOFOLLOW};
use proto::wire::Kind;
use proto::wire::layout::*;

use crate::calls::{Argument, CHMOD, CHOWN, UTIMES, XATTR, c, call, exists, ready};
use crate::check::{Truth, assert_call, named, stat, text, without_overlay};
use crate::records::Seen;

/// How a call names the file.
#[derive(Clone, Copy, Debug, PartialEq)]
enum By {
    /// A path.
    Path,
    /// A path that is a link to the file.
    Link,
    /// A path from a directory descriptor.
    At,
    /// A descriptor.
    Descriptor,
}

/// A file, a link to it, and descriptors.
struct Place {
    directory: tempfile::TempDir,
    handle: fs::File,
    file: fs::File,
}

impl Place {
    fn new() -> Self {
        // tmpfs: its times have the resolution of what is set, and it has extended attributes.
        let directory = tempfile::tempdir_in("/dev/shm").unwrap();
        let path = directory.path().join("file");
        let file = fs::File::create(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        symlink("file", directory.path().join("link")).unwrap();
        let handle = fs::File::open(directory.path()).unwrap();
        Self { directory, handle, file }
    }

    fn path(&self) -> std::path::PathBuf {
        self.directory.path().join("file")
    }

    fn link(&self) -> std::path::PathBuf {
        self.directory.path().join("link")
    }

    fn fd(&self) -> i32 {
        self.file.as_raw_fd()
    }

    fn dirfd(&self) -> i32 {
        self.handle.as_raw_fd()
    }

    /// Fails unless the record names the call and its file as `by` says. `is_after` is the file's state now, of which
    /// the record has all but `restore`.
    fn assert_named(&self, seen: &Seen, common: &file_call, info: &file_info, by: By) {
        let (path, link) = (self.path(), self.link());
        let (flags, dirfd, given) = match by {
            By::Path => (CALL_FLAG_NO_DIRFD, AT_FDCWD, path.to_str().unwrap()),
            By::Link => (CALL_FLAG_NO_DIRFD, AT_FDCWD, link.to_str().unwrap()),
            By::At => (0, self.dirfd(), "link"),
            By::Descriptor => (CALL_FLAG_BY_DESCRIPTOR | CALL_FLAG_NO_DIRFD, self.fd(), ""),
        };
        assert_call(seen, common, 0, flags, dirfd, given);
        let flags = match by {
            By::Descriptor => FILE_FLAG_VALID,
            _ => named(),
        };
        assert_eq!(without_overlay(info.flags), flags);
        assert_eq!(text(&seen.record(), info.path), path.to_str().unwrap());
    }
}

type Form<'a> = (By, libc::c_long, Vec<&'a dyn Argument>);

#[test]
fn chmod_tells_the_mode_before_and_after() {
    if !ready() {
        return;
    }
    let place = Place::new();
    let (path, link, fd, dirfd) = (c(place.path()), c(place.link()), place.fd(), place.dirfd());
    let name = c("link");
    let mode = 0o4711_u32;
    let mut forms: Vec<Form<'_>> = vec![
        (By::Path, libc::SYS_chmod, vec![&path, &mode]),
        (By::Link, libc::SYS_chmod, vec![&link, &mode]),
        (By::Descriptor, libc::SYS_fchmod, vec![&fd, &mode]),
        (By::At, libc::SYS_fchmodat, vec![&dirfd, &name, &mode]),
    ];
    if exists("fchmodat2") {
        forms.push((By::At, 452, vec![&dirfd, &name, &mode, &0]));
    }
    for (by, number, arguments) in forms {
        fs::set_permissions(place.path(), fs::Permissions::from_mode(0o644)).unwrap();
        let before = stat(place.path());
        let seen = CHMOD.watch_one(Kind::Chmod, || assert_eq!(call(number, &arguments), 0));
        let body: chmod_body = seen.record().body();
        place.assert_named(&seen, &body.call, &body.file, by);
        before.assert_is(&body.file);
        assert_eq!(body.mode, mode);
        assert_eq!(stat(place.path()).0.stx_mode & 0o7777, 0o4711);
    }
}

#[test]
fn chown_tells_the_owner_before_and_after() {
    if !ready() {
        return;
    }
    let place = Place::new();
    let (path, link, fd, dirfd) = (c(place.path()), c(place.link()), place.fd(), place.dirfd());
    let name = c("link");
    let (uid, unchanged) = (98_u32, u32::MAX);
    let forms: Vec<Form<'_>> = vec![
        (By::Path, libc::SYS_chown, vec![&path, &uid, &unchanged]),
        (By::Link, libc::SYS_chown, vec![&link, &uid, &unchanged]),
        (By::Descriptor, libc::SYS_fchown, vec![&fd, &uid, &unchanged]),
        (By::Path, libc::SYS_lchown, vec![&path, &uid, &unchanged]),
        (By::At, libc::SYS_fchownat, vec![&dirfd, &name, &uid, &unchanged, &0]),
    ];
    for (by, number, arguments) in forms {
        std::os::unix::fs::chown(place.path(), Some(0), Some(0)).unwrap();
        let before = stat(place.path());
        let seen = CHOWN.watch_one(Kind::Chown, || assert_eq!(call(number, &arguments), 0));
        let body: chown_body = seen.record().body();
        place.assert_named(&seen, &body.call, &body.file, by);
        before.assert_is(&body.file);
        assert_eq!((body.uid, body.gid), (98, u32::MAX));
        assert_eq!(stat(place.path()).0.stx_uid, 98);
    }
}

#[test]
fn a_link_itself_can_change_hands() {
    if !ready() {
        return;
    }
    let place = Place::new();
    let (dirfd, name) = (place.dirfd(), c("link"));
    let link = c(place.link());
    let forms: [(libc::c_long, Vec<&dyn Argument>); 2] = [
        (libc::SYS_lchown, vec![&link, &98_u32, &99_u32]),
        (libc::SYS_fchownat, vec![&dirfd, &name, &98_u32, &99_u32, &AT_SYMLINK_NOFOLLOW]),
    ];
    for (number, arguments) in forms {
        let before = stat(place.link());
        let seen = CHOWN.watch_one(Kind::Chown, || assert_eq!(call(number, &arguments), 0));
        let body: chown_body = seen.record().body();
        before.assert_is(&body.file);
        assert_eq!(text(&seen.record(), body.file.path), place.link().to_str().unwrap());
        assert_eq!((body.uid, body.gid), (98, 99));
    }
}

#[test]
fn chown_of_a_pipe_is_silent() {
    if !ready() {
        return;
    }
    let (read, _write) = std::io::pipe().unwrap();
    let fd = read.as_raw_fd();
    assert!(CHOWN.watch(|| assert_eq!(call(libc::SYS_fchown, &[&fd, &98_u32, &98_u32]), 0)).is_empty());
}

#[test]
fn utimes_tells_the_times_before_and_after() {
    if !ready() {
        return;
    }
    let place = Place::new();
    let (path, link, fd, dirfd) = (c(place.path()), c(place.link()), place.fd(), place.dirfd());
    let name = c("link");
    let seconds = [1_000_000_001_i64, 1_000_000_002];
    let micro = [1_000_000_001_i64, 250_000, 1_000_000_002, 500_000];
    let nano = [1_000_000_001_i64, 250_000_001, 1_000_000_002, 500_000_001];
    let special = [0_i64, 0x3fff_ffff /* UTIME_NOW */, 0, 0x3fff_fffe /* UTIME_OMIT */];
    let whole = |rest: [u64; 2]| [1_000_000_001_000_000_000 + rest[0], 1_000_000_002_000_000_000 + rest[1]];
    let in_micro = whole([250_000_000, 500_000_000]);
    let in_nano = whole([250_000_001, 500_000_001]);
    let now = [TIME_NOW; 2];
    let forms: Vec<(Form<'_>, [u64; 2])> = vec![
        ((By::Path, libc::SYS_utime, vec![&path, &seconds]), whole([0, 0])),
        ((By::Path, libc::SYS_utime, vec![&path, &0]), now),
        ((By::Link, libc::SYS_utimes, vec![&link, &micro]), in_micro),
        ((By::Path, libc::SYS_utimes, vec![&path, &0]), now),
        ((By::At, libc::SYS_futimesat, vec![&dirfd, &name, &micro]), in_micro),
        ((By::At, libc::SYS_utimensat, vec![&dirfd, &name, &nano, &0]), in_nano),
        ((By::At, libc::SYS_utimensat, vec![&dirfd, &name, &0, &0]), now),
        ((By::At, libc::SYS_utimensat, vec![&dirfd, &name, &special, &0]), [TIME_NOW, TIME_OMIT]),
    ];
    for ((by, number, arguments), times) in forms {
        let before = stat(place.path());
        let seen = UTIMES.watch_one(Kind::Utimes, || assert_eq!(call(number, &arguments), 0));
        let body: utimes_body = seen.record().body();
        place.assert_named(&seen, &body.call, &body.file, by);
        before.assert_is(&body.file);
        assert_eq!([body.access_time_ns, body.modification_time_ns], times);
    }
    // futimens: utimensat without a path.
    let before = stat(place.path());
    let seen = UTIMES.watch_one(Kind::Utimes, || {
        assert_eq!(call(libc::SYS_utimensat, &[&fd, &0, &nano, &0]), 0);
    });
    let body: utimes_body = seen.record().body();
    assert_call(&seen, &body.call, 0, CALL_FLAG_BY_DESCRIPTOR, fd, "");
    before.assert_is(&body.file);
    assert_eq!(without_overlay(body.file.flags), FILE_FLAG_VALID);
    assert_eq!([body.access_time_ns, body.modification_time_ns], in_nano);
}

#[test]
fn xattrs_are_named() {
    if !ready() {
        return;
    }
    let place = Place::new();
    let (path, link, fd, dirfd) = (c(place.path()), c(place.link()), place.fd(), place.dirfd());
    let (name, attribute) = (c("link"), c("trusted.color"));
    let value = c("blue");
    let set: [u64; 2] = [value.as_ptr() as u64, 4];
    let mut forms: Vec<Form<'_>> = vec![
        (By::Path, libc::SYS_setxattr, vec![&path, &attribute, &value, &4_usize, &0]),
        (By::Link, libc::SYS_removexattr, vec![&link, &attribute]),
        (By::Path, libc::SYS_lsetxattr, vec![&path, &attribute, &value, &4_usize, &0]),
        (By::Path, libc::SYS_lremovexattr, vec![&path, &attribute]),
        (By::Descriptor, libc::SYS_fsetxattr, vec![&fd, &attribute, &value, &4_usize, &0]),
        (By::Descriptor, libc::SYS_fremovexattr, vec![&fd, &attribute]),
    ];
    if exists("setxattrat") {
        forms.push((By::At, 463, vec![&dirfd, &name, &0, &attribute, &set, &16_usize]));
        forms.push((By::At, 466, vec![&dirfd, &name, &0, &attribute]));
    }
    for (at, (by, number, arguments)) in forms.into_iter().enumerate() {
        let sets = at % 2 == 0;
        let before: Truth = stat(place.path());
        let kind = if sets { Kind::Setxattr } else { Kind::Removexattr };
        let seen = XATTR.watch_one(kind, || assert_eq!(call(number, &arguments), 0));
        let body: xattr_body = seen.record().body();
        place.assert_named(&seen, &body.call, &body.file, by);
        before.assert_is(&body.file);
        assert_eq!(text(&seen.record(), body.name), "trusted.color");
        assert_eq!(body.value_size, if sets { 4 } else { 0 });
        assert_eq!(body.flags, 0);
    }
}
