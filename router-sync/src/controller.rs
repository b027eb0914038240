//! Brings the objects of the cluster's Gateway or Ingress controller to what the Services say, and keeps them there.
//!
//! One pass reads everything from memory, renders it, and writes what differs: it takes no input, and a second pass writes
//! nothing. Passes follow changes, a timer, and failures with growing pauses. Several copies do no harm: they render the
//! same.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::{ObjectReference, Secret, Service};
use kube::api::{Api, DynamicObject, PartialObjectMeta};
use kube::runtime::events::EventType;
use kube::runtime::reflector::Store;
use kube::runtime::watcher;
use kube::{Client, ResourceExt};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::apply::{WriteError, Writer, cut};
use crate::desired::{DesiredRoute, certificates_settle, hosts_settle, service_read};
use crate::health::Health;
use crate::observe::{HERITAGE, Watches, knows, reason};
use crate::plan::{Action, Key, plan};
use crate::render::gateway::{self, GatewayImplementation, GatewaySettings};
use crate::render::ingress::{self, IngressController, IngressSettings};
use crate::render::{ANNOTATION_PROBLEM, Kind, LABEL_INSTANCE, Object, Rendered};
use crate::settings::{Mode, Settings};

/// Shortest time from the end of one pass to the next: changes come in groups.
const DEBOUNCE: Duration = Duration::from_millis(50);
/// Longest time between two passes.
const RESYNC: Duration = Duration::from_mins(5);
/// How often the API server is asked what it knows.
const DISCOVERY: Duration = Duration::from_mins(1);
/// The same, while it lacks what is needed.
const DISCOVERY_LACKING: Duration = Duration::from_secs(5);
/// How long a problem must last before it is told: watches of different kinds are not in step.
const PROBLEM_AGE: Duration = Duration::from_secs(2);
/// Pause while the API server does not answer.
const OUTAGE_PAUSE: Duration = Duration::from_secs(2);
/// First and longest pause until a write that failed is tried again.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(1));
/// Longest problem that is written down, in bytes.
const PROBLEM_MAX: usize = 1000;

/// How routes become objects, with what this cluster knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Objects of the Gateway API.
    Gateway(GatewaySettings),
    /// Ingresses.
    Ingress(IngressSettings),
}

impl Target {
    /// The objects of one route.
    #[must_use]
    pub fn render(&self, route: &DesiredRoute) -> Rendered {
        match self {
            Self::Gateway(settings) => gateway::render(route, settings),
            Self::Ingress(settings) => ingress::render(route, settings),
        }
    }

    /// The kinds that it may write here.
    #[must_use]
    pub fn kinds(&self) -> Vec<Kind> {
        let mut kinds = vec![Kind::Service];
        match self {
            Self::Gateway(settings) => {
                kinds.push(Kind::HttpRoute);
                if settings.has_listener_sets {
                    kinds.push(Kind::ListenerSet);
                }
                if let (true, Some(implementation)) = (settings.has_extension, settings.implementation) {
                    kinds.push(extension(implementation));
                }
            }
            Self::Ingress(settings) => {
                kinds.push(Kind::Ingress);
                if settings.has_middlewares {
                    kinds.push(Kind::Middleware);
                }
            }
        }
        kinds
    }
}

fn extension(implementation: GatewayImplementation) -> Kind {
    match implementation {
        GatewayImplementation::Envoy => Kind::SecurityPolicy,
        GatewayImplementation::Traefik => Kind::Middleware,
    }
}

/// Asks the API server what it knows. The error is for the operator.
async fn discover(client: &Client, settings: &Settings) -> Result<Target, String> {
    let knows = async |kind: Kind| {
        knows(client, kind).await.map_err(|error| format!("The API server cannot be asked: {}", reason(&error)))
    };
    if settings.mode() == Mode::Ingress {
        let controller = settings.ingress_controller();
        return Ok(Target::Ingress(IngressSettings {
            class: Some(settings.ingress_class.clone()).filter(|class| !class.is_empty()),
            controller,
            domain: settings.domain.clone(),
            cluster_issuer: settings.cluster_issuer.clone(),
            https_port: settings.https_port,
            has_middlewares: controller == IngressController::Traefik && knows(Kind::Middleware).await?,
            instance: settings.instance.clone(),
        }));
    }
    if !knows(Kind::HttpRoute).await? {
        return Err("The cluster lacks the Gateway API (gateway.networking.k8s.io/v1 HTTPRoute): install it, or set \
                    SLIPWAY_ROUTER_MODE to ingress or builtin."
            .to_owned());
    }
    let has_extension = match settings.gateway_implementation {
        Some(implementation) => knows(extension(implementation)).await?,
        None => false,
    };
    Ok(Target::Gateway(GatewaySettings {
        namespace: settings.gateway.namespace.clone(),
        name: settings.gateway.name.clone(),
        http_listener: settings.gateway_http_listener.clone(),
        https_listener: Some(settings.gateway_https_listener.clone()).filter(|name| !name.is_empty()),
        https_listener_port: settings.gateway_https_port,
        https_port: settings.https_port,
        domain: settings.domain.clone(),
        cluster_issuer: settings.cluster_issuer.clone(),
        implementation: settings.gateway_implementation,
        has_listener_sets: knows(Kind::ListenerSet).await?,
        has_extension,
        instance: settings.instance.clone(),
    }))
}

