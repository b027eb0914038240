//! Reads a dump in plain SQL, line by line, and keeps the rows of the tables that matter.

use std::collections::HashMap;
use std::io::{self, BufRead};

use super::layout::layout_of;
use super::sql::{Statement, may_matter, parse, text_of, unescape};
use super::table::{Cell, Shape, SourceError, Tables};

/// Longest line, and longest statement: far more than any row of these tables has.
const LENGTH_MAX: usize = 64 << 20;
/// Bytes of a statement after which it is clear whether it matters.
const HEAD: usize = 256;
/// What `pg_dump` and `pg_restore` write at the end.
const LAST_LINE: &[u8] = b"-- PostgreSQL database dump complete";

/// Reads a whole dump.
///
/// # Errors
/// It is no such dump, was cut off, is too large, or in an encoding other than UTF-8. The text says where.
pub(crate) fn read(input: &mut dyn BufRead) -> Result<Tables, SourceError> {
    let mut dump = Dump::default();
    let mut line = Vec::new();
    loop {
        dump.line += 1;
        line.clear();
        match line_read(input, &mut line).map_err(|reason| dump.at(&reason))? {
            Line::End => break,
            // Every line that pg_dump writes ends; half a row must not pass for a damaged one.
            Line::Cut if !matches!(dump.copy, Copy::No) => break,
            Line::Cut | Line::Whole => {}
        }
        if dump.line == 1 {
            let start = kind_check(&line)?;
            line.drain(..start);
        }
        if let Err(error) = dump.line_take(&line) {
            return Err(dump.at(&error.0));
        }
    }
    dump.finish()
}

/// What was read of a line.
enum Line {
    /// All of it.
    Whole,
    /// What there is of the last one, whose end is missing.
    Cut,
    /// Nothing: the input is at its end.
    End,
}

/// Reads a line without its end. No more than [`LENGTH_MAX`] bytes are ever held.
fn line_read(input: &mut dyn BufRead, line: &mut Vec<u8>) -> Result<Line, String> {
    let mut is_any = false;
    loop {
        let chunk = match input.fill_buf() {
            Ok(chunk) => chunk,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(format!("the source cannot be read to its end: {error}")),
        };
        if chunk.is_empty() {
            return Ok(if is_any { Line::Cut } else { Line::End });
        }
        is_any = true;
        let (part, used, is_whole) = match chunk.iter().position(|byte| *byte == b'\n') {
            Some(end) => (&chunk[..end], end + 1, true),
            None => (chunk, chunk.len(), false),
        };
        if line.len() + part.len() > LENGTH_MAX {
            return Err(format!("the line is longer than {LENGTH_MAX} bytes"));
        }
        line.extend_from_slice(part);
        input.consume(used);
        if is_whole {
            return Ok(Line::Whole);
        }
    }
}

/// How many bytes at the start say nothing, or that this is something else.
fn kind_check(line: &[u8]) -> Result<usize, SourceError> {
    if line.starts_with(b"\xef\xbb\xbf") {
        return Ok(3);
    }
    let begins = |magic: &[u8]| line.starts_with(magic);
    if begins(b"\xff\xfe") || begins(b"\xfe\xff") || (line.len() > 3 && (line[1] == 0 || line[0] == 0)) {
        return Err(SourceError::new("the dump is in UTF-16; write it with pg_dump --file=… rather than with >"));
    }
    Ok(0)
}

/// Whether the rows of a `COPY` follow line by line.
#[derive(Debug, Default)]
enum Copy {
    /// They do not: this is SQL.
    #[default]
    No,
    /// They are passed over.
    Skip,
    /// They are kept.
    Keep(Shape),
}

/// Where the reader is within a statement.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
enum Within {
    /// Outside of all quotes.
    #[default]
    Plain,
    /// In a text; whether backslashes escape.
    Text { has_escapes: bool },
    /// In a name.
    Name,
    /// In a text between `$tag$`.
    Dollar(Vec<u8>),
    /// In comments, so deep.
    Comment(u32),
}

