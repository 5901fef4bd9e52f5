//! What a living process is, as `/proc` and `stat` tell it, in the words of a signal.
//!
//! Nothing here comes from the agent or the probe. Times that a signal has and `/proc` does not are left to
//! [`super::times`].

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Map, Value, json};

use super::times::rfc3339;

/// The capabilities by number, from capabilities(7) and linux/capability.h.
const CAPABILITIES: [&str; 41] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];

/// Variables that signals show with their value, as documented.
const SHOWN_WITH_VALUE: [&str; 7] =
    ["LD_PRELOAD", "LD_LIBRARY_PATH", "PATH", "HISTSIZE", "HISTFILESIZE", "GLIBC_TUNABLES", "SSH_CLIENT"];

/// `PF_FORKNOEXEC` of linux/sched.h, in the flags of `/proc/PID/stat`.
const PF_FORKNOEXEC: u64 = 0x40;

/// A process as a signal shows it, without `parent` and `ancestors`, and without times.
#[derive(Debug, Clone)]
pub struct Truth {
    /// The members.
    pub members: Map<String, Value>,
    /// When it started, clock ticks since boot.
    pub start_ticks: u64,
}

impl Truth {
    /// The living process `pid`, of which the agent learnt by `source`.
    ///
    /// # Errors
    /// If it has ended.
    pub fn of(pid: u64, source: &str) -> Result<Self> {
        let directory = format!("/proc/{pid}");
        let read = |name: &str| {
            let path = format!("{directory}/{name}");
            fs::read(&path).with_context(|| path)
        };
        let status = String::from_utf8_lossy(&read("status")?).into_owned();
        let field = |name: &str| -> Vec<String> {
            let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            line.unwrap_or_default().split_whitespace().map(str::to_owned).collect()
        };
        let numbers =
            |name: &str| -> Result<Vec<u32>> { field(name).iter().map(|id| Ok(id.parse()?)).collect() };
        let stat = String::from_utf8_lossy(&read("stat")?).into_owned();
        // Behind the name, which may hold anything: the state is field 3 of proc_pid_stat(5).
        let stat: Vec<&str> = stat.rsplit_once(')').context("stat")?.1.split_whitespace().collect();
        let flags: u64 = stat[9 - 3].parse()?;

        let mut truth = Map::new();
        let (uids, gids) = (numbers("Uid")?, numbers("Gid")?);
        let ids =
            |names: [&str; 3], labels: [&str; 3], ids: &[u32], file: &str, into: &mut Map<String, Value>| {
                for ((name, label), id) in names.into_iter().zip(labels).zip([ids[0], ids[1], ids[3]]) {
                    into.insert(name.to_owned(), json!(id));
                    insert(into, label, name_of(file, id));
                }
            };
        let mut credentials = Map::new();
        ids(["uid", "euid", "fsuid"], ["user", "euser", "fsuser"], &uids, "/etc/passwd", &mut credentials);
        ids(["gid", "egid", "fsgid"], ["group", "egroup", "fsgroup"], &gids, "/etc/group", &mut credentials);
        credentials.insert("auid".into(), json!(text(&read("loginuid")?).trim().parse::<u32>()?));
        for (name, line) in [("cap_effective", "CapEff"), ("cap_permitted", "CapPrm")] {
            let set = u64::from_str_radix(&field(line).concat(), 16)?;
            credentials.insert(name.into(), capability_names(set));
        }
        for name in ["uid", "gid", "user", "group"] {
            insert(&mut truth, name, credentials.get(name).cloned());
        }
        truth.insert("credentials".into(), credentials.into());
        truth.insert("pid".into(), json!(pid));
        truth.insert("tid".into(), json!(pid));
        let ppid: u64 = stat[4 - 3].parse()?;
        insert(&mut truth, "ppid", (ppid != 0).then(|| json!(ppid)));
        truth.insert("comm".into(), json!(text(&read("comm")?).trim_end_matches('\n')));
        truth.insert("source".into(), json!(source));
        insert(&mut truth, "tty", tty(stat[7 - 3].parse::<i32>()?.cast_unsigned()).map(Value::from));
        insert(&mut truth, "is_thread", (flags & PF_FORKNOEXEC != 0).then_some(Value::Bool(true)));
        let cgroup = cgroup(&text(&read("cgroup")?));
        truth.insert("cgroup".into(), json!({ "id": cgroup }));

        let mut truth = Self { members: truth, start_ticks: stat[22 - 3].parse()? };
        let link = fs::read_link(format!("{directory}/exe"))?;
        let shown = link.as_os_str().as_bytes();
        let shown = shown.strip_suffix(b" (deleted)").unwrap_or(shown);
        truth.members.insert("executable".into(), file(Path::new(&format!("{directory}/exe")), shown, pid)?);
        truth.set_arguments(&strings(&read("cmdline")?));
        truth.set_environment(&strings(&read("environ")?));
        Ok(truth)
    }

