//! Which of several controllers on one database leads.

use std::fmt;
use std::time::Duration;

use diesel::dsl::sql;
use diesel::sql_types::Bool;
use diesel_async::pooled_connection::deadpool::Object;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use tokio::time::timeout;

use crate::db::Link;
use crate::{Store, StoreError};

/// Held by the leader for as long as its connection lives. The number is arbitrary, and another than those of writers
/// and migrations.
const LEAD_LOCK: &str = "pg_try_advisory_lock(5264731984202)";
/// Longest that the database may take to answer.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// Leading: nobody else on this database does until it is dropped, or its connection is lost.
pub struct Lead {
    /// `None` on SQLite, where nobody else is.
    conn: Option<Box<AsyncPgConnection>>,
}

impl fmt::Debug for Lead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lead").field("is_shared", &self.conn.is_some()).finish()
    }
}

impl Lead {
    /// Checks that it still holds.
    ///
    /// # Errors
    /// `Unavailable` when the database does not answer: by the time it does another may lead.
    pub async fn check(&mut self) -> Result<(), StoreError> {
        let Some(conn) = &mut self.conn else { return Ok(()) };
        answer(diesel::select(sql::<Bool>("TRUE")).get_result::<bool>(conn)).await.map(drop)
    }
}

impl Store {
    /// Whether other processes may be on the same database.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.is_postgres()
    }

    /// Begins to lead unless another process does. On SQLite it always does.
    ///
    /// # Errors
    /// `Unavailable` when the database does not answer.
    pub async fn lead_try(&self) -> Result<Option<Lead>, StoreError> {
        if !self.is_shared() {
            return Ok(Some(Lead { conn: None }));
        }
        let mut db = self.read().await?;
        let Some(Link::Pg(object)) = db.link.take() else { return Ok(None) };
        // Out of the pool: the lock lives and dies with the connection.
        let mut conn = Object::take(*object);
        let has_lock = answer(diesel::select(sql::<Bool>(LEAD_LOCK)).get_result::<bool>(&mut conn)).await?;
        Ok(has_lock.then(|| Lead { conn: Some(Box::new(conn)) }))
    }
}

async fn answer<T>(query: impl Future<Output = diesel::QueryResult<T>>) -> Result<T, StoreError> {
    let answer = timeout(ANSWER_MAX, query).await;
    Ok(answer.map_err(|_| StoreError::Unavailable("the database does not answer".to_owned()))??)
}
