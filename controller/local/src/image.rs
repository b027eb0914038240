//! Image releases: which image a release runs, its private copy, and how its processes are started.

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};

use chrono::Utc;
use slipway_core::ProcessType;
use slipway_core::build::BuildKind;
use slipway_core::log::LogLine;
use slipway_engine::command::{ContainerCommand, line_command, process_command};
use slipway_engine::spec::RegistryLogin;
use slipway_engine::{Artifact, EngineError};
use slipway_image::{
    FetchError, FetchSettings, Fetcher, ImageDigest, ImageSetup, ImageStore, ImageUser, Login, StoreError,
};

use crate::app::Shared;
use crate::app::release::{Wanted, unavailable};
use crate::container::{PATH_DEFAULT, Runtime};
use crate::workdir::WorkDir;

/// Images and what runs them.
#[derive(Debug)]
pub(crate) struct Images {
    store: ImageStore,
    fetcher: Fetcher,
    /// Search path for the runtime, and where that keeps its files.
    runtime: (String, PathBuf),
    /// Held while an image is fetched: several processes of one release want it at the same time, and one fetch at a
    /// time is what the disk and the line take.
    fetching: tokio::sync::Mutex<()>,
}

/// An image's private copy of a release, and how it runs.
#[derive(Debug)]
pub(crate) struct ImageRelease {
    pub(crate) runtime: Runtime,
    pub(crate) setup: ImageSetup,
    pub(crate) user: ImageUser,
}

impl Images {
    /// Opens the store below `data`. Blocks.
    pub(crate) fn open(data: &Path, path: &str, fetch: FetchSettings) -> io::Result<Self> {
        Ok(Self {
            store: ImageStore::open(data.join("images")).map_err(io::Error::other)?,
            fetcher: Fetcher::new(fetch),
            runtime: (path.to_owned(), data.join("containers")),
            fetching: tokio::sync::Mutex::new(()),
        })
    }

    pub(crate) fn store(&self) -> ImageStore {
        self.store.clone()
    }

    /// The runtime of this machine. Looked for anew each time: it may just have been installed.
    pub(crate) fn runtime(&self) -> Option<Runtime> {
        Runtime::find(&self.runtime.0, &self.runtime.1)
    }

    /// Whether `reference` can be run here at all.
    pub(crate) fn check(&self, reference: &str) -> Result<(), EngineError> {
        Fetcher::check(reference).map_err(fetch_error)?;
        self.runtime().map(drop).ok_or_else(|| EngineError::Rejected(Runtime::missing(reference)))
    }

    /// `reference` by digest, as its registry has it now.
    pub(crate) async fn pin(&self, reference: &str, login: Option<&RegistryLogin>) -> Result<String, EngineError> {
        if is_pinned(reference) {
            return Ok(reference.to_owned());
        }
        let login = login.map(self::login);
        let (digest, _) = self.fetcher.inspect(reference, login.as_ref()).await.map_err(fetch_error)?;
        Ok(slipway_image::pinned(reference, &digest))
    }

    /// The image that `reference` stands for on this machine. What a digest stands for never changes and is asked once.
    async fn digest_of(&self, reference: &str, login: Option<&Login>) -> Result<ImageDigest, EngineError> {
        let public = "images cannot be stored";
        let is_pinned = is_pinned(reference);
        let (store, name) = (self.store.clone(), reference.to_owned());
        let known = tokio::task::spawn_blocking(move || store.noted(&name));
        let known = known.await.map_err(|error| unavailable(public, &error))?;
        let known = known.map_err(|error| unavailable(public, &error))?;
        if let Some(digest) = known.filter(|_| is_pinned) {
            return Ok(digest);
        }
        let digest = self.fetcher.resolve(reference, login).await.map_err(fetch_error)?;
        let (store, name, found) = (self.store.clone(), reference.to_owned(), digest.clone());
        let noted = tokio::task::spawn_blocking(move || store.note(&name, &found));
        noted.await.map_err(|error| unavailable(public, &error))?.map_err(|error| unavailable(public, &error))?;
        Ok(digest)
    }

    /// Removes images that none of `keep` names and that were not used for `min_age`.
    pub(crate) async fn retain(&self, keep: &[Artifact], min_age: std::time::Duration) -> Result<(), EngineError> {
        let keep: Vec<String> = keep
            .iter()
            .filter_map(|artifact| match artifact {
                Artifact::Image { reference } => Some(reference.clone()),
                Artifact::Slug { .. } => None,
            })
            .collect();
        let store = self.store.clone();
        let public = "images cannot be removed";
        let retained = tokio::task::spawn_blocking(move || {
            store.retain(&keep.iter().map(String::as_str).collect::<HashSet<_>>(), min_age)
        });
        let retained = retained.await.map_err(|error| unavailable(public, &error))?;
        retained.map(drop).map_err(|error| unavailable(public, &error))
    }
}

/// Whether an image is named by digest.
fn is_pinned(reference: &str) -> bool {
    reference.contains("@sha256:")
}

