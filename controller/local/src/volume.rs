//! Volumes: directories below the engine's data that outlive processes, releases and the platform's own restarts.
//!
//! Containers have them mounted. Processes of a slug have no file system of their own, so that they find them by links in
//! the release's copy of the slug: `/app/data`, by which a container would know it, is `data` in their directory.
//! How much fits into one is not bounded here.

use std::fs;
use std::io;
use std::os::unix::fs::{lchown, symlink};
use std::path::{Path, PathBuf};

use slipway_core::{AppId, VolumeId};
use slipway_engine::MountSpec;
use slipway_engine::spec::{Artifact, MountPath};
use slipway_image::remove_tree;

use crate::workdir::make_dir;

/// The directory of buildpack apps, as they know it from containers.
const APP: &str = "/app";
/// Prefix of what is being removed.
const GONE: &str = "gone-";

/// The volumes of all apps.
#[derive(Debug, Clone)]
pub(crate) struct Volumes {
    root: PathBuf,
}

impl Volumes {
    /// Opens them below `data`, and ends removals that an earlier engine began. Blocks.
    pub(crate) fn open(data: &Path) -> io::Result<Self> {
        let root = data.join("volumes");
        make_dir(&root)?;
        for entry in fs::read_dir(&root)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(GONE) {
                remove(&entry.path());
            }
        }
        Ok(Self { root })
    }

    fn app(&self, app: AppId) -> PathBuf {
        self.root.join(app.to_string())
    }

    /// The directory of a volume, made if it is not there yet, for `owner` if the platform may give files away. Blocks.
    pub(crate) fn make(&self, app: AppId, volume: VolumeId, owner: Option<(u32, u32)>) -> io::Result<PathBuf> {
        let dir = self.app(app).join(volume.to_string());
        if !dir.is_dir() {
            make_dir(&dir)?;
            if let Some((uid, gid)) = owner.filter(|_| rustix::process::geteuid().is_root()) {
                lchown(&dir, Some(uid), Some(gid))?;
            }
        }
        Ok(dir)
    }

    /// Removes the volumes of an app that are none of `keep`. They are out of reach when this returns. Blocks.
    pub(crate) fn retain(&self, app: AppId, keep: &[VolumeId]) -> io::Result<()> {
        let entries = match fs::read_dir(self.app(app)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            other => other?,
        };
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name();
            let id = name.to_str().and_then(|name| name.parse::<VolumeId>().ok());
            if id.is_none_or(|id| !keep.contains(&id)) {
                self.discard(&entry.path())?;
            }
        }
        Ok(())
    }

    /// Removes all volumes of an app. Blocks.
    pub(crate) fn remove_app(&self, app: AppId) -> io::Result<()> {
        match self.discard(&self.app(app)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    /// Takes a directory away at once, and what is in it after that.
    fn discard(&self, dir: &Path) -> io::Result<()> {
        let gone = self.root.join(format!("{GONE}{}", uuid::Uuid::new_v4()));
        fs::rename(dir, &gone)?;
        std::thread::spawn(move || remove(&gone));
        Ok(())
    }

    /// Puts links to volumes into a copy of a slug. What the slug has in their places goes. Blocks.
    ///
    /// # Errors
    /// `InvalidInput` for a path that a slug cannot have a volume at; the text is for the user.
    pub(crate) fn link(&self, app: AppId, mounts: &[MountSpec], copy: &Path) -> io::Result<()> {
        for mount in mounts {
            let refused = |reason: String| io::Error::new(io::ErrorKind::InvalidInput, reason);
            let parts = slug_path(&mount.path).ok_or_else(|| refused(slug_refusal(&mount.path)))?;
            let target = self.make(app, mount.volume, None)?;
            let (mut at, mut parts) = (copy.to_owned(), parts.split('/').peekable());
            while let Some(part) = parts.next() {
                at.push(part);
                let found = match fs::symlink_metadata(&at) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                    other => Some(other?),
                };
                if parts.peek().is_some() {
                    match found {
                        Some(found) if found.is_dir() => {}
                        // A link may lead anywhere.
                        Some(_) => {
                            let reason = "a part of that path is a file or a link in the app";
                            return Err(refused(format!("nothing can be mounted at {}: {reason}", mount.path)));
                        }
                        None => make_dir(&at)?,
                    }
                } else {
                    match found {
                        Some(found) if found.is_dir() => remove_tree(&at)?,
                        Some(_) => fs::remove_file(&at)?,
                        None => {}
                    }
                    symlink(&target, &at)?;
                }
            }
        }
        Ok(())
    }
}

