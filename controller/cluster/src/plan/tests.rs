//! Steps for apps as they are found.

use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::json;
use slipway_core::ReleaseVersion;
use slipway_engine::AppSpec;
use slipway_engine::path::PathPattern;
use slipway_engine::spec::PathRule;

use super::*;
use crate::index::{Deployment, ReplicaSet};
use crate::objects::sample::{app, app_with_everything, image, process, render, volume};

/// The cluster after `objects` were written; `is_complete`: with all pods there, and no others.
fn seen(objects: &[Object], is_complete: bool) -> AppObjects {
    let mut seen = AppObjects::default();
    for object in objects {
        let mut metadata: ObjectMeta = serde_json::from_value(object.body["metadata"].clone()).unwrap();
        metadata.uid = Some(format!("uid-{}", object.name));
        let kept = Arc::new(Kept::new(object.kind, &metadata, &object.body).unwrap());
        match object.kind {
            Kind::Namespace => seen.namespace = Some(kept),
            _ => seen.objects.push(kept),
        }
        if object.kind == Kind::Deployment {
            let mut body = object.body.clone();
            let wanted = body.pointer("/spec/replicas").cloned().unwrap_or(json!(1));
            let count = if is_complete { wanted } else { json!(9) };
            body["metadata"]["generation"] = json!(2);
            body["status"] = json!({"observedGeneration": 2, "replicas": count, "updatedReplicas": count,
                "readyReplicas": count, "availableReplicas": count});
            seen.deployments.push(Arc::new(Deployment::new(&body)));
        }
    }
    seen
}

fn version(mut spec: AppSpec, number: u32) -> AppSpec {
    let release = spec.release.as_mut().unwrap();
    release.version = ReleaseVersion(number);
    spec
}

fn objects_of(spec: &AppSpec) -> Vec<Object> {
    render(spec, &image(Some(8080)))
}

fn names(steps: &[Step]) -> Vec<String> {
    let name = |step: &Step| match step {
        Step::Apply { object, is_known } => {
            format!("{} {:?} {}", if *is_known { "apply" } else { "make" }, object.kind, object.name)
        }
        Step::Delete { kind, name, .. } => format!("delete {kind:?} {name}"),
    };
    steps.iter().map(name).collect()
}

#[test]
fn everything_is_made_in_order_and_then_left_alone() {
    let desired = objects_of(&app_with_everything());
    let steps = plan(&desired, &AppObjects::default(), &Recent::default());
    assert_eq!(steps.len(), desired.len());
    let names = names(&steps);
    assert!(names.iter().all(|name| name.starts_with("make ")), "{names:?}");
    let at = |wanted: &str| names.iter().position(|name| name == wanted).unwrap();
    assert!(at("make Namespace blog") < at("make Secret blog-v3-env"));
    assert!(at("make Secret blog-v3-env") < at("make Deployment blog-web"));
    for is_complete in [false, true] {
        assert_eq!(plan(&desired, &seen(&desired, is_complete), &Recent::default()), []);
    }
}

#[test]
fn an_ordinary_deploy_takes_two_writes_and_a_removal_later() {
    let spec = app(vec![process("web", 2)]);
    let (old, new) = (objects_of(&spec), objects_of(&version(spec, 4)));
    let steps = plan(&new, &seen(&old, true), &Recent::default());
    assert_eq!(names(&steps), ["make Secret blog-v4-env", "apply Deployment blog-web"]);
    let mut after = seen(&new, true);
    let both = seen(&old, true);
    after.objects.extend(both.objects.iter().filter(|kept| &*kept.name == "blog-v3-env").cloned());
    let steps = plan(&new, &after, &Recent::default());
    assert_eq!(names(&steps), ["delete Secret blog-v3-env"]);
    after.replica_sets.push(Arc::new(ReplicaSet {
        name: "blog-web-1".into(),
        process_type: None,
        version: Some(ReleaseVersion(3)),
        owner: None,
        wanted: 0,
        replicas: 0,
        created: chrono::DateTime::default(),
    }));
    assert_eq!(plan(&new, &after, &Recent::default()), [], "a ReplicaSet may want it back");
}

