//! The server's own key.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use openssl::pkey::{Id, PKey};
use russh::keys::PrivateKey;
use russh::keys::ssh_key::LineEnding;
use russh::keys::ssh_key::private::Ed25519Keypair;

/// Reads the key at `path`; makes an Ed25519 key there if there is none.
///
/// # Errors
/// Those of the file system, and a file that holds no key.
pub fn load_or_create(path: &Path) -> io::Result<PrivateKey> {
    match load(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => create(path),
        loaded => loaded,
    }
}

/// Reads the key at `path`: OpenSSH's own format, or an Ed25519 key as PKCS #8 PEM, which is what tools that know
/// nothing of SSH make (Helm's `genPrivateKey` is one).
///
/// # Errors
/// Those of the file system, and a file that holds no key.
pub fn load(path: &Path) -> io::Result<PrivateKey> {
    let text = fs::read(path)?;
    parse(&text).map_err(|error| io::Error::other(format!("{} holds no private key: {error}", path.display())))
}

/// Reads a key from its text, as [`load`] does.
///
/// # Errors
/// Why it holds no key.
pub fn parse(text: &[u8]) -> Result<PrivateKey, String> {
    let no_key = |error: &dyn std::fmt::Display| error.to_string();
    if text.starts_with(b"-----BEGIN PRIVATE KEY-----") {
        let key = PKey::private_key_from_pem(text).map_err(|error| no_key(&error))?;
        let seed = key.raw_private_key().map_err(|_| no_key(&"not an Ed25519 key"))?;
        let seed: &[u8; 32] = seed.as_slice().try_into().map_err(|_| no_key(&"not an Ed25519 key"))?;
        if key.id() != Id::ED25519 {
            return Err(no_key(&"not an Ed25519 key"));
        }
        return Ok(PrivateKey::from(Ed25519Keypair::from_seed(seed)));
    }
    PrivateKey::from_openssh(text).map_err(|error| no_key(&error))
}

fn create(path: &Path) -> io::Result<PrivateKey> {
    let mut seed = [0; 32];
    openssl::rand::rand_priv_bytes(&mut seed).map_err(io::Error::other)?;
    let key = PrivateKey::from(Ed25519Keypair::from_seed(&seed));
    let text = key.to_openssh(LineEnding::LF).map_err(io::Error::other)?;
    let new = path.with_extension("new");
    let _ = fs::remove_file(&new);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_key_stays_the_same_and_private() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ssh_host_ed25519_key");
        let first = load_or_create(&path).unwrap();
        let second = load_or_create(&path).unwrap();
        assert_eq!(first.public_key(), second.public_key());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::write(&path, "rubbish").unwrap();
        assert!(load_or_create(&path).is_err());
    }

    #[test]
    fn keys_of_other_tools_are_read_and_a_missing_one_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key.pem");
        assert_eq!(load(&path).unwrap_err().kind(), io::ErrorKind::NotFound);
        let key = PKey::generate_ed25519().unwrap();
        fs::write(&path, key.private_key_to_pem_pkcs8().unwrap()).unwrap();
        let loaded = load(&path).unwrap();
        let public = loaded.public_key().key_data().ed25519().unwrap().0;
        assert_eq!(public.as_slice(), key.raw_public_key().unwrap());
        fs::write(&path, PKey::generate_x25519().unwrap().private_key_to_pem_pkcs8().unwrap()).unwrap();
        assert!(load(&path).unwrap_err().to_string().contains("not an Ed25519 key"));
    }
}
