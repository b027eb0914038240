//! A build ends when it must, and nothing of it stays.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use slipway_builder::build::{BuildOutput, LocalBuilder, LocalBuilderConfig, ToolEnv};
use slipway_builder::{BuildError, SourceBuilder};

use crate::lab::{Lab, eventually, is_alive, pids};

/// Starts a child in the group and one that leaves it, and ignores SIGTERM.
fn stubborn(pid_file: &Path) -> String {
    format!(
        "trap '' TERM\nsleep 600 &\necho $! >{0}.new\nsetsid sleep 600 &\necho $! >>{0}.new\necho $$ >>{0}.new\nmv {0}.new {0}\nsleep 600\nsleep 600",
        pid_file.display()
    )
}

fn limit(result: Result<slipway_builder::Built, BuildError>) -> String {
    match result {
        Err(BuildError::Limit(text)) => text,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_build_is_dead_though_it_ignores_that() {
    let files = tempfile::tempdir().unwrap();
    let pid_file = files.path().join("pids");
    let lab = Lab::with_pack(&stubborn(&pid_file), |_| {});
    let (output, mut receiver, _log) = BuildOutput::new();
    let drain = tokio::spawn(async move { while receiver.recv().await.is_some() {} });
    let request = lab.request(lab.source(&[("a", "")]), &[("BUILDPACK_URL", "test")]);
    let builder = lab.builder.clone();
    let build = tokio::spawn(async move { builder.build(request, output).await });
    let pids = eventually("the build runs", || pids(&pid_file, 3)).await;
    build.abort();
    eventually("all are dead", || pids.iter().all(|pid| !is_alive(*pid)).then_some(())).await;
    drain.await.unwrap();

    // The lock is free and the scratch directory gone when the last process is.
    let tmp = lab.dir.path().join("data/tmp");
    let is_empty = || fs::read_dir(&tmp).unwrap().next().is_none().then_some(());
    eventually("nothing is left", is_empty).await;
    lab.built(lab.source(&[("Procfile", "web: x")]), &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn time_is_limited() {
    // On a busy machine a second may be over before the build's programs have begun.
    for (seconds, shown) in [(1, "1 second"), (10, "10 seconds"), (60, "1 minute")] {
        let files = tempfile::tempdir().unwrap();
        let pid_file = files.path().join("pids");
        let lab = Lab::with_pack(&stubborn(&pid_file), |config| config.limits.time = Duration::from_secs(seconds));
        let (result, _) = lab.build(lab.source(&[("a", "")]), &[("BUILDPACK_URL", "test")]).await;
        assert_eq!(limit(result), format!("the build took longer than {shown}"));
        if let Some(pids) = pids(&pid_file, 3) {
            return eventually("all are dead", || pids.iter().all(|pid| !is_alive(*pid)).then_some(())).await;
        }
    }
    panic!("the build never began");
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_is_limited() {
    let hog = "exec python3 -c 'import time; kept = bytearray(b\"x\") * (200 << 20); time.sleep(600)'";
    let lab = Lab::with_pack(hog, |config| config.limits.memory_bytes = 150 << 20);
    let (result, _) = lab.build(lab.source(&[("a", "")]), &[("BUILDPACK_URL", "test")]).await;
    assert_eq!(limit(result), "the build used more than 150.0 MiB of memory");
}

#[tokio::test(flavor = "multi_thread")]
async fn disk_space_is_limited() {
    let hog = "for n in 1 2 3 4 5; do dd if=/dev/zero of=\"$1/f$n\" bs=1M count=4 2>/dev/null; done; sleep 600";
    let lab = Lab::with_pack(hog, |config| config.limits.disk_bytes = 8 << 20);
    let (result, _) = lab.build(lab.source(&[("a", "")]), &[("BUILDPACK_URL", "test")]).await;
    assert_eq!(limit(result), "the build used more than 8.0 MiB of disk space");
}

#[tokio::test(flavor = "multi_thread")]
async fn caches_are_limited() {
    let keep = "dd if=/dev/zero of=\"$2/kept\" bs=1M count=4 2>/dev/null; sleep 1.5";
    let lab = Lab::with_pack(keep, |config| config.limits.cache_bytes = 1 << 20);
    let (_, log) = lab.built(lab.source(&[("a", "")]), &[("BUILDPACK_URL", "test")]).await;
    assert!(log.contains("The cache is cleared: it has 4.0 MiB, and 1.0 MiB are allowed"), "{log}");
    assert!(!lab.cache().exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn slugs_are_limited() {
    let lab = Lab::with(|config| config.limits.slug_bytes = 1 << 20);
    let source = lab.source(&[("Procfile", "web: x"), ("big", &"x".repeat(3 << 19))]);
    let (result, _) = lab.build(source, &[]).await;
    let text = limit(result);
    assert!(text.starts_with("the slug has 1.5 MiB, and 1.0 MiB are allowed"), "{text}");
    // What is ignored does not count.
    let files = [("Procfile", "web: x"), ("big", &"x".repeat(3 << 19)), (".slugignore", "big\n")];
    let (built, log) = lab.built(lab.source(&files), &[]).await;
    assert!(log.contains("Left out 1 file or directory"), "{log}");
    assert!(!lab.tree(&built).join("big").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn output_is_limited() {
    let lab = Lab::with_pack("yes | head -n 100000; printf 'x%.0s' $(seq 20000); echo", |config| {
        config.limits.output_bytes = 64 << 10;
    });
    let (_, log) = lab.built(lab.source(&[("a", "")]), &[("BUILDPACK_URL", "test")]).await;
    assert!(log.contains("The build has printed more than 64 KiB; the rest is left out"), "{log}");
    assert!(log.len() < 70 << 10, "{}", log.len());
    assert!(log.contains("Slug size"), "the platform's own lines go on");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_tool_said_last_reaches_who_is_slow_to_take_it() {
    let files = tempfile::tempdir().unwrap();
    let over = files.path().join("over");
    let lab = Lab::with_pack(&format!("seq 8000; touch {}", over.display()), |_| {});
    let (builder, request) = (lab.builder.clone(), lab.request(lab.source(&[("a", "")]), &[("BUILDPACK_URL", "test")]));
    let (output, mut receiver, _) = BuildOutput::new();
    let build = tokio::spawn(async move { builder.build(request, output).await });
    // As far as the tool, and then for a while nothing.
    let mut text = String::new();
    while text.lines().last().is_none_or(|line| line.trim() != "1") {
        text += std::str::from_utf8(&receiver.recv().await.unwrap()).unwrap();
    }
    eventually("the tool has said all", || over.exists().then_some(())).await;
    // The time is the point: whoever is slow takes nothing meanwhile.
    tokio::time::sleep(Duration::from_secs(1)).await;
    while let Some(piece) = receiver.recv().await {
        text += std::str::from_utf8(&piece).unwrap();
    }
    let numbers = text.lines().filter_map(|line| line.trim().parse::<u32>().ok());
    assert!(numbers.eq(1..=8000), "{text}");
    build.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn builds_wait_for_a_slot() {
    let files = tempfile::tempdir().unwrap();
    let (started, go) = (files.path().join("started"), files.path().join("go"));
    let wait = format!("touch {}; while [ ! -e {} ]; do sleep 0.02; done", started.display(), go.display());
    let lab = Lab::with_pack(&wait, |config| config.concurrency = 1);
    let first = {
        let (builder, request) =
            (lab.builder.clone(), lab.request(lab.source(&[("a", "")]), &[("BUILDPACK_URL", "test")]));
        let (output, mut receiver, _) = BuildOutput::new();
        tokio::spawn(async move { while receiver.recv().await.is_some() {} });
        tokio::spawn(async move { builder.build(request, output).await })
    };
    eventually("the first build runs", || started.exists().then_some(())).await;
    let (output, mut receiver, _) = BuildOutput::new();
    let (builder, request) = (lab.builder.clone(), lab.request(lab.source(&[("Procfile", "web: x")]), &[]));
    let second = tokio::spawn(async move { builder.build(request, output).await });
    let line = receiver.recv().await.unwrap();
    assert_eq!(line, "-----> Waiting: 1 build is running already, which is as many as this machine takes\n");
    tokio::spawn(async move { while receiver.recv().await.is_some() {} });
    fs::write(&go, "").unwrap();
    first.await.unwrap().unwrap();
    second.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_earlier_run_left_is_ended() {
    let lab = Lab::with_pack("echo \"marker $SLIPWAY_BUILD_PROCESS\"", |_| {});
    let (_, log) = lab.built(lab.source(&[("a", "")]), &[("BUILDPACK_URL", "test")]).await;
    let marker = log.lines().find_map(|line| line.strip_prefix("marker ")).unwrap().to_owned();
    let mut stray = Command::new("sleep").arg("600").env("SLIPWAY_BUILD_PROCESS", marker).spawn().unwrap();
    let mut foreign = Command::new("sleep").arg("600").env("SLIPWAY_BUILD_PROCESS", "other/1").spawn().unwrap();
    let config = LocalBuilderConfig::new(lab.dir.path().join("data"), ToolEnv::from_vars([]), None);
    LocalBuilder::open(config, lab.slugs.clone()).unwrap();
    assert!(!stray.wait().unwrap().success());
    assert!(is_alive(foreign.id()), "other platforms' builds are left alone");
    foreign.kill().unwrap();
    foreign.wait().unwrap();
}
