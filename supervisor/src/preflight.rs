//! What the container lacks of the documented `docker run` command, and what that costs.
//!
//! Nothing of it keeps the agent from starting: it does what is possible, and says what is not.

use std::path::{Path, PathBuf};

use rustix::thread::CapabilitySet;
use settings::{Environment, HostPaths};

/// Inode numbers of the first pid and cgroup namespaces: `PROC_PID_INIT_INO` and `PROC_CGROUP_INIT_INO` of the kernel's
/// `include/linux/proc_ns.h`.
const HOST_NAMESPACES: [(&str, u64, &str, &str); 2] = [
    (
        "pid",
        0xEFFF_FFFC,
        "--pid host",
        "process ids in /proc are not those of the host: what runs already is not seen",
    ),
    ("cgroup", 0xEFFF_FFFB, "--cgroupns host", "control groups are seen from within the container"),
];

/// Capabilities that are used, and what is lost without each. The command names more than these: the reference needs them.
const CAPABILITIES: [(CapabilitySet, &str, &str); 8] = [
    (CapabilitySet::SYS_ADMIN, "SYS_ADMIN", "no eBPF program can be loaded: nothing is watched"),
    (CapabilitySet::SYS_RESOURCE, "SYS_RESOURCE", "kernels before 5.11 may refuse the memory of eBPF maps"),
    (CapabilitySet::SYS_PTRACE, "SYS_PTRACE", "of what runs already, arguments and environment are not told"),
    (CapabilitySet::NET_ADMIN, "NET_ADMIN", "programs on network interfaces cannot be attached"),
    (CapabilitySet::IPC_LOCK, "IPC_LOCK", "kernels before 5.11 may refuse the memory of eBPF maps"),
    (
        CapabilitySet::CHOWN,
        "CHOWN",
        "the socket cannot be given to security-agent, which then cannot connect",
    ),
    (CapabilitySet::SETUID, "SETUID", "security-agent cannot become its own user and does not start"),
    (CapabilitySet::SETGID, "SETGID", "security-agent cannot become its own user and does not start"),
];

/// What is in the root of the control groups, of version 2 or 1.
const CGROUP_FILES: [&str; 4] = ["cgroup.controllers", "unified", "memory", "systemd"];

/// Something that is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// The option of `docker run` that would give it.
    pub option: String,
    /// What does not work without.
    pub cost: &'static str,
}

/// What a container has.
#[derive(Debug, Clone)]
pub struct Facts {
    /// Its capabilities.
    pub capabilities: CapabilitySet,
    /// Inode numbers of its pid and cgroup namespaces; `None`: unknown.
    pub namespaces: [Option<u64>; 2],
    /// The places of the host's files.
    pub host: HostPaths,
    /// Whether an API key is set.
    pub has_api_key: bool,
}

impl Facts {
    /// Those of this process.
    ///
    /// # Errors
    /// If its capabilities cannot be read.
    pub fn gather(environment: &Environment) -> anyhow::Result<Self> {
        use std::os::unix::fs::MetadataExt;
        let inode =
            |name: &str| std::fs::metadata(format!("/proc/self/ns/{name}")).ok().map(|file| file.ino());
        Ok(Self {
            capabilities: rustix::thread::capabilities(None)?.effective,
            namespaces: HOST_NAMESPACES.map(|(name, ..)| inode(name)),
            host: HostPaths::detect(environment),
            has_api_key: environment.get("DD_API_KEY").is_some(),
        })
    }

    /// What is missing, where `exists` tells which paths there are.
    #[must_use]
    pub fn missing(&self, exists: &dyn Fn(&Path) -> bool) -> Vec<Missing> {
        let mut missing = Vec::new();
        let mut tell = |option: String, cost: &'static str| missing.push(Missing { option, cost });
        for (capability, name, cost) in CAPABILITIES {
            if !self.capabilities.contains(capability) {
                tell(format!("--cap-add {name}"), cost);
            }
        }
        for ((_, host, option, cost), inode) in HOST_NAMESPACES.iter().zip(self.namespaces) {
            if inode.is_some_and(|inode| inode != *host) {
                tell((*option).to_owned(), cost);
            }
        }
        for (paths, option, cost) in self.mounts() {
            if !paths.iter().any(|path| exists(path)) {
                tell(option.to_owned(), cost);
            }
        }
        if !self.has_api_key {
            tell(
                "--env DD_API_KEY=…".to_owned(),
                "signals stay on this host: see the outputs that are configured",
            );
        }
        missing
    }

