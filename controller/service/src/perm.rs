//! Collaborators. Source: `drycc-v2.md` §2.11.

use serde_json::{Value, json};
use slipway_core::authz::{Actor, AppAction, Share};
use slipway_core::{Error, Result, Username};
use slipway_store as store;

use crate::audit::{app_subject, event};
use crate::stored::{Fail, Stored, write};
use crate::{Cx, Service};

impl Service {
    /// Who may use an app beside its owner, by name.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`.
    pub async fn perms_list(&self, cx: &Cx, app: &str) -> Result<Vec<Username>> {
        let app = self.app_for(cx, app, AppAction::Use).await?;
        let users = store::perms_list(&mut self.read().await?, app.id).await.stored()?;
        Ok(users.into_iter().map(|user| user.username).collect())
    }

    /// Lets a user use an app; doing so again changes nothing.
    ///
    /// # Errors
    /// `NotFound` (app, then user), `Forbidden`.
    pub async fn perm_grant(&self, cx: &Cx, app: &str, username: &str) -> Result<()> {
        let app = self.app_for(cx, app, AppAction::Manage).await?;
        let user = self.user_find(username).await?;
        let is_new = write!(self, |db| {
            let is_new = store::perm_grant(db, app.id, user.id, cx.now).await?;
            if is_new {
                let after = json!({"user": user.username.as_str()});
                store::event_insert(db, &event(cx, "grant", app_subject(&app), Value::Null, after)).await?;
            }
            Ok::<_, Fail>(is_new)
        })?;
        if is_new {
            self.app_log(app.id, format!("INFO User {} was granted access to {}", user.username, app.name));
        }
        Ok(())
    }

    /// Takes that back; users may do it to themselves.
    ///
    /// # Errors
    /// `NotFound` (app, then user), `Forbidden`.
    pub async fn perm_revoke(&self, cx: &Cx, app: &str, username: &str) -> Result<()> {
        let app = self.app_for(cx, app, AppAction::Use).await?;
        let user = self.user_find(username).await?;
        let may = match &cx.actor {
            Actor::User { id, is_superuser, .. } if *is_superuser || *id == app.owner || *id == user.id => true,
            Actor::User { .. } => self.app_share(cx, &app, AppAction::Manage).await? == Share::All,
            Actor::Anonymous | Actor::Builder | Actor::System => false,
        };
        let is_granted = store::perm_is_collaborator(&mut self.read().await?, app.id, user.id).await.stored()?;
        if !may || !(is_granted || user.is_superuser) {
            return Err(Error::forbidden());
        }
        let was_there = write!(self, |db| {
            let was_there = store::perm_revoke(db, app.id, user.id).await?;
            if was_there {
                let before = json!({"user": user.username.as_str()});
                store::event_insert(db, &event(cx, "revoke", app_subject(&app), before, Value::Null)).await?;
            }
            Ok::<_, Fail>(was_there)
        })?;
        if was_there {
            self.app_log(app.id, format!("INFO User {} was revoked access to {}", user.username, app.name));
        }
        Ok(())
    }
}
