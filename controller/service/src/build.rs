//! Builds and their logs. Source: `drycc-v2.md` §2.5.

use std::collections::BTreeMap;
use std::io::{Read, Write};

use chrono::{DateTime, Utc};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use slipway_core::app::App;
use slipway_core::authz::AppAction;
use slipway_core::build::{Build, BuildOutcome, Procfile};
use slipway_core::error::{FieldError, Kind};
use slipway_core::procfile::PROCFILE_MAX_TYPES;
use slipway_core::release::summary::summary;
use slipway_core::release::{Release, ReleaseState};
use slipway_core::structure::{FirstStructure, structure_one};
use slipway_core::{BuildId, BuildLogId, Error, ProcessType, Result, Username};
use slipway_engine::{Artifact, EngineError};
use slipway_store as store;

use crate::audit::event;
use crate::deploy_hook::release_record;
use crate::dployr::OrderDone;
use crate::engine_error::engine_error;
use crate::reconcile::spec::registry_login;
use crate::state::release_subject;
use crate::stored::{Fail, Stored, write};
use crate::{Cx, Page, PageQuery, Service};

/// Most bytes of a build's log that are kept.
pub(crate) const BUILD_LOG_MAX_BYTES: usize = 4 * 1024 * 1024;
/// Longest commit hash.
const SHA_MAX: usize = 40;
/// Longest image reference with its digest.
const PINNED_MAX: usize = 1024;
/// Longest image reference.
const IMAGE_MAX: usize = 1024;
/// Longest command of a process type.
const COMMAND_MAX: usize = 32 * 1024;
/// Longest Dockerfile.
const DOCKERFILE_MAX: usize = 256 * 1024;

/// Why a build without a Procfile is refused. Source: `drycc-v2.md` §2.5.
const PROCFILE_MISSING: &str =
    "Last deployment had a Procfile but is missing in this deploy. For a successful deployment provide a Procfile.";

/// A build to be made, not yet checked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewBuild {
    /// What runs; required.
    pub image: String,
    /// Commit hash, at most 40 characters, possibly empty.
    pub sha: String,
    /// Commands by process type; a `null` is `None`.
    pub procfile: BTreeMap<String, Option<String>>,
    /// Non-empty for builds from a Dockerfile.
    pub dockerfile: String,
    /// The stack, possibly empty.
    pub stack: String,
    /// What runs of it if it is the app's first and nobody scaled anything.
    pub first: FirstStructure,
}

/// A build and the release that was made with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployed {
    /// The build.
    pub build: Build,
    /// The release, as it was when the answer was made.
    pub release: Release,
}

/// How a build from source ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BuildLogState {
    /// It is under way.
    Running,
    /// It is under way, and somebody wants it ended.
    Canceling,
    /// With a build.
    Succeeded,
    /// With an error.
    Failed,
    /// The pusher went away, or somebody stopped it.
    Canceled,
}

impl From<BuildLogState> for BuildOutcome {
    fn from(state: BuildLogState) -> Self {
        match state {
            BuildLogState::Running => Self::Running,
            BuildLogState::Canceling => Self::Canceling,
            BuildLogState::Succeeded => Self::Succeeded,
            BuildLogState::Failed => Self::Failed,
            BuildLogState::Canceled => Self::Canceled,
        }
    }
}

impl From<BuildOutcome> for BuildLogState {
    fn from(outcome: BuildOutcome) -> Self {
        match outcome {
            BuildOutcome::Running => Self::Running,
            BuildOutcome::Canceling => Self::Canceling,
            BuildOutcome::Succeeded => Self::Succeeded,
            BuildOutcome::Failed => Self::Failed,
            BuildOutcome::Canceled => Self::Canceled,
        }
    }
}

/// The log of a build from source (Slipway's own).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildLog {
    /// Its identity.
    pub id: BuildLogId,
    /// Who pushed.
    pub owner_name: Username,
    /// The full commit hash.
    pub sha: String,
    /// How it ended.
    pub state: BuildLogState,
    /// The text; empty in lists.
    pub log: String,
    /// When it ended, or began while it is under way.
    pub created: DateTime<Utc>,
}

impl BuildLog {
    pub(crate) fn new(log: slipway_core::build::BuildLog, text: String) -> Self {
        Self {
            id: log.id,
            owner_name: log.owner_name,
            sha: log.sha,
            state: log.outcome.into(),
            log: text,
            created: log.created,
        }
    }
}

