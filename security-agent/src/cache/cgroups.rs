//! Control groups by the inode number of their directory.
//!
//! A record carries the number always and the path only when it is news. Processes of one group share one [`Cgroup`], those
//! of one container one [`Container`].

use std::sync::Arc;

use model::{Cgroup, Container, Text};
use rustc_hash::FxHashMap;

use super::containers::Containers;
use crate::decode::CgroupKey;
use crate::resolve::container_id::container_id;

/// Control groups that are remembered. A large Kubernetes node has a few thousand.
const MAX_GROUPS: usize = 8_192;

/// A control group, and the container that it belongs to.
#[derive(Debug, Clone, Default)]
pub struct Membership {
    /// Which one.
    pub key: CgroupKey,
    /// The group; `None` if its path was never seen.
    pub cgroup: Option<Arc<Cgroup>>,
    /// The container; `None` on the host.
    pub container: Option<Arc<Container>>,
}

/// The control groups that were seen.
#[derive(Debug, Default)]
pub struct Cgroups {
    groups: FxHashMap<CgroupKey, Membership>,
    /// The second-last generation: what is not used again is forgotten when the next one is full.
    older: FxHashMap<CgroupKey, Membership>,
    /// The containers that the groups belong to.
    pub containers: Containers,
    /// When that began which is looked at, since 1970.
    pub now_ns: u64,
}

impl Cgroups {
    /// The group with this number. If its path is not known, it has no path and no container: none is better than a
    /// wrong one.
    pub fn by_key(&mut self, key: CgroupKey) -> Membership {
        if let Some(known) = self.groups.get(&key) {
            return known.clone();
        }
        match self.older.remove(&key) {
            Some(known) => self.insert(known),
            None if key.inode == 0 => Membership { key, ..Membership::default() },
            None => {
                let cgroup = Cgroup { inode: key.inode, version: key.version, ..Cgroup::default() };
                Membership { key, cgroup: Some(Arc::new(cgroup)), container: None }
            }
        }
    }

    /// The group with this number, which now has this path. An empty path says nothing new.
    pub fn with_path(&mut self, key: CgroupKey, path: &[u8]) -> Membership {
        if path.is_empty() {
            return self.by_key(key);
        }
        let known = self.by_key(key);
        if known.cgroup.as_ref().is_some_and(|cgroup| cgroup.id.as_bytes() == path) {
            return known;
        }
        let cgroup = Cgroup {
            id: Text::new(path),
            version: key.version,
            inode: key.inode,
            manager: manager(path).into(),
            ..Cgroup::default()
        };
        let container = container_id(path).map(|id| {
            let shared = known.container.filter(|container| container.id.as_bytes() == id);
            shared.unwrap_or_else(|| self.containers.by_id(id, self.now_ns))
        });
        let membership = Membership { key, cgroup: Some(Arc::new(cgroup)), container };
        if key.inode == 0 { membership } else { self.insert(membership) }
    }

    /// As [`Cgroups::with_path`], for a process that was in the group `before`. If that one has a path and no number, as
    /// `/proc` tells it, this is taken for the same group: a move would have come with a path.
    pub fn after(&mut self, before: Option<&Cgroup>, key: CgroupKey, path: &[u8]) -> Membership {
        let unnumbered = before.filter(|before| before.inode == 0 && before.version == key.version);
        let Some(before) = unnumbered.filter(|_| path.is_empty()) else { return self.with_path(key, path) };
        let known = self.by_key(key);
        if known.cgroup.as_ref().is_some_and(|known| !known.id.is_empty()) {
            return known;
        }
        self.with_path(key, &before.id)
    }

    fn insert(&mut self, membership: Membership) -> Membership {
        if self.groups.len() >= MAX_GROUPS / 2 {
            self.older = std::mem::take(&mut self.groups);
        }
        self.groups.insert(membership.key, membership.clone());
        membership
    }
}

