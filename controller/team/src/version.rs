//! Projects, their versions, and what may be done with them.
//!
//! Source: `team-api.md` §4.3.

use crate::deployment::Status;
use crate::{ProjectId, Stamp, VersionId};

/// How a project keeps its versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProjectKind {
    /// One rolling version, [`ROLLING`], which nobody sees.
    Versionless,
    /// As many as people make.
    Versioned,
}

/// The name of the one version of a versionless project.
pub const ROLLING: &str = "rolling";

impl ProjectKind {
    /// The kind as it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Versionless => "versionless",
            Self::Versioned => "versioned",
        }
    }

    /// Reads what [`Self::as_str`] writes.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Versionless, Self::Versioned].into_iter().find(|kind| kind.as_str() == text)
    }
}

/// What a version is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VersionKind {
    /// Frozen once it was deployed; the next one is made from it.
    Incremental,
    /// Changed and deployed again and again.
    Rolling,
}

impl VersionKind {
    /// The kind as it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Incremental => "incremental",
            Self::Rolling => "rolling",
        }
    }

    /// Reads what [`Self::as_str`] writes.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Incremental, Self::Rolling].into_iter().find(|kind| kind.as_str() == text)
    }
}

/// A version of a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Its identity.
    pub id: VersionId,
    /// The project that it is of.
    pub project: ProjectId,
    /// Its name, of its own in the project.
    pub name: String,
    /// What it is for.
    pub kind: VersionKind,
    /// What changed.
    pub changelog: Option<String>,
    /// Whether new versions begin as copies of it. One version of a project at most.
    pub is_default: bool,
    /// The version that it was made from by increasing. A version has one child at most.
    pub parent: Option<VersionId>,
    /// When and by whom it was made and changed.
    pub stamp: Stamp,
}

/// What may be done with a version; it follows from what there is, so that it is never stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flags {
    /// Whether the next version may be made from it.
    pub is_increasable: bool,
    /// Whether its images may be changed.
    pub is_mutable: bool,
    /// Whether it may be deleted.
    pub is_deletable: bool,
}

/// What may be done with a version of `kind` in a project of `project`, which has or has not a child, and whose
/// deployments have these states.
#[must_use]
pub fn flags(project: ProjectKind, kind: VersionKind, has_child: bool, deployments: &[Status]) -> Flags {
    let all_mutable = deployments.iter().all(|status| status.is_mutable(kind));
    let is_increasable = kind == VersionKind::Incremental && !has_child;
    Flags {
        is_increasable,
        is_mutable: kind == VersionKind::Rolling || (is_increasable && all_mutable),
        is_deletable: all_mutable
            && match kind {
                VersionKind::Rolling => project == ProjectKind::Versioned,
                VersionKind::Incremental => is_increasable,
            },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Status::{Failed, InProgress, Obsolete, Preparing, Successful};

    /// `(increasable, mutable, deletable)`.
    fn of(project: ProjectKind, kind: VersionKind, has_child: bool, deployments: &[Status]) -> (bool, bool, bool) {
        let flags = flags(project, kind, has_child, deployments);
        (flags.is_increasable, flags.is_mutable, flags.is_deletable)
    }

    #[test]
    fn what_may_be_done_follows_from_what_there_is() {
        use ProjectKind::{Versioned, Versionless};
        use VersionKind::{Incremental, Rolling};
        for (project, kind, has_child, deployments, expected) in [
            (Versionless, Rolling, false, &[][..], (false, true, false)),
            (Versioned, Rolling, false, &[], (false, true, true)),
            (Versioned, Rolling, false, &[Successful, Failed], (false, true, true)),
            (Versioned, Rolling, false, &[InProgress], (false, true, false)),
            (Versioned, Rolling, false, &[Obsolete], (false, true, false)),
            (Versioned, Incremental, false, &[], (true, true, true)),
            (Versioned, Incremental, false, &[Preparing, Failed], (true, true, true)),
            (Versioned, Incremental, false, &[Successful], (true, false, false)),
            (Versioned, Incremental, false, &[Preparing, Obsolete], (true, false, false)),
            (Versioned, Incremental, true, &[], (false, false, false)),
        ] {
            assert_eq!(of(project, kind, has_child, deployments), expected, "{kind:?} {has_child} {deployments:?}");
        }
    }

    #[test]
    fn kinds_are_read_as_they_are_written() {
        for kind in [ProjectKind::Versionless, ProjectKind::Versioned] {
            assert_eq!(ProjectKind::parse(kind.as_str()), Some(kind));
        }
        for kind in [VersionKind::Incremental, VersionKind::Rolling] {
            assert_eq!(VersionKind::parse(kind.as_str()), Some(kind));
        }
        assert_eq!(ProjectKind::parse("simple"), None);
        assert_eq!(VersionKind::parse("Rolling"), None);
    }
}
