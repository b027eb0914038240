//! `logs`. Source of the call: drycc-v2.md §2.2; following and `since` are Slipway's own.

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use futures::StreamExt as _;
use serde_json::json;
use slipway_client::{Method, NO_BODY, StatusCode, segment};

use crate::api::Api;
use crate::context::{Context, app_path};
use crate::error::{Error, Result};
use crate::{print, program};

/// First pause before a lost connection is made anew.
const PAUSE_FIRST: Duration = Duration::from_millis(250);
/// Longest pause before that.
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// As many lines as controllers give at once.
const LINES_MAX: u32 = 10_000;

/// Which lines are wanted.
#[derive(Debug, Default)]
pub struct Wanted {
    /// At most this many of those that are there.
    pub lines: Option<u32>,
    /// Later than this.
    pub since: Option<DateTime<Utc>>,
    /// Of this process type only.
    pub process_type: Option<String>,
}

impl Wanted {
    fn query(&self, is_following: bool) -> String {
        let mut parts = Vec::new();
        // Whoever says since when wants all of it; a controller that is not asked gives the newest 100.
        let lines = self.lines.or(self.since.map(|_| LINES_MAX));
        parts.extend(lines.map(|lines| format!("log_lines={lines}")));
        let since = self.since.map(|since| since.to_rfc3339_opts(SecondsFormat::Micros, true));
        parts.extend(since.map(|since| format!("since={}", segment(&since))));
        parts.extend(self.process_type.as_deref().map(|name| format!("process_type={}", segment(name))));
        parts.extend(is_following.then(|| "follow=true".to_owned()));
        if parts.is_empty() { String::new() } else { format!("?{}", parts.join("&")) }
    }
}

/// Shows an app's log.
pub async fn show(cx: &Context, wanted: Wanted, is_following: bool) -> Result {
    let (api, app) = (cx.api()?, cx.app()?);
    if is_following {
        return follow(cx, &api, &app, wanted).await;
    }
    let answer = api.get(&app_path(&app, &format!("logs{}", wanted.query(false)))).await;
    let is_upstream = program::current().is_upstream();
    let answer = answer.map_err(|error| match &error {
        Error::Failed { text, status: Some(_), .. } if is_upstream => nothing(text),
        _ => error,
    })?;
    let text = String::from_utf8_lossy(&answer.body);
    if answer.status == StatusCode::NO_CONTENT || text.trim().is_empty() {
        if is_upstream {
            return Err(nothing(&format!("processes of {app} run: {} ps:list -a {app}", program::current().name())));
        }
        print::note("There are currently no log messages.");
        return Ok(());
    }
    text.lines().try_for_each(|line| print(cx, line))
}

/// What upstream's client says whatever the reason is, and fails.
fn nothing(reason: &str) -> Error {
    Error::new(format!("There are currently no log messages. Please check the following things:\n1) {reason}"))
}

fn print(cx: &Context, line: &str) -> Result {
    if cx.is_json { print::line(json!(line)) } else { print::log::log_line(line) }
}

/// Shows lines as they come. A connection that is lost is made anew, from the last line on.
async fn follow(cx: &Context, api: &Api, app: &str, mut wanted: Wanted) -> Result {
    let mut seen = Seen::default();
    let mut patience = Patience::default();
    let mut is_first = true;
    loop {
        let path = app_path(app, &format!("logs{}", wanted.query(true)));
        let lost = match api.client().stream(Method::GET, &path, NO_BODY).await {
            Ok(mut pieces) => {
                is_first = false;
                let mut rest: Vec<u8> = Vec::new();
                loop {
                    match pieces.next().await {
                        Some(Ok(piece)) => {
                            patience = Patience::default();
                            rest.extend_from_slice(&piece);
                            while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                                let line: Vec<u8> = rest.drain(..=end).collect();
                                let line = String::from_utf8_lossy(&line);
                                let line = line.trim_end_matches(['\r', '\n']);
                                if seen.is_new(line) {
                                    print(cx, line)?;
                                }
                            }
                        }
                        Some(Err(error)) => break Error::from(error),
                        None => break Error::new("the connection ended"),
                    }
                }
            }
            Err(error) => {
                let status = error.status();
                let error = Error::from(error);
                // What the controller refuses, it refuses again; what never worked is told at once.
                if is_first || status.is_some_and(|status| !status.is_server_error()) {
                    return Err(error);
                }
                error
            }
        };
        patience.wait(&lost).await;
        if let Some(since) = seen.interrupted() {
            wanted.since = Some(since);
            wanted.lines = None;
        }
    }
}

/// The pauses before a lost connection is made anew, each longer than the one before.
#[derive(Debug)]
pub struct Patience(Duration);

impl Default for Patience {
    fn default() -> Self {
        Self(PAUSE_FIRST)
    }
}

