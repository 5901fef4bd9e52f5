//! Buffers of single CPUs as a source of records, for kernels that have no other.
//!
//! Records of different CPUs are put in the order of their times. One is held back for as long as an older one may
//! still be on its way: a program notes the time, and puts the record in the buffer of its CPU a little later.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use libbpf_rs::MapHandle;
use libbpf_rs::PerfBuffer;
use libbpf_rs::PerfBufferBuilder;
use proto::wire;

use super::Maps;
use super::skips::Skips;
use crate::clock;
use crate::ring::Source;

/// The longest that a program takes from noting the time to sending. Programs are not preempted, but interrupted.
const HELD_BACK: Duration = Duration::from_millis(10);

/// The map `events` of the object for old kernels.
pub(crate) struct PerfSource {
    buffer: PerfBuffer<'static>,
    shared: Rc<RefCell<Shared>>,
    sink: Sink,
    skips: Arc<Skips>,
    /// Keeps the descriptor open that `buffer` uses.
    _events: MapHandle,
}

/// Takes records.
type Sink = Box<dyn FnMut(&[u8]) + Send>;

/// What the callbacks of the buffer fill.
#[derive(Debug, Default)]
struct Shared {
    waiting: Waiting,
    lost: u64,
}

// SAFETY: all owners of the `Rc` are in this struct (the callbacks that `buffer` owns are the others), so they move to
// another thread together.
unsafe impl Send for PerfSource {}

impl std::fmt::Debug for PerfSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PerfSource").field("shared", &self.shared).finish_non_exhaustive()
    }
}

impl PerfSource {
    /// Gives every record to `sink`, on the thread that polls.
    pub(crate) fn new(maps: &Maps, sink: impl FnMut(&[u8]) + Send + 'static) -> anyhow::Result<Self> {
        let events = maps.events()?;
        let shared = Rc::<RefCell<Shared>>::default();
        let (samples, losses) = (Rc::clone(&shared), Rc::clone(&shared));
        let buffer = PerfBufferBuilder::new(&events)
            .pages(pages(maps.ring_bytes()))
            .sample_cb(move |_, bytes| samples.borrow_mut().waiting.push(bytes))
            .lost_cb(move |_, count| {
                let mut shared = losses.borrow_mut();
                shared.lost = shared.lost.saturating_add(count);
            })
            .build()
            .context("cannot make the buffers of the CPUs")?;
        Ok(Self { buffer, shared, sink: Box::new(sink), skips: Arc::clone(maps.skips()), _events: events })
    }
}

/// Pages of each buffer, of `bytes` for all: a power of two, and room for some of the largest records.
fn pages(bytes: u64) -> usize {
    let cpus = std::thread::available_parallelism().map_or(1, |cpus| cpus.get() as u64);
    let each = (bytes / cpus).max(16 * u64::from(wire::layout::RECORD_SIZE_MAX));
    usize::try_from(each / rustix::param::page_size() as u64).unwrap_or(1).next_power_of_two()
}

impl Source for PerfSource {
    fn poll(&mut self, timeout: Duration) -> io::Result<usize> {
        let last = timeout.is_zero();
        let waits = !self.shared.borrow().waiting.is_empty();
        let timeout = if waits { timeout.min(HELD_BACK) } else { timeout };
        // Waits, and reads those buffers that have something; what the others get meanwhile is read after it.
        self.buffer.poll(timeout).map_err(to_io)?;
        let held_back = u64::try_from(HELD_BACK.as_nanos()).unwrap_or(u64::MAX);
        let until = if last { u64::MAX } else { clock::monotonic_ns().saturating_sub(held_back) };
        self.buffer.consume().map_err(to_io)?;
        let ready = self.shared.borrow_mut().waiting.take(until);
        let offset = clock::boottime_offset_ns();
        let count = ready.len();
        for mut record in ready {
            record.add_to_time(offset);
            (self.sink)(record.bytes());
        }
        Ok(count)
    }

    fn lost(&mut self, kind: u32) -> u64 {
        // The kernel does not tell the kind.
        if kind == 0 { self.shared.borrow().lost } else { 0 }
    }

