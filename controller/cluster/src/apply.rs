//! Writing to the API server: server-side apply under one field manager, and nothing that is not ours.

use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams, Preconditions, PropagationPolicy};
use kube::core::ApiResource;
use kube::{Client, ResourceExt};
use slipway_core::{AppId, AppName};

use crate::capability::Capabilities;
use crate::index::Kind;
use crate::labels::{LABEL_APP_ID, LABEL_HERITAGE};
use crate::objects::Object;
use crate::settings::{FIELD_MANAGER, HERITAGE};

/// Pause before the first try again; doubled for each further one.
const RETRY_MIN: Duration = Duration::from_millis(100);
/// Tries after the first. What still fails then is taken up by the app's next pass.
const RETRIES: usize = 4;

/// Why something was not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// An object of that name is there and not ours. For the user.
    #[error("the cluster has a {kind} {name:?} in Namespace {namespace:?} that is not Slipway's")]
    Foreign {
        /// Its kind.
        kind: &'static str,
        /// Its name.
        name: String,
        /// Where it is.
        namespace: String,
    },
    /// The API server refused it for good. For the user. Source: `drycc-v2.md` §4.10.
    #[error("failed to {verb} {kind} {name:?} in Namespace {namespace:?}: {code} {reason} {message}")]
    Refused {
        /// What was tried.
        verb: &'static str,
        /// The object's kind.
        kind: &'static str,
        /// Its name.
        name: String,
        /// Where it is.
        namespace: String,
        /// The HTTP status.
        code: u16,
        /// In one word.
        reason: String,
        /// What the API server says.
        message: String,
    },
    /// A later try may work.
    #[error("the cluster's API server cannot be used")]
    Unavailable {
        /// The cause.
        source: Box<kube::Error>,
    },
}

/// Writes objects.
#[derive(Clone)]
pub struct Writer {
    client: Client,
    capabilities: Capabilities,
}

impl Writer {
    /// A writer to the cluster of `client`.
    #[must_use]
    pub fn new(client: Client, capabilities: Capabilities) -> Self {
        Self { client, capabilities }
    }

    /// What the cluster can do.
    #[must_use]
    pub fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn api(&self, app: &AppName, kind: Kind) -> Api<DynamicObject> {
        let resource = resource(kind, &self.capabilities);
        match kind {
            Kind::Namespace => Api::all_with(self.client.clone(), &resource),
            _ => Api::namespaced_with(self.client.clone(), app.as_str(), &resource),
        }
    }

    /// Labels of the object as it is now; `None` when there is none.
    ///
    /// # Errors
    /// [`WriteError`].
    pub async fn labels(
        &self,
        app: &AppName,
        kind: Kind,
        name: &str,
    ) -> Result<Option<std::collections::BTreeMap<String, String>>, WriteError> {
        let api = self.api(app, kind);
        let get = || async { api.get_metadata_opt(name).await };
        let found = retried(get).await.map_err(|error| failure(error, "get", app, kind, name))?;
        Ok(found.map(|object| object.labels().clone()))
    }

    /// Writes an object. Unless it is known to be ours, looks first whether something else has its name.
    ///
    /// # Errors
    /// [`WriteError`].
    pub async fn apply(&self, app: &AppName, object: &Object, is_known: bool) -> Result<(), WriteError> {
        let Object { kind, name, .. } = object;
        if !is_known && let Some(labels) = self.labels(app, *kind, name).await? {
            let is_ours = labels.get(LABEL_HERITAGE).is_some_and(|heritage| heritage == HERITAGE);
            if !is_ours {
                let (kind, name, namespace) = (kind_name(*kind), name.clone(), app.to_string());
                return Err(WriteError::Foreign { kind, name, namespace });
            }
        }
        let api = self.api(app, *kind);
        let params = PatchParams::apply(FIELD_MANAGER).force();
        let patch = Patch::Apply(&object.body);
        let write = || async { api.patch_metadata(name, &params, &patch).await };
        let mut written = retried(write).await;
        if *kind == Kind::Deployment && matches!(&written, Err(kube::Error::Api(status)) if status.code == 422) {
            // An apply takes away the fields that it set. What the server filled in beside them stays, and half a
            // probe is refused: such parts are removed whole first. That leaves no owner of them.
            let live = retried(|| async { api.get(name).await }).await;
            let live = live.map_err(|error| failure(error, "get", app, *kind, name))?;
            let removals = removals(&live.data, &object.body);
            if !removals.is_empty() {
                let patch = serde_json::from_value(serde_json::Value::Array(removals));
                let patch = patch.map_err(kube::Error::SerdeError);
                let patch: Patch<()> = Patch::Json(patch.map_err(|error| failure(error, "patch", app, *kind, name))?);
                let own = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
                let remove = || async { api.patch_metadata(name, &own, &patch).await };
                retried(remove).await.map_err(|error| failure(error, "patch", app, *kind, name))?;
                written = retried(write).await;
            }
        }
        written.map_err(|error| failure(error, "apply", app, *kind, name))?;
        tracing::debug!(app = app.as_str(), "wrote {} {name}", kind_name(*kind));
        Ok(())
    }

