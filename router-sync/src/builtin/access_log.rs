//! Access lines as JSON, one object a line.

use std::collections::HashMap;
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{PoisonError, RwLock};

use chrono::SecondsFormat;
use serde_json::{Map, Value, json};
use slipway_core::log::LogLine;
use slipway_core::{AppId, AppName};
use slipway_engine::LogSink;

/// Lines that may wait for a slow reader.
const WAITING_MAX: usize = 10_000;

/// Writes access lines. Requests never wait for it: when its reader is too slow, lines are dropped and their number
/// is told.
#[derive(Debug)]
pub struct AccessLog {
    names: RwLock<HashMap<AppId, AppName>>,
    lines: SyncSender<String>,
    dropped: AtomicU64,
}

impl AccessLog {
    /// Writes to `output`, in a thread of its own which ends with this.
    ///
    /// # Errors
    /// When the system has no thread left.
    pub fn new(output: impl Write + Send + 'static) -> std::io::Result<Self> {
        let (lines, waiting) = sync_channel(WAITING_MAX);
        std::thread::Builder::new().name("access-log".to_owned()).spawn(move || write(&waiting, output))?;
        Ok(Self { names: RwLock::default(), lines, dropped: AtomicU64::new(0) })
    }

    /// Takes over the names of apps.
    pub(super) fn names(&self, names: HashMap<AppId, AppName>) {
        *self.names.write().unwrap_or_else(PoisonError::into_inner) = names;
    }

    fn line(&self, app: AppId, line: &LogLine, dropped: u64) -> String {
        let mut object = Map::new();
        object.insert("time".to_owned(), json!(line.time.to_rfc3339_opts(SecondsFormat::Micros, true)));
        if let Some(name) = self.names.read().unwrap_or_else(PoisonError::into_inner).get(&app) {
            object.insert("app".to_owned(), json!(name.as_str()));
        }
        object.insert("source".to_owned(), json!(line.source));
        fields(&line.text, &mut object);
        if dropped > 0 {
            object.insert("lines_dropped".to_owned(), json!(dropped));
        }
        let mut text = Value::Object(object).to_string();
        text.push('\n');
        text
    }
}

impl LogSink for AccessLog {
    fn append(&self, app: AppId, line: LogLine) {
        let dropped = self.dropped.swap(0, Ordering::Relaxed);
        if let Err(TrySendError::Full(_)) = self.lines.try_send(self.line(app, &line, dropped)) {
            self.dropped.fetch_add(dropped + 1, Ordering::Relaxed);
        }
    }
}

fn write(waiting: &Receiver<String>, mut output: impl Write) {
    while let Ok(line) = waiting.recv() {
        // Nobody is left to tell; requests go on.
        let _ = output.write_all(line.as_bytes());
        for line in waiting.try_iter() {
            let _ = output.write_all(line.as_bytes());
        }
        let _ = output.flush();
    }
}

/// The fields of a line of the router, `name=value` or `name="value"` with backslashes before quotes and backslashes.
/// Numbers become numbers, `connect=1ms` becomes `connect_ms`; a line of another form goes whole into `message`.
fn fields(text: &str, object: &mut Map<String, Value>) {
    let mut found = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let Some((name, value)) = rest.split_once('=') else {
            object.insert("message".to_owned(), json!(text));
            return;
        };
        let (value, after) = value_read(value);
        found.push((name, value));
        rest = after.strip_prefix(' ').unwrap_or(after);
    }
    for (name, value) in found {
        let is_duration = matches!(name, "connect" | "service");
        let is_number = is_duration || matches!(name, "status" | "bytes");
        let digits = if is_duration { value.strip_suffix("ms").unwrap_or(&value) } else { &value };
        match digits.parse::<u64>() {
            Ok(number) if is_duration => object.insert(format!("{name}_ms"), json!(number)),
            Ok(number) if is_number => object.insert(name.to_owned(), json!(number)),
            _ => object.insert(name.to_owned(), json!(value)),
        };
    }
}

fn value_read(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let (value, rest) = text.split_once(' ').unwrap_or((text, ""));
        return (value.to_owned(), rest);
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((index, character)) = characters.next() {
        match character {
            '"' => return (value, &quoted[index + 1..]),
            '\\' => match characters.next() {
                Some((_, next @ ('"' | '\\'))) => value.push(next),
                // An escape for a character that is none of ASCII's: it stays as it is written.
                Some((_, other)) => value.extend(['\\', other]),
                None => value.push('\\'),
            },
            _ => value.push(character),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Value {
        let mut object = Map::new();
        fields(text, &mut object);
        Value::Object(object)
    }

    #[test]
    fn lines_become_fields() {
        assert_eq!(
            read(
                "method=GET path=\"/a\\\"b\\\\c\\u{20}d\" host=x fwd=\"1.2.3.4\" process=- connect=1ms service=12ms status=404 bytes=5 error=no-app"
            ),
            json!({
                "method": "GET", "path": "/a\"b\\c\\u{20}d", "host": "x", "fwd": "1.2.3.4", "process": "-",
                "connect_ms": 1, "service_ms": 12, "status": 404, "bytes": 5, "error": "no-app",
            })
        );
        assert_eq!(read("something else"), json!({"message": "something else"}));
        assert_eq!(read("path=\"/open"), json!({"path": "/open"}));
    }

    #[test]
    fn a_slow_reader_costs_lines_and_no_time() {
        struct Stuck(std::sync::mpsc::Receiver<()>);
        impl Write for Stuck {
            fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
                // Until the other end is dropped.
                let _ = self.0.recv();
                Ok(bytes.len())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let (hold, held) = sync_channel(0);
        let log = AccessLog::new(Stuck(held)).unwrap();
        let line = LogLine { time: chrono::Utc::now(), source: "slipway[router]".to_owned(), text: "a=b".to_owned() };
        let app = AppId::generate();
        for _ in 0..WAITING_MAX + 10 {
            log.append(app, line.clone());
        }
        let dropped = log.dropped.load(Ordering::Relaxed);
        // The thread may have taken one.
        assert!((9..=10).contains(&dropped), "{dropped}");
        assert!(log.line(app, &line, dropped).contains(&format!("\"lines_dropped\":{dropped}")));
        drop(hold);
    }
}
