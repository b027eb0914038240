//! Releases: a build and a configuration under a version number that is never reused.

pub mod rollback;
pub mod summary;

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};

use crate::{AppId, BuildId, ConfigId, ReleaseId, UserId, Username};

/// A release's number within its app, from 1. Printed as `v3`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReleaseVersion(pub u32);

impl fmt::Display for ReleaseVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{}", self.0)
    }
}

/// The text is not `v` and a number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a release is named v1, v2, …")]
pub struct ReleaseVersionError;

impl FromStr for ReleaseVersion {
    type Err = ReleaseVersionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.strip_prefix('v').ok_or(ReleaseVersionError)?;
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(ReleaseVersionError);
        }
        digits.parse().map(Self).map_err(|_| ReleaseVersionError)
    }
}

/// Where a release is on its way to running.
///
/// `Created → Deploying → Succeeded | Failed | Superseded | Canceled`; the last four are final. A release without
/// a build has nothing to deploy and is `Succeeded` from the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReleaseState {
    /// Written, not yet taken up by a reconciler.
    Created,
    /// Handed to the engine; its processes are coming up.
    Deploying,
    /// All its processes became ready.
    Succeeded,
    /// Its processes did not become ready; the release before it is what runs.
    Failed,
    /// A later release was made before this one was ready.
    Superseded,
    /// Somebody stopped it.
    Canceled,
}

impl ReleaseState {
    /// The name under which it is stored and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Deploying => "deploying",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Superseded => "superseded",
            Self::Canceled => "canceled",
        }
    }

    /// Whether nothing will change it any more.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Superseded | Self::Canceled)
    }
}

impl FromStr for ReleaseState {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        [Self::Created, Self::Deploying, Self::Succeeded, Self::Failed, Self::Superseded, Self::Canceled]
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or(())
    }
}

/// A release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// Its identity.
    pub id: ReleaseId,
    /// The app it is of.
    pub app: AppId,
    /// Who made it.
    pub owner: UserId,
    /// That user's name.
    pub owner_name: Username,
    /// Its number.
    pub version: ReleaseVersion,
    /// What it changed, in a sentence.
    pub summary: String,
    /// The configuration it runs with.
    pub config: ConfigId,
    /// The build it runs, if there is one yet.
    pub build: Option<BuildId>,
    /// How far it is.
    pub state: ReleaseState,
    /// Why it failed; empty otherwise.
    pub exception: String,
    /// When its deploy must be over, once it has begun.
    pub deadline: Option<DateTime<Utc>>,
    /// When it was made.
    pub created: DateTime<Utc>,
    /// When its state last changed.
    pub updated: DateTime<Utc>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_v_and_a_number() {
        assert_eq!("v12".parse(), Ok(ReleaseVersion(12)));
        for bad in ["", "v", "12", "v-1", "v+1", "vx", "v 1", "v99999999999", "V1"] {
            assert!(bad.parse::<ReleaseVersion>().is_err(), "{bad}");
        }
    }
}
