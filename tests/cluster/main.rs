//! The platform in a cluster, through its chart: what users and operators see, and what must survive.
//!
//! `tests/cluster/run` installs the platform and tells in variables where it is; without them these tests are ignored.
//! Each test has users and apps of its own and removes what it made. Those in `walk` run side by side, all others one after
//! the other: they kill parts of the platform, or keep pods from nodes.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "tests fail by panicking and tell what they do"
)]

mod api_server;
mod cancel;
mod chance;
mod failure;
mod foreign;
mod guide;
mod image;
mod installed;
mod kill;
mod leader;
mod measured;
mod remote;
mod team;
mod upgrade;
mod walk;
