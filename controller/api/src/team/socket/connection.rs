//! One open socket: its subscriptions, what is being answered, and its end.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use http::HeaderMap;
use poem::web::websocket::{Message as Frame, WebSocketStream};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};
use slipway_core::authz::Actor;
use slipway_service::{Cx, Service};
use slipway_team::{Error, Member};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::super::{auth, error};
use super::topic::{Place, Topic};
use super::{is_same, registry};
use crate::State;
use crate::call::{Call, Failure};

/// Most paths that one client subscribes to.
const SUBSCRIPTIONS_MAX: usize = 32;
/// Most questions of one client that are being answered at once.
const QUESTIONS_MAX: usize = 8;
/// Messages to a client that wait for it; beyond it nobody goes on until it has read.
const WAITING_MAX: usize = 64;
/// Time in which a client must take a message.
const SEND_MAX: Duration = Duration::from_secs(20);
/// Pause between two signs of life, after which it is looked up again, too, who may follow what.
const PING_INTERVAL: Duration = Duration::from_secs(20);
/// Time without any sign of a client's life after which it is taken for gone.
const SILENCE_MAX: Duration = Duration::from_mins(1);

/// What a socket was opened with.
pub(super) enum Credentials {
    /// Cookie or `Authorization`.
    Headers(HeaderMap),
    /// A token in the query.
    Token(SecretString),
}

impl Credentials {
    pub(super) fn of(call: &Call) -> Self {
        if let Some(token) = call.query("token") {
            Self::Token(SecretString::from(token))
        } else {
            let kept = [http::header::COOKIE, http::header::AUTHORIZATION];
            let own = call.headers.iter().filter(|(name, _)| kept.contains(name));
            Self::Headers(own.map(|(name, value)| (name.clone(), value.clone())).collect())
        }
    }

    /// Whose they are, if they are good.
    pub(super) async fn actor(&self, service: &Service) -> slipway_core::Result<Actor> {
        match self {
            Self::Headers(headers) => auth::user(service, headers).await,
            Self::Token(token) => service.bearer_authenticate(token.expose_secret()).await,
        }
    }
}

/// A message on a path.
pub(super) struct Message {
    /// What is wanted.
    pub(super) word: String,
    /// With which members.
    pub(super) data: Map<String, Value>,
}

/// An open socket.
pub(super) struct Connection {
    state: Arc<State>,
    cx: Cx,
    credentials: Credentials,
    places: HashMap<String, Place>,
    questions: JoinSet<()>,
    sender: mpsc::Sender<Value>,
    waiting: mpsc::Receiver<Value>,
}

/// A message to the client.
fn message(word: &str, data: &Value) -> Value {
    json!({ "type": word, "data": data })
}

/// A refusal, as bodies of requests have it, with its status.
async fn refusal(failure: &Failure) -> Value {
    let mut response = error::render(failure);
    let status = response.status().as_u16();
    let mut data: Value = response.take_body().into_json().await.unwrap_or_else(|_| json!({}));
    data["status"] = status.into();
    message("error", &data)
}

impl Connection {
    pub(super) fn new(call: Call, credentials: Credentials) -> Self {
        let (sender, waiting) = mpsc::channel(WAITING_MAX);
        let Call { state, cx, .. } = call;
        Self { state, cx, credentials, places: HashMap::new(), questions: JoinSet::new(), sender, waiting }
    }

    /// Talks until either side ends. What is being answered then is dropped.
    pub(super) async fn run(mut self, mut stream: WebSocketStream) {
        let shutdown = self.state.shutdown.clone();
        let mut ping = tokio::time::interval(PING_INTERVAL);
        let mut heard = Instant::now();
        loop {
            let next = tokio::select! {
                () = shutdown.cancelled() => break,
                frame = stream.next() => match frame {
                    Some(Ok(frame)) => {
                        heard = Instant::now();
                        match self.hear(frame).await {
                            Ok(Some(answer)) => text(&answer),
                            Ok(None) => continue,
                            Err(()) => break,
                        }
                    }
                    Some(Err(_)) | None => break,
                },
                Some(answer) = self.waiting.recv() => text(&answer),
                Some(_) = self.questions.join_next() => continue,
                _ = ping.tick() => {
                    if heard.elapsed() > SILENCE_MAX || !self.is_known().await {
                        break;
                    }
                    for gone in self.forget().await {
                        let answer = message("unsubbed", &json!({ "path": gone }));
                        if !send(&mut stream, text(&answer)).await {
                            return;
                        }
                    }
                    Frame::ping(Vec::new())
                }
            };
            if !send(&mut stream, next).await {
                return;
            }
        }
        let _ = timeout(SEND_MAX, stream.close()).await;
    }

    /// Whether whoever opened the socket may still do so.
    async fn is_known(&self) -> bool {
        let actor = self.credentials.actor(&self.state.service).await;
        // A database that is away for a moment ends nothing.
        !matches!(actor, Err(slipway_core::Error::Unauthenticated(_)))
            && actor.map_or(true, |actor| is_same(&actor, &self.cx.actor))
    }

