//! A cluster as a node of teams.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{SecondsFormat, Utc};
use futures::StreamExt as _;
use futures::stream::BoxStream;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Pod, Secret, Service};
use k8s_openapi::api::networking::v1::Ingress;
use kube::api::{Api, DeleteParams, DynamicObject, ListParams, LogParams, Patch, PatchParams, WatchParams};
use kube::core::ApiResource;
use kube::{Client, ResourceExt};
use serde_json::json;
use slipway_core::log::LogLine;
use slipway_engine::EngineError;
use slipway_engine::workload::{Container, ContainerCommand, NodeFacts, WorkloadNode, WorkloadProgress, WorkloadSpec};
use slipway_team::container::quantity;

use super::objects::{
    ANNOTATION_RESTARTED_AT, Item, LABEL_MANAGED_BY, LABEL_PREFIX, LABEL_SELECTOR, LABEL_TEAM, Names, WorkloadSettings,
    leftovers, objects,
};
use super::progress::{Stand, by_name, container, stand};
use crate::log::{next_line, parse};
use crate::settings::{FIELD_MANAGER, HERITAGE};

/// Lines of a stuck container's output that are told.
const LAST_LINES: u32 = 40;
/// Longest of those lines, in characters.
const LINE_MAX: usize = 16 * 1024;

/// A cluster that runs containers of teams.
#[derive(Clone)]
pub struct ClusterNode {
    client: Client,
    settings: WorkloadSettings,
    address: Option<String>,
}

impl ClusterNode {
    /// The cluster of `client`, which people know as `address`.
    #[must_use]
    pub fn new(client: Client, settings: WorkloadSettings, address: Option<String>) -> Self {
        Self { client, settings, address }
    }

    fn api<K>(&self, prefix: &str) -> Api<K>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client.clone(), prefix)
    }

    fn dynamic(&self, resource: &ApiResource, prefix: &str) -> Api<DynamicObject> {
        if resource.kind == "Namespace" {
            Api::all_with(self.client.clone(), resource)
        } else {
            Api::namespaced_with(self.client.clone(), prefix, resource)
        }
    }

    /// Refuses a name that something has that is not ours, or another team's.
    async fn owner_check(&self, item: &Item, spec: &WorkloadSpec) -> Result<Option<DynamicObject>, EngineError> {
        let api = self.dynamic(&item.resource, &spec.prefix);
        let Some(found) = api.get_opt(&item.name).await.map_err(|error| failure(&error))? else { return Ok(None) };
        let labels = found.labels();
        let team = spec.ownership.team.to_string();
        let is_ours = labels.get(LABEL_MANAGED_BY).is_some_and(|by| by == HERITAGE);
        if !is_ours || labels.get(LABEL_TEAM).is_none_or(|owner| *owner != team) {
            let kind = &item.resource.kind;
            let text = format!("the cluster has a {kind} {:?} in {:?} that is not this team's", item.name, spec.prefix);
            return Err(EngineError::Rejected(text));
        }
        Ok(Some(found))
    }

    async fn write(&self, item: &Item, spec: &WorkloadSpec) -> Result<(), EngineError> {
        let found = self.owner_check(item, spec).await?;
        let mut body = item.body.clone();
        if item.resource.kind == "PersistentVolumeClaim"
            && let Some(found) = found
        {
            claim_keep(&mut body, &found.data);
        }
        let api = self.dynamic(&item.resource, &spec.prefix);
        let params = PatchParams::apply(FIELD_MANAGER).force();
        api.patch(&item.name, &params, &Patch::Apply(&body)).await.map_err(|error| failure(&error))?;
        Ok(())
    }

    async fn remove(&self, resource: &ApiResource, prefix: &str, name: &str) -> Result<(), EngineError> {
        let api = self.dynamic(resource, prefix);
        let found = api.get_metadata_opt(name).await.map_err(|error| failure(&error))?;
        let is_ours = found.is_some_and(|object| {
            object.labels().get(LABEL_MANAGED_BY).is_some_and(|by| by == HERITAGE)
                && object.labels().contains_key(LABEL_TEAM)
        });
        if !is_ours {
            return Ok(());
        }
        match api.delete(name, &DeleteParams::background()).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            Err(error) => Err(failure(&error)),
        }
    }

    /// The Deployment `name`, if it is ours.
    async fn deployment(&self, prefix: &str, name: &str) -> Result<Deployment, EngineError> {
        let found = self.api::<Deployment>(prefix).get_opt(name).await.map_err(|error| failure(&error))?;
        let ours = found.filter(|one| {
            one.labels().get(LABEL_MANAGED_BY).is_some_and(|by| by == HERITAGE) && one.labels().contains_key(LABEL_TEAM)
        });
        ours.ok_or_else(|| EngineError::Missing(format!("the container {name} of {prefix}")))
    }

    async fn pods(&self, prefix: &str, name: &str) -> Result<Vec<Pod>, EngineError> {
        let params = ListParams::default().labels(&format!("{LABEL_SELECTOR}={name},{LABEL_MANAGED_BY}={HERITAGE}"));
        Ok(self.api::<Pod>(prefix).list(&params).await.map_err(|error| failure(&error))?.items)
    }

    /// The last lines of a pod; those of its last try when this one has none yet. Nothing when there are none.
    async fn output(&self, prefix: &str, pod: &str) -> Vec<String> {
        let api = self.api::<Pod>(prefix);
        for previous in [false, true] {
            let params = LogParams { tail_lines: Some(i64::from(LAST_LINES)), previous, ..LogParams::default() };
            if let Ok(text) = api.logs(pod, &params).await
                && !text.trim().is_empty()
            {
                return text.lines().map(|line| line.chars().take(LINE_MAX).collect()).collect();
            }
        }
        Vec::new()
    }
}

