//! Names of images, and whose credentials go where.

use oci_client::Reference;
use secrecy::SecretString;

use crate::fetch::FetchError;
use crate::store::ImageDigest;

/// Credentials of a registry.
#[derive(Debug, Clone)]
pub struct Login {
    /// The registry that they are for; `None` for the one that the image names.
    pub hostname: Option<String>,
    /// The user.
    pub username: String,
    /// That user's password or token.
    pub password: SecretString,
}

impl Login {
    /// Credentials for a registry, as an engine is given them.
    #[must_use]
    pub fn new(hostname: Option<&str>, username: &str, password: &str) -> Self {
        Self { hostname: hostname.map(str::to_owned), username: username.to_owned(), password: password.into() }
    }
}

/// `image` by digest instead of by tag. Registry and repository stay as they were written; a name that has a digest
/// stays as it is.
#[must_use]
pub fn pinned(image: &str, digest: &ImageDigest) -> String {
    let Ok(reference) = image.parse::<Reference>() else { return image.to_owned() };
    if reference.digest().is_some() {
        return image.to_owned();
    }
    let repository = reference.tag().and_then(|tag| image.strip_suffix(&format!(":{tag}"))).unwrap_or(image);
    format!("{repository}@{}", digest.with_algorithm())
}

/// The host of an image's registry, with its port.
#[must_use]
pub fn registry_of(image: &str) -> Option<String> {
    image.parse::<Reference>().ok().map(|reference| reference.registry().to_owned())
}

/// Reads an image's name. Source: OCI distribution specification; names without a registry are of Docker Hub.
pub(crate) fn reference(image: &str) -> Result<Reference, FetchError> {
    image.parse().map_err(|error| {
        let image: String = image.chars().filter(|c| !c.is_control()).take(120).collect();
        FetchError::Rejected(format!("'{image}' is not the name of an image: {error}"))
    })
}

pub(crate) fn is_for(login: &Login, reference: &Reference) -> bool {
    let Some(hostname) = login.hostname.as_deref().filter(|hostname| !hostname.is_empty()) else { return true };
    let bare = |text: &str| {
        let text = text.trim_start_matches("https://").trim_start_matches("http://");
        text.split('/').next().unwrap_or_default().to_ascii_lowercase()
    };
    let hub = |host: String| {
        if host == "index.docker.io" || host == "registry-1.docker.io" { "docker.io".to_owned() } else { host }
    };
    hub(bare(hostname)) == hub(bare(reference.registry()))
}

pub(crate) fn host_port(registry: &str) -> (&str, u16) {
    let split = registry.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
    let (host, port) = split.unwrap_or((registry, 443));
    (host.trim_start_matches('[').trim_end_matches(']'), port)
}

pub(crate) fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_become_digests_and_names_stay() {
        let digest: ImageDigest = "0a".repeat(32).parse().unwrap();
        for (image, expected) in [
            ("busybox", "busybox"),
            ("busybox:1", "busybox"),
            ("127.0.0.1:5000/base/busybox:1", "127.0.0.1:5000/base/busybox"),
            ("127.0.0.1:5000/base/busybox", "127.0.0.1:5000/base/busybox"),
        ] {
            assert_eq!(pinned(image, &digest), format!("{expected}@{}", digest.with_algorithm()));
        }
        let already = format!("busybox@sha256:{}", "1b".repeat(32));
        assert_eq!(pinned(&already, &digest), already);
    }

    #[test]
    fn credentials_are_for_their_registry_only() {
        let login = |hostname: Option<&str>| Login {
            hostname: hostname.map(str::to_owned),
            username: "bob".to_owned(),
            password: "secret".into(),
        };
        let quay: Reference = "quay.io/a/b:1".parse().unwrap();
        let hub: Reference = "busybox".parse().unwrap();
        assert!(is_for(&login(None), &quay) && is_for(&login(Some("")), &quay));
        assert!(is_for(&login(Some("https://quay.io/v2/")), &quay));
        assert!(!is_for(&login(Some("ghcr.io")), &quay));
        assert!(is_for(&login(Some("https://index.docker.io/v1/")), &hub));
        assert!(!is_for(&login(Some("evil-docker.io")), &hub));
    }
}
