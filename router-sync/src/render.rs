//! From [`DesiredRoute`](crate::desired::DesiredRoute)s to the objects of whatever carries the traffic. Pure: what comes out depends on nothing else.
//!
//! - [`gateway`] makes HTTPRoutes and ListenerSets of the Gateway API;
//! - [`ingress`] makes Ingresses, with the annotations of nginx or Traefik.
//!
//! Where a target cannot do what a route demands, the app is closed rather than opened: an allow list that nobody
//! enforces leads to a Service without endpoints, which answers 503, and to a problem.

pub mod gateway;
pub mod ingress;
mod shared;

use kube::api::ApiResource;
use serde_json::Value;

/// Label with the name of the router-sync that wrote an object; see `--instance`.
pub const LABEL_INSTANCE: &str = "router.slipway.io/instance";
/// Label by which people and tools see who writes an object.
pub const LABEL_MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// Field manager of everything that is written, and the value of [`LABEL_MANAGED_BY`].
pub const FIELD_MANAGER: &str = "slipway-router-sync";
/// Annotation: digest of the object as it was last written, so that fields which are no longer wanted are noticed.
pub const ANNOTATION_HASH: &str = "router.slipway.io/hash";
/// Annotation on Services: what stands in the way of the app's route. Absent when nothing does.
pub const ANNOTATION_PROBLEM: &str = "router.slipway.io/problem";

/// Kinds of objects that are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The Service without endpoints that stands for an app which must not answer.
    Service,
    /// `networking.k8s.io/v1` Ingress.
    Ingress,
    /// `traefik.io/v1alpha1` Middleware.
    Middleware,
    /// `gateway.networking.k8s.io/v1` HTTPRoute.
    HttpRoute,
    /// `gateway.networking.k8s.io/v1` ListenerSet.
    ListenerSet,
    /// `gateway.envoyproxy.io/v1alpha1` SecurityPolicy.
    SecurityPolicy,
}

impl Kind {
    /// Group, version, kind and plural.
    const fn parts(self) -> (&'static str, &'static str, &'static str, &'static str) {
        match self {
            Self::Service => ("", "v1", "Service", "services"),
            Self::Ingress => ("networking.k8s.io", "v1", "Ingress", "ingresses"),
            Self::Middleware => ("traefik.io", "v1alpha1", "Middleware", "middlewares"),
            Self::HttpRoute => ("gateway.networking.k8s.io", "v1", "HTTPRoute", "httproutes"),
            Self::ListenerSet => ("gateway.networking.k8s.io", "v1", "ListenerSet", "listenersets"),
            Self::SecurityPolicy => ("gateway.envoyproxy.io", "v1alpha1", "SecurityPolicy", "securitypolicies"),
        }
    }

    /// How the API server knows it.
    #[must_use]
    pub fn resource(self) -> ApiResource {
        let (group, version, kind, plural) = self.parts();
        ApiResource {
            group: group.to_owned(),
            version: version.to_owned(),
            api_version: self.api_version(),
            kind: kind.to_owned(),
            plural: plural.to_owned(),
        }
    }

    /// Group and version as objects name them.
    #[must_use]
    pub fn api_version(self) -> String {
        let (group, version, ..) = self.parts();
        if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") }
    }

    /// The kind's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.parts().2
    }
}

/// An object as it should be, without what the API server adds.
#[derive(Debug, Clone, PartialEq)]
pub struct Object {
    /// Its kind.
    pub kind: Kind,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The whole of it.
    pub body: Value,
}

/// What a route comes to.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Rendered {
    /// What should be there.
    pub objects: Vec<Object>,
    /// What the target cannot do, for people.
    pub problems: Vec<String>,
}
