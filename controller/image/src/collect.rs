//! Finds and removes images of apps that no release needs any more.
//!
//! Only what carries a tag of ours is looked at, and an image that is needed under one of its tags stays. A build's
//! image is in the registry a moment before anybody knows of it: what seems to be unneeded is removed only when it has
//! seemed so for a while ([`Aging`]). What steps of Dockerfiles made ([`step_cache`]) goes with the last image of the app, and
//! when no build has used it for some time.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::time::{Duration, SystemTime};

use oci_client::client::{ClientConfig, ClientProtocol};
use oci_client::errors::OciDistributionError;
use oci_client::{Client, Reference, RegistryOperation};
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use crate::credentials::Credentials;
use crate::name::Login;
use crate::step_cache::{self, Week};

/// How the tags of built images begin. Others are not ours to remove.
pub const TAG_PREFIX: &str = "git-";
/// Names that are asked for at once.
const PAGE: usize = 500;
/// Most pages that are read: a registry that gives the same page again and again must not keep us for ever.
const PAGES_MAX: usize = 10_000;
/// How long a registry may be silent.
const TIMEOUT: Duration = Duration::from_secs(30);
/// How often something is tried that fails for reasons which may pass.
const ATTEMPTS: u32 = 3;

/// The registry of built images.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuiltImages {
    /// Host and port as they stand in the names of images.
    pub host: String,
    /// Host and port as they are reached from here.
    pub reached: String,
    /// What stands before the app's name in a repository: `apps`; empty for nothing.
    pub prefix: String,
    /// Whether it speaks plain HTTP.
    pub is_insecure: bool,
    /// User and password for it.
    pub credentials: Credentials,
}

impl BuiltImages {
    /// How to ask for `image` from here, if it is one that is built to this registry: by the address that reaches it, and
    /// with the credentials for it.
    #[must_use]
    pub fn route(&self, image: &str) -> Option<(String, Option<Login>)> {
        let rest = image.strip_prefix(&self.host)?.strip_prefix('/')?;
        let repository = rest.split(['@', ':']).next()?;
        if !self.holds(repository) {
            return None;
        }
        let login = self.credentials.pair(&self.reached).map(|(username, password)| Login {
            hostname: Some(self.reached.clone()),
            username: username.clone(),
            password: password.as_str().into(),
        });
        Some((format!("{}/{rest}", self.reached), login))
    }

    /// Whether a repository is where images of apps go: the prefix and one name.
    fn holds(&self, repository: &str) -> bool {
        let app = match self.prefix.trim_matches('/') {
            "" => Some(repository),
            prefix => repository.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('/')),
        };
        app.is_some_and(|app| !app.is_empty() && !app.contains('/'))
    }
}

/// Why the registry did not do its part.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// It did not answer, or refused.
    #[error("{action} {what} failed")]
    Registry {
        /// What was being done.
        action: &'static str,
        /// To what.
        what: String,
        /// The cause.
        source: Box<OciDistributionError>,
    },
    /// It removes no images: it is set up so, or has no way to.
    #[error("the registry does not allow images to be removed")]
    Refused,
}

/// An image that no release needs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Unneeded {
    /// Its repository, without the registry.
    pub repository: String,
    /// The digest of its manifest.
    pub digest: String,
    /// Its tags, all of them ours.
    pub tags: BTreeSet<String>,
}

impl fmt::Display for Unneeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tags: Vec<&str> = self.tags.iter().map(String::as_str).collect();
        write!(f, "{}@{} ({})", self.repository, self.digest, tags.join(", "))
    }
}

/// What a look at the registry found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Survey {
    /// Images that no release needs.
    pub unneeded: Vec<Unneeded>,
    /// How many images of ours are needed.
    pub needed: usize,
    /// Whether the registry did not tell its repositories: those of destroyed apps were not looked at.
    pub is_partial: bool,
}

/// Since when images have seemed to be unneeded.
#[derive(Debug, Default)]
pub struct Aging(HashMap<Unneeded, Instant>);

impl Aging {
    /// Takes in what was found at `now`, and tells what has been unneeded for `grace`, in each look in between. An
    /// image that got a tag in the meantime was built again, and begins anew.
    pub fn due(&mut self, found: Vec<Unneeded>, now: Instant, grace: Duration) -> Vec<Unneeded> {
        let before = std::mem::take(&mut self.0);
        let since = |image: &Unneeded| before.get(image).copied().unwrap_or(now);
        self.0 = found.into_iter().map(|image| (image.clone(), since(&image))).collect();
        let is_due = |since: Instant| now.saturating_duration_since(since) >= grace;
        let mut due: Vec<Unneeded> =
            self.0.iter().filter(|(_, since)| is_due(**since)).map(|(image, _)| image.clone()).collect();
        due.sort();
        due
    }
}

