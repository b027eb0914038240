//! Fetching from a registry.

use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt, stream};
use oci_client::client::{Client, ClientConfig, ClientProtocol};
use oci_client::errors::OciDistributionError;
use oci_client::manifest::{OciDescriptor, OciImageManifest};
use oci_client::secrets::RegistryAuth;
use oci_client::{Reference, manifest};
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};
use slipway_cause::chain;
use slipway_egress::{Proxy, is_private_only};
use tokio::io::AsyncWriteExt;

use crate::client::{Asker, Clients, Kept};
use crate::name::{Login, host_port, is_for, is_loopback, reference};
use crate::refusal::refusal;
use crate::setup::ImageSetup;
use crate::store::{ImageDigest, ImageStore};
use crate::unpack::{Layers, UnpackError, UnpackLimits};

/// Largest configuration that is read, in bytes.
const CONFIG_MAX: u64 = 4 * 1024 * 1024;
/// Most layers of an image; the runtimes stop at 127.
pub(crate) const LAYERS_MAX: usize = 128;
/// Layers fetched at a time.
const PARALLEL: usize = 3;
/// How long connecting to a registry may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a registry may be silent.
const READ_TIMEOUT: Duration = Duration::from_mins(1);

/// How images are fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchSettings {
    /// Whether registries at loopback, link-local and private addresses may be asked. Default false, since users name
    /// the registry.
    pub allow_private: bool,
    /// Registries (`HOST` or `HOST:PORT`) that may be asked wherever they are, since the operator names them. Default
    /// none.
    pub trusted: Vec<String>,
    /// Trusted registries that speak plain HTTP. Those on loopback always may. Default none.
    pub insecure: Vec<String>,
    /// Most bytes of one image as they come over the wire. Default 4 GiB.
    pub bytes_max: u64,
    /// What an image may hold.
    pub unpack: UnpackLimits,
}

impl Default for FetchSettings {
    fn default() -> Self {
        Self {
            allow_private: false,
            trusted: Vec::new(),
            insecure: Vec::new(),
            bytes_max: 4 << 30,
            unpack: UnpackLimits::default(),
        }
    }
}

/// Why an image was not fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// It never works as it stands: unknown, forbidden, not for this machine. The text is for the user.
    #[error("{0}")]
    Rejected(String),
    /// The registry or the disk is away.
    #[error("{public}")]
    Unavailable {
        /// For the user.
        public: String,
        /// For the log.
        context: String,
    },
}

/// Fetches images. Cheap to clone; clones share what they keep of earlier questions.
#[derive(Debug, Clone, Default)]
pub struct Fetcher {
    settings: FetchSettings,
    clients: Arc<Clients>,
}

/// One fetch.
struct Session {
    kept: Arc<Kept>,
    reference: Reference,
    auth: RegistryAuth,
}

impl Fetcher {
    /// With these settings.
    #[must_use]
    pub fn new(settings: FetchSettings) -> Self {
        Self { settings, clients: Arc::default() }
    }

    /// Checks that `image` can be an image's name.
    ///
    /// # Errors
    /// `Rejected` with the reason.
    pub fn check(image: &str) -> Result<(), FetchError> {
        reference(image).map(drop)
    }

    /// The digest that `image` stands for now, for Linux on this machine's processor.
    ///
    /// # Errors
    /// [`FetchError`].
    pub async fn resolve(&self, image: &str, login: Option<&Login>) -> Result<ImageDigest, FetchError> {
        let session = self.session(image, login).await?;
        let found = session.client().pull_image_manifest(&session.reference, &session.auth).await;
        let (_, digest) = self.found(&session, image, found).await?;
        digest_parse(image, &digest)
    }

