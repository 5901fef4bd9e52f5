//! Which events rules can be about with what the probe can send.

use std::collections::BTreeSet;

use model::{Category, EventKind};
use proto::wire::Kind;
use secl::EventTypeId;

/// Events that rules can be about, with the records they are made from.
const TABLE: [(EventKind, Kind); 39] = [
    (EventKind::Exec, Kind::Exec),
    (EventKind::Exit, Kind::Exit),
    (EventKind::Setuid, Kind::Setuid),
    (EventKind::Setgid, Kind::Setgid),
    (EventKind::Capset, Kind::Capset),
    (EventKind::Open, Kind::Open),
    (EventKind::Mkdir, Kind::Mkdir),
    (EventKind::Rmdir, Kind::Rmdir),
    (EventKind::Unlink, Kind::Unlink),
    (EventKind::Rename, Kind::Rename),
    (EventKind::Link, Kind::Link),
    (EventKind::Chmod, Kind::Chmod),
    (EventKind::Chown, Kind::Chown),
    (EventKind::Utimes, Kind::Utimes),
    (EventKind::Setxattr, Kind::Setxattr),
    (EventKind::Removexattr, Kind::Removexattr),
    (EventKind::Splice, Kind::Splice),
    (EventKind::Mount, Kind::Mount),
    (EventKind::Chdir, Kind::Chdir),
    (EventKind::Symlink, Kind::Symlink),
    (EventKind::Umount, Kind::Umount),
    (EventKind::Ptrace, Kind::Ptrace),
    (EventKind::Signal, Kind::Signal),
    (EventKind::Bpf, Kind::Bpf),
    (EventKind::LoadModule, Kind::LoadModule),
    (EventKind::UnloadModule, Kind::UnloadModule),
    (EventKind::Mmap, Kind::Mmap),
    (EventKind::Mprotect, Kind::Mprotect),
    (EventKind::Setrlimit, Kind::Setrlimit),
    (EventKind::Prctl, Kind::Prctl),
    (EventKind::CgroupWrite, Kind::CgroupWrite),
    (EventKind::Sysctl, Kind::Sysctl),
    (EventKind::Unshare, Kind::Unshare),
    (EventKind::Setns, Kind::Setns),
    // An exchange of the root is one of the calls that are told as mounts.
    (EventKind::PivotRoot, Kind::Mount),
    (EventKind::ProcessVmWritev, Kind::ProcessVmWritev),
    (EventKind::Userfaultfd, Kind::Userfaultfd),
    (EventKind::MemfdCreate, Kind::MemfdCreate),
    (EventKind::IoUringSetup, Kind::IoUringSetup),
];

/// The id of an event type in compiled rules.
pub(super) fn event_type(kind: EventKind) -> EventTypeId {
    // Their numbers are the same; a test of the model holds it to that.
    EventTypeId(kind as u16)
}

/// The events that rules can be about. `files_only`: just those about files.
#[must_use]
pub fn observable(files_only: bool) -> BTreeSet<EventTypeId> {
    let kinds = TABLE.iter().map(|(event, _)| *event);
    kinds.filter(|event| !files_only || event.category() == Category::File).map(event_type).collect()
}

/// Those of the events that are made from records of their own, with these.
pub(super) fn with_records(
    events: impl IntoIterator<Item = EventKind>,
) -> impl Iterator<Item = (EventKind, Kind)> {
    events.into_iter().filter_map(|event| TABLE.iter().find(|(of, _)| *of == event)).copied()
}

/// The numbers of the records that these events need, without those that the probe always sends.
#[must_use]
pub fn wire_kinds(events: impl IntoIterator<Item = EventKind>) -> Vec<u32> {
    let wanted: BTreeSet<u32> = events
        .into_iter()
        .filter_map(|event| TABLE.iter().find(|(of, _)| *of == event))
        .filter(|(_, kind)| !kind.is_lifecycle())
        .map(|(_, kind)| kind.number())
        .collect();
    wanted.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use secl::Schema as _;

    use super::*;

    #[test]
    fn ids_are_those_of_the_schema() {
        let fields = model::Fields::default();
        for (event, _) in TABLE {
            assert_eq!(fields.event_type(event.name()), Some(event_type(event)), "{}", event.name());
        }
    }

    #[test]
    fn only_what_is_not_always_sent_is_wanted() {
        assert_eq!(
            wire_kinds([EventKind::Exec, EventKind::Capset, EventKind::Setuid, EventKind::Dns]),
            [Kind::Setuid.number(), Kind::Capset.number()]
        );
        assert_eq!((observable(false).len(), observable(true).len()), (39, 16));
    }
}