impl Patience {
    /// Tells that the log is interrupted, and waits.
    pub async fn wait(&mut self, lost: &Error) {
        let Self(pause) = self;
        if let Error::Failed { text, .. } = lost {
            print::note(format_args!("!    The log is interrupted ({text}); trying again in {pause:.1?}"));
        }
        tokio::time::sleep(*pause).await;
        *pause = (*pause * 2).min(PAUSE_MAX);
    }
}

/// The lines of the newest time that lines tell, so that they are not shown twice when they are asked for again.
#[derive(Debug, Default)]
pub struct Seen {
    newest: Option<DateTime<Utc>>,
    lines: Vec<String>,
    /// Those of that time that may come again.
    again: Vec<String>,
}

impl Seen {
    /// From now on the lines of the newest time come once more, if all later than what is told are asked for.
    pub fn interrupted(&mut self) -> Option<DateTime<Utc>> {
        self.again = self.lines.clone();
        // Lines may tell their second only.
        self.newest.map(|time| time - TimeDelta::microseconds(1))
    }

    /// Whether a line, which begins with its time, was not shown before; remembers it.
    pub fn is_new(&mut self, line: &str) -> bool {
        if let Some(at) = self.again.iter().position(|known| known == line) {
            self.again.remove(at);
            return false;
        }
        let time = line.split(' ').next().and_then(|time| DateTime::parse_from_rfc3339(time).ok());
        let time = time.map(|time| time.with_timezone(&Utc));
        if let Some(time) = time.filter(|time| self.newest.is_none_or(|newest| newest < *time)) {
            *self = Self { newest: Some(time), ..Self::default() };
        }
        if time.is_some() && time == self.newest {
            self.lines.push(line.to_owned());
        }
        true
    }
}

/// `--since`: a time, or how long ago: `30s`, `10m`, `2h`, `1d`.
pub fn since(text: &str) -> std::result::Result<DateTime<Utc>, String> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(time.with_timezone(&Utc));
    }
    let wrong = || "say how long ago (30s, 10m, 2h, 1d), or a time such as 2026-01-31T12:00:00Z".to_owned();
    let (digits, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(wrong)?;
    let count: i64 = digits.parse().ok().filter(|count| *count >= 0).ok_or_else(wrong)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86400,
        _ => return Err(wrong()),
    };
    let ago = count.checked_mul(seconds).and_then(TimeDelta::try_seconds).ok_or_else(wrong)?;
    Utc::now().checked_sub_signed(ago).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_points_or_spans() {
        assert_eq!(since("2026-01-31T12:00:00+01:00").unwrap().to_rfc3339(), "2026-01-31T11:00:00+00:00");
        for (text, seconds) in [("0s", 0), ("30s", 30), ("10m", 600), ("2h", 7200), ("1d", 86400)] {
            let then = since(text).unwrap();
            let passed = (Utc::now() - then).num_seconds();
            assert!((seconds..seconds + 5).contains(&passed), "{text}: {passed}");
        }
        for text in ["", "s", "10", "-1s", "1w", "yesterday", "99999999999999999999d", "9223372036854775807d", "ü"] {
            assert!(since(text).is_err(), "{text}");
        }
    }

    #[test]
    fn lines_that_come_again_are_known() {
        let mut seen = Seen::default();
        let lines = ["1Z app[web.1]: a", "2Z app[web.1]: a", "2Z app[web.1]: a", "2Z app[web.1]: b", "no time"];
        let line = |text: &str| format!("2026-01-01T00:00:0{text}");
        assert!(lines.iter().all(|text| seen.is_new(&line(text))), "a line twice in a second is two lines");
        seen.interrupted();
        for (text, is_new) in [
            ("2Z app[web.1]: a", false),
            ("2Z app[web.1]: a", false),
            ("2Z app[web.1]: a", true),
            ("2Z app[web.1]: b", false),
            ("3Z app[web.1]: b", true),
        ] {
            assert_eq!(seen.is_new(&line(text)), is_new, "{text}");
        }
    }

    #[test]
    fn what_is_wanted_is_asked_for() {
        assert_eq!(Wanted::default().query(false), "");
        let wanted = Wanted { since: Some(since("2026-01-31T12:00:00Z").unwrap()), ..Wanted::default() };
        assert_eq!(wanted.query(false), "?log_lines=10000&since=2026-01-31T12%3A00%3A00.000000Z");
        let wanted = Wanted {
            lines: Some(5),
            since: Some(since("2026-01-31T12:00:00Z").unwrap()),
            process_type: Some("we b".to_owned()),
        };
        assert_eq!(
            wanted.query(true),
            "?log_lines=5&since=2026-01-31T12%3A00%3A00.000000Z&process_type=we%20b&follow=true"
        );
    }
}
