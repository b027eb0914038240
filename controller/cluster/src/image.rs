//! What is known of a release's image: which one exactly, and how it wants to be run.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use slipway_core::{AppName, ReleaseVersion};
use slipway_engine::RegistryLogin;
use slipway_image::{BuiltImages, FetchError, Fetcher, ImageDigest, ImageSetup, Login};

use crate::index::{AppObjects, Kept, Kind};
use crate::labels::{ANNOTATION_IMAGE, env_secret_name};
use crate::settings::ClusterSettings;

/// Longest that a registry may take to tell of an image.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Stands between the name and the digest of an image that is named by it.
pub(crate) const BY_DIGEST: &str = "@sha256:";

/// Label that the lifecycle puts on every image of Cloud Native Buildpacks. Source: platform specification 0.12.
const LIFECYCLE_LABEL: &str = "io.buildpacks.lifecycle.metadata";

/// What is known of a release's image.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Whether the launcher of Cloud Native Buildpacks starts its processes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_launched: bool,
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
            unknown: Some(reason.to_owned()),
            ..Self::default()
        }
    }
}

/// What was found out about an image when its release was first written, or, of an image by digest, which stays what it
/// is, when any release of the app was: a change of the configuration works without the registry.
#[must_use]
pub fn image_facts_written(
    seen: &AppObjects,
    name: &AppName,
    version: ReleaseVersion,
    source: &str,
) -> Option<ImageFacts> {
    let read = |secret: &Arc<Kept>| {
        let facts: ImageFacts = serde_json::from_str(&secret.annotation(ANNOTATION_IMAGE)?).ok()?;
        (facts.source == source).then_some(facts)
    };
    if let Some(facts) = seen.object(Kind::Secret, &env_secret_name(name, version)).and_then(read) {
        return Some(facts);
    }
    let is_fixed = source.contains(BY_DIGEST);
    let mut others = seen.of_kind(Kind::Secret).filter(|_| is_fixed).filter_map(read);
    others.find(|facts| facts.unknown.is_none())
}

/// Asks registries about images.
#[derive(Debug, Clone)]
pub struct Inspector {
    fetcher: Fetcher,
    /// The registry of what the platform built, and how it is asked.
    own: Option<(BuiltImages, Fetcher)>,
}

impl Inspector {
    /// As an operator wants it.
    #[must_use]
    pub fn new(settings: &ClusterSettings) -> Self {
        let own = settings.images.clone().map(|images| {
            let mut fetch = settings.fetch.clone();
            fetch.trusted.push(images.reached.clone());
            fetch.insecure.extend(images.is_insecure.then(|| images.reached.clone()));
            (images, Fetcher::new(fetch))
        });
        Self { fetcher: Fetcher::new(settings.fetch.clone()), own }
    }

    /// Asks the image's registry. Whatever goes wrong there is no error: the nodes pull the image themselves and may
    /// well reach a registry that the controller does not; [`ImageFacts::unknown`] says why nothing is known.
    pub async fn facts(&self, source: &str, login: Option<&RegistryLogin>) -> ImageFacts {
        match self.inspect(source, login).await {
            Ok((digest, setup)) => ImageFacts {
                source: source.to_owned(),
                reference: slipway_image::pinned(source, &digest),
                port: setup.ports.iter().copied().find(|port| *port > 0),
                is_non_root: is_non_root(&setup.user),
                is_launched: setup.labels.contains_key(LIFECYCLE_LABEL),
                unknown: None,
            },
            Err(FetchError::Rejected(reason)) => ImageFacts::unknown(source, &reason),
            Err(FetchError::Unavailable { public, context }) => {
                tracing::debug!(image = source, "a registry did not tell of an image: {context}");
                ImageFacts::unknown(source, &public)
            }
        }
    }

