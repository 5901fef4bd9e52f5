//! Paths in all their forms, as the process sees them.

use std::ffi::OsStr;
use std::fs;
use std::os::fd::AsRawFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::path::Path;

use libc::{AT_FDCWD, O_CREAT, O_DIRECTORY, O_PATH, O_RDONLY, O_RDWR};
use proto::wire::Kind;
use proto::wire::layout::*;

use crate::calls::{CHMOD, OPEN, at_functions, c, call, ready};
use crate::check::{LOOKED_UP, named, stat, text, without_overlay};
use crate::records::Seen;

fn chmod(given: &[u8]) -> (Seen, chmod_body) {
    let path = std::ffi::CString::new(given).unwrap();
    let seen = CHMOD.watch_one(Kind::Chmod, || assert_eq!(call(libc::SYS_chmod, &[&path, &0o600_u32]), 0));
    let body = seen.record().body();
    (seen, body)
}

fn open_at(dirfd: i32, path: impl AsRef<Path>, flags: i32) -> (Seen, open_body) {
    let path = c(path);
    let seen = OPEN.watch_one(Kind::Open, || {
        let opened = call(libc::SYS_openat, &[&dirfd, &path, &flags, &0o600_u32]);
        assert!(opened >= 0, "{path:?}: {opened}");
        call(libc::SYS_close, &[&opened]);
    });
    let body = seen.record().body();
    (seen, body)
}

/// Runs on a thread with a mount namespace and a working directory of its own, in which nothing propagates.
fn in_own_namespace<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> T {
    std::thread::spawn(|| {
        assert_eq!(call(libc::SYS_unshare, &[&(libc::CLONE_NEWNS | libc::CLONE_FS)]), 0);
        let flags = (libc::MS_REC | libc::MS_PRIVATE) as usize;
        assert_eq!(call(libc::SYS_mount, &[&c("none"), &c("/"), &0, &flags, &0]), 0);
        run()
    })
    .join()
    .unwrap()
}

fn mount(source: &str, target: &Path, kind: &str, flags: libc::c_ulong, data: &str) {
    let arguments: &[&dyn crate::calls::Argument] =
        &[&c(source), &c(target), &c(kind), &(flags as usize), &c(data)];
    assert_eq!(call(libc::SYS_mount, arguments), 0, "{target:?}");
}

#[test]
fn a_string_is_looked_up_as_the_kernel_does() {
    if !ready() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().canonicalize().unwrap();
    let (sub, file) = (root.join("sub"), root.join("sub/file"));
    fs::create_dir(&sub).unwrap();
    fs::write(&file, "").unwrap();
    symlink("sub", root.join("relative")).unwrap();
    symlink(&sub, root.join("absolute")).unwrap();
    symlink("relative/../absolute/file", root.join("chain")).unwrap();
    let open = fs::File::open(&file).unwrap();
    let handle = fs::File::open(&sub).unwrap();
    let truth = stat(&file);
    let at = root.to_str().unwrap();
    for given in [
        format!("{at}/sub/file"),
        format!("//{at}//sub/.//./file"),
        format!("{at}/sub/../sub/../../{}/sub/file", root.file_name().unwrap().to_str().unwrap()),
        format!("/../../..{at}/sub/file"),
        format!("{at}/relative/file"),
        format!("{at}/absolute/file"),
        format!("{at}/chain"),
        format!("/proc/self/root{at}/sub/file"),
        format!("/proc/{}/root{at}/sub/file", std::process::id()),
        format!("/proc/self/fd/{}", open.as_raw_fd()),
        format!("/proc/self/fd/{}/file", handle.as_raw_fd()),
    ] {
        let (seen, body) = chmod(given.as_bytes());
        assert_eq!(text(&seen.record(), body.call.path), given);
        assert_eq!(text(&seen.record(), body.file.path), file.to_str().unwrap(), "{given}");
        assert_eq!(body.file.inode, truth.0.stx_ino, "{given}");
        assert_eq!(without_overlay(body.file.flags), named(), "{given}");
    }
}