    /// Begins to remove the namespace of an app, with all that is in it, if it is still that app's.
    ///
    /// # Errors
    /// [`WriteError`].
    pub async fn namespace_delete(&self, name: &AppName, app: AppId) -> Result<(), WriteError> {
        let api = self.api(name, Kind::Namespace);
        let get = || async { api.get_metadata_opt(name.as_str()).await };
        let found = retried(get).await.map_err(|error| failure(error, "get", name, Kind::Namespace, name.as_str()))?;
        let Some(found) = found else { return Ok(()) };
        let is_own = found.labels().get(LABEL_APP_ID).is_some_and(|id| *id == app.to_string());
        match found.uid().filter(|_| is_own && found.metadata.deletion_timestamp.is_none()) {
            Some(uid) => self.delete(name, Kind::Namespace, name.as_str(), &uid).await,
            None => Ok(()),
        }
    }

    /// Removes an object if it is still the one with `uid`. One that is gone is no error.
    ///
    /// # Errors
    /// [`WriteError`].
    pub async fn delete(&self, app: &AppName, kind: Kind, name: &str, uid: &str) -> Result<(), WriteError> {
        let api = self.api(app, kind);
        let params = DeleteParams {
            propagation_policy: Some(PropagationPolicy::Background),
            preconditions: Some(Preconditions { uid: Some(uid.to_owned()), resource_version: None }),
            ..DeleteParams::default()
        };
        let remove = || async { api.delete(name, &params).await };
        match retried_unless_conflict(remove).await {
            Ok(_) => {
                tracing::debug!(app = app.as_str(), "removed {} {name}", kind_name(kind));
                Ok(())
            }
            // 409: another object has the name now.
            Err(kube::Error::Api(status)) if status.code == 404 || status.code == 409 => Ok(()),
            Err(error) => Err(failure(error, "delete", app, kind, name)),
        }
    }
}

async fn retried<T, F, Fut>(call: F) -> kube::Result<T>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = kube::Result<T>>,
{
    call.retry(backoff()).when(|error| is_passing(error, true)).await
}

async fn retried_unless_conflict<T, F, Fut>(call: F) -> kube::Result<T>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = kube::Result<T>>,
{
    call.retry(backoff()).when(|error| is_passing(error, false)).await
}

fn backoff() -> ExponentialBuilder {
    ExponentialBuilder::new().with_min_delay(RETRY_MIN).with_max_times(RETRIES).with_jitter()
}

/// The operations that remove the probes and hooks of containers that `wanted`, a Deployment, does not have any more.
/// `live` is the same without its metadata, as it is on the cluster.
fn removals(live: &serde_json::Value, wanted: &serde_json::Value) -> Vec<serde_json::Value> {
    const PARTS: [&str; 4] = ["readinessProbe", "livenessProbe", "startupProbe", "lifecycle"];
    let containers = |object: &serde_json::Value| {
        object
            .pointer("/spec/template/spec/containers")
            .and_then(serde_json::Value::as_array)
            .cloned()
            .unwrap_or_default()
    };
    let wanted = containers(wanted);
    let mut operations = Vec::new();
    for (place, container) in containers(live).iter().enumerate() {
        let Some(wanted) = wanted.iter().find(|wanted| wanted["name"] == container["name"]) else { continue };
        let at = format!("/spec/template/spec/containers/{place}");
        for part in PARTS.iter().filter(|part| container.get(**part).is_some() && wanted.get(**part).is_none()) {
            operations
                .push(serde_json::json!({"op": "test", "path": format!("{at}/name"), "value": container["name"]}));
            operations.push(serde_json::json!({"op": "remove", "path": format!("{at}/{part}")}));
        }
    }
    operations
}

