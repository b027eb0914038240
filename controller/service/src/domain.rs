//! Domains of apps. Source: `drycc-v2.md` §2.7.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use slipway_core::app::App;
use slipway_core::authz::AppAction;
use slipway_core::domain::{Domain, RESERVED, TAKEN, domain_parse, is_of_platform};
use slipway_core::error::{FieldError, Kind};
use slipway_core::webhook::WebhookEvent;
use slipway_core::{AppName, Error, Result};
use slipway_store as store;
use slipway_store::{Db, StoreError, UniqueOn};

use crate::audit::{Subject, event};
use crate::stored::{Fail, Stored, write};
use crate::webhook::event_tell;
use crate::{Cx, Page, PageQuery, Service};

/// Most ports that the domains of an app lead to beside the usual one.
const PORTS_MAX: usize = 16;

impl Service {
    /// The host names under which an app answers, by name.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`.
    pub async fn domains_list(&self, cx: &Cx, app: &str, page: PageQuery) -> Result<Page<Domain>> {
        let app = self.app_for(cx, app, AppAction::Use).await?;
        store::domains_list(&mut self.read().await?, app.id, page.into()).await.stored().map(Page::from)
    }

    /// Lets an app answer under another host name, and waits until it does.
    ///
    /// # Errors
    /// `NotFound` (app), `Forbidden`, `Invalid` under `domain`; `Unavailable` when the engine does not follow in time.
    pub async fn domain_create(&self, cx: &Cx, app: &str, text: &str) -> Result<Domain> {
        let app = self.app_for(cx, app, AppAction::Use).await?;
        let (domain, generation) = self.domain_record(cx, &app, text, None).await?;
        self.routes_wait(&app, generation).await?;
        Ok(domain)
    }

    /// As `domain_create`, without waiting for it, and with the port that requests go to if that is not the usual one; with
    /// the generation to be waited for.
    pub(crate) async fn domain_record(
        &self,
        cx: &Cx,
        app: &App,
        text: &str,
        port: Option<u16>,
    ) -> Result<(Domain, Option<i64>)> {
        let (owner, _, _) = cx.user()?;
        let name = domain_parse(text).map_err(|message| Error::invalid("domain", message))?;
        if self.is_reserved(app, &name) {
            return Err(Error::invalid("domain", RESERVED));
        }
        let new = store::NewDomain { app: app.id, owner, domain: name.clone(), created: cx.now };
        let (domain, generation) = write!(self, |db| {
            if store::domain_by_name(db, &name).await?.is_some() {
                return Err(taken(text, &name).into());
            }
            // A name without dots stands for one below the platform's domain, where apps answer by their own names.
            if let Ok(other) = AppName::new(name.as_str())
                && other != app.name
                && store::app_by_name(db, &other).await?.is_some()
            {
                return Err(Error::invalid("domain", RESERVED).into());
            }
            let domain = match store::domain_insert(db, &new).await {
                Err(StoreError::Conflict { what: UniqueOn::Domain }) => return Err(taken(text, &name).into()),
                other => other?,
            };
            let domain = match port {
                None => domain,
                Some(_) => port_set(db, app, &name, port, cx).await?,
            };
            let generation = store::app_bump_desired(db, app.id, cx.now).await?;
            let after = shape(&name, port);
            store::event_insert(db, &event(cx, "create", domain_subject(app, &name), Value::Null, after)).await?;
            let data = json!({"domain": name, "name": app.name.as_str()});
            event_tell(db, cx, app.id, WebhookEvent::DomainCreated, data).await?;
            Ok::<_, Fail>((domain, generation))
        })?;
        self.app_log(app.id, format!("INFO domain {name} added"));
        self.signals().desired(app.id);
        Ok((domain, generation))
    }

