//! A handle on one connection.

use crate::SealingKey;

/// One connection to the database, for reading or inside a transaction.
pub struct Db<'a> {
    pub(crate) key: &'a SealingKey,
}
