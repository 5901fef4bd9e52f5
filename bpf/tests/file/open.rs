//! open, creat, truncate and their kin.

use std::fs;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::PermissionsExt as _;

use libc::{AT_FDCWD, O_CLOEXEC, O_CREAT, O_EXCL, O_PATH, O_RDONLY, O_RDWR, O_TMPFILE, O_TRUNC, O_WRONLY};
use proto::wire::Kind;
use proto::wire::layout::*;

use crate::calls::{Argument, OPEN, c, call, ready};
use crate::check::{LOOKED_UP, assert_call, named, stat, text, without_overlay};
use crate::records::Seen;

/// Makes one call that returns a descriptor; its record and the descriptor.
fn open(number: libc::c_long, arguments: &[&dyn Argument]) -> (Seen, open_body) {
    let mut result = 0;
    let seen = OPEN.watch_one(Kind::Open, || result = call(number, arguments));
    assert!(result >= 0, "{result}");
    call(libc::SYS_close, &[&result]);
    let body: open_body = seen.record().body();
    assert_eq!(body.call.retval, result);
    (seen, body)
}

#[test]
fn open_takes_the_file_from_the_descriptor() {
    if !ready() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file");
    fs::write(&path, "contents").unwrap();
    let truth = stat(&path);
    let given = path.to_str().unwrap();
    for (number, flags, name) in [
        (libc::SYS_open, O_RDONLY, "open"),
        (libc::SYS_open, O_WRONLY | O_CLOEXEC | O_CREAT, "open for writing"),
    ] {
        let (seen, body) = open(number, &[&c(&path), &flags, &0o711_u32]);
        let retval = body.call.retval;
        assert_call(&seen, &body.call, retval, CALL_FLAG_NO_DIRFD, AT_FDCWD, given);
        truth.assert_is(&body.file);
        assert_eq!(without_overlay(body.file.flags), FILE_FLAG_VALID, "{name}");
        assert_eq!(text(&seen.record(), body.file.path), given);
        assert_eq!(body.flags, flags as u32, "{name}: as given");
        assert_eq!(body.mode, if flags & O_CREAT != 0 { 0o711 } else { 0 }, "{name}");
        assert_eq!((body.what, body.length), (OPEN_CALL_OPEN, 0));
    }
}

#[test]
fn openat_counts_from_the_directory() {
    if !ready() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file");
    fs::write(&path, "").unwrap();
    let handle = fs::File::open(directory.path()).unwrap();
    let (seen, body) = open(libc::SYS_openat, &[&handle.as_raw_fd(), &c("./file"), &O_RDWR]);
    assert_call(&seen, &body.call, body.call.retval, 0, handle.as_raw_fd(), "./file");
    assert_eq!(text(&seen.record(), body.file.path), path.to_str().unwrap());
    stat(&path).assert_is(&body.file);
    assert_eq!(body.flags, O_RDWR as u32);
}

#[test]
fn openat2_reads_the_structure_as_far_as_the_file_does_not_tell() {
    if !ready() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("new");
    let how: [u64; 3] = [(O_CREAT | O_RDWR | O_EXCL) as u64, 0o640, 4 /* RESOLVE_NO_SYMLINKS */];
    let (seen, body) = open(libc::SYS_openat2, &[&AT_FDCWD, &c(&path), &how, &24_usize]);
    assert_call(&seen, &body.call, body.call.retval, 0, AT_FDCWD, path.to_str().unwrap());
    stat(&path).assert_is(&body.file);
    assert_eq!(body.flags, (O_CREAT | O_RDWR | O_EXCL) as u32);
    assert_eq!(body.mode, 0o640);
}

#[test]
fn creat_is_an_open_for_writing() {
    if !ready() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("new");
    let (seen, body) = open(libc::SYS_creat, &[&c(&path), &0o600_u32]);
    assert_call(&seen, &body.call, body.call.retval, CALL_FLAG_NO_DIRFD, AT_FDCWD, path.to_str().unwrap());
    assert_eq!(body.flags, (O_CREAT | O_WRONLY | O_TRUNC) as u32);
    assert_eq!(body.mode, 0o600);
    stat(&path).assert_is(&body.file);
}

