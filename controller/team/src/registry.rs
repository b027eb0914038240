//! Registries that images come from. Source: `team-api.md` §4.2.

use std::str::FromStr;

use secrecy::{ExposeSecret, SecretString};

use crate::{Error, Refusal, Refused, RegistryId, Stamp, TeamId};

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

/// Where images are, as a request says it: what it lacks is `None`.
#[derive(Debug, Clone, Default)]
pub struct DetailsGiven {
    /// Host, with or without scheme.
    pub url: Option<String>,
    /// What precedes the name of every image.
    pub image_prefix: Option<String>,
    /// Whose images the prefix names.
    pub namespace: Option<Namespace>,
    /// Where the API of a GitLab of one's own is.
    pub api_url: Option<String>,
    /// The name to log in with.
    pub user: Option<String>,
    /// The password.
    pub token: Option<SecretString>,
    /// Whether it is said that nobody need log in, or that somebody must.
    pub is_public: Option<bool>,
}

/// Longest address, user or prefix, in characters.
const TEXT_MAX: usize = 512;

impl RegistryDetails {
    /// Checks what a request says, and completes it: hosts that follow from the kind, credentials that it leaves as they
    /// are in `old`. Those are kept only for the same place, so that nobody can have them sent to another.
    ///
    /// # Errors
    /// 400 that names the member; 403 for a blank prefix where there must be one. Source: `team-api.md` §4.2.
    pub fn new(kind: RegistryKind, given: DetailsGiven, old: Option<&Self>) -> Result<Self, Error> {
        let DetailsGiven { url, image_prefix, namespace, api_url, user, token, is_public } = given;
        let given_url = url.as_deref().map(url_bare).filter(|url| !url.is_empty()).map(str::to_owned);
        let api_url = api_url.as_deref().map(url_bare).filter(|url| !url.is_empty()).map(str::to_owned);
        let missing = |property: &str| Error::invalid(property, format!("{property} is missing"));
        let (url, api_url) = match kind {
            RegistryKind::Hub => (HUB.to_owned(), None),
            RegistryKind::Github => (GITHUB.to_owned(), None),
            RegistryKind::Unchecked => (given_url.unwrap_or_default(), None),
            RegistryKind::V2 => (given_url.ok_or_else(|| missing("url"))?, None),
            RegistryKind::Google => {
                let url = given_url.ok_or_else(|| missing("url"))?;
                if !GOOGLE.contains(&url.as_str()) {
                    return Err(Error::invalid("url", "url must be gcr.io, us.gcr.io, eu.gcr.io or asia.gcr.io"));
                }
                (url, None)
            }
            RegistryKind::Gitlab => match (given_url, api_url) {
                (Some(url), Some(api_url)) => (url, Some(api_url)),
                (None, Some(_)) => return Err(missing("url")),
                (_, None) => (GITLAB.to_owned(), None),
            },
        };
        for (property, address) in [("url", Some(&url)), ("apiUrl", api_url.as_ref())] {
            if address.is_some_and(|address| !is_address(address)) {
                return Err(Error::invalid(
                    property,
                    format!("{property} must be a host, possibly with port and path"),
                ));
            }
        }
        let has_prefix =
            matches!(kind, RegistryKind::Hub | RegistryKind::Gitlab | RegistryKind::Github | RegistryKind::Google);
        let image_prefix = image_prefix.map(|prefix| prefix.trim_matches('/').to_owned());
        let image_prefix = match image_prefix.filter(|prefix| !prefix.trim().is_empty()) {
            Some(prefix) if !is_path(&prefix) => {
                return Err(Error::invalid("imageNamePrefix", "imageNamePrefix must be a path of lower-case names"));
            }
            None if kind == RegistryKind::Hub => {
                let refusal = Refusal::new(Refused::Forbidden, "imageNamePrefix", "imageNamePrefix must not be blank");
                return Err(refusal.into());
            }
            None if has_prefix => return Err(missing("imageNamePrefix")),
            prefix => prefix.filter(|_| kind != RegistryKind::Unchecked),
        };
        let namespace = match (kind, namespace) {
            (RegistryKind::Gitlab, Some(own @ (Namespace::Group | Namespace::Project)))
            | (RegistryKind::Github, Some(own @ (Namespace::Organization | Namespace::User))) => Some(own),
            (RegistryKind::Gitlab | RegistryKind::Github, None) => return Err(missing("namespace")),
            (RegistryKind::Gitlab, Some(_)) => {
                return Err(Error::invalid("namespace", "namespace must be group or project"));
            }
            (RegistryKind::Github, Some(_)) => {
                return Err(Error::invalid("namespace", "namespace must be organization or user"));
            }
            _ => None,
        };
        let kept = old
            .filter(|old| old.kind == kind && old.url == url && old.api_url == api_url)
            .and_then(|old| old.credentials.clone());
        let user = user.filter(|user| !user.is_empty());
        let token = token.filter(|token| !token.expose_secret().is_empty());
        let is_closed = matches!(kind, RegistryKind::Gitlab | RegistryKind::Github);
        let credentials = match (user, token) {
            _ if is_public == Some(true) => None,
            (Some(user), Some(token)) => Some(Credentials { user, token }),
            (None, None) => kept,
            (Some(user), None) => match kept {
                Some(kept) if kept.user == user => Some(kept),
                _ => return Err(missing("token")),
            },
            (None, Some(_)) => return Err(missing("user")),
        };
        if credentials.is_none() && (is_closed || is_public == Some(false)) {
            return Err(missing("token"));
        }
        if credentials.as_ref().is_some_and(|own| own.user.chars().count() > TEXT_MAX || own.user.contains(':')) {
            return Err(Error::invalid("user", "user must be at most 512 characters without a colon"));
        }
        Ok(Self { kind, url, image_prefix, namespace, api_url, credentials })
    }
}

