//! What a new version takes over from another. Source: `team-api.md` §4.3.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use slipway_store as store;
use slipway_store::Db;
use slipway_team::deployment::{Deployment, Instance, Status};
use slipway_team::image::Image;
use slipway_team::{DeploymentId, ImageId, InstanceId, NodeId, Stamp, VersionId};

use crate::stored::Fail;

/// Which deployments are taken over, and who does it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Copied<'a> {
    /// When and by whom.
    pub(super) stamp: Stamp,
    /// Where the deployments stand that are taken over.
    pub(super) statuses: &'a [Status],
}

/// Copies the images of a version to another, and its deployments with what their instances have otherwise. Secrets go
/// with them: the node is the same, and so it can decrypt them.
///
/// Of deployments with the same node and prefix, the one that was changed last is copied: two of them side by side, both
/// in preparation, could not be made otherwise.
pub(super) async fn version_copy(db: &mut Db, from: VersionId, to: VersionId, how: Copied<'_>) -> Result<(), Fail> {
    let mut images = BTreeMap::new();
    for old in store::images_by_versions(db, &[from]).await?.remove(&from).unwrap_or_default() {
        let image = Image { id: ImageId::generate(), version: to, created: how.stamp.created, ..old };
        store::image_insert(db, &image).await?;
        images.insert(old.id, image.id);
    }
    let deployments = store::deployments_by_versions(db, &[from]).await?.remove(&from).unwrap_or_default();
    let deployments = newest(deployments, how.statuses);
    let ids: Vec<DeploymentId> = deployments.iter().map(|deployment| deployment.id).collect();
    let mut instances = store::instances_by_deployments(db, &ids).await?;
    for old in deployments {
        let instances = instances.remove(&old.id).unwrap_or_default();
        let deployment = Deployment {
            id: DeploymentId::generate(),
            version: to,
            status: Status::Preparing,
            tries: 0,
            stamp: how.stamp,
            ..old
        };
        store::deployment_insert(db, &deployment).await?;
        for old in instances {
            let Some(image) = images.get(&old.image).copied() else { continue };
            let (id, updated) = (InstanceId::generate(), how.stamp.created);
            store::instance_insert(db, &Instance { id, deployment: deployment.id, image, config: old.config, updated })
                .await?;
        }
    }
    Ok(())
}

/// The deployments that stand at one of these, of each node and prefix the one that was changed last.
fn newest(mut deployments: Vec<Deployment>, statuses: &[Status]) -> Vec<Deployment> {
    deployments.retain(|deployment| statuses.contains(&deployment.status));
    deployments.sort_by_key(|deployment| Reverse(deployment.stamp.updated));
    let mut seen: BTreeSet<(NodeId, String)> = BTreeSet::new();
    deployments.retain(|deployment| seen.insert((deployment.node, deployment.prefix.clone())));
    deployments
}
