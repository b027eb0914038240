//! Whether pushed objects have everything that they name.

use std::num::NonZero;
use std::thread;

use git2::{ObjectType, Odb, OdbLookupFlags, Oid, Repository};

use super::command::{Command, RefName};
use super::quarantine::Quarantine;
use super::repository::GitError;

/// Most threads that check one push.
const THREADS_MAX: usize = 4;
/// Fewest objects that are worth a thread.
const SHARE_MIN: usize = 2000;

/// What is missing.
#[derive(Debug, thiserror::Error)]
pub enum ConnectivityError {
    /// An object names one that is not there.
    #[error("{from} names {missing}, which is missing")]
    Missing {
        /// The object that is there.
        from: Oid,
        /// The one that is not.
        missing: Oid,
    },
    /// A ref would point at nothing.
    #[error("missing necessary objects")]
    NoTip,
    /// A ref would point at something that it must not.
    #[error("{0}")]
    WrongKind(&'static str),
    /// An object cannot be read.
    #[error("cannot read the pushed objects: {reason}")]
    Unreadable {
        /// Why.
        reason: String,
    },
    /// A thread of ours died.
    #[error("the check was cut off")]
    Panicked,
}

impl From<GitError> for ConnectivityError {
    fn from(error: GitError) -> Self {
        error.source.into()
    }
}

impl From<git2::Error> for ConnectivityError {
    fn from(error: git2::Error) -> Self {
        Self::Unreadable { reason: error.message().to_owned() }
    }
}

/// Checks every object of the quarantine: what it names is there too, or was before.
///
/// What was there before is complete, so the cost is that of the new objects alone. Submodules are left out: their
/// commits are of another repository.
///
/// # Errors
/// [`ConnectivityError`].
pub fn check(quarantine: &Quarantine) -> Result<(), ConnectivityError> {
    let mut ids = Vec::new();
    quarantine.new_objects()?.foreach(|id| {
        ids.push(*id);
        true
    })?;
    if ids.is_empty() {
        return Ok(());
    }
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(THREADS_MAX);
    let share = ids.len().div_ceil(threads).max(SHARE_MIN);
    thread::scope(|scope| {
        let checks: Vec<_> = ids.chunks(share).map(|ids| scope.spawn(move || check_objects(quarantine, ids))).collect();
        checks.into_iter().try_for_each(|check| check.join().unwrap_or(Err(ConnectivityError::Panicked)))
    })
}

fn check_objects(quarantine: &Quarantine, ids: &[Oid]) -> Result<(), ConnectivityError> {
    let view = quarantine.view()?;
    let all = view.odb()?;
    ids.iter().try_for_each(|id| check_object(&view, &all, *id))
}

fn check_object(view: &Repository, all: &Odb<'_>, from: Oid) -> Result<(), ConnectivityError> {
    let needs = |missing: Oid| {
        // Nobody else adds objects meanwhile: a look at the disk for what came since would be one for each object.
        let is_there = all.exists_ext(missing, OdbLookupFlags::NO_REFRESH);
        if is_there { Ok(()) } else { Err(ConnectivityError::Missing { from, missing }) }
    };
    match all.read_header(from)?.1 {
        ObjectType::Commit => {
            let commit = view.find_commit(from)?;
            needs(commit.tree_id())?;
            commit.parent_ids().try_for_each(needs)
        }
        ObjectType::Tree => {
            let tree = view.find_tree(from)?;
            tree.iter().filter(|entry| entry.kind() != Some(ObjectType::Commit)).try_for_each(|entry| needs(entry.id()))
        }
        ObjectType::Tag => needs(view.find_tag(from)?.target_id()),
        ObjectType::Blob | ObjectType::Any => Ok(()),
    }
}

/// Checks that a ref's new value is there and is of a kind that this ref may have.
///
/// # Errors
/// [`ConnectivityError`].
pub fn check_tip(view: &Repository, command: &Command, name: &RefName) -> Result<(), ConnectivityError> {
    if command.is_deletion() {
        return Ok(());
    }
    let (_, kind) = view.odb()?.read_header(command.new).map_err(|_| ConnectivityError::NoTip)?;
    match kind {
        ObjectType::Commit => Ok(()),
        ObjectType::Tag if name.branch().is_none() => Ok(()),
        ObjectType::Tag => Err(ConnectivityError::WrongKind("a branch cannot point at a tag")),
        ObjectType::Tree | ObjectType::Blob | ObjectType::Any => {
            Err(ConnectivityError::WrongKind("only commits and tags can be pushed"))
        }
    }
}
