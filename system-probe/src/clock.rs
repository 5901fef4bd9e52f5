//! The clocks that records and reports refer to.

use rustix::time::ClockId;
use rustix::time::clock_gettime;

/// Less than this is no suspend to memory.
const SHORTEST_SLEEP_NS: u64 = 1_000_000;
const NS_PER_SECOND: i64 = 1_000_000_000;

/// `CLOCK_REALTIME` minus `CLOCK_BOOTTIME`, ns: added to the time of a record it gives wall-clock time.
pub(crate) fn realtime_offset_ns() -> i64 {
    // Read on both sides of the other clock, so that being scheduled away in between costs half as much.
    let before = now_ns(ClockId::Boottime);
    let realtime = now_ns(ClockId::Realtime);
    let after = now_ns(ClockId::Boottime);
    realtime - (before + (after - before) / 2)
}

/// `CLOCK_BOOTTIME`, ns: the time of records.
pub(crate) fn boottime_ns() -> u64 {
    u64::try_from(now_ns(ClockId::Boottime)).unwrap_or_default()
}

/// `CLOCK_MONOTONIC`, ns: the time of records on kernels before 5.8.
pub(crate) fn monotonic_ns() -> u64 {
    u64::try_from(now_ns(ClockId::Monotonic)).unwrap_or_default()
}

/// `CLOCK_BOOTTIME` minus `CLOCK_MONOTONIC`, ns: how long the machine has slept.
pub(crate) fn boottime_offset_ns() -> u64 {
    let monotonic = monotonic_ns();
    // What passes between the two looks is no sleep.
    let offset = boottime_ns().saturating_sub(monotonic);
    if offset < SHORTEST_SLEEP_NS { 0 } else { offset }
}

fn now_ns(clock: ClockId) -> i64 {
    let time = clock_gettime(clock);
    time.tv_sec.saturating_mul(NS_PER_SECOND).saturating_add(time.tv_nsec)
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;
    use std::time::UNIX_EPOCH;

    use super::*;

    #[test]
    fn boot_time_and_offset_make_wall_clock_time() {
        let wall = i64::try_from(boottime_ns()).unwrap() + realtime_offset_ns();
        let expected =
            i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos()).unwrap();
        assert!((wall - expected).abs() < NS_PER_SECOND, "{wall} {expected}");
    }
}