/// A claim can only grow: all else stays as it is, whatever is wanted now.
fn claim_keep(body: &mut serde_json::Value, found: &serde_json::Value) {
    let (wanted, has) = ("/spec/resources/requests/storage", "/spec/resources/requests/storage");
    let wanted = body.pointer(wanted).and_then(serde_json::Value::as_str).map(str::to_owned);
    let has = found.pointer(has).and_then(serde_json::Value::as_str).map(str::to_owned);
    let size = match (wanted, has) {
        (Some(wanted), Some(has)) if quantity(&wanted) > quantity(&has) => wanted,
        (_, Some(has)) => has,
        (Some(wanted), None) => wanted,
        (None, None) => return,
    };
    for member in ["accessModes", "storageClassName"] {
        if let Some(value) = found.pointer(&format!("/spec/{member}")) {
            body["spec"][member] = value.clone();
        }
    }
    body["spec"]["resources"]["requests"]["storage"] = json!(size);
}

fn failure(error: &kube::Error) -> EngineError {
    match error {
        kube::Error::Api(status)
            if (400..500).contains(&status.code) && !matches!(status.code, 401 | 408 | 409 | 429) =>
        {
            EngineError::Rejected(format!("the cluster refused it: {}", status.message))
        }
        error => EngineError::Unavailable {
            public: "the node's cluster cannot be reached".to_owned(),
            context: format!("{error:?}").chars().take(512).collect(),
        },
    }
}

#[async_trait]
impl WorkloadNode for ClusterNode {
    async fn facts(&self) -> Result<NodeFacts, EngineError> {
        let version = self.client.apiserver_version().await.map_err(|error| failure(&error))?;
        Ok(NodeFacts { version: format!("Kubernetes {}", version.git_version), address: self.address.clone() })
    }

    async fn apply(&self, spec: &WorkloadSpec) -> Result<(), EngineError> {
        let items = objects(spec, &self.settings).map_err(|unfit| EngineError::Rejected(unfit.to_string()))?;
        for item in &items {
            self.write(item, spec).await?;
        }
        for (resource, name) in leftovers(spec, &items) {
            self.remove(&resource, &spec.prefix, &name).await?;
        }
        Ok(())
    }

