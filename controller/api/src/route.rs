//! The route table: every method and path the controller answers, under one operation id each.
//!
//! Requests are dispatched from it, and so are the tests that try every route with every role; what is not in it
//! does not exist.

use http::Method;
use slipway_core::authz::AppAction;

use crate::call::Handler;
use crate::path::{Params, Pattern, Segments};

/// Who may call a route at all. What the caller may do beyond that is decided by the use case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everybody; credentials are not looked at.
    Public,
    /// Everybody; a good token makes the caller known, a bad one is as none.
    Optional,
    /// Users with a good token.
    User,
    /// Users, and whoever has the token that starts the deployment of the path, which the handler looks at.
    Starter,
    /// The builder, by the key it shares with the controller.
    Builder,
}

/// How the body of errors looks, and which paths have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Generation {
    /// Beside the APIs: health, metrics. Errors look as in `/v2`.
    Platform,
    /// Drycc and Deis 2.0 – 2.3, `/v2`.
    DryccV2,
    /// Deis 1.x, `/v1`.
    DeisV1,
    /// dployr, `/v1`.
    DployrV1,
    /// Teams, `/api`.
    Team,
}

impl Generation {
    /// Whether callers who may not use an app do not learn that it exists.
    #[must_use]
    pub const fn is_hiding_apps(self) -> bool {
        match self {
            Self::Platform | Self::DryccV2 | Self::Team => false,
            Self::DeisV1 | Self::DployrV1 => true,
        }
    }
}

/// What becomes of a request when its client goes away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Abandoned {
    /// It is finished, so that nothing is cut off in mid-work.
    Finish,
    /// It is dropped: it only lasts as long as somebody looks on.
    Drop,
}

/// One row of the table.
#[derive(Clone)]
pub struct Route {
    /// The method. `HEAD` is answered wherever `GET` is.
    pub method: Method,
    /// The path, see [`Pattern`].
    pub pattern: &'static str,
    /// `<generation>_<resource>_<verb>`, unique.
    pub operation: &'static str,
    /// Who may call.
    pub access: Access,
    /// The API generation.
    pub generation: Generation,
    /// Largest body, in bytes.
    pub body_max: usize,
    /// What the caller must be allowed to do with the app of the path, if there is one.
    pub action: AppAction,
    /// What becomes of it without its client.
    pub abandoned: Abandoned,
    /// What does the work.
    pub handler: Handler,
}

/// Largest body unless a route says otherwise.
pub const BODY_MAX: usize = 1024 * 1024;

impl Route {
    /// A route with the usual limits.
    #[must_use]
    pub const fn new(
        generation: Generation,
        method: Method,
        pattern: &'static str,
        operation: &'static str,
        access: Access,
        handler: Handler,
    ) -> Self {
        Self {
            method,
            pattern,
            operation,
            access,
            generation,
            body_max: BODY_MAX,
            action: AppAction::Use,
            abandoned: Abandoned::Finish,
            handler,
        }
    }

    /// With another limit for the body.
    #[must_use]
    pub fn body_max(self, body_max: usize) -> Self {
        Self { body_max, ..self }
    }

    /// For those only who may do this with the app. The use case decides; this is for requests that do not get there.
    #[must_use]
    pub fn action(self, action: AppAction) -> Self {
        Self { action, ..self }
    }

    /// Dropped when its client goes away.
    #[must_use]
    pub fn drop_when_abandoned(self) -> Self {
        Self { abandoned: Abandoned::Drop, ..self }
    }
}

impl std::fmt::Debug for Route {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} ({}, {:?})", self.method, self.pattern, self.operation, self.access)
    }
}

/// All routes, by path.
#[derive(Debug)]
pub struct RouteTable {
    groups: Vec<Group>,
}

/// The routes of one path.
#[derive(Debug)]
pub struct Group {
    /// The path.
    pub pattern: Pattern,
    /// One a method.
    pub routes: Vec<Route>,
}

impl Group {
    /// The route for a method.
    #[must_use]
    pub fn find(&self, method: &Method) -> Option<&Route> {
        let method = if method == Method::HEAD { &Method::GET } else { method };
        self.routes.iter().find(|route| route.method == *method)
    }

    /// The methods there are.
    #[must_use]
    pub fn allowed(&self) -> Vec<Method> {
        let mut allowed: Vec<Method> = self.routes.iter().map(|route| route.method.clone()).collect();
        if allowed.contains(&Method::GET) {
            allowed.push(Method::HEAD);
        }
        allowed.push(Method::OPTIONS);
        allowed
    }

    /// Whether every caller may know that this path exists.
    #[must_use]
    pub fn is_public(&self) -> bool {
        self.routes.iter().any(|route| matches!(route.access, Access::Public | Access::Optional))
    }

    /// Whether the path is the builder's.
    #[must_use]
    pub fn is_for_builder(&self) -> bool {
        self.routes.iter().any(|route| route.access == Access::Builder)
    }
}

impl RouteTable {
    /// Puts routes in order; of two patterns that fit a path the one given first wins.
    #[must_use]
    pub fn new(routes: Vec<Route>) -> Self {
        let mut groups: Vec<Group> = Vec::new();
        for route in routes {
            match groups.iter_mut().find(|group| group.pattern.text() == route.pattern) {
                Some(group) => group.routes.push(route),
                None => groups.push(Group { pattern: Pattern::new(route.pattern), routes: vec![route] }),
            }
        }
        Self { groups }
    }

    /// The routes of a path and the values of its variables.
    #[must_use]
    pub fn find(&self, path: &str) -> Option<(&Group, Params)> {
        let segments = Segments::new(path)?;
        self.groups.iter().find_map(|group| group.pattern.find(&segments).map(|params| (group, params)))
    }

    /// Every route.
    pub fn iter(&self) -> impl Iterator<Item = &Route> {
        self.groups.iter().flat_map(|group| &group.routes)
    }
}

/// A handler for a [`Route`] from an async function.
#[macro_export]
macro_rules! handler {
    ($function:path) => {
        |call| ::std::boxed::Box::pin($function(call))
    };
}
