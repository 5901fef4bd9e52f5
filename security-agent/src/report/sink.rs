//! Where reports are written. Each sink has a thread and a bounded queue of its own: a terminal that is paused, a pipe
//! that nobody reads or a slow disk delays neither the rules nor the other sinks. What does not fit, or cannot be
//! written, is counted.

mod file;
mod stdout;
mod syslog;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, sync_channel};
use std::time::{Duration, Instant};

pub use file::FileOutput;
pub use stdout::Stdout;
pub use syslog::Syslog;

use serde_json::Value as Json;

use super::Report;

/// Bytes of reports that wait for a sink: some 1,600 ordinary ones, which a disk that stalls for a second needs.
const QUEUE_BYTES: usize = 8 << 20;
/// How long a sink may take to write what it has when the agent ends.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
/// The thread only formats and writes.
const STACK: usize = 128 << 10;

/// Something that reports are written to.
pub trait Output: Send + 'static {
    /// Writes one report.
    ///
    /// # Errors
    /// If it could not be written in full.
    fn write(&mut self, report: &Report) -> std::io::Result<()>;

    /// How reports fare after they were written, for an output that only passes them on.
    fn delivery(&self) -> Option<Arc<dyn Delivery>> {
        None
    }

    /// The agent ends: what can still be done for reports that were written.
    fn close(&mut self) {}
}

/// What becomes of reports beyond an output.
pub trait Delivery: Send + Sync {
    /// Reports of rules that were lost there.
    fn lost(&self) -> u64;
    /// For `status`.
    fn status(&self) -> Json;
}

impl Output for Box<dyn Output> {
    fn write(&mut self, report: &Report) -> std::io::Result<()> {
        (**self).write(report)
    }

    fn delivery(&self) -> Option<Arc<dyn Delivery>> {
        (**self).delivery()
    }

    fn close(&mut self) {
        (**self).close();
    }
}

#[derive(Debug, Default)]
struct Counters {
    written: AtomicU64,
    dropped: AtomicU64,
    failed: AtomicU64,
    /// Bytes of reports that wait.
    waiting: AtomicUsize,
}

/// How a sink fares.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct SinkStatus {
    /// What it is.
    pub name: String,
    /// Reports that were written.
    pub written: u64,
    /// Reports that did not fit into the queue.
    pub dropped: u64,
    /// Reports that could not be written.
    pub failed: u64,
    /// How they fare after they were written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery: Option<Json>,
}

/// A sink.
pub struct Sink {
    name: String,
    queue: Option<Sender<Arc<Report>>>,
    limit: usize,
    ended: Receiver<()>,
    counters: Arc<Counters>,
    delivery: Option<Arc<dyn Delivery>>,
}

impl std::fmt::Debug for Sink {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Sink")
            .field("name", &self.name)
            .field("counters", &self.counters)
            .finish_non_exhaustive()
    }
}

