//! Control groups by the inode number of their directory.
//!
//! A record carries the number always and the path only when it is news. Processes of one group share one [`Cgroup`] and
//! one [`Container`].

use std::sync::Arc;

use model::{Cgroup, Container, Text};
use rustc_hash::FxHashMap;

use crate::resolve::container_id::container_id;

/// Control groups that are remembered. A large Kubernetes node has a few thousand.
const MAX_GROUPS: usize = 8_192;

/// A control group, and the container that it belongs to.
#[derive(Debug, Clone, Default)]
pub struct Membership {
    /// Inode number of the group's directory; 0: unknown.
    pub id: u64,
    /// The group; `None` if its path was never seen.
    pub cgroup: Option<Arc<Cgroup>>,
    /// The container; `None` on the host.
    pub container: Option<Arc<Container>>,
}

/// The control groups that were seen.
#[derive(Debug, Default)]
pub struct Cgroups {
    groups: FxHashMap<u64, Membership>,
    /// The second-last generation: what is not used again is forgotten when the next one is full.
    older: FxHashMap<u64, Membership>,
}

impl Cgroups {
    /// The group with this number. If its path is not known, it has no path and no container: none is better than a
    /// wrong one.
    pub fn by_id(&mut self, id: u64) -> Membership {
        if let Some(known) = self.groups.get(&id) {
            return known.clone();
        }
        match self.older.remove(&id) {
            Some(known) => self.insert(known),
            None if id == 0 => Membership::default(),
            None => {
                let cgroup = Cgroup { inode: id, ..Cgroup::default() };
                Membership { id, cgroup: Some(Arc::new(cgroup)), container: None }
            }
        }
    }

    /// The group with this number, which now has this path. An empty path says nothing new.
    pub fn with_path(&mut self, id: u64, path: &[u8]) -> Membership {
        if path.is_empty() {
            return self.by_id(id);
        }
        let known = self.by_id(id);
        if known.cgroup.as_ref().is_some_and(|cgroup| cgroup.id.as_bytes() == path) {
            return known;
        }
        let cgroup =
            Cgroup { id: Text::new(path), inode: id, manager: manager(path).into(), ..Cgroup::default() };
        let container = container_id(path).map(|id| {
            let shared = known.container.filter(|container| container.id.as_bytes() == id);
            shared.unwrap_or_else(|| Arc::new(Container { id: Text::new(id), ..Container::default() }))
        });
        let membership = Membership { id, cgroup: Some(Arc::new(cgroup)), container };
        if id == 0 { membership } else { self.insert(membership) }
    }

    fn insert(&mut self, membership: Membership) -> Membership {
        if self.groups.len() >= MAX_GROUPS / 2 {
            self.older = std::mem::take(&mut self.groups);
        }
        self.groups.insert(membership.id, membership.clone());
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

    #[test]
    fn a_path_is_remembered_and_shared() {
        let mut cgroups = Cgroups::default();
        let path = format!("/docker/{}", "a".repeat(64));
        let first = cgroups.with_path(7, path.as_bytes());
        let second = cgroups.by_id(7);
        assert!(Arc::ptr_eq(first.container.as_ref().unwrap(), second.container.as_ref().unwrap()));
        assert_eq!(&*second.cgroup.unwrap().id, path.as_bytes());
        let same = cgroups.with_path(7, b"");
        assert!(same.container.is_some());
    }

    #[test]
    fn an_unknown_group_has_no_container() {
        let unknown = Cgroups::default().by_id(9);
        assert_eq!(unknown.cgroup.unwrap().inode, 9);
        assert!(unknown.container.is_none());
    }

    #[test]
    fn a_number_that_is_used_again_takes_the_new_path() {
        let mut cgroups = Cgroups::default();
        cgroups.with_path(7, format!("/docker/{}", "a".repeat(64)).as_bytes());
        let moved = cgroups.with_path(7, b"/system.slice/cron.service");
        assert!(moved.container.is_none());
        assert_eq!(&*moved.cgroup.unwrap().manager, b"systemd");
    }

    #[test]
    fn what_is_remembered_is_bounded_and_what_is_used_stays() {
        let mut cgroups = Cgroups::default();
        cgroups.with_path(1, b"/used");
        for id in 2..100_000 {
            cgroups.with_path(id, b"/x");
            assert_eq!(&*cgroups.by_id(1).cgroup.unwrap().id, b"/used");
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