#[test]
fn what_served_goes_only_after_the_rollout() {
    let old = objects_of(&{
        let mut spec = app(vec![process("cmd", 1)]);
        spec.release.as_mut().unwrap().processes[0].is_routed = true;
        spec
    });
    let new = objects_of(&version(app(vec![process("web", 1)]), 4));
    let steps = plan(&new, &seen(&old, true), &Recent::default());
    assert_eq!(names(&steps), ["make Secret blog-v4-env", "make Deployment blog-web"]);
    // The new Deployment is there, and its pods are not ready.
    let merged = |is_complete: bool| {
        let mut all = seen(&new, is_complete);
        let before = seen(&old, true);
        all.objects.retain(|kept| kept.kind != Kind::Service);
        let is_new =
            |kept: &&Arc<Kept>| kept.kind == Kind::Service || &*kept.name == "blog-cmd" || &*kept.name == "blog-v3-env";
        all.objects.extend(before.objects.iter().filter(is_new).cloned());
        all.deployments.extend(before.deployments);
        all
    };
    assert_eq!(plan(&new, &merged(false), &Recent::default()), []);
    let steps = plan(&new, &merged(true), &Recent::default());
    let expected = ["apply Service blog", "delete Deployment blog-cmd", "delete Secret blog-v3-env"];
    let mut found = names(&steps);
    found.sort();
    assert_eq!(found, expected);
    assert!(names(&steps)[0].starts_with("apply"), "nothing is removed before the Service leads away from it");
}

#[test]
fn a_route_changes_while_the_service_still_leads_to_the_old_type() {
    let mut spec = app(vec![process("cmd", 1)]);
    spec.release.as_mut().unwrap().processes[0].is_routed = true;
    let old = objects_of(&spec);
    let mut next = version(app(vec![process("web", 1)]), 4);
    next.route.is_in_maintenance = true;
    let steps = plan(&objects_of(&next), &seen(&old, true), &Recent::default());
    let service = steps.iter().find_map(|step| match step {
        Step::Apply { object, .. } if object.kind == Kind::Service => Some(object),
        Step::Apply { .. } | Step::Delete { .. } => None,
    });
    let body = &service.unwrap().body;
    assert_eq!(body["metadata"]["annotations"]["router.slipway.io/maintenance"], "true");
    assert_eq!(body["spec"]["selector"]["type"], "cmd");
}

#[test]
fn services_that_paths_lead_to_come_before_their_route_and_go_after_it() {
    let plain = app(vec![process("web", 1), process("worker", 1)]);
    let mut routed = plain.clone();
    routed.route.paths = vec![PathRule {
        pattern: PathPattern::new("/jobs").unwrap(),
        process_type: slipway_core::ProcessType::new("worker").unwrap(),
    }];
    let (without, with) = (objects_of(&plain), objects_of(&routed));
    let steps = names(&plan(&with, &seen(&without, true), &Recent::default()));
    assert_eq!(steps, ["make Service blog-worker", "apply Service blog", "apply Deployment blog-worker"]);
    let steps = names(&plan(&without, &seen(&with, true), &Recent::default()));
    assert_eq!(steps, ["apply Service blog", "apply Deployment blog-worker", "delete Service blog-worker"]);
}

#[test]
fn what_someone_changed_is_put_right() {
    let desired = objects_of(&app(vec![process("web", 2)]));
    for (kind, pointer, value) in [
        (Kind::Deployment, "/spec/replicas", json!(5)),
        (Kind::Deployment, "/spec/template/spec/containers/0/image", json!("evil:1")),
        (Kind::Service, "/spec/selector", json!({"app": "other"})),
        (Kind::Service, "/metadata/labels/app", json!("other")),
    ] {
        let mut changed = desired.clone();
        let object = changed.iter_mut().find(|object| object.kind == kind).unwrap();
        *object.body.pointer_mut(pointer).unwrap() = value;
        let steps = plan(&desired, &seen(&changed, true), &Recent::default());
        assert_eq!(steps.len(), 1, "{pointer}: {steps:?}");
    }
    let mut more = desired.clone();
    let object = more.iter_mut().find(|object| object.kind == Kind::Service).unwrap();
    object.body["metadata"]["labels"]["someone"] = json!("else");
    assert_eq!(plan(&desired, &seen(&more, true), &Recent::default()), [], "others may add what they like");
}

#[test]
fn autoscaled_types_keep_the_number_they_have() {
    let desired = objects_of(&app_with_everything());
    let mut scaled = desired.clone();
    scaled.iter_mut().find(|object| object.name == "blog-worker" && object.kind == Kind::Deployment).unwrap().body["spec"]
        ["replicas"] = json!(5);
    assert_eq!(plan(&desired, &seen(&scaled, true), &Recent::default()), []);
    let mut spec = app_with_everything();
    spec.release.as_mut().unwrap().processes[2].autoscale = None;
    let steps = names(&plan(&objects_of(&spec), &seen(&scaled, true), &Recent::default()));
    let at = |wanted: &str| steps.iter().position(|name| name == wanted);
    assert!(at("delete HorizontalPodAutoscaler blog-worker") < at("apply Deployment blog-worker"), "{steps:?}");
    assert_eq!(steps.iter().filter(|name| name.contains("HorizontalPodAutoscaler")).count(), 1);
}

