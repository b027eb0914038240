//! One open socket: its subscriptions, what is being answered, and its end.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use poem::web::websocket::{Message as Frame, WebSocketStream};
use serde_json::{Map, Value, json};
use slipway_service::Cx;
use slipway_team::{Error, Member};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::credentials::Credentials;
use super::follower::{Follower, Line, Outgoing, What, message, refusal};
use super::subscription::Subscription;
use super::topic::{Place, Topic, parse};
use super::{node, registry};
use crate::State;
use crate::call::{Call, Failure};

/// Most paths that one client subscribes to.
const SUBSCRIPTIONS_MAX: usize = 32;
/// Most questions of one client that are being answered at once.
const QUESTIONS_MAX: usize = 8;
/// Most things at nodes that one client watches at once.
const WATCHES_MAX: usize = 16;
/// Messages to a client that wait for it; beyond it nobody goes on until it has read.
const WAITING_MAX: usize = 16;
/// Time in which a client must take a message.
const SEND_MAX: Duration = Duration::from_secs(20);
/// Pause between two signs of life, after which it is looked up again, too, who may follow what.
const PING_INTERVAL: Duration = Duration::from_secs(20);
/// Time without any sign of a client's life after which it is taken for gone.
const SILENCE_MAX: Duration = Duration::from_mins(1);

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
    credentials: Arc<Credentials>,
    subscriptions: HashMap<String, Subscription>,
    /// The number of the last subscription.
    number: u64,
    questions: JoinSet<()>,
    sender: mpsc::Sender<Outgoing>,
    waiting: mpsc::Receiver<Outgoing>,
}

impl Connection {
    pub(super) fn new(call: Call, credentials: Credentials) -> Self {
        let (sender, waiting) = mpsc::channel(WAITING_MAX);
        let Call { state, cx, .. } = call;
        Self {
            state,
            cx,
            credentials: Arc::new(credentials),
            subscriptions: HashMap::new(),
            number: 0,
            questions: JoinSet::new(),
            sender,
            waiting,
        }
    }

    /// Talks until either side ends. What is being answered then is dropped, what is being done is not.
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
                Some(outgoing) = self.waiting.recv() => match self.take(outgoing) {
                    Ok(Some(told)) => text(&told),
                    Ok(None) => continue,
                    Err(()) => break,
                },
                Some(_) = self.questions.join_next() => continue,
                _ = ping.tick() => {
                    if heard.elapsed() > SILENCE_MAX || !self.is_known().await {
                        break;
                    }
                    for gone in self.forget().await {
                        if !send(&mut stream, text(&unsubbed(&gone))).await {
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
        self.credentials.are_of(&self.state.service, &self.cx.actor).await
    }

    /// Drops subscriptions of teams that the caller is not in any more; tells which.
    async fn forget(&mut self) -> Vec<String> {
        let mut gone = Vec::new();
        for (path, subscription) in &self.subscriptions {
            if matches!(subscription.place.whose.member(&self.state, &self.cx).await, Err(Error::Refused(_))) {
                gone.push(path.clone());
            }
        }
        for path in &gone {
            self.subscriptions.remove(path);
        }
        gone
    }

    /// What the client is told of something that came from those who follow and answer; an error ends the socket.
    fn take(&mut self, outgoing: Outgoing) -> Result<Option<Value>, ()> {
        let Outgoing { subscription: number, what } = outgoing;
        let own = self.subscriptions.iter().find(|(_, subscription)| subscription.number == number);
        // What comes after the end of a subscription is about nothing.
        let Some((path, _)) = own else { return Ok(None) };
        match what {
            What::Message(told) => Ok(Some(told)),
            What::Gone => {
                let path = path.clone();
                self.subscriptions.remove(&path);
                Ok(Some(unsubbed(&path)))
            }
            What::Stranger => Err(()),
        }
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
                self.subscriptions.remove(path);
                Ok(Some(unsubbed(path)))
            }
            _ => self.ask(&kind, data).await.map(|()| None),
        }
    }

    /// One who follows what is at a place, for the client.
    fn follower(&self, number: u64, (place, path, member): (Place, &str, Member)) -> Follower {
        let client = (Arc::clone(&self.state), self.cx.clone(), Arc::clone(&self.credentials));
        Follower::new(client, (place, path.to_owned(), member), Line::new(number, self.sender.clone()))
    }

    async fn subscribe(&mut self, path: &str) -> Result<(), Failure> {
        let (whose, topic) = parse(path).ok_or_else(|| Error::not_found("path"))?;
        let member = whose.member(&self.state, &self.cx).await?;
        let place = Place { whose, topic: topic? };
        if self.subscriptions.contains_key(path) {
            return Ok(());
        }
        if self.subscriptions.len() >= SUBSCRIPTIONS_MAX {
            return Err(Error::invalid("path", format!("At most {SUBSCRIPTIONS_MAX} subscriptions are kept.")).into());
        }
        let number = self.number + 1;
        let subscription = Subscription::begin(number, self.follower(number, (place, path, member))).await?;
        self.number = number;
        self.subscriptions.insert(path.to_owned(), subscription);
        Ok(())
    }

    /// Lets a message on a path be answered beside everything else.
    async fn ask(&mut self, kind: &str, data: Map<String, Value>) -> Result<(), Failure> {
        let unknown = || Error::invalid("type", "There is no subscription to the path of this type.");
        let busy = || Failure::from(Error::invalid("type", "Too much is asked at once."));
        let (path, word) = kind.rsplit_once('/').ok_or_else(unknown)?;
        let subscription = self.subscriptions.get(path).ok_or_else(unknown)?;
        let (number, place) = (subscription.number, subscription.place.clone());
        let member = match place.whose.member(&self.state, &self.cx).await {
            Ok(member) => member,
            Err(error) => {
                self.subscriptions.remove(path);
                return Err(error.into());
            }
        };
        let asked = Message { word: word.to_owned(), data };
        if matches!(place.topic, Topic::Node(_))
            && let Some(watch) = node::watch(&asked)?
        {
            if self.subscriptions.values().map(Subscription::watched).sum::<usize>() >= WATCHES_MAX {
                return Err(Error::invalid("type", format!("At most {WATCHES_MAX} things are watched at once.")).into());
            }
            let follower = self.follower(number, (place, path, member));
            if let Some(subscription) = self.subscriptions.get_mut(path) {
                subscription.watch(follower, watch);
            }
            return Ok(());
        }
        if let Some(orders) = self.subscriptions.get(path).and_then(|subscription| subscription.orders.as_ref()) {
            return match orders.try_send(asked) {
                Ok(()) => Ok(()),
                Err(TrySendError::Full(_)) => Err(busy()),
                // It is about to be told that what this was about is gone.
                Err(TrySendError::Closed(_)) => Err(unknown().into()),
            };
        }
        if self.questions.len() >= QUESTIONS_MAX {
            return Err(busy());
        }
        let follower = self.follower(number, (place, path, member));
        self.questions.spawn(async move {
            let answer = match registry::answer(&follower.state, &follower.cx, &follower.member, asked).await {
                Ok((word, data)) => message(&format!("{}/{word}", follower.path), &data),
                Err(failure) => refusal(&failure).await,
            };
            // The client may be gone.
            let _ = follower.line.send(What::Message(answer)).await;
        });
        Ok(())
    }
}

fn unsubbed(path: &str) -> Value {
    message("unsubbed", &json!({ "path": path }))
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
