//! Calls of the controller on behalf of the user, with a look at each answer's version.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::Serialize;
use slipway_client::{API_VERSION, Answer, Client, Method, NO_BODY};

use crate::error::{Error, Result};
use crate::print;
use crate::print::progress::Waiting;

/// How long a controller may take to say that it is one. Calls have no limit otherwise, since deploys are slow.
const FIRST_ANSWER_MAX: Duration = Duration::from_secs(15);

/// The first answer of what may be no controller: something that takes a connection and says nothing would be waited for
/// without an end.
pub async fn in_time<T>(url: &str, answer: impl Future<Output = T>) -> Result<T> {
    tokio::time::timeout(FIRST_ANSWER_MAX, answer).await.map_err(|_| {
        Error::new(format!("{url} has not answered within {} s", FIRST_ANSWER_MAX.as_secs()))
            .hint("check the address and the port; if a controller runs there, its log says what it is doing")
    })
}

/// A client that warns, once, when the controller's version does not fit.
#[derive(Debug)]
pub struct Api {
    client: Client,
    is_warned: AtomicBool,
}

impl Api {
    /// Wraps a client.
    pub fn new(client: Client) -> Self {
        Self { client, is_warned: AtomicBool::new(false) }
    }

    /// The client without the look at versions.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// `GET path`.
    pub async fn get(&self, path: &str) -> Result<Answer> {
        self.call(Method::GET, path, NO_BODY).await
    }

    /// `POST path` with a body.
    pub async fn post(&self, path: &str, body: &impl Serialize) -> Result<Answer> {
        self.call(Method::POST, path, Some(body)).await
    }

    /// `POST path` with an empty body, which counts as `{}`.
    pub async fn post_empty(&self, path: &str) -> Result<Answer> {
        self.call(Method::POST, path, NO_BODY).await
    }

    /// `PUT path` with a body.
    pub async fn put(&self, path: &str, body: &impl Serialize) -> Result<Answer> {
        self.call(Method::PUT, path, Some(body)).await
    }

    /// `PATCH path` with a body.
    pub async fn patch(&self, path: &str, body: &impl Serialize) -> Result<Answer> {
        self.call(Method::PATCH, path, Some(body)).await
    }

    /// `DELETE path`.
    pub async fn delete(&self, path: &str) -> Result<Answer> {
        self.call(Method::DELETE, path, NO_BODY).await
    }

    /// `DELETE path` with a body.
    pub async fn delete_with(&self, path: &str, body: &impl Serialize) -> Result<Answer> {
        self.call(Method::DELETE, path, Some(body)).await
    }

    async fn call(&self, method: Method, path: &str, body: Option<&impl Serialize>) -> Result<Answer> {
        let waiting = Waiting::start();
        let answer = self.client.send(method, path, body).await;
        drop(waiting);
        let headers = match &answer {
            Ok(answer) => Some(&answer.headers),
            Err(error) => error.api().map(|api| &api.headers),
        };
        // Only `/v2` tells a version.
        if let Some(headers) = headers.filter(|_| path.starts_with("/v2")) {
            let version = server_version(headers);
            if !fits(version) && !self.is_warned.swap(true, Ordering::Relaxed) {
                print::note("!    WARNING: Client and server API versions do not match. Please consider upgrading.");
                print::note(format_args!("!    Client version: {API_VERSION}"));
                print::note(format_args!("!    Server version: {}", version.unwrap_or("unknown")));
            }
        }
        Ok(answer?)
    }
}

/// The server's API version, in either family's header.
pub fn server_version(headers: &slipway_client::HeaderMap) -> Option<&str> {
    ["drycc_api_version", "deis_api_version"].iter().find_map(|name| headers.get(*name)?.to_str().ok())
}

/// Whether a server of that version can be talked to: same major, and a minor no older. Numbers are compared as numbers,
/// where upstream's client compares text. Source: drycc-v2.md §1.8.
pub fn fits(server: Option<&str>) -> bool {
    let parse = |text: &str| -> Option<(u32, u32)> {
        let (major, rest) = text.split_once('.')?;
        let minor = rest.split('.').next()?;
        Some((major.parse().ok()?, minor.parse().ok()?))
    };
    match (server.and_then(parse), parse(API_VERSION)) {
        (Some((major, minor)), Some((our_major, our_minor))) => major == our_major && minor >= our_minor,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_numbers() {
        for (server, want) in
            [("2.3", true), ("2.4.1", true), ("2.10", true), ("2.2", false), ("3.3", false), ("2", false), ("", false)]
        {
            assert_eq!(fits(Some(server)), want, "{server}");
        }
        assert!(!fits(None));
    }
}
