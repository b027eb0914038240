//! What was read: tables, rows, and cells as the types that they should be.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use super::layout::{Layout, WANTED, layout_of};

/// Most bytes of all cells that are kept. A platform of 10,000 apps with 100,000 releases has about a tenth of it.
const KEPT_MAX_BYTES: usize = 1 << 30;

/// Why the source as a whole cannot be imported. Names tables, columns and lines, never what is in them.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SourceError(pub String);

impl SourceError {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

/// A cell: `None` is NULL.
pub(crate) type Cell = Option<String>;

/// One table: of its columns those that [`WANTED`] keeps.
#[derive(Debug)]
pub(crate) struct Table {
    columns: Vec<&'static str>,
    rows: Vec<Vec<Cell>>,
}

/// Where the columns of a table are among the cells of a row as it comes.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    pub(crate) layout: &'static Layout,
    /// How many cells a row has.
    pub(crate) width: usize,
    /// For each kept column its place.
    places: Vec<usize>,
}

impl Shape {
    /// Fits the columns that a source has to the layout.
    ///
    /// # Errors
    /// A column that is needed is missing.
    pub(crate) fn new(layout: &'static Layout, columns: &[String]) -> Result<(Self, Vec<&'static str>), SourceError> {
        if let Some(missing) = layout.required.iter().find(|name| !columns.iter().any(|column| column == *name)) {
            return Err(SourceError::new(format!(
                "table {} has no column {missing}: this is not the layout of Deis Workflow or Drycc at API 2.3",
                layout.table
            )));
        }
        let kept = layout.required.iter().chain(layout.optional).copied();
        let (names, places) =
            kept.filter_map(|name| Some((name, columns.iter().position(|column| column == name)?))).unzip();
        Ok((Self { layout, width: columns.len(), places }, names))
    }

    /// Whether the cell at this place is kept.
    pub(crate) fn is_kept(&self, place: usize) -> bool {
        self.places.contains(&place)
    }
}

/// All that was read.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    tables: BTreeMap<&'static str, Table>,
    kept_bytes: usize,
}

impl Tables {
    /// Starts a table, or goes on with it when it has the same columns (each `INSERT` names them anew).
    ///
    /// # Errors
    /// A needed column is missing, or the table was there before with others.
    pub(crate) fn begin(&mut self, layout: &'static Layout, columns: &[String]) -> Result<Shape, SourceError> {
        let (shape, names) = Shape::new(layout, columns)?;
        let table =
            self.tables.entry(layout.table).or_insert_with(|| Table { columns: names.clone(), rows: Vec::new() });
        if table.columns != names {
            return Err(SourceError::new(format!("table {} comes twice with different columns", layout.table)));
        }
        Ok(shape)
    }

    /// Whether rows of this table were read already.
    pub(crate) fn has(&self, table: &str) -> bool {
        self.tables.contains_key(table)
    }

    /// Adds a row: of all its cells, those that are kept.
    ///
    /// # Errors
    /// There is more than can be held.
    pub(crate) fn push(&mut self, shape: &Shape, mut cells: Vec<Cell>) -> Result<(), SourceError> {
        let row: Vec<Cell> = shape.places.iter().map(|place| cells.get_mut(*place).and_then(Option::take)).collect();
        self.kept_bytes += row.iter().map(|cell| cell.as_ref().map_or(0, String::len) + 24).sum::<usize>() + 24;
        if self.kept_bytes > KEPT_MAX_BYTES {
            return Err(SourceError::new(format!("the source holds more than {KEPT_MAX_BYTES} bytes of rows")));
        }
        if let Some(table) = self.tables.get_mut(shape.layout.table) {
            table.rows.push(row);
        }
        Ok(())
    }

    /// Checks that everything needed is there.
    ///
    /// # Errors
    /// The first table that is not.
    pub(crate) fn check(&self) -> Result<(), SourceError> {
        match WANTED.iter().find(|layout| layout.is_required && !self.has(layout.table)) {
            Some(layout) => Err(SourceError::new(format!(
                "there is no table {}: this is not a database of Deis Workflow or Drycc at API 2.3, or only a part of one",
                layout.table
            ))),
            None => Ok(()),
        }
    }

