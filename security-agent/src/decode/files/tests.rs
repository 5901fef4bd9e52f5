//! Records of file events in the terms of rules.

use model::Payload;
use proto::wire::layout::{
    CALL_FLAG_BY_DESCRIPTOR, FILE_FLAG_DETACHED, FILE_FLAG_LOOKED_UP, FILE_FLAG_MEMFD, FILE_FLAG_NO_INODE,
    FILE_FLAG_PATH_USER, FILE_FLAG_VALID, MOUNT_CALL_FSMOUNT, MOUNT_CALL_MOUNT, MOUNT_CALL_PIVOT_ROOT,
    MOUNT_CALL_REMOUNT, OPEN_CALL_FALLOCATE, TIME_NOW, chown_body, file_call, file_info, link_body,
    mount_body, open_body, path_body, record_header, task_context, utimes_body, xattr_body,
};
use proto::wire::{Kind, Record, RecordBuilder};
use zerocopy::{Immutable, IntoBytes};

use crate::resolve::users::Users;

fn users() -> Users {
    let users = [(0, "root".into()), (98, "alice".into())].into_iter().collect();
    Users::fixed(users, [(0, "root".into()), (99, "staff".into())].into_iter().collect())
}

/// The event of a record of this kind.
fn decode<T: IntoBytes + Immutable>(
    kind: Kind,
    body: impl FnOnce(&mut RecordBuilder) -> T,
) -> Option<Payload> {
    let mut builder = RecordBuilder::new(kind);
    let body = body(&mut builder);
    let bytes = builder.finish(record_header::default(), &task_context::default(), &body);
    super::payload(&Record::parse(&bytes).unwrap(), &users())
}

fn known(builder: &mut RecordBuilder, path: &[u8]) -> file_info {
    file_info {
        inode: 5,
        mode: 0o100_644,
        flags: FILE_FLAG_VALID,
        path: builder.push(path),
        ..file_info::default()
    }
}

#[test]
fn an_open_carries_flags_mode_and_both_paths() {
    let event = decode(Kind::Open, |builder| open_body {
        call: file_call { retval: -13, path: builder.push(b"../shadow"), ..file_call::default() },
        file: known(builder, b"/etc/shadow"),
        flags: 0o102,
        mode: 0o711,
        ..open_body::default()
    });
    let Some(Payload::Open(open)) = event else { panic!("{event:?}") };
    assert_eq!((open.flags, open.syscall_flags), (0o102, 0o102));
    assert_eq!((open.mode, open.syscall_mode), (0o711, 0o711));
    assert_eq!((&*open.syscall_path, &*open.file.path), (&b"../shadow"[..], &b"/etc/shadow"[..]));
    assert_eq!((open.call.retval, &*open.file.user, &*open.file.path_error), (-13, &b"root"[..], &b""[..]));
}

#[test]
fn the_mode_of_fallocate_is_none_of_a_file() {
    let event = decode(Kind::Open, |builder| open_body {
        call: file_call { flags: CALL_FLAG_BY_DESCRIPTOR, ..file_call::default() },
        file: known(builder, b"/f"),
        flags: 1,
        mode: 3,
        what: OPEN_CALL_FALLOCATE,
        ..open_body::default()
    });
    let Some(Payload::Open(open)) = event else { panic!("{event:?}") };
    assert_eq!((open.flags, open.mode, open.syscall_mode), (1, 0, 0));
}

#[test]
fn a_file_in_memory_has_a_name_and_no_path() {
    let event = decode(Kind::Open, |builder| {
        let mut file = known(builder, b"memfd:x");
        file.flags |= FILE_FLAG_MEMFD;
        open_body { file, ..open_body::default() }
    });
    let Some(Payload::Open(open)) = event else { panic!("{event:?}") };
    assert_eq!((&*open.file.path, open.file.name()), (&b""[..], &b"memfd:x"[..]));
}

