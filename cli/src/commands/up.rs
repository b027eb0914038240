//! `up`: the whole platform on this machine.

use std::path::Path;

use crate::args::up::UpArgs;
use crate::error::{Error, Result};

/// Starts the platform.
pub async fn up(_args: UpArgs) -> Result {
    Err(Error::new("not yet"))
}

/// Serves files.
pub async fn static_server(_root: &Path) -> Result {
    Err(Error::new("not yet"))
}
