//! Where the host's own files are, seen from a container.

use std::path::{Path, PathBuf};

use crate::environment::Environment;

/// Mount points of the host's file systems.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPaths {
    /// The host's `/proc`. Variable `HOST_PROC`.
    pub proc: PathBuf,
    /// The host's `/sys`. Variable `HOST_SYS`.
    pub sys: PathBuf,
    /// The host's `/`, for its users and groups. Variable `HOST_ROOT`.
    pub root: PathBuf,
}

impl HostPaths {
    /// From the environment. In a container that has `/host`, `/proc` and `/sys` are looked for below it.
    #[must_use]
    pub fn detect(environment: &Environment) -> Self {
        let containerised = environment.get("DOCKER_DD_AGENT").is_some()
            || Path::new("/.dockerenv").exists()
            || environment.get("KUBERNETES_SERVICE_HOST").is_some();
        Self::new(environment, containerised, &Path::exists)
    }

    fn new(environment: &Environment, containerised: bool, exists: &dyn Fn(&Path) -> bool) -> Self {
        let place = |variable: &str, below_host: &str, otherwise: &str| {
            let mounted = Path::new(below_host);
            match environment.get(variable) {
                Some(path) => PathBuf::from(path),
                None if containerised && exists(mounted) => mounted.to_owned(),
                None => PathBuf::from(otherwise),
            }
        };
        Self {
            proc: place("HOST_PROC", "/host/proc", "/proc"),
            sys: place("HOST_SYS", "/host/sys", "/sys"),
            root: place("HOST_ROOT", "/host/root", "/"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hosts_mounts_are_used_only_in_a_container_that_has_them() {
        let none = Environment::default();
        let proc = |containerised, mounted| HostPaths::new(&none, containerised, &|_| mounted).proc;
        assert_eq!(proc(false, true), Path::new("/proc"));
        assert_eq!(proc(true, false), Path::new("/proc"));
        assert_eq!(proc(true, true), Path::new("/host/proc"));
    }

    #[test]
    fn the_environment_decides_first() {
        let environment = Environment::from_pairs([("HOST_PROC", "/p"), ("HOST_ROOT", "/r")]);
        let paths = HostPaths::new(&environment, true, &|_| true);
        assert_eq!((paths.proc.as_path(), paths.root.as_path()), (Path::new("/p"), Path::new("/r")));
        assert_eq!(paths.sys, Path::new("/host/sys"));
    }
}
