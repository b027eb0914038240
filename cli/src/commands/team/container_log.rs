//! `nodes:logs` and `deployments:logs`: what containers write. Source of the call and of the messages: team-api.md §6.
//!
//! What is there is read by calls; what comes is told by a WebSocket, from the last line on.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};
use slipway_client::{ClientError, Piece, Socket, StatusCode, segment};

use super::{Team, text};
use crate::args::team::node::LogLines;
use crate::commands::log::{Patience, Seen};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::print;

/// Most lines that are asked for when none are to be missed. Source: what the controller allows.
const LINES_MAX: u32 = 1000;

/// Containers on a node.
#[derive(Debug)]
pub struct Place {
    /// The node's identity.
    pub node: String,
    /// What precedes the containers' names, if it is known.
    pub prefix: Option<String>,
    /// Their names.
    pub names: Vec<String>,
    /// What lines show before the container's name.
    pub title: String,
}

/// A container whose log is shown.
struct Log {
    name: String,
    seen: Seen,
    is_over: bool,
}

impl Place {
    /// Shows what the containers wrote last, and with `--follow` what they write.
    pub async fn show(&self, cx: &Context, team: &Team, wanted: &LogLines) -> Result {
        let logs = self.read(cx, team, wanted).await?;
        if !wanted.follow {
            return Ok(());
        }
        let mut following = Following {
            place: self,
            path: format!("/{}/nodes/{}", team.slug, self.node),
            logs,
            since: wanted.since,
            patience: Patience::default(),
        };
        let mut is_first = true;
        loop {
            let lost = match cx.socket("/api").await {
                Ok(mut socket) => match following.run(cx, &mut socket).await? {
                    Ended::Over => return Ok(()),
                    Ended::Lost(lost) => lost,
                },
                // What never worked is told at once.
                Err(error) if is_first || is_final(&error) => return Err(error),
                Err(error) => error,
            };
            is_first = false;
            following.patience.wait(&lost).await;
        }
    }

    /// Shows what is there, in the order in which it was written; tells which containers there are.
    async fn read(&self, cx: &Context, team: &Team, wanted: &LogLines) -> Result<Vec<Log>> {
        let prefix = self.prefix.as_deref().map(|prefix| format!("/{}", segment(prefix))).unwrap_or_default();
        let mut query = vec!["timestamps=true".to_owned()];
        query.extend(wanted.lines.map(|lines| format!("take={lines}")));
        query.extend(wanted.since.map(|since| format!("since={}", segment(&moment(since)))));
        let query = query.join("&");
        let (mut logs, mut lines, mut missing) = (Vec::new(), Vec::new(), None);
        for name in &self.names {
            let rest = format!("nodes/{}{prefix}/containers/{}/log?{query}", segment(&self.node), segment(name));
            let found: Vec<String> = match team.api.get(&team.path(&rest)).await {
                Ok(answer) => answer.json()?,
                Err(error) if error.status() == Some(StatusCode::NOT_FOUND) && self.names.len() > 1 => {
                    print::note(format_args!("!    There is no container {name}."));
                    missing = Some(error);
                    continue;
                }
                Err(error) => return Err(error),
            };
            let mut seen = Seen::default();
            lines.extend(found.into_iter().filter(|line| seen.is_new(line)).map(|line| (name.clone(), line)));
            logs.push(Log { name: name.clone(), seen, is_over: false });
        }
        if let Some(missing) = missing.filter(|_| logs.is_empty()) {
            return Err(missing);
        }
        lines.sort_by(|(_, one), (_, other)| time(one).cmp(time(other)));
        lines.iter().try_for_each(|(name, line)| self.print(cx, name, line))?;
        if lines.is_empty() && !wanted.follow {
            print::note("There are currently no log messages.");
        }
        Ok(logs)
    }

    fn print(&self, cx: &Context, name: &str, line: &str) -> Result {
        let (time, rest) = line.split_once(' ').unwrap_or((line, ""));
        if cx.is_json {
            return print::line(json!({"container": name, "time": time, "log": rest}));
        }
        print::log::log_line(&format!("{time} {}[{name}]: {rest}", self.title))
    }
}