    /// The mounts of the command: any of the paths shows that one is there.
    fn mounts(&self) -> [(Vec<PathBuf>, &'static str, &'static str); 5] {
        let root = &self.host.root;
        let below = |path: &str| root.join(path);
        [
            (
                vec![PathBuf::from("/host/proc/self"), below("proc/self")],
                "--volume /proc:/host/proc:ro",
                "facts about the host's kernel and processes come from the container's own /proc",
            ),
            (
                // Not the directory itself: the image has it, for the mount.
                CGROUP_FILES
                    .iter()
                    .flat_map(|file| {
                        [Path::new("/host/sys/fs/cgroup").join(file), below("sys/fs/cgroup").join(file)]
                    })
                    .collect(),
                "--volume /sys/fs/cgroup:/host/sys/fs/cgroup:ro",
                "control groups of the host are not seen",
            ),
            (
                vec![below("etc/passwd")].into_iter().filter(|_| root != Path::new("/")).collect(),
                "--volume /:/host/root:ro --env HOST_ROOT=/host/root",
                "names of users and groups are those of the image",
            ),
            (
                vec![PathBuf::from("/sys/kernel/debug/tracing"), PathBuf::from("/sys/kernel/tracing/events")],
                "--volume /sys/kernel/debug:/sys/kernel/debug",
                "tracefs is mounted privately",
            ),
            (
                vec![
                    PathBuf::from("/var/run/docker.sock"),
                    below("run/docker.sock"),
                    below("run/podman/podman.sock"),
                ],
                "--volume /var/run/docker.sock:/var/run/docker.sock:ro",
                "containers have ids and no names",
            ),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn documented() -> Facts {
        Facts {
            capabilities: CapabilitiesOf::all(),
            namespaces: [Some(0xEFFF_FFFC), Some(0xEFFF_FFFB)],
            host: HostPaths { proc: "/host/proc".into(), sys: "/host/sys".into(), root: "/host/root".into() },
            has_api_key: true,
        }
    }

    struct CapabilitiesOf;

    impl CapabilitiesOf {
        fn all() -> CapabilitySet {
            CAPABILITIES.iter().fold(CapabilitySet::empty(), |all, (capability, ..)| all | *capability)
        }
    }

    fn options(facts: &Facts, exists: &dyn Fn(&Path) -> bool) -> Vec<String> {
        facts.missing(exists).into_iter().map(|missing| missing.option).collect()
    }

    #[test]
    fn the_documented_command_lacks_nothing() {
        assert!(options(&documented(), &|_| true).is_empty());
    }

    #[test]
    fn each_capability_is_missed_by_its_name() {
        for (capability, name, _) in CAPABILITIES {
            let facts = Facts { capabilities: CapabilitiesOf::all() - capability, ..documented() };
            assert_eq!(options(&facts, &|_| true), [format!("--cap-add {name}")]);
        }
    }

    #[test]
    fn each_mount_is_missed_by_its_option() {
        for (path, option) in [
            ("/host/proc/self", "--volume /proc:/host/proc:ro"),
            ("/host/sys/fs/cgroup/memory", "--volume /sys/fs/cgroup:/host/sys/fs/cgroup:ro"),
            ("/host/root/etc/passwd", "--volume /:/host/root:ro --env HOST_ROOT=/host/root"),
            ("/sys/kernel/debug/tracing", "--volume /sys/kernel/debug:/sys/kernel/debug"),
            ("/var/run/docker.sock", "--volume /var/run/docker.sock:/var/run/docker.sock:ro"),
        ] {
            let there = [
                "/host/proc/self",
                "/host/sys/fs/cgroup/memory",
                "/host/root/etc/passwd",
                "/sys/kernel/debug/tracing",
                "/var/run/docker.sock",
            ];
            let exists =
                |asked: &Path| asked != Path::new(path) && there.iter().any(|one| asked == Path::new(one));
            assert_eq!(options(&documented(), &exists), [option]);
        }
    }

    #[test]
    fn other_namespaces_and_a_missing_root_are_told() {
        let facts = Facts {
            namespaces: [Some(1), Some(2)],
            host: HostPaths { root: "/".into(), ..documented().host },
            ..documented()
        };
        let expected =
            ["--pid host", "--cgroupns host", "--volume /:/host/root:ro --env HOST_ROOT=/host/root"];
        assert_eq!(options(&facts, &|_| true), expected);
        let unknown = Facts { namespaces: [None, None], ..documented() };
        assert!(options(&unknown, &|_| true).is_empty(), "what is unknown is not complained about");
    }

    #[test]
    fn facts_of_this_process_can_be_gathered() {
        let facts = Facts::gather(&Environment::from_pairs([("DD_API_KEY", "x")])).unwrap();
        assert!(facts.has_api_key && facts.namespaces[0].is_some());
    }
}
