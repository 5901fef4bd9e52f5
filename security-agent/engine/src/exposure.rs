//! Whether somebody else than the administrator can change policies: whoever can write a policy can switch detection off.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

const GROUP_WRITES: u32 = 0o020;
const OTHERS_WRITE: u32 = 0o002;

/// Who can change a file or directory, as far as its owner and mode say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Access {
    mode: u32,
    uid: u32,
    gid: u32,
}

/// Who runs this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Own {
    uid: u32,
    gid: u32,
}

impl Own {
    /// The user and group of this process; those of root if /proc is not there.
    pub(crate) fn current() -> Self {
        let own =
            std::fs::metadata("/proc/self").map(|metadata| Own { uid: metadata.uid(), gid: metadata.gid() });
        own.unwrap_or(Own { uid: 0, gid: 0 })
    }
}

/// What is wrong with the owner or mode of a policy file or directory, if anything. What cannot be read is told elsewhere.
pub(crate) fn exposure(path: &Path, own: Own) -> Option<String> {
    let metadata = std::fs::metadata(path).ok()?;
    told(Access { mode: metadata.mode(), uid: metadata.uid(), gid: metadata.gid() }, own)
}

fn told(access: Access, own: Own) -> Option<String> {
    let Access { mode, uid, gid } = access;
    let shown = mode & 0o7777;
    if mode & OTHERS_WRITE != 0 {
        return Some(format!("every user can change it (mode {shown:04o})"));
    }
    if mode & GROUP_WRITES != 0 && gid != 0 && gid != own.gid {
        return Some(format!("the group {gid} can change it (mode {shown:04o})"));
    }
    (uid != 0 && uid != own.uid).then(|| format!("the user {uid} can change it, as its owner"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_and_whoever_runs_the_agent_may_write() {
        let own = Own { uid: 100, gid: 101 };
        let told = |mode, uid, gid| told(Access { mode, uid, gid }, own);
        assert_eq!(told(0o100_640, 0, 0), None);
        assert_eq!(told(0o100_664, 0, 0), None);
        assert_eq!(told(0o100_664, 100, 101), None);
        assert_eq!(told(0o100_644, 0, 7), None);
        assert!(told(0o100_664, 0, 7).is_some_and(|text| text.contains("group 7")));
        assert!(told(0o100_646, 0, 0).is_some_and(|text| text.contains("0646")));
        assert!(told(0o041_777, 0, 0).is_some_and(|text| text.contains("every user")));
        assert!(told(0o100_600, 1000, 0).is_some_and(|text| text.contains("user 1000")));
    }
}
