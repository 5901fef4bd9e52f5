//! Pauses after requests that failed: those of the reference.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use settings::table::Intake;

/// More doublings than any pause has.
const MAX_FAILURES: u32 = 30;

/// How long to wait before the next request.
#[derive(Debug)]
pub(super) struct Backoff {
    base: Duration,
    max: Duration,
    factor: u32,
    recovery: u32,
    failures: u32,
    random: RandomState,
    drawn: u64,
}

impl Backoff {
    pub(super) fn new(intake: &Intake) -> Self {
        Self {
            base: intake.backoff_base,
            max: intake.backoff_max,
            factor: intake.backoff_factor.max(1),
            recovery: if intake.recovery_reset { MAX_FAILURES } else { intake.recovery_interval },
            failures: 0,
            random: RandomState::new(),
            drawn: 0,
        }
    }

    /// A request failed: the pause after it. Drawn at random, so that agents that lost their intake at the same time do
    /// not come back at the same time.
    pub(super) fn failed(&mut self) -> Duration {
        let longest = self.base.saturating_mul(1 << self.failures).min(self.max);
        self.failures = (self.failures + 1).min(MAX_FAILURES);
        self.drawn += 1;
        let shortest = longest / self.factor;
        let thousandths = u32::try_from(self.random.hash_one(self.drawn) % 1_001).unwrap_or_default();
        shortest + (longest - shortest) * thousandths / 1_000
    }

    /// A request got through.
    pub(super) fn succeeded(&mut self) {
        self.failures = self.failures.saturating_sub(self.recovery);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest() {
        let mut backoff = Backoff::new(&Intake::default());
        let mut longest = Duration::from_secs(1);
        for _ in 0..100 {
            let pause = backoff.failed();
            assert!(pause <= longest && pause >= longest / 2, "{pause:?} of {longest:?}");
            longest = (longest * 2).min(Duration::from_secs(120));
        }
    }

    #[test]
    fn successes_make_up_for_failures_little_by_little_or_at_once() {
        for (reset, expected) in [(false, 4), (true, 1)] {
            let intake = Intake { recovery_reset: reset, backoff_factor: 1, ..Intake::default() };
            let mut backoff = Backoff::new(&intake);
            for _ in 0..4 {
                backoff.failed();
            }
            backoff.succeeded();
            assert_eq!(backoff.failed(), Duration::from_secs(expected), "{reset}");
        }
    }
}
