//! The store: a pool of connections, and transactions.

use secrecy::SecretString;

use crate::{Db, SealingKey, StoreError};

/// How to reach the database.
#[derive(Debug, Clone)]
pub struct StoreConfig {
    /// `sqlite:///path`, `sqlite:path` or `postgres://…` (`sslmode=disable|prefer|require`).
    pub url: SecretString,
    /// Most connections at a time. Default 8.
    pub pool_size: usize,
    /// The key that secrets are stored under.
    pub key: SealingKey,
}

impl StoreConfig {
    /// The usual settings for `url`.
    #[must_use]
    pub fn new(url: SecretString, key: SealingKey) -> Self {
        Self { url, pool_size: 8, key }
    }
}

/// The store. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    key: SealingKey,
}

/// An async closure whose future can move between threads; never named by callers.
#[doc(hidden)]
pub trait SendAsyncFnOnce<T, R>: AsyncFnOnce(T) -> R + FnOnce(T) -> <Self as SendAsyncFnOnce<T, R>>::Fut {
    /// The future it gives.
    type Fut: Future<Output = R>;
}

impl<F, T, Fut, R> SendAsyncFnOnce<T, R> for F
where
    F: AsyncFnOnce(T) -> R + FnOnce(T) -> Fut,
    Fut: Future<Output = R>,
{
    type Fut = Fut;
}

impl Store {
    /// Opens the database, brings its tables up to date under a lock, and checks the key.
    pub async fn connect(_config: StoreConfig) -> Result<Self, StoreError> {
        todo!()
    }

    /// A handle for reading.
    pub async fn read(&self) -> Result<Db<'_>, StoreError> {
        Ok(Db { key: &self.key })
    }

    /// Runs `work` in one transaction: all of it or nothing. Writers wait for each other.
    pub async fn write<'s, 'f, T, E, F>(&'s self, work: F) -> Result<T, E>
    where
        F: for<'r> AsyncFnOnce(&'r mut Db<'s>) -> Result<T, E>
            + for<'r> SendAsyncFnOnce<&'r mut Db<'s>, Result<T, E>, Fut: Send>
            + Send
            + 'f,
        E: From<StoreError> + Send + 'f,
        T: Send + 'f,
    {
        let mut db = Db { key: &self.key };
        work(&mut db).await
    }

    /// Asks the database for a sign of life.
    pub async fn ping(&self) -> Result<(), StoreError> {
        todo!()
    }
}
