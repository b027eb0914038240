//! Days, as upstream's client shows times of certificates. Source: drycc-v2.md §1.9 for what it reads.

use chrono::{DateTime, Datelike as _, NaiveDateTime, Utc};

const UNKNOWN: &str = "unknown";

fn read(text: &str) -> Option<DateTime<Utc>> {
    let with_zone = DateTime::parse_from_rfc3339(text).map(|time| time.to_utc()).ok();
    let bare = text.trim_end_matches("UTC");
    with_zone.or_else(|| Some(NaiveDateTime::parse_from_str(bare, "%Y-%m-%dT%H:%M:%S%.f").ok()?.and_utc()))
}

fn short(time: DateTime<Utc>) -> String {
    time.format("%-d %b %Y").to_string()
}

/// The day of a time: `9 Jun 2016`.
pub fn day(text: &str) -> String {
    read(text).map_or_else(|| UNKNOWN.to_owned(), short)
}

/// The day on which something expires, and how long that is from now: `9 Jun 2016 (in 2 months)`. Only the largest part
/// counts, by the numbers on the calendar.
pub fn until(text: &str, now: DateTime<Utc>) -> String {
    let Some(time) = read(text) else { return UNKNOWN.to_owned() };
    let day = short(time);
    if time < now {
        return format!("{day} (expired)");
    }
    let years = i64::from(time.year()) - i64::from(now.year());
    let months = i64::from(time.month()) - i64::from(now.month());
    let days = i64::from(time.day()) - i64::from(now.day());
    let (count, unit) = match () {
        () if years > 0 => (years, "year"),
        () if months > 0 => (months, "month"),
        () if days != 0 => (days, "day"),
        () => return format!("{day} (in)"),
    };
    let plural = if count > 1 { "s" } else { "" };
    format!("{day} (in {count} {unit}{plural})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_told_as_upstreams_client_tells_them() {
        let now = read("2016-06-09T00:00:00UTC").unwrap();
        for (time, of_day, of_end) in [
            ("2014-11-10T00:00:00UTC", "10 Nov 2014", "10 Nov 2014 (expired)"),
            ("2016-08-01T00:00:00Z", "1 Aug 2016", "1 Aug 2016 (in 2 months)"),
            ("2016-06-11T00:00:00", "11 Jun 2016", "11 Jun 2016 (in 2 days)"),
            ("2018-01-01T00:00:00+00:00", "1 Jan 2018", "1 Jan 2018 (in 2 years)"),
            ("2016-06-09T10:00:00Z", "9 Jun 2016", "9 Jun 2016 (in)"),
            ("", "unknown", "unknown"),
        ] {
            assert_eq!((day(time).as_str(), until(time, now).as_str()), (of_day, of_end), "{time}");
        }
    }
}
