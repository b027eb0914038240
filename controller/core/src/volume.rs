//! Directories of an app that outlive its processes. Source: `drycc-v2.md` §2.13.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};

use crate::{AppId, ProcessType, Username, VolumeId, VolumeName};

/// Most volumes of an app.
pub const VOLUMES_MAX: usize = 32;
/// Most bytes of a path that a volume is mounted at.
pub const PATH_MAX: usize = 255;
/// Largest volume: 16 TiB, the largest file system that every usual one can be.
pub const BYTES_MAX: u64 = 16 << 40;
/// The message for a size that breaks the grammar.
pub const SIZE_RULE: &str = "Volume size limit format: <number><unit>, where unit = M or G";
/// The message for a size that is too large.
pub const SIZE_RANGE: &str = "Volume setting is not in allowed range: 1M~16384G";
/// The message for a path that is none.
pub const PATH_RULE: &str = "Mount paths begin with /, do not end with it, and have letters, digits, '_', '.', '-' and '+' \
                             between slashes, but no part that is '.' or '..'.";
/// The message for a path that processes need as it is.
pub const PATH_RESERVED: &str = "Nothing can be mounted there: processes need what is in it. Choose a directory of the app's own, such as /app/data.";

/// Directories that the kernel and the platform fill, with all that is below them.
const RESERVED_TREES: [&str; 6] = ["/proc", "/sys", "/dev", "/slipway", "/run/secrets", "/var/run/secrets"];
/// What an image or the app brings, or the platform writes: what is below may be a volume, this itself not.
const RESERVED: [&str; 23] = [
    "/app",
    "/bin",
    "/boot",
    "/etc",
    "/etc/hostname",
    "/etc/hosts",
    "/etc/resolv.conf",
    "/home",
    "/lib",
    "/lib32",
    "/lib64",
    "/root",
    "/run",
    "/sbin",
    "/tmp",
    "/usr",
    "/usr/bin",
    "/usr/lib",
    "/usr/local",
    "/usr/sbin",
    "/usr/share",
    "/var",
    "/var/run",
];

/// A volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    /// Its identity.
    pub id: VolumeId,
    /// The app it is of.
    pub app: AppId,
    /// Who made it.
    pub owner_name: Username,
    /// Its name within the app.
    pub name: VolumeName,
    /// How much fits into it.
    pub size: VolumeSize,
    /// When it was made.
    pub created: DateTime<Utc>,
    /// When it last changed.
    pub updated: DateTime<Utc>,
}

/// Where volumes are mounted: directories by process type, by volume. No volume is there without a type.
pub type Mounts = BTreeMap<VolumeName, BTreeMap<ProcessType, MountPath>>;

/// A size as it was written, `[1-9][0-9]*[MG]`: `500M`, `10G`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeSize {
    text: String,
    bytes: u64,
}

impl VolumeSize {
    /// Reads a size.
    ///
    /// # Errors
    /// The rule that it breaks, for the user.
    pub fn new(text: &str) -> Result<Self, &'static str> {
        let (digits, unit) = match (text.strip_suffix('M'), text.strip_suffix('G')) {
            (Some(digits), _) => (digits, 1 << 20),
            (None, Some(digits)) => (digits, 1 << 30),
            (None, None) => return Err(SIZE_RULE),
        };
        let is_number = !digits.is_empty() && !digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit());
        if !is_number {
            return Err(SIZE_RULE);
        }
        let bytes = digits.parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
        let bytes = bytes.filter(|bytes| *bytes <= BYTES_MAX).ok_or(SIZE_RANGE)?;
        Ok(Self { text: text.to_owned(), bytes })
    }

    /// The size in bytes.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The size as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for VolumeSize {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::new(text)
    }
}

/// A directory that a volume is mounted at: absolute, in its shortest spelling, and none that processes need as it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MountPath(String);

impl MountPath {
    /// Checks a path.
    ///
    /// # Errors
    /// The rule that it breaks, for the user.
    pub fn new(text: &str) -> Result<Self, &'static str> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/_.-+".contains(&byte);
        let is_part = |part: &str| !matches!(part, "" | "." | "..");
        let is_good = text.len() <= PATH_MAX
            && text.bytes().all(is_plain)
            && text.strip_prefix('/').is_some_and(|rest| rest.split('/').all(is_part));
        if !is_good {
            return Err(PATH_RULE);
        }
        let path = Self(text.to_owned());
        if RESERVED.contains(&text) || RESERVED_TREES.iter().any(|tree| path.is_within(tree)) {
            return Err(PATH_RESERVED);
        }
        Ok(path)
    }

    /// The path as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is `dir` or below it.
    #[must_use]
    pub fn is_within(&self, dir: &str) -> bool {
        self.0.strip_prefix(dir).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// Whether one of both hides the other, or a part of it.
    #[must_use]
    pub fn clashes_with(&self, other: &Self) -> bool {
        self.is_within(&other.0) || other.is_within(&self.0)
    }
}

impl fmt::Display for MountPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for MountPath {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::new(text)
    }
}

/// Why mounts cannot be changed as asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MountError {
    /// They are so already.
    Unchanged,
    /// The volume is not mounted for this process type, so that it cannot be unmounted.
    NotMounted(ProcessType),
    /// Another volume of the process type is there, or above, or below: its name and its directory.
    Taken {
        /// Where the volume should be mounted.
        path: MountPath,
        /// The volume that is in the way.
        by: VolumeName,
        /// Where that one is.
        at: MountPath,
    },
}

/// The mounts that come of `mounts` when `volume`'s change: a directory for a process type, or none. Source:
/// `drycc-v2.md` §2.13.
///
/// # Errors
/// [`MountError`].
pub fn mounts_change(
    mounts: &Mounts,
    volume: &VolumeName,
    change: &BTreeMap<ProcessType, Option<MountPath>>,
) -> Result<Mounts, MountError> {
    let mut paths = mounts.get(volume).cloned().unwrap_or_default();
    let is_changed =
        change.iter().any(|(process_type, path)| path.is_none() || paths.get(process_type) != path.as_ref());
    if !is_changed {
        return Err(MountError::Unchanged);
    }
    for (process_type, path) in change {
        let Some(path) = path else {
            paths.remove(process_type).ok_or_else(|| MountError::NotMounted(process_type.clone()))?;
            continue;
        };
        let others = mounts.iter().filter(|(other, _)| *other != volume);
        let mut others = others.filter_map(|(other, paths)| Some((other, paths.get(process_type)?)));
        if let Some((by, at)) = others.find(|(_, at)| path.clashes_with(at)) {
            return Err(MountError::Taken { path: path.clone(), by: by.clone(), at: at.clone() });
        }
        paths.insert(process_type.clone(), path.clone());
    }
    let mut mounts = mounts.clone();
    if paths.is_empty() {
        mounts.remove(volume);
    } else {
        mounts.insert(volume.clone(), paths);
    }
    Ok(mounts)
}

#[cfg(test)]
mod tests;
