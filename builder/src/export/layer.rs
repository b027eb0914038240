//! Layers: archives that are the same, byte by byte, for the same tree.
//!
//! Names are sorted; times, owners and all but one bit of modes are fixed. So a layer's digest depends on names and
//! contents alone, and what did not change is in the registry already.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use flate2::{Compression, GzBuilder};
use sha2::{Digest, Sha256};

use super::split::Part;
use super::{APP_ID, START};

/// The time of every file in a layer, in seconds since 1970: the first that a ZIP archive can express, since some
/// tools pack what they find into one.
pub const EPOCH_SECS: u64 = 315_532_800;

/// The program at [`START`], run by the app's own shell in the app's own container.
const START_SCRIPT: &str = include_str!("start.sh");

/// Why a tree cannot become a layer.
#[derive(Debug, thiserror::Error)]
pub enum LayerError {
    /// Something in the tree is neither a file, nor a directory, nor a link.
    #[error("{} is a socket, pipe or device, which cannot be part of an image", path.display())]
    Special {
        /// What, relative to the tree.
        path: PathBuf,
    },
    /// The file system refuses.
    #[error("cannot read or write {}: {source}", path.display())]
    Io {
        /// What was read or written.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A thread died.
    #[error("a thread that wrote a layer died")]
    Panicked,
}

/// A finished layer on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// The compressed archive.
    pub path: PathBuf,
    /// Digest of the compressed archive: `sha256:…`.
    pub digest: String,
    /// Digest of the archive itself.
    pub diff_id: String,
    /// Bytes of the compressed archive.
    pub size_bytes: u64,
    /// How many files and links are in it; directories are not counted.
    pub entries: u64,
    /// What it is, for the image's history.
    pub comment: &'static str,
}

/// The digest of bytes: `sha256:…`.
#[must_use]
pub fn digest_of(bytes: &[u8]) -> String {
    digest(Sha256::new_with_prefix(bytes))
}

fn digest(hasher: Sha256) -> String {
    format!("sha256:{}", hex::encode(hasher.finalize()))
}

/// Hashes and counts what is written through it.
struct Tee<W> {
    inner: W,
    hasher: Sha256,
    written: u64,
}

impl<W> Tee<W> {
    fn new(inner: W) -> Self {
        Self { inner, hasher: Sha256::new(), written: 0 }
    }
}

impl<W: Write> Write for Tee<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.hasher.update(&bytes[..count]);
        self.written += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

type Archive = tar::Builder<Tee<flate2::write::GzEncoder<Tee<BufWriter<File>>>>>;

struct Writer {
    archive: Archive,
    path: PathBuf,
    entries: u64,
}

impl Writer {
    fn create(path: &Path) -> Result<Self, LayerError> {
        let file = File::create(path).map_err(|source| LayerError::Io { path: path.to_owned(), source })?;
        let packed = GzBuilder::new().mtime(0).write(Tee::new(BufWriter::new(file)), Compression::new(5));
        Ok(Self { archive: tar::Builder::new(Tee::new(packed)), path: path.to_owned(), entries: 0 })
    }

    fn header(kind: tar::EntryType, mode: u32, owner: u64, size: u64) -> tar::Header {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_uid(owner);
        header.set_gid(owner);
        header.set_mtime(EPOCH_SECS);
        header.set_size(size);
        header
    }

    fn directory(&mut self, name: &Path, owner: u64) -> io::Result<()> {
        // A slash at the end is what other programs write for a directory.
        let mut name = name.as_os_str().to_owned();
        name.push("/");
        let mut header = Self::header(tar::EntryType::Directory, 0o755, owner, 0);
        self.archive.append_data(&mut header, name, io::empty())
    }

    fn link(&mut self, name: &Path, target: &Path, owner: u64) -> io::Result<()> {
        let mut header = Self::header(tar::EntryType::Symlink, 0o777, owner, 0);
        self.entries += 1;
        self.archive.append_link(&mut header, name, target)
    }

    fn file(&mut self, name: &Path, is_program: bool, owner: u64, size: u64, content: impl Read) -> io::Result<()> {
        let mut header = Self::header(tar::EntryType::Regular, if is_program { 0o755 } else { 0o644 }, owner, size);
        self.entries += 1;
        // A file that grows while it is read is cut, one that shrinks is an error.
        let mut content = content.take(size);
        self.archive.append_data(&mut header, name, &mut content)
    }

