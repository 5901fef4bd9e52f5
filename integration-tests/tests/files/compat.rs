//! 32-bit calls, by int 0x80 from a 64-bit program, where the setting for them is on.

use std::collections::BTreeMap;
use std::ffi::c_long;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use integration_tests::harness::call::{Arg, Calls, Made, b, n, p, r, s, w, words, x, xattr_args};
use integration_tests::harness::times::rfc3339;
use integration_tests::harness::{FileTruth, Setup, Signal};
use libc::{
    AT_FDCWD, AT_REMOVEDIR, AT_SYMLINK_NOFOLLOW, MNT_DETACH, O_CREAT, O_DIRECTORY, O_PATH, O_RDONLY, O_TRUNC,
    O_WRONLY,
};
use serde_json::{Map, Value, json};

use crate::mounts::{check, device, id, mount_tmpfs, own_namespace};
use crate::open::opened;
use crate::watch::{Expected, Watch, retval, text};

/// The 32-bit forms of the calls on files, with the numbers of arch/x86/entry/syscalls/syscall_32.tbl.
const FORMS: [(&str, c_long); 57] = [
    ("OPEN", 5),
    ("CREAT", 8),
    ("LINK", 9),
    ("UNLINK", 10),
    ("CHDIR", 12),
    ("CHMOD", 15),
    ("LCHOWN16", 16),
    ("MOUNT", 21),
    ("OLDUMOUNT", 22),
    ("UTIME32", 30),
    ("RENAME", 38),
    ("MKDIR", 39),
    ("RMDIR", 40),
    ("UMOUNT", 52),
    ("SYMLINK", 83),
    ("TRUNCATE", 92),
    ("FTRUNCATE", 93),
    ("FCHMOD", 94),
    ("FCHOWN16", 95),
    ("FCHDIR", 133),
    ("CHOWN16", 182),
    ("TRUNCATE64", 193),
    ("FTRUNCATE64", 194),
    ("LCHOWN", 198),
    ("FCHOWN", 207),
    ("CHOWN", 212),
    ("PIVOT_ROOT", 217),
    ("SETXATTR", 226),
    ("LSETXATTR", 227),
    ("FSETXATTR", 228),
    ("REMOVEXATTR", 235),
    ("LREMOVEXATTR", 236),
    ("FREMOVEXATTR", 237),
    ("UTIMES32", 271),
    ("OPENAT", 295),
    ("MKDIRAT", 296),
    ("FCHOWNAT", 298),
    ("FUTIMESAT32", 299),
    ("UNLINKAT", 301),
    ("RENAMEAT", 302),
    ("LINKAT", 303),
    ("SYMLINKAT", 304),
    ("FCHMODAT", 306),
    ("SPLICE", 313),
    ("UTIMENSAT32", 320),
    ("FALLOCATE_PAIRS", 324),
    ("OPEN_BY_HANDLE_AT", 342),
    ("RENAMEAT2", 353),
    ("UTIMENSAT", 412),
    ("OPEN_TREE", 428),
    ("MOVE_MOUNT", 429),
    ("FSMOUNT", 432),
    ("OPENAT2", 437),
    ("FCHMODAT2", 452),
    ("SETXATTRAT", 463),
    ("REMOVEXATTRAT", 466),
    ("OPEN_TREE_ATTR", 467),
];

const EVENTS: [&str; 17] = [
    "open",
    "mkdir",
    "rmdir",
    "unlink",
    "rename",
    "link",
    "symlink",
    "chmod",
    "chown",
    "utimes",
    "setxattr",
    "removexattr",
    "chdir",
    "splice",
    "mount",
    "umount",
    "pivot_root",
];

/// Whether this kernel takes such calls.
fn possible() -> bool {
    let symbols = fs::read_to_string("/proc/kallsyms").unwrap_or_default();
    let entries = ["entry_INT80_compat", "int80_emulation", "do_int80_emulation"];
    let found = symbols.lines().any(|line| entries.iter().any(|entry| line.ends_with(&format!(" {entry}"))));
    if !found {
        println!("skipped: this kernel has no 32-bit calls");
    }
    found
}

fn watched(setting: bool) -> Result<Option<Watch>> {
    if !possible() {
        return Ok(None);
    }
    let line = format!("runtime_security_config.probe.compat_syscalls: {setting}");
    Watch::with(&EVENTS, Setup::new().probe_line(&line))
}

