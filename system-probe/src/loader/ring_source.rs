//! The kernel's ring buffer as a source of records.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use libbpf_rs::MapHandle;
use libbpf_rs::RingBuffer;
use libbpf_rs::RingBufferBuilder;

use super::Maps;
use super::counters::Counters;
use super::perf_source::PerfSource;
use super::skips::Skips;
use crate::ring::Source;

/// The maps `events` and `losses`.
#[derive(Debug)]
pub(crate) struct RingSource {
    ring: RingBuffer<'static>,
    losses: Counters,
    skips: Arc<Skips>,
    /// Keeps the descriptor open that `ring` uses.
    _events: MapHandle,
}

/// The source of the records of whichever object is loaded.
pub(crate) fn source(
    maps: &Maps,
    sink: impl FnMut(&[u8]) + Send + 'static,
) -> anyhow::Result<Box<dyn Source>> {
    if maps.losses()?.is_some() {
        Ok(Box::new(RingSource::new(maps, sink)?))
    } else {
        Ok(Box::new(PerfSource::new(maps, sink)?))
    }
}

impl RingSource {
    /// Gives every record to `sink`, on the thread that polls.
    fn new(maps: &Maps, mut sink: impl FnMut(&[u8]) + Send + 'static) -> anyhow::Result<Self> {
        let events = maps.events()?;
        let mut builder = RingBufferBuilder::new();
        builder.add(&events, move |bytes| {
            sink(bytes);
            0
        })?;
        let ring = builder.build()?;
        Ok(Self {
            ring,
            losses: Counters::of(maps.losses()?.context("the object has no counters of losses")?)?,
            skips: Arc::clone(maps.skips()),
            _events: events,
        })
    }
}

impl Source for RingSource {
    fn poll(&mut self, timeout: Duration) -> io::Result<usize> {
        let result = self.ring.poll_raw(timeout);
        usize::try_from(result).map_err(|_| io::Error::from_raw_os_error(-result))
    }

    fn lost(&mut self, kind: u32) -> u64 {
        self.losses.get(kind)
    }

    fn skipped(&mut self) -> Vec<(u32, u64)> {
        self.skips.take()
    }
}