fn remove(gone: &Path) {
    if let Err(error) = remove_tree(gone) {
        tracing::warn!(path = %gone.display(), %error, "a deleted volume stays until the next start");
    }
}

/// A path in an app's own directory, without that; `None` for one elsewhere.
fn slug_path(path: &MountPath) -> Option<&str> {
    path.as_str().strip_prefix(APP)?.strip_prefix('/')
}

fn slug_refusal(path: &MountPath) -> String {
    format!(
        "nothing can be mounted at {path} on this machine: processes built from source have no file system of their own \
         here. Choose a path below /app, such as /app/data, which is 'data' in the app's own directory; or deploy an image"
    )
}

/// Why a process of `artifact` cannot have a volume at `path` on this machine.
pub(crate) fn refusal(artifact: &Artifact, path: &MountPath) -> Option<String> {
    match artifact {
        Artifact::Slug { .. } if slug_path(path).is_none() => Some(slug_refusal(path)),
        Artifact::Slug { .. } | Artifact::Image { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use slipway_core::VolumeName;

    use super::*;

    fn mount(path: &str) -> MountSpec {
        let (volume, name) = (VolumeId::generate(), VolumeName::new("data").unwrap());
        MountSpec { volume, name, path: MountPath::new(path).unwrap() }
    }

    #[test]
    fn links_stay_in_the_copy() {
        let dir = tempfile::tempdir().unwrap();
        let volumes = Volumes::open(dir.path()).unwrap();
        let (app, copy, outside) = (AppId::generate(), dir.path().join("copy"), dir.path().join("outside"));
        for made in [&copy.join("full"), &copy.join("deep"), &outside] {
            fs::create_dir_all(made).unwrap();
        }
        fs::write(copy.join("full/of"), "slug").unwrap();
        fs::write(copy.join("file"), "slug").unwrap();
        symlink(&outside, copy.join("away")).unwrap();
        for path in ["/app/new", "/app/full", "/app/file", "/app/deep/down/here", "/app/away"] {
            let mount = mount(path);
            volumes.link(app, std::slice::from_ref(&mount), &copy).unwrap();
            let at = copy.join(path.strip_prefix("/app/").unwrap());
            fs::write(at.join("kept"), path).unwrap();
            let kept = volumes.make(app, mount.volume, None).unwrap().join("kept");
            assert_eq!(fs::read_to_string(kept).unwrap(), path);
        }
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
        fs::write(copy.join("note"), "").unwrap();
        symlink(&outside, copy.join("out")).unwrap();
        for path in ["/app/out/in", "/app/note/in", "/data"] {
            let error = volumes.link(app, &[mount(path)], &copy).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{path}: {error}");
        }
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    }

    #[test]
    fn only_what_is_wanted_stays() {
        let dir = tempfile::tempdir().unwrap();
        let volumes = Volumes::open(dir.path()).unwrap();
        let (app, other) = (AppId::generate(), AppId::generate());
        let (kept, gone) = (VolumeId::generate(), VolumeId::generate());
        for (app, volume) in [(app, kept), (app, gone), (other, gone)] {
            let at = volumes.make(app, volume, None).unwrap();
            fs::write(at.join("file"), "text").unwrap();
        }
        volumes.retain(app, &[kept]).unwrap();
        volumes.retain(AppId::generate(), &[]).unwrap();
        assert!(volumes.app(app).join(kept.to_string()).join("file").exists());
        assert!(!volumes.app(app).join(gone.to_string()).exists());
        assert!(volumes.app(other).join(gone.to_string()).join("file").exists());
        volumes.remove_app(other).unwrap();
        volumes.remove_app(other).unwrap();
        assert!(!volumes.app(other).exists());
        // A removal that was cut short is ended by the next start.
        fs::create_dir_all(dir.path().join("volumes/gone-1/x")).unwrap();
        Volumes::open(dir.path()).unwrap();
        assert!(!dir.path().join("volumes/gone-1").exists());
        assert!(volumes.app(app).join(kept.to_string()).join("file").exists());
    }
}
