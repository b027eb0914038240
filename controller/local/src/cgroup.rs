//! Finding a cgroup v2 directory that was delegated to the platform.
//!
//! A group that hands controllers to its children may hold no process itself (`cgroups(7)`, "no internal processes"),
//! so the platform first moves itself into a child of its own.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Where the hierarchy is mounted. Source: `file-hierarchy(7)`.
const MOUNT: &str = "/sys/fs/cgroup";
/// Child for the platform itself.
const PLATFORM: &str = "slipway-platform";

/// The platform's own group, made ready for groups of apps below it; `None` when it cannot be used for that.
pub(crate) fn delegated() -> Option<PathBuf> {
    let own = fs::read_to_string("/proc/self/cgroup").ok()?;
    let base = base(&own, Path::new(MOUNT))?;
    // After a restart in place the platform may be in its own child already.
    let base = if base.ends_with(PLATFORM) { base.parent()?.to_owned() } else { base };
    match enable(&base, std::process::id()) {
        Ok(is_enabled) => is_enabled.then_some(base),
        Err(error) => {
            tracing::debug!(path = %base.display(), %error, "limits go without cgroups");
            None
        }
    }
}

/// The directory that `/proc/PID/cgroup` names. The line of the second version is `0::/PATH`.
fn base(own: &str, mount: &Path) -> Option<PathBuf> {
    let path = own.lines().find_map(|line| line.strip_prefix("0::/"))?;
    (!path.split('/').any(|part| part == "..")).then(|| mount.join(path))
}

fn has_both(path: &Path) -> io::Result<bool> {
    let text = fs::read_to_string(path)?;
    let has = |wanted: &str| text.split_whitespace().any(|name| name == wanted);
    Ok(has("memory") && has("cpu"))
}

/// Hands the two controllers to children of `base`. When that fails the process `pid` is back where it was.
fn enable(base: &Path, pid: u32) -> io::Result<bool> {
    if !has_both(&base.join("cgroup.controllers"))? {
        return Ok(false);
    }
    let control = base.join("cgroup.subtree_control");
    if has_both(&control)? {
        // Somebody prepared it; what counts is whether groups can be made here.
        let probe = base.join(format!("slipway-probe-{pid}"));
        fs::create_dir(&probe)?;
        fs::remove_dir(&probe)?;
        return Ok(true);
    }
    let platform = base.join(PLATFORM);
    match fs::create_dir(&platform) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let moved = fs::write(platform.join("cgroup.procs"), pid.to_string());
    let enabled = moved.and_then(|()| fs::write(&control, "+memory +cpu"));
    if let Err(error) = enabled {
        // Other processes are in `base`, or it is not ours to change.
        fs::write(base.join("cgroup.procs"), pid.to_string())?;
        fs::remove_dir(&platform)?;
        return Err(error);
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_second_version_counts() {
        let mount = Path::new("/m");
        assert_eq!(base("5:memory:/a\n0::/b/c\n", mount), Some(PathBuf::from("/m/b/c")));
        assert_eq!(base("0::/\n", mount), Some(PathBuf::from("/m/")));
        for none in ["", "5:memory:/a\n", "0::/../b\n"] {
            assert_eq!(base(none, mount), None, "{none}");
        }
    }

    #[test]
    fn a_group_without_the_controllers_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        assert!(enable(dir.path(), 1).is_err());
        fs::write(dir.path().join("cgroup.controllers"), "cpu pids\n").unwrap();
        assert!(!enable(dir.path(), 1).unwrap());
        fs::write(dir.path().join("cgroup.controllers"), "cpu memory pids\n").unwrap();
        fs::write(dir.path().join("cgroup.subtree_control"), "memory cpu\n").unwrap();
        assert!(enable(dir.path(), 1).unwrap());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }
}
