//! `.env` files: reading what people write, and writing what reads back the same.
//!
//! A line is `NAME=value`, possibly with `export` in front. Values may stand in single quotes (taken as they are) or
//! double quotes (with `\n`, `\r`, `\t`, `\"`, `\\`, `\$`), and then span lines. Without quotes a value ends at the line's end
//! or at a `#` after a blank. Line ends may be CRLF.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Why a file is not a `.env` file.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct DotenvError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub reason: &'static str,
}

/// Reads a file. Of a name given twice the last value counts.
pub fn parse(text: &str) -> Result<BTreeMap<String, String>, DotenvError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n");
    let mut values = BTreeMap::new();
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let at = |reason, rest: &str| {
            let read = &text[..text.len() - rest.len()];
            DotenvError { line: 1 + read.matches('\n').count(), reason }
        };
        let (first, after) = rest.split_once('\n').unwrap_or((rest, ""));
        let trimmed = first.trim();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            rest = after;
            continue;
        }
        let Some((name, value)) = first.split_once('=') else {
            return Err(at("there is no `=`", rest));
        };
        let name = name.trim();
        let name = name.strip_prefix("export ").unwrap_or(name).trim();
        if name.is_empty() || name.contains(char::is_whitespace) {
            return Err(at("the name before `=` is empty or has blanks in it", rest));
        }
        let value_at = first.len() - value.trim_start_matches([' ', '\t']).len();
        let value_text = &rest[value_at..];
        let (value, left) = match value_text.chars().next() {
            Some('\'') => single(&value_text[1..]).ok_or_else(|| at("the single quote is not closed", rest))?,
            Some('"') => double(&value_text[1..]).ok_or_else(|| at("the double quote is not closed", rest))?,
            _ => (bare(first.get(value_at..).unwrap_or_default()), after),
        };
        let left = if value_text.starts_with(['\'', '"']) {
            let (tail, next) = left.split_once('\n').unwrap_or((left, ""));
            let tail = tail.trim();
            if !tail.is_empty() && !tail.starts_with('#') {
                return Err(at("there is text after the closing quote", left));
            }
            next
        } else {
            left
        };
        values.insert(name.to_owned(), value);
        rest = left;
    }
    Ok(values)
}

fn bare(text: &str) -> String {
    let mut end = text.len();
    let mut after_blank = true;
    for (at, c) in text.char_indices() {
        if c == '#' && after_blank {
            end = at;
            break;
        }
        after_blank = c == ' ' || c == '\t';
    }
    text[..end].trim().to_owned()
}

fn single(text: &str) -> Option<(String, &str)> {
    text.split_once('\'').map(|(value, rest)| (value.to_owned(), rest))
}

fn double(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => match chars.next()?.1 {
                'n' => value.push('\n'),
                'r' => value.push('\r'),
                't' => value.push('\t'),
                quoted @ ('"' | '\\' | '$' | '`') => value.push(quoted),
                // What is not an escape stays as it was written: people put regular expressions in here.
                other => {
                    value.push('\\');
                    value.push(other);
                }
            },
            _ => value.push(c),
        }
    }
    None
}

/// Writes a file that [`parse`] reads back to the same values.
pub fn render(values: &BTreeMap<String, String>) -> String {
    let mut out = String::new();
    for (name, value) in values {
        let is_plain = value.chars().all(|c| c.is_ascii_alphanumeric() || "_-./:@%+,=?&~*".contains(c));
        // Writing to a String cannot fail.
        let _ = if is_plain { writeln!(out, "{name}={value}") } else { writeln!(out, "{name}=\"{}\"", escaped(value)) };
    }
    out
}

fn escaped(value: &str) -> String {
    let mut out = String::new();
    for c in value.chars() {
        match c {
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '"' | '\\' | '$' | '`' => {
                out.push('\\');
                out.push(c);
            }
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, want: &[(&str, &str)]) {
        let want: BTreeMap<String, String> =
            want.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        assert_eq!(parse(text).unwrap(), want, "{text:?}");
    }

    #[test]
    fn files_as_people_write_them() {
        check("", &[]);
        check("A=1", &[("A", "1")]);
        check("A=1\nB=2\n", &[("A", "1"), ("B", "2")]);
        check("A=1\r\nB=2\r\n", &[("A", "1"), ("B", "2")]);
        check("\u{feff}A=1", &[("A", "1")]);
        check("# c\n\n  # d\nA = 1 # why\n", &[("A", "1")]);
        check("A=b#c", &[("A", "b#c")]);
        check("A=#c", &[("A", "")]);
        check("A=", &[("A", "")]);
        check("A=''", &[("A", "")]);
        check("export A=\"x y\" # c\nB=2", &[("A", "x y"), ("B", "2")]);
        check("A='it is $5 \\n'\nB=2", &[("A", "it is $5 \\n"), ("B", "2")]);
        check("A=\"one\ntwo\"\nB=2", &[("A", "one\ntwo"), ("B", "2")]);
        check("A=\"one\r\ntwo\"\r\nB='x\r\ny'\r\n", &[("A", "one\ntwo"), ("B", "x\ny")]);
        check(r#"A="a\nb\t\"\\\$\d""#, &[("A", "a\nb\t\"\\$\\d")]);
        check("A=postgres://u:p@h/d?x=1&y=2", &[("A", "postgres://u:p@h/d?x=1&y=2")]);
        check("A=1\nA=2", &[("A", "2")]);
        check("A=grüße 世界", &[("A", "grüße 世界")]);
    }

    #[test]
    fn errors_name_the_line() {
        for (text, line) in [
            ("A=1\nB\n", 2),
            ("=1", 1),
            ("A=1\n\nB C=2", 3),
            ("A=\"one\ntwo", 1),
            ("X=1\nA='one\ntwo", 2),
            ("A=\"one\ntwo\" three", 2),
        ] {
            assert_eq!(parse(text).unwrap_err().line, line, "{text:?}");
        }
    }

    #[test]
    fn what_is_written_reads_back() {
        let values: BTreeMap<String, String> = [
            ("PLAIN", "a-b_c/d:1"),
            ("EMPTY", ""),
            ("QUOTES", "it's \"so\" `x` $HOME \\ \\n"),
            ("LINES", "one\r\ntwo\n\n three \n"),
            ("HASH", "a # b"),
            ("BLANKS", "  x\t "),
            ("UNICODE", "grüße 世界"),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
        assert_eq!(parse(&render(&values)).unwrap(), values);
        assert_eq!(parse(&render(&values).replace('\n', "\r\n")).unwrap(), values);
    }
}
