//! What the thread that takes signals and the one that sends them share.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use super::spool::Spool;
use crate::report::sink::Delivery;

/// What an entry is about: its first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flag {
    /// A match of a rule.
    Signal,
    /// The agent itself.
    Own,
}

impl Flag {
    pub(super) fn byte(self) -> u8 {
        match self {
            Self::Signal => b's',
            Self::Own => b'o',
        }
    }

    /// An entry without its flag.
    pub(super) fn split(entry: &[u8]) -> (Self, &[u8]) {
        match entry.split_first() {
            Some((b'o', json)) => (Self::Own, json),
            Some((_, json)) => (Self::Signal, json),
            None => (Self::Signal, entry),
        }
    }
}

/// What is behind the lock.
pub(super) struct State {
    pub(super) spool: Box<dyn Spool>,
    /// Since when the agent ends.
    pub(super) closing: Option<Instant>,
    /// The sender has ended.
    pub(super) is_done: bool,
}

/// One intake.
pub(super) struct Shared {
    pub(super) name: String,
    /// Where what waits is: a directory, or the reason why it is in memory.
    pub(super) place: Result<String, String>,
    pub(super) state: Mutex<State>,
    pub(super) changed: Condvar,
    pub(super) counters: Counters,
}

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until something changes, or for some time.
    pub(super) fn wait<'s>(
        &self,
        state: MutexGuard<'s, State>,
        time: Option<Duration>,
    ) -> MutexGuard<'s, State> {
        match time {
            None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            Some(time) => self.changed.wait_timeout(state, time).unwrap_or_else(PoisonError::into_inner).0,
        }
    }
}

/// Events with the intake so far.
#[derive(Debug, Default)]
pub(super) struct Counters {
    requests: AtomicU64,
    failures: AtomicU64,
    sent: AtomicU64,
    sent_bytes: AtomicU64,
    refused: AtomicU64,
    dropped: AtomicU64,
    damaged: AtomicU64,
    lost: AtomicU64,
    health: Mutex<Health>,
}

#[derive(Debug, Default)]
struct Health {
    /// `None`: nothing was sent yet.
    is_connected: Option<bool>,
    last_error: String,
    last_sent: Option<Instant>,
}

impl Counters {
    fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request got through. True: it is the first, or the first after trouble.
    pub(super) fn sent(&self, entries: u64, bytes: u64) -> bool {
        add(&self.requests, 1);
        add(&self.sent, entries);
        add(&self.sent_bytes, bytes);
        let mut health = self.health();
        health.last_sent = Some(Instant::now());
        health.is_connected.replace(true) != Some(true)
    }

    pub(super) fn refused(&self, entries: u64, signals: u64, reason: String) {
        add(&self.requests, 1);
        add(&self.refused, entries);
        // Telling that what tells losses was lost would go on for ever.
        add(&self.lost, signals);
        let mut health = self.health();
        health.is_connected = Some(false);
        health.last_error = reason;
    }

    /// A request failed. True: that is news.
    pub(super) fn failed(&self, reason: &str) -> bool {
        add(&self.requests, 1);
        add(&self.failures, 1);
        let mut health = self.health();
        reason.clone_into(&mut health.last_error);
        health.is_connected.replace(false) != Some(false)
    }

    /// Entries made room for others.
    pub(super) fn dropped(&self, entries: u64) {
        add(&self.dropped, entries);
        add(&self.lost, entries);
    }

    /// Entries cannot be read any more.
    pub(super) fn damaged(&self, entries: u64) {
        add(&self.damaged, entries);
        add(&self.lost, entries);
    }
}

impl Delivery for Shared {
    fn lost(&self) -> u64 {
        get(&self.counters.lost)
    }

    fn status(&self) -> Json {
        let (entries, bytes) = self.lock().spool.waiting();
        let counters = &self.counters;
        let health = counters.health();
        json!({
            "connected": health.is_connected,
            "last_error": health.last_error,
            "seconds_since_last_sent": health.last_sent.map(|last| last.elapsed().as_secs()),
            "waiting": entries,
            "waiting_bytes": bytes,
            "spool": self.place.as_ref().ok(),
            "spool_problem": self.place.as_ref().err(),
            "requests": get(&counters.requests),
            "failed_requests": get(&counters.failures),
            "sent": get(&counters.sent),
            "sent_bytes": get(&counters.sent_bytes),
            "refused": get(&counters.refused),
            "dropped": get(&counters.dropped),
            "damaged": get(&counters.damaged),
        })
    }
}

fn add(counter: &AtomicU64, count: u64) {
    counter.fetch_add(count, Ordering::Relaxed);
}

fn get(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}
