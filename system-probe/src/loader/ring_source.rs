//! The kernel's ring buffer as a source of records.

use std::io;
use std::time::Duration;

use libbpf_rs::MapCore as _;
use libbpf_rs::MapFlags;
use libbpf_rs::MapHandle;
use libbpf_rs::RingBuffer;
use libbpf_rs::RingBufferBuilder;

use super::Maps;
use crate::ring::Source;

/// The maps `events` and `losses`.
#[derive(Debug)]
pub(crate) struct RingSource {
    ring: RingBuffer<'static>,
    losses: MapHandle,
    /// Keeps the descriptor open that `ring` uses.
    _events: MapHandle,
}

impl RingSource {
    /// Gives every record to `sink`, on the thread that polls.
    pub(crate) fn new(maps: &Maps, mut sink: impl FnMut(&[u8]) + Send + 'static) -> anyhow::Result<Self> {
        let events = maps.events()?;
        let mut builder = RingBufferBuilder::new();
        builder.add(&events, move |bytes| {
            sink(bytes);
            0
        })?;
        let ring = builder.build()?;
        Ok(Self { ring, losses: maps.losses()?, _events: events })
    }
}

impl Source for RingSource {
    fn poll(&mut self, timeout: Duration) -> io::Result<usize> {
        let result = self.ring.poll_raw(timeout);
        usize::try_from(result).map_err(|_| io::Error::from_raw_os_error(-result))
    }

    fn lost(&mut self, kind: u32) -> u64 {
        let counts = self.losses.lookup_percpu(&kind.to_ne_bytes(), MapFlags::ANY).ok().flatten();
        let count = |bytes: &Vec<u8>| bytes.first_chunk::<8>().map(|bytes| u64::from_ne_bytes(*bytes));
        counts.unwrap_or_default().iter().filter_map(count).sum()
    }
}
