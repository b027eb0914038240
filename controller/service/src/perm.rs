//! Collaborators.

use slipway_core::{Result, Username};

use crate::{Cx, Service};

impl Service {
    /// Who may use an app beside its owner, by name.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`.
    pub async fn perms_list(&self, cx: &Cx, app: &str) -> Result<Vec<Username>> {
        let _ = (cx, app);
        todo!()
    }

    /// Lets a user use an app; doing so again changes nothing.
    ///
    /// # Errors
    /// `NotFound` (app, then user), `Forbidden`.
    pub async fn perm_grant(&self, cx: &Cx, app: &str, username: &str) -> Result<()> {
        let _ = (cx, app, username);
        todo!()
    }

    /// Takes that back; users may do it to themselves.
    ///
    /// # Errors
    /// `NotFound` (app, then user), `Forbidden`.
    pub async fn perm_revoke(&self, cx: &Cx, app: &str, username: &str) -> Result<()> {
        let _ = (cx, app, username);
        todo!()
    }
}
