//! Paths as the process sees them, however it got there, and what is told of files that have none.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use integration_tests::harness::call::{Arg, Calls, Made, b, join, n, r, s, shown, w};
use integration_tests::harness::{FileTruth, Setup, can_run};
use libc::{
    AT_FDCWD, CLONE_FS, MNT_DETACH, MS_BIND, MS_MOVE, O_CREAT, O_DIRECTORY, O_PATH, O_RDONLY, O_RDWR,
    O_WRONLY,
};
use serde_json::{Map, Value, json};

use crate::mounts::{mount_tmpfs, number, own_namespace};
use crate::watch::Watch;

const TRUNCATED: &str = "too long or too deep: the beginning is missing";
const OUTSIDE: &str = "outside of the root directory of the process";
const AS_GIVEN: &str = "as given by the process: links are not resolved";

fn openat(calls: Calls, path: impl AsRef<Path>, flags: i32) -> Calls {
    calls.then(libc::SYS_openat, [n(AT_FDCWD), s(path.as_ref()), n(flags), n(0o600)])
}

/// What the descriptor that call number `of` returned is: `Made::stat` reads it.
fn stat_of(calls: Calls, of: usize) -> Calls {
    calls.then(libc::SYS_statx, [r(of), s(""), n(0x1000), n(0x17ff), b(256)])
}

/// The file of the last open that the calls caused, without what opening adds.
fn opened(watch: &mut Watch, made: &Made) -> Result<Map<String, Value>> {
    let signal = watch.signals("open", made)?.pop().context("no open")?;
    let mut file = signal.at("file").as_object().context("no file")?.clone();
    file.remove("flags");
    file.remove("destination");
    Ok(file)
}

/// Opens `given` after `calls`, in a file system of this type; fails unless the file is reported under `path`.
fn assert_opened(watch: &mut Watch, calls: Calls, given: &Path, path: &Path, filesystem: &str) -> Result<()> {
    let call = calls.count();
    let calls = stat_of(openat(calls, given, O_RDONLY), call);
    let made = watch.make(&calls)?;
    let truth = made.stat(call + 1, filesystem)?;
    assert_eq!(opened(watch, &made)?, truth.file(path), "{}", given.display());
    Ok(())
}

#[test]
fn mounts_are_crossed() -> Result<()> {
    let Some(mut watch) = Watch::of(&["open", "chmod"])? else { return Ok(()) };
    let place = watch.place()?;
    let (target, bind, moved) = (place.join("target"), place.join("bind"), place.join("moved"));
    for directory in [&target, &bind, &moved] {
        fs::create_dir(directory)?;
    }
    // A mount upon a mount, of which a directory shows elsewhere too.
    let below = target.join("below");
    let mounted = mount_tmpfs(mount_tmpfs(own_namespace(), &target), &target)
        .then(libc::SYS_mkdir, [s(&below), n(0o700)])
        .then(libc::SYS_mount, [s(&below), s(&bind), n(0), n(number(MS_BIND)), n(0)])
        .then(libc::SYS_mknod, [s(below.join("file")), n(0o100_600), n(0)]);
    for (given, path) in [
        (target.join("below/file"), target.join("below/file")),
        (bind.join("file"), bind.join("file")),
        (bind.join("../target/below/../below/file"), target.join("below/file")),
        (bind.join("."), bind.clone()),
    ] {
        assert_opened(&mut watch, mounted.clone(), &given, &path, "tmpfs")?;
        // The same by the look-up of a string.
        let call = mounted.count();
        let chmod = mounted.clone().then_stat(&given).then(libc::SYS_chmod, [s(&given), n(0o711)]);
        let made = watch.make(&chmod)?;
        let truth = made.stat(call, "tmpfs")?;
        let signal = watch.signals("chmod", &made)?.pop().context("no chmod")?;
        let mut expected = truth.file(&path);
        expected.insert("destination".into(), json!({"mode": 0o711}));
        assert_eq!(signal.at("file"), &json!(expected), "{}", given.display());
    }
    // A mount that was moved is where it is now.
    let moves = mount_tmpfs(own_namespace(), &target)
        .then(libc::SYS_mknod, [s(target.join("file")), n(0o100_600), n(0)])
        .then(libc::SYS_mount, [s(&target), s(&moved), n(0), n(number(MS_MOVE)), n(0)]);
    assert_opened(&mut watch, moves, &moved.join("file"), &moved.join("file"), "tmpfs")?;
    Ok(())
}

