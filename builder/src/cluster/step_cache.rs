//! What the steps of a Dockerfile made, kept in the registry from build to build.
//!
//! The step of a Job that builds a Dockerfile runs the app's code, and has none of the registry's credentials. What it
//! speaks to is this: a registry of one repository, which a token of the build opens for as long as the build lasts.
//! Behind it is the app's repository in the real one ([`slipway_image::step_cache`]).
//!
//! A cache is only ever a help, but the programs that build give up when they cannot keep something. So whatever goes
//! wrong on the way to the registry, they are told that all is well; what cannot be read is not there.
//!
//! Source: OCI distribution specification 1.1, as far as buildah uses it.

use std::collections::HashMap;
use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use bytes::Bytes;
use futures::TryStreamExt;
use http_body_util::{BodyExt, Full, Limited, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, LOCATION};
use hyper::{Method, Request, Response, StatusCode};
use slipway_image::step_cache::Week;
use tempfile::TempPath;
use tokio::io::AsyncWriteExt;
use uuid::Uuid;

use super::listener::Body;
use crate::export::image::MANIFEST_TYPE;
use crate::export::layer::digest_of;
use crate::export::registry::{Blob, Name, Registry, RegistryError};

/// The only repository.
pub(crate) const REPOSITORY: &str = "steps";
/// Largest manifest, in bytes.
const MANIFEST_MAX: usize = 4 * 1024 * 1024;
/// Uploads that are under way at once.
const UPLOADS_MAX: usize = 32;

/// The cache of one app, for one build.
#[derive(Debug)]
pub struct StepCache {
    registry: Registry,
    repository: Name,
    spool: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Bytes that may still be taken.
    left: u64,
    /// What was begun, and what came of it.
    uploads: HashMap<Uuid, Option<TempPath>>,
    /// Why nothing more is kept.
    trouble: Option<String>,
}

impl StepCache {
    /// The cache in `repository`. What is on its way there is in the directory `spool`; no more than `max` bytes are taken.
    #[must_use]
    pub fn new(registry: Registry, repository: Name, spool: PathBuf, max: u64) -> Self {
        let state = State { left: max, uploads: HashMap::new(), trouble: None };
        Self { registry, repository, spool, state: Mutex::new(state) }
    }

    /// Why something was not kept, if it was not.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        self.lock().trouble.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives up keeping anything in this build.
    fn give_up(&self, why: String) {
        tracing::warn!(repository = self.repository.repository(), "the steps of a Dockerfile are not kept: {why}");
        self.lock().trouble.get_or_insert(why);
    }

    /// Answers a request for `what` of the repository.
    pub(crate) async fn answer(&self, what: &str, request: Request<Incoming>) -> Response<Body> {
        let method = request.method().clone();
        let parts: Vec<&str> = what.split('/').collect();
        let is_read = method == Method::GET || method == Method::HEAD;
        match parts.as_slice() {
            ["manifests", key] if is_read && is_key(key) => self.manifest(key, method == Method::GET).await,
            ["manifests", key] if method == Method::PUT && is_key(key) => self.manifest_keep(key, request).await,
            ["blobs", digest] if is_read && is_digest(digest) => self.blob(digest, method == Method::GET).await,
            ["blobs", "uploads", ""] if method == Method::POST => self.upload_begin(),
            ["blobs", "uploads", id] => match (id.parse(), method) {
                (Ok(id), Method::PATCH) => self.upload(id, request.into_body()).await,
                (Ok(id), Method::PUT) => self.upload_end(id, request).await,
                (Ok(id), Method::DELETE) => {
                    self.lock().uploads.remove(&id);
                    status(StatusCode::NO_CONTENT)
                }
                _ => status(StatusCode::NOT_FOUND),
            },
            _ => status(StatusCode::NOT_FOUND),
        }
    }

    fn tagged(&self, week: Week, key: &str) -> Name {
        let (registry, repository) = (self.repository.registry(), self.repository.repository());
        Name::with_tag(registry.to_owned(), repository.to_owned(), week.tag(key))
    }

