//! chmod, chown, utimes, setxattr, removexattr: with the values before and after.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown as set_owner, symlink};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use integration_tests::harness::FileTruth;
use integration_tests::harness::call::{Arg, Calls, n, r, s, words, xattr_args};
use integration_tests::harness::times::rfc3339;
use libc::{AT_EMPTY_PATH, AT_FDCWD, AT_SYMLINK_NOFOLLOW, O_DIRECTORY, O_PATH, O_RDONLY, c_long};
use serde_json::{Map, Value, json};

use crate::watch::{Expected, Watch, text};

/// A file, a link to it, and the directory of both.
struct Place {
    directory: PathBuf,
    file: PathBuf,
    link: PathBuf,
}

impl Place {
    fn new(watch: &mut Watch) -> Result<Self> {
        let directory = watch.place()?;
        let (file, link) = (directory.join("file.conf"), directory.join("link"));
        fs::write(&file, "contents")?;
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644))?;
        symlink("file.conf", &link)?;
        Ok(Self { directory, file, link })
    }

    /// The directory behind `r(0)`.
    fn at(&self) -> Calls {
        Calls::new().then(libc::SYS_openat, [n(AT_FDCWD), s(&self.directory), n(O_PATH | O_DIRECTORY)])
    }

    /// The file behind `r(0)`.
    fn open(&self) -> Calls {
        Calls::new().then(libc::SYS_openat, [n(AT_FDCWD), s(&self.file), n(O_RDONLY)])
    }
}

/// A form of a call: the calls, the file that it is about, its path as given (empty: none), and whether it was found by a
/// text, which may have been empty.
struct Form<'a> {
    calls: Calls,
    path: &'a Path,
    given: &'a str,
    by_text: bool,
}

fn form<'a>(calls: Calls, path: &'a Path, given: &'a str) -> Form<'a> {
    Form { calls, path, given, by_text: !given.is_empty() }
}

/// Of a call that names a descriptor by an empty text.
fn empty(calls: Calls, path: &Path) -> Form<'_> {
    Form { calls, path, given: "", by_text: true }
}

/// Whether this kernel has a call.
fn exists(call: &str) -> bool {
    let events = Path::new("/sys/kernel/tracing/events/syscalls");
    let found = events.join(format!("sys_exit_{call}")).exists();
    if !found {
        println!("skipped: this kernel has no {call}");
    }
    found
}

/// The arguments as reported; null where there is no path.
fn given(path: &str, more: Value) -> Value {
    if path.is_empty() {
        return Value::Null;
    }
    let mut arguments = more;
    arguments["path"] = path.into();
    arguments
}

#[test]
fn chmod() -> Result<()> {
    const FCHMODAT2: c_long = 452;
    let Some(mut watch) = Watch::of(&["chmod"])? else { return Ok(()) };
    let place = Place::new(&mut watch)?;
    let mode = 0o4711;
    let mut forms = vec![
        form(Calls::new().then(libc::SYS_chmod, [s(&place.file), n(mode)]), &place.file, text(&place.file)),
        form(Calls::new().then(libc::SYS_chmod, [s(&place.link), n(mode)]), &place.file, text(&place.link)),
        form(place.open().then(libc::SYS_fchmod, [r(0), n(mode)]), &place.file, ""),
        form(place.at().then(libc::SYS_fchmodat, [r(0), s("link"), n(mode)]), &place.file, "link"),
    ];
    if exists("fchmodat2") {
        let plain = [r(0), s("./file.conf"), n(mode), n(0)];
        forms.push(form(place.at().then(FCHMODAT2, plain), &place.file, "./file.conf"));
        let arguments = [r(0), s(""), n(mode), n(AT_EMPTY_PATH)];
        forms.push(empty(place.open().then(FCHMODAT2, arguments), &place.file));
        let itself = |name: &str| [r(0), s(name), n(mode), n(AT_SYMLINK_NOFOLLOW)];
        forms.push(form(place.at().then(FCHMODAT2, itself("file.conf")), &place.file, "file.conf"));
        // A link has no mode of its own to change, which is no lack of permission.
        let made = place.at().then(FCHMODAT2, itself("link")).make(&watch.trigger)?;
        assert_eq!(made.last(), i64::from(-libc::EOPNOTSUPP));
        assert!(watch.signals("chmod", &made)?.is_empty());
    }
    for Form { calls, path, given: name, by_text } in forms {
        fs::set_permissions(path, fs::Permissions::from_mode(0o644))?;
        let before = FileTruth::of(path)?;
        let made = watch.make(&calls)?;
        assert_eq!(FileTruth::of(path)?.mode & 0o7777, 0o4711, "it was changed");
        let expected = Expected::of(before.file(path), given(name, json!({"mode": mode}))).by_text(by_text);
        watch.expect("chmod", &made, &expected.destination(json!({"mode": mode})))?;
    }
    Ok(())
}

