//! Rate limits of reports, one for each rule.
//!
//! A rule reports at most ten matches a second with bursts of forty; `every` sets a longer period, and `limiter_token`
//! gives each combination of some fields' values a limit of its own. What is held back is counted.

use rustc_hash::FxHashMap;

use crate::limits;

/// Nanoseconds in a second.
const SECOND: u64 = 1_000_000_000;
/// Time between two reports that a rule may sustain, in nanoseconds, unless it sets `every`.
const PERIOD: u64 = 100_000_000;
/// Reports that a rule may send at once, unless it sets `every`.
const BURST: u64 = 40;

/// What the limiter decided about a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It goes out; so many of the rule's were held back since the last one that did.
    Pass {
        /// Reports held back.
        suppressed: u64,
    },
    /// It is held back.
    Hold,
}

/// The pace at which reports may go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Nanoseconds in which one report becomes possible.
    period: u64,
    /// How many reports can be saved up.
    burst: u64,
}

impl Default for Rate {
    fn default() -> Self {
        Rate { period: PERIOD, burst: BURST }
    }
}

impl Rate {
    /// So many reports a second in the long run, and so many at once.
    pub fn per_second(rate: u32, burst: u32) -> Self {
        Rate { period: SECOND / u64::from(rate.max(1)), burst: u64::from(burst.max(1)) }
    }

    /// The rate of a rule with this `every`, in nanoseconds; without one it is the general rate.
    pub fn of_rule(every: Option<u64>, general: Self) -> Self {
        match every {
            None => general,
            Some(every) => Rate { period: every.max(1), burst: 1 },
        }
    }
}

/// A token bucket, kept as the time at which it will be full: no counting of tokens, no rounding.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    full_at: u64,
}

impl Bucket {
    fn take(&mut self, rate: Rate, now: u64) -> bool {
        let full_at = self.full_at.max(now).saturating_add(rate.period);
        let fits = full_at - now <= rate.period.saturating_mul(rate.burst);
        if fits {
            self.full_at = full_at;
        }
        fits
    }
}

/// The limiter of one rule.
#[derive(Debug)]
pub struct Limiter {
    rate: Rate,
    /// The bucket of matches without a token.
    bucket: Bucket,
    /// Buckets by the hash of the values of the token's fields.
    by_token: FxHashMap<u64, Bucket>,
    suppressed: u64,
    suppressed_total: u64,
}

impl Limiter {
    /// A limiter that has not seen anything.
    pub fn new(rate: Rate) -> Self {
        let bucket = Bucket { full_at: 0 };
        Limiter { rate, bucket, by_token: FxHashMap::default(), suppressed: 0, suppressed_total: 0 }
    }

    /// Decides about a report. `token`: hash of the values of the `limiter_token` fields, if the rule has them; `now`:
    /// nanoseconds on any clock that does not go back.
    pub fn check(&mut self, token: Option<u64>, now: u64) -> Verdict {
        let rate = self.rate;
        let passes = match token {
            None => self.bucket.take(rate, now),
            Some(token) => {
                self.make_room(token, now);
                self.by_token.entry(token).or_insert(Bucket { full_at: 0 }).take(rate, now)
            }
        };
        if passes {
            Verdict::Pass { suppressed: std::mem::take(&mut self.suppressed) }
        } else {
            self.suppressed += 1;
            self.suppressed_total += 1;
            Verdict::Hold
        }
    }

    /// Reports held back since the limiter was made.
    pub fn suppressed_total(&self) -> u64 {
        self.suppressed_total
    }

    /// Keeps the number of buckets bounded: full ones mean the same as none; if none is, the fullest half goes.
    fn make_room(&mut self, token: u64, now: u64) {
        if self.by_token.len() < limits::LIMITER_BUCKETS || self.by_token.contains_key(&token) {
            return;
        }
        self.by_token.retain(|_, bucket| bucket.full_at > now);
        if self.by_token.len() >= limits::LIMITER_BUCKETS {
            let mut times: Vec<u64> = self.by_token.values().map(|bucket| bucket.full_at).collect();
            let middle = times.len() / 2;
            let (_, &mut median, _) = times.select_nth_unstable(middle);
            self.by_token.retain(|_, bucket| bucket.full_at > median);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{BURST, Limiter, PERIOD, Rate, SECOND, Verdict};
    use crate::limits;

    fn passes(limiter: &mut Limiter, now: u64, times: u64) -> usize {
        (0..times).filter(|_| limiter.check(None, now) != Verdict::Hold).count()
    }

    #[test]
    fn forty_at_once_then_ten_a_second() {
        let mut limiter = Limiter::new(Rate::default());
        assert_eq!(passes(&mut limiter, 5 * SECOND, 1_000), 40);
        assert_eq!(passes(&mut limiter, 6 * SECOND, 1_000), 10);
        assert_eq!(passes(&mut limiter, 6 * SECOND + PERIOD, 5), 1);
        assert_eq!(passes(&mut limiter, 100 * SECOND, 1_000), usize::try_from(BURST).expect("small"));
        assert_eq!(limiter.suppressed_total(), 960 + 990 + 4 + 960);
    }

    #[test]
    fn every_means_one_for_each_period() {
        let mut limiter = Limiter::new(Rate::of_rule(Some(5 * SECOND), Rate::default()));
        assert_eq!(limiter.check(None, 0), Verdict::Pass { suppressed: 0 });
        assert_eq!(limiter.check(None, 5 * SECOND - 1), Verdict::Hold);
        assert_eq!(limiter.check(None, 5 * SECOND), Verdict::Pass { suppressed: 1 });
        assert_eq!(limiter.check(None, 5 * SECOND + 1), Verdict::Hold);
    }

    #[test]
    fn tokens_have_limits_of_their_own_and_their_number_is_bounded() {
        let mut limiter = Limiter::new(Rate::of_rule(Some(SECOND), Rate::default()));
        assert_ne!(limiter.check(Some(1), 0), Verdict::Hold);
        assert_ne!(limiter.check(Some(2), 0), Verdict::Hold);
        assert_eq!(limiter.check(Some(1), 0), Verdict::Hold);
        for token in 0..100_000 {
            limiter.check(Some(token), token);
            assert!(limiter.by_token.len() <= limits::LIMITER_BUCKETS);
        }
        assert_eq!(limiter.check(Some(99_999), 100_000), Verdict::Hold, "the newest bucket is kept");
    }
}
