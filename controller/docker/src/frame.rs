//! Output of containers as engines send it: in frames, or bare when the container has a terminal.
//!
//! Source: Docker Engine API, "Attach to a container", "Stream format".

use chrono::{DateTime, Utc};
use slipway_core::log::LogLine;

/// Longest line that is passed on, in bytes; what follows is left out.
const LINE_MAX: usize = 16 * 1024;
/// A frame's header: the stream, three zeros, the length.
const HEADER: usize = 8;

/// Takes the bytes apart as they come. What is held is bounded, whatever a frame says of its length.
#[derive(Debug)]
pub(crate) struct Frames {
    source: String,
    header: Vec<u8>,
    /// Bytes of the frame that are still to come.
    left: usize,
    /// Which of the streams the frame is of.
    stream: usize,
    /// Whether there are no frames.
    is_bare: bool,
    lines: [Held; 3],
}

#[derive(Debug, Default)]
struct Held {
    bytes: Vec<u8>,
    is_begun: bool,
}

impl Frames {
    /// Output that is told to be of `source`.
    pub(crate) fn new(source: &str) -> Self {
        Self {
            source: source.to_owned(),
            header: Vec::with_capacity(HEADER),
            left: 0,
            stream: 0,
            is_bare: false,
            lines: Default::default(),
        }
    }

    /// Takes the next bytes; the lines that end in them.
    pub(crate) fn feed(&mut self, mut bytes: &[u8]) -> Vec<LogLine> {
        let mut lines = Vec::new();
        while !bytes.is_empty() {
            if self.is_bare {
                self.text(bytes, &mut lines);
                break;
            }
            if self.left == 0 {
                let taken = bytes.len().min(HEADER - self.header.len());
                self.header.extend_from_slice(&bytes[..taken]);
                bytes = &bytes[taken..];
                self.header_read(&mut lines);
                continue;
            }
            let taken = bytes.len().min(self.left);
            self.text(&bytes[..taken], &mut lines);
            self.left -= taken;
            bytes = &bytes[taken..];
        }
        lines
    }

    /// The line that was not ended.
    pub(crate) fn finish(mut self) -> Vec<LogLine> {
        let mut lines = Vec::new();
        if !self.header.is_empty() {
            // Less than a header: the last bytes of a terminal.
            self.is_bare = true;
            let header = std::mem::take(&mut self.header);
            self.text(&header, &mut lines);
        }
        for stream in 0..self.lines.len() {
            self.end(stream, &mut lines);
        }
        lines
    }

    fn header_read(&mut self, lines: &mut Vec<LogLine>) {
        let right = |at: usize, byte: u8| if at == 0 { byte <= 2 } else { byte == 0 };
        let is_header = self.header.iter().take(4).enumerate().all(|(at, byte)| right(at, *byte));
        if !is_header {
            self.is_bare = true;
            self.stream = 0;
            let text = std::mem::take(&mut self.header);
            self.text(&text, lines);
            return;
        }
        if let [stream, _, _, _, a, b, c, d] = self.header[..] {
            self.stream = usize::from(stream);
            self.left = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
            self.header.clear();
        }
    }

    fn text(&mut self, bytes: &[u8], lines: &mut Vec<LogLine>) {
        let stream = self.stream;
        let mut parts = bytes.split(|byte| *byte == b'\n').peekable();
        while let Some(part) = parts.next() {
            let held = &mut self.lines[stream];
            let room = LINE_MAX.saturating_sub(held.bytes.len()).min(part.len());
            held.bytes.extend_from_slice(&part[..room]);
            held.is_begun |= !part.is_empty();
            if parts.peek().is_some() {
                self.lines[stream].is_begun = true;
                self.end(stream, lines);
            }
        }
    }

    fn end(&mut self, stream: usize, lines: &mut Vec<LogLine>) {
        let held = std::mem::take(&mut self.lines[stream]);
        if held.is_begun {
            lines.push(line_read(&self.source, &String::from_utf8_lossy(&held.bytes)));
        }
    }
}

/// A line as engines tell it: a time, a blank, the text.
fn line_read(source: &str, line: &str) -> LogLine {
    let (stamp, text) = line.split_once(' ').unwrap_or((line, ""));
    let (time, text) = match stamp.parse::<DateTime<Utc>>() {
        Ok(time) => (time, text),
        Err(_) => (Utc::now(), line),
    };
    LogLine { time, source: source.to_owned(), text: text.trim_end_matches('\r').to_owned() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(stream: u8, text: &str) -> Vec<u8> {
        let length = u32::try_from(text.len()).unwrap().to_be_bytes();
        [&[stream, 0, 0, 0][..], &length, text.as_bytes()].concat()
    }

    fn texts(bytes: &[u8], pieces: usize) -> Vec<String> {
        let mut frames = Frames::new("web");
        let mut lines = Vec::new();
        for piece in bytes.chunks(pieces.max(1)) {
            lines.extend(frames.feed(piece));
        }
        lines.extend(frames.finish());
        lines.into_iter().map(|line| line.text).collect()
    }

    #[test]
    fn frames_become_lines_of_each_stream() {
        let all = [
            frame(1, "2026-01-02T03:04:05.678901234Z hello "),
            frame(2, "2026-01-02T03:04:05Z oops\n"),
            frame(1, "world\nlast"),
        ]
        .concat();
        for pieces in [1, 3, 1000] {
            assert_eq!(texts(&all, pieces), ["oops", "hello world", "last"]);
        }
    }

    #[test]
    fn a_terminal_has_no_frames() {
        let text = b"2026-01-02T03:04:05Z one\r\n2026-01-02T03:04:06Z two\r\nx";
        for pieces in [1, 7, 1000] {
            assert_eq!(texts(text, pieces), ["one", "two", "x"]);
        }
        assert_eq!(texts(b"ab", 1), ["ab"]);
        assert_eq!(texts(&frame(1, "\n\n"), 9), ["", ""]);
    }

    #[test]
    fn what_a_frame_says_of_its_length_is_not_held() {
        let mut frames = Frames::new("web");
        assert!(frames.feed(&[1, 0, 0, 0, 255, 255, 255, 255]).is_empty());
        for _ in 0..100 {
            assert!(frames.feed(&[b'x'; 1024]).is_empty());
        }
        let lines = frames.feed(b"\n");
        assert_eq!(lines[0].text.len(), LINE_MAX);
    }

    proptest! {
        /// Whatever comes, in whatever pieces, the same lines come out.
        #[test]
        fn pieces_do_not_matter(bytes in prop::collection::vec(any::<u8>(), 0..200), pieces in 1usize..20) {
            prop_assert_eq!(texts(&bytes, pieces), texts(&bytes, 1000));
        }
    }
}
