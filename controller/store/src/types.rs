//! How domain values lie in columns, and how they are read back: what does not parse is an error, never a default.

use std::fmt::Display;
use std::str::FromStr;

use chrono::{DateTime, NaiveDateTime, SubsecRound, Utc};
use diesel::deserialize::FromSqlRow;
use diesel::expression::AsExpression;
use diesel::sql_types::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::StoreError;

/// A UTC time in microseconds: PostgreSQL keeps no more, and a value must read back as it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, AsExpression, FromSqlRow)]
#[diesel(sql_type = Timestamp)]
pub(crate) struct UtcMicros(NaiveDateTime);

impl UtcMicros {
    pub(crate) fn utc(self) -> DateTime<Utc> {
        self.0.and_utc()
    }
}

impl From<DateTime<Utc>> for UtcMicros {
    fn from(time: DateTime<Utc>) -> Self {
        Self(time.naive_utc().trunc_subsecs(6))
    }
}

impl<B: diesel::backend::Backend> diesel::deserialize::FromSql<Timestamp, B> for UtcMicros
where
    NaiveDateTime: diesel::deserialize::FromSql<Timestamp, B>,
{
    fn from_sql(bytes: B::RawValue<'_>) -> diesel::deserialize::Result<Self> {
        NaiveDateTime::from_sql(bytes).map(Self)
    }
}

impl<B: diesel::backend::Backend> diesel::serialize::ToSql<Timestamp, B> for UtcMicros
where
    NaiveDateTime: diesel::serialize::ToSql<Timestamp, B>,
{
    fn to_sql<'b>(&'b self, out: &mut diesel::serialize::Output<'b, '_, B>) -> diesel::serialize::Result {
        self.0.to_sql(out)
    }
}

/// Which row is being read; names it in errors.
#[derive(Clone, Copy)]
pub(crate) struct Row<'a> {
    pub(crate) table: &'static str,
    pub(crate) id: &'a str,
}

impl Row<'_> {
    pub(crate) fn corrupt(self, reason: impl Display) -> StoreError {
        StoreError::Corrupt { table: self.table, row: self.id.to_owned(), reason: reason.to_string() }
    }

    /// Reads an identity, a name or a state. The text itself stays out of the error.
    pub(crate) fn parse<T: FromStr>(self, column: &str, text: &str) -> Result<T, StoreError> {
        text.parse().map_err(|_| self.corrupt(format_args!("{column} does not parse")))
    }

    /// Reads a JSON column.
    pub(crate) fn json<T: DeserializeOwned>(self, column: &str, text: &str) -> Result<T, StoreError> {
        serde_json::from_str(text).map_err(|error| {
            self.corrupt(format_args!("{column} is not the JSON expected (column {})", error.column()))
        })
    }

    /// Reads a JSON object whose keys are names with a grammar.
    pub(crate) fn json_map<K: FromStr + Ord, V: DeserializeOwned>(
        self,
        column: &str,
        text: &str,
    ) -> Result<std::collections::BTreeMap<K, V>, StoreError> {
        let map: std::collections::BTreeMap<String, V> = self.json(column, text)?;
        map.into_iter().map(|(key, value)| Ok((self.parse(column, &key)?, value))).collect()
    }
}

/// Writes a JSON column.
pub(crate) fn to_json(value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Internal(error.to_string()))
}

/// Writes a map with named keys as a JSON object.
pub(crate) fn to_json_map<K: Display, V: Serialize>(
    map: &std::collections::BTreeMap<K, V>,
) -> Result<String, StoreError> {
    to_json(&map.iter().map(|(key, value)| (key.to_string(), value)).collect::<std::collections::BTreeMap<_, _>>())
}

/// Free text for a column. PostgreSQL cannot hold NUL in text; both databases get the replacement character for it.
pub(crate) fn text(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// Whether text from outside may be looked up at all: what holds NUL is in no column.
pub(crate) fn can_be_stored(text: &str) -> bool {
    !text.contains('\0')
}

pub(crate) fn count(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}

/// `LIMIT` and `OFFSET` of a page.
pub(crate) fn bounds(page: slipway_core::Page) -> (i64, i64) {
    (i64::from(page.limit), i64::try_from(page.offset).unwrap_or(i64::MAX))
}