    /// What is known of `image` without fetching it: the digest under which all its platforms are, and how it is run.
    ///
    /// # Errors
    /// [`FetchError`].
    pub async fn inspect(&self, image: &str, login: Option<&Login>) -> Result<(ImageDigest, ImageSetup), FetchError> {
        let session = self.session(image, login).await?;
        let found = session.client().pull_image_manifest_and_list_digest(&session.reference, &session.auth).await;
        let (manifest, digest, list) = self.found(&session, image, found).await?;
        self.check_sizes(image, &manifest)?;
        let opened = session.client().pull_blob_stream(&session.reference, &manifest.config).await;
        let mut chunks = opened.map_err(|error| refusal(image, &error))?.stream;
        let mut json = Vec::new();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|error| FetchError::Unavailable {
                public: format!("the registry broke off while describing '{image}'"),
                context: chain(&error),
            })?;
            json.extend_from_slice(&chunk);
            if json.len() as u64 > CONFIG_MAX {
                return Err(FetchError::Rejected(format!(
                    "'{image}' has a configuration of more than {CONFIG_MAX} bytes"
                )));
            }
        }
        let setup = ImageSetup::parse(&String::from_utf8_lossy(&json));
        let setup = setup.map_err(|reason| FetchError::Rejected(format!("'{image}' cannot run here: {reason}")))?;
        Ok((digest_parse(image, &list.unwrap_or(digest))?, setup))
    }

    /// Fetches `image`, of which the manifest has the digest `digest`, into `store`. `tell` gets a line now and then.
    /// What is there already is not fetched again.
    ///
    /// # Errors
    /// [`FetchError`]; nothing is stored then.
    pub async fn fetch(
        &self,
        store: &ImageStore,
        image: &str,
        digest: &ImageDigest,
        login: Option<&Login>,
        tell: impl Fn(String) + Send + Sync,
    ) -> Result<(), FetchError> {
        let (opened, wanted) = (store.clone(), digest.clone());
        if blocking(move || opened.touch(&wanted)).await? {
            return Ok(());
        }
        let session = self.session(image, login).await?;
        let pinned = session.reference.clone_with_digest(digest.with_algorithm());
        let accepted = [manifest::OCI_IMAGE_MEDIA_TYPE, manifest::IMAGE_MANIFEST_MEDIA_TYPE];
        let pulled = session.client().pull_manifest_raw(&pinned, &session.auth, &accepted).await;
        let (json, _) = self.found(&session, image, pulled).await?;
        if hex::encode(Sha256::digest(&json)) != digest.to_string() {
            return Err(FetchError::Rejected(format!(
                "the registry's answer for '{image}' does not have the digest {digest}"
            )));
        }
        let parsed = serde_json::from_slice::<OciImageManifest>(&json);
        let parsed = parsed.map_err(|error| FetchError::Rejected(format!("the manifest of '{image}': {error}")))?;
        self.check_sizes(image, &parsed)?;

        let opened = store.clone();
        let scratch = blocking(move || opened.scratch()).await?;
        let config = scratch.path().join("config");
        session.download(&pinned, image, &parsed.config, &config).await?;
        let bytes: u64 = parsed.layers.iter().map(|layer| u64::try_from(layer.size).unwrap_or(0)).sum();
        tell(format!("Fetching {image} ({} layers, {})", parsed.layers.len(), size(bytes)));
        let paths: Vec<PathBuf> =
            (0..parsed.layers.len()).map(|number| scratch.path().join(format!("layer-{number}"))).collect();
        stream::iter(parsed.layers.iter().zip(&paths).map(Ok))
            .try_for_each_concurrent(PARALLEL, |(layer, path)| {
                let (session, pinned, tell) = (&session, &pinned, &tell);
                async move {
                    session.download(pinned, image, layer, path).await?;
                    tell(format!(
                        "Fetched layer {} ({})",
                        short(&layer.digest),
                        size(u64::try_from(layer.size).unwrap_or(0))
                    ));
                    Ok::<(), FetchError>(())
                }
            })
            .await?;
        tell("Unpacking".to_owned());
        let (opened, wanted, limits, name) = (store.clone(), digest.clone(), self.settings.unpack, image.to_owned());
        let unpacked = tokio::task::spawn_blocking(move || {
            let json = fs::read_to_string(&config).map_err(disk)?;
            let setup = ImageSetup::parse(&json)
                .map_err(|reason| FetchError::Rejected(format!("'{name}' cannot run here: {reason}")))?;
            let rootfs = scratch.path().join("rootfs");
            fs::create_dir(&rootfs).map_err(disk)?;
            let mut tree = Layers::new(&rootfs, limits).map_err(disk)?;
            for path in &paths {
                layer_apply(&mut tree, path).map_err(|error| match error {
                    UnpackError::Refused(reason) => {
                        FetchError::Rejected(format!("'{name}' cannot be unpacked: {reason}"))
                    }
                    UnpackError::Io { path, source } => match source.kind() {
                        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidInput => {
                            FetchError::Rejected(format!("'{name}' cannot be unpacked: {path}: {source}"))
                        }
                        _ => disk(source),
                    },
                })?;
                fs::remove_file(path).map_err(disk)?;
            }
            opened.put(&wanted, &setup, &rootfs).map_err(|error| disk(io::Error::other(error)))
        });
        unpacked.await.map_err(|error| disk(io::Error::other(error)))?
    }

    fn check_sizes(&self, image: &str, manifest: &OciImageManifest) -> Result<(), FetchError> {
        let too = |what: String| FetchError::Rejected(format!("'{image}' {what}"));
        if manifest.layers.len() > LAYERS_MAX {
            return Err(too(format!("has more than {LAYERS_MAX} layers")));
        }
        if u64::try_from(manifest.config.size).map_or(true, |size| size > CONFIG_MAX) {
            return Err(too(format!("has a configuration of more than {CONFIG_MAX} bytes")));
        }
        let sizes = manifest.layers.iter().map(|layer| u64::try_from(layer.size));
        let sum = sizes.map(Result::ok).try_fold(0_u64, |sum, size| sum.checked_add(size?));
        if sum.is_none_or(|sum| sum > self.settings.bytes_max) {
            return Err(too(format!("is larger than {}", size(self.settings.bytes_max))));
        }
        Ok(())
    }

    async fn session(&self, image: &str, login: Option<&Login>) -> Result<Session, FetchError> {
        let reference = reference(image)?;
        let registry = reference.resolve_registry().to_owned();
        let (host, port) = host_port(&registry);
        let settings = &self.settings;
        let is_trusted = settings.allow_private
            || settings.trusted.iter().chain(&settings.insecure).any(|trusted| *trusted == registry);
        if !is_trusted && is_private_only(host, port).await {
            return Err(FetchError::Rejected(format!(
                "the registry {registry} is at a private address, which may not be asked here (the operator can allow it with SLIPWAY_TRUSTED_REGISTRIES={registry}, or SLIPWAY_ALLOW_PRIVATE_ADDRESSES=1)"
            )));
        }
        let login = login.filter(|login| is_for(login, &reference));
        let make = async || {
            let proxy = if is_trusted { None } else { Some(Proxy::start(false).await?) };
            let mut plain = settings.insecure.clone();
            if is_loopback(host) {
                plain.push(registry.clone());
            }
            let config = ClientConfig {
                protocol: ClientProtocol::HttpsExcept(plain),
                https_proxy: proxy.as_ref().map(Proxy::url),
                http_proxy: proxy.as_ref().map(Proxy::url),
                connect_timeout: Some(CONNECT_TIMEOUT),
                read_timeout: Some(READ_TIMEOUT),
                user_agent: concat!("slipway/", env!("CARGO_PKG_VERSION")),
                ..ClientConfig::default()
            };
            // `Client::new` would go on without the proxy when it cannot have it.
            Ok(Kept { client: Client::try_from(config)?, _proxy: proxy })
        };
        let kept = self.clients.get(Asker::new(&registry, is_trusted, login), make).await;
        let kept = kept.map_err(|error| FetchError::Unavailable {
            public: "no connection to registries can be made".to_owned(),
            context: chain(&error),
        })?;
        let auth = match login {
            Some(login) => RegistryAuth::Basic(login.username.clone(), login.password.expose_secret().to_owned()),
            None => RegistryAuth::Anonymous,
        };
        Ok(Session { kept, reference, auth })
    }

    /// What was asked for, or what an error in finding it means to the user.
    async fn found<T>(
        &self,
        session: &Session,
        image: &str,
        found: Result<T, OciDistributionError>,
    ) -> Result<T, FetchError> {
        let error = match found {
            Ok(found) => return Ok(found),
            // Said when no image of a list is for Linux on this machine's processor, and of nothing else.
            Err(OciDistributionError::ImageManifestNotFoundError(_)) => {
                let arch = std::env::consts::ARCH;
                return Err(FetchError::Rejected(format!(
                    "'{image}' is not made for Linux on this machine's processor ({arch})"
                )));
            }
            Err(error) => refusal(image, &error),
        };
        if matches!(error, FetchError::Rejected(_)) {
            // A token may have been given that is for nothing, and would be used until it expires.
            self.clients.forget(&session.kept).await;
        }
        Err(error)
    }
}

