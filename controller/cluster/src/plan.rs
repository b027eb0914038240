//! What is to be done so that what is becomes what is wanted. Pure.
//!
//! An object is written when it is missing, when its digest is another, or when someone changed one of the few fields
//! that decide what runs. What is no longer wanted goes when nothing needs it any more: processes and environments
//! only after the rollout, so that what served before can serve again.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::index::{AppObjects, Kept, Kind};
use crate::kept::DECISIVE;
use crate::labels::{ANNOTATION_HASH, LABEL_TYPE, LABEL_VERSION, LABEL_VOLUME, TYPE_CERT, TYPE_ENV, TYPE_PULL};
use crate::objects::Object;

/// How long the watches may need to tell of what was written.
pub(crate) const LAG_MAX: Duration = Duration::from_secs(30);

/// One call to the API server.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Write an object.
    Apply {
        /// The object.
        object: Object,
        /// Whether an object of this name is known to be ours.
        is_known: bool,
    },
    /// Remove an object of ours.
    Delete {
        /// Its kind.
        kind: Kind,
        /// Its name.
        name: String,
        /// Its UID: another object of the same name stays.
        uid: String,
    },
}

/// What was written a moment ago and the watches may not have told of yet.
#[derive(Debug, Clone, Default)]
pub struct Recent {
    written: HashMap<(Kind, String), (String, Instant)>,
    /// UIDs of what was removed.
    removed: HashMap<String, Instant>,
}

impl Recent {
    /// Remembers that `object` was written.
    pub fn note(&mut self, object: &Object, now: Instant) {
        self.written.insert((object.kind, object.name.clone()), (object.hash.clone(), now));
    }

    /// Remembers that the object with `uid` was removed.
    pub fn note_removed(&mut self, uid: String, now: Instant) {
        self.removed.insert(uid, now);
    }

    /// Forgets what the watches have told of, and what they should have told of by now.
    pub fn forget(&mut self, seen: &AppObjects, now: Instant) {
        self.removed.retain(|uid, at| {
            now.duration_since(*at) < LAG_MAX && seen.objects.iter().any(|kept| *kept.uid == **uid && !kept.is_deleting)
        });
        self.written.retain(|(kind, name), (hash, at)| {
            now.duration_since(*at) < LAG_MAX && find(seen, *kind, name).and_then(hash_of).as_ref() != Some(hash)
        });
    }

    /// Whether the watches have told of everything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.written.is_empty() && self.removed.is_empty()
    }

    fn holds(&self, object: &Object) -> bool {
        self.written.get(&(object.kind, object.name.clone())).is_some_and(|(hash, _)| *hash == object.hash)
    }
}

fn find<'a>(seen: &'a AppObjects, kind: Kind, name: &str) -> Option<&'a Kept> {
    if kind == Kind::Namespace {
        return seen.namespace.as_deref().filter(|kept| &*kept.name == name);
    }
    seen.object(kind, name).map(|kept| &**kept)
}

fn hash_of(kept: &Kept) -> Option<String> {
    kept.annotation(ANNOTATION_HASH)
}

/// Whether the cluster has every wanted Deployment as it is wanted now, which says nothing of its pods.
#[must_use]
pub fn is_written(desired: &[Object], seen: &AppObjects) -> bool {
    desired
        .iter()
        .filter(|object| object.kind == Kind::Deployment)
        .all(|object| find(seen, object.kind, &object.name).and_then(hash_of).as_ref() == Some(&object.hash))
}

/// Whether every wanted Deployment is as it is wanted, with all its pods available and none left over.
#[must_use]
pub fn is_rolled_out(desired: &[Object], seen: &AppObjects) -> bool {
    is_written(desired, seen)
        && desired.iter().filter(|object| object.kind == Kind::Deployment).all(|object| {
            seen.deployments.iter().any(|deployment| *deployment.name == *object.name && deployment.is_complete())
        })
}

/// The steps from `seen` to `desired`, in order: what others refer to is written first, what is not wanted any more goes
/// last. Nothing when nothing is to be done.
#[must_use]
pub fn plan(desired: &[Object], seen: &AppObjects, recent: &Recent) -> Vec<Step> {
    let is_rolled_out = is_rolled_out(desired, seen);
    let mut steps = Vec::new();
    for object in desired {
        let kept = find(seen, object.kind, &object.name);
        // An autoscaler that goes must not see the number of its Deployment change first.
        if object.kind == Kind::Deployment {
            steps.extend(orphan_of(Kind::HorizontalPodAutoscaler, &object.name, desired, seen));
        }
        if let Some(kept) = kept.filter(|kept| is_other_volume(object, kept)) {
            steps.extend((!kept.is_deleting).then(|| delete(kept)));
            continue;
        }
        let held = match (object.kind, kept) {
            (Kind::Service, Some(kept)) if !is_rolled_out => object.with_selector_of(kept),
            (Kind::PersistentVolumeClaim, Some(kept)) => object.as_grown_from(kept),
            _ => None,
        };
        write(held.as_ref().unwrap_or(object), kept, recent, &mut steps);
    }
    steps.extend(orphans(desired, seen, is_rolled_out));
    steps.retain(|step| match step {
        Step::Apply { .. } => true,
        Step::Delete { uid, .. } => !recent.removed.contains_key(uid),
    });
    steps
}

