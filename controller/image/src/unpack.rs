//! Layers become one tree.
//!
//! A layer is hostile: every path is resolved by the kernel inside the tree (`openat2` with `RESOLVE_IN_ROOT`), the
//! last part of it is never followed, and size and number of what it holds are limited. Devices and pipes are left out,
//! and set-user-id bits dropped: a process under the platform gains nothing by them.
//!
//! Source: OCI image specification, `layer.md` (order, whiteouts, hard links).

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, Gid, Mode, OFlags, ResolveFlags, Timespec, Timestamps, Uid};
use rustix::io::Errno;
use tar::EntryType;

/// Marks a name as removed.
const WHITEOUT: &[u8] = b".wh.";
/// Marks everything that earlier layers put into a directory as removed.
const OPAQUE: &[u8] = b".wh..wh..opq";
/// Longest path in a layer, in bytes.
const PATH_MAX: usize = 4096;

/// What one image may hold, all layers together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnpackLimits {
    /// Bytes in files. Default 8 GiB.
    pub bytes: u64,
    /// Files, directories and links. Default 1,000,000.
    pub entries: u64,
}

impl Default for UnpackLimits {
    fn default() -> Self {
        Self { bytes: 8 << 30, entries: 1_000_000 }
    }
}

/// Why a layer was not unpacked.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// What it holds is not allowed. The text is for the user.
    #[error("{0}")]
    Refused(String),
    /// The disk, or a layer that ends too early.
    #[error("unpacking {path}")]
    Io {
        /// What was being unpacked, as the layer names it.
        path: String,
        /// The cause.
        source: io::Error,
    },
}

/// A tree to which layers are applied, first one first.
#[derive(Debug)]
pub struct Layers {
    root: OwnedFd,
    limits: UnpackLimits,
    bytes: u64,
    entries: u64,
    is_root: bool,
}

