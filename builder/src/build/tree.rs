//! Directory trees as a whole: copy, measure, remove. Links are carried over as links, never followed.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

/// Copies the tree at `from` to `to`, which must not exist. Devices, sockets and pipes are left out.
///
/// Several threads copy at once: trees of packages are many small files, and each costs a few calls that mostly wait.
///
/// # Errors
/// The first failure of the file system; what was copied so far stays.
pub fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let mut files = Vec::new();
    copy_shape(from, to, &mut files)?;
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(8);
    let share = files.len().div_ceil(threads).max(64);
    std::thread::scope(|scope| {
        let work = |files: &[(PathBuf, PathBuf)]| files.iter().try_for_each(|(from, to)| fs::copy(from, to).map(drop));
        let running: Vec<_> = files.chunks(share).map(|files| scope.spawn(move || work(files))).collect();
        running
            .into_iter()
            .try_for_each(|thread| thread.join().unwrap_or_else(|_| Err(io::Error::other("a copying thread panicked"))))
    })
}

/// Makes the directories and links of a copy, and lists the files that are to be copied.
fn copy_shape(from: &Path, to: &Path, files: &mut Vec<(PathBuf, PathBuf)>) -> io::Result<()> {
    fs::create_dir_all(to)?;
    fs::set_permissions(to, fs::Permissions::from_mode(0o755))?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        let target = to.join(entry.file_name());
        if kind.is_dir() {
            copy_shape(&entry.path(), &target, files)?;
        } else if kind.is_symlink() {
            symlink(fs::read_link(entry.path())?, &target)?;
        } else if kind.is_file() {
            files.push((entry.path(), target));
        }
    }
    Ok(())
}

/// Bytes that the tree at `dir` takes on disk. What vanishes while it is measured counts as nothing.
#[must_use]
pub fn disk_bytes(dir: &Path) -> u64 {
    let mut total = 0;
    let mut pending = vec![dir.to_owned()];
    while let Some(dir) = pending.pop() {
        for entry in fs::read_dir(&dir).into_iter().flatten().flatten() {
            let Ok(meta) = entry.metadata() else { continue };
            total += meta.blocks() * 512;
            if meta.is_dir() {
                pending.push(entry.path());
            }
        }
    }
    total
}

/// Sum of the lengths of all files below `dir`, in bytes.
#[must_use]
pub fn content_bytes(dir: &Path) -> u64 {
    let mut total = 0;
    let mut pending = vec![dir.to_owned()];
    while let Some(dir) = pending.pop() {
        for entry in fs::read_dir(&dir).into_iter().flatten().flatten() {
            let Ok(meta) = entry.metadata() else { continue };
            if meta.is_dir() {
                pending.push(entry.path());
            } else if meta.is_file() {
                total += meta.len();
            }
        }
    }
    total
}

/// Removes whatever is at `path`; absence is fine. Directories that were made read-only are opened up first, since
/// some tools protect what they keep.
///
/// # Errors
/// The file system's refusal.
pub fn remove(path: &Path) -> io::Result<()> {
    let meta = match fs::symlink_metadata(path) {
        Ok(meta) => meta,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !meta.is_dir() {
        return fs::remove_file(path);
    }
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            make_writable(path);
            fs::remove_dir_all(path)
        }
        other => other,
    }
}

fn make_writable(dir: &Path) {
    let _ = fs::set_permissions(dir, fs::Permissions::from_mode(0o700));
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            make_writable(&entry.path());
        }
    }
}

/// A number of bytes as people read it: `12.3 MiB`.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "one decimal is shown")]
pub fn human(bytes: u64) -> String {
    if bytes >= 1 << 30 {
        format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30))
    } else if bytes >= 1 << 20 {
        format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
    } else {
        format!("{:.1} KiB", bytes as f64 / 1024.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trees_are_copied_and_removed_without_following_links() {
        let root = tempfile::tempdir().unwrap();
        let from = root.path().join("from");
        let outside = root.path().join("outside");
        fs::create_dir_all(from.join("a/b")).unwrap();
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("kept"), "x").unwrap();
        fs::write(from.join("a/b/run"), "#!/bin/sh\n").unwrap();
        fs::set_permissions(from.join("a/b/run"), fs::Permissions::from_mode(0o755)).unwrap();
        symlink(&outside, from.join("link")).unwrap();
        let to = root.path().join("to");
        copy(&from, &to).unwrap();
        assert_eq!(fs::metadata(to.join("a/b/run")).unwrap().permissions().mode() & 0o111, 0o111);
        assert!(fs::symlink_metadata(to.join("link")).unwrap().is_symlink());
        assert_eq!(content_bytes(&to), 10);
        remove(&to).unwrap();
        remove(&to).unwrap();
        assert!(outside.join("kept").exists());
    }

    #[test]
    fn sizes_are_readable() {
        for (bytes, text) in [(0, "0.0 KiB"), (1536, "1.5 KiB"), (12_897_485, "12.3 MiB"), (1 << 30, "1.0 GiB")] {
            assert_eq!(human(bytes), text);
        }
    }
}
