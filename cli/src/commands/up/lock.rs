//! One platform a data directory.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::error::{Error, Result};

/// The file's name. It stays when the platform stops: removing it would race with the next one.
pub const FILE: &str = "lock";

/// Holds a data directory. The system lets go when the process ends, however it ends, so there are no stale locks; the
/// process number in the file is for the message alone.
#[derive(Debug)]
pub struct DataLock {
    _file: File,
}

impl DataLock {
    /// Takes the data directory, unless another process has it.
    pub fn take(dir: &Path) -> Result<Self> {
        let path = dir.join(FILE);
        let cannot = |error: std::io::Error| {
            Error::caused(format!("cannot lock the data directory {}", dir.display()), &error)
                .hint("choose another with --data DIR")
        };
        let mut options = OpenOptions::new();
        let mut file =
            options.read(true).write(true).create(true).truncate(false).mode(0o600).open(&path).map_err(cannot)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                let mut pid = String::new();
                let _ = file.read_to_string(&mut pid);
                let pid = pid.trim();
                let who = if pid.is_empty() { String::new() } else { format!(" (pid {pid})") };
                return Err(Error::new(format!("another `slipway up`{who} uses the data directory {}", dir.display()))
                    .hint(format!("stop it with `kill {pid}`, or choose another directory with --data DIR")));
            }
            Err(error) => return Err(cannot(error.into())),
        }
        let written = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()))
            .and_then(|()| file.sync_all());
        written.map_err(cannot)?;
        Ok(Self { _file: file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_has_one_holder_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let first = DataLock::take(dir.path()).unwrap();
        let Err(Error::Failed { text, .. }) = DataLock::take(dir.path()) else { panic!("two holders") };
        assert!(text.contains(&format!("pid {}", std::process::id())), "{text}");
        drop(first);
        DataLock::take(dir.path()).unwrap();
    }

    #[test]
    fn what_a_killed_process_left_does_not_matter() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(FILE), "4294967295\nand more than a pid").unwrap();
        let _lock = DataLock::take(dir.path()).unwrap();
        let text = std::fs::read_to_string(dir.path().join(FILE)).unwrap();
        assert_eq!(text.trim(), std::process::id().to_string());
    }
}
