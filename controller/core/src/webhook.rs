//! Webhooks: addresses of users that hear of what happens to their apps. Source: `dployr-v1.md` §9.3.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};

use crate::{AppId, DeliveryId, UserId, WebhookId};

macro_rules! events {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// Something that a webhook may hear of.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum WebhookEvent {
            $($(#[$doc])* $name,)*
        }

        impl WebhookEvent {
            /// Every event there is.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The event's name in requests.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

events! {
    /// A deployment was asked for, also once more.
    DeploymentCreated = "deployment.created",
    /// Somebody began to work on it.
    DeploymentStarted = "deployment.started",
    /// It runs.
    DeploymentFinished = "deployment.finished",
    /// It does not run.
    DeploymentFailed = "deployment.failed",
    /// What was asked for was changed.
    DeploymentUpdated = "deployment.updated",
    /// It was removed, with its app.
    DeploymentDeleted = "deployment.deleted",
    /// A service was started.
    ServiceStarted = "service.started",
    /// A service was stopped.
    ServiceStopped = "service.stopped",
    /// A service was restarted.
    ServiceRestarted = "service.restarted",
    /// A service's environment was changed.
    ServiceUpdated = "service.updated",
    /// A service is gone.
    ServiceDeleted = "service.deleted",
    /// A service that was well is not any more.
    ServiceUnhealthy = "service.unhealthy",
    /// A service is well again.
    ServiceRecovered = "service.recovered",
    /// A process appeared.
    InstanceCreated = "instance.created",
    /// A process changed its state.
    InstanceUpdated = "instance.updated",
    /// A process is gone.
    InstanceDeleted = "instance.deleted",
    /// A route was added.
    DomainCreated = "domain.created",
    /// A route was found to be the owner's.
    DomainVerified = "domain.verified",
    /// A route was removed.
    DomainDeleted = "domain.deleted",
}

impl fmt::Display for WebhookEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no such event")]
pub struct UnknownEvent;

impl FromStr for WebhookEvent {
    type Err = UnknownEvent;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = if text == "deployment.completed" { Self::DeploymentFinished.as_str() } else { text };
        Self::ALL.iter().copied().find(|event| event.as_str() == text).ok_or(UnknownEvent)
    }
}

/// An address that hears of events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Its identity.
    pub id: WebhookId,
    /// Whose it is. It hears of the apps that this user owns or was granted.
    pub owner: UserId,
    /// The address: `http` or `https`, without a user's name.
    pub url: String,
    /// What it hears of.
    pub events: BTreeSet<WebhookEvent>,
    /// Whether calls are signed.
    pub has_secret: bool,
    /// Whether it is called at all; a receiver that answers 410 ends that.
    pub is_active: bool,
    /// When it was made.
    pub created: DateTime<Utc>,
    /// When it was last changed.
    pub updated: DateTime<Utc>,
}

/// What is told by a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryKind {
    /// An operator's deploy hook hears of a release.
    DeployHook,
    /// A user's webhook hears of an event.
    Webhook,
    /// A webhook of a team hears of what happens there.
    Notification,
}

impl DeliveryKind {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DeployHook => "deploy_hook",
            Self::Webhook => "webhook",
            Self::Notification => "notification",
        }
    }
}

impl FromStr for DeliveryKind {
    type Err = UnknownEvent;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::DeployHook, Self::Webhook, Self::Notification]
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or(UnknownEvent)
    }
}

/// How far a delivery is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryState {
    /// It is to be told, or tried again.
    Pending,
    /// It was taken.
    Delivered,
    /// It was given up.
    Failed,
}

impl DeliveryState {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
        }
    }
}

impl FromStr for DeliveryState {
    type Err = UnknownEvent;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let all = [Self::Pending, Self::Delivered, Self::Failed];
        all.into_iter().find(|state| state.as_str() == text).ok_or(UnknownEvent)
    }
}

/// One attempt of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryAttempt {
    /// Its number, from 1.
    pub number: u32,
    /// When it was made.
    pub at: DateTime<Utc>,
    /// The status of the answer, if there was one.
    pub status: Option<u16>,
    /// Why it was not taken; empty when it was.
    pub error: String,
}

/// Something that is told to one address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Its place among all: those of one app are told to one address in this order.
    pub number: i64,
    /// Its identity, the same over all attempts.
    pub id: DeliveryId,
    /// What is told.
    pub kind: DeliveryKind,
    /// To whom: a webhook's identity, or the digest of an address that may hold a secret.
    pub target: String,
    /// The app that it is about, which may be gone by now.
    pub app: AppId,
    /// The event's name.
    pub event: String,
    /// What is sent, or what that is made of.
    pub content: String,
    /// How far it is.
    pub state: DeliveryState,
    /// How often it was begun to be told. The number of an attempt is noted before the attempt, so that none is made
    /// twice under one number.
    pub attempts: u32,
    /// As `attempts`, since it was last asked for.
    pub tries: u32,
    /// When it is to be tried next.
    pub due: DateTime<Utc>,
    /// The last attempts, oldest first.
    pub log: Vec<DeliveryAttempt>,
    /// When it came about.
    pub created: DateTime<Utc>,
    /// When it was taken or given up.
    pub finished: Option<DateTime<Utc>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_have_names() {
        for event in WebhookEvent::ALL {
            assert_eq!(event.as_str().parse(), Ok(*event));
        }
        assert_eq!("deployment.completed".parse(), Ok(WebhookEvent::DeploymentFinished));
        assert_eq!("deployment".parse::<WebhookEvent>(), Err(UnknownEvent));
    }
}
