//! Processes that end, that do not end, and platforms that are killed.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use slipway_core::ReleaseVersion;
use slipway_engine::Engine;
use slipway_engine::route::IdleReason;
use slipway_engine::status::PodState;
use slipway_local::LocalEngine;
use slipway_slug::{SlugManifest, SlugStore};
use tokio::time::Instant;

use crate::bed::{self, Bed, Next, PATIENCE, app, is_alive, pids, process, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_crashing_process_is_restarted_with_pauses_and_then_called_crashed() {
    let bed = Bed::new().await;
    let spec = app(bed.slug(&[]), vec![process("web", "echo dying; exit 1")]);
    let began = Instant::now();
    bed.engine.app_apply(spec.clone()).await.unwrap();
    let status = bed.wait(spec.app, "a crash", |status| status.pods[0].state == PodState::Crashed).await;
    assert!(status.pods[0].restarts >= 3);
    assert_eq!(status.pods[0].last_exit.map(|exit| exit.code), Some(1));
    // 50 ms after the first end, 100 ms after the second.
    assert!(began.elapsed() >= Duration::from_millis(150));
    let routes = bed.engine.routes();
    assert_eq!(routes.borrow().find("blog.localhost").unwrap().idle, IdleReason::Crashed);
    bed.wait_log(spec.app, "slipway[engine]: web.1 ended with exit code 1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_dies_leaves_the_routes_and_comes_back() {
    let bed = Bed::new().await;
    let spec = bed.server();
    let pid = pids(&bed.settle(&spec).await)[0];
    Command::new("kill").args(["-KILL", &pid.to_string()]).status().unwrap();
    let is_new = |status: &slipway_engine::AppStatus| status.is_settled && status.pods[0].pid != Some(pid);
    bed.wait(spec.app, "another process", is_new).await;
    assert!(!bed.get("blog.localhost").await.unwrap().ends_with(&format!(" {pid}")));
    bed.wait_log(spec.app, "killed by signal 9").await;
    let pod = &bed.status(spec.app).await.pods[0];
    assert_eq!(pod.last_exit.map(|exit| exit.code), Some(137));
    let machine = bed.engine.nodes().await.unwrap().remove(0);
    assert_eq!((pod.address, pod.node.as_ref()), (Some([127, 0, 0, 1].into()), Some(&machine.name)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_ignores_sigterm_is_killed_after_its_grace() {
    let bed = Bed::new().await;
    let stubborn = "trap '' TERM; echo up; while :; do sleep 0.05; done";
    let spec = app(bed.slug(&[]), vec![process("worker", stubborn)]);
    let spec = spec.change("worker", |worker| worker.grace = Duration::from_millis(400));
    let pid = pids(&bed.settle(&spec).await)[0];
    // It ignores the signal from then on.
    bed.wait_log(spec.app, "worker.1: up").await;
    let began = Instant::now();
    bed.settle(&spec.change("worker", |worker| worker.replicas = 0)).await;
    assert!(began.elapsed() >= Duration::from_millis(400));
    assert!(!is_alive(pid));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_of_the_shell_may_end_gracefully() {
    let bed = Bed::new().await;
    let child = "import signal,sys,time\nsignal.signal(signal.SIGTERM, lambda *_: (time.sleep(0.2), print('saved', flush=True), sys.exit(0)))\nprint('up', flush=True)\nwhile True: time.sleep(1)\n";
    // The shell ends at once on SIGTERM; the program under it takes its time.
    let spec = app(bed.slug(&[("child.py", child)]), vec![process("worker", "python3 child.py; true")]);
    let spec = spec.change("worker", |worker| worker.grace = PATIENCE);
    bed.settle(&spec).await;
    bed.wait_log(spec.app, "worker.1: up").await;
    bed.settle(&spec.clone().change("worker", |worker| worker.replicas = 0)).await;
    bed.wait_log(spec.app, "worker.1: saved").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn removal_ends_everything_and_leaves_nothing() {
    let bed = Bed::new().await;
    // One stubborn process, and one that left the process group.
    let command = "setsid sleep 1001 & echo escaped $!; trap '' TERM; while :; do sleep 0.05; done";
    let spec = app(bed.slug(&[]), vec![process("worker", command)]);
    let pid = pids(&bed.settle(&spec).await)[0];
    bed.wait_log(spec.app, "escaped ").await;
    let log = bed.log(spec.app).await;
    let escaped = log.lines().find_map(|line| line.split_once("escaped ")).unwrap().1.trim().parse().unwrap();
    assert!(is_alive(escaped));
    let known = bed.engine.apps_known().await.unwrap();
    assert_eq!(known, [(spec.app, spec.name.clone())]);

    bed.engine.app_remove(spec.app, &spec.name).await.unwrap();
    assert!(!is_alive(pid));
    assert!(!is_alive(escaped));
    assert!(bed.engine.apps_known().await.unwrap().is_empty());
    assert!(bed.log(spec.app).await.is_empty());
    assert!(bed.engine.routes().borrow().is_empty());
    let left = walk(&bed.data).into_iter().filter(|path| path.to_string_lossy().contains(&spec.app.to_string()));
    assert_eq!(left.count(), 0);
    assert_eq!(bed.status(spec.app).await, slipway_engine::AppStatus::default());
    bed.engine.app_remove(spec.app, &spec.name).await.unwrap();
}

fn walk(dir: &std::path::Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap().flatten() {
        all.push(entry.path());
        if entry.path().is_dir() {
            all.extend(walk(&entry.path()));
        }
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn shutting_down_finds_what_left_its_group() {
    let bed = Bed::new().await;
    let command = "setsid sleep 1007 & echo escaped $!; exec sleep 1008";
    let spec =
        app(bed.slug(&[]), vec![process("worker", command)]).change("worker", |worker| worker.grace = Duration::MAX);
    bed.settle(&spec).await;
    bed.wait_log(spec.app, "escaped ").await;
    let log = bed.log(spec.app).await;
    let escaped = log.lines().find_map(|line| line.split_once("escaped ")).unwrap().1.trim().parse().unwrap();
    assert!(is_alive(escaped));
    bed.engine.shutdown().await;
    assert!(!is_alive(escaped));
}

#[tokio::test(flavor = "multi_thread")]
async fn old_copies_of_releases_are_removed() {
    let bed = Bed::new().await;
    let mut spec = bed.server();
    bed.settle(&spec).await;
    for _ in 0..3 {
        spec = spec.next();
        bed.settle(&spec).await;
    }
    let home = bed.data.join("apps").join(spec.app.to_string());
    let copies = || std::fs::read_dir(&home).unwrap().flatten().filter(|entry| entry.path().is_dir()).count();
    until("one copy to be left", || async { copies() == 1 }).await;
    until("one record to be left", || async { std::fs::read_dir(bed.data.join("run")).unwrap().count() == 1 }).await;
}

const HELPER_DIR: &str = "SLIPWAY_TEST_HELPER_DIR";

/// The platform of `a_killed_platform…`, in a process of its own.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "started by a_killed_platform_leaves_no_strays"]
async fn platform_to_be_killed() {
    let Some(dir) = std::env::var_os(HELPER_DIR).map(PathBuf::from) else { return };
    let slugs = SlugStore::open(dir.join("slugs")).unwrap();
    let artifact = bed::slug(&slugs, &dir, &[("server.py", bed::SERVER)], &SlugManifest::default());
    let engine = LocalEngine::start(bed::config(&dir.join("data"), slugs)).await.unwrap();
    let command = "setsid sleep 1002 & sleep 1003 & exec python3 server.py";
    let spec = app(artifact, vec![process("web", command)]);
    engine.app_apply(spec.clone()).await.unwrap();
    until("the app", || async { engine.app_status(spec.app).await.unwrap().is_settled }).await;
    println!("\nready {} {}", spec.app, engine.app_status(spec.app).await.unwrap().pods[0].pid.unwrap());
    std::future::pending::<()>().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_platform_leaves_no_strays() {
    let dir = tempfile::tempdir().unwrap();
    let mut platform = Command::new(std::env::current_exe().unwrap())
        .args(["crash::platform_to_be_killed", "--exact", "--ignored", "--nocapture"])
        .env(HELPER_DIR, dir.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(platform.stdout.take().unwrap()).lines().map_while(Result::ok);
    let ready = lines.map(|line| line.trim().to_owned()).find(|line| line.starts_with("ready ")).unwrap();
    platform.kill().unwrap();
    platform.wait().unwrap();
    let words: Vec<&str> = ready.split(' ').collect();
    let (app_id, pid) = (words[1].parse().unwrap(), words[2].parse::<u32>().unwrap());
    assert!(is_alive(pid), "the app outlives its platform");
    let data = dir.path().join("data");
    let mark = format!("{}/{app_id}", std::fs::read_to_string(data.join("engine-id")).unwrap());
    let marked = || {
        let pids =
            std::fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        pids.filter(|pid: &u32| {
            let environ = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            is_alive(*pid) && environ.windows(mark.len()).any(|window| window == mark.as_bytes())
        })
        .count()
    };
    assert_eq!(marked(), 3);

    let slugs = SlugStore::open(dir.path().join("slugs")).unwrap();
    let digest = slugs.list().unwrap().remove(0).digest.to_string();
    let engine = LocalEngine::start(bed::config(&data, slugs)).await.unwrap();
    assert_eq!(marked(), 0);
    assert_eq!(std::fs::read_dir(data.join("run")).unwrap().count(), 0);
    assert_eq!(engine.apps_known().await.unwrap().len(), 1);
    let home = data.join("apps").join(words[1]);
    assert!(std::fs::read_dir(&home).unwrap().flatten().all(|entry| entry.path().is_file()), "copies are gone");

    // What served before serves again as soon as it can, though another process of the release never comes up.
    let artifact = slipway_engine::Artifact::Slug { digest };
    let mut spec = app(artifact, vec![process("web", "exec python3 server.py"), process("worker", "exit 1")]);
    spec.app = app_id;
    engine.app_apply(spec.clone()).await.unwrap();
    let routes = Arc::new(engine.routes());
    until("the route", || async {
        routes.borrow().find("blog.localhost").is_some_and(|route| !route.backends.is_empty())
    })
    .await;
    until("the status", || async { engine.app_status(app_id).await.unwrap().serving == Some(ReleaseVersion(1)) }).await;
    engine.shutdown().await;
    assert_eq!(marked(), 0);
}
