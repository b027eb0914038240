//! The dashboard of a team. Source: `team-api.md` §4.10.

use slipway_store as store;
use slipway_team::{Member, Result};

use crate::Service;
use crate::stored::Stored;

/// How far a team has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dashboard {
    /// Members.
    pub users: u64,
    /// Entries of the record.
    pub audit_entries: u64,
    /// Projects, nodes, versions, deployments.
    pub counts: store::TeamCounts,
    /// Deployments that failed.
    pub failed_deployments: u64,
    /// The things by which progress is seen.
    pub progress: store::Progress,
}

impl Service {
    /// How far the member's team has come.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn team_dashboard(&self, member: &Member) -> Result<Dashboard> {
        let team = member.team.id;
        let mut db = self.read().await?;
        let (users, failed_deployments) = store::team_member_and_failure_counts(&mut db, team).await.stored()?;
        let counts = store::team_counts(&mut db, &[team]).await.stored()?.remove(&team).unwrap_or_default();
        Ok(Dashboard {
            users,
            audit_entries: store::team_audit_count(&mut db, team).await.stored()?,
            counts,
            failed_deployments,
            progress: store::team_progress(&mut db, team).await.stored()?,
        })
    }
}
