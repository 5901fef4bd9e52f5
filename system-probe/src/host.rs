//! What identifies this host and this boot to the agent.

use proto::v1::HelloReply;
use proto::wire::RECORD_LAYOUT_HASH;

use crate::VERSION;
use crate::clock;

/// The answer to a `Hello`.
pub(crate) fn hello() -> HelloReply {
    let uname = rustix::system::uname();
    let text = |part: &std::ffi::CStr| part.to_string_lossy().into_owned();
    HelloReply {
        version: VERSION.to_owned(),
        layout_hash: RECORD_LAYOUT_HASH,
        boot_id: boot_id(),
        kernel_release: text(uname.release()),
        machine: text(uname.machine()),
        hostname: text(uname.nodename()),
        realtime_offset_ns: clock::realtime_offset_ns(),
    }
}

/// Empty only where `/proc` is not mounted.
fn boot_id() -> String {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    id.trim().to_owned()
}

/// Resident memory of this process, bytes; 0 if unknown.
pub(crate) fn resident_bytes() -> u64 {
    let pages = || -> Option<u64> {
        // Pages of: size resident shared text lib data dirty.
        let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
        statm.split_ascii_whitespace().nth(1)?.parse().ok()
    };
    pages().unwrap_or_default() * rustix::param::page_size() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_host_has_an_identity() {
        let hello = hello();
        assert_eq!(hello.boot_id.len(), 36, "{hello:?}");
        assert!(!hello.kernel_release.is_empty() && !hello.machine.is_empty() && !hello.hostname.is_empty());
        assert!(resident_bytes() > 100_000);
    }
}
