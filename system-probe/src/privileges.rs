//! What the probe may do: checked at the start, cut down once the programs are loaded.

use rustix::thread::CapabilitySet;
use rustix::thread::CapabilitySets;

/// Needed to load and attach programs, on kernels that have it (Linux 5.8). Older ones want CAP_SYS_ADMIN.
const LOADING: CapabilitySet = CapabilitySet::BPF.union(CapabilitySet::PERFMON);

/// What is kept for the time of running:
/// - attaching, detaching and reading programs and maps (BPF, PERFMON),
/// - programs on control groups, which the kernel counts among those of the network (NET_ADMIN),
/// - `/proc` of other users' processes: image, environment, descriptors (SYS_PTRACE, DAC_READ_SEARCH).
const RUNNING: CapabilitySet = LOADING
    .union(CapabilitySet::NET_ADMIN)
    .union(CapabilitySet::SYS_PTRACE)
    .union(CapabilitySet::DAC_READ_SEARCH);

/// Who may open perf events.
const PERF_EVENT_PARANOID: &str = "/proc/sys/kernel/perf_event_paranoid";

/// Says precisely what is missing to load programs.
pub(crate) fn check() -> anyhow::Result<()> {
    let effective = rustix::thread::capabilities(None)?.effective;
    match missing(effective) {
        Some(names) => anyhow::bail!(
            "system-probe lacks {names}: run it as root or with these capabilities (in a container: --cap-add)"
        ),
        None => Ok(()),
    }
}

/// Names of the capabilities that are missing for loading.
fn missing(effective: CapabilitySet) -> Option<String> {
    if effective.contains(LOADING) || effective.contains(CapabilitySet::SYS_ADMIN) {
        return None;
    }
    let names = [(CapabilitySet::BPF, "CAP_BPF"), (CapabilitySet::PERFMON, "CAP_PERFMON")];
    let lacking = names.iter().filter(|(capability, _)| !effective.contains(*capability));
    Some(lacking.map(|(_, name)| *name).collect::<Vec<_>>().join(" and "))
}

/// Raises what a BPF program on an old kernel is charged to (before Linux 5.11 maps count as locked memory). That it
/// fails in containers without CAP_SYS_RESOURCE does not matter on newer ones. And the number of open files, as far as
/// it may be: a program at a function of the kernel takes up to three of them.
pub(crate) fn raise_limits() {
    use rustix::process::Resource;
    use rustix::process::Rlimit;
    let unlimited = Rlimit { current: None, maximum: None };
    if let Err(error) = rustix::process::setrlimit(Resource::Memlock, unlimited) {
        tracing::debug!(%error, "cannot raise the limit of locked memory");
    }
    let files = rustix::process::getrlimit(Resource::Nofile);
    if let Err(error) =
        rustix::process::setrlimit(Resource::Nofile, Rlimit { current: files.maximum, ..files })
    {
        tracing::debug!(%error, "cannot raise the limit of open files");
    }
}

/// Gives up what running does not need; with `kills`, signals to processes of other users are part of that. Must be called
/// before other threads start: capabilities are per thread, and new threads inherit them. A step that fails is logged;
/// the probe runs as it did.
pub(crate) fn lower(kills: bool) {
    if let Err(error) = rustix::thread::set_no_new_privs(true) {
        tracing::debug!(%error, "cannot give up gaining privileges");
    }
    let Ok(now) = rustix::thread::capabilities(None) else { return };
    let mut kept = kept(now.permitted, perf_events_want_admin(PERF_EVENT_PARANOID));
    if kills {
        kept |= now.permitted & CapabilitySet::KILL;
    }
    for capability in (CapabilitySet::all() - kept).iter() {
        // Refused for those that this kernel does not know, and without CAP_SETPCAP: then there is nothing to drop
        // that an exec could bring back, because of no_new_privs.
        let _ = rustix::thread::remove_capability_from_bounding_set(capability);
    }
    let _ = rustix::thread::clear_ambient_capability_set();
    let sets = CapabilitySets { effective: kept, permitted: kept, inheritable: CapabilitySet::empty() };
    match rustix::thread::set_capabilities(None, sets) {
        Ok(()) => tracing::debug!(?kept, "capabilities lowered"),
        Err(error) => tracing::warn!(%error, "cannot give up capabilities"),
    }
}

/// Whether opening a perf event, as attaching to a tracepoint does, takes CAP_SYS_ADMIN: kernels of Debian and Ubuntu have
/// a level 3 of this setting, their default, at which CAP_PERFMON is not enough.
fn perf_events_want_admin(setting: &str) -> bool {
    let level = std::fs::read_to_string(setting).unwrap_or_default();
    level.trim().parse::<i32>().is_ok_and(|level| level > 2)
}

/// What of `permitted` is kept.
fn kept(permitted: CapabilitySet, perf_events_want_admin: bool) -> CapabilitySet {
    // A kernel without CAP_BPF, or a container that was given CAP_SYS_ADMIN in its place.
    let is_enough = permitted.contains(LOADING) && !perf_events_want_admin;
    let loading = if is_enough { LOADING } else { LOADING | CapabilitySet::SYS_ADMIN };
    permitted & (RUNNING | loading)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn either_the_new_capabilities_or_the_old_one_is_enough() {
        assert_eq!(missing(LOADING), None);
        assert_eq!(missing(CapabilitySet::SYS_ADMIN), None);
        assert_eq!(missing(CapabilitySet::all()), None);
    }

    #[test]
    fn what_is_missing_is_named() {
        assert_eq!(missing(CapabilitySet::empty()).unwrap(), "CAP_BPF and CAP_PERFMON");
        assert_eq!(missing(CapabilitySet::BPF | CapabilitySet::NET_ADMIN).unwrap(), "CAP_PERFMON");
    }

    #[test]
    fn nothing_is_kept_that_running_does_not_need() {
        assert_eq!(kept(CapabilitySet::all(), false), RUNNING);
        assert_eq!(kept(CapabilitySet::empty(), true), CapabilitySet::empty());
        let old = CapabilitySet::SYS_ADMIN | CapabilitySet::SYS_PTRACE | CapabilitySet::SYS_MODULE;
        assert_eq!(kept(old, false), CapabilitySet::SYS_ADMIN | CapabilitySet::SYS_PTRACE);
    }

    #[test]
    fn where_perf_events_are_restricted_the_old_one_is_kept() {
        let directory = tempfile::tempdir().unwrap();
        let setting = directory.path().join("perf_event_paranoid");
        for (level, wanted) in [("-1\n", false), ("2\n", false), ("3\n", true), ("4\n", true), ("x", false)] {
            std::fs::write(&setting, level).unwrap();
            assert_eq!(perf_events_want_admin(setting.to_str().unwrap()), wanted, "{level}");
        }
        assert!(!perf_events_want_admin("/nonexistent"));
        assert_eq!(kept(CapabilitySet::all(), true), RUNNING | CapabilitySet::SYS_ADMIN);
    }
}
