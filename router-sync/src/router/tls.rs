//! Certificates by the name that a client asks for (SNI).

use std::collections::HashMap;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use openssl::asn1::Asn1Time;
use openssl::bn::{BigNum, MsbOption};
use openssl::ec::{EcGroup, EcKey};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::sha::Sha256;
use openssl::ssl::{AlpnError, NameType, SniError, Ssl, SslAcceptor, SslContext, SslMethod, SslRef, select_next_proto};
use openssl::x509::extension::{BasicConstraints, ExtendedKeyUsage, SubjectAlternativeName};
use openssl::x509::{X509, X509NameBuilder};
use slipway_engine::route::{ANY_HOST, Certificate, RouteTable};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_openssl::SslStream;

/// Protocols in order of preference, as ALPN writes them.
const ALPN: &[u8] = b"\x02h2\x08http/1.1";

/// OpenSSL's security level for certificates that the system's own level refuses: RSA of 1024 bits, SHA-1.
const WEAK_LEVEL: u32 = 1;

/// How long the self-made certificate is valid.
const SELF_SIGNED_DAYS: u32 = 825;

type Digest = [u8; 32];

/// The contexts of all certificates, and the one for clients that no certificate fits.
pub(super) struct TlsStore {
    fallback: SslContext,
    by_host: Arc<RwLock<HashMap<String, SslContext>>>,
    cache: Mutex<Cache>,
}

/// What was taken over last.
#[derive(Default)]
struct Cache {
    certificates: Arc<[Arc<Certificate>]>,
    /// Parsed before, by content.
    by_digest: HashMap<Digest, SslContext>,
}

impl TlsStore {
    /// A store without certificates, but for one made here for `domain` and its subdomains.
    pub(super) fn new(domain: &str) -> Result<Self, ErrorStack> {
        let by_host: Arc<RwLock<HashMap<String, SslContext>>> = Arc::default();
        let (leaf, key) = self_signed(domain)?;
        let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server())?;
        acceptor.set_certificate(&leaf)?;
        acceptor.set_private_key(&key)?;
        acceptor.set_alpn_select_callback(select_protocol);
        let hosts = Arc::clone(&by_host);
        acceptor.set_servername_callback(move |ssl, _alert| select_certificate(ssl, &hosts));
        Ok(Self { fallback: acceptor.build().into_context(), by_host, cache: Mutex::default() })
    }

    /// Takes over the certificates of `table`. One that cannot be read is left out, with a line in the log; connections
    /// that stand are not touched.
    pub(super) fn update(&self, table: &RouteTable) {
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if Arc::ptr_eq(&cache.certificates, &table.certificates) {
            return;
        }
        let mut used = HashMap::new();
        let mut by_host = HashMap::new();
        for certificate in table.certificates.iter() {
            let digest = digest(certificate);
            let known = used.get(&digest).or_else(|| cache.by_digest.get(&digest)).cloned();
            let context = match known.map_or_else(|| context(certificate), Ok) {
                Ok(context) => context,
                Err(error) => {
                    tracing::warn!(hosts = ?certificate.hosts, %error, "a certificate cannot be used");
                    continue;
                }
            };
            for host in &certificate.hosts {
                by_host.entry(host.to_ascii_lowercase()).or_insert_with(|| context.clone());
            }
            used.insert(digest, context);
        }
        *cache = Cache { certificates: Arc::clone(&table.certificates), by_digest: used };
        *self.by_host.write().unwrap_or_else(PoisonError::into_inner) = by_host;
    }

    /// Does the handshake. The second value is whether the client speaks HTTP/2.
    pub(super) async fn accept<S>(&self, stream: S) -> io::Result<(SslStream<S>, bool)>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let ssl = Ssl::new(&self.fallback).map_err(io::Error::other)?;
        let mut stream = SslStream::new(ssl, stream).map_err(io::Error::other)?;
        Pin::new(&mut stream).accept().await.map_err(io::Error::other)?;
        let is_http2 = stream.ssl().selected_alpn_protocol() == Some(b"h2");
        Ok((stream, is_http2))
    }
}

impl std::fmt::Debug for TlsStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsStore").finish_non_exhaustive()
    }
}

