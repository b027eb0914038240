//! Entries of the record of who did what. Secrets by name only.

use serde_json::Value;
use slipway_core::authz::Actor;
use slipway_core::event::EventOutcome;
use slipway_store::NewEvent;

use crate::Cx;

/// What was done to what.
pub(crate) struct Subject<'a> {
    pub(crate) kind: &'a str,
    pub(crate) id: String,
    pub(crate) name: String,
}

/// An entry about something that was done.
pub(crate) fn event(cx: &Cx, action: &str, subject: Subject<'_>, before: Value, after: Value) -> NewEvent {
    let actor = match &cx.actor {
        Actor::Anonymous => "anonymous".to_owned(),
        Actor::User { name, .. } => name.to_string(),
        Actor::Builder => "builder".to_owned(),
        Actor::System => "system".to_owned(),
    };
    NewEvent {
        actor,
        action: action.to_owned(),
        kind: subject.kind.to_owned(),
        subject_id: subject.id,
        subject_name: subject.name,
        before,
        after,
        outcome: EventOutcome::Done,
        created: cx.now,
    }
}

/// An app as the subject of an entry.
pub(crate) fn app_subject(app: &slipway_core::app::App) -> Subject<'static> {
    Subject { kind: "app", id: app.id.to_string(), name: app.name.to_string() }
}

/// A user as the subject of an entry.
pub(crate) fn user_subject(user: &slipway_core::user::User) -> Subject<'static> {
    Subject { kind: "user", id: user.id.to_string(), name: user.username.to_string() }
}
