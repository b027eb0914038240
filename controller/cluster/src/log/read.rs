//! Output of one pod, as the API server gives it.

use chrono::{DateTime, Utc};
use futures::io::{AsyncBufRead, AsyncBufReadExt};
use k8s_openapi::api::core::v1::Pod as ApiPod;
use kube::api::{Api, LogParams};
use slipway_core::log::LogLine;

use crate::pod::{Container, Pod};

/// Most bytes that are read of one container.
const BYTES_MAX: i64 = 8 * 1024 * 1024;
/// Longest line, in bytes; a longer one is told in pieces.
const LINE_MAX: usize = 64 * 1024;

/// Why there is no output.
#[derive(Debug)]
pub(super) enum Failure {
    /// There is none: the container was not started, or is gone.
    Nothing,
    /// The API server, or the node, does not answer.
    Unreachable(String),
}

/// The newest `count` lines of a pod, those of its container before the last restart included.
pub(super) async fn read_pod(api: &Api<ApiPod>, pod: &Pod, count: usize) -> Result<Vec<LogLine>, Failure> {
    if matches!(pod.state, Container::None) && pod.ended.is_none() {
        return Err(Failure::Nothing);
    }
    let mut lines = Vec::new();
    let is_started = !matches!(pod.state, Container::Waiting { .. }) || pod.restarts > 0;
    let mut failure = Failure::Nothing;
    let mut has_read = false;
    for (previous, is_there) in [(true, pod.ended.is_some() && pod.restarts > 0), (false, is_started)] {
        if !is_there {
            continue;
        }
        match read(api, pod, previous, count).await {
            Ok(read) => {
                has_read = true;
                lines.extend(read);
            }
            Err(error) => failure = error,
        }
    }
    if has_read { Ok(lines) } else { Err(failure) }
}

async fn read(api: &Api<ApiPod>, pod: &Pod, previous: bool, count: usize) -> Result<Vec<LogLine>, Failure> {
    let params = LogParams {
        container: Some(pod.container.to_string()),
        previous,
        tail_lines: Some(i64::try_from(count).unwrap_or(i64::MAX)),
        limit_bytes: Some(BYTES_MAX),
        timestamps: true,
        ..LogParams::default()
    };
    let source = pod.source();
    match api.logs(&pod.name, &params).await {
        Ok(text) => Ok(text.lines().filter_map(|line| parse(&source, line)).collect()),
        Err(error) => Err(failure(&error)),
    }
}

pub(super) fn failure(error: &kube::Error) -> Failure {
    match error {
        kube::Error::Api(status) if status.code == 404 || status.code == 400 => Failure::Nothing,
        error => Failure::Unreachable(error.to_string()),
    }
}

/// Reads `2026-08-01T12:00:00.123456789Z text`. What has no time (a message of the kubelet itself) is no line of the app.
pub(crate) fn parse(source: &str, line: &str) -> Option<LogLine> {
    let (time, text) = line.split_once(' ').unwrap_or((line, ""));
    let time = DateTime::parse_from_rfc3339(time).ok()?.with_timezone(&Utc);
    let text = text.trim_end_matches('\r').replace('\0', " ");
    Some(LogLine { time, source: source.to_owned(), text })
}

/// The next line, without its end, or a piece of one that is too long. `None` at the end.
pub(crate) async fn next_line(reader: &mut (impl AsyncBufRead + Unpin)) -> std::io::Result<Option<String>> {
    let mut line = Vec::new();
    loop {
        let block = reader.fill_buf().await?;
        if block.is_empty() {
            break;
        }
        let end = block.iter().position(|byte| *byte == b'\n');
        let room = LINE_MAX - line.len();
        let take = end.unwrap_or(block.len()).min(room);
        line.extend_from_slice(&block[..take]);
        let is_whole = end.is_some_and(|end| end == take);
        reader.consume_unpin(take + usize::from(is_whole));
        if is_whole || line.len() >= LINE_MAX {
            return Ok(Some(String::from_utf8_lossy(&line).into_owned()));
        }
    }
    Ok((!line.is_empty()).then(|| String::from_utf8_lossy(&line).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_with_their_time() {
        let line = parse("web.x7k2q", "2026-08-01T12:00:00.123456789Z a  b\r").unwrap();
        assert_eq!((line.source.as_str(), line.text.as_str()), ("web.x7k2q", "a  b"));
        assert_eq!(line.time.to_rfc3339(), "2026-08-01T12:00:00.123456789+00:00");
        assert_eq!(parse("a", "2026-08-01T12:00:00Z").unwrap().text, "");
        assert_eq!(parse("a", "failed to watch file: no such file"), None);
    }

    #[tokio::test]
    async fn endless_lines_come_in_pieces() {
        let text = format!("one\n\n{}\nend", "x".repeat(LINE_MAX + 5));
        let mut reader = futures::io::Cursor::new(text.into_bytes());
        let mut lengths = Vec::new();
        while let Some(line) = next_line(&mut reader).await.unwrap() {
            lengths.push(line.len());
        }
        assert_eq!(lengths, [3, 0, LINE_MAX, 5, 3]);
    }
}