#[derive(Deserialize)]
struct Tags {
    // A registry says `null` when the last tag is gone.
    tags: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Catalog {
    repositories: Option<Vec<String>>,
}

/// What is needed of a repository.
#[derive(Debug, Default)]
struct Needed {
    digests: BTreeSet<String>,
    tags: BTreeSet<String>,
}

/// Looks through the registry of built images.
pub struct Collector {
    images: BuiltImages,
    client: Client,
    http: reqwest::Client,
}

impl Collector {
    /// For the registry `images`.
    #[must_use]
    pub fn new(images: BuiltImages) -> Self {
        let insecure = if images.is_insecure { vec![images.reached.clone()] } else { Vec::new() };
        let client = Client::new(ClientConfig {
            protocol: ClientProtocol::HttpsExcept(insecure),
            read_timeout: Some(TIMEOUT),
            connect_timeout: Some(TIMEOUT / 3),
            ..ClientConfig::default()
        });
        let http = reqwest::Client::builder().read_timeout(TIMEOUT).connect_timeout(TIMEOUT / 3).build();
        // What can fail is reading the system's certificates; requests then say so.
        Self { images, client, http: http.unwrap_or_default() }
    }

    /// Looks for images that none of `keep` names, which are references with a digest or a tag. Removes nothing.
    ///
    /// Without a prefix only the repositories in `keep` are looked at: others may be anybody's.
    ///
    /// # Errors
    /// [`CollectError`].
    pub async fn survey<'k>(&self, keep: impl IntoIterator<Item = &'k str>) -> Result<Survey, CollectError> {
        let mut needed: BTreeMap<String, Needed> = BTreeMap::new();
        for reference in keep.into_iter().filter_map(|text| text.parse::<Reference>().ok()) {
            let is_there = reference.registry() == self.images.host || reference.registry() == self.images.reached;
            if !is_there || !self.images.holds(reference.repository()) {
                continue;
            }
            let of_app = needed.entry(reference.repository().to_owned()).or_default();
            of_app.digests.extend(reference.digest().map(str::to_owned));
            of_app.tags.extend(reference.tag().map(str::to_owned));
        }
        let mut survey = Survey::default();
        let all = self.repositories().await?;
        survey.is_partial = all.is_none() && !self.prefix().is_empty();
        let steps = all.iter().flatten().filter_map(|name| Some((name, step_cache::images_of(name)?)));
        for (repository, images) in steps.filter(|(_, images)| self.images.holds(images)) {
            self.look_at_steps(repository, needed.contains_key(images), &mut survey).await?;
        }
        if !self.prefix().is_empty() {
            for name in all.into_iter().flatten().filter(|name| self.images.holds(name)) {
                needed.entry(name).or_default();
            }
        }
        for (repository, needed) in needed {
            self.look(&repository, &needed, &mut survey).await?;
        }
        Ok(survey)
    }

    /// Removes an image, under all of its tags. One that is gone is no error.
    ///
    /// # Errors
    /// [`CollectError`].
    pub async fn remove(&self, image: &Unneeded) -> Result<(), CollectError> {
        let path = format!("{}/manifests/{}", image.repository, image.digest);
        let failed = registry_error("removing", &image.digest);
        let name = self.name(&image.repository);
        let answer = match self.ask(&Method::DELETE, &name, &path, RegistryOperation::Push).await {
            Ok(answer) => answer,
            Err(error) => return Err(failed(error)),
        };
        match answer.status() {
            StatusCode::METHOD_NOT_ALLOWED => Err(CollectError::Refused),
            StatusCode::NOT_FOUND => Ok(()),
            _ => answer.error_for_status().map(drop).map_err(|error| failed(error.into())),
        }
    }

    fn prefix(&self) -> &str {
        self.images.prefix.trim_matches('/')
    }

    fn name(&self, repository: &str) -> Reference {
        Reference::with_tag(self.images.reached.clone(), repository.to_owned(), "latest".to_owned())
    }