#[test]
fn every_form_that_is_watched_is_called_here() {
    let header = include_str!("../../../bpf/include/file_calls.h");
    let calls = header.split("CALL(").skip(1).filter_map(|call| call.split_once(')'));
    let mut watched = BTreeMap::new();
    for (call, _) in calls {
        let parts: Vec<_> = call.split(',').map(str::trim).collect();
        // What is no number stands for "none", or is a parameter.
        let [form, _, _, number] = parts[..] else { continue };
        watched.extend(number.parse::<c_long>().ok().map(|number| (form, number)));
    }
    assert_eq!(watched, BTreeMap::from(FORMS));
}

/// What makes each form of a 32-bit call once.
struct Compat {
    watch: Watch,
    place: PathBuf,
    file: PathBuf,
    new: PathBuf,
    left: BTreeMap<&'static str, c_long>,
}

impl Compat {
    /// Makes calls of this architecture and then a 32-bit one; `None` if the kernel does not have that.
    fn make(&mut self, before: Calls, form: &'static str, arguments: Vec<Arg>) -> Result<Option<Made>> {
        self.make_then(before, form, arguments, |calls| calls)
    }

    /// The same, and what is asked afterwards.
    fn make_then(
        &mut self,
        before: Calls,
        form: &'static str,
        arguments: Vec<Arg>,
        then: impl FnOnce(Calls) -> Calls,
    ) -> Result<Option<Made>> {
        let (_, number) = FORMS.iter().find(|(name, _)| *name == form).context("a form of the table")?;
        self.left.remove(form);
        let call = before.count();
        let made = then(before.then_i386(*number, arguments)).make(&self.watch.trigger)?;
        if made.result(call) == i64::from(-libc::ENOSYS) {
            println!("skipped: this kernel has no 32-bit call {number}, {form}");
            return Ok(None);
        }
        made.succeeded().map(Some).context(form)
    }

    /// The directory of the files behind `r(0)`.
    fn at(&self) -> Calls {
        Calls::new().then(libc::SYS_openat, [n(AT_FDCWD), s(&self.place), n(O_PATH | O_DIRECTORY)])
    }

    /// A file behind `r(0)`.
    fn opened(path: &Path, flags: i32) -> Calls {
        Calls::new().then(libc::SYS_openat, [n(AT_FDCWD), s(path), n(flags)])
    }

    /// Fails unless the last event of the calls is this one.
    fn expect(&mut self, form: &str, event: &str, made: &Made, expected: &Expected) -> Result<()> {
        self.watch.expect(event, made, expected).map(drop).context(form.to_owned())
    }
}

/// Arguments as reported; null where no path was given.
fn given(path: &str, mut more: Value) -> Value {
    if path.is_empty() {
        return Value::Null;
    }
    more["path"] = path.into();
    more
}

fn words32(numbers: &[u32]) -> Arg {
    x(&numbers.iter().flat_map(|number| number.to_ne_bytes()).collect::<Vec<_>>())
}

#[test]
fn calls_of_32_bit_code() -> Result<()> {
    let Some(mut watch) = watched(true)? else { return Ok(()) };
    let place = watch.place()?;
    let (file, new) = (place.join("file.conf"), place.join("new"));
    fs::write(&file, "contents")?;
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644))?;
    let mut compat = Compat { watch, place, file, new, left: BTreeMap::from(FORMS) };
    opens(&mut compat)?;
    directories(&mut compat)?;
    names(&mut compat)?;
    modes(&mut compat)?;
    owners(&mut compat)?;
    times(&mut compat)?;
    extended_attributes(&mut compat)?;
    mounts(&mut compat)?;
    unmounts(&mut compat)?;
    roots(&mut compat)?;
    splices(&mut compat)?;
    assert_eq!(compat.left, BTreeMap::new(), "calls that nothing made");
    Ok(())
}

