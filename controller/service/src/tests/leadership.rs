//! Several controllers on one database.

use slipway_store::testing::Backend;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::bed::{Bed, build};
use crate::{Leadership, Reconciler};

#[tokio::test(flavor = "multi_thread")]
async fn the_other_takes_over_when_the_leader_is_killed() {
    let bed = Bed::on(Backend::Postgres).await;
    let bob = bed.user("bob").await;
    // Requests go to a controller that never leads, and whose engine knows nothing.
    let service = bed.beside();
    service.app_create(&bob, Some("blog")).await.unwrap();

    let mut controllers: Vec<_> = (0..2)
        .map(|_| {
            let shutdown = CancellationToken::new();
            let leader = bed.restarted();
            let leadership = Leadership::by_database(&bed.store.store, &shutdown);
            let task = tokio::spawn(Reconciler::new(leader).led_by(leadership.clone()).run(shutdown.clone()));
            (leadership, shutdown, task)
        })
        .collect();
    let first = leader(&controllers).await;
    let deployed = service.build_create(&bob, "blog", build("one", &["web"])).await.unwrap();
    assert_eq!(deployed.release.version.0, 2);
    // Waits until the leader's engine has the routes, though the own one never will.
    service.domain_create(&bob, "blog", "www.example.org").await.unwrap();
    let (leadership, shutdown, task) = controllers.remove(first);
    // Its passes end where they are, and its connection goes with it.
    task.abort();
    shutdown.cancel();
    leadership.wait(false).await;
    assert_eq!(leader(&controllers).await, 0);
    let deployed = service.build_create(&bob, "blog", build("two", &["web"])).await.unwrap();
    assert_eq!(deployed.release.version.0, 3);
    assert_eq!(bed.states(&bob, "blog").await, ["v1 succeeded", "v2 succeeded", "v3 succeeded"]);
    for (_, shutdown, task) in controllers {
        shutdown.cancel();
        task.await.unwrap();
    }
}

/// Waits until exactly one leads, and gives which.
async fn leader(controllers: &[(Leadership, CancellationToken, tokio::task::JoinHandle<()>)]) -> usize {
    let waits = controllers.iter().map(|(leadership, _, _)| Box::pin(leadership.wait(true)));
    let ((), first, _) = futures::future::select_all(waits).await;
    assert_eq!(controllers.iter().filter(|(leadership, _, _)| leadership.is_leading()).count(), 1);
    first
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_reconciled_without_leading() {
    let bed = Bed::new().await;
    let bob = bed.user("bob").await;
    let app = bed.service.app_create(&bob, Some("blog")).await.unwrap().id;
    let (sender, leads) = watch::channel(false);
    let shutdown = CancellationToken::new();
    let leadership = Leadership::told_by(leads);
    let service = bed.restarted();
    let task = tokio::spawn(Reconciler::new(service).led_by(leadership.clone()).run(shutdown.clone()));
    let push = {
        let (service, bob) = (bed.beside(), bob.clone());
        tokio::spawn(async move { service.build_create(&bob, "blog", build("one", &["web"])).await })
    };
    // The release is written, and nobody takes it up.
    while bed.states(&bob, "blog").await.len() < 2 {
        tokio::task::yield_now().await;
    }
    assert!(bed.engine.applied(app).is_none());
    sender.send(true).unwrap();
    push.await.unwrap().unwrap();
    assert!(bed.engine.applied(app).is_some());

    sender.send(false).unwrap();
    assert!(!leadership.is_leading());
    shutdown.cancel();
    task.await.unwrap();
}
