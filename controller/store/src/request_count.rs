//! Requests counted by caller and hour.

use crate::db::on;
use crate::schema::request_counts;
use crate::types::{count, text};
use crate::{Db, StoreError};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

/// Counts a request of `caller` in `hour`, and tells how many there were in it with this one.
///
/// One statement, so that controllers that share the database count together.
pub async fn request_count(db: &mut Db, caller: &str, hour: i64) -> Result<u64, StoreError> {
    let caller = text(caller);
    let total: i64 = on!(db, |conn| diesel::insert_into(request_counts::table)
        .values((request_counts::caller.eq(&caller), request_counts::hour.eq(hour), request_counts::count.eq(1_i64)))
        .on_conflict((request_counts::caller, request_counts::hour))
        .do_update()
        .set(request_counts::count.eq(request_counts::count + 1))
        .returning(request_counts::count)
        .get_result(conn)
        .await)?;
    Ok(count(total))
}

/// Forgets hours before this one.
pub async fn request_counts_delete_before(db: &mut Db, hour: i64) -> Result<(), StoreError> {
    let these = || request_counts::table.filter(request_counts::hour.lt(hour));
    on!(db, |conn| diesel::delete(these()).execute(conn).await)?;
    Ok(())
}
