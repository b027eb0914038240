//! Settings of apps that make no release: maintenance, routing, allow list, scaling, labels, TLS.
//! Source: `drycc-v2.md` §2.9 and §2.10.

use serde_json::{Value, json};
use slipway_core::app::App;
use slipway_core::authz::AppAction;
use slipway_core::settings::{
    AppSettings, Autoscale, ListName, SettingsChange, SwitchChange, Tls, TlsChange, allowlist_add, allowlist_remove,
    settings_apply, tls_apply,
};
use slipway_core::{Error, Result};
use slipway_store as store;
use slipway_store::Db;

use crate::audit::{app_subject, event};
use crate::stored::{Fail, write};
use crate::{Cx, Service};

/// Why an app cannot have automatic certificates.
const NO_ISSUER: &str = "This platform has no issuer of certificates: its operator sets one up, or you add your own.";

impl Service {
    /// The settings of an app.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`.
    pub async fn settings_get(&self, cx: &Cx, app: &str) -> Result<AppSettings> {
        let app = self.app_for(cx, app, AppAction::Use).await?;
        settings_of(&mut self.read().await?, &app).await.map_err(Error::from)
    }

    /// Changes settings, and waits until requests are treated by them.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`; `Invalid` by field, `Rejected`, `Unprocessable` as [`settings_apply`]; `Conflict` when
    /// nothing changes; `Unavailable` when the engine does not follow in time.
    pub async fn settings_set(&self, cx: &Cx, app: &str, change: &SettingsChange) -> Result<AppSettings> {
        let app = self.app_for(cx, app, AppAction::Use).await?;
        let settings = self.settings_write(cx, &app, |previous| settings_apply(previous, change)).await?;
        if !change.autoscale.is_empty()
            && !settings.autoscale.is_empty()
            && let Some(reason) = self.engine().autoscale_obstacle().await
        {
            self.app_log(app.id, format!("WARNING autoscale has no effect yet: {reason}"));
        }
        Ok(settings)
    }

    /// Adds addresses to the allow list, and gives the whole list.
    ///
    /// # Errors
    /// As [`Service::settings_set`]; `Invalid` under `addresses`.
    pub async fn allowlist_add(&self, cx: &Cx, app: &str, addresses: &[String]) -> Result<Vec<String>> {
        let app = self.app_for(cx, app, AppAction::Use).await?;
        let settings = self.settings_write(cx, &app, |previous| {
            let list = allowlist_add(&previous.allowlist, addresses)?;
            Ok(AppSettings { allowlist: list.unwrap_or_else(|| previous.allowlist.clone()), ..previous.clone() })
        });
        Ok(settings.await?.allowlist)
    }

    /// Removes addresses from the allow list. `list` is what the caller calls it.
    ///
    /// # Errors
    /// As [`Service::settings_set`]; `Unprocessable` when one is not in the list.
    pub async fn allowlist_remove(&self, cx: &Cx, app: &str, addresses: &[String], list: ListName) -> Result<()> {
        let app = self.app_for(cx, app, AppAction::Remove).await?;
        if addresses.is_empty() {
            return Ok(());
        }
        let settings = self.settings_write(cx, &app, |previous| {
            let allowlist = allowlist_remove(&previous.allowlist, addresses, list)?;
            Ok(AppSettings { allowlist, ..previous.clone() })
        });
        settings.await.map(|_| ())
    }

    /// How an app treats plain HTTP, and where its certificates come from.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`.
    pub async fn tls_get(&self, cx: &Cx, app: &str) -> Result<Tls> {
        let app = self.app_for(cx, app, AppAction::Use).await?;
        tls_of(&mut self.read().await?, &app).await.map_err(Error::from)
    }

