//! Texts that a person changes in an editor.

use std::fs;
use std::path::Path;

use tokio::process::Command;

use crate::error::{Error, Result};
use crate::{print, private, settings, terminal};

/// Lets the user change a text in an editor, and hands what was saved to `take`. What that refuses may be edited again:
/// nothing of what was written is lost until the user says so.
pub async fn edit<T>(text: &str, suffix: &str, mut take: impl AsyncFnMut(&str) -> Result<T>) -> Result<T> {
    let cannot = |error: std::io::Error| Error::caused("cannot make a folder for the editor", &error);
    // A folder that nobody else can look into: the file may hold secrets, and editors put copies beside it.
    let folder = tempfile::Builder::new().prefix("slipway-").tempdir().map_err(cannot)?;
    let file = folder.path().join(format!("edit{suffix}"));
    private::write(&file, text.as_bytes())?;
    loop {
        open(&file).await?;
        let taken = tokio::select! {
            taken = take_file(&file, &mut take) => taken,
            code = terminal::told_to_end() => return Err(Error::Exit(code)),
        };
        match taken {
            Err(Error::Failed { text, hint, .. }) if print::has_person() => {
                print::error(&text, &hint);
                if !is_wanted_again().await? {
                    return Err(Error::new("what was saved was given up"));
                }
            }
            taken => return taken,
        }
    }
}

async fn take_file<T>(file: &Path, take: &mut impl AsyncFnMut(&str) -> Result<T>) -> Result<T> {
    // By name: an editor may have put another file in its place.
    let text = fs::read_to_string(file).map_err(|error| Error::caused("cannot read what was saved", &error))?;
    take(&text).await
}

async fn is_wanted_again() -> Result<bool> {
    // Not here: what waits for a key cannot be given up.
    let asked = tokio::task::spawn_blocking(|| print::ask("Edit again? (Y/n) "));
    tokio::select! {
        // Nobody to answer is a no.
        answer = asked => Ok(matches!(answer, Ok(Ok(answer)) if !answer.to_lowercase().starts_with('n'))),
        code = terminal::told_to_end() => Err(Error::Exit(code)),
    }
}

/// Opens a file in the user's editor and waits for its end.
async fn open(file: &Path) -> Result {
    let words = settings::editor();
    let Some((program, arguments)) = words.split_first() else {
        return Err(Error::new("it is not known which editor to use").hint("set EDITOR, for example to nano"));
    };
    let cannot = |error: std::io::Error| {
        Error::caused(format!("cannot start the editor {program}"), &error).hint("set EDITOR, for example to nano")
    };
    let mut editor = Command::new(program).args(arguments).arg(file).spawn().map_err(cannot)?;
    loop {
        tokio::select! {
            status = editor.wait() => {
                let status = status.map_err(cannot)?;
                return if status.success() {
                    Ok(())
                } else {
                    Err(Error::new(format!("the editor failed ({status}); nothing was changed")))
                };
            }
            // Ctrl-C is the editor's while it is there; the file is not left behind for other signals.
            code = terminal::told_to_end() => {
                if code != terminal::INTERRUPTED {
                    return Err(Error::Exit(code));
                }
            }
        }
    }
}
