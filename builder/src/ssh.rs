//! The SSH server: connections, keys, and the few commands that may be run.
//!
//! Whoever is at the other end is known by the key that russh has verified, by nothing else.

pub mod channel;
pub mod exec;
pub mod handler;
pub mod host_key;
pub mod listener;
pub mod unproven;
