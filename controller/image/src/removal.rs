//! Removing what apps and images left behind.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// Removes a tree, whatever modes its directories have: some forbid even their owner to remove what is in them. What is
/// not there is removed.
///
/// # Errors
/// When the file system refuses.
pub fn remove_tree(path: &Path) -> io::Result<()> {
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
        // Not through links: what they lead to is not ours.
        if entry.file_type()?.is_dir() {
            open_up(&entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn closed_directories_are_opened_and_what_links_lead_to_stays() {
        let dir = tempfile::tempdir().unwrap();
        let (tree, other) = (dir.path().join("tree"), dir.path().join("other"));
        fs::create_dir_all(tree.join("closed/inner")).unwrap();
        fs::create_dir(&other).unwrap();
        fs::write(tree.join("closed/inner/file"), "x").unwrap();
        fs::write(other.join("kept"), "x").unwrap();
        symlink(&other, tree.join("closed/link")).unwrap();
        let closed = fs::Permissions::from_mode(0o500);
        fs::set_permissions(&other, closed.clone()).unwrap();
        fs::set_permissions(tree.join("closed/inner"), closed.clone()).unwrap();
        fs::set_permissions(tree.join("closed"), closed).unwrap();
        // As root nothing is forbidden, so that this part is tried by itself.
        open_up(&tree).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&tree.join("closed/inner")), mode(&other)), (0o700, 0o500));
        remove_tree(&tree).unwrap();
        assert!(!tree.exists() && other.join("kept").exists());
        remove_tree(&tree).unwrap();
        fs::set_permissions(&other, fs::Permissions::from_mode(0o700)).unwrap();
    }
}
