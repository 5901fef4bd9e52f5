//! Start times that are cut to clock ticks.
//!
//! `/proc` tells when a process started in ticks of 10 ms; every other record has nanoseconds. A process that a snapshot
//! from `/proc` brought in is known by the cut time for as long as it lives, so that whatever refers to it (lineages,
//! variables of rules) stays valid; records with the exact time are brought to it here, before anything else looks at
//! them. In the other direction, a cut record of a process that is known exactly finds that one. Two processes with one
//! pid cannot be mixed up by this: the pid would have to be used again within 10 ms of the first one's start.

use proto::wire::layout::START_TICK_NS;

use super::ProcessTree;
use crate::decode::{Decoded, Payload, ProcessKey};

impl ProcessTree {
    /// Gives a record the start times by which its processes are known.
    pub(super) fn use_known_start_times(&self, decoded: &mut Decoded<'_>) {
        let is_cut = decoded.start_is_cut;
        if !is_cut && !self.knows_cut_starts {
            return;
        }
        let own = self.known_key(decoded.task.key(), is_cut);
        let parent = self.known_key(decoded.task.parent_key(), is_cut);
        decoded.task.set_start_times(own.start_time_ns, parent.start_time_ns);
        if let Payload::Fork(fork) = &mut decoded.payload {
            fork.forker = self.known_key(fork.forker, is_cut);
        }
    }

    /// The identity of the known process that `key` means, or else `key`.
    pub(super) fn known_key(&self, key: ProcessKey, is_cut: bool) -> ProcessKey {
        let entry = self.entries.get(&key.pid).filter(|entry| is_cut || entry.start_is_cut);
        match entry.map(|entry| entry.process.start_time) {
            Some(known) if tick(known) == tick(key.start_time_ns) => {
                ProcessKey { start_time_ns: known, ..key }
            }
            _ => key,
        }
    }
}

fn tick(start_time_ns: u64) -> u64 {
    start_time_ns / u64::from(START_TICK_NS)
}
