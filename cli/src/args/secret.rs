//! Secrets, which are told by where they are read from: what stands in a command line, other users of the machine see.

use std::path::PathBuf;
use std::str::FromStr;

/// Where a secret is read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// The next line of stdin.
    Stdin,
    /// A variable of the environment.
    Variable(String),
    /// A file, without the line end at its end.
    File(PathBuf),
    /// The person at the terminal.
    Ask,
}

impl FromStr for SecretSource {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            _ if text == "-" => Ok(Self::Stdin),
            _ if text == "ask" => Ok(Self::Ask),
            Some(("env", name)) if !name.is_empty() => Ok(Self::Variable(name.to_owned())),
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(path.into())),
            // Without the text: somebody may have given the secret itself.
            _ => Err("say where the secret is: - (stdin), env:NAME, file:PATH, or ask".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_places() {
        for (text, want) in [
            ("-", Some(SecretSource::Stdin)),
            ("ask", Some(SecretSource::Ask)),
            ("env:A", Some(SecretSource::Variable("A".to_owned()))),
            ("file:a:b", Some(SecretSource::File("a:b".into()))),
            ("env:", None),
            ("file:", None),
            ("hunter2", None),
            ("", None),
        ] {
            assert_eq!(text.parse().ok(), want, "{text}");
        }
        assert!(!"hunter2".parse::<SecretSource>().unwrap_err().contains("hunter2"));
    }
}
