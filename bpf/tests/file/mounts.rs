//! mount, umount, and the calls of the new mount interface.

use std::fs;
use std::path::{Path, PathBuf};

use libc::{AT_FDCWD, MS_BIND, MS_MOVE};
use proto::wire::Kind;
use proto::wire::layout::*;

use crate::calls::{Argument, MOUNT, UMOUNT, c, call, ready};
use crate::check::{assert_call, stat, text};
use crate::records::Seen;

/// Runs on a thread with a mount namespace of its own, with a tmpfs that goes away with it; gives the path of that.
fn in_own_namespace(run: impl FnOnce(PathBuf) + Send + 'static) {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().canonicalize().unwrap();
    std::thread::spawn(move || {
        assert_eq!(call(libc::SYS_unshare, &[&(libc::CLONE_NEWNS | libc::CLONE_FS)]), 0);
        let private = (libc::MS_REC | libc::MS_PRIVATE) as usize;
        assert_eq!(call(libc::SYS_mount, &[&c("none"), &c("/"), &0, &private, &0]), 0);
        assert_eq!(call(libc::SYS_mount, &[&c("none"), &c(&root), &c("tmpfs"), &0, &0]), 0);
        run(root);
    })
    .join()
    .unwrap();
}

fn mounted(arguments: &[&dyn Argument]) -> (Seen, mount_body) {
    let seen = MOUNT.watch_one(Kind::Mount, || assert_eq!(call(libc::SYS_mount, arguments), 0));
    let body = seen.record().body();
    (seen, body)
}

fn id(path: &Path) -> u32 {
    stat(path).0.stx_mnt_id as u32
}

#[test]
fn mount_of_a_file_system() {
    if !ready() {
        return;
    }
    in_own_namespace(|root| {
        let target = root.join("target");
        fs::create_dir(&target).unwrap();
        let (seen, body) =
            mounted(&[&c("my device"), &c(&target), &c("tmpfs"), &(libc::MS_NOSUID as usize), &0]);
        let record = seen.record();
        assert_call(&seen, &body.call, 0, CALL_FLAG_NO_DIRFD, AT_FDCWD, target.to_str().unwrap());
        stat(&target).assert_is(&body.mountpoint);
        assert_eq!(text(&record, body.mountpoint.path), target.to_str().unwrap());
        assert_eq!((body.mount_id, body.parent_mount_id), (id(&target), id(&root)));
        assert_eq!(body.device, body.mountpoint.device);
        assert_eq!((body.what, body.flags, body.mount_flags), (MOUNT_CALL_MOUNT, libc::MS_NOSUID as u32, 0));
        assert_eq!(text(&record, body.source), "my device");
        assert_eq!(text(&record, body.source_given), "my device");
        assert_eq!(text(&record, body.type_given), "tmpfs");
        assert_eq!(text(&record, body.root), "/");
        assert_eq!(&body.filesystem[..6], b"tmpfs\0");
    });
}

#[test]
fn bind_mounts_and_moves_name_their_source() {
    if !ready() {
        return;
    }
    in_own_namespace(|root| {
        let (source, target, third) = (root.join("source"), root.join("target"), root.join("third"));
        for path in [&source, &target, &third] {
            fs::create_dir(path).unwrap();
        }
        let (seen, body) = mounted(&[&c(&source), &c(&target), &0, &(MS_BIND as usize), &0]);
        let record = seen.record();
        assert_eq!(record.header().errors, 0);
        assert_eq!(text(&record, body.source), source.to_str().unwrap());
        assert_eq!(text(&record, body.mountpoint.path), target.to_str().unwrap());
        assert_eq!(text(&record, body.root), "/source");
        assert_eq!(body.bind_source_mount_id, id(&root));
        assert_eq!((body.mount_id, body.parent_mount_id), (id(&target), id(&root)));
        assert_eq!(body.flags, MS_BIND as u32);

        let (seen, body) = mounted(&[&c(&target), &c(&third), &0, &(MS_MOVE as usize), &0]);
        let record = seen.record();
        assert_eq!(text(&record, body.source), target.to_str().unwrap());
        assert_eq!(text(&record, body.mountpoint.path), third.to_str().unwrap());
        assert_eq!(body.mount_id, id(&third));
        assert_eq!(text(&record, body.root), "/source");
    });
}

