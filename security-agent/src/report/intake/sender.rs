//! The thread that sends what waits.

use std::io::Write;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use settings::table::Intake;

use super::backoff::Backoff;
use super::client::{Client, Outcome};
use super::shared::{Flag, Shared, State};
use super::spool::Enough;

/// How long the end of the agent may wait for what was not sent yet.
pub(super) const LAST_CHANCE: Duration = Duration::from_secs(1);

/// Sends until the agent ends.
pub(super) struct Sender {
    pub(super) shared: std::sync::Arc<Shared>,
    pub(super) client: Client,
    pub(super) intake: Intake,
}

/// What one request holds.
struct Batch {
    body: Vec<u8>,
    entries: u64,
    /// Entries that are not about the agent itself.
    signals: u64,
}

impl Sender {
    pub(super) fn run(mut self) {
        let mut backoff = Backoff::new(&self.intake);
        while self.wait_for_batch() {
            let Some(batch) = self.read_batch() else { continue };
            match self.client.post(&batch.body, self.intake.use_compression, self.timeout()) {
                Outcome::Accepted => {
                    backoff.succeeded();
                    self.done_with(&batch, None);
                }
                Outcome::Refused(reason) => {
                    backoff.succeeded();
                    self.done_with(&batch, Some(reason));
                }
                Outcome::Failed(reason) => {
                    let pause = backoff.failed();
                    if self.failed(reason, pause) {
                        break;
                    }
                }
            }
        }
        let mut state = self.shared.lock();
        state.is_done = true;
        drop(state);
        self.shared.changed.notify_all();
    }

    /// Waits until there is enough to send. False: the agent ends, and there is nothing more to be done.
    fn wait_for_batch(&self) -> bool {
        let mut state = self.shared.lock();
        let mut since: Option<Instant> = None;
        loop {
            let (entries, bytes) = state.spool.waiting();
            if let Some(closing) = state.closing {
                return entries > 0 && closing.elapsed() < LAST_CHANCE;
            }
            if entries == 0 {
                since = None;
                state = self.shared.wait(state, None);
                continue;
            }
            let waited = since.get_or_insert_with(Instant::now).elapsed();
            let is_full = entries >= u64::from(self.intake.batch_max_size)
                || bytes >= self.intake.batch_max_content_size.0;
            match self.intake.batch_wait.checked_sub(waited) {
                Some(rest) if !is_full && !rest.is_zero() => state = self.shared.wait(state, Some(rest)),
                _ => return true,
            }
        }
    }

    /// The next batch. `None`: nothing could be read.
    fn read_batch(&self) -> Option<Batch> {
        let array = self.read_array()?;
        // Not under the lock: compressing takes long enough for others to want it.
        let body = if self.intake.use_compression {
            compressed(&array.json, self.intake.compression_level)
        } else {
            array.json
        };
        Some(Batch { body, entries: array.entries, signals: array.signals })
    }

    fn read_array(&self) -> Option<Array> {
        let mut state = self.shared.lock();
        let max_size = u64::from(self.intake.batch_max_size);
        let max_bytes = usize::try_from(self.intake.batch_max_content_size.0).unwrap_or(usize::MAX);
        let mut array = Array::default();
        let reading = state.spool.read(&mut |entry| {
            let (flag, json) = Flag::split(entry);
            // Brackets and commas are part of the content as well.
            let is_full = array.entries > 0 && array.json.len() + json.len() + 2 > max_bytes;
            if array.entries == max_size || is_full {
                return Enough::Full;
            }
            array.json.push(if array.entries == 0 { b'[' } else { b',' });
            array.json.extend(json);
            array.entries += 1;
            array.signals += u64::from(flag == Flag::Signal);
            Enough::More
        });
        match reading {
            Ok(reading) => {
                self.shared.counters.damaged(reading.damaged);
                if array.entries > 0 {
                    array.json.push(b']');
                    return Some(array);
                }
            }
            Err(error) => tracing::error!(%error, "cannot read signals that wait"),
        }
        // Only what is damaged was there.
        self.take(&mut state);
        None
    }

    fn take(&self, state: &mut State) {
        if let Err(error) = state.spool.taken() {
            tracing::warn!(%error, "cannot write down which signals were sent: after a restart they are sent again");
        }
    }

    fn done_with(&self, batch: &Batch, refused: Option<String>) {
        self.take(&mut self.shared.lock());
        let length = u64::try_from(batch.body.len()).unwrap_or(u64::MAX);
        match refused {
            None => {
                if self.shared.counters.sent(batch.entries, length) {
                    tracing::info!(intake = self.shared.name, "signals get through to the intake");
                }
            }
            Some(reason) => {
                tracing::warn!(
                    intake = self.shared.name,
                    entries = batch.entries,
                    "the intake refuses signals, which are dropped: {reason}"
                );
                self.shared.counters.refused(batch.entries, batch.signals, reason);
            }
        }
    }

    /// Waits after a request that failed. True: the agent ends.
    fn failed(&self, reason: String, pause: Duration) -> bool {
        if self.shared.counters.failed(&reason) {
            tracing::warn!(
                intake = self.shared.name,
                "signals do not get through to the intake and wait: {reason}"
            );
        }
        let until = Instant::now() + pause;
        let mut state = self.shared.lock();
        // What is new meanwhile is sent with it, and what is too much may be dropped.
        state.spool.release();
        loop {
            if state.closing.is_some() {
                return true;
            }
            match until.checked_duration_since(Instant::now()) {
                Some(rest) if !rest.is_zero() => state = self.shared.wait(state, Some(rest)),
                _ => return false,
            }
        }
    }

    fn timeout(&self) -> Duration {
        match self.shared.lock().closing {
            Some(closing) => LAST_CHANCE.saturating_sub(closing.elapsed()).max(Duration::from_millis(100)),
            None => self.intake.timeout,
        }
    }
}

/// Entries as the intake takes them.
#[derive(Debug, Default)]
struct Array {
    json: Vec<u8>,
    entries: u64,
    signals: u64,
}

fn compressed(bytes: &[u8], level: u32) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(level));
    // Writing to memory does not fail.
    let _infallible = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default()
}