/// How following ended.
enum Ended {
    /// All containers did.
    Over,
    /// The connection was lost, or the controller is in trouble.
    Lost(Error),
}

/// What the controller refuses, it refuses again.
fn is_final(error: &Error) -> bool {
    error.status().is_some_and(|status| !status.is_server_error())
}

/// What follows containers.
struct Following<'a> {
    place: &'a Place,
    /// The node's path on the WebSocket.
    path: String,
    logs: Vec<Log>,
    since: Option<DateTime<Utc>>,
    patience: Patience,
}

impl Following<'_> {
    /// Shows what containers write until all have ended.
    async fn run(&mut self, cx: &Context, socket: &mut Socket) -> Result<Ended> {
        if let Err(lost) = self.watch(socket).await {
            return Ok(Ended::Lost(lost.into()));
        }
        while self.logs.iter().any(|log| !log.is_over) {
            let told = match socket.next().await {
                Ok(Some(Piece::Text(told))) => told,
                Ok(Some(Piece::Binary(_))) => continue,
                Ok(None) => return Ok(Ended::Lost(Error::new("the connection ended"))),
                Err(lost) => return Ok(Ended::Lost(lost.into())),
            };
            let Ok(told) = serde_json::from_str::<Value>(&told) else { continue };
            match told["type"].as_str().unwrap_or_default() {
                "error" => {
                    let refusal = refusal(&told["data"]);
                    return if is_final(&refusal) { Err(refusal) } else { Ok(Ended::Lost(refusal)) };
                }
                "unsubbed" => return Err(Error::new("the node is gone, or may not be looked at any more")),
                word => {
                    if let Some(word) = word.strip_prefix(self.path.as_str()) {
                        self.hear(cx, word, &told["data"])?;
                    }
                }
            }
        }
        Ok(Ended::Over)
    }

    /// Asks for all lines after those that were shown.
    async fn watch(&mut self, socket: &mut Socket) -> std::result::Result<(), ClientError> {
        say(socket, "subscribe", &json!({ "path": self.path })).await?;
        for log in self.logs.iter_mut().filter(|log| !log.is_over) {
            let since = log.seen.interrupted().or(self.since).map(moment);
            let container = json!({"prefix": self.place.prefix, "name": log.name});
            let data = json!({"container": container, "take": LINES_MAX, "since": since, "timestamps": true});
            say(socket, &format!("{}/watch-container-log", self.path), &data).await?;
        }
        Ok(())
    }

    fn hear(&mut self, cx: &Context, word: &str, data: &Value) -> Result {
        let Some(log) = of(&mut self.logs, &text(&data["container"], "name")) else { return Ok(()) };
        match word {
            "/container-log" => {
                self.patience = Patience::default();
                let line = text(data, "log");
                if log.seen.is_new(&line) {
                    self.place.print(cx, &log.name, &line)?;
                }
            }
            "/container-log-end" => {
                print::note(format_args!("!    {} has ended.", log.name));
                log.is_over = true;
            }
            _ => {}
        }
        Ok(())
    }
}

/// The container that a message is about. One that was named with its prefix is told by its name alone.
fn of<'a>(logs: &'a mut [Log], name: &str) -> Option<&'a mut Log> {
    if let [log] = logs {
        return Some(log);
    }
    logs.iter_mut().find(|log| log.name == name)
}

/// When a line was written; so written that later times are greater texts.
fn time(line: &str) -> &str {
    line.split(' ').next().unwrap_or_default()
}

fn moment(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Micros, true)
}

fn refusal(data: &Value) -> Error {
    let status = data["status"].as_u64().and_then(|status| StatusCode::from_u16(u16::try_from(status).ok()?).ok());
    Error::Failed { text: text(data, "message"), hint: String::new(), status }
}

async fn say(socket: &mut Socket, word: &str, data: &Value) -> std::result::Result<(), ClientError> {
    socket.send(Piece::Text(json!({"type": word, "data": data}).to_string())).await
}
