//! A sealed word in the database, by which a wrong key is known before it does harm.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use crate::db::on;
use crate::schema::meta;
use crate::types::Row;
use crate::{Db, StoreError};

const ROW: Row<'static> = Row { table: "meta", id: "seal" };
const WORD: &[u8] = b"slipway";

/// Checks that the key opens what is in the database; seals the word in a new one.
pub(crate) async fn check(db: &mut Db) -> Result<(), StoreError> {
    let found: Option<Vec<u8>> =
        on!(db, |conn| meta::table.find(ROW.id).select(meta::value).first(conn).await.optional())?;
    let Some(sealed) = found else {
        let sealed = db.key.seal(ROW, "value", WORD)?;
        on!(db, |conn| diesel::insert_into(meta::table)
            .values((meta::name.eq(ROW.id), meta::value.eq(sealed)))
            .execute(conn)
            .await)?;
        return Ok(());
    };
    match db.key.open(ROW, "value", &sealed) {
        Ok(word) if word == WORD => Ok(()),
        _ => Err(StoreError::Setup(
            "the sealing key is not the one that this database was made with: its secrets cannot be read. \
             Give the key that was used at first."
                .to_owned(),
        )),
    }
}
