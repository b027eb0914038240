//! `.slugignore` and `.slipwayignore`: what of the source does not become part of the slug.

use std::path::Path;

use super::source::Source;
use super::{BuildError, tree};

/// Files with patterns, in the form of `.gitignore`.
const FILES: &[&str] = &[".slugignore", ".slipwayignore"];

/// Removes from the source what the ignore files name. Returns how many entries went. `scratch` is an empty directory.
///
/// # Errors
/// [`BuildError::Failed`] when a file cannot be read, [`BuildError::Internal`] when something cannot be removed.
pub fn apply(source: &Source, scratch: &Path) -> Result<usize, BuildError> {
    let mut rules = String::new();
    for file in FILES {
        if let Some(text) = source.text(file)? {
            rules.push_str(&text.replace("\r\n", "\n").replace('\0', ""));
            rules.push('\n');
        }
    }
    if rules.trim().is_empty() {
        return Ok(0);
    }
    let internal = |error: git2::Error| BuildError::Internal(format!("reading ignore rules: {}", error.message()));
    // An empty repository lends its understanding of patterns; nothing of the app's is in it.
    let repository = git2::Repository::init(scratch).map_err(internal)?;
    repository.config().and_then(|mut config| config.set_str("core.excludesfile", "/dev/null")).map_err(internal)?;
    repository.add_ignore_rule(&rules).map_err(internal)?;
    let mut removed = 0;
    let mut pending = vec![std::path::PathBuf::new()];
    while let Some(below) = pending.pop() {
        for entry in std::fs::read_dir(source.dir().join(&below)).into_iter().flatten().flatten() {
            let path = below.join(entry.file_name());
            let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
            // A trailing slash says that it is a directory, which does not exist in the empty repository.
            let asked = if is_dir { path.join("") } else { path.clone() };
            if repository.is_path_ignored(&asked).map_err(internal)? {
                tree::remove(&entry.path())
                    .map_err(|error| BuildError::Internal(format!("removing what is ignored: {error}")))?;
                removed += 1;
            } else if is_dir {
                pending.push(path);
            }
        }
    }
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_is_named_is_removed() {
        let root = tempfile::tempdir().unwrap();
        for file in ["docs/a.md", "app.py", "test/x.py", "deep/test/y.py", "big.psd", "keep.psd"] {
            let file = root.path().join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, "").unwrap();
        }
        fs::write(root.path().join(".slugignore"), "# ours\n/docs\r\ntest/\n*.psd\n!keep.psd\n").unwrap();
        let scratch = tempfile::tempdir().unwrap();
        let source = Source::new(root.path().to_owned());
        assert_eq!(apply(&source, scratch.path()).unwrap(), 4);
        for (file, stays) in [
            ("docs", false),
            ("app.py", true),
            ("test", false),
            ("deep/test", false),
            ("big.psd", false),
            ("keep.psd", true),
        ] {
            assert_eq!(root.path().join(file).exists(), stays, "{file}");
        }
    }
}