/// New owner and group of a chown; -1: unchanged.
fn owner(uid: i64, gid: i64) -> Map<String, Value> {
    let mut owner = Map::new();
    owner.insert("uid".into(), uid.into());
    owner.insert("gid".into(), gid.into());
    if uid == 65534 {
        owner.insert("user".into(), "nobody".into());
    }
    if gid == 65534 {
        owner.insert("group".into(), "nogroup".into());
    }
    owner
}

#[test]
fn chown() -> Result<()> {
    let Some(mut watch) = Watch::of(&["chown"])? else { return Ok(()) };
    let place = Place::new(&mut watch)?;
    let to = |uid: i64, gid: i64| [n(uid), n(gid)];
    let with = |name: [Arg; 1], [uid, gid]: [Arg; 2]| {
        let [name] = name;
        [name, uid, gid]
    };
    let at = |name: &str, [uid, gid]: [Arg; 2], flags: i32| [r(0), s(name), uid, gid, n(flags)];
    for (form, uid, gid) in [
        (
            form(
                Calls::new().then(libc::SYS_chown, with([s(&place.file)], to(65534, 65534))),
                &place.file,
                text(&place.file),
            ),
            65534,
            65534,
        ),
        (
            form(
                Calls::new().then(libc::SYS_chown, with([s(&place.link)], to(65534, -1))),
                &place.file,
                text(&place.link),
            ),
            65534,
            -1,
        ),
        (
            form(
                Calls::new().then(libc::SYS_lchown, with([s(&place.link)], to(-1, 65534))),
                &place.link,
                text(&place.link),
            ),
            -1,
            65534,
        ),
        (
            form(place.open().then(libc::SYS_fchown, with([r(0)], to(65534, 65534))), &place.file, ""),
            65534,
            65534,
        ),
        (
            form(place.at().then(libc::SYS_fchownat, at("link", to(65534, -1), 0)), &place.file, "link"),
            65534,
            -1,
        ),
        (
            form(
                place.at().then(libc::SYS_fchownat, at("link", to(65534, 65534), AT_SYMLINK_NOFOLLOW)),
                &place.link,
                "link",
            ),
            65534,
            65534,
        ),
        (
            empty(
                place.open().then(libc::SYS_fchownat, at("", to(65534, 65534), AT_EMPTY_PATH)),
                &place.file,
            ),
            65534,
            65534,
        ),
    ] {
        let Form { calls, path, given: name, by_text } = form;
        set_owner(&place.file, Some(0), Some(0))?;
        std::os::unix::fs::lchown(&place.link, Some(0), Some(0))?;
        let before = FileTruth::of(path)?;
        let made = watch.make(&calls)?;
        let after = FileTruth::of(path)?;
        assert_eq!((after.uid == 65534, after.gid == 65534), (uid == 65534, gid == 65534), "it was changed");
        let expected =
            Expected::of(before.file(path), given(name, json!({"uid": uid, "gid": gid}))).by_text(by_text);
        watch.expect("chown", &made, &expected.destination(owner(uid, gid)))?;
    }
    Ok(())
}

#[test]
fn utimes() -> Result<()> {
    const UTIME_NOW: u64 = (1 << 30) - 1;
    const UTIME_OMIT: u64 = (1 << 30) - 2;
    let Some(mut watch) = Watch::of(&["utimes"])? else { return Ok(()) };
    let place = Place::new(&mut watch)?;
    let (file, link) = (&place.file, &place.link);
    let (access, modification) = (1_600_000_000_u64, 1_500_000_000_u64);
    let at = |seconds: u64, nanoseconds: u64| seconds * 1_000_000_000 + nanoseconds;
    let seconds = words(&[1_600_000_000, 1_500_000_000]);
    let micro = words(&[1_600_000_000, 123_456, 1_500_000_000, 654_321]);
    let nano = words(&[1_600_000_000, 123_456_789, 1_500_000_000, 987_654_321]);
    let in_seconds = [at(access, 0), at(modification, 0)];
    let in_micro = [at(access, 123_456_000), at(modification, 654_321_000)];
    let in_nano = [at(access, 123_456_789), at(modification, 987_654_321)];
    // futimens(3)
    let futimens =
        || form(place.open().then(libc::SYS_utimensat, [r(0), n(0), nano.clone(), n(0)]), file, "");
    // AT_EMPTY_PATH since 5.8, as faccessat2.
    let utimensat_empty = if exists("faccessat2") {
        empty(place.open().then(libc::SYS_utimensat, [r(0), s(""), nano.clone(), n(AT_EMPTY_PATH)]), file)
    } else {
        futimens()
    };
    let utimensat =
        |times: Arg, flags: i32| place.at().then(libc::SYS_utimensat, [r(0), s("link"), times, n(flags)]);
    for (form, times) in [
        (form(Calls::new().then(libc::SYS_utime, [s(file), seconds.clone()]), file, text(file)), in_seconds),
        (form(Calls::new().then(libc::SYS_utimes, [s(link), micro.clone()]), file, text(link)), in_micro),
        (form(place.at().then(libc::SYS_futimesat, [r(0), s("link"), micro]), file, "link"), in_micro),
        (form(utimensat(nano.clone(), 0), file, "link"), in_nano),
        (form(utimensat(nano.clone(), AT_SYMLINK_NOFOLLOW), link, "link"), in_nano),
        (futimens(), in_nano),
        (utimensat_empty, in_nano),
        // The time of the call, and none: neither is a time that was given.
        (form(Calls::new().then(libc::SYS_utime, [s(file), n(0)]), file, text(file)), [0, 0]),
        (
            form(utimensat(words(&[0, UTIME_NOW, 1_500_000_000, 5]), 0), file, "link"),
            [0, at(modification, 5)],
        ),
        (form(utimensat(words(&[0, UTIME_OMIT, 0, UTIME_NOW]), 0), file, "link"), [0, 0]),
    ] {
        let Form { calls, path, given: name, by_text } = form;
        let before = FileTruth::of(path)?;
        let made = watch.make(&calls)?;
        assert_ne!(FileTruth::of(path)?.change_time, before.change_time, "it was changed");
        let mut destination = Map::new();
        for (member, time) in ["access_time", "modification_time"].into_iter().zip(times) {
            if time != 0 {
                destination.insert(member.to_owned(), rfc3339(time).into());
            }
        }
        let expected = Expected::of(before.file(path), given(name, json!({}))).by_text(by_text);
        watch.expect("utimes", &made, &expected.destination(destination))?;
    }
    Ok(())
}

