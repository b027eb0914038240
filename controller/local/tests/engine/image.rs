//! Image releases, in containers of this machine's runtime, from a registry in this process.

use std::fs;
use std::time::Duration;

use serde_json::json;
use slipway_core::build::BuildKind;
use slipway_core::config::SecretText;
use slipway_engine::spec::{Check, Limit, Probe, RegistryLogin};
use slipway_engine::{AppSpec, Artifact, Engine, EngineError, RunSpec};
use slipway_image::testing::TestRegistry;
pub(crate) use slipway_image::testing::busybox_layers as layers;

use crate::bed::{Bed, Next, PATIENCE, app, failing_reason, is_alive, pids, process, run_spec, until};

/// Answers with the file that the app's variable names.
const SERVE: &str = "exec busybox httpd -f -p 127.0.0.1:$PORT -h /srv";

pub(crate) async fn bed() -> Bed {
    Bed::with(|config| {
        config.fetch.allow_private = true;
        config.path = std::env::var("PATH").unwrap();
    })
    .await
}

pub(crate) fn image(registry: &TestRegistry, tag: &str) -> Artifact {
    Artifact::Image { reference: format!("{}/team/app:{tag}", registry.host()) }
}

pub(crate) fn of_image(mut spec: AppSpec) -> AppSpec {
    spec.release.as_mut().unwrap().kind = BuildKind::Image;
    spec
}

