//! Giving up privileges before the first byte of the stream is read.
//!
//! Started as root, the agent becomes its own user, with the groups of that user and the group of the probe's socket,
//! without a capability in any set and without a way to get one back. What was given up is verified afterwards: a kernel
//! or container runtime that ignores a step is an error, not a surprise.
//!
//! The calls act on the calling thread, so they are made before any other thread exists.

use std::path::Path;

use anyhow::{Context, bail, ensure};
use rustix::io::Errno;
use rustix::process::{DumpableBehavior, Gid, Uid};
use rustix::thread::{self, CapabilitySet, CapabilitySets};

/// Bytes that are read of `/etc/passwd` and `/etc/group`.
const FILE_SIZE_MAX: u64 = 4 << 20;
/// Number after the last capability that a kernel can have.
const CAPABILITIES: u32 = 64;

/// What the process has become.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It was started as an ordinary user and still is.
    Unprivileged,
    /// It was root and is now this user.
    Dropped {
        /// Name of the user.
        user: String,
        /// Number of the user.
        uid: u32,
    },
    /// It stays root, as the configuration allows.
    StillRoot,
}

/// Whom to become.
#[derive(Debug, Clone)]
pub struct Wish<'a> {
    /// Name or number of the user.
    pub user: &'a str,
    /// Whether to stay root where the user is root or does not exist.
    pub allow_root: bool,
    /// The probe's socket, whose group is kept.
    pub socket: &'a Path,
}

/// Gives up all privileges.
///
/// # Errors
/// If the user does not exist, something could not be given up, or threads exist already.
pub fn give_up(wish: &Wish<'_>) -> anyhow::Result<Outcome> {
    ensure_single_threaded()?;
    if !rustix::process::geteuid().is_root() {
        give_up_capabilities().context("cannot give up capabilities")?;
        close_ways_back()?;
        return Ok(Outcome::Unprivileged);
    }
    let target = match User::find(wish.user) {
        Ok(user) if user.uid != 0 => user,
        Ok(_) if wish.allow_root => return Ok(Outcome::StillRoot),
        Err(_) if wish.allow_root => return Ok(Outcome::StillRoot),
        Ok(_) => bail!(
            "security_agent.user is {}, which is root: name another user, or set security_agent.allow_root to keep root",
            wish.user
        ),
        Err(error) => {
            return Err(error.context(format!(
                "cannot become the user {}: create it, name another one as security_agent.user, or set \
                 security_agent.allow_root to keep root",
                wish.user
            )));
        }
    };
    target.become_it(&wish.groups(&target)?)?;
    Ok(Outcome::Dropped { user: target.name, uid: target.uid })
}

impl Wish<'_> {
    /// The supplementary groups: those of the user, and that of the socket, or of its directory while it does not exist.
    fn groups(&self, user: &User) -> anyhow::Result<Vec<u32>> {
        use std::os::unix::fs::MetadataExt;
        let mut groups = groups_of(&read(Path::new("/etc/group"))?, &user.name);
        groups.push(user.gid);
        let directory = self.socket.parent().unwrap_or(Path::new("/"));
        let metadata = std::fs::metadata(self.socket).or_else(|_| std::fs::metadata(directory));
        // The group of root opens more than sockets.
        groups.extend(metadata.ok().map(|metadata| metadata.gid()).filter(|gid| *gid != 0));
        groups.sort_unstable();
        groups.dedup();
        Ok(groups)
    }
}

/// A user of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
struct User {
    name: String,
    uid: u32,
    gid: u32,
}

impl User {
    /// By name, or else by number.
    fn find(user: &str) -> anyhow::Result<Self> {
        let path = Path::new("/etc/passwd");
        let found = read(path).map(|passwd| find_user(&passwd, user));
        match (found, numbered_user(user)) {
            (Ok(Some(user)), _) | (_, Some(user)) => Ok(user),
            (found, None) => found?.with_context(|| format!("no user {user} in {}", path.display())),
        }
    }

    fn become_it(&self, groups: &[u32]) -> anyhow::Result<()> {
        let (uid, gid) = (Uid::from_raw(self.uid), Gid::from_raw(self.gid));
        let groups: Vec<Gid> = groups.iter().map(|gid| Gid::from_raw(*gid)).collect();
        give_up_bounding_set().context("cannot empty the bounding set")?;
        thread::set_thread_groups(&groups).context("cannot set the groups")?;
        thread::set_thread_res_gid(gid, gid, gid).context("cannot set the group")?;
        thread::set_thread_res_uid(uid, uid, uid).context("cannot set the user")?;
        give_up_capabilities().context("cannot give up capabilities")?;
        close_ways_back()?;
        verify(uid, gid, groups).context("privileges are not gone")
    }
}

fn ensure_single_threaded() -> anyhow::Result<()> {
    // Without /proc this cannot be told; threads are only made after this anyway.
    let threads = std::fs::read_dir("/proc/self/task").map_or(1, Iterator::count);
    ensure!(threads == 1, "{threads} threads exist already: privileges would only be given up by one");
    Ok(())
}

