//! Apps. Source: `drycc-v2.md` §2.2.

use serde_json::{Value, json};
use slipway_core::app::{App, Structure};
use slipway_core::authz::{Actor, AppAction, Share, app_allow};
use slipway_core::error::{FieldError, Kind};
use slipway_core::generated_name::name_generate;
use slipway_core::name::APP_NAME_RULE;
use slipway_core::release::ReleaseState;
use slipway_core::release::summary::summary_initial;
use slipway_core::ulid::ulid;
use slipway_core::webhook::WebhookEvent;
use slipway_core::{AppName, Error, Result};
use slipway_engine::EngineError;
use slipway_store as store;
use slipway_store::{StoreError, UniqueOn};
use slipway_team::Role;
use tokio::time::Instant;

use crate::audit::{app_subject, event};
use crate::deploy_hook::release_record;
use crate::stored::{Fail, Stored, write};
use crate::webhook::event_tell;
use crate::{Cx, Page, PageQuery, Service};

/// The message for an app name outside its grammar, in the text of 2.0 that old clients look for.
pub const APP_NAME_RULE_OLD: &str = "App name can only contain a-z (lowercase), 0-9 and hyphens";
/// The message for an app name that somebody has.
pub const APP_NAME_TAKEN: &str = "Application with this id already exists.";
/// How often another name is made up when one is taken.
const NAME_TRIES: usize = 20;

impl Service {
    /// Creates an app with its first release; a name is made up without one. Source: `drycc-v2.md` §2.2.
    ///
    /// # Errors
    /// `Invalid` under `id`; `Conflict` when the engine knows something else by that name.
    pub async fn app_create(&self, cx: &Cx, name: Option<&str>) -> Result<App> {
        cx.user()?;
        let Some(name) = name else {
            for _ in 0..NAME_TRIES {
                let random = uuid::Uuid::new_v4().as_u64_pair().0;
                let name = name_generate(random).map_err(Error::internal)?;
                match self.app_insert(cx, &name).await {
                    Err(Error::Invalid(_) | Error::Conflict(_)) => {}
                    other => return other,
                }
            }
            return Err(Error::internal("every name that was made up is taken"));
        };
        let name = name_check(name.trim(), &self.config().reserved_names)?;
        self.app_insert(cx, &name).await
    }

    async fn app_insert(&self, cx: &Cx, name: &AppName) -> Result<App> {
        let (owner, owner_name, _) = cx.user()?;
        let taken = || Error::invalid("id", APP_NAME_TAKEN);
        match self.engine().name_check(name).await {
            Ok(()) => {}
            Err(EngineError::Rejected(reason) | EngineError::Missing(reason)) => {
                tracing::info!("an app cannot have the name {name}: {reason}");
                return Err(Error::Conflict(format!("{name} already exists as a namespace in this kuberenetes setup")));
            }
            // An app is made without its engine, which says then what is in its way.
            Err(error @ (EngineError::Unavailable { .. } | EngineError::TimedOut(_))) => {
                tracing::warn!("whether the name {name} is free is not known: {error}");
            }
        }
        let summary = summary_initial(owner_name);
        let new = store::NewApp { name: name.clone(), owner, structure: Structure::new(), created: cx.now };
        let (app, config) = write!(self, |db| {
            let app = match store::app_insert(db, &new).await {
                Err(StoreError::Conflict { what: UniqueOn::AppName }) => return Err(taken().into()),
                other => other?,
            };
            let config = store::NewConfig::empty(app.id, owner, cx.now);
            let config = store::config_insert(db, &config).await?;
            let release = store::NewRelease {
                app: app.id,
                owner,
                summary: summary.clone(),
                config: config.id,
                build: None,
                state: ReleaseState::Succeeded,
                created: cx.now,
            };
            release_record(db, &self.config().deploy_hooks, &app, &release).await?;
            store::settings_insert(db, app.id, owner, cx.now).await?;
            let domain = store::NewDomain { app: app.id, owner, domain: name.to_string(), created: cx.now };
            match store::domain_insert(db, &domain).await {
                Err(StoreError::Conflict { what: UniqueOn::Domain }) => return Err(taken().into()),
                other => other?,
            };
            store::app_bump_desired(db, app.id, cx.now).await?;
            let after = json!({"name": name.as_str(), "owner": owner_name.as_str()});
            store::event_insert(db, &event(cx, "create", app_subject(&app), Value::Null, after)).await?;
            let app = store::app_by_id(db, app.id).await?.ok_or_else(|| Error::internal("the new app is gone"))?;
            Ok::<_, Fail>((app, config))
        })?;
        self.signals().desired(app.id);
        let config: String = config.id.to_string().chars().take(7).collect();
        let settings: String = app.id.to_string().chars().take(7).collect();
        self.app_log(app.id, format!("INFO config {name}-{config} updated"));
        self.app_log(app.id, format!("INFO {summary}"));
        self.app_log(app.id, format!("INFO appsettings {name}-{settings} updated"));
        self.app_log(app.id, format!("INFO domain {name} added"));
        Ok(app)
    }

