//! Apps from creation to destruction, and who may do what to them.

use serde_json::json;
use slipway_core::Error;
use slipway_core::authz::Actor;
use slipway_core::log::LogQuery;

use super::bed::{Bed, build, map};
use crate::testing::Behaviour;
use crate::{BuildLogState, HookBuildLog, NewRun, PageQuery, RouterEndpoint};

fn text<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    result.unwrap_err().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_app_has_its_first_release_and_lines_in_its_log() {
    let bed = Bed::new().await;
    let bob = bed.user_after_admin("bob").await;
    let app = bed.service.app_create(&bob, Some("blog")).await.unwrap();
    assert_eq!(bed.service.app_host(&app), "blog.example.com");
    let releases = bed.releases(&bob, "blog").await;
    assert_eq!(releases.len(), 1);
    assert_eq!(releases[0].summary, "bob created initial release");
    assert!(bed.service.config_get(&bob, "blog").await.unwrap().values.is_empty());
    let lines = bed.engine.log_texts(app.id);
    let starts = ["INFO config blog-", "INFO bob created initial", "INFO appsettings blog-", "INFO domain blog added"];
    assert_eq!(lines.len(), starts.len());
    for (line, start) in lines.iter().zip(starts) {
        assert!(line.starts_with(&format!("slipway[controller]: {start}")), "{line}");
    }
    assert_eq!(bed.service.app_logs(&bob, "blog", LogQuery { lines: 2, process_type: None }).await.unwrap().len(), 2);
    let taken = bed.service.app_create(&bob, Some("blog")).await;
    assert_eq!(text(taken), "id: Application with this id already exists.");
    let made_up = bed.service.app_create(&bob, None).await.unwrap();
    assert_eq!(made_up.name.as_str().len(), 15);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_app_is_told_before_a_missing_right() {
    let bed = Bed::new().await;
    let root = bed.user("root").await;
    let bob = bed.user("bob").await;
    let al = bed.user("al").await;
    bed.service.app_create(&bob, Some("blog")).await.unwrap();
    let anonymous = bed.cx(Actor::Anonymous);
    for missing in ["nothing", "No_App", "../x"] {
        assert!(matches!(bed.service.app_get(&al, missing).await, Err(Error::NotFound { .. })));
        assert!(matches!(bed.service.app_get(&anonymous, missing).await, Err(Error::Unauthenticated(_))));
    }
    assert!(matches!(bed.service.app_get(&al, "blog").await, Err(Error::Forbidden(_))));
    bed.service.app_get(&root, "blog").await.unwrap();
    // A collaborator uses the app, and no more.
    assert!(matches!(bed.service.perm_grant(&al, "blog", "al").await, Err(Error::Forbidden(_))));
    bed.service.perm_grant(&bob, "blog", "al").await.unwrap();
    bed.service.perm_grant(&bob, "blog", "al").await.unwrap();
    bed.service.app_get(&al, "blog").await.unwrap();
    assert_eq!(bed.service.apps_list(&al, PageQuery::default()).await.unwrap().count, 1);
    assert_eq!(bed.service.perms_list(&al, "blog").await.unwrap().len(), 1);
    assert!(matches!(bed.service.app_destroy(&al, "blog").await, Err(Error::Forbidden(_))));
    assert!(matches!(bed.service.app_transfer(&al, "blog", Some("al")).await, Err(Error::Forbidden(_))));
    assert!(matches!(bed.service.perm_grant(&al, "blog", "root").await, Err(Error::Forbidden(_))));
    assert!(matches!(bed.service.perm_revoke(&al, "blog", "bob").await, Err(Error::Forbidden(_))));
    bed.service.perm_revoke(&al, "blog", "al").await.unwrap();
    assert!(matches!(bed.service.app_get(&al, "blog").await, Err(Error::Forbidden(_))));
    // The old owner of a transferred app has no access.
    assert!(matches!(bed.service.app_transfer(&bob, "blog", Some("nobody")).await, Err(Error::NotFound { .. })));
    bed.service.app_transfer(&bob, "blog", Some("al")).await.unwrap();
    assert!(matches!(bed.service.app_get(&bob, "blog").await, Err(Error::Forbidden(_))));
    bed.service.app_get(&al, "blog").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destroyed_app_is_gone_and_its_name_is_free() {
    let bed = Bed::new().await;
    let bob = bed.user_after_admin("bob").await;
    bed.service.app_create(&bob, Some("blog")).await.unwrap();
    let _running = bed.start();
    bed.push(&bob, "blog", "image").await.unwrap();
    bed.service.app_destroy(&bob, "blog").await.unwrap();
    assert!(matches!(bed.service.app_get(&bob, "blog").await, Err(Error::NotFound { .. })));
    assert_eq!(bed.engine.removed().len(), 1);
    bed.service.app_create(&bob, Some("blog")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_can_be_destroyed_in_the_middle_of_a_deploy() {
    let bed = Bed::new().await;
    let bob = bed.user_after_admin("bob").await;
    bed.service.app_create(&bob, Some("blog")).await.unwrap();
    bed.engine.script_default(Behaviour::Hang);
    let _running = bed.start();
    let pushing = tokio::spawn({
        let (service, bob) = (bed.service.clone(), bob.clone());
        async move { service.build_create(&bob, "blog", build("image", &["web"])).await }
    });
    super::bed::until("the deploy", async || bed.engine.effects().iter().any(|spec| spec.release.is_some())).await;
    bed.service.app_destroy(&bob, "blog").await.unwrap();
    assert!(matches!(pushing.await.unwrap(), Err(Error::NotFound { .. })));
    assert!(matches!(bed.service.app_get(&bob, "blog").await, Err(Error::NotFound { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_off_processes_tell_code_and_output() {
    let bed = Bed::new().await;
    let bob = bed.user_after_admin("bob").await;
    bed.service.app_create(&bob, Some("blog")).await.unwrap();
    assert_eq!(text(bed.service.app_run(&bob, "blog", &NewRun::default()).await), "command is a required field");
    let no_build = text(bed.service.app_run(&bob, "blog", &NewRun::of("ls")).await);
    assert_eq!(no_build, "No build associated with this release to run this command");
    let _running = bed.start();
    bed.push(&bob, "blog", "image").await.unwrap();
    bed.engine.script_run("false", Ok((1, "no\n".to_owned())));
    bed.engine.script_run("broken", Err("no such slug".to_owned()));
    let outcome = bed.service.app_run(&bob, "blog", &NewRun::of("false")).await.unwrap();
    assert_eq!((outcome.exit_code, outcome.output.as_ref()), (1, b"no\n".as_slice()));
    let spec = bed.engine.run_specs().pop().unwrap();
    assert_eq!(spec.env["SLIPWAY_APP"].expose(), "blog");
    let suffix = spec.process_name.strip_prefix("run.").unwrap().to_owned();
    let lines = bed.engine.log_texts(bed.app_id(&bob, "blog").await);
    assert!(lines.contains(&format!("slipway[controller]: INFO bob on blog-run-{suffix} runs 'false'")));
    let Err(Error::Unavailable { public, .. }) = bed.service.app_run(&bob, "blog", &NewRun::of("broken")).await else {
        panic!("it ran")
    };
    assert!(public.starts_with("blog-run-") && public.ends_with(" (run): no such slug"), "{public}");
}

#[tokio::test(flavor = "multi_thread")]
async fn scaling_checks_in_the_order_of_the_contract() {
    let bed = Bed::new().await;
    let bob = bed.user_after_admin("bob").await;
    bed.service.app_create(&bob, Some("blog")).await.unwrap();
    let scale = async |wanted: serde_json::Value| bed.service.app_scale(&bob, "blog", &map(wanted)).await;
    assert_eq!(text(scale(json!({"web": "x"})).await), "No build associated with this release");
    let _running = bed.start();
    bed.push(&bob, "blog", "image").await.unwrap();
    for (wanted, expect) in [
        (json!({"web": "x"}), "Invalid scaling format: invalid literal for int() with base 10: 'x'"),
        (json!({"web": -1}), "Invalid scaling format: ['Must be greater than or equal to zero']"),
        (json!({"other": 1}), "Container type other does not exist in application"),
    ] {
        assert_eq!(text(scale(wanted).await), expect);
    }
    scale(json!({"web": "3"})).await.unwrap();
    assert_eq!(bed.service.pods_list(&bob, "blog", Some("web"), None).await.unwrap().len(), 3);
    let effects = bed.engine.effects().len();
    scale(json!({"web": 3})).await.unwrap();
    assert_eq!(bed.engine.effects().len(), effects);
    // What does not come up is put back.
    bed.engine.script_default(Behaviour::Failing("out of memory".to_owned()));
    let Err(Error::Unavailable { public, .. }) = scale(json!({"web": 5})).await else { panic!("it scaled") };
    assert_eq!(public, "(scale): out of memory");
    assert_eq!(bed.service.app_get(&bob, "blog").await.unwrap().structure["web"], 3);
    assert_eq!(bed.releases(&bob, "blog").await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn restarts_answer_with_the_replacements() {
    use crate::PodTarget;
    let bed = Bed::new().await;
    let bob = bed.user_after_admin("bob").await;
    bed.service.app_create(&bob, Some("blog")).await.unwrap();
    let _running = bed.start();
    bed.service.build_create(&bob, "blog", build("image", &["web", "worker"])).await.unwrap();
    bed.service.app_scale(&bob, "blog", &map(json!({"web": 2, "worker": 1}))).await.unwrap();
    let names = async |process_type: Option<&str>| {
        let pods = bed.service.pods_list(&bob, "blog", process_type, None).await.unwrap();
        pods.into_iter().map(|pod| pod.name).collect::<std::collections::BTreeSet<_>>()
    };
    let (web, worker) = (names(Some("web")).await, names(Some("worker")).await);
    let restarted = bed.service.pods_restart(&bob, "blog", PodTarget::Segment("web")).await.unwrap();
    assert_eq!(restarted.len(), 2);
    assert!(names(Some("web")).await.is_disjoint(&web));
    assert_eq!(names(Some("worker")).await, worker);
    let one = names(Some("web")).await.into_iter().next().unwrap();
    let replaced = bed.service.pods_restart(&bob, "blog", PodTarget::Segment(&one)).await.unwrap();
    assert_eq!(replaced.len(), 1);
    assert!(!names(None).await.contains(&one));
    let all = bed.service.pods_restart(&bob, "blog", PodTarget::All).await.unwrap();
    assert_eq!(all.len(), 3);
    assert!(bed.service.pods_restart(&bob, "blog", PodTarget::Segment("none")).await.unwrap().is_empty());
    let pod = PodTarget::Pod { process_type: "worker", name: "blog-worker-v2-x" };
    assert!(bed.service.pods_restart(&bob, "blog", pod).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_builder_speaks_for_those_who_may_push() {
    let bed = Bed::new().await;
    let bob = bed.user_after_admin("bob").await;
    bed.user("al").await;
    bed.service.app_create(&bob, Some("blog")).await.unwrap();
    bed.service.router_set(RouterEndpoint { scheme: "http".to_owned(), port: 8080 });
    let builder = bed.cx(Actor::Builder);
    assert!(matches!(bed.service.hook_access(&builder, "al", "blog").await, Err(Error::Forbidden(_))));
    assert!(matches!(bed.service.hook_access(&builder, "bob", "none").await, Err(Error::NotFound { .. })));
    assert!(matches!(bed.service.hook_access(&bob, "bob", "blog").await, Err(Error::Forbidden(_))));
    assert_eq!(bed.service.hook_access(&builder, "bob", "blog").await.unwrap().name.as_str(), "blog");
    assert_eq!(bed.service.hook_apps(&builder).await.unwrap().len(), 1);
    let mut new = build(&format!("slug@sha256:{}", "0a".repeat(32)), &["web"]);
    new.sha = "0123abcd".to_owned();
    assert_eq!(
        text(bed.service.build_create(&bob, "blog", new.clone()).await),
        "image: This slug is not of a build of this app"
    );
    let deployed = bed.service.hook_build(&builder, "bob", "blog", new, false).await.unwrap();
    assert_eq!(deployed.release.summary, "bob deployed 0123abc");
    let wait = std::time::Duration::from_secs(10);
    let first = bed.service.hook_release_progress(&builder, "blog", "v2", wait, "").await.unwrap();
    assert_eq!(first.urls, ["http://blog.example.com:8080"]);
    let _running = bed.start();
    let mut seen = first;
    while !seen.state.is_final() {
        seen = bed.service.hook_release_progress(&builder, "blog", "v2", wait, &seen.seen).await.unwrap();
    }
    assert_eq!(seen.state.as_str(), "succeeded");
    let log = HookBuildLog {
        sha: "0123abcd".repeat(5),
        state: BuildLogState::Succeeded,
        log: "-----> done\n".to_owned(),
        build: None,
    };
    bed.service.hook_build_log(&builder, "bob", "blog", log).await.unwrap();
    let logs = bed.service.build_logs_list(&bob, "blog", PageQuery::default()).await.unwrap();
    assert_eq!((logs.count, logs.items[0].log.as_str()), (1, ""));
    let log = bed.service.build_log_get(&bob, "blog", "0123abcd").await.unwrap();
    assert_eq!(log.log, "-----> done\n");
    assert_eq!(bed.service.build_log_get(&bob, "blog", &log.id.to_string()).await.unwrap().log, log.log);
    assert!(matches!(bed.service.build_log_get(&bob, "blog", "ffffffff").await, Err(Error::NotFound { .. })));
    // Nothing of an app with workers alone is routed: nobody is sent to an address that answers 404.
    let mut workers = build(&format!("slug@sha256:{}", "0a".repeat(32)), &["worker"]);
    workers.sha = "0123abcd".to_owned();
    let deployed = bed.service.hook_build(&builder, "bob", "blog", workers, false).await.unwrap();
    let version = deployed.release.version.to_string();
    let zero = std::time::Duration::ZERO;
    let progress = bed.service.hook_release_progress(&builder, "blog", &version, zero, "").await.unwrap();
    assert_eq!(progress.urls, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn builds_are_canceled() {
    let bed = Bed::new().await;
    let bob = bed.user_after_admin("bob").await;
    let ann = bed.user("ann").await;
    bed.service.app_create(&bob, Some("blog")).await.unwrap();
    let builder = bed.cx(Actor::Builder);
    let sha = "0123abcd".repeat(5);
    let none = "No build of blog is under way";
    assert_eq!(text(bed.service.build_cancel(&bob, "blog", None).await), none);
    let id = bed.service.hook_build_begin(&builder, "bob", "blog", &sha).await.unwrap();
    let listed = bed.service.build_logs_list(&bob, "blog", PageQuery::default()).await.unwrap();
    assert_eq!(listed.items[0].state, BuildLogState::Running);
    let zero = std::time::Duration::ZERO;
    let name = id.to_string();
    let seen = bed.service.hook_build_watch(&builder, "blog", &name, zero).await.unwrap();
    assert_eq!((seen.state, seen.log.as_str()), (BuildLogState::Running, ""));
    assert_eq!(text(bed.service.build_cancel(&bob, "blog", Some("ffffffff")).await), none);
    assert!(matches!(bed.service.build_cancel(&ann, "blog", None).await, Err(Error::Forbidden(_))));
    bed.service.perm_grant(&bob, "blog", "ann").await.unwrap();

    // Two cancel at once; both learn how it ended. Each says so once it has seen the build under way: who came after the
    // end would find none.
    let mut told = bed.service.signals().recordings();
    let end = async {
        let wait = std::time::Duration::from_secs(20);
        let seen = bed.service.hook_build_watch(&builder, "blog", &name, wait).await.unwrap();
        assert_eq!(seen.state, BuildLogState::Canceling);
        assert!(seen.log.starts_with("Build canceled by "), "{}", seen.log);
        for _ in 0..2 {
            told.recv().await.unwrap();
        }
        let log = HookBuildLog {
            sha: sha.clone(),
            state: BuildLogState::Canceled,
            log: "so far".to_owned(),
            build: Some(id),
        };
        bed.service.hook_build_log(&builder, "bob", "blog", log).await.unwrap();
    };
    let (one, other, ()) = tokio::join!(
        bed.service.build_cancel(&ann, "blog", None),
        bed.service.build_cancel(&bob, "blog", Some(&sha[..7])),
        end
    );
    assert_eq!((one.unwrap().state, other.unwrap().state), (BuildLogState::Canceled, BuildLogState::Canceled));
    let logs = bed.service.build_logs_list(&bob, "blog", PageQuery::default()).await.unwrap();
    assert_eq!(logs.count, 1, "the log is that of the build that began");
    assert_eq!(bed.service.build_log_get(&bob, "blog", &name).await.unwrap().log, "so far");
    assert_eq!(text(bed.service.build_cancel(&bob, "blog", None).await), none);

    // A builder that is gone does not keep anybody waiting for ever, and what it says afterwards is not believed.
    let id = bed.service.hook_build_begin(&builder, "bob", "blog", &sha).await.unwrap();
    assert_eq!(bed.service.build_cancel(&bob, "blog", None).await.unwrap().state, BuildLogState::Canceled);
    let late = HookBuildLog { sha, state: BuildLogState::Succeeded, log: "late".to_owned(), build: Some(id) };
    bed.service.hook_build_log(&builder, "bob", "blog", late).await.unwrap();
    let kept = bed.service.build_log_get(&bob, "blog", &id.to_string()).await.unwrap();
    assert!(kept.state == BuildLogState::Canceled && kept.log.contains("did not answer"), "{kept:?}");
}