pub(crate) fn run_image(artifact: Artifact, command: &str) -> RunSpec {
    RunSpec { kind: BuildKind::Image, ..run_spec(artifact, command) }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_is_pulled_served_updated_and_removed() {
    let (bed, registry) = (bed().await, TestRegistry::start().await);
    registry.image("team/app", "v1", &layers("first"), &json!({"Entrypoint": ["/bin/sh", "-c"], "Cmd": [SERVE]}));
    let mut web = process("cmd", "");
    (web.command, web.is_routed) = (None, true);
    bed.engine.artifact_check(&image(&registry, "v1")).await.unwrap();
    let pinned = bed.engine.artifact_pin(&image(&registry, "v1"), None).await.unwrap();
    let first = of_image(app(pinned.clone(), vec![web]));
    let status = bed.settle(&first).await;
    assert_eq!(bed.get("blog.localhost").await.unwrap().trim(), "first");
    assert!(bed.log(first.app).await.contains("Fetching"));
    let old = pids(&status);
    // The tag moves on. What was pinned does not, also in a later release.
    registry.image("team/app", "v1", &layers("moved"), &json!({"Entrypoint": ["/bin/sh", "-c"], "Cmd": [SERVE]}));
    bed.settle(&first.next()).await;
    assert_eq!(bed.get("blog.localhost").await.unwrap().trim(), "first");
    registry.image("team/app", "v2", &layers("second"), &json!({"Entrypoint": ["/bin/sh", "-c"], "Cmd": [SERVE]}));
    let mut second = first.next().next();
    let release = second.release.as_mut().unwrap();
    release.version.0 += 1;
    release.artifact = image(&registry, "v2");
    bed.settle(&second).await;
    assert_eq!(bed.get("blog.localhost").await.unwrap().trim(), "second");
    assert!(old.iter().all(|pid| !is_alive(*pid)));
    bed.engine.app_remove(second.app, &second.name).await.unwrap();
    let containers = bed.data.join("containers");
    until("all containers to be deleted", || async { fs::read_dir(&containers).unwrap().count() == 0 }).await;
    bed.engine.artifacts_retain(&[pinned, image(&registry, "v2")]).await.unwrap();
    assert_eq!(fs::read_dir(bed.data.join("images/images")).unwrap().count(), 2, "young ones stay");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_off_processes_see_the_image_and_their_environment_only() {
    let (bed, registry) = (bed().await, TestRegistry::start().await);
    let config = json!({"User": "app", "WorkingDir": "/srv", "Env": ["OWN=image", "BOTH=image"]});
    registry.image("team/app", "v1", &layers("text"), &config);
    let is_root = rustix::process::geteuid().is_root();
    let user = if is_root { "1234" } else { "0" };
    for (command, exit_code, output) in [
        ("cat index.html; exit 7", 7, "text"),
        ("id -u", 0, &*format!("{user}\n")),
        ("echo $OWN $BOTH $SECRET $HOME", 0, "image user geheim /home/app\n"),
        ("echo $$", 0, "1\n"),
        ("kill -9 $$; echo survived", 0, "survived\n"),
        ("cat /proc/sys/kernel/hostname > /dev/null; ls /etc/shadow", 1, ""),
        ("busybox mount -t tmpfs none /srv", 1, ""),
    ] {
        let mut spec = run_image(image(&registry, "v1"), command);
        spec.env.insert("BOTH".to_owned(), SecretText::new("user"));
        spec.env.insert("SECRET".to_owned(), SecretText::new("geheim"));
        let outcome = bed.engine.run(spec).await.unwrap();
        let text = String::from_utf8_lossy(&outcome.output);
        // What a shell answers to a program that fails is its own affair; that it fails is not.
        assert_eq!(outcome.exit_code != 0, exit_code != 0, "{command}: {text}");
        if !output.is_empty() {
            assert_eq!((outcome.exit_code, &*text), (exit_code, output), "{command}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_run_and_a_hopeless_process_leave_nothing() {
    let (bed, registry) = (bed().await, TestRegistry::start().await);
    registry.image("team/app", "v1", &layers(""), &json!({}));
    let spec = run_image(image(&registry, "v1"), "trap '' TERM; echo up; while true; do sleep 0.1; done");
    let (engine, app_id) = (bed.engine.clone(), spec.app);
    let running = tokio::spawn(async move { engine.run(spec).await });
    bed.wait_log(app_id, "up").await;
    running.abort();
    let containers = bed.data.join("containers");
    until("the container to be deleted", || async { fs::read_dir(&containers).unwrap().count() == 0 }).await;

    let crash = of_image(app(image(&registry, "v1"), vec![process("web", "echo broken; exit 3")]));
    bed.engine.app_apply(crash.clone()).await.unwrap();
    let reason = bed.failing(crash.app).await;
    assert!(reason.contains("exit code 3") && reason.contains("broken"), "{reason}");
    let nothing = of_image(app(image(&registry, "missing"), vec![process("web", "x")]));
    bed.engine.app_apply(nothing.clone()).await.unwrap();
    assert!(bed.failing(nothing.app).await.contains("does not exist"));
}

#[tokio::test(flavor = "multi_thread")]
async fn checks_limits_and_credentials_hold() {
    let (bed, registry) = (bed().await, TestRegistry::start().await);
    registry.image("team/app", "v1", &layers("ok"), &json!({}));
    registry.protect("bob", "geheim");
    let mut web = process("web", &format!("sleep 0.3; echo > /srv/ready; {SERVE}"));
    web.readiness = Some(Probe {
        check: Check::Exec { command: vec!["/bin/cat".to_owned(), "/srv/ready".to_owned()] },
        initial_delay: Duration::ZERO,
        timeout: PATIENCE,
        period: Duration::from_millis(100),
        success_threshold: 1,
        failure_threshold: 3,
    });
    web.memory = Some(Limit { request: None, limit: 48 << 20 });
    let mut spec = of_image(app(image(&registry, "v1"), vec![web]));
    bed.engine.app_apply(spec.clone()).await.unwrap();
    let reason = bed.failing(spec.app).await;
    assert!(reason.contains("credentials"), "{reason}");
    spec = spec.next();
    spec.release.as_mut().unwrap().version.0 += 1;
    spec.release.as_mut().unwrap().registry =
        Some(RegistryLogin { hostname: None, username: "bob".to_owned(), password: SecretText::new("geheim") });
    let status = bed.settle(&spec).await;
    assert!(failing_reason(&status).is_none());
    assert_eq!(bed.get("blog.localhost").await.unwrap().trim(), "ok");
    // Without root there are no limits on containers.
    if rustix::process::geteuid().is_root() {
        let mut greedy =
            run_image(image(&registry, "v1"), "busybox dd if=/dev/zero of=/dev/null bs=200M count=1 && echo done");
        greedy.registry = spec.release.unwrap().registry;
        greedy.memory = Some(Limit { request: None, limit: 32 << 20 });
        let outcome = bed.engine.run(greedy).await.unwrap();
        assert_ne!(outcome.exit_code, 0, "{}", String::from_utf8_lossy(&outcome.output));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_runtime_the_refusal_says_what_to_install() {
    let bed = Bed::with(|config| config.path = "/nowhere".to_owned()).await;
    let artifact = Artifact::Image { reference: "busybox:1".to_owned() };
    for artifact in [&artifact, &Artifact::Image { reference: "Not An Image".to_owned() }] {
        let Err(EngineError::Rejected(reason)) = bed.engine.artifact_check(artifact).await else { panic!() };
        let is_clear = reason.contains("crun, runc or podman") && reason.contains("push the source with git");
        assert!(is_clear || reason.contains("not the name of an image"), "{reason}");
    }
}
