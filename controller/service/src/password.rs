//! Password hashes, computed apart from the rest and few at a time.

mod argon;
mod django;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use secrecy::{ExposeSecret, SecretString};
use slipway_core::{Error, Result};
use tokio::sync::Semaphore;

use argon::Hasher;
pub use argon::PasswordCost;
pub use django::DjangoHash;

/// Longest password, in bytes.
pub(crate) const PASSWORD_MAX_BYTES: usize = 4096;

/// Computes hashes with argon2id.
pub(crate) struct Passwords {
    hasher: Hasher,
    permits: Arc<Semaphore>,
    waiting: AtomicUsize,
    waiting_max: usize,
}

/// Counts one caller that waits, until dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Passwords {
    pub(crate) fn new(cost: PasswordCost, at_once_max: usize, waiting_max: usize) -> Self {
        Self {
            hasher: Hasher::new(cost),
            permits: Arc::new(Semaphore::new(at_once_max.max(1))),
            waiting: AtomicUsize::new(0),
            waiting_max,
        }
    }

    /// The PHC string for a password.
    pub(crate) async fn hash(&self, password: SecretString) -> Result<String> {
        let hasher = self.hasher.clone();
        self.compute(move || {
            hasher
                .hash_password(password.expose_secret().as_bytes())
                .map(|hash| hash.to_string())
                .map_err(|error| Error::internal(format!("could not hash a password: {error}")))
        })
        .await?
    }

    /// Whether `password` is that of `hash`, which is argon2id's or Django's. Without a hash, and with one of no
    /// known kind (an account without a password), it takes as long and is not.
    pub(crate) async fn verify(&self, password: SecretString, hash: Option<String>) -> Result<bool> {
        let hasher = self.hasher.clone();
        self.compute(move || {
            let password = password.expose_secret().as_bytes();
            if let Some(hash) = hash.as_deref().and_then(DjangoHash::parse) {
                return hash.verify(password);
            }
            if let Some(hash) = hash.as_deref().and_then(|hash| PasswordHash::new(hash).ok()) {
                return hasher.verify_password(password, &hash).is_ok();
            }
            // The time taken does not tell that there is no such user.
            let _ = hasher.hash_password(password);
            false
        })
        .await
    }

    /// Whether a hash that fits should be made anew, since it is of a kind that is only taken over.
    pub(crate) fn is_outdated(hash: &str) -> bool {
        DjangoHash::parse(hash).is_some()
    }

    async fn compute<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let before = self.waiting.fetch_add(1, Ordering::SeqCst);
        let waiting = Waiting(&self.waiting);
        if before >= self.waiting_max {
            return Err(Error::Throttled { retry_after_secs: 5 });
        }
        let permit = Arc::clone(&self.permits)
            .acquire_owned()
            .await
            .map_err(|error| Error::internal(format!("password semaphore: {error}")))?;
        drop(waiting);
        tokio::task::spawn_blocking(move || {
            let _permit = permit;
            work()
        })
        .await
        .map_err(|error| Error::internal(format!("password task: {error}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn hashes_are_salted_argon2id_and_verify() {
        let passwords = Passwords::new(PasswordCost::default(), 1, 10);
        let secret = || SecretString::from("correct horse");
        let hash = passwords.hash(secret()).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert_ne!(hash, passwords.hash(secret()).await.unwrap());
        assert!(passwords.verify(secret(), Some(hash.clone())).await.unwrap());
        assert!(!passwords.verify(SecretString::from("wrong"), Some(hash)).await.unwrap());
        assert!(!passwords.verify(secret(), Some("not a hash".to_owned())).await.unwrap());
        assert!(!passwords.verify(secret(), None).await.unwrap());
    }

    #[tokio::test]
    async fn a_full_queue_turns_callers_away() {
        let passwords = Passwords::new(PasswordCost::default(), 1, 0);
        let error = passwords.hash(SecretString::from("x")).await.unwrap_err();
        assert!(matches!(error, Error::Throttled { .. }));
    }
}
