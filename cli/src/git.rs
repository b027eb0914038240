//! The git remote of the working directory, through the user's own git.

use std::process::{Command, Stdio};

use slipway_client::segment;
use url::Url;

use crate::error::{Error, Result};

/// Name of the remote when none is given.
pub fn remote_name() -> &'static str {
    crate::program::current().name()
}

/// A remote of the repository around the working directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remote {
    /// Its name.
    pub name: String,
    /// Its address.
    pub url: String,
}

impl Remote {
    /// The app whose repository it is, when it looks like one of ours.
    pub fn app(&self) -> Option<String> {
        app_of(&self.url)
    }
}

/// Runs git and gives its output; `None` when it failed or is not there.
fn git(args: &[&str]) -> Option<String> {
    let output = Command::new("git").args(args).stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Whether the working directory is inside a repository.
pub fn is_repository() -> bool {
    git(&["rev-parse", "--git-dir"]).is_some()
}

/// The remotes of the repository, in the order that git keeps them.
pub fn remotes() -> Vec<Remote> {
    let Some(text) = git(&["config", "--get-regexp", r"^remote\..*\.url$"]) else { return Vec::new() };
    text.lines()
        .filter_map(|line| {
            let (key, url) = line.split_once(' ')?;
            let name = key.strip_prefix("remote.")?.strip_suffix(".url")?;
            Some(Remote { name: name.to_owned(), url: url.to_owned() })
        })
        .collect()
}

/// Adds a remote.
pub fn remote_add(name: &str, url: &str) -> Result {
    change(&["remote", "add", "--", name, url])
}

/// Points a remote elsewhere.
pub fn remote_set(name: &str, url: &str) -> Result {
    change(&["remote", "set-url", "--", name, url])
}

/// Removes a remote.
pub fn remote_remove(name: &str) -> Result {
    change(&["remote", "remove", "--", name])
}

fn change(args: &[&str]) -> Result {
    let output = Command::new("git").args(args).stdin(Stdio::null()).output();
    match output {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            Err(Error::new(format!(
                "git {}: {}",
                args.first().unwrap_or(&""),
                said.trim().trim_start_matches("fatal: ")
            )))
        }
        Err(error) => Err(Error::caused("cannot run git", &error).hint("install git, or pass --no-remote")),
    }
}

/// The address of an app's repository on a builder that listens at `ssh` (`host:port`).
pub fn url(ssh: &str, app: &str) -> String {
    format!("ssh://git@{ssh}/{}.git", segment(app))
}

/// Where builders of upstream listen, for a controller that does not say: `<first label>-builder.<rest>`, port 2222; for
/// a controller without a name, the same host.
pub fn builder_guess(controller: &str) -> Option<String> {
    let url = Url::parse(controller).ok()?;
    let host = url.host()?;
    let name = match &host {
        url::Host::Domain(name) if *name != "localhost" => match name.split_once('.') {
            Some((first, rest)) => format!("{first}-builder.{rest}"),
            None => (*name).to_owned(),
        },
        url::Host::Domain(_) | url::Host::Ipv4(_) | url::Host::Ipv6(_) => host.to_string(),
    };
    Some(format!("{name}:2222"))
}

fn app_of(url: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    if url.scheme() != "ssh" {
        return None;
    }
    let path = url.path().trim_matches('/');
    let name = path.strip_suffix(".git").unwrap_or(path);
    let is_name = !name.is_empty() && name.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-');
    is_name.then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn apps_are_found_in_remotes() {
        for (url, want) in [
            ("ssh://git@127.0.0.1:2222/foo.git", Some("foo")),
            ("ssh://git@slipway-builder.example.com:2222/my-app.git/", Some("my-app")),
            ("ssh://git@[::1]:2222/foo", Some("foo")),
            ("git@github.com:user/foo.git", None),
            ("https://github.com/user/foo.git", None),
            ("ssh://git@github.com/user/foo.git", None),
            ("ssh://git@host/.git", None),
        ] {
            assert_eq!(app_of(url).as_deref(), want, "{url}");
        }
    }

    #[test]
    fn a_builder_stands_beside_its_controller() {
        for (controller, want) in [
            ("http://slipway.example.com", "slipway-builder.example.com:2222"),
            ("http://127.0.0.1:8000", "127.0.0.1:2222"),
            ("http://localhost:8000", "localhost:2222"),
            ("http://[::1]:8000", "[::1]:2222"),
            ("http://box", "box:2222"),
        ] {
            assert_eq!(builder_guess(controller).as_deref(), Some(want), "{controller}");
        }
    }
}
