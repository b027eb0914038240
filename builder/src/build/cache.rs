//! What builds of one app keep for the next: downloads, compiled parts, installed packages.
//!
//! Nothing in a cache is needed: it may be cleared at any time and is, when it looks damaged or grows too large.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use sha2::{Digest, Sha256};

use uuid::Uuid;

use super::tree;

/// Name of the file beside a kept tree that says what it was made from and how many bytes its files have.
const STAMP: &str = ".slipway-key";

/// How names of trees begin that are being copied.
const FRESH: &str = "new-";

/// Whether an app's config values ask for builds without a cache: by being there, whatever they are.
#[must_use]
pub fn is_disabled<V>(env: &BTreeMap<String, V>) -> bool {
    ["SLIPWAY_DISABLE_CACHE", "DEIS_DISABLE_CACHE"].iter().any(|name| env.contains_key(*name))
}

/// An app's cache, locked for one build.
#[derive(Debug)]
pub struct Cache {
    dir: PathBuf,
}

/// The lock on an app's cache; held while a process of the build lives.
#[derive(Debug)]
pub struct CacheLock {
    _file: File,
}

/// Waits for the lock at `path`. `waiting` is called once when another build has it.
///
/// # Errors
/// When the lock file cannot be made.
pub async fn lock(path: &Path, waiting: impl AsyncFnOnce()) -> io::Result<CacheLock> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    let mut waiting = Some(waiting);
    loop {
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(path)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(CacheLock { _file: file }),
            Err(rustix::io::Errno::WOULDBLOCK) => {
                if let Some(waiting) = waiting.take() {
                    waiting().await;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

impl Cache {
    /// The cache at `dir`, which is made if it is not there.
    ///
    /// # Errors
    /// The file system's refusal.
    pub fn open(dir: PathBuf) -> io::Result<Self> {
        if fs::symlink_metadata(&dir).is_ok_and(|meta| !meta.is_dir()) {
            tree::remove(&dir)?;
        }
        fs::create_dir_all(&dir)?;
        for entry in fs::read_dir(&dir)?.flatten() {
            if entry.file_name().to_string_lossy().starts_with(FRESH) {
                tree::remove(&entry.path())?;
            }
        }
        Ok(Self { dir })
    }

    /// Where it is.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The part called `name`, made if it is not there, and whether an earlier build left something in it.
    ///
    /// # Errors
    /// The file system's refusal.
    pub fn part(&self, name: &str) -> io::Result<(PathBuf, bool)> {
        let dir = self.dir.join(name);
        if fs::symlink_metadata(&dir).is_ok_and(|meta| !meta.is_dir()) {
            tree::remove(&dir)?;
        }
        fs::create_dir_all(&dir)?;
        let is_warm = fs::read_dir(&dir)?.next().is_some();
        Ok((dir, is_warm))
    }

    /// Empties the part called `name`.
    ///
    /// # Errors
    /// The file system's refusal.
    pub fn clear(&self, name: &str) -> io::Result<()> {
        tree::remove(&self.dir.join(name))
    }

    /// Copies the tree kept as `name` to `to` when it was made from `key`. A tree that has not the size it had, or
    /// cannot be copied, is removed and counts as absent.
    pub async fn restore(&self, name: &str, key: &str, to: &Path) -> bool {
        if key.is_empty() {
            return false;
        }
        let (kept, key, to) = (self.dir.join(name), key.to_owned(), to.to_owned());
        tokio::task::spawn_blocking(move || restore(&kept, &key, &to)).await.unwrap_or(false)
    }

    /// Keeps a copy of the tree `from` as `name`, made from `key`, in place of what was there. A failure (a full disk)
    /// only means that nothing is kept.
    pub async fn store(&self, name: &str, key: &str, from: &Path) {
        // A name of its own, since a cancelled build may still be copying.
        let fresh = self.dir.join(format!("{FRESH}{}", Uuid::new_v4()));
        let kept = self.dir.join(name);
        let (key, from) = (key.to_owned(), from.to_owned());
        let _ = tokio::task::spawn_blocking(move || {
            if store(&kept, &fresh, &key, &from).is_err() {
                let _ = tree::remove(&fresh);
            }
        })
        .await;
    }
}

fn restore(kept: &Path, key: &str, to: &Path) -> bool {
    let stamp = fs::read_to_string(kept.join(STAMP)).unwrap_or_default();
    let Some((kept_key, bytes)) = stamp.trim_end().split_once(' ') else { return false };
    if kept_key != key {
        return false;
    }
    let tree = kept.join("tree");
    let is_whole =
        fs::symlink_metadata(&tree).is_ok_and(|meta| meta.is_dir()) && bytes.parse() == Ok(tree::content_bytes(&tree));
    let copied = is_whole && tree::copy(&tree, to).is_ok();
    if !copied {
        let _ = tree::remove(to);
        let _ = tree::remove(kept);
    }
    copied
}

fn store(kept: &Path, fresh: &Path, key: &str, from: &Path) -> io::Result<()> {
    tree::remove(fresh)?;
    fs::create_dir_all(fresh)?;
    tree::copy(from, &fresh.join("tree"))?;
    fs::write(fresh.join(STAMP), format!("{key} {}", tree::content_bytes(&fresh.join("tree"))))?;
    tree::remove(kept)?;
    fs::rename(fresh, kept)
}

/// Hashes parts into a key for [`Cache::restore`]: equal keys mean equal parts.
#[must_use]
pub fn key<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    hex::encode(hasher.finalize())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[tokio::test]
    async fn trees_come_back_for_the_same_key_only() {
        let root = tempfile::tempdir().unwrap();
        let cache = Cache::open(root.path().join("cache")).unwrap();
        let from = root.path().join("from");
        fs::create_dir(&from).unwrap();
        fs::write(from.join("a"), "1").unwrap();
        cache.store("venv", "k1", &from).await;
        assert!(!cache.restore("venv", "k2", &root.path().join("x")).await);
        assert!(!cache.restore("other", "k1", &root.path().join("x")).await);
        assert!(cache.restore("venv", "k1", &root.path().join("to")).await);
        assert_eq!(fs::read_to_string(root.path().join("to/a")).unwrap(), "1");
        fs::write(cache.dir().join("venv/tree/a"), "").unwrap();
        assert!(!cache.restore("venv", "k1", &root.path().join("y")).await);
        assert!(!cache.dir().join("venv").exists(), "a damaged tree is dropped");
    }

    #[test]
    fn links_in_the_way_are_replaced() {
        let root = tempfile::tempdir().unwrap();
        let outside = root.path().join("outside");
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("kept"), "").unwrap();
        let cache = Cache::open(root.path().join("cache")).unwrap();
        symlink(&outside, cache.dir().join("pip")).unwrap();
        let (_, is_warm) = cache.part("pip").unwrap();
        assert!(!is_warm);
        cache.clear("pip").unwrap();
        assert!(outside.join("kept").exists());
    }

    #[test]
    fn keys_tell_parts_apart() {
        assert_ne!(key([&b"ab"[..], b"c"]), key([&b"a"[..], b"bc"]));
    }

    #[tokio::test]
    async fn a_second_build_waits_for_the_lock() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("a.lock");
        let first = lock(&path, async || panic!("nobody has it")).await.unwrap();
        let mut told = false;
        let mut first = Some(first);
        let second = lock(&path, async || {
            told = true;
            drop(first.take());
        })
        .await;
        assert!(second.is_ok() && told);
    }
}
