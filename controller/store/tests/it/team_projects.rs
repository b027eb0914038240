//! Projects, versions, images, nodes and deployments of teams.

use chrono::{DateTime, SubsecRound as _, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};
use slipway_core::{Page, UserId};
use slipway_store::*;
use slipway_team::container::{Effective, ImageConfig, InstanceConfig};
use slipway_team::deployment::start::{Start, Starter, Unit};
use slipway_team::deployment::{Deployment, DeploymentEvent, DeploymentToken, Instance, News, Status};
use slipway_team::image::Image;
use slipway_team::node::{Access, EngineTls, Node, NodeKeys, NodeKind};
use slipway_team::project::Project;
use slipway_team::registry::{Registry, RegistryDetails};
use slipway_team::version::{ProjectKind, Version, VersionKind};
use slipway_team::{
    DeploymentId, DeploymentTokenId, ImageId, InstanceId, NodeId, ProjectId, RegistryId, Stamp, StorageId, TeamId,
    VersionId,
};
use uuid::Uuid;

use crate::fixtures::*;
use crate::teams::{conflict, team, user};

/// A time as a database keeps it.
fn then(n: i64) -> DateTime<Utc> {
    at(n).trunc_subsecs(6)
}

fn patch(value: Value) -> Map<String, Value> {
    serde_json::from_value(value).unwrap()
}

fn project(team: TeamId, user: UserId, name: &str, n: i64) -> Project {
    let (id, stamp) = (ProjectId::generate(), Stamp::new(user, then(n)));
    Project { id, team, name: name.to_owned(), kind: ProjectKind::Versioned, description: None, stamp }
}

fn version(of: &Project, name: &str, n: i64) -> Version {
    Version {
        id: VersionId::generate(),
        project: of.id,
        name: name.to_owned(),
        kind: VersionKind::Incremental,
        changelog: Some("new".to_owned()),
        is_default: false,
        parent: None,
        stamp: Stamp::new(of.stamp.created_by, then(n)),
    }
}

fn node(team: TeamId, user: UserId, name: &str, access: Access) -> Node {
    Node {
        id: NodeId::generate(),
        team,
        name: name.to_owned(),
        description: None,
        icon: None,
        kind: NodeKind::Kubernetes,
        access,
        keys: None,
        stamp: Stamp::new(user, then(1)),
    }
}

/// A team with a project, a version with two images, and a node.
struct Bed {
    team: TeamId,
    user: UserId,
    project: Project,
    version: Version,
    images: Vec<Image>,
    node: Node,
}

async fn bed(test: &testing::TestStore) -> Bed {
    let user = user(test, "ann").await;
    let team = team(test, "first", user, 1).await.id;
    let project = project(team, user, "shop", 2);
    let version = version(&project, "1.0", 3);
    let details: RegistryDetails = RegistryDetails {
        kind: "unchecked".parse().unwrap(),
        url: "registry.example".to_owned(),
        image_prefix: None,
        namespace: None,
        api_url: None,
        credentials: None,
    };
    let registry = Registry {
        id: RegistryId::generate(),
        team,
        name: "ours".to_owned(),
        description: None,
        icon: None,
        details,
        stamp: Stamp::new(user, then(1)),
    };
    let image = |name: &str, order: u32| Image {
        id: ImageId::generate(),
        version: version.id,
        registry: registry.id,
        name: name.to_owned(),
        tag: Some("1".to_owned()),
        order,
        created: then(4),
        config: ImageConfig::bare(name)
            .patch(&patch(json!({"environment": [{"id": "e", "key": "A", "value": "hunter2"}]})))
            .unwrap(),
    };
    let images = vec![image("web", 0), image("worker", 1)];
    let node = node(team, user, "cluster", Access::Platform);
    test.store
        .write(async |db| -> Result<(), StoreError> {
            registry_insert(db, &registry).await?;
            project_insert(db, &project).await?;
            version_insert(db, &version).await?;
            for image in &images {
                image_insert(db, image).await?;
            }
            node_insert(db, &node).await
        })
        .await
        .unwrap();
    Bed { team, user, project, version, images, node }
}

