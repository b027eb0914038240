//! A registry in this process, for tests.

use std::collections::{BTreeSet, HashMap};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use bytes::Bytes;
use http_body_util::Full;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, body::Incoming};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// A file of a test image: path, mode, contents.
pub type TestFile<'a> = (&'a str, u32, &'a [u8]);

/// A registry on loopback that holds what a test puts into it. It ends when dropped.
#[derive(Debug)]
pub struct TestRegistry {
    addr: SocketAddr,
    held: Arc<Mutex<Held>>,
    _serving: JoinSet<()>,
}

#[derive(Debug, Default)]
struct Held {
    /// By path.
    files: HashMap<String, (String, Bytes)>,
    asked: Vec<String>,
    /// `Authorization` that is wanted.
    wanted: Option<String>,
    /// Whether manifests can be removed.
    is_deleting: bool,
    /// Whether the names of all repositories are told.
    is_listing: bool,
}

fn lock(held: &Mutex<Held>) -> MutexGuard<'_, Held> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The digest of `bytes` as registries write it.
pub fn digest_of(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

/// A layer with these files.
///
/// # Panics
/// When a path cannot be in an archive.
#[expect(clippy::expect_used, reason = "it makes tests, which may fail")]
pub fn layer(files: &[TestFile<'_>]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, mode, data) in files {
        let mut header = tar::Header::new_gnu();
        header.set_mode(*mode);
        header.set_size(data.len() as u64);
        header.set_uid(rustix::process::geteuid().as_raw().into());
        header.set_gid(rustix::process::getegid().as_raw().into());
        builder.append_data(&mut header, path, *data).expect("a path for an archive");
    }
    builder.into_inner().expect("an archive in memory")
}

/// The layers of an image with a shell and a web server, and `text` as `/srv/index.html`.
///
/// # Panics
/// Without `busybox` on this machine.
#[expect(clippy::expect_used, reason = "it makes tests, which may fail")]
pub fn busybox_layers(text: &str) -> Vec<Vec<u8>> {
    let program = ["/usr/bin/busybox", "/bin/busybox"].iter().find_map(|path| std::fs::read(path).ok());
    let program = program.expect("busybox: install the package busybox-static");
    let base = layer(&[
        ("bin/busybox", 0o755, &program),
        ("etc/passwd", 0o644, b"root:x:0:0:root:/root:/bin/sh\napp:x:1234:1234::/home/app:/bin/sh\n"),
    ]);
    // The programs are one under several names.
    let mut linked = tar::Builder::new(Vec::new());
    for name in ["sh", "id", "cat", "sleep", "env", "true", "false"] {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_size(0);
        header.set_mode(0o777);
        linked.append_link(&mut header, format!("bin/{name}"), "busybox").expect("a path for an archive");
    }
    let linked = linked.into_inner().expect("an archive in memory");
    vec![base, linked, layer(&[("srv/index.html", 0o644, text.as_bytes())])]
}

impl TestRegistry {
    /// Starts an empty one.
    ///
    /// # Panics
    /// Without a free port.
    #[expect(clippy::expect_used, reason = "it makes tests, which may fail")]
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let addr = listener.local_addr().expect("its address");
        let held = Arc::new(Mutex::new(Held::default()));
        let mut serving = JoinSet::new();
        serving.spawn(serve(listener, Arc::clone(&held)));
        Self { addr, held, _serving: serving }
    }

    /// `HOST:PORT`, as in front of an image's name.
    #[must_use]
    pub fn host(&self) -> String {
        self.addr.to_string()
    }

    /// From now on only this user gets anything.
    pub fn protect(&self, username: &str, password: &str) {
        let pair = base64::engine::general_purpose::STANDARD.encode(format!("{username}:{password}"));
        lock(&self.held).wanted = Some(format!("Basic {pair}"));
    }

    /// From now on images can be removed and the names of repositories are told, or not.
    pub fn allow(&self, is_deleting: bool, is_listing: bool) {
        let mut held = lock(&self.held);
        (held.is_deleting, held.is_listing) = (is_deleting, is_listing);
    }

    /// Whether there is a manifest under this tag or digest.
    #[must_use]
    pub fn has(&self, name: &str, reference: &str) -> bool {
        lock(&self.held).files.contains_key(&format!("/v2/{name}/manifests/{reference}"))
    }

    /// The paths that were asked for, in order.
    #[must_use]
    pub fn asked(&self) -> Vec<String> {
        lock(&self.held).asked.clone()
    }

    /// Puts `bytes` as a blob of `name`; gives its descriptor.
    pub fn blob(&self, name: &str, media_type: &str, bytes: &[u8]) -> Value {
        let digest = digest_of(bytes);
        let held = ("application/octet-stream".to_owned(), Bytes::copy_from_slice(bytes));
        lock(&self.held).files.insert(format!("/v2/{name}/blobs/{digest}"), held);
        json!({"mediaType": media_type, "digest": digest, "size": bytes.len()})
    }

    /// Puts `manifest` under `tag` and its digest, which is given back.
    pub fn manifest(&self, name: &str, tag: &str, media_type: &str, manifest: &Value) -> String {
        let bytes = Bytes::from(manifest.to_string());
        let digest = digest_of(&bytes);
        let mut held = lock(&self.held);
        for reference in [tag, &digest] {
            held.files.insert(format!("/v2/{name}/manifests/{reference}"), (media_type.to_owned(), bytes.clone()));
        }
        digest
    }

    /// Puts an image of these layers (as they go over the wire) with this `config` (`Cmd`, `Env` …) under `name:tag`.
    /// Gives the digest of its manifest.
    pub fn image(&self, name: &str, tag: &str, layers: &[Vec<u8>], config: &Value) -> String {
        const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
        let file = json!({
            "architecture": "amd64", "os": "linux", "config": config,
            "rootfs": {"type": "layers", "diff_ids": layers.iter().map(|layer| digest_of(layer)).collect::<Vec<_>>()},
        });
        let config = self.blob(name, "application/vnd.oci.image.config.v1+json", file.to_string().as_bytes());
        let layers: Vec<Value> =
            layers.iter().map(|layer| self.blob(name, "application/vnd.oci.image.layer.v1.tar", layer)).collect();
        let manifest = json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers});
        self.manifest(name, tag, MANIFEST, &manifest)
    }
}

