//! What did not arrive: losses that the probe counted, gaps in the numbers of records, time without connection.

use std::collections::BTreeMap;

use proto::v1::{Batch, Loss, loss::Reason};
use proto::wire::Kind;
use serde_json::{Map, Value as Json, json};

/// What counts of lost signals are named, where those of lost records have the kind of event.
const SIGNAL: &str = "signal";

/// Why records are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LossReason {
    /// The kernel's ring buffer was full.
    RingFull,
    /// A record failed the checks of the probe.
    BadRecord,
    /// The probe's queue to the agent was full.
    QueueFull,
    /// The agent was not connected.
    NoSubscriber,
    /// The kernel did not run the program that makes the record.
    ProgramSkipped,
    /// The numbers of records have a gap that the probe does not explain.
    Unexplained,
    /// The agent could not decode what it received.
    Undecodable,
    /// A signal could not be written to an output, or did not fit into its queue.
    Output,
}

impl LossReason {
    /// Every reason.
    pub const ALL: [Self; 8] = [
        Self::RingFull,
        Self::BadRecord,
        Self::QueueFull,
        Self::NoSubscriber,
        Self::ProgramSkipped,
        Self::Unexplained,
        Self::Undecodable,
        Self::Output,
    ];

    /// The name in events, status and metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::RingFull => "ring_full",
            Self::BadRecord => "bad_record",
            Self::QueueFull => "queue_full",
            Self::NoSubscriber => "no_subscriber",
            Self::ProgramSkipped => "program_skipped",
            Self::Unexplained => "unexplained",
            Self::Undecodable => "undecodable",
            Self::Output => "output",
        }
    }

    pub(crate) fn of_probe(loss: &Loss) -> Self {
        match loss.reason() {
            Reason::RingFull => Self::RingFull,
            Reason::BadRecord => Self::BadRecord,
            Reason::QueueFull => Self::QueueFull,
            Reason::NoSubscriber => Self::NoSubscriber,
            Reason::ProgramSkipped => Self::ProgramSkipped,
            Reason::Unspecified => Self::Unexplained,
        }
    }
}

/// The name of a kind of records in events, status and metrics.
#[must_use]
pub fn kind_name(kind: u32) -> &'static str {
    Kind::from_number(kind).map_or("unknown", Kind::name)
}

/// Losses by reason and kind. Of bounded size: kinds that this version does not know count as one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts(BTreeMap<(LossReason, &'static str), u64>);

impl Counts {
    /// Counts `count` lost records.
    pub fn add(&mut self, reason: LossReason, kind: u32, count: u64) {
        self.add_named(reason, kind_name(kind), count);
    }

    fn add_named(&mut self, reason: LossReason, name: &'static str, count: u64) {
        if count > 0 {
            let slot = self.0.entry((reason, name)).or_default();
            *slot = slot.saturating_add(count);
        }
    }

    fn merge(&mut self, other: &Self) {
        for (key, count) in &other.0 {
            let slot = self.0.entry(*key).or_default();
            *slot = slot.saturating_add(*count);
        }
    }

    /// All of them together.
    #[must_use]
    pub fn sum(&self) -> u64 {
        self.0.values().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// Whether nothing was lost.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As a list for events and status.
    #[must_use]
    pub fn to_json(&self) -> Json {
        let entry = |(&(reason, kind), &count): (&(LossReason, &str), &u64)| json!({ "reason": reason.name(), "event_type": kind, "count": count });
        self.0.iter().map(entry).collect()
    }
}

/// A period in which something was lost.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gap {
    /// What is known to be lost.
    pub counts: Counts,
    /// The connection was lost: more may be missing than was counted.
    pub disconnected: bool,
    /// Time of the last record before, nanoseconds since 1970; 0: none.
    pub from_ns: u64,
    /// Time at which records came again, nanoseconds since 1970.
    pub to_ns: u64,
}

impl Gap {
    /// Members of the `lost_events` event.
    #[must_use]
    pub fn to_json(&self) -> Map<String, Json> {
        let mut map = Map::new();
        let date = |ns: u64| model::report::rfc3339(ns).map(Json::from);
        map.extend(date(self.from_ns).map(|date| ("from".to_owned(), date)));
        map.extend(date(self.to_ns).map(|date| ("to".to_owned(), date)));
        map.insert("lost".into(), self.counts.sum().into());
        map.insert("disconnected".into(), self.disconnected.into());
        map.insert("counts".into(), self.counts.to_json());
        map
    }
}

