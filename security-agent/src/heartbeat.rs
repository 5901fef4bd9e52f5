//! When the agent says that it lives: often at first, as whoever installs it looks, then rarely.

use std::time::Duration;

/// Pause between the first heartbeats.
const FIRST_PAUSE: Duration = Duration::from_secs(60);
/// How many of them there are.
const FIRST: u32 = 5;
/// Pause between the others.
const PAUSE: Duration = Duration::from_secs(600);

/// The schedule of heartbeats: those of CWS.
#[derive(Debug, Default)]
pub struct Heartbeats {
    sent: u32,
    next: Option<Duration>,
}

impl Heartbeats {
    /// Whether one is due when the agent has run for `uptime`; each is told once.
    pub fn is_due(&mut self, uptime: Duration) -> bool {
        let next = *self.next.get_or_insert(FIRST_PAUSE);
        if uptime < next {
            return false;
        }
        self.sent = self.sent.saturating_add(1);
        // After a suspension there is one, not one for each that was missed.
        self.next = Some(uptime + if self.sent < FIRST { FIRST_PAUSE } else { PAUSE });
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_come_every_minute_and_then_one_every_ten() {
        let mut heartbeats = Heartbeats::default();
        let due: Vec<u64> =
            (0..60 * 60).filter(|second| heartbeats.is_due(Duration::from_secs(*second))).collect();
        assert_eq!(due, [60, 120, 180, 240, 300, 900, 1500, 2100, 2700, 3300]);
    }
}
