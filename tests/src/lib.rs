//! The harness of the whole-platform tests: the real binaries, real git, real ssh, real processes.
//!
//! A [`Platform`] is one `slipway up` with a data directory and ports of its own. A [`User`] has a home directory
//! with a profile and an SSH key. Nothing reads or writes the home of the person who runs the tests.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::missing_panics_doc,
    clippy::return_self_not_must_use,
    reason = "a harness fails by panicking and shows what happened"
)]

pub mod address;
pub mod git_http;
pub mod guide;
pub mod platform;
pub mod repo;
pub mod run;
pub mod terminal;
pub mod user;

pub use address::Reserved;
pub use git_http::GitHttp;
pub use platform::Platform;
pub use repo::{Repo, SERVER};
pub use run::Run;
pub use user::{PASSWORD, User};

use std::time::{Duration, Instant};

/// Shortest and longest pause between two calls of what is waited for.
const PAUSES: (Duration, Duration) = (Duration::from_millis(25), Duration::from_millis(500));

/// Calls `probe` until it gives a value, at most `limit` long. The longer it takes, the less often: whoever polls an API is
/// counted there, too.
///
/// # Panics
/// When the limit passes, naming `what`.
pub fn eventually<T>(what: &str, limit: Duration, mut probe: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = probe() {
            return value;
        }
        let waited = start.elapsed();
        assert!(waited < limit, "not within {limit:?}: {what}");
        std::thread::sleep((waited / 20).clamp(PAUSES.0, PAUSES.1));
    }
}

/// Whether a process is there (and is no zombie).
#[must_use]
pub fn process_is_alive(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('Z')))
}
