//! What a team's webhooks hear of.

use std::collections::BTreeSet;
use std::time::Duration;

use secrecy::SecretString;
use serde_json::Value;
use slipway_store::testing::Backend;
use slipway_team::Member;
use slipway_team::notification::{NotificationEvent, NotificationKind};

use super::bed::Bed;
use crate::testing::FakeHooks;
use crate::{Cx, Invite, NotificationGiven, Reconciler};

fn given(name: &str, is_active: bool, event: NotificationEvent) -> NotificationGiven {
    NotificationGiven {
        name: name.to_owned(),
        kind: NotificationKind::Slack,
        url: SecretString::from(format!("https://hooks.example/{name}")),
        is_active,
        events: BTreeSet::from([event]),
    }
}

async fn invite(bed: &Bed, cx: &Cx, member: &Member, name: &str) {
    let invite = Invite { email: format!("{name}@example.com"), first_name: name.to_owned(), last_name: String::new() };
    bed.service.team_user_invite(cx, member, invite).await.unwrap();
}

async fn only_those_who_want_to_hear(backend: Backend) {
    let bed = Bed::on(backend).await;
    let bob = bed.user_after_admin("bob").await;
    let team = bed.service.team_create(&bob, "Acme", Some("acme")).await.unwrap().team;
    let member = bed.service.team_member(&bob, team.slug.as_str()).await.unwrap();
    for (name, is_active, event) in [
        ("told", true, NotificationEvent::UserInvited),
        ("asleep", false, NotificationEvent::UserInvited),
        ("elsewhere", true, NotificationEvent::NodeAdded),
        ("removed", true, NotificationEvent::UserInvited),
    ] {
        bed.service.notification_create(&bob, &member, given(name, is_active, event)).await.unwrap();
    }
    invite(&bed, &bob, &member, "ann").await;
    let all = bed.service.notifications_list(&member).await.unwrap();
    let removed = all.iter().find(|notification| notification.name == "removed").unwrap();
    bed.service.notification_delete(&member, removed.id).await.unwrap();

    // Nobody delivered anything so far, as if the controller had died at once.
    let (hooks, reconciler) = (FakeHooks::default(), Reconciler::new(bed.restarted()));
    hooks.script([Err("no answer".to_owned()), Ok(204)]);
    reconciler.hooks_deliver(&hooks).await.unwrap();
    bed.clock.advance(Duration::from_mins(5));
    reconciler.hooks_deliver(&hooks).await.unwrap();
    bed.clock.advance(Duration::from_hours(1));
    reconciler.hooks_deliver(&hooks).await.unwrap();
    let calls = hooks.calls();
    let urls: Vec<&str> = calls.iter().map(|call| call.url.as_str()).collect();
    assert_eq!(urls, ["https://hooks.example/told"; 2], "tried again after it was away, then no more");
    let body: Value = serde_json::from_str(calls[0].body.as_deref().unwrap()).unwrap();
    let text = body["blocks"][0]["elements"][0]["text"].as_str().unwrap();
    assert_eq!(text, "bob@example.com invited ann@example.com to the team Acme.");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_those_who_want_to_hear_are_told_on_sqlite() {
    only_those_who_want_to_hear(Backend::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_those_who_want_to_hear_are_told_on_postgres() {
    only_those_who_want_to_hear(Backend::Postgres).await;
}
