//! Clusters of others, by the kubeconfig that a user gives.
//!
//! A kubeconfig can start programs, read files and name any address. Here it can do none of that: a copy is made of the
//! few members that are allowed, all else is refused by name, and the address is looked up once, checked, and kept, so that
//! a name that leads elsewhere the next time leads nowhere.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use http::Uri;
use kube::config::{
    AuthInfo, Cluster, Context, KubeConfigOptions, Kubeconfig, NamedAuthInfo, NamedCluster, NamedContext,
};
use kube::{Client, Config};
use slipway_egress::is_public;
use slipway_engine::EngineError;

use super::{ClusterNode, WorkloadSettings};

/// Longest kubeconfig, in bytes.
const LENGTH_MAX: usize = 64 * 1024;
/// Time that a connection may take to come up.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The one entry of each kind in the copy.
const NAME: &str = "node";

/// Which addresses clusters of others may have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reach {
    /// Whether private ones are as good as others. Default false.
    pub is_private_allowed: bool,
    /// Hosts, with or without a port, that are so in any case. Default none.
    pub trusted: Vec<String>,
}

fn refused(reason: impl Into<String>) -> EngineError {
    EngineError::Rejected(reason.into())
}

/// What drives the cluster of a kubeconfig. Nothing is asked of it yet.
///
/// # Errors
/// `Rejected` with the member that is not allowed or not right; `Unavailable` when its name is not known.
pub async fn node_of(text: &str, reach: &Reach, settings: WorkloadSettings) -> Result<ClusterNode, EngineError> {
    let (kubeconfig, server) = allowed(text)?;
    let address = address(&server, reach).await?;
    let options = KubeConfigOptions { context: Some(NAME.to_owned()), ..KubeConfigOptions::default() };
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &options)
        .await
        .map_err(|error| refused(format!("the kubeconfig cannot be used: {error}")))?;
    if let Some(address) = address {
        let host = server.host().unwrap_or_default().to_owned();
        config.tls_server_name.get_or_insert(host);
        let path = server.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        config.cluster_url = format!("https://{address}{path}")
            .parse()
            .map_err(|_| refused("the address of the cluster's server is none"))?;
    }
    config.proxy_url = None;
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    let client =
        Client::try_from(config).map_err(|error| refused(format!("the kubeconfig cannot be used: {error}")))?;
    Ok(ClusterNode::new(client, settings, Some(server.to_string().trim_end_matches('/').to_owned())))
}

/// A copy of the current context with what is allowed of it, and the address of its server.
fn allowed(text: &str) -> Result<(Kubeconfig, Uri), EngineError> {
    if text.len() > LENGTH_MAX {
        return Err(refused(format!("the kubeconfig is longer than {LENGTH_MAX} bytes")));
    }
    let given =
        Kubeconfig::from_yaml(text).map_err(|_| refused("the kubeconfig is no YAML with the members of one"))?;
    let current = match (&given.current_context, given.contexts.as_slice()) {
        (Some(name), _) if !name.is_empty() => name.clone(),
        (_, [only]) => only.name.clone(),
        _ => return Err(refused("the kubeconfig has no current-context")),
    };
    let context = given.contexts.into_iter().find(|context| context.name == current).and_then(|found| found.context);
    let context = context.ok_or_else(|| refused("the kubeconfig lacks its current context"))?;
    let cluster = given.clusters.into_iter().find(|cluster| cluster.name == context.cluster);
    let cluster = cluster.and_then(|found| found.cluster).ok_or_else(|| refused("the kubeconfig lacks its cluster"))?;
    let user = given.auth_infos.into_iter().find(|user| Some(&user.name) == context.user.as_ref());
    let user = user.and_then(|found| found.auth_info).ok_or_else(|| refused("the kubeconfig lacks its user"))?;
    for (member, is_there) in [
        ("exec", user.exec.is_some()),
        ("auth-provider", user.auth_provider.is_some()),
        ("tokenFile", user.token_file.is_some()),
        ("client-certificate", user.client_certificate.is_some()),
        ("client-key", user.client_key.is_some()),
        ("username", user.username.is_some()),
        ("password", user.password.is_some()),
        ("as", user.impersonate.is_some()),
        ("as-uid", user.impersonate_uid.is_some()),
        ("as-groups", user.impersonate_groups.is_some()),
        ("as-user-extra", user.impersonate_user_extra.is_some()),
        ("certificate-authority", cluster.certificate_authority.is_some()),
        ("insecure-skip-tls-verify", cluster.insecure_skip_tls_verify == Some(true)),
        ("proxy-url", cluster.proxy_url.is_some()),
    ] {
        if is_there {
            return Err(refused(format!(
                "the kubeconfig has {member}, which is not allowed: give a token or a certificate within it"
            )));
        }
    }
    let has_certificate = user.client_certificate_data.is_some() && user.client_key_data.is_some();
    if user.token.is_none() && !has_certificate {
        return Err(refused("the kubeconfig has neither a token nor a certificate with its key"));
    }
    let server: Uri = cluster
        .server
        .as_deref()
        .and_then(|server| server.parse().ok())
        .filter(|uri: &Uri| uri.scheme_str() == Some("https") && uri.host().is_some())
        .filter(|uri: &Uri| !uri.authority().is_some_and(|authority| authority.as_str().contains('@')))
        .ok_or_else(|| refused("the kubeconfig's server is no https address"))?;
    let copy = Kubeconfig {
        clusters: vec![NamedCluster {
            name: NAME.to_owned(),
            cluster: Some(Cluster {
                server: cluster.server,
                certificate_authority_data: cluster.certificate_authority_data,
                tls_server_name: cluster.tls_server_name,
                ..Cluster::default()
            }),
            ..NamedCluster::default()
        }],
        auth_infos: vec![NamedAuthInfo {
            name: NAME.to_owned(),
            auth_info: Some(AuthInfo {
                token: user.token,
                client_certificate_data: user.client_certificate_data,
                client_key_data: user.client_key_data,
                ..AuthInfo::default()
            }),
            ..NamedAuthInfo::default()
        }],
        contexts: vec![NamedContext {
            name: NAME.to_owned(),
            context: Some(Context { cluster: NAME.to_owned(), user: Some(NAME.to_owned()), ..Context::default() }),
            ..NamedContext::default()
        }],
        current_context: Some(NAME.to_owned()),
        ..Kubeconfig::default()
    };
    Ok((copy, server))
}

