//! The kinds of objects that there are.

use serde_json::{Value, json};

/// A kind: group, version, plural, singular, whether it is in namespaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Kind {
    pub(crate) group: &'static str,
    pub(crate) version: &'static str,
    pub(crate) plural: &'static str,
    pub(crate) name: &'static str,
    pub(crate) is_namespaced: bool,
}

const fn kind(group: &'static str, version: &'static str, plural: &'static str, name: &'static str) -> Kind {
    Kind { group, version, plural, name, is_namespaced: true }
}

const fn cluster(plural: &'static str, name: &'static str) -> Kind {
    Kind { group: "", version: "v1", plural, name, is_namespaced: false }
}

pub(crate) const KINDS: [Kind; 18] = [
    cluster("namespaces", "Namespace"),
    cluster("nodes", "Node"),
    kind("", "v1", "resourcequotas", "ResourceQuota"),
    kind("", "v1", "limitranges", "LimitRange"),
    kind("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim"),
    kind("", "v1", "serviceaccounts", "ServiceAccount"),
    kind("", "v1", "secrets", "Secret"),
    kind("", "v1", "services", "Service"),
    kind("", "v1", "pods", "Pod"),
    kind("", "v1", "events", "Event"),
    kind("apps", "v1", "deployments", "Deployment"),
    kind("apps", "v1", "replicasets", "ReplicaSet"),
    kind("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy"),
    kind("batch", "v1", "jobs", "Job"),
    kind("autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler"),
    kind("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget"),
    kind("coordination.k8s.io", "v1", "leases", "Lease"),
    kind("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice"),
];

impl Kind {
    pub(crate) fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.to_owned() } else { format!("{}/{}", self.group, self.version) }
    }

    pub(crate) fn named(plural: &str) -> Option<Self> {
        KINDS.into_iter().find(|kind| kind.plural == plural)
    }
}

/// What a request is about.
pub(crate) struct Target {
    pub(crate) kind: Kind,
    pub(crate) namespace: Option<String>,
    pub(crate) name: Option<String>,
}

/// The target of a path below `/api/v1` or `/apis/GROUP/VERSION`; `None` for what is not there.
pub(crate) fn target(path: &str) -> Option<Target> {
    let steps: Vec<&str> = path.split('/').filter(|step| !step.is_empty()).collect();
    let (group, version, rest) = match steps.as_slice() {
        ["api", version, rest @ ..] => ("", *version, rest),
        ["apis", group, version, rest @ ..] => (*group, *version, rest),
        _ => return None,
    };
    let find = |plural: &str| {
        KINDS.into_iter().find(|kind| kind.group == group && kind.version == version && kind.plural == plural)
    };
    let own = |text: &str| Some(text.to_owned());
    match rest {
        ["namespaces", namespace, plural] => {
            Some(Target { kind: find(plural)?, namespace: own(namespace), name: None })
        }
        ["namespaces", namespace, plural, name] => {
            Some(Target { kind: find(plural)?, namespace: own(namespace), name: own(name) })
        }
        [plural] => Some(Target { kind: find(plural)?, namespace: None, name: None }),
        [plural, name] => Some(Target { kind: find(plural)?, namespace: None, name: own(name) }),
        _ => None,
    }
}

/// The answer to a question about the API itself.
pub(crate) fn discovery(path: &str) -> Option<Value> {
    let steps: Vec<&str> = path.split('/').filter(|step| !step.is_empty()).collect();
    let list = |group: &str, version: &str| {
        let of_group = KINDS.into_iter().filter(|kind| kind.group == group && kind.version == version);
        let resources: Vec<Value> = of_group
            .map(|kind| {
                let verbs = ["create", "delete", "get", "list", "patch", "update", "watch"];
                json!({"name": kind.plural, "singularName": "", "namespaced": kind.is_namespaced, "kind": kind.name, "verbs": verbs})
            })
            .collect();
        let version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
        let list =
            json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": resources});
        (!resources.is_empty()).then_some(list)
    };
    match steps.as_slice() {
        ["version"] => Some(json!({
            "major": "1", "minor": "33", "gitVersion": "v1.33.0", "gitCommit": "", "gitTreeState": "clean",
            "buildDate": "2025-01-01T00:00:00Z", "goVersion": "", "compiler": "", "platform": "linux/amd64",
        })),
        ["api"] => Some(json!({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []})),
        ["api", version] => list("", version),
        ["apis"] => {
            let mut groups: Vec<Value> = Vec::new();
            for kind in KINDS.into_iter().filter(|kind| !kind.group.is_empty()) {
                let version = json!({"groupVersion": kind.api_version(), "version": kind.version});
                if !groups.iter().any(|group| group["name"] == kind.group) {
                    groups.push(json!({"name": kind.group, "versions": [version], "preferredVersion": version}));
                }
            }
            Some(json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}))
        }
        ["apis", group, version] => list(group, version),
        _ => None,
    }
}
