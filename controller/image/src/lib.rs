//! Container images on one machine.
//!
//! An image is fetched from its registry with every digest checked ([`Fetcher`]), unpacked under guards
//! ([`unpack::Layers`]) into one tree, and kept under the digest of its manifest ([`ImageStore`]), whole or not at all.
//! Nothing here runs anything.

pub mod archive;
pub mod fetch;
pub mod name;
mod refusal;
pub mod setup;
pub mod store;
#[cfg(feature = "testing")]
pub mod testing;
pub mod unpack;
pub mod user;

pub use archive::{ArchiveError, archive_import};
pub use fetch::{FetchError, FetchSettings, Fetcher};
pub use name::{Login, pinned, registry_of};
pub use setup::ImageSetup;
pub use store::{ImageDigest, ImageStore, StoreError};
pub use unpack::UnpackLimits;
pub use user::ImageUser;
