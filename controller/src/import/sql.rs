//! The little SQL that a dump is made of: words, texts and signs of one statement, and the statements that matter.

use super::table::{Cell, SourceError};

/// A piece of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Token {
    /// A word or number, as written.
    Word(String),
    /// A name in double quotes.
    Name(String),
    /// A text in single quotes, unescaped.
    Text(String),
    /// Any other sign.
    Sign(u8),
}

impl Token {
    fn is_word(&self, word: &str) -> bool {
        matches!(self, Self::Word(text) if text.eq_ignore_ascii_case(word))
    }

    /// The name that a word or a quoted name stands for.
    fn name(&self) -> Option<String> {
        match self {
            Self::Word(word) => Some(word.to_ascii_lowercase()),
            Self::Name(name) => Some(name.clone()),
            Self::Text(_) | Self::Sign(_) => None,
        }
    }
}

/// Cuts one statement, free of comments, into tokens.
pub(crate) struct Tokens<'a> {
    rest: &'a [u8],
    /// Whether a backslash is an escape in every text (`standard_conforming_strings = off`).
    has_old_strings: bool,
}

impl<'a> Tokens<'a> {
    pub(crate) fn new(statement: &'a [u8], has_old_strings: bool) -> Self {
        Self { rest: statement, has_old_strings }
    }

    /// The next token; `None` at the end.
    ///
    /// # Errors
    /// A text does not end, or is no UTF-8.
    pub(crate) fn next(&mut self) -> Result<Option<Token>, SourceError> {
        self.rest = self.rest.trim_ascii_start();
        let Some((first, after)) = self.rest.split_first() else { return Ok(None) };
        match *first {
            b'\'' => {
                self.rest = after;
                self.text(self.has_old_strings).map(Some)
            }
            b'E' | b'e' if after.first() == Some(&b'\'') => {
                self.rest = &after[1..];
                self.text(true).map(Some)
            }
            b'"' => {
                self.rest = after;
                self.quoted(b'"').and_then(|bytes| text_of(bytes).map(Token::Name)).map(Some)
            }
            byte if is_word_byte(byte)
                || (matches!(byte, b'-' | b'+') && after.first().is_some_and(u8::is_ascii_digit)) =>
            {
                let end = after.iter().position(|byte| !is_word_byte(*byte)).unwrap_or(after.len()) + 1;
                let (word, rest) = self.rest.split_at(end);
                self.rest = rest;
                text_of(word.to_vec()).map(|word| Some(Token::Word(word)))
            }
            sign => {
                self.rest = after;
                Ok(Some(Token::Sign(sign)))
            }
        }
    }

    /// What is up to the closing quote; a doubled one stands for itself.
    fn quoted(&mut self, quote: u8) -> Result<Vec<u8>, SourceError> {
        let mut bytes = Vec::new();
        loop {
            let end = self.rest.iter().position(|byte| *byte == quote).ok_or_else(unfinished)?;
            bytes.extend_from_slice(&self.rest[..end]);
            self.rest = &self.rest[end + 1..];
            if self.rest.first() != Some(&quote) {
                return Ok(bytes);
            }
            bytes.push(quote);
            self.rest = &self.rest[1..];
        }
    }

    fn text(&mut self, has_escapes: bool) -> Result<Token, SourceError> {
        if !has_escapes {
            return text_of(self.quoted(b'\'')?).map(Token::Text);
        }
        let mut raw = Vec::new();
        loop {
            let (first, after) = self.rest.split_first().ok_or_else(unfinished)?;
            self.rest = after;
            match *first {
                b'\'' if after.first() == Some(&b'\'') => {
                    raw.push(b'\'');
                    self.rest = &after[1..];
                }
                b'\'' => return text_of(unescape(&raw)).map(Token::Text),
                b'\\' => {
                    let (second, after) = after.split_first().ok_or_else(unfinished)?;
                    raw.extend([b'\\', *second]);
                    self.rest = after;
                }
                byte => raw.push(byte),
            }
        }
    }

    fn expect(&mut self, sign: u8) -> Result<(), SourceError> {
        match self.next()? {
            Some(Token::Sign(found)) if found == sign => Ok(()),
            _ => Err(unfinished()),
        }
    }
}

fn unfinished() -> SourceError {
    SourceError::new("a statement is not of the form that pg_dump writes")
}

fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | b'.') || byte >= 0x80
}

/// Bytes as text.
///
/// # Errors
/// They are no UTF-8.
pub(crate) fn text_of(bytes: Vec<u8>) -> Result<String, SourceError> {
    String::from_utf8(bytes)
        .map_err(|_| SourceError::new("there is text that is not UTF-8; make the dump with pg_dump --encoding=UTF8"))
}

