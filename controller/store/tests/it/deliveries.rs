//! The outbox.

use std::collections::BTreeSet;

use slipway_core::config::SecretText;
use slipway_core::webhook::{Delivery, DeliveryAttempt, DeliveryKind, DeliveryState, WebhookEvent};
use slipway_core::{AppId, DeliveryId};
use slipway_store::{
    Db, NewDelivery, NewWebhook, Page, deliveries_by_target, deliveries_delete_finished, deliveries_due,
    deliveries_latest, deliveries_next, delivery_begin, delivery_by_id, delivery_delete, delivery_end, delivery_insert,
    perm_grant, webhook_delete, webhook_insert, webhook_secret, webhook_set_active, webhooks_by_app, webhooks_list,
};

use crate::fixtures::{app, at, user};

async fn add(db: &mut Db, app: AppId, target: &str, event: &str, seconds: i64) -> DeliveryId {
    let new = NewDelivery {
        id: DeliveryId::generate(),
        kind: DeliveryKind::Webhook,
        target: target.to_owned(),
        app,
        event: event.to_owned(),
        content: "{\"a\":\"\0\"}".to_owned(),
        created: at(seconds),
    };
    delivery_insert(db, &new).await.unwrap();
    new.id
}

fn events(deliveries: &[Delivery]) -> Vec<&str> {
    deliveries.iter().map(|delivery| delivery.event.as_str()).collect()
}

async fn ended(db: &mut Db, delivery: &Delivery, seconds: i64, state: DeliveryState) {
    let attempt = DeliveryAttempt { number: 1, at: at(seconds), status: Some(500), error: "no".to_owned() };
    delivery_end(db, delivery, attempt, state, at(seconds)).await.unwrap();
}

both! {
    async fn what_one_address_hears_of_one_app_comes_in_order(test) {
        let mut transaction = test.store.transaction().await.unwrap();
        let db = transaction.db();
        assert_eq!(deliveries_next(db).await.unwrap(), None);
        let (blog, shop) = (AppId::generate(), AppId::generate());
        for (app, target, event, due) in
            [(blog, "a", "1", 10), (blog, "a", "2", 5), (blog, "b", "3", 20), (shop, "a", "4", 30)]
        {
            add(db, app, target, event, due).await;
        }
        let next = deliveries_next(db).await.unwrap().unwrap();
        assert_eq!(next.timestamp(), at(10).timestamp(), "what waits for the first is not due before it");
        assert!(deliveries_due(db, at(9), 10).await.unwrap().is_empty(), "the second waits for the first");
        assert_eq!(events(&deliveries_due(db, at(40), 10).await.unwrap()), ["1", "3", "4"]);
        assert_eq!(events(&deliveries_due(db, at(40), 1).await.unwrap()), ["1"]);

        let first = deliveries_due(db, at(40), 1).await.unwrap().remove(0);
        assert!(delivery_begin(db, &first, at(50)).await.unwrap());
        assert!(!delivery_begin(db, &first, at(50)).await.unwrap(), "one attempt is begun once");
        assert_eq!(events(&deliveries_due(db, at(40), 10).await.unwrap()), ["3", "4"]);
        let first = delivery_by_id(db, first.id).await.unwrap().unwrap();
        assert_eq!((first.attempts, first.tries, first.state), (1, 1, DeliveryState::Pending));
        ended(db, &first, 41, DeliveryState::Delivered).await;
        assert_eq!(events(&deliveries_due(db, at(40), 10).await.unwrap()), ["2", "3", "4"]);
        let first = delivery_by_id(db, first.id).await.unwrap().unwrap();
        assert_eq!((first.log[0].status, first.log[0].error.as_str()), (Some(500), "no"));
        assert_eq!(first.finished.unwrap().timestamp(), at(41).timestamp());

        let listed = deliveries_by_target(db, DeliveryKind::Webhook, "a", Page::ALL).await.unwrap();
        assert_eq!((listed.total, events(&listed.items)), (3, vec!["4", "2", "1"]));
        let targets = ["a".to_owned(), "b".to_owned(), "c".to_owned()];
        let latest = deliveries_latest(db, DeliveryKind::Webhook, &targets).await.unwrap();
        assert_eq!(events(&latest).into_iter().collect::<BTreeSet<_>>(), BTreeSet::from(["3", "4"]));
        deliveries_delete_finished(db, at(41)).await.unwrap();
        assert!(delivery_by_id(db, first.id).await.unwrap().is_some());
        deliveries_delete_finished(db, at(42)).await.unwrap();
        assert!(delivery_by_id(db, first.id).await.unwrap().is_none());
        delivery_delete(db, latest[0].number).await.unwrap();
        transaction.commit().await.unwrap();
    }

    async fn webhooks_hear_of_the_apps_that_their_owners_may_use(test) {
        let mut transaction = test.store.transaction().await.unwrap();
        let db = transaction.db();
        let (ada, bob, eve) = (user(db, "ada").await, user(db, "bob").await, user(db, "eve").await);
        let blog = app(db, ada.id, "blog").await;
        perm_grant(db, blog.id, bob.id, at(0)).await.unwrap();
        let mut ids = Vec::new();
        for owner in [&ada, &bob, &eve] {
            let new = NewWebhook {
                owner: owner.id,
                url: "https://hooks.example/".to_owned(),
                events: BTreeSet::from([WebhookEvent::DeploymentCreated, WebhookEvent::ServiceStopped]),
                secret: (owner.id == ada.id).then(|| SecretText::new("hunter2")),
                created: at(1),
            };
            ids.push(webhook_insert(db, &new).await.unwrap());
        }
        let heard: Vec<_> = webhooks_by_app(db, blog.id).await.unwrap().into_iter().map(|hook| hook.owner).collect();
        assert_eq!(heard, [ada.id, bob.id]);
        assert_eq!(webhook_secret(db, ids[0].id).await.unwrap().unwrap().expose(), "hunter2");
        assert_eq!(webhook_secret(db, ids[1].id).await.unwrap(), None);
        assert!(ids[0].has_secret && !ids[1].has_secret);
        assert!(webhook_set_active(db, ids[1].id, false, at(2)).await.unwrap());
        assert_eq!(webhooks_by_app(db, blog.id).await.unwrap(), vec![ids[0].clone()]);
        assert!(webhook_delete(db, ids[0].id).await.unwrap());
        assert_eq!(webhooks_list(db, ada.id, Page::ALL).await.unwrap().total, 0);
        transaction.commit().await.unwrap();
    }
}