    async fn look(&self, repository: &str, needed: &Needed, survey: &mut Survey) -> Result<(), CollectError> {
        let tags = self.tags(repository).await?;
        for (digest, tags) in self.images(repository, tags).await? {
            // A tag of somebody else keeps the image, whatever else it is called.
            if !tags.iter().all(|tag| tag.starts_with(TAG_PREFIX)) {
                continue;
            }
            if needed.digests.contains(&digest) || !needed.tags.is_disjoint(&tags) {
                survey.needed += 1;
            } else {
                survey.unneeded.push(Unneeded { repository: repository.to_owned(), digest, tags });
            }
        }
        Ok(())
    }

    /// As [`Self::look`], at what steps of Dockerfiles made, for an app that has images or not.
    async fn look_at_steps(&self, repository: &str, has_images: bool, survey: &mut Survey) -> Result<(), CollectError> {
        let now = Week::of(SystemTime::now());
        let is_over = |tag: &String| Week::of_tag(tag).is_some_and(|used| !has_images || !used.is_kept_in(now));
        let tags = self.tags(repository).await?;
        if !tags.iter().any(is_over) {
            return Ok(());
        }
        for (digest, tags) in self.images(repository, tags).await? {
            // One that was used again has a newer tag besides.
            if tags.iter().all(is_over) {
                survey.unneeded.push(Unneeded { repository: repository.to_owned(), digest, tags });
            }
        }
        Ok(())
    }

    async fn tags(&self, repository: &str) -> Result<Vec<String>, CollectError> {
        let path = format!("{repository}/tags/list");
        Ok(self.pages(&self.name(repository), &path, |page: Tags| page.tags).await?.unwrap_or_default())
    }

    /// The images of a repository: digests, and the tags of each.
    async fn images(
        &self,
        repository: &str,
        tags: Vec<String>,
    ) -> Result<BTreeMap<String, BTreeSet<String>>, CollectError> {
        let mut images: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for tag in tags {
            let tagged = Reference::with_tag(self.images.reached.clone(), repository.to_owned(), tag.clone());
            let auth = self.images.credentials.auth(&self.images.reached);
            let digest = match attempt(|| self.client.fetch_manifest_digest(&tagged, &auth)).await {
                Ok(digest) => digest,
                // Removed in the meantime, or a tag whose image was.
                Err(error) if is_missing(&error) => continue,
                Err(error) => return Err(registry_error("reading the digest of", &tagged.whole())(error)),
            };
            images.entry(digest).or_default().insert(tag);
        }
        Ok(images)
    }

    /// All repositories; `None` when the registry does not tell.
    async fn repositories(&self) -> Result<Option<Vec<String>>, CollectError> {
        self.pages(&self.name(self.prefix()), "_catalog", |page: Catalog| page.repositories).await
    }

    /// Reads a list page by page; `None` when it is not there, or not for us.
    async fn pages<P: DeserializeOwned>(
        &self,
        name: &Reference,
        path: &str,
        entries: impl Fn(P) -> Option<Vec<String>>,
    ) -> Result<Option<Vec<String>>, CollectError> {
        let mut all: Vec<String> = Vec::new();
        for _ in 0..PAGES_MAX {
            let mut asked = format!("{path}?n={PAGE}");
            if let Some(last) = all.last() {
                // Names of repositories and tags hold nothing that an address would have to escape but slashes.
                asked = format!("{asked}&last={}", last.replace('/', "%2F"));
            }
            let failed = registry_error("reading", path);
            let answer = match self.ask(&Method::GET, name, &asked, RegistryOperation::Pull).await {
                Ok(answer) => answer,
                Err(error) if is_forbidden(&error) => return Ok(None),
                Err(error) => return Err(failed(error)),
            };
            if matches!(answer.status().as_u16(), 401 | 403 | 404 | 405) {
                return Ok(None);
            }
            let page = match answer.error_for_status() {
                Ok(answer) => answer.json::<P>().await.map_err(|error| failed(error.into()))?,
                Err(error) => return Err(failed(error.into())),
            };
            let page = entries(page).unwrap_or_default();
            let is_last = page.len() < PAGE || page.last() == all.last();
            all.extend(page);
            if is_last {
                break;
            }
        }
        Ok(Some(all))
    }

    async fn ask(
        &self,
        method: &Method,
        name: &Reference,
        path: &str,
        operation: RegistryOperation,
    ) -> Result<reqwest::Response, OciDistributionError> {
        let auth = self.images.credentials.auth(&self.images.reached);
        let token = attempt(|| self.client.auth(name, &auth, operation)).await?;
        let scheme = if self.images.is_insecure { "http" } else { "https" };
        let url = format!("{scheme}://{}/v2/{path}", name.resolve_registry());
        attempt(|| async {
            let mut request = self.http.request(method.clone(), url.as_str());
            if let Some(token) = &token {
                request = request.bearer_auth(token);
            } else if let Some((user, password)) = self.images.credentials.pair(&self.images.reached) {
                request = request.basic_auth(user, Some(password));
            }
            Ok(request.send().await?)
        })
        .await
    }
}

