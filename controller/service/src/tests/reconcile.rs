//! The reconciler by itself: from nothing, twice, cut off anywhere, out of time.

use std::future::Future;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use slipway_core::authz::Actor;
use slipway_engine::Engine as _;

use super::bed::{Bed, build, run, until};
use crate::reconcile::Outcome;
use crate::testing::Behaviour;
use crate::{Clock, Cx, Reconciler};

/// An app with a build that nobody has taken up yet.
async fn pushed(bed: &Bed, image: &str) -> (Cx, slipway_core::AppId) {
    let bob = bed.user_after_admin("bob").await;
    let app = bed.service.app_create(&bob, Some("blog")).await.unwrap();
    push(bed, &bob, image).await;
    (bob, app.id)
}

/// Records a build without waiting for its rollout.
async fn push(bed: &Bed, bob: &Cx, image: &str) {
    let builder = bed.cx(Actor::Builder);
    let Actor::User { name, .. } = &bob.actor else { panic!("not a user") };
    bed.service.hook_build(&builder, name.as_str(), "blog", build(image, &["web"]), false).await.unwrap();
}

/// Polls a future at most so often, then drops it. Whether it ended.
async fn cut_off<F: Future>(future: F, polls: usize) -> bool {
    let mut future = pin!(future);
    let mut left = polls;
    std::future::poll_fn(move |context| {
        if left == 0 {
            return Poll::Ready(false);
        }
        left -= 1;
        future.as_mut().poll(context).map(|_| true)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn converges_from_nothing_and_then_does_nothing() {
    let bed = Bed::new().await;
    let (bob, app) = pushed(&bed, "image").await;
    bed.settle(app).await;
    assert_eq!(bed.states(&bob, "blog").await, ["v1 succeeded", "v2 succeeded"]);
    let current = bed.service.app_get(&bob, "blog").await.unwrap();
    assert_eq!(current.observed_generation, current.desired_generation);
    let effects = bed.engine.effects().len();
    for _ in 0..3 {
        let outcome = Reconciler::new(bed.restarted()).app_reconcile(app).await.unwrap();
        assert_eq!(outcome, Outcome::Done);
    }
    assert_eq!(bed.engine.effects().len(), effects);
    assert_eq!(bed.service.app_get(&bob, "blog").await.unwrap(), current);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pass_cut_off_anywhere_is_finished_by_the_next() {
    let bed = Bed::new().await;
    let (bob, app) = pushed(&bed, "image0").await;
    bed.settle(app).await;
    let mut is_whole = false;
    let mut polls = 0;
    let mut version = 2;
    while !is_whole {
        for image in ["good", "broken"] {
            bed.engine.script_artifact("broken", Behaviour::Failing("no".to_owned()));
            push(&bed, &bob, image).await;
            version += 1;
            is_whole = true;
            for _ in 0..3 {
                let reconciler = Reconciler::new(bed.restarted());
                is_whole &= cut_off(reconciler.app_reconcile(app), polls).await;
            }
            bed.settle(app).await;
            let releases = bed.releases(&bob, "blog").await;
            assert_eq!(releases[0].version.0, version);
            let expect = if image == "good" { "succeeded" } else { "failed" };
            assert_eq!(releases[0].state.as_str(), expect, "after {polls} polls");
            let running = releases.iter().find(|release| release.state.as_str() == "succeeded").unwrap().version;
            let spec = bed.engine.applied(app).unwrap().release.unwrap();
            assert_eq!(spec.version, running, "after {polls} polls");
            let current = bed.service.app_get(&bob, "blog").await.unwrap();
            assert_eq!(current.observed_generation, current.desired_generation, "after {polls} polls");
        }
        polls += 1;
        assert!(polls < 200, "a pass takes more than 200 polls");
    }
    assert!(polls > 3, "nothing was cut off");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deploy_goes_on_after_a_restart_and_keeps_its_deadline() {
    let bed = Bed::new().await;
    let (bob, app) = pushed(&bed, "image").await;
    bed.engine.script_default(Behaviour::Hang);
    let first = run(&bed.service);
    until("the deploy", async || bed.states(&bob, "blog").await.contains(&"v2 deploying".to_owned())).await;
    let deadline = bed.releases(&bob, "blog").await[0].deadline;
    drop(first);
    bed.clock.advance(Duration::from_secs(30));
    let again = bed.restarted();
    let outcome = Reconciler::new(again.clone()).app_reconcile(app).await.unwrap();
    assert!(matches!(outcome, Outcome::Again(_)));
    assert_eq!(bed.releases(&bob, "blog").await[0].deadline, deadline);
    bed.engine.script_default(Behaviour::ReadyAfter(0));
    let _running = run(&again);
    until("the end", async || bed.states(&bob, "blog").await.contains(&"v2 succeeded".to_owned())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deploy_out_of_time_fails_and_what_ran_runs_on() {
    let bed = Bed::new().await;
    let (bob, app) = pushed(&bed, "good").await;
    bed.settle(app).await;
    bed.engine.script_artifact("hangs", Behaviour::Hang);
    push(&bed, &bob, "hangs").await;
    let reconciler = Reconciler::new(bed.restarted());
    assert!(matches!(reconciler.app_reconcile(app).await.unwrap(), Outcome::Again(_)));
    bed.clock.advance(Duration::from_secs(61));
    bed.settle(app).await;
    let release = &bed.releases(&bob, "blog").await[0];
    assert_eq!(release.state.as_str(), "failed");
    let reason = "\nTimed out after 60 seconds: hanging\nlistening on port 1";
    assert!(release.exception.ends_with(reason), "{}", release.exception);
    assert_eq!(bed.engine.applied(app).unwrap().release.unwrap().version.0, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_is_away_is_waited_for() {
    let bed = Bed::new().await;
    bed.engine.script_default(Behaviour::Unavailable);
    let bob = bed.user_after_admin("bob").await;
    let app = bed.service.app_create(&bob, Some("blog")).await.unwrap().id;
    let reconciler = Reconciler::new(bed.restarted());
    assert!(reconciler.app_reconcile(app).await.is_err());
    bed.engine.script_default(Behaviour::ReadyAfter(0));
    push(&bed, &bob, "image").await;
    bed.engine.script_default(Behaviour::Unavailable);
    assert!(matches!(reconciler.app_reconcile(app).await.unwrap(), Outcome::Again(_)));
    bed.engine.script_default(Behaviour::ReadyAfter(0));
    bed.settle(app).await;
    assert_eq!(bed.states(&bob, "blog").await, ["v1 succeeded", "v2 succeeded"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removal_that_fails_is_tried_again() {
    let bed = Bed::new().await;
    let (bob, app) = pushed(&bed, "image").await;
    bed.settle(app).await;
    bed.engine.script_removal_stuck(true);
    let destroying = tokio::spawn({
        let (service, bob) = (bed.service.clone(), bob.clone());
        async move { service.app_destroy(&bob, "blog").await }
    });
    let _running = bed.start();
    until("the mark", async || bed.service.app_get(&bob, "blog").await.is_err()).await;
    assert!(bed.service.app_create(&bob, Some("blog")).await.is_err(), "the name is free too early");
    bed.engine.script_removal_stuck(false);
    destroying.await.unwrap().unwrap();
    assert!(bed.engine.applied(app).is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_wants_is_removed_and_nothing_else() {
    let bed = Bed::new().await;
    let (_, app) = pushed(&bed, "image").await;
    bed.settle(app).await;
    let mut stray = bed.engine.applied(app).unwrap();
    stray.app = slipway_core::AppId::generate();
    let stray_id = stray.app;
    bed.engine.app_apply(stray).await.unwrap();
    let reconciler = Reconciler::new(bed.restarted());
    reconciler.collect().await;
    assert!(bed.engine.applied(stray_id).is_none());
    assert!(bed.engine.applied(app).is_some());
    let kept: Vec<String> = bed.engine.kept().iter().map(ToString::to_string).collect();
    assert_eq!(kept, ["image"]);
    bed.engine.log_sink().append(
        app,
        slipway_core::log::LogLine { time: bed.clock.now(), source: "web.1".to_owned(), text: "hello".to_owned() },
    );
    assert!(bed.engine.log_texts(app).contains(&"web.1: hello".to_owned()));
}