fn deployment(bed: &Bed, prefix: &str, n: i64) -> Deployment {
    Deployment {
        id: DeploymentId::generate(),
        team: bed.team,
        version: bed.version.id,
        node: bed.node.id,
        prefix: prefix.to_owned(),
        note: None,
        status: Status::Preparing,
        tries: 0,
        environment: serde_json::from_value(json!([{"id": "1", "key": "STAGE", "value": "hunter3"}])).unwrap(),
        stamp: Stamp::new(bed.user, then(n)),
    }
}

both! {
    async fn projects_and_versions_are_of_their_team(test) {
        let bed = bed(&test).await;
        let others = team(&test, "second", bed.user, 1).await.id;
        test.store.write(async |db| -> Result<(), StoreError> {
            assert_eq!(project_by_id(db, bed.team, bed.project.id).await?, Some(bed.project.clone()));
            assert_eq!(project_by_id(db, others, bed.project.id).await?, None);
            let changed = Project { name: "store".to_owned(), kind: ProjectKind::Versionless, ..bed.project.clone() };
            assert!(project_update(db, &changed).await?);
            assert!(!project_update(db, &Project { team: others, ..changed.clone() }).await?);
            assert_eq!(projects_list(db, bed.team).await?, [changed]);
            assert_eq!(project_version_counts(db, bed.team).await?.into_values().collect::<Vec<_>>(), [1]);
            assert_eq!(versions_list(db, bed.project.id, None).await?, std::slice::from_ref(&bed.version));
            assert_eq!(versions_list(db, bed.project.id, Some(".0")).await?.len(), 1);
            for none in ["2", "\0"] {
                assert_eq!(versions_list(db, bed.project.id, Some(none)).await?, []);
            }
            assert!(!project_delete(db, others, bed.project.id).await?);
            assert!(project_delete(db, bed.team, bed.project.id).await?);
            assert_eq!(version_by_id(db, bed.project.id, bed.version.id).await?, None);
            Ok(())
        }).await.unwrap();
    }

    async fn names_are_their_own_and_a_version_has_one_child(test) {
        let bed = bed(&test).await;
        let same = project(bed.team, bed.user, "shop", 5);
        assert_eq!(conflict(test.store.write(async |db| project_insert(db, &same).await).await), UniqueOn::ProjectName);
        let twin = version(&bed.project, "1.0", 5);
        assert_eq!(conflict(test.store.write(async |db| version_insert(db, &twin).await).await), UniqueOn::VersionName);
        let child = |name: &str| Version { parent: Some(bed.version.id), ..version(&bed.project, name, 6) };
        let first = child("1.1");
        test.store.write(async |db| version_insert(db, &first).await).await.unwrap();
        let second = child("1.2");
        let refused = test.store.write(async |db| version_insert(db, &second).await).await;
        assert_eq!(conflict(refused), UniqueOn::VersionParent);
        let grandchild = Version { parent: Some(first.id), ..version(&bed.project, "1.1.1", 7) };
        test.store.write(async |db| -> Result<(), StoreError> {
            version_insert(db, &grandchild).await?;
            let parents: Vec<VersionId> = version_parents(db, bed.project.id).await?.into_iter().collect();
            assert_eq!(parents.len(), 2);
            let kin = |id: VersionId| (id, bed.project.id);
            for ((id, project), expected) in [
                (kin(bed.version.id), vec![first.id, grandchild.id]),
                (kin(first.id), vec![bed.version.id, grandchild.id]),
                (kin(grandchild.id), vec![first.id, bed.version.id]),
            ] {
                assert_eq!(version_kin(db, project, id).await?, expected);
            }
            assert!(version_delete(db, bed.project.id, first.id).await?);
            assert_eq!(version_by_id(db, bed.project.id, grandchild.id).await?.unwrap().parent, None);
            Ok(())
        }).await.unwrap();
        let twin = node(bed.team, bed.user, "cluster", Access::None);
        assert_eq!(conflict(test.store.write(async |db| node_insert(db, &twin).await).await), UniqueOn::NodeName);
    }

    async fn one_version_is_the_default(test) {
        let bed = bed(&test).await;
        let second = version(&bed.project, "2.0", 5);
        let by = (bed.user, then(9));
        test.store.write(async |db| -> Result<(), StoreError> {
            version_insert(db, &second).await?;
            assert_eq!(version_default(db, bed.project.id).await?, None);
            for id in [bed.version.id, second.id, second.id] {
                assert!(version_set_default(db, bed.project.id, id, by).await?);
                assert_eq!(version_default(db, bed.project.id).await?.unwrap().id, id);
            }
            assert!(!version_set_default(db, bed.project.id, VersionId::generate(), by).await?);
            assert_eq!(version_default(db, bed.project.id).await?.unwrap().id, second.id);
            Ok(())
        }).await.unwrap();
        let third = Version { is_default: true, ..version(&bed.project, "3.0", 6) };
        let refused = test.store.write(async |db| version_insert(db, &third).await).await;
        assert_eq!(conflict(refused), UniqueOn::VersionDefault);
    }

    async fn images_keep_their_order_and_hold_on_to_their_registry(test) {
        let bed = bed(&test).await;
        let registry = bed.images[0].registry;
        test.store.write(async |db| -> Result<(), StoreError> {
            let stored = images_by_versions(db, &[bed.version.id]).await?;
            assert_eq!(stored[&bed.version.id], bed.images);
            let config = bed.images[0].config.patch(&patch(json!({"tty": true}))).unwrap();
            let changed = Image { config, tag: None, ..bed.images[0].clone() };
            assert!(image_update(db, &changed).await?);
            assert_eq!(image_by_id(db, bed.version.id, changed.id).await?, Some(changed.clone()));
            assert_eq!(image_by_id(db, VersionId::generate(), changed.id).await?, None);
            for (place, image) in [(1, &bed.images[0]), (0, &bed.images[1])] {
                assert!(image_set_order(db, bed.version.id, image.id, place).await?);
            }
            let order: Vec<ImageId> =
                images_by_versions(db, &[bed.version.id]).await?[&bed.version.id].iter().map(|image| image.id).collect();
            assert_eq!(order, [bed.images[1].id, bed.images[0].id]);
            assert_eq!(registries_in_use(db, &[registry, RegistryId::generate()]).await?, [registry].into());
            Ok(())
        }).await.unwrap();
        let refused = test.store.write(async |db| registry_delete(db, bed.team, registry).await).await;
        assert!(matches!(refused, Err(StoreError::Reference)), "{refused:?}");
        // The team takes all of it along, whatever holds on to what.
        test.store.write(async |db| team_delete(db, bed.team).await).await.unwrap();
        let mut db = test.store.read().await.unwrap();
        assert!(images_by_versions(&mut db, &[bed.version.id]).await.unwrap().is_empty());
    }

    async fn nodes_keep_how_they_are_reached_sealed(test) {
        let bed = bed(&test).await;
        let kubeconfig = Access::Kubeconfig(SecretString::from("hunter4"));
        let tls = EngineTls {
            authority: "authority".to_owned(),
            certificate: "certificate".to_owned(),
            key: SecretString::from("hunter5"),
        };
        let engine = Access::Engine { address: "tcp://host.example:2376".to_owned(), tls: Some(tls) };
        let keys = NodeKeys { public: "public".to_owned(), secret: SecretString::from("hunter6") };
        let joined = Node { keys: Some(keys), ..node(bed.team, bed.user, "joined", kubeconfig) };
        let docker = Node { kind: NodeKind::Docker, ..node(bed.team, bed.user, "docker", engine) };
        test.store.write(async |db| -> Result<(), StoreError> {
            node_insert(db, &joined).await?;
            node_insert(db, &docker).await?;
            let read = node_by_id(db, bed.team, joined.id).await?.unwrap();
            assert!(matches!(&read.access, Access::Kubeconfig(config) if config.expose_secret() == "hunter4"));
            let keys = read.keys.as_ref().unwrap();
            assert_eq!((keys.public.as_str(), keys.secret.expose_secret()), ("public", "hunter6"));
            assert!(!format!("{read:?}").contains("hunter"));
            let read = node_by_id(db, bed.team, docker.id).await?.unwrap();
            assert!(matches!(&read.access, Access::Engine { address, tls: Some(tls) }
                if address.ends_with(":2376") && tls.key.expose_secret() == "hunter5"));
            let names: Vec<String> = nodes_list(db, bed.team).await?.into_iter().map(|node| node.name).collect();
            assert_eq!(names.len(), 3);
            assert!(node_update(db, &Node { name: "renamed".to_owned(), access: Access::None, ..read.clone() }).await?);
            let read = node_by_id(db, bed.team, docker.id).await?.unwrap();
            assert!(matches!((read.name.as_str(), &read.access), ("renamed", Access::None)));
            assert!(!node_is_used(db, docker.id).await?);
            assert!(node_delete(db, bed.team, docker.id).await?);
            Ok(())
        }).await.unwrap();
        let used = deployment(&bed, "prod", 5);
        test.store.write(async |db| deployment_insert(db, &used).await).await.unwrap();
        assert!(node_is_used(&mut test.store.read().await.unwrap(), bed.node.id).await.unwrap());
        let refused = test.store.write(async |db| node_delete(db, bed.team, bed.node.id).await).await;
        assert!(matches!(refused, Err(StoreError::Reference)), "{refused:?}");
    }

    async fn of_two_who_start_a_deployment_one_does(test) {
        let bed = bed(&test).await;
        let deployment = deployment(&bed, "prod", 5);
        let (from, to) = ((Status::Preparing, 0), (Status::InProgress, 1));
        test.store.write(async |db| -> Result<(), StoreError> {
            deployment_insert(db, &deployment).await?;
            assert_eq!(deployment_by_id(db, bed.team, deployment.id).await?, Some(deployment.clone()));
            assert!(deployment_move(db, deployment.id, from, to, then(6)).await?);
            assert!(!deployment_move(db, deployment.id, from, to, then(6)).await?);
            assert_eq!(deployments_in_progress(db).await?, [(bed.team, deployment.id, 1)]);
            let stands = deployment_by_id(db, bed.team, deployment.id).await?.unwrap();
            assert_eq!((stands.status, stands.tries), (Status::InProgress, 1));
            // What people write does not move it.
            assert!(deployment_update(db, &Deployment { note: Some("n".to_owned()), ..deployment.clone() }).await?);
            let stands = deployment_by_id(db, bed.team, deployment.id).await?.unwrap();
            assert_eq!((stands.status, stands.note.as_deref()), (Status::InProgress, Some("n")));
            assert!(deployment_move(db, deployment.id, to, (Status::Failed, 1), then(7)).await?);
            assert_eq!(deployments_in_progress(db).await?, []);
            Ok(())
        }).await.unwrap();
    }

    async fn deployments_are_found_by_place_version_and_team(test) {
        let bed = bed(&test).await;
        let (first, second, elsewhere) =
            (deployment(&bed, "prod", 5), deployment(&bed, "prod", 6), deployment(&bed, "test", 7));
        let others = team(&test, "second", bed.user, 1).await.id;
        test.store.write(async |db| -> Result<(), StoreError> {
            for one in [&first, &second, &elsewhere] {
                deployment_insert(db, one).await?;
            }
            let placed: Vec<DeploymentId> =
                deployments_placed(db, bed.node.id, "prod").await?.iter().map(|one| one.id).collect();
            assert_eq!(placed, [first.id, second.id]);
            assert!(deployments_placed(db, bed.node.id, "p\0").await?.is_empty());
            let listed: Vec<DeploymentId> = deployments_list(db, bed.team).await?.iter().map(|one| one.id).collect();
            assert_eq!(listed, [elsewhere.id, second.id, first.id], "newest first");
            assert_eq!(deployments_by_versions(db, &[bed.version.id]).await?[&bed.version.id].len(), 3);
            assert!(deployments_list(db, others).await?.is_empty());
            assert!(deployment_by_id(db, others, first.id).await?.is_none());
            assert!(!deployment_delete(db, others, first.id).await?);
            assert!(deployment_delete(db, bed.team, first.id).await?);
            Ok(())
        }).await.unwrap();
    }

    async fn instances_go_with_their_image_and_their_deployment(test) {
        let bed = bed(&test).await;
        let deployment = deployment(&bed, "prod", 5);
        let instance = |image: &Image| Instance {
            id: InstanceId::generate(), deployment: deployment.id, image: image.id, config: None, updated: then(5),
        };
        let (worker, web) = (instance(&bed.images[1]), instance(&bed.images[0]));
        test.store.write(async |db| -> Result<(), StoreError> {
            deployment_insert(db, &deployment).await?;
            for one in [&worker, &web] {
                instance_insert(db, one).await?;
            }
            let listed = instances_by_deployments(db, &[deployment.id]).await?;
            assert_eq!(listed[&deployment.id], [web.clone(), worker.clone()], "in the order of the images");
            let secret = json!({"secrets": [{"id": "s", "key": "S", "value": "message", "encrypted": true}]});
            let config = InstanceConfig::default().patch(&bed.images[0].config, &patch(secret)).unwrap();
            let changed = Instance { config: Some(config), updated: then(6), ..web.clone() };
            assert!(instance_update(db, &changed).await?);
            assert_eq!(instance_by_id(db, deployment.id, web.id).await?, Some(changed));
            assert_eq!(instance_by_id(db, DeploymentId::generate(), web.id).await?, None);
            let (ours, others) = (StorageId::generate(), StorageId::generate());
            assert!(storages_in_use(db, &[ours, others]).await?.is_empty());
            let import = patch(json!({"storage": {"storageId": ours.to_string(), "path": "data", "bucket": "b"}}));
            let config = InstanceConfig::default().patch(&bed.images[0].config, &import).unwrap();
            assert!(instance_update(db, &Instance { config: Some(config), ..web.clone() }).await?);
            assert_eq!(storages_in_use(db, &[ours, others]).await?, [ours].into());
            assert!(instance_update(db, &web).await?);
            let config = bed.images[0].config.patch(&import).unwrap();
            assert!(image_update(db, &Image { config, ..bed.images[0].clone() }).await?);
            assert_eq!(storages_in_use(db, &[ours, others]).await?, [ours].into());
            assert!(image_delete(db, bed.version.id, bed.images[1].id).await?);
            assert_eq!(instances_by_deployments(db, &[deployment.id]).await?[&deployment.id].len(), 1);
            Ok(())
        }).await.unwrap();
        let twin = instance(&bed.images[0]);
        let refused = test.store.write(async |db| instance_insert(db, &twin).await).await;
        assert!(matches!(refused, Err(StoreError::Conflict { .. })), "{refused:?}");
    }

    async fn events_are_cut_newest_first_and_told_oldest_first(test) {
        let bed = bed(&test).await;
        let deployment = deployment(&bed, "prod", 5);
        let event = |attempt: u32, n: i64, news: News| DeploymentEvent { deployment: deployment.id, attempt, created: then(n), news };
        let container = News::Container { instance: InstanceId::generate(), state: "running".to_owned() };
        let all = [
            event(1, 6, News::Log(vec!["started".to_owned()])), event(1, 7, News::Status(Status::InProgress)),
            event(1, 8, container), event(2, 8, News::Status(Status::Successful)),
        ];
        test.store.write(async |db| -> Result<(), StoreError> {
            deployment_insert(db, &deployment).await?;
            for one in &all {
                deployment_event_insert(db, one).await?;
            }
            let page = |offset, limit| Page { offset, limit };
            let found = deployment_events_list(db, deployment.id, None, page(0, 2)).await?;
            assert_eq!((found.total, found.items.as_slice()), (4, &all[2..]));
            let found = deployment_events_list(db, deployment.id, Some(1), page(0, 10)).await?;
            assert_eq!((found.total, found.items.as_slice()), (3, &all[..3]));
            for never in [3, u32::MAX] {
                assert_eq!(deployment_events_list(db, deployment.id, Some(never), page(0, 10)).await?.total, 0);
            }
            Ok(())
        }).await.unwrap();
    }

    async fn a_deployment_has_one_token(test) {
        let bed = bed(&test).await;
        let (first, second) = (deployment(&bed, "prod", 5), deployment(&bed, "test", 6));
        let token = |of: &Deployment, name: &str| DeploymentToken {
            id: DeploymentTokenId::generate(), deployment: of.id, team: bed.team, name: name.to_owned(),
            nonce: Uuid::new_v4(), created: then(7), expires: Some(then(99)),
        };
        let ours = token(&first, "ci");
        test.store.write(async |db| -> Result<(), StoreError> {
            deployment_insert(db, &first).await?;
            deployment_insert(db, &second).await?;
            deployment_token_insert(db, &ours).await?;
            assert_eq!(deployment_token_by_deployment(db, first.id).await?, Some(ours.clone()));
            assert_eq!(deployment_token_by_nonce(db, ours.nonce).await?, Some(ours.clone()));
            assert_eq!(deployment_token_by_nonce(db, Uuid::new_v4()).await?, None);
            Ok(())
        }).await.unwrap();
        for (twin, what) in [
            (token(&first, "other"), UniqueOn::DeploymentTokenDeployment),
            (token(&second, "ci"), UniqueOn::DeploymentTokenName),
        ] {
            assert_eq!(conflict(test.store.write(async |db| deployment_token_insert(db, &twin).await).await), what);
        }
        test.store.write(async |db| -> Result<(), StoreError> {
            assert!(deployment_token_delete(db, first.id).await?);
            assert!(!deployment_token_delete(db, first.id).await?);
            assert_eq!(deployment_token_by_nonce(db, ours.nonce).await?, None);
            Ok(())
        }).await.unwrap();
    }

    async fn a_start_is_kept_as_it_was_taken_and_taken_up_once(test) {
        let bed = bed(&test).await;
        let (first, second) = (deployment(&bed, "prod", 5), deployment(&bed, "test", 6));
        let others = team(&test, "second", bed.user, 1).await.id;
        let empty = InstanceConfig::default();
        let page = |offset, limit| Page { limit, offset };
        let start = |of: &Deployment, attempt: u32| Start {
            deployment: of.id,
            attempt,
            starter: Starter::Token { id: "7".to_owned(), name: "robot".to_owned() },
            created: then(8),
            environment: of.environment.clone(),
            units: vec![Unit {
                instance: InstanceId::generate(),
                registry: bed.images[0].registry,
                image: "web".to_owned(),
                tag: None,
                config: Effective::of(&bed.images[0].config, &empty).freeze(),
            }],
        };
        let (one, again) = (start(&first, 1), start(&first, 2));
        test.store.write(async |db| -> Result<(), StoreError> {
            deployment_insert(db, &first).await?;
            deployment_insert(db, &second).await?;
            deployment_start_insert(db, &one).await?;
            assert_eq!(deployment_start_by_id(db, first.id).await?, Some(one.clone()));
            assert_eq!(deployment_start_by_id(db, second.id).await?, None);
            assert!(deployment_start_claim(db, first.id, "a").await?);
            assert!(!deployment_start_claim(db, first.id, "b").await?);
            assert!(!deployment_start_claim(db, second.id, "a").await?);
            assert_eq!(deployment_start_claims(db).await?, [(first.id, Some("a".to_owned()))].into());
            deployment_start_insert(db, &again).await?;
            assert_eq!(deployment_start_claims(db).await?, [(first.id, None)].into());
            assert_eq!(deployment_start_by_id(db, first.id).await?, Some(again.clone()));
            assert!(deployment_start_delete(db, first.id).await?);
            assert!(!deployment_start_delete(db, first.id).await?);

            let listed = deployments_listed(db, bed.team, page(0, 10)).await?;
            let ids: Vec<DeploymentId> = listed.iter().map(|one| one.id).collect();
            assert_eq!(ids, [second.id, first.id]);
            assert_eq!(deployments_listed(db, bed.team, page(1, 1)).await?, listed[1..]);
            assert_eq!(listed[0].project.name, "shop");
            assert_eq!((listed[0].version.id, listed[0].node.id), (bed.version.id, bed.node.id));
            assert_eq!(deployment_listed(db, bed.team, second.id).await?.as_ref(), Some(&listed[0]));
            assert_eq!(deployment_listed(db, others, second.id).await?, None);
            assert_eq!(version_by_team(db, bed.team, bed.version.id).await?, Some(bed.version.clone()));
            assert_eq!(version_by_team(db, others, bed.version.id).await?, None);

            // Only what came to an end gives way.
            assert_eq!(deployments_replace(db, &[first.id, second.id]).await?, 0);
            deployment_move(db, first.id, (Status::Preparing, 0), (Status::Failed, 0), then(9)).await?;
            assert_eq!(deployments_replace(db, &[first.id, second.id]).await?, 1);
            assert_eq!(deployment_by_id(db, bed.team, first.id).await?.map(|one| one.status), Some(Status::Obsolete));
            assert!(deployment_touch(db, bed.team, first.id, (bed.user, then(10))).await?);
            assert!(!deployment_touch(db, others, first.id, (bed.user, then(10))).await?);
            assert_eq!(deployment_by_id(db, bed.team, first.id).await?.map(|one| one.stamp.updated), Some(then(10)));
            Ok(())
        }).await.unwrap();
    }
}
