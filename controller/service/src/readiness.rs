//! Whether the platform can work.

use slipway_core::Result;

use crate::Service;

impl Service {
    /// Asks the database something trivial.
    ///
    /// # Errors
    /// `Unavailable` when it does not answer.
    pub async fn readiness_check(&self) -> Result<()> {
        todo!()
    }
}
