//! Where an engine is, and how one comes there.

use std::path::PathBuf;

use openssl::pkey::PKey;
use openssl::ssl::{SslConnector, SslMethod, SslVerifyMode, SslVersion};
use openssl::x509::X509;
use openssl::x509::store::X509StoreBuilder;
use slipway_core::config::SecretText;
use slipway_engine::EngineError;
use url::{Host, Url};

/// The port of an address that names none. Source: Docker documentation, "Protect the Docker daemon socket".
const PORT: u16 = 2376;

/// Where an engine is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DockerEndpoint {
    /// A socket of this machine. Whoever may name one has the machine.
    Unix(PathBuf),
    /// An address, over TLS with certificates on both sides.
    Tls {
        /// `https://HOST[:PORT]`; `tcp://` is the same. The port is 2376 unless given.
        address: String,
        /// The certificates that its own is checked with, as PEM; the system's when absent.
        authorities: Option<String>,
        /// Our certificate, and those between it and its authority, as PEM.
        certificate: String,
        /// Its key, as PEM, without a passphrase.
        key: SecretText,
    },
}

/// An endpoint that was read.
#[derive(Clone)]
pub(crate) enum Way {
    Unix(PathBuf),
    Tls { host: String, port: u16, connector: SslConnector },
}

impl DockerEndpoint {
    /// Reads what is in it. Nothing is connected to.
    ///
    /// # Errors
    /// [`EngineError::Rejected`] for an address, a certificate or a key that is none.
    pub(crate) fn way(&self) -> Result<Way, EngineError> {
        match self {
            Self::Unix(path) if path.is_absolute() => Ok(Way::Unix(path.clone())),
            Self::Unix(_) => Err(EngineError::Rejected("the path of the engine's socket must begin with /".to_owned())),
            Self::Tls { address, authorities, certificate, key } => {
                let (host, port) = address_read(address)?;
                let connector = connector(authorities.as_deref(), certificate, key)
                    .map_err(|part| EngineError::Rejected(format!("the engine's {part} cannot be read as PEM")))?;
                Ok(Way::Tls { host, port, connector })
            }
        }
    }
}

impl Way {
    /// As people know it.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Unix(path) => format!("unix://{}", path.display()),
            Self::Tls { host, port, .. } if host.contains(':') => format!("https://[{host}]:{port}"),
            Self::Tls { host, port, .. } => format!("https://{host}:{port}"),
        }
    }
}

fn address_read(address: &str) -> Result<(String, u16), EngineError> {
    let wrong = |reason: &str| EngineError::Rejected(format!("the address of the engine {reason}"));
    let rest = address.trim();
    let rest = rest.strip_prefix("tcp://").or_else(|| rest.strip_prefix("https://"));
    let rest = rest.ok_or_else(|| wrong("must begin with https:// (or tcp://, which means the same)"))?;
    // Under another scheme no port is taken for the usual one and dropped.
    let url = Url::parse(&format!("docker://{rest}")).map_err(|_| wrong("is not one"))?;
    let is_plain = url.username().is_empty()
        && url.password().is_none()
        && matches!(url.path(), "" | "/")
        && url.query().is_none()
        && url.fragment().is_none();
    if !is_plain {
        return Err(wrong("must be a host and a port alone"));
    }
    let host = match url.host().ok_or_else(|| wrong("has no host"))? {
        // Other schemes' hosts are taken as they are: read it as one of the web.
        Host::Domain(name) => match Host::parse(name).map_err(|_| wrong("has no right host"))? {
            Host::Domain(name) => name,
            Host::Ipv4(address) => address.to_string(),
            Host::Ipv6(address) => address.to_string(),
        },
        Host::Ipv4(address) => address.to_string(),
        Host::Ipv6(address) => address.to_string(),
    };
    Ok((host, url.port().unwrap_or(PORT)))
}

/// A connector with our certificate; the part that is wrong if there is one.
fn connector(authorities: Option<&str>, certificate: &str, key: &SecretText) -> Result<SslConnector, &'static str> {
    let mut builder = SslConnector::builder(SslMethod::tls_client()).map_err(|_| "TLS")?;
    builder.set_verify(SslVerifyMode::PEER);
    builder.set_min_proto_version(Some(SslVersion::TLS1_2)).map_err(|_| "TLS")?;
    if let Some(pem) = authorities {
        let wrong = "authorities";
        let all = X509::stack_from_pem(pem.as_bytes()).ok().filter(|all| !all.is_empty()).ok_or(wrong)?;
        // Those alone: an engine of one's own has an authority of one's own.
        let mut store = X509StoreBuilder::new().map_err(|_| wrong)?;
        for authority in all {
            store.add_cert(authority).map_err(|_| wrong)?;
        }
        builder.set_cert_store(store.build());
    }
    let mut chain = X509::stack_from_pem(certificate.as_bytes()).map_err(|_| "certificate")?.into_iter();
    let own = chain.next().ok_or("certificate")?;
    builder.set_certificate(&own).map_err(|_| "certificate")?;
    for one in chain {
        builder.add_extra_chain_cert(one).map_err(|_| "certificate")?;
    }
    // Without the callback a key with a passphrase would ask for it on the terminal. The library wants the key itself.
    let key = PKey::private_key_from_pem_callback(key.expose().as_bytes(), |_| Ok(0)).map_err(|_| "key")?;
    builder.set_private_key(&key).map_err(|_| "key")?;
    builder.check_private_key().map_err(|_| "key")?;
    Ok(builder.build())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_a_host_and_a_port() {
        for (address, expect) in [
            ("https://docker.example", ("docker.example", 2376)),
            ("tcp://Docker.Example:443", ("docker.example", 443)),
            ("https://10.1.2.3:80/", ("10.1.2.3", 80)),
            ("https://[::1]:1", ("::1", 1)),
        ] {
            let (host, port) = address_read(address).unwrap();
            assert_eq!((host.as_str(), port), expect, "{address}");
        }
        for address in [
            "",
            "docker.example",
            "http://docker.example",
            "https://",
            "https://a b",
            "https://user@a",
            "https://a/path",
            "https://a?x",
            "https://a:99999",
            "unix:///run/docker.sock",
        ] {
            assert!(matches!(address_read(address), Err(EngineError::Rejected(_))), "{address}");
        }
    }

    #[test]
    fn what_is_no_certificate_is_named_and_not_shown() {
        let endpoint = DockerEndpoint::Tls {
            address: "https://a.example".to_owned(),
            authorities: None,
            certificate: "nonsense".to_owned(),
            key: SecretText::new("geheim"),
        };
        let Err(EngineError::Rejected(text)) = endpoint.way().map(drop) else { panic!("it was taken") };
        assert!(text.contains("certificate") && !text.contains("nonsense"), "{text}");
        assert!(!format!("{endpoint:?}").contains("geheim"));
        assert!(DockerEndpoint::Unix("run/docker.sock".into()).way().is_err());
    }
}
