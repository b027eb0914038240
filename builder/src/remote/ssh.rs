//! Repositories that are reached by SSH.
//!
//! libgit2 is handed an address on loopback, behind which each of its HTTP requests becomes one `git-upload-pack` over an
//! SSH connection of ours: what it reads and sends is the same in both, but for who tells the refs first. So there is no
//! program, no shell, and nothing of this machine's SSH settings, and limits hold as they do for `https`.

use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::stream;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, Limited, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use russh::client::{self, Handle};
use russh::keys::{PrivateKey, PrivateKeyWithHashAlg, PublicKeyOrCertificate};
use russh::{Channel, ChannelMsg};
use slipway_core::config::SecretText;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use url::Url;

use super::fetch::FetchError;
use super::known_hosts::KnownHosts;
use crate::git::packet;
use crate::ssh::host_key;

/// The port of SSH.
const PORT: u16 = 22;
/// Whom hosts of repositories expect.
const USER: &str = "git";
/// How long the handshake and the proof of the key may take.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(30);
/// How long the other side may be silent.
const SILENCE_MAX: Duration = Duration::from_mins(2);
/// Largest list of refs, in bytes.
const REFS_MAX: usize = 16 * 1024 * 1024;
/// Largest request for objects, in bytes.
const WANTS_MAX: usize = 1024 * 1024;
/// Most of what the other side says of an error.
const WORDS_MAX: usize = 200;
/// Pieces of a pack that may wait for libgit2.
const PIECES: usize = 16;

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// A repository behind SSH, as an address on loopback. Ends when dropped, with its connection.
pub(super) struct Bridge {
    url: String,
    problem: Problem,
    _serving: JoinSet<()>,
}

/// What went wrong last, in words for the user.
#[derive(Clone, Default)]
struct Problem(Arc<Mutex<Option<String>>>);

impl Problem {
    fn tell(&self, text: impl Into<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(text.into());
    }

