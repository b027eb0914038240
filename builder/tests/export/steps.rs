//! What the step of a Job that builds a Dockerfile keeps and finds again, as a registry that the builder is to it.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use reqwest::{Client, Method, RequestBuilder, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use slipway_builder::cluster::StepCache;
use slipway_builder::cluster::listener::{Desk, Offer, Registration, Tokens, serve};
use slipway_builder::export::layer::digest_of;
use slipway_builder::export::registry::{Credentials, Registry};
use slipway_image::step_cache::Week;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::registry::Fake;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const REPOSITORY: &str = "apps/shop/steps-1";

struct Rig {
    registry: Fake,
    base: String,
    build: Uuid,
    tokens: Tokens,
    cache: Arc<StepCache>,
    spool: tempfile::TempDir,
    registration: Option<Registration>,
}

impl Rig {
    async fn start(max: u64) -> Self {
        let registry = Fake::start().await;
        let repository = format!("{}/{REPOSITORY}", registry.host).parse().unwrap();
        let spool = tempfile::tempdir().unwrap();
        let client = Registry::new(Credentials::default(), vec![registry.host.clone()]);
        let cache = Arc::new(StepCache::new(client, repository, spool.path().to_owned(), max));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}/v2/", listener.local_addr().unwrap());
        let (desk, build) = (Desk::default(), Uuid::now_v7());
        tokio::spawn(serve(listener, desk.clone(), CancellationToken::new()));
        let none = spool.path().join("none");
        let offer = Offer {
            source: none.clone(),
            cache: none,
            cache_max: 0,
            steps: Some(Arc::clone(&cache)),
            lifetime: Duration::from_mins(5),
        };
        let (registration, tokens, _) = desk.register(build, offer).unwrap();
        Self { registry, base, build, tokens, cache, spool, registration: Some(registration) }
    }

    fn ask(&self, method: Method, path: &str) -> RequestBuilder {
        self.ask_with(method, path, &self.tokens.steps)
    }

    fn ask_with(&self, method: Method, path: &str, token: &SecretString) -> RequestBuilder {
        let url = if path.starts_with('/') { self.base.replace("/v2/", path) } else { format!("{}{path}", self.base) };
        let request = Client::builder().no_proxy().build().unwrap().request(method, url);
        request.basic_auth(self.build, Some(token.expose_secret()))
    }

    /// Sends a blob as buildah does.
    async fn send(&self, bytes: &str, digest: &str) {
        let head = self.ask(Method::HEAD, &format!("steps/blobs/{digest}")).send().await.unwrap();
        assert_eq!(head.status(), StatusCode::NOT_FOUND);
        let begun = self.ask(Method::POST, "steps/blobs/uploads/").send().await.unwrap();
        assert_eq!(begun.status(), StatusCode::ACCEPTED);
        let place = begun.headers()["location"].to_str().unwrap().to_owned();
        let sent = self.ask(Method::PATCH, &place).body(bytes.to_owned()).send().await.unwrap();
        assert_eq!((sent.status(), sent.headers()["location"].to_str().unwrap()), (StatusCode::ACCEPTED, &*place));
        let ended = self.ask(Method::PUT, &format!("{place}?digest={digest}")).send().await.unwrap();
        assert_eq!(ended.status(), StatusCode::CREATED);
        assert_eq!(std::fs::read_dir(self.spool.path()).unwrap().count(), 0, "nothing stays on the builder's disk");
    }

    async fn keep(&self, key: &str, manifest: &str) {
        let request = self.ask(Method::PUT, &format!("steps/manifests/{key}")).header("content-type", MANIFEST);
        assert_eq!(request.body(manifest.to_owned()).send().await.unwrap().status(), StatusCode::CREATED);
    }

    /// Status, length and body of an answer.
    async fn answer(&self, method: Method, path: &str) -> (u16, u64, String) {
        let answer = self.ask(method, path).send().await.unwrap();
        let length = answer.headers()["content-length"].to_str().unwrap().parse().unwrap();
        (answer.status().as_u16(), length, answer.text().await.unwrap())
    }
}

fn key(digit: &str) -> String {
    digit.repeat(64)
}

#[tokio::test]
async fn what_a_step_made_is_found_by_the_next_build() {
    let mut rig = Rig::start(1 << 20).await;
    assert_eq!(rig.answer(Method::GET, &format!("steps/manifests/{}", key("a"))).await.0, 404, "nothing is there yet");
    let digest = digest_of(b"a layer");
    rig.send("a layer", &digest).await;
    let manifest = json!({"schemaVersion": 2, "mediaType": MANIFEST, "layers": [{"digest": digest}]}).to_string();
    rig.keep(&key("a"), &manifest).await;
    assert_eq!(rig.cache.trouble(), None);

    let size = manifest.len() as u64;
    let path = format!("steps/manifests/{}", key("a"));
    assert_eq!(rig.answer(Method::GET, &path).await, (200, size, manifest.clone()));
    assert_eq!(rig.answer(Method::HEAD, &path).await, (200, size, String::new()));
    let path = format!("steps/blobs/{digest}");
    assert_eq!(rig.answer(Method::GET, &path).await, (200, 7, "a layer".to_owned()));
    assert_eq!(rig.answer(Method::HEAD, &path).await, (200, 7, String::new()));

    // Used in the week before, it is there, and from then on counts as used in this one.
    let now = Week::of(SystemTime::now());
    let before = now.kept().last().unwrap();
    let of = |week: Week| (REPOSITORY.to_owned(), week.tag(&key("b")));
    rig.registry.state.lock().unwrap().manifests.insert(of(before), manifest.clone().into());
    assert_eq!(rig.answer(Method::GET, &format!("steps/manifests/{}", key("b"))).await.2, manifest);
    let renewed = [now, Week::of(SystemTime::now())].map(of);
    let held = rig.registry.state.lock().unwrap().manifests.clone();
    assert!(renewed.iter().any(|name| held.contains_key(name)), "{held:?}");

    // Other names are not there, other people are strangers, and so is everybody when the build is over.
    for path in ["steps/manifests/latest", "apps/shop/manifests/git-1", "steps/blobs/sha256:..", "_catalog"] {
        assert_eq!(rig.ask(Method::GET, path).send().await.unwrap().status(), 404, "{path}");
    }
    for token in [&rig.tokens.fetch, &rig.tokens.report] {
        assert_eq!(rig.ask_with(Method::GET, "", token).send().await.unwrap().status(), 401);
    }
    assert_eq!(rig.ask(Method::GET, "").send().await.unwrap().status(), 200);
    rig.registration.take();
    let answer = rig.ask(Method::GET, "").send().await.unwrap();
    assert_eq!(answer.status(), 401);
    assert_eq!(answer.headers()["www-authenticate"], "Basic realm=\"build\"");
}

#[tokio::test]
async fn what_cannot_be_kept_fails_no_build() {
    // The registry refuses a blob; there is more than may be kept.
    for (max, digest) in [(1 << 20, digest_of(b"another")), (6, digest_of(b"a layer"))] {
        let rig = Rig::start(max).await;
        rig.send("a layer", &digest).await;
        assert!(rig.cache.trouble().is_some());
        rig.send("a second", &digest_of(b"a second")).await;
        rig.keep(&key("a"), "{}").await;
        let state = rig.registry.state.lock().unwrap();
        assert!(state.sent.is_empty() && state.manifests.is_empty(), "what is left out is not needed by anything kept");
    }
}
