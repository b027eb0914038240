//! What an app's log says of a deploy while it goes on. Source: `drycc-v2.md` §3.8.

use std::time::Duration;

use serde_json::json;
use slipway_core::AppId;
use slipway_core::authz::Actor;

use super::bed::{Bed, build, map, values};
use crate::testing::Behaviour;
use crate::{Cx, EmptyChange, NewBuild, Reconciler};

/// The lines with this in them, without who wrote them.
fn lines(bed: &Bed, app: AppId, part: &str) -> Vec<String> {
    let texts = bed.engine.log_texts(app);
    let found = texts.iter().filter(|text| text.contains(part));
    found.map(|text| text.strip_prefix("slipway[controller]: ").unwrap().to_owned()).collect()
}

/// Records a build as the builder does, without waiting for its rollout.
async fn pushed(bed: &Bed, build: NewBuild) {
    bed.service.hook_build(&bed.cx(Actor::Builder), "bob", "blog", build, false).await.unwrap();
}

async fn app(bed: &Bed) -> (Cx, AppId) {
    let bob = bed.user_after_admin("bob").await;
    let app = bed.service.app_create(&bob, Some("blog")).await.unwrap();
    (bob, app.id)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_that_takes_its_time_is_told_every_ten_seconds() {
    let bed = Bed::new().await;
    let (bob, id) = app(&bed).await;
    pushed(&bed, build("image", &["web"])).await;
    bed.settle(id).await;
    assert_eq!(lines(&bed, id, "waited"), [""; 0]);

    bed.engine.script_artifact("slow", Behaviour::Hang);
    pushed(&bed, build("slow", &["web"])).await;
    let reconciler = Reconciler::new(bed.restarted());
    let mut seen = Vec::new();
    for secs in [0, 4, 5, 1, 3, 8, 30] {
        bed.clock.advance(Duration::from_secs(secs));
        reconciler.app_reconcile(id).await.unwrap();
        seen.push(lines(&bed, id, "waited").len());
    }
    assert_eq!(seen, [0, 0, 0, 1, 1, 2, 3]);
    // What is up belongs to the release before.
    let expect = [10, 20, 50].map(|secs| format!("INFO waited {secs}s and 0 pods are in service"));
    assert_eq!(lines(&bed, id, "waited"), expect);
    bed.clock.advance(Duration::from_secs(10));
    bed.settle(id).await;
    assert_eq!(bed.states(&bob, "blog").await.last().unwrap(), "v3 failed");
    assert_eq!(lines(&bed, id, "waited").len(), 3, "what is given up is not waited for");
}

#[tokio::test(flavor = "multi_thread")]
async fn scaling_that_takes_its_time_is_told_too_and_counts_what_is_up() {
    let bed = Bed::new().await;
    let (bob, id) = app(&bed).await;
    pushed(&bed, build("image", &["web"])).await;
    bed.settle(id).await;
    bed.engine.script_default(Behaviour::Hang);
    let reconciler = Reconciler::new(bed.restarted());
    let wanted = map(json!({"web": 2}));
    let (scaled, ()) = tokio::join!(bed.service.app_scale(&bob, "blog", &wanted), async {
        super::bed::until("the wish", async || bed.service.app_get(&bob, "blog").await.unwrap().structure["web"] == 2)
            .await;
        for secs in [0, 10, 20] {
            bed.clock.advance(Duration::from_secs(secs));
            reconciler.app_reconcile(id).await.unwrap();
        }
        bed.engine.script_default(Behaviour::ReadyAfter(0));
        bed.settle(id).await;
    });
    scaled.unwrap();
    let expect = [10, 30].map(|secs| format!("INFO waited {secs}s and 1 pods are in service"));
    assert_eq!(lines(&bed, id, "waited"), expect);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_port_of_a_pushed_app_is_told_where_it_is_so() {
    let bed = Bed::new().await;
    let (bob, id) = app(&bed).await;
    let slug = format!("slug@sha256:{}", "0a".repeat(32));
    let source = || NewBuild { sha: "0123abcd".to_owned(), ..build(&slug, &["web"]) };
    let told = || lines(&bed, id, "buildpack type");

    // An image brings its own port.
    pushed(&bed, build("image", &["web"])).await;
    bed.settle(id).await;
    assert_eq!(told(), [""; 0]);

    pushed(&bed, source()).await;
    bed.settle(id).await;
    bed.settle(id).await;
    assert_eq!(told(), ["INFO buildpack type detected. Defaulting to $PORT 5000"]);

    // On one machine the engine gives each process its own.
    bed.engine.script_choosing_ports(true);
    pushed(&bed, source()).await;
    bed.settle(id).await;
    assert_eq!(told().len(), 1);

    // What the user says holds.
    bed.engine.script_choosing_ports(false);
    let _running = bed.start();
    bed.service.config_set(&bob, "blog", values(json!({"PORT": "8000"})), EmptyChange::Refuse).await.unwrap();
    assert_eq!(told().len(), 1);
    bed.service.config_set(&bob, "blog", values(json!({"PORT": null})), EmptyChange::Refuse).await.unwrap();
    assert_eq!(told().len(), 2);
}
