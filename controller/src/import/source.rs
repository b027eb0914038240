//! Where rows come from: a file of any form that `pg_dump` writes, or a database that is there.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use flate2::bufread::MultiGzDecoder;
use secrecy::SecretString;
use slipway_store::{Foreign, StoreError};

use super::dump::{self, copy_row};
use super::layout::WANTED;
use super::report::shown;
use super::table::{SourceError, Tables};

/// Bytes read at once.
const CHUNK: usize = 256 << 10;
/// Most bytes of what `pg_restore` has to say.
const COMPLAINT_MAX: u64 = 4096;

/// What is imported from.
#[derive(Debug, Clone)]
pub enum Source {
    /// A dump: plain SQL, the same under gzip, or a custom, directory or tar archive (needs `pg_restore`).
    File(PathBuf),
    /// A dump in plain SQL, possibly under gzip, on standard input.
    Stdin,
    /// A database, by its `postgres://…` address.
    Database(SecretString),
}

impl Source {
    /// Reads all of it.
    ///
    /// # Errors
    /// It cannot be read, or is not the database of Deis Workflow or Drycc at API 2.3.
    pub(crate) async fn read(self) -> Result<Tables, SourceError> {
        let result = match self {
            Self::Database(url) => return database(&url).await,
            Self::File(path) => tokio::task::spawn_blocking(move || file(&path)).await,
            Self::Stdin => tokio::task::spawn_blocking(|| stream(Box::new(BufReader::new(std::io::stdin())))).await,
        };
        result.map_err(|error| SourceError::new(format!("reading the dump ended early: {error}")))?
    }
}

async fn database(url: &SecretString) -> Result<Tables, SourceError> {
    let away = |error: StoreError| SourceError::new(error.to_string());
    let foreign = Foreign::connect(url).await.map_err(away)?;
    let mut tables = Tables::default();
    for layout in WANTED {
        let Some(columns) = foreign.columns(layout.table).await.map_err(away)? else { continue };
        let kept = layout.required.iter().chain(layout.optional);
        let mut names: Vec<String> =
            kept.map(|name| (*name).to_owned()).filter(|name| columns.contains(name)).collect();
        if names.is_empty() {
            // Only counted; a column has to be named.
            names.extend(columns.into_iter().take(1));
        }
        let shape = tables.begin(layout, &names)?;
        let take = |line: &[u8]| -> Result<(), Trouble> {
            tables.push(&shape, copy_row(line, &shape)?)?;
            Ok(())
        };
        foreign.copy(layout.table, &names, take).await.map_err(|trouble| match trouble {
            Trouble::Source(error) => error,
            Trouble::Store(error) => away(error),
        })?;
    }
    tables.check()?;
    Ok(tables)
}

/// Why reading a table stopped.
enum Trouble {
    Source(SourceError),
    Store(StoreError),
}

impl From<SourceError> for Trouble {
    fn from(error: SourceError) -> Self {
        Self::Source(error)
    }
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// What a file's first bytes say.
#[derive(Debug, PartialEq, Eq)]
enum Form {
    Plain,
    Gzip,
    Archive,
    /// Packed in a way that is not read here.
    Packed(&'static str),
}

fn form_of(start: &[u8]) -> Form {
    let begins = |magic: &[u8]| start.starts_with(magic);
    if begins(b"\x1f\x8b") {
        Form::Gzip
    } else if begins(b"PGDMP") || start.get(257..262) == Some(b"ustar") {
        Form::Archive
    } else if begins(b"\x28\xb5\x2f\xfd") {
        Form::Packed("zstd")
    } else if begins(b"\x04\x22\x4d\x18") {
        Form::Packed("lz4")
    } else if begins(b"\xfd7zXZ") {
        Form::Packed("xz")
    } else if begins(b"BZh") {
        Form::Packed("bzip2")
    } else if begins(b"PK\x03\x04") {
        Form::Packed("zip")
    } else {
        Form::Plain
    }
}

fn file(path: &Path) -> Result<Tables, SourceError> {
    let fail =
        |error: std::io::Error| SourceError::new(format!("cannot read {}: {error}", shown(&path.to_string_lossy())));
    if path.is_dir() {
        return archive(path);
    }
    let mut reader = BufReader::with_capacity(CHUNK, File::open(path).map_err(fail)?);
    if form_of(reader.fill_buf().map_err(fail)?) == Form::Archive {
        return archive(path);
    }
    stream(Box::new(reader))
}

/// A dump that is read from its beginning to its end.
fn stream(mut reader: Box<dyn BufRead>) -> Result<Tables, SourceError> {
    let fail = |error: std::io::Error| SourceError::new(format!("cannot read the dump: {error}"));
    match form_of(reader.fill_buf().map_err(fail)?) {
        Form::Plain => dump::read(&mut reader),
        Form::Packed(how) => Err(SourceError::new(format!("the dump is packed with {how}: unpack it first"))),
        Form::Archive => {
            Err(SourceError::new("an archive of pg_dump cannot be read from standard input: give its file"))
        }
        Form::Gzip => {
            let mut inner = BufReader::with_capacity(CHUNK, MultiGzDecoder::new(reader));
            match form_of(inner.fill_buf().map_err(fail)?) {
                Form::Plain => dump::read(&mut inner),
                Form::Gzip | Form::Archive | Form::Packed(_) => {
                    Err(SourceError::new("there is no plain SQL under the gzip: unpack it, then give what comes out"))
                }
            }
        }
    }
}

/// Ends the child when the reader gives up before it does.
struct Restore(Child);

impl Drop for Restore {
    fn drop(&mut self) {
        // It has ended already, or nobody wants the rest.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// An archive, which only PostgreSQL's own tool reads.
fn archive(path: &Path) -> Result<Tables, SourceError> {
    let mut child = Command::new("pg_restore")
        // Versions before 12 take no `-` for standard output; later ones need a file to be named.
        .args(["--file=/dev/stdout", "--data-only", "--no-owner", "--no-privileges", "--"])
        .arg(path)
        .env_clear()
        .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => SourceError::new(
                "this dump is an archive, and pg_restore is not installed: install PostgreSQL's client programs \
                 (postgresql-client on Debian), or make the dump with pg_dump --format=plain",
            ),
            _ => SourceError::new(format!("cannot run pg_restore: {error}")),
        })?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let mut child = Restore(child);
    let complaint = std::thread::spawn(move || {
        let mut text = Vec::new();
        if let Some(mut stderr) = stderr {
            // What is too long is read all the same, so that the child is not held up.
            let _ = stderr.by_ref().take(COMPLAINT_MAX).read_to_end(&mut text);
            let _ = std::io::copy(&mut stderr, &mut std::io::sink());
        }
        String::from_utf8_lossy(&text).into_owned()
    });
    let read = match stdout {
        Some(stdout) => {
            let mut reader = BufReader::with_capacity(CHUNK, stdout);
            let read = dump::read(&mut reader);
            // To its end, so that pg_restore does not fail for want of a reader.
            let _ = std::io::copy(&mut reader, &mut std::io::sink());
            read
        }
        None => Err(SourceError::new("pg_restore has no output")),
    };
    let status = child.0.wait().map_err(|error| SourceError::new(format!("cannot wait for pg_restore: {error}")))?;
    let complaint = complaint.join().unwrap_or_default();
    if status.success() {
        return read;
    }
    let lines: Vec<String> = complaint.lines().take(5).map(shown).collect();
    Err(SourceError::new(format!("pg_restore could not read the archive: {}", lines.join("; "))))
}
