//! One who follows something on behalf of a client: what is told goes out through here, as long as it may.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use slipway_service::Cx;
use slipway_team::{Error, Member};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::super::error;
use super::credentials::Credentials;
use super::topic::{Place, Topic};
use crate::State;
use crate::call::Failure;

/// Longest time for which it is not looked up again, while something is told, whether the client may hear it.
const CHECK_INTERVAL: Duration = Duration::from_secs(5);

/// A message to the client.
pub(super) fn message(word: &str, data: &Value) -> Value {
    json!({ "type": word, "data": data })
}

/// A refusal, as bodies of requests have it, with its status.
pub(super) async fn refusal(failure: &Failure) -> Value {
    let mut response = error::render(failure);
    let status = response.status().as_u16();
    let mut data: Value = response.take_body().into_json().await.unwrap_or_else(|_| json!({}));
    data["status"] = status.into();
    message("error", &data)
}

/// Something for the connection, about one of its subscriptions. What comes after the end of that is dropped.
pub(super) struct Outgoing {
    /// The subscription's number.
    pub(super) subscription: u64,
    /// What it is.
    pub(super) what: What,
}

/// What there is for the connection.
pub(super) enum What {
    /// A message to the client.
    Message(Value),
    /// What was subscribed to is gone, or not the client's any more.
    Gone,
    /// The client is nobody any more.
    Stranger,
}

/// Why nothing more is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Over {
    /// There is nothing more to tell.
    Done,
    /// What was subscribed to is gone, or not the client's any more.
    Gone,
    /// The client is nobody any more.
    Stranger,
}

/// The way to the client, for one of its subscriptions.
#[derive(Clone)]
pub(super) struct Line {
    subscription: u64,
    sender: mpsc::Sender<Outgoing>,
}

impl Line {
    pub(super) const fn new(subscription: u64, sender: mpsc::Sender<Outgoing>) -> Self {
        Self { subscription, sender }
    }

    /// Waits until there is room for it.
    pub(super) async fn send(&self, what: What) -> Result<(), Over> {
        let outgoing = Outgoing { subscription: self.subscription, what };
        // The client may be gone.
        self.sender.send(outgoing).await.map_err(|_| Over::Done)
    }

    /// Tells of a refusal.
    pub(super) async fn refuse(&self, failure: &Failure) -> Result<(), Over> {
        self.send(What::Message(refusal(failure).await)).await
    }

    /// Lets the connection know how following ended.
    pub(super) async fn end(&self, over: Over) {
        let what = match over {
            Over::Done => return,
            Over::Gone => What::Gone,
            Over::Stranger => What::Stranger,
        };
        // The client may be gone.
        let _ = self.send(what).await;
    }
}

/// One who follows something.
#[derive(Clone)]
pub(super) struct Follower {
    pub(super) state: Arc<State>,
    pub(super) cx: Cx,
    pub(super) place: Place,
    /// The path that was subscribed to.
    pub(super) path: String,
    /// The client's place in the team, as it was found last.
    pub(super) member: Member,
    pub(super) line: Line,
    credentials: Arc<Credentials>,
    checked: Instant,
}

impl Follower {
    /// For a client whose rights were just looked up.
    pub(super) fn new(
        (state, cx, credentials): (Arc<State>, Cx, Arc<Credentials>),
        (place, path, member): (Place, String, Member),
        line: Line,
    ) -> Self {
        Self { state, cx, place, path, member, line, credentials, checked: Instant::now() }
    }

    /// Looks up again whether the client may follow this.
    pub(super) async fn check(&mut self) -> Result<(), Over> {
        let service = &self.state.service;
        self.checked = Instant::now();
        self.cx.now = service.now();
        if !self.credentials.are_of(service, &self.cx.actor).await {
            return Err(Over::Stranger);
        }
        match self.place.whose.member(&self.state, &self.cx).await {
            Ok(member) if member.team.id == self.member.team.id => self.member = member,
            // The active team is another by now.
            Ok(_) | Err(Error::Refused(_)) => return Err(Over::Gone),
            // A database that is away for a moment ends nothing.
            Err(Error::Core(_)) => {}
        }
        let found = match self.place.topic {
            Topic::Registries | Topic::Nodes => Ok(()),
            Topic::Node(id) => service.node_find(&self.member, id).await.map(drop),
            Topic::Deployment(id) => service.team_deployment_events_seen(&self.member, id).await.map(drop),
        };
        if matches!(found, Err(Error::Refused(_))) { Err(Over::Gone) } else { Ok(()) }
    }

    /// Tells the client something, once there is room for it.
    pub(super) async fn say(&mut self, word: &str, data: &Value) -> Result<(), Over> {
        if self.checked.elapsed() >= CHECK_INTERVAL {
            self.check().await?;
        }
        self.line.send(What::Message(message(&format!("{}/{word}", self.path), data))).await
    }

    /// Looks up every now and then whether the client may follow this; ends when it may not.
    pub(super) async fn guard(mut self) -> Over {
        loop {
            if let Err(over) = self.check().await {
                return over;
            }
            tokio::time::sleep(CHECK_INTERVAL).await;
        }
    }

    /// The same, for whoever waits for something else meanwhile: ends every time when it is time to look.
    pub(super) async fn due(&self) {
        tokio::time::sleep_until(self.checked + CHECK_INTERVAL).await;
    }
}
