//! Writes a commit's tree to a directory. The tree is hostile input: git itself refuses few of the names it may hold.

use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{OpenOptionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use git2::{ObjectType, Oid, Repository};

/// Longest path within a checkout, in bytes: Linux' `PATH_MAX` less some room for where the checkout is.
const PATH_MAX: usize = 3500;
/// Longest name of a file, in bytes: Linux' `NAME_MAX`.
const NAME_MAX: usize = 255;

/// What a checkout may use.
#[derive(Debug, Clone, Copy)]
pub struct CheckoutLimits {
    /// Most bytes of all files.
    pub max_bytes: u64,
    /// Most files, links and directories.
    pub max_entries: u64,
}

/// Why a tree is not written.
#[derive(Debug, thiserror::Error)]
pub enum CheckoutError {
    /// An entry that must not be written.
    #[error("refusing to check out '{path}': {reason}")]
    Refused {
        /// Its path in the tree.
        path: String,
        /// Why.
        reason: &'static str,
    },
    /// It is too large.
    #[error("the source is larger than the limit of {limit} {unit}")]
    TooLarge {
        /// The limit.
        limit: u64,
        /// Of what.
        unit: &'static str,
    },
    /// The pusher went away meanwhile.
    #[error("canceled")]
    Canceled,
    /// An object is missing or damaged.
    #[error("cannot read the source")]
    Read(#[source] git2::Error),
    /// The file system refuses.
    #[error("cannot write the source")]
    Write(#[source] io::Error),
}

/// What was written.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Checkout {
    /// Paths of submodules, which are left out.
    pub submodules: Vec<String>,
}

/// Writes the tree of the commit (or the tag of one) `id` below `target`, an empty directory of our own.
///
/// Links may point anywhere within the tree and nowhere else. Submodules are left out. Files get mode 0644 or 0755.
///
/// # Errors
/// [`CheckoutError`]; `target` then holds a part of the tree.
pub fn checkout(
    view: &Repository,
    id: Oid,
    target: &Path,
    limits: CheckoutLimits,
    canceled: &AtomicBool,
) -> Result<Checkout, CheckoutError> {
    let commit = view.find_object(id, None).and_then(|object| object.peel_to_commit()).map_err(CheckoutError::Read)?;
    let odb = view.odb().map_err(CheckoutError::Read)?;
    let mut done = Checkout::default();
    let (mut bytes, mut entries) = (0_u64, 0_u64);
    let mut directories: Vec<(PathBuf, Oid)> = vec![(PathBuf::new(), commit.tree_id())];
    while let Some((directory, tree)) = directories.pop() {
        let tree = view.find_tree(tree).map_err(CheckoutError::Read)?;
        for entry in &tree {
            if canceled.load(Ordering::Relaxed) {
                return Err(CheckoutError::Canceled);
            }
            entries += 1;
            if entries > limits.max_entries {
                return Err(CheckoutError::TooLarge { limit: limits.max_entries, unit: "files" });
            }
            let path = directory.join(OsStr::from_bytes(entry.name_bytes()));
            let refused = |reason| CheckoutError::Refused { path: shown(&path), reason };
            check_name(entry.name_bytes()).map_err(refused)?;
            if path.as_os_str().len() > PATH_MAX {
                return Err(refused("the path is too long"));
            }
            let on_disk = target.join(&path);
            let written = |result: io::Result<()>| match result {
                // Two entries of one name, which could lead a write through a link.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    Err(CheckoutError::Refused { path: shown(&path), reason: "the name appears twice" })
                }
                other => other.map_err(CheckoutError::Write),
            };
            match entry.filemode() {
                0o040_000 => {
                    written(fs::create_dir(&on_disk))?;
                    directories.push((path, entry.id()));
                }
                0o160_000 => done.submodules.push(shown(&path)),
                mode @ (0o100_644 | 0o100_664 | 0o100_755 | 0o120_000) => {
                    let (size, kind) = odb.read_header(entry.id()).map_err(CheckoutError::Read)?;
                    if kind != ObjectType::Blob {
                        return Err(refused("it is not a file"));
                    }
                    bytes = bytes.saturating_add(size as u64);
                    if bytes > limits.max_bytes {
                        return Err(CheckoutError::TooLarge { limit: limits.max_bytes, unit: "bytes" });
                    }
                    let object = odb.read(entry.id()).map_err(CheckoutError::Read)?;
                    if mode == 0o120_000 {
                        check_link(object.data(), directory.components().count()).map_err(refused)?;
                        written(symlink(OsStr::from_bytes(object.data()), &on_disk))?;
                    } else {
                        let mode = if mode == 0o100_755 { 0o755 } else { 0o644 };
                        written(write_file(&on_disk, object.data(), mode))?;
                    }
                }
                _ => return Err(refused("its mode is not supported")),
            }
        }
    }
    Ok(done)
}

fn write_file(path: &Path, data: &[u8], mode: u32) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(data)
}

fn check_name(name: &[u8]) -> Result<(), &'static str> {
    match name {
        b"" => Err("the name is empty"),
        b"." | b".." => Err("the name is reserved"),
        name if name.eq_ignore_ascii_case(b".git") => Err("the name is reserved by git"),
        name if name.contains(&b'/') || name.contains(&0) => Err("the name holds a slash or NUL"),
        name if name.len() > NAME_MAX => Err("the name is too long"),
        _ => Ok(()),
    }
}

