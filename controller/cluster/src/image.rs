//! What is known of a release's image: which one exactly, and how it wants to be run.

use std::collections::HashSet;
use std::time::Duration;

use oci_client::Reference;
use oci_client::client::{Client, ClientConfig, ClientProtocol};
use oci_client::config::ConfigFile;
use oci_client::errors::OciDistributionError;
use oci_client::secrets::RegistryAuth;
use serde::{Deserialize, Serialize};
use slipway_core::{AppName, ReleaseVersion};
use slipway_engine::RegistryLogin;

use crate::index::{AppObjects, Kind};
use crate::labels::{ANNOTATION_IMAGE, env_secret_name};

/// Longest that a registry may take to tell of an image.
const TIMEOUT: Duration = Duration::from_secs(20);
/// Largest description of an image that is read, in bytes.
const CONFIG_MAX_BYTES: i64 = 4 * 1024 * 1024;

/// What is known of a release's image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageFacts {
    /// The image as the release names it.
    pub source: String,
    /// The image as it is run: by digest, when the registry told it.
    pub reference: String,
    /// The lowest TCP port that it exposes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// Whether it says by number that it runs as a user other than root.
    #[serde(default)]
    pub is_non_root: bool,
    /// Why nothing more is known, for the user; `None` when the registry told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unknown: Option<String>,
}

impl ImageFacts {
    /// An image of which nothing is known but its name.
    #[must_use]
    pub fn unknown(source: &str, reason: &str) -> Self {
        Self {
            source: source.to_owned(),
            reference: source.to_owned(),
            port: None,
            is_non_root: false,
            unknown: Some(reason.to_owned()),
        }
    }
}

/// What was found out about an image when its release was first written.
#[must_use]
pub fn image_facts_written(
    seen: &AppObjects,
    name: &AppName,
    version: ReleaseVersion,
    source: &str,
) -> Option<ImageFacts> {
    let secret = seen.object(Kind::Secret, &env_secret_name(name, version))?;
    let facts: ImageFacts = serde_json::from_str(&secret.annotation(ANNOTATION_IMAGE)?).ok()?;
    (facts.source == source).then_some(facts)
}

/// Checks the grammar of an image reference.
///
/// # Errors
/// The reason, for the user.
pub fn image_check(text: &str) -> Result<(), String> {
    text.parse::<Reference>().map(drop).map_err(|error| format!("{text:?} is not the name of an image: {error}"))
}

/// The host of an image's registry.
#[must_use]
pub fn registry_of(reference: &str) -> Option<String> {
    reference.parse::<Reference>().ok().map(|reference| reference.registry().to_owned())
}

/// Asks the image's registry. Whatever goes wrong there is no error: the nodes pull the image themselves and may well
/// reach a registry that the controller does not; [`ImageFacts::unknown`] says why nothing is known.
///
/// `insecure` are hosts of registries that speak plain HTTP.
pub async fn image_facts(source: &str, login: Option<&RegistryLogin>, insecure: &[String]) -> ImageFacts {
    let Ok(reference) = source.parse::<Reference>() else {
        return ImageFacts::unknown(source, "the name of the image is malformed");
    };
    match tokio::time::timeout(TIMEOUT, look_up(source, &reference, login, insecure)).await {
        Ok(Ok(facts)) => facts,
        Ok(Err(error)) => {
            tracing::debug!(image = source, "a registry did not tell of an image: {error}");
            ImageFacts::unknown(source, "the image's registry did not tell which port it exposes")
        }
        Err(_) => ImageFacts::unknown(source, "the image's registry did not answer in time"),
    }
}

async fn look_up(
    source: &str,
    reference: &Reference,
    login: Option<&RegistryLogin>,
    insecure: &[String],
) -> Result<ImageFacts, OciDistributionError> {
    // A client of its own: tokens of one app's credentials must not serve another.
    let client = Client::new(ClientConfig {
        protocol: ClientProtocol::HttpsExcept(insecure.to_vec()),
        connect_timeout: Some(TIMEOUT / 4),
        read_timeout: Some(TIMEOUT / 2),
        user_agent: concat!("slipway/", env!("CARGO_PKG_VERSION")),
        ..ClientConfig::default()
    });
    let auth = match login {
        Some(login) if is_for(login, reference) => {
            RegistryAuth::Basic(login.username.clone(), login.password.expose().to_owned())
        }
        Some(_) | None => RegistryAuth::Anonymous,
    };
    let (manifest, digest, list_digest) = client.pull_image_manifest_and_list_digest(reference, &auth).await?;
    if manifest.config.size > CONFIG_MAX_BYTES {
        return Err(OciDistributionError::SpecViolationError("the description of the image is too large".to_owned()));
    }
    let mut config = Vec::new();
    client.pull_blob(reference, &manifest.config, &mut config).await?;
    let config: ConfigFile = serde_json::from_slice(&config)?;
    let config = config.config.unwrap_or_default();
    // The index where there is one: nodes of other architectures find their image in it.
    let digest = list_digest.unwrap_or(digest);
    Ok(ImageFacts {
        source: source.to_owned(),
        reference: pinned(source, reference, &digest),
        port: lowest_port(config.exposed_ports.as_ref()),
        is_non_root: config.user.as_deref().is_some_and(is_non_root),
        unknown: None,
    })
}

