//! What the engine reads from a real cluster: output, one-off processes, commands inside of pods, reasons, leaders.
//!
//! Ignored unless asked for: `SLIPWAY_TEST_KUBECONFIG=… cargo test -p slipway-cluster -- --ignored`, with
//! `SLIPWAY_TEST_IMAGE`, an image with busybox (default `127.0.0.1:5000/base/busybox:1`).

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::batch::v1::Job;
use kube::api::{Api, DeleteParams, ListParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use slipway_cluster::log::MemoryKeep;
use slipway_cluster::settings::FetchSettings;
use slipway_cluster::{ClusterEngine, ClusterSettings, lease};
use slipway_core::build::BuildKind;
use slipway_core::config::SecretText;
use slipway_core::log::{LogLine, LogQuery};
use slipway_core::{AppId, AppName, ProcessType, ReleaseVersion};
use slipway_engine::session::{Input, Output, TerminalSize};
use slipway_engine::spec::RouteSpec;
use slipway_engine::{
    AppSpec, Artifact, Attach, Engine, ExecSpec, ProcessSpec, ReleaseSpec, RolloutState, RunSpec, Session,
};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// Longest that anything is waited for.
const PATIENCE: Duration = Duration::from_mins(3);
/// Pause between two looks.
const LOOK: Duration = Duration::from_millis(200);

async fn client() -> Client {
    let path = std::env::var("SLIPWAY_TEST_KUBECONFIG").expect("SLIPWAY_TEST_KUBECONFIG names the test cluster");
    let kubeconfig = Kubeconfig::read_from(PathBuf::from(path)).unwrap();
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    Client::try_from(config).unwrap()
}

async fn engine(client: &Client, shutdown: &CancellationToken) -> Arc<ClusterEngine> {
    let settings = ClusterSettings {
        fetch: FetchSettings { insecure: vec!["127.0.0.1:5000".to_owned()], ..FetchSettings::default() },
        ..ClusterSettings::default()
    };
    let keep = Arc::new(MemoryKeep::default());
    let engine = ClusterEngine::start(client.clone(), settings, keep, shutdown.clone()).await.unwrap();
    engine.index().synced().await;
    engine
}

fn image() -> Artifact {
    let image = std::env::var("SLIPWAY_TEST_IMAGE").unwrap_or_else(|_| "127.0.0.1:5000/base/busybox:1".to_owned());
    Artifact::Image { reference: image }
}

fn env() -> BTreeMap<String, SecretText> {
    [("PORT", "5000"), ("GREETING", "hello")].map(|(name, value)| (name.to_owned(), SecretText::new(value))).into()
}

fn app(test: &str, version: u32, line: &str, id: AppId) -> AppSpec {
    let process = ProcessSpec {
        process_type: ProcessType::new("worker").unwrap(),
        command: Some(line.to_owned()),
        replicas: 1,
        autoscale: None,
        is_routed: false,
        restart_token: 0,
        memory: None,
        cpu: None,
        readiness: None,
        liveness: None,
        grace: Duration::from_secs(2),
        post_start: None,
        pre_stop: None,
        mounts: Vec::new(),
    };
    AppSpec {
        app: id,
        name: AppName::new(format!("watch-test-{test}-{}", std::process::id())).unwrap(),
        generation: i64::from(version),
        release: Some(ReleaseSpec {
            version: ReleaseVersion(version),
            summary: "a test".to_owned(),
            artifact: image(),
            kind: BuildKind::Image,
            registry: None,
            placement: BTreeMap::new(),
            env: env(),
            processes: vec![process],
        }),
        route: RouteSpec::default(),
        volumes: Vec::new(),
    }
}

fn run(spec: &AppSpec, command: &str, suffix: &str) -> RunSpec {
    RunSpec {
        app: spec.app,
        name: spec.name.clone(),
        version: ReleaseVersion(1),
        artifact: image(),
        kind: BuildKind::Image,
        registry: None,
        placement: BTreeMap::new(),
        env: env(),
        command: command.to_owned(),
        process_name: format!("run.{suffix}"),
        memory: None,
        cpu: None,
        timeout: Duration::from_mins(1),
        mounts: Vec::new(),
    }
}

/// Waits until `look` gives something.
async fn until<T, F: Future<Output = Option<T>>>(what: &str, look: impl Fn() -> F) -> T {
    let found = timeout(PATIENCE, async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(LOOK).await;
        }
    });
    found.await.unwrap_or_else(|_| panic!("not in time: {what}"))
}

