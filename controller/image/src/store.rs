//! Unpacked images by digest.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use crate::removal::remove_tree;
use crate::setup::ImageSetup;

/// The unpacked tree of an image.
const ROOTFS: &str = "rootfs";
/// What the image says about how it is run.
const SETUP: &str = "image.json";
/// Which digests were found under which references.
const REFERENCES: &str = "references.json";

/// Digest of an image's manifest: 64 lower-case hexadecimal digits of SHA-256.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ImageDigest(String);

/// Not a digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a digest is sha256: and 64 hexadecimal digits")]
pub struct DigestError;

impl ImageDigest {
    /// As registries write it: `sha256:…`.
    #[must_use]
    pub fn with_algorithm(&self) -> String {
        format!("sha256:{}", self.0)
    }
}

impl FromStr for ImageDigest {
    type Err = DigestError;

    /// Reads it with or without `sha256:` in front.
    fn from_str(text: &str) -> Result<Self, DigestError> {
        let hex = text.strip_prefix("sha256:").unwrap_or(text);
        let is_hex = hex.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        if hex.len() == 64 && is_hex { Ok(Self(hex.to_owned())) } else { Err(DigestError) }
    }
}

impl TryFrom<String> for ImageDigest {
    type Error = DigestError;

    fn try_from(text: String) -> Result<Self, DigestError> {
        text.parse()
    }
}

impl From<ImageDigest> for String {
    fn from(digest: ImageDigest) -> Self {
        digest.0
    }
}

impl fmt::Display for ImageDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why the store could not do something.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no such image.
    #[error("the image {0} is not in the store")]
    Missing(ImageDigest),
    /// The disk.
    #[error("{doing} {path}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

impl StoreError {
    fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { doing, path, source }
    }
}

/// A directory of unpacked images. Cheap to clone; one process a directory. All functions block on the disk.
#[derive(Debug, Clone)]
pub struct ImageStore {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    root: PathBuf,
    images: PathBuf,
    tmp: PathBuf,
    /// Held while names change.
    names: Mutex<()>,
}

type References = BTreeMap<String, BTreeSet<ImageDigest>>;

impl ImageStore {
    /// Opens the store at `root`, made if missing, and removes what an earlier process left half-done.
    ///
    /// # Errors
    /// When the directory cannot be used.
    pub fn open(root: impl AsRef<Path>) -> Result<Self, StoreError> {
        let root = root.as_ref().to_owned();
        let (images, tmp) = (root.join("images"), root.join("tmp"));
        if tmp.exists() {
            remove_tree(&tmp).map_err(StoreError::io("clearing", &tmp))?;
        }
        for dir in [&root, &images, &tmp] {
            let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(dir);
            made.map_err(StoreError::io("making", dir))?;
        }
        Ok(Self { inner: Arc::new(Inner { root, images, tmp, names: Mutex::new(()) }) })
    }

    fn names(&self) -> MutexGuard<'_, ()> {
        self.inner.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn home(&self, digest: &ImageDigest) -> PathBuf {
        self.inner.images.join(&digest.0)
    }

