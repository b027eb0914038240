//! Making a container, in place of what was there.
//!
//! The new one is made beside the old one, under another name, so that what cannot be made changes nothing. Then the old
//! one is stopped and kept until the new one has started; when it does not start, or something that runs before it
//! fails, the old one goes on. What a call that was given up left behind, the next one removes or takes over.

use std::collections::BTreeSet;

use bollard_stubs::models::{NetworkConnectRequest, NetworkCreateRequest, VolumeCreateRequest};
use serde_json::json;
use slipway_engine::workload::WorkloadSpec;
use slipway_engine::workload_label::{LABEL_MANAGED_BY, LABEL_PREFIX, LABEL_TEAM, MANAGED_BY};
use slipway_engine::{EngineError, RegistryLogin};
use slipway_image::registry_of;

use crate::answer::{Created, Inspected, Labelled, Pulling, Volumes, Waited};
use crate::client::Call;
use crate::failure::{Failure, shown};
use crate::mount::VolumeWish;
use crate::node::{DockerNode, PAUSE_FIRST, PAUSE_LAST, START_LIMIT, segment};
use crate::plan::{
    Creation, LABEL_CONTAINER, LABEL_ROLE, LABEL_STARTED_AT, Plan, ROLE_NETWORK, ROLE_TEMPORARY, ROLE_VOLUME,
    own_labels, plan,
};

/// After the name of a container that is not in its place yet.
const NEXT: &str = ".next";
/// After the name of a container whose place another takes.
const BEFORE: &str = ".before";
/// Longest value of a secret that is looked for in an engine's text, in characters. Shorter ones are words.
const SECRET_MIN: usize = 4;
/// The registry of images that name none, as engines know it.
const HUB: &str = "https://index.docker.io/v1/";

impl DockerNode {
    /// Makes the container of `spec`.
    pub(crate) async fn replace(&self, spec: &WorkloadSpec) -> Result<(), EngineError> {
        let mut plan = plan(spec, &self.settings).map_err(|unfit| EngineError::Rejected(unfit.to_string()))?;
        let done = self.replace_with(spec, &mut plan).await;
        done.map_err(|error| without_secrets(error, spec))
    }

    async fn replace_with(&self, spec: &WorkloadSpec, plan: &mut Plan) -> Result<(), EngineError> {
        let name = plan.main.name.clone();
        let (next, before) = (format!("{name}{NEXT}"), format!("{name}{BEFORE}"));
        let mut old = self.own(spec, &name).await?;
        let mut was_up = old.as_ref().is_some_and(|old| matches!(old.state.status.as_str(), "running" | "restarting"));
        if old.as_ref().is_some_and(|old| is_same(old, plan)) {
            return Ok(());
        }
        self.clear(spec, plan, &next).await?;
        // Somebody gave up half-way: the one that was stopped for another is the old one if that never came.
        if self.own(spec, &before).await?.is_some() {
            if old.is_some() {
                self.remove(&before).await?;
            } else {
                self.rename(&before, &name).await?;
                old = self.own(spec, &name).await?;
                was_up = true;
            }
        }
        for network in &plan.networks.named {
            self.network(spec, network).await?;
        }
        for volume in &plan.volumes {
            self.volume(spec, volume).await?;
        }
        let login = spec.registry.as_ref();
        for creation in plan.init.iter_mut().chain([&mut plan.main]) {
            let image = self.image(creation.image(), login).await?;
            creation.body.image = Some(image);
        }
        self.create(spec, &next, &plan.main).await?;
        for network in plan.networks.named.iter().skip(1) {
            let body = NetworkConnectRequest { container: next.clone(), endpoint_config: Some(plan.endpoint.clone()) };
            let call = Call::post(format!("/networks/{}/connect", segment(network))).body(&body)?;
            self.client.tell(call).await?;
        }
        if old.is_some() {
            self.stop(&name).await?;
        }
        let started = self.start_in_place(spec, plan, [&name, &next, &before], old.is_some()).await;
        if let Err(error) = started {
            self.give_up(spec, plan, [&name, &next, &before], was_up).await;
            return Err(error);
        }
        self.remove(&before).await?;
        let kept: BTreeSet<&str> = plan.volumes.iter().map(|volume| volume.name.as_str()).collect();
        self.temporary_remove(&spec.prefix, Some(spec.name()), &kept).await?;
        Ok(())
    }

    /// Runs what runs before, then gives the new container its name and starts it.
    async fn start_in_place(
        &self,
        spec: &WorkloadSpec,
        plan: &Plan,
        [name, next, before]: [&str; 3],
        has_old: bool,
    ) -> Result<(), EngineError> {
        for init in &plan.init {
            self.run_to_end(spec, init).await?;
        }
        if has_old {
            self.rename(name, before).await?;
        }
        self.rename(next, name).await?;
        self.start(name).await?;
        Ok(())
    }

