//! Keys of nodes, and the messages that are encrypted for them.
//!
//! Clients encrypt secrets of containers for the node that they go to; the platform keeps the messages as they are, and
//! reads them only when a deployment is carried out. Messages are whatever a client sent, hence limits on how long one
//! may be, packed and unpacked. Source: `team-api.md` §4.5.

#[cfg(test)]
mod tests;

use std::io::Read;

use pgp::composed::{
    ArmorOptions, Deserializable, EncryptionCaps, KeyType, Message, MessageBuilder, SecretKeyParamsBuilder,
    SignedPublicKey, SignedSecretKey, SubkeyParamsBuilder,
};
use pgp::crypto::ecc_curve::ECCCurve;
use pgp::crypto::sym::SymmetricKeyAlgorithm;
use pgp::types::{KeyDetails, Password};
use rand::rngs::OsRng;
use secrecy::{ExposeSecret, SecretString, zeroize::Zeroizing};

/// Longest message that is read, in bytes of its armored form.
pub const MESSAGE_MAX: usize = 256 * 1024;
/// Longest secret that a message may hold, in bytes.
pub const SECRET_MAX: usize = 64 * 1024;
/// Most layers of compression in a message. One is usual.
const LAYERS_MAX: usize = 2;

/// A pair of keys, armored.
#[derive(Debug, Clone)]
pub struct KeyPair {
    /// What clients encrypt with.
    pub public: String,
    /// What messages are read with.
    pub secret: SecretString,
}

/// Why there is no pair of keys, or no message.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what}: {reason}")]
pub struct KeyError {
    /// What was being done.
    what: &'static str,
    /// Why not.
    reason: String,
}

fn fail<E: std::fmt::Display>(what: &'static str) -> impl Fn(E) -> KeyError {
    move |error| KeyError { what, reason: error.to_string() }
}

/// Why a message cannot be read. The texts are for the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// It is longer than [`MESSAGE_MAX`].
    #[error("the message is longer than {MESSAGE_MAX} bytes")]
    TooLong,
    /// What it holds is longer than [`SECRET_MAX`].
    #[error("the message holds more than {SECRET_MAX} bytes")]
    TooMuch,
    /// It is no armored `OpenPGP` message that is encrypted.
    #[error("the text is not an encrypted, armored OpenPGP message")]
    Malformed,
    /// It was encrypted for another key, or was changed since.
    #[error("the message was not encrypted for the key of this node, or is damaged")]
    WrongKey,
    /// What it holds is no text.
    #[error("the message holds something else than text")]
    NotText,
    /// The key that was to read it is none. The only one that is not the client's doing.
    #[error("the key of the node cannot be used")]
    Key,
}

/// Makes a pair of keys on Curve25519 without a passphrase.
///
/// # Errors
/// [`KeyError`], which is a bug.
pub fn generate(user_id: &str) -> Result<KeyPair, KeyError> {
    const WHAT: &str = "make a pair of keys";
    let encryption = SubkeyParamsBuilder::default()
        .key_type(KeyType::ECDH(ECCCurve::Curve25519Legacy))
        .can_encrypt(EncryptionCaps::All)
        .build()
        .map_err(fail(WHAT))?;
    let params = SecretKeyParamsBuilder::default()
        .key_type(KeyType::Ed25519Legacy)
        .can_certify(true)
        .can_sign(true)
        .can_encrypt(EncryptionCaps::None)
        .primary_user_id(user_id.to_owned())
        .subkeys(vec![encryption])
        .build()
        .map_err(fail(WHAT))?;
    let secret = params.generate(OsRng).map_err(fail(WHAT))?;
    let public = SignedPublicKey::from(secret.clone());
    Ok(KeyPair {
        public: public.to_armored_string(ArmorOptions::default()).map_err(fail(WHAT))?,
        secret: secret.to_armored_string(ArmorOptions::default()).map_err(fail(WHAT))?.into(),
    })
}

/// Encrypts text for a public key, as clients do.
///
/// # Errors
/// [`KeyError`] when `public` is no armored public key that one can encrypt with.
pub fn encrypt(public: &str, text: &str) -> Result<String, KeyError> {
    const WHAT: &str = "encrypt for a public key";
    let (key, _) = SignedPublicKey::from_string(public).map_err(fail(WHAT))?;
    let subkey = key.public_subkeys.iter().find(|subkey| subkey.algorithm().can_encrypt());
    let subkey = subkey.ok_or_else(|| fail(WHAT)("it has no key for encryption"))?;
    let bytes = text.as_bytes().to_vec();
    let mut builder = MessageBuilder::from_bytes("", bytes).seipd_v1(OsRng, SymmetricKeyAlgorithm::AES256);
    builder.encrypt_to_key(OsRng, subkey).map_err(fail(WHAT))?;
    builder.to_armored_string(OsRng, ArmorOptions::default()).map_err(fail(WHAT))
}

/// Whether two armored public keys are the same key. Whatever is no key is the same as nothing.
#[must_use]
pub fn is_same_key(one: &str, other: &str) -> bool {
    if one.len() > MESSAGE_MAX || other.len() > MESSAGE_MAX {
        return false;
    }
    if one.trim() == other.trim() {
        return true;
    }
    let fingerprint = |text: &str| SignedPublicKey::from_string(text).ok().map(|(key, _)| key.fingerprint());
    let one = fingerprint(one);
    one.is_some() && one == fingerprint(other)
}

/// Reads a message with the secret key that it was encrypted for.
///
/// # Errors
/// [`Unreadable`].
pub fn decrypt(secret: &SecretString, message: &str) -> Result<SecretString, Unreadable> {
    if message.len() > MESSAGE_MAX {
        return Err(Unreadable::TooLong);
    }
    let (key, _) = SignedSecretKey::from_string(secret.expose_secret()).map_err(|_| Unreadable::Key)?;
    let (message, _) = Message::from_string(message).map_err(|_| Unreadable::Malformed)?;
    if !message.is_encrypted() {
        return Err(Unreadable::Malformed);
    }
    let mut inner = message.decrypt(&Password::empty(), &key).map_err(|_| Unreadable::WrongKey)?;
    for _ in 0..LAYERS_MAX {
        if inner.is_compressed() {
            inner = inner.decompress().map_err(|_| Unreadable::Malformed)?;
        }
    }
    if inner.is_compressed() || inner.is_encrypted() {
        return Err(Unreadable::Malformed);
    }
    let mut bytes = Zeroizing::new(Vec::new());
    let limit = u64::try_from(SECRET_MAX).unwrap_or(u64::MAX).saturating_add(1);
    (&mut inner).take(limit).read_to_end(&mut bytes).map_err(|_| Unreadable::WrongKey)?;
    if bytes.len() > SECRET_MAX {
        return Err(Unreadable::TooMuch);
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| Unreadable::NotText)?;
    Ok(SecretString::from(text))
}