    /// The rows of a table; none when it is missing.
    pub(crate) fn rows(&self, table: &'static str) -> impl Iterator<Item = RowRef<'_>> {
        debug_assert!(layout_of(table).is_some(), "{table} is never read");
        self.tables
            .get(table)
            .into_iter()
            .flat_map(|table| table.rows.iter().map(move |cells| RowRef { columns: &table.columns, cells }))
    }

    /// How many rows a table has.
    pub(crate) fn count(&self, table: &str) -> usize {
        self.tables.get(table).map_or(0, |table| table.rows.len())
    }
}

/// One row. The reasons that its functions give are for the report: they name columns, not contents.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RowRef<'a> {
    columns: &'a [&'static str],
    cells: &'a [Cell],
}

impl<'a> RowRef<'a> {
    /// The text of a column; `None` for NULL and for a column that the source lacks.
    pub(crate) fn get(self, column: &str) -> Option<&'a str> {
        let place = self.columns.iter().position(|name| *name == column)?;
        self.cells.get(place)?.as_deref()
    }

    /// The text of a column that must have one.
    pub(crate) fn text(self, column: &str) -> Result<&'a str, String> {
        self.get(column).ok_or_else(|| format!("{column} is NULL"))
    }

    /// An identity of our form.
    pub(crate) fn uuid(self, column: &str) -> Result<Uuid, String> {
        Uuid::parse_str(self.text(column)?).map_err(|_| format!("{column} is not a UUID"))
    }

    /// A number.
    pub(crate) fn number(self, column: &str) -> Result<i64, String> {
        self.text(column)?.parse().map_err(|_| format!("{column} is not a whole number"))
    }

    /// A flag; `None` for NULL.
    pub(crate) fn flag(self, column: &str) -> Result<Option<bool>, String> {
        match self.get(column) {
            None => Ok(None),
            Some("t" | "true") => Ok(Some(true)),
            Some("f" | "false") => Ok(Some(false)),
            Some(_) => Err(format!("{column} is neither true nor false")),
        }
    }

    /// A time; one without a zone counts as UTC. `None` for NULL.
    pub(crate) fn time(self, column: &str) -> Result<Option<DateTime<Utc>>, String> {
        let Some(text) = self.get(column) else { return Ok(None) };
        let bad = |_| format!("{column} is not a time");
        let is_zoned = text.get(11..).is_some_and(|clock| clock.contains(['+', '-', 'Z']));
        let time = if is_zoned {
            DateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f%#z").map_err(bad)?.to_utc()
        } else {
            NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f").map_err(bad)?.and_utc()
        };
        // Years of five digits and more are written in another form than the databases read.
        if (1..=9999).contains(&chrono::Datelike::year(&time)) {
            Ok(Some(time))
        } else {
            Err(format!("{column} is out of range"))
        }
    }

    /// A map in JSON; empty for NULL, for no text and for a JSON `null`.
    pub(crate) fn map(self, column: &str) -> Result<serde_json::Map<String, Value>, String> {
        match self.get(column).map(str::trim) {
            None | Some("" | "null") => Ok(serde_json::Map::new()),
            // The parser's own message may quote what it read.
            Some(text) => match serde_json::from_str(text) {
                Ok(Value::Object(map)) => Ok(map),
                // Written by versions that encoded twice.
                Ok(Value::String(inner)) => {
                    serde_json::from_str(&inner).map_err(|_| format!("{column} is not a map in JSON"))
                }
                Ok(_) | Err(_) => Err(format!("{column} is not a map in JSON")),
            },
        }
    }

    /// A list of texts in PostgreSQL's form, `{a,"b c"}`; empty for NULL.
    pub(crate) fn list(self, column: &str) -> Result<Vec<String>, String> {
        let Some(text) = self.get(column) else { return Ok(Vec::new()) };
        list_parse(text).ok_or_else(|| format!("{column} is not a list"))
    }
}

