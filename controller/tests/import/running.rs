//! What becomes of imported apps once the controller runs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use slipway_core::authz::Actor;
use slipway_core::release::ReleaseState;
use slipway_engine::Engine;
use slipway_service::testing::{Behaviour, FakeEngine};
use slipway_service::{Clock, Cx, NewBuild, PageQuery, Reconciler, Service, ServiceConfig, SystemClock};
use slipway_store::testing::{Backend, TestStore};
use tokio_util::sync::CancellationToken;

use crate::bed::imported;

/// What this platform can run.
const IMAGE: &str = "quay.io/example/new:1";

fn cx(actor: Actor) -> Cx {
    Cx { actor, request_id: "r1".to_owned(), now: SystemClock.now(), remote: None }
}

struct Platform {
    service: Service,
    engine: Arc<FakeEngine>,
    shutdown: CancellationToken,
    _test: TestStore,
}

impl Drop for Platform {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

/// A controller on what was imported, with an engine that cannot fetch what the builds name.
async fn start() -> Platform {
    let (test, _) = imported(Backend::Sqlite).await;
    let engine = FakeEngine::new();
    for image in ["home/blog:git-1f2e3d4c/push/slug.tgz", "quay.io/example/shop:1.4"] {
        engine.script_artifact(image, Behaviour::Rejected("there is no such image".to_owned()));
    }
    let mut config = ServiceConfig::new("apps.test", SecretString::from("builder"), SecretString::from("server"));
    config.reconcile_interval = Duration::from_millis(20);
    let engine_port = Arc::clone(&engine) as Arc<dyn Engine>;
    let service = Service::new(config, test.store.clone(), engine_port, Arc::new(SystemClock));
    let shutdown = CancellationToken::new();
    tokio::spawn(Reconciler::new(service.clone()).run(shutdown.clone()));
    Platform { service, engine, shutdown, _test: test }
}

impl Platform {
    /// Logs in with the old password.
    async fn login(&self, name: &str) -> Cx {
        let anonymous = cx(Actor::Anonymous);
        let password = SecretString::from(format!("password of {name}"));
        let token = self.service.user_login(&anonymous, name, password).await.unwrap();
        let actor = self.service.token_authenticate(secrecy::ExposeSecret::expose_secret(&token)).await.unwrap();
        cx(actor)
    }
}

fn new_build() -> NewBuild {
    NewBuild {
        image: IMAGE.to_owned(),
        sha: "aaaa1111".to_owned(),
        procfile: BTreeMap::from([
            ("web".to_owned(), Some("./web".to_owned())),
            ("worker".to_owned(), Some("./work".to_owned())),
        ]),
        ..NewBuild::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn people_log_in_with_their_old_passwords() {
    let platform = start().await;
    platform.login("ana").await;
    platform.login("bob").await;
    let anonymous = cx(Actor::Anonymous);
    for (name, password) in [("cy@example.com", "!"), ("dee", "password of cy"), ("bob", "password of ana")] {
        assert!(platform.service.user_login(&anonymous, name, SecretString::from(password)).await.is_err(), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn builds_that_cannot_run_here_hold_nothing_up_and_a_push_brings_the_app_back() {
    let platform = start().await;
    let (ana, bob) = (platform.login("ana").await, platform.login("bob").await);

    // An app beside them deploys while theirs are refused again and again.
    let deployed = platform.service.build_create(&bob, "empty", new_build()).await.unwrap();
    assert_eq!(deployed.release.state, ReleaseState::Succeeded);
    assert_eq!(deployed.release.version.0, 2);
    let blog = platform.service.app_get(&ana, "blog").await.unwrap();
    assert!(platform.engine.applied(blog.id).is_none(), "nothing of it runs");
    let releases = platform.service.releases_list(&ana, "blog", PageQuery::default()).await.unwrap().items;
    assert_eq!(releases[0].version.0, 5, "refusals make no releases");
    assert_eq!(releases[1].state, ReleaseState::Succeeded, "and do not rewrite history");

    let deployed = platform.service.build_create(&bob, "blog", new_build()).await.unwrap();
    assert_eq!((deployed.release.version.0, deployed.release.state), (6, ReleaseState::Succeeded));
    let spec = platform.engine.applied(blog.id).unwrap();
    let release = spec.release.unwrap();
    let scale: BTreeMap<_, _> =
        release.processes.iter().map(|process| (process.process_type.as_str(), process.replicas)).collect();
    assert_eq!(scale, BTreeMap::from([("web", 2), ("worker", 1)]), "at its old scale");
    assert_eq!(release.env["DATABASE_URL"].expose(), "postgres://u:made-up-secret@db/blog", "with its old values");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_push_of_an_imported_app_leaves_it_as_it_was() {
    let platform = start().await;
    let ana = platform.login("ana").await;
    platform.engine.script_artifact(IMAGE, Behaviour::Failing("it crashes".to_owned()));
    assert!(platform.service.build_create(&ana, "blog", new_build()).await.is_err());
    let releases = platform.service.releases_list(&ana, "blog", PageQuery::default()).await.unwrap().items;
    let states: Vec<_> = releases.iter().map(|release| (release.version.0, release.state)).collect();
    assert_eq!(states[..3], [(6, ReleaseState::Failed), (5, ReleaseState::Failed), (4, ReleaseState::Succeeded)]);
    assert!(platform.service.app_create(&ana, Some("another")).await.is_ok(), "the platform goes on");
}