#[test]
fn what_the_kernel_could_not_look_up_is_normalized_and_says_so() {
    let event = decode(Kind::Unlink, |builder| path_body {
        file: file_info {
            flags: FILE_FLAG_VALID | FILE_FLAG_LOOKED_UP | FILE_FLAG_NO_INODE | FILE_FLAG_PATH_USER,
            path: builder.push(b"/srv/./data//cold/../x"),
            ..file_info::default()
        },
        flags: 0x200,
        call: file_call { dirfd: -100, ..file_call::default() },
        ..path_body::default()
    });
    let Some(Payload::Unlink(unlink)) = event else { panic!("{event:?}") };
    assert_eq!(&*unlink.file.path, b"/srv/data/x");
    assert_eq!(&*unlink.file.path_error, b"as given by the process: links are not resolved");
    assert_eq!(&*unlink.file.user, b"", "an owner that is not known has no name");
    assert_eq!((unlink.flags, unlink.syscall_flags, unlink.syscall_dirfd), (0x200, 0x200, -100));
}

#[test]
fn a_rename_has_two_files() {
    let event = decode(Kind::Rename, |builder| link_body {
        call: file_call { path: builder.push(b"a"), ..file_call::default() },
        file: known(builder, b"/d/a"),
        destination: known(builder, b"/d/b"),
        destination_path: builder.push(b"b"),
        ..link_body::default()
    });
    let Some(Payload::Rename(rename)) = event else { panic!("{event:?}") };
    assert_eq!((&*rename.file.path, &*rename.destination.path), (&b"/d/a"[..], &b"/d/b"[..]));
    assert_eq!((&*rename.syscall_path, &*rename.syscall_destination_path), (&b"a"[..], &b"b"[..]));
}

#[test]
fn an_owner_that_stays_is_minus_one() {
    let event = decode(Kind::Chown, |builder| chown_body {
        file: known(builder, b"/f"),
        uid: 98,
        gid: u32::MAX,
        ..chown_body::default()
    });
    let Some(Payload::Chown(chown)) = event else { panic!("{event:?}") };
    assert_eq!((chown.uid, chown.gid, chown.syscall_uid, chown.syscall_gid), (98, -1, 98, -1));
    assert_eq!((&*chown.user, &*chown.group), (&b"alice"[..], &b""[..]));
}

#[test]
fn times_that_name_no_time_are_none() {
    let event = decode(Kind::Utimes, |builder| utimes_body {
        file: known(builder, b"/f"),
        access_time_ns: TIME_NOW,
        modification_time_ns: 7,
        ..utimes_body::default()
    });
    let Some(Payload::Utimes(utimes)) = event else { panic!("{event:?}") };
    assert_eq!((utimes.access_time, utimes.modification_time), (0, 7));
}

#[test]
fn names_of_attributes_are_cut_as_cws_does() {
    let event = decode(Kind::Setxattr, |builder| xattr_body {
        file: known(builder, b"/f"),
        name: builder.push(&[b'a'; 255]),
        ..xattr_body::default()
    });
    let Some(Payload::Setxattr(xattr)) = event else { panic!("{event:?}") };
    assert_eq!(xattr.name.len(), 200);
}

#[test]
fn a_mount_that_is_attached_nowhere_is_not_visible() {
    let event = decode(Kind::Mount, |builder| mount_body {
        what: MOUNT_CALL_FSMOUNT,
        mount_flags: FILE_FLAG_DETACHED,
        mount_id: 77,
        source: builder.push(b"tmpfs"),
        filesystem: *b"tmpfs\0\0\0\0\0\0\0\0\0\0\0",
        ..mount_body::default()
    });
    let Some(Payload::Mount(mount)) = event else { panic!("{event:?}") };
    assert_eq!((mount.detached, mount.visible, mount.mount_id), (true, false, 77));
    assert_eq!((&*mount.fs_type, &*mount.source_path), (&b"tmpfs"[..], &b"tmpfs"[..]));
}