    /// Replaces the arguments, the first one included.
    pub fn set_arguments(&mut self, argv: &[Vec<u8>]) {
        let lossy: Vec<String> = argv.iter().map(|arg| text(arg)).collect();
        let (first, rest) = lossy.split_first().map_or((None, &[][..]), |(first, rest)| (Some(first), rest));
        insert(&mut self.members, "argv0", first.filter(|first| !first.is_empty()).map(|first| json!(first)));
        insert(&mut self.members, "args", (!rest.is_empty()).then(|| json!(rest)));
    }

    fn set_environment(&mut self, envp: &[Vec<u8>]) {
        let names = envp.iter().map(|entry| {
            let entry = text(entry);
            let name = entry.split_once('=').map_or(entry.as_str(), |(name, _)| name);
            if SHOWN_WITH_VALUE.contains(&name) { entry } else { name.to_owned() }
        });
        let names: Vec<String> = names.collect();
        insert(&mut self.members, "envs", (!names.is_empty()).then(|| json!(names)));
    }

    /// With these members; null takes one away.
    #[must_use]
    pub fn with(mut self, members: &[(&str, Value)]) -> Self {
        for (name, value) in members {
            insert(&mut self.members, name, Some(value.clone()).filter(|value| !value.is_null()));
        }
        self
    }

    /// As it was when it ran `program` with `argv`, before it executed what it runs now.
    ///
    /// # Errors
    /// If the program's file is not there.
    pub fn running(mut self, program: &Path, argv: &[&OsStr]) -> Result<Self> {
        let shown = program.as_os_str().as_bytes();
        let name = program.file_name().context("a name")?.as_bytes();
        self.members.insert("executable".into(), file(program, shown, std::process::id().into())?);
        self.members.insert("comm".into(), json!(text(&name[..name.len().min(15)])));
        self.set_arguments(&argv.iter().map(|arg| arg.as_bytes().to_vec()).collect::<Vec<_>>());
        Ok(self)
    }

    /// As an ancestor that runs the program of the entry before it is shown.
    #[must_use]
    pub fn without_invocation(mut self) -> Self {
        for name in ["argv0", "args", "envs", "args_truncated", "envs_truncated"] {
            self.members.remove(name);
        }
        self
    }
}

/// A file as a signal shows it: looked at through `path`, named `shown`, on a mount that the process `pid` sees.
///
/// # Errors
/// If it is not there.
pub fn file(path: &Path, shown: &[u8], pid: u64) -> Result<Value> {
    let info = fs::metadata(path).with_context(|| path.display().to_string())?;
    let opened = rustix::fs::open(path, rustix::fs::OFlags::PATH, rustix::fs::Mode::empty())?;
    let mount_id: u64 = fdinfo(&opened, "mnt_id").context("mnt_id")?;
    // A process in another root does not see the mount itself.
    let filesystem = [pid, std::process::id().into()].into_iter().find_map(|pid| filesystem(pid, mount_id));
    let bare = shown.strip_prefix(b"/memfd:").map(|_| text(&shown[1..]));
    let name =
        bare.clone().unwrap_or_else(|| text(shown.rsplit(|byte| *byte == b'/').next().unwrap_or(shown)));
    let mut file = Map::new();
    insert(&mut file, "path", bare.is_none().then(|| json!(text(shown))));
    insert(&mut file, "extension", name.rfind('.').map(|at| json!(name[at..])));
    file.insert("name".into(), json!(name));
    file.insert("inode".into(), json!(info.ino()));
    file.insert("mode".into(), json!(info.mode()));
    // The kernel's own mounts have the number 0, and are in no mountinfo: memfds live on a tmpfs.
    insert(&mut file, "mount_id", (mount_id != 0).then(|| json!(mount_id)));
    file.insert("filesystem".into(), json!(filesystem.unwrap_or_else(|| "tmpfs".into())));
    file.insert("uid".into(), json!(info.uid()));
    file.insert("gid".into(), json!(info.gid()));
    insert(&mut file, "user", name_of("/etc/passwd", info.uid()));
    insert(&mut file, "group", name_of("/etc/group", info.gid()));
    let time = |seconds: i64, nanoseconds: i64| -> Result<Value> {
        let seconds = u64::try_from(seconds)?.checked_mul(1_000_000_000).context("a time")?;
        Ok(json!(rfc3339(seconds + u64::try_from(nanoseconds)?)))
    };
    file.insert("modification_time".into(), time(info.mtime(), info.mtime_nsec())?);
    file.insert("change_time".into(), time(info.ctime(), info.ctime_nsec())?);
    file.insert("mount_visible".into(), json!(true));
    Ok(file.into())
}

