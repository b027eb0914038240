//! What can be subscribed to, by its path.

use slipway_service::Cx;
use slipway_team::{DeploymentId, Error, Member, NodeId, Result};

use super::super::scope::Dialect;
use crate::State;

/// Longest path, in bytes.
const PATH_MAX: usize = 256;

/// Something to be subscribed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Topic {
    /// Search in registries.
    Registries,
    /// Which nodes answer.
    Nodes,
    /// A node, and the containers there.
    Node(NodeId),
    /// A deployment, and what it tells.
    Deployment(DeploymentId),
}

/// Whose something is: of the team with this slug, or of the active team, as the older generation has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Whose(Option<String>);

impl Whose {
    /// The caller's place in the team.
    pub(super) async fn member(&self, state: &State, cx: &Cx) -> Result<Member> {
        match &self.0 {
            Some(slug) => state.service.team_member(cx, slug).await,
            None => state.service.team_member_active(cx).await,
        }
    }

    /// In which form things are told.
    pub(super) const fn dialect(&self) -> Dialect {
        if self.0.is_some() { Dialect::Slug } else { Dialect::Active }
    }
}

/// A path: whose, and what.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// Whose.
    pub(super) whose: Whose,
    /// What of theirs.
    pub(super) topic: Topic,
}

/// Reads a path: `/{slug}/nodes`, or without the slug. Whether an identity in it is one is for members only to know.
pub(super) fn parse(path: &str) -> Option<(Whose, Result<Topic>)> {
    let rest = path.strip_prefix('/').filter(|_| path.len() <= PATH_MAX)?;
    let segments: Vec<&str> = rest.split('/').collect();
    // No team is named like a topic.
    if let Some(topic) = topic(&segments) {
        return Some((Whose(None), topic));
    }
    let (slug, rest) = segments.split_first()?;
    Some((Whose(Some((*slug).to_owned())), topic(rest)?))
}

fn topic(segments: &[&str]) -> Option<Result<Topic>> {
    let bad = |property: &str| Error::invalid(property, format!("{property} is no UUID"));
    match segments {
        ["registries"] => Some(Ok(Topic::Registries)),
        ["nodes"] => Some(Ok(Topic::Nodes)),
        ["nodes", id] => Some(id.parse().map(Topic::Node).map_err(|_| bad("nodeId"))),
        ["deployments", id] => Some(id.parse().map(Topic::Deployment).map_err(|_| bad("deploymentId"))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read() {
        let read = |path: &str| parse(path).map(|(Whose(slug), topic)| (slug, topic.ok()));
        let acme = |topic| Some((Some("acme".to_owned()), topic));
        let (node, deployment) = (NodeId::generate(), DeploymentId::generate());
        for (path, expect) in [
            ("registries".to_owned(), Some(Topic::Registries)),
            ("nodes".to_owned(), Some(Topic::Nodes)),
            (format!("nodes/{node}"), Some(Topic::Node(node))),
            (format!("deployments/{deployment}"), Some(Topic::Deployment(deployment))),
            ("nodes/x".to_owned(), None),
            ("deployments/".to_owned(), None),
        ] {
            assert_eq!(read(&format!("/acme/{path}")), acme(expect), "{path}");
            assert_eq!(read(&format!("/{path}")), Some((None, expect)), "{path}");
        }
        let long = format!("/{}/registries", "a".repeat(300));
        for bad in [
            "",
            "/",
            "acme/registries",
            "/acme",
            "/acme/registries/",
            "/acme/none",
            "//registries/x",
            "/acme/deployments",
            "/acme/nodes/x/y",
            &long,
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
