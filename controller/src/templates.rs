//! The templates there are: the platform's own, and those of a folder of the operator's.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use slipway_team::template::{PICTURE_MAX, Template, TemplateError, Templates};

/// Largest file of a template, in bytes.
const FILE_MAX: u64 = 256 * 1024;

/// Why the templates cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum TemplatesError {
    /// The folder or a file cannot be read.
    #[error("cannot read {}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file or a picture is larger than it may be.
    #[error("{} is too large", path.display())]
    Large {
        /// Which.
        path: PathBuf,
    },
    /// A file is no template.
    #[error(transparent)]
    Template(#[from] TemplateError),
}

/// The platform's own templates, and those of `folder`: files `ID.json`, beside them pictures `ID.jpg`. One with the
/// identity of another takes its place.
pub(crate) fn load(folder: Option<&Path>) -> Result<Templates, TemplatesError> {
    let mut all = Templates::built_in()?;
    let Some(folder) = folder else { return Ok(all) };
    let fail = |source| TemplatesError::Io { path: folder.to_owned(), source };
    for entry in fs::read_dir(folder).map_err(fail)? {
        let path = entry.map_err(fail)?.path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let id = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let text = String::from_utf8_lossy(&read(&path, FILE_MAX)?.unwrap_or_default()).into_owned();
        let template = Template::parse(id, &text)?;
        all.add(match read(&path.with_extension("jpg"), PICTURE_MAX as u64)? {
            Some(picture) => template.with_picture(picture)?,
            None => template,
        });
    }
    Ok(all)
}

fn read(path: &Path, most: u64) -> Result<Option<Vec<u8>>, TemplatesError> {
    let fail = |source| TemplatesError::Io { path: path.to_owned(), source };
    match fs::metadata(path) {
        Ok(metadata) if metadata.len() > most => Err(TemplatesError::Large { path: path.to_owned() }),
        Ok(_) => fs::read(path).map(Some).map_err(fail),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(fail(source)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &str = r#"{
        "name": "Own", "registries": [{"name": "lab", "type": "unchecked", "details": {"url": "127.0.0.1:5000"}}],
        "images": [{"name": "web", "registryName": "lab", "image": "own/web", "tag": "1"}]
    }"#;

    #[test]
    fn an_operators_folder_adds_and_replaces() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("own.json"), OWN).unwrap();
        fs::write(dir.path().join("wordpress.json"), OWN).unwrap();
        fs::write(dir.path().join("wordpress.jpg"), b"\xff\xd8\xff\xd9").unwrap();
        fs::write(dir.path().join("README.md"), "no template").unwrap();
        let all = load(Some(dir.path())).unwrap();
        assert_eq!(all.iter().count(), load(None).unwrap().iter().count() + 1);
        assert!(all.find("own").unwrap().picture.is_none());
        let wordpress = all.find("wordpress").unwrap();
        assert_eq!((wordpress.name.as_str(), wordpress.picture.as_ref().unwrap().len()), ("Own", 4));
    }

    #[test]
    fn what_is_wrong_names_its_file() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(load(Some(&dir.path().join("none"))), Err(TemplatesError::Io { .. })));
        fs::write(dir.path().join("bad.json"), "{}").unwrap();
        assert!(load(Some(dir.path())).unwrap_err().to_string().contains("bad"));
        fs::write(dir.path().join("bad.json"), OWN).unwrap();
        fs::write(dir.path().join("bad.jpg"), "GIF89a").unwrap();
        assert!(load(Some(dir.path())).unwrap_err().to_string().contains("JPEG"));
        fs::write(dir.path().join("bad.jpg"), vec![0xff; PICTURE_MAX + 1]).unwrap();
        assert!(matches!(load(Some(dir.path())), Err(TemplatesError::Large { .. })));
    }
}
