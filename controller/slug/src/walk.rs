//! One pass over a built tree: checks it, sets what must be set, and computes its digest.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Component, Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::store::SlugError;

/// What a slug may be at most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlugLimits {
    /// Sum of the sizes of all files, in bytes. Default 1 GiB.
    pub bytes_max: u64,
    /// Number of files, directories and links. Default 500,000.
    pub entries_max: u64,
    /// Directories within directories. Default 100.
    pub depth_max: usize,
    /// Where links may lead outside the slug, because programs of this machine live there: virtual environments link
    /// to their interpreter. Default `/usr`, `/bin`, `/sbin`, `/lib`, `/lib64`, `/opt` and `/nix/store`; add the
    /// prefix of a toolchain that is elsewhere.
    pub system_roots: Vec<PathBuf>,
}

impl Default for SlugLimits {
    fn default() -> Self {
        let roots = ["/usr", "/bin", "/sbin", "/lib", "/lib64", "/opt", "/nix/store"];
        Self {
            bytes_max: 1024 * 1024 * 1024,
            entries_max: 500_000,
            depth_max: 100,
            system_roots: roots.into_iter().map(PathBuf::from).collect(),
        }
    }
}

/// Why a tree cannot be a slug. The text is for the person who built it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is too large.
    #[error("the slug is larger than {max_mib} MiB")]
    TooLarge {
        /// The limit.
        max_mib: u64,
    },
    /// It has too many entries.
    #[error("the slug has more than {max} files")]
    TooMany {
        /// The limit.
        max: u64,
    },
    /// It is too deep.
    #[error("{path}: more than {max} directories deep")]
    TooDeep {
        /// Where.
        path: String,
        /// The limit.
        max: usize,
    },
    /// It holds a device, socket or pipe.
    #[error("{path}: {kind}s cannot be part of a slug")]
    Special {
        /// Where.
        path: String,
        /// What it is.
        kind: &'static str,
    },
    /// It holds a link that leaves it.
    #[error("{path}: the link leads out of the app, to {target}")]
    LinkLeaves {
        /// Where.
        path: String,
        /// Where it leads.
        target: String,
    },
}

/// Longest piece of a hostile name that goes into a message, in characters.
const SHOWN_MAX: usize = 200;

fn show(path: &Path) -> String {
    path.to_string_lossy().chars().take(SHOWN_MAX).flat_map(char::escape_debug).collect()
}

/// Checks the tree below `root` and hashes it into `hasher`.
///
/// Entries come in the order of the bytes of their names, each with path, kind, mode, and content or link target,
/// every part with its length in front, so that two different trees never give the same bytes.
/// Sets on the way what a slug must have: the owner may read and write everything, and absolute links into the tree
/// itself are made relative, since the tree runs elsewhere.
pub(crate) fn hash_tree(root: &Path, limits: &SlugLimits, hasher: &mut Sha256) -> Result<(), SlugError> {
    let mut walk = Walk {
        root: fs::canonicalize(root).map_err(SlugError::io("reading", root))?,
        limits,
        hasher,
        bytes: 0,
        entries: 0,
    };
    let root = walk.root.clone();
    walk.directory(&root, Path::new(""), 0)
}

struct Walk<'a> {
    root: PathBuf,
    limits: &'a SlugLimits,
    hasher: &'a mut Sha256,
    bytes: u64,
    entries: u64,
}

