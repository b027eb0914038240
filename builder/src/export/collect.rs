//! Removes images of apps that no release needs any more.
//!
//! Only what carries a tag of ours is looked at, and an image that is still needed under one of its tags stays.

use std::collections::{BTreeMap, BTreeSet};

use oci_client::RegistryOperation;
use oci_client::errors::OciDistributionError;
use reqwest::{Method, StatusCode};
use serde::Deserialize;

use super::registry::{Name, Registry, RegistryError, attempt};

/// How the tags of built images begin. Others are not ours to remove.
pub const TAG_PREFIX: &str = "git-";
/// Tags that are asked for at once.
const PAGE: usize = 500;

/// What a collection did to a repository.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Collected {
    /// Digests of the images that were removed.
    pub removed: Vec<String>,
    /// How many images of ours stay.
    pub kept: usize,
    /// Whether the registry refuses to delete at all; then nothing was removed.
    pub is_refused: bool,
}

#[derive(Deserialize)]
struct Tags {
    // A registry says `null` when the last tag is gone.
    tags: Option<Vec<String>>,
}

impl Registry {
    /// Removes from `repository` the images with a tag of ours whose digest is not in `keep`. With `is_trial` nothing
    /// is removed, only told. A repository that is not there has no images.
    ///
    /// # Errors
    /// [`RegistryError`]; what was removed before stays removed.
    pub async fn collect(
        &self,
        repository: &Name,
        keep: &BTreeSet<String>,
        is_trial: bool,
    ) -> Result<Collected, RegistryError> {
        let mut digests: BTreeMap<String, bool> = BTreeMap::new();
        for tag in self.tags(repository).await? {
            let (registry, name) = (repository.registry().to_owned(), repository.repository().to_owned());
            let tagged = Name::with_tag(registry, name, tag.clone());
            let auth = self.auth(&tagged);
            let digest = attempt(|| self.client().fetch_manifest_digest(&tagged, &auth)).await;
            let digest = match digest {
                Ok(digest) => digest,
                // Removed in the meantime, or a tag whose image was.
                Err(OciDistributionError::ImageManifestNotFoundError(_)) => continue,
                Err(error) => return Err(RegistryError::new("reading the digest of", &tagged)(error)),
            };
            // A tag of somebody else keeps the image, whatever else it is called.
            *digests.entry(digest).or_insert(true) &= tag.starts_with(TAG_PREFIX);
        }
        let mut collected = Collected::default();
        for (digest, is_ours) in digests {
            if !is_ours || keep.contains(&digest) {
                collected.kept += usize::from(is_ours);
                continue;
            }
            if !is_trial && !self.delete(repository, &digest).await? {
                collected.is_refused = true;
                return Ok(collected);
            }
            collected.removed.push(digest);
        }
        Ok(collected)
    }

    async fn tags(&self, repository: &Name) -> Result<Vec<String>, RegistryError> {
        let mut all: Vec<String> = Vec::new();
        loop {
            let mut path = format!("tags/list?n={PAGE}");
            if let Some(last) = all.last() {
                // A tag holds nothing that an address would have to escape.
                path = format!("{path}&last={last}");
            }
            let answer = self.ask(&Method::GET, repository, &path, RegistryOperation::Pull).await;
            let failed = RegistryError::new("listing the tags of", repository.repository());
            let page = match answer {
                Ok(answer) if answer.status() == StatusCode::NOT_FOUND => return Ok(all),
                Ok(answer) => match answer.error_for_status() {
                    Ok(answer) => answer.json::<Tags>().await.map_err(|error| failed(error.into()))?,
                    Err(error) => return Err(failed(error.into())),
                },
                Err(error) => return Err(failed(error)),
            };
            let page: Vec<String> = page.tags.unwrap_or_default();
            let is_last = page.len() < PAGE;
            all.extend(page);
            if is_last {
                return Ok(all);
            }
        }
    }

    /// Whether the image is gone; `false` when the registry does not delete.
    async fn delete(&self, repository: &Name, digest: &str) -> Result<bool, RegistryError> {
        let path = format!("manifests/{digest}");
        let failed = RegistryError::new("removing", digest);
        let answer = match self.ask(&Method::DELETE, repository, &path, RegistryOperation::Push).await {
            Ok(answer) => answer,
            Err(error) => return Err(failed(error)),
        };
        match answer.status() {
            StatusCode::METHOD_NOT_ALLOWED => Ok(false),
            StatusCode::NOT_FOUND => Ok(true),
            _ => answer.error_for_status().map(|_| true).map_err(|error| failed(error.into())),
        }
    }

    async fn ask(
        &self,
        method: &Method,
        repository: &Name,
        path: &str,
        operation: RegistryOperation,
    ) -> Result<reqwest::Response, OciDistributionError> {
        let auth = self.auth(repository);
        let token = attempt(|| self.client().auth(repository, &auth, operation)).await?;
        let url = format!("{}/v2/{}/{path}", self.origin(repository), repository.repository());
        attempt(|| async {
            let mut request = self.http().request(method.clone(), url.as_str());
            if let Some(token) = &token {
                request = request.bearer_auth(token);
            } else if let Some((user, password)) = self.pair(repository) {
                request = request.basic_auth(user, Some(password));
            }
            Ok(request.send().await?)
        })
        .await
    }
}