    fn finish(self, comment: &'static str) -> Result<Layer, LayerError> {
        let Self { archive, path, entries } = self;
        let finish = || {
            let inner = archive.into_inner()?;
            let diff_id = digest(inner.hasher);
            let mut packed = inner.inner.finish()?;
            packed.flush()?;
            Ok((diff_id, digest(packed.hasher), packed.written))
        };
        let (diff_id, digest, size_bytes) = finish().map_err(|source| LayerError::Io { path: path.clone(), source })?;
        Ok(Layer { path, digest, diff_id, size_bytes, entries, comment })
    }
}

/// Writes the files of the tree at `root` that belong to `part` as a layer, below `prefix` in the image.
///
/// Directories are in it as far as they lead to something of this part; those that lead nowhere belong to the code.
///
/// # Errors
/// [`LayerError`].
pub fn write_tree(root: &Path, prefix: &str, part: Part, to: &Path) -> Result<Layer, LayerError> {
    let mut found = BTreeMap::new();
    collect(root, Path::new(""), part, &mut found)?;
    let mut writer = Writer::create(to)?;
    let prefix = Path::new(prefix.trim_start_matches('/'));
    if part == Part::Code || !found.is_empty() {
        writer.directory(prefix, APP_ID).map_err(|source| LayerError::Io { path: to.to_owned(), source })?;
    }
    for (relative, kind) in found {
        let relative = PathBuf::from(OsStr::from_bytes(&relative));
        let (name, from) = (prefix.join(&relative), root.join(&relative));
        let mut write = || match kind {
            Kind::Directory => writer.directory(&name, APP_ID),
            Kind::Link => writer.link(&name, &fs::read_link(&from)?, APP_ID),
            Kind::File => {
                let file = File::open(&from)?;
                let meta = file.metadata()?;
                let is_program = meta.permissions().mode() & 0o111 != 0;
                writer.file(&name, is_program, APP_ID, meta.len(), BufReader::new(file))
            }
        };
        write().map_err(|source| LayerError::Io { path: relative, source })?;
    }
    writer.finish(match part {
        Part::Dependencies => "dependencies",
        Part::Code => "app",
    })
}

/// Writes the layer with the program at [`START`]; it is the same for every app.
///
/// # Errors
/// [`LayerError::Io`].
pub fn write_start(to: &Path) -> Result<Layer, LayerError> {
    let mut writer = Writer::create(to)?;
    let name = Path::new(START.trim_start_matches('/'));
    let mut write = || {
        writer.directory(name.parent().unwrap_or(name), 0)?;
        writer.file(name, true, 0, START_SCRIPT.len() as u64, START_SCRIPT.as_bytes())
    };
    write().map_err(|source| LayerError::Io { path: to.to_owned(), source })?;
    writer.finish("start")
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Directory,
    Link,
    File,
}

