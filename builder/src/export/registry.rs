//! The registry: what is there, what is mounted from elsewhere in it, what is sent.

use std::fmt;
use std::ops::AddAssign;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt;
use futures::stream::BoxStream;
use http::HeaderValue;
use oci_client::client::{Certificate, CertificateEncoding, ClientConfig, ClientProtocol};
use oci_client::errors::OciDistributionError;
use oci_client::manifest::OciDescriptor;
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, RegistryOperation};
use serde_json::Value;
use tokio_util::io::ReaderStream;

use super::layer::Layer;
use crate::Authorities;

pub use oci_client::Reference as Name;
pub use slipway_image::Credentials;

/// How often something is tried that fails for reasons which may pass.
const ATTEMPTS: u32 = 4;
/// How long a registry may be silent.
const READ_TIMEOUT: Duration = Duration::from_mins(2);

/// Why the registry did not do its part.
#[derive(Debug, thiserror::Error)]
#[error("{action} {what} failed: {source}")]
pub struct RegistryError {
    /// What was being done.
    pub action: &'static str,
    /// To what.
    pub what: String,
    /// The cause.
    pub source: Box<OciDistributionError>,
}

impl RegistryError {
    fn new(action: &'static str, what: impl fmt::Display) -> impl FnOnce(OciDistributionError) -> Self {
        let what = what.to_string();
        move |source| Self { action, what, source: Box::new(source) }
    }
}

/// What an image stands on.
#[derive(Debug, Clone)]
pub struct Base {
    /// Its config.
    pub config: Value,
    /// Its layers, lowest first.
    pub layers: Vec<BaseLayer>,
}

/// A layer of a base image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseLayer {
    /// Its digest.
    pub digest: String,
    /// Its bytes.
    pub size: u64,
    /// Its media type.
    pub media_type: String,
}

/// Where the bytes of a blob are.
enum Content {
    File(PathBuf),
    Bytes(Bytes),
    Remote(Name, BaseLayer),
}

/// Something that a repository must have.
pub struct Blob {
    digest: String,
    size: u64,
    content: Content,
}

impl Blob {
    /// A layer that lies on disk.
    #[must_use]
    pub fn file(layer: &Layer) -> Self {
        Self::file_at(layer.digest.clone(), layer.size_bytes, layer.path.clone())
    }

    /// A file whose digest and size are known.
    #[must_use]
    pub fn file_at(digest: String, size: u64, path: PathBuf) -> Self {
        Self { digest, size, content: Content::File(path) }
    }

    /// Bytes.
    #[must_use]
    pub fn bytes(digest: String, bytes: Vec<u8>) -> Self {
        Self { digest, size: bytes.len() as u64, content: Content::Bytes(bytes.into()) }
    }

    /// A layer of the image `from`.
    #[must_use]
    pub fn remote(layer: &BaseLayer, from: &Name) -> Self {
        Self { digest: layer.digest.clone(), size: layer.size, content: Content::Remote(from.clone(), layer.clone()) }
    }
}

/// What an export had to do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Blobs that were there.
    pub present: u32,
    /// Blobs that were mounted from another repository.
    pub mounted: u32,
    /// Blobs that were sent.
    pub uploaded: u32,
    /// Their bytes.
    pub uploaded_bytes: u64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.present += other.present;
        self.mounted += other.mounted;
        self.uploaded += other.uploaded;
        self.uploaded_bytes += other.uploaded_bytes;
    }
}

/// A client for registries. `Debug` shows no password.
#[derive(Clone)]
pub struct Registry {
    client: Client,
    credentials: Credentials,
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").field("credentials", &self.credentials).finish_non_exhaustive()
    }
}

impl Registry {
    /// A client that knows `credentials`, and speaks plain HTTP with the registries in `insecure`.
    #[must_use]
    pub fn new(credentials: Credentials, insecure: Vec<String>) -> Self {
        Self::trusting(credentials, insecure, None)
    }

    /// As [`Registry::new`], trusting `authorities` besides the usual ones.
    #[must_use]
    pub fn trusting(credentials: Credentials, insecure: Vec<String>, authorities: Option<&Authorities>) -> Self {
        let certificate = |one: &str| Certificate { encoding: CertificateEncoding::Pem, data: one.as_bytes().to_vec() };
        let config = ClientConfig {
            protocol: ClientProtocol::HttpsExcept(insecure),
            // One request for a blob, not one for each few megabytes.
            use_monolithic_push: true,
            read_timeout: Some(READ_TIMEOUT),
            connect_timeout: Some(Duration::from_secs(10)),
            extra_root_certificates: authorities.into_iter().flat_map(Authorities::each).map(certificate).collect(),
            ..ClientConfig::default()
        };
        Self { client: Client::new(config), credentials }
    }

    fn auth(&self, name: &Name) -> RegistryAuth {
        self.credentials.auth(name.registry())
    }

    async fn log_in(&self, name: &Name, operation: RegistryOperation) -> Result<(), RegistryError> {
        let auth = self.auth(name);
        attempt(|| self.client.auth(name, &auth, operation))
            .await
            .map(drop)
            .map_err(RegistryError::new("logging in for", name.repository()))
    }

