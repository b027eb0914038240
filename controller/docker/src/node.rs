//! A container engine as a node of teams.

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use chrono::Utc;
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use serde_json::json;
use slipway_core::log::LogLine;
use slipway_engine::EngineError;
use slipway_engine::workload::{Container, ContainerCommand, NodeFacts, WorkloadNode, WorkloadProgress, WorkloadSpec};
use slipway_engine::workload_label::{LABEL_MANAGED_BY, LABEL_PREFIX, LABEL_TEAM, MANAGED_BY};
use slipway_team::container::check::is_label;

use crate::answer::{Inspected, Labelled, Listed, Version};
use crate::client::{Answer, Call, Client};
use crate::endpoint::DockerEndpoint;
use crate::failure::{Failure, shown};
use crate::frame::Frames;
use crate::plan::{LABEL_CONTAINER, LABEL_ROLE, LABEL_SECRETS, ROLE_MAIN, ROLE_NETWORK, full_name};
use crate::progress::{SETTLE, Stand, container, stand};
use crate::settings::DockerSettings;

/// How long making or starting a container may take: the engine may be unpacking files.
pub(crate) const START_LIMIT: Duration = Duration::from_mins(2);
/// How long a container may take to end when it is asked to, in seconds; then it is killed.
const GRACE_SECS: u64 = 10;
/// How long a container that is listened to may be silent at first.
const FOLLOW_LIMIT: Duration = Duration::from_hours(24);
/// Pauses before something is tried again that the engine may be at already, doubling from the first to the last.
pub(crate) const PAUSE_FIRST: Duration = Duration::from_millis(100);
/// See [`PAUSE_FIRST`].
pub(crate) const PAUSE_LAST: Duration = Duration::from_secs(5);
/// Lines of a stuck container's output that are told.
const LAST_LINES: u32 = 40;
/// Most lines that are read at once.
const LINES_MAX: u32 = 10_000;
/// Most bytes of output that are read at once, unless it is followed.
const OUTPUT_MAX: usize = 32 << 20;

/// A Docker or Podman engine that runs containers of teams.
#[derive(Clone)]
pub struct DockerNode {
    pub(crate) client: Client,
    pub(crate) settings: DockerSettings,
}

impl std::fmt::Debug for DockerNode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DockerNode").field("engine", &self.client.way().shown()).finish_non_exhaustive()
    }
}

/// A name as a part of a path.
pub(crate) fn segment(name: &str) -> String {
    // Names of images have slashes and colons, which engines want as they are.
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/:@".contains(&byte);
    let mut all = String::with_capacity(name.len());
    for byte in name.bytes() {
        if is_plain(byte) {
            all.push(char::from(byte));
        } else {
            all.extend(['%', hex(byte >> 4), hex(byte)]);
        }
    }
    all
}

/// The last four bits as a digit.
fn hex(bits: u8) -> char {
    char::from_digit(u32::from(bits & 0xf), 16).unwrap_or('0').to_ascii_uppercase()
}

fn missing(prefix: &str, name: &str) -> EngineError {
    EngineError::Missing(format!("the container {name} of {prefix}"))
}

impl DockerNode {
    /// The engine at `endpoint`. Nothing is connected to yet.
    ///
    /// # Errors
    /// [`EngineError::Rejected`] for an address, a certificate or a key that is none.
    pub fn connect(endpoint: &DockerEndpoint, settings: DockerSettings) -> Result<Self, EngineError> {
        let client = Client::new(endpoint.way()?, &settings);
        Ok(Self { client, settings })
    }