#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own about what was read so far")]
struct Dump {
    tables: Tables,
    line: u64,
    within: Within,
    /// The statement so far, without comments.
    statement: Vec<u8>,
    /// Whether the statement will not be looked at.
    is_skipped: bool,
    /// Its rows follow line by line; without a shape they are passed over.
    copy: Copy,
    /// Columns in order, for `INSERT`s that do not name them.
    created: HashMap<String, Vec<String>>,
    copied: Vec<String>,
    has_old_strings: bool,
    is_complete: bool,
    has_begun: bool,
}

impl Dump {
    fn at(&self, reason: &str) -> SourceError {
        SourceError::new(format!("line {}: {reason}", self.line))
    }

    fn line_take(&mut self, line: &[u8]) -> Result<(), SourceError> {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        match &self.copy {
            Copy::No => {}
            Copy::Skip | Copy::Keep(_) if line == b"\\." => {
                self.copy = Copy::No;
                return Ok(());
            }
            Copy::Skip => return Ok(()),
            Copy::Keep(shape) => return self.tables.push(shape, copy_row(line, shape)?),
        }
        let is_between = self.within == Within::Plain && self.statement.trim_ascii().is_empty();
        if is_between {
            // Commands for psql (`\connect`, `\restrict`) are one line each.
            if line.starts_with(b"\\") {
                return Ok(());
            }
            self.is_complete |= line.starts_with(LAST_LINE);
            self.has_begun |= line.starts_with(b"-- PostgreSQL database");
        }
        self.scan(line)
    }

    /// Goes through a line of SQL.
    fn scan(&mut self, line: &[u8]) -> Result<(), SourceError> {
        let mut at = 0;
        while let Some(byte) = line.get(at).copied() {
            let next = line.get(at + 1).copied();
            let mut step = 1;
            match &mut self.within {
                Within::Plain => match byte {
                    b'-' if next == Some(b'-') => break,
                    b'/' if next == Some(b'*') => {
                        self.within = Within::Comment(1);
                        at += 2;
                        continue;
                    }
                    b'\'' => {
                        let before = at.checked_sub(1).and_then(|place| line.get(place));
                        let has_escapes = self.has_old_strings || matches!(before, Some(b'E' | b'e'));
                        self.within = Within::Text { has_escapes };
                    }
                    b'"' => self.within = Within::Name,
                    b'$' => {
                        if let Some(tag) = dollar_tag(line, at) {
                            step = tag.len();
                            self.within = Within::Dollar(tag);
                        }
                    }
                    b';' => {
                        self.end()?;
                        at += 1;
                        continue;
                    }
                    _ => {}
                },
                Within::Text { has_escapes: true } if byte == b'\\' => step = 2,
                Within::Text { .. } if byte == b'\'' && next == Some(b'\'') => step = 2,
                Within::Text { .. } if byte == b'\'' => self.within = Within::Plain,
                Within::Name if byte == b'"' => self.within = Within::Plain,
                Within::Dollar(tag) if byte == b'$' && line[at..].starts_with(tag) => {
                    step = tag.len();
                    self.within = Within::Plain;
                }
                Within::Comment(depth) => {
                    if byte == b'*' && next == Some(b'/') {
                        *depth -= 1;
                        step = 2;
                        if *depth == 0 {
                            self.within = Within::Plain;
                        }
                    } else if byte == b'/' && next == Some(b'*') {
                        *depth += 1;
                        step = 2;
                    }
                    at += step;
                    continue;
                }
                Within::Text { .. } | Within::Name | Within::Dollar(_) => {}
            }
            let end = (at + step).min(line.len());
            self.keep(&line[at..end])?;
            at = end;
        }
        self.keep(b"\n")
    }

