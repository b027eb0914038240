//! Directories of a container: volumes of the engine, each with our labels, and memory.
//!
//! What the system before kept in directories below a data path is in named volumes here. The engine makes them, on
//! whatever machine it runs and without root, fills a new one from the image, and they carry labels, so that nobody's
//! files are taken for ours, and all that has a prefix can be removed. A directory of the machine is never mounted:
//! whoever may name one has the machine.

use std::collections::BTreeMap;

use bollard_stubs::models::{Mount, MountType};
use slipway_engine::workload::WorkloadSpec;
use slipway_team::container::check::is_label;
use slipway_team::container::part::Volume;
use slipway_team::container::{VolumeType, quantity};

use crate::plan::Unfit;

/// What memory as a directory has, unless it says. Source: `team-api.md` §7.4.
const SIZE: &str = "1G";

/// A volume that a container needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct VolumeWish {
    pub name: String,
    /// Whether it goes with the container.
    pub is_temporary: bool,
}

/// The directories of a container.
#[derive(Debug, Default)]
pub(crate) struct Directories {
    pub volumes: Vec<VolumeWish>,
    pub mounts: Vec<Mount>,
    /// Where there is memory, and its options.
    pub memory: BTreeMap<String, String>,
    /// The engine's volume by the name that the configuration has for it.
    named: BTreeMap<String, String>,
}

impl Directories {
    pub(crate) fn of(spec: &WorkloadSpec) -> Result<Self, Unfit> {
        let mut all = Self::default();
        for volume in spec.config.volumes.iter().flatten() {
            all.add(spec, volume)?;
        }
        Ok(all)
    }

    fn add(&mut self, spec: &WorkloadSpec, volume: &Volume) -> Result<(), Unfit> {
        if !is_label(&volume.name) {
            let reason = "is not a name; directories of the node itself cannot be mounted";
            return Err(Unfit(format!("the volume {:?} of {} {reason}", volume.name, spec.name())));
        }
        let kind = volume.kind.unwrap_or_default();
        if kind == VolumeType::Memory {
            let size = volume.size.as_deref().filter(|size| !size.is_empty()).unwrap_or(SIZE);
            self.memory.insert(volume.path.clone(), format!("rw,nosuid,nodev,mode=1777,size={}", bytes(size)));
            return Ok(());
        }
        let is_temporary = kind == VolumeType::Temporary;
        let mut name = format!("{}.{}.{}", spec.prefix, spec.name(), volume.name);
        if is_temporary {
            // A new one each time.
            name = format!("{name}.{}", spec.started_at.timestamp_millis());
        }
        self.mounts.push(mount(&name, &volume.path, kind == VolumeType::ReadOnly));
        self.named.insert(volume.name.clone(), name.clone());
        self.volumes.push(VolumeWish { name, is_temporary });
        Ok(())
    }

    /// The volume `name` as a container that runs before sees it, at `path`.
    pub(crate) fn link(&self, name: &str, path: &str) -> Result<Mount, Unfit> {
        match self.named.get(name) {
            Some(volume) => Ok(mount(volume, path, false)),
            None => {
                Err(Unfit(format!("the volume {name:?} cannot be filled before the container starts: it is in memory")))
            }
        }
    }
}

fn mount(volume: &str, path: &str, is_read_only: bool) -> Mount {
    Mount {
        typ: Some(MountType::VOLUME),
        source: Some(volume.to_owned()),
        target: Some(path.to_owned()),
        read_only: Some(is_read_only),
        ..Mount::default()
    }
}

/// A size in whole bytes.
fn bytes(size: &str) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a cast of a number stays within what the type holds"
    )]
    let bytes = quantity(size) as u64;
    bytes.clamp(4096, 1 << 60)
}
