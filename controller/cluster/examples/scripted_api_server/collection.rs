//! Objects of one kind, and what happened to them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde_json::{Value, json};

use crate::kind::Kind;

/// Events that a watch may go back to.
const HISTORY: usize = 200_000;

/// What a client sees of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum View {
    Whole,
    Metadata,
}

/// Something that happened.
pub(crate) struct Event {
    pub(crate) revision: u64,
    kind: &'static str,
    object: Arc<Object>,
}

/// An object and the labels by which it is chosen.
pub(crate) struct Object {
    pub(crate) value: Value,
    is_ours: bool,
}

#[derive(Default)]
pub(crate) struct Collection {
    /// By namespace and name.
    pub(crate) objects: BTreeMap<(String, String), Arc<Object>>,
    history: VecDeque<Event>,
    /// Revisions before it are forgotten.
    pub(crate) oldest: u64,
}

impl Event {
    /// A line of a watch.
    pub(crate) fn line(&self, kind: Kind, view: View) -> String {
        let mut line = json!({"type": self.kind, "object": self.object.seen(kind, view)}).to_string();
        line.push('\n');
        line
    }

    pub(crate) fn is_chosen(&self, namespace: Option<&str>, is_ours_only: bool) -> bool {
        self.object.is_chosen(namespace, is_ours_only)
    }
}

impl Object {
    fn new(value: Value) -> Self {
        let is_ours = value.pointer("/metadata/labels/heritage").and_then(Value::as_str) == Some("slipway");
        Self { value, is_ours }
    }

    pub(crate) fn is_chosen(&self, namespace: Option<&str>, is_ours_only: bool) -> bool {
        (!is_ours_only || self.is_ours)
            && namespace.is_none_or(|namespace| self.value["metadata"]["namespace"] == namespace)
    }

    pub(crate) fn seen(&self, kind: Kind, view: View) -> Value {
        let mut value = match view {
            View::Whole => self.value.clone(),
            View::Metadata => json!({"metadata": self.value["metadata"]}),
        };
        let (version, name) = match view {
            View::Whole => (kind.api_version(), kind.name),
            View::Metadata => ("meta.k8s.io/v1".to_owned(), "PartialObjectMetadata"),
        };
        value["apiVersion"] = version.into();
        value["kind"] = name.into();
        value
    }
}

impl Collection {
    pub(crate) fn get(&self, namespace: &str, name: &str) -> Option<&Arc<Object>> {
        self.objects.get(&(namespace.to_owned(), name.to_owned()))
    }

    /// Keeps an object as it is from `revision` on.
    pub(crate) fn put(&mut self, namespace: &str, name: &str, mut value: Value, revision: u64) -> Arc<Object> {
        value["metadata"]["resourceVersion"] = revision.to_string().into();
        let object = Arc::new(Object::new(value));
        let before = self.objects.insert((namespace.to_owned(), name.to_owned()), Arc::clone(&object));
        let kind = if before.is_some() { "MODIFIED" } else { "ADDED" };
        self.note(Event { revision, kind, object: Arc::clone(&object) });
        object
    }

    pub(crate) fn remove(&mut self, namespace: &str, name: &str, revision: u64) -> Option<Arc<Object>> {
        let object = self.objects.remove(&(namespace.to_owned(), name.to_owned()))?;
        let mut value = object.value.clone();
        value["metadata"]["resourceVersion"] = revision.to_string().into();
        self.note(Event { revision, kind: "DELETED", object: Arc::new(Object::new(value)) });
        Some(object)
    }

    fn note(&mut self, event: Event) {
        if self.history.len() == HISTORY
            && let Some(event) = self.history.pop_front()
        {
            self.oldest = event.revision;
        }
        self.history.push_back(event);
    }

    /// Events after `revision`; `None` when some of them are forgotten.
    pub(crate) fn since(&self, revision: u64) -> Option<impl Iterator<Item = &Event>> {
        if revision < self.oldest {
            return None;
        }
        let from = self.history.partition_point(|event| event.revision <= revision);
        Some(self.history.range(from..))
    }

    /// Forgets what happened up to `revision`.
    pub(crate) fn forget(&mut self, revision: u64) {
        self.history.clear();
        self.oldest = revision;
    }
}
