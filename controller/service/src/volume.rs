//! Directories of apps that outlive their processes. Source: `drycc-v2.md` §2.13, §3.2, §3.3.
//!
//! A volume is the app's. Where it is mounted is part of the configuration, so that a mount that fails goes with its
//! release, and a rollback brings back the mounts of then.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use slipway_core::app::App;
use slipway_core::authz::AppAction;
use slipway_core::build::Build;
use slipway_core::config::Config;
use slipway_core::error::Kind;
use slipway_core::release::Release;
use slipway_core::release::summary::summary;
use slipway_core::structure::is_known;
use slipway_core::volume::{MountError, MountPath, Mounts, VOLUMES_MAX, Volume, VolumeSize, mounts_change};
use slipway_core::{Error, ProcessType, Result, VolumeName};
use slipway_engine::{Artifact, MountSpec};
use slipway_store as store;
use slipway_store::{Db, StoreError, UniqueOn};

use crate::audit::{Subject, event};
use crate::config::{Busy, config_base};
use crate::state::release_subject;
use crate::stored::{Fail, Stored, write};
use crate::{Cx, Page, PageQuery, Service};

/// Why an engine's apps have no volumes.
const NO_VOLUMES: &str = "Volumes cannot be mounted on this platform: keep files in an object store or a database, and \
                          give the app its address with `config:set`.";
/// Most process types that a volume is mounted for.
const TYPES_MAX: usize = 64;

/// A volume to be made, not yet checked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewVolume {
    /// Its name.
    pub name: String,
    /// Its size.
    pub size: String,
    /// Where it is mounted at once.
    pub path: MountChange,
}

/// Changes of a volume's mounts, not yet checked: directories by process type, or `None` to unmount.
pub type MountChange = BTreeMap<String, Option<String>>;

/// A volume with where it is mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountedVolume {
    /// The volume.
    pub volume: Volume,
    /// Directories by process type.
    pub paths: BTreeMap<ProcessType, MountPath>,
}

/// What mounts are made from.
struct Base {
    release: Release,
    config: Config,
    build: Option<Build>,
}

impl Service {
    /// An app's volumes by name, with where the current release mounts them.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`.
    pub async fn volumes_list(&self, cx: &Cx, app: &str, page: PageQuery) -> Result<Page<MountedVolume>> {
        let app = self.app_for(cx, app, AppAction::Use).await?;
        let mut db = self.read().await?;
        let volumes = store::volumes_by_app(&mut db, app.id).await.stored()?;
        let mut mounts = mounts_now(&mut db, &app).await.stored()?;
        let page = slipway_core::Page::from(page);
        let count = volumes.len() as u64;
        let shown = volumes.into_iter().skip(usize::try_from(page.offset).unwrap_or(usize::MAX));
        let mounted = |volume: Volume| MountedVolume { paths: mounts.remove(&volume.name).unwrap_or_default(), volume };
        Ok(Page { count, items: shown.take(page.limit as usize).map(mounted).collect() })
    }

