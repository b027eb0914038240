//! What pods and machines use, where the cluster measures it.

use serde_json::{Value, json};
use slipway_tests::{User, eventually};

use crate::installed::{App, Installed, SETTLED};

/// What the API of metrics consists of.
const KINDS: [(&str, &str, &str); 2] = [("nodes", "NodeMetrics", "Cluster"), ("pods", "PodMetrics", "Namespaced")];

/// The API of metrics, with numbers of our own, until this is dropped. To who asks, a resource that somebody defined is as
/// good as one of metrics-server's, and as well guarded.
struct Metrics<'a>(&'a Installed);

impl<'a> Metrics<'a> {
    /// `None` where the cluster has one of its own.
    fn define(platform: &'a Installed) -> Option<Self> {
        if platform.kubectl(&["get", "--raw", "/apis/metrics.k8s.io"]).code == 0 {
            return None;
        }
        let definition = |(plural, kind, scope): &(&str, &str, &str)| {
            json!({
                "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
                "metadata": {
                    "name": format!("{plural}.metrics.k8s.io"),
                    "annotations": {"api-approved.kubernetes.io": "unapproved, for a test"},
                },
                "spec": {
                    "group": "metrics.k8s.io", "scope": scope,
                    "names": {"plural": plural, "singular": kind.to_lowercase(), "kind": kind, "listKind": format!("{kind}List")},
                    "versions": [{
                        "name": "v1beta1", "served": true, "storage": true,
                        "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
                    }],
                },
            })
        };
        let metrics = Self(platform);
        metrics.apply(&KINDS.iter().map(definition).collect::<Vec<_>>());
        for (plural, ..) in KINDS {
            let name = format!("customresourcedefinition/{plural}.metrics.k8s.io");
            platform.kubectl(&["wait", "--for=condition=Established", "--timeout=60s", &name]).ok();
        }
        Some(metrics)
    }

    fn apply(&self, items: &[Value]) {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("objects.json");
        std::fs::write(&file, json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string()).unwrap();
        let Self(platform) = self;
        // What was defined a moment ago is not known everywhere yet.
        eventually("the objects are taken", SETTLED, || {
            (platform.kubectl(&["apply", "-f", file.to_str().unwrap()]).code == 0).then_some(())
        });
    }

    /// Says what a pod and a machine use.
    fn tell(&self, namespace: &str, pod: &str, machine: &str) {
        let containers = json!([{"name": "app", "usage": {"cpu": "137m", "memory": "77Mi"}}]);
        self.apply(&[
            json!({
                "apiVersion": "metrics.k8s.io/v1beta1", "kind": "PodMetrics",
                "metadata": {"name": pod, "namespace": namespace}, "containers": containers,
            }),
            json!({
                "apiVersion": "metrics.k8s.io/v1beta1", "kind": "NodeMetrics", "metadata": {"name": machine},
                "usage": {"cpu": "1731m", "memory": "777Mi"},
            }),
        ]);
    }
}

impl Drop for Metrics<'_> {
    fn drop(&mut self) {
        for (plural, ..) in KINDS {
            let name = format!("customresourcedefinition/{plural}.metrics.k8s.io");
            self.0.kubectl(&["delete", &name, "--ignore-not-found", "--timeout=60s"]);
        }
    }
}

/// The numbers of an instance, once there are some.
fn numbers(user: &User, instance: &str) -> Value {
    let path = format!("/v1/instances/{instance}/metrics");
    eventually("the cluster's numbers", SETTLED, || {
        let (status, body) = user.api("GET", &path, None);
        (status == 200 && body.contains("metrics-server")).then(|| serde_json::from_str(&body).unwrap())
    })
}

#[test]
#[ignore = "wants the platform in a cluster"]
fn what_pods_and_machines_use_is_told() {
    let platform = Installed::find();
    let metrics = Metrics::define(&platform);
    let user = platform.user("meg");
    let app = platform.app_from_image(&user, "measured", &platform.busybox(), &App::serve("one"));
    let pods = platform.pods_of(&app.name);
    let [pod] = pods.as_slice() else { panic!("not one pod: {pods:?}") };
    let machine = platform.field("default", "nodes", "{.items[0].metadata.name}");
    if let Some(metrics) = &metrics {
        metrics.tell(&app.name, pod, &machine);
    }
    assert_eq!(
        user.api("GET", &format!("/v1/instances/{machine}/metrics"), None).0,
        404,
        "machines are the operator's"
    );
    let (of_pod, of_machine) = (numbers(&user, pod), numbers(&platform.operator(), &machine));
    if metrics.is_some() {
        for (told, numbers) in [(of_pod, ["137", "80740352"]), (of_machine, ["1731", "814743552"])] {
            assert!(numbers.iter().all(|number| told.to_string().contains(number)), "{told}");
        }
    }
}
