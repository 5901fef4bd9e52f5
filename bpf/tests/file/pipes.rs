//! splice.

use std::fs;
use std::io::Write as _;
use std::os::fd::AsRawFd as _;

use proto::wire::Kind;
use proto::wire::layout::*;

use crate::calls::{Argument, SPLICE, call, ready};
use crate::check::{assert_call, stat, text, without_overlay};

/// PIPE_BUF_FLAG_CAN_MERGE.
const CAN_MERGE: u32 = 0x10;

#[test]
fn splice_tells_the_file_and_the_flags_of_the_pipe() {
    if !ready() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file");
    fs::write(&path, "contents").unwrap();
    let file = fs::File::options().read(true).write(true).open(&path).unwrap();
    let (read, mut write) = std::io::pipe().unwrap();
    let (file_fd, read_fd, write_fd) = (file.as_raw_fd(), read.as_raw_fd(), write.as_raw_fd());
    let by_descriptor = CALL_FLAG_BY_DESCRIPTOR | CALL_FLAG_NO_DIRFD;

    write.write_all(b"x").unwrap();
    let arguments: &[&dyn Argument] = &[&file_fd, &0, &write_fd, &0, &4_usize, &libc::SPLICE_F_MOVE];
    let seen = SPLICE.watch_one(Kind::Splice, || assert_eq!(call(libc::SYS_splice, arguments), 4));
    let body: splice_body = seen.record().body();
    assert_call(&seen, &body.call, 4, by_descriptor, file_fd, "");
    stat(&path).assert_is(&body.file);
    assert_eq!(without_overlay(body.file.flags), FILE_FLAG_VALID);
    assert_eq!(text(&seen.record(), body.file.path), path.to_str().unwrap());
    assert_eq!((body.pipe_entry_flag, body.pipe_exit_flag), (CAN_MERGE, 0));
    assert_eq!((body.flags, body.into_pipe), (libc::SPLICE_F_MOVE, 1));

    let arguments: &[&dyn Argument] = &[&read_fd, &0, &file_fd, &0, &1_usize, &0];
    let seen = SPLICE.watch_one(Kind::Splice, || assert_eq!(call(libc::SYS_splice, arguments), 1));
    let body: splice_body = seen.record().body();
    assert_call(&seen, &body.call, 1, by_descriptor, file_fd, "");
    assert_eq!(body.into_pipe, 0);
    assert_eq!(text(&seen.record(), body.file.path), path.to_str().unwrap());

    // Between two pipes there is no file.
    let (_other_read, other_write) = std::io::pipe().unwrap();
    let other_fd = other_write.as_raw_fd();
    let arguments: &[&dyn Argument] = &[&read_fd, &0, &other_fd, &0, &1_usize, &0];
    let seen = SPLICE.watch_one(Kind::Splice, || assert_eq!(call(libc::SYS_splice, arguments), 1));
    let body: splice_body = seen.record().body();
    assert_eq!(body.file.flags, 0);
}
