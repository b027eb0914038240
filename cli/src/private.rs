//! Files that only their owner may read.

use std::fs::{DirBuilder, OpenOptions, remove_file, rename};
use std::io::Write as _;
use std::path::Path;

use crate::error::{Error, Result};

/// Writes a file that only its owner may read, whole or not at all; makes its folder likewise. On Windows, what lies in a
/// user's folder is that user's already.
pub fn write(path: &Path, content: &[u8]) -> Result {
    let cannot = |error: std::io::Error| Error::caused(format!("cannot write {}", path.display()), &error);
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    folder().create(dir).map_err(cannot)?;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    let temporary = dir.join(name);
    let written = file()
        .open(&temporary)
        .and_then(|mut file| file.write_all(content).and_then(|()| file.sync_all()))
        .and_then(|()| rename(&temporary, path));
    if let Err(error) = written {
        let _ = remove_file(&temporary);
        return Err(cannot(error));
    }
    Ok(())
}

fn folder() -> DirBuilder {
    let mut folder = DirBuilder::new();
    folder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut folder, 0o700);
    folder
}

fn file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}
