//! Scaling.

use std::collections::BTreeMap;

use slipway_core::Result;

use crate::{Cx, Service};

impl Service {
    /// Sets how many processes of each named type run, and waits until they do. Values are as in the request.
    /// Source: `drycc-v2.md` §2.2.
    ///
    /// # Errors
    /// `Rejected` without build or for a bad value, `Missing` for an unknown type, `Unavailable` when they do not come up
    /// (the structure is then as before).
    pub async fn app_scale(&self, cx: &Cx, app: &str, wanted: &BTreeMap<String, serde_json::Value>) -> Result<()> {
        let _ = (cx, app, wanted);
        todo!()
    }
}
