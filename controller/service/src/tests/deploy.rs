//! Builds, configuration and rollbacks through to their end.

use serde_json::json;
use slipway_core::Error;

use slipway_store::testing::Backend;

use super::bed::{Bed, build, map, values};
use crate::testing::Behaviour;
use crate::{ConfigChange, EmptyChange, RollbackFloor};

fn text<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    result.unwrap_err().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_answers_when_it_runs() {
    let bed = Bed::new().await;
    let bob = bed.user_after_admin("bob").await;
    bed.service.app_create(&bob, Some("blog")).await.unwrap();
    bed.engine.script_default(Behaviour::ReadyAfter(3));
    let _running = bed.start();
    let deployed = bed.push(&bob, "blog", "image").await.unwrap();
    assert_eq!((deployed.release.version.0, deployed.release.state.as_str()), (2, "succeeded"));
    assert_eq!(deployed.release.summary, "bob deployed image");
    let app = bed.service.app_get(&bob, "blog").await.unwrap();
    assert_eq!(app.structure["web"], 1);
    assert_eq!(bed.service.pods_list(&bob, "blog", None, None).await.unwrap().len(), 1);
    assert_eq!(bed.service.build_current(&bob, "blog").await.unwrap().id, deployed.build.id);
    // The same image again makes another release.
    assert_eq!(bed.push(&bob, "blog", "image").await.unwrap().release.version.0, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn config_before_the_first_build_makes_a_release_and_deploys_nothing() {
    let bed = Bed::new().await;
    let bob = bed.user_after_admin("bob").await;
    bed.service.app_create(&bob, Some("blog")).await.unwrap();
    let set = async |value| bed.service.config_set(&bob, "blog", values(value), EmptyChange::Refuse).await;
    let configured = set(json!({"A": "1"})).await.unwrap();
    assert_eq!((configured.release.version.0, configured.release.summary.as_str()), (2, "bob added A"));
    assert_eq!(text(set(json!({"A": "1"})).await), "bob changed nothing - release stopped");
    assert_eq!(text(set(json!({"B": null})).await), "B does not exist under values");
    assert!(matches!(set(json!({"1": "x"})).await, Err(Error::Invalid(_))));
    assert_eq!(bed.releases(&bob, "blog").await.len(), 2);
    let _running = bed.start();
    bed.push(&bob, "blog", "image").await.unwrap();
    let spec = bed.engine.applied(bed.app_id(&bob, "blog").await).unwrap();
    assert_eq!(spec.release.unwrap().env["A"].expose(), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_config_that_changes_nothing_may_make_a_release() {
    let bed = Bed::new().await;
    let bob = bed.user_after_admin("bob").await;
    bed.service.app_create(&bob, Some("blog")).await.unwrap();
    let set = async |change| bed.service.config_set(&bob, "blog", change, EmptyChange::Release).await.unwrap();
    assert_eq!(set(values(json!({"A": "1"}))).await.release.summary, "bob added A");
    assert_eq!(set(values(json!({"A": "1", "NONE": null}))).await.release.summary, "bob changed nothing");
    let unset = ConfigChange {
        memory: map(json!({"web": null})),
        cpu: map(json!({"web": null})),
        tags: map(json!({"disk": null})),
        ..values(json!({"A": null}))
    };
    let configured = set(unset).await;
    assert_eq!((configured.release.version.0, configured.release.summary.as_str()), (4, "bob deleted A"));
    assert!(configured.config.values.is_empty());
    let bad = bed.service.config_set(&bob, "blog", values(json!({"1": "x"})), EmptyChange::Release).await;
    assert!(matches!(bad, Err(Error::Invalid(_))));
    assert_eq!(bed.releases(&bob, "blog").await.len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_runs_after_a_rollback_to_the_initial_release() {
    let bed = Bed::new().await;
    let bob = bed.user_after_admin("bob").await;
    bed.service.app_create(&bob, Some("blog")).await.unwrap();
    let _running = bed.start();
    bed.push(&bob, "blog", "image").await.unwrap();
    let app = bed.app_id(&bob, "blog").await;
    assert!(bed.engine.applied(app).unwrap().release.is_some());
    let release = bed.service.release_rollback(&bob, "blog", Some(&json!(1)), RollbackFloor::Initial).await.unwrap();
    assert_eq!((release.version.0, release.build), (3, None));
    super::bed::until("the end of the processes", async || bed.engine.applied(app).unwrap().release.is_none()).await;
    bed.push(&bob, "blog", "image").await.unwrap();
    assert!(bed.engine.applied(app).unwrap().release.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_release_is_told_and_leaves_what_ran() {
    let bed = Bed::new().await;
    let bob = bed.user_after_admin("bob").await;
    bed.service.app_create(&bob, Some("blog")).await.unwrap();
    bed.engine.script_artifact("broken", Behaviour::Failing("web.1 exited with 1".to_owned()));
    let _running = bed.start();
    assert_eq!(text(bed.push(&bob, "blog", "broken").await), "(app::deploy): web.1 exited with 1");
    bed.push(&bob, "blog", "good").await.unwrap();
    let refused = text(bed.push(&bob, "blog", "broken").await);
    assert_eq!(
        refused,
        "(app::deploy): There was a problem deploying v4. Rolling back process types to release v3.\nweb.1 exited with 1"
    );
    let releases = bed.releases(&bob, "blog").await;
    assert_eq!(bed.states(&bob, "blog").await, ["v1 succeeded", "v2 failed", "v3 succeeded", "v4 failed"]);
    assert_eq!(releases[0].exception, refused);
    assert!(releases[0].summary.starts_with("bob deployed ") && releases[0].summary.ends_with(" which failed"));
    let app = bed.app_id(&bob, "blog").await;
    super::bed::until("going back", async || {
        bed.engine.applied(app).and_then(|spec| spec.release).is_some_and(|release| release.version.0 == 3)
    })
    .await;
    // A failed config is named so, and the next one builds on the last good.
    bed.engine.script_version(5, Behaviour::Failing("bad config".to_owned()));
    assert!(bed.service.config_set(&bob, "blog", values(json!({"BAD": "1"})), EmptyChange::Refuse).await.is_err());
    assert_eq!(bed.releases(&bob, "blog").await[0].summary, "bob deployed a config that failed");
    let next = bed.service.config_set(&bob, "blog", values(json!({"GOOD": "1"})), EmptyChange::Refuse).await.unwrap();
    assert_eq!(next.config.values.keys().collect::<Vec<_>>(), ["GOOD"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn rollbacks_follow_the_contract() {
    let bed = Bed::new().await;
    let bob = bed.user_after_admin("bob").await;
    bed.service.app_create(&bob, Some("blog")).await.unwrap();
    bed.service.config_set(&bob, "blog", values(json!({"A": "1"})), EmptyChange::Refuse).await.unwrap();
    let _running = bed.start();
    bed.push(&bob, "blog", "first").await.unwrap();
    bed.push(&bob, "blog", "second").await.unwrap();
    let rollback = async |version: serde_json::Value| {
        bed.service
            .release_rollback(
                &bob,
                "blog",
                Some(&version).filter(|version| !version.is_null()),
                RollbackFloor::SecondRelease,
            )
            .await
    };
    for (version, expect) in [
        (json!("x"), "version must be a number"),
        (json!(0), "version cannot be below 0"),
        (json!(1), "Cannot roll back to initial release."),
        (json!(2), "No build associated with this release"),
        (json!(99), "Release matching query does not exist."),
    ] {
        assert_eq!(text(rollback(version).await), expect);
    }
    let release = rollback(json!(null)).await.unwrap();
    assert_eq!((release.version.0, release.summary.as_str()), (5, "bob rolled back to v3"));
    assert_eq!(bed.service.build_current(&bob, "blog").await.unwrap().image, "first");
    bed.engine.script_artifact("second", Behaviour::Failing("no".to_owned()));
    assert!(rollback(json!(4)).await.is_err());
    assert_eq!(bed.releases(&bob, "blog").await[0].summary, "bob performed roll back to a release that failed");
    assert_eq!(text(rollback(json!(6)).await), "Cannot roll back to failed release.");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_config_waits_for_nobody_and_a_rollback_replaces_a_deploy_that_hangs() {
    let bed = Bed::new().await;
    let bob = bed.user_after_admin("bob").await;
    bed.service.app_create(&bob, Some("blog")).await.unwrap();
    bed.engine.script_artifact("hangs", Behaviour::Hang);
    let _running = bed.start();
    bed.push(&bob, "blog", "good").await.unwrap();
    let hanging = tokio::spawn({
        let (service, bob) = (bed.service.clone(), bob.clone());
        async move { service.build_create(&bob, "blog", build("hangs", &["web"])).await }
    });
    super::bed::until("the deploy", async || bed.states(&bob, "blog").await.contains(&"v3 deploying".to_owned())).await;
    let busy = bed.service.config_set(&bob, "blog", values(json!({"A": "1"})), EmptyChange::Refuse).await;
    assert_eq!(text(busy), "Deployment for blog-web is already in progress");
    let release =
        bed.service.release_rollback(&bob, "blog", Some(&json!(2)), RollbackFloor::SecondRelease).await.unwrap();
    assert_eq!(release.version.0, 4);
    assert_eq!(text(hanging.await.unwrap()), "v3 was replaced by a later release before it was ready");
    assert_eq!(bed.states(&bob, "blog").await, ["v1 succeeded", "v2 succeeded", "v3 superseded", "v4 succeeded"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_builds_at_once_the_newest_runs_in_the_end() {
    let bed = Bed::new().await;
    let bob = bed.user_after_admin("bob").await;
    bed.service.app_create(&bob, Some("blog")).await.unwrap();
    bed.engine.script_default(Behaviour::ReadyAfter(2));
    let _running = bed.start();
    let images: Vec<String> = (0..6).map(|number| format!("image{number}")).collect();
    let pushes = futures::future::join_all(images.iter().map(|image| bed.push(&bob, "blog", image))).await;
    assert!(pushes.iter().any(Result::is_ok));
    for push in pushes {
        if let Err(error) = push {
            assert!(error.to_string().ends_with("was replaced by a later release before it was ready"), "{error}");
        }
    }
    let releases = bed.releases(&bob, "blog").await;
    assert_eq!(releases.len(), 7);
    assert_eq!(releases[0].state.as_str(), "succeeded");
    assert!(releases.iter().all(|release| release.state.is_final()));
    let applied = bed.engine.applied(bed.app_id(&bob, "blog").await).unwrap();
    assert_eq!(applied.release.unwrap().version, releases[0].version);
}

#[tokio::test(flavor = "multi_thread")]
async fn types_that_a_good_build_lacks_are_stopped() {
    let bed = Bed::new().await;
    let bob = bed.user_after_admin("bob").await;
    bed.service.app_create(&bob, Some("blog")).await.unwrap();
    let _running = bed.start();
    bed.service.build_create(&bob, "blog", build("both", &["web", "worker"])).await.unwrap();
    bed.service.app_scale(&bob, "blog", &map(json!({"worker": 2}))).await.unwrap();
    bed.engine.script_artifact("broken", Behaviour::Failing("no".to_owned()));
    assert!(bed.service.build_create(&bob, "blog", build("broken", &["web"])).await.is_err());
    assert_eq!(bed.service.app_get(&bob, "blog").await.unwrap().structure["worker"], 2);
    bed.service.build_create(&bob, "blog", build("one", &["web"])).await.unwrap();
    assert_eq!(bed.service.app_get(&bob, "blog").await.unwrap().structure["worker"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_path_on_postgresql() {
    let bed = Bed::on(Backend::Postgres).await;
    let bob = bed.user_after_admin("bob").await;
    bed.service.app_create(&bob, Some("blog")).await.unwrap();
    bed.engine.script_artifact("broken", Behaviour::Failing("no".to_owned()));
    let _running = bed.start();
    bed.push(&bob, "blog", "good").await.unwrap();
    bed.service.config_set(&bob, "blog", values(json!({"A": "1"})), EmptyChange::Refuse).await.unwrap();
    assert!(bed.push(&bob, "blog", "broken").await.is_err());
    bed.service.app_scale(&bob, "blog", &map(json!({"web": 2}))).await.unwrap();
    bed.service.release_rollback(&bob, "blog", Some(&json!(2)), RollbackFloor::SecondRelease).await.unwrap();
    let states = bed.states(&bob, "blog").await;
    assert_eq!(states, ["v1 succeeded", "v2 succeeded", "v3 succeeded", "v4 failed", "v5 succeeded"]);
    bed.service.app_destroy(&bob, "blog").await.unwrap();
    assert!(bed.service.app_get(&bob, "blog").await.is_err());
}
