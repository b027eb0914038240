//! Whether the platform can work.

use slipway_core::{Error, Result};

use crate::Service;
use crate::stored::Stored;

impl Service {
    /// Asks the database for a sign of life.
    ///
    /// # Errors
    /// `Unavailable` when there is none.
    pub async fn readiness_check(&self) -> Result<()> {
        self.inner.store.ping().await.map_err(|error| Error::Unavailable {
            public: "Service temporarily unavailable, try again later.".to_owned(),
            context: format!("the database does not answer: {error}"),
        })
    }

    /// The newest step that the database was brought up to.
    ///
    /// # Errors
    /// `Unavailable` when it does not answer.
    pub async fn last_migration(&self) -> Result<Option<String>> {
        self.inner.store.last_migration().await.stored()
    }
}
