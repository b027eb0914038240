//! Fills one team with as many projects, versions and deployments as a large one has. Used by `tests/bench/team`.
//!
//! Usage: `fill_team URL TEAM USER [PROJECTS]`, with the key of the platform that the database belongs to in
//! `SLIPWAY_SEALING_KEY` (base64). `TEAM` is the identity of a team that is there, `USER` the name of one of its members. There
//! are 1,000 projects unless `PROJECTS` says otherwise; each has ten versions of one image, and each version five
//! deployments.

#![expect(clippy::print_stdout, reason = "a program for people and scripts")]

use std::error::Error;

use chrono::Utc;
use secrecy::SecretString;
use slipway_core::Username;
use slipway_store as store;
use slipway_store::{Db, SealingKey, Store, StoreConfig, StoreError};
use slipway_team::container::ImageConfig;
use slipway_team::deployment::{Deployment, Instance, Status};
use slipway_team::image::Image;
use slipway_team::node::{Access, Node, NodeKind};
use slipway_team::project::Project;
use slipway_team::registry::{Registry, RegistryDetails};
use slipway_team::version::{ProjectKind, Version, VersionKind};
use slipway_team::{DeploymentId, ImageId, InstanceId, NodeId, ProjectId, RegistryId, Stamp, TeamId, VersionId};

/// Projects unless another number is asked for.
const PROJECTS_DEFAULT: usize = 1_000;
const VERSIONS_EACH: usize = 10;
const DEPLOYMENTS_EACH: usize = 5;
/// Projects that one transaction makes.
const PORTION: usize = 20;

/// What all that is made hangs on.
struct Ground {
    team: TeamId,
    registry: RegistryId,
    nodes: Vec<NodeId>,
    stamp: Stamp,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let (Some(url), Some(team), Some(user)) = (words.next(), words.next(), words.next()) else {
        return Err("usage: fill_team URL TEAM USER [PROJECTS]".into());
    };
    let projects = words.next().map_or(Ok(PROJECTS_DEFAULT), |number| number.parse())?;
    let key = SealingKey::from_base64(&std::env::var("SLIPWAY_SEALING_KEY")?)?;
    let store = Store::connect(StoreConfig::new(SecretString::from(url), key)).await?;
    let user = store::user_by_name(&mut store.read().await?, &Username::new(user)?).await?.ok_or("no such user")?;
    let mut transaction = store.transaction().await?;
    let ground = ground(transaction.db(), team.parse()?, Stamp::new(user.id, Utc::now())).await?;
    transaction.commit().await?;
    for first in (0..projects).step_by(PORTION) {
        let mut transaction = store.transaction().await?;
        for number in first..projects.min(first + PORTION) {
            project(transaction.db(), &ground, number).await?;
        }
        transaction.commit().await?;
    }
    let versions = projects * VERSIONS_EACH;
    println!("{projects} projects, {versions} versions, {} deployments", versions * DEPLOYMENTS_EACH);
    Ok(())
}

async fn ground(db: &mut Db, team: TeamId, stamp: Stamp) -> Result<Ground, StoreError> {
    let registry = Registry {
        id: RegistryId::generate(),
        team,
        name: "filled".to_owned(),
        description: None,
        icon: None,
        details: RegistryDetails::library(),
        stamp,
    };
    store::registry_insert(db, &registry).await?;
    let mut nodes = Vec::with_capacity(DEPLOYMENTS_EACH);
    for number in 0..DEPLOYMENTS_EACH {
        let node = Node {
            id: NodeId::generate(),
            team,
            name: format!("node-{number}"),
            description: None,
            icon: None,
            kind: NodeKind::Docker,
            access: Access::None,
            keys: None,
            stamp,
        };
        store::node_insert(db, &node).await?;
        nodes.push(node.id);
    }
    Ok(Ground { team, registry: registry.id, nodes, stamp })
}

async fn project(db: &mut Db, ground: &Ground, number: usize) -> Result<(), StoreError> {
    let project = Project {
        id: ProjectId::generate(),
        team: ground.team,
        name: format!("project-{number:04}"),
        kind: ProjectKind::Versioned,
        description: Some("one of many".to_owned()),
        stamp: ground.stamp,
    };
    store::project_insert(db, &project).await?;
    for number in 0..VERSIONS_EACH {
        version(db, ground, &project, number).await?;
    }
    Ok(())
}

async fn version(db: &mut Db, ground: &Ground, project: &Project, number: usize) -> Result<(), StoreError> {
    let version = Version {
        id: VersionId::generate(),
        project: project.id,
        name: format!("1.{number}.0"),
        kind: VersionKind::Rolling,
        changelog: Some("what is new".to_owned()),
        is_default: number == 0,
        parent: None,
        stamp: ground.stamp,
    };
    store::version_insert(db, &version).await?;
    let image = Image {
        id: ImageId::generate(),
        version: version.id,
        registry: ground.registry,
        name: "nginx".to_owned(),
        tag: Some("1.27".to_owned()),
        order: 0,
        config: ImageConfig::bare("web"),
        created: ground.stamp.created,
    };
    store::image_insert(db, &image).await?;
    for (place, node) in ground.nodes.iter().enumerate() {
        let states = [Status::Successful, Status::Preparing, Status::Failed, Status::Obsolete];
        let deployment = Deployment {
            id: DeploymentId::generate(),
            team: ground.team,
            version: version.id,
            node: *node,
            prefix: format!("{}-{number}", project.name),
            note: None,
            status: states[(number + place) % states.len()],
            tries: 1,
            environment: Vec::new(),
            stamp: ground.stamp,
        };
        store::deployment_insert(db, &deployment).await?;
        let instance = Instance {
            id: InstanceId::generate(),
            deployment: deployment.id,
            image: image.id,
            config: None,
            updated: ground.stamp.created,
        };
        store::instance_insert(db, &instance).await?;
    }
    Ok(())
}
