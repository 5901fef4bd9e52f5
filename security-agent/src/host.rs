//! What the agent knows about the host that it runs on.

use std::io::Read;
use std::path::Path;

use engine::{HostFacts, KernelVersion};
use model::report::AgentInfo;

use crate::stream::client::VERSION;

/// Bytes that are read of the os-release file.
const OS_RELEASE_SIZE_MAX: u64 = 64 << 10;

/// Facts that the filters of policies choose by. `root` is the host's root directory.
#[must_use]
pub fn facts(root: &Path, hostname: &str) -> HostFacts {
    let uname = rustix::system::uname();
    let hostname = match hostname {
        "" => uname.nodename().to_string_lossy().into_owned(),
        name => name.to_owned(),
    };
    let envs = std::env::vars_os().filter_map(|(name, value)| {
        Some(format!("{}={}", name.into_string().ok()?, value.into_string().ok()?))
    });
    let facts = HostFacts {
        kernel: KernelVersion::parse(&uname.release().to_string_lossy()),
        kernel_core_enabled: Path::new("/sys/kernel/btf/vmlinux").exists(),
        envs: envs.collect(),
        hostname,
        ..HostFacts::default()
    };
    facts.with_os_release(&os_release(root))
}

/// What reports say about this agent.
#[must_use]
pub fn agent_info(facts: &HostFacts, host: &settings::table::Host) -> AgentInfo {
    let env = (!host.env.is_empty()).then(|| format!("env:{}", host.env));
    AgentInfo {
        tags: host.tags.iter().cloned().chain(env).collect(),
        version: VERSION.to_owned(),
        kernel_version: rustix::system::uname().release().to_string_lossy().into_owned(),
        distribution: format!("{} {}", facts.os_id, facts.os_version_id).trim().to_owned(),
    }
}

/// Resident memory of this process, bytes; 0 if it cannot be told.
#[must_use]
pub fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
    pages.saturating_mul(u64::try_from(rustix::param::page_size()).unwrap_or(4096))
}

fn os_release(root: &Path) -> String {
    let read = |path: &str| {
        let mut text = String::new();
        let file = std::fs::File::open(root.join(path)).ok()?;
        file.take(OS_RELEASE_SIZE_MAX).read_to_string(&mut text).ok()?;
        Some(text)
    };
    read("etc/os-release").or_else(|| read("usr/lib/os-release")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distribution_comes_from_the_hosts_root() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("usr/lib")).unwrap();
        std::fs::write(root.path().join("usr/lib/os-release"), "ID=debian\nVERSION_ID=\"12\"\n").unwrap();
        let facts = facts(root.path(), "web1");
        assert_eq!((facts.hostname.as_str(), facts.os_id.as_str()), ("web1", "debian"));
        let host = settings::table::Host {
            tags: vec!["team:blue".into()],
            env: "prod".into(),
            ..settings::table::Host::default()
        };
        let agent = agent_info(&facts, &host);
        assert_eq!(agent.distribution, "debian 12");
        assert_eq!(agent.tags, ["team:blue", "env:prod"]);
        assert!(agent_info(&facts, &settings::table::Host::default()).tags.is_empty());
        assert!(facts.kernel.major > 0);
    }

    #[test]
    fn the_resident_memory_is_known() {
        assert!(resident_bytes() > 1 << 20);
    }
}
