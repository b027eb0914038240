//! Requests and their answers.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures::stream;
use http::{Method, Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::collection::{Collection, View};
use crate::kind::{Kind, Target, discovery, target};
use crate::registry::registry;
use crate::rollout::{THEN, deployment_follow, managed_fields, template_defaults};

type Body = BoxBody<Bytes, Infallible>;

pub(crate) struct Server {
    state: Mutex<State>,
    /// The newest revision.
    revision: watch::Sender<u64>,
}

/// What there is.
#[derive(Default)]
pub(crate) struct State {
    revision: u64,
    collections: HashMap<&'static str, Collection>,
    counts: BTreeMap<String, u64>,
}

impl Default for Server {
    fn default() -> Self {
        Self { state: Mutex::default(), revision: watch::channel(0).0 }
    }
}

impl State {
    fn collection(&mut self, plural: &str) -> &mut Collection {
        let plural = Kind::named(plural).map_or("unknown", |kind| kind.plural);
        self.collections.entry(plural).or_default()
    }

    /// Names of objects that begin with `prefix`.
    pub(crate) fn names(&mut self, plural: &str, namespace: &str, prefix: &str) -> Vec<String> {
        let from = (namespace.to_owned(), prefix.to_owned());
        let found = self.collection(plural).objects.range(from..).map(|((place, name), _)| (place, name));
        found
            .take_while(|(place, name)| *place == namespace && name.starts_with(prefix))
            .map(|(_, name)| name.clone())
            .collect()
    }

    pub(crate) fn value(&mut self, plural: &str, namespace: &str, name: &str) -> Option<Value> {
        self.collection(plural).get(namespace, name).map(|object| object.value.clone())
    }

    /// Keeps an object, with what the API server gives to every one.
    pub(crate) fn put(&mut self, plural: &str, namespace: &str, name: &str, mut value: Value) -> Value {
        self.revision += 1;
        let revision = self.revision;
        let meta = &mut value["metadata"];
        if meta["uid"].is_null() {
            meta["uid"] = format!("00000000-0000-4000-8000-{revision:012}").into();
            meta["creationTimestamp"] = THEN.into();
        }
        self.collection(plural).put(namespace, name, value, revision).value.clone()
    }

    pub(crate) fn remove(&mut self, plural: &str, namespace: &str, name: &str) -> Option<Value> {
        self.revision += 1;
        let revision = self.revision;
        self.collection(plural).remove(namespace, name, revision).map(|object| object.value.clone())
    }

    fn count(&mut self, what: impl Into<String>) {
        *self.counts.entry(what.into()).or_insert(0) += 1;
    }

    /// Server-side apply by the only manager that there is: what it says is what there is.
    fn apply(&mut self, target: &Target, name: &str, body: Value) -> Value {
        let namespace = target.namespace.as_deref().unwrap_or_default();
        let before = self.value(target.kind.plural, namespace, name);
        let manager = managed_fields("slipway", "Apply", &body);
        let mut value = body;
        value["metadata"]["name"] = name.into();
        if target.kind.is_namespaced {
            value["metadata"]["namespace"] = namespace.into();
        }
        match target.kind.plural {
            "deployments" => {
                template_defaults(&mut value["spec"]["template"]);
                let kept = before.as_ref().map(|before| before["spec"]["replicas"].clone()).unwrap_or(json!(1));
                if value["spec"]["replicas"].is_null() {
                    value["spec"]["replicas"] = kept;
                }
            }
            "services" if value["spec"]["clusterIP"].is_null() => value["spec"]["clusterIP"] = "10.96.0.7".into(),
            "namespaces" => value["status"] = json!({"phase": "Active"}),
            "secrets" => {
                // What is said as text is kept in base64, which here is as long and nobody's business.
                if let Some(secret) = value.as_object_mut()
                    && let Some(text) = secret.remove("stringData")
                {
                    secret.insert("data".to_owned(), text);
                }
            }
            _ => {}
        }
        let meta = &mut value["metadata"];
        meta["managedFields"] = json!([manager]);
        meta["generation"] = json!(1);
        if let Some(before) = &before {
            for field in ["uid", "creationTimestamp", "generation"] {
                meta[field] = before["metadata"][field].clone();
            }
            let mut same = before.clone();
            same["metadata"]["resourceVersion"] = Value::Null;
            let mut now = value.clone();
            now["metadata"]["resourceVersion"] = Value::Null;
            now["status"] = same["status"].clone();
            if same == now {
                self.count("unchanged");
                return before.clone();
            }
            if before["spec"] != value["spec"] {
                value["metadata"]["generation"] = json!(before["metadata"]["generation"].as_u64().unwrap_or(0) + 1);
            }
        }
        if target.kind.plural == "deployments" {
            if value["metadata"]["uid"].is_null() {
                value["metadata"]["uid"] = format!("00000000-0000-4000-9000-{:012}", self.revision).into();
                value["metadata"]["creationTimestamp"] = THEN.into();
            }
            deployment_follow(self, namespace, &mut value);
        }
        self.put(target.kind.plural, namespace, name, value)
    }
}

fn text(status: StatusCode, media_type: &str, body: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(Full::new(body.into()).boxed());
    *response.status_mut() = status;
    if let Ok(value) = media_type.parse() {
        response.headers_mut().insert("content-type", value);
    }
    response
}

fn answer(status: StatusCode, value: &Value) -> Response<Body> {
    text(status, "application/json", value.to_string())
}

fn refused(status: StatusCode, reason: &str) -> Response<Body> {
    let body = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": status.as_u16(), "reason": reason,
        "message": reason,
    });
    answer(status, &body)
}

