//! SSH public keys.

use slipway_core::Result;
use slipway_core::key::Key;

use crate::{Cx, Page, PageQuery, Service};

impl Service {
    /// Adds a key of the caller.
    ///
    /// # Errors
    /// `Invalid` under `id` or `public`.
    pub async fn key_create(&self, cx: &Cx, id: &str, public: &str) -> Result<Key> {
        let _ = (cx, id, public);
        todo!()
    }

    /// The caller's keys.
    ///
    /// # Errors
    /// `Unauthenticated`.
    pub async fn keys_list(&self, cx: &Cx, page: PageQuery) -> Result<Page<Key>> {
        let _ = (cx, page);
        todo!()
    }

    /// A key of the caller by its label.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn key_get(&self, cx: &Cx, id: &str) -> Result<Key> {
        let _ = (cx, id);
        todo!()
    }

    /// Removes a key of the caller.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn key_delete(&self, cx: &Cx, id: &str) -> Result<()> {
        let _ = (cx, id);
        todo!()
    }
}