    /// The apps that the caller may use, by name.
    ///
    /// # Errors
    /// `Unauthenticated`.
    pub async fn apps_list(&self, cx: &Cx, page: PageQuery) -> Result<Page<App>> {
        let (user, _, is_superuser) = cx.user()?;
        let mut db = self.read().await?;
        let apps = if is_superuser {
            store::apps_list(&mut db, page.into()).await
        } else {
            store::apps_list_visible(&mut db, user, page.into()).await
        };
        apps.stored().map(Page::from)
    }

    /// An app.
    ///
    /// # Errors
    /// `NotFound`, then `Forbidden`.
    pub async fn app_get(&self, cx: &Cx, app: &str) -> Result<App> {
        self.app_for(cx, app, AppAction::Use).await
    }

    /// Whether the caller may do something with an app.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`.
    pub async fn app_authorize(&self, cx: &Cx, app: &str, action: AppAction) -> Result<()> {
        self.app_for(cx, app, action).await.map(drop)
    }

    /// Gives an app to another owner; without one nothing happens.
    ///
    /// # Errors
    /// `NotFound` (app, then user), `Forbidden`.
    pub async fn app_transfer(&self, cx: &Cx, app: &str, owner: Option<&str>) -> Result<()> {
        let app = self.app_for(cx, app, AppAction::Manage).await?;
        let Some(owner) = owner else { return Ok(()) };
        let user = self.user_find(owner).await?;
        write!(self, |db| {
            store::app_transfer(db, app.id, user.id, cx.now).await?;
            let before = json!({"owner": app.owner_name.as_str()});
            let after = json!({"owner": user.username.as_str()});
            store::event_insert(db, &event(cx, "transfer", app_subject(&app), before, after)).await?;
            Ok::<_, Fail>(())
        })?;
        Ok(())
    }

    /// Destroys an app and waits until it is gone.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`; `Unavailable` when it is not gone in time (it will go nevertheless).
    pub async fn app_destroy(&self, cx: &Cx, app: &str) -> Result<()> {
        let app = self.app_for(cx, app, AppAction::Manage).await?;
        self.app_destroy_record(cx, &app).await?;
        let timeout = self.config().destroy_timeout;
        let mut watch = self.signals().watch(app.id, Instant::now() + timeout);
        while self.app_by_id(app.id).await?.is_some() {
            if !watch.next().await {
                return Err(Error::Unavailable {
                    public: format!("Could not delete {} within {} seconds", app.name, timeout.as_secs()),
                    context: "the engine has not removed it yet".to_owned(),
                });
            }
        }
        Ok(())
    }

