//! The builder's listener, as steps see it.

use std::time::Duration;

use futures::TryStreamExt;
use reqwest::{Body, Client, Method, RequestBuilder, Response, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use tokio::io::AsyncRead;
use tokio_util::io::{ReaderStream, StreamReader};
use url::Url;

use crate::BuildError;
use crate::cluster::task::{Outcome, Task};

/// How often a connection is tried; a token that was taken is spent, and is not tried again.
const ATTEMPTS: u32 = 6;

pub(super) struct DeskClient {
    client: Client,
    base: Url,
    build: String,
    token: SecretString,
}

impl DeskClient {
    pub(super) fn new(task: &Task, token: SecretString) -> Result<Self, BuildError> {
        // The builder is in the cluster: a proxy that builds use is not for this.
        let client =
            Client::builder().no_proxy().connect_timeout(Duration::from_secs(5)).read_timeout(Duration::from_mins(1));
        let client = client.build().map_err(|error| trouble(&error))?;
        Ok(Self { client, base: task.url.clone(), build: task.build.to_string(), token })
    }

    fn request(&self, method: &Method, what: &str) -> Result<RequestBuilder, BuildError> {
        let mut url = self.base.clone();
        url.path_segments_mut()
            .map_err(|()| BuildError::Internal("the builder's address is none".to_owned()))?
            .pop_if_empty()
            .extend(["builds", &self.build, what]);
        Ok(self.client.request(method.clone(), url).bearer_auth(self.token.expose_secret()))
    }

    async fn send(&self, request: impl Fn() -> Result<RequestBuilder, BuildError>) -> Result<Response, BuildError> {
        let mut number = 1;
        loop {
            match request()?.send().await {
                Ok(response) => return Ok(response),
                Err(error) if error.is_connect() && number < ATTEMPTS => {
                    tokio::time::sleep(Duration::from_millis(200) * 2u32.pow(number)).await;
                    number += 1;
                }
                Err(error) => return Err(trouble(&error)),
            }
        }
    }

    /// The packed `what`; `None` when there is none.
    pub(super) async fn get(&self, what: &str) -> Result<Option<impl AsyncRead + Send + Unpin + 'static>, BuildError> {
        let response = self.send(|| self.request(&Method::GET, what)).await?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => return Ok(None),
            status => return Err(BuildError::Internal(format!("the builder does not give the {what}: {status}"))),
        }
        let stream = response.bytes_stream().map_err(std::io::Error::other);
        Ok(Some(StreamReader::new(Box::pin(stream))))
    }

    /// Leaves a cache; `false` when the builder does not want it.
    pub(super) async fn put_cache(&self, file: tokio::fs::File, size: u64) -> Result<bool, BuildError> {
        let body = Body::wrap_stream(ReaderStream::with_capacity(file, 256 * 1024));
        let request = self.request(&Method::PUT, "cache")?.header("content-length", size).body(body);
        let response = request.send().await.map_err(|error| trouble(&error))?;
        Ok(response.status().is_success())
    }

    pub(super) async fn report(&self, outcome: &Outcome) -> Result<(), BuildError> {
        let response = self.send(|| Ok(self.request(&Method::POST, "result")?.json(outcome))).await?;
        if response.status().is_success() {
            return Ok(());
        }
        Err(BuildError::Unavailable(format!("the builder does not take the result: {}", response.status())))
    }
}

fn trouble(error: &reqwest::Error) -> BuildError {
    // The address is the builder's; the text is for the operator, who reads it in the pod's status.
    BuildError::Unavailable(format!("the builder cannot be reached: {}", slipway_cause::chain(error)))
}