#[test]
fn the_new_mount_interface() {
    if !ready() {
        return;
    }
    in_own_namespace(|root| {
        let (target, copy) = (root.join("target"), root.join("copy"));
        fs::create_dir(&target).unwrap();
        fs::create_dir(&copy).unwrap();
        let context = call(libc::SYS_fsopen, &[&c("tmpfs"), &0]);
        assert_eq!(call(libc::SYS_fsconfig, &[&context, &1, &c("source"), &c("my device"), &0]), 0);
        assert_eq!(call(libc::SYS_fsconfig, &[&context, &6 /* create */, &0, &0, &0]), 0);
        let mut fd = -1;
        let seen =
            MOUNT.watch_one(Kind::Mount, || fd = call(libc::SYS_fsmount, &[&context, &0, &2 /* nosuid */]));
        let body: mount_body = seen.record().body();
        assert_eq!((body.call.retval, body.call.dirfd), (fd, context as i32));
        assert_eq!((body.what, body.flags), (MOUNT_CALL_FSMOUNT, 2));
        assert_eq!(body.mount_flags, FILE_FLAG_DETACHED);
        assert_eq!(body.mountpoint.flags, 0, "it is attached nowhere");
        assert_eq!(text(&seen.record(), body.source), "my device");
        let new_id = body.mount_id;
        assert_ne!(new_id, 0);

        let arguments: &[&dyn Argument] = &[&fd, &c(""), &AT_FDCWD, &c(&target), &4 /* empty path */];
        let seen = MOUNT.watch_one(Kind::Mount, || assert_eq!(call(libc::SYS_move_mount, arguments), 0));
        let body: mount_body = seen.record().body();
        assert_call(&seen, &body.call, 0, 0, AT_FDCWD, target.to_str().unwrap());
        assert_eq!((body.what, body.flags, body.mount_flags), (MOUNT_CALL_MOVE_MOUNT, 4, 0));
        assert_eq!((body.mount_id, body.parent_mount_id), (new_id, id(&root)));
        assert_eq!(text(&seen.record(), body.mountpoint.path), target.to_str().unwrap());
        stat(&target).assert_is(&body.mountpoint);

        let mut tree = -1;
        let seen = MOUNT.watch_one(Kind::Mount, || {
            tree = call(libc::SYS_open_tree, &[&AT_FDCWD, &c(&target), &1 /* clone */]);
        });
        let body: mount_body = seen.record().body();
        assert_eq!((body.call.retval, body.what, body.flags), (tree, MOUNT_CALL_OPEN_TREE, 1));
        assert_eq!(body.mount_flags, FILE_FLAG_DETACHED);
        assert_eq!(text(&seen.record(), body.source), target.to_str().unwrap());
        assert_eq!(body.bind_source_mount_id, new_id);
        assert_ne!(body.mount_id, new_id);
        // Without a copy it is no mount.
        let silent = MOUNT.watch(|| {
            let opened = call(libc::SYS_open_tree, &[&AT_FDCWD, &c(&target), &0]);
            assert!(opened >= 0);
            call(libc::SYS_close, &[&opened]);
        });
        assert!(silent.is_empty());
        for fd in [context, fd, tree] {
            call(libc::SYS_close, &[&fd]);
        }
    });
}

#[test]
fn umount_names_the_mount_that_went_away() {
    if !ready() {
        return;
    }
    in_own_namespace(|root| {
        let target = root.join("target");
        fs::create_dir(&target).unwrap();
        assert_eq!(call(libc::SYS_mount, &[&c("none"), &c(&target), &c("tmpfs"), &0, &0]), 0);
        let truth = stat(&target);
        let seen = UMOUNT.watch_one(Kind::Umount, || {
            assert_eq!(call(libc::SYS_umount2, &[&c(&target), &libc::MNT_DETACH]), 0);
        });
        let body: path_body = seen.record().body();
        assert_call(&seen, &body.call, 0, CALL_FLAG_NO_DIRFD, AT_FDCWD, target.to_str().unwrap());
        truth.assert_is(&body.file);
        assert_eq!(text(&seen.record(), body.file.path), target.to_str().unwrap());
        assert_eq!(body.flags, libc::MNT_DETACH as u32);
    });
}

#[test]
fn pivot_root_shows_the_new_root() {
    if !ready() {
        return;
    }
    in_own_namespace(|root| {
        let old = root.join("old");
        fs::create_dir(&old).unwrap();
        let truth = stat(&root);
        let seen = MOUNT.watch_one(Kind::Mount, || {
            assert_eq!(call(libc::SYS_pivot_root, &[&c(&root), &c(&old)]), 0);
        });
        let body: mount_body = seen.record().body();
        assert_call(&seen, &body.call, 0, CALL_FLAG_NO_DIRFD, AT_FDCWD, old.to_str().unwrap());
        assert_eq!(body.what, MOUNT_CALL_PIVOT_ROOT);
        assert_eq!(text(&seen.record(), body.source_given), root.to_str().unwrap());
        assert_eq!(text(&seen.record(), body.mountpoint.path), "/");
        truth.assert_is(&body.mountpoint);
    });
}
