//! This machine as a node of teams: containers of deployments.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use futures::StreamExt;
use serde_json::{Map, Value, json};
use slipway_core::config::SecretText;
use slipway_engine::workload::{
    ContainerCommand, ContainerState, Ownership, WorkloadNode, WorkloadProgress, WorkloadSpec,
};
use slipway_engine::{Engine, EngineError};
use slipway_image::testing::TestRegistry;
use slipway_local::{LocalEngine, LocalNode};
use slipway_slug::SlugStore;
use slipway_team::container::{Effective, ImageConfig, InstanceConfig};
use slipway_team::{DeploymentId, InstanceId, ProjectId, TeamId, VersionId};
use tokio::time::timeout;

use crate::bed::{Bed, PATIENCE, until};
use crate::image::{bed, layers};

fn words(words: &[&str]) -> Value {
    words.iter().enumerate().map(|(at, word)| json!({"id": at.to_string(), "key": word})).collect()
}

fn shell(line: &str) -> Value {
    words(&["/bin/sh", "-c", line])
}

fn ownership() -> Ownership {
    Ownership {
        team: TeamId::generate(),
        project: ProjectId::generate(),
        version: VersionId::generate(),
        deployment: DeploymentId::generate(),
        instance: InstanceId::generate(),
    }
}

fn spec(registry: &TestRegistry, ownership: Ownership, config: Value) -> WorkloadSpec {
    let patch: Map<String, Value> = serde_json::from_value(config).unwrap();
    let image = ImageConfig::bare("web").patch(&patch).unwrap();
    WorkloadSpec {
        ownership,
        prefix: "prod".to_owned(),
        config: Effective::of(&image, &InstanceConfig::default()),
        image: format!("{}/team/app:1", registry.host()),
        registry: None,
        environment: BTreeMap::new(),
        secrets: BTreeMap::new(),
        storage: None,
        started_at: Utc::now(),
    }
}

async fn node(bed: &Bed) -> Arc<LocalNode> {
    LocalNode::start(Arc::clone(&bed.engine), Some("apps.example".to_owned())).await.unwrap()
}

async fn registry() -> TestRegistry {
    let registry = TestRegistry::start().await;
    registry.image("team/app", "1", &layers("text"), &json!({"Cmd": ["/bin/sleep", "1000"], "Env": ["OWN=image"]}));
    registry
}

async fn settle(node: &LocalNode) -> WorkloadProgress {
    let wait = async {
        loop {
            match node.progress("prod", "web").await.unwrap() {
                WorkloadProgress::Coming(..) => node.changed("prod", Duration::from_secs(1)).await,
                end => return end,
            }
        }
    };
    timeout(PATIENCE, wait).await.unwrap()
}

async fn up(node: &LocalNode, spec: &WorkloadSpec) {
    node.apply(spec).await.unwrap();
    assert_eq!(settle(node).await, WorkloadProgress::Up);
}

async fn log(node: &LocalNode) -> Vec<String> {
    node.log("prod", "web", 50, false).await.unwrap().map(|line| line.text).collect().await
}

