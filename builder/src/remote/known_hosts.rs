//! Which keys the hosts of repositories have.
//!
//! A host that is met for the first time is believed, and its key is written down; from then on it must have that key.
//! The file is the builder's own. An operator who does not want to believe anybody writes it beforehand, or corrects it
//! when a host has a new key.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use russh::keys::{HashAlg, PublicKey};

/// The file. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct KnownHosts(Arc<Mutex<PathBuf>>);

impl KnownHosts {
    /// At `path`, which need not be there. A line is `HOST:PORT TYPE KEY`, as `ssh-keyscan` prints after the host's name.
    pub(crate) fn new(path: PathBuf) -> Self {
        Self(Arc::new(Mutex::new(path)))
    }

    /// Whether `host` may have this key; a host that is not known has it from now on.
    ///
    /// # Errors
    /// The reason, for the user.
    pub(super) fn check(&self, host: &str, key: &PublicKey) -> Result<(), String> {
        let path = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let own = |error: &dyn std::fmt::Display| {
            tracing::warn!(path = %path.display(), "keys of hosts cannot be kept: {error}");
            "the builder cannot read or write the keys that it knows".to_owned()
        };
        let text = match fs::read_to_string(&*path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(own(&error)),
        };
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let known: Vec<&str> = lines
            .filter_map(|line| line.split_once(' ').filter(|(name, _)| *name == host).map(|(_, key)| key))
            .collect();
        let is_key =
            |known: &&str| PublicKey::from_openssh(known).is_ok_and(|known| known.key_data() == key.key_data());
        if known.iter().any(is_key) {
            return Ok(());
        }
        if !known.is_empty() {
            let shown = key.fingerprint(HashAlg::Sha256);
            return Err(format!("it has another key than before, {shown}; an operator can correct known_hosts"));
        }
        let shown = PublicKey::new(key.key_data().clone(), "").to_openssh().map_err(|error| own(&error))?;
        let opened = OpenOptions::new().append(true).create(true).mode(0o600).open(&*path);
        let mut file = opened.map_err(|error| own(&error))?;
        let start = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
        file.write_all(format!("{start}{host} {}\n", shown.trim()).as_bytes()).map_err(|error| own(&error))?;
        tracing::info!(host, key = %key.fingerprint(HashAlg::Sha256), "a host of repositories is known from now on");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use russh::keys::PrivateKey;
    use russh::keys::ssh_key::private::Ed25519Keypair;

    use super::*;

    fn key(seed: u8) -> PublicKey {
        PrivateKey::from(Ed25519Keypair::from_seed(&[seed; 32])).public_key().clone()
    }

    #[test]
    fn a_host_keeps_its_key() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("known_hosts");
        let known = KnownHosts::new(path.clone());
        known.check("git.example:22", &key(1)).unwrap();
        known.check("git.example:22", &key(1)).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 1);
        assert!(known.check("git.example:22", &key(2)).unwrap_err().contains("another key"));
        known.check("git.example:2222", &key(2)).unwrap();
        // What an operator writes counts, with remarks of any kind.
        fs::write(&path, format!("# ours\n\ngit.example:22 {} ada@host", key(2).to_openssh().unwrap())).unwrap();
        known.check("git.example:22", &key(2)).unwrap();
        assert!(known.check("git.example:22", &key(1)).is_err());
        known.check("other.example:22", &key(3)).unwrap();
        assert!(fs::read_to_string(&path).unwrap().lines().count() == 4);
    }
}
