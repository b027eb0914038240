//! The structures inside a container's configuration.
//!
//! They are documents: kept as they came, with the ids that clients gave their list items. An item without an id gets
//! one. Unknown members are passed over. Source: `team-api.md` §1.9, §4.4.

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::choice::{LogDriver, VolumeType};

/// A fresh id for a list item that came without one.
pub(super) fn id_generate() -> String {
    Uuid::new_v4().to_string()
}

/// A name with a value, for example one environment variable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyValue {
    /// The client's identity of the item.
    #[serde(default = "id_generate")]
    pub id: String,
    /// The name.
    pub key: String,
    /// The value; may be empty.
    #[serde(default)]
    pub value: String,
}

/// One word of a list: an argument, a header's name, a network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// The client's identity of the item.
    #[serde(default = "id_generate")]
    pub id: String,
    /// The word.
    pub key: String,
}

/// A secret that an image wants: its name alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretKey {
    /// The client's identity of the item.
    #[serde(default = "id_generate")]
    pub id: String,
    /// The variable's name.
    pub key: String,
    /// Whether a deployment may start without it.
    #[serde(default)]
    pub required: bool,
}

/// A secret of an instance: its name, and its value as the client encrypted it for the node.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SecretKeyValue {
    /// The client's identity of the item.
    #[serde(default = "id_generate")]
    pub id: String,
    /// The variable's name.
    pub key: String,
    /// Whether a deployment may start without it.
    #[serde(default)]
    pub required: bool,
    /// An armored `OpenPGP` message; empty for no value.
    #[serde(default)]
    pub value: String,
    /// Whether `value` is encrypted. Only then is it a value at all.
    #[serde(default)]
    pub encrypted: bool,
    /// The armored public key that `value` was encrypted for.
    #[serde(default)]
    pub public_key: Option<String>,
}

/// The value is left out: one that a client sent in clear must not reach a log.
impl std::fmt::Debug for SecretKeyValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SecretKeyValue")
            .field("id", &self.id)
            .field("key", &self.key)
            .field("required", &self.required)
            .field("encrypted", &self.encrypted)
            .finish_non_exhaustive()
    }
}

impl SecretKeyValue {
    /// The secret `key` without a value.
    #[must_use]
    pub fn empty(key: &SecretKey) -> Self {
        Self {
            id: key.id.clone(),
            key: key.key.clone(),
            required: key.required,
            value: String::new(),
            encrypted: false,
            public_key: None,
        }
    }

    /// Whether there is an encrypted value.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.encrypted && !self.value.is_empty()
    }

    /// The encrypted value, where there is one.
    #[must_use]
    pub fn message(&self) -> Option<SecretString> {
        self.is_set().then(|| self.value.clone().into())
    }
}

/// Where requests for a container come in.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Routing {
    /// The host name; without a dot it is a suffix to `CONTAINER.PREFIX.`.
    pub domain: Option<String>,
    /// The path's beginning; `/` when absent.
    pub path: Option<String>,
    /// Whether that beginning is taken away before the request is passed on.
    pub strip_path: Option<bool>,
    /// The largest body that is passed on, as the proxy in front writes sizes, for example `8m`.
    pub upload_limit: Option<String>,
}

/// An image whose files are copied into a volume before the container starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConfigContainer {
    /// The image's reference.
    pub image: String,
    /// The name of the volume that gets the files.
    pub volume: String,
    /// Where the files lie in the image.
    pub path: String,
    /// Whether files in the volume that the image lacks stay.
    #[serde(default)]
    pub keep_files: bool,
}

/// A port of the container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Port {
    /// The client's identity of the item.
    #[serde(default = "id_generate")]
    pub id: String,
    /// The port inside.
    pub internal: u16,
    /// The port outside, where there is one.
    #[serde(default)]
    pub external: Option<u16>,
}

/// Ports from one to another, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// The first.
    pub from: u16,
    /// The last.
    pub to: u16,
}

