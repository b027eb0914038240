//! Certificates and the domains they are served for. Source: `drycc-v2.md` §2.8.

use serde_json::{Value, json};
use slipway_core::app::App;
use slipway_core::authz::{AppAction, app_allow};
use slipway_core::certificate::Certificate;
use slipway_core::domain::{Domain, domain_parse};
use slipway_core::error::{FieldError, Kind};
use slipway_core::{Error, Result};
use slipway_store as store;
use slipway_store::{StoreError, UniqueOn};

use crate::audit::{Subject, event};
use crate::certificate_pem::certificate_parse;
use crate::reconcile::spec::domain_host;
use crate::stored::{Fail, Stored, write};
use crate::{Cx, Page, PageQuery, Service};

/// Longest name of a certificate, in characters.
const NAME_MAX: usize = 253;
const NAME_RULE: &str = "Can only contain a-z (lowercase), 0-9 and hyphens";
const OCCUPIED: &str = "Domain already has a certificate attached to it";

impl Service {
    /// Adds a certificate of the caller. `chain` and `key` are PEM.
    ///
    /// # Errors
    /// `Invalid` under `name`, `certificate` or `key`.
    pub async fn certificate_create(&self, cx: &Cx, name: &str, chain: &str, key: &str) -> Result<Certificate> {
        let (owner, _, _) = cx.user()?;
        let name = name.trim();
        let mut fields = Vec::new();
        let mut fail = |field: &str, message: String| {
            fields.push(FieldError { field: field.to_owned(), messages: vec![message] });
        };
        if let Err(message) = certificate_name_check(name) {
            fail("name", message);
        }
        let parsed = match certificate_parse(chain, key) {
            Ok(parsed) => Some(parsed),
            Err(errors) => {
                for (field, message) in errors {
                    fail(field, message);
                }
                None
            }
        };
        let Some(parsed) = parsed.filter(|_| fields.is_empty()) else { return Err(Error::Invalid(fields)) };
        for warning in &parsed.warnings {
            tracing::warn!(certificate.name = name, "certificate {name} {warning}");
        }
        let new = store::NewCertificate {
            owner,
            name: name.to_owned(),
            facts: parsed.facts,
            chain_pem: parsed.chain_pem,
            key_pem: parsed.key_pem,
            created: cx.now,
        };
        let certificate = write!(self, |db| {
            let certificate = match store::certificate_insert(db, &new).await {
                Err(StoreError::Conflict { what: UniqueOn::CertificateName }) => {
                    return Err(Error::invalid("name", "certificate with this name already exists.").into());
                }
                other => other?,
            };
            let after = json!({"fingerprint": certificate.facts.fingerprint});
            store::event_insert(db, &event(cx, "create", subject(&certificate), Value::Null, after)).await?;
            Ok::<_, Fail>(certificate)
        })?;
        Ok(certificate)
    }

    /// When the first certificate in use ends, of all users; `None` when none is in use. For the platform's numbers.
    ///
    /// # Errors
    /// `Unavailable` when the database is away.
    pub async fn certificates_first_end(&self) -> Result<Option<chrono::DateTime<chrono::Utc>>> {
        store::certificates_first_end(&mut self.read().await?).await.stored()
    }

    /// The caller's certificates, by name.
    ///
    /// # Errors
    /// `Unauthenticated`.
    pub async fn certificates_list(&self, cx: &Cx, page: PageQuery) -> Result<Page<Certificate>> {
        let (owner, _, _) = cx.user()?;
        store::certificates_list(&mut self.read().await?, owner, page.into()).await.stored().map(Page::from)
    }

