//! What somebody has told to a webhook to see it arrive.

use std::time::Duration;

use slipway_core::webhook::{Delivery, DeliveryState};
use slipway_store::testing::Backend;

use super::bed::Bed;
use crate::Reconciler;
use crate::testing::FakeHooks;

async fn what_is_asked_for_is_told_at_once(backend: Backend) {
    let bed = Bed::on(backend).await;
    let bob = bed.user_after_admin("bob").await;
    let hook = bed.webhook(&bob, &["*"]).await;
    let (hooks, reconciler) = (FakeHooks::default(), Reconciler::new(bed.service.clone()));
    let state = async |asked: &Delivery| {
        let all = bed.deliveries(&bob, &hook).await;
        all.iter().find(|delivery| delivery.id == asked.id).unwrap().state
    };

    hooks.script([Ok(500)]);
    let failed = bed.service.webhook_test(&bob, &hook).await.unwrap();
    let pause = reconciler.hooks_deliver(&hooks).await.unwrap();
    assert!((9..=11).contains(&pause.as_secs()), "until its next try: {pause:?}");
    assert_eq!(state(&failed).await, DeliveryState::Pending);

    let again = bed.service.webhook_replay(&bob, &hook, &failed.id.to_string()).await.unwrap();
    let other = bed.service.webhook_test(&bob, &hook).await.unwrap();
    reconciler.hooks_deliver(&hooks).await.unwrap();
    assert_eq!(state(&again).await, DeliveryState::Delivered);
    assert_eq!(state(&other).await, DeliveryState::Delivered);
    assert_eq!(state(&failed).await, DeliveryState::Pending, "its next try is later");
    bed.clock.advance(Duration::from_secs(12));
    reconciler.hooks_deliver(&hooks).await.unwrap();
    assert_eq!(state(&failed).await, DeliveryState::Delivered);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_for_is_told_at_once_on_sqlite() {
    what_is_asked_for_is_told_at_once(Backend::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_for_is_told_at_once_on_postgres() {
    what_is_asked_for_is_told_at_once(Backend::Postgres).await;
}
