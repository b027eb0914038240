//! Releases. Source: `drycc-v2.md` §3.

use serde_json::{Value, json};
use slipway_core::authz::AppAction;
use slipway_core::error::Kind;
use slipway_core::release::rollback::{RollbackFloor, rollback_check, rollback_version};
use slipway_core::release::summary::summary_rollback;
use slipway_core::release::{Release, ReleaseState};
use slipway_core::{Error, ReleaseVersion, Result};
use slipway_store as store;

use crate::audit::event;
use crate::deploy_hook::release_record;
use crate::state::release_subject;
use crate::stored::{Fail, Stored, write};
use crate::{Cx, Page, PageQuery, Service};

impl Service {
    /// An app's releases, newest first, failed ones included.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`.
    pub async fn releases_list(&self, cx: &Cx, app: &str, page: PageQuery) -> Result<Page<Release>> {
        let app = self.app_for(cx, app, AppAction::Use).await?;
        store::releases_list(&mut self.read().await?, app.id, page.into()).await.stored().map(Page::from)
    }

    /// One release by `v<N>`.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`.
    pub async fn release_get(&self, cx: &Cx, app: &str, version: &str) -> Result<Release> {
        let app = self.app_for(cx, app, AppAction::Use).await?;
        let missing = || Error::not_found(Kind::Release);
        let version: ReleaseVersion = version.parse().map_err(|_| missing())?;
        store::release_by_version(&mut self.read().await?, app.id, version).await.stored()?.ok_or_else(missing)
    }

    /// Makes a new release with the build and configuration of an older one (by default the one before the current),
    /// and waits for its rollout. `version` is as in the request: a number or its text. Source: `drycc-v2.md` §3.4.
    ///
    /// A rollback is the way out of a deploy that hangs, so one in progress is replaced.
    ///
    /// # Errors
    /// `Rejected` with the texts of the contract; `DeployFailed`.
    pub async fn release_rollback(
        &self,
        cx: &Cx,
        app: &str,
        version: Option<&Value>,
        floor: RollbackFloor,
    ) -> Result<Release> {
        let app = self.app_for(cx, app, AppAction::Use).await?;
        let (owner, owner_name, _) = cx.user()?;
        let release = write!(self, |db| {
            let current = store::release_latest_good(db, app.id).await?;
            let current = current.ok_or_else(|| Error::internal(format!("app {} has no release", app.id)))?;
            let wanted = rollback_version(version, current.version, floor)?;
            let target = store::release_by_version(db, app.id, wanted).await?;
            let target = rollback_check(target, current.build.is_some(), floor)?;
            self.volumes_of_rollback(db, &app, &target).await?;
            let state = if target.build.is_some() { ReleaseState::Created } else { ReleaseState::Succeeded };
            let new = store::NewRelease {
                app: app.id,
                owner,
                summary: summary_rollback(owner_name, target.version),
                config: target.config,
                build: target.build,
                state,
                created: cx.now,
            };
            let release = release_record(db, &self.config().deploy_hooks, &app, &new).await?;
            store::releases_supersede_before(db, app.id, release.version, cx.now).await?;
            store::app_bump_desired(db, app.id, cx.now).await?;
            let before = json!({"version": current.version.0});
            let after = json!({"version": release.version.0, "like": target.version.0});
            store::event_insert(db, &event(cx, "rollback", release_subject(&release), before, after)).await?;
            Ok::<_, Fail>(release)
        })?;
        self.app_log(app.id, format!("INFO {}", release.summary));
        self.signals().desired(app.id);
        self.release_wait(&app, release).await
    }
}
