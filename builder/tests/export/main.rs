//! From a tree to an image, against a registry in this process that counts what it is sent.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod image;
mod registry;
mod steps;
