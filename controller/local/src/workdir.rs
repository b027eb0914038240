//! Private copies of slugs, in which processes run.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

/// A directory with a copy of a slug in `app` and a place for temporary files in `tmp`. Removed with its last user.
#[derive(Debug)]
pub(crate) struct WorkDir {
    root: PathBuf,
}

pub(crate) fn make_dir(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

impl WorkDir {
    /// Copies `slug` to a new directory at `root`. Blocks.
    pub(crate) fn create(root: PathBuf, slug: &Path) -> io::Result<Self> {
        make_dir(&root)?;
        // From here on a failure removes what is there already.
        let work = Self { root };
        make_dir(&work.tmp())?;
        copy_tree(slug, &work.app())?;
        Ok(work)
    }

    /// Where the app is.
    pub(crate) fn app(&self) -> PathBuf {
        self.root.join("app")
    }

    /// For `TMPDIR`.
    pub(crate) fn tmp(&self) -> PathBuf {
        self.root.join("tmp")
    }
}

impl Drop for WorkDir {
    fn drop(&mut self) {
        let root = std::mem::take(&mut self.root);
        let remove = move || {
            if let Err(error) = remove_tree(&root) {
                tracing::warn!(path = %root.display(), %error, "an old release's directory stays until the next start");
            }
        };
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(remove)),
            Err(_) => remove(),
        }
    }
}

/// Removes a directory of an app's, whatever modes the app gave to what is in it.
pub(crate) fn remove_tree(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            open_up(path)?;
            fs::remove_dir_all(path)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn open_up(dir: &Path) -> io::Result<()> {
    fs::set_permissions(dir, fs::Permissions::from_mode(0o700))?;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            open_up(&entry.path())?;
        }
    }
    Ok(())
}

fn copy_tree(from: &Path, to: &Path) -> io::Result<()> {
    make_dir(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type()?;
        if kind.is_dir() {
            copy_tree(&source, &target)?;
        } else if kind.is_symlink() {
            symlink(fs::read_link(&source)?, &target)?;
        } else {
            // The kernel shares the blocks where the file system can.
            fs::copy(&source, &target)?;
        }
    }
    fs::set_permissions(to, fs::metadata(from)?.permissions())
}