/// Resolves the escapes of `COPY` and of texts with escapes, which are alike.
pub(crate) fn unescape(raw: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'\\' {
            bytes.push(*first);
            continue;
        }
        let Some((second, after)) = rest.split_first() else {
            bytes.push(b'\\');
            break;
        };
        rest = after;
        let digits = |start: &[u8], most: usize, is_digit: fn(&u8) -> bool| {
            start.iter().take(most).take_while(|byte| is_digit(byte)).count()
        };
        match *second {
            b'b' => bytes.push(8),
            b'f' => bytes.push(12),
            b'n' => bytes.push(b'\n'),
            b'r' => bytes.push(b'\r'),
            b't' => bytes.push(b'\t'),
            b'v' => bytes.push(11),
            b'0'..=b'7' => {
                let more = digits(rest, 2, |byte| (b'0'..=b'7').contains(byte));
                let number = rest[..more]
                    .iter()
                    .fold(u32::from(*second - b'0'), |sum, digit| sum * 8 + u32::from(*digit - b'0'));
                bytes.push(u8::try_from(number & 0xff).unwrap_or_default());
                rest = &rest[more..];
            }
            b'x' if rest.first().is_some_and(u8::is_ascii_hexdigit) => {
                let more = digits(rest, 2, u8::is_ascii_hexdigit);
                let number = rest[..more]
                    .iter()
                    .fold(0_u32, |sum, digit| sum * 16 + char::from(*digit).to_digit(16).unwrap_or_default());
                bytes.push(u8::try_from(number).unwrap_or_default());
                rest = &rest[more..];
            }
            other => bytes.push(other),
        }
    }
    bytes
}

/// A statement that matters.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Statement {
    /// `SET name = value`.
    Set { name: String, value: String },
    /// `CREATE TABLE` with its columns in order.
    Create { table: String, columns: Vec<String> },
    /// `COPY table (columns) FROM stdin`: its rows follow.
    Copy { table: String, columns: Option<Vec<String>> },
    /// `INSERT INTO table (columns) VALUES …`.
    Insert { table: String, columns: Option<Vec<String>>, rows: Vec<Vec<Cell>> },
}

/// Whether what begins like this may matter: everything else need not be kept to its end.
pub(crate) fn may_matter(head: &[u8]) -> bool {
    let head = head.trim_ascii_start();
    let begins = |word: &str| head.get(..word.len()).is_none_or(|start| start.eq_ignore_ascii_case(word.as_bytes()));
    ["SET ", "CREATE TABLE ", "CREATE UNLOGGED TABLE ", "COPY ", "INSERT "].into_iter().any(begins)
}

/// Reads a statement; `None` for one that does not matter.
///
/// # Errors
/// One that matters is not of the form that `pg_dump` writes.
pub(crate) fn parse(
    statement: &[u8],
    has_old_strings: bool,
    is_wanted: impl Fn(&str) -> bool,
) -> Result<Option<Statement>, SourceError> {
    if !may_matter(statement) {
        return Ok(None);
    }
    let mut tokens = Tokens::new(statement, has_old_strings);
    let Some(Token::Word(verb)) = tokens.next()? else { return Ok(None) };
    match verb.to_ascii_uppercase().as_str() {
        "SET" => set(&mut tokens),
        "CREATE" => {
            let mut word = tokens.next()?;
            if word.as_ref().is_some_and(|word| word.is_word("UNLOGGED")) {
                word = tokens.next()?;
            }
            if !word.is_some_and(|word| word.is_word("TABLE")) {
                return Ok(None);
            }
            let (table, _) = table_name(&mut tokens)?;
            if !is_wanted(&table) {
                return Ok(None);
            }
            Ok(Some(Statement::Create { columns: definitions(&mut tokens)?, table }))
        }
        "COPY" => {
            let (table, next) = table_name(&mut tokens)?;
            let (columns, next) = columns(&mut tokens, next)?;
            let stdin = if next.is_some_and(|next| next.is_word("FROM")) { tokens.next()? } else { None };
            if !stdin.is_some_and(|word| word.is_word("stdin")) {
                return Ok(None);
            }
            if tokens.next()?.is_some() {
                return Err(SourceError::new(format!(
                    "the COPY of table {table} is not in the form that pg_dump writes"
                )));
            }
            Ok(Some(Statement::Copy { table, columns }))
        }
        "INSERT" => {
            if !tokens.next()?.is_some_and(|word| word.is_word("INTO")) {
                return Ok(None);
            }
            let (table, next) = table_name(&mut tokens)?;
            if !is_wanted(&table) {
                return Ok(None);
            }
            let (columns, mut next) = columns(&mut tokens, next)?;
            while next
                .as_ref()
                .is_some_and(|next| ["OVERRIDING", "SYSTEM", "USER", "VALUE"].iter().any(|word| next.is_word(word)))
            {
                next = tokens.next()?;
            }
            if !next.is_some_and(|next| next.is_word("VALUES")) {
                return Err(SourceError::new(format!("an INSERT into table {table} has no VALUES")));
            }
            Ok(Some(Statement::Insert { rows: values(&mut tokens)?, columns, table }))
        }
        _ => Ok(None),
    }
}

