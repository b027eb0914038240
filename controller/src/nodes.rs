//! What runs containers of teams: the platform's own cluster, and clusters and engines that join.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use secrecy::ExposeSecret as _;
use slipway_cluster::workload::WorkloadSettings;
use slipway_cluster::workload::kubeconfig::{Reach, node_of};
use slipway_core::config::SecretText;
use slipway_docker::{DockerEndpoint, DockerNode, DockerSettings};
use slipway_engine::EngineError;
use slipway_engine::workload::WorkloadNode;
use slipway_service::NodeConnector;
use slipway_team::node::{Access, EngineTls, NodeKind};

/// Gives what drives nodes.
pub struct Nodes {
    /// What the platform itself runs on, if it runs containers of teams.
    pub own: Option<(NodeKind, Arc<dyn WorkloadNode>)>,
    /// Which addresses clusters and engines of users may have.
    pub reach: Reach,
    /// What the operator decides about containers on clusters.
    pub workloads: WorkloadSettings,
    /// What the operator decides about container engines.
    pub engines: DockerSettings,
    /// Sockets of this machine that users may name; whoever uses one is root here.
    pub engine_sockets: Vec<PathBuf>,
}

fn refused(reason: impl Into<String>) -> EngineError {
    EngineError::Rejected(reason.into())
}

impl Nodes {
    /// What drives the engine at `address`. Nothing is asked of it yet.
    fn engine(&self, address: &str, tls: Option<&EngineTls>) -> Result<DockerNode, EngineError> {
        if let Some(path) = address.strip_prefix("unix://") {
            let path = PathBuf::from(path);
            if !self.engine_sockets.contains(&path) {
                return Err(refused(
                    "the engine's socket is of the platform's own machine, and none that the operator allows",
                ));
            }
            return DockerNode::connect(&DockerEndpoint::Unix(path), self.engines.clone());
        }
        let tls = tls.ok_or_else(|| refused("an engine at an address takes certificates of both sides"))?;
        let mut settings = self.engines.clone();
        settings.allow_private = self.reach.is_private_allowed || self.is_trusted(address);
        let endpoint = DockerEndpoint::Tls {
            address: address.to_owned(),
            authorities: Some(tls.authority.clone()),
            certificate: tls.certificate.clone(),
            key: SecretText::new(tls.key.expose_secret()),
        };
        DockerNode::connect(&endpoint, settings)
    }

    /// Whether the operator trusts the host of an address, with its port or with any.
    fn is_trusted(&self, address: &str) -> bool {
        let with_port = address.split_once("://").map_or("", |(_, rest)| rest.trim_end_matches('/'));
        let host = with_port.rsplit_once(':').map_or(with_port, |(host, _)| host);
        self.reach.trusted.iter().any(|own| own == with_port || own == host)
    }
}

#[async_trait]
impl NodeConnector for Nodes {
    fn platform(&self) -> Option<(NodeKind, Arc<dyn WorkloadNode>)> {
        self.own.as_ref().map(|(kind, node)| (*kind, Arc::clone(node)))
    }

    async fn connect(&self, access: &Access) -> Result<Arc<dyn WorkloadNode>, EngineError> {
        match access {
            Access::Kubeconfig(config) => {
                let node = node_of(config.expose_secret(), &self.reach, self.workloads.clone()).await?;
                Ok(Arc::new(node))
            }
            Access::Engine { address, tls } => Ok(Arc::new(self.engine(address, tls.as_ref())?)),
            Access::None | Access::Platform => Err(refused("there is no way to the node")),
        }
    }
}

#[cfg(test)]
mod tests {
    use openssl::asn1::Asn1Time;
    use openssl::ec::{EcGroup, EcKey};
    use openssl::hash::MessageDigest;
    use openssl::nid::Nid;
    use openssl::pkey::PKey;
    use openssl::x509::X509;

    use super::*;

    /// A certificate that signed itself, and its key.
    fn certificate() -> (String, String) {
        let key = PKey::from_ec_key(
            EcKey::generate(EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap().as_ref()).unwrap(),
        )
        .unwrap();
        let mut builder = X509::builder().unwrap();
        builder.set_pubkey(&key).unwrap();
        builder.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
        builder.set_not_after(&Asn1Time::days_from_now(1).unwrap()).unwrap();
        builder.sign(&key, MessageDigest::sha256()).unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (text(builder.build().to_pem().unwrap()), text(key.private_key_to_pem_pkcs8().unwrap()))
    }

    #[tokio::test]
    async fn engines_are_where_the_operator_allows() {
        let nodes = |trusted: &[&str]| Nodes {
            own: None,
            reach: Reach {
                is_private_allowed: false,
                trusted: trusted.iter().map(|host| (*host).to_owned()).collect(),
            },
            workloads: WorkloadSettings::default(),
            engines: DockerSettings::default(),
            engine_sockets: vec!["/nonexistent/engine.sock".into()],
        };
        let (certificate, key) = certificate();
        let tls = EngineTls { authority: certificate.clone(), certificate, key: key.into() };
        let said = async |nodes: Nodes, address: &str, tls: Option<&EngineTls>| {
            let access = Access::Engine { address: address.to_owned(), tls: tls.cloned() };
            match nodes.connect(&access).await {
                Ok(node) => format!("{:?}", node.facts().await.unwrap_err()),
                Err(error) => format!("refused: {error:?}"),
            }
        };
        for socket in ["unix:///run/docker.sock", "unix:///nonexistent/../nonexistent/engine.sock", "unix://"] {
            let reason = said(nodes(&[]), socket, None).await;
            assert!(reason.starts_with("refused") && reason.contains("operator"), "{socket}: {reason}");
        }
        let allowed = said(nodes(&[]), "unix:///nonexistent/engine.sock", None).await;
        assert!(allowed.contains("No such file"), "{allowed}");
        let bare = said(nodes(&[]), "tcp://engine.example:2376", None).await;
        assert!(bare.starts_with("refused") && bare.contains("certificates"), "{bare}");
        // Nobody listens there, and nobody else is given it: that it was tried is all there is to see.
        let reserved = tokio::net::TcpSocket::new_v4().unwrap();
        reserved.bind(([127, 0, 0, 1], 0).into()).unwrap();
        let host = reserved.local_addr().unwrap().to_string();
        let private = said(nodes(&[]), &format!("https://{host}"), Some(&tls)).await;
        assert!(private.contains("private addresses"), "{private}");
        for trusted in [host.as_str(), "127.0.0.1"] {
            let tried = said(nodes(&[trusted]), &format!("tcp://{host}/"), Some(&tls)).await;
            assert!(!tried.contains("private addresses") && tried.contains("efused"), "{tried}");
        }
        let masked = said(nodes(&["trusted"]), &format!("https://trusted:@{host}"), Some(&tls)).await;
        assert!(masked.starts_with("refused"), "{masked}");
    }
}
