//! Pauses between attempts to reconnect.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// Pauses that double from a first one up to a longest one. Each is shortened by up to a quarter at random, so that
/// agents that lost their probe at the same time do not come back at the same time.
#[derive(Debug)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    next: Duration,
    random: RandomState,
    drawn: u64,
}

impl Backoff {
    /// Begins with `first`.
    #[must_use]
    pub fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, next: first, random: RandomState::new(), drawn: 0 }
    }

    /// The next pause.
    pub fn pause(&mut self) -> Duration {
        let pause = self.next;
        self.next = (self.next * 2).min(self.longest);
        self.drawn += 1;
        let thousandths = self.random.hash_one(self.drawn) % 250;
        let cut = u32::try_from(thousandths).unwrap_or_default();
        pause - pause * cut / 1_000
    }

    /// All went well: the next pause is the first one again.
    pub fn reset(&mut self) {
        self.next = self.first;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_the_longest_and_start_over() {
        let (first, longest) = (Duration::from_millis(100), Duration::from_secs(5));
        let mut backoff = Backoff::new(first, longest);
        let mut expected = first;
        for _ in 0..20 {
            let pause = backoff.pause();
            assert!(pause <= expected && pause >= expected * 3 / 4, "{pause:?} of {expected:?}");
            expected = (expected * 2).min(longest);
        }
        backoff.reset();
        assert!(backoff.pause() <= first);
    }
}