#[test]
fn names_of_all_lengths_and_bytes_come_through() {
    if !ready() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let mut names: Vec<Vec<u8>> =
        (1..=40).chain([127, 128, 247, 248, 254, 255]).map(|n| vec![b'n'; n]).collect();
    names.push(b"new\nline \"quoted\" \\ %s\t\x01".to_vec());
    names.push(b"\xff\xfe not text".to_vec());
    names.push(b"...".to_vec());
    names.push(b"-rf".to_vec());
    names.push(b" (deleted)".to_vec());
    for name in &names {
        fs::write(directory.path().join(OsStr::from_bytes(name)), "").unwrap();
    }
    let paths: Vec<_> = names.iter().map(|name| directory.path().join(OsStr::from_bytes(name))).collect();
    let seen = CHMOD.watch(|| {
        for path in &paths {
            assert_eq!(call(libc::SYS_chmod, &[&c(path), &0o600_u32]), 0);
        }
    });
    assert_eq!(seen.len(), paths.len());
    for (seen, path) in seen.iter().zip(&paths) {
        let body: chmod_body = seen.record().body();
        assert_eq!(OsStr::from_bytes(seen.record().span(body.file.path)), path.as_os_str());
        assert_eq!(body.file.inode, stat(path).0.stx_ino, "{path:?}");
        assert_eq!(without_overlay(body.file.flags), named());
    }
}

#[test]
fn what_the_caches_do_not_hold_is_marked() {
    if !ready() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    // More names than are looked at, all newer than the one in question.
    for n in 0..1000 {
        fs::write(directory.path().join(n.to_string()), "").unwrap();
    }
    let (seen, body) = chmod(file.as_os_str().as_bytes());
    assert_eq!(text(&seen.record(), body.file.path), file.to_str().unwrap());
    if at_functions() {
        // They ask no cache.
        assert_eq!(without_overlay(body.file.flags), named());
        assert_eq!(body.file.inode, stat(&file).0.stx_ino);
        return;
    }
    assert_eq!(without_overlay(body.file.flags), LOOKED_UP | FILE_FLAG_NO_INODE);
    assert_eq!(seen.record().header().errors, ERROR_OLD_VALUES);
    assert_eq!((body.file.inode, body.file.mode), (0, 0));
    assert_ne!(body.file.mount_id, 0);
}

#[test]
fn deep_and_long_paths_are_whole_or_marked() {
    if !ready() {
        return;
    }
    let directory = tempfile::tempdir_in("/dev/shm").unwrap();
    let mut fd = call(libc::SYS_openat, &[&AT_FDCWD, &c(directory.path()), &(O_PATH | O_DIRECTORY)]);
    let mut path = directory.path().to_owned();
    let mut descend = |path: &mut std::path::PathBuf, name: &str, times: usize| {
        for _ in 0..times {
            assert_eq!(call(libc::SYS_mkdirat, &[&fd, &c(name), &0o700_u32]), 0);
            let below = call(libc::SYS_openat, &[&fd, &c(name), &(O_PATH | O_DIRECTORY)]);
            call(libc::SYS_close, &[&fd]);
            fd = below;
            path.push(name);
        }
        fd
    };
    let fd_at_300 = descend(&mut path, "level", 300);
    let (seen, body) = open_at(fd_at_300 as i32, "file", O_CREAT | O_RDWR);
    assert_eq!(text(&seen.record(), body.file.path), path.join("file").to_str().unwrap());
    assert_eq!(without_overlay(body.file.flags), FILE_FLAG_VALID);

    // 600 levels: more than are walked.
    let fd_at_600 = descend(&mut path, "d", 300);
    let (seen, body) = open_at(fd_at_600 as i32, "file", O_CREAT | O_RDWR);
    let seen_path = text(&seen.record(), body.file.path);
    assert!(path.join("file").to_str().unwrap().ends_with(&seen_path), "{seen_path}");
    assert!(seen_path.ends_with("/d/d/d/file"));
    assert_eq!(without_overlay(body.file.flags), FILE_FLAG_VALID | FILE_FLAG_PATH_TRUNCATED);

    // 20 levels of 250 bytes: longer than PATH_MAX.
    let long = "x".repeat(250);
    let fd_at_end = descend(&mut path, &long, 20);
    let (seen, body) = open_at(fd_at_end as i32, "file", O_CREAT | O_RDWR);
    let seen_path = text(&seen.record(), body.file.path);
    assert!(path.join("file").to_str().unwrap().ends_with(&seen_path));
    assert_eq!(seen_path.len(), 16 * 251 + 5);
    assert_eq!(without_overlay(body.file.flags), FILE_FLAG_VALID | FILE_FLAG_PATH_TRUNCATED);
    call(libc::SYS_close, &[&fd_at_end]);
}

