//! The platform in a cluster, through its chart: what users and operators see, and what must survive.
//!
//! `tests/cluster/run` installs the platform and tells in variables where it is; without them these tests are ignored.
//! Each test has users and apps of its own and removes what it made. They run one after the other: some kill parts of
//! the platform.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "tests fail by panicking and tell what they do"
)]

mod api_server;
mod chance;
mod failure;
mod image;
mod installed;
mod kill;
mod leader;
mod upgrade;
mod walk;
