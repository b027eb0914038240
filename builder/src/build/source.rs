//! The checkout that is being built, read with care: every name in it was chosen by whoever pushed it.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::BuildError;

/// Largest file of the repository that the platform itself reads (manifests, lock files), in bytes.
pub const READ_MAX: u64 = 16 * 1024 * 1024;

/// The root directory of the app's source.
///
/// Nothing here follows a symbolic link of the repository: a link is treated as absent.
#[derive(Debug, Clone)]
pub struct Source {
    dir: PathBuf,
}

impl Source {
    /// Wraps the checkout at `dir`.
    #[must_use]
    pub fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// The root directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Whether `name` is a regular file, reached through real directories only.
    #[must_use]
    pub fn has_file(&self, name: &str) -> bool {
        self.plain_parents(name) && fs::symlink_metadata(self.dir.join(name)).is_ok_and(|meta| meta.is_file())
    }

    /// Whether `name` is a directory, reached through real directories only.
    #[must_use]
    pub fn has_dir(&self, name: &str) -> bool {
        self.plain_parents(name) && fs::symlink_metadata(self.dir.join(name)).is_ok_and(|meta| meta.is_dir())
    }

    fn plain_parents(&self, name: &str) -> bool {
        let mut at = self.dir.clone();
        let Some(parent) = Path::new(name).parent() else { return false };
        parent.components().all(|part| {
            at.push(part);
            matches!(part, std::path::Component::Normal(_)) && fs::symlink_metadata(&at).is_ok_and(|meta| meta.is_dir())
        })
    }

    /// The bytes of file `name`; `None` when it is no regular file.
    ///
    /// # Errors
    /// [`BuildError::Failed`] naming the file when it is larger than [`READ_MAX`] or cannot be read.
    pub fn bytes(&self, name: &str) -> Result<Option<Vec<u8>>, BuildError> {
        if !self.has_file(name) {
            return Ok(None);
        }
        let read = || -> io::Result<Vec<u8>> {
            let mut content = Vec::new();
            fs::File::open(self.dir.join(name))?.take(READ_MAX + 1).read_to_end(&mut content)?;
            Ok(content)
        };
        let content = read().map_err(|error| BuildError::Failed(format!("{name} cannot be read: {error}")))?;
        if content.len() as u64 > READ_MAX {
            return Err(BuildError::Failed(format!("{name} is larger than {} MiB", READ_MAX >> 20)));
        }
        Ok(Some(content))
    }

    /// The text of file `name`, as [`Source::bytes`].
    ///
    /// # Errors
    /// As [`Source::bytes`], and [`BuildError::Failed`] when the file is not UTF-8.
    pub fn text(&self, name: &str) -> Result<Option<String>, BuildError> {
        let Some(content) = self.bytes(name)? else { return Ok(None) };
        String::from_utf8(content).map(Some).map_err(|_| BuildError::Failed(format!("{name} is not UTF-8 text")))
    }

    /// Makes sure that directory `name` is a real one inside the checkout, so that what is written there stays there.
    ///
    /// # Errors
    /// [`BuildError::Failed`] when the repository has a link or a file in the way.
    pub fn own_dir(&self, name: &str) -> Result<PathBuf, BuildError> {
        let mut at = self.dir.clone();
        for part in Path::new(name).components() {
            at.push(part);
            match fs::symlink_metadata(&at) {
                Ok(meta) if meta.is_dir() => {}
                Ok(_) => {
                    return Err(BuildError::Failed(format!(
                        "the build writes to the directory {name}, but the repository has a file or link of that name; remove it"
                    )));
                }
                Err(_) => {
                    fs::create_dir(&at).map_err(|error| BuildError::Internal(format!("creating {name}: {error}")))?;
                }
            }
        }
        Ok(at)
    }

    /// Removes `name`, whatever it is, without following links: below a link there is nothing to remove.
    ///
    /// # Errors
    /// [`BuildError::Internal`] when the file system refuses.
    pub fn remove(&self, name: &str) -> Result<(), BuildError> {
        if !self.plain_parents(name) {
            return Ok(());
        }
        super::tree::remove(&self.dir.join(name))
            .map_err(|error| BuildError::Internal(format!("removing {name}: {error}")))
    }

    /// Names of the plain entries of directory `name` (`""` for the root) that `keep` accepts, sorted.
    #[must_use]
    pub fn list(&self, name: &str, keep: impl Fn(&str) -> bool) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.dir.join(name))
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| entry.file_name().into_string().ok())
            .filter(|entry| keep(entry))
            .collect();
        names.sort();
        names
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_are_not_followed() {
        let root = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("secret"), "x").unwrap();
        symlink(outside.path().join("secret"), root.path().join("package.json")).unwrap();
        symlink(outside.path(), root.path().join("bin")).unwrap();
        let source = Source::new(root.path().to_owned());
        assert!(!source.has_file("package.json"));
        assert!(!source.has_file("bin/secret"));
        assert!(!source.has_file("../x"));
        assert_eq!(source.bytes("package.json").unwrap(), None);
        assert!(matches!(source.own_dir("bin"), Err(BuildError::Failed(_))));
        assert!(matches!(source.own_dir("bin/deep"), Err(BuildError::Failed(_))));
        source.remove("bin/secret").unwrap();
        source.remove("bin").unwrap();
        assert!(outside.path().join("secret").exists());
        assert!(source.own_dir("bin/deep").unwrap().is_dir());
    }

    #[test]
    fn text_must_be_text_and_fit() {
        let root = tempfile::tempdir().unwrap();
        let source = Source::new(root.path().to_owned());
        fs::write(root.path().join("a"), [0xff, 0xfe]).unwrap();
        assert!(matches!(source.text("a"), Err(BuildError::Failed(text)) if text == "a is not UTF-8 text"));
        fs::File::create(root.path().join("b")).unwrap().set_len(READ_MAX + 1).unwrap();
        assert!(matches!(source.text("b"), Err(BuildError::Failed(text)) if text.contains("larger than 16 MiB")));
        assert_eq!(source.text("c").unwrap(), None);
    }
}
