//! How much memory the platform keeps that it does not use.

use std::os::unix::process::CommandExt as _;
use std::process::Command;

/// glibc reads it once, when a program begins.
const VARIABLE: &str = "MALLOC_ARENA_MAX";
/// Each arena keeps what was freed in it, and without a limit there are eight a core. With 10,000 apps two hold a sixth less
/// than 32, and answers are as fast.
const ARENAS: &str = "2";

/// Begins this program anew with few arenas, unless somebody said how many there are to be. Where that cannot be done the
/// platform runs as it is.
pub fn limit() {
    if !cfg!(target_env = "gnu") || std::env::var_os(VARIABLE).is_some() {
        return;
    }
    let mut words = std::env::args_os();
    let mut anew = Command::new("/proc/self/exe");
    // It answers to the name by which it was called.
    if let Some(name) = words.next() {
        anew.arg0(name);
    }
    let error = anew.args(words).env(VARIABLE, ARENAS).exec();
    tracing::debug!("not begun anew: {error}");
}
