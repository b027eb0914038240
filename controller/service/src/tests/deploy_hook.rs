//! Deploy hooks: what is told, how often, and what the end of a controller changes.

use std::time::Duration;

use secrecy::SecretString;
use serde_json::json;
use slipway_core::Error;
use slipway_store::testing::Backend;

use super::bed::{Bed, build, values};
use crate::testing::{Behaviour, FakeHooks};
use crate::{Cx, DeployHooks, EmptyChange, Reconciler, RollbackFloor};

const ONE: &str = "https://one.example/hook?token=hunter2";

async fn hooked(backend: Backend, urls: &'static str) -> (Bed, Cx) {
    let bed = Bed::with(backend, move |config| {
        config.deploy_hooks = DeployHooks::parse(urls, Some(SecretString::from("key"))).unwrap();
    })
    .await;
    let bob = bed.user_after_admin("bob").await;
    (bed, bob)
}

/// What was told, without the address.
fn told(hooks: &FakeHooks) -> Vec<String> {
    hooks.calls().iter().map(|call| call.url.query().unwrap().replace("token=hunter2&", "")).collect()
}

async fn every_release_is_told_once(backend: Backend) {
    let (bed, bob) = hooked(backend, ONE).await;
    let _running = bed.start();
    let app = bed.service.app_create(&bob, Some("blog")).await.unwrap().id;
    let mut new = build("image", &["web"]);
    new.sha = "abcdef1234".to_owned();
    bed.service.build_create(&bob, "blog", new).await.unwrap();
    bed.engine.script_artifact("broken", Behaviour::Failing("no".to_owned()));
    bed.push(&bob, "blog", "broken").await.unwrap_err();
    bed.service.config_set(&bob, "blog", values(json!({"A": "1"})), EmptyChange::Refuse).await.unwrap();
    bed.service.release_rollback(&bob, "blog", Some(&json!(2)), RollbackFloor::SecondRelease).await.unwrap();
    // Nobody delivered anything so far, as if each of these controllers had died at once.
    let (hooks, reconciler) = (FakeHooks::default(), Reconciler::new(bed.restarted()));
    reconciler.hooks_deliver(&hooks).await.unwrap();
    assert_eq!(
        told(&hooks),
        [
            "app=blog&release=v1&release_summary=bob+created+initial+release&sha=&user=bob",
            "app=blog&release=v2&release_summary=bob+deployed+abcdef1&sha=abcdef1234&user=bob",
            "app=blog&release=v3&release_summary=bob+deployed+broken&sha=&user=bob",
            "app=blog&release=v4&release_summary=bob+added+A&sha=abcdef1234&user=bob",
            "app=blog&release=v5&release_summary=bob+rolled+back+to+v2&sha=abcdef1234&user=bob",
        ]
    );
    assert!(hooks.calls().iter().all(|call| call.authorization.as_ref().unwrap().len() == 40));
    reconciler.hooks_deliver(&hooks).await.unwrap();
    assert_eq!(hooks.calls().len(), 5, "told twice");
    let lines = bed.engine.log_texts(app);
    assert!(lines.iter().any(|line| line.ends_with("INFO Deploy hook sent to https://one.example/hook")), "{lines:?}");
    assert!(!lines.iter().any(|line| line.contains("hunter2")));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_release_is_told_once_on_sqlite() {
    every_release_is_told_once(Backend::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_release_is_told_once_on_postgres() {
    every_release_is_told_once(Backend::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_in_vain_is_tried_ten_times_more() {
    let (bed, bob) = hooked(Backend::Sqlite, ONE).await;
    let app = bed.service.app_create(&bob, Some("blog")).await.unwrap().id;
    let (hooks, reconciler) = (FakeHooks::default(), Reconciler::new(bed.restarted()));
    hooks.script((0..20).map(|n| if n % 2 == 0 { Err("nobody answers".to_owned()) } else { Ok(503) }));
    let mut pause = Duration::from_secs(1);
    for tries in 1..=11 {
        reconciler.hooks_deliver(&hooks).await.unwrap();
        reconciler.hooks_deliver(&hooks).await.unwrap();
        assert_eq!(hooks.calls().len(), tries);
        bed.clock.advance(pause);
        pause *= 2;
    }
    bed.clock.advance(Duration::from_hours(24));
    reconciler.hooks_deliver(&hooks).await.unwrap();
    assert_eq!(hooks.calls().len(), 11);
    let lines = bed.engine.log_texts(app);
    let last = lines.iter().filter(|line| line.contains("deploy hook")).collect::<Vec<_>>();
    assert!(
        matches!(last.as_slice(), [line] if line.ends_with(
            "ERROR An error occurred while sending the deploy hook to https://one.example/hook: nobody answers"
        )),
        "{last:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_that_refuses_holds_up_no_other() {
    let (bed, bob) = hooked(Backend::Sqlite, "https://one.example/,https://two.example/").await;
    bed.service.app_create(&bob, Some("blog")).await.unwrap();
    let (hooks, reconciler) = (FakeHooks::default(), Reconciler::new(bed.restarted()));
    hooks.script([Ok(400)]);
    reconciler.hooks_deliver(&hooks).await.unwrap();
    let mut hosts: Vec<String> = hooks.calls().iter().map(|call| call.url.host_str().unwrap().to_owned()).collect();
    hosts.sort();
    assert_eq!(hosts, ["one.example", "two.example"]);
    bed.clock.advance(Duration::from_hours(1));
    reconciler.hooks_deliver(&hooks).await.unwrap();
    assert_eq!(hooks.calls().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_without_a_procfile_may_be_refused() {
    let bed = Bed::with(Backend::Sqlite, |config| config.is_missing_procfile_rejected = true).await;
    let _running = bed.start();
    let bob = bed.user_after_admin("bob").await;
    bed.service.app_create(&bob, Some("blog")).await.unwrap();
    bed.service.build_create(&bob, "blog", build("image", &[])).await.unwrap();
    bed.push(&bob, "blog", "image").await.unwrap();
    let error = bed.service.build_create(&bob, "blog", build("image", &[])).await.unwrap_err();
    assert!(
        matches!(&error, Error::Conflict(text) if text == "Last deployment had a Procfile but is missing in this deploy. For a successful deployment provide a Procfile."),
        "{error:?}"
    );
    assert_eq!(bed.states(&bob, "blog").await.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn apps_without_tags_have_those_of_the_platform() {
    let bed = Bed::with(Backend::Sqlite, |config| {
        config.default_tags.insert("disk".to_owned(), "ssd".to_owned());
    })
    .await;
    let _running = bed.start();
    let bob = bed.user_after_admin("bob").await;
    let app = bed.service.app_create(&bob, Some("blog")).await.unwrap().id;
    bed.push(&bob, "blog", "image").await.unwrap();
    assert_eq!(bed.engine.applied(app).unwrap().release.unwrap().placement["disk"], "ssd");
    // They are nobody's own: the configuration does not show them.
    assert!(bed.service.config_get(&bob, "blog").await.unwrap().tags.is_empty());
}