    /// A directory on the store's file system for a fetch; removed with what is in it when dropped.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn scratch(&self) -> Result<TempDir, StoreError> {
        tempfile::tempdir_in(&self.inner.tmp).map_err(StoreError::io("making a directory in", &self.inner.tmp))
    }

    /// Takes the unpacked tree `rootfs`, which lies in a [`ImageStore::scratch`], as the image `digest`. Storing what is
    /// there already succeeds.
    ///
    /// # Errors
    /// When the disk fails; nothing is stored then.
    pub fn put(&self, digest: &ImageDigest, setup: &ImageSetup, rootfs: &Path) -> Result<(), StoreError> {
        let staged = self.scratch()?;
        let tree = staged.path().join(ROOTFS);
        fs::rename(rootfs, &tree).map_err(StoreError::io("moving into the store", rootfs))?;
        let path = staged.path().join(SETUP);
        let json = serde_json::to_vec(setup).map_err(io::Error::other);
        json.and_then(|json| File::create_new(&path)?.write_all(&json)).map_err(StoreError::io("writing", &path))?;
        File::open(staged.path())
            .and_then(|dir| rustix::fs::syncfs(dir).map_err(io::Error::from))
            .map_err(StoreError::io("syncing", staged.path()))?;
        let home = self.home(digest);
        let guard = self.names();
        if !home.exists() {
            fs::rename(staged.path(), &home).map_err(StoreError::io("naming", &home))?;
        }
        drop(guard);
        sync_dir(&self.inner.images)
    }

    /// Whether the image is there; if so it becomes young again.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn touch(&self, digest: &ImageDigest) -> Result<bool, StoreError> {
        let _guard = self.names();
        let home = self.home(digest);
        match File::open(&home) {
            Ok(dir) => dir.set_modified(SystemTime::now()).map(|()| true).map_err(StoreError::io("touching", &home)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(StoreError::io("opening", &home)(error)),
        }
    }

    /// The image's tree, which nobody may write to, and how it is run.
    ///
    /// # Errors
    /// `Missing` when there is no such image.
    pub fn image(&self, digest: &ImageDigest) -> Result<(PathBuf, ImageSetup), StoreError> {
        let home = self.home(digest);
        let path = home.join(SETUP);
        let json = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(StoreError::Missing(digest.clone())),
            other => other.map_err(StoreError::io("reading", &path))?,
        };
        let setup = serde_json::from_slice(&json).map_err(io::Error::other);
        Ok((home.join(ROOTFS), setup.map_err(StoreError::io("reading", &path))?))
    }

    /// Notes that `reference` was found to be `digest`, by which [`ImageStore::retain`] knows what it belongs to.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn note(&self, reference: &str, digest: &ImageDigest) -> Result<(), StoreError> {
        let _guard = self.names();
        let mut references = self.references()?;
        if references.entry(reference.to_owned()).or_default().insert(digest.clone()) {
            self.references_write(&references)?;
        }
        Ok(())
    }

    /// What `reference`, which names a digest itself, was found to be.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn noted(&self, reference: &str) -> Result<Option<ImageDigest>, StoreError> {
        let _guard = self.names();
        Ok(self.references()?.get(reference).and_then(|digests| digests.last().cloned()))
    }

    fn references(&self) -> Result<References, StoreError> {
        let path = self.inner.root.join(REFERENCES);
        match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(References::new()),
            read => {
                let parsed = read.and_then(|json| serde_json::from_slice(&json).map_err(io::Error::other));
                parsed.map_err(StoreError::io("reading", &path))
            }
        }
    }

    fn references_write(&self, references: &References) -> Result<(), StoreError> {
        let path = self.inner.root.join(REFERENCES);
        let write = || {
            let mut file = tempfile::NamedTempFile::new_in(&self.inner.root)?;
            file.write_all(&serde_json::to_vec(references)?)?;
            file.as_file().sync_all()?;
            file.persist(&path)?;
            File::open(&self.inner.root)?.sync_all()
        };
        write().map_err(StoreError::io("writing", &path))
    }

    /// Removes images that none of the references `keep` was found to be and that were not used for `min_age`. Returns
    /// how many.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn retain(&self, keep: &HashSet<&str>, min_age: Duration) -> Result<usize, StoreError> {
        let guard = self.names();
        let mut references = self.references()?;
        let kept: HashSet<ImageDigest> = references
            .iter()
            .filter(|(reference, _)| keep.contains(reference.as_str()))
            .flat_map(|(_, digests)| digests.iter().cloned())
            .collect();
        let mut gone = Vec::new();
        let images = &self.inner.images;
        for entry in fs::read_dir(images).map_err(StoreError::io("reading", images))? {
            let entry = entry.map_err(StoreError::io("reading", images))?;
            let Some(digest) = entry.file_name().to_str().and_then(|name| name.parse::<ImageDigest>().ok()) else {
                continue;
            };
            let age = entry.metadata().and_then(|meta| meta.modified()).ok().and_then(|time| time.elapsed().ok());
            if kept.contains(&digest) || age.is_none_or(|age| age < min_age) {
                continue;
            }
            // Under another name it is gone for everybody at once.
            let away = self.inner.tmp.join(format!("old-{digest}"));
            fs::rename(entry.path(), &away).map_err(StoreError::io("removing", &entry.path()))?;
            gone.push((digest, away));
        }
        if !gone.is_empty() {
            let removed: HashSet<&ImageDigest> = gone.iter().map(|(digest, _)| digest).collect();
            for digests in references.values_mut() {
                digests.retain(|digest| !removed.contains(digest));
            }
            references.retain(|_, digests| !digests.is_empty());
            self.references_write(&references)?;
        }
        drop(guard);
        for (_, away) in &gone {
            remove_tree(away).map_err(StoreError::io("removing", away))?;
        }
        Ok(gone.len())
    }
}

