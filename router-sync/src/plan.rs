//! What has to be done so that the cluster holds what it should, and nothing else of ours. Pure.

use std::collections::{BTreeMap, BTreeSet};

use kube::api::DynamicObject;
use serde_json::Value;

use crate::render::{ANNOTATION_HASH, Kind, Object};

/// What names an object: its kind, namespace and name.
pub type Key = (Kind, String, String);

/// One write.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Makes an object that is not known to be there.
    Create(Object),
    /// Brings one of ours to what it should be.
    Update(Object),
    /// Removes one of ours that nobody wants any more. Only if it still has this UID.
    Delete {
        /// Which.
        key: Key,
        /// Its UID.
        uid: Option<String>,
    },
}

impl Action {
    /// The object that it is about.
    #[must_use]
    pub fn key(&self) -> Key {
        match self {
            Self::Create(object) | Self::Update(object) => (object.kind, object.namespace.clone(), object.name.clone()),
            Self::Delete { key, .. } => key.clone(),
        }
    }

    /// Digest of the object as it should be; none when it should not be.
    #[must_use]
    pub fn digest(&self) -> Option<&str> {
        match self {
            Self::Create(object) | Self::Update(object) => {
                object.body["metadata"]["annotations"][ANNOTATION_HASH].as_str()
            }
            Self::Delete { .. } => None,
        }
    }
}

/// The writes that lead from `observed`, all that is there of ours, to `desired`. Empty when they agree.
#[must_use]
pub fn plan<'a>(desired: &[Object], observed: impl IntoIterator<Item = (Kind, &'a DynamicObject)>) -> Vec<Action> {
    let mut known: BTreeMap<Key, &DynamicObject> = BTreeMap::new();
    for (kind, object) in observed {
        let meta = &object.metadata;
        if let (Some(namespace), Some(name)) = (&meta.namespace, &meta.name) {
            known.insert((kind, namespace.clone(), name.clone()), object);
        }
    }
    let mut actions = Vec::new();
    let mut wanted = BTreeSet::new();
    for object in desired {
        let key = (object.kind, object.namespace.clone(), object.name.clone());
        match known.get(&key) {
            None => actions.push(Action::Create(object.clone())),
            // Until it is gone nothing can stand in its place; its end calls again.
            Some(present) if present.metadata.deletion_timestamp.is_some() => {}
            Some(present) if is_as_desired(present, &object.body) => {}
            Some(_) => actions.push(Action::Update(object.clone())),
        }
        wanted.insert(key);
    }
    for (key, object) in known {
        if !wanted.contains(&key) && object.metadata.deletion_timestamp.is_none() {
            actions.push(Action::Delete { key, uid: object.metadata.uid.clone() });
        }
    }
    actions
}

/// Whether everything that is desired is there: the digest tells of fields that are no longer wanted, the comparison of
/// fields that somebody changed.
fn is_as_desired(present: &DynamicObject, desired: &Value) -> bool {
    let meta = &desired["metadata"];
    let has_all = |present: Option<&BTreeMap<String, String>>, desired: &Value| {
        let Some(desired) = desired.as_object() else { return true };
        desired.iter().all(|(key, value)| {
            present.and_then(|present| present.get(key)).map(String::as_str) == Some(value.as_str().unwrap_or_default())
        })
    };
    let annotations = present.metadata.annotations.as_ref();
    let hash = annotations.and_then(|annotations| annotations.get(ANNOTATION_HASH)).map(String::as_str);
    let owner = present.metadata.owner_references.iter().flatten().next().map(|owner| owner.uid.as_str());
    hash == meta["annotations"][ANNOTATION_HASH].as_str()
        && has_all(annotations, &meta["annotations"])
        && has_all(present.metadata.labels.as_ref(), &meta["labels"])
        && owner == meta["ownerReferences"][0]["uid"].as_str()
        && is_covered(&desired["spec"], &present.data["spec"])
}