/// Finds what belongs to `part` below `relative`; tells whether there was anything.
fn collect(root: &Path, relative: &Path, part: Part, found: &mut BTreeMap<Vec<u8>, Kind>) -> Result<bool, LayerError> {
    let io = |source| LayerError::Io { path: relative.to_owned(), source };
    let mut is_empty = true;
    let mut has_any = false;
    for entry in fs::read_dir(root.join(relative)).map_err(io)? {
        let entry = entry.map_err(io)?;
        is_empty = false;
        let path = relative.join(entry.file_name());
        let kind = entry.file_type().map_err(io)?;
        // Relative paths as keys: the order of bytes, with each directory before what is in it.
        let key = path.as_os_str().as_bytes().to_vec();
        if kind.is_dir() {
            if collect(root, &path, part, found)? {
                found.insert(key, Kind::Directory);
                has_any = true;
            }
        } else if !kind.is_symlink() && !kind.is_file() {
            return Err(LayerError::Special { path });
        } else if Part::of(&path) == part {
            found.insert(key, if kind.is_symlink() { Kind::Link } else { Kind::File });
            has_any = true;
        }
    }
    Ok(has_any || (is_empty && Part::of(relative) == part))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn tree(root: &Path) {
        for (name, text) in [
            ("app.py", "print()"),
            ("bin/run", "#!/bin/sh\n"),
            ("front/node_modules/x/i.js", "1"),
            (".slipway/python/lib/a.py", "a"),
        ] {
            fs::create_dir_all(root.join(name).parent().unwrap()).unwrap();
            fs::write(root.join(name), text).unwrap();
        }
        fs::set_permissions(root.join("bin/run"), fs::Permissions::from_mode(0o700)).unwrap();
        fs::create_dir(root.join("log")).unwrap();
        symlink("app.py", root.join("main.py")).unwrap();
    }

    fn list(layer: &Layer) -> Vec<String> {
        let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(File::open(&layer.path).unwrap()));
        let entries = archive.entries().unwrap().map(|entry| {
            let entry = entry.unwrap();
            let header = entry.header();
            assert_eq!(header.mtime().unwrap(), EPOCH_SECS);
            let path = entry.path().unwrap().display().to_string();
            format!("{:o} {} {path}", header.mode().unwrap(), header.uid().unwrap())
        });
        entries.collect()
    }

    #[test]
    fn parts_hold_their_files_in_order() {
        let (root, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        tree(root.path());
        let code = write_tree(root.path(), "/app", Part::Code, &out.path().join("code")).unwrap();
        assert_eq!(
            list(&code),
            [
                "755 1000 app/",
                "644 1000 app/app.py",
                "755 1000 app/bin/",
                "755 1000 app/bin/run",
                "755 1000 app/log/",
                "777 1000 app/main.py"
            ]
        );
        let dependencies = write_tree(root.path(), "/app", Part::Dependencies, &out.path().join("deps")).unwrap();
        assert_eq!(
            list(&dependencies),
            [
                "755 1000 app/",
                "755 1000 app/.slipway/",
                "755 1000 app/.slipway/python/",
                "755 1000 app/.slipway/python/lib/",
                "644 1000 app/.slipway/python/lib/a.py",
                "755 1000 app/front/",
                "755 1000 app/front/node_modules/",
                "755 1000 app/front/node_modules/x/",
                "644 1000 app/front/node_modules/x/i.js"
            ]
        );
    }

    #[test]
    fn the_same_tree_gives_the_same_bytes() {
        let out = tempfile::tempdir().unwrap();
        let mut digests = Vec::new();
        for (number, umask) in [(0, 0o755), (1, 0o700)] {
            let root = tempfile::tempdir().unwrap();
            tree(root.path());
            fs::set_permissions(root.path().join("bin"), fs::Permissions::from_mode(umask)).unwrap();
            File::open(root.path().join("app.py"))
                .unwrap()
                .set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(1000 + number))
                .unwrap();
            let path = out.path().join(number.to_string());
            let layer = write_tree(root.path(), "/app", Part::Code, &path).unwrap();
            assert_eq!(layer.digest, digest_of(&fs::read(&path).unwrap()));
            let mut plain = Vec::new();
            flate2::read::GzDecoder::new(File::open(&path).unwrap()).read_to_end(&mut plain).unwrap();
            assert_eq!(layer.diff_id, digest_of(&plain));
            assert_eq!(layer.size_bytes, fs::metadata(&path).unwrap().len());
            digests.push(layer.digest);
        }
        assert_eq!(digests[0], digests[1]);
    }

    #[test]
    fn special_files_are_refused_and_long_names_kept() {
        let (root, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let long = format!("{}/{}", "d".repeat(120), "f".repeat(200));
        fs::create_dir(root.path().join("d".repeat(120))).unwrap();
        fs::write(root.path().join(&long), "x").unwrap();
        let layer = write_tree(root.path(), "/app", Part::Code, &out.path().join("a")).unwrap();
        assert!(list(&layer).contains(&format!("644 1000 app/{long}")));
        let _socket = std::os::unix::net::UnixListener::bind(root.path().join("s.sock")).unwrap();
        let refused = write_tree(root.path(), "/app", Part::Code, &out.path().join("b")).unwrap_err();
        assert!(matches!(&refused, LayerError::Special { path } if path == Path::new("s.sock")), "{refused}");
    }
}