/// Runs until `shutdown`.
pub async fn run(client: Client, settings: Settings, health: Arc<Health>, shutdown: CancellationToken) {
    let work = async {
        let mut writer = Writer::new(client.clone(), settings.instance.clone(), Arc::clone(&health));
        loop {
            match discover(&client, &settings).await {
                Ok(target) => {
                    health.obstacle("api", None);
                    Session::start(&client, &settings, target, &health).run(&client, &settings, &mut writer).await;
                }
                Err(obstacle) => {
                    obstruct(&settings, &health, &writer, obstacle).await;
                    tokio::time::sleep(DISCOVERY_LACKING).await;
                }
            }
        }
    };
    tokio::select! {
        () = work => {}
        // Every write is whole by itself, and the next start goes on.
        () = shutdown.cancelled() => {}
    }
}

async fn obstruct(settings: &Settings, health: &Health, writer: &Writer, obstacle: String) {
    if !health.obstacle("api", Some(obstacle.clone())) {
        return;
    }
    tracing::error!("{obstacle}");
    let Some(pod) = &settings.pod else { return };
    let pod = ObjectReference {
        api_version: Some("v1".to_owned()),
        kind: Some("Pod".to_owned()),
        namespace: Some(pod.namespace.clone()),
        name: Some(pod.name.clone()),
        ..ObjectReference::default()
    };
    if let Err(error) = writer.publish(EventType::Warning, "RouterObstacle", &obstacle, &pod).await {
        tracing::warn!(error = %reason(&error), "no Event could be published");
    }
}

/// The labels of Services that are looked at.
#[must_use]
pub fn service_selector(settings: &Settings) -> String {
    match settings.selector.as_deref().map(str::trim).filter(|more| !more.is_empty()) {
        Some(more) => format!("{HERITAGE},{more}"),
        None => HERITAGE.to_owned(),
    }
}

/// Work with one target, for as long as the API server knows the same.
struct Session {
    target: Target,
    watches: Watches,
    services: Store<Service>,
    secrets: Store<PartialObjectMeta<Secret>>,
    owned: Vec<(Kind, Store<DynamicObject>)>,
    health: Arc<Health>,
    /// By namespace, since when.
    problems: HashMap<String, (String, Instant)>,
    failures: HashMap<Key, Failure>,
}

/// A write that failed. It is not tried again at once: what does not work for one app must not keep others waiting, nor
/// the API server busy.
struct Failure {
    /// What should have been written.
    digest: Option<String>,
    text: String,
    until: Instant,
    pause: Duration,
}

impl Session {
    fn start(client: &Client, settings: &Settings, target: Target, health: &Arc<Health>) -> Self {
        let mut watches = Watches::new(Arc::clone(health));
        let config = watcher::Config::default().labels(&service_selector(settings));
        let services = watches.start(Api::all(client.clone()), config, &());
        // Names are enough: keys stay out of this program.
        let config = watcher::Config::default().labels(HERITAGE).fields("type=kubernetes.io/tls");
        let secrets = watches.start(Api::all(client.clone()), config, &());
        let labels = format!("{LABEL_INSTANCE}={}", settings.instance);
        let owned = target.kinds().into_iter().map(|kind| (kind, watches.start_kind(client, kind, &labels))).collect();
        let health = Arc::clone(health);
        Self { target, watches, services, secrets, owned, health, problems: HashMap::new(), failures: HashMap::new() }
    }

