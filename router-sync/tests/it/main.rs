//! The router between real sockets: clients on one side, apps' processes on the other.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "what a test needs and does not get fails it")]

mod answer;
mod failure;
mod header;
mod limit;
mod rig;
mod routing;
mod stream;
mod swap;
mod tls;
mod tunnel;
