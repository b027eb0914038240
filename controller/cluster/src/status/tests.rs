use serde_json::{Value, json};
use slipway_core::AppId;
use slipway_core::build::BuildKind;
use slipway_engine::AppSpec;
use slipway_engine::spec::{Artifact, ProcessSpec, ReleaseSpec, RouteSpec};

use super::*;

fn now() -> DateTime<Utc> {
    "2026-08-01T12:00:00Z".parse().unwrap()
}

fn pod(name: &str, version: u32, status: &Value) -> Arc<Pod> {
    let pod = json!({
        "metadata": {"name": name, "uid": name, "creationTimestamp": "2026-08-01T11:00:00Z",
            "labels": {"app": "blog", "type": "web", "version": format!("v{version}")}},
        "spec": {"containers": [{"name": "proxy"}, {"name": "blog-web"}]},
        "status": status,
    });
    Arc::new(Pod::new(&serde_json::from_value(pod).unwrap()).unwrap())
}

fn container(state: &Value, is_ready: bool, restarts: u32) -> Value {
    json!({"phase": "Running", "containerStatuses": [
        {"name": "proxy", "ready": true, "restartCount": 9, "image": "", "imageID": "", "state": {"running": {}}},
        {"name": "blog-web", "ready": is_ready, "restartCount": restarts, "image": "", "imageID": "", "state": state,
            "lastState": {"terminated": {"exitCode": 7, "reason": "Error", "finishedAt": "2026-08-01T11:59:50Z"}}},
    ], "conditions": [{"type": "Ready", "status": if is_ready { "True" } else { "False" }}]})
}

fn pending(mut status: Value) -> Value {
    status["phase"] = "Pending".into();
    status
}

fn waiting(reason: &str) -> Value {
    json!({"waiting": {"reason": reason, "message": "the message"}})
}

fn up(name: &str, version: u32) -> Arc<Pod> {
    pod(name, version, &container(&json!({"running": {}}), true, 0))
}

fn deployment(version: u32, wanted: u32, updated: u32, available: u32, conditions: &Value) -> Arc<Deployment> {
    Arc::new(Deployment::new(&json!({
        "metadata": {"name": "blog-web", "generation": 2},
        "spec": {"replicas": wanted,
            "template": {"metadata": {"labels": {"type": "web", "version": format!("v{version}")}}}},
        "status": {"observedGeneration": 2, "replicas": wanted, "updatedReplicas": updated,
            "availableReplicas": available, "conditions": conditions},
    })))
}

fn spec(version: u32, replicas: u32) -> AppSpec {
    let process = ProcessSpec {
        process_type: ProcessType::web(),
        command: None,
        replicas,
        autoscale: None,
        is_routed: true,
        restart_token: 0,
        memory: None,
        cpu: None,
        readiness: None,
        liveness: None,
        grace: std::time::Duration::from_secs(30),
        post_start: None,
        pre_stop: None,
        mounts: Vec::new(),
    };
    let release = ReleaseSpec {
        version: ReleaseVersion(version),
        summary: String::new(),
        artifact: Artifact::Image { reference: "x:1".to_owned() },
        kind: BuildKind::Image,
        registry: None,
        placement: std::collections::BTreeMap::new(),
        env: std::collections::BTreeMap::new(),
        processes: vec![process],
    };
    AppSpec {
        app: AppId::generate(),
        name: "blog".parse().unwrap(),
        generation: 5,
        release: Some(release),
        route: RouteSpec::default(),
        volumes: Vec::new(),
    }
}

fn objects(deployments: Vec<Arc<Deployment>>, pods: Vec<Arc<Pod>>) -> AppObjects {
    AppObjects { deployments, pods, ..AppObjects::default() }
}

fn event(reason: &str, message: &str) -> Event {
    Event { object: "blog-web-a-new01".into(), reason: reason.into(), message: message.into(), time: now() }
}

#[test]
fn states_of_pods() {
    let running = json!({"running": {}});
    let ended = json!({"terminated": {"exitCode": 1}});
    let events = [event("Pulling", "")];
    for (status, events, expect) in [
        (json!({"phase": "Pending"}), &events[..], "initializing"),
        (pending(container(&running, false, 0)), &[], "initializing"),
        (pending(container(&waiting("ContainerCreating"), false, 0)), &events, "Pulling"),
        (pending(container(&waiting("ContainerCreating"), false, 0)), &[], "creating"),
        (pending(container(&waiting("ImagePullBackOff"), false, 0)), &[], "ImagePullBackOff"),
        (container(&running, false, 0), &[], "starting"),
        (container(&ended, false, 0), &[], "terminating"),
        (container(&running, true, 0), &[], "up"),
        (container(&waiting("CrashLoopBackOff"), false, 3), &[], "CrashLoopBackOff"),
        (json!({"phase": "Succeeded"}), &[], "down"),
        (json!({"phase": "Failed"}), &[], "crashed"),
        (json!({"phase": "Unknown"}), &[], "error"),
    ] {
        let pod = pod("blog-web-a-new01", 3, &status);
        assert_eq!(pod_state(&pod, events).to_string(), expect, "{status}");
        let deleting = Pod { is_deleting: true, ..(*pod).clone() };
        if matches!(pod.phase, Phase::Running | Phase::Pending) {
            assert_eq!(pod_state(&deleting, events), PodState::Terminating);
        }
    }
}

