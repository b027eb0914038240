//! The bare repositories, one an app, named by the app's id.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use git2::{ErrorCode, Oid, Reference, Repository, RepositoryInitOptions};
use slipway_core::AppId;

use super::command::RefName;
use super::quarantine;

/// libgit2 could not do something.
#[derive(Debug, thiserror::Error)]
#[error("{doing} failed")]
pub struct GitError {
    /// What was being done.
    pub doing: &'static str,
    /// The cause.
    #[source]
    pub source: git2::Error,
}

/// The directory that holds all repositories.
#[derive(Debug, Clone)]
pub struct Repositories {
    root: PathBuf,
}

impl Repositories {
    /// Opens the directory, makes it if it is missing, and removes what pushes left there that were cut off.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn open(root: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&root)?;
        let repositories = Self { root };
        for (_, path, _) in repositories.list()? {
            for entry in fs::read_dir(&path)? {
                let entry = entry?;
                if entry.file_name().to_string_lossy().starts_with(quarantine::PREFIX) {
                    fs::remove_dir_all(entry.path())?;
                }
            }
        }
        Ok(repositories)
    }

    /// Where an app's repository is, or would be.
    #[must_use]
    pub fn path(&self, app: AppId) -> PathBuf {
        self.root.join(format!("{app}.git"))
    }

    /// Makes an app's repository if it has none, and tells where it is.
    ///
    /// # Errors
    /// [`GitError`].
    pub fn ensure(&self, app: AppId) -> Result<PathBuf, GitError> {
        let path = self.path(app);
        if Repository::open_bare(&path).is_err() {
            let mut options = RepositoryInitOptions::new();
            options.bare(true).mkpath(true).external_template(false).initial_head("main");
            Repository::init_opts(&path, &options)
                .map_err(|source| GitError { doing: "making the repository", source })?;
        }
        Ok(path)
    }

    /// Every repository: whose it is, where, and when something in it was last added or removed.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn list(&self) -> io::Result<Vec<(AppId, PathBuf, SystemTime)>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.root)? {
            let entry = entry?;
            let name = entry.file_name();
            let app = name.to_str().and_then(|name| name.strip_suffix(".git")).and_then(|id| id.parse().ok());
            if let Some(app) = app {
                found.push((app, entry.path(), entry.metadata()?.modified()?));
            }
        }
        Ok(found)
    }

    /// Removes an app's repository; none is no error.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn remove(&self, app: AppId) -> io::Result<()> {
        match fs::remove_dir_all(self.path(app)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

/// All refs of the repository at `path` and what they point at, without symbolic ones.
///
/// # Errors
/// [`GitError`].
pub fn refs(path: &Path) -> Result<BTreeMap<String, Oid>, GitError> {
    let fail = |source| GitError { doing: "reading the refs", source };
    let repository = Repository::open_bare(path).map_err(fail)?;
    let mut refs = BTreeMap::new();
    for reference in repository.references().map_err(fail)? {
        let reference: Reference<'_> = reference.map_err(fail)?;
        if let (Ok(name), Some(target)) = (reference.name(), reference.target()) {
            refs.insert(name.to_owned(), target);
        }
    }
    Ok(refs)
}

/// One change of a ref.
#[derive(Debug, Clone)]
pub struct RefUpdate {
    /// Which.
    pub name: RefName,
    /// What it must be for the change to happen; zero: it must not be there.
    pub old: Oid,
    /// What it becomes; zero: it goes.
    pub new: Oid,
}

/// Changes refs of the repository at `path`, each only if it still is what the pusher saw; with `is_atomic`, all or none.
///
/// One result for each update, in their order; an error is for the pusher.
///
/// # Errors
/// [`GitError`] if the repository cannot be opened.
pub fn update_refs(path: &Path, updates: &[RefUpdate], is_atomic: bool) -> Result<Vec<Result<(), String>>, GitError> {
    let repository =
        Repository::open_bare(path).map_err(|source| GitError { doing: "opening the repository", source })?;
    if !is_atomic {
        return Ok(updates.iter().map(|update| apply(&repository, std::slice::from_ref(update))).collect());
    }
    let outcome = apply(&repository, updates);
    Ok(updates.iter().map(|_| outcome.clone()).collect())
}

fn apply(repository: &Repository, updates: &[RefUpdate]) -> Result<(), String> {
    let say = |error: git2::Error| match error.code() {
        ErrorCode::Locked => "the ref is locked".to_owned(),
        _ => "failed to update ref".to_owned(),
    };
    let mut transaction = repository.transaction().map_err(say)?;
    for update in updates {
        transaction.lock_ref(update.name.as_str()).map_err(say)?;
    }
    for update in updates {
        let name = update.name.as_str();
        let current = match repository.find_reference(name) {
            Ok(reference) => reference.target().unwrap_or(Oid::ZERO_SHA1),
            Err(error) if error.code() == ErrorCode::NotFound => Oid::ZERO_SHA1,
            Err(error) => return Err(say(error)),
        };
        if current != update.old {
            return Err("the ref was changed meanwhile; fetch first".to_owned());
        }
        if !update.new.is_zero() {
            transaction.set_target(name, update.new, None, "push").map_err(say)?;
        } else if !current.is_zero() {
            transaction.remove(name).map_err(say)?;
        }
    }
    transaction.commit().map_err(say)
}