/// Whether text is a host, possibly with a port and a path, and nothing that would change the meaning of a URL.
fn is_address(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:/[]".contains(&byte);
    text.len() <= TEXT_MAX && text.bytes().all(is_plain) && !text.starts_with(['/', ':']) && !text.contains("//")
}

/// Whether text is a path of names of images.
fn is_path(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    let is_part = |part: &str| !part.is_empty() && part != "." && part != ".." && part.bytes().all(is_plain);
    text.len() <= TEXT_MAX && text.split('/').all(is_part)
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

    fn given(url: Option<&str>, prefix: Option<&str>) -> DetailsGiven {
        DetailsGiven { url: url.map(str::to_owned), image_prefix: prefix.map(str::to_owned), ..DetailsGiven::default() }
    }

    fn with_login(given: DetailsGiven) -> DetailsGiven {
        DetailsGiven { user: Some("u".to_owned()), token: Some(SecretString::from("t")), ..given }
    }

    fn at_fault(kind: RegistryKind, given: DetailsGiven) -> String {
        match RegistryDetails::new(kind, given, None) {
            Err(Error::Refused(refusal)) => refusal.property.unwrap_or_default(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_kind_has_its_details() {
        use RegistryKind::{Github, Gitlab, Google, Hub, Unchecked, V2};
        let hub = RegistryDetails::new(Hub, given(Some("ignored.example"), Some("acme")), None).unwrap();
        assert_eq!((hub.url.as_str(), hub.image_prefix.as_deref()), (HUB, Some("acme")));
        let v2 = RegistryDetails::new(V2, given(Some("https://r.example:5000/"), None), None).unwrap();
        assert_eq!((v2.url.as_str(), v2.credentials.is_none()), ("r.example:5000", true));
        let local = RegistryDetails::new(Unchecked, given(Some(""), None), None).unwrap();
        assert_eq!(local.url, "");
        let gitlab = DetailsGiven { namespace: Some(Namespace::Group), ..with_login(given(None, Some("a/b"))) };
        let gitlab = RegistryDetails::new(Gitlab, gitlab, None).unwrap();
        assert_eq!((gitlab.url.as_str(), gitlab.namespace), (GITLAB, Some(Namespace::Group)));
        for (kind, details, property) in [
            (Hub, given(None, Some(" ")), "imageNamePrefix"),
            (Hub, given(None, Some("../x")), "imageNamePrefix"),
            (V2, given(None, None), "url"),
            (V2, given(Some("a b"), None), "url"),
            (V2, given(Some("user@host"), None), "url"),
            (V2, given(Some("host?x"), None), "url"),
            (V2, DetailsGiven { user: Some("u".to_owned()), ..given(Some("a"), None) }, "token"),
            (V2, DetailsGiven { token: Some(SecretString::from("t")), ..given(Some("a"), None) }, "user"),
            (Google, given(Some("evil.example"), Some("a")), "url"),
            (Google, given(Some("gcr.io"), None), "imageNamePrefix"),
            (Github, with_login(given(None, Some("a"))), "namespace"),
            (Github, DetailsGiven { namespace: Some(Namespace::User), ..given(None, Some("a")) }, "token"),
            (
                Gitlab,
                DetailsGiven { namespace: Some(Namespace::User), ..with_login(given(None, Some("a"))) },
                "namespace",
            ),
            (
                Gitlab,
                DetailsGiven {
                    namespace: Some(Namespace::Group),
                    api_url: Some("a".to_owned()),
                    ..with_login(given(None, Some("a")))
                },
                "url",
            ),
        ] {
            assert_eq!(at_fault(kind, details), property, "{kind:?}");
        }
    }

    #[test]
    fn credentials_are_kept_for_the_same_place_only() {
        let old = RegistryDetails::new(RegistryKind::V2, with_login(given(Some("a.example"), None)), None).unwrap();
        let again = |given| RegistryDetails::new(RegistryKind::V2, given, Some(&old));
        assert!(again(given(Some("a.example"), None)).unwrap().credentials.is_some());
        assert!(again(given(Some("b.example"), None)).unwrap().credentials.is_none());
        let user = |name: &str, url| DetailsGiven { user: Some(name.to_owned()), ..given(Some(url), None) };
        assert!(again(user("u", "a.example")).unwrap().credentials.is_some());
        assert!(again(user("other", "a.example")).is_err() && again(user("u", "b.example")).is_err());
        let public = DetailsGiven { is_public: Some(true), ..given(Some("a.example"), None) };
        assert!(again(public).unwrap().credentials.is_none());
        let private = DetailsGiven { is_public: Some(false), ..given(Some("b.example"), None) };
        assert!(again(private).is_err());
    }
}