fn rejected(done: Result<(), EngineError>) -> String {
    match done {
        Err(EngineError::Rejected(reason)) => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_is_deployed_routed_stopped_and_removed() {
    let (bed, registry) = (bed().await, registry().await);
    let node = node(&bed).await;
    assert!(node.facts().await.unwrap().version.starts_with("Slipway "));
    let line = "echo $OWN $ONE $BOTH $ALL; echo \"it's\" >> /data/x; cat /data/x; exec busybox httpd -f -p 127.0.0.1:$PORT -h /srv";
    let mut first = spec(
        &registry,
        ownership(),
        json!({
            "environment": [{"key": "BOTH", "value": "container"}, {"key": "ALL", "value": "container"}],
            "commands": shell(line), "volumes": [{"name": "data", "path": "/data"}],
            "expose": "expose", "ports": [{"internal": 80}], "useLoadBalancer": true,
        }),
    );
    for name in ["ONE", "BOTH", "ALL"] {
        first.environment.insert(name.to_owned(), "deployment".to_owned());
    }
    first.secrets.insert("ALL".to_owned(), SecretText::new("geheim"));
    up(&node, &first).await;
    assert_eq!(bed.get("web.prod.apps.example").await.unwrap().trim(), "text");
    until("its output", || async { log(&node).await.len() >= 2 }).await;
    assert_eq!(log(&node).await[..2], ["image deployment container geheim", "it's"]);
    assert_eq!(node.secret_keys("prod", "web").await.unwrap(), Some(vec!["ALL".to_owned()]));
    let one = node.containers(Some("prod")).await.unwrap().remove(0);
    assert_eq!(
        (one.state, one.image_tag.as_str(), one.command.starts_with("/bin/sh -c")),
        (ContainerState::Running, "1", true)
    );
    // Those who look after apps do not see it, and what is not theirs stays.
    assert_eq!(bed.engine.apps_known().await.unwrap(), []);
    // The same start is done once; another takes its place, with the files that there are.
    node.apply(&first).await.unwrap();
    assert_eq!(settle(&node).await, WorkloadProgress::Up);
    assert_eq!(log(&node).await.iter().filter(|line| line.starts_with("image")).count(), 1);
    first.started_at += TimeDelta::seconds(1);
    up(&node, &first).await;
    until("the second to have written", || async {
        log(&node).await.iter().filter(|line| *line == "it's").count() == 3
    })
    .await;

    node.command("prod", "web", ContainerCommand::Stop).await.unwrap();
    let state = || async { node.containers(None).await.unwrap()[0].state };
    until("it to stop", || async { state().await == ContainerState::Exited }).await;
    node.command("prod", "web", ContainerCommand::Start).await.unwrap();
    assert_eq!(settle(&node).await, WorkloadProgress::Up);
    node.delete("prod", "web").await.unwrap();
    assert!(node.containers(None).await.unwrap().is_empty());
    assert!(matches!(node.delete("prod", "web").await, Err(EngineError::Missing(_))));
    // Its files are there for the next of that name, until all with the prefix goes.
    first.started_at += TimeDelta::seconds(1);
    up(&node, &first).await;
    until("the files to be there", || async { log(&node).await.iter().filter(|line| *line == "it's").count() >= 3 })
        .await;
    node.delete_all("prod").await.unwrap();
    assert!(matches!(node.delete_all("prod").await, Err(EngineError::Missing(_))));
    assert_eq!(std::fs::read_dir(bed.data.join("containers-of-teams")).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ran_runs_again_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let registry = registry().await;
    let start = || async {
        let slugs = SlugStore::open(dir.path().join("slugs")).unwrap();
        let mut config = crate::bed::config(&dir.path().join("data"), slugs);
        config.fetch.allow_private = true;
        config.path = std::env::var("PATH").unwrap();
        let engine = LocalEngine::start(config).await.unwrap();
        (LocalNode::start(Arc::clone(&engine), None).await.unwrap(), engine)
    };
    let (node, engine) = start().await;
    let mut deployed = spec(&registry, ownership(), json!({"commands": shell("echo $ALL; exec sleep 1000")}));
    deployed.secrets.insert("ALL".to_owned(), SecretText::new("geheim"));
    up(&node, &deployed).await;
    let said = |node: Arc<LocalNode>, count: usize| async move {
        log(&node).await.iter().filter(|line| *line == "geheim").count() == count
    };
    until("its output", || said(Arc::clone(&node), 1)).await;
    engine.shutdown().await;
    drop((node, engine));
    let (node, engine) = start().await;
    assert_eq!(settle(&node).await, WorkloadProgress::Up);
    until("its output once more", || said(Arc::clone(&node), 2)).await;
    engine.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_runs_before_comes_first_and_its_failure_is_told() {
    let (bed, registry) = (bed().await, registry().await);
    let node = node(&bed).await;
    let image = format!("{}/team/app:1", registry.host());
    let config = |line: &str| {
        json!({"commands": shell("cat /data/made; exec sleep 1000"), "volumes": [{"name": "data", "path": "/data"}],
            "initContainers": [{"name": "first", "image": image, "command": shell(line),
                "environment": [{"key": "A", "value": "a b"}], "volumes": [{"name": "data", "path": "/in"}]}]})
    };
    let owner = ownership();
    let reason = rejected(node.apply(&spec(&registry, owner, config("echo why not; exit 3"))).await);
    assert!(reason.contains("first, which runs before the container, ended with exit code 3\nwhy not"), "{reason}");
    assert!(matches!(node.delete_all("prod").await, Err(EngineError::Missing(_))), "nothing is left");
    up(&node, &spec(&registry, owner, config("echo \"$A\" > /in/made"))).await;
    until("the file to be read", || async { log(&node).await.contains(&"a b".to_owned()) }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_had_here_is_refused_with_the_reason() {
    let (bed, registry) = (bed().await, registry().await);
    let node = LocalNode::start(Arc::clone(&bed.engine), None).await.unwrap();
    let owner = ownership();
    for (config, reason) in [
        (json!({"user": 5}), "set user to -1"),
        (json!({"ports": [{"internal": 80, "external": 80}]}), "expose it with a domain"),
        (json!({"routing": {"path": "/x"}}), "by its domain alone"),
        (json!({"volumes": [{"name": "a", "path": "/a", "type": "mem"}]}), "in memory"),
        (json!({"expose": "expose", "ports": [{"internal": 80}]}), "neither it nor the node has a domain"),
        (json!({"expose": "expose"}), "has no port"),
        (json!({"volumes": [{"name": "a", "path": "/etc"}]}), "/etc"),
        (json!({"initContainers": [{"name": "a", "image": "b:1"}]}), "needs a command"),
    ] {
        let refusal = rejected(node.apply(&spec(&registry, owner, config.clone())).await);
        assert!(refusal.contains(reason), "{config}: {refusal}");
        assert!(node.containers(None).await.unwrap().is_empty());
    }
    up(&node, &spec(&registry, owner, json!({}))).await;
    assert!(rejected(node.apply(&spec(&registry, ownership(), json!({}))).await).contains("another team's"));
    let bad = spec(&registry, owner, json!({"commands": shell("echo the reason; exit 7")}));
    node.apply(&bad).await.unwrap();
    // What has no check counts once it was started for a while, which may be before its container does its first line.
    let stuck = async {
        loop {
            if let WorkloadProgress::Stuck { reason, output } = node.progress("prod", "web").await.unwrap() {
                return (reason, output);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let (reason, output) = timeout(PATIENCE, stuck).await.unwrap();
    assert!(format!("{reason} {output:?}").contains("the reason"), "{reason} {output:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_container_runtime_it_says_so() {
    let bed = Bed::with(|config| config.path = "/nowhere".to_owned()).await;
    let node = node(&bed).await;
    let Err(EngineError::Unavailable { public, .. }) = node.facts().await else { panic!("it has one") };
    assert!(public.contains("no container runtime is installed"), "{public}");
    let registry = registry().await;
    assert!(rejected(node.apply(&spec(&registry, ownership(), json!({}))).await).contains("no container runtime"));
}
