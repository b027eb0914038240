//! Reading queries. Source: `team-api.md` §1.8.

use std::ops::RangeInclusive;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use slipway_core::Page;
use slipway_team::{Error, Refusal, Refused};

use crate::call::{Call, Failure};

/// Most things of one part of a list.
const TAKE_MAX: u64 = 10_000;

/// `skip` and `take`, both of which must be there.
pub(super) fn page(call: &Call) -> Result<Page, Failure> {
    let (skip, take) = (number(call, "skip")?, number(call, "take")?);
    Ok(Page { limit: u32::try_from(take.min(TAKE_MAX)).unwrap_or(u32::MAX), offset: skip })
}

/// A whole number that must be there.
pub(super) fn number(call: &Call, name: &str) -> Result<u64, Failure> {
    let text = required(call, name)?;
    text.parse().map_err(|_| bad(name, text, "must be a whole number, at least 0"))
}

/// A whole number of `range` that may be missing.
pub(super) fn number_or(call: &Call, name: &str, default: u64, range: RangeInclusive<u64>) -> Result<u64, Failure> {
    let Some(text) = given(call, name) else { return Ok(default) };
    let rule = || format!("must be a whole number from {} to {}", range.start(), range.end());
    text.parse().ok().filter(|number| range.contains(number)).ok_or_else(|| bad(name, text, &rule()))
}

/// `true` or `false`, which may be missing, and then is `false`.
pub(super) fn flag(call: &Call, name: &str) -> Result<bool, Failure> {
    let Some(text) = given(call, name) else { return Ok(false) };
    text.parse().map_err(|_| bad(name, text, "must be true or false"))
}

/// A time that may be missing; a day is its beginning.
pub(super) fn moment_or_none(call: &Call, name: &str) -> Result<Option<DateTime<Utc>>, Failure> {
    given(call, name).map(|_| moment(call, name, false)).transpose()
}

/// `from` and `to`, both of which must be there; days without a time are whole days.
pub(super) fn span(call: &Call) -> Result<(DateTime<Utc>, DateTime<Utc>), Failure> {
    Ok((moment(call, "from", false)?, moment(call, "to", true)?))
}

fn moment(call: &Call, name: &str, is_end: bool) -> Result<DateTime<Utc>, Failure> {
    let text = required(call, name)?;
    read(text, is_end).ok_or_else(|| bad(name, text, "must be a time, as 2025-10-28T04:25:58.018Z"))
}

fn read(text: &str, is_end: bool) -> Option<DateTime<Utc>> {
    // A plus in a query that was not escaped arrives as a blank.
    let text = text.replace(' ', "+");
    if let Ok(time) = DateTime::parse_from_rfc3339(&text) {
        return Some(time.to_utc());
    }
    let day = NaiveDate::parse_from_str(&text, "%Y-%m-%d").ok()?;
    let time = if is_end { NaiveTime::from_hms_micro_opt(23, 59, 59, 999_999)? } else { NaiveTime::MIN };
    Some(day.and_time(time).and_utc())
}

fn required<'a>(call: &'a Call, name: &str) -> Result<&'a str, Failure> {
    given(call, name).ok_or_else(|| Error::invalid(name, format!("{name} is missing")).into())
}

/// What is there and not empty.
fn given<'a>(call: &'a Call, name: &str) -> Option<&'a str> {
    call.query(name).filter(|text| !text.is_empty())
}

fn bad(name: &str, text: &str, rule: &str) -> Failure {
    Error::from(Refusal::new(Refused::Invalid, name, format!("{name} {rule}")).value(text)).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_days_are_read() {
        for (text, is_end, expect) in [
            ("2025-10-28T04:25:58.018Z", false, Some("2025-10-28T04:25:58.018Z")),
            ("2025-10-28T04:25:58 02:00", false, Some("2025-10-28T02:25:58Z")),
            ("2025-10-28", false, Some("2025-10-28T00:00:00Z")),
            ("2025-10-28", true, Some("2025-10-28T23:59:59.999999Z")),
            ("yesterday", true, None),
            ("2025-13-01", true, None),
        ] {
            let expect = expect.map(|text| DateTime::parse_from_rfc3339(text).unwrap().to_utc());
            assert_eq!(read(text, is_end), expect, "{text}");
        }
    }
}
