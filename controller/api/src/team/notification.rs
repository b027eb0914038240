//! Notifications. Source: `team-api.md` §3.12.

use http::{Method, StatusCode};
use secrecy::SecretString;
use slipway_service::NotificationGiven;
use slipway_team::NotificationId;
use slipway_team::notification::NotificationKind;

use super::body::Body;
use super::scope::{Scope, created, scoped};
use super::{route, to_wire};
use crate::call::{Answer, Failure, empty, ok};
use crate::route::Route;

pub(super) fn routes() -> Vec<Route> {
    const ALL: &str = "/api/{teamSlug}/notifications";
    const ONE: &str = "/api/{teamSlug}/notifications/{notificationId}";
    const TEST: &str = "/api/{teamSlug}/notifications/{notificationId}/test";
    vec![
        route(Method::GET, ALL, "team_notifications_list", scoped!("team_notifications_list", notifications_list)),
        route(Method::POST, ALL, "team_notification_create", scoped!("team_notification_create", notification_create)),
        route(Method::GET, ONE, "team_notification_read", scoped!("team_notification_read", notification_read)),
        route(Method::PUT, ONE, "team_notification_update", scoped!("team_notification_update", notification_update)),
        route(Method::DELETE, ONE, "team_notification_delete", {
            scoped!("team_notification_delete", notification_delete)
        }),
        route(Method::POST, TEST, "team_notification_test", scoped!("team_notification_test", notification_test)),
    ]
}

fn given(scope: &Scope) -> Result<NotificationGiven, Failure> {
    let mut body = Body::read(&scope.call)?;
    let kind = body.word("type");
    let given = NotificationGiven {
        name: body.text("name"),
        // A kind that is none was noted, so that this one is never used.
        kind: kind.unwrap_or(NotificationKind::Discord),
        url: SecretString::from(body.text("url")),
        is_active: body.flag("active"),
        events: body.words("enabledEvents").into_iter().collect(),
    };
    body.finish(given)
}

async fn notifications_list(scope: Scope) -> Answer {
    let notifications = scope.call.state.service.notifications_list(&scope.member).await?;
    ok(&notifications.iter().map(to_wire::notification).collect::<Vec<_>>())
}

async fn notification_create(scope: Scope) -> Answer {
    let given = given(&scope)?;
    let own = scope.call.state.service.notification_create(&scope.call.cx, &scope.member, given).await?;
    created(&scope.location(&format!("notifications/{}", own.id)), &to_wire::notification_details(&own))
}

async fn notification_read(scope: Scope) -> Answer {
    let id: NotificationId = scope.id("notificationId")?;
    ok(&to_wire::notification_details(&scope.call.state.service.notification_get(&scope.member, id).await?))
}

async fn notification_update(scope: Scope) -> Answer {
    let (id, given): (NotificationId, _) = (scope.id("notificationId")?, given(&scope)?);
    let own = scope.call.state.service.notification_update(&scope.call.cx, &scope.member, id, given).await?;
    ok(&to_wire::notification_details(&own))
}

async fn notification_delete(scope: Scope) -> Answer {
    scope.call.state.service.notification_delete(&scope.member, scope.id("notificationId")?).await?;
    empty(StatusCode::NO_CONTENT)
}

async fn notification_test(scope: Scope) -> Answer {
    scope.call.state.service.notification_test(&scope.member, scope.id("notificationId")?).await?;
    empty(StatusCode::NO_CONTENT)
}