/// What is opened or created is as it is after the call.
fn opens(compat: &mut Compat) -> Result<()> {
    const LARGE: u64 = (1 << 32) + 5;
    let (file, new) = (compat.file.clone(), compat.new.clone());
    let writes = || Compat::opened(&new, O_WRONLY);
    let none = Calls::new;
    let mut handle = vec![0_u8; 136];
    handle[0] = 128;
    let handle = none()
        .then(libc::SYS_name_to_handle_at, [n(AT_FDCWD), s(&file), x(&handle), b(8), n(0)])
        .then(libc::SYS_openat, [n(AT_FDCWD), s(&compat.place), n(O_RDONLY)]);
    let creates = O_CREAT | O_WRONLY;
    let truncates = creates | O_TRUNC;
    let how = words(&[u64::try_from(creates)?, 0o640, 0]);
    let whole = text(&new).to_owned();
    let whole = whole.as_str();
    // The call, the file, its path as given, the flags, the mode, and the size after it.
    let rows = vec![
        ("OPEN", none(), vec![s(&file), n(O_RDONLY), n(0)], &file, text(&file), O_RDONLY, 0, 8),
        ("OPENAT", none(), vec![n(AT_FDCWD), s(&new), n(creates), n(0o600)], &new, whole, creates, 0o600, 0),
        ("OPENAT2", compat.at(), vec![r(0), s("new"), how, n(24)], &new, "new", creates, 0o640, 0),
        ("CREAT", none(), vec![s(&new), n(0o604)], &new, whole, truncates, 0o604, 0),
        ("OPEN_BY_HANDLE_AT", handle, vec![r(1), p(0, 2), n(O_RDONLY)], &file, "", O_RDONLY, 0, 8),
        ("TRUNCATE", none(), vec![s(&new), n(4)], &new, whole, truncates, 0, 4),
        ("FTRUNCATE", writes(), vec![r(0), n(3)], &new, "", truncates, 0, 3),
        ("FALLOCATE_PAIRS", writes(), vec![r(0), n(0), n(0), n(0), n(7), n(0)], &new, "", O_WRONLY, 0, 7),
        // A 64-bit length in two registers.
        ("TRUNCATE64", none(), vec![s(&new), n(5), n(1)], &new, whole, truncates, 0, LARGE),
        ("FTRUNCATE64", writes(), vec![r(0), n(6), n(1)], &new, "", truncates, 0, LARGE + 1),
    ];
    for (form, before, arguments, path, name, flags, mode, size) in rows {
        let earlier = usize::from(before.count() > 0);
        let Some(made) = compat.make(before, form, arguments)? else { continue };
        let truth = FileTruth::of(path)?;
        assert_eq!(truth.size, size, "{form}");
        let names: &[&str] = match flags {
            O_RDONLY => &["O_RDONLY"],
            O_WRONLY => &["O_WRONLY"],
            flags if flags == creates => &["O_WRONLY", "O_CREAT"],
            _ => &["O_WRONLY", "O_CREAT", "O_TRUNC"],
        };
        let expected = opened(&truth, path, name, flags, names, mode);
        compat.expect(form, "open", &made, &expected.retval(made.last()).after(earlier))?;
    }
    fs::remove_file(&new)?;
    Ok(())
}

fn directories(compat: &mut Compat) -> Result<()> {
    let path = compat.new.clone();
    for (form, before, arguments, name) in [
        ("MKDIR", Calls::new(), vec![s(&path), n(0o700)], text(&path)),
        ("MKDIRAT", compat.at(), vec![r(0), s("new"), n(0o700)], "new"),
    ] {
        let Some(made) = compat.make(before, form, arguments)? else { continue };
        let expected = Expected::of(FileTruth::of(&path)?.file(&path), json!({"path": name, "mode": 0o700}));
        compat.expect(form, "mkdir", &made, &expected.destination(json!({"mode": 0o700})))?;
        fs::remove_dir(&path)?;
    }
    fs::create_dir(&path)?;
    for (form, before, arguments, name) in [
        ("CHDIR", Calls::new(), vec![s(&path)], text(&path)),
        ("FCHDIR", Compat::opened(&path, O_PATH), vec![r(0)], ""),
    ] {
        let Some(made) = compat.make(before, form, arguments)? else { continue };
        let expected = Expected::of(FileTruth::of(&path)?.file(&path), given(name, json!({})));
        compat.expect(form, "chdir", &made, &expected)?;
    }
    for (form, before, arguments, name) in [
        ("RMDIR", Calls::new(), vec![s(&path)], text(&path)),
        ("UNLINKAT", compat.at(), vec![r(0), s("new"), n(AT_REMOVEDIR)], "new"),
    ] {
        if !path.exists() {
            fs::create_dir(&path)?;
        }
        let truth = FileTruth::of(&path)?;
        let Some(made) = compat.make(before, form, arguments)? else { continue };
        compat.expect(form, "rmdir", &made, &Expected::of(truth.file(&path), json!({"path": name})))?;
    }
    Ok(())
}

