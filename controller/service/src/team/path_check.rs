//! Whether what a path names is the team's.

use slipway_team::{Error, Member, NotificationId, RegistryId, Result, StorageId};
use uuid::Uuid;

use crate::Service;

impl Service {
    /// Checks that everything that a path names by these variables belongs to the member's team, and each thing to the
    /// one before it. Asked when a body is refused, since what the path says comes first. Source: `team-api.md` §1.3.
    ///
    /// # Errors
    /// 404 with the kind of what is missing.
    pub async fn team_path_check(&self, member: &Member, ids: &[(&'static str, Uuid)]) -> Result<()> {
        for (variable, id) in ids {
            match *variable {
                // These two are about the team itself, and are looked up with it.
                "teamId" | "userId" => {}
                "registryId" => {
                    self.registry_get(member, RegistryId::from_uuid(*id)).await?;
                }
                "storageId" => {
                    self.storage_get(member, StorageId::from_uuid(*id)).await?;
                }
                "notificationId" => {
                    self.notification_get(member, NotificationId::from_uuid(*id)).await?;
                }
                other => {
                    let team = &member.team.slug;
                    return Err(slipway_core::Error::internal(format!("nobody can check {other} of {team}")).into());
                }
            }
        }
        Ok::<(), Error>(())
    }
}