#[test]
fn what_the_probe_reports_is_a_mount_whatever_its_flags() {
    // Bits that would say how a mount propagates, were they alone: MS_BIND | MS_PRIVATE, MS_MGC_VAL, MS_REMOUNT | MS_SHARED.
    for (what, flags) in [
        (MOUNT_CALL_MOUNT, 1 << 12 | 1 << 18),
        (MOUNT_CALL_MOUNT, 0xC0ED_0000),
        (MOUNT_CALL_REMOUNT, 1 << 5 | 1 << 20),
    ] {
        let event = decode(Kind::Mount, |_| mount_body { what, flags, ..mount_body::default() });
        let Some(Payload::Mount(mount)) = event else { panic!("{event:?}") };
        assert_eq!(mount.remount, what == MOUNT_CALL_REMOUNT);
    }
}

#[test]
fn files_tell_who_says_which_they_are() {
    for (flags, resolution) in [
        (0, ""),
        (FILE_FLAG_VALID, "kernel"),
        (FILE_FLAG_VALID | FILE_FLAG_NO_INODE, "kernel"),
        (FILE_FLAG_VALID | FILE_FLAG_LOOKED_UP, "user"),
        (FILE_FLAG_VALID | FILE_FLAG_LOOKED_UP | FILE_FLAG_PATH_USER, "user"),
    ] {
        let event = decode(Kind::Rmdir, |builder| path_body {
            file: file_info { flags, path: builder.push(b"/etc"), ..file_info::default() },
            ..path_body::default()
        });
        let Some(Payload::Rmdir(rmdir)) = event else { panic!("{event:?}") };
        assert_eq!(rmdir.file.path_resolution.as_bytes(), resolution.as_bytes(), "{flags:#x}");
        let event = decode(Kind::Mount, |_| mount_body {
            mountpoint: file_info { flags, ..file_info::default() },
            ..mount_body::default()
        });
        let Some(Payload::Mount(mount)) = event else { panic!("{event:?}") };
        assert_eq!(mount.path_resolution.as_bytes(), resolution.as_bytes(), "{flags:#x}");
    }
}

#[test]
fn an_exchange_of_the_root_is_an_event_of_its_own() {
    let event = decode(Kind::Mount, |builder| mount_body {
        what: MOUNT_CALL_PIVOT_ROOT,
        source_given: builder.push(b"/new"),
        call: file_call { path: builder.push(b"/new/old"), retval: -1, ..file_call::default() },
        ..mount_body::default()
    });
    let Some(Payload::PivotRoot(pivot)) = event else { panic!("{event:?}") };
    assert_eq!((&*pivot.syscall_path, &*pivot.syscall_put_old), (&b"/new"[..], &b"/new/old"[..]));
    assert_eq!(pivot.call.retval, -1);
}

#[test]
fn a_symbolic_link_is_what_was_made_and_its_text_what_it_leads_to() {
    let event = decode(Kind::Symlink, |builder| link_body {
        call: file_call { path: builder.push(b"../shadow"), ..file_call::default() },
        destination: known(builder, b"/tmp/link"),
        destination_path: builder.push(b"link"),
        ..link_body::default()
    });
    let Some(Payload::Symlink(symlink)) = event else { panic!("{event:?}") };
    assert_eq!((&*symlink.target_path, &*symlink.file.path), (&b"../shadow"[..], &b"/tmp/link"[..]));
    assert_eq!(&*symlink.syscall_path, b"link");
}

#[test]
fn an_unmount_names_what_is_gone() {
    let event = decode(Kind::Umount, |builder| path_body {
        call: file_call { path: builder.push(b"data"), ..file_call::default() },
        file: file_info {
            mount_id: 77,
            device: 5,
            filesystem: *b"tmpfs\0\0\0\0\0\0\0\0\0\0\0",
            ..known(builder, b"/srv/data")
        },
        flags: 2,
        ..path_body::default()
    });
    let Some(Payload::Umount(umount)) = event else { panic!("{event:?}") };
    assert_eq!((&*umount.mountpoint_path, &*umount.fs_type), (&b"/srv/data"[..], &b"tmpfs"[..]));
    assert_eq!((umount.flags, umount.mount_id, umount.device), (2, 77, 5));
    assert_eq!((&*umount.syscall_mountpoint_path, &*umount.path_error), (&b"data"[..], &b""[..]));
}