    fn skipped(&mut self) -> Vec<(u32, u64)> {
        self.skips.take()
    }
}

/// An interruption stays one: it is no failure.
fn to_io(error: libbpf_rs::Error) -> io::Error {
    match error.kind() {
        libbpf_rs::ErrorKind::Interrupted => io::ErrorKind::Interrupted.into(),
        _ => io::Error::other(error.to_string()),
    }
}

/// Records that are held back.
#[derive(Debug, Default)]
struct Waiting(Vec<Held>);

/// A record, and its time on the clock of old kernels.
#[derive(Debug)]
struct Held {
    time_ns: u64,
    bytes: Vec<u8>,
}

impl Held {
    const TIME: std::ops::Range<usize> = {
        let start = std::mem::offset_of!(wire::layout::record_header, time_ns);
        start..start + size_of::<u64>()
    };

    fn add_to_time(&mut self, offset_ns: u64) {
        let time_ns = self.time_ns.saturating_add(offset_ns);
        if let Some(place) = self.bytes.get_mut(Self::TIME) {
            place.copy_from_slice(&time_ns.to_ne_bytes());
        }
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl Waiting {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes a sample: the record and what the kernel fills it up with.
    fn push(&mut self, sample: &[u8]) {
        let size = sample.first_chunk().map_or(0, |size| u32::from_ne_bytes(*size));
        let bytes = usize::try_from(size).ok().and_then(|size| sample.get(..size)).unwrap_or(sample);
        let time = sample.get(Held::TIME).and_then(<[u8]>::first_chunk);
        self.0
            .push(Held { time_ns: time.map_or(0, |time| u64::from_ne_bytes(*time)), bytes: bytes.to_vec() });
    }

    /// Those up to a time, in order.
    fn take(&mut self, until_ns: u64) -> Vec<Held> {
        // Those of one CPU come in order, and stay so if their times are equal.
        self.0.sort_by_key(|record| record.time_ns);
        let later = self.0.partition_point(|record| record.time_ns <= until_ns);
        let kept = self.0.split_off(later);
        std::mem::replace(&mut self.0, kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(time_ns: u64, tag: u8) -> Vec<u8> {
        let mut bytes = vec![0_u8; 36];
        // The kernel adds four bytes to make it a multiple of eight.
        bytes[..4].copy_from_slice(&32_u32.to_ne_bytes());
        bytes[Held::TIME].copy_from_slice(&time_ns.to_ne_bytes());
        bytes[31] = tag;
        bytes
    }

    fn tags(records: &[Held]) -> Vec<u8> {
        records.iter().map(|record| record.bytes()[31]).collect()
    }

    #[test]
    fn records_of_all_cpus_come_in_the_order_of_their_times() {
        let mut waiting = Waiting::default();
        for (time, tag) in [(10, 1), (30, 3), (20, 2), (20, 4), (50, 5)] {
            waiting.push(&sample(time, tag));
        }
        assert_eq!(tags(&waiting.take(30)), [1, 2, 4, 3]);
        waiting.push(&sample(40, 6));
        assert!(tags(&waiting.take(30)).is_empty());
        assert_eq!(tags(&waiting.take(u64::MAX)), [6, 5]);
        assert!(waiting.is_empty());
    }

    #[test]
    fn a_record_is_what_its_header_says_at_the_time_of_the_other_clock() {
        let mut waiting = Waiting::default();
        waiting.push(&sample(10, 1));
        let mut records = waiting.take(10);
        records[0].add_to_time(5);
        assert_eq!(records[0].bytes().len(), 32);
        assert_eq!(records[0].bytes()[Held::TIME], 15_u64.to_ne_bytes());
    }

    #[test]
    fn what_is_no_record_is_left_to_the_parser() {
        let mut waiting = Waiting::default();
        waiting.push(&[]);
        waiting.push(&[255; 7]);
        let records = waiting.take(u64::MAX);
        assert_eq!(records.iter().map(|record| record.bytes().len()).collect::<Vec<_>>(), [0, 7]);
    }
}