#[test]
fn an_immutable_object_is_made_anew() {
    let spec = app(vec![process("web", 1)]);
    let mut other = spec.clone();
    let env = &mut other.release.as_mut().unwrap().env;
    env.insert("A".to_owned(), slipway_core::config::SecretText::new("2"));
    let steps = plan(&objects_of(&other), &seen(&objects_of(&spec), true), &Recent::default());
    assert_eq!(names(&steps), ["delete Secret blog-v3-env", "apply Secret blog-v3-env"]);
}

#[test]
fn what_the_watches_have_not_told_of_yet_is_not_written_again() {
    let desired = objects_of(&app(vec![process("web", 1)]));
    let (mut recent, now) = (Recent::default(), Instant::now());
    for object in &desired {
        recent.note(object, now);
    }
    let nothing = AppObjects::default();
    recent.forget(&nothing, now);
    assert_eq!(plan(&desired, &nothing, &recent), []);
    recent.forget(&nothing, now + LAG_MAX);
    assert_eq!(plan(&desired, &nothing, &recent).len(), desired.len(), "it was lost, or removed at once");
    for object in &desired {
        recent.note(object, now);
    }
    recent.forget(&seen(&desired, true), now);
    assert_eq!(plan(&desired, &nothing, &recent).len(), desired.len(), "it was there, and went");
}

#[test]
fn other_secrets_and_what_is_being_removed_are_left_alone() {
    let desired = objects_of(&app(vec![process("web", 1)]));
    let mut all = seen(&desired, true);
    let mut secret = desired.iter().find(|object| object.kind == Kind::Secret).unwrap().clone();
    secret.name = "build-cache".to_owned();
    secret.body["metadata"]["name"] = json!("build-cache");
    secret.body["metadata"]["labels"]["type"] = json!("build");
    all.objects.extend(seen(std::slice::from_ref(&secret), true).objects);
    assert_eq!(plan(&desired, &all, &Recent::default()), []);
    for kept in &mut all.objects {
        Arc::make_mut(kept).is_deleting = true;
    }
    assert_eq!(plan(&desired, &all, &Recent::default()), []);
}

#[test]
fn a_claim_stays_as_long_as_its_volume_and_no_longer() {
    let with = |volumes: &[slipway_engine::VolumeSpec]| {
        objects_of(&AppSpec { volumes: volumes.to_vec(), ..app(vec![process("web", 1)]) })
    };
    let (none, one) = (with(&[]), with(&[volume()]));
    assert_eq!(names(&plan(&one, &seen(&none, true), &Recent::default())), ["make PersistentVolumeClaim data"]);
    // Also while a release is on its way, and while nothing runs.
    let nothing = AppSpec { release: None, volumes: vec![volume()], ..app(Vec::new()) };
    let input_of = |spec: &AppSpec| crate::objects::sample::render(spec, &image(None));
    for desired in [with(&[volume()]), input_of(&nothing)] {
        let steps = plan(&desired, &seen(&one, false), &Recent::default());
        assert!(names(&steps).iter().all(|step| !step.contains("PersistentVolumeClaim")), "{steps:?}");
    }
    assert_eq!(names(&plan(&none, &seen(&one, false), &Recent::default())), ["delete PersistentVolumeClaim data"]);
    let larger = slipway_engine::VolumeSpec { bytes: volume().bytes * 2, ..volume() };
    let smaller = slipway_engine::VolumeSpec { bytes: volume().bytes / 2, ..volume() };
    assert_eq!(
        names(&plan(&with(&[larger]), &seen(&one, true), &Recent::default())),
        ["apply PersistentVolumeClaim data"]
    );
    assert_eq!(plan(&with(&[smaller]), &seen(&one, true), &Recent::default()), []);
    // Another volume of the name begins empty: the claim of the old one goes, and only then comes its own.
    let again = with(&[slipway_engine::VolumeSpec { id: slipway_core::VolumeId::generate(), ..volume() }]);
    let mut before = seen(&one, true);
    assert_eq!(names(&plan(&again, &before, &Recent::default())), ["delete PersistentVolumeClaim data"]);
    let claim = before.objects.iter_mut().find(|kept| kept.kind == Kind::PersistentVolumeClaim).unwrap();
    Arc::make_mut(claim).is_deleting = true;
    assert_eq!(plan(&again, &before, &Recent::default()), []);
    // A claim that is no volume's is not ours to remove.
    let mut body = one.iter().find(|object| object.kind == Kind::PersistentVolumeClaim).unwrap().body.clone();
    body["metadata"]["labels"].as_object_mut().unwrap().remove(LABEL_VOLUME);
    let metadata: ObjectMeta = serde_json::from_value(body["metadata"].clone()).unwrap();
    let mut beside = seen(&none, true);
    beside.objects.push(Arc::new(Kept::new(Kind::PersistentVolumeClaim, &metadata, &body).unwrap()));
    assert_eq!(plan(&none, &beside, &Recent::default()), []);
}