impl Held {
    /// Repository, and tag or digest, of each manifest.
    fn manifests(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.keys().filter_map(|path| path.strip_prefix("/v2/")?.split_once("/manifests/"))
    }

    /// The page of a list that begins after `last=` and has `n=` entries.
    fn list(&self, path: &str, query: &str) -> Option<Value> {
        let value = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        let last = value("last").unwrap_or_default().replace("%2F", "/");
        let count = value("n").and_then(|text| text.parse().ok()).unwrap_or(usize::MAX);
        let page = |all: BTreeSet<&str>| {
            all.into_iter().filter(|name| *name > last.as_str()).take(count).map(str::to_owned).collect::<Vec<_>>()
        };
        if path == "/v2/_catalog" && self.is_listing {
            return Some(json!({ "repositories": page(self.manifests().map(|(name, _)| name).collect()) }));
        }
        let name = path.strip_prefix("/v2/")?.strip_suffix("/tags/list")?;
        let is_tag = |(of, tag): &(&str, &str)| *of == name && !tag.starts_with("sha256:");
        let tags = page(self.manifests().filter(is_tag).map(|(_, tag)| tag).collect());
        Some(if tags.is_empty() { json!({ "tags": null }) } else { json!({ "tags": tags }) })
    }

    fn delete(&mut self, path: &str) -> StatusCode {
        if !self.is_deleting {
            return StatusCode::METHOD_NOT_ALLOWED;
        }
        let Some((name, digest)) = path.split_once("/manifests/") else { return StatusCode::NOT_FOUND };
        let before = self.files.len();
        self.files.retain(|path, (_, bytes)| {
            !path.strip_prefix(name).is_some_and(|rest| rest.starts_with("/manifests/")) || digest_of(bytes) != digest
        });
        if self.files.len() < before { StatusCode::ACCEPTED } else { StatusCode::NOT_FOUND }
    }
}

async fn serve(listener: TcpListener, held: Arc<Mutex<Held>>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let held = Arc::clone(&held);
        connections.spawn(async move {
            let service = service_fn(move |request| {
                let answer = answer(&held, &request);
                async move { Ok::<_, Infallible>(answer) }
            });
            let http = hyper::server::conn::http1::Builder::new();
            // A client that goes away is its own affair.
            let _ = http.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

fn answer(held: &Mutex<Held>, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let path = request.uri().path();
    let mut held = lock(held);
    held.asked.push(path.to_owned());
    let (mut status, mut media_type, mut body) = (StatusCode::OK, "application/json", Bytes::new());
    let given = request.headers().get("authorization").and_then(|value| value.to_str().ok());
    let mut response = Response::builder();
    if held.wanted.is_some() && held.wanted.as_deref() != given {
        status = StatusCode::UNAUTHORIZED;
        body = Bytes::from_static(br#"{"errors":[{"code":"UNAUTHORIZED","message":"no","detail":null}]}"#);
        response = response.header("www-authenticate", "Basic realm=\"test\"");
    } else if path != "/v2/" {
        let listed = held.list(path, request.uri().query().unwrap_or_default());
        if *request.method() == Method::DELETE {
            status = held.delete(path);
        } else if let Some(list) = listed {
            body = list.to_string().into();
        } else if let Some((kind, bytes)) = held.files.get(path) {
            media_type = kind;
            body = bytes.clone();
            if path.contains("/manifests/") {
                response = response.header("docker-content-digest", digest_of(&body));
            }
        } else {
            status = StatusCode::NOT_FOUND;
            body = Bytes::from_static(br#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"no","detail":null}]}"#);
        }
    }
    let response = response.status(status).header("content-type", media_type).body(Full::new(body));
    response.unwrap_or_default()
}
