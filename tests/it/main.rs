//! Whole-platform tests: one binary, one module an area.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod build_cancel;
mod cert;
mod crash;
mod deploy_hook;
mod elsewhere;
mod family;
mod guide;
mod hostile;
mod image;
mod push;
mod remote;
mod route;
mod rule;
mod scale;
mod team;
mod terminal;
mod walking_path;
mod webhook;