#[test]
fn what_is_mounted_nowhere_is_said_to_be_detached() -> Result<()> {
    let Some(mut watch) = Watch::of(&["open"])? else { return Ok(()) };
    let place = watch.place()?;
    // Unmounted lazily, under an open descriptor.
    let calls = openat(mount_tmpfs(own_namespace(), &place), &place, O_RDONLY)
        .then(libc::SYS_umount2, [s(&place), n(MNT_DETACH)])
        .then(libc::SYS_openat, [r(3), s("file"), n(O_CREAT | O_RDWR), n(0o600)]);
    let made = watch.make(&stat_of(calls, 5))?;
    let mut expected = made.stat(6, "tmpfs")?.file(Path::new("/file"));
    expected.remove("mount_visible");
    expected.insert("mount_detached".into(), true.into());
    expected.insert("path_resolution_error".into(), OUTSIDE.into());
    assert_eq!(opened(&mut watch, &made)?, expected);

    // Never attached: what fsmount(2) gives.
    let calls = Calls::new()
        .then(libc::SYS_fsopen, [s("tmpfs"), n(0)])
        .then(libc::SYS_fsconfig, [r(0), n(6), n(0), n(0), n(0)])
        .then(libc::SYS_fsmount, [r(0), n(0), n(0)])
        .then(libc::SYS_openat, [r(2), s("file"), n(O_CREAT | O_RDWR), n(0o600)]);
    let made = watch.make(&stat_of(calls, 3))?;
    for (member, value) in made.stat(4, "tmpfs")?.attributes() {
        if member != "mount_visible" {
            expected.insert(member, value);
        }
    }
    assert_eq!(opened(&mut watch, &made)?, expected);
    Ok(())
}

#[test]
fn layers_of_an_overlay() -> Result<()> {
    let Some(mut watch) =
        Watch::of(&["open", "chmod", "chown", "utimes", "setxattr", "link", "rename", "unlink"])?
    else {
        return Ok(());
    };
    let place = watch.place()?;
    let (merged, base) = (place.join("merged"), place.join("base"));
    fs::create_dir(&merged)?;
    fs::create_dir(&base)?;
    let data = format!("lowerdir={0}/lower,upperdir={0}/upper,workdir={0}/work", base.display());
    let on = || {
        let mut calls = mount_tmpfs(own_namespace(), &base);
        for name in ["lower", "upper", "work"] {
            calls = calls.then(libc::SYS_mkdir, [s(base.join(name)), n(0o700)]);
        }
        calls
            .then(libc::SYS_mknod, [s(base.join("lower/old")), n(0o100_600), n(0)])
            .then(libc::SYS_mount, [s("none"), s(&merged), s("overlay"), n(0), s(&data)])
    };
    let first = on().count();
    for (name, flags, is_upper) in [
        ("old", O_RDONLY, false),
        ("new", O_CREAT | O_RDWR, true),
        // Opening it for writing copies it up: it is told as it is after the call.
        ("old", O_WRONLY, true),
    ] {
        let path = merged.join(name);
        let made = watch.make(&stat_of(openat(on(), &path, flags), first))?;
        let mut expected = made.stat(first + 1, "overlay")?.file(&path);
        expected.insert("in_upper_layer".into(), is_upper.into());
        expected.insert("mount_path".into(), json!(&merged));
        assert_eq!(opened(&mut watch, &made)?, expected, "{name} {flags}");
    }
    // What is said is how it was before the call; of new names, how it is after.
    let (old, new) = (merged.join("old"), merged.join("new"));
    let setxattr = [s(&old), s("trusted.a"), s("v"), n(1), n(0)];
    for (event, number, arguments, destination) in [
        ("chmod", libc::SYS_chmod, vec![s(&old), n(0o640)], None),
        ("chown", libc::SYS_chown, vec![s(&old), n(1), n(1)], None),
        ("utimes", libc::SYS_utimes, vec![s(&old), n(0)], None),
        ("setxattr", libc::SYS_setxattr, setxattr.to_vec(), None),
        ("link", libc::SYS_link, vec![s(&old), s(&new)], Some(true)),
        ("rename", libc::SYS_rename, vec![s(&old), s(&new)], Some(true)),
        ("unlink", libc::SYS_unlink, vec![s(&old)], None),
    ] {
        for is_upper in [false, true] {
            // A first change copies the file up.
            let calls = if is_upper { openat(on(), &old, O_WRONLY) } else { on() };
            let made = watch.make(&calls.then_stat(&old).then(number, arguments.clone()))?;
            let before = made.stat(first + usize::from(is_upper), "overlay")?;
            let [signal] = &watch.signals(event, &made)?[..] else { panic!("one {event}") };
            let differences = signal.differences(&[
                ("file.path", json!(&old)),
                ("file.filesystem", json!("overlay")),
                ("file.mount_path", json!(&merged)),
                ("file.in_upper_layer", json!(is_upper)),
                ("file.mode", json!(before.mode)),
                ("file.inode", json!(before.inode)),
                ("file.destination.in_upper_layer", json!(destination)),
            ]);
            assert_eq!(
                differences,
                "",
                "{event} of a file of the {} layer",
                if is_upper { "upper" } else { "lower" }
            );
        }
    }
    Ok(())
}

