//! Times in signals.

use anyhow::{Context, Result, ensure};
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Map, Value};

const DAY: u64 = 86_400;
const SECOND: u64 = 1_000_000_000;
/// The unit of start times in `/proc`, nanoseconds.
const TICK: u64 = 10_000_000;

/// Nanoseconds since 1970 as a signal shows them.
#[must_use]
pub fn rfc3339(time_ns: u64) -> String {
    let seconds = time_ns / SECOND;
    let (mut days, rest) = (seconds / DAY, seconds % DAY);
    let mut year = 1970;
    while days >= year_length(year) {
        days -= year_length(year);
        year += 1;
    }
    let mut month = 0;
    while days >= month_length(year, month) {
        days -= month_length(year, month);
        month += 1;
    }
    let fraction = time_ns % SECOND;
    let (hours, minutes, seconds) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{:02}-{:02}T{hours:02}:{minutes:02}:{seconds:02}.{fraction:09}Z", month + 1, days + 1)
}

/// The reverse of [`rfc3339`].
///
/// # Errors
/// If the text is not of that form.
pub fn parse(text: &str) -> Result<u64> {
    let number = |range: std::ops::Range<usize>| -> Result<u64> {
        let part = text.get(range).with_context(|| format!("a time: {text}"))?;
        part.parse().with_context(|| format!("a time: {text}"))
    };
    ensure!(text.ends_with('Z'), "{text} is not in UTC");
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let days: u64 = (1970..year).map(year_length).sum::<u64>()
        + (0..month.saturating_sub(1)).map(|month| month_length(year, month)).sum::<u64>()
        + day.saturating_sub(1);
    let seconds = days * DAY + number(11..13)? * 3600 + number(14..16)? * 60 + number(17..19)?;
    let fraction = text[19..].trim_start_matches('.').trim_end_matches('Z');
    Ok(seconds * SECOND + format!("{fraction:0<9}").parse::<u64>()?)
}

/// Takes the time `name` out of an object.
///
/// # Errors
/// If it is there and not a time.
pub fn take(object: &mut Map<String, Value>, name: &str) -> Result<Option<u64>> {
    let Some(value) = object.remove(name) else { return Ok(None) };
    parse(value.as_str().with_context(|| format!("{name} is no text: {value}"))?).map(Some)
}

/// Checks that a time is when a process started, which `/proc` tells in ticks since boot.
///
/// # Errors
/// If it is not.
pub fn check_start(time_ns: u64, start_ticks: u64) -> Result<()> {
    let now = |clock| -> Result<u64> {
        let time = clock_gettime(clock);
        Ok(u64::try_from(time.tv_sec)? * SECOND + u64::try_from(time.tv_nsec)?)
    };
    let boot = now(ClockId::Realtime)?.checked_sub(now(ClockId::Boottime)?).context("the clocks")?;
    let ticks = time_ns.checked_sub(boot).context("before boot")? / TICK;
    // The wall clock may have been adjusted by a little since.
    ensure!(ticks.abs_diff(start_ticks) <= 1, "{ticks} ticks are not the {start_ticks} of /proc");
    Ok(())
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn year_length(year: u64) -> u64 {
    365 + u64::from(is_leap(year))
}

fn month_length(year: u64, month: u64) -> u64 {
    match month {
        1 => 28 + u64::from(is_leap(year)),
        3 | 5 | 8 | 10 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_and_read() {
        for (ns, text) in [
            (0, "1970-01-01T00:00:00.000000000Z"),
            (1_735_689_600_123_456_789, "2025-01-01T00:00:00.123456789Z"),
            (1_709_164_800_500_000_000, "2024-02-29T00:00:00.500000000Z"),
            (1_798_761_599_000_000_001, "2026-12-31T23:59:59.000000001Z"),
        ] {
            assert_eq!(rfc3339(ns), text);
            assert_eq!(parse(text).unwrap(), ns);
        }
        assert!(parse("2024-02-29 00:00").is_err());
    }
}