    async fn progress(&self, prefix: &str, name: &str) -> Result<WorkloadProgress, EngineError> {
        let deployment = self.deployment(prefix, name).await?;
        let pods = self.pods(prefix, name).await?;
        Ok(match stand(&deployment, &pods) {
            Stand::Up => WorkloadProgress::Up,
            Stand::Coming(state, reason) => WorkloadProgress::Coming(state, reason),
            Stand::Stuck { reason, pod } => {
                let output = match pod {
                    Some(pod) => self.output(prefix, &pod).await,
                    None => Vec::new(),
                };
                WorkloadProgress::Stuck { reason, output }
            }
        })
    }

    async fn changed(&self, prefix: &str, limit: Duration) {
        let api = self.api::<Pod>(prefix);
        let wait = async {
            let version = api.list_metadata(&ListParams::default().limit(1)).await.ok()?.metadata.resource_version?;
            let params = WatchParams::default().labels(&format!("{LABEL_MANAGED_BY}={HERITAGE}"));
            let mut events = api.watch_metadata(&params, &version).await.ok()?.boxed();
            events.next().await?.ok()
        };
        if let Ok(None) = tokio::time::timeout(limit, wait).await {
            // The watch could not be had: do not ask again at once.
            tokio::time::sleep(limit.min(Duration::from_secs(1))).await;
        }
    }

    async fn containers(&self, prefix: Option<&str>) -> Result<Vec<Container>, EngineError> {
        let params = ListParams::default().labels(&format!("{LABEL_MANAGED_BY}={HERITAGE},{LABEL_TEAM}"));
        let client = || self.client.clone();
        let (deployments, pods, services): (Api<Deployment>, Api<Pod>, Api<Service>) = match prefix {
            Some(prefix) => (self.api(prefix), self.api(prefix), self.api(prefix)),
            None => (Api::all(client()), Api::all(client()), Api::all(client())),
        };
        let deployments = deployments.list(&params).await.map_err(|error| failure(&error))?;
        let pods = by_name(pods.list(&params).await.map_err(|error| failure(&error))?.items, LABEL_SELECTOR);
        let services: BTreeMap<(String, String), Service> = services
            .list(&params)
            .await
            .map_err(|error| failure(&error))?
            .items
            .into_iter()
            .map(|service| ((service.namespace().unwrap_or_default(), service.name_any()), service))
            .collect();
        let one = |deployment: &Deployment| {
            let key = (deployment.namespace().unwrap_or_default(), deployment.name_any());
            container(deployment, pods.get(&key).map_or(&[][..], Vec::as_slice), services.get(&key))
        };
        let mut all: Vec<Container> = deployments.items.iter().map(one).collect();
        all.sort_by(|one, two| (&one.prefix, &one.name).cmp(&(&two.prefix, &two.name)));
        Ok(all)
    }

