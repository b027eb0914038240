//! Services that are asked over HTTP how they are, under a clock that stands still.

use std::time::Duration;

use slipway_core::webhook::WebhookEvent;
use slipway_engine::HttpCheckOutcome;
use slipway_store::testing::Backend;
use tokio::task::JoinSet;

use super::bed::Bed;
use crate::reconcile::probe::Targets;
use crate::{Cx, DeploymentInput, PageQuery, Patch, Reconciler};

const ALL: PageQuery = PageQuery { limit: 100, offset: 0 };

/// Deploys an image through the dployr API, to its end.
async fn deploy(bed: &Bed, cx: &Cx, name: &str, kind: &str, health_check: &str) {
    let set = |text: &str| Patch::Set(text.to_owned());
    let input = DeploymentInput {
        name: set(name),
        source: set("image"),
        image: set("example/image:1"),
        kind: set(kind),
        health_check: if health_check.is_empty() { Patch::Keep } else { set(health_check) },
        run_cmd: set("serve"),
        ..DeploymentInput::default()
    };
    bed.service.deployment_create(cx, input).await.unwrap();
    bed.service.deployments_turn(&mut JoinSet::new()).await.unwrap();
    bed.settle(bed.app_id(cx, name).await).await;
}

/// Whoever leads.
struct Leader {
    reconciler: Reconciler,
    targets: Targets,
}

impl Leader {
    async fn new(bed: &Bed) -> Self {
        let mut leader = Self { reconciler: Reconciler::new(bed.restarted()), targets: Targets::default() };
        leader.reconciler.probe_turn(&mut leader.targets).await.unwrap();
        leader
    }

    /// Lets half a minute pass, in which every service is asked once.
    async fn turn(&mut self, bed: &Bed) {
        bed.clock.advance(Duration::from_secs(30));
        self.reconciler.probe_turn(&mut self.targets).await.unwrap();
    }
}

/// The health of a service, as one alone and in the list.
async fn health(bed: &Bed, cx: &Cx, name: &str) -> &'static str {
    let one = bed.service.service_get(cx, name).await.unwrap();
    let all = bed.service.services_visible(cx, ALL).await.unwrap().items;
    let listed = all.into_iter().find(|service| service.id() == one.id()).unwrap();
    assert_eq!(one.status.health(), listed.status.health());
    one.status.health()
}

async fn services_that_do_not_answer_are_degraded_until_they_do(backend: Backend) {
    let bed = Bed::on(backend).await;
    let bob = bed.user_after_admin("bob").await;
    let hook = bed.webhook(&bob, &["service.unhealthy", "service.recovered"]).await;
    let told = async || {
        let found = bed.deliveries(&bob, &hook).await;
        found.into_iter().map(|delivery| delivery.event).collect::<Vec<_>>()
    };
    deploy(&bed, &bob, "blog", "web", "/health").await;
    deploy(&bed, &bob, "shop", "web", "").await;
    deploy(&bed, &bob, "mail", "worker", "").await;
    bed.service.app_create(&bob, Some("plain")).await.unwrap();

    // Once in half a minute each that takes requests, by the name that its users ask for.
    let mut leader = Leader::new(&bed).await;
    let before = bed.engine.checks().len();
    leader.turn(&bed).await;
    let mut asked: Vec<_> = bed.engine.checks().split_off(before);
    asked.sort_by_key(|check| check.name.to_string());
    let seen: Vec<_> = asked.iter().map(|check| (check.path.as_str(), check.host.as_deref().unwrap())).collect();
    assert_eq!(seen, [("/health", "blog.example.com"), ("/", "shop.example.com")]);
    assert!(asked.iter().all(|check| check.timeout == Duration::from_secs(5)));

    bed.engine.script_answer("blog", HttpCheckOutcome::Answered(503));
    leader.turn(&bed).await;
    leader.turn(&bed).await;
    assert_eq!(health(&bed, &bob, "blog").await, "healthy", "twice is not often enough");
    bed.engine.script_answer("blog", HttpCheckOutcome::Answered(404));
    leader.turn(&bed).await;
    bed.engine.script_answer("blog", HttpCheckOutcome::Silent("no answer within 5 s".to_owned()));
    leader.turn(&bed).await;
    leader.turn(&bed).await;
    assert_eq!((health(&bed, &bob, "blog").await, told().await.len()), ("healthy", 0), "it began anew");
    leader.turn(&bed).await;
    assert_eq!(health(&bed, &bob, "blog").await, "degraded");
    assert_eq!(bed.service.service_get(&bob, "blog").await.unwrap().status.health.as_str(), "running");
    assert_eq!(health(&bed, &bob, "shop").await, "healthy");
    leader.turn(&bed).await;
    let unhealthy = WebhookEvent::ServiceUnhealthy.as_str();
    assert_eq!(told().await, [unhealthy], "it is told once");
    let told_of = bed.deliveries(&bob, &hook).await.remove(0);
    assert!(told_of.content.contains("GET /health: no answer within 5 s (3 times in a row)"), "{}", told_of.content);

    // Another leads. Who answers once is well.
    let mut leader = Leader::new(&bed).await;
    bed.engine.script_answer("blog", HttpCheckOutcome::Untold);
    leader.turn(&bed).await;
    assert_eq!(health(&bed, &bob, "blog").await, "degraded", "nobody was asked");
    bed.engine.script_answer("blog", HttpCheckOutcome::Answered(499));
    leader.turn(&bed).await;
    assert_eq!(health(&bed, &bob, "blog").await, "healthy");
    let recovered = WebhookEvent::ServiceRecovered.as_str();
    assert_eq!(told().await, [unhealthy, recovered]);

    // What is stopped is not asked, and what was said of it is forgotten.
    bed.engine.script_answer("blog", HttpCheckOutcome::Answered(500));
    for _ in 0..3 {
        leader.turn(&bed).await;
    }
    assert_eq!(health(&bed, &bob, "blog").await, "degraded");
    bed.service.service_stop(&bob, "blog").await.unwrap();
    bed.settle(bed.app_id(&bob, "blog").await).await;
    let before = bed.engine.checks().len();
    leader.turn(&bed).await;
    assert_eq!(bed.engine.checks().split_off(before).len(), 1, "the other one");
    bed.service.service_start(&bob, "blog").await.unwrap();
    bed.settle(bed.app_id(&bob, "blog").await).await;
    assert_eq!(health(&bed, &bob, "blog").await, "healthy");
    assert_eq!(told().await, [unhealthy, recovered, unhealthy]);
}

#[tokio::test]
async fn services_that_do_not_answer_are_degraded_until_they_do_on_sqlite() {
    services_that_do_not_answer_are_degraded_until_they_do(Backend::Sqlite).await;
}

#[tokio::test]
async fn services_that_do_not_answer_are_degraded_until_they_do_on_postgres() {
    services_that_do_not_answer_are_degraded_until_they_do(Backend::Postgres).await;
}