#[test]
fn open_by_handle_at_gives_the_path() {
    if !ready() {
        return;
    }
    let directory = tempfile::tempdir_in("/dev/shm").unwrap();
    let path = directory.path().join("file");
    fs::write(&path, "").unwrap();
    // struct file_handle: size of the handle, type, and the handle itself.
    let mut handle = [0_u32; 34];
    handle[0] = 128;
    let mut mount_id = [0_i32];
    let result = {
        let pointer = handle.as_mut_ptr() as usize;
        call(
            libc::SYS_name_to_handle_at,
            &[&AT_FDCWD, &c(&path), &pointer, &(mount_id.as_mut_ptr() as usize), &0],
        )
    };
    assert_eq!(result, 0);
    let mount = fs::File::open(directory.path()).unwrap();
    let (seen, body) = open(libc::SYS_open_by_handle_at, &[&mount.as_raw_fd(), &handle, &O_RDONLY]);
    assert_call(&seen, &body.call, body.call.retval, CALL_FLAG_BY_DESCRIPTOR, mount.as_raw_fd(), "");
    assert_eq!(text(&seen.record(), body.file.path), path.to_str().unwrap());
    stat(&path).assert_is(&body.file);
    assert_eq!(body.flags, O_RDONLY as u32);
}

#[test]
fn truncation_is_an_open_for_writing_with_a_length() {
    if !ready() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file");
    fs::write(&path, "contents").unwrap();
    let file = fs::File::options().write(true).open(&path).unwrap();
    let fd = file.as_raw_fd();
    let written = (O_CREAT | O_WRONLY | O_TRUNC) as u32;

    let seen = OPEN.watch_one(Kind::Open, || assert_eq!(call(libc::SYS_truncate, &[&c(&path), &4_i64]), 0));
    let body: open_body = seen.record().body();
    assert_call(&seen, &body.call, 0, CALL_FLAG_NO_DIRFD, AT_FDCWD, path.to_str().unwrap());
    stat(&path).assert_is(&body.file);
    assert_eq!(without_overlay(body.file.flags), named());
    assert_eq!((body.what, body.flags, body.length), (OPEN_CALL_TRUNCATE, written, 4));
    assert_eq!(text(&seen.record(), body.file.path), path.to_str().unwrap());

    let seen = OPEN.watch_one(Kind::Open, || assert_eq!(call(libc::SYS_ftruncate, &[&fd, &3_i64]), 0));
    let body: open_body = seen.record().body();
    assert_call(&seen, &body.call, 0, CALL_FLAG_BY_DESCRIPTOR | CALL_FLAG_NO_DIRFD, fd, "");
    stat(&path).assert_is(&body.file);
    assert_eq!(without_overlay(body.file.flags), FILE_FLAG_VALID);
    assert_eq!((body.what, body.flags, body.length), (OPEN_CALL_TRUNCATE, written, 3));
    assert_eq!(text(&seen.record(), body.file.path), path.to_str().unwrap());

    let seen = OPEN.watch_one(Kind::Open, || {
        assert_eq!(call(libc::SYS_fallocate, &[&fd, &0, &100_i64, &50_i64]), 0);
    });
    let body: open_body = seen.record().body();
    assert_call(&seen, &body.call, 0, CALL_FLAG_BY_DESCRIPTOR | CALL_FLAG_NO_DIRFD, fd, "");
    stat(&path).assert_is(&body.file);
    assert_eq!((body.what, body.flags, body.length), (OPEN_CALL_FALLOCATE, O_WRONLY as u32, 150));
}

#[test]
fn a_refused_open_is_reported_and_other_failures_are_not() {
    if !ready() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("secret");
    fs::write(&path, "").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    // A thread of its own, as its file system user id changes.
    let seen = std::thread::spawn(move || {
        let seen = OPEN.watch(|| {
            assert_eq!(call(libc::SYS_openat, &[&AT_FDCWD, &c("/no/such/file"), &O_RDONLY]), -2);
            assert_eq!(call(libc::SYS_setfsuid, &[&1000]), 0);
            assert_eq!(call(libc::SYS_openat, &[&AT_FDCWD, &c(&path), &O_RDONLY]), -13);
            assert_eq!(call(libc::SYS_setfsuid, &[&0]), 1000);
        });
        (seen, stat(&path), path)
    });
    let (seen, truth, path) = seen.join().unwrap();
    assert_eq!(seen.len(), 1);
    let record = seen[0].record();
    let body: open_body = record.body();
    assert_eq!(body.call.retval, -13);
    assert_eq!(text(&record, body.call.path), path.to_str().unwrap());
    assert_eq!(text(&record, body.file.path), path.to_str().unwrap());
    truth.assert_is(&body.file);
    assert_eq!(without_overlay(body.file.flags), LOOKED_UP);
    drop(directory);
}

