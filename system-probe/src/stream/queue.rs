//! The bounded queue between the ring thread and the subscriber.
//!
//! Records are stored as they will be sent, back to back in chunks, so that nothing is copied twice. A record is
//! never waited for: if the queue is full it is counted and dropped. The last quarter of the queue is kept for
//! records of process lifecycle, because the agent can do without an event but its process tree can't.
//!
//! # Sequence numbers
//!
//! Every record and every loss of a subscription has a number. Losses get theirs when the next chunk starts: the
//! gap between the end of one chunk and the start of the next is exactly the sum of the losses it names.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use proto::v1;
use proto::wire::Kind;
use proto::wire::Records;
use tokio::sync::Notify;
use tokio::sync::watch;

use super::batch::Chunk;
use super::losses::KindCounts;
use super::losses::LossReason;
use super::losses::Losses;

/// Bounds of the queue.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Records.
    pub(crate) records: usize,
    /// Bytes of records.
    pub(crate) bytes: usize,
    /// Records in one chunk.
    pub(crate) chunk_records: u32,
}

/// The right to take from the queue: that of one subscriber, until the next one comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket(u64);

/// What the queue did so far.
#[derive(Clone, Debug)]
pub(crate) struct Counters {
    /// Losses since the start of the process.
    pub(crate) losses: Losses,
    /// Records sent, by kind.
    pub(crate) sent: Vec<v1::KindCount>,
    /// Records that wait.
    pub(crate) queued_records: usize,
    /// Whether somebody subscribes.
    pub(crate) subscribed: bool,
}

/// The queue. See the module's description.
#[derive(Debug)]
pub(crate) struct Queue {
    limits: Limits,
    state: Mutex<State>,
    /// Something can be taken.
    ready: Notify,
    /// The ticket that is valid; 0 for none.
    valid: watch::Sender<u64>,
}

#[derive(Debug)]
struct State {
    /// Number of the last ticket that was given out.
    last_ticket: u64,
    /// Somebody subscribes, with the last ticket.
    subscribed: bool,
    /// No record will come any more.
    closed: bool,
    /// The subscriber has asked for another snapshot.
    snapshot_wanted: bool,
    chunks: VecDeque<Chunk>,
    bytes: usize,
    records: usize,
    next_sequence: u64,
    losses: Losses,
    /// Losses that no chunk names yet.
    unreported: Losses,
    /// Records in chunks or sent.
    accepted: KindCounts,
}

/// Why a subscription ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Another subscriber came.
    TakenOver,
    /// No record will come any more.
    Closed,
}

/// What comes next for a subscriber.
#[derive(Debug)]
pub(super) enum Next {
    /// Records.
    Chunk(Chunk),
    /// A snapshot that it has asked for.
    Snapshot,
}

/// What [`Queue::try_take`] found.
enum Taken {
    Next(Next),
    Nothing,
    Ended,
}

impl Queue {
    /// An empty queue that nobody subscribes to.
    pub(crate) fn new(limits: Limits) -> Self {
        let state = State {
            last_ticket: 0,
            subscribed: false,
            closed: false,
            snapshot_wanted: false,
            chunks: VecDeque::new(),
            bytes: 0,
            records: 0,
            next_sequence: 0,
            losses: Losses::default(),
            unreported: Losses::default(),
            accepted: KindCounts::new(),
        };
        Self { limits, state: Mutex::new(state), ready: Notify::new(), valid: watch::Sender::new(0) }
    }

    /// Its bounds.
    pub(crate) fn limits(&self) -> Limits {
        self.limits
    }

    /// Adds a record, or counts why not. Call [`Self::flush`] after the last of those that came together.
    pub(crate) fn push(&self, kind: Kind, record: &[u8]) {
        let mut state = self.lock();
        if !state.subscribed {
            return state.lose(LossReason::NoSubscriber, kind.number(), 1);
        }
        let share = |limit: usize| if kind.is_lifecycle() { limit } else { limit - limit / 4 };
        if state.records >= share(self.limits.records)
            || state.bytes + record.len() > share(self.limits.bytes)
        {
            return state.lose(LossReason::QueueFull, kind.number(), 1);
        }
        let fits =
            state.chunks.back().is_some_and(|chunk| chunk.takes(record.len(), self.limits.chunk_records));
        if !fits {
            // The one before is full: worth a message before the ring thread is through.
            if !state.chunks.is_empty() {
                self.ready.notify_one();
            }
            state.open_chunk();
        }
        if let Some(chunk) = state.chunks.back_mut() {
            chunk.push(record);
        }
        state.bytes += record.len();
        state.records += 1;
        state.next_sequence += 1;
        state.accepted.add(kind.number(), 1);
    }

    /// Counts records that were lost before they could be pushed.
    pub(crate) fn lose(&self, reason: LossReason, kind: u32, count: u64) {
        self.lock().lose(reason, kind, count);
    }

    /// Has another snapshot sent to the subscriber, if there is one, before the records that wait.
    pub(crate) fn want_snapshot(&self) {
        let mut state = self.lock();
        state.snapshot_wanted = state.subscribed;
        drop(state);
        self.ready.notify_one();
    }

