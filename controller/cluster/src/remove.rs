//! The removal of an app with everything in its namespace.

use std::collections::HashSet;
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::Client;
use kube::api::{Api, DeleteParams, Preconditions};
use slipway_core::{AppId, AppName};
use slipway_engine::EngineError;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, timeout};

use crate::apply::WriteError;
use crate::engine::unavailable;
use crate::index::Kind;
use crate::worker::{Shared, namespace_owner};

/// How long the removal of a namespace is waited for. What is not gone then is asked for again by the caller.
const REMOVE_MAX: Duration = Duration::from_mins(2);
/// Longest pause between two looks at what is being removed, when the watches tell nothing.
const LOOK: Duration = Duration::from_secs(2);
/// How long the end of the processes is waited for; what is still there then goes with the namespace.
const CLEAR_MAX: Duration = Duration::from_secs(12);

/// Removes the namespace of an app, if it is still that app's, and waits until it is gone.
///
/// # Errors
/// `Unavailable` when the API server cannot be used, or the namespace is not gone in time.
pub(crate) async fn remove(client: &Client, shared: &Shared, app: AppId, name: &AppName) -> Result<(), EngineError> {
    let mut changes = shared.index.changes();
    let deadline = Instant::now() + REMOVE_MAX;
    let mut is_cleared = false;
    loop {
        let labels = shared.writer.labels(name, Kind::Namespace, name.as_str()).await;
        let labels = labels.map_err(|error| unavailable(&error))?;
        // Someone else's namespace, or one that a newer app of this name has, stays.
        let owner = labels.as_ref().and_then(|labels| namespace_owner(labels, &shared.settings.namespace));
        if owner != Some(app.to_string()) {
            return Ok(());
        }
        if !is_cleared {
            // A namespace that goes looks again for its pods only after half of their longest grace period.
            clear(client, shared, name, &mut changes).await.map_err(|error| unavailable(&error))?;
            is_cleared = true;
        }
        if shared.index.app(name).namespace.as_ref().is_none_or(|kept| !kept.is_deleting) {
            let removed = shared.writer.namespace_delete(name, app).await;
            removed.map_err(|error| unavailable(&error))?;
        }
        if Instant::now() > deadline {
            let public = format!("the namespace of {name} is still being removed");
            return Err(EngineError::Unavailable { context: public.clone(), public });
        }
        let is_gone = async {
            while shared.index.app(name).app == Some(app) {
                if let Err(RecvError::Closed) = changes.recv().await {
                    return;
                }
            }
            // The watch may not have told of it yet.
            tokio::time::sleep(LOOK).await;
        };
        // A time-out is a reason to look again, as its end is.
        let _ = timeout(LOOK, is_gone).await;
    }
}

/// Ends what runs in an app's namespace and waits for it, though not for long.
async fn clear(
    client: &Client,
    shared: &Shared,
    name: &AppName,
    changes: &mut Receiver<AppName>,
) -> Result<(), WriteError> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), name.as_str());
    let deadline = Instant::now() + CLEAR_MAX;
    let mut told = HashSet::new();
    loop {
        let seen = shared.index.app(name);
        // First what would make new ones.
        let makers = [Kind::Deployment, Kind::Job].into_iter().flat_map(|kind| seen.of_kind(kind));
        for maker in makers.filter(|maker| !maker.is_deleting) {
            if told.insert(maker.uid.clone()) {
                shared.writer.delete(name, maker.kind, &maker.name, &maker.uid).await?;
            }
        }
        for pod in &seen.pods {
            if told.insert(pod.uid.clone()) {
                let preconditions = Preconditions { uid: Some(pod.uid.to_string()), resource_version: None };
                // Their nodes still ask them to end, and give them two seconds. Who destroys an app does not wait for
                // its last request, nor for a node that is lost.
                let params = DeleteParams {
                    grace_period_seconds: Some(0),
                    preconditions: Some(preconditions),
                    ..DeleteParams::default()
                };
                match pods.delete(&pod.name, &params).await {
                    Ok(_) => {}
                    Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => {}
                    Err(source) => return Err(WriteError::Unavailable { source: Box::new(source) }),
                }
            }
        }
        let is_clear = seen.deployments.is_empty() && seen.replica_sets.is_empty() && seen.pods.is_empty();
        if is_clear || Instant::now() > deadline {
            return Ok(());
        }
        let is_changed = async { while changes.recv().await.as_ref().is_ok_and(|changed| changed != name) {} };
        // A time-out is a reason to look again, as a change is.
        let _ = timeout(LOOK, is_changed).await;
    }
}
