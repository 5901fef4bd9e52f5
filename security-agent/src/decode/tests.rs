//! Decoding of well-made and of damaged records.

use proptest::prelude::*;
use proto::wire::layout::{
    ERROR_ARGS, ERROR_FILE, EXEC_FLAG_ARGS_CHUNKED, EXEC_FLAG_INTERPRETED, FILE_FLAG_OVERLAY,
    FILE_FLAG_UPPER_LAYER, FILE_FLAG_VALID, exec_body, file_info, record_header, task_context,
};
use proto::wire::{RecordBuilder, Records};

use super::*;

fn users() -> Users {
    let users = [(0, "root".into()), (1000, "alice".into())].into_iter().collect();
    Users::fixed(users, [(0, "root".into())].into_iter().collect())
}

fn decode_exec(
    header: record_header,
    body: impl FnOnce(&mut RecordBuilder) -> exec_body,
) -> exec::Exec<'static> {
    let mut builder = RecordBuilder::new(Kind::Exec);
    let body = body(&mut builder);
    let bytes = builder.finish(header, &task_context::default(), &body).leak();
    let decoded = Decoder::default().decode(&Record::parse(bytes).unwrap(), &users()).unwrap();
    match decoded.payload {
        Payload::Exec(exec) => *exec,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_exec_carries_program_arguments_and_terminal() {
    let exec = decode_exec(record_header::default(), |builder| {
        let path = builder.push(b"/merged/app/run.sh");
        let interpreter = builder.push(b"/usr/bin/dash");
        let mut tty = [0; 32];
        tty[..4].copy_from_slice(b"pts0");
        exec_body {
            file: file_info {
                inode: 5,
                mode: 0o104_755,
                uid: 1000,
                flags: FILE_FLAG_VALID | FILE_FLAG_OVERLAY | FILE_FLAG_UPPER_LAYER,
                overlay_prefix: 7,
                filesystem: *b"overlay\0\0\0\0\0\0\0\0\0",
                path,
                ..file_info::default()
            },
            interpreter: file_info { flags: FILE_FLAG_VALID, path: interpreter, ..file_info::default() },
            flags: EXEC_FLAG_INTERPRETED,
            args: builder.push(b"run.sh\0-x\0\xff\n\0"),
            envs: builder.push(b"A=1\0"),
            filename: builder.push(b"./run.sh"),
            cwd: builder.push(b"/merged/app"),
            cgroup_path: builder.push(b"/docker/x"),
            tty,
            ..exec_body::default()
        }
    });
    let file = &exec.image.file;
    assert_eq!(
        (&*file.path, &*file.filesystem, &*file.user),
        (&b"/merged/app/run.sh"[..], &b"overlay"[..], &b"alice"[..])
    );
    assert_eq!((file.upper_layer, &*file.mount_path), (Some(true), &b"/merged"[..]));
    assert_eq!((&*file.symlink_path, &*file.path_error), (&b""[..], &b""[..]));
    assert_eq!(&*exec.image.interpreter.unwrap().path, b"/usr/bin/dash");
    assert_eq!(exec.image.arguments.all().iter().collect::<Vec<_>>(), [&b"run.sh"[..], b"-x", b"\xff\n"]);
    assert!(!exec.image.args_truncated);
    assert_eq!(
        (exec.tty_name, exec.cgroup_path, exec.filename),
        (&b"pts0"[..], &b"/docker/x"[..], &b"./run.sh"[..])
    );
}

#[test]
fn what_the_kernel_could_not_read_is_told() {
    let header = record_header { errors: ERROR_FILE | ERROR_ARGS, ..record_header::default() };
    let exec = decode_exec(header, |_| exec_body::default());
    assert_eq!(&*exec.image.file.path_error, b"not readable in the kernel");
    assert!(exec.image.args_truncated && !exec.image.envs_truncated);
}

#[test]
fn pieces_that_never_came_are_told() {
    let exec = decode_exec(record_header::default(), |_| exec_body {
        flags: EXEC_FLAG_ARGS_CHUNKED,
        ..exec_body::default()
    });
    assert!(exec.image.args_truncated);
}

#[test]
fn spans_that_point_elsewhere_are_told() {
    let exec = decode_exec(record_header::default(), |_| {
        let outside = span { offset: 30_000, length: 9 };
        exec_body {
            file: file_info { flags: FILE_FLAG_VALID, path: outside, ..file_info::default() },
            args: outside,
            ..exec_body::default()
        }
    });
    assert_eq!(&*exec.image.file.path_error, b"damaged record");
    assert!(exec.image.args_truncated);
}

#[test]
fn the_wall_clock_follows_its_offset() {
    let clock = Clock { realtime_offset_ns: -5 };
    assert_eq!((clock.wall(0), clock.wall(7), clock.wall(3)), (0, 2, 0));
    assert_eq!(Clock { realtime_offset_ns: i64::MAX }.wall(u64::MAX), u64::MAX);
}

proptest! {
    /// Whatever the bytes are, nothing panics.
    #[test]
    fn any_bytes_decode(kind in 1..9_u16, mut bytes in prop::collection::vec(any::<u8>(), 24..2_000)) {
        let size = u32::try_from(bytes.len() / 8 * 8).unwrap();
        bytes[..4].copy_from_slice(&size.to_ne_bytes());
        bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
        let mut decoder = Decoder::default();
        for record in Records::new(&bytes).flatten() {
            decoder.decode(&record, &users());
        }
    }
}
