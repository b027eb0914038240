//! Certificate authorities that builds trust besides those that everybody trusts.
//!
//! A company's proxy, package index or registry often has a certificate of the company's own authority.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::Path;

use openssl::x509::X509;

/// Most bytes of them: they go with every build, in a Secret that may have a megabyte.
const BYTES_MAX: usize = 256 * 1024;
/// What the system trusts, where Debian keeps it.
const SYSTEM: &str = "/etc/ssl/certs/ca-certificates.crt";
/// Variables that name a file with everything that is trusted: OpenSSL and Go, curl, git, pip, Python's requests, Node.js.
const VARIABLES: &[&str] =
    &["SSL_CERT_FILE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO", "PIP_CERT", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"];

/// One or more certificates, as PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorities(Vec<String>);

impl Authorities {
    /// Reads `text`, PEM.
    ///
    /// # Errors
    /// When it holds no certificate, something else, or too much.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > BYTES_MAX {
            return Err(format!("at most {BYTES_MAX} bytes of certificates are wanted"));
        }
        // What is passed on is only what was understood: a key that was put there by mistake goes no further.
        let certificates = X509::stack_from_pem(text.as_bytes()).map_err(|_| "this is no certificate in PEM")?;
        if certificates.is_empty() {
            return Err("there is no certificate in it".to_owned());
        }
        let pem = |certificate: &X509| {
            let pem = certificate.to_pem().map_err(|error| error.to_string())?;
            String::from_utf8(pem).map_err(|error| error.to_string())
        };
        certificates.iter().map(pem).collect::<Result<_, _>>().map(Self)
    }

    /// Each certificate, as PEM.
    pub fn each(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// All certificates, as PEM.
    #[must_use]
    pub fn pem(&self) -> String {
        self.0.concat()
    }

    /// Writes to `path` all that is trusted, the system's authorities and these, and gives the variables by which tools
    /// find it.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn install(&self, path: &Path) -> io::Result<Vec<(OsString, OsString)>> {
        self.install_besides(Path::new(SYSTEM), path)
    }

    fn install_besides(&self, system: &Path, path: &Path) -> io::Result<Vec<(OsString, OsString)>> {
        let mut all = match fs::read_to_string(system) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error),
        };
        if !all.is_empty() && !all.ends_with('\n') {
            all.push('\n');
        }
        all.push_str(&self.pem());
        fs::write(path, all)?;
        Ok(VARIABLES.iter().map(|name| (name.into(), path.into())).collect())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use openssl::asn1::Asn1Time;
    use openssl::ec::{EcGroup, EcKey};
    use openssl::hash::MessageDigest;
    use openssl::nid::Nid;
    use openssl::pkey::PKey;
    use openssl::x509::{X509Builder, X509NameBuilder};

    use super::*;

    /// A certificate and its key, both PEM.
    pub(crate) fn certificate(name: &str) -> (String, String) {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
        let key = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
        let mut subject = X509NameBuilder::new().unwrap();
        subject.append_entry_by_text("CN", name).unwrap();
        let subject = subject.build();
        let mut made = X509Builder::new().unwrap();
        made.set_version(2).unwrap();
        made.set_subject_name(&subject).unwrap();
        made.set_issuer_name(&subject).unwrap();
        made.set_pubkey(&key).unwrap();
        made.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
        made.set_not_after(&Asn1Time::days_from_now(1).unwrap()).unwrap();
        made.sign(&key, MessageDigest::sha256()).unwrap();
        let text = |pem: Vec<u8>| String::from_utf8(pem).unwrap();
        (text(made.build().to_pem().unwrap()), text(key.private_key_to_pem_pkcs8().unwrap()))
    }

    #[test]
    fn certificates_are_taken_and_nothing_else() {
        let (one, key) = certificate("one");
        let (two, _) = certificate("two");
        let both = Authorities::parse(&format!("# Ours\n{one}\n{two}")).unwrap();
        assert_eq!(both.pem(), format!("{one}{two}"));
        assert!(!Authorities::parse(&format!("{one}{key}")).is_ok_and(|read| read.pem().contains("PRIVATE KEY")));
        let large = "#".repeat(BYTES_MAX + 1);
        for (text, expect) in
            [("", "no certificate"), ("hello", "no certificate"), (&*key, "no cert"), (&large, "at most")]
        {
            let error = Authorities::parse(text).unwrap_err();
            assert!(error.contains(expect), "{error}");
        }
        let cut = &one[..one.len() / 2];
        assert!(Authorities::parse(cut).is_err());
    }

    #[test]
    fn they_are_added_to_the_systems() {
        let dir = tempfile::tempdir().unwrap();
        let (system, all) = (dir.path().join("system"), dir.path().join("all"));
        let ours = Authorities::parse(&certificate("ours").0).unwrap();
        ours.install_besides(&system, &all).unwrap();
        assert_eq!(fs::read_to_string(&all).unwrap(), ours.pem());
        let theirs = certificate("theirs").0;
        fs::write(&system, theirs.trim_end()).unwrap();
        let variables = ours.install_besides(&system, &all).unwrap();
        assert_eq!(X509::stack_from_pem(&fs::read(&all).unwrap()).unwrap().len(), 2);
        assert!(variables.contains(&("PIP_CERT".into(), all.into())));
    }
}
