//! Another PostgreSQL database, not of ours, as text: for taking over what another platform kept there.

use futures::{StreamExt, pin_mut};
use secrecy::{ExposeSecret, SecretString};
use tokio_postgres::{Client, SimpleQueryMessage};

use crate::StoreError;
use crate::postgres::Target;

/// Longest row, in bytes.
const ROW_MAX: usize = 64 << 20;

/// A database that is only read, in one transaction: all tables as they were at one moment.
pub struct Foreign {
    client: Client,
    connection: tokio::task::JoinHandle<()>,
}

impl Foreign {
    /// Connects to `postgres://…`, with the same `sslmode` and `sslrootcert` as the platform's own database.
    ///
    /// # Errors
    /// `Setup` when the address makes no sense, `Unavailable` when nobody answers or the password is wrong. The
    /// address is never part of the text.
    pub async fn connect(url: &SecretString) -> Result<Self, StoreError> {
        let url = url.expose_secret();
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err(StoreError::Setup("the address of the other database must begin with postgres://".to_owned()));
        }
        let Target { config, tls } = Target::new(url)?;
        let (client, connection) = config.connect(tls).await.map_err(|error| unavailable(&error))?;
        let connection = tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "the connection to the other database ended");
            }
        });
        let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; \
                     SET LOCAL client_encoding = 'UTF8'; SET LOCAL DateStyle = 'ISO'; SET LOCAL TimeZone = 'UTC'";
        client.batch_execute(begin).await.map_err(|error| unavailable(&error))?;
        Ok(Self { client, connection })
    }

    /// The columns of a table that is found without naming a schema, in order; `None` when there is none.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn columns(&self, table: &str) -> Result<Option<Vec<String>>, StoreError> {
        // `to_regclass` takes another type in the versions that the old platforms came with.
        let query = format!(
            "SELECT a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid \
             WHERE c.relname = '{}' AND c.relkind IN ('r', 'p') AND pg_table_is_visible(c.oid) \
             AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
            table.replace('\'', "''")
        );
        let messages = self.client.simple_query(&query).await.map_err(|error| unavailable(&error))?;
        let names: Vec<String> = messages
            .iter()
            .filter_map(|message| match message {
                SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
                _ => None,
            })
            .collect();
        Ok((!names.is_empty()).then_some(names))
    }

    /// Reads these columns of all rows, and hands each row to `take` as a line of `COPY` in text form, in UTF-8.
    ///
    /// # Errors
    /// `Unavailable` when the connection breaks or the table may not be read; `Setup` for a row of absurd length;
    /// what `take` gives.
    pub async fn copy<E: From<StoreError>>(
        &self,
        table: &str,
        columns: &[String],
        mut take: impl FnMut(&[u8]) -> Result<(), E> + Send,
    ) -> Result<(), E> {
        let names: Vec<String> = columns.iter().map(|name| quoted(name)).collect();
        let query = format!("COPY {} ({}) TO STDOUT", quoted(table), names.join(", "));
        let stream = self.client.copy_out(&query).await.map_err(|error| unavailable(&error))?;
        pin_mut!(stream);
        let mut rest: Vec<u8> = Vec::new();
        while let Some(chunk) = stream.next().await {
            let chunk = chunk.map_err(|error| unavailable(&error))?;
            rest.extend_from_slice(&chunk);
            let mut start = 0;
            while let Some(length) = rest[start..].iter().position(|byte| *byte == b'\n') {
                take(&rest[start..start + length])?;
                start += length + 1;
            }
            rest.drain(..start);
            if rest.len() > ROW_MAX {
                return Err(StoreError::Setup(format!("a row of table {table} is longer than {ROW_MAX} bytes")).into());
            }
        }
        Ok(())
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn unavailable(error: &tokio_postgres::Error) -> StoreError {
    // The server's own words name tables and users, never passwords.
    match error.as_db_error() {
        Some(db) => StoreError::Unavailable(format!("the other database refused: {}", db.message())),
        None => StoreError::Unavailable(format!("the other database does not answer: {error}")),
    }
}