impl Span {
    /// How many ports there are; none when it ends before it begins.
    #[must_use]
    pub fn count(self) -> u32 {
        (u32::from(self.to) + 1).saturating_sub(u32::from(self.from))
    }

    /// Whether `port` is one of them.
    #[must_use]
    pub const fn holds(self, port: u16) -> bool {
        self.from <= port && port <= self.to
    }

    /// Whether both have a port in common.
    #[must_use]
    pub const fn overlaps(self, other: Self) -> bool {
        self.from <= other.to && other.from <= self.to
    }
}

/// A row of ports of the container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortRange {
    /// The client's identity of the item.
    #[serde(default = "id_generate")]
    pub id: String,
    /// The ports inside.
    pub internal: Span,
    /// The ports outside, as many.
    pub external: Span,
}

/// A directory that a container gets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    /// The client's identity of the item.
    #[serde(default = "id_generate")]
    pub id: String,
    /// Its name.
    pub name: String,
    /// Where the container sees it.
    pub path: String,
    /// A Kubernetes quantity; `1G` when absent.
    #[serde(default)]
    pub size: Option<String>,
    /// What kind it is; [`VolumeType::ReadWriteOnce`] when absent.
    #[serde(default, rename = "type")]
    pub kind: Option<VolumeType>,
    /// The storage class; the cluster's own choice when absent.
    #[serde(default)]
    pub class: Option<String>,
}

/// A volume of the container as one of its init containers sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeLink {
    /// The client's identity of the item.
    #[serde(default = "id_generate")]
    pub id: String,
    /// The volume's name.
    pub name: String,
    /// Where the init container sees it.
    pub path: String,
}

/// A container that runs to its end before the container starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InitContainer {
    /// The client's identity of the item.
    #[serde(default = "id_generate")]
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its image's reference.
    pub image: String,
    /// Its entry point; the image's own when empty.
    #[serde(default)]
    pub command: Option<Vec<Key>>,
    /// Its arguments.
    #[serde(default)]
    pub args: Option<Vec<Key>>,
    /// Its own environment.
    #[serde(default)]
    pub environment: Option<Vec<KeyValue>>,
    /// Whether it gets the container's environment and secrets too.
    #[serde(default)]
    pub use_parent_config: bool,
    /// The volumes that it sees.
    #[serde(default)]
    pub volumes: Option<Vec<VolumeLink>>,
}

/// What is fetched from an object store into a volume before the container starts.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Storage {
    /// The team's storage.
    pub storage_id: Option<String>,
    /// The *name* of the volume that gets the files.
    pub path: Option<String>,
    /// The bucket, with a folder in it if wanted.
    pub bucket: Option<String>,
}

/// Where a container engine sends the output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogConfig {
    /// The driver.
    pub driver: LogDriver,
    /// Its options.
    #[serde(default)]
    pub options: Vec<KeyValue>,
}

/// The paths that tell whether a container lives.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HealthCheck {
    /// The port that is asked; the container's first when absent.
    pub port: Option<u16>,
    /// Asked while it runs; a failure restarts it.
    pub liveness_probe: Option<String>,
    /// Asked while it runs; a failure keeps requests away.
    pub readiness_probe: Option<String>,
    /// Asked while it starts.
    pub startup_probe: Option<String>,
}

/// Amounts of processor and memory, as Kubernetes quantities.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Amount {
    /// Processors.
    pub cpu: Option<String>,
    /// Memory.
    pub memory: Option<String>,
}

/// What a container may use, and what is kept free for it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Resources {
    /// The most that it may use.
    pub limits: Option<Amount>,
    /// What is kept free for it.
    pub requests: Option<Amount>,
}

/// Labels or annotations by the kind of object that gets them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Markers {
    /// For the Service.
    pub service: Option<Vec<KeyValue>>,
    /// For the Deployment and its pods.
    pub deployment: Option<Vec<KeyValue>>,
    /// For the Ingress.
    pub ingress: Option<Vec<KeyValue>>,
}