/// Reads a one-dimensional array of texts.
fn list_parse(text: &str) -> Option<Vec<String>> {
    let inner = text.strip_prefix('{')?.strip_suffix('}')?;
    let mut items = Vec::new();
    if inner.is_empty() {
        return Some(items);
    }
    let mut letters = inner.chars().peekable();
    loop {
        let mut item = String::new();
        if letters.next_if_eq(&'"').is_some() {
            loop {
                match letters.next()? {
                    '"' => break,
                    '\\' => item.push(letters.next()?),
                    letter => item.push(letter),
                }
            }
        } else {
            while let Some(letter) = letters.next_if(|letter| *letter != ',') {
                if matches!(letter, '{' | '}' | '"' | '\\') {
                    return None;
                }
                item.push(letter);
            }
            if item.is_empty() {
                return None;
            }
        }
        if item != "NULL" {
            items.push(item);
        }
        match letters.next() {
            None => return Some(items),
            Some(',') => {}
            Some(_) => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(cells: &[Option<&str>]) -> (Vec<&'static str>, Vec<Cell>) {
        (vec!["a", "b", "c"], cells.iter().map(|cell| cell.map(str::to_owned)).collect())
    }

    #[test]
    fn cells_are_read_as_what_they_should_be() {
        let (columns, cells) = row(&[Some("2016-08-10 18:03:11.25+02"), Some("t"), None]);
        let row = RowRef { columns: &columns, cells: &cells };
        assert_eq!(row.time("a").unwrap().unwrap().to_rfc3339(), "2016-08-10T16:03:11.250+00:00");
        assert_eq!((row.flag("b"), row.flag("c"), row.flag("nowhere")), (Ok(Some(true)), Ok(None), Ok(None)));
        assert_eq!(row.text("c"), Err("c is NULL".to_owned()));
        assert!(row.uuid("a").is_err() && row.number("a").is_err() && row.flag("a").is_err());
    }

    #[test]
    fn times_of_all_zones_are_read_and_nonsense_is_not() {
        for (text, utc) in [
            ("2016-08-10 16:03:11+00", Some("2016-08-10T16:03:11+00:00")),
            ("2016-08-10 16:03:11.000001", Some("2016-08-10T16:03:11.000001+00:00")),
            ("2016-08-10 16:03:11+05:30", Some("2016-08-10T10:33:11+00:00")),
            ("2016-08-10 16:03:11-08", Some("2016-08-11T00:03:11+00:00")),
            ("infinity", None),
            ("44016-08-10 16:03:11+00", None),
            ("2016-08-10 16:03:11+00 BC", None),
            ("2016-13-10 16:03:11+00", None),
            ("", None),
        ] {
            let (columns, cells) = row(&[Some(text)]);
            let time = RowRef { columns: &columns, cells: &cells }.time("a").ok().flatten();
            assert_eq!(time.map(|time| time.to_rfc3339()).as_deref(), utc, "{text}");
        }
    }

    #[test]
    fn maps_may_be_empty_or_encoded_twice() {
        for (text, keys) in [
            (None, Some(0)),
            (Some(""), Some(0)),
            (Some("null"), Some(0)),
            (Some("{}"), Some(0)),
            (Some(r#"{"a": 1}"#), Some(1)),
            (Some(r#""{\"a\": 1}""#), Some(1)),
            (Some("[]"), None),
            (Some("{"), None),
            (Some(r#""x""#), None),
        ] {
            let (columns, cells) = row(&[text]);
            let map = RowRef { columns: &columns, cells: &cells }.map("a");
            assert_eq!(map.ok().map(|map| map.len()), keys, "{text:?}");
        }
        let deep = format!("{{\"a\": {}1{}}}", "[".repeat(10_000), "]".repeat(10_000));
        let (columns, cells) = row(&[Some(&deep)]);
        assert!(RowRef { columns: &columns, cells: &cells }.map("a").is_err());
    }

    #[test]
    fn lists_are_read() {
        let list = |text: &str| list_parse(text);
        assert_eq!(list("{}"), Some(vec![]));
        assert_eq!(list("{10.0.0.0/8,::1}"), Some(vec!["10.0.0.0/8".to_owned(), "::1".to_owned()]));
        assert_eq!(list(r#"{"a,\"b\\",NULL}"#), Some(vec![r#"a,"b\"#.to_owned()]));
        for bad in ["", "{", "a", "{a", "{,}", "{\"a}", "{{a}}", "{\"a\"b}", "{a,}"] {
            assert_eq!(list(bad), None, "{bad}");
        }
    }
}