    /// Says whether plain requests are sent to HTTPS, and whether the platform gets certificates by itself, or that
    /// nobody has said so, and waits until it is so.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`; `Invalid` under `certs_auto_enabled` when it is wanted of a platform without an issuer;
    /// `Conflict` when nothing changes, as [`tls_apply`]; `Unavailable` when the engine does not follow in time.
    pub async fn tls_set(&self, cx: &Cx, app: &str, change: &TlsChange) -> Result<Tls> {
        let app = self.app_for(cx, app, AppAction::Use).await?;
        let (owner, owner_name, _) = cx.user()?;
        if change.certs_auto_enabled == SwitchChange::To(true) && !self.config().has_certificate_issuer {
            return Err(Error::invalid("certs_auto_enabled", NO_ISSUER));
        }
        let (tls, generation) = write!(self, |db| {
            let previous = tls_of(db, &app).await?;
            let Some(next) = tls_apply(&previous, change) else {
                return Err(Error::Conflict(format!("{owner_name} changed nothing")).into());
            };
            let tls = Tls { owner, owner_name: owner_name.clone(), updated: cx.now, ..next };
            store::tls_update(db, &tls).await?;
            let generation = store::app_bump_desired(db, app.id, cx.now).await?;
            let entry = event(cx, "tls", app_subject(&app), tls_shape(&previous), tls_shape(&tls));
            store::event_insert(db, &entry).await?;
            Ok::<_, Fail>((tls, generation))
        })?;
        self.routes_wait(&app, generation).await?;
        Ok(tls)
    }

    /// Stores what `change` makes of an app's settings.
    async fn settings_write(
        &self,
        cx: &Cx,
        app: &App,
        change: impl Fn(&AppSettings) -> Result<AppSettings> + Send + Sync,
    ) -> Result<AppSettings> {
        let (owner, owner_name, _) = cx.user()?;
        let (settings, generation) = write!(self, |db| {
            let previous = settings_of(db, app).await?;
            let mut next = change(&previous)?;
            if next == previous {
                return Err(Error::Conflict(format!("{owner_name} changed nothing")).into());
            }
            (next.owner, next.owner_name, next.updated) = (owner, owner_name.clone(), cx.now);
            store::settings_update(db, &next).await?;
            let generation = store::app_bump_desired(db, app.id, cx.now).await?;
            let entry = event(cx, "settings", app_subject(app), shape(&previous), shape(&next));
            store::event_insert(db, &entry).await?;
            Ok::<_, Fail>((next, generation))
        })?;
        let id: String = app.id.to_string().chars().take(7).collect();
        self.app_log(app.id, format!("INFO appsettings {}-{id} updated", app.name));
        self.routes_wait(app, generation).await?;
        Ok(settings)
    }
}

async fn settings_of(db: &mut Db, app: &App) -> Result<AppSettings, Fail> {
    let settings = store::settings_by_app(db, app.id).await?;
    settings.ok_or_else(|| Error::internal(format!("app {} has no settings", app.id)).into())
}

async fn tls_of(db: &mut Db, app: &App) -> Result<Tls, Fail> {
    store::tls_by_app(db, app.id).await?.ok_or_else(|| Error::internal(format!("app {} has no TLS row", app.id)).into())
}

/// TLS for the record.
fn tls_shape(tls: &Tls) -> Value {
    json!({"https_enforced": tls.https_enforced, "certs_auto_enabled": tls.certs_auto_enabled})
}

/// Settings for the record.
fn shape(settings: &AppSettings) -> Value {
    let AppSettings { maintenance, routable, allowlist, autoscale, label, .. } = settings;
    let autoscale: serde_json::Map<String, Value> = autoscale
        .iter()
        .map(|(process_type, Autoscale { min, max, cpu_percent })| {
            (process_type.to_string(), json!({"min": min, "max": max, "cpu_percent": cpu_percent}))
        })
        .collect();
    json!({
        "maintenance": maintenance,
        "routable": routable,
        "allowlist": allowlist,
        "autoscale": autoscale,
        "label": label,
    })
}