/// Whether `present` has all of `desired`; what the API server or others added does not matter, but for lists, which are
/// compared whole.
fn is_covered(desired: &Value, present: &Value) -> bool {
    match (desired, present) {
        (Value::Object(desired), Value::Object(present)) => desired
            .iter()
            .all(|(key, value)| present.get(key).map_or_else(|| is_empty(value), |present| is_covered(value, present))),
        (Value::Array(desired), Value::Array(present)) => {
            desired.len() == present.len() && desired.iter().zip(present).all(|(a, b)| is_covered(a, b))
        }
        _ => desired == present,
    }
}

/// API servers leave out what is empty.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::String(text) => text.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn desired(name: &str, host: &str, hash: &str) -> Object {
        let body = json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
            "metadata": {
                "name": name, "namespace": "blog", "labels": {"app": "blog"},
                "annotations": {ANNOTATION_HASH: hash}, "ownerReferences": [{"uid": "u-1"}],
            },
            "spec": {"rules": [{"host": host}], "filters": []},
        });
        Object { kind: Kind::Ingress, namespace: "blog".to_owned(), name: name.to_owned(), body }
    }

    /// As the API server would give it back: with more than was asked for.
    fn present(object: &Object) -> DynamicObject {
        let mut body = object.body.clone();
        body["metadata"]["uid"] = json!(format!("uid-{}", object.name));
        body["metadata"]["ownerReferences"] =
            json!([{"apiVersion": "v1", "kind": "Service", "name": "blog", "uid": "u-1"}]);
        body["metadata"]["labels"]["more"] = json!("1");
        body["spec"]["rules"][0]["pathType"] = json!("Prefix");
        body["spec"].as_object_mut().unwrap().remove("filters");
        body["status"] = json!({"loadBalancer": {}});
        serde_json::from_value(body).unwrap()
    }

    #[test]
    fn what_is_as_desired_is_not_written() {
        let object = desired("blog", "a.test", "1");
        assert_eq!(plan(std::slice::from_ref(&object), [(Kind::Ingress, &present(&object))]), []);
        assert_eq!(plan(&[], []), []);
    }

    #[test]
    fn every_drift_is_written_over() {
        let object = desired("blog", "a.test", "1");
        let faults: [fn(&mut DynamicObject); 6] = [
            |present| present.data["spec"]["rules"][0]["host"] = json!("evil.test"),
            |present| present.data["spec"]["rules"].as_array_mut().unwrap().push(json!({"host": "more.test"})),
            |present| present.data["spec"] = Value::Null,
            |present| present.metadata.labels = None,
            |present| present.metadata.owner_references = None,
            |present| {
                present.metadata.annotations = Some([(ANNOTATION_HASH.to_owned(), "old".to_owned())].into());
            },
        ];
        for (index, fault) in faults.into_iter().enumerate() {
            let mut present = present(&object);
            fault(&mut present);
            let actions = plan(std::slice::from_ref(&object), [(Kind::Ingress, &present)]);
            assert_eq!(actions, [Action::Update(object.clone())], "{index}");
        }
    }

    #[test]
    fn what_is_new_is_made_and_what_nobody_wants_goes() {
        let (wanted, old) = (desired("blog", "a.test", "1"), desired("blog-auto", "b.test", "2"));
        let actions = plan(std::slice::from_ref(&wanted), [(Kind::Ingress, &present(&old))]);
        let key = (Kind::Ingress, "blog".to_owned(), "blog-auto".to_owned());
        let delete = Action::Delete { key, uid: Some("uid-blog-auto".to_owned()) };
        assert_eq!(actions, [Action::Create(wanted), delete]);
    }

    #[test]
    fn what_is_going_is_left_to_go() {
        let object = desired("blog", "a.test", "1");
        let mut going = present(&object);
        going.metadata.deletion_timestamp = serde_json::from_value(json!("2026-01-02T03:04:05Z")).unwrap();
        assert_eq!(plan(std::slice::from_ref(&object), [(Kind::Ingress, &going)]), []);
        assert_eq!(plan(&[], [(Kind::Ingress, &going)]), []);
    }
}
