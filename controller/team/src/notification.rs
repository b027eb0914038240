//! Notifications: what is told of a team's doings, to whom, and in which words. Source: `team-api.md` §4.8.

use std::collections::BTreeSet;
use std::str::FromStr;

use chrono::{DateTime, SecondsFormat, Utc};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::{NotificationId, Stamp, TeamId};

/// The name that messages come under.
const TITLE: &str = "Slipway";

/// The word is no kind of notification, or no event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not one of the known words")]
pub struct WordError;

/// The service that a webhook belongs to, which settles the form of the messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NotificationKind {
    /// Discord.
    Discord,
    /// Slack.
    Slack,
    /// Microsoft Teams.
    Teams,
}

impl NotificationKind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Discord, Self::Slack, Self::Teams];

    /// Its name in requests, answers and the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Discord => "discord",
            Self::Slack => "slack",
            Self::Teams => "teams",
        }
    }

    /// A message in the form that the service takes.
    #[must_use]
    pub fn body(self, text: &str, now: DateTime<Utc>) -> Value {
        let date = now.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
        match self {
            Self::Discord => json!({
                "embeds": [{
                    "title": TITLE,
                    "description": text,
                    "color": "1555130",
                    "timestamp": now.to_rfc3339_opts(SecondsFormat::Millis, true),
                }],
            }),
            Self::Slack => json!({
                "blocks": [
                    {"type": "context", "elements": [{"type": "plain_text", "text": text}]},
                    {"type": "context", "elements": [{"type": "mrkdwn", "text": date}]},
                ],
            }),
            Self::Teams => json!({
                "type": "message",
                "attachments": [{
                    "contentType": "application/vnd.microsoft.card.adaptive",
                    "content": {
                        "type": "AdaptiveCard",
                        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                        "version": "1.3",
                        "body": [
                            {"type": "TextBlock", "size": "large", "weight": "bolder", "text": TITLE, "wrap": true},
                            {"type": "TextBlock", "size": "medium", "text": text, "wrap": true},
                            {"type": "TextBlock", "size": "small", "weight": "lighter", "text": date, "wrap": true},
                        ],
                    },
                }],
            }),
        }
    }
}

impl FromStr for NotificationKind {
    type Err = WordError;

    fn from_str(text: &str) -> Result<Self, WordError> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or(WordError)
    }
}

/// What a notification may be about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NotificationEvent {
    /// A deployment ended, well or badly. The name is of old.
    DeploymentCreated,
    /// A version was made.
    VersionCreated,
    /// A node was made.
    NodeAdded,
    /// Somebody was invited.
    UserInvited,
}

impl NotificationEvent {
    /// All events.
    pub const ALL: [Self; 4] = [Self::DeploymentCreated, Self::VersionCreated, Self::NodeAdded, Self::UserInvited];

    /// Its name in requests, answers and the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DeploymentCreated => "deployment-created",
            Self::VersionCreated => "version-created",
            Self::NodeAdded => "node-added",
            Self::UserInvited => "user-invited",
        }
    }
}

impl FromStr for NotificationEvent {
    type Err = WordError;

    fn from_str(text: &str) -> Result<Self, WordError> {
        Self::ALL.into_iter().find(|event| event.as_str() == text).ok_or(WordError)
    }
}

/// Something that happened, to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happening {
    /// A deployment ended well.
    DeploymentSucceeded {
        /// Who started it: a person's name or that of a token.
        who: String,
        /// The project.
        project: String,
        /// The version.
        version: String,
        /// The node.
        node: String,
    },
    /// A deployment failed.
    DeploymentFailed {
        /// Who started it: a person's name or that of a token.
        who: String,
        /// The project.
        project: String,
        /// The version.
        version: String,
        /// The node.
        node: String,
    },
    /// A version was made.
    VersionCreated {
        /// Who made it.
        who: String,
        /// The project.
        project: String,
        /// The version.
        version: String,
    },
    /// A node was made.
    NodeAdded {
        /// Who made it.
        who: String,
        /// The node.
        node: String,
    },
    /// Somebody was invited.
    UserInvited {
        /// Who invited.
        who: String,
        /// The address.
        email: String,
        /// The team.
        team: String,
    },
}

