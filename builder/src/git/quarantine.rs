//! Where a push's objects stay until the push is accepted.
//!
//! The repository never holds an object whose links it does not hold as well. That is why a pack is indexed and
//! checked here, beside the live objects, and moved in only as a whole.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use git2::{Odb, Repository};

use super::repository::GitError;

/// How the directories of quarantines begin.
pub(super) const PREFIX: &str = "incoming-";

/// A directory of objects within a repository, gone when this is dropped.
#[derive(Debug)]
pub struct Quarantine {
    repository: PathBuf,
    directory: PathBuf,
}

impl Quarantine {
    /// Makes an empty one within the bare repository at `repository`.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn create(repository: &Path) -> io::Result<Self> {
        let directory = repository.join(format!("{PREFIX}{}", uuid::Uuid::new_v4()));
        fs::create_dir(&directory)?;
        let quarantine = Self { repository: repository.to_owned(), directory };
        fs::create_dir(quarantine.pack_directory())?;
        Ok(quarantine)
    }

    /// Where packs go.
    #[must_use]
    pub fn pack_directory(&self) -> PathBuf {
        self.directory.join("pack")
    }

    /// The objects that the repository has had before.
    ///
    /// # Errors
    /// [`GitError`].
    pub fn known_objects(&self) -> Result<Odb<'static>, GitError> {
        objects(&[self.repository.join("objects")])
    }

    /// The objects of this push alone.
    ///
    /// # Errors
    /// [`GitError`].
    pub fn new_objects(&self) -> Result<Odb<'static>, GitError> {
        objects(std::slice::from_ref(&self.directory))
    }

    /// A view of the objects that there will be when the push is accepted. It has no refs.
    ///
    /// # Errors
    /// [`GitError`].
    pub fn view(&self) -> Result<Repository, GitError> {
        let all = objects(&[self.directory.clone(), self.repository.join("objects")])?;
        Repository::from_odb(all).map_err(|source| GitError { doing: "opening the pushed objects", source })
    }

    /// Moves the packs into the repository, on stable storage; doing it twice is no error.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn migrate(&self) -> io::Result<()> {
        let target = self.repository.join("objects").join("pack");
        let mut names = Vec::new();
        for entry in fs::read_dir(self.pack_directory())? {
            let name = entry?.file_name();
            let text = name.to_string_lossy();
            if text.starts_with("pack-") && (text.ends_with(".pack") || text.ends_with(".idx")) {
                names.push(name);
            }
        }
        if names.is_empty() {
            return Ok(());
        }
        // A reader takes an index to mean that the pack is there: the pack goes first.
        names.sort_by_key(|name| name.to_string_lossy().ends_with(".idx"));
        fs::create_dir_all(&target)?;
        for name in names {
            let from = self.pack_directory().join(&name);
            File::open(&from)?.sync_all()?;
            fs::rename(&from, target.join(&name))?;
        }
        File::open(&target)?.sync_all()
    }
}

impl Drop for Quarantine {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.directory) {
            tracing::warn!(path = %self.directory.display(), %error, "cannot remove a quarantine; the next start will");
        }
    }
}

fn objects(directories: &[PathBuf]) -> Result<Odb<'static>, GitError> {
    let doing = "opening objects";
    let odb = Odb::new().map_err(|source| GitError { doing, source })?;
    for directory in directories {
        let path = directory
            .to_str()
            .ok_or_else(|| GitError { doing, source: git2::Error::from_str("the data directory is not UTF-8") })?;
        odb.add_disk_alternate(path).map_err(|source| GitError { doing, source })?;
    }
    Ok(odb)
}
