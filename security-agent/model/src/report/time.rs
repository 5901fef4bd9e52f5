//! Points in time as reports write them.

/// RFC 3339 in UTC with nanoseconds; `None` for 0, which stands for an unknown time.
pub fn rfc3339(nanoseconds: u64) -> Option<String> {
    if nanoseconds == 0 {
        return None;
    }
    let (seconds, fraction) = (nanoseconds / 1_000_000_000, nanoseconds % 1_000_000_000);
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil_from_days(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    Some(format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{fraction:09}Z"))
}

/// The date that is `days` after 1970-01-01 in the Gregorian calendar.
///
/// Years are counted from 1 March, so that a leap day is the last day of its year, and in periods of 400 years, which all
/// have 146,097 days.
fn civil_from_days(days: u64) -> (u64, u64, u64) {
    // Days from 0000-03-01 to 1970-01-01.
    let days = days + 719_468;
    let (period, day_of_period) = (days / 146_097, days % 146_097);
    let year_of_period =
        (day_of_period - day_of_period / 1_460 + day_of_period / 36_524 - day_of_period / 146_096) / 365;
    let day_of_year = day_of_period - (365 * year_of_period + year_of_period / 4 - year_of_period / 100);
    // Months from March on have 31, 30, 31, 30, 31, 31, 30, … days: 153 for each five.
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = period * 400 + year_of_period + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_utc_with_nanoseconds() {
        for (nanoseconds, text) in [
            (1, "1970-01-01T00:00:00.000000001Z"),
            (951_782_400_000_000_000, "2000-02-29T00:00:00.000000000Z"),
            (1_735_689_599_999_999_999, "2024-12-31T23:59:59.999999999Z"),
            (4_107_542_400_000_000_000, "2100-03-01T00:00:00.000000000Z"),
            (u64::MAX, "2554-07-21T23:34:33.709551615Z"),
        ] {
            assert_eq!(rfc3339(nanoseconds).unwrap(), text);
        }
        assert_eq!(rfc3339(0), None);
    }

    #[test]
    fn every_day_follows_the_one_before() {
        let mut last = civil_from_days(0);
        for days in 1..200_000 {
            let (year, month, day) = civil_from_days(days);
            let next_day = (year, month) == (last.0, last.1) && day == last.2 + 1;
            let next_month =
                day == 1 && last.2 >= 28 && (month == last.1 + 1 || (month == 1 && year == last.0 + 1));
            assert!(next_day || next_month, "{last:?} → {year}-{month}-{day}");
            last = (year, month, day);
        }
    }
}