    async fn command(&self, prefix: &str, name: &str, command: ContainerCommand) -> Result<(), EngineError> {
        self.deployment(prefix, name).await?;
        let stamp = Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true);
        let mut patch = json!({
            "spec": {"template": {"metadata": {"annotations": {ANNOTATION_RESTARTED_AT: stamp}}}},
        });
        match command {
            ContainerCommand::Start => patch["spec"]["replicas"] = json!(1),
            ContainerCommand::Stop => patch["spec"]["replicas"] = json!(0),
            ContainerCommand::Restart => {}
        }
        let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        let written = self.api::<Deployment>(prefix).patch(name, &params, &Patch::Merge(&patch)).await;
        written.map(|_| ()).map_err(|error| failure(&error))
    }

    async fn delete(&self, prefix: &str, name: &str) -> Result<(), EngineError> {
        self.deployment(prefix, name).await?;
        let names = Names::of(prefix, name);
        let all = [
            (ApiResource::erase::<Ingress>(&()), name.to_owned()),
            (ApiResource::erase::<Deployment>(&()), name.to_owned()),
            (ApiResource::erase::<Service>(&()), name.to_owned()),
            (ApiResource::erase::<ConfigMap>(&()), name.to_owned()),
            (ApiResource::erase::<Secret>(&()), name.to_owned()),
            (ApiResource::erase::<Secret>(&()), names.registry),
            (ApiResource::erase::<Secret>(&()), names.import),
        ];
        for (resource, name) in all {
            self.remove(&resource, prefix, &name).await?;
        }
        Ok(())
    }

    async fn delete_all(&self, prefix: &str) -> Result<(), EngineError> {
        let api: Api<Namespace> = Api::all(self.client.clone());
        let found = api.get_opt(prefix).await.map_err(|error| failure(&error))?;
        let is_ours = found.is_some_and(|namespace| {
            namespace.labels().get(LABEL_MANAGED_BY).is_some_and(|by| by == HERITAGE)
                && namespace.labels().get(LABEL_PREFIX).is_some_and(|label| label == prefix)
                && namespace.labels().contains_key(LABEL_TEAM)
        });
        if !is_ours {
            return Err(EngineError::Missing(format!("the prefix {prefix}")));
        }
        match api.delete(prefix, &DeleteParams::background()).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            Err(error) => Err(failure(&error)),
        }
    }

    async fn secret_keys(&self, prefix: &str, name: &str) -> Result<Option<Vec<String>>, EngineError> {
        let found = self.api::<Secret>(prefix).get_opt(name).await.map_err(|error| failure(&error))?;
        let ours = found.filter(|secret| secret.labels().contains_key(LABEL_TEAM));
        Ok(ours.map(|secret| secret.data.unwrap_or_default().into_keys().collect()))
    }

    async fn log(
        &self,
        prefix: &str,
        name: &str,
        tail: u32,
        is_following: bool,
    ) -> Result<BoxStream<'static, LogLine>, EngineError> {
        self.deployment(prefix, name).await?;
        let mut pods = self.pods(prefix, name).await?;
        pods.sort_by_key(|pod| pod.metadata.creation_timestamp.as_ref().map(|time| time.0));
        let Some(pod) = pods.pop() else { return Ok(futures::stream::empty().boxed()) };
        let params = LogParams {
            follow: is_following,
            timestamps: true,
            tail_lines: Some(i64::from(tail)),
            container: Some(name.to_owned()),
            ..LogParams::default()
        };
        let stream =
            self.api::<Pod>(prefix).log_stream(&pod.name_any(), &params).await.map_err(|error| failure(&error))?;
        let source = name.to_owned();
        let lines = futures::stream::unfold((Box::pin(stream), source), |(mut stream, source)| async {
            // Output that breaks off is over.
            let line = next_line(&mut stream).await.ok()??;
            Some((line_read(&source, &line), (stream, source)))
        });
        Ok(lines.boxed())
    }
}

/// A line as the API server tells it. What has no time is told, too: somebody wants to know why a container does not run.
fn line_read(source: &str, line: &str) -> LogLine {
    let now = || LogLine { time: Utc::now(), source: source.to_owned(), text: line.to_owned() };
    parse(source, line).unwrap_or_else(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_only_grows() {
        let found = json!({"spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "slow", "resources": {"requests": {"storage": "2Gi"}}}});
        let wanted = |size: &str| {
            let mut body =
                json!({"spec": {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": size}}}});
            claim_keep(&mut body, &found);
            body
        };
        assert_eq!(wanted("1Gi"), found);
        let grown = wanted("3Gi");
        assert_eq!(grown["spec"]["resources"]["requests"]["storage"], "3Gi");
        assert_eq!(grown["spec"]["accessModes"], json!(["ReadWriteOnce"]));
    }

    #[test]
    fn lines_have_their_time() {
        let line = line_read("web", "2026-01-02T03:04:05.678901234Z hello world");
        assert_eq!((line.text.as_str(), line.time.timestamp_subsec_micros()), ("hello world", 678_901));
        assert_eq!(line_read("web", "no time here").text, "no time here");
    }
}
