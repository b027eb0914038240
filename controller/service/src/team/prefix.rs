//! Prefixes of deployments, which are names that a team has for itself. Source: `team-api.md` §4.5.

use chrono::{DateTime, Utc};
use slipway_store as store;
use slipway_store::{Db, NameOwner};
use slipway_team::node::Node;
use slipway_team::{Error, Refusal, Refused};

use crate::stored::Fail;
use crate::{Service, ServiceConfig};

/// Longest prefix: it is a DNS label.
const PREFIX_MAX: usize = 63;
/// Prefixes of names that are a cluster's own.
const OF_THE_CLUSTER: [&str; 2] = ["kube-", "openshift-"];

/// Whether text can be the prefix of a deployment at all.
fn form_check(config: &ServiceConfig, prefix: &str) -> Result<(), Error> {
    let refused = |message: &str| Err(Refusal::new(Refused::Invalid, "prefix", message).value(prefix).into());
    let is_label = (1..=PREFIX_MAX).contains(&prefix.len())
        && prefix.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && !prefix.starts_with('-')
        && !prefix.ends_with('-');
    if !is_label {
        return refused("prefix must have 1 to 63 lower-case letters, digits and hyphens, with no hyphen at an end");
    }
    let is_reserved = prefix == "default"
        || OF_THE_CLUSTER.iter().any(|own| prefix.starts_with(own))
        || config.reserved_names.iter().any(|own| own == prefix);
    if is_reserved { refused("prefix is a name that nobody may have") } else { Ok(()) }
}

impl Service {
    /// Takes a prefix for deployments of the node's team, in the transaction that writes one: at creation, when a copy is
    /// made, and when the prefix changes. On what the platform itself runs on it is then nobody else's, app's or team's.
    ///
    /// # Errors
    /// 400 `prefix` when it can be none; 409 `prefix` when an app or another team has it.
    pub(crate) async fn prefix_take(
        &self,
        db: &mut Db,
        node: &Node,
        prefix: &str,
        now: DateTime<Utc>,
    ) -> Result<(), Fail> {
        form_check(self.config(), prefix)?;
        if node.access.is_platform() && !store::platform_name_take(db, prefix, NameOwner::Team(node.team), now).await? {
            return Err(Error::conflict("prefix", "prefix taken").value(prefix).into());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_are_labels_that_are_nobodys() {
        let config = ServiceConfig::new("example.com", "k".into(), "k".into());
        for good in ["a", "web-1", "1", &"a".repeat(63), "kubernetes"] {
            assert!(form_check(&config, good).is_ok(), "{good}");
        }
        let long = "a".repeat(64);
        for bad in ["", "-a", "a-", "A", "a.b", "a_b", "ä", &long, "default", "kube-system", "kube-x", "slipway"] {
            assert!(form_check(&config, bad).is_err(), "{bad}");
        }
    }
}
