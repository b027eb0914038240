//! The command line that an SSH client asks for.

/// Longest command line that is read.
pub const COMMAND_MAX: usize = 4096;

/// What a client wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exec {
    /// Answer `pong`.
    Ping,
    /// Take a push; the path of the repository as the client gave it.
    ReceivePack(String),
    /// Serve a fetch.
    UploadPack(String),
}

/// Why a command is not run; the text is for the user.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExecError {
    /// It cannot be read.
    #[error("the command cannot be read: {0}")]
    Syntax(&'static str),
    /// It is not one of ours.
    #[error("only git push, git fetch and ping are possible here")]
    Unknown,
    /// A git command without a path.
    #[error("No repo given")]
    NoRepository,
}

/// Reads a command line. No shell ever sees it.
///
/// # Errors
/// [`ExecError`].
pub fn parse(command: &[u8]) -> Result<Exec, ExecError> {
    if command.len() > COMMAND_MAX {
        return Err(ExecError::Syntax("it is too long"));
    }
    let command = std::str::from_utf8(command).map_err(|_| ExecError::Syntax("it is not UTF-8"))?;
    let words = words(command)?;
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["ping"] => Ok(Exec::Ping),
        ["git-receive-pack", path] | ["git", "receive-pack", path] => Ok(Exec::ReceivePack((*path).to_owned())),
        ["git-upload-pack", path] | ["git", "upload-pack", path] => Ok(Exec::UploadPack((*path).to_owned())),
        ["git-receive-pack" | "git-upload-pack"] | ["git", "receive-pack" | "upload-pack"] => {
            Err(ExecError::NoRepository)
        }
        _ => Err(ExecError::Unknown),
    }
}

/// Splits words as git quotes them: single and double quotes, and the backslash outside of single ones.
fn words(line: &str) -> Result<Vec<String>, ExecError> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (_, '\0') => return Err(ExecError::Syntax("it holds NUL")),
            (Some(open), c) if c == open => quote = None,
            (None | Some('"'), '\\') => match chars.next() {
                Some(c) if c != '\0' => word.get_or_insert_default().push(c),
                _ => return Err(ExecError::Syntax("it ends amid an escape")),
            },
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, c) if c.is_ascii_whitespace() => words.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    if quote.is_some() {
        return Err(ExecError::Syntax("a quote has no end"));
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn commands_are_read() {
        for (line, expect) in [
            ("ping", Exec::Ping),
            ("git-receive-pack '/blog.git'", Exec::ReceivePack("/blog.git".to_owned())),
            ("git receive-pack '/blog.git'", Exec::ReceivePack("/blog.git".to_owned())),
            ("git-receive-pack \"blog\"", Exec::ReceivePack("blog".to_owned())),
            ("git-upload-pack blog", Exec::UploadPack("blog".to_owned())),
            (r"git-upload-pack 'a'\''b'\!'c'", Exec::UploadPack("a'b!c".to_owned())),
            ("git-receive-pack ''", Exec::ReceivePack(String::new())),
        ] {
            assert_eq!(parse(line.as_bytes()), Ok(expect), "{line}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for line in
            ["", "sh", "git", "git-receive-pack a b", "git-upload-archive 'x'", "ping pong", "rm -rf /", "; ping"]
        {
            assert_eq!(parse(line.as_bytes()), Err(ExecError::Unknown), "{line}");
        }
        assert_eq!(parse(b"git-receive-pack"), Err(ExecError::NoRepository));
        for line in [&b"git-receive-pack 'a"[..], b"ping\\", b"pi\0ng", b"\xff", &[b'a'; 5000]] {
            assert!(matches!(parse(line), Err(ExecError::Syntax(_))), "{line:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(line: Vec<u8>) {
            let _ = parse(&line);
        }

        #[test]
        fn what_git_quotes_is_read_back(path in "[^\\x00]{0,60}") {
            let quoted = format!("git-receive-pack '{}'", path.replace('\'', r"'\''").replace('!', r"'\!'"));
            prop_assert_eq!(parse(quoted.as_bytes()), Ok(Exec::ReceivePack(path)));
        }
    }
}
