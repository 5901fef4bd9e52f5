//! Records that travel together in one message.

use bytes::BytesMut;
use proto::v1;

use super::losses::Losses;

/// A message stays below this, whatever its number of records: 4 MiB is what a gRPC client accepts by default,
/// and more than 256 KiB at once only adds latency.
pub(super) const BATCH_BYTES_MAX: usize = 256 * 1024;

/// How records are put together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BatchLimits {
    /// Most records in a message.
    pub(crate) records: u32,
    /// How long a message waits for more records when the one before it went out less than this ago.
    pub(crate) delay: std::time::Duration,
}

/// Records with the number of the first, and what was lost before it.
#[derive(Debug)]
pub(super) struct Chunk {
    bytes: BytesMut,
    count: u32,
    first_sequence: u64,
    /// Boxed: it is large, and hardly ever there.
    losses: Option<Box<Losses>>,
}

impl Chunk {
    /// An empty one, after `losses`.
    pub(super) fn new(first_sequence: u64, losses: Losses) -> Self {
        let losses = (losses.sum() > 0).then(|| Box::new(losses));
        Self { bytes: BytesMut::new(), count: 0, first_sequence, losses }
    }

    /// Whether `size` more bytes fit.
    pub(super) fn takes(&self, size: usize, records_max: u32) -> bool {
        self.count < records_max && (self.count == 0 || self.bytes.len() + size <= BATCH_BYTES_MAX)
    }

    pub(super) fn push(&mut self, record: &[u8]) {
        self.bytes.extend_from_slice(record);
        self.count += 1;
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Number of the record after the last one.
    pub(super) fn end_sequence(&self) -> u64 {
        self.first_sequence + u64::from(self.count)
    }

    pub(super) fn losses(&self) -> Option<&Losses> {
        self.losses.as_deref()
    }

    pub(super) fn count(&self) -> u32 {
        self.count
    }

    /// The message, in a stream in which `sequence_offset` records went before the queue's first.
    pub(super) fn into_batch(self, sequence_offset: u64, realtime_offset_ns: i64) -> v1::Batch {
        v1::Batch {
            records: self.bytes.freeze(),
            first_sequence: sequence_offset + self.first_sequence,
            count: self.count,
            losses: self.losses.map(|losses| losses.to_wire()).unwrap_or_default(),
            snapshot_begin: false,
            snapshot_end: false,
            realtime_offset_ns,
        }
    }
}
