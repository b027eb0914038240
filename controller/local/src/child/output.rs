//! What a process prints: into the log, line by line, and its last lines for whoever asks why it failed.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::Utc;
use slipway_core::log::LogLine;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::journal::{Journal, LINE_BYTES_MAX};

/// Lines kept for the message about a process that failed.
const LAST_LINES: usize = 20;

/// The last lines of a process.
pub(crate) type LastLines = Arc<Mutex<VecDeque<String>>>;

/// Copies the output of a process to the log, line by line, until it is closed.
pub(crate) fn pump(
    mut output: pipe::Receiver,
    source: String,
    journal: Arc<Journal>,
    bytes_per_sec: u64,
    mut also: impl FnMut(&[u8]) + Send + 'static,
) -> (JoinHandle<()>, LastLines) {
    let last = LastLines::default();
    let keep = Arc::clone(&last);
    let task = tokio::spawn(async move {
        let mut lines = Lines::default();
        let mut emit = |line: &[u8]| {
            let text = String::from_utf8_lossy(line).into_owned();
            let mut keep = keep.lock().unwrap_or_else(PoisonError::into_inner);
            if keep.len() == LAST_LINES {
                keep.pop_front();
            }
            keep.push_back(text.clone());
            drop(keep);
            journal.write(LogLine { time: Utc::now(), source: source.clone(), text });
        };
        let mut buffer = vec![0; 32 * 1024];
        let (mut window, mut in_window) = (Instant::now(), 0_u64);
        loop {
            let read = match output.read(&mut buffer).await {
                Ok(0) | Err(_) => break,
                Ok(read) => read,
            };
            also(&buffer[..read]);
            lines.push(&buffer[..read], &mut emit);
            in_window += read as u64;
            if in_window >= bytes_per_sec / 10 {
                // A process that floods its log waits in its own write, and holds up nobody else.
                tokio::time::sleep_until(window + Duration::from_millis(100)).await;
                (window, in_window) = (Instant::now(), 0);
            } else if window.elapsed() > Duration::from_millis(100) {
                (window, in_window) = (Instant::now(), 0);
            }
        }
        lines.finish(&mut emit);
    });
    (task, last)
}

/// Cuts bytes into lines of at most [`LINE_BYTES_MAX`].
#[derive(Default)]
struct Lines {
    partial: Vec<u8>,
}

impl Lines {
    fn push(&mut self, bytes: &[u8], emit: &mut impl FnMut(&[u8])) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let mut piece = piece;
            while self.partial.len() + piece.len() > LINE_BYTES_MAX + 1 {
                let (now, later) = piece.split_at(LINE_BYTES_MAX - self.partial.len());
                self.partial.extend_from_slice(now);
                emit(&self.partial);
                self.partial.clear();
                piece = later;
            }
            self.partial.extend_from_slice(piece);
            if self.partial.ends_with(b"\n") {
                self.finish(emit);
            }
        }
        // Without an end of line in sight, one byte more than a line may have gathered.
        if self.partial.len() > LINE_BYTES_MAX {
            let rest = self.partial.split_off(LINE_BYTES_MAX);
            emit(&self.partial);
            self.partial = rest;
        }
    }

    fn finish(&mut self, emit: &mut impl FnMut(&[u8])) {
        if self.partial.is_empty() {
            return;
        }
        let line = self.partial.strip_suffix(b"\n").unwrap_or(&self.partial);
        emit(line.strip_suffix(b"\r").unwrap_or(line));
        self.partial.clear();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cut(pieces: &[&[u8]]) -> Vec<Vec<u8>> {
        let (mut lines, mut got) = (Lines::default(), Vec::new());
        let mut emit = |line: &[u8]| got.push(line.to_vec());
        for piece in pieces {
            lines.push(piece, &mut emit);
        }
        lines.finish(&mut emit);
        got
    }

    #[test]
    fn output_is_cut_into_lines() {
        assert_eq!(cut(&[b"a\nb\r\n\nc"]), [b"a".to_vec(), b"b".to_vec(), b"".to_vec(), b"c".to_vec()]);
        assert_eq!(cut(&[b"a", b"b\n", b"c\n"]), [b"ab".to_vec(), b"c".to_vec()]);
        let long = vec![b'x'; LINE_BYTES_MAX];
        assert_eq!(cut(&[&long, b"\n"]), std::slice::from_ref(&long));
        assert_eq!(
            cut(&[&[long.clone(), long.clone(), b"y\n".to_vec()].concat()]),
            [long.clone(), long, b"y".to_vec()]
        );
    }

    proptest! {
        #[test]
        fn no_byte_is_lost_and_no_line_too_long(pieces in prop::collection::vec(prop::collection::vec(97..100_u8, 0..40_000), 0..6)) {
            let borrowed: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
            let lines = cut(&borrowed);
            prop_assert!(lines.iter().all(|line| line.len() <= LINE_BYTES_MAX));
            prop_assert_eq!(lines.concat(), pieces.concat());
        }
    }
}
