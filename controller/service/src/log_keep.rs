//! Keeps the platform's lines in apps' logs in the database, for engines that have no files of their own.

use async_trait::async_trait;
use slipway_core::AppId;
use slipway_core::log::{LogLine, LogQuery};
use slipway_engine::{EngineError, LogKeep};
use slipway_store::{self as store, Store, StoreError};

/// The newest lines of each app, in the database.
#[derive(Clone)]
pub struct StoredLog {
    store: Store,
}

impl StoredLog {
    /// Lines in `store`.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self { store }
    }
}

fn unavailable(error: &StoreError) -> EngineError {
    EngineError::Unavailable { public: "the log cannot be read".to_owned(), context: error.to_string() }
}

#[async_trait]
impl LogKeep for StoredLog {
    async fn lines_append(&self, lines: Vec<(AppId, LogLine)>) -> Result<(), EngineError> {
        let written = self.store.write(async |db| store::log_lines_append(db, &lines).await).await;
        written.map_err(|error: StoreError| unavailable(&error))
    }

    async fn lines_read(&self, app: AppId, query: &LogQuery) -> Result<Vec<LogLine>, EngineError> {
        let mut db = self.store.read().await.map_err(|error| unavailable(&error))?;
        store::log_lines_read(&mut db, app, query).await.map_err(|error| unavailable(&error))
    }
}