#[test]
fn pipes_and_sockets_are_silent_and_files_in_memory_are_not() {
    if !ready() {
        return;
    }
    let (read, _write) = std::io::pipe().unwrap();
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let event = call(libc::SYS_eventfd2, &[&0, &0]);
    let memory = call(libc::SYS_memfd_create, &[&c("hidden"), &0]);
    let proc_fd = |fd: i64| c(format!("/proc/self/fd/{fd}"));
    let seen = OPEN.watch(|| {
        let opened = call(libc::SYS_openat, &[&AT_FDCWD, &proc_fd(read.as_raw_fd().into()), &O_RDONLY]);
        assert!(opened >= 0);
        call(libc::SYS_close, &[&opened]);
        // A socket and an event descriptor can't be opened anew (ENXIO).
        assert!(call(libc::SYS_openat, &[&AT_FDCWD, &proc_fd(socket.as_raw_fd().into()), &O_RDONLY]) < 0);
        assert!(call(libc::SYS_openat, &[&AT_FDCWD, &proc_fd(event), &O_RDONLY]) < 0);
        let opened = call(libc::SYS_openat, &[&AT_FDCWD, &proc_fd(memory), &O_RDONLY]);
        assert!(opened >= 0);
        call(libc::SYS_close, &[&opened]);
    });
    call(libc::SYS_close, &[&event]);
    call(libc::SYS_close, &[&memory]);
    assert_eq!(seen.len(), 1);
    let record = seen[0].record();
    let body: open_body = record.body();
    assert_eq!(text(&record, body.file.path), "memfd:hidden");
    assert_eq!(body.file.flags & FILE_FLAG_MEMFD, FILE_FLAG_MEMFD);
    assert_eq!(body.file.links, 0);
}

#[test]
fn special_ways_to_open() {
    if !ready() {
        return;
    }
    let directory = tempfile::tempdir_in("/dev/shm").unwrap();
    let path = directory.path().join("file");
    fs::write(&path, "").unwrap();
    let (seen, body) = open(libc::SYS_openat, &[&AT_FDCWD, &c(&path), &O_PATH]);
    assert_eq!(text(&seen.record(), body.file.path), path.to_str().unwrap());
    assert_eq!(body.flags, O_PATH as u32);

    let (seen, body) =
        open(libc::SYS_openat, &[&AT_FDCWD, &c(directory.path()), &(O_TMPFILE | O_RDWR), &0o604_u32]);
    assert!(text(&seen.record(), body.file.path).starts_with(&format!("{}/#", directory.path().display())));
    assert_eq!(body.mode, 0o604);
    assert_eq!(body.file.mode, libc::S_IFREG | 0o604);
    assert_eq!(body.file.links, 0);

    let (seen, body) = open(libc::SYS_openat, &[&AT_FDCWD, &c("/dev/null"), &O_RDONLY]);
    assert_eq!(text(&seen.record(), body.file.path), "/dev/null");
    assert_eq!(body.file.mode & libc::S_IFMT, libc::S_IFCHR);

    let (seen, body) = open(libc::SYS_openat, &[&AT_FDCWD, &c(directory.path()), &O_RDONLY]);
    assert_eq!(text(&seen.record(), body.file.path), directory.path().to_str().unwrap());
    assert_eq!(body.file.mode & libc::S_IFMT, libc::S_IFDIR);

    let file = fs::File::open(&path).unwrap();
    fs::remove_file(&path).unwrap();
    let again = c(format!("/proc/self/fd/{}", file.as_raw_fd()));
    let (seen, body) = open(libc::SYS_openat, &[&AT_FDCWD, &again, &O_RDONLY]);
    assert_eq!(text(&seen.record(), body.file.path), path.to_str().unwrap());
    assert_eq!(body.file.flags & FILE_FLAG_DELETED, FILE_FLAG_DELETED);
    assert_eq!(body.file.links, 0);
}