#[test]
fn another_root_directory() -> Result<()> {
    let Some(mut watch) = Watch::of(&["open", "unlink"])? else { return Ok(()) };
    let place = watch.place()?;
    fs::write(place.join("file"), "")?;
    symlink("/../../file", place.join("link"))?;
    let truth = FileTruth::of(&place.join("file"))?;
    let inside = || {
        Calls::new()
            .then(libc::SYS_unshare, [n(CLONE_FS)])
            .then(libc::SYS_chroot, [s(&place)])
            .then(libc::SYS_chdir, [s("/")])
    };
    for given in ["/file", "/../file", "./file", "/link", "link"] {
        let made = watch.make(&openat(inside(), given, O_RDONLY))?;
        assert_eq!(opened(&mut watch, &made)?, truth.file(Path::new("/file")), "{given}");
    }
    let made = watch.make(&inside().then(libc::SYS_unlink, [s("/../link")]))?;
    assert_eq!(watch.signals("unlink", &made)?[0].at("file.path"), &json!("/link"));

    // A new root file system, as containers have it.
    let calls = mount_tmpfs(own_namespace(), &place)
        .then(libc::SYS_mkdir, [s(place.join("old")), n(0o700)])
        .then(libc::SYS_pivot_root, [s(&place), s(place.join("old"))])
        .then(libc::SYS_chdir, [s("/")]);
    let call = calls.count();
    let made = watch.make(&stat_of(openat(calls, "file", O_CREAT | O_RDWR), call))?;
    let expected = made.stat(call + 1, "tmpfs")?.file(Path::new("/file"));
    assert_eq!(opened(&mut watch, &made)?, expected);
    Ok(())
}

/// Makes the directories in `names`, one in the other, below `top`: longer than a path can be.
fn nest<'a>(top: &Path, names: impl Iterator<Item = &'a str>) -> Result<()> {
    use rustix::fs::{CWD, Mode, OFlags, mkdirat, openat};
    let mut directory = openat(CWD, top, OFlags::PATH | OFlags::DIRECTORY, Mode::empty())?;
    for name in names {
        mkdirat(&directory, name, Mode::RWXU)?;
        directory = openat(&directory, name, OFlags::PATH | OFlags::DIRECTORY, Mode::empty())?;
    }
    rustix::fs::openat(&directory, "file", OFlags::CREATE | OFlags::WRONLY, Mode::RUSR | Mode::WUSR)?;
    Ok(())
}

