//! Who runs an image's processes.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use rustix::fs::{Mode, OFlags, ResolveFlags};

/// Longest user or group file that is read, in bytes.
const FILE_MAX: u64 = 1024 * 1024;

/// Who runs an image's processes, as its own files have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageUser {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
    /// Home directory. Default `/`.
    pub home: String,
}

/// Reads a user as images name it (`app`, `1000`, `app:staff`, `1000:1000`) with the tree's own `/etc/passwd` and
/// `/etc/group`. Empty stands for root. Blocks.
///
/// # Errors
/// The reason, for the user.
pub fn user_find(rootfs: &Path, user: &str) -> Result<ImageUser, String> {
    let (user, group) = user.split_once(':').map_or((user, None), |(user, group)| (user, Some(group)));
    let user = if user.is_empty() { "0" } else { user };
    let passwd = read_in(rootfs, "etc/passwd");
    let line = passwd
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>())
        .find(|fields| fields.first() == Some(&user) || (fields.get(2) == Some(&user) && user.parse::<u32>().is_ok()));
    let known = line.and_then(|fields| {
        let home = fields.get(5).filter(|home| home.starts_with('/')).map_or("/", |home| *home);
        Some(ImageUser { uid: fields.get(2)?.parse().ok()?, gid: fields.get(3)?.parse().ok()?, home: home.to_owned() })
    });
    let mut found = match (known, user.parse()) {
        (Some(known), _) => known,
        (None, Ok(uid)) => ImageUser { uid, gid: 0, home: "/".to_owned() },
        (None, Err(_)) => {
            return Err(format!("the image runs as '{}', whom its /etc/passwd does not name", show(user)));
        }
    };
    let Some(group) = group.filter(|group| !group.is_empty()) else { return Ok(found) };
    found.gid = if let Ok(gid) = group.parse() {
        gid
    } else {
        let groups = read_in(rootfs, "etc/group");
        let line = groups.lines().map(|line| line.split(':').collect::<Vec<_>>());
        let gid = line
            .into_iter()
            .find(|fields| fields.first() == Some(&group))
            .and_then(|fields| fields.get(2)?.parse().ok());
        gid.ok_or_else(|| format!("the image runs in the group '{}', which its /etc/group does not name", show(group)))?
    };
    Ok(found)
}

/// Whether the tree has a program at `path`.
pub fn has_program(rootfs: &Path, path: &str) -> bool {
    open_in(rootfs, path, OFlags::PATH).is_some()
}

fn open_in(rootfs: &Path, path: &str, flags: OFlags) -> Option<File> {
    let root = File::open(rootfs).ok()?;
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    rustix::fs::openat2(root, path, flags | OFlags::CLOEXEC, Mode::empty(), resolve).ok().map(File::from)
}

/// A text file of the tree; empty when there is none. Links stay inside the tree.
fn read_in(rootfs: &Path, path: &str) -> String {
    let mut bytes = Vec::new();
    if let Some(file) = open_in(rootfs, path, OFlags::RDONLY | OFlags::NONBLOCK) {
        // What cannot be read names nobody.
        let _ = file.take(FILE_MAX).read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn show(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(60).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_found_by_name_and_number() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("etc")).unwrap();
        std::fs::write(dir.path().join("etc/passwd"), "root:x:0:0::/:/bin/sh\napp:x:7:8:,,:/home:/bin/sh\nbroken\n")
            .unwrap();
        std::fs::write(dir.path().join("etc/group"), "staff:x:50:\n").unwrap();
        for (user, expect) in [
            ("", (0, 0, "/")),
            ("app", (7, 8, "/home")),
            ("7", (7, 8, "/home")),
            ("1234", (1234, 0, "/")),
            ("app:staff", (7, 50, "/home")),
            ("1:2", (1, 2, "/")),
            ("app:", (7, 8, "/home")),
        ] {
            let found = user_find(dir.path(), user).unwrap();
            assert_eq!((found.uid, found.gid, found.home.as_str()), expect, "{user}");
        }
        for bad in ["nobody", "app:nobody", "-1", "99999999999"] {
            assert!(user_find(dir.path(), bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn files_are_looked_for_inside_only() {
        let dir = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/etc", dir.path().join("etc")).unwrap();
        assert!(user_find(dir.path(), "daemon").is_err());
        assert!(!has_program(dir.path(), "/bin/sh"));
        std::fs::create_dir(dir.path().join("bin")).unwrap();
        std::fs::write(dir.path().join("bin/sh"), "").unwrap();
        assert!(has_program(dir.path(), "/bin/sh"));
    }
}
