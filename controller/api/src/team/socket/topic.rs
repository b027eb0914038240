//! What can be subscribed to, by its path.

use slipway_service::Cx;
use slipway_team::{Member, Result};

use crate::State;

/// Longest path, in bytes.
const PATH_MAX: usize = 256;

/// Something to be subscribed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Topic {
    /// Search in registries.
    Registries,
}

/// A path: whose, and what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// The team's slug; nothing for the active team, as the older generation has it.
    pub(super) slug: Option<String>,
    /// What of the team's.
    pub(super) topic: Topic,
}

impl Place {
    /// Reads a path: `/{slug}/registries`, or without the slug.
    pub(super) fn parse(path: &str) -> Option<Self> {
        let rest = path.strip_prefix('/').filter(|_| path.len() <= PATH_MAX)?;
        let segments: Vec<&str> = rest.split('/').collect();
        let topic = |segments: &[&str]| match segments {
            ["registries"] => Some(Topic::Registries),
            _ => None,
        };
        if let Some(topic) = topic(&segments) {
            return Some(Self { slug: None, topic });
        }
        let (slug, rest) = segments.split_first()?;
        Some(Self { slug: Some((*slug).to_owned()), topic: topic(rest)? })
    }

    /// The caller's place in the team.
    pub(super) async fn member(&self, state: &State, cx: &Cx) -> Result<Member> {
        match &self.slug {
            Some(slug) => state.service.team_member(cx, slug).await,
            None => state.service.team_member_active(cx).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read() {
        let place = |slug: Option<&str>, topic| Some(Place { slug: slug.map(str::to_owned), topic });
        assert_eq!(Place::parse("/acme/registries"), place(Some("acme"), Topic::Registries));
        assert_eq!(Place::parse("/registries"), place(None, Topic::Registries));
        let long = format!("/{}/registries", "a".repeat(300));
        for bad in ["", "/", "acme/registries", "/acme", "/acme/registries/", "/acme/none", "//registries/x", &long] {
            assert_eq!(Place::parse(bad), None, "{bad}");
        }
    }
}