/// What is looked up as a string is compared to what the kernel has in its caches: by each length of a name, in each place
/// of a list.
#[test]
fn names_are_told_apart_by_every_byte_and_found_among_many() -> Result<()> {
    let Some(mut watch) = Watch::of(&["chmod"])? else { return Ok(()) };
    let place = watch.place()?;
    let mut paths: Vec<PathBuf> = (0..300).map(|number| place.join(format!("among-{number}"))).collect();
    for path in &paths {
        fs::write(path, "")?;
    }
    // The oldest, some in the middle, the newest.
    let mut asked: Vec<PathBuf> = [0, 1, 100, 200, 299].map(|index| paths[index].clone()).into();
    paths.clear();
    let names = watch.place()?;
    for length in [1, 7, 8, 9, 15, 16, 56, 63, 64, 65, 128, 247, 248, 255] {
        for last in ["a", "b"] {
            let path = names.join(format!("{}{last}", "n".repeat(length - 1)));
            fs::write(&path, "")?;
            paths.push(path);
        }
    }
    // A directory by its long name, up again, and by another one.
    let (long, other) = (names.join("d".repeat(255)), names.join("e".repeat(254)));
    fs::create_dir(&long)?;
    fs::create_dir(&other)?;
    fs::write(other.join("inside"), "")?;
    asked.append(&mut paths);
    let roundabout = long.join("..//.").join(other.file_name().context("a name")?).join("inside");
    for (given, path) in asked.iter().map(|path| (path, path)).chain([(&roundabout, &other.join("inside"))]) {
        let made = watch.make(&Calls::new().then(libc::SYS_chmod, [s(given), n(0o640)]))?;
        let signal = watch.signals("chmod", &made)?.pop().with_context(|| given.display().to_string())?;
        let mut expected = FileTruth::of(path)?.file(path);
        expected.insert("mode".into(), signal.at("file.mode").clone());
        expected.insert("change_time".into(), signal.at("file.change_time").clone());
        let mut seen = signal.at("file").as_object().context("no file")?.clone();
        seen.remove("destination");
        assert_eq!(seen, expected, "{}", given.display());
    }
    Ok(())
}

