//! Logs of services. Source: `dployr-v1.md` §7.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use http::{HeaderValue, header};
use poem::{Body, Response};
use slipway_core::Error;
use slipway_core::log::LogLine;
use slipway_wire::dployr_v1 as wire;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::from_wire::{LogSource, LogWanted};
use super::{from_wire, to_wire};
use crate::call::{Answer, Call, ok};

/// Most lines that are sent in one piece when many are there at once.
const BATCH_MAX: usize = 256;
/// Pause between two signs of life, so that proxies keep the connection.
const QUIET: Duration = Duration::from_secs(15);

/// Logs that are followed at once. Source: `dployr-v1.md` §7.
const STREAMS_MAX: usize = 100;
/// When a caller may try again who finds no place, in seconds.
const RETRY_AFTER_SECS: u64 = 10;

/// Places for logs that are followed; each keeps a connection for as long as somebody reads.
#[derive(Debug, Clone)]
pub struct LogStreams(Arc<Semaphore>);

impl Default for LogStreams {
    fn default() -> Self {
        Self::new(STREAMS_MAX)
    }
}

impl LogStreams {
    /// So many places.
    #[must_use]
    pub fn new(places: usize) -> Self {
        Self(Arc::new(Semaphore::new(places)))
    }

    /// Takes one, given back when dropped.
    fn take(&self) -> Result<OwnedSemaphorePermit, Error> {
        let taken = Arc::clone(&self.0).try_acquire_owned();
        taken.map_err(|_| Error::Throttled { retry_after_secs: RETRY_AFTER_SECS })
    }
}

/// A list of entries, oldest first; with `follow=true` one a line, history first, for as long as somebody reads.
pub(super) async fn service_logs(call: Call) -> Answer {
    let wanted = from_wire::log(&call)?;
    let build = build_entries(&call, wanted).await?;
    if wanted.is_following {
        return follow(&call, wanted, build).await;
    }
    let mut entries = build;
    if wanted.source != Some(LogSource::Build) {
        let lines = match call.state.service.service_logs(&call.cx, call.param("service"), wanted.tail).await {
            // A deployment that never ran has the log of its build alone.
            Err(Error::NotFound { .. }) if wanted.source.is_none() && !entries.is_empty() => Vec::new(),
            other => other?,
        };
        entries.extend(lines.iter().filter(|line| wanted.is_in_time(line)).map(to_wire::log_entry));
    }
    let excess = entries.len().saturating_sub(wanted.tail);
    entries.drain(..excess);
    ok(&entries)
}

async fn build_entries(call: &Call, wanted: LogWanted) -> Result<Vec<wire::LogEntry>, Error> {
    let service = &call.state.service;
    match wanted.source {
        Some(LogSource::Runtime) => {
            service.service_get(&call.cx, call.param("service")).await?;
            Ok(Vec::new())
        }
        Some(LogSource::Build) | None => {
            let log = service.service_build_log(&call.cx, call.param("service")).await?;
            let log = log.filter(|log| wanted.is_time_in(log.created));
            Ok(log.as_ref().map(to_wire::build_entries).unwrap_or_default())
        }
    }
}

async fn follow(call: &Call, wanted: LogWanted, mut build: Vec<wire::LogEntry>) -> Answer {
    let is_sse = call
        .headers
        .get(header::ACCEPT)
        .is_some_and(|accept| String::from_utf8_lossy(accept.as_bytes()).contains("text/event-stream"));
    let place = call.state.log_streams.take()?;
    let excess = build.len().saturating_sub(wanted.tail);
    build.drain(..excess);
    let lines: BoxStream<'static, LogLine> = if wanted.source == Some(LogSource::Build) {
        stream::empty().boxed()
    } else {
        call.state.service.service_logs_follow(&call.cx, call.param("service"), wanted.tail).await?
    };
    let entries =
        lines.filter(move |line| std::future::ready(wanted.is_in_time(line))).map(|line| to_wire::log_entry(&line));
    let pieces = stream::iter(build).chain(entries).ready_chunks(BATCH_MAX).map(move |entries| {
        entries.iter().filter_map(|entry| serde_json::to_string(entry).ok()).fold(String::new(), |text, entry| {
            if is_sse { text + "data: " + &entry + "\n\n" } else { text + &entry + "\n" }
        })
    });
    let pieces = with_signs_of_life(pieces.boxed(), if is_sse { ": \n\n" } else { "\n" })
        .take_until(call.state.shutdown.clone().cancelled_owned())
        .map(move |piece| {
            // Kept as long as the stream is.
            let _ = &place;
            Ok::<_, std::io::Error>(Bytes::from(piece))
        });
    let media_type = if is_sse { "text/event-stream" } else { "application/x-ndjson" };
    let mut response = Response::builder().content_type(media_type).body(Body::from_bytes_stream(pieces));
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    // Proxies must pass lines on as they come.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

/// The pieces, and `sign` whenever none came for a while.
fn with_signs_of_life(pieces: BoxStream<'static, String>, sign: &'static str) -> BoxStream<'static, String> {
    let next = move |mut pieces: BoxStream<'static, String>| async move {
        match tokio::time::timeout(QUIET, pieces.next()).await {
            Ok(Some(piece)) => Some((piece, pieces)),
            Ok(None) => None,
            Err(_) => Some((sign.to_owned(), pieces)),
        }
    };
    stream::unfold(pieces, next).boxed()
}

impl LogWanted {
    fn is_in_time(self, line: &LogLine) -> bool {
        self.is_time_in(line.time)
    }

    fn is_time_in(self, time: chrono::DateTime<chrono::Utc>) -> bool {
        time >= self.since && self.until.is_none_or(|until| time <= until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_given_back() {
        let places = LogStreams::new(2);
        let (first, second) = (places.take().unwrap(), places.take().unwrap());
        assert!(matches!(places.take(), Err(Error::Throttled { .. })));
        drop(first);
        let third = places.take();
        assert!(third.is_ok() && places.take().is_err());
        drop(second);
    }
}