#[test]
fn mounts_are_crossed() {
    if !ready() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().canonicalize().unwrap();
    in_own_namespace(move || {
        let (below, bind) = (root.join("below"), root.join("bind"));
        fs::create_dir_all(&below).unwrap();
        fs::create_dir_all(&bind).unwrap();
        mount("none", &below, "tmpfs", 0, "");
        fs::write(below.join("hidden"), "").unwrap();
        // One mount upon the other: the upper one counts.
        mount("none", &below, "tmpfs", 0, "");
        fs::write(below.join("file"), "").unwrap();
        mount(below.to_str().unwrap(), &bind, "", libc::MS_BIND, "");
        for (given, path) in [
            (below.join("file"), below.join("file")),
            (bind.join("file"), bind.join("file")),
            (bind.join("../below/file"), below.join("file")),
        ] {
            let truth = stat(&given);
            let (seen, body) = chmod(given.as_os_str().as_bytes());
            assert_eq!(text(&seen.record(), body.file.path), path.to_str().unwrap());
            assert_eq!(body.file.mount_id, truth.0.stx_mnt_id as u32);
            assert_eq!(body.file.inode, truth.0.stx_ino);
            assert_eq!(&body.file.filesystem[..6], b"tmpfs\0");
            let (seen, body) = open_at(AT_FDCWD, &given, O_RDONLY);
            assert_eq!(text(&seen.record(), body.file.path), path.to_str().unwrap());
            assert_eq!(body.file.mount_id, truth.0.stx_mnt_id as u32);
        }
        // Unmounted lazily under an open descriptor: the path begins at the mount that is gone.
        let handle = fs::File::open(&below).unwrap();
        assert_eq!(call(libc::SYS_umount2, &[&c(&below), &libc::MNT_DETACH]), 0);
        let (seen, body) = open_at(handle.as_raw_fd(), "file", O_RDONLY);
        assert_eq!(text(&seen.record(), body.file.path), "/file");
        let gone = FILE_FLAG_VALID | FILE_FLAG_DETACHED | FILE_FLAG_UNREACHABLE;
        assert_eq!(body.file.flags, gone);
    });
}

#[test]
fn a_mount_that_is_attached_nowhere_is_marked() {
    if !ready() {
        return;
    }
    let context = call(libc::SYS_fsopen, &[&c("tmpfs"), &0]);
    assert!(context >= 0);
    assert_eq!(call(libc::SYS_fsconfig, &[&context, &6 /* create */, &0, &0, &0]), 0);
    let mounted = call(libc::SYS_fsmount, &[&context, &0, &0]);
    assert!(mounted >= 0);
    let (seen, body) = open_at(mounted as i32, "file", O_CREAT | O_RDWR);
    assert_eq!(text(&seen.record(), body.file.path), "/file");
    assert_eq!(body.file.flags, FILE_FLAG_VALID | FILE_FLAG_DETACHED | FILE_FLAG_UNREACHABLE);
    call(libc::SYS_close, &[&mounted]);
    call(libc::SYS_close, &[&context]);
}

