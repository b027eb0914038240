//! Log files of apps: written line by line, rotated by size, read from the end.
//!
//! Each app has `LOGS/APP/app.log` and the one before it, `app.log.1`. A line is `TIME SOURCE TEXT`.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, SecondsFormat, Utc};
use slipway_core::AppId;
use slipway_core::log::{LogLine, LogQuery};
use slipway_engine::LogSink;
use slipway_image::remove_tree;
use tokio::sync::{broadcast, mpsc};

use crate::workdir::make_dir;

/// Longest text of a line, in bytes; longer ones are cut into several.
pub(crate) const LINE_BYTES_MAX: usize = 16 * 1024;
/// Lines that a slow follower may be behind before it loses some.
const FOLLOW_LINES: usize = 1024;
/// Lines of the platform that wait to be written.
const SINK_LINES: usize = 4096;
/// How much is read at once from the end of a file.
const BLOCK: u64 = 64 * 1024;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The logs of all apps.
#[derive(Debug)]
pub(crate) struct Journals {
    dir: PathBuf,
    bytes_max: u64,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    logs: HashMap<AppId, Arc<Journal>>,
    /// Apps that were removed: a late line must not bring their files back.
    removed: HashSet<AppId>,
}

/// The log of one app.
#[derive(Debug)]
pub(crate) struct Journal {
    dir: PathBuf,
    bytes_max: u64,
    writer: Mutex<Writer>,
    lines: broadcast::Sender<LogLine>,
}

#[derive(Debug, Default)]
struct Writer {
    file: Option<File>,
    bytes: u64,
    is_closed: bool,
}

impl Journals {
    pub(crate) fn new(dir: PathBuf, bytes_max: u64) -> Self {
        Self { dir, bytes_max, open: Mutex::default() }
    }

    /// The log of `app`; `None` once it was removed.
    pub(crate) fn of(&self, app: AppId) -> Option<Arc<Journal>> {
        let mut open = lock(&self.open);
        if open.removed.contains(&app) {
            return None;
        }
        let journal = open.logs.entry(app).or_insert_with(|| {
            Arc::new(Journal {
                dir: self.dir.join(app.to_string()),
                bytes_max: self.bytes_max,
                writer: Mutex::default(),
                lines: broadcast::channel(FOLLOW_LINES).0,
            })
        });
        Some(Arc::clone(journal))
    }

    /// Removes the log of `app` for good. Blocks.
    pub(crate) fn remove(&self, app: AppId) -> io::Result<()> {
        let journal = {
            let mut open = lock(&self.open);
            open.removed.insert(app);
            open.logs.remove(&app)
        };
        if let Some(journal) = journal {
            let mut writer = lock(&journal.writer);
            writer.file = None;
            writer.is_closed = true;
        }
        remove_tree(&self.dir.join(app.to_string()))
    }

    /// Lets an app that was removed be written to again: it was applied anew.
    pub(crate) fn revive(&self, app: AppId) {
        lock(&self.open).removed.remove(&app);
    }

    /// A sink whose lines are written by a task of their own.
    pub(crate) fn sink(self: &Arc<Self>) -> Arc<Sink> {
        let (sender, mut receiver) = mpsc::channel::<(AppId, LogLine)>(SINK_LINES);
        let sink = Arc::new(Sink { sender, dropped: AtomicU64::new(0) });
        let weak = Arc::downgrade(&sink);
        let journals = Arc::clone(self);
        tokio::spawn(async move {
            while let Some((app, line)) = receiver.recv().await {
                let Some(journal) = journals.of(app) else { continue };
                let dropped = weak.upgrade().map_or(0, |sink| sink.dropped.swap(0, Ordering::Relaxed));
                if dropped > 0 {
                    let text = format!("{dropped} lines of the platform were dropped under load");
                    journal.write(LogLine { time: Utc::now(), source: "slipway[log]".to_owned(), text });
                }
                journal.write(line);
            }
        });
        sink
    }
}

/// Takes lines of the platform; drops and counts them when too many come at once.
#[derive(Debug)]
pub(crate) struct Sink {
    sender: mpsc::Sender<(AppId, LogLine)>,
    dropped: AtomicU64,
}