/// Watches a stream for losses.
#[derive(Debug, Default)]
pub struct LossTracker {
    /// Number that the next record must have.
    expected: Option<u64>,
    /// Time of the last batch, nanoseconds since 1970.
    last_ns: u64,
    /// The same when the stream before this one ended.
    ended_ns: u64,
    pending: Option<Gap>,
    total: Counts,
    /// Records of process lifecycle are missing: what is known of processes may be out of date.
    lifecycle_lost: bool,
}

impl LossTracker {
    /// A stream begins. `was_away`: the one before ended by itself, and nobody counted since.
    pub fn connected(&mut self, was_away: bool, now_ns: u64) {
        self.expected = None;
        self.lifecycle_lost = false;
        self.ended_ns = self.last_ns;
        if was_away {
            self.gap(now_ns).disconnected = true;
        }
    }

    /// A snapshot begins with the record of this number: what was lost of processes before is made good.
    pub fn snapshot_begins(&mut self, first_sequence: u64) {
        self.lifecycle_lost = false;
        // A capture begins with a snapshot, in the middle of a stream.
        self.expected.get_or_insert(first_sequence);
    }

    /// A batch arrived at `now_ns`, with records up to that time.
    pub fn batch(&mut self, batch: &Batch, now_ns: u64) {
        let mut counts = Counts::default();
        let mut explained = 0_u64;
        let mut before_the_stream = false;
        for loss in &batch.losses {
            counts.add(LossReason::of_probe(loss), loss.kind, loss.count);
            explained = explained.saturating_add(loss.count);
            let kind = Kind::from_number(loss.kind);
            let is_before_the_stream = loss.reason() == Reason::NoSubscriber;
            // What happened before this stream is in its snapshot.
            self.lifecycle_lost |=
                loss.count > 0 && !is_before_the_stream && kind.is_none_or(Kind::is_lifecycle);
            before_the_stream |= is_before_the_stream;
        }
        // The first batch of a stream may begin after losses from before it.
        let expected = self.expected.unwrap_or(0);
        let missing = batch.first_sequence.saturating_sub(expected).saturating_sub(explained);
        if missing > 0 {
            counts.add(LossReason::Unexplained, 0, missing);
            self.lifecycle_lost = true;
        }
        self.expected = Some(batch.first_sequence.saturating_add(batch.count.into()));
        self.add(&counts, now_ns);
        if let Some(gap) = &mut self.pending
            && before_the_stream
        {
            gap.from_ns = gap.from_ns.min(self.ended_ns);
        }
        self.last_ns = self.last_ns.max(now_ns);
    }

    /// `count` records of a batch could not be decoded.
    pub fn undecodable(&mut self, count: u64, now_ns: u64) {
        let mut counts = Counts::default();
        counts.add(LossReason::Undecodable, 0, count);
        self.lifecycle_lost |= count > 0;
        self.add(&counts, now_ns);
    }

    /// `count` signals did not get through to an output.
    pub fn unwritten(&mut self, count: u64, now_ns: u64) {
        let mut counts = Counts::default();
        counts.add_named(LossReason::Output, SIGNAL, count);
        self.add(&counts, now_ns);
    }

    /// Whether the connection was lost and that was not told yet.
    #[must_use]
    pub fn is_disconnection_pending(&self) -> bool {
        self.pending.as_ref().is_some_and(|gap| gap.disconnected)
    }

    /// The losses since the last call, if there are any.
    pub fn take(&mut self) -> Option<Gap> {
        self.pending.take()
    }

    /// Whether records of process lifecycle were lost since the last call.
    pub fn take_lifecycle_lost(&mut self) -> bool {
        std::mem::take(&mut self.lifecycle_lost)
    }

    /// All losses since the start.
    #[must_use]
    pub fn total(&self) -> &Counts {
        &self.total
    }

    fn add(&mut self, counts: &Counts, now_ns: u64) {
        if !counts.is_empty() {
            self.total.merge(counts);
            self.gap(now_ns).counts.merge(counts);
        }
    }