fn select_protocol<'a>(_ssl: &mut SslRef, offered: &'a [u8]) -> Result<&'a [u8], AlpnError> {
    select_next_proto(ALPN, offered).ok_or(AlpnError::NOACK)
}

fn select_certificate(ssl: &mut SslRef, by_host: &RwLock<HashMap<String, SslContext>>) -> Result<(), SniError> {
    let name = ssl.servername(NameType::HOST_NAME).unwrap_or_default();
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    let context = {
        let by_host = by_host.read().unwrap_or_else(PoisonError::into_inner);
        let wildcard = || by_host.get(&format!("*.{}", name.split_once('.')?.1));
        by_host.get(&name).or_else(wildcard).or_else(|| by_host.get(ANY_HOST)).cloned()
    };
    match context {
        Some(context) => ssl.set_ssl_context(&context).map_err(|_| SniError::ALERT_FATAL),
        None => Ok(()),
    }
}

fn digest(certificate: &Certificate) -> Digest {
    let mut hash = Sha256::new();
    // The length keeps the boundary between the two.
    hash.update(&certificate.chain_pem.len().to_be_bytes());
    hash.update(certificate.chain_pem.as_bytes());
    // Only its hash stays.
    hash.update(certificate.key_pem.expose().as_bytes());
    hash.finish()
}

#[derive(Debug, thiserror::Error)]
enum CertificateError {
    #[error("the chain holds no certificate")]
    Empty,
    #[error("{0}")]
    OpenSsl(#[from] ErrorStack),
}

/// The context of a certificate. One that is too weak for the system's level of security is served nevertheless, to
/// those clients that take it: its owner was warned, and the choice is the owner's.
fn context(certificate: &Certificate) -> Result<SslContext, CertificateError> {
    context_at(certificate, None).or_else(|_| context_at(certificate, Some(WEAK_LEVEL)))
}

fn context_at(certificate: &Certificate, level: Option<u32>) -> Result<SslContext, CertificateError> {
    let mut chain = X509::stack_from_pem(certificate.chain_pem.as_bytes())?.into_iter();
    let leaf = chain.next().ok_or(CertificateError::Empty)?;
    // Handed to OpenSSL, nowhere else.
    let key = PKey::private_key_from_pem(certificate.key_pem.expose().as_bytes())?;
    let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server())?;
    if let Some(level) = level {
        acceptor.set_security_level(level);
    }
    acceptor.set_certificate(&leaf)?;
    for issuer in chain {
        acceptor.add_extra_chain_cert(issuer)?;
    }
    acceptor.set_private_key(&key)?;
    acceptor.check_private_key()?;
    // OpenSSL asks the context that the name chose.
    acceptor.set_alpn_select_callback(select_protocol);
    Ok(acceptor.build().into_context())
}

fn self_signed(domain: &str) -> Result<(X509, PKey<Private>), ErrorStack> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
    let key = PKey::from_ec_key(EcKey::generate(&group)?)?;
    let mut name = X509NameBuilder::new()?;
    // A common name has at most 64 characters; clients read the alternative names anyway.
    name.append_entry_by_nid(Nid::COMMONNAME, "Slipway self-signed")?;
    let name = name.build();
    let mut serial = BigNum::new()?;
    serial.rand(120, MsbOption::MAYBE_ZERO, false)?;
    let mut builder = X509::builder()?;
    builder.set_version(2)?;
    let serial = serial.to_asn1_integer()?;
    builder.set_serial_number(&serial)?;
    builder.set_subject_name(&name)?;
    builder.set_issuer_name(&name)?;
    builder.set_pubkey(&key)?;
    let not_before = Asn1Time::days_from_now(0)?;
    let not_after = Asn1Time::days_from_now(SELF_SIGNED_DAYS)?;
    builder.set_not_before(&not_before)?;
    builder.set_not_after(&not_after)?;
    let names = SubjectAlternativeName::new()
        .dns(domain)
        .dns(&format!("*.{domain}"))
        .build(&builder.x509v3_context(None, None))?;
    builder.append_extension(names)?;
    builder.append_extension(BasicConstraints::new().critical().build()?)?;
    builder.append_extension(ExtendedKeyUsage::new().server_auth().build()?)?;
    builder.sign(&key, MessageDigest::sha256())?;
    Ok((builder.build(), key))
}