    /// The image by digest, and how it is run, as its registry tells.
    pub(crate) async fn inspect(
        &self,
        source: &str,
        login: Option<&RegistryLogin>,
    ) -> Result<(ImageDigest, ImageSetup), FetchError> {
        // What the platform built is where the operator said, and nobody else's credentials are for it.
        let own = self.own.as_ref().and_then(|(images, fetcher)| Some((fetcher, images.route(source)?)));
        let (fetcher, (asked, login)) = own.unwrap_or_else(|| {
            let new =
                |login: &RegistryLogin| Login::new(login.hostname.as_deref(), &login.username, login.password.expose());
            (&self.fetcher, (source.to_owned(), login.map(new)))
        });
        let asking = fetcher.inspect(&asked, login.as_ref());
        tokio::time::timeout(TIMEOUT, asking).await.unwrap_or_else(|_| {
            Err(FetchError::Unavailable {
                public: "the image's registry did not answer in time".to_owned(),
                context: format!("no answer within {TIMEOUT:?}"),
            })
        })
    }
}

fn is_non_root(user: &str) -> bool {
    let user = user.split(':').next().unwrap_or_default();
    user.parse::<u32>().is_ok_and(|number| number != 0)
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
    use slipway_image::Credentials;
    use slipway_image::testing::TestRegistry;

    use super::*;

    #[test]
    fn users_by_number_are_not_root() {
        for (user, expected) in [("", false), ("0", false), ("0:0", false), ("root", false), ("app", false)] {
            assert_eq!(is_non_root(user), expected, "{user}");
        }
        assert!(is_non_root("1000") && is_non_root("1000:0"));
    }

    #[tokio::test]
    async fn what_was_built_is_asked_for_where_it_is_reached() {
        let registry = TestRegistry::start().await;
        let config = serde_json::json!({ "ExposedPorts": { "8080/tcp": {} }, "Labels": { LIFECYCLE_LABEL: "{}" } });
        let digest = registry.image("apps/shop", "git-1", &[], &config);
        let settings = ClusterSettings {
            images: Some(BuiltImages {
                host: "registry.example.org".to_owned(),
                reached: registry.host(),
                prefix: "apps".to_owned(),
                is_insecure: true,
                credentials: Credentials::default(),
            }),
            ..ClusterSettings::default()
        };
        let source = format!("registry.example.org/apps/shop@{digest}");
        let facts = Inspector::new(&settings).facts(&source, None).await;
        assert_eq!((facts.port, facts.is_launched, &facts.unknown), (Some(8080), true, &None), "{facts:?}");
        // Nodes know it by its own name.
        assert_eq!(facts.reference, source);
    }

    fn secret(name: &AppName, version: u32, facts: &ImageFacts) -> Arc<Kept> {
        let text = serde_json::to_string(facts).unwrap();
        let metadata = ObjectMeta {
            name: Some(env_secret_name(name, ReleaseVersion(version))),
            annotations: Some([(ANNOTATION_IMAGE.to_owned(), text)].into()),
            ..ObjectMeta::default()
        };
        Arc::new(Kept::new(Kind::Secret, &metadata, &serde_json::Value::Null).unwrap())
    }

    #[test]
    fn what_is_known_of_a_digest_holds_for_every_release() {
        let name = AppName::new("shop").unwrap();
        let fixed = format!("registry.example.com/shop@sha256:{}", "0".repeat(64));
        let known = ImageFacts { port: Some(80), unknown: None, ..ImageFacts::unknown(&fixed, "") };
        let tagged = ImageFacts { unknown: None, ..ImageFacts::unknown("registry.example.com/shop:1", "") };
        let seen = |facts: &ImageFacts| AppObjects { objects: vec![secret(&name, 1, facts)], ..AppObjects::default() };
        let written = |facts: &ImageFacts, version| {
            image_facts_written(&seen(facts), &name, ReleaseVersion(version), &facts.source)
        };
        assert_eq!(written(&known, 1), Some(known.clone()));
        assert_eq!(written(&known, 2), Some(known));
        // A tag may be another image by now, and what was not known is asked for again.
        assert_eq!(written(&tagged, 1), Some(tagged.clone()));
        assert_eq!(written(&tagged, 2), None);
        assert_eq!(written(&ImageFacts::unknown(&fixed, "no answer"), 2), None);
    }

    #[test]
    fn facts_are_read_as_they_were_written() {
        let facts = ImageFacts { port: Some(80), is_non_root: true, ..ImageFacts::unknown("a", "b") };
        let text = serde_json::to_string(&facts).unwrap();
        assert_eq!(serde_json::from_str::<ImageFacts>(&text).unwrap(), facts);
    }
}