fn query(request: &Request<Incoming>) -> HashMap<String, String> {
    let text = request.uri().query().unwrap_or_default();
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (name.to_owned(), value.replace("%3D", "=").replace("%2F", "/").replace("%2C", ","))
    };
    text.split('&').map(pair).collect()
}

impl Server {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) async fn answer(self: &Arc<Self>, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
        let path = request.uri().path().to_owned();
        if path.starts_with("/v2") {
            return Ok(match registry(&path) {
                Some(blob) => {
                    let mut response = text(StatusCode::OK, blob.media_type, blob.body);
                    if let Ok(digest) = blob.digest.parse() {
                        response.headers_mut().insert("docker-content-digest", digest);
                    }
                    response
                }
                None => refused(StatusCode::NOT_FOUND, "NotFound"),
            });
        }
        if let Some(value) = discovery(&path) {
            return Ok(answer(StatusCode::OK, &value));
        }
        match path.as_str() {
            "/script/counts" => return Ok(answer(StatusCode::OK, &self.counts())),
            "/script/expire" => {
                self.expire();
                return Ok(answer(StatusCode::OK, &json!({})));
            }
            _ => {}
        }
        let Some(target) = target(&path) else { return Ok(refused(StatusCode::NOT_FOUND, "NotFound")) };
        let query = query(&request);
        let accept = request.headers().get("accept").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let view = if accept.contains("PartialObjectMetadata") { View::Metadata } else { View::Whole };
        let method = request.method().clone();
        let is_watch = query.get("watch").is_some_and(|value| value == "true" || value == "1");
        let response = match (&method, &target.name) {
            (&Method::GET, None) if is_watch => self.watch(target, &query, view),
            (&Method::GET, None) => self.list(&target, &query, view),
            (&Method::GET, Some(name)) => {
                let mut state = self.lock();
                state.count("get");
                let namespace = target.namespace.as_deref().unwrap_or_default();
                match state.collection(target.kind.plural).get(namespace, name) {
                    Some(object) => answer(StatusCode::OK, &object.seen(target.kind, view)),
                    None => refused(StatusCode::NOT_FOUND, "NotFound"),
                }
            }
            _ => {
                let body = request.into_body().collect().await.map(http_body_util::Collected::to_bytes);
                self.write(&method, &target, &body.unwrap_or_default(), view)
            }
        };
        Ok(response)
    }

    fn write(&self, method: &Method, target: &Target, body: &[u8], view: View) -> Response<Body> {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let namespace = target.namespace.clone().unwrap_or_default();
        let mut state = self.lock();
        // Leases are renewed whatever happens.
        let is_counted = target.kind.plural != "leases";
        if is_counted {
            state.count("writes");
            state.count(format!("{method} {}", target.kind.plural));
        }
        let name = target.name.clone().or_else(|| body["metadata"]["name"].as_str().map(str::to_owned));
        let Some(name) = name else { return refused(StatusCode::UNPROCESSABLE_ENTITY, "Invalid") };
        let value = match *method {
            Method::PATCH => Some(state.apply(target, &name, body)),
            Method::POST if state.value(target.kind.plural, &namespace, &name).is_some() => {
                return refused(StatusCode::CONFLICT, "AlreadyExists");
            }
            Method::POST | Method::PUT => Some(state.put(target.kind.plural, &namespace, &name, body)),
            Method::DELETE => state.remove(target.kind.plural, &namespace, &name),
            _ => return refused(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed"),
        };
        self.revision.send_replace(state.revision);
        drop(state);
        let Some(mut value) = value else { return refused(StatusCode::NOT_FOUND, "NotFound") };
        if view == View::Metadata {
            value =
                json!({"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": value["metadata"]});
        } else {
            value["apiVersion"] = target.kind.api_version().into();
            value["kind"] = target.kind.name.into();
        }
        answer(StatusCode::OK, &value)
    }

    fn list(&self, target: &Target, query: &HashMap<String, String>, view: View) -> Response<Body> {
        let mut state = self.lock();
        state.count("list");
        let limit = query.get("limit").and_then(|limit| limit.parse().ok()).unwrap_or(usize::MAX).max(1);
        let is_ours_only = query.get("labelSelector").is_some_and(|selector| selector.contains("heritage=slipway"));
        let token = query.get("continue").and_then(|token| {
            let mut parts = token.splitn(3, '/');
            let revision: u64 = parts.next()?.parse().ok()?;
            Some((revision, (parts.next()?.to_owned(), parts.next()?.to_owned())))
        });
        let revision = token.as_ref().map_or(state.revision, |(revision, _)| *revision);
        let collection = state.collection(target.kind.plural);
        let mut from = token.map(|(_, from)| from).unwrap_or_default();
        if let Some(namespace) = target.namespace.as_ref().filter(|namespace| **namespace > from.0) {
            from = (namespace.clone(), String::new());
        }
        let mut chosen = collection
            .objects
            .range(from..)
            .filter(|(_, object)| object.is_chosen(target.namespace.as_deref(), is_ours_only));
        let items: Vec<Value> = chosen.by_ref().take(limit).map(|(_, object)| object.seen(target.kind, view)).collect();
        let next = chosen.next().map(|((namespace, name), _)| format!("{revision}/{namespace}/{name}"));
        let (version, kind) = match view {
            View::Whole => (target.kind.api_version(), format!("{}List", target.kind.name)),
            View::Metadata => ("meta.k8s.io/v1".to_owned(), "PartialObjectMetadataList".to_owned()),
        };
        let meta = json!({"resourceVersion": revision.to_string(), "continue": next});
        answer(StatusCode::OK, &json!({"apiVersion": version, "kind": kind, "metadata": meta, "items": items}))
    }

    fn watch(self: &Arc<Self>, target: Target, query: &HashMap<String, String>, view: View) -> Response<Body> {
        self.lock().count("watch");
        let from: u64 = query.get("resourceVersion").and_then(|text| text.parse().ok()).unwrap_or(0);
        let is_ours_only = query.get("labelSelector").is_some_and(|selector| selector.contains("heritage=slipway"));
        let (server, revisions) = (Arc::clone(self), self.revision.subscribe());
        let lines = stream::unfold((from, revisions, false), move |(from, mut revisions, is_over)| {
            let server = Arc::clone(&server);
            let (kind, namespace) = (target.kind, target.namespace.clone());
            async move {
                if is_over {
                    return None;
                }
                loop {
                    let newest = *revisions.borrow_and_update();
                    let lines = {
                        let mut state = server.lock();
                        let Some(events) = state.collection(kind.plural).since(from) else {
                            let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 410, "reason": "Expired", "message": "too old resource version"});
                            let line = json!({"type": "ERROR", "object": status}).to_string() + "\n";
                            return Some((Ok(Frame::data(Bytes::from(line))), (from, revisions, true)));
                        };
                        let chosen = events
                            .take_while(|event| event.revision <= newest)
                            .filter(|event| event.is_chosen(namespace.as_deref(), is_ours_only));
                        chosen.map(|event| event.line(kind, view)).collect::<String>()
                    };
                    if !lines.is_empty() {
                        return Some((Ok(Frame::data(Bytes::from(lines))), (newest, revisions, false)));
                    }
                    revisions.changed().await.ok()?;
                }
            }
        });
        let mut response = Response::new(BodyExt::boxed(StreamBody::new(Box::pin(lines))));
        if let Ok(value) = "application/json".parse() {
            response.headers_mut().insert("content-type", value);
        }
        response
    }

    /// Ends every watch: nothing that happened up to now is remembered.
    fn expire(&self) {
        let mut state = self.lock();
        state.revision += 1;
        let revision = state.revision;
        for collection in state.collections.values_mut() {
            collection.forget(revision);
        }
        self.revision.send_replace(revision);
    }

    fn counts(&self) -> Value {
        let state = self.lock();
        let objects: BTreeMap<&str, usize> =
            state.collections.iter().map(|(plural, collection)| (*plural, collection.objects.len())).collect();
        json!({"requests": state.counts, "objects": objects})
    }
}