    /// Returns when the API server knows something else than before.
    async fn run(mut self, client: &Client, settings: &Settings, writer: &mut Writer) {
        // Nothing is written, and above all nothing removed, before all was read.
        let read = async {
            // An error here means that the watch's task is gone, with the whole program.
            let _ = self.services.wait_until_ready().await;
            let _ = self.secrets.wait_until_ready().await;
            for (_, store) in &self.owned {
                let _ = store.wait_until_ready().await;
            }
        };
        read.await;
        let mut discovered = Instant::now();
        loop {
            let started = Instant::now();
            let next = self.pass(writer).await.unwrap_or(RESYNC);
            self.health.synced();
            // On a large cluster passes take longer; they never take more than half of the time.
            tokio::time::sleep(DEBOUNCE.max(started.elapsed())).await;
            tokio::select! {
                () = self.watches.changed() => {}
                () = tokio::time::sleep(next) => {}
                () = tokio::time::sleep(DISCOVERY.saturating_sub(discovered.elapsed())) => {
                    discovered = Instant::now();
                    match discover(client, settings).await {
                        Ok(target) if target == self.target => {}
                        Ok(_) => return,
                        // When the API server is away, everything stays as it is; when the API is gone, begin anew.
                        Err(obstacle) => {
                            tracing::warn!("{obstacle}");
                            if matches!(knows(client, self.target.kinds()[1]).await, Ok(false)) {
                                return;
                            }
                        }
                    }
                }
            }
        }
    }

    /// When something is to be looked at again, if before the next change.
    async fn pass(&mut self, writer: &mut Writer) -> Option<Duration> {
        let services = self.services.state();
        let mut problems: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut routes = Vec::new();
        for service in &services {
            let reading = service_read(service);
            routes.extend(reading.route);
            if !reading.problems.is_empty() {
                problems.entry(service.namespace().unwrap_or_default()).or_default().extend(reading.problems);
            }
        }
        let (mut routes, conflicts) = hosts_settle(routes);
        for (namespace, problem) in conflicts {
            problems.entry(namespace).or_default().push(problem);
        }
        let objects = self.render(&mut routes, &mut problems);
        let observed: Vec<(Kind, Arc<DynamicObject>)> = self
            .owned
            .iter()
            .flat_map(|(kind, store)| store.state().into_iter().map(|object| (*kind, object)))
            .collect();
        for (kind, object) in &observed {
            if let (Kind::HttpRoute, Some(problem)) = (*kind, refusal(object)) {
                problems.entry(object.namespace().unwrap_or_default()).or_default().push(problem);
            }
        }
        let actions = plan(&objects, observed.iter().map(|(kind, object)| (*kind, &**object)));
        let retry = self.write(writer, &actions, &mut problems).await;
        self.health.counted(routes.len(), problems.len());
        let told = self.tell(writer, &services, problems).await;
        [retry, told].into_iter().flatten().min()
    }

    fn render(&self, routes: &mut [DesiredRoute], problems: &mut BTreeMap<String, Vec<String>>) -> Vec<Object> {
        let secrets: HashSet<(String, String)> = self
            .secrets
            .state()
            .iter()
            .map(|secret| (secret.namespace().unwrap_or_default(), secret.name_any()))
            .collect();
        let is_there = |namespace: &str, name: &str| secrets.contains(&(namespace.to_owned(), name.to_owned()));
        let mut objects = Vec::new();
        for route in routes {
            let mut own = Vec::new();
            certificates_settle(route, is_there, &mut own);
            let rendered = self.target.render(route);
            own.extend(rendered.problems);
            if !own.is_empty() {
                problems.entry(route.namespace.clone()).or_default().extend(own);
            }
            objects.extend(rendered.objects);
        }
        objects
    }

    /// When to try again what failed.
    async fn write(
        &mut self,
        writer: &mut Writer,
        actions: &[Action],
        problems: &mut BTreeMap<String, Vec<String>>,
    ) -> Option<Duration> {
        let mut before = std::mem::take(&mut self.failures);
        for action in actions {
            let key = action.key();
            let (namespace, name) = (key.1.clone(), key.2.clone());
            let failed = before.remove(&key).filter(|failure| failure.digest.as_deref() == action.digest());
            let pause = match failed {
                Some(failure) if failure.until > Instant::now() => {
                    problems.entry(namespace).or_default().push(failure.text.clone());
                    self.failures.insert(key, failure);
                    continue;
                }
                Some(failure) => (failure.pause * 2).min(RETRY.1),
                None => RETRY.0,
            };
            let Err(error) = writer.perform(action).await else {
                let verb = match action {
                    Action::Create(_) => "created",
                    Action::Update(_) => "updated",
                    Action::Delete { .. } => "removed",
                };
                tracing::info!(app.name = %namespace, "{verb} the route object {namespace}/{name}");
                continue;
            };
            if error.is_outage() {
                tracing::warn!("{error}");
                self.failures.extend(before);
                // Nothing else would fare better, and no app is to blame.
                return Some(OUTAGE_PAUSE);
            }
            if let WriteError::Api { .. } = error {
                tracing::warn!(app.name = %namespace, "{error}");
            }
            let text = error.to_string();
            problems.entry(namespace).or_default().push(text.clone());
            let digest = action.digest().map(str::to_owned);
            self.failures.insert(key, Failure { digest, text, until: Instant::now() + pause, pause });
        }
        let now = Instant::now();
        self.failures.values().map(|failure| failure.until.saturating_duration_since(now)).min()
    }

