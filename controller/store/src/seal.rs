//! Secrets at rest: AES-256-GCM under one key, each value bound to the row and column it belongs to.

use std::fmt;

use openssl::base64;
use openssl::rand::rand_bytes;
use openssl::sha::Sha256;
use openssl::symm::{Cipher, decrypt_aead, encrypt_aead};

use crate::StoreError;
use crate::types::Row;

/// Format of what is stored: this byte, the key's id, the nonce, the tag, the ciphertext.
const VERSION: u8 = 1;
const KEY_ID: usize = 4;
const NONCE: usize = 12;
const TAG: usize = 16;
const HEADER: usize = 1 + KEY_ID + NONCE + TAG;

/// The text is not a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the sealing key must be 32 bytes in base64")]
pub struct SealingKeyError;

/// The key under which secrets are stored. Printing it shows nothing.
#[derive(Clone)]
pub struct SealingKey {
    bytes: [u8; 32],
}

impl SealingKey {
    /// Wraps 32 random bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self { bytes }
    }

    /// Reads 32 bytes in standard base64; white space around is passed over.
    ///
    /// # Errors
    /// The text is not base64, or not of 32 bytes.
    pub fn from_base64(text: &str) -> Result<Self, SealingKeyError> {
        let bytes = base64::decode_block(text.trim()).map_err(|_| SealingKeyError)?;
        Ok(Self { bytes: bytes.try_into().map_err(|_| SealingKeyError)? })
    }

    /// The key in standard base64, to be kept in a file that only its owner can read.
    #[must_use]
    pub fn to_base64(&self) -> String {
        base64::encode_block(&self.bytes)
    }

    /// Makes a new key.
    ///
    /// # Errors
    /// The system has no random bytes to give.
    pub fn generate() -> Result<Self, StoreError> {
        let mut bytes = [0; 32];
        rand_bytes(&mut bytes).map_err(|error| StoreError::Internal(error.to_string()))?;
        Ok(Self { bytes })
    }

    /// Tells keys apart without telling anything about them.
    fn id(&self) -> [u8; KEY_ID] {
        let mut hash = Sha256::new();
        hash.update(b"slipway sealing key id\0");
        hash.update(&self.bytes);
        let digest = hash.finish();
        [digest[0], digest[1], digest[2], digest[3]]
    }

    /// Seals `plain` for one column of one row: it opens nowhere else.
    pub(crate) fn seal(&self, row: Row<'_>, column: &str, plain: &[u8]) -> Result<Vec<u8>, StoreError> {
        let internal = |error: openssl::error::ErrorStack| StoreError::Internal(error.to_string());
        let mut nonce = [0; NONCE];
        rand_bytes(&mut nonce).map_err(internal)?;
        let mut tag = [0; TAG];
        let cipher = Cipher::aes_256_gcm();
        let sealed =
            encrypt_aead(cipher, &self.bytes, Some(&nonce), &place(row, column), plain, &mut tag).map_err(internal)?;
        let mut out = Vec::with_capacity(HEADER + sealed.len());
        out.push(VERSION);
        out.extend(self.id());
        out.extend(nonce);
        out.extend(tag);
        out.extend(sealed);
        Ok(out)
    }

    /// Opens what was sealed for this column of this row.
    pub(crate) fn open(&self, row: Row<'_>, column: &str, sealed: &[u8]) -> Result<Vec<u8>, StoreError> {
        let (version, rest) = sealed.split_first().ok_or_else(|| row.corrupt(format_args!("{column} is empty")))?;
        if *version != VERSION || sealed.len() < HEADER {
            return Err(row.corrupt(format_args!("{column} is sealed in an unknown format")));
        }
        let (key_id, rest) = rest.split_at(KEY_ID);
        if key_id != self.id() {
            return Err(row.corrupt(format_args!("{column} is sealed with another key")));
        }
        let (nonce, rest) = rest.split_at(NONCE);
        let (tag, sealed) = rest.split_at(TAG);
        decrypt_aead(Cipher::aes_256_gcm(), &self.bytes, Some(nonce), &place(row, column), sealed, tag)
            .map_err(|_| row.corrupt(format_args!("{column} was changed, or belongs to another row")))
    }
}

/// What a sealed value is bound to. No part can hold NUL, so no two places look alike.
fn place(row: Row<'_>, column: &str) -> Vec<u8> {
    [row.table, column, row.id].join("\0").into_bytes()
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealingKey([secret])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Row<'static> = Row { table: "configs", id: "1" };

    #[test]
    fn opens_only_in_its_place_and_with_its_key() {
        let key = SealingKey::generate().unwrap();
        let sealed = key.seal(HERE, "values", b"hunter2").unwrap();
        assert_eq!(key.open(HERE, "values", &sealed).unwrap(), b"hunter2");
        assert!(key.open(HERE, "registry", &sealed).is_err());
        assert!(key.open(Row { table: "configs", id: "2" }, "values", &sealed).is_err());
        assert!(SealingKey::generate().unwrap().open(HERE, "values", &sealed).is_err());
        for at in 0..sealed.len() {
            let mut bent = sealed.clone();
            bent[at] ^= 1;
            assert!(key.open(HERE, "values", &bent).is_err(), "byte {at}");
            assert!(key.open(HERE, "values", &sealed[..at]).is_err(), "cut at {at}");
        }
        assert_ne!(sealed, key.seal(HERE, "values", b"hunter2").unwrap(), "the nonce is random");
    }

    #[test]
    fn keys_are_read_and_never_shown() {
        let key = SealingKey::generate().unwrap();
        assert_eq!(SealingKey::from_base64(&format!("{}\n", key.to_base64())).unwrap().bytes, key.bytes);
        for bad in ["", "x", "AAAA", "!!!!", &"A".repeat(44)] {
            assert!(SealingKey::from_base64(bad).is_err(), "{bad}");
        }
        assert_eq!(format!("{key:?}"), "SealingKey([secret])");
    }
}
