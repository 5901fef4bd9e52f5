//! How long to wait before a process is started again.

use std::time::Duration;

/// The first pause, as the reference's image has it.
const FIRST: Duration = Duration::from_secs(2);
/// The longest one: what cannot start must not keep a processor busy, nor fill the log.
const LONGEST: Duration = Duration::from_secs(60);
/// A process that ran for so long had started well.
const STEADY: Duration = Duration::from_secs(60);

/// The pauses of one process.
#[derive(Debug, Clone, Copy)]
pub struct Restarts {
    next: Duration,
}

impl Default for Restarts {
    fn default() -> Self {
        Self { next: FIRST }
    }
}

impl Restarts {
    /// The pause after a process that ran for `lived`: short at first, longer each time it ends soon.
    pub fn pause_after(&mut self, lived: Duration) -> Duration {
        if lived >= STEADY {
            self.next = FIRST;
        }
        let pause = self.next;
        self.next = (pause * 2).min(LONGEST);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_while_it_does_not_live_and_begin_anew_once_it_did() {
        let mut restarts = Restarts::default();
        let mut pauses = |lived: &[u64]| -> Vec<u64> {
            lived.iter().map(|lived| restarts.pause_after(Duration::from_secs(*lived)).as_secs()).collect()
        };
        assert_eq!(pauses(&[0, 1, 0, 59, 0, 0, 0]), [2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(pauses(&[3600, 0]), [2, 4]);
    }
}
