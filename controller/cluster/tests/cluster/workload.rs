//! Containers of teams.

use std::time::{Duration, Instant};

use chrono::Utc;
use futures::StreamExt as _;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Namespace, Service};
use k8s_openapi::api::networking::v1::Ingress;
use kube::api::{DeleteParams, PostParams};
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};
use slipway_cluster::workload::{ClusterNode, WorkloadSettings};
use slipway_core::config::SecretText;
use slipway_engine::EngineError;
use slipway_engine::testing::{container, ownership};
use slipway_engine::workload::{ContainerCommand, ContainerState, WorkloadNode as _, WorkloadProgress, WorkloadSpec};
use slipway_team::TeamId;

use crate::bed::{client, image};

/// Longest that anything is waited for.
const WAIT_MAX: Duration = Duration::from_mins(2);

fn spec(prefix: &str, config: Value) -> WorkloadSpec {
    WorkloadSpec {
        ownership: ownership(),
        prefix: format!("{prefix}-{}", &TeamId::generate().to_string()[..8]),
        image: image(),
        environment: [("WHO".to_owned(), "deployment".to_owned()), ("STAGE".to_owned(), "test".to_owned())].into(),
        secrets: [("WHO".to_owned(), SecretText::new("secret"))].into(),
        started_at: Utc::now(),
        ..container("shop", config)
    }
}

fn keys(words: &[&str]) -> Value {
    words.iter().map(|word| json!({"key": word})).collect()
}

/// Applies `spec` and waits for what becomes of it.
async fn settle(node: &ClusterNode, spec: &WorkloadSpec) -> WorkloadProgress {
    node.apply(spec).await.unwrap();
    let start = Instant::now();
    loop {
        match node.progress(&spec.prefix, spec.name()).await.unwrap() {
            WorkloadProgress::Coming(..) => assert!(start.elapsed() < WAIT_MAX, "{spec:?} did not settle"),
            settled => return settled,
        }
        node.changed(&spec.prefix, Duration::from_secs(2)).await;
    }
}

async fn state(node: &ClusterNode, spec: &WorkloadSpec, wanted: ContainerState) {
    let start = Instant::now();
    loop {
        let listed = node.containers(Some(&spec.prefix)).await.unwrap();
        if listed.iter().any(|container| container.name == spec.name() && container.state == wanted) {
            return;
        }
        assert!(start.elapsed() < WAIT_MAX, "{wanted:?} did not come: {listed:?}");
        node.changed(&spec.prefix, Duration::from_secs(2)).await;
    }
}

fn node(client: &Client) -> ClusterNode {
    ClusterNode::new(client.clone(), WorkloadSettings::default(), None)
}

