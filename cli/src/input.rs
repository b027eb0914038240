//! Files whose text is sent, or stdin in their place.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::error::{Error, Result};

/// Longest text, in bytes. What is longer is another file than the one that was meant.
const MAX_BYTES: u64 = 4 * 1024 * 1024;

/// The text of a file; `-` is stdin.
pub fn text(file: &Path) -> Result<String> {
    let read = if file == Path::new("-") { up_to(io::stdin()) } else { File::open(file).and_then(up_to) };
    let text = read.map_err(|error| Error::caused(format!("cannot read {}", file.display()), &error))?;
    if text.len() as u64 > MAX_BYTES {
        return Err(Error::new(format!("{} is longer than {} MiB", file.display(), MAX_BYTES >> 20)));
    }
    Ok(text)
}

fn up_to(from: impl Read) -> io::Result<String> {
    let mut text = String::new();
    from.take(MAX_BYTES + 1).read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_texts_of_a_sensible_length() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("it");
        let with = |bytes: &[u8]| {
            std::fs::write(&file, bytes).unwrap();
            match text(&file) {
                Err(Error::Failed { text, .. }) => Err(text.replace(file.to_str().unwrap(), "FILE")),
                other => Ok(other.unwrap()),
            }
        };
        assert_eq!(with(b"a\n"), Ok("a\n".to_owned()));
        assert!(with(b"\xff").unwrap_err().starts_with("cannot read FILE: "));
        let most = usize::try_from(MAX_BYTES).unwrap();
        assert_eq!(with(&vec![b' '; most]).map(|text| text.len()), Ok(most));
        assert_eq!(with(&vec![b' '; most + 1]), Err("FILE is longer than 4 MiB".to_owned()));
        assert!(text(dir.path()).is_err() && text(&dir.path().join("none")).is_err());
    }
}
