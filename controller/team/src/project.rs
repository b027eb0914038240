//! Projects: what a team deploys.

use crate::version::ProjectKind;
use crate::{ProjectId, Stamp, TeamId};

/// A project of a team.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// Its identity.
    pub id: ProjectId,
    /// Whose it is.
    pub team: TeamId,
    /// Its name, of its own in the team.
    pub name: String,
    /// How it keeps its versions.
    pub kind: ProjectKind,
    /// What it is for.
    pub description: Option<String>,
    /// When and by whom it was made and changed.
    pub stamp: Stamp,
}
