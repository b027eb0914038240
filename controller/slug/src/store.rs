//! The store itself: `ROOT/slugs/DIGEST/{tree/,slipway.json}`, and `ROOT/tmp` for what is not finished.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::walk::{self, SlugLimits};
use crate::{Digest, Refusal, SlugManifest};

/// Why the store did not do something.
#[derive(Debug, thiserror::Error)]
pub enum SlugError {
    /// The tree cannot be a slug; the reason is for the person who built it.
    #[error("{0}")]
    Refused(#[from] Refusal),
    /// There is no slug of that name.
    #[error("slug {0} does not exist")]
    Missing(Digest),
    /// What is stored is not what was stored.
    #[error("the manifest of slug {digest} is damaged")]
    Damaged {
        /// Which slug.
        digest: Digest,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The disk did not do its part.
    #[error("{action} {}", path.display())]
    Io {
        /// What was being done.
        action: &'static str,
        /// To what.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

impl SlugError {
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}

/// A slug in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlugInfo {
    /// Its name.
    pub digest: Digest,
    /// When it was last stored; storing the same again counts.
    pub stored: SystemTime,
}

/// A handle to the store; clones share it. Open one per process and directory.
#[derive(Debug, Clone)]
pub struct SlugStore {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    slugs: PathBuf,
    tmp: PathBuf,
    /// Held while names appear or go, so that a slug stored again is not removed as an old one at that moment.
    names: Mutex<()>,
}

const TREE: &str = "tree";
const MANIFEST: &str = "slipway.json";

fn make_dir(path: &Path) -> Result<(), SlugError> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(SlugError::io("making", path))
}

fn sync_dir(path: &Path) -> Result<(), SlugError> {
    File::open(path).and_then(|dir| dir.sync_all()).map_err(SlugError::io("syncing", path))
}

impl SlugStore {
    /// Opens the store at `root`, makes it if it is not there, and removes what a crash left unfinished.
    ///
    /// # Errors
    /// `Io` when the directory cannot be made or read.
    pub fn open(root: impl AsRef<Path>) -> Result<Self, SlugError> {
        let root = root.as_ref();
        make_dir(root)?;
        let root = fs::canonicalize(root).map_err(SlugError::io("reading", root))?;
        let (slugs, tmp) = (root.join("slugs"), root.join("tmp"));
        make_dir(&slugs)?;
        make_dir(&tmp)?;
        // Names begin with the process id: another handle of this very process may be at work.
        let ours = format!("{}-", std::process::id());
        for entry in fs::read_dir(&tmp).map_err(SlugError::io("reading", &tmp))? {
            let entry = entry.map_err(SlugError::io("reading", &tmp))?;
            if !entry.file_name().to_string_lossy().starts_with(&ours) {
                remove_tree(&entry.path())?;
            }
        }
        Ok(Self { inner: Arc::new(Inner { slugs, tmp, names: Mutex::new(()) }) })
    }

    fn names(&self) -> MutexGuard<'_, ()> {
        // The lock guards no data that a panic could have left half-changed.
        self.inner.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tmp_dir(&self) -> PathBuf {
        self.inner.tmp.join(format!("{}-{}", std::process::id(), Uuid::new_v4().simple()))
    }

    /// Takes the finished build directory `dir` into the store, and returns its name.
    ///
    /// `dir` must be on the store's file system and nothing may write to it any more: it is moved, never copied, and
    /// is gone afterwards. It stays where it is when it is refused. Storing what is there already succeeds.
    ///
    /// # Errors
    /// `Refused` when the tree breaks `limits`, holds special files or links that leave it; `Io` otherwise.
    pub fn put(&self, dir: &Path, manifest: &SlugManifest, limits: &SlugLimits) -> Result<Digest, SlugError> {
        let json = serde_json::to_vec_pretty(manifest)
            .map_err(|error| SlugError::io("writing the manifest for", dir)(io::Error::other(error)))?;
        let mut hasher = Sha256::new();
        hasher.update(b"slipway slug 1\0");
        hasher.update((json.len() as u64).to_be_bytes());
        hasher.update(&json);
        walk::hash_tree(dir, limits, &mut hasher)?;
        let digest = Digest::from_bytes(&hasher.finalize());

        if self.touch(&digest)? {
            remove_tree(dir)?;
            return Ok(digest);
        }
        let tmp = self.tmp_dir();
        make_dir(&tmp)?;
        fs::rename(dir, tmp.join(TREE)).map_err(SlugError::io("moving into the slug store", dir))?;
        let manifest_path = tmp.join(MANIFEST);
        File::create_new(&manifest_path)
            .and_then(|mut file| file.write_all(&json).and_then(|()| file.sync_all()))
            .map_err(SlugError::io("writing", &manifest_path))?;
        // One call for the whole tree: a sync of each of many thousand small files takes minutes on some disks.
        File::open(&tmp)
            .and_then(|dir| rustix::fs::syncfs(dir).map_err(io::Error::from))
            .map_err(SlugError::io("syncing", &tmp))?;

        let guard = self.names();
        let home = self.home(&digest);
        if home.exists() {
            // Somebody stored the same in the meantime.
            drop(guard);
            remove_tree(&tmp)?;
            return Ok(digest);
        }
        fs::rename(&tmp, &home).map_err(SlugError::io("naming", &home))?;
        drop(guard);
        sync_dir(&self.inner.slugs)?;
        Ok(digest)
    }

    fn home(&self, digest: &Digest) -> PathBuf {
        self.inner.slugs.join(digest.as_str())
    }

    /// Makes a stored slug young again; `false` when there is none.
    fn touch(&self, digest: &Digest) -> Result<bool, SlugError> {
        let _guard = self.names();
        let home = self.home(digest);
        match File::open(&home) {
            Ok(dir) => dir.set_modified(SystemTime::now()).map(|()| true).map_err(SlugError::io("touching", &home)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(SlugError::io("opening", &home)(error)),
        }
    }

    /// The directory that holds the slug's tree. Read it, never write to it.
    ///
    /// # Errors
    /// `Missing` when there is no such slug.
    pub fn path(&self, digest: &Digest) -> Result<PathBuf, SlugError> {
        let tree = self.home(digest).join(TREE);
        if tree.is_dir() { Ok(tree) } else { Err(SlugError::Missing(digest.clone())) }
    }

    /// How the slug is run.
    ///
    /// # Errors
    /// `Missing` when there is no such slug, `Damaged` when its manifest cannot be read.
    pub fn manifest(&self, digest: &Digest) -> Result<SlugManifest, SlugError> {
        let path = self.home(digest).join(MANIFEST);
        match fs::read(&path) {
            Ok(json) => {
                serde_json::from_slice(&json).map_err(|source| SlugError::Damaged { digest: digest.clone(), source })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(SlugError::Missing(digest.clone())),
            Err(error) => Err(SlugError::io("reading", &path)(error)),
        }
    }

    /// All slugs, in no order.
    ///
    /// # Errors
    /// `Io` when the store cannot be read.
    pub fn list(&self) -> Result<Vec<SlugInfo>, SlugError> {
        let slugs = &self.inner.slugs;
        let mut list = Vec::new();
        for entry in fs::read_dir(slugs).map_err(SlugError::io("reading", slugs))? {
            let entry = entry.map_err(SlugError::io("reading", slugs))?;
            let Some(digest) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            match entry.metadata().and_then(|metadata| metadata.modified()) {
                Ok(stored) => list.push(SlugInfo { digest, stored }),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(SlugError::io("reading", &entry.path())(error)),
            }
        }
        Ok(list)
    }

    /// Removes every slug that is not in `keep` and was stored longer than `min_age` ago. Returns how many.
    ///
    /// # Errors
    /// `Io` when something cannot be removed; what was removed before stays removed.
    pub fn retain(&self, keep: &HashSet<Digest>, min_age: Duration) -> Result<usize, SlugError> {
        let mut removed = 0;
        for info in self.list()? {
            if keep.contains(&info.digest) {
                continue;
            }
            let home = self.home(&info.digest);
            let tmp = self.tmp_dir();
            {
                let _guard = self.names();
                let is_young = fs::metadata(&home)
                    .and_then(|metadata| metadata.modified())
                    // A time in the future counts as young.
                    .map_or(true, |stored| stored.elapsed().map_or(true, |age| age < min_age));
                if is_young {
                    continue;
                }
                fs::rename(&home, &tmp).map_err(SlugError::io("removing", &home))?;
            }
            remove_tree(&tmp)?;
            removed += 1;
        }
        Ok(removed)
    }
}

fn remove_tree(path: &Path) -> Result<(), SlugError> {
    let removed = match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(SlugError::io("removing", path)(error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