    /// Keeps a piece of a statement, unless it is clear that it will not be looked at.
    fn keep(&mut self, part: &[u8]) -> Result<(), SourceError> {
        if self.is_skipped {
            return Ok(());
        }
        self.statement.extend_from_slice(part);
        let length = self.statement.len();
        if length > HEAD && length - part.len() <= HEAD && !may_matter(&self.statement) {
            self.is_skipped = true;
            self.statement.truncate(HEAD);
        }
        if length > LENGTH_MAX {
            return Err(SourceError::new(format!("a statement is longer than {LENGTH_MAX} bytes")));
        }
        Ok(())
    }

    /// Does what the statement that just ended says.
    fn end(&mut self) -> Result<(), SourceError> {
        let statement = std::mem::take(&mut self.statement);
        if std::mem::take(&mut self.is_skipped) {
            return Ok(());
        }
        match parse(&statement, self.has_old_strings, |table| layout_of(table).is_some())? {
            None => Ok(()),
            Some(Statement::Set { name, value }) => self.set(&name, &value),
            Some(Statement::Create { table, columns }) => {
                self.created.insert(table, columns);
                Ok(())
            }
            Some(Statement::Copy { table, columns }) => self.copy_begin(table, columns),
            Some(Statement::Insert { table, columns, rows }) => self.insert(&table, columns.as_ref(), rows),
        }
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), SourceError> {
        match name {
            "client_encoding"
                if !["utf8", "utf-8", "unicode", "sql_ascii"].contains(&value.to_ascii_lowercase().as_str()) =>
            {
                Err(SourceError::new(format!(
                    "the dump is in the encoding {}; make it with pg_dump --encoding=UTF8",
                    value.escape_debug().take(40).collect::<String>()
                )))
            }
            "standard_conforming_strings" => {
                self.has_old_strings = value.eq_ignore_ascii_case("off") || value.eq_ignore_ascii_case("false");
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn copy_begin(&mut self, table: String, columns: Option<Vec<String>>) -> Result<(), SourceError> {
        let Some(layout) = layout_of(&table) else {
            self.copy = Copy::Skip;
            return Ok(());
        };
        if self.copied.contains(&table) {
            return Err(SourceError::new(format!(
                "table {table} comes twice: the dump holds more than one database; make one of the platform's alone"
            )));
        }
        let columns = columns.or_else(|| self.created.get(&table).cloned());
        let columns = columns.ok_or_else(|| SourceError::new(format!("the columns of table {table} are not named")))?;
        let shape = self.tables.begin(layout, &columns)?;
        self.copied.push(table);
        self.copy = Copy::Keep(shape);
        Ok(())
    }

    fn insert(&mut self, table: &str, columns: Option<&Vec<String>>, rows: Vec<Vec<Cell>>) -> Result<(), SourceError> {
        let Some(layout) = layout_of(table) else { return Ok(()) };
        let columns = columns.or_else(|| self.created.get(table));
        let columns = columns.ok_or_else(|| SourceError::new(format!("the columns of table {table} are not named")))?;
        let shape = self.tables.begin(layout, columns)?;
        for row in rows {
            if row.len() != shape.width {
                return Err(width_error(&shape, row.len()));
            }
            self.tables.push(&shape, row)?;
        }
        Ok(())
    }

    fn finish(self) -> Result<Tables, SourceError> {
        let is_inside = !matches!(self.copy, Copy::No) || self.within != Within::Plain;
        if is_inside || (!self.is_complete && (self.has_begun || !self.statement.trim_ascii().is_empty())) {
            return Err(SourceError::new(format!(
                "the dump was cut off: it ends at line {} without pg_dump's last line",
                self.line - 1
            )));
        }
        if !self.is_complete {
            return Err(SourceError::new("this is not a dump as pg_dump writes it: its last line is missing"));
        }
        // A table that is empty has no INSERT; it is there if it was created.
        let Self { mut tables, created, .. } = self;
        for (table, columns) in created {
            if let Some(layout) = layout_of(&table).filter(|_| !tables.has(&table)) {
                tables.begin(layout, &columns)?;
            }
        }
        tables.check()?;
        Ok(tables)
    }
}

/// The tag that begins here, with both its dollar signs.
fn dollar_tag(line: &[u8], at: usize) -> Option<Vec<u8>> {
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_' || *byte >= 0x80;
    if at.checked_sub(1).and_then(|place| line.get(place)).is_some_and(is_name) {
        return None;
    }
    let length = line[at + 1..].iter().take_while(|byte| is_name(byte)).count();
    let is_tag = line.get(at + 1 + length) == Some(&b'$') && !line[at + 1].is_ascii_digit();
    is_tag.then(|| line[at..at + length + 2].to_vec())
}

fn width_error(shape: &Shape, found: usize) -> SourceError {
    SourceError::new(format!(
        "a row of table {} has {found} columns, not the {} that were named",
        shape.layout.table, shape.width
    ))
}

/// Reads one line of `COPY … FROM stdin`.
///
/// # Errors
/// It has more or fewer cells than columns were named, or text that is no UTF-8.
pub(crate) fn copy_row(line: &[u8], shape: &Shape) -> Result<Vec<Cell>, SourceError> {
    let mut cells = Vec::with_capacity(shape.width);
    if !(line.is_empty() && shape.width == 0) {
        for (place, raw) in line.split(|byte| *byte == b'\t').enumerate() {
            cells.push(if raw == b"\\N" || !shape.is_kept(place) { None } else { Some(text_of(unescape(raw))?) });
        }
    }
    if cells.len() == shape.width { Ok(cells) } else { Err(width_error(shape, cells.len())) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DUMP: &str = include_str!("../../tests/fixtures/deis.sql");

    fn lines(text: &str) -> Result<Tables, SourceError> {
        read(&mut text.as_bytes())
    }

    #[test]
    fn quotes_comments_and_functions_hide_what_is_in_them() {
        let hiding = "CREATE FUNCTION f() RETURNS text AS $body$ begin; 'x' $$ ; COPY auth_user (id) FROM stdin;\n\
                      $body$ LANGUAGE sql;\n/* ; /* COPY auth_user (id) FROM stdin; */ ' */\n\
                      COMMENT ON TABLE x IS 'it''s; COPY auth_user (id) FROM stdin;';\n\
                      SELECT E'a\\'; COPY auth_user (id) FROM stdin;', \"od;d\";\n-- '; COPY auth_user (id) FROM stdin;\n";
        assert!(lines(&format!("{hiding}{DUMP}")).is_ok());
        let inside = lines(&format!("COPY auth_user (id) FROM stdin;\n{DUMP}")).err().map(|error| error.0);
        assert!(inside.is_some_and(|text| text.starts_with("line 1: table auth_user has no column username")));
    }

    #[test]
    fn errors_name_the_line() {
        let text = DUMP.replacen("\tana\tAna\t", "\tana\t", 1);
        let line = text.lines().position(|line| line.contains("\tana\tN")).map(|place| place + 1);
        let error = lines(&text).err().map(|error| error.0).unwrap_or_default();
        assert!(line.is_some_and(|line| error.starts_with(&format!("line {line}: "))), "{error}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
            let _ = read(&mut &bytes[..]);
        }

        #[test]
        fn no_sql_makes_it_panic(
            pieces in prop::collection::vec(
                prop::sample::select(vec![
                    "COPY auth_user ", "INSERT INTO api_app ", "CREATE TABLE api_tls ", "(", ")", ",", ";", "\n", "'", "\"",
                    "$$", "$a$", "--", "/*", "*/", "E'", "\\", "VALUES ", "NULL", "FROM stdin;\n", "\\.\n", "\t", "uuid", ".",
                    "::", "SET client_encoding = 'UTF8'", "-1.5", "\u{fc}",
                ]),
                0..60,
            ),
        ) {
            let _ = lines(&pieces.concat());
        }
    }
}
