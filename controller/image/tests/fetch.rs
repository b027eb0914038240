//! Fetching from a registry.
#![expect(
    clippy::unwrap_used,
    reason = "what fails here fails a test, and the setting for tests covers only the test functions themselves"
)]

use std::fs;
use std::io::Write;
use std::sync::Mutex;

use serde_json::json;
use slipway_image::testing::{TestRegistry, digest_of, layer};
use slipway_image::{FetchError, FetchSettings, Fetcher, ImageStore, Login, UnpackLimits};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

fn allowed() -> FetchSettings {
    FetchSettings { allow_private: true, ..FetchSettings::default() }
}

fn store() -> (tempfile::TempDir, ImageStore) {
    let dir = tempfile::tempdir().unwrap();
    let store = ImageStore::open(dir.path()).unwrap();
    (dir, store)
}

fn rejected<T: std::fmt::Debug>(result: Result<T, FetchError>) -> String {
    match result {
        Err(FetchError::Rejected(reason)) => reason,
        other => panic!("{other:?}"),
    }
}

async fn pull(fetcher: &Fetcher, store: &ImageStore, image: &str, login: Option<&Login>) -> Result<String, FetchError> {
    let digest = fetcher.resolve(image, login).await?;
    fetcher.fetch(store, image, &digest, login, |_| {}).await?;
    Ok(digest.with_algorithm())
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn an_image_is_fetched_once_and_pinned() {
    let registry = TestRegistry::start().await;
    let layers = [
        gzip(&layer(&[("bin/one", 0o755, b"1")])),
        zstd::encode_all(layer(&[("bin/two", 0o755, b"2")]).as_slice(), 1).unwrap(),
        layer(&[("bin/one", 0o755, b"over")]),
    ];
    let first =
        registry.image("team/app", "v1", &layers, &json!({"Cmd": ["/bin/one"], "ExposedPorts": {"80/tcp": {}}}));
    let image = format!("{}/team/app:v1", registry.host());
    let (_dir, store) = store();
    let fetcher = Fetcher::new(allowed());
    let digest = fetcher.resolve(&image, None).await.unwrap();
    assert_eq!(digest.with_algorithm(), first);
    // The tag moves on; what was resolved stays what it was.
    let second = registry.image("team/app", "v1", &[layer(&[("other", 0o644, b"")])], &json!({}));
    assert_ne!(first, second);
    let told = Mutex::new(Vec::new());
    fetcher.fetch(&store, &image, &digest, None, |line| told.lock().unwrap().push(line)).await.unwrap();
    let (rootfs, setup) = store.image(&digest).unwrap();
    assert_eq!(fs::read_to_string(rootfs.join("bin/one")).unwrap(), "over");
    assert_eq!(fs::read_to_string(rootfs.join("bin/two")).unwrap(), "2");
    assert_eq!((setup.cmd, setup.ports), (vec!["/bin/one".to_owned()], vec![80]));
    assert_eq!(told.lock().unwrap().len(), 5);
    let asked = registry.asked().len();
    fetcher.fetch(&store, &image, &digest, None, |_| {}).await.unwrap();
    assert_eq!(registry.asked().len(), asked, "it is there already");
}

#[tokio::test]
async fn credentials_go_to_their_registry_only() {
    let registry = TestRegistry::start().await;
    registry.image("app", "v1", &[layer(&[("x", 0o644, b"")])], &json!({}));
    registry.protect("bob", "geheim");
    let image = format!("{}/app:v1", registry.host());
    let (_dir, store) = store();
    let fetcher = Fetcher::new(allowed());
    let login = |hostname: Option<&str>, password: &str| Login {
        hostname: hostname.map(str::to_owned),
        username: "bob".to_owned(),
        password: password.into(),
    };
    for bad in [None, Some(login(None, "wrong")), Some(login(Some("other.example"), "geheim"))] {
        let reason = rejected(pull(&fetcher, &store, &image, bad.as_ref()).await);
        assert!(reason.contains("credentials") && !reason.contains("geheim"), "{reason}");
    }
    for good in [login(None, "geheim"), login(Some(&format!("http://{}/v1/", registry.host())), "geheim")] {
        pull(&fetcher, &store, &image, Some(&good)).await.unwrap();
    }
    assert!(!format!("{:?}", login(None, "geheim")).contains("geheim"));
}

#[tokio::test]
async fn private_registries_are_not_even_asked() {
    let registry = TestRegistry::start().await;
    registry.image("app", "v1", &[], &json!({}));
    let reason = rejected(Fetcher::default().resolve(&format!("{}/app:v1", registry.host()), None).await);
    assert!(reason.contains("SLIPWAY_ALLOW_PRIVATE_ADDRESSES=1"), "{reason}");
    assert!(registry.asked().is_empty());
}

#[tokio::test]
async fn what_cannot_run_here_is_refused_and_leaves_nothing() {
    let registry = TestRegistry::start().await;
    let host = registry.host();
    let (dir, store) = store();
    let small = FetchSettings { bytes_max: 8192, unpack: UnpackLimits { bytes: 5, entries: 10 }, ..allowed() };
    let fetcher = Fetcher::new(small);
    let entry = |platform: serde_json::Value| json!({"mediaType": MANIFEST, "digest": digest_of(b""), "size": 2, "platform": platform});
    let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry(json!({"os": "plan9", "architecture": "mips"}))]});
    registry.manifest("foreign", "v1", INDEX, &index);
    registry.image("evil", "v1", &[layer(&[("a", 0o644, b"123456")])], &json!({}));
    registry.image("large", "v1", &[vec![0; 9000]], &json!({}));
    registry.image("broken", "v1", &[gzip(&[1; 600])], &json!({}));
    registry.image("many", "v1", &vec![Vec::new(); 129], &json!({}));
    let lying = registry.blob("lying", "application/vnd.oci.image.layer.v1.tar", b"123");
    let mut lying = json!({"schemaVersion": 2, "config": lying.clone(), "layers": [lying]});
    lying["layers"][0]["size"] = json!(2);
    registry.manifest("lying", "v1", MANIFEST, &lying);
    for (image, expect) in [
        (format!("{host}/foreign:v1"), "processor"),
        (format!("{host}/evil:v1"), "more than 5 bytes"),
        (format!("{host}/large:v1"), "larger than"),
        (format!("{host}/broken:v1"), "cannot be unpacked"),
        (format!("{host}/many:v1"), "layers"),
        (format!("{host}/lying:v1"), "larger than its manifest"),
        (format!("{host}/missing:v1"), "does not exist"),
        (format!("{host}/UPPER case"), "not the name of an image"),
        (String::new(), "not the name of an image"),
    ] {
        let reason = rejected(pull(&fetcher, &store, &image, None).await);
        assert!(reason.contains(expect), "{image}: {reason}");
    }
    assert_eq!(fs::read_dir(dir.path().join("images")).unwrap().count(), 0);
    assert_eq!(fs::read_dir(dir.path().join("tmp")).unwrap().count(), 0);
}
