//! Private copies of slugs, in which processes run.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, lchown, symlink};
use std::path::{Path, PathBuf};

use slipway_image::remove_tree;

/// Threads that copy one slug.
const COPY_THREADS: usize = 4;
/// Files for which a thread of their own pays.
const COPY_SHARE_MIN: usize = 100;

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

/// Copies a tree: directories and links first, then the files, by several threads, since what takes time is waiting
/// for the disk. A directory's mode comes last: one that nobody may write to must be filled before.
fn copy_tree(from: &Path, to: &Path) -> io::Result<()> {
    let (mut dirs, mut files) = (Vec::new(), Vec::new());
    copy_shape(from, to, &mut dirs, &mut files)?;
    let share = files.len().div_ceil(COPY_THREADS).max(COPY_SHARE_MIN);
    std::thread::scope(|scope| {
        let copies: Vec<_> = files.chunks(share).map(|share| scope.spawn(|| copy_files(share))).collect();
        copies.into_iter().try_for_each(|copy| copy.join().map_err(|_| io::Error::other("a copy was cut short"))?)
    })?;
    for (path, permissions) in dirs.into_iter().rev() {
        fs::set_permissions(path, permissions)?;
    }
    Ok(())
}

fn copy_files(files: &[(PathBuf, PathBuf)]) -> io::Result<()> {
    // The kernel shares the blocks where the file system can.
    files.iter().try_for_each(|(source, target)| {
        fs::copy(source, target)?;
        copy_owner(source, target)
    })
}

/// Files of an image belong to its own users, where the platform may give files away.
fn copy_owner(source: &Path, target: &Path) -> io::Result<()> {
    if rustix::process::geteuid().is_root() {
        let meta = fs::symlink_metadata(source)?;
        if (meta.uid(), meta.gid()) != (0, 0) {
            lchown(target, Some(meta.uid()), Some(meta.gid()))?;
        }
    }
    Ok(())
}

fn copy_shape(
    from: &Path,
    to: &Path,
    dirs: &mut Vec<(PathBuf, fs::Permissions)>,
    files: &mut Vec<(PathBuf, PathBuf)>,
) -> io::Result<()> {
    make_dir(to)?;
    copy_owner(from, to)?;
    dirs.push((to.to_owned(), fs::metadata(from)?.permissions()));
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type()?;
        if kind.is_dir() {
            copy_shape(&source, &target, dirs, files)?;
        } else if kind.is_symlink() {
            symlink(fs::read_link(&source)?, &target)?;
            copy_owner(&source, &target)?;
        } else {
            files.push((source, target));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_copy_is_like_the_slug_and_goes_with_its_last_user() {
        let dir = tempfile::tempdir().unwrap();
        let slug = dir.path().join("slug");
        for number in 0..500 {
            let home = slug.join(format!("d{}", number % 7));
            fs::create_dir_all(&home).unwrap();
            fs::write(home.join(number.to_string()), number.to_string()).unwrap();
        }
        fs::set_permissions(slug.join("d1/1"), fs::Permissions::from_mode(0o750)).unwrap();
        fs::set_permissions(slug.join("d2"), fs::Permissions::from_mode(0o700)).unwrap();
        symlink("d1/nothing", slug.join("link")).unwrap();
        let work = WorkDir::create(dir.path().join("work"), &slug).unwrap();
        for number in 0..500 {
            let copy = work.app().join(format!("d{}/{number}", number % 7));
            assert_eq!(fs::read_to_string(copy).unwrap(), number.to_string());
        }
        let mode = |name: &str| fs::metadata(work.app().join(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode("d1/1"), mode("d2")), (0o750, 0o700));
        assert_eq!(fs::read_link(work.app().join("link")).unwrap(), Path::new("d1/nothing"));
        // The copy is the app's own.
        fs::write(work.app().join("d1/1"), "changed").unwrap();
        assert_eq!(fs::read_to_string(slug.join("d1/1")).unwrap(), "1");
        fs::set_permissions(work.app().join("d2"), fs::Permissions::from_mode(0o000)).unwrap();
        drop(work);
        assert!(!dir.path().join("work").exists());
    }

    #[test]
    fn a_failed_copy_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        assert!(WorkDir::create(dir.path().join("work"), &dir.path().join("missing")).is_err());
        assert!(!dir.path().join("work").exists());
    }
}
