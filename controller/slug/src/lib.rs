//! Content-addressed store of built slugs on one machine.
//!
//! A slug is what a build leaves: a directory that holds the app with all it needs, and a [`SlugManifest`] beside it
//! that says how it is run. A slug is named by the SHA-256 of both, never changes, and is there whole or not at all,
//! whenever the machine stops. Nothing here runs anything.
//!
//! All functions block on the disk: call them off the async threads.

pub mod digest;
pub mod manifest;
pub mod store;
mod walk;

pub use digest::{Digest, DigestError};
pub use manifest::SlugManifest;
pub use store::{SlugError, SlugInfo, SlugStore};
pub use walk::{Refusal, SlugLimits};
