//! The numbers of processes, where this process runs in a container that has numbers of its own.
//!
//! Records carry the host's numbers. In a container without `--pid host` what the system tells this process about pids, its
//! own included, is in the container's; the mounted `/proc` of the host tells the host's.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Inode number of the first pid namespace: `PROC_PID_INIT_INO` of the kernel's `include/linux/proc_ns.h`.
const HOST: u64 = 0xEFFF_FFFC;

/// Whether this process sees the host's numbers. Where that cannot be told, it does.
pub(crate) fn is_host() -> bool {
    std::fs::metadata("/proc/self/ns/pid").map_or(true, |namespace| namespace.ino() == HOST)
}

/// The host's number of this process; 0: unknown. `proc` is the host's `/proc`.
pub(crate) fn own_pid(proc: &Path) -> u32 {
    if is_host() {
        return std::process::id();
    }
    // The link names the reader by its number in the namespace of the mount.
    let link = std::fs::read_link(proc.join("self")).unwrap_or_default();
    let number = link.to_str().and_then(|name| name.parse().ok()).unwrap_or_default();
    // With its own number, /proc is the container's: that number belongs to another process of the host.
    if number == std::process::id() { 0 } else { number }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_a_number_on_the_host() {
        if is_host() {
            assert_eq!(own_pid(Path::new("/proc")), std::process::id());
        } else {
            assert_eq!(own_pid(Path::new("/proc")), 0);
        }
    }
}
