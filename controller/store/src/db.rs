//! A handle on one connection, and the macro that runs one query body on either database.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use diesel::SqliteConnection;
use diesel_async::pooled_connection::deadpool::Object;
use diesel_async::sync_connection_wrapper::SyncConnectionWrapper;
use diesel_async::{AsyncPgConnection, SimpleAsyncConnection};

use crate::{SealingKey, StoreError};

pub(crate) type Lite = SyncConnectionWrapper<SqliteConnection>;

/// One connection to the database, for reading or inside a transaction.
///
/// Whatever is dropped in the middle of something (a request was abandoned) takes its connection with it: the
/// database then rolls back, and nobody gets a connection on which a query is still running.
pub struct Db {
    pub(crate) link: Option<Link>,
    pub(crate) key: Arc<SealingKey>,
    /// Where statements are counted.
    pub(crate) statements: Arc<AtomicU64>,
    /// A query is on its way.
    pub(crate) is_busy: bool,
    /// A transaction is open.
    pub(crate) in_transaction: bool,
    /// A statement of the transaction failed; PostgreSQL takes no more then, and so do we on SQLite.
    pub(crate) has_failed: bool,
}

pub(crate) enum Link {
    Pg(Box<Object<AsyncPgConnection>>),
    Lite(Object<Lite>),
}

/// Runs one query body on whichever database it is: `on!(db, |conn| query.load(conn))`.
macro_rules! on {
    ($db:expr, |$conn:ident| $body:expr) => {{
        let db: &mut $crate::Db = $db;
        db.start()?;
        let result = match db.link.as_mut() {
            Some($crate::db::Link::Pg(object)) => {
                let $conn: &mut diesel_async::AsyncPgConnection = &mut **object;
                $body
            }
            Some($crate::db::Link::Lite(object)) => {
                let $conn: &mut $crate::db::Lite = &mut *object;
                $body
            }
            None => Err(diesel::result::Error::BrokenTransactionManager),
        };
        db.finish(result)
    }};
}
pub(crate) use on;

/// One page of a query: counts it, then reads part of it.
///
/// `$counted`, if given, is counted instead: the same rows without the joins that only add columns.
macro_rules! paged {
    ($db:expr, $page:expr, $from:expr, $order:expr, $columns:expr, $row:ty, $convert:expr) => {
        $crate::db::paged!($db, $page, $from => $from, $order, $columns, $row, $convert)
    };
    ($db:expr, $page:expr, $counted:expr => $from:expr, $order:expr, $columns:expr, $row:ty, $convert:expr) => {{
        let total: i64 = $crate::db::on!($db, |conn| $counted.count().get_result(conn).await)?;
        let (limit, offset) = $crate::types::bounds($page);
        let rows: Vec<$row> = $crate::db::on!($db, |conn| $from
            .order($order)
            .limit(limit)
            .offset(offset)
            .select($columns)
            .load(conn)
            .await)?;
        let items = rows.into_iter().map($convert).collect::<Result<Vec<_>, StoreError>>()?;
        Ok($crate::Paged { total: $crate::types::count(total), items })
    }};
}
pub(crate) use paged;

/// Makes a writer wait for its turn: one transaction that writes at a time, as on SQLite. The number is arbitrary. With
/// a stricter level of isolation, which may be the database's default, a writer would go on with what it saw before it
/// waited, and two owners of a team could leave it at once.
const PG_BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED; \
                        SET LOCAL lock_timeout = '15s'; SET LOCAL idle_in_transaction_session_timeout = '60s'; \
                        SELECT pg_advisory_xact_lock(5264731984201);";

impl Db {
    pub(crate) fn new(link: Link, key: Arc<SealingKey>, statements: Arc<AtomicU64>) -> Self {
        Self { link: Some(link), key, statements, is_busy: false, in_transaction: false, has_failed: false }
    }

    pub(crate) fn start(&mut self) -> Result<(), StoreError> {
        if self.is_busy || self.has_failed {
            return Err(StoreError::Internal("a statement before this one did not finish".to_owned()));
        }
        self.is_busy = true;
        self.statements.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    pub(crate) fn finish<T>(&mut self, result: diesel::QueryResult<T>) -> Result<T, StoreError> {
        self.is_busy = false;
        result.map_err(|error| {
            self.has_failed = self.in_transaction;
            StoreError::from(error)
        })
    }

    /// Opens a transaction that may write at once: on SQLite of the immediate kind, since one that turns from
    /// reading to writing fails at once when another writes.
    pub(crate) async fn begin(&mut self) -> Result<(), StoreError> {
        self.in_transaction = true;
        let sql = if matches!(self.link, Some(Link::Pg(_))) { PG_BEGIN } else { "BEGIN IMMEDIATE" };
        on!(self, |conn| conn.batch_execute(sql).await)
    }

    pub(crate) async fn commit(mut self) -> Result<(), StoreError> {
        // A work that went on after a failed statement has seen half of what it meant to do.
        on!(&mut self, |conn| conn.batch_execute("COMMIT").await)?;
        self.in_transaction = false;
        Ok(())
    }

    pub(crate) async fn rollback(mut self) -> Result<(), StoreError> {
        self.has_failed = false;
        on!(&mut self, |conn| conn.batch_execute("ROLLBACK").await)?;
        self.in_transaction = false;
        Ok(())
    }
}

impl Drop for Db {
    fn drop(&mut self) {
        if self.is_busy || self.in_transaction {
            match self.link.take() {
                Some(Link::Pg(object)) => drop(Object::take(*object)),
                Some(Link::Lite(object)) => drop(Object::take(object)),
                None => {}
            }
        }
    }
}
