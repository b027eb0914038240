//! Whether what a path names is the team's.

use slipway_team::{
    DeploymentId, Error, ImageId, InstanceId, Member, NodeId, NotificationId, ProjectId, RegistryId, Result, StorageId,
    VersionId,
};
use uuid::Uuid;

use super::image::image_of;
use super::project::project_of;
use super::version::version_of;
use crate::Service;

impl Service {
    /// Checks that everything that a path names by these variables belongs to the member's team, and each thing to the
    /// one before it. Asked when a body is refused, since what the path says comes first. Source: `team-api.md` §1.3.
    ///
    /// # Errors
    /// 404 with the kind of what is missing.
    pub async fn team_path_check(&self, member: &Member, ids: &[(&'static str, Uuid)]) -> Result<()> {
        let mut deployment = None;
        for (variable, id) in ids {
            match *variable {
                // The first two are about the team itself, and are looked up with it; the others follow.
                "teamId" | "userId" | "projectId" | "productId" | "versionId" | "imageId" => {}
                "registryId" => {
                    self.registry_get(member, RegistryId::from_uuid(*id)).await?;
                }
                "storageId" => {
                    self.storage_get(member, StorageId::from_uuid(*id)).await?;
                }
                "nodeId" => {
                    self.node_find(member, NodeId::from_uuid(*id)).await?;
                }
                "notificationId" => {
                    self.notification_get(member, NotificationId::from_uuid(*id)).await?;
                }
                "deploymentId" => {
                    let id = DeploymentId::from_uuid(*id);
                    self.team_deployment_listed(member.team.id, id).await?;
                    deployment = Some(id);
                }
                "instanceId" => {
                    let Some(deployment) = deployment else { return Err(Error::not_found("instance")) };
                    self.team_instance_get(member, deployment, InstanceId::from_uuid(*id)).await?;
                }
                other => {
                    let team = &member.team.slug;
                    return Err(slipway_core::Error::internal(format!("nobody can check {other} of {team}")).into());
                }
            }
        }
        self.project_path_check(member, ids).await
    }

    /// A project, a version of it, an image of that.
    async fn project_path_check(&self, member: &Member, ids: &[(&'static str, Uuid)]) -> Result<()> {
        let id = |names: &[&str]| ids.iter().find(|(name, _)| names.contains(name)).map(|(_, id)| *id);
        let Some(project) = id(&["projectId", "productId"]).map(ProjectId::from_uuid) else { return Ok(()) };
        let mut db = self.read().await?;
        let Some(version) = id(&["versionId"]).map(VersionId::from_uuid) else {
            project_of(&mut db, member, project).await.map_err(Error::from)?;
            return Ok(());
        };
        let (_, version) = version_of(&mut db, member, (project, version)).await.map_err(Error::from)?;
        if let Some(image) = id(&["imageId"]).map(ImageId::from_uuid) {
            image_of(&mut db, &version, image).await.map_err(Error::from)?;
        }
        Ok(())
    }
}
