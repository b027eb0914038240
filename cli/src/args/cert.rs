//! `certs`.

use std::path::PathBuf;

use clap::Subcommand;

use super::Limit;

/// Commands about certificates.
#[derive(Debug, Subcommand)]
pub enum CertCommand {
    /// List your certificates
    List(#[command(flatten)] Limit),
    /// Add a certificate with its key
    Add {
        /// What to call it: a-z, 0-9 and hyphens
        name: String,
        /// The file of the certificate, PEM; the issuers' behind it
        certificate: PathBuf,
        /// The file of the private key, PEM, without a passphrase
        key: PathBuf,
    },
    /// Look at a certificate
    Info {
        /// Its name
        name: String,
    },
    /// Remove a certificate, from its domains too
    Remove {
        /// Its name
        name: String,
    },
    /// Serve a certificate for a domain
    Attach {
        /// The certificate's name
        name: String,
        /// The domain; an app's own is its name
        domain: String,
    },
    /// Stop to serve a certificate for a domain
    Detach {
        /// The certificate's name
        name: String,
        /// The domain
        domain: String,
    },
}
