//! Volumes: what is in them outlives processes, releases and the engine, and goes with them.

use std::fs;
use std::path::PathBuf;

use serde_json::json;
use slipway_core::{AppId, VolumeId, VolumeName};
use slipway_engine::spec::{MountPath, MountSpec, VolumeSpec};
use slipway_engine::{AppSpec, Artifact, Engine, EngineError};
use slipway_image::testing::TestRegistry;
use slipway_local::LocalEngine;

use crate::bed::{Bed, Next, app, config, process, run_spec, until};
use crate::image::{image, layers, of_image, run_image};

/// Counts its starts in a file of the volume, says what is there, and stays.
const COUNT: &str = "echo x >> data/starts; echo starts: $(wc -l < data/starts); exec sleep 1000";

fn volume(name: &str) -> VolumeSpec {
    VolumeSpec { id: VolumeId::generate(), name: VolumeName::new(name).unwrap(), bytes: 1 << 30 }
}

fn mount(volume: &VolumeSpec, path: &str) -> MountSpec {
    MountSpec { volume: volume.id, name: volume.name.clone(), path: MountPath::new(path).unwrap() }
}

fn dir(bed: &Bed, app: AppId, volume: &VolumeSpec) -> PathBuf {
    bed.data.join(format!("volumes/{app}/{}", volume.id))
}

