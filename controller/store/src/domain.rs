//! Host names of apps.

use chrono::{DateTime, Utc};
use slipway_core::domain::Domain;
use slipway_core::{AppId, UserId};

use crate::{Db, Page, Paged, StoreError};

/// What is needed to add a domain.
#[derive(Debug, Clone)]
pub struct NewDomain {
    /// The app that answers.
    pub app: AppId,
    /// Who adds it.
    pub owner: UserId,
    /// The name in lower case; unique on the platform.
    pub domain: String,
    /// When it is added.
    pub created: DateTime<Utc>,
}

/// Adds a domain.
pub async fn domain_insert(db: &mut Db<'_>, new: &NewDomain) -> Result<Domain, StoreError> {
    todo!()
}

/// The domains of an app by name.
pub async fn domains_list(db: &mut Db<'_>, app: AppId, page: Page) -> Result<Paged<Domain>, StoreError> {
    todo!()
}

/// The domains of all apps, for the route table.
pub async fn domains_all(db: &mut Db<'_>) -> Result<Vec<Domain>, StoreError> {
    todo!()
}

/// The domain of this name.
pub async fn domain_by_name(db: &mut Db<'_>, domain: &str) -> Result<Option<Domain>, StoreError> {
    todo!()
}

/// Removes a domain of an app; false if it has none of this name.
pub async fn domain_delete(db: &mut Db<'_>, app: AppId, domain: &str) -> Result<bool, StoreError> {
    todo!()
}