#[tokio::test]
#[ignore = "needs a cluster"]
async fn a_container_lives_its_life() {
    let client = client().await;
    let node = node(&client);
    let script = "echo $WHO/$MINE/$STAGE; exec sleep 600";
    let mut spec = spec(
        "team",
        json!({
            "environment": [{"key": "WHO", "value": "container"}, {"key": "MINE", "value": "container"}],
            "commands": keys(&["sh", "-c", script]), "ports": [{"internal": 8080, "external": 80}],
            "expose": "expose", "routing": {"domain": "shop.example"},
            "portRanges": [{"internal": {"from": 100, "to": 102}, "external": {"from": 200, "to": 202}}],
        }),
    );
    assert_eq!(settle(&node, &spec).await, WorkloadProgress::Up);
    let lines: Vec<String> =
        node.log(&spec.prefix, "shop", 10, false).await.unwrap().map(|line| line.text).collect().await;
    assert_eq!(lines, ["secret/container/test"], "a secret goes before the container, that before the deployment");
    let listed = node.containers(Some(&spec.prefix)).await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].ports, [(8080, Some(8080)), (100, Some(200)), (101, Some(201)), (102, Some(202))]);
    assert_eq!(node.secret_keys(&spec.prefix, "shop").await.unwrap(), Some(vec!["WHO".to_owned()]));
    assert_eq!(node.secret_keys(&spec.prefix, "other").await.unwrap(), None);
    let ingresses: Api<Ingress> = Api::namespaced(client.clone(), &spec.prefix);
    assert!(ingresses.get_opt("shop").await.unwrap().is_some());

    // The same again is a new pod; what it is not exposed by any more goes.
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), &spec.prefix);
    let stamp = |found: &Deployment| {
        let template = found.spec.clone().unwrap().template;
        template.metadata.unwrap().annotations.unwrap()["slipway.io/restarted-at"].clone()
    };
    let before = stamp(&deployments.get("shop").await.unwrap());
    spec.started_at = Utc::now();
    spec.config.expose = slipway_team::container::Expose::None;
    spec.config.ports = None;
    assert_eq!(settle(&node, &spec).await, WorkloadProgress::Up);
    assert_ne!(stamp(&deployments.get("shop").await.unwrap()), before);
    assert!(ingresses.get_opt("shop").await.unwrap().is_none());
    let services: Api<Service> = Api::namespaced(client.clone(), &spec.prefix);
    assert!(services.get_opt("shop").await.unwrap().is_none());

    node.command(&spec.prefix, "shop", ContainerCommand::Stop).await.unwrap();
    state(&node, &spec, ContainerState::Exited).await;
    node.command(&spec.prefix, "shop", ContainerCommand::Start).await.unwrap();
    state(&node, &spec, ContainerState::Running).await;
    node.command(&spec.prefix, "shop", ContainerCommand::Restart).await.unwrap();
    let missing = node.command(&spec.prefix, "other", ContainerCommand::Stop).await.unwrap_err();
    assert!(matches!(missing, EngineError::Missing(_)), "{missing:?}");

    node.delete(&spec.prefix, "shop").await.unwrap();
    assert_eq!(node.containers(Some(&spec.prefix)).await.unwrap(), []);
    node.delete_all(&spec.prefix).await.unwrap();
    let again = node.delete_all(&format!("{}-not", spec.prefix)).await.unwrap_err();
    assert!(matches!(again, EngineError::Missing(_)), "{again:?}");
}

#[tokio::test]
#[ignore = "needs a cluster"]
async fn a_container_that_ends_is_stuck_and_its_last_words_are_told() {
    let client = client().await;
    let node = node(&client);
    let spec = spec("team", json!({"commands": keys(&["sh", "-c", "echo no database; exit 3"])}));
    let WorkloadProgress::Stuck { reason, output } = settle(&node, &spec).await else { panic!("it came up") };
    assert!(reason.contains("CrashLoopBackOff"), "{reason}");
    assert_eq!(output, ["no database"]);
    node.delete_all(&spec.prefix).await.unwrap();
}

#[tokio::test]
#[ignore = "needs a cluster"]
async fn what_is_someone_elses_is_refused_and_untouched() {
    let client = client().await;
    let node = node(&client);
    let spec = spec("team", json!({}));
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let theirs = serde_json::from_value(json!({"metadata": {"name": spec.prefix}})).unwrap();
    let made = namespaces.create(&PostParams::default(), &theirs).await.unwrap();
    let refused = node.apply(&spec).await.unwrap_err();
    assert!(matches!(&refused, EngineError::Rejected(text) if text.contains("not this team's")), "{refused:?}");
    assert!(matches!(node.delete_all(&spec.prefix).await, Err(EngineError::Missing(_))));
    let found = namespaces.get(&spec.prefix).await.unwrap();
    assert_eq!((found.uid(), found.labels()), (made.uid(), made.labels()));
    assert!(found.metadata.deletion_timestamp.is_none());
    namespaces.delete(&spec.prefix, &DeleteParams::default()).await.unwrap();

    // Another team's is someone else's, too.
    let mine = WorkloadSpec { prefix: format!("{}-2", spec.prefix), ..spec };
    node.apply(&mine).await.unwrap();
    let mut others = mine.clone();
    others.ownership.team = TeamId::generate();
    let refused = node.apply(&others).await.unwrap_err();
    assert!(matches!(&refused, EngineError::Rejected(_)), "{refused:?}");
    node.delete_all(&mine.prefix).await.unwrap();
}
