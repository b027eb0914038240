//! What webhooks hear of processes.

use slipway_core::deployment::{DeploymentStatus, DeploymentWork};
use slipway_store::testing::Backend;

use super::bed::{Bed, until};
use crate::{Cx, DeploymentInput, Patch};

/// The events that a webhook was to be told of, oldest first.
async fn told(bed: &Bed, cx: &Cx, hook: &str) -> Vec<String> {
    bed.deliveries(cx, hook).await.into_iter().map(|delivery| delivery.event).collect()
}

async fn processes_are_told_of(backend: Backend) {
    let bed = Bed::on(backend).await;
    let bob = bed.user_after_admin("bob").await;
    let hook = bed.webhook(&bob, &["*"]).await;
    let _running = bed.start();
    let app = bed.service.app_create(&bob, Some("blog")).await.unwrap().id;
    bed.push(&bob, "blog", "image").await.unwrap();
    let has = async |event: &str| told(&bed, &bob, &hook).await.iter().any(|found| found == event);
    until("a process is told of", async || has("instance.created").await).await;
    let instances = bed.service.pods_list(&bob, "blog", None, None).await.unwrap();
    let pod = &instances[0].name;
    slipway_engine::Engine::pod_restart(&*bed.engine, app, pod).await.unwrap();
    until("its end is told of", async || has("instance.deleted").await).await;
}

async fn a_job_runs_once_and_ends_as_it_does(backend: Backend) {
    let bed = Bed::on(backend).await;
    let bob = bed.user_after_admin("bob").await;
    let set = |text: &str| Patch::Set(text.to_owned());
    let job = |name: &str| DeploymentInput {
        name: set(name),
        source: set("image"),
        image: set("example/job:1"),
        kind: set("job"),
        run_cmd: set(name),
        ..DeploymentInput::default()
    };
    bed.engine.script_run("bad", Ok((3, String::new())));
    let _running = bed.start();
    for (name, status, error) in [
        ("good", DeploymentStatus::Completed, ""),
        ("bad", DeploymentStatus::Failed, "The job ended with exit code 3."),
    ] {
        bed.service.deployment_create(&bob, job(name)).await.unwrap();
        let deployment = async || bed.service.deployment_get(&bob, name).await.unwrap().deployment.unwrap();
        until("the job ends", async || deployment().await.work == DeploymentWork::None).await;
        let done = deployment().await;
        assert_eq!((done.status, done.error.as_str()), (status, error), "{name}");
        let exit_code = bed.service.service_get(&bob, name).await.unwrap().status.exit_code;
        assert_eq!(exit_code, Some(if name == "bad" { 3 } else { 0 }), "{name}");
        let runs = bed.engine.run_specs().iter().filter(|spec| spec.command == name).count();
        assert_eq!(runs, 1, "{name}");
        bed.service.service_start(&bob, name).await.unwrap();
        until("the job ran again", async || {
            bed.engine.run_specs().iter().filter(|spec| spec.command == name).count() == 2
                && deployment().await.work == DeploymentWork::None
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_are_told_of_on_sqlite() {
    processes_are_told_of(Backend::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_are_told_of_on_postgres() {
    processes_are_told_of(Backend::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_runs_once_and_ends_as_it_does_on_sqlite() {
    a_job_runs_once_and_ends_as_it_does(Backend::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_runs_once_and_ends_as_it_does_on_postgres() {
    a_job_runs_once_and_ends_as_it_does(Backend::Postgres).await;
}
