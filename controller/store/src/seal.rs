//! Secrets at rest.

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

    /// Reads 32 bytes in standard base64.
    pub fn from_base64(_text: &str) -> Result<Self, SealingKeyError> {
        todo!()
    }

    /// The key in standard base64, to be kept in a file that only its owner can read.
    #[must_use]
    pub fn to_base64(&self) -> String {
        todo!()
    }

    /// Makes a new key.
    #[must_use]
    pub fn generate() -> Self {
        todo!()
    }
}

impl std::fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let _ = self.bytes;
        f.write_str("SealingKey")
    }
}
