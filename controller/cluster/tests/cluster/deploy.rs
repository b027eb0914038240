//! Deploys, and what they cost.

use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Namespace, Secret, Service};
use kube::Api;
use kube::api::ListParams;
use slipway_core::{ProcessType, ReleaseVersion};
use slipway_engine::path::PathPattern;
use slipway_engine::spec::PathRule;
use slipway_engine::{Engine, ProcessSpec, RolloutState};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::bed::{Bed, SERVE, app, process, release};

/// The body that the app's Service answers with.
async fn get(bed: &Bed, name: &str) -> std::io::Result<String> {
    get_of(bed, name, name).await
}

/// The body that a Service of the app answers with.
async fn get_of(bed: &Bed, name: &str, service: &str) -> std::io::Result<String> {
    get_at(bed, name, service, 80).await
}

/// The body that a Service of the app answers with at a port.
async fn get_at(bed: &Bed, name: &str, service: &str, port: u16) -> std::io::Result<String> {
    let service = Api::<Service>::namespaced(bed.client.clone(), name).get(service).await.unwrap();
    let ip = service.spec.unwrap().cluster_ip.unwrap();
    let mut stream = TcpStream::connect((ip, port)).await?;
    stream.write_all(b"GET /index.html HTTP/1.0\r\n\r\n").await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let cut = || std::io::Error::other(format!("not a whole answer: {answer:?}"));
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(cut)?;
    // A server that is stopped in mid-answer just ends.
    if !head.contains(" 200 ") || body.is_empty() {
        return Err(cut());
    }
    Ok(body.trim().to_owned())
}

#[tokio::test]
#[ignore = "needs a cluster"]
async fn an_app_comes_changes_with_few_writes_and_goes() {
    let bed = Bed::new().await;
    let mut spec = app("deploy");
    let name = spec.name.to_string();
    let status = bed.settle(&spec).await;
    assert_eq!(status.serving, Some(ReleaseVersion(1)));
    assert_eq!(status.rollout.unwrap().state, RolloutState::Ready);
    // The nodes' proxies learn of the first endpoint a moment later than the API server.
    while get(&bed, &name).await.is_err() {
        tokio::task::yield_now().await;
    }
    assert_eq!(get(&bed, &name).await.unwrap(), "v1");
    bed.writes();

    // Requests never fail while another release comes up.
    spec.generation = 2;
    spec.release = Some(release(2, vec![process("web", 1, SERVE)]));
    bed.engine.app_apply(spec.clone()).await.unwrap();
    let (mut answers, mut failures) = (0, Vec::new());
    loop {
        match get(&bed, &name).await {
            Ok(_) => answers += 1,
            Err(error) => failures.push(error.to_string()),
        }
        let status = bed.engine.app_status(spec.app).await.unwrap();
        if status.is_settled && status.applied_generation == Some(2) {
            break;
        }
    }
    assert!(answers > 0 && failures.is_empty(), "{answers} answers, {failures:?}");
    assert_eq!(get(&bed, &name).await.unwrap(), "v2");
    let writes = bed.writes();
    assert!(!writes.is_empty() && writes.len() <= 4, "{writes:?}");

    // The same wish again, and a generation that means nothing for the cluster.
    bed.engine.app_apply(spec.clone()).await.unwrap();
    spec.generation = 3;
    bed.settle(&spec).await;
    assert_eq!(bed.writes(), Vec::<String>::new());

    // Another engine, as after a restart of the controller, finds everything as it should be.
    let other = Bed::new().await;
    let status = other.settle(&spec).await;
    assert_eq!(status.serving, Some(ReleaseVersion(2)));
    assert_eq!(other.writes(), Vec::<String>::new());
    assert!(other.engine.apps_known().await.unwrap().contains(&(spec.app, spec.name.clone())));
    drop(other);

    let namespaces: Api<Namespace> = Api::all(bed.client.clone());
    bed.end(&spec).await;
    assert!(namespaces.get_opt(&name).await.unwrap().is_none());
}

#[tokio::test]
#[ignore = "needs a cluster"]
async fn a_release_that_fails_leaves_the_old_one_and_is_undone() {
    let bed = Bed::new().await;
    let good = app("undo");
    let name = good.name.to_string();
    bed.settle(&good).await;

    let mut bad = good.clone();
    bad.generation = 2;
    bad.release = Some(release(2, vec![process("web", 1, "echo no way; exit 7")]));
    bed.engine.app_apply(bad.clone()).await.unwrap();
    let is_failing = |state: &RolloutState| matches!(state, RolloutState::Failing(_));
    let status = bed
        .until(bad.app, "failing", |status| status.rollout.as_ref().is_some_and(|rollout| is_failing(&rollout.state)))
        .await;
    let RolloutState::Failing(reason) = status.rollout.unwrap().state else { panic!("not failing") };
    assert!(reason.contains("exit code 7"), "{reason}");
    assert_eq!(get(&bed, &name).await.unwrap(), "v1");

    let mut again = good.clone();
    again.generation = 3;
    let status = bed.settle(&again).await;
    assert_eq!(status.serving, Some(ReleaseVersion(1)));
    assert_eq!(get(&bed, &name).await.unwrap(), "v1");
    bed.end(&again).await;
}