fn sync_dir(dir: &Path) -> Result<(), StoreError> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(StoreError::io("syncing", dir))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn digest(digit: &str) -> ImageDigest {
        digit.repeat(64).parse().unwrap()
    }

    fn put(store: &ImageStore, digest: &ImageDigest, text: &str) {
        let scratch = store.scratch().unwrap();
        let rootfs = scratch.path().join("rootfs");
        fs::create_dir(&rootfs).unwrap();
        fs::write(rootfs.join("file"), text).unwrap();
        store.put(digest, &ImageSetup { user: text.to_owned(), ..ImageSetup::default() }, &rootfs).unwrap();
    }

    #[test]
    fn an_image_is_there_whole_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let store = ImageStore::open(dir.path()).unwrap();
        let one = digest("a");
        assert!(matches!(store.image(&one), Err(StoreError::Missing(_))));
        assert!(!store.touch(&one).unwrap());
        put(&store, &one, "first");
        put(&store, &one, "again");
        let (rootfs, setup) = store.image(&one).unwrap();
        assert_eq!(
            (fs::read_to_string(rootfs.join("file")).unwrap().as_str(), setup.user.as_str()),
            ("first", "first")
        );
        // What a killed process left is cleared, what was stored stays.
        let left = store.scratch().unwrap().keep();
        fs::create_dir(left.join("shut")).unwrap();
        fs::set_permissions(left.join("shut"), fs::Permissions::from_mode(0o000)).unwrap();
        let store = ImageStore::open(dir.path()).unwrap();
        assert!(!left.exists() && store.touch(&one).unwrap());
    }

    #[test]
    fn what_no_reference_names_goes() {
        let dir = tempfile::tempdir().unwrap();
        let store = ImageStore::open(dir.path()).unwrap();
        let (one, two, three) = (digest("1"), digest("2"), digest("3"));
        for digest in [&one, &two, &three] {
            put(&store, digest, "x");
        }
        store.note("app:v1", &one).unwrap();
        store.note("app:v1", &two).unwrap();
        store.note("app:v2", &three).unwrap();
        assert_eq!(store.retain(&HashSet::new(), Duration::from_hours(1)).unwrap(), 0);
        assert_eq!(store.retain(&HashSet::from(["app:v1"]), Duration::ZERO).unwrap(), 1);
        assert!(store.image(&one).is_ok() && store.image(&two).is_ok() && store.image(&three).is_err());
        assert_eq!(store.retain(&HashSet::new(), Duration::ZERO).unwrap(), 2);
        assert_eq!(store.references().unwrap(), References::new());
    }

    #[test]
    fn digests_are_checked() {
        assert_eq!(digest("a").with_algorithm(), format!("sha256:{}", "a".repeat(64)));
        for bad in ["", "sha256:", &"A".repeat(64), &"a".repeat(63), "../../etc", "sha512:aa"] {
            assert!(bad.parse::<ImageDigest>().is_err(), "{bad}");
        }
    }
}