impl Service {
    /// Makes a build and a release of it, and waits for the rollout. Source: `drycc-v2.md` §2.5.
    ///
    /// # Errors
    /// `Invalid` by field; `DeployFailed` when it failed (the release is kept as failed) or was replaced by a later one.
    pub async fn build_create(&self, cx: &Cx, app: &str, new: NewBuild) -> Result<Deployed> {
        let app = self.app_for(cx, app, AppAction::Use).await?;
        if matches!(new.image.trim().parse(), Ok(Artifact::Slug { .. })) {
            // A digest names a slug whoever's it is; by hand one may name those of the app's own builds only.
            let mut db = self.read().await?;
            let builds = store::builds_list(&mut db, app.id, slipway_core::Page::ALL).await.stored()?;
            if !builds.items.iter().any(|build| build.image == new.image.trim()) {
                return Err(Error::invalid("image", "This slug is not of a build of this app"));
            }
        }
        let deployed = self.build_release(cx, &app, new, None).await?;
        let release = self.release_wait(&app, deployed.release).await?;
        Ok(Deployed { build: deployed.build, release })
    }

    /// What an image's tag stands for now, by digest. `None` for a slug, and when the registry does not tell: then the
    /// rollout does, with the reason.
    async fn image_pin(&self, app: &App, artifact: &Artifact) -> Result<Option<String>> {
        if matches!(artifact, Artifact::Slug { .. }) {
            return Ok(None);
        }
        let mut db = self.read().await?;
        let base = store::release_latest_good(&mut db, app.id).await.stored()?;
        let config = match base {
            Some(base) => store::config_by_id(&mut db, base.config).await.stored()?,
            None => None,
        };
        drop(db);
        let login = config.and_then(|config| registry_login(&config.registry));
        match self.engine().artifact_pin(artifact, login.as_ref()).await {
            Ok(pinned) => Ok(Some(pinned.to_string()).filter(|pinned| pinned.len() <= PINNED_MAX)),
            Err(error) => {
                self.app_log(app.id, format!("WARN the digest of {artifact} is not known: {error}"));
                Ok(None)
            }
        }
    }

    /// Records a build and a release of it; and, if it is for one, that a deployment has it.
    pub(crate) async fn build_release(
        &self,
        cx: &Cx,
        app: &App,
        new: NewBuild,
        order: Option<&OrderDone>,
    ) -> Result<Deployed> {
        let (owner, _, _) = cx.user()?;
        let first = new.first;
        let (mut row, artifact) = build_check(app, owner, new, cx.now)?;
        match self.engine().artifact_check(&artifact).await {
            Ok(()) => {}
            Err(EngineError::Missing(what)) => {
                return Err(Error::Rejected(format!("(app::deploy): {what} does not exist")));
            }
            Err(EngineError::Rejected(reason)) => return Err(Error::Rejected(format!("(app::deploy): {reason}"))),
            Err(error @ (EngineError::Unavailable { .. } | EngineError::TimedOut(_))) => {
                return Err(engine_error(error));
            }
        }
        let is_rejecting = self.config().is_missing_procfile_rejected && row.procfile.is_empty();
        row.pinned = self.image_pin(app, &artifact).await?;
        let is_inheriting = !self.config().is_missing_procfile_type_removed && row.procfile.is_empty();
        let deployed = write!(self, |db| {
            let base = store::release_latest_good(db, app.id).await?;
            let base = base.ok_or_else(|| Error::internal(format!("app {} has no release", app.id)))?;
            let missing = || Error::internal(format!("release {} has no config", base.id));
            let config = store::config_by_id(db, base.config).await?.ok_or_else(missing)?;
            if (is_inheriting || is_rejecting)
                && let Some(id) = base.build
            {
                let previous = store::build_by_id(db, id).await?.map(|build| build.procfile).unwrap_or_default();
                if is_rejecting && !previous.is_empty() {
                    return Err(Error::Conflict(PROCFILE_MISSING.to_owned()).into());
                }
                row.procfile = previous;
            }
            let build = store::build_insert(db, &row).await?;
            if first == FirstStructure::One && app.structure.is_empty() && base.build.is_none() {
                store::app_update_structure(db, app.id, &structure_one(&build), cx.now).await?;
            }
            let text = summary(Some(&build), &config, &config).unwrap_or_default();
            let release = store::NewRelease {
                app: app.id,
                owner,
                summary: text,
                config: base.config,
                build: Some(build.id),
                state: ReleaseState::Created,
                created: cx.now,
            };
            let release = release_record(db, &self.config().deploy_hooks, app, &release).await?;
            store::releases_supersede_before(db, app.id, release.version, cx.now).await?;
            store::app_bump_desired(db, app.id, cx.now).await?;
            let after = json!({"build": build.id.to_string(), "image": build.image, "sha": build.sha});
            store::event_insert(db, &event(cx, "build", release_subject(&release), Value::Null, after)).await?;
            if let Some(order) = order {
                order.record(db, app.id, &build, &release, cx.now).await?;
            }
            Ok::<_, Fail>(Deployed { build, release })
        })?;
        let id: String = deployed.build.id.to_string().chars().take(7).collect();
        self.app_log(app.id, format!("INFO build {}-{id} created", app.name));
        self.app_log(app.id, format!("INFO {}", deployed.release.summary));
        self.signals().desired(app.id);
        Ok(deployed)
    }

