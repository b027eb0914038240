//! The objects of an app, made from what is wanted. Pure: the same input gives the same objects.

pub mod autoscaler;
pub mod cert_secret;
pub mod command;
pub mod deployment;
pub mod disruption;
pub mod env_secret;
pub mod namespace;
pub mod network_policy;
pub mod oneoff;
pub mod probe;
pub mod pull_secret;
pub mod quota;
#[cfg(test)]
pub(crate) mod sample;
pub mod service;
pub mod service_account;
#[cfg(test)]
mod tests;
pub mod volume;

use std::fmt;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use slipway_core::{AppName, ProcessType};
use slipway_engine::{AppSpec, ProcessSpec, ReleaseSpec};

use crate::capability::Capabilities;
use crate::image::ImageFacts;
use crate::index::{Kept, Kind};
use crate::labels::{ANNOTATION_HASH, app_labels};
use crate::route::ANNOTATION_GENERATION;
use crate::settings::ClusterSettings;

/// An object as it shall be.
#[derive(Clone, PartialEq)]
pub struct Object {
    /// Its kind.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// Digest of everything in it that is a reason to write it.
    pub hash: String,
    /// The whole object, with the digest in its annotations.
    pub body: Value,
    /// Whether the cluster decides how many pods there are.
    pub is_autoscaled: bool,
}

impl fmt::Debug for Object {
    /// Without the body: it may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Object").field("kind", &self.kind).field("name", &self.name).finish_non_exhaustive()
    }
}

impl Object {
    /// Takes a typed object.
    ///
    /// # Errors
    /// Never for objects of Kubernetes' own types: they are all maps with text for keys.
    fn new(kind: Kind, object: &impl Serialize) -> Result<Self, RenderError> {
        let body = serde_json::to_value(object).map_err(|source| RenderError::Json { source })?;
        Ok(Self::of(kind, body))
    }

    fn of(kind: Kind, mut body: Value) -> Self {
        let name = body.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default().to_owned();
        let mut digest = Sha256::new();
        digest_value(&body, &mut digest);
        let hash = hex::encode(digest.finalize());
        body["metadata"]["annotations"][ANNOTATION_HASH] = json!(hash);
        Self { kind, name, hash, body, is_autoscaled: false }
    }

    /// This Service, leading where `kept` leads. `None` when it leads there anyway.
    #[must_use]
    pub fn with_selector_of(&self, kept: &Kept) -> Option<Self> {
        let selector = kept.value().pointer("/spec/selector").cloned()?;
        if self.body.pointer("/spec/selector") == Some(&selector) {
            return None;
        }
        let mut body = self.body.clone();
        body["spec"]["selector"] = selector;
        // Both are no part of the digest.
        let annotations = body.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut)?;
        annotations.remove(ANNOTATION_HASH);
        let generation = annotations.remove(ANNOTATION_GENERATION);
        let held = Self::of(self.kind, body);
        Some(match generation.as_ref().and_then(Value::as_str) {
            Some(generation) => held.annotated(ANNOTATION_GENERATION, generation),
            None => held,
        })
    }

    /// Adds an annotation that alone is no reason to write the object.
    fn annotated(mut self, key: &str, value: &str) -> Self {
        self.body["metadata"]["annotations"][key] = json!(value);
        self
    }
}

/// Feeds a value to a digest, keys in order: whether maps keep the order of insertion depends on features of `serde_json`
/// that another crate may ask for.
fn digest_value(value: &Value, digest: &mut Sha256) {
    match value {
        Value::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort_unstable();
            digest.update(b"{");
            for key in keys {
                digest_value(&Value::String(key.clone()), digest);
                digest_value(&map[key], digest);
            }
            digest.update(b"}");
        }
        Value::Array(items) => {
            digest.update(b"[");
            for item in items {
                digest_value(item, digest);
            }
            digest.update(b"]");
        }
        plain => {
            digest.update(plain.to_string().as_bytes());
            digest.update(b",");
        }
    }
}

/// Why there are no objects: the release cannot run as it is. The text is for the user.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// Something that the user can change.
    #[error("{0}")]
    Refused(String),
    /// An object that is not JSON.
    #[error("an object could not be written")]
    Json {
        /// The cause.
        source: serde_json::Error,
    },
}