    /// A certificate of the caller.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn certificate_get(&self, cx: &Cx, name: &str) -> Result<Certificate> {
        let (owner, _, _) = cx.user()?;
        let found = store::certificate_by_name(&mut self.read().await?, owner, name.trim()).await.stored()?;
        found.ok_or_else(|| Error::not_found(Kind::Certificate))
    }

    /// Removes a certificate of the caller, takes it from its domains, and waits until it is served no more.
    ///
    /// # Errors
    /// `NotFound`; `Unavailable` when the engine does not follow in time.
    pub async fn certificate_delete(&self, cx: &Cx, name: &str) -> Result<()> {
        let certificate = self.certificate_get(cx, name).await?;
        let changed = write!(self, |db| {
            let apps = store::certificate_apps(db, certificate.id).await?;
            if !store::certificate_delete(db, certificate.id).await? {
                return Err(Error::not_found(Kind::Certificate).into());
            }
            let mut changed = Vec::with_capacity(apps.len());
            for app in apps {
                changed.push((app, store::app_bump_desired(db, app, cx.now).await?));
            }
            let before = json!({"fingerprint": certificate.facts.fingerprint, "domains": certificate.domains});
            store::event_insert(db, &event(cx, "delete", subject(&certificate), before, Value::Null)).await?;
            Ok::<_, Fail>(changed)
        })?;
        for (app, _) in &changed {
            // All at once, before the first is waited for.
            self.signals().desired(*app);
            self.app_log(*app, format!("INFO certificate {} removed", certificate.name));
        }
        for (app, generation) in changed {
            if let Some(app) = self.app_by_id(app).await? {
                self.routes_wait(&app, generation).await?;
            }
        }
        Ok(())
    }

    /// Has a certificate of the caller served for a domain of an app that the caller may use, and waits until it is.
    /// That it is made out to the domain, and valid, is not asked for: the app's log warns.
    ///
    /// # Errors
    /// `Rejected` without a domain; `NotFound` (certificate, then domain); `Forbidden` for a domain of others;
    /// `Conflict` when the domain has a certificate; `Unavailable` when the engine does not follow in time.
    pub async fn certificate_attach(&self, cx: &Cx, name: &str, domain: &str) -> Result<()> {
        if domain.trim().is_empty() {
            cx.user()?;
            return Err(Error::Rejected("domain is a required field".to_owned()));
        }
        let certificate = self.certificate_get(cx, name).await?;
        let domain = self.domain_find(domain).await?;
        let app = self.domain_allow(cx, &domain).await?;
        let generation = write!(self, |db| {
            if store::domain_has_certificate(db, &domain.domain).await? {
                return Err(Error::Conflict(OCCUPIED.to_owned()).into());
            }
            match store::certificate_attach(db, certificate.id, &domain.domain).await {
                // Removed since it was looked at: the domain, or the certificate.
                Err(StoreError::Reference) => return Err(Error::not_found(Kind::Domain).into()),
                other => other?,
            }
            let generation = store::app_bump_desired(db, app.id, cx.now).await?;
            let after = json!({"domain": domain.domain});
            store::event_insert(db, &event(cx, "attach", subject(&certificate), Value::Null, after)).await?;
            Ok::<_, Fail>(generation)
        })?;
        let (name, host) = (&certificate.name, domain_host(&domain.domain, self.platform_domain()));
        self.app_log(domain.app, format!("INFO certificate {name} added to domain {}", domain.domain));
        for warning in certificate.facts.warnings(&host, cx.now) {
            tracing::warn!(app.id = %domain.app, certificate.name = name, "certificate {name} {warning}");
            self.app_log(domain.app, format!("WARN certificate {name} {warning}"));
        }
        self.routes_wait(&app, generation).await
    }

    /// Takes a certificate of the caller from a domain, whosever the domain is, and waits until it is served no more.
    ///
    /// # Errors
    /// `NotFound` (certificate, then a domain that has it); `Unavailable` when the engine does not follow in time.
    pub async fn certificate_detach(&self, cx: &Cx, name: &str, domain: &str) -> Result<()> {
        let certificate = self.certificate_get(cx, name).await?;
        let domain = self.domain_find(domain).await?;
        let generation = write!(self, |db| {
            if !store::certificate_detach(db, certificate.id, &domain.domain).await? {
                return Err(Error::not_found(Kind::Domain).into());
            }
            let generation = store::app_bump_desired(db, domain.app, cx.now).await?;
            let before = json!({"domain": domain.domain});
            store::event_insert(db, &event(cx, "detach", subject(&certificate), before, Value::Null)).await?;
            Ok::<_, Fail>(generation)
        })?;
        self.app_log(
            domain.app,
            format!("INFO certificate {} removed from domain {}", certificate.name, domain.domain),
        );
        match self.app_by_id(domain.app).await? {
            Some(app) => self.routes_wait(&app, generation).await,
            None => Ok(()),
        }
    }

    /// The domain of this name, as a person writes it.
    async fn domain_find(&self, text: &str) -> Result<Domain> {
        let missing = || Error::not_found(Kind::Domain);
        let name = domain_parse(text.trim()).map_err(|_| missing())?;
        store::domain_by_name(&mut self.read().await?, &name).await.stored()?.ok_or_else(missing)
    }

    /// The app that a domain is of, if the caller may use it.
    async fn domain_allow(&self, cx: &Cx, domain: &Domain) -> Result<App> {
        let app = self.app_by_id(domain.app).await?.ok_or_else(|| Error::not_found(Kind::Domain))?;
        app_allow(&cx.actor, AppAction::Use, &app, self.app_share(cx, &app, AppAction::Use).await?)?;
        Ok(app)
    }
}

pub(crate) fn subject(certificate: &Certificate) -> Subject<'static> {
    Subject { kind: "certificate", id: certificate.id.to_string(), name: certificate.name.clone() }
}

/// Checks the name of a certificate.
///
/// # Errors
/// The message for the field.
pub fn certificate_name_check(name: &str) -> Result<(), String> {
    if name.is_empty() {
        return Err("This field may not be blank.".to_owned());
    }
    if !name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-') {
        return Err(NAME_RULE.to_owned());
    }
    if name.len() > NAME_MAX {
        return Err(format!("Ensure this field has no more than {NAME_MAX} characters."));
    }
    Ok(())
}