fn give_up_bounding_set() -> rustix::io::Result<()> {
    for number in 0..CAPABILITIES {
        let capability = CapabilitySet::from_bits_retain(1 << number);
        match thread::remove_capability_from_bounding_set(capability) {
            // The kernel has no capability of this number, or the set is out of our reach: without no_new_privs it
            // would matter.
            Ok(()) | Err(Errno::INVAL | Errno::PERM) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn give_up_capabilities() -> rustix::io::Result<()> {
    match thread::clear_ambient_capability_set() {
        // Kernels before 4.3 have no ambient set.
        Ok(()) | Err(Errno::INVAL) => {}
        Err(error) => return Err(error),
    }
    let none = CapabilitySet::empty();
    let now = thread::capabilities(None)?;
    if (now.effective | now.permitted | now.inheritable) == none {
        // Nothing to give up; and a service manager may deny the call to whoever has no use for it.
        return Ok(());
    }
    thread::set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })
}

/// No set-uid program gives privileges back, and no process of the same user reads what this one has in memory.
fn close_ways_back() -> anyhow::Result<()> {
    thread::set_no_new_privs(true).context("cannot set no_new_privs")?;
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .context("cannot turn core dumps off")
}

fn verify(uid: Uid, gid: Gid, mut groups: Vec<Gid>) -> anyhow::Result<()> {
    use rustix::process::{getegid, geteuid, getgid, getgroups, getuid};
    ensure!(getuid() == uid && geteuid() == uid, "the user is {}", geteuid().as_raw());
    ensure!(getgid() == gid && getegid() == gid, "the group is {}", getegid().as_raw());
    let mut have = getgroups().context("cannot read the groups")?;
    have.sort_unstable_by_key(|gid| gid.as_raw());
    groups.sort_unstable_by_key(|gid| gid.as_raw());
    ensure!(have == groups, "the groups are {have:?}");
    let sets = thread::capabilities(None).context("cannot read the capabilities")?;
    let all = sets.effective | sets.permitted | sets.inheritable;
    ensure!(all.is_empty(), "capabilities are left: {all:?}");
    ensure!(thread::set_thread_uid(Uid::ROOT).is_err(), "it can become root again");
    ensure!(thread::no_new_privs().context("cannot read no_new_privs")?, "no_new_privs is off");
    Ok(())
}

fn read(path: &Path) -> anyhow::Result<String> {
    use std::io::Read;
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    file.take(FILE_SIZE_MAX)
        .read_to_end(&mut bytes)
        .with_context(|| format!("cannot read {}", path.display()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The user with this name, or else this number, in the text of `/etc/passwd`.
fn find_user(passwd: &str, wanted: &str) -> Option<User> {
    let users = || {
        passwd.lines().filter_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next()?;
            let (_, uid, gid) = (fields.next()?, fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
            Some(User { name: name.to_owned(), uid, gid })
        })
    };
    let number = wanted.parse::<u32>().ok();
    users().find(|user| user.name == wanted).or_else(|| users().find(|user| Some(user.uid) == number))
}

/// The user that `user` is if it is a number and no file names it: in a container the users are those of the host, and
/// the agent's need not be among them. Its group has the same number.
fn numbered_user(user: &str) -> Option<User> {
    let id = user.parse().ok().filter(|id| *id != 0)?;
    Some(User { name: user.to_owned(), uid: id, gid: id })
}

/// The groups that list the user as a member, in the text of `/etc/group`.
fn groups_of(group: &str, user: &str) -> Vec<u32> {
    let lines = group.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let (_, _, gid, members) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
        members.split(',').any(|member| member == user).then(|| gid.parse().ok())?
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str =
        "root:x:0:0::/root:/bin/sh\n+\nbroken:x:1\ndd-agent:x:997:998::/:/bin/false\n1000:x:5:6::/:\n";

    #[test]
    fn users_are_found_by_name_first() {
        let user = |name: &str, uid, gid| Some(User { name: name.into(), uid, gid });
        assert_eq!(find_user(PASSWD, "dd-agent"), user("dd-agent", 997, 998));
        assert_eq!(find_user(PASSWD, "997"), user("dd-agent", 997, 998));
        assert_eq!(find_user(PASSWD, "1000"), user("1000", 5, 6));
        for nobody in ["", "broken", "+", "-1", "12", "root:x"] {
            assert_eq!(find_user(PASSWD, nobody), None, "{nobody}");
        }
    }

    #[test]
    fn a_number_needs_no_entry_unless_it_is_root() {
        let expected = User { name: "60990".into(), uid: 60_990, gid: 60_990 };
        assert_eq!(numbered_user("60990"), Some(expected));
        for other in ["0", "dd-agent", "-1", "", "4294967296"] {
            assert_eq!(numbered_user(other), None, "{other}");
        }
    }

    #[test]
    fn groups_are_those_that_list_the_user() {
        let group =
            "adm:x:4:syslog,dd-agent\nroot:x:0:\ndocker:x:99:dd-agent2\nbad:x:y:dd-agent\nlast:x:7:dd-agent";
        assert_eq!(groups_of(group, "dd-agent"), [4, 7]);
    }

    #[test]
    fn threads_are_noticed() {
        let (stop, wait) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || wait.recv().is_err());
        assert!(ensure_single_threaded().is_err());
        drop(stop);
        assert!(thread.join().unwrap());
    }
}
