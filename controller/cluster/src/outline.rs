//! What a status is measured against.

use slipway_core::{ProcessType, ReleaseVersion};
use slipway_engine::AppSpec;

/// What is wanted of an app, without what only the cluster has to know: environments and certificates are large and
/// secret, and thousands of apps that are as they should be stay in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outline {
    /// Generation of the wish.
    pub generation: i64,
    /// What should run.
    pub release: Option<ReleaseOutline>,
}

/// A release that should run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseOutline {
    /// Its number.
    pub version: ReleaseVersion,
    /// Its process types.
    pub processes: Box<[ProcessOutline]>,
}

/// The processes of one type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessOutline {
    /// The type.
    pub process_type: ProcessType,
    /// How many there should be; `None` when the cluster decides.
    pub replicas: Option<u32>,
    /// Whether requests go to processes of this type.
    pub is_routed: bool,
}

impl Outline {
    /// The outline of a wish.
    #[must_use]
    pub fn new(spec: &AppSpec) -> Self {
        let release = spec.release.as_ref().map(|release| {
            let process = |process: &slipway_engine::ProcessSpec| ProcessOutline {
                process_type: process.process_type.clone(),
                // A process scaled to zero has nothing for an autoscaler to measure.
                replicas: Some(process.replicas).filter(|replicas| *replicas == 0 || process.autoscale.is_none()),
                is_routed: process.is_routed,
            };
            ReleaseOutline { version: release.version, processes: release.processes.iter().map(process).collect() }
        });
        Self { generation: spec.generation, release }
    }
}