fn set(tokens: &mut Tokens<'_>) -> Result<Option<Statement>, SourceError> {
    let Some(name) = tokens.next()?.as_ref().and_then(Token::name) else { return Ok(None) };
    match tokens.next()? {
        Some(Token::Sign(b'=')) => {}
        Some(word) if word.is_word("TO") => {}
        _ => return Ok(None),
    }
    Ok(match tokens.next()? {
        Some(Token::Word(value) | Token::Text(value) | Token::Name(value)) => Some(Statement::Set { name, value }),
        Some(Token::Sign(_)) | None => None,
    })
}

/// A table's name without its schema, and the token after it.
fn table_name(tokens: &mut Tokens<'_>) -> Result<(String, Option<Token>), SourceError> {
    let mut name = String::new();
    loop {
        let token = tokens.next()?.ok_or_else(unfinished)?;
        // `ONLY`, or `IF NOT EXISTS`: no table of ours is named so.
        if ["ONLY", "IF", "NOT", "EXISTS"].iter().any(|word| token.is_word(word)) {
            continue;
        }
        name.push_str(&token.name().ok_or_else(unfinished)?);
        match tokens.next()? {
            // A quoted part is followed by its dot alone.
            Some(Token::Word(word)) if word == "." => {}
            Some(Token::Word(word)) if word.starts_with('.') => {
                name = word[1..].to_ascii_lowercase();
                return Ok((last_part(&name), tokens.next()?));
            }
            next => {
                let is_split = name.ends_with('.');
                if is_split {
                    let Some(part) = next.as_ref().and_then(Token::name) else { return Err(unfinished()) };
                    return Ok((part, tokens.next()?));
                }
                return Ok((last_part(&name), next));
            }
        }
        name.clear();
    }
}

fn last_part(name: &str) -> String {
    name.rsplit('.').next().unwrap_or(name).to_owned()
}

/// `(a, "b")`, if there is one, and the token after it.
fn columns(tokens: &mut Tokens<'_>, next: Option<Token>) -> Result<(Option<Vec<String>>, Option<Token>), SourceError> {
    if next != Some(Token::Sign(b'(')) {
        return Ok((None, next));
    }
    let mut names = Vec::new();
    loop {
        names.push(tokens.next()?.as_ref().and_then(Token::name).ok_or_else(unfinished)?);
        match tokens.next()? {
            Some(Token::Sign(b',')) => {}
            Some(Token::Sign(b')')) => return Ok((Some(names), tokens.next()?)),
            _ => return Err(unfinished()),
        }
    }
}

/// The columns of a `CREATE TABLE` after its opening parenthesis.
fn definitions(tokens: &mut Tokens<'_>) -> Result<Vec<String>, SourceError> {
    const CONSTRAINTS: [&str; 7] = ["CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN", "EXCLUDE", "LIKE"];
    let mut names = Vec::new();
    let mut depth = 0_u32;
    let mut is_first = true;
    while let Some(token) = tokens.next()? {
        if is_first && !matches!(token, Token::Sign(_)) {
            if !CONSTRAINTS.iter().any(|word| token.is_word(word)) {
                names.extend(token.name());
            }
            is_first = false;
            continue;
        }
        match token {
            Token::Sign(b'(') => depth += 1,
            Token::Sign(b')') if depth == 0 => return Ok(names),
            Token::Sign(b')') => depth -= 1,
            Token::Sign(b',') if depth == 0 => is_first = true,
            _ => {}
        }
    }
    Err(unfinished())
}

/// The rows after `VALUES`.
fn values(tokens: &mut Tokens<'_>) -> Result<Vec<Vec<Cell>>, SourceError> {
    let mut rows = Vec::new();
    loop {
        tokens.expect(b'(')?;
        let mut row = Vec::new();
        loop {
            row.push(match tokens.next()? {
                Some(Token::Text(text)) => Some(text),
                Some(Token::Word(word)) if word.eq_ignore_ascii_case("null") => None,
                Some(Token::Word(word)) if is_literal(&word) => Some(word),
                _ => return Err(unfinished()),
            });
            let mut next = tokens.next()?;
            // A cast says nothing new: `'{}'::character varying[]`.
            while next == Some(Token::Sign(b':')) {
                loop {
                    next = tokens.next()?;
                    if next.is_none() || matches!(next, Some(Token::Sign(b',' | b')'))) {
                        break;
                    }
                }
            }
            match next {
                Some(Token::Sign(b',')) => {}
                Some(Token::Sign(b')')) => break,
                _ => return Err(unfinished()),
            }
        }
        rows.push(row);
        match tokens.next()? {
            Some(Token::Sign(b',')) => {}
            // `ON CONFLICT DO NOTHING` may follow.
            None => return Ok(rows),
            Some(word) if word.is_word("ON") => return Ok(rows),
            Some(_) => return Err(unfinished()),
        }
    }
}