#[test]
fn a_process_in_a_chroot_sees_paths_from_there() {
    if !ready() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().to_owned();
    fs::write(root.join("file"), "").unwrap();
    in_own_namespace(move || {
        let path = c("/../file");
        let seen = OPEN.watch_one(Kind::Open, || {
            assert_eq!(call(libc::SYS_chroot, &[&c(&root)]), 0);
            assert_eq!(call(libc::SYS_chdir, &[&c("/")]), 0);
            assert!(call(libc::SYS_openat, &[&AT_FDCWD, &path, &O_RDONLY]) >= 0);
        });
        let body: open_body = seen.record().body();
        assert_eq!(text(&seen.record(), body.file.path), "/file");
        assert_eq!(without_overlay(body.file.flags), FILE_FLAG_VALID);
    });
}

/// Where the types of overlay are unknown, the programs rely on it.
#[test]
fn the_upper_file_of_an_overlay_stands_behind_its_inode() {
    use libbpf_rs::HasSize as _;
    use libbpf_rs::btf::Btf;
    use libbpf_rs::btf::types::MemberAttr;
    use libbpf_rs::btf::types::Struct;

    let Ok(types) = Btf::from_vmlinux() else {
        return println!("skipped: this kernel has no types");
    };
    let Some(overlay) = types.type_by_name::<Struct<'_>>("ovl_inode") else {
        return println!("skipped: overlay is a module of this kernel");
    };
    let place = |name: &str| {
        let member = overlay.iter().find(|member| member.name.is_some_and(|it| it == name)).unwrap();
        match member.attr {
            MemberAttr::Normal { offset } => offset / 8,
            MemberAttr::BitField { .. } => panic!("{name} is a bit field"),
        }
    };
    let inode = types.type_by_name::<Struct<'_>>("inode").unwrap();
    assert_eq!(place("__upperdentry"), place("vfs_inode") + u32::try_from(inode.size()).unwrap());
}

#[test]
fn layers_of_an_overlay_are_told_apart() {
    if !ready() {
        return;
    }
    let directory = tempfile::tempdir_in("/dev/shm").unwrap();
    let root = directory.path().canonicalize().unwrap();
    in_own_namespace(move || {
        for name in ["lower", "upper", "work", "merged"] {
            fs::create_dir(root.join(name)).unwrap();
        }
        fs::write(root.join("lower/old"), "").unwrap();
        let at = root.display();
        let data = format!("lowerdir={at}/lower,upperdir={at}/upper,workdir={at}/work");
        let merged = root.join("merged");
        mount("none", &merged, "overlay", 0, &data);
        let prefix = merged.to_str().unwrap().len() as u32;
        let flags =
            |upper: bool| FILE_FLAG_VALID | FILE_FLAG_OVERLAY | if upper { FILE_FLAG_UPPER_LAYER } else { 0 };

        let old = merged.join("old");
        let (seen, body) = open_at(AT_FDCWD, &old, O_RDONLY);
        assert_eq!(body.file.flags, flags(false));
        assert_eq!(text(&seen.record(), body.file.path), old.to_str().unwrap());
        assert_eq!(body.file.overlay_prefix, prefix);
        assert_eq!(&body.file.filesystem[..8], b"overlay\0");

        let (_, body) = open_at(AT_FDCWD, merged.join("new"), O_CREAT | O_RDWR);
        assert_eq!(body.file.flags, flags(true));
        assert_eq!(body.file.overlay_prefix, prefix);

        // The change copies the file up, but it is the lower one that was changed first.
        let (_, body) = chmod(old.as_os_str().as_bytes());
        assert_eq!(body.file.flags, flags(false) | named());
        let (_, body) = chmod(old.as_os_str().as_bytes());
        assert_eq!(body.file.flags, flags(true) | named());
    });
}