    /// Writes problems down that have lasted, and takes back those that are gone.
    async fn tell(
        &mut self,
        writer: &mut Writer,
        services: &[Arc<Service>],
        problems: BTreeMap<String, Vec<String>>,
    ) -> Option<Duration> {
        let now = Instant::now();
        let mut rest = None;
        let mut known = HashMap::new();
        for (namespace, problems) in problems {
            let text = cut(&problems.join(" "), PROBLEM_MAX).to_owned();
            let since = match self.problems.remove(&namespace) {
                Some((before, since)) if before == text => since,
                _ => now,
            };
            known.insert(namespace, (text, since));
        }
        self.problems = known;
        for service in services {
            let namespace = service.namespace().unwrap_or_default();
            // An app's other Services are not looked at.
            if service.name_any() != namespace || service.metadata.deletion_timestamp.is_some() {
                continue;
            }
            let told = service.annotations().get(ANNOTATION_PROBLEM).map(String::as_str);
            let problem = match self.problems.get(&namespace) {
                Some((text, since)) if told != Some(text) => {
                    let age = now.saturating_duration_since(*since);
                    if age < PROBLEM_AGE {
                        rest = Some(PROBLEM_AGE.saturating_sub(age));
                        continue;
                    }
                    tracing::warn!(app.name = %namespace, "{text}");
                    Some(text.as_str())
                }
                None if told.is_some() => None,
                _ => continue,
            };
            if let Err(error) = writer.tell(service, problem).await {
                tracing::warn!(app.name = %namespace, error = %reason(&error), "a problem could not be written down");
                if !matches!(error, kube::Error::Api(_)) {
                    return Some(OUTAGE_PAUSE);
                }
                rest = Some(rest.map_or(RETRY.1, |rest: Duration| rest.min(RETRY.1)));
            }
        }
        rest
    }
}

/// What the Gateway's implementation says against an `HTTPRoute`.
fn refusal(route: &DynamicObject) -> Option<String> {
    let generation = route.metadata.generation;
    for parent in route.data["status"]["parents"].as_array()? {
        for condition in parent["conditions"].as_array().into_iter().flatten() {
            let is_current = condition["observedGeneration"].as_i64() == generation;
            let is_refusal = matches!(condition["type"].as_str(), Some("Accepted" | "ResolvedRefs"))
                && condition["status"].as_str() == Some("False");
            if is_current && is_refusal {
                let text = |value: &Value| cut(value.as_str().unwrap_or("-"), 200).to_owned();
                let (reason, message) = (text(&condition["reason"]), text(&condition["message"]));
                let parent = text(&parent["parentRef"]["name"]);
                return Some(format!("The Gateway does not take the route to {parent}: {reason} ({message})."));
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_the_gateway_refuses_is_told() {
        let route = |status: &str, observed: i64| -> DynamicObject {
            serde_json::from_value(json!({
                "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
                "metadata": {"name": "blog", "namespace": "blog", "generation": 2},
                "status": {"parents": [{
                    "parentRef": {"name": "public"},
                    "conditions": [
                        {"type": "ResolvedRefs", "status": "True", "observedGeneration": observed},
                        {"type": "Accepted", "status": status, "observedGeneration": observed,
                         "reason": "NotAllowedByListeners", "message": "no listener takes it"},
                    ],
                }]},
            }))
            .unwrap()
        };
        assert_eq!(
            refusal(&route("False", 2)).unwrap(),
            "The Gateway does not take the route to public: NotAllowedByListeners (no listener takes it)."
        );
        assert_eq!(refusal(&route("True", 2)), None);
        assert_eq!(refusal(&route("False", 1)), None, "an older opinion does not count");
    }
}
