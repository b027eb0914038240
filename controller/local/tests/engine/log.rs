//! Output of processes in the app's log.

use std::time::Duration;

use chrono::Utc;
use futures::StreamExt;
use slipway_core::log::{LogLine, LogQuery};
use slipway_engine::Engine;
use tokio::time::timeout;

use crate::bed::{Bed, PATIENCE, app, process};

#[tokio::test(flavor = "multi_thread")]
async fn output_is_kept_in_order_with_its_last_words() {
    let bed = Bed::new().await;
    let command = "echo out; echo err >&2; printf '\\377x\\n'; printf partial; exec sleep 1000 >/dev/null 2>&1";
    let spec = app(bed.slug(&[]), vec![process("worker", command)]);
    bed.engine.app_apply(spec.clone()).await.unwrap();
    bed.wait_log(spec.app, "worker.1: partial").await;
    assert_eq!(bed.log(spec.app).await, "worker.1: out\nworker.1: err\nworker.1: \u{fffd}x\nworker.1: partial\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_is_slowed_down_and_capped() {
    let bed = Bed::with(|config| {
        config.log_bytes_max = 100_000;
        config.log_bytes_per_sec = 2_000_000;
    })
    .await;
    let spec = app(bed.slug(&[]), vec![process("worker", "exec yes flood")]);
    bed.settle(&spec).await;
    let began = tokio::time::Instant::now();
    let mut follow = bed.engine.log_follow(spec.app, LogQuery { lines: 0, process_type: None }).await.unwrap();
    let mut seen = 0_u64;
    while began.elapsed() < Duration::from_millis(500) {
        assert!(timeout(PATIENCE, follow.next()).await.unwrap().is_some());
        seen += 1;
    }
    assert!(seen > 0);
    let home = bed.data.join("logs").join(spec.app.to_string());
    // One that is moved while it is looked for is gone.
    let lengths = std::fs::read_dir(home).unwrap().flatten().filter_map(|entry| entry.metadata().ok());
    let bytes: u64 = lengths.map(|metadata| metadata.len()).sum();
    assert!(bytes <= 200_000, "{bytes}");
    // 2 MB a second of lines of six bytes each.
    assert!(seen < 2_000_000, "{seen}");
    bed.engine.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn platform_lines_join_and_followers_see_what_they_asked_for() {
    let bed = Bed::new().await;
    let spec = app(bed.slug(&[]), vec![process("worker", "echo up; exec sleep 1000")]);
    bed.settle(&spec).await;
    bed.wait_log(spec.app, "worker.1: up").await;
    let query = |kind: Option<&str>| LogQuery { lines: 10, process_type: kind.map(str::to_owned) };
    let mut all = bed.engine.log_follow(spec.app, query(None)).await.unwrap();
    let mut worker = bed.engine.log_follow(spec.app, query(Some("worker"))).await.unwrap();
    let sink = bed.engine.log_sink();
    for source in ["slipway[router]", "worker.2"] {
        sink.append(spec.app, LogLine { time: Utc::now(), source: source.to_owned(), text: "line".to_owned() });
    }
    let take = async |stream: &mut futures::stream::BoxStream<'static, LogLine>| {
        timeout(PATIENCE, stream.next()).await.unwrap().unwrap().source
    };
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.push(take(&mut all).await);
    }
    assert_eq!(seen, ["worker.1", "slipway[router]", "worker.2"]);
    assert_eq!([take(&mut worker).await, take(&mut worker).await], ["worker.1", "worker.2"]);
}
