//! What is kept in memory of an object that we write.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::{Map, Value};

use crate::index::Kind;
use crate::labels::{ANNOTATION_HASH, ANNOTATION_IMAGE};
use crate::run::ANNOTATION_HOLDER;

/// Annotations that are looked at.
const ANNOTATIONS: [&str; 3] = [ANNOTATION_HASH, ANNOTATION_IMAGE, ANNOTATION_HOLDER];

/// Where the fields are that decide what runs or where requests go, and whose change by others is noticed. A step that is
/// a number is a place in a list.
pub(crate) const DECISIVE: [&str; 4] =
    ["/spec/replicas", "/spec/selector", "/spec/template/spec/containers/0/image", "/spec/template/metadata/labels"];

/// Where further fields are that are looked at.
const FURTHER: [&str; 5] =
    [DEADLINE, "/spec/accessModes", "/spec/storageClassName", "/spec/volumeMode", "/spec/resources/requests/storage"];

/// Where a Job says how many seconds it may take.
pub(crate) const DEADLINE: &str = "/spec/activeDeadlineSeconds";

/// An object of ours as the API server has it, cut down to what is looked at: tens of thousands of them stay in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Its kind.
    pub kind: Kind,
    /// Its name.
    pub name: Box<str>,
    /// Its UID.
    pub uid: Box<str>,
    /// Whether it has a deletion stamp.
    pub is_deleting: bool,
    /// Labels, some annotations and some fields, where they are in the object, in compact JSON.
    parts: Box<str>,
}

impl Kept {
    /// Keeps what is needed of an object; `data` is the rest of it. An object without name is none.
    #[must_use]
    pub fn new(kind: Kind, metadata: &ObjectMeta, data: &Value) -> Option<Self> {
        let name = metadata.name.as_deref()?;
        let annotation =
            |name: &&str| Some(((*name).to_owned(), metadata.annotations.as_ref()?.get(*name)?.clone().into()));
        let annotations: Map<String, Value> = ANNOTATIONS.iter().filter_map(annotation).collect();
        let labels = metadata.labels.iter().flatten().map(|(name, value)| (name.clone(), value.clone().into()));
        let labels: Map<String, Value> = labels.collect();
        let mut parts = Value::Null;
        put(&mut parts, "/metadata/labels", labels.into());
        if !annotations.is_empty() {
            put(&mut parts, "/metadata/annotations", annotations.into());
        }
        for pointer in DECISIVE.into_iter().chain(FURTHER) {
            if let Some(value) = data.pointer(pointer) {
                put(&mut parts, pointer, value.clone());
            }
        }
        Some(Self {
            kind,
            name: name.into(),
            uid: metadata.uid.as_deref().unwrap_or_default().into(),
            is_deleting: metadata.deletion_timestamp.is_some(),
            parts: parts.to_string().into(),
        })
    }

    /// What is kept of the object, each thing where it is in the object.
    #[must_use]
    pub fn value(&self) -> Value {
        // It was written by serde.
        serde_json::from_str(&self.parts).unwrap_or(Value::Null)
    }

    /// Its value of a label.
    #[must_use]
    pub fn label(&self, name: &str) -> Option<String> {
        text_at(&self.value(), "labels", name)
    }

    /// Its value of an annotation: the digest of what was written, what is known of an image, who holds a Job.
    #[must_use]
    pub fn annotation(&self, name: &str) -> Option<String> {
        text_at(&self.value(), "annotations", name)
    }
}

fn text_at(value: &Value, map: &str, name: &str) -> Option<String> {
    value.get("metadata")?.get(map)?.get(name)?.as_str().map(str::to_owned)
}

/// Puts a value where `pointer` says, into maps and lists that are made as needed.
fn put(whole: &mut Value, pointer: &str, value: Value) {
    let mut place = whole;
    for step in pointer.split('/').skip(1) {
        // Only first places in lists are ever asked for.
        place = if step == "0" {
            if !place.is_array() {
                *place = Value::Array(vec![Value::Null]);
            }
            &mut place[0]
        } else {
            &mut place[step]
        };
    }
    *place = value;
}
