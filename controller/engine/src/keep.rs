//! Where lines of the platform in apps' logs are kept by engines that have no files of their own.

use async_trait::async_trait;
use slipway_core::AppId;
use slipway_core::log::{LogLine, LogQuery};

use crate::EngineError;

/// Keeps the newest lines of each app; older ones are dropped. Shared by all controllers where the database is.
#[async_trait]
pub trait LogKeep: Send + Sync + 'static {
    /// Adds lines, oldest first. Lines of apps that are gone are dropped.
    async fn lines_append(&self, lines: Vec<(AppId, LogLine)>) -> Result<(), EngineError>;

    /// The newest lines that `query` asks for, oldest first.
    async fn lines_read(&self, app: AppId, query: &LogQuery) -> Result<Vec<LogLine>, EngineError>;
}
