//! The real binary against a controller whose answers are scripted: exit code, stdout, stderr, and what was asked.

#![expect(clippy::unwrap_used, reason = "what a test sets up must work")]

mod addition;
mod called;
mod color;
mod commands;
mod connection;
mod files;
mod live;
mod person;
mod platform;
mod portable;
mod reference;
mod refusals;
mod script;
mod server;
mod setting;
mod spelling;
mod tls;
mod transcript;
#[cfg(feature = "up")]
mod up;
mod word;
