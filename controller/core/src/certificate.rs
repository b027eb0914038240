//! Certificates that users bring for the domains of their apps.

use chrono::{DateTime, Utc};

use crate::config::SecretText;
use crate::{CertificateId, UserId, Username};

/// A certificate, without its key. Only its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// Its identity.
    pub id: CertificateId,
    /// Its number; what old clients take for its identity.
    pub number: i64,
    /// Whose certificate it is.
    pub owner: UserId,
    /// That user's name.
    pub owner_name: Username,
    /// The name its owner gave it; unique on the platform.
    pub name: String,
    /// What was read from it.
    pub facts: CertificateFacts,
    /// The domains it is served for, by name.
    pub domains: Vec<String>,
    /// When it was added.
    pub created: DateTime<Utc>,
    /// When it was last changed.
    pub updated: DateTime<Utc>,
}

/// What a certificate says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFacts {
    /// The subject's common name, if it has one.
    pub common_name: Option<String>,
    /// The alternative names: host names and addresses.
    pub san: Vec<String>,
    /// SHA-256, upper-case hex with colons.
    pub fingerprint: String,
    /// Who issued it, `/C=US/O=…/CN=…`.
    pub issuer: String,
    /// Whom it is for, in the same form.
    pub subject: String,
    /// When it becomes valid.
    pub starts: DateTime<Utc>,
    /// When it ends to be valid.
    pub expires: DateTime<Utc>,
}

/// A certificate with its key and the domains of one app that it is served for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttachedCertificate {
    /// The domains, as stored: full names, and the app's own name.
    pub domains: Vec<String>,
    /// The chain in PEM, leaf first.
    pub chain_pem: String,
    /// The private key in PEM.
    pub key_pem: SecretText,
}

impl CertificateFacts {
    /// Whether it is made out to `host`: by an alternative name, or without any by the common name (RFC 9525 §6 as
    /// browsers read it). `*.example.com` covers one label; a wildcard host is covered by the same wildcard only.
    #[must_use]
    pub fn covers(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        let names = if self.san.is_empty() { self.common_name.as_slice() } else { self.san.as_slice() };
        names.iter().any(|name| {
            let name = name.to_ascii_lowercase();
            name == host
                || name.strip_prefix("*.").is_some_and(|parent| {
                    host.split_once('.')
                        .is_some_and(|(first, rest)| rest == parent && !first.is_empty() && first != "*")
                })
        })
    }

    /// What makes clients refuse it for `host` at `now`, each a sentence for its owner; empty when nothing does.
    #[must_use]
    pub fn warnings(&self, host: &str, now: DateTime<Utc>) -> Vec<String> {
        let mut warnings = Vec::new();
        let time = |time: DateTime<Utc>| time.format("%Y-%m-%dT%H:%M:%SZ").to_string();
        if !self.covers(host) {
            let names =
                if self.san.is_empty() { self.common_name.clone().unwrap_or_default() } else { self.san.join(", ") };
            warnings.push(format!("does not cover {host} (it is for {names})"));
        }
        if self.expires < now {
            warnings.push(format!("expired at {}", time(self.expires)));
        } else if self.starts > now {
            warnings.push(format!("is not valid before {}", time(self.starts)));
        } else if self.expires < now + EXPIRES_SOON {
            warnings.push(format!("expires soon, at {}", time(self.expires)));
        }
        warnings
    }
}

/// How long before its end a certificate is warned of. What issues for 90 days renews 30 days before the end, so one
/// with less than two weeks left was forgotten.
const EXPIRES_SOON: chrono::TimeDelta = chrono::TimeDelta::days(14);

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(common_name: Option<&str>, san: &[&str]) -> CertificateFacts {
        CertificateFacts {
            common_name: common_name.map(str::to_owned),
            san: san.iter().map(|name| (*name).to_owned()).collect(),
            fingerprint: String::new(),
            issuer: String::new(),
            subject: String::new(),
            starts: "2026-01-01T00:00:00Z".parse().unwrap(),
            expires: "2026-12-31T00:00:00Z".parse().unwrap(),
        }
    }

    #[test]
    fn names_cover_hosts() {
        for (common_name, san, host, expect) in [
            (None, &["a.example.com"][..], "A.example.com", true),
            (None, &["a.example.com"], "b.example.com", false),
            (None, &["*.example.com"], "b.example.com", true),
            (None, &["*.Example.com"], "*.example.com", true),
            (None, &["*.example.com"], "a.b.example.com", false),
            (None, &["*.example.com"], "example.com", false),
            (None, &["a.example.com"], "*.example.com", false),
            (None, &["*.b.example.com"], "*.example.com", false),
            (Some("a.example.com"), &[], "a.example.com", true),
            (Some("a.example.com"), &["b.example.com"], "a.example.com", false),
            (None, &[], "a.example.com", false),
        ] {
            assert_eq!(facts(common_name, san).covers(host), expect, "{common_name:?} {san:?} {host}");
        }
    }

    #[test]
    fn owners_are_warned_of_what_clients_refuse() {
        let facts = facts(Some("a.example.com"), &["a.example.com"]);
        let warnings = |host: &str, now: &str| facts.warnings(host, now.parse().unwrap());
        assert_eq!(warnings("a.example.com", "2026-06-01T00:00:00Z"), [""; 0]);
        assert_eq!(
            warnings("b.example.com", "2027-01-01T00:00:00Z"),
            ["does not cover b.example.com (it is for a.example.com)", "expired at 2026-12-31T00:00:00Z"]
        );
        assert_eq!(warnings("a.example.com", "2025-12-31T23:59:59Z"), ["is not valid before 2026-01-01T00:00:00Z"]);
        assert_eq!(warnings("a.example.com", "2026-12-25T00:00:00Z"), ["expires soon, at 2026-12-31T00:00:00Z"]);
    }
}