#[test]
fn deep_and_long_paths_are_whole_or_said_to_be_cut() -> Result<()> {
    let Some(mut watch) = Watch::of(&["open", "chmod"])? else { return Ok(()) };
    let place = watch.place()?;
    // 300 directories, in one call.
    let deep: PathBuf = place.join("level/".repeat(300));
    nest(&place, std::iter::repeat_n("level", 300))?;
    let file = deep.join("file");
    let made = watch.make(&openat(Calls::new(), &file, O_RDONLY))?;
    assert_eq!(opened(&mut watch, &made)?, FileTruth::of(&file)?.file(&file));
    // That is more than a look-up of a string goes through.
    let made = watch.make(&Calls::new().then(libc::SYS_chmod, [s(&file), n(0o600)]))?;
    let signal = watch.signals("chmod", &made)?.pop().context("no chmod")?;
    assert_eq!(signal.at("file.path"), &json!(&file));
    assert_eq!(signal.at("file.path_resolution_error"), &json!(AS_GIVEN));

    // 600 directories: the end of the path.
    let place = watch.place()?;
    nest(&place, std::iter::repeat_n("d", 600))?;
    let file = place.join("d/".repeat(600)).join("file");
    let made = watch.make(&openat(Calls::new(), &file, O_RDONLY))?;
    let seen = opened(&mut watch, &made)?;
    let path = seen["path"].as_str().context("a path")?;
    assert!(path.ends_with("/d/d/d/file") && shown(&file).ends_with(path) && path.len() > 1000, "{path}");
    assert_eq!(seen["path_resolution_error"], json!(TRUNCATED));
    assert_eq!(seen["inode"], json!(FileTruth::of(&file)?.inode));

    // 1,500 directories, and what follows is as ever.
    let place = watch.place()?;
    nest(&place, std::iter::repeat_n("d", 1500))?;
    let deepest = place.join("d/".repeat(1500));
    let file = deepest.join("file");
    let calls = Calls::new().then(libc::SYS_chdir, [s(&deepest)]);
    for calls in [openat(calls, "file", O_RDONLY), openat(Calls::new(), &file, O_RDONLY)] {
        let made = watch.make(&calls)?;
        let seen = opened(&mut watch, &made)?;
        let path = seen["path"].as_str().context("a path")?;
        assert!(path.ends_with("/d/d/d/file") && shown(&file).ends_with(path) && path.len() > 1000, "{path}");
        assert_eq!(seen["path_resolution_error"], json!(TRUNCATED));
        assert_eq!(seen["inode"], json!(FileTruth::of(&file)?.inode));
    }
    let made = watch.make(&Calls::new().then(libc::SYS_chmod, [s(&file), n(0o600)]))?;
    let signal = watch.signals("chmod", &made)?.pop().context("no chmod")?;
    let error = signal.at("file.path_resolution_error");
    assert!(*error == json!(TRUNCATED) || *error == json!(AS_GIVEN), "{:#}", signal.0);
    let path = signal.at("file.path").as_str().context("a path")?;
    assert!(path.ends_with("/d/d/d/file") && shown(&file).ends_with(path), "{path}");
    // What removes the directory of the test holds a descriptor of each one on the way.
    ensure!(Command::new("rm").arg("-rf").arg(place.join("d")).status()?.success(), "rm");
    let file = watch.place()?.join("file");
    fs::write(&file, "")?;
    let made = watch.make(&openat(Calls::new(), &file, O_RDONLY))?;
    assert_eq!(opened(&mut watch, &made)?, FileTruth::of(&file)?.file(&file));

    // Longer than PATH_MAX, which takes several steps to reach.
    let place = watch.place()?;
    let long = "x".repeat(250);
    nest(&place, std::iter::repeat_n(long.as_str(), 20))?;
    let step = format!("{long}/").repeat(10);
    let calls = Calls::new().then(libc::SYS_chdir, [s(place.join(&step))]).then(libc::SYS_chdir, [s(&step)]);
    let made = watch.make(&stat_of(openat(calls, "file", O_RDONLY), 2))?;
    let seen = opened(&mut watch, &made)?;
    let path = seen["path"].as_str().context("a path")?;
    assert!(path.ends_with(&format!("{long}/file")) && path.len() > 3800, "{} bytes", path.len());
    assert_eq!(seen["path_resolution_error"], json!(TRUNCATED));
    assert_eq!(seen["inode"], json!(made.stat(3, "")?.inode));
    // A string of the longest length there is.
    let place = watch.place()?;
    fs::write(place.join("f"), "")?;
    let top = place.to_str().context("text")?;
    let given = format!("{top}/{}f", "./".repeat((4095 - top.len() - 2) / 2));
    assert!((4094..=4095).contains(&given.len()));
    let made = watch.make(&openat(Calls::new(), &given, O_RDONLY))?;
    let file = place.join("f");
    assert_eq!(opened(&mut watch, &made)?, FileTruth::of(&file)?.file(&file));
    Ok(())
}

#[test]
fn files_without_a_path() -> Result<()> {
    let Some(mut watch) = Watch::of(&["open"])? else { return Ok(()) };
    let place = watch.place()?;
    let again = |calls: Calls, descriptor: Arg, path: &str| {
        calls
            .then(libc::SYS_dup2, [descriptor, n(77)])
            .then(libc::SYS_openat, [n(AT_FDCWD), s(path), n(O_RDONLY)])
    };
    // In memory: a name and no path.
    let memory = Calls::new().then(libc::SYS_memfd_create, [s("hidden.so"), n(0)]);
    let made = watch.make(&stat_of(again(memory, r(0), "/proc/self/fd/77"), 0))?;
    let truth = made.stat(3, "tmpfs")?;
    let seen = opened(&mut watch, &made)?;
    assert_eq!(
        (&seen["name"], &seen["extension"], seen.get("path")),
        (&json!("memfd:hidden.so"), &json!(".so"), None)
    );
    assert_eq!((&seen["inode"], &seen["mode"]), (&json!(truth.inode), &json!(truth.mode)));
    assert_eq!(seen.get("path_resolution_error"), None, "it is not that a path could not be found");

    // Deleted: under the path that it had.
    let path = place.join("deleted");
    let calls = openat(Calls::new(), &path, O_CREAT | O_RDWR).then(libc::SYS_unlink, [s(&path)]);
    let made = watch.make(&stat_of(again(calls, r(0), "/proc/self/fd/77"), 0))?;
    let filesystem = FileTruth::of(&place)?.filesystem;
    assert_eq!(opened(&mut watch, &made)?, made.stat(4, &filesystem)?.file(&path));

    // Pipes are silent; sockets cannot be opened anew.
    let pipe = Calls::new().then(libc::SYS_pipe2, [b(8), n(0)]);
    let made = watch.make(&again(pipe, w(0, 0, 0), "/proc/self/fd/77"))?;
    assert!(watch.signals("open", &made)?.is_empty());
    let socket = Calls::new().then(libc::SYS_socket, [n(1), n(1), n(0)]);
    let made = again(socket, r(0), "/proc/self/fd/77").make(&watch.trigger)?;
    assert_eq!(made.last(), -6, "ENXIO");
    assert!(watch.signals("open", &made)?.is_empty());
    Ok(())
}

