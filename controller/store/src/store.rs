//! The store: a pool of connections, and transactions.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use diesel_async::pooled_connection::deadpool::Pool;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::db::{Link, Lite, on};
use crate::{Db, SealingKey, StoreError, canary, postgres, sqlite};

/// How long a caller waits for a connection before it is told that there is none.
const POOL_WAIT: Duration = Duration::from_secs(15);

/// How to reach the database.
#[derive(Debug, Clone)]
pub struct StoreConfig {
    /// `sqlite:///path`, `sqlite:path`, or `postgres://…`.
    ///
    /// For PostgreSQL, `sslmode` is `disable`, `prefer` (default), `require`, `verify-ca` or `verify-full`, and
    /// `sslrootcert` names a file of certificates to trust instead of the system's.
    pub url: SecretString,
    /// Most connections at a time, at least 2. Default 8.
    pub pool_size: usize,
    /// The key that secrets are stored under.
    pub key: SealingKey,
}

impl StoreConfig {
    /// The usual settings for `url`.
    #[must_use]
    pub fn new(url: SecretString, key: SealingKey) -> Self {
        Self { url, pool_size: 8, key }
    }
}

diesel::table! {
    /// What diesel keeps of the steps that were taken.
    #[sql_name = "__diesel_schema_migrations"]
    steps (version) {
        version -> Text,
        run_on -> Timestamp,
    }
}

/// The store. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    pool: AnyPool,
    key: Arc<SealingKey>,
    /// How many statements were run.
    statements: Arc<AtomicU64>,
    /// Writers of this process wait here, so that they do not hold all connections while they wait.
    turn: Semaphore,
}

pub(crate) enum AnyPool {
    Pg(Pool<AsyncPgConnection>),
    Lite(Pool<Lite>),
}

/// An async closure whose future can move between threads; never named by callers.
#[doc(hidden)]
pub trait SendAsyncFnOnce<T, R>: AsyncFnOnce(T) -> R + FnOnce(T) -> <Self as SendAsyncFnOnce<T, R>>::Fut {
    /// The future it gives.
    type Fut: Future<Output = R>;
}

impl<F, T, Fut, R> SendAsyncFnOnce<T, R> for F
where
    F: AsyncFnOnce(T) -> R + FnOnce(T) -> Fut,
    Fut: Future<Output = R>,
{
    type Fut = Fut;
}

/// One open transaction. Dropping it undoes it.
pub struct Transaction<'a> {
    /// Before the turn, so that an abandoned transaction is over before the next begins.
    db: Db,
    turn: SemaphorePermit<'a>,
}

impl Transaction<'_> {
    /// Where the work is done.
    pub fn db(&mut self) -> &mut Db {
        &mut self.db
    }

    /// Keeps what was done.
    ///
    /// # Errors
    /// `Internal` when a statement failed before; `Unavailable`. Nothing is kept then.
    pub async fn commit(self) -> Result<(), StoreError> {
        let Self { db, turn } = self;
        let result = db.commit().await;
        drop(turn);
        result
    }

    /// Undoes what was done, and keeps the connection for others, unlike dropping.
    pub async fn rollback(self) {
        let Self { db, turn } = self;
        if let Err(error) = db.rollback().await {
            // The connection is given up instead, which undoes the transaction as well.
            tracing::warn!(error = %error, "could not roll back");
        }
        drop(turn);
    }
}