fn write(object: &Object, kept: Option<&Kept>, recent: &Recent, steps: &mut Vec<Step>) {
    let apply = |is_known| Step::Apply { object: object.clone(), is_known };
    match kept {
        // It can be made anew once it is gone.
        Some(kept) if kept.is_deleting => {}
        Some(_) | None if recent.holds(object) => {}
        None => steps.push(apply(false)),
        Some(kept) => {
            let is_same = hash_of(kept).as_ref() == Some(&object.hash);
            if is_same && !has_drifted(object, kept) {
                return;
            }
            // What is immutable is made anew.
            let is_immutable = object.body.get("immutable").and_then(Value::as_bool) == Some(true);
            if is_immutable && !is_same {
                steps.push(delete(kept));
            }
            steps.push(apply(true));
        }
    }
}

/// Whether a claim is that of an earlier volume of the same name, whose files nobody is to find in the new one.
fn is_other_volume(object: &Object, kept: &Kept) -> bool {
    let wanted = || object.body.pointer("/metadata/labels")?.get(LABEL_VOLUME)?.as_str();
    object.kind == Kind::PersistentVolumeClaim && kept.label(LABEL_VOLUME).as_deref() != wanted()
}

fn delete(kept: &Kept) -> Step {
    Step::Delete { kind: kept.kind, name: kept.name.to_string(), uid: kept.uid.to_string() }
}

/// Whether someone changed a field that decides what runs or where requests go.
fn has_drifted(object: &Object, kept: &Kept) -> bool {
    let is_scaled = object.is_autoscaled;
    let value = kept.value();
    let is_other = |pointer: &str| match (object.body.pointer(pointer), value.pointer(pointer)) {
        (Some(_), _) if pointer == "/spec/replicas" && is_scaled => false,
        (Some(wanted), Some(found)) => wanted != found,
        (Some(_), None) => true,
        (None, _) => false,
    };
    // Others may add labels and annotations of their own.
    let has_lost = |map: &str| {
        let wanted = object.body.pointer(map).and_then(Value::as_object);
        wanted
            .into_iter()
            .flatten()
            .any(|(key, text)| value.pointer(map).and_then(|found| found.get(key)) != Some(text) && !is_told_only(key))
    };
    match object.kind {
        Kind::Deployment | Kind::Service => DECISIVE.into_iter().any(is_other) || has_lost("/metadata/labels"),
        Kind::Namespace => has_lost("/metadata/labels"),
        Kind::ResourceQuota
        | Kind::LimitRange
        | Kind::PersistentVolumeClaim
        | Kind::ServiceAccount
        | Kind::Secret
        | Kind::NetworkPolicy
        | Kind::HorizontalPodAutoscaler
        | Kind::PodDisruptionBudget
        | Kind::Job => false,
    }
}

/// Annotations that alone are no reason to write.
fn is_told_only(key: &str) -> bool {
    key == crate::route::ANNOTATION_GENERATION
}

fn orphan_of(kind: Kind, name: &str, desired: &[Object], seen: &AppObjects) -> Option<Step> {
    if desired.iter().any(|object| object.kind == kind && object.name == name) {
        return None;
    }
    seen.object(kind, name).filter(|kept| !kept.is_deleting).map(|kept| delete(kept))
}

/// What is ours and not wanted any more.
fn orphans(desired: &[Object], seen: &AppObjects, is_rolled_out: bool) -> Vec<Step> {
    let is_wanted = |kept: &Kept| desired.iter().any(|object| object.kind == kept.kind && object.name == *kept.name);
    let has_deployment =
        |name: &str| desired.iter().any(|object| object.kind == Kind::Deployment && object.name == name);
    seen.objects
        .iter()
        .filter(|kept| !kept.is_deleting && !is_wanted(kept))
        .filter(|kept| match kept.kind {
            Kind::Deployment => is_rolled_out,
            // Removed with the Deployment's step, before it.
            Kind::HorizontalPodAutoscaler => !has_deployment(&kept.name),
            Kind::PodDisruptionBudget | Kind::ResourceQuota | Kind::LimitRange => true,
            // The cluster keeps it while a pod has it.
            Kind::PersistentVolumeClaim => kept.label(LABEL_VOLUME).is_some(),
            Kind::Secret => match kept.label(LABEL_TYPE).as_deref() {
                Some(TYPE_CERT) => true,
                Some(TYPE_PULL) => is_rolled_out,
                Some(TYPE_ENV) => is_rolled_out && !is_in_use(kept, seen),
                Some(_) | None => false,
            },
            // Those that paths lead to; the app's own has no type. The route that named it is written before.
            Kind::Service => kept.label(LABEL_TYPE).is_some(),
            Kind::Namespace | Kind::ServiceAccount | Kind::NetworkPolicy | Kind::Job => false,
        })
        .map(|kept| delete(kept))
        .collect()
}

/// Whether a pod may still be started with this environment. Source: `drycc-v2.md` §4.11.
fn is_in_use(secret: &Kept, seen: &AppObjects) -> bool {
    let Some(version) = secret.label(LABEL_VERSION) else { return false };
    let is_same = |other: Option<slipway_core::ReleaseVersion>| other.is_some_and(|other| other.to_string() == version);
    seen.replica_sets.iter().any(|set| is_same(set.version)) || seen.pods.iter().any(|pod| is_same(pod.version))
}

#[cfg(test)]
mod tests;
