//! Opening an SQLite database.

use std::fs::{DirBuilder, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};
use diesel_async::pooled_connection::deadpool::Pool;
use diesel_async::pooled_connection::{AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod};
use diesel_async::{AsyncConnection, SimpleAsyncConnection};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use futures::FutureExt;

use crate::StoreError;
use crate::db::Lite;

pub(crate) const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../../migrations/sqlite");

/// `busy_timeout` first: without it, connections that open at the same time fail instead of waiting. The cache is each
/// connection's own (KiB, as a negative number): half of what SQLite would take, for the system caches the file as well.
const PRAGMAS: &str =
    "PRAGMA busy_timeout = 10000; PRAGMA foreign_keys = ON; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -1000;";

pub(crate) async fn open(path: &str, pool_size: usize) -> Result<Pool<Lite>, StoreError> {
    if path.is_empty() || path.contains('\0') || path.starts_with("file:") || path.contains(":memory:") {
        return Err(StoreError::Setup(
            "the database address must name a file, as in sqlite:///var/lib/slipway/slipway.db".to_owned(),
        ));
    }
    let file = PathBuf::from(path);
    tokio::task::spawn_blocking(move || prepare(&file))
        .await
        .map_err(|error| StoreError::Internal(error.to_string()))??;
    let mut config = ManagerConfig::default();
    config.recycling_method = RecyclingMethod::Fast;
    config.custom_setup = Box::new(|url| {
        let url = url.to_owned();
        async move {
            let mut conn = Lite::establish(&url).await?;
            conn.batch_execute(PRAGMAS).await.map_err(diesel::ConnectionError::CouldntSetupConfiguration)?;
            Ok(conn)
        }
        .boxed()
    });
    Pool::builder(AsyncDieselConnectionManager::<Lite>::new_with_config(path, config))
        .max_size(pool_size)
        .build()
        .map_err(|error| StoreError::Internal(error.to_string()))
}

/// Makes the file, and its tables, while no other process does.
fn prepare(file: &Path) -> Result<(), StoreError> {
    let failed = |what: &str, error: io::Error| StoreError::Setup(format!("cannot {what} {}: {error}", file.display()));
    if let Some(dir) = file.parent().filter(|dir| !dir.as_os_str().is_empty()) {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)
            .map_err(|error| failed("make the directory of", error))?;
    }
    let private = |path: &Path| OpenOptions::new().create(true).append(true).mode(0o600).open(path);
    // Beside the database, since SQLite has its own use for locks on the file itself. Freed when it is closed.
    let mut lock_name = file.as_os_str().to_owned();
    lock_name.push(".lock");
    let lock = private(Path::new(&lock_name)).map_err(|error| failed("make the lock file of", error))?;
    lock.lock().map_err(|error| failed("lock", error))?;
    // SQLite would make it readable by all; its side files take over the mode of this one.
    private(file).map_err(|error| failed("open", error))?;

    let text = file.to_str().ok_or_else(|| StoreError::Setup("the database's path must be UTF-8".to_owned()))?;
    let mut conn = SqliteConnection::establish(text)
        .map_err(|error| StoreError::Setup(format!("cannot open {}: {error}", file.display())))?;
    let not_ours = |error: &dyn std::fmt::Display| {
        StoreError::Setup(format!("cannot bring {} up to date: {error}", file.display()))
    };
    conn.batch_execute(PRAGMAS).map_err(|error| not_ours(&error))?;
    // Stays with the file, so that connections need not ask for it.
    conn.batch_execute("PRAGMA journal_mode = WAL;").map_err(|error| not_ours(&error))?;
    conn.run_pending_migrations(MIGRATIONS).map_err(|error| not_ours(&error))?;
    Ok(())
}
