//! Opening a PostgreSQL database.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use diesel::ConnectionError;
use diesel_async::pooled_connection::deadpool::Pool;
use diesel_async::pooled_connection::{AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod};
use diesel_async::{AsyncMigrationHarness, AsyncPgConnection, SimpleAsyncConnection};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use futures::FutureExt;
use openssl::ssl::{SslConnector, SslMethod, SslVerifyMode};
use postgres_openssl::MakeTlsConnector;
use tokio_postgres::config::SslMode;

use crate::StoreError;

pub(crate) const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../../migrations/postgres");

/// Whoever holds this brings the tables up to date. The number is arbitrary, and another than that of writers.
const MIGRATION_LOCK: &str = "SELECT pg_advisory_lock(5264731984200)";

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Where the server is, and how it is to be trusted.
pub(crate) struct Target {
    pub(crate) config: tokio_postgres::Config,
    pub(crate) tls: MakeTlsConnector,
}

pub(crate) async fn open(url: &str, pool_size: usize) -> Result<Pool<AsyncPgConnection>, StoreError> {
    let target = Arc::new(Target::new(url)?);
    let mut conn = target.connect().await.map_err(|error| StoreError::Unavailable(error.to_string()))?;
    conn.batch_execute(MIGRATION_LOCK).await?;
    // The lock goes with the connection. The harness blocks its thread, so it gets one on which that is allowed.
    tokio::task::spawn_blocking(move || {
        let mut harness = AsyncMigrationHarness::new(conn);
        harness.run_pending_migrations(MIGRATIONS).map(|_| ()).map_err(|error| error.to_string())
    })
    .await
    .map_err(|error| StoreError::Internal(error.to_string()))?
    .map_err(|error| StoreError::Setup(format!("cannot bring the database up to date: {error}")))?;

    let mut config = ManagerConfig::default();
    config.recycling_method = RecyclingMethod::Fast;
    config.custom_setup = Box::new(move |_| {
        let target = Arc::clone(&target);
        async move { target.connect().await }.boxed()
    });
    // The address holds a password; the pool need not know it.
    Pool::builder(AsyncDieselConnectionManager::<AsyncPgConnection>::new_with_config("", config))
        .max_size(pool_size)
        .build()
        .map_err(|error| StoreError::Internal(error.to_string()))
}

impl Target {
    /// Reads an address. No part of it gets into an error, for it may hold a password.
    pub(crate) fn new(url: &str) -> Result<Self, StoreError> {
        let (url, mode, root) = split_tls(url);
        let mut config = tokio_postgres::Config::from_str(&url)
            .map_err(|_| StoreError::Setup("the address of the PostgreSQL database does not parse".to_owned()))?;
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_TIMEOUT);
        }
        if config.get_application_name().is_none() {
            config.application_name("slipway");
        }
        let tls_error = |error: openssl::error::ErrorStack| StoreError::Setup(format!("cannot set up TLS: {error}"));
        let mut builder = SslConnector::builder(SslMethod::tls_client()).map_err(tls_error)?;
        if let Some(file) = &root {
            builder
                .set_ca_file(file)
                .map_err(|_| StoreError::Setup(format!("cannot read the certificates of sslrootcert ({file})")))?;
        }
        // As libpq: without `verify-…` the connection is encrypted, and any certificate will do.
        let (ssl_mode, verify_chain, verify_name) = match mode.as_deref().unwrap_or("prefer") {
            "disable" => (SslMode::Disable, false, false),
            "allow" | "prefer" => (SslMode::Prefer, false, false),
            "require" => (SslMode::Require, root.is_some(), false),
            "verify-ca" => (SslMode::Require, true, false),
            "verify-full" => (SslMode::Require, true, true),
            _ => {
                return Err(StoreError::Setup(
                    "sslmode must be disable, prefer, require, verify-ca or verify-full".to_owned(),
                ));
            }
        };
        config.ssl_mode(ssl_mode);
        builder.set_verify(if verify_chain { SslVerifyMode::PEER } else { SslVerifyMode::NONE });
        let mut tls = MakeTlsConnector::new(builder.build());
        tls.set_callback(move |connect, _| {
            connect.set_verify_hostname(verify_name);
            Ok(())
        });
        Ok(Self { config, tls })
    }

    pub(crate) async fn connect(&self) -> diesel::ConnectionResult<AsyncPgConnection> {
        let bad = |error: tokio_postgres::Error| ConnectionError::BadConnection(error.to_string());
        let (client, connection) = self.config.connect(self.tls.clone()).await.map_err(bad)?;
        let mut conn = AsyncPgConnection::try_from_client_and_connection(client, connection).await?;
        conn.batch_execute("SET TIME ZONE 'UTC'; SET client_min_messages = warning;")
            .await
            .map_err(ConnectionError::CouldntSetupConfiguration)?;
        Ok(conn)
    }
}

/// Takes `sslmode` and `sslrootcert` out of an address: the driver knows fewer modes than the command-line tools.
fn split_tls(url: &str) -> (String, Option<String>, Option<String>) {
    let Some((base, query)) = url.split_once('?') else { return (url.to_owned(), None, None) };
    let (mut mode, mut root, mut rest) = (None, None, Vec::new());
    for pair in query.split('&') {
        match pair.split_once('=') {
            Some(("sslmode", value)) => mode = Some(value.to_owned()),
            Some(("sslrootcert", value)) => root = Some(value.replace("%2F", "/").replace("%2f", "/")),
            _ => rest.push(pair),
        }
    }
    let url = if rest.is_empty() { base.to_owned() } else { format!("{base}?{}", rest.join("&")) };
    (url, mode, root)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_without_showing_them() {
        let good = ["", "?sslmode=disable", "?sslmode=verify-full&application_name=x", "?sslmode=require"];
        for query in good {
            assert!(Target::new(&format!("postgres://u:secret@h/db{query}")).is_ok(), "{query}");
        }
        for bad in ["?sslmode=sometimes", "?nonsense=secret", "?sslmode=verify-ca&sslrootcert=/not/there"] {
            let error = Target::new(&format!("postgres://u:secret@h/db{bad}")).err().expect(bad).to_string();
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
