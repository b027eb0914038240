//! The builder's SSH and git side, with the real `git` and `ssh` against a builder on a free port.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]

mod connection;
mod controller;
mod fetch;
mod harness;
mod push;
mod release;
mod sweep;
mod wire;