/// What objects are made from.
#[derive(Clone, Copy)]
pub struct Input<'a> {
    /// The app as it is wanted.
    pub spec: &'a AppSpec,
    /// What is known of the release's image; `None` without release.
    pub image: Option<&'a ImageFacts>,
    /// What the operator decided.
    pub settings: &'a ClusterSettings,
    /// What the cluster can do.
    pub capabilities: &'a Capabilities,
    /// Pods that autoscaled Deployments have now, by name of the Deployment.
    pub replicas: &'a dyn Fn(&str) -> Option<u32>,
}

/// A release with what is known of its image.
#[derive(Clone, Copy)]
pub(crate) struct Running<'a> {
    pub(crate) release: &'a ReleaseSpec,
    pub(crate) image: &'a ImageFacts,
    /// The port that routed processes listen on, and the value of `PORT`.
    pub(crate) port: Option<u16>,
}

/// All objects of an app, in the order in which they are written: what others refer to comes first.
///
/// # Errors
/// [`RenderError`] when the release cannot run as it is.
pub fn objects(input: &Input<'_>) -> Result<Vec<Object>, RenderError> {
    let Input { spec, settings, .. } = *input;
    let running = running(input)?;
    let mut objects = vec![namespace::namespace(spec, settings)?, service_account::service_account(&spec.name)?];
    objects.extend(quota::quota(&spec.name, settings));
    objects.extend(quota::limit_range(&spec.name, settings));
    objects.push(network_policy::network_policy(&spec.name, settings)?);
    for certificate in &spec.route.certificates {
        let secret = cert_secret::cert_secret(&spec.name, certificate)?;
        // Two hosts may share one certificate.
        if !objects.iter().any(|object: &Object| object.kind == Kind::Secret && object.name == secret.name) {
            objects.push(secret);
        }
    }
    for volume in &spec.volumes {
        objects.push(volume::claim(&spec.name, volume, settings)?);
    }
    if let Some(running) = &running {
        objects.extend(pull_secret::pull_secret(&spec.name, running)?);
        objects.push(env_secret::env_secret(&spec.name, running)?);
    }
    objects.extend(service::path_services(spec)?);
    objects.push(service::service(spec)?);
    if let Some(running) = &running {
        for process in &running.release.processes {
            objects.push(deployment::deployment(input, running, process)?);
            objects.extend(autoscaler::autoscaler(input, process)?);
            objects.extend(disruption::disruption(input, process)?);
        }
    }
    Ok(objects)
}

fn running<'a>(input: &Input<'a>) -> Result<Option<Running<'a>>, RenderError> {
    let (Some(release), Some(image)) = (&input.spec.release, input.image) else { return Ok(None) };
    let is_routed =
        input.spec.route.is_routable && release.processes.iter().any(|process| input.spec.takes_requests(process));
    let port = port(release, image, is_routed)?;
    Ok(Some(Running { release, image, port }))
}

/// The port of a release. Source: `drycc-v2.md` §4.5.
fn port(release: &ReleaseSpec, image: &ImageFacts, is_routed: bool) -> Result<Option<u16>, RenderError> {
    if let Some(text) = release.env.get("PORT") {
        let port = text.expose().trim().parse().ok().filter(|port: &u16| *port > 0);
        return match port {
            Some(port) => Ok(Some(port)),
            None if is_routed => Err(RenderError::Refused("PORT must be a number from 1 to 65535".to_owned())),
            None => Ok(None),
        };
    }
    match image.port {
        Some(port) => Ok(Some(port)),
        None if !is_routed => Ok(None),
        None if release.registry.is_some() => Err(RenderError::Refused(
            "PORT needs to be set in the application config when using a private registry".to_owned(),
        )),
        None => Err(RenderError::Refused(match &image.unknown {
            Some(reason) => format!("PORT needs to be set in the application config: {reason}"),
            None => "Expose a port or make the app non routable by changing the process type".to_owned(),
        })),
    }
}

/// Metadata of an object of an app, in the app's namespace.
fn metadata(app: &AppName, name: String) -> ObjectMeta {
    ObjectMeta {
        name: Some(name),
        namespace: Some(app.to_string()),
        labels: Some(app_labels(app)),
        ..ObjectMeta::default()
    }
}

/// Pods that a type shall have at least.
pub(crate) fn replicas_min(process: &ProcessSpec) -> u32 {
    process.autoscale.map_or(process.replicas, |autoscale| autoscale.min)
}

/// The type that the Service leads to: the routed one, else `web`.
pub(crate) fn routed_type(spec: &AppSpec) -> ProcessType {
    let routed = spec.release.iter().flat_map(|release| &release.processes).find(|process| process.is_routed);
    routed.map_or_else(ProcessType::web, |process| process.process_type.clone())
}
