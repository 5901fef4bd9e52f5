//! The thread that reads the ring buffer: checks each record, and hands it to the queue. It waits for nothing else.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;
use std::time::Instant;

use proto::wire::BadRecord;
use proto::wire::Kind;
use proto::wire::Record;

use crate::stream::LossReason;
use crate::stream::Queue;

/// Name of the thread (`/proc/PID/task/TID/comm`).
const THREAD_NAME: &str = "ring-reader";
/// Longest sleep: how late a request to stop is noticed.
const POLL_TIMEOUT: Duration = Duration::from_millis(200);
/// Pause after a pass that found little. While the reader sleeps here, the kernel need not wake it for each
/// record, which spares the watched processes an interrupt each.
const PAUSE: Duration = Duration::from_millis(1);
/// A pass that found at least this many is followed by the next at once.
const BUSY_RECORDS: usize = 256;
/// How often the kernel's loss counters are read.
const LOSS_INTERVAL: Duration = Duration::from_millis(500);

/// Where records come from.
pub(crate) trait Source: Send {
    /// Waits up to `timeout` for records, and gives all that are there to the sink that it was made with
    /// ([`accept`]). Gives their number.
    fn poll(&mut self, timeout: Duration) -> io::Result<usize>;

    /// Records of this kind (0: kind unknown) that did not fit in the buffer, since the start.
    fn lost(&mut self, kind: u32) -> u64;

    /// Kinds (0: unknown) with the number of events for which the kernel did not run the program, since the last call.
    fn skipped(&mut self) -> Vec<(u32, u64)>;
}

/// The running thread.
#[derive(Debug)]
pub(crate) struct Reader {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Reader {
    /// Starts the thread.
    pub(crate) fn start(source: Box<dyn Source>, queue: Arc<Queue>) -> io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&stop);
        let name = THREAD_NAME.to_owned();
        let thread = thread::Builder::new().name(name).spawn(move || read(source, &queue, &seen))?;
        Ok(Self { stop, thread })
    }

    /// Ends the thread once it has read what is in the buffer. The programs should be detached.
    pub(crate) fn stop(self) {
        self.stop.store(true, Ordering::Release);
        if self.thread.join().is_err() {
            tracing::error!("the ring reader panicked");
        }
    }
}

fn read(mut source: Box<dyn Source>, queue: &Queue, stop: &AtomicBool) {
    let mut losses = KernelLosses::new();
    loop {
        // Looked at before the pass: what was there when the stop was asked for is still read.
        let last_pass = stop.load(Ordering::Acquire);
        let timeout = if last_pass { Duration::ZERO } else { POLL_TIMEOUT };
        match source.poll(timeout) {
            Ok(records) => {
                let new_losses = losses.count(source.as_mut(), queue, last_pass);
                if records > 0 || new_losses {
                    queue.flush();
                }
                if last_pass {
                    return;
                }
                if records > 0 && records < BUSY_RECORDS {
                    thread::sleep(PAUSE);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                tracing::error!(%error, "cannot read the ring buffer");
                if last_pass {
                    return;
                }
                thread::sleep(POLL_TIMEOUT);
            }
        }
    }
}

/// One record, into the queue or the counters.
pub(crate) fn accept(queue: &Queue, bytes: &[u8]) {
    match Record::parse(bytes) {
        Ok(record) => queue.push(record.kind(), record.bytes()),
        Err(error) => {
            let kind = match error {
                BadRecord::Body { kind, .. } => kind.number(),
                BadRecord::Kind(number) => u32::from(number),
                BadRecord::Short(_) | BadRecord::Size { .. } => 0,
            };
            queue.lose(LossReason::BadRecord, kind, 1);
        }
    }
}

/// Carries the kernel's counters of records that did not fit, or were never made, over to the queue's.
struct KernelLosses {
    /// Kind and count at the last look.
    seen: Vec<(u32, u64)>,
    next: Instant,
}

impl KernelLosses {
    fn new() -> Self {
        let kinds = std::iter::once(0).chain(Kind::ALL.iter().map(|kind| kind.number()));
        Self { seen: kinds.map(|kind| (kind, 0)).collect(), next: Instant::now() }
    }

    /// Whether there are new ones. Looks only every now and then, unless `now`.
    fn count(&mut self, source: &mut dyn Source, queue: &Queue, now: bool) -> bool {
        if !now && Instant::now() < self.next {
            return false;
        }
        self.next = Instant::now() + LOSS_INTERVAL;
        let mut found = false;
        for (kind, seen) in &mut self.seen {
            let total = source.lost(*kind);
            let new = total.saturating_sub(*seen);
            if new > 0 {
                queue.lose(LossReason::RingFull, *kind, new);
                *seen = total;
                found = true;
            }
        }
        for (kind, new) in source.skipped() {
            queue.lose(LossReason::ProgramSkipped, kind, new);
            found = true;
        }
        found
    }
}

#[cfg(test)]
mod tests;
