//! The Procfile: which commands an app has.

use crate::ProcessType;
use crate::build::Procfile;

/// Largest Procfile that is read, in bytes.
pub const PROCFILE_MAX_BYTES: usize = 256 * 1024;
/// Most process types that one Procfile may name.
pub const PROCFILE_MAX_TYPES: usize = 100;

/// What is wrong with a Procfile, and in which line (from 1).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Procfile, line {line}: {reason}")]
pub struct ProcfileError {
    /// The line, from 1; 0 when it concerns the whole file.
    pub line: usize,
    /// The reason.
    pub reason: String,
}

/// Reads a Procfile: `TYPE: COMMAND` in each line, `#` comments and blank lines between.
///
/// A line that is empty or begins with `#` is passed over, CRLF counts as the end of a line, and a byte order mark
/// in front is ignored. A file without any process type gives an empty map.
///
/// # Errors
/// The first line that is not of that form, names a type twice, has a bad type or an empty command; or a file that
/// is too large, has too many types or holds NUL.
pub fn parse(text: &str) -> Result<Procfile, ProcfileError> {
    let whole = |reason: String| ProcfileError { line: 0, reason };
    if text.len() > PROCFILE_MAX_BYTES {
        return Err(whole(format!("larger than {PROCFILE_MAX_BYTES} bytes")));
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut procfile = Procfile::new();
    for (index, line) in text.lines().enumerate() {
        let fail = |reason: String| ProcfileError { line: index + 1, reason };
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if line.contains('\0') {
            return Err(fail("holds a NUL character".to_owned()));
        }
        let (name, command) = line.split_once(':').ok_or_else(|| fail("expected 'type: command'".to_owned()))?;
        let name = name.trim();
        let process_type = ProcessType::new(name)
            .map_err(|error| fail(format!("'{}' is not a process type: {error}", shorten(name))))?;
        let command = command.trim();
        if command.is_empty() {
            return Err(fail(format!("the command of '{process_type}' is empty")));
        }
        if procfile.insert(process_type.clone(), command.to_owned()).is_some() {
            return Err(fail(format!("'{process_type}' is there twice")));
        }
        if procfile.len() > PROCFILE_MAX_TYPES {
            return Err(fail(format!("more than {PROCFILE_MAX_TYPES} process types")));
        }
    }
    Ok(procfile)
}

/// Cuts a piece of hostile input to what fits in a message.
fn shorten(text: &str) -> String {
    let mut short: String = text.chars().take(40).flat_map(char::escape_default).collect();
    if text.chars().count() > 40 {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, expect: &[(&str, &str)]) {
        let got = parse(text).unwrap();
        let got: Vec<(&str, &str)> = got.iter().map(|(name, command)| (name.as_str(), command.as_str())).collect();
        assert_eq!(got, expect, "{text:?}");
    }

    #[test]
    fn good_files() {
        check("", &[]);
        check("\u{feff}web: run", &[("web", "run")]);
        check("# all\r\nweb:  python app.py \r\n\r\nworker: a: b\r\n", &[("web", "python app.py"), ("worker", "a: b")]);
    }

    #[test]
    fn bad_files_name_the_line() {
        for (text, line) in
            [("web", 1), ("web: a\nweb: b", 2), ("web:", 1), ("We_b: a", 1), ("a: b\0", 1), ("\n\n: x", 3)]
        {
            assert_eq!(parse(text).unwrap_err().line, line, "{text:?}");
        }
        let many = (0..10_000).map(|n| format!("t{n}: x")).collect::<Vec<_>>().join("\n");
        assert_eq!(parse(&many).unwrap_err().line, PROCFILE_MAX_TYPES + 1);
    }

    proptest! {
        #[test]
        fn never_panics(text in "\\PC*") {
            let _ = parse(&text);
        }
    }
}
