//! Volumes: claims, and how pods have them. Source: `drycc-v2.md` §4.1.

use k8s_openapi::api::core::v1 as core;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use slipway_core::AppName;
use slipway_engine::{MountSpec, VolumeSpec};

use super::{Object, RenderError};
use crate::index::{Kept, Kind};
use crate::labels::{LABEL_APP, LABEL_MOUNTS, LABEL_VOLUME};
use crate::settings::ClusterSettings;

/// The access mode of claims that one node at a time may have.
pub const READ_WRITE_ONCE: &str = "ReadWriteOnce";
/// The group that files of volumes are given to, where the storage can, and that all processes of an app with volumes are
/// in: whatever user an image runs as, it can write.
const FS_GROUP: i64 = 2000;
/// What a size is measured in, after its number.
const UNITS: [(&str, u64); 8] = [
    ("Ki", 1 << 10),
    ("Mi", 1 << 20),
    ("Gi", 1 << 30),
    ("Ti", 1 << 40),
    ("k", 1_000),
    ("M", 1_000_000),
    ("G", 1_000_000_000),
    ("T", 1_000_000_000_000),
];

/// The claim of a volume.
pub(super) fn claim(app: &AppName, volume: &VolumeSpec, settings: &ClusterSettings) -> Result<Object, RenderError> {
    let mut metadata = super::metadata(app, volume.name.to_string());
    metadata.labels.get_or_insert_default().insert(LABEL_VOLUME.to_owned(), volume.id.to_string());
    let size = Quantity(format!("{}Mi", volume.bytes >> 20));
    let claim = core::PersistentVolumeClaim {
        metadata,
        spec: Some(core::PersistentVolumeClaimSpec {
            access_modes: Some(vec![settings.volume_access_mode.clone()]),
            storage_class_name: settings.volume_storage_class.clone(),
            resources: Some(core::VolumeResourceRequirements {
                requests: Some([("storage".to_owned(), size)].into()),
                ..core::VolumeResourceRequirements::default()
            }),
            ..core::PersistentVolumeClaimSpec::default()
        }),
        ..core::PersistentVolumeClaim::default()
    };
    Object::new(Kind::PersistentVolumeClaim, &claim)
}

impl Object {
    /// This claim, with what cannot be changed as `kept` has it, and never smaller. `None` when that is the same.
    #[must_use]
    pub fn as_grown_from(&self, kept: &Kept) -> Option<Self> {
        const SIZE: &str = "/spec/resources/requests/storage";
        let (found, mut body) = (kept.value(), self.body.clone());
        for field in ["accessModes", "storageClassName", "volumeMode"] {
            match found.pointer("/spec").and_then(|spec| spec.get(field)) {
                Some(value) => body["spec"][field] = value.clone(),
                None => drop(body["spec"].as_object_mut()?.remove(field)),
            }
        }
        let size = |value: &serde_json::Value| value.pointer(SIZE).and_then(|size| bytes(size.as_str()?));
        if size(&found) >= size(&body) {
            body["spec"]["resources"]["requests"]["storage"] = found.pointer(SIZE)?.clone();
        }
        if body == self.body {
            return None;
        }
        // The digest was the only one, and is no part of itself.
        body["metadata"].as_object_mut()?.remove("annotations");
        Some(Self::of(self.kind, body))
    }
}

/// A size in bytes, as the API server writes it.
fn bytes(text: &str) -> Option<u64> {
    let unit = UNITS.iter().find_map(|(unit, bytes)| Some((text.strip_suffix(unit)?, *bytes)));
    let (number, unit) = unit.unwrap_or((text, 1));
    number.parse::<u64>().ok()?.checked_mul(unit)
}

