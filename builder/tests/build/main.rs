//! Builds for real: with the tools of this machine, into a slug store, and run from another place.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod hostile;
mod lab;
mod limits;
mod packs;
mod settings;
