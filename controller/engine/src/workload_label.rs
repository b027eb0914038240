//! Labels of everything that is made for containers of teams, whatever kind of node it is on. What lacks them is never
//! touched. Source: `team-api.md` §7.9.

use std::collections::BTreeMap;

use crate::workload::Ownership;

/// Label that says who made it.
pub const LABEL_MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// The value of [`LABEL_MANAGED_BY`].
pub const MANAGED_BY: &str = "slipway";
/// Label with the team's id.
pub const LABEL_TEAM: &str = "slipway.io/team";
/// Label with the project's id.
pub const LABEL_PROJECT: &str = "slipway.io/project";
/// Label with the version's id.
pub const LABEL_TEAM_VERSION: &str = "slipway.io/version";
/// Label with the deployment's id.
pub const LABEL_DEPLOYMENT: &str = "slipway.io/deployment";
/// Label with the instance's id.
pub const LABEL_INSTANCE: &str = "slipway.io/instance";
/// Label with the prefix.
pub const LABEL_PREFIX: &str = "slipway.io/prefix";

/// The labels of everything that is made for a container.
#[must_use]
pub fn labels_of(ownership: &Ownership, prefix: &str) -> BTreeMap<&'static str, String> {
    let Ownership { team, project, version, deployment, instance } = ownership;
    BTreeMap::from([
        (LABEL_MANAGED_BY, MANAGED_BY.to_owned()),
        (LABEL_TEAM, team.to_string()),
        (LABEL_PROJECT, project.to_string()),
        (LABEL_TEAM_VERSION, version.to_string()),
        (LABEL_DEPLOYMENT, deployment.to_string()),
        (LABEL_INSTANCE, instance.to_string()),
        (LABEL_PREFIX, prefix.to_owned()),
    ])
}
