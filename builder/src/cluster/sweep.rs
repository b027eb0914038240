//! Removes Jobs of builds that are over: those of this builder that are not on its desk. Secrets go with their Jobs.

use std::collections::BTreeSet;
use std::time::Duration;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::api::{DeleteParams, ListParams};
use kube::{Api, Client};
use tokio_util::sync::CancellationToken;

use super::job::{LABEL_BUILD, LABEL_BUILDER};
use super::listener::Desk;

/// Time between two sweeps.
const INTERVAL: Duration = Duration::from_mins(5);
/// How often it is tried to remove an object.
const ATTEMPTS: u32 = 5;

/// Removes a build's Job with its pod, and its Secret. What is not there is no error.
pub(super) async fn remove(client: &Client, namespace: &str, name: &str, build: &str) {
    let jobs: Api<Job> = Api::namespaced(client.clone(), namespace);
    let secrets: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let parameters = DeleteParams::background();
    for number in 0..ATTEMPTS {
        let job = is_gone(jobs.delete(name, &parameters).await);
        let secret = is_gone(secrets.delete(name, &parameters).await);
        // The cluster would remove the pod too, after a while; it is the pod that costs.
        let is_done = job && secret && remove_pods(&pods, build).await;
        if is_done {
            return;
        }
        tokio::time::sleep(Duration::from_millis(200) * 2u32.pow(number)).await;
    }
    tracing::warn!(job = name, "a build's Job could not be removed; the next sweep will try again");
}

async fn remove_pods(pods: &Api<Pod>, build: &str) -> bool {
    let Ok(list) = pods.list_metadata(&ListParams::default().labels(&format!("{LABEL_BUILD}={build}"))).await else {
        return false;
    };
    let mut all_gone = true;
    for name in list.items.into_iter().filter_map(|pod| pod.metadata.name) {
        all_gone &= is_gone(pods.delete(&name, &DeleteParams::default()).await);
    }
    all_gone
}

fn is_gone<T>(result: kube::Result<T>) -> bool {
    match result {
        Ok(_) => true,
        Err(kube::Error::Api(status)) if status.code == 404 => true,
        Err(error) => {
            tracing::debug!("removing an object of a build: {}", slipway_cause::chain(&error));
            false
        }
    }
}

/// Sweeps at the start and then again and again until `stop`.
pub(super) async fn run(client: Client, namespace: String, instance: String, desk: Desk, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        if let Err(error) = sweep(&client, &namespace, &instance, &desk).await {
            tracing::warn!("cannot look for builds that are over: {}", slipway_cause::chain(&error));
        }
    }
}

async fn sweep(client: &Client, namespace: &str, instance: &str, desk: &Desk) -> kube::Result<()> {
    let jobs: Api<Job> = Api::namespaced(client.clone(), namespace);
    let ours = ListParams::default().labels(&format!("{LABEL_BUILDER}={instance}"));
    let all = jobs.list_metadata(&ours).await?.items;
    // Looked at after the list was made: what has a Job has been on the desk before.
    let living: BTreeSet<String> = desk.builds().iter().map(ToString::to_string).collect();
    for meta in all.into_iter().map(|object| object.metadata) {
        let build = meta.labels.as_ref().and_then(|labels| labels.get(LABEL_BUILD));
        let (Some(name), Some(build)) = (&meta.name, build) else { continue };
        if !living.contains(build) {
            tracing::info!(job = name, "removing a build that is over");
            remove(client, namespace, name, build).await;
        }
    }
    Ok(())
}
