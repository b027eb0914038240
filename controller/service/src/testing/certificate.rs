//! Certificates for tests, signed by themselves.

use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{Id, PKey, Private};
use openssl::rsa::Rsa;
use openssl::x509::extension::SubjectAlternativeName;
use openssl::x509::{X509, X509NameBuilder};

/// A certificate with its key, both PEM.
#[derive(Debug, Clone)]
pub struct TestCertificate {
    /// The certificate.
    pub certificate: String,
    /// The key.
    pub key: String,
}

/// The kind of a test certificate's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TestKey {
    /// ECDSA on P-256.
    Ec,
    /// Ed25519.
    Ed25519,
    /// RSA of so many bits.
    Rsa(u32),
}

impl TestCertificate {
    /// A certificate with an EC key for these hosts, valid for a hundred days. The first host is the common name.
    ///
    /// # Errors
    /// OpenSSL's.
    pub fn new(hosts: &[&str]) -> Result<Self, ErrorStack> {
        Self::with(TestKey::Ec, hosts, 0, 100)
    }

    /// A certificate that is valid from one day to another, counted from today.
    ///
    /// # Errors
    /// OpenSSL's.
    pub fn with(key: TestKey, hosts: &[&str], from_day: i64, to_day: i64) -> Result<Self, ErrorStack> {
        let key = key.generate()?;
        let mut name = X509NameBuilder::new()?;
        if let Some(host) = hosts.first() {
            name.append_entry_by_nid(Nid::COMMONNAME, host)?;
        }
        let name = name.build();
        let mut builder = X509::builder()?;
        builder.set_version(2)?;
        builder.set_serial_number(BigNum::from_u32(1)?.to_asn1_integer()?.as_ref())?;
        builder.set_subject_name(&name)?;
        builder.set_issuer_name(&name)?;
        builder.set_pubkey(&key)?;
        let now = chrono::Utc::now().timestamp();
        let day = |day: i64| Asn1Time::from_unix(now + day * 24 * 60 * 60);
        builder.set_not_before(day(from_day)?.as_ref())?;
        builder.set_not_after(day(to_day)?.as_ref())?;
        if !hosts.is_empty() {
            let mut names = SubjectAlternativeName::new();
            for host in hosts {
                names.dns(host);
            }
            let names = names.build(&builder.x509v3_context(None, None))?;
            builder.append_extension(names)?;
        }
        let digest = if key.id() == Id::ED25519 { MessageDigest::null() } else { MessageDigest::sha256() };
        builder.sign(&key, digest)?;
        let text = |pem: Vec<u8>| String::from_utf8_lossy(&pem).into_owned();
        Ok(Self { certificate: text(builder.build().to_pem()?), key: text(key.private_key_to_pem_pkcs8()?) })
    }
}

impl TestKey {
    fn generate(self) -> Result<PKey<Private>, ErrorStack> {
        match self {
            Self::Ec => PKey::from_ec_key(EcKey::generate(EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?.as_ref())?),
            Self::Ed25519 => PKey::generate_ed25519(),
            Self::Rsa(bits) => PKey::from_rsa(Rsa::generate(bits)?),
        }
    }
}
