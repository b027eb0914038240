//! The other kinds of builds.

use std::time::Duration;

use serde_json::json;
use slipway_builder::BuildError;
use slipway_builder::cluster::DockerfileStorage;
use slipway_builder::export::registry::{Credentials, Name, Registry};

use crate::lab::{Lab, until};

const DOCKERFILE: &str = "FROM 127.0.0.1:5000/base/busybox:1\n\
    ARG GREETING\n\
    RUN mkdir /site && echo \"$GREETING, $(id -u)\" > /site/index.html && chown 7:7 /site\n\
    EXPOSE 5000\n\
    USER 1234\n\
    CMD [\"httpd\", \"-f\", \"-p\", \"5000\", \"-h\", \"/site\"]\n";

#[tokio::test]
async fn a_dockerfile_is_built_without_privileges_and_runs() {
    let Some(lab) = Lab::open("dockerfile", |_| {}).await else { return };
    let source = lab.source(&[("Dockerfile", DOCKERFILE), ("Procfile", "web: httpd -f -p 5000 -h /site\n")]);
    let env = [("GREETING", "Good day"), ("DEIS_DOCKER_BUILD_ARGS_ENABLED", "1")];
    let (built, log) = lab.built(source, &env).await;
    assert!(built.image.contains("@sha256:") && built.stack == "container" && built.dockerfile == "true", "{built:?}");
    assert_eq!(built.procfile["web"], "httpd -f -p 5000 -h /site");
    assert!(!log.contains("Good day"), "values of config are no business of the log: {log}");
    // What the cluster's engine reads of an image: the port.
    let name: Name = built.image.parse().unwrap();
    let registry = Registry::new(Credentials::default(), vec![lab.config.registry.host.clone()]);
    let image = registry.pull_base(&name).await.unwrap();
    assert_eq!(image.config["config"]["ExposedPorts"], json!({ "5000/tcp": {} }));
    assert_eq!(lab.answer(&built).await.trim(), "Good day, 0");
    lab.settled().await;

    let broken = lab.source(&[("Dockerfile", "FROM 127.0.0.1:5000/base/busybox:1\nRUN exit 7\n")]);
    let (result, log) = lab.build(broken, &[]).await;
    assert!(matches!(&result, Err(BuildError::Failed(text)) if text.contains("exited with code")), "{result:?}\n{log}");
    lab.settled().await;
    lab.close().await;
}

#[tokio::test]
async fn steps_of_a_dockerfile_that_did_not_change_are_not_done_again() {
    let Some(lab) = Lab::open("steps", |_| {}).await else { return };
    let source = |last: &str| {
        let text = format!(
            "FROM 127.0.0.1:5000/base/busybox:1\n\
             RUN mkdir /site && echo first-$((20 + 1))\n\
             RUN echo {last} > /site/index.html && echo second-$((20 + 1))\n\
             EXPOSE 5000\n\
             CMD [\"httpd\", \"-f\", \"-p\", \"5000\", \"-h\", \"/site\"]\n"
        );
        lab.source(&[("Dockerfile", &text)])
    };
    let done = |log: &str| ["first-21", "second-21"].map(|step| log.contains(step));
    let (built, log) = lab.built(source("one"), &[]).await;
    assert_eq!(done(&log), [true, true], "{log}");
    assert_eq!(lab.answer(&built).await.trim(), "one");
    let (built, log) = lab.built(source("two"), &[]).await;
    assert_eq!(done(&log), [false, true], "{log}");
    assert_eq!(lab.answer(&built).await.trim(), "two");
    let (built, log) = lab.built(source("one"), &[]).await;
    assert_eq!(done(&log), [false, false], "{log}");
    assert_eq!(lab.answer(&built).await.trim(), "one");
    let (_, log) = lab.built(source("one"), &[("SLIPWAY_DISABLE_CACHE", "1")]).await;
    assert_eq!(done(&log), [true, true], "{log}");
    assert!(!log.contains("could not be kept"), "{log}");
    lab.settled().await;
    lab.close().await;
}

#[tokio::test]
async fn without_layers_a_dockerfile_is_built_from_its_first_line() {
    let Some(lab) = Lab::open("whole", |config| config.dockerfile.storage = DockerfileStorage::Vfs).await else {
        return;
    };
    for _ in 0..2 {
        let source = lab.source(&[("Dockerfile", DOCKERFILE)]);
        let (built, log) = lab.built(source, &[]).await;
        assert!(log.contains("STEP 3/6: RUN mkdir /site") && !log.contains("cache"), "{log}");
        assert!(built.image.contains("@sha256:"), "{built:?}");
    }
    lab.settled().await;
    lab.close().await;
}

#[tokio::test]
async fn a_dockerfile_that_hangs_is_ended_and_one_that_is_cancelled_is_gone() {
    let Some(lab) = Lab::open("hangs", |config| config.limits.time = Duration::from_secs(8)).await else { return };
    let hang = || lab.source(&[("Dockerfile", "FROM 127.0.0.1:5000/base/busybox:1\nRUN echo it-runs; sleep 600\n")]);
    let (result, log) = lab.build(hang(), &[]).await;
    assert!(matches!(&result, Err(BuildError::Limit(text)) if text.contains("longer than 8 s")), "{result:?}");
    assert!(log.contains("it-runs"), "{log}");
    lab.settled().await;

    // What it says arrives while it runs.
    let build = lab.started(hang(), "it-runs").await;
    build.abort();
    until("the end of the Job", || async { lab.jobs_and_secrets().await.is_empty().then_some(()) }).await;
    lab.settled().await;
    assert_eq!(lab.spooled(), Vec::<String>::new());
    lab.close().await;
}

#[tokio::test]
async fn cloud_native_buildpacks_build_keep_layers_and_run() {
    let Some(lab) = Lab::open("native", |_| {}).await else { return };
    if lab.config.buildpacks.is_none() {
        eprintln!("skipped: SLIPWAY_TEST_CNB_BUILDER_IMAGE names no builder image");
        return lab.close().await;
    }
    let page = |text: &str| lab.source(&[("page.txt", text)]);
    let env = [("SLIPWAY_BUILDER", "cnb"), ("GREETING", "Good day")];
    let (built, log) = lab.built(page("one"), &env).await;
    assert!(built.image.contains("@sha256:") && built.stack == "buildpack" && built.dockerfile.is_empty(), "{built:?}");
    assert_eq!(built.procfile["web"], "/cnb/process/web");
    assert!(log.contains("The tool is made, greeting with Good day"), "{log}");
    assert!(!log.contains("credentials are here"), "{log}");
    assert_eq!(lab.answer(&built).await.trim(), "made by a buildpack, one");
    lab.settled().await;

    let (changed, log) = lab.built(page("two"), &env).await;
    assert_ne!(changed.image, built.image);
    assert!(log.contains("The tool is kept") && log.contains("Reusing layer 'slipway/site:tool'"), "{log}");
    assert_eq!(lab.answer(&changed).await.trim(), "made by a buildpack, two");
    let (_, log) = lab.built(page("two"), &[env[0], ("SLIPWAY_DISABLE_CACHE", "1")]).await;
    assert!(log.contains("The tool is made, greeting with nothing"), "{log}");

    for (files, expected) in [(&[("page.txt", ""), ("fail.txt", "")][..], "cannot be made"), (&[("x", "")], "detect")] {
        let (result, log) = lab.build(lab.source(files), &env).await;
        assert!(matches!(&result, Err(BuildError::Failed(text)) if text.contains("exited with code")), "{result:?}");
        assert!(log.contains(expected), "{log}");
    }
    lab.settled().await;
    lab.close().await;
}