impl Session {
    fn client(&self) -> &Client {
        &self.kept.client
    }

    /// Copies a blob to a new file; the stream checks its digest.
    async fn download(
        &self,
        pinned: &Reference,
        image: &str,
        blob: &OciDescriptor,
        path: &Path,
    ) -> Result<(), FetchError> {
        let expected = u64::try_from(blob.size).unwrap_or(0);
        let mut file = tokio::fs::File::create_new(path).await.map_err(disk)?;
        let opened = self.client().pull_blob_stream(pinned, blob).await.map_err(|error| refusal(image, &error))?;
        let mut chunks = opened.stream;
        let mut read = 0_u64;
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|error| FetchError::Unavailable {
                public: format!("the registry broke off while sending '{image}'"),
                context: chain(&error),
            })?;
            read += chunk.len() as u64;
            if read > expected {
                return Err(FetchError::Rejected(format!("a layer of '{image}' is larger than its manifest says")));
            }
            file.write_all(&chunk).await.map_err(disk)?;
        }
        if read < expected {
            return Err(FetchError::Rejected(format!("a layer of '{image}' is smaller than its manifest says")));
        }
        file.flush().await.map_err(disk)
    }
}

fn digest_parse(image: &str, digest: &str) -> Result<ImageDigest, FetchError> {
    digest.parse().map_err(|_| FetchError::Rejected(format!("'{image}' has the digest '{digest}', not one of SHA-256")))
}

