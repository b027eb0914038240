//! How an app's route is written on its Service in a cluster, for whatever program carries the traffic.
//!
//! The contract between the cluster engine, which writes, and router-sync, which reads: the names are here, and
//! nowhere else. The Service of an app `blog` is `blog` in the namespace `blog`. It carries the labels
//! `heritage=slipway` and `app=blog`, and [`LABEL_ROUTABLE`] while it shall be routed. Its port is named [`PORT_NAME`]
//! and has the number [`PORT`]; it has others only for [`ANNOTATION_PORTS`].
//!
//! Process types that paths lead to have Services of their own beside it, without [`LABEL_ROUTABLE`]; [`ANNOTATION_PATHS`]
//! names them.
//!
//! Source of the idea: `drycc-v2.md` §4.7, with a prefix of our own.

/// Label: `true` on Services that shall be routed; absent on others.
pub const LABEL_ROUTABLE: &str = "router.slipway.io/routable";
/// Annotation: full ASCII host names with commas between them; `*.example.com` covers one label. Absent when there is
/// none.
pub const ANNOTATION_DOMAINS: &str = "router.slipway.io/domains";
/// Annotation: `host:secret-name` with commas between them; each names a Secret of type `kubernetes.io/tls` in the
/// same namespace. Absent when there is none.
pub const ANNOTATION_CERTIFICATES: &str = "router.slipway.io/certificates";
/// Annotation: `true` or `false`, whether a host outside of the platform's domain that has no certificate gets one by
/// itself. Absent for what the route writer is set up for.
pub const ANNOTATION_CERTIFICATES_AUTO: &str = "router.slipway.io/certificates.auto";
/// Annotation: `true` or `false`, whether plain HTTP is redirected to HTTPS.
pub const ANNOTATION_SSL_ENFORCE: &str = "router.slipway.io/ssl.enforce";
/// Annotation: `true` or `false`, whether every request gets a maintenance page.
pub const ANNOTATION_MAINTENANCE: &str = "router.slipway.io/maintenance";
/// Annotation: networks (`10.0.0.0/8`) that may send requests, with commas between them. Absent for all.
pub const ANNOTATION_WHITELIST: &str = "router.slipway.io/whitelist";
/// Annotation: which paths lead elsewhere than to the app's own Service, as JSON:
/// `[{"pattern":"/jobs","service":"blog-worker"}]`; the first that fits counts. A pattern is a regular expression that
/// paths must begin with; the Service is in the same namespace, has the app's labels, and its one port is as the
/// app's own. Absent when there is none.
pub const ANNOTATION_PATHS: &str = "router.slipway.io/paths";
/// Annotation: `host:port` with commas between them: hosts of which every path leads to another port of the app's
/// processes than the one that they are told to listen on. The app's Service has a port for each, named as
/// [`port_name`] says, whatever its number. Absent when there is none.
pub const ANNOTATION_PORTS: &str = "router.slipway.io/ports";
/// Annotation: generation of the app when its route was last written.
pub const ANNOTATION_GENERATION: &str = "router.slipway.io/generation";
/// Name of the port of the Service, and of the container port that it leads to.
pub const PORT_NAME: &str = "http";
/// Number of the port of the Service.
pub const PORT: u16 = 80;

/// What the names of ports for [`ANNOTATION_PORTS`] begin with.
pub const PORT_NAME_PREFIX: &str = "port-";

/// Name of the port of an app's Service that leads to `port` of its processes.
#[must_use]
pub fn port_name(port: u16) -> String {
    format!("{PORT_NAME_PREFIX}{port}")
}

/// One entry of [`ANNOTATION_PATHS`].
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct PathEntry {
    /// What paths begin with.
    pub pattern: String,
    /// The Service that they lead to.
    pub service: String,
}