#[test]
fn why_rollouts_fail_or_wait() {
    let failing = |status: &Value| pod("blog-web-a-new01", 3, status);
    let unschedulable = |since: &str| {
        json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False",
            "reason": "Unschedulable", "message": "0/1 nodes", "lastTransitionTime": since}]})
    };
    let running = json!({"running": {}});
    let oom = json!({"terminated": {"exitCode": 137, "reason": "OOMKilled", "finishedAt": "2026-08-01T11:59:59Z"}});
    let none = json!([]);
    let quota =
        json!([{"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "exceeded quota"}]);
    let stalled = json!([{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "has timed out"}]);
    let unhealthy = [event("Unhealthy", "Readiness probe failed: 503")];
    for (pods, conditions, events, expect) in [
        (
            vec![failing(&pending(container(&waiting("ImagePullBackOff"), false, 0)))],
            &none,
            &[][..],
            Err("web.new01 cannot be started (ImagePullBackOff): the message"),
        ),
        (
            vec![failing(&container(&waiting("CrashLoopBackOff"), false, 1))],
            &none,
            &[],
            Err("web.new01 ended with exit code 7 (CrashLoopBackOff, 2 times)"),
        ),
        (
            vec![failing(&container(&waiting("CrashLoopBackOff"), false, 0))],
            &none,
            &[],
            Ok("0 of 1 processes ready; web.new01 waits: CrashLoopBackOff"),
        ),
        (
            vec![failing(&container(&oom, false, 2))],
            &none,
            &[],
            Err("web.new01 was ended for using more memory than its limit (OOMKilled) (3 times)"),
        ),
        (
            vec![failing(&unschedulable("2026-08-01T11:59:50Z"))],
            &none,
            &[],
            Err("web.new01 finds no machine (Unschedulable): 0/1 nodes"),
        ),
        (
            vec![failing(&unschedulable("2026-08-01T11:59:55Z"))],
            &none,
            &[],
            Ok("0 of 1 processes ready; web.new01 finds no machine yet: 0/1 nodes"),
        ),
        (vec![], &quota, &[], Err("web cannot be started: FailedCreate: exceeded quota")),
        (
            vec![failing(&container(&running, false, 0))],
            &stalled,
            &unhealthy,
            Err("web does not become ready: ProgressDeadlineExceeded: has timed out\nReadiness probe failed: 503"),
        ),
        (
            vec![failing(&container(&running, false, 0))],
            &none,
            &unhealthy,
            Ok("0 of 1 processes ready; web.new01 does not pass its health check yet: Readiness probe failed: 503"),
        ),
        (vec![up("blog-web-b-old01", 2)], &none, &[], Ok("0 of 1 processes ready; web is being replaced")),
    ] {
        let objects = objects(vec![deployment(3, 1, 0, 0, conditions)], pods);
        let spec = spec(3, 1);
        let assessment =
            assess(&objects, Wish { applied: Some(5), outline: Some(&Outline::new(&spec)) }, events, now());
        let state = assessment.status.rollout.unwrap().state;
        let expect = match expect {
            Ok(text) => RolloutState::Progressing(text.to_owned()),
            Err(text) => RolloutState::Failing(text.to_owned()),
        };
        assert_eq!(state, expect);
        assert!(!assessment.status.is_settled);
        assert_eq!(assessment.crashed.is_some(), format!("{expect:?}").contains(" times)"));
    }
}

#[test]
fn old_pods_serve_until_the_rollout_is_complete() {
    let (old, new) = (up("blog-web-b-old01", 2), up("blog-web-a-new01", 3));
    let outline = Outline::new(&spec(3, 1));
    let wish = Wish { applied: Some(5), outline: Some(&outline) };
    let check = |deployment: Arc<Deployment>, pods: Vec<Arc<Pod>>| {
        assess(&objects(vec![deployment], pods), wish, &[], now()).status
    };

    let before = check(deployment(2, 1, 1, 1, &json!([])), vec![Arc::clone(&old)]);
    assert_eq!(before.serving, Some(ReleaseVersion(2)));
    assert_eq!(
        before.rollout.unwrap().state,
        RolloutState::Progressing("0 of 1 processes ready; web is not begun yet".to_owned())
    );
    let amid = check(deployment(3, 1, 0, 0, &json!([])), vec![Arc::clone(&old), Arc::clone(&new)]);
    assert_eq!((amid.serving, amid.is_settled), (Some(ReleaseVersion(2)), false));
    let ending = Arc::new(Pod { is_deleting: true, ..(*old).clone() });
    let nearly = check(deployment(3, 1, 1, 1, &json!([])), vec![ending, Arc::clone(&new)]);
    assert_eq!((nearly.serving, nearly.is_settled), (Some(ReleaseVersion(3)), false));
    assert_eq!(nearly.rollout.unwrap().state, RolloutState::Ready);
    let after = check(deployment(3, 1, 1, 1, &json!([])), vec![new]);
    assert!(after.is_settled);
    assert_eq!(after.applied_generation, Some(5));
    assert_eq!(after.pods.len(), 1);
    assert_eq!(after.pods[0].uid.as_deref(), Some("blog-web-a-new01"));
}

#[test]
fn pods_of_an_older_template_of_the_same_release_say_nothing() {
    let set = |name: &str, created: &str| {
        let created = created.parse().unwrap();
        Arc::new(crate::index::ReplicaSet {
            name: name.into(),
            process_type: Some(ProcessType::web()),
            version: Some(ReleaseVersion(3)),
            owner: Some("blog-web".into()),
            wanted: 1,
            replicas: 1,
            created,
        })
    };
    let crashing = pod("blog-web-a-old01", 3, &container(&waiting("CrashLoopBackOff"), false, 5));
    let crashing = Arc::new(Pod { owner: Some("blog-web-a".into()), ..(*crashing).clone() });
    let mut objects = objects(vec![deployment(3, 1, 0, 0, &json!([]))], vec![crashing]);
    objects.replica_sets = vec![set("blog-web-a", "2026-08-01T11:00:00Z"), set("blog-web-b", "2026-08-01T11:58:00Z")];
    let spec = spec(3, 1);
    let status = assess(&objects, Wish { applied: None, outline: Some(&Outline::new(&spec)) }, &[], now()).status;
    assert!(matches!(status.rollout.unwrap().state, RolloutState::Progressing(_)));
}

#[test]
fn pods_tell_where_they_are_and_how_they_ended_last() {
    let of = |pod: &Pod| pod_status(pod, &[]).unwrap();
    let code = |pod: &Pod| of(pod).last_exit.map(|exit| exit.code);
    let ended = json!({"terminated": {"exitCode": 3, "finishedAt": "2026-08-01T11:59:59Z"}});
    let mut status = container(&ended, false, 1);
    let end = of(&pod("blog-web-a-1", 3, &status)).last_exit.unwrap();
    assert_eq!((end.code, end.time), (3, "2026-08-01T11:59:59Z".parse().ok()));
    assert_eq!(code(&pod("blog-web-a-1", 3, &container(&json!({"running": {}}), true, 1))), Some(7), "the one before");
    let stopped = Pod { is_deleting: true, ..(*pod("blog-web-a-1", 3, &status)).clone() };
    assert_eq!(code(&stopped), Some(7), "it was told to end");
    assert_eq!(code(&pod("blog-web-a-1", 3, &json!({"phase": "Running"}))), None);

    status["podIP"] = "10.1.2.3".into();
    status["startTime"] = "2026-08-01T11:00:01Z".into();
    let mut whole = json!({
        "metadata": {"name": "a", "labels": {"app": "blog", "type": "web", "version": "v3"}},
        "spec": {"nodeName": "node-1", "containers": [{"name": "blog-web"}]}, "status": status,
    });
    let read = |whole: &Value| of(&Pod::new(&serde_json::from_value(whole.clone()).unwrap()).unwrap());
    let found = read(&whole);
    assert_eq!((found.address, found.node.as_deref()), (Some([10, 1, 2, 3].into()), Some("node-1")));
    // A place that is given before anything else is known is no change.
    whole["status"] = json!({"phase": "Pending", "podIP": "10.1.2.3"});
    assert_eq!((read(&whole).address, read(&whole).node), (None, None));
}

#[test]
fn without_a_wish_the_cluster_speaks() {
    let there = objects(vec![deployment(3, 1, 1, 1, &json!([]))], vec![up("blog-web-a-new01", 3)]);
    let status = assess(&there, Wish::default(), &[], now()).status;
    assert_eq!(
        (status.applied_generation, status.serving, status.is_settled),
        (Some(0), Some(ReleaseVersion(3)), true)
    );
    assert_eq!(assess(&AppObjects::default(), Wish::default(), &[], now()).status.applied_generation, None);
}

#[test]
fn scaled_to_zero_and_without_release() {
    let zero = spec(3, 0);
    let none = AppSpec { release: None, ..spec(3, 0) };
    let (empty, left) =
        (objects(vec![], vec![]), objects(vec![deployment(3, 1, 1, 1, &json!([]))], vec![up("a-b-c", 3)]));
    for (objects, spec, is_settled) in
        [(&empty, &zero, true), (&left, &zero, false), (&empty, &none, true), (&left, &none, false)]
    {
        let status = assess(objects, Wish { applied: Some(1), outline: Some(&Outline::new(spec)) }, &[], now()).status;
        assert_eq!(status.is_settled, is_settled);
        assert_eq!(status.rollout.is_some(), spec.release.is_some());
    }
}
