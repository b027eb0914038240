//! What is sent for an image, and what is not.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};
use slipway_builder::export::image::ImageSpec;
use slipway_builder::export::layer::digest_of;
use slipway_builder::export::layout::export_layout;
use slipway_builder::export::registry::{Credentials, Registry};
use slipway_builder::export::{ExportError, export_slug};
use slipway_slug::SlugManifest;

use crate::registry::Fake;

fn client(fake: &Fake) -> Registry {
    Registry::new(Credentials::default(), vec![fake.host.clone()])
}

fn base(fake: &Fake) {
    let config = json!({
        "architecture": "amd64", "os": "linux", "config": { "Env": ["PATH=/usr/bin"] },
        "rootfs": { "type": "layers", "diff_ids": ["sha256:0"] },
    });
    fake.put_image("slipway/stack", "1", "the base's layer", &config);
}

fn spec(fake: &Fake, app: &str, base: &Fake) -> ImageSpec {
    ImageSpec {
        base: format!("{}/slipway/stack:1", base.host).parse().unwrap(),
        repository: format!("{}/apps/{app}", fake.host).parse().unwrap(),
        tag: "git-01234567".to_owned(),
        labels: BTreeMap::new(),
    }
}

fn write(root: &Path, name: &str, text: &str) {
    std::fs::create_dir_all(root.join(name).parent().unwrap()).unwrap();
    std::fs::write(root.join(name), text).unwrap();
}

#[tokio::test]
async fn one_changed_file_sends_the_changed_layer_and_the_base_is_mounted() {
    let fake = Fake::start().await;
    base(&fake);
    let (root, scratch) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write(root.path(), "server.js", "1");
    write(root.path(), "node_modules/express/index.js", "dependency");
    let manifest = SlugManifest::default();
    let spec = spec(&fake, "shop", &fake);
    let first = export_slug(&client(&fake), root.path(), scratch.path(), &manifest, &spec).await.unwrap();
    assert_eq!((first.tally.mounted, first.tally.uploaded, first.tally.present), (1, 4, 0));
    assert_eq!(fake.sent().len(), 4, "start, dependencies, code, config");
    {
        let state = fake.state.lock().unwrap();
        let key = |name: &str| ("apps/shop".to_owned(), name.to_owned());
        let tagged = &state.manifests[&key("git-01234567")];
        assert_eq!(digest_of(tagged), first.digest);
        let image: Value = serde_json::from_slice(tagged).unwrap();
        assert_eq!(image["layers"][0]["digest"], digest_of(b"the base's layer"));
        for layer in image["layers"].as_array().unwrap().iter().chain([&image["config"]]) {
            let blob = &state.blobs[&key(layer["digest"].as_str().unwrap())];
            assert_eq!(layer["size"], blob.len());
        }
    }

    let again = export_slug(&client(&fake), root.path(), scratch.path(), &manifest, &spec).await.unwrap();
    assert_eq!((again.digest, again.tally.uploaded, again.tally.present), (first.digest.clone(), 0, 5));
    assert!(fake.sent().is_empty());

    write(root.path(), "server.js", "2");
    let changed = export_slug(&client(&fake), root.path(), scratch.path(), &manifest, &spec).await.unwrap();
    assert_ne!(changed.digest, first.digest);
    assert_eq!((changed.tally.uploaded, changed.tally.present, changed.tally.mounted), (2, 3, 0), "code and config");
    assert_eq!(fake.sent().len(), 2);
}

#[tokio::test]
async fn a_base_elsewhere_is_copied_and_a_registry_that_stumbles_is_asked_again() {
    let (fake, other) = (Fake::start().await, Fake::start().await);
    base(&other);
    fake.state.lock().unwrap().failing = 2;
    let (root, scratch) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write(root.path(), "app.py", "1");
    let registry = Registry::new(Credentials::default(), vec![fake.host.clone(), other.host.clone()]);
    let spec = spec(&fake, "shop", &other);
    let done = export_slug(&registry, root.path(), scratch.path(), &SlugManifest::default(), &spec).await.unwrap();
    // The base's layer, start, code, config; there are no dependencies.
    assert_eq!((done.tally.mounted, done.tally.uploaded), (0, 4));
    assert!(fake.sent().contains(&digest_of(b"the base's layer")));
}

#[tokio::test]
async fn a_base_that_is_not_there_is_named() {
    let fake = Fake::start().await;
    let (root, scratch) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let spec = spec(&fake, "shop", &fake);
    let failed = export_slug(&client(&fake), root.path(), scratch.path(), &SlugManifest::default(), &spec).await;
    let error = failed.unwrap_err();
    assert!(matches!(&error, ExportError::Registry(_)) && error.to_string().contains("slipway/stack:1"), "{error}");
}

#[tokio::test]
async fn a_layout_is_sent_as_it_is_and_a_false_one_is_refused() {
    let fake = Fake::start().await;
    let dir = tempfile::tempdir().unwrap();
    let blob = |bytes: &[u8]| {
        let digest = digest_of(bytes);
        write(dir.path(), &format!("blobs/sha256/{}", &digest[7..]), std::str::from_utf8(bytes).unwrap());
        json!({ "digest": digest, "size": bytes.len() })
    };
    let manifest = json!({ "schemaVersion": 2, "config": blob(b"{}"), "layers": [blob(b"layer")] }).to_string();
    let mut entry = blob(manifest.as_bytes());
    entry["mediaType"] = json!("application/vnd.oci.image.manifest.v1+json");
    write(dir.path(), "index.json", &json!({ "manifests": [entry] }).to_string());
    let repository = format!("{}/apps/shop", fake.host).parse().unwrap();
    let done = export_layout(&client(&fake), dir.path(), &repository, "git-1").await.unwrap();
    assert_eq!((done.tally.uploaded, done.digest), (2, digest_of(manifest.as_bytes())));

    entry["digest"] = json!("sha256:../../../../etc/passwd");
    write(dir.path(), "index.json", &json!({ "manifests": [entry] }).to_string());
    let refused = export_layout(&client(&fake), dir.path(), &repository, "git-1").await.unwrap_err();
    assert!(matches!(refused, ExportError::Image(_)), "{refused}");
    write(dir.path(), "index.json", r#"{"manifests":[]}"#);
    let refused = export_layout(&client(&fake), dir.path(), &repository, "git-1").await.unwrap_err();
    assert_eq!(refused.to_string(), "the layout holds 0 images, not one");
}
