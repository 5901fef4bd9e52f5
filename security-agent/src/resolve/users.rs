//! Names of users and groups, from the host's `/etc/passwd` and `/etc/group`.
//!
//! The names are those of the host, for processes in containers as well: the kernel knows a process by the same number
//! on both sides, and the container's own files cannot be read by an agent without privileges. A number that the host
//! has no name for has the empty name.
//!
//! Directory services (LDAP, SSSD) are not asked: a look-up that can block for seconds, or that itself causes events,
//! has no place behind every event.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use model::Text;
use rustc_hash::FxHashMap;

/// Files above this size, bytes, are not read to their end: both files of the largest hosts stay far below.
const MAX_FILE_SIZE: u64 = 4 << 20;
/// Names kept per file.
const MAX_NAMES: usize = 65_536;
/// Longest name that is believed in (`useradd` ends at 32), bytes.
const MAX_NAME_LENGTH: usize = 256;
/// How often the files are looked at for changes.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// Names by number.
pub type Names = FxHashMap<u32, Text>;

/// Users and groups, kept up to date with their files.
#[derive(Debug, Default)]
pub struct Users {
    users: Table,
    groups: Table,
    checked: Option<Instant>,
    version: u64,
}

/// One of the two files.
#[derive(Debug, Default)]
struct Table {
    path: PathBuf,
    /// What tells one state of the file from the next.
    stamp: Option<Stamp>,
    names: Names,
}

/// Identity of a file's state: editors replace the file, `vipw` rewrites it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    modified: SystemTime,
    size: u64,
    inode: u64,
}

impl Users {
    /// Reads the files below `root`, the root directory of the host. Files that are not there have no names.
    #[must_use]
    pub fn of_host(root: &Path) -> Self {
        let table = |name| Table { path: root.join(name), ..Table::default() };
        let mut users =
            Self { users: table("etc/passwd"), groups: table("etc/group"), checked: None, version: 0 };
        users.refresh();
        users
    }

    /// Fixed names, such as those of a capture.
    #[must_use]
    pub fn fixed(users: Names, groups: Names) -> Self {
        let table = |names| Table { names, ..Table::default() };
        Self { users: table(users), groups: table(groups), checked: None, version: 1 }
    }

    /// Name of the user with this number; empty if it has none.
    #[must_use]
    pub fn user(&self, uid: u32) -> Text {
        self.users.names.get(&uid).cloned().unwrap_or_default()
    }

    /// Name of the group with this number; empty if it has none.
    #[must_use]
    pub fn group(&self, gid: u32) -> Text {
        self.groups.names.get(&gid).cloned().unwrap_or_default()
    }

    /// All users.
    #[must_use]
    pub fn users(&self) -> &Names {
        &self.users.names
    }

    /// All groups.
    #[must_use]
    pub fn groups(&self) -> &Names {
        &self.groups.names
    }

    /// Grows with each change of the names.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Reads the files again if they changed since; looks at most once a second.
    pub fn refresh_if_due(&mut self, now: Instant) {
        if self.checked.is_none_or(|checked| now.saturating_duration_since(checked) >= CHECK_INTERVAL) {
            self.refresh();
            self.checked = Some(now);
        }
    }

    /// Reads the files again if they changed.
    fn refresh(&mut self) {
        let changed = [self.users.refresh(), self.groups.refresh()];
        if changed.contains(&true) {
            self.version += 1;
        }
    }
}

impl Table {
    fn refresh(&mut self) -> bool {
        if self.path.as_os_str().is_empty() {
            return false;
        }
        let stamp = stamp(&self.path);
        if stamp == self.stamp && stamp.is_some() {
            return false;
        }
        // A file that cannot be read for a moment (it is being replaced) leaves the names that were known.
        let Some(text) = stamp.and_then(|_| read(&self.path)) else { return false };
        self.names = parse(&text);
        self.stamp = stamp;
        true
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    use std::os::unix::fs::MetadataExt;
    let metadata = std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file)?;
    Some(Stamp { modified: metadata.modified().ok()?, size: metadata.len(), inode: metadata.ino() })
}

fn read(path: &Path) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(MAX_FILE_SIZE).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// Both files have the name first and the number third. The first of several names of a number counts, as for libc.
fn parse(text: &[u8]) -> Names {
    let mut names = Names::default();
    for line in text.split(|byte| *byte == b'\n') {
        let mut fields = line.split(|byte| *byte == b':');
        let (Some(name), Some(_), Some(number)) = (fields.next(), fields.next(), fields.next()) else {
            continue;
        };
        let number = std::str::from_utf8(number).ok().and_then(|number| number.parse().ok());
        let Some(number) = number else { continue };
        // `+` and `-` begin the lines that pull in NIS entries.
        if name.is_empty() || name.len() > MAX_NAME_LENGTH || matches!(name[0], b'+' | b'-' | b'#') {
            continue;
        }
        if names.len() >= MAX_NAMES {
            break;
        }
        names.entry(number).or_insert_with(|| Text::new(name));
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_name_of_a_number_counts_and_odd_lines_do_not() {
        let names = parse(
            b"root:x:0:0::/root:/bin/sh\ntoor:x:0:0:::\n+nis:x:7\nbroken\n#c:x:9:\nx:y:-1:\n:x:5:\nbin:x:2",
        );
        assert_eq!(names.len(), 2);
        assert_eq!(&*names[&0], b"root");
        assert_eq!(&*names[&2], b"bin");
    }

    #[test]
    fn a_changed_file_is_read_again() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("etc")).unwrap();
        let passwd = root.path().join("etc/passwd");
        std::fs::write(&passwd, "alice:x:1000:").unwrap();
        let mut users = Users::of_host(root.path());
        assert_eq!(&*users.user(1000), b"alice");
        assert_eq!(&*users.group(1000), b"");
        let version = users.version();

        let start = Instant::now();
        users.refresh_if_due(start);
        assert_eq!(users.version(), version, "nothing changed");
        std::fs::write(&passwd, "bobby:x:1000:").unwrap();
        let later = SystemTime::now() + Duration::from_secs(5);
        File::options().write(true).open(&passwd).unwrap().set_modified(later).unwrap();
        users.refresh_if_due(start + Duration::from_millis(10));
        assert_eq!(&*users.user(1000), b"alice", "not due");
        users.refresh_if_due(start + CHECK_INTERVAL);
        assert_eq!(&*users.user(1000), b"bobby");
        assert_eq!(users.version(), version + 1);

        std::fs::remove_file(&passwd).unwrap();
        users.refresh_if_due(start + CHECK_INTERVAL * 2);
        assert_eq!(&*users.user(1000), b"bobby", "names outlive a file that is being replaced");
    }

    #[test]
    fn the_number_of_names_is_bounded() {
        let lines: String = (0..MAX_NAMES + 10).map(|uid| format!("u{uid}:x:{uid}:\n")).collect();
        assert_eq!(parse(lines.as_bytes()).len(), MAX_NAMES);
    }
}
