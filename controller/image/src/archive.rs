//! Images from files: what `docker save`, `podman save` and `buildah push docker-archive:` write.
//!
//! Source: the "Combined Image JSON + Filesystem Changeset Format" of the Docker image specification 1.2: an archive with
//! `manifest.json`, which names a configuration and the layers, first one first, all of them files of the archive.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::fetch::{LAYERS_MAX, layer_apply};
use crate::setup::ImageSetup;
use crate::store::{ImageDigest, ImageStore, StoreError};
use crate::unpack::{Layers, UnpackError, UnpackLimits};

/// Largest manifest or configuration, in bytes.
const JSON_MAX: u64 = 4 * 1024 * 1024;
/// Most files in the archive.
const FILES_MAX: usize = 1024;

/// Why an archive was not taken.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// It is no image that can be kept. The text is for the user.
    #[error("{0}")]
    Refused(String),
    /// The disk.
    #[error("reading the image's archive")]
    Io(#[from] io::Error),
    /// The store.
    #[error("storing the image")]
    Store(#[from] StoreError),
}

impl From<UnpackError> for ArchiveError {
    fn from(error: UnpackError) -> Self {
        match error {
            UnpackError::Refused(reason) => Self::Refused(reason),
            UnpackError::Io { source, .. } => Self::Io(source),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    config: String,
    layers: Vec<String>,
}

/// Takes the one image in the archive `file` into `store`, under the digest of its configuration. Blocks.
///
/// # Errors
/// [`ArchiveError`]; nothing is stored then.
pub fn archive_import(store: &ImageStore, file: &Path, limits: UnpackLimits) -> Result<ImageDigest, ArchiveError> {
    let scratch = store.scratch()?;
    let files = extract(file, scratch.path(), limits.bytes)?;
    let find = |name: &str| {
        files.get(name).ok_or_else(|| ArchiveError::Refused(format!("the archive lacks its own part '{}'", show(name))))
    };
    let entries: Vec<Entry> = serde_json::from_slice(&read_small(find("manifest.json")?)?)
        .map_err(|error| ArchiveError::Refused(format!("the archive's manifest: {error}")))?;
    let [entry] = entries.as_slice() else {
        return Err(ArchiveError::Refused("the archive holds more than one image, or none".to_owned()));
    };
    if entry.layers.len() > LAYERS_MAX {
        return Err(ArchiveError::Refused(format!("the image has more than {LAYERS_MAX} layers")));
    }
    let config = read_small(find(&entry.config)?)?;
    let digest: ImageDigest =
        hex::encode(Sha256::digest(&config)).parse().map_err(|error| ArchiveError::Io(io::Error::other(error)))?;
    let setup = ImageSetup::parse(&String::from_utf8_lossy(&config))
        .map_err(|reason| ArchiveError::Refused(format!("the image cannot run here: {reason}")))?;
    if store.touch(&digest)? {
        return Ok(digest);
    }
    let rootfs = scratch.path().join("rootfs");
    fs::create_dir(&rootfs)?;
    let mut tree = Layers::new(&rootfs, limits)?;
    for layer in &entry.layers {
        layer_apply(&mut tree, find(layer)?)?;
    }
    store.put(&digest, &setup, &rootfs)?;
    Ok(digest)
}

/// Copies the plain files of the archive to `dir`, under names of our own. Gives their paths by the archive's names.
fn extract(file: &Path, dir: &Path, bytes_max: u64) -> Result<HashMap<String, PathBuf>, ArchiveError> {
    let damaged = |error: io::Error| ArchiveError::Refused(format!("the archive is damaged ({error})"));
    let mut archive = tar::Archive::new(io::BufReader::with_capacity(256 * 1024, File::open(file)?));
    let mut files: HashMap<String, PathBuf> = HashMap::new();
    let mut links = Vec::new();
    let mut room = bytes_max;
    for entry in archive.entries().map_err(damaged)? {
        let mut entry = entry.map_err(damaged)?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).trim_start_matches("./").to_owned();
        if files.len() >= FILES_MAX {
            return Err(ArchiveError::Refused(format!("the archive holds more than {FILES_MAX} files")));
        }
        match entry.header().entry_type() {
            kind if kind.is_file() => {
                let path = dir.join(format!("part-{}", files.len()));
                let mut part = File::create_new(&path)?;
                let copied = io::copy(&mut Read::take(&mut entry, room.saturating_add(1)), &mut part)?;
                room = room
                    .checked_sub(copied)
                    .ok_or_else(|| ArchiveError::Refused(format!("the image is larger than {bytes_max} bytes")))?;
                files.insert(name, path);
            }
            // A layer that is there already is a link to it: `../OTHER/layer.tar`.
            kind if kind.is_symlink() || kind.is_hard_link() => {
                let target = entry.link_name_bytes().unwrap_or_default();
                links.push((name, String::from_utf8_lossy(&target).trim_start_matches("../").to_owned()));
            }
            _ => {}
        }
    }
    for (name, target) in links {
        if let Some(path) = files.get(&target).cloned() {
            files.insert(name, path);
        }
    }
    Ok(files)
}

fn read_small(path: &Path) -> Result<Vec<u8>, ArchiveError> {
    let mut bytes = Vec::new();
    File::open(path)?.take(JSON_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > JSON_MAX {
        return Err(ArchiveError::Refused(format!("the image is described with more than {JSON_MAX} bytes")));
    }
    Ok(bytes)
}

fn show(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(120).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn archive(dir: &Path, parts: &[(&str, &[u8])]) -> PathBuf {
        let path = dir.join("image.tar");
        let mut builder = tar::Builder::new(File::create(&path).unwrap());
        for (name, data) in parts {
            let mut header = tar::Header::new_gnu();
            header.set_size(data.len() as u64);
            header.set_mode(0o644);
            builder.append_data(&mut header, name, *data).unwrap();
        }
        builder.finish().unwrap();
        path
    }

    fn layer(name: &str, text: &str) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        header.set_uid(rustix::process::geteuid().as_raw().into());
        header.set_gid(rustix::process::getegid().as_raw().into());
        builder.append_data(&mut header, name, text.as_bytes()).unwrap();
        builder.into_inner().unwrap()
    }

    #[test]
    fn a_saved_image_is_taken_once() {
        let dir = tempfile::tempdir().unwrap();
        let store = ImageStore::open(dir.path().join("store")).unwrap();
        let config = br#"{"architecture":"amd64","os":"linux","config":{"Cmd":["/x"]},"rootfs":{"type":"layers","diff_ids":[]}}"#;
        let manifest =
            json!([{"Config": "c.json", "RepoTags": ["a:b"], "Layers": ["1/layer.tar", "2.tar"]}]).to_string();
        let (first, second) = (layer("etc/a", "one"), layer("etc/a", "two"));
        let parts: [(&str, &[u8]); 4] =
            [("1/layer.tar", &first), ("2.tar", &second), ("c.json", config), ("manifest.json", manifest.as_bytes())];
        let path = archive(dir.path(), &parts);
        let digest = archive_import(&store, &path, UnpackLimits::default()).unwrap();
        let (rootfs, setup) = store.image(&digest).unwrap();
        assert_eq!(fs::read_to_string(rootfs.join("etc/a")).unwrap(), "two");
        assert_eq!(setup.cmd, ["/x"]);
        assert_eq!(archive_import(&store, &path, UnpackLimits::default()).unwrap(), digest);
        let tight = UnpackLimits { bytes: 1000, ..UnpackLimits::default() };
        assert!(matches!(archive_import(&store, &path, tight), Err(ArchiveError::Refused(_))));
    }

    #[test]
    fn other_archives_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let store = ImageStore::open(dir.path().join("store")).unwrap();
        let missing = json!([{"Config": "../../etc/passwd", "Layers": ["../x"]}]).to_string();
        let cases: [&[(&str, &[u8])]; 4] =
            [&[], &[("manifest.json", b"[]")], &[("manifest.json", b"{")], &[("manifest.json", missing.as_bytes())]];
        for parts in cases {
            let path = archive(dir.path(), parts);
            let result = archive_import(&store, &path, UnpackLimits::default());
            assert!(matches!(result, Err(ArchiveError::Refused(_))), "{result:?}");
        }
        fs::write(dir.path().join("image.tar"), [7; 2000]).unwrap();
        let result = archive_import(&store, &dir.path().join("image.tar"), UnpackLimits::default());
        assert!(matches!(result, Err(ArchiveError::Refused(_))), "{result:?}");
    }
}
