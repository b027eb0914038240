//! Names, labels and annotations of everything that Slipway writes to the cluster.
//!
//! Source: `drycc-v2.md` §4.1 and §4.2, with prefixes of our own.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};
use slipway_core::{AppId, AppName, ProcessType, ReleaseVersion};

use crate::settings::HERITAGE;

/// Label of every object of ours; its value is [`HERITAGE`]. What lacks it is never touched.
pub const LABEL_HERITAGE: &str = "heritage";
/// Label with the app's name, on every object of an app.
pub const LABEL_APP: &str = "app";
/// Label with the process type on Deployments and pods; `env`, `cert` or `pull` on Secrets.
pub const LABEL_TYPE: &str = "type";
/// Label with the release, `v3`, on pods and on Secrets with an environment.
pub const LABEL_VERSION: &str = "version";
/// Label with the app's id (a UUID) on its namespace: names are used again, ids never.
pub const LABEL_APP_ID: &str = "slipway.io/app-id";
/// Label on an app's namespace with the namespace of the platform that it belongs to: several platforms may share a
/// cluster, and what one does not know is not for it to remove.
pub const LABEL_PLATFORM: &str = "slipway.io/platform";
/// Label with the volume's id (a UUID) on its claim: names are used again, ids never.
pub const LABEL_VOLUME: &str = "slipway.io/volume";
/// Before a volume's name: label of pods that have it, by which they find each other's node.
pub const LABEL_MOUNTS: &str = "mounts.slipway.io/";
/// Annotation: digest of the object as it was last written. What would be written with the same digest is not.
pub const ANNOTATION_HASH: &str = "slipway.io/hash";
/// Annotation of a pod template: changes when the processes shall be replaced without a new release.
pub const ANNOTATION_RESTART: &str = "slipway.io/restart";
/// Annotation of a Deployment with what made the release. Source: `drycc-v2.md` §4.2.
pub const ANNOTATION_CHANGE_CAUSE: &str = "kubernetes.io/change-cause";
/// Annotation of the Secret with a release's environment: what was found out about the release's image (JSON).
pub const ANNOTATION_IMAGE: &str = "slipway.io/image";

/// Value of [`LABEL_TYPE`] on the Secret with a release's environment.
pub const TYPE_ENV: &str = "env";
/// Value of [`LABEL_TYPE`] on the Secret with a certificate.
pub const TYPE_CERT: &str = "cert";
/// Value of [`LABEL_TYPE`] on the Secret with a registry's credentials.
pub const TYPE_PULL: &str = "pull";

/// Name of the Secret with the credentials of an app's registry.
pub const PULL_SECRET: &str = "private-registry";

/// Longest name of a container and of a Service: a DNS label.
const DNS_LABEL_MAX: usize = 63;

/// Labels of every object of an app, besides what its kind adds.
#[must_use]
pub fn app_labels(name: &AppName) -> BTreeMap<String, String> {
    [
        (LABEL_HERITAGE, HERITAGE),
        (LABEL_APP, name.as_str()),
        ("app.kubernetes.io/managed-by", HERITAGE),
        ("app.kubernetes.io/part-of", name.as_str()),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .into()
}

/// Labels of an app's namespace; `platform` is the platform's own.
#[must_use]
pub fn namespace_labels(app: AppId, name: &AppName, platform: &str) -> BTreeMap<String, String> {
    let mut labels = app_labels(name);
    labels.insert(LABEL_PLATFORM.to_owned(), platform.to_owned());
    labels.insert(LABEL_APP_ID.to_owned(), app.to_string());
    labels
}

/// Labels by which a Deployment knows its pods. Never changed: the selector of a Deployment cannot be.
#[must_use]
pub fn process_selector(name: &AppName, process_type: &ProcessType) -> BTreeMap<String, String> {
    [(LABEL_HERITAGE, HERITAGE), (LABEL_APP, name.as_str()), (LABEL_TYPE, process_type.as_str())]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into()
}

/// Labels of the processes of one type, and of what belongs to them.
#[must_use]
pub fn process_labels(name: &AppName, process_type: &ProcessType) -> BTreeMap<String, String> {
    let mut labels = app_labels(name);
    labels.extend(process_selector(name, process_type));
    labels.insert("app.kubernetes.io/component".to_owned(), process_type.to_string());
    labels
}

/// Labels of a pod of a release.
#[must_use]
pub fn pod_labels(name: &AppName, process_type: &ProcessType, version: ReleaseVersion) -> BTreeMap<String, String> {
    let mut labels = process_labels(name, process_type);
    labels.insert(LABEL_VERSION.to_owned(), version.to_string());
    labels.insert("app.kubernetes.io/version".to_owned(), version.to_string());
    labels
}

/// Name of the Deployment (and of its autoscaler and disruption budget) of a process type: `blog-web`.
#[must_use]
pub fn process_name(name: &AppName, process_type: &ProcessType) -> String {
    format!("{name}-{process_type}")
}

/// Name of the container of a process: that of its Deployment, cut to the length of a DNS label with a digest of
/// the rest when it is longer.
#[must_use]
pub fn container_name(name: &AppName, process_type: &ProcessType) -> String {
    let full = process_name(name, process_type);
    if full.len() <= DNS_LABEL_MAX {
        return full;
    }
    let digest = sha256_hex(full.as_bytes());
    format!("{}-{}", full[..DNS_LABEL_MAX - 9].trim_end_matches('-'), &digest[..8])
}

/// Name of the Service of a process type that paths lead to: a DNS label too.
#[must_use]
pub fn path_service_name(name: &AppName, process_type: &ProcessType) -> String {
    container_name(name, process_type)
}

/// Name of the Secret with the environment of a release: `blog-v3-env`.
#[must_use]
pub fn env_secret_name(name: &AppName, version: ReleaseVersion) -> String {
    format!("{name}-{version}-env")
}

/// Name of the Secret with a certificate. It tells what is in it, so that a renewed certificate is a new Secret and
/// whoever reads the route sees either the old one or the new one, whole.
#[must_use]
pub fn cert_secret_name(chain_pem: &str, key_pem: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(chain_pem.as_bytes());
    hash.update([0]);
    hash.update(key_pem.as_bytes());
    format!("{}-cert", &hex::encode(hash.finalize())[..16])
}

/// SHA-256 in lower-case hex.
#[must_use]
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn container_names_are_dns_labels_and_differ() {
        let app = AppName::new("a".repeat(63)).unwrap();
        let name = |text: &str| container_name(&app, &ProcessType::new(text).unwrap());
        assert_eq!(container_name(&AppName::new("blog").unwrap(), &ProcessType::web()), "blog-web");
        assert!(name("web").len() <= DNS_LABEL_MAX);
        assert_ne!(name("web"), name("worker"));
    }

    #[test]
    fn certificates_are_named_by_what_they_hold() {
        let name = cert_secret_name("chain", "key");
        assert!(name.ends_with("-cert") && name.len() == 21, "{name}");
        assert_eq!(name, cert_secret_name("chain", "key"));
        assert_ne!(name, cert_secret_name("chai", "nkey"));
    }
}
