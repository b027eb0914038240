//! Files that only their owner may read.

use std::fs::DirBuilder;
use std::io::Write as _;
use std::path::Path;

use crate::error::{Error, Result};

/// Writes a file that only its owner may read, whole or not at all; makes its folder likewise. On Windows, what lies in a
/// user's folder is that user's already.
pub fn write(path: &Path, content: &[u8]) -> Result {
    let cannot = |error: std::io::Error| Error::caused(format!("cannot write {}", path.display()), &error);
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    folder().create(dir).map_err(cannot)?;
    // Under a name that nobody else has, so that what a process left that was killed here is in nobody's way.
    let mut file = tempfile::Builder::new().prefix(".slipway-").suffix(".tmp").tempfile_in(dir).map_err(cannot)?;
    file.write_all(content).and_then(|()| file.as_file().sync_all()).map_err(cannot)?;
    file.persist(path).map_err(|error| cannot(error.error))?;
    Ok(())
}

fn folder() -> DirBuilder {
    let mut folder = DirBuilder::new();
    folder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut folder, 0o700);
    folder
}
