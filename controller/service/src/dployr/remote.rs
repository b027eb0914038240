//! Addresses of git repositories that users name.

use std::net::IpAddr;

use slipway_core::config::SecretText;
use slipway_core::percent;
use slipway_egress::is_public;
use url::{Host, Url};

/// Longest address.
const URL_MAX: usize = 2048;

/// A repository elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Remote {
    /// Its address, without a password and without the user of `https`.
    pub(super) url: String,
    /// `user:password`, if the address held any.
    pub(super) credentials: Option<SecretText>,
}

/// Reads an address: `https://`, `ssh://`, or `user@host:path`; `http://` where private addresses are allowed.
///
/// # Errors
/// What is wrong with it; without its text, which may hold a password.
pub(super) fn remote_parse(text: &str, is_private_allowed: bool) -> Result<Remote, String> {
    let text = text.trim();
    if text.len() > URL_MAX {
        return Err(format!("The address is longer than {URL_MAX} characters."));
    }
    if text.starts_with('-') || text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err("That is no address of a repository.".to_owned());
    }
    let whole = scp_form(text);
    let mut url = Url::parse(whole.as_deref().unwrap_or(text))
        .map_err(|_| "Give an address such as https://git.example/user/repository.".to_owned())?;
    match url.scheme() {
        "https" | "ssh" => {}
        "http" if is_private_allowed => {}
        _ => return Err("Repositories are fetched by https and ssh only.".to_owned()),
    }
    // Parts that could be taken for options, or are none of ours.
    let host = url.host_str().unwrap_or_default();
    if host.is_empty() || host.starts_with('-') {
        return Err("The address has no host.".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("The address must hold no query and no fragment.".to_owned());
    }
    let path = url.path();
    if path.len() < 2 || path.starts_with("/-") || path.contains("//") {
        return Err("The address has no path to a repository.".to_owned());
    }
    if !is_private_allowed && is_private_host(&url) {
        let text = "The address is private; the operator can allow such with SLIPWAY_ALLOW_PRIVATE_ADDRESSES=1.";
        return Err(text.to_owned());
    }
    let (user, password) = (url.username().to_owned(), url.password().map(str::to_owned));
    let is_ssh = url.scheme() == "ssh";
    if user.starts_with('-') || user.contains("%2D") {
        return Err("The address holds a bad user name.".to_owned());
    }
    if is_ssh && password.is_some() {
        return Err("With ssh keys are used, and no password.".to_owned());
    }
    let mut credentials = None;
    if !is_ssh && (!user.is_empty() || password.is_some()) {
        let user = percent::decode(&user).ok_or("The address holds a bad user name.")?;
        let password = percent::decode(&password.unwrap_or_default()).ok_or("The address holds a bad password.")?;
        credentials = Some(SecretText::new(format!("{user}:{password}")));
        // These fail only for addresses that cannot have a host.
        let _ = url.set_username("");
        let _ = url.set_password(None);
    }
    Ok(Remote { url: url.into(), credentials })
}

/// `user@host:path` as an address with a scheme.
fn scp_form(text: &str) -> Option<String> {
    if text.contains("://") {
        return None;
    }
    let (before, path) = text.split_once(':')?;
    let (user, host) = before.split_once('@')?;
    let is_word = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c));
    let path = path.trim_start_matches('/');
    (is_word(user) && is_word(host) && !path.is_empty()).then(|| format!("ssh://{user}@{host}/{path}"))
}

/// Whether the host is plainly a private one. What names stand for is looked at when the repository is fetched.
fn is_private_host(url: &Url) -> bool {
    let address = match url.host() {
        Some(Host::Ipv4(v4)) => Some(IpAddr::V4(v4)),
        Some(Host::Ipv6(v6)) => Some(IpAddr::V6(v6)),
        // Hosts of `ssh` addresses are not read as numbers by the grammar of addresses.
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.').to_ascii_lowercase();
            if name == "localhost" || name.ends_with(".localhost") || name.ends_with(".internal") {
                return true;
            }
            match Url::parse(&format!("http://{name}/")).ok().as_ref().and_then(Url::host) {
                Some(Host::Ipv4(v4)) => Some(IpAddr::V4(v4)),
                Some(Host::Ipv6(v6)) => Some(IpAddr::V6(v6)),
                Some(Host::Domain(_)) | None => None,
            }
        }
        None => None,
    };
    address.is_some_and(|address| !is_public(address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_are_elsewhere() {
        for (text, url, credentials) in [
            ("https://github.com/user/repo", "https://github.com/user/repo", None),
            ("https://u:p%40w@git.example/a.git", "https://git.example/a.git", Some("u:p@w")),
            ("https://token@git.example/a.git", "https://git.example/a.git", Some("token:")),
            ("git@github.com:user/repo.git", "ssh://git@github.com/user/repo.git", None),
            ("ssh://git@git.example:2222/a.git", "ssh://git@git.example:2222/a.git", None),
        ] {
            let remote = remote_parse(text, false).unwrap();
            let found = remote.credentials.as_ref().map(SecretText::expose);
            assert_eq!((remote.url.as_str(), found), (url, credentials), "{text}");
        }
    }

    #[test]
    fn what_is_here_or_is_an_option_is_refused() {
        for bad in [
            "",
            "/srv/git/a.git",
            "./a",
            "file:///etc/passwd",
            "ext::sh -c id",
            "git://git.example/a",
            "http://git.example/a",
            "--upload-pack=touch x",
            "-oProxyCommand=id",
            "ssh://-oProxyCommand=id/a",
            "ssh://-oProxyCommand=id@git.example/a",
            "ssh://git@git.example/-x",
            "ssh://git:pw@git.example/a",
            "git@-oProxyCommand=id:a",
            "https://",
            "https://git.example",
            "https://git.example/",
            "https://git.example/a?x=1",
            "https://git.example/a#main",
            "https://git.example/a b",
            "https://git.example/a\n",
            "https://127.0.0.1/a",
            "https://2130706433/a",
            "https://0x7f.1/a",
            "https://[::1]/a",
            "https://localhost/a",
            "https://x.localhost./a",
            "https://169.254.169.254/latest",
            "https://metadata.google.internal/a",
            "ssh://git@10.0.0.1/a",
            "ssh://git@127.1/a",
            "git@127.0.0.1:a",
        ] {
            let bad = if bad.ends_with('\n') { format!("{bad}x") } else { bad.to_owned() };
            assert!(remote_parse(&bad, false).is_err(), "{bad}");
        }
        for allowed in ["http://127.0.0.1:8000/a.git", "ssh://git@localhost:22/a.git"] {
            assert!(remote_parse(allowed, true).is_ok(), "{allowed}");
        }
        assert!(remote_parse("file:///a", true).is_err());
    }
}