#[test]
fn extended_attributes() -> Result<()> {
    const SETXATTRAT: c_long = 463;
    const REMOVEXATTRAT: c_long = 466;
    let Some(mut watch) = Watch::of(&["setxattr", "removexattr"])? else { return Ok(()) };
    let place = Place::new(&mut watch)?;
    let (file, link) = (&place.file, &place.link);
    let attribute = || s("trusted.color.of");
    let set = |name: Arg| [name, attribute(), s("blue"), n(4), n(0)];
    let set_by_path = |number, path: &Path| Calls::new().then(number, set(s(path)));
    let remove_by_path = |number, path: &Path| Calls::new().then(number, [s(path), attribute()]);
    // In pairs: what one sets the next removes. With whether the file is named by text.
    let mut forms = vec![
        (set_by_path(libc::SYS_setxattr, file), file, true),
        (remove_by_path(libc::SYS_removexattr, link), file, true),
        (set_by_path(libc::SYS_setxattr, link), file, true),
        (remove_by_path(libc::SYS_lremovexattr, file), file, true),
        (set_by_path(libc::SYS_lsetxattr, link), link, true),
        (remove_by_path(libc::SYS_lremovexattr, link), link, true),
        (place.open().then(libc::SYS_fsetxattr, set(r(0))), file, false),
        (place.open().then(libc::SYS_fremovexattr, [r(0), attribute()]), file, false),
    ];
    if exists("setxattrat") {
        let arguments = [r(0), s("link"), n(0), attribute(), xattr_args("blue"), n(16)];
        forms.push((place.at().then(SETXATTRAT, arguments), file, true));
        forms.push((place.at().then(REMOVEXATTRAT, [r(0), s("link"), n(0), attribute()]), file, true));
        // Of the descriptor itself: by an empty path, and by none.
        for (path, by_text) in [(s(""), true), (n(0), false)] {
            let name = [r(0), path, n(AT_EMPTY_PATH), attribute()];
            let value = [xattr_args("blue"), n(16)];
            forms.push((place.open().then(SETXATTRAT, name.iter().cloned().chain(value)), file, by_text));
            forms.push((place.open().then(REMOVEXATTRAT, name), file, by_text));
        }
    }
    for (index, (calls, path, by_text)) in forms.into_iter().enumerate() {
        let before = FileTruth::of(path)?;
        let made = watch.make(&calls)?;
        // Not by the time of change, which tmpfs leaves as it was before 6.2.
        let is_set = rustix::fs::lgetxattr(path, "trusted.color.of", &mut [0_u8; 16]).is_ok();
        assert_eq!(is_set, index % 2 == 0, "it was changed");
        let event = if index % 2 == 0 { "setxattr" } else { "removexattr" };
        let destination = json!({"attribute_name": "trusted.color.of", "attribute_namespace": "trusted"});
        let expected = Expected::of(before.file(path), Value::Null).destination(destination).by_text(by_text);
        watch.expect(event, &made, &expected)?;
    }
    // The working directory, which not all kernels that have the call take for a descriptor.
    let arguments = [n(AT_FDCWD), n(0), n(AT_EMPTY_PATH), attribute(), xattr_args("blue"), n(16)];
    let here = Calls::new().then(libc::SYS_chdir, [s(&place.directory)]).then(SETXATTRAT, arguments);
    let made = here.make(&watch.trigger)?;
    if made.last() == 0 {
        let signal = watch.signals("setxattr", &made)?.pop().context("no signal")?;
        assert_eq!(signal.at("file.path"), &json!(&place.directory));
        assert_eq!(signal.at("file.inode"), &json!(FileTruth::of(&place.directory)?.inode));
    }
    Ok(())
}
