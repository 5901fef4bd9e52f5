//! How many records did not reach the agent, by reason and kind.

use proto::v1;
use proto::wire::Kind;
use proto::wire::layout::KIND_MAX;

/// Why a record was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LossReason {
    /// The kernel's ring buffer was full.
    RingFull,
    /// The record failed the checks of the reader.
    BadRecord,
    /// The queue to the agent was full.
    QueueFull,
    /// Nobody was connected.
    NoSubscriber,
    /// The kernel did not run the program.
    ProgramSkipped,
}

impl LossReason {
    const ALL: [Self; 5] =
        [Self::RingFull, Self::BadRecord, Self::QueueFull, Self::NoSubscriber, Self::ProgramSkipped];

    const fn index(self) -> usize {
        match self {
            Self::RingFull => 0,
            Self::BadRecord => 1,
            Self::QueueFull => 2,
            Self::NoSubscriber => 3,
            Self::ProgramSkipped => 4,
        }
    }

    const fn on_the_wire(self) -> v1::loss::Reason {
        match self {
            Self::RingFull => v1::loss::Reason::RingFull,
            Self::BadRecord => v1::loss::Reason::BadRecord,
            Self::QueueFull => v1::loss::Reason::QueueFull,
            Self::NoSubscriber => v1::loss::Reason::NoSubscriber,
            Self::ProgramSkipped => v1::loss::Reason::ProgramSkipped,
        }
    }
}

/// Kinds are numbered from 1; 0 stands for "unknown".
const KINDS: usize = KIND_MAX as usize + 1;

/// Counts by kind. Of fixed size, so that no record, however damaged, makes it grow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KindCounts([u64; KINDS]);

impl KindCounts {
    pub(super) const fn new() -> Self {
        Self([0; KINDS])
    }

    /// Adds to a kind's count; a number that is no kind counts as unknown.
    pub(super) fn add(&mut self, kind: u32, count: u64) {
        let slot = usize::try_from(kind).ok().filter(|slot| *slot < KINDS).unwrap_or(0);
        self.0[slot] = self.0[slot].saturating_add(count);
    }

    pub(super) fn subtract(&mut self, kind: Kind, count: u64) {
        if let Some(slot) = usize::try_from(kind.number()).ok().and_then(|slot| self.0.get_mut(slot)) {
            *slot = slot.saturating_sub(count);
        }
    }

    /// The counts that are not zero.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, u64)> + '_ {
        (0u32..).zip(self.0).filter(|(_, count)| *count > 0)
    }
}

/// Losses by reason and kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Losses {
    counts: [KindCounts; LossReason::ALL.len()],
    sum: u64,
}

impl Default for Losses {
    fn default() -> Self {
        Self { counts: [const { KindCounts::new() }; LossReason::ALL.len()], sum: 0 }
    }
}

impl Losses {
    /// Counts lost records of a kind; a number that is no kind counts as 0, "unknown".
    pub(crate) fn add(&mut self, reason: LossReason, kind: u32, count: u64) {
        if count > 0 {
            self.counts[reason.index()].add(kind, count);
            self.sum = self.sum.saturating_add(count);
        }
    }

    /// Adds all counts of another.
    pub(super) fn merge(&mut self, other: &Self) {
        for reason in LossReason::ALL {
            for (kind, count) in other.counts[reason.index()].iter() {
                self.add(reason, kind, count);
            }
        }
    }

    /// All of them together.
    pub(crate) fn sum(&self) -> u64 {
        self.sum
    }

    /// As they travel to the agent: one entry per reason and kind that lost something.
    pub(crate) fn to_wire(&self) -> Vec<v1::Loss> {
        let reasons = LossReason::ALL.iter().zip(&self.counts);
        reasons
            .flat_map(|(reason, counts)| {
                let reason = i32::from(reason.on_the_wire());
                counts.iter().map(move |(kind, count)| v1::Loss { reason, kind, count })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(reason: v1::loss::Reason, kind: u32, count: u64) -> v1::Loss {
        v1::Loss { reason: i32::from(reason), kind, count }
    }

    #[test]
    fn counts_are_kept_by_reason_and_kind() {
        let mut losses = Losses::default();
        losses.add(LossReason::QueueFull, 2, 3);
        losses.add(LossReason::QueueFull, 2, 1);
        losses.add(LossReason::RingFull, 2, 5);
        losses.add(LossReason::BadRecord, 4, 0);
        assert_eq!(losses.sum(), 9);
        assert_eq!(
            losses.to_wire(),
            [wire(v1::loss::Reason::RingFull, 2, 5), wire(v1::loss::Reason::QueueFull, 2, 4)]
        );
    }

    #[test]
    fn an_impossible_kind_is_counted_as_unknown() {
        let mut losses = Losses::default();
        losses.add(LossReason::BadRecord, u32::MAX, 1);
        losses.add(LossReason::BadRecord, KIND_MAX + 1, 1);
        assert_eq!(losses.to_wire(), [wire(v1::loss::Reason::BadRecord, 0, 2)]);
    }

    #[test]
    fn counts_do_not_wrap() {
        let mut losses = Losses::default();
        losses.add(LossReason::RingFull, 1, u64::MAX);
        losses.add(LossReason::RingFull, 1, u64::MAX);
        assert_eq!(losses.sum(), u64::MAX);
    }
}