    fn gap(&mut self, now_ns: u64) -> &mut Gap {
        let from_ns = self.last_ns;
        let gap = self.pending.get_or_insert_with(|| Gap { from_ns, ..Gap::default() });
        gap.to_ns = gap.to_ns.max(now_ns).max(gap.from_ns);
        gap
    }
}

#[cfg(test)]
mod tests {
    use proto::wire::layout::KIND_EXEC;

    use super::*;

    fn batch(first_sequence: u64, count: u32, losses: &[(Reason, u32, u64)]) -> Batch {
        let loss = |&(reason, kind, count): &(Reason, u32, u64)| Loss { reason: reason.into(), kind, count };
        Batch { first_sequence, count, losses: losses.iter().map(loss).collect(), ..Batch::default() }
    }

    #[test]
    fn an_unbroken_stream_has_no_gap() {
        let mut tracker = LossTracker::default();
        tracker.connected(false, 0);
        tracker.batch(&batch(0, 10, &[]), 1);
        tracker.batch(&batch(10, 5, &[]), 2);
        assert_eq!(tracker.take(), None);
        assert!(!tracker.take_lifecycle_lost());
    }

    #[test]
    fn counted_losses_explain_a_gap_and_others_do_not() {
        let mut tracker = LossTracker::default();
        tracker.batch(&batch(0, 10, &[]), 100);
        tracker.batch(&batch(13, 1, &[(Reason::QueueFull, KIND_EXEC, 3)]), 200);
        tracker.batch(&batch(20, 1, &[(Reason::RingFull, 999, 2)]), 300);
        let gap = tracker.take().unwrap();
        assert_eq!((gap.from_ns, gap.to_ns, gap.counts.sum(), gap.disconnected), (100, 300, 9, false));
        assert_eq!(
            gap.counts.to_json(),
            json!([
                { "reason": "ring_full", "event_type": "unknown", "count": 2 },
                { "reason": "queue_full", "event_type": "exec", "count": 3 },
                { "reason": "unexplained", "event_type": "unknown", "count": 4 },
            ])
        );
        assert!(tracker.take_lifecycle_lost());
        assert_eq!(tracker.take(), None, "told once");
        assert_eq!(tracker.total().sum(), 9);
    }

    #[test]
    fn a_reconnection_is_a_gap_of_unknown_size() {
        let mut tracker = LossTracker::default();
        tracker.connected(false, 5);
        tracker.batch(&batch(0, 10, &[]), 10);
        tracker.connected(true, 50);
        tracker.batch(&batch(4, 1, &[(Reason::NoSubscriber, KIND_EXEC, 4)]), 60);
        let gap = tracker.take().unwrap();
        assert!(gap.disconnected);
        assert_eq!((gap.from_ns, gap.to_ns, gap.counts.sum()), (10, 60, 4));
        assert_eq!(gap.to_json()["from"], "1970-01-01T00:00:00.000000010Z");
    }

    #[test]
    fn losses_before_a_stream_do_not_ask_for_another_snapshot() {
        let mut tracker = LossTracker::default();
        tracker.connected(false, 0);
        tracker.batch(&batch(0, 10, &[]), 100);
        tracker.batch(&batch(14, 1, &[(Reason::NoSubscriber, KIND_EXEC, 4)]), 200);
        assert!(!tracker.take_lifecycle_lost());
        assert_eq!(tracker.take().unwrap().from_ns, 0, "since when is not known");
    }

    #[test]
    fn signals_that_no_output_took_are_told_and_ask_for_no_snapshot() {
        let mut tracker = LossTracker::default();
        tracker.unwritten(0, 10);
        assert_eq!(tracker.take(), None);
        tracker.unwritten(3, 20);
        assert_eq!(
            tracker.take().unwrap().counts.to_json(),
            json!([{ "reason": "output", "event_type": "signal", "count": 3 }])
        );
        assert!(!tracker.take_lifecycle_lost());
    }

    #[test]
    fn counts_do_not_grow_with_the_numbers_of_kinds() {
        let mut counts = Counts::default();
        for kind in 1_000..10_000 {
            counts.add(LossReason::RingFull, kind, u64::MAX);
        }
        assert_eq!((counts.0.len(), counts.sum()), (1, u64::MAX));
    }
}
