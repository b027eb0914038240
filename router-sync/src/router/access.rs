//! Access lines in the apps' logs.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::Utc;
use http::{HeaderValue, Method, StatusCode, Uri};
use slipway_core::AppId;
use slipway_core::log::LogLine;
use slipway_engine::LogSink;
use slipway_engine::route::Backend;

use super::activity::Activity;
use super::metrics::{Counted, Metrics};

/// What the log calls the router.
const SOURCE: &str = "slipway[router]";

/// Longest path in a line, in characters of the original.
const PATH_MAX: usize = 1024;

/// Longest method in a line.
const METHOD_MAX: usize = 32;

/// One request, from its head to the last byte of its response. Dropping it counts the request and, once it is known
/// whose it is, writes its line.
pub(super) struct Access {
    pub(super) metrics: Arc<Metrics>,
    pub(super) sink: Arc<dyn LogSink>,
    pub(super) app: Option<AppId>,
    pub(super) method: Method,
    pub(super) uri: Uri,
    pub(super) host: String,
    pub(super) request_id: HeaderValue,
    pub(super) client: IpAddr,
    pub(super) is_https: bool,
    pub(super) backend: Option<Arc<Backend>>,
    pub(super) connect: Duration,
    pub(super) started: Instant,
    pub(super) status: Option<StatusCode>,
    pub(super) bytes: u64,
    pub(super) upload: Option<Arc<Activity>>,
    /// What went wrong, in a word for people who search logs.
    pub(super) error: Option<&'static str>,
    pub(super) in_flight: Option<Counted>,
}

impl Access {
    fn line(&self) -> String {
        let mut line = String::with_capacity(256);
        line.push_str("method=");
        push_escaped(&mut line, self.method.as_str(), METHOD_MAX);
        line.push_str(" path=\"");
        // The query may hold secrets; the path is what people look for.
        push_escaped(&mut line, self.uri.path(), PATH_MAX);
        let process = self.backend.as_ref().map_or("-", |backend| backend.name.as_str());
        // Writing to a string cannot fail.
        let _ = write!(
            line,
            "\" host={} request_id={} fwd=\"{}\" process={process} connect={}ms service={}ms status={} bytes={} protocol={}",
            self.host,
            self.request_id.to_str().unwrap_or("-"),
            self.client,
            self.connect.as_millis(),
            self.started.elapsed().as_millis(),
            self.status.map_or(499, |status| status.as_u16()),
            self.bytes,
            if self.is_https { "https" } else { "http" },
        );
        let error = self.error.or(if self.status.is_none() { Some("client-closed") } else { None });
        if let Some(error) = error {
            line.push_str(" error=");
            line.push_str(error);
        }
        line
    }
}

impl Drop for Access {
    fn drop(&mut self) {
        let bytes_in = self.upload.as_ref().map_or(0, |upload| upload.bytes());
        self.metrics.request_ended(self.status, bytes_in, self.bytes);
        if let Some(app) = self.app {
            self.sink.append(app, LogLine { time: Utc::now(), source: SOURCE.to_owned(), text: self.line() });
        }
    }
}

/// Appends `text` so that it can neither leave its quotes nor its line, cut after `max` characters.
fn push_escaped(line: &mut String, text: &str, max: usize) {
    if text.len() <= max && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\') {
        line.push_str(text);
        return;
    }
    for (index, character) in text.chars().enumerate() {
        if index == max {
            line.push('…');
            return;
        }
        match character {
            '"' | '\\' => {
                line.push('\\');
                line.push(character);
            }
            _ if character.is_ascii_graphic() => line.push(character),
            _ => line.extend(character.escape_unicode()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_within_its_quotes_and_line() {
        let escaped = |text: &str, max| {
            let mut line = String::new();
            push_escaped(&mut line, text, max);
            line
        };
        assert_eq!(escaped("/plain/path%0a", 100), "/plain/path%0a");
        assert_eq!(escaped("/a\" status=200", 100), "/a\\\"\\u{20}status=200");
        assert_eq!(escaped("/a\r\nb\u{2028}\u{85}\u{1b}[0m", 100), "/a\\u{d}\\u{a}b\\u{2028}\\u{85}\\u{1b}[0m");
        assert_eq!(escaped("/abcdef", 3), "/ab…");
    }
}
