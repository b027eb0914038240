//! Routes: the domains of apps. Source: `dployr-v1.md` §8.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use slipway_core::authz::AppAction;
use slipway_core::deployment::DeploymentType;
use slipway_core::domain::{Domain, TAKEN, domain_parse};
use slipway_core::error::Kind;
use slipway_core::{AppId, Error, ProcessType, Result};
use slipway_store as store;

use super::deployment::Wanted;
use super::{DeploymentView, service_id};
use crate::reconcile::spec::domain_host;
use crate::stored::Stored;
use crate::{Cx, Page, PageQuery, Service};

/// A domain that leads to a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The whole name.
    pub domain: String,
    /// The service; `None` while the app has none that answers.
    pub service: Option<String>,
    /// The port of the service's processes that requests go to.
    pub port: u16,
    /// Where requests go, for people.
    pub upstream: String,
    /// Whether it leads to files alone.
    pub is_static: bool,
    /// Whether something answers there.
    pub is_active: bool,
    /// When it was added.
    pub created: DateTime<Utc>,
    /// When it was last changed.
    pub updated: DateTime<Utc>,
}

impl Service {
    /// The routes that the caller may see, of one service if said.
    ///
    /// # Errors
    /// `Unauthenticated`.
    pub async fn routes_list(&self, cx: &Cx, service: Option<&str>, page: PageQuery) -> Result<Page<Route>> {
        let wanted = Wanted { service: service.map(str::to_owned), ..Wanted::default() };
        let views = self.views_list(cx, wanted, PageQuery { limit: u32::MAX, offset: 0 }).await?.items;
        let ids: Vec<AppId> = views.iter().map(|view| view.app.id).collect();
        let found = store::domains_by_apps(&mut self.read().await?, &ids, page.into()).await.stored()?;
        let views: HashMap<AppId, DeploymentView> = views.into_iter().map(|view| (view.app.id, view)).collect();
        let route = |domain: &Domain| views.get(&domain.app).map(|view| self.route_of(view, domain));
        Ok(Page { count: found.total, items: found.items.iter().filter_map(route).collect() })
    }

    /// Lets a service answer at a domain, and whether that is new; one that leads to the service already leads to this port
    /// from then on. It is not waited for.
    ///
    /// # Errors
    /// `NotFound` for the service; `Invalid` by field; `Conflict` for a domain of another.
    pub async fn route_create(&self, cx: &Cx, domain: &str, service: &str, port: Option<i64>) -> Result<(Route, bool)> {
        let (view, process_type) = self.service_for(cx, service, AppAction::Use).await?;
        let name = route_domain(domain)?;
        if routed(&view).as_ref() != Some(&process_type) {
            return Err(Error::invalid("service_id", "This service takes no requests."));
        }
        let port = self.other_port(&view, port)?;
        let found = store::domain_by_name(&mut self.read().await?, &name).await.stored()?;
        if let Some(found) = found {
            if found.app == view.app.id {
                let found = self.domain_port_record(cx, &view.app, &found, port).await?;
                return Ok((self.route_of(&view, &found), false));
            }
            return Err(Error::Conflict(format!("The domain {name} leads to another service.")));
        }
        let made = match self.domain_record(cx, &view.app, &name, port).await {
            Ok((made, _)) => made,
            Err(Error::Invalid(fields))
                if fields.iter().any(|field| field.messages.iter().any(|message| message == TAKEN)) =>
            {
                return Err(Error::Conflict(format!("The domain {name} leads to another service.")));
            }
            Err(error) => return Err(error),
        };
        Ok((self.route_of(&view, &made), true))
    }

    /// Takes a domain from a service. It is not waited for.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden`; `Conflict` for the domain that every app has.
    pub async fn route_delete(&self, cx: &Cx, route: &str) -> Result<()> {
        cx.user()?;
        let missing = || Error::not_found(Kind::Route);
        let name = route.trim().trim_end_matches('.').to_lowercase();
        let own = name.strip_suffix(&format!(".{}", self.platform_domain())).unwrap_or(&name).to_owned();
        let mut db = self.read().await?;
        let mut found = store::domain_by_name(&mut db, &name).await.stored()?;
        if found.is_none() {
            found = store::domain_by_name(&mut db, &own).await.stored()?;
        }
        drop(db);
        let found = found.ok_or_else(missing)?;
        let app = self.app_visible(cx, &found.app.to_string(), AppAction::Remove, Kind::Route).await?;
        if found.domain == app.name.as_str() {
            return Err(Error::Conflict("Every app answers by its own name.".to_owned()));
        }
        self.domain_delete_record(cx, &app, &found.domain).await.map(drop)
    }

    /// The port that a route asks for, if it is not the one that the service is told to listen on.
    fn other_port(&self, view: &DeploymentView, port: Option<i64>) -> Result<Option<u16>> {
        let own = port_of(view);
        let Some(port) = port.filter(|port| *port != i64::from(own)) else { return Ok(None) };
        let Some(port) = u16::try_from(port).ok().filter(|port| *port > 0) else {
            return Err(Error::invalid("port", "It is a number from 1 to 65535."));
        };
        if !self.engine().is_routing_ports() {
            let why = "This platform runs on one machine, where processes share its ports: requests reach a process on the \
                       one that it is given, and on no other.";
            return Err(Error::invalid("port", format!("The service listens on {own}. {why}")));
        }
        Ok(Some(port))
    }

    fn route_of(&self, view: &DeploymentView, domain: &Domain) -> Route {
        let service = routed(view);
        let port = domain.port.unwrap_or_else(|| port_of(view));
        let is_reachable = domain.port.is_none() || self.engine().is_routing_ports();
        let is_static = view.deployment.as_ref().is_some_and(|found| found.request.kind == DeploymentType::Static);
        Route {
            domain: domain_host(&domain.domain, self.platform_domain()),
            service: service.as_ref().map(|process_type| service_id(view.app.id, process_type)),
            port,
            upstream: format!("{}:{port}", view.app.name),
            is_static,
            is_active: service.is_some() && is_reachable,
            created: domain.created,
            updated: domain.updated,
        }
    }
}

/// The process type that requests go to.
fn routed(view: &DeploymentView) -> Option<ProcessType> {
    slipway_core::structure::routed_type(&view.types())
}

/// The port that is told of an app.
fn port_of(view: &DeploymentView) -> u16 {
    let config = view.config.as_ref().and_then(|config| config.values.get("PORT")?.expose().parse().ok());
    let asked = view.deployment.as_ref().map(|found| found.request.port);
    config.or(asked).unwrap_or(slipway_core::deployment::PORT_DEFAULT)
}

/// Checks the name of a route: whole, no wildcard, no address.
fn route_domain(text: &str) -> Result<String> {
    let fail = |issue: &str| Err(Error::invalid("domain", issue));
    let text = text.trim();
    if text.contains('*') {
        return fail("Wildcards are not taken here.");
    }
    if text.parse::<std::net::IpAddr>().is_ok() || text.starts_with('[') {
        return fail("Give a name, not an address.");
    }
    if !(3..=253).contains(&text.len()) || !text.trim_end_matches('.').contains('.') {
        return fail("Give a whole name such as example.com.");
    }
    domain_parse(text).map_err(|issue| Error::invalid("domain", issue))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_are_whole_names() {
        assert_eq!(route_domain("Example.COM").unwrap(), "example.com");
        for bad in ["", "a", "localhost", "*.example.com", "127.0.0.1", "::1", "[::1]", "a b.c", "-a.b", "a..b"] {
            assert!(route_domain(bad).is_err(), "{bad}");
        }
    }
}