    /// Makes an empty volume, and waits until the engine knows of it. Mounting it at once makes a release, as
    /// [`Service::volume_mount`] does; the volume stays when that comes not to run.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden`; `Invalid` by field; `Conflict` for a name that is taken; `Rejected` when the engine has no
    /// volumes, when the app has too many, and as mounting is.
    pub async fn volume_create(&self, cx: &Cx, app: &str, new: NewVolume) -> Result<MountedVolume> {
        let app = self.app_for(cx, app, AppAction::Use).await?;
        let (_, owner_name, _) = cx.user()?;
        if !self.engine().is_keeping_volumes() {
            return Err(Error::Rejected(NO_VOLUMES.to_owned()));
        }
        let name = VolumeName::new(new.name).map_err(|error| Error::invalid("name", error.0))?;
        let size = VolumeSize::new(&new.size).map_err(|rule| Error::invalid("size", rule))?;
        let change = change_read(&new.path)?;
        let new = store::NewVolume { app: app.id, owner_name: owner_name.clone(), name, size, created: cx.now };
        let (mounted, release, generation) = write!(self, |db| {
            if store::volumes_by_app(db, app.id).await?.len() >= VOLUMES_MAX {
                return Err(Error::Rejected(format!("An app can have at most {VOLUMES_MAX} volumes.")).into());
            }
            let volume = match store::volume_insert(db, &new).await {
                Err(StoreError::Conflict { what: UniqueOn::VolumeName }) => {
                    return Err(Error::Conflict(format!("Volume {} already exists", new.name)).into());
                }
                other => other?,
            };
            let after = json!({"app": app.name.as_str(), "size": volume.size.as_str()});
            store::event_insert(db, &event(cx, "create", volume_subject(&volume), Value::Null, after)).await?;
            let generation = store::app_bump_desired(db, app.id, cx.now).await?;
            if change.is_empty() {
                return Ok((MountedVolume { volume, paths: BTreeMap::new() }, None, generation));
            }
            let (mounted, release) = self.mount_record(db, cx, &app, volume, &change).await?;
            Ok::<_, Fail>((mounted, Some(release), generation))
        })?;
        self.app_log(app.id, format!("INFO volume {} added", mounted.volume.name));
        match release {
            Some(release) => self.mount_wait(&app, release).await?,
            None => self.routes_wait(&app, generation).await?,
        }
        Ok(mounted)
    }

    /// Removes a volume with all that is in it, and waits until the engine knows.
    ///
    /// # Errors
    /// `NotFound` (app, then volume), `Forbidden`; `Rejected` while it is mounted.
    pub async fn volume_delete(&self, cx: &Cx, app: &str, name: &str) -> Result<()> {
        let app = self.app_for(cx, app, AppAction::Remove).await?;
        let (volume, generation) = write!(self, |db| {
            let volume = volume_find(db, &app, name).await?;
            // Whatever may run now or come to run.
            let mut used = store::releases_pending_by_app(db, app.id).await?;
            used.extend(store::release_latest_good(db, app.id).await?);
            used.extend(store::release_latest_succeeded(db, app.id).await?);
            for release in used {
                let config = store::config_by_id(db, release.config).await?;
                if config.is_some_and(|config| config.mounts.contains_key(&volume.name)) {
                    return Err(Error::Rejected("the volume is not unmounted".to_owned()).into());
                }
            }
            store::volume_delete(db, volume.id).await?;
            let before = json!({"app": app.name.as_str(), "size": volume.size.as_str()});
            store::event_insert(db, &event(cx, "delete", volume_subject(&volume), before, Value::Null)).await?;
            let generation = store::app_bump_desired(db, app.id, cx.now).await?;
            Ok::<_, Fail>((volume, generation))
        })?;
        self.app_log(app.id, format!("INFO volume {} removed", volume.name));
        self.routes_wait(&app, generation).await
    }

    /// Lets more fit into a volume, and waits until the engine knows. What is in it stays.
    ///
    /// # Errors
    /// `NotFound` (app, then volume), `Forbidden`; `Invalid` for a size that is none; `Rejected` for one that is not larger.
    pub async fn volume_expand(&self, cx: &Cx, app: &str, name: &str, size: &str) -> Result<MountedVolume> {
        let app = self.app_for(cx, app, AppAction::Use).await?;
        let (mounted, generation) = write!(self, |db| {
            let mut volume = volume_find(db, &app, name).await?;
            let size = VolumeSize::new(size).map_err(|rule| Error::invalid("size", rule))?;
            if size.bytes() <= volume.size.bytes() {
                let text =
                    format!("A volume can only grow: {} is not more than {}.", size.as_str(), volume.size.as_str());
                return Err(Error::Rejected(text).into());
            }
            store::volume_set_size(db, volume.id, &size, cx.now).await?;
            let (before, after) = (json!({"size": volume.size.as_str()}), json!({"size": size.as_str()}));
            store::event_insert(db, &event(cx, "expand", volume_subject(&volume), before, after)).await?;
            (volume.size, volume.updated) = (size, cx.now);
            let generation = store::app_bump_desired(db, app.id, cx.now).await?;
            let paths = mounts_now(db, &app).await?.remove(&volume.name).unwrap_or_default();
            Ok::<_, Fail>((MountedVolume { volume, paths }, generation))
        })?;
        let MountedVolume { volume, .. } = &mounted;
        self.app_log(app.id, format!("INFO volume {} expanded to {}", volume.name, volume.size.as_str()));
        self.routes_wait(&app, generation).await?;
        Ok(mounted)
    }