fn names(compat: &mut Compat) -> Result<()> {
    let (old, new) = (compat.file.clone(), compat.new.clone());
    let (whole, ends) = ([text(&old), text(&new)], ["file.conf", "new"]);
    let both = || vec![s(&old), s(&new)];
    let at = |flags: &[i32]| {
        let names = vec![r(0), s("file.conf"), r(0), s("new")];
        names.into_iter().chain(flags.iter().map(|flags| n(*flags))).collect::<Vec<_>>()
    };
    for (event, form, before, arguments, [first, second]) in [
        ("link", "LINK", Calls::new(), both(), whole),
        ("link", "LINKAT", compat.at(), at(&[0]), ends),
        ("rename", "RENAME", Calls::new(), both(), whole),
        ("rename", "RENAMEAT", compat.at(), at(&[]), ends),
        // RENAME_NOREPLACE
        ("rename", "RENAMEAT2", compat.at(), at(&[1]), ends),
    ] {
        let truth = FileTruth::of(&old)?;
        let Some(made) = compat.make(before, form, arguments)? else { continue };
        let after = FileTruth::of(&new)?;
        assert_eq!(truth.inode, after.inode, "{form}");
        let expected = Expected::of(truth.file(&old), json!({"path": first, "destination_path": second}));
        compat.expect(form, event, &made, &expected.destination(after.file(&new)))?;
        if event == "link" { fs::remove_file(&new)? } else { fs::rename(&new, &old)? }
    }
    for (form, before, arguments, name) in [
        ("UNLINK", Calls::new(), vec![s(&new)], text(&new)),
        ("UNLINKAT", compat.at(), vec![r(0), s("new"), n(0)], "new"),
    ] {
        fs::write(&new, "contents")?;
        let truth = FileTruth::of(&new)?;
        let is_at = before.count() > 0;
        let Some(made) = compat.make(before, form, arguments)? else { continue };
        let directory = if is_at { made.result(0) } else { AT_FDCWD.into() };
        let syscall = json!({"path": name, "flags": 0, "dirfd": directory});
        compat.expect(form, "unlink", &made, &Expected::of(truth.file(&new), syscall))?;
    }
    for (form, before, arguments, name) in [
        ("SYMLINK", Calls::new(), vec![s("text"), s(&new)], text(&new)),
        ("SYMLINKAT", compat.at(), vec![s("text"), r(0), s("new")], "new"),
    ] {
        let Some(made) = compat.make(before, form, arguments)? else { continue };
        let syscall = json!({"path": "text", "destination_path": name});
        compat.expect(form, "symlink", &made, &Expected::of(FileTruth::of(&new)?.file(&new), syscall))?;
        fs::remove_file(&new)?;
    }
    Ok(())
}

fn modes(compat: &mut Compat) -> Result<()> {
    const MODE: i32 = 0o4755;
    let file = compat.file.clone();
    let at = |flags: &[i32]| {
        let mode = vec![r(0), s("file.conf"), n(MODE)];
        mode.into_iter().chain(flags.iter().map(|flags| n(*flags))).collect::<Vec<_>>()
    };
    for (form, before, arguments, name) in [
        ("CHMOD", Calls::new(), vec![s(&file), n(MODE)], text(&file)),
        ("FCHMOD", Compat::opened(&file, O_RDONLY), vec![r(0), n(MODE)], ""),
        ("FCHMODAT", compat.at(), at(&[]), "file.conf"),
        ("FCHMODAT2", compat.at(), at(&[AT_SYMLINK_NOFOLLOW]), "file.conf"),
    ] {
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644))?;
        let before_call = FileTruth::of(&file)?;
        let Some(made) = compat.make(before, form, arguments)? else { continue };
        assert_eq!(FileTruth::of(&file)?.mode & 0o7777, 0o4755, "{form}");
        let expected = Expected::of(before_call.file(&file), given(name, json!({"mode": MODE})));
        compat.expect(form, "chmod", &made, &expected.destination(json!({"mode": MODE})))?;
    }
    Ok(())
}

