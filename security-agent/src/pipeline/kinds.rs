//! Which events rules can be about with what the probe can send.

use std::collections::BTreeSet;

use model::{Category, EventKind};
use proto::wire::Kind;
use secl::EventTypeId;

/// Events that rules can be about, with the records they are made from.
const TABLE: [(EventKind, Kind); 49] = [
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
    (EventKind::Bind, Kind::Bind),
    (EventKind::Connect, Kind::Connect),
    (EventKind::Accept, Kind::Accept),
    (EventKind::Setsockopt, Kind::Setsockopt),
    (EventKind::Dns, Kind::Dns),
    (EventKind::Imds, Kind::Imds),
    (EventKind::Packet, Kind::Packet),
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
    (EventKind::Capabilities, Kind::Capabilities),
    (EventKind::Selinux, Kind::Selinux),
    (EventKind::FlowMonitor, Kind::Flows),
];

/// The id of an event type in compiled rules.
pub(super) fn event_type(kind: EventKind) -> EventTypeId {
    // Their numbers are the same; a test of the model holds it to that.
    EventTypeId(kind as u16)
}

/// What the configuration leaves out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Off {
    /// All but the events about files.
    pub all_but_files: bool,
    /// Events of packets.
    pub packets: bool,
    /// Among these, those of packets of any kind.
    pub raw_packets: bool,
    /// Traffic by flow.
    pub flows: bool,
    /// Capabilities that are used.
    pub capabilities: bool,
}

impl Off {
    fn holds(self, event: EventKind) -> bool {
        (self.all_but_files && event.category() != Category::File)
            || (self.packets && (event.has_packet() || event == EventKind::FlowMonitor))
            || (self.raw_packets && event == EventKind::Packet)
            || (self.flows && event == EventKind::FlowMonitor)
            || (self.capabilities && event == EventKind::Capabilities)
    }
}

/// The events that rules can be about.
#[must_use]
pub fn observable(off: Off) -> BTreeSet<EventTypeId> {
    TABLE.iter().map(|(event, _)| *event).filter(|event| !off.holds(*event)).map(event_type).collect()
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
            wire_kinds([EventKind::Exec, EventKind::Capset, EventKind::Setuid, EventKind::Fork]),
            [Kind::Setuid.number(), Kind::Capset.number()]
        );
        let count = |off| observable(off).len();
        assert_eq!(count(Off::default()), 49);
        assert_eq!(count(Off { all_but_files: true, ..Off::default() }), 16);
        assert_eq!(count(Off { packets: true, ..Off::default() }), 45);
        assert_eq!(count(Off { raw_packets: true, ..Off::default() }), 48);
        assert_eq!(count(Off { flows: true, capabilities: true, ..Off::default() }), 47);
    }
}
