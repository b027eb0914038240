//! An image registry with one image, under every name and tag.

use serde_json::json;
use sha2::{Digest, Sha256};

/// A body with its media type and digest.
pub(crate) struct Blob {
    pub(crate) body: String,
    pub(crate) media_type: &'static str,
    pub(crate) digest: String,
}

/// The SHA-256 of a text in hexadecimal digits.
pub(crate) fn digest(text: &str) -> String {
    let mut digits = String::with_capacity(64);
    for byte in Sha256::digest(text.as_bytes()) {
        digits.extend([byte >> 4, byte & 15].into_iter().filter_map(|half| char::from_digit(u32::from(half), 16)));
    }
    digits
}

fn blob(body: String, media_type: &'static str) -> Blob {
    let digest = format!("sha256:{}", digest(&body));
    Blob { body, media_type, digest }
}

fn config() -> Blob {
    let config = json!({
        "architecture": "amd64", "os": "linux",
        "config": {"ExposedPorts": {"5000/tcp": {}}, "User": "1000", "Cmd": ["serve"]},
        "rootfs": {"type": "layers", "diff_ids": []},
    });
    blob(config.to_string(), "application/vnd.oci.image.config.v1+json")
}

/// What is at a path below `/v2/`.
pub(crate) fn registry(path: &str) -> Option<Blob> {
    if path.contains("/manifests/") {
        let config = config();
        let manifest = json!({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {"mediaType": config.media_type, "digest": config.digest, "size": config.body.len()},
            "layers": [],
        });
        return Some(blob(manifest.to_string(), "application/vnd.oci.image.manifest.v1+json"));
    }
    if path.trim_end_matches('/') == "/v2" {
        return Some(blob("{}".to_owned(), "application/json"));
    }
    Some(config()).filter(|config| path.ends_with(&config.digest))
}