    /// Records that an app is to go.
    pub(crate) async fn app_destroy_record(&self, cx: &Cx, app: &App) -> Result<()> {
        write!(self, |db| {
            if store::app_mark_deleting(db, app.id, cx.now).await? {
                let before = json!({"owner": app.owner_name.as_str()});
                store::event_insert(db, &event(cx, "destroy", app_subject(app), before, Value::Null)).await?;
                let data = json!({"id": ulid(app.id.uuid()), "name": app.name.as_str()});
                event_tell(db, cx, app.id, WebhookEvent::ServiceDeleted, data.clone()).await?;
                event_tell(db, cx, app.id, WebhookEvent::DeploymentDeleted, data).await?;
            }
            Ok::<_, Fail>(())
        })?;
        self.signals().desired(app.id);
        Ok(())
    }

    /// The host name of an app: `<name>.<platform domain>`.
    #[must_use]
    pub fn app_host(&self, app: &App) -> String {
        format!("{}.{}", app.name, self.config().platform_domain)
    }

    /// The app of this name, if the caller may do `action` on it: first whether it is there, then whether one may.
    pub(crate) async fn app_for(&self, cx: &Cx, name: &str, action: AppAction) -> Result<App> {
        if cx.actor == Actor::Anonymous {
            cx.user()?;
        }
        let app = self.app_find(name).await?;
        app_allow(&cx.actor, action, &app, self.app_share(cx, &app, action).await?)?;
        Ok(app)
    }

    /// What of an app is the caller's who does not own it, as far as `action` depends on it.
    pub(crate) async fn app_share(&self, cx: &Cx, app: &App, action: AppAction) -> Result<Share> {
        let Actor::User { id, is_superuser, .. } = &cx.actor else { return Ok(Share::None) };
        if *id == app.owner || *is_superuser {
            return Ok(Share::None);
        }
        let mut db = self.read().await?;
        match action {
            AppAction::Use => {
                let may_use = store::perm_is_collaborator(&mut db, app.id, *id).await.stored()?;
                Ok(if may_use { Share::Use } else { Share::None })
            }
            AppAction::Remove | AppAction::Manage => {
                let role = store::team_app_role(&mut db, app.id, *id).await.stored()?;
                Ok(if role >= Some(Role::Admin) { Share::All } else { Share::None })
            }
        }
    }

    /// The living app of this name.
    pub(crate) async fn app_find(&self, name: &str) -> Result<App> {
        let missing = || Error::not_found(Kind::App);
        let name = AppName::new(name).map_err(|_| missing())?;
        store::app_by_name(&mut self.read().await?, &name).await.stored()?.ok_or_else(missing)
    }
}

fn name_check(name: &str, reserved: &[String]) -> Result<AppName> {
    if name.is_empty() {
        return Err(Error::invalid("id", "This field may not be blank."));
    }
    if reserved.iter().any(|other| other == name) {
        return Err(Error::invalid("id", format!("{name} is a reserved name.")));
    }
    AppName::new(name).map_err(|error| {
        let mut messages = vec![error.0.to_owned()];
        if error.0 == APP_NAME_RULE {
            messages.insert(0, APP_NAME_RULE_OLD.to_owned());
        }
        Error::Invalid(vec![FieldError { field: "id".to_owned(), messages }])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(name: &str) -> Vec<String> {
        match name_check(name, &["grafana".to_owned()]) {
            Err(Error::Invalid(fields)) => fields.into_iter().flat_map(|field| field.messages).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn bad_names_have_the_texts_of_both_generations() {
        assert_eq!(messages("A_b"), [APP_NAME_RULE_OLD, APP_NAME_RULE]);
        assert_eq!(messages("grafana"), ["grafana is a reserved name."]);
        assert_eq!(messages(""), ["This field may not be blank."]);
        assert_eq!(messages(&"a".repeat(64)), ["Ensure this field has no more than 63 characters."]);
        assert!(name_check("blog", &[]).is_ok());
    }
}