/// Gives a pod its volumes; its first container is the one that has them.
pub(crate) fn mount(pod: &mut core::PodSpec, app: &AppName, mounts: &[MountSpec], settings: &ClusterSettings) {
    if mounts.is_empty() {
        return;
    }
    let volume = |mount: &MountSpec| core::Volume {
        name: mount.name.to_string(),
        persistent_volume_claim: Some(core::PersistentVolumeClaimVolumeSource {
            claim_name: mount.name.to_string(),
            read_only: None,
        }),
        ..core::Volume::default()
    };
    pod.volumes = Some(mounts.iter().map(volume).collect());
    if let Some(container) = pod.containers.first_mut() {
        let mount = |mount: &MountSpec| core::VolumeMount {
            name: mount.name.to_string(),
            mount_path: mount.path.to_string(),
            ..core::VolumeMount::default()
        };
        container.volume_mounts = Some(mounts.iter().map(mount).collect());
    }
    let security = pod.security_context.get_or_insert_default();
    security.fs_group = Some(FS_GROUP);
    security.fs_group_change_policy = Some("OnRootMismatch".to_owned());
    if is_on_one_node(settings) {
        // The node that has the volume: the one where another pod has it.
        let term = |mount: &MountSpec| core::PodAffinityTerm {
            topology_key: "kubernetes.io/hostname".to_owned(),
            label_selector: Some(LabelSelector {
                match_labels: Some([(LABEL_APP.to_owned(), app.to_string()), label(mount)].into()),
                ..LabelSelector::default()
            }),
            ..core::PodAffinityTerm::default()
        };
        pod.affinity = Some(core::Affinity {
            pod_affinity: Some(core::PodAffinity {
                required_during_scheduling_ignored_during_execution: Some(mounts.iter().map(term).collect()),
                ..core::PodAffinity::default()
            }),
            ..core::Affinity::default()
        });
    }
}

/// Whether one node at a time has a volume.
pub(crate) fn is_on_one_node(settings: &ClusterSettings) -> bool {
    settings.volume_access_mode == READ_WRITE_ONCE
}

/// The label of pods that have a volume.
pub(crate) fn label(mount: &MountSpec) -> (String, String) {
    (format!("{LABEL_MOUNTS}{}", mount.name), mount.volume.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use slipway_core::{VolumeId, VolumeName};

    use super::*;

    fn volume(megabytes: u64) -> VolumeSpec {
        let id = VolumeId::from_uuid("0198f2a1-0000-7000-8000-000000000002".parse().unwrap());
        VolumeSpec { id, name: VolumeName::new("data").unwrap(), bytes: megabytes << 20 }
    }

    fn kept(spec: &serde_json::Value) -> Kept {
        let metadata = super::super::metadata(&AppName::new("blog").unwrap(), "data".to_owned());
        Kept::new(Kind::PersistentVolumeClaim, &metadata, &json!({"spec": spec})).unwrap()
    }

    #[test]
    fn claims_only_grow() {
        let app = AppName::new("blog").unwrap();
        let settings = ClusterSettings { volume_storage_class: Some("new".to_owned()), ..ClusterSettings::default() };
        let wanted = claim(&app, &volume(2048), &settings).unwrap();
        let spec = |size: &str| {
            json!({
                "accessModes": ["ReadWriteOnce"], "storageClassName": "old", "volumeMode": "Filesystem",
                "volumeName": "pv-1", "resources": {"requests": {"storage": size}},
            })
        };
        for (found, size) in
            [("1Gi", "2048Mi"), ("2Gi", "2Gi"), ("3Gi", "3Gi"), ("2147483648", "2147483648"), ("2G", "2048Mi")]
        {
            let held = wanted.as_grown_from(&kept(&spec(found))).unwrap();
            let expect = json!({
                "accessModes": ["ReadWriteOnce"], "storageClassName": "old", "volumeMode": "Filesystem",
                "resources": {"requests": {"storage": size}},
            });
            assert_eq!(held.body["spec"], expect, "{found}");
            assert_ne!(held.hash, wanted.hash);
        }
        let same = json!({
            "accessModes": ["ReadWriteMany"], "storageClassName": "new", "resources": {"requests": {"storage": "2048Mi"}},
        });
        assert!(wanted.as_grown_from(&kept(&same)).is_none());
    }
}