    /// Wakes the subscriber.
    pub(crate) fn flush(&self) {
        self.ready.notify_one();
    }

    /// Makes the caller the subscriber, in the place of another. From here on, records are kept for it.
    ///
    /// Its first chunk names what was lost since the last subscriber went, if there was one.
    pub(crate) fn subscribe(&self) -> Ticket {
        let mut state = self.lock();
        state.abandon();
        if state.last_ticket == 0 {
            state.unreported = Losses::default();
        }
        state.last_ticket += 1;
        state.subscribed = true;
        // Its stream begins with one.
        state.snapshot_wanted = false;
        state.next_sequence = 0;
        let ticket = state.last_ticket;
        self.valid.send_replace(ticket);
        Ticket(ticket)
    }

    /// Ends a subscription, unless another one took over.
    pub(crate) fn unsubscribe(&self, ticket: Ticket) {
        let mut state = self.lock();
        if state.is_valid(ticket) {
            state.abandon();
            state.subscribed = false;
            self.valid.send_replace(0);
        }
    }

    /// No record will come any more: who waits gets what is left, and then the end.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.ready.notify_one();
    }

    /// The oldest records, as soon as there are some. None: the end, or another subscriber took over.
    ///
    /// Once it is ready, what it took is out of the queue: whoever drops that must count it.
    pub(super) async fn next(&self, ticket: Ticket) -> Option<Next> {
        loop {
            match self.try_take(ticket) {
                Taken::Next(next) => return Some(next),
                Taken::Ended => return None,
                Taken::Nothing => {}
            }
            tokio::select! {
                () = self.ready.notified() => {}
                () = self.revoked(ticket) => return None,
            }
        }
    }

    /// Returns once the ticket is not valid any more.
    pub(super) async fn revoked(&self, ticket: Ticket) {
        // An error means that the queue is gone, and its tickets with it.
        drop(self.valid.subscribe().wait_for(|valid| *valid != ticket.0).await);
    }

    /// Whether a whole chunk waits: nothing is gained by waiting for more.
    pub(super) fn has_full_chunk(&self) -> bool {
        self.lock().chunks.len() > 1
    }

    /// Whether nobody subscribes, and nobody did after `ticket`.
    pub(crate) fn was_last(&self, ticket: Ticket) -> bool {
        let state = self.lock();
        !state.subscribed && state.last_ticket == ticket.0
    }

    /// Why there is no more for a subscriber, if so.
    pub(super) fn end(&self, ticket: Ticket) -> Option<End> {
        let state = self.lock();
        if !state.is_valid(ticket) {
            return Some(End::TakenOver);
        }
        (state.closed && state.chunks.is_empty()).then_some(End::Closed)
    }

    /// What it did so far.
    pub(crate) fn counters(&self) -> Counters {
        let state = self.lock();
        let mut sent = state.accepted.clone();
        for kind in state.chunks.iter().flat_map(kinds) {
            sent.subtract(kind, 1);
        }
        Counters {
            losses: state.losses.clone(),
            sent: sent.iter().map(|(kind, count)| v1::KindCount { kind, count }).collect(),
            queued_records: state.records,
            subscribed: state.subscribed,
        }
    }

    fn try_take(&self, ticket: Ticket) -> Taken {
        let mut state = self.lock();
        if !state.is_valid(ticket) {
            return Taken::Ended;
        }
        if std::mem::take(&mut state.snapshot_wanted) {
            return Taken::Next(Next::Snapshot);
        }
        if state.chunks.is_empty() && state.unreported.sum() > 0 {
            state.open_chunk();
        }
        match state.chunks.pop_front() {
            Some(chunk) => {
                state.bytes -= chunk.bytes().len();
                state.records -= chunk.count() as usize;
                Taken::Next(Next::Chunk(chunk))
            }
            None if state.closed => Taken::Ended,
            None => Taken::Nothing,
        }
    }

    /// A panic while the lock was held can leave nothing half done that matters more than going on.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_valid(&self, ticket: Ticket) -> bool {
        self.subscribed && self.last_ticket == ticket.0
    }

    fn lose(&mut self, reason: LossReason, kind: u32, count: u64) {
        self.losses.add(reason, kind, count);
        self.unreported.add(reason, kind, count);
    }

    fn open_chunk(&mut self) {
        let losses = std::mem::take(&mut self.unreported);
        self.next_sequence += losses.sum();
        self.chunks.push_back(Chunk::new(self.next_sequence, losses));
    }

    /// Counts all that waits as lost: who subscribed is gone.
    fn abandon(&mut self) {
        for chunk in std::mem::take(&mut self.chunks) {
            if let Some(losses) = chunk.losses() {
                self.unreported.merge(losses);
            }
            for kind in kinds(&chunk) {
                self.accepted.subtract(kind, 1);
                self.lose(LossReason::NoSubscriber, kind.number(), 1);
            }
        }
        self.bytes = 0;
        self.records = 0;
    }
}

fn kinds(chunk: &Chunk) -> impl Iterator<Item = Kind> + '_ {
    Records::new(chunk.bytes()).flatten().map(|record| record.kind())
}

#[cfg(test)]
mod tests;