fn with(mut spec: AppSpec, volumes: &[&VolumeSpec]) -> AppSpec {
    spec.volumes = volumes.iter().map(|volume| (*volume).clone()).collect();
    spec
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_a_volume_outlives_processes_releases_and_the_engine() {
    let bed = Bed::new().await;
    let (data, logs) = (volume("data"), volume("logs"));
    let mut worker = process("worker", COUNT);
    worker.mounts = vec![mount(&data, "/app/data")];
    let mut clock = process("clock", "ls data; exec sleep 1000");
    clock.mounts = vec![mount(&logs, "/app/data")];
    let slug = bed.slug(&[("data/of-the-slug", "hidden")]);
    let spec = with(app(slug, vec![clock, worker, process("other", "ls data; exec sleep 1000")]), &[&data, &logs]);
    bed.settle(&spec).await;
    bed.wait_log(spec.app, "starts: 1").await;
    // Each type has its own; a type without has what the slug brings.
    bed.wait_log(spec.app, "other.1: of-the-slug").await;
    assert!(!bed.log(spec.app).await.contains("clock.1: of-the-slug"));
    assert_eq!(fs::read_dir(dir(&bed, spec.app, &logs)).unwrap().count(), 0);
    let status = bed.status(spec.app).await;
    let pod = status.pods.iter().find(|pod| pod.process_type.as_str() == "worker").unwrap();
    bed.engine.pod_restart(spec.app, &pod.name).await.unwrap();
    bed.wait_log(spec.app, "starts: 2").await;
    bed.settle(&spec.next()).await;
    bed.wait_log(spec.app, "starts: 3").await;
    // Another engine on the same data. This one is not to look after its processes any more.
    bed.engine.shutdown().await;
    let slugs = slipway_slug::SlugStore::open(bed.data.parent().unwrap().join("slugs")).unwrap();
    let again = LocalEngine::start(config(&bed.data, slugs)).await.unwrap();
    again.app_apply(spec.next()).await.unwrap();
    let starts = dir(&bed, spec.app, &data).join("starts");
    until("the fourth start", || async { fs::read_to_string(&starts).unwrap().len() >= 8 }).await;
    // What is not wanted any more goes, and with the app all of it.
    let mut without = with(spec.next().next(), &[&logs]);
    for process in &mut without.release.as_mut().unwrap().processes {
        process.mounts.clear();
    }
    again.app_apply(without.clone()).await.unwrap();
    assert!(!dir(&bed, spec.app, &data).exists() && dir(&bed, spec.app, &logs).exists());
    again.app_remove(without.app, &without.name).await.unwrap();
    assert!(!dir(&bed, spec.app, &logs).exists());
    again.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_off_processes_have_the_volumes_they_ask_for() {
    let bed = Bed::new().await;
    let data = volume("data");
    let mut spec = run_spec(bed.slug(&[("note", "")]), "echo text > in/file; pwd -P; ls");
    spec.mounts = vec![mount(&data, "/app/in")];
    let outcome = bed.engine.run(spec.clone()).await.unwrap();
    assert!(String::from_utf8_lossy(&outcome.output).ends_with("in\nnote\n"), "{outcome:?}");
    assert_eq!(fs::read_to_string(dir(&bed, spec.app, &data).join("file")).unwrap(), "text\n");
    spec.mounts.clear();
    spec.command = "ls".to_owned();
    assert_eq!(bed.engine.run(spec).await.unwrap().output, "note\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_no_file_system_of_its_own_has_volumes_in_its_own_directory_only() {
    let bed = Bed::new().await;
    let data = volume("data");
    let mut web = process("web", "true");
    web.mounts = vec![mount(&data, "/data")];
    let spec = with(app(bed.slug(&[("note", "")]), vec![web]), &[&data]);
    let refusal = |result: Result<(), EngineError>| match result {
        Err(EngineError::Rejected(reason)) => reason,
        other => panic!("{other:?}"),
    };
    let reason = refusal(bed.engine.app_apply(spec.clone()).await);
    assert!(reason.contains("/data") && reason.contains("/app/data") && reason.contains("image"), "{reason}");
    let mut run = run_spec(spec.release.as_ref().unwrap().artifact.clone(), "true");
    run.mounts = vec![mount(&data, "/data")];
    assert_eq!(refusal(bed.engine.run(run).await.map(drop)), reason);
    let path = MountPath::new("/data").unwrap();
    assert_eq!(bed.engine.mount_refusal(&spec.release.unwrap().artifact, &path), Some(reason));
    let image = Artifact::Image { reference: "example/app".to_owned() };
    assert_eq!(bed.engine.mount_refusal(&image, &path), None);
    // What only the slug itself tells.
    let mut web = process("web", "exec sleep 1000");
    web.mounts = vec![mount(&data, "/app/note/data")];
    let spec = with(app(bed.slug(&[("note", "")]), vec![web]), &[&data]);
    bed.engine.app_apply(spec.clone()).await.unwrap();
    assert!(bed.failing(spec.app).await.contains("nothing can be mounted at /app/note/data"));
}

#[tokio::test(flavor = "multi_thread")]
async fn containers_have_volumes_where_they_want_them() {
    let (bed, registry) = (crate::image::bed().await, TestRegistry::start().await);
    let data = volume("data");
    registry.image("team/app", "v1", &layers("text"), &json!({"User": "app", "Entrypoint": ["/bin/sh", "-c"]}));
    let line = "echo x >> /var/lib/new/starts; echo starts: $(cat /var/lib/new/starts); exec sleep 1000";
    let mut cmd = process("cmd", "");
    cmd.command = Some(format!("'{line}'"));
    cmd.mounts = vec![mount(&data, "/var/lib/new")];
    let spec = with(of_image(app(image(&registry, "v1"), vec![cmd])), &[&data]);
    bed.settle(&spec).await;
    bed.wait_log(spec.app, "starts: x").await;
    bed.settle(&spec.next()).await;
    bed.wait_log(spec.app, "starts: x x").await;
    let mut run = run_image(image(&registry, "v1"), "cat /in/starts; cat /var/lib/new/starts");
    (run.app, run.mounts) = (spec.app, vec![mount(&data, "/in")]);
    let outcome = bed.engine.run(run).await.unwrap();
    // What was written and what was complained of may come in either order out of a container.
    let is_there = String::from_utf8_lossy(&outcome.output).contains("x\nx\n");
    assert!(outcome.exit_code != 0 && is_there, "{outcome:?}");
    bed.engine.app_remove(spec.app, &spec.name).await.unwrap();
    assert!(!dir(&bed, spec.app, &data).exists());
}
