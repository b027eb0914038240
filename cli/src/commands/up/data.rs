//! The data directory.

use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::lock;
use crate::error::{Error, Result};
use crate::settings;

/// Makes the data directory, or takes the one that is there, and gives its absolute path. One that is made here, was
/// empty, or was ours before is closed to other users; anything else is left as it is.
pub fn prepare(dir: Option<&Path>) -> Result<PathBuf> {
    let dir = match dir {
        Some(dir) => dir.to_owned(),
        None => settings::data_dir()?,
    };
    let cannot = |error: std::io::Error| {
        Error::caused(format!("cannot use the data directory {}", dir.display()), &error)
            .hint("choose another with --data DIR")
    };
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&dir).map_err(cannot)?;
    let dir = fs::canonicalize(&dir).map_err(cannot)?;
    let is_ours = dir.join(lock::FILE).exists();
    if is_ours || fs::read_dir(&dir).map_err(cannot)?.next().is_none() {
        let is_open = fs::metadata(&dir).map_err(cannot)?.permissions().mode() & 0o077 != 0;
        if is_open {
            fs::set_permissions(&dir, fs::Permissions::from_mode(0o700)).map_err(cannot)?;
        }
    }
    Ok(dir)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(dir: &Path) -> u32 {
        fs::metadata(dir).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn what_is_ours_is_closed_to_others() {
        let parent = tempfile::tempdir().unwrap();
        let made = parent.path().join("a/b");
        assert_eq!(prepare(Some(&made)).unwrap(), made.canonicalize().unwrap());
        assert_eq!(mode(&made), 0o700);

        let theirs = parent.path().join("theirs");
        fs::create_dir(&theirs).unwrap();
        fs::set_permissions(&theirs, fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(theirs.join("letter"), "").unwrap();
        prepare(Some(&theirs)).unwrap();
        assert_eq!(mode(&theirs), 0o755, "a directory with other things in it is not ours to close");
        fs::write(theirs.join(lock::FILE), "").unwrap();
        prepare(Some(&theirs)).unwrap();
        assert_eq!(mode(&theirs), 0o700);
    }

    #[test]
    fn a_file_is_no_directory() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(prepare(Some(file.path())).is_err());
    }
}