/// What manages the group, by the marks that managers leave in its path; empty if there is none.
fn manager(path: &[u8]) -> &'static str {
    /// Marks of container managers, which come before those of systemd: it places their groups.
    const MARKS: [(&[u8], &str); 8] = [
        (b"cri-containerd", "cri"),
        (b"crio", "cri-o"),
        (b"libpod", "podman"),
        (b"docker", "docker"),
        (b"/ecs/", "ecs"),
        (b"kubepods", "cri"),
        (b".service", "systemd"),
        (b".scope", "systemd"),
    ];
    let has = |mark: &[u8]| path.windows(mark.len()).any(|window| window == mark);
    MARKS.iter().find(|(mark, _)| has(mark)).map_or("", |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v2(inode: u64) -> CgroupKey {
        CgroupKey { inode, version: 2 }
    }

    #[test]
    fn a_path_is_remembered_and_shared() {
        let mut cgroups = Cgroups::default();
        let path = format!("/docker/{}", "a".repeat(64));
        let first = cgroups.with_path(v2(7), path.as_bytes());
        let second = cgroups.by_key(v2(7));
        assert!(Arc::ptr_eq(first.container.as_ref().unwrap(), second.container.as_ref().unwrap()));
        assert_eq!(&*second.cgroup.unwrap().id, path.as_bytes());
        let same = cgroups.with_path(v2(7), b"");
        assert!(same.container.is_some());
    }

    #[test]
    fn equal_numbers_of_both_versions_are_two_groups() {
        let mut cgroups = Cgroups::default();
        cgroups.with_path(v2(7), b"/two");
        let one = cgroups.with_path(CgroupKey { inode: 7, version: 1 }, b"/one").cgroup.unwrap();
        let two = cgroups.by_key(v2(7)).cgroup.unwrap();
        assert_eq!((&*one.id, one.version), (&b"/one"[..], 1));
        assert_eq!((&*two.id, two.version), (&b"/two"[..], 2));
    }

    #[test]
    fn a_group_without_number_gets_the_number_that_comes_next() {
        let mut cgroups = Cgroups::default();
        let path = format!("/docker/{}", "a".repeat(64));
        let before = cgroups.with_path(v2(0), path.as_bytes()).cgroup;
        let after = cgroups.after(before.as_deref(), v2(7), b"");
        assert!(after.container.is_some());
        assert_eq!(after.cgroup.unwrap().inode, 7);
        // The number is known by now, and so is a path that comes with it.
        cgroups.with_path(v2(8), b"/other");
        assert_eq!(&*cgroups.after(before.as_deref(), v2(8), b"").cgroup.unwrap().id, b"/other");
        assert_eq!(&*cgroups.after(before.as_deref(), v2(9), b"/moved").cgroup.unwrap().id, b"/moved");
        let other_version = CgroupKey { inode: 9, version: 1 };
        assert!(cgroups.after(before.as_deref(), other_version, b"").container.is_none());
    }

    #[test]
    fn groups_of_one_container_share_it() {
        let mut cgroups = Cgroups::default();
        let path = format!("/docker/{}", "a".repeat(64));
        let outer = cgroups.with_path(v2(7), path.as_bytes());
        let inner = cgroups.with_path(v2(8), format!("{path}/init.scope").as_bytes());
        assert!(Arc::ptr_eq(outer.container.as_ref().unwrap(), inner.container.as_ref().unwrap()));
    }

    #[test]
    fn an_unknown_group_has_no_container() {
        let unknown = Cgroups::default().by_key(v2(9));
        assert_eq!(unknown.cgroup.unwrap().inode, 9);
        assert!(unknown.container.is_none());
    }

    #[test]
    fn a_number_that_is_used_again_takes_the_new_path() {
        let mut cgroups = Cgroups::default();
        cgroups.with_path(v2(7), format!("/docker/{}", "a".repeat(64)).as_bytes());
        let moved = cgroups.with_path(v2(7), b"/system.slice/cron.service");
        assert!(moved.container.is_none());
        assert_eq!(&*moved.cgroup.unwrap().manager, b"systemd");
    }

    #[test]
    fn what_is_remembered_is_bounded_and_what_is_used_stays() {
        let mut cgroups = Cgroups::default();
        cgroups.with_path(v2(1), b"/used");
        for id in 2..100_000 {
            cgroups.with_path(v2(id), b"/x");
            assert_eq!(&*cgroups.by_key(v2(1)).cgroup.unwrap().id, b"/used");
            assert!(cgroups.groups.len() + cgroups.older.len() <= MAX_GROUPS);
        }
    }

    #[test]
    fn managers_are_known_by_their_marks() {
        for (path, expected) in [
            ("/system.slice/docker-abc.scope", "docker"),
            ("/kubepods.slice/cri-containerd-abc.scope", "cri"),
            ("/machine.slice/libpod-abc.scope", "podman"),
            ("/user.slice/session-1.scope", "systemd"),
            ("/", ""),
        ] {
            assert_eq!(manager(path.as_bytes()), expected, "{path}");
        }
    }
}