/// Whether credentials are for the registry of an image: they are never shown to another.
fn is_for(login: &RegistryLogin, reference: &Reference) -> bool {
    let host = login.hostname.as_deref().map(|host| {
        let host = host.strip_prefix("https://").or_else(|| host.strip_prefix("http://")).unwrap_or(host);
        host.split('/').next().unwrap_or_default()
    });
    match host {
        None | Some("") => true,
        Some(host) => {
            host == reference.registry()
                || host == reference.resolve_registry()
                || (host.ends_with("docker.io") && reference.registry().ends_with("docker.io"))
        }
    }
}

/// The reference with its digest instead of its tag. Registry and repository stay as they were written.
fn pinned(source: &str, reference: &Reference, digest: &str) -> String {
    if reference.digest().is_some() {
        return source.to_owned();
    }
    let repository = match reference.tag() {
        Some(tag) => source.strip_suffix(&format!(":{tag}")).unwrap_or(source),
        None => source,
    };
    format!("{repository}@{digest}")
}

fn lowest_port(exposed: Option<&HashSet<String>>) -> Option<u16> {
    let port = |text: &String| {
        let (number, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
        number.parse::<u16>().ok().filter(|number| *number > 0 && protocol.eq_ignore_ascii_case("tcp"))
    };
    exposed.into_iter().flatten().filter_map(port).min()
}

fn is_non_root(user: &str) -> bool {
    let user = user.split(':').next().unwrap_or_default();
    user.parse::<u32>().is_ok_and(|number| number != 0)
}

#[cfg(test)]
mod tests {
    use slipway_core::config::SecretText;

    use super::*;

    #[test]
    fn tags_become_digests_and_names_stay() {
        let digest = format!("sha256:{}", "0a".repeat(32));
        for (source, expected) in [
            ("busybox", "busybox"),
            ("busybox:1", "busybox"),
            ("127.0.0.1:5000/base/busybox:1", "127.0.0.1:5000/base/busybox"),
            ("127.0.0.1:5000/base/busybox", "127.0.0.1:5000/base/busybox"),
        ] {
            let reference = source.parse().unwrap();
            assert_eq!(pinned(source, &reference, &digest), format!("{expected}@{digest}"));
        }
        let already = format!("busybox@{digest}");
        assert_eq!(pinned(&already, &already.parse().unwrap(), "sha256:1"), already);
    }

    #[test]
    fn the_lowest_tcp_port_is_taken() {
        let ports = |texts: &[&str]| lowest_port(Some(&texts.iter().map(|text| (*text).to_owned()).collect()));
        assert_eq!(ports(&["8080/tcp", "80", "53/udp", "x", "0", "70000"]), Some(80));
        assert_eq!(ports(&["53/udp"]), None);
    }

    #[test]
    fn users_by_number_are_not_root() {
        for (user, expected) in [("", false), ("0", false), ("0:0", false), ("root", false), ("app", false)] {
            assert_eq!(is_non_root(user), expected, "{user}");
        }
        assert!(is_non_root("1000") && is_non_root("1000:0"));
    }

    #[test]
    fn credentials_are_for_their_registry_only() {
        let login = |hostname: Option<&str>| RegistryLogin {
            hostname: hostname.map(str::to_owned),
            username: "bob".to_owned(),
            password: SecretText::new("secret"),
        };
        let reference: Reference = "quay.io/a/b:1".parse().unwrap();
        assert!(is_for(&login(None), &reference));
        assert!(is_for(&login(Some("https://quay.io/v2/")), &reference));
        assert!(!is_for(&login(Some("ghcr.io")), &reference));
        assert!(is_for(&login(Some("https://index.docker.io/v1/")), &"busybox".parse().unwrap()));
    }

    #[test]
    fn facts_are_read_as_they_were_written() {
        let facts = ImageFacts { port: Some(80), is_non_root: true, ..ImageFacts::unknown("a", "b") };
        let text = serde_json::to_string(&facts).unwrap();
        assert_eq!(serde_json::from_str::<ImageFacts>(&text).unwrap(), facts);
    }
}
