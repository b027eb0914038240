//! Makes a virtual environment work wherever its directory is.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Where the virtual environment is, in the slug.
pub const VENV: &str = ".slipway/python";

/// First lines of a script that runs with the interpreter beside it. To a shell they start Python; to Python they are
/// a text in triple quotes.
const HEADER: &str = "#!/bin/sh\n'''exec' \"$(dirname -- \"$(realpath -- \"$0\")\")/python3\" \"$0\" \"$@\"\n' '''\n";

/// The directory of installed packages.
pub fn site_packages(venv: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(venv.join("lib")).ok()?.flatten();
    entries.map(|entry| entry.path().join("site-packages")).find(|dir| dir.is_dir())
}

/// Takes the environment's present place out of its files. `source` is the directory that the slug is made of.
///
/// # Errors
/// The file system's refusal.
pub fn make_relocatable(venv: &Path, source: &Path) -> io::Result<()> {
    let here = venv.to_string_lossy().into_owned();
    for entry in fs::read_dir(venv.join("bin"))? {
        let entry = entry?;
        let name = entry.file_name();
        // They set variables to fixed paths, and nothing in a slug needs them.
        if name.to_string_lossy().to_ascii_lowercase().starts_with("activate") {
            fs::remove_file(entry.path())?;
            continue;
        }
        if !entry.file_type()?.is_file() {
            continue;
        }
        let content = fs::read(entry.path())?;
        if let Some(rest) = script_body(&content, &here) {
            let mut script = HEADER.as_bytes().to_vec();
            script.extend_from_slice(rest);
            fs::write(entry.path(), script)?;
        }
    }
    let settings = venv.join("pyvenv.cfg");
    let kept: String = fs::read_to_string(&settings)?
        .lines()
        .filter(|line| !line.starts_with("command"))
        .flat_map(|line| [line, "\n"])
        .collect();
    fs::write(&settings, kept)?;
    if let Some(site) = site_packages(venv) {
        relocate_paths(&site, source)?;
    }
    Ok(())
}

/// What follows the interpreter line of a script of this environment; `None` for other files.
fn script_body<'a>(content: &'a [u8], here: &str) -> Option<&'a [u8]> {
    let line_end = |from: usize| content.get(from..)?.iter().position(|byte| *byte == b'\n').map(|at| from + at + 1);
    let first_end = line_end(0)?;
    let first = std::str::from_utf8(content.get(..first_end)?).ok()?;
    if first.starts_with("#!") && first.contains(here) {
        return content.get(first_end..);
    }
    // The form for paths that are too long for an interpreter line.
    let second_end = line_end(first_end)?;
    let second = std::str::from_utf8(content.get(first_end..second_end)?).ok()?;
    if first.trim_end() == "#!/bin/sh" && second.starts_with("'''exec'") && second.contains(here) {
        return content.get(line_end(second_end)?..);
    }
    None
}

/// Makes the entries of `*.pth` files that lead into the source relative: Python reads them from where the file is.
fn relocate_paths(site: &Path, source: &Path) -> io::Result<()> {
    let Ok(below) = site.strip_prefix(source) else { return Ok(()) };
    let up = "../".repeat(below.components().count());
    let source = source.to_string_lossy();
    for entry in fs::read_dir(site)?.flatten() {
        if !entry.file_name().to_string_lossy().ends_with(".pth") || !entry.file_type()?.is_file() {
            continue;
        }
        let Ok(text) = fs::read_to_string(entry.path()) else { continue };
        let changed: String = text
            .lines()
            .flat_map(|line| match line.strip_prefix(source.as_ref()) {
                Some(rest) if rest.is_empty() || rest.starts_with('/') => {
                    [format!("{up}{}", rest.trim_start_matches('/')), "\n".to_owned()]
                }
                _ => [line.to_owned(), "\n".to_owned()],
            })
            .collect();
        if changed != text {
            fs::write(entry.path(), changed)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_lose_their_place() {
        let here = "/build/.slipway/python";
        let check = |content: &str, body: Option<&str>| {
            assert_eq!(script_body(content.as_bytes(), here), body.map(str::as_bytes), "{content}");
        };
        check("#!/build/.slipway/python/bin/python3\nimport x\n", Some("import x\n"));
        check("#!/bin/sh\n'''exec' /build/.slipway/python/bin/python3 \"$0\" \"$@\"\n' '''\nx\n", Some("x\n"));
        check("#!/usr/bin/env python3\nx\n", None);
        check("#!/bin/sh\nexec x\n", None);
        check("\u{7f}ELF", None);
        check("", None);
    }

    #[test]
    fn path_files_become_relative() {
        let root = tempfile::tempdir().unwrap();
        let site = root.path().join(".slipway/python/lib/python3/site-packages");
        fs::create_dir_all(&site).unwrap();
        fs::write(site.join("a.pth"), format!("{}/src\nimport x\n/other\n", root.path().display())).unwrap();
        relocate_paths(&site, root.path()).unwrap();
        assert_eq!(fs::read_to_string(site.join("a.pth")).unwrap(), "../../../../../src\nimport x\n/other\n");
    }
}
