//! Registries that images come from. Source: `team-api.md` §4.2.

use std::str::FromStr;

use secrecy::SecretString;

use crate::{RegistryId, Stamp, TeamId};

/// The host of Docker Hub as it is stored and shown.
pub const HUB: &str = "hub.docker.com";
/// The host of GitLab's own registry.
pub const GITLAB: &str = "registry.gitlab.com";
/// The host of GitHub's registry.
pub const GITHUB: &str = "ghcr.io";
/// The hosts of Google's registry.
pub const GOOGLE: [&str; 4] = ["gcr.io", "us.gcr.io", "eu.gcr.io", "asia.gcr.io"];

/// What kind of registry it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RegistryKind {
    /// Any that speaks the distribution API.
    V2,
    /// Docker Hub.
    Hub,
    /// GitLab, or one of one's own.
    Gitlab,
    /// GitHub.
    Github,
    /// Google.
    Google,
    /// Any, never asked.
    Unchecked,
}

/// The word is no kind of registry, or no kind of namespace.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not one of the known words")]
pub struct WordError;

impl RegistryKind {
    /// All kinds.
    pub const ALL: [Self; 6] = [Self::V2, Self::Hub, Self::Gitlab, Self::Github, Self::Google, Self::Unchecked];

    /// Its name in requests, answers and the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V2 => "v2",
            Self::Hub => "hub",
            Self::Gitlab => "gitlab",
            Self::Github => "github",
            Self::Google => "google",
            Self::Unchecked => "unchecked",
        }
    }
}

impl FromStr for RegistryKind {
    type Err = WordError;

    fn from_str(text: &str) -> Result<Self, WordError> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or(WordError)
    }
}

/// Whose images a prefix names, at GitLab and at GitHub.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Namespace {
    /// Those of a group at GitLab.
    Group,
    /// Those of a project at GitLab.
    Project,
    /// Those of an organisation at GitHub.
    Organization,
    /// Those of a user at GitHub.
    User,
}

impl Namespace {
    /// Its name in requests, answers and the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Group => "group",
            Self::Project => "project",
            Self::Organization => "organization",
            Self::User => "user",
        }
    }
}

impl FromStr for Namespace {
    type Err = WordError;

    fn from_str(text: &str) -> Result<Self, WordError> {
        [Self::Group, Self::Project, Self::Organization, Self::User]
            .into_iter()
            .find(|namespace| namespace.as_str() == text)
            .ok_or(WordError)
    }
}

/// What a registry asks those who pull for.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The name; at Google the address of a service account.
    pub user: String,
    /// The password; at Google the account's private key.
    pub token: SecretString,
}

/// Where images are, and how to get them.
#[derive(Debug, Clone)]
pub struct RegistryDetails {
    /// The kind.
    pub kind: RegistryKind,
    /// Host, without scheme; possibly with a path, possibly empty for images that are on the node.
    pub url: String,
    /// What precedes the name of every image.
    pub image_prefix: Option<String>,
    /// Whose images the prefix names.
    pub namespace: Option<Namespace>,
    /// Where the API of a GitLab of one's own is, without scheme.
    pub api_url: Option<String>,
    /// For private images.
    pub credentials: Option<Credentials>,
}

/// A registry of a team.
#[derive(Debug, Clone)]
pub struct Registry {
    /// Its identity.
    pub id: RegistryId,
    /// Whose it is.
    pub team: TeamId,
    /// Its name, unique in the team.
    pub name: String,
    /// For people.
    pub description: Option<String>,
    /// For people.
    pub icon: Option<String>,
    /// Where images are, and how to get them.
    pub details: RegistryDetails,
    /// When and by whom it was made and changed.
    pub stamp: Stamp,
}

impl RegistryDetails {
    /// Docker Hub's own images, which every team begins with.
    #[must_use]
    pub fn library() -> Self {
        Self {
            kind: RegistryKind::Hub,
            url: HUB.to_owned(),
            image_prefix: Some("library".to_owned()),
            namespace: None,
            api_url: None,
            credentials: None,
        }
    }

    /// What an engine pulls for an image of this registry, without tag or digest.
    #[must_use]
    pub fn pull_name(&self, image: &str) -> String {
        let prefix = self.image_prefix.as_deref().unwrap_or_default();
        let parts = match self.kind {
            RegistryKind::Hub => [prefix, image, ""],
            RegistryKind::Github | RegistryKind::Google => [self.url.as_str(), prefix, image],
            // The name at GitLab holds the path of the project already.
            RegistryKind::V2 | RegistryKind::Gitlab | RegistryKind::Unchecked => [self.url.as_str(), image, ""],
        };
        let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        parts.join("/")
    }

    /// The key of an entry with these credentials in a Docker configuration: the registry's host.
    #[must_use]
    pub fn credentials_host(&self) -> &str {
        match self.kind {
            RegistryKind::Hub => "https://index.docker.io/v1/",
            RegistryKind::V2
            | RegistryKind::Gitlab
            | RegistryKind::Github
            | RegistryKind::Google
            | RegistryKind::Unchecked => self.url.split('/').next().unwrap_or_default(),
        }
    }
}

/// An address as it is stored: without scheme and without slashes at its end.
#[must_use]
pub fn url_bare(url: &str) -> &str {
    let bare = url.trim().split_once("://").map_or(url.trim(), |(_, rest)| rest);
    bare.trim_end_matches('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn details(kind: RegistryKind, url: &str, prefix: Option<&str>) -> RegistryDetails {
        RegistryDetails {
            kind,
            url: url.to_owned(),
            image_prefix: prefix.map(str::to_owned),
            namespace: None,
            api_url: None,
            credentials: None,
        }
    }

    #[test]
    fn images_are_pulled_by_the_name_of_their_registry() {
        use RegistryKind::{Github, Gitlab, Google, Hub, Unchecked, V2};
        for (kind, url, prefix, expect, host) in [
            (Hub, HUB, Some("library"), "library/nginx", "https://index.docker.io/v1/"),
            (V2, "registry.example.com:5000", None, "registry.example.com:5000/nginx", "registry.example.com:5000"),
            (V2, "example.com/mirror", None, "example.com/mirror/nginx", "example.com"),
            (Gitlab, GITLAB, Some("group"), "registry.gitlab.com/nginx", GITLAB),
            (Github, GITHUB, Some("acme"), "ghcr.io/acme/nginx", GITHUB),
            (Google, "eu.gcr.io", Some("acme"), "eu.gcr.io/acme/nginx", "eu.gcr.io"),
            (Unchecked, "", None, "nginx", ""),
        ] {
            let details = details(kind, url, prefix);
            assert_eq!((details.pull_name("nginx").as_str(), details.credentials_host()), (expect, host), "{kind:?}");
        }
    }

    #[test]
    fn addresses_are_kept_without_scheme() {
        for (given, expect) in
            [("https://a.example/", "a.example"), ("http://a.example:5000", "a.example:5000"), (" a/b// ", "a/b")]
        {
            assert_eq!(url_bare(given), expect);
        }
        for kind in RegistryKind::ALL {
            assert_eq!(kind.as_str().parse(), Ok(kind));
        }
        assert!("simple".parse::<RegistryKind>().is_err() && "team".parse::<Namespace>().is_err());
    }
}