/// The address that a server is reached at, if it is to be kept; nothing when any will do.
async fn address(server: &Uri, reach: &Reach) -> Result<Option<SocketAddr>, EngineError> {
    let host = server.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    let port = server.port_u16().unwrap_or(443);
    let with_port = format!("{host}:{port}");
    if reach.is_private_allowed || reach.trusted.iter().any(|own| own == host || *own == with_port) {
        return Ok(None);
    }
    let private = || refused(format!("{host} is at a private address, which is not allowed"));
    if let Ok(address) = host.parse::<IpAddr>() {
        return if is_public(address) { Ok(None) } else { Err(private()) };
    }
    let unknown = |context: String| EngineError::Unavailable { public: format!("{host} is not known"), context };
    let found = tokio::time::timeout(CONNECT_TIMEOUT, tokio::net::lookup_host((host, port))).await;
    let found = found.map_err(|_| unknown("the name server did not answer".to_owned()))?;
    let found: Vec<SocketAddr> = found.map_err(|error| unknown(error.to_string()))?.collect();
    if found.is_empty() {
        return Err(unknown(String::new()));
    }
    found.into_iter().find(|address| is_public(address.ip())).map(Some).ok_or_else(private)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn config(server: &str, change: impl FnOnce(&mut Value)) -> String {
        let mut config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
            "clusters": [{"name": "k", "cluster": {"server": server}}],
            "users": [{"name": "u", "user": {"token": "t"}}],
        });
        change(&mut config);
        config.to_string()
    }

    async fn reason(text: &str, reach: &Reach) -> String {
        match node_of(text, reach, WorkloadSettings::default()).await {
            Ok(_) => String::new(),
            Err(error) => error.to_string(),
        }
    }

    #[tokio::test]
    async fn what_starts_programs_or_reads_files_is_refused() {
        const SERVER: &str = "https://192.0.2.1:6443";
        let open = Reach { is_private_allowed: true, ..Reach::default() };
        assert_eq!(reason(&config(SERVER, |_| {}), &open).await, "");
        for (place, member, value) in [
            ("users", "exec", json!({"apiVersion": "client.authentication.k8s.io/v1", "command": "touch"})),
            ("users", "auth-provider", json!({"name": "gcp", "config": {}})),
            ("users", "tokenFile", json!("/etc/passwd")),
            ("users", "client-certificate", json!("/etc/passwd")),
            ("users", "client-key", json!("/etc/passwd")),
            ("users", "as", json!("system:admin")),
            ("users", "username", json!("x")),
            ("clusters", "certificate-authority", json!("/etc/passwd")),
            ("clusters", "insecure-skip-tls-verify", json!(true)),
            ("clusters", "proxy-url", json!("http://10.0.0.1")),
        ] {
            let kind = if place == "users" { "user" } else { "cluster" };
            let text = config(SERVER, |config| config[place][0][kind][member] = value);
            let reason = reason(&text, &open).await;
            assert!(reason.contains(&format!("has {member},")), "{member}: {reason}");
        }
        for (what, text) in [
            ("no YAML", "a: [".to_owned()),
            ("no YAML", "[]".to_owned()),
            ("current-context", "{}".to_owned()),
            ("longer", "x".repeat(LENGTH_MAX + 1)),
            ("lacks its user", config(SERVER, |config| config["users"] = json!([]))),
            ("lacks its cluster", config(SERVER, |config| config["clusters"] = json!([]))),
            ("neither a token", config(SERVER, |config| config["users"][0]["user"] = json!({}))),
            ("no https address", config("http://192.0.2.1", |_| {})),
            ("no https address", config("https://user@192.0.2.1", |_| {})),
            ("no https address", config("file:///etc/passwd", |_| {})),
        ] {
            let reason = reason(&text, &open).await;
            assert!(reason.contains(what), "{what}: {reason}");
        }
    }

    #[tokio::test]
    async fn private_addresses_take_permission() {
        let closed = Reach::default();
        for server in ["https://10.1.2.3", "https://127.0.0.1:6443", "https://localhost:6443", "https://[::1]:6443"] {
            let reason = reason(&config(server, |_| {}), &closed).await;
            assert!(reason.contains("private address"), "{server}: {reason}");
        }
        let trusting = Reach { trusted: vec!["localhost:6443".to_owned()], ..Reach::default() };
        assert_eq!(reason(&config("https://localhost:6443", |_| {}), &trusting).await, "");
        assert_eq!(reason(&config("https://8.8.8.8:6443", |_| {}), &closed).await, "");
    }
}
