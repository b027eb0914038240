//! Running processes.

use slipway_core::Result;
use slipway_engine::PodStatus;

use crate::{Cx, Service};

/// What is restarted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PodTarget<'a> {
    /// Every process.
    All,
    /// `pods/<segment>/restart/`: all of that type if the app knows the type, else the process of that name.
    Segment(&'a str),
    /// `pods/<type>/<name>/restart/`: one process.
    Pod {
        /// Its type.
        process_type: &'a str,
        /// Its name; one with exactly two hyphens is completed with the app's name.
        name: &'a str,
    },
}

impl Service {
    /// The processes of the current release, newest first; of one type, or one of them, if said.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`, `Unavailable`.
    pub async fn pods_list(
        &self,
        cx: &Cx,
        app: &str,
        process_type: Option<&str>,
        name: Option<&str>,
    ) -> Result<Vec<PodStatus>> {
        let _ = (cx, app, process_type, name);
        todo!()
    }

    /// Restarts processes and tells their replacements; nothing matched gives nothing.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`, `Unavailable`.
    pub async fn pods_restart(&self, cx: &Cx, app: &str, target: PodTarget<'_>) -> Result<Vec<PodStatus>> {
        let _ = (cx, app, target);
        todo!()
    }
}
