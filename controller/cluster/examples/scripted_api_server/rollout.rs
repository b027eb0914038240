//! What the cluster's own controllers and kubelets do about a Deployment, at once.

use serde_json::{Map, Value, json};

use crate::registry::digest;
use crate::server::State;

/// When everything here happened.
pub(crate) const THEN: &str = "2026-01-01T00:00:00Z";

/// Managed fields as the API server keeps them: every field that a manager said, by name.
pub(crate) fn managed_fields(manager: &str, operation: &str, body: &Value) -> Value {
    fn fields(value: &Value) -> Value {
        match value {
            Value::Object(map) => {
                map.iter().map(|(name, value)| (format!("f:{name}"), fields(value))).collect::<Map<_, _>>().into()
            }
            Value::Array(list) => match list.iter().find(|item| item.is_object()) {
                Some(item) => json!({"k:{\"name\":\"\"}": fields(item)}),
                None => json!({}),
            },
            _ => json!({}),
        }
    }
    json!({
        "manager": manager, "operation": operation, "apiVersion": "v1", "time": THEN, "fieldsType": "FieldsV1",
        "fieldsV1": fields(body),
    })
}

/// What the API server fills into the template of a pod.
pub(crate) fn template_defaults(template: &mut Value) {
    let spec = &mut template["spec"];
    for container in spec["containers"].as_array_mut().into_iter().flatten() {
        default(container, "terminationMessagePath", json!("/dev/termination-log"));
        for probe in ["readinessProbe", "livenessProbe"] {
            if container[probe].is_object() {
                for field in ["timeoutSeconds", "successThreshold"] {
                    default(&mut container[probe], field, json!(1));
                }
            } else if let Some(container) = container.as_object_mut() {
                container.remove(probe);
            }
        }
    }
    default(spec, "dnsPolicy", json!("ClusterFirst"));
    default(spec, "schedulerName", json!("default-scheduler"));
    let account = spec["serviceAccountName"].clone();
    default(spec, "serviceAccount", account);
}

fn default(value: &mut Value, field: &str, default: Value) {
    if value[field].is_null() {
        value[field] = default;
    }
}

/// Makes the ReplicaSet and the pods of a Deployment, takes away those of its older templates, and tells how far it is.
pub(crate) fn deployment_follow(state: &mut State, namespace: &str, deployment: &mut Value) {
    let name = deployment["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    let replicas = deployment["spec"]["replicas"].as_u64().unwrap_or(1);
    let template = deployment["spec"]["template"].clone();
    let hash = digest(&template.to_string());
    let hash = hash.get(..10).unwrap_or_default();
    let set_name = format!("{name}-{hash}");
    let owner = |kind: &str, name: &str, uid: &Value| json!([{"apiVersion": "apps/v1", "kind": kind, "name": name, "uid": uid, "controller": true, "blockOwnerDeletion": true}]);

    let sets = state.names("replicasets", namespace, &format!("{name}-"));
    for old in sets.iter().filter(|set| **set != set_name) {
        if let Some(mut set) = state.value("replicasets", namespace, old)
            && set["spec"]["replicas"] != 0
        {
            set["spec"]["replicas"] = json!(0);
            set["status"]["replicas"] = json!(0);
            state.put("replicasets", namespace, old, set);
        }
    }
    let mut set_template = template.clone();
    set_template["metadata"]["labels"]["pod-template-hash"] = json!(hash);
    let spec = json!({"replicas": replicas, "selector": deployment["spec"]["selector"], "template": set_template});
    let status = json!({"replicas": replicas, "fullyLabeledReplicas": replicas, "readyReplicas": replicas, "availableReplicas": replicas, "observedGeneration": 1});
    let set = json!({
        "metadata": {
            "name": set_name, "namespace": namespace, "labels": set_template["metadata"]["labels"], "generation": 1,
            "annotations": {
                "deployment.kubernetes.io/desired-replicas": replicas.to_string(),
                "deployment.kubernetes.io/revision": "1",
            },
            "ownerReferences": owner("Deployment", &name, &deployment["metadata"]["uid"]),
            "managedFields": [managed_fields("kube-controller-manager", "Update", &spec)],
        },
        "spec": spec, "status": status,
    });
    let set = state.put("replicasets", namespace, &set_name, set);

    let pods = state.names("pods", namespace, &format!("{name}-"));
    let wanted: Vec<String> = (0..replicas).map(|number| format!("{set_name}-{number:05}")).collect();
    for pod in pods.iter().filter(|pod| !wanted.contains(pod)) {
        state.remove("pods", namespace, pod);
    }
    for pod in wanted.iter().filter(|pod| !pods.contains(pod)) {
        let mut body = pod_of(namespace, pod, &set_template);
        body["metadata"]["ownerReferences"] = owner("ReplicaSet", &set_name, &set["metadata"]["uid"]);
        state.put("pods", namespace, pod, body);
    }

    let condition = |kind: &str, reason: &str| json!({"type": kind, "status": "True", "reason": reason, "message": "It is as it should be.", "lastUpdateTime": THEN, "lastTransitionTime": THEN});
    deployment["status"] = json!({
        "observedGeneration": deployment["metadata"]["generation"], "replicas": replicas, "updatedReplicas": replicas,
        "readyReplicas": replicas, "availableReplicas": replicas,
        "conditions": [
            condition("Available", "MinimumReplicasAvailable"),
            condition("Progressing", "NewReplicaSetAvailable"),
        ],
    });
}

/// A pod as a node has it that runs well.
fn pod_of(namespace: &str, name: &str, template: &Value) -> Value {
    let mut spec = template["spec"].clone();
    let toleration = |key: &str| json!({"effect": "NoExecute", "key": format!("node.kubernetes.io/{key}"), "operator": "Exists", "tolerationSeconds": 300});
    spec["nodeName"] = json!("node-1");
    spec["preemptionPolicy"] = json!("PreemptLowerPriority");
    spec["priority"] = json!(0);
    spec["tolerations"] = json!([toleration("not-ready"), toleration("unreachable")]);
    let condition =
        |kind: &str| json!({"type": kind, "status": "True", "lastProbeTime": null, "lastTransitionTime": THEN});
    let container = &spec["containers"][0];
    let status = json!({
        "phase": "Running", "hostIP": "10.0.0.1", "podIP": "10.1.0.1", "podIPs": [{"ip": "10.1.0.1"}], "qosClass": "BestEffort",
        "startTime": THEN,
        "conditions": [condition("Initialized"), condition("Ready"), condition("ContainersReady"), condition("PodScheduled")],
        "containerStatuses": [{
            "name": container["name"], "image": container["image"], "ready": true, "started": true, "restartCount": 0,
            "imageID": "docker-pullable://registry/image@sha256:0000000000000000000000000000000000000000000000000000000000000000",
            "containerID": "containerd://0000000000000000000000000000000000000000000000000000000000000000",
            "lastState": {}, "state": {"running": {"startedAt": THEN}},
        }],
    });
    json!({
        "metadata": {
            "name": name, "namespace": namespace, "generateName": name, "labels": template["metadata"]["labels"],
            "annotations": template["metadata"]["annotations"],
            "managedFields": [
                managed_fields("kube-controller-manager", "Update", &spec),
                managed_fields("kubelet", "Update", &status),
            ],
        },
        "spec": spec, "status": status,
    })
}