async fn settled(engine: &ClusterEngine, spec: &AppSpec) {
    engine.app_apply(spec.clone()).await.unwrap();
    until("settled", || async {
        let status = engine.app_status(spec.app).await.unwrap();
        (status.is_settled && status.applied_generation == Some(spec.generation)).then_some(())
    })
    .await;
}

/// Everything that a session prints, and its exit code.
async fn end_of(mut session: Session) -> (String, i32) {
    let mut text = String::new();
    let end = timeout(PATIENCE, async {
        while let Some(piece) = session.output.next().await {
            match piece {
                Output::Stdout(bytes) | Output::Stderr(bytes) => text.push_str(&String::from_utf8_lossy(&bytes)),
                Output::Exit(code) => return code,
                Output::Lost(reason) => panic!("lost: {reason} after {text:?}"),
            }
        }
        panic!("no end after {text:?}");
    });
    let code = end.await.expect("an end in time");
    (text, code)
}

fn find(lines: &[LogLine], text: &str) -> bool {
    lines.iter().any(|line| line.text.contains(text))
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster"]
async fn output_is_merged_followed_over_a_rollout_and_kept_of_pods_that_ended() {
    let (client, shutdown) = (client().await, CancellationToken::new());
    let engine = engine(&client, &shutdown).await;
    let line = "echo from one; trap 'echo one ends; exit 0' TERM; while :; do sleep 1; done";
    let one = app("log", 1, line, AppId::generate());
    settled(&engine, &one).await;
    let all = || LogQuery { lines: 1000, process_type: None };
    let read = || engine.log_read(one.app, all());
    until("the first output", || async { find(&read().await.unwrap(), "from one").then_some(()) }).await;
    let line = LogLine { time: chrono::Utc::now(), source: "slipway[controller]".into(), text: "deployed".into() };
    engine.log_sink().append(one.app, line);
    until("the platform's line", || async { find(&read().await.unwrap(), "deployed").then_some(()) }).await;

    let mut followed = engine.log_follow(one.app, all()).await.unwrap();
    settled(&engine, &app("log", 2, "echo from two; sleep 1000", one.app)).await;
    let mut seen = Vec::new();
    let both = async {
        while !(find(&seen, "one ends") && find(&seen, "from two")) {
            seen.push(followed.next().await.expect("it goes on"));
        }
    };
    let both = timeout(PATIENCE, both).await;
    assert!(both.is_ok(), "only {seen:#?}");
    assert_eq!(seen.iter().filter(|line| line.text == "from one").count(), 1, "{seen:#?}");
    assert!(seen.iter().all(|line| line.source.starts_with("worker.") || line.source == "slipway[controller]"));
    let lines = until("what the dead said", || async {
        let lines = read().await.unwrap();
        (find(&lines, "one ends") && find(&lines, "from two")).then_some(lines)
    })
    .await;
    assert!(lines.is_sorted_by_key(|line| line.time));
    let web = LogQuery { lines: 10, process_type: Some("web".to_owned()) };
    assert_eq!(engine.log_read(one.app, web).await.unwrap(), []);
    engine.app_remove(one.app, &one.name).await.unwrap();
    shutdown.cancel();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster"]
async fn one_off_processes_and_commands_end_with_their_code_and_leave_nothing() {
    let (client, shutdown) = (client().await, CancellationToken::new());
    let engine = engine(&client, &shutdown).await;
    let spec = app("run", 1, "sleep 1000", AppId::generate());
    settled(&engine, &spec).await;
    let jobs: Api<Job> = Api::namespaced(client.clone(), spec.name.as_str());

    let outcome = engine.run(run(&spec, "echo $GREETING world; echo bad >&2; exit 3", "aaaaa")).await.unwrap();
    let output = String::from_utf8_lossy(&outcome.output);
    assert!(outcome.exit_code == 3 && output.contains("hello world") && output.contains("bad"), "{outcome:?}");

    // Whoever waits goes away.
    let dropped = timeout(Duration::from_secs(3), engine.run(run(&spec, "sleep 1000", "bbbbb"))).await;
    assert!(dropped.is_err());

    let terminal = Some(TerminalSize { columns: 91, rows: 33 });
    let attach = Attach { terminal, has_input: true };
    let session = engine.run_session(run(&spec, "read word; echo got $word; exit 5", "ccccc"), attach).await.unwrap();
    session.input.send(Input::Bytes("typed\n".into())).await.unwrap();
    let (text, code) = end_of(session).await;
    assert!(code == 5 && text.contains("got typed"), "{code} {text:?}");

    let pod = until("a pod", || async {
        let status = engine.app_status(spec.app).await.unwrap();
        status.pods.into_iter().find(|pod| pod.process_type.as_str() == "worker").map(|pod| pod.name)
    })
    .await;
    let words = |line: &str| ["/bin/sh", "-c", line].map(str::to_owned).to_vec();
    let exec = |attach, command| ExecSpec { app: spec.app, name: spec.name.clone(), pod: pod.clone(), command, attach };
    let session = engine.exec_session(exec(attach, words("sleep 1; stty size; exit 4"))).await.unwrap();
    let (text, code) = end_of(session).await;
    assert!(code == 4 && text.contains("33 91"), "{code} {text:?}");
    let session = engine.exec_session(exec(Attach::default(), words("echo $GREETING"))).await.unwrap();
    assert_eq!(end_of(session).await, ("hello\n".to_owned(), 0));
    let missing = ExecSpec { pod: "none".to_owned(), ..exec(Attach::default(), words("true")) };
    assert!(engine.exec_session(missing).await.is_err());

    until("no Jobs", || async { jobs.list(&ListParams::default()).await.unwrap().items.is_empty().then_some(()) })
        .await;
    engine.app_remove(spec.app, &spec.name).await.unwrap();
    shutdown.cancel();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster"]
async fn the_reason_of_a_failure_is_told_with_the_last_lines() {
    let (client, shutdown) = (client().await, CancellationToken::new());
    let engine = engine(&client, &shutdown).await;
    let spec = app("fail", 1, "echo the last words; exit 7", AppId::generate());
    engine.app_apply(spec.clone()).await.unwrap();
    let failing = || async {
        match engine.app_status(spec.app).await.unwrap().rollout?.state {
            RolloutState::Failing(reason) => Some(reason),
            RolloutState::Progressing(_) | RolloutState::Ready => None,
        }
    };
    let reason = until("a crash", failing).await;
    assert!(reason.contains("exit code 7") && reason.contains("the last words"), "{reason}");

    let mut bad = app("fail", 2, "true", spec.app);
    if let Some(release) = &mut bad.release {
        release.artifact = Artifact::Image { reference: "127.0.0.1:5000/watch-test/none:1".to_owned() };
    }
    engine.app_apply(bad).await.unwrap();
    let reason = until("a missing image", || async { failing().await.filter(|text| text.contains("Image")) }).await;
    assert!(reason.contains("cannot be started"), "{reason}");

    let mut nowhere = app("fail", 3, "sleep 1000", spec.app);
    if let Some(release) = &mut nowhere.release {
        release.placement = [("watch-test".to_owned(), "nowhere".to_owned())].into();
    }
    engine.app_apply(nowhere).await.unwrap();
    until("no machine", || async { failing().await.filter(|text| text.contains("Unschedulable")) }).await;
    engine.app_remove(spec.app, &spec.name).await.unwrap();
    shutdown.cancel();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster"]
async fn one_leads_and_the_other_takes_over() {
    let client = client().await;
    let name = format!("watch-test-{}", std::process::id());
    let (one, two) = (CancellationToken::new(), CancellationToken::new());
    let mut first = lease::start(&client, "default", &name, "one", one.clone());
    timeout(PATIENCE, first.wait_for(|leads| *leads)).await.unwrap().unwrap();
    let mut second = lease::start(&client, "default", &name, "two", two.clone());
    // As long as the first renews, the second waits; then the Lease is given back.
    assert!(timeout(Duration::from_secs(6), second.wait_for(|leads| *leads)).await.is_err());
    one.cancel();
    timeout(PATIENCE, second.wait_for(|leads| *leads)).await.unwrap().unwrap();
    assert!(!*first.borrow());
    two.cancel();
    timeout(PATIENCE, second.wait_for(|leads| !*leads)).await.unwrap().unwrap();
    let leases: Api<k8s_openapi::api::coordination::v1::Lease> = Api::namespaced(client, "default");
    leases.delete(&name, &DeleteParams::default()).await.unwrap();
}