    fn get(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The client's side of the handshake: whether the host is the one we know.
struct Host {
    name: String,
    known: KnownHosts,
    problem: Problem,
}

impl client::Handler for Host {
    type Error = russh::Error;

    async fn check_server_key(&mut self, key: &PublicKeyOrCertificate) -> Result<bool, Self::Error> {
        let checked = match key {
            PublicKeyOrCertificate::PublicKey { key, .. } => self.known.check(&self.name, key),
            PublicKeyOrCertificate::Certificate(_) => Err("it shows a certificate instead of a key".to_owned()),
        };
        match checked {
            Ok(()) => Ok(true),
            Err(reason) => {
                self.problem.tell(format!("The host {} is not trusted: {reason}.", self.name));
                Ok(false)
            }
        }
    }
}

/// The connection, and what is run through it.
struct Session {
    handle: Handle<Host>,
    command: String,
    /// What nobody else on this machine knows.
    token: String,
    problem: Problem,
}

impl Bridge {
    /// Connects to the host of `url`, proves `key`, and opens the address.
    ///
    /// # Errors
    /// The reason, for the user.
    pub(super) async fn start(
        url: &Url,
        key: &SecretText,
        known: &KnownHosts,
        is_private_allowed: bool,
    ) -> Result<Self, FetchError> {
        let own = |error: &dyn std::fmt::Display| {
            tracing::warn!("cannot open the bridge to repositories by ssh: {error}");
            FetchError("The builder has a problem of its own.".to_owned())
        };
        let host = url.host_str().unwrap_or_default();
        let port = url.port().unwrap_or(PORT);
        let name = format!("{host}:{port}");
        let key = host_key::parse(key.expose().as_bytes())
            .map_err(|_| FetchError("The key for ssh cannot be read.".to_owned()))?;
        let stream = slipway_egress::connect(&name, is_private_allowed)
            .await
            .map_err(|reason| FetchError(format!("The repository cannot be fetched: {reason}.")))?;
        // What does not go out at once waits for an answer that is not there yet.
        stream.set_nodelay(true).map_err(|error| own(&error))?;
        let problem = Problem::default();
        let config = client::Config {
            nodelay: true,
            inactivity_timeout: Some(SILENCE_MAX),
            window_size: 8 * 1024 * 1024,
            ..client::Config::default()
        };
        let handler = Host { name: name.clone(), known: known.clone(), problem: problem.clone() };
        let handle = tokio::time::timeout(LOGIN_TIMEOUT, async {
            let mut handle = client::connect_stream(Arc::new(config), stream, handler).await?;
            let is_proven = prove(&mut handle, url, &key).await?;
            Ok::<_, russh::Error>((handle, is_proven))
        });
        let (handle, is_proven) = match handle.await {
            Ok(Ok(done)) => done,
            Ok(Err(error)) => {
                let text = format!("The repository cannot be fetched: {name} does not speak ssh as it should: {error}");
                return Err(FetchError(problem.get().unwrap_or(text)));
            }
            Err(_) => return Err(FetchError(format!("The repository cannot be fetched: {name} does not answer."))),
        };
        if !is_proven {
            let public = key.public_key().to_openssh().unwrap_or_default();
            let text = format!("{host} does not take the deployment's key. Add it there, then deploy again: {public}");
            return Err(FetchError(text));
        }
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(|error| own(&error))?;
        let address = listener.local_addr().map_err(|error| own(&error))?;
        let mut token = [0; 32];
        openssl::rand::rand_bytes(&mut token).map_err(|error| own(&error))?;
        let token = hex::encode(token);
        let bridge_url = format!("http://{address}/{token}");
        let command = format!("git-upload-pack {}", quoted(&path_of(url)));
        let session = Arc::new(Session { handle, command, token, problem: problem.clone() });
        let mut serving = JoinSet::new();
        serving.spawn(serve(listener, session));
        Ok(Self { url: bridge_url, problem, _serving: serving })
    }

    /// The address on loopback.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// What the other side said when something went wrong.
    pub(super) fn problem(&self) -> Option<String> {
        self.problem.get()
    }
}

async fn prove(handle: &mut Handle<Host>, url: &Url, key: &PrivateKey) -> Result<bool, russh::Error> {
    let user = if url.username().is_empty() { USER } else { url.username() };
    let key = PrivateKeyWithHashAlg::new(Arc::new(key.clone()), None);
    Ok(handle.authenticate_publickey(user, key).await?.success())
}

/// The path on the host, as a person would write it.
fn path_of(url: &Url) -> String {
    let path = slipway_core::percent::decode(url.path()).unwrap_or_else(|| url.path().to_owned());
    // As git does it: what begins with a tilde is below somebody's home.
    if path.starts_with("/~") { path.chars().skip(1).collect() } else { path }
}

/// One word for the shell that SSH servers hand a command to.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

async fn serve(listener: TcpListener, session: Arc<Session>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { return };
                let session = Arc::clone(&session);
                connections.spawn(async move {
                    let service = hyper::service::service_fn(move |request| {
                        let session = Arc::clone(&session);
                        async move { Ok::<_, Infallible>(session.answer(request).await) }
                    });
                    // A client that goes has what it wanted, or will say that it has not.
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

fn full(status: StatusCode, media_type: &'static str, body: Bytes) -> Response<Body> {
    let mut response = Response::new(Full::new(body).boxed_unsync());
    *response.status_mut() = status;
    response.headers_mut().insert("content-type", hyper::header::HeaderValue::from_static(media_type));
    response
}

fn refused(status: StatusCode) -> Response<Body> {
    full(status, "text/plain", Bytes::new())
}

impl Session {
    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let path = request.uri().path().strip_prefix('/').and_then(|path| path.strip_prefix(self.token.as_str()));
        let is_refs = request.uri().query() == Some("service=git-upload-pack");
        match (request.method(), path) {
            (&Method::GET, Some("/info/refs")) if is_refs => self.refs().await,
            (&Method::POST, Some("/git-upload-pack")) => self.pack(request.into_body()).await,
            _ => refused(StatusCode::NOT_FOUND),
        }
    }

    /// Runs the command, and reads what it says first: the refs.
    async fn run(&self) -> Result<(Channel<client::Msg>, BytesMut, BytesMut), String> {
        let lost = |error: russh::Error| format!("The connection to the repository was lost: {error}");
        let mut channel = self.handle.channel_open_session().await.map_err(lost)?;
        channel.exec(true, self.command.as_str()).await.map_err(lost)?;
        let (mut text, mut words) = (BytesMut::new(), Vec::new());
        loop {
            if let Some(end) = refs_end(&text)? {
                let rest = text.split_off(end);
                return Ok((channel, text, rest));
            }
            if text.len() > REFS_MAX {
                return Err("The repository has too many branches.".to_owned());
            }
            match channel.wait().await {
                Some(ChannelMsg::Data { data }) => text.extend_from_slice(&data),
                Some(ChannelMsg::ExtendedData { data, .. }) => words.extend_from_slice(&data),
                Some(ChannelMsg::Failure) => return Err("The host does not let git run.".to_owned()),
                Some(_) => {}
                None => {
                    let words = String::from_utf8_lossy(&words);
                    let words: String = words.trim().chars().filter(|c| !c.is_control()).take(WORDS_MAX).collect();
                    let words = if words.is_empty() { "the host says nothing of it".to_owned() } else { words };
                    return Err(format!("The repository cannot be fetched: {words}"));
                }
            }
        }
    }

    async fn refs(&self) -> Response<Body> {
        match self.run().await {
            Ok((channel, refs, _)) => {
                // Nothing is wanted of this run any more.
                let _ = channel.data_bytes(Bytes::from_static(packet::FLUSH)).await;
                let _ = channel.eof().await;
                let mut body = BytesMut::new();
                packet::put(&mut body, b"# service=git-upload-pack\n");
                body.extend_from_slice(packet::FLUSH);
                body.extend_from_slice(&refs);
                full(StatusCode::OK, "application/x-git-upload-pack-advertisement", body.freeze())
            }
            Err(problem) => {
                self.problem.tell(problem);
                refused(StatusCode::BAD_GATEWAY)
            }
        }
    }

    async fn pack(&self, wants: Incoming) -> Response<Body> {
        let Ok(wants) = Limited::new(wants, WANTS_MAX).collect().await else {
            return refused(StatusCode::PAYLOAD_TOO_LARGE);
        };
        let (channel, rest) = match self.run().await {
            Ok((channel, _, rest)) => (channel, rest.freeze()),
            Err(problem) => {
                self.problem.tell(problem);
                return refused(StatusCode::BAD_GATEWAY);
            }
        };
        let is_sent = channel.data_bytes(wants.to_bytes()).await.is_ok() && channel.eof().await.is_ok();
        if !is_sent {
            self.problem.tell("The connection to the repository was lost.");
            return refused(StatusCode::BAD_GATEWAY);
        }
        let (pieces, from_host) = mpsc::channel::<Bytes>(PIECES);
        tokio::spawn(forward(channel, rest, pieces));
        let pieces = stream::unfold(from_host, |mut pieces| async move {
            let piece = pieces.recv().await?;
            Some((Ok::<_, Infallible>(Frame::data(piece)), pieces))
        });
        let mut response = Response::new(StreamBody::new(pieces).boxed_unsync());
        let media_type = hyper::header::HeaderValue::from_static("application/x-git-upload-pack-result");
        response.headers_mut().insert("content-type", media_type);
        response
    }
}

/// Hands on what the host sends until it ends, or until nobody wants it.
async fn forward(mut channel: Channel<client::Msg>, first: Bytes, pieces: mpsc::Sender<Bytes>) {
    if !first.is_empty() && pieces.send(first).await.is_err() {
        return;
    }
    loop {
        let message = tokio::select! {
            message = channel.wait() => message,
            () = pieces.closed() => return,
        };
        match message {
            Some(ChannelMsg::Data { data }) => {
                if pieces.send(data).await.is_err() {
                    return;
                }
            }
            Some(ChannelMsg::Eof) | None => return,
            Some(_) => {}
        }
    }
}

/// Where the first section of packets ends, if all of it is there.
fn refs_end(text: &[u8]) -> Result<Option<usize>, String> {
    let mut at = 0;
    while let Some(digits) = text.get(at..at + 4) {
        let digits: [u8; 4] = digits.try_into().unwrap_or_default();
        match packet::payload_length(digits) {
            Ok(None) => return Ok(Some(at + 4)),
            Ok(Some(length)) => at += 4 + length,
            Err(_) => return Err("The host does not answer as git does.".to_owned()),
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_one_word() {
        for (url, path) in [
            ("ssh://git@git.example/user/repo.git", "/user/repo.git"),
            ("ssh://git@git.example/~ada/repo", "~ada/repo"),
            ("ssh://git@git.example/a%20b", "/a b"),
        ] {
            assert_eq!(path_of(&Url::parse(url).unwrap()), path, "{url}");
        }
        assert_eq!(quoted("/a b"), "'/a b'");
        assert_eq!(quoted("/a'; id; '"), r"'/a'\''; id; '\'''");
    }

    #[test]
    fn refs_end_at_the_first_flush() {
        assert_eq!(refs_end(b""), Ok(None));
        assert_eq!(refs_end(b"0006a\n"), Ok(None));
        assert_eq!(refs_end(b"0006a\n0000PACK"), Ok(Some(10)));
        assert!(refs_end(b"Welcome!").is_err());
    }
}
