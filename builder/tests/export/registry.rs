//! A registry in memory, as far as exports need one. Source: OCI distribution specification 1.1.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use serde_json::json;
use slipway_builder::export::layer::digest_of;
use tokio::net::TcpListener;

#[derive(Default)]
pub struct State {
    /// Blobs by repository and digest.
    pub blobs: HashMap<(String, String), Bytes>,
    /// Manifests by repository and tag or digest.
    pub manifests: BTreeMap<(String, String), Bytes>,
    /// Digests of the blobs that were sent, in order.
    pub sent: Vec<String>,
    /// Digests of the blobs that were mounted.
    pub mounted: Vec<String>,
    /// Requests that are still to fail.
    pub failing: u32,
}

#[derive(Clone)]
pub struct Fake {
    pub host: String,
    pub state: Arc<Mutex<State>>,
}

impl Fake {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let state = Arc::new(Mutex::new(State::default()));
        let kept = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let state = Arc::clone(&kept);
                let service = hyper::service::service_fn(move |request| {
                    let state = Arc::clone(&state);
                    async move { Ok::<_, Infallible>(answer(&state, request).await) }
                });
                tokio::spawn(async move {
                    let builder = auto::Builder::new(TokioExecutor::new());
                    let _ = builder.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Self { host, state }
    }

    /// Puts an image with one layer there.
    pub fn put_image(&self, repository: &str, tag: &str, layer: &str, config: &serde_json::Value) -> String {
        let (layer, config) = (Bytes::from(layer.to_owned()), Bytes::from(config.to_string()));
        let (layer_digest, config_digest) = (digest_of(&layer), digest_of(&config));
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json", "digest": config_digest, "size": config.len(),
            },
            "layers": [{
                "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": layer_digest, "size": layer.len(),
            }],
        });
        let manifest = Bytes::from(manifest.to_string());
        let digest = digest_of(&manifest);
        let mut state = self.state.lock().unwrap();
        state.blobs.insert((repository.to_owned(), layer_digest.clone()), layer);
        state.blobs.insert((repository.to_owned(), config_digest), config);
        state.manifests.insert((repository.to_owned(), tag.to_owned()), manifest.clone());
        state.manifests.insert((repository.to_owned(), digest.clone()), manifest);
        digest
    }

    pub fn sent(&self) -> Vec<String> {
        std::mem::take(&mut self.state.lock().unwrap().sent)
    }
}

fn response(status: StatusCode, headers: &[(&str, &str)], body: Bytes) -> Response<Full<Bytes>> {
    let mut builder = Response::builder().status(status);
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    builder.body(Full::new(body)).unwrap()
}

async fn answer(state: &Mutex<State>, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let mut state = state.lock().unwrap();
    let none = Bytes::new;
    let path = uri.path().trim_start_matches("/v2/").to_owned();
    if path.is_empty() || path == "/v2" {
        return response(StatusCode::OK, &[], none());
    }
    if state.failing > 0 {
        state.failing -= 1;
        return response(StatusCode::SERVICE_UNAVAILABLE, &[], none());
    }
    let query: HashMap<String, String> =
        url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
    if let Some(repository) = path.strip_suffix("/blobs/uploads/") {
        let mount = query.get("mount").zip(query.get("from"));
        if let Some((digest, from)) = mount
            && let Some(blob) = state.blobs.get(&(from.clone(), digest.clone())).cloned()
        {
            state.blobs.insert((repository.to_owned(), digest.clone()), blob);
            state.mounted.push(digest.clone());
            return response(StatusCode::CREATED, &[("location", "/there")], none());
        }
        let location = format!("/v2/{repository}/blobs/uploads/1");
        return response(StatusCode::ACCEPTED, &[("location", &location)], none());
    }
    if let Some(repository) = path.strip_suffix("/blobs/uploads/1") {
        let digest = query["digest"].clone();
        if digest != digest_of(&body) {
            return response(StatusCode::BAD_REQUEST, &[], none());
        }
        state.blobs.insert((repository.to_owned(), digest.clone()), body);
        state.sent.push(digest);
        return response(StatusCode::CREATED, &[("location", "/there")], none());
    }
    if let Some((repository, name)) = path.split_once("/manifests/") {
        let key = (repository.to_owned(), name.to_owned());
        return match method {
            Method::PUT => {
                let digest = digest_of(&body);
                state.manifests.insert((repository.to_owned(), digest), body.clone());
                state.manifests.insert(key, body);
                response(StatusCode::CREATED, &[("location", "/there")], none())
            }
            _ => match state.manifests.get(&key) {
                Some(manifest) => {
                    let digest = digest_of(manifest);
                    let kind = ("content-type", "application/vnd.oci.image.manifest.v1+json");
                    response(StatusCode::OK, &[kind, ("docker-content-digest", &digest)], manifest.clone())
                }
                None => response(StatusCode::NOT_FOUND, &[], none()),
            },
        };
    }
    let (repository, digest) = path.split_once("/blobs/").unwrap();
    match state.blobs.get(&(repository.to_owned(), digest.to_owned())) {
        Some(blob) => response(StatusCode::OK, &[], blob.clone()),
        None => response(StatusCode::NOT_FOUND, &[], none()),
    }
}