/// Type of the file system on a mount, by `/proc/PID/mountinfo`.
fn filesystem(pid: u64, mount_id: u64) -> Option<String> {
    let mountinfo = fs::read_to_string(format!("/proc/{pid}/mountinfo")).ok()?;
    mountinfo.lines().find_map(|line| {
        let (id, rest) = line.split_once(' ')?;
        (id.parse() == Ok(mount_id)).then_some(())?;
        rest.split_once(" - ")?.1.split(' ').next().map(str::to_owned)
    })
}

/// The names of a set of capabilities, sorted.
#[must_use]
pub fn capability_names(set: u64) -> Value {
    let bits = CAPABILITIES.iter().enumerate().filter(|(bit, _)| set >> bit & 1 == 1);
    let mut names: Vec<String> = bits.map(|(_, name)| format!("CAP_{name}")).collect();
    names.sort();
    json!(names)
}

/// The name of a user or group in `file`.
#[must_use]
pub fn name_of(file: &str, id: u32) -> Option<Value> {
    let id = id.to_string();
    let text = fs::read_to_string(file).ok()?;
    text.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == id).then(|| json!(name))
    })
}

/// The control group that counts: that of version 2, unless one of version 1 is at least as deep.
fn cgroup(file: &str) -> String {
    let depth = |path: &str| path.split('/').filter(|name| !name.is_empty()).count();
    let lines = || file.lines().filter_map(|line| line.split_once(':')?.1.split_once(':'));
    let unified = lines().find(|(controllers, _)| controllers.is_empty()).map_or("/", |(_, path)| path);
    let mut best = (unified, false);
    for wanted in ["memory", "pids", "cpu", "devices", "freezer", "cpuset"] {
        let path = lines().find(|(controllers, _)| controllers.split(',').any(|name| name == wanted));
        let Some((_, path)) = path else { continue };
        let deeper = if best.1 { depth(path) > depth(best.0) } else { depth(path) >= depth(best.0) };
        if depth(path) > 0 && deeper {
            best = (path, true);
        }
    }
    best.0.to_owned()
}

/// Name of a terminal by its device number, tty(4) and pts(4).
fn tty(device: u32) -> Option<String> {
    let (major, minor) = (device >> 8 & 0xfff, device & 0xff | device >> 12 & 0xf_ff00);
    match major {
        136..=143 => Some(format!("pts{}", (major - 136) * 256 + minor)),
        4 if minor < 64 => Some(format!("tty{minor}")),
        _ => None,
    }
}

fn fdinfo<T: std::str::FromStr>(file: &std::os::fd::OwnedFd, name: &str) -> Option<T> {
    use std::os::fd::AsRawFd;
    let info = fs::read_to_string(format!("/proc/self/fdinfo/{}", file.as_raw_fd())).ok()?;
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')?.trim().parse().ok())
}

fn strings(block: &[u8]) -> Vec<Vec<u8>> {
    let mut strings: Vec<Vec<u8>> = block.split(|byte| *byte == 0).map(<[u8]>::to_vec).collect();
    // Each string ends with a NUL: behind the last there is none.
    strings.pop();
    strings
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn insert(map: &mut Map<String, Value>, name: &str, value: Option<Value>) {
    match value {
        Some(value) => map.insert(name.to_owned(), value),
        None => map.remove(name),
    };
}