    /// Lets a domain of an app lead to another port, `None` for the usual one. It is not waited for.
    ///
    /// # Errors
    /// `NotFound` when the app has no such domain any more; `Invalid` under `port`.
    pub(crate) async fn domain_port_record(
        &self,
        cx: &Cx,
        app: &App,
        domain: &Domain,
        port: Option<u16>,
    ) -> Result<Domain> {
        if domain.port == port {
            return Ok(domain.clone());
        }
        let name = &domain.domain;
        let changed = write!(self, |db| {
            let changed = port_set(db, app, name, port, cx).await?;
            store::app_bump_desired(db, app.id, cx.now).await?;
            let (before, after) = (shape(name, domain.port), shape(name, port));
            store::event_insert(db, &event(cx, "update", domain_subject(app, name), before, after)).await?;
            Ok::<_, Fail>(changed)
        })?;
        let to = port.map_or_else(|| "the usual port".to_owned(), |port| format!("port {port}"));
        self.app_log(app.id, format!("INFO domain {name} leads to {to}"));
        self.signals().desired(app.id);
        Ok(changed)
    }

    /// Takes a host name from an app, and waits until it no longer answers there.
    ///
    /// # Errors
    /// `NotFound` (app, then domain), `Forbidden`; `Unavailable` when the engine does not follow in time.
    pub async fn domain_delete(&self, cx: &Cx, app: &str, text: &str) -> Result<()> {
        let app = self.app_for(cx, app, AppAction::Remove).await?;
        let name = domain_parse(text).map_err(|_| Error::not_found(Kind::Domain))?;
        let generation = self.domain_delete_record(cx, &app, &name).await?;
        self.routes_wait(&app, generation).await
    }

    /// As `domain_delete`, without waiting for it; with the generation to be waited for.
    pub(crate) async fn domain_delete_record(&self, cx: &Cx, app: &App, name: &str) -> Result<Option<i64>> {
        let missing = || Error::not_found(Kind::Domain);
        let generation = write!(self, |db| {
            if !store::domain_delete(db, app.id, name).await? {
                return Err(missing().into());
            }
            let generation = store::app_bump_desired(db, app.id, cx.now).await?;
            let before = json!({"domain": name});
            store::event_insert(db, &event(cx, "delete", domain_subject(app, name), before, Value::Null)).await?;
            let data = json!({"domain": name, "name": app.name.as_str()});
            event_tell(db, cx, app.id, WebhookEvent::DomainDeleted, data).await?;
            Ok::<_, Fail>(generation)
        })?;
        self.app_log(app.id, format!("INFO domain {name} removed"));
        self.signals().desired(app.id);
        Ok(generation)
    }

    /// Whether nobody but the platform, or an app by its own name, may answer there.
    fn is_reserved(&self, app: &App, name: &str) -> bool {
        let is_own = name == app.name.as_str();
        is_of_platform(name, self.platform_domain())
            || (!is_own && self.config().reserved_names.iter().any(|reserved| reserved == name))
    }
}

/// Lets a domain lead to a port, as long as the app's domains lead to few.
async fn port_set(db: &mut Db, app: &App, name: &str, port: Option<u16>, cx: &Cx) -> Result<Domain, Fail> {
    let domain = store::domain_port_set(db, app.id, name, port, cx.now).await?;
    let domain = domain.ok_or_else(|| Error::not_found(Kind::Domain))?;
    let ports: BTreeSet<u16> =
        store::domains_by_app(db, app.id).await?.into_iter().filter_map(|(_, port)| port).collect();
    if ports.len() > PORTS_MAX {
        let reason = format!("The domains of an app lead to {PORTS_MAX} ports of their own at most.");
        return Err(Error::invalid("port", reason).into());
    }
    Ok(domain)
}

/// A domain for the record.
fn shape(name: &str, port: Option<u16>) -> Value {
    match port {
        None => json!({"domain": name}),
        Some(port) => json!({"domain": name, "port": port}),
    }
}

/// A domain as the subject of an entry of the record.
fn domain_subject(app: &App, name: &str) -> Subject<'static> {
    Subject { kind: "domain", id: app.id.to_string(), name: name.to_owned() }
}

/// The refusal of a name that somebody has. Old clients know only the first text.
fn taken(text: &str, name: &str) -> Error {
    let mut messages = vec![TAKEN.to_owned()];
    if text != name {
        messages.push(format!("The domain {text} is already in use by another app"));
    }
    Error::Invalid(vec![FieldError { field: "domain".to_owned(), messages }])
}