/// The older forms have ids of 16 bits, of which the last stands for "unchanged".
fn owners(compat: &mut Compat) -> Result<()> {
    let file = compat.file.clone();
    let to = |first: Arg, group: i32| vec![first, n(65534), n(group)];
    let opened = || Compat::opened(&file, O_RDONLY);
    for (form, before, arguments, name) in [
        ("CHOWN", Calls::new(), to(s(&file), -1), text(&file)),
        ("FCHOWN", opened(), to(r(0), -1), ""),
        ("LCHOWN", Calls::new(), to(s(&file), -1), text(&file)),
        ("FCHOWNAT", compat.at(), vec![r(0), s("file.conf"), n(65534), n(-1), n(0)], "file.conf"),
        ("CHOWN16", Calls::new(), to(s(&file), 0xffff), text(&file)),
        ("FCHOWN16", opened(), to(r(0), 0xffff), ""),
        ("LCHOWN16", Calls::new(), to(s(&file), 0xffff), text(&file)),
    ] {
        std::os::unix::fs::chown(&file, Some(0), Some(0))?;
        let truth = FileTruth::of(&file)?;
        let Some(made) = compat.make(before, form, arguments)? else { continue };
        assert_eq!((FileTruth::of(&file)?.uid, FileTruth::of(&file)?.gid), (65534, 0), "{form}");
        let expected = Expected::of(truth.file(&file), given(name, json!({"uid": 65534, "gid": -1})));
        let destination = json!({"uid": 65534, "user": "nobody", "gid": -1});
        compat.expect(form, "chown", &made, &expected.destination(destination))?;
    }
    Ok(())
}

fn times(compat: &mut Compat) -> Result<()> {
    let file = compat.file.clone();
    let (access, modification) = (1_600_000_000_u32, 1_500_000_000_u32);
    let micro = || words32(&[access, 123_456, modification, 654_321]);
    let nano = words32(&[access, 123_456_789, modification, 987_654_321]);
    let large = words(&[access.into(), 123_456_789, modification.into(), 987_654_321]);
    let (in_micro, in_nano) = ([123_456_000, 654_321_000], [123_456_789, 987_654_321]);
    for (form, before, arguments, name, [of_access, of_modification]) in [
        ("UTIME32", Calls::new(), vec![s(&file), words32(&[access, modification])], text(&file), [0, 0]),
        ("UTIMES32", Calls::new(), vec![s(&file), micro()], text(&file), in_micro),
        ("FUTIMESAT32", compat.at(), vec![r(0), s("file.conf"), micro()], "file.conf", in_micro),
        ("UTIMENSAT32", compat.at(), vec![r(0), s("file.conf"), nano, n(0)], "file.conf", in_nano),
        ("UTIMENSAT", compat.at(), vec![r(0), s("file.conf"), large, n(0)], "file.conf", in_nano),
    ] {
        let truth = FileTruth::of(&file)?;
        let Some(made) = compat.make(before, form, arguments)? else { continue };
        let after = FileTruth::of(&file)?.modification_time;
        assert_eq!(after, u64::from(modification) * 1_000_000_000 + of_modification, "{form}");
        let destination = json!({
            "access_time": rfc3339(u64::from(access) * 1_000_000_000 + of_access),
            "modification_time": rfc3339(after),
        });
        let expected = Expected::of(truth.file(&file), given(name, json!({})));
        compat.expect(form, "utimes", &made, &expected.destination(destination))?;
    }
    Ok(())
}

fn extended_attributes(compat: &mut Compat) -> Result<()> {
    let file = compat.file.clone();
    let name = || s("trusted.a");
    let set = |first: Arg| vec![first, name(), s("v"), n(1), n(0)];
    let remove = |first: Arg| vec![first, name()];
    let opened = || Compat::opened(&file, O_RDONLY);
    let set_at = vec![r(0), s("file.conf"), n(0), name(), xattr_args("v"), n(16)];
    // In pairs: what one sets the next removes.
    for (form, before, arguments) in [
        ("SETXATTR", Calls::new(), set(s(&file))),
        ("REMOVEXATTR", Calls::new(), remove(s(&file))),
        ("LSETXATTR", Calls::new(), set(s(&file))),
        ("LREMOVEXATTR", Calls::new(), remove(s(&file))),
        ("FSETXATTR", opened(), set(r(0))),
        ("FREMOVEXATTR", opened(), remove(r(0))),
        ("SETXATTRAT", compat.at(), set_at),
        ("REMOVEXATTRAT", compat.at(), vec![r(0), s("file.conf"), n(0), name()]),
    ] {
        let truth = FileTruth::of(&file)?;
        let Some(made) = compat.make(before, form, arguments)? else { continue };
        let event = if form.contains("REMOVE") { "removexattr" } else { "setxattr" };
        let attribute = json!({"attribute_name": "trusted.a", "attribute_namespace": "trusted"});
        let expected = Expected::of(truth.file(&file), Value::Null).destination(attribute);
        // The others name a descriptor.
        let expected = expected.by_text(!form.starts_with('F'));
        compat.expect(form, event, &made, &expected)?;
    }
    Ok(())
}

