//! What the cluster can do, found out by asking it.

use kube::Client;

/// First minor version of Kubernetes 1 in which a container's life cycle may say `sleep`.
const SLEEP_ACTION_SINCE: u32 = 30;

/// What differs between clusters.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Capabilities {
    /// Version of the group `autoscaling` for autoscalers by load: `v2` or `v2beta2`.
    pub autoscaling: Option<String>,
    /// Version of the group `policy`: `v1` or `v1beta1`.
    pub policy: Option<String>,
    /// Whether a container's life cycle may say `sleep`.
    pub has_sleep_action: bool,
}

/// The API by which a cluster tells what pods use: autoscalers ask it.
pub(crate) const METRICS_GROUP: &str = "metrics.k8s.io";

/// Whether the cluster serves metrics of pods.
///
/// # Errors
/// When the API server does not answer.
pub async fn has_metrics(client: &Client) -> kube::Result<bool> {
    Ok(client.list_api_groups().await?.groups.iter().any(|group| group.name == METRICS_GROUP))
}

impl Capabilities {
    /// What the newest clusters can do.
    #[must_use]
    pub fn newest() -> Self {
        Self { autoscaling: Some("v2".to_owned()), policy: Some("v1".to_owned()), has_sleep_action: true }
    }

    /// Asks the API server.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn discover(client: &Client) -> kube::Result<Self> {
        let groups = client.list_api_groups().await?.groups;
        let newest = |group: &str, wanted: &[&str]| {
            let group = groups.iter().find(|one| one.name == group)?;
            let has = |version: &&&str| group.versions.iter().any(|one| one.version == **version);
            wanted.iter().find(has).map(|version| (*version).to_owned())
        };
        let info = client.apiserver_version().await?;
        // Vendors write `20+`.
        let minor = info.minor.trim_end_matches(|letter: char| !letter.is_ascii_digit()).parse().unwrap_or(0);
        Ok(Self {
            autoscaling: newest("autoscaling", &["v2", "v2beta2"]),
            policy: newest("policy", &["v1", "v1beta1"]),
            has_sleep_action: info.major != "1" || minor >= SLEEP_ACTION_SINCE,
        })
    }

    /// `apiVersion` of autoscalers.
    #[must_use]
    pub fn autoscaler_api_version(&self) -> Option<String> {
        self.autoscaling.as_ref().map(|version| format!("autoscaling/{version}"))
    }

    /// `apiVersion` of disruption budgets.
    #[must_use]
    pub fn disruption_api_version(&self) -> Option<String> {
        self.policy.as_ref().map(|version| format!("policy/{version}"))
    }
}