    /// An app's builds, newest first.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`.
    pub async fn builds_list(&self, cx: &Cx, app: &str, page: PageQuery) -> Result<Page<Build>> {
        let app = self.app_for(cx, app, AppAction::Use).await?;
        store::builds_list(&mut self.read().await?, app.id, page.into()).await.stored().map(Page::from)
    }

    /// One build.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`.
    pub async fn build_get(&self, cx: &Cx, app: &str, build: &str) -> Result<Build> {
        let app = self.app_for(cx, app, AppAction::Use).await?;
        let missing = || Error::not_found(Kind::Build);
        let id: BuildId = build.parse().map_err(|_| missing())?;
        let build = store::build_by_id(&mut self.read().await?, id).await.stored()?;
        build.filter(|build| build.app == app.id).ok_or_else(missing)
    }

    /// The build of the latest good release.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`.
    pub async fn build_current(&self, cx: &Cx, app: &str) -> Result<Build> {
        let app = self.app_for(cx, app, AppAction::Use).await?;
        let mut db = self.read().await?;
        let release = store::release_latest_good(&mut db, app.id).await.stored()?;
        let missing = || Error::not_found(Kind::Build);
        let id = release.and_then(|release| release.build).ok_or_else(missing)?;
        store::build_by_id(&mut db, id).await.stored()?.ok_or_else(missing)
    }

    /// Logs of an app's builds from source, newest first, without their text.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`.
    pub async fn build_logs_list(&self, cx: &Cx, app: &str, page: PageQuery) -> Result<Page<BuildLog>> {
        let app = self.app_for(cx, app, AppAction::Use).await?;
        let logs = store::build_logs_list(&mut self.read().await?, app.id, page.into()).await.stored()?;
        let items = logs.items.into_iter().map(|log| BuildLog::new(log, String::new())).collect();
        Ok(Page { count: logs.total, items })
    }

    /// The log of one build from source, by its id or by a (shortened, at least 7 digits) commit hash: the newest.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`.
    pub async fn build_log_get(&self, cx: &Cx, app: &str, id_or_sha: &str) -> Result<BuildLog> {
        let app = self.app_for(cx, app, AppAction::Use).await?;
        let mut db = self.read().await?;
        let is_sha = (7..=64).contains(&id_or_sha.len()) && id_or_sha.bytes().all(|byte| byte.is_ascii_hexdigit());
        let found = if let Ok(id) = id_or_sha.parse::<BuildLogId>() {
            store::build_log_by_id(&mut db, app.id, id).await.stored()?
        } else if is_sha {
            store::build_log_by_sha(&mut db, app.id, &id_or_sha.to_ascii_lowercase()).await.stored()?
        } else {
            None
        };
        let (log, packed) = found.ok_or_else(|| Error::not_found(Kind::Build))?;
        let text = log_unpack(&packed).map_err(|error| Error::internal(format!("build log {}: {error}", log.id)))?;
        Ok(BuildLog::new(log, text))
    }
}