/// Checks the target of a link that lies `depth` directories deep.
///
/// `..` is good only in front: behind a name it would leave from wherever that name leads, if that is a link itself.
fn check_link(target: &[u8], depth: usize) -> Result<(), &'static str> {
    if target.is_empty() || target.contains(&0) || target.len() > PATH_MAX {
        return Err("the link's target is not a path");
    }
    if target.starts_with(b"/") {
        return Err("the link's target is absolute");
    }
    let mut ups = 0;
    let mut has_name = false;
    for part in target.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." if has_name => return Err("the link's target has '..' behind a name"),
            b".." => ups += 1,
            _ => has_name = true,
        }
    }
    if ups > depth { Err("the link leads out of the source") } else { Ok(()) }
}

fn shown(path: &Path) -> String {
    path.to_string_lossy().chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_guarded() {
        for good in ["a", "...", ".gitignore", "git", "-rf", "a b", "ü"] {
            assert!(check_name(good.as_bytes()).is_ok(), "{good}");
        }
        for bad in ["", ".", "..", ".git", ".GIT", ".Git", "a/b", "/", "a\0", &"x".repeat(256)] {
            assert!(check_name(bad.as_bytes()).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn links_stay_within() {
        for (target, depth) in [("a", 0), ("../a", 1), ("./../../a/b", 2), (".", 0), ("a/./b", 0), ("..", 1)] {
            assert!(check_link(target.as_bytes(), depth).is_ok(), "{target} at {depth}");
        }
        for (target, depth) in
            [("", 0), ("/etc/passwd", 3), ("..", 0), ("../../a", 1), ("a/..", 5), ("a/../../..", 9), ("a\0", 0)]
        {
            assert!(check_link(target.as_bytes(), depth).is_err(), "{target} at {depth}");
        }
    }

    /// A tree with one entry that no git client would write.
    fn tree(repository: &Repository, entries: &[(&str, &[u8], Oid)]) -> Oid {
        let mut data = Vec::new();
        for (mode, name, id) in entries {
            data.extend_from_slice(mode.as_bytes());
            data.push(b' ');
            data.extend_from_slice(name);
            data.push(0);
            data.extend_from_slice(id.as_bytes());
        }
        let tree = repository.odb().unwrap().write(ObjectType::Tree, &data).unwrap();
        let commit = format!("tree {tree}\nauthor a <a> 0 +0000\ncommitter a <a> 0 +0000\n\nm\n");
        repository.odb().unwrap().write(ObjectType::Commit, commit.as_bytes()).unwrap()
    }

    fn subtree(repository: &Repository, commit: Oid) -> Oid {
        repository.find_commit(commit).unwrap().tree_id()
    }

    fn attempt(build: impl Fn(&Repository, Oid) -> Oid) -> (Result<Checkout, CheckoutError>, tempfile::TempDir) {
        let directory = tempfile::tempdir().unwrap();
        let repository = Repository::init_bare(directory.path().join("repo")).unwrap();
        let target = directory.path().join("out");
        fs::create_dir(&target).unwrap();
        let blob = repository.blob(b"/tmp").unwrap();
        let commit = build(&repository, blob);
        let limits = CheckoutLimits { max_bytes: 1000, max_entries: 10 };
        (checkout(&repository, commit, &target, limits, &AtomicBool::new(false)), directory)
    }

    #[test]
    fn hostile_trees_are_refused_by_path() {
        type Build = fn(&Repository, Oid) -> Oid;
        let cases: &[(&str, Build)] = &[
            ("'.git'", |r, b| tree(r, &[("100644", b".git", b)])),
            ("'.GIT'", |r, b| tree(r, &[("100644", b".GIT", b)])),
            ("'..'", |r, b| tree(r, &[("100644", b"..", b)])),
            ("'../x'", |r, b| tree(r, &[("100644", b"../x", b)])),
            ("'l'", |r, b| tree(r, &[("120000", b"l", b)])),
            ("'l'", |r, b| {
                let inner = tree(r, &[("100644", b"x", b)]);
                let link = r.blob(b"elsewhere").unwrap();
                tree(r, &[("120000", b"l", link), ("40000", b"l", subtree(r, inner))])
            }),
            ("'d/l'", |r, _| {
                let link = r.blob(b"../../x").unwrap();
                let inner = tree(r, &[("120000", b"l", link)]);
                tree(r, &[("40000", b"d", subtree(r, inner))])
            }),
        ];
        for (path, build) in cases {
            let (result, directory) = attempt(build);
            let error = result.unwrap_err().to_string();
            assert!(error.contains(path), "{error}");
            assert!(!directory.path().join("x").exists());
        }
    }

    #[test]
    fn limits_are_kept_and_named() {
        let (result, _directory) = attempt(|r, b| {
            let names: Vec<String> = (0..20).map(|i| format!("{i:02}")).collect();
            let entries: Vec<_> = names.iter().map(|name| ("100644", name.as_bytes(), b)).collect();
            tree(r, &entries)
        });
        assert!(result.unwrap_err().to_string().contains("10 files"));
        let (result, _directory) = attempt(|r, _| {
            let big = r.blob(&[0; 1001]).unwrap();
            tree(r, &[("100644", b"a", big)])
        });
        assert!(result.unwrap_err().to_string().contains("1000 bytes"));
    }

    #[test]
    fn modes_links_and_submodules() {
        use std::os::unix::fs::PermissionsExt;
        let (result, directory) = attempt(|r, b| {
            let link = r.blob(b"run").unwrap();
            tree(r, &[("120000", b"link", link), ("100755", b"run", b), ("160000", b"sub", b), ("100644", b"t", b)])
        });
        assert_eq!(result.unwrap().submodules, ["sub"]);
        let out = directory.path().join("out");
        assert_eq!(fs::metadata(out.join("run")).unwrap().permissions().mode() & 0o111, 0o111);
        assert_eq!(fs::metadata(out.join("t")).unwrap().permissions().mode() & 0o111, 0);
        assert_eq!(fs::read_link(out.join("link")).unwrap(), Path::new("run"));
        assert!(!out.join("sub").exists());
    }
}
