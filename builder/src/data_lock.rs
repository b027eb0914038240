//! One builder a data directory.
//!
//! A cluster that was told to forget a pod starts the next one while the first still runs, and may even start the first once
//! more. What a builder finds at its start it takes for left behind, and removes.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// The file's name. It stays when the builder stops: removing it would race with the next one.
const FILE: &str = "builder.lock";

/// Holds a data directory until it is dropped. The system lets go when the process ends, however it ends.
#[derive(Debug)]
pub struct DataLock {
    _file: File,
}

impl DataLock {
    /// Takes the directory, which is made if it is not there. While another builder has it, this waits for that one's end.
    /// On a file system that knows no locks it goes on without.
    ///
    /// # Errors
    /// When the directory cannot be made or written to.
    pub async fn take(data: PathBuf) -> io::Result<Self> {
        tokio::task::spawn_blocking(move || wait(&data)).await.map_err(io::Error::other)?
    }
}

fn wait(data: &Path) -> io::Result<DataLock> {
    DirBuilder::new().recursive(true).mode(0o700).create(data)?;
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(data.join(FILE))?;
    let locked = match file.try_lock() {
        Err(TryLockError::WouldBlock) => {
            tracing::warn!(data = %data.display(), "another builder has the data directory; waiting for its end");
            file.lock()
        }
        Err(TryLockError::Error(error)) => Err(error),
        Ok(()) => Ok(()),
    };
    if let Err(error) = locked {
        tracing::warn!(data = %data.display(), %error, "the data directory cannot be locked; no other builder may use it");
    }
    Ok(DataLock { _file: file })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn the_next_builder_waits_for_the_end_of_the_one_before() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("not/there/yet");
        let first = DataLock::take(data.clone()).await.unwrap();
        let mut second = tokio::spawn(DataLock::take(data.clone()));
        assert!(tokio::time::timeout(Duration::from_millis(100), &mut second).await.is_err(), "two holders");
        drop(first);
        let second = second.await.unwrap().unwrap();
        drop(second);
        DataLock::take(data).await.unwrap();
    }
}
