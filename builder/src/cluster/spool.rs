//! Packed sources and caches on the builder's disk.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use tempfile::TempPath;
use uuid::Uuid;

use crate::BuildError;
use crate::build::local::{blocking, internal};

/// Makes `spool/` and `cache/`, empties what builds that are over left there, and tells the directory's id.
pub(super) fn prepare(data: &Path) -> io::Result<String> {
    let (spool, cache) = (data.join("spool"), data.join("cache"));
    for dir in [data, &spool, &cache] {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    }
    for entry in fs::read_dir(&spool)? {
        fs::remove_file(entry?.path())?;
    }
    for entry in fs::read_dir(&cache)? {
        let path = entry?.path();
        let is_whole = path.extension().is_some_and(|ending| ending == "gz" || ending == "image");
        if path.is_file() && !is_whole {
            fs::remove_file(path)?;
        }
    }
    let file = data.join("instance");
    match fs::read_to_string(&file) {
        Ok(text) => text.trim().parse::<Uuid>().map(|id| id.to_string()).map_err(io::Error::other),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let id = Uuid::new_v4().to_string();
            fs::write(&file, &id)?;
            Ok(id)
        }
        Err(error) => Err(error),
    }
}

/// Packs the tree at `source`; the file is removed when the result is dropped.
pub(super) async fn pack(data: &Path, build: Uuid, source: &Path) -> Result<TempPath, BuildError> {
    let path: PathBuf = data.join("spool").join(format!("{build}.tar.gz"));
    let source = source.to_owned();
    blocking(move || {
        let work = || {
            let file = fs::OpenOptions::new().write(true).create_new(true).open(&path)?;
            let path = TempPath::try_from_path(&path)?;
            let packed = GzEncoder::new(io::BufWriter::new(file), Compression::fast());
            let mut archive = tar::Builder::new(packed);
            archive.follow_symlinks(false);
            archive.append_dir_all("", &source)?;
            let file = archive.into_inner()?.finish()?;
            file.into_inner().map_err(io::IntoInnerError::into_error)?;
            Ok::<_, io::Error>(path)
        };
        work().map_err(|error| internal("packing the source", &error))
    })
    .await?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_source_is_packed_and_gone_with_its_build() {
        let data = tempfile::tempdir().unwrap();
        let id = prepare(data.path()).unwrap();
        fs::write(data.path().join("spool/left.tar.gz"), "x").unwrap();
        fs::write(data.path().join("cache/a.tar.new-1"), "x").unwrap();
        fs::write(data.path().join("cache/a.tar.gz"), "x").unwrap();
        assert_eq!(prepare(data.path()).unwrap(), id, "the id stays");
        let left: Vec<_> =
            fs::read_dir(data.path().join("cache")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["a.tar.gz"]);
        let source = tempfile::tempdir().unwrap();
        fs::write(source.path().join("a"), "1").unwrap();
        std::os::unix::fs::symlink("/etc/passwd", source.path().join("b")).unwrap();
        let packed = pack(data.path(), Uuid::new_v4(), source.path()).await.unwrap();
        let out = tempfile::tempdir().unwrap();
        let file = fs::File::open(&packed).unwrap();
        tar::Archive::new(flate2::read::GzDecoder::new(file)).unpack(out.path()).unwrap();
        assert_eq!(fs::read_to_string(out.path().join("a")).unwrap(), "1");
        assert_eq!(fs::read_link(out.path().join("b")).unwrap(), Path::new("/etc/passwd"));
        drop(packed);
        assert_eq!(fs::read_dir(data.path().join("spool")).unwrap().count(), 0);
    }
}