/// A build's log as it is kept.
pub(crate) fn log_pack(text: &str) -> Result<Vec<u8>> {
    let mut end = text.len().min(BUILD_LOG_MAX_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder
        .write_all(text.as_bytes().get(..end).unwrap_or_default())
        .and_then(|()| encoder.finish())
        .map_err(|error| Error::internal(format!("could not pack a build's log: {error}")))
}

pub(crate) fn log_unpack(packed: &[u8]) -> std::io::Result<String> {
    let mut text = String::new();
    GzDecoder::new(packed).take(BUILD_LOG_MAX_BYTES as u64).read_to_string(&mut text)?;
    Ok(text)
}

fn build_check(
    app: &App,
    owner: slipway_core::UserId,
    new: NewBuild,
    now: DateTime<Utc>,
) -> Result<(store::NewBuild, Artifact)> {
    let mut fields: Vec<FieldError> = Vec::new();
    let mut add = |field: &str, message: String| {
        fields.push(FieldError { field: field.to_owned(), messages: vec![message] });
    };
    let too_long = |length: usize| format!("Ensure this field has no more than {length} characters.");
    let has_control = |text: &str| text.chars().any(char::is_control);
    let image = new.image.trim();
    let mut artifact = None;
    if image.is_empty() {
        add("image", "This field may not be blank.".to_owned());
    } else if image.len() > IMAGE_MAX {
        add("image", too_long(IMAGE_MAX));
    } else if has_control(image) || image.contains(char::is_whitespace) {
        add("image", "The image's name holds blanks or control characters".to_owned());
    } else {
        artifact = image.parse::<Artifact>().map_err(|reason| add("image", reason)).ok();
    }
    let sha = new.sha.trim();
    if sha.chars().count() > SHA_MAX {
        add("sha", too_long(SHA_MAX));
    } else if has_control(sha) {
        add("sha", "Control characters are not allowed.".to_owned());
    }
    if new.dockerfile.len() > DOCKERFILE_MAX {
        add("dockerfile", too_long(DOCKERFILE_MAX));
    } else if new.dockerfile.contains('\0') {
        add("dockerfile", "Null characters are not allowed.".to_owned());
    }
    if new.stack.chars().count() > 64 || has_control(&new.stack) {
        add("stack", too_long(64));
    }
    let procfile = procfile_check(&new.procfile).map_err(|message| add("procfile", message)).unwrap_or_default();
    match artifact.filter(|_| fields.is_empty()) {
        Some(artifact) => {
            let row = store::NewBuild {
                app: app.id,
                owner,
                image: image.to_owned(),
                pinned: None,
                sha: sha.to_owned(),
                procfile,
                dockerfile: new.dockerfile,
                stack: new.stack,
                created: now,
            };
            Ok((row, artifact))
        }
        None => Err(Error::Invalid(fields)),
    }
}

fn procfile_check(given: &BTreeMap<String, Option<String>>) -> Result<Procfile, String> {
    if given.len() > PROCFILE_MAX_TYPES {
        return Err(format!("More than {PROCFILE_MAX_TYPES} process types"));
    }
    given
        .iter()
        .map(|(name, command)| {
            let process_type = ProcessType::new(name).map_err(|error| error.0.to_owned())?;
            let command = command.as_deref().map(str::trim).filter(|command| !command.is_empty());
            let command = command.ok_or("Command can't be empty for process type")?;
            if command.contains('\0') || command.len() > COMMAND_MAX {
                return Err(format!("The command of {process_type} holds NUL or is longer than {COMMAND_MAX} bytes"));
            }
            Ok((process_type, command.to_owned()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn procfiles_are_checked() {
        let check = |name: &str, command: Option<&str>| {
            procfile_check(&BTreeMap::from([(name.to_owned(), command.map(str::to_owned))]))
        };
        assert!(check("web", Some("run")).is_ok());
        for (name, command, reason) in [
            ("web", None, "Command can't be empty for process type"),
            ("web", Some(" "), "Command can't be empty for process type"),
            ("We_b", Some("run"), "Process types can only contain lowercase alphanumeric characters"),
            ("web", Some("a\0"), "The command of web holds NUL or is longer than 32768 bytes"),
        ] {
            assert_eq!(check(name, command), Err(reason.to_owned()));
        }
    }

    #[test]
    fn logs_come_back_cut_at_the_limit() {
        assert_eq!(log_unpack(&log_pack("hellö\n").unwrap()).unwrap(), "hellö\n");
        let long = "ä".repeat(BUILD_LOG_MAX_BYTES);
        assert_eq!(log_unpack(&log_pack(&long).unwrap()).unwrap().len(), BUILD_LOG_MAX_BYTES);
    }
}