#[test]
fn the_links_of_proc_lead_to_what_is_there() -> Result<()> {
    let Some(mut watch) = Watch::of(&["open", "chmod"])? else { return Ok(()) };
    let place = watch.place()?;
    let file = place.join("file");
    fs::write(&file, "")?;
    let at = Calls::new().then(libc::SYS_chdir, [s(&place)]);
    let below_root = PathBuf::from(format!("/proc/self/root{}", file.display()));
    for (given, path) in [
        (below_root.clone(), file.clone()),
        ("/proc/self/cwd/file".into(), file.clone()),
        ("/proc/thread-self/cwd/file".into(), file.clone()),
        ("/proc/self/exe".into(), watch.trigger.path().to_owned()),
    ] {
        let made = watch.make(&openat(at.clone(), &given, O_RDONLY))?;
        assert_eq!(opened(&mut watch, &made)?, FileTruth::of(&path)?.file(&path), "{}", given.display());
    }
    // What is no link is a file of /proc, of the process that asks.
    let made = watch.make(&openat(Calls::new(), "/proc/self/status", O_RDONLY))?;
    let seen = opened(&mut watch, &made)?;
    let path = format!("/proc/{}/status", made.pid());
    assert_eq!((&seen["path"], &seen["filesystem"]), (&json!(path), &json!("proc")));
    // Looked up as a string.
    let made = watch.make(&Calls::new().then(libc::SYS_chmod, [s(&below_root), n(0o600)]))?;
    let signal = watch.signals("chmod", &made)?.pop().context("no chmod")?;
    assert_eq!(signal.at("file.path"), &json!(&file));
    assert_eq!(signal.at("file.path_resolution_error"), &Value::Null);
    Ok(())
}