    /// Mounts a volume elsewhere, makes a release of that, and waits for its rollout if there is a build.
    ///
    /// # Errors
    /// `NotFound` (app, then volume), `Forbidden`, `Invalid`; `Unprocessable` for unmounting what is not mounted;
    /// `Rejected` when nothing changes, for a type that the build does not have, a directory that is taken, and
    /// when the build's processes cannot have a volume there; `Conflict` when a deploy is in progress; `DeployFailed`.
    pub async fn volume_mount(&self, cx: &Cx, app: &str, name: &str, change: &MountChange) -> Result<MountedVolume> {
        let app = self.app_for(cx, app, AppAction::Use).await?;
        let (mounted, release) = write!(self, |db| {
            let volume = volume_find(db, &app, name).await?;
            let change = change_read(change)?;
            self.mount_record(db, cx, &app, volume, &change).await
        })?;
        self.mount_wait(&app, release).await?;
        Ok(mounted)
    }

    async fn mount_record(
        &self,
        db: &mut Db,
        cx: &Cx,
        app: &App,
        volume: Volume,
        change: &BTreeMap<ProcessType, Option<MountPath>>,
    ) -> Result<(MountedVolume, Release), Fail> {
        let (release, config) = config_base(db, app, cx.now, Busy::Refuse).await?;
        let build = match release.build {
            Some(id) => store::build_by_id(db, id).await?,
            None => None,
        };
        let base = Base { release, config, build };
        self.mount_check(app, &base, change)?;
        let mounts = mounts_change(&base.config.mounts, &volume.name, change).map_err(mount_error)?;
        let paths = mounts.get(&volume.name).cloned().unwrap_or_default();
        if paths.len() > TYPES_MAX {
            let text = format!("A volume can be mounted for at most {TYPES_MAX} process types.");
            return Err(Error::invalid("path", text).into());
        }
        let (_, owner_name, _) = cx.user()?;
        let next = Config { mounts, owner_name: owner_name.clone(), ..base.config.clone() };
        let text = summary(None, &base.config, &next).unwrap_or_default();
        let (_, release) = self.config_release(db, cx, app, base.release.build, next, text).await?;
        let before = base.config.mounts.get(&volume.name).map_or(Value::Null, shape);
        let (before, after) = (json!({volume.name.as_str(): before}), json!({volume.name.as_str(): shape(&paths)}));
        store::event_insert(db, &event(cx, "mount", release_subject(&release), before, after)).await?;
        Ok((MountedVolume { volume, paths }, release))
    }

    async fn mount_wait(&self, app: &App, release: Release) -> Result<()> {
        self.app_log(app.id, format!("INFO {}", release.summary));
        self.signals().desired(app.id);
        self.release_wait(app, release).await.map(drop)
    }

    /// Checks that the current build has the process types, and that its processes can have volumes there.
    fn mount_check(&self, app: &App, base: &Base, change: &BTreeMap<ProcessType, Option<MountPath>>) -> Result<()> {
        let Some(build) = &base.build else { return Ok(()) };
        let wanted: Vec<(&ProcessType, &MountPath)> =
            change.iter().filter_map(|(process_type, path)| Some((process_type, path.as_ref()?))).collect();
        let unknown: Vec<&str> = wanted
            .iter()
            .map(|(process_type, _)| *process_type)
            .filter(|process_type| !is_known(build, process_type) && !app.structure.contains_key(*process_type))
            .map(ProcessType::as_str)
            .collect();
        if !unknown.is_empty() {
            return Err(Error::Rejected(format!("process type {} is not included in profile", unknown.join(","))));
        }
        let artifact: Artifact = build.artifact().parse().map_err(Error::Rejected)?;
        match wanted.iter().find_map(|(_, path)| self.engine().mount_refusal(&artifact, path)) {
            Some(refusal) => Err(Error::Rejected(refusal)),
            None => Ok(()),
        }
    }

