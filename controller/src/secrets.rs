//! The platform's own secrets: made on first use on one machine, given by the environment elsewhere.

use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use openssl::rand::rand_bytes;
use secrecy::SecretString;

/// Bytes of a secret that is made here; written as twice as many hexadecimal digits.
const KEY_BYTES: usize = 32;
/// Folder of the secrets within the data directory.
const FOLDER: &str = "secrets";

/// The platform's own secrets. Printing them shows nothing.
#[derive(Debug, Clone)]
pub struct Secrets {
    /// Users' tokens are derived with it; another one makes every token worthless.
    pub server_key: SecretString,
    /// Config values and credentials are sealed with it; without it they cannot be read again.
    pub sealing_key: SecretString,
    /// What the builder shows the controller, and nobody else has.
    pub builder_key: SecretString,
}

/// Why the secrets could not be read or made.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    /// The file system refused.
    #[error("cannot use the secret in {}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Others can read the file.
    #[error("{} can be read by others; run chmod 600 on it, and replace it if others may have read it", path.display())]
    Open {
        /// The file.
        path: PathBuf,
    },
    /// The file does not hold a secret.
    #[error("{} does not hold {} hexadecimal digits", path.display(), KEY_BYTES * 2)]
    Malformed {
        /// The file.
        path: PathBuf,
    },
    /// The system gave no random numbers.
    #[error("the system gave no random numbers")]
    Random {
        /// Why.
        source: openssl::error::ErrorStack,
    },
}

impl Secrets {
    /// Reads the secrets of a data directory, and makes those that are missing.
    ///
    /// Of two processes that do so at once one wins, and both end up with the same secrets.
    ///
    /// # Errors
    /// [`SecretsError`].
    pub fn load_or_create(data_dir: &Path) -> Result<Self, SecretsError> {
        let folder = data_dir.join(FOLDER);
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&folder)
            .map_err(|source| SecretsError::Io { path: folder.clone(), source })?;
        Ok(Self {
            server_key: key(&folder.join("server.key"))?,
            sealing_key: key(&folder.join("sealing.key"))?,
            builder_key: key(&folder.join("builder.key"))?,
        })
    }
}

fn key(path: &Path) -> Result<SecretString, SecretsError> {
    if let Some(key) = read(path)? {
        return Ok(key);
    }
    create(path)?;
    read(path)?.ok_or_else(|| SecretsError::Io { path: path.to_owned(), source: ErrorKind::NotFound.into() })
}

fn read(path: &Path) -> Result<Option<SecretString>, SecretsError> {
    let fail = |source| SecretsError::Io { path: path.to_owned(), source };
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(fail(source)),
    };
    let metadata = fs::metadata(path).map_err(fail)?;
    if metadata.mode() & 0o077 != 0 {
        return Err(SecretsError::Open { path: path.to_owned() });
    }
    let text = text.trim();
    if text.len() != KEY_BYTES * 2 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(SecretsError::Malformed { path: path.to_owned() });
    }
    Ok(Some(SecretString::from(text)))
}

/// Writes a new secret beside `path` and links it there, so that nobody ever sees half of one.
fn create(path: &Path) -> Result<(), SecretsError> {
    let fail = |source| SecretsError::Io { path: path.to_owned(), source };
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let draft = PathBuf::from(name);
    let written = write(&draft).and_then(|()| match fs::hard_link(&draft, path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        other => other.map_err(fail),
    });
    fs::remove_file(&draft).map_err(fail)?;
    written
}

fn write(draft: &Path) -> Result<(), SecretsError> {
    let fail = |source| SecretsError::Io { path: draft.to_owned(), source };
    let mut bytes = [0_u8; KEY_BYTES];
    rand_bytes(&mut bytes).map_err(|source| SecretsError::Random { source })?;
    let digits = |byte: u8| [byte >> 4, byte & 0xf].map(|half| char::from_digit(u32::from(half), 16).unwrap_or('0'));
    let mut text: String = bytes.into_iter().flat_map(digits).collect();
    text.push('\n');
    // What a killed process left behind under this process id is of no use to anybody.
    let mut file =
        fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(draft).map_err(fail)?;
    file.set_permissions(fs::Permissions::from_mode(0o600)).map_err(fail)?;
    file.write_all(text.as_bytes()).map_err(fail)?;
    file.sync_all().map_err(fail)
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn secrets_are_made_once_and_kept() {
        let dir = tempfile::tempdir().unwrap();
        let first = Secrets::load_or_create(dir.path()).unwrap();
        let second = Secrets::load_or_create(dir.path()).unwrap();
        assert_eq!(first.server_key.expose_secret(), second.server_key.expose_secret());
        assert_eq!(first.sealing_key.expose_secret(), second.sealing_key.expose_secret());
        assert_eq!(first.builder_key.expose_secret(), second.builder_key.expose_secret());
        assert_ne!(first.server_key.expose_secret(), first.sealing_key.expose_secret());
        let files: Vec<_> = fs::read_dir(dir.path().join(FOLDER)).unwrap().map(|entry| entry.unwrap()).collect();
        assert_eq!(files.len(), 3, "drafts are removed");
        for file in files {
            assert_eq!(file.metadata().unwrap().mode() & 0o777, 0o600);
        }
        assert_eq!(fs::metadata(dir.path().join(FOLDER)).unwrap().mode() & 0o777, 0o700);
    }

    #[test]
    fn all_who_start_at_once_get_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.key");
        create(&path).unwrap();
        let before = fs::read_to_string(&path).unwrap();
        create(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), before);
    }

    #[test]
    fn open_and_broken_files_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        Secrets::load_or_create(dir.path()).unwrap();
        let path = dir.path().join(FOLDER).join("server.key");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(Secrets::load_or_create(dir.path()), Err(SecretsError::Open { .. })));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, "short").unwrap();
        assert!(matches!(Secrets::load_or_create(dir.path()), Err(SecretsError::Malformed { .. })));
    }

    #[test]
    fn printing_shows_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let secrets = Secrets::load_or_create(dir.path()).unwrap();
        assert!(!format!("{secrets:?}").contains(secrets.builder_key.expose_secret()));
    }
}