fn is_literal(word: &str) -> bool {
    let is_number = word.bytes().next().is_some_and(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b'+'));
    is_number || word.eq_ignore_ascii_case("true") || word.eq_ignore_ascii_case("false")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(statement: &str) -> Option<Statement> {
        parse(statement.as_bytes(), false, |_| true).unwrap()
    }

    fn row(cells: &[Option<&str>]) -> Vec<Cell> {
        cells.iter().map(|cell| cell.map(str::to_owned)).collect()
    }

    #[test]
    fn statements_of_old_and_new_dumps_are_read() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        for copy in [
            "COPY public.api_config (uuid, \"values\") FROM stdin",
            "COPY api_config (uuid, \"values\") FROM stdin",
            "\nCOPY \"public\".\"api_config\" (uuid, \"values\") FROM stdin",
            "copy \"Odd\".api_config (UUID, values) from STDIN",
        ] {
            let columns = Some(names(&["uuid", "values"]));
            assert_eq!(read(copy), Some(Statement::Copy { table: "api_config".to_owned(), columns }), "{copy}");
        }
        assert_eq!(
            read("SET client_encoding = 'UTF8'"),
            Some(Statement::Set { name: "client_encoding".to_owned(), value: "UTF8".to_owned() })
        );
        let create =
            "CREATE TABLE public.api_app (\n uuid uuid NOT NULL,\n id character varying(63),\n price numeric(1,2),
            \"values\" text DEFAULT ','::text, CONSTRAINT x CHECK ((version >= 0))\n)";
        let columns = names(&["uuid", "id", "price", "values"]);
        assert_eq!(read(create), Some(Statement::Create { table: "api_app".to_owned(), columns }));
        for other in ["ALTER TABLE x ADD y", "COPY x TO stdout", "CREATE INDEX i ON t (a)", "SELECT 1", "", "INSERT"] {
            assert_eq!(read(other), None, "{other}");
        }
    }

    #[test]
    fn values_of_all_kinds_are_read() {
        let statement = "INSERT INTO public.api_app (a, b) OVERRIDING SYSTEM VALUE VALUES ('it''s', NULL), \
                         (E'a\\nb\\'c\\\\', -1.5e3),\n\t(true, '{}'::character varying[]) ON CONFLICT DO NOTHING";
        let Some(Statement::Insert { rows, columns, .. }) = read(statement) else { panic!("not read") };
        assert_eq!(columns.map(|columns| columns.len()), Some(2));
        let (first, second) = (row(&[Some("it's"), None]), row(&[Some("a\nb'c\\"), Some("-1.5e3")]));
        assert_eq!(rows, [first, second, row(&[Some("true"), Some("{}")])]);
        let old = parse(b"INSERT INTO t VALUES ('a\\tb')", true, |_| true).unwrap();
        let Some(Statement::Insert { rows, .. }) = old else { panic!("not read") };
        assert_eq!(rows, [row(&[Some("a\tb")])]);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for bad in [
            "INSERT INTO t VALUES ('a",
            "INSERT INTO t VALUES (",
            "INSERT INTO t VALUES (now())",
            "INSERT INTO t VALUES (1) x",
            "INSERT INTO t SELECT 1",
            "INSERT INTO t VALUES (DEFAULT)",
            "COPY t (a FROM stdin",
            "COPY t (a) FROM stdin WITH CSV",
            "CREATE TABLE t (a int",
            "CREATE TABLE ;",
        ] {
            assert!(parse(bad.as_bytes(), false, |_| true).is_err(), "{bad}");
        }
        assert!(parse(b"INSERT INTO t VALUES ('\xff')", false, |_| true).is_err());
    }

    #[test]
    fn escapes_are_resolved() {
        for (raw, plain) in [
            (&br"a\tb\nc\\d"[..], &b"a\tb\nc\\d"[..]),
            (br"\101\x41\x4\0", b"AA\x04\0"),
            (br"\q\'", b"q'"),
            (br"\x\", b"x\\"),
            (b"\\777", b"\xff"),
        ] {
            assert_eq!(unescape(raw), plain);
        }
    }
}