impl LogSink for Sink {
    fn append(&self, app: AppId, line: LogLine) {
        if self.sender.try_send((app, line)).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Journal {
    /// Appends a line. A disk that fails costs the line, never the caller.
    pub(crate) fn write(&self, mut line: LogLine) {
        line.source = line.source.split_whitespace().collect::<Vec<_>>().join("_");
        line.text = line.text.replace(['\n', '\0'], " ");
        let text = format!("{} {} {}\n", stamp(line.time), line.source, line.text);
        {
            let mut writer = lock(&self.writer);
            if writer.is_closed {
                return;
            }
            if let Err(error) = self.append(&mut writer, text.as_bytes()) {
                writer.file = None;
                tracing::warn!(path = %self.dir.display(), %error, "a line of an app's log is lost");
            }
            // Under the lock, so that a follower sees each line once: in the file or from here.
            if self.lines.receiver_count() > 0 {
                let _ = self.lines.send(line);
            }
        }
    }

    fn append(&self, writer: &mut Writer, text: &[u8]) -> io::Result<()> {
        if writer.file.is_none() {
            make_dir(&self.dir)?;
            let (file, bytes) = open_for_append(&self.current())?;
            (writer.file, writer.bytes) = (Some(file), bytes);
        }
        if writer.bytes > 0 && writer.bytes + text.len() as u64 > self.bytes_max {
            fs::rename(self.current(), self.previous())?;
            let (file, bytes) = open_for_append(&self.current())?;
            (writer.file, writer.bytes) = (Some(file), bytes);
        }
        if let Some(file) = &mut writer.file {
            file.write_all(text)?;
            writer.bytes += text.len() as u64;
        }
        Ok(())
    }

    fn current(&self) -> PathBuf {
        self.dir.join("app.log")
    }

    fn previous(&self) -> PathBuf {
        self.dir.join("app.log.1")
    }

    /// The newest lines that `query` asks for, oldest first, and a receiver of all that come after them. Blocks.
    pub(crate) fn read(&self, query: &LogQuery) -> io::Result<(Vec<LogLine>, broadcast::Receiver<LogLine>)> {
        let (files, receiver) = {
            let _writer = lock(&self.writer);
            let files = [open_to_end(&self.current())?, open_to_end(&self.previous())?];
            (files, self.lines.subscribe())
        };
        let mut newest_first = Vec::new();
        for (mut file, end) in files.into_iter().flatten() {
            if !read_backwards(&mut file, end, |line| {
                if let Some(line) = parse(line).filter(|line| wants(query, line)) {
                    newest_first.push(line);
                }
                newest_first.len() < query.lines
            })? {
                break;
            }
        }
        newest_first.truncate(query.lines);
        newest_first.reverse();
        Ok((newest_first, receiver))
    }
}

/// Whether `query` asks for `line`, its number of lines aside.
pub(crate) fn wants(query: &LogQuery, line: &LogLine) -> bool {
    query.process_type.as_ref().is_none_or(|wanted| line.source.split('.').next() == Some(wanted.as_str()))
}

fn stamp(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Micros, true)
}

fn parse(line: &[u8]) -> Option<LogLine> {
    let line = String::from_utf8_lossy(line);
    let (time, rest) = line.split_once(' ')?;
    let (source, text) = rest.split_once(' ')?;
    let time = DateTime::parse_from_rfc3339(time).ok()?.with_timezone(&Utc);
    Some(LogLine { time, source: source.to_owned(), text: text.to_owned() })
}

fn open_for_append(path: &Path) -> io::Result<(File, u64)> {
    let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
    let mut bytes = file.metadata()?.len();
    if bytes > 0 {
        let mut last = [0];
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
        if last != *b"\n" {
            // The machine stopped in the middle of a line.
            file.write_all(b"\n")?;
            bytes += 1;
        }
    }
    Ok((file, bytes))
}

fn open_to_end(path: &Path) -> io::Result<Option<(File, u64)>> {
    match File::open(path) {
        Ok(file) => {
            let end = file.metadata()?.len();
            Ok(Some((file, end)))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Calls `each` with the lines of the first `end` bytes of `file`, last one first, until it returns `false`.
/// Returns whether it never did.
fn read_backwards(file: &mut File, end: u64, mut each: impl FnMut(&[u8]) -> bool) -> io::Result<bool> {
    // The beginning of a line whose end is in the block after.
    let mut rest: Vec<u8> = Vec::new();
    let mut start = end;
    while start > 0 {
        let size = start.min(BLOCK);
        start -= size;
        let mut block = vec![0; usize::try_from(size).unwrap_or(0)];
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(&mut block)?;
        block.extend_from_slice(&rest);
        let mut lines: Vec<&[u8]> = block.split(|byte| *byte == b'\n').collect();
        let first = if start > 0 { lines.remove(0) } else { &[] };
        for line in lines.into_iter().rev().filter(|line| !line.is_empty()) {
            if !each(line) {
                return Ok(false);
            }
        }
        rest = first.to_vec();
    }
    Ok(true)
}

#[cfg(test)]
mod tests;