    /// Goes back to the old container. What cannot be done now is left for the next call.
    async fn give_up(&self, spec: &WorkloadSpec, plan: &Plan, [name, next, before]: [&str; 3], was_up: bool) {
        let back = async {
            if self.own(spec, before).await?.is_some() {
                self.remove(name).await?;
                self.rename(before, name).await?;
            } else if self.own(spec, next).await?.is_none() {
                // There was no old one, and the new one has its place already: it stays, to be looked at.
                return Ok(());
            }
            self.clear(spec, plan, next).await?;
            if was_up && self.own(spec, name).await?.is_some() {
                self.start(name).await?;
            }
            Ok::<_, EngineError>(())
        };
        if let Err(error) = back.await {
            tracing::warn!(container = name, %error, "what ran before cannot be started again");
        }
    }

    /// Removes what an earlier call left of the new container and of what runs before it.
    async fn clear(&self, spec: &WorkloadSpec, plan: &Plan, next: &str) -> Result<(), EngineError> {
        for name in plan.init.iter().map(|init| init.name.as_str()).chain([next]) {
            if self.own(spec, name).await?.is_some() {
                self.remove(name).await?;
            }
        }
        Ok(())
    }

    /// The container `name`, unless there is none.
    ///
    /// # Errors
    /// [`EngineError::Rejected`] when it is not ours: without our labels, another team's, or of another container whose
    /// name is the same together with its prefix.
    async fn own(&self, spec: &WorkloadSpec, name: &str) -> Result<Option<Inspected>, EngineError> {
        let Some(found) = self.inspect(name).await? else { return Ok(None) };
        let wanted = own_labels(spec, "");
        let has = |label: &str| found.config.labels.get(label) == wanted.get(label);
        if [LABEL_MANAGED_BY, LABEL_TEAM, LABEL_PREFIX, LABEL_CONTAINER].into_iter().all(has) {
            return Ok(Some(found));
        }
        Err(EngineError::Rejected(format!(
            "the node has a container {name:?} that is not {} of {}",
            spec.name(),
            spec.prefix
        )))
    }