impl Layers {
    /// Unpacks to `dir`, which exists and is empty.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn new(dir: &Path, limits: UnpackLimits) -> io::Result<Self> {
        let root = File::open(dir)?.into();
        Ok(Self { root, limits, bytes: 0, entries: 0, is_root: rustix::process::geteuid().is_root() })
    }

    /// Applies a layer: an archive that is not compressed any more. Blocks.
    ///
    /// # Errors
    /// [`UnpackError`]; the tree is then of no use.
    pub fn apply(&mut self, layer: impl Read) -> Result<(), UnpackError> {
        let mut archive = tar::Archive::new(layer);
        let mut made = HashSet::new();
        let mut dirs = Vec::new();
        let broken = |error: io::Error| {
            UnpackError::Refused(format!("a layer is damaged ({})", show(error.to_string().as_bytes())))
        };
        for entry in archive.entries().map_err(broken)? {
            let mut entry = entry.map_err(broken)?;
            let shown = show(&entry.path_bytes());
            self.entry(&mut entry, &mut made, &mut dirs).map_err(|error| match error {
                Fault::Refused(reason) => UnpackError::Refused(format!("the image holds '{shown}', {reason}")),
                Fault::Io(source) => UnpackError::Io { path: shown, source },
            })?;
        }
        // A directory that nobody may write to must be filled first.
        for (dir, mode, time) in dirs.into_iter().rev() {
            let path = show(dir.as_os_str().as_bytes());
            self.finish_dir(&dir, mode, time).map_err(|source| UnpackError::Io { path, source })?;
        }
        Ok(())
    }

    fn entry<R: Read>(
        &mut self,
        entry: &mut tar::Entry<'_, R>,
        made: &mut HashSet<PathBuf>,
        dirs: &mut Vec<(PathBuf, u32, i64)>,
    ) -> Result<(), Fault> {
        let kind = entry.header().entry_type();
        if matches!(kind, EntryType::XGlobalHeader | EntryType::XHeader) {
            return Ok(());
        }
        self.entries += 1;
        if self.entries > self.limits.entries {
            return Err(Fault::Refused(format!("one more than the {} files an image may hold", self.limits.entries)));
        }
        let path = clean(&entry.path_bytes())?;
        let header = entry.header();
        // A field that is left empty stands for nothing. Without set-user-id and set-group-id.
        let mode = header.mode().unwrap_or(0o644) & 0o1777;
        let (uid, gid) = (id(header.uid().unwrap_or(0))?, id(header.gid().unwrap_or(0))?);
        let time = header.mtime().ok().and_then(|time| i64::try_from(time).ok()).unwrap_or(0);
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            // The tree itself.
            if kind.is_dir() {
                dirs.push((PathBuf::new(), mode | 0o700, time));
            }
            return Ok(());
        };
        let dir = self.open_parent(parent)?;
        if name.as_bytes() == OPAQUE {
            return clear(&dir, parent, made);
        }
        if let Some(hidden) = name.as_bytes().strip_prefix(WHITEOUT) {
            return if hidden.is_empty() || matches!(hidden, b"." | b"..") {
                Err(Fault::Refused("which removes nothing that could be named".to_owned()))
            } else {
                Ok(remove(&dir, OsStr::from_bytes(hidden))?)
            };
        }
        match kind {
            EntryType::Directory => {
                match rustix::fs::mkdirat(&dir, name, Mode::RWXU) {
                    Err(Errno::EXIST) if is_dir(&dir, name)? => {}
                    Err(Errno::EXIST) => {
                        remove(&dir, name)?;
                        rustix::fs::mkdirat(&dir, name, Mode::RWXU)?;
                    }
                    other => other?,
                }
                self.own(&dir, name, uid, gid)?;
                dirs.push((path.clone(), mode, time));
            }
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                remove(&dir, name)?;
                self.file(entry, &dir, name, (mode, time))?;
                self.own(&dir, name, uid, gid)?;
            }
            EntryType::Symlink => {
                let target = entry.link_name_bytes().unwrap_or_default();
                if target.is_empty() || target.len() > PATH_MAX || target.contains(&0) {
                    return Err(Fault::Refused("a link to nothing that could be named".to_owned()));
                }
                remove(&dir, name)?;
                rustix::fs::symlinkat(OsStr::from_bytes(&target), &dir, name)?;
                self.own(&dir, name, uid, gid)?;
            }
            EntryType::Link => {
                let target = clean(&entry.link_name_bytes().unwrap_or_default())?;
                let (Some(from_parent), Some(from)) = (target.parent(), target.file_name()) else {
                    return Err(Fault::Refused("a link to the whole tree".to_owned()));
                };
                let from_dir = self.open_dir(from_parent)?;
                if target != path {
                    remove(&dir, name)?;
                    match rustix::fs::linkat(&from_dir, from, &dir, name, AtFlags::empty()) {
                        Err(Errno::NOENT) => {
                            return Err(Fault::Refused("a link to a file that is not there".to_owned()));
                        }
                        Err(Errno::PERM) => return Err(Fault::Refused("a hard link to a directory".to_owned())),
                        other => other?,
                    }
                }
            }
            EntryType::Char | EntryType::Block | EntryType::Fifo => return Ok(()),
            other => {
                return Err(Fault::Refused(format!("an entry of the unknown kind {:?}", char::from(other.as_byte()))));
            }
        }
        made.insert(path);
        Ok(())
    }

    fn file<R: Read>(
        &mut self,
        entry: &mut tar::Entry<'_, R>,
        dir: &OwnedFd,
        name: &OsStr,
        (mode, time): (u32, i64),
    ) -> Result<(), Fault> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(dir, name, flags, Mode::RUSR | Mode::WUSR)?;
        let mut file = File::from(file);
        let room = self.limits.bytes - self.bytes;
        let copied = io::copy(&mut entry.take(room.saturating_add(1)), &mut file)?;
        if copied > room {
            return Err(Fault::Refused(format!("and more than {} bytes in all", self.limits.bytes)));
        }
        self.bytes += copied;
        rustix::fs::fchmod(&file, Mode::from_raw_mode(mode))?;
        Ok(rustix::fs::futimens(&file, &times(time))?)
    }

    fn own(&self, dir: &OwnedFd, name: &OsStr, uid: u32, gid: u32) -> io::Result<()> {
        if self.is_root {
            let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
            rustix::fs::chownat(dir, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)?;
        }
        Ok(())
    }

    fn open_dir(&self, path: &Path) -> Result<OwnedFd, Fault> {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        Ok(rustix::fs::openat2(&self.root, path, flags, Mode::empty(), resolve)?)
    }

    /// Opens the directory for a new entry; what is missing of it is made, as archives may leave parents out.
    fn open_parent(&mut self, path: &Path) -> Result<OwnedFd, Fault> {
        match self.open_dir(path) {
            Err(Fault::Io(error)) if error.kind() == io::ErrorKind::NotFound => {}
            Err(Fault::Io(error)) if error.kind() == io::ErrorKind::NotADirectory => {
                return Err(Fault::Refused("which would be inside a file".to_owned()));
            }
            other => return other,
        }
        let mut at = PathBuf::new();
        let mut dir = self.open_dir(&at)?;
        for part in path {
            at.push(part);
            match rustix::fs::mkdirat(&dir, part, Mode::from_raw_mode(0o755)) {
                Ok(()) => self.entries += 1,
                Err(Errno::EXIST) => {}
                Err(error) => return Err(error.into()),
            }
            dir = self.open_dir(&at).map_err(|error| match error {
                Fault::Io(_) => Fault::Refused("which would be inside a file or behind a broken link".to_owned()),
                refused @ Fault::Refused(_) => refused,
            })?;
        }
        Ok(dir)
    }

    fn finish_dir(&self, path: &Path, mode: u32, time: i64) -> io::Result<()> {
        // A later entry of the layer may have replaced it.
        let Ok(dir) = self.open_dir(path) else { return Ok(()) };
        rustix::fs::fchmod(&dir, Mode::from_raw_mode(mode))?;
        Ok(rustix::fs::futimens(&dir, &times(time))?)
    }
}