/// Applies a fetched layer. How it is compressed is read off its first bytes.
pub(crate) fn layer_apply(tree: &mut Layers, path: &Path) -> Result<(), UnpackError> {
    let io = |source| UnpackError::Io { path: "a layer".to_owned(), source };
    let mut file = File::open(path).map_err(io)?;
    let mut magic = [0; 4];
    let read = file.read(&mut magic).map_err(io)?;
    file.rewind().map_err(io)?;
    let reader = BufReader::with_capacity(256 * 1024, file);
    match &magic[..read] {
        [0x1f, 0x8b, ..] => tree.apply(flate2::bufread::MultiGzDecoder::new(reader)),
        [0x28, 0xb5, 0x2f, 0xfd] => tree.apply(zstd::stream::read::Decoder::with_buffer(reader).map_err(io)?),
        _ => tree.apply(reader),
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, crate::store::StoreError> + Send + 'static,
) -> Result<T, FetchError> {
    let done = tokio::task::spawn_blocking(work).await.map_err(|error| disk(io::Error::other(error)))?;
    done.map_err(|error| FetchError::Unavailable {
        public: "images cannot be stored".to_owned(),
        context: chain(&error),
    })
}

#[expect(clippy::needless_pass_by_value, reason = "handed to map_err")]
fn disk(error: io::Error) -> FetchError {
    let public = if error.kind() == io::ErrorKind::StorageFull {
        "the platform's disk is full".to_owned()
    } else {
        "images cannot be stored".to_owned()
    };
    FetchError::Unavailable { public, context: chain(&error) }
}

fn short(digest: &str) -> &str {
    let hex = digest.split_once(':').map_or(digest, |(_, hex)| hex);
    hex.get(..12).unwrap_or(hex)
}

fn size(bytes: u64) -> String {
    if bytes < 1024 * 1024 { format!("{} KiB", bytes.div_ceil(1024)) } else { format!("{} MiB", bytes >> 20) }
}