impl Walk<'_> {
    fn part(&mut self, bytes: &[u8]) {
        self.hasher.update((bytes.len() as u64).to_be_bytes());
        self.hasher.update(bytes);
    }

    fn head(&mut self, kind: u8, relative: &Path, mode: u32) {
        self.hasher.update([kind]);
        self.part(relative.as_os_str().as_bytes());
        self.hasher.update(mode.to_be_bytes());
    }

    fn directory(&mut self, dir: &Path, relative: &Path, depth: usize) -> Result<(), SlugError> {
        if depth > self.limits.depth_max {
            return Err(Refusal::TooDeep { path: show(relative), max: self.limits.depth_max }.into());
        }
        let mut names = Vec::new();
        for entry in fs::read_dir(dir).map_err(SlugError::io("reading", dir))? {
            names.push(entry.map_err(SlugError::io("reading", dir))?.file_name());
            self.entries += 1;
            if self.entries > self.limits.entries_max {
                return Err(Refusal::TooMany { max: self.limits.entries_max }.into());
            }
        }
        names.sort_unstable();
        for name in names {
            self.entry(&dir.join(&name), &relative.join(&name), depth)?;
        }
        Ok(())
    }

    fn entry(&mut self, path: &Path, relative: &Path, depth: usize) -> Result<(), SlugError> {
        let metadata = fs::symlink_metadata(path).map_err(SlugError::io("reading", path))?;
        let kind = metadata.file_type();
        if kind.is_symlink() {
            let target = self.link(path, relative)?;
            self.head(b'l', relative, 0);
            self.part(target.as_os_str().as_bytes());
        } else if kind.is_dir() {
            let mode = owner_mode(path, metadata.mode(), 0o700)?;
            self.head(b'd', relative, mode);
            self.directory(path, relative, depth + 1)?;
        } else if kind.is_file() {
            let mode = owner_mode(path, metadata.mode(), 0o600)?;
            self.head(b'f', relative, mode);
            self.file(path, metadata.len())?;
        } else {
            let kind = if kind.is_socket() {
                "socket"
            } else if kind.is_fifo() {
                "named pipe"
            } else {
                "device"
            };
            return Err(Refusal::Special { path: show(relative), kind }.into());
        }
        Ok(())
    }

    fn file(&mut self, path: &Path, size: u64) -> Result<(), SlugError> {
        self.bytes = self.bytes.saturating_add(size);
        if self.bytes > self.limits.bytes_max {
            return Err(Refusal::TooLarge { max_mib: self.limits.bytes_max / (1024 * 1024) }.into());
        }
        let mut file = File::open(path).map_err(SlugError::io("reading", path))?;
        self.hasher.update(size.to_be_bytes());
        let mut buffer = vec![0; 64 * 1024];
        let mut read_total = 0;
        loop {
            let read = file.read(&mut buffer).map_err(SlugError::io("reading", path))?;
            if read == 0 {
                break;
            }
            read_total += read as u64;
            self.hasher.update(&buffer[..read]);
        }
        if read_total == size {
            Ok(())
        } else {
            let changed = io::Error::other("the file changed while it was read");
            Err(SlugError::io("reading", path)(changed))
        }
    }

    /// Checks a link and returns its target, which is relative afterwards when it leads into the slug.
    fn link(&self, path: &Path, relative: &Path) -> Result<PathBuf, SlugError> {
        let target = fs::read_link(path).map_err(SlugError::io("reading", path))?;
        let leaves = || Refusal::LinkLeaves { path: show(relative), target: show(&target) };
        if target.is_absolute() {
            if let Ok(inside) = target.strip_prefix(&self.root)
                && !inside.components().any(|part| part == Component::ParentDir)
            {
                let moved = relative_target(relative, inside);
                fs::remove_file(path).map_err(SlugError::io("replacing", path))?;
                symlink(&moved, path).map_err(SlugError::io("replacing", path))?;
                return Ok(moved);
            }
        } else if stays_inside(relative, &target) && self.resolves_well(path) {
            return Ok(target);
        }
        let is_program = target.is_absolute()
            && fs::canonicalize(path).is_ok_and(|real| self.is_system(&real) && self.is_plain_system(&target));
        if is_program { Ok(target) } else { Err(leaves().into()) }
    }

    /// Whether what a link really leads to, through other links, is where links may lead. A dangling one is fine.
    fn resolves_well(&self, path: &Path) -> bool {
        match fs::canonicalize(path) {
            Ok(real) => real.starts_with(&self.root) || self.is_system(&real),
            Err(_) => true,
        }
    }

    fn is_system(&self, path: &Path) -> bool {
        self.limits.system_roots.iter().any(|root| path.starts_with(root))
    }

    /// As `is_system`, for a path as written: one with `..` in it may lead anywhere.
    fn is_plain_system(&self, path: &Path) -> bool {
        !path.components().any(|part| part == Component::ParentDir)
            && (self.is_system(path) || path.starts_with("/etc/alternatives"))
    }
}

/// Gives the owner of `path` the rights in `wanted`, and returns the mode it then has.
fn owner_mode(path: &Path, mode: u32, wanted: u32) -> Result<u32, SlugError> {
    let mode = mode & 0o7777;
    // Set-user-id bits have no business in an app, and would make the same source give different slugs.
    let kept = (mode & 0o777) | wanted;
    if kept != mode {
        fs::set_permissions(path, fs::Permissions::from_mode(kept))
            .map_err(SlugError::io("setting the mode of", path))?;
    }
    Ok(kept)
}

/// Whether `target`, read from the directory that holds the link `link`, stays in the tree by its text alone.
fn stays_inside(link: &Path, target: &Path) -> bool {
    let mut depth = link.components().count().saturating_sub(1);
    for part in target.components() {
        match part {
            Component::ParentDir => match depth.checked_sub(1) {
                Some(less) => depth = less,
                None => return false,
            },
            Component::Normal(_) => depth += 1,
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => return false,
        }
    }
    true
}

/// The target that leads from the link at `link` to `inside`, both relative to the tree.
fn relative_target(link: &Path, inside: &Path) -> PathBuf {
    let ups = link.components().count().saturating_sub(1);
    let mut target: PathBuf = std::iter::repeat_n("..", ups).collect();
    target.push(inside);
    if target.as_os_str().is_empty() { PathBuf::from(OsStr::new(".")) } else { target }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_judged_from_where_they_are() {
        for (link, target, expect) in [
            ("a", "b", true),
            ("a", "..", false),
            ("d/a", "..", true),
            ("d/a", "../b", true),
            ("d/a", "../../b", false),
            ("d/a", "x/../../..", false),
            ("a", "./b/./c", true),
            ("a", "/b", false),
        ] {
            assert_eq!(stays_inside(Path::new(link), Path::new(target)), expect, "{link} -> {target}");
        }
    }

    #[test]
    fn absolute_links_into_the_tree_become_relative() {
        for (link, inside, expect) in
            [("a", "b", "b"), ("d/e/a", "b/c", "../../b/c"), ("a", "", "."), ("d/a", "", "..")]
        {
            assert_eq!(relative_target(Path::new(link), Path::new(inside)), Path::new(expect), "{link}");
        }
    }
}