impl ImageRelease {
    /// Program and arguments of a process of `process_type` whose Procfile line is `line`.
    ///
    /// # Errors
    /// Why there are none, after "cannot be started: ".
    pub(crate) fn process_args(
        &self,
        kind: BuildKind,
        process_type: &ProcessType,
        line: Option<&str>,
    ) -> Result<Vec<String>, String> {
        self.args(process_command(kind, process_type, line))
    }

    /// Program and arguments of a one-off process.
    ///
    /// # Errors
    /// As [`ImageRelease::process_args`].
    pub(crate) fn line_args(&self, kind: BuildKind, line: &str) -> Result<Vec<String>, String> {
        self.args(line_command(kind, line))
    }

    /// A container's entrypoint and command as Kubernetes combines them with the image's own: a new entrypoint also
    /// takes the image's arguments away.
    fn args(&self, command: ContainerCommand) -> Result<Vec<String>, String> {
        let own_args = if command.command.is_some() { &[] } else { self.setup.cmd.as_slice() };
        let mut args = command.command.unwrap_or_else(|| self.setup.entrypoint.clone());
        args.extend(command.args.unwrap_or_else(|| own_args.to_vec()));
        if args.is_empty() {
            return Err("the image names no command; give it one in a Procfile (cmd: …)".to_owned());
        }
        Ok(args)
    }

    /// The image's own variables, under those of the app.
    pub(crate) fn environment(&self) -> BTreeMap<String, String> {
        let mut env =
            BTreeMap::from([("PATH".to_owned(), PATH_DEFAULT.to_owned()), ("HOME".to_owned(), self.user.home.clone())]);
        env.extend(self.setup.env.clone());
        env
    }
}

/// Fetches the image that is wanted, unless it is there, and copies it to `dir`.
pub(crate) async fn prepare(
    shared: &Shared,
    wanted: Wanted<'_>,
    reference: &str,
    dir: PathBuf,
) -> Result<(WorkDir, ImageRelease), EngineError> {
    let images = &shared.images;
    images.check(reference)?;
    let runtime = images.runtime().ok_or_else(|| EngineError::Rejected(Runtime::missing(reference)))?;
    let login = wanted.registry.map(login);
    let say = |text: String| {
        if let Some(journal) = shared.journals.of(wanted.app) {
            journal.write(LogLine { time: Utc::now(), source: "slipway[engine]".to_owned(), text });
        }
    };
    let digest = {
        let _one = images.fetching.lock().await;
        let digest = images.digest_of(reference, login.as_ref()).await?;
        images.fetcher.fetch(&images.store, reference, &digest, login.as_ref(), say).await.map_err(fetch_error)?;
        digest
    };
    let (store, name) = (images.store.clone(), reference.to_owned());
    let copied = tokio::task::spawn_blocking(move || {
        let (rootfs, setup) = store.image(&digest).map_err(|error| match error {
            StoreError::Missing(_) => EngineError::Missing(format!("image {name}")),
            StoreError::Io { .. } => unavailable("the image cannot be read", &error),
        })?;
        let user = slipway_image::user::user_find(&rootfs, &setup.user).map_err(EngineError::Rejected)?;
        let work = WorkDir::create(dir, &rootfs).map_err(|error| unavailable("the image cannot be copied", &error))?;
        Ok((work, ImageRelease { runtime, setup, user }))
    });
    copied.await.map_err(|error| unavailable("the image cannot be copied", &error))?
}

fn login(login: &RegistryLogin) -> Login {
    Login::new(login.hostname.as_deref(), &login.username, login.password.expose())
}

fn fetch_error(error: FetchError) -> EngineError {
    match error {
        FetchError::Rejected(reason) => EngineError::Rejected(reason),
        FetchError::Unavailable { public, context } => EngineError::Unavailable { public, context },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_combine_as_on_a_cluster() {
        let image = |entrypoint: &[&str], cmd: &[&str]| ImageRelease {
            runtime: Runtime::for_test(),
            setup: ImageSetup {
                entrypoint: entrypoint.iter().map(|word| (*word).to_owned()).collect(),
                cmd: cmd.iter().map(|word| (*word).to_owned()).collect(),
                ..ImageSetup::default()
            },
            user: ImageUser { uid: 0, gid: 0, home: "/".to_owned() },
        };
        let cmd = ProcessType::cmd();
        let kind = BuildKind::Image;
        let full = image(&["/entry"], &["own"]);
        assert_eq!(full.process_args(kind, &cmd, None).unwrap(), ["/entry", "own"]);
        assert_eq!(full.process_args(kind, &cmd, Some("a 'b c'")).unwrap(), ["/entry", "a", "b c"]);
        assert_eq!(full.process_args(kind, &ProcessType::web(), None).unwrap(), ["/entry", "start", "web"]);
        let line = full.process_args(kind, &ProcessType::web(), Some("serve $PORT")).unwrap();
        assert_eq!((line[0].as_str(), line.last().unwrap().as_str()), ("/bin/sh", "serve $PORT"));
        assert!(image(&[], &[]).process_args(kind, &cmd, None).is_err());
    }
}