    /// The container of that name on the engine, whosever it is.
    pub(crate) async fn inspect(&self, name: &str) -> Result<Option<Inspected>, EngineError> {
        match self.client.ask::<Inspected>(Call::get(format!("/containers/{}/json", segment(name)))).await {
            Ok(found) => Ok(Some(found)),
            Err(error) if error.is_missing() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The container `name` of `prefix`, if it is ours, and its name on the engine.
    async fn ours(&self, prefix: &str, name: &str) -> Result<Option<(String, Inspected)>, EngineError> {
        if !is_label(prefix) || !is_label(name) {
            return Ok(None);
        }
        let full = full_name(prefix, name);
        let Some(found) = self.inspect(&full).await? else { return Ok(None) };
        let has = |label: &str, value: &str| found.config.labels.get(label).is_some_and(|has| has == value);
        let is_ours = has(LABEL_MANAGED_BY, MANAGED_BY)
            && has(LABEL_PREFIX, prefix)
            && has(LABEL_CONTAINER, name)
            && has(LABEL_ROLE, ROLE_MAIN);
        Ok(is_ours.then_some((full, found)))
    }

    pub(crate) async fn start(&self, name: &str) -> Result<(), EngineError> {
        let call = Call::post(format!("/containers/{}/start", segment(name))).limit(START_LIMIT);
        so_or_done(self.client.tell(call).await)
    }

    /// Stops a container; one that does not run is fine.
    pub(crate) async fn stop(&self, name: &str) -> Result<(), EngineError> {
        let call = Call::post(format!("/containers/{}/stop", segment(name)))
            .query("t", GRACE_SECS.to_string())
            .limit(START_LIMIT);
        so_or_done(self.client.tell(call).await)
    }

    /// Removes a container, whatever it does, with the volumes that have no name. One that is gone is fine.
    pub(crate) async fn remove(&self, name: &str) -> Result<(), EngineError> {
        let mut pause = PAUSE_FIRST;
        loop {
            let call = Call::delete(format!("/containers/{}", segment(name))).query("force", "true").query("v", "true");
            match self.client.tell(call.limit(START_LIMIT)).await {
                Ok(()) => return Ok(()),
                Err(error) if error.is_missing() => return Ok(()),
                // The engine may be at it already, for a call that was given up here and goes on there.
                Err(error) if error.is_refusal() && pause < PAUSE_LAST => {
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Our containers with all of `labels`, whatever they are for.
    async fn listed(&self, labels: &[String]) -> Result<Vec<Listed>, EngineError> {
        let mut all = vec![format!("{LABEL_MANAGED_BY}={MANAGED_BY}"), LABEL_TEAM.to_owned()];
        all.extend_from_slice(labels);
        let call = Call::get("/containers/json").query("all", "true").filters(&json!({"label": all}));
        let found: Vec<Listed> = self.client.ask(call).await?;
        let has = |one: &Listed| {
            all.iter().all(|label| match label.split_once('=') {
                Some((key, value)) => one.labels.get(key).is_some_and(|has| has == value),
                None => one.labels.contains_key(label),
            })
        };
        Ok(found.into_iter().filter(has).collect())
    }

    /// Removes networks of ours that nobody is in any more.
    async fn networks_remove(&self, names: impl IntoIterator<Item = String>) -> Result<(), EngineError> {
        for name in names {
            let path = format!("/networks/{}", segment(&name));
            let found = match self.client.ask::<Labelled>(Call::get(path.clone())).await {
                Ok(found) => found,
                Err(error) if error.is_missing() => continue,
                Err(error) => return Err(error.into()),
            };
            let has = |label: &str, value: &str| found.labels.get(label).is_some_and(|has| has == value);
            if has(LABEL_MANAGED_BY, MANAGED_BY) && has(LABEL_ROLE, ROLE_NETWORK) {
                // The engine refuses while somebody is in it.
                match self.client.tell(Call::delete(path)).await {
                    Ok(()) | Err(Failure::Refused { .. }) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(())
    }

    async fn log_open(&self, full: &str, tail: u32, is_following: bool) -> Result<Answer, Failure> {
        // Engines may not answer before there is something to tell.
        let limit = if is_following { FOLLOW_LIMIT } else { self.settings.call_limit };
        let call = Call::get(format!("/containers/{}/logs", segment(full)))
            .query("stdout", "true")
            .query("stderr", "true")
            .query("timestamps", "true")
            .query("follow", is_following.to_string())
            .query("tail", tail.min(LINES_MAX).to_string());
        self.client.open(call.limit(limit)).await
    }

    /// The last lines of a container; nothing when they cannot be had.
    pub(crate) async fn output(&self, full: &str) -> Vec<String> {
        let read = async {
            let answer = self.log_open(full, LAST_LINES, false).await.ok()?;
            Some(lines(answer, full, Some(OUTPUT_MAX)).map(|line| line.text).collect::<Vec<_>>().await)
        };
        let read = tokio::time::timeout(self.settings.call_limit, read).await;
        let mut lines = read.ok().flatten().unwrap_or_default();
        lines.drain(..lines.len().saturating_sub(LAST_LINES as usize));
        lines
    }
}

/// The lines of an answer, at most so many bytes of it.
fn lines(answer: Answer, source: &str, limit: Option<usize>) -> BoxStream<'static, LogLine> {
    let state = (answer, Some(Frames::new(source)), limit);
    stream::unfold(state, |(mut answer, frames, limit)| async move {
        let mut frames = frames?;
        let piece = answer.piece().await.ok().flatten().filter(|_| limit != Some(0));
        Some(match piece {
            Some(piece) => {
                let lines = frames.feed(&piece);
                (lines, (answer, Some(frames), limit.map(|left| left.saturating_sub(piece.len()))))
            }
            None => (frames.finish(), (answer, None, limit)),
        })
    })
    .flat_map(stream::iter)
    .boxed()
}

/// Done, or so already.
fn so_or_done(done: Result<(), Failure>) -> Result<(), EngineError> {
    match done {
        Err(error) if !error.is_so_already() => Err(error.into()),
        _ => Ok(()),
    }
}

#[async_trait]
impl WorkloadNode for DockerNode {
    async fn facts(&self) -> Result<NodeFacts, EngineError> {
        let version: Version = self.client.ask(Call::get("/version")).await?;
        let is_podman = version.components.iter().any(|component| component.name.starts_with("Podman"));
        let kind = if is_podman { "Podman" } else { "Docker" };
        Ok(NodeFacts {
            version: format!("{kind} {}", shown(&version.version)),
            address: Some(self.client.way().shown()),
        })
    }

    async fn apply(&self, spec: &WorkloadSpec) -> Result<(), EngineError> {
        self.replace(spec).await
    }

    async fn progress(&self, prefix: &str, name: &str) -> Result<WorkloadProgress, EngineError> {
        let (full, found) = self.ours(prefix, name).await?.ok_or_else(|| missing(prefix, name))?;
        Ok(match stand(&found, Utc::now()) {
            Stand::Up => WorkloadProgress::Up,
            Stand::Coming(state, reason) => WorkloadProgress::Coming(state, reason),
            Stand::Stuck(reason) => WorkloadProgress::Stuck { reason, output: self.output(&full).await },
        })
    }

    async fn changed(&self, prefix: &str, limit: Duration) {
        // A container that runs counts after a while without anything happening.
        let limit = limit.min(SETTLE.to_std().unwrap_or(limit));
        let labels = [format!("{LABEL_MANAGED_BY}={MANAGED_BY}"), format!("{LABEL_PREFIX}={prefix}")];
        let call = Call::get("/events").filters(&json!({"type": ["container"], "label": labels}));
        let wait = async { self.client.open(call.limit(limit)).await.ok()?.lines(|_| Some(())).await.ok()? };
        if let Ok(None) = tokio::time::timeout(limit, wait).await {
            // The events could not be had: do not ask again at once.
            tokio::time::sleep(limit.min(Duration::from_secs(1))).await;
        }
    }

    async fn containers(&self, prefix: Option<&str>) -> Result<Vec<Container>, EngineError> {
        let mut labels = vec![format!("{LABEL_ROLE}={ROLE_MAIN}")];
        labels.extend(prefix.map(|prefix| format!("{LABEL_PREFIX}={prefix}")));
        let mut all: Vec<Container> = self.listed(&labels).await?.iter().filter_map(container).collect();
        all.sort_by(|one, two| (&one.prefix, &one.name).cmp(&(&two.prefix, &two.name)));
        Ok(all)
    }

    async fn command(&self, prefix: &str, name: &str, command: ContainerCommand) -> Result<(), EngineError> {
        let (full, _) = self.ours(prefix, name).await?.ok_or_else(|| missing(prefix, name))?;
        match command {
            ContainerCommand::Start => self.start(&full).await,
            ContainerCommand::Stop => self.stop(&full).await,
            ContainerCommand::Restart => {
                let call =
                    Call::post(format!("/containers/{}/restart", segment(&full))).query("t", GRACE_SECS.to_string());
                Ok(self.client.tell(call.limit(START_LIMIT)).await?)
            }
        }
    }

    async fn delete(&self, prefix: &str, name: &str) -> Result<(), EngineError> {
        let (_, found) = self.ours(prefix, name).await?.ok_or_else(|| missing(prefix, name))?;
        // With what a deployment that was given up left.
        let labels = [format!("{LABEL_PREFIX}={prefix}"), format!("{LABEL_CONTAINER}={name}")];
        for one in self.listed(&labels).await? {
            self.remove(&one.id).await?;
        }
        self.temporary_remove(prefix, Some(name), &BTreeSet::new()).await?;
        self.networks_remove(found.network_settings.networks.into_keys()).await
    }

    async fn delete_all(&self, prefix: &str) -> Result<(), EngineError> {
        let labels = [format!("{LABEL_PREFIX}={prefix}")];
        let (containers, volumes) = (self.listed(&labels).await?, self.volumes(&labels).await?);
        if containers.is_empty() && volumes.is_empty() {
            return Err(EngineError::Missing(format!("the prefix {prefix}")));
        }
        let mut networks = BTreeSet::new();
        for one in &containers {
            if let Some(found) = self.inspect(&one.id).await? {
                networks.extend(found.network_settings.networks.into_keys());
            }
            self.remove(&one.id).await?;
        }
        for volume in &volumes {
            self.volume_remove(volume).await?;
        }
        self.networks_remove(networks).await
    }

    async fn secret_keys(&self, prefix: &str, name: &str) -> Result<Option<Vec<String>>, EngineError> {
        let Some((_, found)) = self.ours(prefix, name).await? else { return Ok(None) };
        let keys = found.config.labels.get(LABEL_SECRETS).map(String::as_str).unwrap_or_default();
        Ok(Some(keys.split(',').filter(|key| !key.is_empty()).map(shown).collect()))
    }

    async fn log(
        &self,
        prefix: &str,
        name: &str,
        tail: u32,
        is_following: bool,
    ) -> Result<BoxStream<'static, LogLine>, EngineError> {
        let (full, _) = self.ours(prefix, name).await?.ok_or_else(|| missing(prefix, name))?;
        if !is_following {
            return Ok(lines(self.log_open(&full, tail, false).await?, name, Some(OUTPUT_MAX)));
        }
        let (node, name) = (self.clone(), name.to_owned());
        let opened = stream::once(async move { (node.log_open(&full, tail, true).await, name) });
        Ok(opened
            .flat_map(|(answer, name)| match answer {
                Ok(answer) => lines(answer, &name, None),
                Err(error) => {
                    tracing::debug!(container = name, %error, "output cannot be followed");
                    stream::empty().boxed()
                }
            })
            .boxed())
    }
}
