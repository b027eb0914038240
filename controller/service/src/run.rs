//! One-off processes.

use slipway_core::Result;
use slipway_engine::RunOutcome;

use crate::{Cx, Service};

impl Service {
    /// Runs a command in the app's current release and waits for its end. Dropping the future ends it.
    ///
    /// # Errors
    /// `Rejected` without command or build; `Unavailable` when it cannot be run or takes too long.
    pub async fn app_run(&self, cx: &Cx, app: &str, command: Option<&str>) -> Result<RunOutcome> {
        let _ = (cx, app, command);
        todo!()
    }
}
