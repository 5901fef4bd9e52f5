//! What one subscriber gets: a snapshot of what runs, then live events.
//!
//! # Why nothing is lost or doubled between the two
//!
//! 1. The queue starts to keep live records for the subscriber.
//! 2. The programs are attached (if they are not already).
//! 3. The snapshot is taken and sent, the last message of it marked `snapshot_end`.
//! 4. The queue's records follow, those that came during the snapshot first.
//!
//! Take a process P and the moment when the programs are attached.
//!
//! - P started before it and lives when the snapshot gets there: the snapshot has it, and every change from the
//!   attachment on follows live.
//! - P started before it and ended before the snapshot got there: its end may follow live; there was nothing
//!   else to tell.
//! - P starts after it: its fork follows live, whether or not the snapshot met P as well. If it did, the agent
//!   sees P's state first and then the events that led to it. They have the identity (pid, start time) of the
//!   synthetic record, so they are applied to the same entry and not to a second one; since all of them come, in
//!   order, the entry ends in P's present state. Only live records are events, so no event is seen twice.
//!
//! The order matters: the other way round, a process that starts between snapshot and attachment would be lost.
//!
//! # Another snapshot
//!
//! An agent that lost records about processes asks for a new one ([`Queue::want_snapshot`]). It comes between two
//! messages of the same stream, with the queue's records behind it as at the start. Another stream would do the
//! same, but whatever is on its way in the old one would be lost, and nobody could count it.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use proto::v1;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tonic::Status;

use super::batch::BatchLimits;
use super::batch::Chunk;
use super::losses::Losses;
use super::queue::End;
use super::queue::Next;
use super::queue::Queue;
use super::queue::Ticket;
use crate::clock;
use crate::snapshot::Snapshot;

type Sender = mpsc::Sender<Result<v1::Batch, Status>>;

/// Messages that wait in the channel to the transport. Few, because the queue is the place to wait: only there do
/// lifecycle records have precedence.
const CHANNEL_MESSAGES: usize = 2;

/// How long a subscriber may take for what is left at shutdown.
pub(crate) const DRAIN_GRACE: Duration = Duration::from_secs(2);

/// One subscriber's stream.
#[derive(Debug)]
pub(crate) struct Subscription {
    queue: Arc<Queue>,
    ticket: Ticket,
    limits: BatchLimits,
    sender: Sender,
}

impl Subscription {
    /// Takes over the queue. Gives the subscription to run, and the end of the channel that the transport reads.
    pub(crate) fn new(
        queue: Arc<Queue>,
        limits: BatchLimits,
    ) -> (Self, mpsc::Receiver<Result<v1::Batch, Status>>) {
        let (sender, receiver) = mpsc::channel(CHANNEL_MESSAGES);
        let ticket = queue.subscribe();
        (Self { queue, ticket, limits, sender }, receiver)
    }

    /// Its right to the queue.
    pub(crate) fn ticket(&self) -> Ticket {
        self.ticket
    }

    /// Sends the snapshot and then what comes, until the subscriber goes, another takes over, or the queue is
    /// closed and empty. The programs must be attached.
    pub(crate) async fn run(self, snapshot: Arc<dyn Snapshot>) {
        let end = tokio::select! {
            end = self.send_all(snapshot) => end,
            () = self.queue.revoked(self.ticket) => Err(taken_over()),
            () = self.sender.closed() => Ok(()),
        };
        self.queue.unsubscribe(self.ticket);
        if let Err(status) = end {
            // Best effort: a subscriber that does not read learns it from the end of the stream.
            drop(tokio::time::timeout(DRAIN_GRACE, self.sender.send(Err(status))).await);
        }
    }

    async fn send_all(&self, snapshot: Arc<dyn Snapshot>) -> Result<(), Status> {
        let mut numbers = Numbers::default();
        numbers.snapshots = self.send_snapshot(Arc::clone(&snapshot), numbers.next()).await?;
        while self.send_live(&mut numbers).await.is_continue() {
            numbers.snapshots += self.send_snapshot(Arc::clone(&snapshot), numbers.next()).await?;
        }
        match self.queue.end(self.ticket) {
            Some(End::TakenOver) => Err(taken_over()),
            Some(End::Closed) => Err(Status::unavailable("system-probe is stopping")),
            None => Ok(()),
        }
    }

