//! How builds end that do not end well.

use std::time::Duration;

use slipway_builder::BuildError;
use slipway_builder::cluster::ClusterBuilder;

use crate::lab::{Lab, until};

#[tokio::test]
async fn failures_say_whose_fault_they_are() {
    let Some(lab) = Lab::open("fails", |config| config.limits.memory_bytes = 256 << 20).await else { return };
    let broken = lab.source(&[("package.json", "{\"scripts\":{\"build\":\"exit 3\"}}"), ("Procfile", "web: x\n")]);
    let (result, log) = lab.build(broken, &[]).await;
    assert!(
        matches!(&result, Err(BuildError::Failed(text)) if text.contains("failed (exit code")),
        "{result:?}\n{log}"
    );
    let eater = lab.source(&[
        ("package.json", "{\"scripts\":{\"build\":\"node -e 'const a=[];for(;;)a.push(Buffer.alloc(1<<24,1))'\"}}"),
        ("Procfile", "web: x\n"),
    ]);
    let (result, log) = lab.build(eater, &[]).await;
    assert!(matches!(&result, Err(BuildError::Limit(text)) if text.contains("memory")), "{result:?}\n{log}");
    let nothing = lab.source(&[("README", "x")]);
    let (result, _) = lab.build(nothing, &[]).await;
    assert!(matches!(&result, Err(BuildError::Failed(text)) if text.contains("No buildpack")), "{result:?}");
    lab.settled().await;
    lab.close().await;
}

#[tokio::test]
async fn a_stack_image_that_is_not_there_is_told() {
    let Some(lab) = Lab::open("image", |config| config.stack = "127.0.0.1:5000/build-test/nothing:1".to_owned()).await
    else {
        return;
    };
    let (result, _) = lab.build(lab.source(&[("Procfile", "web: x\n")]), &[]).await;
    assert!(matches!(&result, Err(BuildError::Unavailable(text)) if text.contains("cannot start")), "{result:?}");
    lab.settled().await;
    lab.close().await;
}

#[tokio::test]
async fn a_cancelled_build_is_gone_and_a_killed_builders_is_swept() {
    let Some(lab) = Lab::open("cancel", |_| {}).await else { return };
    let hang = || lab.source(&[("package.json", "{\"scripts\":{\"build\":\"sleep 600\"}}"), ("Procfile", "web: x\n")]);
    let build = lab.started(hang(), "sleep 600").await;
    assert!(lab.objects().await.len() >= 3, "a Job, a Secret, a pod");
    build.abort();
    until("the end of the Job", || async { lab.jobs_and_secrets().await.is_empty().then_some(()) }).await;
    lab.settled().await;

    let build = lab.started(hang(), "sleep 600").await;
    // Another builder on the same data directory: the first one was killed, as far as it can tell.
    let mut config = lab.config.clone();
    config.listen.set_port(0);
    let second = ClusterBuilder::open(config, lab.client.clone()).await.unwrap();
    let result = tokio::time::timeout(Duration::from_mins(5), build).await.unwrap().unwrap();
    assert!(matches!(&result, Err(BuildError::Unavailable(_))), "{result:?}");
    lab.settled().await;
    assert_eq!(lab.spooled(), Vec::<String>::new());
    second.close().await;
    lab.close().await;
}