impl Sink {
    /// Starts a thread that writes to `output`.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn start(name: impl Into<String>, output: impl Output) -> std::io::Result<Self> {
        Self::with_limit(name.into(), output, QUEUE_BYTES)
    }

    fn with_limit(name: String, mut output: impl Output, limit: usize) -> std::io::Result<Self> {
        let (sender, receiver) = mpsc::channel::<Arc<Report>>();
        let (end, ended) = sync_channel(1);
        let counters = Arc::new(Counters::default());
        let delivery = output.delivery();
        let (thread_counters, thread_name) = (Arc::clone(&counters), name.clone());
        std::thread::Builder::new().name("report".to_owned()).stack_size(STACK).spawn(move || {
            let mut failing = false;
            for report in receiver {
                thread_counters.waiting.fetch_sub(report.size(), Ordering::Relaxed);
                match output.write(&report) {
                    Ok(()) => {
                        thread_counters.written.fetch_add(1, Ordering::Relaxed);
                        failing = false;
                    }
                    Err(error) => {
                        thread_counters.failed.fetch_add(1, Ordering::Relaxed);
                        // Told once per trouble, not once per report.
                        if !std::mem::replace(&mut failing, true) {
                            tracing::error!(sink = thread_name, %error, "cannot write reports");
                        }
                    }
                }
            }
            output.close();
            // Nobody waits any more if this fails.
            let _nobody_waits = end.try_send(());
        })?;
        Ok(Self { name, queue: Some(sender), limit, ended, counters, delivery })
    }

    /// Hands a report over; never waits.
    pub fn send(&self, report: &Arc<Report>) {
        let Some(queue) = &self.queue else { return };
        let size = report.size();
        // Only this thread adds, so that what is read here can only shrink meanwhile.
        let fits = self.counters.waiting.load(Ordering::Relaxed).saturating_add(size) <= self.limit;
        if fits {
            self.counters.waiting.fetch_add(size, Ordering::Relaxed);
        }
        if !fits || queue.send(Arc::clone(report)).is_err() {
            self.counters.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Reports that did not get through since the start: they did not fit into the queue or could not be written.
    #[must_use]
    pub fn lost(&self) -> u64 {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let beyond = self.delivery.as_ref().map_or(0, |delivery| delivery.lost());
        get(&self.counters.dropped).saturating_add(get(&self.counters.failed)).saturating_add(beyond)
    }

    /// How it fares.
    #[must_use]
    pub fn status(&self) -> SinkStatus {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        SinkStatus {
            name: self.name.clone(),
            written: get(&self.counters.written),
            dropped: get(&self.counters.dropped),
            failed: get(&self.counters.failed),
            delivery: self.delivery.as_ref().map(|delivery| delivery.status()),
        }
    }

    /// Waits, for a limited time that is the same for all, until all is written.
    pub fn close(mut sinks: Vec<Self>) {
        for sink in &mut sinks {
            drop(sink.queue.take());
        }
        let until = Instant::now() + CLOSE_TIMEOUT;
        for sink in sinks {
            let rest = until.saturating_duration_since(Instant::now());
            if let Err(RecvTimeoutError::Timeout) = sink.ended.recv_timeout(rest) {
                tracing::warn!(sink = sink.name, "did not write everything in time");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Writes a report for each word from a test; the word "fail" fails.
    struct Slow(mpsc::Receiver<&'static str>, mpsc::Sender<String>);

    impl Output for Slow {
        fn write(&mut self, report: &Report) -> std::io::Result<()> {
            match self.0.recv() {
                Ok("fail") => Err(std::io::ErrorKind::StorageFull.into()),
                _ => self.1.send(report.rule_id.clone()).map_err(std::io::Error::other),
            }
        }
    }

    fn report(id: usize) -> Arc<Report> {
        Arc::new(Report { rule_id: format!("{id:02}"), ..Report::default() })
    }

    #[test]
    fn a_sink_that_stalls_or_fails_counts_and_goes_on() {
        let (go, gate) = mpsc::channel();
        let (write, written) = mpsc::channel();
        let size = report(0).size();
        let sink = Sink::with_limit("slow".into(), Slow(gate, write), 4 * size + 1).unwrap();
        for id in 0..100 {
            sink.send(&report(id));
        }
        let dropped = sink.status().dropped;
        assert!((95..=96).contains(&dropped), "{dropped}");
        assert_eq!(sink.lost(), dropped);
        go.send("fail").unwrap();
        go.send("go").unwrap();
        assert_eq!(written.recv().unwrap(), "01");
        drop(go);
        let counters = Arc::clone(&sink.counters);
        Sink::close(vec![sink]);
        assert_eq!(counters.failed.load(Ordering::Relaxed), 1);
        assert_eq!(
            counters.written.load(Ordering::Relaxed) + 1 + dropped,
            100,
            "the rest was written at the end"
        );
    }
}
