//! Container images on one machine.
//!
//! An image is fetched from its registry with every digest checked ([`Fetcher`]), unpacked under guards
//! ([`unpack::Layers`]) into one tree, and kept under the digest of its manifest ([`ImageStore`]), whole or not at all.
//! What was built and nobody needs any more is found in the registry and removed ([`Collector`]). Nothing here runs
//! anything.

pub mod archive;
mod client;
pub mod collect;
pub mod credentials;
pub mod fetch;
pub mod name;
mod refusal;
pub mod removal;
pub mod setup;
pub mod step_cache;
pub mod store;
#[cfg(feature = "testing")]
pub mod testing;
pub mod unpack;
pub mod user;

pub use archive::{ArchiveError, archive_import};
pub use collect::{Aging, BuiltImages, CollectError, Collector, Survey, Unneeded};
pub use credentials::Credentials;
pub use fetch::{FetchError, FetchSettings, Fetcher};
pub use name::{Login, pinned, registry_of};
pub use removal::remove_tree;
pub use setup::ImageSetup;
pub use store::{ImageDigest, ImageStore, StoreError};
pub use unpack::UnpackLimits;
pub use user::ImageUser;