fn registry_error(action: &'static str, what: &str) -> impl FnOnce(OciDistributionError) -> CollectError {
    let what = what.to_owned();
    move |source| CollectError::Registry { action, what, source: Box::new(source) }
}

fn is_missing(error: &OciDistributionError) -> bool {
    match error {
        OciDistributionError::ImageManifestNotFoundError(_) | OciDistributionError::ServerError { code: 404, .. } => {
            true
        }
        OciDistributionError::RegistryError { envelope, .. } => {
            use oci_client::errors::OciErrorCode::{ManifestUnknown, NameUnknown, NotFound};
            envelope.errors.iter().any(|error| matches!(error.code, ManifestUnknown | NameUnknown | NotFound))
        }
        _ => false,
    }
}

fn is_forbidden(error: &OciDistributionError) -> bool {
    matches!(
        error,
        OciDistributionError::UnauthorizedError { .. }
            | OciDistributionError::AuthenticationFailure(_)
            | OciDistributionError::ServerError { code: 401 | 403, .. }
    )
}

/// Tries again, after growing pauses, what may succeed later.
async fn attempt<T, F>(mut work: impl FnMut() -> F) -> Result<T, OciDistributionError>
where
    F: Future<Output = Result<T, OciDistributionError>>,
{
    let mut number = 1;
    loop {
        match work().await {
            Err(error) if number < ATTEMPTS && is_passing(&error) => {
                tokio::time::sleep(Duration::from_millis(250) * 4u32.pow(number - 1)).await;
                number += 1;
            }
            other => return other,
        }
    }
}

fn is_passing(error: &OciDistributionError) -> bool {
    match error {
        OciDistributionError::ServerError { code, .. } => *code >= 500,
        OciDistributionError::RequestError(error) => error.status().is_none_or(|status| status.is_server_error()),
        OciDistributionError::IoError(_) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(digest: &str, tags: &[&str]) -> Unneeded {
        let tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
        Unneeded { repository: "apps/shop".to_owned(), digest: digest.to_owned(), tags }
    }

    #[test]
    fn built_images_are_asked_for_where_they_are_reached() {
        let images = BuiltImages {
            host: "127.0.0.1:5000".to_owned(),
            reached: "registry:5000".to_owned(),
            prefix: "apps".to_owned(),
            is_insecure: true,
            credentials: Credentials::one("registry:5000", "bob", "s3cret"),
        };
        let (name, login) = images.route("127.0.0.1:5000/apps/shop@sha256:00").unwrap();
        assert_eq!((name.as_str(), login.unwrap().username.as_str()), ("registry:5000/apps/shop@sha256:00", "bob"));
        assert_eq!(images.route("127.0.0.1:5000/apps/shop:git-1").unwrap().0, "registry:5000/apps/shop:git-1");
        // Others' images are theirs to get, with their own credentials.
        for other in
            ["127.0.0.1:5000/base/shop:1", "127.0.0.1:5000/apps/a/b:1", "127.0.0.1:50001/apps/shop", "apps/shop"]
        {
            assert!(images.route(other).is_none(), "{other}");
        }
    }

    #[test]
    fn an_image_is_due_when_it_was_unneeded_in_every_look_for_long_enough() {
        let (start, hour) = (Instant::now(), Duration::from_hours(1));
        let (old, rebuilt, used) = (image("a", &["git-1"]), image("b", &["git-2"]), image("c", &["git-3"]));
        let mut aging = Aging::default();
        assert!(aging.due(vec![old.clone(), rebuilt.clone(), used.clone()], start, hour).is_empty());
        // One was released, another got a tag.
        let tagged = image("b", &["git-2", "git-9"]);
        assert!(aging.due(vec![old.clone(), tagged.clone()], start + hour / 2, hour).is_empty());
        assert_eq!(aging.due(vec![old.clone(), tagged.clone(), used.clone()], start + hour, hour), [old]);
        assert_eq!(aging.due(vec![tagged.clone(), used.clone()], start + hour * 2, hour), [tagged, used]);
        assert_eq!(Aging::default().due(vec![rebuilt.clone()], start, Duration::ZERO), [rebuilt]);
    }
}
