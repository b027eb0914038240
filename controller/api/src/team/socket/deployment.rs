//! What deployments tell.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::Value;
use slipway_service::EventsSeen;
use slipway_team::deployment::DeploymentEvent;
use slipway_team::{DeploymentId, Error};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc};

use super::super::body::Body;
use super::super::to_wire;
use super::connection::Message;
use super::follower::{Follower, Over};
use crate::call::Failure;

/// Pause between two looks for what other controllers write down; what this one does is told at once.
const LOOK_INTERVAL: Duration = Duration::from_secs(2);

/// Follows a deployment: tells each event once, and all of them whenever they are asked for.
pub(super) struct Following {
    pub(super) follower: Follower,
    pub(super) id: DeploymentId,
    /// How far the client has seen.
    pub(super) seen: EventsSeen,
    /// Taken before it was looked up how far the client has seen, so that nothing is missed.
    pub(super) news: broadcast::Receiver<DeploymentId>,
    pub(super) orders: mpsc::Receiver<Message>,
}

impl Following {
    pub(super) async fn run(mut self) -> Over {
        loop {
            let step = tokio::select! {
                order = self.orders.recv() => match order {
                    Some(order) => self.answer(order).await,
                    None => return Over::Done,
                },
                told = self.news.recv() => match told {
                    Ok(id) if id != self.id => continue,
                    // Whatever was missed is looked for.
                    Ok(_) | Err(RecvError::Lagged(_)) => self.tell().await,
                    Err(RecvError::Closed) => return Over::Done,
                },
                () = tokio::time::sleep(LOOK_INTERVAL) => self.tell().await,
                () = self.follower.due() => self.follower.check().await,
            };
            if let Err(over) = step {
                return over;
            }
        }
    }

    async fn events(&self, seen: EventsSeen) -> Result<(Vec<DeploymentEvent>, EventsSeen), Error> {
        let Follower { state, member, .. } = &self.follower;
        state.service.team_deployment_events_after(member, self.id, seen).await
    }

    fn event(&self, event: &DeploymentEvent) -> Value {
        let told = to_wire::deployment_event(event, self.follower.place.whose.dialect());
        serde_json::to_value(told).unwrap_or_default()
    }

    async fn tell(&mut self) -> Result<(), Over> {
        let (events, seen) = match self.events(self.seen).await {
            Ok(found) => found,
            Err(Error::Refused(_)) => return Err(Over::Gone),
            // A database that is away for a moment ends nothing.
            Err(Error::Core(_)) => return Ok(()),
        };
        for event in &events {
            let event = self.event(event);
            self.follower.say("deployment-event", &event).await?;
        }
        self.seen = seen;
        Ok(())
    }

    async fn answer(&mut self, order: Message) -> Result<(), Over> {
        let from = match from(order) {
            Ok(from) => from,
            Err(failure) => return self.follower.line.refuse(&failure).await,
        };
        let (events, seen) = match self.events(EventsSeen::default()).await {
            Ok(found) => found,
            Err(Error::Refused(_)) => return Err(Over::Gone),
            Err(error @ Error::Core(_)) => return self.follower.line.refuse(&error.into()).await,
        };
        let events = events.iter().filter(|event| from.is_none_or(|from| event.created >= from));
        let events: Vec<Value> = events.map(|event| self.event(event)).collect();
        self.follower.say("deployment-event-list", &events.into()).await?;
        // What the list has is not told once more.
        self.seen = seen;
        Ok(())
    }
}

/// From when on events are asked for.
fn from(order: Message) -> Result<Option<DateTime<Utc>>, Failure> {
    if order.word != "fetch-deployment-events" {
        return Err(super::no_such_message());
    }
    let mut body = Body::new(order.data);
    let from = body.word_or_null("from");
    body.finish(from)
}