/// Whether a later try may work.
fn is_passing(error: &kube::Error, is_conflict_passing: bool) -> bool {
    match error {
        kube::Error::Api(status) => match status.code {
            409 => is_conflict_passing,
            408 | 429 => true,
            code => code >= 500,
        },
        kube::Error::SerdeError(_) | kube::Error::BuildRequest(_) | kube::Error::InferConfig(_) => false,
        _ => true,
    }
}

fn failure(error: kube::Error, verb: &'static str, app: &AppName, kind: Kind, name: &str) -> WriteError {
    match error {
        // 404: the namespace is not there yet, or not any more. 403 is said, too, while a namespace goes.
        kube::Error::Api(status)
            if (400..500).contains(&status.code)
                && !matches!(status.code, 401 | 404 | 408 | 409 | 429)
                && !status.message.contains("because it is being terminated") =>
        {
            WriteError::Refused {
                verb,
                kind: kind_name(kind),
                name: name.to_owned(),
                namespace: app.to_string(),
                code: status.code,
                reason: status.reason,
                message: status.message,
            }
        }
        error => WriteError::Unavailable { source: Box::new(error) },
    }
}

/// Where objects of a kind are.
fn resource(kind: Kind, capabilities: &Capabilities) -> ApiResource {
    let (group, version, plural) = match kind {
        Kind::Namespace => ("", "v1", "namespaces"),
        Kind::ResourceQuota => ("", "v1", "resourcequotas"),
        Kind::LimitRange => ("", "v1", "limitranges"),
        Kind::PersistentVolumeClaim => ("", "v1", "persistentvolumeclaims"),
        Kind::ServiceAccount => ("", "v1", "serviceaccounts"),
        Kind::Secret => ("", "v1", "secrets"),
        Kind::Service => ("", "v1", "services"),
        Kind::Deployment => ("apps", "v1", "deployments"),
        Kind::NetworkPolicy => ("networking.k8s.io", "v1", "networkpolicies"),
        Kind::Job => ("batch", "v1", "jobs"),
        Kind::HorizontalPodAutoscaler => {
            ("autoscaling", capabilities.autoscaling.as_deref().unwrap_or("v2"), "horizontalpodautoscalers")
        }
        Kind::PodDisruptionBudget => ("policy", capabilities.policy.as_deref().unwrap_or("v1"), "poddisruptionbudgets"),
    };
    ApiResource {
        group: group.to_owned(),
        version: version.to_owned(),
        api_version: if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") },
        kind: kind_name(kind).to_owned(),
        plural: plural.to_owned(),
    }
}

/// A kind as Kubernetes spells it.
#[must_use]
pub fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Namespace => "Namespace",
        Kind::ResourceQuota => "ResourceQuota",
        Kind::LimitRange => "LimitRange",
        Kind::PersistentVolumeClaim => "PersistentVolumeClaim",
        Kind::ServiceAccount => "ServiceAccount",
        Kind::Secret => "Secret",
        Kind::Service => "Service",
        Kind::Deployment => "Deployment",
        Kind::NetworkPolicy => "NetworkPolicy",
        Kind::HorizontalPodAutoscaler => "HorizontalPodAutoscaler",
        Kind::PodDisruptionBudget => "PodDisruptionBudget",
        Kind::Job => "Job",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn parts_that_are_not_wanted_any_more_are_removed_whole() {
        let deployment =
            |containers: serde_json::Value| json!({"spec": {"template": {"spec": {"containers": containers}}}});
        let live = deployment(json!([
            {"name": "sidecar", "readinessProbe": {}},
            {"name": "web", "readinessProbe": {"tcpSocket": {}}, "livenessProbe": {}, "lifecycle": {}},
        ]));
        let wanted = deployment(json!([{"name": "web", "livenessProbe": {}}]));
        let paths: Vec<_> = removals(&live, &wanted).iter().map(|operation| operation["path"].clone()).collect();
        let at = "/spec/template/spec/containers/1";
        let expected = ["name", "readinessProbe", "name", "lifecycle"].map(|part| json!(format!("{at}/{part}")));
        assert_eq!(paths, expected);
        assert!(removals(&live, &live).is_empty() && removals(&json!({}), &wanted).is_empty());
    }
}