    async fn manifest(&self, key: &str, is_whole: bool) -> Response<Body> {
        let now = Week::of(SystemTime::now());
        for week in now.kept() {
            let Some(bytes) = self.read(self.registry.manifest(&self.tagged(week, key)).await) else { continue };
            if week != now {
                // It is in use: it begins anew.
                let _ = self.put(key, bytes.to_vec()).await;
            }
            let (digest, size) = (digest_of(&bytes), bytes.len());
            let mut response = status(StatusCode::OK);
            if is_whole {
                *response.body_mut() = whole(bytes);
            }
            let headers = response.headers_mut();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(MANIFEST_TYPE));
            headers.insert(CONTENT_LENGTH, size.into());
            set(&mut response, "docker-content-digest", &digest);
            return response;
        }
        status(StatusCode::NOT_FOUND)
    }

    async fn manifest_keep(&self, key: &str, request: Request<Incoming>) -> Response<Body> {
        let is_known = request.headers().get(CONTENT_TYPE).is_some_and(|kind| kind == MANIFEST_TYPE);
        let Ok(body) = Limited::new(request.into_body(), MANIFEST_MAX).collect().await else {
            return status(StatusCode::PAYLOAD_TOO_LARGE);
        };
        let bytes = body.to_bytes();
        let mut response = status(StatusCode::CREATED);
        set(&mut response, LOCATION.as_str(), &format!("/v2/{REPOSITORY}/manifests/{key}"));
        set(&mut response, "docker-content-digest", &digest_of(&bytes));
        if !is_known {
            self.give_up("the program that builds makes images of another sort than OCI's".to_owned());
        } else if self.trouble().is_none()
            && let Err(error) = self.put(key, bytes.to_vec()).await
        {
            self.give_up(error.to_string());
        }
        response
    }

    async fn put(&self, key: &str, manifest: Vec<u8>) -> Result<String, RegistryError> {
        let tag = Week::of(SystemTime::now()).tag(key);
        self.registry.put_manifest(&self.repository, &tag, manifest, MANIFEST_TYPE).await
    }

    async fn blob(&self, digest: &str, is_whole: bool) -> Response<Body> {
        let Some((size, stream)) = self.read(self.registry.blob(&self.repository, digest).await) else {
            return status(StatusCode::NOT_FOUND);
        };
        let mut response = status(StatusCode::OK);
        if is_whole {
            *response.body_mut() = StreamBody::new(stream.map_ok(Frame::data)).boxed_unsync();
        }
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        headers.insert(CONTENT_LENGTH, size.into());
        response
    }

    /// What was read. A registry that does not answer has nothing.
    fn read<T>(&self, read: Result<T, RegistryError>) -> Option<T> {
        let why =
            |error: RegistryError| tracing::debug!(repository = self.repository.repository(), %error, "not cached");
        read.map_err(why).ok()
    }

    fn upload_begin(&self) -> Response<Body> {
        let mut state = self.lock();
        if state.uploads.len() >= UPLOADS_MAX {
            return status(StatusCode::TOO_MANY_REQUESTS);
        }
        let id = Uuid::new_v4();
        state.uploads.insert(id, None);
        located(id)
    }

    async fn upload(&self, id: Uuid, body: Incoming) -> Response<Body> {
        if !self.lock().uploads.contains_key(&id) {
            return status(StatusCode::NOT_FOUND);
        }
        match self.take(body).await {
            Ok(Some(file)) => {
                self.lock().uploads.insert(id, Some(file));
            }
            Ok(None) => return status(StatusCode::BAD_REQUEST),
            Err(error) => self.give_up(error.to_string()),
        }
        located(id)
    }

    /// Writes `body` to a file; `None` when it broke off. All of it is read, kept or not: who sends it reads no answer before.
    async fn take(&self, mut body: Incoming) -> std::io::Result<Option<TempPath>> {
        let (file, path) = tempfile::Builder::new().prefix("steps-").tempfile_in(&self.spool)?.into_parts();
        let mut file = tokio::fs::File::from_std(file);
        let mut written = Ok(());
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else { return Ok(None) };
            let Ok(data) = frame.into_data() else { continue };
            if written.is_ok() && self.trouble().is_none() {
                written = self.spend(data.len() as u64);
                if written.is_ok() {
                    written = file.write_all(&data).await;
                }
            }
        }
        written?;
        file.flush().await?;
        Ok(Some(path))
    }

    fn spend(&self, bytes: u64) -> std::io::Result<()> {
        let mut state = self.lock();
        let left = state.left.checked_sub(bytes);
        state.left = left.ok_or_else(|| std::io::Error::other("they are larger than a cache may be"))?;
        Ok(())
    }

    async fn upload_end(&self, id: Uuid, request: Request<Incoming>) -> Response<Body> {
        let query = request.uri().query().unwrap_or_default().to_owned();
        let mut pairs = url::form_urlencoded::parse(query.as_bytes());
        let digest = pairs.find(|(name, _)| name == "digest").map(|(_, value)| value.into_owned());
        let Some(digest) = digest.filter(|digest| is_digest(digest)) else { return status(StatusCode::BAD_REQUEST) };
        let Some(sent) = self.lock().uploads.remove(&id) else { return status(StatusCode::NOT_FOUND) };
        if let Some(file) = sent.filter(|_| self.trouble().is_none())
            && let Err(why) = self.send(&digest, &file).await
        {
            self.give_up(why);
        }
        let mut response = status(StatusCode::CREATED);
        set(&mut response, LOCATION.as_str(), &format!("/v2/{REPOSITORY}/blobs/{digest}"));
        response
    }

    async fn send(&self, digest: &str, file: &TempPath) -> Result<(), String> {
        let size = tokio::fs::metadata(file).await.map_err(|error| error.to_string())?.len();
        // The registry checks the digest.
        let blob = Blob::file_at(digest.to_owned(), size, file.to_path_buf());
        self.registry.ensure(&self.repository, &blob).await.map(drop).map_err(|error| error.to_string())
    }
}

/// Whether it is what buildah looks a step up by: hexadecimal digits of a digest.
fn is_key(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

fn is_digest(text: &str) -> bool {
    text.strip_prefix("sha256:").is_some_and(is_key)
}

fn whole(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never: Infallible| match never {}).boxed_unsync()
}

pub(super) fn status(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(whole(Bytes::new()));
    *response.status_mut() = status;
    response
}

/// Where an upload goes on.
fn located(id: Uuid) -> Response<Body> {
    let mut response = status(StatusCode::ACCEPTED);
    set(&mut response, LOCATION.as_str(), &format!("/v2/{REPOSITORY}/blobs/uploads/{id}"));
    response.headers_mut().insert("range", HeaderValue::from_static("0-0"));
    response
}

fn set(response: &mut Response<Body>, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}
