//! How many things teams have.

use std::collections::BTreeMap;

use slipway_store as store;
use slipway_team::team::Statistics;
use slipway_team::{Result, TeamId};

use crate::Service;
use crate::stored::Stored;

impl Service {
    /// How many things each of these teams has.
    pub(crate) async fn team_statistics(&self, teams: &[TeamId]) -> Result<BTreeMap<TeamId, Statistics>> {
        let mut db = self.read().await?;
        let users = store::team_user_counts(&mut db, teams).await.stored()?;
        let counts = store::team_counts(&mut db, teams).await.stored()?;
        let statistics = |team: &TeamId| {
            let store::TeamCounts { projects, nodes, versions, deployments } =
                counts.get(team).copied().unwrap_or_default();
            Statistics { users: users.get(team).copied().unwrap_or_default(), projects, nodes, versions, deployments }
        };
        Ok(teams.iter().map(|team| (*team, statistics(team))).collect())
    }
}