    /// Config and layers of the image `name`, of the kind for this machine when there are several.
    ///
    /// # Errors
    /// [`RegistryError`].
    pub async fn pull_base(&self, name: &Name) -> Result<Base, RegistryError> {
        let auth = self.auth(name);
        let pulled = attempt(|| self.client.pull_manifest_and_config(name, &auth)).await;
        let (manifest, _, config) = pulled.map_err(RegistryError::new("reading the image", name))?;
        let config = serde_json::from_str(&config)
            .map_err(|error| RegistryError::new("reading the config of", name)(error.into()))?;
        let layer = |layer: OciDescriptor| BaseLayer {
            digest: layer.digest,
            size: u64::try_from(layer.size).unwrap_or(0),
            media_type: layer.media_type,
        };
        Ok(Base { config, layers: manifest.layers.into_iter().map(layer).collect() })
    }

    /// Makes sure that `repository` has `blob`: it is there already, or is mounted, or is sent.
    ///
    /// # Errors
    /// [`RegistryError`].
    pub async fn ensure(&self, repository: &Name, blob: &Blob) -> Result<Tally, RegistryError> {
        self.log_in(repository, RegistryOperation::Push).await?;
        let exists = attempt(|| self.client.blob_exists(repository, &blob.digest)).await;
        if exists.map_err(RegistryError::new("looking for", &blob.digest))? {
            return Ok(Tally { present: 1, ..Tally::default() });
        }
        if let Content::Remote(from, _) = &blob.content
            && from.registry() == repository.registry()
            // Some registries do not mount; then the layer is copied.
            && self.client.mount_blob(repository, from, &blob.digest).await.is_ok()
        {
            return Ok(Tally { mounted: 1, ..Tally::default() });
        }
        attempt(|| self.send(repository, blob)).await.map_err(RegistryError::new("sending", &blob.digest))?;
        Ok(Tally { uploaded: 1, uploaded_bytes: blob.size, ..Tally::default() })
    }

    /// The bytes of the manifest of the image `name`, which is OCI's.
    ///
    /// # Errors
    /// [`RegistryError`], also when there is none.
    pub async fn manifest(&self, name: &Name) -> Result<Bytes, RegistryError> {
        let (auth, kinds) = (self.auth(name), [super::image::MANIFEST_TYPE]);
        let pulled = attempt(|| self.client.pull_manifest_raw(name, &auth, &kinds)).await;
        pulled.map(|(bytes, _)| bytes).map_err(RegistryError::new("reading the manifest of", name))
    }

    /// Size and bytes of a blob.
    ///
    /// # Errors
    /// [`RegistryError`], also when there is none.
    pub async fn blob(
        &self,
        repository: &Name,
        digest: &str,
    ) -> Result<(u64, BoxStream<'static, Result<Bytes, std::io::Error>>), RegistryError> {
        self.log_in(repository, RegistryOperation::Pull).await?;
        let failed = || RegistryError::new("reading", digest);
        let found = attempt(|| self.client.pull_blob_stream(repository, digest)).await.map_err(failed())?;
        let no_size = || OciDistributionError::GenericError(Some("the registry does not tell its size".to_owned()));
        let size = found.content_length.ok_or_else(|| failed()(no_size()))?;
        Ok((size, found.stream))
    }

    async fn send(&self, repository: &Name, blob: &Blob) -> Result<(), OciDistributionError> {
        match &blob.content {
            Content::Bytes(bytes) => self.client.push_blob(repository, bytes.clone(), &blob.digest).await.map(drop),
            Content::File(path) => {
                let file = tokio::fs::File::open(path).await?;
                let stream = ReaderStream::with_capacity(file, 256 * 1024).map_err(OciDistributionError::from);
                self.client.push_blob_stream(repository, stream, &blob.digest, Some(blob.size)).await.map(drop)
            }
            Content::Remote(from, layer) => {
                let auth = self.auth(from);
                self.client.store_auth_if_needed(from.registry(), &auth).await;
                let descriptor = OciDescriptor {
                    digest: layer.digest.clone(),
                    media_type: layer.media_type.clone(),
                    size: i64::try_from(layer.size).unwrap_or(i64::MAX),
                    ..OciDescriptor::default()
                };
                let stream = self.client.pull_blob_stream(from, &descriptor).await?;
                let stream = stream.map_err(OciDistributionError::from);
                self.client.push_blob_stream(repository, stream, &blob.digest, Some(blob.size)).await.map(drop)
            }
        }
    }

    /// Puts a manifest under its digest and under `tag`; tells the digest.
    ///
    /// # Errors
    /// [`RegistryError`].
    pub async fn put_manifest(
        &self,
        repository: &Name,
        tag: &str,
        manifest: Vec<u8>,
        media_type: &'static str,
    ) -> Result<String, RegistryError> {
        let digest = super::layer::digest_of(&manifest);
        let name = Name::with_tag(repository.registry().to_owned(), repository.repository().to_owned(), tag.to_owned());
        self.log_in(&name, RegistryOperation::Push).await?;
        let manifest = Bytes::from(manifest);
        let put = || self.client.push_manifest_raw(&name, manifest.clone(), HeaderValue::from_static(media_type));
        attempt(put).await.map_err(RegistryError::new("putting the manifest of", &name))?;
        Ok(digest)
    }
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
                tracing::warn!(%error, number, "the registry does not answer; trying again");
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