#[derive(Debug)]
enum Fault {
    Refused(String),
    Io(io::Error),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<Errno> for Fault {
    fn from(error: Errno) -> Self {
        Self::Io(error.into())
    }
}

fn times(seconds: i64) -> Timestamps {
    let time = Timespec { tv_sec: seconds, tv_nsec: 0 };
    Timestamps { last_access: time, last_modification: time }
}

fn id(id: u64) -> Result<u32, Fault> {
    // The last one means "unchanged" to the system.
    u32::try_from(id)
        .ok()
        .filter(|id| *id < u32::MAX)
        .ok_or_else(|| Fault::Refused("with an owner out of range".into()))
}

/// The path inside the tree: without a slash in front, `.` and `..`.
fn clean(bytes: &[u8]) -> Result<PathBuf, Fault> {
    if bytes.len() > PATH_MAX || bytes.contains(&0) {
        return Err(Fault::Refused("a path that is too long or holds NUL".to_owned()));
    }
    let mut path = PathBuf::new();
    for component in Path::new(OsStr::from_bytes(bytes)).components() {
        match component {
            Component::Normal(part) => path.push(part),
            Component::CurDir | Component::RootDir => {}
            Component::ParentDir | Component::Prefix(_) => {
                return Err(Fault::Refused("a path that leads out of it".to_owned()));
            }
        }
    }
    Ok(path)
}

/// A path for messages: no control characters, not too long.
fn show(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).chars().filter(|c| !c.is_control()).take(120).collect()
}

fn is_dir(dir: &OwnedFd, name: &OsStr) -> io::Result<bool> {
    let stat = rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)?;
    Ok(rustix::fs::FileType::from_raw_mode(stat.st_mode).is_dir())
}

/// Removes what is called `name`, if anything is, with all that is in it.
fn remove(dir: &OwnedFd, name: &OsStr) -> io::Result<()> {
    match rustix::fs::unlinkat(dir, name, AtFlags::empty()) {
        Err(Errno::NOENT) => Ok(()),
        Err(Errno::ISDIR | Errno::PERM) => {
            // The descriptor stands for the parent, so that nothing above it is resolved again; the standard library
            // follows no link below it.
            let parent = PathBuf::from(format!("/proc/self/fd/{}", dir.as_fd().as_raw_fd()));
            match fs::remove_dir_all(parent.join(name)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                other => other,
            }
        }
        other => Ok(other?),
    }
}