impl Store {
    /// Opens the database, brings its tables up to date under a lock, and checks the key.
    ///
    /// An SQLite file is made if it is missing, readable by its owner only, as are directories that are missing.
    ///
    /// # Errors
    /// `Setup` when the address makes no sense, a file cannot be made or the key is not the one that this database
    /// was made with; `Unavailable` when the database does not answer.
    pub async fn connect(config: StoreConfig) -> Result<Self, StoreError> {
        let url = config.url.expose_secret();
        let pool_size = config.pool_size.max(2);
        let pool = if let Some(path) = url.strip_prefix("sqlite://").or_else(|| url.strip_prefix("sqlite:")) {
            AnyPool::Lite(sqlite::open(path, pool_size).await?)
        } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            AnyPool::Pg(postgres::open(url, pool_size).await?)
        } else {
            return Err(StoreError::Setup(
                "the database address must begin with sqlite:// or postgres://, for example sqlite:///var/lib/slipway/slipway.db"
                    .to_owned(),
            ));
        };
        let store = Self {
            inner: Arc::new(Inner {
                pool,
                key: Arc::new(config.key),
                statements: Arc::default(),
                turn: Semaphore::new(1),
            }),
        };
        store.write(async |db| canary::check(db).await).await?;
        Ok(store)
    }

    /// A handle for reading. Each statement sees what was committed before it.
    ///
    /// # Errors
    /// `Unavailable` when no connection can be had.
    pub async fn read(&self) -> Result<Db, StoreError> {
        let link = tokio::time::timeout(POOL_WAIT, self.inner.pool.link())
            .await
            .map_err(|_| StoreError::Unavailable("no connection became free".to_owned()))??;
        Ok(Db::new(link, Arc::clone(&self.inner.key), Arc::clone(&self.inner.statements)))
    }

    /// Runs `work` in one transaction: all of it is kept, or nothing.
    ///
    /// Writers come one at a time, over all processes, on either database: what `work` reads cannot change before it
    /// writes. So it must be short: nothing but database calls inside. Dropping the future undoes it. After a statement
    /// that failed no other runs, and nothing is kept even if `work` goes on: ask first what can be in the way.
    ///
    /// # Errors
    /// What `work` returns, which undoes it; `Unavailable` when no connection or no turn can be had.
    pub async fn write<'f, T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: for<'r> AsyncFnOnce(&'r mut Db) -> Result<T, E>
            + for<'r> SendAsyncFnOnce<&'r mut Db, Result<T, E>, Fut: Send>
            + Send
            + 'f,
        E: From<StoreError> + Send + 'f,
        T: Send + 'f,
    {
        let mut transaction = self.transaction().await?;
        match work(transaction.db()).await {
            Ok(value) => {
                transaction.commit().await?;
                Ok(value)
            }
            Err(error) => {
                transaction.rollback().await;
                Err(error)
            }
        }
    }

    /// Opens a transaction as [`Store::write`] does, for callers whose work is no closure: it is undone unless
    /// [`Transaction::commit`] is called.
    ///
    /// # Errors
    /// `Unavailable` when no connection or no turn can be had.
    pub async fn transaction(&self) -> Result<Transaction<'_>, StoreError> {
        let turn =
            self.inner.turn.acquire().await.map_err(|_| StoreError::Internal("the store is closed".to_owned()))?;
        Ok(Transaction { db: self.begin().await?, turn })
    }

    /// Opens a transaction; tries again while nothing has been done yet, on another connection.
    async fn begin(&self) -> Result<Db, StoreError> {
        let mut tries = 0;
        loop {
            let mut db = self.read().await?;
            match db.begin().await {
                Ok(()) => return Ok(db),
                Err(error) if error.retryable() && tries < 3 => tries += 1,
                Err(error) => return Err(error),
            }
        }
    }

    pub(crate) fn is_postgres(&self) -> bool {
        matches!(self.inner.pool, AnyPool::Pg(_))
    }

    /// How many statements this store and its clones have run, those around transactions apart.
    #[must_use]
    pub fn statements(&self) -> u64 {
        AtomicU64::load(&self.inner.statements, Ordering::Relaxed)
    }

    /// The newest step that the database was brought up to, as the steps are numbered.
    ///
    /// # Errors
    /// `Unavailable` when it does not answer.
    pub async fn last_migration(&self) -> Result<Option<String>, StoreError> {
        use diesel::{ExpressionMethods, OptionalExtension, QueryDsl};
        let mut db = self.read().await?;
        let query = steps::table.order(steps::version.desc()).select(steps::version);
        on!(&mut db, |conn| query.first::<String>(conn).await.optional())
    }

    /// Asks the database for a sign of life.
    ///
    /// # Errors
    /// `Unavailable` when there is none.
    pub async fn ping(&self) -> Result<(), StoreError> {
        let mut db = self.read().await?;
        let one = diesel::select(diesel::dsl::sql::<diesel::sql_types::Integer>("1"));
        let _: i32 = on!(&mut db, |conn| one.get_result(conn).await)?;
        Ok(())
    }
}

impl AnyPool {
    async fn link(&self) -> Result<Link, StoreError> {
        let unavailable = |error: &dyn std::fmt::Display| StoreError::Unavailable(error.to_string());
        match self {
            Self::Pg(pool) => {
                pool.get().await.map(|object| Link::Pg(Box::new(object))).map_err(|error| unavailable(&error))
            }
            Self::Lite(pool) => pool.get().await.map(Link::Lite).map_err(|error| unavailable(&error)),
        }
    }
}