    /// The volumes of a one-off process.
    pub(crate) async fn run_mounts(
        &self,
        db: &mut Db,
        app: &App,
        artifact: &Artifact,
        wanted: &BTreeMap<String, String>,
    ) -> Result<Vec<MountSpec>> {
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let volumes = store::volumes_by_app(db, app.id).await.stored()?;
        let mut mounts: Vec<MountSpec> = Vec::new();
        for (name, path) in wanted {
            let volume = volumes.iter().find(|volume| volume.name.as_str() == name);
            let volume = volume.ok_or(Error::not_found(Kind::Volume))?;
            let path = MountPath::new(path).map_err(|rule| Error::invalid("volumes", rule))?;
            if let Some(other) = mounts.iter().find(|other| other.path.clashes_with(&path)) {
                return Err(taken(&path, &other.name, &other.path));
            }
            if let Some(refusal) = self.engine().mount_refusal(artifact, &path) {
                return Err(Error::Rejected(refusal));
            }
            mounts.push(MountSpec { volume: volume.id, name: volume.name.clone(), path });
        }
        Ok(mounts)
    }

    /// Refuses to go back to a release that mounts what is not there any more.
    pub(crate) async fn volumes_of_rollback(&self, db: &mut Db, app: &App, target: &Release) -> Result<(), Fail> {
        let config = store::config_by_id(db, target.config).await?;
        let mounts = config.map(|config| config.mounts).unwrap_or_default();
        if mounts.is_empty() {
            return Ok(());
        }
        let volumes = store::volumes_by_app(db, app.id).await?;
        match mounts.keys().find(|name| volumes.iter().all(|volume| volume.name != **name)) {
            Some(gone) => {
                let text =
                    format!("Cannot roll back to {}: it mounts the volume {gone}, which was deleted.", target.version);
                Err(Error::Rejected(text).into())
            }
            None => Ok(()),
        }
    }
}

/// Where the current release mounts volumes.
async fn mounts_now(db: &mut Db, app: &App) -> Result<Mounts, StoreError> {
    let config = match store::release_latest_good(db, app.id).await? {
        Some(release) => store::config_by_id(db, release.config).await?,
        None => None,
    };
    Ok(config.map(|config| config.mounts).unwrap_or_default())
}

async fn volume_find(db: &mut Db, app: &App, name: &str) -> Result<Volume, Fail> {
    let volumes = store::volumes_by_app(db, app.id).await?;
    let volume = volumes.into_iter().find(|volume| volume.name.as_str() == name);
    Ok(volume.ok_or(Error::not_found(Kind::Volume))?)
}

fn volume_subject(volume: &Volume) -> Subject<'static> {
    Subject { kind: "volume", id: volume.id.to_string(), name: volume.name.to_string() }
}

fn shape(paths: &BTreeMap<ProcessType, MountPath>) -> Value {
    paths.iter().map(|(process_type, path)| (process_type.to_string(), json!(path.as_str()))).collect()
}

fn change_read(change: &MountChange) -> Result<BTreeMap<ProcessType, Option<MountPath>>> {
    let wrong = |rule: &str| Error::invalid("path", rule);
    let read = |(process_type, path): (&String, &Option<String>)| {
        let process_type = ProcessType::new(process_type.as_str()).map_err(|error| wrong(error.0))?;
        let path = path.as_deref().map(|path| MountPath::new(path).map_err(wrong)).transpose()?;
        Ok((process_type, path))
    };
    change.iter().map(read).collect()
}

fn mount_error(error: MountError) -> Error {
    match error {
        MountError::Unchanged => Error::Rejected("mount path not changed".to_owned()),
        MountError::NotMounted(process_type) => {
            Error::Unprocessable(format!("{process_type} does not exist under volume"))
        }
        MountError::Taken { path, by, at } => taken(&path, &by, &at),
    }
}

fn taken(path: &MountPath, by: &VolumeName, at: &MountPath) -> Error {
    Error::Rejected(if path == at {
        format!("path {path} is used by another volume")
    } else {
        format!("path {path} is used by another volume: {by} is mounted at {at}")
    })
}
