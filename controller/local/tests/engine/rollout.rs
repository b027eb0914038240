//! Releases, scale, restarts, routes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use slipway_core::ReleaseVersion;
use slipway_engine::route::IdleReason;
use slipway_engine::spec::{Check, Probe};
use slipway_engine::status::{PodState, Rollout, RolloutState};
use slipway_engine::{Artifact, Engine, EngineError, HttpCheck, HttpCheckOutcome};
use slipway_slug::SlugManifest;

use crate::bed::{Bed, Next, app, is_alive, pids, process, until};

fn probe(check: Check) -> Probe {
    Probe {
        check,
        initial_delay: Duration::ZERO,
        timeout: Duration::from_secs(1),
        period: Duration::from_millis(20),
        success_threshold: 1,
        failure_threshold: 2,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_starts_is_routed_and_stops() {
    let bed = Bed::new().await;
    let spec = bed.server().env("TEXT", "one");
    let status = bed.settle(&spec).await;
    assert_eq!((status.applied_generation, status.serving), (Some(1), Some(ReleaseVersion(1))));
    let pod = &status.pods[0];
    assert!(pod.name.starts_with("blog-web-v1-") && pod.state == PodState::Up, "{pod:?}");
    let pid = pod.pid.unwrap();
    assert_eq!(bed.get("blog.localhost").await.unwrap(), format!("one {pid}"));
    bed.wait_log(spec.app, "web.1: listening").await;

    bed.engine.shutdown().await;
    assert!(!is_alive(pid));
    assert!(bed.engine.app_apply(spec).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_process_says_that_is_waited_for_can_be_asked() {
    let bed = Bed::new().await;
    let spec = app(bed.slug(&[]), vec![process("web", "echo one; echo listening on port 1; exec sleep 1006")]);
    assert!(bed.engine.rollout_output(spec.app).await.unwrap().is_empty(), "the app is not known yet");
    bed.engine.app_apply(spec.clone()).await.unwrap();
    until("its output", || async { bed.engine.rollout_output(spec.app).await.unwrap().len() == 2 }).await;
    assert_eq!(bed.engine.rollout_output(spec.app).await.unwrap(), ["one", "listening on port 1"]);

    let well = bed.server();
    bed.settle(&well).await;
    assert!(bed.engine.rollout_output(well.app).await.unwrap().is_empty(), "nothing is waited for");
}

#[tokio::test(flavor = "multi_thread")]
async fn applying_the_same_again_changes_nothing() {
    let bed = Bed::new().await;
    let spec = bed.server();
    let before = bed.settle(&spec).await;
    let mut later = spec.clone();
    later.generation = 7;
    let mut after = bed.settle(&later).await;
    assert_eq!(after.applied_generation, Some(7));
    after.applied_generation = before.applied_generation;
    assert_eq!(after, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_is_lost_when_one_replica_is_replaced() {
    let bed = Arc::new(Bed::new().await);
    let mut spec = bed.server().env("TEXT", "r1").env("DELAY", "0.02");
    bed.settle(&spec).await;
    let is_over = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let (bed, is_over) = (Arc::clone(&bed), Arc::clone(&is_over));
            tokio::spawn(async move {
                let mut count = 0_u32;
                while !is_over.load(Ordering::SeqCst) {
                    bed.get("blog.localhost").await.unwrap();
                    count += 1;
                }
                count
            })
        })
        .collect();
    for round in 2..6 {
        spec = spec.next().env("TEXT", &format!("r{round}"));
        bed.settle(&spec).await;
        assert!(bed.get("blog.localhost").await.unwrap().starts_with(&format!("r{round} ")));
    }
    spec = spec.change("web", |web| web.restart_token = 1);
    bed.settle(&spec).await;
    is_over.store(true, Ordering::SeqCst);
    for client in clients {
        assert!(client.await.unwrap() > 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_candidate_that_ends_leaves_the_old_release_serving() {
    let bed = Bed::new().await;
    let good = bed.server().env("TEXT", "good");
    let pid = pids(&bed.settle(&good).await);
    let bad = good.next().change("web", |web| web.command = Some("echo no config; exit 3".to_owned()));
    bed.engine.app_apply(bad.clone()).await.unwrap();
    let reason = bed.failing(bad.app).await;
    assert!(reason.starts_with("web.2 ended with exit code 3"), "{reason}");
    assert!(reason.ends_with("\nno config"), "{reason}");
    let status = bed.status(bad.app).await;
    assert_eq!(status.serving, Some(ReleaseVersion(1)));
    assert_eq!(bed.get("blog.localhost").await.unwrap(), format!("good {}", pid[0]));
    // Back to what serves: the candidate goes, the process was never touched.
    let mut back = good.clone();
    back.generation = 9;
    assert_eq!(pids(&bed.settle(&back).await), pid);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_candidate_that_never_listens_is_discarded_for_the_next() {
    let bed = Bed::new().await;
    let good = bed.server().env("TEXT", "v1");
    bed.settle(&good).await;
    let deaf = good.next().change("web", |web| web.command = Some("exec sleep 1000".to_owned()));
    bed.engine.app_apply(deaf.clone()).await.unwrap();
    let status = bed
        .wait(deaf.app, "the candidate", |status| {
            status.pods.len() == 2 && status.pods.iter().all(|pod| pod.pid.is_some())
        })
        .await;
    assert!(!status.is_settled);
    let candidate = status.pods.iter().find(|pod| pod.version == ReleaseVersion(2)).unwrap().pid.unwrap();
    let mut next = good.next().next().env("TEXT", "v3");
    next.generation = 3;
    let status = bed.settle(&next).await;
    assert_eq!(status.serving, Some(ReleaseVersion(3)));
    assert!(bed.get("blog.localhost").await.unwrap().starts_with("v3 "));
    assert!(!is_alive(candidate));
}

#[tokio::test(flavor = "multi_thread")]
async fn scale_adds_and_removes_processes_without_touching_the_others() {
    let bed = Bed::new().await;
    let spec = bed.server();
    let first = pids(&bed.settle(&spec).await)[0];
    let more = bed.settle(&spec.clone().change("web", |web| web.replicas = 3)).await;
    assert_eq!(more.pods.len(), 3);
    assert!(pids(&more).contains(&first));
    let backends = |bed: &Bed| {
        let routes = bed.engine.routes();
        let table = Arc::clone(&routes.borrow());
        let route = table.find("blog.localhost").unwrap();
        (route.backends.iter().map(|backend| backend.name.clone()).collect::<Vec<_>>(), route.idle)
    };
    assert_eq!(backends(&bed).0, ["web.1", "web.2", "web.3"]);
    let fewer = bed.settle(&spec.clone().change("web", |web| web.replicas = 1)).await;
    assert_eq!(pids(&fewer), [first]);
    let none = bed.settle(&spec.clone().change("web", |web| web.replicas = 0)).await;
    assert!(none.pods.is_empty());
    assert_eq!(backends(&bed), (Vec::new(), IdleReason::ScaledToZero));
    let mut gone = spec.clone();
    gone.release = None;
    bed.settle(&gone).await;
    assert_eq!(backends(&bed).1, IdleReason::NotDeployed);
    gone.route.ports = [("blog.localhost".to_owned(), 9090)].into();
    bed.settle(&gone).await;
    assert!(bed.engine.routes().borrow().is_empty(), "another port of this machine may be anybody's");
    gone.route.ports.clear();
    bed.settle(&gone).await;
    assert_eq!(bed.engine.routes().borrow().len(), 1);
    gone.route.is_routable = false;
    bed.settle(&gone).await;
    assert!(bed.engine.routes().borrow().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_token_replaces_one_type_only() {
    let bed = Bed::new().await;
    let artifact = bed.slug(&[]);
    let spec = app(artifact, vec![process("clock", "exec sleep 1000"), process("worker", "exec sleep 1000")]);
    let pid_of = |status: &slipway_engine::AppStatus, kind: &str| {
        status.pods.iter().find(|pod| pod.process_type.as_str() == kind).unwrap().pid
    };
    let before = bed.settle(&spec).await;
    let after = bed.settle(&spec.change("worker", |worker| worker.restart_token = 1)).await;
    assert_eq!(pid_of(&before, "clock"), pid_of(&after, "clock"));
    assert_ne!(pid_of(&before, "worker"), pid_of(&after, "worker"));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_process_can_be_restarted_by_name() {
    let bed = Bed::new().await;
    let spec = bed.server();
    let before = bed.settle(&spec).await;
    let missing = bed.engine.pod_restart(spec.app, "blog-web-v1-nope").await;
    assert!(matches!(missing, Err(EngineError::Missing(_))));
    bed.engine.pod_restart(spec.app, &before.pods[0].name).await.unwrap();
    let is_new = |status: &slipway_engine::AppStatus| status.is_settled && status.pods[0].restarts == 1;
    let after = bed.wait(spec.app, "another process", is_new).await;
    assert_ne!(after.pods[0].pid, before.pods[0].pid);
    bed.get("blog.localhost").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_is_asked_how_it_is_while_it_has_processes() {
    let bed = Bed::new().await;
    let spec = bed.server();
    let check = |timeout: Duration| HttpCheck {
        app: spec.app,
        name: spec.name.clone(),
        path: "/health".to_owned(),
        host: Some("blog.localhost".to_owned()),
        timeout,
    };
    let patient = check(Duration::from_mins(1));
    assert_eq!(bed.engine.http_check(&patient).await, HttpCheckOutcome::Untold);
    bed.settle(&spec).await;
    assert_eq!(bed.engine.http_check(&patient).await, HttpCheckOutcome::Answered(200));
    let slow = spec.next().env("DELAY", "600");
    bed.settle(&slow).await;
    let outcome = bed.engine.http_check(&check(Duration::from_millis(200))).await;
    assert_eq!(outcome, HttpCheckOutcome::Silent("no answer within 0.2 s".to_owned()));
    bed.settle(&slow.change("web", |web| web.replicas = 0)).await;
    assert_eq!(bed.engine.http_check(&patient).await, HttpCheckOutcome::Untold);
}

#[tokio::test(flavor = "multi_thread")]
async fn probes_decide_about_readiness_and_restarts() {
    let bed = Bed::new().await;
    let exec = |file: &str| probe(Check::Exec { command: ["test", "-e", file].map(str::to_owned).to_vec() });
    let http = Check::HttpGet { port: 5000, path: "/up".to_owned(), host: None, is_https: false, headers: Vec::new() };
    let spec = bed.server().change("web", |web| {
        web.readiness = Some(exec("ready"));
        web.liveness = Some(Probe { failure_threshold: 100, ..probe(http) });
    });
    bed.engine.app_apply(spec.clone()).await.unwrap();
    bed.wait_log(spec.app, "listening").await;
    assert!(!bed.status(spec.app).await.is_settled);
    let dir = |version: &str| {
        let home = bed.data.join("apps").join(spec.app.to_string());
        let found = std::fs::read_dir(home).unwrap().map(|entry| entry.unwrap());
        found
            .into_iter()
            .find(|entry| entry.file_name().to_string_lossy().starts_with(version))
            .unwrap()
            .path()
            .join("app")
    };
    std::fs::write(dir("v1-").join("ready"), "").unwrap();
    bed.wait(spec.app, "readiness", |status| status.is_settled).await;
    std::fs::remove_file(dir("v1-").join("ready")).unwrap();
    bed.wait(spec.app, "the end of readiness", |status| !status.is_settled).await;
    until("the route to be empty", || async { bed.get("blog.localhost").await.is_err() }).await;

    let sick = bed.slug(&[("server.py", crate::bed::SERVER), ("well", "")]);
    let mut spec = app(sick, vec![process("web", "exec python3 server.py")]);
    spec = spec.change("web", |web| web.liveness = Some(exec("well")));
    bed.settle(&spec).await;
    let home = bed.data.join("apps").join(spec.app.to_string());
    let copy =
        std::fs::read_dir(home).unwrap().map(|entry| entry.unwrap()).find(|entry| entry.path().is_dir()).unwrap();
    std::fs::remove_file(copy.path().join("app/well")).unwrap();
    bed.wait(spec.app, "a restart", |status| status.pods[0].restarts > 0).await;
    bed.wait_log(spec.app, "web.1 failed its health check: the check command failed").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_run_here_is_refused_with_what_to_do() {
    let bed = Bed::new().await;
    let unknown = Artifact::Slug { digest: "00".repeat(32) };
    assert!(matches!(bed.engine.artifact_check(&unknown).await, Err(EngineError::Missing(_))));
    let slug = bed.slug(&[("a", "")]);
    bed.engine.artifact_check(&slug).await.unwrap();
    // Young ones stay, whoever wants them.
    bed.engine.artifacts_retain(&[]).await.unwrap();
    bed.engine.artifact_check(&slug).await.unwrap();

    let spec = app(unknown, vec![process("web", "true")]);
    bed.engine.app_apply(spec.clone()).await.unwrap();
    assert!(bed.failing(spec.app).await.contains("slug 0000"), "the reason names the slug");
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_come_from_the_slug_when_the_release_has_none() {
    let bed = Bed::new().await;
    let mut manifest = SlugManifest::default();
    manifest.processes.insert("clock".to_owned(), "echo tick; exec sleep 1000".to_owned());
    let artifact = bed.slug_with(&[], &manifest);
    let spec = app(artifact, vec![process("clock", "")]).change("clock", |clock| clock.command = None);
    bed.settle(&spec).await;
    bed.wait_log(spec.app, "clock.1: tick").await;
    let mut other = spec.next();
    other.release.as_mut().unwrap().processes = vec![process("web", "")];
    let other = other.change("web", |web| web.command = None);
    bed.engine.app_apply(other.clone()).await.unwrap();
    assert!(bed.failing(other.app).await.contains("no command for 'web'"));
}

/// What a hook says goes nowhere, as on a cluster; what it does is seen.
#[tokio::test(flavor = "multi_thread")]
async fn hooks_run_after_the_start_and_before_the_stop() {
    let bed = Bed::new().await;
    let seen = tempfile::tempdir().unwrap();
    let hook = |name: &str| format!("echo \"$TEXT $PORT\" > {}", seen.path().join(name).display());
    let spec = bed.server().env("TEXT", "hooked").change("web", |web| {
        (web.post_start, web.pre_stop) = (Some(hook("started")), Some(hook("stopping")));
    });
    bed.settle(&spec).await;
    let read = |name: &str| std::fs::read_to_string(seen.path().join(name)).unwrap_or_default();
    until("the hook after the start", || async { read("started").starts_with("hooked ") }).await;
    assert_eq!(read("stopping"), "");
    bed.settle(&spec.change("web", |web| web.replicas = 0)).await;
    assert_eq!(read("stopping"), read("started"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_that_fails_ends_its_process_and_one_that_hangs_is_cut_off() {
    let bed = Bed::new().await;
    let good = bed.server();
    let spec = good.clone().change("web", |web| web.post_start = Some("exit 3".to_owned()));
    bed.engine.app_apply(spec.clone()).await.unwrap();
    let reason = "was ended, since the command after its start failed";
    bed.wait(spec.app, "the hook's failure", |status| {
        matches!(&status.rollout, Some(Rollout { state: RolloutState::Failing(said), .. }) if said.contains(reason))
    })
    .await;
    let hanging = good.next().change("web", |web| {
        (web.pre_stop, web.grace) = (Some("sleep 1021".to_owned()), Duration::from_secs(1));
    });
    let pid = pids(&bed.settle(&hanging).await)[0];
    bed.settle(&hanging.change("web", |web| web.replicas = 0)).await;
    assert!(!is_alive(pid));
}
