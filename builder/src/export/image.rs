//! Config and manifest of an app's image. Source: OCI image specification 1.1, `config.md` and `manifest.md`.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use slipway_slug::SlugManifest;

use super::layer::Layer;
use super::registry::{Base, Name};
use super::{APP_DIR, APP_ID, APP_PORT, START};

/// Media type of manifests.
pub const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG_TYPE: &str = "application/vnd.oci.image.config.v1+json";
const LAYER_TYPE: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
/// The time at which every image was made: the same app gives the same image.
const CREATED: &str = "1980-01-01T00:00:00Z";
/// Search path of a base image that says none.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What an image is to be.
#[derive(Debug, Clone)]
pub struct ImageSpec {
    /// The image that it stands on.
    pub base: Name,
    /// Where it goes: registry and repository.
    pub repository: Name,
    /// Its tag: `git-0123abcd`.
    pub tag: String,
    /// Labels, in addition to those of the base.
    pub labels: BTreeMap<String, String>,
}

/// The image's config: the base's, with the app in it.
///
/// # Errors
/// When the base's config is none.
pub fn config(base: &Value, layers: &[Layer], manifest: &SlugManifest, spec: &ImageSpec) -> Result<Vec<u8>, String> {
    let mut image = base.clone();
    let root = image.as_object_mut().ok_or("the base image's config is no object")?;
    root.insert("created".to_owned(), json!(CREATED));
    let mut run = match root.remove("config") {
        Some(Value::Object(run)) => run,
        _ => Map::new(),
    };
    let base_env: Vec<String> = strings(run.get("Env"));
    run.insert("Env".to_owned(), json!(env(base_env, manifest)));
    run.insert("WorkingDir".to_owned(), json!(APP_DIR));
    run.insert("User".to_owned(), json!(format!("{APP_ID}:{APP_ID}")));
    run.insert("Entrypoint".to_owned(), json!([START]));
    match manifest.processes.get("web") {
        Some(web) => run.insert("Cmd".to_owned(), json!([web])),
        None => run.remove("Cmd"),
    };
    run.insert("ExposedPorts".to_owned(), json!({ format!("{APP_PORT}/tcp"): {} }));
    let mut labels: BTreeMap<String, Value> = match run.remove("Labels") {
        Some(Value::Object(labels)) => labels.into_iter().collect(),
        _ => BTreeMap::new(),
    };
    labels.extend(spec.labels.iter().map(|(name, value)| (name.clone(), json!(value))));
    run.insert("Labels".to_owned(), json!(labels));
    root.insert("config".to_owned(), Value::Object(run));

    let mut diff_ids = strings(root.get("rootfs").and_then(|rootfs| rootfs.get("diff_ids")));
    diff_ids.extend(layers.iter().map(|layer| layer.diff_id.clone()));
    root.insert("rootfs".to_owned(), json!({ "type": "layers", "diff_ids": diff_ids }));
    let mut history = match root.remove("history") {
        Some(Value::Array(history)) => history,
        _ => Vec::new(),
    };
    history.extend(
        layers.iter().map(|layer| json!({ "created": CREATED, "created_by": format!("slipway: {}", layer.comment) })),
    );
    root.insert("history".to_owned(), Value::Array(history));
    serde_json::to_vec(&image).map_err(|error| error.to_string())
}

/// The image's manifest.
#[must_use]
pub fn manifest(base: &Base, layers: &[Layer], config_digest: &str, config_bytes: u64) -> Vec<u8> {
    let descriptor =
        |media_type: &str, digest: &str, size: u64| json!({ "mediaType": media_type, "digest": digest, "size": size });
    let mut all: Vec<Value> =
        base.layers.iter().map(|layer| descriptor(layer_type(&layer.media_type), &layer.digest, layer.size)).collect();
    all.extend(layers.iter().map(|layer| descriptor(LAYER_TYPE, &layer.digest, layer.size_bytes)));
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": descriptor(CONFIG_TYPE, config_digest, config_bytes),
        "layers": all,
    });
    manifest.to_string().into_bytes()
}

/// Docker's names for layers as the specification has them: a manifest must not mix the two.
fn layer_type(media_type: &str) -> &str {
    match media_type {
        "application/vnd.docker.image.rootfs.diff.tar.gzip" => LAYER_TYPE,
        "application/vnd.docker.image.rootfs.diff.tar" => "application/vnd.oci.image.layer.v1.tar",
        other => other,
    }
}