fn mounts(compat: &mut Compat) -> Result<()> {
    // FSCONFIG_CMD_CREATE, MOVE_MOUNT_F_EMPTY_PATH, OPEN_TREE_CLONE
    const CREATE: i32 = 6;
    const FROM_EMPTY_PATH: i32 = 4;
    const CLONE: i32 = 1;
    let (place, target) = (compat.place.clone(), compat.place.join("target"));
    fs::create_dir(&target)?;
    let of_descriptor =
        |calls: Calls, call| calls.then(libc::SYS_statx, [r(call), s(""), n(0x1000), n(0x17ff), b(256)]);

    let arguments = vec![s("none-such"), s(&target), s("tmpfs"), n(0), n(0)];
    let then = |calls: Calls| calls.then_stat(&place).then_stat(&target);
    if let Some(made) = compat.make_then(own_namespace(), "MOUNT", arguments, then)? {
        let expected = json!({
            "mount_id": id(&made, 4)?, "parent_mount_id": id(&made, 3)?, "bind_src_mount_id": 0,
            "device": device(&made, 4)?, "fs_type": "tmpfs", "mountpoint.path": &target,
            "source.path": "none-such", "visible": true, "root": "/",
        });
        let syscall = json!({"path": "none-such", "destination_path": &target, "fs_type": "tmpfs"});
        check(&mut compat.watch, &made, 0, expected, syscall, 0).context("MOUNT")?;
    }

    let created = || {
        own_namespace()
            .then(libc::SYS_fsopen, [s("tmpfs"), n(0)])
            .then(libc::SYS_fsconfig, [r(2), n(CREATE), n(0), n(0), n(0)])
    };
    let then = |calls: Calls| of_descriptor(calls, 4);
    if let Some(made) = compat.make_then(created(), "FSMOUNT", vec![r(2), n(0), n(0)], then)? {
        let expected = json!({
            "mount_id": id(&made, 5)?, "parent_mount_id": id(&made, 5)?, "bind_src_mount_id": 0,
            "device": device(&made, 5)?, "fs_type": "tmpfs", "source.path": "none", "detached": true, "root": "/",
        });
        check(&mut compat.watch, &made, 0, expected, Value::Null, made.result(4)).context("FSMOUNT")?;
    }

    let mounted = of_descriptor(created().then(libc::SYS_fsmount, [r(2), n(0), n(0)]), 4);
    let arguments = vec![r(4), s(""), n(AT_FDCWD), s(&target), n(FROM_EMPTY_PATH)];
    let then = |calls: Calls| calls.then_stat(&place);
    if let Some(made) = compat.make_then(mounted, "MOVE_MOUNT", arguments, then)? {
        let members = [
            ("mount.mount_id", json!(id(&made, 5)?)),
            ("mount.parent_mount_id", json!(id(&made, 7)?)),
            ("mount.device", json!(device(&made, 5)?)),
            ("mount.fs_type", json!("tmpfs")),
            ("mount.visible", json!(true)),
            ("file.destination.path", json!(&target)),
        ];
        last_mount(compat, "MOVE_MOUNT", &made, 2, &members)?;
    }

    let copy = || vec![n(AT_FDCWD), s(&target), n(CLONE)];
    let with_attributes = || copy().into_iter().chain([n(0), n(0)]).collect();
    for (form, arguments) in [("OPEN_TREE", copy()), ("OPEN_TREE_ATTR", with_attributes())] {
        let before = mount_tmpfs(own_namespace(), &target);
        let then = |calls: Calls| of_descriptor(calls, 3).then_stat(&target);
        let Some(made) = compat.make_then(before, form, arguments, then)? else { continue };
        let members = [
            ("mount.mount_id", json!(id(&made, 4)?)),
            ("mount.bind_src_mount_id", json!(id(&made, 5)?)),
            ("mount.device", json!(device(&made, 4)?)),
            ("mount.fs_type", json!("tmpfs")),
            ("mount.detached", json!(true)),
            ("mount.visible", Value::Null),
            ("syscall.mount.path", json!(&target)),
        ];
        let signal = last_mount(compat, form, &made, 2, &members)?;
        assert_eq!(signal.0["mount"]["source.path"], json!(&target), "{form}");
    }
    Ok(())
}