/// Waits until a process that makes calls has come to its last one.
fn wait_for(path: &Path) -> Result<()> {
    let until = Instant::now() + Duration::from_secs(60);
    while !path.exists() {
        ensure!(Instant::now() < until, "no {}", path.display());
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// The root of a process in another mount namespace, as containers have it: what is opened through it has the path of that
/// namespace, not one of the opener, which has none. So a rule about the file, as the process itself knows it, matches.
#[test]
fn the_root_of_a_process_in_another_namespace() -> Result<()> {
    if !can_run() {
        return Ok(());
    }
    // With the whole of another root, and with a root that is a directory of the other namespace.
    for exchanged in [true, false] {
        let rule = |path: &str| format!("process.file.name == \"call\" && open.file.path =~ \"{path}\"");
        let own = if exchanged { "/etc/told-by-path" } else { "/**/etc/told-by-path" };
        let setup = Setup::new()
            .rule("by_path", &rule(own))
            .rule("by_name", "process.file.name == \"call\" && open.file.name == \"told-by-path\"");
        let Some(mut watch) = Watch::with(&[], setup)? else { return Ok(()) };
        let root = watch.place()?;
        let inside = |path: &str| root.join(path);
        let calls = mount_tmpfs(own_namespace(), &root)
            .then(libc::SYS_mkdir, [s(inside("etc")), n(0o755)])
            .then(libc::SYS_mkdir, [s(inside("old")), n(0o755)])
            .then(libc::SYS_mknod, [s(inside("etc/told-by-path")), n(0o100_600), n(0)])
            .then(libc::SYS_chdir, [s(&root)]);
        let calls = if exchanged {
            calls
                .then(libc::SYS_pivot_root, [s("."), s("old")])
                .then(libc::SYS_umount2, [s("/old"), n(MNT_DETACH)])
        } else {
            calls.then(libc::SYS_chroot, [s(".")])
        };
        let stays = calls.then(libc::SYS_mknod, [s("/ready"), n(0o100_600), n(0)]);
        let process = stays.make_and_stay(&watch.trigger)?;
        let seen_from_outside = PathBuf::from(format!("/proc/{}/root", process.pid()));
        wait_for(&seen_from_outside.join("ready"))?;

        let made = watch.make(&openat(Calls::new(), seen_from_outside.join("etc/told-by-path"), O_RDONLY))?;
        let path = if exchanged { "/etc/told-by-path".into() } else { shown(inside("etc/told-by-path")) };
        watch.pair.settle()?;
        for rule in ["by_path", "by_name"] {
            let of_rule = watch.pair.signals.of_rule(rule);
            let signals: Vec<_> = of_rule.filter(|signal| signal.at("process.pid") == made.pid()).collect();
            let [signal] = &signals[..] else { panic!("{rule}, exchanged: {exchanged}: {signals:#?}") };
            let differences = signal.differences(&[
                ("file.path", json!(path)),
                ("file.filesystem", json!("tmpfs")),
                ("file.path_resolution_error", json!(OUTSIDE)),
            ]);
            assert_eq!(differences, "", "{rule}, exchanged: {exchanged}");
        }
    }
    Ok(())
}

#[test]
fn each_name_of_a_file_is_told_as_it_is_used() -> Result<()> {
    let Some(mut watch) = Watch::of(&["open", "unlink"])? else { return Ok(()) };
    let place = watch.place()?;
    let (one, other) = (place.join("one"), place.join("other"));
    fs::write(&one, "")?;
    fs::hard_link(&one, &other)?;
    for path in [&one, &other] {
        let made = watch.make(&openat(Calls::new(), path, O_RDONLY))?;
        assert_eq!(opened(&mut watch, &made)?, FileTruth::of(path)?.file(path));
    }
    let truth = FileTruth::of(&other)?;
    let made = watch.make(&Calls::new().then(libc::SYS_unlink, [s(&other)]))?;
    assert_eq!(watch.signals("unlink", &made)?[0].at("file"), &json!(truth.file(&other)));
    Ok(())
}

#[test]
fn names_of_any_bytes() -> Result<()> {
    let Some(mut watch) = Watch::of(&["open", "unlink"])? else { return Ok(()) };
    let place = watch.place()?;
    let longest = vec![b'n'; 255];
    for name in [
        &b"new\nline"[..],
        b"\"quoted\" \\ %s\t\x01",
        b"\xff\xfe not text",
        b"\xe2\x82",
        "Grüße, 世界".as_bytes(),
        b"...",
        b"-rf",
        b" (deleted)",
        b" ",
        &longest,
    ] {
        let path = join(&place, name);
        let made = watch.make(&openat(Calls::new(), &path, O_CREAT | O_RDWR))?;
        let truth = FileTruth::of(&path)?;
        assert_eq!(opened(&mut watch, &made)?, truth.file(&path), "{name:?}");
        let made = watch.make(&Calls::new().then(libc::SYS_unlink, [s(&path)]))?;
        assert_eq!(watch.signals("unlink", &made)?[0].at("file"), &json!(truth.file(&path)), "{name:?}");
    }
    Ok(())
}

#[test]
fn a_directory_behind_a_descriptor_follows_its_renaming() -> Result<()> {
    let Some(mut watch) = Watch::of(&["open"])? else { return Ok(()) };
    let place = watch.place()?;
    let (before, after) = (place.join("before"), place.join("after"));
    fs::create_dir(&before)?;
    fs::write(before.join("file"), "")?;
    let calls = openat(Calls::new(), &before, O_PATH | O_DIRECTORY)
        .then(libc::SYS_rename, [s(&before), s(&after)])
        .then(libc::SYS_openat, [r(0), s("file"), n(O_RDONLY)]);
    let made = watch.make(&calls)?;
    let path = after.join("file");
    assert_eq!(opened(&mut watch, &made)?, FileTruth::of(&path)?.file(&path));
    Ok(())
}
