//! What an operator decides about the cluster.

use std::time::Duration;

use slipway_image::BuiltImages;
pub use slipway_image::FetchSettings;

/// Field manager of everything that Slipway writes; fields of other managers are left alone.
pub const FIELD_MANAGER: &str = "slipway";

/// Value of the label `heritage` on every object of ours. Objects without it are never touched.
pub const HERITAGE: &str = "slipway";

/// How apps are laid out on the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterSettings {
    /// Namespace that the platform itself runs in. Default: `slipway`.
    pub namespace: String,
    /// When an image is pulled: `IfNotPresent` (default), `Always` or `Never`.
    pub image_pull_policy: String,
    /// Old `ReplicaSets` kept per Deployment. Default: 3.
    pub revision_history: u32,
    /// Specification of a `ResourceQuota` (JSON) for every app's namespace; none by default.
    pub quota: Option<serde_json::Value>,
    /// Specification of a `LimitRange` (JSON) for every app's namespace; none by default.
    pub limit_ranges: Option<serde_json::Value>,
    /// Storage class of volumes; the cluster's default class by default.
    pub volume_storage_class: Option<String>,
    /// How volumes may be had: `ReadWriteMany` (default) by processes on any nodes; `ReadWriteOnce` on one node, for storage
    /// that can do no more.
    pub volume_access_mode: String,
    /// How registries are asked about images. The nodes fetch the images themselves.
    pub fetch: FetchSettings,
    /// Name of this controller among others on the cluster, as its one-off processes carry it: that of its pod.
    /// Default: `slipway-controller`.
    pub holder: String,
    /// How long a Deployment may make no progress before it counts as failing. Default: 2 minutes.
    pub progress_deadline: Duration,
    /// The registry of built images, from which those that no release needs are removed. Default: none is looked at.
    pub images: Option<BuiltImages>,
}

impl Default for ClusterSettings {
    fn default() -> Self {
        Self {
            namespace: "slipway".to_owned(),
            image_pull_policy: "IfNotPresent".to_owned(),
            revision_history: 3,
            quota: None,
            limit_ranges: None,
            volume_storage_class: None,
            volume_access_mode: "ReadWriteMany".to_owned(),
            fetch: FetchSettings::default(),
            holder: "slipway-controller".to_owned(),
            progress_deadline: Duration::from_mins(2),
            images: None,
        }
    }
}