/// The last of so many mount events, which has these members.
fn last_mount(
    compat: &mut Compat,
    form: &str,
    made: &Made,
    count: usize,
    members: &[(&str, Value)],
) -> Result<Signal> {
    let signals = compat.watch.signals("mount", made).context(form.to_owned())?;
    assert_eq!(signals.len(), count, "{form}: {signals:#?}");
    let signal = signals.into_iter().next_back().context("a signal")?;
    assert_eq!(signal.differences(members), "", "{form}");
    Ok(signal)
}

fn unmounts(compat: &mut Compat) -> Result<()> {
    let target = compat.place.join("target");
    for (form, arguments, flags) in
        [("UMOUNT", vec![s(&target), n(MNT_DETACH)], MNT_DETACH), ("OLDUMOUNT", vec![s(&target)], 0)]
    {
        let before = mount_tmpfs(own_namespace(), &target).then_stat(&target);
        let Some(made) = compat.make(before, form, arguments)? else { continue };
        let mut expected = Expected::of(Map::new(), json!({"path": &target, "flags": flags}));
        let mut umount = json!({
            "mount_id": id(&made, 3)?, "device": device(&made, 3)?, "fs_type": "tmpfs", "mountpoint.path": &target,
        });
        if flags != 0 {
            umount["flags"] = "MNT_DETACH".into();
        }
        expected.more.push(("umount", umount));
        compat.expect(form, "umount", &made, &expected)?;
    }
    Ok(())
}

fn roots(compat: &mut Compat) -> Result<()> {
    let (target, old) = (compat.place.join("target"), compat.place.join("target/old"));
    let before = mount_tmpfs(own_namespace(), &target).then(libc::SYS_mkdir, [s(&old), n(0o700)]);
    let Some(made) = compat.make(before, "PIVOT_ROOT", vec![s(&target), s(&old)])? else { return Ok(()) };
    let signals = compat.watch.signals("pivot_root", &made)?;
    let [signal] = &signals[..] else { panic!("one event instead of {}", signals.len()) };
    let syscall = json!({"pivot_root": {"path": &target, "destination_path": &old}});
    let differences = signal.differences(&[("evt.outcome", json!("Success")), ("syscall", syscall)]);
    assert_eq!(differences, "");
    assert_eq!(retval(signal, "pivot_root").as_deref(), Some("0"));
    Ok(())
}

fn splices(compat: &mut Compat) -> Result<()> {
    let file = compat.file.clone();
    let before = Calls::new()
        .then(libc::SYS_pipe2, [b(8), n(0)])
        .then(libc::SYS_openat, [n(AT_FDCWD), s(&file), n(O_RDONLY)]);
    let arguments = vec![r(1), n(0), w(0, 0, 4), n(0), n(3), n(0)];
    let Some(made) = compat.make(before, "SPLICE", arguments)? else { return Ok(()) };
    let mut expected = Expected::of(FileTruth::of(&file)?.file(&file), Value::Null).retval(3);
    expected.more.push(("splice", json!({"pipe_entry_flag": "", "pipe_exit_flag": ""})));
    compat.expect("SPLICE", "splice", &made, &expected)
}

#[test]
fn without_the_setting_they_are_not_seen_and_status_says_so() -> Result<()> {
    let Some(mut watch) = watched(false)? else { return Ok(()) };
    let place = watch.place()?;
    let mkdir = BTreeMap::from(FORMS)["MKDIR"];
    let made = watch.make(&Calls::new().then_i386(mkdir, [s(place.join("unseen")), n(0o700)]))?;
    assert!(watch.signals("mkdir", &made)?.is_empty());
    let status = watch.pair.status()?;
    assert!(status.to_string().contains("32-bit"), "{status:#}");
    Ok(())
}