#[tokio::test]
#[ignore = "needs a cluster"]
async fn types_that_are_gone_go_and_a_restart_replaces_pods() {
    let bed = Bed::new().await;
    let mut spec = app("types");
    let name = spec.name.to_string();
    let idle = "trap 'exit 0' TERM; while :; do busybox sleep 1; done";
    spec.release = Some(release(1, vec![process("web", 1, SERVE), process("worker", 1, idle)]));
    let before = bed.settle(&spec).await;
    assert_eq!(before.pods.len(), 2, "{before:?}");

    spec.generation = 2;
    for process in &mut spec.release.as_mut().unwrap().processes {
        process.restart_token = 1;
    }
    let after = bed.settle(&spec).await;
    assert_eq!(after.pods.len(), 2);
    assert!(after.pods.iter().all(|pod| before.pods.iter().all(|old| old.name != pod.name)), "{after:?}");

    spec.generation = 3;
    spec.release = Some(release(2, vec![process("web", 1, SERVE)]));
    bed.settle(&spec).await;
    let deployments: Api<Deployment> = Api::namespaced(bed.client.clone(), &name);
    let names = |list: Vec<Deployment>| list.into_iter().filter_map(|one| one.metadata.name).collect::<Vec<_>>();
    assert_eq!(names(deployments.list(&ListParams::default()).await.unwrap().items), [format!("{name}-web")]);
    let secrets: Api<Secret> = Api::namespaced(bed.client.clone(), &name);
    assert!(secrets.get_opt(&format!("{name}-v2-env")).await.unwrap().is_some());
    bed.end(&spec).await;
}

#[tokio::test]
#[ignore = "needs a cluster"]
async fn paths_lead_to_a_type_with_a_service_of_its_own() {
    let bed = Bed::new().await;
    let mut spec = app("paths");
    let name = spec.name.to_string();
    let jobs = SERVE.replace("$VERSION", "jobs");
    spec.release = Some(release(1, vec![process("web", 1, SERVE), process("worker", 1, &jobs)]));
    bed.settle(&spec).await;
    let services: Api<Service> = Api::namespaced(bed.client.clone(), &name);
    assert_eq!(services.list(&ListParams::default()).await.unwrap().items.len(), 1);

    let worker = ProcessType::new("worker").unwrap();
    spec.generation = 2;
    spec.route.paths = vec![PathRule { pattern: PathPattern::new("/jobs").unwrap(), process_type: worker }];
    bed.settle(&spec).await;
    let path_service = format!("{name}-worker");
    while get_of(&bed, &name, &path_service).await.is_err() {
        tokio::task::yield_now().await;
    }
    assert_eq!(get_of(&bed, &name, &path_service).await.unwrap(), "jobs");
    assert_eq!(get(&bed, &name).await.unwrap(), "v1");
    let own = services.get(&name).await.unwrap();
    let annotation = &own.metadata.annotations.unwrap()["router.slipway.io/paths"];
    assert_eq!(*annotation, format!(r#"[{{"pattern":"/jobs","service":"{path_service}"}}]"#));
    bed.writes();

    spec.generation = 3;
    spec.route.paths.clear();
    bed.settle(&spec).await;
    let writes = bed.writes();
    assert!(writes.iter().any(|write| write.starts_with("DELETE") && write.ends_with(&path_service)), "{writes:?}");
    assert_eq!(services.list(&ListParams::default()).await.unwrap().items.len(), 1);
    bed.end(&spec).await;
}

#[tokio::test]
#[ignore = "needs a cluster"]
async fn hosts_lead_to_other_ports_of_the_same_processes() {
    let bed = Bed::new().await;
    let mut spec = app("ports");
    let name = spec.name.to_string();
    // The one at 80 is refused until a host leads there.
    let second = "mkdir -p /tmp/x; echo second >/tmp/x/index.html; busybox httpd -p 9090 -h /tmp/x; \
        busybox httpd -p 80 -h /tmp/x;";
    spec.release = Some(release(1, vec![process("web", 1, &format!("{second} {SERVE}"))]));
    bed.settle(&spec).await;
    bed.writes();

    // The Service has 80 already: the second one has another number there.
    for (generation, port, number, writes) in [(2, 9090, 9090, 1), (3, 80, 8080, 2)] {
        spec.generation = generation;
        let host = format!("{name}-{port}.example.com");
        spec.route.hosts.push(host.clone());
        spec.route.ports.insert(host, port);
        bed.settle(&spec).await;
        let written = bed.writes();
        assert_eq!(written.len(), writes, "the Service's, and of whoever may listen on a low port: {written:?}");
        while get_at(&bed, &name, &name, number).await.is_err() {
            tokio::task::yield_now().await;
        }
        assert_eq!(get_at(&bed, &name, &name, number).await.unwrap(), "second");
    }
    assert_eq!(get(&bed, &name).await.unwrap(), "v1");

    spec.generation = 4;
    spec.route.ports.clear();
    bed.settle(&spec).await;
    let service = Api::<Service>::namespaced(bed.client.clone(), &name).get(&name).await.unwrap();
    let ports: Vec<i32> = service.spec.unwrap().ports.unwrap().iter().map(|port| port.port).collect();
    assert_eq!(ports, [80]);
    assert!(!service.metadata.annotations.unwrap().contains_key("router.slipway.io/ports"));
    bed.end(&spec).await;
}

#[tokio::test]
#[ignore = "needs a cluster"]
async fn an_app_that_does_not_end_by_itself_is_removed_at_once() {
    let bed = Bed::new().await;
    let mut spec = app("stubborn");
    // Alone the namespace would look again for its pods only when half of this is over, which is more than is waited.
    let stubborn = ProcessSpec {
        grace: Duration::from_mins(10),
        post_start: None,
        pre_stop: None,
        ..process("worker", 1, "trap '' TERM; while :; do sleep 1; done")
    };
    spec.release = Some(release(1, vec![stubborn]));
    bed.settle(&spec).await;
    let namespaces: Api<Namespace> = Api::all(bed.client.clone());
    let name = spec.name.to_string();
    bed.end(&spec).await;
    assert!(namespaces.get_opt(&name).await.unwrap().is_none());
}