impl Happening {
    /// The event that one subscribes to, to hear of it.
    #[must_use]
    pub const fn event(&self) -> NotificationEvent {
        match self {
            Self::DeploymentSucceeded { .. } | Self::DeploymentFailed { .. } => NotificationEvent::DeploymentCreated,
            Self::VersionCreated { .. } => NotificationEvent::VersionCreated,
            Self::NodeAdded { .. } => NotificationEvent::NodeAdded,
            Self::UserInvited { .. } => NotificationEvent::UserInvited,
        }
    }

    /// One sentence about it.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::DeploymentSucceeded { who, project, version, node } => {
                format!("{who} deployed {project} {version} to {node}.")
            }
            Self::DeploymentFailed { who, project, version, node } => {
                format!("The deployment of {project} {version} to {node}, started by {who}, failed.")
            }
            Self::VersionCreated { who, project, version } => format!("{who} made version {version} of {project}."),
            Self::NodeAdded { who, node } => format!("{who} added the node {node}."),
            Self::UserInvited { who, email, team } => format!("{who} invited {email} to the team {team}."),
        }
    }
}

/// A webhook of a team.
#[derive(Debug, Clone)]
pub struct Notification {
    /// Its identity.
    pub id: NotificationId,
    /// Whose it is.
    pub team: TeamId,
    /// Its name, unique in the team.
    pub name: String,
    /// The service.
    pub kind: NotificationKind,
    /// Where it posts to. Whoever knows it can post there.
    pub url: SecretString,
    /// Whether anything is told at all.
    pub is_active: bool,
    /// What is told.
    pub events: BTreeSet<NotificationEvent>,
    /// Who made it, by the name of the time.
    pub creator_name: String,
    /// When and by whom it was made and changed.
    pub stamp: Stamp,
}

impl Notification {
    /// Whether this is told.
    #[must_use]
    pub fn tells(&self, event: NotificationEvent) -> bool {
        self.is_active && self.events.contains(&event)
    }
}

/// The body of a test message: it suits every service.
#[must_use]
pub fn test_body() -> Value {
    let text = "It works: this is where Slipway will tell you what happens.";
    json!({"content": text, "text": text})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_service_gets_its_form() {
        let now = DateTime::from_timestamp_millis(1_761_625_558_018).unwrap();
        let discord = NotificationKind::Discord.body("Ann did it.", now);
        assert_eq!(discord["embeds"][0]["description"], "Ann did it.");
        assert_eq!(discord["embeds"][0]["timestamp"], "2025-10-28T04:25:58.018Z");
        let slack = NotificationKind::Slack.body("Ann did it.", now);
        assert_eq!(slack["blocks"][0]["elements"][0], json!({"type": "plain_text", "text": "Ann did it."}));
        assert_eq!(slack["blocks"][1]["elements"][0]["text"], "Tue, 28 Oct 2025 04:25:58 GMT");
        let teams = NotificationKind::Teams.body("Ann did it.", now);
        assert_eq!(teams["attachments"][0]["content"]["body"][1]["text"], "Ann did it.");
        assert_eq!(teams["attachments"][0]["content"]["body"].as_array().unwrap().len(), 3);
    }

    #[test]
    fn happenings_have_events_and_words_have_names() {
        let failed = Happening::DeploymentFailed {
            who: "Ann".to_owned(),
            project: "shop".to_owned(),
            version: "1.2".to_owned(),
            node: "eu".to_owned(),
        };
        assert_eq!(failed.event(), NotificationEvent::DeploymentCreated);
        assert_eq!(failed.text(), "The deployment of shop 1.2 to eu, started by Ann, failed.");
        for event in NotificationEvent::ALL {
            assert_eq!(event.as_str().parse(), Ok(event));
        }
        for kind in NotificationKind::ALL {
            assert_eq!(kind.as_str().parse(), Ok(kind));
        }
    }
}