    /// Makes a container. What has its name and is ours is what a call made that was given up here and went on there.
    async fn create(&self, spec: &WorkloadSpec, name: &str, creation: &Creation) -> Result<(), EngineError> {
        let mut pause = PAUSE_FIRST;
        loop {
            let call = Call::post("/containers/create").query("name", name).body(&creation.body)?;
            let Err(taken) = self.client.ask::<Created>(call.limit(START_LIMIT)).await else { return Ok(()) };
            let is_taken = matches!(taken, Failure::Refused { status: 409 | 500, .. }) && pause < PAUSE_LAST;
            if !is_taken || self.own(spec, name).await?.is_none() {
                return Err(taken.into());
            }
            self.remove(name).await?;
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
    }

    async fn rename(&self, from: &str, to: &str) -> Result<(), EngineError> {
        let call = Call::post(format!("/containers/{}/rename", segment(from))).query("name", to);
        Ok(self.client.tell(call).await?)
    }

    /// Runs a container to its end.
    async fn run_to_end(&self, spec: &WorkloadSpec, creation: &Creation) -> Result<(), EngineError> {
        self.create(spec, &creation.name, creation).await?;
        self.start(&creation.name).await?;
        let wait = Call::post(format!("/containers/{}/wait", segment(&creation.name)));
        let limit = self.settings.init_limit;
        let refused = |reason: String, output: &[String]| {
            let mut text = format!("{}, which runs before the container, {reason}", creation.shown);
            for line in output {
                text = format!("{text}\n{line}");
            }
            EngineError::Rejected(text)
        };
        let ended = match self.client.ask::<Waited>(wait.limit(limit)).await {
            Ok(waited) => Ok(waited.status_code),
            Err(Failure::TimedOut) => Err(refused(format!("did not end within {} s", limit.as_secs()), &[])),
            Err(error) => return Err(error.into()),
        };
        let output = if matches!(ended, Ok(0)) { Vec::new() } else { self.output(&creation.name).await };
        self.remove(&creation.name).await?;
        match ended? {
            0 => Ok(()),
            code => Err(refused(format!("ended with exit code {code}"), &output)),
        }
    }

    /// Makes the network unless it is there. One that nobody labelled is the operator's, for everybody to join.
    async fn network(&self, spec: &WorkloadSpec, name: &str) -> Result<(), EngineError> {
        let get = || Call::get(format!("/networks/{}", segment(name)));
        let found = match self.client.ask::<Labelled>(get()).await {
            Ok(found) => found,
            Err(error) if error.is_missing() => {
                let labels = own_labels(spec, ROLE_NETWORK).into_iter().filter(|(label, _)| label != LABEL_CONTAINER);
                let body = NetworkCreateRequest {
                    name: name.to_owned(),
                    driver: Some("bridge".to_owned()),
                    labels: Some(labels.collect()),
                    ..NetworkCreateRequest::default()
                };
                return Ok(self.client.tell(Call::post("/networks/create").body(&body)?).await?);
            }
            Err(error) => return Err(error.into()),
        };
        let is_made = found.labels.get(LABEL_MANAGED_BY).is_some_and(|by| by == MANAGED_BY);
        if is_made && found.labels.get(LABEL_TEAM) != own_labels(spec, "").get(LABEL_TEAM) {
            return Err(EngineError::Rejected(format!("the network {name:?} of the node is another team's")));
        }
        Ok(())
    }

    /// Makes the volume unless it is there.
    async fn volume(&self, spec: &WorkloadSpec, wish: &VolumeWish) -> Result<(), EngineError> {
        let labels = own_labels(spec, if wish.is_temporary { ROLE_TEMPORARY } else { ROLE_VOLUME });
        let is_ours = |found: &Labelled| {
            let has = |label: &str| found.labels.get(label) == labels.get(label);
            [LABEL_MANAGED_BY, LABEL_TEAM, LABEL_PREFIX, LABEL_CONTAINER].into_iter().all(has)
        };
        let get = Call::get(format!("/volumes/{}", segment(&wish.name)));
        match self.client.ask::<Labelled>(get).await {
            Ok(found) if is_ours(&found) => return Ok(()),
            Ok(_) => {
                let text = format!("the node has a volume {:?} that is not of {}", wish.name, spec.name());
                return Err(EngineError::Rejected(text));
            }
            Err(error) if error.is_missing() => {}
            Err(error) => return Err(error.into()),
        }
        let body = VolumeCreateRequest {
            name: Some(wish.name.clone()),
            labels: Some(labels.into_iter().collect()),
            ..VolumeCreateRequest::default()
        };
        Ok(self.client.tell(Call::post("/volumes/create").body(&body)?).await?)
    }

    /// Removes volumes that go with their container, but for those in `kept`.
    pub(crate) async fn temporary_remove(
        &self,
        prefix: &str,
        name: Option<&str>,
        kept: &BTreeSet<&str>,
    ) -> Result<(), EngineError> {
        let mut labels = vec![format!("{LABEL_PREFIX}={prefix}"), format!("{LABEL_ROLE}={ROLE_TEMPORARY}")];
        labels.extend(name.map(|name| format!("{LABEL_CONTAINER}={name}")));
        for volume in self.volumes(&labels).await? {
            if !kept.contains(volume.as_str()) {
                self.volume_remove(&volume).await?;
            }
        }
        Ok(())
    }

    /// The names of our volumes with all of `labels`.
    pub(crate) async fn volumes(&self, labels: &[String]) -> Result<Vec<String>, EngineError> {
        let mut all = vec![format!("{LABEL_MANAGED_BY}={MANAGED_BY}")];
        all.extend_from_slice(labels);
        let found: Volumes = self.client.ask(Call::get("/volumes").filters(&json!({"label": all}))).await?;
        // Some engines take one of several labels for all of them.
        let has = |volume: &Labelled| {
            all.iter().all(|label| {
                label.split_once('=').is_some_and(|(key, value)| volume.labels.get(key).is_some_and(|has| has == value))
            })
        };
        Ok(found.volumes.into_iter().filter(has).map(|volume| volume.name).collect())
    }

    /// Removes a volume. One that is gone, or in use, is fine.
    pub(crate) async fn volume_remove(&self, name: &str) -> Result<(), EngineError> {
        match self.client.tell(Call::delete(format!("/volumes/{}", segment(name)))).await {
            Err(error) if !error.is_missing() && !matches!(error, Failure::Refused { status: 409, .. }) => {
                Err(error.into())
            }
            _ => Ok(()),
        }
    }

    /// Fetches an image; the name that the engine has it under. One without a registry is the engine's own if it has it.
    async fn image(&self, image: &str, login: Option<&RegistryLogin>) -> Result<String, EngineError> {
        let has_registry = image.split_once('/').is_some_and(|(host, _)| is_host(host));
        let is_fixed = image.contains("@sha256:") || image.starts_with("localhost/") || !image.contains('/');
        if is_fixed && self.has_image(image).await? {
            return Ok(image.to_owned());
        }
        if image.starts_with("localhost/") {
            return Err(EngineError::Rejected(format!("the node has no image {image:?}")));
        }
        let full = match (has_registry, image.contains('/')) {
            (true, _) => image.to_owned(),
            (false, true) => format!("docker.io/{image}"),
            (false, false) => format!("docker.io/library/{image}"),
        };
        match self.pull(&full, login).await {
            Ok(()) => Ok(full),
            // What nobody pushed anywhere is on the node alone.
            Err(EngineError::Rejected(reason)) if !has_registry => {
                if self.has_image(image).await? {
                    Ok(image.to_owned())
                } else {
                    Err(EngineError::Rejected(reason))
                }
            }
            Err(error) => Err(error),
        }
    }

    async fn has_image(&self, image: &str) -> Result<bool, EngineError> {
        match self.client.tell(Call::get(format!("/images/{}/json", segment(image)))).await {
            Ok(()) => Ok(true),
            Err(error) if error.is_missing() => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    async fn pull(&self, image: &str, login: Option<&RegistryLogin>) -> Result<(), EngineError> {
        let limit = self.settings.pull_limit;
        let login = login.and_then(|login| login_for(image, login));
        let (name, tag) = name_and_tag(image);
        let call = Call::post("/images/create").query("fromImage", name).query("tag", tag).login(login.as_ref());
        let work = async {
            let answer = self.client.open(call.limit(limit)).await?;
            answer
                .lines(|line| {
                    serde_json::from_slice::<Pulling>(line).ok().map(|one| one.error).filter(|error| !error.is_empty())
                })
                .await
        };
        match tokio::time::timeout(limit, work).await {
            Ok(Ok(None)) => Ok(()),
            Ok(Ok(Some(error))) => {
                Err(EngineError::Rejected(format!("the node cannot fetch the image {image:?}: {}", shown(&error))))
            }
            Ok(Err(Failure::Refused { status, text })) if status != 503 => {
                Err(EngineError::Rejected(format!("the node cannot fetch the image {image:?}: {}", shown(&text))))
            }
            Ok(Err(error)) => Err(error.into()),
            Err(_) => Err(EngineError::Rejected(format!(
                "the node did not fetch the image {image:?} within {} s",
                limit.as_secs()
            ))),
        }
    }
}

/// Whether the container is of the same start and was started.
fn is_same(old: &Inspected, plan: &Plan) -> bool {
    let stamp = plan.main.body.labels.as_ref().and_then(|labels| labels.get(LABEL_STARTED_AT));
    let is_started = !matches!(old.state.status.as_str(), "created" | "configured" | "initialized" | "");
    is_started && stamp.is_some() && old.config.labels.get(LABEL_STARTED_AT) == stamp
}

/// Whether the first part of an image's name is a registry. Source: Docker's reference grammar.
fn is_host(part: &str) -> bool {
    part == "localhost" || part.contains(['.', ':'])
}

/// An image's name and its tag; `latest` without one, none with a digest.
fn name_and_tag(image: &str) -> (&str, &str) {
    let path = image.rfind('/').map_or(0, |at| at + 1);
    if image.contains('@') {
        return (image, "");
    }
    match image[path..].rfind(':') {
        Some(at) => (&image[..path + at], &image[path + at + 1..]),
        None => (image, "latest"),
    }
}

/// The credentials for `image`; none when they are for another registry.
fn login_for(image: &str, login: &RegistryLogin) -> Option<RegistryLogin> {
    let bare = |host: &str| {
        let host = host.trim_start_matches("https://").trim_start_matches("http://");
        let host = host.split('/').next().unwrap_or_default().to_ascii_lowercase();
        if matches!(host.as_str(), "index.docker.io" | "registry-1.docker.io" | "hub.docker.com") {
            "docker.io".to_owned()
        } else {
            host
        }
    };
    let registry = bare(&registry_of(image)?);
    let given = login.hostname.as_deref().filter(|host| !host.is_empty());
    if given.is_some_and(|host| bare(host) != registry) {
        return None;
    }
    let host = if registry == "docker.io" { HUB.to_owned() } else { registry };
    Some(RegistryLogin { hostname: Some(host), ..login.clone() })
}

/// An error without the values of secrets, should the engine have said one.
fn without_secrets(error: EngineError, spec: &WorkloadSpec) -> EngineError {
    let clean = |mut text: String| {
        let storage = spec.storage.as_ref().and_then(|storage| storage.credentials.as_ref()).map(|(_, secret)| secret);
        let login = spec.registry.as_ref().map(|login| &login.password);
        for secret in spec.secrets.values().chain(storage).chain(login) {
            if secret.expose().chars().count() >= SECRET_MIN {
                text = text.replace(secret.expose(), "[secret]");
            }
        }
        text
    };
    match error {
        EngineError::Rejected(text) => EngineError::Rejected(clean(text)),
        EngineError::Missing(text) => EngineError::Missing(clean(text)),
        EngineError::Unavailable { public, context } => {
            EngineError::Unavailable { public: clean(public), context: clean(context) }
        }
        EngineError::TimedOut(seconds) => EngineError::TimedOut(seconds),
    }
}
