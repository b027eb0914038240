//! File systems of this machine. Source: `proc_pid_mountinfo(5)`.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use slipway_engine::DiskUsage;

const MOUNTS: &str = "/proc/self/mountinfo";

/// A file system at its place.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Mount {
    source: String,
    point: String,
}

/// The file system that `path` is in. Blocks.
pub(crate) fn of(path: &Path) -> Option<DiskUsage> {
    let mounts = mounts(&fs::read_to_string(MOUNTS).unwrap_or_default());
    // Of two at one place the later one hides the earlier.
    let found = mounts.into_iter().filter(|mount| path.starts_with(&mount.point)).max_by_key(|mount| mount.point.len());
    measure(&found?)
}

/// The file systems on devices, and the one at the root whatever it is on; each once. Blocks.
pub(crate) fn all() -> Vec<DiskUsage> {
    let mut seen = HashSet::new();
    let mut mounts = mounts(&fs::read_to_string(MOUNTS).unwrap_or_default());
    mounts.retain(|mount| {
        let is_disk = mount.source.starts_with('/') || mount.point == "/";
        is_disk && seen.insert(mount.source.clone())
    });
    mounts.iter().filter_map(measure).collect()
}

fn measure(mount: &Mount) -> Option<DiskUsage> {
    let found = rustix::fs::statvfs(mount.point.as_str()).ok()?;
    let bytes = |blocks: u64| blocks.saturating_mul(found.f_frsize);
    Some(DiskUsage {
        filesystem: mount.source.clone(),
        mount_point: Some(mount.point.clone()),
        total_bytes: bytes(found.f_blocks),
        used_bytes: bytes(found.f_blocks.saturating_sub(found.f_bfree)),
        available_bytes: bytes(found.f_bavail),
    })
    .filter(|disk| disk.total_bytes > 0)
}

/// Reads lines `ID PARENT MAJOR:MINOR ROOT POINT OPTIONS [OPTIONAL…] - TYPE SOURCE OPTIONS`.
fn mounts(text: &str) -> Vec<Mount> {
    let mount = |line: &str| {
        let (before, after) = line.split_once(" - ")?;
        let point = before.split(' ').nth(4)?;
        let source = after.split(' ').nth(1)?;
        Some(Mount { source: unescaped(source), point: unescaped(point) })
    };
    text.lines().filter_map(mount).collect()
}

/// Blanks and the like are written as a backslash and three octal digits.
fn unescaped(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let escape = after.get(..3).filter(|digits| *first == b'\\' && digits.iter().all(u8::is_ascii_digit));
        let byte = escape.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { after.get(3..).unwrap_or_default() } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_are_read_with_odd_names() {
        let text = "22 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw\n\
            30 22 8:2 / /a\\040b\\134c rw,nosuid shared:2 master:1 - xfs /dev/sdb1 rw\n\
            31 22 0:5 / /x rw - tmpfs none rw\nnonsense\n1 2 3 - \n";
        let mount = |source: &str, point: &str| Mount { source: source.to_owned(), point: point.to_owned() };
        assert_eq!(mounts(text), [mount("/dev/sda1", "/"), mount("/dev/sdb1", "/a b\\c"), mount("none", "/x")]);
        for (text, expect) in [("\\9", "\\9"), ("a\\", "a\\"), ("\\888", "\\888"), ("\\377", "\u{fffd}")] {
            assert_eq!(unescaped(text), expect);
        }
    }

    #[test]
    fn this_machine_has_a_disk() {
        let root = of(Path::new("/")).unwrap();
        assert_eq!(root.mount_point.as_deref(), Some("/"));
        assert!(root.total_bytes > 0 && root.used_bytes <= root.total_bytes, "{root:?}");
        assert!(all().iter().any(|disk| disk.mount_point.as_deref() == Some("/")), "{:?}", all());
    }
}