/// Removes what earlier layers put into a directory.
fn clear(dir: &OwnedFd, path: &Path, made: &HashSet<PathBuf>) -> Result<(), Fault> {
    let names: Vec<OsString> = rustix::fs::Dir::read_from(dir)?
        .filter_map(Result::ok)
        .map(|entry| OsStr::from_bytes(entry.file_name().to_bytes()).to_owned())
        .filter(|name| name != "." && name != "..")
        .collect();
    for name in names {
        let full = path.join(&name);
        if !made.iter().any(|made| made.starts_with(&full)) {
            remove(dir, &name)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    use proptest::prelude::*;
    use tar::{Builder, Header};

    use super::*;

    enum Item<'a> {
        Dir(&'a str, u32),
        File(&'a str, &'a str),
        Symlink(&'a str, &'a str),
        Hard(&'a str, &'a str),
        Kind(&'a str, EntryType),
    }
    use Item::{Dir, File as Plain, Hard, Kind, Symlink};

    /// An archive with these very names, however bad.
    fn layer(items: &[Item<'_>]) -> Vec<u8> {
        let mut builder = Builder::new(Vec::new());
        for item in items {
            let (name, kind, mode, data, link) = match item {
                Dir(name, mode) => (name, EntryType::Directory, *mode, "", ""),
                Plain(name, data) => (name, EntryType::Regular, 0o4755, *data, ""),
                Symlink(name, link) => (name, EntryType::Symlink, 0o777, "", *link),
                Hard(name, link) => (name, EntryType::Link, 0o644, "", *link),
                Kind(name, kind) => (name, *kind, 0o644, "", ""),
            };
            let mut header = Header::new_gnu();
            header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
            header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
            header.set_entry_type(kind);
            header.set_mode(mode);
            header.set_mtime(1_000_000);
            let own = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
            header.set_uid(own.0.into());
            header.set_gid(own.1.into());
            header.set_size(data.len() as u64);
            header.set_cksum();
            builder.append(&header, data.as_bytes()).unwrap();
        }
        builder.into_inner().unwrap()
    }

    fn apply(dir: &Path, layers: &[Vec<u8>]) -> Result<(), UnpackError> {
        let mut tree = Layers::new(dir, UnpackLimits::default()).unwrap();
        layers.iter().try_for_each(|layer| tree.apply(layer.as_slice()))
    }

    #[test]
    fn layers_lie_over_each_other() {
        let dir = tempfile::tempdir().unwrap();
        let first = layer(&[
            Dir("usr/lib/", 0o755),
            Symlink("lib", "usr/lib"),
            Plain("usr/lib/old", "old"),
            Plain("usr/lib/kept", "1"),
            Plain("opaque/below", "x"),
            Plain("gone/deep/file", "x"),
            Dir("shut/", 0o500),
            Plain("shut/inside", "x"),
        ]);
        let second = layer(&[
            Plain("lib/new", "through the link"),
            Plain("./usr/lib/.wh.old", ""),
            Plain("opaque/own", "y"),
            Plain("opaque/.wh..wh..opq", ""),
            Plain(".wh.gone", ""),
            Hard("usr/lib/twin", "usr/lib/kept"),
            Plain("/absolute", "z"),
            Kind("dev/null", EntryType::Char),
            Kind("pipe", EntryType::Fifo),
        ]);
        apply(dir.path(), &[first, second]).unwrap();
        let read = |name: &str| fs::read_to_string(dir.path().join(name)).ok();
        assert_eq!(read("usr/lib/new").as_deref(), Some("through the link"));
        assert_eq!((read("usr/lib/old"), read("opaque/below"), read("gone/deep/file")), (None, None, None));
        assert_eq!((read("opaque/own").as_deref(), read("absolute").as_deref()), (Some("y"), Some("z")));
        let kept = fs::metadata(dir.path().join("usr/lib/kept")).unwrap();
        assert_eq!((kept.nlink(), kept.permissions().mode() & 0o7777, kept.mtime()), (2, 0o755, 1_000_000));
        assert_eq!(fs::metadata(dir.path().join("shut")).unwrap().permissions().mode() & 0o777, 0o500);
        assert!(!dir.path().join("pipe").exists() && !dir.path().join("gone").exists());
    }

    #[test]
    fn nothing_is_written_outside() {
        let outer = tempfile::tempdir().unwrap();
        let victim = outer.path().join("victim");
        fs::create_dir(&victim).unwrap();
        fs::write(victim.join("file"), "untouched").unwrap();
        let absolute = victim.to_str().unwrap();
        for (number, (layers, is_refused)) in [
            (vec![layer(&[Plain("../victim/file", "evil")])], true),
            (vec![layer(&[Plain("a/../../victim/file", "evil")])], true),
            (vec![layer(&[Symlink("out", absolute), Plain("out/file", "evil")])], true),
            (vec![layer(&[Symlink("out", "../../victim"), Plain("out/file", "evil")])], true),
            (vec![layer(&[Symlink("out", absolute)]), layer(&[Plain("out", "evil")])], false),
            (vec![layer(&[Symlink("out", absolute)]), layer(&[Plain(".wh.out", "")])], false),
            (vec![layer(&[Hard("twin", "../victim/file"), Plain("twin", "evil")])], true),
            (vec![layer(&[Symlink("out", absolute), Hard("twin", "out/file")])], true),
            (vec![layer(&[Symlink("self", "/proc/self/root"), Plain("self/etc/x", "evil")])], true),
            (vec![layer(&[Plain(".wh.", "")])], true),
            (vec![layer(&[Plain(".wh...", "")])], true),
            (vec![layer(&[Plain("file", "x"), Plain("file/below", "evil")])], true),
            (vec![layer(&[Symlink("loop", "loop"), Plain("loop/x", "evil")])], true),
        ]
        .into_iter()
        .enumerate()
        {
            let dir = outer.path().join(number.to_string());
            fs::create_dir(&dir).unwrap();
            let result = apply(&dir, &layers);
            assert_eq!(result.is_err(), is_refused, "{number}: {result:?}");
            assert_eq!(fs::read_to_string(victim.join("file")).unwrap(), "untouched", "{number}");
            assert_eq!(fs::read_dir(&victim).unwrap().count(), 1, "{number}");
        }
    }

    #[test]
    fn limits_hold_over_all_layers() {
        let limits = UnpackLimits { bytes: 5, entries: 3 };
        let outer = tempfile::tempdir().unwrap();
        for (name, layers, is_refused) in [
            ("fits", vec![layer(&[Plain("a", "12")]), layer(&[Plain("b", "345")])], false),
            ("bytes", vec![layer(&[Plain("a", "12")]), layer(&[Plain("b", "3456")])], true),
            ("count", vec![layer(&[Plain("a", ""), Plain("b", "")]), layer(&[Plain("c", ""), Plain("d", "")])], true),
        ] {
            let dir = outer.path().join(name);
            fs::create_dir(&dir).unwrap();
            let mut tree = Layers::new(&dir, limits).unwrap();
            let result = layers.iter().try_for_each(|layer| tree.apply(layer.as_slice()));
            assert_eq!(matches!(result, Err(UnpackError::Refused(_))), is_refused, "{name}: {result:?}");
        }
    }

    #[test]
    fn a_tree_is_removed_without_following_links() {
        let outer = tempfile::tempdir().unwrap();
        let (tree, victim) = (outer.path().join("tree"), outer.path().join("victim"));
        fs::create_dir_all(tree.join("dir")).unwrap();
        fs::create_dir(&victim).unwrap();
        fs::write(victim.join("file"), "untouched").unwrap();
        symlink(&victim, tree.join("dir/link")).unwrap();
        let fd = OwnedFd::from(File::open(&tree).unwrap());
        remove(&fd, OsStr::new("dir")).unwrap();
        assert!(!tree.join("dir").exists() && victim.join("file").exists());
    }

    proptest! {
        #[test]
        fn whatever_the_bytes_nothing_panics_or_leaks(bytes in prop::collection::vec(any::<u8>(), 0..2048), name in "[a-z./]{1,60}") {
            let outer = tempfile::tempdir().unwrap();
            let dir = outer.path().join("tree");
            fs::create_dir(&dir).unwrap();
            let _ = apply(&dir, &[bytes]);
            let _ = apply(&dir, &[layer(&[Plain(&name, "x"), Dir(&name, 0o755), Symlink(&name, "../..")])]);
            prop_assert_eq!(fs::read_dir(outer.path()).unwrap().count(), 1);
        }
    }
}
