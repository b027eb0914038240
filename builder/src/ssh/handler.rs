//! What russh calls: who the client is, and which channels and requests it may have.

use std::collections::HashSet;

use openssl::hash::MessageDigest;
use russh::keys::{Algorithm, HashAlg, PublicKey};
use russh::server::{Auth, ChannelOpenHandle, Handler, Msg, PublicKeyOffer, Session, VerifiedPublicKey};
use russh::{Channel, ChannelId, ChannelOpenFailure, Pty};
use slipway_core::Username;
use tokio_util::sync::CancellationToken;

use super::channel;
use crate::hook::ControllerError;
use crate::push::Pushes;

/// Most keys that one connection may ask about before proving one.
const OFFERS_MAX: usize = 20;
/// Most channels that one connection may have open.
const CHANNELS_MAX: usize = 10;

/// One connection.
pub struct Connection {
    pushes: Pushes,
    peer: String,
    /// Set by a verified key alone.
    user: Option<Username>,
    /// Cancelled when the client has proven a key.
    proven: CancellationToken,
    offers: usize,
    channels: HashSet<ChannelId>,
    started: HashSet<ChannelId>,
}

impl Connection {
    /// A connection from `peer` that has proven nothing yet.
    #[must_use]
    pub fn new(pushes: Pushes, peer: String, proven: CancellationToken) -> Self {
        Self { pushes, peer, user: None, proven, offers: 0, channels: HashSet::new(), started: HashSet::new() }
    }

    async fn look_up(&self, key: &PublicKey) -> Option<Username> {
        let fingerprint = md5_fingerprint(key)?;
        match self.pushes.controller.key_user(&fingerprint).await {
            Ok(user) => Some(user),
            Err(ControllerError::NotFound | ControllerError::Forbidden) => {
                // A client with many keys offers each in turn, so this is nothing to warn of; but whoever is refused in
                // the end asks which of their keys was seen.
                let fingerprint = key.fingerprint(HashAlg::Sha256);
                tracing::info!(peer = %self.peer, key = %fingerprint, "nobody has this key");
                None
            }
            Err(error @ (ControllerError::Refused { .. } | ControllerError::Unavailable { .. })) => {
                tracing::warn!(peer = %self.peer, "cannot look up a key, so it is refused: {}", slipway_cause::chain(&error));
                None
            }
        }
    }

    fn start(&mut self, channel: ChannelId, session: &mut Session) -> Result<(), russh::Error> {
        if self.started.insert(channel) { session.channel_success(channel) } else { session.channel_failure(channel) }
    }
}

/// MD5 of the key's wire form, in hex pairs with colons. Source: `drycc-v2.md` §5.1.
#[must_use]
pub fn md5_fingerprint(key: &PublicKey) -> Option<String> {
    let digest = openssl::hash::hash(MessageDigest::md5(), &key.to_bytes().ok()?).ok()?;
    let pairs: Vec<String> = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    Some(pairs.join(":"))
}

/// RSA with SHA-1 is broken, and no client of the last ten years needs it.
fn is_acceptable(algorithm: &Algorithm) -> bool {
    match algorithm {
        Algorithm::Ed25519 | Algorithm::SkEd25519 | Algorithm::Ecdsa { .. } | Algorithm::SkEcdsaSha2NistP256 => true,
        Algorithm::Rsa { hash } => hash.is_some(),
        _ => false,
    }
}

impl Handler for Connection {
    type Error = russh::Error;

    /// Tells a client early that a key is useless, so that one with many keys gets to the right one. Decides nothing.
    async fn auth_publickey_offered(&mut self, _user: &str, offer: PublicKeyOffer<'_>) -> Result<Auth, Self::Error> {
        self.offers += 1;
        if self.offers > OFFERS_MAX || !is_acceptable(offer.algorithm) {
            return Ok(Auth::reject());
        }
        Ok(if self.look_up(offer.public_key).await.is_some() { Auth::Accept } else { Auth::reject() })
    }

    async fn auth_publickey(&mut self, _user: &str, key: VerifiedPublicKey<'_>) -> Result<Auth, Self::Error> {
        self.user = None;
        if !is_acceptable(key.algorithm) {
            return Ok(Auth::reject());
        }
        let Some(user) = self.look_up(key.public_key).await else {
            return Ok(Auth::reject());
        };
        let fingerprint = key.public_key.fingerprint(HashAlg::Sha256);
        tracing::info!(peer = %self.peer, user = %user, key = %fingerprint, "key accepted");
        self.user = Some(user);
        self.proven.cancel();
        Ok(Auth::Accept)
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        let Some(user) = self.user.clone() else {
            reply.reject(ChannelOpenFailure::AdministrativelyProhibited).await;
            return Ok(());
        };
        if self.channels.len() >= CHANNELS_MAX {
            reply.reject(ChannelOpenFailure::ResourceShortage).await;
            return Ok(());
        }
        self.channels.insert(channel.id());
        reply.accept().await;
        channel::spawn(channel, session.handle(), user, self.pushes.clone());
        Ok(())
    }

    async fn channel_close(&mut self, channel: ChannelId, _session: &mut Session) -> Result<(), Self::Error> {
        self.channels.remove(&channel);
        self.started.remove(&channel);
        Ok(())
    }

    async fn env_request(
        &mut self,
        channel: ChannelId,
        _name: &str,
        _value: &str,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        session.channel_success(channel)
    }

    async fn exec_request(&mut self, channel: ChannelId, _: &[u8], session: &mut Session) -> Result<(), Self::Error> {
        self.start(channel, session)
    }

    async fn shell_request(&mut self, channel: ChannelId, session: &mut Session) -> Result<(), Self::Error> {
        self.start(channel, session)
    }

    async fn pty_request(
        &mut self,
        channel: ChannelId,
        _term: &str,
        _columns: u32,
        _rows: u32,
        _width: u32,
        _height: u32,
        _modes: &[(Pty, u32)],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        session.channel_failure(channel)
    }

    async fn x11_request(
        &mut self,
        channel: ChannelId,
        _single: bool,
        _protocol: &str,
        _cookie: &str,
        _screen: u32,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        session.channel_failure(channel)
    }

    async fn subsystem_request(
        &mut self,
        channel: ChannelId,
        _: &str,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        session.channel_failure(channel)
    }
}