fn strings(value: Option<&Value>) -> Vec<String> {
    let list = value.and_then(Value::as_array).into_iter().flatten();
    list.filter_map(|text| text.as_str().map(str::to_owned)).collect()
}

/// The base's variables with the buildpack's over them, and the search path of both.
fn env(base: Vec<String>, manifest: &SlugManifest) -> Vec<String> {
    let mut env: BTreeMap<String, String> = base
        .into_iter()
        .filter_map(|entry| entry.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned())))
        .collect();
    env.extend(manifest.env_for(APP_DIR));
    let path = env.remove("PATH").unwrap_or_else(|| DEFAULT_PATH.to_owned());
    env.insert("PATH".to_owned(), manifest.path_for(APP_DIR, &path));
    env.insert("HOME".to_owned(), APP_DIR.to_owned());
    env.into_iter().map(|(name, value)| format!("{name}={value}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::registry::BaseLayer;

    fn layer() -> Layer {
        Layer {
            path: "x".into(),
            digest: "sha256:aa".to_owned(),
            diff_id: "sha256:bb".to_owned(),
            size_bytes: 7,
            entries: 1,
            comment: "app",
        }
    }

    #[test]
    fn the_config_is_the_bases_with_the_app_in_it() {
        let base = json!({
            "architecture": "amd64", "os": "linux",
            "config": { "Env": ["PATH=/usr/bin", "LANG=C"], "Cmd": ["/bin/sh"], "Labels": { "base": "1" }, "User": "0" },
            "rootfs": { "type": "layers", "diff_ids": ["sha256:base"] },
            "history": [{ "created_by": "debian" }],
        });
        let manifest = SlugManifest {
            processes: BTreeMap::from([("web".to_owned(), "gunicorn app:app".to_owned())]),
            env: BTreeMap::from([("PYTHONPATH".to_owned(), "{slug}/lib".to_owned())]),
            path: vec!["{slug}/bin".to_owned()],
            ..SlugManifest::default()
        };
        let spec = ImageSpec {
            base: "r.example.org/stack:1".parse().unwrap(),
            repository: "r.example.org/shop".parse().unwrap(),
            tag: "git-1".to_owned(),
            labels: BTreeMap::from([("ours".to_owned(), "2".to_owned())]),
        };
        let made: Value = serde_json::from_slice(&config(&base, &[layer()], &manifest, &spec).unwrap()).unwrap();
        assert_eq!(
            made,
            json!({
                "architecture": "amd64", "os": "linux", "created": CREATED,
                "config": {
                    "Env": ["HOME=/app", "LANG=C", "PATH=/app/bin:/usr/bin", "PYTHONPATH=/app/lib"],
                    "Cmd": ["gunicorn app:app"], "Entrypoint": ["/slipway/start"], "WorkingDir": "/app",
                    "User": "1000:1000", "ExposedPorts": { "5000/tcp": {} }, "Labels": { "base": "1", "ours": "2" },
                },
                "rootfs": { "type": "layers", "diff_ids": ["sha256:base", "sha256:bb"] },
                "history": [{ "created_by": "debian" }, { "created": CREATED, "created_by": "slipway: app" }],
            })
        );
        assert!(config(&json!([]), &[], &manifest, &spec).is_err());
    }

    #[test]
    fn the_manifest_names_the_bases_layers_first() {
        let base = Base {
            config: json!({}),
            layers: vec![BaseLayer {
                digest: "sha256:cc".to_owned(),
                size: 3,
                media_type: "application/vnd.docker.image.rootfs.diff.tar.gzip".to_owned(),
            }],
        };
        let made: Value = serde_json::from_slice(&manifest(&base, &[layer()], "sha256:dd", 9)).unwrap();
        assert_eq!(
            made["layers"],
            json!([
                { "mediaType": LAYER_TYPE, "digest": "sha256:cc", "size": 3 },
                { "mediaType": LAYER_TYPE, "digest": "sha256:aa", "size": 7 },
            ])
        );
        assert_eq!(made["config"]["digest"], "sha256:dd");
    }
}