    /// Sends a snapshot, whose records are numbered from `first` on. Gives their number.
    async fn send_snapshot(&self, snapshot: Arc<dyn Snapshot>, first: u64) -> Result<u64, Status> {
        let mut writer = SnapshotWriter::new(self.sender.clone(), self.limits.records, first);
        let taken = tokio::task::spawn_blocking(move || {
            let result = snapshot.take(&mut |record| writer.push(record));
            (result, writer)
        });
        let (result, writer) = taken.await.map_err(|error| Status::internal(error.to_string()))?;
        let records = writer.finish().await;
        match result {
            Ok(()) => tracing::debug!(records, "snapshot sent"),
            // Live events are worth having without a full snapshot: the agent completes its tree from their context.
            Err(error) => tracing::warn!(records, %error, "the snapshot of running processes is incomplete"),
        }
        Ok(records)
    }

    /// Sends live records until another snapshot is wanted. Break: there is no more to send, or nobody to send it to.
    async fn send_live(&self, numbers: &mut Numbers) -> ControlFlow<()> {
        let mut last_sent: Option<Instant> = None;
        loop {
            // The first record after a pause goes out at once; under load, messages fill up.
            if let Some(last_sent) = last_sent.filter(|_| !self.queue.has_full_chunk()) {
                tokio::time::sleep_until(last_sent + self.limits.delay).await;
            }
            // A place in the channel first: nothing may be taken that then is not sent, since nobody would count it.
            let Ok(place) = self.sender.reserve().await else { return ControlFlow::Break(()) };
            let chunk = match self.queue.next(self.ticket).await {
                Some(Next::Chunk(chunk)) => chunk,
                Some(Next::Snapshot) => return ControlFlow::Continue(()),
                None => return ControlFlow::Break(()),
            };
            last_sent = Some(Instant::now());
            numbers.live = chunk.end_sequence();
            place.send(Ok(chunk.into_batch(numbers.snapshots, clock::realtime_offset_ns())));
        }
    }
}

/// How far the numbering of records in a stream is.
#[derive(Clone, Copy, Debug, Default)]
struct Numbers {
    /// Records of snapshots.
    snapshots: u64,
    /// Live records, and those that were lost.
    live: u64,
}

impl Numbers {
    fn next(self) -> u64 {
        self.snapshots + self.live
    }
}

fn taken_over() -> Status {
    Status::aborted("another subscriber took over")
}

/// Puts the records of a snapshot into messages. Unlike live records these may wait for the subscriber.
struct SnapshotWriter {
    sender: Sender,
    records_max: u32,
    chunk: Chunk,
    /// Number of the first record.
    first: u64,
    sent: u64,
    has_begun: bool,
}

impl SnapshotWriter {
    fn new(sender: Sender, records_max: u32, first: u64) -> Self {
        let chunk = Chunk::new(first, Losses::default());
        Self { sender, records_max, chunk, first, sent: 0, has_begun: false }
    }

    /// Adds a record; blocks while the subscriber is behind. Break: there is no subscriber any more.
    fn push(&mut self, record: &[u8]) -> ControlFlow<()> {
        if !self.chunk.takes(record.len(), self.records_max) {
            let batch = self.next_batch();
            if self.sender.blocking_send(Ok(batch)).is_err() {
                return ControlFlow::Break(());
            }
        }
        self.chunk.push(record);
        ControlFlow::Continue(())
    }

    fn next_batch(&mut self) -> v1::Batch {
        self.sent += u64::from(self.chunk.count());
        let next = Chunk::new(self.first + self.sent, Losses::default());
        let batch = std::mem::replace(&mut self.chunk, next).into_batch(0, clock::realtime_offset_ns());
        v1::Batch { snapshot_begin: !std::mem::replace(&mut self.has_begun, true), ..batch }
    }

    /// Sends the last message, which says that the snapshot ends. Gives the number of all records.
    async fn finish(mut self) -> u64 {
        let batch = v1::Batch { snapshot_end: true, ..self.next_batch() };
        // Whether the subscriber is still there shows at the next message.
        drop(self.sender.send(Ok(batch)).await);
        self.sent
    }
}