    /// Drops subscriptions of teams that the caller is not in any more; tells which.
    async fn forget(&mut self) -> Vec<String> {
        let mut gone = Vec::new();
        for (path, place) in &self.places {
            if matches!(place.member(&self.state, &self.cx).await, Err(Error::Refused(_))) {
                gone.push(path.clone());
            }
        }
        for path in &gone {
            self.places.remove(path);
        }
        gone
    }

    /// What a client's message is answered with at once; an error ends the socket.
    async fn hear(&mut self, frame: Frame) -> Result<Option<Value>, ()> {
        let given = match frame {
            Frame::Text(text) => text,
            Frame::Binary(_) => {
                let failure = Error::invalid("type", "Messages are texts.").into();
                return Ok(Some(refusal(&failure).await));
            }
            Frame::Close(_) => return Err(()),
            Frame::Ping(_) | Frame::Pong(_) => return Ok(None),
        };
        if !self.is_known().await {
            return Err(());
        }
        self.cx.now = self.state.service.now();
        match self.answer(&given).await {
            Ok(answer) => Ok(answer),
            Err(failure) => Ok(Some(refusal(&failure).await)),
        }
    }

    async fn answer(&mut self, given: &str) -> Result<Option<Value>, Failure> {
        let given: Value = serde_json::from_str(given).map_err(|error| Failure::NotJson(error.to_string()))?;
        let kind = given.get("type").and_then(Value::as_str);
        let kind = kind.ok_or_else(|| Error::invalid("type", "type is missing, or no text"))?.to_owned();
        let data = match given.get("data") {
            None | Some(Value::Null) => Map::new(),
            Some(Value::Object(data)) => data.clone(),
            Some(_) => return Err(Error::invalid("data", "data must be an object").into()),
        };
        match kind.as_str() {
            "subscribe" => {
                let path = path(&data)?;
                self.subscribe(path).await?;
                Ok(Some(message("subbed", &json!({ "path": path }))))
            }
            "unsubscribe" => {
                let path = path(&data)?;
                self.places.remove(path);
                Ok(Some(message("unsubbed", &json!({ "path": path }))))
            }
            _ => self.ask(&kind, data).await.map(|()| None),
        }
    }

    async fn subscribe(&mut self, path: &str) -> Result<(), Failure> {
        let unknown = || Error::not_found("path");
        let place = Place::parse(path).ok_or_else(unknown)?;
        place.member(&self.state, &self.cx).await?;
        if !self.places.contains_key(path) && self.places.len() >= SUBSCRIPTIONS_MAX {
            return Err(Error::invalid("path", format!("At most {SUBSCRIPTIONS_MAX} subscriptions are kept.")).into());
        }
        self.places.insert(path.to_owned(), place);
        Ok(())
    }

    /// Lets a question on a path be answered beside everything else.
    async fn ask(&mut self, kind: &str, data: Map<String, Value>) -> Result<(), Failure> {
        let unknown = || Error::invalid("type", "There is no subscription to the path of this type.");
        let (path, word) = kind.rsplit_once('/').ok_or_else(unknown)?;
        let place = self.places.get(path).cloned().ok_or_else(unknown)?;
        let member = match place.member(&self.state, &self.cx).await {
            Ok(member) => member,
            Err(error) => {
                self.places.remove(path);
                return Err(error.into());
            }
        };
        if self.questions.len() >= QUESTIONS_MAX {
            return Err(Error::invalid("type", "Too much is asked at once.").into());
        }
        let (path, asked) = (path.to_owned(), Message { word: word.to_owned(), data });
        let (state, cx, sender) = (Arc::clone(&self.state), self.cx.clone(), self.sender.clone());
        self.questions.spawn(async move {
            let answer = match answered(&state, &cx, &member, &place, asked).await {
                Ok((word, data)) => message(&format!("{path}/{word}"), &data),
                Err(failure) => refusal(&failure).await,
            };
            // The client may be gone.
            let _ = sender.send(answer).await;
        });
        Ok(())
    }
}

async fn answered(
    state: &State,
    cx: &Cx,
    member: &Member,
    place: &Place,
    asked: Message,
) -> Result<(&'static str, Value), Failure> {
    match place.topic {
        Topic::Registries => registry::answer(state, cx, member, asked).await,
    }
}

fn path(data: &Map<String, Value>) -> Result<&str, Failure> {
    let path = data.get("path").and_then(Value::as_str);
    path.ok_or_else(|| Error::invalid("path", "path is missing, or no text").into())
}

fn text(message: &Value) -> Frame {
    Frame::text(message.to_string())
}

/// Whether the client took it.
async fn send(stream: &mut WebSocketStream, frame: Frame) -> bool {
    matches!(timeout(SEND_MAX, stream.send(frame)).await, Ok(Ok(())))
}
